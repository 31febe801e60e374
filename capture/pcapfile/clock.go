package pcapfile

import (
	"math"
	"math/bits"
)

const nsPerSec = 1_000_000_000

// clock turns the time stamps of one interface into nanoseconds:
//
//	ns = (t * mul) >> shift / div + offset
//
// in 128 bits, and saturated to int64.
type clock struct {
	mul, div uint64
	shift    uint8
	offset   int64 // nanoseconds, saturated
}

// newClock returns the clock for if_tsresol and if_tsoffset (seconds).
func newClock(resol uint8, offset int64) clock {
	c := clock{mul: 1, div: 1, offset: mulSat(offset, nsPerSec)}
	n := resol & 0x7f
	switch {
	case resol&0x80 != 0:
		c.mul, c.shift = nsPerSec, n
	case n <= 9:
		c.mul = pow10(9 - n)
	case n-9 <= 19:
		c.div = pow10(n - 9)
	default:
		c.mul = 0 // even the largest stamp is less than 1 ns
	}
	return c
}

// ns returns the time of stamp t in nanoseconds since the epoch.
func (c *clock) ns(t uint64) int64 {
	hi, lo := bits.Mul64(t, c.mul)
	if c.shift != 0 {
		hi, lo = shiftRight(hi, lo, c.shift)
	}
	if c.div != 1 {
		lo /= c.div // mul is 1, so hi is 0
	}
	return addSat(hi, lo, c.offset)
}

func shiftRight(hi, lo uint64, n uint8) (uint64, uint64) {
	if n >= 64 {
		return 0, hi >> (n - 64)
	}
	return hi >> n, lo>>n | hi<<(64-n)
}

// addSat returns hi:lo + offset, kept within int64.
func addSat(hi, lo uint64, offset int64) int64 {
	if offset >= 0 {
		if hi != 0 || lo > uint64(math.MaxInt64-offset) {
			return math.MaxInt64
		}
		return int64(lo) + offset
	}
	sum, borrow := bits.Sub64(lo, -uint64(offset), 0)
	if borrow > hi {
		if int64(sum) >= 0 {
			return math.MinInt64
		}
		return int64(sum)
	}
	if hi-borrow != 0 || sum > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(sum)
}

func mulSat(a, b int64) int64 {
	if a > math.MaxInt64/b {
		return math.MaxInt64
	}
	if a < math.MinInt64/b {
		return math.MinInt64
	}
	return a * b
}

func pow10(n uint8) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
