package linearizability

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	tests := []struct {
		in   []Outcome
		want Outcome
	}{
		{nil, NotJudged},
		{[]Outcome{NotJudged, NotJudged}, NotJudged},
		{[]Outcome{NotJudged, Valid}, Valid},
		{[]Outcome{Valid, Unknown, NotJudged}, Unknown},
		{[]Outcome{Valid, Unknown, Invalid}, Invalid},
	}
	for _, tt := range tests {
		if got := Merge(tt.in...); got != tt.want {
			t.Errorf("Merge(%v) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestClaims(t *testing.T) {
	all := []Property{MutualExclusion, HonestValidity, TimelyLoss, TokenOrder, FencedResource, Liveness, NoOrphans}
	tests := []struct {
		broken []Assumption
		want   []Property
	}{
		{nil, all},
		{[]Assumption{C1}, []Property{TokenOrder, FencedResource}},
		{[]Assumption{C2}, nil},
		{[]Assumption{C3}, nil},
		{[]Assumption{C4}, []Property{MutualExclusion, HonestValidity, TimelyLoss, TokenOrder, FencedResource, NoOrphans}},
		{[]Assumption{C4, C1}, []Property{TokenOrder, FencedResource}},
	}
	for _, tt := range tests {
		v, err := Judge(parse(t, "0 1 invoke acquire k"), Params{Broken: tt.broken})
		if err != nil {
			t.Fatal(err)
		}
		var claimed []Property
		for _, p := range v.Properties {
			if p.Claimed {
				claimed = append(claimed, p.Property)
			}
		}
		if !slices.Equal(claimed, tt.want) {
			t.Errorf("with %v broken: claimed %v, want %v", tt.broken, claimed, tt.want)
		}
	}
}

// twoHolders breaks mutual exclusion and nothing else.
const twoHolders = `
	0 1 invoke acquire k
	1 1 ok acquire k hold=a token=1
	2 2 invoke acquire k
	3 2 ok acquire k hold=b token=2
`

func TestWordsAndExitCodes(t *testing.T) {
	tests := []struct {
		name, history string
		broken        []Assumption
		vacuous       []string
		word          string
		exit          int
	}{
		{"violated", twoHolders, nil, nil, WordViolated, 1},
		{"violated, though vacuous", twoHolders, nil, []string{"nobody waited"}, WordViolated, 1},
		{"violated where it is not claimed", twoHolders, []Assumption{C1}, nil, WordNoViolation, 0},
		{"nothing claimed", twoHolders, []Assumption{C2}, nil, WordUnknown, 2},
		{"no violation", "0 1 invoke acquire k", nil, nil, WordNoViolation, 0},
		{"vacuous", "0 1 invoke acquire k", nil, []string{"no acquire succeeded"}, WordVacuous, 2},
		{"empty", "", nil, nil, WordUnknown, 2},
		{"overrun is never claimed", "0 1 invoke acquire k\n1 1 ok acquire k hold=a until=2\n2 1 invoke read k hold=a\n", nil, nil, WordNoViolation, 0},
	}
	for _, tt := range tests {
		v, err := Judge(parse(t, tt.history), Params{Broken: tt.broken})
		if err != nil {
			t.Fatal(err)
		}
		if v.Outcome == NotJudged {
			t.Errorf("%s: a verdict is not-judged; want unknown", tt.name)
		}
		v.Vacuous = tt.vacuous
		if v.Word() != tt.word || v.ExitCode() != tt.exit {
			t.Errorf("%s: %s, exit %d; want %s, exit %d", tt.name, v.Word(), v.ExitCode(), tt.word, tt.exit)
		}
	}
}

func TestBlame(t *testing.T) {
	const stale = `
		4 1 invoke stamp k resource=fenced token=7
		5 1 ok stamp k resource=fenced token=7
		6 1 invoke stamp k resource=fenced token=6
		7 1 ok stamp k resource=fenced token=6
	`
	const falling = `
		0 1 invoke acquire k
		1 1 ok acquire k hold=a token=7 until=0
		2 2 invoke acquire k
		3 2 ok acquire k hold=b token=6 until=0
	`
	tests := []struct {
		history  string
		property Property
		want     string
	}{
		{stale, FencedResource, "the guard"},
		{falling + strings.TrimLeft(stale, "\n"), FencedResource, "the lock"},
		{falling, TokenOrder, "the lock"},
		{twoHolders, MutualExclusion, "the lock"},
		{twoHolders, TokenOrder, ""},
		{strings.ReplaceAll(stale, "stamp k", "write k n=1"), FencedResource, "the guard"},
		{strings.ReplaceAll(strings.ReplaceAll(stale, "stamp k", "write k n=1"), "fenced", "unfenced"), UnfencedResource, "nobody"},
		{"0 1 invoke acquire k\n1 1 ok acquire k hold=a until=2\n2 1 invoke read k hold=a", Overrun, "the application"},
	}
	for _, tt := range tests {
		v, err := Judge(parse(t, tt.history), Params{})
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Property(tt.property).Blame; got != tt.want {
			t.Errorf("%s in\n%s\nblames %q, want %q", tt.property, tt.history, got, tt.want)
		}
	}
}

// TestVerdictJSON pins what other tools read of a verdict.
func TestVerdictJSON(t *testing.T) {
	v, err := judge(parse(t, twoHolders), Params{}, ModelLease, []Property{MutualExclusion})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const story = `client c1's hold a of \"k\" with token 1, returned at 1ms, claims the lock to the end of the history; ` +
		`yet client c2's hold b of \"k\" with token 2 returned at 3ms and claims it to the end of the history (1 claim of 2 began inside another)`
	want := strings.ReplaceAll(`{
  "verdict": "invalid",
  "model": "lease",
  "events": 4,
  "properties": [
    {
      "property": "mutual exclusion",
      "verdict": "invalid",
      "claimed": true,
      "assumes": [
        "C1",
        "C2",
        "C3"
      ],
      "blame": "the lock",
      "reason": "STORY",
      "counterexample": {
        "indices": [
          0,
          1,
          2,
          3
        ],
        "story": "STORY"
      },
      "clauses": [
        {
          "name": "claims do not overlap",
          "verdict": "invalid",
          "judged": 2,
          "reason": "STORY",
          "counterexample": {
            "indices": [
              0,
              1,
              2,
              3
            ],
            "story": "STORY"
          }
        }
      ]
    }
  ]
}`, "STORY", story)
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestVacuous(t *testing.T) {
	const busy = `
		0 1 invoke acquire k
		1 1 ok acquire k hold=a
		1 2 invoke acquire k
		2 nemesis kill begin 1
		5 1 invoke release k hold=a
		6 1 ok release k
		7 2 ok acquire k hold=b
		8 nemesis kill end 1
	`
	plan := Plan{Operations: []F{Acquire, Release}, Faults: []F{"kill"}, Paths: []string{"raise"}, Chaos: true}
	unconfirmed := func(events []Event) {
		for i := range events {
			if f := events[i].Value.Fault; f != nil {
				f.Confirmed = false
			}
		}
	}
	tests := []struct {
		name, history string
		change        func([]Event)
		paths         map[string]int
		want          []string // parts of the reasons, in order
	}{
		{name: "busy", history: busy, paths: map[string]int{"raise": 1}},
		{name: "path not taken", history: busy, paths: map[string]int{"repair": 1}, want: []string{"path raise"}},
		{name: "nothing", paths: map[string]int{"raise": 1}, want: []string{"no acquire", "nobody waited", "no acquire succeeded, and", "no release", "kind kill"}},
		{name: "waited for exactly 1 ms", history: strings.Replace(busy, "\t5 1 invoke", "\t2 1 invoke", 1), paths: map[string]int{"raise": 1}},
		{name: "waited for a little less than 1 ms", history: strings.NewReplacer("1 2 invoke acquire k\n\t\t2 nemesis kill begin 1", "4 nemesis kill begin 1\n\t\t4.1 2 invoke acquire k").Replace(busy),
			paths: map[string]int{"raise": 1}, want: []string{"nobody waited"}},
		{name: "waited for another key's", history: strings.NewReplacer("2 invoke acquire k", "2 invoke acquire j", "2 ok acquire k", "2 ok acquire j").Replace(busy),
			paths: map[string]int{"raise": 1}, want: []string{"nobody waited"}},
		{name: "release failed", history: strings.Replace(busy, "ok release", "fail release", 1), paths: map[string]int{"raise": 1}, want: []string{"no release"}},
		{name: "fault not confirmed", history: busy, change: unconfirmed, paths: map[string]int{"raise": 1}, want: []string{"kind kill", "0 of 2"}},
		{name: "acquired outside the fault", history: strings.NewReplacer("8 nemesis kill end 1", "", "7 2 ok", "6.5 nemesis kill end 1\n\t\t7 2 ok").Replace(busy),
			paths: map[string]int{"raise": 1}, want: []string{"0 of 2"}},
		{name: "fault of a moment", history: strings.Replace(busy, "8 nemesis kill end 1", "", 1), paths: map[string]int{"raise": 1}, want: []string{"0 of 2"}},
	}
	for _, tt := range tests {
		events := parse(t, tt.history)
		if tt.change != nil {
			tt.change(events)
		}
		if err := Validate(events); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		tally := TallyOf(events)
		tally.Paths = tt.paths
		got := plan.Vacuous(tally)
		ok := len(got) == len(tt.want)
		for i := range min(len(got), len(tt.want)) {
			ok = ok && strings.Contains(got[i], tt.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestUnderFaultNeedsThirtyPercent(t *testing.T) {
	plan := Plan{Chaos: true}
	for under, vacuous := range map[int]bool{29: true, 30: false} {
		tally := Tally{Acquired: 100, UnderFault: under, Waited: 1}
		if got := plan.Vacuous(tally); (len(got) > 0) != vacuous {
			t.Errorf("%d of 100 under fault: %q", under, got)
		}
	}
}

func TestTallyAddsUp(t *testing.T) {
	refused := "0 1 invoke write k n=1\n1 1 ok write k n=1 refused\n2 1 invoke write k n=1\n3 1 fail write k\n4 1 invoke write k n=1\n5 1 info write k"
	one := TallyOf(parse(t, refused))
	if one.Succeeded[Write] != 0 || one.Failed[Write] != 1 || one.Unknown[Write] != 1 {
		t.Errorf("tally of a refused, a failed and an unknown write: %+v", one)
	}
	var sum Tally
	two := TallyOf(parse(t, twoHolders))
	two.Paths["raise"] = 3
	for range 2 {
		sum.Add(one)
		sum.Add(two)
	}
	if sum.Acquired != 4 || sum.Failed[Write] != 2 || sum.Paths["raise"] != 6 || sum.Waited != 2*two.Waited || two.Waited != 1 {
		t.Errorf("sum of twice two runs: %+v", sum)
	}
}
