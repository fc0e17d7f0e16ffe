package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gomodule/redigo/redis"
)

const (
	// silence is how long no answer must come for a link to count as silent. An
	// answer that nothing delays takes well below a millisecond.
	silence = 40 * time.Millisecond
	// slowest bounds what is watched of a long delay.
	slowest = 200 * time.Millisecond
)

var probes atomic.Uint64

// probe is a connection through a proxy that is used for one request. The
// request gives the connection a unique name, which the server lists: so one sees
// whether the server was reached, with no key touched.
type probe struct {
	net.Conn
	name string
	sent time.Time
}

// probe connects and sends the request.
func (l *link) probe(ctx context.Context) (*probe, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", l.port.addr())
	if err != nil {
		return nil, err
	}
	p := &probe{Conn: c, name: fmt.Sprintf("testenv-%d-%d", os.Getpid(), probes.Add(1))}
	request := command("CLIENT", "SETNAME", p.name)
	if pw := l.env.cfg.Password; pw != "" {
		request = command("AUTH", pw) + request
	}
	p.sent = time.Now()
	if _, err := io.WriteString(c, request); err != nil {
		c.Close()
		return nil, err
	}
	return p, nil
}

// command encodes a request of Redis's protocol.
func command(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

// What became of a probe.
type outcome int

const (
	silent   outcome = iota // nothing came
	answered                // the server's answer came
	ended                   // the connection was closed
)

// read waits for the answer until the deadline.
func (p *probe) read(deadline time.Time) outcome {
	p.SetReadDeadline(deadline)
	var b [1]byte
	n, err := p.Read(b[:])
	switch {
	case n > 0:
		return answered
	case errors.Is(err, os.ErrDeadlineExceeded):
		return silent
	default:
		return ended
	}
}

// seenBy reports whether the server has executed the request.
func (p *probe) seenBy(ctx context.Context, n *Node) (bool, error) {
	list, err := redis.String(n.do(ctx, "CLIENT", "LIST"))
	return strings.Contains(list, " name="+p.name+" "), err
}

// confirmSilent returns once requests are seen to get no answer, for the reason
// that the direction gives.
func (l *link) confirmSilent(ctx context.Context, d Direction) error {
	p, err := l.probe(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	n := l.target()
	if d == Replies && n.reachable() && l.requests.get() == (mode{}) {
		err := poll(ctx, func() (bool, error) {
			if !n.reachable() { // it was broken meanwhile, which is as silent
				return true, nil
			}
			return p.seenBy(ctx, n)
		})
		if err != nil {
			return fmt.Errorf("%w: the request did not reach the server: %w", ErrUnconfirmed, err)
		}
	}
	if p.read(time.Now().Add(silence)) == answered {
		return fmt.Errorf("%w: an answer came through", ErrUnconfirmed)
	}
	if d == Replies || !n.reachable() {
		return nil
	}
	seen, err := p.seenBy(ctx, n)
	switch {
	case !n.reachable(): // broken meanwhile
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	case seen:
		return fmt.Errorf("%w: a request reached the server", ErrUnconfirmed)
	}
	return nil
}

// confirmMute returns once a request sent past the proxies is seen to get no
// answer.
func confirmMute(ctx context.Context, addr string) error {
	deadline := time.Now().Add(silence)
	dialer := net.Dialer{Deadline: deadline}
	c, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return context.Cause(ctx) // nobody there is mute enough
	}
	defer c.Close()
	if _, err := io.WriteString(c, command("PING")); err != nil {
		return context.Cause(ctx)
	}
	if (&probe{Conn: c}).read(deadline) == answered {
		return fmt.Errorf("%w: the server still answers", ErrUnconfirmed)
	}
	return context.Cause(ctx)
}

// confirmSlow returns once an answer is seen to take as long as it must.
func (l *link) confirmSlow(ctx context.Context, least time.Duration) error {
	if !l.target().reachable() {
		return fmt.Errorf("%w: %w", ErrUnconfirmed, l.target().answers())
	}
	p, err := l.probe(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	watched := min(least, slowest)
	o := p.read(p.sent.Add(watched))
	took := time.Since(p.sent)
	// An answer may come after the deadline and before its timer fires.
	if o == ended || o == answered && took < watched {
		return fmt.Errorf("%w: answered or closed after %v, before %v", ErrUnconfirmed, took, watched)
	}
	return nil
}

// confirmReset returns once a connection is seen to end without an answer.
func (l *link) confirmReset(ctx context.Context) error {
	p, err := l.probe(ctx)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return nil // it ended before the request was sent
	}
	if err != nil {
		return err
	}
	defer p.Close()
	if o := p.read(time.Now().Add(10 * time.Second)); o != ended {
		return fmt.Errorf("%w: the connection did not end", ErrUnconfirmed)
	}
	return nil
}

// confirmHealed returns once the server, if it can, answers through the proxy.
func (l *link) confirmHealed(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		if !l.target().reachable() {
			return true, nil
		}
		p, err := l.probe(ctx)
		if err != nil {
			return false, err
		}
		defer p.Close()
		if o := p.read(time.Now().Add(time.Second)); o != answered {
			return false, fmt.Errorf("%w: no answer through the proxy", ErrUnconfirmed)
		}
		return true, nil
	})
}
