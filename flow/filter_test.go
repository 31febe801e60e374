package flow

import (
	"errors"
	"strings"
	"testing"
)

// What an expression means: the canonical form says how it was understood.
func TestParseFilter(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"blanks", " \t\n", ""},
		{"protocol", "tcp", "tcp"},
		{"type defaults to host", "src 10.0.0.1", "src host 10.0.0.1"},
		{"src or dst is the default", "src or dst host 10.0.0.1", "host 10.0.0.1"},
		{"src and dst", "dst and src port 80", "src and dst port 80"},
		{"qualifiers carry over", "host 10.0.0.1 or 10.0.0.2", "host 10.0.0.1 or host 10.0.0.2"},
		{"all of them do", "tcp dst port 80 or 443 and 8080", "tcp dst port 80 or tcp dst port 443 and tcp dst port 8080"},
		{"through not", "not host 10.0.0.1 or not 10.0.0.2", "not host 10.0.0.1 or not host 10.0.0.2"},
		{"into parentheses", "port (80 or 443)", "(port 80 or port 443)"},
		{"into later parentheses", "host 10.0.0.1 or (10.0.0.2 and not 10.0.0.3) or 10.0.0.4",
			"host 10.0.0.1 or (host 10.0.0.2 and not host 10.0.0.3) or host 10.0.0.4"},
		{"not behind the type", "host not (10.0.0.1 or 10.0.0.2)", "not (host 10.0.0.1 or host 10.0.0.2)"},
		{"the newest carry over", "host 10.0.0.1 or port 80 or 443", "host 10.0.0.1 or port 80 or port 443"},
		{"not binds tighter", "not tcp and udp", "not tcp and udp"},
		{"not of parentheses", "not (tcp or udp)", "not (tcp or udp)"},
		{"two nots", "not ! tcp", "tcp"},
		{"operators without blanks", "!tcp&&udp||icmp", "not tcp and udp or icmp"},
		{"superfluous parentheses", "(((tcp)))", "tcp"},
		{"net in short", "net 10.1", "net 10.1.0.0/16"},
		{"net in short with a length", "net 10.1/16", "net 10.1.0.0/16"},
		{"net of one octet", "net 10", "net 10.0.0.0/8"},
		{"net of a whole address", "net 10.1.16.0", "net 10.1.16.0/32"},
		{"IPv6", "src net fd00::/8 or host fd00::1", "src net fd00::/8 or host fd00::1"},
		{"IPv6 address as net", "net fd00::", "net fd00::/128"},
		{"range backwards", "portrange 7300-6800", "portrange 6800-7300"},
		{"range of one", "udp portrange 53", "udp portrange 53-53"},
		{"proto", `ip proto 47 or proto \tcp`, "ip proto 47 or proto 6"},
		{"vlan", "vlan and vlan 7", "vlan and vlan 7"},
		{"ours", "class:storage and nic:eth0", "class:storage and nic:eth0"},
		{"ours between tcpdump's", "not class:unknown or tcp port 22 and nic:bond0.7", "not class:unknown or tcp port 22 and nic:bond0.7"},
		{"as deep as may be", strings.Repeat("(", maxFilterDepth) + "tcp" + strings.Repeat(")", maxFilterDepth), "tcp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ParseFilter(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.String(); got != tt.want {
				t.Errorf("ParseFilter(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if again, err := ParseFilter(f.String()); err != nil || again.String() != f.String() {
				t.Errorf("read again: %q, %v, want %q", again, err, f)
			}
		})
	}
}

func TestParseFilterRefuses(t *testing.T) {
	const words = "not known here: want host, net, port, portrange, src, dst, ip, ip6, arp, tcp, udp, sctp, icmp, icmp6, proto, vlan, class:NAME, nic:NAME, vm:NAME or process:NAME"
	tests := []struct{ name, in, want string }{
		{"unknown word", "tcp and foo", `column 9: "foo": ` + words},
		{"ether is not offered", "ether host 02:00:00:00:00:01", `column 1: "ether": ` + words},
		{"a value without a word", "10.0.0.1", `column 1: "10.0.0.1": say what it is: host, net, port, portrange, proto or vlan`},
		{"nothing carries over from a protocol", "tcp and 80", `column 9: "80": say what it is: host, net, port, portrange, proto or vlan`},
		{"nor from parentheses", "(host 10.0.0.1) or 10.0.0.2", `column 20: "10.0.0.2": say what it is: host, net, port, portrange, proto or vlan`},
		{"the newest qualifiers", "host 10.0.0.1 or port 80 or 10.0.0.2", `column 29: "10.0.0.2": not a port (0-65535)`},
		{"no value", "host", "column 5: host of what?"},
		{"a word for a value", "host and tcp", `column 6: "and": not an address (names are not looked up)`},
		{"name", "host nc1", `column 6: "nc1": not an address (names are not looked up)`},
		{"service name", "port ssh", `column 6: "ssh": not a port (0-65535)`},
		{"host with a length", "host 10.0.0.0/8", `column 6: "10.0.0.0/8": host takes one address; a network is written net 10.1.16.0/24`},
		{"host in short", "host 10.1", `column 6: "10.1": not an address (names are not looked up)`},
		{"zone", "host fe80::1%eth0", `column 6: "fe80::1%eth0": not an address (names are not looked up)`},
		{"bits behind the length", "net 10.1.16.5/24", `column 5: "10.1.16.5/24": bits are set behind the network's length; the network is 10.1.16.0/24`},
		{"length", "net 10.1/33", `column 5: "10.1/33": not a length of 0 to 32 bits`},
		{"five octets", "net 1.2.3.4.5", `column 5: "1.2.3.4.5": not a network (10.1.16.0/24, 10.1/16, fd00::/8)`},
		{"octet", "net 256", `column 5: "256": not a network (10.1.16.0/24, 10.1/16, fd00::/8)`},
		{"octal", "port 010", `column 6: "010": not a port (0-65535)`},
		{"port", "tcp port 70000", `column 10: "70000": not a port (0-65535)`},
		{"range", "portrange 1-", `column 11: "1-": not a range of ports (6800-7300)`},
		{"proto", "proto 256", `column 7: "256": not an IP protocol (0-255)`},
		{"family", "ip host fd00::1", `column 9: "fd00::1": an address of the other family`},
		{"other family", "ip6 net 10/8", `column 9: "10/8": an address of the other family`},
		{"tcp host", "tcp host 10.0.0.1", `column 1: "tcp": cannot stand in front of host`},
		{"arp host", "arp src 10.0.0.1", `column 1: "arp": cannot stand in front of host`},
		{"ip port", "ip port 80", `column 1: "ip": cannot stand in front of port`},
		{"src proto", "src proto 6", `column 5: "proto": src and dst say nothing about a protocol`},
		{"half a direction", "src or host 10.0.0.1", `column 5: "or": src needs a host, net or port first`},
		{"src twice", "src or src host 10.0.0.1", `column 5: "or": src needs a host, net or port first`},
		{"vlan", "vlan 4096", `column 6: "4096": not a VLAN (1-4095)`},
		{"vlan 0", "vlan 0", `column 6: "0": not a VLAN (1-4095); what has none is not vlan`},
		{"vlan carries nothing", "vlan 5 or 6", `column 11: "6": say what it is: host, net, port, portrange, proto or vlan`},
		{"class", "class:bulk", `column 1: "class:bulk": no such class; there are ` + strings.Join(ClassNames(), ", ")},
		{"bad process", "process:a,b", `column 1: "process:a,b": not a process name: want letters, digits, - _ and . (chunkserver)`},
		{"no guest", "tcp and vm:", `column 9: "vm:": vm of what?`},
		{"no class", "class:", `column 1: "class:": class of what?`},
		{"ends with an operator", "tcp and", "column 8: something is missing here"},
		{"begins with one", "or tcp", `column 1: "or": expected a test before it`},
		{"empty parentheses", "tcp and ()", `column 10: ")": expected a test before it`},
		{"open parenthesis", "(tcp or udp", "column 12: expected and, or, or the ) of column 1"},
		{"too many closed", "tcp)", `column 4: ")": expected and, or, or the end`},
		{"two tests in a row", "host 10.0.0.1 10.0.0.2", `column 15: "10.0.0.2": expected and, or, or the end`},
		{"one ampersand", "tcp & udp", `column 5: "&": expected and, or, or the end`},
		{"columns are characters", "tcp and 存储 or x", `column 9: "\u5b58\u50a8": ` + words},
		{"escape sequence", "\x1b[2J", `column 1: "\x1b[2J": ` + words},
		{"too deep", strings.Repeat("(", maxFilterDepth+1), `column 51: "(": more than 50 parentheses in one another`},
		{"too deep behind host", "host " + strings.Repeat("(", 2000), `column 56: "(": more than 50 parentheses in one another`},
		{"too long", strings.Repeat("!", MaxFilter+1), "column 1: the filter is longer than 4096 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ParseFilter(tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("ParseFilter(%.80q) = %q, %v\nwant %s", tt.in, f, err, tt.want)
			}
			var fe *FilterError
			if !errors.As(err, &fe) || fe.Column < 1 {
				t.Errorf("%v is no FilterError with a column", err)
			}
		})
	}
}

// A row has two directions: src is who sends in the one that is asked about.
func TestFilterDirections(t *testing.T) {
	k := ipKey(ProtoTCP, "10.0.0.1:9422", "10.0.0.2:40112")
	k.VLAN = 7
	tests := []struct {
		in     string
		rx, tx bool
	}{
		{"src host 10.0.0.2", true, false},
		{"src host 10.0.0.1", false, true},
		{"dst 10.0.0.1", true, false},
		{"dst port 9422", true, false},
		{"src port 9422", false, true},
		{"src and dst net 10", true, true},
		{"src and dst host 10.0.0.1", false, false},
		{"host 10.0.0.1", true, true},
		{"not src host 10.0.0.1", true, false},
		{"class:storage", true, true},
		{"class:vif", false, false},
		{"nic:eth0", true, true},
		{"nic:eth", false, false},
		{"vlan", true, true},
		{"vlan 7 and port 9422", true, true},
		{"vlan 8", false, false},
		// Equal precedence, left to right: (a or b) and c, where C would say a or (b and c).
		{"tcp or udp and icmp", false, false},
		{"icmp and udp or tcp", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			f, err := ParseFilter(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if rx, tx := f.Match(&k, Rx, Storage, "eth0"), f.Match(&k, Tx, Storage, "eth0"); rx != tt.rx || tx != tt.tx {
				t.Errorf("Match rx %v tx %v, want %v %v", rx, tx, tt.rx, tt.tx)
			}
			if n := testing.AllocsPerRun(100, func() { f.Match(&k, Rx, Storage, "eth0") }); n != 0 {
				t.Errorf("Match allocates %v times", n)
			}
		})
	}
	var all *Filter
	if !all.Match(&k, Rx, Unknown, "") {
		t.Error("a nil Filter does not match everything")
	}
}

func TestFilterNames(t *testing.T) {
	k := ipKey(ProtoTCP, "10.0.0.1:9422", "10.0.0.2:40112")
	guest := FilterRow{Key: &k, Guest: "vm_a", VIF: "023471"}
	own := FilterRow{Key: &k, Process: "curvebs-chunkse"}
	for _, tt := range []struct {
		in                   string
		guest, own, stranger bool
	}{
		{"vm:vm_a", true, false, false},
		{"vm:023471", true, false, false},
		{"vm:vm_", false, false, false},
		{"not vm:vm_a", false, true, true},
		{"process:curvebs-chunkserver", false, true, false},
		{"process:curve*", false, true, false},
		{"process:curvebs", false, false, false},
		{"vm:vm_a or process:curve* and port 9422", true, true, false},
	} {
		f, err := ParseFilter(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseFilter(f.String()); err != nil || again.String() != tt.in {
			t.Errorf("%q is written %q, %v", tt.in, again, err)
		}
		stranger := FilterRow{Key: &k}
		if g, o, s := f.MatchRow(&guest), f.MatchRow(&own), f.MatchRow(&stranger); g != tt.guest || o != tt.own || s != tt.stranger {
			t.Errorf("%q: guest %v, process %v, stranger %v, want %v, %v, %v", tt.in, g, o, s, tt.guest, tt.own, tt.stranger)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{"", "host 10.0.0.1 or 10.0.0.2", "not (tcp port (80 or 443)) && !udp", "src or dst net 10.1/16", "vlan 5 and vlan",
		"class:storage||nic:eth0", "((((", "portrange 7-1", `proto \tcp`, "ip6 net fd00::/8", "host \xff"} {
		f.Add(s)
	}
	keys := []Key{ipKey(ProtoTCP, "10.1.0.1:80", "10.0.0.2:40112"), ipKey(ProtoUDP, "[fd00::1]:53", "[2001:db8::2]:7"), macKey(0x0806, [6]byte{2}, [6]byte{4})}
	f.Fuzz(func(t *testing.T, s string) {
		first, err := ParseFilter(s)
		if err != nil {
			var fe *FilterError
			if !errors.As(err, &fe) || fe.Column < 1 || fe.Column > len(s)+1 || len(err.Error()) > 600 {
				t.Errorf("ParseFilter(%q): odd error %v", s, err)
			}
			return
		}
		text := first.String()
		if len(text) > MaxFilter {
			return // carried over qualifiers make it longer than what may be typed
		}
		again, err := ParseFilter(text)
		if err != nil || again.String() != text {
			t.Fatalf("%q became %q, read again %q, %v", s, text, again, err)
		}
		for i := range keys {
			for _, d := range Directions {
				if a, b := first.Match(&keys[i], d, Storage, "eth0"), again.Match(&keys[i], d, Storage, "eth0"); a != b {
					t.Errorf("%q matches %v, its canonical form %q %v", s, a, text, b)
				}
			}
		}
	})
}
