package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/campaign"
	"github.com/quorumlock/quorumlock/linearizability"
)

// readResult reads what --json wrote.
func readResult(t *testing.T, path string) *campaign.Result {
	t.Helper()
	r, err := campaign.ReadResult(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSimulate(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := say(t, "simulate", "--seeds", "1..12", "--json", "all.json", "--coverage")
	if code != linearizability.ExitNoViolation && code != linearizability.ExitUnknown {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"12 simulated runs", "seeds 1..12; hint mixed", "mutual exclusion", "coverage:", "ACQUIRE → ok", "digest"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the summary lacks %q:\n%s", want, stdout)
		}
	}
	if list, err := os.ReadDir("."); err != nil || len(list) != 1 {
		t.Errorf("files %v, %v; want all.json alone", list, err)
	}
	whole := readResult(t, "all.json")
	for _, shard := range []string{"1/3", "2/3", "3/3"} {
		if code, _, stderr := say(t, "simulate", "--seeds", "1..12", "--shard", shard, "--jobs", "1", "--json", "part"+shard[:1]+".json"); code > linearizability.ExitUnknown {
			t.Fatalf("shard %s: exit %d, %s", shard, code, stderr)
		}
	}
	code, stdout, stderr = say(t, "simulate", "--merge", "--json", "-", "part3.json", "part1.json", "part2.json")
	if code != whole.ExitCode || !strings.Contains(stderr, "12 simulated runs") {
		t.Fatalf("merging: exit %d, want %d\n%s", code, whole.ExitCode, stderr)
	}
	var merged campaign.Result
	if err := json.Unmarshal([]byte(stdout), &merged); err != nil {
		t.Fatal(err)
	}
	if merged.Digest != whole.Digest || merged.Acquired != whole.Acquired || merged.Runs != 12 {
		t.Errorf("merged %d runs, %d acquired, digest %x; the whole has %d, %x", merged.Runs, merged.Acquired, merged.Digest, whole.Acquired, whole.Digest)
	}
	code, _, stderr = say(t, "simulate", "--merge", "part1.json", "all.json")
	if code != linearizability.ExitBadInput || !strings.Contains(stderr, "seeds = 1..4 and 1..12") {
		t.Errorf("merging twice: exit %d, %s", code, stderr)
	}
}

// A seed is the same run each time, and so is the schedule that it left.
func TestReplayIsTheSameToTheByte(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{
		{"replay", "7", "--nodes", "3", "--hint", "off", "--out", "a"},
		{"replay", "--nodes", "3", "--hint", "off", "--out", "b", "7"},
		{"replay", filepath.Join("a", "schedule.json"), "--out", "c"},
	} {
		if code, stdout, stderr := say(t, args...); code != linearizability.ExitNoViolation {
			t.Fatalf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
	read := func(dir, name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, name := range []string{"history.jsonl", "results.json", "schedule.json", "report.html", "summary.md", "story.txt"} {
		if a := read("a", name); a != read("b", name) || a == "" {
			t.Errorf("%s of two runs of one seed differs", name)
		}
	}
	// How it is repeated is another command; all that happened is the same.
	for _, name := range []string{"history.jsonl", "schedule.json", "story.txt"} {
		if read("a", name) != read("c", name) {
			t.Errorf("%s differs where the run is repeated from its schedule", name)
		}
	}
	if page := read("a", "report.html"); !strings.Contains(page, "the same run again, to the byte") || !strings.Contains(page, "replay 7 --nodes 3 --hint off") {
		t.Error("the page does not say how to repeat the run, or that all of it is repeated")
	}
	if code, _, stderr := say(t, "replay", "7", "--out", "a"); code != linearizability.ExitBadInput || !strings.Contains(stderr, "must be empty") {
		t.Errorf("a used folder: exit %d, %s", code, stderr)
	}
	if code, stdout, _ := say(t, "replay", "7", "--quiet", "--shrink"); code != 0 || !strings.HasPrefix(stdout, linearizability.WordNoViolation) || !strings.Contains(stdout, "nothing to shrink") {
		t.Errorf("quietly: exit %d, %q", code, stdout)
	}
}

func TestSimulateBadInput(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"other.json": `{"version":2}`, "torn.json": `{"version":1,"wo`, "plan.json": `{"version":9}`,
		"impossible.json": `{"version":1,"nodes":[],"clients":[],"keys":[],"paths":[],"workers":[],"stories":[],"faults":[]}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"simulate", "--seeds"},
		{"simulate --seeds 5..1", `seeds = 5..1`},
		{"simulate --seeds all", `seeds = "all"`},
		{"simulate --seeds 0..18446744073709551615", "at most"},
		{"simulate --seeds 1..4 --shard 3/2", `shard = "3/2"`},
		{"simulate --seeds 1..4 --shard 1/5", "only 4 seeds"},
		{"simulate --seeds 1..4 --jobs 0", "--jobs must be positive"},
		{"simulate --seeds 1..4 --jobs -1", "jobs = -1"},
		{"simulate --seeds 1..4 --nodes 99", "nodes = 99"},
		{"simulate --seeds 1..4 --hint maybe", "hint = maybe"},
		{"simulate --seeds 1..4 --story hamlet", "hamlet"},
		{"simulate --seeds 1..4 --duration 0s", "must be positive"},
		{"simulate --seeds 1..4 --stop-after -1", "stop after = -1"},
		{"simulate --seeds 1..4 --shrink -1", "--shrink must not be negative"},
		{"simulate --seeds 1..4 now", `"now"`},
		{"simulate --merge", "at least one result"},
		{"simulate --merge --jobs 2 other.json", "--jobs"},
		{"simulate --merge other.json", "version is 2; only version 1"},
		{"simulate --merge torn.json", "cut off"},
		{"simulate --merge nothing.json", "there is no such file"},
		{"replay", "one SEED or FILE"},
		{"replay 1 2", "one SEED or FILE"},
		{"replay 18446744073709551616", "no such file"},
		{"replay nothing.json", "there is no such file"},
		{"replay torn.json", "cut off"},
		{"replay plan.json", "only version 1"},
		{"replay impossible.json", "nodes"},
		{"replay impossible.json --nodes 3", "no place beside a FILE"},
		{"replay 1 --nodes 0x", "0x"},
		{"replay 1 --shrink-runs 0", "--shrink-runs must be positive"},
	} {
		code, stdout, stderr := say(t, strings.Fields(c.args)...)
		if code != linearizability.ExitBadInput || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, %q %q; want 3 and %q", c.args, code, stdout, stderr, c.want)
		}
	}
	if list, _ := filepath.Glob("runs/*"); list != nil {
		t.Errorf("bad input left %v", list)
	}
}
