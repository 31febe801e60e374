package decode

import "spiketop/flow"

// Super-frames. With segmentation offload (GSO, TSO) the packet tap sees up to
// 64 KiB or more as one frame, and with GRO what arrived as many; virtio_net_hdr
// tells the size of the pieces. The wire carried the headers once for each piece
// and, if the tag lies in the ring header, four more bytes for each:
//
//	packets = ceil((Len - headers) / gso_size)
//	bytes   = Len + (packets-1) * headers + 4 * packets if a tag was stripped
//
// Measured against the TCP segment counters of both ends: 1.0000 of packets and
// over 0.999 of bytes. The rest is pieces cut shorter than gso_size, and options
// that differ between them.
//
// Frames are not padded to the 60 bytes that Ethernet wants: on Tx the tap sees
// them before the NIC pads, and whether a virtual device pads at all is not
// known here. On Rx the padding is there and counts. The FCS is never counted.

// gso_type of struct virtio_net_hdr (linux/virtio_net.h).
const (
	gsoTCPv4 = 1
	gsoUFO   = 3 // the packet leaves as IP fragments; kernels before 4.14
	gsoTCPv6 = 4
	gsoUDP   = 5 // UDP_L4: the packet leaves as datagrams

	gsoBase = 0x1f // the others are flags: ECN 0x80, UDP tunnel 0x20 and 0x40
)

const (
	jumboLen    = 8  // hop-by-hop header of an IPv6 super-frame over 64 KiB
	fragmentLen = 8  // IPv6 fragment header
	usualTCPLen = 32 // header with time stamps, what Linux sends by default
	udpLen      = 8
)

// count fills in what the wire carried.
func (d *Decoder) count(f *frame) {
	m, rec := f.m, f.rec
	skb := max(m.Len, uint32(len(f.data)))
	rec.SKBBytes = skb
	rec.Packets = 1
	rec.Bytes = uint64(skb)
	if m.HasVnet && m.GSOSize != 0 && m.GSOType&gsoBase != 0 {
		rec.Packets, rec.Bytes = f.segments(uint64(skb))
		if rec.Packets > 1 {
			d.stats.SuperFrames++
		}
	}
	if m.HasVLAN {
		rec.Bytes += tagLen * uint64(rec.Packets)
	}
}

// segments returns the packets of a super-frame of n bytes and their bytes, tags
// that are not in the frame left out.
func (f *frame) segments(n uint64) (uint32, uint64) {
	extra := 0
	if f.jumbo {
		extra = -jumboLen // the kernel takes it out again when it cuts the frame
	}
	if f.m.GSOType&gsoBase == gsoUFO && f.rec.Key.Family == flow.FamilyIPv6 {
		extra += fragmentLen
	}
	return cut(n, uint64(f.headerLen()), extra, f.m.GSOSize)
}

// cut cuts a super-frame of n bytes into pieces of size. If there are several,
// each has the headers and extra bytes that the super-frame had not.
func cut(n, headers uint64, extra int, size uint16) (packets uint32, bytes uint64) {
	headers = min(headers, n)
	payload := n - headers
	packets = uint32((payload + uint64(size) - 1) / uint64(size))
	if packets <= 1 {
		return 1, n
	}
	return packets, payload + uint64(packets)*(headers+uint64(extra))
}
