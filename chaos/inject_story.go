package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// The faults that strike in stories only. Nodes that bear one are not counted as
// impaired: the story knows what it asks of them.

// beginFunc makes a fault happen and returns what undoes it.
type beginFunc func(ctx context.Context, f scenario.Fault, e *Entry) (heal func() error, err error)

// special returns how a fault of this kind begins, or nil if it is one of those
// that strike at random too.
func (in *injector) special(k scenario.Kind) beginFunc {
	switch k {
	case scenario.Duplicate:
		return in.duplicate
	case scenario.SameServer:
		return in.sameServer
	case scenario.Slew:
		return in.slew
	case scenario.WallJump:
		return in.jump
	case scenario.Attach:
		return in.attach
	case scenario.Demote:
		return in.demote
	}
	return nil
}

// duplicate copies what the clients send, and sends it once more when it is
// healed. It counts once a node has answered something for the second time.
func (in *injector) duplicate(ctx context.Context, f scenario.Fault, e *Entry) (func() error, error) {
	links, err := in.claimLinks(f, e)
	if err == nil {
		err = together(links, func(l [2]string) error { return in.env.Copy(ctx, l[0], l[1]) })
	}
	if err != nil {
		in.freeLinks(links, e)
		return nil, errors.Join(err, in.healLinks(links))
	}
	return func() error {
		defer in.freeLinks(links, e)
		ctx, cancel := context.WithTimeout(context.Background(), healPatience)
		defer cancel()
		var answers atomic.Int64
		err := together(links, func(l [2]string) error {
			n, err := in.env.Repeat(ctx, l[0], l[1])
			answers.Add(int64(n))
			return err
		})
		switch {
		case err != nil:
			in.ledger.miss(e, err.Error())
		case answers.Load() == 0:
			in.ledger.miss(e, "nothing was sent meanwhile")
		default:
			in.ledger.begin(e, links, false)
		}
		return errors.Join(err, in.healLinks(links))
	}, nil
}

// sameServer leads the clients to the first node's server under the second's name.
func (in *injector) sameServer(ctx context.Context, f scenario.Fault, e *Entry) (func() error, error) {
	if len(f.Nodes) != 2 || len(f.Clients) == 0 {
		return nil, fmt.Errorf("a fault of kind %q needs two nodes and a client, not %v and %v", f.Kind, f.Nodes, f.Clients)
	}
	lead := func(ctx context.Context, links [][2]string, to string) error {
		n, ok := in.env.Node(to)
		if !ok {
			return fmt.Errorf("no node %q", to)
		}
		return together(links, func(l [2]string) error { return in.env.Route(ctx, l[0], l[1], n) })
	}
	of := f
	of.Nodes = f.Nodes[1:]
	links, err := in.claimLinks(of, e)
	cured := in.hurting()
	heal := func() error {
		defer in.freeLinks(links, e)
		defer cured()
		ctx, cancel := context.WithTimeout(context.Background(), healPatience)
		defer cancel()
		err := lead(ctx, links, f.Nodes[1])
		in.ledger.end(e)
		return err
	}
	if err == nil {
		err = lead(ctx, links, f.Nodes[0])
	}
	if err != nil {
		return nil, errors.Join(err, heal())
	}
	in.ledger.begin(e, links, true)
	return heal, nil
}

// slew lets the nodes' clocks run at another rate. It counts once they are seen
// to. Healed, they run as before, from the time that they have reached.
func (in *injector) slew(ctx context.Context, f scenario.Fault, e *Entry) (func() error, error) {
	cured := in.hurting()
	ahead := func(ctx context.Context, n *testenv.Node) (time.Duration, error) {
		t, err := n.Time(ctx)
		return time.Until(t), err
	}
	heal := func() error {
		defer cured()
		ctx, cancel := context.WithTimeout(context.Background(), healPatience)
		defer cancel()
		err := in.onNodes(ctx, f.Nodes, func(ctx context.Context, n *testenv.Node) error {
			by, err := ahead(ctx, n)
			return errors.Join(err, n.SetClock(ctx, testenv.Clock{Offset: by}))
		})
		in.ledger.end(e)
		return err
	}
	err := in.onNodes(ctx, f.Nodes, func(ctx context.Context, n *testenv.Node) error {
		before, err := ahead(ctx, n)
		if err != nil {
			return err
		}
		if err := n.SetClock(ctx, testenv.Clock{Offset: before, PPM: f.Rate}); err != nil {
			return err
		}
		return poll(ctx, func() error {
			now, err := ahead(ctx, n)
			// An answer takes well below a millisecond as a rule.
			if moved := now - before; err == nil && (moved < 5*time.Millisecond && moved > -5*time.Millisecond || moved > 0 != (f.Rate > 0)) {
				err = fmt.Errorf("%s's clock runs as before: it moved by %v", n.Name(), moved)
			}
			return err
		})
	})
	if err != nil {
		return nil, errors.Join(err, heal())
	}
	in.ledger.begin(e, nil, true)
	return heal, nil
}

// jump sets the clients' wall clocks.
func (in *injector) jump(_ context.Context, f scenario.Fault, e *Entry) (func() error, error) {
	for _, c := range f.Clients {
		w := in.walls[c]
		if w == nil {
			return nil, fmt.Errorf("no client %q", c)
		}
		w.by.Store(int64(f.By))
	}
	in.ledger.begin(e, nil, true)
	return func() error {
		for _, c := range f.Clients {
			in.walls[c].by.Store(0)
		}
		in.ledger.end(e)
		return nil
	}, nil
}

// wall is a client's clock, whose time of day can be set.
type wall struct {
	redlock.Clock
	by atomic.Int64 // ns
}

// Wall is the time of day, as the client has it.
func (w *wall) Wall() time.Time { return time.Now().Add(time.Duration(w.by.Load())) }

// attach lets a replica have the nodes' data and stay behind with it.
func (in *injector) attach(ctx context.Context, f scenario.Fault, e *Entry) (func() error, error) {
	err := in.onNodes(ctx, f.Nodes, func(ctx context.Context, n *testenv.Node) error {
		standby, err := in.env.Standby(ctx, n.Name())
		if err != nil {
			return err
		}
		if err := errors.Join(standby.Demote(ctx, n), standby.Promote(ctx)); err != nil {
			return err
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.copies[n.Name()] = standby
		return nil
	})
	return in.moment(e, err)
}

// demote makes the nodes replicas of what attach left, and primaries again.
func (in *injector) demote(ctx context.Context, f scenario.Fault, e *Entry) (func() error, error) {
	err := in.onNodes(ctx, f.Nodes, func(ctx context.Context, n *testenv.Node) error {
		in.mu.Lock()
		standby := in.copies[n.Name()]
		in.mu.Unlock()
		if standby == nil {
			return fmt.Errorf("no replica of %s was ever attached", n.Name())
		}
		return errors.Join(n.Demote(ctx, standby), n.Promote(ctx))
	})
	return in.moment(e, err)
}

// moment ends the beginning of a fault of one moment, which nothing undoes.
func (in *injector) moment(e *Entry, err error) (func() error, error) {
	if err != nil {
		return nil, err
	}
	in.ledger.begin(e, nil, false)
	return func() error { return nil }, nil
}
