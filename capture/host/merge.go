package host

import (
	"fmt"
	"slices"
	"strings"

	"spiketop/flow"
)

// claim is what one source says of one vif.
type claim struct {
	from   source
	vif    string
	guest  string
	mac    [6]byte
	pid    int
	bridge string
}

// empty reports whether nothing is said.
func (c *claim) empty() bool {
	return c.guest == "" && c.mac == [6]byte{} && c.pid == 0 && c.bridge == ""
}

// loose is a NIC of a guest of which the vif is not known, only the address.
type loose struct {
	from  source
	guest string
	mac   [6]byte
	pid   int
}

// looking is a look that is under way.
type looking struct {
	devices []device
	kinds   map[int]string // of the vifs, by ifindex
	byName  map[string]*device
	byIndex map[int]*device
	vmms    []monitor
	claims  []claim
	loose   []loose
	learned []learned
	reports []SourceReport
	notes   []string
	hosts   map[string]bool // taps that a program of the host holds, no VMM
}

func (l *looking) claim(c claim) {
	if !c.empty() {
		l.claims = append(l.claims, c)
	}
}

// named returns what is known of a vif so far.
func (l *looking) named(vif string) (guest string, mac bool) {
	for _, c := range l.claims {
		if c.vif != vif {
			continue
		}
		if guest == "" {
			guest = c.guest
		}
		mac = mac || c.mac != [6]byte{}
	}
	return guest, mac
}

// merge joins the claims by vif. The source that stands first in the order of
// belief gives name, process and bridge; addresses are united.
func (l *looking) merge() []flow.GuestNIC {
	slices.SortStableFunc(l.claims, func(a, b claim) int { return int(a.from) - int(b.from) })
	byVif := map[string][]claim{}
	for _, c := range l.claims {
		byVif[c.vif] = append(byVif[c.vif], c)
	}
	var list []flow.GuestNIC
	for i := range l.devices {
		d := &l.devices[i]
		kind := l.kinds[d.ifindex]
		if kind == "" {
			continue
		}
		n := flow.GuestNIC{Name: d.name, Ifindex: d.ifindex, Kind: kind}
		l.fill(&n, byVif[d.name])
		if l.hosts[d.name] && n.Guest == "" && d.master == 0 {
			continue // a VPN's
		}
		l.setBridge(&n, d)
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b flow.GuestNIC) int { return a.Ifindex - b.Ifindex })
	return list
}

func (l *looking) fill(n *flow.GuestNIC, claims []claim) {
	var said []string
	for i := range claims {
		c := &claims[i]
		if n.Guest == "" {
			n.Guest = c.guest
		} else if c.guest != "" && c.guest != n.Guest {
			l.note("vif %s: %s calls the guest %q, shown is %q", clean(n.Name), c.from, c.guest, n.Guest)
		}
		if n.PID == 0 {
			n.PID = c.pid
		}
		if n.Bridge == "" {
			n.Bridge = c.bridge
		}
		if c.mac != ([6]byte{}) && !slices.Contains(n.MACs, c.mac) && len(n.MACs) < mostPerPort {
			n.MACs = append(n.MACs, c.mac)
		}
		if w := c.from.String(); !slices.Contains(said, w) {
			said = append(said, w)
		}
	}
	n.Source = strings.Join(said, ", ")
}

// setBridge believes the kernel before anybody else, except for Open vSwitch: to
// the kernel all its bridges are one datapath.
func (l *looking) setBridge(n *flow.GuestNIC, d *device) {
	m := l.byIndex[d.master]
	if m != nil && (m.kind == "bridge" || m.kind == "openvswitch" && n.Bridge == "") {
		n.Bridge = m.name
	}
}

const mostNotes = 64

func (l *looking) note(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if len(l.notes) < mostNotes && !slices.Contains(l.notes, s) {
		l.notes = append(l.notes, s)
	}
}
