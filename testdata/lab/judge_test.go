package lab

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"spiketop/incident"
	"spiketop/testdata/netlab"
)

var t0 = time.Date(2026, 11, 21, 17, 47, 20, 0, time.UTC)

func at(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }

const (
	burstSrc = "10.1.16.71:30001"
	burstDst = "10.1.16.165:9422"
)

// aRun is a run of a storage burst on eth0 in which everything is right: 200 full
// frames from 1000 to 1398 ms, 50 of calm traffic on eth1, an echo sent at 1100
// that came back after 120 ms.
func aRun() *judge {
	host, st := [6]byte{2, 1}, [6]byte{2, 2}
	frame := func(ms, n int, mac [6]byte, src, dst string) netlab.Packet {
		return netlab.Packet{At: at(ms), Len: n, MAC: mac, Proto: 6, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst)}
	}
	ping := func(ms int, mac [6]byte, kind uint8, seq uint16) netlab.Packet {
		p := frame(ms, 98, mac, "10.1.16.165:0", "10.1.16.55:0")
		p.Proto, p.Type, p.ID, p.Seq = 1, kind, 7, seq
		if kind == 0 {
			p.Src, p.Dst = p.Dst, p.Src
		}
		return p
	}
	t := &Truth{Record: Record{Member: "eth0", Other: "eth1", Began: at(900), Begin: at(900), End: at(1450), Stopped: at(3100), Own: []OwnEcho{{7, "eth0"}}},
		Senders: []Burst{{Name: "burst", Src: burstSrc, Dst: burstDst, Member: "eth0", From: at(1000), To: at(1400)}},
		Frames:  map[string][]netlab.Packet{}, tx: map[[6]byte]bool{host: true}}
	for i := range 200 {
		t.Frames["eth0"] = append(t.Frames["eth0"], frame(1000+2*i, 1514, st, burstSrc, burstDst))
	}
	for i := range 50 {
		t.Frames["eth1"] = append(t.Frames["eth1"], frame(1000+8*i, 500, st, "192.168.47.127:5201", "192.168.47.111:42001"))
	}
	t.Frames["eth0"] = append(t.Frames["eth0"], ping(1100, host, 8, 1), ping(1220, st, 0, 1), ping(3000, host, 8, 2), ping(3001, st, 0, 2))
	for i := range 14 {
		t.Frames["eth0"] = append(t.Frames["eth0"], ping(1550+100*i, host, 8, uint16(3+i)), ping(1551+100*i, st, 0, uint16(3+i)))
	}

	share, vifs, whole := 0.92, 0.08, 1.0 // storage: 302800 of 302800 + 25000 + 98
	in := &incident.Incident{
		Trigger: incident.Trigger{Kind: incident.KindRTT, Sent: at(1100), Seq: 1, Member: "eth0", ReplyMember: "eth0"},
		Window:  incident.Window{From: at(600), To: at(1500)},
		Links: []incident.LinkPart{{Name: "eth0", Rx: incident.LinkDir{Bytes: 302898}, Tx: incident.LinkDir{Bytes: 98}, Coverage: &whole},
			{Name: "eth1", Rx: incident.LinkDir{Bytes: 25000}, Coverage: &whole}},
		Classes: []incident.ClassPart{{Name: "storage", Rx: incident.ClassDir{Share: &share}}, {Name: "vif", Rx: incident.ClassDir{Share: &vifs}}, {Name: "host", Tx: incident.ClassDir{Share: &whole}}},
		Path:    incident.PathPart{VerdictSegment: incident.SegmentNetwork},
		Verdict: incident.Verdict{Cause: "storage", Link: "eth0", Direction: "rx"},
	}
	in.Flows.Rx = []incident.FlowRow{
		{Link: "eth0", Proto: "tcp", Class: "storage", Local: burstDst, Remote: burstSrc, Bytes: 302800},
		{Link: "eth1", Proto: "tcp", Class: "unknown", Local: "192.168.47.111:42001", Remote: "192.168.47.127:5201", Bytes: 25000}}
	in.Flows.Other.Rx.Bytes, in.Flows.Other.Tx.Bytes = 98, 98
	s := &Scenario{Incidents: [2]int{1, 1}, Triggers: []string{"rtt"}, Segments: []string{"physical network"}, Causes: []string{"storage"},
		Direction: "rx", On: "member", Culprits: []string{"burst"}, Class: "storage", Pings: "own"}
	return &judge{s: s, t: t, said: &Said{Spikes: []time.Time{at(1165)},
		Summaries: []Summary{{Links: []SummaryLink{{Name: "eth0", State: "up", Rx: 1, Coverage: &whole}, {Name: "eth1", State: "up", Coverage: &whole}}}}, Incidents: []*incident.Incident{in}}}
}

// TestJudge: a right run passes, and each single thing that is wrong with it is found.
func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(j *judge, in *incident.Incident)
		want  string // in the reasons; "" = none
	}{
		{"right", func(*judge, *incident.Incident) {}, ""},
		{"no incident", func(j *judge, _ *incident.Incident) { j.said.Incidents = nil }, "0 incidents"},
		{"one too many", func(j *judge, in *incident.Incident) { j.said.Incidents = append(j.said.Incidents, in) }, "2 incidents"},
		{"cause", func(_ *judge, in *incident.Incident) { in.Verdict.Cause = "none" }, `cause "none"`},
		{"segment", func(_ *judge, in *incident.Incident) { in.Path.VerdictSegment = "host" }, "segment"},
		{"trigger", func(_ *judge, in *incident.Incident) { in.Trigger.Kind = "loss" }, "trigger"},
		{"member", func(_ *judge, in *incident.Incident) { in.Verdict.Link = "eth1" }, "link"},
		{"direction", func(_ *judge, in *incident.Incident) { in.Verdict.Direction = "tx" }, "direction"},
		{"another echo", func(_ *judge, in *incident.Incident) { in.Trigger.Sent = at(1500) }, "guilty echo"},
		{"spike too late", func(j *judge, _ *incident.Incident) { j.said.Spikes[0] = at(1600) }, "no spike event"},
		{"3 % of the flow's bytes", func(_ *judge, in *incident.Incident) { in.Flows.Rx[0].Bytes -= 9084; in.Flows.Other.Rx.Bytes += 9084 }, "bytes of 10.1.16.71:30001"},
		{"3 % of a link's bytes", func(_ *judge, in *incident.Incident) { in.Links[0].Rx.Bytes += 9084; in.Flows.Other.Rx.Bytes += 9084 }, "eth0 rx"},
		{"rows and links", func(_ *judge, in *incident.Incident) { in.Flows.Other.Rx.Bytes = 0 }, "rows + other"},
		{"a flow twice", func(_ *judge, in *incident.Incident) {
			in.Flows.Rx = append(in.Flows.Rx, incident.FlowRow{Link: "eth0", Proto: "tcp", Local: burstDst, Remote: burstSrc})
		}, "stands twice"},
		{"culprit second", func(_ *judge, in *incident.Incident) {
			in.Flows.Rx[0], in.Flows.Rx[1] = in.Flows.Rx[1], in.Flows.Rx[0]
		}, "flow number 2"},
		{"culprit's member", func(_ *judge, in *incident.Incident) { in.Flows.Rx[0].Link = "eth1" }, "on eth1"},
		{"culprit's class", func(_ *judge, in *incident.Incident) { in.Flows.Rx[0].Class = "unknown" }, "class unknown"},
		{"share", func(_ *judge, in *incident.Incident) { s := 0.88; in.Classes[0].Rx.Share = &s }, "storage has 0.880"},
		{"coverage", func(_ *judge, in *incident.Incident) { c := 0.98; in.Links[1].Coverage = &c }, "coverage"},
		{"the guilty echo's member", func(_ *judge, in *incident.Incident) { in.Trigger.Member = "eth1" }, "left by eth1, tcpdump saw it on eth0"},
		{"its answer's member", func(_ *judge, in *incident.Incident) {
			in.Trigger.ReplyMember = "eth1"
		}, "came back by eth1, tcpdump saw it on eth0"},
		{"its answer's member is not said", func(_ *judge, in *incident.Incident) { in.Trigger.ReplyMember = "" }, "a member is not said"},
		{"a VM's echo", func(_ *judge, in *incident.Incident) { in.Trigger.Src = "192.168.47.111" }, "want one of spiketop itself"},
		{"a link is missing", func(_ *judge, in *incident.Incident) { in.Links, in.Flows.Rx = in.Links[:1], in.Flows.Rx[:1] }, "eth1 is missing"},
		{"coverage not said", func(_ *judge, in *incident.Incident) { in.Links[0].Coverage = nil }, "coverage not said"},
		{"all classes unknown", func(_ *judge, in *incident.Incident) { in.Classes = nil }, "vif has 0.000"},
		{"it stopped pinging", func(j *judge, _ *incident.Incident) {
			j.t.Frames["eth0"] = j.t.Frames["eth0"][:len(j.t.Frames["eth0"])-20]
		}, "were due"},
		{"it fell silent", func(j *judge, _ *incident.Incident) { j.t.Stopped = at(5500); j.s.Gap = 3 * time.Second }, "last two seconds"},
		{"a summary of frames missed", func(j *judge, _ *incident.Incident) { c := 0.9; j.said.Summaries[0].Links[1].Coverage = &c }, "eth1 at"},
		{"a summary without coverage", func(j *judge, _ *incident.Incident) {
			j.said.Summaries[0].At, j.said.Summaries[0].Links[0].Coverage = at(10_000), nil
		}, "eth0 at"},
		{"a summary without coverage of a silent link", func(j *judge, _ *incident.Incident) {
			j.said.Summaries[0].At, j.said.Summaries[0].Links[0].Coverage = at(60_000), nil
		}, ""},
		{"losses", func(j *judge, _ *incident.Incident) { j.said.Lost = []string{"ring"} }, "lost something"},
		{"a step without a note", func(j *judge, _ *incident.Incident) { j.s.Notes, j.t.Steps = "clock", []Step{{By: time.Second}} }, "0 notes"},
		{"a step wrongly noted", func(j *judge, _ *incident.Incident) {
			j.s.Notes, j.t.Steps = "clock", []Step{{By: time.Second}}
			j.said.Notes = []string{"somebody set the clock by -1.000 s; what"}
		}, "a note of a step by -1.000"},
		{"the member stays down", func(j *judge, _ *incident.Incident) {
			j.s.Events, j.said.LinkChanges = []string{"$MEMBER up"}, []string{"eth0 up"}
			j.said.Summaries[0].Links[0].State = "down"
		}, "the last summary"},
		{"standard error", func(j *judge, _ *incident.Incident) { j.said.Stderr = "panic" }, "panic"},
		{"link events", func(j *judge, _ *incident.Incident) { j.s.Events = []string{"$MEMBER down"} }, "eth0 down"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j := aRun()
			tc.spoil(j, j.said.Incidents[0])
			j.happened()
			if j.always(); len(j.why) == 0 {
				if why := j.void(); why != "" {
					t.Fatalf("void: %s", why)
				}
				j.all()
			}
			got := strings.Join(j.why, "; ")
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("reasons %q, want %q", got, tc.want)
			}
		})
	}
}

// vmPing is an echo of vm_a's, and its answer so many ms later.
func vmPing(ms int) []netlab.Packet {
	a, b := netip.MustParseAddrPort("192.168.47.111:0"), netip.MustParseAddrPort("192.168.47.127:0")
	return []netlab.Packet{{At: at(1150), Proto: 1, Type: 8, Src: a, Dst: b}, {At: at(1150 + ms), Proto: 1, Src: b, Dst: a}}
}

func TestVoid(t *testing.T) {
	stall := func(ms, late int) Stall { return Stall{From: at(ms), Late: time.Duration(late) * time.Millisecond} }
	for _, tc := range []struct {
		name  string
		spoil func(j *judge)
		void  bool
	}{
		{"right", func(*judge) {}, false},
		{"stall in the burst", func(j *judge) { j.t.Stalls = []Stall{stall(1200, 25)} }, true},
		{"stall just before", func(j *judge) { j.t.Stalls = []Stall{stall(850, 60)} }, true},
		{"stall long before", func(j *judge) { j.t.Stalls = []Stall{stall(100, 300)} }, false},
		{"nothing was late", func(j *judge) { j.said.Incidents = nil; j.t.Frames["eth0"][201].At = at(1101) }, true},
		{"the culprit delayed none", func(j *judge) {
			j.t.Senders = append(j.t.Senders, Burst{Name: "second", From: at(2500), To: at(2800)})
			j.s.Culprits = append(j.s.Culprits, "second")
		}, true},
		{"nothing was lost", func(j *judge) { j.s.Triggers, j.said.Incidents = []string{"loss"}, nil }, true},
		{"nothing was lost, but reported", func(j *judge) { j.s.Triggers = []string{"loss"} }, false},
		{"none wanted, none came", func(j *judge) {
			j.s.Incidents, j.said.Incidents = [2]int{}, nil
			j.t.Frames["eth0"][201].At = at(1101)
			j.t.Stalls = []Stall{stall(1200, 25)}
		}, false},
		{"none wanted, two came, one in a stall", func(j *judge) {
			second := *j.said.Incidents[0]
			second.Trigger.Sent, second.Window.To = at(2500), at(2900)
			j.s.Incidents, j.t.Stalls = [2]int{}, []Stall{stall(1200, 25)}
			j.said.Incidents = append(j.said.Incidents, &second)
		}, false},
		{"none wanted, none came, the VM's echoes waited", func(j *judge) {
			j.said.Incidents, j.t.VIF = nil, vmPing(150)
			j.t.Frames["eth0"][201].At = at(1101)
		}, false},
		{"only the other member's ping may be hurt", func(j *judge) { j.s.VMPing, j.t.VIF = "calm", vmPing(150) }, true},
		{"the VMs' ping was calm", func(j *judge) { j.s.VMPing, j.t.VIF = "calm", vmPing(1) }, false},
		{"none wanted, one came in a stall", func(j *judge) { j.s.Incidents, j.t.Stalls = [2]int{}, []Stall{stall(1200, 25)} }, true},
		{"none wanted, but tcpdump saw a late echo", func(j *judge) { j.s.Incidents, j.said.Incidents = [2]int{}, nil }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j := aRun()
			tc.spoil(j)
			j.happened()
			if why := j.void(); (why != "") != tc.void {
				t.Errorf("void because %q, want void = %v", why, tc.void)
			}
		})
	}
}

// TestScenarios: every file of the folder can be read, and a misspelt key is refused.
func TestScenarios(t *testing.T) {
	all, err := ReadScenarios("scenarios")
	if err != nil {
		t.Fatal(err)
	}
	subset := 0
	for _, s := range all {
		subset += len(s.Subset)
		if s.Incidents[0] > 0 && (len(s.Triggers) == 0 || len(s.Segments) == 0 || len(s.Causes) == 0) {
			t.Errorf("%s wants an incident but says nothing of its trigger, segment or cause", s.Name)
		}
	}
	if subset < 4 {
		t.Errorf("%d runs in make test, want at least 4", subset)
	}
	for _, line := range []string{"casue: storage", "needs: magic", "incidents: two", "link: up", "pings: vmm", "boot: RAET=1", "gap: long", "notes: none"} {
		key, value, _ := strings.Cut(line, ": ")
		if err := new(Scenario).set(key, value); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}
