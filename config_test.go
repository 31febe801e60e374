package main

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/flow"
)

const goodConfig = `# what this host is
storage:
  - 9422
  - 10.1.17.0/24
  - ceph-osd
  - port: [6800-7568, 3300]
    cidr: 10.1.16.0/24
classes:
  - name: backup
    letter: B
    rules:
      - {port: 873, process: rsync}
      - vm: "backup vm"
        proto: tcp
  - name: control
    rules:
      - vlan: 0
        nic: bond0
  - name: watchers
    letter: W
    rules:
      - label: monitoring
      - mac: 52:54:00:01:02:03
      - vif: [023471, vnet0]
vifs:
  023471: vm_a
  vnet0: "db: 1"
link-speed:
  eth0: 25G
ping:
  - 10.1.16.55
  - gw
`

func TestParseConfig(t *testing.T) {
	got, err := parseConfig("/etc/spiketop.yaml", []byte(goodConfig))
	if err != nil {
		t.Fatal(err)
	}
	backup, _ := flow.ClassNamed("backup")
	watchers, _ := flow.ClassNamed("watchers")
	if backup.Letter() != 'B' || watchers.String() != "watchers" || backup == watchers {
		t.Errorf("classes %v %c, %v %c", backup, backup.Letter(), watchers, watchers.Letter())
	}
	network := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	want := config{path: "/etc/spiketop.yaml", vifs: map[string]string{"023471": "vm_a", "vnet0": "db: 1"},
		linkSpeed: map[string]uint64{"eth0": 25e9}, pings: []string{"10.1.16.55", "gw"},
		rules: []flow.Rule{
			{Class: flow.Storage, Text: "port 9422", Why: "port 9422 (spiketop.yaml:3)", Ports: []flow.PortRange{{Lo: 9422, Hi: 9422}}},
			{Class: flow.Storage, Text: "in 10.1.17.0/24", Why: "in 10.1.17.0/24 (spiketop.yaml:4)", Prefixes: network("10.1.17.0/24")},
			{Class: flow.Storage, Text: "process ceph-osd", Why: "process ceph-osd (spiketop.yaml:5)", Processes: []string{"ceph-osd"}},
			{Class: flow.Storage, Text: "port 6800-7568 or 3300, in 10.1.16.0/24", Why: "port 6800-7568 or 3300, in 10.1.16.0/24 (spiketop.yaml:6)",
				Ports: []flow.PortRange{{Lo: 6800, Hi: 7568}, {Lo: 3300, Hi: 3300}}, Prefixes: network("10.1.16.0/24")},
			{Class: backup, Text: "port 873, process rsync", Why: "port 873, process rsync (spiketop.yaml:12)",
				Ports: []flow.PortRange{{Lo: 873, Hi: 873}}, Processes: []string{"rsync"}},
			{Class: backup, Text: "backup vm, tcp", Why: "backup vm, tcp (spiketop.yaml:13)", Guests: []string{"backup vm"}, Protos: []uint8{6}},
			{Class: flow.Control, Text: "VLAN 0, on bond0", Why: "VLAN 0, on bond0 (spiketop.yaml:17)", VLANs: []uint16{0}, NICs: []string{"bond0"}},
			{Class: watchers, Text: "label monitoring", Why: "label monitoring (spiketop.yaml:22)", Labels: []string{"monitoring"}},
			{Class: watchers, Text: "MAC 52:54:00:01:02:03", Why: "MAC 52:54:00:01:02:03 (spiketop.yaml:23)", MACs: [][6]byte{{0x52, 0x54, 0, 1, 2, 3}}},
			{Class: watchers, Text: "vif 023471 or vnet0", Why: "vif 023471 or vnet0 (spiketop.yaml:24)", VIFs: []string{"023471", "vnet0"}},
		}}
	samePrefix := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(config{}), samePrefix); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, empty := range []string{"", "# nothing\n", "storage:\n", "---\n"} {
		if c, err := parseConfig("f", []byte(empty)); err != nil || len(c.rules) > 0 {
			t.Errorf("parseConfig(%q) = %+v, %v", empty, c, err)
		}
	}
}

func TestParseConfigRefuses(t *testing.T) {
	const ruleForms = "want a rule: a map with port, proto, cidr, process, vlan, nic, mac, vm, vif, label; or in short a port, network or process"
	tests := []struct{ name, in, want string }{
		{"unknown key", "storage:\n  - 9422\nstorages: 1\n", `3:1: unknown key "storages"; there are storage, classes, vifs, link-speed, ping`},
		{"unknown key of a rule", "storage:\n  - port: 9422\n    ports: 1\n", `3:5: unknown key "ports"; there are port, proto, cidr, process, vlan, nic, mac, vm, vif, label`},
		{"unknown key of a rule, flow style", "storage: [{port: 9422, host: 1}]\n", `1:24: unknown key "host"; there are port, proto, cidr, process, vlan, nic, mac, vm, vif, label`},
		{"unknown key of a class", "classes:\n  - name: x\n    colour: red\n", `3:5: unknown key "colour"; there are name, letter, rules`},
		{"two keys in one", "\"storage classes\": 1\n", `1:1: unknown key "storage classes"; there are storage, classes, vifs, link-speed, ping`},
		{"bad port", "storage:\n  - port: 94222\n", `2:11: port "94222": want a port of 1-65535, or a range of them as 6800-7568`},
		{"bad port in a list", "storage:\n  - port: [1, 2, x]\n", `2:18: port "x": want a port of 1-65535, or a range of them as 6800-7568`},
		{"bad short rule", "storage:\n  - 9422\n  - 10.1.16.300\n", `3:5: "10.1.16.300": want a port (9422), a range of ports (6800-7568), a network (10.1.16.0/24, fd00::/8), an address or the name of a process (chunkserver)`},
		{"bad network", "storage:\n  - {cidr: 10.1.16.0/33}\n", `2:12: cidr "10.1.16.0/33": not a network: want a form like 10.1.16.0/24 or fd00::/8`},
		{"bad process", "storage:\n  - process: \"a b\"\n", `2:14: process "a b": not a process name: want letters, digits, - _ and . (chunkserver)`},
		{"bad VLAN", "storage:\n  - vlan: 4096\n", `2:11: vlan "4096": want 1-4095, or 0 for what has no tag`},
		{"bad MAC", "storage:\n  - mac: 52:54\n", `2:10: mac "52:54": want a form like 52:54:00:12:34:56`},
		{"bad label", "storage:\n  - label: log\n", `2:12: label "log": there are monitoring, logs`},
		{"bad protocol", "storage:\n  - proto: tpc\n", `2:12: proto "tpc": want tcp, udp, sctp, icmp, icmp6 or a number of 0-255`},
		{"a condition without a value", "storage:\n  - port:\n", `2:11: want a value`},
		{"an empty list", "storage:\n  - port: []\n", `2:11: the list is empty`},
		{"a list in a list", "storage:\n  - - 9422\n", "2:5: " + ruleForms},
		{"an empty rule", "storage:\n  - {}\n", `2:5: a rule needs a condition`},
		{"a rule that is nothing", "storage:\n  -\n", "2:5: " + ruleForms},
		{"not a list", "storage: 9422\n", `1:10: want a list of rules`},
		{"not a map", "- storage\n", `1:1: want a map with storage, classes, vifs, link-speed, ping`},
		{"a word", "storage\n", `1:1: want a map with storage, classes, vifs, link-speed, ping`},
		{"key twice", "storage: [1]\nping: [a]\nstorage: [2]\n", `3:1: mapping key "storage" already defined at [1:1]`},
		{"class without a name", "classes:\n  - rules: [1]\n    letter: B\n", `2:5: a class has a name and rules`},
		{"class without rules", "classes:\n  - name: backup\n    letter: B\n", `2:11: a class has a name and rules`},
		{"bad class name", "classes:\n  - name: Backup\n    letter: B\n    rules: [1]\n", `2:11: class "Backup": a name has 1 to 16 of a-z, 0-9 and -, and begins with a letter`},
		{"letter of a built-in class", "classes:\n  - name: backup\n    letter: S\n    rules: [1]\n", `2:11: class backup: the letter S belongs to class storage`},
		{"no letter", "classes:\n  - name: nobody\n    rules: [1]\n", `2:11: class nobody: its letter is to be one of A-Z`},
		{"long letter", "classes:\n  - name: backup\n    letter: BB\n    rules: [1]\n", `3:13: "BB": want a letter of A-Z`},
		{"another letter for a built-in class", "classes:\n  - name: host\n    letter: X\n    rules: [1]\n", `2:11: class host: its letter is H`},
		{"class twice", "classes:\n  - {name: a, letter: A, rules: [1]}\n  - {name: a, letter: B, rules: [1]}\n", `3:12: class a stands here twice`},
		{"letter twice", "classes:\n  - {name: a, letter: A, rules: [1]}\n  - {name: b, letter: A, rules: [1]}\n", `3:12: class b: the letter A belongs to class a`},
		{"bad rate", "link-speed:\n  eth0: fast\n", `2:9: "fast" is not a rate between 1k and 100T`},
		{"bad target", "ping: [10.0.0.1, 0.0.0.0]\n", `1:18: "0.0.0.0": not the address of a host`},
		{"a guest with control characters", "vifs:\n  vnet0: \"a\\x1bb\"\n", `2:10: want a value: 1 to 256 printable characters`},
		{"tab", "storage:\n\t- 9422\n", `2:1: found character ' ' that cannot start any token`},
		{"alias", "a: &x [1]\nstorage: *x\n", `1:1: unknown key "a"; there are storage, classes, vifs, link-speed, ping`},
		{"anchor", "storage: &x [1]\n", `1:10: want a list of rules`},
		{"anchored value", "ping: [&x gw, *x]\n", `1:8: anchors, aliases, tags and merge keys are not read here`},
		{"tag", "ping: [!!str gw]\n", `1:8: anchors, aliases, tags and merge keys are not read here`},
		{"merge key", "storage:\n  - <<: {port: 1}\n", `2:5: anchors, aliases, tags and merge keys are not read here`},
		{"two documents", "ping: [a]\n---\nping: [b]\n", `3:1: a second document`},
		{"columns are characters", "storage: [存储, \"x y\"]\n", `1:11: "\u5b58\u50a8": want a port (9422), a range of ports (6800-7568), a network (10.1.16.0/24, fd00::/8), an address or the name of a process (chunkserver)`},
		{"columns behind wide ones", "vifs: {存储: vm_a, x: [1]}\n", `1:21: want a value`},
		{"deep", "storage: " + strings.Repeat("[", 9), `1:18: more than 8 brackets in one another`},
		{"deep over lines", "storage:\n" + strings.Repeat("[\n", 9), `10:1: more than 8 brackets in one another`},
		{"long line", "storage: # " + strings.Repeat("x", 600), `1:513: the line is longer than 512 bytes`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parseConfig("f.yaml", []byte(tt.in))
			if err == nil || err.Error() != "f.yaml:"+tt.want {
				t.Errorf("parseConfig = %+v\n%v\nwant f.yaml:%s", c, err, tt.want)
			}
			var ce *configError
			if !errors.As(err, &ce) {
				t.Errorf("%T is no *configError", err)
			}
		})
	}
}

func TestReadConfig(t *testing.T) {
	dir := t.TempDir()
	big, fifo := filepath.Join(dir, "big.yaml"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(big, []byte(strings.Repeat("#\n", maxConfig/2+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{big: "longer than 65536 bytes", fifo: "not a file", dir: "not a file", filepath.Join(dir, "none"): "no such file"} {
		if _, err := readConfig(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if c, err := readConfig(""); err != nil || c.path != "" {
		t.Errorf("no file: %+v, %v", c, err)
	}
}

func TestConfigPath(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "spiketop.yaml")
	getenv := func(k string) string { return map[string]string{"XDG_CONFIG_HOME": dir}[k] }
	if got := configPath("given", getenv); got != "given" {
		t.Errorf("named: %s", got)
	}
	if got := configPath("", getenv); got == own {
		t.Errorf("a file that does not exist: %s", got)
	}
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := configPath("", getenv); got != own {
		t.Errorf("own file: %q, want %s", got, own)
	}
}

func TestNamedGuests(t *testing.T) {
	list := []flow.GuestNIC{{Name: "023471", Guest: "instance-0007", Source: "fdinfo"}, {Name: "vnet0"}, {Name: "vnet1", Guest: "vm_c"}}
	got := namedGuests(list, map[string]string{"023471": "vm_a", "vnet0": "vm_b", "gone": "x"})
	want := []flow.GuestNIC{{Name: "023471", Guest: "vm_a", Source: "fdinfo, configuration file"}, {Name: "vnet0", Guest: "vm_b", Source: "configuration file"}, {Name: "vnet1", Guest: "vm_c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if list[0].Guest != "instance-0007" {
		t.Error("the list of somebody else was changed")
	}
	if diff := cmp.Diff(want, namedGuests(got, map[string]string{"023471": "vm_a"})); diff != "" {
		t.Errorf("twice (-want +got):\n%s", diff)
	}
}

// Any bytes are read or refused with a place inside the text, soon.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	for _, s := range []string{"storage: [1", "? a\n: b", "a: |\n  x\n", "- - - -", "{[{[", "'", "\"\\x", "&a *a", "<<: {}", "%YAML 1.2\n---\n", "storage:\n\t- 1", "ping: !!binary x", "\xff\xfe", "\r\nping: [a]\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxConfig {
			return
		}
		begin := time.Now()
		c, err := parseConfig("f", text)
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%v for %d bytes", took, len(text))
		}
		if err == nil {
			for i := range c.rules {
				if c.rules[i].Why == "" || len(c.rules[i].Why) > 1024 {
					t.Errorf("reason %q", c.rules[i].Why)
				}
			}
			return
		}
		var ce *configError
		if !errors.As(err, &ce) || ce.line < 1 || ce.column < 1 {
			t.Errorf("parseConfig(%q): odd error %v", text, err)
		}
	})
}

// The example of the document is a file that can be read.
func TestConfigOfDocument(t *testing.T) {
	text, err := os.ReadFile("docs/CLASSES.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("docs/CLASSES.md has no example")
	}
	c, err := parseConfig("docs/CLASSES.md", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.rules) != 8 || c.vifs["023471"] != "vm_a" || c.linkSpeed["eth0"] != 25e9 || len(c.pings) != 1 {
		t.Errorf("the example is read as %+v", c)
	}
	for _, key := range strings.Split(ruleKeys, ", ") {
		if !strings.Contains(string(text), "| `"+key+"` |") {
			t.Errorf("docs/CLASSES.md does not explain the condition %s", key)
		}
	}
}
