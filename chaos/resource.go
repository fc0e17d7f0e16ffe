package chaos

import (
	"errors"
	"sync"

	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/linearizability"
)

// resources are the counters that the locks protect, two for each lock: one
// checks the token of whoever touches it, the other, the control, does not.
type resources struct {
	guard fencing.Guard

	mu       sync.Mutex // guards the maps; the guard orders accesses to fenced ones
	fenced   map[string]int64
	unfenced map[string]int64
}

func newResources() *resources {
	return &resources{fenced: map[string]int64{}, unfenced: map[string]int64{}}
}

// touch runs f on a counter, unless the counter is fenced and the token stale.
func (r *resources) touch(which linearizability.Resource, key string, t fencing.Token, f func(n *int64)) (accepted bool, err error) {
	access := func(counters map[string]int64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := counters[key]
		f(&n)
		counters[key] = n
	}
	if which == linearizability.Unfenced {
		access(r.unfenced)
		return true, nil
	}
	err = r.guard.Do(key, t, func() error {
		access(r.fenced)
		return nil
	})
	if errors.Is(err, fencing.ErrStale) {
		return false, nil
	}
	return err == nil, err
}
