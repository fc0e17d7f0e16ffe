package linearizability

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// segment is a part of a key's history that can be judged by itself.
type segment struct {
	ops   []porcupine.Operation
	fence Token // the highest before it
}

// segmentSize is the number of operations from which on a history is cut:
// porcupine keeps a bit for each of them at every step.
const segmentSize = 2048

// segments cuts the history at points where nobody holds the lock and what
// comes before and after is plain.
//
// Let the claim of a writer g end at a point x; let P be the operations that
// returned by then, each of which takes effect by x, and R the rest. The
// history is cut at x if every operation of R that was invoked before x takes
// the lock. Then the whole is legal exactly if P is, and R is from the state in
// which nobody holds the lock and the fence is the highest of P's:
//
// P is the beginning of every legal order of the whole if R takes effect after
// x. An operation of R that was invoked after x does. One that takes the lock
// for a hold h and returned after x does as well: g had returned before x, and
// its hold lasted to x; had h taken effect before x, then either inside that
// hold, or before it, and then its own, which lasts beyond its return, would
// contain the point at which g took effect. (Another claim that ends at x
// overlaps g's, so that P is not legal, whether or not its end is in P.) And
// every legal order of P ends with g's hold, which leaves the lock free, and
// has raised the fence to its highest token, since a fence only rises.
//
// Nothing is cut where holds end by releases: they have no such points.
func (t *fencedTask) segments(size int) []segment {
	if !t.claims {
		return []segment{{ops: t.ops}}
	}
	cutAt := t.cuts()
	var list []segment
	from, fence := 0, Token(0)
	for i := range t.ops {
		if i+1-from >= size && cutAt[i] {
			list = append(list, segment{t.ops[from : i+1], fence})
			from, fence = i+1, t.ops[i].Input.(*fencedOp).last
		}
	}
	return append(list, segment{t.ops[from:], fence})
}

// cuts tells for each operation, in the order of their returns, whether the
// history can be cut after it.
func (t *fencedTask) cuts() []bool {
	cut := make([]bool, len(t.ops))
	// soonest is the first invocation of a fence alone among those that returned later.
	soonest := int64(1) << 62
	blocked := make([]bool, len(t.ops))
	for i, op := range slices.Backward(t.ops) {
		blocked[i] = soonest < op.Return
		if op.Input.(*fencedOp).do == stepFence {
			soonest = min(soonest, op.Call)
		}
	}
	for i, op := range t.ops {
		in := op.Input.(*fencedOp)
		cut[i] = in.do == stepFree && !in.reader && !blocked[i]
	}
	return cut
}

// found is what a search came to.
type found struct {
	outcome  Outcome
	segments int
	offender segment // that was illegal, or undecided
	reason   string  // where undecided
}

// search has porcupine judge the key, for no longer than limit.
func (t *fencedTask) search(ctx context.Context, limit time.Duration) found {
	deadline := time.Now().Add(limit)
	segments := t.segments(segmentSize)
	f := found{outcome: Valid, segments: len(segments)}
	for _, s := range segments {
		if t.readers {
			return found{Unknown, len(segments), s, "the model of releases has no readers"}
		}
		left := time.Until(deadline)
		if left <= 0 {
			return found{Unknown, len(segments), s, fmt.Sprintf("its time limit of %v was reached", limit)}
		}
		b := newBudget(ctx, len(s.ops))
		switch porcupine.CheckOperationsTimeout(b.watch(t.model(s)), s.ops, left) {
		case porcupine.Ok:
		case porcupine.Illegal:
			if b.spent != "" {
				return found{Unknown, len(segments), s, b.spent}
			}
			return found{outcome: Invalid, segments: len(segments), offender: s}
		default:
			return found{Unknown, len(segments), s, fmt.Sprintf("its time limit of %v was reached", limit)}
		}
	}
	return f
}

// model returns the model that the segment begins in.
func (t *fencedTask) model(s segment) porcupine.Model { return fencedModel(s.fence, !t.claims) }
