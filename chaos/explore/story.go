package explore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// serverName is a server's name: that of its node, with a stroke for each
// earlier server behind the same name.
func (w *world) serverName(slot int) string {
	name := w.nodes[w.slotOf[slot]]
	for earlier := range slot {
		if w.slotOf[earlier] == w.slotOf[slot] {
			name += "'"
		}
	}
	return name
}

// actorName is A, B … for attempts, R1 … for rejoins, O1 … for operators, F1 …
// for foreign clients.
func (w *world) actorName(i int) string {
	first := i
	for first > 0 && w.kinds[first-1] == w.kinds[i] {
		first--
	}
	if w.kinds[i] == attempts {
		return attemptID(i)
	}
	return [...]string{rejoiners: "R", operators: "O", foreigners: "F"}[w.kinds[i]] + strconv.Itoa(i-first+1)
}

func opName(op quorum.Op) string {
	switch op {
	case opSetNX:
		return "SETNX"
	case opDelIf:
		return "DEL"
	}
	return op.String()
}

// short is a step's short name, as prefixes and results have it.
func (w *world) short(state []uint32, s step) string {
	who := ""
	if s.actor >= 0 {
		who = w.actorName(int(s.actor))
	}
	switch s.kind {
	case stepTick:
		return "tick"
	case stepStart:
		switch w.kinds[s.actor] {
		case attempts:
			name := who + " starts"
			if server := int(s.arg & 0xff); w.servers.values[state[server]].cfg != w.cfg {
				name += " " + w.serverName(server)
			}
			if h := int(s.arg >> 8); h > 0 {
				name += " hint " + strconv.FormatUint(w.scope.Attempts[s.actor].Hints[h], 10)
			}
			return name
		case rejoiners:
			return who + " rejoins " + w.nodes[s.arg>>8]
		}
		return who + " starts"
	case stepCall, stepAnswer:
		c := w.actors.values[state[w.nserver+int(s.actor)]].air[s.flight].call
		if s.kind == stepAnswer {
			return who + " answer " + opName(c.Op) + " " + w.nodes[c.Node]
		}
		name := who + " " + opName(c.Op) + " " + w.serverName(int(s.server))
		return name + [...]string{
			actReply: "", actReplyKeep: " repeated", actExecute: " executed", actLoseAnswer: " unanswered", actResend: " sent again",
		}[s.act]
	case stepRelease:
		return who + " RELEASE " + w.serverName(int(s.server))
	case stepOwn:
		return who + " " + [...]string{actCancel: "gives up", actUnlock: "unlocks", actExtend: "extends", actEnd: "dies"}[s.act]
	case stepTrouble:
		return w.serverName(int(s.server)) + " " + [...]string{
			forgets: "forgets", restarts: "restarts", loses: "loses", takes: "takes over", retires: "retires", ages: "ages", leaps: "leaps",
		}[s.arg]
	}
	return w.serverName(int(s.server)) + " catches up with " + w.serverName(int(s.arg))
}

// tell says a step in plain English.
func (w *world) tell(state, next []uint32, s step) string {
	who := ""
	if s.actor >= 0 {
		who = w.actorName(int(s.actor))
	}
	switch s.kind {
	case stepTick:
		return "time passes" + w.tellEnds(state, next)
	case stepStart:
		return w.tellStart(state, who, s)
	case stepCall:
		return w.tellCall(state, next, who, s) + w.tellEnds(state, next)
	case stepAnswer:
		f := w.actors.values[state[w.nserver+int(s.actor)]].air[s.flight]
		return fmt.Sprintf("%s hears from %s: %s%s", who, w.nodes[f.call.Node], tellReply(f.call, f.reply), w.tellEnds(state, next))
	case stepRelease:
		return fmt.Sprintf("%s, which is over, has %s execute %s", who, w.serverName(int(s.server)), tellRequest(w.actors.values[state[w.nserver+int(s.actor)]].release))
	case stepOwn:
		what := [...]string{
			actCancel: "gives up", actUnlock: "releases its lease", actExtend: "begins to extend its lease, and sends EXTEND to all nodes", actEnd: "dies",
		}[s.act]
		return who + " " + what + w.tellEnds(state, next)
	case stepTrouble:
		what := [...]string{
			forgets: "loses its memory (FLUSHALL)", restarts: "restarts with its memory, under another incarnation",
			loses: "restarts without its memory", takes: "", retires: "is retired: its vote is taken away, its memory stays",
			ages:  "has written nothing for as long as fences are kept: the next write turns them",
			leaps: "has a clock that leaps ahead: its keys expire",
		}[s.arg]
		if trouble(s.arg) == takes {
			return fmt.Sprintf("an empty server, %s, takes the name %s; the old one lives on for some clients", w.serverName(int(s.server)), w.nodes[w.slotOf[s.server]])
		}
		return w.serverName(int(s.server)) + " " + what
	}
	return fmt.Sprintf("%s is brought up to the view of %s%s", w.serverName(int(s.server)), w.serverName(int(s.arg)), w.tellVote(next, int(s.server)))
}

func (w *world) tellVote(state []uint32, server int) string {
	if w.servers.values[state[server]].admitted {
		return ""
	}
	return ", and gives up its vote: another server has its name"
}

func (w *world) tellStart(state []uint32, who string, s step) string {
	switch w.kinds[s.actor] {
	case attempts:
		known := w.servers.values[state[s.arg&0xff]].cfg
		text := fmt.Sprintf("%s begins: it sends ACQUIRE of %s to all nodes", who, strings.Join(w.names[w.locks[s.actor]], " and "))
		if known != w.cfg {
			text += ", under the view " + viewOf(known)
		}
		if h := w.scope.Attempts[s.actor].Hints; len(h) > 0 && h[s.arg>>8] > 0 {
			text += fmt.Sprintf(", with hint %d", h[s.arg>>8])
		}
		return text
	case rejoiners:
		return fmt.Sprintf("%s, which knows the view %s, begins to rejoin %s", who, viewOf(w.servers.values[state[s.arg&0xff]].cfg), w.nodes[s.arg>>8])
	case operators:
		return who + " begins a bootstrap, and probes all nodes"
	}
	return who + ", a redsync client, begins: it sends SET NX to all nodes"
}

func (w *world) tellCall(state, next []uint32, who string, s step) string {
	f := w.actors.values[state[w.nserver+int(s.actor)]].air[s.flight]
	call := w.calls.id(callKey{f.call, w.locks[s.actor]})
	_, reply, _ := w.exec(state[s.server], call)
	text := fmt.Sprintf("%s executes %s of %s: %s", w.serverName(int(s.server)), tellRequest(f.call), who, tellReply(f.call, w.replies.values[reply]))
	if f.call.Op == quorum.OpSeal {
		text += w.tellVote(next, int(s.server))
	}
	switch s.act {
	case actExecute:
		return text + "; the answer is on its way"
	case actLoseAnswer:
		return text + "; the answer is lost"
	case actReplyKeep:
		return text + "; the call will come once more"
	case actResend:
		return text + "; the answer is lost, and the call is sent again"
	}
	return text
}

// tellRequest says a call with the arguments that matter.
func tellRequest(c quorum.Call) string {
	switch c.Op {
	case quorum.OpRaise, quorum.OpExtend:
		return fmt.Sprintf("%s to %d", opName(c.Op), c.Token)
	case quorum.OpRelease:
		if c.Token > 0 {
			return fmt.Sprintf("RELEASE of token %d", c.Token)
		}
	case quorum.OpSeal:
		return fmt.Sprintf("SEAL of n%d as %d-%.4s", c.Index, c.K, c.Entry)
	case quorum.OpAdmit:
		return fmt.Sprintf("ADMIT with floor %d", c.Floor)
	}
	return opName(c.Op)
}

// tellReply says an answer.
func tellReply(c quorum.Call, r quorum.Reply) string {
	switch r.Code {
	case quorum.NotAdmitted:
		return "it may not vote"
	case quorum.OtherConfig:
		return "it has another view, " + viewOf(r.Cfg)
	case quorum.Superseded:
		return fmt.Sprintf("superseded, its counter reads %d", r.Token)
	case quorum.TooLate:
		return "too late"
	case quorum.OutOfRange:
		return "out of range"
	case quorum.Refused:
		if c.Op == quorum.OpAcquire {
			return "taken"
		}
		return "refused"
	}
	switch c.Op {
	case quorum.OpAcquire:
		return fmt.Sprintf("granted, token %d", r.Token)
	case quorum.OpExtend:
		if r.Code == quorum.Already {
			return "repaired"
		}
		return "prolonged"
	case quorum.OpRelease:
		return map[bool]string{true: "deleted", false: "nothing to delete"}[r.Deleted > 0]
	case quorum.OpSeal:
		return fmt.Sprintf("sealed, highest token %d, view %s", r.HW, viewOf(r.Cfg))
	case quorum.OpProbe:
		if r.Admitted {
			return "it is admitted"
		}
		return "it is not admitted"
	case quorum.OpAdmit:
		return map[bool]string{true: "it was admitted before", false: "admitted"}[r.Code == quorum.Already]
	}
	return "done"
}

// viewOf shortens a configuration to its view.
func viewOf(cfg string) string {
	c, err := quorum.ParseConfig(cfg)
	if err != nil {
		return fmt.Sprintf("%q", cfg)
	}
	parts := make([]string, c.View.N)
	for i, e := range c.View.Entries[:c.View.N] {
		parts[i] = fmt.Sprintf("%d-%.4s", e.K, e.ID)
	}
	return strings.Join(parts, ".")
}

// tellEnds says which attempts have won, lost or ended by a step.
func (w *world) tellEnds(state, next []uint32) string {
	text := ""
	for i := range w.nactor {
		a, b := &w.actors.values[state[w.nserver+i]], &w.actors.values[next[w.nserver+i]]
		name := w.actorName(i)
		switch {
		case b.won != a.won:
			text += fmt.Sprintf("; %s holds the lock with token %d", name, b.won)
		case b.valid != 0 && a.valid == 0:
			text += fmt.Sprintf("; %s holds the lock", name)
		case a.valid != 0 && b.valid == 0:
			text += fmt.Sprintf("; %s's lease has ended", name)
		case w.kinds[i] == attempts && a.stage == running && b.stage == over && a.valid == 0:
			text += fmt.Sprintf("; %s's attempt has ended", name)
		case w.kinds[i] == attempts && a.stage == running && b.stage == running && a.hold.Phase() < b.hold.Phase() && b.hold.Phase() == quorum.Raising:
			text += fmt.Sprintf("; %s has a majority, and must raise to one token", name)
		case w.kinds[i] == rejoiners && a.stage == running && b.stage == running && b.rejoin.Waits() && !a.rejoin.Waits():
			text += fmt.Sprintf("; %s has sealed a majority, and waits", name)
		}
	}
	return text
}

// describe says what each node and each client holds.
func (w *world) describe(state []uint32) []string {
	var lines []string
	for i := range w.nserver {
		s := &w.servers.values[state[i]]
		if !s.live {
			continue
		}
		text := w.serverName(i) + ": "
		switch {
		case s.admitted:
			text += "admitted under " + viewOf(s.cfg)
		default:
			text += "may not vote"
		}
		for l, name := range lockNames {
			if s.counter[l] == 0 && s.key[l] == 0 {
				continue
			}
			text += fmt.Sprintf("; %s has counter %d", name, s.counter[l])
			if v, ok := s.state.Get(name, s.now()); ok {
				text += " and the key of " + v
			}
		}
		lines = append(lines, text)
	}
	for i := range w.nactor {
		a := &w.actors.values[state[w.nserver+i]]
		if w.kinds[i] != attempts && a.valid == 0 {
			continue
		}
		text := w.actorName(i) + ": "
		switch {
		case a.stage == idle:
			text += "has not begun"
		case a.valid != 0 && a.won != 0:
			text += fmt.Sprintf("holds %s with token %d, for another %v", strings.Join(w.names[a.valid], " and "), a.won, a.hold.Deadline().Sub(now))
		case a.valid != 0:
			text += "holds " + strings.Join(w.names[a.valid], " and ")
		case a.won != 0:
			text += fmt.Sprintf("had token %d, and it is over", a.won)
		case a.stage == over:
			text += "is over"
		default:
			text += "is asking"
		}
		lines = append(lines, text)
	}
	return lines
}

// story tells how the violation was reached. What is stored are the images that
// stand for all others, so the path is walked again with the names that it
// begins with: from each state, the step whose result has the stored image.
func (x *search) story() []string {
	w := x.w
	var story []string
	say := func(text string) { story = append(story, fmt.Sprintf("%2d. %s", len(story)+1, text)) }
	for _, text := range x.prefix {
		say(text)
	}
	at := x.start
	canon := make([]uint32, w.width)
	follow := func(right func(next []uint32, bad violation) bool) {
		var to []uint32
		var by step
		w.steps(at, func(s step, next []uint32, bad violation) {
			if to == nil && right(next, bad) {
				to, by = slices.Clone(next), s
			}
		})
		if to == nil {
			panic(fmt.Sprintf("explore: scope %s: two states that pass for images of each other have different futures: after %q", w.scope.Name, story))
		}
		say(w.tell(at, to, by))
		at = to
	}
	for _, i := range x.seen.path(x.badAt)[1:] {
		follow(func(next []uint32, _ violation) bool {
			w.canonical(next, canon)
			return equal(canon, x.seen.at(i))
		})
	}
	follow(func(_ []uint32, bad violation) bool { return bad&x.judged == x.bad })
	return append(append(story, "In the end:"), w.describe(at)...)
}
