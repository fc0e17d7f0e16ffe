package quorum_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"pgregory.net/rapid"
)

var memberParams = quorum.Params{N: 3, NodeDeadline: 50 * time.Millisecond, MaxTTL: time.Second, Drift: quorum.PPM(0.16)}

// viewed is a configuration of three nodes under which the first was replaced
// k times.
func viewed(cluster string, k int) quorum.Config {
	c := quorum.Config{Static: quorum.NewStatic(cluster, []string{"n1", "n2", "n3"}, time.Second), View: quorum.View{N: 3}}
	c.View.Entries[0].K = k
	return c
}

// told is an event as a machine tells it to Members at a moment.
type told struct {
	at   time.Duration
	from quorum.Source
	e    quorum.Event
}

// taskWords tells tasks in words.
func taskWords(out quorum.Tasks) string {
	var words []string
	for _, k := range out.Start {
		switch k.Kind {
		case quorum.TaskLearn:
			words = append(words, "learn")
		case quorum.TaskRejoin:
			words = append(words, fmt.Sprintf("rejoin %d under %s after %v", k.Node, brief(k.Cfg.String()), k.After))
		case quorum.TaskCatchUp:
			words = append(words, fmt.Sprintf("catch up %d from %s to %s", k.Node, brief(k.Theirs.String()), brief(k.Cfg.String())))
		case quorum.TaskRecover:
			words = append(words, "recover")
		}
	}
	return strings.Join(words, ", ")
}

// brief is a configuration as cluster id and first entry.
func brief(text string) string {
	c, err := quorum.ParseConfig(text)
	if err != nil {
		return text
	}
	return fmt.Sprintf("%s.%d", c.Static.Cluster, c.View.Entries[0].K)
}

// TestMembers tells what comes of short sequences of events. The random number
// is 7 ns each time.
func TestMembers(t *testing.T) {
	c0, c1, d0 := viewed("c", 0).String(), viewed("c", 1).String(), viewed("d", 0).String()
	known := told{0, quorum.FromLearn, quorum.Event{Kind: quorum.Known, Cfg: c0}}
	out := func(at time.Duration, from quorum.Source) told {
		return told{at, from, quorum.Event{Kind: quorum.Unadmitted, Node: 1}}
	}
	hold := func(e quorum.Event) told { return told{time.Second, quorum.FromHold, e} }
	rejoin := func(at time.Duration, e quorum.Event) told {
		e.Node = 1
		return told{at, quorum.FromRejoin, e}
	}
	failed := quorum.Event{Kind: quorum.RejoinFailed}
	lost := told{0, quorum.FromLearn, quorum.Event{Kind: quorum.NotKnown, Reason: quorum.NeedsOperator}}
	older := quorum.Event{Kind: quorum.OldView, Node: 2, Cfg: c0}
	const begun = "rejoin 1 under c.0 after 7ns"
	for _, tt := range []struct {
		name   string
		o      quorum.MembersOptions
		events []told
		want   string // the last event's tasks
		cfg    string // known afterwards
	}{
		{"nothing is known at first", quorum.MembersOptions{}, nil, "", ""},
		{"learnt", quorum.MembersOptions{}, []told{known}, "", "c.0"},
		{"a newer view is joined", quorum.MembersOptions{}, []told{known, hold(quorum.Event{Kind: quorum.NewView, Cfg: c1})}, "", "c.1"},
		{"another cluster's view is not", quorum.MembersOptions{}, []told{known, hold(quorum.Event{Kind: quorum.NewView, Cfg: d0})}, "", "c.0"},
		{"a view tells nothing while the cluster is unknown", quorum.MembersOptions{}, []told{hold(quorum.Event{Kind: quorum.NewView, Cfg: c1})}, "", ""},

		{"too few admitted: look again", quorum.MembersOptions{}, []told{known, hold(quorum.Event{Kind: quorum.Failed, Reason: quorum.NeedsOperator, Cfg: c0})}, "", ""},
		{"another cluster: look again", quorum.MembersOptions{}, []told{known, hold(quorum.Event{Kind: quorum.Failed, Reason: quorum.ClusterChanged, Cfg: c0})}, "", ""},
		{"held by another: no need to", quorum.MembersOptions{}, []told{known, hold(quorum.Event{Kind: quorum.Failed, Reason: quorum.Held, Cfg: c0})}, "", "c.0"},
		{"somebody has looked already", quorum.MembersOptions{}, []told{known, hold(quorum.Event{Kind: quorum.Failed, Reason: quorum.ClusterChanged, Cfg: d0})}, "", "c.0"},

		{"unadmitted", quorum.MembersOptions{}, []told{known, out(1, quorum.FromHold)}, begun, "c.0"},
		{"unadmitted, told twice", quorum.MembersOptions{}, []told{known, out(1, quorum.FromHold), out(2, quorum.FromLearn)}, "", "c.0"},
		{"unadmitted, cluster unknown", quorum.MembersOptions{}, []told{out(1, quorum.FromHold)}, "", ""},
		{"unadmitted, told again once known", quorum.MembersOptions{}, []told{out(1, quorum.FromHold), known, out(2, quorum.FromLearn)}, begun, "c.0"},
		{"unadmitted, but not to be admitted", quorum.MembersOptions{NoRejoin: true}, []told{known, out(1, quorum.FromHold)}, "", "c.0"},
		{"out again", quorum.MembersOptions{}, []told{known, out(1, quorum.FromHold), rejoin(2, quorum.Event{Kind: quorum.Readmitted, Cfg: c1}), out(3, quorum.FromHold)}, "rejoin 1 under c.1 after 7ns", "c.1"},
		{"admitted by another", quorum.MembersOptions{}, []told{known, out(1, quorum.FromHold), rejoin(2, quorum.Event{Kind: quorum.AlreadyAdmitted}), out(3, quorum.FromHold)}, begun, "c.0"},
		{"in the pause", quorum.MembersOptions{}, []told{known, out(0, quorum.FromHold), rejoin(0, failed), out(100*time.Millisecond+6, quorum.FromHold)}, "", "c.0"},
		{"after the pause", quorum.MembersOptions{}, []told{known, out(0, quorum.FromHold), rejoin(0, failed), out(100*time.Millisecond+7, quorum.FromHold)}, begun, "c.0"},
		{"the second pause is twice as long", quorum.MembersOptions{}, []told{known, out(0, quorum.FromHold), rejoin(0, failed), out(101*time.Millisecond, quorum.FromHold),
			rejoin(101*time.Millisecond, failed), out(301*time.Millisecond, quorum.FromHold)}, "", "c.0"},

		{"older view", quorum.MembersOptions{}, []told{{0, quorum.FromLearn, quorum.Event{Kind: quorum.Known, Cfg: c1}}, hold(older)}, "catch up 2 from c.0 to c.1", "c.1"},
		{"older view, told twice", quorum.MembersOptions{}, []told{{0, quorum.FromLearn, quorum.Event{Kind: quorum.Known, Cfg: c1}}, hold(older), hold(older)}, "", "c.1"},
		{"older view, unreadable", quorum.MembersOptions{}, []told{known, hold(quorum.Event{Kind: quorum.OldView, Node: 2, Cfg: "?"})}, "", "c.0"},
		{"older view, after a catch-up", quorum.MembersOptions{}, []told{known, hold(older), {2 * time.Second, quorum.FromCatchUp, quorum.Event{Kind: quorum.CaughtUp, Node: 2}}, hold(older)}, "catch up 2 from c.0 to c.0", "c.0"},
		{"older view, after one that failed", quorum.MembersOptions{}, []told{known, hold(older), {2 * time.Second, quorum.FromCatchUp, quorum.Event{Kind: quorum.CatchUpFailed, Node: 2}}, hold(older)}, "catch up 2 from c.0 to c.0", "c.0"},
		{"a catch-up finds the node unadmitted", quorum.MembersOptions{}, []told{known, hold(older), {0, quorum.FromCatchUp, quorum.Event{Kind: quorum.Unadmitted, Node: 2}}}, "rejoin 2 under c.0 after 7ns", "c.0"},
		{"and may be begun again", quorum.MembersOptions{NoRejoin: true}, []told{known, hold(older), {0, quorum.FromCatchUp, quorum.Event{Kind: quorum.Unadmitted, Node: 2}}, hold(older)}, "catch up 2 from c.0 to c.0", "c.0"},
		{"a hold that finds it unadmitted ends no catch-up", quorum.MembersOptions{NoRejoin: true}, []told{known, hold(older), {0, quorum.FromHold, quorum.Event{Kind: quorum.Unadmitted, Node: 2}}, hold(older)}, "", "c.0"},

		{"nobody may recover", quorum.MembersOptions{}, []told{lost}, "", ""},
		{"recover", quorum.MembersOptions{RecoverByClock: true}, []told{lost}, "recover", ""},
		{"recover, told twice", quorum.MembersOptions{RecoverByClock: true}, []told{lost, lost}, "", ""},
		{"silence is no reason to recover", quorum.MembersOptions{RecoverByClock: true}, []told{{0, quorum.FromLearn, quorum.Event{Kind: quorum.NotKnown, Reason: quorum.NoQuorum}}}, "", ""},
		{"recovered", quorum.MembersOptions{RecoverByClock: true}, []told{lost, {1, quorum.FromRecovery, quorum.Event{Kind: quorum.Bootstrapped, Cfg: d0}}}, "", "d.0"},
		{"in the pause between recoveries", quorum.MembersOptions{RecoverByClock: true}, []told{lost, {0, quorum.FromRecovery, quorum.Event{Kind: quorum.BootstrapFailed, Node: -1}},
			{200*time.Millisecond + 6, quorum.FromLearn, lost.e}}, "", ""},
		{"after the pause between recoveries", quorum.MembersOptions{RecoverByClock: true}, []told{lost, {0, quorum.FromRecovery, quorum.Event{Kind: quorum.BootstrapFailed, Node: -1}},
			{200*time.Millisecond + 7, quorum.FromLearn, lost.e}}, "recover", ""},
		{"a person's bootstrap ends no recovery", quorum.MembersOptions{RecoverByClock: true}, []told{lost, {0, quorum.FromBootstrap, quorum.Event{Kind: quorum.BootstrapFailed, Node: -1}},
			{time.Second, quorum.FromLearn, lost.e}}, "", ""},
		{"a person's bootstrap is the cluster", quorum.MembersOptions{}, []told{known, {1, quorum.FromBootstrap, quorum.Event{Kind: quorum.Bootstrapped, Cfg: d0}}}, "", "d.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := quorum.NewMembers(memberParams, tt.o)
			var got quorum.Tasks
			for _, v := range tt.events {
				got.Reset()
				m.Note(quorum.Time(v.at), v.from, v.e, 7, &got)
			}
			if words := taskWords(got); words != tt.want {
				t.Errorf("tasks %q, want %q", words, tt.want)
			}
			if brief(m.Config()) != tt.cfg {
				t.Errorf("known: %q, want %q", brief(m.Config()), tt.cfg)
			}
		})
	}
}

// TestMembersAsk: those who need the configuration begin one Learn, whatever
// their number, and another one only after that has ended.
func TestMembersAsk(t *testing.T) {
	m := quorum.NewMembers(memberParams, quorum.MembersOptions{})
	for _, tt := range []struct {
		event quorum.EventKind // before
		cfg   string
		want  string
	}{
		{0, "", "learn"}, {0, "", ""}, {quorum.NotKnown, "", "learn"}, {quorum.Known, "c.0", ""}, {0, "c.0", ""},
	} {
		var out quorum.Tasks
		if tt.event != 0 {
			m.Note(0, quorum.FromLearn, quorum.Event{Kind: tt.event, Cfg: viewed("c", 0).String(), Reason: quorum.NoQuorum}, 0, &out)
		}
		if cfg := brief(m.Ask(&out)); cfg != tt.cfg || taskWords(out) != tt.want {
			t.Errorf("after event %d: %q and %q, want %q and %q", tt.event, cfg, taskWords(out), tt.cfg, tt.want)
		}
	}
}

// membersTwin decides the same from a list of all that happened.
type membersTwin struct {
	o       quorum.MembersOptions
	cfg     string
	running map[string]bool        // machines under way
	fails   map[int]int            // node → Rejoins that failed in a row
	pause   map[string]quorum.Time // machine → not again before
	out     map[int]bool           // nodes told as unadmitted
	sealed  map[int]quorum.Time    // node → end of its quarantine
}

// begin starts a machine unless it runs or pauses; it reports whether it did.
func (w *membersTwin) begin(now quorum.Time, machine string) bool {
	if w.running[machine] || now < w.pause[machine] {
		return false
	}
	w.running[machine] = true
	return true
}

// note returns the tasks in words and whether the node's standing changed.
func (w *membersTwin) note(now quorum.Time, from quorum.Source, e quorum.Event, random uint64) (tasks string, changed bool) {
	rejoin, catchUp := fmt.Sprint("rejoin ", e.Node), fmt.Sprint("catch up ", e.Node)
	switch e.Kind {
	case quorum.Failed:
		if (e.Reason == quorum.NeedsOperator || e.Reason == quorum.ClusterChanged) && e.Cfg == w.cfg {
			w.cfg = ""
		}
	case quorum.NewView, quorum.Readmitted, quorum.AlreadyAdmitted:
		if w.cfg != "" && e.Cfg != "" {
			w.cfg = quorum.JoinConfig(w.cfg, e.Cfg)
		}
		if e.Kind != quorum.NewView {
			delete(w.running, rejoin)
			delete(w.fails, e.Node)
			delete(w.out, e.Node)
			delete(w.sealed, e.Node)
			return "", true
		}
	case quorum.OldView:
		if w.cfg != "" && w.begin(now, catchUp) {
			tasks = fmt.Sprintf("%s from %s to %s", catchUp, brief(e.Cfg), brief(w.cfg))
		}
	case quorum.CaughtUp, quorum.CatchUpFailed:
		delete(w.running, catchUp)
	case quorum.Unadmitted:
		changed = !w.out[e.Node]
		w.out[e.Node] = true
		if from == quorum.FromCatchUp {
			delete(w.running, catchUp)
		}
		if w.cfg != "" && !w.o.NoRejoin && w.begin(now, rejoin) {
			tasks = fmt.Sprintf("%s under %s after %v", rejoin, brief(w.cfg), time.Duration(random%uint64(100*time.Millisecond)))
		}
	case quorum.Sealed:
		w.sealed[e.Node] = e.Deadline
	case quorum.RejoinFailed:
		w.fails[e.Node]++
		pause := 50 * time.Millisecond
		for range w.fails[e.Node] {
			pause = min(2*pause, time.Second)
		}
		w.pause[rejoin] = now.Add(pause).Add(time.Duration(random % uint64(pause)))
		delete(w.running, rejoin)
		delete(w.out, e.Node)
		delete(w.sealed, e.Node)
	case quorum.Known:
		w.cfg = e.Cfg
		delete(w.running, "learn")
	case quorum.NotKnown:
		delete(w.running, "learn")
		if e.Reason == quorum.NeedsOperator && w.o.RecoverByClock && w.begin(now, "recover") {
			tasks = "recover"
		}
	case quorum.Bootstrapped, quorum.BootstrapFailed:
		if e.Kind == quorum.Bootstrapped {
			w.cfg = e.Cfg
			clear(w.out)
		}
		if from == quorum.FromRecovery {
			delete(w.running, "recover")
			w.pause["recover"] = now.Add(200 * time.Millisecond).Add(time.Duration(random % uint64(200*time.Millisecond)))
		}
	}
	return tasks, changed
}

// drawTold draws an event and who tells it: also such as never come together,
// for what happens then is defined all the same.
func drawTold(t *rapid.T) (quorum.Source, quorum.Event) {
	e := quorum.Event{
		Kind: among(t, "event", quorum.Won, quorum.Failed, quorum.NewView, quorum.OldView, quorum.Unadmitted, quorum.Unadmitted,
			quorum.Unadmitted, quorum.Known, quorum.Known, quorum.NotKnown, quorum.NotKnown, quorum.Sealed, quorum.Readmitted,
			quorum.AlreadyAdmitted, quorum.RejoinFailed, quorum.RejoinFailed, quorum.CaughtUp, quorum.CatchUpFailed,
			quorum.Bootstrapped, quorum.BootstrapFailed, quorum.TookRaise, quorum.OtherCluster),
		Node:     index.Draw(t, "node") % 3,
		Reason:   among(t, "reason", quorum.NeedsOperator, quorum.NoQuorum, quorum.ClusterChanged, quorum.Held),
		Cfg:      viewed(among(t, "cluster", "c", "c", "c", "d"), index.Draw(t, "view")%4).String(),
		Deadline: quorum.Time(percent.Draw(t, "deadline")),
	}
	if e.Kind == quorum.AlreadyAdmitted && rapid.Bool().Draw(t, "no cfg") {
		e.Cfg = ""
	}
	return among(t, "from", quorum.FromHold, quorum.FromLearn, quorum.FromRejoin, quorum.FromCatchUp, quorum.FromRecovery, quorum.FromBootstrap), e
}

// TestMembersTwin plays random events at random times.
func TestMembersTwin(t *testing.T) {
	begun := map[string]int{}
	check(t, 3000, func(rt *rapid.T) {
		o := quorum.MembersOptions{NoRejoin: index.Draw(rt, "no rejoin")%4 == 0, RecoverByClock: rapid.Bool().Draw(rt, "recover")}
		m := quorum.NewMembers(memberParams, o)
		w := membersTwin{o, "", map[string]bool{}, map[int]int{}, map[string]quorum.Time{}, map[int]bool{}, map[int]quorum.Time{}}
		now := quorum.Time(0)
		for range 60 {
			now = now.Add(time.Duration(percent.Draw(rt, "time")) * 300 * time.Microsecond)
			var out quorum.Tasks
			want, changed := "", false
			if index.Draw(rt, "ask")%8 == 0 {
				m.Ask(&out)
				if w.cfg == "" && w.begin(now, "learn") {
					want = "learn"
				}
			} else {
				from, e := drawTold(rt)
				random := rapid.Uint64().Draw(rt, "random")
				before := m
				got := m.Note(now, from, e, random, &out)
				if !e.Kind.ForMembers() && m != before {
					rt.Fatalf("event %d is said not to concern Members, and changed it", e.Kind)
				}
				if want, changed = w.note(now, from, e, random); got != changed {
					rt.Fatalf("%+v from %d: a changed standing %v, want %v", e, from, got, changed)
				}
			}
			if got := taskWords(out); got != want {
				rt.Fatalf("at %v: tasks %q, want %q", now, got, want)
			}
			if want != "" {
				begun[strings.Fields(want)[0]]++
			}
			if m.Config() != w.cfg {
				rt.Fatalf("known: %q, want %q", brief(m.Config()), brief(w.cfg))
			}
			if last := slices.Max(append(slices.Collect(maps.Values(w.sealed)), 0)); m.Quarantined() != last {
				rt.Fatalf("quarantine until %v, want %v", m.Quarantined(), last)
			}
			for i := range 3 {
				if at := w.pause[fmt.Sprint("rejoin ", i)]; m.NotBefore(i) != at {
					rt.Fatalf("no rejoin of %d before %v, want %v", i, m.NotBefore(i), at)
				}
			}
		}
	})
	for _, task := range []string{"learn", "rejoin", "catch", "recover"} {
		if begun[task] == 0 && manyRuns(t) {
			t.Errorf("no %s was begun", task)
		}
	}
}
