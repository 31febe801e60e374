// Package ring writes what the flight recorders see to a directory of pcapng
// files, on and on: a ring that is bounded by size and by time, whose newest files
// take the place of the oldest.
//
// Every file stands by itself: a section, its interfaces, frames in the order of
// time with direction, segment size and losses, and at its end what was received.
// It is handed to the kernel several times a second in whole blocks, so that a
// killed program leaves files that can be read to the last of them.
package ring
