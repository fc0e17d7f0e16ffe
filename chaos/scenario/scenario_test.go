package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// plans calls f with the plans of many seeds and sizes.
func plans(t *testing.T, f func(t *testing.T, p *Plan)) {
	t.Helper()
	for _, p := range somePlans() {
		if p.err != nil {
			t.Fatalf("%v: %v", p.what, p.err)
		}
		if f(t, p.plan); t.Failed() {
			t.Fatal(p.what)
		}
	}
}

type made struct {
	plan *Plan
	err  error
	what string // for whoever reads a failure: New with these options makes the plan again
}

// somePlans makes the plans once for all tests, which do not write to them.
var somePlans = sync.OnceValue(func() []made {
	var list []made
	for _, duration := range []time.Duration{20 * time.Second, time.Minute} {
		for _, nodes := range []int{3, 4, 5, 7} {
			for seed := range uint64(12) {
				if nodes < 5 {
					duration = max(duration, 30*time.Second) // one spare node: faults queue up
				}
				p, err := New(Options{Duration: duration, Nodes: nodes, Seed: seed})
				list = append(list, made{p, err, fmt.Sprintf("duration %v, nodes %d, seed %d", duration, nodes, seed)})
			}
		}
	}
	return list
})

func TestSameSeedSamePlan(t *testing.T) {
	encode := func(seed uint64) []byte {
		p, err := New(Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(encode(7), encode(7)) {
		t.Error("two plans of seed 7 differ")
	}
	if bytes.Equal(encode(7), encode(8)) {
		t.Error("the plans of seeds 7 and 8 are equal")
	}
}

func TestPlanSurvivesJSON(t *testing.T) {
	p, err := New(Options{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	first, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	q, err := Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := q.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("a plan read from JSON and written again differs")
	}
	for _, bad := range []string{``, `{"version":2}`, `{"version":1,"surprise":1}`, `{"version":1,"ttl":"soon"}`} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("Parse(%q) gave no error", bad)
		}
	}
}

func TestFaultsAreNumberedAndFit(t *testing.T) {
	plans(t, func(t *testing.T, p *Plan) {
		for i, f := range p.Faults {
			if f.ID != i+1 || i > 0 && f.At < p.Faults[i-1].At {
				t.Errorf("fault %d has id %d at %v", i, f.ID, f.At)
			}
			if f.At < 0 || f.End() > p.Duration {
				t.Errorf("fault %+v does not fit in %v", f, p.Duration)
			}
			if len(f.Nodes) == 0 || f.Kind.OnLinks() == (len(f.Clients) == 0) {
				t.Errorf("fault %+v strikes nothing", f)
			}
		}
	})
}

func TestEveryKindIsPlanned(t *testing.T) {
	plans(t, func(t *testing.T, p *Plan) {
		count := map[Kind]int{}
		for _, f := range p.Faults {
			count[f.Kind]++
		}
		for _, k := range Kinds() {
			if count[k] == 0 {
				t.Errorf("no %s", k)
			}
		}
		if p.Duration.D() == time.Minute && len(p.Faults) < 40 {
			t.Errorf("only %d faults in a minute", len(p.Faults))
		}
	})
}

// TestMajorityIsLeft samples the plan every 50 ms: at no time are more than
// Spare nodes impaired or without their vote, but for the pauses of all.
func TestMajorityIsLeft(t *testing.T) {
	plans(t, func(t *testing.T, p *Plan) {
		d := drawer{plan: p}
		for at := Duration(0); at < p.Duration; at += ms(50) {
			out := map[string]bool{}
			for _, f := range p.Faults {
				if f.Kind != PauseAll && (!f.Kind.OnLinks() || f.Kind == CutNode) && f.At <= at && at < d.over(f) {
					out[f.Nodes[0]] = true
				}
			}
			if len(out) > p.Spare() {
				t.Errorf("at %v %d of %d nodes are out", at, len(out), len(p.Nodes))
			}
		}
	})
}

func TestNodesAreLeftToTheStories(t *testing.T) {
	plans(t, func(t *testing.T, p *Plan) {
		for _, f := range p.Faults {
			if f.At.D() < p.storiesEnd() && (!f.Kind.OnLinks() || f.Kind == CutNode) {
				t.Errorf("%s on %v at %v, while stories are told until %v", f.Kind, f.Nodes, f.At, p.storiesEnd())
			}
			for _, client := range f.Clients {
				if slices.Contains(p.StoryClients(), client) {
					t.Errorf("random %s on the story client %s", f.Kind, client)
				}
			}
		}
	})
}

func TestFaultsAreActiveOftenEnough(t *testing.T) {
	plans(t, func(t *testing.T, p *Plan) {
		active := 0
		total := 0
		for at := Duration(firstStory); at < p.Duration; at += ms(10) {
			total++
			if slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.At <= at && at < f.End() }) {
				active++
			}
		}
		if active*100 < total*45 {
			t.Errorf("a fault is active in %d %% of the time only", active*100/total)
		}
	})
}

func TestLinksBearOneFaultAtATime(t *testing.T) {
	plans(t, func(t *testing.T, p *Plan) {
		for i, f := range p.Faults {
			for _, g := range p.Faults[:i] {
				if f.Kind.OnLinks() && g.Kind.OnLinks() && sharePair(f, g) && f.At < g.End() {
					t.Errorf("%s (%d) and %s (%d) strike one link", g.Kind, g.ID, f.Kind, f.ID)
				}
			}
		}
	})
}

// TestOneNodeTurns checks that the last node keeps its vote until its fence
// tables have turned.
func TestOneNodeTurns(t *testing.T) {
	plans(t, func(t *testing.T, p *Plan) {
		last := p.Nodes[len(p.Nodes)-1]
		for _, f := range p.Faults {
			if f.Kind.LosesVote() && slices.Contains(f.Nodes, last) && f.At < p.Retention {
				t.Errorf("%s strikes %s at %v, before its tables can have turned", f.Kind, last, f.At)
			}
		}
	})
}

func TestHalfOfTheKeysRunWithoutHint(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	without := 0
	for _, k := range p.Keys {
		if k.NoHint {
			without++
		}
	}
	if 2*without != len(p.Keys) {
		t.Errorf("%d of %d keys run without hint", without, len(p.Keys))
	}
}

func TestEveryPathHasAStory(t *testing.T) {
	p, err := New(Options{Duration: 20 * time.Second})
	if err != nil {
		t.Fatalf("20 s must suffice for everything: %v", err)
	}
	for _, path := range []Path{PathRaise, PathRepair, PathLateGrant, PathReadmission} {
		if !slices.Contains(p.Paths, path) {
			t.Errorf("%s is not among the paths", path)
		}
		if !slices.ContainsFunc(p.Stories, func(s Story) bool { return s.Path == path }) {
			t.Errorf("no story for %s", path)
		}
	}
	if got := p.Duration.D() + p.Tail.D(); got < p.Retention.D() {
		t.Errorf("the run ends after %v, before fences turn at %v", got, p.Retention)
	}
}

// TestStoriesAreWellFormed checks that steps name leases and faults that exist
// by then, and that every fault is healed.
func TestStoriesAreWellFormed(t *testing.T) {
	plans(t, func(t *testing.T, p *Plan) {
		for _, s := range p.Stories {
			wellFormed(t, s)
		}
	})
}

func wellFormed(t *testing.T, s Story) {
	t.Helper()
	leases, faults := map[string]bool{}, map[string]bool{}
	for i, step := range s.Steps {
		where := fmt.Sprintf("story %s, step %d (%s)", s.Name, i, step.Do)
		clients := append([]string{}, step.Clients...)
		if step.Client != "" {
			clients = append(clients, step.Client)
		}
		for _, c := range clients {
			if !slices.Contains(s.Clients, c) {
				t.Errorf("%s: client %s is not one of the story's", where, c)
			}
		}
		switch step.Do {
		case DoLock:
			leases[step.As] = true
		case DoUnlock, DoWrite, DoEnd, DoExtend:
			if !leases[step.As] {
				t.Errorf("%s: no lease %q", where, step.As)
			}
		case DoFault:
			if faults[step.As] {
				t.Errorf("%s: a second fault %q", where, step.As)
			}
			faults[step.As] = true
		case DoHeal:
			if !faults[step.As] {
				t.Errorf("%s: no fault %q", where, step.As)
			}
			delete(faults, step.As)
		}
	}
	if len(faults) > 0 {
		t.Errorf("story %s leaves %v unhealed", s.Name, faults)
	}
}

// TestShortDuration checks that the named minimum is one: it suffices, for
// every seed, and a millisecond less does not.
func TestShortDuration(t *testing.T) {
	for _, nodes := range []int{3, 4, 5, 6, 7} {
		var short *TooShortError
		if _, err := New(Options{Duration: time.Second, Nodes: nodes}); !errors.As(err, &short) {
			t.Fatalf("%d nodes: a second gave %v", nodes, err)
		}
		if !strings.Contains(short.Error(), short.Minimum.String()) {
			t.Errorf("%q does not name the minimum %v", short, short.Minimum)
		}
		if short.Minimum > 20*time.Second && nodes >= 5 {
			t.Errorf("%d nodes: the minimum is %v", nodes, short.Minimum)
		}
		if _, err := New(Options{Duration: short.Minimum - time.Millisecond, Nodes: nodes}); err == nil {
			t.Errorf("%d nodes: less than the minimum is accepted", nodes)
		}
		for seed := range uint64(40) {
			p, err := New(Options{Duration: short.Minimum, Nodes: nodes, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range Kinds() {
				if !slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Kind == k }) {
					t.Errorf("%d nodes, seed %d: no %s in %v", nodes, seed, k, short.Minimum)
				}
			}
		}
	}
}

func TestSingleStory(t *testing.T) {
	for _, name := range StoryNames() {
		p, err := New(Options{Duration: 6 * time.Second, Story: name})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(p.Stories) != 1 || p.Stories[0].Name != name || len(p.Faults) != 0 {
			t.Errorf("%s: %d stories, %d random faults", name, len(p.Stories), len(p.Faults))
		}
	}
}

func TestFaultFilter(t *testing.T) {
	kinds, err := ParseKinds("pause, cut,pause")
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Faults: kinds, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Faults {
		if f.Kind != Freeze && f.Kind != CutNode {
			t.Errorf("%s was filtered out", f.Kind)
		}
	}
	none, err := ParseKinds("none")
	if err != nil {
		t.Fatal(err)
	}
	p, err = New(Options{Faults: none, Duration: time.Second})
	if err != nil || len(p.Faults)+len(p.Stories)+len(p.Paths) > 0 {
		t.Errorf("none: %d faults, %d stories, %v", len(p.Faults), len(p.Stories), err)
	}
}

func TestBadOptions(t *testing.T) {
	for field, o := range map[string]Options{
		"duration":      {Duration: -1},
		"nodes":         {Nodes: 2},
		"clients":       {Clients: 65},
		"keys":          {Keys: -1},
		"faults":        {Faults: []Kind{"earthquake"}},
		"story":         {Story: "once upon a time"},
		"ttl":           {TTL: 100 * time.Millisecond},
		"node deadline": {NodeDeadline: 1},
		"drift":         {Drift: 2},
	} {
		var bad *OptionError
		if _, err := New(o); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	if _, err := ParseKinds("kill,earthquake"); err == nil || !strings.Contains(err.Error(), "earthquake") {
		t.Errorf("ParseKinds: %v", err)
	}
}
