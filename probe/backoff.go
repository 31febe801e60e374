package probe

import (
	"context"
	"math/rand/v2"
	"time"
)

// Retries begin after backoffFirst and double up to backoffMost; a quarter may
// be added, which makes 30 s.
const (
	backoffFirst = time.Second
	backoffMost  = 24 * time.Second
)

// backoff says how long to wait before the next try. The zero value is ready.
type backoff struct{ tries int }

// next returns the next pause: 1 s, 2 s, 4 s, ... 24 s, each longer by up to a
// quarter, so that a hundred targets that failed together do not come back
// together.
func (b *backoff) next() time.Duration {
	d := min(backoffFirst<<min(b.tries, 10), backoffMost)
	b.tries++
	return d + rand.N(d/4+1)
}

func (b *backoff) reset() { b.tries = 0 }

// sleep waits for d or until ctx is done, and reports whether it waited for d.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
