package linearizability

import (
	"cmp"
	"slices"
	"sort"

	"github.com/anishathalye/porcupine"
)

// porcupineVersion names the checker in reports.
const porcupineVersion = "porcupine v1.3.1"

// What porcupine is told is worked out here from the events alone, without
// Hold, Op and the sweeps: a mistake in those must be able to show.

// fencedOp is one step of a fenced mutex, as porcupine's input.
type fencedOp struct {
	do     fencedStep
	client string
	hold   string
	token  Token
	reader bool
	maybe  bool // it may also not have happened

	line  int   // of the invocation, or at which the claim ended
	until int   // of the return; line where there is none
	last  Token // largest token of this and all that returned before
}

type fencedStep int

const (
	stepTake  fencedStep = iota // the lock and its fence
	stepFence                   // the fence alone: the claim is empty
	stepFree                    // the lock
)

// fencedTask is the history of one key for porcupine.
type fencedTask struct {
	key   string
	ops   []porcupine.Operation // inputs are *fencedOp; ordered by return
	holds int                   // acquires that returned ok
	// claims tells that holds end where their claims do, rather than by
	// releases, so that all operations are known to have happened.
	claims  bool
	readers bool // there are some, and no claims: the model cannot tell
}

// hasDeadlines tells whether some event has a deadline. In such a history holds
// end with their claims, and otherwise by their releases.
func hasDeadlines(events []Event) bool {
	return slices.ContainsFunc(events, func(e Event) bool { return e.Value.ValidUntil != nil })
}

// call is an operation of a client in the events.
type call struct {
	invoke, ret int // ret is -1 if it never returned
	outcome     Type
	hold        string
}

// callsOf pairs invocations with returns.
func callsOf(events []Event) []call {
	var calls []call
	open := map[Process]int{}
	for i := range events {
		e := &events[i]
		switch {
		case e.Process < 0:
		case e.Type == Invoke:
			open[e.Process] = len(calls)
			calls = append(calls, call{invoke: i, ret: -1, outcome: Info, hold: e.Value.Hold})
		default:
			c := &calls[open[e.Process]]
			c.ret, c.outcome = i, e.Type
			if c.hold == "" || e.F == Acquire {
				c.hold = e.Value.Hold
			}
		}
	}
	return calls
}

// porcupineTasks returns a task for each key that was asked for, by name.
func porcupineTasks(events []Event) []*fencedTask {
	claims := hasDeadlines(events)
	tasks := map[string]*fencedTask{}
	calls := callsOf(events)
	ends := map[string]int{}
	if claims {
		ends = claimEnds(events, calls)
	}
	for _, c := range calls {
		e := &events[c.invoke]
		if e.F != Acquire && e.F != Release {
			continue
		}
		t := tasks[e.Key]
		if t == nil {
			t = &fencedTask{key: e.Key, claims: claims}
			tasks[e.Key] = t
		}
		if e.F == Acquire && c.outcome == OK {
			t.holds++
		}
		if claims {
			t.addClaim(events, c, ends)
		} else {
			t.addCall(events, c)
		}
	}
	var sorted []*fencedTask
	for _, t := range tasks {
		t.sort()
		sorted = append(sorted, t)
	}
	slices.SortFunc(sorted, func(a, b *fencedTask) int { return cmp.Compare(a.key, b.key) })
	return sorted
}

// claimEnds returns for each hold the line that its claim does not cover any
// longer, or the number of lines if it goes on to the end.
func claimEnds(events []Event, calls []call) map[string]int {
	ends := map[string]int{}
	deadlines := map[string]int64{}
	sooner := func(hold string, line int) {
		if end, ok := ends[hold]; ok && line < end {
			ends[hold] = line
		}
	}
	for _, c := range calls {
		if events[c.invoke].F == Acquire && c.outcome == OK {
			ends[c.hold] = len(events)
		}
	}
	for _, c := range calls {
		switch f := events[c.invoke].F; {
		case f == Release:
			sooner(c.hold, c.invoke)
		case c.outcome == OK && (f == Acquire || f == Extend):
			if v := events[c.ret].Value.ValidUntil; v != nil {
				if d, ok := deadlines[c.hold]; !ok || *v > d {
					deadlines[c.hold] = *v
				}
			}
		}
	}
	for i := range events {
		if events[i].Process == Observer && events[i].F == LostHold {
			sooner(events[i].Value.Hold, i)
		}
	}
	for hold, deadline := range deadlines {
		sooner(hold, sort.Search(len(events), func(i int) bool { return events[i].Time >= deadline }))
	}
	return ends
}

// Porcupine's clock shows twice the line's index at a line, and an odd number
// at the point just before a line.

func atLine(i int) int64     { return 2 * int64(i) }
func beforeLine(i int) int64 { return 2*int64(i) - 1 }

// addClaim adds what an acquire that returned ok did: it took the lock and its
// fence, and freed it just before the line where its claim ended. An empty
// claim has a fence at most. Nothing else matters where claims count.
func (t *fencedTask) addClaim(events []Event, c call, ends map[string]int) {
	e := &events[c.invoke]
	if e.F != Acquire || c.outcome != OK {
		return
	}
	v := events[c.ret].Value
	in := &fencedOp{do: stepTake, client: e.Value.Client, hold: c.hold, token: v.Token, line: c.invoke, until: c.ret,
		reader: v.Mode == ModeRead || v.Mode == "" && e.Value.Mode == ModeRead}
	end := ends[c.hold]
	if end <= c.ret {
		in.do = stepFence
	}
	if in.do == stepTake || in.token != 0 {
		t.add(in, atLine(c.invoke), atLine(c.ret))
	}
	if in.do == stepTake && end < len(events) {
		t.add(&fencedOp{do: stepFree, client: in.client, hold: in.hold, reader: in.reader, line: end, until: end}, beforeLine(end), beforeLine(end))
	}
}

// addCall adds an acquire or release as it was called. One that failed did not
// happen; one of unknown outcome may have happened at any time since, or never.
func (t *fencedTask) addCall(events []Event, c call) {
	e := &events[c.invoke]
	in := &fencedOp{do: stepTake, client: e.Value.Client, hold: c.hold, line: c.invoke, until: c.ret}
	if e.F == Release {
		in.do = stepFree
	}
	mode := e.Value.Mode
	if c.ret >= 0 && mode == "" {
		mode = events[c.ret].Value.Mode
	}
	t.readers = t.readers || mode == ModeRead
	switch c.outcome {
	case OK:
		if in.do == stepTake {
			in.token = events[c.ret].Value.Token
		}
		t.add(in, atLine(c.invoke), atLine(c.ret))
	case Info:
		in.maybe, in.until = true, len(events)
		t.add(in, atLine(c.invoke), atLine(len(events)))
	}
}

func (t *fencedTask) add(in *fencedOp, from, to int64) {
	t.ops = append(t.ops, porcupine.Operation{Input: in, Metadata: in, Call: from, Return: to})
}

// sort puts the operations in the order in which they returned.
func (t *fencedTask) sort() {
	slices.SortStableFunc(t.ops, func(a, b porcupine.Operation) int {
		return cmp.Or(cmp.Compare(a.Return, b.Return), cmp.Compare(a.Call, b.Call))
	})
	clients := map[string]int{}
	var last Token
	for i := range t.ops {
		in := t.ops[i].Input.(*fencedOp)
		if _, ok := clients[in.client]; !ok {
			clients[in.client] = len(clients)
		}
		t.ops[i].ClientId = clients[in.client]
		last = max(last, in.token)
		in.last = last
	}
}
