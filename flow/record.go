package flow

// Record is one frame as the ring delivered it, reduced to what is counted.
type Record struct {
	At       Time
	Key      Key
	Bytes    uint64 // on the wire, layer 2 without FCS, all segments of a super-frame with their headers
	SKBBytes uint32 // as the kernel's own counters of a virtual device see it: one frame, headers once
	Packets  uint32 // on the wire; 1 unless a super-frame
	Dir      Direction
	TCPFlags uint8
	MAC      [6]byte // of the local end: a VM's own address on a bridge uplink
	Inner    [6]byte // of the local end of the frame inside VXLAN, Geneve or GRE; zero = no such frame, or a group address
}

// Echo is an ICMP or ICMPv6 echo request or reply seen on a link or a vif.
type Echo struct {
	At       Time
	Link     LinkID    // 0 = seen on a vif
	VIF      int       // ifindex of the vif it was seen on, 0 = seen on a link
	Dir      Direction // on a vif Rx is toward the guest
	Tunnel   bool      // of the frame inside VXLAN, Geneve or GRE; addresses, VLAN and payload are the inner ones
	Reply    bool
	Family   Family
	Src, Dst [16]byte // as in Key
	ID, Seq  uint16
	VLAN     uint16
	Payload  [24]byte   // first bytes after the echo header, zero where the packet is shorter
	PayloadN uint8      // how many of them are real
	Offset   WallOffset // by which At was converted; converts a wall time in Payload alike
}

// Counters count one direction.
type Counters struct {
	Bytes   uint64
	Packets uint64
}

// Add adds o to c.
func (c *Counters) Add(o Counters) {
	c.Bytes += o.Bytes
	c.Packets += o.Packets
}
