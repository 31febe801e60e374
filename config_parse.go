package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"spiketop/flow"
)

// configFile is a configuration file while it is read.
type configFile struct {
	yamlFile
	config
	storage []fileRule
	classes []fileClass
}

// fileClass is a class with its rules; it gets its number when all is read.
type fileClass struct {
	name   string
	letter rune
	at     ast.Node
	rules  []fileRule
}

// fileRule is a rule with its conditions in words.
type fileRule struct {
	flow.Rule
	said []string
	at   ast.Node
}

const (
	configKeys = "storage, classes, vifs, link-speed, ping"
	classKeys  = "name, letter, rules"
	ruleKeys   = "port, proto, cidr, process, vlan, nic, mac, vm, vif, label"
)

// parseConfig reads the text of the file at path. An error is a *configError.
func parseConfig(path string, text []byte) (config, error) {
	f := &configFile{yamlFile: yamlFile{path}}
	root, err := f.parse(text)
	if err != nil || root == nil {
		return config{path: path}, err
	}
	top, err := f.known(root, "a map", configKeys)
	if err != nil {
		return config{}, err
	}
	for _, e := range top {
		if err := f.section(e); err != nil {
			return config{}, err
		}
	}
	return f.finish()
}

func (f *configFile) section(e entry) (err error) {
	if _, empty := e.value.(*ast.NullNode); empty {
		return nil
	}
	switch e.key {
	case "storage":
		f.storage, err = f.ruleList(e.value)
	case "classes":
		err = f.classList(e.value)
	case "vifs":
		f.vifs = map[string]string{}
		err = f.pairs(e.value, "a map of vif and guest, as vnet0: vm_a", func(_, at ast.Node, vif, guest string) error {
			f.vifs[vif] = guest
			return nil
		})
	case "link-speed":
		f.linkSpeed = map[string]uint64{}
		err = f.pairs(e.value, "a map of NIC and rate, as eth0: 25G", func(_, at ast.Node, nic, text string) (err error) {
			if f.linkSpeed[nic], err = parseRate(text); err != nil {
				return f.errorf(at, "%v", err)
			}
			return nil
		})
	case "ping":
		err = f.scalars(e.value, "a host", func(at ast.Node, s string) error {
			f.pings = append(f.pings, s)
			if why := badHost(s); why != "" {
				return f.errorf(at, "%s: %s", quote(s), why)
			}
			return nil
		})
	}
	return err
}

// pairs reads a map of plain values.
func (f *configFile) pairs(n ast.Node, what string, take func(key, value ast.Node, k, v string) error) error {
	list, err := f.entries(n, what)
	for _, e := range list {
		v, err := f.scalar(e.value, "a value")
		if err != nil {
			return err
		}
		if err := take(e.at, e.value, e.key, v); err != nil {
			return err
		}
	}
	return err
}

func (f *configFile) classList(n ast.Node) error {
	list, err := f.list(n, "classes", false)
	for _, v := range list {
		c, err := f.class(v)
		if err != nil {
			return err
		}
		for _, other := range f.classes {
			if other.name == c.name {
				return f.errorf(c.at, "class %s stands here twice", c.name)
			}
			if c.letter != 0 && other.letter == c.letter {
				return f.errorf(c.at, "class %s: the letter %c belongs to class %s", c.name, c.letter, other.name)
			}
		}
		f.classes = append(f.classes, c)
	}
	return err
}

func (f *configFile) class(n ast.Node) (c fileClass, err error) {
	list, err := f.known(n, "a class", classKeys)
	if err != nil {
		return c, err
	}
	c.at = n
	for _, e := range list {
		switch e.key {
		case "name":
			c.at = e.value
			c.name, err = f.scalar(e.value, "a name")
		case "letter":
			var s string
			if s, err = f.scalar(e.value, "a letter of A-Z"); err == nil && len(s) != 1 {
				err = f.errorf(e.value, "%s: want a letter of A-Z", quote(s))
			} else if err == nil {
				c.letter = rune(s[0])
			}
		case "rules":
			c.rules, err = f.ruleList(e.value)
		}
		if err != nil {
			return c, err
		}
	}
	if c.name == "" || len(c.rules) == 0 {
		return c, f.errorf(c.at, "a class has a name and rules")
	}
	if err := flow.CheckClass(c.name, c.letter); err != nil {
		return c, f.errorf(c.at, "%v", err)
	}
	return c, nil
}

func (f *configFile) ruleList(n ast.Node) (rules []fileRule, err error) {
	list, err := f.list(n, "rules", false)
	for _, v := range list {
		r, err := f.rule(v)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, err
}

// rule reads a rule: a map of conditions that must all hold, or a single value
// in the short form of --storage.
func (f *configFile) rule(n ast.Node) (r fileRule, err error) {
	r.at = n
	if !isMap(n) {
		s, err := f.scalar(n, "a rule: a map with "+ruleKeys+"; or in short a port, network or process")
		if err != nil {
			return r, err
		}
		if r.Rule, err = flow.ParseRule(flow.Storage, s); err != nil {
			_, why, _ := strings.Cut(err.Error(), ": ")
			return r, f.errorf(n, "%s: %s", quote(s), why)
		}
		what, _, _ := strings.Cut(r.Why, " (")
		r.said = []string{what}
		return r, nil
	}
	list, err := f.known(n, "a rule", ruleKeys)
	for _, e := range list {
		values := []string{}
		err := f.scalars(e.value, "a value", func(at ast.Node, s string) error {
			if why := r.add(e.key, s); why != nil {
				return f.errorf(at, "%s %s: %v", e.key, quote(s), why)
			}
			values = append(values, s)
			return nil
		})
		if err != nil {
			return r, err
		}
		r.said = append(r.said, ruleWords[e.key]+strings.Join(values, " or "))
	}
	if err == nil && len(list) == 0 {
		err = f.errorf(n, "a rule needs a condition")
	}
	return r, err
}

var ruleWords = map[string]string{"port": "port ", "proto": "", "cidr": "in ", "process": "process ", "vlan": "VLAN ", "nic": "on ",
	"mac": "MAC ", "vm": "", "vif": "vif ", "label": "label "}

func isMap(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// add adds a value to the condition called key.
func (r *fileRule) add(key, s string) error {
	switch key {
	case "port":
		p, err := flow.ParsePorts(s)
		r.Ports = append(r.Ports, p)
		return err
	case "proto":
		n, err := protoNumber(s)
		r.Protos = append(r.Protos, n)
		return err
	case "cidr":
		p, err := flow.ParseNetwork(s)
		r.Prefixes = append(r.Prefixes, p)
		return err
	case "process":
		r.Processes = append(r.Processes, s)
		return flow.CheckProcess(s)
	case "vlan":
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n > 4095 {
			return fmt.Errorf("want 1-4095, or 0 for what has no tag")
		}
		r.VLANs = append(r.VLANs, uint16(n))
	case "mac":
		m, err := net.ParseMAC(s)
		if err != nil || len(m) != 6 {
			return fmt.Errorf("want a form like 52:54:00:12:34:56")
		}
		r.MACs = append(r.MACs, [6]byte(m))
	case "nic":
		r.NICs = append(r.NICs, s)
	case "vm":
		r.Guests = append(r.Guests, s)
	case "vif":
		r.VIFs = append(r.VIFs, s)
	case "label":
		if !slices.Contains(flow.Labels[:], s) {
			return fmt.Errorf("there are %s", strings.Join(flow.Labels[:], ", "))
		}
		r.Labels = append(r.Labels, s)
	}
	return nil
}

func protoNumber(s string) (uint8, error) {
	switch s {
	case "tcp":
		return flow.ProtoTCP, nil
	case "udp":
		return flow.ProtoUDP, nil
	case "sctp":
		return flow.ProtoSCTP, nil
	case "icmp":
		return flow.ProtoICMP, nil
	case "icmp6":
		return flow.ProtoICMPv6, nil
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("want tcp, udp, sctp, icmp, icmp6 or a number of 0-255")
	}
	return uint8(n), nil
}

// finish gives the classes their numbers and the rules their reasons: storage
// first, then the classes as they stand in the file.
func (f *configFile) finish() (config, error) {
	f.config.path = f.yamlFile.path
	f.addRules(flow.Storage, f.storage)
	for _, c := range f.classes {
		class, err := flow.DefineClass(c.name, c.letter)
		if err != nil {
			return config{}, f.errorf(c.at, "%v", err)
		}
		f.addRules(class, c.rules)
	}
	return f.config, nil
}

func (f *configFile) addRules(class flow.Class, rules []fileRule) {
	for _, r := range rules {
		r.Class, r.Text = class, strings.Join(r.said, ", ")
		line := 1
		if t := startOf(r.at); t != nil && t.Position != nil {
			line = t.Position.Line
		}
		r.Why = fmt.Sprintf("%s (%s:%d)", clip(r.Text, 160), filepath.Base(f.yamlFile.path), line)
		f.rules = append(f.rules, r.Rule)
	}
}

// clip shortens printable text for a reason.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
