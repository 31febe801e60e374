package pcapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var le, be = binary.LittleEndian, binary.BigEndian

// seen is what a test compares.
type seen struct {
	At        int64
	Interface int
	Dir       Dir
	Len       int
	Data      string
}

func readAll(b []byte, o Options) (out []seen, r *Reader, err error) {
	if r, err = NewReader(bytes.NewReader(b), "test", o); err != nil {
		return nil, nil, err
	}
	var p Packet
	for {
		if err := r.Next(&p); err != nil {
			return out, r, err
		}
		out = append(out, seen{p.At, p.Interface, p.Dir, p.Len, string(p.Data)})
	}
}

func TestReader(t *testing.T) {
	pcap := func(unit int64) []seen {
		return []seen{{1000e9 + 7*unit, 0, 0, 13, "abc"}, {1001e9 + 7*unit, 0, 0, 10, ""}}
	}
	res := func(v byte) []byte { return ngOption(le, 9, []byte{v}) }
	for _, c := range []struct {
		name string
		file []byte
		want []seen
		err  error
	}{
		{"micro", pcapBytes(le, magicMicro, 1, "abc", ""), pcap(1000), io.EOF},
		{"micro, big endian", pcapBytes(be, magicMicro, 1, "abc", ""), pcap(1000), io.EOF},
		{"nano", pcapBytes(le, magicNano, 1, "abc", ""), pcap(1), io.EOF},
		{"nano, big endian", pcapBytes(be, magicNano, 1, "abc", ""), pcap(1), io.EOF},
		{"modified", pcapBytes(le, magicModified, 1, "abc", ""), pcap(1000), io.EOF},
		{"gzip", zipped(pcapBytes(le, magicNano, 1, "abc", "")), pcap(1), io.EOF},
		{"cut in a packet", pcapBytes(le, magicMicro, 1, "abc", "", "xyz")[:24+19+16+17], pcap(1000), ErrTruncated},
		{"cut in a header", append(pcapBytes(le, magicMicro, 1, "abc", ""), 1, 2), pcap(1000), ErrTruncated},
		{"cut in gzip", func() []byte { z := zipped(pcapBytes(le, magicMicro, 1, "abc", "")); return z[:len(z)-6] }(), pcap(1000), ErrTruncated},
		{"no packets", pcapBytes(le, magicMicro, 1), nil, io.EOF},
		{"pcapng", slices.Concat(ngSection(le), ngInterface(le, 1, 0), ngInterface(le, 113, 0, res(9)),
			ngPacket(le, 1, 5e9, "abc", 3, ngOption(le, epbFlags, []byte{2, 0, 0, 0})), ngBlock(le, 0xbad, []byte("unknown")),
			ngPacket(le, 0, 5e6, "defgh", 99, ngOption(le, epbFlags, []byte{1, 0, 0, 0}))),
			[]seen{{5e9, 1, DirOut, 3, "abc"}, {5e9, 0, DirIn, 99, "defgh"}}, io.EOF},
		{"two sections of different byte order", slices.Concat(ngSection(le), ngInterface(le, 1, 0), ngPacket(le, 0, 1e6, "a", 1), ngSection(be), ngInterface(be, 1, 0), ngPacket(be, 0, 2e6, "b", 1)),
			[]seen{{1e9, 0, 0, 1, "a"}, {2e9, 1, 0, 1, "b"}}, io.EOF},
		{"simple packets, cut by the snaplen", slices.Concat(ngSection(le), ngInterface(le, 1, 4), ngBlock(le, blockSimple, []byte{9, 0, 0, 0}, []byte("abcd"))),
			[]seen{{0, 0, 0, 9, "abcd"}}, io.EOF},
		{"resolution 2^-10", slices.Concat(ngSection(le), ngInterface(le, 1, 0, res(0x8a)), ngPacket(le, 0, 3<<10+512, "a", 1)),
			[]seen{{3.5e9, 0, 0, 1, "a"}}, io.EOF},
		{"resolution 10^-12", slices.Concat(ngSection(le), ngInterface(le, 1, 0, res(12)), ngPacket(le, 0, 2_000_000_001_999, "a", 1)),
			[]seen{{2_000_000_001, 0, 0, 1, "a"}}, io.EOF},
		{"offset of time", slices.Concat(ngSection(le), ngInterface(le, 1, 0, ngOption(le, 14, le.AppendUint64(nil, 100))), ngPacket(le, 0, 1, "a", 1)),
			[]seen{{100_000_001_000, 0, 0, 1, "a"}}, io.EOF},
		{"absurd time", slices.Concat(ngSection(le), ngInterface(le, 1, 0), ngPacket(le, 0, 1<<64-1, "a", 1)),
			[]seen{{1<<63 - 1, 0, 0, 1, "a"}}, io.EOF},
		{"cut in a block", slices.Concat(ngSection(le), ngInterface(le, 1, 0), ngPacket(le, 0, 1e6, "a", 1), ngPacket(le, 0, 1e6, "a", 1)[:20]),
			[]seen{{1e9, 0, 0, 1, "a"}}, ErrTruncated},
		{"cut in an unknown block", slices.Concat(ngSection(le), ngInterface(le, 1, 0), ngPacket(le, 0, 1e6, "a", 1), ngBlock(le, 99, make([]byte, 40))[:30]),
			[]seen{{1e9, 0, 0, 1, "a"}}, ErrTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := readAll(c.file, Options{})
			if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
				t.Errorf("%v, want %v (-want +got):\n%s", err, c.err, diff)
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	huge := slices.Concat(ngSection(le), ngInterface(le, 1, 0), le.AppendUint32(nil, blockPacket), le.AppendUint32(nil, 1<<31))
	option := ngSection(le)
	option = slices.Concat(option[:24], le.AppendUint16(nil, 2), le.AppendUint16(nil, 9999), option[24:])
	le.PutUint32(option[4:], uint32(len(option)))
	le.PutUint32(option[len(option)-4:], uint32(len(option)))
	v1 := pcapBytes(le, magicMicro, 1)
	v1[4] = 1
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "at byte 0: the file is empty"},
		{"text", []byte("this is not a capture file"), `not a capture file: it begins with "this"`},
		{"snoop", []byte("snoop\x00\x00\x00aaaaaaaaaaaaaaaaaaaaaaaa"), "not a capture file"},
		{"half a header", pcapBytes(le, magicMicro, 1)[:10], "pcap header: the file is cut off"},
		{"three bytes", []byte{1, 2, 3}, "cut off in its header"},
		{"version 1", v1, "pcap version 1.4: only 2.x is read"},
		{"option beyond its block", option, "option 2 claims 9999 bytes"},
		{"half a section", ngSection(le)[:12], "cut off"},
		{"huge packet", slices.Concat(pcapBytes(le, magicMicro, 1), make([]byte, 8), le.AppendUint32(nil, 1<<30), make([]byte, 4)), "at byte 24: a packet of 1073741824 captured bytes: over 262144"},
		{"huge block", huge, "a block of type 0x6 claims 2147483648 bytes"},
		{"unknown interface", slices.Concat(ngSection(le), ngPacket(le, 0, 0, "a", 1)), "a packet of interface 0: its section has 0"},
		{"two lengths", func() []byte { b := slices.Concat(ngSection(le), ngInterface(le, 1, 0)); b[len(b)-4]++; return b }(), "20 bytes at its head and 21 at its end"},
		{"tiny block", slices.Concat(ngSection(le), le.AppendUint32(nil, 6), le.AppendUint32(nil, 4)), "claims 4 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := readAll(c.file, Options{})
			var fe *FileError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) || fe.Name != "test" {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestReaderDetails(t *testing.T) {
	names := slices.Concat(le.AppendUint16(nil, 1), le.AppendUint16(nil, 4+5+3), []byte{10, 1, 16, 55}, []byte("vm_b\x00gw\x00"),
		le.AppendUint16(nil, 2), le.AppendUint16(nil, 3), []byte("abc\x00"), []byte{0, 0, 0, 0})
	file := slices.Concat(ngSection(le), ngInterface(le, 1, 96, ngOption(le, 2, []byte("eth0")), ngOption(le, 3, []byte("member")), ngOption(le, 8, le.AppendUint64(nil, 10e9))),
		ngBlock(le, blockNames, names), ngPacket(le, 0, 0, "a", 1, ngOption(le, optComment, []byte("guilty")), ngOption(le, optComment, []byte("twice")), ngOption(le, epbDropCount, le.AppendUint64(nil, 12))))
	_, r, err := readAll(file, Options{})
	if err != io.EOF {
		t.Fatal(err)
	}
	want := []Interface{{Name: "eth0", Description: "member", Link: EN10, SnapLen: 96, Speed: 10e9}}
	if diff := cmp.Diff(want, r.Interfaces()); diff != "" {
		t.Error(diff)
	}
	if got := r.Names()[netip.MustParseAddr("10.1.16.55")]; !slices.Equal(got, []string{"vm_b", "gw"}) {
		t.Errorf("names %q", got)
	}
	r, _ = NewReader(bytes.NewReader(file), "test", Options{Comments: true})
	var p Packet
	if err := r.Next(&p); err != nil || !slices.Equal(p.Comments, []string{"guilty", "twice"}) || p.Drops != 12 {
		t.Errorf("%v %+v", err, p)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(dir, "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	file := filepath.Join(dir, "a.pcap")
	if err := os.WriteFile(file, pcapBytes(le, magicMicro, 1, "abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var p Packet
	if err := r.Next(&p); err != nil || p.Offset != 24 || r.Consumed() == 0 {
		t.Errorf("%v %+v", err, p)
	}
	for range 2 {
		if err := r.Next(&p); err != io.EOF {
			t.Error(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestNextAllocates(t *testing.T) {
	texts := slices.Repeat([]string{strings.Repeat("x", 100)}, 3000)
	ng := [][]byte{ngSection(le), ngInterface(le, 1, 0)}
	for range 3000 {
		ng = append(ng, ngPacket(le, 0, 5, "abc", 3, ngOption(le, epbFlags, []byte{2, 0, 0, 0})))
	}
	for name, file := range map[string][]byte{"pcap": pcapBytes(le, magicMicro, 1, texts...), "pcapng": slices.Concat(ng...)} {
		r, err := NewReader(bytes.NewReader(file), name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if n := testing.AllocsPerRun(2000, func() { _ = r.Next(&p) }); n != 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
	}
}

// FuzzReader: no file makes the reader panic, hang or grow.
func FuzzReader(f *testing.F) {
	f.Add(pcapBytes(be, magicNano, 1, "abc"))
	f.Add(zipped(pcapBytes(le, magicModified, 276, "abc")))
	f.Add(slices.Concat(ngSection(le), ngInterface(le, 1, 9), ngPacket(le, 0, 9, "abc", 3), ngBlock(le, blockSimple, []byte{9, 0, 0, 0, 1}),
		ngBlock(le, blockPacketOld, make([]byte, 24)), ngBlock(le, blockNames, []byte{1, 0, 6, 0, 1, 2, 3, 4, 65, 0, 0, 0}), ngSection(be)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), "fuzz", Options{Comments: true})
		if err != nil {
			return
		}
		var p Packet
		for n := 0; ; n++ {
			if err := r.Next(&p); err != nil {
				if again := r.Next(&p); again != err {
					t.Errorf("%v, then %v", err, again)
				}
				return
			}
			if n > len(b)+1<<20 {
				t.Fatal("more packets than bytes")
			}
			if p.Interface >= len(r.Interfaces()) || len(p.Data) > r.opt.MaxPacket {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// BenchmarkNext is the cost of a packet of 128 captured bytes.
func BenchmarkNext(b *testing.B) {
	file := pcapBytes(le, magicMicro, 1, slices.Repeat([]string{strings.Repeat("x", 128)}, 100_000)...)
	b.SetBytes(144)
	b.ReportAllocs()
	var p Packet
	r, _ := NewReader(bytes.NewReader(file), "bench", Options{})
	for b.Loop() {
		if r.Next(&p) == io.EOF {
			r, _ = NewReader(bytes.NewReader(file), "bench", Options{})
		}
	}
}
