package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/quorumlock/quorumlock/linearizability"
)

// WriteMarkdown writes the run in short, for a pull request or the page of a
// continuous integration job. Names and errors are escaped, so that they are
// neither markup nor HTML there.
func (r *Result) WriteMarkdown(out io.Writer) error {
	w := &errWriter{w: out}
	sign := map[string]string{"good": "✅", "bad": "❌", "dim": "⚠️"}
	fmt.Fprintf(w, "## %s %s\n\n", sign[verdictClass(r.Word)], r.Word)
	words := verdictWords[r.Word]
	fmt.Fprintf(w, "%s %s\n\n", words.Means, words.Not)
	if r.Error != "" {
		fmt.Fprintf(w, "> %s\n\n", escape(wordy(r.Error)))
	}
	if r.Invariant != "" {
		fmt.Fprintf(w, "**Broken: invariant %s of the protocol.** %s\n\n", escape(plain(r.Invariant)), escape(wordy(r.InvariantHow)))
	}
	for _, v := range r.violated() {
		fmt.Fprintf(w, "**Broken: %s** (%s is to blame). %s\n\n", escape(plain(string(v.Property))), escape(plain(v.Blame)), meanings[v.Property])
		if c := v.Counterexample; c != nil {
			fmt.Fprintf(w, "> %s\n\nLines of history.jsonl, counted from 0: %s\n\n", escape(wordy(c.Story)), numbers(c.Indices))
		}
	}
	if r.Verdict != nil {
		for _, reason := range r.Verdict.Vacuous {
			fmt.Fprintf(w, "- %s\n", escape(plain(reason)))
		}
		r.markdownProperties(w)
	}
	fmt.Fprintf(w, "\n%s\n\n", escape(r.Traffic()))
	r.markdownFaults(w)
	if o := r.SecondOpinion; o != nil {
		fmt.Fprintf(w, "\nSecond opinion (%s): %s\n", escape(plain(o.Checker)), escape(plain(string(o.Agreement))))
	}
	if r.Replay != "" {
		fmt.Fprintf(w, "\nSeed %d. To repeat it (%s):\n\n    %s\n", r.Seed, r.repeats(), plain(r.Replay))
	}
	return w.err
}

func (r *Result) markdownProperties(w io.Writer) {
	fmt.Fprint(w, "\n| property | verdict | what was found |\n|---|---|---|\n")
	for _, v := range r.Verdict.Properties {
		outcome := string(v.Outcome)
		switch {
		case !v.Claimed:
			outcome += " (not claimed)"
		case v.Outcome == linearizability.Invalid:
			outcome = "**" + outcome + "**"
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", escape(plain(string(v.Property))), outcome, escape(plain(v.Reason)))
	}
}

func (r *Result) markdownFaults(w io.Writer) {
	if len(r.Kinds) == 0 {
		return
	}
	fmt.Fprint(w, "| fault | planned | confirmed |\n|---|---|---|\n")
	for _, k := range r.Kinds {
		fmt.Fprintf(w, "| %s | %d | %d |\n", escape(plain(string(k.Kind))), k.Planned, k.Confirmed)
	}
}

// markup are the characters that mean something in Markdown or HTML, each with
// what stands for it.
var markup = func() *strings.Replacer {
	pairs := []string{"&", "&amp;", "<", "&lt;", ">", "&gt;"}
	for _, c := range "\\`*_{}[]()#|~!@:" {
		pairs = append(pairs, string(c), "\\"+string(c))
	}
	return strings.NewReplacer(pairs...)
}()

// escape makes plain text of what could be read as markup.
func escape(s string) string { return markup.Replace(s) }
