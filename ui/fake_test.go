package ui

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"spiketop/flow"
	"spiketop/incident"
	"spiketop/probe"
)

// fake makes Frames of a made-up host that look like real ones. The same fake
// and the same tick give the same Frame.
type fake struct {
	links   int
	rows    int // flows of each link
	targets int
	burst   int // ticks ago that the burst began, 0 = none
	number  int // of the incident, 0 = none
	open    bool
	older   int // incidents before that one
	notes   []string
	change  func(*incident.Frame)
}

var (
	testZone = time.FixedZone("CST", 8*3600)
	testWall = time.Date(2026, 11, 22, 1, 47, 21, 400e6, testZone)
)

const testAt = flow.Time(500 * time.Second)

// noise is a number in 0..1 that depends on its arguments only.
func noise(a, b int) float64 {
	x := uint64(a)*0x9e3779b97f4a7c15 + uint64(b)*0xbf58476d1ce4e5b9
	x ^= x >> 31
	x *= 0x94d049bb133111eb
	x ^= x >> 29
	return float64(x%10000) / 10000
}

// frame returns the picture of tick n, 100 ms each.
func (k fake) frame(n int) *incident.Frame {
	at := testAt.Add(time.Duration(n) * 100 * time.Millisecond)
	f := &incident.Frame{At: at, Wall: testWall.Add(time.Duration(n) * 100 * time.Millisecond), Notes: k.notes,
		World: &flow.World{Host: "nc1", Bonds: []flow.Bond{{Name: "bond0", Mode: "802.3ad", Policy: "layer3+4"}}}}
	if k.links < 2 {
		f.World.Bonds = nil
	}
	for i := range k.links {
		f.Links = append(f.Links, k.link(i, n))
		f.World.Links = append(f.World.Links, f.Links[i].Link)
	}
	for i := range k.targets {
		f.Pings = append(f.Pings, k.ping(i))
	}
	for _, step := range incident.Zooms {
		f.Strips = append(f.Strips, k.strip(f, step))
	}
	for i := range k.older {
		f.Incidents = append(f.Incidents, k.line(f, k.number-k.older+i, false))
	}
	if k.number > 0 {
		f.Incidents = append(f.Incidents, k.line(f, k.number, k.open))
		f.Frozen = k.incident(f, k.number, k.open)
	}
	if k.change != nil {
		k.change(f)
	}
	return f
}

func ends(local string, lp uint16, remote string, rp uint16, proto uint8) flow.Key {
	a, b := netip.MustParseAddr(local), netip.MustParseAddr(remote)
	k := flow.Key{Local: a.As16(), Remote: b.As16(), LocalPort: lp, RemotePort: rp, Proto: proto, Family: flow.FamilyIPv6}
	if a.Is4() {
		k.Family = flow.FamilyIPv4
	}
	return k
}

var fakeKeys = []struct {
	key   flow.Key
	class flow.Class
	rx    float64
	tx    float64
}{
	{ends("10.1.16.165", 9422, "10.1.16.71", 40112, flow.ProtoTCP), flow.Storage, 0.21e9, 9e6},
	{ends("10.1.16.165", 9422, "10.1.16.72", 51036, flow.ProtoTCP), flow.Storage, 0.20e9, 33e6},
	{ends("192.168.47.111", 5201, "192.168.40.18", 33004, flow.ProtoTCP), flow.VIF, 0.21e9, 190e6},
	{ends("2001:db8:40:7::1c3", 443, "2001:db8:ffff:1234:5678:9abc:def0:1", 41222, flow.ProtoTCP), flow.VIF, 61.3e6, 4.1e6},
	{ends("10.1.16.165", 9100, "10.1.16.9", 41222, flow.ProtoTCP), flow.Host, 18.2e6, 1.1e6},
	{ends("10.1.16.165", 0, "10.1.16.55", 0, flow.ProtoICMP), flow.Control, 7840, 7840},
	{ends("192.168.147.127", 53, "192.168.147.254", 51220, flow.ProtoUDP), flow.Unknown, 41200, 102000},
}

func macKey() flow.Key {
	k := flow.Key{LocalPort: 0x8809}
	flow.SetMAC(&k.Local, []byte{2, 0, 0, 0, 0, 1})
	flow.SetMAC(&k.Remote, []byte{1, 0x80, 0xc2, 0, 0, 2})
	return k
}

func (k fake) bursting(link int) bool { return k.burst > 0 && link == 0 }

func (k fake) link(i, n int) incident.LinkView {
	l := incident.LinkView{Link: flow.Link{ID: flow.LinkID(i + 1), Name: fmt.Sprintf("eth%d", i), Bond: "bond0", SpeedBps: 10e9, Physical: true},
		More: 1204 / (i + 1), Coverage: 0.9984}
	for j := range k.rows {
		l.Rows = append(l.Rows, k.row(i, j, n))
	}
	classes := map[flow.Class]*incident.ClassRate{}
	for j := range l.Rows {
		r := &l.Rows[j]
		if classes[r.Class] == nil {
			classes[r.Class] = &incident.ClassRate{Class: r.Class}
		}
		for d := range 2 {
			classes[r.Class].Rate[d] += r.Rate[d][0]
			for w := range 3 {
				l.Rate[d][w] += r.Rate[d][w]
			}
		}
	}
	for d := range 2 {
		for w := range 3 {
			l.Other[d][w] = 12e6 * (1 + noise(i, w+d))
			l.Rate[d][w] += l.Other[d][w]
		}
		l.Peak[d] = l.Rate[d][0] * 1.2
	}
	total := l.Rate[0][0] + l.Rate[1][0]
	for c := flow.Storage; ; c = (c + 1) % flow.FirstUserClass {
		if classes[c] != nil {
			classes[c].Share = (classes[c].Rate[0] + classes[c].Rate[1]) / total
			l.Classes = append(l.Classes, *classes[c])
		}
		if c == flow.Unknown {
			break
		}
	}
	return l
}

func (k fake) row(link, j, n int) incident.FlowView {
	base := fakeKeys[j%len(fakeKeys)]
	key, rx, tx := base.key, base.rx, base.tx
	if j == len(fakeKeys) {
		key, rx, tx = macKey(), 990, 1012
		base.class = flow.Control
	} else if j > len(fakeKeys) {
		key.RemotePort += uint16(j)
		scale := math.Pow(0.8, float64(min(j, 60)))
		rx, tx = rx*scale, tx*scale
	}
	if link > 0 {
		rx, tx = rx*0.4, tx*0.8
	}
	if k.bursting(link) && j == 0 {
		rx = 6.81e9
	}
	if k.bursting(link) && j == 1 {
		rx = 1.90e9
	}
	v := incident.FlowView{ID: flow.FlowID(j + 1), Key: key, Class: base.class, Cum: [2]uint64{uint64(rx) * 40, uint64(tx) * 40}}
	for w := range 3 {
		v.Rate[0][w] = rx * (1 + 0.02*noise(n/20+w, j))
		v.Rate[1][w] = tx * (1 + 0.02*noise(n/20+w, j+1000))
	}
	return v
}

func (k fake) ping(i int) incident.PingView {
	p := incident.PingView{Target: probe.Target{ID: probe.TargetID(i + 1), Name: []string{"10.1.16.55", "10.1.16.1", "2001:db8:40:7::9"}[i%3],
		Captured: true, Reason: []string{"busiest on-link peer", "gateway through bond0", "--ping"}[i%3]},
		Member: fmt.Sprintf("eth%d", i%max(k.links, 1)), Baseline: 210 * time.Microsecond, Mark: 2 * time.Millisecond, Freeze: 20200 * time.Microsecond}
	p.Target.Addr = netip.MustParseAddr(p.Target.Name)
	p.Stats = probe.Stats{Last: 210 * time.Microsecond, P50: 205 * time.Microsecond, P99: 340 * time.Microsecond, Jitter: 21 * time.Microsecond, Max: 900 * time.Microsecond}
	return p
}

func (k fake) strip(f *incident.Frame, step time.Duration) incident.Strip {
	wall := f.Wall.UnixNano()
	last := wall - wall%int64(step)
	s := incident.Strip{Step: step}
	const columns = incident.StripColumns
	s.From = f.At - flow.Time(wall-last) - flow.Time((columns-1)*int(step))
	for i := range columns {
		from := last - int64(columns-1-i)*int64(step)
		s.Cells = append(s.Cells, k.column(f, from, step))
	}
	return s
}

func (k fake) column(f *incident.Frame, from int64, step time.Duration) incident.Column {
	id := int(from / int64(100*time.Millisecond) % 1_000_003)
	burst := testWall.UnixNano() - int64(k.burst)*int64(100*time.Millisecond)
	hit := k.burst > 0 && from+int64(step) > burst && from < burst+int64(300*time.Millisecond)
	var c incident.Column
	for i := range f.Pings {
		p := incident.PingCell{Due: true, Worst: time.Duration(180e3 + 150e3*math.Pow(noise(id, i), 3))}
		switch {
		case hit && i == 0:
			p.Worst, p.Mark, p.Freeze = 120400*time.Microsecond, true, true
		case id%37 == 5 && i == 0:
			p.Worst, p.Mark = 3*time.Millisecond, true
		case id%101 == 7 && i == 0:
			p.Lost, p.Worst = true, probe.None
		case id%113 == 9:
			p.Unknown = true
		case id%127 == 3:
			p.Self = true
		case id%53 == 11:
			p = incident.PingCell{Worst: probe.None}
		}
		c.Pings = append(c.Pings, p)
	}
	for i := range f.Links {
		l := incident.LoadCell{Rx: 0.7e9 * (1 + noise(id, i+50)), Tx: 0.3e9 * (1 + noise(id, i+60))}
		if hit && i == 0 {
			l.Rx = 9.9e9
		}
		c.Links = append(c.Links, l)
	}
	if hit && k.number > 0 && from+int64(step) > burst+int64(100*time.Millisecond) && from <= burst+int64(100*time.Millisecond) {
		c.Spikes = []int{k.number}
	}
	return c
}

func (k fake) line(f *incident.Frame, number int, open bool) incident.IncidentLine {
	in := k.incident(f, number, open)
	l := incident.IncidentLine{Number: number, ID: in.ID, At: in.Trigger.Sent, RTT: 120400 * time.Microsecond, Kind: incident.KindRTT,
		Target: "10.1.16.55", Member: "eth0", Open: open, Summary: "120.4 ms on 10.1.16.55 via eth0 — eth0 ▼ 99.0% for 310 ms: 10.1.16.71:40112 → 10.1.16.165:9422 +6.60G"}
	if !open {
		l.Sealed, l.Dir = in, "/var/lib/spiketop/incidents/"+in.ID
	}
	return l
}

func p[T any](v T) *T { return &v }

func (k fake) incident(f *incident.Frame, number int, open bool) *incident.Incident {
	sent := testWall.Add(-time.Duration(max(k.burst, 5)) * 100 * time.Millisecond).Add(-time.Duration(max(k.number-number, 0)) * time.Minute)
	in := &incident.Incident{Schema: incident.Schema, ID: sent.UTC().Format("20060102T150405.000Z") + "-10.1.16.55", Host: "nc1", Number: number, Open: open,
		Trigger: incident.Trigger{Kind: incident.KindRTT, Target: "10.1.16.55", Member: "eth0", ReplyMember: "eth0", Seq: 110, Sent: sent,
			RTT: p(incident.Millis(120.4)), Baseline: p(incident.Millis(0.21)), Threshold: p(incident.Millis(20.21)), Rule: "median + 20 ms"},
		Window:   incident.Window{From: sent.Add(-500 * time.Millisecond), To: sent.Add(400 * time.Millisecond)},
		Baseline: incident.BaseWindow{Seconds: 30},
		Path:     incident.PathPart{Own: &incident.OwnPath{Queue: p(incident.Millis(0.02)), Wire: p(incident.Millis(120.38)), Wakeup: p(incident.Millis(0.05))}, VerdictSegment: "physical network"},
		Verdict: incident.Verdict{Cause: "storage", Link: "eth0", Direction: "rx", Confidence: "high",
			Sentence: "Echo 110 to 10.1.16.55 via eth0 took 120.4 ms (usual 0.21). eth0 ▼ ran at 9.90 Gbit/s for 310 ms (usual 2.20 Gbit/s, 99.0% of 10.0G): one flow brought most of it: tcp 10.1.16.71:40112 -> 10.1.16.165:9422, +6.60 Gbit/s.",
			Evidence: []string{"eth0 rx 9.13 Gbit/s, usual 0.52 Gbit/s", "the delay lies in the physical network: 120.38 ms on the wire, 0.02 ms in this host", "eth1 had room (22%)"},
			Advice:   "Limit the rate of the chunkserver's replication, or spread it over both members."},
		Pings: []incident.PingPart{{Target: "10.1.16.55", Member: "eth0", Sent: 110, Lost: 1, RTTMax: p(incident.Millis(120.4)), Baseline: p(incident.Millis(0.21))}},
	}
	if f != nil {
		for i := range f.Links {
			in.Links = append(in.Links, linkPart(&f.Links[i], i))
		}
	}
	in.Classes = []incident.ClassPart{
		{Name: "storage", Rx: incident.ClassDir{Bytes: 1_027_000_000, Share: p(0.92), BaselineShare: p(0.41)}, Tx: incident.ClassDir{Bytes: 136_000_000, Share: p(0.6), BaselineShare: p(0.4)}},
		{Name: "vif", Rx: incident.ClassDir{Bytes: 52_000_000, Share: p(0.05), BaselineShare: p(0.4)}, Tx: incident.ClassDir{Bytes: 65_000_000, Share: p(0.3), BaselineShare: p(0.5)}},
		{Name: "host", Rx: incident.ClassDir{Bytes: 2_200_000, Share: p(0.01), BaselineShare: p(0.02)}, Tx: incident.ClassDir{Bytes: 1_200_000, Share: p(0.01), BaselineShare: p(0.02)}},
	}
	add := func(list *[]incident.FlowRow, link, class, proto, local, remote string, bps, usual float64) {
		*list = append(*list, incident.FlowRow{Rank: len(*list) + 1, Link: link, Class: class, Proto: proto, Local: local, Remote: remote,
			Bytes: uint64(bps * 0.9 / 8), Bps: bps, BaselineBps: &usual, DeltaBps: p(bps - usual), Share: bps / 10e9})
	}
	add(&in.Flows.Rx, "eth0", "storage", "tcp", "10.1.16.165:9422", "10.1.16.71:40112", 6.81e9, 0.21e9)
	add(&in.Flows.Rx, "eth0", "storage", "tcp", "10.1.16.165:9422", "10.1.16.72:51036", 1.90e9, 0.20e9)
	add(&in.Flows.Rx, "eth0", "vif", "tcp", "192.168.47.111:5201", "192.168.40.18:33004", 0.21e9, 0.20e9)
	add(&in.Flows.Rx, "eth1", "vif", "tcp", "[2001:db8:40:7::1c3]:443", "[2001:db8:ffff:1234:5678:9abc:def0:1]:41222", 61e6, 58e6)
	add(&in.Flows.Rx, "eth0", "host", "udp", "10.1.16.165:9100", "10.1.16.9:41222", 18.2e6, 18e6)
	add(&in.Flows.Tx, "eth1", "storage", "tcp", "10.1.16.165:41822", "10.1.16.73:9422", 0.61e9, 0.20e9)
	add(&in.Flows.Tx, "eth0", "storage", "tcp", "10.1.16.165:41830", "10.1.16.72:9422", 0.60e9, 0.21e9)
	add(&in.Flows.Tx, "eth1", "vif", "tcp", "192.168.47.111:443", "192.168.47.127:51220", 0.39e9, 0.38e9)
	in.Flows.Other.Rx.Bytes, in.Flows.Other.Tx.Bytes = 9_900_000, 2_200_000
	return in
}

func linkPart(l *incident.LinkView, i int) incident.LinkPart {
	rx, tx := 9.13e9, 1.21e9
	if i > 0 {
		rx, tx = 2.2e9, 1.02e9
	}
	part := incident.LinkPart{Name: l.Link.Name, Bond: l.Link.Bond, State: "up", SpeedBps: p(uint64(10e9)), Coverage: p(0.998),
		Rx: incident.LinkDir{Bytes: uint64(rx * 0.9 / 8), Bps: rx, BaselineBps: p(0.52e9), PeakBps: rx * 1.08, Utilisation: p(rx / 10e9), BusyMs: p(0.0)},
		Tx: incident.LinkDir{Bytes: uint64(tx * 0.9 / 8), Bps: tx, BaselineBps: p(0.41e9), PeakBps: tx * 1.3, Utilisation: p(tx / 10e9)}}
	if i == 0 {
		part.Rx.BusyMs = p(310.0)
		missed := uint64(1204)
		part.NIC = &incident.NICPart{RxMissed: &missed}
	}
	return part
}
