package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
)

// A simulated run repeats everything, has no time of day and no servers; a live
// one repeats its schedule only. Page, summary and markdown all say so.
func TestSimulatedRunsSayWhatTheyAre(t *testing.T) {
	for _, c := range []struct {
		backend     string
		began       time.Time
		has, hasNot []string
	}{
		{BackendSimulated, time.Time{}, []string{"the same run again, to the byte"}, []string{"Redis servers", "interleaving of clients", "0001-01-01", "machine&#39;s luck"}},
		{"process", time.Unix(1e9, 0), []string{"though not the same interleaving of clients"}, []string{"to the byte", "simulated"}},
	} {
		res := &Result{
			Version: Version, Word: linearizability.WordNoViolation, Backend: c.backend, Began: c.began, Replay: "again", Nodes: 3, Clients: 2, Keys: 1,
			Verdict: &linearizability.Verdict{Outcome: linearizability.Valid},
		}
		var page, summary, markdown bytes.Buffer
		if err := WritePage(&page, res, nil); err != nil {
			t.Fatal(err)
		}
		if err := res.WriteSummary(&summary, "dir"); err != nil {
			t.Fatal(err)
		}
		if err := res.WriteMarkdown(&markdown); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"page": page.String(), "summary": summary.String(), "markdown": markdown.String()} {
			for _, want := range c.has {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the %s lacks %q", c.backend, name, want)
				}
			}
			for _, not := range c.hasNot {
				if strings.Contains(text, not) {
					t.Errorf("%s: the %s says %q", c.backend, name, not)
				}
			}
		}
	}
}
