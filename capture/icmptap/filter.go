package icmptap

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// SnapLen is what the socket keeps of a frame, in bytes, and the most that a
// Recorder gets: 24 payload bytes behind Ethernet, two tags, 60 bytes of IPv4 and
// the ICMP header are 114.
const SnapLen = 128

// Filter says in the language of libpcap what a tap lets through, for people who
// read a capture of it; tags before the IP header are looked behind, too.
const Filter = "icmp[0] = 8 or icmp[0] = 0 or icmp6[0] = 128 or icmp6[0] = 129"

// step is an instruction of the filter; name is where others jump to.
type step struct {
	name      string
	ins       bpf.Instruction
	then      string // of a JumpIf that holds: where to go on; "" = the next one
	otherwise string
}

func is(v uint32, then string) step {
	return step{ins: bpf.JumpIf{Cond: bpf.JumpEqual, Val: v}, then: then}
}

func only(v uint32) step {
	return step{ins: bpf.JumpIf{Cond: bpf.JumpEqual, Val: v}, otherwise: "drop"}
}

// echoSteps accept what may be an echo request or reply over IPv4 or IPv6, with
// up to two tags in the frame (the kernel takes the outermost out of most
// frames). X is the length of the tags, so that all loads add it. Later
// fragments begin with no ICMP header. In IPv6 only a hop-by-hop header may
// stand in between. A load behind the end of the frame drops it.
var echoSteps = []step{
	{ins: bpf.LoadConstant{Dst: bpf.RegX, Val: 0}},
	{ins: bpf.LoadAbsolute{Off: 12, Size: 2}},
	is(unix.ETH_P_IP, "v4"), is(unix.ETH_P_IPV6, "v6"),
	is(unix.ETH_P_8021Q, "tag"), is(unix.ETH_P_8021AD, "tag"), only(unix.ETH_P_QINQ1),

	{name: "tag", ins: bpf.LoadConstant{Dst: bpf.RegX, Val: 4}},
	{ins: bpf.LoadAbsolute{Off: 16, Size: 2}},
	is(unix.ETH_P_IP, "v4"), is(unix.ETH_P_IPV6, "v6"),
	is(unix.ETH_P_8021Q, "second tag"), is(unix.ETH_P_8021AD, "second tag"), only(unix.ETH_P_QINQ1),

	{name: "second tag", ins: bpf.LoadConstant{Dst: bpf.RegX, Val: 8}},
	{ins: bpf.LoadAbsolute{Off: 20, Size: 2}},
	is(unix.ETH_P_IP, "v4"), is(unix.ETH_P_IPV6, "v6"),
	{ins: bpf.Jump{}, then: "drop"},

	{name: "v4", ins: bpf.LoadIndirect{Off: 14 + 9, Size: 1}},
	only(unix.IPPROTO_ICMP),
	{ins: bpf.LoadIndirect{Off: 14 + 6, Size: 2}},
	{ins: bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff}, then: "drop"}, // a later fragment
	{ins: bpf.LoadIndirect{Off: 14, Size: 1}},
	{ins: bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 15}},
	{ins: bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2}},
	{ins: bpf.ALUOpX{Op: bpf.ALUOpAdd}},
	{ins: bpf.TAX{}},
	{ins: bpf.LoadIndirect{Off: 14, Size: 1}},
	is(8, "accept"), is(0, "accept"),
	{ins: bpf.Jump{}, then: "drop"},

	{name: "v6", ins: bpf.LoadIndirect{Off: 14 + 6, Size: 1}},
	is(unix.IPPROTO_ICMPV6, "v6 icmp"), only(unix.IPPROTO_HOPOPTS),
	{ins: bpf.LoadIndirect{Off: 14 + 40, Size: 1}},
	only(unix.IPPROTO_ICMPV6),
	{ins: bpf.LoadIndirect{Off: 14 + 41, Size: 1}}, // length in units of 8 bytes, less one
	{ins: bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 1}},
	{ins: bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 3}},
	{ins: bpf.ALUOpX{Op: bpf.ALUOpAdd}},
	{ins: bpf.TAX{}},
	{name: "v6 icmp", ins: bpf.LoadIndirect{Off: 14 + 40, Size: 1}},
	is(128, "accept"), only(129),

	{name: "accept", ins: bpf.RetConstant{Val: SnapLen}},
	{name: "drop", ins: bpf.RetConstant{Val: 0}},
}

// link turns names into distances.
func link(steps []step) ([]bpf.Instruction, error) {
	at := map[string]int{}
	for i, s := range steps {
		if s.name != "" {
			at[s.name] = i
		}
	}
	out := make([]bpf.Instruction, len(steps))
	for i, s := range steps {
		distance := func(name string) (n int, err error) {
			if name == "" {
				return 0, nil
			}
			to, ok := at[name]
			if n = to - i - 1; !ok || n < 0 || n > 255 {
				return 0, fmt.Errorf("filter: step %d cannot jump to %q", i, name)
			}
			return n, nil
		}
		then, err := distance(s.then)
		if err != nil {
			return nil, err
		}
		otherwise, err := distance(s.otherwise)
		if err != nil {
			return nil, err
		}
		switch ins := s.ins.(type) {
		case bpf.JumpIf:
			ins.SkipTrue, ins.SkipFalse = uint8(then), uint8(otherwise)
			out[i] = ins
		case bpf.Jump:
			ins.Skip = uint32(then)
			out[i] = ins
		default:
			out[i] = ins
		}
	}
	return out, nil
}

// echoFilter returns the filter as the kernel wants it.
func echoFilter() ([]unix.SockFilter, error) {
	ins, err := link(echoSteps)
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(ins)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	out := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		out[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return out, nil
}
