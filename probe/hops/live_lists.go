package hops

// none ends a list.
const none = int32(-1)

// lists are doubly linked lists of slots of a slab. A slot is in one list at
// most. Taking and giving cost nothing but the links.
type lists struct {
	heads []listHead
	links []listLink // by slot
}

type listHead struct{ first, last, n int32 }

type listLink struct{ prev, next int32 }

func newLists(n int) lists {
	l := lists{heads: make([]listHead, n)}
	for i := range l.heads {
		l.heads[i] = listHead{none, none, 0}
	}
	return l
}

// push puts slot i at the end of list h.
func (l *lists) push(h int, i int32) {
	for int(i) >= len(l.links) {
		l.links = append(l.links, listLink{none, none})
	}
	head := &l.heads[h]
	l.links[i] = listLink{head.last, none}
	if head.last != none {
		l.links[head.last].next = i
	} else {
		head.first = i
	}
	head.last = i
	head.n++
}

// remove takes slot i out of list h, in which it must be.
func (l *lists) remove(h int, i int32) {
	head, at := &l.heads[h], l.links[i]
	if at.prev != none {
		l.links[at.prev].next = at.next
	} else {
		head.first = at.next
	}
	if at.next != none {
		l.links[at.next].prev = at.prev
	} else {
		head.last = at.prev
	}
	head.n--
}

// victim is the list that must give a slot for a newcomer to list h, when limit
// slots are all in use: h itself as soon as it has its part of them, else the
// longest. So whoever floods takes from himself.
func (l *lists) victim(h, limit int) int {
	if int(l.heads[h].n) > limit/len(l.heads) {
		return h
	}
	most := h
	for i := range l.heads {
		if l.heads[i].n > l.heads[most].n {
			most = i
		}
	}
	return most
}

// buckets is among how many lists the pairs of addresses are spread.
const buckets = 256

// bucketOf spreads pairs of addresses (FNV-1a).
func bucketOf(src, dst *[16]byte) int {
	h := uint32(2166136261)
	for _, b := range src {
		h = (h ^ uint32(b)) * 16777619
	}
	for _, b := range dst {
		h = (h ^ uint32(b)) * 16777619
	}
	return int((h ^ h>>16 ^ h>>8) % buckets)
}
