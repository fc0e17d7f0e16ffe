package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// StoryOutcome is what became of a directed story.
type StoryOutcome struct {
	Name  string
	Why   string
	Tries int
	Told  bool   // it came to its end
	Error string // why not
	Begin time.Duration
	End   time.Duration
}

// errGone says that a routine must end at once.
var errGone = errors.New("the run is over")

// teller tells one story.
type teller struct {
	run     *run
	story   *scenario.Story
	lock    *lock
	routine *routine
	key     stream
	asked   uint64
	threads map[string]*thread

	// of one try
	holds  map[string]*lease
	faults map[string]*strike
}

// lease is what a story calls by a name: an acquire that is done, or under way
// in a routine of its own.
type lease struct {
	thread  *thread
	attempt *attempt // nil until it is had
	pending bool
}

// startStory has a story told when its time has come.
func (r *run) startStory(i int) {
	s := &r.plan.Stories[i]
	t := &teller{run: r, story: s, lock: r.lockNamed(s.Key), key: r.key.named(s.Name), threads: map[string]*thread{}}
	out := &StoryOutcome{Name: s.Name, Why: s.Why}
	r.stories = append(r.stories, out)
	t.routine = r.start(nil, t.key, func(of *routine) {
		for r.now < int64(s.At) || s.After && r.telling(i) {
			if !of.pause(nil, max(int64(s.At), r.now+int64(10*time.Millisecond))) {
				return
			}
		}
		t.tell(out)
		r.told++
		r.left()
	})
}

// telling tells whether a story that comes first is still being told.
func (r *run) telling(before int) bool {
	for i := range before {
		if !r.plan.Stories[i].After && r.stories[i].End == 0 {
			return true
		}
	}
	return false
}

// tell tells the story until it ends as it must, or no try is left.
func (t *teller) tell(out *StoryOutcome) {
	r := t.run
	out.Begin = time.Duration(r.now)
	for out.Tries < t.story.Tries && !out.Told {
		out.Tries++
		t.holds, t.faults = map[string]*lease{}, map[string]*strike{}
		err := t.steps()
		if errors.Is(err, errGone) {
			return
		}
		out.Told = err == nil
		if out.Error = ""; err != nil {
			out.Error = err.Error()
		}
		if !t.cleanUp() {
			return
		}
	}
	out.End = time.Duration(r.now)
}

func (t *teller) steps() error {
	counts := t.run.pathCounts(pathNamed(t.story.Path))
	for i := range t.story.Steps {
		s := &t.story.Steps[i]
		if err := t.step(s, counts); err != nil {
			if errors.Is(err, errGone) {
				return err
			}
			return fmt.Errorf("step %d (%s %s): %w", i+1, s.Do, s.As, err)
		}
	}
	return nil
}

// cleanUp leaves nothing behind for the next try.
func (t *teller) cleanUp() (alive bool) {
	for i := range t.story.Steps { // in their order, for maps have none
		as := t.story.Steps[i].As
		if s := t.faults[as]; s != nil {
			delete(t.faults, as)
			t.run.heal(s)
		}
		if t.holds[as] != nil && t.unlock(as) != nil {
			return false
		}
	}
	return true
}

func (t *teller) step(s *scenario.Step, before []uint64) error {
	r := t.run
	switch s.Do {
	case scenario.DoFault:
		return t.fault(s)
	case scenario.DoHeal:
		return t.heal(s.As)
	case scenario.DoLock, scenario.DoStart:
		return t.acquire(s)
	case scenario.DoAwait:
		return t.await(s)
	case scenario.DoRefuse:
		return t.refuse(s)
	case scenario.DoUnlock:
		return t.unlock(s.As)
	case scenario.DoExtend:
		return t.extend(s)
	case scenario.DoWrite:
		l, err := t.held(s.As)
		if err == nil {
			l.thread.finishWork(l.attempt, l.thread.beginWork(l.attempt))
		}
		return err
	case scenario.DoEnd:
		l, err := t.held(s.As)
		if err != nil {
			return err
		}
		return t.until(s, l.thread.client, func() bool { return l.attempt.lost || l.attempt.released }, "the lease goes on")
	case scenario.DoPause:
		return t.until(s, nil, func() bool { return false }, "")
	case scenario.DoPath:
		return t.path(s, before)
	case scenario.DoAdmit:
		return t.until(s, nil, func() bool {
			r.watchers = append(r.watchers, t.routine)
			return !r.anyOut(s.Nodes)
		}, "a node is not admitted")
	case scenario.DoCrash:
		return t.crash(s)
	case scenario.DoMessage:
		return t.message(s)
	}
	return fmt.Errorf("unknown verb %q", s.Do)
}

// until waits until done says so, for as long as the step allows; an empty
// complaint means that it is no failure if the time passes.
func (t *teller) until(s *scenario.Step, c *client, done func() bool, complaint string) error {
	limit := t.run.now + int64(s.Within)
	for !done() {
		if t.run.now >= limit {
			if complaint == "" {
				return nil
			}
			return errors.New(complaint)
		}
		if !t.routine.pause(nil, min(limit, t.run.now+int64(5*time.Millisecond))) {
			return errGone
		}
		if c != nil && c.dead {
			return errors.New(c.name + " has crashed")
		}
	}
	return nil
}

// fault begins a fault, once nothing is in its way. A memory that was lost is
// given back to a running server at once; only the wait for its admission is
// left to heal.
func (t *teller) fault(s *scenario.Step) error {
	r := t.run
	f := scenario.Fault{
		Kind: s.Kind, At: scenario.Duration(r.now), Nodes: s.Nodes, Clients: s.Clients, Direction: s.Direction,
		Latency: s.Latency, By: s.By, Rate: s.Rate, Force: s.Force,
	}
	why := ""
	wait := scenario.Step{Within: scenario.Duration(5 * time.Second)}
	if err := t.until(&wait, nil, func() bool { why = r.mayStrike(&f); return why == "" }, "postponed"); err != nil {
		if why != "" && !errors.Is(err, errGone) {
			err = errors.New(why)
		}
		return err
	}
	k := r.newStrike(f, t.story.Name)
	r.beginStrike(k)
	t.faults[s.As] = k
	if f.Kind.LosesVote() && f.Kind != scenario.Replace {
		r.heal(k)
	}
	return nil
}

// heal heals a fault and waits until it is over.
func (t *teller) heal(as string) error {
	k := t.faults[as]
	delete(t.faults, as)
	if k == nil {
		return nil
	}
	t.run.heal(k)
	wait := scenario.Step{Within: scenario.Duration(20 * time.Second)}
	k.tellers = append(k.tellers, t.routine)
	return t.until(&wait, nil, func() bool { return !k.active }, "the fault does not end")
}

// thread is the story's thread of control in a client.
func (t *teller) thread(name string) (*thread, error) {
	c := t.run.clientNamed(name)
	if c.dead {
		return nil, errors.New(name + " has crashed")
	}
	if t.threads[name] == nil {
		t.threads[name] = c.thread(t.routine, false)
	}
	return t.threads[name], nil
}

func (t *teller) held(as string) (*lease, error) {
	if l := t.holds[as]; l != nil && l.attempt != nil {
		return l, nil
	}
	return nil, fmt.Errorf("no lease %q", as)
}

// want is how the story's lock is wanted. The hint is off in stories, unless
// the step says otherwise: it would make up for much of what they are to show.
func (t *teller) want(s *scenario.Step) want {
	l := t.lock
	if s.Key != "" {
		l = t.run.lockNamed(s.Key)
	}
	t.asked++
	return want{lock: l, once: s.Once, within: int64(s.Within), noRenew: !s.Renew, noHint: !s.Hint, key: t.key.sub(t.asked)}
}

// acquire acquires, or begins to.
func (t *teller) acquire(s *scenario.Step) error {
	th, err := t.thread(s.Client)
	if err != nil {
		return err
	}
	w := t.want(s)
	if s.Do == scenario.DoStart {
		l := &lease{pending: true}
		t.holds[s.As] = l
		c := th.client
		t.run.start(c, w.key, func(of *routine) {
			l.thread = c.thread(of, false)
			a, alive := l.thread.acquire(w)
			if !alive {
				return
			}
			l.attempt, l.pending = a, false
			t.routine.wake()
		})
		return nil
	}
	a, alive := th.acquire(w)
	switch {
	case !alive:
		return errGone
	case a != nil:
		th.adopt(a)
		t.holds[s.As] = &lease{thread: th, attempt: a}
		if s.Fail && !s.Keep {
			return t.unlock(s.As)
		}
	case !s.Fail:
		return errors.New("the acquire failed")
	}
	return nil
}

// adopt has a lease's news go to this thread's routine.
func (t *thread) adopt(a *attempt) { a.waiter = t.routine }

// await waits for an acquire that was started.
func (t *teller) await(s *scenario.Step) error {
	l := t.holds[s.As]
	if l == nil {
		return fmt.Errorf("no lease %q", s.As)
	}
	err := t.until(s, nil, func() bool { return !l.pending }, "the acquire goes on")
	if err != nil {
		return err
	}
	l.thread.routine = t.routine // from here on the story speaks for it
	if l.attempt == nil {
		delete(t.holds, s.As)
		if !s.Fail {
			return errors.New("the acquire failed")
		}
		return nil
	}
	l.thread.adopt(l.attempt)
	return nil
}

// refuse tries to acquire again and again. When it succeeds, the history says
// so, and whoever judges it will see.
func (t *teller) refuse(s *scenario.Step) error {
	th, err := t.thread(s.Client)
	if err != nil {
		return err
	}
	limit := t.run.now + int64(s.Within)
	for t.run.now < limit {
		w := t.want(s)
		w.once, w.noRenew = true, true
		w.within = min(w.within, limit-t.run.now)
		a, alive := th.acquire(w)
		if !alive || a != nil && !th.release(a) ||
			!t.routine.sleep(th.client, int64(t.run.plan.Poll), func() bool { return false }) {
			return errGone
		}
	}
	return nil
}

func (t *teller) unlock(as string) error {
	l := t.holds[as]
	if l == nil || l.attempt == nil || l.thread.dead {
		return nil
	}
	delete(t.holds, as)
	if !l.thread.release(l.attempt) {
		return errGone
	}
	return nil
}

func (t *teller) extend(s *scenario.Step) error {
	l, err := t.held(s.As)
	if err != nil {
		return err
	}
	ttl := t.run.plan.TTL
	if s.For != 0 {
		ttl = s.For
	}
	if !l.thread.extend(l.attempt, ttl) {
		return errGone
	}
	return nil
}

// path waits until the story's path was taken since the story began.
func (t *teller) path(s *scenario.Step, before []uint64) error {
	r := t.run
	taken := func() bool {
		for i, n := range r.pathCounts(pathNamed(t.story.Path)) {
			if n > before[i] && (s.Client == "" || r.clients[i].name == s.Client) {
				return true
			}
		}
		return false
	}
	return t.until(s, nil, taken, fmt.Sprintf("the path %q was not taken", t.story.Path))
}

func (t *teller) crash(s *scenario.Step) error {
	r := t.run
	if r.clientNamed(s.Client).dead {
		return nil
	}
	k := r.newStrike(scenario.Fault{Kind: scenario.Crash, At: scenario.Duration(r.now), Clients: []string{s.Client}}, t.story.Name)
	r.beginStrike(k)
	r.heal(k)
	return nil
}

// message decides what befalls the next calls.
func (t *teller) message(s *scenario.Step) error {
	c := t.run.clientNamed(s.Client)
	for i, name := range t.run.plan.Nodes {
		hit := len(s.Nodes) == 0
		for _, n := range s.Nodes {
			hit = hit || n == name
		}
		if !hit {
			continue
		}
		count := s.Count
		if count == 0 {
			count = -1
		}
		c.links[i].fates = append(c.links[i].fates, fate{op: opOf(s.Op), what: s.Fate, late: int64(s.Latency), count: count})
	}
	return nil
}
