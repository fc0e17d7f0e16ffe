package linearizability

import (
	"cmp"
	"slices"
	"sort"
)

// lockOp is an acquire or a release, as small as it can be: millions are kept.
type lockOp struct {
	invoke, ret int32 // lines; ret is -1 if it never returned
	end         int32 // of an acquire that returned ok: the line at which its claim ends
	key         int32
	client      int32 // counted from 1
	hold        int32 // -1 is none
	permits     int32 // 0: the history does not say
	do          action
	mode        byte // 'r', 'w' or 0: the history does not say
	outcome     byte // 'o'k, 'f'ail or 'i'nfo
	token       Token
}

// holdNote is what a history says of one hold.
type holdNote struct {
	name     string
	acquire  int32 // the operation that returned it, or -1
	deadline int64
	released int32 // line of the first invocation of a release, or -1
	lost     int32 // line of the first loss, or -1
}

// names numbers strings.
type names struct {
	number map[string]int32
	list   []string
}

func (n *names) of(s string) int32 {
	if i, ok := n.number[s]; ok {
		return i
	}
	if n.number == nil {
		n.number = map[string]int32{}
	}
	i := int32(len(n.list))
	n.number[s], n.list = i, append(n.list, s)
	return i
}

// inFlight is an operation that has not returned.
type inFlight struct {
	f    F
	op   int32 // of an acquire or a release
	hold string
}

// recorder keeps what the models need of a history, event by event.
type recorder struct {
	times         []int64
	keys, clients names
	ops           []lockOp
	holds         []holdNote
	byName        map[string]int32
	open          map[Process]inFlight
	deadlines     bool // some line has one
}

func newRecorder() *recorder {
	return &recorder{byName: map[string]int32{}, open: map[Process]inFlight{}}
}

// hold returns the number of a hold, or -1 for no name.
func (r *recorder) hold(name string) int32 {
	if name == "" {
		return -1
	}
	i, ok := r.byName[name]
	if !ok {
		i = int32(len(r.holds))
		r.byName[name] = i
		r.holds = append(r.holds, holdNote{name: name, acquire: -1, deadline: Never, released: -1, lost: -1})
	}
	return i
}

// add takes the next event of a valid history.
func (r *recorder) add(e *Event) {
	line := int32(len(r.times))
	r.times = append(r.times, e.Time)
	r.deadlines = r.deadlines || e.Value.ValidUntil != nil
	switch {
	case e.Process == Observer && e.F == LostHold:
		if h := &r.holds[r.hold(e.Value.Hold)]; h.lost < 0 {
			h.lost = line
		}
	case e.Process < 0:
	case e.Type == Invoke:
		r.invoke(e, line)
	default:
		r.complete(e, line)
	}
}

func (r *recorder) invoke(e *Event, line int32) {
	o := inFlight{f: e.F, op: -1, hold: e.Value.Hold}
	if e.F == Acquire || e.F == Release {
		o.op = int32(len(r.ops))
		op := lockOp{invoke: line, ret: -1, key: r.keys.of(e.Key), client: r.clients.of(e.Value.Client) + 1,
			hold: -1, outcome: 'i'}
		if e.F == Release {
			op.do = give
			r.released(&op, e.Value.Hold)
		}
		op.say(&e.Value)
		r.ops = append(r.ops, op)
	}
	r.open[e.Process] = o
}

// released notes which hold a release is about.
func (r *recorder) released(op *lockOp, name string) {
	if op.hold = r.hold(name); op.hold < 0 {
		return
	}
	if h := &r.holds[op.hold]; h.released < 0 || op.invoke < h.released {
		h.released = op.invoke
	}
}

// say notes the mode and the permits.
func (op *lockOp) say(v *Value) {
	if v.Permits != 0 {
		op.permits = int32(min(v.Permits, 2*maxPermits))
	}
	if v.Mode != "" {
		op.mode = v.Mode[0]
	}
}

func (r *recorder) complete(e *Event, line int32) {
	o := r.open[e.Process]
	delete(r.open, e.Process)
	if o.f == Extend && e.Type == OK && e.Value.ValidUntil != nil {
		if i := r.hold(cmp.Or(o.hold, e.Value.Hold)); i >= 0 {
			r.holds[i].promise(*e.Value.ValidUntil)
		}
	}
	if o.op < 0 {
		return
	}
	op := &r.ops[o.op]
	op.ret, op.outcome = line, e.Type[0]
	op.say(&e.Value)
	switch {
	case op.do == give && o.hold == "":
		r.released(op, e.Value.Hold)
	case op.do == take && e.Type == OK:
		op.token, op.hold = e.Value.Token, r.hold(e.Value.Hold)
		h := &r.holds[op.hold]
		h.acquire = o.op
		if e.Value.ValidUntil != nil {
			h.promise(*e.Value.ValidUntil)
		}
	}
}

func (h *holdNote) promise(until int64) {
	if h.deadline == Never || until > h.deadline {
		h.deadline = until
	}
}

// finish sets where claims end.
func (r *recorder) finish() {
	for i := range r.holds {
		h := &r.holds[i]
		if h.acquire < 0 {
			continue
		}
		end := int32(len(r.times))
		if h.deadline != Never {
			end = int32(sort.Search(len(r.times), func(i int) bool { return r.times[i] >= h.deadline }))
		}
		for _, line := range []int32{h.released, h.lost} {
			if line >= 0 {
				end = min(end, line)
			}
		}
		r.ops[h.acquire].end = end
	}
}

// held returns the acquire of the hold that op names, if it is one of its key,
// or nil.
func (r *recorder) held(op *lockOp) *lockOp {
	if op.hold < 0 || r.holds[op.hold].acquire < 0 {
		return nil
	}
	if a := &r.ops[r.holds[op.hold].acquire]; a.key == op.key {
		return a
	}
	return nil
}

// step returns what op does to the lock. What a release does not say is that of
// the hold that it names.
func (r *recorder) step(op *lockOp) step {
	permits, mode := op.permits, op.mode
	if a := r.held(op); op.do == give && a != nil {
		permits, mode = cmp.Or(permits, a.permits), cmp.Or(mode, a.mode)
	}
	return step{do: op.do, client: op.client, token: op.token, permits: cmp.Or(permits, 1), reader: mode == 'r'}
}

// empty tells whether the claim of the acquire covers no line.
func (op *lockOp) empty() bool { return op.end <= op.ret }

// window is a step with the time in which it takes effect: twice the index of a
// line, or an odd number for the point just before a line.
type window struct {
	step
	from, to int64
	maybe    bool // it may not have happened; to is then noEnd
	op       *lockOp
}

// noEnd is later than every line.
const noEnd = int64(1) << 40

// windows returns the steps of each key: by claims, or by calls.
func (r *recorder) windows(claims bool) [][]window {
	keys := make([][]window, len(r.keys.list))
	for i := range r.ops {
		op := &r.ops[i]
		keys[op.key] = append(keys[op.key], r.windowsOf(op, claims)...)
	}
	return keys
}

func (r *recorder) windowsOf(op *lockOp, claims bool) []window {
	w := window{step: r.step(op), from: atLine(int(op.invoke)), to: atLine(int(op.ret)), op: op}
	switch {
	case op.outcome == 'f' || claims && (op.do != take || op.outcome != 'o'):
		return nil
	case op.outcome == 'i':
		w.maybe, w.to = true, noEnd
		return []window{w}
	case !claims:
		return []window{w}
	case op.empty():
		w.do = raise
		return []window{w}
	case int(op.end) == len(r.times):
		return []window{w}
	}
	end := w
	end.do, end.token = give, 0
	end.from, end.to = beforeLine(int(op.end)), beforeLine(int(op.end))
	return []window{w, end}
}

// sortedKeys returns the numbers of the keys by name.
func (r *recorder) sortedKeys() []int32 {
	order := make([]int32, len(r.keys.list))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(r.keys.list[a], r.keys.list[b]) })
	return order
}
