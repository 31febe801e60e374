package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlainRunes: whatever of our own the goldens show that is neither ASCII nor a
// line that the terminal can draw itself has a stand-in of one column.
func TestPlainRunes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.screen")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden screens: %v", err)
	}
	const lines = "┌┐└┘─│"
	for _, f := range files {
		if strings.Contains(f, "hostile") {
			continue // foreign text
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range string(b) {
			if r >= 0x80 && !strings.ContainsRune(lines, r) && len(plainRunes[r]) != 1 {
				t.Fatalf("%s: %q has no stand-in", f, r)
			}
		}
	}
}
