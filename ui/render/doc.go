// Package render draws what spiketop shows into a grid of cells, without any
// terminal: the live panes, the ping strip, the snapshot of an incident, the
// help. The terminal (package ui), the tests and an incident's screen.txt print
// the same grid, so they cannot show different things.
//
// Everything here is a function of a [View] and the Frames and Incidents it
// points to: no clock, no goroutine, no I/O, no map order. The same View gives
// the same cells. All text that was not written in this program passes
// incident.Clean, and [Canvas.Put] lets nothing unprintable through besides.
package render
