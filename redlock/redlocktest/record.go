package redlocktest

import "strings"

// Record is what a node keeps under a prefix about its right to vote.
type Record struct {
	Admitted bool   // it may vote: a primary, and in the life in which it was admitted
	Cfg      string // configuration of its last admission and the seals since; "" before the first
	Self     int    // 1-based index of its own name; 0 before the first admission
	Floor    uint64 // no counter reads below
	HW       uint64 // the highest token ever assigned here, for any lock
	Mark     uint64 // what a fence that stands in no table reads as
	Boot     string // boot mark; "" for none
	Nonce    string // "" while none was drawn
	Turned   int64  // when the fence tables last turned, node time in Unix µs
}

// Record returns the record under the prefix; the zero Record where there is
// none. It changes and allocates nothing.
func (s *State) Record(prefix string) Record {
	sp := s.lookup(prefix)
	if sp == nil {
		return Record{}
	}
	rec := &sp.rec
	return Record{
		Admitted: s.votes(rec),
		Cfg:      rec.cfg,
		Self:     rec.self,
		Floor:    rec.floor,
		HW:       rec.hw,
		Mark:     rec.mark,
		Boot:     rec.boot,
		Nonce:    rec.nonce,
		Turned:   rec.turned,
	}
}

// Counter returns the counter of a lock as the scripts read it: the highest
// token that the node may have assigned for it, or a bound above that where its
// fence was dropped, and no less than the floor. It changes and allocates
// nothing.
func (s *State) Counter(prefix, lock string) uint64 {
	sp := s.lookup(prefix)
	if sp == nil {
		return 0
	}
	token, _ := sp.fence(lock)
	return max(token, sp.rec.floor)
}

// votes reports whether the node may vote.
func (s *State) votes(rec *record) bool { return !s.replica && s.admitted(rec) }

// lookup returns what is kept under the prefix, nil for nothing.
func (s *State) lookup(prefix string) *space {
	for i := range s.spaces { // there is one, as a rule
		if s.spaces[i].prefix == prefix {
			return &s.spaces[i]
		}
	}
	return nil
}

// joined is the name prefix+rest, not put together: that would cost more than
// all else that a node does.
type joined struct{ prefix, rest string }

// compare compares name with the joined one.
func (j joined) compare(name string) int {
	if j.prefix == "" {
		return strings.Compare(name, j.rest)
	}
	n := min(len(name), len(j.prefix))
	switch c := strings.Compare(name[:n], j.prefix[:n]); {
	case c != 0:
		return c
	case n < len(j.prefix):
		return -1
	}
	return strings.Compare(name[n:], j.rest)
}
