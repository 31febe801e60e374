package main

import (
	"bufio"
	"context"
	bin "encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"spiketop/capture/pcapfile"
)

// captureOf writes a pcap file of n Ethernet frames with IPv4 TCP and UDP, from
// flows ends, sizes as in a data centre: half of them full, a third empty
// acknowledgements.
func captureOf(t testing.TB, path string, n, flows int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	head := make([]byte, 24)
	le := bin.LittleEndian
	le.PutUint32(head, 0xa1b23c4d)
	le.PutUint16(head[4:], 2)
	le.PutUint16(head[6:], 4)
	le.PutUint32(head[16:], 262144)
	le.PutUint32(head[20:], 1)
	w.Write(head)
	r := rand.New(rand.NewPCG(1, 2))
	next := make([]uint32, 2*flows)
	frame, record := make([]byte, 1514), make([]byte, 16)
	at := uint64(1_795_283_240_000_000_000)
	for range n {
		i, back := r.IntN(flows), r.IntN(3) == 0
		payload := 1448
		if back || r.IntN(5) == 0 {
			payload = 0
		}
		size := madeFrame(frame, i, back, payload, next)
		at += 1000 + r.Uint64N(20_000)
		le.PutUint32(record, uint32(at/1e9))
		le.PutUint32(record[4:], uint32(at%1e9))
		le.PutUint32(record[8:], uint32(size))
		le.PutUint32(record[12:], uint32(size))
		w.Write(record)
		w.Write(frame[:size])
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// madeFrame writes the next frame of flow i; every eighth flow is UDP.
func madeFrame(b []byte, i int, back bool, payload int, next []uint32) int {
	be := bin.BigEndian
	copy(b, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0})
	l4, proto := 32, byte(6)
	if i%8 == 7 {
		l4, proto = 8, 17
	}
	size := 34 + l4 + payload
	be.PutUint16(b[16:], uint16(size-14))
	b[22], b[23] = 64, proto
	src, dst, srcPort, dstPort := uint32(0x0a011000+i%200), uint32(0x0a012000+i%37), uint16(20000+i%40000), uint16(9422)
	from, to := 2*i, 2*i+1
	if back {
		src, dst, srcPort, dstPort, from, to = dst, src, dstPort, srcPort, to, from
	}
	be.PutUint32(b[26:], src)
	be.PutUint32(b[30:], dst)
	be.PutUint16(b[34:], srcPort)
	be.PutUint16(b[36:], dstPort)
	if proto == 17 {
		be.PutUint16(b[38:], uint16(8+payload))
		return size
	}
	be.PutUint32(b[38:], next[from]+1)
	be.PutUint32(b[42:], next[to]+1)
	b[46], b[47] = 0x80, 0x10
	be.PutUint16(b[48:], 501)
	copy(b[54:], []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1})
	next[from] += uint32(payload)
	return size
}

// BenchmarkStats reads a capture of 200 000 packets and 1000 flows. With
// SPIKETOP_STATS_FILE=NAME one of 300 000 packets, about 200 MB, stays there, to
// be given to other programs too: see docs/PERFORMANCE.md.
func BenchmarkStats(b *testing.B) {
	path, n := filepath.Join(b.TempDir(), "made.pcap"), 200_000
	if p := os.Getenv("SPIKETOP_STATS_FILE"); p != "" {
		path, n = p, 300_000
	}
	captureOf(b, path, n, 1000)
	fi, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(fi.Size())
	b.ReportAllocs()
	for b.Loop() {
		r, err := pcapfile.Open(path, pcapfile.Options{})
		if err != nil {
			b.Fatal(err)
		}
		c, err := readCapture(context.Background(), r, &statsOptions{maxFlows: 1 << 20})
		if err != nil || c.report.Frames != uint64(n) || len(c.report.Flows) != 1000 {
			b.Fatalf("%d frames, %d flows: %v", c.report.Frames, len(c.report.Flows), err)
		}
		r.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/packet")
}
