package linearizability

import (
	"context"
	"fmt"

	"github.com/anishathalye/porcupine"
)

// fenced is the state of a fenced mutex. Readers share it; without any it is
// the plain one.
type fenced struct {
	owner   string // the client that holds it alone, or ""
	readers int
	fence   Token // the highest so far
}

// step returns the state after in, and whether in is legal.
func (s fenced) step(in *fencedOp) (fenced, bool) {
	if in.do != stepFree && in.token != 0 && in.token <= s.fence {
		return s, false
	}
	s.fence = max(s.fence, in.token)
	switch {
	case in.do == stepFence:
		return s, true
	case in.do == stepTake && in.reader:
		s.readers++
		return s, s.owner == ""
	case in.do == stepTake:
		free := s.owner == "" && s.readers == 0
		s.owner = in.client
		return s, free
	case in.reader:
		s.readers--
		return s, s.readers >= 0
	}
	held := s.owner == in.client
	s.owner = ""
	return s, held
}

// obstacle says why in is not legal, or "" if it is.
func (s fenced) obstacle(in *fencedOp) string {
	if _, ok := s.step(in); ok {
		return ""
	}
	switch {
	case in.do != stepFree && in.token != 0 && in.token <= s.fence:
		return fmt.Sprintf("token %v is not above %v", in.token, s.fence)
	case in.do == stepFree && in.reader:
		return "no reader holds the lock"
	case in.do == stepFree:
		return plain(in.client) + " does not hold the lock"
	case s.owner != "":
		return plain(s.owner) + " holds the lock"
	}
	return "the lock is held by " + plural(s.readers, "reader")
}

// fencedModel returns the model of a fenced mutex with this fence, held by
// nobody. With maybe, operations may not have happened.
func fencedModel(fence Token, maybe bool) porcupine.Model {
	initial := fenced{fence: fence}
	if maybe {
		nondeterministic := porcupine.NondeterministicModel{
			Init: func() []any { return []any{initial} },
			Step: func(state, input, _ any) []any {
				s, in := state.(fenced), input.(*fencedOp)
				var states []any
				if next, ok := s.step(in); ok {
					states = append(states, next)
				}
				if in.maybe {
					states = append(states, s)
				}
				return states
			},
			DescribeOperation:         describeOperation,
			DescribeOperationMetadata: describeMetadata,
			DescribeState:             describeState,
		}
		return nondeterministic.ToModel()
	}
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, input, _ any) (bool, any) {
			next, ok := state.(fenced).step(input.(*fencedOp))
			return ok, next
		},
		DescribeOperation:         describeOperation,
		DescribeOperationMetadata: describeMetadata,
		DescribeState:             describeState,
	}
}

// budget stops a search that takes too much memory, or whose context is done.
// Porcupine keeps a state and a bit for each operation at every step that it
// takes, and knows no other limit than time.
type budget struct {
	ctx   context.Context
	step  int64  // bytes that a step keeps
	left  int64  // bytes
	asked int    // how often whether a step is legal
	spent string // why the search must end, or ""
}

// searchMemory bounds what one search may keep, in bytes.
const searchMemory = 256 << 20

func newBudget(ctx context.Context, operations int) *budget {
	return &budget{ctx: ctx, step: int64(operations/8) + 160, left: searchMemory}
}

// watch returns the model with the budget. Once that is spent no step is
// legal, so that porcupine soon ends, and what it returns means nothing.
//
// Porcupine runs the steps of one search on one goroutine, and has ended it
// when it returns without having run into its time limit.
func (b *budget) watch(m porcupine.Model) porcupine.Model {
	inner := m.StepContext
	if inner == nil {
		inner = func(_ context.Context, state, input, output any) (bool, any) { return m.Step(state, input, output) }
	}
	m.StepContext = func(ctx context.Context, state, input, output any) (bool, any) {
		if b.spent != "" {
			return false, state
		}
		b.asked++
		if b.ctx.Err() != nil {
			b.spent = "it was told to stop"
			return false, state
		}
		ok, next := inner(ctx, state, input, output)
		if ok {
			if b.left -= b.step; b.left < 0 {
				b.spent = "its memory limit was reached"
				return false, state
			}
		}
		return ok, next
	}
	return m
}
