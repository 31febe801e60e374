// Command bondflows runs inside the guest of TestBondHash. "bondflows wait N"
// returns when N members of bond0 are usable; "bondflows CELL" prints how
// capture/link reads bond0, as a line of JSON, and sends flows of every kind
// over it, whose payload says to which cell they belong; "bondflows flood S"
// sends them again and again for S seconds.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture/link"
	"spiketop/flow"
)

// flows is how many of each kind are sent, ends how many addresses they go to.
const (
	flows     = 40
	fragments = 8
	ends      = 8
)

// Cell is what it prints.
type Cell struct {
	Cell   int
	Kernel flow.Kernel
	Bond   flow.Bond
	Sent   int
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bondflows:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	n, err := strconv.Atoi(args[len(args)-1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "wait":
		return wait(n)
	case "flood":
		return flood(time.Duration(n) * time.Second)
	}
	b, err := read()
	if err != nil {
		return err
	}
	sent, err := sendAll(byte(n))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(Cell{n, link.Kernel(), b, sent})
}

func read() (flow.Bond, error) {
	nl, err := link.Open()
	if err != nil {
		return flow.Bond{}, err
	}
	defer nl.Close()
	s, err := link.Read(link.DefaultRoots(), nl)
	if err != nil {
		return flow.Bond{}, err
	}
	bonds, _ := s.Bonds()
	for _, b := range bonds {
		if b.Name == "bond0" {
			return b, nil
		}
	}
	return flow.Bond{}, fmt.Errorf("no bond0 among %v", bonds)
}

func wait(n int) error {
	var b flow.Bond
	for range 200 {
		var err error
		if b, err = read(); err != nil {
			return err
		}
		if len(b.Usable()) == n {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("not %d usable members in 20 s: %+v", n, b)
}

func flood(d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		if _, err := sendAll(0); err != nil {
			return err
		}
	}
	return nil
}

// sendAll sends the flows of a cell over IPv4, IPv6 and a VLAN, and ARP.
func sendAll(cell byte) (sent int, err error) {
	for _, p := range []struct{ network, prefix string }{{"ip4", "10.1.0."}, {"ip4", "10.2.0."}, {"ip6", "fd00:1::"}} {
		for _, proto := range []string{"6", "17", "1"} {
			if p.network == "ip6" && proto == "1" {
				proto = "58"
			}
			n, err := sendKind(cell, p.network, proto, p.prefix)
			if err != nil {
				return 0, fmt.Errorf("send %s:%s to %s: %w", p.network, proto, p.prefix, err)
			}
			sent += n
		}
	}
	n, err := sendARP(cell)
	return sent + n, err
}

func sendKind(cell byte, network, proto, prefix string) (sent int, err error) {
	c, err := net.ListenPacket(network+":"+proto, prefix+"1")
	if err != nil {
		return 0, err
	}
	defer c.Close()
	size := 8
	if cell == 0 && proto == "6" {
		size = 1200 // the flood's: to be the largest flows
	}
	for i := range flows {
		to := &net.IPAddr{IP: net.ParseIP(prefix + strconv.Itoa(2+i%ends))}
		if _, err := c.WriteTo(packet(cell, proto, uint16(20000+37*i+int(cell)), uint16(80+i%7), size), to); err != nil {
			return sent, err
		}
		sent++
		if i < fragments && proto == "17" && network == "ip4" {
			if _, err := c.WriteTo(packet(cell, proto, uint16(30000+i), 80, 2000), to); err != nil {
				return sent, err
			}
			sent += 2 // of 1500 bytes at most
		}
	}
	return sent, nil
}

// packet is a header with a and b as ports (or id and sequence number), and n
// bytes that say the cell.
func packet(cell byte, proto string, a, b uint16, n int) []byte {
	size := map[string]int{"6": 20, "17": 8, "1": 8, "58": 8}[proto]
	p := make([]byte, size, size+n)
	switch proto {
	case "6":
		p[12], p[13] = 5<<4, 2 // SYN
	case "17":
		binary.BigEndian.PutUint16(p[4:], uint16(size+n))
	case "1":
		p[0] = 8
	case "58":
		p[0] = 128
	}
	at := 0
	if proto == "1" || proto == "58" {
		at = 4
	}
	binary.BigEndian.PutUint16(p[at:], a)
	binary.BigEndian.PutUint16(p[at+2:], b)
	for len(p) < size+n {
		p = append(p, 'S', 'P', 'K', cell)
	}
	return p
}

// sendARP asks for 10.9.CELL.0 under several MACs, as VMs on a bridge do.
func sendARP(cell byte) (sent int, err error) {
	ifi, err := net.InterfaceByName("bond0")
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	arp := uint16(unix.ETH_P_ARP)
	to := &unix.SockaddrLinklayer{Ifindex: ifi.Index, Protocol: arp<<8 | arp>>8}
	for i := range flows {
		f := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 7, byte(i), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, make([]byte, 38)...)
		copy(f[22:], f[6:12])
		copy(f[38:], []byte{10, 9, cell, 0})
		if err := unix.Sendto(fd, f, 0, to); err != nil {
			return sent, err
		}
		sent++
	}
	return sent, nil
}
