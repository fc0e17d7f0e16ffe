package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// opTimeout bounds operations whose context has no deadline.
const opTimeout = 30 * time.Second

// Env is a running set of servers and proxies.
//
// All methods may be called from many goroutines at once.
type Env struct {
	cfg     Config
	backend backend
	proxies *toxiproxy.ApiServer
	links   map[pair]*link // fixed once started

	life context.Context // ends with Close
	kill context.CancelCauseFunc
	ops  sync.WaitGroup // operations under way

	mu      sync.Mutex
	closed  bool
	current []*Node // by name
	all     []*Node // with those that Replace put out of their names
	folders int     // how many Replace has named
	end     func() error
}

type pair struct{ client, node string }

// Start starts all servers and proxies and returns once every server answers,
// directly and through every proxy. The context bounds the start only.
func Start(ctx context.Context, cfg Config) (*Env, error) {
	cfg.Clients = slices.Clone(cfg.Clients)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b, err := newBackend(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	e := &Env{
		cfg: cfg, backend: b, links: make(map[pair]*link),
		proxies: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
	}
	e.life, e.kill = context.WithCancelCause(context.Background())
	e.end = sync.OnceValue(e.shutDown)
	if err := e.up(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// newBackend starts what the servers run in.
func newBackend(ctx context.Context, cfg *Config) (backend, error) {
	if cfg.Backend == BackendContainer {
		return newContainers(ctx, cfg)
	}
	return newProcesses(ctx, cfg)
}

// up starts the servers, then the proxies.
func (e *Env) up(ctx context.Context) error {
	if err := os.MkdirAll(e.cfg.Dir, 0o755); err != nil {
		return &FaultError{Op: "start", Err: err}
	}
	for i := range e.cfg.Nodes {
		name := fmt.Sprintf("n%d", i+1)
		e.current = append(e.current, newNode(e, name, name))
	}
	e.all = slices.Clone(e.current)
	err := each(e.current, func(n *Node) error {
		return n.fault(ctx, "start", func(ctx context.Context) error {
			if err := n.sit(ctx); err != nil {
				return err
			}
			return n.start(ctx)
		})
	})
	if err != nil {
		return err
	}
	var links []*link
	for _, client := range e.cfg.Clients {
		for _, n := range e.current {
			l, err := newLink(e, client, n)
			if err != nil {
				return &FaultError{Op: "start", Node: n.name, Client: client, Err: err}
			}
			e.links[pair{client, n.name}] = l
			links = append(links, l)
		}
	}
	return each(links, func(l *link) error { return l.fault(ctx, "start", l.confirmHealed) })
}

// Close kills all servers, takes down all proxies and returns once they are
// gone. Dir stays. Further calls return the first one's error.
func (e *Env) Close() error { return e.end() }

func (e *Env) shutDown() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.kill(ErrClosed)
	// Servers first: a proxy cannot be relied upon while one does not read.
	errs := []error{e.reapAll()}
	e.ops.Wait()
	// What an operation was just starting.
	errs = append(errs, e.reapAll(), each(e.allLinks(), (*link).close), e.backend.close())
	for _, n := range e.everyNode() {
		if n.seat != nil {
			n.seat.release()
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &FaultError{Op: "close", Err: err}
	}
	return nil
}

// run runs an operation that has what it changes to itself: turn holds one
// value while nobody changes it. The operation ends with the Env at the latest.
func (e *Env) run(ctx context.Context, turn chan struct{}, f func(context.Context) error) error {
	ctx, end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	select {
	case <-turn:
		defer func() { turn <- struct{}{} }()
		err = f(ctx)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil && e.life.Err() != nil {
		// Whatever it says of servers and proxies, this is why.
		return errors.Join(ErrClosed, err)
	}
	return err
}

// begin registers an operation. The caller must call end.
func (e *Env) begin(ctx context.Context) (_ context.Context, end func(), _ error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, ErrClosed
	}
	e.ops.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.life, func() { cancel(ErrClosed) })
	free := func() {}
	if _, ok := ctx.Deadline(); !ok {
		ctx, free = context.WithTimeout(ctx, opTimeout)
	}
	return ctx, func() { free(); stop(); cancel(nil); e.ops.Done() }, nil
}

func (e *Env) reapAll() error {
	return each(e.everyNode(), func(n *Node) error { return n.reap(context.Background()) })
}

func (e *Env) everyNode() []*Node {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// Nodes returns the nodes that bear the names n1, n2, … now, in that order.
func (e *Env) Nodes() []*Node {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.current)
}

// Node returns the node that bears the name now.
func (e *Env) Node(name string) (n *Node, ok bool) {
	for _, n := range e.Nodes() {
		if n.name == name {
			return n, true
		}
	}
	return nil, false
}

// Addr is the host:port of the client's proxy in front of the node, the same
// for the whole run. It is empty for unknown names.
func (e *Env) Addr(client, node string) string {
	if l := e.links[pair{client, node}]; l != nil {
		return l.port.addr()
	}
	return ""
}

func (e *Env) allLinks() []*link {
	links := make([]*link, 0, len(e.links))
	for _, l := range e.links {
		links = append(links, l)
	}
	return links
}

// HealAll repairs everything that faults of this package broke: it reconnects
// and thaws servers, sets their clocks right, restarts dead ones with their memory kept, promotes
// replicas, and heals all links. It returns once every node answers through every proxy. Dead
// servers that were replaced and that no client is routed to stay dead.
func (e *Env) HealAll(ctx context.Context) error {
	// A proxy can hang on a server that does not read, so servers come first.
	err := each(e.everyNode(), func(n *Node) error { return n.fault(ctx, "heal", n.heal) })
	return errors.Join(err, each(e.allLinks(), func(l *link) error { return l.fault(ctx, "heal", l.heal) }))
}

// heal makes the node a primary that answers.
func (n *Node) heal(ctx context.Context) error {
	if n.Disconnected() {
		if err := n.plug(ctx); err != nil {
			return err
		}
	}
	if n.clock != nil && n.clock.wrong() {
		if err := n.clock.set(time.Now(), Clock{}); err != nil {
			return err
		}
	}
	switch {
	case n.Frozen():
		if err := n.thaw(ctx); err != nil {
			return err
		}
	case !n.Running() && n.env.wanted(n):
		return n.start(ctx)
	case !n.Running():
		return nil
	}
	return n.promote(ctx)
}

// wanted reports whether a name or a client's route leads to the node.
func (e *Env) wanted(n *Node) bool {
	if slices.Contains(e.Nodes(), n) {
		return true
	}
	for _, l := range e.links {
		if l.target() == n {
			return true
		}
	}
	return false
}

// each calls f for all items, a few at a time, and joins the errors.
func each[T any](items []T, f func(T) error) error {
	errs := make([]error, len(items))
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(item)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
