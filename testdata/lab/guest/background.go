package main

import (
	"io"
	"net"
	"time"
)

// stream is a calm flow that never stops.
type stream struct {
	node     string
	from, to string
	replicas []string
	bps      float64 // of payload
	chunked  bool    // speaks to a chunkserver
}

// The lab's ordinary day, some 8 Mbit/s over all links together: writes of this
// host's and the far host's VMs with three copies (one of 41004's stays on this
// host's own disk), reads, a tenth of it VM
// traffic, and somebody who collects metrics. This host's members carry about a
// tenth of their rate.
var background = []stream{
	{"nc2", farHost + ":41001", nc1 + ":9422", []string{"10.1.16.71", "10.1.16.72"}, 0.75e6, true},
	{"", nc1 + ":41002", "10.1.16.71:9422", []string{"10.1.16.72", "10.1.16.73"}, 0.75e6, true},
	{"", nc1 + ":41004", "10.1.16.73:9422", []string{"10.1.16.71"}, 0.5e6, true},
	{"st2", "10.1.16.72:41003", nc1 + ":9422", nil, 0.6e6, true},
	{"st3", "10.1.16.73:41006", nc1 + ":9422", nil, 0.6e6, true},
	{"st1", "10.1.16.71:41005", farHost + ":9422", nil, 0.5e6, true},
	{"vm_a", vmA + ":42001", vmB + ":5201", nil, 0.2e6, false},
	{"vm_b", vmB + ":42002", vmA + ":5201", nil, 0.2e6, false},
	{"", nc1 + ":42003", "10.1.16.73:9100", nil, 0.08e6, false},
}

// startBackground serves on every node and keeps the streams going.
func startBackground() error {
	for node, ip := range map[string]string{"nc2": farHost, "st1": "10.1.16.71", "st2": "10.1.16.72", "st3": "10.1.16.73"} {
		if err := serveChunks(node, ip); err != nil {
			return err
		}
	}
	for _, s := range [][2]string{{"vm_a", ":5201"}, {"vm_a", ":9422"}, {"vm_b", ":5201"}, {"vm_d", ":5201"}, {"st3", ":9100"}, {"", nc1 + ":8080"}} {
		l, err := listen(s[0], s[1])
		if err != nil {
			return err
		}
		go accept(l, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	}
	for _, s := range background {
		go s.keep()
	}
	return nil
}

// keep dials again when a connection dies: a scenario may take a member away.
func (s stream) keep() {
	for {
		if c, err := dial(s.node, s.from, s.to); err == nil {
			_ = s.trickle(c)
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// trickle writes at the stream's rate in pieces of 40 ms.
func (s stream) trickle(c net.Conn) error {
	const step = 40 * time.Millisecond
	n := int64(s.bps / 8 * step.Seconds())
	tick := time.NewTicker(step)
	defer tick.Stop()
	for range tick.C {
		b := make([]byte, n)
		if s.chunked {
			b = append(chunkHead(n, s.replicas...), b...)
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
	return nil
}
