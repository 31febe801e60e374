package pcapfile

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// evidence is a file with all that the writer can say.
func evidence(t *testing.T) (file []byte, packets []Packet, ifs []Interface) {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, Section{Hardware: "x86_64", OS: "Linux 6.1", Application: "spiketop 0.1.0", Comment: "incident 1"})
	ifs = []Interface{{Name: "eth0", Description: "member of bond0", Link: EN10, SnapLen: 128, Speed: 10e9}, {Name: "023471", Link: EN10, SnapLen: 128}}
	for i := range ifs {
		if n, err := w.AddInterface(ifs[i]); n != i || err != nil {
			t.Fatal(n, err)
		}
	}
	frame := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, make([]byte, 46)...)
	packets = []Packet{
		{At: 1795378515508292903, Interface: 0, Link: EN10, Dir: DirIn, Len: 1514, Data: frame, Comments: []string{"class storage", "guilty: echo 110"}},
		{At: 1795378515508292904, Interface: 1, Link: EN10, Dir: DirOut, Len: 60, Data: frame, Drops: 3},
		{At: 1795378515608292904, Interface: 0, Link: EN10, Dir: DirOut, Len: 65226, Data: frame[:33], SegSize: 1448},
		{At: 1795378515608292905, Interface: 0, Link: EN10, Len: 60, Data: frame},
	}
	if err := w.WriteNames(map[netip.Addr][]string{netip.MustParseAddr("10.1.16.55"): {"vm_b"}, netip.MustParseAddr("2001:db8::1"): {"vm_a", "web"}}); err != nil {
		t.Fatal(err)
	}
	for i := range packets {
		if err := w.WritePacket(&packets[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.WriteStats(0, packets[0].At, packets[3].At, 1000, 7), w.WriteStats(1, packets[0].At, packets[3].At, 1, 0), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), packets, ifs
}

func TestWriterRoundTrip(t *testing.T) {
	file, want, ifs := evidence(t)
	r, err := NewReader(bytes.NewReader(file), "round", Options{Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		var p Packet
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], p, cmpopts.IgnoreFields(Packet{}, "Offset"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("packet %d (-want +got):\n%s", i, diff)
		}
	}
	if diff := cmp.Diff(ifs, r.Interfaces()); diff != "" {
		t.Error(diff)
	}
	names := map[netip.Addr][]string{netip.MustParseAddr("10.1.16.55"): {"vm_b"}, netip.MustParseAddr("2001:db8::1"): {"vm_a", "web"}}
	if diff := cmp.Diff(names, r.Names(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// TestWriterTshark: Wireshark's tools read it without a word on standard error,
// and see directions, comments and drops.
func TestWriterTshark(t *testing.T) {
	for _, tool := range []string{"tshark", "capinfos"} {
		if _, err := exec.LookPath(tool); err != nil {
			if strings.Contains(os.Getenv("SPIKETOP_REQUIRE"), "tshark") {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	file, _, _ := evidence(t)
	name := filepath.Join(t.TempDir(), "packets.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(tool string, args ...string) string {
		cmd := exec.Command(tool, args...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		said := strings.TrimSpace(strings.ReplaceAll(errs.String(), "Running as user \"root\" and group \"root\". This could be dangerous.", ""))
		if err != nil || said != "" {
			t.Errorf("%s: %v: %s", tool, err, said)
		}
		return out.String()
	}
	got := run("tshark", "-r", name, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction", "-e", "frame.len", "-e", "frame.cap_len", "-e", "frame.comment")
	want := "1795378515.508292903\teth0\t0x00000001\t1514\t60\tclass storage,guilty: echo 110\n" +
		"1795378515.508292904\t023471\t0x00000002\t60\t60\t\n" +
		"1795378515.608292904\teth0\t0x00000002\t65226\t33\t\n" +
		"1795378515.608292905\teth0\t\t60\t60\t\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tshark (-want +got):\n%s", diff)
	}
	info := run("capinfos", "-M", name)
	for _, want := range []string{"Number of packets:   4", "spiketop 0.1.0", "Name = eth0", "Description = member of bond0"} {
		if !strings.Contains(info, want) {
			t.Errorf("capinfos does not say %q:\n%s", want, info)
		}
	}
}

func TestWriterErrors(t *testing.T) {
	w := NewWriter(failing{}, Section{})
	if err := w.WritePacket(&Packet{}); err == nil {
		t.Error("a packet without an interface was written")
	}
	if err := w.Flush(); err == nil {
		t.Error("nobody said that the disk is full")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }
