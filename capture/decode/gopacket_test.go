package decode

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/layers"

	"spiketop/flow"
)

// generated is how many packets are made; their fragments come on top.
const generated = 6000

// Every frame of generated traffic means the same to Decode and to gopacket.
func TestAgainstGopacket(t *testing.T) {
	g := &generator{t: t, rnd: rand.New(rand.NewPCG(1, 2))}
	ref := &reference{firsts: map[firstKey]flow.Key{}}
	d := New(Config{Fragments: maxFragments})
	seen := map[string]int{}
	var at flow.Time
	for n := range generated {
		for i, data := range g.frames() {
			at++
			m := Meta{At: at, Dir: flow.Directions[g.rnd.IntN(2)/(1+i)], Len: uint32(len(data))}
			want := ref.read(data, m.Dir)
			got := d.opinion(data, &m)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(opinion{})); diff != "" {
				t.Fatalf("packet %d, frame %d, %v: (-gopacket +decode):\n%s% x", n, i, m.Dir, diff, data)
			}
			seen[kind(&want)]++
			checkFlags(t, data, &m)
		}
	}
	s := d.Stats()
	if s.Malformed+s.Truncated+s.FragmentsEvicted != 0 {
		t.Errorf("sound traffic counted as odd: %+v", s)
	}
	// The comparison is worth something only if every kind was there.
	for _, k := range []string{"0/0", "4/1", "4/1 echo", "4/6", "4/17", "4/50", "4/132", "6/58", "6/58 echo", "6/6", "6/17", "6/50", "6/132", "vlan", "neighbourhood 130", "neighbourhood 135"} {
		if seen[k] < 20 {
			t.Errorf("only %d frames of kind %s in %v", seen[k], k, seen)
		}
	}
	if s.Fragments < 500 || s.FragmentsUnknown < 50 {
		t.Errorf("too few fragments: %+v", s)
	}
}

func kind(o *opinion) string {
	k := fmt.Sprintf("%d/%d", o.key.Family, o.key.Proto)
	if n := o.key.Neighbourhood(); n != 0 {
		return fmt.Sprint("neighbourhood ", n)
	}
	if o.key.VLAN != 0 {
		return "vlan"
	}
	if o.echo != nil {
		k += " echo"
	}
	return k
}

// opinion is what d says about data, in the form of gopacket's opinion. What
// Decode could not read it does not tell; sound frames have it all.
func (d *Decoder) opinion(data []byte, m *Meta) opinion {
	var rec flow.Record
	var echo flow.Echo
	o := opinion{}
	if d.Decode(data, m, &rec, &echo) {
		o.echo = &flow.Echo{Reply: echo.Reply, ID: echo.ID, Seq: echo.Seq, Payload: echo.Payload, PayloadN: echo.PayloadN}
		if echo.Tunnel { // else they are those of the key
			o.echo.Tunnel, o.echo.Family, o.echo.VLAN, o.echo.Src, o.echo.Dst = true, echo.Family, echo.VLAN, echo.Src, echo.Dst
		}
	}
	o.key = rec.Key
	if m.Dir == flow.Rx {
		o.key = swapped(o.key)
	}
	o.network = o.key.Family != flow.FamilyMAC
	o.upper = o.network
	return o
}

// checkFlags compares the TCP flags of an unfragmented segment.
func checkFlags(t *testing.T, data []byte, m *Meta) {
	t.Helper()
	tcp, ok := transportOf(data).(*layers.TCP)
	if !ok {
		return
	}
	var want uint8
	for i, set := range []bool{tcp.FIN, tcp.SYN, tcp.RST, tcp.PSH, tcp.ACK, tcp.URG, tcp.ECE, tcp.CWR} {
		if set {
			want |= 1 << i
		}
	}
	var rec flow.Record
	if New(Config{Fragments: 4}).Decode(data, m, &rec, new(flow.Echo)); rec.TCPFlags != want {
		t.Errorf("flags %#x, want %#x", rec.TCPFlags, want)
	}
}

// Frames cut at every length: what gopacket still reads Decode reads too; what
// only Decode reads (ports of a header that is not whole) is what the whole
// frame says.
func TestTruncatedAgainstGopacket(t *testing.T) {
	g := &generator{t: t, rnd: rand.New(rand.NewPCG(3, 4))}
	for n := range 600 {
		for _, data := range g.frames() {
			m := Meta{Dir: flow.Directions[g.rnd.IntN(2)], Len: uint32(len(data))}
			whole := New(Config{Fragments: 4}).opinion(data, &m)
			for cut := range len(data) {
				ref := &reference{firsts: map[firstKey]flow.Key{}}
				want := ref.read(data[:cut], m.Dir)
				got := New(Config{Fragments: 4}).opinion(data[:cut], &m)
				if err := truncatedAgrees(want, got, whole, cut); err != nil {
					t.Fatalf("packet %d cut to %d of %d bytes: %v\n% x", n, cut, len(data), err, data)
				}
			}
		}
	}
}

func truncatedAgrees(want, got, whole opinion, cut int) error {
	switch {
	case want.network != got.network:
		return fmt.Errorf("gopacket has a network layer: %v, decode: %v", want.network, got.network)
	case cut >= 14 && want.key.VLAN != got.key.VLAN:
		return fmt.Errorf("VLAN %d, gopacket says %d", got.key.VLAN, want.key.VLAN)
	case want.key.Local != got.key.Local || want.key.Remote != got.key.Remote:
		return fmt.Errorf("addresses (-gopacket +decode):\n%s", cmp.Diff(want.key, got.key))
	case !cmp.Equal(want.echo, got.echo):
		return fmt.Errorf("echo (-gopacket +decode):\n%s", cmp.Diff(want.echo, got.echo))
	case !want.network:
		if cut >= 14 && want.key.LocalPort != got.key.LocalPort {
			return fmt.Errorf("ethertype %#x, gopacket says %#x", got.key.LocalPort, want.key.LocalPort)
		}
		return nil
	case want.upper:
		if want.key != got.key {
			return fmt.Errorf("key (-gopacket +decode):\n%s", cmp.Diff(want.key, got.key))
		}
		return nil
	}
	if got.key.Proto != want.key.Proto && got.key.Proto != whole.key.Proto {
		return fmt.Errorf("protocol %d, gopacket says %d, the whole frame %d", got.key.Proto, want.key.Proto, whole.key.Proto)
	}
	ports := [2]uint16{got.key.LocalPort, got.key.RemotePort}
	if ports != [2]uint16{} && ports != [2]uint16{whole.key.LocalPort, whole.key.RemotePort} {
		return fmt.Errorf("ports %v, the whole frame has %d, %d", ports, whole.key.LocalPort, whole.key.RemotePort)
	}
	return nil
}
