package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/testenv"
)

// liveRun runs a plan against real servers and returns what it left.
func liveRun(ctx context.Context, t *testing.T, o scenario.Options, progress io.Writer) (*Result, string) {
	t.Helper()
	server := testenv.Require(t)
	plan, err := scenario.New(o)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	res, err := Run(ctx, Options{Plan: plan, Dir: dir, RedisServer: server, Progress: progress, Terminal: true, Replay: "again"})
	if err != nil {
		t.Fatalf("seed %d: %v", o.Seed, err)
	}
	var summary strings.Builder
	if err := res.WriteSummary(&summary, dir); err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d\n%s", o.Seed, summary.String())
	return res, dir
}

// TestLiveStory tells one story on real servers. On a machine that stalls the
// story may not come to its end, which is VACUOUS; the lock must never be
// convicted, and nothing may be left behind.
func TestLiveStory(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: starts real servers for some seconds")
	}
	defer goleak.VerifyNone(t)
	res, dir := liveRun(t.Context(), t, scenario.Options{Duration: 4 * time.Second, Story: "raise", Seed: 1, Clients: 3, Keys: 2}, nil)
	if res.Word != linearizability.WordNoViolation && res.Word != linearizability.WordVacuous {
		t.Errorf("verdict: %s", res.Word)
	}
	if res.Tally.Acquired == 0 {
		t.Error("nothing was acquired")
	}
	checkFiles(t, dir, res)
	noServerLeft(t, dir)
}

// TestLiveStop stops a run long before its time.
func TestLiveStop(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: starts real servers for some seconds")
	}
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := time.Now()
	res, dir := liveRun(ctx, t, scenario.Options{Duration: 10 * time.Minute, Seed: 2, Clients: 2, Nodes: 3, Faults: []scenario.Kind{}}, stopper(cancel))
	if !res.Early || time.Since(began) > time.Minute {
		t.Errorf("stopped early: %v, after %v", res.Early, time.Since(began))
	}
	if res.Verdict.Outcome == linearizability.Invalid {
		t.Errorf("verdict: %s", res.Word)
	}
	noServerLeft(t, dir)
}

// stopper is a progress that stops the run once it is under way.
type stopper func()

func (stop stopper) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "acquired") {
		stop()
	}
	return len(p), nil
}

// TestServersAreFound shows that noServerLeft would find one.
func TestServersAreFound(t *testing.T) {
	dir := t.TempDir()
	env, err := testenv.Start(t.Context(), testenv.Config{Nodes: 1, Dir: dir, RedisServer: testenv.Require(t)})
	if err != nil {
		t.Fatal(err)
	}
	pid := env.Nodes()[0].Pid()
	if !serves(pid, dir) {
		t.Error("a running server is not seen")
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	if serves(pid, dir) {
		t.Error("a closed server is seen")
	}
}

// checkFiles reads back what the run wrote.
func checkFiles(t *testing.T, dir string, res *Result) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "history.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := linearizability.ReadAll(f, linearizability.ReaderOptions{})
	if err != nil || len(events) != res.Verdict.Events {
		t.Errorf("the history has %d events, %d were judged: %v", len(events), res.Verdict.Events, err)
	}
	again, err := linearizability.Judge(events, res.Params)
	if err != nil || again.Outcome != res.Verdict.Outcome {
		t.Errorf("judged again from the file it is %v: %v", again.Outcome, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(data, &back); err != nil || back.Word != res.Word || back.Seed != res.Seed {
		t.Errorf("results.json says %q, seed %d: %v", back.Word, back.Seed, err)
	}
	rules := readSchema(t)
	for _, wrong := range rules.check(decode(t, data)) {
		t.Errorf("results.json does not fit its schema: %s", wrong)
	}
	refusesBroken(t, rules, data)
	for _, name := range []string{"report.html", "summary.md"} {
		if page, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(page), res.Word) {
			t.Errorf("%s does not say %s: %v", name, res.Word, err)
		}
	}
	schedule, err := os.ReadFile(filepath.Join(dir, "schedule.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scenario.Parse(schedule); err != nil {
		t.Error(err)
	}
	if logs, err := filepath.Glob(filepath.Join(dir, "nodes", "n*", "redis.log")); err != nil || len(logs) != res.Nodes {
		t.Errorf("%d node logs: %v", len(logs), err)
	}
}

// noServerLeft looks for the pids that the servers' logs name.
func noServerLeft(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "nodes", "n*", "redis.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("%d node logs: %v", len(logs), err)
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			// "PID:M DATE * message"
			word, _, ok := strings.Cut(line, ":")
			var pid int
			if ok && json.Unmarshal([]byte(word), &pid) == nil && pid > 0 && serves(pid, dir) {
				t.Errorf("server %d of %s is left", pid, path)
				break
			}
		}
	}
}

// serves tells whether the process exists and is a server of this folder: its
// pid may have been given to somebody else.
func serves(pid int, dir string) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	// It works in its data folder. Without /proc, an existing process counts.
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err != nil || strings.HasPrefix(cwd, dir)
}
