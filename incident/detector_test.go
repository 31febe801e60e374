package incident

import (
	"strings"
	"testing"
	"time"

	"spiketop/flow"
	"spiketop/probe"
)

// TestLossRule reads a target's echoes as letters, oldest first: "." answered,
// "L" lost, "?" uncertain. The rule is asked about the last one.
func TestLossRule(t *testing.T) {
	tests := []struct {
		name, echoes string
		done         int64 // losses up to this N were dealt with
		guilty       int64 // 0 = none
		rule         string
	}{
		{"one", "....L", 0, 0, ""},
		{"two in a row", "...LL", 0, 4, "2 lost in a row"},
		{"three in a row name the first", "..LLL", 0, 3, "2 lost in a row"},
		{"not in a row", "..L.L", 0, 0, ""},
		{"uncertain between is no row", "..L?L", 0, 0, ""},
		{"uncertain never counts", "??????L", 0, 0, ""},
		{"three of ten", "L.L....L", 0, 1, "3 of 10 lost"},
		{"three of exactly ten", "L....L...L", 0, 1, "3 of 10 lost"},
		{"three of eleven", "L....L....L", 0, 0, ""},
		{"the eleventh back does not count", "L.L.......L", 0, 0, ""},
		{"those of an earlier episode do not count", "LL.L", 2, 0, ""},
		{"but new ones do", "LL.LL", 2, 4, "2 lost in a row"},
		{"at the very beginning", "LL", 0, 1, "2 lost in a row"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tg := &target{lossEnd: tt.done}
			for i, c := range tt.echoes {
				state := map[rune]probe.State{'.': probe.Answered, 'L': probe.Lost, '?': probe.Uncertain}[c]
				tg.echoes.put(probe.Sample{N: int64(i + 1), Sent: flow.Time(i), State: state})
			}
			e, rule := tg.lossRule(int64(len(tt.echoes)))
			n := int64(0)
			if e != nil {
				n = e.N
			}
			if n != tt.guilty || rule != tt.rule {
				t.Errorf("guilty %d (%q), want %d (%q)", n, rule, tt.guilty, tt.rule)
			}
		})
	}
}

// quietSim is a host with one link whose target has its baseline: 0.21 ms, so
// freeze is 20.21 ms and the exit limit 0.21 + 10 = 10.21 ms.
func quietSim() *sim {
	s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", SpeedBps: 40e6})
	s.addTarget("10.1.16.55", "eth0", false, 210*time.Microsecond)
	s.run(10 * time.Second)
	return s
}

// TestEpisodeEnd plays RTTs after a first spike: how many incidents there are
// depends on when the episode ends.
func TestEpisodeEnd(t *testing.T) {
	const ms = time.Millisecond
	calm := 200 * time.Microsecond
	tests := []struct {
		name string
		rtts []time.Duration
		want int
	}{
		{"the end limit is half way", []time.Duration{90 * ms, 10200 * time.Microsecond, calm, calm, calm, calm, 90 * ms}, 2},
		{"at the end limit is not below it", []time.Duration{90 * ms, 10210 * time.Microsecond, calm, calm, calm, calm, 90 * ms}, 1},
		{"four are not five", []time.Duration{90 * ms, calm, calm, calm, calm, 90 * ms}, 1},
		{"in a row", []time.Duration{90 * ms, calm, calm, calm, 15 * ms, calm, calm, calm, calm, 90 * ms}, 1},
		{"at the threshold is not over it", []time.Duration{20210 * time.Microsecond}, 0},
		{"over it is", []time.Duration{20211 * time.Microsecond}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := quietSim()
			for _, r := range tt.rtts {
				way := s.targets[0].way
				way.rtt = r
				s.targets[0].once = append(s.targets[0].once, way)
			}
			s.run(15 * time.Second)
			if len(s.spikes) != tt.want || len(s.sealed) != tt.want {
				t.Errorf("%d spikes, %d incidents, want %d", len(s.spikes), len(s.sealed), tt.want)
			}
		})
	}
}

// TestClearedIsNotLate: the answer has come to the socket, its stamps have not
// been read yet. Such an echo fires neither itself nor do those before it.
func TestClearedIsNotLate(t *testing.T) {
	s := quietSim()
	s.targets[0].stopped = true
	s.run(200 * time.Millisecond)
	late := probe.Sample{Target: 1, N: 1000, Sent: s.now.Add(-500 * time.Millisecond), Age: 400 * time.Millisecond, Member: 1,
		RTT: probe.None, Queue: 0, Wire: probe.None, Wakeup: probe.None, Own: 0}
	cleared := late
	cleared.Cleared = true
	s.m.Sample(cleared)
	s.take(s.m.Tick(s.now))
	before := late
	before.N = 999
	s.m.Sample(before)
	s.take(s.m.Tick(s.now))
	if len(s.spikes) != 0 {
		t.Errorf("a cleared echo fired: %+v", s.spikes)
	}
	late.N = 1001 // the same without Cleared does
	s.m.Sample(late)
	s.take(s.m.Tick(s.now))
	if len(s.spikes) != 1 || s.spikes[0].Kind != KindOutstanding || s.spikes[0].Outstanding != 400*time.Millisecond {
		t.Errorf("spikes %+v, want one of kind outstanding", s.spikes)
	}
}

// TestKernelAfterUser: this process's own time is not believed while it was
// stopped; the kernel's stamps that follow are.
func TestKernelAfterUser(t *testing.T) {
	s := quietSim()
	sent := s.now
	s.m.Late(sent, sent.Add(200*time.Millisecond))
	user := probe.Sample{Target: 1, N: 500, Sent: sent, State: probe.Answered, Source: probe.ByUser, RTT: 200 * time.Millisecond,
		Queue: probe.None, Wire: probe.None, Wakeup: probe.None, Own: probe.None}
	s.m.Sample(user)
	s.take(s.m.Tick(s.now.Add(300 * time.Millisecond)))
	if len(s.spikes) != 0 {
		t.Fatalf("fired on our own lateness: %+v", s.spikes)
	}
	kernel := user
	kernel.Source, kernel.Queue, kernel.Own, kernel.Wire, kernel.Member, kernel.ReplyMember = probe.ByKernel, 0, 0, 200*time.Millisecond, 1, 1
	s.m.Sample(kernel)
	s.take(s.m.Tick(s.now.Add(320 * time.Millisecond)))
	if len(s.spikes) != 1 || s.spikes[0].RTT != 200*time.Millisecond {
		t.Errorf("spikes %+v, want the one that the kernel measured", s.spikes)
	}
}

// TestPerHour: 30 an hour, six a minute.
func TestPerHour(t *testing.T) {
	m := &Monitor{}
	allowed := 0
	for i := range 61 { // one a minute for an hour and a minute
		if m.allow(flow.Time(time.Duration(i) * time.Minute)) {
			allowed++
		}
	}
	// 30 in the first half hour, and the 61st, an hour after the first.
	if allowed != 31 {
		t.Errorf("%d incidents in 61 minutes, want 31", allowed)
	}
	m = &Monitor{}
	allowed = 0
	for i := range 13 { // every 10 s for two minutes
		if m.allow(flow.Time(time.Duration(i) * 10 * time.Second)) {
			allowed++
		}
	}
	if allowed != 13 { // never more than 6 within less than 60 s
		t.Errorf("%d of 13 incidents every 10 s, want all", allowed)
	}
	if m.allow(flow.Time(2*time.Minute + time.Second)) {
		t.Error("a seventh incident within a minute was allowed")
	}
}

// TestIDs: what begins in the same millisecond gets a number, as on disk.
func TestIDs(t *testing.T) {
	s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0"})
	s.addTarget("10.0.0.1", "eth0", false, time.Millisecond)
	s.run(5 * time.Second)
	s.m.Freeze(s.now)
	s.m.open = nil
	s.m.Freeze(s.now)
	f := s.m.Frame(s.now)
	if len(f.Incidents) != 2 || !strings.HasSuffix(f.Incidents[0].ID, "-manual") || f.Incidents[1].ID != f.Incidents[0].ID+".2" {
		t.Errorf("IDs %q and %q", f.Incidents[0].ID, f.Incidents[1].ID)
	}
	s.m.SaveFailed(f.Incidents[1].ID, "disk full\x1b[2J")
	if n := s.m.Frame(s.now).Notes; len(n) != 1 || !strings.Contains(n[0], "#2 is not saved: disk full") || strings.Contains(n[0], "\x1b") {
		t.Errorf("notes %q", n)
	}
	s.m.Saved(f.Incidents[1].ID, "/d/2")
	if f := s.m.Frame(s.now); len(f.Notes) != 0 || f.Incidents[1].Dir != "/d/2" || f.Incidents[0].Dir != "" {
		t.Errorf("after Saved: notes %q, incidents %+v", f.Notes, f.Incidents)
	}
}
