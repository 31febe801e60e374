package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/lab"
)

// network is the running lab: its nodes serve and talk until the guest powers off.
type network struct {
	mu      sync.Mutex
	senders []lab.Burst // of the current run
	steps   []lab.Step
	macs    []string
}

func startNetwork() (*network, error) {
	runtime.GOMAXPROCS(4) // one processor, but a blocked thread must not hold up the others
	if err := calmKernel(); err != nil {
		return nil, err
	}
	n := &network{}
	if err := shell("sh", "-e", os.Getenv("LAB_TOPOLOGY")); err != nil {
		return nil, err
	}
	chunks := exec.Command(binDir+"/chunkserver", nc1)
	chunks.Stderr = os.Stderr
	if err := chunks.Start(); err != nil {
		return nil, err
	}
	if err := n.awaitLACP(20 * time.Second); err != nil {
		return nil, err
	}
	if err := startBackground(); err != nil {
		return nil, err
	}
	for _, f := range []string{"/sys/class/net/br0/address", "/sys/class/net/bond0/address",
		"/sys/class/net/eth0/bonding_slave/perm_hwaddr", "/sys/class/net/eth1/bonding_slave/perm_hwaddr"} {
		if b, err := os.ReadFile(f); err == nil {
			n.macs = append(n.macs, string(b[:17]))
		}
	}
	n.macs = append(n.macs, "52:54:00:00:00:0a")
	return n, n.serveCommands()
}

// calmKernel gives the kernel's own network thread a priority above all programs:
// with one processor, whoever computes for 100 ms would otherwise delay packets
// that have nothing to do with it, and the lab would measure that.
func calmKernel() error {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return err
	}
	for _, f := range names {
		if b, _ := os.ReadFile(f); strings.HasPrefix(string(b), "ksoftirqd/") {
			pid, _ := strconv.Atoi(strings.Split(f, "/")[2])
			if err := realtime(pid, 40); err != nil {
				return err
			}
		}
	}
	return nil
}

// realtime gives a process SCHED_FIFO; 0 is the calling thread.
func realtime(pid int, priority uint32) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: priority}
	if err := unix.SchedSetAttr(pid, &attr, 0); err != nil {
		return fmt.Errorf("set the priority of process %d: %w", pid, err)
	}
	return nil
}

// awaitLACP waits until both members of this host's bond carry traffic and the
// far host answers.
func (n *network) awaitLACP(patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		up := 0
		for _, m := range lab.Members {
			b, _ := os.ReadFile("/sys/class/net/" + m + "/bonding_slave/ad_partner_oper_port_state")
			if string(b) == "63\n" {
				up++
			}
		}
		if up == len(lab.Members) && shell("ping", "-q", "-c", "1", "-W", "1", farHost) == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("LACP or ARP did not settle in %v", patience)
		}
	}
}

func shell(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}
