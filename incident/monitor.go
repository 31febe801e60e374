package incident

import (
	"cmp"
	"slices"
	"time"

	"spiketop/flow"
	"spiketop/probe"
	"spiketop/probe/hops"
)

// Config sets up a [Monitor]. Zero values mean the defaults.
type Config struct {
	Version, Engine string
	// Interval is the time between two echoes of a target; 100 ms.
	Interval time.Duration
	// Spike is a fixed freeze threshold. 0 means automatic: the largest of
	// median + 8 MAD, 3 x median, 2 x p99 and median + 20 ms of the baseline.
	Spike time.Duration
	// Zone is the zone of all wall times in Frames and Incidents; UTC.
	Zone *time.Location
	// LookbackSlots is how many slots of 100 ms are kept of each link; 600, which
	// is also the least: a window at its longest needs 60 s.
	LookbackSlots int
}

// Spike is the start of an episode, as soon as it is noticed.
type Spike struct {
	At          time.Time     // when it was noticed
	Kind        string        // KindRTT, KindOutstanding, KindLoss, KindManual
	Target      string        // address or name of the target; "" for KindManual
	Member      string        // NIC by which the echo left, "" = not seen
	N           int64         // running number of the echo
	Seq         uint16        // of the ICMP header
	Outstanding time.Duration // age of an echo without answer; None for other kinds
	RTT         time.Duration // None while outstanding, and for a loss
	Threshold   time.Duration // the freeze threshold it passed; None for KindLoss and KindManual
	Suppressed  bool          // over the rate limit: no incident follows
	// Of a VM's echo: who sent it, its id, and where it was seen first (a vif, or
	// a NIC); Target is whom it was sent to.
	Src, Point string
	EchoID     uint16
}

// Output is what the driver must do after a Tick: report Spikes and Notes,
// write Sealed to disk. Nothing in it changes any more.
type Output struct {
	Spikes []Spike
	Sealed []*Incident
	Notes  []string // new ones, for the log; Frame.Notes holds what still matters
	Asks   []Ask    // what to read TCP_INFO of, for [Monitor.TCPInfo]
}

// Monitor is the pure core that watches: it takes what the rings, the pinger and
// the kernel's counters say, finds spikes, keeps the evidence of their moment,
// judges and seals it.
//
// It belongs to one goroutine, starts none, reads no clock and does no I/O. The
// owner's order in every round: Batch, Sample, Counters and the rest of what has
// happened, Late if the owner itself did not run, then Tick. A round is due
// every 10 to 100 ms. Frame may be called after Tick.
type Monitor struct {
	cfg    Config
	world  *flow.World
	offset flow.WallOffset

	links   []*link // in pane order
	targets []*target
	stats   []probe.Stats

	now     flow.Time     // of the last Tick
	ran     time.Duration // for which this process surely ran, as its Ticks show
	samples []probe.Sample
	suspect []suspect // late echoes that cannot be judged yet

	late      []flow.Span // when this process did not run
	lateTicks int
	steps     []flow.Time // clock steps
	changes   []linkEvent
	guests    guestMemory
	load      []flow.HostLoad // by time
	selfNotes []selfNote
	own       map[[16]byte]struct{} // this host's addresses

	open       []*collecting // incidents that still collect, oldest first
	number     int           // of the last incident
	started    []flow.Time   // of the last hour's incidents
	windows    []flow.Span   // of recent incidents, suppressed ones too
	suppressed int           // in all
	unsaid     int           // suppressed and not yet in any incident
	lines      []line
	frozen     *Incident

	passive   passive
	vmStarted []flow.Time // of the last hour's incidents that VMs' echoes started

	notes []note
	out   Output
}

// NewMonitor returns a monitor that begins at start in world w.
func NewMonitor(cfg Config, start flow.Time, w *flow.World) *Monitor {
	if cfg.Interval <= 0 {
		cfg.Interval = 100 * time.Millisecond
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	cfg.LookbackSlots = max(cfg.LookbackSlots, 600)
	m := &Monitor{cfg: cfg, now: start, offset: w.Offset, passive: passive{live: hops.NewLive(hops.LiveConfig{LossAfter: givenUpAfter})}}
	m.SetWorld(start, w)
	return m
}

// SetTargets sets what is pinged, in the order of Frame.Pings. A target that
// stays (by ID) keeps its baseline.
func (m *Monitor) SetTargets(targets []probe.Target) {
	list := make([]*target, 0, len(targets))
	for _, pt := range targets {
		t := m.target(pt.ID)
		if t == nil {
			t = &target{strips: new([len(Zooms)]pingRing)}
			t.limits = t.base.thresholds(m.cfg.Spike)
		}
		t.Target = pt
		list = append(list, t)
	}
	m.targets = list
}

func (m *Monitor) target(id probe.TargetID) *target {
	for _, t := range m.targets {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// SetStats takes the statistics shown in the next Frame.
func (m *Monitor) SetStats(stats []probe.Stats) { m.stats = stats }

// Sample takes what became known of an echo; it is judged by the next Tick.
func (m *Monitor) Sample(s probe.Sample) { m.samples = append(m.samples, s) }

// Bounds of the record of this process's own lateness.
const (
	lateMemory = 120 * time.Second
	maxLate    = 1024
)

// Late says that this process did not run from from to to: what seems late in
// this time may be its own fault.
func (m *Monitor) Late(from, to flow.Time) {
	if to <= from {
		return
	}
	if len(m.late) == maxLate || len(m.late) > 0 && m.late[0].To < to.Add(-lateMemory) {
		m.late = slices.Delete(m.late, 0, 1)
	}
	m.late = append(m.late, flow.Span{From: from, To: to})
	slices.SortStableFunc(m.late, func(a, b flow.Span) int { return cmp.Compare(a.From, b.From) })
	m.lateTicks++
}

// maxStep is the longest time between two Ticks in which this process is
// believed to have run.
const maxStep = 200 * time.Millisecond

// Tick judges what is known at now.
func (m *Monitor) Tick(now flow.Time) Output {
	if now > m.now {
		m.ran += min(now.Sub(m.now), maxStep)
		m.now = now
	}
	samples := m.samples
	m.samples = m.samples[:0]
	for i := range samples {
		m.take(samples[i])
	}
	m.judgeSuspects()
	m.judgePassive()
	m.saySelf(false)
	for _, t := range m.targets {
		m.acceptShift(t)
		t.echoes.forget(m.now.Add(-echoMemory))
	}
	m.advance(false)
	out := m.out
	m.out = Output{}
	return out
}

// Close seals what is still open, as truncated. The monitor must not be used
// afterwards.
func (m *Monitor) Close(now flow.Time) Output {
	m.now = max(m.now, now)
	samples := m.samples
	m.samples = nil
	for i := range samples {
		m.take(samples[i])
	}
	m.judgeSuspects()
	m.judgePassive()
	m.advance(true)
	out := m.out
	m.out = Output{}
	return out
}

// wall converts t to the zone of this process.
func (m *Monitor) wall(t flow.Time) time.Time { return m.offset.Wall(t).In(m.cfg.Zone) }
