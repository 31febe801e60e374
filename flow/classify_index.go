package flow

import (
	"fmt"
	"strings"
)

// worldIndex is a World as Classify reads it. It never changes.
type worldIndex struct {
	generation uint64
	rules      []compiled
	guests     map[uint64]*guestEntry // by MAC
	own        map[[16]byte]struct{}
	owners     map[Socket]Owner
	listeners  map[Socket]Owner
	processes  map[Owner]*process
}

// guestEntry is one MAC of a guest with the reasons that name it.
type guestEntry struct {
	nic           *GuestNIC
	why, whyInner string
}

// process is an Owner with the reasons that name it.
type process struct {
	Owner
	rule             *builtinRule // of the built-in table, or nil
	ruleWhy, hostWhy string
}

// Index prepares w for Classify, Guest and OwnerOf. Call it once, when w is
// complete and before anybody else sees it; a World that is copied and changed
// needs another Generation and its own Index. It takes some 10 µs for a guest or
// a process and returns w.
func (w *World) Index() *World {
	w.index = newWorldIndex(w)
	return w
}

// noWorld is the index of a nil World.
var noWorld = &worldIndex{}

// lookup returns the index of w, for this call only if there is none.
func (w *World) lookup() *worldIndex {
	switch {
	case w == nil:
		return noWorld
	case w.index == nil || w.index.generation != w.Generation:
		return newWorldIndex(w)
	}
	return w.index
}

func newWorldIndex(w *World) *worldIndex {
	x := &worldIndex{generation: w.Generation, owners: w.Owners, listeners: w.Listeners}
	for i := range w.Rules {
		x.rules = append(x.rules, compileRule(&w.Rules[i], w))
	}
	x.addGuests(w)
	x.own = make(map[[16]byte]struct{}, len(w.Own))
	for _, a := range w.Own {
		x.own[a.As16()] = struct{}{}
	}
	x.processes = map[Owner]*process{}
	for _, list := range [...]map[Socket]Owner{w.Owners, w.Listeners} {
		for _, o := range list {
			if x.processes[o] == nil {
				x.processes[o] = newProcess(o)
			}
		}
	}
	return x
}

// addGuests skips MACs that cannot tell a guest: group addresses, and those of
// captured NICs, which this host's own traffic carries too.
func (x *worldIndex) addGuests(w *World) {
	nics := map[uint64]bool{0: true}
	for i := range w.Links {
		nics[macKeyOf(w.Links[i].MAC)] = true
	}
	x.guests = map[uint64]*guestEntry{}
	for i := range w.Guests {
		g := &w.Guests[i]
		for _, mac := range g.MACs {
			key := macKeyOf(mac)
			if mac[0]&1 != 0 || nics[key] || x.guests[key] != nil {
				continue
			}
			why := fmt.Sprintf("MAC %s of %s", macText(mac), guestText(g))
			x.guests[key] = &guestEntry{g, why, why + ", inside a tunnel"}
		}
	}
}

func guestText(g *GuestNIC) string {
	if g.Guest == "" {
		return "vif " + plainText(g.Name)
	}
	return plainText(g.Guest) + " on " + plainText(g.Name)
}

func newProcess(o Owner) *process {
	p := &process{Owner: o, rule: builtinProcess(o.Name)}
	name := fmt.Sprintf("process %s[%d]", plainText(o.Name), o.PID)
	switch {
	case o.Kernel && o.Name != "":
		name = "socket of the kernel (" + plainText(o.Name) + ")"
	case o.Kernel:
		name = "socket of the kernel"
	}
	p.hostWhy = name + " on a host address"
	if p.rule != nil {
		p.ruleWhy = name
		if p.rule.Label != "" {
			p.ruleWhy += " (" + p.rule.Label + ")"
		}
	}
	return p
}

// commLen is how much of a process's name the kernel keeps (TASK_COMM_LEN - 1).
const commLen = 15

// isProcess reports whether comm is what the kernel keeps of a name that pattern
// matches.
func isProcess(pattern, comm string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(comm, prefix[:min(len(prefix), commLen)])
	}
	return comm == pattern[:min(len(pattern), commLen)]
}

func macKeyOf(m [6]byte) uint64 {
	return uint64(m[0]) | uint64(m[1])<<8 | uint64(m[2])<<16 | uint64(m[3])<<24 | uint64(m[4])<<32 | uint64(m[5])<<40
}

func macText(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

func (x *worldIndex) guest(mac [6]byte) *guestEntry {
	if len(x.guests) == 0 {
		return nil
	}
	return x.guests[macKeyOf(mac)]
}

// connected reports whether there is a socket here for the very flow k.
func (x *worldIndex) connected(k *Key) bool {
	if len(x.owners) == 0 {
		return false
	}
	_, ok := x.owners[SocketOf(k)]
	return ok
}

func (x *worldIndex) ownerOf(k *Key) (Owner, bool) {
	if k.Family == FamilyMAC {
		return Owner{}, false
	}
	if len(x.owners) > 0 {
		if o, ok := x.owners[SocketOf(k)]; ok {
			return o, true
		}
	}
	return x.listener(k)
}

// listener returns the owner of the socket that waits on the local end of k. An
// address that is not this host's has none, though the port may be served on
// every address of this host.
func (x *worldIndex) listener(k *Key) (o Owner, ok bool) {
	if len(x.listeners) == 0 || !k.HasPorts() {
		return Owner{}, false
	}
	if _, own := x.own[k.Local]; !own {
		return Owner{}, false
	}
	s := Socket{Local: k.Local, LocalPort: k.LocalPort, Proto: k.Proto}
	if o, ok = x.listeners[s]; ok {
		return o, true
	}
	s.Local = [16]byte{}
	if o, ok = x.listeners[s]; !ok && k.Family == FamilyIPv4 {
		copy(s.Local[:], mapped) // 0.0.0.0 as an IPv4 address
		o, ok = x.listeners[s]
	}
	return o, ok
}

// waits reports whether a socket waits on the local end of k; known is false if
// nobody has looked.
func (x *worldIndex) waits(k *Key) (waits, known bool) {
	if x.listeners == nil {
		return false, false
	}
	_, waits = x.listener(k)
	return waits, true
}
