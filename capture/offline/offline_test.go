package offline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spiketop/capture/pcapfile"
	"spiketop/flow"
)

func open(t *testing.T, cfg Config) *Capture {
	t.Helper()
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// play lists all packets: milliseconds, link, direction.
func play(t *testing.T, c *Capture) (list []string, troubles []error) {
	t.Helper()
	p := c.Play()
	defer p.Close()
	var pk Packet
	for {
		err := p.Next(&pk)
		if err == io.EOF {
			return list, p.Troubles()
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%d %s %s", (pk.At-begin.UnixNano())/1e6, c.Links[pk.Link].Name, pk.Dir))
	}
}

var two = []pcapfile.Interface{{Name: "eth0", Speed: 10e9, Description: "member of bond0, captured by spiketop on node1"}, {Name: "eth1"}}

// TestMerge: files are merged by time, interfaces of one name are one link, and
// playing twice gives the same.
func TestMerge(t *testing.T) {
	a := save(t, "a.pcapng", ng(t, two, []packet{{0, 0, pcapfile.DirIn, frame(2, 1, 55, 165)}, {30 * time.Millisecond, 1, pcapfile.DirOut, frame(1, 2, 165, 55)}}))
	b := save(t, "b.pcapng", ng(t, two[1:], []packet{{10 * time.Millisecond, 0, pcapfile.DirOut, frame(1, 2, 165, 55)}, {50 * time.Millisecond, 0, pcapfile.DirIn, frame(2, 1, 55, 165)}}))
	c := open(t, Config{Paths: []string{b, a}})
	want := []string{"0 eth0 rx", "10 eth1 tx", "30 eth1 tx", "50 eth1 rx"}
	for range 2 {
		got, troubles := play(t, c)
		if diff := cmp.Diff(want, got); diff != "" || troubles != nil {
			t.Errorf("%v (-want +got):\n%s", troubles, diff)
		}
	}
	if c.First != begin.UnixNano() || len(c.Notes) != 0 || c.Host != "node1" || !c.Has("eth1") || c.Has("eth2") {
		t.Errorf("%+v", c)
	}
	for _, l := range c.Links {
		if l.Name == "eth0" && (l.Bond != "bond0" || l.Speed != 10e9) {
			t.Errorf("%+v", l)
		}
	}
}

// TestSides: who is local, by the end that is on nearly all packets.
func TestSides(t *testing.T) {
	for _, tc := range []struct {
		name   string
		frames [][]byte
		local  string
		want   string
		says   string
	}{
		{"one host and its peers", [][]byte{frame(1, 2, 165, 55), frame(3, 1, 71, 165), frame(1, 4, 165, 73)}, "", "tx rx tx", "inferred: local is MAC 02:00:00:00:00:01, which is on 100 %"},
		// Both MACs are on all packets; behind the router's are many addresses.
		{"one host and its router", [][]byte{frame(9, 1, 55, 165), frame(1, 9, 165, 71), frame(9, 1, 73, 165)}, "", "rx tx rx", "inferred: local is MAC 02:00:00:00:00:01"},
		// 5 talks to the same others as 1 does.
		{"a guest beside the host", [][]byte{frame(1, 2, 165, 55), frame(2, 1, 55, 165), frame(1, 3, 165, 71), frame(3, 1, 71, 165), frame(1, 4, 165, 73), frame(5, 2, 12, 55), frame(2, 5, 55, 12)}, "", "tx rx tx rx tx tx rx", "guessed: local is MAC 02:00:00:00:00:01, though it is on 71 %"},
		{"said", [][]byte{frame(1, 2, 165, 55), frame(2, 1, 55, 165)}, "10.1.16.55/32", "rx tx", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var list []packet
			for i, f := range tc.frames {
				list = append(list, packet{time.Duration(i) * time.Millisecond, 0, 0, f})
			}
			cfg := Config{Paths: []string{"x"}, Memory: ng(t, two[1:], list)}
			if tc.local != "" {
				cfg.Local = []netip.Prefix{netip.MustParsePrefix(tc.local)}
			}
			c := open(t, cfg)
			got, _ := play(t, c)
			for i := range got {
				got[i] = got[i][strings.LastIndex(got[i], " ")+1:]
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%v, want %s", got, tc.want)
			}
			if said := strings.Join(c.Notes, "\n"); !strings.Contains(said, tc.says) || tc.says == "" && said != "" {
				t.Errorf("said %q, want %q", said, tc.says)
			}
		})
	}
}

// TestVIF: a guest's interface is told by its description; outgoing there is
// toward the guest, and who sends behind it is the guest.
func TestVIF(t *testing.T) {
	interfaces := append(two[1:2:2], pcapfile.Interface{Name: "023471", Description: "vif of vm_a"})
	c := open(t, Config{Paths: []string{"x"}, Memory: ng(t, interfaces, []packet{
		{0, 1, pcapfile.DirIn, request(0x0a, 3, 12, 55, 9, 1)},
		{time.Millisecond, 0, pcapfile.DirOut, request(0x0a, 3, 12, 55, 9, 1)},
		{2 * time.Millisecond, 1, pcapfile.DirOut, frame(3, 0x0a, 55, 12)},
		{3 * time.Millisecond, 0, pcapfile.DirOut, request(1, 3, 165, 55, 7, 1)},
		{4 * time.Millisecond, 0, pcapfile.DirOut, request(1, 3, 165, 55, 7, 2)}})})
	got, _ := play(t, c)
	if diff := cmp.Diff([]string{"0 023471 tx", "1 eth1 tx", "2 023471 rx", "3 eth1 tx", "4 eth1 tx"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, l := range c.Links {
		if l.Name == "023471" && (!l.VIF || l.Guest != "vm_a" || len(l.MACs) != 1 || l.MACs[0] != [6]byte{2, 0, 0, 0, 0, 0x0a}) {
			t.Errorf("%+v", l)
		}
	}
	if len(c.Pings) != 2 || c.Pings[0].ID != 7 || c.Pings[0].Requests != 2 || c.Pings[0].VIF || !c.Pings[1].VIF || !c.AllPings || c.Pings[0].Gap() != 1e6 {
		t.Errorf("pings %+v", c.Pings)
	}
}

// TestClock: a packet with an absurd time has that of the one before; a clock that
// is set back goes on.
func TestClock(t *testing.T) {
	year := 365 * 24 * time.Hour
	c := open(t, Config{Paths: []string{"x"}, Memory: ng(t, two[:1], []packet{
		{0, 0, pcapfile.DirIn, frame(2, 1, 55, 165)},
		{10 * time.Millisecond, 0, pcapfile.DirIn, frame(2, 1, 55, 165)},
		{100 * year, 0, pcapfile.DirIn, frame(2, 1, 55, 165)},
		{-50 * year, 0, pcapfile.DirIn, frame(2, 1, 55, 165)},
		{20 * time.Millisecond, 0, pcapfile.DirIn, frame(2, 1, 55, 165)},
		{-time.Hour, 0, pcapfile.DirIn, frame(2, 1, 55, 165)},
		{-time.Hour + 5*time.Millisecond, 0, pcapfile.DirIn, frame(2, 1, 55, 165)}})})
	got, _ := play(t, c)
	// The two odd ones are neighbours: the first is judged by the second and taken
	// for a pause or not; what counts is that time goes on from there.
	last := int64(-1)
	for _, s := range got {
		var at int64
		if _, err := fmt.Sscanf(s, "%d", &at); err != nil || at < last {
			t.Fatalf("time goes back: %v", got)
		}
		last = at
	}
	if len(got) != 7 || !strings.Contains(strings.Join(c.Notes, "\n"), "the clock goes back by") {
		t.Errorf("%v, said %v", got, c.Notes)
	}
	c = open(t, Config{Paths: []string{"x"}, Memory: ng(t, two[:1], []packet{
		{0, 0, pcapfile.DirIn, frame(2, 1, 55, 165)},
		{100 * year, 0, pcapfile.DirIn, frame(2, 1, 55, 165)},
		{20 * time.Millisecond, 0, pcapfile.DirIn, frame(2, 1, 55, 165)}})})
	got, _ = play(t, c)
	if diff := cmp.Diff([]string{"0 eth0 rx", "0 eth0 rx", "20 eth0 rx"}, got); diff != "" || !strings.Contains(strings.Join(c.Notes, "\n"), "makes no sense") {
		t.Errorf("said %v (-want +got):\n%s", c.Notes, diff)
	}
}

// TestTooManyInterfaces: there is a limit, and it is said.
func TestTooManyInterfaces(t *testing.T) {
	var interfaces []pcapfile.Interface
	var list []packet
	for i := range 100 {
		interfaces = append(interfaces, pcapfile.Interface{Name: fmt.Sprint("eth", i)})
		list = append(list, packet{time.Duration(i) * time.Millisecond, i, pcapfile.DirIn, frame(2, 1, 55, 165)})
	}
	c := open(t, Config{Paths: []string{"x"}, Memory: ng(t, interfaces, list)})
	if got, _ := play(t, c); len(got) != MaxLinks || len(c.Links) != MaxLinks || len(c.Notes) != 1 {
		t.Errorf("%d packets of %d links, said %v", len(got), len(c.Links), c.Notes)
	}
}

// TestPipe: a pipe is looked at and then played from its beginning, once; one that
// stalls ends with its context.
func TestPipe(t *testing.T) {
	path := t.TempDir() + "/pipe"
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	b := ng(t, two[:1], []packet{{0, 0, pcapfile.DirIn, frame(2, 1, 55, 165)}, {time.Millisecond, 0, pcapfile.DirOut, frame(1, 2, 165, 55)}})
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer w.Close()
		for len(b) > 0 {
			n, err := w.Write(b[:min(len(b), 50)])
			if err != nil {
				t.Error(err)
				return
			}
			b = b[n:]
		}
	}()
	c := open(t, Config{Paths: []string{path}})
	if got, troubles := play(t, c); len(got) != 2 || troubles != nil || !c.Streams() {
		t.Errorf("%v, %v", got, troubles)
	}

	stalled := t.TempDir() + "/stalled"
	if err := unix.Mkfifo(stalled, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(stalled, os.O_RDWR, 0) // somebody who never writes
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, Config{Paths: []string{stalled}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestMissing: a file that is gone, as a ring's oldest may be, is left out and said;
// alone it is an error.
func TestMissing(t *testing.T) {
	a := save(t, "a.pcapng", ng(t, two, []packet{{0, 0, pcapfile.DirIn, frame(2, 1, 55, 165)}}))
	none := filepath.Join(t.TempDir(), "none")
	c := open(t, Config{Paths: []string{none, a}})
	got, _ := play(t, c)
	if said := strings.Join(c.Notes, "\n"); len(got) != 1 || !strings.Contains(said, "none: no such file") {
		t.Errorf("%v, said %q", got, said)
	}
	if _, err := Open(t.Context(), Config{Paths: []string{none, none}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// FuzzPlay: any bytes end, and time goes on.
func FuzzPlay(f *testing.F) {
	f.Add([]byte{})
	var t testing.T
	f.Add(ng(&t, two, []packet{{0, 0, pcapfile.DirIn, frame(2, 1, 55, 165)}, {-time.Hour, 1, 0, request(1, 2, 165, 55, 7, 1)}, {time.Hour * 1e5, 1, 0, frame(2, 1, 55, 165)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if b == nil {
			b = []byte{}
		}
		c, err := Open(t.Context(), Config{Paths: []string{"x"}, Memory: b})
		if err != nil {
			return
		}
		p := c.Play()
		defer p.Close()
		var pk Packet
		last := int64(0)
		for p.Next(&pk) == nil {
			if pk.At < last-mostBack || pk.At < 0 || pk.At >= lastTime+mostBack || pk.Dir > flow.Tx {
				t.Fatalf("%+v after %d", pk, last)
			}
			last = max(last, pk.At)
		}
	})
}
