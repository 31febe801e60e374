// Package far is what two hosts tell each other while both watch: the lines of
// "spiketop tap", which the far side writes and the near one reads, the questions
// the other way round, and the hop table in which the echoes of both meet.
//
// What the far side says is foreign: it is bounded, checked and cleaned when it
// is read, and only what has passed becomes a value of this package.
//
// The package is pure: no clock, no goroutine, no I/O.
package far
