package linearizability

import (
	"strconv"
	"strings"
)

// A second reading of the models, for small histories, that shares nothing with
// the package but events: rules over plain counters, and a walk over the gaps
// between lines that tries everything.

// tiny is the state of any model, for clients c0 to c3 and small numbers.
type tiny struct {
	writes  [4]int8 // per client: holds, or permits
	reads   [4]int8
	cur, hi int8
}

// sum adds up what the clients but one have.
func sum(a [4]int8, but int) int {
	n := 0
	for c, v := range a {
		if c != but {
			n += int(v)
		}
	}
	return n
}

// tinyOp is an operation that takes effect in one of the gaps from first to
// last; gap i lies just before line i.
type tinyOp struct {
	what        byte // 'a'cquire, 'r'elease or 'f'ence
	c           int
	n           int8 // permits
	reader      bool
	token       int8
	maybe       bool
	first, last int
	hold        string
}

// tinyStep is the table of models, row by row.
func tinyStep(model string, s tiny, op tinyOp) (tiny, bool) {
	mine, others := int(s.writes[op.c]), sum(s.writes, op.c)
	f := op.token
	rises := f == 0 || f > s.hi
	switch model {
	case "mutex":
		if op.what == 'r' {
			for c := range s.writes {
				if s.writes[c] == 1 {
					s.writes[c] = 0
					return s, true
				}
			}
			return s, false
		}
		if op.what == 'a' && mine+others > 0 {
			return s, false
		}
	case "owner-aware-mutex":
		if op.what == 'a' && mine+others > 0 || op.what == 'r' && mine == 0 {
			return s, false
		}
	case "reentrant-mutex":
		if op.what == 'a' && (others > 0 || mine >= 2) || op.what == 'r' && mine == 0 {
			return s, false
		}
	case "fenced-mutex":
		if op.what == 'a' && mine+others > 0 || op.what == 'r' && mine == 0 || op.what != 'r' && !rises {
			return s, false
		}
	case "reentrant-fenced-mutex":
		if op.what == 'a' && (others > 0 || mine >= 2) || op.what == 'r' && mine == 0 {
			return s, false
		}
		var ok bool
		if s.cur, ok = tinyCurrent(s, op, mine, others); !ok {
			return s, false
		}
	case "rw-mutex", "lease":
		switch {
		case op.what == 'a' && op.reader && mine+others > 0:
			return s, false
		case op.what == 'a' && !op.reader && mine+others+sum(s.reads, -1) > 0:
			return s, false
		case op.what == 'r' && op.reader && s.reads[op.c] == 0, op.what == 'r' && !op.reader && mine == 0:
			return s, false
		}
	default:
		k, err := strconv.Atoi(strings.TrimPrefix(model, "semaphore:"))
		if err != nil {
			panic(model)
		}
		if op.what == 'a' && mine+others+int(op.n) > k || op.what == 'r' && mine < int(op.n) {
			return s, false
		}
	}
	return tinyEffect(model, s, op), true
}

// tinyCurrent is the fence of the hold in force after an operation.
func tinyCurrent(s tiny, op tinyOp, mine, others int) (int8, bool) {
	f, nested := op.token, mine+others > 0
	switch {
	case op.what == 'r' && mine == 1:
		return 0, true
	case op.what == 'r':
		return s.cur, true
	case nested && s.cur != 0:
		return s.cur, f == 0 || f == s.cur
	case f != 0 && f <= s.hi:
		return s.cur, false
	case nested || op.what == 'a':
		return f, true
	}
	return s.cur, true
}

// tinyEffect is what a legal operation does.
func tinyEffect(model string, s tiny, op tinyOp) tiny {
	if op.what != 'r' && op.token > s.hi {
		s.hi = op.token
	}
	by := int8(1)
	if strings.HasPrefix(model, "semaphore:") {
		by = op.n
	}
	if op.what == 'r' {
		by = -by
	}
	switch {
	case op.what == 'f':
	case op.reader && (model == "rw-mutex" || model == "lease"):
		s.reads[op.c] += by
	default:
		s.writes[op.c] += by
	}
	return s
}

// tinyOps reads the operations on the key off the events, line by line.
func tinyOps(events []Event, key string, claims bool) []tinyOp {
	var ops []tinyOp
	for i, e := range events {
		if e.Process < 0 || e.Type != Invoke || e.Key != key || e.F != Acquire && e.F != Release {
			continue
		}
		c, _ := strconv.Atoi(strings.TrimPrefix(e.Value.Client, "c"))
		op := tinyOp{what: e.F[0] /* a or r */, c: c, first: i + 1, last: len(events), maybe: true}
		done, result, hold := -1, e.Value, e.Value.Hold
		for j := i + 1; j < len(events) && done < 0; j++ {
			if events[j].Process == e.Process {
				done, result = j, events[j].Value
			}
		}
		if hold == "" {
			hold = result.Hold
		}
		op.hold = hold
		op.says(events, e, result)
		if done >= 0 && events[done].Type == Fail {
			continue
		}
		if done >= 0 && events[done].Type == OK {
			op.maybe, op.last = false, done
			if e.F == Acquire {
				op.token = int8(result.Token)
			}
		}
		if !claims {
			ops = append(ops, op)
			continue
		}
		if e.F != Acquire || op.maybe {
			continue
		}
		end := done
		for end < len(events) && naiveClaim(events, result.Hold, end) {
			end++
		}
		if end == done {
			op.what = 'f'
		}
		ops = append(ops, op)
		if end > done && end < len(events) {
			ops = append(ops, tinyOp{what: 'r', c: c, n: op.n, reader: op.reader, first: end, last: end, hold: hold})
		}
	}
	return ops
}

// says sets the permits and the mode: the last word counts, and for a release
// what was said of its hold before.
func (op *tinyOp) says(events []Event, call Event, result Value) {
	var said []Value
	for line := range events {
		r := &events[line]
		if call.F != Release || op.hold == "" || r.F != Acquire || r.Type != OK || r.Key != call.Key || r.Value.Hold != op.hold {
			continue
		}
		for i := line - 1; len(said) == 0; i-- { // its invocation
			if events[i].Process == r.Process {
				said = append(said, events[i].Value, r.Value)
			}
		}
	}
	op.n = 1
	for _, v := range append(said, call.Value, result) {
		if v.Permits != 0 {
			op.n = int8(v.Permits)
		}
		if v.Mode != "" {
			op.reader = v.Mode == ModeRead
		}
	}
}

// tinyPlace is where the walk stands.
type tinyPlace struct {
	gap   int
	done  uint64
	state tiny
}

// tinyLegal tells whether the operations can take effect, each in one of its
// gaps, as the model allows: by trying everything.
func tinyLegal(model string, ops []tinyOp, p tinyPlace, seen map[tinyPlace]bool) bool {
	if seen[p] {
		return false
	}
	seen[p] = true
	late, left := false, false
	for i, op := range ops {
		if p.done>>i&1 == 1 {
			continue
		}
		late = late || op.last == p.gap && !op.maybe
		left = left || !op.maybe
		if p.gap < op.first || p.gap > op.last {
			continue
		}
		next, ok := tinyStep(model, p.state, op)
		if ok && tinyLegal(model, ops, tinyPlace{p.gap, p.done | 1<<i, next}, seen) {
			return true
		}
	}
	if !left {
		return true
	}
	if late {
		return false
	}
	p.gap++
	return tinyLegal(model, ops, p, seen)
}
