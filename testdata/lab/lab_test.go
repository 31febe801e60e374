package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spiketop/testdata/netlab"
)

// attempts: a run that proved nothing is made again at most twice.
const attempts = 3

// wanted is one run that the table will have a line for.
type wanted struct {
	s      *Scenario
	member string // "" = any
	result Result
}

// TestLab makes the scenarios in guests and judges them. SPIKETOP_LAB names them
// ("all", or some, by comma); without it those of the subset run.
// SPIKETOP_LAB_KEEP is a folder that keeps what the runs left.
func TestLab(t *testing.T) {
	if testing.Short() {
		t.Skip("the lab: not with -short")
	}
	runs := choose(t, os.Getenv("SPIKETOP_LAB"))
	netlab.NeedGuest(t)
	netlab.NeedTool(t, "uml", "tcpdump")
	l := &guests{t: t, dir: workDir(t)}
	l.build()
	began := time.Now()
	stolen := stolenTime()
	for attempt := range attempts {
		left := pending(runs)
		if len(left) == 0 {
			break
		}
		if attempt > 0 && stolenTime()-stolen > time.Since(began)/100 {
			rest := time.Duration(1+attempt) * 30 * time.Second
			t.Logf("%v of CPU time were stolen from this machine: resting %v before the repeat", stolenTime()-stolen, rest)
			time.Sleep(rest)
		}
		for i, boot := range byBoot(left) {
			l.boot(fmt.Sprintf("%d.%d", attempt, i), boot)
		}
	}
	report(t, runs, time.Since(began))
}

// report prints the table and fails the test for what is not as it must be.
func report(t *testing.T, runs []*wanted, took time.Duration) {
	var table strings.Builder
	var results []Result
	for _, w := range runs {
		results = append(results, w.result)
	}
	WriteTable(&table, results)
	fmt.Fprintf(&table, "took %v\n", took.Round(time.Second))
	t.Log("\n" + table.String())
	if file := os.Getenv("SPIKETOP_LAB_TABLE"); file != "" {
		if err := os.WriteFile(file, []byte(table.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
	for _, r := range results {
		switch r.Outcome {
		case Fail:
			t.Errorf("%s on %s: %s", r.Scenario, r.Member, strings.Join(r.Why, "; "))
		case Void:
			t.Errorf("%s on %s: void %d times, the lab cannot judge it here: %s", r.Scenario, r.Member, attempts, strings.Join(r.Why, "; "))
		}
	}
}

// choose lists the runs.
func choose(t *testing.T, names string) (runs []*wanted) {
	all, err := ReadScenarios("scenarios")
	if err != nil {
		t.Fatal(err)
	}
	asked := strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
	for _, n := range asked {
		if n != "all" && !slices.ContainsFunc(all, func(s *Scenario) bool { return s.Name == n }) {
			t.Fatalf("there is no scenario %q; there are %s", n, namesOf(all))
		}
	}
	for _, s := range all {
		members := s.Members
		switch {
		case names == "":
			members = s.Subset
		case names != "all" && !slices.Contains(asked, s.Name):
			members = nil
		}
		for _, m := range members {
			w := &wanted{s: s, member: strings.TrimSuffix(m, "any"), result: Result{Scenario: s.Name, Member: m, Outcome: Void, Why: []string{"was not run"}}}
			if missing := s.Missing(); len(missing) > 0 {
				w.result.Outcome, w.result.Why, w.result.Truth = NotYet, []string{"needs " + strings.Join(missing, ", ")}, s.What
			}
			runs = append(runs, w)
		}
	}
	return runs
}

func namesOf(all []*Scenario) string {
	var n []string
	for _, s := range all {
		n = append(n, s.Name)
	}
	return strings.Join(n, ", ")
}

func pending(runs []*wanted) (left []*wanted) {
	for _, w := range runs {
		if w.result.Outcome == Void {
			left = append(left, w)
		}
	}
	return left
}

// byBoot groups runs that may share a guest.
func byBoot(runs []*wanted) (boots [][]*wanted) {
	at := map[string]int{}
	for _, w := range runs {
		i, ok := at[w.s.Boot]
		if !ok {
			i = len(boots)
			at[w.s.Boot] = i
			boots = append(boots, nil)
		}
		boots[i] = append(boots[i], w)
	}
	return boots
}

// guests boots guests with their work.
type guests struct {
	t              *testing.T
	dir            string
	program, guest string
}

func workDir(t *testing.T) string {
	keep := os.Getenv("SPIKETOP_LAB_KEEP")
	if keep == "" {
		return t.TempDir()
	}
	dir, err := filepath.Abs(keep)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// build makes the two programs that run inside; static, for the guest has this
// machine's files but may have another kernel.
func (l *guests) build() {
	l.program, l.guest = filepath.Join(l.dir, "spiketop"), filepath.Join(l.dir, "guest")
	for file, pkg := range map[string]string{l.program: "spiketop", l.guest: "spiketop/testdata/lab/guest"} {
		cmd := exec.Command("go", "build", "-o", file, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			l.t.Fatalf("go build %s: %v\n%s", pkg, err, out)
		}
	}
}

// boot makes some runs in one guest and judges each as soon as it is written.
func (l *guests) boot(name string, runs []*wanted) {
	out := filepath.Join(l.dir, "boot"+name)
	if err := os.RemoveAll(out); err != nil { // of an earlier test with the same folder
		l.t.Fatal(err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		l.t.Fatal(err)
	}
	plan := Plan{Program: l.program}
	limit := 2 * time.Minute
	for i, w := range runs {
		file, err := filepath.Abs(w.s.File)
		if err != nil {
			l.t.Fatal(err)
		}
		script := 90 * time.Second
		if w.s.Slow {
			script += 5 * time.Minute
		}
		plan.Jobs = append(plan.Jobs, Job{Scenario: file, Member: w.member, Dir: runName(i, w), Least: w.s.Incidents[0], Limit: script, Flags: append(strings.Fields(labFlags(w.s)), w.s.Flags...)})
		limit += script + 2*time.Minute + time.Minute
	}
	if err := writePlan(filepath.Join(out, "plan.json"), plan); err != nil {
		l.t.Fatal(err)
	}
	topology, err := filepath.Abs("topology.sh")
	if err != nil {
		l.t.Fatal(err)
	}
	g := netlab.Guest{Script: "guest.sh", Modules: "bonding veth bridge 8021q vxlan udp_diag sch_netem sch_tbf", Limit: limit,
		Env: append(strings.Fields(runs[0].s.Boot), "LAB_TOPOLOGY="+topology, "LAB_GUEST="+l.guest)}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(l.t.Context(), out) }()
	err = l.collect(out, runs, ended)
	for i, w := range runs {
		if w.result.Outcome == Void && len(w.result.Why) == 1 && w.result.Why[0] == "was not run" && err != nil {
			w.result.Why = []string{fmt.Sprintf("%s: the guest ended before: %v", runName(i, w), err)}
		}
	}
}

// collect judges the runs as they come, until the guest has ended.
func (l *guests) collect(out string, runs []*wanted, ended <-chan error) (err error) {
	judged := 0
	look := func() {
		for judged < len(runs) {
			w, dir := runs[judged], filepath.Join(out, runName(judged, runs[judged]))
			if _, err := os.Stat(dir + ".done"); err != nil {
				return
			}
			w.result = Judge(w.s, dir)
			if w.result.Member == "" {
				w.result.Member = w.member
			}
			l.t.Logf("%-8s %s on %s: %s", w.result.Outcome, w.s.Name, w.result.Member, strings.Join(w.result.Why, "; "))
			judged++
		}
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			look()
		case err = <-ended:
			look()
			return err
		}
	}
}

func runName(i int, w *wanted) string {
	return fmt.Sprintf("%02d-%s-%s", i, w.s.Name, w.member)
}

// labFlags tell spiketop what a person who knows the lab would: the members' real
// rate. What is storage it knows by itself.
func labFlags(s *Scenario) string {
	rate := "20M"
	for p := range strings.FieldsSeq(s.Boot) {
		if mbit, ok := strings.CutPrefix(p, "RATE="); ok {
			rate = strings.TrimSuffix(mbit, "mbit") + "M"
		}
	}
	return "--link-speed eth0=" + rate + " --link-speed eth1=" + rate
}

func writePlan(file string, p Plan) error {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}
