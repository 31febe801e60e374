package main

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"spiketop/testdata/netlab"
)

// TestRightsDropped: once everything is open, the running program has the rights
// to raw sockets and to look at processes and namespaces and no other, in every thread, and cannot get one back.
func TestRightsDropped(t *testing.T) {
	ns, peer := netlab.NewNS(t, "rights"), netlab.NewNS(t, "rpeer2")
	netlab.Veth(t, ns, "eth0", peer, "p0")
	h := startHeadless(t, ns, "--no-ping", "eth0")
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", h.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("threads of the program: %v", err)
	}
	want := fmt.Sprintf("%016x", 1<<unix.CAP_NET_RAW|1<<unix.CAP_SYS_PTRACE|1<<unix.CAP_DAC_READ_SEARCH|1<<unix.CAP_NET_ADMIN)
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", h.cmd.Process.Pid, task.Name()))
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
	if s := h.stderr.String(); s != "" {
		t.Errorf("standard error: %s", s)
	}
}
