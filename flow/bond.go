package flow

import "slices"

// Member is a port of a bond as the kernel shows it.
type Member struct {
	Name         string
	State        string // "active" or "backup", "" = unknown (a team's or OVS port)
	MII          string // "up" or "down" ("going down" and "going back" pass)
	Down         bool   // the device is switched off or has no carrier
	Aggregator   int    // 802.3ad aggregator id, 0 = none
	PartnerState int    // LACP partner port state bits (63 or 61 is healthy), -1 = unknown
	ActorState   int    // LACP actor port state bits, -1 = unknown
	SpeedBps     uint64 // bit/s, 0 = unknown
	QueueID      int    // not 0: tc may send by this member whatever the hash says
}

// Bond is a bond or team with its members in order of enslaving.
type Bond struct {
	Name         string
	Mode         string // "802.3ad", "active-backup", ...; "team" for team devices, "ovs" for OVS datapaths
	Policy       string // "layer3+4", ...
	Active       int    // active aggregator id, 0 = none
	Members      []Member
	OrderUnknown bool // Members stand by ifindex: the order of enslaving is not known
}

// Modes of the bonding driver (drivers/net/bonding/bond_options.c) that matter
// here.
const (
	Mode8023AD       = "802.3ad"
	ModeXOR          = "balance-xor"
	ModeActiveBackup = "active-backup"
	ModeRoundRobin   = "balance-rr"
	ModeBroadcast    = "broadcast"
)

// Usable returns the members that carry data now, in order of enslaving, as the
// driver's array of usable slaves has them (bond_update_slave_arr and
// bond_slave_can_tx in drivers/net/bonding/bond_main.c): device and MII up,
// active, and in 802.3ad in the active aggregator. A member that goes down
// leaves the list, so the others' places shift. In active-backup it is the
// active member alone. The list is a copy.
func (b *Bond) Usable() []Member {
	list := make([]Member, 0, len(b.Members))
	for i := range b.Members {
		if b.usable(&b.Members[i]) {
			list = append(list, b.Members[i])
		}
	}
	return list
}

func (b *Bond) usable(m *Member) bool {
	switch {
	case m.Down, m.MII != "up" && m.MII != "", m.State != "active" && m.State != "":
		return false
	case b.Mode == Mode8023AD && b.Active != 0:
		return m.Aggregator == b.Active
	}
	return true
}

// Member returns the member with this name, or nil.
func (b *Bond) Member(name string) *Member {
	if i := slices.IndexFunc(b.Members, func(m Member) bool { return m.Name == name }); i >= 0 {
		return &b.Members[i]
	}
	return nil
}

// BondOf returns the bond that l is a member of, or nil.
func (w *World) BondOf(l *Link) *Bond {
	for i := range w.Bonds {
		if b := &w.Bonds[i]; l.Bond != "" && b.Name == l.Bond {
			return b
		}
	}
	return nil
}

// Imbalance is (n x max / sum - 1) / (n - 1) of what n usable members carry: 0
// is even, 1 is all on one. ok is false for fewer than two members or without
// any load.
func Imbalance(load []float64) (v float64, ok bool) {
	n, sum := float64(len(load)), 0.0
	for _, x := range load {
		sum += x
	}
	if n < 2 || !(sum > 0) {
		return 0, false
	}
	return max((n*slices.Max(load)/sum-1)/(n-1), 0), true
}

// LACPHealthy reports whether LACP port state bits (IEEE 802.1AX 6.4.2.3) let a
// member carry traffic: aggregating, in sync, collecting, distributing, and the
// partner's word is neither assumed nor expired. 63 with fast, 61 with slow
// timeout.
func LACPHealthy(bits int) bool {
	const working, assumed = 0x3c, 0xc0
	return bits&working == working && bits&assumed == 0
}
