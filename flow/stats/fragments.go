package stats

// fragmentsKept bounds the first fragments that are remembered: at least so many,
// at most twice as many.
const fragmentsKept = 1 << 15

type fragmentID struct {
	src, dst Addr
	id       uint32
	proto    uint8
	v4       bool
}

type firstFragment struct {
	srcPort, dstPort uint16
	proto            uint8
}

// fragments remembers what the first fragments said, in two generations: when
// the newer one is full the older one goes.
type fragments struct {
	now, before map[fragmentID]firstFragment
}

// complete gives a later fragment the ports of its first, and remembers first
// ones. It reports false for a later one whose first is not known.
func (f *fragments) complete(p *Packet) bool {
	id := fragmentID{p.Src, p.Dst, p.FragID, p.FragProto, p.V4}
	if p.Fragment == FirstFragment {
		if f.now == nil || len(f.now) >= fragmentsKept {
			f.before, f.now = f.now, make(map[fragmentID]firstFragment)
		}
		f.now[id] = firstFragment{p.SrcPort, p.DstPort, p.Proto}
		return true
	}
	first, ok := f.now[id]
	if !ok {
		if first, ok = f.before[id]; !ok {
			return false
		}
	}
	p.SrcPort, p.DstPort, p.Proto = first.srcPort, first.dstPort, first.proto
	return true
}
