package main

import (
	"encoding/csv"
	"io"
	"strconv"

	"spiketop/flow/stats"
)

// writeCSV writes one table: a header and a row for each line. No cell is foreign
// text.
func (c *captured) writeCSV(w io.Writer, table string) error {
	cw := csv.NewWriter(w)
	header, rows := c.csvRows(table)
	if err := cw.Write(header); err != nil {
		return err
	}
	for i := 0; ; i++ {
		row := rows(i)
		if row == nil {
			break
		}
		if err := cw.Write(row); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return decimal(*v)
}

// csvRows returns the columns of a table and its rows by number; nil ends them.
func (c *captured) csvRows(table string) ([]string, func(int) []string) {
	r := c.report
	switch table {
	case "addresses":
		return []string{"topic", "item", "count", "percent"}, rowsOf(r.Addresses, func(a *stats.Address) []string {
			return []string{a.Topic, a.Item.String(), count(a.Count), decimal(round2(a.Percent))}
		})
	case "services":
		return []string{"address", "proto", "port", "count", "percent"}, rowsOf(r.Services, func(s *stats.Service) []string {
			return []string{s.Address.String(), s.Proto, strconv.Itoa(int(s.Port)), count(s.Count), decimal(round2(s.Percent))}
		})
	case "tcp":
		return []string{"a", "b", "state", "handshake_ms", "connections", "packets", "retransmissions", "fast_retransmissions", "spurious_retransmissions",
			"out_of_order", "duplicate_acks", "zero_windows", "unseen_segments"}, rowsOf(r.TCP, csvTCPRow)
	case "echoes":
		return []string{"src", "dst", "id", "seq", "request", "reply", "rtt_ms", "duplicates"}, rowsOf(r.Echoes, func(e *stats.Echo) []string {
			j := jsonEchoOf(e)
			return []string{j.Src, j.Dst, strconv.Itoa(int(j.ID)), strconv.Itoa(int(j.Seq)), j.Request.String(), j.Reply.String(), optional(j.RTT), count(uint64(j.Duplicates))}
		})
	case "peaks":
		return []string{"interface", "bin_ms", "at", "bps"}, rowsOf(r.Peaks, func(p *stats.Peak) []string {
			return []string{strconv.Itoa(p.Interface), strconv.Itoa(p.BinMS), statsTime(p.At).String(), decimal(p.BPS())}
		})
	case "bursts":
		return []string{"interface", "from", "to", "bytes", "peak_bps", "usual_bps", "proto", "a", "b", "flow_bytes"}, rowsOf(burstShares(r.Bursts), csvBurstRow)
	}
	return []string{"proto", "a", "b", "packets_ab", "bytes_ab", "packets_ba", "bytes_ba"}, rowsOf(r.Flows, func(f *stats.Flow) []string {
		return []string{protoName(f.Proto), flowEnd(f.Proto, f.A), flowEnd(f.Proto, f.B), count(f.AB.Packets), count(f.AB.Bytes), count(f.BA.Packets), count(f.BA.Bytes)}
	})
}

func rowsOf[T any](list []T, row func(*T) []string) func(int) []string {
	return func(i int) []string {
		if i >= len(list) {
			return nil
		}
		return row(&list[i])
	}
}

func csvTCPRow(t *stats.Conversation) []string {
	row := []string{t.A.String(), t.B.String(), t.State, optional(millisOf(t.Handshake)), count(uint64(t.Connections)), count(t.Packets)}
	for _, n := range [...]uint32{t.Retransmissions, t.Fast, t.Spurious, t.OutOfOrder, t.DuplicateAcks, t.ZeroWindows, t.LostSegments} {
		row = append(row, count(uint64(n)))
	}
	return row
}

// burstShare is one flow of a burst; a burst without flows has one without.
type burstShare struct {
	burst *stats.Burst
	share *stats.Share
}

func burstShares(list []stats.Burst) (out []burstShare) {
	for i := range list {
		b := &list[i]
		if len(b.Flows) == 0 {
			out = append(out, burstShare{b, nil})
		}
		for k := range b.Flows {
			out = append(out, burstShare{b, &b.Flows[k]})
		}
	}
	return out
}

func csvBurstRow(x *burstShare) []string {
	b := x.burst
	row := []string{strconv.Itoa(b.Interface), statsTime(b.From).String(), statsTime(b.To).String(), count(b.Bytes), decimal(binBPS(b.Peak)), decimal(binBPS(b.Usual))}
	if x.share == nil {
		return append(row, "", "", "", "")
	}
	f := x.share.Flow
	return append(row, protoName(f.Proto), flowEnd(f.Proto, f.A), flowEnd(f.Proto, f.B), count(x.share.Bytes))
}
