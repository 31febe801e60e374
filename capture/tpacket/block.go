package tpacket

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Offsets in a block (struct tpacket_block_desc) and in a frame's header
// (struct tpacket3_hdr, then struct sockaddr_ll, then the virtio_net_hdr just
// before the MAC header), include/uapi/linux/if_packet.h and virtio_net.h. All
// fields are in the CPU's byte order, those of the virtio_net_hdr too: the
// kernel writes it "legacy native endian" (vio_le in af_packet.c).
const (
	blockStatus      = 8
	blockNumFrames   = 12
	blockFirstOffset = 16
	blockHeaderLen   = 48

	frameNext    = 0
	frameSec     = 4
	frameNsec    = 8
	frameSnapLen = 12
	frameLen     = 16
	frameStatus  = 20
	frameMAC     = 24
	frameVLANTCI = 32
	frameTPID    = 36
	frameHdrLen  = 48 // TPACKET_ALIGN(sizeof(struct tpacket3_hdr))

	sllIfindex = frameHdrLen + 4
	sllPktType = frameHdrLen + 10
	sllEnd     = frameHdrLen + 20

	vnetLen     = 10
	vnetGSOType = 1
	vnetHdrLen  = 2
	vnetGSOSize = 4
)

// Frame is one captured frame.
type Frame struct {
	Stamp int64  // CLOCK_REALTIME, ns since the epoch
	Data  []byte // from the MAC header, cut by the snaplen; lies in the block, valid until Release
	Len   uint32 // as the kernel sees it (tp_len): not cut, without a tag moved to VLANTCI

	Outgoing bool // sll_pkttype is PACKET_OUTGOING: this host or one of its VMs sent it

	HasVLAN  bool // the kernel has moved a tag from the frame to here
	VLANTCI  uint16
	VLANTPID uint16 // 0 if the kernel does not say

	HasVnet bool // the three below are valid
	GSOType uint8
	GSOSize uint16
	HdrLen  uint16
}

// BlockCounts say what became of the frames of a block.
type BlockCounts struct {
	Frames  uint64 // handed out
	Refused uint64 // see Block.Next; the kernel counts them as dropped
	Foreign uint64 // of another ifindex
	Damaged uint64 // blocks that contradict themselves: their remaining frames are not read
}

// Block is one block in the reader's hands.
type Block struct {
	Losing  bool // the kernel has dropped frames since its statistics were last read
	Full    bool // closed because it was full, not because its time was up
	Counts  BlockCounts
	mem     []byte
	left    uint32
	off     int
	vnet    bool
	ifindex uint32
}

// ParseBlock returns a reader of the block in mem. vnet says that the ring was
// opened with virtio_net_hdr, ifindex which device's frames count.
func ParseBlock(mem []byte, vnet bool, ifindex int) Block {
	b := Block{mem: mem, vnet: vnet, ifindex: uint32(ifindex)}
	if len(mem) < blockHeaderLen {
		b.Counts.Damaged = 1
		return b
	}
	status := binary.NativeEndian.Uint32(mem[blockStatus:])
	b.Losing = status&unix.TP_STATUS_LOSING != 0
	b.Full = status&unix.TP_STATUS_BLK_TMO == 0
	b.left = binary.NativeEndian.Uint32(mem[blockNumFrames:])
	b.off = int(binary.NativeEndian.Uint32(mem[blockFirstOffset:]))
	return b
}

// Next reads the next frame into f and returns true, or false at the end.
//
// A frame whose own status lacks TP_STATUS_USER was never written: tpacket_rcv
// takes the place, then finds that the frame's GSO type does not fit into a
// virtio_net_hdr, counts a drop and leaves in the place what lay there a lap
// ago. It is skipped and counted as refused.
func (b *Block) Next(f *Frame) bool {
	for b.left > 0 {
		h, ok := b.header()
		if !ok {
			b.Counts.Damaged++
			b.left = 0
			return false
		}
		b.left--
		at := b.off
		b.off += int(binary.NativeEndian.Uint32(h[frameNext:]))
		if binary.NativeEndian.Uint32(h[frameStatus:])&unix.TP_STATUS_USER == 0 {
			b.Counts.Refused++
			continue
		}
		if binary.NativeEndian.Uint32(h[sllIfindex:]) != b.ifindex {
			b.Counts.Foreign++
			continue
		}
		if !b.read(at, h, f) {
			b.Counts.Damaged++
			b.left = 0
			return false
		}
		b.Counts.Frames++
		return true
	}
	return false
}

// header returns the headers of the frame at b.off if they lie inside the block
// and its successor lies behind them.
func (b *Block) header() ([]byte, bool) {
	if b.off < blockHeaderLen || b.off > len(b.mem)-sllEnd {
		return nil, false
	}
	h := b.mem[b.off : b.off+sllEnd]
	next := binary.NativeEndian.Uint32(h[frameNext:])
	if b.left > 1 && (next < sllEnd || next > uint32(len(b.mem))) {
		return nil, false
	}
	return h, true
}

func (b *Block) read(at int, h []byte, f *Frame) bool {
	mac := int(binary.NativeEndian.Uint16(h[frameMAC:]))
	snap := binary.NativeEndian.Uint32(h[frameSnapLen:])
	least := sllEnd
	if b.vnet {
		least += vnetLen
	}
	start := at + mac
	if mac < least || start > len(b.mem) || uint64(snap) > uint64(len(b.mem)-start) {
		return false
	}
	status := binary.NativeEndian.Uint32(h[frameStatus:])
	*f = Frame{
		Stamp:    int64(binary.NativeEndian.Uint32(h[frameSec:]))*1e9 + int64(binary.NativeEndian.Uint32(h[frameNsec:])),
		Data:     b.mem[start : start+int(snap) : start+int(snap)],
		Len:      binary.NativeEndian.Uint32(h[frameLen:]),
		Outgoing: h[sllPktType] == unix.PACKET_OUTGOING,
	}
	if status&unix.TP_STATUS_VLAN_VALID != 0 {
		f.HasVLAN = true
		f.VLANTCI = uint16(binary.NativeEndian.Uint32(h[frameVLANTCI:]))
		if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			f.VLANTPID = binary.NativeEndian.Uint16(h[frameTPID:])
		}
	}
	if b.vnet {
		v := b.mem[start-vnetLen : start]
		f.HasVnet = true
		f.GSOType = v[vnetGSOType]
		f.HdrLen = binary.NativeEndian.Uint16(v[vnetHdrLen:])
		f.GSOSize = binary.NativeEndian.Uint16(v[vnetGSOSize:])
	}
	return true
}
