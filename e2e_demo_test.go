package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDemoScreen: what a newcomer runs first freezes by itself, shows its incident,
// can be stopped and played back, and gives the terminal back.
func TestDemoScreen(t *testing.T) {
	term := newTerminal(t, 120, 40, "env -i TERM=xterm-256color LANG=C.UTF-8 HOME=/nonexistent "+binary(t)+" demo --speed 10")
	term.wait(`(?s)REPLAY 10x.*10\.1\.16\.165:9422`, 20*time.Second)
	s := term.wait(`(?s)FROZEN #1.*10\.1\.16\.71:30024.*x speed`, 20*time.Second)
	if !strings.Contains(s, "vm_a") {
		t.Errorf("no VM on the screen:\n%s", s)
	}
	term.keys("Enter")
	s = term.wait(`INCIDENT #1`, 5*time.Second)
	if want := "10.1.16.71:30024"; !strings.Contains(s, want) {
		t.Errorf("the incident does not show %q:\n%s", want, s)
	}
	term.keys("Escape")
	term.wait(`END OF FILE 10x`, 10*time.Second)
	term.keys("r", "{", ".")
	s = term.wait(`PAUSED 10x`, 10*time.Second)
	if !regexp.MustCompile(`02:39:3[67]\.`).MatchString(s) { // 10 s before the end, and a step
		t.Errorf("not 10 s back:\n%s", s)
	}
	term.keys("?")
	term.wait(`replay of files`, 5*time.Second)
	term.keys("Escape", "q")
	term.wait(`exit status 0\s+echo`, 10*time.Second) // stty says so: the terminal is as it was
}
