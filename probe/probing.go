package probe

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"time"

	probing "github.com/prometheus-community/pro-bing"
)

// series is one run of a transport: echoes under one ICMP id to one address,
// seq 0 at once and then one for each interval. The functions are called one at
// a time, ready before all others; they must not block, for the next echo and
// the stamp of the next answer wait for them.
type series struct {
	addr     netip.Addr
	id       uint16
	interval time.Duration

	ready     func()                // the socket is open, nothing has been sent
	sent      func(seq uint16) bool // true: this was the last one, go on receiving
	answered  func(seq uint16)
	duplicate func(seq uint16)
	failed    func(error) bool // could not send; true: send no more, go on receiving
}

// transport sends and receives a series until ctx is done. It returns earlier
// when the socket fails or the first echo cannot be sent.
type transport func(ctx context.Context, s *series) error

// proBing is the transport of pro-bing v0.9.1.
//
// It can be told neither to stop sending nor to forget a lost echo, but it
// looks at Count with each beat, and Count may be changed in a callback, which
// runs in the goroutine of its loop. Thus a series ends without losing the
// answers that are still on their way.
func proBing(ctx context.Context, s *series) error {
	p := probing.New(s.addr.String())
	p.SetIPAddr(&net.IPAddr{IP: s.addr.AsSlice(), Zone: s.addr.Zone()}) // no lookup
	p.SetPrivileged(true)
	p.SetID(int(s.id))
	p.Interval = s.interval
	p.RecordRtts, p.RecordTTLs = false, false // they would grow for ever
	log := &broadcastGuard{pinger: p}
	p.SetLogger(log)

	p.OnSetup = s.ready
	p.OnSend = func(pkt *probing.Packet) {
		if s.sent(uint16(pkt.Seq)) {
			p.Count = p.PacketsSent + 1 // it counts this one after the callback
		}
	}
	p.OnSendError = func(_ *probing.Packet, err error) {
		if s.failed(err) && p.PacketsSent > 0 { // with 0, RunWithContext returns by itself
			p.Count = p.PacketsSent
		}
	}
	p.OnRecv = func(pkt *probing.Packet) { s.answered(uint16(pkt.Seq)) }
	p.OnDuplicateRecv = func(pkt *probing.Packet) { s.duplicate(uint16(pkt.Seq)) }
	// OnRecvError stays unset: it is called for every read timeout, some twenty
	// times a second, and any other error ends RunWithContext.

	err := p.RunWithContext(ctx)
	if log.stuck {
		return syscall.EACCES
	}
	return err
}

// broadcastGuard is pro-bing's logger. What pro-bing logs, it also reports, but
// for one thing: on EACCES it sets SO_BROADCAST and tries again at once, for
// ever. A route of type prohibit gives EACCES too; the loop would then burn a
// CPU and never look at its context. The message is the only place where it
// calls us, so the second one for the same echo ends the loop's goroutine; its
// deferred calls stop the run in good order.
type broadcastGuard struct {
	probing.NoopLogger
	pinger *probing.Pinger
	tried  bool
	at     int // PacketsSent when it was tried
	stuck  bool
}

func (g *broadcastGuard) Infof(string, ...any) {
	if g.tried && g.at == g.pinger.PacketsSent {
		g.stuck = true
		runtime.Goexit()
	}
	g.tried, g.at = true, g.pinger.PacketsSent
}
