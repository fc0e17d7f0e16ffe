package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/bench/subject"
)

// free is a subject whose lock everybody gets at once, every time.
func free(err error) subject.Subject {
	return subject.Subject{Name: "free", Waits: true, Open: func(context.Context, subject.Nodes) (subject.Client, error) {
		return freeClient{err}, nil
	}}
}

type freeClient struct{ err error }

func (c freeClient) Lock(string) (subject.Lock, error) { return freeLock(c), nil }
func (c freeClient) Close() error                      { return nil }

type freeLock struct{ err error }

func (l freeLock) Try(context.Context) error    { return l.err }
func (l freeLock) Lock(context.Context) error   { return l.err }
func (l freeLock) Extend(context.Context) error { return l.err }
func (l freeLock) Unlock(context.Context) error { return l.err }

// TestFightSeesTwoHolders: a lock that several have at once ends the run.
func TestFightSeesTwoHolders(t *testing.T) {
	if f, err := fight(t.Context(), free(nil), subject.Nodes{}, 1, 20*time.Millisecond, nil); err != nil || f.total() == 0 {
		t.Errorf("one client: %d acquisitions, %v", f.total(), err)
	}
	_, err := fight(t.Context(), free(nil), subject.Nodes{}, 4, 20*time.Millisecond, nil)
	if err == nil || !strings.Contains(err.Error(), "others have the lock") {
		t.Errorf("a lock that everybody has: %v", err)
	}
}

// TestHandOffFails: an operation that fails is no figure.
func TestHandOffFails(t *testing.T) {
	broken := errors.New("broken")
	if _, _, err := handOff(t.Context(), free(broken), subject.Nodes{}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestStall(t *testing.T) {
	ms := func(list ...int) (d []time.Duration) {
		for _, n := range list {
			d = append(d, time.Duration(n)*time.Millisecond)
		}
		return d
	}
	f := fought{got: ms(10, 20, 25, 200, 210, 220), span: 400 * time.Millisecond}
	for _, c := range []struct{ from, to, want int }{
		{0, 24, 10},     // the long one begins later
		{30, 100, 175},  // within the long one
		{205, 215, 10},  //
		{215, 230, 180}, // until the end of the run
		{300, 400, 180},
	} {
		got := f.stall(time.Duration(c.from)*time.Millisecond, time.Duration(c.to)*time.Millisecond)
		if got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("from %d to %d: %v, want %d ms", c.from, c.to, got, c.want)
		}
	}
}

func TestUnfairness(t *testing.T) {
	if u := (fought{served: []int{4, 2, 3}}).unfairness(); u != 2 {
		t.Error(u)
	}
	if u := (fought{served: []int{4, 0}}).unfairness(); !math.IsInf(u, 1) {
		t.Error(u)
	}
}

func TestInTurn(t *testing.T) {
	var got []string
	err := inTurn(t.Context(), 2, []string{"a", "b"}, func(rep int, s string) error {
		got = append(got, s+string(rune('0'+rep+1)))
		return nil
	})
	if want := []string{"a0", "b0", "a1", "b1", "a2", "b2"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	b := &bench{table: &measure.Table{}}
	b.add(-1, "c", "", "a", "u", 1)
	b.add(0, "c", "", "a", "u", 2)
	if v := b.table.Get(measure.Key{Case: "c", Lock: "a", Unit: "u"}); !slices.Equal(v, []float64{2}) {
		t.Errorf("the first repetition counts: %v", v)
	}
}

func TestTargets(t *testing.T) {
	b := &bench{table: &measure.Table{}}
	for _, lock := range []string{"a", "b"} {
		b.add(0, "Case", "x=1", lock, "p50-ns", map[string]float64{"a": 4e6, "b": 2e6}[lock])
	}
	k := measure.Key{Case: "Case", Config: "x=1", Lock: "a", Unit: "p50-ns"}
	b.target(k, "b", 2, 0, false)
	b.target(k, "", 3, 0, false)
	if got := b.targets[0].Got.Median; got != 2 || !b.targets[0].Met() {
		t.Errorf("the ratio is %v", got)
	}
	if got := b.targets[1]; got.Got.Median != 4 || got.Met() || !strings.HasSuffix(got.What, ", ms") {
		t.Errorf("in milliseconds: %+v", got)
	}
	var out bytes.Buffer
	if err := b.write(&out); err != nil || !strings.Contains(out.String(), "NOT MET") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if c := b.charts(); len(c) != 0 {
		t.Errorf("charts of cases that did not run: %v", c)
	}
}

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-reps", "0"}, {"-run", "("}, {"stray"}} {
		if _, _, err := parse(args); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	if err := run(t.Context(), []string{"-run", "no such case"}); err == nil || !strings.Contains(err.Error(), "no case") {
		t.Errorf("a run of no case: %v", err)
	}
}
