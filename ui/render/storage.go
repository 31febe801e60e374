package render

import (
	"math"
	"strconv"
	"strings"

	"spiketop/flow"
	"spiketop/incident"
)

// carriedHeight is the height from which storage and vifs have a line of their
// own over the panes; on a lower screen a flow more tells more.
const carriedHeight = 30

// tallScreen is the height of the snapshot's part of the screen from which there
// is room for every fact on storage and vifs beside the flows.
const tallScreen = 26

// drawCarried writes storage and the sum of the vifs under the title, where any
// of it is known, and returns what is left for the panes.
func (v *View) drawCarried(c *Canvas, r rect) rect {
	spans := v.carriedSpans()
	if c.H < carriedHeight || spans == nil {
		return r
	}
	line(c, r.x+1, r.y, r.w-2, spans)
	return rect{r.x, r.y + 1, r.w, r.h - 1}
}

// carriedTail is the same for the line of the incidents while there are none.
func (v *View) carriedTail(h int) []span {
	spans := v.carriedSpans()
	if h >= carriedHeight || spans == nil || v.Page != Live {
		return nil
	}
	return append([]span{{" ── ", Style{Fg: Faint}, 0}}, spans...)
}

// carriedSpans is what storage and vifs carry now, or in the frozen window.
func (v *View) carriedSpans() []span {
	if v.Frozen != nil {
		return frozenCarried(v.Frozen)
	}
	c := &v.Panes.Carried
	var spans []span
	if c.HasStorage {
		spans = append(spans, span{"storage", classStyle(flow.Storage), 0}, inOut(c.Storage[flow.Rx], c.Storage[flow.Tx]))
	}
	if c.VIFs > 0 {
		spans = append(spans, vifSpans(c.VIFs, c.VIF[flow.Rx], c.VIF[flow.Tx], len(spans) > 0)...)
		spans = append(spans, ofNICs(c.Share)...)
	}
	return spans
}

func frozenCarried(in *incident.Incident) []span {
	var spans []span
	if s := in.Storage; s != nil && s.InBytes+s.OutBytes > 0 {
		spans = append(spans, span{"storage", classStyle(flow.Storage), 0}, inOut(s.InBps, s.OutBps))
		spans = append(spans, amplified(s)...)
	}
	if s := in.VIFSum; s != nil && s.VIFs > 0 {
		rx, tx := s.Rates()
		spans = append(spans, vifSpans(s.VIFs, rx, tx, len(spans) > 0)...)
		spans = append(spans, ofNICs(orNaN(s.Share))...)
	}
	if s := in.Storage; s != nil {
		spans = append(spans, fedSpans(s, 1, len(spans) > 0)...)
	}
	return spans
}

// inOut are rates as they cross the NICs; those of vifs stand for the same
// arrows, for what goes down to this host's VMs comes in.
func inOut(in, out float64) span {
	return span{" " + down + " " + pad(incident.Rate(in), 5) + " " + up + " " + pad(incident.Rate(out), 5), Style{Fg: Strong}, 0}
}

func vifSpans(n int, rx, tx float64, gap bool) []span {
	return []span{{space(gap), Style{}, 0}, {"vifs", classStyle(flow.VIF), 0}, {" (" + strconv.Itoa(n) + ")", Style{Fg: Faint}, 3}, inOut(rx, tx)}
}

func space(gap bool) string {
	if gap {
		return "   "
	}
	return ""
}

// ofNICs says how much of what the NICs carry the vifs do.
func ofNICs(share float64) []span {
	if math.IsNaN(share) || share < 0 {
		return nil
	}
	st := Style{Fg: Strong, Bold: true}
	return []span{{" " + percent(share), st, 0}, {" of the NICs", st, 2}}
}

// amplified is storage in : out, once for now and once for usual.
func amplified(s *incident.StoragePart) []span {
	if s.Amplification == nil {
		return nil
	}
	spans := []span{{"  in : out  1 : " + incident.Factor(s.Amplification), Style{Fg: Strong, Bold: true}, 1}}
	if s.BaselineAmplification != nil {
		spans = append(spans, span{" usual 1 : " + incident.Factor(s.BaselineAmplification), Style{Fg: Faint}, 4})
	}
	return spans
}

// fedSpans names the VMs that fed the storage traffic, at most n.
func fedSpans(s *incident.StoragePart, n int, gap bool) []span {
	var spans []span
	for i, f := range s.Feeders() {
		if i == n {
			break
		}
		text, drop := ", "+f.Text(), 3
		if i == 0 {
			text, drop = space(gap)+"fed by "+f.Text(), 0
		}
		spans = append(spans, span{text, Style{Fg: Alarm, Bold: true}, drop})
	}
	return spans
}

// guestLines are the snapshot's lines on storage and vifs; one line on a screen
// that is low.
func guestLines(in *incident.Incident, h int) [][]span {
	if h < tallScreen {
		return lowGuestLine(in)
	}
	var lines [][]span
	if s := in.Storage; s != nil && s.InBytes+s.OutBytes > 0 {
		lines = append(lines, storageLine(s))
		for i := range s.Chains[:min(2, len(s.Chains))] {
			lines = append(lines, chainLine(&s.Chains[i]))
		}
	}
	if s := in.Storage; s != nil && len(s.Feeders()) > 0 {
		lines = append(lines, fedLine(s))
	}
	if s := in.VIFSum; s != nil && s.VIFs > 0 {
		lines = append(lines, vifLine(in, s))
	}
	return lines
}

func lowGuestLine(in *incident.Incident) [][]span {
	var spans []span
	if s := in.Storage; s != nil {
		if s.Amplification != nil {
			spans = append(spans, span{"storage in : out ", Style{Fg: Faint}, 0}, span{"1 : " + incident.Factor(s.Amplification), Style{Fg: Strong, Bold: true}, 0})
		}
		if len(s.Chains) > 0 {
			spans = append(spans, span{space(len(spans) > 0) + "1 → " + strconv.Itoa(len(s.Chains[0].Out)), Style{Fg: Strong}, 2})
		}
		spans = append(spans, fedSpans(s, 1, len(spans) > 0)...)
	}
	if s := in.VIFSum; s != nil && s.Share != nil {
		spans = append(spans, span{space(len(spans) > 0) + "vifs", classStyle(flow.VIF), 1})
		for _, p := range ofNICs(*s.Share) {
			p.drop++
			spans = append(spans, p)
		}
	}
	if spans == nil {
		return nil
	}
	return [][]span{spans}
}

func storageLine(s *incident.StoragePart) []span {
	spans := []span{{"storage", Style{Fg: Faint}, 0}}
	for i, d := range [2]struct {
		bps   float64
		usual *float64
	}{{s.InBps, s.BaselineInBps}, {s.OutBps, s.BaselineOutBps}} {
		spans = append(spans, span{" " + arrows[i] + " " + pad(incident.Rate(d.bps), 5), Style{Fg: Strong}, 0})
		if d.usual != nil {
			spans = append(spans, span{" usual " + pad(incident.Rate(*d.usual), 5), Style{}, 3})
		}
	}
	spans = append(spans, amplified(s)...)
	return append(spans, span{"  written " + incident.Bytes(s.Writes.InBytes) + " in " + incident.Bytes(s.Writes.OutBytes) + " out, read " +
		incident.Bytes(s.Reads.InBytes) + " in " + incident.Bytes(s.Reads.OutBytes) + " out", Style{Fg: Faint}, 5})
}

// chainLine names the flows of a chain: the one that came in with both ends, of
// those that went out where they went to.
func chainLine(c *incident.ChainPart) []span {
	out := make([]string, len(c.Out))
	for i := range c.Out {
		out[i] = incident.Clean(c.Out[i].Remote)
	}
	return []span{{"chain  ", Style{Fg: Faint}, 0}, {" " + c.Shape(), Style{Fg: Strong, Bold: true}, 0},
		{"  " + incident.Clean(c.In.Remote), Style{}, 2}, {" → " + incident.Clean(c.In.Local), Style{}, 3}, {" → " + strings.Join(out, ", "), Style{}, 0}}
}

func fedLine(s *incident.StoragePart) []span {
	spans := append([]span{{"disks   ", Style{Fg: Faint}, 0}}, fedSpans(s, 3, false)...)
	if s.WirePerWritten != nil {
		spans = append(spans, span{"   " + incident.Factor(s.WirePerWritten) + " bytes on the wire for each one written", Style{Fg: Strong}, 1})
	}
	return spans
}

func vifLine(in *incident.Incident, s *incident.VIFSum) []span {
	rx, tx := s.Rates()
	spans := []span{{"vifs   ", Style{Fg: Faint}, 0}, inOut(rx, tx)}
	spans = append(spans, ofNICs(orNaN(s.Share))...)
	if s.BaselineShare != nil {
		spans = append(spans, span{" usual " + percent(*s.BaselineShare), Style{Fg: Faint}, 4})
	}
	for i := range in.VIFs[:min(3, len(in.VIFs))] {
		f := &in.VIFs[i]
		name := incident.CleanMax(f.VIF, 32)
		if f.VM != "" {
			name = incident.CleanMax(f.VM, 32) + " " + name
		}
		spans = append(spans, span{"   " + name, Style{Bold: true}, 2 + i}, span{inOut(f.RxBps, f.TxBps).text, Style{}, 2 + i})
		if f.TxDropped > 0 {
			spans = append(spans, span{" not read " + count(f.TxDropped), Style{Fg: Alarm, Bold: true}, 2 + i})
		}
	}
	return spans
}
