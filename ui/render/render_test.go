package render

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
	"spiketop/incident"
)

func TestCutEnd(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		w        int
		want     string
	}{
		{"fits", "10.1.16.71:40112", 16, "10.1.16.71:40112"},
		// 20 - ":51220" - "…" = 13 characters of the address: 7 in front, 6 behind.
		{"middle of IPv4, port stays", "192.168.147.254:51220", 20, "192.168…47.254:51220"},
		// 22 - ":443" - "…" = 17: 9 in front, 8 behind.
		{"middle of IPv6, brackets stay", "[2001:db8:ffff:1234::1]:443", 22, "[2001:db8…1234::1]:443"},
		{"IPv6 without a port has no port to keep", "2001:db8:ffff:1234::1", 11, "2001:…34::1"},
		{"no room for sense", "10.1.16.71:40112", 8, "10.1.16…"},
		{"one column", "10.1.16.71:40112", 1, "…"},
		{"none", "10.1.16.71:40112", 0, ""},
	} {
		got := cutEnd(tt.in, tt.w)
		if got != tt.want || textWidth(got) > tt.w {
			t.Errorf("%s: cutEnd(%q, %d) = %q, want %q", tt.name, tt.in, tt.w, got, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range [][2]string{
		{count(0), "0"}, {count(999), "999"}, {count(1204), "1 204"}, {count(math.MaxUint64), "18 446 744 073 709 551 615"},
		{speed(10e9), "10G"}, {speed(2.5e9), "2.5G"}, {speed(100e6), "100M"}, {speed(1e9), "1G"}, {speed(200e9), "200G"}, {speed(1.25e9), "1.25G"},
		{part(9.71e9, 10e9), "97%"}, {part(1, 0), ""}, {part(math.NaN(), 1), ""}, {part(1e300, 1), "9999%"},
		{percent(math.NaN()), "?"}, {ms(-1), "?"}, {ms(210 * time.Microsecond), "0.21 ms"}, {wholeMs(310), "310 ms"},
		{msOf(nil), "?"}, {decadeName(3), "1µs"}, {decadeName(5), "0.1ms"}, {decadeName(8), "100ms"}, {decadeName(10), "10s"},
	} {
		if tt[0] != tt[1] {
			t.Errorf("%q, want %q", tt[0], tt[1])
		}
	}
}

// The bar is a part of the link's speed, iftop's logarithm when asked.
func TestBarLength(t *testing.T) {
	for _, tt := range []struct {
		name      string
		bps, full float64
		log       bool
		want      int
	}{
		{"half", 5e9, 10e9, false, 35},
		{"over full", 11e9, 10e9, false, 70},
		{"nothing", 0, 10e9, false, 0},
		{"scale unknown", 5e9, 0, false, 0},
		{"not a number", math.NaN(), 10e9, false, 0},
		{"infinite", math.Inf(1), 10e9, false, 70},
		{"logarithmic: log 1e5 / log 1e10 = 0.5", 1e5, 1e10, true, 35},
		{"logarithmic, below one", 0.5, 1e10, true, 0},
	} {
		if got := barLength(tt.bps, tt.full, 70, tt.log); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestCanvas(t *testing.T) {
	for _, tt := range []struct {
		name string
		put  func(*Canvas)
		want string
	}{
		{"ascii is cut at the edge", func(c *Canvas) { c.Put(2, 0, "abcdefghijkl", Style{}) }, "  abcdefgh"},
		{"wide runes take two columns", func(c *Canvas) { c.Put(0, 0, "日本x", Style{}) }, "日本x"},
		{"a wide rune does not stick out", func(c *Canvas) { c.Put(7, 0, "a日本", Style{}) }, "       a日"},
		{"half a wide rune becomes a blank, left", func(c *Canvas) { c.Put(0, 0, "日", Style{}); c.Put(0, 0, "x", Style{}); c.Put(3, 0, "y", Style{}) }, "x  y"},
		{"half a wide rune becomes a blank, right", func(c *Canvas) { c.Put(0, 0, "日", Style{}); c.Put(1, 0, "x", Style{}) }, " x"},
		{"combining runes stay with theirs", func(c *Canvas) { c.Put(0, 0, "e\u0301x", Style{}) }, "e\u0301x"},
		{"a combining rune without a base is dropped", func(c *Canvas) { c.Put(0, 0, "\u0301x", Style{}) }, "x"},
		{"control characters never arrive", func(c *Canvas) { c.Put(0, 0, "a\x1b[2Jb", Style{}) }, "a\uFFFD[2Jb"},
		{"a mark where text is cut", func(c *Canvas) { c.Fit(0, 0, 4, "abcdef", Style{}) }, "abc…"},
		{"a cut does not halve a wide rune", func(c *Canvas) { c.Fit(0, 0, 4, "a日本", Style{}) }, "a日…"},
		{"right", func(c *Canvas) { c.Right(0, 0, 10, "6.81G", Style{}) }, "     6.81G"},
		{"outside", func(c *Canvas) {
			c.Put(-3, 0, "abcdef", Style{})
			c.Put(0, 5, "x", Style{})
			c.Rune(99, 0, 'x', Style{})
		}, "def"},
	} {
		c := NewCanvas(10, 1)
		tt.put(c)
		if got := strings.TrimSuffix(c.String(), "\n"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzCanvasPut(f *testing.F) {
	for _, s := range []string{"日本x", "\x1b[2J", "e\u0301", "👨‍👩‍👧", "\u202eabc", "\xff\xfe", strings.Repeat("\u0301", 100)} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, x int) {
		c := NewCanvas(9, 1)
		c.Put(x%20, 0, s, Style{})
		c.Fit(0, 0, x%9, s, Style{})
		width := 0
		for i := range c.W {
			cell := c.At(i, 0)
			width += int(cell.Width)
			if cell.Width > 0 && cell.Rune < ' ' || len(cell.Comb) > maxCluster {
				t.Fatalf("cell %d is %+v", i, cell)
			}
		}
		if width != c.W {
			t.Fatalf("%q takes %d of %d columns", s, width, c.W)
		}
	})
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		in   string
		w    int
		want []string
	}{
		{"", 5, nil},
		{"one two three", 7, []string{"one two", "three"}},
		{"abcdefghij k", 4, []string{"abcd", "efgh", "ij k"}},
		{"日本日本", 5, []string{"日本", "日本"}},
		{"x", 0, []string{"x"}},
	} {
		if d := cmp.Diff(tt.want, wrap(tt.in, tt.w)); d != "" {
			t.Errorf("wrap(%q, %d) (-want +got):\n%s", tt.in, tt.w, d)
		}
	}
}

func key(local string, lp uint16, remote string, rp uint16) flow.Key {
	a, b := netip.MustParseAddr(local), netip.MustParseAddr(remote)
	return flow.Key{Local: a.As16(), Remote: b.As16(), LocalPort: lp, RemotePort: rp, Proto: flow.ProtoTCP, Family: flow.FamilyIPv4}
}

func linkOf(rows ...incident.FlowView) *incident.LinkView {
	return &incident.LinkView{Link: flow.Link{Name: "eth0", SpeedBps: 10e9}, Rows: rows}
}

func view(key flow.Key, class flow.Class, rx, tx float64) incident.FlowView {
	return incident.FlowView{Key: key, Class: class, Rate: [2][3]float64{{rx, rx / 2, rx / 4}, {tx, tx / 2, tx / 4}}, Cum: [2]uint64{uint64(rx), uint64(tx)}}
}

func TestRowsAreMerged(t *testing.T) {
	l := linkOf(
		view(key("10.0.0.1", 80, "10.0.0.9", 1000), flow.Storage, 100, 1),
		view(key("10.0.0.1", 80, "10.0.0.9", 1001), flow.Storage, 20, 2),
		view(key("10.0.0.1", 81, "10.0.0.9", 1002), flow.VIF, 3, 3),
		view(key("10.0.0.2", 80, "10.0.0.9", 1003), flow.VIF, 400, 4))
	for _, tt := range []struct {
		name string
		v    View
		want []string
	}{
		{"ports", View{LocalPorts: true, RemotePorts: true}, []string{"V 10.0.0.2:80 10.0.0.9:1003 400 4", "S 10.0.0.1:80 10.0.0.9:1000 100 1", "S 10.0.0.1:80 10.0.0.9:1001 20 2", "V 10.0.0.1:81 10.0.0.9:1002 3 3"}},
		// 100 + 20 and 1 + 2
		{"local ports only", View{LocalPorts: true}, []string{"V 10.0.0.2:80 10.0.0.9 400 4", "S 10.0.0.1:80 10.0.0.9 120 3", "V 10.0.0.1:81 10.0.0.9 3 3"}},
		// 100 + 20 + 3 and 1 + 2 + 3, of two classes
		{"no ports", View{}, []string{"V 10.0.0.2 10.0.0.9 400 4", "+ 10.0.0.1 10.0.0.9 123 6"}},
		{"local host hidden", View{HideLocal: true}, []string{"+ * 10.0.0.9 523 10"}},
		{"both hidden, local port shown: 100 + 20 + 400", View{HideLocal: true, HideRemote: true, LocalPorts: true}, []string{"+ *:80 * 520 7", "V *:81 * 3 3"}},
		{"▲ only", View{LocalPorts: true, Show: TxOnly}, []string{"V 10.0.0.2:80 10.0.0.9 400 4", "S 10.0.0.1:80 10.0.0.9 120 3", "V 10.0.0.1:81 10.0.0.9 3 3"}},
		{"by local address", View{LocalPorts: true, Sort: ByLocal}, []string{"S 10.0.0.1:80 10.0.0.9 120 3", "V 10.0.0.1:81 10.0.0.9 3 3", "V 10.0.0.2:80 10.0.0.9 400 4"}},
	} {
		rows, _ := liveRows(l, &tt.v)
		var got []string
		for i := range rows.len() {
			r := rows.at(i)
			letter := string(r.class.Letter())
			if r.mixed {
				letter = "+"
			}
			got = append(got, letter+" "+r.end(&tt.v, local)+" "+r.end(&tt.v, remote)+" "+count(uint64(r.rate[0][0]))+" "+count(uint64(r.rate[1][0])))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// "src host B" shows what B sent, not what was sent to B.
func TestFilterKeepsTheDirection(t *testing.T) {
	f, err := flow.ParseFilter("src host 10.0.0.9")
	if err != nil {
		t.Fatal(err)
	}
	l := linkOf(view(key("10.0.0.1", 80, "10.0.0.9", 1000), flow.Storage, 100, 7), view(key("10.0.0.1", 80, "10.0.0.8", 1000), flow.Storage, 50, 5))
	rows, hidden := liveRows(l, &View{Match: f, LocalPorts: true, RemotePorts: true})
	if rows.len() != 1 || hidden != 1 || rows.at(0).rate[flow.Rx][0] != 100 || rows.at(0).rate[flow.Tx][0] != 0 {
		t.Errorf("rows %+v hidden %d", rows, hidden)
	}
	if l.Rows[0].Rate[flow.Tx][0] != 7 {
		t.Error("the frame was changed")
	}
}

func TestKeptOrder(t *testing.T) {
	a, b, c := key("10.0.0.1", 80, "10.0.0.9", 1), key("10.0.0.1", 80, "10.0.0.9", 2), key("10.0.0.1", 80, "10.0.0.9", 3)
	v := View{LocalPorts: true, RemotePorts: true, Panes: &incident.Frame{Links: []incident.LinkView{*linkOf(view(a, 0, 3, 0), view(b, 0, 2, 0))}}}
	v.Order = OrderNow(&v)
	rows, _ := liveRows(linkOf(view(c, 0, 900, 0), view(b, 0, 500, 0)), &v)
	if rows.len() != 2 || rows.at(0).key != a || rows.at(1).key != b || rows.at(0).rate[0][0] != 0 || rows.at(1).rate[0][0] != 500 {
		t.Errorf("rows %+v: want a at 0, b at 500 and c hidden", rows)
	}
}

func TestKeyOf(t *testing.T) {
	for _, tt := range []struct {
		proto, local, remote string
		ok                   bool
	}{
		{"tcp", "10.0.0.1:80", "10.0.0.2:81", true},
		{"udp", "[2001:db8::1]:80", "[2001:db8::2]:81", true},
		{"icmp", "10.0.0.1", "10.0.0.2", true},
		{"47", "10.0.0.1", "10.0.0.2", true},
		{"arp", "02:00:00:00:00:01", "02:00:00:00:00:02", false},
		{"tcp", "10.0.0.1:80", "[2001:db8::2]:81", false},
		{"tcp", "chunkserver:9422", "10.0.0.2:81", false},
		{"300", "10.0.0.1", "10.0.0.2", false},
	} {
		k, ok := keyOf(tt.proto, tt.local, tt.remote, 0)
		if ok != tt.ok || ok && (k.LocalEnd() != tt.local || k.RemoteEnd() != tt.remote || k.ProtoName() != tt.proto) {
			t.Errorf("keyOf(%q, %q, %q) = %v, %v", tt.proto, tt.local, tt.remote, k, ok)
		}
	}
}

func TestGrid(t *testing.T) {
	for _, tt := range []struct{ n, w, h, cols, rows int }{
		{1, 80, 14, 1, 1}, {2, 80, 14, 1, 1}, {1, 200, 40, 1, 1}, {2, 119, 30, 1, 1}, {2, 120, 30, 2, 1},
		{4, 160, 28, 2, 2}, {4, 200, 40, 2, 2}, {4, 160, 14, 2, 1}, {3, 200, 40, 3, 1}, {3, 160, 28, 2, 2}, {4, 240, 40, 4, 1}, {8, 120, 20, 2, 2}, {8, 80, 50, 1, 1},
	} {
		if cols, rows := grid(tt.n, tt.w, tt.h); cols != tt.cols || rows != tt.rows {
			t.Errorf("%d panes on %d x %d: %d x %d, want %d x %d", tt.n, tt.w, tt.h, cols, rows, tt.cols, tt.rows)
		}
	}
}

// A millisecond lies on the lowest line of an axis from 1 ms to 1 s: an eighth.
func TestStripShowsTheNewestAtTheRight(t *testing.T) {
	wall := time.Date(2026, 11, 22, 1, 47, 20, 0, time.UTC)
	f := &incident.Frame{At: 1000, Wall: wall, Pings: make([]incident.PingView, 1)}
	s := incident.Strip{Step: time.Second, From: 1000 - flow.Time(3*time.Second)}
	for i := range 4 {
		c := incident.Column{Pings: []incident.PingCell{{Due: true, Worst: time.Millisecond}}}
		if i == 3 {
			c.Pings[0] = incident.PingCell{Due: true, Worst: -1, Lost: true}
			c.Spikes = []int{7}
		}
		s.Cells = append(s.Cells, c)
	}
	f.Strips = []incident.Strip{s}
	v := &View{Frame: f, Zoom: 2}
	c := NewCanvas(80, 24)
	drawStrip(c, rect{0, 0, 80, stripHeight(24, 0, 0)}, v)
	lines := strings.Split(c.String(), "\n")
	for y, want := range map[int]string{1: "x│", 2: "    │", 3: "▁▁▁ │", 4: "#7▲│"} {
		if !strings.HasSuffix(lines[y], want) {
			t.Errorf("line %d is %q, want it to end in %q", y, lines[y], want)
		}
	}
}
