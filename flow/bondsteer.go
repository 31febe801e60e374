package flow

// CannotSteer says why no ICMP echo id can be chosen that sends this host's echo
// requests by a given member of b, in words that follow "cannot steer:", or "".
// That is not a fault: of most modes it is the purpose. Only 802.3ad and
// balance-xor with layer3+4 look at echo ids, from Linux 5.5 on (58deb77cc52d).
func (b *Bond) CannotSteer(k Kernel) string {
	switch b.Mode {
	case ModeActiveBackup:
		return "only the active member sends"
	case ModeRoundRobin:
		return "balance-rr sends frame after frame by another member"
	case ModeBroadcast:
		return "broadcast sends every frame by all members"
	case "team":
		return "the team's runner chooses the port"
	case "ovs":
		return "Open vSwitch chooses the port"
	}
	switch b.Policy {
	case PolicyLayer2, PolicyLayer23, PolicyEncap23, PolicyVLANSrcMAC:
		if b.Mode == Mode8023AD || b.Mode == ModeXOR {
			return "policy " + b.Policy + " does not look at echo ids"
		}
	}
	if why := b.unpredictable(k); why != "" {
		return why
	}
	f := TxFrame{Key: Key{Proto: ProtoICMP, Family: FamilyIPv4}, ICMP: &ICMPHead{Type: 8, ID: 1}}
	_, why := f.l4(k)
	return why
}

// Carries reports whether b sends by the member with this name now, see Usable.
func (b *Bond) Carries(name string) bool {
	m := b.Member(name)
	return m != nil && b.usable(m)
}
