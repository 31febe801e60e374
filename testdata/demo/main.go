// Command demo makes the capture that "spiketop demo" plays from what a run of the
// lab left behind:
//
//	make lab SCENARIO=storage-burst KEEP=dir
//	go run ./testdata/demo -o testdata/demo/demo.pcapng.gz dir/.../NN-storage-burst-eth0
//
// It takes the two members and the pings on the vif, says by the addresses of the
// run who is on this host's side, and keeps of each packet what its headers need.
package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"

	"spiketop/capture/pcapfile"
)

// snaplen keeps the headers of TCP with its time stamps, and of an echo the part
// of the payload that is read.
const snaplen = 66

func main() {
	out := flag.String("o", "demo.pcapng.gz", "`FILE` to write")
	speed := flag.Uint64("speed", 20e6, "bit/s of the members, which the lab shapes")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(*out, flag.Arg(0), *speed); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run is what the lab says of itself.
type labRun struct{ MACs []string }

func localMACs(dir string) (map[[6]byte]bool, error) {
	b, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil {
		return nil, err
	}
	var r labRun
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read run.json: %w", err)
	}
	macs := map[[6]byte]bool{}
	for _, s := range r.MACs {
		m, err := net.ParseMAC(s)
		if err != nil || len(m) != 6 {
			return nil, fmt.Errorf("read run.json: MAC %q", s)
		}
		macs[[6]byte(m)] = true
	}
	return macs, nil
}

// source is a file of the run and the interface that it becomes.
type source struct {
	file, name, about string
	speed             uint64
	vif               bool
}

func write(out, dir string, speed uint64) (err error) {
	macs, err := localMACs(dir)
	if err != nil {
		return err
	}
	sources := []source{{"eth0.pcap", "eth0", "member of bond0, captured by spiketop on node1", speed, false},
		{"eth1.pcap", "eth1", "member of bond0, captured by spiketop on node1", speed, false},
		{"023471.pcap", "023471", "vif of vm_a", 0, true}}
	var all []pcapfile.Packet
	for i, s := range sources {
		list, err := packets(filepath.Join(dir, s.file), i, s.vif, macs)
		if err != nil {
			return err
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b pcapfile.Packet) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := pcapfile.NewWriter(z, pcapfile.Section{Application: "spiketop testdata/demo", Comment: "a burst of storage traffic on eth0, recorded in spiketop's lab"})
	for _, s := range sources {
		if _, err := w.AddInterface(pcapfile.Interface{Name: s.name, Description: s.about, Link: pcapfile.EN10, SnapLen: snaplen, Speed: s.speed}); err != nil {
			return err
		}
	}
	for i := range all {
		if err := w.WritePacket(&all[i]); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), z.Close())
}

// packets reads a file. On a vif only the pings are kept, and what its guest sends
// comes in.
func packets(file string, iface int, vif bool, macs map[[6]byte]bool) (list []pcapfile.Packet, err error) {
	r, err := pcapfile.Open(file, pcapfile.Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		var p pcapfile.Packet
		err := r.Next(&p)
		if err == io.EOF || errors.Is(err, pcapfile.ErrTruncated) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if len(p.Data) < 14 || vif && !echo(p.Data) {
			continue
		}
		out := macs[[6]byte(p.Data[6:12])]
		p.Dir = pcapfile.DirIn
		if out != vif {
			p.Dir = pcapfile.DirOut
		}
		p.Interface, p.Data = iface, slices.Clone(p.Data[:min(len(p.Data), snaplen)])
		list = append(list, p)
	}
}

// echo reports whether a frame is ICMP over IPv4.
func echo(b []byte) bool { return len(b) > 34 && b[12] == 8 && b[13] == 0 && b[23] == 1 }
