package quorum

// Hints makes the tokens to aim at. Contenders that aim at the same one need no
// second round; only speed depends on it. It is a plain value; its zero value
// has seen no token.
type Hints struct {
	seen uint64 // the highest token seen
}

// Note takes an event that one of the client's machines told.
func (h *Hints) Note(e Event) {
	switch e.Kind {
	case Won, Bootstrapped:
		h.seen = max(h.seen, e.Token)
	}
}

// Next is the hint of an attempt that begins when the client's wall clock shows
// wall, in Unix µs: that, or what follows the highest token seen where tokens
// have run ahead of the clock. A clock before 1970 counts as showing 0.
func (h Hints) Next(wall int64) uint64 { return max(uint64(max(wall, 0)), h.seen+1) }
