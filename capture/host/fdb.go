package host

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"
)

// learned is a MAC that a bridge has learned on one of its ports.
type learned struct {
	ifindex int
	mac     [6]byte
}

const (
	mostLearned = 65536 // of all bridges
	mostPerPort = 16    // MACs kept of one vif: a guest may send with as many as it likes
)

// learned lists what the bridges have learned; a MAC stands there only after the
// guest has sent, and until it was silent for the bridge's ageing time.
func (n *rtnl) learned() ([]learned, error) {
	var list []learned
	fixed := make([]byte, unix.SizeofIfInfomsg) // rtnl_fdb_dump accepts ifinfomsg since ever, ndmsg since 4.20
	fixed[0] = unix.AF_BRIDGE
	err := n.dump(request(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, fixed),
		func() { list = list[:0] },
		func(b []byte) {
			if l, ok := parseLearned(b); ok && len(list) < mostLearned {
				list = append(list, l)
			}
		})
	if err != nil {
		return nil, fmt.Errorf("list bridge forwarding tables: %w", err)
	}
	return list, nil
}

// parseLearned reads struct ndmsg and attributes (linux/neighbour.h). Permanent
// entries are the port's own addresses, those marked "self" are the driver's
// filter; neither is a guest.
func parseLearned(b []byte) (l learned, ok bool) {
	if len(b) < unix.SizeofNdMsg || b[0] != unix.AF_BRIDGE {
		return l, false
	}
	state, flags := native.Uint16(b[8:]), b[10]
	if state&(unix.NUD_PERMANENT|unix.NUD_NOARP) != 0 || flags&unix.NTF_SELF != 0 {
		return l, false
	}
	l.ifindex = int(int32(native.Uint32(b[4:])))
	for typ, v := range attributes(b[unix.SizeofNdMsg:]) {
		if typ == unix.NDA_LLADDR {
			l.mac = lladdr(v)
		}
	}
	return l, unicast(l.mac)
}

// unicast reports whether a guest can have this address.
func unicast(m [6]byte) bool { return m[0]&1 == 0 && m != [6]byte{} }

// tapOf reports whether tap is the address that libvirt gives the tap of a guest
// with this MAC: the same with the first byte 0xfe, or 0xfa if it was 0xfe
// (virNetDevTapCreateInBridgePort, src/util/virnetdevtap.c).
func tapOf(tap, guest [6]byte) bool {
	if !bytes.Equal(tap[1:], guest[1:]) || tap == guest {
		return false
	}
	return tap[0] == 0xfe || tap[0] == 0xfa && guest[0] == 0xfe
}

// guestOfTap turns the rule round where the vendor's part leaves no doubt:
// 52:54:00 is QEMU's, fa:16:3e OpenStack's.
func guestOfTap(tap [6]byte) (m [6]byte, ok bool) {
	m = tap
	switch {
	case tap[0] == 0xfe && tap[1] == 0x54 && tap[2] == 0x00:
		m[0] = 0x52
	case tap[0] == 0xfe && tap[1] == 0x16 && tap[2] == 0x3e:
		m[0] = 0xfa
	default:
		return m, false
	}
	return m, true
}
