package probe

import (
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"spiketop/flow"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected lines of testdata/timeline")

// wallBase is wall time minus monotonic time before any step of the clock.
const wallBase = flow.WallOffset(1_790_000_000 * time.Second)

// TestTimelines plays testdata/timeline/*.txt. A line is a command; lines that
// begin with ">" are what the command before them must give. Times are
// milliseconds of monotonic time, also those of stamps in payloads, which are
// turned into wall time as it was at that moment (clock=+5000 on the command:
// the wall clock then stood 5 s ahead of where it began). offset= is by which
// offset capture converts, where that differs.
func TestTimelines(t *testing.T) {
	files, err := filepath.Glob("testdata/timeline/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d timelines: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(in))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(strings.Split(string(in), "\n"), strings.Split(got, "\n")); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// player runs one timeline.
type player struct {
	t       *testing.T
	s       *Set
	targets []Target
	addr    map[uint16]netip.Addr // by ICMP id
	owner   map[uint16]TargetID
	id      uint16 // of the last restart
}

func play(t *testing.T, script string) string {
	t.Helper()
	p := &player{t: t, s: NewSet(SetConfig{}), addr: map[uint16]netip.Addr{}, owner: map[uint16]TargetID{}}
	var out strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(script, "\n"), "\n") {
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line + "\n")
		code, _, _ := strings.Cut(line, "#")
		f := strings.Fields(code)
		if len(f) == 0 {
			continue
		}
		pos, opt := []string{}, map[string]string{}
		for _, w := range f[1:] {
			if k, v, ok := strings.Cut(w, "="); ok {
				opt[k] = v
			} else {
				pos = append(pos, w)
			}
		}
		for _, r := range p.do(line, f[0], pos, opt) {
			out.WriteString("> " + r + "\n")
		}
	}
	return out.String()
}

func (p *player) do(line, verb string, pos []string, opt map[string]string) []string {
	num := func(s string, or float64) float64 {
		if s == "" {
			return or
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			p.t.Fatalf("%q: %v", line, err)
		}
		return v
	}
	ms := func(s string) flow.Time { return flow.Time(num(s, 0) * 1e6) }
	at := ms(opt["at"])
	id := uint16(num(opt["id"], float64(p.id)))
	var n int64
	if len(pos) > 0 {
		v, _ := strconv.ParseInt(pos[0], 10, 64)
		n = v
	}
	seq := uint16(num(opt["seq"], float64(n-1)))
	dropped := uint64(num(opt["dropped"], 0))

	switch verb {
	case "links":
		ids := []flow.LinkID{}
		for _, w := range pos {
			ids = append(ids, flow.LinkID(num(w, 0)))
		}
		p.s.SetLinks(ids)
	case "target": // target ID NAME [captured]
		d := Target{ID: TargetID(n), Name: pos[1], Captured: len(pos) > 2 && pos[2] == "captured"}
		p.targets = append(p.targets, d)
		p.s.SetTargets(p.targets)
	case "remove":
		p.targets = p.targets[:0]
		p.s.SetTargets(nil)
	case "restart": // restart TARGET id=.. addr=.. at=..
		p.id, p.addr[id], p.owner[id] = id, netip.MustParseAddr(opt["addr"]), TargetID(n)
		p.s.Event(Event{Kind: Restarted, Target: TargetID(n), At: at, ID: id, Addr: p.addr[id], Dropped: dropped})
	case "sent":
		p.s.Event(Event{Kind: Sent, Target: p.owner[id], At: at, N: n, ID: id, Seq: seq, Addr: p.addr[id], Dropped: dropped})
	case "received":
		p.s.Event(Event{Kind: Received, Target: p.owner[id], At: at, N: n, ID: id, Seq: seq, Dropped: dropped})
	case "duplicate":
		p.s.Event(Event{Kind: Duplicate, Target: p.owner[id], At: at, N: n, ID: id, Seq: seq, Dropped: dropped})
	case "trouble":
		p.s.Event(Event{Kind: Trouble, Target: TargetID(n), At: at, Text: strings.Join(pos[1:], " ")})
	case "request", "reply":
		e := flow.Echo{At: at, Link: flow.LinkID(num(opt["link"], 1)), Dir: flow.Tx, Reply: verb == "reply", ID: id, Seq: seq, PayloadN: 24}
		e.Family, e.Dst = flow.FamilyIPv4, p.addr[id].As16()
		if p.addr[id].Is6() {
			e.Family = flow.FamilyIPv6
		}
		e.Src = netip.MustParseAddr("192.0.2.1").As16()
		if e.Reply {
			e.Dir, e.Src, e.Dst = flow.Rx, e.Dst, e.Src
		}
		e.Offset = wallBase + flow.WallOffset(num(opt["offset"], 0)*1e6)
		wall := int64(ms(opt["stamp"])) + int64(wallBase) + int64(num(opt["clock"], 0)*1e6)
		binary.BigEndian.PutUint64(e.Payload[:8], uint64(wall))
		copy(e.Payload[8:], opt["uuid"]+"................")
		p.s.Echo(e)
	case "drained": // drained UPTO LINK ...
		for _, w := range pos[1:] {
			p.s.Drained(flow.LinkID(num(w, 0)), ms(pos[0]))
		}
	case "overflow": // overflow LINK FROM TO
		p.s.Lost(flow.LinkID(n), ms(pos[1]), ms(pos[2]))
	case "tick":
		return describeAll(p.s.Tick(ms(pos[0])))
	case "beat": // beat FROM TO: a Tick each 10 ms (step=), every link drained up to it
		var out []string
		step := time.Duration(num(opt["step"], 10) * 1e6)
		for now := ms(pos[0]); now <= ms(pos[1]); now = now.Add(step) {
			for _, l := range p.s.links {
				p.s.Drained(l.id, now)
			}
			out = append(out, describeAll(p.s.Tick(now))...)
		}
		return out
	case "stats":
		var out []string
		for i, st := range p.s.Stats() {
			out = append(out, fmt.Sprintf("%s sent %d lost %d unknown %d late %d twice %d window %d loss %.2f jitter %v held %d",
				p.s.Targets()[i].Name, st.Sent, st.Lost, st.Unknown, st.Late, st.Twice, st.Window, st.Loss, st.Jitter, len(p.s.held)))
		}
		return out
	case "targets":
		var out []string
		for _, d := range p.s.Targets() {
			out = append(out, fmt.Sprintf("%d %s %v %q", d.ID, d.Name, d.Addr, d.Trouble))
		}
		return out
	default:
		p.t.Fatalf("unknown command %q", line)
	}
	return nil
}

func describeAll(samples []Sample) []string {
	var out []string
	for _, m := range samples {
		out = append(out, describe(m))
	}
	return out
}

func describe(m Sample) string {
	d := func(d time.Duration) string {
		if d == None {
			return "?"
		}
		return strconv.FormatFloat(float64(d)/1e6, 'f', 3, 64)
	}
	s := fmt.Sprintf("%d:%d ", m.Target, m.N)
	switch {
	case m.State == Outstanding && m.Cleared:
		s += "cleared"
	case m.State == Outstanding && m.Age == 0:
		s += "outstanding"
	case m.State == Outstanding:
		s += "outstanding age " + d(m.Age)
	case m.State == Answered && m.Source == ByUser:
		s += "answered by user rtt " + d(m.RTT)
	case m.State == Answered:
		s += fmt.Sprintf("answered rtt %s = queue %s (own %s) + wire %s, wakeup %s", d(m.RTT), d(m.Queue), d(m.Own), d(m.Wire), d(m.Wakeup))
	default:
		s += [...]string{Lost: "lost", Uncertain: "uncertain"}[m.State]
	}
	return s + fmt.Sprintf(" [%d/%d]", m.Member, m.ReplyMember)
}
