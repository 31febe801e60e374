package netlab

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TsharkBytes is the second opinion on [Bytes]: tshark's own reading of a
// capture, summed over the frames of src to dst ("ip:port", IPv4, TCP) in [from, to).
func TsharkBytes(t testing.TB, file, src, dst string, from, to time.Time) (n int64) {
	t.Helper()
	NeedTool(t, "tshark", "tshark")
	end := func(side, s string) string {
		addr, port, _ := strings.Cut(s, ":")
		return fmt.Sprintf("ip.%s == %s && tcp.%sport == %s", side, addr, side, port)
	}
	epoch := func(at time.Time) string { return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()) }
	filter := fmt.Sprintf("%s && %s && frame.time_epoch >= %s && frame.time_epoch < %s", end("src", src), end("dst", dst), epoch(from), epoch(to))
	for _, f := range strings.Fields(Run(t, "tshark", "-n", "-Q", "-r", file, "-Y", filter, "-T", "fields", "-e", "frame.len")) {
		if k, err := strconv.ParseInt(f, 10, 64); err == nil { // tshark warns on standard error when run as root
			n += k
		}
	}
	return n
}
