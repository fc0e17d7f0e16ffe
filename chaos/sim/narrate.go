package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// say tells one step in plain English.
func (r *run) say(format string, args ...any) {
	r.narrate(fmt.Sprintf("%.3f ms: ", float64(r.now)/1e6) + fmt.Sprintf(format, args...))
}

// who names whose machine a task is.
func (t *task) who() string {
	switch t.job {
	case jobHold:
		return fmt.Sprintf("%s (attempt %s)", t.client.name, t.attempt.id)
	case jobForeign:
		return fmt.Sprintf("%s (foreign client, attempt %s)", t.client.name, t.attempt.id)
	case jobLearn:
		return t.client.name + " (learning the cluster)"
	case jobRejoin:
		return fmt.Sprintf("%s (admitting %s again)", t.client.name, t.client.run.plan.Nodes[t.node])
	case jobCatchUp:
		return fmt.Sprintf("%s (bringing %s up to date)", t.client.name, t.client.run.plan.Nodes[t.node])
	}
	return t.client.name + " (recovering by clock)"
}

// sender names who sent a call, whose task may be over.
func (f *flight) sender() string {
	if f.lock != nil {
		return fmt.Sprintf("%s (attempt %s)", f.client.name, f.call.ID)
	}
	return f.client.name
}

func opText(op script.Op) string {
	switch op {
	case opSetNX:
		return "SET NX"
	case opDelIf:
		return "DEL if equal"
	}
	return strings.ToUpper(op.String())
}

func (r *run) tellCall(t *task, f *flight) {
	what := opText(f.call.Op)
	if t.attempt != nil {
		what += " " + t.attempt.lock.name
	}
	if f.call.Token != 0 {
		what += fmt.Sprintf(" with token %d", f.call.Token)
	}
	if f.call.Op == script.Seal {
		what += fmt.Sprintf(" of name %s as its %d-%s", r.plan.Nodes[f.call.Index-1], f.call.K, f.call.Entry)
	}
	if f.call.Op == script.Admit {
		what += fmt.Sprintf(" with floor %d", f.call.Floor)
	}
	r.say("%s sends %s to %s", t.who(), what, r.plan.Nodes[f.node])
}

func (r *run) tellExecuted(s *server, f *flight, reply *script.Reply, again bool) {
	verb := "executes"
	switch {
	case again:
		verb = "executes once more"
	case f.done:
		verb = "executes late, when nobody waits for it,"
	}
	r.say("%s %s %s of %s: %s%s", s.label, verb, opText(f.call.Op), f.sender(), codeNames[codeIndex(reply.Code)], replyText(f.call.Op, reply))
}

func replyText(op script.Op, r *script.Reply) string {
	switch {
	case op <= script.Extend && r.Token != 0:
		return fmt.Sprintf(", token %d", r.Token)
	case op == script.Release:
		return fmt.Sprintf(", %d deleted", r.Deleted)
	case op == script.Probe:
		return fmt.Sprintf(", admitted %v, highest token %d", r.Admitted, r.HW)
	case op == script.Seal:
		return fmt.Sprintf(", highest token %d", r.HW)
	}
	return ""
}

func (r *run) tellAnswer(t *task, f *flight) {
	r.say("%s hears from %s: %s → %s%s", t.who(), r.plan.Nodes[f.node], opText(f.call.Op), codeNames[codeIndex(f.reply.Code)], replyText(f.call.Op, &f.reply))
}

func (r *run) tellFailure(t *task, f *flight, notSent bool) {
	why := "gives up waiting for"
	if notSent {
		why = "could not reach"
	}
	r.say("%s %s %s (%s)", t.who(), why, r.plan.Nodes[f.node], opText(f.call.Op))
}

func (r *run) tellEvent(t *task, e *quorum.Event) {
	text := eventNames[e.Kind]
	if e.Reason != quorum.NoReason {
		text += ": " + reasons[e.Reason]
	}
	if e.Token != 0 {
		text += fmt.Sprintf(", token %d", e.Token)
	}
	if e.Deadline != 0 {
		text += fmt.Sprintf(", until %.3f ms", float64(t.client.clock.when(int64(e.Deadline)))/1e6)
	}
	if e.Kind >= quorum.NewView && e.Kind != quorum.Known && e.Kind != quorum.NotKnown && e.Node >= 0 && e.Node < r.p.N && e.Kind != quorum.TookRaise {
		text += " (" + r.plan.Nodes[e.Node] + ")"
	}
	r.say("%s: %s", t.who(), text)
}

// describe tells a fault in a few words.
func describe(f *scenario.Fault) string {
	text := "fault " + string(f.Kind)
	if len(f.Nodes) > 0 {
		text += " on " + strings.Join(f.Nodes, ", ")
	}
	if len(f.Clients) > 0 {
		text += " for " + strings.Join(f.Clients, ", ")
	}
	if f.Direction != "" && f.Direction != scenario.Both {
		text += ", " + string(f.Direction)
	}
	if f.By != 0 {
		text += fmt.Sprintf(", by %v", f.By)
	}
	if f.Rate != 0 {
		text += fmt.Sprintf(", at %+d ppm", f.Rate)
	}
	if f.Latency != 0 {
		text += fmt.Sprintf(", by %v", f.Latency)
	}
	if f.For != 0 {
		text += fmt.Sprintf(" (for %v)", time.Duration(f.For))
	}
	return text
}
