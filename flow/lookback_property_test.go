package flow

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// lookbackRun feeds a look-back from the bytes of a script and compares it with
// a model that keeps all slots and adds up from the beginning every time.
type lookbackRun struct {
	t     *testing.T
	l     *Lookback
	cap   int
	in    []byte
	now   int // next slot
	epoch uint32
	slots []*Slot // all, as they were added
	infos map[FlowID]FlowInfo
	last  map[FlowID]int // index of the slot with the last row
	class Class
}

func (r *lookbackRun) byte() int {
	if len(r.in) == 0 {
		return 0
	}
	b := r.in[0]
	r.in = r.in[1:]
	return int(b)
}

func newLookbackRun(t *testing.T, in []byte) *lookbackRun {
	r := &lookbackRun{t: t, in: in, infos: map[FlowID]FlowInfo{}, last: map[FlowID]int{}}
	r.cap = 1 + r.byte()*3
	r.l = NewLookback(r.cap, r.classify)
	return r
}

func (r *lookbackRun) classify(k *Key, _, _ [6]byte) (Class, string) {
	c := (Class(k.Local[15]) + r.class) % 4
	return c, c.String()
}

func (r *lookbackRun) run() {
	for len(r.in) > 0 {
		switch op := r.byte(); {
		case op < 200:
			r.add()
		case op < 220: // quiet slots
			for range op - 199 {
				r.addSlot(r.slot())
			}
		case op < 235: // gap
			r.now += r.byte() * 3
		case op < 240:
			r.epoch++
		case op < 250:
			r.class++
			r.l.Reclassify(r.classify)
		default:
			r.check()
		}
	}
	r.check()
}

func (r *lookbackRun) slot() *Slot {
	s := &Slot{Link: 1, Epoch: r.epoch}
	s.From, s.To = slotAt(r.now)
	r.now++
	return s
}

// add makes a slot with random rows. Flows that the look-back does not know are
// introduced, except some.
func (r *lookbackRun) add() {
	s := r.slot()
	for range r.byte() % 12 {
		b := r.byte()
		d := Direction(b & 1)
		id := FlowID(b % 40)
		bytes := uint32(r.byte()) * 100
		if last, ok := r.last[id]; (!ok || len(r.slots)-last >= r.cap) && b%11 != 0 {
			s.New = append(s.New, FlowInfo{ID: id, Key: testKey(int(id) % 30), First: s.From, Cum: [2]Counters{{bytesOf(b), 1}, {}}})
			r.last[id] = len(r.slots)
		}
		s.Rows[d] = append(s.Rows[d], Row{id, bytes, 1})
		s.Total[d].Add(Counters{uint64(bytes), 1})
		if b > 200 {
			other(s, d, Class(b%3), Counters{uint64(b), 2})
		}
	}
	// Ids 30..39 share the keys of 0..9, as after an eviction.
	s.Evicted = 1
	r.addSlot(s)
}

func bytesOf(b int) uint64 { return uint64(b) * 1000 }

// addSlot gives s to the look-back and to the model, which knows at once what
// nobody introduced.
func (r *lookbackRun) addSlot(s *Slot) {
	r.l.Add(s)
	for i := range s.New {
		r.infos[s.New[i].ID] = s.New[i]
	}
	m := *s
	for _, d := range Directions {
		m.Rows[d] = nil
		m.Other[d] = map[Class]Counters{}
		for k, v := range s.Other[d] {
			m.Other[d][k] = v
		}
		for _, row := range s.Rows[d] {
			if last, ok := r.last[row.Flow]; !ok || len(r.slots)-last >= r.cap {
				c := m.Other[d][Unknown]
				c.Add(Counters{uint64(row.Bytes), uint64(row.Packets)})
				m.Other[d][Unknown] = c
				continue
			}
			m.Rows[d] = append(m.Rows[d], row)
			r.last[row.Flow] = len(r.slots)
		}
	}
	r.slots = append(r.slots, &m)
}

// kept returns the model's slots that are still in the look-back.
func (r *lookbackRun) kept() []*Slot { return r.slots[max(0, len(r.slots)-r.cap):] }

func (r *lookbackRun) check() {
	if len(r.slots) == 0 {
		return
	}
	r.checkRates()
	r.checkSum()
	known := 0
	for _, last := range r.last {
		if len(r.slots)-last <= r.cap {
			known++
		}
	}
	if r.l.flows.n != known {
		r.t.Fatalf("%d flows known, want %d: the ones with a row", r.l.flows.n, known)
	}
}

func (r *lookbackRun) checkRates() {
	kept := r.kept()
	newest := kept[len(kept)-1]
	var want LinkRates
	class := [256][2]uint64{}
	flows := map[Key]*FlowRate{}
	var packets, lost uint64
	for w, length := range RateWindows {
		var bytes, oth [2]uint64
		var seen time.Duration
		perFlow := map[Key][2]uint64{}
		for _, s := range kept {
			if s.Epoch != newest.Epoch || newest.To.Sub(s.From) > length {
				continue
			}
			seen += s.To.Sub(s.From)
			for _, d := range Directions {
				bytes[d] += s.Total[d].Bytes
				for c, v := range s.Other[d] {
					oth[d] += v.Bytes
					if w == 0 {
						class[c][d] += v.Bytes
					}
				}
				for _, row := range s.Rows[d] {
					key := r.infos[row.Flow].Key
					f := perFlow[key]
					f[d] += uint64(row.Bytes)
					perFlow[key] = f
					if w == 0 {
						c, _ := r.classify(&key, [6]byte{}, [6]byte{})
						class[c][d] += uint64(row.Bytes)
					}
				}
				if w == 1 {
					packets += s.Total[d].Packets
				}
			}
			if w == 1 {
				lost += s.Lost
			}
		}
		want.Observed[w] = seen
		for _, d := range Directions {
			want.Rate[d][w] = float64(bytes[d]) * 8 / seen.Seconds()
			want.Other[d][w] = float64(oth[d]) * 8 / seen.Seconds()
		}
		for k, b := range perFlow {
			if flows[k] == nil {
				c, why := r.classify(&k, [6]byte{}, [6]byte{})
				flows[k] = &FlowRate{Key: k, Class: c, Why: why}
			}
			for _, d := range Directions {
				flows[k].Rate[d][w] = float64(b[d]) * 8 / seen.Seconds()
			}
		}
	}
	got := r.l.Rates()
	gotClass := [256][2]uint64{}
	for _, c := range got.Classes {
		for _, d := range Directions {
			gotClass[c.Class][d] = uint64(c.Rate[d]*got.Observed[0].Seconds()/8 + 0.5)
		}
	}
	if d := cmp.Diff(class, gotClass); d != "" {
		r.t.Fatalf("slot %d: bytes by class (-want +got):\n%s", r.now, d)
	}
	if d := cmp.Diff([]any{want.Rate, want.Other, want.Observed}, []any{got.Rate, got.Other, got.Observed}, nearly); d != "" {
		r.t.Fatalf("slot %d: Rates (-want +got):\n%s", r.now, d)
	}
	rows, more := r.l.Flows(1000)
	gotFlows := map[Key]*FlowRate{}
	for i := range rows {
		gotFlows[rows[i].Key] = &rows[i]
		if i > 0 && rows[i-1].Rate[Rx][1]+rows[i-1].Rate[Tx][1] < (rows[i].Rate[Rx][1]+rows[i].Rate[Tx][1])*(1-1e-9) {
			r.t.Fatalf("slot %d: row %d is larger than the one before", r.now, i)
		}
	}
	ignore := cmpopts.IgnoreFields(FlowRate{}, "ID", "Cum")
	if d := cmp.Diff(flows, gotFlows, nearly, ignore); d != "" || more != 0 {
		r.t.Fatalf("slot %d: Flows, more %d (-want +got):\n%s", r.now, more, d)
	}
}

func (r *lookbackRun) checkSum() {
	kept := r.kept()
	from := kept[0].From + Time(r.byte())*77*ms
	to := kept[len(kept)-1].To - Time(r.byte())*33*ms
	skip := []Span{{from + 1000*ms, from + 1500*ms}, {to - 500*ms, to - 450*ms}}
	want := WindowSum{}
	flows := map[Key][2]Counters{}
	for _, s := range kept {
		if s.From < from || s.To > to || s.From < skip[0].To && s.To > skip[0].From || s.From < skip[1].To && s.To > skip[1].From {
			continue
		}
		if want.Slots == 0 {
			want.From = s.From
		}
		want.To = s.To
		want.Slots++
		for _, d := range Directions {
			want.Total[d].Add(s.Total[d])
			for _, row := range s.Rows[d] {
				f := flows[r.infos[row.Flow].Key]
				f[d].Add(Counters{uint64(row.Bytes), uint64(row.Packets)})
				flows[r.infos[row.Flow].Key] = f
			}
		}
	}
	got := r.l.Sum(from, to, skip)
	gotFlows := map[Key][2]Counters{}
	sum := [2]Counters{}
	for _, f := range got.Flows {
		gotFlows[f.Key] = f.Sum
		for _, d := range Directions {
			sum[d].Add(f.Sum[d])
		}
	}
	for _, d := range Directions {
		for _, c := range got.Other[d] {
			sum[d].Add(c)
		}
	}
	if sum != got.Total {
		r.t.Fatalf("slot %d: flows + other = %v, total %v", r.now, sum, got.Total)
	}
	if d := cmp.Diff(flows, gotFlows); d != "" || len(gotFlows) != len(got.Flows) {
		r.t.Fatalf("slot %d: Sum.Flows (-want +got):\n%s", r.now, d)
	}
	if got.From != want.From || got.To != want.To || got.Slots != want.Slots || got.Total != want.Total {
		r.t.Fatalf("slot %d: Sum of [%d,%d) in %d slots, %v; want [%d,%d), %d, %v", r.now,
			got.From, got.To, got.Slots, got.Total, want.From, want.To, want.Slots, want.Total)
	}
}

func TestLookbackMatchesModel(t *testing.T) {
	for seed := range uint64(15) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		in := make([]byte, 2+rnd.IntN(4000))
		for i := range in {
			in[i] = byte(rnd.Uint32())
		}
		newLookbackRun(t, in).run()
	}
}

func FuzzLookback(f *testing.F) {
	f.Add([]byte("\x02\x05aabbccddee\xfb\x05ffgghhiijj\xc9\xfb\xe0\x08\x05kkllmmnnoo\xee\x05ppqqrrsstt\xfb"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<9 {
			return
		}
		newLookbackRun(t, in).run()
	})
}
