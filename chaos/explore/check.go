package explore

import "fmt"

// violation is a set of properties that a step breaks.
type violation uint8

const (
	mutualExclusion violation = 1 << iota
	tokenOrder
	brokenI1
	brokenI2
	brokenI3
	orphan
	late
	stuck
	none violation = 0
)

// Properties are the names of what is judged, as the checker of histories has
// them, with the protocol's invariants below them.
var Properties = []string{
	"mutual exclusion", "token order", "I1", "I2", "I3", "no orphans", "honest validity", "liveness",
}

// String names the first property of the set.
func (v violation) String() string {
	for i, name := range Properties {
		if v>>i&1 == 1 {
			return name
		}
	}
	return "none"
}

// judge judges a state that a step has led to, besides what the components'
// steps were found to break.
func (w *world) judge(state []uint32, changed judgement) violation {
	bad := none
	if changed&judgeHolds != 0 {
		bad |= w.judgeHolds(state)
	}
	if changed&judgeNodes != 0 {
		bad |= w.judgeI3(state)
	}
	if changed&judgeFree != 0 {
		bad |= w.judgeLiveness(state)
	}
	return bad
}

// judgement says what a step may have changed.
type judgement uint8

const (
	judgeHolds judgement = 1 << iota // who holds what
	judgeNodes                       // which node votes, or what was handed out
	judgeFree                        // what stands on the nodes once all is over
)

// judgeHolds judges that no two hold a lock at once, and that no two were
// handed the same token. That two foreign clients exclude each other is not
// this lock's doing.
func (w *world) judgeHolds(state []uint32) violation {
	bad, held := none, uint8(0)
	actors := state[w.nserver : w.nserver+w.nactor]
	for i, id := range actors {
		a := &w.actors.values[id]
		if a.valid&held != 0 {
			bad |= mutualExclusion
		}
		held |= a.valid
		if a.won == 0 {
			continue
		}
		for _, other := range actors[:i] {
			b := &w.actors.values[other]
			if b.won == a.won && w.locks[a.slot]&w.locks[b.slot] != 0 {
				bad |= tokenOrder
			}
		}
	}
	return bad
}

// judgeI3 judges that no majority of admitted nodes of one configuration
// stands below a token that was handed out.
func (w *world) judgeI3(state []uint32) violation {
	top := &w.rests.values[state[w.width-1]].top
	servers := state[:w.nserver]
	for lock := range maxLocks {
		if top[lock] == 0 {
			continue
		}
		for i, id := range servers {
			s := &w.servers.values[id]
			if !s.low(lock, top[lock]) {
				continue
			}
			selves := uint16(1) << s.self
			count := 1
			for _, other := range servers[i+1:] {
				o := &w.servers.values[other]
				if o.low(lock, top[lock]) && o.config == s.config && selves>>o.self&1 == 0 {
					selves |= 1 << o.self
					count++
				}
			}
			if count >= w.p.Quorum() {
				return brokenI3
			}
		}
	}
	return none
}

// low reports whether the server votes and stands below a token.
func (s *server) low(lock int, token uint64) bool { return s.admitted && s.counter[lock] < token }

// held reports whether a lock may be relied on by an attempt of ours.
func (w *world) anyHeld(state []uint32) bool {
	for _, id := range state[w.nserver : w.nserver+w.nactor] {
		if w.actors.values[id].valid != 0 {
			return true
		}
	}
	return false
}

// PropertyError names a property that the explorer does not judge.
type PropertyError struct{ Name string }

// Error names it and what there is.
func (e *PropertyError) Error() string {
	return fmt.Sprintf("explore: no property %q; there are %q", e.Name, Properties)
}

// propertyMask is the set of one property, or of all for "".
func propertyMask(name string) (violation, error) {
	if name == "" {
		return ^none, nil
	}
	for i, p := range Properties {
		if p == name {
			return 1 << i, nil
		}
	}
	return none, &PropertyError{name}
}
