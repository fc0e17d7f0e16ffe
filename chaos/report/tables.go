package report

import (
	"fmt"
	"maps"
	"slices"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

func sorted[V any](m map[string]V) []string { return slices.SortedFunc(maps.Keys(m), natural) }

// kindRow sets planned against confirmed.
type kindRow struct {
	Kind, What         string
	Planned, Confirmed int
	Missing            bool
}

func kindRows(res *Result) []kindRow {
	var list []kindRow
	for _, k := range res.Kinds {
		list = append(list, kindRow{plain(string(k.Kind)), kinds[k.Kind], k.Planned, k.Confirmed, k.Confirmed == 0 && k.Planned > 0})
	}
	return list
}

// faultRow is one fault of the ledger.
type faultRow struct {
	ID                                int64
	Kind, On, Story                   string
	Planned, Begin, End, Took, Reason string
	Confirmed                         bool
}

func faultRows(res *Result) []faultRow {
	var list []faultRow
	for _, e := range res.Faults {
		r := faultRow{ID: e.ID, Kind: plain(string(e.Kind)), On: on(e.Nodes, e.Clients), Story: plain(e.Story), Planned: at(int64(e.Planned)),
			Confirmed: e.Confirmed, Reason: plain(e.Reason)}
		if e.Direction != "" {
			r.On += " " + plain(string(e.Direction))
		}
		if e.Confirmed {
			r.Begin = at(int64(e.Begin))
		}
		if e.End > 0 {
			r.End, r.Took = at(int64(e.End)), long(int64(e.End-e.Begin))
		}
		list = append(list, r)
	}
	return list
}

// storyRow is what became of a directed story.
type storyRow struct {
	Name, Why, Error string
	Told             bool
	Tries            int
}

func storyRows(res *Result) []storyRow {
	var list []storyRow
	for _, s := range res.Stories {
		list = append(list, storyRow{plain(s.Name), plain(s.Why), wordy(s.Error), s.Told, s.Tries})
	}
	slices.SortStableFunc(list, func(a, b storyRow) int {
		return slices.Index(scenario.AllStoryNames(), a.Name) - slices.Index(scenario.AllStoryNames(), b.Name)
	})
	return list
}

// countRow is what came of one kind of operation, in all and of those that
// ended while a fault was active.
type countRow struct {
	F                    string
	OK, Fail, Info       int
	FOK, FFail, FInfo    int
	Refused              int
	Median, P95, Longest string
}

// countRows counts operations from the history. An operation that never ended
// counts at the end of the history.
func countRows(f *facts) []countRow {
	order := []linearizability.F{linearizability.Acquire, linearizability.Extend, linearizability.Release, linearizability.Stamp, linearizability.Read, linearizability.Write}
	rows := make([]countRow, len(order))
	took := make([][]int64, len(order))
	for i, name := range order {
		rows[i].F = string(name)
	}
	active := f.underFault()
	for i := range f.ops {
		op := &f.ops[i]
		n := slices.Index(order, op.F)
		if n < 0 {
			continue
		}
		r, under := &rows[n], op.Return >= 0 && active[op.Return]
		switch op.Type {
		case linearizability.OK:
			add(under, &r.OK, &r.FOK)
			if v := op.Result.Accepted; v != nil && !*v {
				r.Refused++
			}
			took[n] = append(took[n], op.End-op.Start)
		case linearizability.Fail:
			add(under, &r.Fail, &r.FFail)
		default:
			add(under, &r.Info, &r.FInfo)
		}
	}
	for i, list := range took {
		if slices.Sort(list); len(list) > 0 {
			rows[i].Median, rows[i].P95, rows[i].Longest = long(list[(len(list)-1)/2]), long(list[(len(list)*95+99)/100-1]), long(list[len(list)-1])
		}
	}
	return rows
}

func add(under bool, all, some *int) {
	*all++
	if under {
		*some++
	}
}

// underFault tells for each line whether a fault that lasts was active there.
func (f *facts) underFault() []bool {
	changes := make([]int, len(f.events)+1)
	open := map[int64]int{}
	for i := range f.events {
		switch v := f.events[i].Value.Fault; {
		case v == nil || !v.Confirmed && v.Phase != linearizability.FaultEnd:
		case v.Phase == linearizability.FaultEnd:
			if from, ok := open[v.ID]; ok {
				changes[from]++
				changes[i]--
				delete(open, v.ID)
			}
		default:
			open[v.ID] = i
		}
	}
	active, out := 0, make([]bool, len(f.events))
	for i := range out {
		active += changes[i]
		out[i] = active > 0
	}
	return out
}

// pathRow is how often the protocol took a rarer way.
type pathRow struct {
	Path, What string
	N          int
}

func pathRows(res *Result) []pathRow {
	var list []pathRow
	for _, p := range sorted(res.Tally.Paths) {
		list = append(list, pathRow{plain(p), paths[p], res.Tally.Paths[p]})
	}
	return list
}

// opinion is the second opinion as the page shows it.
type opinion struct {
	Agreement, Class string
	Checker, Took    string
	Keys             []keyRow
}

// keyRow is what both checkers say of one lock.
type keyRow struct {
	Key, Agreement, Class string
	Ours, Theirs          string // the verdicts
	OurWhy, TheirWhy      string
	Open                  bool // worth reading
}

func (o *opinion) keys() []keyRow {
	if o == nil {
		return nil
	}
	return o.Keys
}

func opinionOf(res *Result) *opinion {
	o := res.SecondOpinion
	if o == nil {
		return nil
	}
	class := func(a linearizability.Agreement) string {
		return map[linearizability.Agreement]string{linearizability.Agrees: "good", linearizability.Disagrees: "bad"}[a]
	}
	view := &opinion{Agreement: plain(string(o.Agreement)), Class: class(o.Agreement),
		Checker: plain(o.Checker), Took: took(o.Took)}
	for _, k := range o.Keys {
		view.Keys = append(view.Keys, keyRow{
			Key: plain(k.Key), Agreement: plain(string(k.Agreement)), Class: class(k.Agreement),
			Ours: plain(string(k.Ours.Outcome)), Theirs: plain(string(k.Porcupine.Outcome)),
			OurWhy: wordy(k.Ours.Reason), TheirWhy: wordy(k.Porcupine.Reason),
			Open: k.Agreement != linearizability.Agrees || k.Ours.Outcome == linearizability.Invalid,
		})
	}
	return view
}

// share is how much of all acquisitions returned while a fault was active.
func (r *Result) share() int {
	if r.Tally.Acquired == 0 {
		return 0
	}
	return 100 * r.Tally.UnderFault / r.Tally.Acquired
}

// Traffic is what happened, in a few sentences.
func (r *Result) Traffic() string {
	s := fmt.Sprintf("%s fought over %s on %s for %v. Of %s %d %% returned while a fault was active; %s had to wait for another holder.",
		count(r.Clients, "client"), count(r.Keys, "lock"), count(r.Nodes, r.server()), r.Duration,
		count(r.Tally.Acquired, "acquisition"), r.share(), count(r.Tally.Waited, "acquire"))
	if r.Early {
		s += " The run was stopped before its time."
	}
	return s
}
