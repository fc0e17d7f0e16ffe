package campaign

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxSeeds is how many seeds one campaign may have, shards together.
const MaxSeeds = 1 << 40

// Seeds is the seeds From to To, both included.
type Seeds struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// String writes the seeds as ParseSeeds reads them.
func (s Seeds) String() string { return fmt.Sprintf("%d..%d", s.From, s.To) }

// N is how many seeds there are.
func (s Seeds) N() uint64 { return s.To - s.From + 1 }

func (s Seeds) check() error {
	switch {
	case s.From > s.To:
		return bad("seeds", s, "the first must not be greater than the last")
	case s.To-s.From >= MaxSeeds:
		return bad("seeds", s, "at most %d seeds fit in one campaign", uint64(MaxSeeds))
	}
	return nil
}

// ParseSeeds reads "A..B", or "A" for one seed. The error is an *InputError.
func ParseSeeds(text string) (Seeds, error) {
	first, last, isRange := strings.Cut(text, "..")
	if !isRange {
		last = first
	}
	var s Seeds
	var err1, err2 error
	s.From, err1 = strconv.ParseUint(first, 10, 64)
	s.To, err2 = strconv.ParseUint(last, 10, 64)
	if err1 != nil || err2 != nil {
		return s, bad("seeds", strconv.Quote(text), "must be A..B, two whole numbers from 0 to 2^64-1, or one such number")
	}
	return s, s.check()
}

// Shard is one of the parts that a campaign's seeds are dealt into: part I of N,
// counted from 1. The zero value is the whole.
type Shard struct{ I, N uint64 }

// ParseShard reads "i/n". The error is an *InputError.
func ParseShard(text string) (Shard, error) {
	i, n, _ := strings.Cut(text, "/")
	var s Shard
	var err1, err2 error
	s.I, err1 = strconv.ParseUint(i, 10, 64)
	s.N, err2 = strconv.ParseUint(n, 10, 64)
	if err1 != nil || err2 != nil || s.N < 1 || s.I < 1 || s.I > s.N {
		return Shard{}, bad("shard", strconv.Quote(text), "must be i/n with 1 ≤ i ≤ n")
	}
	return s, nil
}

// Of returns the shard's part of the seeds: neighbours, and the parts' sizes
// differ by one at most. The error is an *InputError where there are fewer
// seeds than shards.
func (s Shard) Of(all Seeds) (Seeds, error) {
	if err := all.check(); err != nil {
		return Seeds{}, err
	}
	if s == (Shard{}) {
		return all, nil
	}
	if s.N > all.N() {
		return Seeds{}, bad("shard", fmt.Sprintf("%d/%d", s.I, s.N), "there are only %d seeds", all.N())
	}
	each, more := all.N()/s.N, all.N()%s.N
	begin := func(i uint64) uint64 { return all.From + (i-1)*each + min(i-1, more) }
	last := all.To
	if s.I < s.N {
		last = begin(s.I+1) - 1
	}
	return Seeds{begin(s.I), last}, nil
}

// union joins ranges that may touch but not overlap, in order. Where two
// overlap it returns the seeds that both have.
func union(ranges []Seeds) (joined []Seeds, overlap *Seeds) {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b Seeds) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	for _, r := range ranges {
		if len(joined) == 0 {
			joined = append(joined, r)
			continue
		}
		last := &joined[len(joined)-1]
		switch {
		case r.From <= last.To:
			return nil, &Seeds{r.From, min(r.To, last.To)}
		case r.From == last.To+1:
			last.To = r.To
		default:
			joined = append(joined, r)
		}
	}
	return joined, nil
}
