package chaos

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/report"
	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// ended is a run that has ended, without servers.
func ended(t *testing.T) *run {
	t.Helper()
	plan, err := scenario.New(scenario.Options{Faults: []scenario.Kind{}})
	if err != nil {
		t.Fatal(err)
	}
	rec := begun()
	r := &run{opts: Options{Dir: t.TempDir(), Replay: "again"}, plan: plan, rec: rec, ledger: newLedger(rec, 0), eyes: newSampler(nil, rec, nil), clients: map[string]*client{}}
	for _, name := range plan.Clients {
		r.clients[name] = &client{name: name, trace: newTrace(name, rec)}
	}
	return r
}

func held() []linearizability.Event {
	until := int64(90)
	return []linearizability.Event{
		{Time: 1, Type: linearizability.Invoke, F: linearizability.Acquire, Key: "k", Value: linearizability.Value{Client: "c1"}},
		{Index: 1, Time: 2, Type: linearizability.OK, F: linearizability.Acquire, Key: "k",
			Value: linearizability.Value{Client: "c1", Hold: "c1-1", Token: 1, ValidUntil: &until}},
	}
}

// TestAFailedRunLeavesAPage: failing runs first of all, and also those whose
// history cannot be used.
func TestAFailedRunLeavesAPage(t *testing.T) {
	spoilt := held()
	spoilt[1].Time = 0
	for name, c := range map[string]struct {
		events []linearizability.Event
		want   string // on the page
	}{
		"a whole history": {held(), "1 claim, no two of which overlap"},
		"a spoilt one":    {spoilt, "Nothing was judged"},
		"none":            {nil, "the history is empty"},
	} {
		r := ended(t)
		why := errors.New("the proxies melted")
		if err := r.abandon(c.events, why); !errors.Is(err, why) || err.Error() != why.Error() {
			t.Errorf("%s: %v", name, err)
		}
		res, _, err := report.Read(r.opts.Dir)
		if err != nil || res.Word != report.WordFailed || res.ExitCode != linearizability.ExitBadInput || res.Error != why.Error() {
			t.Errorf("%s: %+v: %v", name, res, err)
			continue
		}
		page, err := os.ReadFile(filepath.Join(r.opts.Dir, report.PageFile))
		if err != nil || !strings.Contains(string(page), why.Error()) || !strings.Contains(string(page), c.want) {
			t.Errorf("%s: the page does not say %q: %v", name, c.want, err)
		}
	}
}

// TestConcludeRefusesItsOwnSpoiltHistory: what the harness recorded wrongly is
// no verdict on the lock.
func TestConcludeRefusesItsOwnSpoiltHistory(t *testing.T) {
	r, events := ended(t), held()
	events[1].Time = 0
	res, err := r.conclude(events)
	var broken *linearizability.HistoryError
	if res != nil || !errors.As(err, &broken) || broken.Line != 2 {
		t.Errorf("%v, %v", res, err)
	}
	if res, _, err := report.Read(r.opts.Dir); err != nil || res.Word != report.WordFailed || !strings.Contains(res.Error, "line 2") {
		t.Errorf("%+v: %v", res, err)
	}
}

// TestDisagreementFailsTheHarness gives both arguments.
func TestDisagreementFailsTheHarness(t *testing.T) {
	events := held()
	v, err := linearizability.Judge(events, linearizability.Params{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := linearizability.Opine(t.Context(), events, 0)
	if err != nil {
		t.Fatal(err)
	}
	res := &Result{Verdict: v}
	if settle(res, o); res.Word != linearizability.WordNoViolation || res.ExitCode != 0 || res.Error != "" {
		t.Errorf("agreement: %q, exit %d, %q", res.Word, res.ExitCode, res.Error)
	}
	o.Agreement = linearizability.Disagrees
	o.Keys[0].Agreement, o.Keys[0].Porcupine = linearizability.Disagrees, linearizability.Argument{Outcome: linearizability.Invalid, Reason: "two at once"}
	settle(res, o)
	if res.Word != report.WordFailed || res.ExitCode != linearizability.ExitBadInput || !strings.Contains(res.Error, "1 claim") || !strings.Contains(res.Error, "two at once") {
		t.Errorf("disagreement: %q, exit %d, %q", res.Word, res.ExitCode, res.Error)
	}
}
