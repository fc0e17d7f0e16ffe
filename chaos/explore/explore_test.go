package explore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// TestScopesBegin: every scope is one that the explorer can represent, its
// prefix can be walked, and its first states break nothing.
func TestScopesBegin(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Scopes() {
		if names[s.Name] || s.Covers == "" || s.Name == "all" || s.Name == "ci" {
			t.Errorf("scope %q: names are unique, and say what they cover", s.Name)
		}
		names[s.Name] = true
		res, err := Explore(t.Context(), &s, Options{Limit: 300})
		if err != nil || res.Violation != nil {
			t.Errorf("%s: %v, %+v", s.Name, err, res)
		}
	}
}

// TestSmallScopes explores the smallest scopes to the end, twice: nothing is
// broken, and both times the same is found.
func TestSmallScopes(t *testing.T) {
	for _, name := range []string{"two", "two-stays"} {
		scopes, err := Choose(name)
		if err != nil {
			t.Fatal(err)
		}
		first, err := Explore(t.Context(), scopes[0], Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !first.Complete || first.Violation != nil || first.States < 2000 {
			t.Errorf("%s: %+v", name, first)
		}
		again, err := Explore(t.Context(), scopes[0], Options{})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := figures(first), figures(again); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %+v, and again %+v", name, a, b)
		}
	}
}

// figures are what must be the same every time.
func figures(r *Result) Result {
	f := *r
	f.Seconds, f.Rate, f.PeakBytes = 0, 0, 0
	return f
}

// TestJobsChangeNothing: scopes explored at the same time come to what they come
// to one after the other, in the same order.
func TestJobsChangeNothing(t *testing.T) {
	var scopes []*Scope
	for _, s := range small() {
		scopes = append(scopes, &s)
	}
	var got [2][]Result
	for i, jobs := range []int{1, 3} {
		report, err := All(t.Context(), scopes, Options{Jobs: jobs, Limit: 2000}, func(*Scope, *Result) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Scopes {
			got[i] = append(got[i], figures(r))
		}
	}
	if !reflect.DeepEqual(got[0], got[1]) {
		t.Errorf("one job: %+v\nthree: %+v", got[0], got[1])
	}
}

// TestInterrupted: what was not looked at is not called complete.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	scopes, err := Choose("two")
	if err != nil {
		t.Fatal(err)
	}
	res, err := Explore(ctx, scopes[0], Options{})
	if err != nil || res.Complete || res.Limited {
		t.Errorf("%v, %+v", err, res)
	}
	if res, err = Explore(t.Context(), scopes[0], Options{Limit: 100}); err != nil || res.Complete || !res.Limited {
		t.Errorf("limited: %v, %+v", err, res)
	}
}

// TestForeignersAreConvicted explores something that is wrong by itself: two
// redsync clients and a node that forgets. The story must be the shortest one,
// and end with two holders.
func TestForeignersAreConvicted(t *testing.T) {
	s := Scope{Name: "foreigners", Nodes: 3, TTL: 3, Foreign: 2, Victims: 1, Forgets: 1}
	res, err := Explore(t.Context(), &s, Options{})
	if err != nil || res.Violation == nil {
		t.Fatalf("%v, %+v", err, res)
	}
	// Both begin, each is granted by two nodes, and the one in between forgets.
	if v := res.Violation; v.Property != "mutual exclusion" || v.Depth != 7 {
		t.Errorf("%+v", v)
	}
	story := strings.Join(res.Violation.Story, "\n")
	for _, want := range []string{"F1, a redsync client, begins", "n1 loses its memory", "F2 holds the lock", "F1: holds x\nF2: holds x"} {
		if !strings.Contains(story, want) {
			t.Errorf("the story lacks %q:\n%s", want, story)
		}
	}
	again, err := Explore(t.Context(), &s, Options{})
	if err != nil || !reflect.DeepEqual(again.Violation, res.Violation) {
		t.Errorf("another story the second time: %v, %+v", err, again.Violation)
	}
	other, err := Explore(t.Context(), &s, Options{Property: "token order"})
	if err != nil || other.Violation != nil || !other.Complete {
		t.Errorf("judged for token order alone: %v, %+v", err, other)
	}
}

func TestBadInput(t *testing.T) {
	var unknown *UnknownScopeError
	if _, err := Choose("none"); !errors.As(err, &unknown) || unknown.Name != "none" || !strings.Contains(err.Error(), "two") {
		t.Errorf("unknown scope: %v", err)
	}
	var property *PropertyError
	s := Scope{Name: "s", Nodes: 3, TTL: 3}
	if _, err := Explore(t.Context(), &s, Options{Property: "beauty"}); !errors.As(err, &property) || property.Name != "beauty" {
		t.Errorf("unknown property: %v", err)
	}
	for field, s := range map[string]Scope{
		"Nodes":          {Nodes: 0, TTL: 3},
		"TTL":            {Nodes: 3, TTL: 2},
		"Attempts":       {Nodes: 3, TTL: 3, Attempts: asking(maxAttempts + 1)},
		"Attempts.Locks": {Nodes: 3, TTL: 3, Attempts: []Attempt{{Locks: "z"}}},
		"Victims":        {Nodes: 3, TTL: 3, Victims: 4},
		"Seconds":        {Nodes: 3, TTL: 3, Seconds: []int{0}},
		"Prefix[1]":      {Nodes: 3, TTL: 3, Attempts: asking(1), Prefix: []string{"A starts", "A flies"}},
	} {
		var bad *ScopeError
		if _, err := Explore(t.Context(), &s, Options{}); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestReportJSON(t *testing.T) {
	s := Scope{Name: "foreigners", Nodes: 3, TTL: 3, Foreign: 2, Victims: 1, Forgets: 1}
	report, err := All(t.Context(), []*Scope{&s}, Options{}, func(*Scope, *Result) {})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := report.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Version int
		Scopes  []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.Version != Version || len(got.Scopes) != 1 {
		t.Fatalf("%v: %s", err, b.Bytes())
	}
	for _, key := range []string{"scope", "states", "transitions", "depth", "complete", "seconds", "states_per_second", "peak_bytes", "violation"} {
		if _, ok := got.Scopes[0][key]; !ok {
			t.Errorf("%q is missing: %s", key, b.Bytes())
		}
	}
}

// TestLivenessFalls leaves a key at the lock that nobody's RELEASE deletes, as a
// RELEASE that does nothing would: then no fresh attempt may win.
func TestLivenessFalls(t *testing.T) {
	s := Scope{Name: "free", Nodes: 3, TTL: 3, Attempts: asking(1), Unlocks: true, Timeless: true}
	x := visit(t, s, 0)
	ended := -1
	for i := range x.seen.n {
		state := x.seen.at(i)
		if x.w.actors.values[state[x.w.nserver]].stage == over && x.w.judgeLiveness(state) == none {
			ended = i
		}
	}
	if ended < 0 {
		t.Fatal("no attempt ended")
	}
	state := append([]uint32(nil), x.seen.at(ended)...)
	for i := range x.w.nserver {
		v := x.w.servers.values[state[i]]
		v.state = v.state.Clone()
		v.state.Set("x", "nobody", 1000, v.now())
		state[i] = x.w.addServer(v)
	}
	if got := x.w.judgeLiveness(state); got != stuck {
		t.Errorf("a lock that cannot be taken: %v", got)
	}
}
