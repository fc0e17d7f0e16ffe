package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock"
)

// teller tells one story.
type teller struct {
	run   *run
	story scenario.Story

	// of one try
	threads map[string]*thread
	holds   map[string]*hold
	faults  map[string]func() error
	paths   map[string]int // taken before the try, by client
}

// tell tells the story until it ends as it must, or no try is left.
func (r *run) tell(ctx context.Context, s scenario.Story) StoryOutcome {
	out := StoryOutcome{Name: s.Name, Why: s.Why, Begin: scenario.Duration(r.rec.now())}
	for out.Tries < s.Tries && !out.Told && ctx.Err() == nil {
		out.Tries++
		t := &teller{run: r, story: s, threads: map[string]*thread{}, holds: map[string]*hold{}, faults: map[string]func() error{}, paths: r.pathCounts(string(s.Path))}
		err := t.steps(ctx)
		err = errors.Join(err, t.cleanUp())
		out.Told, out.Error = err == nil, text(err)
		var dead *crashedError
		if errors.As(err, &dead) {
			break
		}
	}
	out.End = scenario.Duration(r.rec.now())
	return out
}

func (t *teller) steps(ctx context.Context) error {
	for i, step := range t.story.Steps {
		if err := t.step(ctx, step); err != nil {
			return fmt.Errorf("step %d (%s %s): %w", i+1, step.Do, step.As, err)
		}
	}
	return nil
}

// cleanUp leaves nothing behind for the next try.
func (t *teller) cleanUp() error {
	var errs []error
	for name := range t.faults {
		errs = append(errs, t.heal(name))
	}
	for name, h := range t.holds {
		if h.lease.Context().Err() == nil {
			t.unlock(name)
		}
	}
	return errors.Join(errs...)
}

func (t *teller) step(ctx context.Context, s scenario.Step) error {
	sctx, cancel := context.WithTimeout(ctx, s.Within.D())
	defer cancel()
	switch s.Do {
	case scenario.DoFault:
		return t.fault(ctx, s)
	case scenario.DoHeal:
		return t.heal(s.As)
	case scenario.DoLock:
		return t.acquire(sctx, s)
	case scenario.DoRefuse:
		return t.refuse(sctx, s)
	case scenario.DoUnlock:
		t.unlock(s.As)
		return nil
	case scenario.DoWrite:
		h, err := t.held(s.As)
		if err == nil {
			th := t.threads[h.owner]
			th.finish(h, th.begin(h))
		}
		return err
	case scenario.DoEnd:
		return t.end(sctx, s)
	case scenario.DoPause:
		<-sctx.Done()
		return ctx.Err()
	case scenario.DoPath:
		return poll(sctx, func() error { return t.taken(s.Client) })
	case scenario.DoAdmit:
		return t.run.injector.admitted(sctx, s.Nodes)
	case scenario.DoCrash:
		return t.run.crash(ctx, s.Client, t.story.Name)
	case scenario.DoExtend:
		h, err := t.held(s.As)
		if err == nil {
			_ = t.threads[h.owner].extend(sctx, h, cmp.Or(s.For, t.run.plan.TTL).D()) // the history says what came of it
		}
		return err
	case scenario.DoBootstrap:
		return t.run.bootstrap(sctx, redlock.BootstrapOptions{})
	}
	return fmt.Errorf("unknown verb %q", s.Do)
}

// fault begins a fault. A lost memory is restored to a running server at once;
// only the wait for its admission is left to heal.
func (t *teller) fault(ctx context.Context, s scenario.Step) error {
	f := scenario.Fault{
		Kind: s.Kind, At: scenario.Duration(t.run.rec.now()), Nodes: s.Nodes, Clients: s.Clients,
		Direction: s.Direction, Latency: s.Latency, By: s.By, Rate: s.Rate, Force: s.Force,
	}
	e := t.run.ledger.open(f, t.story.Name)
	heal, err := t.run.injector.begin(ctx, f, e)
	if err != nil {
		t.run.ledger.miss(e, err.Error())
		return err
	}
	if f.Kind.LosesVote() {
		done := make(chan error, 1)
		cure := heal
		go func() { done <- cure() }()
		heal = func() error { return <-done }
	}
	t.faults[s.As] = heal
	if e.Reason != "" {
		// A story needs every link that it names.
		return errors.New(e.Reason)
	}
	return nil
}

func (t *teller) heal(name string) error {
	heal := t.faults[name]
	delete(t.faults, name)
	if heal == nil {
		return nil
	}
	return heal()
}

// thread is the story's thread of control in a client.
func (t *teller) thread(client string) (*thread, error) {
	c := t.run.clients[client]
	if c == nil {
		return nil, fmt.Errorf("no client %q", client)
	}
	if t.run.rec.dead(client) {
		return nil, &crashedError{client}
	}
	if t.threads[client] == nil {
		t.threads[client] = c.thread()
	}
	return t.threads[client], nil
}

// crashedError says that a story's client is no more.
type crashedError struct{ client string }

func (e *crashedError) Error() string { return e.client + " has crashed" }

func (t *teller) held(name string) (*hold, error) {
	if h := t.holds[name]; h != nil {
		return h, nil
	}
	return nil, fmt.Errorf("no lease %q", name)
}

// mutex is the story's lock as a client sees it. The hint is off in stories,
// unless the step says otherwise: it would make up for much of what they are to
// show.
func (t *teller) mutex(th *thread, s scenario.Step) (*redlock.Mutex, error) {
	opts := []redlock.Option{redlock.TTL(t.run.plan.TTL.D())}
	if !s.Hint {
		opts = append(opts, redlock.NoHint())
	}
	if !s.Renew {
		opts = append(opts, redlock.NoRenew())
	}
	return th.lock.Mutex(t.story.Key, opts...)
}

func (t *teller) acquire(ctx context.Context, s scenario.Step) error {
	th, err := t.thread(s.Client)
	if err != nil {
		return err
	}
	m, err := t.mutex(th, s)
	if err != nil {
		return err
	}
	get := m.Lock
	if s.Once {
		get = m.TryLock
	}
	h, err := th.acquire(ctx, t.story.Key, get)
	if err == nil {
		t.holds[s.As] = h
	}
	if s.Fail {
		if err == nil && !s.Keep {
			t.unlock(s.As)
		}
		return nil
	}
	return err
}

// refuse tries to acquire again and again. When it succeeds, the history says
// so, and whoever judges it will see.
func (t *teller) refuse(ctx context.Context, s scenario.Step) error {
	th, err := t.thread(s.Client)
	if err != nil {
		return err
	}
	m, err := t.mutex(th, s)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if h, err := th.acquire(ctx, t.story.Key, m.TryLock); err == nil {
			t.holds[s.Client] = h
			t.unlock(s.Client)
		}
		th.sleep(ctx, t.run.plan.Poll.D())
	}
	return nil
}

func (t *teller) unlock(name string) {
	h := t.holds[name]
	if h == nil || t.run.rec.dead(h.owner) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*t.run.plan.NodeDeadline.D())
	defer cancel()
	t.threads[h.owner].release(ctx, h)
	delete(t.holds, name)
}

func (t *teller) end(ctx context.Context, s scenario.Step) error {
	h, err := t.held(s.As)
	if err != nil {
		return err
	}
	select {
	case <-h.lease.Context().Done():
		return nil
	case <-ctx.Done():
		return errors.New("the lease goes on")
	}
}

// taken says why the story's path does not count as taken, if so.
func (t *teller) taken(client string) error {
	for name, n := range t.run.pathCounts(string(t.story.Path)) {
		if n > t.paths[name] && (client == "" || client == name) {
			return nil
		}
	}
	return fmt.Errorf("the path %q was not taken", t.story.Path)
}

// pathCounts is how often each client took a path.
func (r *run) pathCounts(path string) map[string]int {
	counts := map[string]int{}
	for name, c := range r.clients {
		counts[name] = c.trace.path(path)
	}
	return counts
}

// crash ends a client as a killed process ends: nothing more of it reaches the
// nodes, and it releases nothing.
func (r *run) crash(ctx context.Context, name, story string) error {
	c := r.clients[name]
	if c == nil {
		return fmt.Errorf("no client %q", name)
	}
	f := scenario.Fault{Kind: scenario.Crash, At: scenario.Duration(r.rec.now()), Clients: []string{name}}
	e := r.ledger.open(f, story)
	cut := scenario.Fault{Kind: scenario.CutNode, Direction: scenario.Both, Clients: f.Clients, Nodes: r.plan.Nodes}
	links, busy := r.injector.claimLinks(cut, e)
	all := links
	if busy != nil {
		// The story's own faults are on them: nobody else strikes its clients.
		all = pairs(cut)
	}
	_, err := r.injector.hurtLinks(ctx, cut, all)
	if err != nil {
		r.ledger.miss(e, err.Error())
		r.injector.freeLinks(links, e)
		return errors.Join(err, r.injector.healLinks(links))
	}
	r.ledger.crash(e)
	c.lock.Close()
	return nil
}

// crash notes the end of the fault's client, which is for ever.
func (l *ledger) crash(e *Entry) {
	l.mu.Lock()
	e.Confirmed, e.Begin = true, scenario.Duration(l.rec.now())
	l.mu.Unlock()
	l.rec.crash(e.Clients[0], l.line(e, 0, linearizability.FaultBegin, nil))
}
