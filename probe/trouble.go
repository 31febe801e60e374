package probe

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"unicode"
)

// maxTrouble bounds Event.Text, in characters.
const maxTrouble = 80

// transient reports whether a send error is a matter of a full queue on this
// host. Such an echo is tried again with the next beat: a pause of a second
// would blind the ping in the middle of the burst it is there to see.
func transient(err error) bool {
	return errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.EAGAIN)
}

// reason puts an error into the few words that fit beside a target's name: the
// kernel's own words where it is a system call's.
func reason(err error) string {
	var dns *net.DNSError
	var errno syscall.Errno
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host"
	case errors.As(err, &dns) && dns.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return "no answer from the name server"
	case errors.As(err, &dns):
		last := dns.Err[strings.LastIndex(dns.Err, ": ")+1:] // without "dial udp ...: connect: "
		return clean("name lookup: " + strings.TrimSpace(last))
	case errors.As(err, &errno):
		return errno.Error()
	}
	return clean(err.Error())
}

// clean makes one short printable line of foreign text.
func clean(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			r = ' '
		}
		if n++; n > maxTrouble-1 {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
