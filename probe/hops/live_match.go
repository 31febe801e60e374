package hops

import (
	"math"

	"spiketop/flow"
)

// Echo takes a request or reply that was seen on a vif or a NIC. Echoes that are
// no VM's are the caller's to keep away.
func (l *Live) Echo(e *flow.Echo) {
	s, ok := sightOf(e)
	if !ok {
		return
	}
	key := KeyOf(e)
	best, what := none, foreign
	head, known := l.newest[key]
	if known {
		best, what = l.nearest(head, &s)
	}
	switch what {
	case again:
		l.copied(&l.slab[best], &s)
		return
	case foreign:
		older := none
		if known {
			older = head
		}
		if best = l.begin(key, older, &s); best == none {
			l.count.Skipped++
			return
		}
	}
	p := &l.slab[best]
	p.take(&s)
	if entry, ok := p.entry(); ok && !p.queued && p.has(2*int(entry)+1) {
		p.queued = true
		l.ready = append(l.ready, ref{best, p.gen})
	}
}

// nearest returns the echo of the chain to which s belongs.
func (l *Live) nearest(head int32, s *liveSight) (best int32, what match) {
	best = none
	apart := int64(math.MaxInt64)
	for i, n := head, 0; i != none && n < liveChain; i, n = l.slab[i].older, n+1 {
		p := &l.slab[i]
		w := l.matches(p, s)
		if w == foreign {
			continue
		}
		d := int64(s.at.Sub(p.begin()))
		if d < 0 {
			d = -d
		}
		if d < apart {
			best, what, apart = i, w, d
		}
	}
	return best, what
}

// copied counts what was seen again.
func (l *Live) copied(p *pending, s *liveSight) {
	if !s.reply {
		l.count.Copies++
		return
	}
	slot := s.slot()
	if p.has(slot) && p.where[slot] == s.where && p.copies[s.place] < math.MaxUint8 {
		p.copies[s.place]++
	}
}

// begin makes a new pending echo, in place of another one where there is no
// room; none for a series that has enough of them.
func (l *Live) begin(key Key, older int32, s *liveSight) int32 {
	bucket := bucketOf(&key.Src, &key.Dst)
	si := l.seriesFor(key.Series(), bucket, s.at)
	if si == none {
		return none
	}
	sr := &l.series[si]
	if sr.pending >= liveAtOnce || sr.n > 0 && s.at < sr.last.Add(liveSpacing) {
		return none
	}
	if l.full() {
		v := l.leastWanted(bucket)
		l.count.Evicted++
		if v == older {
			older = l.slab[v].older
		}
		l.drop(v)
	}
	i := l.slot()
	p := &l.slab[i]
	*p = pending{key: key, gen: p.gen, series: si, seriesGen: sr.gen, older: older, occurrence: 1, bucket: uint8(bucket), offset: s.offset}
	if older != none {
		p.occurrence = l.slab[older].occurrence + 1
	}
	sr.n++
	sr.pending++
	sr.last = s.at
	p.n = sr.n
	l.newest[key] = i
	if p.kept = sr.known; p.kept {
		l.kept.push(bucket, i)
	} else {
		l.fair.push(bucket, i)
	}
	l.order.push(0, i)
	if sr.known {
		l.waiting = append(l.waiting, ref{i, p.gen})
	}
	return i
}

// leastWanted is the echo that goes for a newcomer of bucket.
func (l *Live) leastWanted(bucket int) int32 {
	if v := l.fair.heads[l.fair.victim(bucket, l.cfg.MaxPending)].first; v != none {
		return v
	}
	return l.kept.heads[l.kept.victim(bucket, l.cfg.MaxPending)].first
}

func (l *Live) full() bool { return len(l.free) == 0 && len(l.slab) >= l.cfg.MaxPending }

func (l *Live) slot() int32 {
	if n := len(l.free); n > 0 {
		i := l.free[n-1]
		l.free = l.free[:n-1]
		return i
	}
	l.slab = append(l.slab, pending{})
	return int32(len(l.slab) - 1)
}

// at returns what r names, nil if it is over.
func (l *Live) at(r ref) *pending {
	if p := &l.slab[r.i]; p.gen == r.gen {
		return p
	}
	return nil
}

// drop forgets the echo in slot i.
func (l *Live) drop(i int32) {
	p := &l.slab[i]
	if s := l.seriesOf(p); s != nil {
		s.pending--
	}
	if l.newest[p.key] == i {
		if p.older != none {
			l.newest[p.key] = p.older
		} else {
			delete(l.newest, p.key)
		}
	} else {
		for j := l.newest[p.key]; j != none; j = l.slab[j].older {
			if l.slab[j].older == i {
				l.slab[j].older = p.older
				break
			}
		}
	}
	if p.kept {
		l.kept.remove(int(p.bucket), i)
	} else {
		l.fair.remove(int(p.bucket), i)
	}
	l.order.remove(0, i)
	p.gen++
	l.free = append(l.free, i)
}
