package incident

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// manyFlows is a host with n TCP flows of its own on eth0, the first the largest,
// one of a guest and one of another address, which are larger.
func manyFlows(t *testing.T, n int) *player {
	p := &player{t: t}
	for _, line := range []string{"world eth0:10G eth1:10G", "own 10.1.16.165", "vif 023471 31 vm_a rx 0 tx 0", "target 10.1.16.55 via eth0 rtt 0.21ms", "tick 30s",
		"flow eth0 rx 10.1.16.90:1 10.1.16.165:9422 900M guest 023471", "flow eth0 rx 10.1.16.90:2 10.1.16.166:9422 900M"} {
		switch f := strings.Fields(line); f[0] {
		case "flow":
			p.flow(f[1:])
		default:
			p.play(f)
		}
	}
	for i := range n {
		p.link("eth0").addFlow(p.s, flow.Rx, fmt.Sprintf("10.1.17.%d:%d", i%250, 1000+i), "10.1.16.165:9422", 1e6-float64(i)*1e3, 0, 0)
	}
	p.s.run(time.Second)
	return p
}

func TestAsksForTheCulpritsFirst(t *testing.T) {
	p := manyFlows(t, 100)
	p.s.m.Freeze(p.s.now)
	o := p.s.m.Tick(p.s.now)
	if len(o.Asks) != 1 {
		t.Fatalf("%d asks, want 1", len(o.Asks))
	}
	// 50 rows of this direction, two of them not this host's.
	if got := len(o.Asks[0].Sockets); got != 48 {
		t.Errorf("asks for %d sockets, want 48", got)
	}
	for i, want := range []string{"10.1.16.165:9422<>10.1.17.0:1000", "10.1.16.165:9422<>10.1.17.1:1001"} {
		if got := socketText(o.Asks[0].Sockets[i]); got != want {
			t.Errorf("socket %d is %s, want %s", i, got, want)
		}
	}
	if o.Asks[0].ID != p.last().ID {
		t.Errorf("asks for %s, the incident is %s", o.Asks[0].ID, p.last().ID)
	}
}

func TestWantedIsBounded(t *testing.T) {
	p := manyFlows(t, 400)
	got := p.s.m.Wanted()
	if len(got) != maxWanted || socketText(got[0]) != "10.1.16.165:9422<>10.1.17.0:1000" {
		t.Errorf("%d wanted, first %s", len(got), socketText(got[0]))
	}
	p.s.m.Freeze(p.s.now)
	// Its 48 rows are among the 256 that are on top, and do not count against them.
	if got := len(p.s.m.Wanted()); got != 48+maxWanted {
		t.Errorf("%d wanted while an incident is open, want %d", got, 48+maxWanted)
	}
}

func TestTCPReadings(t *testing.T) {
	const ms = time.Millisecond
	s := flow.Socket{LocalPort: 1}
	bps := uint64(5e9)
	for _, tt := range []struct {
		name     string
		readings []flow.TCPInfo
		want     *TCPPart
		text     string
	}{
		{"none", nil, nil, ""},
		{"one", []flow.TCPInfo{{RTT: 2 * ms, MinRTT: ms, Retransmits: 12, DeliveryBps: bps}}, &TCPPart{RTT: millis(2), MinRTT: millis(1), Retransmissions: 12, DeliveryBps: &bps},
			"RTT 2.00 ms (lowest 1.00), 12 segments sent again since it began, delivers 5.00 Gbit/s"},
		{"not measured", []flow.TCPInfo{{}}, &TCPPart{}, "RTT unknown, nothing sent again since it began"},
		{"two", []flow.TCPInfo{{RTT: 2 * ms, Retransmits: 12}, {RTT: ms, Retransmits: 13}}, &TCPPart{RTT: millis(2), Retransmissions: 1, BetweenMs: millis(1500)},
			"RTT 2.00 ms, 1 segment sent again in 1.5 s"},
		{"another connection", []flow.TCPInfo{{RTT: 2 * ms, Retransmits: 12}, {RTT: ms, Retransmits: 3}}, &TCPPart{RTT: millis(2), Retransmissions: 12},
			"RTT 2.00 ms, 12 segments sent again since it began"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &collecting{id: "x"}
			m := &Monitor{open: []*collecting{{id: "y"}, c}}
			for i, r := range tt.readings {
				m.TCPInfo("x", simStart.Add(time.Duration(i)*1500*ms), map[flow.Socket]flow.TCPInfo{s: r})
			}
			got := c.tcp[s].part()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got != nil && got.text() != tt.text {
				t.Errorf("text %q, want %q", got.text(), tt.text)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name, local, vm, vif, process string
		long, short                   string
	}{
		{"process", "10.1.16.165:9422", "", "", "chunkserver[812]", "10.1.16.165:9422 (chunkserver)", "chunkserver:9422"},
		{"kernel", "[fd00::165]:3260", "", "", "kernel", "[fd00::165]:3260 (kernel)", "kernel:3260"},
		{"vm", "192.168.47.111:443", "vm_a", "023471", "", "192.168.47.111:443 (vm_a, 023471)", "vm_a:443"},
		{"vm, no port", "192.168.47.111", "vm_a", "023471", "", "192.168.47.111 (vm_a, 023471)", "vm_a"},
		{"vm, v6 without port", "fd00::111", "vm_a", "023471", "", "fd00::111 (vm_a, 023471)", "vm_a"},
		{"vif of nobody", "192.168.47.111:443", "", "023471", "", "192.168.47.111:443 (023471)", "192.168.47.111:443"},
		{"nobody", "10.1.16.165:22", "", "", "", "10.1.16.165:22", "10.1.16.165:22"},
		{"hostile", "10.1.16.165:22", "", "", "a\x1b[2J:b[1][7]", "10.1.16.165:22 (a\uFFFD[2J:b[1])", "a\uFFFD[2J_b[1]:22"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &BurstPart{Local: tt.local, VM: tt.vm, VIF: tt.vif, Process: tt.process}
			if got := p.namedLocal(); got != tt.long {
				t.Errorf("long %q, want %q", got, tt.long)
			}
			if got := p.shortLocal(); got != tt.short {
				t.Errorf("short %q, want %q", got, tt.short)
			}
		})
	}
}
