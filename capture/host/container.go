package host

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// tenant is what lives in another network namespace.
type tenant struct {
	pid   int    // its first process, 0 = none seen
	start uint64 // of that process
	guest string
	from  source // who named it
}

// namespacesOf returns the tenants of the namespaces in which veths of ours have
// their other end, by our id of the namespace.
func (f *Finder) namespacesOf(ctx context.Context, wanted map[int]bool, vmms []monitor) (map[int]tenant, SourceReport) {
	r := SourceReport{Source: fromNetns.String()}
	tenants := map[int]tenant{}
	if len(wanted) == 0 {
		return tenants, r
	}
	failure := f.processesIn(ctx, wanted, tenants)
	for id, t := range tenants {
		t.guest, t.from = cgroupGuest(f.opt.Proc, t.pid), fromCgroup
		tenants[id] = t
	}
	// A VMM inside (Kata, KubeVirt) knows the guest's name better than the namespace does.
	for _, m := range vmms {
		if m.netns == "" || m.vmm.name == "" {
			continue
		}
		if id, err := f.kernel.namespaceID(m.pid); err == nil && wanted[id] && tenants[id].guest == "" {
			tenants[id] = tenant{pid: m.pid, guest: m.vmm.name, from: fromCommand}
		}
	}
	f.namedNamespaces(wanted, tenants)
	if failure != nil {
		return tenants, failed(fromNetns, failure, rightsRemedy)
	}
	return tenants, found(fromNetns, "namespaces", len(tenants))
}

// processesIn finds the first process of each wanted namespace. Where the links
// of processes may not be read, the kernel is asked for each process.
func (f *Finder) processesIn(ctx context.Context, wanted map[int]bool, tenants map[int]tenant) (failure error) {
	pids, err := numbers(f.opt.Proc, mostProcesses)
	if err != nil {
		return err
	}
	ids := map[string]int{f.netns: -1} // our id by the text of the link
	for _, pid := range pids {
		if ctx.Err() != nil {
			break
		}
		link, err := netnsOf(f.opt.Proc, pid)
		id, known := ids[link]
		if err != nil && !denied(err) {
			continue // it has ended, or it is a zombie
		}
		if err != nil || !known {
			var e error
			if id, e = f.kernel.namespaceID(pid); e != nil {
				continue
			}
			if err == nil {
				ids[link] = id
			}
		}
		if !wanted[id] {
			continue
		}
		start := startTime(f.opt.Proc, pid)
		if t, ok := tenants[id]; !ok || start < t.start {
			tenants[id] = tenant{pid: pid, start: start}
		}
	}
	return nil
}

// namespaceDirs hold named network namespaces (ip-netns(8), docker), those with
// names for people first.
var namespaceDirs = []string{"netns", "docker/netns"}

const mostNamespaces = 4096

// namedNamespaces names the tenants that have no name yet after their namespace.
func (f *Finder) namedNamespaces(wanted map[int]bool, tenants map[int]tenant) {
	missing := 0
	for id := range wanted {
		if tenants[id].guest == "" {
			missing++
		}
	}
	for _, sub := range namespaceDirs {
		if missing == 0 {
			return
		}
		dir := filepath.Join(f.opt.Run, sub)
		names, _ := entries(dir, mostNamespaces) // without it there are no names
		for _, name := range names {
			id, ok := f.namespaceNamed(filepath.Join(dir, name))
			if !ok || !wanted[id] || tenants[id].guest != "" {
				continue
			}
			t := tenants[id]
			t.guest, t.from = clean(name), fromNetns
			tenants[id] = t
			missing--
		}
	}
}

func (f *Finder) namespaceNamed(path string) (id int, ok bool) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer file.Close()
	id, err = f.kernel.namespaceIDOf(int(file.Fd()))
	return id, err == nil && id >= 0
}

// findContainers makes claims of the veths whose other end is elsewhere.
func (f *Finder) findContainers(ctx context.Context, l *looking) {
	wanted := map[int]bool{}
	for _, d := range l.devices {
		if l.kinds[d.ifindex] == "veth" {
			wanted[d.nsid] = true
		}
	}
	tenants, r := f.namespacesOf(ctx, wanted, l.vmms)
	var refused error
	macs := 0
	for _, d := range l.devices {
		if l.kinds[d.ifindex] != "veth" {
			continue
		}
		if t, ok := tenants[d.nsid]; ok {
			l.claim(claim{from: fromNetns, vif: d.name, pid: t.pid})
			l.claim(claim{from: t.from, vif: d.name, guest: t.guest})
		}
		m, err := f.kernel.peerMAC(d.nsid, d.peer)
		switch {
		case err == nil && unicast(m):
			macs++
			l.claim(claim{from: fromNetns, vif: d.name, mac: m})
		case denied(err):
			refused = err
		}
	}
	if refused != nil && r.Status == Found {
		r.Status, r.Remedy = NotPermitted, adminRemedy
		r.Detail = "addresses of containers: " + clean(refused.Error())
	}
	l.reports = append(l.reports, r)
}
