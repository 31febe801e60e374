package incident

import "time"

var fixtureZone = time.FixedZone("", 8*3600)

func number(v float64) *float64 { return &v }
func speed(v uint64) *uint64    { return &v }
func integer(v int) *int        { return &v }

func millis(v float64) *Millis {
	m := Millis(v)
	return &m
}

// fixtureAt is a time of the fixed incident: ms after 01:47:20 (+08:00).
func fixtureAt(ms float64) time.Time {
	return time.Date(2026, 11, 22, 1, 47, 20, 0, fixtureZone).Add(time.Duration(ms * 1e6))
}

// richIncident is a storage burst on one of two members: every part is filled.
// Its numbers agree: 900 ms window, bytes x 8 / 0.9 s = bps.
func richIncident() *Incident {
	in := &Incident{Schema: Schema, ID: "20261121T174720.962Z-10.1.16.55", Host: "nc1", Version: "0.1.0", Engine: "tpacket"}
	peak := fixtureAt(830)
	in.Trigger = Trigger{Kind: KindRTT, Target: "10.1.16.55", Member: "eth0", ReplyMember: "eth0", Seq: 110, N: 65646, Sent: fixtureAt(962),
		RTT: millis(120.4), Baseline: millis(0.21), Threshold: millis(20.21), Rule: "median + 20 ms", Late: 3, Worst: millis(180.6)}
	in.Window = Window{fixtureAt(400), fixtureAt(1300)}
	in.Baseline = BaseWindow{fixtureAt(-29600), fixtureAt(400), 30}
	in.Links = []LinkPart{
		{Name: "eth0", Bond: "bond0", SpeedBps: speed(10e9), State: "up", Coverage: number(0.998), CaptureDrops: 7,
			Rx:  LinkDir{1_092_375_000, 730_000, 9.71e9, number(2.2e9), 9.98e9, &peak, number(310), number(0.971)},
			Tx:  LinkDir{123_750_000, 120_000, 1.1e9, number(0.82e9), 1.3e9, &peak, number(0), number(0.11)},
			NIC: &NICPart{RxMissed: speed(120), SoftnetSqueezed: speed(3)}},
		{Name: "eth1", Bond: "bond0", SpeedBps: speed(10e9), State: "up", Coverage: number(0.999),
			Rx: LinkDir{247_500_000, 180_000, 2.2e9, number(2.1e9), 2.61e9, &peak, number(0), number(0.22)},
			Tx: LinkDir{114_750_000, 90_000, 1.02e9, number(1e9), 1.2e9, &peak, number(0), number(0.102)}},
	}
	in.Classes = []ClassPart{
		{"storage", ClassDir{1_120_000_000, number(0.836), number(0.4)}, ClassDir{136_000_000, number(0.57), number(0.5)}},
		{"unknown", ClassDir{219_875_000, number(0.164), number(0.6)}, ClassDir{102_500_000, number(0.43), number(0.5)}},
	}
	in.Flows = richFlows()
	in.Path = PathPart{Own: &OwnPath{millis(0.02), millis(120.38), millis(0.05)}, VerdictSegment: "physical network"}
	in.Pings = []PingPart{
		{Target: "10.1.16.55", Member: "eth0", Sent: 109, RTTMax: millis(180.6), Baseline: millis(0.21),
			RTT: [][2]*Millis{{millis(-100), millis(0.21)}, {millis(0), millis(120.4)}, {millis(50), millis(180.6)}, {millis(100), nil}}},
		{Target: "fd00:10:1:16::55", Member: "eth1", Sent: 109, Lost: 1, RTTMax: millis(0.34), Baseline: millis(0.2)},
	}
	in.Series = Series{fixtureAt(-4600), 10, []SeriesLink{{"eth0", []uint64{0, 12475000, 12470000}, []uint64{1, 2, 3}}, {"eth1", []uint64{4}, nil}}}
	in.Bond = []BondPart{{Name: "bond0", Mode: "802.3ad", Policy: "layer3+4", ActiveAggregator: 1, Members: []MemberPart{
		{Name: "eth0", State: "active", MII: "up", Aggregator: 1, PartnerState: integer(63), ActorState: integer(63), SpeedBps: speed(10e9), Usable: true, RxShare: number(0.815), TxShare: number(0.52)},
		{Name: "eth1", State: "active", MII: "up", Aggregator: 1, Usable: true, RxShare: number(0.185), TxShare: number(0.48)}},
		Rx: BondDir{Bytes: 1_339_875_000, Imbalance: number(0.63), BaselineImbalance: number(0.11)}, Tx: BondDir{Bytes: 238_500_000, Imbalance: number(0.04)}}}
	in.Hidden = []string{"RDMA (mlx5_0 on eth0): storage over RoCE, iWARP or InfiniBand is not seen"}
	in.Verdict = Verdict{Cause: "storage", Link: "eth0", Direction: "rx", Confidence: "high",
		Sentence: "Echo 110 to 10.1.16.55 via eth0 took 120.4 ms, the worst of 3 late ones 180.6 ms (usual 0.21). eth0 ▼ ran at 9.90 Gbit/s for 310 ms (usual 2.20 Gbit/s, 99.0% of 10.0G): " +
			"one storage flow brought most of it: tcp 10.1.16.71:40112 -> 10.1.16.165:9422 (chunkserver), +6.60 Gbit/s.",
		Evidence: []string{"eth0 rx: 9.90 Gbit/s for 310 ms, usual 2.20 Gbit/s; the flow brought 86% of the growth, class storage 100%",
			"echo: 120.4 ms on the wire, 0.020 ms in this host", "eth0 rx while the echo waited: 9.90 Gbit/s, more than usual (usually up to 3.10 Gbit/s)",
			"eth0 tx while the echo waited: 1.10 Gbit/s, not more than usual (usually up to 1.30 Gbit/s)", "eth0: rx_missed 120",
			"fd00:10:1:16::55: at most 0.34 ms (usual 0.20), 1 of 109 lost"},
		Advice: "Look at the output queue of the switch port toward eth0 at that time.",
		Burst: &BurstPart{From: fixtureAt(800), Ms: 310, Bps: 9.9e9, UsualBps: 2.2e9, SpeedShare: number(0.99), ClassShare: 1,
			Proto: "tcp", Local: "10.1.16.165:9422", Remote: "10.1.16.71:40112", Process: "chunkserver[812]", Class: "storage", FlowDeltaBps: 6.6e9, FlowShare: 0.857},
		Way: []WayPart{{"eth0", "rx", true, number(9.9e9), number(2.2e9), number(3.1e9), true}, {"eth0", "tx", true, number(1.1e9), nil, number(1.3e9), false}},
	}
	in.Self = SelfPart{SuppressedIncidents: 1}
	in.Number = 3
	return in
}

func richFlows() FlowPart {
	row := func(rank int, link, class, why, local, remote string, bps, base float64) FlowRow {
		return FlowRow{Rank: rank, Link: link, Class: class, Why: why, Proto: "tcp", Local: local, Remote: remote,
			Bytes: uint64(bps * 0.9 / 8), Frames: uint64(bps*0.9/8) / 1500, Bps: bps, BaselineBps: &base, DeltaBps: number(bps - base), Share: bps / 9.71e9}
	}
	const store = "port 9422 (--storage 9422)"
	v6 := row(4, "eth1", "unknown", "", "[2001:db8:40:7:1234:5678:9abc:def0]:5201", "[2001:db8:40:7:1234:5678:9abc:1c3]:33004", 0.21e9, 0.2e9)
	v6.VLAN = 200
	arp := FlowRow{Rank: 5, Link: "eth1", Class: "control", Why: "arp", Proto: "arp", Local: "02:00:00:00:00:01", Remote: "ff:ff:ff:ff:ff:ff", Bytes: 60, Frames: 1, Bps: 533.333}
	hashed := func(r FlowRow, member string) FlowRow { r.HashMember = member; return r }
	f := FlowPart{
		Rx: []FlowRow{
			row(1, "eth0", "storage", store, "10.1.16.165:9422", "10.1.16.71:40112", 6.81e9, 0.21e9),
			row(2, "eth0", "storage", store, "10.1.16.165:9422", "10.1.16.72:51036", 1.9e9, 0.2e9),
			row(3, "eth0", "unknown", "", "10.1.16.165:22", "10.1.16.9:50122", 1.2e6, 1.1e6),
			v6, arp},
		Tx: []FlowRow{
			hashed(row(1, "eth1", "storage", store, "10.1.16.165:41822", "10.1.16.73:9422", 0.61e9, 0.2e9), "eth1"),
			row(2, "eth1", "unknown", "", "192.168.40.18:443", "192.168.47.127:51220", 0.39e9, 0.41e9)},
	}
	for i := range f.Rx[:2] {
		f.Rx[i].Process = "chunkserver[812]"
	}
	bps := uint64(6.61e9)
	f.Rx[0].TCP = &TCPPart{RTT: millis(2.3), MinRTT: millis(0.1), Retransmissions: 12, BetweenMs: millis(1280), DeliveryBps: &bps}
	f.Rx[2].Process, f.Tx[0].Process = "sshd[1044]", "kernel"
	f.Tx[0].TCP = &TCPPart{RTT: millis(0.4), Retransmissions: 1}
	f.Tx[1].Class, f.Tx[1].VM, f.Tx[1].VIF, f.Tx[1].Why = "vif", "vm_b", "023472", "MAC 52:54:00:00:00:20 of vm_b on 023472"
	f.Other.Rx.Bytes, f.Other.Tx.Bytes = 88_000_000, 31_000_000
	return f
}

// minimalIncident is frozen by hand in the first second: nearly nothing is known.
func minimalIncident() *Incident {
	return &Incident{Schema: Schema, ID: "20261121T174720.962Z-manual", Host: "nc1", Version: "0.1.0", Engine: "tpacket",
		Trigger: Trigger{Kind: KindManual, Sent: fixtureAt(962)},
		Window:  Window{fixtureAt(400), fixtureAt(1200)},
		Links:   []LinkPart{{Name: "ens3"}},
		Path:    PathPart{VerdictSegment: "unknown"},
		Verdict: Verdict{Cause: CauseUnknown, Confidence: "low", Sentence: "Frozen by hand; there is no baseline to judge by."}}
}

// hostileIncident has every foreign string written by somebody who wants to
// break the reader.
func hostileIncident() *Incident {
	const evil = "```\n# owned\n~~~ [x](http://e) <script>alert(1)</script> <http://e> | \x1b]52;c;aGk=\x07\u202e\u009b2J\xff $(reboot)"
	in := richIncident()
	in.ID, in.Host, in.Version, in.Engine = evil, evil, evil, evil
	in.Trigger.Target, in.Trigger.Member, in.Trigger.ReplyMember, in.Trigger.Rule = evil, evil, evil+"2", evil
	for i := range in.Links {
		in.Links[i].Name, in.Links[i].Bond, in.Links[i].State = evil, evil, evil
	}
	for i := range in.Classes {
		in.Classes[i].Name = evil
	}
	for _, rows := range [][]FlowRow{in.Flows.Rx, in.Flows.Tx} {
		for i := range rows {
			f := &rows[i]
			f.Link, f.Class, f.Why, f.Proto, f.Local, f.Remote = evil, evil, evil, evil, evil, evil
			f.VM, f.VIF, f.Process = evil, evil, evil
		}
	}
	for i := range in.Pings {
		in.Pings[i].Target, in.Pings[i].Member = evil, evil
	}
	in.Bond[0].Name, in.Bond[0].Mode, in.Bond[0].Policy, in.Bond[0].Members[0].Name = evil, evil, evil, evil
	in.Bond[0].HashUnknown, in.Bond[0].Warnings, in.Bond[0].Members[0].State, in.Bond[0].Members[0].MII, in.Bond[0].Members[0].Trouble = evil, []string{evil}, evil, evil, evil
	in.Hidden = []string{evil, evil, evil, evil}
	in.Flows.Tx[0].HashMember = evil
	in.Path.VerdictSegment = evil
	in.Verdict = Verdict{Cause: evil, Link: evil, Direction: evil, Confidence: evil, Sentence: evil, Evidence: []string{evil, evil}, Advice: evil,
		Burst: &BurstPart{Proto: evil, Local: evil, Remote: evil, VM: evil, VIF: evil, Process: evil, Class: evil}, Way: []WayPart{{Link: evil, Direction: evil}}}
	return in
}
