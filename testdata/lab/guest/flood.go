package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/lab"
)

// flood sends SYNs from invented addresses, each another flow:
//
//	flood FROM TO:PORT PER_SECOND COUNT
//
// Their TCP checksum is wrong, so that nobody answers: a guest with one processor
// that answers thousands of SYNs a second delays everything.
func flood(r request) (lab.Burst, error) {
	b := lab.Burst{Name: "flood", Flood: true}
	if len(r.Args) != 4 {
		return b, errors.New("want FROM TO:PORT PER_SECOND COUNT")
	}
	node, _, to, err := ends(r.Args[0], r.Args[1])
	rate, err1 := strconv.Atoi(r.Args[2])
	count, err2 := strconv.Atoi(r.Args[3])
	if err := errors.Join(err, err1, err2); err != nil {
		return b, err
	}
	var fd int
	err = inNode(node, func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	})
	if err != nil {
		return b, err
	}
	defer unix.Close(fd)
	b.Dst, b.Node, b.From = to.String(), node, time.Now()
	for sent := 0; sent < count; {
		due := min(count, int(time.Since(b.From).Seconds()*float64(rate))+1)
		for ; sent < due; sent++ {
			if err := unix.Sendto(fd, syn(sent, to), 0, &unix.SockaddrInet4{Addr: to.Addr().As4()}); err != nil {
				return b, err
			}
			b.Bytes += 40
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.To = time.Now()
	return b, nil
}

// syn is an IPv4 SYN of flow number n; the kernel fills in the IP checksum.
func syn(n int, to netip.AddrPort) []byte {
	p := make([]byte, 40)
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(p[2:], 40)
	src := [4]byte{10, 9, byte(n >> 8), byte(n)}
	dst := to.Addr().As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[20:], uint16(1024+n))
	binary.BigEndian.PutUint16(p[22:], to.Port())
	p[32], p[33] = 5<<4, 2 // header of 20 bytes, SYN
	binary.BigEndian.PutUint16(p[36:], 0xdead)
	return p
}
