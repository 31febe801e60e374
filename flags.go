package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spiketop/flow"
)

// options is the command line of the live monitor and of headless, checked.
type options struct {
	nics      []string
	pings     []string
	noPing    bool
	interval  time.Duration // between two echoes to a target
	spike     time.Duration // fixed freeze threshold, 0 = auto
	rules     []flow.Rule   // --storage, then those of conf
	storage   []flow.Rule   // --storage alone
	config    string        // the file that was named
	conf      config
	linkSpeed map[string]uint64 // bit/s by NIC name
	maxFlows  int               // a NIC
	snaplen   int               // bytes of each frame in the flight recorder, 0 = none
	ring      ringOptions
	incidents string // directory, "" = the default of this user
	keep      int
	hold      time.Duration // 0 = a frozen screen stays
	runFor    time.Duration // 0 = until the person quits
	filter    string
	sysfs     string
	procfs    string
	jsonLog   string
	theme     string
	scale     uint64 // bit/s of a full rate bar, 0 = the link's speed

	tap        bool // spiketop tap: no incidents
	keepRights bool // of this process, for a command that path --live starts
}

// rawFlags is what cobra fills in, before it is checked.
type rawFlags struct {
	options
	ring                          ringFlags
	spike, hold, runFor, interval string
	storage, linkSpeed            []string
	iface, netFilter, scale       string
	seconds                       int
	text                          bool
	ignored                       bool
}

const spikeAuto = "auto"

// mostEchoes is how many echoes a second all targets together may get: with more,
// pinging would be a load of its own, and this program the first to be late.
const mostEchoes = 5000

// Bounds of --snaplen: less than the headers of a tunnelled TCP packet prove
// nothing, more than a jumbo frame is not to be had.
const (
	leastSnaplen = 64
	mostSnaplen  = 9216
)

// bindFlags declares the flags that the live monitor and headless share.
func bindFlags(cmd *cobra.Command, r *rawFlags) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVar(&r.pings, "ping", nil, "ping `HOST` (repeatable); default: the gateway and the busiest on-link peer")
	f.BoolVar(&r.noPing, "no-ping", false, "do not ping anything")
	f.StringVar(&r.interval, "ping-interval", "100ms", "`DURATION` between two echoes")
	f.StringVar(&r.spike, "spike", spikeAuto, "freeze above this RTT: `auto|DURATION`")
	f.StringArrayVar(&r.storage, "storage", nil, "what is storage traffic: `PORT|PORT-PORT|CIDR|PROCESS` (repeatable)")
	f.StringVar(&r.config, "config", "", "classes, names and speeds from `FILE` (docs/CLASSES.md); default: spiketop.yaml in $XDG_CONFIG_HOME, else in /etc")
	f.StringArrayVar(&r.linkSpeed, "link-speed", nil, "real speed of a NIC: `NIC=RATE`, as eth0=40M (repeatable)")
	f.IntVar(&r.maxFlows, "max-flows", 1<<20, "flows kept for each NIC")
	f.IntVar(&r.snaplen, "snaplen", 128, "first bytes of each frame that are kept for an incident's packets.pcapng; 0 = none")
	r.ring.bind(f)
	f.StringVar(&r.incidents, "incidents", "", "`DIR` of incidents (as root /var/lib/spiketop/incidents)")
	f.IntVar(&r.keep, "keep", 200, "incidents kept, oldest go first")
	f.StringVar(&r.hold, "hold", "30s", "`DURATION` that a frozen screen stays untouched; 0 = until a key")
	f.StringVar(&r.runFor, "for", "", "end after this `DURATION`")
	f.StringVar(&r.filter, "filter", "", "show only flows that match `EXPR` (docs/FILTER.md); evidence never depends on it")
	f.StringVar(&r.theme, "theme", "dark", "`dark|light` terminal")
	f.StringVar(&r.sysfs, "sysfs", "/sys", "read bond and NIC state from `DIR`")
	f.StringVar(&r.procfs, "procfs", "/proc", "read kernel counters from `DIR`")
	f.StringVar(&r.jsonLog, "json-log", "", "append headless's JSON lines to `FILE` too")

	f.StringVarP(&r.iface, "interface", "i", "", "as in iftop: the `NIC`")
	f.StringVarP(&r.filter, "filter-code", "f", "", "as in iftop: --filter `EXPR`")
	f.StringVarP(&r.netFilter, "net-filter", "F", "", "as in iftop: show only flows of `NET/BITS`")
	f.StringVarP(&r.scale, "max-bandwidth", "m", "", "as in iftop: `RATE` of a full bar")
	f.BoolVarP(&r.text, "text", "t", false, "as in iftop: no screen (the same as headless)")
	f.IntVarP(&r.seconds, "seconds", "s", 0, "as in iftop, with -t: end after `N` seconds")
	for short, name := range map[string]string{"n": "no-names", "N": "port-numbers", "P": "show-ports"} {
		f.BoolVarP(&r.ignored, name, short, false, "as in iftop; always so here")
		_ = f.MarkHidden(name)
	}
}

// check turns the raw flags into options, or says what is wrong.
func (r *rawFlags) check(args []string) (*options, error) {
	o := r.options
	o.nics = args
	if r.iface != "" {
		o.nics = append(o.nics, r.iface)
	}
	for _, part := range []func(*options) error{r.checkDurations, r.checkRules, r.checkConfig, r.checkPings, r.checkSpeeds, r.checkScale, r.checkFilter, r.checkLimits} {
		if err := part(&o); err != nil {
			return nil, err
		}
	}
	return &o, nil
}

func (r *rawFlags) checkDurations(o *options) (err error) {
	if r.spike != spikeAuto {
		if o.spike, err = duration("spike", r.spike, time.Millisecond, 10*time.Second); err != nil {
			return err
		}
	}
	if o.interval, err = duration("ping-interval", r.interval, 10*time.Millisecond, 10*time.Second); err != nil {
		return err
	}
	if r.hold == "0" {
		r.hold = "0s"
	}
	if o.hold, err = duration("hold", r.hold, 0, 24*time.Hour); err != nil {
		return err
	}
	if r.seconds < 0 {
		return usage("", "read -s %d: want a number of seconds", r.seconds)
	}
	o.runFor = time.Duration(r.seconds) * time.Second
	if r.runFor != "" {
		o.runFor, err = duration("for", r.runFor, 100*time.Millisecond, 10*365*24*time.Hour)
	}
	return err
}

func duration(flag, s string, low, high time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, usage("durations look like 60ms, 1.5s or 5m", "read --%s %q: not a duration", flag, s)
	}
	if d < low || d > high {
		return 0, usage("", "read --%s %s: not between %v and %v", flag, s, low, high)
	}
	return d, nil
}

func (r *rawFlags) checkPings(o *options) error {
	if o.noPing && len(o.pings) > 0 {
		return usage("leave out one of them", "read flags: --ping and --no-ping contradict each other")
	}
	for _, p := range o.pings {
		if why := badHost(p); why != "" {
			return usage("give a name or an address, as 10.1.16.55", "read --ping %q: %s", p, why)
		}
	}
	if rate := float64(len(o.pings)) / o.interval.Seconds(); rate > mostEchoes {
		return usage("fewer --ping, or a longer --ping-interval", "read flags: %d targets every %v are %.0f echoes a second: at most %d", len(o.pings), o.interval, rate, mostEchoes)
	}
	return nil
}

// badHost says why p cannot be pinged, "" if it can be tried.
func badHost(p string) string {
	if p == "" || len(p) > 253 || strings.ContainsAny(p, " \t\n/") {
		return "not a host"
	}
	if a, err := netip.ParseAddr(p); err == nil && (a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})) {
		return "not the address of a host"
	}
	return ""
}

func (r *rawFlags) checkRules(o *options) error {
	for _, s := range r.storage {
		rule, err := flow.ParseRule(flow.Storage, s)
		if err != nil {
			return usage("", "read --storage %q: %w", s, errors.Unwrap(err)) // which has no second "storage rule"
		}
		o.storage = append(o.storage, rule)
	}
	return nil
}

// checkConfig reads the configuration file. What was said on the command line
// comes first, or instead.
func (r *rawFlags) checkConfig(o *options) error {
	conf, err := readConfig(configPath(o.config, os.Getenv))
	if err != nil {
		return &failure{err, "docs/CLASSES.md has the file's form", exitUsage}
	}
	o.conf = conf
	o.rules = slices.Concat(o.storage, conf.rules)
	if len(o.pings) == 0 && !o.noPing {
		o.pings = conf.pings
	}
	return nil
}

func (r *rawFlags) checkSpeeds(o *options) error {
	o.linkSpeed = map[string]uint64{}
	for _, s := range r.linkSpeed {
		nic, text, ok := strings.Cut(s, "=")
		rate, err := parseRate(text)
		if !ok || nic == "" || err != nil {
			return usage("as --link-speed eth0=40M", "read --link-speed %q: want NIC=RATE", s)
		}
		o.linkSpeed[nic] = rate
	}
	return nil
}

func (r *rawFlags) checkFilter(o *options) error {
	if r.netFilter != "" {
		network, err := parseNetwork(r.netFilter)
		if err != nil {
			return usage("as -F 10.1.16.0/24", "read -F %q: not a network", r.netFilter)
		}
		both := "net " + network.String()
		if o.filter != "" {
			both = "(" + o.filter + ") and " + both
		}
		o.filter = both
	}
	if o.filter == "" {
		return nil
	}
	if _, err := flow.ParseFilter(o.filter); err != nil {
		return usage("docs/FILTER.md has the language", "read --filter %q: %w", o.filter, err)
	}
	return nil
}

// parseNetwork reads a network as iftop does: 10.1.16.0/24 or 10.1.16.0/255.255.255.0.
func parseNetwork(s string) (netip.Prefix, error) {
	addr, mask, _ := strings.Cut(s, "/")
	if m, err := netip.ParseAddr(mask); err == nil && m.Is4() {
		ones, bits := net.IPMask(m.AsSlice()).Size()
		if bits == 0 {
			return netip.Prefix{}, fmt.Errorf("%q is no netmask", mask)
		}
		s = addr + "/" + strconv.Itoa(ones)
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

func (r *rawFlags) checkLimits(o *options) error {
	switch {
	case o.maxFlows < 1024 || o.maxFlows > 1<<24:
		return usage("", "read --max-flows %d: not between 1024 and %d", o.maxFlows, 1<<24)
	case o.snaplen != 0 && (o.snaplen < leastSnaplen || o.snaplen > mostSnaplen):
		return usage("", "read --snaplen %d: not 0 nor between %d and %d", o.snaplen, leastSnaplen, mostSnaplen)
	case o.keep < 1:
		return usage("", "read --keep %d: keep at least one incident", o.keep)
	case o.theme != "dark" && o.theme != "light":
		return usage("", "read --theme %q: want dark or light", o.theme)
	}
	var err error
	o.ring, err = r.ring.check(o.snaplen)
	return err
}

func (r *rawFlags) checkScale(o *options) (err error) {
	if r.scale == "" {
		return nil
	}
	if o.scale, err = parseRate(r.scale); err != nil {
		return usage("as -m 25G", "read -m %q: %w", r.scale, err)
	}
	return nil
}

// parseRate reads a rate in bit/s with an SI unit: 40M, 2.5G, 100000000.
func parseRate(s string) (uint64, error) {
	v, err := parseSI(strings.TrimSuffix(strings.TrimSuffix(s, "bit/s"), "bit"))
	if err != nil || v < 1000 || v > 1e14 {
		return 0, fmt.Errorf("%q is not a rate between 1k and 100T", s)
	}
	return uint64(v), nil
}
