package linearizability

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var mutantsFlag = flag.String("mutants", "", "flip each comparison of these files (\"all\", or names separated by commas) and see the tests fail; takes minutes")

// mutatedFiles are the files whose comparisons decide verdicts.
var mutatedFiles = []string{"model.go", "model_record.go", "model_porcupine.go", "sweep.go", "search.go", "minimize.go", "check.go"}

// flips turns a comparison into one that differs as little as possible.
var flips = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LSS: token.LEQ, token.LEQ: token.LSS,
	token.GTR: token.GEQ, token.GEQ: token.GTR, token.LAND: token.LOR, token.LOR: token.LAND,
}

// equivalent are the flips that change no verdict, with the argument. The key
// is the file, and the expression as it stands there.
var equivalent = map[string]string{
	"model_record.go: op.invoke < h.released":                "the same line is noted again",
	"model_record.go: until > h.deadline":                    "the same deadline is noted again",
	"model_porcupine.go: j.ctx.Err() != nil || left <= 0":    "the budget stops a search that has been told to stop at its first step",
	"model_porcupine.go: left <= 0":                          "the context is done when nothing is left",
	"sweep.go: a.ret > line":                                 "two events are never on one line, and a claim that is not empty ends after its acquire returned",
	"sweep.go: 2*k.over > len(k.live)":                       "holds are forgotten a little sooner",
	"sweep.go: a.ret > op.invoke":                            "two events are never on one line",
	"sweep.go: claims && op.do == take && op.outcome == 'o'": "what is not an acquire that returned ok has no end, so that it counts as empty or ends before all lines; where releases count, a claim ends where its release is invoked, which is in the list already",
	"sweep.go: claims && op.do == take":                      "as above",
	"search.go: a.end == b.end":                              "what begins and ends at one point are ends of claims, each of which stays behind its own beginning; they are legal in any order and lead to the same state",
	"search.go: s.left.steps < 0":                            "the limit is reached one step sooner",
	"search.go: bytes < 0":                                   "the limit is reached one byte sooner",
	"minimize.go: j.lastLine(op) > reach":                    "of two holds that end on one line either will do",
	"minimize.go: culprit.token < k.state.cur":               "the rule that was broken is that they are equal",
	"minimize.go: reach <= k.at":                             "the end of a hold on the line at which an acquire of its client returns makes the key odd, which is not judged by the sweep",
	"minimize.go: op.ret < before":                           "as above",
	"minimize.go: h.released >= 0":                           "a release on line 0 comes before its acquire, which makes the key odd",
	"minimize.go: line >= 0":                                 "no hold ends on line 0",
	"minimize.go: w.from > found.stuck.to":                   "what begins at the point at which the search is stuck is the end of another claim, which is always legal",
	"minimize.go: last < len(all)":                           "nothing is let go of then",
	"minimize.go: budget.steps > 0":                          "the limit is reached one step sooner",
}

// mutant is a comparison to be flipped.
type mutant struct {
	name string // FILE:LINE
	key  string // FILE and expression
	flip string
}

// mutator rewrites files so that each comparison can be flipped when the
// program runs: one build serves all mutants.
type mutator struct {
	set     *token.FileSet
	file    string
	src     []byte
	mutants []mutant
}

func (m *mutator) offset(p token.Pos) int { return m.set.Position(p).Offset }

// text returns the source from one place to another with the comparisons in
// node, which spans it, replaced.
func (m *mutator) text(node ast.Node, from, to int) string {
	var b strings.Builder
	ast.Inspect(node, func(n ast.Node) bool {
		e, ok := n.(*ast.BinaryExpr)
		if !ok || flips[e.Op] == 0 {
			return true
		}
		b.Write(m.src[from:m.offset(e.Pos())])
		b.WriteString(m.comparison(e))
		from = m.offset(e.End())
		return false
	})
	b.Write(m.src[from:to])
	return b.String()
}

// comparison returns a comparison that asks which way it stands.
func (m *mutator) comparison(e *ast.BinaryExpr) string {
	flipped := flips[e.Op]
	expr := string(m.src[m.offset(e.Pos()):m.offset(e.End())])
	m.mutants = append(m.mutants, mutant{name: fmt.Sprintf("%s:%d", m.file, m.set.Position(e.OpPos).Line),
		key: m.file + ": " + expr, flip: fmt.Sprintf("%s → %s in %s", e.Op, flipped, expr)})
	n := len(m.mutants)
	x := m.text(e.X, m.offset(e.X.Pos()), m.offset(e.X.End()))
	y := m.text(e.Y, m.offset(e.Y.Pos()), m.offset(e.Y.End()))
	return fmt.Sprintf("mutated(%d, func() bool { return %s %s %s }, func() bool { return %s %s %s })", n, x, e.Op, y, x, flipped, y)
}

// mutatedSource is what the rewritten files call.
const mutatedSource = `package linearizability

import "os"

var mutation = os.Getenv("MUTANT")

func mutated(n int, was, flipped func() bool) bool {
	if mutation != "" && mutation == itoa(n) {
		return flipped()
	}
	return was()
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
`

// build writes the files rewritten to dir, and returns a test binary of them.
func (m *mutator) build(t *testing.T, files []string, dir string) string {
	t.Helper()
	replace := map[string]string{}
	put := func(file, text string) {
		here, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		replace[here] = filepath.Join(dir, file)
		if err := os.WriteFile(replace[here], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m.set, m.file, m.src = token.NewFileSet(), file, src
		f, err := parser.ParseFile(m.set, file, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		put(file, m.text(f, 0, len(src)))
	}
	put("mutated.go", mutatedSource)
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list, bin := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutants.test")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", list, "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// survives tells whether the tests pass with the mutant of this number, and how
// they failed. Number 0 is none.
func survives(bin string, n int) (bool, string) {
	cmd := exec.Command(bin, "-test.timeout=60s", "-test.failfast", "-histories=15000",
		"-test.run=^(TestRules|TestCorners|TestStories|TestModelsAndOptions|TestSearch|TestTenUnknown|TestModelVerdict|TestLongSearch|TestShortened|TestWithin|TestFrontier|TestManyAlike|TestRecorder|TestMethodsAgree|TestUnknownModel)")
	cmd.Env = append(os.Environ(), fmt.Sprintf("MUTANT=%d", n))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return true, ""
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "--- FAIL") || strings.HasPrefix(line, "panic") {
			return false, strings.TrimSpace(line)
		}
	}
	return false, "failed"
}

// TestMutants: a checker with any one comparison flipped does not pass the
// tests, unless the flip is known to change nothing.
func TestMutants(t *testing.T) {
	if *mutantsFlag == "" {
		t.Skip("SKIP: takes minutes; run with -mutants=all -timeout=2h")
	}
	files := mutatedFiles
	if *mutantsFlag != "all" {
		files = strings.Split(*mutantsFlag, ",")
	}
	m := &mutator{}
	bin := m.build(t, files, t.TempDir())
	if passes, how := survives(bin, 0); !passes {
		t.Fatalf("the tests fail without any flip: %s", how)
	}
	caught, excused := 0, 0
	for i, mutant := range m.mutants {
		survived, how := survives(bin, i+1)
		switch argument := equivalent[mutant.key]; {
		case !survived:
			caught++
			t.Logf("%s: %s: %s", mutant.name, mutant.flip, how)
		case argument != "":
			excused++
			t.Logf("%s: %s survives: %s", mutant.name, mutant.flip, argument)
		default:
			t.Errorf("%s: %s survives", mutant.name, mutant.flip)
		}
	}
	t.Logf("%d mutants caught, %d equivalent", caught, excused)
}
