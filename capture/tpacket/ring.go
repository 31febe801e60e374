package tpacket

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes that Open uses where the Config says nothing.
const (
	DefaultSnapLen   = 192      // an echo's first 24 payload bytes behind Ethernet, QinQ, IPv6 and 100 bytes of options
	DefaultBlockSize = 16 << 10 // bytes
	DefaultBlocks    = 256      // times Retire = 2.5 s that a stopped reader does not miss
	DefaultRetire    = 10 * time.Millisecond
	frameSize        = 2048 // only bounds how small a block may be; frames lie packed
)

// Config describes a ring.
type Config struct {
	Ifindex   int           // of the device, in the caller's network namespace; > 0
	SnapLen   int           // bytes kept of each frame, 0 = DefaultSnapLen
	BlockSize int           // bytes, a power of two, at least a page; 0 = DefaultBlockSize
	Blocks    int           // 0 = DefaultBlocks
	Retire    time.Duration // after which a block that is not full is handed over, 0 = DefaultRetire; whole ms
}

func (c Config) withDefaults() Config {
	if c.SnapLen == 0 {
		c.SnapLen = DefaultSnapLen
	}
	if c.BlockSize == 0 {
		c.BlockSize = DefaultBlockSize
	}
	if c.Blocks == 0 {
		c.Blocks = DefaultBlocks
	}
	if c.Retire == 0 {
		c.Retire = DefaultRetire
	}
	return c
}

// Stats are the socket's cumulative counts since Open.
type Stats struct {
	Frames  uint64 // that passed the filter, dropped ones included
	Drops   uint64 // of them, those that are not in the ring
	Freezes uint64 // times that the kernel found the whole ring in the reader's hands
}

// Ring is an open ring. It belongs to one goroutine.
type Ring struct {
	cfg   Config
	fd    int
	mem   []byte
	cur   int // block that is read next
	stats Stats
}

// Open opens a ring on the device. Errors wrap the kernel's: EPERM without
// CAP_NET_RAW, ENODEV for an ifindex that does not exist. A device that is down
// can be opened; its frames come when it is up.
func Open(c Config) (*Ring, error) {
	c = c.withDefaults()
	if c.Ifindex <= 0 { // bind would take 0 for "all devices"
		return nil, fmt.Errorf("ifindex %d: %w", c.Ifindex, unix.ENODEV)
	}
	// Protocol 0: nothing is received before bind names the device.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	r := &Ring{cfg: c, fd: fd}
	if err := r.setUp(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// setUp orders the steps as the kernel wants them: the header's layout before
// the ring, the filter before the first frame.
func (r *Ring) setUp() error {
	c := r.cfg
	steps := []struct {
		what string
		do   func() error
	}{
		{"PACKET_VERSION", func() error {
			return unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3)
		}},
		{"snaplen filter", func() error {
			f := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: uint32(c.SnapLen)}
			return unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &f})
		}},
		{"PACKET_VNET_HDR", func() error {
			return unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
		}},
		// Switches netstamp_needed on (net/core/dev.c): a frame is stamped once,
		// early, and every socket that sees it reads the same stamp. Without it
		// each packet socket would read the clock for itself.
		{"SO_TIMESTAMPNS", func() error {
			return unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		}},
		{"PACKET_RX_RING", func() error {
			return unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
				Block_size: uint32(c.BlockSize), Block_nr: uint32(c.Blocks),
				Frame_size: frameSize, Frame_nr: uint32(c.BlockSize / frameSize * c.Blocks),
				Retire_blk_tov: uint32(c.Retire / time.Millisecond),
			})
		}},
		{"mmap", func() (err error) {
			r.mem, err = unix.Mmap(r.fd, 0, c.BlockSize*c.Blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		}},
		{"bind", func() error {
			return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: c.Ifindex})
		}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s on ifindex %d: %w", s.what, c.Ifindex, err)
		}
	}
	return nil
}

// htons converts to network byte order on a CPU of either kind.
func htons(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}

// Config returns what the ring was opened with, defaults filled in.
func (r *Ring) Config() Config { return r.cfg }

// word returns a word of the current block's header for atomic access. The
// mapping is page aligned and blocks are whole pages, so it is aligned.
func (r *Ring) word(off int) *uint32 {
	return (*uint32)(unsafe.Pointer(&r.mem[r.cur*r.cfg.BlockSize+off]))
}

// Ready returns the next block if the kernel has handed it over. Release must
// follow before the next Ready.
func (r *Ring) Ready() (Block, bool) {
	if atomic.LoadUint32(r.word(blockStatus))&unix.TP_STATUS_USER == 0 {
		return Block{}, false
	}
	base := r.cur * r.cfg.BlockSize
	return ParseBlock(r.mem[base:base+r.cfg.BlockSize], true, r.cfg.Ifindex), true
}

// Release hands the block of the last Ready back to the kernel.
func (r *Ring) Release() {
	// The kernel clears the count only when it opens the block, which may be
	// long after; cleared here, Empty tells the truth in between.
	atomic.StoreUint32(r.word(blockNumFrames), 0)
	atomic.StoreUint32(r.word(blockStatus), unix.TP_STATUS_KERNEL)
	r.cur = (r.cur + 1) % r.cfg.Blocks
}

// Empty reports whether the ring holds no frame at all: no block is ready, and
// the block that the kernel is filling has no frame yet (num_pkts grows before
// the frame is copied: prb_fill_curr_block in af_packet.c).
func (r *Ring) Empty() bool {
	return atomic.LoadUint32(r.word(blockStatus))&unix.TP_STATUS_USER == 0 &&
		atomic.LoadUint32(r.word(blockNumFrames)) == 0
}

// Wait waits until a block is ready, the socket has an error, or the time is up.
// It returns and clears the socket's error: ENETDOWN when the device has gone
// down or away. The socket resumes by itself when the same device comes up
// again (packet_notifier in af_packet.c).
func (r *Ring) Wait(timeout time.Duration) error {
	p := [1]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN | unix.POLLERR}}
	ms := int((timeout + time.Millisecond - 1) / time.Millisecond)
	if _, err := unix.Poll(p[:], ms); err != nil && err != unix.EINTR {
		return fmt.Errorf("poll ring of ifindex %d: %w", r.cfg.Ifindex, err)
	}
	if p[0].Revents&unix.POLLERR == 0 {
		return nil
	}
	code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR) // reading clears it, else poll would spin
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		return fmt.Errorf("ring of ifindex %d: %w", r.cfg.Ifindex, err)
	}
	return nil
}

// Stats reads the socket's counts. The kernel's reset on every read
// (packet_getsockopt), so nobody else may read them.
func (r *Ring) Stats() (Stats, error) {
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return r.stats, fmt.Errorf("PACKET_STATISTICS of ifindex %d: %w", r.cfg.Ifindex, err)
	}
	r.stats.Frames += uint64(s.Packets)
	r.stats.Drops += uint64(s.Drops)
	r.stats.Freezes += uint64(s.Freeze_q_cnt)
	return r.stats, nil
}

// Close gives the ring back. Blocks and frames from it are invalid from here on.
func (r *Ring) Close() error {
	var err error
	if r.mem != nil {
		err = unix.Munmap(r.mem)
		r.mem = nil
	}
	if cerr := unix.Close(r.fd); err == nil {
		err = cerr
	}
	r.fd = -1
	if err != nil {
		return fmt.Errorf("close ring of ifindex %d: %w", r.cfg.Ifindex, err)
	}
	return nil
}
