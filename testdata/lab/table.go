package lab

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteTable prints the results for a person: a line for each run, and under it
// what happened and what spiketop said.
func WriteTable(w io.Writer, results []Result) {
	count := map[string]int{}
	fmt.Fprintf(w, "%-8s %-20s %-5s\n", "verdict", "scenario", "on")
	for _, r := range results {
		count[r.Outcome]++
		fmt.Fprintf(w, "%-8s %-20s %-5s truth: %s\n", r.Outcome, r.Scenario, r.Member, r.Truth)
		if r.Said != "" {
			fmt.Fprintf(w, "%35s spiketop: %s\n", "", cut(r.Said, 400))
		}
		for _, why := range r.Why {
			fmt.Fprintf(w, "%35s %s: %s\n", "", strings.ToLower(r.Outcome), why)
		}
	}
	fmt.Fprintf(w, "%d pass, %d FAIL, %d void, %d not yet\n", count[Pass], count[Fail], count[Void], count[NotYet])
}

func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
