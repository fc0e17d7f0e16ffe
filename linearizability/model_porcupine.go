package linearizability

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// porcupineModel returns the machine as porcupine's model. With maybe, steps may
// not have happened, which porcupine knows only as a choice of states.
func porcupineModel(m machine, maybe bool) porcupine.Model {
	if !maybe {
		return porcupine.Model{
			Init: func() any { return lockState{} },
			Step: func(state, input, _ any) (bool, any) {
				next, why := m.step(state.(lockState), input.(*window).step)
				return why == legal, next
			},
		}
	}
	nondeterministic := porcupine.NondeterministicModel{
		Init: func() []any { return []any{lockState{}} },
		Step: func(state, input, _ any) []any {
			w := input.(*window)
			var states []any
			if next, why := m.step(state.(lockState), w.step); why == legal {
				states = append(states, next)
			}
			if w.maybe {
				states = append(states, state)
			}
			return states
		},
	}
	return nondeterministic.ToModel()
}

// porcupine has porcupine judge the steps of one key.
func (j *judging) porcupine(windows []window) (Outcome, string) {
	deadline, _ := j.ctx.Deadline()
	left := time.Until(deadline)
	if j.ctx.Err() != nil || left <= 0 {
		return Unknown, "its time limit was reached"
	}
	maybe := slices.ContainsFunc(windows, func(w window) bool { return w.maybe })
	ops := make([]porcupine.Operation, len(windows))
	for i := range windows {
		w := &windows[i]
		ops[i] = porcupine.Operation{ClientId: int(w.client), Input: w, Call: w.from, Return: w.to}
	}
	b := newBudget(j.ctx, len(ops))
	b.left = int64(j.opts.Memory)
	switch porcupine.CheckOperationsTimeout(b.watch(porcupineModel(j.m, maybe)), ops, left) {
	case porcupine.Ok:
		return Valid, "there is a legal order"
	case porcupine.Illegal:
		if b.spent != "" {
			return Unknown, b.spent
		}
		return Invalid, fmt.Sprintf("no order of %s is legal", plural(len(ops), "step"))
	}
	return Unknown, "its time limit was reached"
}
