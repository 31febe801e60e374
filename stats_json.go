package main

import (
	"encoding/json"
	"io"
	"net/netip"
	"strconv"
	"time"

	"spiketop/capture/pcapfile"
	"spiketop/flow/stats"
	"spiketop/incident"
)

// statsTime writes ns since the epoch as RFC 3339 with nanoseconds, 0 as null.
type statsTime int64

func (t statsTime) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

func (t statsTime) String() string {
	if t == 0 {
		return ""
	}
	return time.Unix(0, int64(t)).Format("2006-01-02T15:04:05.000000000Z07:00")
}

// millisOf is ns as milliseconds, exact to the nanosecond.
func millisOf(ns int64) *float64 {
	if ns < 0 {
		return nil
	}
	ms := float64(ns) / 1e6
	return &ms
}

type jsonHead struct {
	File       string         `json:"file"`
	Packets    uint64         `json:"packets"`
	Bytes      uint64         `json:"bytes"`
	Frames     uint64         `json:"frames"`
	First      statsTime      `json:"first"`
	Last       statsTime      `json:"last"`
	Truncated  bool           `json:"truncated"`
	Damage     string         `json:"damage,omitempty"`
	NotIP      uint64         `json:"not_ip"`
	Malformed  uint64         `json:"malformed"`
	Orphans    uint64         `json:"orphan_fragments"`
	Inner      bool           `json:"inner"`
	Other      jsonOther      `json:"other"`
	EchoTotals jsonEchoTotals `json:"echo_totals"`
}

type jsonInterface struct {
	Interface int     `json:"interface"`
	Name      string  `json:"name"`
	LinkType  string  `json:"link_type"`
	Speed     *uint64 `json:"speed_bps"`
}

// jsonOther is what was counted together because of the bounds.
type jsonOther struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	Echoes  uint64 `json:"echo_requests"`
}

type jsonEchoTotals struct {
	Requests   uint64 `json:"requests"`
	Answered   uint64 `json:"answered"`
	Duplicates uint64 `json:"duplicate_replies"`
	Orphans    uint64 `json:"orphan_replies"`
}

type jsonFlow struct {
	Proto     string `json:"proto"`
	A         string `json:"a"`
	B         string `json:"b"`
	PacketsAB uint64 `json:"packets_ab"`
	BytesAB   uint64 `json:"bytes_ab"`
	PacketsBA uint64 `json:"packets_ba"`
	BytesBA   uint64 `json:"bytes_ba"`
}

type jsonEcho struct {
	Src        string    `json:"src"`
	Dst        string    `json:"dst"`
	ID         uint16    `json:"id"`
	Seq        uint16    `json:"seq"`
	Request    statsTime `json:"request"`
	Reply      statsTime `json:"reply"`
	RTT        *float64  `json:"rtt_ms"`
	Answered   bool      `json:"answered"`
	Duplicates uint32    `json:"duplicates"`
}

type jsonAddress struct {
	Topic   string  `json:"topic"`
	Item    string  `json:"item"`
	Count   uint64  `json:"count"`
	Percent float64 `json:"percent"`
}

type jsonService struct {
	Address string  `json:"address"`
	Proto   string  `json:"proto"`
	Port    uint16  `json:"port"`
	Count   uint64  `json:"count"`
	Percent float64 `json:"percent"`
}

type jsonTCP struct {
	A               string   `json:"a"`
	B               string   `json:"b"`
	State           string   `json:"state"`
	Handshake       *float64 `json:"handshake_ms"`
	Connections     uint32   `json:"connections"`
	Packets         uint64   `json:"packets"`
	Retransmissions uint32   `json:"retransmissions"`
	Fast            uint32   `json:"fast_retransmissions"`
	Spurious        uint32   `json:"spurious_retransmissions"`
	OutOfOrder      uint32   `json:"out_of_order"`
	DuplicateAcks   uint32   `json:"duplicate_acks"`
	ZeroWindows     uint32   `json:"zero_windows"`
	Lost            uint32   `json:"unseen_segments"`
}

type jsonPeak struct {
	Interface int       `json:"interface"`
	BinMS     int       `json:"bin_ms"`
	At        statsTime `json:"at"`
	BPS       float64   `json:"bps"`
}

type jsonBurst struct {
	Interface int         `json:"interface"`
	From      statsTime   `json:"from"`
	To        statsTime   `json:"to"`
	Bytes     uint64      `json:"bytes"`
	PeakBPS   float64     `json:"peak_bps"`
	UsualBPS  float64     `json:"usual_bps"`
	Flows     []jsonShare `json:"flows"`
}

type jsonShare struct {
	Proto string `json:"proto"`
	A     string `json:"a"`
	B     string `json:"b"`
	Bytes uint64 `json:"bytes"`
}

// protoName is the name of an IP protocol, or its number.
func protoName(proto uint8) string {
	switch proto {
	case stats.ProtoTCP:
		return "tcp"
	case stats.ProtoUDP:
		return "udp"
	case stats.ProtoSCTP:
		return "sctp"
	case stats.ProtoICMP:
		return "icmp"
	case stats.ProtoICMPv6:
		return "icmp6"
	}
	return strconv.Itoa(int(proto))
}

// flowEnd is an end of a flow: with its port where the protocol has them, IPv6 in
// brackets.
func flowEnd(proto uint8, a netip.AddrPort) string {
	switch proto {
	case stats.ProtoTCP, stats.ProtoUDP, stats.ProtoSCTP, stats.ProtoDCCP, stats.ProtoUDPLite:
		return a.String()
	}
	if a.Addr().Is4() {
		return a.Addr().String()
	}
	return "[" + a.Addr().String() + "]"
}

func (c *captured) jsonHead() jsonHead {
	r := c.report
	h := jsonHead{File: incident.Clean(c.name), Packets: r.Packets, Bytes: r.Bytes, Frames: r.Frames, First: statsTime(r.First), Last: statsTime(r.Last),
		Truncated: c.damage != nil, NotIP: r.NotIP, Malformed: r.Malformed, Orphans: r.Totals.Fragments, Inner: c.inner,
		Other: jsonOther{r.Other.Packets, r.Other.Bytes, r.OtherEchoes}}
	if c.damage != nil {
		h.Damage = oneLine(c.damage.Error())
	}
	h.EchoTotals = jsonEchoTotals{uint64(len(r.Echoes)) + r.OtherEchoes, 0, r.Duplicates, r.Orphaned}
	for i := range r.Echoes {
		if r.Echoes[i].Answered {
			h.EchoTotals.Answered++
		}
	}
	return h
}

// writeJSON writes the object of docs/INCIDENT.md. Its lists are written line by
// line: they may be long.
func (c *captured) writeJSON(w io.Writer) error {
	head, err := json.Marshal(c.jsonHead())
	if err != nil {
		return err
	}
	j := &jsonWriter{w: w}
	j.bytes(head[:len(head)-1])
	r := c.report
	list(j, "flows", r.Flows, jsonFlowOf)
	list(j, "echoes", r.Echoes, jsonEchoOf)
	list(j, "orphans", r.Orphans, jsonEchoOf)
	list(j, "addresses", r.Addresses, func(a *stats.Address) jsonAddress {
		return jsonAddress{a.Topic, a.Item.String(), a.Count, round2(a.Percent)}
	})
	list(j, "services", r.Services, func(s *stats.Service) jsonService {
		return jsonService{s.Address.String(), s.Proto, s.Port, s.Count, round2(s.Percent)}
	})
	list(j, "tcp", r.TCP, jsonTCPOf)
	list(j, "peaks", r.Peaks, func(p *stats.Peak) jsonPeak { return jsonPeak{p.Interface, p.BinMS, statsTime(p.At), p.BPS()} })
	list(j, "bursts", r.Bursts, jsonBurstOf)
	types := c.linkTypes()
	list(j, "link_types", types, func(s *string) string { return *s })
	all := make([]int, len(c.interfaces))
	for n := range all {
		all[n] = n
	}
	list(j, "interfaces", all, func(n *int) jsonInterface { return jsonInterfaceOf(*n, &c.interfaces[*n]) })
	list(j, "unsupported", c.opaque, func(o *opaqueInterface) opaqueInterface { return *o })
	j.bytes([]byte("}\n"))
	return j.err
}

func jsonInterfaceOf(n int, i *pcapfile.Interface) jsonInterface {
	j := jsonInterface{Interface: n, Name: incident.Clean(i.Name), LinkType: i.Link.String()}
	if i.Speed > 0 {
		j.Speed = &i.Speed
	}
	return j
}

func jsonFlowOf(f *stats.Flow) jsonFlow {
	return jsonFlow{protoName(f.Proto), flowEnd(f.Proto, f.A), flowEnd(f.Proto, f.B), f.AB.Packets, f.AB.Bytes, f.BA.Packets, f.BA.Bytes}
}

func jsonEchoOf(e *stats.Echo) jsonEcho {
	j := jsonEcho{Src: e.Src.String(), Dst: e.Dst.String(), ID: e.ID, Seq: e.Seq, Request: statsTime(e.Request), Reply: statsTime(e.Reply), Answered: e.Answered, Duplicates: e.Duplicates}
	if e.Answered && e.Request != 0 && e.Reply != 0 {
		ms := float64(e.Reply-e.Request) / 1e6
		j.RTT = &ms
	}
	return j
}

func jsonTCPOf(t *stats.Conversation) jsonTCP {
	return jsonTCP{t.A.String(), t.B.String(), t.State, millisOf(t.Handshake), t.Connections, t.Packets, t.Retransmissions, t.Fast, t.Spurious, t.OutOfOrder,
		t.DuplicateAcks, t.ZeroWindows, t.LostSegments}
}

func jsonBurstOf(b *stats.Burst) jsonBurst {
	j := jsonBurst{b.Interface, statsTime(b.From), statsTime(b.To), b.Bytes, binBPS(b.Peak), binBPS(b.Usual), []jsonShare{}}
	for _, s := range b.Flows {
		j.Flows = append(j.Flows, jsonShare{protoName(s.Flow.Proto), flowEnd(s.Flow.Proto, s.Flow.A), flowEnd(s.Flow.Proto, s.Flow.B), s.Bytes})
	}
	return j
}

// binBPS is the rate of a bin of 10 ms, in bit/s.
func binBPS(bytes uint64) float64 { return float64(bytes) * 800 }

func round2(v float64) float64 { return float64(int64(v*100+0.5)) / 100 }

// jsonWriter keeps the first error.
type jsonWriter struct {
	w   io.Writer
	err error
}

func (j *jsonWriter) bytes(b []byte) {
	if j.err == nil {
		_, j.err = j.w.Write(b)
	}
}

// list writes one member of the object whose value is a list.
func list[T, J any](j *jsonWriter, name string, of []T, convert func(*T) J) {
	j.bytes([]byte(",\n\"" + name + "\": ["))
	for i := range of {
		b, err := json.Marshal(convert(&of[i]))
		if err != nil && j.err == nil {
			j.err = err
		}
		if i > 0 {
			j.bytes([]byte(","))
		}
		j.bytes([]byte("\n "))
		j.bytes(b)
		if j.err != nil {
			return
		}
	}
	j.bytes([]byte("]"))
}
