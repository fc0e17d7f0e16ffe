package linearizability

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func opinionOn(t *testing.T, events []Event) *Opinion {
	t.Helper()
	o, err := Opine(context.Background(), events, time.Minute)
	if err != nil {
		t.Fatalf("%v\n%s", err, show(events))
	}
	return o
}

func TestOpinionOnFiles(t *testing.T) {
	tests := []struct {
		file      string
		agreement Agreement
		porcupine Outcome
		ours      Outcome
	}{
		{"legal/lease.mixed.jsonl", Agrees, Valid, Valid},
		{"illegal/lease.mixed.jsonl", Agrees, Invalid, Invalid},
		{"legal/lease+mutex+owner-aware-mutex+fenced-mutex.deadline-passed-while-frozen.jsonl", Agrees, Valid, Valid},
		{"illegal/lease+mutex+owner-aware-mutex+fenced-mutex.deadline-not-yet-passed.jsonl", Agrees, Invalid, Invalid},
		{"legal/fenced-mutex.mixed.jsonl", Agrees, Valid, Valid},
		// It is illegal by a release that names no hold, which the sweeps do not look at.
		{"illegal/fenced-mutex.mixed.jsonl", Undecided, Invalid, NotJudged},
	}
	for _, tt := range tests {
		events, err := readFile(t, tt.file, ReaderOptions{})
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		o := opinionOn(t, events)
		ours := Merge(o.Keys[0].Ours.Outcome)
		for _, k := range o.Keys[1:] {
			ours = Merge(ours, k.Ours.Outcome)
		}
		if o.Agreement != tt.agreement || o.Outcome != tt.porcupine || ours != tt.ours {
			t.Errorf("%s: %s, porcupine %s, ours %s; want %s, %s, %s: %+v", tt.file, o.Agreement, o.Outcome, ours,
				tt.agreement, tt.porcupine, tt.ours, o.Keys)
		}
		checkArguments(t, events, o)
	}
}

// checkArguments: a conviction names lines of its key, others none.
func checkArguments(t *testing.T, events []Event, o *Opinion) {
	t.Helper()
	for _, k := range o.Keys {
		for _, a := range []Argument{k.Porcupine, k.Ours} {
			if a.Reason == "" || (a.Outcome == Invalid) != (len(a.Indices) > 0) || !slices.IsSorted(a.Indices) {
				t.Errorf("%s: argument %+v", k.Key, a)
			}
			for _, i := range a.Indices {
				if i < 0 || i >= len(events) {
					t.Errorf("%s: line %d of %d", k.Key, i, len(events))
				}
			}
		}
	}
}

// Two holds, one after the other, of which the test says the rest.
const twoHolds = `
	0 1 invoke acquire k
	1 2 invoke acquire k
	2 1 ok acquire k hold=a token=A until=100
	9 1 invoke release k hold=a
	10 1 ok release k hold=a
	11 2 ok acquire k hold=b token=B until=100
`

// Three acquires are open at once; c's token is the highest, b's the lowest.
const threeHolds = `
	0 3 invoke acquire k
	1 1 invoke acquire k
	2 2 invoke acquire k
	3 1 ok acquire k hold=a token=5 until=100
	9 1 invoke release k hold=a
	10 1 ok release k hold=a
	11 2 ok acquire k hold=b token=4 until=100
	12 2 invoke release k hold=b
	13 3 ok acquire k hold=c token=9 until=100
`

func TestOpinionOnHistories(t *testing.T) {
	tokens := func(a, b string) string { return strings.NewReplacer("token=A", a, "token=B", b).Replace(twoHolds) }
	tests := []struct {
		name, history string
		want          Outcome
		fallen        []Property
		reason        string // part of porcupine's
	}{
		{"tokens rise", tokens("token=5", "token=6"), Valid, nil, "legal order"},
		{"no tokens", tokens("", ""), Valid, nil, ""},
		{"the first has none", tokens("", "token=6"), Valid, nil, ""},
		{"the second has none", tokens("token=5", ""), Valid, nil, ""},
		{"both acquires open and tokens equal", tokens("token=5", "token=5"), Invalid, []Property{TokenOrder}, "token 5 is not above 5"},
		{"both acquires open and tokens fall", tokens("token=5", "token=4"), Invalid, nil, "token 4 is not above 5"},
		{"the claim goes on", "0 1 invoke acquire k\n1 2 invoke acquire k\n2 1 ok acquire k hold=a token=5 until=100\n11 2 ok acquire k hold=b token=6 until=100", Invalid, []Property{MutualExclusion}, "c1 holds the lock"},
		{"tokens fall between claims, the second empty", strings.Replace(tokens("token=5", "token=4"), "11 2 ok acquire k hold=b token=4 until=100", "11 2 ok acquire k hold=b token=4 until=11", 1), Valid, nil, ""},
		{"an empty claim with the first's token", strings.Replace(tokens("token=5", "token=5"), "until=100", "until=2", 1), Invalid, []Property{TokenOrder}, "raises the fence"},
		{"an empty claim inside another", "0 1 invoke acquire k\n1 1 ok acquire k hold=a token=5 until=100\n2 2 invoke acquire k\n3 2 ok acquire k hold=b token=6 until=3", Valid, nil, ""},
		{"an empty claim inside another, of no token", "0 1 invoke acquire k\n1 1 ok acquire k hold=a token=5 until=100\n2 2 invoke acquire k\n3 2 ok acquire k hold=b until=3", Valid, nil, ""},
		{"an empty claim inside another, its token too low", "0 1 invoke acquire k\n1 1 ok acquire k hold=a token=5 until=100\n2 2 invoke acquire k\n3 2 ok acquire k hold=b token=4 until=3", Invalid, []Property{TokenOrder}, "token 4 is not above 5"},
		{"unknown acquire is ignored", "0 1 invoke acquire k\n1 1 info acquire k\n2 2 invoke acquire k\n3 2 ok acquire k hold=b token=4 until=9", Valid, nil, ""},
		{"release of nothing is ignored", "0 1 invoke release k hold=z\n1 1 ok release k hold=z\n2 2 invoke acquire k\n3 2 ok acquire k hold=b token=4 until=9", Valid, nil, ""},
		{"readers at once", "0 1 invoke acquire k\n1 1 ok acquire k hold=a mode=r until=100\n2 2 invoke acquire k\n3 2 ok acquire k hold=b mode=r until=90\n95 observer lost k client=c1 hold=a", Valid, nil, ""},
		{"a writer among readers", "0 1 invoke acquire k\n1 1 ok acquire k hold=a mode=r until=100\n2 2 invoke acquire k\n3 2 ok acquire k hold=b until=90", Invalid, []Property{MutualExclusion}, "held by 1 reader"},
		{"the deadline ends it", "0 1 invoke acquire k\n1 2 invoke acquire k\n2 1 ok acquire k hold=a token=5 until=11\n11 2 ok acquire k hold=b token=6 until=100", Valid, nil, ""},
		{"extended past the second", "0 1 invoke acquire k\n1 2 invoke acquire k\n2 1 ok acquire k hold=a token=5 until=11\n3 1 invoke extend k hold=a\n4 1 ok extend k hold=a until=50\n11 2 ok acquire k hold=b token=6 until=100", Invalid, []Property{MutualExclusion}, "c1 holds the lock"},
		{"an extend of unknown outcome", "0 1 invoke acquire k\n1 2 invoke acquire k\n2 1 ok acquire k hold=a token=5 until=11\n3 1 invoke extend k hold=a\n4 1 info extend k hold=a until=50\n11 2 ok acquire k hold=b token=6 until=100", Valid, nil, ""},
		{"told of the loss", "0 1 invoke acquire k\n1 2 invoke acquire k\n2 1 ok acquire k hold=a token=5 until=100\n3 observer lost k client=c1 hold=a\n11 2 ok acquire k hold=b token=6 until=100", Valid, nil, ""},
		{"nobody acquired", "0 1 invoke acquire k\n1 1 fail acquire k until=100", Valid, nil, "0 operations"},
		{"what could come later is not in the way", threeHolds, Invalid, nil, "b with token 4 (index 2 to 6); but token 4 is not above 5"},
		{"both properties", "0 1 invoke acquire k\n1 1 ok acquire k hold=a token=5 until=100\n2 2 invoke acquire k\n3 2 ok acquire k hold=b token=5 until=90", Invalid, []Property{MutualExclusion, TokenOrder}, ""},
	}
	for _, tt := range tests {
		events := parse(t, tt.history)
		o := opinionOn(t, events)
		k := o.Keys[0]
		if o.Agreement != Agrees || o.Outcome != tt.want || !slices.Equal(k.Fallen, tt.fallen) || !strings.Contains(k.Porcupine.Reason, tt.reason) {
			t.Errorf("%s: %s, porcupine %s (%s), fallen %v; want %s, %v\n%s", tt.name, o.Agreement, o.Outcome, k.Porcupine.Reason, k.Fallen, tt.want, tt.fallen, show(events))
		}
		if got, want := len(o.Beyond()) > 0, tt.want == Invalid && tt.fallen == nil; got != want {
			t.Errorf("%s: beyond the properties is %v, want %v", tt.name, got, want)
		}
		checkArguments(t, events, o)
	}
}

func TestOpinionIsByKey(t *testing.T) {
	o := opinionOn(t, parse(t, `
		0 1 invoke acquire b
		1 1 ok acquire b hold=h1 token=5 until=100
		2 2 invoke acquire b
		3 2 ok acquire b hold=h2 token=6 until=100
		4 3 invoke acquire a
		5 3 ok acquire a hold=h3 token=1 until=100
		6 4 invoke acquire c
		7 4 ok acquire c hold=h4 token=3 until=8
		8 4 invoke acquire c
		9 4 ok acquire c hold=h5 token=2 until=100
	`))
	if len(o.Keys) != 3 || o.Keys[0].Key != "a" || o.Keys[0].Porcupine.Outcome != Valid || o.Keys[0].Ours.Outcome != Valid ||
		o.Keys[1].Porcupine.Outcome != Invalid || o.Keys[1].Ours.Outcome != Invalid || o.Outcome != Invalid || o.Agreement != Agrees {
		t.Errorf("%+v", o)
	}
	for i, want := range [][2][]int{{nil, nil}, {{0, 1, 2, 3}, {0, 1, 2, 3}}, {{7, 8, 9}, {6, 7, 8, 9}}} {
		if k := o.Keys[i]; !slices.Equal(k.Ours.Indices, want[0]) || !slices.Equal(k.Porcupine.Indices, want[1]) {
			t.Errorf("%s: lines %v and %v, want %v", k.Key, k.Ours.Indices, k.Porcupine.Indices, want)
		}
	}
}

// TestPlantedDisagreement: a checker that is wrong is found out.
func TestPlantedDisagreement(t *testing.T) {
	for _, wrong := range []Outcome{Valid, Invalid} {
		events := parse(t, strings.NewReplacer("token=A", "token=5", "token=B", "token=6").Replace(twoHolds))
		if wrong == Valid {
			events = parse(t, "0 1 invoke acquire k\n1 1 ok acquire k hold=a token=5 until=100\n2 2 invoke acquire k\n3 2 ok acquire k hold=b token=6 until=90")
		}
		o, err := opine(context.Background(), events, time.Minute, func(*byKey, string) (Argument, []Property) {
			return Argument{Outcome: wrong, Reason: "because I say so"}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		v, err := Judge(events, Params{})
		if err != nil {
			t.Fatal(err)
		}
		var d *DisagreementError
		if err := o.Err(); !errors.As(err, &d) || d.Key != "k" || d.Ours.Outcome != wrong || d.Porcupine.Outcome == wrong ||
			!strings.Contains(err.Error(), "because I say so") || !strings.Contains(err.Error(), d.Porcupine.Reason) {
			t.Errorf("ours wrongly %s: %v", wrong, err)
		}
		if o.Agreement != Disagrees || o.ExitCode(v) != ExitBadInput || o.Word(v) != WordUnknown {
			t.Errorf("ours wrongly %s: %s, exit %d, %s", wrong, o.Agreement, o.ExitCode(v), o.Word(v))
		}
		if files, err := o.Visualize(t.TempDir()); err != nil || len(files) != 1 {
			t.Errorf("ours wrongly %s: drawings %v, %v; want one", wrong, files, err)
		}
	}
}

func TestOpinionOutOfTime(t *testing.T) {
	events := crowded(200, 4)
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	for name, opine := range map[string]func() (*Opinion, error){
		"limit":   func() (*Opinion, error) { return Opine(context.Background(), events, 1) },
		"context": func() (*Opinion, error) { return Opine(stopped, events, time.Minute) },
	} {
		o, err := opine()
		if err != nil {
			t.Fatal(err)
		}
		k := o.Keys[0]
		if o.Agreement != Undecided || o.Outcome != Unknown || k.Porcupine.Outcome != Unknown || k.Ours.Outcome != Valid || !strings.Contains(k.Porcupine.Reason, "undecided") {
			t.Errorf("%s: %+v", name, o)
		}
		v, err := Judge(events, Params{})
		if err != nil || v.ExitCode() != ExitNoViolation {
			t.Fatal(v, err)
		}
		if o.Err() != nil || o.ExitCode(v) != ExitUnknown || o.Word(v) != WordUnknown {
			t.Errorf("%s: %v, exit %d, %s: unknown must not pass for ok", name, o.Err(), o.ExitCode(v), o.Word(v))
		}
	}
}

func TestOpinionRefuses(t *testing.T) {
	var bad *HistoryError
	if _, err := Opine(context.Background(), []Event{{Index: 7}}, 0); !errors.As(err, &bad) {
		t.Errorf("a bad history: %v", err)
	}
	var params *ParamsError
	if _, err := Opine(context.Background(), nil, -1); !errors.As(err, &params) || params.Field != "limit" {
		t.Errorf("a negative limit: %v", err)
	}
	o, err := Opine(context.Background(), nil, 0)
	if err != nil || o.Agreement != Undecided || o.Outcome != Unknown || o.Limit != DefaultOpinionLimit {
		t.Errorf("an empty history: %+v, %v; want it unknown", o, err)
	}
}

func TestOpinionExitCodes(t *testing.T) {
	invalid, valid := Argument{Outcome: Invalid}, Argument{Outcome: Valid}
	beyond := &Opinion{Agreement: Agrees, Outcome: Invalid, Keys: []KeyOpinion{{Agreement: Agrees, Ours: invalid, Porcupine: invalid}}}
	agrees := &Opinion{Agreement: Agrees, Outcome: Valid, Keys: []KeyOpinion{{Agreement: Agrees, Ours: valid, Porcupine: valid}}}
	tests := []struct {
		name string
		o    *Opinion
		v    *Verdict
		exit int
		word string
	}{
		{"agrees", agrees, &Verdict{Outcome: Valid}, 0, WordNoViolation},
		{"agrees on a vacuous run", agrees, &Verdict{Outcome: Valid, Vacuous: []string{"x"}}, 2, WordVacuous},
		{"agrees, and another property fell", agrees, &Verdict{Outcome: Invalid}, 1, WordViolated},
		{"agrees, and the rest is unknown", agrees, &Verdict{Outcome: Unknown}, 2, WordUnknown},
		{"undecided", &Opinion{Agreement: Undecided}, &Verdict{Outcome: Valid}, 2, WordUnknown},
		{"undecided and violated", &Opinion{Agreement: Undecided}, &Verdict{Outcome: Invalid}, 1, WordViolated},
		{"disagrees and violated", &Opinion{Agreement: Disagrees}, &Verdict{Outcome: Invalid}, 3, WordUnknown},
		{"beyond", beyond, &Verdict{Outcome: Valid}, 1, WordViolated},
		{"beyond in a vacuous run", beyond, &Verdict{Outcome: Valid, Vacuous: []string{"x"}}, 1, WordViolated},
		{"beyond with broken clocks", beyond, &Verdict{Outcome: Valid, Broken: []Assumption{C1}}, 0, WordNoViolation},
	}
	for _, tt := range tests {
		if exit, word := tt.o.ExitCode(tt.v), tt.o.Word(tt.v); exit != tt.exit || word != tt.word {
			t.Errorf("%s: exit %d, %s; want %d, %s", tt.name, exit, word, tt.exit, tt.word)
		}
	}
}

func TestVisualize(t *testing.T) {
	hostile := `../x</script><img src=x onerror=alert(1)>`
	events := []Event{}
	until := int64(100)
	for i, key := range []string{"lock-1", hostile, "Lock-1", "quiet"} {
		for j := range 2 {
			if key == "quiet" && j > 0 {
				break
			}
			p := Process(2*i + j)
			client, hold := hostile+"&c"+p.String(), hostile+p.String()
			events = append(events,
				Event{Process: p, Type: Invoke, F: Acquire, Key: key, Value: Value{Client: client}},
				Event{Process: p, Type: OK, F: Acquire, Key: key, Value: Value{Client: client, Hold: hold, ValidUntil: &until}})
		}
	}
	for i := range events {
		events[i].Index = i
	}
	dir := t.TempDir()
	files, err := opinionOn(t, events).Visualize(dir)
	if err != nil || len(files) != 3 || !slices.Contains(files, "porcupine-lock-1.html") {
		t.Fatalf("%v, %v", files, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, name := range files {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(page), "takes the lock") {
			t.Errorf("%s: %v, %d bytes", name, err, len(page))
		}
		if strings.Contains(string(page), "<img") || strings.Contains(string(page), `\u003cimg`) || strings.Count(string(page), "</script>") != 1 {
			t.Errorf("%s has markup out of the history", name)
		}
	}
	if _, err := opinionOn(t, events).Visualize(filepath.Join(dir, "missing")); err == nil {
		t.Error("a drawing into nowhere was no error")
	}
}

func TestFileNames(t *testing.T) {
	keys := []string{"lock-1", "Lock-1", "a/b", "a_b", "a b", "..", ".", "", "a\x00b", strings.Repeat("x", 300), strings.Repeat("x", 301), "käse", "a_b~1f"}
	seen := map[string]string{}
	for _, key := range keys {
		name := strings.ToLower(fileName(key))
		if before, twice := seen[name]; twice {
			t.Errorf("%q and %q are both in %q", before, key, name)
		}
		seen[name] = key
		if len(name) > 120 || filepath.Base("porcupine-"+name) != "porcupine-"+name {
			t.Errorf("%q is in %q", key, name)
		}
	}
}
