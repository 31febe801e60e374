package link

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// fakeKernel answers looks from a host and has events on demand.
type fakeKernel struct {
	mu     sync.Mutex // protects h, looks and err once the watcher runs
	h      *host
	looks  int
	err    error
	events chan error // nil = an event, else the socket's failure
	closed chan struct{}
}

func (k *fakeKernel) watcher(t *testing.T, args ...string) *Watcher {
	t.Helper()
	c, err := Choose(&k.h.State, args)
	if err != nil {
		t.Fatal(err)
	}
	w := newWatcher(WatchConfig{State: k.h.copy(), Choices: c})
	k.events, k.closed = make(chan error), make(chan struct{})
	w.look = func(func(*Device) bool) (*State, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.looks++
		if k.err != nil {
			return nil, k.err
		}
		return k.h.copy(), nil
	}
	w.wait = func() error {
		select {
		case err := <-k.events:
			return err
		case <-k.closed:
			return errors.New("closed")
		}
	}
	w.stop = func() { close(k.closed) }
	start := time.Now()
	w.now = func() flow.Time { return flow.Time(time.Since(start)) }
	return w
}

// change changes the host, or the kernel's answers.
func (k *fakeKernel) change(f func(h *host)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(k.h)
}

// looked returns how many looks were taken since it was last asked.
func (k *fakeKernel) looked() (n int) {
	k.change(func(*host) { n, k.looks = k.looks, 0 })
	return n
}

// run starts w and returns its updates and a function that ends it.
func run(t *testing.T, w *Watcher, room int) (chan Update, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(chan Update, room), make(chan struct{})
	go func() { w.Run(ctx, out); close(ended) }()
	return out, func() { cancel(); <-ended }
}

// next returns the update that waits in out.
func next(t *testing.T, out chan Update) Update {
	t.Helper()
	synctest.Wait()
	select {
	case u := <-out:
		return u
	default:
		t.Fatal("no update")
		return Update{}
	}
}

func nothing(t *testing.T, out chan Update) {
	t.Helper()
	synctest.Wait()
	select {
	case u := <-out:
		t.Fatalf("update without news: %+v", u)
	default:
	}
}

func TestWatcherFirst(t *testing.T) {
	k := &fakeKernel{h: newHost(t).bond("bond0", "eth1", "eth0")}
	u := k.watcher(t).First()
	want := []flow.Link{
		{ID: 1, Name: "eth1", Ifindex: 3, MAC: [6]byte{2, 0, 0, 0, 0, 3}, Bond: "bond0", Physical: true},
		{ID: 2, Name: "eth0", Ifindex: 4, MAC: [6]byte{2, 0, 0, 0, 0, 4}, Bond: "bond0", Physical: true},
	}
	if diff := cmp.Diff(want, u.Links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]flow.LinkID{1, 2}, u.Added); diff != "" {
		t.Errorf("added (-want +got):\n%s", diff)
	}
	if len(u.Changes) != 0 || len(u.Bonds) != 1 || u.State == nil {
		t.Errorf("changes %v, bonds %v, state %v", u.Changes, u.Bonds, u.State)
	}
}

// An event is seen at once, a silent change within a second, and a quiet host
// says nothing.
func TestWatcherEventsAndLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKernel{h: newHost(t).bond("bond0", "eth0", "eth1")}
		out, stop := run(t, k.watcher(t), 10)
		defer stop()
		nothing(t, out)
		time.Sleep(10500 * time.Millisecond)
		nothing(t, out)
		if n := k.looked(); n != 11 { // at 0, 1, ... 10 s
			t.Errorf("%d looks in 10.5 s without events, want 11", n)
		}

		k.change(func(h *host) { down(h.Named("eth1")) })
		k.events <- nil
		u := next(t, out)
		if u.At != flow.Time(10500*time.Millisecond) {
			t.Errorf("event seen at %v, want at once (10.5 s)", time.Duration(u.At))
		}
		want := []Change{{Link: 2, Name: "eth1", Change: "down", Was: "up", Now: "down"}}
		if diff := cmp.Diff(want, u.Changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}

		k.change(func(h *host) { h.Named("eth0").SpeedBps = 25e9 }) // no event for that
		time.Sleep(1001 * time.Millisecond)
		if u := next(t, out); u.Links[0].SpeedBps != 25e9 || len(u.Changes) != 0 {
			t.Errorf("after the look: %+v", u)
		}
	})
}

// A storm of events makes ten looks a second.
func TestWatcherEventStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKernel{h: newHost(t).dev("eth0", physical)}
		out, stop := run(t, k.watcher(t), 10)
		defer stop()
		synctest.Wait()
		k.looked()
		for range 2000 { // one a millisecond
			k.events <- nil
			time.Sleep(time.Millisecond)
		}
		nothing(t, out)
		if n := k.looked(); n < 19 || n > 21 {
			t.Errorf("%d looks in 2 s of events, want 20", n)
		}
	})
}

// While nobody takes an update they are merged; nothing that happened is lost.
func TestWatcherMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKernel{h: newHost(t).bond("bond0", "eth0", "eth1")}
		out, stop := run(t, k.watcher(t), 0)
		defer stop()
		synctest.Wait()
		k.change(func(h *host) { down(h.Named("eth0")) })
		time.Sleep(time.Second)
		synctest.Wait()
		k.change(func(h *host) { h.dev("eth2", physical, h.in("bond0")) })
		time.Sleep(time.Second)
		synctest.Wait()
		k.change(func(h *host) {
			h.remove("eth1")
			h.dev("eth1", physical, h.in("bond0"))
		})
		time.Sleep(time.Second)
		synctest.Wait()

		u := <-out
		var told []string
		for _, c := range u.Changes {
			told = append(told, c.Name+" "+c.Change)
		}
		if diff := cmp.Diff([]string{"eth0 down", "eth2 joined", "eth1 down", "eth1 up"}, told); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]flow.LinkID{3}, u.Added); diff != "" {
			t.Errorf("added (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]flow.LinkID{2}, u.Reopen); diff != "" {
			t.Errorf("reopen (-want +got):\n%s", diff)
		}
		if u.Links[0].State != flow.LinkDown || u.Links[1].Ifindex != 6 || len(u.Links) != 3 {
			t.Errorf("links are not the newest: %+v", u.Links)
		}
		nothing(t, out)
	})
}

// A link that flaps for ever beside a stuck reader does not grow memory.
func TestWatcherMergeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKernel{h: newHost(t).dev("eth0", physical)}
		out, stop := run(t, k.watcher(t), 0)
		defer stop()
		for i := range 600 {
			k.change(func(h *host) { h.Named("eth0").Carrier = i%2 == 1 })
			time.Sleep(time.Second)
			synctest.Wait()
		}
		u := <-out
		if len(u.Changes) != mostChanges {
			t.Errorf("%d changes kept, want %d", len(u.Changes), mostChanges)
		}
		if last := u.Changes[len(u.Changes)-1]; last.Now != "up" || u.Links[0].Epoch != 300 {
			t.Errorf("last change %+v, epoch %d; want up, 300", last, u.Links[0].Epoch)
		}
	})
}

func TestWatcherFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKernel{h: newHost(t).dev("eth0", physical)}
		out, stop := run(t, k.watcher(t), 10)
		defer stop()
		synctest.Wait()

		k.change(func(*host) { k.err = fmt.Errorf("read links: %w", ErrDumpInterrupted) })
		time.Sleep(5 * time.Second)
		if u := next(t, out); len(u.Notes) != 1 || u.Notes[0] != "read links: list changed while it was read" || len(u.Links) != 1 {
			t.Errorf("%+v, want one note and the links as they were", u)
		}
		nothing(t, out) // said once
		k.change(func(h *host) { k.err = nil; down(h.Named("eth0")) })
		time.Sleep(time.Second)
		if u := next(t, out); len(u.Notes) != 0 || len(u.Changes) != 1 {
			t.Errorf("after the failure: %+v", u)
		}

		k.events <- errors.New("no buffer")
		if u := next(t, out); len(u.Notes) != 1 || u.Notes[0] != "link events failed (no buffer): looking every second only" || len(u.Links) != 1 {
			t.Errorf("%+v, want one note", u)
		}
		k.change(func(h *host) { d := h.Named("eth0"); d.Carrier, d.Oper = true, 6 })
		time.Sleep(time.Second)
		if u := next(t, out); len(u.Changes) != 1 || u.Changes[0].Change != "up" {
			t.Errorf("looks do not go on: %+v", u)
		}
	})
}

// What was sent is not changed by later looks.
func TestWatcherUpdatesAreImmutable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKernel{h: newHost(t).bond("bond0", "eth0", "eth1")}
		w := k.watcher(t)
		first := w.First()
		kept := fmt.Sprintf("%+v %+v", first.Links, first.Bonds)
		out, stop := run(t, w, 10)
		defer stop()
		synctest.Wait()
		k.change(func(h *host) { down(h.Named("eth0")) })
		time.Sleep(time.Second)
		second := next(t, out)
		kept2 := fmt.Sprintf("%+v %+v", second.Links, second.Bonds)
		k.change(func(h *host) { h.Named("eth1").Name = "x" })
		time.Sleep(time.Second)
		next(t, out)
		if got := fmt.Sprintf("%+v %+v", first.Links, first.Bonds); got != kept {
			t.Errorf("first update changed:\n%s\n%s", kept, got)
		}
		if got := fmt.Sprintf("%+v %+v", second.Links, second.Bonds); got != kept2 {
			t.Errorf("second update changed:\n%s\n%s", kept2, got)
		}
	})
}
