// Package offline plays capture files as if their packets came from NICs: several
// files and interfaces become links, in the order of time, each packet with the
// direction in which it crossed its link.
//
// A capture says which way a packet went only if its format has room for that
// (pcapng flags, Linux cooked headers). Else the local side is what --local
// names, else what is on one side of nearly all packets; [Capture.Notes] say what
// was believed.
//
// Files are foreign: memory is bounded whatever they claim, and what can be read
// of a damaged one is played.
package offline
