package report

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// text is what a reader sees of a page, more or less.
func text(page string) string {
	page = regexp.MustCompile(`(?s)<style>.*?</style>|<title>[^<]*</title>`).ReplaceAllString(page, "")
	page = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(html.UnescapeString(page)), " ")
}

func wantAll(t *testing.T, what, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s does not say %q:\n%.3000s", what, w, got)
		}
	}
}

func TestPageOfAPassingRun(t *testing.T) {
	events := passing()
	dir, page := built(t, events, resultOf(t, events))
	wantAll(t, "the page", text(page),
		"NO VIOLATION OBSERVED", "What it does not mean. It is no proof", "C4", "no fault of this plan breaks it",
		"pause", "redlock-chaos run --seed 7", "one machine", "Redis 7.0.15", "It agrees.",
		// Of two acquires and two releases one each returned while n3 was paused.
		"acquire 2 0 0 1 0 0", "release 2 0 0 1 0 0")
	wantAll(t, "the page", page, `href="./history.jsonl"`, `href="./schedule.json"`, `href="./nodes/"`,
		"c1 holds lock-1: hold c1-1, token 5, from 0.0120 s to 0.1000 s (ended by release), valid until 0.9000 s",
		"c2 waits for lock-1 from 0.0400 s", "pause (n3), from 0.0200 s to 0.1500 s", "n3 has a vote")
	wantAll(t, "the summary", readFile(t, filepath.Join(dir, SummaryFile)), "NO VIOLATION OBSERVED", "| mutual exclusion | valid |", "| pause | 1 | 1 |")
	if strings.Contains(text(page), "What happened") {
		t.Error("a story is told where nothing happened")
	}
}

func TestPageTellsWhatHappened(t *testing.T) {
	events := doubled("lock-1", "c1", "c2")
	dir, page := built(t, events, resultOf(t, events))
	seen := text(page)
	wantAll(t, "the page", seen, "VIOLATED Broken: mutual exclusion",
		"c1 was given the lock lock-1 at 0.0120 s. It gave it back at 0.2000 s.",
		"Before that, at 0.0800 s, c2 was given the same lock. It gave it back at 0.1200 s.",
		"So for 40 ms two clients held one lock",
		"between 0.0290 s and 0.0600 s the key of c1's hold c1-1 vanished from n1, n2 and n3, although c1 had not given the lock back",
		"c2 trying to acquire",
		"Porcupine:", "7 6 0.1200 s 2 invoke release lock-1 c2 c2-1")
	if strings.Index(seen, "Broken: mutual exclusion") > 400 {
		t.Error("the property is not named on the first screen")
	}
	wantAll(t, "the summary", readFile(t, filepath.Join(dir, SummaryFile)), "VIOLATED", "**Broken: mutual exclusion** (the lock is to blame)")
}

func TestPageTellsOfTokens(t *testing.T) {
	events := sameToken()
	_, page := built(t, events, resultOf(t, events))
	wantAll(t, "the page", text(page), "Broken: token order", "c1 was given the lock lock-1 at 0.0120 s with token 5.", "The two tokens are the same")
}

func TestPageOfADisagreement(t *testing.T) {
	events := passing()
	res := resultOf(t, events)
	res.SecondOpinion.Agreement = linearizability.Disagrees
	k := &res.SecondOpinion.Keys[0]
	k.Agreement, k.Porcupine = linearizability.Disagrees, linearizability.Argument{Outcome: linearizability.Invalid, Reason: "two at once"}
	res.Word, res.ExitCode, res.Error = WordFailed, linearizability.ExitBadInput, res.SecondOpinion.Err().Error()
	_, page := built(t, events, res)
	wantAll(t, "the page", text(page), "HARNESS FAILED", "The two checkers disagree", "porcupine invalid two at once", "ours valid")
}

// TestPageOfAnUndecidedRun: where porcupine runs out of time, that is not read as
// agreement, and the page says why there is no verdict.
func TestPageOfAnUndecidedRun(t *testing.T) {
	events := passing()
	res := resultOf(t, events)
	res.SecondOpinion.Agreement, res.SecondOpinion.Outcome = linearizability.Undecided, linearizability.Unknown
	res.SecondOpinion.Keys[0].Agreement = linearizability.Undecided
	res.SecondOpinion.Keys[0].Porcupine = linearizability.Argument{Outcome: linearizability.Unknown, Reason: "out of time"}
	res.Word, res.ExitCode = res.SecondOpinion.Word(res.Verdict), res.SecondOpinion.ExitCode(res.Verdict)
	_, page := built(t, events, res)
	wantAll(t, "the page", text(page), "UNKNOWN", "What was missing: a second opinion", "It could not tell on every lock.", "Porcupine: out of time")
}

// TestPageBeyondTheProperties: where both checkers convict and no property fell,
// the page names what did.
func TestPageBeyondTheProperties(t *testing.T) {
	b := &book{}
	// c1 was invoked first and returns second, with the lower token: no property
	// forbids it, and a fenced mutex does.
	b.acquire(10, 60, 900, "lock-1", "c1", "c1-1", 5, func() {
		b.acquire(20, 25, 900, "lock-1", "c2", "c2-1", 6)
		b.release(30, 31, "lock-1", "c2", "c2-1")
	})
	b.release(70, 71, "lock-1", "c1", "c1-1")
	res := resultOf(t, b.events)
	if res.Word != linearizability.WordViolated || res.Verdict.Outcome == linearizability.Invalid {
		t.Fatalf("%s, %s", res.Word, res.Verdict.Outcome)
	}
	_, page := built(t, b.events, res)
	wantAll(t, "the page", text(page), "VIOLATED Broken: fenced mutex", "There is one order of all acquires", "acquire lock-1 c1 c1-1 5")
}

// TestPageOfASpoiltHistory: where the harness could not judge its own history,
// there is a page all the same.
func TestPageOfASpoiltHistory(t *testing.T) {
	events := passing()
	res := resultOf(t, events)
	events[4].Time = 0 // backwards
	res.Verdict, res.SecondOpinion = nil, nil
	res.Word, res.ExitCode, res.Error = WordFailed, linearizability.ExitBadInput, "time runs backwards"
	res.History = digestOf(t, events).Of(HistoryName)
	_, page := built(t, events, res)
	wantAll(t, "the page", text(page), "HARNESS FAILED", "time runs backwards", "Nothing was judged")
	wantAll(t, "the page", page, "c1 holds lock-1")
}

// TestPageIsTheSameAgain: nothing but the two files goes into it.
func TestPageIsTheSameAgain(t *testing.T) {
	events := doubled("lock-1", "c1", "c2")
	dir, page := built(t, events, resultOf(t, events))
	if _, err := Build(dir); err != nil {
		t.Fatal(err)
	}
	if readFile(t, filepath.Join(dir, PageFile)) != page {
		t.Error("made again, the page differs")
	}
}

// TestPolicy: the policy lets the page's own style pass and nothing else.
func TestPolicy(t *testing.T) {
	events := passing()
	_, page := built(t, events, resultOf(t, events))
	m := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("no style")
	}
	sum := sha256.Sum256([]byte(m[1]))
	want := `content="default-src 'none'; style-src 'sha256-` + base64.StdEncoding.EncodeToString(sum[:]) + `'; img-src data:; base-uri 'none'; form-action 'none'"`
	if !strings.Contains(html.UnescapeString(page), want) {
		t.Errorf("the policy is not %s:\n%.600s", want, page)
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}

// evil is what a name or an error may hold.
const evil = `"'></title></text></svg></td></style></script><script>document.documentElement.setAttribute("data-pwned","1")</script>` +
	`<img src="http://evil.invalid/x" onerror="document.documentElement.setAttribute('data-pwned','1')">{{.}}${1}` + "\u202e\x00\x1b[31m`|*_"

// hostile is a run all of whose names and texts are evil.
func hostile(t *testing.T) ([]linearizability.Event, *Result) {
	events := doubled("lock-1"+evil, "c1"+evil, "c2"+evil)
	b := &book{events: events, process: 10}
	b.fault(300, 7, evil, linearizability.FaultBegin, "n1"+evil)
	b.add(linearizability.Event{Time: 310e6, Process: 40, Type: linearizability.Invoke, F: linearizability.Acquire, Key: "lock-1" + evil, Value: linearizability.Value{Client: "c3" + evil}})
	b.add(linearizability.Event{Time: 320e6, Process: 40, Type: linearizability.Fail, F: linearizability.Acquire, Key: "lock-1" + evil, Value: linearizability.Value{Client: "c3" + evil}, Error: evil})
	b.fault(330, 7, evil, linearizability.FaultEnd, "n1"+evil)
	res := resultOf(t, b.events)
	res.Replay, res.Go, res.Platform, res.Backend, res.Limits, res.NodeLog = evil, evil, evil, evil, []string{evil}, []string{evil}
	res.Versions = map[string]string{evil: evil}
	res.Files = append(res.Files, evil, "javascript:alert(1)", "../outside", "/etc/passwd", "//evil.invalid/x", `a" onclick="alert(1)`)
	res.Stories = []StoryOutcome{{Name: evil, Why: evil, Error: evil}}
	res.Faults = []Entry{{ID: 1, Kind: scenario.Kind(evil), Story: evil, Nodes: []string{evil}, Clients: []string{evil}, Direction: scenario.Direction(evil), Reason: evil}}
	res.Kinds = []KindCount{{Kind: scenario.Kind(evil), Planned: 1}}
	res.Tally.Paths[evil] = 1
	res.Verdict.Vacuous = []string{evil}
	for i := range res.Verdict.Properties {
		p := &res.Verdict.Properties[i]
		p.Reason, p.Blame = evil, evil
		if p.Counterexample != nil {
			p.Counterexample.Story = evil
		}
	}
	res.SecondOpinion.Checker = evil
	for i := range res.SecondOpinion.Keys {
		res.SecondOpinion.Keys[i].Ours.Reason, res.SecondOpinion.Keys[i].Porcupine.Reason = evil, evil
	}
	return b.events, res
}

// The elements and attributes that a page may have.
var (
	elements = strings.Fields(`html head meta title link style body main header section footer h1 h2 h3 p strong br code span div
		table tbody tr th td ul ol li details summary a input label svg rect line text`)
	attributes = strings.Fields(`lang charset http-equiv content name rel class height width aria-hidden aria-label role
		x y x1 x2 y1 y2 text-anchor type id checked for`)
)

// dangers lists what in the page is not of the page's own making.
func dangers(page string) []string {
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "link", "br", "input"}, xml.HTMLEntity
	var list []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			return append(list, err.Error())
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !slices.Contains(elements, e.Name.Local) {
			list = append(list, "<"+e.Name.Local+">")
		}
		for _, a := range e.Attr {
			if a.Name.Local == "href" && (strings.HasPrefix(a.Value, "./") && !strings.Contains(a.Value, "..") || a.Value == "data:,") {
				continue
			}
			if !slices.Contains(attributes, a.Name.Local) {
				list = append(list, fmt.Sprintf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value))
			}
		}
	}
}

func TestHostilePage(t *testing.T) {
	events, res := hostile(t)
	dir, page := built(t, events, res)
	if list := dangers(page); len(list) > 0 {
		t.Errorf("the page has %q", list)
	}
	var linked []string
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		linked = append(linked, m[1])
	}
	if want := []string{"data:,", "./history.jsonl", "./results.json", "./schedule.json", "./nodes/", "./summary.md"}; !slices.Equal(linked, want) {
		t.Errorf("the page links %q, want %q", linked, want)
	}
	if strings.ContainsAny(page, "\u202e\x00\x1b") {
		t.Error("the page has characters that cannot be seen")
	}
	wantAll(t, "the page", text(page), "Broken: mutual exclusion", `<script>document`)
	markdown := readFile(t, filepath.Join(dir, SummaryFile))
	for _, line := range strings.Split(markdown, "\n") {
		if strings.HasPrefix(line, "    ") {
			continue // code
		}
		if regexp.MustCompile("[^\\\\]`|<|[^\\\\]\\$?{{").MatchString(line) {
			t.Errorf("the summary has markup from a name: %q", line)
		}
	}
}

// TestDangersAreSeen shows that the check above would find some.
func TestDangersAreSeen(t *testing.T) {
	for _, page := range []string{`<p><script>x</script></p>`, `<p onclick="x">y</p>`, `<a href="javascript:x">y</a>`, `<a href="./../x">y</a>`, `<img src="x">`, `<p style="x">y</p>`} {
		if len(dangers(page)) == 0 {
			t.Errorf("nothing is seen in %s", page)
		}
	}
	if list := dangers(`<html lang="en"><p class="x">y &lt; z<br></p><a href="./x">y</a></html>`); len(list) > 0 {
		t.Errorf("%q is none", list)
	}
}

// TestLongHistory: 20,000 operations make a page that is still a page.
func TestLongHistory(t *testing.T) {
	events := crowded(20_000)
	res := resultOf(t, events)
	dir := folder(t, events, res)
	began := time.Now()
	if _, err := Build(dir); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	page := readFile(t, filepath.Join(dir, PageFile))
	t.Logf("%d events: %d bytes, %d bars, made in %v", len(events), len(page), strings.Count(page, "<rect"), took)
	if len(page) > 5_000_000 || strings.Count(page, "<rect") > 3*barBudget {
		t.Errorf("%d bytes, %d bars", len(page), strings.Count(page, "<rect"))
	}
	m := regexp.MustCompile(`(\d+) of the bars stand for (\d+) that are too short`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page does not say that bars were merged")
	}
	// Every acquire is drawn: alone, or counted in a bar.
	var alone, merged int
	for _, s := range regexp.MustCompile(`<title>(\d+) times (hold|offender) between`).FindAllStringSubmatch(page, -1) {
		var n int
		fmt.Sscan(s[1], &n)
		merged += n
	}
	alone = len(regexp.MustCompile(`<title>c\d+ holds `).FindAllString(page, -1))
	if want := len(linearizability.Holds(events)); alone+merged != want {
		t.Errorf("%d holds alone and %d in merged bars, of %d", alone, merged, want)
	}
}
