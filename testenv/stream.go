package testenv

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	toxistream "github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// Every stream of every proxy has one toxic of ours, from its start to its end,
// which does what its stream is told. Toxiproxy's own are not used: adding and
// removing them hangs while a server does not read, panics when two are removed
// from a connection that is just closing, and draws jitter from an unseeded source.

// mode is what happens to the bytes of a stream. Zero: they pass.
type mode struct {
	cut, hold, reset bool
	latency, jitter  time.Duration
	strand           uint64 // connections up to this number hold, those after it do not
	copy             bool   // what a sender writes is copied as it comes
	ended            bool   // the proxy is being taken down
}

// stream is one direction of a link, over all its connections.
type stream struct {
	id   uint64
	seed uint64

	mu      sync.Mutex // guards what follows
	acted   *sync.Cond // a pipe took notice of a mode, or ended
	mode    mode
	version uint64           // counts changes of mode
	changed chan struct{}    // closed by the next change
	pipes   map[*pipe]uint64 // open connections, and the version that each acts upon
	opened  uint64           // connections so far; each draws from a source of its own
	copies  []byte           // what was written while it was to be copied
}

// Toxiproxy makes toxics from JSON; an id leads them to their streams.
var (
	streams   sync.Map // uint64 to *stream
	streamIDs atomic.Uint64
)

func newStream(seed uint64) *stream {
	s := &stream{id: streamIDs.Add(1), seed: seed, changed: make(chan struct{}), pipes: make(map[*pipe]uint64)}
	s.acted = sync.NewCond(&s.mu)
	streams.Store(s.id, s)
	return s
}

// set changes the mode and returns once every connection acts upon it. That
// takes no time worth cancelling: a connection never waits for anything without
// watching for a change.
func (s *stream) set(change func(*mode)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.mode)
	s.version++
	close(s.changed)
	s.changed = make(chan struct{})
	for v := s.version; s.behind(v); {
		s.acted.Wait()
	}
}

// behind reports whether a connection acts upon a version before v.
func (s *stream) behind(v uint64) bool {
	for _, seen := range s.pipes {
		if seen < v {
			return true
		}
	}
	return false
}

// get returns the mode.
func (s *stream) get() mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode
}

// open registers a connection.
func (s *stream) open(stub *toxics.ToxicStub) *pipe {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	p := &pipe{stream: s, stub: stub, number: s.opened, rand: rand.New(rand.NewPCG(s.seed, s.opened))}
	s.pipes[p] = s.version
	return p
}

// see is what a connection calls to take notice of the mode. The channel is
// closed when it changes.
func (s *stream) see(p *pipe) (mode, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipes[p] = s.version
	s.acted.Broadcast()
	return s.mode, s.changed
}

// leave ends a connection.
func (s *stream) leave(p *pipe) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pipes, p)
	s.acted.Broadcast()
}

const streamToxicType = "testenv_stream"

func init() { toxics.Register(streamToxicType, new(streamToxic)) }

// streamToxic joins a connection to its stream.
type streamToxic struct {
	ID uint64 `json:"id"`
}

// Pipe passes one connection's bytes in one direction as the stream says, until
// the connection ends.
func (t *streamToxic) Pipe(stub *toxics.ToxicStub) {
	s, ok := streams.Load(t.ID)
	if !ok { // accepted while the proxy was taken down
		stub.Close()
		return
	}
	s.(*stream).open(stub).run()
}

// maxWaiting is how many writes of a sender wait here; more wait in its socket.
const maxWaiting = 1024

// pipe is one direction of one connection.
type pipe struct {
	stream *stream
	stub   *toxics.ToxicStub
	number uint64 // of the stream's connections, from 1
	rand   *rand.Rand

	waiting   []chunk // in order
	noMore    bool    // the sender has closed the connection
	swallowed bool    // bytes are missing, so that the connection is of no use any more
}

// chunk is what a sender wrote, and when it may pass.
type chunk struct {
	*toxistream.StreamChunk
	due time.Time
}

func (p *pipe) run() {
	for {
		m, changed := p.stream.see(p)
		if m.reset || m.ended || len(p.waiting) == 0 && (p.noMore || p.swallowed && !m.cut) {
			break
		}
		if !p.step(m, changed) {
			p.stream.leave(p)
			return
		}
	}
	p.stream.leave(p)
	p.stub.Close()
	for !p.noMore { // what the sender still writes goes nowhere
		p.noMore = <-p.stub.Input == nil
	}
}

// step does the one next thing. It reports false if toxiproxy takes the toxic
// off the stream, which nobody asks it to.
func (p *pipe) step(m mode, changed <-chan struct{}) bool {
	var in <-chan *toxistream.StreamChunk
	if !p.noMore && len(p.waiting) < maxWaiting {
		in = p.stub.Input
	}
	var out chan<- *toxistream.StreamChunk
	var first *toxistream.StreamChunk
	var due <-chan time.Time
	if len(p.waiting) > 0 && !m.hold && p.number > m.strand {
		first = p.waiting[0].StreamChunk
		wait := time.Until(p.waiting[0].due)
		switch {
		case wait > 0 && m.latency > 0:
			timer := time.NewTimer(wait)
			defer timer.Stop()
			due = timer.C
		case m.cut:
			p.waiting, p.swallowed = p.waiting[1:], true
			return true
		default:
			out = p.stub.Output
		}
	}
	select {
	case c := <-in:
		p.take(c, m)
	case out <- first:
		p.waiting = p.waiting[1:]
	case <-due:
	case <-changed:
	case <-p.stub.Interrupt:
		return false
	}
	return true
}

// take appends what the sender wrote; nil means that it closed the connection.
func (p *pipe) take(c *toxistream.StreamChunk, m mode) {
	if c == nil {
		p.noMore = true
		return
	}
	if m.copy {
		p.stream.keep(c.Data)
	}
	d := m.latency
	if m.jitter > 0 {
		d += time.Duration(p.rand.Int64N(int64(2*m.jitter)+1)) - m.jitter
	}
	due := c.Timestamp.Add(d)
	if n := len(p.waiting); n > 0 && due.Before(p.waiting[n-1].due) {
		due = p.waiting[n-1].due // in order
	}
	p.waiting = append(p.waiting, chunk{c, due})
}
