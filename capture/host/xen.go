package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// xenNIC is a vif as Xen's store has it.
type xenNIC struct {
	domid, number int
	vif           string // the name that the store gives it, or Xen's own: vif<domid>.<number>
	mac           [6]byte
	bridge        string
}

// onXen reports whether this is a Xen control domain: only the hypervisor says so,
// never a device's name.
func (f *Finder) onXen() bool {
	b, err := readFile(filepath.Join(f.opt.Proc, "xen/capabilities"), 4096)
	return err == nil && bytes.Contains(b, []byte("control_d"))
}

// askXen reads the store of a Xen control domain.
func (f *Finder) askXen(ctx context.Context) (nics []xenNIC, names map[int]string, r SourceReport) {
	r = SourceReport{Source: fromXen.String()}
	if !f.onXen() {
		return nil, nil, r
	}
	program, err := f.lookPath("xenstore-ls")
	if err != nil {
		r.Status, r.Detail, r.Remedy = Failed, "no xenstore-ls", "install the Xen tools"
		return nil, nil, r
	}
	out, err := f.command(ctx, program, "-f", "/local/domain/0/backend/vif")
	if err != nil {
		return nil, nil, xenFailed(err)
	}
	nics = parseXenStore(out)
	names, err = f.xenNames(ctx)
	if err != nil {
		return nics, names, xenFailed(err)
	}
	return nics, names, found(fromXen, "vifs", len(nics))
}

func xenFailed(err error) SourceReport {
	r := failed(fromXen, err, "")
	if os.Geteuid() != 0 {
		r.Status, r.Remedy = NotPermitted, "run as root"
	}
	return r
}

// xenNames returns the domains' names, with xl or without.
func (f *Finder) xenNames(ctx context.Context) (map[int]string, error) {
	var failure error
	if xl, err := f.lookPath("xl"); err == nil {
		out, err := f.command(ctx, xl, "list")
		if err == nil {
			return parseXlList(out), nil
		}
		failure = err
	}
	read, err := f.lookPath("xenstore-read")
	if err != nil {
		return nil, errors.Join(failure, err)
	}
	ls, err := f.lookPath("xenstore-list")
	if err != nil {
		return nil, errors.Join(failure, err)
	}
	out, err := f.command(ctx, ls, "/local/domain")
	if err != nil {
		return nil, errors.Join(failure, err)
	}
	names := map[int]string{}
	for _, word := range strings.Fields(string(out)) {
		id, err := strconv.Atoi(word)
		if err != nil || id <= 0 || len(names) >= mostDomains || ctx.Err() != nil {
			continue
		}
		name, err := f.command(ctx, read, fmt.Sprintf("/local/domain/%d/name", id))
		if err == nil {
			names[id] = clean(strings.TrimRight(string(name), "\n"))
		}
	}
	return names, nil
}

// parseXenStore reads "xenstore-ls -f" of the network back ends: lines of
// /local/domain/0/backend/vif/<domid>/<number>/<key> = "<value>".
func parseXenStore(out []byte) (list []xenNIC) {
	at := map[[2]int]int{}
	for line := range strings.Lines(string(out)) {
		path, value, ok := strings.Cut(strings.TrimRight(line, "\n"), " = ")
		parts := strings.Split(path, "/")
		if !ok || len(parts) < 3 || parts[len(parts)-1] == "" {
			continue
		}
		key := parts[len(parts)-1]
		domid, err1 := strconv.Atoi(parts[len(parts)-3])
		number, err2 := strconv.Atoi(parts[len(parts)-2])
		if err1 != nil || err2 != nil || domid <= 0 || number < 0 {
			continue
		}
		id := [2]int{domid, number}
		i, known := at[id]
		if !known {
			if len(list) >= mostDomains*4 {
				continue
			}
			i = len(list)
			at[id], list = i, append(list, xenNIC{domid: domid, number: number, vif: fmt.Sprintf("vif%d.%d", domid, number)})
		}
		value = strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)
		switch key {
		case "mac":
			list[i].mac = parseMAC(value)
		case "vifname":
			if value != "" {
				list[i].vif = value
			}
		case "bridge":
			list[i].bridge = clean(value)
		}
	}
	return list
}

// parseXlList reads "xl list": Name ID Mem VCPUs State Time. A name has no white
// space, but the last five columns are counted from the right in case it has.
func parseXlList(out []byte) map[int]string {
	names := map[int]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		n := len(fields) - 5
		id, err := strconv.Atoi(fields[n])
		if err != nil || id <= 0 || len(names) >= mostDomains {
			continue
		}
		names[id] = clean(strings.Join(fields[:n], " "))
	}
	return names
}

func (n *xenNIC) owns(device string) bool { return device == n.vif || device == n.vif+"-emu" }
