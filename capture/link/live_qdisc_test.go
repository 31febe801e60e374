package link

import (
	"encoding/json"
	"net"
	"testing"

	"spiketop/flow"
)

// TestLiveQdiscEqualsTC: backlog and drops of a full tbf are those that tc tells.
func TestLiveQdiscEqualsTC(t *testing.T) {
	near, _ := router(t)
	var s *State
	var sampler *Sampler
	var conn net.Conn
	inside(t, near, func() {
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		if s, err = Read(DefaultRoots(), n); err != nil {
			t.Error(err)
			return
		}
		if sampler, err = NewSampler(DefaultRoots()); err != nil {
			t.Error(err)
			return
		}
		if conn, err = net.Dial("udp", "10.78.0.1:9"); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	defer sampler.Close()
	defer conn.Close()
	choices, err := Choose(s, []string{"eth0"})
	if err != nil {
		t.Fatal(err)
	}
	sampler.SetLinks(newTracker(s, choices).snapshot(), s)
	ip(t, near, "neigh replace 10.78.0.1 lladdr 02:78:00:00:00:99 dev eth0 nud permanent")
	// 8 kbit/s let a frame go in a second: while one is read, nothing moves as a rule.
	sh(t, "ip", "netns", "exec", near, "tc", "qdisc", "add", "dev", "eth0", "root", "handle", "1:", "tbf", "rate", "8kbit", "burst", "2000", "limit", "50000")
	for range 120 {
		if _, err := conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	read := func() flow.LinkCounters {
		t.Helper()
		list, err := sampler.Read(1)
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		return list[0]
	}
	eventually(t, "a moment in which nothing moves", func() bool {
		before, said, after := read(), tcSays(t, near, "eth0"), read()
		if before.QdiscBacklogBytes != after.QdiscBacklogBytes || before.QdiscDrops != after.QdiscDrops {
			return false // a frame left, or the kernel sent one of its own
		}
		// 120 frames of 1042 bytes, 47 of which fit into 50 000: over 60 are dropped.
		if !after.HasQdisc || after.QdiscBacklogBytes != said.Backlog || after.QdiscDrops != said.Drops || said.Drops < 60 || said.Backlog < 30_000 {
			t.Fatalf("read backlog %d, drops %d; tc says %+v", after.QdiscBacklogBytes, after.QdiscDrops, said)
		}
		return true
	})
}

// tcRoot is what tc -s -j says of a root qdisc.
type tcRoot struct {
	Root           bool
	Drops, Backlog uint64
}

func tcSays(t *testing.T, ns, dev string) tcRoot {
	t.Helper()
	var list []tcRoot
	if err := json.Unmarshal([]byte(sh(t, "ip", "netns", "exec", ns, "tc", "-s", "-j", "qdisc", "show", "dev", dev)), &list); err != nil {
		t.Fatal(err)
	}
	for _, q := range list {
		if q.Root {
			return q
		}
	}
	t.Fatalf("tc tells no root qdisc: %+v", list)
	return tcRoot{}
}
