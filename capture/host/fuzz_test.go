package host

import (
	"bytes"
	"io"
	"os"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// checkName: a name that came in from outside is one line of printable text.
func checkName(t *testing.T, name string) {
	t.Helper()
	if !utf8.ValidString(name) || len(name) > 3*256 {
		t.Fatalf("not a name: %q", name)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) && r != unicode.ReplacementChar {
			t.Fatalf("a control character in %q", name)
		}
	}
}

func seed(f *testing.F, files ...string) {
	for _, file := range files {
		b, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzVMM(f *testing.F) {
	for _, line := range []string{qemuA, qemuB, "cloud-hypervisor --net tap=a,fd=[1,2] b --api-socket path=/a/b.sock",
		"firecracker --id x", "crosvm run -s x --net tap-fd=3", "lkvm run --network mode=tap,tapif=x", "qemu -net tap,ifname=a,,"} {
		f.Add(cmdline(line))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, _ := parseVMM(b)
		checkName(t, v.name)
		if len(v.nics) > 3*mostNICs+1 {
			t.Fatalf("%d NICs", len(v.nics))
		}
	})
}

func FuzzCgroup(f *testing.F) {
	f.Add([]byte(`0::/machine.slice/machine-qemu\x2d7\x2dvm_a.scope/libvirt`))
	f.Add([]byte("0::/kubepods/pod1f2e3d4c-0001-4002-8003-000000000004/x\n1:a:/docker/" + hex64))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkName(t, parseCgroup(b))
		parseStartTime(b)
		parseFdinfo(b)
		macvtapIndex(string(b))
	})
}

func FuzzDomain(f *testing.F) {
	seed(f, "vm_a.xml")
	f.Add([]byte("<domain><name>test</name></domain>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte) (domain, error){parseStatus, parseDomain} {
			d, err := parse(b)
			if err != nil {
				continue
			}
			checkName(t, d.name)
			for _, n := range d.nics {
				checkName(t, n.bridge)
			}
		}
	})
}

func FuzzXen(f *testing.F) {
	seed(f, "xenstore-ls", "xl-list")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, n := range parseXenStore(b) {
			checkName(t, n.bridge)
		}
		for _, name := range parseXlList(b) {
			checkName(t, name)
		}
	})
}

func FuzzOVS(f *testing.F) {
	seed(f, "ovs-vsctl.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, n := range parseOVS(b) {
			checkName(t, n.guest)
			checkName(t, n.bridge)
		}
	})
}

func FuzzNetlink(f *testing.F) {
	link := make([]byte, unix.SizeofIfInfomsg)
	link[4] = 3
	link = append(link, attr(unix.IFLA_IFNAME, 'a', 0)...)
	link = append(link, attr(unix.IFLA_LINKINFO, attr(unix.IFLA_INFO_KIND, 't', 'u', 'n', 0)...)...)
	link = append(link, attr(unix.IFLA_STATS64, make([]byte, 200)...)...)
	for _, payload := range [][]byte{link, neighbour(unix.AF_BRIDGE, 7, unix.NUD_REACHABLE, 0, "52:54:00:aa:bb:01")} {
		f.Add(payload)
		f.Add(append(request(unix.RTM_NEWLINK, 0, nil), payload...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, payload := range messages(b) {
			parseDevice(payload)
		}
		if d, ok := parseDevice(b); ok && (d.name == "" || d.ifindex <= 0) {
			t.Fatalf("got %+v", d)
		}
		parseLearned(b)
		parseNSID(b)
		parseStatsMessage(b)
		parseLinkMessage(b)
	})
}

func FuzzGuard(f *testing.F) {
	f.Add(append(message(28), message(100)...))
	f.Add([]byte{0, 0, 0, 27})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := io.ReadAll(&guard{Conn: &wire{r: bytes.NewReader(b)}})
		if err == nil && !bytes.Equal(got, b) {
			t.Fatalf("%d bytes became %d", len(b), len(got))
		}
	})
}
