package link

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// readSoftnet reads what the whole host dropped before any protocol saw it, and
// how often a CPU stopped taking packets with more to take.
func readSoftnet(path string) (dropped, squeezed uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	return parseSoftnet(f)
}

// parseSoftnet reads /proc/net/softnet_stat: a line for each CPU, hexadecimal
// columns of 32 bits: processed, dropped (backlog full), time_squeeze, ...
// (softnet_seq_show in net/core/net-procfs.c).
func parseSoftnet(r io.Reader) (dropped, squeezed uint64, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		cols := strings.Fields(lines.Text())
		if len(cols) < 3 {
			return 0, 0, fmt.Errorf("softnet_stat: line of %d columns", len(cols))
		}
		d, err := strconv.ParseUint(cols[1], 16, 32)
		if err != nil {
			return 0, 0, fmt.Errorf("softnet_stat: %w", err)
		}
		q, err := strconv.ParseUint(cols[2], 16, 32)
		if err != nil {
			return 0, 0, fmt.Errorf("softnet_stat: %w", err)
		}
		dropped += d
		squeezed += q
	}
	return dropped, squeezed, lines.Err()
}
