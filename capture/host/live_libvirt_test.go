package host

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	libvirt "github.com/digitalocean/go-libvirt"

	"spiketop/flow"
	"spiketop/testdata/netlab"
)

// TestLibvirtd meets a real libvirtd with a real QEMU guest (TCG, 64 MiB, no
// system to boot) in a world of its own.
func TestLibvirtd(t *testing.T) {
	netlab.NeedNetns(t)
	for _, tool := range []string{"libvirtd", "qemu-system-x86_64"} {
		netlab.NeedTool(t, "libvirt", tool)
	}
	if outside(t) {
		return
	}
	d := startLibvirtd(t)
	dom := d.startGuest(t)
	pid := guestPID(t)
	want := []flow.GuestNIC{
		{Name: "vnet0", Kind: "tap", Guest: "vm_a", MACs: [][6]byte{{0x52, 0x54, 0, 0xaa, 0xbb, 1}}, PID: pid, Bridge: "br0",
			Source: "fdinfo, command line, libvirt files"},
		{Name: "vif7.1", Kind: "tap", Guest: "vm_a", MACs: [][6]byte{{0x52, 0x54, 0, 0xaa, 0xbb, 2}}, PID: pid, Bridge: "br0",
			Source: "fdinfo, command line, libvirt files"},
	}
	t.Run("with every right", func(t *testing.T) {
		look := find(t, Options{})
		sameNICs(t, want, look.NICs)
		status(t, look, map[string]Status{"fdinfo": Found, "command line": Found, "libvirt files": Found, "libvirt": NotAsked, "xen": Absent})
	})
	t.Run("by the socket alone", func(t *testing.T) { socketAlone(t, want) })
	t.Run("without any right", func(t *testing.T) { withoutRights(t, want) })
	t.Run("everything asked", func(t *testing.T) {
		look := find(t, Options{All: true})
		status(t, look, map[string]Status{"libvirt": Found})
	})
	t.Run("the test driver", testDriver)
	t.Run("disks", func(t *testing.T) { d.disks(t, dom) })
	t.Run("gone", func(t *testing.T) { d.gone(t, dom) })
}

type daemon struct {
	cmd *exec.Cmd
	rpc *libvirt.Libvirt
	log *bytes.Buffer
}

const qemuConf = `stdio_handler = "file"
security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = [ ]
namespaces = [ ]
`

func startLibvirtd(t *testing.T) *daemon {
	t.Helper()
	for _, dir := range []string{"/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"} {
		must(t, os.MkdirAll(dir, 0o755))
		must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	}
	addAccounts(t)
	must(t, os.WriteFile("/etc/libvirt/qemu.conf", []byte(qemuConf), 0o644))
	conf := "/etc/libvirt/libvirtd.conf"
	must(t, os.WriteFile(conf, []byte("auth_unix_ro = \"none\"\nauth_unix_rw = \"none\"\n"), 0o644))
	ip(t, "link add br0 type bridge")
	ip(t, "link set dev br0 up")
	d := &daemon{log: &bytes.Buffer{}}
	d.cmd = exec.Command("libvirtd", "-f", conf)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	must(t, d.cmd.Start())
	ended := make(chan struct{})
	go func() { _ = d.cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("libvirtd:\n%s", d.log)
		}
	})
	eventually(t, "libvirtd's sockets", func() bool {
		select {
		case <-ended:
			t.Fatal("libvirtd ended")
		default:
		}
		_, err := os.Stat("/run/libvirt/libvirt-sock-ro")
		return err == nil
	})
	conn, err := net.Dial("unix", "/run/libvirt/libvirt-sock")
	must(t, err)
	d.rpc = libvirt.NewWithDialer(dialer{conn})
	must(t, d.rpc.ConnectToURI(libvirt.QEMUSystem))
	return d
}

// addAccounts adds the accounts that libvirtd wants to know, whatever its
// configuration says; Debian's are in a package that brings the whole system.
func addAccounts(t *testing.T) {
	t.Helper()
	for file, line := range map[string]string{
		"passwd": "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin\n",
		"group":  "libvirt-qemu:x:64055:\nkvm:x:64056:\n",
	} {
		old, err := os.ReadFile("/etc/" + file)
		must(t, err)
		must(t, os.WriteFile("/run/"+file, append(old, line...), 0o644))
		must(t, unix.Mount("/run/"+file, "/etc/"+file, "", unix.MS_BIND, ""))
	}
}

const guestXML = `<domain type='qemu'><name>vm_a</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>QEMU</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/run/disk.raw'/><target dev='vda' bus='virtio'/></disk>
<interface type='bridge'><mac address='52:54:00:aa:bb:01'/><source bridge='br0'/><model type='virtio'/></interface>
<interface type='bridge'><mac address='52:54:00:aa:bb:02'/><source bridge='br0'/><target dev='vif7.1'/><model type='virtio'/></interface>
</devices></domain>`

func (d *daemon) startGuest(t *testing.T) libvirt.Domain {
	t.Helper()
	must(t, os.WriteFile("/run/disk.raw", make([]byte, 1<<20), 0o644))
	qemu, err := exec.LookPath("qemu-system-x86_64")
	must(t, err)
	dom, err := d.rpc.DomainCreateXML(strings.Replace(guestXML, "QEMU", qemu, 1), libvirt.DomainStartPaused)
	must(t, err)
	return dom
}

func guestPID(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/run/libvirt/qemu/vm_a.pid")
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	must(t, err)
	return pid
}

func find(t *testing.T, opt Options, change ...func(*Finder)) Look {
	t.Helper()
	f, err := New(opt)
	must(t, err)
	defer f.Close()
	for _, c := range change {
		c(f)
	}
	look, err := f.Find(context.Background())
	must(t, err)
	for _, r := range look.Sources {
		t.Log(r)
	}
	return look
}

func sameNICs(t *testing.T, want, got []flow.GuestNIC) {
	t.Helper()
	strip := func(list []flow.GuestNIC) map[string]flow.GuestNIC {
		m := map[string]flow.GuestNIC{}
		for _, n := range list {
			n.Ifindex = 0
			m[n.Name] = n
		}
		return m
	}
	if diff := cmp.Diff(strip(want), strip(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func status(t *testing.T, look Look, want map[string]Status) {
	t.Helper()
	for _, r := range look.Sources {
		if w, ok := want[r.Source]; ok && w != r.Status {
			t.Errorf("want %s, got %v", w, r)
		}
	}
}

// socketAlone hides /proc and the status files.
func socketAlone(t *testing.T, want []flow.GuestNIC) {
	run := t.TempDir()
	must(t, os.Mkdir(filepath.Join(run, "libvirt"), 0o755))
	must(t, os.Symlink("/run/libvirt/libvirt-sock-ro", filepath.Join(run, "libvirt/libvirt-sock-ro")))
	began := time.Now()
	look := find(t, Options{Proc: t.TempDir(), Run: run})
	t.Logf("took %v", time.Since(began))
	var socket []flow.GuestNIC
	for _, n := range want {
		n.PID, n.Source = 0, "libvirt"
		socket = append(socket, n)
	}
	sameNICs(t, socket, look.NICs)
	status(t, look, map[string]Status{"libvirt": Found, "libvirt files": Absent})
}

// withoutRights looks as nobody: the command line is there for all to read, and
// the tap's own address says which vif it is about.
func withoutRights(t *testing.T, want []flow.GuestNIC) {
	run := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(run, "libvirt/qemu"), 0o755))
	must(t, os.WriteFile(filepath.Join(run, "libvirt/qemu/vm_a.xml"), []byte("<domstatus/>"), 0o600))
	for dir := run; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	var look Look
	asNobody(t, func() { look = find(t, Options{Run: run}) })
	var joined []flow.GuestNIC
	for _, n := range want {
		n.Source = "command line, tap mac"
		joined = append(joined, n)
	}
	sameNICs(t, joined, look.NICs)
	status(t, look, map[string]Status{"fdinfo": NotPermitted, "libvirt files": NotPermitted})
	for _, r := range look.Missing() {
		if r.Remedy == "" {
			t.Errorf("no remedy: %v", r)
		}
	}
}

// testDriver asks the driver that libvirt has for tests: its one guest "test" is
// said to be behind testnet0.
func testDriver(t *testing.T) {
	ip(t, "tuntap add dev testnet0 mode tap")
	defer ip(t, "link del testnet0")
	look := find(t, Options{Proc: t.TempDir()}, func(f *Finder) {
		f.endpoints = []endpoint{{"libvirt-sock-ro", "test:///default"}}
	})
	for _, n := range look.NICs {
		if n.Name == "testnet0" {
			if n.Guest != "test" || n.Source != "libvirt" || len(n.MACs) != 1 || n.MACs[0] != parseMAC("aa:bb:cc:dd:ee:ff") {
				t.Errorf("got %+v", n)
			}
			return
		}
	}
	t.Errorf("testnet0 not found in %+v", look.NICs)
}

// disks: a paused guest has read nothing; one that runs looks for a boot sector;
// a daemon that hangs is left alone.
func (d *daemon) disks(t *testing.T, dom libvirt.Domain) {
	r := NewDisks("")
	defer r.Close()
	r.limit = 5 * time.Second // the machine may be slow; the hang below has its own
	read := func() flow.DiskCounters {
		t.Helper()
		list, err := r.Read(context.Background())
		must(t, err)
		if len(list) != 1 || list[0].Guest != "vm_a" || list[0].At <= 0 {
			t.Fatalf("got %+v", list)
		}
		return list[0]
	}
	if c := read(); c.ReadBytes != 0 || c.WriteBytes != 0 {
		t.Errorf("paused: got %+v", c)
	}
	must(t, d.rpc.DomainResume(dom))
	eventually(t, "the BIOS reads the boot sector", func() bool { return read().ReadBytes >= 512 })
	if c := read(); c.WriteBytes != 0 {
		t.Errorf("nobody wrote: got %+v", c)
	}

	r.limit = 300 * time.Millisecond
	goroutines := runtime.NumGoroutine()
	must(t, d.cmd.Process.Signal(unix.SIGSTOP))
	began := time.Now()
	_, err := r.Read(context.Background())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: want %v, got %v", context.DeadlineExceeded, err)
	}
	for range 1000 {
		if _, again := r.Read(context.Background()); again != err {
			t.Fatalf("between tries: want the same error, got %v", again)
		}
	}
	t.Logf("hanging: gave up after %v", time.Since(began))
	eventually(t, "the connection's goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	must(t, d.cmd.Process.Signal(unix.SIGCONT))
	r.limit = 5 * time.Second
	eventually(t, "reads again", func() bool {
		list, err := r.Read(context.Background())
		return err == nil && len(list) == 1
	})
	if got := r.Report(); got.Status != Found || got.Detail != "guests: 1" {
		t.Errorf("got %v", got)
	}
}

// gone: Run tells of the guest's end.
func (d *daemon) gone(t *testing.T, dom libvirt.Domain) {
	f, err := New(Options{})
	must(t, err)
	defer f.Close()
	ctx, cancel := context.WithCancel(context.Background())
	changed, looks, done := make(chan struct{}, 1), make(chan Look, 16), make(chan struct{})
	go func() { defer close(done); f.Run(ctx, changed, func(l Look) { looks <- l }) }()
	if l := <-looks; len(l.NICs) != 2 {
		t.Errorf("before: got %+v", l.NICs)
	}
	must(t, d.rpc.DomainDestroy(dom))
	changed <- struct{}{}
	for l := range looks {
		if len(l.NICs) == 0 {
			break
		}
	}
	cancel()
	<-done
}
