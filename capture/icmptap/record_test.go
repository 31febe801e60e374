package icmptap

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture"
	"spiketop/capture/pcapfile"
	"spiketop/capture/recorder"
	"spiketop/flow"
	"spiketop/testdata/netlab"
)

func newRecorder(t testing.TB, snap int) *recorder.Memory {
	t.Helper()
	m, err := recorder.New(4<<20, snap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// wired is a frame as it is compared.
type wired struct {
	outgoing bool
	bytes    string
	length   int
}

// What the recorder holds of a vif is what tcpdump sees there: the bytes, cut, the
// length, the direction; of one vif in the order of time, with the echo's stamp.
func TestRecordsWhatTcpdumpSees(t *testing.T) {
	s := newSite(t)
	const snap = 100 // less than a tap reads
	m := newRecorder(t, snap)
	r := start(t, s.host, Config{Recorder: m})
	vifs := s.vifs(t, "vif_a", "vif_b")
	r.Set(vifs)
	r.opened(2)
	witness := netlab.StartTcpdump(t, s.host, "vif_a")
	ping(t, s.vmA, addrB, 5, "-s", "300")
	ping(t, s.vmA, "fd00::2", 5)
	sendFrames(t, s.vmA, func(send func([]byte) error) error {
		if err := send(join(eth(0x8100, 0x6005, 0x800), ip4(1, 0, 0, icmp(8)))); err != nil {
			return err
		}
		return send(join(eth(0x88a8, 6, 0x8100, 7, 0x86dd), ip6(58, icmp(129))))
	})
	r.settle()
	r.end()
	time.Sleep(1200 * time.Millisecond) // tcpdump takes what little there is once a second
	witness.Stop()

	a := uint32(vifs[0].Ifindex)
	var got, want []wired
	stamps := map[flow.Time]bool{}
	c := m.Cut(0, 1<<62, 1<<30)
	for i := range c.Frames {
		f := &c.Frames[i]
		if f.Ifindex != a {
			if f.Ifindex != uint32(vifs[1].Ifindex) {
				t.Errorf("a frame of ifindex %d", f.Ifindex)
			}
			continue
		}
		b, n := f.Wire(nil)
		got = append(got, wired{f.Outgoing, string(b[:min(len(b), snap)]), n})
		stamps[flow.WallOffset(0).Mono(f.Stamp)] = true
	}
	for _, e := range r.echoes {
		if e.VIF == int(a) && !stamps[e.At+flow.Time(e.Offset)] {
			t.Errorf("the echo %d has no frame with its stamp", e.Seq)
		}
	}
	p := readPcap(t, witness.File)
	for _, f := range p { // the filter's part of it: the guest's own MAC says who sent
		if vm := filterVM(t); accepts(t, vm.Run, f.data) {
			want = append(want, wired{false, string(f.data[:min(len(f.data), snap)]), f.length})
		}
	}
	guest := guestMAC(t, s.vmA)
	for i := range want {
		from := []byte(want[i].bytes[6:12])
		want[i].outgoing = !bytes.Equal(from, guest) && !bytes.Equal(from, eth()[6:12])
	}
	if len(want) != 22 { // two times five out and back, and two with tags
		t.Fatalf("tcpdump saw %d echoes, want 22", len(want))
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(wired{})); diff != "" {
		t.Errorf("frames (-tcpdump +recorder):\n%s", diff)
	}
	tagged := slices.ContainsFunc(c.Frames, func(f recorder.Frame) bool { return f.HasVLAN && f.VLANTCI == 0x6005 && f.VLANTPID == 0x8100 })
	if !tagged {
		t.Error("no frame has the tag that the kernel moved")
	}
}

func accepts(t *testing.T, run func([]byte) (int, error), data []byte) bool {
	t.Helper()
	n, err := run(data)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

func guestMAC(t *testing.T, ns *netlab.NS) []byte {
	t.Helper()
	var i *net.Interface
	if err := ns.Do(func() (err error) { i, err = net.InterfaceByName("eth0"); return err }); err != nil {
		t.Fatal(err)
	}
	return i.HardwareAddr
}

type pcapFrame struct {
	data   []byte
	length int
}

func readPcap(t *testing.T, file string) (out []pcapFrame) {
	t.Helper()
	r, err := pcapfile.Open(file, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p pcapfile.Packet
	for {
		if err := r.Next(&p); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, pcapFrame{slices.Clone(p.Data), p.Len})
	}
}

// Under a flood the recorder gets what is delivered, and nothing of what is over
// the bound; what is no whole echo has a bound of its own.
func TestRecordsBounded(t *testing.T) {
	s := newSite(t)
	m := newRecorder(t, 128)
	r := start(t, s.host, Config{Rate: 200, Recorder: m})
	vifs := s.vifs(t, "vif_a")
	r.Set(vifs)
	r.opened(1)
	from := capture.Now()
	sent := flood(t, s.vmA, time.Second)
	fragment := join(eth(0x800), ip4(1, 0, 0x2000, icmp(8))) // more fragments
	sendFrames(t, s.vmA, func(send func([]byte) error) error {
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			for range 20 {
				_ = send(fragment)
			}
			time.Sleep(time.Millisecond)
		}
		return nil
	})
	r.settle()
	r.end()
	took := capture.Now().Sub(from)
	st := r.of(vifs[0].Ifindex)
	kept := m.Stats().Frames
	most := st.Delivered + uint64(200*took.Seconds()) + 100
	t.Logf("%d requests sent; %+v; %d kept", sent, st, kept)
	if st.Over == 0 || st.Other == 0 || st.Other > uint64(200*took.Seconds())+100 {
		t.Errorf("no flood, or fragments are read without a bound: %+v", st)
	}
	if kept <= st.Delivered || kept > most {
		t.Errorf("%d frames kept, want more than %d and at most %d", kept, st.Delivered, most)
	}
	var missing uint64
	for _, g := range r.gaps {
		missing += g.Frames
	}
	if missing == 0 || missing > st.Over+st.Dropped {
		t.Errorf("gaps speak of %d frames, %d are missing", missing, st.Over+st.Dropped)
	}
}

// A macvtap's device stands for the guest; the recorder is told the direction of
// the host's end of a vif: outgoing is toward the guest.
func TestRecordsDirection(t *testing.T) {
	for _, tt := range []struct{ inward, outgoing, want bool }{{false, true, true}, {false, false, false}, {true, true, false}, {true, false, true}} {
		m := newRecorder(t, 128)
		r := &Taps{recorder: m}
		p := &tap{inward: tt.inward, stats: VIFStats{Ifindex: 7}}
		m.Begin()
		r.keep(p, &frame{data: eth(0x800), outgoing: tt.outgoing, length: 14}, 1000, 5) // without a stamp: 1000 + 5
		m.End()
		c := m.Cut(0, 1<<62, 1<<20)
		want := []recorder.Frame{{Stamp: 1005, Ifindex: 7, Outgoing: tt.want, Len: 14, Data: eth(0x800)}}
		if diff := cmp.Diff(want, c.Frames); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt, diff)
		}
	}
}

func TestKeepAllocates(t *testing.T) {
	m := newRecorder(t, 128)
	r, p, f := &Taps{recorder: m}, &tap{}, &frame{data: join(eth(0x800), ip4(1, 0, 0, icmp(8))), stamp: 1}
	if n := testing.AllocsPerRun(5000, func() {
		m.Begin()
		r.keep(p, f, 1, 0)
		m.End()
	}); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}

// BenchmarkReadEchoes is what an echo on a vif costs this process, read and decoded
// in turns of 64, with a recorder and without: two taps of one vif read the same
// frames by turns. The metrics are medians of the turns.
func BenchmarkReadEchoes(b *testing.B) {
	host, guest := netlab.NewNS(b, "host"), netlab.NewNS(b, "guest")
	netlab.Veth(b, host, "vif_a", guest, "eth0")
	sides := []*readSide{openSide(b, host, Config{}), openSide(b, host, Config{Recorder: newRecorder(b, 128)})}
	frame := join(eth(0x800), ip4(1, 0, 0, icmp(8)))
	n := 0
	sendFrames(b, guest, func(send func([]byte) error) error {
		for n < b.N {
			for range mostAtOnce {
				if err := send(frame); err != nil {
					return err
				}
			}
			for i := range sides {
				sides[(i+n/mostAtOnce)%2].read(b)
			}
			n += mostAtOnce
		}
		return nil
	})
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(sides[0].turns), "ns/echo")
	b.ReportMetric(median(sides[1].turns), "ns/echo-recorded")
}

type readSide struct {
	*Taps
	p     *tap
	turns []float64 // ns for each echo
}

func openSide(b *testing.B, host *netlab.NS, cfg Config) *readSide {
	clock, err := capture.NewClock()
	if err != nil {
		b.Fatal(err)
	}
	cfg.Clock, cfg.Out = clock, make(chan *Batch)
	s := &readSide{p: &tap{fd: -1, stats: VIFStats{Name: "vif_a", Ifindex: ifindex(b, host, "vif_a")}}}
	if s.Taps, err = Open(cfg); err != nil {
		b.Fatal(err)
	}
	s.rate = 1e9 // all are delivered
	if err := host.Do(func() error { s.openTap(s.p, capture.Now()); return s.p.stats.Err }); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		s.closeTap(s.p)
		s.closer.wait()
		s.Close()
	})
	return s
}

// read is a turn.
func (s *readSide) read(b *testing.B) {
	s.out.batch().Echoes = s.out.batch().Echoes[:0]
	before, begin := s.p.stats.Delivered, time.Now()
	s.readTap(s.p)
	took := time.Since(begin)
	if n := s.p.stats.Delivered - before; n > 0 {
		s.turns = append(s.turns, float64(took.Nanoseconds())/float64(n))
	}
}
