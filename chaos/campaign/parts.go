package campaign

import (
	"cmp"
	"slices"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// part is a kind of thing that may be left out of a plan, one by one.
type part struct {
	name    string
	count   func(p *scenario.Plan) int
	without func(p *scenario.Plan, keep []int) // leaves out all but keep, which ascends; p is the part's to change
}

// parts lists them in the order in which leaving out pays most: what the rest
// refers to comes after it.
func parts() []part {
	return []part{
		{"faults", func(p *scenario.Plan) int { return len(p.Faults) }, func(p *scenario.Plan, keep []int) { p.Faults = only(p.Faults, keep) }},
		{"stories", func(p *scenario.Plan) int { return len(p.Stories) }, func(p *scenario.Plan, keep []int) { p.Stories = only(p.Stories, keep) }},
		{"workers", func(p *scenario.Plan) int { return len(p.Workers) }, func(p *scenario.Plan, keep []int) { p.Workers = only(p.Workers, keep) }},
		{"operations", func(p *scenario.Plan) int { return len(turns(p)) }, withoutTurns},
		{"steps with what belongs to them", func(p *scenario.Plan) int { return len(scenes(p, true)) }, func(p *scenario.Plan, keep []int) { withoutScenes(p, keep, true) }},
		{"steps", func(p *scenario.Plan) int { return len(scenes(p, false)) }, func(p *scenario.Plan, keep []int) { withoutScenes(p, keep, false) }},
		{"nodes", func(p *scenario.Plan) int { return len(p.Nodes) }, withoutNodes},
		{"clients", func(p *scenario.Plan) int { return len(p.Clients) }, withoutClients},
		{"locks", func(p *scenario.Plan) int { return len(p.Keys) }, func(p *scenario.Plan, keep []int) { p.Keys = only(p.Keys, keep) }},
		{"targets", func(p *scenario.Plan) int { return len(targets(p)) }, withoutTargets},
		{"clocks", func(p *scenario.Plan) int { return len(clocks(p)) }, func(p *scenario.Plan, keep []int) {
			if p.Simulation != nil {
				p.Simulation.Clients = only(p.Simulation.Clients, keep)
			}
		}},
	}
}

func only[T any](list []T, keep []int) []T {
	kept := make([]T, len(keep))
	for i, k := range keep {
		kept[i] = list[k]
	}
	return kept
}

// turn is one operation of one worker.
type turn struct{ worker, op int }

// turns lists all operations by when they begin at the earliest, so that what is
// late in a run stands late in the list; then the first of each worker before
// the second of any.
func turns(p *scenario.Plan) []turn {
	var list []turn
	for w := range p.Workers {
		for op := range p.Workers[w].Ops {
			list = append(list, turn{w, op})
		}
	}
	at := func(t turn) scenario.Duration { return p.Workers[t.worker].Ops[t.op].At }
	slices.SortStableFunc(list, func(a, b turn) int {
		return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.op, b.op))
	})
	return list
}

func withoutTurns(p *scenario.Plan, keep []int) {
	kept := map[turn]bool{}
	for _, t := range only(turns(p), keep) {
		kept[t] = true
	}
	for w := range p.Workers {
		ops := []scenario.Op{}
		for i, op := range p.Workers[w].Ops {
			if kept[turn{w, i}] {
				ops = append(ops, op)
			}
		}
		p.Workers[w].Ops = ops
	}
}

// scene is some steps of one story.
type scene struct {
	story int
	steps []int
}

// scenes lists the steps of all stories, each alone or together with those
// about the same fault or lease.
func scenes(p *scenario.Plan, together bool) []scene {
	var list []scene
	for s := range p.Stories {
		named := map[string]int{}
		for i, step := range p.Stories[s].Steps {
			if at, ok := named[step.As]; ok && together && step.As != "" {
				list[at].steps = append(list[at].steps, i)
				continue
			}
			named[step.As] = len(list)
			list = append(list, scene{s, []int{i}})
		}
	}
	return list
}

func withoutScenes(p *scenario.Plan, keep []int, together bool) {
	steps := make([][]int, len(p.Stories))
	for _, sc := range only(scenes(p, together), keep) {
		steps[sc.story] = append(steps[sc.story], sc.steps...)
	}
	for s := range p.Stories {
		slices.Sort(steps[s])
		p.Stories[s].Steps = only(p.Stories[s].Steps, steps[s])
	}
}

// withoutNodes takes nodes out of the cluster and of all faults, and with them
// the faults that are left with nothing to strike.
func withoutNodes(p *scenario.Plan, keep []int) {
	if s := p.Simulation; s != nil {
		for len(s.Servers) < len(p.Nodes) {
			s.Servers = append(s.Servers, scenario.Server{})
		}
		s.Servers = only(s.Servers, keep)
	}
	p.Nodes = only(p.Nodes, keep)
	narrow(p, func(list []string) []string { return common(list, p.Nodes) }, func(list []string) []string { return list })
}

// withoutClients takes clients and their workers out likewise. Clients of
// stories stay.
func withoutClients(p *scenario.Plan, keep []int) {
	all := p.Clients
	p.Clients = only(all, keep)
	gone := func(c string) bool { return slices.Contains(all, c) && !slices.Contains(p.Clients, c) }
	p.Workers = slices.DeleteFunc(p.Workers, func(w scenario.Worker) bool { return gone(w.Client) })
	if s := p.Simulation; s != nil {
		s.Clients = slices.DeleteFunc(s.Clients, func(c scenario.Clock) bool { return gone(c.Client) })
	}
	narrow(p, func(list []string) []string { return list }, func(list []string) []string { return slices.DeleteFunc(list, gone) })
}

func common(list, with []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return !slices.Contains(with, s) })
}

// narrow changes what faults strike, those of stories too. Random faults that
// are left with nothing to strike go; a step may be needed for its place.
func narrow(p *scenario.Plan, nodes, clients func([]string) []string) {
	kept := p.Faults[:0]
	for _, f := range p.Faults {
		n, c := len(f.Nodes), len(f.Clients)
		f.Nodes, f.Clients = nodes(f.Nodes), clients(f.Clients)
		if (n == 0 || len(f.Nodes) > 0) && (c == 0 || len(f.Clients) > 0) {
			kept = append(kept, f)
		}
	}
	p.Faults = kept
	for s := range p.Stories {
		for i := range p.Stories[s].Steps {
			step := &p.Stories[s].Steps[i]
			step.Nodes, step.Clients = nodes(step.Nodes), clients(step.Clients)
		}
	}
}

// targets lists what faults strike: each name in each of their lists.
func targets(p *scenario.Plan) []*[]string {
	var list []*[]string
	each := func(names *[]string) {
		for range *names {
			list = append(list, names)
		}
	}
	for i := range p.Faults {
		each(&p.Faults[i].Nodes)
		each(&p.Faults[i].Clients)
	}
	for s := range p.Stories {
		for i := range p.Stories[s].Steps {
			each(&p.Stories[s].Steps[i].Nodes)
			each(&p.Stories[s].Steps[i].Clients)
		}
	}
	return list
}

func withoutTargets(p *scenario.Plan, keep []int) {
	all := targets(p)
	kept := map[*[]string][]string{}
	at, k := map[*[]string]int{}, 0
	for i, names := range all {
		name := (*names)[at[names]]
		at[names]++
		if k < len(keep) && keep[k] == i {
			kept[names] = append(kept[names], name)
			k++
		}
	}
	for names := range at {
		*names = kept[names]
	}
}

// joined is a copy of the plan in which what is done to the lock at from is done
// to the one at to.
func joined(p *scenario.Plan, from, to int) *scenario.Plan {
	q := p.Clone()
	for i := range q.Workers {
		for j := range q.Workers[i].Ops {
			if op := &q.Workers[i].Ops[j]; op.Key == p.Keys[from].Name {
				op.Key = p.Keys[to].Name
			}
		}
	}
	q.Keys = slices.Delete(q.Keys, from, from+1)
	return q
}

// beginnings lists when anything in the plan begins, in order and each time once.
func beginnings(p *scenario.Plan) []scenario.Duration {
	var list []scenario.Duration
	for i := range p.Faults {
		list = append(list, p.Faults[i].At)
	}
	for i := range p.Stories {
		list = append(list, p.Stories[i].At)
	}
	for i := range p.Workers {
		for _, op := range p.Workers[i].Ops {
			list = append(list, op.At)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// earlier is a copy of the plan in which all that begins at from or later does so
// earlier by so much, and the run is shorter for it.
func earlier(p *scenario.Plan, from, by scenario.Duration) *scenario.Plan {
	q := p.Clone()
	move := func(at *scenario.Duration) {
		if *at >= from {
			*at -= by
		}
	}
	for i := range q.Faults {
		move(&q.Faults[i].At)
	}
	for i := range q.Stories {
		move(&q.Stories[i].At)
	}
	for i := range q.Workers {
		for j := range q.Workers[i].Ops {
			move(&q.Workers[i].Ops[j].At)
		}
	}
	q.Duration = max(0, q.Duration-by)
	return q
}

func clocks(p *scenario.Plan) []scenario.Clock {
	if p.Simulation == nil {
		return nil
	}
	return p.Simulation.Clients
}
