package explore

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Options say how scopes are explored.
type Options struct {
	_ struct{}

	Limit    int              // stop a scope after so many states; 0 for no limit
	Property string           // judge this property alone; "" for all of Properties
	Jobs     int              // so many scopes at the same time; 0 for one
	Progress func(p Progress) // is told how it goes, about once a second for each scope; may be nil
}

// Progress is how far the exploration of a scope has come.
type Progress struct {
	Scope   string
	Depth   int
	States  int
	Waiting int // states that were found and not yet looked at
	Elapsed time.Duration
	Bytes   uint64
}

// Result is what came of exploring a scope.
type Result struct {
	Scope       string     `json:"scope"`
	States      int        `json:"states"` // distinct ones, images under a symmetry counted once
	Transitions int        `json:"transitions"`
	Depth       int        `json:"depth"`    // steps to the farthest state, the prefix left out
	Prefix      int        `json:"prefix"`   // steps of the prefix
	Complete    bool       `json:"complete"` // every state was looked at
	Limited     bool       `json:"limited"`  // it was stopped by the limit that was asked for
	Seconds     float64    `json:"seconds"`
	Rate        float64    `json:"states_per_second"`
	PeakBytes   uint64     `json:"peak_bytes"` // of the whole process
	Violation   *Violation `json:"violation,omitempty"`
}

// Violation is what the first violating step breaks: no shorter way, from the
// end of the prefix, leads to any violation.
type Violation struct {
	Property string   `json:"property"`
	Depth    int      `json:"depth"` // steps, those of the prefix included
	Story    []string `json:"story"`
}

// cancelEvery is how many states are looked at between two looks at the clock.
const cancelEvery = 1 << 12

// search is the breadth-first search through one scope.
type search struct {
	w        *world
	start    []uint32 // the first state, as named
	prefix   []string // what led to it, told
	seen     *table
	canon    []uint32 // scratch
	judged   violation
	bad      violation // what the first violating step breaks
	badAt    int       // from where it was taken
	progress func(Progress)
	began    time.Time
	told     time.Time
	res      Result
}

// Explore visits every state of a scope, the nearest ones first, until it finds
// a violation. The result, its story included, is the same every time; only
// its figures of time and memory are not. ctx ends it early.
func Explore(ctx context.Context, s *Scope, o Options) (*Result, error) {
	x, err := newSearch(s, o)
	if err != nil {
		return nil, err
	}
	x.run(ctx, o.Limit)
	return &x.res, nil
}

func newSearch(s *Scope, o Options) (*search, error) {
	judged, err := propertyMask(o.Property)
	if err != nil {
		return nil, err
	}
	if s.Leaps > 0 {
		judged &^= mutualExclusion
	}
	w, err := newWorld(s)
	if err != nil {
		return nil, err
	}
	x := &search{
		w: w, seen: newTable(w.width), canon: make([]uint32, w.width), judged: judged,
		progress: o.Progress, began: time.Now(),
	}
	x.told, x.res = x.began, Result{Scope: s.Name, Prefix: len(s.Prefix)}
	return x, x.walkPrefix()
}

// walkPrefix takes the steps of the scope's prefix.
func (x *search) walkPrefix() error {
	w := x.w
	x.start = w.initial()
	for i, name := range w.scope.Prefix {
		var to []uint32
		var by step
		var there []string
		w.steps(x.start, func(s step, next []uint32, _ violation) {
			short := w.short(x.start, s)
			if there = append(there, short); short == name && to == nil {
				to, by = slices.Clone(next), s
			}
		})
		if to == nil {
			return &ScopeError{w.scope.Name, fmt.Sprintf("Prefix[%d]", i), name, fmt.Sprintf("no such step here; there are %q", there)}
		}
		x.prefix = append(x.prefix, w.tell(x.start, to, by))
		x.start = to
	}
	w.canonical(x.start, x.canon)
	x.seen.add(x.canon, 0)
	return nil
}

// run looks at every state in the order in which they were found, which is that
// of their distance.
func (x *search) run(ctx context.Context, limit int) {
	at := make([]uint32, x.w.width)
	nextLevel := 1
	for i := 0; i < x.seen.n && x.bad == none; i++ {
		if i == nextLevel {
			nextLevel = x.seen.n
			x.res.Depth++
		}
		if i%cancelEvery == 0 {
			x.tell(i)
			if ctx.Err() != nil {
				break
			}
		}
		if limit > 0 && x.seen.n >= limit {
			x.res.Limited = true
			break
		}
		copy(at, x.seen.at(i))
		x.expand(at, i)
		x.res.Complete = i == x.seen.n-1
	}
	x.tell(-1)
	x.res.States = x.seen.n
	x.res.Seconds = time.Since(x.began).Seconds()
	x.res.Rate = float64(x.res.States) / x.res.Seconds
	if x.bad != none {
		x.res.Complete = false
		x.res.Violation = &Violation{Property: x.bad.String(), Depth: x.res.Prefix + x.res.Depth + 1, Story: x.story()}
	}
}

// expand looks at one state.
func (x *search) expand(at []uint32, i int) {
	x.w.steps(at, func(_ step, next []uint32, bad violation) {
		x.res.Transitions++
		if bad &= x.judged; bad != none && x.bad == none {
			x.bad, x.badAt = bad, i
		}
		x.w.canonical(next, x.canon)
		x.seen.add(x.canon, i)
	})
}

// tell measures memory, and tells progress where a second has passed.
func (x *search) tell(at int) {
	now := time.Now()
	if at >= 0 && now.Sub(x.told) < time.Second {
		return
	}
	x.told = now
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	x.res.PeakBytes = max(x.res.PeakBytes, m.Sys-m.HeapReleased)
	if x.progress != nil && at >= 0 {
		x.progress(Progress{x.w.scope.Name, x.res.Depth, x.seen.n, x.seen.n - at, now.Sub(x.began), m.Sys - m.HeapReleased})
	}
}
