package probe

import (
	"time"

	"spiketop/flow"
)

// SetConfig sets the deadlines of a [Set]. Zero values mean the defaults.
type SetConfig struct {
	// LossAfter is how long an answer is waited for; 2 s.
	LossAfter time.Duration
	// Interval is the time between two echoes of a target; 100 ms. An echo is
	// reported again and again once it is outstanding for longer than that.
	Interval time.Duration
	// Stall is the longest time between two Ticks in a process that runs; a
	// longer one means that this process itself was stopped meanwhile. 3 x
	// Interval; set it to some four times the period of Tick.
	Stall time.Duration
	// Window is how far back Stats look; 60 s.
	Window time.Duration
}

// Set joins the events of all pingers with the echoes on the rings and says for
// every echo what became of it. It belongs to one goroutine, starts none and
// reads no clock.
//
// The owner's order, in every round: hand over what the event channel holds
// (Event), what the rings delivered (Echo, Lost, and Drained after the echoes it
// covers), then call Tick.
type Set struct {
	cfg SetConfig
}

// NewSet returns a set without targets.
func NewSet(cfg SetConfig) *Set { return &Set{cfg: cfg} }

// SetTargets sets what is pinged, in the order of Targets and Stats. Targets
// that stay (by ID) keep their state; echoes of those that go are forgotten.
func (s *Set) SetTargets(targets []Target) {}

// SetLinks says which captured links are up: only they must be drained before
// an echo is late or lost. A link that is new here counts from its first
// Drained on.
func (s *Set) SetLinks(links []flow.LinkID) {}

// Event takes what a pinger reported. Events of unknown targets are ignored.
func (s *Set) Event(e Event) {}

// Echo takes an echo from a ring, of a link that SetLinks names or not. What
// belongs to no pinger of ours is ignored, quickly: most echoes are VMs'.
func (s *Set) Echo(e flow.Echo) {}

// Drained says that everything link carried before upTo has been handed over.
func (s *Set) Drained(link flow.LinkID, upTo flow.Time) {}

// Lost says that link's ring overflowed: frames between from and to are missing.
func (s *Set) Lost(link flow.LinkID, from, to flow.Time) {}

// Tick judges what is outstanding at now and returns what changed since the
// last Tick, in order; the slice belongs to the caller.
func (s *Set) Tick(now flow.Time) []Sample { return nil }

// Stats returns the statistics at the last Tick, in the order of SetTargets.
// The slice belongs to the caller.
func (s *Set) Stats() []Stats { return nil }

// Targets returns the targets with the addresses and troubles learned
// meanwhile, in the order of SetTargets. The slice belongs to the caller.
func (s *Set) Targets() []Target { return nil }
