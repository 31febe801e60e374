package incident

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"spiketop/flow"
)

// Mask returns a copy of in for somebody who must not learn who is who: every
// address, and every name of a host, a VM or container, a vif, a process or a
// class of the user's, is replaced by a pseudonym, the same one throughout. NICs
// and bonds keep their names, ports, times and figures stay. IPv4 addresses
// become those of 198.18.0.0/15 (RFC 2544), IPv6 those of 2001:db8::/32 (RFC
// 3849), so that whatever reads the original reads the copy.
//
// It does not change in and may be called from any goroutine.
func Mask(in *Incident) (*Incident, error) {
	var b bytes.Buffer
	if err := WriteJSON(&b, in); err != nil {
		return nil, fmt.Errorf("mask incident: %w", err)
	}
	out, err := ReadJSON(&b)
	if err != nil {
		return nil, fmt.Errorf("mask incident: %w", err)
	}
	m := newMasker()
	m.learn(reflect.ValueOf(out), "")
	m.learnPath(out)
	m.sort()
	m.replace(reflect.ValueOf(out))
	out.ID = maskedID(in.ID, out.Trigger.Target)
	out.Number, out.Open = in.Number, in.Open
	return out, nil
}

// masker knows the pseudonyms of one incident.
type masker struct {
	names []string          // longest first
	said  map[string]string // name -> pseudonym
	count map[string]int    // by kind of name
	addrs map[netip.Addr]netip.Addr
	macs  map[string]string
	v4    uint32
	v6    uint64
}

func newMasker() *masker {
	return &masker{said: map[string]string{}, count: map[string]int{}, addrs: map[netip.Addr]netip.Addr{}, macs: map[string]string{}}
}

// kindOf says which fields hold a name, by their name in JSON.
var kindOf = map[string]string{
	"host": "host", "target": "host", "src": "host", "vm": "vm", "vif": "vif", "process": "process", "class": "class", "cause": "class",
}

// ownWords are classes and causes that every spiketop has.
var ownWords = []string{flow.Unknown.String(), flow.Storage.String(), flow.VIF.String(), flow.Host.String(), flow.Control.String(),
	CauseTraffic, CauseLink, CauseSelf, CauseNone, CauseUnknown}

// learn notes every name in the tree below v.
func (m *masker) learn(v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			m.learn(v.Elem(), field)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if v.Type() == reflect.TypeFor[ClassPart]() && name == "name" {
				name = "class"
			}
			if v.Type().Field(i).IsExported() {
				m.learn(v.Field(i), name)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			m.learn(v.Index(i), field)
		}
	case reflect.String:
		if kind := kindOf[field]; kind != "" {
			m.name(kind, v.String())
		}
	}
}

// name gives a name its pseudonym.
func (m *masker) name(kind, s string) {
	switch kind {
	case "process":
		s, _, _ = strings.Cut(s, "[") // the pid stays
		if strings.HasPrefix(s, "kernel") {
			return
		}
	case "class":
		if slices.Contains(ownWords, s) {
			return
		}
	case "host":
		if _, err := netip.ParseAddr(s); err == nil {
			return
		}
	}
	if s == "" || m.said[s] != "" {
		return
	}
	m.count[kind]++
	m.said[s] = fmt.Sprintf("%s-%d", kind, m.count[kind])
	m.names = append(m.names, s)
}

func (m *masker) sort() {
	slices.SortFunc(m.names, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
}

// replace rewrites every string below v that can hold a name or an address.
func (m *masker) replace(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			m.replace(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !fixedWords[v.Type().Name()+"."+f.Name] {
				m.replace(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			m.replace(v.Index(i))
		}
	case reflect.String:
		v.SetString(m.text(v.String()))
	}
}

// fixedWords are fields whose words are ours: a VM named "storage" must not make
// a file that no reader understands.
var fixedWords = map[string]bool{
	"Incident.Schema": true, "Incident.ID": true, "Incident.Version": true, "Incident.Engine": true,
	"Trigger.Kind": true, "Trigger.Member": true, "Trigger.ReplyMember": true, "Trigger.Rule": true,
	"FlowRow.Link": true, "FlowRow.Proto": true, "FlowRow.HashMember": true, "LinkPart.Name": true, "LinkPart.Bond": true,
	"LinkPart.State": true, "SeriesLink.Name": true, "PingPart.Member": true, "WayPart.Link": true, "WayPart.Direction": true,
	"ChainFlow.Link": true, "ChainFlow.Proto": true, "BurstPart.Proto": true, "BondPart.Name": true, "BondPart.Mode": true,
	"BondPart.Policy": true, "MemberPart.Name": true, "MemberPart.State": true, "MemberPart.MII": true,
	"PathPart.VerdictSegment": true, "PathLeg.What": true, "Verdict.Link": true, "Verdict.Direction": true, "Verdict.Confidence": true,
}

// text replaces the addresses in one string, and the names between them.
func (m *masker) text(s string) string {
	if p := m.said[s]; p != "" {
		return p
	}
	var b strings.Builder
	last := 0
	for _, at := range addrForm.FindAllStringIndex(s, -1) {
		b.WriteString(m.words(s[last:at[0]]))
		b.WriteString(m.addr(s[at[0]:at[1]]))
		last = at[1]
	}
	b.WriteString(m.words(s[last:]))
	return b.String()
}

// words replaces names in a text without addresses. A short number that is a
// VM's name as well ("101") is left: it says nobody's name there, and would spoil
// every figure.
func (m *masker) words(s string) string {
	for _, n := range m.names {
		if len(n) > 4 || strings.Trim(n, "0123456789") != "" {
			s = replaceWord(s, n, m.said[n])
		}
	}
	return s
}

// addrForm finds what may be a MAC, an IPv6 or an IPv4 address.
var addrForm = regexp.MustCompile(`[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*[0-9a-fA-F:]|\b[0-9]{1,3}(\.[0-9]{1,3}){3}\b`)

func (m *masker) mac(s string) string {
	k := strings.ToLower(s)
	if m.macs[k] == "" {
		n := len(m.macs) + 1
		m.macs[k] = fmt.Sprintf("02:00:00:%02x:%02x:%02x", n>>16&0xff, n>>8&0xff, n&0xff)
	}
	return m.macs[k]
}

// addr replaces an address. "Any address" and loopback name nobody.
func (m *masker) addr(s string) string {
	if mac, err := net.ParseMAC(s); err == nil && len(mac) == 6 {
		return m.mac(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() || a.IsLoopback() {
		return s
	}
	to, ok := m.addrs[a]
	if !ok {
		to = m.nextAddr(a.Is4())
		m.addrs[a] = to
	}
	return to.String()
}

func (m *masker) nextAddr(v4 bool) netip.Addr {
	if v4 {
		m.v4++
		n := m.v4 & 0x1ffff // 198.18.0.0/15
		return netip.AddrFrom4([4]byte{198, byte(18 + n>>16), byte(n >> 8), byte(n)})
	}
	m.v6++
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint64(b[8:], m.v6)
	return netip.AddrFrom16(b)
}

// replaceWord replaces what where it is not a part of a longer word.
func replaceWord(s, what, by string) string {
	var b strings.Builder
	for from := 0; ; {
		i := strings.Index(s[from:], what)
		if i < 0 {
			b.WriteString(s[from:])
			return b.String()
		}
		i += from
		end := i + len(what)
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		after, _ := utf8.DecodeRuneInString(s[end:])
		if i > 0 && inWord(before) || end < len(s) && inWord(after) {
			b.WriteString(s[from:end])
		} else {
			b.WriteString(s[from:i] + by)
		}
		from = end
	}
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// maskedID is an ID with the masked target in the place of the true one.
func maskedID(id, target string) string {
	stamp, rest, ok := cutAt(id, len(idTime))
	if !ok || rest == "-"+KindManual || strings.HasPrefix(rest, "-"+KindManual+".") {
		return id
	}
	return stamp + "-" + nameInID(target)
}
