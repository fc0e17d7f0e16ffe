package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Demote makes the node a replica of another one and waits until it has that
// one's data and follows it; its own data is gone then.
func (n *Node) Demote(ctx context.Context, to *Node) error {
	return n.fault(ctx, "demote", func(ctx context.Context) error {
		if to == nil || to == n || to.env != n.env {
			return errors.New("needs another node of the same environment")
		}
		if err := errors.Join(n.answers(), to.answers()); err != nil {
			return err
		}
		host, port, err := net.SplitHostPort(to.seat.peerAddr())
		if err != nil {
			return err
		}
		if _, err := n.do(ctx, "REPLICAOF", host, port); err != nil {
			return err
		}
		return n.await(ctx, "master_link_status", "up")
	})
}

// Promote makes a replica a primary again, with the data that it has. On a
// primary it does nothing.
func (n *Node) Promote(ctx context.Context) error {
	return n.fault(ctx, "promote", n.promote)
}

func (n *Node) promote(ctx context.Context) error {
	if err := n.answers(); err != nil {
		return err
	}
	if _, err := n.do(ctx, "REPLICAOF", "NO", "ONE"); err != nil {
		return err
	}
	return n.await(ctx, "role", "master")
}

// await waits until a field of INFO replication has the value.
func (n *Node) await(ctx context.Context, field, want string) error {
	return poll(ctx, func() (bool, error) {
		got, err := n.info(ctx, "replication", field)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %q, not %q", field, got, want)
		}
		return err == nil, err
	})
}

// Replace starts a second, empty server under a node's name, on an address of
// its own; from now on Node and Nodes return it for the name. The old one lives on
// and all clients are still routed to it: Route moves them.
func (e *Env) Replace(ctx context.Context, name string) (old, fresh *Node, err error) {
	old, ok := e.Node(name)
	if !ok {
		return nil, nil, &FaultError{Op: "replace", Node: name, Err: ErrUnknownName}
	}
	err = old.fault(ctx, "replace", func(ctx context.Context) error {
		if n, _ := e.Node(name); n != old {
			return errors.New("replaced by somebody else meanwhile")
		}
		fresh, err = e.successor(ctx, old)
		if err != nil {
			return err
		}
		if err := fresh.start(ctx); err != nil {
			return err
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		for i, n := range e.current {
			if n == old {
				e.current[i] = fresh
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return old, fresh, nil
}

// successor makes an empty node of the same name, such that Close knows it.
func (e *Env) successor(ctx context.Context, old *Node) (*Node, error) {
	e.mu.Lock()
	e.folders++
	n := newNode(e, old.name, fmt.Sprintf("%s-%d", old.name, e.folders))
	e.mu.Unlock()
	if err := n.sit(ctx); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, n)
	return n, nil
}

// Route points a client's proxy for a node's name at another server, usually
// one of those that Replace returned. The address that the client uses stays;
// its connections are closed, and bytes held on them are lost. It returns once
// the server answers through the proxy, if it can and no other fault of the link
// forbids it.
func (e *Env) Route(ctx context.Context, client, node string, to *Node) error {
	return e.onLink(ctx, "route", client, node, func(ctx context.Context, l *link) error {
		if to == nil || to.env != e {
			return errors.New("needs a node of the same environment")
		}
		return l.route(ctx, to)
	})
}
