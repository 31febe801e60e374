package flow

import (
	"fmt"
	"strings"
)

// String writes the filter as it was understood, each test with its own
// qualifiers: "host a or b" becomes "host a or host b". What it writes means the
// same when it is read again. A nil Filter gives "".
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	var b strings.Builder
	f.expr.write(&b)
	return b.String()
}

func (e *filterExpr) write(b *strings.Builder) {
	for i := range e.terms {
		if i > 0 && e.and[i-1] {
			b.WriteString(" and ")
		} else if i > 0 {
			b.WriteString(" or ")
		}
		e.terms[i].write(b)
	}
}

func (t *filterTerm) write(b *strings.Builder) {
	if t.not {
		b.WriteString("not ")
	}
	if t.sub == nil {
		b.WriteString(t.test.String())
		return
	}
	b.WriteByte('(')
	t.sub.write(b)
	b.WriteByte(')')
}

var (
	filterProtoNames = [...]string{protoIP: "ip ", protoIP6: "ip6 ", protoARP: "arp ", protoTCP: "tcp ", protoUDP: "udp ",
		protoSCTP: "sctp ", protoICMP: "icmp ", protoICMP6: "icmp6 "}
	filterDirNames = [...]string{dirSrc: "src ", dirDst: "dst ", dirBoth: "src and dst "}
)

// String writes one test.
func (t *filterTest) String() string {
	q := filterProtoNames[t.proto] + filterDirNames[t.dir]
	switch t.kind {
	case kindHost:
		return q + "host " + t.prefix.Addr().String()
	case kindNet:
		return q + "net " + t.prefix.String()
	case kindPort:
		return fmt.Sprintf("%sport %d", q, t.lo)
	case kindPortRange:
		return fmt.Sprintf("%sportrange %d-%d", q, t.lo, t.hi)
	case kindIPProto:
		return fmt.Sprintf("%sproto %d", q, t.lo)
	case kindVLAN:
		if t.lo == 0 {
			return "vlan"
		}
		return fmt.Sprintf("vlan %d", t.lo)
	case kindClass:
		return "class:" + t.class.String()
	case kindNIC:
		return "nic:" + t.name
	case kindGuest:
		return "vm:" + t.name
	case kindProcess:
		return "process:" + t.name
	}
	return strings.TrimSuffix(q, " ")
}
