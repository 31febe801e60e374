// Package flow says what traffic is and counts it.
//
// The unit is a [Record], not a packet: an offload super-frame of 45 segments
// is one record that stands for 45 packets and for the wire bytes of all of
// them. Records of one link go into that link's [Table]; every 100 ms the table
// is closed into an immutable [Slot]; a [Lookback] keeps the last slots and
// answers who sent how much, when.
//
// The package is pure: it starts no goroutine, reads no clock, does no I/O and
// imports nothing outside the standard library. Time is always a parameter.
// Unless a type says otherwise, a value belongs to one goroutine; a Slot, a
// World and everything reached from them never change once published.
package flow
