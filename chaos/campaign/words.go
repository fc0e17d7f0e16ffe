package campaign

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// Describe tells what a plan has its clients and its nemesis do, a sentence a
// step: the faults by time, the operations of each worker, the stories.
func Describe(p *scenario.Plan) []string {
	var list []string
	for _, f := range p.Faults {
		list = append(list, sentence(when(f)+what(f)))
	}
	threads := map[string]int{}
	for i := range p.Workers {
		w := &p.Workers[i]
		threads[w.Client]++
		who := w.Client
		if threads[w.Client] > 1 {
			who += fmt.Sprintf(" (thread %d)", threads[w.Client])
		}
		if w.Foreign {
			who += " (a client of another library)"
		}
		if w.Ops == nil {
			list = append(list, sentence(who+" acquires, works and releases all the time"))
		}
		for n, op := range w.Ops {
			first := ""
			switch {
			case op.At > 0:
				first = fmt.Sprintf("at %v ", op.At)
			case n > 0:
				first = "then "
			}
			list = append(list, sentence(first+operation(who, op)))
		}
	}
	for i := range p.Stories {
		for _, step := range p.Stories[i].Steps {
			list = append(list, sentence(told(step, p.Stories[i].Key)))
		}
	}
	return list
}

// World says in a few lines among what nodes and clocks a plan takes place.
func World(p *scenario.Plan) []string {
	list := []string{fmt.Sprintf("%s; leases of %v, a node deadline of %v, ρ = %v.", count(len(p.Nodes), "node"), p.TTL, p.NodeDeadline, p.Drift)}
	if len(p.Workers) > 0 {
		list = append(list, "At the end of the run, who did not get a lock asks for it once more, for as long as it takes.")
	}
	s := p.Simulation
	if s == nil {
		return list
	}
	list = append(list, fmt.Sprintf("A message takes %v to %v.", s.Latency.Min, s.Latency.Max))
	if s.Slow > 0 {
		list = append(list, fmt.Sprintf("One message in %.0f takes %v to %v more.", 1/s.Slow, s.SlowBy.Min, s.SlowBy.Max))
	}
	for i, n := range s.Servers {
		if i >= len(p.Nodes) {
			break
		}
		var is []string
		if n.Rate != 0 {
			is = append(is, "its clock runs "+speed(n.Rate))
		}
		if n.Offset != 0 {
			is = append(is, fmt.Sprintf("its clock is off by %v", n.Offset))
		}
		if n.Persist != "" && n.Persist != scenario.PersistAlways {
			is = append(is, fmt.Sprintf("its persistence is %q", n.Persist))
		}
		if len(is) > 0 {
			list = append(list, fmt.Sprintf("%s: %s.", p.Nodes[i], strings.Join(is, ", ")))
		}
	}
	for _, c := range s.Clients {
		var is []string
		if c.Rate != 0 {
			is = append(is, "its clock runs "+speed(c.Rate))
		}
		if c.Wall != 0 {
			is = append(is, fmt.Sprintf("its wall clock is off by %v", c.Wall))
		}
		if len(is) > 0 {
			list = append(list, fmt.Sprintf("%s: %s.", c.Client, strings.Join(is, ", ")))
		}
	}
	return list
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sentence begins in upper case, unless with a name, and ends in a full stop.
func sentence(s string) string { return s + "." }

func speed(ppm int64) string {
	if ppm < 0 {
		return fmt.Sprintf("%.4g %% slow", float64(-ppm)/1e4)
	}
	return fmt.Sprintf("%.4g %% fast", float64(ppm)/1e4)
}

func when(f scenario.Fault) string {
	if f.For == 0 {
		return fmt.Sprintf("at %v ", f.At)
	}
	return fmt.Sprintf("from %v to %v ", f.At, f.End())
}

// what says what a fault does, to whom.
func what(f scenario.Fault) string {
	nodes, clients := names(f.Nodes), names(f.Clients)
	way := map[scenario.Direction]string{scenario.Requests: "requests from " + clients + " to " + nodes, scenario.Replies: "replies from " + nodes + " to " + clients}[f.Direction]
	if way == "" {
		way = "messages between " + clients + " and " + nodes
	}
	clock := nodes
	if len(f.Nodes) == 0 {
		clock = clients
	}
	switch f.Kind {
	case scenario.Kill:
		return nodes + verb(f.Nodes, " is", " are") + " killed, and restarted with what it knew"
	case scenario.Amnesia:
		return nodes + verb(f.Nodes, " is", " are") + " killed, and restarted with an empty disk"
	case scenario.LostSecond:
		return nodes + verb(f.Nodes, " is", " are") + " killed, and restarted without what it wrote last"
	case scenario.FlushAll:
		return nodes + verb(f.Nodes, " is", " are") + " flushed"
	case scenario.Freeze, scenario.PauseAll:
		return nodes + verb(f.Nodes, " stands still", " stand still")
	case scenario.FreezeClient:
		return clients + verb(f.Clients, " stands still", " stand still")
	case scenario.Crash:
		return clients + verb(f.Clients, " dies", " die")
	case scenario.CutNode, scenario.Partition:
		return clients + " and " + nodes + " are cut off from each other"
	case scenario.LoseRequests, scenario.LoseReplies:
		return way + " are lost"
	case scenario.Hold:
		return way + " are held back, and delivered at the end"
	case scenario.Delay:
		return fmt.Sprintf("%s take %v to %v longer", way, f.Latency, f.Latency+f.Jitter)
	case scenario.Duplicate:
		return "requests from " + clients + " to " + nodes + " are executed twice"
	case scenario.Reset:
		return "connections from " + clients + " to " + nodes + " are reset"
	case scenario.WallJump:
		return fmt.Sprintf("the wall clock of %s jumps by %v", clients, f.By)
	case scenario.ClockJump:
		return fmt.Sprintf("the clock of %s jumps by %v", nodes, f.By)
	case scenario.Slew, scenario.ClockRate:
		return fmt.Sprintf("the clock of %s runs %s", clock, speed(f.Rate))
	case scenario.Replace:
		if len(f.Clients) == 0 {
			return "an empty server takes the place of " + nodes
		}
		return fmt.Sprintf("an empty server takes the place of %s; %s%s the old one", nodes, clients, verb(f.Clients, " still reaches", " still reach"))
	case scenario.SameServer:
		if len(f.Nodes) == 2 {
			return fmt.Sprintf("the name %s leads to the server of %s", f.Nodes[1], f.Nodes[0])
		}
	case scenario.Demote:
		return nodes + " is a replica, and then a primary again"
	case scenario.Attach:
		return nodes + " gets a new incarnation without any loss"
	case scenario.Rollback:
		return fmt.Sprintf("%s goes back to what it was %v ago, unseen", nodes, f.By)
	}
	return fmt.Sprintf("%s strikes %s", f.Kind, strings.Join(slices.Concat(f.Nodes, f.Clients), ", "))
}

func names(list []string) string {
	switch n := len(list); {
	case n == 0:
		return "nobody"
	case n == 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
}

func verb(subjects []string, one, many string) string {
	if len(subjects) == 1 {
		return one
	}
	return many
}

// operation says what one turn of a worker is.
func operation(who string, op scenario.Op) string {
	var s string
	switch op.Do {
	case scenario.Try:
		s = fmt.Sprintf("%s tries once to acquire %s", who, op.Key)
	case scenario.Cancel:
		s = fmt.Sprintf("%s acquires %s, but gives up after %v", who, op.Key, op.Within)
	default:
		s = fmt.Sprintf("%s acquires %s, waiting for it up to %v", who, op.Key, op.Within)
	}
	switch {
	case op.Careless:
		s += fmt.Sprintf("; it works on until %v after its lease has ended", op.Late)
	case op.Extend:
		s += fmt.Sprintf("; it holds it for %v and extends half-way", op.Hold)
	default:
		s += fmt.Sprintf("; it holds it for %v", op.Hold)
	}
	if op.NoRenew && !op.Careless {
		s += ", without renewal"
	}
	if op.Rest > 0 {
		s += fmt.Sprintf(", and rests for %v", op.Rest)
	}
	return s
}

// told says what a step of a story is; key is the story's.
func told(s scenario.Step, key string) string {
	if s.Key != "" {
		key = s.Key
	}
	switch s.Do {
	case scenario.DoFault:
		return "from now on: " + what(scenario.Fault{Kind: s.Kind, Nodes: s.Nodes, Clients: s.Clients, Direction: s.Direction, Latency: s.Latency, By: s.By, Rate: s.Rate}) + " (" + s.As + ")"
	case scenario.DoHeal:
		return "that is over (" + s.As + ")"
	case scenario.DoLock:
		return fmt.Sprintf("%s acquires %s (%s), waiting for it up to %v%s", s.Client, key, s.As, s.Within, manner(s))
	case scenario.DoStart:
		return fmt.Sprintf("%s begins to acquire %s (%s)%s", s.Client, key, s.As, manner(s))
	case scenario.DoAwait:
		return fmt.Sprintf("that acquire comes to its end (%s)", s.As)
	case scenario.DoRefuse:
		return fmt.Sprintf("%s tries for %v to acquire %s", s.Client, s.Within, key)
	case scenario.DoUnlock:
		return fmt.Sprintf("the holder releases (%s)", s.As)
	case scenario.DoWrite:
		return fmt.Sprintf("the holder writes to the guarded resource (%s)", s.As)
	case scenario.DoEnd:
		return fmt.Sprintf("the lease ends by itself (%s)", s.As)
	case scenario.DoExtend:
		return fmt.Sprintf("the holder extends (%s)", s.As)
	case scenario.DoPause:
		return fmt.Sprintf("%v pass", s.Within)
	case scenario.DoPath:
		return "until the protocol has taken that path"
	case scenario.DoAdmit:
		return names(s.Nodes) + " get their vote back"
	case scenario.DoCrash:
		return s.Client + " dies"
	case scenario.DoMessage:
		return message(s)
	}
	return string(s.Do)
}

func manner(s scenario.Step) string {
	switch {
	case s.Once:
		return ", one attempt"
	case s.Renew:
		return ", and has it renewed"
	}
	return ""
}

func message(s scenario.Step) string {
	calls := "calls"
	if s.Op != "" {
		calls = s.Op + " calls"
	}
	which := fmt.Sprintf("the next %d %s", s.Count, calls)
	switch s.Count {
	case 0:
		which = "all " + calls
	case 1:
		which = "the next of its " + calls
	}
	to := "any node"
	if len(s.Nodes) > 0 {
		to = names(s.Nodes)
	}
	fate := map[scenario.Fate]string{
		scenario.FateLose:      "never arrives",
		scenario.FateLoseReply: "is executed, and its reply is lost",
		scenario.FateLate:      fmt.Sprintf("arrives %v late", s.Latency),
		scenario.FateLateReply: fmt.Sprintf("is answered %v late", s.Latency),
		scenario.FateTwice:     fmt.Sprintf("is executed twice, the second time %v later", s.Latency),
	}[s.Fate]
	return fmt.Sprintf("%s from %s to %s: %s", which, s.Client, to, fate)
}
