package chaos

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/testenv"
)

// TestLiveStoriesByName tells the stories whose faults no other run has. What is
// checked of the faults is that each takes effect; that they show the mistakes
// which they are there for takes mutants (see chaos/mutants).
func TestLiveStoriesByName(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: starts real servers for a minute")
	}
	defer goleak.VerifyNone(t)
	t.Run("all", func(t *testing.T) { // returns once all that run side by side have
		for _, name := range []string{"same-server", "twice-probed", "copied-node", "new-beginning", "late-request", "no-channel", "crash-between", "slewed"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if name == "slewed" {
					testenv.RequireClocks(t)
				}
				liveStory(t, name)
			})
		}
	})
}

func liveStory(t *testing.T, name string) {
	o := scenario.Options{Story: name, Seed: 1, Clients: 2, Keys: 2, Duration: time.Millisecond}
	var short *scenario.TooShortError
	if _, err := scenario.New(o); !errors.As(err, &short) {
		t.Fatalf("a millisecond gave %v", err)
	}
	o.Duration = short.Minimum + 2*time.Second
	res, dir := liveRun(t.Context(), t, o, nil)
	noServerLeft(t, dir)
	told := len(res.Stories) > 0 && res.Stories[0].Told
	if stalled := res.Stalls.Total.D(); (!told || res.Word != linearizability.WordNoViolation) && stalled > o.Duration/10 {
		// Servers stand still then as well, which nobody records.
		t.Skipf("SKIP: %s, but the machine stood still for %v of %v: neither the lock nor the story can be blamed", res.Word, stalled, o.Duration)
	}
	if res.Word != linearizability.WordNoViolation {
		t.Errorf("verdict: %s", res.Word)
	}
	if !told {
		t.Errorf("not told: %+v", res.Stories)
	}
	if len(res.Kinds) == 0 && name != "no-channel" {
		t.Error("no fault was planned")
	}
	for _, k := range res.Kinds {
		if k.Confirmed == 0 {
			t.Errorf("%s was never confirmed", k.Kind)
		}
	}
}

// TestStoryFaultsRefuse checks what the faults of stories say of what they
// cannot do, before they touch anything.
func TestStoryFaultsRefuse(t *testing.T) {
	rec := newRecorder(func() time.Duration { return 0 })
	l := newLedger(rec, 0)
	in := newInjector(nil, rec, l, nil, 1)
	for name, f := range map[string]scenario.Fault{
		"one name for two":      {Kind: scenario.SameServer, Nodes: []string{"n1"}, Clients: []string{"c1"}},
		"nobody is led astray":  {Kind: scenario.SameServer, Nodes: []string{"n1", "n2"}},
		"a client there is not": {Kind: scenario.WallJump, Clients: []string{"c9"}},
	} {
		if _, err := in.begin(t.Context(), f, l.open(f, "story")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, e := range l.all() {
		if e.Confirmed {
			t.Errorf("%s counts as confirmed", e.Kind)
		}
	}
	for _, k := range scenario.StoryKinds() {
		links := k.OnLinks()
		if in.special(k) == nil && !links && k != scenario.Crash {
			t.Errorf("nothing makes %s happen", k)
		}
	}
}

// TestAdmissionIsSeenAnew checks that a look from before a loss does not count
// as one from after it.
func TestAdmissionIsSeenAnew(t *testing.T) {
	s := newSampler(nil, nil, nil)
	s.admitted["n1"], s.began = true, 100
	if !s.admittedSince("n1", 100) || s.admittedSince("n1", 101) || s.admittedSince("n2", 100) {
		t.Error("an old look counts, or a new one does not")
	}
}
