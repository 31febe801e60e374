package netlab

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Tcpdump is an independent witness: tcpdump writing one NIC's frames to a file.
type Tcpdump struct {
	File string
	NIC  string

	t    testing.TB
	cmd  *exec.Cmd
	said *lines
	stop sync.Once
}

// StartTcpdump starts a witness on nic in ns and returns when it listens.
func StartTcpdump(t testing.TB, ns *NS, nic string, filter ...string) *Tcpdump {
	t.Helper()
	NeedTool(t, "netns", "tcpdump")
	d := &Tcpdump{File: filepath.Join(t.TempDir(), nic+".pcap"), NIC: nic, t: t, said: newLines()}
	args := []string{"-i", nic, "-n", "-s", "128", "-B", "32768", "-U", "-Z", "root", "--time-stamp-precision=nano", "-w", d.File}
	d.cmd = ns.Command("tcpdump", append(args, filter...)...)
	d.cmd.Stderr = d.said
	if err := d.cmd.Start(); err != nil {
		t.Fatalf("start tcpdump on %s: %v", nic, err)
	}
	t.Cleanup(func() { d.end() })
	if !d.said.wait("listening on", 10*time.Second) {
		t.Fatalf("tcpdump on %s: %s", nic, d.said)
	}
	return d
}

func (d *Tcpdump) end() {
	d.stop.Do(func() {
		_ = d.cmd.Process.Signal(syscall.SIGINT)
		_ = d.cmd.Wait()
	})
}

// Packet is one captured frame.
type Packet struct {
	At       time.Time
	Len      int     // on the wire, as tcpdump says
	MAC      [6]byte // of the sender
	Ether    uint16  // of the frame, behind VLAN tags
	Proto    uint8
	Src, Dst netip.AddrPort
	Type     uint8 // ICMP
	ID, Seq  uint16
	Payload  int
}

// Stop ends the witness and returns what it saw; it fails the test if the
// witness itself lost frames, for then it is none.
func (d *Tcpdump) Stop() []Packet {
	d.t.Helper()
	time.Sleep(300 * time.Millisecond) // its own buffer is read every 100 ms
	d.end()
	if s := d.said.String(); !strings.Contains(s, "\n0 packets dropped by kernel") {
		d.t.Fatalf("tcpdump on %s lost frames:\n%s", d.NIC, s)
	}
	ps, err := ReadPcap(d.File)
	if err != nil {
		d.t.Fatal(err)
	}
	return ps
}

// ReadPcap reads a nanosecond, little-endian Ethernet pcap file, IPv4 only:
// what our own witness writes.
func ReadPcap(file string) ([]Packet, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	var head [24]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if m := binary.LittleEndian.Uint32(head[:]); m != 0xa1b23c4d {
		return nil, fmt.Errorf("read %s: magic %08x is not a nanosecond pcap", file, m)
	}
	var ps []Packet
	for {
		var h [16]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return ps, nil // a half record at the end: the witness was stopped
		}
		data := make([]byte, binary.LittleEndian.Uint32(h[8:]))
		if _, err := io.ReadFull(r, data); err != nil {
			return ps, nil
		}
		p := Packet{At: time.Unix(int64(binary.LittleEndian.Uint32(h[0:])), int64(binary.LittleEndian.Uint32(h[4:]))),
			Len: int(binary.LittleEndian.Uint32(h[12:]))}
		if len(data) >= 14 {
			p.MAC = [6]byte(data[6:12])
		}
		dissect(data, &p)
		ps = append(ps, p)
	}
}

func dissect(b []byte, p *Packet) {
	at := 12
	for len(b) >= at+4 && binary.BigEndian.Uint16(b[at:]) == 0x8100 { // 802.1Q
		at += 4
	}
	if len(b) < at+2 {
		return
	}
	if p.Ether = binary.BigEndian.Uint16(b[at:]); p.Ether != 0x0800 || len(b) < at+22 {
		return
	}
	ip := b[at+2:]
	ihl := int(ip[0]&15) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	p.Proto = ip[9]
	src, dst := netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	var sp, dp uint16
	if l4 := ip[ihl:]; len(l4) >= 8 {
		switch p.Proto {
		case 6, 17:
			sp, dp = binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:])
			if p.Proto == 6 && len(l4) >= 13 {
				p.Payload = total - ihl - int(l4[12]>>4)*4
			}
		case 1:
			p.Type, p.ID, p.Seq = l4[0], binary.BigEndian.Uint16(l4[4:]), binary.BigEndian.Uint16(l4[6:])
		}
	}
	p.Src, p.Dst = netip.AddrPortFrom(src, sp), netip.AddrPortFrom(dst, dp)
}

// Bytes sums the frames of one direction of a flow in [from, to).
func Bytes(ps []Packet, src, dst string, from, to time.Time) (n int64) {
	for _, p := range ps {
		if !p.At.Before(from) && p.At.Before(to) && p.Src.String() == src && p.Dst.String() == dst {
			n += int64(p.Len)
		}
	}
	return n
}

// lines collects what a child prints and lets a test wait for a word in it.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func newLines() *lines { return &lines{} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) wait(word string, patience time.Duration) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(l.String(), word) {
			return true
		}
	}
	return false
}
