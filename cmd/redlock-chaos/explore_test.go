package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/explore"
	"github.com/quorumlock/quorumlock/linearizability"
)

func TestExplore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.json")
	code, stdout, stderr := say(t, "explore", "--scope", "two", "--json", file)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "explored to the end, no violation") || !strings.Contains(stdout, "MiB") {
		t.Fatalf("exit %d, %q, %q", code, stdout, stderr)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report explore.Report
	if err := json.Unmarshal(data, &report); err != nil || report.Version != explore.Version || len(report.Scopes) != 1 || !report.Scopes[0].Complete {
		t.Errorf("%v: %s", err, data)
	}
	code, stdout, _ = say(t, "explore", "--scope", "two", "--json", "-", "--quiet")
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 {
		t.Errorf("exit %d, %v: %q is not JSON alone", code, err, stdout)
	}
	code, stdout, _ = say(t, "explore", "--scope", "three", "--limit", "1000", "--quiet")
	if code != 0 || !strings.Contains(stdout, "stopped at the limit") {
		t.Errorf("limited: exit %d, %q", code, stdout)
	}
	code, stdout, _ = say(t, "explore", "--list")
	if code != 0 || !strings.Contains(stdout, "three attempts") {
		t.Errorf("list: exit %d, %q", code, stdout)
	}
}

func TestExploreExitCodes(t *testing.T) {
	complete, bounded := &explore.Result{Complete: true}, &explore.Result{Limited: true}
	cut, bad := &explore.Result{}, &explore.Result{Violation: &explore.Violation{}}
	for name, tt := range map[string]struct {
		results []*explore.Result
		want    int
	}{
		"all to the end":             {[]*explore.Result{complete, complete}, 0},
		"bounded by request":         {[]*explore.Result{complete, bounded}, 0},
		"one not to the end":         {[]*explore.Result{cut, complete}, linearizability.ExitUnknown},
		"a violation beside another": {[]*explore.Result{cut, bad, complete}, linearizability.ExitViolated},
	} {
		if got := exploreExit(&explore.Report{Scopes: tt.results}); got != tt.want {
			t.Errorf("%s: exit %d, want %d", name, got, tt.want)
		}
	}
}

func TestExploreBadInput(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--scope", "none"}, `no scope "none"`},
		{[]string{"--property", "beauty", "--scope", "two"}, `no property "beauty"`},
		{[]string{"--limit", "-1"}, `"-1": --limit must be`},
		{[]string{"--limit", "many"}, `"many"`},
		{[]string{"--jobs", "0"}, `"0": --jobs must be positive`},
		{[]string{"two"}, `"two": explore takes no arguments`},
		{[]string{"--scope", "two", "--json", "/nowhere/out.json"}, "--json"},
	} {
		code, _, stderr := say(t, append([]string{"explore"}, tt.args...)...)
		if code != linearizability.ExitBadInput || !strings.Contains(stderr, tt.want) {
			t.Errorf("%v: exit %d, %q, want %q", tt.args, code, stderr, tt.want)
		}
	}
}
