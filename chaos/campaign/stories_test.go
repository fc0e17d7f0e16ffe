package campaign

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every story that was ever shrunk is replayed for ever: the lock must pass
// where a mistake failed. That it still fails with the mistake is shown where
// mistakes are planted.
func TestShrunkStories(t *testing.T) {
	files, err := filepath.Glob("testdata/shrunk/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("%d stories, want 10 at least", len(files))
	}
	run := NewSimulator()
	for _, path := range files {
		s, err := ReadStory(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.Mutant != strings.TrimSuffix(filepath.Base(path), ".json") || s.Property == "" || s.From == "" {
			t.Errorf("%s: mutant %q, property %q, from %q", path, s.Mutant, s.Property, s.From)
		}
		o, err := run(t.Context(), s.Plan, nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if fallen := o.fallen(); len(fallen) > 0 || o.Invariant != "" {
			t.Errorf("%s: the lock as it is breaks %v %s", path, fallen, o.Invariant)
		}
		if text, err := os.ReadFile(TextPath(path)); err != nil || !strings.Contains(string(text), s.How) {
			t.Errorf("%s: %v; or its text is another story's", TextPath(path), err)
		}
	}
}

// At least ten planted mistakes are told in a dozen steps at most.
func TestShrunkStoriesAreShort(t *testing.T) {
	files, err := filepath.Glob("testdata/shrunk/*.json")
	if err != nil {
		t.Fatal(err)
	}
	short := 0
	for _, path := range files {
		s, err := ReadStory(path)
		if err != nil {
			t.Fatal(err)
		}
		if s.Steps <= 12 {
			short++
		}
	}
	if short < 10 {
		t.Errorf("%d stories of 12 steps or fewer, want 10", short)
	}
}
