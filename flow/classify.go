package flow

// Classify says whose traffic the flow k is and why, in words for the person;
// mac is the local end's own address, inner that inside of a tunnel (zero for
// none), see Record. The first of these that holds decides (docs/CLASSES.md):
//
//	0   a rule of the user
//	1   mac, then inner, is a guest's: VIF
//	2   the local address is this host's:
//	2a  the socket's owner is a process of the built-in table
//	2b  a port of the built-in table, if the other conditions of subject.port hold
//	3   protocols between neighbours: Control
//	2c  Host, whatever it is
//	3   multicast and broadcast: Control
//	4   Unknown, with why ""
//
// It changes nothing and may be called from any goroutine. Where w has its
// Index it allocates nothing; without it the answer is the same, slowly. Rules
// for a NIC match nothing here, see [World.ClassifyOn].
func (w *World) Classify(k *Key, mac, inner [6]byte) (c Class, why string) {
	return w.lookup().classify(k, mac, inner, 0)
}

// ClassifyOn returns the classifier for what is seen on one link. Like Classify
// it may be called from any goroutine, and allocates nothing.
func (w *World) ClassifyOn(link LinkID) ClassifyFunc {
	x := w.lookup()
	return func(k *Key, mac, inner [6]byte) (Class, string) { return x.classify(k, mac, inner, link) }
}

func (x *worldIndex) classify(k *Key, mac, inner [6]byte, link LinkID) (Class, string) {
	s := subject{x: x, key: k, mac: mac, inner: inner, link: link}
	s.findGuest()
	for i := range x.rules {
		if r := &x.rules[i]; r.matches(&s) {
			return r.Class, r.Why
		}
	}
	switch {
	case s.guest != nil && s.inTunnel:
		return VIF, s.guest.whyInner
	case s.guest != nil:
		return VIF, s.guest.why
	}
	own := s.isOwn()
	if own {
		if b, why := s.builtin(); b != nil {
			return b.Class, why
		}
	}
	if why := controlProtocol(k); why != "" {
		return Control, why
	}
	if own {
		return Host, s.hostWhy()
	}
	if isGroup(k) {
		return Control, "multicast or broadcast"
	}
	return Unknown, ""
}

// subject is a flow while its class is being decided. What is dear to find out
// is found out once, and only if somebody asks.
type subject struct {
	x          *worldIndex
	key        *Key
	mac, inner [6]byte
	link       LinkID

	guest    *guestEntry
	inTunnel bool // guest was found by inner

	askedOwn, own bool
	askedOwner    bool
	askedBuiltin  bool
	process       *process
	builtinRule   *builtinRule
	builtinWhy    string
}

func (s *subject) findGuest() {
	if s.guest = s.x.guest(s.mac); s.guest == nil && s.inner != ([6]byte{}) {
		s.guest = s.x.guest(s.inner)
		s.inTunnel = s.guest != nil
	}
}

// isOwn reports whether the local address is this host's: it is among its
// addresses, or there is a socket here for the very flow.
func (s *subject) isOwn() bool {
	if !s.askedOwn {
		s.askedOwn = true
		if s.key.Family != FamilyMAC {
			_, s.own = s.x.own[s.key.Local]
			s.own = s.own || s.x.connected(s.key)
		}
	}
	return s.own
}

// owner returns the process that has the flow's socket, nil if none is known.
// A guest's flow has none.
func (s *subject) owner() *process {
	if !s.askedOwner {
		s.askedOwner = true
		if s.guest == nil {
			if o, ok := s.x.ownerOf(s.key); ok {
				s.process = s.x.processes[o]
			}
		}
	}
	return s.process
}

func (s *subject) ownerIn(patterns []string) bool {
	p := s.owner()
	if p == nil {
		return false
	}
	for _, pattern := range patterns {
		if isProcess(pattern, p.Name) {
			return true
		}
	}
	return false
}

// label returns the label of the built-in rules for a host's flow, or "".
func (s *subject) label() string {
	if s.guest != nil || !s.isOwn() {
		return ""
	}
	if b, _ := s.builtin(); b != nil {
		return b.Label
	}
	return ""
}

// builtin returns the rule of the built-in table for a flow of this host: that
// of the process, else that of a port.
func (s *subject) builtin() (*builtinRule, string) {
	if !s.askedBuiltin {
		s.askedBuiltin = true
		if p := s.owner(); p != nil && p.rule != nil {
			s.builtinRule, s.builtinWhy = p.rule, p.ruleWhy
		} else if e := s.port(); e != nil {
			s.builtinRule, s.builtinWhy = e.rule, e.why
		}
	}
	return s.builtinRule, s.builtinWhy
}

// port returns the built-in port rule of a flow of this host. A port proves
// nothing while it may be one that was given out for a while:
//   - the local port counts only if something waits on it here;
//   - the remote port counts only if nothing does, for then it is a client's
//     (TCP; a UDP socket that waits for somebody looks like one that asks).
//
// Where it is not known who waits, either port counts. Sockets of the kernel
// need none of this: it asks for no service of its own but storage's.
func (s *subject) port() *portEntry {
	k := s.key
	if !k.HasPorts() {
		return nil
	}
	kernel := s.owner() != nil && s.process.Kernel
	waits, known := s.x.waits(k)
	if e := findPort(k.Proto, k.LocalPort, kernel); e != nil && (waits || !known || kernel) {
		return e
	}
	if e := findPort(k.Proto, k.RemotePort, kernel); e != nil && (!waits || kernel || k.Proto == ProtoUDP) {
		return e
	}
	return nil
}

func (s *subject) hostWhy() string {
	if p := s.owner(); p != nil {
		return p.hostWhy
	}
	return "address of this host"
}
