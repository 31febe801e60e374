package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/netlab"
)

// TestRightsDropped: once everything is open, the running program has the rights
// to raw sockets and to look at processes and namespaces and no other, in every thread, and cannot get one back.
func TestRightsDropped(t *testing.T) {
	ns, peer := netlab.NewNS(t, "rights"), netlab.NewNS(t, "rpeer2")
	netlab.Veth(t, ns, "eth0", peer, "p0")
	h := startHeadless(t, ns, "--no-ping", "eth0")
	checkCapabilities(t, h.cmd.Process.Pid, 1<<unix.CAP_NET_RAW|1<<unix.CAP_SYS_PTRACE|1<<unix.CAP_DAC_READ_SEARCH|1<<unix.CAP_NET_ADMIN)
	if s := h.stderr.String(); s != "" {
		t.Errorf("standard error: %s", s)
	}
}

// TestOfflineRights: what parses foreign files has given up its rights before it
// reads them.
func TestOfflineRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: there is nothing to drop")
	}
	const read, write = 1 << unix.CAP_DAC_READ_SEARCH, 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_CHOWN
	for _, tt := range []struct {
		args []string
		keep uint64
	}{
		{[]string{"stats", "-"}, read},
		{[]string{"path", "vm_a=-", "vm_b=testdata/none.pcap"}, read},
		{[]string{"replay", "--headless", "-"}, write},
		{[]string{"slice", "-", "-o", filepath.Join(t.TempDir(), "out.pcapng")}, write},
	} {
		t.Run(tt.args[0], func(t *testing.T) {
			cmd := exec.Command(binary(t), tt.args...)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
			// It waits for its input now, or will in a moment.
			status := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)
			for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
				if b, _ := os.ReadFile(status); strings.Contains(string(b), "NoNewPrivs:\t1") && strings.Contains(string(b), fmt.Sprintf("CapEff:\t%016x", tt.keep)) {
					break
				}
			}
			checkCapabilities(t, cmd.Process.Pid, tt.keep)
		})
	}
}

// checkCapabilities looks at every thread of a process.
func checkCapabilities(t *testing.T, pid int, keep uint64) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("threads of the program: %v", err)
	}
	want := fmt.Sprintf("%016x", keep)
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range []struct{ name, want string }{{"CapEff", want}, {"CapPrm", want}, {"CapInh", "0000000000000000"}, {"NoNewPrivs", "1"}} {
			m := regexp.MustCompile(field.name + `:\s+(\w+)`).FindSubmatch(b)
			if m == nil || string(m[1]) != field.want {
				t.Errorf("thread %s: %s is %s, want %s", task.Name(), field.name, m, field.want)
			}
		}
	}
}
