package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"spiketop/testdata/netlab"
)

// Threshold is spiketop's --spike in the lab.
const Threshold = 60 * time.Millisecond

// Truth is what happened in a run, from everybody but spiketop.
type Truth struct {
	Record
	Senders []Burst
	Frames  map[string][]netlab.Packet // by member, from tcpdump
	VIF     []netlab.Packet            // ICMP on vm_a's vif
	Stalls  []Stall
	Ping    []float64 // ms, of ping -D between the VMs
	tx      map[[6]byte]bool
}

// ReadTruth reads a run's folder. A witness that lost frames is an error.
func ReadTruth(dir string) (*Truth, error) {
	t := &Truth{Frames: map[string][]netlab.Packet{}, tx: map[[6]byte]bool{}}
	if err := readJSON(filepath.Join(dir, "run.json"), &t.Record); err != nil {
		return nil, err
	}
	if t.Failed != "" || t.Unmet != "" {
		return t, nil
	}
	if err := readJSON(filepath.Join(dir, "senders.json"), &t.Senders); err != nil {
		return nil, err
	}
	for _, b := range t.Senders {
		if b.Error != "" {
			return nil, fmt.Errorf("a sender: %s", b.Error)
		}
	}
	for _, s := range t.MACs {
		m, err := net.ParseMAC(s)
		if err != nil {
			return nil, err
		}
		t.tx[[6]byte(m)] = true
	}
	for _, m := range Members {
		frames, err := readFrames(dir, m)
		if err != nil {
			return nil, err
		}
		t.Frames[m] = frames
	}
	var err error
	if t.VIF, err = readFrames(dir, "023471"); err != nil {
		return nil, err
	}
	if t.Stalls, err = readStalls(filepath.Join(dir, "stalls.out")); err != nil {
		return nil, err
	}
	t.Ping = readPing(filepath.Join(dir, "ping.out"))
	return t, t.checkCounters(filepath.Join(dir, "counters"))
}

func readFrames(dir, nic string) ([]netlab.Packet, error) {
	said, err := os.ReadFile(filepath.Join(dir, nic+".pcap.err"))
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(said), "\n0 packets dropped by kernel") {
		return nil, fmt.Errorf("tcpdump on %s lost frames: %s", nic, said)
	}
	return netlab.ReadPcap(filepath.Join(dir, nic+".pcap"))
}

func readJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func readStalls(file string) (out []Stall, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); d.More(); {
		var s Stall
		if err := d.Decode(&s); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// readPing reads the "time=" of ping's lines.
func readPing(file string) (out []float64) {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if _, rest, ok := strings.Cut(line, "time="); ok {
			ms, _, _ := strings.Cut(rest, " ")
			if v, err := strconv.ParseFloat(ms, 64); err == nil {
				out = append(out, v)
			}
		}
	}
	return out
}

// checkCounters holds tcpdump against the interfaces' own counters over the run:
// two witnesses that must agree before either is believed.
func (t *Truth) checkCounters(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var rows [][]int64
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var row []int64
		for w := range strings.FieldsSeq(sc.Text()) {
			v, err := strconv.ParseInt(w, 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			row = append(row, v)
		}
		if len(row) != 1+2*len(Members) {
			return fmt.Errorf("%s: a row of %d figures", file, len(row))
		}
		rows = append(rows, row)
	}
	if len(rows) < 2 {
		return fmt.Errorf("%s: %d rows", file, len(rows))
	}
	first, last := rows[0], rows[len(rows)-1]
	for i := range rows[1:] {
		if d := rows[i+1][0] - rows[i][0]; d < 0 || d > int64(10*time.Second) {
			return nil // the clock was stepped: frames and rows do not compare
		}
	}
	for i, m := range Members {
		for j, dir := range []bool{false, true} {
			counted := last[1+2*i+j] - first[1+2*i+j]
			var seen int64
			for _, p := range t.Frames[m] {
				if at := p.At.UnixNano(); at >= first[0] && at < last[0] && t.tx[p.MAC] == dir {
					seen += int64(p.Len)
				}
			}
			if d := seen - counted; max(d, -d) > counted/50+20000 {
				return fmt.Errorf("%s (tx %v): tcpdump saw %d bytes, the interface counted %d", m, dir, seen, counted)
			}
		}
	}
	return nil
}

// Echo is a ping as tcpdump saw it at one point.
type Echo struct {
	ID, Seq  uint16
	Out, In  time.Time
	Answered bool
}

// RTT is the time to the answer, or -1.
func (e Echo) RTT() time.Duration {
	if !e.Answered {
		return -1
	}
	return e.In.Sub(e.Out)
}

// OwnEchoes pairs spiketop's own pings on the members.
func (t *Truth) OwnEchoes() []Echo {
	var all []netlab.Packet
	for _, m := range Members {
		all = append(all, t.Frames[m]...)
	}
	slices.SortStableFunc(all, func(a, b netlab.Packet) int { return a.At.Compare(b.At) })
	own := map[uint16]bool{}
	for _, e := range t.Own {
		own[e.ID] = true
	}
	return pair(all, func(p netlab.Packet) bool { return own[p.ID] })
}

// Ways are the members on which tcpdump saw spiketop's own echo with this sequence
// number that was sent within 25 ms of a time, and its answer; "" = not seen. The
// echoes of two members with the same number are sent 50 ms apart.
func (t *Truth) Ways(seq uint16, sent time.Time) (out, back string) {
	var id uint16
	near := 25 * time.Millisecond
	for _, e := range t.Own {
		for _, m := range Members {
			for _, p := range t.Frames[m] {
				if d := p.At.Sub(sent).Abs(); p.Proto == 1 && p.Type == 8 && p.ID == e.ID && p.Seq == seq && d <= near {
					out, id, near = m, p.ID, d
				}
			}
		}
	}
	if out == "" {
		return "", ""
	}
	for _, m := range Members {
		for _, p := range t.Frames[m] {
			if p.Proto == 1 && p.Type == 0 && p.ID == id && p.Seq == seq && p.At.After(sent) && p.At.Sub(sent) < 10*time.Second {
				back = m
			}
		}
	}
	return out, back
}

// VMEchoes pairs the echoes that vm_a's vif saw, whoever asked.
func (t *Truth) VMEchoes() []Echo {
	return pair(t.VIF, func(netlab.Packet) bool { return true })
}

func pair(packets []netlab.Packet, wanted func(netlab.Packet) bool) (out []Echo) {
	type key struct {
		src, dst netip.Addr
		id, seq  uint16
	}
	open := map[key]int{}
	for _, p := range packets {
		if p.Proto != 1 || !wanted(p) {
			continue
		}
		src, dst := p.Src.Addr(), p.Dst.Addr()
		switch p.Type {
		case 8:
			open[key{src, dst, p.ID, p.Seq}] = len(out)
			out = append(out, Echo{ID: p.ID, Seq: p.Seq, Out: p.At})
		case 0:
			k := key{dst, src, p.ID, p.Seq}
			if i, ok := open[k]; ok && !out[i].Answered {
				out[i].In, out[i].Answered = p.At, true
			}
		}
	}
	return out
}

// Late returns the echoes sent after the scenario began that came back beyond
// the threshold, or not within 1.2 s though there was time for it.
func (t *Truth) Late(echoes []Echo) (late, lost []Echo) {
	if len(echoes) == 0 {
		return nil, nil
	}
	last := echoes[len(echoes)-1].Out
	for _, e := range echoes {
		switch {
		case e.Out.Before(t.Begin.Add(-200 * time.Millisecond)):
		case e.RTT() > Threshold:
			late = append(late, e)
		case !e.Answered && e.Out.Before(last.Add(-1200*time.Millisecond)):
			lost = append(lost, e)
		}
	}
	return late, lost
}

// Wire is what a frame is on the wire: a super-frame's pieces each have headers.
func Wire(p netlab.Packet) int64 {
	const full = 1518 // with a VLAN tag
	if p.Len <= full || p.Payload == 0 {
		return int64(p.Len)
	}
	headers := p.Len - p.Payload
	pieces := (p.Payload + full - headers - 1) / (full - headers)
	return int64(p.Len + (pieces-1)*headers)
}

// Sum adds up the frames of a member and direction in [from, to) that a
// condition takes.
func (t *Truth) Sum(member string, tx bool, from, to time.Time, take func(netlab.Packet) bool) (n int64) {
	for _, p := range t.Frames[member] {
		if !p.At.Before(from) && p.At.Before(to) && t.tx[p.MAC] == tx && (take == nil || take(p)) {
			n += Wire(p)
		}
	}
	return n
}

// Stalled returns the longest stall that overlaps [from, to).
func (t *Truth) Stalled(from, to time.Time) time.Duration {
	var worst time.Duration
	for _, s := range t.Stalls {
		if s.From.Before(to) && s.From.Add(s.Late+20*time.Millisecond).After(from) {
			worst = max(worst, s.Late)
		}
	}
	return worst
}

// Storage reports whether a frame is the storage's: the chunkservers' port
// between hosts.
func Storage(p netlab.Packet) bool {
	return (p.Src.Port() == 9422 || p.Dst.Port() == 9422) && !VM(p)
}

// hostAddr is this host's address.
var hostAddr = netip.MustParseAddr("10.1.16.165")

// Host reports whether a frame is of a program of this host that is no storage.
func Host(p netlab.Packet) bool {
	return (p.Src.Addr() == hostAddr || p.Dst.Addr() == hostAddr) && !Storage(p) && !VM(p)
}

// vmNet holds every VM's address.
var vmNet = netip.MustParsePrefix("192.168.0.0/16")

// VM reports whether a frame is a VM's, or carries one of its frames (VXLAN).
func VM(p netlab.Packet) bool {
	return p.Dst.Port() == 4789 || p.Src.IsValid() && (vmNet.Contains(p.Src.Addr()) || vmNet.Contains(p.Dst.Addr()))
}
