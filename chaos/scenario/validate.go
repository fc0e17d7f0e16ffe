package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxNodes is how many nodes the protocol allows.
const maxNodes = 15

// validator collects the first thing that is wrong.
type validator struct {
	p   *Plan
	err error
}

func (v *validator) bad(field string, value any, reason string) {
	if v.err == nil {
		text := fmt.Sprint(value)
		if s, ok := value.(string); ok {
			text = fmt.Sprintf("%q", s)
		}
		v.err = &OptionError{Field: field, Value: text, Reason: reason}
	}
}

// Validate returns an *OptionError for the first thing in the plan that no run,
// simulated or live, can do: a node that does not exist, a negative time, an
// unknown kind. Plans that New and NewSimulated made are right; those that were
// read from a file, or changed by hand, may not be.
func (p *Plan) Validate() error {
	v := &validator{p: p}
	v.cluster()
	for i := range p.Workers {
		v.worker(fmt.Sprintf("workers[%d]", i), &p.Workers[i])
	}
	seen := map[int]bool{}
	for i := range p.Faults {
		f, field := &p.Faults[i], fmt.Sprintf("faults[%d]", i)
		if f.ID < 1 || seen[f.ID] {
			v.bad(field+".id", f.ID, "must be positive and used once")
		}
		seen[f.ID] = true
		v.fault(field, f, append(slices.Clone(p.Clients), p.StoryClients()...))
	}
	for i := range p.Stories {
		v.story(fmt.Sprintf("stories[%d]", i), &p.Stories[i])
	}
	if p.Simulation != nil {
		v.simulation(p.Simulation)
	}
	return v.err
}

func (v *validator) cluster() {
	p := v.p
	if p.Version != Version {
		v.bad("version", p.Version, fmt.Sprintf("only version %d is known", Version))
	}
	if n := len(p.Nodes); n < 1 || n > maxNodes {
		v.bad("nodes", n, fmt.Sprintf("there must be 1 to %d", maxNodes))
	}
	v.names("nodes", p.Nodes)
	v.names("clients", p.Clients)
	if len(p.Clients) > 64 {
		v.bad("clients", len(p.Clients), "there may be 64 at most")
	}
	var keys []string
	for _, k := range p.Keys {
		keys = append(keys, k.Name)
	}
	v.names("keys", keys)
	if len(p.Workers) > 0 && len(keys) == 0 {
		v.bad("keys", len(keys), "workers need a key")
	}
	v.span("duration", p.Duration, 0, 24*time.Hour)
	v.span("tail", p.Tail, 0, 24*time.Hour)
	v.span("poll", p.Poll, time.Millisecond, time.Minute)
	v.span("fence_retention", p.Retention, 0, 1000*time.Hour)
	v.span("node_deadline", p.NodeDeadline, time.Millisecond, time.Minute)
	v.span("ttl", p.TTL, 10*p.NodeDeadline.D(), 24*time.Hour)
	if p.TTL.D()%time.Millisecond != 0 {
		v.bad("ttl", p.TTL, "must be whole milliseconds")
	}
	if !(p.Drift >= 0 && p.Drift < 1) {
		v.bad("drift", p.Drift, "must be in [0,1)")
	}
}

func (v *validator) span(field string, d Duration, low, high time.Duration) {
	if d.D() < low || d.D() > high {
		v.bad(field, d, fmt.Sprintf("must be %v to %v", low, high))
	}
}

// names checks that names can be told apart and written down.
func (v *validator) names(field string, names []string) {
	for i, n := range names {
		switch {
		case n == "" || len(n) > 64 || strings.ContainsAny(n, "\n\x00"):
			v.bad(fmt.Sprintf("%s[%d]", field, i), n, "must be 1 to 64 bytes of text")
		case slices.Contains(names[:i], n):
			v.bad(fmt.Sprintf("%s[%d]", field, i), n, "is listed twice")
		}
	}
}

func (v *validator) among(field, name, what string, names []string) {
	if !slices.Contains(names, name) {
		v.bad(field, name, "there is no such "+what)
	}
}

func (v *validator) band(field string, b Band) {
	if b.Min < 0 || b.Max < b.Min || b.Max.D() > 24*time.Hour {
		v.bad(field, fmt.Sprintf("%v to %v", b.Min, b.Max), "must go upwards from 0 or more to 24h at most")
	}
}

func (v *validator) chance(field string, x float64) {
	if !(x >= 0 && x <= 1) {
		v.bad(field, x, "must be a probability")
	}
}

func (v *validator) worker(field string, w *Worker) {
	v.among(field+".client", w.Client, "client", v.p.Clients)
	for i, b := range w.Holds {
		v.band(fmt.Sprintf("%s.holds[%d]", field, i), b)
		if b.Weight < 0 {
			v.bad(fmt.Sprintf("%s.holds[%d].weight", field, i), b.Weight, "must not be negative")
		}
	}
	v.band(field+".think", w.Think)
	v.band(field+".cancel_after", w.CancelAfter)
	v.span(field+".lock_timeout", w.LockTimeout, 0, 24*time.Hour)
	for _, c := range []struct {
		name string
		x    float64
	}{{"cancel", w.Cancel}, {"try", w.Try}, {"extend", w.Extend}, {"no_renew", w.NoRenew}, {"careless", w.Careless}} {
		v.chance(field+"."+c.name, c.x)
	}
	if len(w.Ops) > maxOps {
		v.bad(field+".ops", len(w.Ops), fmt.Sprintf("there may be %d at most", maxOps))
	}
	for i := range w.Ops {
		v.op(fmt.Sprintf("%s.ops[%d]", field, i), &w.Ops[i])
	}
}

func (v *validator) op(field string, o *Op) {
	if !slices.ContainsFunc(v.p.Keys, func(k Key) bool { return k.Name == o.Key }) {
		v.bad(field+".key", o.Key, "there is no such key")
	}
	switch o.Do {
	case Lock, Try, Cancel:
	default:
		v.bad(field+".do", string(o.Do), "must be lock, try or cancel")
	}
	v.span(field+".at", o.At, 0, 24*time.Hour)
	v.span(field+".within", o.Within, 0, 24*time.Hour)
	v.span(field+".hold", o.Hold, 0, 24*time.Hour)
	v.span(field+".rest", o.Rest, 0, 24*time.Hour)
	v.span(field+".late", o.Late, 0, 24*time.Hour)
}

// fault checks one fault; clients are those that it may strike.
func (v *validator) fault(field string, f *Fault, clients []string) {
	if !slices.Contains(SimulatedKinds(), f.Kind) && !f.Kind.Live() {
		v.bad(field+".kind", string(f.Kind), "there is no such kind of fault")
	}
	v.span(field+".at", f.At, 0, 24*time.Hour)
	v.span(field+".for", f.For, 0, 24*time.Hour)
	v.span(field+".latency", f.Latency, 0, time.Hour)
	v.span(field+".jitter", f.Jitter, 0, time.Hour)
	v.span(field+".by", f.By, -10000*time.Hour, 10000*time.Hour)
	for i, n := range f.Nodes {
		v.among(fmt.Sprintf("%s.nodes[%d]", field, i), n, "node", v.p.Nodes)
	}
	for i, c := range f.Clients {
		v.among(fmt.Sprintf("%s.clients[%d]", field, i), c, "client", clients)
	}
	switch f.Direction {
	case "", Both, Requests, Replies:
	default:
		v.bad(field+".direction", string(f.Direction), "must be both, requests or replies")
	}
	v.targets(field, f)
	switch limit := v.p.RateLimit(); {
	case f.Rate < -500_000 || f.Rate > 500_000:
		v.bad(field+".rate", f.Rate, "must be -500000 to 500000 ppm")
	case f.Kind == Slew && (f.Rate < -limit || f.Rate > limit):
		v.bad(field+".rate", f.Rate, fmt.Sprintf("a slew stays within what the drift allows, %d ppm; clock-rate does not", limit))
	}
}

// targets checks that a fault has something to strike.
func (v *validator) targets(field string, f *Fault) {
	nodes, clients := len(f.Nodes), len(f.Clients)
	switch {
	case f.Kind == SameServer && (nodes != 2 || f.Nodes[0] == f.Nodes[1]):
		v.bad(field+".nodes", f.Nodes, "needs two names: whose server it is, and which name leads there too")
	case f.Kind.OnLinks() && (nodes == 0 || clients == 0):
		v.bad(field+".nodes", f.Nodes, "a fault on links needs nodes and clients")
	case f.Kind.OnClients() && clients == 0:
		v.bad(field+".clients", f.Clients, "needs a client")
	case f.Kind == ClockJump && nodes == 0, f.Kind.OnClocks() && nodes+clients == 0:
		v.bad(field+".nodes", f.Nodes, "a fault on clocks needs someone's clock")
	case !f.Kind.OnLinks() && !f.Kind.OnClients() && !f.Kind.OnClocks() && nodes == 0:
		v.bad(field+".nodes", f.Nodes, "needs a node")
	}
}

func (v *validator) story(field string, s *Story) {
	v.names(field+".clients", s.Clients)
	if s.Key == "" {
		v.bad(field+".key", s.Key, "a story needs a key")
	}
	v.span(field+".at", s.At, 0, 24*time.Hour)
	if s.Tries < 1 || s.Tries > 100 {
		v.bad(field+".tries", s.Tries, "must be 1 to 100")
	}
	for i := range s.Steps {
		v.step(fmt.Sprintf("%s.steps[%d]", field, i), s, &s.Steps[i])
	}
}

func (v *validator) step(field string, story *Story, s *Step) {
	v.span(field+".within", s.Within, 0, 24*time.Hour)
	v.span(field+".for", s.For, 0, 24*time.Hour)
	if s.Client != "" {
		v.among(field+".client", s.Client, "client in this story", story.Clients)
	}
	switch s.Do {
	case DoFault:
		v.fault(field, &Fault{ID: 1, Kind: s.Kind, Nodes: s.Nodes, Clients: s.Clients, Direction: s.Direction,
			Latency: s.Latency, By: s.By, Rate: s.Rate}, append(slices.Clone(v.p.Clients), v.p.StoryClients()...))
	case DoLock, DoStart, DoRefuse, DoCrash, DoMessage:
		if s.Client == "" {
			v.bad(field+".client", s.Client, "needs a client")
		}
	case DoHeal, DoUnlock, DoWrite, DoEnd, DoPause, DoPath, DoAdmit, DoAwait, DoExtend, DoBootstrap:
	default:
		v.bad(field+".do", string(s.Do), "there is no such verb")
	}
	for i, n := range s.Nodes {
		v.among(fmt.Sprintf("%s.nodes[%d]", field, i), n, "node", v.p.Nodes)
	}
	if s.Do == DoMessage {
		switch s.Fate {
		case FateLose, FateLoseReply, FateLate, FateLateReply, FateTwice:
		default:
			v.bad(field+".fate", string(s.Fate), "must be lose, lose-reply, late, late-reply or twice")
		}
		if s.Op != "" && !slices.Contains(opNames, s.Op) {
			v.bad(field+".op", s.Op, "must be one of "+strings.Join(opNames, ", "))
		}
	}
}

// opNames are the scripts' names.
var opNames = []string{"acquire", "raise", "extend", "release", "probe", "seal", "prepare", "admit", "retire"}

func (v *validator) simulation(s *Simulation) {
	if len(s.Servers) > len(v.p.Nodes) {
		v.bad("simulation.servers", len(s.Servers), "there are fewer nodes")
	}
	for i, n := range s.Servers {
		field := fmt.Sprintf("simulation.servers[%d]", i)
		v.rate(field, n.Rate)
		v.span(field+".offset", n.Offset, -10000*time.Hour, 10000*time.Hour)
		switch n.Persist {
		case "", PersistAlways, PersistEverysec, PersistNone:
		default:
			v.bad(field+".persist", string(n.Persist), "must be always, everysec or none")
		}
	}
	all := append(slices.Clone(v.p.Clients), v.p.StoryClients()...)
	for i, c := range s.Clients {
		field := fmt.Sprintf("simulation.clients[%d]", i)
		v.among(field+".client", c.Client, "client", all)
		v.rate(field, c.Rate)
		v.span(field+".wall", c.Wall, -10000*time.Hour, 10000*time.Hour)
	}
	v.band("simulation.latency", s.Latency)
	v.band("simulation.slow_by", s.SlowBy)
	v.band("simulation.sample", s.Sample)
	v.chance("simulation.slow", s.Slow)
	if s.Sample.Min < ms(1) {
		v.bad("simulation.sample", s.Sample.Min, "must be 1ms or more")
	}
}

func (v *validator) rate(field string, ppm int64) {
	if ppm < -500_000 || ppm > 500_000 {
		v.bad(field+".rate", ppm, "must be -500000 to 500000 ppm")
	}
}
