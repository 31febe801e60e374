package flow

import (
	"fmt"
	"strings"
)

// Bounds of a filter: it is typed by a person.
const (
	MaxFilter      = 4096 // bytes
	maxFilterDepth = 50   // parentheses in one another
)

// ParseFilter reads a filter expression. An empty one (or blanks) gives a nil
// Filter, which matches everything. The error is a [*FilterError].
func ParseFilter(s string) (*Filter, error) {
	if len(s) > MaxFilter {
		return nil, &FilterError{1, "", fmt.Sprintf("the filter is longer than %d bytes", MaxFilter)}
	}
	p := filterParser{tokens: filterTokens(s)}
	if p.peek().text == "" {
		return nil, nil
	}
	e, err := p.expr(0, p.term)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.text != "" {
		return nil, t.errorf("expected and, or, or the end")
	}
	return &Filter{e}, nil
}

// filterParser follows the grammar of pcap-filter by recursive descent. Only
// parentheses recurse, to maxFilterDepth.
type filterParser struct {
	tokens []filterToken
	next   int
	// last are the qualifiers that carry over to an id without its own; carry is
	// false where there are none (after "tcp", "vlan", a closing parenthesis).
	last  filterQual
	carry bool
}

func (p *filterParser) peek() filterToken { return p.tokens[p.next] }

// peekAt looks n tokens ahead; behind the end is the end.
func (p *filterParser) peekAt(n int) filterToken { return p.tokens[min(p.next+n, len(p.tokens)-1)] }

func (p *filterParser) take() filterToken {
	t := p.peek()
	if t.text != "" {
		p.next++
	}
	return t
}

// expr reads terms joined by and and or up to a closing parenthesis or the end.
func (p *filterParser) expr(depth int, term func(depth int) (filterTerm, error)) (*filterExpr, error) {
	e := new(filterExpr)
	for {
		t, err := term(depth)
		if err != nil {
			return nil, err
		}
		e.terms = append(e.terms, t)
		switch p.peek().text {
		case "and", "&&":
			e.and = append(e.and, true)
		case "or", "||":
			e.and = append(e.and, false)
		default:
			return e, nil
		}
		p.take()
	}
}

// denied takes any number of nots and reports whether they deny.
func (p *filterParser) denied() bool {
	not := false
	for p.peek().text == "not" || p.peek().text == "!" {
		p.take()
		not = !not
	}
	return not
}

// term reads a primitive, an expression in parentheses, or an id to which the
// last qualifiers carry over; each may be denied.
func (p *filterParser) term(depth int) (filterTerm, error) {
	not := p.denied()
	var t filterTerm
	var err error
	switch {
	case p.peek().text == "(" && !p.idFollows():
		t, err = p.group(depth, p.term)
		p.carry = false // tcpdump carries nothing out of parentheses either
	case p.idFollows():
		t, err = p.id(depth)
	default:
		t, err = p.primitive(depth)
	}
	t.not = t.not != not
	return t, err
}

// idFollows reports whether, behind parentheses and nots, comes a value that
// takes the qualifiers in front of it.
func (p *filterParser) idFollows() bool {
	if !p.carry {
		return false
	}
	for n := 0; ; n++ {
		switch t := p.peekAt(n).text; t {
		case "(", "!", "not":
		default:
			return t != "" && !isFilterWord(t)
		}
	}
}

// group reads an expression in parentheses.
func (p *filterParser) group(depth int, term func(int) (filterTerm, error)) (filterTerm, error) {
	open := p.take()
	if depth == maxFilterDepth {
		return filterTerm{}, open.errorf("more than %d parentheses in one another", maxFilterDepth)
	}
	e, err := p.expr(depth+1, term)
	if err != nil {
		return filterTerm{}, err
	}
	if t := p.take(); t.text != ")" {
		return filterTerm{}, t.errorf("expected and, or, or the ) of column %d", open.column)
	}
	if len(e.terms) == 1 {
		return e.terms[0], nil
	}
	return filterTerm{sub: e}, nil
}

// id reads a value for the qualifiers p.last: alone, denied, or several in
// parentheses ("host (a or b)").
func (p *filterParser) id(depth int) (filterTerm, error) {
	not := p.denied()
	var t filterTerm
	var err error
	if p.peek().text == "(" {
		t, err = p.group(depth, p.id)
	} else {
		t.test, err = p.last.value(p.take())
	}
	t.not = t.not != not
	return t, err
}

// primitive reads a test that begins with a word.
func (p *filterParser) primitive(depth int) (filterTerm, error) {
	t := p.peek()
	p.carry = false
	if key, value, ok := filterLabel(t.text); ok {
		p.take()
		test, err := labelTest(t, key, value)
		return filterTerm{test: test}, err
	}
	if t.text == "vlan" {
		p.take()
		test, err := p.vlan()
		return filterTerm{test: test}, err
	}
	q, alone, err := p.qualifiers()
	if err != nil {
		return filterTerm{}, err
	}
	if alone {
		return filterTerm{test: &filterTest{filterQual: q}}, nil
	}
	p.last, p.carry = q, true
	return p.id(depth)
}

// qualifiers reads [protocol] [direction] [type]; alone says that nothing but a
// protocol stands there, which is a test by itself.
func (p *filterParser) qualifiers() (q filterQual, alone bool, err error) {
	first := p.peek()
	hasProto, hasDir, hasKind := false, false, false
	if q.proto, hasProto = filterProtos[first.text]; hasProto {
		p.take()
	}
	if q.dir, hasDir, err = p.direction(); err != nil {
		return q, false, err
	}
	q.kind = kindHost
	kind := p.peek()
	if k, ok := filterKinds[kind.text]; ok {
		p.take()
		q.kind, hasKind = k, true
	}
	switch {
	case hasProto && !hasDir && !hasKind:
		q.kind = kindProto
		return q, true, nil
	case !hasProto && !hasDir && !hasKind:
		return q, false, p.noPrimitive(first)
	case q.kind == kindIPProto && hasDir:
		return q, false, kind.errorf("src and dst say nothing about a protocol")
	case !q.allowed():
		return q, false, first.errorf("cannot stand in front of %s", filterKindNames[q.kind])
	}
	return q, false, nil
}

// allowed reports whether the protocol may qualify the type.
func (q *filterQual) allowed() bool {
	switch q.proto {
	case protoAny:
		return true
	case protoIP, protoIP6:
		return q.kind == kindHost || q.kind == kindNet || q.kind == kindIPProto
	case protoTCP, protoUDP, protoSCTP:
		return q.kind == kindPort || q.kind == kindPortRange
	}
	return false
}

// direction reads src, dst, or both joined by and or or.
func (p *filterParser) direction() (d filterDir, ok bool, err error) {
	first := p.peek().text
	if first != "src" && first != "dst" {
		return dirEither, false, nil
	}
	p.take()
	op, second := p.peek().text, p.peekAt(1)
	if op == "and" || op == "or" || op == "&&" || op == "||" {
		if second.text != "src" && second.text != "dst" || second.text == first {
			return 0, false, p.peek().errorf("%s needs a host, net or port first", first)
		}
		p.take()
		p.take()
		if op == "and" || op == "&&" {
			return dirBoth, true, nil
		}
		return dirEither, true, nil
	}
	if first == "src" {
		return dirSrc, true, nil
	}
	return dirDst, true, nil
}

// noPrimitive explains a token with which no test begins.
func (p *filterParser) noPrimitive(t filterToken) error {
	switch {
	case t.text == "":
		return t.errorf("something is missing here")
	case t.text == ")" || t.text == "and" || t.text == "or" || t.text == "&&" || t.text == "||":
		return t.errorf("expected a test before it")
	case t.text[0] >= '0' && t.text[0] <= '9' || strings.Contains(t.text, "::"):
		return t.errorf("say what it is: host, net, port, portrange, proto or vlan")
	}
	return t.errorf("not known here: want host, net, port, portrange, src, dst, ip, ip6, arp, tcp, udp, sctp, icmp, icmp6, proto, vlan, class:NAME, nic:NAME, vm:NAME or process:NAME")
}
