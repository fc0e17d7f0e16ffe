package chaos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// Options say what to run and where its files go.
type Options struct {
	_ struct{}

	// Plan is the run, from scenario.New or scenario.Parse.
	Plan *scenario.Plan

	// Dir receives the history, the results, the schedule and the nodes' logs.
	// It is created if absent and must hold no earlier run.
	Dir string

	// RedisServer is the path of the server's program. Empty means the one
	// that testenv finds.
	RedisServer string

	// Backend is what the nodes run in: "process", which empty means too, or
	// "container".
	Backend string

	// Progress is told how the run goes. Nil means silence.
	Progress io.Writer

	// Terminal says that Progress shows a line that is redrawn.
	Terminal bool

	// Replay is the command that repeats the schedule, for the report.
	Replay string
}

// run is a run under way.
type run struct {
	opts     Options
	plan     *scenario.Plan
	env      *testenv.Env
	rec      *recorder
	board    *board
	password string // of all nodes; empty for processes, which only this machine reaches
	eyes     *sampler
	ledger   *ledger
	injector *injector
	clients  map[string]*client
	began    time.Time

	calm   chan struct{} // closed when the faults are over
	served []atomic.Int64
	healed int64 // when everything had been healed, run time
	told   []StoryOutcome
	early  bool // stopped before its time
}

// Run runs the plan and judges what happened. When ctx ends, the faulted part
// ends early; everything is healed, waited for and judged all the same.
//
// An error means that the harness could not do its work; a violation of the
// lock is a Result. Run leaves nothing running.
func Run(ctx context.Context, opts Options) (res *Result, err error) {
	if opts.Plan == nil || opts.Dir == "" {
		return nil, errors.New("chaos: a plan and a folder are needed")
	}
	if err := errors.Join(opts.Plan.Validate(), opts.Plan.Live()); err != nil {
		return nil, err
	}
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	r := &run{opts: opts, plan: opts.Plan, calm: make(chan struct{}), clients: map[string]*client{}, board: newBoard()}
	if err := prepare(r.opts.Dir, r.plan); err != nil {
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	live := r.live(ctx)
	events := r.rec.end()
	if err := errors.Join(r.close(), live, r.board.failed()); err != nil {
		return nil, r.abandon(events, err)
	}
	return r.conclude(events)
}

func (r *run) path(name string) string { return filepath.Join(r.opts.Dir, name) }

// start brings up the nodes, admits them and connects the clients.
func (r *run) start(ctx context.Context) error {
	names := append(append([]string{}, r.plan.Clients...), r.plan.StoryClients()...)
	where, patience := "", time.Minute
	backend := testenv.Backend(r.opts.Backend)
	if backend == testenv.BackendContainer {
		where, patience = ", in containers", 5*time.Minute // an image may have to be fetched
		r.password = rand.Text()
	}
	fmt.Fprintf(r.opts.Progress, "starting %d Redis servers%s and %d proxies\n", len(r.plan.Nodes), where, len(r.plan.Nodes)*len(names))
	sctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	r.env, err = testenv.Start(sctx, testenv.Config{
		Nodes: len(r.plan.Nodes), Clients: names, Dir: r.path("nodes"), RedisServer: r.opts.RedisServer, Seed: r.plan.Seed,
		Backend: backend, Password: r.password, Clocks: r.plan.SetsClocks(),
	})
	if err != nil {
		return fmt.Errorf("chaos: starting the nodes: %w", err)
	}
	if r.plan.Mute {
		if err := r.mute(sctx); err != nil {
			return err
		}
	}
	// The cluster is new: no lock was ever held and no token issued.
	if err := r.bootstrap(sctx, redlock.BootstrapOptions{NewCluster: true}); err != nil {
		return err
	}
	r.rec = newRecorder(redlock.SystemClock().Now)
	r.eyes = newSampler(r.env, r.rec, r.plan.AllKeys())
	r.ledger = newLedger(r.rec, len(r.plan.Faults))
	r.injector = newInjector(r.env, r.rec, r.ledger, r.eyes, r.plan.Spare())
	r.served = make([]atomic.Int64, len(r.plan.Workers))
	res := newResources()
	for _, name := range names {
		c := &client{name: name, rec: r.rec, trace: newTrace(name, r.rec), res: res, board: r.board}
		cfg, clock := r.config(name, c.trace), &wall{Clock: redlock.SystemClock()}
		cfg.Clock, r.injector.walls[name] = clock, clock
		if c.lock, err = redlock.New(cfg); err != nil {
			return fmt.Errorf("chaos: client %s: %w", name, err)
		}
		r.clients[name] = c
	}
	if err := r.warmUp(sctx); err != nil {
		return err
	}
	r.began = time.Now()
	r.rec.begin()
	return nil
}

// warmUp lets every client acquire once, so that all are connected and know
// the cluster when the run begins.
func (r *run) warmUp(ctx context.Context) error {
	var list []*client
	for _, c := range r.clients {
		list = append(list, c)
	}
	return together(list, func(c *client) error {
		m, err := c.lock.Mutex("warm-up-" + c.name)
		if err != nil {
			return fmt.Errorf("chaos: warming up %s: %w", c.name, err)
		}
		lease, err := m.Lock(ctx)
		if err != nil {
			return fmt.Errorf("chaos: warming up %s: %w", c.name, err)
		}
		// A failed release costs nothing here: the key is the client's own.
		_ = lease.Unlock(ctx)
		return nil
	})
}

// config is a client's configuration. Names of nodes are explicit, since each
// client has proxies, and so addresses, of its own.
func (r *run) config(client string, o redlock.Observer) redlock.Config {
	cfg := redlock.Config{
		MaxTTL: r.plan.TTL.D(), TTL: r.plan.TTL.D(), NodeDeadline: r.plan.NodeDeadline.D(), Drift: r.plan.Drift,
		FenceRetention: r.plan.Retention.D(), Poll: r.plan.Poll.D(), Observer: o,
	}
	for _, n := range r.plan.Nodes {
		node := url.URL{Scheme: "redis", Host: r.env.Addr(client, n)}
		if r.password != "" {
			node.User = url.UserPassword("", r.password)
		}
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: n, URL: node.String()})
	}
	return cfg
}

// live is the run itself. It returns when nothing happens any more and the
// last look at the nodes was taken.
func (r *run) live(ctx context.Context) error {
	watch, unwatch := context.WithCancel(context.Background())
	work, stop := context.WithCancel(context.Background())
	var watchers, workers sync.WaitGroup
	watchers.Go(func() { r.eyes.run(watch) })
	watchers.Go(func() { heartbeat(watch, r.rec) })
	watchers.Go(func() { r.progress(watch) })
	for i := range r.plan.Workers {
		workers.Go(func() { r.worker(i).run(work, r.livenessBound()+time.Second) })
	}
	err := r.faulted(ctx)
	r.tail(ctx)
	stop()
	workers.Wait()
	// Whatever was left on the nodes is an orphan two node deadlines later.
	r.pass(4 * r.plan.NodeDeadline.D())
	unwatch()
	watchers.Wait()
	return err
}

func (r *run) worker(i int) *worker {
	p := r.plan.Workers[i]
	return &worker{
		thread: r.clients[p.Client].thread(), turns: r.plan.Turns(i), keys: r.plan.Keys, ttl: r.plan.TTL.D(), nd: r.plan.NodeDeadline.D(),
		calm: r.calm, served: func() { r.served[i].Store(r.rec.now()) },
	}
}

// faulted is the faulted part: stories, then random faults, then everything is
// healed. Nodes are left to the stories until the last one has been told.
func (r *run) faulted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.plan.Duration.D())
	defer cancel()
	var all sync.WaitGroup
	stories := make(chan struct{})
	all.Go(func() {
		defer close(stories)
		r.tellAll(ctx)
	})
	for _, f := range r.plan.Faults {
		all.Go(func() {
			if !f.Kind.OnLinks() || f.Kind == scenario.CutNode {
				select {
				case <-stories:
				case <-ctx.Done():
					return
				}
			}
			r.injector.strike(ctx, f)
		})
	}
	<-ctx.Done()
	hctx, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	err := errors.Join(r.injector.cured(hctx), r.env.HealAll(hctx))
	r.reconnected(hctx)
	r.healed = r.rec.now()
	close(r.calm)
	all.Wait()
	if err != nil {
		return fmt.Errorf("chaos: healing: %w", err)
	}
	return nil
}

// reconnected waits until every client that lives has connections to all nodes
// again. A client backs off from a node that failed, and what it owes the node, a
// release for one, cannot arrive before it is back. That takes it less than a
// second, so nobody is waited for longer: a client that does not come back is no
// excuse.
func (r *run) reconnected(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// The error is what the judge finds, from the history.
	_ = poll(ctx, func() error {
		for name, c := range r.clients {
			if r.rec.dead(name) {
				continue
			}
			for _, n := range c.lock.Stats().Nodes {
				if s := n.Driver.State; s == redlock.NodeConnecting || s == redlock.NodeDown {
					return fmt.Errorf("%s has no connection to %s", name, n.Name)
				}
			}
		}
		return nil
	})
}

// tellAll tells the stories side by side, and then those that cost a node. A
// story that is alone is told again and again until ctx ends.
func (r *run) tellAll(ctx context.Context) {
	var mu sync.Mutex // guards r.told
	for _, late := range []bool{false, true} {
		var tellers sync.WaitGroup
		for _, s := range r.plan.Stories {
			if s.After != late {
				continue
			}
			tellers.Go(func() {
				if !late && !r.injector.until(ctx, s.At.D()) {
					return
				}
				first := r.tell(ctx, s)
				mu.Lock()
				r.told = append(r.told, first)
				mu.Unlock()
				for told := first.Told; told && r.plan.Story != "" && ctx.Err() == nil; {
					// The one that the end of the run cuts off shows nothing.
					next := r.tell(ctx, s)
					if told = next.Told; told {
						r.told = append(r.told, next)
					}
				}
			})
		}
		tellers.Wait()
	}
}

// tail goes on without faults: at least as long as planned, and until every
// client has acquired since, unless the bound that liveness sets has passed.
func (r *run) tail(ctx context.Context) {
	r.early = ctx.Err() != nil
	r.pass(r.plan.Tail.D())
	limit, cancel := context.WithTimeout(context.Background(), r.livenessBound()+time.Second-r.plan.Tail.D())
	defer cancel()
	// The error is what liveness judges, from the history.
	_ = poll(limit, func() error {
		for i := range r.served {
			if r.served[i].Load() < r.healed {
				return fmt.Errorf("worker %d waits", i)
			}
		}
		return nil
	})
}

// livenessBound is by when after the heal every waiting client must have
// acquired.
func (r *run) livenessBound() time.Duration {
	ttl := r.plan.TTL.D()
	return time.Duration(2*float64(ttl)*(1+r.plan.Drift)) + time.Duration(len(r.plan.Workers))*(r.longestHold()+time.Second)
}

// longestHold is the longest time for which a client means to hold a lock: the
// careless ones hold until the lease ends.
func (r *run) longestHold() time.Duration {
	longest := r.plan.TTL.D()
	for _, w := range r.plan.Workers {
		for _, b := range w.Holds {
			longest = max(longest, b.Max.D())
		}
	}
	return longest
}

// pass lets time go by.
func (r *run) pass(d time.Duration) {
	r.injector.until(context.Background(), sinceStart(r.rec)+d)
}

// close ends clients, then nodes.
func (r *run) close() error {
	var closing sync.WaitGroup
	for _, c := range r.clients {
		if c.lock != nil {
			closing.Go(func() { c.lock.Close() })
		}
	}
	closing.Wait()
	if r.env == nil {
		return nil
	}
	return r.env.Close()
}
