// Package pcapfile reads and writes capture files.
//
// Reader reads pcap (microseconds, nanoseconds, Kuznetzov's modified records,
// both byte orders) and pcapng (any number of sections, interfaces and link
// types), as they are or within gzip, from a file, a pipe or standard input. It
// is a stream: a packet is looked at where it lies in the buffer, nothing is
// allocated for it, and what the file claims (lengths, numbers of interfaces or
// names) is never believed beyond fixed bounds. A file that breaks off or breaks
// its format gives all packets before that place and then a [*FileError] with
// the offset.
//
// Writer writes pcapng with nanoseconds, directions, comments, names and drop
// counts.
//
// Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcaplinktype,
// draft-ietf-opsawg-pcapng.
//
// A Reader or Writer belongs to one goroutine. The package knows nothing of what
// is in a packet: package decode does.
package pcapfile
