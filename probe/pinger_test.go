package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"spiketop/flow"

	"github.com/google/go-cmp/cmp"
)

// bubbleNow is the clock of a synctest bubble. It begins at a second, for zero
// means "never" in places.
func bubbleNow() func() flow.Time {
	start := time.Now()
	return func() flow.Time { return flow.Time(time.Since(start) + time.Second) }
}

// fakeICMP is a transport that keeps to pro-bing's rules: the first echo at
// once, seq from 0, one beat apart; after the last one it only listens. Its
// functions say what happens to an echo; nil means that it goes well.
type fakeICMP struct {
	open   func(s *series) error                             // the socket
	write  func(s *series, seq uint16) error                 // sending
	answer func(s *series, seq uint16) (time.Duration, bool) // when, if ever

	mu     sync.Mutex // protects all below
	active int        // series now
	most   int        // and at most
}

func (f *fakeICMP) count(d int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active += d
	f.most = max(f.most, f.active)
}

func (f *fakeICMP) run(ctx context.Context, s *series) error {
	if f.open != nil {
		if err := f.open(s); err != nil {
			return err
		}
	}
	f.count(1)
	defer f.count(-1)
	s.ready()
	beat := time.NewTicker(s.interval)
	defer beat.Stop()
	answers := make(chan uint16, 64)
	seq, sent := uint16(0), 0
	send := func() error {
		if f.write != nil {
			if err := f.write(s, seq); err != nil {
				if s.failed(err) && sent > 0 {
					beat.Stop()
				}
				return err
			}
		}
		if s.sent(seq) {
			beat.Stop()
		}
		if after, ok := f.when(s, seq); ok {
			n := seq
			time.AfterFunc(after, func() { answers <- n })
		}
		seq, sent = seq+1, sent+1
		return nil
	}
	if err := send(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n := <-answers:
			s.answered(n)
		case <-beat.C:
			_ = send()
		}
	}
}

func (f *fakeICMP) when(s *series, seq uint16) (time.Duration, bool) {
	if f.answer == nil {
		return time.Millisecond, true
	}
	return f.answer(s, seq)
}

// bubble runs a pinger with the fake for d of the bubble's time and returns its
// events and what Run returned.
func bubble(cfg PingerConfig, f *fakeICMP, d time.Duration, tune func(*Pinger)) ([]Event, error) {
	events := make(chan Event, 1<<16)
	cfg.Events, cfg.Now = events, bubbleNow()
	p := NewPinger(cfg)
	p.send = f.run
	if tune != nil {
		tune(p)
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	err := p.Run(ctx)
	close(events)
	var out []Event
	for e := range events {
		out = append(out, e)
	}
	return out, err
}

func only(events []Event, k Kind) []Event {
	var out []Event
	for _, e := range events {
		if e.Kind == k {
			out = append(out, e)
		}
	}
	return out
}

var gateway = Target{ID: 1, Name: "10.0.0.1"}

// Series of five: every beat has one echo, the numbers go on, the answers of a
// series that has ended are still heard.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeICMP{answer: func(*series, uint16) (time.Duration, bool) { return 450 * time.Millisecond, true }}
		events, err := bubble(PingerConfig{Target: gateway}, f, 2040*time.Millisecond, func(p *Pinger) { p.most = 5 })
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		ids := map[uint16]bool{}
		for _, e := range only(events, Sent) {
			got = append(got, fmt.Sprintf("%d seq %d at %v", e.N, e.Seq, time.Duration(e.At)))
			ids[e.ID] = true
		}
		for i := range 21 { // 0 .. 2000 ms
			want = append(want, fmt.Sprintf("%d seq %d at %v", i+1, i%5, time.Second+time.Duration(i)*100*time.Millisecond))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
		if len(ids) != 5 || ids[0] {
			t.Errorf("21 echoes in series of five used the ids %v", ids)
		}
		for i, e := range only(events, Received) { // in order: 450 ms after each
			if want := flow.Time(time.Second).Add(time.Duration(i)*100*time.Millisecond + 450*time.Millisecond); e.N != int64(i+1) || e.At != want {
				t.Errorf("answer %d: N %d at %v, want at %v", i+1, e.N, e.At, want)
			}
		}
		if n := len(only(events, Received)); n != 16 { // sent until 1500 ms
			t.Errorf("%d answers, want 16", n)
		}
	})
}

// A dead host for hours: what pro-bing would remember stays bounded, and so does
// all that we keep.
func TestMemoryOfADeadTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const echoes = 200_000
		dead := func(*series, uint16) (time.Duration, bool) { return 0, false }
		f := &fakeICMP{answer: dead}
		longest := uint16(0)
		f.write = func(_ *series, seq uint16) error { longest = max(longest, seq); return nil }
		events := make(chan Event, 64)
		now := bubbleNow()
		ids := new(IDs)
		p := NewPinger(PingerConfig{Target: gateway, Events: events, Now: now, IDs: ids})
		p.send = f.run
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()

		s := NewSet(SetConfig{})
		s.SetTargets([]Target{gateway})
		tick := time.NewTicker(100 * time.Millisecond)
		finals, flights, runs := 0, 0, 0
		for s.Stats()[0].Sent < echoes {
			select {
			case e := <-events:
				s.Event(e)
			case <-tick.C:
				for _, m := range s.Tick(now()) {
					if m.State == Lost {
						finals++
					}
				}
				flights, runs = max(flights, len(s.byID[1].flights)), max(runs, len(s.runs))
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if longest >= seriesLost {
			t.Errorf("a series of %d lost echoes", longest+1)
		}
		if f.most > 2 || len(ids.used) > 2 || len(ids.resting) > restIDs {
			t.Errorf("%d series at a time, %d ids used, %d resting", f.most, len(ids.used), len(ids.resting))
		}
		if flights > 25 || runs > mostRuns || len(s.held) > 0 || len(s.stops) > 0 {
			t.Errorf("the set kept %d echoes, %d runs, %d held, %d stops", flights, runs, len(s.held), len(s.stops))
		}
		st := s.Stats()[0]
		if finals < echoes-30 || st.Lost != int64(finals) || st.Window > 660 || st.Loss != 1 || p.Dropped() != 0 {
			t.Errorf("%d lost, %+v, %d dropped", finals, st, p.Dropped())
		}
	})
}

// The pauses after failures: 1 s, 2 s, ... 24 s, each up to a quarter longer;
// after a success they begin anew.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		f := &fakeICMP{}
		f.open = func(*series) error {
			tries = append(tries, time.Now())
			if len(tries) == 9 {
				return nil // works, and ends below
			}
			return &net.OpError{Op: "listen", Err: os.NewSyscallError("socket", syscall.EMFILE)}
		}
		var ended time.Time
		f.write = func(_ *series, seq uint16) error {
			if seq < 5 {
				return nil
			}
			ended = time.Now()
			return &net.OpError{Op: "write", Err: os.NewSyscallError("sendmsg", syscall.ENETUNREACH)}
		}
		events, err := bubble(PingerConfig{Target: gateway}, f, 10*time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{1, 2, 4, 8, 16, 24, 24, 24}
		var pauses []time.Duration
		for i := range want {
			pauses = append(pauses, tries[i+1].Sub(tries[i]))
		}
		pauses = append(pauses, tries[9].Sub(ended))
		for i, w := range append(want, 1) {
			if w *= time.Second; pauses[i] < w || pauses[i] > w+w/4 {
				t.Errorf("pause %d is %v, want %v to %v", i+1, pauses[i], w, w+w/4)
			}
		}
		troubles := only(events, Trouble)
		if troubles[0].Text != "too many open files" {
			t.Errorf("trouble %q", troubles[0].Text)
		}
	})
}

func TestSendErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		errno  syscall.Errno
		series int // begun within 5.05 s
		text   string
	}{
		// Sent at 0 and 0.1 s, fails from 0.2 s on, given up at 1.2 s; again at 2.2
		// to 2.45 s (fails after two, given up 1.2 s later) and at 4.4 to 4.9 s.
		{"no route", syscall.ENETUNREACH, 3, "network is unreachable"},
		{"no host", syscall.EHOSTUNREACH, 3, "no route to host"},
		{"filtered", syscall.EPERM, 3, "operation not permitted"},
		// A full queue is tried with each beat: the burst is now.
		{"queue full", syscall.ENOBUFS, 1, "no buffer space available"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failed := 0
				f := &fakeICMP{}
				f.write = func(_ *series, seq uint16) error {
					if seq < 2 {
						return nil
					}
					failed++
					return &net.OpError{Op: "write", Err: os.NewSyscallError("sendmsg", tt.errno)}
				}
				events, err := bubble(PingerConfig{Target: gateway}, f, 5050*time.Millisecond, nil)
				if err != nil {
					t.Fatal(err)
				}
				if n := len(only(events, Restarted)); n != tt.series {
					t.Errorf("%d series, want %d", n, tt.series)
				}
				troubles := only(events, Trouble)
				if len(troubles) < 3 || len(troubles) > 8 || troubles[0].Text != tt.text {
					t.Errorf("troubles %v, want three to eight of %q", troubles, tt.text)
				}
				if tt.errno == syscall.ENOBUFS && failed != 49 { // 0.2 .. 5.0 s
					t.Errorf("%d tries, want one with each beat: 49", failed)
				}
			})
		})
	}
}

func TestPermission(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EACCES} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeICMP{open: func(*series) error {
				return &net.OpError{Op: "listen", Net: "ip4:icmp", Err: os.NewSyscallError("socket", errno)}
			}}
			_, err := bubble(PingerConfig{Target: gateway}, f, time.Minute, nil)
			if !errors.Is(err, ErrPermission) || !strings.HasPrefix(err.Error(), "ping 10.0.0.1: open ICMP socket: ") {
				t.Errorf("%v: Run returned %v", errno, err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	a1, a2 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	t.Run("a name server that hangs delays nothing but its own target", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cfg := PingerConfig{Target: Target{Name: "gw.example"}, Lookup: func(ctx context.Context, _ string) ([]netip.Addr, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			events, err := bubble(cfg, &fakeICMP{}, 30*time.Second, nil)
			if err != nil {
				t.Fatal(err)
			}
			// Tries of 5 s, pauses of 1, 2, 4, 8 s: troubles at 5, 11, 18, 27 s or later.
			if n := len(only(events, Trouble)); n < 3 || n > 4 || len(events) != n || events[0].Text != "no answer from the name server" {
				t.Errorf("events %v", events)
			}
		})
	})
	t.Run("unknown at first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			cfg := PingerConfig{Target: Target{Name: "gw.example"}, Lookup: func(context.Context, string) ([]netip.Addr, error) {
				if tries++; tries < 3 {
					return nil, &net.DNSError{Err: "no such host", Name: "gw.example", IsNotFound: true}
				}
				return []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.2"), a1}, nil
			}}
			events, _ := bubble(cfg, &fakeICMP{}, 5*time.Second, nil)
			var got []string
			for _, e := range events[:5] {
				got = append(got, fmt.Sprint(e.Kind, " ", e.Text, e.Addr))
			}
			want := []string{"trouble no such hostinvalid IP", "trouble no such hostinvalid IP", "resolved 10.0.0.2", "restarted 10.0.0.2", "sent 10.0.0.2"}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	})
	t.Run("the host moves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			moved := func() bool { return time.Since(start) > 3*time.Second }
			cfg := PingerConfig{Target: Target{Name: "gw.example"}, Lookup: func(context.Context, string) ([]netip.Addr, error) {
				if moved() {
					return []netip.Addr{a2}, nil
				}
				return []netip.Addr{a1}, nil
			}}
			f := &fakeICMP{answer: func(s *series, _ uint16) (time.Duration, bool) { return time.Millisecond, s.addr == a2 == moved() }}
			events, _ := bubble(cfg, f, 30*time.Second, nil)
			// Silent since 3 s; looked at 10 s (only 7 s silent) and at 20 s.
			last := flow.Time(0)
			for _, e := range only(events, Sent) {
				if want := a1; e.Addr != want && time.Duration(e.At) < 21*time.Second {
					t.Fatalf("echo %d to %v at %v", e.N, e.Addr, e.At)
				}
				if last != 0 && e.At.Sub(last) != 100*time.Millisecond {
					t.Errorf("echo %d comes %v after the one before", e.N, e.At.Sub(last))
				}
				last = e.At
			}
			r := only(events, Resolved)
			if len(r) != 2 || r[0].Addr != a1 || r[1].Addr != a2 || time.Duration(r[1].At) > 21200*time.Millisecond {
				t.Errorf("resolved %v", r)
			}
		})
	})
	t.Run("the name server dies with the network", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			looked := 0
			cfg := PingerConfig{Target: Target{Name: "gw.example"}, Lookup: func(context.Context, string) ([]netip.Addr, error) {
				if looked++; looked > 1 {
					return nil, &net.DNSError{Err: "server misbehaving", Name: "gw.example"}
				}
				return []netip.Addr{a1}, nil
			}}
			tries := 0
			f := &fakeICMP{write: func(*series, uint16) error {
				if tries++; tries == 1 {
					return syscall.ENETUNREACH
				}
				return nil
			}}
			events, _ := bubble(cfg, f, 3*time.Second, nil)
			if n := len(only(events, Sent)); n < 17 || looked < 2 {
				t.Errorf("%d echoes after %d look-ups, want the known address pinged on", n, looked)
			}
		})
	})
}

// Nobody reads the channel: the beat goes on, and the loss is counted.
func TestFullChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeICMP{}
		events := make(chan Event, 3)
		p := NewPinger(PingerConfig{Target: gateway, Events: events, Now: bubbleNow()})
		p.send = f.run
		ctx, cancel := context.WithTimeout(t.Context(), 1050*time.Millisecond)
		defer cancel()
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		// Resolved, Restarted, 11 Sent, 11 Received; three had a place.
		if p.Dropped() != 24-3 || p.n.Load() != 11 {
			t.Errorf("%d dropped, %d sent", p.Dropped(), p.n.Load())
		}
	})
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		name         string
		first, count int64
		seq          uint16
		want         int64
		ok           bool
	}{
		{"first", 1, 1, 0, 1, true},
		{"third of five", 101, 5, 2, 103, true},
		{"never sent", 101, 5, 5, 0, false},
		{"last before the wrap", 1, 65536, 65535, 65536, true},
		{"first after the wrap", 1, 65537, 0, 65537, true},
		{"before the wrap, seen after it", 1, 65540, 65535, 65536, true},
	} {
		r := run{first: tt.first, count: tt.count}
		if n, ok := r.number(tt.seq); n != tt.want || ok != tt.ok {
			t.Errorf("%s: %d, %v; want %d, %v", tt.name, n, ok, tt.want, tt.ok)
		}
	}
}

func TestReason(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("look up x: %w", &net.DNSError{IsNotFound: true}), "no such host"},
		{&net.DNSError{Err: "i/o timeout", IsTimeout: true}, "no answer from the name server"},
		{&net.DNSError{Err: "server \x1b[31mmisbehaving\n"}, "name lookup: server  [31mmisbehaving"},
		{&net.DNSError{Err: "dial udp 192.0.2.53:53: connect: network is unreachable"}, "name lookup: network is unreachable"},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("sendmsg", syscall.EHOSTUNREACH)}, "no route to host"},
		{errors.New(strings.Repeat("ä", 200)), strings.Repeat("ä", 79) + "…"},
		{errors.New("a\u202eb\xffc"), "a b c"},
	} {
		if got := reason(tt.err); got != tt.want {
			t.Errorf("reason(%q) = %q, want %q", tt.err, got, tt.want)
		}
	}
}

func TestIDs(t *testing.T) {
	var ids IDs
	seen := map[uint16]bool{}
	for range 20_000 {
		id, err := ids.take(nil)
		if err != nil || id == 0 || seen[id] {
			t.Fatalf("took %d, %v", id, err)
		}
		seen[id] = true
	}
	for id := range seen {
		ids.release(id)
	}
	if len(ids.used) != 0 || len(ids.resting) != restIDs {
		t.Errorf("%d used, %d resting", len(ids.used), len(ids.resting))
	}
	resting := map[uint16]bool{}
	for _, id := range ids.resting {
		resting[id] = true
	}
	for n := 0; ; n++ {
		id, err := ids.take(nil)
		if err != nil {
			if !errors.Is(err, errNoID) || n < 30_000 {
				t.Errorf("after %d: %v", n, err)
			}
			return
		}
		if resting[id] {
			t.Fatalf("%d was given back just now", id)
		}
	}
}
