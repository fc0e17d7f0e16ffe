package sim

import "time"

// stream is a source of random numbers without state: the n-th number of a
// stream is a hash of both. Whatever is random about one thing, a message or an
// operation, is drawn from a stream of its own, named by what the thing is. So
// when a plan loses an operation or a fault, what is left is drawn as before.
type stream uint64

// mix is the finalizer of splitmix64: a bijection whose output bits all depend
// on all input bits.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// golden is 2^64 divided by the golden ratio; consecutive multiples of it are
// far apart.
const golden = 0x9e3779b97f4a7c15

// at returns the n-th number of the stream.
func (s stream) at(n uint64) uint64 { return mix(uint64(s) + (n+1)*golden) }

// sub returns the stream of a part of what s is the stream of.
func (s stream) sub(label uint64) stream { return stream(mix(uint64(s) ^ mix(label+golden))) }

// named is sub for a part that has a name.
func (s stream) named(name string) stream {
	h := uint64(len(name))
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return s.sub(h)
}

// within maps a random number to low…high, both included.
func within(x uint64, low, high time.Duration) int64 {
	if high <= low {
		return int64(low)
	}
	return int64(low) + int64(x%uint64(high-low+1))
}

// chance maps a random number to true with probability p.
func chance(x uint64, p float64) bool { return float64(x>>11)/(1<<53) < p }
