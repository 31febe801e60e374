package stats

import (
	"cmp"
	"net/netip"
	"slices"
)

type servicePlace struct {
	to    Addr
	proto uint8 // 0 = none with ports
	port  uint16
}

// reportTrees makes Wireshark's two IPv4 statistics from the flows. As there, an
// ICMP error is counted under the port of the packet that it quotes.
func (c *Collector) reportTrees(r *Report) {
	from, to := map[Addr]uint64{}, map[Addr]uint64{}
	services := map[servicePlace]uint64{}
	total := uint64(0)
	for i := range uint32(c.flows.n) {
		e := c.flows.at(i)
		if !e.v4 {
			continue
		}
		for d, n := range e.n {
			if n.Packets == 0 {
				continue
			}
			src, dst, port := e.low, e.high, e.highPort
			if d == 1 {
				src, dst, port = e.high, e.low, e.lowPort
			}
			total += n.Packets
			from[src] += n.Packets
			to[dst] += n.Packets
			s := servicePlace{to: dst}
			if transport(e.proto) != noPorts {
				s.proto, s.port = e.proto, port
			}
			services[s] += n.Packets
		}
	}
	for s, n := range c.quoted {
		services[s] += n
		none := servicePlace{to: s.to}
		if services[none] -= n; services[none] == 0 {
			delete(services, none)
		}
	}
	r.Addresses = append(addresses(SourceTopic, from, total), addresses(DestinationTopic, to, total)...)
	r.Services = serviceLines(services)
}

// addresses orders a tree as Wireshark's statistics are read: the most first.
func addresses(topic string, n map[Addr]uint64, total uint64) []Address {
	out := make([]Address, 0, len(n))
	for a, k := range n {
		out = append(out, Address{topic, a.netip(true), k, percent(k, total)})
	}
	slices.SortFunc(out, func(a, b Address) int { return cmp.Or(cmp.Compare(b.Count, a.Count), a.Item.Compare(b.Item)) })
	return out
}

func serviceLines(n map[servicePlace]uint64) []Service {
	type group struct {
		to    Addr
		proto uint8
	}
	all, of := map[Addr]uint64{}, map[group]uint64{}
	for s, k := range n {
		all[s.to] += k
		of[group{s.to, s.proto}] += k
	}
	out := make([]Service, 0, len(n))
	weight := make(map[netip.Addr]uint64, len(all))
	for s, k := range n {
		a := s.to.netip(true)
		weight[a] = all[s.to]
		out = append(out, Service{a, transport(s.proto), s.port, k, percent(k, of[group{s.to, s.proto}])})
	}
	slices.SortFunc(out, func(a, b Service) int {
		return cmp.Or(cmp.Compare(weight[b.Address], weight[a.Address]), a.Address.Compare(b.Address),
			cmp.Compare(b.Count, a.Count), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
	})
	return out
}

// noPorts stands for all protocols that Wireshark has no ports of.
const noPorts = "NONE"

func transport(proto uint8) string {
	switch proto {
	case ProtoTCP:
		return "TCP"
	case ProtoUDP:
		return "UDP"
	case ProtoSCTP:
		return "SCTP"
	case ProtoDCCP:
		return "DCCP"
	}
	return noPorts
}

func percent(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) * 100 / float64(of)
}
