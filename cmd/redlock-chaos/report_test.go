package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/report"
	"github.com/quorumlock/quorumlock/linearizability"
)

const violating = `{"index":0,"time":1,"process":0,"type":"invoke","f":"acquire","key":"k","value":{"client":"c1"}}
{"index":1,"time":2,"process":0,"type":"ok","f":"acquire","key":"k","value":{"client":"c1","hold":"c1-1","token":1,"valid_until":90}}
{"index":2,"time":3,"process":1,"type":"invoke","f":"acquire","key":"k","value":{"client":"c2"}}
{"index":3,"time":50,"process":1,"type":"ok","f":"acquire","key":"k","value":{"client":"c2","hold":"c2-1","token":2,"valid_until":140}}
`

// violated writes the folder of a run that was convicted.
func violated(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, report.HistoryName), []byte(violating), 0o600); err != nil {
		t.Fatal(err)
	}
	events, err := linearizability.ReadAll(strings.NewReader(violating), linearizability.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	digest := report.NewDigest()
	if _, err := digest.Write([]byte(violating)); err != nil {
		t.Fatal(err)
	}
	res := &report.Result{Version: report.Version, History: digest.Of(report.HistoryName)}
	if res.Verdict, err = linearizability.Judge(events, res.Params); err != nil {
		t.Fatal(err)
	}
	res.Word, res.ExitCode = res.Verdict.Word(), res.Verdict.ExitCode()
	if err := report.WriteResults(dir, res); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReport(t *testing.T) {
	dir := violated(t)
	code, stdout, stderr := say(t, "report", dir)
	if code != 0 || !strings.Contains(stdout, "report.html: VIOLATED") || stderr != "" {
		t.Fatalf("exit %d, %q, %q", code, stdout, stderr)
	}
	page, err := os.ReadFile(filepath.Join(dir, report.PageFile))
	if err != nil || !bytes.Contains(page, []byte("Broken: mutual exclusion")) {
		t.Errorf("the page does not name the property: %v", err)
	}
	history := filepath.Join(dir, report.HistoryName)
	if err := os.WriteFile(history, []byte(violating[:len(violating)-9]), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = say(t, "report", dir)
	if want := history + ": line 4: truncated last line"; code != linearizability.ExitBadInput || !strings.Contains(stderr, want) || stdout != "" {
		t.Errorf("a torn history: exit %d, %q, %q; want %q", code, stdout, stderr, want)
	}
	if again, err := os.ReadFile(filepath.Join(dir, report.PageFile)); err != nil || !bytes.Equal(again, page) {
		t.Errorf("the page was overwritten: %v", err)
	}
	for _, args := range [][]string{{"report"}, {"report", filepath.Join(dir, "nowhere")}, {"report", "--fast", dir}} {
		if code, _, stderr := say(t, args...); code != linearizability.ExitBadInput || stderr == "" {
			t.Errorf("%v: exit %d, %q", args, code, stderr)
		}
	}
}

// TestStepSummary: a job's page keeps what it has, and gets the run after it.
func TestStepSummary(t *testing.T) {
	res, err := report.Build(violated(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "summary")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GITHUB_STEP_SUMMARY", path)
	if err := stepSummary(res); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(got), "before\n## ") || !strings.Contains(string(got), "**Broken: mutual exclusion**") {
		t.Errorf("%q: %v", got, err)
	}
	t.Setenv("GITHUB_STEP_SUMMARY", "")
	if err := stepSummary(res); err != nil {
		t.Error(err)
	}
}
