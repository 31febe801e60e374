package link

import (
	"testing"

	"spiketop/flow"
)

// What looking at this host costs. It grows with the number of its devices, so
// compare runs on one host only.

func BenchmarkSampler(b *testing.B) {
	s, err := NewSampler(DefaultRoots())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	s.SetLinks([]flow.Link{{ID: 1, Name: "lo", Ifindex: 1}}, &State{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Read(0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLook(b *testing.B) {
	n, err := Open()
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readDevices(DefaultRoots(), n, all); err != nil {
			b.Fatal(err)
		}
	}
}
