package nic

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// fakeDriver answers after took, or never.
type fakeDriver struct {
	took  time.Duration
	hang  chan struct{}
	tells bool
	err   error
}

func (d fakeDriver) read(s *flow.NICStats) (bool, error) {
	if d.hang != nil {
		<-d.hang
	}
	time.Sleep(d.took)
	s.Known[flow.NICMissed] = d.tells
	return d.tells, d.err
}

func (fakeDriver) close() {}

// TestCadence: once a second; every 5 s where a reading is slow; a driver that
// hangs holds up nobody, one that cannot tell is not asked again.
func TestCadence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		hang := make(chan struct{})
		drivers := map[int]fakeDriver{
			1: {took: 19 * time.Millisecond, tells: true},
			2: {took: 21 * time.Millisecond, tells: true},
			3: {hang: hang, tells: true},
			4: {err: unix.EOPNOTSUPP},
			5: {err: unix.ENODEV},
			6: {tells: false},
		}
		out := make(chan flow.NICStats, 64)
		r := newReader(func() flow.Time { return flow.Time(time.Since(begin)) }, out)
		r.open = func(ifindex int) (asker, error) { return drivers[ifindex], nil }
		var links []flow.Link
		for i := range drivers {
			links = append(links, flow.Link{ID: flow.LinkID(i), Ifindex: i})
		}
		r.SetLinks(links)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		time.Sleep(5500 * time.Millisecond)
		synctest.Wait()
		cancel()
		<-done // though number 3 hangs
		count := map[flow.LinkID]int{}
		for len(out) > 0 {
			s := <-out
			count[s.Link]++
			if s.Took != drivers[int(s.Link)].took || s.At < flow.Time(s.Took) {
				t.Errorf("%+v", s)
			}
		}
		// 0.019, 1.038, 2.057, 3.076, 4.095, 5.114 s; 0.021, 5.042 s
		if diff := cmp.Diff(map[flow.LinkID]int{1: 6, 2: 2}, count); diff != "" {
			t.Errorf("readings (-want +got):\n%s", diff)
		}
		r.Close()
		if r.left == 0 {
			t.Error("the one that hangs is not counted any more")
		}
		close(hang)
		synctest.Wait()
		if r.left != 0 || len(out) > 0 {
			t.Errorf("%d left, %d readings after the end", r.left, len(out))
		}
	})
}
