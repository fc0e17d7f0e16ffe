package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Copy begins to copy what the client sends to the node, on present and new
// connections; what it sends passes as before. It returns once every present
// connection is copied. Heal ends it, and nothing is sent again.
func (e *Env) Copy(ctx context.Context, client, node string) error {
	return e.onLink(ctx, "copy", client, node, func(_ context.Context, l *link) error {
		l.requests.forget()
		l.requests.set(func(m *mode) { m.copy = true })
		return nil
	})
}

// Repeat ends Copy and sends what was copied once more, in the order in which it
// came, on a connection of its own: as a network or a driver does that delivers a
// request twice. It returns how many requests the server has answered, an error
// being an answer, once it has answered all of them.
func (e *Env) Repeat(ctx context.Context, client, node string) (requests int, err error) {
	err = e.onLink(ctx, "repeat", client, node, func(ctx context.Context, l *link) error {
		if !l.requests.get().copy {
			return errors.New("nothing was being copied")
		}
		l.requests.set(func(m *mode) { m.copy = false })
		requests, err = l.repeat(ctx, l.requests.forget())
		return err
	})
	return requests, err
}

// repeat sends requests to the server behind the proxy, past the proxy.
func (l *link) repeat(ctx context.Context, requests []byte) (answers int, err error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", l.target().DirectAddr())
	if err != nil {
		return 0, err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })()
	conn := redis.NewConn(raw, 0, 0)
	if pw := l.env.cfg.Password; pw != "" {
		if _, err := conn.Do("AUTH", pw); err != nil {
			return 0, err
		}
	}
	// An answer to what follows them says that they are all answered.
	end := fmt.Sprintf("testenv-%d", probes.Add(1))
	if _, err := io.WriteString(raw, string(requests)+command("ECHO", end)); err != nil {
		return 0, err
	}
	for {
		answer, err := redis.String(conn.Receive())
		var refused redis.Error
		switch {
		case err == nil && answer == end:
			return answers, nil
		case errors.As(err, &refused) && strings.Contains(string(refused), "Protocol error"):
			return answers, fmt.Errorf("the copies begin or end within a request: %w", refused)
		case conn.Err() != nil:
			return answers, errors.Join(context.Cause(ctx), conn.Err())
		}
		answers++
	}
}

// keep appends to what was copied.
func (s *stream) keep(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode.copy {
		s.copies = append(s.copies, data...)
	}
}

// forget returns what was copied, and forgets it.
func (s *stream) forget() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := s.copies
	s.copies = nil
	return copies
}
