package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spiketop/incident"
	"spiketop/incident/store"
	"spiketop/ui/render"
)

// incidentsOptions are what the incidents commands were asked.
type incidentsOptions struct {
	dir    string
	json   bool
	mask   bool
	format string
	out    string
}

// exporters write an incident in one form each, from its directory alone.
var exporters = map[string]func(io.Writer, *incident.Incident) error{
	"md":   incident.WriteMarkdown,
	"json": incident.WriteJSON,
	"csv":  incident.WriteCSV,
	"txt":  func(w io.Writer, in *incident.Incident) error { return render.SnapshotText(w, nil, in, screenWidth) },
	"svg":  func(w io.Writer, in *incident.Incident) error { return render.SnapshotSVG(w, nil, in, screenWidth) },
}

// incidentsCommand looks through what was saved; it writes nothing there.
func incidentsCommand(stdout, stderr io.Writer) *cobra.Command {
	o := &incidentsOptions{}
	list := func(*cobra.Command, []string) error { return listIncidents(o, stdout, stderr) }
	cmd := &cobra.Command{Use: "incidents [list | show ID | export ID]", Short: "Saved incidents: list, show, export (--mask hides who is who)", Args: noArguments, RunE: list}
	show := &cobra.Command{Use: "show ID", Short: "Print the report of one incident", Args: oneID, RunE: func(_ *cobra.Command, args []string) error {
		return exportIncident(o, args[0], "md", stdout)
	}}
	export := &cobra.Command{Use: "export ID", Short: "Write one incident in another form", Args: oneID, RunE: func(_ *cobra.Command, args []string) error {
		return exportIncident(o, args[0], o.format, stdout)
	}}
	listCmd := &cobra.Command{Use: "list", Short: "One line for each, oldest first", Args: noArguments, RunE: list}
	cmd.PersistentFlags().StringVar(&o.dir, "incidents", "", "the `DIR` of incidents")
	for _, c := range []*cobra.Command{cmd, listCmd} {
		c.Flags().BoolVar(&o.json, "json", false, "one JSON object a line")
	}
	for _, c := range []*cobra.Command{show, export} {
		c.Flags().BoolVar(&o.mask, "mask", false, "replace every address and name by a pseudonym, the same throughout")
	}
	export.Flags().StringVar(&o.format, "format", "md", "md, json, csv, svg or txt")
	export.Flags().StringVarP(&o.out, "output", "o", "", "write to `FILE`, which must not exist, instead of standard output")
	cmd.AddCommand(listCmd, show, export)
	for _, c := range []*cobra.Command{cmd, listCmd, show, export} {
		c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
			return usage("spiketop incidents --help lists the flags", "read flags: %w", err)
		})
	}
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("spiketop incidents [list | show ID | export ID]", "read arguments: %q is not understood here", args[0])
	}
	return nil
}

func oneID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("spiketop incidents list shows them; \"last\" is the newest", "read arguments: give the ID of one incident, or a part of it, or \"last\"")
	}
	return nil
}

func (o *incidentsOptions) open() (*store.Reader, error) {
	dir := o.dir
	if dir == "" {
		if dir = store.DefaultDir(os.Geteuid(), os.Getenv); dir == "" {
			return nil, usage("choose a directory with --incidents DIR", "find the incident directory: neither XDG_STATE_HOME nor HOME is set")
		}
	}
	r, err := store.OpenReader(dir)
	if err != nil {
		hint := "choose another directory with --incidents DIR; what root has written lies in " + store.DefaultDir(0, os.Getenv)
		return nil, &failure{err, hint, exitFailed}
	}
	return r, nil
}

// listIncidents prints a line for each incident, oldest first. A damaged one is
// said on standard error and skipped.
func listIncidents(o *incidentsOptions, stdout, stderr io.Writer) error {
	r, err := o.open()
	if err != nil {
		return err
	}
	defer r.Close()
	ids, err := r.IDs()
	if err != nil {
		return err
	}
	read, damaged := 0, 0
	for _, id := range ids {
		f := r.Read(id)
		if f.Err != nil {
			damaged++
			fmt.Fprintf(stderr, "spiketop: read incident %s: %s: skipped\n", oneLine(f.Dir), oneLine(f.Err.Error()))
			continue
		}
		read++
		if err := listLine(stdout, &f, o.json); err != nil {
			return fmt.Errorf("write list: %w", err)
		}
	}
	if len(ids) == 0 && !o.json {
		_, err = fmt.Fprintf(stdout, "no incidents in %s\n", oneLine(r.Dir()))
	}
	if read == 0 && damaged > 0 {
		return fmt.Errorf("read incidents %s: none of %d is readable", oneLine(r.Dir()), damaged)
	}
	return err
}

// incidentLine is a line of incidents --json.
type incidentLine struct {
	ID       string           `json:"id"`
	Dir      string           `json:"dir"`
	Host     string           `json:"host"`
	Kind     string           `json:"kind"`
	Target   string           `json:"target,omitempty"`
	Member   string           `json:"member,omitempty"`
	RTT      *incident.Millis `json:"rtt_ms"`
	Window   incident.Window  `json:"window"`
	Verdict  shortVerdict     `json:"verdict"`
	Segment  string           `json:"verdict_segment"`
	Complete bool             `json:"complete"` // not cut short
}

type shortVerdict struct {
	Cause      string `json:"cause"`
	Link       string `json:"link,omitempty"`
	Direction  string `json:"direction,omitempty"`
	Confidence string `json:"confidence"`
	Sentence   string `json:"sentence"`
}

// worst is the highest RTT of the late echoes.
func worst(t *incident.Trigger) *incident.Millis {
	if t.Worst != nil {
		return t.Worst
	}
	return t.RTT
}

func listLine(w io.Writer, f *store.Found, asJSON bool) error {
	in, v := f.In, &f.In.Verdict
	if asJSON {
		return json.NewEncoder(w).Encode(incidentLine{ID: in.ID, Dir: f.Dir, Host: in.Host, Kind: in.Trigger.Kind, Target: in.Trigger.Target, Member: in.Trigger.Member,
			RTT: worst(&in.Trigger), Window: in.Window, Segment: in.Path.VerdictSegment, Complete: !in.Truncated,
			Verdict: shortVerdict{v.Cause, v.Link, v.Direction, v.Confidence, v.Sentence}})
	}
	rtt := "-"
	if m := worst(&in.Trigger); m != nil {
		rtt = fmt.Sprintf("%.1f ms", float64(*m))
	}
	link := strings.TrimSpace(v.Link + " " + v.Direction)
	if link == "" {
		link = "-"
	}
	_, err := fmt.Fprintf(w, "%-36s  %10s  %-11s  %-8s  %-9s  %s\n", in.ID, rtt, oneLine(in.Trigger.Kind), oneLine(v.Cause), oneLine(link), oneLine(v.Sentence))
	return err
}

// exportIncident writes one incident in a form.
func exportIncident(o *incidentsOptions, asked, format string, stdout io.Writer) (err error) {
	write := exporters[format]
	if write == nil {
		forms := make([]string, 0, len(exporters))
		for f := range exporters {
			forms = append(forms, f)
		}
		slices.Sort(forms)
		return usage("choose one of "+strings.Join(forms, ", "), "read --format %q: there is no such form", format)
	}
	in, err := o.find(asked)
	if err != nil {
		return err
	}
	if o.mask {
		if in, err = incident.Mask(in); err != nil {
			return err
		}
	}
	if o.out == "" {
		return write(stdout, in)
	}
	f, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write incident: %w", err)
	}
	if err := errors.Join(write(f, in), f.Close()); err != nil {
		_ = os.Remove(o.out)
		return err
	}
	return nil
}

func (o *incidentsOptions) find(asked string) (*incident.Incident, error) {
	r, err := o.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	id, err := r.Find(asked)
	if err != nil {
		return nil, &failure{err, "spiketop incidents --incidents " + r.Dir() + " lists them", exitFailed}
	}
	f := r.Read(id)
	if f.Err != nil {
		return nil, fmt.Errorf("read incident %s: %w", f.Dir, f.Err)
	}
	return f.In, nil
}
