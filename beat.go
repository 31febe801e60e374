package main

import "time"

// loopBeat is how often the owner of the monitor looks at what has arrived.
const loopBeat = 20 * time.Millisecond

// lateAfter is how much later than planned a beat must be to go on record as
// "this process did not run then": over one scheduler slice of a busy host.
const lateAfter = 30 * time.Millisecond
