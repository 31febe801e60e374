package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"time"

	libvirt "github.com/digitalocean/go-libvirt"
)

// hypervisor is a read-only connection to one of libvirt's daemons. It belongs to
// one goroutine.
type hypervisor struct {
	rpc  *libvirt.Libvirt
	conn net.Conn
}

// endpoint is where a daemon listens for those who only look.
type endpoint struct{ socket, uri string }

// endpoints are tried in this order; of one URI the first that answers. The
// split daemons come first: with them the old socket is a proxy.
var endpoints = []endpoint{
	{"virtqemud-sock-ro", "qemu:///system"},
	{"libvirt-sock-ro", "qemu:///system"},
	{"virtlxcd-sock-ro", "lxc:///system"},
	{"virtxend-sock-ro", "xen:///system"},
}

const (
	dialTime    = time.Second
	libvirtTime = 3 * time.Second // for all of a look
	mostDomains = 1024
)

// errNoLibvirt says that no socket of libvirt is there.
var errNoLibvirt = errors.New("libvirt is not there")

type dialer struct{ conn net.Conn }

func (d dialer) Dial() (net.Conn, error) { return d.conn, nil }

// dial connects to a daemon's socket and opens uri.
func dial(ctx context.Context, socket, uri string) (h *hypervisor, err error) {
	d := net.Dialer{Timeout: dialTime}
	raw, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	conn := &guard{Conn: raw}
	h = &hypervisor{rpc: libvirt.NewWithDialer(dialer{conn}), conn: conn}
	err = h.limit(ctx, func() error { return h.rpc.ConnectToURI(libvirt.ConnectURI(uri)) })
	if err != nil {
		h.close()
		return nil, fmt.Errorf("open %s: %w", uri, err)
	}
	return h, nil
}

// close drops the connection without a word: the daemon notices, and a daemon
// that hangs could not answer a farewell. go-libvirt's goroutines end with it.
func (h *hypervisor) close() { h.conn.Close() }

// limit runs one or more calls until ctx ends. Then the connection is closed,
// which ends a call that waits; the hypervisor is of no use after an error.
func (h *hypervisor) limit(ctx context.Context, calls func() error) (err error) {
	stop := context.AfterFunc(ctx, h.close)
	defer stop()
	defer func() {
		if p := recover(); p != nil { // the decoder, at an answer that is none
			err = fmt.Errorf("libvirt's answer: %v", p)
		}
	}()
	if err = calls(); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// connect connects to every driver that is there. errNoLibvirt: none is.
func connect(ctx context.Context, run string, ends []endpoint) (list []*hypervisor, err error) {
	err = errNoLibvirt
	open := map[string]bool{}
	for _, e := range ends {
		if open[e.uri] {
			continue
		}
		h, failure := dial(ctx, filepath.Join(run, "libvirt", e.socket), e.uri)
		switch {
		case failure == nil:
			open[e.uri], list = true, append(list, h)
		case errors.Is(failure, fs.ErrNotExist):
		case err == errNoLibvirt:
			err = failure
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	return nil, err
}

// libvirtDenied reports whether libvirt or its socket refused us.
func libvirtDenied(err error) bool {
	var e libvirt.Error
	if errors.As(err, &e) {
		switch libvirt.ErrorNumber(e.Code) {
		case libvirt.ErrAuthFailed, libvirt.ErrAuthCancelled, libvirt.ErrAuthUnavailable, libvirt.ErrAccessDenied:
			return true
		}
	}
	return denied(err)
}

// domains lists the running guests.
func (h *hypervisor) domains(ctx context.Context) (list []domain, err error) {
	err = h.limit(ctx, func() error {
		doms, _, err := h.rpc.ConnectListAllDomains(1, libvirt.ConnectListDomainsActive)
		if err != nil {
			return err
		}
		for _, dom := range doms[:min(len(doms), mostDomains)] {
			text, err := h.rpc.DomainGetXMLDesc(dom, 0)
			if libvirt.IsNotFound(err) { // it ended meanwhile
				continue
			}
			if err != nil {
				return err
			}
			if d, err := parseDomain([]byte(text)); err == nil {
				list = append(list, d)
			}
		}
		return nil
	})
	return list, err
}

// askLibvirt asks every daemon for its guests.
func (f *Finder) askLibvirt(ctx context.Context) (list []domain, r SourceReport) {
	ctx, cancel := context.WithTimeout(ctx, libvirtTime)
	defer cancel()
	r = SourceReport{Source: fromLibvirt.String()}
	hyps, err := connect(ctx, f.opt.Run, f.endpoints)
	if err != nil {
		if errors.Is(err, errNoLibvirt) {
			return nil, r
		}
		return nil, libvirtFailed(err)
	}
	for _, h := range hyps {
		some, e := h.domains(ctx)
		h.close()
		list = append(list, some...)
		if e != nil {
			err = e
		}
	}
	if err != nil {
		return list, libvirtFailed(err)
	}
	return list, found(fromLibvirt, "guests", len(list))
}

const libvirtRemedy = "run as root, or let polkit allow org.libvirt.unix.monitor"

func libvirtFailed(err error) SourceReport {
	r := failed(fromLibvirt, err, libvirtRemedy)
	if libvirtDenied(err) {
		r.Status, r.Remedy = NotPermitted, libvirtRemedy
	}
	return r
}
