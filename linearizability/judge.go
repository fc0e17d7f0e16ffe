package linearizability

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// history is what the checks share: the events and what follows from them.
type history struct {
	events []Event
	ops    []Op
	holds  []Hold // in the order of their claims' beginning
	away   *absences
	p      Params
	perKey map[string][]*Hold // made on demand by byKey
	end    int64              // time of the last event
	healed int64
}

func newHistory(events []Event, p Params) *history {
	ops := Ops(events)
	h := &history{events: events, ops: ops, holds: holdsOf(events, ops), away: newAbsences(events), p: p,
		healed: p.Healed}
	if n := len(events); n > 0 {
		h.end = events[n-1].Time
	}
	for i := range events {
		if events[i].Process == Nemesis && p.Healed == 0 {
			h.healed = events[i].Time
		}
	}
	return h
}

// Judge gives each property its verdict on the events of one run. It returns a
// *HistoryError if the events break the rules of histories, and a *ParamsError
// if p makes no sense. An empty history is Unknown.
//
// Judge says nothing about vacuity, which needs a plan: see Plan.
func Judge(events []Event, p Params) (*Verdict, error) {
	return judge(events, p, "", Properties())
}

func judge(events []Event, p Params, model string, properties []Property) (*Verdict, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := Validate(events); err != nil {
		return nil, err
	}
	h := newHistory(events, p)
	v := &Verdict{Model: model, Events: len(events), Broken: slices.Clone(p.Broken)}
	for _, prop := range properties {
		v.Properties = append(v.Properties, h.property(prop))
	}
	if f := v.Property(FencedResource); f != nil && f.Outcome == Invalid {
		if t := v.Property(TokenOrder); t != nil && t.Outcome == Invalid {
			f.Blame = blameLock
		}
	}
	v.merge()
	return v, nil
}

// Whom a failure blames.
const (
	blameLock        = "the lock"
	blameGuard       = "the guard"
	blameApplication = "the application"
	blameNobody      = "nobody"
)

// property judges one property.
func (h *history) property(p Property) PropertyVerdict {
	v := PropertyVerdict{Property: p, Claimed: p.claimed(h.p.Broken)}
	v.Assumes, _ = p.Assumes()
	if len(h.events) == 0 {
		v.Clauses = []Clause{{Name: string(p), Outcome: NotJudged, Reason: "the history is empty"}}
	} else {
		v.Clauses = h.clauses(p)
	}
	var outcomes []Outcome
	var reasons []string
	for _, c := range v.Clauses {
		outcomes = append(outcomes, c.Outcome)
		reason := c.Reason
		if len(v.Clauses) > 1 {
			reason = fmt.Sprintf("%s: %s: %s", c.Name, c.Outcome, c.Reason)
		}
		reasons = append(reasons, reason)
		if v.Counterexample == nil {
			v.Counterexample = c.Counterexample
		}
	}
	v.Outcome, v.Reason = Merge(outcomes...), strings.Join(reasons, "; ")
	if v.Outcome == Invalid {
		v.Blame = p.blame()
	}
	return v
}

func (h *history) clauses(p Property) []Clause {
	switch p {
	case MutualExclusion:
		return []Clause{h.mutualExclusion()}
	case HonestValidity:
		return []Clause{h.honestSamples(), h.honestReturns()}
	case TimelyLoss:
		return []Clause{h.timelyLoss()}
	case TokenOrder:
		return []Clause{h.tokenOrder()}
	case FencedResource:
		return []Clause{h.staleTokens(), h.lostWrites(Fenced)}
	case Liveness:
		return []Clause{h.waiters(), h.deadHolders()}
	case NoOrphans:
		return []Clause{h.eternalKeys(), h.leftovers()}
	case UnfencedResource:
		return []Clause{h.lostWrites(Unfenced)}
	case Overrun:
		return []Clause{h.overrun()}
	}
	return []Clause{{Name: string(p), Outcome: NotJudged, Reason: "not built yet"}}
}

func (p Property) blame() string {
	switch p {
	case FencedResource:
		return blameGuard
	case UnfencedResource:
		return blameNobody
	case Overrun:
		return blameApplication
	}
	return blameLock
}

// notJudged returns a clause that could not be judged.
func notJudged(name, format string, args ...any) Clause {
	return Clause{Name: name, Outcome: NotJudged, Reason: fmt.Sprintf(format, args...)}
}

// valid returns a clause that held in n cases.
func valid(name string, n int, format string, args ...any) Clause {
	return Clause{Name: name, Outcome: Valid, Judged: n, Reason: fmt.Sprintf(format, args...)}
}

// invalid returns a clause that failed, with the events that show it.
func invalid(name string, n int, indices []int, format string, args ...any) Clause {
	indices = slices.DeleteFunc(indices, func(i int) bool { return i < 0 })
	slices.Sort(indices)
	story := fmt.Sprintf(format, args...)
	return Clause{Name: name, Outcome: Invalid, Judged: n, Reason: story,
		Counterexample: &Counterexample{Indices: slices.Compact(indices), Story: story}}
}

// at writes a time of the run, or a length of time, for people.
func at(ns int64) string {
	if ns == Never {
		return "never"
	}
	return time.Duration(ns).String()
}

// who names a hold for people.
func (h *Hold) who() string {
	token := ""
	if h.Token != 0 {
		token = fmt.Sprintf(" with token %v", h.Token)
	}
	return fmt.Sprintf("client %s's hold %s of %q%s", h.Client, h.Hold, h.Key, token)
}

// until says for people when and by what the claim ended.
func (h *Hold) until() string {
	switch h.EndedBy {
	case EndedByRelease:
		return "until its release was invoked at " + at(h.EndTime)
	case EndedByLoss:
		return "until its holder was told of the loss at " + at(h.EndTime)
	}
	if h.Deadline != Never {
		return "until its deadline at " + at(h.Deadline)
	}
	return "to the end of the history"
}

// ending returns the index of the event that ended the claim, or -1.
func (h *Hold) ending() int {
	switch h.EndedBy {
	case EndedByRelease:
		return h.Released
	case EndedByLoss:
		return h.Lost
	}
	return -1
}

// plural returns "1 thing" or "n things".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
