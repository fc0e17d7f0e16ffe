package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// digest is a running hash of all that happens: fast, and as good as it must be
// to tell two runs apart. It is no protection against somebody who wants two
// runs to look alike.
type digest struct{ a, b uint64 }

func (d *digest) add(x uint64) {
	hi, lo := bits.Mul64(d.a^x, 0xa0761d6478bd642f)
	d.a, d.b = hi^lo^d.b, bits.RotateLeft64(d.b, 23)+x*golden
}

func (d *digest) text(s string) {
	d.add(uint64(len(s)))
	for len(s) >= 8 {
		d.add(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
		s = s[8:]
	}
	var x uint64
	for i := range len(s) {
		x |= uint64(s[i]) << (8 * i)
	}
	d.add(x)
}

func (d *digest) sum() [32]byte {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], d.a)
	binary.LittleEndian.PutUint64(b[8:], d.b)
	return sha256.Sum256(b[:])
}
