package scenario

import (
	"fmt"
	"time"
)

// StoryNames lists the directed stories, in the order in which they are told.
func StoryNames() []string {
	return []string{"raise", "repair", "late-grant", "drift-1", "drift-2", "late-unlock", "partition", "crash", "amnesia"}
}

// The clients that several stories share. They are never cut off, so stories
// that run side by side do not meet through them.
const (
	waiter    = "w1"
	bystander = "w2"
)

// stories tells all stories, or the named one, when each may begin.
func stories(p *Plan, only string) []Story {
	all := []Story{
		raise(p), repair(p), lateGrant(p), drift(p, 1), drift(p, 2),
		lateUnlock(p), partition(p), crash(p), amnesia(p),
	}
	list := []Story{}
	var first time.Duration
	for _, s := range append(all, named(p, only)...) {
		if only != "" && s.Name != only {
			continue
		}
		s.At, s.Tries, s.Key = Duration(firstStory), 4, "story-"+s.Name
		if s.After {
			s.At += Duration(first)
		} else {
			first = max(first, s.Need.D())
		}
		list = append(list, s)
	}
	return list
}

// storiesEnd is when the last story has ended, by the plan.
func (p *Plan) storiesEnd() time.Duration {
	var end time.Duration
	for _, s := range p.Stories {
		end = max(end, s.At.D()+s.Need.D())
	}
	return end
}

// sides are the nodes that two clients reach who share as few as possible: the
// one is cut off from last, the other from first, and both reach shared.
func (p *Plan) sides() (first, shared, last []string) {
	n, spare := len(p.Nodes), p.Spare()
	return p.Nodes[:spare], p.Nodes[spare : n-spare], p.Nodes[n-spare:]
}

func cutOff(as, client string, nodes []string) Step {
	return Step{Do: DoFault, As: as, Kind: CutNode, Direction: Both, Clients: []string{client}, Nodes: nodes}
}

func raise(p *Plan) Story {
	first, shared, last := p.sides()
	s := Story{
		Name:    "raise",
		Why:     "three clients reach different majorities, so counters drift apart; a token that is merely the largest granted is handed out twice",
		Need:    Duration(4*settle) + 20*p.NodeDeadline,
		Clients: []string{"s1", "s2", "s3"},
		Path:    PathRaise,
		Steps:   []Step{cutOff("a", "s1", last), cutOff("b", "s2", first), cutOff("c", "s3", shared[:1])},
	}
	for range 3 {
		for _, client := range []string{"s1", "s2", "s3"} {
			s.Steps = append(s.Steps,
				Step{Do: DoLock, As: client, Client: client, Within: p.TTL},
				Step{Do: DoUnlock, As: client})
		}
	}
	s.Steps = append(s.Steps, Step{Do: DoPath, Within: ms(500)},
		Step{Do: DoHeal, As: "a"}, Step{Do: DoHeal, As: "b"}, Step{Do: DoHeal, As: "c"})
	return s
}

func repair(p *Plan) Story {
	return Story{
		Name:    "repair",
		Why:     "a node that missed the acquire must be filled in by a renewal",
		Need:    p.TTL + Duration(2*settle),
		Clients: []string{"s4"},
		Path:    PathRepair,
		Steps: []Step{
			cutOff("cut", "s4", p.Nodes[:1]),
			{Do: DoLock, As: "h", Client: "s4", Within: p.TTL, Renew: true},
			{Do: DoHeal, As: "cut"},
			{Do: DoPath, Client: "s4", Within: p.TTL},
			{Do: DoUnlock, As: "h"},
		},
	}
}

func lateGrant(p *Plan) Story {
	slow := p.NodeDeadline + p.NodeDeadline*2/5 // after the deadline, before the driver gives the connection up
	return Story{
		Name:    "late-grant",
		Why:     "grants that arrive after their attempt has failed must be undone, or the lock is blocked for a ttl",
		Need:    Duration(4*settle) + 10*p.NodeDeadline,
		Clients: []string{"s5"},
		Path:    PathLateGrant,
		Steps: []Step{
			// A first acquire, so that the client knows the cluster: what it
			// asks for that would be late as well.
			{Do: DoLock, As: "first", Client: "s5", Within: p.TTL},
			{Do: DoUnlock, As: "first"},
			{Do: DoFault, As: "slow", Kind: Delay, Direction: Replies, Latency: slow, Clients: []string{"s5"}, Nodes: p.Nodes[:p.Spare()+1]},
			{Do: DoLock, As: "none", Client: "s5", Within: 6 * p.NodeDeadline, Fail: true},
			{Do: DoPath, Client: "s5", Within: ms(500)},
			{Do: DoHeal, As: "slow"},
			{Do: DoLock, As: "h", Client: "s5", Within: p.TTL},
			{Do: DoUnlock, As: "h"},
		},
	}
}

// drift is told in two ways. In the first the counters of the nodes are made to
// differ beforehand, so that the acquire takes a second slow round trip: that
// doubles the time in which a wrong deadline shows.
func drift(p *Plan, number int) Story {
	client := fmt.Sprintf("s%d", 5+number)
	s := Story{
		Name:    fmt.Sprintf("drift-%d", number),
		Why:     "the replies to the acquire are slow; a deadline counted from their arrival lies after the keys have expired, while another acquires",
		Need:    p.TTL + Duration(4*settle),
		Clients: []string{client, waiter},
	}
	if number == 1 {
		s.Clients = append(s.Clients, "s11", "s12")
		s.Need += 4 * p.NodeDeadline
		s.Steps = skew(p, "s11", "s12")
	}
	s.Steps = append(s.Steps,
		Step{Do: DoFault, As: "slow", Kind: Delay, Direction: Replies, Latency: p.NodeDeadline * 4 / 5, Clients: []string{client}, Nodes: p.Nodes},
		Step{Do: DoLock, As: "h", Client: client, Within: p.TTL},
		Step{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
		Step{Do: DoEnd, As: "h", Within: p.TTL},
		Step{Do: DoUnlock, As: "w"},
		Step{Do: DoHeal, As: "slow"})
	return s
}

// skew leaves no counter equal on a majority of nodes: attempts that reach less
// than a majority fail, and raise the counters where they arrived, two on some
// nodes, one on others, none on the rest.
func skew(p *Plan, two, one string) []Step {
	n := p.Spare()
	try := func(client string) Step {
		return Step{Do: DoLock, As: client, Client: client, Within: p.TTL, Once: true, Fail: true}
	}
	return []Step{
		cutOff("two", two, p.Nodes[n:]),
		cutOff("one", one, append(append([]string{}, p.Nodes[:n]...), p.Nodes[2*n:]...)),
		try(two), try(two), try(one),
		{Do: DoHeal, As: "two"},
		{Do: DoHeal, As: "one"},
	}
}

// freed bounds the wait for the lock of a holder that is gone.
func (p *Plan) freed() Duration {
	return Duration(p.quarantine()+time.Second) + 2*p.NodeDeadline
}

func lateUnlock(p *Plan) Story {
	return Story{
		Name:    "late-unlock",
		Why:     "a holder that was cut off past its lease releases at last; that must not delete the next holder's key",
		Need:    Duration(p.quarantine() + 3*settle),
		Clients: []string{"s8", waiter, bystander},
		Steps: []Step{
			{Do: DoLock, As: "a", Client: "s8", Within: p.TTL},
			cutOff("cut", "s8", p.Nodes),
			{Do: DoLock, As: "b", Client: waiter, Within: p.freed(), Renew: true},
			{Do: DoHeal, As: "cut"},
			{Do: DoUnlock, As: "a"},
			{Do: DoRefuse, Client: bystander, Within: ms(400)},
			{Do: DoUnlock, As: "b"},
		},
	}
}

func partition(p *Plan) Story {
	return Story{
		Name:    "partition",
		Why:     "a holder cut off from everything must be told before another acquires; its later writes must be refused by the fence",
		Need:    Duration(p.quarantine() + 3*settle),
		Clients: []string{"s9", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s9", Within: p.TTL, Renew: true},
			{Do: DoWrite, As: "h"},
			cutOff("cut", "s9", p.Nodes),
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			{Do: DoWrite, As: "w"},
			{Do: DoWrite, As: "h"},
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "cut"},
			{Do: DoUnlock, As: "h"},
		},
	}
}

func crash(p *Plan) Story {
	return Story{
		Name:    "crash",
		Why:     "the lock of a holder that died must come free within its ttl",
		Need:    Duration(p.quarantine() + 2*settle),
		Clients: []string{"s10", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s10", Within: p.TTL, Renew: true},
			{Do: DoWrite, As: "h"},
			{Do: DoCrash, Client: "s10"},
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			{Do: DoWrite, As: "w"},
			{Do: DoUnlock, As: "w"},
		},
	}
}

func amnesia(p *Plan) Story {
	first, shared, last := p.sides()
	return Story{
		Name:    "amnesia",
		Why:     "the only node that two majorities share forgets a lock that is held; voting at once, it lets a second holder in and tokens fall",
		Need:    Duration(p.quarantine() + 4*settle),
		After:   true,
		Clients: []string{"s1", "s2"},
		Path:    PathReadmission,
		Steps: []Step{
			cutOff("a", "s1", last), cutOff("b", "s2", first),
			{Do: DoLock, As: "early", Client: "s1", Within: p.TTL},
			{Do: DoUnlock, As: "early"},
			{Do: DoLock, As: "held", Client: "s1", Within: p.TTL},
			{Do: DoFault, As: "wipe", Kind: Amnesia, Nodes: shared[:1]},
			{Do: DoLock, As: "next", Client: "s2", Within: Duration(2*p.quarantine() + settle)},
			{Do: DoWrite, As: "next"},
			{Do: DoUnlock, As: "next"},
			{Do: DoAdmit, Nodes: shared[:1], Within: p.TTL},
			{Do: DoPath, Within: p.TTL},
			{Do: DoHeal, As: "wipe"}, {Do: DoHeal, As: "a"}, {Do: DoHeal, As: "b"},
		},
	}
}
