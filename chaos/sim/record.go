package sim

import (
	"strconv"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// reasons are the reasons in words, made once.
var reasons = func() (words [64]string) {
	for i := range words {
		words[i] = quorum.Reason(i).String()
	}
	words[0] = ""
	return words
}()

// line adds a line to the history and returns it, to be completed at once.
// Times of lines grow strictly, by a ns where they would be equal, so the order
// in which things happened is the order of the history.
func (r *run) line(p linearizability.Process, kind linearizability.Type, f linearizability.F, key string) *linearizability.Event {
	r.last = max(r.now, r.last+1)
	n := len(r.lines)
	if n < cap(r.lines) {
		r.lines = r.lines[:n+1]
		r.lines[n] = linearizability.Event{}
	} else {
		r.lines = append(r.lines, linearizability.Event{})
	}
	e := &r.lines[n]
	e.Index, e.Time, e.Process, e.Type, e.F, e.Key = n, r.last, p, kind, f, key
	r.dig.add(uint64(r.last) ^ uint64(len(kind))<<60 ^ uint64(len(f))<<56 ^ uint64(p)<<40)
	return e
}

// process is one that was never used.
func (r *run) process() linearizability.Process {
	r.processes++
	return r.processes - 1
}

// number keeps a number that a line points to.
func (r *run) number(n int64) *int64 {
	if r.counted == len(r.pool.numbers)*numbersInBlock {
		r.pool.numbers = append(r.pool.numbers, new([numbersInBlock]int64))
	}
	p := &r.pool.numbers[r.counted/numbersInBlock][r.counted%numbersInBlock]
	r.counted++
	*p = n
	return p
}

const numbersInBlock = 1024

// labels are names of a client's attempts and holds, kept over runs.
type labels struct{ attempts, holds []string }

// label is the name of a client's n-th attempt or hold; n counts from 1.
func (r *run) label(c *client, n int, hold bool) string {
	l := r.pool.labels[c.name]
	if l == nil {
		l = new(labels)
		r.pool.labels[c.name] = l
	}
	list, sep := &l.attempts, "."
	if hold {
		list, sep = &l.holds, "-"
	}
	for len(*list) < n {
		*list = append(*list, c.name+sep+strconv.Itoa(len(*list)+1))
	}
	return (*list)[n-1]
}

// acquired counts a successful acquire that was invoked at true time began.
func (r *run) acquired(a *attempt, began int64) {
	r.succeeded(linearizability.Acquire, linearizability.OK)
	r.acquisitions++
	if r.faulty > 0 {
		r.underFault++
	}
	l := a.lock
	if l.holders > 0 || l.ended-max(began, l.since) >= int64(time.Millisecond) {
		r.waited++
	}
	r.claim(a)
}

// succeeded counts the outcome of an operation.
func (r *run) succeeded(f linearizability.F, kind linearizability.Type) {
	if kind == linearizability.OK {
		r.done[opNumber(f)]++
	}
}

// operations are those that a tally counts.
var operations = [...]linearizability.F{
	linearizability.Acquire, linearizability.Extend, linearizability.Release, linearizability.Stamp,
	linearizability.Read, linearizability.Write,
}

func opNumber(f linearizability.F) int {
	for i := range operations {
		if operations[i] == f {
			return i
		}
	}
	return 0
}

// path notes that a client took a path of the protocol.
func (r *run) path(c *client, k quorum.EventKind) {
	p := pathOf[k]
	if p == 0 {
		return
	}
	r.paths[p]++
	c.paths[p]++
}
