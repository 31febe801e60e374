package incident

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// TestStripLosesNoSpike: whatever the zoom, the column of the spike shows it, at
// its height, with the peak of its load and its number.
func TestStripLosesNoSpike(t *testing.T) {
	s := quietSim()
	s.run(1330 * time.Millisecond) // not at the begin of any column
	s.links[0].addFlow(s, flow.Rx, "10.1.16.71:40112", "10.1.16.165:9422", 36e6, 0, 50*time.Millisecond)
	sent := s.now.Add(70 * time.Millisecond) // the next multiple of 100 ms
	way := s.targets[0].way
	way.rtt = 95 * time.Millisecond
	s.targets[0].once = []simWay{way}
	s.run(8 * time.Second)
	f := s.m.Frame(s.now)
	for z, strip := range f.Strips {
		if strip.Step != Zooms[z] || len(strip.Cells) != StripColumns {
			t.Fatalf("strip %d has step %v and %d columns", z, strip.Step, len(strip.Cells))
		}
		wall := s.world.Offset.Wall(strip.From)
		if wall.UnixNano()%int64(strip.Step) != 0 {
			t.Errorf("%v: begins at %v, no multiple of its step", strip.Step, wall)
		}
		if last := strip.From.Add(strip.Step * time.Duration(StripColumns)); f.At >= last || f.At < last.Add(-strip.Step) {
			t.Errorf("%v: the last column ends at %v, the frame is of %v", strip.Step, last, f.At)
		}
		c := strip.Cells[sent.Sub(strip.From)/strip.Step]
		if p := c.Pings[0]; !p.Due || p.Worst != 95*time.Millisecond || !p.Mark || !p.Freeze || p.Self || p.Lost {
			t.Errorf("%v: the spike's cell is %+v", strip.Step, p)
		}
		if !slices.Equal(c.Spikes, []int{1}) {
			t.Errorf("%v: the spike's column has numbers %v", strip.Step, c.Spikes)
		}
		burst := strip.Cells[sent.Add(-50*time.Millisecond).Sub(strip.From)/strip.Step]
		if l := burst.Links[0]; l.Rx != 36e6 || l.Tx != 0 {
			t.Errorf("%v: the burst's load is %+v, want rx 36M", strip.Step, l)
		}
	}
}

// TestStripBlanks: a column without an echo is blank, one without a slot has no
// load, a lost echo is a mark.
func TestStripBlanks(t *testing.T) {
	s := quietSim()
	s.targets[0].once = []simWay{{lost: true, member: 1}}
	s.run(300 * time.Millisecond)
	s.targets[0].stopped = true
	s.run(3 * time.Second)
	strip := s.m.Frame(s.now).Strips[0]
	at := func(before time.Duration) *Column { return &strip.Cells[s.now.Add(-before).Sub(strip.From)/strip.Step] }
	if p := at(3300 * time.Millisecond).Pings[0]; !p.Due || !p.Lost || p.Worst != 2*time.Second-simDelay && p.Worst != probe.None {
		t.Errorf("lost: %+v", p)
	}
	if p := at(3200 * time.Millisecond).Pings[0]; !p.Due || p.Lost || p.Worst != 210*time.Microsecond {
		t.Errorf("answered: %+v", p)
	}
	if p := at(2 * time.Second).Pings[0]; p != (PingCell{Worst: probe.None}) {
		t.Errorf("nothing sent: %+v", p)
	}
	if l := strip.Cells[0].Links[0]; l != (LoadCell{-1, -1}) {
		t.Errorf("before the start: %+v", l)
	}
}

// TestFrameIsImmutable: what a frame shows does not change when more happens.
func TestFrameIsImmutable(t *testing.T) {
	s := quietSim()
	s.links[0].addFlow(s, flow.Rx, "10.1.16.71:40112", "10.1.16.165:9422", 1e6, 0, 0)
	s.run(time.Second)
	f := s.m.Frame(s.now)
	before := fmt.Sprintf("%+v", *f)
	way := s.targets[0].way
	way.rtt = 95 * time.Millisecond
	s.targets[0].once = []simWay{way}
	s.run(8 * time.Second)
	s.m.Frame(s.now)
	if after := fmt.Sprintf("%+v", *f); after != before {
		t.Error("a published frame has changed")
	}
}

// TestFrameFollowsWorld: a link that joins later, one that is renamed, one that
// is gone from the list.
func TestFrameFollowsWorld(t *testing.T) {
	s := quietSim()
	s.newWorld(func(w *flow.World) {
		w.Links[0].Name = "lan0"
		w.Links = append(w.Links, flow.Link{ID: 2, Name: "eth1"})
	})
	f := s.m.Frame(s.now)
	if len(f.Links) != 2 || f.Links[0].Link.Name != "lan0" || f.Links[1].Link.Name != "eth1" || f.Pings[0].Member != "lan0" {
		t.Errorf("links %+v, pings %+v", f.Links, f.Pings)
	}
	if n := len(f.Strips[0].Cells[0].Links); n != 2 {
		t.Errorf("%d load cells", n)
	}
	s.newWorld(func(w *flow.World) { w.Links = w.Links[1:] })
	f = s.m.Frame(s.now)
	if len(f.Links) != 1 || f.Pings[0].Member != "" {
		t.Errorf("after the link went: %+v", f.Pings[0])
	}
}

func BenchmarkFrame(b *testing.B) {
	s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", SpeedBps: 10e9}, flow.Link{ID: 2, Name: "eth1", SpeedBps: 10e9})
	s.addTarget("10.1.16.55", "eth0", false, 210*time.Microsecond)
	s.addTarget("10.1.16.1", "eth1", true, 210*time.Microsecond)
	for _, l := range s.links {
		for i := range 3500 {
			l.addFlow(s, flow.Rx, fmt.Sprintf("10.1.%d.%d:40112", i/250, i%250), "10.1.16.165:9422", 1e6, 0.5, 0)
		}
	}
	s.run(3 * time.Second)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		s.m.Frame(s.now)
	}
}

// busySim is a host whose two links carry n flows each in every slot.
func busySim(n int) *sim {
	s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", SpeedBps: 10e9}, flow.Link{ID: 2, Name: "eth1", SpeedBps: 10e9})
	s.addTarget("10.1.16.55", "eth0", false, 210*time.Microsecond)
	for _, l := range s.links {
		for i := range n {
			l.addFlow(s, flow.Rx, fmt.Sprintf("10.1.%d.%d:40112", i/250, i%250), "10.1.16.165:9422", 1e6, 0.5, 0)
		}
	}
	return s
}

// BenchmarkTrigger is what the moment of a spike costs, the first picture
// included, with 3500 flows in every slot of both links; the baseline's older
// part comes with the Ticks after it.
func BenchmarkTrigger(b *testing.B) {
	s := busySim(3500)
	s.run(32 * time.Second)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		s.m.open = nil
		s.m.Freeze(s.now)
	}
}

// BenchmarkIncident runs a spike of 400 ms on such a host to its seal and reports
// what one Tick costs at most and on average while the incident collects.
func BenchmarkIncident(b *testing.B) {
	var worst, sum time.Duration
	ticks := 0
	s := busySim(3500)
	s.run(32 * time.Second)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		s.target("10.1.16.55").once = []simWay{{rtt: 400 * time.Millisecond, member: 1, reply: 1}}
		for sealed := len(s.sealed); len(s.sealed) == sealed; {
			s.carry()
			s.send()
			s.now = s.now.Add(simStep)
			if s.now.Sub(simStart)%simTick != 0 {
				continue
			}
			s.deliver()
			b.StartTimer()
			begin := time.Now()
			out := s.m.Tick(s.now)
			took := time.Since(begin)
			b.StopTimer()
			s.take(out)
			worst, sum, ticks = max(worst, took), sum+took, ticks+1
		}
		s.run(20 * time.Second)
	}
	b.ReportMetric(float64(worst)/1e6, "ms/worst-tick")
	b.ReportMetric(float64(sum)/1e6/float64(ticks), "ms/tick")
}
