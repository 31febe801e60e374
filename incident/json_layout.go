package incident

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// joinNumbers puts every list of numbers or nulls of indented JSON on one line:
// a series has a thousand bins, and nobody can read a file of a bin a line.
func joinNumbers(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		n := 1
		switch b[i] {
		case '"':
			n = stringLen(b[i:])
			out = append(out, b[i:i+n]...)
		case '[':
			if l := numberListLen(b[i:]); l > 0 {
				n = l
				out = appendOneLine(out, b[i:i+n])
				break
			}
			out = append(out, '[')
		default:
			out = append(out, b[i])
		}
		i += n
	}
	return out
}

// stringLen returns the length of the JSON string at the start of b, with both
// quotes.
func stringLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// numberListLen returns the length of the list at the start of b if it holds
// nothing but numbers and nulls, else 0.
func numberListLen(b []byte) int {
	end := bytes.IndexByte(b, ']')
	if end < 0 || bytes.ContainsAny(b[1:end], "\"[{tf") {
		return 0
	}
	return end + 1
}

func appendOneLine(out, list []byte) []byte {
	for _, c := range list {
		switch c {
		case ' ', '\n', '\t', '\r':
		case ',':
			out = append(out, ',', ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}

// EscapeJSON writes every rune above ASCII that no terminal should get
// (C1 controls, bidirectional and invisible formatting) as \uXXXX, and DEL. Such
// runes stand only inside the strings of a JSON text, where that form means the
// same.
func EscapeJSON(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out = append(out, b[:n]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out
}
