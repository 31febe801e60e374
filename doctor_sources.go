package main

import (
	"context"
	"time"

	"spiketop/capture/host"
	"spiketop/capture/socket"
	"spiketop/flow"
)

// sourcesTime is what all sources together get to say who is who.
const sourcesTime = 5 * time.Second

// checkUnseen lists the ways by which traffic passes this host without any
// packet tap seeing it: storage most of all.
func checkUnseen(h *doctorHost) (list []finding) {
	h.look()
	if h.err != nil {
		return nil // said already
	}
	links := make([]flow.Link, 0, len(h.choices))
	for _, c := range h.choices {
		links = append(links, flow.Link{Name: c.Name, Ifindex: c.Ifindex})
	}
	for _, sentence := range h.state.Hidden(links) {
		list = append(list, finding{What: "traffic past the taps", State: limited, Found: sentence, Remedy: "look at the device's own counters: spiketop cannot see this traffic"})
	}
	if len(list) == 0 {
		list = append(list, finding{What: "traffic past the taps", State: absent, Found: "no RDMA, virtual functions, user-space NICs or XDP programs"})
	}
	return list
}

// checkGuests says how each source of VM and container names fares.
func checkGuests(h *doctorHost) (list []finding) {
	reports, err := h.guests()
	if err != nil {
		return []finding{{What: "vifs", State: unclear, Found: err.Error()}}
	}
	states := map[host.Status]condition{host.Found: fine, host.Absent: absent, host.NotPermitted: missing, host.Failed: unclear, host.NotAsked: absent}
	for _, r := range reports {
		found := r.Status.String()
		if r.Detail != "" {
			found = r.Detail
		}
		list = append(list, finding{What: whatOfSource(r.Source), State: states[r.Status], Found: found, Remedy: r.Remedy})
	}
	return list
}

// whatOfSource says what a source is for: "fdinfo" alone tells a person nothing.
func whatOfSource(source string) string {
	if source == "libvirt disks" {
		return "disks of VMs, by libvirt"
	}
	return "vifs, by " + source
}

// checkProcesses says whether owners of sockets can be found.
func checkProcesses(h *doctorHost) (list []finding) {
	for _, f := range h.sockets() {
		state := fine
		if !f.OK {
			state = missing
		}
		list = append(list, finding{What: f.What, State: state, Found: f.Detail, Remedy: f.Remedy})
	}
	return list
}

// askGuests asks every source once, libvirt too.
func askGuests(procfs string) ([]host.SourceReport, error) {
	ctx, cancel := context.WithTimeout(context.Background(), sourcesTime)
	defer cancel()
	finder, err := host.New(host.Options{Proc: procfs, All: true})
	if err != nil {
		return nil, err
	}
	defer finder.Close()
	look, err := finder.Find(ctx)
	if err != nil {
		return nil, err
	}
	disks := host.NewDisks("")
	defer disks.Close()
	_, _ = disks.Read(ctx) // the report says what came of it
	return append(look.Sources, disks.Report()), nil
}

func askSocketFindings(procfs string) []socket.Finding {
	ctx, cancel := context.WithTimeout(context.Background(), sourcesTime)
	defer cancel()
	return socket.Check(ctx, socket.Options{Proc: procfs})
}
