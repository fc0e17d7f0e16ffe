package linearizability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// calls makes a history of a compact notation: calls that follow one another,
// separated by ";". Each is CLIENT+HOLD or CLIENT-HOLD with what else there is:
//
//	a+1 f5 p2 r     acquires as hold 1 with token 5, 2 permits, as a reader
//	a-1             releases hold 1
//	a-              releases, naming none
//	a-1? a+?        of unknown outcome
//	a-1!            failed
//	(a+1 ; …        is invoked here, and returns where its hold stands again: )a+1
//	until 30        behind an acquire: its deadline, where times are lines
func calls(t testing.TB, text string) []Event {
	t.Helper()
	var events []Event
	next := Process(0)
	open := map[string]Process{}
	put := func(p Process, typ Type, f F, v Value) {
		events = append(events, Event{Index: len(events), Time: int64(len(events)), Process: p, Type: typ, F: f, Key: "k", Value: v})
	}
	for part := range strings.SplitSeq(text, ";") {
		words := strings.Fields(part)
		head := words[0]
		begins, ends := strings.HasPrefix(head, "("), strings.HasPrefix(head, ")")
		head = strings.Trim(head, "()")
		typ := OK
		if c := head[len(head)-1]; c == '?' || c == '!' {
			typ = map[byte]Type{'?': Info, '!': Fail}[c]
			head = head[:len(head)-1]
		}
		f := Acquire
		if head[1] == '-' {
			f = Release
		}
		call := Value{Client: head[:1], Hold: head[2:]}
		result := call
		for i, w := range words[1:] {
			var n int64
			fmt.Sscanf(strings.TrimLeft(w, "fp"), "%d", &n)
			switch {
			case w == "r":
				call.Mode, result.Mode = ModeRead, ModeRead
			case w[0] == 'f':
				result.Token = Token(n)
			case w[0] == 'p':
				call.Permits, result.Permits = int(n), int(n)
			case w == "until":
				fmt.Sscan(words[i+2], &n)
				until := n
				result.ValidUntil = &until
			}
		}
		if f == Acquire {
			call.Hold = ""
		}
		if !ends {
			put(next, Invoke, f, call)
			open[head] = next
			next++
		}
		if !begins {
			put(open[head], typ, f, result)
		}
	}
	return events
}

// TestRules: each model convicts a violation of each of its rules, and acquits
// the legal history next to it.
func TestRules(t *testing.T) {
	tests := []struct{ model, rule, illegal, legal string }{
		{"mutex", "acquire: not locked", "a+1; b+2", "a+1; a-1; b+2"},
		{"mutex", "acquire: not locked, its own either", "a+1; a+2", "a+1; a-1; a+2"},
		{"mutex", "release: locked", "a-", "a+1; b-"},
		{"mutex", "release: locked, once", "a+1; a-1; a-1", "a+1; a-1"},
		{"mutex", "a release that may have happened explains no second acquire twice", "a+1; a-1?; b+2; c+3", "a+1; a-1?; b+2"},
		{"mutex", "a failed release did not happen", "a+1; a-1!; b+2", "a+1; a-1?; b+2"},
		{"mutex", "a failed acquire did not happen", "a+1; a-1; b+!; b-", "a+1; a-1; b+?; b-"},
		{"owner-aware-mutex", "acquire: no owner", "a+1; b+2", "a+1; a-1; b+2"},
		{"owner-aware-mutex", "acquire: no owner, itself either", "a+1; a+2", "a+1; a-1; a+2"},
		{"owner-aware-mutex", "release: the owner", "a+1; b-", "a+1; a-"},
		{"owner-aware-mutex", "release: once", "a+1; a-; a-", "a+1; a-; a-!"},
		{"reentrant-mutex", "acquire: no other owner", "a+1; b+2", "a+1; a+2"},
		{"reentrant-mutex", "acquire: at most twice", "a+1; a+2; a+3", "a+1; a+2; a-1; a+3"},
		{"reentrant-mutex", "release: to the last", "a+1; a+2; a-1; b+3", "a+1; a+2; a-1; a-2; b+3"},
		{"reentrant-mutex", "release: the owner", "a+1; b-", "a+1; a-"},
		{"reentrant-mutex", "release: not more often", "a+1; a-; a-", "a+1; a+2; a-; a-"},
		{"fenced-mutex", "acquire: no owner", "a+1 f1; b+2 f2", "a+1 f1; a-1; b+2 f2"},
		{"fenced-mutex", "acquire: a higher fence", "a+1 f2; a-1; b+2 f1", "a+1 f2; a-1; b+2 f3"},
		{"fenced-mutex", "acquire: not the same fence", "a+1 f2; a-1; b+2 f2", "a+1 f2; a-1; b+2 f3"},
		{"fenced-mutex", "a fence not observed keeps the highest", "a+1 f2; a-1; b+2; b-2; c+3 f2", "a+1 f2; a-1; b+2; b-2; c+3 f3"},
		{"fenced-mutex", "release: the owner", "a+1 f1; b-", "a+1 f1; a-"},
		{"fenced-mutex", "a release keeps the fence", "a+1 f1; a-; a+2 f1", "a+1 f1; a-; a+2 f2"},
		{"reentrant-fenced-mutex", "acquire: no other owner", "a+1 f1; b+2 f1", "a+1 f1; a+2 f1"},
		{"reentrant-fenced-mutex", "acquire: at most twice", "a+1 f1; a+2 f1; a+3 f1", "a+1 f1; a+2 f1; a-2; a+3 f1"},
		{"reentrant-fenced-mutex", "free: a higher fence", "a+1 f2; a-1; b+2 f2", "a+1 f2; a-1; b+2 f3"},
		{"reentrant-fenced-mutex", "nested: the same fence", "a+1 f2; a+2 f3", "a+1 f2; a+2 f2"},
		{"reentrant-fenced-mutex", "nested, none so far: a higher one", "a+1 f2; a-1; a+2; a+3 f2", "a+1 f2; a-1; a+2; a+3 f3"},
		{"reentrant-fenced-mutex", "nested: the fence becomes that of the hold", "a+1; a+2 f3; a-2; a+3 f4", "a+1; a+2 f3; a-2; a+3 f3"},
		{"reentrant-fenced-mutex", "nested: none observed is always right", "a+1 f2; a+2; a-1; a+3 f3", "a+1 f2; a+2; a-1; a+3 f2"},
		{"reentrant-fenced-mutex", "the fence of a hold ends with it", "a+1 f2; a-1; a+2 f2", "a+1 f2; a-1; a+2 f3"},
		{"reentrant-fenced-mutex", "release: the owner", "a+1 f1; b-", "a+1 f1; a-"},
		{"semaphore:2", "acquire: the sum", "a+1; b+2; c+3", "a+1; b+2; b-2; c+3"},
		{"semaphore:2", "acquire: permits", "a+1 p2; b+2", "a+1 p2; a-1; b+2"},
		{"semaphore:2", "acquire: more than there are", "a+1 p3", "a+1 p2"},
		{"semaphore:2", "release: its own", "a+1; b-", "a+1; a-"},
		{"semaphore:2", "release: all that it took", "a+1 p2; a- p1; b+2 p2", "a+1 p2; a- p2; b+2 p2"},
		{"semaphore:2", "release: not more", "a+1; a- p2", "a+1 p2; a- p2"},
		{"semaphore:2", "release: what the hold took, if it does not say", "a+1 p2; a- ; b+2 p2", "a+1 p2; a-1; b+2 p2"},
		{"rw-mutex", "writer: no writer", "a+1; b+2", "a+1; a-1; b+2"},
		{"rw-mutex", "writer: no reader", "a+1 r; b+2", "a+1 r; a-1; b+2"},
		{"rw-mutex", "writer: not while it reads itself", "a+1 r; a+2", "a+1 r; a+2 r"},
		{"rw-mutex", "reader: no writer", "a+1; b+2 r", "a+1 r; b+2 r"},
		{"rw-mutex", "release: the writer", "a+1; b-", "a+1; a-"},
		{"rw-mutex", "release: a reader", "a+1 r; b- r", "a+1 r; a- r"},
		{"rw-mutex", "release: as what it holds", "a+1 r; a-", "a+1 r; a- r"},
		{"rw-mutex", "release: every reader", "a+1 r; b+2 r; a-1; c+3", "a+1 r; b+2 r; a-1; b-2; c+3"},
		{"lease", "claims do not overlap", "a+1 until 9; b+2 until 9", "a+1 until 2; b+2 until 9"},
		{"lease", "a claim ends at its release", "a+1 until 9; b+2 until 9; a-1", "a+1 until 9; a-1?; b+2 until 9"},
		{"lease", "but for readers", "a+1 r until 9; b+2 until 9", "a+1 r until 9; b+2 r until 9"},
		{"fenced-mutex", "claims: an empty one raises the fence", "a+1 f5 until 1; b+2 f5 until 9", "a+1 f5 until 1; b+2 f6 until 9"},
		{"fenced-mutex", "claims: an empty one raises it while another holds", "a+1 f5 until 9; b+2 f5 until 2; ", "a+1 f5 until 9; b+2 f6 until 2"},
		{"reentrant-fenced-mutex", "claims: an empty one has the fence of the hold", "a+1 f5 until 9; a+2 f6 until 2", "a+1 f5 until 9; a+2 f5 until 2"},
		{"reentrant-fenced-mutex", "claims: an empty one gives the hold its fence", "a+1 until 9; a+2 f5 until 2; a+3 f6 until 9", "a+1 until 9; a+2 f5 until 2; a+3 f5 until 9"},
		{"mutex", "claims: releases do not count", "a+1 until 9; b-; b+2 until 9", "a+1 until 4; b-; b+2 until 9"},
		{"reentrant-mutex", "claims: at most twice", "a+1 until 9; a+2 until 9; a+3 until 9", "a+1 until 9; a+2 until 4; a+3 until 9"},
		{"semaphore:2", "claims: the sum", "a+1 until 9; b+2 p2 until 9", "a+1 until 2; b+2 p2 until 9"},
		{"rw-mutex", "claims: readers", "a+1 r until 9; b+2 until 9", "a+1 r until 9; b+2 r until 9"},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		for want, text := range map[Outcome]string{Invalid: tt.illegal, Valid: tt.legal} {
			events := calls(t, strings.TrimSuffix(strings.TrimSpace(text), ";"))
			for _, m := range []Method{"", MethodSearch, MethodPorcupine} {
				v := judgeBy(t, events, tt.model, m)
				if v.Outcome != want {
					t.Errorf("%s: %s: method %q says of %q %s, want %s", tt.model, tt.rule, m, text, v.Outcome, want)
				}
			}
		}
		seen[tt.model] = true
	}
	for _, m := range Models() {
		if !seen[strings.ReplaceAll(m, "K", "2")] {
			t.Errorf("no rule of %s is tested", m)
		}
	}
}

// TestCorners: histories on which a sweep by itself is wrong, and which method
// must judge them.
func TestCorners(t *testing.T) {
	tests := []struct {
		name, model, text string
		want              Outcome
		method            Method
	}{
		{"a release of unknown outcome, then nested or not", ModelReentrantFencedMutex, "a+1 f5; a-1?; a+2 f5", Valid, MethodSearch},
		{"a hold released twice, another in between", ModelOwnerAwareMutex, "a+1; a-1?; b+2; b-2; a-1", Invalid, MethodSearch},
		{"an unknown acquire around another's fence", ModelReentrantFencedMutex, "a+1 f2; a+?; a-1; a+2 f2", Valid, MethodSearch},
		{"an acquire open while its client's hold ends", ModelReentrantFencedMutex, "a+1 f5; (a+2; a-1; )a+2 f5", Valid, MethodSearch},
		{"the same, invoked too late", ModelReentrantFencedMutex, "a+1 f5; a-1; a+2 f5", Invalid, MethodSweep},
		{"empty claims that returned in another order", ModelFencedMutex, "(a+1; b+2 f6 until 1; )a+1 f5 until 1", Valid, MethodSearch},
		{"empty claims one after the other", ModelFencedMutex, "b+2 f6 until 1; a+1 f5 until 1", Invalid, MethodSearch},
		{"an empty claim, which matters to fences alone", ModelMutex, "c+3 until 1; a+1 until 19; b+2 until 19", Invalid, MethodSweep},
		{"claims that were released", ModelFencedMutex, "c+3 f1 until 19; c-3; a+1 f2 until 19; b+2 f3 until 19", Invalid, MethodSweep},
		{"an unknown acquire whose client does nothing more", ModelReentrantFencedMutex, "c+?; a+1 f5; b+2 f6", Invalid, MethodSweep},
		{"a release of more than its hold took", "semaphore:2", "a+1; (a-1 p2; a+2; )a-1 p2", Valid, MethodSearch},
		{"a retried release", ModelMutex, "a+1; a-1?; a-1", Valid, MethodSearch},
		{"a retried release, both happened", ModelMutex, "a+1; a-1; a-1", Invalid, MethodSearch},
	}
	for _, tt := range tests {
		events := calls(t, tt.text)
		v := judgeBy(t, events, tt.model, "")
		if k := v.Keys[0]; k.Outcome != tt.want || k.Method != tt.method {
			t.Errorf("%s: %s says %s, want %s of %s: %s", tt.name, k.Method, k.Outcome, tt.method, tt.want, k.Reason)
		}
		if v := judgeBy(t, events, tt.model, MethodPorcupine); v.Outcome != tt.want {
			t.Errorf("%s: porcupine says %s, want %s", tt.name, v.Outcome, tt.want)
		}
		if tt.method == MethodSearch {
			if v := judgeBy(t, events, tt.model, MethodSweep); v.Outcome != Unknown && v.Outcome != tt.want {
				t.Errorf("%s: the sweep alone says %s, want it not to judge", tt.name, v.Outcome)
			}
		}
	}
}

// TestStories: what a counterexample says, and where.
func TestStories(t *testing.T) {
	tests := []struct {
		model, text string
		indices     []int
		story       string
	}{
		{"mutex", "a+1 f7; c+?; b+2", []int{0, 1, 4, 5},
			`client a acquired "k" as hold 1 with token 7 (invoked at 0s, returned at 1ns), to the end of the history; ` +
				`yet client b acquired "k" as hold 2 (invoked at 4ns, returned at 5ns), although the lock is held`},
		{"fenced-mutex", "a+1 f7; a-1; b+2 f7", []int{0, 1, 2, 4, 5},
			`client a acquired "k" as hold 1 with token 7 (invoked at 0s, returned at 1ns), until its release was invoked at 2ns; ` +
				`yet client b acquired "k" as hold 2 with token 7 (invoked at 4ns, returned at 5ns), to the end of the history, although the token is not above all before it`},
		{"semaphore:3", "a+1; b+2 p2; c+3 p2", []int{2, 3, 4, 5},
			`client b acquired "k" as hold 2 of 2 permits (invoked at 2ns, returned at 3ns), to the end of the history; ` +
				`yet client c acquired "k" as hold 3 of 2 permits (invoked at 4ns, returned at 5ns), although there are not that many permits left`},
		{"owner-aware-mutex", "c+0; c-0; a+1; a-1?; b+2; b-2; a-1", []int{10, 11, 12, 13},
			`no order of a lock that nobody held before index 4 is legal for owner-aware-mutex in which all of this happened, whatever became of everything else: ` +
				`client b released "k", naming hold 2 (invoked at 10ns, returned at 11ns); client a released "k", naming hold 1 (invoked at 12ns, returned at 13ns)`},
		{"reentrant-fenced-mutex", "a+1 f2; a+2; a-1; a+3 f3", []int{0, 1, 2, 3, 4, 6, 7},
			`client a acquired "k" as hold 1 with token 2 (invoked at 0s, returned at 1ns), until its release was invoked at 4ns; ` +
				`and client a acquired "k" as hold 2 (invoked at 2ns, returned at 3ns), to the end of the history; ` +
				`yet client a acquired "k" as hold 3 with token 3 (invoked at 6ns, returned at 7ns), although the token is not that of the hold around it`},
		{"reentrant-fenced-mutex", "a+1 f2; a+2; a-1; a+3 f1", []int{0, 1, 4, 6, 7},
			`client a acquired "k" as hold 1 with token 2 (invoked at 0s, returned at 1ns), until its release was invoked at 4ns; ` +
				`yet client a acquired "k" as hold 3 with token 1 (invoked at 6ns, returned at 7ns), although the token is not that of the hold around it`},
		{"reentrant-fenced-mutex", "a+1 f2 until 4; a+2 until 99; z+? r; a+3 f3", []int{0, 1, 2, 3, 6, 7},
			`client a acquired "k" as hold 1 with token 2 (invoked at 0s, returned at 1ns), until its deadline at 4ns; ` +
				`and client a acquired "k" as hold 2 (invoked at 2ns, returned at 3ns), until its deadline at 99ns; ` +
				`yet client a acquired "k" as hold 3 with token 3 (invoked at 6ns, returned at 7ns), although the token is not that of the hold around it`},
		{"reentrant-fenced-mutex", "a+1; a+2 f3; a-2; a+3 f4", []int{0, 1, 2, 3, 4, 6, 7},
			`client a acquired "k" as hold 2 with token 3 (invoked at 2ns, returned at 3ns), until its release was invoked at 4ns; ` +
				`and client a acquired "k" as hold 1 (invoked at 0s, returned at 1ns), to the end of the history; ` +
				`yet client a acquired "k" as hold 3 with token 4 (invoked at 6ns, returned at 7ns), although the token is not that of the hold around it`},
		{"fenced-mutex", "b+2 f6 until 1; a+1 f5 until 1", []int{0, 1, 2, 3},
			`no order is legal for fenced-mutex in which all of this happened, whatever became of everything else: ` +
				`client b acquired "k" as hold 2 with token 6 (invoked at 0s, returned at 1ns), over when it returned; ` +
				`client a acquired "k" as hold 1 with token 5 (invoked at 2ns, returned at 3ns), over when it returned`},
		{"semaphore:2", "a+1 p3", []int{0, 1},
			`client a acquired "k" as hold 1 of 3 permits (invoked at 0s, returned at 1ns), although there are not that many permits left`},
		{"mutex", "a-", []int{0, 1},
			`no order is legal for mutex in which all of this happened, whatever became of everything else: ` +
				`client a released "k", naming no hold (invoked at 0s, returned at 1ns)`},
		{"mutex", "a-1", []int{0, 1},
			`no order is legal for mutex in which all of this happened, whatever became of everything else: ` +
				`client a released "k", naming hold 1 (invoked at 0s, returned at 1ns)`},
		{"lease", "a+1 until 9; b+2; a-1", []int{0, 1, 2, 3, 4},
			`client a acquired "k" as hold 1 (invoked at 0s, returned at 1ns), until its release was invoked at 4ns; ` +
				`yet client b acquired "k" as hold 2 (invoked at 2ns, returned at 3ns), although the lock is held`},
		{"lease", "a+1; b+2 until 9", []int{0, 1, 2, 3},
			`client a acquired "k" as hold 1 (invoked at 0s, returned at 1ns), to the end of the history; ` +
				`yet client b acquired "k" as hold 2 (invoked at 2ns, returned at 3ns), although the lock is held`},
		{"lease", "a+1 until 9; b+2 r until 9", []int{0, 1, 2, 3},
			`client a acquired "k" as hold 1 (invoked at 0s, returned at 1ns), until its deadline at 9ns; ` +
				`yet client b acquired "k" as hold 2 as a reader (invoked at 2ns, returned at 3ns), although the lock is held`},
	}
	for _, tt := range tests {
		c := judgeBy(t, calls(t, tt.text), tt.model, "").Counterexample()
		if c == nil || !slices.Equal(c.Indices, tt.indices) || c.Story != tt.story {
			t.Errorf("%s, %s: %+v\nwant %v %s", tt.model, tt.text, c, tt.indices, tt.story)
		}
	}
}

func TestModelsAndOptions(t *testing.T) {
	for _, m := range []string{"", "semaphore", "semaphore:", "semaphore:0", "semaphore:-1", "semaphore:01", "semaphore:x", "semaphore:K", "semaphore:536870913", "Mutex"} {
		var unknown *UnknownModelError
		if _, err := NewChecker(m, CheckOptions{}); !errors.As(err, &unknown) || unknown.Model != m {
			t.Errorf("model %q: %v", m, err)
		}
	}
	for _, m := range Models() {
		if _, err := NewChecker(strings.ReplaceAll(m, "K", "536870912"), CheckOptions{}); err != nil {
			t.Errorf("model %q: %v", m, err)
		}
	}
	for _, opts := range []CheckOptions{{Limit: -1}, {Steps: -1}, {Memory: -1}, {Method: "guess"}} {
		var bad *ParamsError
		if _, err := NewChecker(ModelMutex, opts); !errors.As(err, &bad) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	v := judgeBy(t, nil, ModelMutex, "")
	if v.Outcome != Unknown || v.ExitCode() != ExitUnknown || v.Word() != WordUnknown || v.Counterexample() != nil {
		t.Errorf("an empty history: %+v", v)
	}
	var bad *HistoryError
	if _, err := Check(context.Background(), []Event{{Index: 1}}, ModelMutex, CheckOptions{}); !errors.As(err, &bad) {
		t.Errorf("a history that breaks the rules: %v", err)
	}
}

// hard has many releases of unknown outcome that are repeated, so that the
// sweep cannot judge it, and is illegal at its end.
func hard(t testing.TB, clients int) []Event {
	var parts []string
	for i := range clients {
		c := string(rune('a' + i))
		parts = append(parts, "("+c+"+"+c+" p1")
	}
	for i := range clients {
		c := string(rune('a' + i))
		parts = append(parts, ")"+c+"+"+c+" p1")
	}
	return calls(t, strings.Join(parts, ";")+";a-a?;a-a?;z+1 p1")
}

// TestSearchLimits: a search that is told to stop, or takes too much, is
// unknown and says why; never valid.
func TestSearchLimits(t *testing.T) {
	events := hard(t, 12)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		ctx    context.Context
		opts   CheckOptions
		reason string
	}{
		{context.Background(), CheckOptions{Steps: 3}, "its limit of steps was reached"},
		{context.Background(), CheckOptions{Memory: 1000}, "its limit of memory was reached"},
		{done, CheckOptions{}, "it was told to stop"},
		{context.Background(), CheckOptions{Limit: time.Nanosecond}, "it was told to stop"},
	} {
		tt.opts.Method = MethodSearch
		v, err := Check(tt.ctx, events, "semaphore:12", tt.opts)
		if err != nil {
			t.Fatal(err)
		}
		if k := v.Keys[0]; k.Outcome != Unknown || k.Reason != tt.reason || v.ExitCode() != ExitUnknown {
			t.Errorf("%+v: %s: %s, want unknown: %s", tt.opts, k.Outcome, k.Reason, tt.reason)
		}
	}
	if v := judgeBy(t, events, "semaphore:12", ""); v.Outcome != Valid || v.Keys[0].Method != MethodSearch {
		t.Errorf("without such limits: %+v", v)
	}
}

// TestModelVerdictJSON: the shape that other tools read.
func TestModelVerdictJSON(t *testing.T) {
	got, err := json.Marshal(judgeBy(t, calls(t, "a+1; b+2"), "mutex", ""))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"mutex","verdict":"invalid","holds_end":"releases","events":4,"operations":2,"keys":[` +
		`{"key":"k","verdict":"invalid","method":"sweep","reason":"STORY","operations":2,` +
		`"counterexample":{"indices":[0,1,2,3],"story":"STORY"}}]}`
	story := `client a acquired \"k\" as hold 1 (invoked at 0s, returned at 1ns), to the end of the history; ` +
		`yet client b acquired \"k\" as hold 2 (invoked at 2ns, returned at 3ns), although the lock is held`
	if want = strings.ReplaceAll(want, "STORY", story); string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestLongSearch: a long history that only the search can judge is judged, and
// what convicts it stays short although there is never a moment at which
// nothing is open.
func TestLongSearch(t *testing.T) {
	parts := []string{"(z+0"}
	for i := range 1500 {
		c := string(rune('a' + i%5))
		parts = append(parts, fmt.Sprintf("%s+%d", c, i+1), fmt.Sprintf("%s-%d?", c, i+1), fmt.Sprintf("%s-%d", c, i+1))
	}
	for want, end := range map[Outcome]string{Valid: "y+y", Invalid: "y+y; x+x"} {
		events := calls(t, strings.Join(parts, ";")+";"+end)
		v := judgeBy(t, events, ModelOwnerAwareMutex, "")
		if k := v.Keys[0]; k.Outcome != want || k.Method != MethodSearch {
			t.Fatalf("%s says %s, want the search to say %s: %s", k.Method, k.Outcome, want, k.Reason)
		}
		if c := v.Counterexample(); want == Invalid && len(c.Indices) > 4 {
			t.Errorf("the counterexample has %d lines: %s", len(c.Indices), c.Story)
		}
	}
}

// TestShortened: a long story leaves out its middle, and no more.
func TestShortened(t *testing.T) {
	parts := strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14")
	if got := shortened(parts[:12]); len(got) != 12 {
		t.Errorf("twelve parts become %q", got)
	}
	want := strings.Split("1|2|3|4|5|6|… and 2 more …|9|10|11|12|13|14", "|")
	if got := shortened(parts); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWithin: of two numbers of uncertain steps, which is no more in any.
func TestWithin(t *testing.T) {
	used := func(counts ...int) string {
		var c config
		for kind, n := range counts {
			for range n {
				c.use(kind)
			}
			if c.usedOf(kind) != n {
				t.Fatalf("%d of kind %d, want %d", c.usedOf(kind), kind, n)
			}
		}
		return c.used
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{used(), used(), true},
		{used(), used(1), true},
		{used(1), used(), false},
		{used(1), used(1), true},
		{used(1), used(2), true},
		{used(2), used(1), false},
		{used(1), used(0, 1), false},
		{used(0, 1), used(1), false},
		{used(0, 1), used(1, 1), true},
		{used(256), used(255), false},
		{used(255), used(256), true},
		{used(256), used(256), true},
		{used(257), used(256), false},
		{used(256, 2), used(256, 1), false},
		{used(2), used(257), true},
		{used(257), used(2), false},
	} {
		if got := within(tt.a, tt.b); got != tt.want {
			t.Errorf("%x within %x is %v", tt.a, tt.b, got)
		}
	}
}

// TestFrontier: of two configurations the one that used less stays, whichever
// came first.
func TestFrontier(t *testing.T) {
	var less, more, other config
	more.use(0)
	other.state.owner = 1
	for _, order := range [][]config{{less, more, other}, {more, less, other}, {other, more, less, more}} {
		f := newFrontier()
		for _, c := range order {
			f.add(c)
		}
		kept := f.kept()
		if len(kept) != 2 || !slices.Contains(kept, less) || !slices.Contains(kept, other) {
			t.Errorf("of %v are kept %v", order, kept)
		}
	}
}

// TestManyAlike: more uncertain steps than can be counted end the search.
func TestManyAlike(t *testing.T) {
	windows := make([]window, 1<<16)
	for i := range windows {
		windows[i] = window{step: step{do: take, client: 1}, from: int64(i), to: noEnd, maybe: true}
	}
	for n, want := range map[int]Outcome{1<<16 - 1: Valid, 1 << 16: Unknown} {
		if got := search(context.Background(), plainMutex{}, windows[:n], &limits{1000, 1 << 20}); got.outcome != want {
			t.Errorf("%d alike: %+v, want %s", n, got, want)
		}
	}
}
