package stats

type echoKey struct {
	src, dst Addr
	id, seq  uint16
	v4       bool
}

type echo struct {
	echoKey
	request, reply int64
	duplicates     uint32
	answered       bool
}

// echoes pairs requests and replies: a reply answers the latest request of its
// key before it; more of them are duplicates; one without a request is an orphan.
type echoes struct {
	max      int
	list     []echo
	last     map[echoKey]int32
	orphans  []echo // reply only
	orphaned uint64 // with those that did not fit
	other    uint64 // requests that did not fit
	repeated uint64 // duplicate replies
}

func (e *echoes) add(p *Packet) {
	if p.Echo == EchoRequest {
		e.request(p)
		return
	}
	k := echoKey{p.Dst, p.Src, p.EchoID, p.EchoSeq, p.V4}
	i, ok := e.last[k]
	switch {
	case !ok:
		e.orphaned++
		if len(e.orphans) < e.max/16 {
			e.orphans = append(e.orphans, echo{echoKey: k, reply: p.At})
		}
	case e.list[i].answered:
		e.list[i].duplicates++
		e.repeated++
	default:
		e.list[i].reply, e.list[i].answered = p.At, true
	}
}

func (e *echoes) request(p *Packet) {
	if len(e.list) >= e.max {
		e.other++
		return
	}
	if e.last == nil {
		e.last = make(map[echoKey]int32)
	}
	k := echoKey{p.Src, p.Dst, p.EchoID, p.EchoSeq, p.V4}
	e.last[k] = int32(len(e.list))
	e.list = append(e.list, echo{echoKey: k, request: p.At})
}
