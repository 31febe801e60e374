package ring

import (
	"fmt"

	"spiketop/capture/pcapfile"
	"spiketop/capture/recorder"
)

// Source is one device whose frames are written.
type Source struct {
	Memory *recorder.Memory
	// Ifindex tells the devices apart that share one Memory; 0 where it serves one.
	// Frames of others in it are written under a name of their own.
	Ifindex     uint32
	Name        string
	Description string
	Speed       uint64 // bit/s, 0 = not known
	Filter      string // what of its frames was let through, as libpcap writes it; "" = all
	// OnDemand: it gets a place in a file with its first frame there, else in each.
	OnDemand bool
	Skip     bool // its frames are not written: another source has them
}

// device is what packets are told apart by.
type device struct {
	mem     *recorder.Memory
	ifindex uint32
}

func (s *Source) device() device { return device{s.Memory, s.Ifindex} }

func (s *Source) describe(snaplen int) pcapfile.Interface {
	return pcapfile.Interface{Filter: s.Filter, Name: s.Name, Description: s.Description, Speed: s.Speed, Link: pcapfile.EN10, SnapLen: recorder.WireSnaplen(snaplen)}
}

// differs reports whether s is called otherwise than o. The speed of a link that is
// down is not known: no difference.
func (s *Source) differs(o *Source) bool {
	return s.Name != o.Name || s.Description != o.Description || s.Speed != o.Speed && s.Speed > 0 && o.Speed > 0
}

// unnamed is the Source of a device that nobody has named.
func unnamed(d device, description string) Source {
	return Source{Memory: d.mem, Ifindex: d.ifindex, Name: fmt.Sprintf("ifindex %d", d.ifindex), Description: description, OnDemand: true}
}

// input is how far a Memory has been read.
type input struct {
	mem  *recorder.Memory
	tail *recorder.Tail
	// Two rounds' frames: those that wait since the last one, and the new ones.
	old, fresh recorder.Block
	last       int64  // stamp of the frame that was read last
	missed     uint64 // frames that were never written and that no packet tells yet
	before     uint64 // missed, before a piece is tried
}

// ref is a frame that waits to be written.
type ref struct {
	in *input
	f  *recorder.Frame
}
