package incident

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "10.1.16.55", "10.1.16.55"},
		{"other scripts are printable", "存储-узел-é", "存储-узел-é"},
		{"terminal escape", "a\x1b[31mred", "a\uFFFD[31mred"},
		{"newline, tab, nul, delete", "a\nb\tc\x00d\x7f", "a\uFFFDb\uFFFDc\uFFFDd\uFFFD"},
		{"C1 control: CSI in one rune", "a\u009b31m", "a\uFFFD31m"},
		{"bidirectional override", "a\u202egpj.exe", "a\uFFFDgpj.exe"},
		{"zero width", "a\u200bb", "a\uFFFDb"},
		{"no-break space", "a\u00a0b", "a\uFFFDb"},
		{"invalid UTF-8, a rune each byte", "a\xff\xfeb", "a\uFFFD\uFFFDb"},
		{"cut in the middle of a rune", "a\xe5\xad", "a\uFFFD\uFFFD"},
		{"surrogate half", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
		{"replacement rune stays", "a\uFFFDb", "a\uFFFDb"},
		{"long", strings.Repeat("x", MaxClean+1), strings.Repeat("x", MaxClean-1) + "…"},
		{"exactly as long as may be", strings.Repeat("é", MaxClean), strings.Repeat("é", MaxClean)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.in); got != tt.want {
				t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{{"abcdef", 6, "abcdef"}, {"abcdef", 5, "abcd…"}, {"abcdef", 1, "…"}, {"a", 1, "a"}, {"abc", 0, ""}, {"abc", -1, ""}} {
		if got := CleanMax(tt.in, tt.limit); got != tt.want {
			t.Errorf("CleanMax(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Clean("10.1.16.165:9422") }); n != 0 {
		t.Errorf("Clean of clean text allocates %v times", n)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "eth0", "a\x1b[2J", "\xff", "\u202e", strings.Repeat("界", 600)} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit %= 1000
		got := CleanMax(s, limit)
		if !utf8.ValidString(got) {
			t.Errorf("CleanMax(%q) = %q is not UTF-8", s, got)
		}
		if n := utf8.RuneCountInString(got); n > max(limit, 0) {
			t.Errorf("CleanMax(%q, %d) has %d runes", s, limit, n)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("CleanMax(%q) = %q holds %U", s, got, r)
			}
		}
		if again := CleanMax(got, limit); again != got {
			t.Errorf("cleaned twice: %q, then %q", got, again)
		}
	})
}

func TestNewID(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 47, 20, 962_999_999, time.FixedZone("", 8*3600))
	tests := []struct{ name, target, want string }{
		{"IPv4", "10.1.16.55", "20261121T174720.962Z-10.1.16.55"},
		{"IPv6", "fd00::1", "20261121T174720.962Z-fd00--1"},
		{"IPv6 with zone", "fe80::1%eth0", "20261121T174720.962Z-fe80--1_eth0"},
		{"manual", "", "20261121T174720.962Z-manual"},
		{"host name", "db-1.example.com", "20261121T174720.962Z-db-1.example.com"},
		{"hostile", "../../etc/pass wd\n\x00", "20261121T174720.962Z-.._.._etc_pass_wd__"},
		{"other scripts and bad bytes", "é\xff", "20261121T174720.962Z-__"},
		{"long", strings.Repeat("x", 5000), "20261121T174720.962Z-" + strings.Repeat("x", MaxTargetInID)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := NewID(at, tt.target)
			if got != tt.want {
				t.Errorf("NewID(%q) = %q, want %q", tt.target, got, tt.want)
			}
			if !ValidID(got) || !ValidID(got+".2") {
				t.Errorf("ValidID refuses %q or its clash", got)
			}
		})
	}
}

func TestValidIDRefuses(t *testing.T) {
	for _, s := range []string{"", ".", "..", "incident", "20261121T174720.962Z", "20261121T174720.962Z-", "20261121T174720.962Z10.1.16.55",
		"20261321T174720.962Z-10.1.16.55", "20261121T174720.962Z-../../x", "20261121T174720.962Z-a b", ".20261121T174720.962Z-a",
		"20261121T174720.962Z-" + strings.Repeat("x", 200)} {
		if ValidID(s) {
			t.Errorf("ValidID(%q) = true", s)
		}
	}
}
