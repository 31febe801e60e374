package incident

import (
	"strings"
	"unicode"
)

// maxCell bounds a cell. The longest honest one is a pair of IPv6 ends with
// ports, 47 characters each, and two names.
const maxCell = 192

// textTable is a table of fixed width that reads the same in a fence of Markdown
// and as plain text. align has a letter for each column, "l" or "r"; the last
// column is never padded, so that long addresses cost nothing.
type textTable struct {
	align string
	rows  [][]string
}

// add appends a row; every cell is cleaned here, whatever it is.
func (t *textTable) add(cells ...string) {
	for i, c := range cells {
		cells[i] = fenced(c, maxCell)
	}
	t.rows = append(t.rows, cells)
}

// lines returns the table, columns two blanks apart.
func (t *textTable) lines() []string {
	width := make([]int, len(t.align))
	for _, row := range t.rows {
		for i, c := range row {
			width[i] = max(width[i], cellWidth(c))
		}
	}
	out := make([]string, 0, len(t.rows))
	for _, row := range t.rows {
		var b strings.Builder
		for i, c := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			pad := strings.Repeat(" ", width[i]-cellWidth(c))
			switch {
			case t.align[i] == 'r':
				b.WriteString(pad + c)
			case i == len(row)-1:
				b.WriteString(c)
			default:
				b.WriteString(c + pad)
			}
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

// fenced cleans a text for the inside of a fence: nothing in it can end the
// fence or the line.
func fenced(s string, limit int) string {
	return strings.ReplaceAll(CleanMax(s, limit), "`", "'")
}

// prose cleans a text for a line of Markdown that is not fenced: nothing in it
// becomes a link, an image, HTML, code or a new block, and it still reads as
// plain text. IPv6 addresses keep their brackets.
func prose(s string, limit int) string {
	s = strings.TrimSpace(strings.ReplaceAll(fenced(s, limit), "](", "] ("))
	var b strings.Builder
	for i, r := range s {
		if r == '<' && i+1 < len(s) && strings.IndexByte("/!?", s[i+1]) >= 0 || r == '<' && startsWithLetter(s[i+1:]) {
			r = '‹' // a tag or an autolink
		}
		b.WriteRune(r)
	}
	return b.String()
}

// proseLine is [prose] for a text with which a line begins: it must not become
// a heading, a list, a quotation, a fence or a link definition.
func proseLine(s string, limit int) string {
	s = prose(s, limit)
	if s != "" && strings.IndexByte("#>-+*=~|_[", s[0]) >= 0 {
		return `\` + s
	}
	return s
}

func startsWithLetter(s string) bool {
	return s != "" && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}

// cellWidth is the number of terminal columns of s: East Asian scripts take two,
// combining marks none. It is an approximation that needs no tables of its own;
// the worst that an odd name can do is to shift its own row.
func cellWidth(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < 0x300:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) || r >= 0xff01 && r <= 0xff60:
			n += 2
		default:
			n++
		}
	}
	return n
}
