package hops

import "spiketop/flow"

// series is one ping of a VM, or of somebody who pings a VM.
type series struct {
	key      SeriesKey
	gen      uint32
	bucket   uint8
	known    bool // in Live.known, else in Live.young
	usual    uint8
	misses   uint8
	hasEntry bool
	entry    Place
	vifs     [2]int32 // of FromGuest and ToGuest
	pending  int
	answered int
	n        int64     // echoes so far
	last     flow.Time // the newest one began
}

// places is the bit mask of the places at which p was seen.
func (p *pending) places() (mask uint8) {
	for i := range Places {
		if p.seen&(0b11<<(2*i)) != 0 {
			mask |= 1 << i
		}
	}
	return mask
}

// learn notes where an answered echo was seen. Who was seen at less places than
// usual says nothing, unless it goes on: then the way is another one.
func (s *series) learn(p *pending, entry Place) {
	mask := p.places()
	if mask&s.usual != s.usual {
		if s.misses++; s.misses < liveMisses {
			return
		}
	}
	s.hasEntry, s.entry, s.usual, s.misses = true, entry, mask, 0
	s.vifs = [2]int32{p.where[2*FromGuest], p.where[2*ToGuest]}
}

// judges reports whether p can be compared with the others of its series: its
// time begins at the same place.
func (s *series) judges(p *pending, entry Place) bool {
	return !s.hasEntry || entry == s.entry || p.places()&(1<<s.entry) != 0
}

// seriesOf returns the series of p, nil if it has been forgotten.
func (l *Live) seriesOf(p *pending) *series {
	if p.series == none || l.series[p.series].gen != p.seriesGen {
		return nil
	}
	return &l.series[p.series]
}

// seriesFor finds or makes the series of key; none where there is no room.
func (l *Live) seriesFor(key SeriesKey, bucket int, at flow.Time) int32 {
	if i, ok := l.byKey[key]; ok {
		if l.series[i].known {
			l.known.remove(0, i)
			l.known.push(0, i)
		} else {
			l.young.remove(bucket, i)
			l.young.push(bucket, i)
		}
		return i
	}
	if len(l.byKey) >= l.cfg.MaxSeries && !l.forgetSeries(bucket, at) {
		return none
	}
	var i int32
	if n := len(l.spare); n > 0 {
		i = l.spare[n-1]
		l.spare = l.spare[:n-1]
	} else {
		l.series = append(l.series, series{})
		i = int32(len(l.series) - 1)
	}
	l.series[i] = series{key: key, gen: l.series[i].gen, bucket: uint8(bucket)}
	l.byKey[key] = i
	l.young.push(bucket, i)
	return i
}

// forgetSeries makes room for a series of bucket.
func (l *Live) forgetSeries(bucket int, at flow.Time) bool {
	if i := l.young.heads[l.young.victim(bucket, l.cfg.MaxSeries)].first; i != none {
		l.forget(i)
		return true
	}
	return l.forgetKnown(at)
}

// forgetKnown forgets the known series that has been idle for longest, if that
// is long.
func (l *Live) forgetKnown(at flow.Time) bool {
	i := l.known.heads[0].first
	if i == none || at.Sub(l.series[i].last) < liveIdle {
		return false
	}
	l.forget(i)
	return true
}

func (l *Live) forget(i int32) {
	s := &l.series[i]
	if s.known {
		l.known.remove(0, i)
	} else {
		l.young.remove(int(s.bucket), i)
	}
	delete(l.byKey, s.key)
	s.gen++
	l.spare = append(l.spare, i)
	l.count.Forgotten++
}

// promote makes a series known: it is reported from now on, and a flood of others
// does not push it out.
func (l *Live) promote(i int32) {
	s := &l.series[i]
	if int(l.known.heads[0].n) >= l.maxKnown && !l.forgetKnown(s.last) {
		s.answered-- // it may try again
		return
	}
	l.young.remove(int(s.bucket), i)
	l.known.push(0, i)
	s.known = true
}
