package incident

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
	"spiketop/probe/hops"
)

// farSim is a host with one link and one target whose next echo takes rtt.
func farSim(t *testing.T, burst bool, next simWay) *sim {
	s := newSim(Config{}, flow.Link{ID: 1, Name: "eth0", State: flow.LinkUp, SpeedBps: 40e6})
	s.link("eth0").addFlow(s, flow.Rx, "10.1.16.71:40112", "10.1.16.165:9422", 1e6, 0.1, 0)
	target := s.addTarget("10.1.16.55", "eth0", false, 210*time.Microsecond)
	s.run(12 * time.Second)
	if burst {
		s.link("eth0").addFlow(s, flow.Rx, "10.1.16.72:40113", "10.1.16.165:9422", 38e6, 0, 300*time.Millisecond)
	}
	next.queue, next.member, next.reply = target.way.queue, target.way.member, target.way.reply
	target.once = append(target.once, next)
	if next.lost {
		target.once = append(target.once, next, next)
	}
	s.run(2500 * time.Millisecond)
	if len(s.m.open) != 1 {
		t.Fatalf("%d incidents are open", len(s.m.open))
	}
	return s
}

func slowIn(from string, to *string, rtt float64) hops.EchoReport {
	return hops.EchoReport{Src: "10.1.16.165", Dst: "10.1.16.55", ID: 9, Seq: 110, Occurrence: 1, Worst: &hops.WorstReport{From: from, To: to, RTT: rtt}}
}

// TestFarSegment: a far host's stamps may say that it was there, never anything
// about this host.
func TestFarSegment(t *testing.T) {
	const rtt = 120 * time.Millisecond
	farNIC := "nc2:eth0"
	lost := hops.EchoReport{Src: "10.1.16.165", Dst: "10.1.16.55", Seq: 110, LostAfter: &hops.LostAfter{Point: farNIC}}
	tests := []struct {
		name    string
		burst   bool
		way     simWay
		echo    *FarEcho
		segment string
		cause   string
		says    string // in the sentence
		other   bool   // the stamps are another echo's
	}{
		{"no word", false, simWay{rtt: rtt}, nil, SegmentNetwork, CauseNone, "", false},
		{"the far host had it", false, simWay{rtt: rtt}, &FarEcho{"nc2", slowIn(farNIC, nil, 118), true, 118 * time.Millisecond, rtt}, SegmentFar, CauseNone, "nc2 says: 118.0 ms of it passed there.", false},
		{"the wire had it", false, simWay{rtt: rtt}, &FarEcho{"nc2", slowIn("eth0", &farNIC, 118), false, 118 * time.Millisecond, rtt}, SegmentNetwork, CauseNone, "", false},
		{"a small part was there", false, simWay{rtt: rtt}, &FarEcho{"nc2", slowIn(farNIC, nil, 50), true, 50 * time.Millisecond, rtt}, SegmentNetwork, CauseNone, "", false},
		{"the cause stays this host's", true, simWay{rtt: rtt}, &FarEcho{"nc2", slowIn(farNIC, nil, 118), true, 118 * time.Millisecond, rtt}, SegmentFar, CauseTraffic, "nc2 says", false},
		{"lost there", false, simWay{lost: true}, &FarEcho{Host: "nc2", Report: lost, InFar: true}, SegmentFar, CauseNone, "nc2 says: the request came and no reply left it.", false},
		{"another echo was slow there", false, simWay{rtt: rtt}, &FarEcho{"nc2", slowIn(farNIC, nil, 118), true, 118 * time.Millisecond, rtt}, SegmentNetwork, CauseNone, "", true},
		{"answered, though it was lost there", false, simWay{rtt: rtt}, &FarEcho{Host: "nc2", Report: lost, InFar: true}, SegmentNetwork, CauseNone, "", false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := farSim(t, tc.burst, tc.way)
			if tc.echo != nil {
				guilty := s.m.FarQuestions()[0].Guilty
				tc.echo.Report.ID, tc.echo.Report.Seq = guilty.ID, guilty.Seq
				if tc.other {
					tc.echo.Report.Seq++
				}
				s.m.FarEcho(s.m.open[0].number, *tc.echo)
			}
			s.run(10 * time.Second)
			if len(s.sealed) != 1 {
				t.Fatalf("%d incidents were sealed", len(s.sealed))
			}
			in := s.sealed[0]
			if in.Path.VerdictSegment != tc.segment || in.Verdict.Cause != tc.cause || !strings.Contains(in.Verdict.Sentence, tc.says) {
				t.Errorf("segment %q, cause %q, want %q and %q; %s", in.Path.VerdictSegment, in.Verdict.Cause, tc.segment, tc.cause, in.Verdict.Sentence)
			}
			if tc.says == "" && strings.Contains(in.Verdict.Sentence, "nc2") {
				t.Errorf("the far host got into the sentence: %s", in.Verdict.Sentence)
			}
			told := slices.ContainsFunc(in.Verdict.Evidence, func(e string) bool { return strings.HasPrefix(e, "with the stamps of nc2: ") })
			mute := tc.echo == nil || tc.other || tc.echo.lost() && !tc.way.lost
			if tc.echo != nil && len(in.Path.Echoes) != 1 || told == mute {
				t.Errorf("echoes %v, evidence %v", in.Path.Echoes, in.Verdict.Evidence)
			}
		})
	}
}

// TestFarPart: one host's look-back is the other's far, labelled, and everything
// else of the incident is as without it.
func TestFarPart(t *testing.T) {
	other := newSim(Config{}, flow.Link{ID: 1, Name: "eth7", State: flow.LinkUp, SpeedBps: 40e6})
	other.world.Host = "nc2"
	other.link("eth7").addFlow(other, flow.Tx, "10.1.16.55:9422", "10.1.16.72:40113", 1e6, 0, 0)
	other.run(13 * time.Second)
	from := other.now
	other.link("eth7").addFlow(other, flow.Rx, "10.1.16.73:40114", "10.1.16.55:9422", 30e6, 0, time.Second)
	other.run(2 * time.Second)
	part := other.m.Around(from, from.Add(time.Second))
	// 30 Mbit/s for the whole second against nothing: 3.75 MB.
	if len(part.Links) != 1 || part.Links[0].Name != "eth7" || !closeTo(float64(part.Links[0].Rx.Bytes), 3.75e6, 0.02) || *part.Links[0].Rx.BaselineBps != 0 {
		t.Fatalf("links %+v", part.Links)
	}
	if len(part.Flows.Rx) != 1 || part.Flows.Rx[0].Remote != "10.1.16.73:40114" || part.Window.To.Sub(part.Window.From) != time.Second || part.Trouble != "" {
		t.Fatalf("flows %+v, window %+v", part.Flows, part.Window)
	}
	if len(other.m.open) != 0 || len(other.sealed) != 0 {
		t.Error("a question opened an incident")
	}
	if old := other.m.Around(from.Add(-time.Hour), from.Add(-time.Hour+time.Second)); old.Trouble == "" {
		t.Error("nothing is said of a time that is not kept")
	}

	with, without := farSim(t, true, simWay{rtt: 120 * time.Millisecond}), farSim(t, true, simWay{rtt: 120 * time.Millisecond})
	q := with.m.FarQuestions()
	if len(q) != 1 || !q[0].Over || !q[0].Guilty.Known || q[0].Guilty.Dst[15] != 55 || q[0].Window.To.Sub(q[0].Window.From) < 600*time.Millisecond {
		t.Fatalf("questions %+v", q)
	}
	with.m.Far(q[0].Number, part)
	with.m.Far(q[0].Number+1, &FarPart{Host: "nobody"})
	with.run(10 * time.Second)
	without.run(10 * time.Second)
	with.m.Far(q[0].Number, &FarPart{Host: "too late"})
	in, plain := *with.sealed[0], without.sealed[0]
	if in.Far == nil || in.Far.Host != "nc2" || len(in.Far.Says) != 2 {
		t.Fatalf("far %+v", in.Far)
	}
	want := []string{"nc2 says: its eth7 carried rx 30.0 Mbit/s (usual 0 bit/s), tx 1.00 Mbit/s (usual 1.00 Mbit/s)",
		"nc2 says: rx on its eth7 tcp 10.1.16.73:40114 -> 10.1.16.55:9422, 30.0 Mbit/s (usual 0 bit/s) (unknown)"}
	if diff := cmp.Diff(want, in.Far.Says); diff != "" {
		t.Errorf("says (-want +got):\n%s", diff)
	}
	in.Far = nil
	in.Verdict.Evidence = slices.DeleteFunc(slices.Clone(in.Verdict.Evidence), func(e string) bool { return strings.HasPrefix(e, "nc2 says: ") })
	var a, b bytes.Buffer
	if err := WriteJSON(&a, &in); err != nil {
		t.Fatal(err)
	}
	if err := WriteJSON(&b, plain); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), a.String()); diff != "" {
		t.Errorf("the far host's word changed something else (-without +with):\n%s", diff)
	}
}

func closeTo(got, want, by float64) bool { return got > want*(1-by) && got < want*(1+by) }

// TestMaskFar: the far host's name, addresses and guests are masked as this one's.
func TestMaskFar(t *testing.T) {
	in := maskFixture()
	in.Far = &FarPart{Host: "nc2", Links: []LinkPart{{Name: "eth7"}}, Says: []string{"nc2 says: rx on its eth7 10.1.16.73:40114 -> 10.1.16.55:9422"}}
	in.Far.Flows.Rx = []FlowRow{{Link: "eth7", Local: "10.1.16.55:9422", Remote: "10.1.16.73:40114", VM: "vm_far"}}
	in.Path.Echoes = []hops.EchoReport{{Src: "10.1.16.165", Dst: "10.1.16.55", Points: []hops.PointReport{{Name: "eth0"}, {Name: "nc2:eth7"}, {Name: "nc2:023555"}}}}
	got, err := Mask(in)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteJSON(&b, got); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"nc2", "10.1.16.73", "vm_far", "023555"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%q is still there:\n%s", secret, b.String())
		}
	}
	if p := got.Path.Echoes[0].Points; p[1].Name != got.Far.Host+":eth7" {
		t.Errorf("the far NIC is called %q, its host %q", p[1].Name, got.Far.Host)
	}
}
