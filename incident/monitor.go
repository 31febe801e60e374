package incident

import (
	"time"

	"spiketop/flow"
	"spiketop/probe"
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
	// LookbackSlots is how many slots of 100 ms are kept of each link; 600.
	LookbackSlots int
}

// Spike is the start of an episode, as soon as it is noticed.
type Spike struct {
	At          time.Time     // when it was noticed
	Kind        string        // KindRTT, KindOutstanding, KindLoss, KindShift, KindManual
	Target      string        // address or name of the target; "" for KindManual
	Member      string        // NIC by which the echo left, "" = not seen
	N           int64         // running number of the echo
	Seq         uint16        // of the ICMP header
	Outstanding time.Duration // age of an echo without answer; None for other kinds
	RTT         time.Duration // None while outstanding, and for a loss
	Threshold   time.Duration // the freeze threshold it passed; None for KindLoss and KindManual
	Suppressed  bool          // over the rate limit: no incident follows
}

// Output is what the driver must do after a Tick: report Spikes and Notes,
// write Sealed to disk. Nothing in it changes any more.
type Output struct {
	Spikes []Spike
	Sealed []*Incident
	Notes  []string // new ones, for the log; Frame.Notes holds what still matters
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
	cfg Config
}

// NewMonitor returns a monitor that begins at start in world w.
func NewMonitor(cfg Config, start flow.Time, w *flow.World) *Monitor { return &Monitor{cfg: cfg} }

// SetWorld takes a new World: links that joined, left, returned with a new
// epoch or were renamed, other class rules, a clock step.
func (m *Monitor) SetWorld(now flow.Time, w *flow.World) {}

// SetTargets sets what is pinged, in the order of Frame.Pings. A target that
// stays (by ID) keeps its baseline.
func (m *Monitor) SetTargets(targets []probe.Target) {}

// SetStats takes the statistics shown in the next Frame.
func (m *Monitor) SetStats(stats []probe.Stats) {}

// Batch takes what the reader of one link delivered: slots, losses, the
// watermark, clock steps. Its echoes are the probe's and not looked at. Nothing
// of b may change afterwards.
func (m *Monitor) Batch(b *flow.Batch) {}

// Sample takes what became known of an echo.
func (m *Monitor) Sample(s probe.Sample) {}

// Counters takes a reading of the kernel's counters.
func (m *Monitor) Counters(c []flow.LinkCounters) {}

// Late says that this process did not run from from to to: what seems late in
// this time may be its own fault.
func (m *Monitor) Late(from, to flow.Time) {}

// LinkChange says what happened to a link: change is down, up, renamed, left,
// joined, speed or lacp (as in the link event of headless); was and now are its
// values in words.
func (m *Monitor) LinkChange(at flow.Time, name, change, was, now string) {}

// Freeze seals the evidence of this moment, because a person asks for it.
func (m *Monitor) Freeze(now flow.Time) {}

// Tick judges what is known at now.
func (m *Monitor) Tick(now flow.Time) Output { return Output{} }

// Frame returns a picture of everything at now.
func (m *Monitor) Frame(now flow.Time) *Frame { return &Frame{} }

// Saved says that the incident id lies in dir.
func (m *Monitor) Saved(id, dir string) {}

// SaveFailed says that the incident id could not be written; it stays in
// memory, text says why.
func (m *Monitor) SaveFailed(id, text string) {}

// Close seals what is still open, as truncated. The monitor must not be used
// afterwards.
func (m *Monitor) Close(now flow.Time) Output { return Output{} }
