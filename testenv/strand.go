package testenv

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Strand keeps back what the connections that there are now send in the given
// direction, and lets new ones pass: as when packets of an old route turn up
// after the sender has long gone on by another. Heal delivers what was kept back,
// also when the sender has closed its connection meanwhile. It waits until there
// is a connection, and returns once a new one was seen to get an answer.
func (e *Env) Strand(ctx context.Context, client, node string, d Direction) error {
	return e.onLink(ctx, "strand", client, node, func(ctx context.Context, l *link) error {
		err := poll(ctx, func() (bool, error) {
			if l.requests.connections() == 0 {
				return false, errors.New("there is no connection to strand")
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		var streams []*stream
		switch d {
		case Both:
			streams = []*stream{l.requests, l.replies}
		case Requests:
			streams = []*stream{l.requests}
		case Replies:
			streams = []*stream{l.replies}
		default:
			return fmt.Errorf("unknown direction %v", d)
		}
		for _, s := range streams {
			s.set(func(m *mode) { m.strand = s.opened })
		}
		if !l.target().reachable() {
			return nil
		}
		p, err := l.probe(ctx)
		if err != nil {
			return err
		}
		defer p.Close()
		if p.read(time.Now().Add(10*time.Second)) != answered {
			return fmt.Errorf("%w: a new connection gets no answer", ErrUnconfirmed)
		}
		return nil
	})
}

// connections is how many connections are open.
func (s *stream) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pipes)
}
