package hops

// Way is the way out (the request's) or back (the reply's).
type Way uint8

// Ways. The zero Way is not known.
const (
	WayUnknown Way = iota
	WayOut
	WayBack
)

// Loss says that the echo was lost, behind which point, and on which way. It was
// lost if the first point that saw its request saw no reply. A blind point is no
// witness; behind the last witness the way is not known.
func (e *Echo) Loss() (after int, way Way, lost bool) {
	sent, request, reply, witness := -1, -1, -1, -1
	for i := range e.Hops {
		h := &e.Hops[i]
		if h.HasRequest || h.HasReply || !h.Blind {
			witness = i
		}
		if h.HasRequest {
			request = i
			if sent < 0 {
				sent = i
			}
		}
		if h.HasReply && reply < 0 {
			reply = i
		}
	}
	switch {
	case e.Open || sent < 0 || reply >= 0 && reply <= sent:
		return 0, WayUnknown, false
	case reply >= 0:
		return reply, WayBack, true
	case request == witness:
		return request, WayUnknown, true
	}
	return request, WayOut, true
}

// Complete reports whether the first point that saw the request saw the reply.
func (e *Echo) Complete() bool {
	for i := range e.Hops {
		if h := &e.Hops[i]; h.HasRequest {
			return h.HasReply
		}
	}
	return false
}
