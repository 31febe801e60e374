// Package tpacket reads the frames of one network device from a TPACKET_V3 ring
// (Documentation/networking/packet_mmap.rst), in pure Go.
//
// A [Ring] is one AF_PACKET socket bound to one ifindex with its ring of blocks,
// shared with the kernel. The kernel fills a block until it is full or its
// retire timer fires, then hands it to the reader; the reader hands it back when
// it has read it. Nothing is copied: a [Frame]'s bytes lie in the block.
//
// What lies in the ring is foreign. Every offset and length in it is checked
// before use; a block that contradicts itself ends early and is counted.
//
// A Ring belongs to one goroutine from Open to Close. [Block] reads memory only
// and needs no kernel, so recorded blocks can be decoded in tests.
package tpacket
