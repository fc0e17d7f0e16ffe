package testenv

import (
	"context"
	"fmt"
	"time"
)

// Faults of links. A link is one client's way to one node, by their names.
// Different faults of one link add up; the same one again changes nothing,
// except that Delay takes its new values. Each lasts until Heal. When a method
// returns, connections that were there before obey as well, confirmed by
// themselves, and new ones were tried.

// onLink runs f as the only change to a link at the moment.
func (e *Env) onLink(ctx context.Context, op, client, node string, f func(context.Context, *link) error) error {
	l := e.links[pair{client, node}]
	if l == nil {
		return &FaultError{Op: op, Node: node, Client: client, Err: ErrUnknownName}
	}
	return l.fault(ctx, op, func(ctx context.Context) error { return f(ctx, l) })
}

// Cut swallows what passes in the given direction, on present and new
// connections. It returns once a request of a connection made for that got no
// answer through the proxy; and, unless the server is dead or frozen, was
// seen at the server if only replies are cut, and was not seen there otherwise.
func (e *Env) Cut(ctx context.Context, client, node string, d Direction) error {
	return e.onLink(ctx, "cut", client, node, func(ctx context.Context, l *link) error {
		if err := l.set(d, func(m *mode) { m.cut = true }); err != nil {
			return err
		}
		return l.confirmSilent(ctx, d)
	})
}

// Hold keeps what passes in the given direction back, on present and new
// connections, and Heal delivers it, in order, also when the sender has closed
// the connection meanwhile. Up to 1024 writes per connection are held here;
// more stay in the sender's socket. It returns as Cut does.
func (e *Env) Hold(ctx context.Context, client, node string, d Direction) error {
	return e.onLink(ctx, "hold", client, node, func(ctx context.Context, l *link) error {
		if err := l.set(d, func(m *mode) { m.hold = true }); err != nil {
			return err
		}
		return l.confirmSilent(ctx, d)
	})
}

// Delay delivers what passes in the given direction later by latency, give or
// take up to jitter, and in order. Both delays requests and replies, so that an
// answer takes twice as long. It returns once an answer was seen to take as
// long as it must, or at least 200 ms. New values hold for what is sent later.
func (e *Env) Delay(ctx context.Context, client, node string, d Direction, latency, jitter time.Duration) error {
	return e.onLink(ctx, "delay", client, node, func(ctx context.Context, l *link) error {
		if latency <= 0 || jitter < 0 || jitter > latency {
			return fmt.Errorf("latency %v ± %v: must be positive, and the jitter between 0 and the latency", latency, jitter)
		}
		if err := l.set(d, func(m *mode) { m.latency, m.jitter = latency, jitter }); err != nil {
			return err
		}
		least := latency - jitter
		if d == Both {
			least *= 2
		}
		return l.confirmSlow(ctx, least)
	})
}

// Reset closes every connection at once, and new ones as soon as they are made.
// It returns once a new connection was seen to end without an answer.
func (e *Env) Reset(ctx context.Context, client, node string) error {
	return e.onLink(ctx, "reset", client, node, func(ctx context.Context, l *link) error {
		if err := l.set(Both, func(m *mode) { m.reset = true }); err != nil {
			return err
		}
		return l.confirmReset(ctx)
	})
}

// Heal removes all faults of the link. What was held or delayed is delivered;
// connections that lost bytes are closed. It returns once the server answers
// through the proxy; if the server is dead or frozen, once the faults are
// removed.
func (e *Env) Heal(ctx context.Context, client, node string) error {
	return e.onLink(ctx, "heal", client, node, func(ctx context.Context, l *link) error { return l.heal(ctx) })
}
