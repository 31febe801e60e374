package lab

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// stolenTime is how long this machine's processors wanted to run and were not let
// to by the one that hosts it, since boot: "steal" of proc(5), in ticks of 10 ms;
// 0 where that is not known. Hosts that lend time in advance throttle whoever has
// used it up, and let him run again after a rest.
func stolenTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(first)
	if len(f) < 9 || f[0] != "cpu" {
		return 0
	}
	ticks, err := strconv.ParseInt(f[8], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
