package scenario

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
)

func simulated(t *testing.T, o SimOptions) *Plan {
	t.Helper()
	p, err := NewSimulated(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Equal options give equal plans; a plan survives being written and read; and
// what is planned inside the assumptions is inside.
func TestNewSimulated(t *testing.T) {
	kinds := map[Kind]int{}
	for seed := range uint64(300) {
		o := SimOptions{Seed: seed, Outside: seed%3 == 0}
		p, q := simulated(t, o), simulated(t, o)
		text, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := q.JSON(); !bytes.Equal(text, again) {
			t.Fatalf("seed %d gives two plans", seed)
		}
		read, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := read.JSON(); !bytes.Equal(text, again) {
			t.Fatalf("seed %d: the plan is another when it was read", seed)
		}
		if !slices.Contains([]int{3, 5, 7}, len(p.Nodes)) {
			t.Errorf("seed %d has %d nodes", seed, len(p.Nodes))
		}
		limit := p.RateLimit()
		for _, s := range p.Simulation.Servers {
			if s.Rate > limit || s.Rate < -limit {
				t.Errorf("seed %d: a clock runs at %d ppm, more than %d", seed, s.Rate, limit)
			}
		}
		foreign := slices.ContainsFunc(p.Workers, func(w Worker) bool { return w.Foreign })
		for _, f := range p.Faults {
			kinds[f.Kind]++
			if !o.Outside && (f.Kind == ClockJump || f.Kind == ClockRate || f.Kind == Rollback || f.Force) {
				t.Errorf("seed %d: %+v is outside the assumptions", seed, f)
			}
			if foreign && f.Kind.LosesVote() {
				t.Errorf("seed %d: %+v beside a foreign client", seed, f)
			}
			if f.End() > p.Duration {
				t.Errorf("seed %d: %+v ends after the faulted part", seed, f)
			}
		}
		if err := p.Live(); err == nil {
			t.Errorf("seed %d: a live run takes it", seed)
		}
	}
	for _, k := range SimulatedKinds() {
		if kinds[k] == 0 && k != Rollback {
			t.Errorf("no plan has a %s", k)
		}
	}
	// (1+l)/(1−l) is what two clocks differ by at most.
	p := simulated(t, SimOptions{Drift: 0.16})
	if l := float64(p.RateLimit()) / 1e6; (1+l)/(1-l) > 1.16 || (1+l)/(1-l) < 1.1599 {
		t.Errorf("the limit is %v", l)
	}
}

func TestHints(t *testing.T) {
	for hint, want := range map[Hint][2]bool{HintOn: {true, false}, HintOff: {false, true}, HintMixed: {true, true}} {
		with, without := false, false
		for _, k := range simulated(t, SimOptions{Seed: 7, Keys: 4, Hint: hint}).Keys {
			with, without = with || !k.NoHint, without || k.NoHint
		}
		if with != want[0] || without != want[1] {
			t.Errorf("%s: some with a hint: %v, some without: %v", hint, with, without)
		}
	}
}

func TestSimOptionsAreChecked(t *testing.T) {
	for field, o := range map[string]SimOptions{
		"nodes": {Nodes: 16}, "clients": {Clients: 65}, "keys": {Keys: -1}, "hint": {Hint: "perhaps"},
		"duration": {Duration: -1}, "node deadline": {NodeDeadline: time.Minute}, "ttl": {TTL: time.Millisecond},
		"drift": {Drift: 0.9}, "story": {Story: "none"}, "faults": {Faults: []Kind{"rain"}},
	} {
		var bad *OptionError
		if _, err := NewSimulated(o); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// Operations that are written out are those that would be drawn.
func TestExpand(t *testing.T) {
	p := simulated(t, SimOptions{Seed: 3})
	q, err := p.Expand(50)
	if err != nil {
		t.Fatal(err)
	}
	if p.Workers[0].Ops != nil {
		t.Error("the plan itself was changed")
	}
	manners := map[Manner]int{}
	for i := range p.Workers {
		drawn, listed := p.Turns(i), q.Turns(i)
		for range 50 {
			a, _ := drawn.Next()
			b, ok := listed.Next()
			if !ok || a != b {
				t.Fatalf("worker %d: drawn %+v, listed %+v", i, a, b)
			}
			if a.Careless && !a.NoRenew {
				t.Errorf("%+v would never end", a)
			}
			manners[a.Do]++
		}
		if op, ok := listed.Next(); ok {
			t.Errorf("worker %d goes on with %+v", i, op)
		}
	}
	if len(manners) != 3 {
		t.Errorf("drawn were %v", manners)
	}
	empty, err := p.Expand(0)
	if err != nil || empty.Workers[0].Ops == nil {
		t.Errorf("no operations are %v, %v: they would be drawn", empty.Workers[0].Ops, err)
	}
	text, err := empty.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := Parse(text); err != nil || read.Workers[0].Ops == nil {
		t.Errorf("no operations are %v when they were read, %v", read.Workers[0].Ops, err)
	}
	if _, err := p.Expand(-1); err == nil {
		t.Error("less than no operations were written out")
	}
}

// A clone shares nothing that could be changed.
func TestClone(t *testing.T) {
	p := simulated(t, SimOptions{Seed: 5, Story: "amnesia"})
	p.Faults = append(p.Faults, Fault{ID: 1, Kind: Kill, Nodes: []string{"n1"}, Clients: []string{"c1"}})
	p.Workers[0].Ops = []Op{{Key: "lock-1"}}
	q := p.Clone()
	if !reflect.DeepEqual(p, q) {
		t.Fatal("a clone differs")
	}
	var shared func(path string, a, b reflect.Value)
	shared = func(path string, a, b reflect.Value) {
		switch a.Kind() {
		case reflect.Slice:
			if a.Len() > 0 && a.Pointer() == b.Pointer() {
				t.Errorf("%s is shared", path)
			}
			for i := range a.Len() {
				shared(path+"[]", a.Index(i), b.Index(i))
			}
		case reflect.Struct:
			for i := range a.NumField() {
				shared(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
			}
		case reflect.Pointer:
			if !a.IsNil() {
				if a.Pointer() == b.Pointer() {
					t.Errorf("%s is shared", path)
				}
				shared(path, a.Elem(), b.Elem())
			}
		}
	}
	shared("plan", reflect.ValueOf(p).Elem(), reflect.ValueOf(q).Elem())
}

// Live plans are possible, and live; each thing that can be wrong is named.
func TestValidate(t *testing.T) {
	live, err := New(Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(live.Validate(), live.Live()); err != nil {
		t.Error(err)
	}
	for field, spoil := range map[string]func(p *Plan){
		"nodes[1]":                     func(p *Plan) { p.Nodes[1] = p.Nodes[0] },
		"clients[0]":                   func(p *Plan) { p.Clients[0] = "" },
		"keys":                         func(p *Plan) { p.Keys = nil },
		"duration":                     func(p *Plan) { p.Duration = -1 },
		"drift":                        func(p *Plan) { p.Drift = 1 },
		"poll":                         func(p *Plan) { p.Poll = 0 },
		"workers[0].holds[0]":          func(p *Plan) { p.Workers[0].Holds[0].Min = 1e15 },
		"workers[0].cancel":            func(p *Plan) { p.Workers[0].Cancel = 2 },
		"workers[0].ops[0].do":         func(p *Plan) { p.Workers[0].Ops = []Op{{Key: "lock-1", Do: "grab"}} },
		"faults[1].id":                 func(p *Plan) { p.Faults[1].ID = p.Faults[0].ID },
		"faults[0].for":                func(p *Plan) { p.Faults[0].For = -1 },
		"faults[0].nodes":              func(p *Plan) { p.Faults[0] = Fault{ID: 1, Kind: Kill} },
		"faults[0].clients":            func(p *Plan) { p.Faults[0] = Fault{ID: 1, Kind: FreezeClient} },
		"faults[0].clients[0]":         func(p *Plan) { p.Faults[0] = Fault{ID: 1, Kind: FreezeClient, Clients: []string{"x"}} },
		"faults[0].direction":          func(p *Plan) { p.Faults[0].Direction = "up" },
		"faults[0].rate":               func(p *Plan) { p.Faults[0] = Fault{ID: 1, Kind: Slew, Nodes: []string{"n1"}, Rate: 90_000} },
		"stories[0].steps[0].do":       func(p *Plan) { p.Stories[0].Steps[0].Do = "sing" },
		"stories[0].steps[0].kind":     func(p *Plan) { p.Stories[0].Steps[0].Kind = "rain" },
		"stories[0].steps[3].client":   func(p *Plan) { p.Stories[0].Steps[3].Client = "nobody" },
		"stories[0].steps[3].fate":     func(p *Plan) { p.Stories[0].Steps[3].Do = DoMessage },
		"stories[0].tries":             func(p *Plan) { p.Stories[0].Tries = 0 },
		"simulation.servers":           func(p *Plan) { p.Simulation = &Simulation{Servers: make([]Server, 20)} },
		"simulation.sample":            func(p *Plan) { p.Simulation = &Simulation{} },
		"simulation.clients[0].client": func(p *Plan) { p.Simulation = &Simulation{Clients: []Clock{{Client: "x"}}} },
	} {
		p := live.Clone()
		spoil(p)
		var bad *OptionError
		if err := p.Validate(); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for field, spoil := range map[string]func(p *Plan){
		"simulation":               func(p *Plan) { p.Simulation = calm(p) },
		"workers[1].foreign":       func(p *Plan) { p.Workers[1].Foreign = true },
		"faults[0].kind":           func(p *Plan) { p.Faults[0].Kind = Demote },
		"stories[0].steps[0].kind": func(p *Plan) { p.Stories[0].Steps[0].Kind = ClockJump },
		"stories[0].steps[0].do":   func(p *Plan) { p.Stories[0].Steps[0].Do = DoMessage },
	} {
		p := live.Clone()
		spoil(p)
		var bad *OptionError
		if err := p.Live(); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
