package recorder

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTail: whatever is added between two calls, every frame comes once, in order,
// or is counted as missed.
func TestTail(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		m := newMemory(t, Least, 1+r.IntN(1500))
		before := r.IntN(40)
		n := int64(0)
		write := func(frames int) {
			for range frames {
				n++
				add(m, frame(n, r.IntN(2000)))
			}
		}
		write(before)
		tail := m.Tail()
		next, missedAll := int64(1), uint64(0)
		for range 200 {
			write(r.IntN(1 + r.IntN(300)))
			room := 1 + r.IntN(40000)
			for more := true; more; {
				var b Block
				var missed uint64
				missed, more = tail.Next(&b, room)
				list := b.Frames
				if next += int64(missed); missed > 0 {
					missedAll += missed
				}
				for i := range list {
					if list[i].Stamp != next {
						t.Fatalf("seed %d: frame %d, want %d", seed, list[i].Stamp, next)
					}
					want := frame(next, 0)
					if list[i].Ifindex != want.Ifindex || list[i].Outgoing != want.Outgoing {
						t.Fatalf("seed %d: frame %d is %+v", seed, next, list[i])
					}
					for k, b := range list[i].Data {
						if b != byte(next>>(8*(k%2))) {
							t.Fatalf("seed %d: frame %d has another's bytes", seed, next)
						}
					}
					next++
				}
				if len(list) == 0 && more {
					t.Fatal("nothing was read, though there is more")
				}
				if r.IntN(3) == 0 {
					break
				}
			}
		}
		for more := true; more; {
			var b Block
			var missed uint64
			missed, more = tail.Next(&b, 1<<30)
			next += int64(missed) + int64(len(b.Frames))
		}
		if next != n+1 {
			t.Errorf("seed %d: %d frames were read or missed of %d", seed, next-1, n)
		}
		if seed == 0 && missedAll == 0 {
			t.Error("nothing was ever overwritten: the test is none")
		}
	}
}

// TestLose: losses stand with the frame that follows them, all of them, though an
// entry has room for 65535.
func TestLose(t *testing.T) {
	m := newMemory(t, Least, 128)
	add(m, frame(1, 60))
	m.Lose(3)
	m.Lose(70000)
	add(m, frame(2, 60), frame(3, 60), frame(4, 60))
	var b Block
	m.Tail().Next(&b, 1<<20)
	var got []uint16
	for i := range b.Frames {
		got = append(got, b.Frames[i].Drops)
	}
	if diff := cmp.Diff([]uint16{0, 65535, 70003 - 65535, 0}, got); diff != "" {
		t.Errorf("drops (-want +got):\n%s", diff)
	}
}

// BenchmarkTail is the cost of adding a frame while it is read again.
func BenchmarkTail(b *testing.B) {
	m := newMemory(b, 32<<20, 128)
	tail := m.Tail()
	f := frame(1, 1500)
	var kept Block
	b.ReportAllocs()
	for i := 0; i < b.N; {
		m.Begin()
		for range 64 {
			f.Stamp++
			m.Add(f)
			i++
		}
		m.End()
		if i%4096 == 0 {
			for more := true; more; {
				kept.Reset()
				_, more = tail.Next(&kept, 256<<10)
			}
		}
	}
}
