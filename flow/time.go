package flow

import "time"

// Time is an instant: nanoseconds on CLOCK_MONOTONIC. It does not jump when
// somebody sets the clock, so differences of two Times are always durations.
// Wall time exists only at the borders: kernel stamps are converted on the way
// in (package capture), exporters and screens convert on the way out.
type Time int64

// The grid on which traffic is counted.
const (
	SlotLen     = 100 * time.Millisecond // one Slot
	BinLen      = 10 * time.Millisecond  // one bin of link load inside a Slot
	BinsPerSlot = int(SlotLen / BinLen)
)

// Add returns t+d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns t-u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// WallOffset is CLOCK_REALTIME - CLOCK_MONOTONIC in nanoseconds. NTP slews both
// clocks alike, so it changes only when somebody steps the clock.
type WallOffset int64

// Wall converts t to wall time (UTC).
func (o WallOffset) Wall(t Time) time.Time { return time.Unix(0, int64(t)+int64(o)).UTC() }

// Mono converts wall nanoseconds since the epoch to a Time.
func (o WallOffset) Mono(unixNano int64) Time { return Time(unixNano - int64(o)) }

// SlotStart returns the start of the slot that holds t. Slots begin at multiples
// of 100 ms of wall time, so that two hosts' incidents can be laid side by side.
func (o WallOffset) SlotStart(t Time) Time {
	w := int64(t) + int64(o)
	r := w % int64(SlotLen)
	if r < 0 {
		r += int64(SlotLen)
	}
	return t - Time(r)
}
