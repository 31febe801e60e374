package link

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// readQdiscs lists the qdiscs of all devices and takes the root of each link's.
//
// The root stands for the whole tree: since Linux 4.6 (commit 2ccccf5fb43f
// "net_sched: update hierarchical backlog too") a parent's backlog includes its
// children's, drops are counted all the way up, and mq and mqprio add up their
// queues when listed. So nothing is counted twice.
//
// The list is the only way without side effects: the answer to a request for one
// qdisc is a message to everybody who listens for changes (qdisc_notify), and
// systemd-networkd does.
func (s *Sampler) readQdiscs(out []flow.LinkCounters) error {
	reset := func() {
		for i := range out {
			out[i].QdiscBacklogBytes, out[i].QdiscDrops, out[i].HasQdisc = 0, 0, false
		}
	}
	req := newRequest(unix.RTM_GETQDISC, unix.NLM_F_DUMP, make([]byte, sizeofTcmsg))
	err := s.netlink.dump(req, reset, func(b []byte) {
		ifindex, root := qdiscPlace(b)
		if !root {
			return
		}
		for i := range s.links {
			if s.links[i].ifindex == ifindex {
				out[i].QdiscBacklogBytes, out[i].QdiscDrops, out[i].HasQdisc = parseQdisc(b)
			}
		}
	})
	if err != nil && !errors.Is(err, ErrDumpInterrupted) { // other devices come and go; what was read is true
		return fmt.Errorf("read qdiscs: %w", err)
	}
	return nil
}

const (
	sizeofTcmsg  = 20         // struct tcmsg, linux/rtnetlink.h
	tcHandleRoot = 0xffffffff // TC_H_ROOT, linux/pkt_sched.h
	tcaStatsQ    = 3          // TCA_STATS_QUEUE, linux/gen_stats.h
)

// qdiscPlace reads from an RTM_NEWQDISC message whose qdisc it is, and whether it
// is the root of the device's output; ingress and clsact are not.
func qdiscPlace(b []byte) (ifindex int, root bool) {
	if len(b) < sizeofTcmsg {
		return 0, false
	}
	return int(int32(native.Uint32(b[4:]))), native.Uint32(b[12:]) == tcHandleRoot
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
