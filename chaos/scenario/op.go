package scenario

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Op is one turn of a worker: an acquire and, where it succeeds, the work that
// is done under the lock and the release. It is decided beforehand, so live
// workers and simulated ones do the same, and a shrinker can leave it out.
type Op struct {
	Key      string   `json:"key"`
	Do       Manner   `json:"do"`
	At       Duration `json:"at,omitempty"`       // it begins no sooner, so that leaving out those before it does not move it
	Within   Duration `json:"within"`             // how long the acquire may take; Cancel: when its caller gives up
	Hold     Duration `json:"hold"`               // how long the lease is held
	Rest     Duration `json:"rest"`               // the pause after it
	NoRenew  bool     `json:"no_renew,omitempty"` // no automatic renewal
	Extend   bool     `json:"extend,omitempty"`   // an explicit extension half-way
	Careless bool     `json:"careless,omitempty"` // waits until the lease has ended, for Late more, and writes all the same
	Late     Duration `json:"late,omitempty"`
	Seed     uint64   `json:"seed"` // what is random about its messages, in a simulation
}

// Manner is how an Op acquires.
type Manner string

// The manners.
const (
	Lock   Manner = "lock"   // waits for the lock
	Try    Manner = "try"    // makes one attempt
	Cancel Manner = "cancel" // the caller gives up in mid-air
)

// Turns deals out the operations of one worker, one after another. It is not
// safe for use by several goroutines at once.
type Turns struct {
	w    *Worker
	keys []Key
	ttl  time.Duration
	next int
	pcg  rand.PCG
	rand *rand.Rand
}

// Turns returns the operations of the i-th worker: those of its list, or, where
// it has none, as many as are asked for, drawn from its seed.
func (p *Plan) Turns(i int) *Turns {
	t := &Turns{w: &p.Workers[i], keys: p.Keys, ttl: p.TTL.D()}
	t.pcg.Seed(t.w.Seed, 1)
	t.rand = rand.New(&t.pcg)
	return t
}

// Next returns the next operation, and false after the last of a list.
func (t *Turns) Next() (Op, bool) {
	if t.w.Ops == nil {
		return t.draw(), true
	}
	if t.next == len(t.w.Ops) {
		return Op{}, false
	}
	t.next++
	return t.w.Ops[t.next-1], true
}

// draw draws every field, needed or not: so a changed probability leaves what
// else is drawn as it was.
func (t *Turns) draw() Op {
	w := t.w
	op := Op{Key: t.keys[t.rand.IntN(len(t.keys))].Name, Do: Lock, Within: w.LockTimeout, Seed: t.rand.Uint64()}
	op.Careless, op.NoRenew = t.chance(w.Careless), t.chance(w.NoRenew)
	cancelled, tried, after := t.chance(w.Cancel), t.chance(w.Try), t.band(w.CancelAfter)
	switch {
	case cancelled:
		op.Do, op.Within = Cancel, after
	case tried:
		op.Do = Try
	}
	op.Hold, op.Extend, op.Rest = t.length(), t.chance(w.Extend), t.band(w.Think)
	late := Duration(t.rand.Int64N(max(1, int64(t.ttl/4))))
	if op.Careless {
		// A renewed lease would not end by itself.
		op.NoRenew, op.Late = true, late
	}
	return op
}

func (t *Turns) chance(p float64) bool { return t.rand.Float64() < p }

func (t *Turns) band(b Band) Duration {
	return b.Min + Duration(t.rand.Int64N(int64(max(0, b.Max-b.Min))+1))
}

// length draws how long to hold, one band by weight first.
func (t *Turns) length() Duration {
	total := 0
	for _, b := range t.w.Holds {
		total += b.Weight
	}
	if total <= 0 {
		return 0
	}
	at := t.rand.IntN(total)
	for _, b := range t.w.Holds {
		if at -= b.Weight; at < 0 {
			return t.band(b)
		}
	}
	return 0
}

// Expand returns a copy of the plan in which every worker has a list of
// operations: its own, or the first n that would be drawn for it. A worker
// that comes to the end of its list stops.
func (p *Plan) Expand(n int) (*Plan, error) {
	if n < 0 || n > maxOps {
		return nil, &OptionError{Field: "operations", Value: fmt.Sprint(n), Reason: fmt.Sprintf("must be 0 to %d", maxOps)}
	}
	q := p.Clone()
	for i := range q.Workers {
		if q.Workers[i].Ops != nil {
			continue
		}
		ops, turns := make([]Op, n), p.Turns(i)
		for j := range ops {
			ops[j], _ = turns.Next()
		}
		q.Workers[i].Ops = ops
	}
	return q, nil
}

// maxOps bounds a worker's list.
const maxOps = 1_000_000
