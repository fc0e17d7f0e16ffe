package redlock

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// redigoLink is one connection, from its handshake to its end. Redigo speaks the
// handshake, and all of a subscription; calls are written and read past it, from
// buffers that are used again.
type redigoLink struct {
	conn  redis.Conn
	guard *replyGuard // what conn reads and writes
	raw   net.Conn

	known [script.Retire + 1]bool // scripts that were sent whole; guarded by the driver's mu

	once sync.Once
	dead chan struct{} // closed by fail
	err  error         // why it failed; to be read after dead is closed

	answered bool // a call was answered; to be read after the reader has ended
}

// fail ends the connection; the first error stays. It does not wait.
func (l *redigoLink) fail(err error) {
	l.once.Do(func() {
		l.err = err
		l.raw.Close()
		close(l.dead)
	})
}

func (l *redigoLink) failed() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// connect makes a connection that is ready for calls. It ends early with Close,
// and is bounded in time: reaching the node may take one node deadline, the rest
// up to four in all, and a node deadline counts as 100 ms at least. A lost
// packet of the handshake is repeated by the kernel only after a second, which
// is why it is the short bound that makes a healed node be back within one.
func (d *redigoDriver) connect() (*redigoLink, error) {
	deadline := max(d.opts.nodeDeadline, minHandshake)
	ctx, cancel := context.WithTimeout(d.ctx, 4*deadline)
	defer cancel()
	dialing, reached := context.WithTimeout(ctx, deadline)
	defer reached()
	raw, err := d.opts.dial(dialing, d.url.network, d.url.address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		// Whatever is still in the kernel when a connection is given up must
		// not reach the node later: its callers have been told otherwise.
		_ = tcp.SetLinger(0) // it cannot fail on an open socket
	}
	link := &redigoLink{raw: raw, dead: make(chan struct{})}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		link.fail(ctx.Err())
		close(cut)
	})
	err = d.handshake(ctx, link)
	if !stop() {
		<-cut
		err = &ConnectionError{Reason: "no answer to the handshake in time", Cause: ctx.Err()}
	}
	if err != nil {
		link.fail(err)
		return nil, err
	}
	return link, nil
}

func (d *redigoDriver) handshake(ctx context.Context, link *redigoLink) error {
	conn := link.raw
	if d.url.tls {
		config := d.opts.tls.Clone()
		if config.ServerName == "" {
			config.ServerName = d.url.host
		}
		secure := tls.Client(link.raw, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		conn = secure
	}
	link.guard = &replyGuard{Conn: conn, raw: link.raw}
	link.conn = redis.NewConn(link.guard, 0, 0)
	return d.greet(link)
}

// greet logs in, selects the database and asks for a sign of life: calls must
// not be given to a node that accepts connections and does not answer, because
// their outcome would then be unknown.
func (d *redigoDriver) greet(link *redigoLink) error {
	conn := link.conn
	var commands []string
	var err error
	send := func(command string, args ...any) {
		commands = append(commands, command)
		err = errors.Join(err, conn.Send(command, args...))
	}
	if d.url.auth && d.url.user != "" {
		send("AUTH", d.url.user, d.url.password)
	} else if d.url.auth {
		send("AUTH", d.url.password)
	}
	if d.url.db != 0 {
		send("SELECT", d.url.db)
	}
	send("PING")
	if err = errors.Join(err, conn.Flush()); err != nil {
		return connectionLost(err)
	}
	for _, command := range commands {
		_, err := conn.Receive()
		var answer redis.Error
		switch {
		case err == nil:
		case !errors.As(err, &answer):
			return connectionLost(err)
		case command == "PING" && sentByLiveNode(answer):
		default:
			return fmt.Errorf("%s: %w", command, serverError(string(answer)))
		}
	}
	if !link.guard.idle(len(commands)) { // redigo has read more, which nobody would see
		return answerUnasked(string(link.guard.shown))
	}
	return nil
}

func answerUnasked(answer string) error {
	return &ProtocolError{Reason: "an answer to no question", Answer: printable(answer)}
}

// sentByLiveNode reports whether an error to PING shows a node that may answer
// calls, or at least says itself why not.
func sentByLiveNode(answer redis.Error) bool {
	code, _, _ := strings.Cut(string(answer), " ")
	switch code {
	case "NOPERM", "NOAUTH", "LOADING", "BUSY", "MISCONF", "MASTERDOWN":
		return true
	}
	return false
}

// refused reports whether connecting failed with an answer that will not change
// by waiting a moment.
func refused(err error) bool {
	var server *ServerError
	var unsupported *UnsupportedError
	var protocol *ProtocolError
	var certificate *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	var alert *net.OpError // as the node says that it does not like our certificate
	if errors.As(err, &alert) && alert.Op == "remote error" {
		return true
	}
	return errors.As(err, &server) || errors.As(err, &unsupported) || errors.As(err, &protocol) ||
		errors.As(err, &certificate) || errors.As(err, &noTLS)
}

// write sends what is in the queue, until the connection fails. It needs no
// deadline: a peer that does not read does not answer either, and watch ends
// the connection for that.
func (d *redigoDriver) write(link *redigoLink) {
	var out []byte // reused
	for {
		select {
		case <-link.dead:
			return
		case <-d.wake:
		}
		// Whoever is about to start a call shall be in the same packet.
		runtime.Gosched()
		if out = d.take(link, out[:0]); len(out) == 0 {
			continue
		}
		if _, err := link.guard.Write(out); err != nil {
			link.fail(connectionLost(err))
			return
		}
		if cap(out) > maxBuffer {
			out = nil
		}
	}
}

// maxBuffer is the size from which on a connection's buffer is not used again.
const maxBuffer = 64 << 10

// take moves the queue to the calls in flight and appends it to out, as it is
// sent. What waited too long is answered instead.
func (d *redigoDriver) take(link *redigoLink, out []byte) []byte {
	d.mu.Lock()
	if link.failed() {
		d.mu.Unlock()
		return out // the queue waits for the next connection
	}
	now := time.Now()
	late := d.queue.takeLate(now)
	if d.inFlight.len() == 0 {
		d.heard = now // what was heard before says nothing of what is sent now
	}
	for d.queue.len() > 0 && d.inFlight.len() < maxInFlight {
		w := d.queue.pop()
		// The first call of a script carries its text, so that those behind it
		// find it: a call that was sent again could come after the one that was
		// to undo it.
		w.eval = w.eval || !link.known[w.op]
		link.known[w.op] = true
		out = w.appendTo(out)
		d.inFlight.push(w)
	}
	d.mu.Unlock()
	for _, w := range late {
		w.fail(&UnsentError{Reason: fmt.Sprintf("waited in the queue for %v", w.timeout)})
	}
	return out
}

// read hands out the replies, until the connection fails.
func (d *redigoDriver) read(link *redigoLink) {
	r := newReplyReader(link.guard)
	for {
		if err := r.next(); err != nil {
			link.fail(connectionLost(err))
			return
		}
		w := d.next(link)
		switch {
		case w == nil:
			link.fail(answerUnasked(r.String()))
			return
		case w.to == nil:
			w.recycle()
		default:
			d.answer(w, r)
		}
	}
}

// next takes the call out of flight to which an answer has come, or returns nil
// if there is none.
func (d *redigoDriver) next(link *redigoLink) *wireCall {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.inFlight.pop()
	if w == nil {
		return nil
	}
	d.heard = time.Now()
	if !link.answered {
		link.answered = true
		d.circuit.answered()
	}
	// The writer stopped at the bound. It goes on once there is room for many,
	// rather than write each call by itself.
	if d.queue.len() > 0 && d.inFlight.len() <= maxInFlight/2 {
		signal(d.wake)
	}
	return w
}

// answer tells the caller what the node said.
func (d *redigoDriver) answer(w *wireCall, r *replyReader) {
	if !r.refused {
		w.answer(script.DecodeValues(w.op, w.hint, r.values, r.array))
		return
	}
	err := serverError(string(r.text))
	var server *ServerError
	if errors.As(err, &server) && server.Code == "NOSCRIPT" && !w.eval {
		d.resend(w)
		return
	}
	w.fail(err)
}

// connectionLost types an error of reading or writing.
func connectionLost(err error) error {
	var protocol *ProtocolError
	if errors.As(err, &protocol) {
		return protocol
	}
	return &ConnectionError{Reason: "connection lost", Cause: err}
}
