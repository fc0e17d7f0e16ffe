package redlock

import (
	"bytes"
	"fmt"
	"net"
)

// Bounds of one reply. The largest that a script gives, a PROBE of 15 nodes,
// stays below a tenth of them.
const (
	maxReplyBytes    = 64 << 10
	maxReplyLine     = 8 << 10
	maxReplyElements = 256
	answerShown      = 64
)

// replyGuard lets only well-formed and small RESP2 replies through, to redigo
// and to replyReader: redigo allocates whatever length a reply announces, panics
// on lengths that no machine can hold, and recurses as deeply as arrays are
// nested.
//
// Read must be called by one goroutine at a time.
type replyGuard struct {
	net.Conn
	raw net.Conn // the TCP connection below Conn

	err   error  // the verdict; once set, nothing is let through any more
	line  []byte // the beginning of a line whose end has not come yet
	body  int    // bytes of a bulk string that are still to come
	end   bool   // the line end after a bulk string comes next
	open  int    // elements of this reply that are still to come; 0 between replies
	size  int    // bytes of this reply so far
	elems int    // elements that this reply has announced so far
	whole int    // replies that have come to their end
	shown []byte // the first bytes of this reply
}

// Read reads from the connection and checks what came.
func (g *replyGuard) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.Conn.Read(p)
	if g.err = g.check(p[:n]); g.err != nil {
		return 0, g.err
	}
	return n, err
}

// Close closes the TCP connection itself: closing TLS in good form would first
// write, and wait for a peer that may be gone.
func (g *replyGuard) Close() error { return g.raw.Close() }

func (g *replyGuard) check(p []byte) error {
	for len(p) > 0 {
		n, err := g.advance(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// advance checks the next piece of p, up to the end of a line or of a bulk
// string, and returns its length.
func (g *replyGuard) advance(p []byte) (int, error) {
	if g.open == 0 && len(g.line) == 0 {
		g.open, g.size, g.elems, g.shown = 1, 0, 1, g.shown[:0]
	}
	n := len(p)
	if g.body > 0 {
		n = min(n, g.body)
		g.body -= n
		g.end = g.body == 0
		return n, g.count(p, n)
	}
	newline := bytes.IndexByte(p, '\n')
	if newline >= 0 {
		n = newline + 1
	}
	if err := g.count(p, n); err != nil {
		return 0, err
	}
	g.line = append(g.line, p[:n]...)
	if len(g.line) > maxReplyLine {
		return 0, g.bad("a line of more than %d bytes", maxReplyLine)
	}
	if !g.end && bytes.IndexByte([]byte("+-:$*"), g.line[0]) < 0 {
		return 0, g.bad("unknown type %q", g.line[0]) // without waiting for the line's end
	}
	if newline < 0 {
		return n, nil
	}
	line, ok := bytes.CutSuffix(g.line, []byte("\r\n"))
	g.line = g.line[:0]
	if !ok {
		return 0, g.bad("a line does not end in CR LF")
	}
	return n, g.header(line)
}

// count adds n bytes to the reply. It keeps more than these for the error, so
// that the answer of an HTTP server can be recognised.
func (g *replyGuard) count(p []byte, n int) error {
	if room := answerShown - g.size; room > 0 {
		g.shown = append(g.shown[:g.size], p[:min(len(p), room)]...)
	}
	if g.size += n; g.size > maxReplyBytes {
		return g.bad("a reply of more than %d bytes", maxReplyBytes)
	}
	return nil
}

// header takes in a whole line without its end.
func (g *replyGuard) header(line []byte) error {
	if g.end {
		if len(line) > 0 {
			return g.bad("a bulk string does not end where it should")
		}
		g.end = false
		g.close()
		return nil
	}
	value := line[1:]
	switch line[0] {
	case ':':
		if !integer(value) {
			return g.bad("%q is not an integer", value)
		}
	case '$', '*':
		if string(value) == "-1" {
			break
		}
		limit := maxReplyBytes
		if line[0] == '*' {
			limit = maxReplyElements - g.elems
		}
		n, ok := length(value, limit)
		if !ok {
			return g.bad("%q is no length up to %d", value, limit)
		}
		if line[0] == '$' {
			g.body, g.end = n, n == 0
			return nil // the element ends with the string
		}
		g.open += n
		g.elems += n
	}
	g.close()
	return nil
}

// close ends an element, and the reply with the last one.
func (g *replyGuard) close() {
	if g.open--; g.open == 0 {
		g.whole++
	}
}

// idle reports whether exactly n replies have come, and nothing of another.
func (g *replyGuard) idle(n int) bool { return g.whole == n && g.open == 0 && len(g.line) == 0 }

func (g *replyGuard) bad(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...), Answer: string(g.shown)}
}

// length reads a decimal of at most limit.
func length(p []byte, limit int) (int, bool) {
	n := 0
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0, false
		}
	}
	return n, len(p) > 0
}

// integer reports whether p is a decimal integer that surely fits in 64 bits.
func integer(p []byte) bool {
	p = bytes.TrimPrefix(p, []byte("-"))
	if len(p) == 0 || len(p) > 18 {
		return false
	}
	for _, c := range p {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
