package flow

import (
	"fmt"
	"unicode/utf8"
)

// FilterError says where a filter cannot be understood, and why.
type FilterError struct {
	Column int    // of the token's first character, from 1
	Token  string // as it was written; "" = the end of the text
	Reason string
}

// Error returns `column 6: "80x": not a port (0-65535)`, in which the token is
// quoted and of bounded length.
func (e *FilterError) Error() string {
	if e.Token == "" {
		return fmt.Sprintf("column %d: %s", e.Column, e.Reason)
	}
	return fmt.Sprintf("column %d: %s: %s", e.Column, quoteShort(e.Token), e.Reason)
}

// filterToken is a word, an operator or a parenthesis.
type filterToken struct {
	text   string // "" = the end
	column int
}

// errorf makes the error about a token.
func (t filterToken) errorf(format string, args ...any) error {
	return &FilterError{t.column, t.text, fmt.Sprintf(format, args...)}
}

// filterTokens cuts s at blanks and operators. Everything else, foreign bytes
// too, becomes words that the parser will refuse.
func filterTokens(s string) []filterToken {
	var out []filterToken
	column := 1
	for len(s) > 0 {
		n := tokenLen(s)
		if n == 0 { // a blank
			s, column = s[1:], column+1
			continue
		}
		out = append(out, filterToken{s[:n], column})
		column += utf8.RuneCountInString(s[:n])
		s = s[n:]
	}
	return append(out, filterToken{"", column})
}

// tokenLen returns the length of the token at the start of s, 0 for a blank.
func tokenLen(s string) int {
	switch {
	case isBlank(s[0]):
		return 0
	case len(s) > 1 && (s[:2] == "&&" || s[:2] == "||"):
		return 2
	case isOperator(s[0]):
		return 1
	}
	n := 1
	for n < len(s) && !isBlank(s[n]) && !isOperator(s[n]) {
		n++
	}
	return n
}

func isBlank(c byte) bool    { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isOperator(c byte) bool { return c == '(' || c == ')' || c == '!' || c == '&' || c == '|' }
