package linearizability

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func readFile(t *testing.T, name string, opts ReaderOptions) ([]Event, error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return ReadAll(bytes.NewReader(data), opts)
}

func TestLeaseFiles(t *testing.T) {
	tests := []struct {
		file    string
		exit    int
		indices []int
	}{
		{"lease.legal.jsonl", ExitNoViolation, nil},
		{"lease.illegal.jsonl", ExitViolated, []int{0, 1, 3, 5, 7}},
		{"deadline-passed-while-frozen.legal.jsonl", ExitNoViolation, nil},
		{"deadline-not-yet-passed.illegal.jsonl", ExitViolated, []int{0, 1, 3, 4, 9}},
	}
	for _, tt := range tests {
		events, err := readFile(t, tt.file, ReaderOptions{})
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		v, err := Check(events, ModelLease)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if v.ExitCode() != tt.exit {
			t.Errorf("%s: exit %d, want %d: %s", tt.file, v.ExitCode(), tt.exit, v.Properties[0].Reason)
		}
		if c := v.Properties[0].Counterexample; (c == nil) != (tt.indices == nil) || (c != nil && !slices.Equal(c.Indices, tt.indices)) {
			t.Errorf("%s: counterexample %+v, want lines %v", tt.file, c, tt.indices)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	tests := []struct {
		file   string
		line   int
		reason Reason
	}{
		{"refused-completion-without-invoke.jsonl", 2, ReasonNoInvoke},
		{"refused-hold-twice.jsonl", 4, ReasonHoldTwice},
		{"refused-process-reused-after-info.jsonl", 3, ReasonProcessEnded},
		{"refused-time-backwards.jsonl", 2, ReasonTime},
		{"refused-torn-last-line.jsonl", 2, ReasonTornLine},
		{"refused-two-open-on-one-process.jsonl", 2, ReasonTwoOpen},
	}
	for _, tt := range tests {
		_, err := readFile(t, tt.file, ReaderOptions{})
		var bad *HistoryError
		if !errors.As(err, &bad) || bad.Line != tt.line || bad.Reason != tt.reason {
			t.Errorf("%s: %v, want line %d: %s", tt.file, err, tt.line, tt.reason)
		}
		if tt.reason == ReasonTornLine {
			continue
		}
		if _, err := readFile(t, tt.file, ReaderOptions{DropTorn: true}); !errors.As(err, &bad) {
			t.Errorf("%s with DropTorn: %v, want it refused all the same", tt.file, err)
		}
	}
}

func TestDropTorn(t *testing.T) {
	events, err := readFile(t, "refused-torn-last-line.jsonl", ReaderOptions{DropTorn: true})
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v; want 1", len(events), err)
	}
	v, err := Check(events, ModelLease)
	if err != nil || v.ExitCode() != ExitNoViolation {
		t.Errorf("Check: %+v, %v; want no violation", v, err)
	}
	v, err = Judge(events, Params{})
	if err != nil || v.ExitCode() != ExitNoViolation {
		t.Errorf("Judge: %+v, %v; want no violation", v, err)
	}
}

func TestUnknownModel(t *testing.T) {
	_, err := Check(nil, "mutexx")
	var unknown *UnknownModelError
	if !errors.As(err, &unknown) || unknown.Model != "mutexx" || !strings.Contains(err.Error(), ModelLease) {
		t.Errorf("Check of an unknown model: %v", err)
	}
}
