package testenv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
)

// Direction says which of a link's two streams a fault is about.
type Direction int

const (
	// Both streams.
	Both Direction = iota
	// Requests: from the client to the server. What is lost there was never done.
	Requests
	// Replies: from the server to the client. What is lost there was done, and
	// the client does not know.
	Replies
)

// String returns the direction's name in lower case.
func (d Direction) String() string {
	switch d {
	case Both:
		return "both"
	case Requests:
		return "requests"
	case Replies:
		return "replies"
	}
	return fmt.Sprintf("Direction(%d)", int(d))
}

// link is one client's proxy in front of one node.
type link struct {
	env      *Env
	client   string
	node     string
	port     *port
	turn     chan struct{} // holds one value; who takes it may change the link
	requests *stream
	replies  *stream
	proxy    *toxiproxy.Proxy

	mu sync.Mutex // guards what follows
	to *Node      // the server behind the proxy
}

// newLink starts a client's proxy.
func newLink(e *Env, client string, n *Node) (*link, error) {
	p, err := takePort()
	if err != nil {
		return nil, err
	}
	l := &link{
		env: e, client: client, node: n.name, port: p, to: n, turn: make(chan struct{}, 1),
		requests: newStream(e.cfg.Seed), replies: newStream(e.cfg.Seed),
		proxy: toxiproxy.NewProxy(e.proxies, client+"-"+n.name, p.addr(), n.DirectAddr()),
	}
	l.turn <- struct{}{}
	for name, s := range map[string]*stream{"upstream": l.requests, "downstream": l.replies} {
		// Below a toxicity of 1, toxiproxy would draw from an unseeded source.
		toxic := fmt.Sprintf(`{"type": %q, "stream": %q, "toxicity": 1, "attributes": {"id": %d}}`, streamToxicType, name, s.id)
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	if err := l.proxy.Start(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// target is the server behind the proxy.
func (l *link) target() *Node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to
}

// fault runs f as the only change to this link at the moment, and gives its
// error the operation's name.
func (l *link) fault(ctx context.Context, op string, f func(context.Context) error) error {
	if err := l.env.run(ctx, l.turn, f); err != nil {
		return &FaultError{Op: op, Node: l.node, Client: l.client, Err: err}
	}
	return nil
}

// set changes what happens to the bytes in the given direction.
func (l *link) set(d Direction, change func(*mode)) error {
	switch d {
	case Both:
		l.requests.set(change)
		l.replies.set(change)
	case Requests:
		l.requests.set(change)
	case Replies:
		l.replies.set(change)
	default:
		return fmt.Errorf("unknown direction %v", d)
	}
	return nil
}

// call lets toxiproxy start or stop. It waits for a connection that it is just
// making, which can take for ever if the server does not accept any; then the
// call is left behind.
func (l *link) call(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.Join(ErrStuck, context.Cause(ctx))
	}
}

// heal lets all bytes pass.
func (l *link) heal(ctx context.Context) error {
	if err := l.set(Both, func(m *mode) { *m = mode{} }); err != nil {
		return err
	}
	return l.confirmHealed(ctx)
}

// route changes the server behind the proxy.
func (l *link) route(ctx context.Context, to *Node) error {
	l.mu.Lock()
	l.to = to
	l.mu.Unlock()
	err := poll(ctx, func() (bool, error) {
		err := l.call(ctx, func() error {
			return l.proxy.Update(&toxiproxy.Proxy{Listen: l.port.addr(), Upstream: to.DirectAddr(), Enabled: true})
		})
		// Its address is free for a moment and may be taken in it: try again.
		return err == nil || errors.Is(err, ErrStuck), err
	})
	if err != nil || l.requests.get() != (mode{}) || l.replies.get() != (mode{}) {
		return err
	}
	return l.confirmHealed(ctx)
}

// close takes the proxy down. Its connections end first: some wait with bytes
// in hand.
func (l *link) close() error {
	end := func(m *mode) { *m = mode{ended: true} }
	l.requests.set(end)
	l.replies.set(end)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := l.call(ctx, func() error { l.proxy.Stop(); return nil })
	streams.Delete(l.requests.id)
	streams.Delete(l.replies.id)
	l.port.release()
	if err != nil {
		return fmt.Errorf("%s→%s: %w", l.client, l.node, err)
	}
	return nil
}
