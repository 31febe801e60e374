package ring

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// errShort: the disk is nearly full, and the ring has nothing to give back.
var errShort = errors.New("the disk is nearly full (under 5 % free)")

// leastFree is the part of the file system that stays free for others.
const leastFree = 0.05

// leastRing is what a ring may shrink to, in bytes.
const leastRing = pieces * leastFile

// makeRoom sees to it that need bytes may be written: the oldest files go. On a
// disk that is nearly full the ring takes no more than it has.
func (r *Ring) makeRoom(need int64) error {
	limit := r.cfg.Size
	if err := r.lookAtDisk(need); err != nil {
		return err
	}
	if r.short > 0 {
		if limit = min(limit, r.short); limit < leastRing {
			return errShort
		}
	}
	if need > limit {
		return errShort
	}
	for r.size()+need > limit {
		if len(r.dir.files) > 0 {
			r.removeOldest()
			continue
		}
		if r.part == nil || r.part.frames == 0 {
			return r.nothingGoes()
		}
		r.endPart() // so that it can go
	}
	return nil
}

// removeOldest deletes the oldest file. It says once that one stays.
func (r *Ring) removeOldest() {
	name := r.dir.files[0].name
	if err := r.dir.removeOldest(); err != nil && !r.stays[name] {
		if r.stays == nil {
			r.stays = map[string]bool{}
		}
		r.stays[name] = true
		r.cfg.Say(fmt.Sprintf("ring %s: delete %s: %s", r.cfg.Dir, name, plain(err)))
	}
}

// nothingGoes is the error where nothing can be given back. What could not be
// deleted is tried again with the next attempt.
func (r *Ring) nothingGoes() error {
	if len(r.dir.stuck) == 0 {
		return errShort
	}
	r.dir.files, r.dir.stuck = r.dir.stuck, nil
	return errors.New("its files cannot be deleted")
}

// holdFor is how long the ring stays as small as a full disk has made it.
const holdFor = time.Minute

// giveBack sees to it that a ring which a write found no room for goes on with
// less, as far as there is something to give: a quota, or blocks that only root may
// use, are not seen beforehand. It reports whether to try again.
func (r *Ring) giveBack() bool {
	r.abandonPart()
	if r.size() < leastRing || len(r.dir.files) == 0 {
		return false
	}
	r.short, r.hold = r.size(), r.cfg.Now().Add(holdFor)
	return true
}

// lookAtDisk asks how much is free.
func (r *Ring) lookAtDisk(need int64) error {
	available, total, err := r.cfg.Statfs(r.cfg.Dir)
	if err != nil {
		if r.dir.moved() { // havePart makes it again
			return nil
		}
		return err
	}
	switch {
	case r.held():
	case float64(available)-float64(need) >= leastFree*float64(total):
		r.short = 0
	case r.short == 0:
		r.short = max(r.size(), 1)
	}
	return nil
}

// held reports whether a full disk was found lately.
func (r *Ring) held() bool {
	left := r.hold.Sub(r.cfg.Now())
	return left > 0 && left <= holdFor
}

// size is what the ring takes on disk.
func (r *Ring) size() int64 {
	n := r.dir.bytes
	if r.part != nil {
		n += r.part.size
	}
	return n
}

// fileSize is where a file ends.
func (r *Ring) fileSize() int64 {
	limit := r.cfg.Size
	if r.short > 0 {
		limit = min(limit, r.short)
	}
	return max(min(limit/pieces, mostFile), leastFile)
}

// expire deletes what is older than Keep.
func (r *Ring) expire() {
	if r.cfg.Keep == 0 {
		return
	}
	now := r.cfg.Now()
	if r.part != nil && now.Sub(r.part.began).Abs() >= r.cfg.fileTime() {
		r.endPart()
	}
	for len(r.dir.files) > 0 && now.Sub(r.dir.files[0].last) > r.cfg.Keep {
		r.removeOldest()
	}
}

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
