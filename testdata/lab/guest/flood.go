package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/lab"
)

// flood sends SYNs from invented addresses, each another flow:
//
//	flood TO:PORT PER_SECOND COUNT
//
// They come out of the switch's two ports toward this host, half and half. Their
// TCP checksum is wrong, so that nobody answers: a guest with one processor that
// answers thousands of SYNs a second delays everything.
func flood(r request) (lab.Burst, error) {
	b := lab.Burst{Name: "flood", Flood: true}
	if len(r.Args) != 3 {
		return b, errors.New("want TO:PORT PER_SECOND COUNT")
	}
	_, _, to, err := ends("nc1", r.Args[0])
	rate, err1 := strconv.Atoi(r.Args[1])
	count, err2 := strconv.Atoi(r.Args[2])
	if err := errors.Join(err, err1, err2); err != nil {
		return b, err
	}
	ports, err := openPorts("nc1p0", "nc1p1")
	if err != nil {
		return b, err
	}
	defer ports.close()
	mac, err := hostMAC()
	if err != nil {
		return b, err
	}
	b.Dst, b.From = to.String(), time.Now()
	for sent := 0; sent < count; {
		due := min(count, int(time.Since(b.From).Seconds()*float64(rate))+1)
		for ; sent < due; sent++ {
			if _, err := unix.Write(ports[sent%len(ports)], syn(sent, mac, to)); err != nil {
				return b, fmt.Errorf("SYN %d: %w", sent, err)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.Bytes, b.To = int64(count)*40, time.Now()
	return b, nil
}

// ports are packet sockets that send by one device of the switch each.
type ports []int

func openPorts(names ...string) (out ports, err error) {
	err = inNode("switch", func() error {
		for _, name := range names {
			dev, err := net.InterfaceByName(name)
			if err != nil {
				return err
			}
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			out = append(out, fd)
			if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: dev.Index}); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func (p ports) close() {
	for _, fd := range p {
		_ = unix.Close(fd)
	}
}

func hostMAC() (mac [6]byte, err error) {
	dev, err := net.InterfaceByName("br0")
	if err != nil {
		return mac, err
	}
	return [6]byte(dev.HardwareAddr), nil
}

// syn is the frame of flow number n.
func syn(n int, mac [6]byte, to netip.AddrPort) []byte {
	frame := make([]byte, 14+40, 60)
	copy(frame, mac[:])
	copy(frame[6:], []byte{2, 0, 0, 0, 0, 0x99})
	frame[12], frame[13] = 0x08, 0x00
	p := frame[14:]
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(p[2:], 40)
	src := [4]byte{10, 9, byte(n >> 8), byte(n)}
	dst := to.Addr().As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[10:], ipChecksum(p[:20]))
	binary.BigEndian.PutUint16(p[20:], uint16(1024+n))
	binary.BigEndian.PutUint16(p[22:], to.Port())
	p[32], p[33] = 5<<4, 2 // header of 20 bytes, SYN
	binary.BigEndian.PutUint16(p[36:], 0xdead)
	return frame[:60]
}

// ipChecksum is RFC 791's, over a header whose checksum is still zero.
func ipChecksum(h []byte) uint16 {
	var sum uint32
	for i := 0; i < len(h); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
