package ring

import (
	"fmt"
	"syscall"
	"time"
)

// LeastSize is the smallest ring, in bytes.
const LeastSize = 16_000_000

const (
	pieces       = 16 // files that a full ring consists of, so that little goes at once
	mostFile     = 64 << 20
	leastFile    = 64 << 10
	mostFileTime = 10 * time.Minute
)

// Config of a Ring.
type Config struct {
	Dir  string
	Size int64         // bytes of all files together, at least LeastSize
	Keep time.Duration // files whose last frame is older are deleted; 0 = only by size

	Snaplen     int
	Application string
	Comment     string // of each file
	Unnamed     string // description of a device without a Source

	// UID and GID own the files if they are above 0 and this process may say so.
	UID, GID int

	// Say tells what a person should know: that the disk is full, that it goes on.
	// It is called by Run, Round and Close.
	Say func(string)

	// Now and Statfs are the clock and the kernel; nil is theirs.
	Now    func() time.Time
	Statfs func(dir string) (available, total uint64, err error)
}

func (c *Config) check() error {
	if c.Size < LeastSize {
		return fmt.Errorf("ring of %d bytes: at least %d are needed", c.Size, LeastSize)
	}
	if c.Keep < 0 || c.Keep > 0 && c.Keep < 10*time.Second {
		return fmt.Errorf("ring of %v: at least 10s are needed", c.Keep)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Statfs == nil {
		c.Statfs = statfs
	}
	if c.Say == nil {
		c.Say = func(string) {}
	}
	return nil
}

// fileTime is how long one file is written to.
func (c *Config) fileTime() time.Duration {
	if c.Keep == 0 {
		return mostFileTime
	}
	return min(max(c.Keep/pieces, time.Second), mostFileTime)
}

func statfs(dir string) (available, total uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("statfs: %w", err)
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}
