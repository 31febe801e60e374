package capture

import (
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture/decode"
	"spiketop/capture/recorder"
	"spiketop/capture/tpacket"
	"spiketop/capture/tpacket/tpackettest"
	"spiketop/flow"
)

const (
	testIfindex = 7
	testWall    = 1_700_000_000e9 // CLOCK_REALTIME at monotonic 0
)

// memoryReader is a Reader that is fed with blocks from memory.
func memoryReader(maxFlows int) *Reader {
	r := &Reader{cfg: ReaderConfig{Link: 1}, dec: decode.New(decode.Config{}),
		table:  flow.NewTable(flow.TableConfig{Link: 1, MaxFlows: maxFlows, Seed: 1}),
		stamps: newStamps(func() (flow.WallOffset, int) { return testWall, 0 }),
		out:    outbox{out: make(chan *flow.Batch, 16), link: 1}, open: newOpenRing(nil)}
	r.tally = newTally(r.table, testWall, r.out.slot, func() {})
	r.drain.start(0)
	r.tally.start(0)
	return r
}

// synFrame is a TCP SYN of 60 bytes from one of 65536 ports.
func synFrame(at flow.Time, port uint16) tpacket.Frame {
	f := make([]byte, 60)
	copy(f, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1})
	binary.BigEndian.PutUint16(f[34:], port)
	binary.BigEndian.PutUint16(f[36:], 443)
	f[46], f[47] = 0x50, 2
	return tpacket.Frame{Stamp: testWall + int64(at), Data: f, Len: 60}
}

// block is a full block of n frames stamped at, of flows ports first, first+1 ...
func block(at flow.Time, first, n int) []byte {
	fs := make([]tpacket.Frame, n)
	for i := range fs {
		fs[i] = synFrame(at, uint16(first+i))
	}
	return tpackettest.Block(16<<10, testIfindex, fs...)
}

func (r *Reader) feed(mem []byte, now flow.Time) {
	b := tpacket.ParseBlock(mem, true, testIfindex)
	r.readBlock(&b, now)
}

func TestDrainWatermark(t *testing.T) {
	r := memoryReader(1024)
	r.feed(block(50*ms, 0, 10), 60*ms)
	if w := r.drain.watermark; w != 30*ms { // newest stamp less the 20 ms that frames may overtake each other
		t.Errorf("watermark %d ms after a frame stamped 50 ms, want 30", w/ms)
	}
	r.feed(block(45*ms, 0, 10), 61*ms)
	if w := r.drain.watermark; w != 30*ms {
		t.Errorf("watermark went to %d ms", w/ms)
	}
	// A stamp from the future of no clock of ours is taken as "now".
	r.feed(block(90_000*ms, 0, 1), 62*ms)
	if w := r.drain.watermark; w != 42*ms || r.drain.badStamps != 1 {
		t.Errorf("watermark %d ms, %d bad stamps, want 42, 1", w/ms, r.drain.badStamps)
	}
}

// A clock stepped by 10 s while a block was filled: frames stamped before and
// after it keep their true distance, and the step is told.
func TestDrainStep(t *testing.T) {
	r := memoryReader(1024)
	off, steps := flow.WallOffset(testWall), 0
	r.stamps = newStamps(func() (flow.WallOffset, int) { return off, steps })
	r.feed(block(40*ms, 0, 1), 41*ms)
	off, steps = off+10e9, 1
	after := synFrame(52*ms, 2)
	after.Stamp += 10e9
	r.feed(tpackettest.Block(4096, testIfindex, synFrame(50*ms, 1), after), 60*ms)
	if w := r.drain.watermark; w != 32*ms || r.drain.badStamps != 0 {
		t.Errorf("watermark %d ms, %d bad stamps; want 32 (the frame at 52), 0", w/ms, r.drain.badStamps)
	}
	if b := r.out.pending; b == nil || b.Steps != 1 || r.out.offset != off {
		t.Errorf("batch %+v, offset %d, want one step, %d", b, r.out.offset, off)
	}
}

// While two rings overlap, each frame counts from one of them.
func TestDrainHandOver(t *testing.T) {
	r := memoryReader(1024)
	r.open.next = new(tpacket.Ring) // never touched here
	r.open.boundary, r.open.until = 100*ms, testWall+int64(100*ms)
	mem := tpackettest.Block(4096, testIfindex, synFrame(99*ms, 1), synFrame(100*ms, 2), synFrame(150*ms, 3))
	r.feed(mem, 160*ms) // the old ring
	if r.drain.frames != 1 || r.open.left != 2 {
		t.Errorf("the old ring counted %d and left %d, want 1 and 2", r.drain.frames, r.open.left)
	}
	if w := r.drain.watermark; w != 100*ms {
		t.Errorf("watermark %d ms beyond the boundary", w/ms)
	}
	r.open = openRing{from: r.open.until, until: 1<<63 - 1}
	r.feed(mem, 160*ms) // the new one
	if r.drain.frames != 3 {
		t.Errorf("%d frames counted in all, want 3", r.drain.frames)
	}
}

func TestDrainAllocs(t *testing.T) {
	r := memoryReader(1024)
	mem := block(50*ms, 0, 100)
	r.feed(mem, 60*ms)
	if n := testing.AllocsPerRun(200, func() { r.feed(mem, 60*ms) }); n != 0 {
		t.Errorf("%v allocations for a block of 100 frames", n)
	}
}

// BenchmarkDrain: from blocks in memory to the table, slots closed every 100 ms
// as at 200 kpps.
func BenchmarkDrain(b *testing.B) {
	for _, bb := range []struct {
		name     string
		flows    int
		recorder bool
	}{{"1flow", 1, false}, {"1kflows", 1000, false}, {"1kflows,recorder", 1000, true}, {"64kflows", 65536, false}} {
		b.Run(bb.name, func(b *testing.B) {
			const perBlock, blocks = 90, 400
			mems := make([][]byte, blocks)
			for i := range mems {
				fs := make([]tpacket.Frame, perBlock)
				for j := range fs {
					fs[j] = synFrame(0, uint16((i*perBlock+j)*7919%bb.flows))
				}
				mems[i] = tpackettest.Block(16<<10, testIfindex, fs...)
			}
			r := memoryReader(1 << 17)
			r.out.out = make(chan *flow.Batch) // nobody takes them
			if bb.recorder {
				var err error
				if r.cfg.Recorder, err = recorder.New(32<<20, 128); err != nil {
					b.Fatal(err)
				}
				defer r.cfg.Recorder.Close()
			}
			b.ReportAllocs()
			i, cpu := 0, cpuTime(b)
			for b.Loop() {
				now := flow.Time(i) * perBlock * 5000 // 200 kpps
				restamp(mems[i%blocks], now)
				r.feed(mems[i%blocks], now)
				r.tally.advance(r.drain.watermark)
				r.out.flush(now)
				i++
			}
			b.ReportMetric(float64(cpuTime(b)-cpu)/float64(i)/perBlock, "cpu-ns/frame")
		})
	}
}

// cpuTime is what this process has used: on a shared machine wall time says
// more about the neighbours.
func cpuTime(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// restamp gives every frame of a block the same new stamp.
func restamp(mem []byte, at flow.Time) {
	ne := binary.NativeEndian
	stamp := testWall + int64(at)
	for off, n := 48, ne.Uint32(mem[12:]); n > 0; n-- {
		ne.PutUint32(mem[off+4:], uint32(stamp/1e9))
		ne.PutUint32(mem[off+8:], uint32(stamp%1e9))
		off += int(ne.Uint32(mem[off:]))
	}
}
