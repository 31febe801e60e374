package link

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Read looks at all devices, default routes and addresses of n's network
// namespace. On a router with a full table the routes take a second.
func Read(roots Roots, n *Netlink) (*State, error) {
	s, err := readDevices(roots, n, func(*Device) bool { return true })
	if err != nil {
		return nil, err
	}
	if s.Routes, err = n.defaultRoutes(); err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	if s.Addresses, err = n.addresses(); err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	return s, nil
}

// readDevices takes a State without routes and addresses. The devices for which
// want is true are looked up in sysfs too: a host may have a thousand others.
func readDevices(roots Roots, n *Netlink, want func(*Device) bool) (s *State, err error) {
	for range 2 {
		devices, err := n.devices()
		if err != nil {
			return nil, fmt.Errorf("read links: %w", err)
		}
		var again bool
		if s, again = newState(roots, devices, want); !again {
			break
		}
		// Either sysfs is another namespace's, or a device was replaced between the two looks.
	}
	return s, nil
}

// newState makes a State of what netlink listed. mismatch says that sysfs shows
// something else, and was left aside.
func newState(roots Roots, devices []Device, want func(*Device) bool) (s *State, mismatch bool) {
	slices.SortFunc(devices, func(a, b Device) int { return a.Ifindex - b.Ifindex })
	found, mismatch := roots.enrich(devices, want)
	return &State{Devices: devices, OwnSysfs: found && !mismatch, Bypass: roots.bypass()}, mismatch
}

// devices lists all devices. Virtual functions are not asked for: that is a
// firmware call for each of them on many NICs.
func (n *Netlink) devices() ([]Device, error) {
	var list []Device
	err := n.dump(newRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfInfomsg)),
		func() { list = list[:0] },
		func(b []byte) {
			if d, ok := parseDevice(b); ok {
				list = append(list, d)
			}
		})
	return list, err
}
