// Package pipe is the least that can carry a lock's requests to N servers: one
// connection per server, shared by all goroutines, and a fan-out that waits for
// a majority. Nothing that makes a client of it is there: no deadlines, no
// reconnecting, no bounds, no late answers. So what it reaches is a floor for
// any client of this kind.
//
// It writes as the library's driver does: a goroutine per server lets others
// run once, then takes all that waits and writes it at once; another one reads.
// Requests are encoded once for all servers; answers are decoded by redigo.
package pipe

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/gomodule/redigo/redis"
)

// Pipe is a set of connections, one per server. Its methods may be called from
// many goroutines at once, but for Close.
type Pipe struct {
	conns []*conn
	ops   sync.Pool // of *op
}

// Request is what one server is asked, as it is sent: see Command. It must not
// be changed until all servers have answered.
type Request []byte

// Command is the request of a command and its arguments.
func Command(words ...string) Request {
	r := make(Request, 0, 256)
	r = append(strconv.AppendInt(append(r, '*'), int64(len(words)), 10), "\r\n"...)
	for _, w := range words {
		r = append(strconv.AppendInt(append(r, '$'), int64(len(w)), 10), "\r\n"...)
		r = append(append(r, w...), "\r\n"...)
	}
	return r
}

// Dial connects to all addresses.
func Dial(addrs []string) (*Pipe, error) {
	p := &Pipe{}
	p.ops.New = func() any { return &op{home: p, done: make(chan struct{}, 1)} }
	for _, addr := range addrs {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		l := &conn{Conn: redis.NewConn(c, 0, 0), raw: c, wake: make(chan struct{}, 1), dead: make(chan struct{})}
		l.work.Go(l.write)
		l.work.Go(l.read)
		p.conns = append(p.conns, l)
	}
	return p, nil
}

// Close ends all connections. Requests that are open are counted as refused.
func (p *Pipe) Close() error {
	for _, c := range p.conns {
		c.fail(errors.New("closed"))
	}
	for _, c := range p.conns {
		c.work.Wait()
	}
	return nil
}

// MajorityError says that no majority took a request.
type MajorityError struct{ Took, Of int }

// Error says how many did.
func (e *MajorityError) Error() string { return fmt.Sprintf("%d of %d servers took it", e.Took, e.Of) }

// Majority sends every server its request, request(i) for the i-th, and returns
// once a majority's answers were taken, or can no longer be. Other answers are
// waited for by nobody.
func (p *Pipe) Majority(request func(i int) Request, took func(answer any) bool) error {
	o := p.ops.Get().(*op)
	o.left.Store(int32(len(p.conns)) + 1)
	o.quorum, o.n = int32(len(p.conns)/2+1), int32(len(p.conns))
	o.took = took
	o.yes.Store(0)
	o.no.Store(0)
	for i, c := range p.conns {
		c.start(call{request(i), o})
	}
	<-o.done
	yes := int(o.yes.Load())
	quorum, n := o.quorum, o.n
	p.leave(o)
	if yes < int(quorum) {
		return &MajorityError{yes, int(n)}
	}
	return nil
}

// leave gives an op back once nobody refers to it.
func (p *Pipe) leave(o *op) {
	if o.left.Add(-1) == 0 {
		p.ops.Put(o)
	}
}

// op is one fan-out under way.
type op struct {
	home      *Pipe
	left      atomic.Int32 // who still refers to it: one per open call, and the caller
	quorum, n int32
	yes, no   atomic.Int32
	took      func(any) bool
	done      chan struct{} // of size 1; sent to once per use
}

// answer counts one answer. The one that decides wakes the caller.
func (o *op) answer(raw any, err error) {
	if err == nil && o.took(raw) {
		if o.yes.Add(1) == o.quorum {
			o.done <- struct{}{}
		}
	} else if o.no.Add(1) == o.n-o.quorum+1 {
		o.done <- struct{}{}
	}
}

// call is a request and the op that waits for it.
type call struct {
	Request
	op *op
}

// conn is one connection.
type conn struct {
	redis.Conn
	raw  net.Conn // below it, to be written to
	work sync.WaitGroup
	wake chan struct{} // of size 1: there may be something to write
	once sync.Once
	dead chan struct{}
	err  error // why it ended; to be read after dead is closed

	mu    sync.Mutex // guards what follows
	gone  bool       // nobody reads any more
	queue []call     // not written yet
	open  []call     // open[head:] are written and not answered, oldest first
	head  int
}

func (c *conn) start(w call) {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		w.finish(nil, c.err)
		return
	}
	c.queue = append(c.queue, w)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) fail(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.dead)
		c.Conn.Close()
	})
}

func (c *conn) write() {
	var out []byte // reused
	for {
		select {
		case <-c.dead:
			return
		case <-c.wake:
		}
		runtime.Gosched() // whoever is about to ask shall be in the same packet
		c.mu.Lock()
		out = out[:0]
		for _, w := range c.queue {
			out = append(out, w.Request...)
		}
		c.open = append(c.open, c.queue...)
		c.queue = c.queue[:0]
		c.mu.Unlock()
		if _, err := c.raw.Write(out); err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *conn) read() {
	for {
		raw, err := c.Receive()
		var said redis.Error
		if err != nil && !errors.As(err, &said) {
			c.fail(err)
			c.abandon()
			return
		}
		c.next().finish(raw, err)
	}
}

// next takes the oldest open call.
func (c *conn) next() call {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.open[c.head]
	if c.head++; c.head == len(c.open) {
		c.open, c.head = c.open[:0], 0
	}
	return w
}

// abandon refuses what is open.
func (c *conn) abandon() {
	c.mu.Lock()
	calls := slices.Concat(c.open[c.head:], c.queue)
	c.open, c.head, c.queue, c.gone = nil, 0, nil, true
	c.mu.Unlock()
	for _, w := range calls {
		w.finish(nil, c.err)
	}
}

func (w call) finish(raw any, err error) {
	w.op.answer(raw, err)
	w.op.home.leave(w.op)
}
