package pcapfile

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func packetDiff(want, got []Packet) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// Records of every kind of pcap mean the same.
func TestPcapKinds(t *testing.T) {
	// 1700000000 s and 123456 us or 123456789 ns; the file header is 24 bytes long,
	// a record header 16, or 24 in the modified format, the first packet 4.
	const sec = 1700000000
	modified := func(o bo, typ byte) []byte {
		r := record(o, sec, 123456, 60, "abcd")
		return join(r[:16], u32s(o, 3), []byte{8, 0, typ, 0}, r[16:])
	}
	version := func(minor byte, b []byte) []byte { b[6] = minor; return b }
	micro := Packet{At: sec*nsPerSec + 123456000, Link: EN10, Len: 60, Data: []byte("abcd"), Offset: 24}
	nano := micro
	nano.At = sec*nsPerSec + 123456789
	out, in := micro, micro
	out.Dir, in.Dir, in.Offset = DirOut, DirIn, 24+28
	second := micro
	second.Offset, second.Data, second.Len = 24+20, []byte(""), 0
	raw := micro
	raw.Link = 12

	tests := []struct {
		name string
		file []byte
		want []Packet
	}{
		{"micro little", join(pcapHeader(le, magicMicro, 65535, 1), record(le, sec, 123456, 60, "abcd")), []Packet{micro}},
		{"micro big", join(pcapHeader(be, magicMicro, 65535, 1), record(be, sec, 123456, 60, "abcd")), []Packet{micro}},
		{"nano little", join(pcapHeader(le, magicNano, 0, 1), record(le, sec, 123456789, 60, "abcd")), []Packet{nano}},
		{"nano big", join(pcapHeader(be, magicNano, 0, 1), record(be, sec, 123456789, 60, "abcd")), []Packet{nano}},
		{"modified little", join(pcapHeader(le, magicModified, 99, 1), modified(le, 4), modified(le, 0)), []Packet{out, in}},
		{"modified big", join(pcapHeader(be, magicModified, 99, 1), modified(be, 4), modified(be, 3)), []Packet{out, in}},
		{"no packets", pcapHeader(le, magicMicro, 65535, 1), nil},
		{"empty packet", join(pcapHeader(le, magicMicro, 0, 1), record(le, sec, 123456, 60, "abcd"), record(le, sec, 123456, 0, "")), []Packet{micro, second}},
		{"upper bits of the link type say FCS", join(pcapHeader(le, magicMicro, 0, 0x2400_0001), record(le, sec, 123456, 60, "abcd")), []Packet{micro}},
		{"another number of raw", join(pcapHeader(le, magicMicro, 0, 12), record(le, sec, 123456, 60, "abcd")), []Packet{raw}},
		// 2.2 and before had the two lengths the other way round: 4 on the wire's place.
		{"version 2.2", join(version(2, pcapHeader(le, magicMicro, 0, 1)), swapLengths(record(le, sec, 123456, 60, "abcd"))), []Packet{micro}},
		{"version 2.3 as now", join(version(3, pcapHeader(le, magicMicro, 0, 1)), record(le, sec, 123456, 60, "abcd")), []Packet{micro}},
		{"version 2.3 as before", join(version(3, pcapHeader(le, magicMicro, 0, 1)), swapLengths(record(le, sec, 123456, 60, "abcd"))), []Packet{micro}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { readsAs(t, tt.file, tt.want) })
	}
}

func swapLengths(r []byte) []byte {
	return join(r[:8], r[12:16], r[8:12], r[16:])
}

// readsAs reads a file at once, byte by byte, and as gzip.
func readsAs(t *testing.T, file []byte, want []Packet) {
	t.Helper()
	for _, in := range []struct {
		how string
		r   io.Reader
	}{
		{"at once", bytes.NewReader(file)},
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(file))},
		{"data with the end", iotest.DataErrReader(bytes.NewReader(file))},
		{"gzip", bytes.NewReader(zipped(t, file))},
		{"gzip byte by byte", iotest.OneByteReader(bytes.NewReader(zipped(t, file)))},
		{"two gzip members", bytes.NewReader(join(zipped(t, file[:10]), zipped(t, file[10:])))},
	} {
		r, err := NewReader(in.r, "t.pcap", Options{Comments: true})
		if err != nil {
			t.Errorf("%s: %v", in.how, err)
			continue
		}
		got, err := drain(r)
		if err != nil {
			t.Errorf("%s: %v", in.how, err)
		}
		if d := packetDiff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", in.how, d)
		}
		if err := r.Next(&Packet{}); err != io.EOF {
			t.Errorf("%s: after the end comes %v", in.how, err)
		}
	}
}

// ngFile has all blocks, in one byte order.
func ngFile(o bo) []byte {
	return join(
		shb(o, opt(o, shbHardware, "box"), opt(o, shbOS, "Linux 6.1"), opt(o, shbApp, "dumpcap"), opt(o, optComment, "hello"), opt(o, optEnd, "")),
		idb(o, 1, 128, opt(o, ifName, "eth0"), opt(o, ifDescription, "first"), opt(o, ifTSResol, "\x09"), opt(o, ifSpeed, u64s(o, 25e9)),
			opt(o, ifMAC, "\x02\x00\x00\x00\x00\x01"), opt(o, ifFilter, "\x00icmp"), opt(o, ifOS, "Linux"), opt(o, ifHardware, "nic"), opt(o, optComment, "left"), opt(o, optEnd, "")),
		block(o, 0x0bad, u32s(o, 7), []byte("custom")),
		block(o, 10, u32s(o, 0x544c534b, 4), []byte("keys")),
		idb(o, 276, 4),
		epb(o, 0, 1700000000_123456789, 60, "abcde", opt(o, epbFlags, string(u32s(o, 2))), opt(o, epbDrops, u64s(o, 17)),
			opt(o, optComment, "vif 023471"), opt(o, optComment, "vm_a"),
			opt(o, optCustom, string(u32s(o, 32473))+string(o.AppendUint16(nil, 1448))+"\x00\x00"), opt(o, optEnd, "")),
		epb(o, 1, 1700000001_000002, 4, "wxyz", opt(o, epbFlags, string(u32s(o, 0x1d)))), // bits above the two say other things
		block(o, blockPacket, o.AppendUint16(o.AppendUint16(nil, 1), 3), u32s(o, uint32(uint64(1700000002_000003)>>32), uint32(1700000002_000003&0xffffffff), 3, 90), []byte("old\x00"), opt(o, epbFlags, string(u32s(o, 1)))),
		block(o, blockSimple, u32s(o, 6), []byte("simple")),
		block(o, blockNames, o.AppendUint16(o.AppendUint16(nil, recordIPv4), 4+5+5), []byte("\x0a\x01\x10\xa5vm_a\x00vm_b\x00\x00\x00"),
			o.AppendUint16(o.AppendUint16(nil, recordIPv6), 16+3), netip.MustParseAddr("2001:db8::7").AsSlice(), []byte("v6\x00\x00"),
			o.AppendUint16(o.AppendUint16(nil, 77), 2), []byte("?!\x00\x00"), u32s(o, 0), opt(o, optComment, "after the end")),
		block(o, blockStatistics, u32s(o, 0, 0, 0), opt(o, isbReceived, u64s(o, 1000)), opt(o, isbDropped, u64s(o, 5)),
			opt(o, isbStart, string(u32s(o, uint32(uint64(1700000000_000000000)>>32), uint32(uint64(1700000000_000000000)&0xffffffff)))), opt(o, optEnd, "")),
	)
}

// ngWant is what ngFile means if it begins at offset, its interfaces at index i.
func ngWant(o bo, offset int64, i int) []Packet {
	ps := []Packet{
		{At: 1700000000_123456789, Interface: i, Link: EN10, Dir: DirOut, Len: 60, Data: []byte("abcde"), Drops: 17, SegSize: 1448, Comments: []string{"vif 023471", "vm_a"}},
		{At: 1700000001_000002000, Interface: i + 1, Link: SLL2, Dir: DirIn, Len: 4, Data: []byte("wxyz")},
		{At: 1700000002_000003000, Interface: i + 1, Link: SLL2, Dir: DirIn, Len: 90, Data: []byte("old"), Drops: 3},
		{NoTime: true, Interface: i, Link: EN10, Len: 6, Data: []byte("simple")},
	}
	file := ngFile(o)
	at := int64(0)
	for n := range ps {
		for typ := uint32(0); ; {
			typ = o.Uint32(file[at:])
			here := at
			at += int64(o.Uint32(file[at+4:]))
			if typ == blockEnhanced || typ == blockPacket || typ == blockSimple {
				ps[n].Offset = offset + here
				break
			}
		}
	}
	return ps
}

func TestPcapngBlocks(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    bo
	}{{"little", le}, {"big", be}} {
		t.Run(tt.name, func(t *testing.T) {
			file := ngFile(tt.o)
			readsAs(t, file, ngWant(tt.o, 0, 0))
			checkDescriptions(t, file)
		})
	}
	little, big := ngFile(le), ngFile(be)
	t.Run("sections of both orders", func(t *testing.T) {
		readsAs(t, join(little, big, little), join3(ngWant(le, 0, 0), ngWant(be, int64(len(little)), 2), ngWant(le, int64(2*len(little)), 4)))
	})
}

func join3(a, b, c []Packet) []Packet { return append(append(a, b...), c...) }

func checkDescriptions(t *testing.T, file []byte) {
	t.Helper()
	_, r, err := readAll(file, Options{Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []Interface{
		{Name: "eth0", Description: "first", Filter: "icmp", OS: "Linux", Hardware: "nic", Comments: []string{"left"},
			Link: EN10, SnapLen: 128, Speed: 25e9, MAC: [6]byte{2, 0, 0, 0, 0, 1}, TSResol: 9,
			Stats: InterfaceStats{Seen: true, Received: 1000, Dropped: 5, HasReceived: true, HasDropped: true, Start: 1700000000_000000000}},
		{Link: SLL2, SnapLen: 4, TSResol: 6},
	}
	if d := cmp.Diff(want, r.Interfaces(), cmpopts.IgnoreUnexported(Interface{})); d != "" {
		t.Errorf("interfaces (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Section{{Hardware: "box", OS: "Linux 6.1", Application: "dumpcap", Comment: "hello"}}, r.Sections()); d != "" {
		t.Errorf("sections (-want +got):\n%s", d)
	}
	names := map[netip.Addr][]string{
		netip.MustParseAddr("10.1.16.165"): {"vm_a", "vm_b"},
		netip.MustParseAddr("2001:db8::7"): {"v6"},
	}
	if d := cmp.Diff(names, r.Names(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
	if got := r.Read(); got != int64(len(file)) {
		t.Errorf("%d bytes read of %d", got, len(file))
	}
}

// Comments are left where they are unless they are asked for.
func TestNoComments(t *testing.T) {
	packets, r, err := readAll(ngFile(le), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if packets[0].Comments != nil || r.Interfaces()[0].Comments != nil || r.Sections()[0].Comment != "" {
		t.Errorf("comments nobody asked for: %q", packets[0].Comments)
	}
}

// A simple packet is cut by the snaplen of the section's first interface.
func TestSimplePacketSnaplen(t *testing.T) {
	file := join(shb(le), idb(le, 1, 5), block(le, blockSimple, u32s(le, 900), []byte("12345")))
	packets, _, err := readAll(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Packet{{NoTime: true, Link: EN10, Len: 900, Data: []byte("12345"), Offset: 28 + 20}}
	if d := packetDiff(want, packets); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestClock(t *testing.T) {
	tests := []struct {
		name   string
		resol  uint8
		offset int64
		stamp  uint64
		want   int64
	}{
		{"microseconds", 6, 0, 1_500_000, 1_500_000_000},
		{"seconds", 0, 0, 1_700_000_000, 1_700_000_000e9},
		{"nanoseconds", 9, 0, 123, 123},
		{"picoseconds, cut", 12, 0, 1999, 1},
		{"10^-28 s", 28, 0, math.MaxUint64, 1}, // 1.8e19 / 1e19 = 1
		{"10^-29 s", 29, 0, math.MaxUint64, 0},
		{"10^-127 s", 127, 0, math.MaxUint64, 0},
		{"2^-0", 0x80, 0, 2, 2e9},
		{"2^-1", 0x81, 0, 3, 1_500_000_000},
		{"2^-32, as NTP", 0xa0, 0, 1<<32 + 1<<31, 1_500_000_000},
		{"2^-64", 0xc0, 0, 1 << 63, 500_000_000},
		{"2^-64, all ones", 0xc0, 0, math.MaxUint64, 999_999_999},
		{"2^-127", 0xff, 0, math.MaxUint64, 0}, // 2^64 * 1e9 / 2^127 = 1e-10
		{"offset", 6, 10, 1, 10_000_001_000},
		{"offset back", 6, -10, 11_000_000, 1_000_000_000},
		{"before 1970", 6, -10, 1_000_000, -9_000_000_000},
		{"beyond 2262", 6, 0, math.MaxUint64, math.MaxInt64},
		{"seconds beyond", 0, 0, math.MaxUint64, math.MaxInt64},
		{"offset beyond", 6, math.MaxInt64, 0, math.MaxInt64},
		{"offset far back", 6, math.MinInt64, 0, math.MinInt64},
		{"both far", 0, math.MinInt64, math.MaxUint64, math.MaxInt64},
		{"just below", 9, 0, math.MaxInt64, math.MaxInt64},
		{"just above", 9, 0, math.MaxInt64 + 1, math.MaxInt64},
		{"all of uint64 but the offset", 9, -9_223_372_036, math.MaxUint64, math.MaxInt64},
		{"stamp above int64 brought back", 9, -9_223_372_036, 1 << 63, 1<<63 - 9_223_372_036e9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock(tt.resol, tt.offset)
			if got := c.ns(tt.stamp); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

// A file that is damaged gives what came before and a sentence with the offset.
func TestDamage(t *testing.T) {
	pcap := join(pcapHeader(le, magicMicro, 65535, 1), record(le, 1, 2, 60, "abcd")) // 24 + 20 bytes
	ng := join(shb(le), idb(le, 1, 0), epb(le, 0, 1, 4, "abcd"))                     // 28 + 20 + 36 bytes
	sized := func(b []byte, n uint32) []byte { le.PutUint32(b[4:], n); return b }
	tests := []struct {
		name   string
		file   []byte
		n      int // packets before
		offset int64
		class  error
		say    string
	}{
		{"cut record header", join(pcap, []byte("1234567")), 1, 44, ErrTruncated, "in a record header"},
		{"cut packet", join(pcap, record(le, 1, 2, 60, "abcd")[:17]), 1, 44, ErrTruncated, "in a packet"},
		{"gigantic packet", join(pcap, u32s(le, 1, 2, 0x7fffffff, 60)), 1, 44, ErrFormat, "2147483647 captured bytes"},
		{"cut block header", join(ng, []byte("123")), 1, 84, ErrTruncated, "in a block header"},
		{"cut block", join(ng, epb(le, 0, 1, 4, "abcd")[:30]), 1, 84, ErrTruncated, "in a block"},
		{"cut unknown block", join(ng, block(le, 99, []byte("abcdefgh"))[:14]), 1, 84, ErrTruncated, "in a block"},
		{"gigantic unknown block", join(ng, sized(block(le, 99, []byte("abcd")), 0xfffffff0)), 1, 84, ErrTruncated, "in a block"},
		{"gigantic packet block", join(ng, sized(epb(le, 0, 1, 4, "abcd"), 0xfffffff0)), 1, 84, ErrFormat, "a block claims 4294967280 bytes"},
		{"gigantic section", join(ng, sized(shb(le), 0xfffffff0)), 1, 84, ErrFormat, "a block claims 4294967280 bytes"},
		{"tiny block", join(ng, sized(block(le, 99), 8)), 1, 84, ErrFormat, "claims 8 bytes"},
		{"odd block", join(ng, sized(block(le, 99), 13)), 1, 84, ErrFormat, "claims 13 bytes"},
		{"two lengths", join(ng, sized(block(le, 99, []byte("abcdefgh")), 16)), 1, 84, ErrFormat, "begins with length 16"},
		{"packet larger than its block", join(ng, block(le, blockEnhanced, u32s(le, 0, 0, 1, 5, 5), []byte("abcd"))), 1, 84, ErrFormat, "room for 4"},
		{"packet of 4 GiB in a small block", join(ng, block(le, blockEnhanced, u32s(le, 0, 0, 1, 0xffffffff, 5), []byte("abcd"))), 1, 84, ErrFormat, "4294967295 captured bytes"},
		{"short packet block", join(ng, block(le, blockEnhanced, u32s(le, 0, 0))), 1, 84, ErrFormat, "packet block of 8 bytes"},
		{"short old packet block", join(ng, block(le, blockPacket, u32s(le, 0, 0))), 1, 84, ErrFormat, "packet block of 8 bytes"},
		{"short simple packet block", join(ng, block(le, blockSimple)), 1, 84, ErrFormat, "packet block of 0 bytes"},
		{"simple packet larger than its block", join(ng, block(le, blockSimple, u32s(le, 9), []byte("abcd"))), 1, 84, ErrFormat, "room for 4"},
		{"short interface block", join(ng, block(le, blockInterface, u32s(le, 1))), 1, 84, ErrFormat, "interface block of 4"},
		{"short statistics", join(ng, block(le, blockStatistics, u32s(le, 1))), 1, 84, ErrFormat, "statistics block of 4"},
		{"statistics of nobody", join(ng, block(le, blockStatistics, u32s(le, 1, 0, 0))), 1, 84, ErrFormat, "interface 1"},
		{"unknown interface", join(ng, epb(le, 1, 1, 4, "abcd")), 1, 84, ErrFormat, "interface 1 of a section that described 1"},
		{"interface of the section before", join(ng, shb(le), epb(le, 0, 1, 4, "abcd")), 1, 84 + 28, ErrFormat, "described 0"},
		{"option too long", join(ng, block(le, blockEnhanced, u32s(le, 0, 0, 1, 0, 0), []byte{1, 0, 5, 0})), 1, 84, ErrFormat, "option of 5 bytes"},
		{"half an option", join(ng, block(le, blockStatistics, u32s(le, 0, 0, 0), []byte{5, 0, 8, 0, 1, 2, 3, 4})), 1, 84, ErrFormat, "option of 8 bytes"},
		{"name record too long", join(ng, block(le, blockNames, []byte{1, 0, 99, 0})), 1, 84, ErrFormat, "99 bytes exceeds"},
		{"section without order", join(ng, block(le, blockSection, u32s(le, 1, 2, 3, 4))), 1, 84, ErrFormat, "without byte order"},
		{"section of the future", join(ng, block(le, blockSection, u32s(le, byteOrderMagic, 2, 3, 4))), 1, 84, ErrFormat, "version 2.0"},
		{"cut gzip", zipped(t, ng)[:20], 0, 0, ErrTruncated, "gzip"},
		{"empty", nil, 0, 0, ErrTruncated, "it is empty"},
		{"one byte", []byte{0xd4}, 0, 0, ErrTruncated, "first bytes"},
		{"half a header", pcap[:10], 0, 0, ErrTruncated, "the file header"},
		{"half a section header", ng[:10], 0, 0, ErrTruncated, "a section header"},
		{"text", []byte("this is no capture"), 0, 0, ErrFormat, `begins with "this"`},
		{"version 1", join([]byte{0xd4, 0xc3, 0xb2, 0xa1, 1, 0}, pcap[6:]), 0, 0, ErrFormat, "pcap version 1.4"},
		{"snoop", []byte("snoop\x00\x00\x00\x00\x00\x00\x02"), 0, 0, ErrFormat, "Solaris snoop"},
		{"zstd", []byte("\x28\xb5\x2f\xfd0123"), 0, 0, ErrFormat, "compressed with zstd"},
		{"gzip of gzip", zipped(t, zipped(t, pcap)), 0, 0, ErrFormat, "gzip within gzip"},
		{"gzip of nothing", zipped(t, nil), 0, 0, ErrTruncated, "empty"},
		{"gzip of text", zipped(t, []byte("text of no use")), 0, 0, ErrFormat, `"text"`},
		{"only the magic of gzip", []byte{0x1f, 0x8b}, 0, 0, ErrTruncated, "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packets, _, err := readAll(tt.file, Options{})
			var fe *FileError
			if !errors.As(err, &fe) {
				t.Fatalf("%d packets and %v, want a FileError", len(packets), err)
			}
			if len(packets) != tt.n || fe.Offset != tt.offset || !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("%d packets, offset %d, %q; want %d packets, %d, %q of class %q", len(packets), fe.Offset, err, tt.n, tt.offset, tt.say, tt.class)
			}
			if !strings.HasPrefix(err.Error(), "t.pcap: ") {
				t.Errorf("%q lacks the file", err)
			}
		})
	}
}

// A gzip whose check sum is wrong gives its packets, then the error.
func TestGzipChecksum(t *testing.T) {
	z := zipped(t, join(pcapHeader(le, magicMicro, 0, 1), record(le, 1, 2, 60, "abcd")))
	z[len(z)-6] ^= 1
	packets, _, err := readAll(z, Options{})
	if len(packets) != 1 || !errors.Is(err, ErrFormat) {
		t.Errorf("%d packets and %v", len(packets), err)
	}
}

// What the input fails with reaches the caller, behind the packets before it.
func TestInputError(t *testing.T) {
	file := join(pcapHeader(le, magicMicro, 0, 1), record(le, 1, 2, 60, "abcd"))
	broken := errors.New("broken")
	r, err := NewReader(io.MultiReader(bytes.NewReader(file), iotest.ErrReader(broken)), "t.pcap", Options{})
	if err != nil {
		t.Fatal(err)
	}
	packets, err := drain(r)
	if len(packets) != 1 || !errors.Is(err, broken) {
		t.Errorf("%d packets and %v", len(packets), err)
	}
	r, err = NewReader(iotest.ErrReader(broken), "t.pcap", Options{})
	if r != nil || !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// MaxPacket is what it says, in both formats, and the buffer slides over packets
// of any size.
func TestMaxPacket(t *testing.T) {
	data := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		name string
		file []byte
	}{
		{"pcap", join(pcapHeader(le, magicMicro, 0, 1), record(le, 1, 2, 5000, data))},
		{"pcapng", join(shb(le), idb(le, 1, 0), epb(le, 0, 1, 5000, data))},
	} {
		if p, _, err := readAll(tt.file, Options{MaxPacket: 5000}); err != nil || len(p) != 1 || string(p[0].Data) != data {
			t.Errorf("%s: %d packets and %v", tt.name, len(p), err)
		}
		if p, _, err := readAll(tt.file, Options{MaxPacket: 4999}); !errors.Is(err, ErrFormat) || len(p) != 0 {
			t.Errorf("%s: %d packets and %v, want a refusal", tt.name, len(p), err)
		}
	}
}

func TestSlidingBuffer(t *testing.T) {
	file := pcapHeader(le, magicMicro, 0, 1)
	sizes := []int{0, 1, 262144, 3, 200_000, 65_535, 262144, 262144, 7, 100_000}
	for round := range 5 {
		for i, n := range sizes {
			file = append(file, record(le, uint32(round), uint32(i), uint32(n), strings.Repeat(string(rune('a'+i)), n))...)
		}
	}
	packets, _, err := readAll(file, Options{})
	if err != nil || len(packets) != 5*len(sizes) {
		t.Fatalf("%d packets and %v", len(packets), err)
	}
	offset := int64(24)
	for i, p := range packets {
		n := sizes[i%len(sizes)]
		if len(p.Data) != n || p.Offset != offset || !bytes.Equal(p.Data, bytes.Repeat([]byte{byte('a' + i%len(sizes))}, n)) {
			t.Fatalf("packet %d: %d bytes at %d, want %d at %d", i, len(p.Data), p.Offset, n, offset)
		}
		offset += 16 + int64(n)
	}
}
