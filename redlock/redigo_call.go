package redlock

import (
	"slices"
	"strconv"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// wireCall is one call on its way. Exactly one place holds it at a time: the
// queue, the calls in flight, or whoever is about to answer it. It is never
// changed, since a node that answers what it was not asked yet makes the reader
// see a call that is still being written.
type wireCall struct {
	op      script.Op
	start   time.Time
	timeout time.Duration
	done    func(script.Reply, error) // nil if the call was abandoned: the answer is of no use
	eval    bool                      // sent as EVAL rather than EVALSHA
	args    []any                     // digest or source, number of keys, keys, arguments
}

func newWireCall(c script.Call, start time.Time, timeout time.Duration, done func(script.Reply, error)) *wireCall {
	keys, args := c.Keys(), c.Args()
	w := &wireCall{
		op:      c.Op,
		start:   start,
		timeout: timeout,
		done:    done,
		args:    make([]any, 0, 2+len(keys)+len(args)),
	}
	w.args = append(w.args, c.Op.SHA1(), strconv.Itoa(len(keys)))
	for _, k := range keys {
		w.args = append(w.args, k)
	}
	for _, a := range args {
		w.args = append(w.args, a)
	}
	return w
}

func (w *wireCall) command() string {
	if w.eval {
		return "EVAL"
	}
	return "EVALSHA"
}

// asEval returns the call as one that carries the script itself.
func (w *wireCall) asEval() *wireCall {
	e := *w
	e.eval = true
	e.args = slices.Clone(w.args)
	e.args[0] = w.op.Source()
	return &e
}

// sendBy is when the caller stops waiting: the call is not sent after that.
func (w *wireCall) sendBy() time.Time { return w.start.Add(w.timeout) }

// answerBy is when the call is answered at the latest.
func (w *wireCall) answerBy() time.Time { return w.start.Add(2 * w.timeout) }

func (w *wireCall) fail(err error) { w.done(script.Reply{}, err) }

// abandoned returns what takes a call's place in flight once its caller was told
// that there is no answer.
func (w *wireCall) abandoned() *wireCall { return &wireCall{op: w.op, timeout: w.timeout} }

func failAll(calls []*wireCall, err error) {
	for _, w := range calls {
		if w.done != nil {
			w.fail(err)
		}
	}
}

// wireQueue is a first-in, first-out queue. The zero value is empty.
type wireQueue struct {
	calls []*wireCall // calls[head:] are in the queue
	head  int
}

func (q *wireQueue) len() int { return len(q.calls) - q.head }

func (q *wireQueue) all() []*wireCall { return q.calls[q.head:] }

func (q *wireQueue) push(w *wireCall) {
	if len(q.calls) == cap(q.calls) && q.head > len(q.calls)/2 {
		// Move to the front rather than grow: the queue rarely runs empty
		// under load, and must not creep through memory.
		n := copy(q.calls, q.calls[q.head:])
		clear(q.calls[n:])
		q.calls, q.head = q.calls[:n], 0
	}
	q.calls = append(q.calls, w)
}

// pop returns the oldest call, or nil.
func (q *wireQueue) pop() *wireCall {
	if q.len() == 0 {
		return nil
	}
	w := q.calls[q.head]
	q.calls[q.head] = nil
	if q.head++; q.head == len(q.calls) {
		q.calls, q.head = q.calls[:0], 0
	}
	return w
}

// takeAll empties the queue and appends what was in it to calls.
func (q *wireQueue) takeAll(calls []*wireCall) []*wireCall {
	calls = append(calls, q.all()...)
	clear(q.calls)
	q.calls, q.head = q.calls[:0], 0
	return calls
}

// takeLate removes the calls that must no longer be sent at now.
func (q *wireQueue) takeLate(now time.Time) (late []*wireCall) {
	kept := q.calls[:0]
	for _, w := range q.all() {
		if w.sendBy().After(now) {
			kept = append(kept, w)
		} else {
			late = append(late, w)
		}
	}
	clear(q.calls[len(kept):])
	q.calls, q.head = kept, 0
	return late
}

// abandonLate takes the calls that must be answered by now and leaves their
// places, for the answers that still come.
func (q *wireQueue) abandonLate(now time.Time) (late []*wireCall) {
	for i, w := range q.all() {
		if w.done != nil && !w.answerBy().After(now) {
			late = append(late, w)
			q.all()[i] = w.abandoned()
		}
	}
	return late
}
