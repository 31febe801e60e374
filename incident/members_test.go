package incident

import (
	"testing"

	"spiketop/flow"
	"spiketop/probe"
)

// group makes t the ping of a member, together with those of the same name.
func (s *sim) group(t *simTarget, member string) {
	if member == "" {
		return
	}
	t.Member, t.Group = s.link(member).ID, t.ID
	for _, o := range s.targets {
		if o.Name == t.Name {
			t.Group = o.ID
			break
		}
	}
}

// TestGatewayAskedByTheSameMember: whether a gateway is late alone is asked of the
// other target's ping by the same member, if it has one.
func TestGatewayAskedByTheSameMember(t *testing.T) {
	m := &Monitor{}
	ping := func(id, group probe.TargetID, member int) *target {
		p := &target{Target: probe.Target{ID: id, Group: group, Member: flow.LinkID(member)}}
		m.targets = append(m.targets, p)
		return p
	}
	gw, both0, both1 := ping(1, 1, 1), ping(2, 2, 1), ping(3, 2, 2)
	alone := ping(4, 0, 2)
	free := ping(5, 0, 0)
	for _, tc := range []struct {
		name string
		o    *target
		want bool
	}{{"the same member", both0, false}, {"the host has one by the same member", both1, true},
		{"the host has no other", alone, false}, {"not steered", free, false}} {
		if got := m.otherWay(gw, tc.o); got != tc.want {
			t.Errorf("%s: left out %v, want %v", tc.name, got, tc.want)
		}
	}
}
