package linearizability

import (
	"fmt"
	"slices"
)

// resourceOps returns the operations on the resource, per key in the order of
// their invocations, and the keys in the order of their first.
func (h *history) resourceOps(r Resource) (keys []string, ops map[string][]*Op) {
	ops = map[string][]*Op{}
	for i := range h.ops {
		op := &h.ops[i]
		if op.Call.Resource != r || (op.F != Stamp && op.F != Read && op.F != Write) {
			continue
		}
		if ops[op.Key] == nil {
			keys = append(keys, op.Key)
		}
		ops[op.Key] = append(ops[op.Key], op)
	}
	return keys, ops
}

// took tells whether the operation certainly took effect on its resource.
func (o *Op) took() bool { return o.Type == OK && o.Result.accepted() }

// mayHaveTaken tells whether nobody knows if it did.
func (o *Op) mayHaveTaken() bool { return o.Type == Info }

// token returns the token that the operation carried.
func (o *Op) token() uint64 { return uint64(max(o.Call.Token, o.Result.Token)) }

// n returns the counter that the operation read or wrote, if it says.
func (o *Op) n() (int64, bool) {
	switch {
	case o.Result.N != nil:
		return *o.Result.N, true
	case o.F == Write && o.Call.N != nil:
		return *o.Call.N, true
	}
	return 0, false
}

// byReturn returns the ops in the order of their returns; those that never
// returned are left out.
func byReturn(ops []*Op) []*Op {
	done := slices.DeleteFunc(slices.Clone(ops), func(o *Op) bool { return o.Return < 0 })
	slices.SortFunc(done, func(a, b *Op) int { return a.Return - b.Return })
	return done
}

// highestBefore calls visit for each op with the op of the largest value among
// those that had returned before it was invoked, or nil. An op for which value
// says false is visited and does not count.
func highestBefore(ops []*Op, value func(*Op) (int64, bool), visit func(op, before *Op) bool) {
	done := byReturn(ops)
	var highest *Op
	var largest int64
	next := 0
	for _, op := range ops {
		for ; next < len(done) && done[next].Return < op.Invoke; next++ {
			if v, ok := value(done[next]); ok && (highest == nil || v > largest) {
				highest, largest = done[next], v
			}
		}
		if !visit(op, highest) {
			return
		}
	}
}

// staleTokens: the fenced resource accepts no token below one that it accepted
// in an operation that had returned before.
func (h *history) staleTokens() Clause {
	const name = "no stale token is accepted"
	keys, all := h.resourceOps(Fenced)
	var stale, fresher *Op
	judged := 0
	for _, key := range keys {
		accepted := slices.DeleteFunc(slices.Clone(all[key]), func(o *Op) bool { return !o.took() })
		highestBefore(accepted, func(o *Op) (int64, bool) { return int64(o.token()), true },
			func(op, before *Op) bool {
				judged++
				if before == nil || op.token() >= before.token() {
					return true
				}
				if stale == nil || op.Return < stale.Return {
					stale, fresher = op, before
				}
				return false
			})
	}
	switch {
	case stale != nil:
		return invalid(name, judged, []int{fresher.Invoke, fresher.Return, stale.Invoke, stale.Return},
			"the resource of %q had accepted token %d in client %s's %s, returned at %s; yet it accepted the lower token %d in client %s's %s, invoked at %s and returned at %s",
			stale.Key, fresher.token(), fresher.Client, fresher.F, at(fresher.End), stale.token(), stale.Client, stale.F, at(stale.Start), at(stale.End))
	case judged == 0:
		return notJudged(name, "no operation on the fenced resource was accepted")
	}
	return valid(name, judged, "%s, none below one accepted before", plural(judged, "accepted operation"))
}

// lostWrites: no accepted write of the counter is lost.
func (h *history) lostWrites(r Resource) Clause {
	const name = "no accepted write is lost"
	keys, all := h.resourceOps(r)
	writes := 0
	for _, key := range keys {
		c := newCounter(key, all[key])
		writes += len(c.written)
		for _, check := range []func() (string, []int){c.twice, c.falls, c.gaps} {
			if story, indices := check(); story != "" {
				return invalid(name, writes, indices, "the %s resource of %q: %s", r, key, story)
			}
		}
	}
	if writes == 0 {
		return notJudged(name, "no write on the %s resource was accepted", r)
	}
	return valid(name, writes, "%s of a counter, each with a number of its own and none missing", plural(writes, "accepted write"))
}

// counter is what is known of one guarded counter, which began at 0.
type counter struct {
	key     string
	ops     []*Op         // on it, by invocation
	written map[int64]*Op // number → first accepted write to carry it, by invocation
	twins   [2]*Op        // two accepted writes with one number
	unknown map[int64]*Op // number → earliest write that may have been accepted
}

func newCounter(key string, ops []*Op) *counter {
	c := &counter{key: key, ops: ops, written: map[int64]*Op{}, unknown: map[int64]*Op{}}
	for _, op := range ops {
		n, ok := op.n()
		switch {
		case op.F != Write || !ok:
		case op.mayHaveTaken():
			if c.unknown[n] == nil {
				c.unknown[n] = op
			}
		case op.took() && c.written[n] == nil:
			c.written[n] = op
		case op.took() && c.twins[0] == nil:
			c.twins = [2]*Op{c.written[n], op}
		}
	}
	return c
}

// twice: no two accepted writes carry the same number.
func (c *counter) twice() (string, []int) {
	a, b := c.twins[0], c.twins[1]
	if a == nil {
		return "", nil
	}
	n, _ := a.n()
	return fmt.Sprintf("client %s's write of %d, accepted at %s, and client %s's write of %d, accepted at %s, cannot both have counted",
		a.Client, n, at(a.End), b.Client, n, at(b.End)), []int{a.Invoke, a.Return, b.Invoke, b.Return}
}

// falls: no accepted read returns less than what had been read or written before
// it was invoked, unless a write of unknown outcome explains it.
func (c *counter) falls() (story string, indices []int) {
	seen := slices.DeleteFunc(slices.Clone(c.ops), func(o *Op) bool {
		_, ok := o.n()
		return o.F == Stamp || !ok || !o.took()
	})
	highestBefore(seen, (*Op).n, func(op, before *Op) bool {
		if before == nil || op.F != Read {
			return true
		}
		n, _ := op.n()
		was, _ := before.n()
		if u := c.unknown[n]; n >= was || (u != nil && u.Invoke < op.Return) {
			return true
		}
		story = fmt.Sprintf("it stood at %d in client %s's %s, returned at %s, and at %d in client %s's read, invoked at %s and returned at %s",
			was, before.Client, before.F, at(before.End), n, op.Client, at(op.Start), at(op.End))
		indices = []int{before.Invoke, before.Return, op.Invoke, op.Return}
		return false
	})
	return story, indices
}

// gaps: the last number equals the number of accepted writes, where each number
// that no accepted write carries must be that of a write of unknown outcome.
func (c *counter) gaps() (string, []int) {
	var last *Op
	var highest int64
	for _, op := range c.ops {
		if n, ok := op.n(); ok && op.took() && op.F != Stamp && (last == nil || n > highest) {
			last, highest = op, n
		}
	}
	if last == nil {
		return "", nil
	}
	numbers := int64(0)
	for n := range c.written {
		if n < 1 {
			return fmt.Sprintf("client %s's write of %d, accepted at %s, is not one more than any count", c.written[n].Client, n, at(c.written[n].End)),
				[]int{c.written[n].Invoke, c.written[n].Return}
		}
		numbers++
	}
	widened := int64(0)
	for n := range c.unknown {
		if n >= 1 && n <= highest && c.written[n] == nil {
			widened++
		}
	}
	if highest <= numbers+widened {
		return "", nil
	}
	return fmt.Sprintf("it reached %d in client %s's %s, returned at %s, by %d accepted writes and at most %d of unknown outcome",
		highest, last.Client, last.F, at(last.End), numbers, widened), []int{last.Invoke, last.Return}
}
