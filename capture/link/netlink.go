package link

import "errors"

// Netlink is an rtnetlink socket in the network namespace of the thread that
// opened it. Its methods may be called from any goroutine; they take turns.
type Netlink struct{}

// Open opens an rtnetlink socket.
func Open() (*Netlink, error) { return nil, errors.ErrUnsupported }

// Close closes the socket.
func (n *Netlink) Close() error { return nil }

// Read looks at all devices, default routes and addresses of n's network
// namespace.
func Read(roots Roots, n *Netlink) (*State, error) { return nil, errors.ErrUnsupported }
