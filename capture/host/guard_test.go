package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	libvirt "github.com/digitalocean/go-libvirt"
)

// wire is a connection that reads from r.
type wire struct {
	net.Conn
	r      io.Reader
	closed bool
}

func (w *wire) Read(b []byte) (int, error) { return w.r.Read(b) }
func (w *wire) Close() error               { w.closed = true; return nil }

func message(length int) []byte {
	b := make([]byte, length)
	binary.BigEndian.PutUint32(b, uint32(length))
	return b
}

func TestGuard(t *testing.T) {
	good := append(message(28), message(1000)...)
	for _, tt := range []struct {
		name string
		in   []byte
		want error // nil: everything passes
	}{
		{name: "two messages", in: good},
		{name: "an end in the middle", in: good[:500]},
		{name: "shorter than its header", in: append(good, 0, 0, 0, 27), want: errMessageLength},
		{name: "four gigabytes", in: []byte{255, 255, 255, 255, 0}, want: errMessageLength},
	} {
		for _, way := range []struct {
			name string
			wrap func(io.Reader) io.Reader
		}{{"at once", func(r io.Reader) io.Reader { return r }}, {"byte by byte", iotest.OneByteReader}} {
			t.Run(tt.name+", "+way.name, func(t *testing.T) {
				w := &wire{r: way.wrap(bytes.NewReader(tt.in))}
				got, err := io.ReadAll(&guard{Conn: w})
				if !errors.Is(err, tt.want) || w.closed != (tt.want != nil) {
					t.Fatalf("want %v, got %v, closed %v", tt.want, err, w.closed)
				}
				if tt.want == nil && !bytes.Equal(got, tt.in) {
					t.Errorf("want %d bytes, got %d", len(tt.in), len(got))
				}
			})
		}
	}
}

// TestOddLibvirt: what answers at the socket is not libvirt, or is silent.
func TestOddLibvirt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer []byte
	}{
		{"silent", nil},
		{"a length of nothing", []byte{0, 0, 0, 0}},
		{"text", []byte("HTTP/1.1 400 Bad Request\r\n\r\n")},
		{"an answer to nobody", message(28)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := listen(t, tt.answer)
			d := NewDisks(run)
			d.limit = 100 * time.Millisecond
			defer d.Close()
			if list, err := d.Read(context.Background()); err == nil {
				t.Errorf("want an error, got %+v", list)
			}
			if r := d.Report(); r.Status != Failed || r.Detail == "" {
				t.Errorf("want failed and why, got %v", r)
			}
			tr := newTree(t)
			opt := tr.options()
			opt.Run = run
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			f := newFinder(opt, &fakeKernel{list: []device{tap(3, "vnet0", 0, "")}})
			l, _ := f.Find(ctx)
			statusOf(t, l, "libvirt", Failed)
			if len(l.NICs) != 1 {
				t.Errorf("the rest is still found: got %+v", l.NICs)
			}
		})
	}
}

// listen makes libvirt's socket below a /run; each caller is answered the same.
func listen(t *testing.T, answer []byte) (run string) {
	t.Helper()
	run = t.TempDir()
	must(t, os.Mkdir(filepath.Join(run, "libvirt"), 0o755))
	l, err := net.Listen("unix", filepath.Join(run, "libvirt/libvirt-sock-ro"))
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 1))
			_, _ = conn.Write(answer)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return run
}

// TestRestAfter: a read that is dear takes a quarter of the time at most, and two
// readings, asked for each second, are not so far apart that what lies between
// them is taken to be unknown (5 s, package incident).
func TestRestAfter(t *testing.T) {
	for cost, want := range map[time.Duration]time.Duration{time.Millisecond: 0, 100 * time.Millisecond: 0, 200 * time.Millisecond: 600 * time.Millisecond, diskTime: 2400 * time.Millisecond} {
		if got := restAfter(cost); got != want {
			t.Errorf("after %v: rest %v, want %v", cost, got, want)
		}
	}
	if apart := restAfter(diskTime) + time.Second + diskTime; apart > 5*time.Second {
		t.Errorf("readings up to %v apart", apart)
	}
}

func TestDisksWithoutLibvirt(t *testing.T) {
	d := NewDisks(t.TempDir())
	for range 2 {
		if list, err := d.Read(context.Background()); !errors.Is(err, ErrNoHypervisor) || list != nil {
			t.Errorf("want %v, got %v, %v", ErrNoHypervisor, list, err)
		}
	}
	if r := d.Report(); r.Status != Absent {
		t.Errorf("want absent, got %v", r)
	}
}

func TestDiskCounters(t *testing.T) {
	number := func(v uint64) libvirt.TypedParamValue { return *libvirt.NewTypedParamValueUllong(v) }
	r := libvirt.DomainStatsRecord{Dom: libvirt.Domain{Name: "vm_a"}, Params: []libvirt.TypedParam{
		{Field: "block.count", Value: *libvirt.NewTypedParamValueUint(2)},
		{Field: "block.0.name", Value: *libvirt.NewTypedParamValueString("vda")},
		{Field: "block.0.rd.bytes", Value: number(100)},
		{Field: "block.0.wr.bytes", Value: number(20)},
		{Field: "block.1.rd.bytes", Value: number(1)},
		{Field: "block.1.wr.bytes", Value: number(3000)},
		{Field: "block.1.wr.times", Value: number(9999)},
		{Field: "net.0.rx.bytes", Value: number(7777)},
	}}
	// 100+1 read, 20+3000 written.
	if c, ok := diskCounters(&r); !ok || c.Guest != "vm_a" || c.ReadBytes != 101 || c.WriteBytes != 3020 {
		t.Errorf("got %+v, %v", c, ok)
	}
	r.Params = r.Params[:1]
	if c, ok := diskCounters(&r); ok {
		t.Errorf("nothing said of any disk: want none, got %+v", c)
	}
}

// TestFailedNamesNoProcess: the same trouble reads the same for another process.
func TestFailedNamesNoProcess(t *testing.T) {
	_, err := os.Open("/proc/4711/fd/12/none")
	if got, want := failed(fromFdinfo, err, "").Detail, "open /proc/PID/fd/PID/none: no such file or directory"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
