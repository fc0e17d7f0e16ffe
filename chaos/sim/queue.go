package sim

// eventKind says what happens.
type eventKind uint8

const (
	evRequest eventKind = iota + 1 // flight who arrives at its server
	evReply                        // the reply of flight who arrives at its client
	evRefused                      // the client of flight who learns that it was not sent
	evBroken                       // the client of flight who learns that the connection broke
	evTick                         // task who wants a Tick, unless its generation is another
	evGiveUp                       // client who looks at calls that were not answered
	evWake                         // routine who goes on, unless its generation is another
	evTimer                        // routine who goes on if its time has come
	evFault                        // fault who strikes
	evHeal                         // fault who is healed
	evSample                       // a look at all nodes
	evSync                         // servers write to disk
	evDone                         // the faulted part ends by the plan
	evTail                         // the end may have come
	evEnd                          // it has
	evTurn                         // message who arrives at its client
)

// event is something that will happen. No two are equal: those of one time are
// ordered by seq, which counts them as they were planned.
type event struct {
	at   int64 // true time, ns since the run began
	seq  uint64
	kind eventKind
	gen  uint32
	who  int32
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// queue is a heap of events with four children to a node: fewer levels, and
// the children of one node share a cache line or two.
type queue struct{ heap []event }

func (q *queue) push(e event) {
	i := len(q.heap)
	q.heap = append(q.heap, e)
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&q.heap[up]) {
			break
		}
		q.heap[i] = q.heap[up]
		i = up
	}
	q.heap[i] = e
}

// pop removes the first event. The queue must not be empty.
func (q *queue) pop() event {
	first := q.heap[0]
	n := len(q.heap) - 1
	last := q.heap[n]
	q.heap = q.heap[:n]
	if n == 0 {
		return first
	}
	i := 0
	for {
		child := 4*i + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if q.heap[c].before(&q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(&last) {
			break
		}
		q.heap[i] = q.heap[least]
		i = least
	}
	q.heap[i] = last
	return first
}
