package redlock

import (
	"context"
	"fmt"
	"time"
)

// watch enforces the calls' time limits. One timer serves all of them: when it
// fires, whatever is due is answered, and it is set to what is due next.
func (d *redigoDriver) watch() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-d.rearm:
		case <-timer.C:
		}
		if next := d.expire(time.Now()); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// expire answers the calls that waited for too long, in the queue or in flight,
// gives up the connection if nothing was heard on it, and returns when to look
// again.
func (d *redigoDriver) expire(now time.Time) (next time.Time) {
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	d.mu.Lock()
	late := d.queue.takeLate(now)
	lastErr := d.lastErr
	for _, w := range d.queue.all() {
		sooner(w.sendBy())
	}
	var overdue []*wireCall
	silence := time.Duration(0) // for how long nothing was heard, if that is too long
	link := d.link
	if link != nil && !link.failed() && d.inFlight.len() > 0 {
		if oldest := d.inFlight.all()[0]; !d.silentBy(oldest).After(now) {
			silence = 2 * oldest.timeout
		} else {
			overdue = d.inFlight.abandonLate(now)
			sooner(d.silentBy(oldest))
		}
		for _, w := range d.inFlight.all() {
			if w.to != nil {
				sooner(w.answerBy())
			}
		}
	}
	d.armed = next
	d.mu.Unlock()
	if silence > 0 {
		link.fail(&ConnectionError{
			Reason: fmt.Sprintf("connection given up: nothing was heard for %v", silence),
			Cause:  context.DeadlineExceeded,
		})
	}
	for _, w := range overdue {
		w.fail(&ConnectionError{Reason: fmt.Sprintf("no answer within %v", 2*w.timeout), Cause: context.DeadlineExceeded})
	}
	for _, w := range late {
		w.fail(&UnsentError{Reason: fmt.Sprintf("no usable connection within %v", w.timeout), Cause: lastErr})
	}
	return next
}

// silentBy is when the connection is given up, if the oldest call in flight is
// this one and nothing is heard until then. The caller holds mu.
func (d *redigoDriver) silentBy(oldest *wireCall) time.Time { return d.heard.Add(2 * oldest.timeout) }
