// Package pcapfile reads capture files, pcap and pcapng, as a stream: whatever a
// file claims, memory is bounded by [Options], and what lies before a damaged
// place is used. It also writes pcapng with the options that evidence needs.
//
// pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng.
package pcapfile
