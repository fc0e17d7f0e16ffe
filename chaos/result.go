package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/quorumlock/quorumlock/chaos/report"
	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/testenv"
)

// Result is what a run came to, as results.json has it.
type Result = report.Result

// Entry is what became of one planned fault.
type Entry = report.Entry

// StoryOutcome is what became of a directed story.
type StoryOutcome = report.StoryOutcome

// KindCount is how many faults of a kind were planned, and how many confirmed.
type KindCount = report.KindCount

// Stalls sums up when the harness's process did not run.
type Stalls = report.Stalls

// limits is what the run cannot show, for its report.
func limits(p *scenario.Plan) []string {
	clocks := "all clients run in one process on one machine, and with the servers on one clock: clock faults (C1) and the death of a machine are not part of it"
	if p.SetsClocks() {
		clocks = "all clients run in one process on one machine and on one clock; servers' clocks run at rates that the drift allows (C1), and are never stepped while the faults last"
	}
	return []string{
		"no violation observed means that this run shows nothing against the lock; it is no proof",
		"a replay repeats the schedule of faults, not the interleaving of clients",
		clocks,
		"the cluster is bootstrapped as a new one, so hints work from the start; an operator who cannot give that word has them sleep for two minutes",
	}
}

// conclude judges the events and writes the files.
func (r *run) conclude(events []linearizability.Event) (*Result, error) {
	// The history first: whatever goes wrong from here on, it can be judged again.
	res, err := r.outline(events)
	if err != nil {
		return nil, err
	}
	if res.Verdict, err = linearizability.Judge(events, res.Params); err != nil {
		return nil, r.fail(res, fmt.Errorf("chaos: judging the history: %w", err))
	}
	r.describe(res, events)
	res.Verdict.Vacuous = r.vacuous(res)
	if err := opine(r.opts.Dir, res, events); err != nil {
		return nil, r.fail(res, err)
	}
	if err := report.WriteResults(r.opts.Dir, res); err != nil {
		return nil, err
	}
	_, err = report.Build(r.opts.Dir)
	return res, err
}

// abandon ends a run in which the harness could not do its work: what there is
// of the history is written down and shown as far as it goes. The error is why.
func (r *run) abandon(events []linearizability.Event, why error) error {
	res, err := r.outline(events)
	if err != nil {
		return errors.Join(why, err)
	}
	if linearizability.Validate(events) == nil {
		r.describe(res, events)
		// For the page alone: with a failed harness there is no verdict.
		if res.Verdict, err = linearizability.Judge(events, res.Params); err != nil {
			return r.fail(res, errors.Join(why, err))
		}
	}
	return r.fail(res, why)
}

// fail writes results and page of a run that says nothing about the lock, and
// returns why.
func (r *run) fail(res *Result, why error) error {
	res.Word, res.ExitCode, res.Error = report.WordFailed, linearizability.ExitBadInput, why.Error()
	if err := report.WriteResults(r.opts.Dir, res); err != nil {
		return errors.Join(why, err)
	}
	_, err := report.Build(r.opts.Dir)
	return errors.Join(why, err)
}

// outline writes the history and returns what is known without a look at it.
func (r *run) outline(events []linearizability.Event) (*Result, error) {
	history, err := writeHistory(r.path(report.HistoryName), events)
	if err != nil {
		return nil, err
	}
	return &Result{
		Version: report.Version, Replay: r.opts.Replay, Began: r.began, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Early: r.early,
		Seed: r.plan.Seed, Duration: r.plan.Duration, Healed: scenario.Duration(r.healed), Backend: cmp.Or(r.opts.Backend, string(testenv.BackendProcess)),
		Nodes: len(r.plan.Nodes), Clients: len(r.plan.Clients), Keys: len(r.plan.Keys), Versions: versions(r.opts.Dir),
		Files: []string{report.HistoryName, scheduleFile, report.ResultsFile, "nodes/"}, History: history,
		Params: r.params(), Stories: append([]StoryOutcome{}, r.told...), Faults: r.ledger.all(), NodeLog: []string{}, Limits: limits(r.plan),
	}, nil
}

// describe counts what happened. The events must be valid.
func (r *run) describe(res *Result, events []linearizability.Event) {
	res.Tally = linearizability.TallyOf(events)
	r.addPaths(res)
	res.Kinds = kindCounts(r.plan, res.Faults)
	res.Stalls, res.Refused = stalls(events), refused(events)
}

// opine asks for a second opinion, which has a say in the run's word, and has
// it drawn in dir where something is wrong.
func opine(dir string, res *Result, events []linearizability.Event) error {
	o, err := linearizability.Opine(context.Background(), events, 0)
	if err != nil {
		return fmt.Errorf("chaos: the second opinion: %w", err)
	}
	settle(res, o)
	drawn, err := o.Visualize(dir)
	res.Files = append(res.Files, drawn...)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	return nil
}

// settle sets the run's word from the verdict and the second opinion. Where they
// disagree one of the checkers is wrong: the harness has failed.
func settle(res *Result, o *linearizability.Opinion) {
	res.SecondOpinion, res.Word, res.ExitCode = o, o.Word(res.Verdict), o.ExitCode(res.Verdict)
	if err := o.Err(); err != nil {
		res.Word, res.ExitCode, res.Error = report.WordFailed, linearizability.ExitBadInput, err.Error()
	}
}

func writeHistory(path string, events []linearizability.Event) (report.HistoryFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return report.HistoryFile{}, fmt.Errorf("chaos: %w", err)
	}
	digest := report.NewDigest()
	w := linearizability.NewWriter(io.MultiWriter(f, digest))
	for _, e := range events {
		if err := w.Write(e); err != nil {
			return report.HistoryFile{}, errors.Join(fmt.Errorf("chaos: writing the history: %w", err), f.Close())
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		return report.HistoryFile{}, fmt.Errorf("chaos: writing the history: %w", err)
	}
	return digest.Of(report.HistoryName), nil
}

// params is what the judge must know of the run. Memory-losing faults ask
// admission first, and clocks run as the drift allows, so that no assumption is
// broken on purpose, unless a story means to.
func (r *run) params() linearizability.Params {
	var broken []linearizability.Assumption
	if r.plan.BreaksC4() {
		broken = append(broken, linearizability.C4)
	}
	return linearizability.Params{
		Broken: broken,
		Quorum: r.plan.Quorum(), TTL: r.plan.TTL.D(), MaxTTL: r.plan.TTL.D(), Drift: r.plan.Drift,
		NodeDeadline: r.plan.NodeDeadline.D(), Clients: len(r.plan.Workers), Hold: r.longestHold(), Healed: r.healed,
	}
}

func (r *run) addPaths(res *Result) {
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
	list := []KindCount{}
	for _, k := range scenario.AllKinds() {
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

// stalls sums up. Lines overlap, one thread's wait and another's; the total
// counts each moment once.
func stalls(events []linearizability.Event) Stalls {
	var s Stalls
	var seen []linearizability.Stall
	for _, e := range events {
		if e.F == linearizability.StallSeen && e.Value.Stall != nil {
			seen = append(seen, *e.Value.Stall)
		}
	}
	slices.SortFunc(seen, func(a, b linearizability.Stall) int { return cmp.Compare(a.From, b.From) })
	end := int64(0)
	for _, st := range seen {
		s.Count++
		s.Longest = max(s.Longest, scenario.Duration(st.To-st.From))
		s.Total += scenario.Duration(max(0, st.To-max(st.From, end)))
		end = max(end, st.To)
	}
	return s
}
