package incident

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"spiketop/flow"
)

func TestServerSide(t *testing.T) {
	rules := []flow.Rule{{Class: flow.Host, Ports: []flow.PortRange{{Lo: 1, Hi: 65535}}}, {Class: flow.Storage, Ports: []flow.PortRange{{Lo: 9422, Hi: 9422}}}, {Class: flow.Storage, Ports: []flow.PortRange{{Lo: 49152, Hi: 49160}}}}
	key := func(local, remote uint16) flow.Key {
		return flow.Key{Family: flow.FamilyIPv4, Proto: flow.ProtoTCP, LocalPort: local, RemotePort: remote}
	}
	tests := []struct {
		name string
		key  flow.Key
		want int
	}{
		{"a rule names the local port", key(9422, 40112), serverHere},
		{"a rule names the remote port", key(40112, 9422), serverThere},
		{"a rule names a port in the range of clients", key(1019, 49152), serverThere},
		{"both: servers talk", key(9422, 9422), serverUnknown},
		{"no rule, the lower port is not a client's", key(3260, 51000), serverHere},
		{"no rule, the other way", key(51000, 3260), serverThere},
		{"no rule, two clients' ports", key(51000, 52000), serverUnknown},
		{"no rule, two low ports", key(80, 700), serverUnknown},
		{"no rule, the built-in table knows one of two low ports", key(2049, 700), serverHere},
		{"no ports", flow.Key{Family: flow.FamilyMAC, LocalPort: 0x88a2}, serverUnknown},
	}
	for _, tt := range tests {
		if got := serverSide(&tt.key, rules); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestRatioOf(t *testing.T) {
	tests := []struct {
		name           string
		in, out, links float64
		want           string
	}{
		{"three replicas", 1e6, 2e6, 10e6, "2.0"},
		{"one byte too few", 999_999, 2e6, 10e6, "?"},
		{"under 1 % of the links", 1e6, 2e6, 301e6, "?"},
		{"just 1 % of the links", 1e6, 2e6, 300e6, "2.0"},
		{"nothing out", 1e6, 0, 10e6, "0"},
		{"nothing in", 0, 2e6, 10e6, "?"},
	}
	for _, tt := range tests {
		if got := factor(ratioOf(tt.in, tt.out, tt.links)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestRefined: an open incident knows nothing of a vif in its window at first,
// and more with every reading, until they lie behind the window.
func TestRefined(t *testing.T) {
	p := &player{t: t}
	for _, c := range []string{"world eth0:40M", "flow eth0 rx 10.1.16.71:40112 10.1.16.165:9422 20M", "vif 023471 17 vm_a rx 2M tx 1M", "disk vm_a read 0 write 1M",
		"target 10.1.16.55 via eth0 rtt 0.21ms", "tick 29500ms", "readings off", "tick 1s", "ping 10.1.16.55 rtt 150ms x1", "tick 300ms"} {
		p.play(fields(c))
	}
	in := p.last()
	if len(in.VIFs) != 0 || in.VIFSum != nil || in.Storage != nil || !in.Open {
		t.Errorf("without a reading in the window: %d vifs, sum %+v, storage %+v", len(in.VIFs), in.VIFSum, in.Storage)
	}
	p.play(fields("readings on"))
	p.play(fields("tick 500ms")) // over 31 s
	again := p.last()
	if !again.Open || len(again.VIFs) != 1 || again.VIFSum == nil || len(again.Storage.FedBy) != 1 {
		t.Fatalf("after a reading: open %v, %d vifs, storage %+v", again.Open, len(again.VIFs), again.Storage)
	}
	if len(in.VIFs) != 0 {
		t.Error("what was published has changed")
	}
	if v := again.VIFs[0]; Rate(v.RxBps) != "2.00M" || Rate(v.TxBps) != "1.00M" || v.VM != "vm_a" {
		t.Errorf("vif %+v", v)
	}
}

// TestIfindexOfAnother: an ifindex that the World gives to another name is
// another vif; neither gets what the other one carried.
func TestIfindexOfAnother(t *testing.T) {
	m := NewMonitor(Config{}, simStart, &flow.World{Generation: 1})
	world := func(n uint64, list ...flow.GuestNIC) { m.SetWorld(simStart, &flow.World{Generation: n, Guests: list}) }
	read := func(s float64, rx uint64) { m.GuestNICs([]flow.GuestNICCounters{{At: at(s), Ifindex: 7, RxBytes: rx}}) }
	read(0, 100) // before anybody knows its name
	read(1, 200)
	world(2, flow.GuestNIC{Name: "023471", Ifindex: 7, Guest: "vm_a"})
	read(2, 300)
	world(3, flow.GuestNIC{Name: "023471", Ifindex: 7, Guest: "vm_a2"}) // its VM was renamed
	world(4, flow.GuestNIC{Name: "023480", Ifindex: 7, Guest: "vm_x"})
	read(3, 5000)
	read(4, 6000)
	world(5) // gone
	got := map[string]float64{}
	for _, v := range m.guests.named() {
		g := v.sum(func(t *tally) growth { return t.between(at(0), at(9)) })
		got[v.name+" "+v.vm] = g.n[rxBytes]
	}
	if len(got) != 2 || got["023471 vm_a2"] != 200 || got["023480 vm_x"] != 1000 {
		t.Errorf("%v, want 200 of 023471 and 1000 of 023480", got)
	}
}

// TestNoChainToTheSame: the answer on the same connection, and what goes back to
// where it came from, are no replicas, however well they agree.
func TestNoChainToTheSame(t *testing.T) {
	for _, out := range []string{"10.1.16.165:9422 10.1.16.71:40112", "10.1.16.165:41822 10.1.16.71:9422"} {
		p := &player{t: t}
		for _, c := range []string{"world eth0:80M", "rule storage 9422", "flow eth0 rx 10.1.16.71:40112 10.1.16.165:9422 20M wobble 60%",
			"follow eth0 tx " + out + " of 1 x1", "target 10.1.16.55 via eth0 rtt 0.21ms", "tick 30s", "ping 10.1.16.55 rtt 150ms x1", "tick 10s"} {
			p.play(fields(c))
		}
		if c := p.last().Storage.Chains; len(c) != 0 {
			t.Errorf("%s: chain %s", out, c[0].text())
		}
	}
}

// TestCarriedStale: a sum of vifs that were read seconds ago is not shown as
// what they carry now.
func TestCarriedStale(t *testing.T) {
	p := &player{t: t}
	for _, c := range []string{"world eth0:80M", "vif 023471 17 vm_a rx 2M tx 1M", "tick 3s"} {
		p.play(fields(c))
	}
	if c := p.s.m.Frame(p.s.now).Carried; c.VIFs != 1 || Rate(c.VIF[flow.Rx]) != "2.00M" || c.Share == c.Share {
		t.Errorf("carried %+v, want one vif, and no share of links that carry nothing", c)
	}
	if c := p.s.m.Frame(p.s.now.Add(5 * time.Second)).Carried; c.VIFs != 0 || c.VIF != [2]float64{} {
		t.Errorf("5 s later: %+v", c)
	}
}

func fields(s string) []string { return strings.Fields(s) }

// BenchmarkGuestParts is what storage, 500 vifs and 500 VMs add to one picture of
// an incident on a host with 3500 storage flows in every slot of both links.
func BenchmarkGuestParts(b *testing.B) {
	s := busySim(3500)
	rule, err := flow.ParseRule(flow.Storage, "9422")
	if err != nil {
		b.Fatal(err)
	}
	s.newWorld(func(w *flow.World) { w.Rules = []flow.Rule{rule} })
	for _, l := range s.links {
		l.addFlow(s, flow.Tx, "10.1.16.165:41822", "10.1.16.72:9422", 1e9, 0.5, 0)
		l.addFlow(s, flow.Rx, "10.1.16.71:40112", "10.1.16.165:9422", 1e9, 0.5, 0)
	}
	for i := range 500 {
		s.guests.vifs = append(s.guests.vifs, &simVIF{name: fmt.Sprint("vif", i), ifindex: i, rate: [2]float64{1e6, 1e6}})
		s.guests.disks = append(s.guests.disks, &simDisk{vm: fmt.Sprint("vm", i), rate: [2]float64{1e6, 1e6}})
	}
	s.guestWorld()
	s.run(34 * time.Second)
	s.m.Freeze(s.now)
	c := s.m.open[0]
	to, _ := c.window(s.m.now)
	bl := &builder{m: s.m, c: c, to: to, sums: s.m.gather(c, to)}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		bl.guestParts(&Incident{})
	}
}
