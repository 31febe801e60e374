package recorder

import "encoding/binary"

// tpidDefault is the tag of IEEE 802.1Q, where the kernel does not say which.
const tpidDefault = 0x8100

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
