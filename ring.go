package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"spiketop/capture/icmptap"
	"spiketop/capture/ring"
	"spiketop/flow"
	"spiketop/incident"
)

// ringFlags are those of --ring, as they were typed.
type ringFlags struct {
	dir, size, keep string
}

func (r *ringFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&r.dir, "ring", "", "also write every frame's first bytes to a ring of files in `DIR` (docs/RING.md)")
	f.StringVar(&r.size, "ring-size", "1G", "`BYTES` that the ring may take on disk")
	f.StringVar(&r.keep, "ring-time", "0", "delete what is older than this `DURATION`; 0 = only by size")
}

// ringOptions are the same, checked.
type ringOptions struct {
	dir  string // "" = no ring
	size int64
	keep time.Duration // 0 = only by size
}

func (r *ringFlags) check(snaplen int) (o ringOptions, err error) {
	if r.size == "" { // a command without these flags
		return o, nil
	}
	o.dir = r.dir
	size, err := parseSI(strings.TrimSuffix(r.size, "B"))
	if err != nil || size < ring.LeastSize || size > 1e15 {
		return o, usage("as --ring-size 20G", "read --ring-size %q: not a size between %s and 1000T", r.size, incident.Bytes(ring.LeastSize))
	}
	o.size = int64(size)
	if r.keep != "0" {
		if o.keep, err = duration("ring-time", r.keep, 10*time.Second, 10*365*24*time.Hour); err != nil {
			return o, err
		}
	}
	if o.dir != "" && snaplen == 0 {
		return o, usage("leave out one of them", "read flags: --ring writes what --snaplen 0 does not keep")
	}
	return o, nil
}

// parseSI reads a number with an SI unit behind it: 40M, 2.5G, 100000.
func parseSI(text string) (float64, error) {
	factor := 1.0
	if n := len(text); n > 0 {
		if k := strings.IndexByte("kmgt", text[n-1]|0x20); k >= 0 {
			factor, text = math.Pow(1000, float64(k+1)), text[:n-1]
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = fmt.Errorf("%q is no number", text)
	}
	return v * factor, err
}

func (s *session) openRing() (err error) {
	if s.o.ring.dir == "" {
		return nil
	}
	uid, gid := sudoUser(os.Getenv, os.Geteuid())
	s.ring, err = ring.Open(ring.Config{Dir: s.o.ring.dir, Size: s.o.ring.size, Keep: s.o.ring.keep, Snaplen: s.o.snaplen,
		Application: "spiketop " + version(), Unnamed: aboutVIF("", s.host), UID: max(uid, 0), GID: max(gid, 0), Say: s.say})
	if err != nil {
		return &failure{err, "choose another directory with --ring DIR", exitFailed}
	}
	return nil
}

// runRing writes until ctx ends, and then what the readers have read meanwhile.
func (s *session) runRing(ctx context.Context) {
	if s.ring == nil {
		return
	}
	s.task(func() {
		s.ring.Run(ctx)
		for s.draining.Load() > 0 {
			time.Sleep(time.Millisecond) // a reader sees the end of ctx within some 100 ms
		}
		s.ring.Close()
	})
}

// tellRing says what the devices are called now.
func (w *watch) tellRing() {
	if w.s.ring == nil {
		return
	}
	var list []ring.Source
	for i := range w.world.Links {
		if l := &w.world.Links[i]; w.s.kept[l.ID] != nil {
			list = append(list, ring.Source{Memory: w.s.kept[l.ID], Name: l.Name, Description: aboutLink(l, w.s.host), Speed: l.SpeedBps})
		}
	}
	w.s.ring.SetSources(append(list, w.ringVIFs()...))
}

// ringVIFs are the sources of the vifs' pings. A vif that is captured as a NIC is
// in the ring already.
func (w *watch) ringVIFs() (list []ring.Source) {
	if w.s.keptVIFs == nil {
		return nil
	}
	for i := range w.world.Guests {
		g := &w.world.Guests[i]
		nic := slices.ContainsFunc(w.world.Links, func(l flow.Link) bool { return l.Ifindex == g.Ifindex })
		list = append(list, ring.Source{Memory: w.s.keptVIFs, Ifindex: uint32(g.Ifindex), Name: incident.Clean(g.Name), Description: aboutVIF(g.Guest, w.s.host),
			Filter: icmptap.Filter, OnDemand: true, Skip: nic})
	}
	return list
}

// aboutLink is the description of a link's interface in files that spiketop
// writes; capture/offline reads it again.
func aboutLink(l *flow.Link, host string) string {
	about := "captured by spiketop on " + host
	if l.Bond != "" {
		about = "member of " + l.Bond + ", " + about
	}
	return incident.Clean(about)
}

// aboutVIF is the same of a vif; guest may be "". Commas separate what is said.
func aboutVIF(guest, host string) string {
	about := "vif"
	if guest != "" {
		about += " of " + strings.ReplaceAll(guest, ",", ";")
	}
	return incident.Clean(about + ", captured by spiketop on " + host)
}
