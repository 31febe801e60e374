// Package dissect reads the headers of packets from capture files for
// [spiketop/flow/stats]: the outermost IP header or the innermost one, with
// what TCP says in its header.
//
// It is apart from capture/decode, which serves the live path and is made for
// speed and for what counts there: this one walks through more tunnels (MPLS
// pseudowires, PPPoE, GRE with PPP or ERSPAN, GTP), finds the header that
// Wireshark finds, and remembers nothing from packet to packet.
//
// The package is pure, and allocates nothing. The bytes are foreign: any content
// of any length is safe.
package dissect
