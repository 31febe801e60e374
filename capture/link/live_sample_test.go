package link

import (
	"net"
	"net/netip"
	"testing"

	"spiketop/flow"
)

func TestLiveSampler(t *testing.T) {
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
		if conn, err = net.Dial("udp", "10.77.0.1:9"); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	defer sampler.Close()
	defer conn.Close()
	choices, err := Choose(s, []string{"eth0", "eth1"})
	if err != nil {
		t.Fatal(err)
	}
	links := newTracker(s, choices).snapshot()
	sampler.SetLinks(links, s)
	read := func() []flow.LinkCounters {
		t.Helper()
		c, err := sampler.Read(7)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	idle := read()
	if len(idle) != 2 || idle[1].QdiscBacklogBytes != 0 || idle[1].QdiscDrops != 0 || idle[0].CarrierChanges == 0 {
		t.Errorf("idle: %+v", idle)
	}

	// 8 kbit/s drain 1 kB a second, so what is sent stays in the queue, which holds 60 kB; the rest is dropped.
	ip(t, near, "neigh replace 10.77.0.1 lladdr 02:77:00:00:00:99 dev br0 nud permanent")
	sh(t, "ip", "netns", "exec", near, "tc", "qdisc", "add", "dev", "eth1", "root", "handle", "1:", "htb", "default", "1")
	sh(t, "ip", "netns", "exec", near, "tc", "class", "add", "dev", "eth1", "parent", "1:", "classid", "1:1", "htb", "rate", "1gbit")
	sh(t, "ip", "netns", "exec", near, "tc", "qdisc", "add", "dev", "eth1", "parent", "1:1", "handle", "2:", "tbf", "rate", "8kbit", "burst", "2000", "limit", "60000")
	for range 100 {
		if _, err := conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	c := read()[1]
	// A frame is 1000 + 8 + 20 + 14 = 1042 bytes; 57 of them fit into 60 000, 43 are dropped, give or take what left
	// meanwhile and the kernel's own multicast. Counted in both qdiscs, each figure would be twice as high.
	if c.QdiscBacklogBytes < 40_000 || c.QdiscBacklogBytes > 60_000 {
		t.Errorf("backlog of %d bytes, want 57 frames of 1042", c.QdiscBacklogBytes)
	}
	if c.QdiscDrops < 25 || c.QdiscDrops > 60 {
		t.Errorf("%d drops, want about 43", c.QdiscDrops)
	}
	if c.TxPackets+c.QdiscDrops+c.QdiscBacklogBytes/1042 < 100 {
		t.Errorf("sent %d + dropped %d + waiting %d frames: fewer than 100", c.TxPackets, c.QdiscDrops, c.QdiscBacklogBytes/1042)
	}
	if other := read()[0]; other.QdiscBacklogBytes != 0 {
		t.Errorf("the other NIC has a backlog of %d", other.QdiscBacklogBytes)
	}

	ip(t, near, "link del dev eth0")
	if left := read(); len(left) != 1 || left[0].Link != 2 {
		t.Errorf("after eth0 was deleted: %+v", left)
	}
}

func TestLiveNeighbourPending(t *testing.T) {
	near, _ := router(t)
	inside(t, near, func() {
		n, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		s, err := Read(DefaultRoots(), n)
		if err != nil {
			t.Error(err)
			return
		}
		choices, err := Choose(s, []string{"eth1", "eth0"})
		if err != nil {
			t.Error(err)
			return
		}
		sampler, err := NewSampler(DefaultRoots())
		if err != nil {
			t.Error(err)
			return
		}
		defer sampler.Close()
		sampler.SetLinks(newTracker(s, choices).snapshot(), s)
		conn, err := net.Dial("udp", "10.77.0.200:9") // nobody there: three ARP requests, a second apart
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		pending := func() []flow.LinkCounters {
			if _, err := conn.Write([]byte{1}); err != nil {
				return nil // the third request went unanswered: no route to host, once
			}
			c, err := sampler.Read(1)
			if err != nil {
				t.Error(err)
			}
			return c
		}
		eventually(t, "neighbour pending", func() bool {
			c := pending()
			return len(c) == 2 && c[0].NeighbourPending && !c[1].NeighbourPending // it is br0's, which is above eth1 alone
		})
		sampler.SetNextHops([]netip.Addr{netip.MustParseAddr("10.77.0.1")})
		if c := pending(); len(c) == 2 && c[0].NeighbourPending {
			t.Error("pending, though nobody asks for that next hop")
		}
		sampler.SetNextHops([]netip.Addr{netip.MustParseAddr("::ffff:10.77.0.200")})
		eventually(t, "that next hop pending", func() bool { c := pending(); return len(c) == 2 && c[0].NeighbourPending })
	})
}
