package tpacket_test

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/capture/tpacket"
	"spiketop/capture/tpacket/tpackettest"
)

func frames() []tpacket.Frame {
	return []tpacket.Frame{
		{Stamp: 1_700_000_000_123_456_789, Data: []byte("fourteen bytes"), Len: 1514, HasVnet: true},
		{Stamp: 1_700_000_000_999_999_999, Data: []byte("tagged, out"), Len: 60, Outgoing: true,
			HasVLAN: true, VLANTCI: 0x6064, VLANTPID: 0x8100, HasVnet: true},
		{Stamp: 1_700_000_001_000_000_000, Data: []byte("super"), Len: 65226, HasVnet: true, GSOType: 1, GSOSize: 1448, HdrLen: 66},
	}
}

func readAll(b *tpacket.Block) (got []tpacket.Frame) {
	var f tpacket.Frame
	for b.Next(&f) {
		got = append(got, f)
	}
	return got
}

func TestBlock(t *testing.T) {
	b := tpacket.ParseBlock(tpackettest.Block(4096, 7, frames()...), true, 7)
	if diff := cmp.Diff(frames(), readAll(&b)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if want := (tpacket.BlockCounts{Frames: 3}); b.Counts != want {
		t.Errorf("counts %+v, want %+v", b.Counts, want)
	}
	if !b.Full || b.Losing {
		t.Errorf("full %v losing %v, want true false", b.Full, b.Losing)
	}
}

func TestBlockFlags(t *testing.T) {
	mem := tpackettest.Block(4096, 7)
	binary.NativeEndian.PutUint32(mem[8:], unix.TP_STATUS_USER|unix.TP_STATUS_BLK_TMO|unix.TP_STATUS_LOSING)
	if b := tpacket.ParseBlock(mem, true, 7); b.Full || !b.Losing {
		t.Errorf("full %v losing %v, want false true", b.Full, b.Losing)
	}
}

// A refused super-frame leaves its place unwritten: what lay there a lap ago
// must not be counted again.
func TestBlockRefusedFrame(t *testing.T) {
	fs := frames()
	stale := fs[1]
	mem := tpackettest.Block(4096, 7, fs[0], stale, fs[2])
	second := 48 + int(binary.NativeEndian.Uint32(mem[48:]))
	// prb_fill_vlan_info is all that the kernel writes: the status without USER.
	binary.NativeEndian.PutUint32(mem[second+20:], unix.TP_STATUS_VLAN_VALID)
	b := tpacket.ParseBlock(mem, true, 7)
	if diff := cmp.Diff([]tpacket.Frame{fs[0], fs[2]}, readAll(&b)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if want := (tpacket.BlockCounts{Frames: 2, Refused: 1}); b.Counts != want {
		t.Errorf("counts %+v, want %+v", b.Counts, want)
	}
}

func TestBlockForeignIfindex(t *testing.T) {
	b := tpacket.ParseBlock(tpackettest.Block(4096, 8, frames()...), true, 7)
	if got := readAll(&b); got != nil {
		t.Errorf("frames of another device: %v", got)
	}
	if want := (tpacket.BlockCounts{Foreign: 3}); b.Counts != want {
		t.Errorf("counts %+v, want %+v", b.Counts, want)
	}
}

// TestBlockDamaged: each lie ends the block at the frame that tells it.
func TestBlockDamaged(t *testing.T) {
	put16 := func(off int, v uint16) func([]byte) {
		return func(b []byte) { binary.NativeEndian.PutUint16(b[off:], v) }
	}
	put32 := func(off int, v uint32) func([]byte) {
		return func(b []byte) { binary.NativeEndian.PutUint32(b[off:], v) }
	}
	const frame = 48 // the first one
	for name, lie := range map[string]func([]byte){
		"first offset inside the header": put32(16, 40),
		"first offset at the end":        put32(16, 4096),
		"first offset beyond":            put32(16, 0xffff_fff0),
		"more frames than bytes":         put32(12, 0xffff_ffff),
		"next is 0":                      put32(frame, 0),
		"next inside the header":         put32(frame, 64),
		"next beyond the block":          put32(frame, 4000),
		"next overflows":                 put32(frame, 0xffff_fff8),
		"MAC inside the header":          put16(frame+24, 60),
		"MAC beyond the block":           put16(frame+24, 0xffff),
		"snaplen beyond the block":       put32(frame+12, 4096),
		"snaplen overflows":              put32(frame+12, 0xffff_ffff),
	} {
		t.Run(name, func(t *testing.T) {
			mem := tpackettest.Block(4096, 7, frames()...)
			lie(mem)
			b := tpacket.ParseBlock(mem, true, 7)
			readAll(&b)
			if b.Counts.Damaged != 1 {
				t.Errorf("counts %+v, want one damage", b.Counts)
			}
		})
	}
}

func TestBlockTooShort(t *testing.T) {
	for n := range 48 {
		b := tpacket.ParseBlock(make([]byte, n), true, 7)
		if got := readAll(&b); got != nil || b.Counts.Damaged != 1 {
			t.Fatalf("%d bytes: %v, counts %+v", n, got, b.Counts)
		}
	}
}

// FuzzBlock: whatever lies in the ring, reading ends, stays inside the block and
// hands out no more frames than have room.
func FuzzBlock(f *testing.F) {
	f.Add(tpackettest.Block(1024, 7, frames()...), true)
	f.Add(tpackettest.Block(256, 7), false)
	f.Fuzz(func(t *testing.T, mem []byte, vnet bool) {
		b := tpacket.ParseBlock(mem, vnet, 7)
		got := readAll(&b)
		most := len(mem) / 68
		if n := int(b.Counts.Frames + b.Counts.Refused + b.Counts.Foreign); n > most || len(got) > n {
			t.Errorf("%d frames out of %d bytes, counts %+v", len(got), len(mem), b.Counts)
		}
		for _, fr := range got {
			if len(fr.Data) > len(mem) || cap(fr.Data) != len(fr.Data) {
				t.Errorf("data of %d bytes, capacity %d", len(fr.Data), cap(fr.Data))
			}
		}
	})
}

func BenchmarkBlock(b *testing.B) {
	fs := make([]tpacket.Frame, 50)
	for i := range fs {
		fs[i] = tpacket.Frame{Stamp: 1_700_000_000_000_000_000, Data: make([]byte, 60), Len: 60}
	}
	mem := tpackettest.Block(16<<10, 7, fs...)
	b.ReportAllocs()
	var f tpacket.Frame
	for b.Loop() {
		blk := tpacket.ParseBlock(mem, true, 7)
		for blk.Next(&f) {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(fs)), "ns/frame")
}
