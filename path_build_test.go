package main

import (
	wire "encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// captured is a capture file being built: pcap with nanoseconds.
type wroteFile struct {
	link    uint32
	packets []byte
}

// at adds a frame at ns since 1970.
func (c *wroteFile) at(ns int64, frame []byte) {
	h := make([]byte, 16)
	wire.LittleEndian.PutUint32(h, uint32(ns/1e9))
	wire.LittleEndian.PutUint32(h[4:], uint32(ns%1e9))
	wire.LittleEndian.PutUint32(h[8:], uint32(len(frame)))
	wire.LittleEndian.PutUint32(h[12:], uint32(len(frame)))
	c.packets = append(append(c.packets, h...), frame...)
}

func (c *wroteFile) bytes() []byte {
	h := make([]byte, 24)
	wire.LittleEndian.PutUint32(h, 0xa1b23c4d)
	wire.LittleEndian.PutUint16(h[4:], 2)
	wire.LittleEndian.PutUint16(h[6:], 4)
	wire.LittleEndian.PutUint32(h[16:], 262144)
	wire.LittleEndian.PutUint32(h[20:], c.link)
	return append(h, c.packets...)
}

func (c *wroteFile) write(t testing.TB, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, c.bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// echoPacket is an IP packet with an echo from src to dst.
func echoPacket(src, dst string, reply bool, id, seq uint16) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	typ := byte(8)
	if reply {
		s, d, typ = d, s, 0
	}
	body := make([]byte, 8+56)
	body[0] = typ
	wire.BigEndian.PutUint16(body[4:], id)
	wire.BigEndian.PutUint16(body[6:], seq)
	if s.Is4() {
		h := []byte{0x45, 0, 0, byte(20 + len(body)), 0, 0, 0, 0, 64, 1, 0, 0}
		return append(append(append(h, s.AsSlice()...), d.AsSlice()...), body...)
	}
	body[0] = 128
	if reply {
		body[0] = 129
	}
	h := []byte{0x60, 0, 0, 0, 0, byte(len(body)), 58, 64}
	return append(append(append(h, s.AsSlice()...), d.AsSlice()...), body...)
}

// ethernet wraps a packet; vlan 0 = untagged.
func ethernet(packet []byte, vlan uint16) []byte {
	f := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if vlan != 0 {
		f = append(f, 0x81, 0, byte(vlan>>8), byte(vlan))
	}
	if packet[0]>>4 == 6 {
		f = append(f, 0x86, 0xdd)
	} else {
		f = append(f, 8, 0)
	}
	return append(f, packet...)
}

// vxlan wraps a frame in a packet between two hosts.
func vxlan(frame []byte) []byte {
	n := 8 + 8 + len(frame)
	h := []byte{0x45, 0, byte((20 + n) >> 8), byte(20 + n), 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 16, 165, 10, 1, 16, 55,
		0xc3, 0x50, 0x12, 0xb5, byte(n >> 8), byte(n), 0, 0, 8, 0, 0, 0, 0, 0, 7, 0}
	return ethernet(append(h, frame...), 0)
}

// cooked wraps a packet as "any" captures it: LINUX_SLL.
func cooked(packet []byte) []byte {
	f := make([]byte, 16)
	f[15] = 0
	f[14] = 8
	return append(f, packet...)
}

// base is when the captures of these tests begin.
var base = time.Date(2026, 11, 21, 17, 47, 12, 0, time.UTC).UnixNano()

// us is base plus microseconds.
func us(n int64) int64 { return base + n*1000 }
