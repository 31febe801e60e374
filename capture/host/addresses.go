package host

// joinLoose finds the vif of guests' NICs that are known by their address alone:
// by the tap's own address, which libvirt makes of the guest's, or by the bridge
// that has heard the guest.
func (l *looking) joinLoose() {
	for _, n := range l.loose {
		if vif, by := l.vifOf(n.mac); vif != "" {
			l.claim(claim{from: n.from, vif: vif, guest: n.guest, mac: n.mac, pid: n.pid})
			l.claim(claim{from: by, vif: vif, mac: n.mac})
		}
	}
}

// vifOf returns the one vif that an address belongs to, and who says so.
func (l *looking) vifOf(mac [6]byte) (vif string, by source) {
	taps := 0
	for i := range l.devices {
		d := &l.devices[i]
		if l.kinds[d.ifindex] != "" && tapOf(d.mac, mac) {
			vif, by = d.name, fromTapMAC
			taps++
		}
	}
	if taps == 1 {
		return vif, by
	}
	for _, e := range l.learned {
		if d := l.byIndex[e.ifindex]; e.mac == mac && d != nil && l.kinds[e.ifindex] != "" {
			return d.name, fromFDB
		}
	}
	return "", 0
}

// addAddresses adds what the bridges have learned and what the taps' own
// addresses tell. A guest may send with any address: one that is configured for
// another vif, or that is this host's own, is not believed.
func (l *looking) addAddresses() {
	configured := map[[6]byte]string{}
	for _, c := range l.claims {
		if c.mac == ([6]byte{}) {
			continue
		}
		if was, ok := configured[c.mac]; ok && was != c.vif {
			one, _ := l.named(was)
			other, _ := l.named(c.vif)
			if one == other && one != "" { // the emulated twin of a Xen vif
				continue
			}
			l.note("vifs %s and %s: both have the address %s", clean(was), clean(c.vif), macText(c.mac))
			continue
		}
		configured[c.mac] = c.vif
	}
	own := map[[6]byte]bool{}
	for i := range l.devices {
		own[l.devices[i].mac] = true
	}
	for _, e := range l.learned {
		d := l.byIndex[e.ifindex]
		if d == nil || l.kinds[e.ifindex] == "" {
			continue
		}
		owner, known := configured[e.mac]
		switch {
		case known && owner != d.name:
			l.note("vif %s: sends as %s, which belongs to %s", clean(d.name), macText(e.mac), clean(owner))
		case own[e.mac]:
			l.note("vif %s: sends as %s, which is this host's own", clean(d.name), macText(e.mac))
		default:
			l.claim(claim{from: fromFDB, vif: d.name, mac: e.mac})
		}
	}
	for i := range l.devices {
		d := &l.devices[i]
		if l.kinds[d.ifindex] != "tap" {
			continue
		}
		if _, has := l.named(d.name); has {
			continue
		}
		if m, ok := guestOfTap(d.mac); ok && configured[m] == "" {
			l.claim(claim{from: fromTapMAC, vif: d.name, mac: m})
		}
	}
}

func macText(m [6]byte) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, 17)
	for i, c := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hex[c>>4], hex[c&15])
	}
	return string(b)
}
