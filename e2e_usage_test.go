package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spiketop/testdata/netlab"
)

// TestUsage: what is wrong is one clear line, a hint where there is one, and the
// right exit status; nothing of it needs rights or a network.
func TestUsage(t *testing.T) {
	badConfig := filepath.Join(t.TempDir(), "spiketop.yaml")
	if err := os.WriteFile(badConfig, []byte("storage:\n  - 9422\n  - port: 94222\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		status int
		want   string // in standard error
	}{
		{"unknown flag", []string{"--colour"}, exitUsage, "unknown flag: --colour"},
		{"bad duration", []string{"headless", "--for", "soon"}, exitUsage, `read --for "soon": not a duration`},
		{"negative duration", []string{"headless", "--spike", "-5ms"}, exitUsage, "read --spike -5ms: not between"},
		{"bad spike", []string{"--spike", "automatic"}, exitUsage, `read --spike "automatic"`},
		{"ping and no ping", []string{"--ping", "10.0.0.1", "--no-ping"}, exitUsage, "contradict"},
		{"bad host", []string{"--ping", "a b"}, exitUsage, `read --ping "a b": not a host`},
		{"bad rule", []string{"--storage", "94222"}, exitUsage, `read --storage "94222"`},
		{"process rule", []string{"--storage", "chunk server"}, exitUsage, `read --storage "chunk server"`},
		{"no configuration", []string{"--config", "testdata/none.yaml"}, exitUsage, "read --config: open testdata/none.yaml: no such file"},
		{"bad configuration", []string{"--config", badConfig}, exitUsage, badConfig + `:3:11: port "94222": want a port of 1-65535`},
		{"bad configuration, headless", []string{"headless", "--config", badConfig}, exitUsage, badConfig + ":3:11: "},
		{"bad speed", []string{"--link-speed", "eth0"}, exitUsage, "want NIC=RATE"},
		{"bad scale", []string{"-m", "fast"}, exitUsage, `read -m "fast"`},
		{"bad filter", []string{"--filter", "host and"}, exitUsage, "read --filter"},
		{"bad theme", []string{"--theme", "pink"}, exitUsage, `read --theme "pink"`},
		{"few flows", []string{"--max-flows", "1"}, exitUsage, "read --max-flows 1"},
		{"small ring", []string{"--ring", "ring", "--ring-size", "3M"}, exitUsage, `read --ring-size "3M": not a size between 16.0MB`},
		{"no size", []string{"--ring-size", "much"}, exitUsage, `read --ring-size "much"`},
		{"short ring", []string{"--ring", "ring", "--ring-time", "1s"}, exitUsage, "read --ring-time 1s: not between 10s"},
		{"ring of nothing", []string{"--ring", "ring", "--snaplen", "0"}, exitUsage, "--ring writes what --snaplen 0 does not keep"},
		{"no terminal", []string{}, exitFailed, "is no terminal"},
		{"escapes do not reach the terminal", []string{"--theme", "\x1b[31m"}, exitUsage, "read --theme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := finish(t, exec.Command(binary(t), tt.args...))
			if status != tt.status || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, standard error %q; want %d and %q", status, stderr, tt.status, tt.want)
			}
			checkErrorForm(t, stderr)
			if stdout != "" {
				t.Errorf("standard output: %q", stdout)
			}
		})
	}
}

// checkErrorForm: "spiketop: operation object: cause", then a hint or nothing.
func checkErrorForm(t *testing.T, stderr string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if !strings.HasPrefix(lines[0], "spiketop: ") || len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[1], "hint: ") || strings.ContainsRune(stderr, '\x1b') {
		t.Errorf("standard error has not the form of an error: %q", stderr)
	}
}

func finish(t *testing.T, cmd *exec.Cmd) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	kill.Stop()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestHostTrouble: the same for what only shows on a host.
func TestHostTrouble(t *testing.T) {
	ns := netlab.NewNS(t, "trouble")
	peer := netlab.NewNS(t, "peer")
	netlab.Veth(t, ns, "eth0", peer, "p0")
	ns.IP("addr add 10.1.16.165/24 dev eth0")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"unknown NIC", []string{"headless", "eth9"}, exitFailed, "eth9: no such device"},
		{"speed of a stranger", []string{"headless", "--link-speed", "eth9=1G", "eth0"}, exitUsage, "read --link-speed eth9: not a captured NIC"},
		{"incidents is a file", []string{"headless", "--incidents", file, "--for", "1s"}, exitFailed, file},
		{"incidents cannot be made", []string{"headless", "--incidents", "/proc/nowhere/incidents", "--for", "1s"}, exitFailed, "/proc/nowhere"},
		{"log cannot be written", []string{"headless", "--json-log", "/proc/nowhere/log", "--for", "1s"}, exitFailed, "/proc/nowhere/log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, _, stderr := finish(t, ns.Command(binary(t), tt.args...))
			if status != tt.status || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, standard error %q; want %d and %q", status, stderr, tt.status, tt.want)
			}
			checkErrorForm(t, stderr)
		})
	}
	t.Run("nothing to capture", func(t *testing.T) {
		empty := netlab.NewNS(t, "empty")
		status, _, stderr := finish(t, empty.Command(binary(t), "headless"))
		if status != exitFailed || !strings.Contains(stderr, "nics: none to capture") {
			t.Errorf("status %d, standard error %q", status, stderr)
		}
	})
	t.Run("unknown host goes on", func(t *testing.T) {
		h := startHeadless(t, ns, "--ping", "no-such-host.invalid", "--ping", "10.1.16.9", "--for", "12s", "eth0")
		h.wait("stop", 1, 40*time.Second)
		if s := h.events("summary"); len(s) != 1 || len(s[0].Pings) != 2 {
			t.Errorf("summaries %+v", s)
		}
		if status := h.end(); status != 0 {
			t.Errorf("status %d: %s", status, h.stderr.String())
		}
	})
	t.Run("nobody reads", func(t *testing.T) {
		h := startHeadless(t, ns, "--no-ping", "eth0")
		_ = h.out.Close()
		ended := make(chan struct{})
		go func() { h.awaitEnd(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(30 * time.Second): // the next event is a summary, within 10 s
			t.Fatal("headless goes on though nobody reads its events")
		}
		if s := h.cmd.ProcessState; s.ExitCode() != exitFailed || !strings.Contains(h.stderr.String(), "write events") {
			t.Errorf("%v, standard error %q; want exit status 1 and why", s, h.stderr.String())
		}
	})
	t.Run("no permission", func(t *testing.T) {
		copied := filepath.Join(t.TempDir(), "spiketop") // where anybody may run it
		netlab.Run(t, "cp", binary(t), copied)
		for dir := filepath.Dir(copied); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
			_ = os.Chmod(dir, 0o755)
		}
		cmd := ns.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", copied, "headless", "eth0")
		status, _, stderr := finish(t, cmd)
		if status != exitPermission || !strings.Contains(stderr, "setcap cap_net_raw+ep "+copied) {
			t.Errorf("status %d, standard error %q; want %d and the setcap line", status, stderr, exitPermission)
		}
	})
}

// TestFollowsNICs: a NIC that goes down, vanishes, returns and is renamed is
// followed without a restart.
func TestFollowsNICs(t *testing.T) {
	ns := netlab.NewNS(t, "follow")
	peer := netlab.NewNS(t, "fpeer")
	make1 := func() {
		netlab.Veth(t, ns, "eth0", peer, "p0")
		ns.IP("addr add 10.1.16.165/24 dev eth0")
		peer.IP("addr add 10.1.16.55/24 dev p0")
	}
	make1()
	h := startHeadless(t, ns, "--ping", "10.1.16.55", "eth0")
	changes := func(n int) []line { return h.wait("link", n, 15*time.Second) }
	peer.IP("link set dev p0 down")
	if c := changes(1)[0]; c.Name != "eth0" || c.Change != "down" {
		t.Errorf("change %+v, want eth0 down", c)
	}
	peer.IP("link set dev p0 up")
	changes(2)
	ns.IP("link del dev eth0")
	changes(3)
	make1()
	changes(4)
	ns.IP("link set dev eth0 down")
	ns.IP("link set dev eth0 name uplink")
	ns.IP("link set dev uplink up")
	deadline := time.Now().Add(45 * time.Second)
	for {
		if s := h.events("summary"); len(s) > 0 {
			last := s[len(s)-1]
			if last.Links[0].Name == "uplink" && last.Links[0].State == "up" && last.Links[0].RxBps > 0 && last.Pings[0].Member == "uplink" {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("uplink is not counted and pinged again: %+v; standard error %s", h.events("summary"), h.stderr.String())
		}
		time.Sleep(200 * time.Millisecond)
	}
	var renamed bool
	for _, c := range h.events("link") {
		renamed = renamed || c.Change == "renamed"
	}
	if !renamed {
		t.Errorf("no renamed event: %+v", h.events("link"))
	}
	h.signal(syscall.SIGINT)
	if status := h.end(); status != 0 {
		t.Errorf("status %d after SIGINT", status)
	}
}

// TestUnsavedEvidence: an incident that cannot be written to the end is said, and
// the exit status is not success.
func TestUnsavedEvidence(t *testing.T) {
	l := newBurstLab(t, netlab.Options{})
	h := startHeadless(t, l.NC1, labFlags...)
	if err := os.RemoveAll(h.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.dir, nil, 0o600); err != nil { // a file where the directory was
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	if _, _, _, err := l.burst.Burst(400 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	h.wait("spike", 1, 10*time.Second)
	if status := h.end(); status != exitFailed || !strings.Contains(h.stderr.String(), "could not be saved") {
		t.Errorf("status %d, standard error %q; want 1 and the loss said", status, h.stderr.String())
	}
	if lost := h.events("lost"); len(lost) == 0 || lost[len(lost)-1].What != "incidents" {
		t.Errorf("lost events %+v, want one of incidents", lost)
	}
}
