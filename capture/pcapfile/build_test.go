package pcapfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"slices"
)

// pcapBytes is a pcap file with one record for each text; at counts units.
func pcapBytes(o binary.AppendByteOrder, magic uint32, link uint32, texts ...string) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint16(b, 4)
	for _, v := range []uint32{0, 0, 65535, link} {
		b = o.AppendUint32(b, v)
	}
	for i, s := range texts {
		for _, v := range []uint32{1000 + uint32(i), 7, uint32(len(s)), uint32(len(s) + 10)} {
			b = o.AppendUint32(b, v)
		}
		if magic == magicModified {
			b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
		}
		b = append(b, s...)
	}
	return b
}

// ngBlock is a block with padding and both lengths.
func ngBlock(o binary.AppendByteOrder, typ uint32, body ...[]byte) []byte {
	all := slices.Concat(body...)
	for len(all)%4 != 0 {
		all = append(all, 0)
	}
	b := o.AppendUint32(nil, typ)
	b = o.AppendUint32(b, uint32(len(all)+12))
	b = append(b, all...)
	return o.AppendUint32(b, uint32(len(all)+12))
}

func ngOption(o binary.AppendByteOrder, code uint16, v []byte) []byte {
	b := o.AppendUint16(nil, code)
	b = o.AppendUint16(b, uint16(len(v)))
	b = append(b, v...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func ngSection(o binary.AppendByteOrder) []byte {
	b := o.AppendUint32(nil, byteOrderMagic)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0)
	b = append(b, 255, 255, 255, 255, 255, 255, 255, 255)
	return ngBlock(o, blockSection, b)
}

func ngInterface(o binary.AppendByteOrder, link uint16, snap uint32, options ...[]byte) []byte {
	b := o.AppendUint16(nil, link)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint32(b, snap)
	return ngBlock(o, blockInterface, b, slices.Concat(options...))
}

func ngPacket(o binary.AppendByteOrder, iface uint32, at uint64, data string, length uint32, options ...[]byte) []byte {
	var b []byte
	for _, v := range []uint32{iface, uint32(at >> 32), uint32(at), uint32(len(data)), length} {
		b = o.AppendUint32(b, v)
	}
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return ngBlock(o, blockPacket, b, slices.Concat(options...))
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}
