package linearizability

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// argueLimit is how long porcupine may search again for what to show. It only
// adds to an argument, and decides nothing.
const argueLimit = 2 * time.Second

// argue puts what porcupine found into words. A key that it convicts, or that
// we do, gets a drawing too.
func (t *fencedTask) argue(ctx context.Context, f found, oursInvalid bool, left time.Duration) (Argument, *drawing) {
	switch {
	case f.outcome == Unknown:
		return Argument{Outcome: Unknown, Reason: fmt.Sprintf("%s; undecided: %s in %s", f.reason, plural(len(f.offender.ops), "operation"), t.part(f))}, nil
	case f.outcome == Valid && !oursInvalid:
		return Argument{Outcome: Valid, Reason: plural(len(t.ops), "operation") + ", which can be put in a legal order"}, nil
	}
	s := f.offender
	if f.outcome == Valid {
		s = segment{ops: t.ops}
	}
	d := &drawing{key: t.key, model: t.model(s)}
	b := newBudget(ctx, len(s.ops))
	// Whatever is left of the run's limit; but something, for what was convicted
	// at the last moment needs an argument as well.
	_, d.info = porcupine.CheckOperationsVerbose(b.watch(t.model(s)), s.ops, min(max(left, argueLimit/10), argueLimit))
	order := longest(&d.info)
	if f.outcome == Valid {
		return Argument{Outcome: Valid, Reason: fmt.Sprintf("%s, in a legal order: %s", plural(len(t.ops), "operation"), told(s.ops, order, 12))}, d
	}
	return t.conviction(s, order, t.part(f)), d
}

// part says which part of the key's history a segment is.
func (t *fencedTask) part(f found) string {
	if f.segments == 1 || len(f.offender.ops) == 0 {
		return "the key's whole history"
	}
	first, last := f.offender.ops[0].Input.(*fencedOp), f.offender.ops[len(f.offender.ops)-1].Input.(*fencedOp)
	return fmt.Sprintf("the part from index %d to %d, one of %d", first.line, last.until, f.segments)
}

// longest returns the longest order that porcupine found, of several the one
// with the first operations.
func longest(info *porcupine.LinearizationInfo) []int {
	var best []int
	for _, partition := range info.PartialLinearizations() {
		for _, order := range partition {
			if len(order) > len(best) || len(order) == len(best) && slices.Compare(order, best) < 0 {
				best = order
			}
		}
	}
	return best
}

// told lists the last operations of an order.
func told(ops []porcupine.Operation, order []int, most int) string {
	var words []string
	for _, id := range order[max(0, len(order)-most):] {
		words = append(words, ops[id].Input.(*fencedOp).String())
	}
	if len(order) > most {
		words = append([]string{"…"}, words...)
	}
	return strings.Join(words, ", then ")
}

// conviction tells how far porcupine came, and what it could not put next.
func (t *fencedTask) conviction(s segment, order []int, part string) Argument {
	placed := make([]bool, len(s.ops))
	for _, id := range order {
		placed[id] = true
	}
	reason := fmt.Sprintf("no legal order of %s in %s. The longest has %d", plural(len(s.ops), "operation"), part, len(order))
	// Operations stand in the order of their returns: the first one left out
	// had to come before all that were invoked after it had returned.
	i := 0
	for i < len(s.ops) && (placed[i] || s.ops[i].Input.(*fencedOp).maybe) {
		i++
	}
	if i == len(s.ops) { // porcupine was stopped before it came to the point
		return Argument{Outcome: Invalid, Reason: reason, Indices: s.ops[len(s.ops)-1].Input.(*fencedOp).lines()}
	}
	stuck := s.ops[i].Input.(*fencedOp)
	a := Argument{Outcome: Invalid, Indices: stuck.lines()}
	order, state := s.needed(order, i)
	if len(order) > 0 {
		reason += fmt.Sprintf("; what of it must precede index %d ends in: %s", stuck.until, told(s.ops, order, 3))
		a.Indices = append(a.Indices, s.behind(order, state)...)
	}
	a.Reason = reason + fmt.Sprintf(". Next must come: %s", stuck)
	if why := state.obstacle(stuck); why != "" && t.claims {
		a.Reason += "; but " + why
	} else {
		a.Reason += ", and nothing that fits leads on"
	}
	slices.Sort(a.Indices)
	a.Indices = slices.Compact(a.Indices)
	return a
}

// behind returns the indices of what brought about the state that the order
// ends in: who took the lock, if it is held, and who raised the fence.
func (s segment) behind(order []int, state fenced) []int {
	var indices []int
	held := state.owner != ""
	for _, id := range slices.Backward(order) {
		in := s.ops[id].Input.(*fencedOp)
		holds := held && in.do == stepTake && in.client == state.owner
		if holds || in.token != 0 && in.token == state.fence {
			indices = append(indices, in.lines()...)
		}
		held = held && !holds
	}
	return indices
}

// needed returns the order without what stands at its end and could have come
// after the operation that it is stuck at, and the state that it leads to. If
// the operation fits there, it returns the whole.
func (s segment) needed(order []int, stuck int) ([]int, fenced) {
	replay := func(order []int) fenced {
		state := fenced{fence: s.fence}
		for _, id := range order {
			if next, ok := state.step(s.ops[id].Input.(*fencedOp)); ok {
				state = next
			}
		}
		return state
	}
	n := len(order)
	for n > 0 && order[n-1] > stuck {
		n--
	}
	if state := replay(order[:n]); state.obstacle(s.ops[stuck].Input.(*fencedOp)) != "" {
		return order[:n], state
	}
	return order, replay(order)
}

// lines returns the indices of the operation's events.
func (in *fencedOp) lines() []int {
	if in.maybe {
		return []int{in.line}
	}
	return []int{in.line, in.until}
}

// String tells the step, with the indices between which it took effect.
func (in *fencedOp) String() string {
	who := plain(in.client)
	if in.reader {
		who = "reader " + who
	}
	token := ""
	if in.token != 0 {
		token = fmt.Sprintf(" with token %v", in.token)
	}
	maybe := ""
	if in.maybe {
		maybe = ", unknown whether it did"
	}
	hold := cmp.Or(plain(in.hold), "unnamed")
	switch {
	case in.do == stepTake:
		return fmt.Sprintf("%s takes the lock for hold %s%s (index %d to %d%s)", who, hold, token, in.line, in.until, maybe)
	case in.do == stepFence:
		return fmt.Sprintf("%s's hold %s, over when it returned, raises the fence%s (index %d to %d)", who, hold, token, in.line, in.until)
	case in.line == in.until:
		return fmt.Sprintf("%s's hold %s ends (before index %d)", who, hold, in.line)
	}
	return fmt.Sprintf("%s releases hold %s (index %d to %d%s)", who, hold, in.line, in.until, maybe)
}

// describeOperation labels a step in a drawing. The label is short, since the
// drawing is as wide as all of them; describeMetadata has the rest.
func describeOperation(input, _ any) string {
	in := input.(*fencedOp)
	label := cmp.Or(plain(in.hold), "unnamed")
	switch {
	case in.do == stepFree:
		return label + " ends"
	case in.token == 0:
		return label
	}
	return fmt.Sprintf("%s: %v", label, in.token)
}

func describeMetadata(input any) string {
	if in, ok := input.(*fencedOp); ok {
		return in.String()
	}
	return ""
}

func describeState(state any) string {
	s := state.(fenced)
	who := "nobody holds the lock"
	switch {
	case s.owner != "":
		who = plain(s.owner) + " holds the lock"
	case s.readers > 0:
		who = "held by " + plural(s.readers, "reader")
	}
	return fmt.Sprintf("%s, fence %v", who, s.fence)
}
