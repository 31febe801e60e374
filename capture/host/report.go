package host

import (
	"fmt"
	"regexp"
)

// Status says how a source fared.
type Status uint8

// The states of a source.
const (
	Absent       Status = iota // not there, or nothing here that it could know
	Found                      // asked and answered
	NotPermitted               // there, but closed to us: see the remedy
	Failed                     // there, and something else went wrong
	NotAsked                   // there, but everything was known without it
)

var statusWords = [...]string{"not there", "found", "not permitted", "failed", "not needed"}

func (s Status) String() string {
	if int(s) < len(statusWords) {
		return statusWords[s]
	}
	return fmt.Sprintf("status %d", s)
}

// SourceReport is how one source fared in a look.
type SourceReport struct {
	Source string // "fdinfo", "libvirt", ...: the words of GuestNIC.Source
	Status Status
	Detail string // what was found, or the error; one line, may be empty
	Remedy string // what a person can do about NotPermitted or Failed, else ""
}

// String returns one line of text; it may hold foreign text.
func (r SourceReport) String() string {
	s := r.Source + ": " + r.Status.String()
	if r.Detail != "" {
		s += " (" + r.Detail + ")"
	}
	if r.Remedy != "" {
		s += "; " + r.Remedy
	}
	return s
}

// source is a place in the order of belief.
type source int

const (
	fromFdinfo source = iota
	fromCommand
	fromCgroup
	fromFiles
	fromLibvirt
	fromXen
	fromNetns
	fromFDB
	fromTapMAC
	fromOVS
	fromMap
	sources
)

var sourceWords = [sources]string{"fdinfo", "command line", "cgroup", "libvirt files", "libvirt",
	"xen", "netns", "bridge fdb", "tap mac", "ovs", "user map"}

func (s source) String() string { return sourceWords[s] }

const (
	rightsRemedy = "run as root, or give it cap_sys_ptrace and cap_dac_read_search"
	adminRemedy  = "run as root, or give it cap_net_admin"
)

// aProcess stands in a path of /proc. Which of many processes it is tells nothing,
// and the same trouble is to read the same in the next look.
var aProcess = regexp.MustCompile(`/[0-9]+/`)

// failed reports an error: with missing rights and their remedy, or as it is.
func failed(s source, err error, remedy string) SourceReport {
	r := SourceReport{Source: s.String(), Status: Failed, Detail: clean(aProcess.ReplaceAllString(err.Error(), "/PID/"))}
	if denied(err) {
		r.Status, r.Remedy = NotPermitted, remedy
	}
	return r
}

func found(s source, what string, n int) SourceReport {
	return SourceReport{Source: s.String(), Status: Found, Detail: fmt.Sprintf("%s: %d", what, n)}
}
