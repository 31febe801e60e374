package pcapfile

import "fmt"

// defaultResol is microseconds.
const defaultResol = 6

// interfaceBlock reads an Interface Description Block.
func (r *Reader) interfaceBlock(b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("%w: an interface block of %d bytes", errRecord, len(b))
	}
	if len(r.ifaces) == maxInterfaces {
		return fmt.Errorf("%w: it describes more than %d interfaces", errRecord, maxInterfaces)
	}
	f := Interface{
		Link: LinkType(r.order.u16(b)), SnapLen: r.order.u32(b[4:]),
		Section: r.section, TSResol: defaultResol,
	}
	for opts := b[8:]; len(opts) > 0; {
		code, v, rest, err := r.option(opts)
		if err != nil {
			return err
		}
		opts = rest
		r.interfaceOption(&f, code, v)
	}
	f.clock = newClock(f.TSResol, f.TSOffset)
	r.ifaces = append(r.ifaces, f)
	return nil
}

// interfaceOption reads one option. Those of a wrong length are passed over.
func (r *Reader) interfaceOption(f *Interface, code uint16, v []byte) {
	switch code {
	case optComment:
		f.Comments = r.keepComment(f.Comments, v)
	case ifName:
		f.Name = r.text(v)
	case ifDescription:
		f.Description = r.text(v)
	case ifOS:
		f.OS = r.text(v)
	case ifHardware:
		f.Hardware = r.text(v)
	case ifFilter:
		if len(v) > 0 && v[0] == 0 { // else it is a program, not text
			f.Filter = r.text(v[1:])
		}
	case ifMAC:
		if len(v) == 6 {
			f.MAC = [6]byte(v)
		}
	case ifSpeed:
		if len(v) == 8 {
			f.Speed = r.order.u64(v)
		}
	case ifTSResol:
		if len(v) == 1 {
			f.TSResol = v[0]
		}
	case ifTSOffset:
		if len(v) == 8 {
			f.TSOffset = int64(r.order.u64(v))
		}
	}
}

// statistics reads an Interface Statistics Block.
func (r *Reader) statistics(b []byte) error {
	if len(b) < 12 {
		return fmt.Errorf("%w: a statistics block of %d bytes", errRecord, len(b))
	}
	i, err := r.iface(r.order.u32(b))
	if err != nil {
		return err
	}
	f := &r.ifaces[i]
	s := InterfaceStats{Seen: true}
	for opts := b[12:]; len(opts) > 0; {
		code, v, rest, err := r.option(opts)
		if err != nil {
			return err
		}
		opts = rest
		if len(v) != 8 {
			continue
		}
		switch code {
		case isbStart:
			s.Start = r.wide(f, v)
		case isbEnd:
			s.End = r.wide(f, v)
		case isbReceived:
			s.Received, s.HasReceived = r.order.u64(v), true
		case isbDropped:
			s.Dropped, s.HasDropped = r.order.u64(v), true
		}
	}
	f.Stats = s
	return nil
}

// wide reads a time stamp that stands as two words, the high one first.
func (r *Reader) wide(f *Interface, v []byte) int64 {
	return f.clock.ns(uint64(r.order.u32(v))<<32 | uint64(r.order.u32(v[4:])))
}
