package flow

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// BenchmarkTable is the update of the table, against a plain Go map with the
// same records in the same run. One operation is one record.
func BenchmarkTable(b *testing.B) {
	for _, flows := range []int{1, 1000, 10_000, 1_000_000} {
		rs := shuffled(flows)
		b.Run(fmt.Sprintf("flows=%d/table", flows), func(b *testing.B) {
			tb := NewTable(TableConfig{})
			tb.Begin(0)
			tb.Add(rs)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				for i := 0; i < len(rs) && n < b.N; i += batchLen {
					end := min(i+batchLen, len(rs))
					tb.Add(rs[i:end])
					n += end - i
				}
			}
		})
		b.Run(fmt.Sprintf("flows=%d/gomap", flows), func(b *testing.B) {
			m := map[Key]*[2]Counters{}
			add := func(r *Record) {
				v := m[r.Key]
				if v == nil {
					v = new([2]Counters)
					m[r.Key] = v
				}
				v[r.Dir].Bytes += r.Bytes
				v[r.Dir].Packets += uint64(r.Packets)
			}
			for i := range rs {
				add(&rs[i])
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				add(&rs[n%len(rs)])
			}
		})
	}
}

// shuffled returns records of so many flows in random order, at least 64 000 of
// them; the first ones are of different flows.
func shuffled(flows int) []Record {
	rnd := rand.New(rand.NewPCG(1, 1))
	order := rnd.Perm(flows)
	rs := make([]Record, max(flows, 64_000))
	for i := range rs {
		rs[i] = testRecord(0, order[i%flows], Direction(i&1), 1514, 1)
	}
	return rs
}

// BenchmarkTableGrow fills a table with a million flows. longest-us is the
// longest single Add of 64 records in the least disturbed round: there is no
// rehash of everything in it.
func BenchmarkTableGrow(b *testing.B) {
	rs := records(1_000_000)
	best := time.Hour
	for b.Loop() {
		tb := NewTable(TableConfig{})
		tb.Begin(0)
		longest := time.Duration(0)
		for i := 0; i < len(rs); i += batchLen {
			begin := time.Now()
			tb.Add(rs[i:min(i+batchLen, len(rs))])
			longest = max(longest, time.Since(begin))
		}
		best = min(best, longest)
	}
	b.ReportMetric(float64(best.Microseconds()), "longest-us")
}

// BenchmarkCloseSlot closes a slot in which so many flows were touched, with
// the default budget; Add is not counted.
func BenchmarkCloseSlot(b *testing.B) {
	for _, tt := range []struct {
		touched, known int
		name           string
		size           func(i int) uint64
	}{
		{3000, 3000, "all-fit", func(i int) uint64 { return uint64(60 + i) }},
		{20_000, 20_000, "spread", func(i int) uint64 { return uint64(60 + i*i) }},
		{65_536, 65_536, "spread", func(i int) uint64 { return uint64(60 + i*i) }},
		{65_536, 65_536, "all-equal", func(i int) uint64 { return 60 }},
		{65_536, 1_000_000, "spread-in-1M", func(i int) uint64 { return uint64(60 + i*i) }},
	} {
		b.Run(fmt.Sprintf("touched=%d/%s", tt.touched, tt.name), func(b *testing.B) {
			tb := NewTable(TableConfig{})
			tb.Begin(0)
			rs := shuffled(tt.known)[:tt.known] // each flow once
			tb.Add(rs)
			tb.CloseSlot(slotAt(0))
			rs = rs[:tt.touched]
			for i := range rs {
				rs[i].Bytes = tt.size(i)
			}
			b.ReportAllocs()
			var n int
			for b.Loop() {
				b.StopTimer()
				tb.Add(rs)
				n++
				b.StartTimer()
				tb.CloseSlot(slotAt(n))
			}
		})
	}
}

// BenchmarkCloseSlotGoMap is what one writes first: a map of the flows of the
// slot, sorted when it is closed, the largest 256 kept. It gives no classes, no
// introductions and no cumulative figures.
func BenchmarkCloseSlotGoMap(b *testing.B) {
	for _, touched := range []int{3000, 20_000, 65_536} {
		b.Run(fmt.Sprintf("touched=%d", touched), func(b *testing.B) {
			m := map[Key]*[2]Counters{}
			rs := shuffled(touched)[:touched]
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for i := range rs {
					m[rs[i].Key] = &[2]Counters{{uint64(60 + i*i), 1}, {}}
				}
				b.StartTimer()
				type pair struct {
					k *Key
					v *[2]Counters
				}
				all := make([]pair, 0, len(m))
				for k, v := range m {
					all = append(all, pair{&k, v})
				}
				slices.SortFunc(all, func(x, y pair) int {
					return cmp.Compare(y.v[0].Bytes+y.v[1].Bytes, x.v[0].Bytes+x.v[1].Bytes)
				})
				rows := make([]pair, 256)
				copy(rows, all)
				clear(m)
			}
		})
	}
}
