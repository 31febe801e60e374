package ring

import (
	"os"
	"path/filepath"
	"testing"

	"spiketop/capture/recorder"
)

// BenchmarkRing is what a frame of 128 bytes costs the ring's own goroutine, from
// the recorder to the kernel, beside writing the same bytes alone.
func BenchmarkRing(b *testing.B) {
	frames := func(m *recorder.Memory, n int, stamp *int64) {
		data := make([]byte, 128)
		m.Begin()
		for range n {
			*stamp += 1000
			m.Add(&recorder.Frame{Stamp: *stamp, Len: 1514, Data: data})
		}
		m.End()
	}
	const round = 10_000
	b.Run("ring", func(b *testing.B) {
		m, err := recorder.New(32<<20, 128)
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close()
		r, err := Open(Config{Dir: b.TempDir(), Size: 256 << 20, Snaplen: 128})
		if err != nil {
			b.Fatal(err)
		}
		r.SetSources([]Source{{Memory: m, Name: "eth0"}})
		r.Round()
		stamp := int64(1)
		b.ReportAllocs()
		for i := 0; i < b.N; i += round {
			b.StopTimer()
			frames(m, round, &stamp)
			b.StartTimer()
			r.Round()
		}
		r.Close()
	})
	b.Run("write alone", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "file"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		block := make([]byte, 64<<10)
		const each = 172 // of a frame in the file: 128 bytes, 32 of its block, 12 of options
		written, wrote := 0, 0
		for range b.N {
			for written += each; written-wrote >= len(block); wrote += len(block) {
				if _, err := f.Write(block); err != nil {
					b.Fatal(err)
				}
			}
			if wrote > 256<<20 {
				if _, err := f.Seek(0, 0); err != nil {
					b.Fatal(err)
				}
				written, wrote = 0, 0
			}
		}
	})
}
