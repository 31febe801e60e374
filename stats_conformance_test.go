package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"spiketop/capture/pcapfile"
	"spiketop/flow/stats"
)

// A collection of real captures, with what tshark and capinfos say of each; it
// lies beside the checkout where there is one, or where PCAPS says.
const pcapsBeside = "../shared/pcaps"

// whatDiffers are the captures of which something is not as the oracle has it,
// and why; docs/CONFORMANCE.md says it at length, and a test compares the two.
var whatDiffers = map[string]struct{ what, why string }{
	"badfile-half-global-header.pcap":      {"refused", "cut in its header"},
	"badfile-pcap-invalid-version-1.pcap":  {"refused", "pcap version 1"},
	"badfile-shb-option-too-long.pcapng":   {"refused", "the section header contradicts itself"},
	"badfile-solaris.snoop":                {"refused", "snoop"},
	"badfile-text.pcap":                    {"refused", "no capture"},
	"empty-zero-bytes.pcap":                {"refused", "empty"},
	"bigendian-microsecs_big_endian.pcap":  {"refused", "link type NETLINK"},
	"oddlink-HDLC.pcap":                    {"refused", "link type C_HDLC"},
	"time-CiscoHDLC.pcap":                  {"refused", "link type C_HDLC"},
	"oddlink-dlt_ppp.pcap":                 {"refused", "link type PPP"},
	"oddlink-nflog.pcap":                   {"refused", "link type NFLOG"},
	"wifi-80211http.pcap":                  {"refused", "link type IEEE802_11_RADIOTAP"},
	"wifi-wlanmon.pcap":                    {"refused", "link type IEEE802_11"},
	"ip6ext-ipv6-mobility-dst-opts.pcap":   {"flows trees", "ports behind a destination option that overruns its header"},
	"hostile-fuzz-2006-06-26-2594.pcap":    {"tcp", "damaged headers in the handshake"},
	"hostile-bgp_vpn_rt-oobr.pcap":         {"times", "damaged times, of which capinfos orders those near 1970 otherwise"},
	"hostile-udp-length-heapoverflow.pcap": {"trees", "the ports of a UDP header whose length is wrong"},
	"snaplen-many-protocols-s64.pcap":      {"tcp", "tshark leaves out segments whose options are cut"},
	"tcp-lossy-snap96.pcap":                {"tcp", "a refused connection has no handshake"},
	"tcp-synscan.pcap":                     {"tcp", "a refused connection has no handshake"},
	"pcapng-pcapng-example.pcapng":         {"tcp", "a refused connection has no handshake"},
	"nano-timestamp_invalid_nano.pcap":     {"tcp times", "over a second of nanoseconds in a time"},
	"time-timestamp_invalid_micro.pcap":    {"tcp times", "over a second of microseconds in a time"},
}

// oracle is what is compared of a capture's oracle.
type oracle struct {
	Frames struct {
		Total     uint64 `json:"total"`
		WireBytes uint64 `json:"wire_bytes"`
		NonIP     uint64 `json:"non_ip"`
		InnerIP   uint64 `json:"with_inner_ip"`
		Fragments uint64 `json:"fragments"`
	} `json:"frames"`
	Flows    map[string]json.RawMessage `json:"flows"`
	ICMP     map[string]json.RawMessage `json:"icmp"`
	Trees    map[string]oracleTree      `json:"trees"`
	Capinfos map[string]string          `json:"capinfos"`
}

type oracleTree struct {
	Rows []struct {
		Depth int    `json:"depth"`
		Item  string `json:"item"`
		Count uint64 `json:"count"`
	} `json:"rows"`
}

type oracleFlow struct {
	Proto   int    `json:"ipproto"`
	Src     string `json:"src"`
	Dst     string `json:"dst"`
	SrcPort uint16 `json:"sport"`
	DstPort uint16 `json:"dport"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"wire_bytes"`
}

type oracleICMP struct {
	Pairs []struct {
		Src         string `json:"src"`
		Dst         string `json:"dst"`
		ID          uint16 `json:"id"`
		Seq         uint16 `json:"seq"`
		RequestTime string `json:"req_time"`
		ReplyTime   string `json:"reply_time"`
		Duplicates  uint32 `json:"dup_replies"`
	} `json:"pairs"`
	Orphans []json.RawMessage `json:"orphan_replies"`
}

// TestConformance holds the statistics of every capture of the collection
// against tshark and capinfos: totals, flows of the outermost and the innermost
// header, echoes, the two trees, and TCP's troubles if tshark is here.
func TestConformance(t *testing.T) {
	dir := cmp.Or(os.Getenv("PCAPS"), pcapsBeside)
	oracles, _ := filepath.Glob(filepath.Join(dir, "oracles", "*.json"))
	if len(oracles) == 0 {
		if os.Getenv("PCAPS") != "" {
			t.Fatalf("no oracles/*.json in %s", dir)
		}
		t.Skip("no collection of captures beside the checkout")
	}
	for _, file := range oracles {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o := &oracle{}
			if err := json.Unmarshal(b, o); err != nil {
				t.Fatal(err)
			}
			conform(t, captureFile(dir, name), name, o)
		})
	}
}

// captureFile finds the capture of an oracle: in a folder of its own it is called
// FOLDER_FILE.
func captureFile(dir, name string) string {
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); err == nil {
		return file
	}
	folder, rest, _ := strings.Cut(name, "_")
	return filepath.Join(dir, folder, rest)
}

func conform(t *testing.T, file, name string, o *oracle) {
	excepted := func(what string) bool { return slices.Contains(strings.Fields(whatDiffers[name].what), what) }
	outer, err := statsOf(file, false)
	if err != nil {
		if !excepted("refused") {
			t.Fatal(err)
		}
		return
	}
	if excepted("refused") {
		t.Fatal("was read, though it is in the list of those that are refused")
	}
	inner, err := statsOf(file, true)
	if err != nil {
		t.Fatal(err)
	}
	r := outer.report
	if f := &o.Frames; r.Packets != f.Total || r.Bytes != f.WireBytes || r.NotIP+r.Opaque != f.NonIP {
		t.Errorf("%d packets, %d bytes, %d not IP; want %d, %d, %d", r.Packets, r.Bytes, r.NotIP+r.Opaque, f.Total, f.WireBytes, f.NonIP)
	}
	if !excepted("times") {
		conformTimes(t, r, o)
	}
	failed := func(what string, differs string) {
		if differs != "" && !excepted(what) {
			t.Errorf("%s (-oracle +stats):\n%s", what, differs)
		}
	}
	failed("flows", flowsDiffer(t, o, "outer_frag_first", r))
	failed("flows", flowsDiffer(t, o, "inner_frag_first", inner.report))
	failed("echoes", echoesDiffer(t, o, "outer", r))
	failed("echoes", echoesDiffer(t, o, "inner", inner.report))
	if o.Frames.InnerIP > 0 {
		return // tshark's trees and analyses are of all headers of a frame
	}
	if o.Frames.Fragments == 0 {
		failed("trees", treesDiffer(o, r))
	}
	failed("tcp", tcpDiffers(t, file, r))
}

func statsOf(file string, inner bool) (*captured, error) {
	r, err := pcapfile.Open(file, pcapfile.Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c, err := readCapture(context.Background(), r, &statsOptions{inner: inner, maxFlows: 1 << 20})
	if err == nil {
		err = c.nothingDecoded()
	}
	return c, err
}

// conformTimes compares the first and last time with capinfos, where it has
// them and they are within the calendar.
func conformTimes(t *testing.T, r *stats.Report, o *oracle) {
	const layout = "2006-01-02 15:04:05.999999999"
	for _, x := range []struct {
		key string
		at  int64
	}{{"Start time", r.First}, {"End time", r.Last}} {
		want, err := time.Parse(layout, o.Capinfos[x.key])
		if err != nil || want.Year() < 1980 || want.Year() > 2110 {
			continue
		}
		got := time.Unix(0, x.at).UTC()
		if d := got.Sub(want); d <= -time.Microsecond || d >= time.Microsecond {
			t.Errorf("%s %s, want %s", x.key, got.Format(layout), o.Capinfos[x.key])
		}
	}
}

// flowLine is a flow without direction, to be compared.
type flowLine struct {
	proto     int
	low, high netip.AddrPort
}

type bothWays struct{ Up, Down stats.Counts }

func fold(m map[string]bothWays, proto int, from, to netip.AddrPort, n stats.Counts) {
	if n.Packets == 0 {
		return
	}
	k := flowLine{proto, from, to}
	up := from.Compare(to) <= 0
	if !up {
		k.low, k.high = to, from
	}
	key := fmt.Sprintf("%d %s %s", k.proto, k.low, k.high)
	v := m[key]
	d := &v.Up
	if !up {
		d = &v.Down
	}
	d.Packets += n.Packets
	d.Bytes += n.Bytes
	m[key] = v
}

func flowsDiffer(t *testing.T, o *oracle, which string, r *stats.Report) string {
	var list []oracleFlow
	raw := o.Flows[which]
	for json.Unmarshal(raw, &list) != nil {
		var same string
		if err := json.Unmarshal(raw, &same); err != nil {
			t.Fatal(err)
		}
		raw = o.Flows[strings.TrimPrefix(same, "same as ")]
	}
	want, got := map[string]bothWays{}, map[string]bothWays{}
	for _, f := range list {
		src, dst := netip.MustParseAddr(f.Src), netip.MustParseAddr(f.Dst)
		fold(want, f.Proto, netip.AddrPortFrom(src, f.SrcPort), netip.AddrPortFrom(dst, f.DstPort), stats.Counts{Packets: f.Packets, Bytes: f.Bytes})
	}
	for i := range r.Flows {
		f := &r.Flows[i]
		fold(got, int(f.Proto), f.A, f.B, f.AB)
		fold(got, int(f.Proto), f.B, f.A, f.BA)
	}
	return diff.Diff(want, got)
}

func echoesDiffer(t *testing.T, o *oracle, which string, r *stats.Report) string {
	raw := o.ICMP[which]
	if string(raw) == `"same as outer"` {
		raw = o.ICMP["outer"]
	}
	var x oracleICMP
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, p := range x.Pairs {
		reply := "-"
		if p.ReplyTime != "" {
			reply = p.ReplyTime
		}
		want = append(want, fmt.Sprintf("%s %s %d %d %s %s %d", netip.MustParseAddr(p.Src), netip.MustParseAddr(p.Dst), p.ID, p.Seq, p.RequestTime, reply, p.Duplicates))
	}
	for i := range r.Echoes {
		e := &r.Echoes[i]
		reply := "-"
		if e.Answered {
			reply = epoch(e.Reply)
		}
		got = append(got, fmt.Sprintf("%s %s %d %d %s %s %d", e.Src, e.Dst, e.ID, e.Seq, epoch(e.Request), reply, e.Duplicates))
	}
	slices.Sort(want)
	slices.Sort(got)
	if int(r.Orphaned) != len(x.Orphans) || len(r.Orphans) != len(x.Orphans) {
		return fmt.Sprintf("%d orphans, want %d", r.Orphaned, len(x.Orphans))
	}
	return diff.Diff(want, got)
}

func epoch(ns int64) string { return fmt.Sprintf("%d.%09d", ns/1e9, ns%1e9) }

// treesDiffer compares both IPv4 statistics as lines.
func treesDiffer(o *oracle, r *stats.Report) string {
	want, got := map[string]uint64{}, map[string]uint64{}
	topic, address, proto := "", "", ""
	for _, row := range o.Trees["IPv4 Statistics/Source and Destination Addresses"].Rows {
		if row.Depth == 0 {
			topic = row.Item
			continue
		}
		want[topic+" "+row.Item] = row.Count
	}
	for _, row := range o.Trees["IPv4 Statistics/Destinations and Ports"].Rows {
		switch row.Depth {
		case 1:
			address = row.Item
		case 2:
			proto = row.Item
		case 3:
			want[address+" "+proto+" "+row.Item] = row.Count
		}
	}
	for _, a := range r.Addresses {
		got[a.Topic+" "+a.Item.String()] = a.Count
	}
	for _, s := range r.Services {
		got[s.Address.String()+" "+s.Proto+" "+strconv.Itoa(int(s.Port))] = s.Count
	}
	return diff.Diff(want, got)
}

// tcpLine is what tshark's tcp.analysis fields say of the segments between two
// ends.
type tcpLine struct {
	Retransmissions, Fast, Spurious, OutOfOrder, DuplicateAcks, ZeroWindows, Unseen int
	HandshakeUS                                                                     int64 // -1 = none
}

var analyses = []string{"retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "duplicate_ack", "zero_window", "ack_lost_segment", "initial_rtt"}

func tcpDiffers(t *testing.T, file string, r *stats.Report) string {
	if len(r.TCP) == 0 {
		return ""
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		if strings.Contains(os.Getenv("SPIKETOP_REQUIRE"), "tshark") {
			t.Fatal("tshark is not here")
		}
		t.Log("TCP is not compared: tshark is not here")
		return ""
	}
	want, got := tsharkTCP(t, file), map[string]tcpLine{}
	for i := range r.TCP {
		c := &r.TCP[i]
		l := tcpLine{int(c.Retransmissions), int(c.Fast), int(c.Spurious), int(c.OutOfOrder), int(c.DuplicateAcks), int(c.ZeroWindows), int(c.LostSegments), -1}
		if c.Handshake >= 0 {
			l.HandshakeUS = (c.Handshake + 500) / 1000
		}
		got[endsKey(c.A, c.B)] = l
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			want[k] = tcpLine{HandshakeUS: -1}
		}
	}
	return diff.Diff(want, got)
}

func endsKey(a, b netip.AddrPort) string {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return a.String() + " " + b.String()
}

func tsharkTCP(t *testing.T, file string) map[string]tcpLine {
	args := []string{"-n", "-r", file, "-Y", "tcp && !icmp && !icmpv6", "-T", "fields", "-E", "occurrence=f"}
	for _, f := range []string{"ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport"} {
		args = append(args, "-e", f)
	}
	for _, f := range analyses {
		args = append(args, "-e", "tcp.analysis."+f)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "WIRESHARK_CONFIG_DIR=/nonexistent")
	out, _ := cmd.Output() // it fails at the end of a file that is cut off
	lines := map[string]tcpLine{}
	for line := range bytes.Lines(out) {
		c := strings.Split(strings.TrimRight(string(line), "\n"), "\t")
		if len(c) != 6+len(analyses) {
			t.Fatalf("tshark: %q", line)
		}
		end := func(v4, v6, port string) netip.AddrPort {
			n, _ := strconv.Atoi(port)
			return netip.AddrPortFrom(netip.MustParseAddr(cmp.Or(v4, v6)), uint16(n))
		}
		k := endsKey(end(c[0], c[1], c[2]), end(c[3], c[4], c[5]))
		l, known := lines[k]
		if !known {
			l.HandshakeUS = -1
		}
		for i, n := range []*int{&l.Retransmissions, &l.Fast, &l.Spurious, &l.OutOfOrder, &l.DuplicateAcks, &l.ZeroWindows, &l.Unseen} {
			if c[6+i] != "" {
				*n++
			}
		}
		if rtt := c[6+7]; rtt != "" && l.HandshakeUS < 0 {
			s, _ := strconv.ParseFloat(rtt, 64)
			l.HandshakeUS = int64(s*1e6 + 0.5)
		}
		lines[k] = l
	}
	return lines
}

// TestConformanceDocument: what differs stands in the document, with the reason.
func TestConformanceDocument(t *testing.T) {
	b, err := os.ReadFile("docs/CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range whatDiffers {
		line := fmt.Sprintf("| `%s` | %s | %s |", name, strings.ReplaceAll(x.what, " ", ", "), x.why)
		if !bytes.Contains(b, []byte(line+"\n")) {
			t.Errorf("docs/CONFORMANCE.md has not the line %s", line)
		}
	}
}
