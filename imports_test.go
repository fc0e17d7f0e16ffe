// Package quorumlock_test asserts which package may import which: the rules
// that keep the protocol pure, the checker independent and the library light.
package quorumlock_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/quorumlock/quorumlock/"

// allowed lists, for each package, the packages of this module that it may
// import, and why no others. Tests are free.
var allowed = map[string]struct {
	imports []string
	why     string
}{
	"redlock":              {[]string{"fencing", "redlock/quorum", "redlock/script"}, "the library executes the protocol; it must not know the harness that judges it"},
	"redlock/quorum":       {[]string{"fencing"}, "the protocol is shared by the live client, the simulator and the explorer, so it depends on none of them"},
	"redlock/script":       {[]string{"fencing"}, "scripts and replies are the lowest layer"},
	"redlock/redlocktest":  {[]string{"fencing", "redlock/script"}, "in-memory nodes answer scripts; they must not know the client, or its mistakes would be theirs"},
	"fencing":              {nil, "a resource uses fences without the lock"},
	"linearizability":      {nil, "the checker judges the lock, so it must not share its code"},
	"testenv":              {nil, "servers and networks know nothing of locks"},
	"chaos/scenario":       {[]string{"fencing"}, "a plan is data: live runner and simulator both read it"},
	"chaos/sim":            {[]string{"chaos/scenario", "fencing", "linearizability", "redlock/quorum", "redlock/redlocktest", "redlock/script"}, "the simulator executes the protocol's machines over nodes in memory; the lock's goroutines and sockets are what it takes the place of"},
	"chaos/report":         {[]string{"chaos/scenario", "linearizability"}, "a report is made from a run's files, anywhere and long after the run: neither lock nor servers are needed"},
	"chaos":                {[]string{"chaos/report", "chaos/scenario", "chaos/sim", "redlock", "fencing", "linearizability", "testenv"}, "the harness uses the lock as its users do, through redlock"},
	"chaos/campaign":       {[]string{"chaos/scenario", "chaos/sim", "linearizability"}, "a campaign has plans run and reads verdicts; it knows nothing of the lock, and is built without servers"},
	"chaos/explore":        {[]string{"redlock/quorum", "redlock/redlocktest", "redlock/script"}, "the explorer steps the protocol's own machines over nodes in memory, and judges them without the checker"},
	"chaos/mutants":        {nil, "planted mistakes drive the built command, as a person would"},
	"chaos/dial":           {[]string{"chaos/scenario", "chaos/sim", "linearizability"}, "a measurement of simulated runs; what is planted in the lock is planted by whoever builds it"},
	"cmd/redlock-chaos":    {[]string{"chaos", "chaos/dial", "chaos/campaign", "chaos/explore", "chaos/mutants", "chaos/report", "chaos/scenario", "linearizability"}, "a command parses flags; the harness is the library below it"},
	"examples/fencedwrite": {[]string{"redlock", "fencing"}, "examples use what users use"},
}

// heavy must never be compiled into a program that imports the library.
var heavy = []string{
	"github.com/Shopify/toxiproxy", "github.com/ory/dockertest", "github.com/anishathalye/porcupine",
	"github.com/docker/", "testing", "net/http", "pgregory.net/rapid", "go.uber.org/goleak",
}

// pure lists what the protocol core must not import: whatever can wait, be
// random, or talk to the outside.
var pure = []string{"net", "os", "sync", "context", "math/rand", "math/rand/v2", "crypto/rand", "sync/atomic", "runtime", "testing"}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T) map[string]listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	packages := make(map[string]listed)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages[strings.TrimPrefix(p.ImportPath, module)] = p
	}
}

func TestImports(t *testing.T) {
	for name, p := range list(t) {
		if p.ImportPath+"/" == module {
			continue // this test
		}
		rule, ok := allowed[name]
		if !ok {
			t.Errorf("%s: no rule says what it may import; add one with its reason", name)
			continue
		}
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, module); ok && !slices.Contains(rule.imports, own) {
				t.Errorf("%s imports %s, but may import %v only: %s", name, own, rule.imports, rule.why)
			}
		}
	}
}

func TestLibraryIsLight(t *testing.T) {
	for _, name := range []string{"redlock", "fencing", "redlock/redlocktest"} {
		for _, dep := range list(t)[name].Deps {
			for _, h := range heavy {
				if dep == h || strings.HasPrefix(dep, h+"/") || strings.HasSuffix(h, "/") && strings.HasPrefix(dep, h) {
					t.Errorf("a program that imports %s compiles %s", name, dep)
				}
			}
		}
	}
}

func TestProtocolIsPure(t *testing.T) {
	p, ok := list(t)["redlock/quorum"]
	if !ok {
		t.Fatal("there is no redlock/quorum")
	}
	for _, imp := range p.Imports {
		if slices.Contains(pure, imp) {
			t.Errorf("redlock/quorum imports %s: the protocol starts no goroutine, opens no socket and reads no clock", imp)
		}
	}
}
