package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"spiketop/testdata/lab"
)

// witness is what watches a run besides spiketop.
type witness struct {
	dir  string
	cmds []*watcher
	stop chan struct{}
	done chan struct{}
}

// watcher is a running command.
type watcher struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// startWitness starts tcpdump on the members and the vif, ping between the VMs,
// the counters' sampler and the one that wants to run every 20 ms.
func startWitness(dir string, vmEcho uint16) (*witness, error) {
	w := &witness{dir: dir, stop: make(chan struct{}), done: make(chan struct{})}
	echoes := "icmp[icmptype] == 8 and src " + nc1 + " and dst " + farHost
	starts := [][]string{
		{"icmp.pcap", "tcpdump", "-i", "bond0", "-U", "-n", "-s", "96", "-Z", "root", "--time-stamp-precision=nano", "-w", dir + "/icmp.pcap", echoes},
		{"023471.pcap", "tcpdump", "-i", "023471", "-n", "-s", "96", "-Z", "root", "--time-stamp-precision=nano", "-w", dir + "/023471.pcap", "icmp"},
		{"stalls", binDir + "/stalls"},
		{"ping", "ip", "netns", "exec", "vm_a", "ping", "-D", "-n", "-i", "0.1", "-e", strconv.Itoa(int(vmEcho)), vmB},
	}
	for _, m := range lab.Members {
		starts = append(starts, []string{m + ".pcap", "tcpdump", "-i", m, "-n", "-s", "96", "-B", "16384", "-Z", "root", "--time-stamp-precision=nano", "-w", dir + "/" + m + ".pcap"})
	}
	for _, s := range starts {
		if err := w.start(s[0], s[1:]...); err != nil {
			return nil, err
		}
	}
	for _, f := range []string{"icmp.pcap", "023471.pcap", "eth0.pcap", "eth1.pcap"} {
		if err := w.await(f+".err", "listening on", 20*time.Second); err != nil {
			return nil, err
		}
	}
	go w.sample()
	return w, nil
}

// start starts a command whose output goes to NAME.out and NAME.err.
func (w *witness) start(name string, args ...string) error {
	c := exec.Command(args[0], args[1:]...)
	out, err := os.Create(filepath.Join(w.dir, name+".out"))
	if err != nil {
		return err
	}
	defer out.Close()
	errs, err := os.Create(filepath.Join(w.dir, name+".err"))
	if err != nil {
		return err
	}
	defer errs.Close()
	c.Stdout, c.Stderr = out, errs
	if err := c.Start(); err != nil {
		return err
	}
	one := &watcher{name, c, make(chan struct{})}
	w.cmds = append(w.cmds, one)
	go func() {
		_ = c.Wait()
		close(one.ended)
	}()
	return nil
}

func (w *witness) await(file, word string, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		b, _ := os.ReadFile(filepath.Join(w.dir, file))
		if strings.Contains(string(b), word) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no %q in %s: %s", word, file, b)
		}
	}
}

// sample writes the members' byte counters every 100 ms.
func (w *witness) sample() {
	defer close(w.done)
	var out strings.Builder
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		fmt.Fprint(&out, time.Now().UnixNano())
		for _, m := range lab.Members {
			for _, c := range []string{"rx_bytes", "tx_bytes"} {
				b, _ := os.ReadFile("/sys/class/net/" + m + "/statistics/" + c)
				fmt.Fprint(&out, " ", strings.TrimSpace(string(b)))
			}
		}
		fmt.Fprintln(&out)
		select {
		case <-tick.C:
		case <-w.stop:
			_ = os.WriteFile(filepath.Join(w.dir, "counters"), []byte(out.String()), 0o644)
			return
		}
	}
}

// end stops everything as Ctrl-C would, so that each says its last words. A
// witness that had ended before is an error: it has not seen everything.
func (w *witness) end() (err error) {
	close(w.stop)
	<-w.done
	time.Sleep(1300 * time.Millisecond) // a frame may lie in tcpdump's ring for a second
	for _, c := range w.cmds {
		select {
		case <-c.ended:
			said, _ := os.ReadFile(filepath.Join(w.dir, c.name+".err"))
			err = fmt.Errorf("the witness %s ended by itself: %s", c.name, said)
		default:
			_ = c.cmd.Process.Signal(syscall.SIGINT)
		}
	}
	for _, c := range w.cmds {
		kill := time.AfterFunc(10*time.Second, func() { _ = c.cmd.Process.Kill() })
		<-c.ended
		kill.Stop()
	}
	return err
}
