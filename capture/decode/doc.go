// Package decode turns the bytes of one captured frame into a [flow.Record]
// and, for a ping, a [flow.Echo].
//
// It knows Ethernet II and 802.3 with LLC/SNAP, 802.1Q and QinQ tags (in the
// frame or stripped into the ring header), IPv4 with options, IPv6 with
// extension headers, AH, TCP, UDP, SCTP, ICMP and ICMPv6, and fragments of both
// families. Everything else is a row by MAC pair and ethertype. No frame is
// refused: one that makes no sense is counted as far as it can be read, and
// [Stats] says so beside it.
//
// An offload super-frame is counted as the wire carries it, see wire.go.
//
// The package is pure: no goroutine, no clock, no I/O; it allocates only in New.
// The bytes are foreign: any content of any length is safe.
package decode
