package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// Result is what a run came to, as results.json has it.
type Result struct {
	Word     string    `json:"word"` // VIOLATED, NO VIOLATION OBSERVED, UNKNOWN or VACUOUS
	ExitCode int       `json:"exit_code"`
	Replay   string    `json:"replay"` // repeats the schedule, not the interleaving
	Began    time.Time `json:"began"`
	Go       string    `json:"go"`
	Platform string    `json:"platform"`
	Early    bool      `json:"stopped_early,omitempty"`

	Seed      uint64            `json:"seed"`
	Duration  scenario.Duration `json:"duration"`
	Healed    scenario.Duration `json:"healed"` // when everything had been healed, since the run's beginning
	Nodes     int               `json:"nodes"`
	Clients   int               `json:"clients"`
	Keys      int               `json:"keys"`
	Histories []string          `json:"files"`

	Verdict *linearizability.Verdict `json:"verdict"`
	Params  linearizability.Params   `json:"params"`
	Tally   linearizability.Tally    `json:"tally"`
	Stories []StoryOutcome           `json:"stories"`
	Faults  []Entry                  `json:"faults"`
	Kinds   []KindCount              `json:"fault_kinds"`
	Stalls  Stalls                   `json:"stalls"`
	Refused int                      `json:"refused_by_fence"` // operations on the fenced resource
	NodeLog []string                 `json:"node_log"`         // what befell nodes, in the clients' eyes
	Limits  []string                 `json:"limits"`
}

// KindCount is how many faults of a kind were planned, and how many confirmed.
type KindCount struct {
	Kind      scenario.Kind `json:"kind"`
	Planned   int           `json:"planned"`
	Confirmed int           `json:"confirmed"`
}

// Stalls sums up when the harness's process did not run.
type Stalls struct {
	Count   int               `json:"count"`
	Total   scenario.Duration `json:"total"`
	Longest scenario.Duration `json:"longest"`
}

// limits is what no run can show, for every report.
func limits() []string {
	return []string{
		"no violation observed means that this run shows nothing against the lock; it is no proof",
		"a replay repeats the schedule of faults, not the interleaving of clients",
		"all clients run in one process on one machine, and with the servers on one clock: clock faults (C1) and the death of a machine are not part of it",
		"the cluster is bootstrapped as a new one, so hints work from the start; an operator who cannot give that word has them sleep for two minutes",
	}
}

// conclude judges the events and writes the files.
func (r *run) conclude(events []linearizability.Event) (*Result, error) {
	res := &Result{
		Replay: r.opts.Replay, Began: r.began, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Early: r.early,
		Seed: r.plan.Seed, Duration: r.plan.Duration, Healed: scenario.Duration(r.healed),
		Nodes: len(r.plan.Nodes), Clients: len(r.plan.Clients), Keys: len(r.plan.Keys),
		Histories: []string{"history.jsonl", "schedule.json", "results.json", "nodes/"},
		Params:    r.params(), Stories: r.told, Faults: r.ledger.all(), Limits: limits(),
	}
	// The history first: whatever goes wrong from here on, it can be judged again.
	if err := writeHistory(r.path("history.jsonl"), events); err != nil {
		return nil, err
	}
	var err error
	if res.Verdict, err = linearizability.Judge(events, res.Params); err != nil {
		return nil, fmt.Errorf("chaos: judging the history: %w", err)
	}
	res.Tally = linearizability.TallyOf(events)
	r.addPaths(res)
	res.Kinds = kindCounts(r.plan, res.Faults)
	res.Stalls, res.Refused = stalls(events), refused(events)
	res.Verdict.Vacuous = r.vacuous(res)
	res.Word, res.ExitCode = res.Verdict.Word(), res.Verdict.ExitCode()
	data, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("chaos: encoding the results: %w", err)
	}
	return res, os.WriteFile(r.path("results.json"), append(data, '\n'), 0o644)
}

func writeHistory(path string, events []linearizability.Event) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	w := linearizability.NewWriter(f)
	for _, e := range events {
		if err := w.Write(e); err != nil {
			return errors.Join(fmt.Errorf("chaos: writing the history: %w", err), w.Close())
		}
	}
	return w.Close()
}

// params is what the judge must know of the run. No assumption is broken on
// purpose: memory-losing faults ask admission first, and clocks are left alone.
func (r *run) params() linearizability.Params {
	return linearizability.Params{
		Quorum: r.plan.Quorum(), TTL: r.plan.TTL.D(), MaxTTL: r.plan.TTL.D(), Drift: r.plan.Drift,
		NodeDeadline: r.plan.NodeDeadline.D(), Clients: len(r.plan.Workers), Hold: r.longestHold(), Healed: r.healed,
	}
}

func (r *run) addPaths(res *Result) {
	res.NodeLog = []string{}
	for _, name := range append(append([]string{}, r.plan.Clients...), r.plan.StoryClients()...) {
		paths, nodes := r.clients[name].trace.summary()
		for path, n := range paths {
			res.Tally.Paths[path] += n
		}
		res.NodeLog = append(res.NodeLog, nodes...)
	}
	res.Tally.Paths[string(scenario.PathFenceTurn)] = r.eyes.fenceTurns()
}

// vacuous says why the run means nothing, if so: what the plan meant to do and
// did not.
func (r *run) vacuous(res *Result) []string {
	p := linearizability.Plan{
		Operations: []linearizability.F{
			linearizability.Acquire, linearizability.Release, linearizability.Stamp, linearizability.Read, linearizability.Write,
		},
		Chaos: r.plan.Story == "" && len(r.plan.Faults) > 0,
	}
	if r.plan.Story == "" {
		p.Operations = append(p.Operations, linearizability.Extend)
	}
	for _, k := range res.Kinds {
		if k.Planned > 0 {
			p.Faults = append(p.Faults, linearizability.F(k.Kind))
		}
	}
	for _, path := range r.plan.Paths {
		p.Paths = append(p.Paths, string(path))
	}
	reasons := p.Vacuous(res.Tally)
	for _, s := range r.plan.Stories {
		i := slices.IndexFunc(res.Stories, func(o StoryOutcome) bool { return o.Name == s.Name })
		switch {
		case i < 0:
			reasons = append(reasons, fmt.Sprintf("the story %s was never begun", s.Name))
		case !res.Stories[i].Told:
			reasons = append(reasons, fmt.Sprintf("the story %s did not come to its end: %s", s.Name, res.Stories[i].Error))
		}
	}
	return reasons
}

// kindCounts sets planned against confirmed, stories' faults included.
func kindCounts(p *scenario.Plan, entries []Entry) []KindCount {
	counts := map[scenario.Kind]*KindCount{}
	of := func(k scenario.Kind) *KindCount {
		if counts[k] == nil {
			counts[k] = &KindCount{Kind: k}
		}
		return counts[k]
	}
	for _, f := range p.Faults {
		of(f.Kind).Planned++
	}
	for _, s := range p.Stories {
		for _, step := range s.Steps {
			switch step.Do {
			case scenario.DoFault:
				of(step.Kind).Planned++
			case scenario.DoCrash:
				of(scenario.Crash).Planned++
			}
		}
	}
	for _, e := range entries {
		if e.Confirmed {
			of(e.Kind).Confirmed++
		}
	}
	var list []KindCount
	for _, k := range append(scenario.Kinds(), scenario.Crash) {
		if c := counts[k]; c != nil {
			list = append(list, *c)
		}
	}
	return list
}

// refused counts what the fence turned away.
func refused(events []linearizability.Event) int {
	n := 0
	for _, e := range events {
		if e.Value.Accepted != nil && !*e.Value.Accepted {
			n++
		}
	}
	return n
}

func stalls(events []linearizability.Event) Stalls {
	var s Stalls
	for _, e := range events {
		if e.F == linearizability.StallSeen && e.Value.Stall != nil {
			d := scenario.Duration(e.Value.Stall.To - e.Value.Stall.From)
			s.Count++
			s.Total += d
			s.Longest = max(s.Longest, d)
		}
	}
	return s
}
