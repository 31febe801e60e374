package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"spiketop/incident"
)

// doctorSchema is the "schema" of doctor --json.
const doctorSchema = "spiketop.doctor/1"

// condition is how a check went.
type condition string

const (
	fine    condition = "ok"
	limited condition = "limited" // works, but not as well as it could
	missing condition = "missing" // something cannot be seen or done
	absent  condition = "absent"  // not here, and nothing to be done about it
	unclear condition = "unknown" // the check itself did not succeed
)

var marks = map[condition]string{fine: "+", limited: "!", missing: "x", absent: "-", unclear: "?"}

// finding is one line of the doctor.
type finding struct {
	Group  string    `json:"group"`
	What   string    `json:"what"`
	State  condition `json:"state"`
	Found  string    `json:"found"`
	Remedy string    `json:"remedy,omitempty"`
}

// check looks at one subject. It sends nothing, changes nothing, and says what
// it could not find out instead of failing.
type check struct {
	group string
	look  func(*doctorHost) []finding
}

// checks are all that the doctor looks at, in the order of its report. A room
// that has something to say gets a line here.
var checks = []check{
	{"rights", checkRights},
	{"kernel", checkKernel},
	{"capture", checkCapture},
	{"ping", checkPing},
	{"bonds", checkBonds},
	{"NICs", checkNICs},
	{"drops and queues", checkNear},
	{"unseen", checkUnseen},
	{"guests", checkGuests},
	{"processes", checkProcesses},
	{"evidence", checkEvidence},
	{"clock", checkClockSync},
	{"terminal", checkScreen},
	{"configuration", checkConfiguration},
}

// examine runs every check.
func examine(h *doctorHost) (list []finding) {
	for _, c := range checks {
		for _, f := range c.look(h) {
			f.Group, f.What, f.Found, f.Remedy = c.group, oneLine(f.What), oneLine(f.Found), oneLine(f.Remedy)
			list = append(list, f)
		}
	}
	return list
}

// doctorCommand is "spiketop doctor". What it finds is its answer, not its
// failure: it ends with status 0.
func doctorCommand(stdout io.Writer) *cobra.Command {
	var o doctorOptions
	var asJSON bool
	cmd := &cobra.Command{Use: "doctor [flags] [NIC ...]", Short: "What is found and missing on this host, each with its remedy",
		Args: cobra.ArbitraryArgs, RunE: func(_ *cobra.Command, args []string) error {
			o.nics = args
			list := examine(newDoctorHost(o))
			if asJSON {
				return writeFindingsJSON(stdout, list)
			}
			return writeFindings(stdout, list)
		}}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&asJSON, "json", false, "one JSON object instead of text")
	f.StringVar(&o.config, "config", "", "check this configuration `FILE`")
	f.StringVar(&o.incidents, "incidents", "", "check this `DIR` of incidents")
	f.StringVar(&o.roots.Sysfs, "sysfs", "/sys", "read bond and NIC state from `DIR`")
	f.StringVar(&o.roots.Procfs, "procfs", "/proc", "read kernel counters from `DIR`")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("spiketop doctor --help lists the flags", "read flags: %w", err)
	})
	return cmd
}

// Widest columns; what is longer moves the rest of its own line only.
const (
	widestWhat  = 26
	widestFound = 56
)

// writeFindings writes one aligned line for each finding.
func writeFindings(w io.Writer, list []finding) error {
	what, found := 0, 0
	for _, f := range list {
		what = max(what, min(widestWhat, utf8.RuneCountInString(f.What)))
		if f.Remedy != "" {
			found = max(found, min(widestFound, utf8.RuneCountInString(f.Found)))
		}
	}
	var b strings.Builder
	counts := map[condition]int{}
	for _, f := range list {
		counts[f.State]++
		line := marks[f.State] + " " + pad(f.What, what) + "  "
		if f.Remedy == "" {
			line += f.Found
		} else {
			line += pad(f.Found, found) + "  -> " + f.Remedy
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(&b, "\n+ %d in order   ! %d limited   x %d missing   - %d not here   ? %d not known\n",
		counts[fine], counts[limited], counts[missing], counts[absent], counts[unclear])
	_, err := io.WriteString(w, b.String())
	return err
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

func writeFindingsJSON(w io.Writer, list []finding) error {
	b, err := json.MarshalIndent(struct {
		Schema  string    `json:"schema"`
		Version string    `json:"version"`
		Host    string    `json:"host"`
		Checks  []finding `json:"checks"`
	}{doctorSchema, version(), hostName(), list}, "", "  ")
	if err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	_, err = w.Write(append(incident.EscapeJSON(b), '\n'))
	return err
}
