package offline

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spiketop/capture/pcapfile"
)

var begin = time.Date(2026, 11, 21, 17, 47, 0, 0, time.UTC)

// frame is a UDP packet from one host of 10.1.16.0/24 to another, whose MACs end
// in the given bytes.
func frame(fromMAC, toMAC, from, to byte) []byte {
	b := []byte{2, 0, 0, 0, 0, toMAC, 2, 0, 0, 0, 0, fromMAC, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 16, from, 10, 1, 16, to, 0x80, 0, 0x24, 0xce, 0, 8, 0, 0}
	return b
}

// request is an echo request.
func request(fromMAC, toMAC, from, to byte, id, seq uint16) []byte {
	b := frame(fromMAC, toMAC, from, to)
	b[23] = 1
	b = append(b[:34], 8, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, id)
	return binary.BigEndian.AppendUint16(b, seq)
}

type packet struct {
	after time.Duration
	iface int
	dir   pcapfile.Dir
	data  []byte
}

// ng is a pcapng with these interfaces.
func ng(t *testing.T, interfaces []pcapfile.Interface, list []packet) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapfile.NewWriter(&b, pcapfile.Section{})
	for _, i := range interfaces {
		i.Link = pcapfile.EN10
		if _, err := w.AddInterface(i); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range list {
		if err := w.WritePacket(&pcapfile.Packet{At: begin.Add(p.after).UnixNano(), Interface: p.iface, Dir: p.dir, Data: p.data, Len: len(p.data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func save(t *testing.T, name string, b []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
