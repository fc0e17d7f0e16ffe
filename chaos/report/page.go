package report

import (
	"crypto/sha256"
	_ "embed" // the page's template and style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
)

//go:embed page.html.tmpl
var pageSource string

//go:embed page.css
var style string

// pageTemplate escapes everything that it is given for the place where it is
// put. The page has no script, and a policy under which the browser would run
// none, load nothing, and use no style but this one.
var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is what the template shows, top to bottom.
type page struct {
	Style  template.CSS
	Policy string

	Result *Result
	Title  string
	Class  string // of the verdict
	Means  string
	Not    string
	Broken []string // names of the properties that fell
	Empty  []string // why the run is vacuous

	Disagreements []keyRow
	Tales         []*tale
	Claims        []claim
	Assumptions   []assumption
	Timeline      *chart
	Rate          *chart
	Waits         *chart
	Rounds        *chart
	Kinds         []kindRow
	Faults        []faultRow
	Counts        []countRow
	Paths         []pathRow
	Opinion       *opinion
	Setup         [][2]string
	Stories       []storyRow
	Error         string
	Replay        string
	Repeats       string // what Replay repeats
	Limits        []string
	Links         []link
	NodeLog       []string
	NodeLogMore   int
}

// claim is a row of the table of properties.
type claim struct {
	Property, Meaning, Outcome, Class, Assumes, Reason string
	Claimed                                            bool
}

// assumption is a row of the table of assumptions.
type assumption struct {
	Name, Text string
	Broken     bool
	Rests      string // the properties that rest on it
}

// link is a file beside the page. Only files inside the run's folder are
// linked; another name is shown as text.
type link struct {
	Name, Href, What string
}

// WritePage writes the page of a run to w. The events must be those of the
// history that res was made from, or those before the line that spoils it.
func WritePage(w io.Writer, res *Result, events []linearizability.Event) error {
	if err := pageTemplate.Execute(w, newPage(res, events)); err != nil {
		return fmt.Errorf("report: writing the page: %w", err)
	}
	return nil
}

func newPage(res *Result, events []linearizability.Event) *page {
	sum := sha256.Sum256([]byte(style))
	p := &page{
		Style:  template.CSS(style),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'",
		Result: res, Title: fmt.Sprintf("%s, seed %d", res.Word, res.Seed), Class: verdictClass(res.Word),
		Means: verdictWords[res.Word].Means, Not: verdictWords[res.Word].Not,
	}
	f := factsOf(res, events)
	for _, v := range res.violated() {
		if res.Word == linearizability.WordViolated {
			p.Broken = append(p.Broken, string(v.Property))
		}
		p.Tales = append(p.Tales, f.tell(v))
	}
	if res.Invariant != "" && res.Word == linearizability.WordViolated {
		p.Broken = append(p.Broken, plain("invariant "+res.Invariant+" of the protocol. "+res.InvariantHow))
	}
	if res.Verdict != nil {
		p.Empty = all(res.Verdict.Vacuous)
	}
	if o := res.SecondOpinion; o != nil && o.Agreement == linearizability.Undecided && res.Word == linearizability.WordUnknown {
		p.Empty = append(p.Empty, "a second opinion: on some locks porcupine could not tell")
	}
	p.Claims, p.Assumptions = claims(res), assumed(res)
	p.Timeline = f.timeline()
	b := f.binned()
	p.Rate = f.rate(b)
	p.Waits = f.latency("How long a successful acquire took, waiting for others included", &b.waits)
	p.Rounds = f.latency("How long a successful extend or release took: a round to a majority, nobody to wait for", &b.rounds)
	p.Kinds, p.Faults = kindRows(res), faultRows(res)
	p.Counts, p.Paths = countRows(f), pathRows(res)
	p.Opinion = opinionOf(res)
	for _, k := range p.Opinion.keys() {
		if k.Agreement == string(linearizability.Disagrees) {
			p.Disagreements = append(p.Disagreements, k)
		}
	}
	p.Setup, p.Stories = setup(res), storyRows(res)
	p.Error, p.Replay, p.Repeats, p.Limits = wordy(res.Error), wordy(res.Replay), res.repeats(), all(res.Limits)
	p.Links = links(res)
	p.NodeLog = all(res.NodeLog)
	if n := len(p.NodeLog) - maxNodeLog; n > 0 {
		p.NodeLog, p.NodeLogMore = p.NodeLog[:maxNodeLog], n
	}
	return p
}

// maxNodeLog is how many lines about nodes the page has.
const maxNodeLog = 300

// all makes texts fit to be shown.
func all(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = plain(s)
	}
	return out
}

func verdictClass(word string) string {
	switch word {
	case linearizability.WordViolated, WordFailed:
		return "bad"
	case linearizability.WordNoViolation:
		return "good"
	}
	return "dim"
}

func claims(res *Result) []claim {
	if res.Verdict == nil {
		return nil
	}
	var list []claim
	for _, v := range res.Verdict.Properties {
		c := claim{Property: plain(string(v.Property)), Meaning: meanings[v.Property], Outcome: plain(string(v.Outcome)), Claimed: v.Claimed, Reason: wordy(v.Reason)}
		var needs []string
		for _, a := range v.Assumes {
			needs = append(needs, string(a))
		}
		c.Assumes = plain(strings.Join(needs, " "))
		switch {
		case v.Outcome == linearizability.Invalid && v.Claimed:
			c.Class = "bad"
		case v.Outcome == linearizability.Valid && v.Claimed:
			c.Class = "good"
		default:
			c.Class = "dim"
		}
		list = append(list, c)
	}
	return list
}

func assumed(res *Result) []assumption {
	var list []assumption
	for _, a := range assumptions {
		row := assumption{Name: string(a.Name), Text: a.Text}
		var rests []string
		if res.Verdict != nil {
			for _, b := range res.Verdict.Broken {
				row.Broken = row.Broken || b == a.Name
			}
			for _, v := range res.Verdict.Properties {
				for _, n := range v.Assumes {
					if n == a.Name {
						rests = append(rests, plain(string(v.Property)))
					}
				}
			}
		}
		row.Rests = strings.Join(rests, ", ")
		list = append(list, row)
	}
	return list
}

// setup lists under which conditions the run took place.
func setup(res *Result) [][2]string {
	p := res.Params
	rows := [][2]string{}
	if !res.Began.IsZero() {
		rows = append(rows, [2]string{"began", res.Began.UTC().Format(time.RFC3339)})
	}
	rows = append(rows, [][2]string{
		{"seed", fmt.Sprint(res.Seed)},
		{"faulted part", res.Duration.String()},
		{"healed after", res.Healed.D().Round(time.Millisecond).String()},
		{"nodes", fmt.Sprintf("%d, a majority is %d", res.Nodes, p.Quorum)},
		{"what nodes run in", plain(res.Backend)},
		{"clients", fmt.Sprint(res.Clients)},
		{"locks", fmt.Sprint(res.Keys)},
		{"ttl", fmt.Sprintf("%v; the cluster's largest is %v", p.TTL, p.MaxTTL)},
		{"node deadline", p.NodeDeadline.String()},
		{"ρ, the drift allowed for", fmt.Sprint(p.Drift)},
		{"Go", plain(res.Go + " " + res.Platform)},
	}...)
	for _, name := range sorted(res.Versions) {
		rows = append(rows, [2]string{plain(name), plain(res.Versions[name])})
	}
	who, times := res.stillness()
	return append(rows, [2]string{who, times})
}

// whats say what is in a run's files.
var whats = map[string]string{
	HistoryName: "every operation, fault and sample, one a line", ResultsFile: "this page's facts for programs",
	"schedule.json": "what was planned", "nodes/": "the servers' logs", "story.txt": "what happened, message by message", SummaryFile: "this page in short",
}

// harmless are the characters of names that are linked.
const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"

func links(res *Result) []link {
	var list []link
	for _, name := range append(append([]string{}, res.Files...), SummaryFile) {
		l := link{Name: plain(name), What: whats[name]}
		if strings.HasPrefix(name, "porcupine-") {
			l.What = "porcupine's own drawing of a lock"
		}
		if filepath.IsLocal(name) && !strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(harmless, r) }) {
			l.Href = "./" + name
		}
		list = append(list, l)
	}
	return list
}
