package host

import "context"

// findVMMs joins the vifs' descriptors with the command lines of those who hold
// them.
func (f *Finder) findVMMs(ctx context.Context, l *looking) {
	vmms, others, err := f.processes(ctx)
	l.vmms = vmms
	if err != nil {
		l.reports = append(l.reports, failed(fromCommand, err, "run as root, or mount /proc without hidepid"))
	} else {
		l.reports = append(l.reports, found(fromCommand, "virtual machine monitors", len(vmms)))
	}
	held := map[string]bool{}
	var refused error
	total := 0
	for _, m := range vmms {
		list, err := f.holdings(l, m)
		if denied(err) {
			refused = err
		}
		for _, h := range list {
			held[h.vif] = true
		}
		total += len(list)
		l.joinVMM(m, list)
		f.nameByCgroup(l, m, list)
	}
	n, e := f.findStrangers(ctx, l, others, held)
	if refused == nil {
		refused = e
	}
	if refused != nil {
		l.reports = append(l.reports, failed(fromFdinfo, refused, rightsRemedy))
		return
	}
	l.reports = append(l.reports, found(fromFdinfo, "queues", total+n))
}

// holdings returns the vifs of ours that a VMM holds. In another namespace the
// names of its tun devices are not ours, and its macvtaps' numbers neither.
func (f *Finder) holdings(l *looking, m monitor) (list []holding, err error) {
	if m.netns != "" {
		return nil, nil
	}
	all, _, _, err := holdingsOf(f.opt.Proc, m.pid)
	for _, h := range all {
		if h.vif == "" {
			d := l.byIndex[h.ifindex]
			if d == nil || (l.kinds[h.ifindex] != "macvtap" && l.kinds[h.ifindex] != "ipvtap") {
				continue
			}
			h.vif = d.name
		}
		if l.byName[h.vif] != nil {
			list = append(list, h)
		}
	}
	return list, err
}

// joinVMM says what a command line and the descriptors tell together.
func (l *looking) joinVMM(m monitor, held []holding) {
	byFD := map[string]string{}
	for _, h := range held {
		byFD[h.fd] = h.vif
		l.claim(claim{from: fromFdinfo, vif: h.vif, pid: m.pid})
		l.claim(claim{from: fromCommand, vif: h.vif, guest: m.vmm.name})
	}
	for _, n := range m.vmm.nics {
		vif := n.ifname
		if m.netns != "" {
			vif = ""
		}
		for _, fd := range n.fds {
			if vif == "" {
				vif = byFD[fd]
			}
		}
		switch {
		case vif != "":
			l.claim(claim{from: fromCommand, vif: vif, guest: m.vmm.name, mac: guestMAC(n.mac), pid: m.pid})
		case unicast(n.mac):
			l.loose = append(l.loose, loose{from: fromCommand, guest: m.vmm.name, mac: n.mac, pid: m.pid})
		}
	}
}

// guestMAC returns m if a guest can have it.
func guestMAC(m [6]byte) [6]byte {
	if unicast(m) {
		return m
	}
	return [6]byte{}
}

// nameByCgroup names a guest whose command line has no name.
func (f *Finder) nameByCgroup(l *looking, m monitor, held []holding) {
	if m.vmm.name != "" || len(held) == 0 {
		return
	}
	guest := cgroupGuest(f.opt.Proc, m.pid)
	for _, h := range held {
		l.claim(claim{from: fromCgroup, vif: h.vif, guest: guest})
	}
}

// findStrangers looks who holds the taps that no known VMM holds.
func (f *Finder) findStrangers(ctx context.Context, l *looking, others []int, held map[string]bool) (int, error) {
	wanted := map[string]bool{}
	for i := range l.devices {
		d := &l.devices[i]
		if l.kinds[d.ifindex] == "tap" && !held[d.name] {
			wanted[d.name] = true
		}
	}
	list, hypervisors, err := f.strangers(ctx, others, wanted)
	for _, h := range list {
		l.claim(claim{from: fromFdinfo, vif: h.vif, pid: h.pid})
		if hypervisors[h.pid] {
			l.claim(claim{from: fromCgroup, vif: h.vif, guest: cgroupGuest(f.opt.Proc, h.pid)})
		} else {
			l.hosts[h.vif] = true
		}
	}
	return len(list), err
}

// findDomains asks libvirt, by its files and, if a vif is still without name or
// address, by its socket; then Xen.
func (f *Finder) findDomains(ctx context.Context, l *looking) {
	list, r := f.readStatusFiles()
	l.reports = append(l.reports, r)
	f.claimDomains(l, fromFiles, list)
	if f.opt.All || l.incomplete() {
		list, r = f.askLibvirt(ctx)
		f.claimDomains(l, fromLibvirt, list)
	} else {
		r = SourceReport{Source: fromLibvirt.String(), Status: NotAsked}
	}
	l.reports = append(l.reports, r)

	nics, names, r := f.askXen(ctx)
	l.reports = append(l.reports, r)
	for i := range nics {
		n := &nics[i]
		for j := range l.devices {
			vif := l.devices[j].name
			if n.owns(vif) && f.promote(l, vif, "xen") {
				l.claim(claim{from: fromXen, vif: vif, guest: names[n.domid], mac: guestMAC(n.mac), bridge: n.bridge})
			}
		}
	}
}

// incomplete reports whether some tap is still without name or address.
func (l *looking) incomplete() bool {
	for i := range l.devices {
		d := &l.devices[i]
		switch l.kinds[d.ifindex] {
		case "tap", "macvtap", "ipvtap":
			if guest, mac := l.named(d.name); guest == "" || !mac {
				return true
			}
		}
	}
	return false
}

func (f *Finder) claimDomains(l *looking, from source, list []domain) {
	for i := range list {
		d := &list[i]
		for _, n := range d.nics {
			mac := guestMAC(n.mac)
			switch {
			case n.vif != "" && f.promote(l, n.vif, "tap"):
				l.claim(claim{from: from, vif: n.vif, guest: d.name, mac: mac, pid: d.pid, bridge: n.bridge})
			case n.vif == "" && unicast(mac):
				l.loose = append(l.loose, loose{from: from, guest: d.name, mac: mac, pid: d.pid})
			}
		}
	}
}

func (f *Finder) findOVS(ctx context.Context, l *looking) {
	there := false
	for i := range l.devices {
		there = there || l.devices[i].kind == "openvswitch"
	}
	list, r := f.askOVS(ctx, there)
	l.reports = append(l.reports, r)
	for i := range list {
		n := &list[i]
		if n.guest == "" && n.mac == [6]byte{} { // a port of the host itself
			if d := l.byName[n.vif]; d == nil || l.kinds[d.ifindex] == "" {
				continue
			}
		}
		if f.promote(l, n.vif, "ovs") {
			l.claim(claim{from: fromOVS, vif: n.vif, guest: n.guest, mac: guestMAC(n.mac), bridge: n.bridge})
		}
	}
}

func (f *Finder) findUserMap(l *looking) {
	n := 0
	for vif, guest := range f.opt.UserMap {
		if f.promote(l, vif, "device") {
			l.claim(claim{from: fromMap, vif: vif, guest: clean(guest)})
			n++
		}
	}
	if len(f.opt.UserMap) > 0 {
		l.reports = append(l.reports, found(fromMap, "vifs", n))
	}
}
