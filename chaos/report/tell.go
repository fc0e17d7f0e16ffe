package report

import (
	"fmt"
	"strings"

	"github.com/quorumlock/quorumlock/linearizability"
)

// sentence tells one line of a history to somebody who does not know its format.
func sentence(e *linearizability.Event) string {
	v := &e.Value
	who, hold := plain(v.Client), plain(v.Hold)
	switch {
	case v.Fault != nil:
		return faultSentence(e)
	case v.Stall != nil:
		return fmt.Sprintf("Clients %s did not run for %s.", everybody(v.Stall.Clients), long(v.Stall.To-v.Stall.From))
	case v.Keys != nil:
		return "A look at all nodes, past the clients' network."
	case e.F == linearizability.LostHold:
		return fmt.Sprintf("%s is told that it has lost the lock (hold %s).", who, hold)
	case e.Type == linearizability.Info:
		return fmt.Sprintf("%s never learns what came of its %s%s.", who, e.F, because(e.Error))
	}
	switch e.F {
	case linearizability.Acquire:
		return acquireSentence(e, who, hold)
	case linearizability.Release:
		return releaseSentence(e, who, hold)
	case linearizability.Extend:
		switch {
		case e.Type == linearizability.Invoke:
			return fmt.Sprintf("%s asks for more time for its hold %s.", who, hold)
		case e.Type == linearizability.Fail:
			return fmt.Sprintf("%s gets no more time for its hold %s%s.", who, hold, because(e.Error))
		case v.ValidUntil != nil:
			return fmt.Sprintf("%s's hold %s is prolonged until %s.", who, hold, at(*v.ValidUntil))
		}
		return fmt.Sprintf("%s's hold %s is prolonged.", who, hold)
	}
	return resourceSentence(e, who)
}

func acquireSentence(e *linearizability.Event, who, hold string) string {
	switch e.Type {
	case linearizability.Invoke:
		return who + " asks for the lock."
	case linearizability.Fail:
		return fmt.Sprintf("%s does not get the lock%s.", who, because(e.Error))
	}
	s := fmt.Sprintf("%s gets the lock: hold %s", who, hold)
	if e.Value.Token != 0 {
		s += fmt.Sprintf(", token %v", e.Value.Token)
	}
	if e.Value.ValidUntil != nil {
		s += ", valid until " + at(*e.Value.ValidUntil)
	}
	return s + "."
}

func releaseSentence(e *linearizability.Event, who, hold string) string {
	switch e.Type {
	case linearizability.Invoke:
		return fmt.Sprintf("%s gives the lock back (hold %s), and claims it no longer.", who, hold)
	case linearizability.Fail:
		return fmt.Sprintf("%s learns that hold %s had ended already%s.", who, hold, because(e.Error))
	}
	return fmt.Sprintf("%s learns that hold %s was deleted on a majority.", who, hold)
}

func resourceSentence(e *linearizability.Event, who string) string {
	v := &e.Value
	what := fmt.Sprintf("%s on the %s resource", e.F, plain(string(v.Resource)))
	if v.N != nil {
		what += fmt.Sprintf(" (n = %d)", *v.N)
	}
	if v.Token != 0 {
		what += fmt.Sprintf(" with token %v", v.Token)
	}
	switch {
	case e.Type == linearizability.Invoke:
		return fmt.Sprintf("%s begins a %s.", who, what)
	case e.Type == linearizability.Fail:
		return fmt.Sprintf("%s's %s fails%s.", who, what, because(e.Error))
	case v.Accepted != nil && !*v.Accepted:
		return fmt.Sprintf("%s's %s is refused: it came too late.", who, what)
	}
	return fmt.Sprintf("%s's %s is accepted.", who, what)
}

func faultSentence(e *linearizability.Event) string {
	f := e.Value.Fault
	what := plain(string(e.F)) + on(f.Nodes, f.Clients)
	switch {
	case f.Phase == linearizability.FaultEnd:
		return "The fault is healed: " + what + "."
	case !f.Confirmed:
		return "A fault, not confirmed: " + what + "."
	}
	return "A fault strikes: " + what + "."
}

// on says whom a fault strikes.
func on(nodes, clients []string) string {
	var words []string
	for _, list := range [][]string{nodes, clients} {
		if len(list) > 0 {
			words = append(words, plain(strings.Join(list, ", ")))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, " × ") + ")"
}

func everybody(clients []string) string {
	if len(clients) == 0 {
		return "of this process"
	}
	return plain(strings.Join(clients, ", "))
}

func because(err string) string {
	if err == "" {
		return ""
	}
	return ": " + plain(err)
}
