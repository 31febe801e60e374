package socket

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// Finding says whether one thing is possible here.
type Finding struct {
	What   string // one of those below
	OK     bool
	Detail string // what was found; the reason if not OK
	Remedy string // what would help, "" if OK or if nothing would
}

// What the findings are about.
const (
	AboutSockets = "sockets" // at work; Check tells TCP and UDP apart
	AboutTCP     = "owners of TCP connections, TCP_INFO"
	AboutUDP     = "owners of UDP sockets"
	AboutOthers  = "processes of the whole host"
	AboutKernel  = "kernel-owned sockets"
)

const (
	remedyRights = "run as root, or keep CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE"
	remedyWhole  = "run in the host's PID namespace, or name a /proc of the host with --procfs"
	remedyClosed = "the rights are there, but a container or a security module keeps processes closed: run outside of it"
	remedyMount  = "mount /proc, or name it with --procfs"
)

// Check tries everything once, for a report to a person. It changes nothing,
// opens what it needs itself, and takes some milliseconds.
func Check(ctx context.Context, opt Options) []Finding {
	o, err := New(opt)
	if err != nil {
		return []Finding{kernelFinding(AboutTCP, err, 0), kernelFinding(AboutUDP, err, 0)}
	}
	defer o.Close()
	var list []Finding
	for _, c := range []struct {
		what  string
		proto uint8
	}{{AboutTCP, flow.ProtoTCP}, {AboutUDP, flow.ProtoUDP}} {
		n := 0
		_, err := o.kernel.list(ctx, c.proto, everyState, func(*entry) bool { n++; return false })
		list = append(list, kernelFinding(c.what, err, n))
	}
	return append(list, o.search.check()...)
}

func kernelFinding(what string, err error, n int) Finding {
	f := Finding{What: what, OK: err == nil, Detail: "sockets: " + strconv.Itoa(n)}
	switch {
	case err == nil:
		return f
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
		f.Remedy = "modprobe tcp_diag udp_diag"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		f.Remedy = "allow netlink (NETLINK_SOCK_DIAG) in the sandbox or security policy"
	}
	f.Detail = err.Error()
	return f
}

// check looks whether processes can be looked into, without looking at their sockets.
func (s *search) check() []Finding {
	pids, err := s.proc.pids()
	if err != nil || len(pids) == 0 {
		return []Finding{{What: AboutOthers, Detail: cause(err, "no process in "+s.proc.root), Remedy: remedyMount}}
	}
	denied := 0
	for _, pid := range pids {
		if !s.proc.mayRead(pid) {
			denied++
		}
	}
	others := processesFinding(denied, len(pids), s.proc.wholeHost())
	kernel := Finding{What: AboutKernel, OK: others.OK, Detail: "told by elimination: no process has them", Remedy: others.Remedy}
	if !others.OK {
		kernel.Detail = "cannot be told without every process of the host"
	}
	return []Finding{others, kernel}
}

func processesFinding(denied, of int, whole bool) Finding {
	f := Finding{What: AboutOthers, OK: denied == 0 && whole, Detail: fmt.Sprintf("%d processes", of)}
	switch {
	case denied > 0:
		f.Detail, f.Remedy = fmt.Sprintf("may not look into %d of %d processes", denied, of), rightsRemedy()
	case !whole:
		f.Detail = fmt.Sprintf("sees only %d processes: /proc is of a container or mounted with hidepid", of)
		f.Remedy = remedyWhole + "; against hidepid: " + remedyRights
	}
	return f
}

// rightsRemedy depends on whether the rights are there already.
func rightsRemedy() string {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	const need = 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_SYS_PTRACE
	if err := unix.Capget(&head, &have[0]); err == nil && have[0].Effective&need == need {
		return remedyClosed
	}
	return remedyRights
}

func cause(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

// missing are the findings of the newest complete look, those that are not OK.
func (s *search) missing() (list []Finding) {
	if s.err != nil {
		return []Finding{{What: AboutOthers, Detail: s.err.Error(), Remedy: remedyMount}}
	}
	if s.looked == 0 {
		return nil
	}
	if f := processesFinding(s.denied, s.looked, s.whole); !f.OK {
		list = append(list, f)
	}
	return list
}

// news returns what is missing and has not been said yet.
func (o *Owners) news(err error) (list []Finding) {
	now := o.search.missing()
	if err != nil && refused(err) {
		now = append(now, kernelFinding(AboutSockets, err, 0))
	}
	for _, f := range now {
		if !o.said[f.What] {
			o.said[f.What] = true
			list = append(list, f)
		}
	}
	return list
}

// refused is true for what will be refused the next time, too.
func refused(err error) bool {
	for _, e := range []unix.Errno{unix.ENOENT, unix.EPROTONOSUPPORT, unix.EPERM, unix.EACCES, unix.EOPNOTSUPP, unix.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
