package mutants

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestEveryMutantApplies builds the harness with each mistake. That the harness
// convicts it takes minutes and is what make mutants shows.
func TestEveryMutantApplies(t *testing.T) {
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range All() {
		t.Run(m.Name, func(t *testing.T) {
			overlay, err := m.Overlay(abs, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("go", "build", "-overlay", overlay, "./redlock/...")
			cmd.Dir = abs
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestPatchThatNoLongerAppliesIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("x y x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for old, found := range map[string]int{"z": 0, "x": 2} {
		m := Mutant{Name: "m", Patches: []Patch{{"a.go", old, "w"}}}
		_, err := m.Overlay(dir, t.TempDir())
		var p *PatchError
		if !errors.As(err, &p) || p.Found != found || p.File != "a.go" {
			t.Errorf("patch of %q: %v", old, err)
		}
	}
}

func TestUnknownMutant(t *testing.T) {
	_, err := choose([]string{"nonsense"})
	var u *UnknownError
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "plain-maximum") {
		t.Errorf("error: %v", err)
	}
}

func TestOutcomes(t *testing.T) {
	c := Conviction{Mutant: All()[0]}
	var r result
	r.Verdict.Properties = []property{{Property: c.Mutant.Property, Verdict: "invalid", Claimed: true}}
	c.count(r)
	r.Verdict.Properties[0].Property = "liveness"
	c.count(r)
	r.Verdict.Properties[0].Verdict = "valid"
	c.count(r)
	if c.Convicted != 1 || c.Others != 1 || c.Survived != 1 {
		t.Errorf("counted %+v", c)
	}
	o := Options{Needed: 2}
	if len(o.Survivors([]Conviction{c})) != 1 {
		t.Error("a mutant convicted too seldom does not count as a survivor")
	}
}
