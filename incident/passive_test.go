package incident

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// passiveStory is a VM's ping that waits at its own vif, beside a calm one.
const passiveStory = `world eth0:40M:bond0 eth1:40M:bond0
own 10.1.16.165
vif 023471 21 vm_a rx 1M tx 1M
flow eth0 rx 10.1.16.72:51036 10.1.16.165:9422 3M wobble 30%
vmping a out 192.168.47.111 192.168.47.127 vif 023471 nic eth0 back eth1 every 200ms legs 20us 200us 20us
tick 30s
vmecho a 20us 200us 150ms x3
tick 10s
`

func playStory(t *testing.T, story string) *player {
	t.Helper()
	p := &player{t: t}
	for line := range strings.Lines(story) {
		p.play(strings.Fields(line))
	}
	return p
}

// TestPassiveMarkdown: the text for the ticket tells a VM's echo leg by leg.
func TestPassiveMarkdown(t *testing.T) {
	in := playStory(t, passiveStory).last()
	var b strings.Builder
	if err := WriteMarkdown(&b, in); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/export/passive.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := strings.Count(b.String(), "\n"); n >= 60 {
		t.Errorf("%d lines", n)
	}
}

// TestPassiveJSON: what is written can be read back, with all that the path has.
func TestPassiveJSON(t *testing.T) {
	in := playStory(t, passiveStory).last()
	var b strings.Builder
	if err := WriteJSON(&b, in); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"src": "192.168.47.111"`, `"point": "023471"`, `"verdict_segment": "virtual network"`, `"uncertainty_ms": 0`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in the file", want)
		}
	}
	back, err := ReadJSON(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(back.Path.Echoes); n != 3 || len(back.Path.Legs) != 3 || back.Trigger.EchoID == nil || *back.Trigger.EchoID != 100 {
		t.Fatalf("%d echoes, %d legs, trigger %+v", n, len(back.Path.Legs), back.Trigger)
	}
	// Of 150.22 ms 0.2 are behind the NIC: 150.02 between vif and NIC, of them 0.02 on the way out.
	s := back.Path.Echoes[0].Segments[0]
	if s.RTT != 150.02 || *s.RequestMs != 0.02 || *s.ReplyMs != 150 {
		t.Errorf("first segment %+v, request %v reply %v", s, *s.RequestMs, *s.ReplyMs)
	}
}

// TestPassiveSeriesAreBounded: a host with more pings of VMs than are followed
// says so, and forgets those that ended.
func TestPassiveSeriesAreBounded(t *testing.T) {
	p := playStory(t, "world eth0:40M\n")
	m := p.s.m
	ping := func(first, n int) {
		for k := range 5 {
			at := p.s.now.Add(time.Duration(k) * 100 * time.Millisecond)
			var list []flow.Echo
			for i := first; i < first+n; i++ {
				e := flow.Echo{At: at, VIF: 9, Dir: flow.Tx, Family: flow.FamilyIPv4, ID: 1, Seq: uint16(k)}
				e.Src[10], e.Src[11], e.Dst = 0xff, 0xff, [16]byte{10: 0xff, 11: 0xff, 12: 10}
				binary.BigEndian.PutUint16(e.Src[14:], uint16(i))
				r := e
				r.At, r.Dir, r.Reply, r.Src, r.Dst = at.Add(time.Millisecond), flow.Rx, true, e.Dst, e.Src
				list = append(list, e, r)
			}
			m.VIFEchoes(list)
			m.VIFDrained(at.Add(50 * time.Millisecond))
			m.Batch(&flow.Batch{Link: 1, Drained: at.Add(50 * time.Millisecond), Offset: p.s.world.Offset})
			p.s.take(m.Tick(at.Add(50 * time.Millisecond)))
		}
		p.s.now = p.s.now.Add(500 * time.Millisecond)
	}
	ping(0, maxVMSeries+100)
	if n := len(m.passive.list); n != maxVMSeries || len(m.passive.series) != n {
		t.Errorf("%d series are followed, %d by key, want %d", n, len(m.passive.series), maxVMSeries)
	}
	if said := strings.Join(p.s.seen, "\n"); strings.Count(said, "more pings of VMs than are followed") != 1 {
		t.Errorf("said: %s", said)
	}
	p.s.now = p.s.now.Add(2 * vmIdle)
	ping(10_000, 50)
	found := 0
	for k := range m.passive.series {
		if binary.BigEndian.Uint16(k.Src[14:]) >= 10_000 {
			found++
		}
	}
	if n := len(m.passive.list); found != 50 || n > maxVMSeries {
		t.Errorf("%d of 50 new series are followed, %d in all", found, n)
	}
}

// TestPassiveAllocs: an echo that concerns nobody costs nothing.
func TestPassiveAllocs(t *testing.T) {
	p := playStory(t, passiveStory)
	m := p.s.m
	own := flow.Echo{At: p.s.now, Link: 1, Dir: flow.Tx, Family: flow.FamilyIPv4}
	a := p.s.world.Own[0].As4()
	flow.SetIPv4(&own.Src, a[:])
	stray := flow.Echo{At: p.s.now, VIF: 21, Dir: flow.Tx, Reply: true, Family: flow.FamilyIPv4, Src: [16]byte{15: 1}, Dst: [16]byte{15: 2}}
	list := []flow.Echo{own, stray}
	once := func() {
		list[1].Seq++
		list[1].At = list[1].At.Add(20 * time.Millisecond)
		m.VIFEchoes(list)
		m.VIFDrained(list[1].At)
		m.Batch(&flow.Batch{Link: 1, Drained: list[1].At, Offset: p.s.world.Offset})
		m.Batch(&flow.Batch{Link: 2, Drained: list[1].At, Offset: p.s.world.Offset})
		m.passive.live.Tick(list[1].At)
	}
	for range 500 {
		once()
	}
	if n := testing.AllocsPerRun(500, once); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestPassiveMask: who must not learn who is who learns it from the path neither,
// and the NICs keep their names.
func TestPassiveMask(t *testing.T) {
	in := *playStory(t, passiveStory).last()
	in.VIFs = nil // as if its counters had not been read
	masked, err := Mask(&in)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteJSON(&b, masked); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"023471", "192.168.47.111", "192.168.47.127"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%s is in the masked file", secret)
		}
	}
	legs := masked.Path.Legs
	if legs[0].To != "eth0" || legs[1].To != "eth1" || legs[0].From != "vif-1" || legs[0].What != in.Path.Legs[0].What || masked.Path.Echoes[0].Points[1].Name != "eth0/eth1" {
		t.Errorf("legs %+v, points %+v", legs, masked.Path.Echoes[0].Points)
	}
}
