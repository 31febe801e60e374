package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// need skips a test that wants a tool, or fails it if SPIKETOP_REQUIRE names it.
func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("SPIKETOP_REQUIRE"), ","), "tshark") {
		t.Fatalf("%s is required and not installed", tool)
	}
	t.Skipf("%s is not installed", tool)
}

var (
	writtenSection = Section{Hardware: "x86_64", OS: "Linux 6.1", Application: "spiketop 0.1.0", Comment: "incident 1\nsecond line"}
	writtenIfs     = []Interface{
		{Name: "eth0", Description: "member of bond0", Link: EN10, SnapLen: 128, Speed: 25e9, MAC: [6]byte{2, 0, 0, 0, 0, 1}, Filter: "icmp", TSResol: 9, OS: "Linux", Hardware: "mlx5_core", Comments: []string{"left"}},
		{Name: "023471", Link: RawIP, TSResol: 9},
	}
	writtenNames = map[netip.Addr][]string{
		netip.MustParseAddr("10.1.16.165"): {"vm_a"},
		netip.MustParseAddr("2001:db8::1"): {"vm_b", "web"},
	}
	ethFrame = string([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5}) + strings.Repeat("\x00", 46)

	writtenPackets = []Packet{
		{At: 1795378515_508292903, Link: EN10, Dir: DirIn, Len: 1514, Data: []byte(ethFrame), Comments: []string{"class storage", "guilty: echo 110"}},
		{At: 1795378515_508292904, Interface: 1, Link: RawIP, Dir: DirOut, Len: 20, Data: []byte("\x45\x00\x00\x14\x00\x00\x00\x00\x40\xfd\x00\x00\x0a\x01\x10\xa5\x0a\x01\x10\xa6"), Drops: 3},
		{At: 1795378515_608292904, Link: EN10, Dir: DirOut, Len: 65226, Data: []byte(ethFrame[:33]), SegSize: 1448},
		{At: 1795378515_608292905, Link: EN10, Len: 60, Data: []byte(ethFrame)},
	}
)

// written is a file with all that Writer can say.
func written(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, writtenSection)
	for i := range writtenIfs {
		if n, err := w.AddInterface(writtenIfs[i]); n != i || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.WriteNames(writtenNames); err != nil {
		t.Fatal(err)
	}
	for i := range writtenPackets {
		if err := w.WritePacket(&writtenPackets[i]); err != nil {
			t.Fatal(err)
		}
	}
	from, to := writtenPackets[0].At, writtenPackets[3].At
	if err := errors.Join(w.WriteStats(0, from, to, 1000, 7), w.WriteStats(1, from, to, 1, 0), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriterRoundTrip(t *testing.T) {
	packets, r, err := readAll(written(t), Options{Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(writtenPackets, packets, cmpopts.IgnoreFields(Packet{}, "Offset"), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("packets (-want +got):\n%s", d)
	}
	ifs := slices.Clone(writtenIfs)
	from, to := writtenPackets[0].At, writtenPackets[3].At
	ifs[0].Stats = InterfaceStats{Seen: true, Received: 1000, Dropped: 7, HasReceived: true, HasDropped: true, Start: from, End: to}
	ifs[1].Stats = InterfaceStats{Seen: true, Received: 1, HasReceived: true, HasDropped: true, Start: from, End: to}
	if d := cmp.Diff(ifs, r.Interfaces(), cmpopts.IgnoreUnexported(Interface{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("interfaces (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Section{writtenSection}, r.Sections()); d != "" {
		t.Errorf("section (-want +got):\n%s", d)
	}
	if d := cmp.Diff(writtenNames, r.Names(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
}

// quiet runs a tool of Wireshark and wants nothing on its standard error.
func quiet(t *testing.T, tool string, args ...string) string {
	t.Helper()
	cmd := exec.Command(tool, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "LC_ALL=C.UTF-8")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	said := strings.TrimSpace(strings.ReplaceAll(errs.String(), `Running as user "root" and group "root". This could be dangerous.`, ""))
	if err != nil || said != "" {
		t.Errorf("%s: %v: %s", tool, err, said)
	}
	return out.String()
}

// Wireshark's tools read the file without a warning and see all of it.
func TestWriterTshark(t *testing.T) {
	need(t, "tshark")
	need(t, "capinfos")
	name := filepath.Join(t.TempDir(), "packets.pcapng")
	if err := os.WriteFile(name, written(t), 0o600); err != nil {
		t.Fatal(err)
	}
	got := quiet(t, "tshark", "-r", name, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.interface_name",
		"-e", "frame.packet_flags_direction", "-e", "frame.len", "-e", "frame.cap_len", "-e", "frame.drop_count", "-e", "frame.comment")
	want := "1795378515.508292903\teth0\t0x00000001\t1514\t60\t\tclass storage,guilty: echo 110\n" +
		"1795378515.508292904\t023471\t0x00000002\t20\t20\t3\t\n" +
		"1795378515.608292904\teth0\t0x00000002\t65226\t33\t\t\n" +
		"1795378515.608292905\teth0\t\t60\t60\t\t\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("tshark (-want +got):\n%s", d)
	}
	if got := quiet(t, "tshark", "-r", name, "-N", "n", "-T", "fields", "-e", "ip.src_host", "-Y", "ip"); got != "vm_a\n" {
		t.Errorf("tshark calls the VM %q", got)
	}
	info := quiet(t, "capinfos", "-M", name)
	for _, want := range []string{"Number of packets:   4", "spiketop 0.1.0", "x86_64", "Linux 6.1", "Name = eth0", "Description = member of bond0",
		"Speed = 25000000000", "Filter string = icmp", "Time precision = nanoseconds (9)", "Number of stat entries = 1"} {
		if !strings.Contains(info, want) {
			t.Errorf("capinfos does not say %q:\n%s", want, info)
		}
	}
}

// Names of any number and content make blocks that can be read.
func TestWriteManyNames(t *testing.T) {
	names := map[netip.Addr][]string{}
	for i := range 30_000 {
		names[netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})] = []string{fmt.Sprintf("vm_%d_%s", i, strings.Repeat("x", 60))}
	}
	odd, none, zoned := netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("fe80::1%eth0")
	names[odd] = []string{"a\x00b", "\xff", strings.Repeat("y", 70_000), "z"}
	names[none] = []string{"", "\x00"}
	names[zoned] = []string{"link"}
	names[netip.Addr{}] = []string{"nobody"}
	var b bytes.Buffer
	w := NewWriter(&b, Section{})
	if err := errors.Join(w.WriteNames(nil), w.WriteNames(names), w.Flush()); err != nil {
		t.Fatal(err)
	}
	_, r, err := readAll(b.Bytes(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[netip.Addr][]string{}
	for a, n := range names {
		want[a] = n
	}
	for _, a := range []netip.Addr{odd, none, zoned, {}} {
		delete(want, a)
	}
	want[netip.MustParseAddr("192.0.2.1")] = []string{"ab", "\uFFFD", "z"} // 70000 bytes exceed a record
	want[netip.MustParseAddr("fe80::1")] = []string{"link"}
	if d := cmp.Diff(want, r.Names(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Text of any length and content makes options that can be read.
func TestWriteOddText(t *testing.T) {
	long := strings.Repeat("é", 40_000) // 80000 bytes; 65535 is odd, so a half é would be left
	var b bytes.Buffer
	w := NewWriter(&b, Section{Comment: "a\xffb"})
	if _, err := w.AddInterface(Interface{Link: EN10, Name: "e\x00\x1b[2J"}); err != nil {
		t.Fatal(err)
	}
	p := Packet{At: -5, Len: 3, Data: []byte("abcde"), Comments: []string{long, "", "\xc3"}}
	if err := errors.Join(w.WritePacket(&p), w.Flush()); err != nil {
		t.Fatal(err)
	}
	packets, r, err := readAll(b.Bytes(), Options{Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []Packet{{Link: EN10, Len: 3, Data: []byte("abcde"), Comments: []string{long[:65534], "\uFFFD"}, Offset: packets[0].Offset}}
	if d := cmp.Diff(want, packets, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := r.Sections()[0].Comment; got != "a\uFFFDb" {
		t.Errorf("comment %q", got)
	}
	if got := r.Interfaces()[0].Name; got != "e\x00\x1b[2J" {
		t.Errorf("name %q", got)
	}
}

func TestWriterRefuses(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, Section{})
	for _, tt := range []struct {
		name string
		err  error
	}{
		{"packet without interface", w.WritePacket(&Packet{})},
		{"negative interface", w.WritePacket(&Packet{Interface: -1})},
		{"statistics without interface", w.WriteStats(0, 0, 0, 0, 0)},
		{"link type", second(w.AddInterface(Interface{Link: 1 << 16}))},
	} {
		if tt.err == nil {
			t.Errorf("%s was written", tt.name)
		}
	}
	if err := w.Flush(); err != nil || b.Len() != 28 {
		t.Errorf("%v, %d bytes: only the section header was to be there", err, b.Len())
	}
	if _, err := w.AddInterface(Interface{Link: EN10}); err != nil {
		t.Fatal(err)
	}
	if w.WritePacket(&Packet{Len: -1}) == nil || w.WritePacket(&Packet{Len: 1 << 33}) == nil {
		t.Error("an impossible length was written")
	}
}

func second(_ int, err error) error { return err }

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWriterDestination(t *testing.T) {
	w := NewWriter(fullDisk{}, Section{})
	if err := w.Flush(); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
	if _, err := w.AddInterface(Interface{Link: EN10}); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
	if err := w.WritePacket(&Packet{}); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}

func TestWriteAllocs(t *testing.T) {
	w := NewWriter(discard{}, Section{})
	if _, err := w.AddInterface(Interface{Link: EN10}); err != nil {
		t.Fatal(err)
	}
	p := writtenPackets[0]
	p.Drops, p.SegSize = 1, 1448
	if n := testing.AllocsPerRun(1000, func() { _ = w.WritePacket(&p) }); n != 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
