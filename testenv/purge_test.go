package testenv

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// things names what a run has at the engine, by kind.
func things(t *testing.T, e *engine, run string) map[string]int {
	t.Helper()
	list, err := listThings(testContext(t), e, labelRun+"="+run)
	must(t, err)
	kinds := make(map[string]int)
	for _, th := range list {
		kinds[th.kind]++
	}
	return kinds
}

func testEngine(t *testing.T) *engine {
	t.Helper()
	RequireEngine(t)
	e, err := newEngine(testContext(t))
	must(t, err)
	t.Cleanup(e.hangUp)
	return e
}

// What a killed run has left goes when the next one starts; a living one's
// stays, and so does nothing after Close.
func TestDeadRunsArePurged(t *testing.T) {
	t.Parallel()
	engine := testEngine(t)
	alive := startEnv(t, Config{Backend: BackendContainer, Nodes: 1})
	cmd, told := startDoomed(t, BackendContainer)
	if len(told["run"]) != 1 {
		t.Fatalf("the run told %v", told)
	}
	doomed := told["run"][0]
	// Three nodes, each with a container that holds the address.
	if got := things(t, engine, doomed); got["container"] != 6 || got["network"] != 1 || got["volume"] != 3 {
		t.Fatalf("before it is killed it has %v", got)
	}
	must(t, cmd.Process.Kill())
	cmd.Wait()
	lock := filepath.Join(mustClaimsDir(t), doomed+".lock")
	if _, err := os.Stat(lock); err != nil || len(things(t, engine, doomed)) == 0 {
		t.Fatalf("killed, it has left %v, and %v", things(t, engine, doomed), err)
	}

	next := startEnv(t, Config{Backend: BackendContainer, Nodes: 1})
	if got := things(t, engine, doomed); len(got) > 0 {
		t.Errorf("the next run has started, and there still are %v", got)
	}
	if _, err := os.Stat(lock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead run's lock: %v", err)
	}
	do(t, node(t, alive, "n1"), "PING")
	for _, e := range []*Env{alive, next} {
		run := e.backend.(*containers).claim
		must(t, e.Close())
		if got := things(t, engine, run.run); len(got) > 0 {
			t.Errorf("after Close there still are %v", got)
		}
		if _, err := os.Stat(run.path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("lock after Close: %v", err)
		}
	}
}

func mustClaimsDir(t *testing.T) string {
	t.Helper()
	dir, err := claimsDir()
	must(t, err)
	return dir
}

// Whether a run lives is only decided where it can be known.
func TestInherit(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	living, err := newClaim("living")
	must(t, err)
	defer living.release()
	dead, err := newClaim("dead")
	must(t, err)
	must(t, dead.release())
	gone, err := newClaim("gone")
	must(t, err)
	must(t, gone.settle())
	if boot := living.labels()[labelBoot]; boot == "" {
		t.Log("this system does not number its boots")
	}
	change := func(c *claim, key, value string) map[string]string {
		l := c.labels()
		l[key] = value
		return l
	}
	for name, c := range map[string]struct {
		labels map[string]string
		dead   bool
	}{
		"holds its lock":                  {living.labels(), false},
		"holds its lock, of another boot": {change(living, labelBoot, "other"), false},
		"free lock":                       {dead.labels(), true},
		"free lock of another machine":    {change(dead, labelHost, "other"), false},
		"free lock of another run":        {change(dead, labelRun, "other"), false},
		"no absolute path":                {change(dead, labelLock, "dead.lock"), false},
		"no lock":                         {gone.labels(), false},
		"no lock, of another boot":        {change(gone, labelBoot, "other"), bootID() != ""},
		"no lock, boot not known":         {change(gone, labelBoot, ""), false},
		"somebody else's labels":          {map[string]string{labelRun: "x"}, false},
	} {
		got := inherit(c.labels)
		if (got != nil) != c.dead {
			t.Errorf("%s: dead %v, want %v", name, got != nil, c.dead)
		}
		if got != nil && got.file != nil {
			got.file.Close()
		}
	}
}

// Somebody else's folder is not trusted with our locks.
func TestClaimsDirIsOurs(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dir := mustClaimsDir(t)
	must(t, os.Remove(dir))
	must(t, os.Symlink(t.TempDir(), dir))
	if _, err := claimsDir(); err == nil {
		t.Error("took a link for a folder")
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", t.TempDir())
	c, err := newClaim("x")
	must(t, err)
	if _, err := newClaim("x"); err == nil {
		t.Error("two runs of one name")
	}
	must(t, c.settle())
	if left, err := os.ReadDir(filepath.Dir(c.path)); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
