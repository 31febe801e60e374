package recorder

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newMemory(t testing.TB, size, snap int) *Memory {
	t.Helper()
	m, err := New(size, snap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// frame n has n as its stamp, and bytes that say so.
func frame(n int64, size int) *Frame {
	d := bytes.Repeat([]byte{byte(n), byte(n >> 8)}, (size+1)/2)[:size]
	return &Frame{Stamp: n, Ifindex: uint32(n * 7), Outgoing: n%2 == 1, Len: uint32(size + 7), GSOSize: uint16(n), GSOType: byte(n), HasVLAN: n%3 == 0, VLANTCI: uint16(n), VLANTPID: 0x88a8, Data: d}
}

func add(m *Memory, frames ...*Frame) {
	m.Begin()
	defer m.End()
	for _, f := range frames {
		m.Add(f)
	}
}

func TestMemory(t *testing.T) {
	m := newMemory(t, Least, 128)
	if c := m.Cut(0, 100, 1<<20); len(c.Frames) != 0 || !c.Complete {
		t.Errorf("an empty recorder gave %+v", c)
	}
	var want []Frame
	for n := range int64(20) {
		f := frame(n+1, int(n*20)) // the last ones are longer than the snaplen
		add(m, f)
		w := *f
		w.Data = w.Data[:min(len(w.Data), 128)]
		if n+1 >= 5 && n+1 < 15 {
			want = append(want, w)
		}
	}
	c := m.Cut(5, 15, 1<<20)
	if diff := cmp.Diff(want, c.Frames); diff != "" || !c.Complete || c.Beyond || c.From != 5 {
		t.Errorf("%v %v %v (-want +got):\n%s", c.Complete, c.Beyond, c.From, diff)
	}
	if c := m.Cut(5, 15, 500); len(c.Frames) == 0 || len(c.Frames) == 10 || !c.Beyond {
		t.Errorf("with little room: %d frames, beyond %v", len(c.Frames), c.Beyond)
	}
}

// TestMemoryWraps: whatever was added, the recorder holds exactly the newest
// frames, whole and in order, and says from when on nothing is missing.
func TestMemoryWraps(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newMemory(t, Least, 1+r.IntN(1500))
		var all []*Frame
		for n := range int64(3000) {
			f := frame(n+1, r.IntN(2000))
			all = append(all, f)
			add(m, f)
		}
		c := m.Cut(0, 1<<60, 1<<30)
		kept := all[len(all)-len(c.Frames):]
		if len(c.Frames) < 20 || len(c.Frames) == len(all) || c.Complete || c.From != kept[0].Stamp {
			t.Fatalf("seed %d: %d frames, complete %v, from %d", seed, len(c.Frames), c.Complete, c.From)
		}
		for i, f := range c.Frames {
			want := *kept[i]
			want.Data = want.Data[:min(len(want.Data), m.snap)]
			if !cmp.Equal(want, f) {
				t.Fatalf("seed %d: frame %d:\n%s", seed, i, cmp.Diff(want, f))
			}
		}
		if s := m.Stats(); s.Kept != len(c.Frames) || s.Frames != 3000 || s.Oldest != c.From || s.Newest != 3000 {
			t.Errorf("%+v", s)
		}
		if c := m.Cut(c.From, 1<<60, 1<<30); !c.Complete {
			t.Error("nothing is missing from there on")
		}
	}
}

func TestMemoryBounds(t *testing.T) {
	for _, c := range [][2]int{{0, 128}, {Least, 0}, {Least, Least}, {-1, -1}} {
		if m, err := New(c[0], c[1]); err == nil {
			m.Close()
			t.Errorf("%v was accepted", c)
		}
	}
}

func TestWire(t *testing.T) {
	data := []byte("DDDDDDSSSSSS\x08\x00rest")
	for _, c := range []struct {
		f    Frame
		want string
		len  int
	}{
		{Frame{Data: data, Len: 100}, string(data), 100},
		{Frame{Data: data, Len: 100, HasVLAN: true, VLANTCI: 0x2064}, "DDDDDDSSSSSS\x81\x00\x20\x64\x08\x00rest", 104},
		{Frame{Data: data, Len: 100, HasVLAN: true, VLANTPID: 0x88a8, VLANTCI: 5}, "DDDDDDSSSSSS\x88\xa8\x00\x05\x08\x00rest", 104},
		{Frame{Data: data[:8], Len: 8, HasVLAN: true}, "DDDDDDSS", 8},
	} {
		if got, n := c.f.Wire(nil); string(got) != c.want || n != c.len {
			t.Errorf("%+v: %q, %d", c.f, got, n)
		}
	}
}

func TestAddAllocates(t *testing.T) {
	m := newMemory(t, Least, 128)
	f := frame(1, 1500)
	if n := testing.AllocsPerRun(5000, func() { add(m, f) }); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}

// BenchmarkAdd is the cost of keeping a frame, beside that of copying its bytes
// alone into the same memory.
func BenchmarkAdd(b *testing.B) {
	for _, snap := range []int{64, 128, 256} {
		b.Run(fmt.Sprintf("snaplen %d", snap), func(b *testing.B) {
			m := newMemory(b, 32<<20, snap)
			f := frame(1, 1500)
			b.ReportAllocs()
			for i := 0; i < b.N; {
				m.Begin()
				for range 64 { // a block
					f.Stamp++
					m.Add(f)
					i++
				}
				m.End()
			}
		})
	}
	b.Run("copy alone", func(b *testing.B) {
		m := newMemory(b, 32<<20, 128)
		f := frame(1, 128)
		off := 0
		for range b.N {
			off += copy(m.mem[off:], f.Data)
			if off > len(m.mem)-160 {
				off = 0
			}
		}
	})
}
