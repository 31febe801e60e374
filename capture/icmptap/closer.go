package icmptap

import (
	"sync"

	"golang.org/x/sys/unix"
)

// closers is how many sockets are closed at a time. The kernel waits for all
// CPUs before it lets go of a packet socket (synchronize_net in packet_release),
// 10 ms for each; those that wait together wait once.
const closers = 32

// closer closes sockets without holding up its caller.
type closer struct {
	wg      sync.WaitGroup
	mu      sync.Mutex
	fds     []int
	running int
}

// close closes fd some time soon.
func (c *closer) close(fd int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fds = append(c.fds, fd)
	if c.running < closers {
		c.running++
		c.wg.Go(c.work)
	}
}

func (c *closer) work() {
	for {
		c.mu.Lock()
		if len(c.fds) == 0 {
			c.running--
			c.mu.Unlock()
			return
		}
		fd := c.fds[len(c.fds)-1]
		c.fds = c.fds[:len(c.fds)-1]
		c.mu.Unlock()
		_ = unix.Close(fd)
	}
}

// wait returns when all are closed.
func (c *closer) wait() { c.wg.Wait() }
