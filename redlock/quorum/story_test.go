package quorum_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into the stories of testdata")

// TestStories runs every story under testdata. A story is a text: its comments
// tell what the reader should see, a line that begins with > is a command, and
// the indented lines below it are what happened. README.md beside them lists
// the commands. What must hold in every story is judged after every command.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runStory(t, file) })
	}
}

func runStory(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "# ") {
		t.Fatalf("%s does not begin with a title", file)
	}
	s := &story{old: map[string]map[int]string{}}
	var got strings.Builder
	for n, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		got.WriteString(line + "\n")
		command, ok := strings.CutPrefix(line, "> ")
		if !ok {
			if line != "" && line[0] != '#' {
				t.Fatalf("%s:%d: %q is neither a command nor a comment", file, n+1, line)
			}
			continue
		}
		s.out = &got
		err := s.run(strings.Fields(command))
		if s.world != nil {
			err = errors.Join(err, s.check())
		}
		if err != nil {
			t.Fatalf("%s:%d: %s: %v\n%s", file, n+1, command, err, got.String())
		}
	}
	if got.String() == string(text) {
		return
	}
	if !*rewrite {
		t.Fatalf("%s: something else happened; where that is right, run go test -rewrite\n%s", file, diff(string(text), got.String()))
	}
	if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// diff shows the first lines in which two texts differ.
func diff(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-3)
	return fmt.Sprintf("from line %d, want:\n%s\ngot:\n%s", i+1,
		strings.Join(a[from:min(len(a), i+6)], "\n"), strings.Join(b[from:min(len(b), i+6)], "\n"))
}

// story is a world that is told what to do by commands.
type story struct {
	*world
	out interface{ WriteString(string) (int, error) }
	old map[string]map[int]string // client → node → the older configuration it showed
}

func (s *story) say(format string, args ...any) {
	fmt.Fprintf(s.out.(interface{ Write([]byte) (int, error) }), "  %7.3fs  %s\n", s.at.Seconds(), fmt.Sprintf(format, args...))
}

// run executes one command.
func (s *story) run(words []string) error {
	name, args := words[0], words[1:]
	if s.world == nil && name != "cluster" {
		return errors.New("a story begins with: cluster N")
	}
	switch name {
	case "cluster":
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		s.world = newWorld(n, 10*time.Second)
		s.log = s.say
		return nil
	case "boot":
		return s.bootQuietly(args)
	case "advance":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		return s.pass(d, args[1:])
	}
	if f := faultCommands[name]; f != nil {
		return f(s, args)
	}
	if len(args) == 0 {
		return errors.New("no such command")
	}
	return s.actorCommand(name, args[0], args[1:])
}

// pass lets time pass. After "run" calls are delivered at once meanwhile, but
// for those to the nodes named after "without".
func (s *story) pass(d time.Duration, args []string) error {
	s.between = func() {}
	if len(args) > 0 {
		if args[0] != "run" || len(args) > 1 && args[1] != "without" {
			return fmt.Errorf("advance %v %v: run [without n1 …] is known", d, args)
		}
		nodes := slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return slices.Contains(args[1:], n) })
		s.between = func() {
			for _, a := range s.actors {
				s.deliverAll(a, nodes)
			}
		}
	}
	s.advance(s.at + d)
	return nil
}

// bootQuietly admits all nodes.
func (s *story) bootQuietly(args []string) error {
	s.quiet = true
	a, err := s.start("boot", "bootstrap", args)
	if err != nil {
		return err
	}
	s.deliverAll(a, nil)
	s.quiet = false
	if !a.ended[quorum.Bootstrapped] {
		return errors.New("the nodes could not be bootstrapped")
	}
	s.boot = s.cfg["boot"]
	s.say("all nodes are admitted to %s", clusterWords(s.boot))
	return nil
}

// option returns the value of name=value among the words.
func option(args []string, name, missing string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
	}
	return missing
}

func (s *story) node(name string) (int, error) {
	i := slices.Index(s.names, name)
	if i < 0 {
		return 0, fmt.Errorf("no node %q", name)
	}
	return i, nil
}

func (s *story) server(label string) (*server, error) {
	for _, v := range s.servers {
		if v.label == label {
			return v, nil
		}
	}
	return nil, fmt.Errorf("no server %q", label)
}

// start puts a machine to work.
func (s *story) start(name, kind string, args []string) (*actor, error) {
	if s.actor(name) != nil {
		return nil, fmt.Errorf("%s was there before; use %s2", name, name)
	}
	client := strings.TrimRight(name, "0123456789")
	switch kind {
	case "lock":
		ttl, err := time.ParseDuration(option(args, "ttl", "2s"))
		hint, err2 := strconv.ParseUint(option(args, "hint", "0"), 10, 64)
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		r := quorum.Request{TTL: ttl, Hint: hint, Auto: slices.Contains(args, "auto")}
		if slices.Contains(args, "untimed") {
			r.Untimed = 1<<s.p.N - 1
		}
		if keeper := option(args, "line", ""); keeper != "" {
			node, err := s.node(keeper)
			if err != nil {
				return nil, err
			}
			r.Keeper, r.First = node+1, slices.Contains(args, "first")
			r.Place = quorum.Place{Client: client, Number: 1, Turn: 20 * time.Millisecond}
		}
		a := s.lock(name, args[0], r)
		s.step(a, a.hold.Start)
		return a, nil
	case "learn":
		m := quorum.NewLearn(s.p, s.names, name)
		a := s.add(name, &m)
		s.step(a, m.Start)
		return a, nil
	case "bootstrap":
		mode := map[string]quorum.BootstrapMode{
			"new": quorum.NewCluster, "operator": quorum.ByOperator, "clock": quorum.ByClock,
		}[option(args, "by", "new")]
		m := quorum.NewBootstrap(s.p, mode, s.names, name)
		a := s.add(name, &m)
		s.step(a, m.Start)
		return a, nil
	}
	node, err := s.node(args[0])
	if err != nil {
		return nil, err
	}
	cfg, err := quorum.ParseConfig(s.config(client))
	if err != nil {
		return nil, err
	}
	if kind == "rejoin" {
		m := quorum.NewRejoin(s.p, node, cfg, name)
		a := s.add(name, &m)
		s.step(a, m.Start)
		return a, nil
	}
	theirs, err := quorum.ParseConfig(s.old[client][node])
	if err != nil {
		return nil, fmt.Errorf("%s has shown no older view: %w", args[0], err)
	}
	m := quorum.NewCatchUp(s.p, node, cfg, theirs)
	a := s.add(name, &m)
	s.step(a, m.Start)
	return a, nil
}

// actorCommand executes a command of one machine.
func (s *story) actorCommand(name, verb string, args []string) error {
	switch verb {
	case "lock", "learn", "bootstrap", "rejoin", "catchup":
		_, err := s.start(name, verb, args)
		return err
	}
	a := s.actor(name)
	if a == nil {
		return fmt.Errorf("%s does nothing yet", name)
	}
	switch verb {
	case "run":
		s.deliverAll(a, args)
		return nil
	case "freeze", "thaw":
		a.frozen = verb == "freeze"
		if !a.frozen {
			s.step(a, a.machine.Tick)
		}
		return nil
	case "unlock", "cancel", "extend", "wait", "show", "leave":
		if a.hold == nil {
			return fmt.Errorf("%s is no hold", name)
		}
		return s.holdCommand(a, verb, args)
	}
	return s.callCommand(a, verb, args)
}

func (s *story) holdCommand(a *actor, verb string, args []string) error {
	h := a.hold
	switch verb {
	case "unlock":
		s.step(a, func(now quorum.Time, out *quorum.Effects) {
			if !h.Unlock(now, out) {
				s.say("%s has nothing to unlock", a.name)
			}
		})
	case "cancel":
		s.step(a, h.Cancel)
	case "leave":
		s.step(a, func(now quorum.Time, out *quorum.Effects) { h.Leave(now, out) })
	case "extend":
		ttl, err := time.ParseDuration(option(args, "ttl", "2s"))
		if err != nil {
			return err
		}
		s.step(a, func(now quorum.Time, out *quorum.Effects) {
			if h.Extend(now, ttl, out) == 0 {
				s.say("%s has nothing to prolong", a.name)
			}
		})
	case "wait":
		poll, err := time.ParseDuration(option(args, "poll", "10s"))
		if err != nil {
			return err
		}
		w := quorum.NewWaiter(s.p, quorum.WaiterOptions{Poll: poll})
		w.Refused(s.now(a), h, 0)
		s.say("%s asks again at %s", a.name, s.moment(a, w.Next()))
	case "show":
		nodes := ""
		for i := range s.p.N {
			if h.Keeps(i) {
				nodes += " " + s.route(a.client, i).label
			}
		}
		if nodes == "" {
			nodes = " no node"
		}
		s.say("%s counts on%s, until %s", a.name, nodes, s.moment(a, h.Deadline()))
	}
	return nil
}

// find returns the first call in the air to a node of which want holds.
func (s *story) find(a *actor, node int, op string, want func(*flight) bool) *flight {
	for _, f := range a.air {
		if f.ref.Node == node && (op == "" || f.ref.Op.String() == op) && want(f) {
			return f
		}
	}
	return nil
}

// callCommand moves calls that are in the air: all the commands of one call,
// for each of the nodes named. A word in capitals picks a call by its script.
func (s *story) callCommand(a *actor, verb string, args []string) error {
	op := ""
	args = slices.DeleteFunc(slices.Clone(args), func(w string) bool {
		isOp := w == strings.ToUpper(w)
		if isOp {
			op = w
		}
		return isOp
	})
	if slices.Equal(args, []string{"all"}) {
		args = s.names
	}
	for _, name := range args {
		node, err := s.node(name)
		if err != nil {
			return err
		}
		f := s.find(a, node, op, func(f *flight) bool {
			return f.deaf == (verb == "late") && (verb == "answer") == f.applied
		})
		if f == nil {
			return fmt.Errorf("nothing of %s is on its way to %s", a.name, name)
		}
		if err := s.move(a, f, verb); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) move(a *actor, f *flight, verb string) error {
	switch verb {
	case "deliver":
		s.tell(a, f, s.apply(a, f))
		s.answer(a, f, f.reply)
	case "retry": // the driver sends it twice, and hears the second answer
		s.say("%s executes it, the answer is lost, and the driver sends it again", f.to.label)
		s.apply(a, f)
		s.tell(a, f, s.apply(a, f))
		s.answer(a, f, f.reply)
	case "apply":
		s.tell(a, f, s.apply(a, f))
		f.applied = true
	case "answer":
		s.say("the answer of %s arrives", f.to.label)
		s.answer(a, f, f.reply)
	case "lose":
		s.say("%s of %s to %s is lost", f.ref.Op, a.name, f.to.label)
		s.drop(a, f)
		s.fail(a, f, false)
	case "unsent":
		s.say("%s of %s to %s was never sent", f.ref.Op, a.name, f.to.label)
		s.drop(a, f)
		s.fail(a, f, true)
	case "lose-reply":
		s.tell(a, f, s.apply(a, f))
		s.say("but the answer is lost")
		s.drop(a, f)
		s.fail(a, f, false)
	case "stall":
		s.say("%s of %s to %s is held up; %s gives up on an answer", f.ref.Op, a.name, f.to.label, a.name)
		f.deaf = true
		s.fail(a, f, false)
	case "late":
		s.say("%s of %s reaches %s only now", f.ref.Op, a.name, f.to.label)
		s.tell(a, f, s.apply(a, f))
		s.answer(a, f, f.reply)
	default:
		return fmt.Errorf("no such command: %s", verb)
	}
	return nil
}

// tell says what a node answered and remembers it.
func (s *story) tell(a *actor, f *flight, r script.Reply) {
	f.reply = r
	if r.Code == script.OtherConfig {
		if s.old[a.client] == nil {
			s.old[a.client] = map[int]string{}
		}
		s.old[a.client][f.ref.Node] = r.Cfg
	}
	if !s.quiet {
		s.say("%s to %s: %s", f.to.label, a.name, s.replyWords(f.call.Op, r))
	}
}

// deliverAll delivers calls to the named nodes, or to all, until none is left.
func (s *story) deliverAll(a *actor, nodes []string) {
	if len(nodes) == 0 {
		nodes = s.names
	}
	for {
		i := slices.IndexFunc(a.air, func(f *flight) bool {
			return !f.deaf && !f.applied && slices.Contains(nodes, s.names[f.ref.Node])
		})
		if i < 0 {
			return
		}
		f := a.air[i]
		s.tell(a, f, s.apply(a, f))
		s.answer(a, f, f.reply)
	}
}

// faultCommands are what happens to nodes.
var faultCommands = map[string]func(*story, []string) error{
	"wipe":    func(s *story, args []string) error { return s.lose(args, "loses all its keys", (*server).forget) },
	"crash":   func(s *story, args []string) error { return s.restart(args, true) },
	"restart": func(s *story, args []string) error { return s.restart(args, false) },
	"demote": func(s *story, args []string) error {
		return s.lose(args, "becomes a replica", func(v *server) { v.state.Demote() })
	},
	"replace": (*story).replace,
	"route":   (*story).reroute,
	"alias":   (*story).alias,
	"foreign": (*story).foreign,
	"clock":   (*story).jump,
	"show": func(s *story, args []string) error {
		for _, label := range args {
			v, err := s.server(label)
			if err != nil {
				return err
			}
			s.show(v)
		}
		return nil
	},
}

func (s *story) lose(args []string, what string, f func(*server)) error {
	v, err := s.server(args[0])
	if err != nil {
		return err
	}
	f(v)
	s.dirty = true
	s.say("%s %s", v.label, what)
	return nil
}

func (s *story) restart(args []string, empty bool) error {
	what := "restarts with its memory"
	if empty {
		what = "restarts empty"
	}
	return s.lose(args, what, func(v *server) {
		v.state.Restart(s.incarnation())
		if empty {
			v.forget()
		}
	})
}

// replace puts an empty server behind a name; the clients named after "except"
// still reach the old one.
func (s *story) replace(args []string) error {
	node, err := s.node(args[0])
	if err != nil {
		return err
	}
	old := s.behind[node]
	v := s.newServer(old.label + "'")
	s.behind[node] = v
	s.say("%s, an empty server, takes the place of %s", v.label, old.label)
	for _, client := range args[min(2, len(args)):] {
		s.pin(client, node, old)
	}
	return nil
}

// pin fixes which server a client reaches under a name.
func (s *story) pin(client string, node int, v *server) {
	if s.routes[client] == nil {
		s.routes[client] = map[int]*server{}
	}
	s.routes[client][node] = v
	s.say("%s reaches %s under the name %s", client, v.label, s.names[node])
}

// reroute is: route CLIENT NAME SERVER.
func (s *story) reroute(args []string) error {
	node, err := s.node(args[1])
	if err != nil {
		return err
	}
	v, err := s.server(args[2])
	if err != nil {
		return err
	}
	s.pin(args[0], node, v)
	return nil
}

// alias is: alias NAME SERVER, for everybody.
func (s *story) alias(args []string) error {
	node, err := s.node(args[0])
	if err != nil {
		return err
	}
	v, err := s.server(args[1])
	if err != nil {
		return err
	}
	s.behind[node] = v
	s.say("the name %s leads to %s", args[0], v.label)
	return nil
}

// foreign is: foreign NODE KEY ttl=…|forever|list.
func (s *story) foreign(args []string) error {
	v, err := s.server(args[0])
	if err != nil {
		return err
	}
	now := v.now(s.world)
	switch {
	case slices.Contains(args, "list"):
		v.state.SetList(args[1], "somebody", 0, now)
		s.say("somebody puts a list at %s on %s", args[1], v.label)
	case slices.Contains(args, "forever"):
		v.state.Set(args[1], "somebody", 0, now)
		s.say("somebody puts a string without a ttl at %s on %s", args[1], v.label)
	default:
		ttl, err := time.ParseDuration(option(args, "ttl", "5s"))
		if err != nil {
			return err
		}
		v.state.SetNX(args[1], "somebody", ttl.Milliseconds(), now)
		s.say("a redsync client takes %s on %s for %v", args[1], v.label, ttl)
	}
	return nil
}

// jump is: clock NODE DURATION. Exclusion is not judged from there on: the
// clocks broke the promise on which it rests.
func (s *story) jump(args []string) error {
	v, err := s.server(args[0])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	v.clock.base += d
	s.safe = false
	s.say("the clock of %s jumps by %v", v.label, d)
	return nil
}
