package ring

import (
	"errors"
	"fmt"
	"syscall"
)

// errShort: the disk is nearly full, and the ring has nothing to give back.
var errShort = errors.New("the disk is nearly full (under 5 % free)")

// leastFree is the part of the file system that stays free for others.
const leastFree = 0.05

// makeRoom sees to it that need bytes may be written: the oldest files go. On a
// disk that is nearly full the ring takes no more than it has.
func (r *Ring) makeRoom(need int64) error {
	limit := r.cfg.Size
	if err := r.lookAtDisk(need); err != nil {
		return err
	}
	if r.short > 0 {
		if limit = min(limit, r.short); limit < pieces*leastFile {
			return errShort
		}
	}
	for r.size()+need > limit {
		if len(r.dir.files) == 0 {
			if r.part == nil || r.part.frames == 0 {
				return errShort
			}
			r.endPart() // so that it can go
			continue
		}
		if err := r.dir.removeOldest(); err != nil {
			return fmt.Errorf("delete the oldest file: %w", err)
		}
	}
	return nil
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
	case float64(available)-float64(need) >= leastFree*float64(total):
		r.short = 0
	case r.short == 0:
		r.short = max(r.size(), 1)
	}
	return nil
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
		if err := r.dir.removeOldest(); err != nil {
			r.sayUndeletable(err)
			return
		}
	}
}

// sayUndeletable says once that a file which is too old stays.
func (r *Ring) sayUndeletable(err error) {
	if name := r.dir.files[0].name; name != r.stays {
		r.stays = name
		r.cfg.Say(fmt.Sprintf("ring %s: delete %s: %s", r.cfg.Dir, name, plain(err)))
	}
}

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
