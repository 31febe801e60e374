package flow

import "net/netip"

// Filter is an expression of the filter language (docs/FILTER.md): tcpdump's
// words for hosts, networks, ports and protocols, and ours for classes and NICs.
// It says what is shown; totals, detector and evidence never depend on it.
//
// A Filter never changes after [ParseFilter] and may be shared by goroutines. A
// nil *Filter matches everything.
type Filter struct{ expr *filterExpr }

// Match reports whether the traffic of flow k in direction dir matches: src is
// the end that sends in that direction. class and nic are those of the row. A
// row that stands for both directions is shown if a direction with traffic
// matches. It allocates nothing. The row's guest and process are not known to
// it: use [Filter.MatchRow] where they are.
func (f *Filter) Match(k *Key, dir Direction, class Class, nic string) bool {
	return f.MatchRow(&FilterRow{Key: k, Dir: dir, Class: class, NIC: nic})
}

// FilterRow is what a filter may ask of a row.
type FilterRow struct {
	Key     *Key
	Dir     Direction
	Class   Class
	NIC     string // captured NIC
	Guest   string // GuestNIC.Guest, "" = no guest's, or not known
	VIF     string // GuestNIC.Name
	Process string // Owner.Name
}

// MatchRow is Match with all that is known of a row.
func (f *Filter) MatchRow(r *FilterRow) bool { return f == nil || f.expr.match(r) }

// filterExpr is a chain of terms. and and or have the same precedence and are
// taken from left to right, as in pcap-filter(7).
type filterExpr struct {
	terms []filterTerm
	and   []bool // and[i] stands between terms[i] and terms[i+1]; false is "or"
}

// filterTerm is a test or an expression in parentheses, maybe denied.
type filterTerm struct {
	not  bool
	test *filterTest
	sub  *filterExpr
}

func (e *filterExpr) match(in *FilterRow) bool {
	ok := e.terms[0].match(in)
	for i, and := range e.and {
		if ok == and { // else the result cannot change
			ok = e.terms[i+1].match(in)
		}
	}
	return ok
}

func (t *filterTerm) match(in *FilterRow) bool {
	if t.sub != nil {
		return t.sub.match(in) != t.not
	}
	return t.test.match(in) != t.not
}

// filterQual is what an id is: the qualifiers in front of it. They carry over:
// in "src host a or b" b is a source host too.
type filterQual struct {
	proto filterProto
	dir   filterDir
	kind  filterKind
}

// filterTest is one primitive.
type filterTest struct {
	filterQual
	prefix netip.Prefix // host, net
	lo, hi uint16       // port, portrange, proto (lo), vlan (lo; 0 = any)
	class  Class
	name   string // nic, guest or vif, process
}

type filterKind uint8

const (
	kindProto     filterKind = iota // the protocol alone: "tcp"
	kindHost                        // "host", and what has no type
	kindNet                         //
	kindPort                        //
	kindPortRange                   //
	kindIPProto                     // "proto 6"
	kindVLAN                        //
	kindClass                       // "class:storage"
	kindNIC                         // "nic:eth0"
	kindGuest                       // "vm:vm_a", by the guest's name or its vif's
	kindProcess                     // "process:ceph-osd", "process:curve*"
)

type filterDir uint8

const (
	dirEither filterDir = iota // "src or dst", and what has no direction
	dirSrc
	dirDst
	dirBoth // "src and dst"
)

type filterProto uint8

const (
	protoAny filterProto = iota
	protoIP
	protoIP6
	protoARP
	protoTCP
	protoUDP
	protoSCTP
	protoICMP
	protoICMP6
)

func (p filterProto) match(k *Key) bool {
	switch p {
	case protoIP:
		return k.Family == FamilyIPv4
	case protoIP6:
		return k.Family == FamilyIPv6
	case protoARP:
		return k.Family == FamilyMAC && k.LocalPort == 0x0806
	case protoTCP:
		return k.Family != FamilyMAC && k.Proto == ProtoTCP
	case protoUDP:
		return k.Family != FamilyMAC && k.Proto == ProtoUDP
	case protoSCTP:
		return k.Family != FamilyMAC && k.Proto == ProtoSCTP
	case protoICMP:
		return k.Family == FamilyIPv4 && k.Proto == ProtoICMP
	case protoICMP6:
		return k.Family == FamilyIPv6 && k.Proto == ProtoICMPv6
	}
	return true
}

func (t *filterTest) match(in *FilterRow) bool {
	k := in.Key
	if !t.proto.match(k) {
		return false
	}
	switch t.kind {
	case kindHost, kindNet:
		return k.Family != FamilyMAC && t.ends(in, t.prefix.Contains(k.LocalAddr()), t.prefix.Contains(k.RemoteAddr()))
	case kindPort, kindPortRange:
		return k.HasPorts() && t.ends(in, t.lo <= k.LocalPort && k.LocalPort <= t.hi, t.lo <= k.RemotePort && k.RemotePort <= t.hi)
	case kindIPProto:
		return k.Family != FamilyMAC && uint16(k.Proto) == t.lo
	case kindVLAN:
		return k.VLAN != 0 && (t.lo == 0 || t.lo == k.VLAN)
	case kindClass:
		return in.Class == t.class
	case kindNIC:
		return in.NIC == t.name
	case kindGuest:
		return in.Guest == t.name || in.VIF == t.name
	case kindProcess:
		return isProcess(t.name, in.Process)
	}
	return true
}

// ends joins what holds for the two ends: what leaves (Tx) has the local end as
// its source.
func (t *filterTest) ends(in *FilterRow, local, remote bool) bool {
	src, dst := remote, local
	if in.Dir == Tx {
		src, dst = local, remote
	}
	switch t.dir {
	case dirSrc:
		return src
	case dirDst:
		return dst
	case dirBoth:
		return src && dst
	}
	return src || dst
}
