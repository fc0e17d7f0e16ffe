package script

import (
	"strconv"
	"strings"
	"time"
)

// AppendParams appends to b what follows the script in the command EVALSHA or
// EVAL, as the Redis protocol has it: the number of keys, the keys and the
// arguments, each a bulk string. count is how many they are. It allocates
// nothing where b has room.
func (c *Call) AppendParams(b []byte) (extended []byte, count int) {
	keys := params{form: counted}
	c.keys(&keys)
	p := params{form: bulk, b: b}
	p.integer(int64(keys.n))
	c.keys(&p)
	c.args(&p)
	return p.b, p.n
}

// params takes a call's keys and arguments, one after the other, in the form
// that is asked for. One list of them serves all forms.
type params struct {
	form form
	n    int
	list []string // listed
	b    []byte   // bulk
}

// form is what becomes of keys and arguments.
type form uint8

const (
	listed  form = iota // strings
	bulk                // bulk strings of the Redis protocol
	counted             // nothing
)

// text takes one that is the concatenation of its parts.
func (p *params) text(parts ...string) {
	p.n++
	switch p.form {
	case listed:
		p.list = append(p.list, strings.Join(parts, ""))
	case bulk:
		size := 0
		for _, s := range parts {
			size += len(s)
		}
		p.size(size)
		for _, s := range parts {
			p.b = append(p.b, s...)
		}
		p.b = append(p.b, '\r', '\n')
	}
}

// size begins a bulk string.
func (p *params) size(n int) {
	switch {
	case n < 10:
		p.b = append(p.b, '$', '0'+byte(n), '\r', '\n')
	case n < 100: // as a rule; AppendInt shows in profiles
		p.b = append(p.b, '$', '0'+byte(n/10), '0'+byte(n%10), '\r', '\n')
	default:
		p.b = strconv.AppendInt(append(p.b, '$'), int64(n), 10)
		p.b = append(p.b, '\r', '\n')
	}
}

// bytes takes one that lies in a buffer, which stays the caller's.
func (p *params) bytes(b []byte) {
	p.n++
	switch p.form {
	case listed:
		p.list = append(p.list, string(b))
	case bulk:
		p.size(len(b))
		p.b = append(append(p.b, b...), '\r', '\n')
	}
}

func (p *params) integer(n int64) {
	var digits [20]byte
	p.bytes(strconv.AppendInt(digits[:0], n, 10))
}

func (p *params) decimal(n uint64) {
	var digits [20]byte
	p.bytes(strconv.AppendUint(digits[:0], n, 10))
}

func (p *params) millis(d time.Duration) { p.integer(d.Milliseconds()) }

func (p *params) place(place Place) {
	var text [64]byte // a client's id has 20 bytes
	p.bytes(place.append(text[:0]))
}
