package host

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/testdata/netlab"
)

// outside runs the calling test again as a process of its own in new network, mount
// and process namespaces, and returns false there after its mounts are made. When
// either process ends, however it ends, all that was started inside ends with it
// and its mounts vanish: nothing can be left behind.
func outside(t *testing.T) bool {
	t.Helper()
	const inside = "SPIKETOP_HOST_TEST_INSIDE"
	if os.Getenv(inside) != "" {
		enterWorld(t)
		return false
	}
	runtime.LockOSThread() // the death signal below is that of the thread's end
	defer runtime.UnlockOSThread()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A shell as process 1 reaps what daemons leave.
	cmd := exec.Command("sh", "-c", `exec 3<&0; "$0" "$@" <&3 & wait $!`, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &unix.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	life, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer life.Close()
	out, err := cmd.CombinedOutput()
	if testing.Verbose() || err != nil {
		t.Logf("inside:\n%s", out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("inside: %v", err)
	}
	return true
}

// enterWorld makes the mounts of a machine of its own and dies with the parent.
func enterWorld(t *testing.T) {
	t.Helper()
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // ends when the parent does
		os.Exit(3)
	}()
	must(t, unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, unix.Mount("proc", "/proc", "proc", 0, ""))
	must(t, unix.Mount("sysfs", "/sys", "sysfs", 0, ""))
	must(t, unix.Mount("tmpfs", "/run", "tmpfs", 0, ""))
	must(t, os.Mkdir("/run/tmp", 0o755)) // so that no directory is left either
	t.Setenv("TMPDIR", "/run/tmp")
	netlab.Run(t, "ip", "link", "set", "dev", "lo", "up")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const patience = 60 * time.Second // for things that take a second on a calm machine

// eventually polls until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func ip(t *testing.T, line string) {
	t.Helper()
	netlab.Run(t, "ip", strings.Fields(line)...)
}

// asNobody runs f on a thread of its own without any right.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its rights
		const nobody = 65534
		for _, call := range [][4]uintptr{
			{unix.SYS_SETGROUPS, 0, 0, 0},
			{unix.SYS_SETRESGID, nobody, nobody, nobody},
			{unix.SYS_SETRESUID, nobody, nobody, nobody},
		} {
			if _, _, e := syscall.RawSyscall(call[0], call[1], call[2], call[3]); e != 0 {
				t.Error(e)
				return
			}
		}
		f()
	}()
	<-done
}
