package socket

import (
	"context"
	"time"

	"spiketop/flow"
)

// Offsets in struct tcp_info (linux/tcp.h). The kernel appends new fields, so an
// older kernel's is shorter, a newer one's longer.
const (
	offAppLimited  = 7   // a bit field: tcpi_delivery_rate_app_limited is its first (Linux 4.9)
	offRTT         = 68  // µs, smoothed
	offRetransmits = 100 // tcpi_total_retrans
	offMinRTT      = 148 // µs (Linux 4.6)
	offDelivery    = 160 // bytes/s (Linux 4.9)
)

// The first bit of a bit field is the lowest one of its byte on little-endian
// machines, the highest on big-endian ones.
var firstBit = map[bool]byte{true: 0x01, false: 0x80}[native.Uint16([]byte{1, 0}) == 1]

// parseTCPInfo reads struct tcp_info as far as it goes.
func parseTCPInfo(b []byte) flow.TCPInfo {
	var t flow.TCPInfo
	at32 := func(off int) uint32 {
		if len(b) < off+4 {
			return 0
		}
		return native.Uint32(b[off:])
	}
	t.RTT = time.Duration(at32(offRTT)) * time.Microsecond
	if m := at32(offMinRTT); m != ^uint32(0) { // not measured yet
		t.MinRTT = time.Duration(m) * time.Microsecond
	}
	t.Retransmits = at32(offRetransmits)
	if len(b) >= offDelivery+8 {
		const largest = ^uint64(0) / 8 // a rate above it is no rate
		if rate := native.Uint64(b[offDelivery:]); rate <= largest {
			t.DeliveryBps = 8 * rate
		}
		t.AppLimited = b[offAppLimited]&firstBit != 0
	}
	return t
}

// TCPInfo asks what the kernel knows of the TCP connections among socks, as of
// now. What is not there (ended, or not TCP) is not in the answer; an answer with
// an error lacks some. At most [MaxAsked] are asked for.
func (o *Owners) TCPInfo(ctx context.Context, socks []flow.Socket) (map[flow.Socket]flow.TCPInfo, error) {
	var reqs []request
	for _, s := range socks[:min(len(socks), MaxAsked)] {
		if s.Proto == flow.ProtoTCP {
			reqs = append(reqs, connection(s, extInfo, o.bound[s]))
		}
	}
	infos := make(map[flow.Socket]flow.TCPInfo, len(reqs))
	err := o.kernel.find(ctx, reqs, func(_ int, e *entry, info []byte) {
		if len(info) > 0 { // TIME_WAIT has none
			infos[e.socket] = parseTCPInfo(info)
		}
	})
	return infos, err
}
