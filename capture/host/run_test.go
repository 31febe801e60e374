package host

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// runs says when a pacer looked and published, in milliseconds.
type runs struct {
	looks, published []int
}

// pace runs a pacer for d; events happen at the given milliseconds.
func pace(d, cost time.Duration, events []int, find func(n int) (Look, error)) (r runs) {
	begin := time.Now()
	ms := func() int { return int(time.Since(begin) / time.Millisecond) }
	p := pacer{
		find: func(context.Context) (Look, error) {
			r.looks = append(r.looks, ms())
			time.Sleep(cost)
			return find(len(r.looks))
		},
		publish: func(Look) { r.published = append(r.published, ms()) },
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	changed := make(chan struct{}, 1)
	go func() {
		for _, at := range events {
			time.Sleep(time.Duration(at)*time.Millisecond - time.Since(begin))
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		close(changed) // a closed channel must not make it spin
	}()
	p.run(ctx, changed)
	return r
}

func always(int) (Look, error) { return Look{}, nil }

func every(from, to, step int) (list []int) {
	for at := from; at <= to; at += step {
		list = append(list, at)
	}
	return list
}

func TestRun(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cost   time.Duration
		events []int
		find   func(n int) (Look, error)
		want   runs
	}{
		{
			name: "without events: at once, 2 s later, then each minute",
			find: always,
			want: runs{looks: []int{0, 2000, 62000}, published: []int{0}},
		},
		{
			name:   "a guest's start: 0.3 s after the last event and 2 s after that",
			events: []int{10000, 10100, 10200},
			find:   func(n int) (Look, error) { return Look{NICs: make([]flow.GuestNIC, min(n, 4))}, nil },
			want:   runs{looks: []int{0, 2000, 10500, 12500, 72500}, published: []int{0, 2000, 10500, 12500}},
		},
		{
			name:   "events without end: 2 s after the first, then 2 s after the next",
			events: every(10000, 14000, 100), // the look at 12.0 s is followed by the event of 12.1 s
			find:   always,
			want:   runs{looks: []int{0, 2000, 12000, 14000, 14300, 16300, 76300}, published: []int{0}},
		},
		{
			name:   "dear looks are rare: 19 times their cost apart",
			cost:   time.Second, // 0 to 1 s, then at 1+19 s; an event at 25 s waits until 21+19 s
			events: []int{25000},
			find:   always,
			want:   runs{looks: []int{0, 20000, 40000, 60000}, published: []int{1000}},
		},
		{
			name: "a look that fails is passed over",
			find: func(n int) (Look, error) {
				if n != 2 {
					return Look{}, errors.New("no")
				}
				return Look{}, nil
			},
			want: runs{looks: []int{0, 2000, 62000}, published: []int{2000}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := pace(80*time.Second, tt.cost, tt.events, tt.find)
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(runs{})); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		})
	}
}
