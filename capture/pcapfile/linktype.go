package pcapfile

import "strconv"

// LinkType is a LINKTYPE_ value: what the bytes of a packet begin with.
// https://www.tcpdump.org/linktypes.html
type LinkType uint32

// Link types that are decoded, see Supported.
const (
	Null  LinkType = 0   // BSD loopback: address family in the byte order of the machine
	EN10  LinkType = 1   // EN10MB
	RawIP LinkType = 101 // an IP packet
	Loop  LinkType = 108 // OpenBSD loopback: address family in network byte order
	SLL   LinkType = 113 // Linux cooked
	IPv4  LinkType = 228
	IPv6  LinkType = 229
	SLL2  LinkType = 276 // Linux cooked, version 2

	// DLT_RAW differs between systems; these values reach files although only
	// RawIP should (libpcap, pcap-common.c).
	rawIP12 LinkType = 12
	rawIP14 LinkType = 14
)

var linkNames = map[LinkType]string{
	Null: "NULL", EN10: "EN10MB", RawIP: "RAW", rawIP12: "RAW", rawIP14: "RAW",
	Loop: "LOOP", SLL: "LINUX_SLL", IPv4: "IPV4", IPv6: "IPV6", SLL2: "LINUX_SLL2",

	// Not decoded, but so usual that a refusal should say the word.
	6: "IEEE802_5", 9: "PPP", 50: "PPP_HDLC", 51: "PPP_ETHER", 104: "C_HDLC", 105: "IEEE802_11",
	107: "FRELAY", 117: "PFLOG", 119: "IEEE802_11_PRISM", 122: "IP_OVER_FC", 127: "IEEE802_11_RADIOTAP",
	163: "IEEE802_11_AVS", 187: "BLUETOOTH_HCI_H4", 189: "USB_LINUX", 192: "PPI", 195: "IEEE802_15_4_WITHFCS",
	197: "ERF", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", 220: "USB_LINUX_MMAPPED", 224: "FC_2", 227: "CAN_SOCKETCAN",
	239: "NFLOG", 247: "INFINIBAND", 249: "USBPCAP", 253: "NETLINK", 271: "VSOCK",
}

// String returns the name without the prefix LINKTYPE_, and with it the number
// of a type that has no name here: "LINKTYPE_147".
func (l LinkType) String() string {
	if name, ok := linkNames[l]; ok {
		return name
	}
	return "LINKTYPE_" + strconv.FormatUint(uint64(l), 10)
}

// Supported reports whether package decode reads packets of this type. Reader
// delivers the others too: who uses their packets refuses them by name.
func (l LinkType) Supported() bool {
	switch l {
	case Null, EN10, RawIP, rawIP12, rawIP14, Loop, SLL, IPv4, IPv6, SLL2:
		return true
	}
	return false
}
