package main

import (
	bin "encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pcapBuilder makes a nanosecond pcap of Ethernet frames. Frames are added in the
// order of their times.
type pcapBuilder struct{ b []byte }

func newPcap() *pcapBuilder {
	p := &pcapBuilder{}
	p.b = bin.LittleEndian.AppendUint32(p.b, 0xa1b23c4d)
	p.b = bin.LittleEndian.AppendUint16(p.b, 2)
	p.b = bin.LittleEndian.AppendUint16(p.b, 4)
	p.b = append(p.b, make([]byte, 8)...)
	p.b = bin.LittleEndian.AppendUint32(p.b, 262144)
	p.b = bin.LittleEndian.AppendUint32(p.b, 1)
	return p
}

// frame adds a frame of n bytes on the wire, of which b was captured.
func (p *pcapBuilder) frame(at time.Time, b []byte, n int) {
	for _, v := range []uint32{uint32(at.Unix()), uint32(at.Nanosecond()), uint32(len(b)), uint32(n)} {
		p.b = bin.LittleEndian.AppendUint32(p.b, v)
	}
	p.b = append(p.b, b...)
}

func (p *pcapBuilder) write(t *testing.T, dir, name string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, p.b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// host is an end of the fixture's packets.
type fixtureHost struct {
	mac byte
	ip  [4]byte
}

var (
	here    = fixtureHost{1, [4]byte{10, 1, 16, 165}}
	pinged  = fixtureHost{2, [4]byte{10, 1, 16, 55}}
	storage = fixtureHost{3, [4]byte{10, 1, 16, 71}}
)

// ip4 is an Ethernet frame with an IPv4 header; the payload's length on the wire
// is n, checksums are left out.
func ip4(from, to fixtureHost, proto byte, payload []byte, n int) []byte {
	b := []byte{2, 0, 0, 0, 0, to.mac, 2, 0, 0, 0, 0, from.mac, 8, 0, 0x45, 0}
	b = bin.BigEndian.AppendUint16(b, uint16(20+n))
	b = append(b, 0, 0, 0x40, 0, 64, proto, 0, 0)
	b = append(append(b, from.ip[:]...), to.ip[:]...)
	return append(b, payload...)
}

func tcp4(from, to fixtureHost, sport, dport uint16, n int) []byte {
	h := bin.BigEndian.AppendUint16(nil, sport)
	h = bin.BigEndian.AppendUint16(h, dport)
	h = append(h, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0)
	return ip4(from, to, 6, h, n-34)
}

// echo4 is an echo as pro-bing sends it: its time and a UUID in the payload.
func echo4(from, to fixtureHost, reply bool, id, seq uint16, stamp time.Time) []byte {
	h := []byte{8, 0, 0, 0}
	if reply {
		h[0] = 0
	}
	h = bin.BigEndian.AppendUint16(h, id)
	h = bin.BigEndian.AppendUint16(h, seq)
	h = bin.BigEndian.AppendUint64(h, uint64(stamp.UnixNano()))
	h = append(h, 1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16)
	return ip4(from, to, 1, h, len(h))
}

// fixtureStart is the first packet's time.
var fixtureStart = time.Date(2026, 11, 21, 17, 47, 0, 0, time.UTC)

// event is a frame of the fixture.
type fixtureFrame struct {
	at time.Time
	b  []byte
	n  int
}

// burst is the seed's incident made of bytes: 40 s, a ping every 100 ms by eth0
// answered in 0.2 ms, 50 kB/s each way; from 35.1 s on for half a second 1250
// frames of 1514 bytes come from 10.1.16.71:30024, and the echoes of that time take
// 120 ms.
func burst(t *testing.T, dir string) []string {
	t.Helper()
	var list []fixtureFrame
	add := func(after time.Duration, b []byte, n int) {
		list = append(list, fixtureFrame{fixtureStart.Add(after), b, max(n, len(b))})
	}
	from, to := 35100*time.Millisecond, 35600*time.Millisecond
	for i := range 400 {
		sent := time.Duration(i)*100*time.Millisecond + 50*time.Millisecond
		stamp := fixtureStart.Add(sent)
		add(sent+30*time.Microsecond, echo4(here, pinged, false, 56928, uint16(i), stamp), 0)
		took := 200 * time.Microsecond
		if sent > from && sent < to {
			took = 120 * time.Millisecond
		}
		add(sent+took, echo4(pinged, here, true, 56928, uint16(i), stamp), 0)
		for k := range 5 {
			at := time.Duration(i)*100*time.Millisecond + time.Duration(k)*20*time.Millisecond
			add(at, tcp4(here, storage, 41000, 9422, 1000), 1000)
			add(at+time.Millisecond, tcp4(storage, here, 9422, 41000, 1000), 1000)
		}
	}
	for i := range 1250 {
		add(from+time.Duration(i)*400*time.Microsecond, tcp4(storage, here, 30024, 9422, 1514), 1514)
	}
	eth0, eth1 := newPcap(), newPcap()
	sortFrames(list)
	for _, f := range list {
		eth0.frame(f.at, f.b, f.n)
	}
	for i := range 400 { // the other member is calm
		eth1.frame(fixtureStart.Add(time.Duration(i)*100*time.Millisecond), tcp4(here, storage, 41001, 9422, 500), 500)
	}
	return []string{eth0.write(t, dir, "eth0.pcap"), eth1.write(t, dir, "eth1.pcap")}
}
