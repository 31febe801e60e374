package main

import (
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spiketop/testdata/netlab"
)

// TestReload: SIGHUP reads the rules again, a bad file keeps the old ones and
// says why, and none of it ends the program.
func TestReload(t *testing.T) {
	// Under nohup a child would inherit that the signal is ignored; exec gives one
	// that is caught its default again.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	ns, peer := netlab.NewNS(t, "reload"), netlab.NewNS(t, "reloadpeer")
	netlab.Veth(t, ns, "eth0", peer, "p0")
	dir := t.TempDir()
	conf := filepath.Join(dir, "spiketop.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("storage: [9422]\n")
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd := ns.Command(binary(t), "headless", "--no-ping", "--incidents", filepath.Join(dir, "incidents"), "--json-log", filepath.Join(dir, "log"), "--config", conf, "eth0")
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	contains := func(file, want string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if text, _ := os.ReadFile(filepath.Join(dir, file)); strings.Contains(string(text), want) {
				return
			}
		}
		text, _ := os.ReadFile(filepath.Join(dir, file))
		t.Fatalf("%s has not %q:\n%s", file, want, text)
	}
	contains("log", `"start"`)
	for _, step := range []struct{ text, want string }{
		{"storage:\n  - port: 94222\n", conf + `:2:11: port "94222": want a port of 1-65535, or a range of them as 6800-7568: the rules stay as they were`},
		{"storage: [9422, 6800-7568]\nclasses: [{name: backup, letter: B, rules: [873]}]\n", "configuration read again from " + conf + ": rules: 3"},
	} {
		write(step.text)
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		contains("stderr", step.want)
		quoted, _ := json.Marshal(step.want)
		contains("log", `"event":"note"`)
		contains("log", strings.Trim(string(quoted), `"`)) // in a "text"
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 0 {
		t.Errorf("status %d", status)
	}
}
