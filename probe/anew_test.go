package probe

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"spiketop/flow"
)

// TestPingerAgain: told to begin anew, the next series begins within two beats
// under the id that Pick gives, no beat is left out, numbers go on, and an answer
// to the old series that comes later is still heard.
func TestPingerAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := uint16(100)
		cfg := PingerConfig{Target: Target{ID: 1, Name: "10.1.16.55", Addr: netip.MustParseAddr("10.1.16.55")},
			Pick: func(addr netip.Addr, _ func(uint16) bool) (uint16, bool) { next++; return next, addr.IsValid() }}
		fake := &fakeICMP{answer: func(_ *series, _ uint16) (time.Duration, bool) { return 700 * time.Millisecond, true }}
		events, err := bubble(cfg, fake, 3*time.Second, func(p *Pinger) {
			time.AfterFunc(1050*time.Millisecond, p.Again)
		})
		if err != nil {
			t.Fatal(err)
		}
		var sent []Event
		heard := map[int64]uint16{}
		for _, e := range events {
			switch e.Kind {
			case Sent:
				sent = append(sent, e)
			case Received:
				heard[e.N] = e.ID
			}
		}
		first := sent[0].At
		for i, e := range sent {
			if e.N != int64(i+1) || e.At.Sub(first) != time.Duration(i)*100*time.Millisecond {
				t.Fatalf("echo %d has number %d and was sent after %v", i, e.N, e.At.Sub(first))
			}
			want := uint16(101)
			if e.At.Sub(first) > 1150*time.Millisecond { // the beat at 1.1 s is the old one's last
				want = 102
			}
			if e.ID != want {
				t.Fatalf("the echo at %v has id %d, want %d", e.At.Sub(first), e.ID, want)
			}
		}
		for n := int64(1); n <= 12; n++ {
			if heard[n] != 101 {
				t.Errorf("echo %d of the old series: answer not heard", n)
			}
		}
	})
}

// TestPingerPause: nothing is sent while it pauses, the reason is told, and it
// goes on at once.
func TestPingerPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := PingerConfig{Target: Target{ID: 1, Name: "10.1.16.55", Addr: netip.MustParseAddr("10.1.16.55")}}
		var start flow.Time
		events, err := bubble(cfg, &fakeICMP{}, 4*time.Second, func(p *Pinger) {
			start = p.cfg.Now()
			time.AfterFunc(1050*time.Millisecond, func() { p.Pause("eth1 carries nothing now") })
			time.AfterFunc(2050*time.Millisecond, func() { p.Pause("eth1 carries nothing now") })
			time.AfterFunc(3050*time.Millisecond, func() { p.Pause("") })
		})
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		before, after := 0, 0
		for _, e := range events {
			at := e.At.Sub(start)
			switch {
			case e.Kind == Trouble && e.Text == "eth1 carries nothing now":
				told++
			case e.Kind == Trouble:
				t.Errorf("trouble %q", e.Text)
			case e.Kind == Sent && at < 1150*time.Millisecond:
				before++
			case e.Kind == Sent && at < 3050*time.Millisecond:
				t.Errorf("an echo at %v, while it pauses", at)
			case e.Kind == Sent:
				after++
			}
		}
		// 0, 0.1 ... 1.1 s are 12; 3.05, 3.15 ... 3.95 s are 10.
		if told != 1 || before != 12 || after != 10 {
			t.Errorf("told %d times, %d echoes before and %d after; want 1, 12 and 10", told, before, after)
		}
	})
}

// TestPingerBackOffEnds: what is told to begin anew does not wait out its pause.
func TestPingerBackOffEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		fake := &fakeICMP{open: func(*series) error {
			if !mended.Load() {
				return errNoAddress
			}
			return nil
		}}
		cfg := PingerConfig{Target: Target{ID: 1, Name: "10.1.16.55", Addr: netip.MustParseAddr("10.1.16.55")}}
		var start flow.Time
		events, err := bubble(cfg, fake, 40*time.Second, func(p *Pinger) {
			start = p.cfg.Now()
			// Tries at 0, 1, 3, 7, 15 s and up to a quarter later each: none from 19 to 31 s.
			time.AfterFunc(20*time.Second, func() { mended.Store(true); p.Again() })
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Kind == Sent {
				if at := e.At.Sub(start); at != 20*time.Second {
					t.Errorf("the first echo came at %v, want 20 s", at)
				}
				return
			}
		}
		t.Error("no echo at all")
	})
}

// TestPingerBeat: two pingers of one host send half an interval apart, also after
// a new series.
func TestPingerBeat(t *testing.T) {
	for _, beat := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			cfg := PingerConfig{Target: Target{ID: 1, Name: "10.1.16.55", Addr: netip.MustParseAddr("10.1.16.55")}, Beat: beat}
			events, err := bubble(cfg, &fakeICMP{}, 3*time.Second, func(p *Pinger) {
				time.AfterFunc(777*time.Millisecond, p.Again)
				time.AfterFunc(1512*time.Millisecond, func() { p.Pause("x") })
				time.AfterFunc(2034*time.Millisecond, func() { p.Pause("") })
			})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, e := range events {
				if e.Kind != Sent {
					continue
				}
				if n++; time.Duration(e.At)%(100*time.Millisecond) != beat%(100*time.Millisecond) {
					t.Errorf("an echo at %v", time.Duration(e.At))
				}
			}
			if n < 20 {
				t.Errorf("%d echoes", n)
			}
		})
	}
}

// TestPingerFollow: it takes the address that another pinger has found, when it
// has, and the next one when it is told to.
func TestPingerFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var addr atomic.Pointer[netip.Addr]
		found := func(p *Pinger, s string) func() {
			return func() {
				a := netip.MustParseAddr(s)
				addr.Store(&a)
				p.Again()
			}
		}
		addr.Store(&netip.Addr{})
		cfg := PingerConfig{Target: Target{ID: 2, Name: "storage-1"}, Follow: func() netip.Addr { return *addr.Load() },
			Lookup: func(context.Context, string) ([]netip.Addr, error) {
				t.Error("it looks the name up itself")
				return nil, errNoAddress
			}}
		events, err := bubble(cfg, &fakeICMP{}, 30*time.Second, func(p *Pinger) {
			time.AfterFunc(500*time.Millisecond, found(p, "10.1.16.71"))
			time.AfterFunc(20*time.Second, found(p, "10.1.16.72"))
		})
		if err != nil {
			t.Fatal(err)
		}
		var seen []string
		for _, e := range events {
			if e.Kind == Resolved {
				seen = append(seen, e.Addr.String())
			}
		}
		if len(seen) != 2 || seen[0] != "10.1.16.71" || seen[1] != "10.1.16.72" {
			t.Errorf("addresses %v", seen)
		}
	})
}
