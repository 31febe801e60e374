package incident

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

var csvHeader = []string{"incident", "host", "from", "to", "direction", "rank", "link", "class", "why", "proto", "vlan",
	"local", "remote", "bytes", "frames", "bps", "baseline_bps", "delta_bps", "share", "hash_member",
	"vm", "vif", "process", "rtt_ms", "min_rtt_ms", "retransmissions", "between_ms", "delivery_bps"}

// WriteCSV writes flows.csv: a header and one row for each flow and direction of
// the top lists, in their order, addresses in full. bytes and frames are within
// [from, to), rates bit/s, share 0..1 of that link and direction; what is not
// known is an empty cell. No cell can be taken for a formula by a spreadsheet,
// none holds a newline.
//
// It does not change in and may be called from any goroutine.
func WriteCSV(w io.Writer, in *Incident) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(csvHeader); err != nil {
		return fmt.Errorf("write flows.csv: %w", err)
	}
	for _, d := range []struct {
		name string
		rows []FlowRow
	}{{"rx", in.Flows.Rx}, {"tx", in.Flows.Tx}} {
		for i := range d.rows {
			if err := cw.Write(csvRow(in, d.name, &d.rows[i])); err != nil {
				return fmt.Errorf("write flows.csv: %w", err)
			}
		}
	}
	cw.Flush()
	if err := cw.Error(); err != nil {
		return fmt.Errorf("write flows.csv: %w", err)
	}
	return nil
}

func csvRow(in *Incident, dir string, f *FlowRow) []string {
	row := []string{csvText(in.ID), csvText(in.Host), csvTime(in.Window.From), csvTime(in.Window.To), dir,
		strconv.Itoa(f.Rank), csvText(f.Link), csvText(f.Class), csvText(f.Why), csvText(f.Proto), strconv.Itoa(int(f.VLAN)),
		csvText(f.Local), csvText(f.Remote), strconv.FormatUint(f.Bytes, 10), strconv.FormatUint(f.Frames, 10),
		csvNumber(&f.Bps), csvNumber(f.BaselineBps), csvNumber(f.DeltaBps), csvNumber(&f.Share), csvText(f.HashMember),
		csvText(f.VM), csvText(f.VIF), csvText(f.Process)}
	return append(row, csvTCP(f.TCP)...)
}

func csvTCP(t *TCPPart) []string {
	if t == nil {
		return make([]string, 5)
	}
	bps := ""
	if t.DeliveryBps != nil {
		bps = strconv.FormatUint(*t.DeliveryBps, 10)
	}
	return []string{csvMillis(t.RTT), csvMillis(t.MinRTT), strconv.FormatUint(uint64(t.Retransmissions), 10), csvMillis(t.BetweenMs), bps}
}

func csvMillis(m *Millis) string {
	if m == nil {
		return ""
	}
	v := math.Round(float64(*m)*1000) / 1000
	return csvNumber(&v)
}

// csvText cleans a foreign string and keeps it from being a formula: spreadsheets
// evaluate cells that begin with one of = + - @ (also in full width), some of
// them after blanks. A leading apostrophe makes them text.
func csvText(s string) string {
	s = Clean(s)
	if t := strings.TrimLeft(s, " "); t != "" && strings.ContainsRune("=+-@＝＋－＠\uFFFD", []rune(t)[0]) {
		return "'" + s
	}
	return s
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// csvNumber writes a number in full, without exponent: not every spreadsheet
// reads 1e+09.
func csvNumber(v *float64) string {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}
