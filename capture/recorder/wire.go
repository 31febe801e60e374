package recorder

import "encoding/binary"

// tpidDefault is the tag of IEEE 802.1Q, where the kernel does not say which.
const tpidDefault = 0x8100

// WireSnaplen is the snaplen to declare in a file for frames that were cut at
// snaplen bytes: Wire may put a tag into them. Readers that use libpcap refuse a
// file whose interfaces differ in it.
func WireSnaplen(snaplen int) uint32 { return uint32(snaplen) + 4 }

// Wire appends the frame's bytes to b as they were on the wire: a tag that the
// kernel had taken off stands again behind the MAC addresses. It returns them
// with the frame's length there.
func (f *Frame) Wire(b []byte) (data []byte, length int) {
	if !f.HasVLAN || len(f.Data) < 12 {
		return append(b, f.Data...), int(f.Len)
	}
	tpid := f.VLANTPID
	if tpid == 0 {
		tpid = tpidDefault
	}
	b = append(b, f.Data[:12]...)
	b = binary.BigEndian.AppendUint16(b, tpid)
	b = binary.BigEndian.AppendUint16(b, f.VLANTCI)
	return append(b, f.Data[12:]...), int(f.Len) + 4
}
