package linearizability

import (
	"math/rand/v2"
	"testing"
)

// checkEnds: what the models are told of claims is what Holds says.
func checkEnds(t *testing.T, events []Event) {
	t.Helper()
	if err := Validate(events); err != nil {
		t.Fatal(err)
	}
	r := newRecorder()
	for i := range events {
		r.add(&events[i])
	}
	r.finish()
	holds := Holds(events)
	n := 0
	for i := range r.ops {
		op := &r.ops[i]
		if op.do == take && op.outcome == 'o' {
			n++
		}
	}
	if n != len(holds) {
		t.Errorf("%d holds, want %d\n%s", n, len(holds), show(events))
	}
	for _, h := range holds {
		op := &r.ops[r.holds[r.hold(h.Hold)].acquire]
		if int(op.invoke) != h.Invoke || int(op.ret) != h.Start || int(op.end) != h.End || op.token != h.Token {
			t.Errorf("hold %s: invoked %d, returned %d, ended %d, token %v, want %+v\n%s",
				h.Hold, op.invoke, op.ret, op.end, op.token, h, show(events))
		}
	}
}

func TestRecorderAgainstHolds(t *testing.T) {
	seeds(t, 3000, func(r *rand.Rand, seed uint64) {
		checkEnds(t, randomHistory(r, 4+r.IntN(60)))
	})
	for _, text := range []string{
		// named on the return alone
		`0 0 invoke acquire k
		 1 0 ok acquire k hold=a
		 2 1 invoke release k
		 3 0 invoke release k hold=a
		 4 1 ok release k hold=a`,
		// released and lost before everything
		`0 1 invoke release k hold=a
		 1 0 invoke acquire k
		 2 0 ok acquire k hold=a
		 3 0 invoke release k hold=a`,
		`0 observer lost k client=c0 hold=a
		 1 0 invoke acquire k
		 2 0 ok acquire k hold=a
		 3 observer lost k client=c0 hold=a`,
		// other observations
		`0 observer stall 0 0
		 1 0 invoke acquire k
		 2 0 ok acquire k hold=a
		 3 observer keys 2 3 n1:k=a
		 4 observer lost k client=c0 hold=a`,
	} {
		checkEnds(t, parse(t, text))
	}
}
