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

// newDigest starts where no product is zero but by chance.
func newDigest() digest { return digest{0x243f6a8885a308d3, 0x13198a2e03707344} }

func (d *digest) add(x uint64) {
	hi, lo := bits.Mul64(d.a^x, 0xa0761d6478bd642f)
	d.a, d.b = hi^lo^d.b, bits.RotateLeft64(d.b, 23)+x*golden
}

func (d *digest) sum() [32]byte {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], d.a)
	binary.LittleEndian.PutUint64(b[8:], d.b)
	return sha256.Sum256(b[:])
}
