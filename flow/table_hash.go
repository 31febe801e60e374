package flow

import (
	"encoding/binary"
	"math/bits"
)

// hashSecret is the key of the table's hash. Everything that is hashed is
// chosen by whoever sends packets: without the key nobody can find flows that
// collide.
type hashSecret [8]uint64

// newHashSecret spreads a seed with splitmix64 (Steele, Lea, Flood 2014).
func newHashSecret(seed uint64) (s hashSecret) {
	for i := range s {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		s[i] = z ^ z>>31
	}
	return s
}

// hash is NH (Black et al., UMAC, CRYPTO 1999) on the five words of a key: two
// different keys get the same 128 bits with a chance of 2^-64 over the secrets,
// whatever the keys are. The last multiplication folds them into 64 bits.
func (s *hashSecret) hash(k *Key) uint64 {
	h1, l1 := bits.Mul64(word(&k.Local, 0)+s[0], word(&k.Local, 8)+s[1])
	h2, l2 := bits.Mul64(word(&k.Remote, 0)+s[2], word(&k.Remote, 8)+s[3])
	h3, l3 := bits.Mul64(k.rest()+s[4], s[5])
	lo, c := bits.Add64(l1, l2, 0)
	hi, _ := bits.Add64(h1, h2, c)
	lo, c = bits.Add64(lo, l3, 0)
	hi, _ = bits.Add64(hi, h3, c)
	h, l := bits.Mul64(lo+s[6], hi+s[7])
	return h ^ l
}

// equal reports whether a and b are the same key. Comparing words is half the
// price of the call that == compiles to for 40 bytes (BenchmarkTable).
func equal(a, b *Key) bool {
	x := word(&a.Local, 0) ^ word(&b.Local, 0) | word(&a.Local, 8) ^ word(&b.Local, 8)
	y := word(&a.Remote, 0) ^ word(&b.Remote, 0) | word(&a.Remote, 8) ^ word(&b.Remote, 8)
	return x|y == 0 && a.rest() == b.rest()
}

func word(b *[16]byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }

// rest returns what a key has besides its addresses.
func (k *Key) rest() uint64 {
	return uint64(k.LocalPort) | uint64(k.RemotePort)<<16 | uint64(k.VLAN)<<32 |
		uint64(k.Proto)<<48 | uint64(k.Family)<<56
}
