// Command guest is what runs inside the lab's user-mode-linux guest: it makes the
// runs of plan.json one after the other and writes their truth. Called by the name
// burst, flood, step, chunkserver or stalls it is that command, for the scenario's script.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"spiketop/testdata/lab"
)

const (
	outDir  = "/run/out" // the only place that outlives the guest
	binDir  = "/run/bin" // this program under the names of its commands
	nc1     = "10.1.16.165"
	farHost = "10.1.16.55"
	vmA     = "192.168.47.111"
	vmB     = "192.168.47.127"
)

func main() {
	var err error
	switch name := filepath.Base(os.Args[0]); name {
	case "burst", "flood", "step":
		err = ask(name, os.Args[1:])
	case "stalls":
		err = watchStalls()
	case "chunkserver":
		err = serveAsProcess(os.Args[1])
	default:
		err = drive()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

// drive makes all runs of the plan.
func drive() error {
	var plan lab.Plan
	data, err := os.ReadFile(filepath.Join(outDir, "plan.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &plan); err != nil {
		return err
	}
	if err := commands(); err != nil {
		return err
	}
	net, err := startNetwork()
	if err != nil {
		return err
	}
	for _, job := range plan.Jobs {
		if err := net.run(plan.Program, job); err != nil {
			return fmt.Errorf("%s: %w", job.Dir, err)
		}
	}
	return nil
}

// commands puts this program into binDir under its other names.
func commands() error {
	if err := os.MkdirAll(binDir, 0o755); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range []string{"burst", "flood", "step", "chunkserver", "stalls"} {
		if err := os.Symlink(self, filepath.Join(binDir, name)); err != nil {
			return err
		}
	}
	return os.Setenv("PATH", binDir+":"+os.Getenv("PATH"))
}
