package incident

import (
	"math"
	"strconv"
	"strings"

	"spiketop/flow"
)

// bond NAME MODE POLICY MEMBER[:down|:backup|:agg=N|:partner=N|:speed=N|:queue=N] ...
func (p *player) bond(f []string) {
	b := flow.Bond{Name: f[0], Mode: f[1], Policy: f[2]}
	if b.Mode == flow.Mode8023AD {
		b.Active = 1
	}
	for _, w := range f[3:] {
		parts := strings.Split(w, ":")
		m := flow.Member{Name: parts[0], State: "active", MII: "up", PartnerState: -1, ActorState: -1}
		if b.Mode == flow.Mode8023AD {
			m.Aggregator, m.PartnerState, m.ActorState = 1, 63, 63
		}
		for _, w := range parts[1:] {
			name, value, _ := strings.Cut(w, "=")
			n, _ := strconv.Atoi(value)
			switch name {
			case "down":
				m.Down, m.MII, m.State = true, "down", "backup"
			case "backup":
				m.State = "backup"
			case "agg":
				m.Aggregator, m.State = n, "backup"
			case "partner":
				m.PartnerState = n
			case "speed":
				m.SpeedBps = uint64(p.number(value))
			case "queue":
				m.QueueID = n
			default:
				p.t.Fatalf("bond member %s", w)
			}
		}
		b.Members = append(b.Members, m)
	}
	p.s.newWorld(func(w *flow.World) {
		list := []flow.Bond{b}
		for _, old := range w.Bonds {
			if old.Name != b.Name {
				list = append(list, old)
			}
		}
		w.Bonds = list
	})
}

func (p *player) kernel(f []string) {
	k, ok := flow.ParseKernel(f[0])
	if !ok {
		p.t.Fatalf("kernel %s", f[0])
	}
	p.s.newWorld(func(w *flow.World) { w.Kernel = k })
}

func (p *player) hidden(f []string) {
	p.s.newWorld(func(w *flow.World) { w.Hidden = append([]string{}, strings.Join(f, " ")) })
}

// bonds shows what the screen knows of them.
func (p *player) bonds([]string) {
	f := p.s.m.Frame(p.s.now)
	for i := range f.Bonds {
		v := &f.Bonds[i]
		for _, d := range flow.Directions {
			text := v.Bond.Name + " " + d.String() + ":"
			for j := range v.Members {
				share := v.Members[j].Share[d][1]
				if !math.IsNaN(share) {
					text += " " + v.Bond.Members[j].Name + " " + Percent(share)
				}
			}
			p.say("%s, imbalance 2s %s 10s %s", text, twoDigits(v.Imbalance[d][0]), twoDigits(v.Imbalance[d][1]))
		}
	}
	for _, w := range f.Warnings {
		p.say("! %s", w)
	}
}

func twoDigits(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 2, 64)
}

// bondLines are those of incident.md.
func (p *player) bondLines(in *Incident) {
	for _, s := range mdBonds(in) {
		p.say("%s", s)
	}
	for i := range in.Bond {
		if why := in.Bond[i].HashUnknown; why != "" {
			p.say("  not predictable, because %s", why)
		}
	}
	for _, h := range in.Hidden {
		p.say("hidden: %s", h)
	}
}
