package scenario

import (
	"fmt"
	"slices"
)

// Simulation is what a plan says besides of a world that a simulator makes up:
// clocks, disks and a network.
type Simulation struct {
	Servers []Server `json:"servers,omitempty"` // in the order of Plan.Nodes; those that are missing are ordinary
	Clients []Clock  `json:"clients,omitempty"` // those that are missing are ordinary

	Latency Band    `json:"latency"`           // of a message, one way
	Slow    float64 `json:"slow,omitempty"`    // how probable a slow message is, until the last fault is healed
	SlowBy  Band    `json:"slow_by,omitzero"`  // what it takes besides
	Sample  Band    `json:"sample"`            // between two looks at all nodes' keys
	Recover bool    `json:"recover,omitempty"` // clients bootstrap by clock when too few nodes are left

	// TrustsClocks has the run judged as if no clock had stepped or run too
	// fast: what a lock would have to answer for that promises as much then.
	TrustsClocks bool `json:"trusts_clocks,omitempty"`
}

// Server is how one node is set up.
type Server struct {
	Offset  Duration `json:"offset,omitempty"` // of its wall clock from true time
	Rate    int64    `json:"rate,omitempty"`   // how much faster its clock runs, in ppm
	Persist Persist  `json:"persist,omitempty"`
}

// Persist says what a node still knows when it was killed and restarted, but
// for kinds of fault that say so themselves.
type Persist string

// The kinds of persistence. Empty means always.
const (
	PersistAlways   Persist = "always"
	PersistEverysec Persist = "everysec" // all but what was written in the last second
	PersistNone     Persist = "none"
)

// Clock is how one client is set up.
type Clock struct {
	Client   string   `json:"client"`
	Rate     int64    `json:"rate,omitempty"` // how much faster its clock runs, in ppm
	Wall     Duration `json:"wall,omitempty"` // offset of its wall clock from true time
	NoRejoin bool     `json:"no_rejoin,omitempty"`
	ByWall   bool     `json:"by_wall,omitempty"` // it measures its leases by its wall clock, which is a mistake
}

// RateLimit is how much faster or slower than true time a clock may run, in
// ppm, so that no two clocks' rates differ by more than ρ: (1+l)/(1−l) = 1+ρ.
func (p *Plan) RateLimit() int64 { return int64(p.Drift / (2 + p.Drift) * 1e6) }

// Clone returns a copy that can be changed without changing p.
func (p *Plan) Clone() *Plan {
	q := *p
	q.Nodes, q.Clients, q.Keys = slices.Clone(p.Nodes), slices.Clone(p.Clients), slices.Clone(p.Keys)
	q.Paths = slices.Clone(p.Paths)
	q.Workers = slices.Clone(p.Workers)
	for i := range q.Workers {
		q.Workers[i].Holds, q.Workers[i].Ops = slices.Clone(q.Workers[i].Holds), slices.Clone(q.Workers[i].Ops)
	}
	q.Stories = slices.Clone(p.Stories)
	for i := range q.Stories {
		s := &q.Stories[i]
		s.Clients, s.Steps = slices.Clone(s.Clients), slices.Clone(s.Steps)
		for j := range s.Steps {
			s.Steps[j].Nodes, s.Steps[j].Clients = slices.Clone(s.Steps[j].Nodes), slices.Clone(s.Steps[j].Clients)
		}
	}
	q.Faults = slices.Clone(p.Faults)
	for i := range q.Faults {
		q.Faults[i].Nodes, q.Faults[i].Clients = slices.Clone(q.Faults[i].Nodes), slices.Clone(q.Faults[i].Clients)
	}
	if p.Simulation != nil {
		s := *p.Simulation
		s.Servers, s.Clients = slices.Clone(s.Servers), slices.Clone(s.Clients)
		q.Simulation = &s
	}
	return &q
}

// Live returns an *OptionError if a live run cannot do what the plan says.
func (p *Plan) Live() error {
	no := func(field string, value any) error {
		return &OptionError{Field: field, Value: fmt.Sprint(value), Reason: "only a simulator can do this"}
	}
	if p.Simulation != nil {
		return no("simulation", "set")
	}
	for i, w := range p.Workers {
		if w.Foreign {
			return no(fmt.Sprintf("workers[%d].foreign", i), w.Foreign)
		}
	}
	for i, f := range p.Faults {
		if !slices.Contains(Kinds(), f.Kind) {
			return no(fmt.Sprintf("faults[%d].kind", i), f.Kind)
		}
	}
	for i, s := range p.Stories {
		for j, step := range s.Steps {
			switch {
			case !step.Do.live():
				return no(fmt.Sprintf("stories[%d].steps[%d].do", i, j), step.Do)
			case step.Do == DoFault && !step.Kind.Live():
				return no(fmt.Sprintf("stories[%d].steps[%d].kind", i, j), step.Kind)
			case step.Kind == Slew && len(step.Clients) > 0:
				return no(fmt.Sprintf("stories[%d].steps[%d].clients", i, j), step.Clients)
			}
		}
	}
	return nil
}

// Simulable returns an *OptionError if no simulator can do what the plan says.
func (p *Plan) Simulable() error {
	no := func(field string, value any) error {
		return &OptionError{Field: field, Value: fmt.Sprint(value), Reason: "only a live run can do this"}
	}
	if p.Mute {
		return no("mute", p.Mute)
	}
	for i, s := range p.Stories {
		for j, step := range s.Steps {
			switch {
			case step.Do == DoBootstrap:
				return no(fmt.Sprintf("stories[%d].steps[%d].do", i, j), step.Do)
			case step.Do == DoFault && !slices.Contains(SimulatedKinds(), step.Kind):
				return no(fmt.Sprintf("stories[%d].steps[%d].kind", i, j), step.Kind)
			}
		}
	}
	return nil
}
