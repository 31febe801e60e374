package offline

import (
	"strings"

	"spiketop/capture/pcapfile"
	"spiketop/flow"
)

// What the descriptions of interfaces say in files that spiketop has written.
// Anybody else's say nothing of this kind.
const (
	aboutBond    = "member of "
	aboutHost    = "captured by spiketop on "
	aboutVIF     = "vif"
	aboutVIFOf   = "vif of "
	maxAboutName = 128
)

// about reads the description of an interface. host is where it was captured.
func (l *Link) about(description string) (host string) {
	for part := range strings.SplitSeq(description, ", ") {
		switch {
		case strings.HasPrefix(part, aboutBond):
			l.Bond = short(part[len(aboutBond):])
		case strings.HasPrefix(part, aboutHost):
			host = short(part[len(aboutHost):])
		case strings.HasPrefix(part, aboutVIFOf):
			l.VIF, l.Guest = true, short(part[len(aboutVIFOf):])
		case part == aboutVIF:
			l.VIF = true
		}
	}
	return host
}

func short(s string) string { return s[:min(len(s), maxAboutName)] }

// maxGuestMACs bounds the addresses of one guest.
const maxGuestMACs = 16

// guestMAC learns who sends behind a vif; where the file does not tell
// directions, nothing can be learned.
func (l *Link) guestMAC(p *pcapfile.Packet) {
	dir, ok := told(p)
	if !ok || dir != flow.Rx || p.Link != pcapfile.EN10 || len(p.Data) < 12 || p.Data[6]&1 != 0 {
		return
	}
	mac := [6]byte(p.Data[6:12])
	for _, m := range l.MACs {
		if m == mac {
			return
		}
	}
	if len(l.MACs) < maxGuestMACs {
		l.MACs = append(l.MACs, mac)
	}
}
