package linearizability

import (
	"fmt"
	"math"
	"time"
)

// Assumption is something that a property takes for granted.
type Assumption string

// The assumptions.
const (
	C1 Assumption = "C1" // the rates of any two clocks differ by at most ρ, and no clock steps
	C2 Assumption = "C2" // nodes evict nothing, nobody touches their keys, none is rolled back unseen
	C3 Assumption = "C3" // all clients have one configuration
	C4 Assumption = "C4" // at most N−q nodes are without admission at once
)

// Params is what Judge must know of a run and cannot read from its history. The
// zero value judges what needs nothing; the rest is then not judged.
type Params struct {
	_ struct{}

	// Quorum is q, the number of nodes that make a majority. Zero means one
	// more than half of the nodes that a sample lists.
	Quorum int `json:"quorum"`

	// TTL is the longest ttl that any hold of the run asked for. Zero leaves
	// orphans and the locks of dead holders unjudged.
	TTL time.Duration `json:"ttl"`

	// MaxTTL is the cluster's. Zero leaves liveness unjudged.
	MaxTTL time.Duration `json:"max_ttl"`

	// Drift is ρ, in [0,1).
	Drift float64 `json:"drift"`

	// NodeDeadline is how long clients wait for one answer of one node. Zero
	// leaves orphans and the locks of dead holders unjudged.
	NodeDeadline time.Duration `json:"node_deadline"`

	// Clients is how many clients the run had. Zero means as many as the
	// history names.
	Clients int `json:"clients"`

	// Hold is the longest time for which a client meant to hold a lock. Zero
	// leaves liveness unjudged.
	Hold time.Duration `json:"hold"`

	// Healed is when the last fault was healed and everything that the network
	// had held back was delivered or dropped, in ns like Event.Time. Zero means
	// the time of Nemesis's last line, or the run's beginning if it has none.
	Healed int64 `json:"healed"`

	// Broken lists the assumptions that the run broke on purpose. Properties
	// that rest on one of them are judged, but not claimed.
	Broken []Assumption `json:"broken"`
}

// ParamsError says which field of a Params is wrong.
type ParamsError struct {
	Field  string
	Value  string
	Reason string
}

// Error names the field, the value and the reason.
func (e *ParamsError) Error() string {
	return fmt.Sprintf("linearizability: params: %s = %s: %s", e.Field, e.Value, e.Reason)
}

// check returns a *ParamsError for the first field that makes no sense.
func (p *Params) check() error {
	bad := func(field string, value any, reason string) error {
		return &ParamsError{Field: field, Value: fmt.Sprint(value), Reason: reason}
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"TTL", p.TTL}, {"MaxTTL", p.MaxTTL}, {"NodeDeadline", p.NodeDeadline}, {"Hold", p.Hold}} {
		if d.value < 0 || d.value > 1000*time.Hour {
			return bad(d.field, d.value, "must be from 0 to 1000h")
		}
	}
	switch {
	case p.Quorum < 0:
		return bad("Quorum", p.Quorum, "must not be negative")
	case math.IsNaN(p.Drift) || p.Drift < 0 || p.Drift >= 1:
		return bad("Drift", p.Drift, "must be in [0,1)")
	case p.Clients < 0 || p.Clients > 1_000_000:
		return bad("Clients", p.Clients, "must be from 0 to 1000000")
	case p.Healed < 0 || p.Healed > maxTime:
		return bad("Healed", p.Healed, "must be from 0 to 2^62")
	}
	for _, a := range p.Broken {
		if a != C1 && a != C2 && a != C3 && a != C4 {
			return bad("Broken", a, "there is no such assumption")
		}
	}
	return nil
}
