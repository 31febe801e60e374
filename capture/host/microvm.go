package host

import (
	"path"
	"strings"
)

// parseCloudHypervisor reads "--net tap=,mac=,fd=[3,4]"; further --net values may
// follow without a new --net. The guest is called after its API socket, the only
// name that cloud-hypervisor has.
func parseCloudHypervisor(args []string) (v vmm) {
	for _, o := range options(args, "net") {
		switch o.name {
		case "net":
			if len(v.nics) < mostNICs {
				p := bracketed(o.value)
				v.nics = append(v.nics, vmmNIC{ifname: p["tap"], fds: splitList(p["fd"]), mac: parseMAC(p["mac"]), device: true})
			}
		case "api-socket":
			v.name = nameOfSocket(strings.TrimPrefix(o.value, "path="))
		}
	}
	return v
}

// parseFirecracker reads "--id". Its NICs are configured over its API; their
// vifs are known by its file descriptors.
func parseFirecracker(args []string) (v vmm) {
	for _, o := range options(args, "") {
		switch o.name {
		case "id":
			v.name = o.value
		case "api-sock":
			if v.name == "" {
				v.name = nameOfSocket(o.value)
			}
		}
	}
	if v.name == "anonymous-instance" { // its default
		v.name = ""
	}
	return v
}

// parseCrosvm reads "--name", "--net tap-name=,tap-fd=,mac=" and the older
// "--tap-name", "--tap-fd" and "--mac".
func parseCrosvm(args []string) (v vmm) {
	var old vmmNIC
	socket := ""
	for _, o := range options(args, "") {
		switch o.name {
		case "name":
			v.name = o.value
		case "s", "socket":
			socket = o.value
		case "net":
			if len(v.nics) < mostNICs {
				p := properties(o.value, "type")
				v.nics = append(v.nics, vmmNIC{ifname: p["tap-name"], fds: splitList(p["tap-fd"]), mac: parseMAC(p["mac"]), device: true})
			}
		case "tap-name":
			old.ifname = o.value
		case "tap-fd":
			old.fds = splitList(o.value)
		case "mac":
			old.mac = parseMAC(o.value)
		}
	}
	if old.ifname != "" || len(old.fds) > 0 {
		old.device = true
		v.nics = append(v.nics, old)
	}
	if v.name == "" && socket != "" {
		v.name = nameOfSocket(socket)
	}
	return v
}

// parseKvmtool reads "--name" and "--network mode=tap,tapif=,guest_mac=".
func parseKvmtool(args []string) (v vmm) {
	for _, o := range options(args, "") {
		switch o.name {
		case "name":
			v.name = o.value
		case "n", "network":
			if p := properties(o.value, "mode"); p["mode"] == "tap" && len(v.nics) < mostNICs {
				v.nics = append(v.nics, vmmNIC{ifname: p["tapif"], mac: parseMAC(p["guest_mac"]), device: true})
			}
		}
	}
	return v
}

// bracketed is properties with lists in brackets kept whole.
func bracketed(value string) map[string]string {
	depth := 0
	return properties(strings.Map(func(r rune) rune {
		switch {
		case r == '[':
			depth++
			return -1
		case r == ']':
			depth--
			return -1
		case r == ',' && depth > 0:
			return ':'
		}
		return r
	}, value), "")
}

// splitList splits 3:4:5 or 3,4,5.
func splitList(s string) []string {
	list := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == ',' })
	return list[:min(len(list), mostNICs)]
}

// nameOfSocket returns what an API socket is called, without its kind; of a name
// that says only that ("api.sock"), its directory's.
func nameOfSocket(p string) string {
	if p == "" || strings.HasPrefix(p, "fd=") {
		return ""
	}
	name := path.Base(p)
	for _, kind := range []string{".sock", ".socket", "-socket", ".api", "-api"} {
		name = strings.TrimSuffix(name, kind)
	}
	switch name {
	case "", "api", "ch", "clh", "cloud-hypervisor", "firecracker", "crosvm", "vm", "run", "sock", "socket":
		name = path.Base(path.Dir(p))
	}
	if name == "." || name == "/" || name == "run" || name == "tmp" {
		return ""
	}
	return name
}
