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
	token := sp.rec.mark
	for _, table := range [2][]fence{sp.young, sp.old} {
		if i, ok := searchJoined(table, prefix, lock); ok {
			token = table[i].token
			break
		}
	}
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

// searchJoined looks for prefix+name without putting them together.
func searchJoined(table []fence, prefix, name string) (int, bool) {
	low, high := 0, len(table)
	for low < high {
		switch mid := int(uint(low+high) >> 1); compareJoined(table[mid].name, prefix, name) {
		case 0:
			return mid, true
		case -1:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false
}

// compareJoined compares a with prefix+name.
func compareJoined(a, prefix, name string) int {
	n := min(len(a), len(prefix))
	if c := strings.Compare(a[:n], prefix[:n]); c != 0 || n < len(prefix) {
		if c == 0 {
			return -1
		}
		return c
	}
	return strings.Compare(a[n:], name)
}
