// Package hops says where an echo's time went. The same request and reply are
// seen at several points on their way (a VM's vif, the NICs of one or two
// hosts); the round-trip time at a point is what lies beyond it, and the
// difference between two points is what lies between them. Only differences
// within one point's own clock are used, so that the clocks of different hosts
// need not agree.
//
// The package is pure: no clock, no goroutine, no I/O.
package hops
