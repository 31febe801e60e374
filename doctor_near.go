package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"spiketop/capture"
	"spiketop/capture/link"
	"spiketop/capture/load"
	"spiketop/capture/nic"
	"spiketop/flow"
)

// driverLook is what one NIC's driver tells.
type driverLook struct {
	driver string
	values int
	found  [flow.NICCounts][]string // names of its counters, by what they count
}

// checkNear says what this host tells about itself: its NICs' drivers, the
// kernel behind them, the queues in front of them, its CPUs.
func checkNear(h *doctorHost) (list []finding) {
	h.look()
	if h.err != nil {
		return nil // said already
	}
	for _, c := range h.choices {
		list = append(list, h.checkDriver(c.Name))
	}
	return append(append(list, h.checkCounters()...), h.checkLoad())
}

func (h *doctorHost) checkDriver(name string) finding {
	f := finding{What: "drops and pauses of " + name, State: limited,
		Remedy: "the verdict cannot tell this NIC from the switch by it: look at the switch port's counters too"}
	d, err := h.drivers(name)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), err == nil && d.values == 0:
		f.Found = "its driver has no statistics of its own"
		if d.driver != "" {
			f.Found = d.driver + " has no statistics of its own"
		}
		return f
	case err != nil:
		f.State, f.Found = unclear, err.Error()
		return f
	}
	var have, lack []string
	for what := range flow.NICCounts {
		if names := d.found[what]; len(names) > 0 {
			have = append(have, what.String()+" = "+someNames(names))
		} else {
			lack = append(lack, what.String())
		}
	}
	f.Found = fmt.Sprintf("%s, %d statistics", d.driver, d.values)
	switch {
	case len(have) == 0:
		f.Found += ", none of them tells of drops or pauses"
	case len(lack) > 0 && (len(d.found[flow.NICMissed]) == 0 || len(d.found[flow.NICNoBuffer]) == 0):
		f.Found += ": " + strings.Join(have, ", ") + "; not " + strings.Join(lack, ", ")
	default:
		f.State, f.Remedy = fine, ""
		f.Found += ": " + strings.Join(have, ", ")
	}
	return f
}

// someNames writes the first names of a list.
func someNames(names []string) string {
	if n := len(names); n > 2 {
		return fmt.Sprintf("%s + %s + %d more", names[0], names[1], n-2)
	}
	return strings.Join(names, " + ")
}

// checkCounters looks whether softnet and the queues can be read.
func (h *doctorHost) checkCounters() []finding {
	softnet := finding{What: "softnet_stat", State: fine, Found: "drops and squeezes of the kernel behind the NICs"}
	queues := finding{What: "output queues", State: fine, Found: "backlog and drops of each NIC's qdisc"}
	if h.none != nil {
		return nil // no NIC: said already
	}
	list, err := h.counters(h.choices)
	if len(list) == 0 && err != nil {
		softnet.State, softnet.Found = unclear, err.Error()
		queues.State, queues.Found = unclear, err.Error()
		return []finding{softnet, queues}
	}
	var without []string
	for i := range list {
		if !list[i].HasSoftnet {
			softnet.State, softnet.Found, softnet.Remedy = limited, "cannot be read", "mount /proc, or name it with --procfs"
			if err != nil {
				softnet.Found = err.Error()
			}
		}
		if !list[i].HasQdisc && i < len(h.choices) {
			without = append(without, h.choices[i].Name)
		}
	}
	if len(without) > 0 {
		queues.State, queues.Found = limited, "not told for "+strings.Join(without, ", ")
		queues.Remedy = "a delay in this host's own queue cannot be told from one of this program there"
	}
	return []finding{softnet, queues}
}

// checkLoad looks whether stolen CPU time and waiting tasks can be seen.
func (h *doctorHost) checkLoad() finding {
	f := finding{What: "CPU steal and pressure", State: fine}
	l, err := load.Read(h.roots.Procfs)
	switch {
	case err != nil:
		f.State, f.Found, f.Remedy = limited, err.Error(), "mount /proc, or name it with --procfs"
	case !l.HasPSI:
		f.State, f.Found = absent, "steal only: this kernel has no /proc/pressure/cpu (CONFIG_PSI, psi=1)"
	default:
		f.Found = "steal, and time in which tasks waited for a CPU (PSI)"
	}
	return f
}

func askDriver(name string) (d driverLook, err error) {
	d.driver, d.values, d.found, err = nic.Look(name)
	return d, err
}

// askCounters reads the counters of the chosen NICs once.
func askCounters(h *doctorHost) func([]link.Choice) ([]flow.LinkCounters, error) {
	return func(choices []link.Choice) ([]flow.LinkCounters, error) {
		s, err := link.NewSampler(h.roots)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		links := make([]flow.Link, 0, len(choices))
		for i, c := range choices {
			links = append(links, flow.Link{ID: flow.LinkID(i + 1), Name: c.Name, Ifindex: c.Ifindex})
		}
		s.SetLinks(links, h.state)
		return s.Read(capture.Now())
	}
}
