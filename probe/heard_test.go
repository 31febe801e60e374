package probe

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

var (
	heardHere = [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 1, 14: 16, 15: 165}
	heardFar  = [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 1, 14: 16, 15: 55}
)

// heardEcho is a request that leaves by a link, or its reply. lead is how long
// before at pro-bing's stamp is; negative: another payload.
func heardEcho(at time.Duration, link flow.LinkID, reply bool, id, seq uint16, lead time.Duration) *flow.Echo {
	e := &flow.Echo{At: flow.Time(at), Link: link, Dir: flow.Tx, Reply: reply, Family: flow.FamilyIPv4, Src: heardHere, Dst: heardFar, ID: id, Seq: seq}
	if reply {
		e.Src, e.Dst, e.Dir = e.Dst, e.Src, flow.Rx
	}
	if lead >= 0 {
		e.PayloadN = 24
		binary.BigEndian.PutUint64(e.Payload[:], uint64(at-lead))
		e.Payload[8+6], e.Payload[8+8] = 0x4a, 0x8b
	}
	return e
}

const ms = time.Millisecond

// first follows the ping with this id from its first echo on.
func heardFirst(ids ...uint16) HeardConfig {
	cfg := HeardConfig{Only: true}
	for _, id := range ids {
		cfg.First = append(cfg.First, SeriesKey{flow.FamilyIPv4, heardHere, heardFar, id})
	}
	return cfg
}

// TestHeardMeasures: RTT = reply - request on the NIC, from pro-bing's stamp where
// there is one; an echo is late while it waits, and lost after 2 s.
func TestHeardMeasures(t *testing.T) {
	h := NewHeard(heardFirst(7))
	h.Echo(heardEcho(1000*ms, 1, false, 7, 1, 1*ms)) // stamp 999 ms
	h.Echo(heardEcho(1030*ms, 2, true, 7, 1, 31*ms))
	h.Echo(heardEcho(1100*ms, 1, false, 7, 2, -1))
	h.Echo(heardEcho(1100*ms, 2, false, 7, 2, -1)) // the same again elsewhere
	h.Echo(heardEcho(1105*ms, 1, true, 7, 2, -1))
	h.Echo(heardEcho(1106*ms, 1, true, 7, 2, -1)) // twice
	h.Echo(heardEcho(1200*ms, 1, false, 7, 3, -1))
	h.Drained(flow.Time(1350 * ms))
	got := h.Tick(flow.Time(1370 * ms))
	h.Drained(flow.Time(3200 * ms))
	got = append(got, h.Tick(flow.Time(3220*ms))...)
	at := func(d time.Duration) flow.Time { return flow.Time(d) }
	want := []Sample{
		{Target: 1, N: 1, ID: 7, Seq: 1, Sent: at(999 * ms), Began: at(999 * ms), RTT: None, Queue: 1 * ms, Wire: None, Wakeup: None, Own: None, Member: 1},
		// 1 ms to the NIC and 30 ms from there.
		{Target: 1, N: 1, ID: 7, Seq: 1, Sent: at(999 * ms), Began: at(999 * ms), State: Answered, Back: at(1030 * ms), RTT: 31 * ms, Queue: 1 * ms, Wire: 30 * ms, Wakeup: None, Own: None, Member: 1, ReplyMember: 2},
		{Target: 1, N: 2, ID: 7, Seq: 2, Sent: at(1100 * ms), Began: at(1100 * ms), RTT: None, Queue: None, Wire: None, Wakeup: None, Own: None, Member: 1},
		{Target: 1, N: 2, ID: 7, Seq: 2, Sent: at(1100 * ms), Began: at(1100 * ms), State: Answered, Back: at(1105 * ms), RTT: 5 * ms, Queue: None, Wire: 5 * ms, Wakeup: None, Own: None, Member: 1, ReplyMember: 1},
		{Target: 1, N: 3, ID: 7, Seq: 3, Sent: at(1200 * ms), Began: at(1200 * ms), RTT: None, Queue: None, Wire: None, Wakeup: None, Own: None, Member: 1},
		{Target: 1, N: 3, ID: 7, Seq: 3, Sent: at(1200 * ms), Began: at(1200 * ms), Age: 150 * ms, RTT: None, Queue: None, Wire: None, Wakeup: None, Own: None, Member: 1},
		{Target: 1, N: 3, ID: 7, Seq: 3, Sent: at(1200 * ms), Began: at(1200 * ms), State: Lost, RTT: None, Queue: None, Wire: None, Wakeup: None, Own: None, Member: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s := h.Stats()[0]
	if s.Sent != 3 || s.Lost != 1 || s.Twice != 1 || s.Max != 31*ms || s.Window != 3 {
		t.Errorf("statistics %+v", s)
	}
	tg := h.Targets()[0]
	if tg.Name != "10.1.16.55" || !tg.Captured || tg.Reason != "echoes in the file, from 10.1.16.165" || !h.Changed() || h.Changed() {
		t.Errorf("target %+v", tg)
	}
}

// TestHeardGap: where packets are missing an echo is not known to be lost.
func TestHeardGap(t *testing.T) {
	h := NewHeard(heardFirst(7))
	h.Echo(heardEcho(1000*ms, 1, false, 7, 1, -1))
	h.Lost(flow.Time(1500*ms), flow.Time(1600*ms))
	h.Drained(flow.Time(2500 * ms))
	got := h.Tick(flow.Time(2520 * ms))
	if last := got[len(got)-1]; last.State != Outstanding || last.Age != 500*ms { // up to the gap
		t.Errorf("%+v", last)
	}
	h.Drained(flow.Time(3000 * ms))
	got = h.Tick(flow.Time(3020 * ms))
	if len(got) != 1 || got[0].State != Uncertain {
		t.Errorf("%+v", got)
	}
}

// TestHeardForeignClock: a payload stamped by a clock that never agrees with the
// capture's is not this host's.
func TestHeardForeignClock(t *testing.T) {
	h := NewHeard(heardFirst(7))
	for i := range 5 {
		at := time.Duration(i)*100*ms + time.Second
		h.Echo(heardEcho(at, 1, false, 7, uint16(i), 400*ms))
		h.Echo(heardEcho(at+5*ms, 1, true, 7, uint16(i), 405*ms))
	}
	for _, m := range h.Tick(flow.Time(2 * time.Second)) {
		if m.Queue != None || m.State == Answered && m.RTT != 5*ms {
			t.Errorf("%+v", m)
		}
	}
}

// TestHeardLanes: two ids at a time between the same addresses are two pings of one
// host; an id after another one is the same ping.
func TestHeardLanes(t *testing.T) {
	h := NewHeard(heardFirst(7, 8, 9))
	at := time.Second
	for i := range 20 {
		at = time.Second + time.Duration(i)*100*ms
		h.Echo(heardEcho(at, 1, false, 7, uint16(i), -1))
		if i < 10 {
			h.Echo(heardEcho(at+50*ms, 2, false, 8, uint16(i), -1))
		} else if i > 12 {
			h.Echo(heardEcho(at+50*ms, 2, false, 9, uint16(i), -1))
		}
	}
	targets := h.Targets()
	if len(targets) != 2 || targets[0].Group != 1 || targets[1].Group != 1 || targets[0].Member != 1 || targets[1].Member != 2 {
		t.Errorf("%+v", targets)
	}
	if s := h.Stats(); s[0].Sent != 20 || s[1].Sent != 10+7 {
		t.Errorf("%+v", s)
	}
}

// TestHeardBounds: floods of ids, of echoes and of unanswered ones stay small, and
// what is not this host's is not followed.
func TestHeardBounds(t *testing.T) {
	h := NewHeard(HeardConfig{Most: 4, Local: func(a [16]byte) bool { return a == heardHere }})
	for i := range 100_000 {
		e := heardEcho(time.Second+time.Duration(i)*time.Microsecond, 1, false, uint16(i/5), uint16(i), -1)
		h.Echo(e)
		e.Src[15]++
		h.Echo(e)
	}
	if n := len(h.Targets()); n != 4 || len(h.candidates) > heardCandidates || h.Unfollowed() == 0 {
		t.Errorf("%d targets, %d candidates, %d not followed", n, len(h.candidates), h.Unfollowed())
	}
	key := h.lanes[0].key
	for i := range 50_000 {
		h.Echo(heardEcho(2*time.Second+time.Duration(i)*time.Millisecond, 1, false, key.ID, uint16(i), -1))
	}
	if n := len(h.lanes[0].flights); n > heardFlights {
		t.Errorf("%d echoes", n)
	}
}

// TestHeardMissing: numbers that are left out in a steady series were sent and did
// not leave; an answer without its request is measured by what it brings back.
func TestHeardMissing(t *testing.T) {
	h := NewHeard(heardFirst(7))
	for _, seq := range []uint16{0, 1, 2, 3, 6, 7} {
		at := time.Second + time.Duration(seq)*100*ms
		h.Echo(heardEcho(at, 1, false, 7, seq, 0))
		h.Echo(heardEcho(at+5*ms, 1, true, 7, seq, 5*ms))
	}
	h.Echo(heardEcho(1509*ms, 1, true, 7, 5, 9*ms)) // sent at 1500 ms
	h.Drained(flow.Time(4 * time.Second))
	lost, answered := 0, 0
	for _, m := range h.Tick(flow.Time(4 * time.Second)) {
		switch m.State {
		case Lost:
			lost++
			if m.Seq != 4 || m.N != 5 || m.Sent != flow.Time(1400*ms) || m.Member != 0 {
				t.Errorf("%+v", m)
			}
		case Answered:
			answered++
			if m.Seq == 5 && m.RTT != 9*ms {
				t.Errorf("%+v", m)
			}
		}
	}
	if lost != 1 || answered != 7 {
		t.Errorf("%d lost, %d answered", lost, answered)
	}
}
