package render

import (
	"math"
	"testing"

	"spiketop/flow"
	"spiketop/incident"
)

// TestFrozenRowsKeepApart: what differs only by its VLAN or its ethertype is two
// rows, and each says which it is.
func TestFrozenRowsKeepApart(t *testing.T) {
	f := func(proto, local, remote string, vlan uint16, bps float64) incident.FlowRow {
		return incident.FlowRow{Link: "eth0", Class: "unknown", Proto: proto, Local: local, Remote: remote, VLAN: vlan, Bps: bps}
	}
	const bcast, mac = "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:09"
	in := &incident.Incident{}
	in.Flows.Rx = []incident.FlowRow{
		f("udp", "10.9.0.1:6", "10.9.0.2:5", 7, 500), f("udp", "10.9.0.1:6", "10.9.0.2:5", 8, 400),
		f("arp", bcast, mac, 0, 300), f("0x1234", bcast, mac, 7, 200), f("tcp", "10.9.0.1:6", "10.9.0.2:5", 0, 100),
	}
	rows, _ := frozenRows(in, "eth0", &View{LocalPorts: true, RemotePorts: true})
	want := []string{"udp v7", "udp v8", "arp", "0x1234 v7", ""}
	if rows.len() != len(want) {
		t.Fatalf("%d rows, want %d", rows.len(), len(want))
	}
	for i, w := range want {
		if got := rows.at(i).kind(); got != w {
			t.Errorf("row %d is %q, want %q", i, got, w)
		}
	}
}

// TestWholeChange: the change of both directions together is not known when that
// of a direction that carried something is not.
func TestWholeChange(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		rx, tx [3]float64
		want   float64
	}{
		{"both known", [3]float64{50, 20, 30}, [3]float64{5, 6, -1}, 29}, // 30 - 1
		{"no baseline in, nothing out", [3]float64{50, nan, nan}, [3]float64{0, 0, 0}, nan},
		{"no baseline out, where nothing went", [3]float64{50, 20, 30}, [3]float64{0, nan, nan}, 30},
	} {
		r := row{rate: [2][3]float64{flow.Rx: c.rx, flow.Tx: c.tx}}
		if got := (&View{}).wholeChange(&r); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
