package redlock

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// answerer takes what came of a call: ref and sent are as they were given with
// it.
type answerer interface {
	answered(ref quorum.Ref, sent time.Duration, r script.Reply, err error)
}

// doneFunc is the answerer of a call of Start.
type doneFunc func(script.Reply, error)

func (f doneFunc) answered(_ quorum.Ref, _ time.Duration, r script.Reply, err error) { f(r, err) }

// wireCall is one call on its way. Exactly one place holds it at a time: the
// queue, the calls in flight, or whoever is about to answer it, who may use it
// again. So it is copied into the connection's buffer while the queue holds it:
// a node that answers what it was not asked yet makes the reader see a call that
// is still being written.
type wireCall struct {
	op      script.Op
	hint    uint64
	start   time.Time
	timeout time.Duration
	eval    bool   // to be sent as EVAL rather than EVALSHA
	params  []byte // number of keys, keys, arguments, as they are sent
	count   int    // how many these are

	to   answerer // nil if the call was abandoned: the answer is of no use
	ref  quorum.Ref
	sent time.Duration
}

// wireCalls are calls that were answered: calls come and go by the thousand.
var wireCalls = sync.Pool{New: func() any { return new(wireCall) }}

func newWireCall(c *script.Call, start time.Time, timeout time.Duration, to answerer) *wireCall {
	w := wireCalls.Get().(*wireCall)
	w.op, w.hint, w.start, w.timeout, w.eval, w.to = c.Op, c.Hint, start, timeout, false, to
	w.params, w.count = c.AppendParams(w.params[:0])
	return w
}

// maxKept is the size from which on a buffer is not used again: names and
// configurations are short, but some may be long.
const maxKept = 4 << 10

// answer hands on what came of the call, and gives the call back.
func (w *wireCall) answer(r script.Reply, err error) {
	to, ref, sent := w.to, w.ref, w.sent
	w.recycle()
	to.answered(ref, sent, r, err)
}

func (w *wireCall) recycle() {
	if w.to = nil; cap(w.params) <= maxKept {
		wireCalls.Put(w)
	}
}

// appendTo appends the command as it is sent.
func (w *wireCall) appendTo(b []byte) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(w.count)+2, 10)
	if w.eval {
		b = append(b, evalHeads[w.op]...)
	} else {
		b = append(b, shaHeads[w.op]...)
	}
	return append(b, w.params...)
}

// evalHeads and shaHeads are, by Op, what comes between a command's length and
// its parameters: EVAL with the script's text, EVALSHA with its digest.
var (
	evalHeads = heads("EVAL", script.Op.Source)
	shaHeads  = heads("EVALSHA", script.Op.SHA1)
)

func heads(command string, name func(script.Op) string) (all [script.Retire + 1]string) {
	for op := script.Acquire; op <= script.Retire; op++ {
		s := name(op)
		all[op] = fmt.Sprintf("\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(command), command, len(s), s)
	}
	return all
}

// sendBy is when the caller stops waiting: the call is not sent after that.
func (w *wireCall) sendBy() time.Time { return w.start.Add(w.timeout) }

// answerBy is when the call is answered at the latest.
func (w *wireCall) answerBy() time.Time { return w.start.Add(2 * w.timeout) }

func (w *wireCall) fail(err error) { w.answer(script.Reply{}, err) }

// abandoned returns what takes a call's place in flight once its caller was told
// that there is no answer.
func (w *wireCall) abandoned() *wireCall { return &wireCall{op: w.op, timeout: w.timeout} }

func failAll(calls []*wireCall, err error) {
	for _, w := range calls {
		if w.to != nil {
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
		if w.to != nil && !w.answerBy().After(now) {
			late = append(late, w)
			q.all()[i] = w.abandoned()
		}
	}
	return late
}
