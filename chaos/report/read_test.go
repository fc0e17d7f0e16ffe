package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/linearizability"
)

// changed puts by in the place of old in the first line from n on that has it,
// counted from 0.
func changed(data []byte, n int, old, by string) []byte {
	list := bytes.SplitAfter(data, []byte("\n"))
	for !bytes.Contains(list[n], []byte(old)) {
		n++
	}
	list[n] = bytes.Replace(list[n], []byte(old), []byte(by), 1)
	return bytes.Join(list, nil)
}

func TestRefusedFolders(t *testing.T) {
	events := crowded(1500)
	res := resultOf(t, events)
	history := lines(t, events)
	results := []byte(readFile(t, filepath.Join(folder(t, events, res), ResultsFile)))
	count := len(events)
	other := bytes.Replace(history, []byte(`"time":`), []byte(`"time":1`), -1) // another run's
	last := bytes.LastIndexByte(history[:len(history)-1], '\n') + 1
	renamed := changed(history, 2345, `"client":"c`, `"client":"d`)
	prolonged := changed(history, 2100, `"valid_until":`, `"valid_until":1`)

	for name, c := range map[string]struct {
		history, results []byte // nil means no such file
		file             string
		line             int
		why              string
	}{
		"no history":            {nil, results, HistoryName, 0, "no such file"},
		"no results":            {history, nil, ResultsFile, 0, "no such file"},
		"torn history":          {history[:len(history)-20], results, HistoryName, count, "truncated last line"},
		"history cut at a line": {history[:last], results, HistoryName, count, "missing"},
		"a line too many":       {append(bytes.Clone(history), []byte(`{"index":`+strconv.Itoa(count)+`,"time":99000000000,"process":"nemesis","type":"info","f":"x","value":{"id":9,"confirmed":true}}`+"\n")...), results, HistoryName, count + 1, "one too many"},
		"another run's":         {other, results, HistoryName, 1, "another run's"},
		"one line changed":      {renamed, results, HistoryName, 2346, "completion without its invoke"},
		"a deadline changed":    {prolonged, results, HistoryName, 2001, "lines 2001 to 3000 are not those"},
		"not a history":         {[]byte("time,event\n1,2\n"), results, HistoryName, 1, "malformed line"},
		"empty history":         {[]byte{}, results, HistoryName, 1, "missing"},
		"a line of another":     {changed(history, 6, `"type":"`, `"kind":"`), results, HistoryName, 7, ""},
		"torn results":          {history, results[:len(results)/2], ResultsFile, bytes.Count(results[:len(results)/2], []byte("\n")) + 1, "cut off"},
		"results not JSON":      {history, []byte("{\n\"version\": 1,\n<html>\n"), ResultsFile, 3, "not JSON"},
		"results of a type":     {history, bytes.Replace(results, []byte(`"seed": 7`), []byte(`"seed": "seven"`), 1), ResultsFile, bytes.Count(results[:bytes.Index(results, []byte(`"seed": 7`))], []byte("\n")) + 1, "field seed"},
		"without a version":     {history, []byte(`{"word":"VIOLATED"}`), ResultsFile, 0, "version is 0; only version 1 can be read"},
		"of a later version":    {history, bytes.Replace(results, []byte(`"version": 1`), []byte(`"version": 2`), 1), ResultsFile, 0, "version is 2"},
		"an unknown word":       {history, bytes.Replace(results, []byte(`"word": "NO VIOLATION OBSERVED"`), []byte(`"word": "SAFE"`), 1), ResultsFile, 0, `field word: "SAFE"`},
		"a word of another":     {history, bytes.Replace(results, []byte(`"word": "NO VIOLATION OBSERVED"`), []byte(`"word": "VACUOUS"`), 1), ResultsFile, 0, "field word"},
	} {
		dir := t.TempDir()
		for file, data := range map[string][]byte{HistoryName: c.history, ResultsFile: c.results, PageFile: []byte("old"), SummaryFile: []byte("old")} {
			if data == nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Build(dir)
		var refused *FileError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if refused.File != filepath.Join(dir, c.file) || refused.Line != c.line || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v; want %s, line %d, %q", name, err, c.file, c.line, c.why)
		}
		unchanged(t, name, dir, c.history, c.results)
	}
}

// unchanged tells whether a refused folder is as it was.
func unchanged(t *testing.T, name, dir string, history, results []byte) {
	t.Helper()
	want := 2
	for file, data := range map[string][]byte{HistoryName: history, ResultsFile: results} {
		if data != nil {
			want++
			if readFile(t, filepath.Join(dir, file)) != string(data) {
				t.Errorf("%s: %s was changed", name, file)
			}
		}
	}
	if readFile(t, filepath.Join(dir, PageFile)) != "old" || readFile(t, filepath.Join(dir, SummaryFile)) != "old" {
		t.Errorf("%s: an earlier report was overwritten", name)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != want {
		t.Errorf("%s: %d files, want %d: %v", name, len(list), want, err)
	}
}

// TestBuildReplaces: a report that is made again takes the place of the old one
// and leaves nothing beside it.
func TestBuildReplaces(t *testing.T) {
	events := passing()
	dir := folder(t, events, resultOf(t, events))
	if err := os.WriteFile(filepath.Join(dir, PageFile), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(dir); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 4 {
		t.Errorf("%v: %v", list, err)
	}
	if !strings.HasPrefix(readFile(t, filepath.Join(dir, PageFile)), "<!DOCTYPE html>") {
		t.Error("the old page is still there")
	}
}

// TestCounterexampleOutsideTheHistory: results whose counterexample names lines
// that there are not would make a page of nothing.
func TestCounterexampleOutsideTheHistory(t *testing.T) {
	events := doubled("lock-1", "c1", "c2")
	res := resultOf(t, events)
	res.Verdict.Property(linearizability.MutualExclusion).Counterexample.Indices[0] = 1000
	if _, err := Build(folder(t, events, res)); err == nil || !strings.Contains(err.Error(), "mutual exclusion names line 1000") {
		t.Error(err)
	}
}

// TestMarks: a mark is the digest of all lines up to it, however they were
// written.
func TestMarks(t *testing.T) {
	history := lines(t, crowded(1500))
	whole, parts := NewDigest(), NewDigest()
	if _, err := whole.Write(history); err != nil {
		t.Fatal(err)
	}
	for rest := history; len(rest) > 0; rest = rest[min(777, len(rest)):] {
		if _, err := parts.Write(rest[:min(777, len(rest))]); err != nil {
			t.Fatal(err)
		}
	}
	list := bytes.SplitAfter(history, []byte("\n"))
	sum := sha256.Sum256(bytes.Join(list[:2000], nil))
	h := whole.Of(HistoryName)
	if len(h.Marks) != 3 || h.Marks[1] != hex.EncodeToString(sum[:8]) {
		t.Errorf("marks %q", h.Marks)
	}
	if !reflect.DeepEqual(h, parts.Of(HistoryName)) {
		t.Error("the digest depends on how the history is written")
	}
}
