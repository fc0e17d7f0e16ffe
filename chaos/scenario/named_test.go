package scenario

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"
)

// byName plans a story alone.
func byName(t *testing.T, o Options) *Plan {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatalf("%s, %d nodes: %v", o.Story, o.Nodes, err)
	}
	return p
}

func TestStoriesByName(t *testing.T) {
	for _, name := range AllStoryNames() {
		for _, nodes := range []int{3, 4, 5, 6, 7, 15} {
			p := byName(t, Options{Duration: 40 * time.Second, Story: name, Nodes: nodes})
			if len(p.Stories) != 1 || p.Stories[0].Name != name || p.Stories[0].Why == "" || len(p.Faults) != 0 {
				t.Fatalf("%s: %d stories, %d random faults", name, len(p.Stories), len(p.Faults))
			}
			wellFormed(t, p.Stories[0])
			if err := errors.Join(p.Validate(), p.Live()); err != nil {
				t.Errorf("%s, %d nodes: %v", name, nodes, err)
			}
			first, err := p.JSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(first)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if second, err := again.JSON(); err != nil || !bytes.Equal(first, second) {
				t.Errorf("%s: a plan read from JSON and written again differs, %v", name, err)
			}
		}
	}
}

// TestStoriesByNameAreNotInEveryPlan keeps plans in general as short as they are.
func TestStoriesByNameAreNotInEveryPlan(t *testing.T) {
	p := byName(t, Options{})
	for _, s := range p.Stories {
		if !slices.Contains(StoryNames(), s.Name) {
			t.Errorf("%s is told without being asked for", s.Name)
		}
	}
	if len(p.Stories) != len(StoryNames()) {
		t.Errorf("%d stories, want %v", len(p.Stories), StoryNames())
	}
}

func TestSetups(t *testing.T) {
	for name, s := range setups() {
		if !slices.Contains(AllStoryNames(), name) {
			t.Errorf("a set-up for %q, which is no story", name)
		}
		p := byName(t, Options{Duration: 40 * time.Second, Story: name})
		if idle := len(p.Workers) == 0; idle != s.idle || p.Mute != s.mute {
			t.Errorf("%s: %d workers, mute %v", name, len(p.Workers), p.Mute)
		}
	}
	p := byName(t, Options{Duration: 40 * time.Second, Story: "slow-acquire"})
	if p.Drift != 0.001 || p.NodeDeadline.D() != 100*time.Millisecond || p.TTL.D() != DefaultTTL {
		t.Errorf("drift %v, node deadline %v, ttl %v", p.Drift, p.NodeDeadline, p.TTL)
	}
	p = byName(t, Options{Duration: 40 * time.Second, Story: "slow-acquire", Drift: 0.1, NodeDeadline: 50 * time.Millisecond})
	if p.Drift != 0.1 || p.NodeDeadline.D() != 50*time.Millisecond {
		t.Errorf("drift %v and node deadline %v instead of what was asked for", p.Drift, p.NodeDeadline)
	}
}

func TestWhatStoriesAskFor(t *testing.T) {
	var broken, clocks, live []string
	for _, name := range AllStoryNames() {
		p := byName(t, Options{Duration: 40 * time.Second, Story: name})
		if p.BreaksC4() {
			broken = append(broken, name)
		}
		if p.SetsClocks() {
			clocks = append(clocks, name)
		}
		var o *OptionError
		switch err := p.Simulable(); {
		case errors.As(err, &o):
			live = append(live, name+": "+o.Field)
		case err != nil:
			t.Error(err)
		}
	}
	for what, lists := range map[string][2][]string{
		"breaks C4":   {broken, {"new-beginning"}},
		"sets clocks": {clocks, {"slewed"}},
		"is no simulator's": {live, {
			"new-beginning: stories[0].steps[6].do", "late-request: stories[0].steps[0].kind",
			"late-extend: stories[0].steps[4].kind", "no-channel: mute",
		}},
	} {
		if !slices.Equal(lists[0], lists[1]) {
			t.Errorf("what %s: %v, want %v", what, lists[0], lists[1])
		}
	}
}
