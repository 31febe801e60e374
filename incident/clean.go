package incident

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxClean is the number of runes after which [Clean] cuts. Names of hosts,
// NICs, processes and machines are shorter; whoever sends more wants to fill a
// screen.
const MaxClean = 512

// Clean makes foreign text (names, targets, kernel strings) fit to be shown:
// every rune that is not printable (control characters, escape sequences,
// newlines, bidirectional and other invisible formatting) and every byte that is
// not UTF-8 becomes U+FFFD, and what is longer than [MaxClean] runes is cut, with
// a mark. Text that needs nothing is returned as it is, without allocation.
func Clean(s string) string { return CleanMax(s, MaxClean) }

// CleanMax is [Clean] with a limit of its own: the result has at most limit
// runes, the last of them "…" if something was cut. A limit below 1 gives "".
func CleanMax(s string, limit int) string {
	if limit < 1 {
		return ""
	}
	if len(s) <= limit && isClean(s) {
		return s
	}
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n == limit-1 && moreThanOneRune(s[i:]) {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r) // a RuneError from a bad byte becomes the three bytes of U+FFFD
		n++
	}
	return b.String()
}

// isClean reports whether s needs no change; it is the common case.
func isClean(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// moreThanOneRune looks at no more than the first rune of s, so that cutting a
// long text costs what is kept.
func moreThanOneRune(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size < len(s)
}
