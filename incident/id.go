package incident

import (
	"strings"
	"time"
)

// MaxTargetInID bounds the target's part of an ID, so that the ID with a
// temporary prefix and a clash number is a safe file name everywhere.
const MaxTargetInID = 100

// idTime is the time part of an ID: UTC, milliseconds, without colons.
const idTime = "20060102T150405.000Z"

// NewID names an incident by the time at which the guilty echo was sent and its
// target: "20261121T174720.962Z-10.1.16.55". An empty target means a manual
// incident and gives "-manual". A colon (IPv6) becomes "-", any other character
// outside A-Z a-z 0-9 . - becomes "_", so the ID is a safe file name that sorts
// by time.
func NewID(sent time.Time, target string) string {
	if target == "" {
		target = "manual"
	}
	return sent.UTC().Format(idTime) + "-" + nameInID(target)
}

func nameInID(target string) string {
	var b strings.Builder
	n := 0
	for _, r := range target {
		if n == MaxTargetInID {
			break
		}
		switch {
		case r == ':':
			r = '-'
		case !idRune(r):
			r = '_'
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// ValidID reports whether s has the form that [NewID] makes (a clash number
// such as ".2" included). What is not valid is never used as a file name.
func ValidID(s string) bool {
	stamp, target, ok := cutAt(s, len(idTime))
	if !ok || len(target) < 2 || target[0] != '-' || len(target) > 1+MaxTargetInID+len(".9999") {
		return false
	}
	if _, err := time.Parse(idTime, stamp); err != nil {
		return false
	}
	for _, r := range target {
		if !idRune(r) && r != '_' {
			return false
		}
	}
	return true
}

func idRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-'
}

func cutAt(s string, n int) (before, after string, ok bool) {
	if len(s) < n {
		return "", "", false
	}
	return s[:n], s[n:], true
}
