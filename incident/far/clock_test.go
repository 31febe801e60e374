package far

import (
	"testing"
	"time"
)

// TestClock: whatever the clocks do, the true offset of the newest echo lies
// within what is said, and what is said gets narrow again.
func TestClock(t *testing.T) {
	const sec = int64(time.Second)
	tests := []struct {
		name   string
		offset func(at int64) int64 // far minus near
	}{
		{"steady", func(int64) int64 { return 5 * 3600 * sec }},
		{"behind", func(int64) int64 { return -5 * 3600 * sec }},
		{"drifts by 100 ppm", func(at int64) int64 { return at / 10_000 }},
		{"drifts back by 400 ppm", func(at int64) int64 { return -at / 2500 }},
		{"set forward", func(at int64) int64 { return at / (100 * sec) * sec }},
		{"set back", func(at int64) int64 { return -at / (100 * sec) * sec }},
	}
	for _, tc := range tests {
		for _, fromFar := range []bool{false, true} {
			t.Run(tc.name, func(t *testing.T) {
				var c clock
				known := 0
				for n := range int64(300) {
					request := n * sec
					// 0.3 ms out, 0.1 ms there, 0.5 ms back, in the true time of the near clock.
					first, second, third := request+300_000, request+400_000, request+900_000
					if fromFar {
						c.add(first, second, request+tc.offset(request), third+tc.offset(third), true)
					} else {
						c.add(request, third, first+tc.offset(first), second+tc.offset(second), false)
					}
					got, within, ok := c.offset()
					if !ok {
						continue
					}
					known++
					if off := time.Duration(got - tc.offset(request)).Abs(); off > within+time.Duration(clockGrain) || within > time.Millisecond {
						t.Fatalf("echo %d: wrong by %v, said to be within %v", n, off, within)
					}
				}
				if known < 290 {
					t.Errorf("known for %d echoes of 300", known)
				}
			})
		}
	}
}
