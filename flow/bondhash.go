package flow

import (
	"encoding/binary"
	"fmt"
)

// Policies of the bonding driver's transmit hash (xmit_hash_policy).
const (
	PolicyLayer2     = "layer2"
	PolicyLayer23    = "layer2+3"
	PolicyLayer34    = "layer3+4"
	PolicyEncap23    = "encap2+3"
	PolicyEncap34    = "encap3+4"
	PolicyVLANSrcMAC = "vlan+srcmac"
)

// ICMPHead is what the hash reads of an ICMP or ICMPv6 message.
type ICMPHead struct {
	Type, Code uint8
	ID         uint16 // of types that have one
}

// TxFrame is what the transmit hash of the bonding driver may read of a frame
// that leaves. Not every policy needs all of it: layer3+4 no MAC, layer2 and
// layer2+3 both, vlan+srcmac the source.
type TxFrame struct {
	Key      Key       // Local sends. An IPv6 frame with extension headers and a fragment hash without ports, which a Key cannot tell
	Src, Dst [6]byte   // Ethernet addresses, zero = unknown. FamilyMAC: those of Key
	ICMP     *ICMPHead // of Key's ICMP message, nil = unknown
	Fragment bool      // any fragment, the first one included
	TCI      uint16    // VLAN tag with priority as the bond gets it, 0 = Key.VLAN
}

// TxMember says by which member b sends frame f, according to the transmit hash
// of kernel k (bond_xmit_hash in drivers/net/bonding/bond_main.c, on a
// little-endian CPU). Where that cannot be known, member is "" and why says it
// in words that follow "not predictable, because". It is this host's choice
// alone: by which member an answer comes back is the switch's.
//
// It allocates only for a reason or to list the usable members, changes nothing,
// and may be called from any goroutine.
func (b *Bond) TxMember(f *TxFrame, k Kernel) (member, why string) {
	usable := b.Usable()
	switch {
	case len(usable) == 0:
		return "", "no member of " + b.Name + " is usable"
	case f.Key.Family == FamilyMAC && (f.Key.LocalPort == 0x8809 || f.Key.LocalPort == 0x88cc):
		return "", f.Key.ProtoName() + " is sent on each member by itself"
	case len(usable) == 1:
		return usable[0].Name, ""
	}
	if why = b.unpredictable(k); why != "" {
		return "", why
	}
	h, why := txHash(b.Policy, f, k)
	if why != "" {
		return "", why
	}
	return usable[h%uint32(len(usable))].Name, ""
}

// Unpredictable says why this host's choice of members cannot be predicted for
// any frame, or "".
func (b *Bond) Unpredictable(k Kernel) string {
	if len(b.Usable()) == 1 {
		return ""
	}
	if why := b.unpredictable(k); why != "" {
		return why
	}
	switch b.Policy {
	case PolicyLayer2, PolicyLayer23, PolicyEncap23:
		return ethVersion(k, b.Policy)
	}
	return ""
}

func (b *Bond) unpredictable(k Kernel) string {
	switch {
	case b.Mode != Mode8023AD && b.Mode != ModeXOR:
		return "mode " + orUnknown(b.Mode) + " does not send by the hash of a frame"
	case b.OrderUnknown:
		return "the order in which the members of " + b.Name + " were enslaved is not known"
	case !k.Known():
		return "the kernel's version is not known"
	case k.Before(4, 15, 0):
		return "kernel " + k.String() + " is older than 4.15 and hashes otherwise"
	case binary.NativeEndian.Uint16([]byte{1, 0}) != 1:
		return "only the hash of little-endian CPUs is known"
	}
	for i := range b.Members {
		if m := &b.Members[i]; m.QueueID != 0 {
			return fmt.Sprintf("%s has queue_id %d: tc may choose the member", m.Name, m.QueueID)
		}
	}
	switch b.Policy {
	case PolicyLayer2, PolicyLayer23, PolicyLayer34, PolicyEncap23, PolicyVLANSrcMAC:
		return ""
	case PolicyEncap34:
		return "encap3+4 takes the random hash of a local socket"
	}
	return "policy " + orUnknown(b.Policy) + " is not known"
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// txHash is bond_xmit_hash; the member is its rest by the number of usable ones.
func txHash(policy string, f *TxFrame, k Kernel) (h uint32, why string) {
	ip := f.Key.Family != FamilyMAC
	switch policy {
	case PolicyVLANSrcMAC:
		return f.vlanSrcMAC()
	case PolicyLayer2, PolicyLayer23, PolicyEncap23:
		if h, why = f.ethHash(k, policy); why != "" {
			return 0, why
		}
		switch {
		case policy == PolicyEncap23 && (f.Key.Proto == 4 || f.Key.Proto == 41 || f.Key.Proto == 47) && ip:
			return 0, "encap2+3 looks into the tunnel"
		case policy == PolicyLayer2 || !ip && policy == PolicyLayer23:
			return h, ""
		}
		return fold(h ^ f.addrs()), "" // the dissector of encap2+3 knows ARP: no addresses, but folded
	}
	if !ip {
		return f.ethHash(k, policy)
	}
	if h, why = f.l4(k); why != "" {
		return 0, why
	}
	return fold(h^f.addrs()) >> 1, ""
}

// fold is the end of bond_ip_hash.
func fold(h uint32) uint32 {
	h ^= h >> 16
	return h ^ h>>8
}

// ethVersion says why the hash of MACs of kernel k is not known: until the
// spring of 2022 it dropped its lowest bit (b5f862180d70, 49aefd131739, back in
// stable trees), and before 5.15 it took the ethertype in the other byte order.
func ethVersion(k Kernel, policy string) string {
	if k.Before(5, 18, 0) {
		return "kernels before 5.18 hash " + policy + " in several ways, and " + k.String() + " does not tell which"
	}
	return ""
}

// ethHash is bond_eth_hash: the last bytes of both MACs and the ethertype.
func (f *TxFrame) ethHash(k Kernel, policy string) (h uint32, why string) {
	if why := ethVersion(k, policy); why != "" {
		return 0, why
	}
	src, dst, ethertype := f.Src, f.Dst, uint16(0x0800)
	switch f.Key.Family {
	case FamilyMAC:
		src, dst, ethertype = [6]byte(f.Key.Local[10:]), [6]byte(f.Key.Remote[10:]), f.Key.LocalPort
		if ethertype < 0x600 {
			return 0, "the length of an LLC frame is part of the hash"
		}
	case FamilyIPv6:
		ethertype = 0x86dd
	}
	if src == ([6]byte{}) || dst == ([6]byte{}) {
		return 0, policy + " hashes the MACs of both ends, and the next hop's is not known"
	}
	return uint32(dst[5]) ^ uint32(src[5]) ^ uint32(ethertype), ""
}

// addrs is the XOR of both addresses, each as a little-endian CPU loads it; the
// four words of an IPv6 address together (ipv6_addr_hash in include/net/ipv6.h).
func (f *TxFrame) addrs() (h uint32) {
	word := func(a *[16]byte, i int) uint32 { return binary.LittleEndian.Uint32(a[i:]) }
	for _, a := range [2]*[16]byte{&f.Key.Local, &f.Key.Remote} {
		switch f.Key.Family {
		case FamilyIPv4:
			h ^= word(a, 12)
		case FamilyIPv6:
			h ^= word(a, 0) ^ word(a, 4) ^ word(a, 8) ^ word(a, 12)
		}
	}
	return h
}

// l4 is the word that layer3+4 takes of the header behind IP's: both ports as
// they stand in memory, or type, code and identifier of an ICMP message that has
// one (icmp_has_id and __skb_flow_dissect, one list for IPv4 and IPv6).
func (f *TxFrame) l4(k Kernel) (h uint32, why string) {
	buggy := !k.Before(5, 15, 0) && k.Before(5, 15, 17) || !k.Before(5, 16, 0) && k.Before(5, 17, 0)
	switch {
	case buggy && !f.Fragment:
		return 0, "kernel " + k.String() + " may hash the wrong bytes (fixed in 5.15.17 and 5.17)"
	case f.Fragment:
		return 0, ""
	case f.Key.HasPorts():
		return binary.LittleEndian.Uint32([]byte{byte(f.Key.LocalPort >> 8), byte(f.Key.LocalPort),
			byte(f.Key.RemotePort >> 8), byte(f.Key.RemotePort)}), ""
	}
	switch f.Key.Proto {
	case ProtoICMP, ProtoICMPv6:
		return f.icmp(k)
	case 33, 50, 51, 136:
		return 0, fmt.Sprintf("of IP protocol %d the ports (or SPI) are not known", f.Key.Proto)
	}
	return 0, ""
}

func (f *TxFrame) icmp(k Kernel) (h uint32, why string) {
	switch {
	case k.Before(5, 5, 0):
		return 0, "kernels before 5.5 do not look at the id of an ICMP echo (distributions may)"
	case f.ICMP == nil:
		return 0, "type and id of the ICMP message are not known"
	}
	switch f.ICMP.Type {
	case 0, 8, 13, 14, 128, 129:
		return uint32(f.ICMP.Type) | uint32(f.ICMP.Code)<<8 | uint32(max(f.ICMP.ID, 1))<<16, ""
	}
	if v6 := f.Key.Proto == ProtoICMPv6; v6 && f.ICMP.Type >= 1 && f.ICMP.Type <= 4 || !v6 && (f.ICMP.Type >= 3 && f.ICMP.Type <= 5 || f.ICMP.Type == 11 || f.ICMP.Type == 12) {
		return 0, "an ICMP error goes by the flow that it is about"
	}
	return 0, ""
}

// vlanSrcMAC is bond_vlan_srcmac_hash.
func (f *TxFrame) vlanSrcMAC() (h uint32, why string) {
	m, tci := f.Src, f.TCI
	if f.Key.Family == FamilyMAC {
		m = [6]byte(f.Key.Local[10:])
	}
	if m == ([6]byte{}) {
		return 0, "the sender's MAC is not known"
	}
	if tci == 0 {
		tci = f.Key.VLAN
	}
	vendor := uint32(m[0])<<16 | uint32(m[1])<<8 | uint32(m[2])
	device := uint32(m[3])<<16 | uint32(m[4])<<8 | uint32(m[5])
	return uint32(tci) ^ vendor ^ device, ""
}

// EchoID returns the first identifier from start on (0 is left out, 65535 is
// followed by 1) with which an ICMP echo request leaves by
// member; f gives the addresses, and the MACs where the policy asks for them. If
// no identifier does that, id is 0 and why says it. It must be asked again whenever the usable members change,
// and what it chose be checked: the kernel may know better.
func (b *Bond) EchoID(f *TxFrame, member string, start uint16, k Kernel) (id uint16, why string) {
	if m := b.Member(member); m == nil || !b.usable(m) {
		return 0, member + " is not usable"
	}
	echo := *f
	head := ICMPHead{Type: 8}
	echo.Key.Proto = ProtoICMP
	if f.Key.Family == FamilyIPv6 {
		head.Type, echo.Key.Proto = 128, ProtoICMPv6
	}
	echo.Key.LocalPort, echo.Key.RemotePort, echo.ICMP = 0, 0, &head
	for i := range 1 << 16 {
		if head.ID = start + uint16(i); head.ID == 0 {
			continue
		}
		got, why := b.TxMember(&echo, k)
		switch {
		case why != "":
			return 0, why
		case got == member:
			return head.ID, ""
		case b.Policy != PolicyLayer34:
			return 0, "policy " + orUnknown(b.Policy) + " sends every echo to it by " + got
		}
	}
	return 0, "no id leads to " + member
}
