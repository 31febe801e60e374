// Package stats makes the statistics of a capture file: flows, addresses and
// services, TCP conversations, echoes, peaks and bursts.
//
// A [Collector] takes one [Packet] after the other, in the order of the file,
// and gives a [Report] at the end. Its memory is bounded by [Options] whatever
// the packets say; what did not fit is counted and reported as such.
//
// The package is pure: no goroutine, no clock, no I/O. A Collector belongs to
// one goroutine; a Report is immutable.
package stats
