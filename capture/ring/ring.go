package ring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	// roundEvery is how often the recorders are read. A frame is written in the
	// round after the one that read it, at the latest: a kill loses some 600 ms.
	roundEvery = 300 * time.Millisecond
	// roundMost bounds what a round takes of the recorders, in bytes.
	roundMost = 16 << 20
	// lockMost bounds what is read while a recorder is locked: some 100 µs.
	lockMost = 256 << 10
	// retryEvery is how long nothing is tried after a failure.
	retryEvery = 5 * time.Second
)

// Ring writes frames to disk. SetSources may be called from any goroutine,
// everything else belongs to one.
type Ring struct {
	cfg    Config
	dir    *folder
	part   *part // nil = none is open
	inputs []*input
	wait   []ref // read in the last round and not written yet
	cut    int64 // newest stamp of the last round

	retry   time.Time       // after a failure: not before
	trouble string          // what was said of it last
	skipped uint64          // frames since it began
	missed  uint64          // frames that were overwritten and not yet spoken of
	spoke   time.Time       // of them
	stays   map[string]bool // files of which it was said that they cannot be deleted
	short   int64           // bytes beyond which a disk that is (nearly) full keeps the ring, 0 = it is not
	hold    time.Time       // short stays until then, whatever the disk says

	mu      sync.Mutex // protects what follows
	changed bool
	named   map[device]Source
	order   []device

	// The goroutine of Round again.
	sources, before map[device]Source // named, as Round has taken it, and what it was then
	listed          []device
}

// Open opens the directory, makes it if need be, and counts the files of earlier
// runs. It fails if another process has it (ErrBusy), or if nothing can be written
// there; a disk without room is no reason to fail.
func Open(cfg Config) (*Ring, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("ring %s: %w", cfg.Dir, err)
	}
	cfg.Dir = abs
	r := &Ring{cfg: cfg}
	if r.dir, err = openFolder(abs); err != nil {
		return nil, fmt.Errorf("ring %s: %w", abs, err)
	}
	if err := r.tryWriting(); err != nil && !noSpace(err) {
		r.dir.close()
		return nil, fmt.Errorf("ring %s: %w", abs, err)
	}
	return r, nil
}

// tryWriting makes a file and removes it again.
func (r *Ring) tryWriting() error {
	f, err := r.dir.create(r.cfg.Now())
	if err != nil {
		return err
	}
	f.Close()
	return r.dir.root.Remove(filepath.Base(f.Name()))
}

// Dir is the directory, as an absolute path.
func (r *Ring) Dir() string { return r.cfg.Dir }

// SetSources says what there is to write, from the next round on. A device that
// is not named any more is written as what it was called last.
func (r *Ring) SetSources(list []Source) {
	named := map[device]Source{}
	var order []device
	for _, s := range list {
		if _, twice := named[s.device()]; !twice {
			order = append(order, s.device())
		}
		named[s.device()] = s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.named, r.order, r.changed = named, order, true
}

// Run writes until ctx ends. Close must follow.
func (r *Ring) Run(ctx context.Context) {
	t := time.NewTicker(roundEvery)
	defer t.Stop()
	for ctx.Err() == nil {
		if r.Round() {
			continue // there is more
		}
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
}

// Round reads what has come and writes what has been read before; more says that
// a recorder holds more than a round takes. It blocks as long as the disk does.
func (r *Ring) Round() (more bool) {
	r.takeSources()
	fresh, more := r.read()
	cut := r.cut
	r.cut = 0
	for i := range fresh {
		r.cut = max(r.cut, fresh[i].f.Stamp)
	}
	ready := r.wait
	var wait []ref
	for _, x := range fresh {
		if x.f.Stamp <= cut {
			ready = append(ready, x)
		} else {
			wait = append(wait, x)
		}
	}
	r.write(ready)
	r.wait = wait
	for _, in := range r.inputs {
		in.old, in.fresh = in.fresh, in.old
		in.fresh.Reset()
	}
	r.expire()
	return more
}

// Close writes what is left and closes the file. No frame may be added meanwhile.
func (r *Ring) Close() {
	for r.Round() {
	}
	r.Round() // what waited
	r.endPart()
	r.dir.close()
}

// takeSources sees to a change of SetSources.
func (r *Ring) takeSources() {
	r.mu.Lock()
	named, order, changed := r.named, r.order, r.changed
	r.changed = false
	r.mu.Unlock()
	if !changed {
		return
	}
	r.before, r.sources, r.listed = r.sources, named, order
	for i := range order {
		if !slices.ContainsFunc(r.inputs, func(in *input) bool { return in.mem == order[i].mem }) {
			r.inputs = append(r.inputs, &input{mem: order[i].mem, tail: order[i].mem.Tail()})
		}
	}
	if r.part == nil {
		return
	}
	for d, wr := range r.part.ifs {
		if s, ok := r.sources[d]; ok && s.differs(&wr.source) {
			r.endPart() // a file tells one truth about a device
			return
		}
	}
}

// source describes a device; one that has just gone has frames under way.
func (r *Ring) source(d device) Source {
	for _, named := range []map[device]Source{r.sources, r.before} {
		if s, ok := named[d]; ok {
			return s
		}
	}
	return unnamed(d, r.cfg.Unnamed)
}

// read takes what is new in the recorders. They take turns in the order of time,
// so that after a backlog they are at the same moment still.
func (r *Ring) read() (list []ref, more bool) {
	left := slices.Clone(r.inputs)
	for taken := 0; taken < roundMost && len(left) > 0; taken += lockMost {
		k := 0
		for i := range left {
			if left[i].last < left[k].last {
				k = i
			}
		}
		if !r.take(left[k]) {
			left = slices.Delete(left, k, k+1)
		}
	}
	for _, in := range r.inputs {
		for i := range in.fresh.Frames {
			if f := &in.fresh.Frames[i]; !r.sources[device{in.mem, f.Ifindex}].Skip {
				list = append(list, ref{in, f})
			}
		}
	}
	r.sayMissed()
	return list, len(left) > 0
}

// take reads some of an input and reports whether it holds more.
func (r *Ring) take(in *input) (more bool) {
	missed, more := in.tail.Next(&in.fresh, lockMost)
	in.missed += missed
	r.missed += missed
	if n := len(in.fresh.Frames); n > 0 {
		in.last = in.fresh.Frames[n-1].Stamp
	}
	return more
}

// sayMissed says that the recorders were overwritten before they were read, at
// most once a minute.
func (r *Ring) sayMissed() {
	if now := r.cfg.Now(); r.missed > 0 && now.Sub(r.spoke).Abs() >= time.Minute {
		r.cfg.Say(fmt.Sprintf("ring %s: %d frames came faster than they could be written and are missing there", r.cfg.Dir, r.missed))
		r.missed, r.spoke = 0, now
	}
}

// piece is how many frames are written between two looks at size and space.
const piece = 512

// write writes frames in the order of their stamps.
func (r *Ring) write(ready []ref) {
	slices.SortStableFunc(ready, func(a, b ref) int {
		switch {
		case a.f.Stamp < b.f.Stamp:
			return -1
		case a.f.Stamp > b.f.Stamp:
			return 1
		}
		return 0
	})
	for part := range slices.Chunk(ready, piece) {
		err := r.writePiece(part)
		if noSpace(err) && r.giveBack() {
			err = r.writePiece(part)
		}
		if err != nil {
			r.skip(part)
			r.failed(err)
		}
	}
}

// writePiece writes some frames, all or none.
func (r *Ring) writePiece(frames []ref) error {
	now := r.cfg.Now()
	if now.Before(r.retry) && r.retry.Sub(now) <= retryEvery {
		r.skip(frames)
		return nil
	}
	for _, in := range r.inputs {
		in.before = in.missed
	}
	err := r.makeRoom(estimate(frames))
	if err == nil {
		err = r.havePart(now)
	}
	for i := 0; i < len(frames) && err == nil; i++ {
		err = r.frame(frames[i])
	}
	if err == nil {
		err = r.part.flush()
	}
	if err != nil { // what of it stands in the file is cut off
		for _, in := range r.inputs {
			in.missed = in.before
		}
		return err
	}
	r.recovered(now)
	return nil
}

// skip counts frames that are not written.
func (r *Ring) skip(frames []ref) {
	for _, x := range frames {
		x.in.missed += uint64(x.f.Drops) + 1
	}
	r.skipped += uint64(len(frames))
}

// frame writes one frame with the losses in front of it.
func (r *Ring) frame(x ref) error {
	d := device{x.in.mem, x.f.Ifindex}
	wr := r.part.ifs[d]
	if wr == nil {
		s := r.source(d)
		var err error
		if wr, err = r.part.add(&s, r.cfg.Snaplen); err != nil {
			return err
		}
	}
	if err := r.part.frame(wr, x.f, x.in.missed+uint64(x.f.Drops)); err != nil {
		return err
	}
	x.in.missed = 0
	return nil
}

// estimate is about what frames take in a file.
func estimate(frames []ref) (n int64) {
	const most = 68 // of a block beside the data: its head, options, padding
	for _, x := range frames {
		n += int64(len(x.f.Data)) + most
	}
	return n
}

// havePart sees to it that a file is open and not too old or big.
func (r *Ring) havePart(now time.Time) error {
	if r.part != nil && (r.part.gone() || r.part.size >= r.fileSize() || now.Sub(r.part.began).Abs() >= r.cfg.fileTime()) {
		r.endPart()
	}
	if r.part != nil {
		return nil
	}
	if r.dir.moved() {
		if err := r.reopen(); err != nil {
			return err
		}
	}
	f, err := r.dir.create(now)
	if err != nil {
		return err
	}
	if r.cfg.UID > 0 || r.cfg.GID > 0 {
		_ = f.Chown(r.cfg.UID, r.cfg.GID) // else they stay with root: no reason to have none
	}
	r.part = newPart(f, &r.cfg, now)
	for _, d := range r.listed {
		if s := r.source(d); !s.OnDemand && !s.Skip {
			if _, err := r.part.add(&s, r.cfg.Snaplen); err != nil {
				return err
			}
		}
	}
	return nil
}

// reopen makes the directory again.
func (r *Ring) reopen() error {
	d, err := openFolder(r.cfg.Dir)
	if err != nil {
		return err
	}
	r.dir.close()
	d.next = max(d.next, r.dir.next)
	r.dir = d
	return nil
}

// endPart closes the open file.
func (r *Ring) endPart() {
	p := r.part
	if p == nil {
		return
	}
	r.part = nil
	if err := p.end(); err != nil {
		r.failed(err)
	}
	name := filepath.Base(p.name)
	if p.frames == 0 {
		_ = r.dir.root.Remove(name) // it holds no frame
		return
	}
	r.dir.add(name, p.size, r.cfg.Now())
}

// abandonPart closes the file in which a write has failed.
func (r *Ring) abandonPart() {
	p := r.part
	if p == nil {
		return
	}
	r.part = nil
	p.abandon()
	if name := filepath.Base(p.name); p.size == 0 {
		_ = r.dir.root.Remove(name)
	} else {
		r.dir.add(name, p.size, r.cfg.Now())
	}
}

// failed says what went wrong, once until it is over, and waits for a while. The file at hand is
// closed: its last block may be a torn one, which is cut off.
func (r *Ring) failed(err error) {
	r.abandonPart()
	r.retry = r.cfg.Now().Add(retryEvery)
	if text := plain(err); r.trouble == "" {
		r.trouble = text
		r.cfg.Say(fmt.Sprintf("ring %s: %s: frames are not written until that has changed", r.cfg.Dir, text))
	}
}

// recovered says that it goes on, when it has done so for a while: on a full disk
// somebody makes room and takes it again.
func (r *Ring) recovered(now time.Time) {
	if r.trouble == "" || now.Sub(r.retry).Abs() < retryEvery {
		return
	}
	r.cfg.Say(fmt.Sprintf("ring %s: goes on; %d frames are missing in it", r.cfg.Dir, r.skipped))
	r.trouble, r.skipped = "", 0
}

// plain is an error without the path, which stands before it already.
func plain(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Op + ": " + pe.Err.Error()
	}
	return err.Error()
}
