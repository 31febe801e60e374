package nic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// maxStats is how many values of one driver are read: mlx5 with 64 channels has
// some 4000.
const maxStats = 16384

// ErrTooMany says that a driver has more values than are read.
var ErrTooMany = errors.New("too many statistics")

const (
	ethSSStats = 1  // ETH_SS_STATS, linux/ethtool.h
	nameLen    = 32 // ETH_GSTRING_LEN
)

// device asks one NIC. It belongs to one goroutine.
type device struct {
	fd      int
	ifindex int
	mem     *memory
	names   int   // how many values the driver had when its names were read; 0 = not read
	place   place // where they are
	values  []uint64
}

func openDevice(fd, ifindex int) (*device, error) {
	mem, err := newMemory()
	if err != nil {
		return nil, err
	}
	return &device{fd: fd, ifindex: ifindex, mem: mem}, nil
}

func (d *device) close() { d.mem.close() }

// read reads the driver's counters; what it does not tell is not Known.
func (d *device) read(s *flow.NICStats) (tells bool, err error) {
	name, err := nameOf(d.fd, d.ifindex)
	if err != nil {
		return false, err
	}
	n, err := d.count(name)
	if err != nil {
		return false, err
	}
	if n != d.names { // queues came or went, or it is the first time
		list, err := d.strings(name, n)
		if err != nil {
			return false, err
		}
		d.place, d.names = find(list), len(list)
	}
	if d.place.empty() {
		return false, nil
	}
	if err := d.stats(name); err != nil {
		return false, err
	}
	d.place.sum(d.values, s)
	return true, nil
}

func (p *place) empty() bool {
	for _, list := range p {
		if len(list) > 0 {
			return false
		}
	}
	return true
}

// count asks how many values the driver has (ETHTOOL_GSSET_INFO). A driver
// without any has none: 0 and no error.
func (d *device) count(name string) (int, error) {
	b := d.mem.clear(24) // struct ethtool_sset_info with one answer
	native.PutUint32(b, unix.ETHTOOL_GSSET_INFO)
	native.PutUint64(b[8:], 1<<ethSSStats)
	if err := d.ask(name); err != nil {
		return 0, err
	}
	if native.Uint64(b[8:])&(1<<ethSSStats) == 0 {
		return 0, nil
	}
	n := native.Uint32(b[16:])
	if n > maxStats {
		return 0, fmt.Errorf("%d values: %w", n, ErrTooMany)
	}
	return int(n), nil
}

// strings reads the names (ETHTOOL_GSTRINGS).
func (d *device) strings(name string, n int) ([]string, error) {
	if n == 0 {
		return nil, nil
	}
	b := d.mem.clear(12 + n*nameLen) // struct ethtool_gstrings
	native.PutUint32(b, unix.ETHTOOL_GSTRINGS)
	native.PutUint32(b[4:], ethSSStats)
	native.PutUint32(b[8:], uint32(n))
	if err := d.ask(name); err != nil {
		return nil, err
	}
	return parseStrings(b), nil
}

// parseStrings reads a struct ethtool_gstrings: no more names than fit into b.
func parseStrings(b []byte) []string {
	if len(b) < 12 {
		return nil
	}
	n := min(int(native.Uint32(b[8:])), (len(b)-12)/nameLen)
	list := make([]string, n)
	for i := range list {
		list[i] = unix.ByteSliceToString(b[12+i*nameLen:][:nameLen])
	}
	return list
}

// stats reads the values (ETHTOOL_GSTATS). The kernel writes as many as the
// driver has at that moment, whatever was asked for, so they go into memory with
// room for more than any driver has and a page behind it that nobody may write.
func (d *device) stats(name string) error {
	b := d.mem.clear(8) // struct ethtool_stats
	native.PutUint32(b, unix.ETHTOOL_GSTATS)
	native.PutUint32(b[4:], uint32(d.names))
	if err := d.ask(name); err != nil {
		return err
	}
	n := int(native.Uint32(b[4:]))
	if n != d.names {
		d.names = 0 // they changed meanwhile: other names next time
		return errChanged
	}
	d.values = parseStats(d.mem.all, d.values[:0])
	return nil
}

var errChanged = errors.New("statistics changed while they were read")

// parseStats reads a struct ethtool_stats: no more values than fit into b.
func parseStats(b []byte, into []uint64) []uint64 {
	if len(b) < 8 {
		return into
	}
	for i := range min(int(native.Uint32(b[4:])), (len(b)-8)/8) {
		into = append(into, native.Uint64(b[8+8*i:]))
	}
	return into
}

var native = binary.NativeEndian

// ask sends what lies in memory to the driver of the NIC called name.
func (d *device) ask(name string) error {
	var req struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	req.data = unsafe.Pointer(&d.mem.all[0])
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return os.NewSyscallError("SIOCETHTOOL", errno)
	}
	return nil
}

// nameOf asks what a device is called now: names change.
func nameOf(fd, ifindex int) (string, error) {
	var req struct {
		name  [unix.IFNAMSIZ]byte
		index int32
		_     [20]byte
	}
	req.index = int32(ifindex)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFNAME, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return "", os.NewSyscallError("SIOCGIFNAME", errno)
	}
	return unix.ByteSliceToString(req.name[:]), nil
}

// memory is where the kernel writes its answers: outside of Go's heap, of which
// only what is touched costs anything.
type memory struct {
	all  []byte
	maps []byte
}

func newMemory() (*memory, error) {
	page := os.Getpagesize()
	size := (12 + maxStats*nameLen + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	if err := unix.Mprotect(b[size:], unix.PROT_NONE); err != nil {
		_ = unix.Munmap(b)
		return nil, os.NewSyscallError("mprotect", err)
	}
	return &memory{all: b[:size:size], maps: b}, nil
}

// clear zeroes the first n bytes and returns them.
func (m *memory) clear(n int) []byte {
	clear(m.all[:n])
	return m.all[:n]
}

func (m *memory) close() { _ = unix.Munmap(m.maps) }
