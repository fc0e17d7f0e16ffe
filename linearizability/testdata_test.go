package linearizability

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
		{"legal/lease.mixed.jsonl", ExitNoViolation, nil},
		{"illegal/lease.mixed.jsonl", ExitViolated, []int{0, 1, 3, 5, 7}},
		{"legal/lease+mutex+owner-aware-mutex+fenced-mutex.deadline-passed-while-frozen.jsonl", ExitNoViolation, nil},
		{"illegal/lease+mutex+owner-aware-mutex+fenced-mutex.deadline-not-yet-passed.jsonl", ExitViolated, []int{0, 1, 3, 4, 9}},
	}
	for _, tt := range tests {
		events, err := readFile(t, tt.file, ReaderOptions{})
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		v, err := Check(context.Background(), events, ModelLease, CheckOptions{})
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if v.ExitCode() != tt.exit {
			t.Errorf("%s: exit %d, want %d: %s", tt.file, v.ExitCode(), tt.exit, v.Keys[0].Reason)
		}
		if c := v.Counterexample(); (c == nil) != (tt.indices == nil) || (c != nil && !slices.Equal(c.Indices, tt.indices)) {
			t.Errorf("%s: counterexample %+v, want lines %v", tt.file, c, tt.indices)
		}
	}
}

// slug returns a reason as it stands in a file's name.
func slug(r Reason) string {
	return strings.ReplaceAll(strings.ReplaceAll(string(r), " ", "-"), "'", "")
}

// TestRefusedFiles reads all files of testdata/refused: LINE.REASON.jsonl, with
// a further name before the extension where a reason has several files.
func TestRefusedFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	unseen := map[Reason]bool{ReasonTornLine: true, ReasonMalformed: true, ReasonIndex: true, ReasonTime: true, ReasonType: true,
		ReasonF: true, ReasonValue: true, ReasonNoInvoke: true, ReasonTwoOpen: true, ReasonProcessEnded: true, ReasonHoldTwice: true, ReasonFault: true}
	for _, path := range files {
		name := filepath.Base(path)
		line, reason, _ := strings.Cut(name, ".")
		reason, _, _ = strings.Cut(reason, ".")
		opts := ReaderOptions{}
		if filepath.Ext(name) == ".edn" {
			opts.Format = EDN
		}
		_, err := readFile(t, "refused/"+name, opts)
		var bad *HistoryError
		if !errors.As(err, &bad) || strconv.Itoa(bad.Line) != line || slug(bad.Reason) != reason {
			t.Errorf("%s: %v", name, err)
			continue
		}
		delete(unseen, bad.Reason)
		torn := bad.Reason == ReasonTornLine
		opts.DropTorn = true
		if _, err := readFile(t, "refused/"+name, opts); (err == nil) != torn {
			t.Errorf("%s with DropTorn: %v", name, err)
		}
	}
	if len(unseen) > 0 {
		t.Errorf("no file is refused for %v", unseen)
	}
}

func TestDropTorn(t *testing.T) {
	events, err := readFile(t, "refused/2.truncated-last-line.jsonl", ReaderOptions{DropTorn: true})
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v; want 1", len(events), err)
	}
	v, err := Check(context.Background(), events, ModelLease, CheckOptions{})
	if err != nil || v.ExitCode() != ExitNoViolation {
		t.Errorf("Check: %+v, %v; want no violation", v, err)
	}
	judged, err := Judge(events, Params{})
	if err != nil || judged.ExitCode() != ExitNoViolation {
		t.Errorf("Judge: %+v, %v; want no violation", judged, err)
	}
}

func TestUnknownModel(t *testing.T) {
	_, err := Check(context.Background(), nil, "mutexx", CheckOptions{})
	var unknown *UnknownModelError
	if !errors.As(err, &unknown) || unknown.Model != "mutexx" || !strings.Contains(err.Error(), ModelLease) {
		t.Errorf("Check of an unknown model: %v", err)
	}
}
