package host

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
)

// ovsNIC is an interface of an Open vSwitch.
type ovsNIC struct {
	vif    string
	guest  string
	mac    [6]byte
	bridge string
}

const ovsRemedy = "run as root, or let this user write to Open vSwitch's db.sock"

// askOVS asks the switch's database, if there is a switch.
func (f *Finder) askOVS(ctx context.Context, there bool) (list []ovsNIC, r SourceReport) {
	r = SourceReport{Source: fromOVS.String()}
	if !there {
		return nil, r
	}
	program, err := f.lookPath("ovs-vsctl")
	if err != nil {
		r.Status, r.Detail, r.Remedy = Failed, "no ovs-vsctl", "install openvswitch-switch's tools"
		return nil, r
	}
	out, err := f.command(ctx, program, "--timeout=2", "--no-wait", "--format=json",
		"--", "--columns=_uuid,name,external_ids", "list", "Interface",
		"--", "--columns=_uuid,name,interfaces", "list", "Port",
		"--", "--columns=_uuid,name,ports", "list", "Bridge")
	if err != nil {
		r = failed(fromOVS, err, ovsRemedy)
		if os.Geteuid() != 0 {
			r.Status, r.Remedy = NotPermitted, ovsRemedy
		}
		return nil, r
	}
	list = parseOVS(out)
	return list, found(fromOVS, "interfaces", len(list))
}

// ovsTable is a table as ovs-vsctl prints it with --format=json; values are in
// the notation of RFC 7047: ["uuid", x], ["set", [...]], ["map", [[k, v], ...]].
type ovsTable struct {
	Headings []string            `json:"headings"`
	Data     [][]json.RawMessage `json:"data"`
}

func parseOVS(out []byte) (list []ovsNIC) {
	var tables [3]ovsTable
	dec := json.NewDecoder(bytes.NewReader(out))
	for i := range tables {
		if dec.Decode(&tables[i]) != nil {
			break // what came so far is good
		}
	}
	bridgeOf := map[string]string{} // uuid of a port, then of an interface
	tables[2].each(func(row map[string]json.RawMessage) {
		for _, port := range ovsUUIDs(row["ports"]) {
			bridgeOf[port] = ovsText(row["name"])
		}
	})
	tables[1].each(func(row map[string]json.RawMessage) {
		for _, own := range ovsUUIDs(row["_uuid"]) {
			for _, nic := range ovsUUIDs(row["interfaces"]) {
				bridgeOf[nic] = bridgeOf[own]
			}
		}
	})
	tables[0].each(func(row map[string]json.RawMessage) {
		n := ovsNIC{vif: ovsText(row["name"])}
		for _, own := range ovsUUIDs(row["_uuid"]) {
			n.bridge = clean(bridgeOf[own])
		}
		n.describe(ovsMap(row["external_ids"]))
		if n.vif != "" {
			list = append(list, n)
		}
	})
	return list
}

// describe reads external_ids (ovs-vswitchd.conf.db(5), "Virtual Machine
// Identifiers"). A name is better than a number; OVN's iface-id of a pod is
// namespace_name.
func (n *ovsNIC) describe(ids map[string]string) {
	for _, key := range []string{"attached-mac", "attached_mac"} {
		if m := parseMAC(ids[key]); n.mac == ([6]byte{}) {
			n.mac = m
		}
	}
	if id := ids["iface-id"]; id != "" && !isUUID(id) {
		n.guest = clean(id)
	}
	for _, key := range []string{"vm-name", "vm-uuid", "vm-id", "xs-vm-uuid"} {
		if n.guest == "" {
			n.guest = clean(ids[key])
		}
	}
}

func isUUID(s string) bool {
	return len(s) == 36 && strings.Count(s, "-") == 4 && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}

func (t *ovsTable) each(f func(row map[string]json.RawMessage)) {
	for _, cells := range t.Data {
		row := map[string]json.RawMessage{}
		for i, cell := range cells[:min(len(cells), len(t.Headings))] {
			row[t.Headings[i]] = cell
		}
		f(row)
	}
}

func ovsText(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // "" if it is none
	return s
}

// ovsUUIDs returns the ids of a ["uuid", x] or of a ["set", [["uuid", x], ...]].
func ovsUUIDs(raw json.RawMessage) (ids []string) {
	var pair []json.RawMessage
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 {
		return nil
	}
	switch ovsText(pair[0]) {
	case "uuid":
		if id := ovsText(pair[1]); id != "" {
			ids = append(ids, id)
		}
	case "set":
		var set []json.RawMessage
		_ = json.Unmarshal(pair[1], &set)
		for _, one := range set {
			var atom []string
			if json.Unmarshal(one, &atom) == nil && len(atom) == 2 && atom[0] == "uuid" {
				ids = append(ids, atom[1])
			}
		}
	}
	return ids
}

// ovsMap returns a ["map", [[key, value], ...]].
func ovsMap(raw json.RawMessage) map[string]string {
	m := map[string]string{}
	var pair []json.RawMessage
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || ovsText(pair[0]) != "map" {
		return m
	}
	var entries [][]string
	_ = json.Unmarshal(pair[1], &entries)
	for _, e := range entries {
		if len(e) == 2 {
			m[e[0]] = e[1]
		}
	}
	return m
}
