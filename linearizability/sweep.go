package linearizability

import "slices"

// The sweep puts every step at one canonical point and runs the machine along
// them: an acquire that returned ok at its return; a release, also one of
// unknown outcome, at its invocation, or the end of a hold just before the line
// at which its claim ends. Acquires of unknown outcome are left out. This takes
// one pass over the lines, for all keys at once.
//
// If the machine accepts, the points are a legal order, so that the key is
// valid, whatever else may be odd about its history. If it refuses, that proves
// something only where nothing about the history is odd: see recorder.odd.

// sweepKey is where the sweep of one key stands.
type sweepKey struct {
	state   lockState
	why     why
	culprit int32   // the operation that was refused; it is over for the key then
	at      int32   // the line
	live    []int32 // acquires in order; some holds may be over, see sweep.over
	over    int     // how many of them
	since   []int32 // acquires since the lock was free the last time, also those whose holds are over
	highest int32   // the acquire with the highest token, or -1
}

// sweep is the state of all keys.
type sweep struct {
	*recorder
	m      machine
	claims bool
	keys   []sweepKey
	over   []bool // by operation: the hold is over
}

func (r *recorder) sweep(m machine, claims bool) []sweepKey {
	s := sweep{recorder: r, m: m, claims: claims, keys: make([]sweepKey, len(r.keys.list)), over: make([]bool, len(r.ops))}
	for i := range s.keys {
		s.keys[i].highest = -1
	}
	// Lines at which something happens: one operation takes the lock at each,
	// and any number of holds may end before it.
	takes := make([]int32, len(r.times)+1)
	ends := make([]int32, len(r.times)+1)
	next := make([]int32, len(r.ops))
	for i := range r.ops {
		op, n := &r.ops[i], int32(i)+1
		switch {
		case op.outcome == 'f':
		case op.do == take && op.outcome == 'o':
			takes[op.ret] = n
			if claims && !op.empty() {
				next[i], ends[op.end] = ends[op.end], n
			}
		case op.do == give && !claims:
			ends[op.invoke] = n
		}
	}
	for line := range r.times {
		for n := ends[line]; n > 0; n = next[n-1] {
			s.give(n-1, int32(line))
		}
		if n := takes[line]; n > 0 {
			s.take(n-1, int32(line))
		}
	}
	for i := range s.keys {
		s.forget(&s.keys[i])
	}
	return s.keys
}

// forget drops the holds that are over.
func (s *sweep) forget(k *sweepKey) {
	k.live = slices.DeleteFunc(k.live, func(n int32) bool { return s.over[n] })
	k.over = 0
}

func (s *sweep) take(n, line int32) {
	op := &s.ops[n]
	k := &s.keys[op.key]
	if k.why != legal {
		return
	}
	in := s.recorder.step(op)
	if s.claims && op.empty() {
		in.do = raise
	}
	state, why := s.m.step(k.state, in)
	if why != legal {
		k.why, k.culprit, k.at = why, n, line
		return
	}
	if state.hi > k.state.hi {
		k.highest = n
	}
	k.state = state
	if in.do == take {
		if len(k.live) == k.over {
			k.since = k.since[:0]
		}
		k.live, k.since = append(k.live, n), append(k.since, n)
	}
}

func (s *sweep) give(n, line int32) {
	op := &s.ops[n]
	k := &s.keys[op.key]
	if k.why != legal {
		return
	}
	in := s.recorder.step(op)
	in.do = give
	state, why := s.m.step(k.state, in)
	if why != legal {
		k.why, k.culprit, k.at = why, n, line
		return
	}
	k.state = state
	a := s.held(op)
	if a == nil || a.ret > line {
		return
	}
	if n := s.holds[op.hold].acquire; !s.over[n] {
		s.over[n] = true
		if k.over++; 2*k.over > len(k.live) {
			s.forget(k)
		}
	}
}

// odd says what keeps a refusal by the sweep from being a proof, for each key,
// or "" where it is one.
//
// Let every release that did not fail name a hold of its own client that had
// returned, and no two the same. Then, in any legal order and at any point of
// it, at least those holds are open whose acquire has returned and of which no
// release was invoked. The canonical order has exactly these. A machine that
// counts refuses more holds wherever it refuses fewer, so if the canonical
// order is refused, all are; and fences that fall along holds that cannot
// overlap fall in every order. Where claims end holds, all of this is so by
// definition, each hold ending at one point.
//
// With fences there is more to ask, since order among what is open at once
// matters to them. No claim may be empty: its fence is raised at any point of
// its call, not only at its return. Where holds nest, a call must not be able
// to fall on either side of the end of a hold of its own client, so that every
// token is nested in the same hold in every order; and nothing of unknown
// outcome may have opened a hold around another or closed one.
func (r *recorder) odd(model string, claims bool) []string {
	why := make([]string, len(r.keys.list))
	note := func(op *lockOp, reason string) {
		if why[op.key] == "" {
			why[op.key] = reason
		}
	}
	named := make([]bool, len(r.holds))
	for i := range r.ops {
		op := &r.ops[i]
		switch a := r.held(op); {
		case op.outcome == 'f':
		case claims:
			if hasFences(model) && op.do == take && op.outcome == 'o' && op.empty() {
				note(op, "a claim with a fence is empty")
			}
		case op.do != give:
		case a == nil || a.client != op.client || a.ret > op.invoke:
			note(op, "a release names no hold that its client had")
		case named[op.hold]:
			note(op, "a hold was released twice")
		case r.differs(op, a):
			note(op, "a release gives back something else than its hold took")
		default:
			named[op.hold] = true
		}
	}
	if model == ModelReentrantFencedMutex {
		r.oddNesting(claims, note)
	}
	return why
}

// differs tells whether a release says that it gives back something else than
// the acquire took.
func (r *recorder) differs(op, a *lockOp) bool {
	gives, took := r.step(op), r.step(a)
	return gives.permits != took.permits || gives.reader != took.reader
}

// owned is one client's use of one key.
type owned struct{ key, client int32 }

// oddNesting notes keys on which it depends on the order which hold a call is
// nested in.
func (r *recorder) oddNesting(claims bool, note func(*lockOp, string)) {
	ends := map[owned][]interval{} // when holds of the client may end
	maybe := map[owned]int32{}     // since when an acquire of the client may have happened
	for i := range r.ops {
		op := &r.ops[i]
		who := owned{op.key, op.client}
		switch {
		case op.outcome == 'f':
		case claims && op.do == take && op.outcome == 'o' && !op.empty():
			ends[who] = append(ends[who], interval{beforeLine(int(op.end)), beforeLine(int(op.end))})
		case claims:
		case op.do == give && op.outcome == 'i':
			note(op, "it is unknown what came of a release")
		case op.do == give:
			ends[who] = append(ends[who], interval{atLine(int(op.invoke)), atLine(int(op.ret))})
		case op.outcome == 'i':
			maybe[who] = min(cmpOrLine(maybe, who), op.invoke)
		}
	}
	when := map[owned]*spans{}
	for who, list := range ends {
		when[who] = newSpans(list)
	}
	for i := range r.ops {
		op := &r.ops[i]
		who := owned{op.key, op.client}
		if since, ok := maybe[who]; ok && op.outcome != 'f' && op.invoke > since {
			note(op, "it is unknown what came of an acquire whose client went on")
		}
		open := when[who]
		if op.do == take && op.outcome == 'o' && open != nil && open.meets(atLine(int(op.invoke))+1, atLine(int(op.ret))-1) {
			note(op, "an acquire was open while a hold of its client ended")
		}
	}
}

// cmpOrLine returns the line in the map, or one after all lines.
func cmpOrLine(m map[owned]int32, who owned) int32 {
	if line, ok := m[who]; ok {
		return line
	}
	return 1<<31 - 1
}
