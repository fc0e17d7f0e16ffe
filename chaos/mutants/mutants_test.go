package mutants

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/quorumlock/quorumlock/"
)

// TestEveryMutantApplies plants each mistake and type-checks the packages that
// it changes. That the engines convict it takes minutes and is what make
// mutants shows, with a build of each.
func TestEveryMutantApplies(t *testing.T) {
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	imp := exports(t, "redlock/quorum", "redlock/redlocktest", "redlock", "fencing")
	for _, m := range All() {
		t.Run(m.Name, func(t *testing.T) {
			overlay, err := m.Overlay(abs, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var changed struct{ Replace map[string]string }
			data, err := os.ReadFile(overlay)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &changed); err != nil {
				t.Fatal(err)
			}
			folders := map[string]bool{}
			for file := range changed.Replace {
				if strings.HasSuffix(file, ".go") {
					folders[filepath.Dir(file)] = true
				}
			}
			for folder := range folders {
				if err := check(imp, folder, changed.Replace); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// check type-checks the package in a folder with some of its files replaced.
func check(imp types.Importer, folder string, replaced map[string]string) error {
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_other.go") {
			continue
		}
		at := name
		if r, ok := replaced[name]; ok {
			at = r
		}
		f, err := parser.ParseFile(fset, at, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	_, err = (&types.Config{Importer: imp}).Check(path.Base(folder), fset, files, nil)
	return err
}

// exports returns an importer of all that the packages import, as the go
// command has compiled it.
func exports(t *testing.T, packages ...string) types.Importer {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Export"}
	for _, p := range packages {
		args = append(args, "./"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
}

// TestCatalogueIsWhole holds the list of planted bugs against what it must
// contain.
func TestCatalogueIsWhole(t *testing.T) {
	bugs := map[int]string{}
	names := map[string]bool{}
	for _, m := range All() {
		if names[m.Name] {
			t.Errorf("%s is listed twice", m.Name)
		}
		names[m.Name] = true
		if m.Bug != 0 && bugs[m.Bug] == "" {
			bugs[m.Bug] = m.Name
		}
		if len(m.Patches) == 0 && m.Setup == "" {
			t.Errorf("%s changes nothing and does not say how it is planted", m.Name)
		}
		if m.touches("redlock/script/") != m.touches("redlock/redlocktest/") && m.Setup == "" {
			t.Errorf("%s is made in the script or in the node in memory alone and does not say why", m.Name)
		}
	}
	for n := 1; n <= 26; n++ {
		if bugs[n] == "" {
			t.Errorf("bug %d is not planted", n)
		}
	}
	for _, keyed := range [][]string{keys(explored), keys(simulated), keys(live)} {
		for _, name := range keyed {
			if !names[name] {
				t.Errorf("an engine is told of a mutant %q that there is not", name)
			}
		}
	}
	for _, m := range All() {
		if m.Explore == nil && m.Simulate == nil && m.Live == nil {
			t.Errorf("%s is convicted by nobody", m.Name)
		}
		if m.Explore == nil && m.Simulate == nil && m.Setup == "" {
			t.Errorf("%s is convicted by neither explorer nor simulator and does not say why", m.Name)
		}
	}
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

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

func TestLiveNamesMutants(t *testing.T) {
	for name := range live {
		if !slices.ContainsFunc(All(), func(m Mutant) bool { return m.Name == name }) {
			t.Errorf("real servers must convict %q, which is no mutant", name)
		}
	}
}
