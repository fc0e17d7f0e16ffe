package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
)

// corpus is where the histories with known verdicts are.
const corpus = "../../linearizability/testdata"

// corpusFiles returns the files of a folder of the corpus.
func corpusFiles(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpus, folder, "*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%s: %d files, %v", folder, len(files), err)
	}
	return files
}

func TestCorpus(t *testing.T) {
	judged := map[string]int{} // folder/model → files
	for folder, want := range map[string]int{"legal": linearizability.ExitNoViolation, "illegal": linearizability.ExitViolated} {
		for _, path := range corpusFiles(t, folder) {
			models, _, _ := strings.Cut(filepath.Base(path), ".")
			for _, model := range strings.Split(models, "+") {
				judged[folder+"/"+model]++
				args := []string{"check", "--model", strings.Replace(model, "semaphore-", "semaphore:", 1), path}
				if model == "judge" {
					args = []string{"check", path}
				}
				if code, stdout, stderr := say(t, args...); code != want || stderr != "" {
					t.Errorf("%v: exit %d, want %d\n%s%s", args, code, want, stdout, stderr)
				}
			}
		}
	}
	for _, model := range linearizability.Models() {
		model = strings.Replace(model, "semaphore:K", "semaphore-2", 1)
		if judged["legal/"+model] == 0 || judged["illegal/"+model] == 0 {
			t.Errorf("no history shows what %s permits and what it forbids", model)
		}
	}
}

func TestCorpusRefused(t *testing.T) {
	for _, path := range corpusFiles(t, "refused") {
		line, reason, _ := strings.Cut(filepath.Base(path), ".")
		reason, _, _ = strings.Cut(reason, ".")
		for _, args := range [][]string{{"check", path}, {"check", "--model", "lease", path}} {
			code, stdout, stderr := say(t, args...)
			said := strings.ReplaceAll(strings.ReplaceAll(stderr, " ", "-"), "'", "")
			if code != linearizability.ExitBadInput || stdout != "" || !strings.Contains(said, "line-"+line+":-"+reason+":") {
				t.Errorf("%v: exit %d, %q %q", args, code, stdout, stderr)
			}
		}
	}
	torn := filepath.Join(corpus, "refused", "2.truncated-last-line.jsonl")
	if code, stdout, _ := say(t, "check", "--drop-torn", torn); code != 0 || !strings.Contains(stdout, "torn last line dropped") {
		t.Errorf("dropping the tail: exit %d, %q", code, stdout)
	}
}

// checkStdin judges what in says.
func checkStdin(t *testing.T, in io.Reader, args ...string) (code int, stdout, stderr string, err error) {
	t.Helper()
	var out, errs strings.Builder
	code, err = checkCommand(t.Context(), append(args, "-"), in, &out, &errs)
	return code, out.String(), errs.String(), err
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStandardInput(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(corpus, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	lines := read("illegal/judge.two-holders.jsonl")
	edn := read("illegal/mutex+owner-aware-mutex+reentrant-mutex.jepsen-two-holders.edn")
	whole := packed(t, lines)
	for _, c := range []struct {
		name, in string
		code     int
		want     string
	}{
		{"JSON lines", lines, linearizability.ExitViolated, "-: VIOLATED"},
		{"packed", string(whole), linearizability.ExitViolated, "-: VIOLATED"},
		{"EDN", edn, linearizability.ExitViolated, "-: VIOLATED"},
		{"EDN with a comment", "; a run\n" + edn, linearizability.ExitViolated, "-: VIOLATED"},
		{"packed EDN", string(packed(t, "#op "+edn)), linearizability.ExitViolated, "-: VIOLATED"},
		{"nothing", "", linearizability.ExitUnknown, "-: UNKNOWN"},
		{"packed nothing", string(packed(t, "")), linearizability.ExitUnknown, "-: UNKNOWN"},
		{"packed, cut off", string(whole[:len(whole)-20]), linearizability.ExitBadInput, "-: history: line"},
		{"packed, head alone", string(whole[:5]), linearizability.ExitBadInput, "EOF"},
		{"zeros", strings.Repeat("\x00", 3<<20), linearizability.ExitBadInput, "line 1: line too long"},
	} {
		code, stdout, stderr, err := checkStdin(t, strings.NewReader(c.in), "--model", "mutex")
		if err != nil || code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%s: exit %d, %v; want %d and %q in\n%s%s", c.name, code, err, c.code, c.want, stdout, stderr)
		}
	}
}

// TestWorstExit judges several files at once: one that is refused does not keep
// the others from being judged.
func TestWorstExit(t *testing.T) {
	legal := filepath.Join(corpus, "legal", "judge.handed-over.jsonl")
	illegal := filepath.Join(corpus, "illegal", "judge.two-holders.jsonl")
	refused := filepath.Join(corpus, "refused", "2.time-runs-backwards.jsonl")
	empty := filepath.Join(t.TempDir(), "empty.jsonl")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		files []string
		code  int
	}{
		{[]string{legal, legal}, 0},
		{[]string{empty, legal}, linearizability.ExitUnknown},
		{[]string{legal, illegal, empty}, linearizability.ExitViolated},
		{[]string{refused, illegal, empty, legal}, linearizability.ExitBadInput},
		{[]string{"no such file", legal}, linearizability.ExitBadInput},
	} {
		code, stdout, _ := say(t, append([]string{"check"}, c.files...)...)
		if code != c.code || !strings.Contains(stdout, filepath.Base(c.files[len(c.files)-1])) {
			t.Errorf("%v: exit %d, want %d\n%s", c.files, code, c.code, stdout)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	illegal := filepath.Join(corpus, "illegal", "judge.two-holders.jsonl")
	refused := filepath.Join(corpus, "refused", "2.time-runs-backwards.jsonl")
	_, stdout, _ := say(t, "check", "--json", illegal, refused)
	_, model, _ := say(t, "check", "--json", "--model", "mutex", illegal)
	dec := json.NewDecoder(strings.NewReader(stdout + model))
	var got []checked
	for dec.More() {
		var c checked
		if err := dec.Decode(&c); err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	if len(got) != 3 {
		t.Fatalf("%d objects in\n%s%s", len(got), stdout, model)
	}
	if c := got[0]; c.File != illegal || c.Exit != 1 || c.Word != linearizability.WordViolated || c.Verdict == nil ||
		c.Verdict.Property(linearizability.MutualExclusion).Counterexample == nil {
		t.Errorf("violated: %+v", c)
	}
	if c := got[1]; c.Exit != 3 || c.Word != "" || c.Refused == nil || c.Refused.Line != 2 || c.Refused.Reason != linearizability.ReasonTime {
		t.Errorf("refused: %+v", c)
	}
	if c := got[2]; c.Exit != 1 || c.Model == nil || c.Model.Model != "mutex" || len(c.Model.Keys) != 1 || c.Model.Keys[0].Outcome != linearizability.Invalid {
		t.Errorf("by the model: %+v", c)
	}
}

var manyX = strings.Repeat("x", 1<<20)

// endless is a line that never ends, of size bytes.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), e.left)], manyX)
	e.left -= n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestHugeLine reads a line of 1 GiB, of which no more than a little may be
// kept, wherever it is read to its end.
func TestHugeLine(t *testing.T) {
	for _, args := range [][]string{nil, {"--drop-torn"}, {"--model", "mutex"}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const history = `{"index":0,"time":0,"process":0,"type":"invoke","f":"acquire","key":"k","value":{"client":"c"}}` + "\n"
		code, stdout, stderr, err := checkStdin(t, io.MultiReader(strings.NewReader(history), &endless{left: 1 << 30}, strings.NewReader("\n")), args...)
		runtime.ReadMemStats(&after)
		if err != nil || code != linearizability.ExitBadInput || !strings.Contains(stderr, "line 2: line too long") {
			t.Errorf("%v: exit %d, %v, %q %q", args, code, err, stdout, stderr)
		}
		if kept := after.TotalAlloc - before.TotalAlloc; kept > 16<<20 {
			t.Errorf("%v: allocated %d bytes", args, kept)
		}
	}
}

func TestCheckStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	code, err := checkCommand(ctx, []string{"-"}, &endless{left: 1 << 40}, &out, &errs)
	if err != nil || code != linearizability.ExitBadInput || !strings.Contains(errs.String(), context.Canceled.Error()) {
		t.Errorf("exit %d, %v, %q", code, err, errs.String())
	}
}

func TestProgress(t *testing.T) {
	var drawn strings.Builder
	m := &meter{ctx: t.Context(), in: &endless{left: 1000}, name: "x.jsonl", size: 2000, draw: &drawn}
	if _, err := io.ReadAll(m); err != nil {
		t.Fatal(err)
	}
	begin := time.Unix(0, 0)
	m.began = begin
	for _, ms := range []int{0, 1999, 2000, 2050, 2100} {
		m.tick(begin.Add(time.Duration(ms) * time.Millisecond))
	}
	m.clear()
	m.clear()
	want := "\r\x1b[Kx.jsonl: [" + strings.Repeat("=", 15) + strings.Repeat(" ", 15) + "]  50 %, 0 MB, 0 MB/s"
	if got := drawn.String(); got != want+want+"\r\x1b[K" {
		t.Errorf("drew %q, want twice %q and a clear line", got, want)
	}
	m.size = 0
	if got := m.bar(begin.Add(time.Second)); got != "x.jsonl: 0 MB, 0 MB/s" {
		t.Errorf("of unknown size: %q", got)
	}
}

func TestExport(t *testing.T) {
	dir := t.TempDir()
	legal := filepath.Join(corpus, "legal", "judge.loss-told-in-time.jsonl")
	text, err := os.ReadFile(legal)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, historyName), text, 0o600); err != nil {
		t.Fatal(err)
	}
	edn := filepath.Join(dir, "history.edn")
	if code, _, stderr := say(t, "export", "--out", edn, dir); code != 0 {
		t.Fatalf("exit %d, %q", code, stderr)
	}
	_, fromFile, _ := say(t, "export", legal)
	written, err := os.ReadFile(edn)
	if err != nil || string(written) != fromFile || !strings.HasPrefix(fromFile, "{:index 0, ") || strings.Contains(fromFile, "observer") {
		t.Errorf("%v; in the file\n%s\nto standard output\n%s", err, written, fromFile)
	}
	if code, stdout, stderr := say(t, "check", "--model", "lease", edn); code != 0 {
		t.Errorf("exit %d, %q %q", code, stdout, stderr)
	}
	if code, stdout, _ := say(t, "export", "--format", "jsonl", edn); code != 0 || strings.Count(stdout, "\n") != strings.Count(fromFile, "\n") {
		t.Errorf("back: exit %d\n%s", code, stdout)
	}
	// A history that is refused leaves nothing behind, and what was there.
	if code, _, stderr := say(t, "export", "--out", edn, filepath.Join(corpus, "refused", "2.time-runs-backwards.jsonl")); code != 3 || !strings.Contains(stderr, "line 2") {
		t.Errorf("refused: exit %d, %q", code, stderr)
	}
	again, err := os.ReadFile(edn)
	left, listErr := os.ReadDir(dir)
	if err := errors.Join(err, listErr); err != nil || !bytes.Equal(again, written) || len(left) != 2 {
		t.Errorf("%v; %d files are left, and the old one is\n%s", err, len(left), again)
	}
	for _, args := range [][]string{{"export"}, {"export", legal, legal}, {"export", "--format", "csv", legal}, {"export", "--out", filepath.Join(dir, "no", "such", "dir"), legal}} {
		if code, _, stderr := say(t, args...); code != 3 || stderr == "" {
			t.Errorf("%v: exit %d, %q", args, code, stderr)
		}
	}
}

// TestManyBadKeys shows some of them in full, and says how many more there are.
func TestManyBadKeys(t *testing.T) {
	var history strings.Builder
	index := 0
	for key := range maxKeysShown + 5 {
		for process := range 2 {
			for _, kind := range []string{"invoke", "ok"} {
				fmt.Fprintf(&history, `{"index":%d,"time":%d,"process":%d,"type":%q,"f":"acquire","key":"k%d","value":{"client":"c%d","hold":"h%d"}}`+"\n",
					index, index, process, kind, key, process, 2*key+process)
				index++
			}
		}
	}
	code, stdout, stderr, err := checkStdin(t, strings.NewReader(history.String()), "--model", "mutex")
	if err != nil || code != linearizability.ExitViolated || !strings.Contains(stdout, "and 5 more keys") || strings.Count(stdout, "counted from 0") != maxKeysShown {
		t.Errorf("exit %d, %v, %q\n%s", code, err, stderr, stdout)
	}
}
