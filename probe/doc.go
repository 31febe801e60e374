// Package probe measures round trips, continuously: RTT, loss and jitter for
// each target.
//
// A [Pinger] drives pro-bing, one target each, with restarts and back-off; it
// reports what happened as [Event] values. A [Set] is the pure core: it joins
// those events with the kernel's stamps of the same echoes on the rings
// (flow.Echo) and says for every echo what became of it, as [Sample] values.
// The Set starts no goroutine and reads no clock; it belongs to one goroutine.
package probe
