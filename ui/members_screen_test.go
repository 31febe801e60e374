package ui

import (
	"strings"
	"testing"
	"time"

	"spiketop/incident"
	"spiketop/probe"
)

// then changes what k makes a little further.
func (k fake) then(change func(*incident.Frame)) fake {
	old := k.change
	k.change = func(f *incident.Frame) {
		if old != nil {
			old(f)
		}
		change(f)
	}
	return k
}

// steered lets the first target have a ping by each of two members; a second
// target follows, with one.
func steered(k fake) fake {
	k.targets = 3
	return k.then(func(f *incident.Frame) {
		for i := range 2 {
			p := &f.Pings[i]
			p.Target.Name, p.Target.Addr, p.Target.Reason = f.Pings[0].Target.Name, f.Pings[0].Target.Addr, "--ping"
			p.Target.Group, p.Target.Member, p.Member = f.Pings[0].Target.ID, f.Links[i].Link.ID, f.Links[i].Link.Name
		}
		f.Pings[1].Stats.Last, f.Pings[1].Stats.P99 = 198*time.Microsecond, 310*time.Microsecond
		f.Pings[2].Stats.Loss = 0.002
		if f.Frozen != nil {
			in := *f.Frozen
			second := in.Pings[0]
			rtt, usual := incident.Millis(0.34), incident.Millis(0.20)
			second.Member, second.Lost, second.RTTMax, second.Baseline = "eth1", 0, &rtt, &usual
			in.Pings = append(append([]incident.PingPart(nil), in.Pings...), second)
			f.Frozen = &in
		}
	})
}

// memberOut lets the second member's ping rest.
func memberOut(k fake) fake {
	return k.then(func(f *incident.Frame) {
		f.Pings[1].Target.Trouble = "not in use now"
		for z := range f.Strips {
			for c := range f.Strips[z].Cells {
				if c > 200 {
					f.Strips[z].Cells[c].Pings[1] = incident.PingCell{Worst: probe.None}
				}
			}
		}
	})
}

func unsteered(k fake) fake {
	return k.then(func(f *incident.Frame) {
		for i := range f.Pings {
			f.Pings[i].Target.CannotSteer = "only the active member sends"
		}
	})
}

// TestNextTargetIsTheNextHost: the pings of one host are shown together, so the
// key goes to the next host.
func TestNextTargetIsTheNextHost(t *testing.T) {
	m := newModel(0, nothing())
	m.frame(steered(fake{links: 2}).frame(0), testWall)
	for _, want := range []string{"2001:db8:40:7::9", "10.1.16.55"} {
		press(m, 'v', testWall)
		if !strings.Contains(m.v.Message, want) || m.v.Shown().Target.Name != want {
			t.Errorf("message %q, shown %s; want %s", m.v.Message, m.v.Shown().Target.Name, want)
		}
	}
	if m.v.Hosts() != 2 {
		t.Errorf("%d hosts, want 2", m.v.Hosts())
	}
}
