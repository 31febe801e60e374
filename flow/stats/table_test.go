package stats

import "testing"

// TestHashOfChosenAddresses: no address, the mixing constants among them, makes the
// other fields of the key lose their part in the hash.
func TestHashOfChosenAddresses(t *testing.T) {
	const many = 10_000
	for _, c := range []uint64{0, 1, 1<<64 - 1, 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93, 0xa0761d6478bd642f} {
		for name, make := range map[string]func(n uint64) key{
			"high.Lo": func(n uint64) key { return key{low: Addr{Hi: 1, Lo: n}, high: Addr{Hi: 1, Lo: c}} },
			"low.Lo":  func(n uint64) key { return key{low: Addr{Hi: 1, Lo: c}, high: Addr{Hi: 1, Lo: n}} },
			"high.Hi": func(n uint64) key { return key{low: Addr{Hi: n, Lo: 5}, high: Addr{Hi: c, Lo: 7}} },
			"low.Hi":  func(n uint64) key { return key{low: Addr{Hi: c, Lo: 5}, high: Addr{Hi: n, Lo: 7}} },
		} {
			hashes := map[uint64]bool{}
			for n := range uint64(many) {
				k := make(n)
				hashes[k.hash(0x243f6a8885a308d3)] = true
			}
			if len(hashes) < many-2 {
				t.Errorf("%s %#x: %d hashes of %d keys", name, c, len(hashes), many)
			}
		}
	}
}
