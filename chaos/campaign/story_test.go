package campaign

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// Whatever a plan can say has words of its own.
func TestEverythingHasWords(t *testing.T) {
	for _, k := range scenario.SimulatedKinds() {
		f := scenario.Fault{Kind: k, Nodes: []string{"n1", "n2"}, Clients: []string{"c1"}}
		if s := what(f); strings.Contains(s, "strikes") || !strings.Contains(s, "n1") && !strings.Contains(s, "c1") {
			t.Errorf("%s: %q", k, s)
		}
	}
	for _, do := range []scenario.Verb{
		scenario.DoFault, scenario.DoHeal, scenario.DoLock, scenario.DoRefuse, scenario.DoUnlock, scenario.DoWrite, scenario.DoEnd, scenario.DoPause,
		scenario.DoPath, scenario.DoAdmit, scenario.DoCrash, scenario.DoStart, scenario.DoAwait, scenario.DoExtend, scenario.DoMessage,
	} {
		if s := told(scenario.Step{Do: do, As: "h", Client: "c1", Kind: scenario.Kill, Fate: scenario.FateLose}, "k"); s == string(do) || strings.Contains(s, "%!") {
			t.Errorf("%s: %q", do, s)
		}
	}
	for _, fate := range []scenario.Fate{scenario.FateLose, scenario.FateLoseReply, scenario.FateLate, scenario.FateLateReply, scenario.FateTwice} {
		if s := told(scenario.Step{Do: scenario.DoMessage, Client: "c1", Fate: fate, Count: 1}, "k"); strings.HasSuffix(s, ": ") {
			t.Errorf("%s: %q", fate, s)
		}
	}
	for do, want := range map[scenario.Manner]string{scenario.Lock: "waiting", scenario.Try: "once", scenario.Cancel: "gives up"} {
		if s := operation("c1", scenario.Op{Key: "k", Do: do}); !strings.Contains(s, want) {
			t.Errorf("%s: %q", do, s)
		}
	}
}

func TestDescribeCountsStepsAsStepsDoes(t *testing.T) {
	for _, o := range []scenario.SimOptions{{Seed: 1}, {Seed: 2, Outside: true}, {Seed: 3, Story: "amnesia"}} {
		p, err := scenario.NewSimulated(o)
		if err != nil {
			t.Fatal(err)
		}
		if p, err = p.Expand(5); err != nil {
			t.Fatal(err)
		}
		if got, want := len(Describe(p)), Steps(p); got != want {
			t.Errorf("seed %d: %d sentences for %d steps", o.Seed, got, want)
		}
		for _, line := range append(Describe(p), World(p)...) {
			if !strings.HasSuffix(line, ".") || strings.Contains(line, "%!") {
				t.Errorf("seed %d: %q", o.Seed, line)
			}
		}
	}
}

func TestStoryIsReadAsItWasSaved(t *testing.T) {
	p := struck(t)
	s, err := Tell(fake(needs), p, "token order")
	if err != nil {
		t.Fatal(err)
	}
	s.Mutant, s.From = "plain-maximum", "redlock-chaos replay 1"
	path := filepath.Join(t.TempDir(), "story.json")
	if err := s.Save(path); err != nil {
		t.Fatal(err)
	}
	read, err := ReadStory(path)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := s.JSON()
	b, _ := read.JSON()
	if string(a) != string(b) {
		t.Errorf("saved\n%s\nread\n%s", a, b)
	}
	text, err := os.ReadFile(TextPath(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"token order falls", `"plain-maximum"`, s.How, "  1. ", "What happens:", "nothing but tokens", "n2 is killed"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if _, err := Tell(fake(needs), p, "mutual exclusion"); err == nil {
		t.Error("a story was told of what did not fall")
	}
}

func TestReadStoryTakesAPlan(t *testing.T) {
	p := struck(t)
	data, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "schedule.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadStory(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := s.Plan.JSON(); string(again) != string(data) {
		t.Error("the plan is another")
	}
}

func TestReadStoryRefuses(t *testing.T) {
	s, err := Tell(fake(needs), struck(t), "token order")
	if err != nil {
		t.Fatal(err)
	}
	data, _ := s.JSON()
	good := string(data)
	plan, _ := s.Plan.JSON()
	for want, text := range map[string]string{
		"not JSON":                       "# seeds",
		"cut off":                        good[:len(good)/2],
		"field version is 7":             strings.Replace(good, `"version": 1`, `"version": 7`, 1),
		"only version":                   strings.Replace(string(plan), `"version": 1`, `"version": 7`, 1),
		"unknown field \"propertyy\"":    strings.Replace(good, `"property"`, `"propertyy"`, 1),
		"unknown field \"stepps\"":       `{"version":1,"stepps":[]}`,
		"there is no such kind of fault": strings.Replace(good, `"kind": "kill"`, `"kind": "earthquake"`, 1),
		"there is no such client":        strings.Replace(good, `"client": "c1"`, `"client": "c77"`, 1),
		"node_deadline":                  strings.Replace(good, `"node_deadline": "`, `"node_deadline": "-`, 1),
	} {
		path := filepath.Join(t.TempDir(), "s.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadStory(path)
		var file *FileError
		if !errors.As(err, &file) || file.File != path || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := ReadStory("/no/such/story.json"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
}
