package main

import (
	"context"
	"io"
	"sync"
	"time"

	"spiketop/incident"
	"spiketop/incident/store"
)

// saveQueue is how many sealed incidents may wait for the disk; what comes on
// top is counted as lost and said. Retries begin after retryFirst and double.
const (
	saveQueue  = 4
	retryFirst = time.Second
	retryMost  = time.Minute
	lastTries  = 2 * time.Second // how long the end of the program waits for the disk
)

// saveJob is a sealed incident with the picture of its moment.
type saveJob struct {
	in          *incident.Incident
	screen, svg func(io.Writer) error
	packets     func(io.Writer) error // nil = there are none
}

// attachments are the files beside the store's own.
func (j *saveJob) attachments() []store.Attachment {
	list := []store.Attachment{{Name: "screen.txt", Write: j.screen}, {Name: "screen.svg", Write: j.svg}}
	if j.packets != nil {
		list = append(list, store.Attachment{Name: "packets.pcapng", Write: j.packets})
	}
	return list
}

// saved is what became of a job.
type saved struct {
	in  *incident.Incident
	dir string
	err error // with dir: only the clean-up failed; without: it is still in memory and will be tried again
}

// saver writes incidents to disk in its own goroutine, so that a slow disk
// holds up nothing, and tries again what failed: evidence in memory is not lost
// because a directory was unwritable for a minute.
type saver struct {
	jobs  chan saveJob
	done  chan saved
	close sync.Once // of jobs
}

func newSaver() *saver {
	return &saver{jobs: make(chan saveJob, saveQueue), done: make(chan saved, 2*saveQueue)}
}

// put hands a job over without waiting; false: the queue is full.
func (s *saver) put(j saveJob) bool {
	select {
	case s.jobs <- j:
		return true
	default:
		return false
	}
}

// stop says that no more jobs come.
func (s *saver) stop() { s.close.Do(func() { close(s.jobs) }) }

// end stops, and waits until run has ended.
func (s *saver) end() {
	s.stop()
	for range s.done {
	}
}

// run writes until jobs is closed and everything in it is written, or, once
// ctx has ended, has failed for lastTries. It closes done.
func (s *saver) run(ctx context.Context, st *store.Store) {
	defer close(s.done)
	for j := range s.jobs {
		s.write(ctx, st, j)
	}
}

func (s *saver) write(ctx context.Context, st *store.Store, j saveJob) {
	var deadline <-chan time.Time
	stopping := ctx.Done()
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		dir, err := st.Write(j.in, j.attachments())
		s.done <- saved{j.in, dir, err}
		if dir != "" {
			return
		}
		retry := time.NewTimer(wait)
		select {
		case <-retry.C:
		case <-stopping:
			deadline, stopping = time.After(lastTries), nil
		case <-deadline:
			retry.Stop()
			return
		}
	}
}
