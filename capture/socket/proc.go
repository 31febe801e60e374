package socket

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// procfs reads a proc file system. What it reads is foreign: every name and
// every file may be anything, and processes vanish at any moment.
type procfs struct {
	root string
	link [64]byte // "socket:[4294967295]" is 19 bytes
	dir  []byte   // directory entries
	file [4096]byte

	numbers []int32
}

func newProcfs(root string) *procfs {
	return &procfs{root: root, dir: make([]byte, 32<<10)}
}

const (
	maxComm = 15      // TASK_COMM_LEN is 16 with its zero; kernel workers' are longer, but own no files
	maxPids = 4 << 20 // PID_MAX_LIMIT
)

// pids returns the PIDs that are seen, ascending, with 1 as the last one.
func (p *procfs) pids() ([]int32, error) {
	pids, err := p.list(p.root, maxPids)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	if len(pids) > 1 && pids[0] == 1 {
		pids = append(pids[1:], 1)
	}
	return pids, nil
}

// list returns the numbers above 0 that are names in a directory, ascending.
func (p *procfs) list(path string, atMost int) ([]int32, error) {
	d, err := p.open(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(d)
	p.numbers = p.numbers[:0]
	err = p.entries(d, func(name string) bool { return p.addNumber(name) && len(p.numbers) < atMost })
	if err != nil {
		return nil, &os.PathError{Op: "list", Path: path, Err: err}
	}
	slices.Sort(p.numbers)
	if len(p.numbers) > 0 && p.numbers[0] == 0 {
		return slices.Clone(p.numbers[1:]), nil
	}
	return slices.Clone(p.numbers), nil
}

// addNumber keeps a name that is a number. It always returns true.
func (p *procfs) addNumber(name string) bool {
	if n, ok := number(name, 1<<31-1); ok {
		p.numbers = append(p.numbers, int32(n))
	}
	return true
}

func (p *procfs) open(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// entries calls each for the names in a directory, except dot and dot-dot,
// until it returns false.
func (p *procfs) entries(dir int, each func(name string) bool) error {
	var names []string
	for {
		n, err := unix.ReadDirent(dir, p.dir)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return os.NewSyscallError("getdents64", err)
		}
		_, _, names = unix.ParseDirent(p.dir[:n], -1, names[:0])
		for _, name := range names {
			if !each(name) {
				return nil
			}
		}
	}
}

// sockets calls each for every descriptor above after that is a socket, and
// count before every look at a descriptor; when count returns false it stops
// with errEnough, and last is where to go on. Other errors are of the classes
// fs.ErrPermission and fs.ErrNotExist, where they are.
func (p *procfs) sockets(pid, after int32, count func() bool, each func(h holder, inode uint32)) (last int32, err error) {
	base := p.path(pid, "")
	last, n, err := p.socketsIn(base+"fd", after, count, func(fd int32, inode uint32) { each(holder{pid: pid, fd: fd}, inode) })
	if err != nil || n > 0 || !p.leaderGone(pid) {
		return last, err
	}
	// The first thread has ended, others run: the files are theirs.
	tids, err := p.list(base+"task", 64)
	if err != nil {
		return last, err
	}
	for _, tid := range tids {
		last, n, err := p.socketsIn(base+threadDir(tid)+"fd", after, count, func(fd int32, inode uint32) { each(holder{pid, tid, fd}, inode) })
		if n > 0 || errors.Is(err, errEnough) {
			return last, err
		}
	}
	return last, nil
}

// socketsIn returns how many descriptors the directory has, too.
func (p *procfs) socketsIn(path string, after int32, count func() bool, each func(fd int32, inode uint32)) (last int32, n int, err error) {
	d, err := p.open(path)
	if err != nil {
		return after, 0, err
	}
	defer unix.Close(d)
	p.numbers = p.numbers[:0]
	if err := p.entries(d, p.addNumber); err != nil {
		return after, 0, &os.PathError{Op: "list", Path: path, Err: err}
	}
	slices.Sort(p.numbers)
	last = after
	for _, fd := range p.numbers {
		if fd <= after {
			continue
		}
		if !count() {
			return last, len(p.numbers), errEnough
		}
		last = fd
		got, err := unix.Readlinkat(d, strconv.Itoa(int(fd)), p.link[:])
		switch {
		case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
			return last, len(p.numbers), &os.PathError{Op: "readlink", Path: path, Err: err}
		case err != nil: // closed since
			continue
		}
		if inode, ok := socketInode(p.link[:got]); ok {
			each(fd, inode)
		}
	}
	return last, len(p.numbers), nil
}

// mayRead reports whether the first descriptor of a process can be read; the
// right to list them (its user's) is not the right to follow them (ptrace).
func (p *procfs) mayRead(pid int32) bool {
	n := 0
	_, err := p.sockets(pid, -1, func() bool { n++; return n == 1 }, func(holder, uint32) {})
	return !errors.Is(err, fs.ErrPermission)
}

// errEnough says that count has stopped it.
var errEnough = errors.New("enough for now")

// holder is a descriptor of a process. thread is 0 as a rule, else the thread
// that has it when the first one has ended.
type holder struct{ pid, thread, fd int32 }

func threadDir(tid int32) string { return "task/" + strconv.Itoa(int(tid)) + "/" }

// holds reports whether a descriptor is that socket.
func (p *procfs) holds(h holder, inode uint32) bool {
	dir := ""
	if h.thread != 0 {
		dir = threadDir(h.thread)
	}
	n, err := unix.Readlink(p.path(h.pid, dir+"fd/"+strconv.Itoa(int(h.fd))), p.link[:])
	if err != nil {
		return false
	}
	got, ok := socketInode(p.link[:n])
	return ok && got == inode
}

// process names a process once and for all: a number is used again, a number
// with its start time is not.
type process struct {
	pid   int32
	start uint64 // clock ticks after boot
	name  string // comm
}

// process reads who has the PID now.
func (p *procfs) process(pid int32) (process, bool) {
	start, ok := p.started(pid)
	if !ok {
		return process{}, false
	}
	comm, err := p.read(p.path(pid, "comm"))
	if err != nil {
		return process{}, false
	}
	return process{pid, start, parseComm(comm)}, true
}

// started returns the start time of the process that has the PID now.
func (p *procfs) started(pid int32) (uint64, bool) {
	stat, err := p.read(p.path(pid, "stat"))
	if err != nil {
		return 0, false
	}
	_, start, ok := parseStat(stat)
	return start, ok
}

// leaderGone reports whether the first thread of a process is a zombie.
func (p *procfs) leaderGone(pid int32) bool {
	stat, err := p.read(p.path(pid, "stat"))
	if err != nil {
		return false
	}
	state, _, ok := parseStat(stat)
	return ok && state == 'Z'
}

// wholeHost reports whether every process of the machine is shown: in the first
// PID namespace process 2 is kthreadd, and with hidepid nobody but the
// privileged sees it.
func (p *procfs) wholeHost() bool {
	comm, err := p.read(p.path(2, "comm"))
	return err == nil && parseComm(comm) == "kthreadd"
}

func (p *procfs) path(pid int32, file string) string {
	return p.root + "/" + strconv.Itoa(int(pid)) + "/" + file
}

// read returns the first 4 KiB of a file, valid until the next read. A FIFO or
// a device in its place does not hold it up.
func (p *procfs) read(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, p.file[:])
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return p.file[:n], nil
}

// parseStat reads state and start time, the third and the 22nd field of
// /proc/PID/stat (proc_pid_stat(5)). The second is the name in parentheses, in
// which anything may stand, parentheses and blanks too.
func parseStat(b []byte) (state byte, start uint64, ok bool) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return 0, 0, false
	}
	const stateField, startField = 3, 22
	field := stateField
	for f := range bytes.FieldsSeq(b[i+1:]) {
		switch field {
		case stateField:
			state = f[0]
		case startField:
			start, err := strconv.ParseUint(string(f), 10, 64)
			return state, start, err == nil
		}
		field++
	}
	return 0, 0, false
}

// parseComm returns the name without its newline, at most 15 bytes.
func parseComm(b []byte) string {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return string(b[:min(len(b), maxComm)])
}

// socketInode reads "socket:[12345]".
func socketInode(b []byte) (uint32, bool) {
	const before, after = "socket:[", "]"
	if len(b) <= len(before)+len(after) || string(b[:len(before)]) != before || b[len(b)-1] != ']' {
		return 0, false
	}
	n, ok := number(string(b[len(before):len(b)-1]), 1<<32-1)
	return uint32(n), ok && n > 0
}

// number reads decimal digits, and only these.
func number(s string, limit uint64) (uint64, bool) {
	if len(s) == 0 || len(s) > 10 {
		return 0, false
	}
	var n uint64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	return n, n <= limit
}
