package redlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

const (
	minPing = time.Second // between two signs of life on a subscription

	// A node that refuses a subscription is asked again after this: somebody
	// may have changed its access-control list.
	refusedPause = 30 * time.Second
)

var _ Subscriber = (*redigoDriver)(nil)

// Subscribe implements Subscriber, with one connection and two goroutines.
func (d *redigoDriver) Subscribe(channel string, heard func(string), state func(bool)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.work.Go(func() { d.subscribe(channel, heard, state) })
	}
}

// subscribe keeps a subscription until Close.
func (d *redigoDriver) subscribe(channel string, heard func(string), state func(bool)) {
	for failures := 0; d.ctx.Err() == nil; failures++ {
		err := d.listen(channel, heard, func() {
			failures = 0
			state(true)
		})
		state(false)
		backoff := min(minBackoff<<min(failures, 16), maxBackoff)
		if refused(err) {
			backoff = refusedPause
		}
		d.pause(backoff)
	}
}

// listen makes a connection and hands on what it hears, until it fails.
func (d *redigoDriver) listen(channel string, heard func(string), ready func()) error {
	link, err := d.connect()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(d.ctx, func() { link.fail(errConnectionClosed) })
	defer stop()
	defer link.fail(errConnectionClosed)
	if err := errors.Join(link.conn.Send("SUBSCRIBE", channel), link.conn.Flush()); err != nil {
		return connectionLost(err)
	}
	ping := max(minPing, 2*d.opts.nodeDeadline)
	pinging := make(chan struct{})
	go func() {
		defer close(pinging)
		link.keepAlive(ping)
	}()
	defer func() { <-pinging }()
	defer link.fail(errConnectionClosed)
	for {
		raw, err := redis.ReceiveWithTimeout(link.conn, 3*ping)
		var answer redis.Error
		switch {
		case errors.As(err, &answer):
			return fmt.Errorf("SUBSCRIBE: %w", serverError(string(answer)))
		case err != nil:
			return connectionLost(err)
		}
		switch kind, payload := message(raw); kind {
		case "subscribe":
			ready()
		case "message":
			heard(payload)
		}
	}
}

// keepAlive asks for signs of life until the connection ends: a subscription
// that was cut off without a word would hear nothing for ever.
func (l *redigoLink) keepAlive(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-l.dead:
			return
		case <-ticker.C:
			if err := errors.Join(l.conn.Send("PING"), l.conn.Flush()); err != nil {
				l.fail(connectionLost(err))
				return
			}
		}
	}
}

// message reads what a subscribed connection receives; another kind of reply
// has no kind.
func message(raw any) (kind, payload string) {
	fields, _ := raw.([]any)
	if len(fields) != 3 {
		return "", ""
	}
	k, _ := fields[0].([]byte)
	p, _ := fields[2].([]byte)
	return string(k), string(p)
}
