package linearizability

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// propertyTest is a history and what one clause of one property says of it.
type propertyTest struct {
	name    string
	history string
	want    Outcome
	indices []int  // of the counterexample, where wanted
	reason  string // part of the clause's reason, where wanted
	params  *Params
}

// testParams are those of the tests' runs: q of three nodes, ttl 2 s.
var testParams = Params{TTL: 2 * time.Second, MaxTTL: 2 * time.Second, Drift: 0.16, NodeDeadline: 50 * time.Millisecond,
	Clients: 2, Hold: 100 * time.Millisecond}

func runPropertyTests(t *testing.T, p Property, clause int, tests []propertyTest) {
	t.Helper()
	for _, tt := range tests {
		events := parse(t, tt.history)
		params := testParams
		if tt.params != nil {
			params = *tt.params
		}
		v, err := Judge(events, params)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		c := v.Property(p).Clauses[clause]
		if c.Outcome != tt.want || !strings.Contains(c.Reason, tt.reason) {
			t.Errorf("%s: %s is %s: %s; want %s … %s\n%s", tt.name, c.Name, c.Outcome, c.Reason, tt.want, tt.reason, show(events))
		}
		if tt.want == Invalid && (c.Counterexample == nil || v.Property(p).Outcome != Invalid) {
			t.Errorf("%s: invalid without a counterexample, or not passed on", tt.name)
		}
		if tt.indices != nil && c.Counterexample != nil && !slices.Equal(c.Counterexample.Indices, tt.indices) {
			t.Errorf("%s: counterexample has lines %v, want %v", tt.name, c.Counterexample.Indices, tt.indices)
		}
	}
}

func TestMutualExclusion(t *testing.T) {
	const a = `
		0 1 invoke acquire k
		1 1 ok acquire k hold=a until=100
		2 2 invoke acquire k
	`
	runPropertyTests(t, MutualExclusion, 0, []propertyTest{
		{name: "no event of a lock", history: `0 observer stall 0 0`, want: Valid},
		{name: "both at once", history: a + `10 2 ok acquire k hold=b until=200`, want: Invalid, indices: []int{0, 1, 2, 3}},
		{name: "other key", history: strings.Replace(a, "2 2 invoke acquire k", "2 2 invoke acquire j", 1) + `10 2 ok acquire j hold=b until=200`, want: Valid},
		{name: "both of one client", history: "0 1 invoke acquire k\n1 1 ok acquire k hold=a until=100\n2 2 invoke acquire k client=c1\n10 2 ok acquire k hold=b until=200 client=c1", want: Invalid},
		{name: "in the line before the deadline", history: a + `99 2 ok acquire k hold=b until=200`, want: Invalid},
		{name: "in the line at the deadline", history: a + `100 2 ok acquire k hold=b until=200`, want: Valid},
		{name: "after release, still open", history: a + "50 1 invoke release k hold=a\n50 2 ok acquire k hold=b until=200", want: Valid},
		{name: "after release of unknown outcome", history: a + "50 1 invoke release k hold=a\n51 1 info release k\n52 2 ok acquire k hold=b until=200", want: Valid},
		{name: "after release of another hold", history: a + "50 1 invoke release k hold=z\n51 2 ok acquire k hold=b until=200", want: Invalid},
		{name: "before release", history: a + "50 2 ok acquire k hold=b until=200\n50 1 invoke release k hold=a", want: Invalid, indices: []int{0, 1, 2, 3, 4}},
		{name: "after loss", history: a + "50 observer lost k client=c1 hold=a\n50 2 ok acquire k hold=b until=200", want: Valid},
		{name: "before loss", history: a + "50 2 ok acquire k hold=b until=200\n50 observer lost k client=c1 hold=a", want: Invalid},
		{name: "after extend ok", history: a + "50 1 invoke extend k hold=a\n51 1 ok extend k hold=a until=150\n120 2 ok acquire k hold=b until=200", want: Invalid},
		{name: "past extend ok", history: a + "50 1 invoke extend k hold=a\n51 1 ok extend k hold=a until=150\n150 2 ok acquire k hold=b until=200", want: Valid},
		{name: "extend to less changes nothing", history: a + "50 1 invoke extend k hold=a\n51 1 ok extend k hold=a until=60\n80 2 ok acquire k hold=b until=200", want: Invalid},
		{name: "extend ok without deadline", history: a + "50 1 invoke extend k hold=a\n51 1 ok extend k hold=a\n120 2 ok acquire k hold=b until=200", want: Valid},
		{name: "extend of unknown outcome changes nothing", history: a + "50 1 invoke extend k hold=a until=150\n51 1 info extend k hold=a until=150\n120 2 ok acquire k hold=b until=200", want: Valid},
		{name: "extend failed changes nothing", history: a + "50 1 invoke extend k hold=a\n51 1 fail extend k hold=a until=150\n120 2 ok acquire k hold=b until=200", want: Valid},
		{name: "no deadline is for ever", history: strings.Replace(a, " until=100", "", 1) + `9000 2 ok acquire k hold=b until=9500`, want: Invalid},
		{name: "deadline zero is a deadline", history: strings.Replace(a, "until=100", "until=0", 1) + `3 2 ok acquire k hold=b until=200`, want: Valid},
		{name: "first claim empty", history: strings.Replace(a, "until=100", "until=1", 1) + `3 2 ok acquire k hold=b until=200`, want: Valid},
		{name: "second claim empty", history: a + `3 2 ok acquire k hold=b until=3`, want: Valid},
		{name: "reader beside reader", history: strings.Replace(a, "until", "mode=r until", 1) + `10 2 ok acquire k hold=b until=200 mode=r`, want: Valid},
		{name: "writer beside reader", history: strings.Replace(a, "until", "mode=r until", 1) + `10 2 ok acquire k hold=b until=200`, want: Invalid},
		{name: "reader beside writer", history: a + `10 2 ok acquire k hold=b until=200 mode=r`, want: Invalid},
		{name: "mode on the invocation only", history: "0 1 invoke acquire k mode=r\n1 1 ok acquire k hold=a until=100\n2 2 invoke acquire k mode=r\n3 2 ok acquire k hold=b until=100", want: Valid},
		{name: "writer beside a reader that a shorter writer follows", history: `
			0 1 invoke acquire k mode=r
			1 1 ok acquire k hold=a until=100 mode=r
			2 2 invoke acquire k mode=r
			3 2 ok acquire k hold=b until=10 mode=r
			4 3 invoke acquire k
			50 3 ok acquire k hold=c until=200`, want: Invalid, indices: []int{0, 1, 4, 5}},
		{name: "acquire that failed", history: a + `10 2 fail acquire k`, want: Valid},
		{name: "acquire of unknown outcome", history: a + `10 2 info acquire k`, want: Valid},
	})
}

func TestHonestSamples(t *testing.T) {
	const a = `
		0 1 invoke acquire k
		10 1 ok acquire k hold=a id=x until=100
	`
	runPropertyTests(t, HonestValidity, 0, []propertyTest{
		{name: "no samples", history: a, want: NotJudged},
		{name: "id on all", history: a + `30 observer keys 20 30 n1:k=x n2:k=x n3:k=x`, want: Valid},
		{name: "id on a majority", history: a + `30 observer keys 20 30 n1:k=x n2:k=x n3:`, want: Valid},
		{name: "id on a minority", history: a + `30 observer keys 20 30 n1:k=x n2: n3:`, want: Invalid, indices: []int{0, 1, 2}},
		{name: "another id", history: a + `30 observer keys 20 30 n1:k=x n2:k=y n3:k=y`, want: Invalid},
		{name: "right id at another key", history: a + `30 observer keys 20 30 n1:k=x n2:j=x n3:j=x`, want: Invalid},
		{name: "missing where not admitted", history: a + `30 observer keys 20 30 n1:k=x n2: n3:-`, want: Valid},
		{name: "larger quorum asked for", history: a + `30 observer keys 20 30 n1:k=x n2: n3:`, want: Valid, params: &Params{Quorum: 3}},
		{name: "smaller quorum asked for", history: a + `30 observer keys 20 30 n1:k=x n2:k=x n3:`, want: Invalid, params: &Params{Quorum: 1}},
		{name: "begun with the claim", history: a + `30 observer keys 10 30 n1: n2: n3:`, want: Invalid},
		{name: "begun before the claim", history: a + `30 observer keys 9.9 30 n1: n2: n3:`, want: NotJudged},
		{name: "ended before the deadline", history: a + `120 observer keys 20 99.9 n1: n2: n3:`, want: Invalid},
		{name: "ended at the deadline", history: a + `120 observer keys 20 100 n1: n2: n3:`, want: NotJudged},
		{name: "ended at the release", history: a + "30 1 invoke release k hold=a\n31 observer keys 20 30 n1: n2: n3:", want: NotJudged},
		{name: "ended before the release", history: a + "30 1 invoke release k hold=a\n31 observer keys 20 29.9 n1: n2: n3:", want: Invalid, indices: []int{0, 1, 2, 3}},
		{name: "ended at the loss", history: a + "30 observer lost k client=c1 hold=a\n31 observer keys 20 30 n1: n2: n3:", want: NotJudged},
		{name: "id not known", history: strings.Replace(a, "id=x", "", 1) + `30 observer keys 20 30 n1: n2: n3:`, want: NotJudged},
		{name: "samples written in another order", history: a + `
			30 observer keys 20 30 n1:k=x n2:k=x n3:
			31 observer keys 15 25 n1: n2: n3:`, want: Invalid, indices: []int{0, 1, 3}},
		{name: "second claim of the key", history: a + `
			30 1 invoke release k hold=a
			31 1 ok release k hold=a
			32 1 invoke acquire k
			33 1 ok acquire k hold=b id=y until=150
			40 observer keys 35 40 n1:k=x n2:k=x n3:k=x`, want: Invalid, indices: []int{4, 5, 6}},
	})
}

func TestHonestReturns(t *testing.T) {
	const a = `
		0 1 invoke acquire k
	`
	const e = `
		0 1 invoke acquire k
		1 1 ok acquire k hold=a until=50
		40 1 invoke extend k hold=a
	`
	runPropertyTests(t, HonestValidity, 1, []propertyTest{
		{name: "no deadline", history: a + `10 1 ok acquire k hold=a`, want: NotJudged},
		{name: "before the deadline", history: a + `10 1 ok acquire k hold=a until=10.1`, want: Valid},
		{name: "at the deadline", history: a + `10 1 ok acquire k hold=a until=10`, want: Invalid, indices: []int{0, 1}},
		{name: "after the deadline", history: a + `10 1 ok acquire k hold=a until=9`, want: Invalid},
		{name: "extend before its deadline", history: e + `60 1 ok extend k hold=a until=70`, want: Valid},
		{name: "extend after its deadline", history: e + `60 1 ok extend k hold=a until=55`, want: Invalid, indices: []int{2, 3}},
		{name: "extend failed", history: e + `60 1 fail extend k hold=a until=55`, want: Valid},
		{name: "stalled over the deadline", history: "0 1 invoke acquire k\n10 observer stall 8 9.5 c1\n10 1 ok acquire k hold=a until=9", want: NotJudged, reason: "1 late return"},
		{name: "stalled past the deadline, if only shortly", history: "0 1 invoke acquire k\n10 observer stall 9.2 9.5 c1\n10 1 ok acquire k hold=a until=9", want: NotJudged},
		{name: "everybody stalled over the deadline", history: "0 1 invoke acquire k\n10 observer stall 8 9.5\n10 1 ok acquire k hold=a until=9", want: NotJudged},
		{name: "another client stalled", history: "0 1 invoke acquire k\n10 observer stall 8 9.5 c2\n10 1 ok acquire k hold=a until=9", want: Invalid},
		{name: "stalled just before the deadline for longer than late", history: "0 1 invoke acquire k\n10 observer stall 5 8.9 c1\n10 1 ok acquire k hold=a until=9", want: NotJudged},
		{name: "stalled early and not long enough", history: "0 1 invoke acquire k\n10 observer stall 2 3 c1\n10 1 ok acquire k hold=a until=8", want: Invalid},
		{name: "stalled after the return", history: "0 1 invoke acquire k\n10 1 ok acquire k hold=a until=9\n20 observer stall 11 19 c1", want: Invalid},
		{name: "frozen over the deadline", history: "0 1 invoke acquire k\n5 nemesis freeze begin 1 c1\n10 nemesis freeze end 1 c1\n10 1 ok acquire k hold=a until=9", want: NotJudged},
		{name: "another client frozen", history: "0 1 invoke acquire k\n5 nemesis freeze begin 1 c2\n10 nemesis freeze end 1 c2\n10 1 ok acquire k hold=a until=9", want: Invalid},
	})
}

func TestHonestValidityWithoutSamplesIsJudgedByReturns(t *testing.T) {
	for history, want := range map[string]Outcome{
		"0 1 invoke acquire k\n10 1 ok acquire k hold=a until=20": Valid,
		"0 1 invoke acquire k\n10 1 ok acquire k hold=a until=10": Invalid,
		"0 1 invoke acquire k": NotJudged,
	} {
		v, err := Judge(parse(t, history), Params{})
		if err != nil {
			t.Fatal(err)
		}
		if p := v.Property(HonestValidity); p.Outcome != want || p.Clauses[0].Outcome != NotJudged {
			t.Errorf("%s: %s, samples %s; want %s and not-judged", history, p.Outcome, p.Clauses[0].Outcome, want)
		}
	}
}

func TestTimelyLoss(t *testing.T) {
	const a = `
		0 1 invoke acquire k
		10 1 ok acquire k hold=a until=100
	`
	const end = "\n5000 9 invoke acquire z"
	runPropertyTests(t, TimelyLoss, 0, []propertyTest{
		{name: "released before", history: a + `50 1 invoke release k hold=a` + end, want: NotJudged},
		{name: "lost before", history: a + `50 observer lost k client=c1 hold=a` + end, want: Valid},
		{name: "told at the deadline", history: a + `100 observer lost k client=c1 hold=a` + end, want: Valid},
		{name: "told just in time", history: a + `150 observer lost k client=c1 hold=a` + end, want: Valid},
		{name: "told too late", history: a + `150.1 observer lost k client=c1 hold=a` + end, want: Invalid, indices: []int{0, 1, 2}},
		{name: "another hold told", history: a + `120 observer lost k client=c1 hold=z` + end, want: Invalid, indices: []int{0, 1}},
		{name: "never told", history: a + end, want: Invalid, indices: []int{0, 1}, reason: "never told"},
		{name: "released just in time", history: a + `150 1 invoke release k hold=a` + end, want: Valid},
		{name: "released too late", history: a + `151 1 invoke release k hold=a` + end, want: Invalid},
		{name: "history ends just in time", history: a + `150 9 invoke acquire z`, want: NotJudged, reason: "1 too close"},
		{name: "history ends too late", history: a + `150.1 9 invoke acquire z`, want: Invalid},
		{name: "history ends before the deadline", history: a + `99 9 invoke acquire z`, want: NotJudged},
		{name: "returned after the deadline, told in time", history: "0 1 invoke acquire k\n200 1 ok acquire k hold=a until=100\n250 observer lost k client=c1 hold=a" + end, want: Valid},
		{name: "returned after the deadline, told too late", history: "0 1 invoke acquire k\n200 1 ok acquire k hold=a until=100\n250.1 observer lost k client=c1 hold=a" + end, want: Invalid},
		{name: "extended, told in time", history: a + "50 1 invoke extend k hold=a\n51 1 ok extend k hold=a until=300\n350 observer lost k client=c1 hold=a" + end, want: Valid},
		{name: "stalled meanwhile, told in time", history: a + "130 observer stall 110 130 c1\n170 observer lost k client=c1 hold=a" + end, want: Valid},
		{name: "stalled meanwhile, told too late", history: a + "130 observer stall 110 130 c1\n170.1 observer lost k client=c1 hold=a" + end, want: Invalid},
		{name: "stalled over the deadline: only what follows counts", history: a + "130 observer stall 80 120 c1\n170.1 observer lost k client=c1 hold=a" + end, want: Invalid},
		{name: "two stalls, one of all, overlapping", history: a + "140 observer stall 110 130 c1\n140 observer stall 120 140\n180 observer lost k client=c1 hold=a" + end, want: Valid},
		{name: "two stalls count once where they overlap", history: a + "140 observer stall 110 130 c1\n140 observer stall 120 140\n180.1 observer lost k client=c1 hold=a" + end, want: Invalid},
		{name: "another client stalled", history: a + "130 observer stall 110 130 c2\n170 observer lost k client=c1 hold=a" + end, want: Invalid},
		{name: "stalled only after it should have been told", history: a + "1000 observer stall 160 1000 c1\n1001 observer lost k client=c1 hold=a" + end, want: Invalid},
		{name: "frozen", history: a + "90 nemesis freeze begin 1 c1\n900 nemesis freeze end 1 c1" + end, want: NotJudged, reason: "1 of frozen"},
		{name: "frozen in the margin", history: a + "140 nemesis freeze begin 1 c1\n900 nemesis freeze end 1 c1" + end, want: NotJudged},
		{name: "frozen in the margin that a stall prolongs", history: a + "155 observer stall 140 155 c1\n160 nemesis freeze begin 1 c1\n900 nemesis freeze end 1 c1" + end, want: NotJudged},
		{name: "frozen only later", history: a + "160 nemesis freeze begin 1 c1\n900 nemesis freeze end 1 c1" + end, want: Invalid},
		{name: "thawed before", history: a + "20 nemesis freeze begin 1 c1\n90 nemesis freeze end 1 c1" + end, want: Invalid},
		{name: "another client frozen", history: a + "90 nemesis freeze begin 1 c2\n900 nemesis freeze end 1 c2" + end, want: Invalid},
		{name: "crashed", history: a + "90 nemesis crash begin 1 c1" + end, want: NotJudged},
		{name: "another client crashed", history: a + "90 nemesis crash begin 1 c2" + end, want: Invalid},
		{name: "one judged and one excused", history: a + "90 nemesis crash begin 1 c2\n150 observer lost k client=c1 hold=a\n200 2 invoke acquire k\n201 2 ok acquire k hold=b until=210" + end, want: Valid, reason: "1 claim"},
	})
}

// TestUnconfirmedFreeze: a freeze that may have happened excuses its client as
// long as it went on; without an end it would do so for ever, and does not.
func TestUnconfirmedFreeze(t *testing.T) {
	const a = "0 1 invoke acquire k\n10 1 ok acquire k hold=a until=100\n90 nemesis freeze begin 1 c1\n"
	for history, want := range map[string]Outcome{
		a + "900 nemesis freeze end 1 c1": NotJudged,
		a + "900 9 invoke acquire z":      Invalid,
	} {
		events := parse(t, history)
		events[2].Value.Fault.Confirmed = false
		v, err := Judge(events, testParams)
		if err != nil {
			t.Fatal(err)
		}
		if p := v.Property(TimelyLoss); p.Outcome != want {
			t.Errorf("%s: %s, want %s", p.Reason, p.Outcome, want)
		}
	}
}

func TestTokenOrder(t *testing.T) {
	const a = `
		0 1 invoke acquire k
		1 1 ok acquire k hold=a token=7
	`
	runPropertyTests(t, TokenOrder, 0, []propertyTest{
		{name: "no tokens", history: "0 1 invoke acquire k\n1 1 ok acquire k hold=a", want: NotJudged},
		{name: "rising", history: a + "2 2 invoke acquire k\n3 2 ok acquire k hold=b token=8", want: Valid},
		{name: "falling", history: a + "2 2 invoke acquire k\n3 2 ok acquire k hold=b token=6", want: Invalid, indices: []int{1, 2, 3}},
		{name: "falling on another key", history: a + "2 2 invoke acquire j\n3 2 ok acquire j hold=b token=6", want: Valid},
		{name: "the same", history: a + "2 2 invoke acquire k\n3 2 ok acquire k hold=b token=7", want: Invalid, indices: []int{0, 1, 2, 3}},
		{name: "the same on another key", history: a + "2 2 invoke acquire j\n3 2 ok acquire j hold=b token=7", want: Valid},
		{name: "falling while concurrent", history: "0 2 invoke acquire k\n" + strings.TrimSpace(a) + "\n3 2 ok acquire k hold=b token=6", want: Valid},
		{name: "the same while concurrent", history: "0 2 invoke acquire k\n" + strings.TrimSpace(a) + "\n3 2 ok acquire k hold=b token=7", want: Invalid},
		{name: "below one of two that returned", history: a + "2 2 invoke acquire k\n2 3 invoke acquire k\n3 2 ok acquire k hold=b token=9\n4 3 ok acquire k hold=c token=8", want: Valid},
		{name: "below the highest, not the last", history: "0 3 invoke acquire k\n0 1 invoke acquire k\n1 1 ok acquire k hold=a token=7\n2 3 ok acquire k hold=b token=5\n3 2 invoke acquire k\n4 2 ok acquire k hold=c token=6", want: Invalid, indices: []int{2, 4, 5}},
		{name: "none among rising", history: a + "2 2 invoke acquire k\n3 2 ok acquire k hold=b\n4 2 invoke acquire k\n5 2 ok acquire k hold=c token=8", want: Valid},
		{name: "failed acquire's token", history: a + "2 2 invoke acquire k\n3 2 fail acquire k token=6", want: Valid},
	})
}

func TestStaleTokens(t *testing.T) {
	const a = `
		0 1 invoke stamp k resource=fenced token=7
		1 1 ok stamp k resource=fenced token=7
	`
	tests := []propertyTest{
		{name: "nothing", history: `0 1 invoke acquire k`, want: NotJudged},
		{name: "rising", history: a + "2 2 invoke stamp k resource=fenced token=8\n3 2 ok stamp k resource=fenced token=8", want: Valid},
		{name: "the same", history: a + "2 2 invoke stamp k resource=fenced token=7\n3 2 ok stamp k resource=fenced token=7", want: Valid},
		{name: "falling", history: a + "2 2 invoke stamp k resource=fenced token=6\n3 2 ok stamp k resource=fenced token=6", want: Invalid, indices: []int{0, 1, 2, 3}},
		{name: "falling read", history: a + "2 2 invoke read k resource=fenced token=6\n3 2 ok read k resource=fenced token=6 n=0", want: Invalid},
		{name: "falling write", history: a + "2 2 invoke write k resource=fenced token=6 n=1\n3 2 ok write k resource=fenced token=6 n=1", want: Invalid},
		{name: "falling and refused", history: a + "2 2 invoke write k resource=fenced token=6 n=1\n3 2 ok write k resource=fenced token=6 n=1 refused", want: Valid},
		{name: "falling and unknown", history: a + "2 2 invoke write k resource=fenced token=6 n=1\n3 2 info write k resource=fenced token=6 n=1", want: Valid},
		{name: "falling on the unfenced", history: a + "2 2 invoke stamp k resource=unfenced token=6\n3 2 ok stamp k resource=unfenced token=6", want: Valid},
		{name: "falling on another key's", history: a + "2 2 invoke stamp j resource=fenced token=6\n3 2 ok stamp j resource=fenced token=6", want: Valid},
		{name: "falling while concurrent", history: "0 2 invoke stamp k resource=fenced token=6\n" + strings.TrimSpace(a) + "\n3 2 ok stamp k resource=fenced token=6", want: Valid},
		{name: "below a refused one", history: strings.Replace(a, "ok stamp k resource=fenced token=7", "ok stamp k resource=fenced token=7 refused", 1) +
			"2 2 invoke stamp k resource=fenced token=6\n3 2 ok stamp k resource=fenced token=6", want: Valid},
	}
	runPropertyTests(t, FencedResource, 0, tests)
}

func TestLostWrites(t *testing.T) {
	const w1 = `
		0 1 invoke write k resource=fenced token=1 n=1
		1 1 ok write k resource=fenced token=1 n=1
	`
	write := func(at, process, n, end string) string {
		return strings.NewReplacer("AT", at, "P", process, "N", n, "END", end).
			Replace("AT P invoke write k resource=fenced token=1 n=N\nAT P END write k resource=fenced token=1 n=N\n")
	}
	read := func(at, n string) string {
		return strings.NewReplacer("AT", at, "N", n).
			Replace("AT 8 invoke read k resource=fenced token=1\nAT 8 ok read k resource=fenced token=1 n=N\n")
	}
	tests := []propertyTest{
		{name: "nothing", history: `0 1 invoke acquire k`, want: NotJudged},
		{name: "one after another", history: w1 + write("2", "2", "2", "ok") + read("3", "2"), want: Valid, reason: "2 accepted writes"},
		{name: "one number twice", history: w1 + write("2", "2", "1", "ok"), want: Invalid, indices: []int{0, 1, 2, 3}},
		{name: "one number twice on two keys", history: w1 + strings.ReplaceAll(write("2", "2", "1", "ok"), " k ", " j "), want: Valid},
		{name: "one number twice, once refused", history: w1 + strings.ReplaceAll(write("2", "2", "1", "ok"), "n=1\n", "n=1 refused\n"), want: Valid, reason: "1 accepted write"},
		{name: "one number twice, once unknown", history: w1 + write("2", "2", "1", "info"), want: Valid},
		{name: "a number missing", history: w1 + write("2", "2", "3", "ok"), want: Invalid, indices: []int{2, 3}},
		{name: "a number missing that an unknown write explains", history: w1 + write("2", "3", "2", "info") + write("3", "2", "3", "ok"), want: Valid},
		{name: "a number missing that a failed write cannot explain", history: w1 + write("2", "3", "2", "fail") + write("3", "2", "3", "ok"), want: Invalid},
		{name: "a number missing that an unknown write of another does not explain", history: w1 + write("2", "3", "7", "info") + write("3", "2", "3", "ok"), want: Invalid},
		{name: "read above all writes", history: w1 + read("2", "2"), want: Invalid},
		{name: "read above all writes, explained", history: w1 + write("2", "3", "2", "info") + read("3", "2"), want: Valid},
		{name: "read below a write", history: w1 + write("2", "2", "2", "ok") + read("3", "1"), want: Invalid, indices: []int{2, 3, 4, 5}},
		{name: "read of an unknown write that fell behind", history: w1 + write("2", "3", "1", "info") + write("2", "2", "2", "ok") + read("3", "1"), want: Valid},
		{name: "read below a write, too early for the unknown one", history: w1 + write("2", "2", "2", "ok") + read("3", "1") + write("4", "3", "1", "info"), want: Invalid},
		{name: "read concurrent with a write", history: "0 8 invoke read k resource=fenced token=1\n" + strings.TrimSpace(w1) + "\n2 8 ok read k resource=fenced token=1 n=0", want: Valid},
		{name: "write of zero", history: write("0", "1", "0", "ok"), want: Invalid},
		{name: "number on the invocation only", history: "0 1 invoke write k resource=fenced n=1\n1 1 ok write k\n2 1 invoke write k resource=fenced n=1\n3 1 ok write k", want: Invalid},
	}
	runPropertyTests(t, FencedResource, 1, tests)
	for i := range tests {
		tests[i].history = strings.ReplaceAll(tests[i].history, "resource=fenced", "resource=unfenced")
	}
	runPropertyTests(t, UnfencedResource, 0, tests)
}

func TestWaiters(t *testing.T) {
	// The bound is 2·2 s·1.16 + 2·(0.1 s + 1 s) = 6.84 s after the heal at 1 s.
	const healed = `
		0 nemesis kill begin 1
		1000 nemesis kill end 1
	`
	noHold := testParams
	noHold.Hold = 0
	then := testParams
	then.Healed = 1000 * ms
	later := testParams
	later.Healed = 3000 * ms
	runPropertyTests(t, Liveness, 0, []propertyTest{
		{name: "hold time not known", history: healed + "2000 1 invoke acquire k\n2001 1 ok acquire k hold=a", want: NotJudged, params: &noHold},
		{name: "nobody waits", history: healed, want: NotJudged},
		{name: "acquired at once", history: healed + "2000 1 invoke acquire k\n2001 1 ok acquire k hold=a", want: Valid},
		{name: "acquired just in time", history: healed + "2000 1 invoke acquire k\n8840 1 ok acquire k hold=a", want: Valid},
		{name: "acquired too late", history: healed + "2000 1 invoke acquire k\n8840.1 1 ok acquire k hold=a", want: Invalid, indices: []int{2, 3}},
		{name: "waiting since before the heal", history: "0 1 invoke acquire k\n" + strings.TrimSpace(healed) + "\n7840 1 ok acquire k hold=a", want: Valid},
		{name: "waiting since before the heal, too late", history: "0 1 invoke acquire k\n" + strings.TrimSpace(healed) + "\n7840.1 1 ok acquire k hold=a", want: Invalid},
		{name: "healed later than the last line of the nemesis", history: "0 1 invoke acquire k\n" + strings.TrimSpace(healed) + "\n9840 1 ok acquire k hold=a", want: Valid, params: &later},
		{name: "waits for ever", history: healed + "2000 1 invoke acquire k\n9000 2 invoke acquire j", want: Invalid, indices: []int{2}},
		{name: "history ends too soon", history: healed + "2000 1 invoke acquire k\n5000 2 invoke acquire j", want: NotJudged, reason: "less than the bound"},
		{name: "gave up early", history: healed + "2000 1 invoke acquire k\n5000 1 fail acquire k\n9000 2 invoke acquire j", want: NotJudged, reason: "gave up"},
		{name: "gave up again and again", history: healed + `
			2000 1 invoke acquire k
			5000 1 fail acquire k
			5000 1 invoke acquire k
			9000 1 fail acquire k`, want: Invalid, indices: []int{2, 3, 4, 5}},
		{name: "the pause between two tries is no wait", history: healed + `
			2000 1 invoke acquire k
			5000 1 fail acquire k
			9000 1 invoke acquire k
			9001 1 ok acquire k hold=a`, want: Valid},
		{name: "two tries with a success between", history: healed + `
			2000 1 invoke acquire k
			6000 1 ok acquire k hold=a
			6000 1 invoke acquire k
			9000 1 ok acquire k hold=b`, want: Valid},
		{name: "two threads' waits count once", history: healed + `
			2000 1 invoke acquire k client=c
			2000 2 invoke acquire k client=c
			6000 1 fail acquire k client=c
			6000 2 ok acquire k hold=a client=c`, want: Valid},
		{name: "waits of two keys are two", history: healed + `
			2000 1 invoke acquire k
			6000 1 fail acquire k
			6000 1 invoke acquire j
			9000 1 ok acquire j hold=a`, want: Valid},
		{name: "died waiting", history: healed + "2000 1 invoke acquire k\n3000 nemesis crash begin 2 c1\n9000 2 invoke acquire j", want: NotJudged, params: &then},
		{name: "another died", history: healed + "2000 1 invoke acquire k\n3000 nemesis crash begin 2 c2\n9000 2 invoke acquire j", want: Invalid, params: &then},
		{name: "its process ended waiting", history: healed + "2000 1 invoke acquire k\n8999 1 info acquire k\n9000 2 invoke acquire j", want: NotJudged},
		{name: "over before the heal", history: "0 1 invoke acquire k\n900 1 ok acquire k hold=a\n" + strings.Replace(healed, "0 nemesis", "900 nemesis", 1), want: NotJudged},
	})
}

func TestDeadHolders(t *testing.T) {
	// The bound is 2 s·1.16 + 2·50 ms + 1 s = 3.42 s after death and heal.
	const a = `
		0 1 invoke acquire k
		1 1 ok acquire k hold=a id=x until=1500
		1000 nemesis crash begin 1 c1
	`
	noTTL := testParams
	noTTL.TTL = 0
	runPropertyTests(t, Liveness, 1, []propertyTest{
		{name: "ttl not known", history: a, want: NotJudged, params: &noTTL},
		{name: "nobody died", history: "0 1 invoke acquire k\n1 1 ok acquire k hold=a id=x\n9000 observer keys 9000 9000 n1:k=x n2:k=x n3:k=x", want: NotJudged},
		{name: "free in time", history: a + `4420 observer keys 4420 4420 n1: n2: n3:`, want: Valid},
		{name: "still there", history: a + `4420 observer keys 4420 4420 n1:k=x n2:k=x n3:`, want: Invalid, indices: []int{0, 1, 2, 3}},
		{name: "still there a little before", history: a + `4419 observer keys 4419 4419 n1:k=x n2:k=x n3:`, want: NotJudged},
		{name: "a minority does not block", history: a + `4420 observer keys 4420 4420 n1:k=x n2: n3:`, want: Valid},
		{name: "another's id", history: a + `4420 observer keys 4420 4420 n1:k=y n2:k=y n3:k=y`, want: Valid},
		{name: "acquired by another in time", history: a + "2000 2 invoke acquire k\n4000 2 ok acquire k hold=b", want: Valid},
		{name: "acquired by another too late and no samples", history: a + "2000 2 invoke acquire k\n4500 2 ok acquire k hold=b", want: NotJudged},
		{name: "healed later", history: a + "3000 nemesis kill begin 2\n4420 observer keys 4420 4420 n1:k=x n2:k=x n3:", want: NotJudged},
		{name: "healed later and still there", history: a + "3000 nemesis kill begin 2\n6420 observer keys 6420 6420 n1:k=x n2:k=x n3:", want: Invalid},
		{name: "released before it died", history: strings.Replace(a, "1000", "500 1 invoke release k hold=a\n1000", 1) + `4420 observer keys 4420 4420 n1:k=x n2:k=x n3:`, want: NotJudged},
		{name: "died before it acquired", history: "0 nemesis crash begin 1 c1\n0 nemesis crash end 1 c1\n" + strings.TrimSpace(strings.Replace(a, "1000 nemesis crash begin 1 c1", "", 1)) + "\n4420 observer keys 4420 4420 n1:k=x n2:k=x n3:k=x", want: NotJudged},
		{name: "another died", history: strings.Replace(a, "1 c1", "1 c2", 1) + `4420 observer keys 4420 4420 n1:k=x n2:k=x n3:`, want: NotJudged},
	})
}

func TestEternalKeys(t *testing.T) {
	silent := parse(t, `1 observer keys 0 1 n1:k=x`)
	silent[0].Value.Keys.Nodes["n1"] = NodeSample{Admitted: true, Keys: map[string]string{"k": "x"}}
	v, err := Judge(silent, Params{})
	if err != nil || v.Property(NoOrphans).Clauses[0].Outcome != NotJudged {
		t.Errorf("samples that do not say: %+v, %v", v, err)
	}
	runPropertyTests(t, NoOrphans, 0, []propertyTest{
		{name: "no samples", history: `0 1 invoke acquire k`, want: NotJudged},
		{name: "with ttl", history: `1 observer keys 0 1 n1:k=x n2:`, want: Valid},
		{name: "without ttl", history: `1 observer keys 0 1 n1:k=x n2:k=y,!k`, want: Invalid, indices: []int{0}},
	})
}

func TestLeftovers(t *testing.T) {
	// Two node deadlines are 100 ms; the heal is at 1 s.
	const a = `
		0 1 invoke acquire k
		1 1 ok acquire k hold=a id=x until=1500
		1000 nemesis kill begin 1
		1200 1 invoke release k hold=a
		1210 1 ok release k hold=a
	`
	const open = `
		0 1 invoke acquire k
		1 1 ok acquire k hold=a id=x until=1500
		1000 nemesis kill begin 1
	`
	short := testParams
	short.TTL = 1999 * time.Millisecond
	none := testParams
	none.NodeDeadline = 0
	runPropertyTests(t, NoOrphans, 1, []propertyTest{
		{name: "node deadline not known", history: a + `1310 observer keys 1310 1310 n1:k=x`, want: NotJudged, params: &none},
		{name: "ttl too short", history: a + `1310 observer keys 1310 1310 n1:k=x`, want: NotJudged, params: &short, reason: "below 20"},
		{name: "no sample after heal", history: a + `1310 observer keys 1099 1310 n1:k=x`, want: NotJudged},
		{name: "gone in time", history: a + `1310 observer keys 1310 1310 n1: n2:`, want: Valid},
		{name: "left on one node", history: a + `1310 observer keys 1310 1310 n1:k=x n2:`, want: Invalid, indices: []int{1, 4, 5}},
		{name: "not yet due", history: a + `1310 observer keys 1309 1310 n1:k=x n2:`, want: Valid},
		{name: "stalled, not yet due", history: a + "1310 observer stall 1220 1230 c1\n1320 observer keys 1319 1320 n1:k=x n2:", want: Valid},
		{name: "stalled, due", history: a + "1310 observer stall 1220 1230 c1\n1320 observer keys 1320 1320 n1:k=x n2:", want: Invalid},
		{name: "release still open", history: strings.Replace(a, "1210 1 ok release k hold=a", "", 1) + `1400 observer keys 1400 1400 n1:k=x`, want: Valid},
		{name: "release failed", history: strings.Replace(a, "1210 1 ok", "1210 1 fail", 1) + `1400 observer keys 1400 1400 n1:k=x`, want: Invalid},
		{name: "still held", history: open + `1400 observer keys 1400 1400 n1:k=x`, want: Valid},
		{name: "lost", history: open + "1200 observer lost k client=c1 hold=a\n1300 observer keys 1300 1300 n1:k=x", want: Invalid, indices: []int{1, 3, 4}},
		{name: "lost after its release returned", history: a + "1300 observer lost k client=c1 hold=a\n1310 observer keys 1310 1310 n1:k=x", want: Invalid, indices: []int{1, 4, 6}},
		{name: "lost while its release is open, which returns later", history: open + "1200 1 invoke release k hold=a\n1210 observer lost k client=c1 hold=a\n1300 1 ok release k\n1310 observer keys 1310 1310 n1:k=x", want: Invalid, indices: []int{1, 4, 6}},
		{name: "lost, not yet due", history: open + "1200 observer lost k client=c1 hold=a\n1300 observer keys 1299 1300 n1:k=x", want: Valid},
		{name: "over before the heal", history: "0 1 invoke acquire k\n1 1 ok acquire k hold=a id=x\n2 1 invoke release k hold=a\n3 1 ok release k\n1000 nemesis kill begin 1\n1100 observer keys 1100 1100 n1:k=x", want: Invalid},
		{name: "over before the heal, stalled after it", history: "0 1 invoke acquire k\n1 1 ok acquire k hold=a id=x\n2 1 invoke release k hold=a\n3 1 ok release k\n1000 nemesis kill begin 1\n1110 observer stall 1010 1030 c1\n1110 observer keys 1110 1110 n1:k=x", want: Valid},
		{name: "crashed client", history: a + "1220 nemesis crash begin 2 c1\n1400 observer keys 1400 1400 n1:k=x", want: Valid,
			params: &Params{TTL: testParams.TTL, NodeDeadline: testParams.NodeDeadline, Healed: 1000 * ms}},
		{name: "stranger while nobody tries", history: a + `1400 observer keys 1310 1400 n1:k=z`, want: Invalid, indices: []int{5}},
		{name: "stranger at a key that nobody ever tried", history: a + `1400 observer keys 1310 1400 n1:j=z`, want: Invalid},
		{name: "stranger while somebody tries", history: a + "1350 2 invoke acquire k\n1400 observer keys 1310 1400 n1:k=z", want: Valid},
		{name: "stranger just after somebody tried", history: a + "1300 2 invoke acquire k\n1310 2 fail acquire k\n1500 observer keys 1410 1500 n1:k=z", want: Valid},
		{name: "stranger later", history: a + "1300 2 invoke acquire k\n1310 2 fail acquire k\n1500 observer keys 1410.1 1500 n1:k=z", want: Invalid},
		{name: "stranger of an attempt before the heal", history: "900 2 invoke acquire k\n910 2 fail acquire k\n1000 nemesis kill begin 1\n1100 observer keys 1100 1100 n1:k=z", want: Valid},
		{name: "stranger that a dead client may have left", history: "900 2 invoke acquire k\n950 nemesis crash begin 2 c2\n1000 2 info acquire k\n4419 observer keys 4419 4419 n1:k=z", want: Valid,
			params: &Params{TTL: testParams.TTL, NodeDeadline: testParams.NodeDeadline, Drift: 0.16, Healed: 1000 * ms}},
		{name: "stranger of a process that ended", history: "900 2 invoke acquire k\n1000 2 info acquire k\n4419 observer keys 4419 4419 n1:k=z", want: Valid,
			params: &Params{TTL: testParams.TTL, NodeDeadline: testParams.NodeDeadline, Drift: 0.16, Healed: 1000 * ms}},
		{name: "stranger of a client that died after it gave up", history: "900 2 invoke acquire k\n910 2 fail acquire k\n950 nemesis crash begin 2 c2\n4419 observer keys 4419 4419 n1:k=z", want: Valid,
			params: &Params{TTL: testParams.TTL, NodeDeadline: testParams.NodeDeadline, Drift: 0.16, Healed: 1000 * ms}},
		{name: "stranger that a dead client cannot have left", history: "900 2 invoke acquire k\n950 nemesis crash begin 2 c2\n1000 2 info acquire k\n4420 observer keys 4420 4420 n1:k=z", want: Invalid,
			params: &Params{TTL: testParams.TTL, NodeDeadline: testParams.NodeDeadline, Drift: 0.16, Healed: 1000 * ms}},
	})
}

func TestOverrun(t *testing.T) {
	const a = `
		0 1 invoke acquire k
		10 1 ok acquire k hold=a token=5 until=100
	`
	runPropertyTests(t, Overrun, 0, []propertyTest{
		{name: "nothing", history: a, want: NotJudged},
		{name: "inside", history: a + `99 1 invoke write k token=5 n=1 resource=fenced`, want: Valid},
		{name: "at the deadline", history: a + `100 1 invoke write k token=5 n=1 resource=fenced`, want: Invalid, indices: []int{0, 1, 2}},
		{name: "at the deadline, by name", history: a + `100 1 invoke read k hold=a resource=unfenced`, want: Invalid},
		{name: "another's token", history: a + `100 2 invoke write k token=5 n=1 resource=fenced`, want: NotJudged},
		{name: "after release", history: a + "20 1 invoke release k hold=a\n21 1 ok release k\n22 1 invoke write k token=5 n=1 resource=fenced", want: Invalid, indices: []int{0, 1, 2, 4}},
		{name: "after loss", history: a + "20 observer lost k client=c1 hold=a\n22 1 invoke stamp k token=5 resource=fenced", want: Invalid},
		{name: "begun inside and returned after", history: a + "99 1 invoke write k token=5 n=1 resource=fenced\n120 1 ok write k token=5 n=1 resource=fenced", want: Valid},
	})
}

func TestJudgeRefuses(t *testing.T) {
	events := parse(t, "0 1 invoke acquire k\n1 1 ok acquire k hold=a")
	events[1].Index = 5
	var bad *HistoryError
	if _, err := Judge(events, Params{}); !errors.As(err, &bad) {
		t.Errorf("a history out of sequence: %v", err)
	}
	for field, p := range map[string]Params{
		"TTL": {TTL: -1}, "MaxTTL": {MaxTTL: 2000 * time.Hour}, "NodeDeadline": {NodeDeadline: -1}, "Hold": {Hold: -1},
		"Quorum": {Quorum: -1}, "Drift": {Drift: 1}, "Clients": {Clients: -1}, "Healed": {Healed: -1}, "Broken": {Broken: []Assumption{"C5"}},
	} {
		var bad *ParamsError
		if _, err := Judge(nil, p); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("params with a bad %s: %v", field, err)
		}
	}
}
