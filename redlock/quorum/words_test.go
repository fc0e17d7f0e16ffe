package quorum_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// moment tells a time of an actor's clock as real time since the world began.
func (w *world) moment(a *actor, t quorum.Time) string {
	return fmt.Sprintf("%.3fs", w.real(a, t).Seconds())
}

// logCalls tells what a machine sent; equal calls share a line.
func (w *world) logCalls(a *actor, calls []quorum.Call) {
	for i := 0; i < len(calls) && !w.quiet; {
		what, nodes := w.callWords(a, calls[i]), ""
		for ; i < len(calls) && w.callWords(a, calls[i]) == what; i++ {
			nodes += " " + w.route(a.client, calls[i].Node).label
		}
		w.log("%s asks%s: %s", a.name, nodes, what)
	}
}

func (w *world) callWords(a *actor, c quorum.Call) string {
	s := c.Op.String()
	switch c.Op {
	case quorum.OpAcquire:
		s += fmt.Sprintf(" %s for %v", a.lock, c.TTL)
		if c.Hint != 0 {
			s += fmt.Sprintf(", hint %d", c.Hint)
		}
		if c.Place != (quorum.Place{}) {
			s += ", or stand in line"
		}
		return s + w.underView(c.Cfg)
	case quorum.OpRaise:
		return s + fmt.Sprintf(" %s to %d", a.lock, c.Token)
	case quorum.OpExtend:
		return s + fmt.Sprintf(" %s with token %d for %v", a.lock, c.Token, c.TTL) + w.underView(c.Cfg)
	case quorum.OpRelease:
		s += " " + a.lock
		if c.Token != 0 {
			s += fmt.Sprintf(", fence above %d", c.Token)
		}
		if c.Place != (quorum.Place{}) {
			s += map[quorum.Pass]string{quorum.PassOn: ", next please", quorum.PassUp: ", I wait no more"}[c.Pass]
		}
		return s
	case quorum.OpProbe:
		if c.Renew != "" {
			s += ", dropping mark " + short(c.Renew)
		}
	case quorum.OpSeal:
		return s + fmt.Sprintf(" %s as %d-%s", w.names[c.Index-1], c.K, short(c.Entry))
	case quorum.OpPrepare:
		return s + " with mark " + short(c.Mark)
	case quorum.OpAdmit:
		s += fmt.Sprintf(" with floor %d", c.Floor)
		if c.Mark != "" {
			s += " by mark " + short(c.Mark)
		}
		return s + w.underView(c.Cfg)
	}
	return s
}

// underView tells the view of a configuration, unless it is the first one.
func (w *world) underView(cfg string) string {
	if v := w.viewWords(cfg); v != "the first view" {
		return ", under " + v
	}
	return ""
}

func short(id string) string { return id[:min(4, len(id))] }

func (w *world) viewWords(cfg string) string {
	c, err := quorum.ParseConfig(cfg)
	if err != nil {
		return "no view"
	}
	var parts []string
	for i, e := range c.View.Entries[:c.View.N] {
		if e.K > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d-%s", w.names[i], e.K, short(e.ID)))
		}
	}
	if parts == nil {
		return "the first view"
	}
	return "view " + strings.Join(parts, " ")
}

func clusterWords(cfg string) string {
	left, _, _ := strings.Cut(cfg, "|")
	s, err := quorum.ParseStatic(left)
	if err != nil {
		return "no cluster"
	}
	return "cluster " + short(s.Cluster)
}

// replyWords tells a node's answer.
func (w *world) replyWords(op script.Op, r script.Reply) string {
	switch r.Code {
	case script.NotAdmitted:
		if op == script.Release {
			return "this is a replica"
		}
		return "I may not vote"
	case script.TTLTooLong:
		return fmt.Sprintf("that ttl is above %v", r.MaxTTL)
	case script.OtherConfig:
		return fmt.Sprintf("I am %s of %s in %s", w.names[r.Self-1], clusterWords(r.Cfg), w.viewWords(r.Cfg))
	case script.Superseded:
		return fmt.Sprintf("superseded, my counter is %d", r.Token)
	case script.ForeignKey:
		return "a foreign key is there"
	case script.TooLate:
		return "that came too late"
	case script.Reserved:
		return fmt.Sprintf("free, but kept for another for %v", r.Wait)
	case script.OutOfRange:
		return "a value is out of range"
	}
	switch op {
	case script.Acquire:
		return [...]string{
			fmt.Sprintf("busy for %v, my counter is %d", r.Wait, r.Token),
			fmt.Sprintf("granted %d", r.Token), fmt.Sprintf("it is yours already, with %d", r.Token),
		}[r.Code]
	case script.Raise:
		return [...]string{fmt.Sprintf("refused, my counter is %d", r.Token), fmt.Sprintf("raised to %d", r.Token)}[r.Code]
	case script.Extend:
		return [...]string{"refused, another has it", "prolonged", "repaired"}[r.Code]
	case script.Release:
		return fmt.Sprintf("deleted %d", r.Deleted)
	case script.Probe:
		return w.probeWords(r)
	case script.Seal:
		return [...]string{"refused", "sealed"}[r.Code] + fmt.Sprintf(", my highest token is %d, %s", r.HW, w.viewWords(r.Cfg))
	case script.Prepare:
		return [...]string{"refused", "prepared"}[r.Code]
	case script.Admit:
		return [...]string{"refused", "admitted", "I was admitted already"}[r.Code]
	}
	return [...]string{"refused", "retired"}[r.Code]
}

func (w *world) probeWords(r script.Reply) string {
	s := "I may not vote"
	if r.Admitted {
		s = fmt.Sprintf("admitted to %s in %s, floor %d", clusterWords(r.Cfg), w.viewWords(r.Cfg), r.Floor)
	}
	s += fmt.Sprintf(", my highest token is %d", r.HW)
	if r.Mark != "" {
		s += ", prepared with mark " + short(r.Mark)
	}
	return s
}

// eventWords are the beginnings of what an event says.
var eventWords = map[quorum.EventKind]string{
	quorum.Won: "HOLDS", quorum.Failed: "gives up", quorum.Extended: "prolonged", quorum.ExtendFailed: "not prolonged",
	quorum.Extending: "begins to prolong", quorum.Lost: "LOST", quorum.Unlocked: "UNLOCKED",
	quorum.UnlockFailed: "unlock failed", quorum.Over: "is over: nothing of it is left",
	quorum.NewView: "learns a newer view from", quorum.OldView: "notices an older view on",
	quorum.Unadmitted: "notices that it may not vote:", quorum.OtherCluster: "notices another cluster on",
	quorum.TookRaise: "needs a second round to raise all to", quorum.TookRepair: "filled in",
	quorum.TookLateGrant: "undoes a late grant of", quorum.TookRetry: "has it already on",
	quorum.TookSuperseded: "is superseded on", quorum.TookTooLate: "came too late at",
	quorum.PassedOver: "hears nothing of the line from",
	quorum.Known:      "knows the cluster:", quorum.NotKnown: "knows no cluster:",
	quorum.Sealed: "has sealed enough nodes and waits", quorum.Readmitted: "ADMITTED",
	quorum.AlreadyAdmitted: "finds it admitted already:", quorum.RejoinFailed: "could not admit", quorum.CaughtUp: "brought up to date",
	quorum.CatchUpFailed: "could not bring up to date", quorum.Bootstrapped: "BOOTSTRAPPED",
	quorum.BootstrapFailed: "could not bootstrap:",
}

// logEvent tells an event.
func (w *world) logEvent(a *actor, e quorum.Event) {
	if w.quiet {
		return
	}
	s := a.name + " " + eventWords[e.Kind]
	switch e.Kind {
	case quorum.Won:
		s += fmt.Sprintf(" %s with token %d until %s", a.lock, e.Token, w.moment(a, e.Deadline))
	case quorum.Extended, quorum.Sealed:
		s += " until " + w.moment(a, e.Deadline)
	case quorum.Failed, quorum.ExtendFailed, quorum.Lost, quorum.UnlockFailed:
		s += ": " + e.Reason.String()
	case quorum.TookRaise:
		s += fmt.Sprintf(" %d", e.Token)
	case quorum.Known:
		s += " " + clusterWords(e.Cfg) + ", " + w.viewWords(e.Cfg)
	case quorum.NotKnown:
		s += " " + e.Reason.String()
	case quorum.Readmitted:
		s += fmt.Sprintf(" %s with floor %d in %s", w.names[e.Node], e.Token, w.viewWords(e.Cfg))
	case quorum.RejoinFailed, quorum.CatchUpFailed:
		s += " " + w.names[e.Node] + ": " + e.Reason.String()
	case quorum.Bootstrapped:
		s += fmt.Sprintf(" %s with floor %d", clusterWords(e.Cfg), e.Token)
	case quorum.BootstrapFailed:
		s += " " + e.Reason.String()
		if e.Node >= 0 {
			s += " at " + w.names[e.Node]
		}
	case quorum.Unlocked, quorum.Over, quorum.Extending:
	default:
		s += " " + w.route(a.client, e.Node).label
	}
	w.log("%s", s)
}

// show tells what is on a server.
func (w *world) show(s *server) {
	now := s.now(w)
	r := s.record()
	if r.Admitted {
		w.log("%s is %s of %s in %s, floor %d", s.label, w.names[r.Self-1], clusterWords(r.Cfg), w.viewWords(r.Cfg), r.Floor)
	} else {
		w.log("%s may not vote", s.label)
	}
	locks := map[string]bool{}
	for _, e := range s.state.Dump(now) {
		switch {
		case e.Type != "hash":
			left := "for ever"
			if e.PTTL >= 0 {
				left = (time.Duration(e.PTTL) * time.Millisecond).String()
			}
			w.log("%s has %s for %s, %s left", s.label, e.Key, strings.Join(e.Value, " "), left)
		case e.Key != script.NodeKey:
			for i := 0; i < len(e.Value); i += 2 {
				if !locks[e.Value[i]] {
					locks[e.Value[i]] = true
					w.log("%s counts %s up to %d", s.label, e.Value[i], s.counter(e.Value[i]))
				}
			}
		}
	}
}
