package offline

import (
	"cmp"
	"slices"

	"spiketop/capture/decode"
	"spiketop/flow"
)

// findPings looks for echoes that leave.
func (c *Capture) findPings() {
	p := c.play(true)
	defer p.Close()
	type key struct {
		src, dst [16]byte
		id       uint16
	}
	byKey := map[key]*Ping{}
	dec := decode.New(decode.Config{})
	var pk Packet
	var rec flow.Record
	var echo flow.Echo
	for n := 0; ; n++ {
		if n == pingPackets {
			break
		}
		if err := p.Next(&pk); err != nil {
			c.AllPings = !c.Streams()
			break
		}
		m := decode.Meta{Dir: pk.Dir, Len: pk.Len}
		if !dec.DecodeLink(pk.LinkType, pk.Data, &m, &rec, &echo) || echo.Reply || echo.Tunnel {
			continue
		}
		k := key{echo.Src, echo.Dst, echo.ID}
		l := &c.Links[pk.Link]
		if !l.VIF && pk.Dir != flow.Tx {
			continue
		}
		g := byKey[k]
		if g == nil {
			if len(byKey) >= maxEnds {
				continue
			}
			g = &Ping{Family: echo.Family, Src: echo.Src, Dst: echo.Dst, ID: echo.ID, first: pk.At}
			byKey[k] = g
		}
		if l.VIF {
			g.VIF = true
			continue
		}
		g.Requests++
		g.last = pk.At
	}
	for _, g := range byKey {
		c.Pings = append(c.Pings, *g)
	}
	slices.SortFunc(c.Pings, func(a, b Ping) int {
		return cmp.Or(-cmp.Compare(a.Requests, b.Requests), cmp.Compare(a.first, b.first), bytes16(a.Src, b.Src), bytes16(a.Dst, b.Dst), cmp.Compare(a.ID, b.ID))
	})
}
