package main

import "time"

// How long a trouble that may heal by itself lasts before a person is told.
const (
	spellTries = 3
	spellFor   = 10 * time.Second
)

// spell is a trouble that comes and goes: on a busy host single questions run
// out of time, and the next one is answered. It is news when it lasts, and when
// it ends after that.
type spell struct {
	since time.Time
	tries int
	told  bool
}

// failed takes a failure and reports whether to tell it now.
func (s *spell) failed(now time.Time) bool {
	if s.tries == 0 {
		s.since = now
	}
	s.tries++
	tell := !s.told && s.tries >= spellTries && now.Sub(s.since) >= spellFor
	s.told = s.told || tell
	return tell
}

// worked takes a success and reports whether to tell that the trouble is over.
func (s *spell) worked() bool {
	told := s.told
	*s = spell{}
	return told
}
