package pcapfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"testing"
)

// bo is a byte order as tests build files with it.
type bo interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

var (
	le bo = binary.LittleEndian
	be bo = binary.BigEndian
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// pcapHeader builds the header of a version 2.4 file.
func pcapHeader(o bo, magic, snaplen, link uint32) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint16(b, 4)
	for _, v := range []uint32{0, 0, snaplen, link} {
		b = o.AppendUint32(b, v)
	}
	return b
}

// record builds a pcap record: seconds, fraction, length on the wire, bytes.
func record(o bo, sec, frac, n uint32, data string) []byte {
	var b []byte
	for _, v := range []uint32{sec, frac, uint32(len(data)), n} {
		b = o.AppendUint32(b, v)
	}
	return append(b, data...)
}

// block builds a pcapng block around a body that is padded to 4 bytes.
func block(o bo, typ uint32, parts ...[]byte) []byte {
	body := join(parts...)
	body = append(body, make([]byte, -len(body)&3)...)
	b := o.AppendUint32(nil, typ)
	b = o.AppendUint32(b, uint32(len(body)+12))
	b = append(b, body...)
	return o.AppendUint32(b, uint32(len(body)+12))
}

// opt builds an option, padded.
func opt(o bo, code uint16, value string) []byte {
	b := o.AppendUint16(nil, code)
	b = o.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

func u32s(o bo, v ...uint32) (b []byte) {
	for _, x := range v {
		b = o.AppendUint32(b, x)
	}
	return b
}

func u64s(o bo, v uint64) string { return string(o.AppendUint64(nil, v)) }

// shb builds a section header of version 1.0 with unknown length.
func shb(o bo, opts ...[]byte) []byte {
	head := o.AppendUint16(u32s(o, byteOrderMagic), 1)
	head = o.AppendUint16(head, 0)
	return block(o, blockSection, head, bytes.Repeat([]byte{0xff}, 8), join(opts...))
}

// idb builds an interface description.
func idb(o bo, link uint16, snaplen uint32, opts ...[]byte) []byte {
	head := o.AppendUint16(nil, link)
	head = o.AppendUint16(head, 0)
	return block(o, blockInterface, head, u32s(o, snaplen), join(opts...))
}

// epb builds an enhanced packet.
func epb(o bo, iface uint32, stamp uint64, n uint32, data string, opts ...[]byte) []byte {
	head := u32s(o, iface, uint32(stamp>>32), uint32(stamp), uint32(len(data)), n)
	return block(o, blockEnhanced, head, []byte(data), make([]byte, -len(data)&3), join(opts...))
}

// zipped compresses b.
func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readAll reads b to its end; the packets own their data. err is nil at a clean
// end.
func readAll(b []byte, o Options) (packets []Packet, r *Reader, err error) {
	r, err = NewReader(bytes.NewReader(b), "t.pcap", o)
	if err != nil {
		return nil, nil, err
	}
	packets, err = drain(r)
	return packets, r, err
}

func drain(r *Reader) (packets []Packet, err error) {
	var p Packet
	for {
		if err = r.Next(&p); err == io.EOF {
			return packets, nil
		} else if err != nil {
			return packets, err
		}
		q := p
		q.Data = bytes.Clone(p.Data)
		packets = append(packets, q)
	}
}
