package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// farOptions say how the far side of path --live is started.
type farOptions struct {
	argv []string // the command, whole
	name string   // of the far host, until it has said its own
	near string   // name of this host
	json bool     // echoes as JSON lines
}

// sshArgs are what ssh is told besides whom to reach: no terminal, no question
// that nobody sees, no forwarding, and an end when the network is gone. A
// connection that the user shares already is used, but none is left behind.
var sshArgs = []string{"-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
	"-o", "ClearAllForwardings=yes", "-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "PermitLocalCommand=no", "-o", "ControlMaster=no"}

// sshCommand makes the command that starts words on the host of an ssh:// URL.
// Nothing of the URL can become an option of ssh or a command of any shell.
func sshCommand(text string, words []string) (argv []string, host string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "ssh" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return nil, "", fmt.Errorf("not ssh://[USER@]HOST[:PORT]")
	}
	host = u.Hostname()
	if a, wrong := netip.ParseAddr(host); !(wrong == nil && (a.Zone() == "" || plainName(a.Zone()))) && !plainName(host) {
		return nil, "", fmt.Errorf("the host has odd characters")
	}
	argv = append([]string{"ssh"}, sshArgs...)
	if port := u.Port(); port != "" {
		if n, wrong := strconv.ParseUint(port, 10, 16); wrong != nil || n == 0 {
			return nil, "", fmt.Errorf("%q is no port", port)
		}
		argv = append(argv, "-p", port)
	}
	if u.User != nil {
		if _, has := u.User.Password(); has {
			return nil, "", fmt.Errorf("a password does not belong there: it would stand in the list of processes")
		}
		if !plainName(u.User.Username()) {
			return nil, "", fmt.Errorf("the user has odd characters")
		}
		argv = append(argv, "-l", u.User.Username())
	}
	quoted := make([]string, 0, len(words))
	for _, w := range words {
		quoted = append(quoted, shellQuote(w))
	}
	return append(argv, "--", host, strings.Join(quoted, " ")), host, nil
}

// plainName reports whether s is a name as hosts and users have, which no
// program can take for an option.
func plainName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '-' {
		return false
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return false
		}
	}
	return true
}

// shellQuote makes s one word of a POSIX shell, whatever is in it.
func shellQuote(s string) string {
	if plainPath(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func plainPath(s string) bool { return plainName(strings.ReplaceAll(s, "/", "_")) }

// splitWords splits a command as a shell does, as far as blanks, quotes and
// backslashes go. Nothing is expanded, and no shell is started.
func splitWords(s string) (words []string, err error) {
	var word strings.Builder
	begun := false
	quote := rune(0)
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, begun = true, true
		case r == quote && quote != 0:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		case r == 0:
			return nil, fmt.Errorf("it has a zero byte")
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if begun {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, fmt.Errorf("it is empty")
	}
	return words, nil
}
