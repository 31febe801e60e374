package probe

import (
	"slices"
	"time"

	"spiketop/flow"
)

func (h *Heard) request(l *heardLane, e *flow.Echo) {
	for i := len(l.flights) - 1; i >= 0; i-- {
		if f := &l.flights[i]; f.id == e.ID && f.seq == e.Seq {
			return // a second sight of the same
		}
	}
	if l.n > 0 && e.Seq == l.seq && e.ID == l.key.ID && e.At.Sub(l.last) < h.cfg.Interval/2 {
		return // the same, after its answer
	}
	if len(l.flights) >= heardFlights {
		h.finish(l, &l.flights[0], Sample{State: Uncertain})
		l.flights = l.flights[1:]
	}
	h.missing(l, e)
	if l.n > 0 {
		if d := e.At.Sub(l.last); l.gap == 0 {
			l.gap = d
		} else {
			l.gap += (d - l.gap) / 8
		}
	}
	l.n++
	l.seq, l.id, l.last = e.Seq, e.ID, max(l.last, e.At)
	f := heardFlight{n: l.n, id: e.ID, seq: e.Seq, sent: e.At, out: e.At, queue: None, member: e.Link}
	if at, ok := l.stamp(e, h.cfg.LossAfter); ok {
		f.queue = max(e.At.Sub(at), 0)
		f.sent = e.At.Add(-f.queue)
	}
	l.stats.Sent, l.stats.Member = l.n, e.Link
	l.flights = append(l.flights, f)
	h.report(l, &l.flights[len(l.flights)-1], Sample{})
}

// missing adds the echoes whose numbers are left out before e.
func (h *Heard) missing(l *heardLane, e *flow.Echo) {
	n := int(e.Seq - l.seq)
	if l.n < heardAfter || e.ID != l.id || n < 2 || n > heardUnseen || len(l.flights)+n > heardFlights {
		return
	}
	d := e.At.Sub(l.last)
	if beat := l.gap * time.Duration(n); d < beat*3/4 || d > beat*5/4 {
		return
	}
	from := l.last
	for i := 1; i < n; i++ {
		sent := from.Add(d * time.Duration(i) / time.Duration(n))
		l.n++
		l.stats.Sent = l.n
		l.flights = append(l.flights, heardFlight{n: l.n, id: e.ID, seq: l.seq + uint16(i), sent: sent, out: sent, queue: None, unseen: true})
		h.report(l, &l.flights[len(l.flights)-1], Sample{})
	}
	l.last, l.seq = from.Add(d*time.Duration(n-1)/time.Duration(n)), e.Seq-1
}

// stamp is the time that pro-bing wrote into the payload, if it did and its clock
// is that of the capture: a stamp that never came near the NIC's is another
// host's, or a guest's.
func (l *heardLane) stamp(e *flow.Echo, most time.Duration) (flow.Time, bool) {
	if e.PayloadN < 24 || e.Payload[8+6]>>4 != 4 || e.Payload[8+8]>>6 != 2 { // a UUID of version 4
		return 0, false
	}
	at := stamp(e)
	d := e.At.Sub(at)
	if d < -tolerance || d > most {
		return 0, false
	}
	if l.stamps++; l.stamps == 1 || d < l.skew {
		l.skew = d
	}
	return at, l.skew <= heardSkew
}

func (h *Heard) reply(l *heardLane, e *flow.Echo) {
	for i := range l.flights {
		f := &l.flights[i]
		if f.id != e.ID || f.seq != e.Seq || e.At < f.out.Add(-tolerance) {
			continue
		}
		m := Sample{State: Answered, Source: ByKernel, Own: None, Wakeup: None, Queue: f.queue, Wire: max(e.At.Sub(f.out), 0), ReplyMember: e.Link}
		m.RTT = m.Wire + max(f.queue, 0)
		if f.unseen {
			m = h.unseen(l, e)
		}
		if m.RTT > h.cfg.LossAfter {
			l.stats.Late++
			m = Sample{State: Lost, ReplyMember: e.Link}
		}
		h.finish(l, f, m)
		l.flights = slices.Delete(l.flights, i, i+1)
		return
	}
	if d := l.seq - e.Seq; l.n > 0 && e.ID == l.key.ID && d < 1<<15 {
		l.stats.Twice++ // or after it was lost
	}
}

// unseen measures an answer whose request is not in the file by the stamp that it
// brings back.
func (h *Heard) unseen(l *heardLane, e *flow.Echo) Sample {
	if e.PayloadN < 24 || l.stamps == 0 || l.skew > heardSkew {
		return Sample{State: Uncertain, ReplyMember: e.Link}
	}
	d := e.At.Sub(stamp(e))
	if d < 0 || d > h.cfg.LossAfter {
		return Sample{State: Uncertain, ReplyMember: e.Link}
	}
	return Sample{State: Answered, Source: ByKernel, RTT: d, Queue: None, Wire: None, Wakeup: None, Own: None, ReplyMember: e.Link}
}
