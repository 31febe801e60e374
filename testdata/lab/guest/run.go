package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"spiketop/testdata/lab"
	"spiketop/testdata/netlab"
)

const (
	warmUp   = 8 * time.Second  // of spiketop before something happens: a baseline
	patience = 16 * time.Second // for the incidents that must come
	silence  = 9 * time.Second  // in which none must come
)

// run makes one run; an error is the lab's own.
func (n *network) run(program string, job lab.Job) error {
	dir := "/run/r" // in memory while it runs: the host's disk may be slow
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	n.mu.Lock()
	n.senders, n.steps = nil, nil
	n.mu.Unlock()
	rec := lab.Record{Member: job.Member, MACs: n.macs}
	if rec.Member == "" {
		rec.Member = lab.Members[rand.IntN(len(lab.Members))]
		job.Member = rec.Member
	}
	rec.Other = lab.Members[1-slices.Index(lab.Members, rec.Member)]
	rec.VMEcho = vmEcho(rec.Member)
	if err := n.observe(program, job, dir, &rec); err != nil {
		rec.Failed = err.Error()
	}
	n.mu.Lock()
	senders := n.senders
	rec.Steps = n.steps
	n.mu.Unlock()
	if err := writeJSON(filepath.Join(dir, "senders.json"), senders); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "run.json"), rec); err != nil {
		return err
	}
	if err := shell("cp", "-r", dir, filepath.Join(outDir, job.Dir)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(outDir, job.Dir+".done"), nil, 0o644) // the copy is whole
}

func (n *network) observe(program string, job lab.Job, dir string, rec *lab.Record) (failed error) {
	w, err := startWitness(dir, rec.VMEcho)
	if err != nil {
		return err
	}
	defer func() { failed = cmp.Or(failed, w.end()) }()
	s, err := start(program, job, dir)
	if err != nil {
		return err
	}
	defer s.end()
	rec.Began = s.began
	defer func() { rec.Stopped = time.Now() }()
	if rec.Own, rec.Unmet = awaitEchoes(dir, s.began); rec.Unmet != "" {
		return nil
	}
	defer func() { rec.Own = ownSince(dir, s.began) }() // a series may have begun anew under another id
	time.Sleep(time.Until(s.began.Add(warmUp)))
	awaitCalm(dir)
	rec.Begin = time.Now()
	err = script(job, rec, s.cmd.Process.Pid, dir)
	rec.End = time.Now()
	if err != nil {
		return err
	}
	if job.Least == 0 {
		time.Sleep(silence)
		return nil
	}
	for deadline := time.Now().Add(patience); s.incidents() < job.Least && time.Now().Before(deadline); {
		time.Sleep(200 * time.Millisecond)
	}
	time.Sleep(time.Second)
	return nil
}

// awaitCalm waits for some seconds in which the guest did not stand still, within
// patience: stalls come in swarms, and a run in one would be void.
func awaitCalm(dir string) {
	const calm = 5 * time.Second
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		f, err := os.Stat(filepath.Join(dir, "stalls.out")) // written at each stall
		if err != nil || time.Since(f.ModTime()) > calm {
			return
		}
	}
}

// script runs the scenario's shell script.
func script(job lab.Job, rec *lab.Record, pid int, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), job.Limit)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-e", job.Scenario)
	c.WaitDelay = time.Second // what it left running holds its output open
	i := slices.Index(lab.Members, rec.Member)
	c.Env = append(os.Environ(), "MEMBER="+rec.Member, "OTHER="+rec.Other, fmt.Sprintf("PORT=nc1p%d", i), fmt.Sprintf("FARPORT=nc2p%d", i),
		fmt.Sprintf("SPIKETOP_PID=%d", pid))
	out, err := c.CombinedOutput()
	_ = os.WriteFile(filepath.Join(dir, "script.out"), out, 0o644)
	if err != nil {
		return fmt.Errorf("the scenario's script: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// vmEcho draws an echo id whose request and reply take the member.
func vmEcho(member string) uint16 {
	for {
		id := uint16(1 + rand.IntN(65000))
		if lab.Members[lab.EchoIndex(netip.MustParseAddr(vmA), netip.MustParseAddr(vmB), id)] == member {
			return id
		}
	}
}

// spiketop is the program under test.
type spiketop struct {
	cmd    *exec.Cmd
	events string
	began  time.Time
}

func start(program string, job lab.Job, dir string) (*spiketop, error) {
	s := &spiketop{events: filepath.Join(dir, "events"), began: time.Now()}
	if err := os.RemoveAll(filepath.Join(dir, "incidents")); err != nil {
		return nil, err
	}
	out, err := os.Create(s.events)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	errs, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		return nil, err
	}
	defer errs.Close()
	args := []string{"headless", "--incidents", filepath.Join(dir, "incidents"), "--ping", farHost, "--spike", "60ms"}
	s.cmd = exec.Command(program, append(args, job.Flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = out, errs
	started := make(chan error)
	go func() { started <- startFirst(s.cmd) }()
	return s, <-started
}

// startFirst starts a process that runs before the load, though after the one that
// notes stalls: the guest has a single processor, and what the load keeps from it
// would be blamed on the program, and be no stall.
func startFirst(cmd *exec.Cmd) error {
	runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
	if err := realtime(0, 10); err != nil {
		return err
	}
	return cmd.Start() // which inherits it
}

func (s *spiketop) end() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	_ = s.cmd.Wait()
	kill.Stop()
}

func (s *spiketop) incidents() int {
	b, _ := os.ReadFile(s.events)
	return bytes.Count(b, []byte(`"event":"incident"`))
}

// awaitEchoes waits for spiketop's pings as tcpdump sees them: there must be one
// by each member. What is missing after a while is spiketop's fault.
func awaitEchoes(dir string, since time.Time) (own []lab.OwnEcho, unmet string) {
	const patience = 12 * time.Second
	by := func(m string) bool {
		return slices.ContainsFunc(own, func(e lab.OwnEcho) bool { return e.Member == m })
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if own = ownSince(dir, since); !slices.ContainsFunc(lab.Members, func(m string) bool { return !by(m) }) {
			return own, ""
		}
	}
	return own, fmt.Sprintf("tcpdump does not see a ping of spiketop's by each member in %v: %v", patience, own)
}

// ownSince are the pings that tcpdump has seen since a time, by their ids, with
// the member that the hash of two members gives them.
func ownSince(dir string, since time.Time) (out []lab.OwnEcho) {
	packets, _ := netlab.ReadPcap(filepath.Join(dir, "icmp.pcap"))
	for _, p := range packets {
		known := slices.ContainsFunc(out, func(e lab.OwnEcho) bool { return e.ID == p.ID })
		if !known && p.At.After(since) {
			out = append(out, lab.OwnEcho{ID: p.ID, Member: lab.Members[lab.EchoIndex(p.Src.Addr(), p.Dst.Addr(), p.ID)]})
		}
	}
	return out
}

func writeJSON(file string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}
