package main

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spiketop/capture/icmptap"
	"spiketop/capture/offline"
	"spiketop/capture/pcapfile"
	"spiketop/capture/recorder"
	"spiketop/flow"
	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// evidenceLab is a watch with recorders that the test fills. Its clock is wall time.
type evidenceLab struct {
	*watch
	nic, vifs *recorder.Memory
	in        *incident.Incident
}

// vmA pings over vif_a (ifindex 7); vif_b (8) is of nobody known.
var vmA, vmB = fixtureHost{7, [4]byte{10, 1, 16, 7}}, fixtureHost{8, [4]byte{10, 1, 16, 8}}

func newEvidenceLab(t *testing.T) *evidenceLab {
	t.Helper()
	l := &evidenceLab{}
	for _, m := range []**recorder.Memory{&l.nic, &l.vifs} {
		var err error
		if *m, err = recorder.New(1<<20, 128); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = (*m).Close() })
	}
	world := &flow.World{Links: []flow.Link{{ID: 1, Name: "eth0", Ifindex: 2, Bond: "bond0", State: flow.LinkUp}},
		Guests: []flow.GuestNIC{{Name: "vif_a", Ifindex: 7, Guest: "vm_a", MACs: [][6]byte{{2, 0, 0, 0, 0, 7}}}, {Name: "vif_b", Ifindex: 8}}}
	l.watch = &watch{s: &session{o: &options{snaplen: 256}}, world: world.Index(), drained: map[flow.LinkID]flow.Time{}}
	l.evidence = newEvidence(map[flow.LinkID]*recorder.Memory{1: l.nic}, l.vifs)
	l.evidence.vifNames(l.at(0), world.Guests)
	id := uint16(77)
	l.in = &incident.Incident{ID: "20261121-174700-10.1.16.55", Number: 1, Host: "nc1", Version: "test",
		Trigger: incident.Trigger{Kind: incident.KindRTT, Src: "10.1.16.7", Target: "10.1.16.55", EchoID: &id, Seq: 3, Point: "vif_a"},
		Window:  incident.Window{From: fixtureStart, To: fixtureStart.Add(time.Second)}}
	return l
}

// at is a time of the lab in ms.
func (l *evidenceLab) at(ms int) flow.Time {
	return flow.Time(fixtureStart.Add(time.Duration(ms) * time.Millisecond).UnixNano())
}

// add keeps a frame of the link (ifindex 0) or of a vif.
func (l *evidenceLab) add(ms, ifindex int, outgoing bool, b []byte) {
	m := l.vifs
	if ifindex == 0 {
		m = l.nic
	}
	m.Begin()
	defer m.End()
	m.Add(&recorder.Frame{Stamp: int64(l.at(ms)), Ifindex: uint32(ifindex), Outgoing: outgoing, Len: uint32(len(b)), Data: b})
}

// keep cuts until everything up to ms has been read.
func (l *evidenceLab) keep(ms int) {
	l.drained[1], l.watch.vifs.upTo = l.at(ms), l.at(ms)
	l.evidence.keep(l.at(ms), []incident.OpenWindow{{Number: 1, Window: flow.Span{From: l.at(0), To: min(l.at(ms), l.at(1000))}}}, 0, l.watermarks())
}

// written is the file, as an incident would have it.
func (l *evidenceLab) written(t *testing.T) (file string, part *incident.PacketsPart) {
	t.Helper()
	p := l.newPacketFile(l.in)
	if p == nil {
		t.Fatal("no file")
	}
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} { // a failed write is tried again
		if err := p.write(b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("written twice, it differs")
	}
	file = filepath.Join(t.TempDir(), "packets.pcapng")
	if err := os.WriteFile(file, first.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, p.part()
}

// shown is the file in lines: its interfaces, then its packets.
func shown(t *testing.T, file string) (out []string) {
	t.Helper()
	r, err := pcapfile.Open(file, pcapfile.Options{Comments: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p pcapfile.Packet
	for {
		err := r.Next(&p)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%d ms %s", (p.At-fixtureStart.UnixNano())/1e6, r.Interfaces()[p.Interface].Name)
		line += map[pcapfile.Dir]string{pcapfile.DirIn: " in", pcapfile.DirOut: " out"}[p.Dir]
		if p.Drops > 0 {
			line += fmt.Sprintf(" drops %d", p.Drops)
		}
		for _, c := range p.Comments {
			line += " | " + c
		}
		out = append(out, line)
	}
	var heads []string
	for _, i := range r.Interfaces() {
		heads = append(heads, fmt.Sprintf("%s: %s; snaplen %d", i.Name, i.Description, i.SnapLen))
	}
	return append(heads, out...)
}

// fillVIFs has three pings of vm_a, seen on its vif and on eth0 and the last one on
// vif_b too; the third one is the guilty one. One lies before the window, one behind.
func (l *evidenceLab) fillVIFs() {
	for i, ms := range []int{-50, 100, 200, 300, 1100} {
		out, back := echo4(vmA, pinged, false, 77, uint16(i), fixtureStart), echo4(pinged, vmA, true, 77, uint16(i), fixtureStart)
		l.add(ms, 7, false, out)
		if ms == 200 {
			l.nic.Lose(2)
		}
		l.add(ms+1, 0, true, out)
		l.add(ms+20, 0, false, back)
		l.add(ms+21, 7, true, back)
	}
	l.add(400, 8, true, echo4(vmA, vmB, false, 78, 1, fixtureStart))
	l.add(400, 9, false, echo4(vmB, vmA, true, 78, 1, fixtureStart))
}

// TestPacketsOfVIFs: each vif with frames in the window is an interface behind the
// links, named as it was then; in order of time, with directions and comments.
func TestPacketsOfVIFs(t *testing.T) {
	l := newEvidenceLab(t)
	l.fillVIFs()
	l.keep(250)
	l.evidence.vifGaps([]icmptap.Gap{{VIF: 7, From: l.at(240), Until: l.at(290), Flood: true, Frames: 5}, {VIF: 6, From: l.at(2000), Until: l.at(2100)}, {From: l.at(100), Until: l.at(200)}})
	l.keep(600)
	l.world.Guests[0].Guest = "vm_a, member of bond9" // what a guest is called is no description
	l.evidence.vifNames(l.at(700), l.world.Guests[:1])
	l.world = (&flow.World{Links: l.world.Links, Guests: l.world.Guests[:1]}).Index() // vif_b is gone
	l.keep(1200)
	file, part := l.written(t)
	const ofA = " | class vif (MAC 02:00:00:00:00:07 of vm_a, member of bond9 on vif_a), vif vif_a, VM vm_a, member of bond9"
	want := []string{
		"eth0: member of bond0, captured by spiketop on nc1; snaplen 260",
		"vif_a: vif of vm_a; member of bond9, captured by spiketop on nc1; snaplen 260",
		"vif_b: vif, captured by spiketop on nc1; snaplen 260",
		"ifindex 9: vif, captured by spiketop on nc1; snaplen 260",
		"100 ms vif_a in" + ofA, "101 ms eth0 out" + ofA, "120 ms eth0 in", "121 ms vif_a out",
		"200 ms vif_a in", "201 ms eth0 out drops 2", "220 ms eth0 in", "221 ms vif_a out",
		"300 ms vif_a in drops 5 | the guilty echo: 3 to 10.1.16.55", "301 ms eth0 out | the guilty echo: 3 to 10.1.16.55",
		"320 ms eth0 in | the guilty echo: 3 to 10.1.16.55", "321 ms vif_a out | the guilty echo: 3 to 10.1.16.55",
		"400 ms vif_b out | class unknown, vif vif_b", "400 ms ifindex 9 in | class unknown, vif ifindex 9",
	}
	if diff := cmp.Diff(want, shown(t, file)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&incident.PacketsPart{Snaplen: 256, Frames: 14, Missing: []string{
		"vif_a: at least 5 pings between 17:47:00.240000 and 17:47:00.290000 are not here: there were more than are read of one guest"}}, part); diff != "" {
		t.Errorf("packets (-want +got):\n%s", diff)
	}
	readsBack(t, file)
}

// readsBack plays the file and shows it to Wireshark's programs.
func readsBack(t *testing.T, file string) {
	t.Helper()
	c, err := offline.Open(t.Context(), offline.Config{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Links) != 4 || c.Links[0].VIF || c.Links[0].Bond != "bond0" || c.Host != "nc1" {
		t.Fatalf("links %+v, host %q", c.Links, c.Host)
	}
	if v := c.Links[1]; !v.VIF || v.Guest != "vm_a; member of bond9" || v.Bond != "" || !cmp.Equal(v.MACs, [][6]byte{{2, 0, 0, 0, 0, 7}}) {
		t.Errorf("vif_a is read as %+v", v)
	}
	p := c.Play()
	defer p.Close()
	var k offline.Packet
	var dirs []flow.Direction
	for p.Next(&k) == nil {
		if k.Link == 1 {
			dirs = append(dirs, k.Dir)
		}
	}
	if want := []flow.Direction{flow.Tx, flow.Rx, flow.Tx, flow.Rx, flow.Tx, flow.Rx}; !cmp.Equal(dirs, want) {
		t.Errorf("vm_a's directions are read as %v, want %v", dirs, want)
	}
	events, stderr, status := replayed(t, file)
	if status != 0 || stderr != "" || len(events["start"]) != 1 || len(events["start"][0]["nics"].([]any)) != 1 {
		t.Errorf("replay: status %d, %q, %v", status, stderr, events["start"])
	}
	for _, cmd := range [][]string{{"tshark", "-n", "-r", file}, {"capinfos", file}} {
		netlab.NeedTool(t, "tshark", cmd[0])
		run := exec.Command(cmd[0], cmd[1:]...)
		var said bytes.Buffer
		run.Stderr = &said
		err := run.Run()
		for line := range strings.Lines(said.String()) {
			if !strings.HasPrefix(line, "Running as user") { // what it says to root
				t.Errorf("%v says %q", cmd, line)
			}
		}
		if err != nil {
			t.Errorf("%v: %v", cmd, err)
		}
	}
}

// TestEvidenceBounds: vifs count in an incident's room, and what an incident held
// is free when it was taken.
func TestEvidenceBounds(t *testing.T) {
	l := newEvidenceLab(t)
	l.fillVIFs()
	l.keep(10)
	if free := l.evidence.free(); free != evidenceAll-evidenceMost {
		t.Errorf("%d bytes free, want %d", free, evidenceAll-evidenceMost)
	}
	h := l.evidence.held[1]
	h.room = 3 * (58 + 64 + 8) // an echo of the fixture is 66 bytes: three frames, with 64 each
	l.keep(600)
	if n := len(h.vifs.frames) + len(h.links[1].frames); n != 3 || h.room >= 64+66 || !h.vifs.beyond {
		t.Errorf("%d frames held, room for %d bytes, beyond %v", n, h.room, h.vifs.beyond)
	}
	l.keep(1200)
	_, part := l.written(t)
	if want := "vifs: not all frames were kept: there was room for "; part.Frames != 3 || !strings.HasPrefix(strings.Join(part.Missing, "\n"), "eth0: ") || !strings.Contains(strings.Join(part.Missing, "\n"), want) {
		t.Errorf("%+v, want %q", part, want)
	}
	if l.evidence.free() != evidenceAll || len(l.evidence.held) != 0 {
		t.Errorf("%d bytes free, want all %d", l.evidence.free(), evidenceAll)
	}
}

// TestEvidenceOfAnEnd: an incident that is sealed before anything was cut, as at the
// end of the program, has its packets all the same.
func TestEvidenceOfAnEnd(t *testing.T) {
	l := newEvidenceLab(t)
	l.fillVIFs()
	l.drained[1] = l.at(600)
	if _, part := l.written(t); part.Frames != 14 || len(part.Missing) != 0 || len(l.evidence.held) != 0 {
		t.Errorf("%+v, %d held", part, len(l.evidence.held))
	}
	l.evidence.recorders = nil
	if l.newPacketFile(l.in) != nil {
		t.Error("packets without a recorder")
	}
}

// TestEvidenceOverwritten: the recorder of vifs says itself from when on it holds.
func TestEvidenceOverwritten(t *testing.T) {
	l := newEvidenceLab(t)
	for i := range 10_000 { // of 32 + 66 bytes, rounded up to 104: 10 082 fit into 1 MiB
		l.add(i/10, 7, false, echo4(vmA, pinged, false, 1, uint16(i), fixtureStart))
	}
	l.keep(1200)
	_, part := l.written(t)
	if len(part.Missing) != 0 || part.Frames != 10_000 {
		t.Errorf("%+v", part)
	}
	for range 2 {
		for i := range 10_000 {
			l.add(i/10, 7, false, echo4(vmA, pinged, false, 1, uint16(i), fixtureStart))
		}
	}
	l.evidence.next = 0
	l.keep(1200)
	if _, part = l.written(t); len(part.Missing) != 1 || !strings.HasPrefix(part.Missing[0], "vifs: frames before 17:47:0") {
		t.Errorf("%+v", part)
	}
}

// TestCapturedVIF: a vif that is captured as a NIC has its frames in the file once.
func TestCapturedVIF(t *testing.T) {
	l := newEvidenceLab(t)
	l.world.Links[0].Ifindex, l.world.Links[0].Name = 7, "vif_a"
	l.fillVIFs()
	l.keep(600)
	file, part := l.written(t)
	if got := shown(t, file); part.Frames != 8 || len(got) != 3+8 || strings.HasPrefix(got[1], "vif_a") {
		t.Errorf("%+v\n%s", part, strings.Join(got, "\n"))
	}
}

// TestVIFNames: a vif's name outlives it by a minute, and churn is bounded.
func TestVIFNames(t *testing.T) {
	m, err := recorder.New(recorder.Least, 128)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	e := newEvidence(nil, m)
	e.vifNames(0, []flow.GuestNIC{{Name: "vif_a", Ifindex: 7}})
	e.vifNames(1e9, nil)
	e.vifNames(60e9, nil)
	if n := e.vifs.names[7]; n == nil || n.name != "vif_a" {
		t.Error("forgotten within a minute")
	}
	e.vifNames(62e9, nil)
	if len(e.vifs.names) != 0 {
		t.Error("remembered for ever")
	}
	for i := range 3 * maxGone {
		e.vifNames(flow.Time(100e9+i), []flow.GuestNIC{{Name: "x", Ifindex: 100 + i}})
	}
	if n := len(e.vifs.names); n > maxGone+1 {
		t.Errorf("%d names", n)
	}
	for i := range 3 * maxVIFGaps {
		e.vifGaps([]icmptap.Gap{{VIF: 1 + i}})
	}
	if g := e.vifs.gaps; len(g) > maxVIFGaps || g[len(g)-1].VIF != 3*maxVIFGaps {
		t.Errorf("%d gaps", len(g))
	}
}

// TestGuiltyEchoOnVIF: another guest's ping of the same number and target is not
// taken for this host's own.
func TestGuiltyEchoOnVIF(t *testing.T) {
	g := &guiltyEcho{trigger: &incident.Trigger{Kind: incident.KindRTT, Target: "10.1.16.55", Seq: 3}}
	guest := &flow.Echo{Src: netip.MustParseAddr("10.1.16.7").As16(), Dst: netip.MustParseAddr("10.1.16.55").As16(), ID: 5, Seq: 3}
	own := &flow.Echo{Src: netip.MustParseAddr("10.1.16.165").As16(), Dst: guest.Dst, ID: 6, Seq: 3}
	if g.is(guest, "vif_a", true) || !g.is(own, "eth0", false) || g.is(guest, "vif_a", true) || !g.is(own, "vif_b", true) {
		t.Errorf("%+v", g)
	}
}
