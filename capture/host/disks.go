package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	libvirt "github.com/digitalocean/go-libvirt"

	"spiketop/flow"
)

// Disks reads from libvirt how much each VM has read from and written to its
// disks. It belongs to one goroutine.
type Disks struct {
	run       string
	endpoints []endpoint
	limit     time.Duration
	hyps      []*hypervisor
	nowait    bool // the daemon knows VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
	failures  int
	next      time.Time // no try before
	rest      time.Time // no read before: the last one cost so much
	last      error
	guests    int // in the last good read
}

// ErrNoHypervisor says that nothing here counts the disks of VMs: there is no
// libvirt.
var ErrNoHypervisor = errors.New("no libvirt here")

const (
	diskTime   = 800 * time.Millisecond // for one read
	mostPause  = time.Minute            // between tries at a libvirt that hangs or is not there
	firstPause = 2 * time.Second
	diskPart   = 4                      // of the time, one part goes to reading
	diskCheap  = 100 * time.Millisecond // a read up to this is not counted
)

// NewDisks makes a reader for libvirt below run ("/run" if empty). It connects at
// the first Read, and only where a socket of libvirt is; that starts a daemon which
// systemd holds ready, so do not read where there are no VMs.
func NewDisks(run string) *Disks {
	if run == "" {
		run = "/run"
	}
	return &Disks{run: run, endpoints: endpoints, limit: diskTime, nowait: true}
}

// Close closes the connection. A later Read opens it again.
func (d *Disks) Close() {
	for _, h := range d.hyps {
		h.close()
	}
	d.hyps = nil
}

// Read returns the counters of every running VM, summed over its disks, empty
// drives left out. Call it each second. It returns within 0.8 s (earlier if ctx
// ends), whatever libvirt does: then the connection is closed, so nothing piles
// up, and the next tries are 2 s, 4 s ... 60 s apart; Read between them returns the
// last error at once. Where a read takes over 0.1 s, as with hundreds of VMs, no
// more than a quarter of the time goes into reading, and a Read too early returns
// nothing. A VM that is busy with a job of libvirt's own may be left
// out of a read: absent, not zero. The error is ErrNoHypervisor without libvirt.
func (d *Disks) Read(ctx context.Context) ([]flow.DiskCounters, error) {
	if time.Now().Before(d.next) {
		return nil, d.last
	}
	if time.Now().Before(d.rest) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	begin := time.Now()
	list, err := d.read(ctx)
	d.rest = time.Now().Add(restAfter(time.Since(begin)))
	if err == nil {
		d.failures, d.last, d.guests = 0, nil, len(list)
		return list, nil
	}
	d.Close()
	pause := min(firstPause<<min(d.failures, 10), mostPause)
	d.failures++
	d.next, d.last = time.Now().Add(pause), fmt.Errorf("read block statistics: %w", err)
	if errors.Is(err, errNoLibvirt) {
		d.next, d.last = time.Now().Add(mostPause), ErrNoHypervisor
	}
	return nil, d.last
}

// restAfter is how long to leave libvirt alone after a read of that cost.
func restAfter(cost time.Duration) time.Duration {
	if cost <= diskCheap {
		return 0
	}
	return (diskPart - 1) * cost
}

// Report says how the last Read fared, with a remedy if rights were missing.
func (d *Disks) Report() SourceReport {
	r := SourceReport{Source: "libvirt disks", Status: Found, Detail: fmt.Sprintf("guests: %d", d.guests)}
	switch {
	case errors.Is(d.last, ErrNoHypervisor):
		r.Status, r.Detail = Absent, ""
	case d.last != nil:
		failure := libvirtFailed(d.last)
		r.Status, r.Detail, r.Remedy = failure.Status, failure.Detail, failure.Remedy
	}
	return r
}

func (d *Disks) read(ctx context.Context) (list []flow.DiskCounters, err error) {
	if len(d.hyps) == 0 {
		if d.hyps, err = connect(ctx, d.run, d.endpoints); err != nil {
			return nil, err
		}
	}
	for _, h := range d.hyps {
		records, err := d.statistics(ctx, h)
		if err != nil {
			return nil, err
		}
		now := monotonic()
		for i := range records {
			if c, ok := diskCounters(&records[i]); ok {
				c.At = now
				list = append(list, c)
			}
		}
	}
	return list, nil
}

// statistics asks for all running guests in one call. NOWAIT leaves out what a
// guest that is busy cannot tell at once; libvirt before 4.5 does not know it.
func (d *Disks) statistics(ctx context.Context, h *hypervisor) (records []libvirt.DomainStatsRecord, err error) {
	err = h.limit(ctx, func() error {
		const flags = uint32(libvirt.ConnectGetAllDomainsStatsActive)
		if d.nowait {
			records, err = h.rpc.ConnectGetAllDomainStats(nil, uint32(libvirt.DomainStatsBlock), flags|uint32(libvirt.ConnectGetAllDomainsStatsNowait))
			var e libvirt.Error
			if !errors.As(err, &e) || libvirt.ErrorNumber(e.Code) != libvirt.ErrInvalidArg {
				return err
			}
			d.nowait = false
		}
		records, err = h.rpc.ConnectGetAllDomainStats(nil, uint32(libvirt.DomainStatsBlock), flags)
		return err
	})
	return records, err
}

// diskCounters sums the disks of one guest; false if nothing was said of any.
func diskCounters(r *libvirt.DomainStatsRecord) (c flow.DiskCounters, ok bool) {
	c.Guest = clean(r.Dom.Name)
	for _, p := range r.Params {
		if !strings.HasPrefix(p.Field, libvirt.DomainStatsBlockPrefix) {
			continue
		}
		v, isNumber := p.Value.I.(uint64)
		if !isNumber {
			continue
		}
		switch {
		case strings.HasSuffix(p.Field, libvirt.DomainStatsBlockSuffixRdBytes):
			c.ReadBytes, ok = c.ReadBytes+v, true
		case strings.HasSuffix(p.Field, libvirt.DomainStatsBlockSuffixWrBytes):
			c.WriteBytes, ok = c.WriteBytes+v, true
		}
	}
	return c, ok
}

func monotonic() flow.Time {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return flow.Time(ts.Nano())
}
