package campaign

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// Outcome is what a campaign looks at of one simulated run.
type Outcome struct {
	Events    []linearizability.Event  // the history
	Verdict   *linearizability.Verdict // on all properties
	Invariant string                   // which of the protocol's invariants fell, or empty
	Broken    string                   // how it fell
	Simulated time.Duration
	Steps     uint64 // events that the simulator processed
	Tally     linearizability.Tally
	Begun     [][]time.Duration // when each worker began its operations
	Told      map[string]bool   // stories, and whether they came to their end
	Coverage  Coverage
	Digest    [sha256.Size]byte // of everything that happened
}

// Runner runs plans, one at a time. An error means that the plan is impossible
// or that the simulator failed; a violation is an Outcome. What the Outcome
// points to is the Runner's until its next run. narrate, unless nil, is told
// what happens, a line a step.
type Runner func(ctx context.Context, p *scenario.Plan, narrate func(string)) (*Outcome, error)

// RunError says which seed could not be run, and why. It blames the harness.
type RunError struct {
	Seed   uint64
	Replay string
	Cause  error
}

// Error names the seed, the cause and the command that repeats it.
func (e *RunError) Error() string {
	return fmt.Sprintf("campaign: seed %d could not be run: %v; %s", e.Seed, e.Cause, e.Replay)
}

// Unwrap returns the cause.
func (e *RunError) Unwrap() error { return e.Cause }

// guarded runs a plan and makes an error of a panic, so that a campaign can say
// which seed it was.
func (r Runner) guarded(ctx context.Context, p *scenario.Plan, narrate func(string)) (o *Outcome, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			o, err = nil, fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return r(ctx, p, narrate)
}

// fallen lists the claimed properties that fell, in the order of reports.
func (o *Outcome) fallen() []linearizability.Property {
	var list []linearizability.Property
	for i := range o.Verdict.Properties {
		if v := &o.Verdict.Properties[i]; v.Claimed && v.Outcome == linearizability.Invalid {
			list = append(list, v.Property)
		}
	}
	return list
}

// Fell tells whether what is a property or the name of an invariant fell, a
// property while it was claimed.
func (o *Outcome) Fell(what string) bool {
	return o.Invariant == what && what != "" || slices.Contains(o.fallen(), linearizability.Property(what))
}

// mixed is the digest of a run and its seed. Such digests are combined by
// exclusive or, which no order of runs changes.
func (o *Outcome) mixed(seed uint64) [sha256.Size]byte {
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), o.Digest[:]...))
}
