package pcapfile

import (
	"bytes"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"spiketop/capture/decode"
	"spiketop/flow"
)

// manyPackets is a file of n packets of 100 bytes in both formats.
func manyPackets(n int) (pcap, ng []byte) {
	data := strings.Repeat("x", 100)
	flags := opt(le, epbFlags, string(u32s(le, 2)))
	pcap, ng = pcapHeader(le, magicMicro, 0, 1), join(shb(le), idb(le, 1, 0, opt(le, ifTSResol, "\x09")))
	for i := range n {
		pcap = append(pcap, record(le, uint32(i), 1, 1514, data)...)
		ng = append(ng, epb(le, 0, uint64(i), 1514, data, flags)...)
	}
	return pcap, ng
}

// Next allocates nothing.
func TestNextAllocs(t *testing.T) {
	pcap, ng := manyPackets(20_000)
	for _, tt := range []struct {
		name string
		file []byte
	}{{"pcap", pcap}, {"pcapng", ng}} {
		r, err := NewReader(bytes.NewReader(tt.file), "t.pcap", Options{Comments: true})
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if n := testing.AllocsPerRun(15_000, func() { err = r.Next(&p) }); n != 0 || err != nil {
			t.Errorf("%s: %v allocations for a packet, %v", tt.name, n, err)
		}
	}
}

// endless repeats a block for ever.
type endless struct {
	head, block []byte
	at          int
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := 0
	for n < len(p) {
		m := copy(p[n:], e.block[e.at:])
		n, e.at = n+m, (e.at+m)%len(e.block)
	}
	return n, nil
}

// A file that describes and names without end is refused or costs no more than
// its bounds: 64 MiB are plenty.
func TestMemoryBounds(t *testing.T) {
	text := strings.Repeat("x", 60_000)
	names := u32s(le)
	for i := range 2000 {
		names = append(names, le.AppendUint16(le.AppendUint16(nil, recordIPv4), 12)...)
		names = append(names, byte(i), byte(i>>8), 0, 0)
		names = append(names, "vm_12345"[:7]+"\x00"...)
	}
	tests := []struct {
		name  string
		block []byte
		class error // what ends it, nil = the end of the input
	}{
		{"interfaces", idb(le, 1, 0), ErrFormat},
		{"interfaces with much text", idb(le, 1, 0, opt(le, ifName, text[:1024]), opt(le, ifDescription, text[:1024])), ErrFormat}, // 65536 * 2 KiB = 128 MiB
		{"interfaces with comments", idb(le, 1, 0, bytes.Repeat(opt(le, optComment, "x"), 100)), ErrFormat},
		{"sections", shb(le, opt(le, shbOS, text)), nil},
		{"names", block(le, blockNames, names), nil},
		{"unknown blocks", block(le, 4711, []byte(text)), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			size := int64(48 << 20)
			if tt.class != nil {
				size = 1 << 30 // the bound comes first
			}
			r, err := NewReader(io.LimitReader(&endless{head: shb(le), block: tt.block}, size), "t.pcapng", Options{Comments: true})
			if err != nil {
				t.Fatal(err)
			}
			err = r.Next(&Packet{})
			runtime.GC()
			runtime.ReadMemStats(&after)
			if tt.class == nil && err != io.EOF && !errors.Is(err, ErrTruncated) || tt.class != nil && !errors.Is(err, tt.class) {
				t.Errorf("it ends with %v", err)
			}
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
				t.Errorf("%d MiB are held", grown>>20)
			}
			runtime.KeepAlive(r)
		})
	}
}

// What is called supported here is what package decode reads, and nothing else.
func TestSupported(t *testing.T) {
	packet := []byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 10, 1, 16, 165, 10, 1, 16, 166}
	for l := LinkType(0); l < 400; l++ {
		reads := false
		for _, head := range [][]byte{{}, {2, 0, 0, 0}, append(make([]byte, 12), 8, 0), append(make([]byte, 14), 8, 0), append([]byte{8, 0}, make([]byte, 18)...)} {
			var rec flow.Record
			data := append(bytes.Clone(head), packet...)
			decode.New(decode.Config{Fragments: 4}).DecodeLink(uint16(l), data, &decode.Meta{Len: uint32(len(data))}, &rec, &flow.Echo{})
			reads = reads || rec.Key.Family == flow.FamilyIPv4
		}
		want := l.Supported()
		if l == IPv6 {
			reads = true // the packet is not
		}
		if reads != want {
			t.Errorf("%v (%d): supported %v, decoded %v", l, l, want, reads)
		}
	}
}

func TestLinkTypeString(t *testing.T) {
	for l, want := range map[LinkType]string{0: "NULL", 1: "EN10MB", 12: "RAW", 101: "RAW", 108: "LOOP", 113: "LINUX_SLL", 147: "LINKTYPE_147", 276: "LINUX_SLL2", 105: "IEEE802_11", 1 << 25: "LINKTYPE_33554432"} {
		if got := l.String(); got != want {
			t.Errorf("%d: %q, want %q", uint32(l), got, want)
		}
	}
}

// FuzzReader reads any bytes: without a panic, without an end that is none, and
// with packets that lie within the file; what it read, Writer can write, and it
// reads the same again.
func FuzzReader(f *testing.F) {
	pcap, ng := manyPackets(3)
	for _, seed := range [][]byte{pcap, ng, ngFile(le), ngFile(be), written(f), zipped(f, ng), join(ngFile(be), ngFile(le)),
		pcapHeader(be, magicNano, 0, 276), join(pcapHeader(be, magicModified, 0, 1), make([]byte, 24))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), "f", Options{Comments: true, MaxPacket: 4096})
		if err != nil {
			var fe *FileError
			if !errors.As(err, &fe) || r != nil {
				t.Fatalf("%v is no FileError", err)
			}
			return
		}
		var out bytes.Buffer
		w := NewWriter(&out, Section{})
		var kept []Packet
		last := int64(-1)
		var p Packet
		for {
			if err = r.Next(&p); err != nil {
				break
			}
			if p.Offset <= last || len(p.Data) > 4096 || p.Len < 0 || p.Interface >= len(r.Interfaces()) || r.Interfaces()[p.Interface].Link != p.Link || p.NoTime && p.At != 0 {
				t.Fatalf("%+v", p)
			}
			last = p.Offset
			kept = append(kept, keepPacket(t, w, r, p))
		}
		var fe *FileError
		if err != io.EOF && !errors.As(err, &fe) {
			t.Fatalf("%v is no FileError", err)
		}
		if again := r.Next(&p); again != err {
			t.Fatalf("first %v, then %v", err, again)
		}
		rewritten(t, w, &out, kept)
	})
}

// keepPacket writes p with an interface of its own.
func keepPacket(t *testing.T, w *Writer, r *Reader, p Packet) Packet {
	t.Helper()
	p.Data = bytes.Clone(p.Data)
	i := r.Interfaces()[p.Interface]
	i.Link &= 0xffff
	var err error
	if p.Interface, err = w.AddInterface(i); err != nil {
		t.Fatal(err)
	}
	p.Link = i.Link
	if err := w.WritePacket(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

func rewritten(t *testing.T, w *Writer, out *bytes.Buffer, want []Packet) {
	t.Helper()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	got, _, err := readAll(out.Bytes(), Options{})
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d packets and %v after being written, want %d", len(got), err, len(want))
	}
	for i, p := range want {
		q := got[i]
		if q.At != max(p.At, 0) || q.Interface != p.Interface || q.Link != p.Link || q.Dir != p.Dir || q.Len != p.Len || q.Drops != p.Drops || q.SegSize != p.SegSize || !bytes.Equal(q.Data, p.Data) {
			t.Fatalf("%+v became %+v", p, q)
		}
	}
}

// FuzzClock holds the conversion of times against 128-bit sums by math/big's
// rules: it grows with the stamp and never leaves int64 the wrong way round.
func FuzzClock(f *testing.F) {
	f.Add(uint8(6), int64(0), uint64(1), uint64(2))
	f.Add(uint8(0xa0), int64(-5), uint64(1<<63), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, resol uint8, offset int64, a, b uint64) {
		c := newClock(resol, offset)
		if a > b {
			a, b = b, a
		}
		if x, y := c.ns(a), c.ns(b); x > y {
			t.Errorf("stamp %d gives %d, %d gives %d", a, x, b, y)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	pcap, ng := manyPackets(20_000)
	for _, bf := range []struct {
		name string
		file []byte
	}{{"pcap", pcap}, {"pcapng", ng}} {
		b.Run(bf.name, func(b *testing.B) {
			b.SetBytes(int64(len(bf.file)) / 20_000)
			b.ReportAllocs()
			var r *Reader
			var p Packet
			src := bytes.NewReader(nil)
			for n := 0; b.Loop(); n++ {
				if n%20_000 == 0 {
					src.Reset(bf.file)
					var err error
					if r, err = NewReader(src, "b", Options{}); err != nil {
						b.Fatal(err)
					}
				}
				if err := r.Next(&p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
