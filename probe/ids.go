package probe

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
)

// IDs hands out ICMP echo ids that are unique among the pingers of this
// process. The zero value is ready. It may be used from any goroutine.
type IDs struct {
	mu      sync.Mutex // protects all below
	used    map[uint16]bool
	resting []uint16 // given back lately, oldest first: answers to them may still come
}

// restIDs is how many ids rest after use. At one restart a second for each of
// 100 targets, that is ten seconds.
const restIDs = 1024

var errNoID = errors.New("no free ICMP id")

// take returns a random id that is neither 0 nor used nor resting, or such a one
// of pick's choice where pick is not nil and makes one.
func (s *IDs) take(pick func(taken func(id uint16) bool) (uint16, bool)) (uint16, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = make(map[uint16]bool)
	}
	if len(s.used)+len(s.resting) > 1<<15 {
		return 0, errNoID // the loop below must stay short
	}
	taken := func(id uint16) bool { return id == 0 || s.used[id] || slices.Contains(s.resting, id) }
	if pick != nil {
		if id, ok := pick(taken); ok && !taken(id) {
			s.used[id] = true
			return id, nil
		}
	}
	for {
		id := uint16(rand.N(1<<16-1) + 1)
		if !taken(id) {
			s.used[id] = true
			return id, nil
		}
	}
}

// release gives an id back.
func (s *IDs) release(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.used, id)
	s.resting = append(s.resting, id)
	if n := len(s.resting) - restIDs; n > 0 {
		s.resting = slices.Delete(s.resting, 0, n)
	}
}
