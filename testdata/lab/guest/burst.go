package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"spiketop/testdata/lab"
)

// addresses of the nodes by the names that scripts use; what follows a dot says
// by which of the node's networks.
var addresses = map[string]string{"nc1": nc1, "nc2": farHost, "vm_a": vmA, "vm_b": vmB, "vm_c": "192.168.47.113",
	"st1": "10.1.16.71", "st2": "10.1.16.72", "st3": "10.1.16.73",
	"vm_a.vlan": "192.168.48.111", "vm_c.vlan": "192.168.48.113", "vm_d": "192.168.49.111", "st3.vxlan": "192.168.49.113"}

// burst sends as fast as TCP lets it for a while:
//
//	burst FROM TO:PORT DURATION [on MEMBER] [as NAME]
//
// MEMBER is the one of the bond's that the flow takes, $MEMBER unless said. The
// connection is new; where it ends, what has not left the sender is thrown away.
func burst(r request) (lab.Burst, error) {
	b := lab.Burst{Name: "burst", Member: r.Member}
	words := r.Args
	if len(words) < 3 {
		return b, errors.New("want FROM TO:PORT DURATION")
	}
	d, err := time.ParseDuration(words[2])
	if err != nil {
		return b, err
	}
	for i := 3; i+1 < len(words); i += 2 {
		switch words[i] {
		case "on":
			b.Member = words[i+1]
		case "as":
			b.Name = words[i+1]
		default:
			return b, fmt.Errorf("%q is neither on nor as", words[i])
		}
	}
	node, from, to, err := ends(words[0], words[1])
	if err != nil {
		return b, err
	}
	src, err := sourcePort(from, to, b.Member)
	if err != nil {
		return b, err
	}
	conn, err := dial(node, src.String(), to.String())
	if err != nil {
		return b, err
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetLinger(0)
	b.Src, b.Dst, b.Node = src.String(), to.String(), node
	if to.Port() == chunkPort {
		if _, err := conn.Write(chunkHead(1<<32 - 1)); err != nil {
			return b, err
		}
	}
	b.From = time.Now()
	b.Bytes, err = pour(conn, b.From.Add(d))
	b.To = time.Now()
	return b, err
}

// pour writes until a time.
func pour(conn net.Conn, until time.Time) (n int64, err error) {
	buf := make([]byte, 32<<10)
	if err := conn.SetWriteDeadline(until); err != nil {
		return 0, err
	}
	for {
		k, err := conn.Write(buf)
		n += int64(k)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

// ends reads FROM and TO:PORT.
func ends(from, to string) (node string, src netip.Addr, dst netip.AddrPort, err error) {
	name, port, ok := strings.Cut(to, ":")
	n, perr := strconv.ParseUint(port, 10, 16)
	if addresses[from] == "" || addresses[name] == "" || !ok || perr != nil {
		return "", src, dst, fmt.Errorf("%s or %s is no node of the lab", from, to)
	}
	if node, _, _ = strings.Cut(from, "."); node == "nc1" {
		node = ""
	}
	return node, netip.MustParseAddr(addresses[from]), netip.AddrPortFrom(netip.MustParseAddr(addresses[name]), uint16(n)), nil
}

// lastPort is the newest source port: none is used twice, for a peer may still
// be busy with what came from it.
var lastPort atomic.Uint32

// sourcePort finds one that takes the member, or any.
func sourcePort(from netip.Addr, to netip.AddrPort, member string) (netip.AddrPort, error) {
	want := slices.Index(lab.Members, member)
	if want < 0 && member != "" && member != "any" {
		return netip.AddrPort{}, fmt.Errorf("%q is no member", member)
	}
	for {
		p := netip.AddrPortFrom(from, uint16(30000+lastPort.Add(1)%10000))
		if want < 0 || lab.MemberIndex(p, to) == want {
			return p, nil
		}
	}
}
