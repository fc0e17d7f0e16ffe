package mutants

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program writes a shell script that stands for the built harness: it writes
// the text to the file or folder that the flag names, and exits with the code.
func program(t *testing.T, flag, file, text string, code int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "harness")
	script := fmt.Sprintf(`#!/bin/sh
while [ "$1" != %q ]; do shift; done
[ -z %q ] || mkdir -p "$2"
cat > "$2"%s <<'END'
%s
END
exit %d
`, flag, file, file, text, code)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExplorerConvicts(t *testing.T) {
	const text = `{"version":1,"scopes":[{"scope":"two","states":7,"depth":4,"complete":%v,"violation":%s}]}`
	for _, c := range []struct {
		violation, property string
		code                int
		convicted           bool
	}{
		{`{"property":"token order","depth":3,"story":["a","b"]}`, order, 1, true},
		{`{"property":"token order","depth":3,"story":["a","b"]}`, exclusion, 1, false},
		{`null`, exclusion, 0, false},
	} {
		p := program(t, "--json", "", fmt.Sprintf(text, c.code == 0, c.violation), c.code)
		m := Mutant{Property: c.property, Explore: &Explore{Scope: "two"}}
		o := Options{}
		f, err := o.find(t.Context(), ByExploring, p, t.TempDir(), m.convicts(ByExploring), c.property)
		if err != nil {
			t.Fatal(err)
		}
		if f.Convicted != c.convicted || f.States != 7 || f.Complete != (c.code == 0) {
			t.Errorf("%s, want %s: found %+v", c.violation, c.property, f)
		}
		if c.code == 1 && (f.Depth != 3 || len(f.Story) != 2) {
			t.Errorf("found %+v", f)
		}
	}
}

func TestSimulatorConvicts(t *testing.T) {
	const text = `{"version":1,"runs":9,"seeds":[{"from":100,"to":109}],"violations":[
{"seed":101,"properties":["liveness"],"story":"waits"},{"seed":104,"properties":["token order","no orphans"],"story":"twice"}]}`
	p := program(t, "--json", "", text, 1)
	for property, want := range map[string]Finding{
		orphans:   {Convicted: true, Seed: 104, Seeds: 5},
		liveness:  {Convicted: true, Seed: 101, Seeds: 2},
		exclusion: {Seed: 101, Seeds: 2},
	} {
		o := Options{}
		f, err := o.find(t.Context(), BySimulating, p, t.TempDir(), []string{"simulate"}, property)
		if err != nil {
			t.Fatal(err)
		}
		if f.Convicted != want.Convicted || f.Seed != want.Seed || f.Seeds != want.Seeds || len(f.Story) != 1 {
			t.Errorf("%s: found %+v, want %+v", property, f, want)
		}
	}
}

func TestServersConvict(t *testing.T) {
	const text = `{"verdict":{"properties":[
{"property":"liveness","verdict":"invalid","claimed":false},
{"property":"mutual exclusion","verdict":"invalid","claimed":true,"counterexample":{"story":"two"}}]}}`
	p := program(t, "--out", "/results.json", text, 1)
	o := Options{Runs: 2}
	for property, found := range map[string]int{exclusion: 2, liveness: 0} {
		f, err := o.find(t.Context(), OnServers, p, t.TempDir(), []string{"run"}, property)
		if err != nil {
			t.Fatal(err)
		}
		if f.Runs != 2 || f.RunsFound != found || !slices.Equal(f.Properties, []string{exclusion}) {
			t.Errorf("%s: found %+v", property, f)
		}
	}
}

// TestControlThatFalls: a command that convicts the lock as it is convicts
// nothing.
func TestControlThatFalls(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	for violation, failures := range map[string]int{`null`: 0, `{"property":"token order","depth":3}`: 1} {
		p := program(t, "--json", "", `{"scopes":[{"violation":`+violation+`}]}`, failures)
		row, err := o.control(t.Context(), ByExploring, p, []string{"explore"}, 1)
		if err != nil || len(row.Failures) != failures {
			t.Errorf("%s: %+v, %v", violation, row, err)
		}
	}
}

// TestSetupHasAControl: where the mistake is no change of the source, its own
// command cannot be the control.
func TestSetupHasAControl(t *testing.T) {
	for _, m := range All() {
		if len(m.Patches) == 0 && m.Simulate != nil && slices.Equal(m.controls(BySimulating), m.convicts(BySimulating)) {
			t.Errorf("%s: the lock as it is is set up with the mistake", m.Name)
		}
	}
}

// TestHarnessThatFails: a harness that comes to no verdict, or leaves none, is
// an error, never a survivor.
func TestHarnessThatFails(t *testing.T) {
	o := Options{Runs: 1}
	for name, p := range map[string]string{
		"bad input": program(t, "--json", "", `{}`, 3),
		"no file":   program(t, "--nothing", "", "", 0),
		"no scope":  program(t, "--json", "", `{"scopes":[]}`, 0),
		"no JSON":   program(t, "--json", "", `oops`, 0),
	} {
		args := []string{"explore", "--nothing", t.TempDir() + "/x"}
		if f, err := o.find(t.Context(), ByExploring, p, t.TempDir(), args, order); err == nil {
			t.Errorf("%s: found %+v", name, f)
		}
	}
}

func TestRowsComeInOrder(t *testing.T) {
	var work []job
	gates := make([]chan struct{}, 8)
	for i := range gates {
		gates[i] = make(chan struct{})
	}
	for i := range gates {
		work = append(work, func(context.Context) (*Row, error) {
			if i%2 == 0 { // the next one ends first
				<-gates[i]
			} else {
				close(gates[i-1])
			}
			return &Row{Name: fmt.Sprint(i)}, nil
		})
	}
	var told []string
	rows, err := inOrder(t.Context(), work, 2, func(r *Row) { told = append(told, r.Name) })
	if err != nil || len(rows) != 8 || strings.Join(told, "") != "01234567" {
		t.Errorf("told %v, %v", told, err)
	}
}

func TestNoMoreWorkAfterAnError(t *testing.T) {
	broken := errors.New("broken")
	begun := 0
	work := []job{
		func(context.Context) (*Row, error) { return &Row{Name: "a"}, nil },
		func(context.Context) (*Row, error) { return nil, broken },
	}
	for range 5 {
		work = append(work, func(context.Context) (*Row, error) { begun++; return &Row{}, nil })
	}
	rows, err := inOrder(t.Context(), work, 1, func(*Row) {})
	if !errors.Is(err, broken) || len(rows) != 1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if begun > 1 { // the next one may have begun before the error was looked at
		t.Errorf("%d began after the error", begun)
	}
}

func TestTableSaysWhatFailed(t *testing.T) {
	r := Result{Rows: []*Row{
		{Name: Control, Findings: []*Finding{{Engine: ByExploring, Command: "redlock-chaos explore", Complete: true, States: 5}}},
		{Name: "m", Property: order, KnownDepth: 9, Findings: []*Finding{{Engine: ByExploring, Convicted: true, Properties: []string{order}, Depth: 8}}},
	}}
	if r.Failed() {
		t.Error("nothing failed")
	}
	r.Rows[1].fail("simulate: survived")
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"8 (9)", "FAILED: simulate: survived", "nothing, all 5 states", "passes"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if !r.Failed() {
		t.Error("a survivor did not fail the run")
	}
	if err := WriteCatalogue(io.Discard); err != nil {
		t.Error(err)
	}
}

func TestUnknownEngine(t *testing.T) {
	_, err := ParseEngines("explore,luck")
	var u *UnknownError
	if !errors.As(err, &u) || u.Name != "luck" || !strings.Contains(err.Error(), "simulate") {
		t.Errorf("error: %v", err)
	}
}
