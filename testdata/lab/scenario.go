// Package lab rebuilds the seed's incident with the real bonding driver in a
// guest of user-mode-linux and judges spiketop by a truth that does not come from
// it: the senders' own logs, tcpdump on the members, the interfaces' counters and
// ping -D. See README.md.
package lab

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Scenario is one file of scenarios/: a head of "# key: value" lines that says
// what is expected, then a shell script that makes it happen.
type Scenario struct {
	Name string
	File string

	What      string   // one sentence for the table
	Needs     []string // what spiketop must be able to do: see Built
	Members   []string // "eth0", "eth1": one run for each; "any" is one run with the member left to chance
	Subset    []string // members for which it is part of make test
	Flags     []string // further flags of spiketop
	Boot      string   // parameters of topology.sh: runs with the same share a guest
	Pings     string   // whose echoes must be late: "own" (default), "vm" or "any"
	Incidents [2]int   // least and most
	Triggers  []string // any of these
	Segments  []string
	Causes    []string
	Direction string // "rx", "tx" or "" = not asked
	On        string // the verdict names "member", the run's, or "other"; "" = not asked
	Culprits  []string
	Class     string        // of the culprits
	Top       []string      // proto, remote and class of the first flow, where the sender does not know its outer tuple
	Events    []string      // link events that must come: "$MEMBER down"
	VMPing    string        // "calm": the truth's ping between the VMs, by the run's member, must not be late
	Notes     string        // "clock": a note for each step of the clock
	Gap       time.Duration // in which spiketop cannot ping by the member
	Slow      bool          // longer than a minute
}

// Built is what spiketop can do today, of what scenarios may need. A scenario
// that needs more is "not yet", never passed.
var Built = map[string]bool{"classes": true, "member-ping": true, "path": true}

// Missing returns what of its needs is not built.
func (s *Scenario) Missing() []string {
	return slices.DeleteFunc(slices.Clone(s.Needs), func(n string) bool { return Built[n] })
}

// ReadScenarios reads every *.sh of a folder, by name. An unknown key is an error
// with its line: a misspelt expectation must not pass for one.
func ReadScenarios(dir string) ([]*Scenario, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.sh"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var out []*Scenario
	for _, f := range files {
		s, err := ReadScenario(f)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// ReadScenario reads one file.
func ReadScenario(file string) (*Scenario, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &Scenario{Name: strings.TrimSuffix(filepath.Base(file), ".sh"), File: file, Pings: "own", Members: []string{"eth0", "eth1"}, Incidents: [2]int{1, 1}}
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		key, value, ok := strings.Cut(strings.TrimPrefix(sc.Text(), "#"), ":")
		if !strings.HasPrefix(sc.Text(), "#") {
			break
		}
		if !ok {
			return nil, fmt.Errorf("%s:%d: a line of the head is \"# key: value\"", file, n)
		}
		if err := s.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if s.What == "" {
		return nil, fmt.Errorf("%s: no \"# what:\" line", file)
	}
	return s, sc.Err()
}

func (s *Scenario) set(key, value string) error {
	words := strings.Fields(value)
	list := func() []string { // comma separated
		var l []string
		for w := range strings.SplitSeq(value, ",") {
			l = append(l, strings.TrimSpace(w))
		}
		return l
	}
	switch key {
	case "what":
		s.What = value
	case "needs":
		for _, n := range words {
			if _, ok := Built[n]; !ok {
				return fmt.Errorf("needs: %q is not one of classes, member-ping, path", n)
			}
		}
		s.Needs = words
	case "members":
		s.Members = words
	case "subset":
		s.Subset = words
	case "slow":
		s.Slow = value == "yes"
	case "flags":
		s.Flags = words
	case "boot":
		for _, p := range words {
			if name, _, ok := strings.Cut(p, "="); !ok || !slices.Contains(bootParameters, name) {
				return fmt.Errorf("boot: %q is not NAME=VALUE with one of %s", p, strings.Join(bootParameters, ", "))
			}
		}
		s.Boot = value
	case "pings":
		return oneOf(&s.Pings, key, value, "own", "vm", "any")
	case "vmping":
		return oneOf(&s.VMPing, key, value, "calm")
	case "notes":
		return oneOf(&s.Notes, key, value, "clock")
	case "gap":
		var err error
		s.Gap, err = time.ParseDuration(value)
		return err
	case "incidents":
		return s.setIncidents(value)
	case "trigger":
		s.Triggers = words
	case "segment":
		s.Segments = list()
	case "cause":
		s.Causes = words
	case "link":
		for _, w := range words {
			switch w {
			case "rx", "tx":
				s.Direction = w
			case "member", "other":
				s.On = w
			default:
				return fmt.Errorf("link: %q is none of member, other, rx, tx", w)
			}
		}
	case "culprit":
		s.Culprits = words
	case "class":
		s.Class = value
	case "top":
		if s.Top = words; len(words) != 3 {
			return fmt.Errorf("top: want PROTO REMOTE CLASS")
		}
	case "events":
		s.Events = list()
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

// bootParameters are topology.sh's.
var bootParameters = []string{"RATE", "QUEUE", "BURST", "SUPERFRAMES"}

func oneOf(to *string, key, value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return fmt.Errorf("%s: %q is not %s", key, value, strings.Join(allowed, " or "))
	}
	*to = value
	return nil
}

func (s *Scenario) setIncidents(value string) error {
	lo, hi, ranged := strings.Cut(value, "-")
	if !ranged {
		hi = lo
	}
	a, err1 := strconv.Atoi(lo)
	b, err2 := strconv.Atoi(hi)
	if err1 != nil || err2 != nil || b < a {
		return fmt.Errorf("incidents: %q is no number or range", value)
	}
	s.Incidents = [2]int{a, b}
	return nil
}
