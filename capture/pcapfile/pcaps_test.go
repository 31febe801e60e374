package pcapfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pcaps is a collection of real captures with what another reader says of each
// frame; it lies beside the checkout where there is one.
const pcaps = "../../../shared/pcaps"

// TestPcapsFrames: time, lengths and interface of every frame are those that
// tshark has, and what it cannot read to the end is refused here too.
func TestPcapsFrames(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(pcaps, "oracles", "*.frames.tsv"))
	if len(files) == 0 {
		t.Skip("no collection of captures beside the checkout")
	}
	for _, oracle := range files {
		name := strings.TrimSuffix(filepath.Base(oracle), ".frames.tsv")
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(pcaps, name)
			if _, err := os.Stat(file); err != nil { // in a folder of its own: FOLDER_FILE
				at := strings.IndexByte(name, '_')
				file = filepath.Join(pcaps, name[:at], name[at+1:])
			}
			want := oracleFrames(t, oracle)
			r, err := Open(file, Options{})
			if err != nil {
				if len(want) > 0 && !strings.Contains(name, "snoop") {
					t.Errorf("refused, though it has %d frames: %v", len(want), err)
				}
				return
			}
			defer r.Close()
			compareFrames(t, r, want)
		})
	}
}

type frameLine struct {
	at       string
	len, cap int
	iface    string
}

func oracleFrames(t *testing.T, file string) (out []frameLine) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	s.Scan()
	for s.Scan() {
		c := strings.Split(s.Text(), "\t")
		n, _ := strconv.Atoi(c[2])
		k, _ := strconv.Atoi(c[3])
		out = append(out, frameLine{c[1], n, k, c[4]})
	}
	return out
}

func compareFrames(t *testing.T, r *Reader, want []frameLine) {
	var p Packet
	n := 0
	var err error
	for err = r.Next(&p); err == nil; err = r.Next(&p) {
		if n >= len(want) {
			n++
			continue
		}
		w := want[n]
		inSection := p.Interface // tshark numbers interfaces anew in each section
		for inSection > 0 && r.Interfaces()[p.Interface].Section > 0 && r.Interfaces()[p.Interface-inSection].Section != r.Interfaces()[p.Interface].Section {
			inSection--
		}
		if p.Len != w.len || len(p.Data) != w.cap || w.iface != "" && strconv.Itoa(inSection) != w.iface {
			t.Fatalf("frame %d: %d bytes, %d captured, interface %d, want %+v", n+1, p.Len, len(p.Data), p.Interface, w)
		}
		if at := fmt.Sprintf("%d.%09d", p.At/1e9, p.At%1e9); at != w.at && !absurd(w.at) && p.At != 0 && !strings.Contains(t.Name(), "invalid_") {
			t.Errorf("frame %d at %s, want %s", n+1, at, w.at)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d packets, want %d (%v)", n, len(want), err)
	}
	if err != io.EOF && !errors.Is(err, ErrTruncated) {
		t.Logf("ended with: %v", err)
	}
}

// absurd times do not fit into 64 bits of nanoseconds, or are written as no time
// is: over a second of nanoseconds.
func absurd(at string) bool {
	sec, frac, _ := strings.Cut(at, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	return err != nil || n < 0 || n > 9_223_372_035 || len(frac) != 9
}
