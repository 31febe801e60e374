package main

import (
	"bufio"
	wire "encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spiketop/flow"
	"spiketop/incident"
	"spiketop/testdata/netlab"
)

// bondCell is what the guest says of one policy and state of its bond.
type bondCell struct {
	Cell   int
	Kernel flow.Kernel
	Bond   flow.Bond
	Sent   int
}

// TestBondHash compares the predicted member with the one by which the real
// bonding driver sends: every policy that can be predicted, with three members,
// with one down, and in another order of enslaving. What capture/link reads in
// the guest is what the prediction is made from.
func TestBondHash(t *testing.T) {
	netlab.NeedTool(t, "uml", "tcpdump")
	program := bondflows(t)
	out := netlab.Boot(t, netlab.Guest{Script: "testdata/uml/bondhash.sh", Modules: "bonding veth 8021q", Limit: 2 * time.Minute,
		Env: []string{"SPIKETOP_FLOWS=" + program}})
	cells := readCells(t, filepath.Join(out, "cells"))
	seen, used := map[int]int{}, map[int]map[string]bool{}
	for _, member := range []string{"eth0", "eth1", "eth2"} {
		if said, err := os.ReadFile(filepath.Join(out, member+".err")); err != nil || !strings.Contains(string(said), "\n0 packets dropped by kernel") {
			t.Errorf("the witness of %s (%v): %s", member, err, said)
		}
		for _, f := range sentFrames(t, filepath.Join(out, member+".pcap")) {
			c := cells[f.cell]
			if c == nil {
				t.Fatalf("a frame of cell %d, which was never announced", f.cell)
			}
			seen[f.cell]++
			if used[f.cell] == nil {
				used[f.cell] = map[string]bool{}
			}
			used[f.cell][member] = true
			if got, why := c.Bond.TxMember(&f.TxFrame, c.Kernel); got != member {
				t.Errorf("cell %d %s %v: left by %s, predicted %q %s: %+v", f.cell, c.Bond.Policy, names(c.Bond.Usable()), member, got, why, f.TxFrame)
			}
		}
		if t.Failed() {
			t.FailNow() // one member's errors tell enough
		}
	}
	if len(cells) != 15 {
		t.Fatalf("%d cells, want 15", len(cells))
	}
	for i := 1; i <= len(cells); i++ {
		c := cells[i]
		t.Logf("cell %2d %-11s %v: %d of %d frames, each by the predicted member", i, c.Bond.Policy, names(c.Bond.Usable()), seen[i], c.Sent)
		if seen[i] != c.Sent {
			t.Errorf("cell %d: only %d of %d frames were seen", i, seen[i], c.Sent)
		}
		if len(used[i]) != len(c.Bond.Usable()) {
			t.Errorf("cell %d: only %v were used", i, used[i])
		}
	}
	for cell, want := range map[int][]string{1: {"eth1", "eth0", "eth2"}, 6: {"eth1", "eth2"}, 11: {"eth0", "eth2", "eth1"}} {
		if got := names(cells[cell].Bond.Usable()); !slices.Equal(got, want) {
			t.Errorf("usable in cell %d: %v, want %v", cell, got, want)
		}
	}
}

// bondflows builds the program that sends flows in the guest.
func bondflows(t *testing.T) string {
	t.Helper()
	netlab.NeedTool(t, "uml", "linux.uml")
	program := filepath.Join(t.TempDir(), "bondflows")
	build := exec.Command("go", "build", "-o", program, "./testdata/bondflows")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build bondflows: %v\n%s", err, out)
	}
	return program
}

// TestBondBalance lets the whole program look at a real bond with a member in
// another aggregator: its warning, who carried what, and of each flow that left
// the member that the hash says, which is the one it was seen on.
func TestBondBalance(t *testing.T) {
	out := netlab.Boot(t, netlab.Guest{Script: "testdata/uml/bondbalance.sh", Modules: "bonding veth 8021q sch_netem", Limit: 2 * time.Minute,
		Env: []string{"SPIKETOP_PROGRAM=" + binary(t), "SPIKETOP_FLOWS=" + bondflows(t)}})
	f, err := os.Open(filepath.Join(out, "incident.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := incident.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Bond) != 1 || len(in.Bond[0].Members) != 3 {
		t.Fatalf("bonds %+v, want bond0 with three members", in.Bond)
	}
	b := in.Bond[0]
	eth2 := b.Members[2]
	if eth2.Name != "eth2" || eth2.Usable || eth2.Aggregator == b.ActiveAggregator || !strings.Contains(eth2.Trouble, "in aggregator") {
		t.Errorf("eth2: %+v, want it in an aggregator of its own, not usable", eth2)
	}
	if len(b.Warnings) == 0 || !strings.Contains(b.Warnings[0], "eth2 of bond0 carries no data: in aggregator") {
		t.Errorf("warnings %q, want that of eth2", b.Warnings)
	}
	if v := b.Tx.Imbalance; v == nil || *v > 0.5 {
		t.Errorf("imbalance of tx %v: some 100 flows of equal size are spread by their hash", v)
	}
	if s := b.Members[0].TxShare; s == nil || *s < 0.2 || *s > 0.8 {
		t.Errorf("eth0 carried %v of tx", s)
	}
	hashed := 0
	for i := range in.Flows.Tx {
		r := &in.Flows.Tx[i]
		if r.HashMember == "" || r.Proto == "udp" && strings.Contains(r.Local, ":300") { // a flow with fragments leaves by two members
			continue
		}
		hashed++
		if r.HashMember != r.Link {
			t.Errorf("%s %s -> %s left by %s, hash_member %s", r.Proto, r.Local, r.Remote, r.Link, r.HashMember)
		}
	}
	if hashed < 20 {
		t.Errorf("only %d flows of %d have a hash_member", hashed, len(in.Flows.Tx))
	}
	md, err := os.ReadFile(filepath.Join(out, "incident.md"))
	if err != nil || !strings.Contains(string(md), "bond0 802.3ad layer3+4: eth0 active") || !strings.Contains(string(md), "  tx: carried by eth0") {
		t.Errorf("incident.md (%v) lacks the bond:\n%s", err, md)
	}
	t.Logf("%d flows with a hash_member\n%s", hashed, md)
}

func names(members []flow.Member) (list []string) {
	for i := range members {
		list = append(list, members[i].Name)
	}
	return list
}

func readCells(t *testing.T, file string) map[int]*bondCell {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cells := map[int]*bondCell{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		c := new(bondCell)
		if err := json.Unmarshal(sc.Bytes(), c); err != nil {
			t.Fatalf("%v: %q", err, sc.Text())
		}
		cells[c.Cell] = c
	}
	return cells
}

// sentFrame is a frame of the test as tcpdump wrote it.
type sentFrame struct {
	flow.TxFrame
	cell int
}

// sentFrames reads a pcap file of tcpdump's, little-endian.
func sentFrames(t *testing.T, file string) (list []sentFrame) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || len(b) < 24 {
		t.Fatalf("%s: %v, %d bytes", file, err, len(b))
	}
	for b = b[24:]; len(b) >= 16; {
		n := int(wire.LittleEndian.Uint32(b[8:]))
		if 16+n > len(b) {
			break // tcpdump was ended
		}
		if f, ok := parseSent(b[16 : 16+n]); ok {
			list = append(list, f)
		}
		b = b[16+n:]
	}
	return list
}

// parseSent reads the frames that bondflows sends; ok is false for others.
func parseSent(p []byte) (f sentFrame, ok bool) {
	copy(f.Dst[:], p)
	copy(f.Src[:], p[6:])
	ethertype, p := wire.BigEndian.Uint16(p[12:]), p[14:]
	if ethertype == 0x8100 {
		f.TCI = wire.BigEndian.Uint16(p)
		f.Key.VLAN = f.TCI & 0xfff
		ethertype, p = wire.BigEndian.Uint16(p[2:]), p[4:]
	}
	switch ethertype {
	case 0x0806:
		f.Key.LocalPort = ethertype
		flow.SetMAC(&f.Key.Local, f.Src[:])
		flow.SetMAC(&f.Key.Remote, f.Dst[:])
		f.cell = int(p[26])
		return f, p[24] == 10 && p[25] == 9
	case 0x0800:
		f.Key.Family, f.Key.Proto = flow.FamilyIPv4, p[9]
		flow.SetIPv4(&f.Key.Local, p[12:])
		flow.SetIPv4(&f.Key.Remote, p[16:])
		part := wire.BigEndian.Uint16(p[6:]) & 0x3fff
		f.Fragment = part != 0
		return f.upper(p[20:], part&0x1fff == 0)
	case 0x86dd:
		f.Key.Family, f.Key.Proto = flow.FamilyIPv6, p[6]
		copy(f.Key.Local[:], p[8:])
		copy(f.Key.Remote[:], p[24:])
		return f.upper(p[40:], true)
	}
	return f, false
}

func (f sentFrame) upper(p []byte, first bool) (sentFrame, bool) {
	if len(p) < 8 {
		return f, false
	}
	size := map[uint8]int{flow.ProtoTCP: 20, flow.ProtoUDP: 8, flow.ProtoICMP: 8, flow.ProtoICMPv6: 8}[f.Key.Proto]
	switch {
	case !first:
		size = 0
	case f.Key.HasPorts():
		f.Key.LocalPort, f.Key.RemotePort = wire.BigEndian.Uint16(p), wire.BigEndian.Uint16(p[2:])
	case size > 0:
		f.ICMP = &flow.ICMPHead{Type: p[0], Code: p[1], ID: wire.BigEndian.Uint16(p[4:])}
	}
	if len(p) < size+4 || string(p[size:size+3]) != "SPK" {
		return f, false
	}
	f.cell = int(p[size+3])
	return f, true
}
