package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// crowdedHost is a host of 200 guests with one vif each, 200 containers'
// veths and 2 000 processes, made of files in memory: a real /proc costs about as much.
func crowdedHost(b *testing.B) *Finder {
	if _, err := os.Stat("/dev/shm"); err == nil {
		b.Setenv("TMPDIR", "/dev/shm")
	}
	tr := newTree(b)
	k := &fakeKernel{list: []device{bridge(2, "br0")}, spaces: map[int]int{}, peers: map[int][6]byte{}}
	for i := range 200 {
		pid, vif, mac := 1000+i, fmt.Sprintf("vnet%d", i), fmt.Sprintf("52:54:00:00:01:%02x", i)
		tr.process(pid, ownNetns, fmt.Sprintf(`qemu-system-x86_64 -name guest=vm_%d -netdev {"type":"tap","fd":"29","id":"h0"} -device {"driver":"virtio-net-pci","netdev":"h0","mac":"%s"}`, i, mac))
		tr.tun(pid, 29, vif)
		for fd := 1; fd < 28; fd++ {
			tr.link(fmt.Sprintf("proc/%d/fd/%d", pid, fd), "socket:[4711]")
		}
		k.list = append(k.list, tap(100+i, vif, 2, "fe"+mac[2:]))
		k.heard = append(k.heard, learned{100 + i, parseMAC(mac)})

		k.list = append(k.list, device{ifindex: 500 + i, name: fmt.Sprintf("veth%d", i), kind: "veth", ether: true, nsid: i, peer: 900 + i})
		tr.process(2000+i, fmt.Sprintf("net:[%d]", 4026600000+i), "nginx")
		tr.file(fmt.Sprintf("proc/%d/cgroup", 2000+i), "0::/system.slice/docker-"+hex64+".scope\n")
		k.spaces[2000+i], k.peers[900+i] = i, parseMAC(fmt.Sprintf("02:42:00:00:00:%02x", i))
	}
	for i := range 1600 {
		tr.process(10000+i, ownNetns, "sleep 9")
	}
	return newFinder(tr.options(), k)
}

// BenchmarkFind is a look, and what of it are the command lines of all processes
// alone, which every look needs.
func BenchmarkFind(b *testing.B) {
	f := crowdedHost(b)
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if l, err := f.Find(b.Context()); err != nil || len(l.NICs) != 400 {
				b.Fatalf("%d vifs, %v", len(l.NICs), err)
			}
		}
	})
	b.Run("command-lines", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pids, err := numbers(f.opt.Proc, mostProcesses)
			if err != nil {
				b.Fatal(err)
			}
			for _, pid := range pids {
				_, _ = os.ReadFile(filepath.Join(f.opt.Proc, strconv.Itoa(pid), "cmdline"))
			}
		}
	})
}
