package host

import (
	"encoding/json"
	"strings"
)

// parseQEMU reads QEMU's arguments, in the comma syntax of all versions and in
// the JSON that libvirt writes since QEMU 6. A -netdev and a -device are one NIC,
// joined by the id.
func parseQEMU(args []string) (v vmm) {
	backends := map[string]vmmNIC{}
	var ids []string // of backends, in order
	fronts := map[string]bool{}
	for i := 0; i+1 < len(args); i++ {
		// QEMU takes one dash or two; no option of those below stands alone.
		opt := strings.TrimPrefix(strings.TrimPrefix(args[i], "-"), "-")
		if opt == args[i] {
			continue
		}
		value := args[i+1]
		switch opt {
		case "name":
			p := properties(value, "guest")
			v.name = p["guest"]
		case "netdev":
			p := properties(value, "type")
			if _, twice := backends[p["id"]]; !twice && len(ids) < mostNICs {
				ids = append(ids, p["id"])
				backends[p["id"]] = vmmNIC{ifname: p["ifname"], fds: handles(p)}
			}
		case "device":
			p := properties(value, "driver")
			id, isNIC := p["netdev"]
			if !isNIC || len(fronts) >= mostNICs {
				continue
			}
			fronts[id] = true
			b := backends[id] // libvirt writes the -netdev first, people too
			b.mac, b.device = parseMAC(p["mac"]), true
			if _, known := backends[id]; !known {
				ids = append(ids, id)
			}
			backends[id] = b
		case "nic", "net":
			if n, ok := legacyNIC(opt, value); ok && len(v.nics) < mostNICs {
				v.nics = append(v.nics, n)
			}
		default:
			continue
		}
		i++
	}
	for _, id := range ids {
		v.nics = append(v.nics, backends[id])
	}
	return v
}

// legacyNIC reads "-nic tap,ifname=,mac=", and of the pair "-net nic,macaddr=" and
// "-net tap,ifname=" each half: which belongs to which is QEMU's hub to know.
func legacyNIC(opt, value string) (vmmNIC, bool) {
	p := properties(value, "type")
	n := vmmNIC{ifname: p["ifname"], fds: handles(p), mac: parseMAC(p["mac"])}
	if opt == "net" && p["type"] == "nic" {
		return vmmNIC{mac: parseMAC(p["macaddr"]), device: true}, true
	}
	n.device = opt == "nic"
	return n, p["type"] == "tap" || p["type"] == "bridge"
}

// handles returns the descriptors of fd= and fds=.
func handles(p map[string]string) (list []string) {
	for _, s := range []string{p["fd"], p["fds"]} {
		for h := range strings.SplitSeq(s, ":") {
			if h != "" && len(list) < mostNICs {
				list = append(list, h)
			}
		}
	}
	return list
}

// properties reads the value of a QEMU option: JSON, or key=value pairs between
// commas where a doubled comma stands for one and the first pair may lack its
// key, which is then implied.
func properties(value, implied string) map[string]string {
	if strings.HasPrefix(strings.TrimSpace(value), "{") {
		return jsonProperties(value)
	}
	p := map[string]string{}
	first := true
	for value != "" && len(p) < mostNICs {
		var pair string
		pair, value = cutComma(value)
		key, v, cut := strings.Cut(pair, "=")
		if !cut && first {
			key, v = implied, pair
		}
		first = false
		if _, twice := p[key]; !twice {
			p[key] = v
		}
	}
	return p
}

// cutComma returns the text before the first single comma, its doubled commas
// made one, and what stands behind it.
func cutComma(s string) (head, tail string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != ',' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 == len(s) || s[i+1] != ',' {
			return b.String(), s[i+1:]
		}
		b.WriteByte(',')
		i++
	}
	return b.String(), ""
}

// jsonProperties returns the plain values of a JSON object; none if it is broken.
func jsonProperties(value string) map[string]string {
	var raw map[string]json.RawMessage
	p := map[string]string{}
	if json.Unmarshal([]byte(value), &raw) != nil {
		return p
	}
	for k, v := range raw {
		var s string
		if json.Unmarshal(v, &s) != nil {
			s = string(v) // a number or a truth value stands for itself
		}
		p[k] = s
	}
	return p
}
