package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/quorumlock/quorumlock/linearizability"
)

// The names of the files of a run that this package reads and writes.
const (
	ResultsFile = "results.json"
	HistoryName = "history.jsonl"
	PageFile    = "report.html"
	SummaryFile = "summary.md"
)

// FileError says which file of a run cannot be used, where, and why.
type FileError struct {
	File   string // its path
	Line   int    // counted from 1; 0 where it is about the whole file
	Reason string
	Cause  error // may be nil
}

// Error names the file, the line and the reason.
func (e *FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s: line %d: %s", e.File, e.Line, e.Reason)
	}
	return fmt.Sprintf("%s: %s", e.File, e.Reason)
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Cause }

// Read returns what the folder of a run says, after checking that its results
// are of a version that can be read, and that its history is whole and the one
// that they were made from. Otherwise the error is a *FileError.
func Read(dir string) (*Result, []linearizability.Event, error) {
	path := filepath.Join(dir, ResultsFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	res, err := parse(path, data)
	if err != nil {
		return nil, nil, err
	}
	events, err := readHistory(filepath.Join(dir, HistoryName), res)
	if err != nil {
		return nil, nil, err
	}
	return res, events, nil
}

func unreadable(path string, err error) error {
	reason := err.Error()
	if errors.Is(err, fs.ErrNotExist) {
		reason = "there is no such file"
	}
	return &FileError{File: path, Reason: reason, Cause: err}
}

// parse reads results.json. Fields that it does not know are passed over.
func parse(path string, data []byte) (*Result, error) {
	refuse := func(offset int64, cause error, format string, args ...any) error {
		line := 0
		if offset >= 0 {
			line = 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
		}
		return &FileError{File: path, Line: line, Reason: fmt.Sprintf(format, args...), Cause: cause}
	}
	res := new(Result)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch err := json.Unmarshal(data, res); {
	case errors.As(err, &syntax):
		return nil, refuse(syntax.Offset, err, "not JSON, or cut off: %v", err)
	case errors.As(err, &kind):
		return nil, refuse(kind.Offset, err, "field %s: a %s cannot be used there", kind.Field, kind.Value)
	case err != nil:
		return nil, refuse(-1, err, "%v", err)
	case res.Version != Version:
		return nil, refuse(-1, nil, "version is %d; only version %d can be read", res.Version, Version)
	}
	if field, why := res.wrong(); field != "" {
		return nil, refuse(-1, nil, "field %s: %s", field, why)
	}
	return res, nil
}

// wrong names the first field that makes no sense, and why.
func (r *Result) wrong() (field, why string) {
	words := []string{linearizability.WordViolated, linearizability.WordNoViolation, linearizability.WordUnknown, linearizability.WordVacuous, WordFailed}
	switch {
	case !slices.Contains(words, r.Word):
		return "word", fmt.Sprintf("%q is none of %q", r.Word, words)
	case r.Verdict == nil && r.Word != WordFailed:
		return "verdict", "is missing"
	case r.Word != WordFailed && r.Word != r.settled():
		return "word", fmt.Sprintf("%q, but the verdict and the second opinion come to %q", r.Word, r.settled())
	case r.Verdict != nil && r.Verdict.Events != r.History.Lines:
		return "verdict.events", fmt.Sprintf("%d were judged, but the history has %d lines", r.Verdict.Events, r.History.Lines)
	case r.History.File != HistoryName:
		return "history.file", fmt.Sprintf("%q, want %q", r.History.File, HistoryName)
	}
	if r.Verdict == nil {
		return "", ""
	}
	for _, p := range r.Verdict.Properties {
		if p.Counterexample == nil {
			continue
		}
		for _, i := range p.Counterexample.Indices {
			if i < 0 || i >= r.History.Lines {
				return "verdict.properties", fmt.Sprintf("the counterexample to %s names line %d of %d", p.Property, i, r.History.Lines)
			}
		}
	}
	return "", ""
}

// settled is the word that the verdict, the second opinion, if there is one, and
// the invariants come to. There must be a verdict.
func (r *Result) settled() string {
	if r.Invariant != "" {
		return linearizability.WordViolated
	}
	if r.SecondOpinion != nil {
		return r.SecondOpinion.Word(r.Verdict)
	}
	return r.Verdict.Word()
}

// readHistory reads the history and checks that res was made from it.
func readHistory(path string, res *Result) ([]linearizability.Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	d := NewDigest()
	in := io.TeeReader(f, d)
	var events []linearizability.Event
	for r := linearizability.NewReader(in, linearizability.ReaderOptions{}); err == nil; {
		var e linearizability.Event
		if e, err = r.Next(); err == nil {
			events = append(events, e)
		}
	}
	var broken *linearizability.HistoryError
	switch {
	case err == io.EOF:
	case errors.As(err, &broken) && res.Verdict == nil:
		// The run itself could not use this history, and says so: what comes
		// before that line can be shown all the same.
		if _, err := io.Copy(io.Discard, in); err != nil {
			return nil, unreadable(path, err)
		}
	case errors.As(err, &broken):
		return nil, &FileError{File: path, Line: broken.Line, Reason: fmt.Sprintf("%s: %s", broken.Reason, broken.Detail), Cause: err}
	default:
		return nil, unreadable(path, err)
	}
	if line, why := res.History.differs(d); line > 0 {
		return nil, &FileError{File: path, Line: line, Reason: why}
	}
	return events, nil
}
