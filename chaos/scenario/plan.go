package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Version is the version of the plan's JSON form.
const Version = 1

// Plan is a whole run, decided beforehand. It is a plain value; nobody writes
// to it once New has returned it.
type Plan struct {
	Version      int      `json:"version"`
	Seed         uint64   `json:"seed"`
	Duration     Duration `json:"duration"` // of the faulted part
	Tail         Duration `json:"tail"`     // at least so long the clients go on after the last fault was healed
	TTL          Duration `json:"ttl"`      // of every lease, and the cluster's largest
	NodeDeadline Duration `json:"node_deadline"`
	Drift        float64  `json:"drift"`
	Retention    Duration `json:"fence_retention"`
	Poll         Duration `json:"poll"`
	Story        string   `json:"story,omitempty"` // the only story told, without random faults; empty for all
	Nodes        []string `json:"nodes"`
	Clients      []string `json:"clients"` // those that work; stories have clients of their own
	Keys         []Key    `json:"keys"`    // those that clients fight over; stories have keys of their own
	Paths        []Path   `json:"paths"`   // what the run must be seen to do
	Workers      []Worker `json:"workers"`
	Stories      []Story  `json:"stories"`
	Faults       []Fault  `json:"faults"` // the random ones, in order of At

	Simulation *Simulation `json:"simulation,omitempty"` // set where only a simulator can run the plan

	// Mute says that the clients' user may not use any channel of the nodes. No
	// simulator has users.
	Mute bool `json:"mute,omitempty"`
}

// Key is a lock's name and how it is used.
type Key struct {
	Name   string `json:"name"`
	NoHint bool   `json:"no_hint,omitempty"` // tokens count up by one, which shows more bugs
}

// Path is a rarer way through the protocol that a plan means to exercise.
type Path string

// The paths, named as the lock's observer names them; a fence turn happens
// inside the nodes and is seen in their records.
const (
	PathRaise       Path = "raise"
	PathRepair      Path = "repair"
	PathLateGrant   Path = "late-grant"
	PathReadmission Path = "re-admission"
	PathFenceTurn   Path = "fence-turn"
)

// Worker is one thread of control of a client: acquire, work, release, again.
// Probabilities are in [0,1] and drawn, like the times, from Seed.
type Worker struct {
	Client      string   `json:"client"`
	Seed        uint64   `json:"seed"`
	Holds       []Band   `json:"holds"` // how long a lease is held
	Think       Band     `json:"think"` // between two leases
	LockTimeout Duration `json:"lock_timeout"`
	Cancel      float64  `json:"cancel"`       // an acquire is cancelled in mid-air
	CancelAfter Band     `json:"cancel_after"` // so long after its start
	Try         float64  `json:"try"`          // one attempt only, no waiting
	Extend      float64  `json:"extend"`       // an explicit extension during the hold
	NoRenew     float64  `json:"no_renew"`     // no automatic renewal
	Careless    float64  `json:"careless"`     // goes on writing after its lease ended

	// Ops, where it is not null, is all that the worker does; nothing is drawn.
	Ops []Op `json:"ops,omitzero"`

	// Foreign says that the client does not speak the protocol: it sets the key
	// where there is none, on a majority of nodes, as redsync does. Only a
	// simulator has such clients.
	Foreign bool `json:"foreign,omitempty"`
}

// Band is a range of times from which one is drawn evenly.
type Band struct {
	Weight int      `json:"weight,omitempty"` // against the other bands of a list
	Min    Duration `json:"min"`
	Max    Duration `json:"max"`
}

// JSON is the plan's canonical form: equal plans have equal bytes.
func (p *Plan) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("scenario: encoding the plan: %w", err)
	}
	return append(b, '\n'), nil
}

// Parse reads a plan in the form that JSON writes. It refuses unknown fields
// and other versions.
func Parse(data []byte) (*Plan, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	p := new(Plan)
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("scenario: reading a plan: %w", err)
	}
	if p.Version != Version {
		return nil, &OptionError{Field: "version", Value: fmt.Sprint(p.Version), Reason: fmt.Sprintf("only version %d can be read", Version)}
	}
	return p, nil
}

// Quorum is how many nodes make a majority.
func (p *Plan) Quorum() int { return len(p.Nodes)/2 + 1 }

// Spare is how many nodes may be out while a majority is left.
func (p *Plan) Spare() int { return len(p.Nodes) - p.Quorum() }

// StoryClients lists the clients of the stories, each once, in order of name.
func (p *Plan) StoryClients() []string {
	return distinct(p.Stories, func(s Story) []string { return s.Clients })
}

// AllKeys lists the keys of the workload, then those of the stories.
func (p *Plan) AllKeys() []string {
	var names []string
	for _, k := range p.Keys {
		names = append(names, k.Name)
	}
	return append(names, distinct(p.Stories, func(s Story) []string { return []string{s.Key} })...)
}

// Duration is a time.Duration that reads "1.5s" in JSON.
type Duration time.Duration

// D is the standard library's form.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String is the form used in JSON.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the form that time.ParseDuration reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration accepts.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
