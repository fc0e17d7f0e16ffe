package campaign

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Coverage counts what runs met: branches of the protocol by name, and kinds of
// fault by what a client was about when they struck. Pairs lists every pair
// there is, what was never met with zero; Branches only those that were taken,
// since which others there could be only the protocol knows.
type Coverage struct {
	Branches map[string]uint64 `json:"branches"`
	Pairs    map[Pair]uint64   `json:"-"`
}

// Pair is a kind of fault and the phase of a hold that it met.
type Pair struct{ Fault, Phase string }

// pairCount is the form of a Pair in JSON.
type pairCount struct {
	Fault string `json:"fault"`
	Phase string `json:"phase"`
	Met   uint64 `json:"met"`
}

// Add adds the counts of another.
func (c *Coverage) Add(other Coverage) {
	if c.Branches == nil {
		c.Branches, c.Pairs = map[string]uint64{}, map[Pair]uint64{}
	}
	for name, n := range other.Branches {
		c.Branches[name] += n
	}
	for pair, n := range other.Pairs {
		c.Pairs[pair] += n
	}
}

// Unmet lists the pairs that were never met, in order of name.
func (c *Coverage) Unmet() (pairs []Pair) {
	for pair, n := range c.Pairs {
		if n == 0 {
			pairs = append(pairs, pair)
		}
	}
	slices.SortFunc(pairs, Pair.compare)
	return pairs
}

func (p Pair) compare(q Pair) int {
	return cmp.Or(cmp.Compare(p.Fault, q.Fault), cmp.Compare(p.Phase, q.Phase))
}

// MarshalJSON lists pairs in order of name, so that equal coverages have equal
// bytes.
func (c Coverage) MarshalJSON() ([]byte, error) {
	list := []pairCount{}
	for _, p := range slices.SortedFunc(maps.Keys(c.Pairs), Pair.compare) {
		list = append(list, pairCount{p.Fault, p.Phase, c.Pairs[p]})
	}
	return json.Marshal(struct {
		Branches map[string]uint64 `json:"branches"`
		Pairs    []pairCount       `json:"pairs"`
	}{c.Branches, list})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Coverage) UnmarshalJSON(data []byte) error {
	var form struct {
		Branches map[string]uint64 `json:"branches"`
		Pairs    []pairCount       `json:"pairs"`
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return err
	}
	c.Branches, c.Pairs = form.Branches, map[Pair]uint64{}
	for _, p := range form.Pairs {
		pair := Pair{p.Fault, p.Phase}
		if _, twice := c.Pairs[pair]; twice {
			return fmt.Errorf("the pair of %s and %s stands twice", p.Fault, p.Phase)
		}
		c.Pairs[pair] = p.Met
	}
	return nil
}
