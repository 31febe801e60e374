package socket

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spiketop/flow"
)

// slow answers with what it was asked, after a second.
func slow(asked *[]Request) func(<-chan Request, chan<- Answer) {
	return func(work <-chan Request, done chan<- Answer) {
		for r := range work {
			*asked = append(*asked, r)
			time.Sleep(time.Second)
			done <- Answer{ID: r.ID}
		}
	}
}

func TestRequestsArePiledUpNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := make(chan Request), make(chan Answer)
		ended := make(chan struct{})
		var asked []Request
		go func() {
			defer close(ended)
			serve(t.Context(), in, out, slow(&asked))
		}()
		begin := time.Now()
		in <- Request{ID: 1, Sockets: []flow.Socket{conn(1)}}
		synctest.Wait() // it is with the worker
		in <- Request{ID: 2, Sockets: []flow.Socket{conn(2), conn(3)}, Thorough: true, TCPInfo: []flow.Socket{conn(2)}}
		in <- Request{ID: 3, Sockets: []flow.Socket{conn(3), conn(4)}, Listeners: true}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("sending took %s", waited)
		}
		time.Sleep(10 * time.Second) // the first answer waits, so nothing new is begun
		in <- Request{ID: 4}
		first, second := <-out, <-out
		equal(t, []uint64{first.ID, second.ID}, []uint64{1, 4})
		equal(t, asked, []Request{
			{ID: 1, Sockets: []flow.Socket{conn(1)}},
			{ID: 4, Sockets: []flow.Socket{conn(3), conn(4), conn(2)}, TCPInfo: []flow.Socket{conn(2)}, Listeners: true, Thorough: true},
		})
		close(in)
		<-ended
	})
}

func TestServeEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(cancel context.CancelFunc, in chan Request)
		want bool // the last answer still comes
	}{
		{"context", func(cancel context.CancelFunc, _ chan Request) { cancel() }, false},
		{"channel closed", func(_ context.CancelFunc, in chan Request) { close(in) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				in, out := make(chan Request), make(chan Answer, 1)
				ended := make(chan struct{})
				var asked []Request
				go func() {
					defer close(ended)
					serve(ctx, in, out, slow(&asked))
				}()
				in <- Request{ID: 1}
				synctest.Wait()
				c.end(cancel, in)
				<-ended // a goroutine that stays would fail the bubble
				if got := len(out) == 1; got != c.want {
					t.Errorf("an answer came: %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestMergeIsBounded(t *testing.T) {
	var older, newer Request
	for i := range MaxAsked {
		older.Sockets = append(older.Sockets, conn(i))
	}
	newer.Sockets = []flow.Socket{conn(60000)}
	got := merge(older, newer).Sockets
	if len(got) != MaxAsked || got[0] != conn(60000) {
		t.Errorf("%d sockets, first %v; want %d, the newer's first", len(got), got[0], MaxAsked)
	}
}

// TestRun: through the real thing, over a made-up host.
func TestRun(t *testing.T) {
	tr := newTree(t)
	tr.process(70, "one", 500, 100)
	o, _, all := made(tr, Options{}, 1)
	in, out := make(chan Request), make(chan Answer)
	ended := make(chan struct{})
	go func() { defer close(ended); o.Run(t.Context(), in, out) }()
	in <- Request{ID: 9, Sockets: all}
	a := <-out
	equal(t, a.Owners, map[flow.Socket]flow.Owner{all[0]: {PID: 70, Name: "one"}})
	if a.ID != 9 || a.At.IsZero() || a.Err != nil {
		t.Errorf("answer %+v", a)
	}
	close(in)
	<-ended
}

// TestWorkerPanics: a panic of the worker ends serve, in the goroutine of its
// caller, who can restore the terminal first.
func TestWorkerPanics(t *testing.T) {
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "odd bytes") || !strings.Contains(fmt.Sprint(v), "in the socket worker:\ngoroutine ") {
			t.Errorf("recovered %v, want the worker's panic and its stack", v)
		}
	}()
	in := make(chan Request, 1)
	in <- Request{ID: 1}
	serve(t.Context(), in, make(chan Answer), func(work <-chan Request, _ chan<- Answer) {
		<-work
		panic("odd bytes")
	})
	t.Error("serve returned")
}
