package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSSHCommand(t *testing.T) {
	tests := []struct {
		url  string
		want []string // what follows the constant options; nil = refused
	}{
		{"ssh://nc2", []string{"--", "nc2", "spiketop tap eth0"}},
		{"ssh://root@nc2.example.org/", []string{"-l", "root", "--", "nc2.example.org", "spiketop tap eth0"}},
		{"ssh://root@10.1.16.55:2222", []string{"-p", "2222", "-l", "root", "--", "10.1.16.55", "spiketop tap eth0"}},
		{"ssh://[2001:db8::7]:22", []string{"-p", "22", "--", "2001:db8::7", "spiketop tap eth0"}},
		{"nc2", nil},
		{"", nil},
		{"http://nc2", nil},
		{"ssh:nc2", nil},
		{"ssh://", nil},
		{"ssh://-oProxyCommand=reboot", nil},
		{"ssh://-oProxyCommand=reboot@nc2", nil},
		{"ssh://nc2;reboot", nil},
		{"ssh://nc2%20reboot", nil},
		{"ssh://nc2%0areboot", nil},
		{"ssh://$(reboot)", nil},
		{"ssh://root%3breboot@nc2", nil},
		{"ssh://root:secret@nc2", nil},
		{"ssh://nc2:0", nil},
		{"ssh://nc2:65536", nil},
		{"ssh://nc2/etc", nil},
		{"ssh://nc2?x=1", nil},
		{"ssh://nc2#x", nil},
		{"ssh://[fe80::1%25eth0;reboot]", nil},
	}
	for _, tc := range tests {
		t.Run(tc.url, func(t *testing.T) {
			argv, _, err := sshCommand(tc.url, []string{"spiketop", "tap", "eth0"})
			if (err == nil) != (tc.want != nil) {
				t.Fatalf("%v: error %v", argv, err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(slices.Concat([]string{"ssh"}, sshArgs, tc.want), argv); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestShellQuote asks a real shell what it makes of a word.
func TestShellQuote(t *testing.T) {
	for _, word := range []string{"spiketop", "/opt/my tools/spiketop", "a'b", `'; echo own; '`, "$(echo own)", "`echo own`", `\`, "a\nb", "*", "~", "#", "!x", "ä"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q: %v", word, out, err)
		}
	}
}

func TestSplitWords(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"ip netns exec nc2", []string{"ip", "netns", "exec", "nc2"}},
		{"  a\t b\n", []string{"a", "b"}},
		{`ssh -F '/my files/config' "n c"2`, []string{"ssh", "-F", "/my files/config", "n c2"}},
		{`a\ b \" '\' "\""`, []string{"a b", `"`, `\`, `"`}},
		{`a '' b`, []string{"a", "", "b"}},
		{`sudo $(x) ; y | z *`, []string{"sudo", "$(x)", ";", "y", "|", "z", "*"}},
		{`'open`, nil},
		{`open\`, nil},
		{"", nil},
		{"''", nil},
		{"a\x00b", nil},
	}
	for _, tc := range tests {
		t.Run(tc.text, func(t *testing.T) {
			got, err := splitWords(tc.text)
			if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.want != nil) {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func FuzzSplitWords(f *testing.F) {
	f.Add(`ssh -F '/my files/config' "n c"2`)
	f.Fuzz(func(t *testing.T, text string) {
		words, err := splitWords(text)
		if err != nil {
			return
		}
		quoted := make([]string, 0, len(words))
		for _, w := range words {
			if strings.ContainsRune(w, '\uFFFD') {
				return
			}
			quoted = append(quoted, shellQuote(w))
		}
		again, err := splitWords(strings.Join(quoted, " "))
		if diff := cmp.Diff(words, again); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	})
}

func TestLiveFlags(t *testing.T) {
	tests := []struct {
		name string
		live liveFlags
		want []string
	}{
		{"via", liveFlags{via: "ip netns exec 'n 2'", binary: "/opt/a b"}, []string{"ip", "netns", "exec", "n 2", "/opt/a b", "tap"}},
		{"NICs", liveFlags{via: "env", binary: "spiketop", nics: []string{"eth0", "eth1"}}, []string{"env", "spiketop", "tap", "eth0", "eth1"}},
		{"both", liveFlags{url: "ssh://nc2", via: "env", binary: "spiketop"}, nil},
		{"option for a binary", liveFlags{via: "env", binary: "-x"}, nil},
		{"option for a NIC", liveFlags{via: "env", binary: "spiketop", nics: []string{"--version"}}, nil},
		{"escape", liveFlags{via: "env", binary: "a\x1bb"}, nil},
		{"bad URL", liveFlags{url: "nc2", binary: "spiketop"}, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o, err := tc.live.check()
			if diff := cmp.Diff(tc.want, o.argv); diff != "" || (err == nil) != (tc.want != nil) {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
