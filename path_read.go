package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"spiketop/capture/decode"
	"spiketop/capture/pcapfile"
	"spiketop/flow"
	"spiketop/probe/hops"
)

// pathInput is what the files hold.
type pathInput struct {
	files  []*pathPoint
	sights *hops.Offline
}

// pathPoint is what is known of one point's file.
type pathPoint struct {
	pathFile
	packets     uint64
	sights      uint64
	timeless    uint64 // echoes without a time
	first, last int64  // ns since 1970, 0 = none
	drops       uint64 // as the file itself tells
	links       int    // interfaces
	unknown     pcapfile.LinkType
	unread      uint64 // packets of a link type that is not known
	tunnels     uint64
	err         error // why the file could not be read to its end
}

func newPathInput(files []pathFile) *pathInput {
	in := &pathInput{sights: hops.NewOffline(len(files))}
	for _, f := range files {
		in.files = append(in.files, &pathPoint{pathFile: f})
	}
	return in
}

// names are the points' names as they may be shown.
func (in *pathInput) names() (list []string) {
	for _, f := range in.files {
		list = append(list, oneLine(f.name))
	}
	return list
}

// read reads all files. A file from which nothing can be read is an error; one
// that is damaged further on is a warning on stderr.
func (in *pathInput) read(ctx context.Context, stderr io.Writer) error {
	for i, p := range in.files {
		if err := in.readFile(ctx, i, p); err != nil {
			return err
		}
		if p.err != nil {
			fmt.Fprintf(stderr, "spiketop: warning: read %s: %s; what came before it is used\n", oneLine(p.name), oneLine(p.err.Error()))
		}
	}
	return nil
}

func (in *pathInput) readFile(ctx context.Context, i int, p *pathPoint) error {
	r, err := pcapfile.Open(p.file, pcapfile.Options{})
	if err != nil {
		return fmt.Errorf("read %s: %w", p.name, err)
	}
	defer r.Close()
	d := decode.New(decode.Config{Fragments: 4, FirstFragments: true})
	var pkt pcapfile.Packet
	for {
		if p.packets%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := r.Next(&pkt)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if p.packets == 0 {
				return fmt.Errorf("read %s: %w", p.name, err)
			}
			p.err = err
			in.sights.Cut(i)
			break
		}
		in.take(i, p, d, &pkt)
	}
	p.links = len(r.Interfaces())
	return nil
}

// take takes one packet.
func (in *pathInput) take(i int, p *pathPoint, d *decode.Decoder, pkt *pcapfile.Packet) {
	p.packets++
	p.drops += pkt.Drops
	if pkt.At > 0 {
		if p.first == 0 {
			p.first = pkt.At
		}
		p.last = pkt.At
		in.sights.Cover(i, flow.Time(pkt.At))
	}
	if !pkt.Link.Supported() {
		p.unknown = pkt.Link
		p.unread++
		return
	}
	var rec flow.Record
	var e flow.Echo
	m := decode.Meta{At: flow.Time(pkt.At), Dir: flow.Tx, Len: uint32(max(0, min(pkt.Len, 1<<30)))}
	if !d.DecodeLink(uint16(pkt.Link), pkt.Data, &m, &rec, &e) {
		return
	}
	if pkt.At <= 0 {
		p.timeless++
		return
	}
	if e.Tunnel {
		p.tunnels++
	}
	p.sights++
	in.sights.Add(&hops.Sight{Key: hops.KeyOf(&e), Point: i, At: e.At, Reply: e.Reply, VLAN: e.VLAN, Tunnel: e.Tunnel})
}
