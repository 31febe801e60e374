package socket

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"spiketop/flow"
)

// The live tests look at processes that are this test binary once more, with
// helperEnv set: it does what it is told on standard input, one command a line,
// and answers each with one line.
const helperEnv = "SPIKETOP_SOCKET_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		go func() {
			help(os.Stdin, os.Stdout)
			os.Exit(0)
		}()
		<-endFirstThread
		syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0) // of this thread alone, which init has locked
	}
	os.Exit(m.Run())
}

var endFirstThread = make(chan struct{})

func init() {
	if os.Getenv(helperEnv) != "" {
		runtime.LockOSThread()
	}
}

// helperState keeps references: an unreferenced net.Conn is closed by the garbage collector.
type helperState struct {
	listeners []net.Listener
	conns     []net.Conn
	packets   []net.PacketConn
	children  []*exec.Cmd
	proc      string
}

func help(in io.Reader, out io.Writer) {
	var h helperState
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		answer, err := h.do(strings.Fields(lines.Text()))
		if err != nil {
			answer = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Fprintln(out, answer)
	}
	for _, c := range h.children {
		c.Process.Kill()
		c.Wait()
	}
}

func (h *helperState) do(arg []string) (string, error) {
	switch arg[0] {
	case "name":
		return "ok", os.WriteFile("/proc/self/comm", []byte(arg[1]), 0)
	case "user":
		uid, _ := strconv.Atoi(arg[1])
		return "ok", errors.Join(syscall.Setgroups(nil), syscall.Setgid(uid), syscall.Setuid(uid))
	case "listen":
		var lc net.ListenConfig
		lc.SetMultipathTCP(len(arg) > 3)
		l, err := lc.Listen(context.Background(), arg[1], arg[2])
		if err != nil {
			return "", err
		}
		h.listeners = append(h.listeners, l)
		return l.Addr().String(), nil
	case "accept":
		c, err := h.listeners[len(h.listeners)-1].Accept()
		return h.keep(c, err)
	case "dial":
		var d net.Dialer
		d.SetMultipathTCP(len(arg) > 3 && arg[3] == "mptcp")
		if len(arg) > 4 && arg[3] == "dev" {
			d.Control = func(_, _ string, c syscall.RawConn) (err error) {
				c.Control(func(fd uintptr) { err = syscall.BindToDevice(int(fd), arg[4]) })
				return err
			}
		}
		c, err := d.Dial(arg[1], arg[2])
		return h.keep(c, err)
	case "udp":
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
			return err
		}}
		c, err := lc.ListenPacket(context.Background(), arg[1], arg[2])
		if err != nil {
			return "", err
		}
		h.packets = append(h.packets, c)
		return c.LocalAddr().String(), nil
	}
	return h.doMore(arg)
}

func (h *helperState) doMore(arg []string) (string, error) {
	last := func() net.Conn { return h.conns[len(h.conns)-1] }
	switch arg[0] {
	case "write":
		n, _ := strconv.Atoi(arg[1])
		_, err := last().Write(make([]byte, n))
		return "ok", err
	case "swallow": // for as long as it lives
		go io.Copy(io.Discard, last())
		return "ok", nil
	case "close":
		return "ok", last().Close()
	case "eof": // waits for the other end
		_, err := io.Copy(io.Discard, last())
		return "ok", err
	case "give": // the last connection to a child that only sleeps
		f, err := last().(*net.TCPConn).File()
		if err != nil {
			return "", err
		}
		c := exec.Command("sleep", "300")
		c.ExtraFiles = []*os.File{f}
		if err := c.Start(); err != nil {
			return "", err
		}
		h.children = append(h.children, c)
		f.Close()
		return strconv.Itoa(c.Process.Pid), last().Close()
	case "end-first-thread":
		close(endFirstThread)
		return "ok", nil
	case "hidepid": // mounts a proc at a directory in which others' processes are not seen
		h.proc = arg[1]
		return "ok", syscall.Mount("proc", h.proc, "proc", 0, "hidepid=2")
	case "look": // what a process with this one's rights learns
		var asked []flow.Socket
		if err := json.Unmarshal([]byte(arg[1]), &asked); err != nil {
			return "", err
		}
		return lookAsHelper(asked, Options{Proc: h.proc})
	}
	return "", fmt.Errorf("what is %q?", arg[0])
}

type seenByHelper struct {
	Owners map[string]flow.Owner // by the socket's place in the question
	Infos  int
	Said   []Finding
	Again  []Finding
	Check  []Finding
}

func lookAsHelper(asked []flow.Socket, opt Options) (string, error) {
	o, err := New(opt)
	if err != nil {
		return "", err
	}
	defer o.Close()
	r := Request{Sockets: asked, TCPInfo: asked, Thorough: true}
	a, b := o.Answer(context.Background(), r), o.Answer(context.Background(), r)
	if a.Err != nil {
		return "", a.Err
	}
	seen := seenByHelper{Owners: map[string]flow.Owner{}, Infos: len(a.TCPInfo), Said: a.Missing, Again: b.Missing, Check: Check(context.Background(), opt)}
	for i, s := range asked {
		if owner, ok := a.Owners[s]; ok {
			seen.Owners[strconv.Itoa(i)] = owner
		}
	}
	text, err := json.Marshal(seen)
	return string(text), err
}

func (h *helperState) keep(c net.Conn, err error) (string, error) {
	if err != nil {
		return "", err
	}
	h.conns = append(h.conns, c)
	return c.LocalAddr().String() + " " + c.RemoteAddr().String(), nil
}

// helper is such a process, seen from the test.
type helper struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out chan string
}

// startHelper starts one in a namespace, under a name.
func startHelper(t *testing.T, ns, name string) *helper {
	t.Helper()
	h := &helper{t: t, out: make(chan string)}
	inside(t, ns, func() {
		h.cmd = exec.Command(self)
		h.cmd.Env = append(os.Environ(), helperEnv+"=1")
		h.cmd.Stderr = os.Stderr
		h.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // what it mounts goes with it
		var err error
		if h.in, err = h.cmd.StdinPipe(); err != nil {
			t.Error(err)
			return
		}
		out, err := h.cmd.StdoutPipe()
		if err != nil {
			t.Error(err)
			return
		}
		if err := h.cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer close(h.out)
			lines := bufio.NewReader(out)
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				h.out <- strings.TrimSpace(line)
			}
		}()
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(h.stop)
	h.do("name %s", name)
	return h
}

func (h *helper) pid() int { return h.cmd.Process.Pid }

func (h *helper) do(format string, arg ...any) string {
	h.t.Helper()
	line := fmt.Sprintf(format, arg...)
	if _, err := fmt.Fprintln(h.in, line); err != nil {
		h.t.Fatal(err)
	}
	select {
	case answer, ok := <-h.out:
		if !ok || strings.HasPrefix(answer, "error") {
			h.t.Fatalf("%s: %s", line, answer)
		}
		return answer
	case <-time.After(patience):
		h.t.Fatalf("%s: no answer", line)
	}
	return ""
}

// socket does it and returns the connection's socket as this end sees it.
func (h *helper) socket(format string, arg ...any) flow.Socket {
	h.t.Helper()
	ends := strings.Fields(h.do(format, arg...))
	return sock(h.t, "tcp", ends[0], ends[1])
}

func (h *helper) stop() {
	if h.in == nil {
		return
	}
	h.in.Close()
	h.in = nil
	h.cmd.Wait()
}
