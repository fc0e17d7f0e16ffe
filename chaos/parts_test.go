package chaos

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/linearizability"
)

func crashOf(client string) scenario.Fault {
	return scenario.Fault{Kind: scenario.Crash, Clients: []string{client}}
}

func TestFencedResourceRefusesStaleTokens(t *testing.T) {
	r := newResources()
	write := func(which linearizability.Resource, token uint64, n int64) bool {
		ok, err := r.touch(which, "lock-1", tokenOf(token), func(c *int64) { *c = n })
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !write(linearizability.Fenced, 7, 1) || write(linearizability.Fenced, 6, 2) || !write(linearizability.Fenced, 7, 3) {
		t.Error("the fence does not order the writes")
	}
	if !write(linearizability.Unfenced, 7, 1) || !write(linearizability.Unfenced, 6, 2) {
		t.Error("the control refuses a write")
	}
	if r.fenced["lock-1"] != 3 || r.unfenced["lock-1"] != 2 {
		t.Errorf("counters are %d and %d", r.fenced["lock-1"], r.unfenced["lock-1"])
	}
	if _, err := r.touch(linearizability.Fenced, "lock-1", 0, func(*int64) {}); err == nil {
		t.Error("a token of zero is accepted")
	}
}

func TestMayVote(t *testing.T) {
	const inc = "0123456789abcdef"
	info := "# Replication\r\nrole:master\r\nmaster_replid:" + inc + "\r\nmaster_replid2:0\r\n"
	for name, c := range map[string]struct {
		info, adm string
		want      bool
	}{
		"admitted":            {info, inc + " 1 2000 20000 1 cfg|view", true},
		"never admitted":      {info, "", false},
		"retired":             {info, " 1 2000 20000 1 cfg|view", false},
		"another incarnation": {info, "f" + inc[1:] + " 1 2000 20000 1 cfg|view", false},
		"replica":             {strings.Replace(info, "role:master", "role:slave", 1), inc + " 1 2000 20000 1 cfg|view", false},
	} {
		if got := mayVote(c.info, c.adm); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFenceTurnsAreCounted(t *testing.T) {
	var c turnCount
	total := 0
	for _, see := range [][2]string{
		{"inc1 1", "100"}, // admitted
		{"inc1 1", "100"},
		{"inc1 1", "300"}, // turned
		{"inc1 1", "200"}, // its clock went back
		{"inc2 9", "400"}, // admitted again
		{"inc2 9", ""},    // unreadable
		{"inc2 9", "900"}, // turned
	} {
		total += c.next(see[0], see[1])
	}
	if total != 2 {
		t.Errorf("counted %d turns, want 2", total)
	}
}

func TestParseOfASample(t *testing.T) {
	e := &eye{name: "n1"}
	info := []byte("role:master\r\nmaster_replid:abc\r\n")
	record := []any{[]byte("abc 1 2000 20000 1 cfg"), []byte("5")}
	l, err := e.parse([]any{info, record, []byte("id-1"), int64(1500), nil, int64(-2), []byte("id-3"), int64(-1), errors.New("WRONGTYPE"), int64(-1)},
		[]string{"held", "free", "eternal", "foreign"})
	if err != nil {
		t.Fatal(err)
	}
	if !l.sample.Admitted || len(l.sample.Keys) != 2 || l.sample.Keys["held"] != "id-1" || l.sample.Keys["eternal"] != "id-3" {
		t.Errorf("sample %+v", l.sample)
	}
	if len(l.sample.NoTTL) != 1 || l.sample.NoTTL[0] != "eternal" {
		t.Errorf("keys without ttl: %v", l.sample.NoTTL)
	}
	if _, err := e.parse([]any{info, []any{}}, nil); err == nil {
		t.Error("a record of another shape is accepted")
	}
}

func TestLedgerSetsPlannedAgainstConfirmed(t *testing.T) {
	rec := begun()
	l := newLedger(rec, 2)
	seen := l.open(scenario.Fault{ID: 1, Kind: scenario.Freeze, Nodes: []string{"n1"}}, "")
	missed := l.open(scenario.Fault{ID: 2, Kind: scenario.Kill, Nodes: []string{"n2"}}, "")
	told := l.open(scenario.Fault{Kind: scenario.CutNode}, "raise")
	l.begin(seen, nil, true)
	l.miss(missed, "it was dead already")
	l.end(missed)
	l.begin(told, [][2]string{{"s1", "n1"}}, true)
	if got := l.now(); len(got) != 2 || got[1] != "pause n1" {
		t.Errorf("active: %v", got)
	}
	l.end(seen)
	l.end(told)
	l.end(told)
	h := rec.end()
	valid(t, h)
	if len(h) != 4 {
		t.Errorf("%d lines, want 4: %+v", len(h), h)
	}
	all := l.all()
	if len(all) != 3 || !all[0].Confirmed || all[1].Confirmed || all[1].Reason == "" || all[2].ID != 3 {
		t.Errorf("ledger %+v", all)
	}
}

func TestRunRefusesAnUsedFolder(t *testing.T) {
	plan, err := scenario.New(scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &run{opts: Options{Dir: t.TempDir()}, plan: plan}
	if err := prepare(r.opts.Dir, r.plan); err != nil {
		t.Fatal(err)
	}
	if err := prepare(r.opts.Dir, r.plan); err == nil {
		t.Error("an earlier run's schedule is overwritten")
	}
}

func tokenOf(n uint64) fencing.Token { return fencing.Token(n) }

func TestTheLongestWaitOfAThread(t *testing.T) {
	rounds := []map[string]time.Duration{
		{"1": 10, "2": 500},
		{"1": 40, "2": 510, "3": 7},
		{"1": 40, "3": 9},
	}
	w := &waits{last: map[string]time.Duration{"1": 10, "2": 400}, read: func() map[string]time.Duration {
		next := rounds[0]
		rounds = rounds[1:]
		return next
	}}
	for i, want := range []time.Duration{100, 30, 2} {
		if got := w.longest(); got != want {
			t.Errorf("round %d: %d, want %d", i, got, want)
		}
	}
}
