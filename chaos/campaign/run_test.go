package campaign

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// run runs a campaign of fake runs.
func run(t *testing.T, o Options, b bug) *Result {
	t.Helper()
	o.Plan, o.NewRunner = fakePlan, func() Runner { return fake(b) }
	res, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// timeless is a result in JSON without what it cost.
func timeless(t *testing.T, r *Result) string {
	t.Helper()
	c := *r
	c.Took = Took{}
	data, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestJobsDoNotChangeTheResult(t *testing.T) {
	o := Options{Seeds: Seeds{1, 120}, Jobs: 1}
	want := timeless(t, run(t, o, onSeeds(7)))
	for _, jobs := range []int{2, 13, 200} {
		o.Jobs = jobs
		if got := timeless(t, run(t, o, onSeeds(7))); got != want {
			t.Errorf("%d jobs:\n%s\nwant\n%s", jobs, got, want)
		}
	}
}

func TestStoppingAfterFindingsDoesNotHangOnJobs(t *testing.T) {
	for _, jobs := range []int{1, 3, 16} {
		res := run(t, Options{Seeds: Seeds{1, 100}, Jobs: jobs, StopAfter: 2}, onSeeds(10))
		if !slices.Equal(res.Seeds, []Seeds{{1, 20}}) || res.Violated != 2 || res.Runs != 20 || res.Early != StoppedByFindings {
			t.Errorf("%d jobs: seeds %v, %d violated, stopped early: %q; want 1..20, 2", jobs, res.Seeds, res.Violated, res.Early)
		}
		if len(res.Violations) != 2 || res.Violations[0].Seed != 10 || res.Violations[1].Seed != 20 {
			t.Errorf("%d jobs: violations %+v", jobs, res.Violations)
		}
	}
	// The last seed of all ends nothing early.
	if res := run(t, Options{Seeds: Seeds{1, 10}, StopAfter: 1}, onSeeds(10)); res.Early != "" {
		t.Errorf("stopped early after the last seed: %q", res.Early)
	}
}

func TestViolationNamesSeedPropertyAndReplay(t *testing.T) {
	setup := Setup{Nodes: 3, Hint: "off", Outside: true}
	res := run(t, Options{Seeds: Seeds{49, 51}, Setup: setup, Program: "bin/x"}, onSeeds(50))
	if res.Word != linearizability.WordViolated || res.ExitCode != linearizability.ExitViolated || len(res.Violations) != 1 {
		t.Fatalf("%s, %+v", res.Word, res.Violations)
	}
	v := res.Violations[0]
	if v.Seed != 50 || v.Property != linearizability.TokenOrder || v.What() != "token order" || v.Replay != "bin/x replay 50 --nodes 3 --hint off --outside" {
		t.Errorf("violation %+v", v)
	}
	if !strings.Contains(v.Story, "token 10") {
		t.Errorf("story %q tells of no token", v.Story)
	}
}

func TestShardsMergeToTheWhole(t *testing.T) {
	whole := run(t, Options{Seeds: Seeds{1, 100}}, onSeeds(9))
	var parts []Named
	for i := uint64(1); i <= 3; i++ {
		part := run(t, Options{Seeds: Seeds{1, 100}, Shard: Shard{i, 3}}, onSeeds(9))
		path := filepath.Join(t.TempDir(), "part.json")
		data, err := part.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := ReadResult(path)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := read.JSON(); !bytes.Equal(again, data) {
			t.Errorf("read and written again it differs:\n%s\n%s", again, data)
		}
		parts = append([]Named{{path, read}}, parts...) // backwards
	}
	merged, err := Merge(parts)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := timeless(t, merged), timeless(t, whole); got != want {
		t.Errorf("merged:\n%s\nwhole:\n%s", got, want)
	}
	if merged.Took.Seconds <= 0 || merged.Took.Processor <= 0 || merged.PerCore() <= 0 {
		t.Errorf("merged results took %+v", merged.Took)
	}
}

// What no shard did is vacuous in the sum; what one did is not.
func TestVacuityIsJudgedOnTheSum(t *testing.T) {
	res := run(t, Options{Seeds: Seeds{1, 5}}, onSeeds(1000))
	if res.Word != linearizability.WordVacuous || res.ExitCode != linearizability.ExitUnknown ||
		!slices.ContainsFunc(res.Vacuous, func(s string) bool { return strings.Contains(s, "extend") }) {
		t.Errorf("%s %q; the fake never extends", res.Word, res.Vacuous)
	}
	s := res.Sum
	s.Tally.Waited, s.Tally.UnderFault = 1, s.Tally.Acquired
	for _, f := range []linearizability.F{linearizability.Extend, linearizability.Stamp, linearizability.Read, linearizability.Write} {
		s.Tally.Succeeded[f] = 1
	}
	if why := s.vacuous(); why != nil {
		t.Errorf("with everything done: %q", why)
	}
	s.Stories = map[string]StoryCount{"raise": {Planned: 3}}
	if why := s.vacuous(); len(why) != 1 || !strings.Contains(why[0], "raise") {
		t.Errorf("with a story never told: %q", why)
	}
	s.Stories = nil
	s.Meant.Faults = append(s.Meant.Faults, "earthquake")
	if why := s.vacuous(); len(why) != 1 || !strings.Contains(why[0], "earthquake") {
		t.Errorf("with a fault never confirmed: %q", why)
	}
}

// Ctrl-C: what was begun is finished and summed up.
func TestInterruptedCampaignSumsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var done atomic.Int64
	runner := func() Runner {
		inner := fake(onSeeds(1000))
		return func(rctx context.Context, p *scenario.Plan, n func(string)) (*Outcome, error) {
			if p.Seed == 20 {
				cancel()
			}
			if rctx.Err() != nil {
				return nil, rctx.Err()
			}
			defer done.Add(1)
			return inner(rctx, p, n)
		}
	}
	res, err := Run(ctx, Options{Seeds: Seeds{1, 100000}, Jobs: 4, Plan: fakePlan, NewRunner: runner})
	if err != nil {
		t.Fatal(err)
	}
	if res.Early != StoppedByHand || res.Runs < 20 || int64(res.Runs) != done.Load() || len(res.Seeds) != 1 || res.Seeds[0].N() != uint64(res.Runs) {
		t.Errorf("%d runs, %d done, seeds %v, stopped early: %q", res.Runs, done.Load(), res.Seeds, res.Early)
	}
	cancelled, err := Run(ctx, Options{Seeds: Seeds{1, 10}, Plan: fakePlan, NewRunner: runner})
	if err != nil || cancelled.Runs != 0 || cancelled.Word != linearizability.WordUnknown || len(cancelled.Seeds) != 0 {
		t.Errorf("interrupted at once: %+v, %v", cancelled, err)
	}
}

func TestProgress(t *testing.T) {
	var last Progress
	res := run(t, Options{Seeds: Seeds{1, 30}, Jobs: 2, Progress: func(p Progress) { last = p }}, onSeeds(10))
	if last.Done != 30 || last.Of != 30 || last.Acquired != res.Acquired || last.Violated != 3 || last.First == nil || last.First.Seed != 10 || last.Jobs != 2 || last.Simulated != res.Simulated.D() {
		t.Errorf("last progress %+v of %+v", last, res.Sum)
	}
}

// A run that fails, panics or cannot be planned names its seed and replay.
func TestRunErrors(t *testing.T) {
	bang := errors.New("bang")
	for name, c := range map[string]struct {
		runner Runner
		want   string
	}{
		"error": {func(_ context.Context, p *scenario.Plan, _ func(string)) (*Outcome, error) { return nil, bang }, "bang"},
		"panic": {func(_ context.Context, p *scenario.Plan, _ func(string)) (*Outcome, error) { panic("boom") }, "boom"},
	} {
		_, err := Run(t.Context(), Options{Seeds: Seeds{7, 9}, Plan: fakePlan, NewRunner: func() Runner { return c.runner }})
		var failed *RunError
		if !errors.As(err, &failed) || failed.Seed != 7 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "replay 7") {
			t.Errorf("%s: %v", name, err)
		}
	}
	plan := func(seed uint64) (*scenario.Plan, error) {
		if seed == 8 {
			return nil, bang
		}
		return fakePlan(seed)
	}
	_, err := Run(t.Context(), Options{Seeds: Seeds{7, 9}, Plan: plan, NewRunner: func() Runner { return fake(onSeeds(1000)) }})
	if !errors.Is(err, bang) || !strings.Contains(err.Error(), "seed 8") {
		t.Errorf("impossible plan: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for field, o := range map[string]Options{
		"seeds":      {Seeds: Seeds{5, 1}},
		"shard":      {Seeds: Seeds{1, 2}, Shard: Shard{1, 3}},
		"jobs":       {Seeds: Seeds{1, 2}, Jobs: -1},
		"stop after": {Seeds: Seeds{1, 2}, StopAfter: -1},
	} {
		_, err := Run(t.Context(), o)
		var input *InputError
		if !errors.As(err, &input) || input.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err := Run(t.Context(), Options{Seeds: Seeds{1, 2}, Setup: Setup{Nodes: 99}})
	var option *scenario.OptionError
	if !errors.As(err, &option) || option.Field != "nodes" {
		t.Errorf("99 nodes: %v", err)
	}
}

func TestMergeRefuses(t *testing.T) {
	base := run(t, Options{Seeds: Seeds{1, 10}}, onSeeds(1000))
	other := func(change func(r *Result)) []Named {
		r := *base
		r.Seeds = []Seeds{{11, 20}}
		change(&r)
		return []Named{{"a.json", base}, {"b.json", &r}}
	}
	for field, change := range map[string]func(*Result){
		"version":          func(r *Result) { r.Version++ },
		"build.revision":   func(r *Result) { r.Build.Revision = "other" },
		"build.modified":   func(r *Result) { r.Build.Modified = !r.Build.Modified },
		"options.nodes":    func(r *Result) { r.Setup.Nodes = 3 },
		"options.clients":  func(r *Result) { r.Setup.Clients = 3 },
		"options.keys":     func(r *Result) { r.Setup.Keys = 3 },
		"options.hint":     func(r *Result) { r.Setup.Hint = "off" },
		"options.outside":  func(r *Result) { r.Setup.Outside = true },
		"options.story":    func(r *Result) { r.Setup.Story = "raise" },
		"options.duration": func(r *Result) { r.Setup.Duration = 1 },
		"seeds":            func(r *Result) { r.Seeds = []Seeds{{10, 19}} },
	} {
		_, err := Merge(other(change))
		var merge *MergeError
		if !errors.As(err, &merge) || merge.Field != field || merge.Files != [2]string{"a.json", "b.json"} || merge.Reason == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	if n := reflect.TypeFor[Setup]().NumField(); n != 7 {
		t.Errorf("a setup has %d fields, and Merge compares 7", n)
	}
	if _, err := Merge(other(func(*Result) {})); err != nil {
		t.Errorf("two that fit: %v", err)
	}
	if _, err := Merge(nil); err == nil {
		t.Error("nothing merges with nothing")
	}
}

func TestReadResultRefuses(t *testing.T) {
	good, err := run(t, Options{Seeds: Seeds{1, 10}}, onSeeds(5)).JSON()
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("no %q in %s", old, good)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for want, text := range map[string]string{
		"not JSON":                 "{",
		"cut off":                  string(good[:len(good)/2]),
		"field version is missing": "{}",
		"field version is 2":       replaced(`"version": 1`, `"version": 2`),
		"field runs":               replaced(`"runs": 10`, `"runs": 11`),
		"stand twice":              replaced("\"seeds\": [\n    {", "\"seeds\": [\n    {\"from\":1,\"to\":1},\n    {"),
		"field word":               replaced(`"VIOLATED"`, `"NO VIOLATION OBSERVED"`),
		"unknown field":            replaced(`"word"`, `"words"`),
		"stands twice":             replaced(`"phase": "free"`, `"phase": "held"`),
		"hexadecimal":              replaced(`"digest": "`, `"digest": "zz`),
	} {
		path := filepath.Join(t.TempDir(), "r.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadResult(path)
		var file *FileError
		if !errors.As(err, &file) || file.File != path || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := ReadResult("/no/such/file"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
}
