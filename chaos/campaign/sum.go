package campaign

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// Sum is what runs came to, added up. Adding is commutative and associative: no
// order of runs or shards changes it.
type Sum struct {
	Runs      int               `json:"runs"`
	Violated  int               `json:"violated"`  // runs in which a claimed property or an invariant fell
	Undecided int               `json:"undecided"` // runs that could not be judged
	Acquired  int               `json:"acquired"`
	HintOn    int               `json:"acquired_hint_on"`  // of them on locks with the hint
	HintOff   int               `json:"acquired_hint_off"` // and without
	Simulated scenario.Duration `json:"simulated"`         // time that passed in the runs
	Steps     uint64            `json:"steps"`             // events that the simulator processed
	Lines     int               `json:"lines"`             // of histories, all judged

	Clusters   []ClusterCount        `json:"clusters"` // in order of size
	Properties []PropertyCount       `json:"properties"`
	Invariants map[string]int        `json:"invariants_fallen"` // runs in which one fell, by name
	Tally      linearizability.Tally `json:"tally"`
	Stories    map[string]StoryCount `json:"stories"`
	Meant      Meant                 `json:"meant"`
	Coverage   Coverage              `json:"coverage"`
	Digest     Digest                `json:"digest"`
}

// ClusterCount is the share of clusters of one size.
type ClusterCount struct {
	Nodes    int `json:"nodes"`
	Runs     int `json:"runs"`
	Acquired int `json:"acquired"`
}

// PropertyCount is in how many runs a property came to what. Apart from those
// are the runs whose faults broke what the property assumes: there it is not
// claimed.
type PropertyCount struct {
	Property  linearizability.Property `json:"property"`
	Claimed   OutcomeCount             `json:"claimed"`
	Unclaimed OutcomeCount             `json:"unclaimed"`
}

// OutcomeCount counts runs by outcome.
type OutcomeCount struct {
	Valid     int `json:"valid"`
	Invalid   int `json:"invalid"`
	Unknown   int `json:"unknown"`
	NotJudged int `json:"not_judged"`
}

// StoryCount is in how many runs a story was planned, and told to its end.
type StoryCount struct {
	Planned int `json:"planned"`
	Told    int `json:"told"`
}

// Meant is what plans set out to do: a sum that lacks any of it is vacuous.
type Meant struct {
	Faults []linearizability.F `json:"faults"` // in order of name
	Paths  []string            `json:"paths"`
	Chaos  bool                `json:"chaos"` // faults at random
	Free   bool                `json:"free"`  // clients that work beside the stories
}

// Digest is one of many runs, combined by exclusive or.
type Digest [32]byte

// MarshalText writes it in hexadecimal.
func (d Digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(d[:], text); err != nil || n != len(d) {
		return fmt.Errorf("a digest has %d hexadecimal digits", 2*len(d))
	}
	return nil
}

// sumOf is the Sum of one run.
func sumOf(seed uint64, p *scenario.Plan, o *Outcome) *Sum {
	s := &Sum{
		Runs: 1, Simulated: scenario.Duration(o.Simulated), Steps: o.Steps, Lines: len(o.Events),
		Tally: o.Tally, Stories: map[string]StoryCount{}, Invariants: map[string]int{},
		Meant: meantBy(p), Digest: o.mixed(seed),
	}
	s.Coverage.Add(o.Coverage)
	s.Acquired = s.Tally.Acquired
	s.HintOff = hintless(p, o.Events)
	s.HintOn = s.Acquired - s.HintOff
	s.Clusters = []ClusterCount{{len(p.Nodes), 1, s.Acquired}}
	for i := range o.Verdict.Properties {
		s.Properties = append(s.Properties, countOf(&o.Verdict.Properties[i]))
	}
	for _, story := range p.Stories {
		c := StoryCount{Planned: 1}
		if o.Told[story.Name] {
			c.Told = 1
		}
		s.Stories[story.Name] = c
	}
	if o.Invariant != "" {
		s.Invariants[o.Invariant] = 1
	}
	switch {
	case o.Invariant != "" || o.Verdict.Outcome == linearizability.Invalid:
		s.Violated = 1
	case o.Verdict.Outcome != linearizability.Valid:
		s.Undecided = 1
	}
	return s
}

func countOf(v *linearizability.PropertyVerdict) PropertyCount {
	c := PropertyCount{Property: v.Property}
	to := &c.Unclaimed
	if v.Claimed {
		to = &c.Claimed
	}
	switch v.Outcome {
	case linearizability.Valid:
		to.Valid = 1
	case linearizability.Invalid:
		to.Invalid = 1
	case linearizability.Unknown:
		to.Unknown = 1
	default:
		to.NotJudged = 1
	}
	return c
}

// hintless counts acquisitions of locks that are used without the hint.
func hintless(p *scenario.Plan, events []linearizability.Event) int {
	off := map[string]bool{}
	for _, k := range p.Keys {
		off[k.Name] = k.NoHint
	}
	n := 0
	for i := range events {
		if e := &events[i]; e.F == linearizability.Acquire && e.Type == linearizability.OK && off[e.Key] {
			n++
		}
	}
	return n
}

// meantBy is what one plan sets out to do.
func meantBy(p *scenario.Plan) Meant {
	m := Meant{Chaos: p.Story == "" && len(p.Faults) > 0, Free: p.Story == "" && len(p.Workers) > 0}
	for _, f := range p.Faults {
		m.Faults = append(m.Faults, linearizability.F(f.Kind))
	}
	for _, s := range p.Stories {
		for _, step := range s.Steps {
			switch step.Do {
			case scenario.DoFault:
				m.Faults = append(m.Faults, linearizability.F(step.Kind))
			case scenario.DoCrash:
				m.Faults = append(m.Faults, linearizability.F(scenario.Crash))
			}
		}
	}
	for _, path := range p.Paths {
		m.Paths = append(m.Paths, string(path))
	}
	m.Faults, m.Paths = inOrder(m.Faults), inOrder(m.Paths)
	return m
}

func inOrder[T ~string](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// add adds the runs of another.
func (s *Sum) add(other *Sum) {
	s.Runs += other.Runs
	s.Violated += other.Violated
	s.Undecided += other.Undecided
	s.Acquired += other.Acquired
	s.HintOn += other.HintOn
	s.HintOff += other.HintOff
	s.Simulated += other.Simulated
	s.Steps += other.Steps
	s.Lines += other.Lines
	s.Tally.Add(other.Tally)
	s.Coverage.Add(other.Coverage)
	for _, c := range other.Clusters {
		s.cluster(c)
	}
	for _, c := range other.Properties {
		s.property(c)
	}
	if s.Stories == nil {
		s.Stories, s.Invariants = map[string]StoryCount{}, map[string]int{}
	}
	for name, c := range other.Stories {
		was := s.Stories[name]
		s.Stories[name] = StoryCount{was.Planned + c.Planned, was.Told + c.Told}
	}
	for name, n := range other.Invariants {
		s.Invariants[name] += n
	}
	s.Meant.Faults = inOrder(append(s.Meant.Faults, other.Meant.Faults...))
	s.Meant.Paths = inOrder(append(s.Meant.Paths, other.Meant.Paths...))
	s.Meant.Chaos = s.Meant.Chaos || other.Meant.Chaos
	s.Meant.Free = s.Meant.Free || other.Meant.Free
	for i := range s.Digest {
		s.Digest[i] ^= other.Digest[i]
	}
}

func (s *Sum) cluster(c ClusterCount) {
	i, found := slices.BinarySearchFunc(s.Clusters, c.Nodes, func(a ClusterCount, n int) int { return a.Nodes - n })
	if !found {
		s.Clusters = slices.Insert(s.Clusters, i, ClusterCount{Nodes: c.Nodes})
	}
	s.Clusters[i].Runs += c.Runs
	s.Clusters[i].Acquired += c.Acquired
}

func (s *Sum) property(c PropertyCount) {
	i := slices.IndexFunc(s.Properties, func(a PropertyCount) bool { return a.Property == c.Property })
	if i < 0 {
		i = len(s.Properties)
		s.Properties = append(s.Properties, PropertyCount{Property: c.Property})
	}
	s.Properties[i].Claimed.add(c.Claimed)
	s.Properties[i].Unclaimed.add(c.Unclaimed)
}

func (c *OutcomeCount) add(other OutcomeCount) {
	c.Valid += other.Valid
	c.Invalid += other.Invalid
	c.Unknown += other.Unknown
	c.NotJudged += other.NotJudged
}

// vacuous says why the runs mean nothing, taken together.
func (s *Sum) vacuous() []string {
	p := linearizability.Plan{
		Operations: []linearizability.F{linearizability.Acquire, linearizability.Release},
		Faults:     s.Meant.Faults, Paths: s.Meant.Paths, Chaos: s.Meant.Chaos,
	}
	if s.Meant.Free {
		p.Operations = append(p.Operations, linearizability.Extend, linearizability.Stamp, linearizability.Read, linearizability.Write)
	}
	reasons := p.Vacuous(s.Tally)
	for _, name := range slices.Sorted(keysOf(s.Stories)) {
		if c := s.Stories[name]; c.Told == 0 {
			reasons = append(reasons, fmt.Sprintf("the story %s, planned in %d runs, never came to its end", name, c.Planned))
		}
	}
	return reasons
}
