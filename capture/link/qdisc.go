package link

import (
	"fmt"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// qdiscRequest asks for the qdisc at the root of a device's output. It stands
// for the whole tree: since Linux 4.6 (commit 2ccccf5fb43f "net_sched: update
// hierarchical backlog too") a parent's backlog includes its children's, drops
// are counted all the way up, and mq and mqprio add up their queues when asked.
// Asking for the root of a few devices spares a list of every queue of every
// device, and counts nothing twice.
func qdiscRequest(ifindex int) []byte {
	b := make([]byte, sizeofTcmsg)
	native.PutUint32(b[4:], uint32(ifindex))
	native.PutUint32(b[12:], tcHandleRoot)
	return newRequest(unix.RTM_GETQDISC, unix.NLM_F_ACK, b)
}

const (
	sizeofTcmsg  = 20         // struct tcmsg, linux/rtnetlink.h
	tcHandleRoot = 0xffffffff // TC_H_ROOT, linux/pkt_sched.h
	tcaStatsQ    = 3          // TCA_STATS_QUEUE, linux/gen_stats.h
)

func (s *Sampler) readQdiscs(out []flow.LinkCounters) error {
	err := s.netlink.ask(s.requests(func(l *sampled) []byte { return l.qdisc }),
		func(i int, b []byte) {
			if backlog, drops, ok := parseQdisc(b); ok {
				out[i].QdiscBacklogBytes, out[i].QdiscDrops, out[i].HasQdisc = backlog, drops, true
			}
		},
		func(int, error) {}) // the device has vanished, or has no qdisc
	if err != nil {
		return fmt.Errorf("read qdiscs: %w", err)
	}
	return nil
}

// parseQdisc reads the backlog in bytes and the drops of an RTM_NEWQDISC message.
// "noqueue" is a device without queue: ok, and always zero.
func parseQdisc(b []byte) (backlog, drops uint64, ok bool) {
	if len(b) < sizeofTcmsg {
		return 0, 0, false
	}
	for typ, v := range attributes(b[sizeofTcmsg:]) {
		if typ != unix.TCA_STATS2 {
			continue
		}
		for typ, q := range attributes(v) {
			if typ == tcaStatsQ && len(q) >= 12 { // struct gnet_stats_queue: qlen, backlog, drops, requeues, overlimits
				backlog, drops, ok = uint64(native.Uint32(q[4:])), uint64(native.Uint32(q[8:])), true
			}
		}
	}
	return backlog, drops, ok
}
