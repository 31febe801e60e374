package flow

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
)

// needTcpdump skips, or fails where SPIKETOP_REQUIRE names tcpdump.
func needTcpdump(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("SPIKETOP_REQUIRE"), ","), "tcpdump") {
			t.Fatalf("tcpdump is required: %v", err)
		}
		t.Skip("there is no tcpdump to compare with")
	}
}

// compile has tcpdump translate an expression for Ethernet; nothing is opened.
func compile(expr string) (*bpf.VM, error) {
	cmd := exec.Command("tcpdump", "-y", "EN10MB", "-ddd", "--", expr)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var prog []bpf.Instruction
	for _, l := range lines[1:] { // the first is their number
		var r bpf.RawInstruction
		if _, err := fmt.Sscan(l, &r.Op, &r.Jt, &r.Jf, &r.K); err != nil {
			return nil, fmt.Errorf("instruction %q: %w", l, err)
		}
		prog = append(prog, r.Disassemble())
	}
	return bpf.NewVM(prog)
}

func mustCompile(t *testing.T, expr string) *bpf.VM {
	t.Helper()
	vm, err := compile(expr)
	if err != nil {
		t.Fatalf("tcpdump %q: %v", expr, err)
	}
	return vm
}

func accepts(t *testing.T, vm *bpf.VM, frame []byte) bool {
	t.Helper()
	n, err := vm.Run(frame)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// matches asks the filter about a frame in both seats: as the host that sends it
// and as the one that receives it.
func matches(t *testing.T, f *Filter, frame *testFrame) bool {
	t.Helper()
	received := frame.reversed()
	sent := f.Match(&frame.key, Tx, Unknown, "eth0")
	if got := f.Match(&received, Rx, Unknown, "eth0"); got != sent {
		t.Errorf("%s on %s: %v for who sends, %v for who receives", f, frame.name, sent, got)
	}
	return sent
}

// likeTcpdump are expressions that mean the same to tcpdump and to us. Where arp
// is set it is what tcpdump has to be asked about ARP packets: it looks at the
// addresses inside them, and a row of ARP has none.
var likeTcpdump = []struct{ expr, arp string }{
	{"tcp", ""}, {"udp", ""}, {"sctp", ""}, {"icmp", ""}, {"icmp6", ""}, {"arp", ""}, {"ip", ""}, {"ip6", ""},
	{"not tcp", ""}, {"! arp", ""}, {"not not udp", ""}, {"ip or arp", ""}, {"ip6 and not icmp6", ""},
	{"host 10.1.16.55", "ip host 10.1.16.55"},
	{"not host 10.1.16.55", "not ip host 10.1.16.55"},
	{"src 10.1.16.55", "ip src 10.1.16.55"},
	{"dst host 10.1.16.55", "ip dst host 10.1.16.55"},
	{"src or dst host 10.1.16.71", "ip host 10.1.16.71"},
	{"src and dst host 10.1.16.71", "ip src and dst host 10.1.16.71"},
	{"dst and src net 10.1", "ip dst and src net 10.1"},
	{"host 10.1.16.55 or 10.1.16.71", "ip host 10.1.16.55 or 10.1.16.71"},
	{"host 10.1.16.55 and not 10.1.16.71", "ip host 10.1.16.55 and not 10.1.16.71"},
	{"host 10.1.16.55 and (10.1.17.1 or 10.2.0.1)", "ip host 10.1.16.55 and (10.1.17.1 or 10.2.0.1)"},
	{"host (10.1.16.55 or 10.1.17.1)", "ip host (10.1.16.55 or 10.1.17.1)"},
	{"host not (10.1.16.55 or 10.1.17.1)", "ip host not (10.1.16.55 or 10.1.17.1)"},
	{"not host 10.1.16.55 or 10.1.17.1", "not ip host 10.1.16.55 or 10.1.17.1"},
	{"src 10.1.16.55 or dst 10.1.16.71 or 10.1.17.1", "ip src 10.1.16.55 or ip dst 10.1.16.71 or 10.1.17.1"},
	{"ip host 10.1.16.55", ""}, {"ip src host 10.1.16.55 or 10.2.0.1", ""},
	{"host fd00::1", ""}, {"ip6 dst fd00::1", ""}, {"host fd00::1 or 10.1.16.55", "ip6 host fd00::1 or ip host 10.1.16.55"},
	{"host ::ffff:10.1.16.55", ""},
	{"net 10.1", "ip net 10.1"}, {"net 10.1.16", "ip net 10.1.16"}, {"net 10", "ip net 10"}, {"net 10.1.16.0", "ip net 10.1.16.0"},
	{"net 10.1/16", "ip net 10.1/16"}, {"src net 10.1.16.0/24", "ip src net 10.1.16.0/24"},
	{"dst net 10.1.16.64/26", "ip dst net 10.1.16.64/26"}, {"net 192.168.0.0/16 or 10.2", "ip net 192.168.0.0/16 or 10.2"},
	{"src net 10.1 and dst net 10.1 or 10.2", "ip src net 10.1 and ip dst net 10.1 or 10.2"},
	{"net fd00::/16", ""}, {"ip6 src net fd00::/8", ""}, {"net ::/0", ""}, {"net fd00::1", ""},
	{"port 80", ""}, {"src port 443", ""}, {"dst port 9422", ""}, {"src and dst port 80", ""}, {"tcp port 80 or 443", ""},
	{"udp dst port 53", ""}, {"sctp port 7000", ""}, {"port (22 or 9422)", ""}, {"not port 22", ""}, {"tcp src port 22 and not dst port 80", ""},
	{"portrange 6800-7300", ""}, {"portrange 7300-6800", ""}, {"tcp dst portrange 6800-7300 or 80", ""}, {"src portrange 0-1023", ""},
	{"proto 6", ""}, {"proto 47", ""}, {"ip proto 6 or 17", ""}, {"ip6 proto 58", ""}, {"proto (6 or 132)", ""}, {`ip proto \udp`, ""},
	{"tcp or udp and host 10.1.16.55", "tcp or udp and ip host 10.1.16.55"},
	{"host 10.1.16.55 and tcp or udp", "ip host 10.1.16.55 and tcp or udp"},
	{"not tcp and not udp or port 9422", ""},
	{"not (tcp or udp)", ""}, {"(tcp or udp) and (port 80 or port 443) and not host 10.1.17.1", ""},
	{"tcp&&port 9422||udp&&!port 53", ""}, {"((((ip6))))", ""},
	{"net 10.1.16 and not (port 22 or icmp)", "ip net 10.1.16 and not (port 22 or icmp)"},
}

// A VLAN tag does not hide a packet from us: what tcpdump says of the packet
// without its tag, we say of the row with its VLAN.
func TestFilterLikeTcpdump(t *testing.T) {
	needTcpdump(t)
	frames := testFrames(200)
	hits := 0
	for _, tt := range likeTcpdump {
		f, err := ParseFilter(tt.expr)
		if err != nil {
			t.Errorf("%q: %v", tt.expr, err)
			continue
		}
		vm := mustCompile(t, tt.expr)
		canonical := mustCompile(t, f.String())
		arp := vm
		if tt.arp != "" {
			arp = mustCompile(t, tt.arp)
		}
		seen := map[bool]int{}
		for i := range frames {
			fr := &frames[i]
			ask := vm
			if fr.key.Family == FamilyMAC {
				ask = arp
			}
			got, want := matches(t, f, fr), accepts(t, ask, fr.plain)
			if got != want {
				t.Errorf("%q (%s) on %s: %v, tcpdump says %v", tt.expr, f, fr.name, got, want)
			}
			if a, b := accepts(t, vm, fr.plain), accepts(t, canonical, fr.plain); a != b {
				t.Errorf("%s: tcpdump says %v of %q and %v of its canonical form %q", fr.name, a, tt.expr, b, f)
			}
			seen[got]++
		}
		if seen[true] == 0 || seen[false] == 0 {
			t.Logf("%q: all frames %v", tt.expr, seen)
			continue
		}
		hits++
	}
	if hits < 70 { // else the frames do not tell the expressions apart
		t.Errorf("only %d of %d expressions match some frames and not others", hits, len(likeTcpdump))
	}
	t.Logf("%d expressions, %d frames", len(likeTcpdump), len(frames))
}

// With vlan in front tcpdump looks behind the tag, and means what we mean.
func TestFilterVLANLikeTcpdump(t *testing.T) {
	needTcpdump(t)
	frames := testFrames(200)
	for _, expr := range []string{"vlan", "vlan 5", "not vlan", "not vlan 7", "vlan 4095", "vlan and tcp", "vlan 5 and tcp port (80 or 443)",
		"vlan and ip host 10.1.16.55", "vlan 7 and not udp", "vlan and (ip6 or port 22)", "vlan and arp"} {
		f, err := ParseFilter(expr)
		if err != nil {
			t.Fatal(err)
		}
		vm := mustCompile(t, expr)
		seen := map[bool]int{}
		for i := range frames {
			fr := &frames[i]
			bytes := fr.plain
			if fr.tagged != nil {
				bytes = fr.tagged
			}
			got, want := matches(t, f, fr), accepts(t, vm, bytes)
			if got != want {
				t.Errorf("%q on %s: %v, tcpdump says %v", expr, fr.name, got, want)
			}
			seen[got]++
		}
		if seen[true] == 0 || seen[false] == 0 {
			t.Errorf("%q says the same of all frames: %v", expr, seen)
		}
	}
}

// Where we differ from tcpdump on purpose (docs/FILTER.md says why): both sides
// are checked, so that the list stays true.
func TestFilterDiffersFromTcpdump(t *testing.T) {
	needTcpdump(t)
	tagged := ipFrame(5, ProtoTCP, "10.1.16.55", "10.1.16.71", 80, 443)
	plain := ipFrame(0, ProtoTCP, "10.1.16.55", "10.1.16.71", 80, 443)
	arp := arpFrame(0, "10.1.16.55", "10.1.16.71")
	fragment := ipFrame(0, ProtoUDP, "10.1.16.55", "10.1.16.71", 80, 443)
	fragment.name, fragment.plain[14+7] = "later fragment", 100 // offset 800; the row is that of the first fragment
	options := ipFrame(0, ProtoTCP, "fd00::1", "fd00:10::2", 80, 443)
	options.name = "behind hop-by-hop options"
	options.plain[14+6] = 0 // next header: hop-by-hop options of eight bytes, then TCP
	options.plain = slices.Insert(options.plain, 54, ProtoTCP, 0, 1, 4, 0, 0, 0, 0)
	tests := []struct {
		expr          string
		frame         *testFrame
		ours, theirs  bool
		whyInDocument string
	}{
		{"host 10.1.16.55", &tagged, true, false, "tag"},
		{"not host 10.1.16.55", &tagged, false, true, "tag"},
		{"tcp port 80 or vlan 7", &tagged, true, false, "tag"},
		{"vlan 7 or port 80", &plain, true, false, "tag"}, // theirs: the port is looked for behind a tag that is not there
		{"vlan 5 and vlan 5", &tagged, true, false, "tag"},
		{"vlan 7 or tcp", &tagged, true, true, "tag"}, // theirs: shifted by the vlan that did not match
		{"tcp or vlan 7", &tagged, true, false, "tag"},
		{"host 10.1.16.55", &arp, false, true, "ARP"},
		{"net 10.1", &arp, false, true, "ARP"},
		{"port 80", &fragment, true, false, "fragment"},
		{"udp port 80", &fragment, true, false, "fragment"},
		{"tcp", &options, true, false, "extension headers"},
		{"tcp port 443", &options, true, false, "extension headers"},
	}
	doc, err := os.ReadFile("../docs/FILTER.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		f, err := ParseFilter(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		bytes := tt.frame.plain
		if tt.frame.tagged != nil {
			bytes = tt.frame.tagged
		}
		ours, theirs := matches(t, f, tt.frame), accepts(t, mustCompile(t, tt.expr), bytes)
		if ours != tt.ours || theirs != tt.theirs {
			t.Errorf("%q on %s: ours %v theirs %v, want %v %v", tt.expr, tt.frame.name, ours, theirs, tt.ours, tt.theirs)
		}
		if !strings.Contains(string(doc), tt.whyInDocument) {
			t.Errorf("docs/FILTER.md says nothing about %q", tt.whyInDocument)
		}
	}
}

func TestFilterRefusesLikeTcpdump(t *testing.T) {
	needTcpdump(t)
	tests := []struct {
		expr         string
		ours, theirs bool // is it accepted?
	}{
		{"10.1.16.55", false, false}, {"tcp and 80", false, false}, {"(host 10.1.16.55) or 10.1.16.71", false, false},
		{"host 10.1.16.55 or port 80 or 10.1.16.71", false, false}, {"host 10.1.16.55 and not (10.1.16.71 or port 80)", false, false},
		{"host 10.0.0.0/8", false, false}, {"src 10.0.0.0/8", false, false}, {"net 10.1.16.5/24", false, false}, {"net fd00::1/8", false, false},
		{"net 10.1/33", false, false}, {"tcp host 10.1.16.55", false, false}, {"icmp host 10.1.16.55", false, false}, {"ip port 80", false, false},
		{"ip host fd00::1", false, false}, {"ip6 host 10.1.16.55", false, false}, {"src proto 6", false, false}, {"port 70000", false, false},
		{"port 80-90", false, false}, {"src or src host 10.1.16.55", false, false}, {"vlan 4096", false, false}, {"vlan 5 or 6", false, false},
		{"tcp & udp", false, false}, {"tcp and", false, false}, {"()", false, false}, {"(tcp", false, false}, {"tcp)", false, false},
		{"host 10.1.16.55 10.1.16.71", false, false}, {"", true, true},
		// We take more: shorter forms that cannot be misread.
		{"net 10/8", true, false}, {"proto tcp", true, false}, {"class:storage", true, false}, {"nic:eth0", true, false}, {"ip and ip6", true, false},
		{"host 10.1.16.55 and vlan 5", true, false}, // it "rejects all packets" there: a host is not looked for behind a tag
		// We take less: what would be looked up, read in octal, or asks for what a row does not know.
		{"port ssh", false, true}, {"port 010", false, true}, {"host 10.1", false, true}, {"net 256", false, true}, {"vlan 0", false, true},
		{"proto 256", false, true}, {"arp host 10.1.16.55", false, true}, {"ether host 02:00:00:00:00:01", false, true}, {"greater 100", false, true},
		{"tcp[13] & 2 != 0", false, true}, {"net 10.1.0.0 mask 255.255.0.0", false, true}, {"broadcast", false, true},
	}
	for _, tt := range tests {
		_, ourErr := ParseFilter(tt.expr)
		_, theirErr := compile(tt.expr)
		if (ourErr == nil) != tt.ours || (theirErr == nil) != tt.theirs {
			t.Errorf("%q: our error %v (accepted: want %v), tcpdump's %v (accepted: want %v)", tt.expr, ourErr, tt.ours, theirErr, tt.theirs)
		}
	}
}
