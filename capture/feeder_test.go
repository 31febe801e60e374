package capture

import (
	"testing"
	"time"

	"spiketop/flow"
)

// feederFrame is a TCP packet of n bytes over Ethernet, with its headers only.
func feederFrame(n int) []byte {
	b := make([]byte, 54)
	copy(b, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, byte((n - 14) >> 8), byte(n - 14)})
	b[23] = 6
	copy(b[26:], []byte{10, 1, 16, 71, 10, 1, 16, 165, 0x75, 0x48, 0x24, 0xce})
	b[46] = 0x50
	return b
}

// TestFeeder: packets of a file become slots on the grid, a super-frame whose
// segment size the file tells is as many packets as were on the wire, one without
// is one, and losses stand in the slot.
func TestFeeder(t *testing.T) {
	begin := flow.Time(1000 * time.Second)
	f := NewFeeder(FeederConfig{Link: 3, Offset: 0, Epoch: 1})
	f.Start(begin.Add(40 * time.Millisecond))
	add := func(at time.Duration, n int, seg uint16) {
		f.Add(&FilePacket{At: begin.Add(at), LinkType: 1, Dir: flow.Rx, Len: uint32(n), Data: feederFrame(n), SegSize: seg})
	}
	add(50*time.Millisecond, 1514, 0)
	add(120*time.Millisecond, 54+3*1448, 1448)
	add(130*time.Millisecond, 54+3*1448, 0)
	f.Lose(7, begin.Add(150*time.Millisecond))
	b := f.Close(begin.Add(220 * time.Millisecond))
	if len(b.Slots) != 2 || b.Link != 3 || b.Drained != begin.Add(220*time.Millisecond) || b.Lost != 7 {
		t.Fatalf("batch %+v", b)
	}
	first, second := b.Slots[0], b.Slots[1]
	if first.From != begin.Add(40*time.Millisecond) || first.To != begin.Add(100*time.Millisecond) || first.Total[flow.Rx] != (flow.Counters{Bytes: 1514, Packets: 1}) {
		t.Errorf("first slot %+v", first)
	}
	// 3 packets of 54 + 1448 bytes, and one of 54 + 4344.
	if want := (flow.Counters{Bytes: 3*1502 + 4398, Packets: 4}); second.Total[flow.Rx] != want || first.Lost+second.Lost != 7 {
		t.Errorf("second slot %+v, lost %d and %d, want %+v", second.Total, first.Lost, second.Lost, want)
	}
	f.Skip(begin.Add(220*time.Millisecond), begin.Add(5*time.Hour))
	add(5*time.Hour+10*time.Millisecond, 1514, 0)
	b = f.Close(begin.Add(5*time.Hour + 100*time.Millisecond))
	if len(b.Slots) != 2 || b.Slots[1].From != begin.Add(5*time.Hour) { // what was open, and the one after the pause
		t.Errorf("after a pause %d slots", len(b.Slots))
	}
}
