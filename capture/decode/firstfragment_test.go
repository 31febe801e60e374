package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"spiketop/flow"
)

// TestFirstFragments: with FirstFragments the first part of a large ping is an
// echo, its later parts are none, and the records are the same.
func TestFirstFragments(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		want *flow.Echo
	}{
		{"ip4 first", part4(1, 7, 0, true, icmp(8, 0, 1, 2, letters)), echo4(false, 1, 2, "abcdefghijklmnopqrstuvwx")},
		{"ip4 later", part4(1, 7, 1480, false, icmp(8, 0, 1, 2, letters)), nil},
		{"ip6 first", part6(58, 7, 0, true, icmp(129, 0, 1, 2, letters)), echo6(true, 1, 2, "abcdefghijklmnopqrstuvwx")},
		{"ip6 later", part6(58, 7, 1480, false, icmp(129, 0, 1, 2, letters)), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := Meta{At: 1e9, Dir: flow.Tx, Len: uint32(len(tt.data))}
			var rec, plain flow.Record
			var e flow.Echo
			var got *flow.Echo
			if New(Config{FirstFragments: true}).Decode(tt.data, &m, &rec, &e) {
				got = &e
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("echo (-want +got):\n%s", diff)
			}
			if New(Config{}).Decode(tt.data, &m, &plain, &e) || plain != rec {
				t.Errorf("without FirstFragments: %+v; with: %+v", plain, rec)
			}
		})
	}
}
