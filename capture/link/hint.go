package link

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ChoiceError is the error of [Choose]. Error says what is wrong in one line
// ("nic eth9: no such device"); Hint lists what there is, with the nearest name
// first. Only main prints hints. Both are free of control characters.
type ChoiceError struct {
	NIC  string // the name that was given, or "" if none was
	Hint string
	Err  error // ErrNoDevice, ErrNoMember or ErrNoNIC
}

func (e *ChoiceError) Error() string {
	if e.Err == ErrNoNIC {
		return "nics: " + e.Err.Error()
	}
	return "nic " + printable(e.NIC) + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *ChoiceError) Unwrap() error { return e.Err }

// inventory lists the devices: "eth0, eth1 (down), lo".
func inventory(s *State) string {
	const most = 20 // a host with a thousand taps
	var words []string
	for i := range s.Devices {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(s.Devices)-most))
			break
		}
		w := printable(s.Devices[i].Name)
		if !s.Devices[i].Up() {
			w += " (down)"
		}
		words = append(words, w)
	}
	if len(words) == 0 {
		return "no network device at all"
	}
	return strings.Join(words, ", ")
}

// suggestion is the hint for a name that does not exist.
func suggestion(s *State, name string) string {
	hint := "there is " + inventory(s)
	if near := nearest(s, name); near != "" {
		hint = "did you mean " + printable(near) + "? " + hint
	}
	return hint
}

// nearest returns the device whose name differs in at most two letters (one, in
// names of up to three), the nearest first; or "".
func nearest(s *State, name string) string {
	const longest = 128 // ALTIFNAMSIZ; anything longer is no name
	if len(name) > longest {
		return ""
	}
	most := 2
	if len(name) <= 3 {
		most = 1
	}
	best := ""
	for i := range s.Devices {
		d := &s.Devices[i]
		for _, n := range append([]string{d.Name}, d.AltNames...) {
			if x := distance(strings.ToLower(name), strings.ToLower(n)); x <= most {
				best, most = n, x-1
			}
		}
	}
	return best
}

// distance is the number of letters to insert, delete, change or swap with their
// neighbour to get from a to b (optimal string alignment).
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// printable returns s, quoted if it holds anything that could act on a terminal:
// a device may be called "\x1b[2J".
func printable(s string) string {
	const most = 64
	odd := slices.ContainsFunc([]rune(s), func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar })
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	if odd || s == "" {
		return strconv.Quote(s)
	}
	return s
}
