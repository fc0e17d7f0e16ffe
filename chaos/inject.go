package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/testenv"
)

// healPatience bounds the repair of one fault.
const healPatience = 20 * time.Second

// injector makes faults happen. It keeps them from asking the impossible of
// each other where the run has slipped behind its plan: at most spare nodes
// are impaired at once, and a link or a server bears one fault at a time.
type injector struct {
	env    *testenv.Env
	rec    *recorder
	ledger *ledger
	eyes   *sampler
	spare  int

	mu    sync.Mutex          // guards all below
	nodes map[string]int64    // node → the fault that it bears
	links map[[2]string]int64 // client and node → the fault that their link bears
	sick  int                 // faults that are not cured yet; a vote may come back later still

	copies map[string]*testenv.Node // node → the replica that attach left
	walls  map[string]*wall         // client → its clock; fixed before the run begins
}

// hurting counts a fault that begins; the function that it returns counts it
// as cured.
func (in *injector) hurting() (cured func()) {
	add := func(n int) {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.sick += n
	}
	add(1)
	return sync.OnceFunc(func() { add(-1) })
}

// cured waits until no fault is left to be cured.
func (in *injector) cured(ctx context.Context) error {
	return poll(ctx, func() error {
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.sick > 0 {
			return fmt.Errorf("%d faults are not healed", in.sick)
		}
		return nil
	})
}

func newInjector(env *testenv.Env, rec *recorder, l *ledger, eyes *sampler, spare int) *injector {
	return &injector{env: env, rec: rec, ledger: l, eyes: eyes, spare: spare, nodes: map[string]int64{}, links: map[[2]string]int64{}, copies: map[string]*testenv.Node{}, walls: map[string]*wall{}}
}

// strike lets a planned fault happen and heals it; it returns when it is over.
// When ctx ends, the fault is healed at once.
func (in *injector) strike(ctx context.Context, f scenario.Fault) {
	if !in.until(ctx, f.At.D()) {
		return
	}
	e := in.ledger.open(f, "")
	heal, err := in.begin(ctx, f, e)
	if err != nil {
		in.ledger.miss(e, err.Error())
		return
	}
	in.until(ctx, sinceStart(in.rec)+f.For.D())
	if err := heal(); err != nil {
		in.ledger.miss(e, "heal: "+err.Error())
	}
}

// until waits for a time of the run, and tells whether it came before ctx ended.
func (in *injector) until(ctx context.Context, at time.Duration) bool {
	timer := time.NewTimer(at - sinceStart(in.rec))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// begin makes the fault happen and returns what undoes it. An error means that
// nothing is left to undo.
func (in *injector) begin(ctx context.Context, f scenario.Fault, e *Entry) (heal func() error, err error) {
	if begin := in.special(f.Kind); begin != nil {
		return begin(ctx, f, e)
	}
	if f.Kind.OnLinks() {
		return in.beginLinks(ctx, f, e)
	}
	free, err := in.claimNodes(ctx, f, e)
	if err != nil {
		return nil, err
	}
	hurt, cure := in.means(f.Kind)
	if hurt == nil {
		free()
		return nil, fmt.Errorf("no fault of kind %q can be made to nodes", f.Kind)
	}
	cured := in.hurting()
	heal = func() error {
		defer free()
		defer cured()
		ctx, cancel := context.WithTimeout(context.Background(), healPatience)
		defer cancel()
		err := in.onNodes(ctx, f.Nodes, cure)
		cured()
		if err == nil && f.Kind.LosesVote() {
			err = in.admitted(ctx, f.Nodes)
		}
		in.ledger.end(e)
		return err
	}
	if err := in.onNodes(ctx, f.Nodes, hurt); err != nil {
		return nil, errors.Join(err, heal())
	}
	in.ledger.begin(e, nil, true)
	return heal, nil
}

// means is how nodes are hurt and cured.
func (in *injector) means(k scenario.Kind) (hurt, cure func(context.Context, *testenv.Node) error) {
	kill := func(ctx context.Context, n *testenv.Node) error { return n.Kill(ctx) }
	restart := func(m testenv.Memory) func(context.Context, *testenv.Node) error {
		return func(ctx context.Context, n *testenv.Node) error { return n.Restart(ctx, m) }
	}
	switch k {
	case scenario.Kill:
		return kill, restart(testenv.KeepMemory)
	case scenario.Amnesia:
		return kill, restart(testenv.LoseMemory)
	case scenario.FlushAll:
		return func(ctx context.Context, n *testenv.Node) error { return n.FlushAll(ctx) },
			func(context.Context, *testenv.Node) error { return nil }
	case scenario.Freeze, scenario.PauseAll:
		return func(ctx context.Context, n *testenv.Node) error { return n.Freeze(ctx) },
			func(ctx context.Context, n *testenv.Node) error { return n.Thaw(ctx) }
	}
	return nil, nil
}

// onNodes does something to all the nodes at once.
func (in *injector) onNodes(ctx context.Context, names []string, do func(context.Context, *testenv.Node) error) error {
	return together(names, func(name string) error {
		n, ok := in.env.Node(name)
		if !ok {
			return fmt.Errorf("no node %q", name)
		}
		return do(ctx, n)
	})
}

// together calls f for all items at once and joins the errors.
func together[T any](items []T, f func(T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { errs[i] = f(item) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// admitted waits until the nodes have their votes, as seen from now on: a look
// from before may not have seen the loss yet.
func (in *injector) admitted(ctx context.Context, names []string) error {
	now := in.rec.now()
	return poll(ctx, func() error {
		for _, n := range names {
			if !in.eyes.admittedSince(n, now) {
				return fmt.Errorf("%s is not admitted", n)
			}
		}
		return nil
	})
}

// claimNodes waits until the fault may strike: its nodes bear no other fault
// and, with them, no more than spare are impaired. A pause of all only needs
// every server to run.
func (in *injector) claimNodes(ctx context.Context, f scenario.Fault, e *Entry) (free func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = poll(ctx, func() error {
		in.mu.Lock()
		defer in.mu.Unlock()
		if err := in.mayStrike(f); err != nil {
			return err
		}
		for _, n := range f.Nodes {
			if _, busy := in.nodes[n]; !busy {
				in.nodes[n] = e.ID
			}
		}
		return nil
	})
	return func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		for _, n := range f.Nodes {
			if in.nodes[n] == e.ID {
				delete(in.nodes, n)
			}
		}
	}, err
}

// mayStrike says what keeps a fault on nodes from striking now. The injector
// is locked.
func (in *injector) mayStrike(f scenario.Fault) error {
	if f.Kind == scenario.PauseAll {
		for _, n := range in.env.Nodes() {
			if !n.Running() || n.Frozen() {
				return fmt.Errorf("postponed: %s does not run", n.Name())
			}
		}
		return nil
	}
	var impaired []string
	if !f.Force {
		impaired = in.eyes.out()
	}
	for n := range in.nodes {
		impaired = append(impaired, n)
	}
	for _, n := range f.Nodes {
		if slices.Contains(impaired, n) {
			return fmt.Errorf("postponed: %s is impaired already", n)
		}
	}
	impaired = append(impaired, f.Nodes...)
	slices.Sort(impaired)
	if impaired = slices.Compact(impaired); len(impaired) > in.spare && !f.Force {
		return fmt.Errorf("postponed: %v would be impaired, more than the %d nodes that a majority can spare", impaired, in.spare)
	}
	return nil
}

// poll asks check every 10 ms until it is content or ctx ends; then the error
// is check's last.
func poll(ctx context.Context, check func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
