package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"spiketop/testdata/lab"
)

const socket = "/run/lab.sock"

// request is one command of a scenario's script.
type request struct {
	Name   string
	Args   []string
	Member string // $MEMBER
}

// ask hands a command to the driver, which has its sockets and its log, and
// returns when it is done.
func ask(name string, args []string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := json.NewEncoder(c).Encode(request{name, args, os.Getenv("MEMBER")}); err != nil {
		return err
	}
	var b lab.Burst
	if err := json.NewDecoder(bufio.NewReader(c)).Decode(&b); err != nil {
		return err
	}
	if b.Error != "" {
		return errors.New(b.Error)
	}
	return nil
}

// serveCommands answers ask and logs what each sender did.
func (n *network) serveCommands() error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go accept(l, func(c net.Conn) {
		var r request
		if json.NewDecoder(c).Decode(&r) != nil {
			return
		}
		do := map[string]func(request) (lab.Burst, error){"burst": burst, "flood": flood, "step": n.step}[r.Name]
		b, err := do(r)
		b.Parameters = strings.Join(append([]string{r.Name}, r.Args...), " ")
		if err != nil {
			b.Error = fmt.Sprintf("%s: %v", b.Parameters, err)
		}
		if b.Name != "" || err != nil {
			n.log(b)
		}
		_ = json.NewEncoder(c).Encode(b)
	})
	return nil
}

func (n *network) log(b lab.Burst) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.senders = append(n.senders, b)
}
