// Package incident watches: it joins traffic, pings and links, finds spikes,
// freezes the evidence of their moment, judges and seals it.
//
// The [Monitor] is the pure core. It takes Slots, Samples, the World, link
// counters and Tick(now), has one owner, starts no goroutine, reads no clock
// and does no I/O; what its driver must do (write an incident, print an event)
// is returned by Tick. A [Frame] is one immutable picture of everything, for
// screens; a sealed [Incident] is immutable too and is what the exporters and
// the files on disk are made of.
package incident
