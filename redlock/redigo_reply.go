package redlock

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// replyReader reads replies that a replyGuard has let through, one at a time,
// into memory that the next one uses again. It leaves all checks to the guard.
type replyReader struct {
	in *bufio.Reader

	// What next read.
	refused bool           // it is an error; text is the node's message
	array   bool           // values are its elements, else values[0] is the reply
	values  []script.Value // their Text lies in text
	text    []byte
	ends    []int // where in text the Text of each value ends
}

func newReplyReader(guard io.Reader) *replyReader {
	// One byte more than a line may have: it is the guard that says so.
	return &replyReader{in: bufio.NewReaderSize(guard, maxReplyLine+1)}
}

// next reads a reply. What it read before is gone.
func (r *replyReader) next() error {
	r.refused, r.array, r.values, r.text, r.ends = false, false, r.values[:0], r.text[:0], r.ends[:0]
	if cap(r.text) > maxKept {
		r.text = nil
	}
	kind, n, err := r.element()
	switch {
	case err != nil:
		return err
	case kind == '-':
		r.refused, r.values = true, r.values[:0]
		return nil
	case kind == '*' && n >= 0:
		r.array, r.values, r.ends = true, r.values[:0], r.ends[:0] // without itself
		for range n {
			kind, inner, err := r.element()
			if err == nil && kind == '*' {
				err = r.skip(inner)
			}
			if err != nil {
				return err
			}
		}
	}
	begin := 0
	for i := range r.values {
		if r.values[i].Kind == script.Text {
			r.values[i].Text = r.text[begin:r.ends[i]]
		}
		begin = r.ends[i]
	}
	return nil
}

// element reads one element and appends it to the values, an array without its
// own elements. n is the length of an array or of a bulk string, −1 for none.
func (r *replyReader) element() (kind byte, n int, err error) {
	line, err := r.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	kind, line = line[0], line[1:len(line)-2]
	v := script.Value{}
	switch kind {
	case '+', '-':
		r.text = append(r.text, line...)
		if kind == '+' {
			v.Kind = script.Text
		}
	case ':':
		v.Kind, v.Int = script.Integer, decimal(line)
	case '$', '*':
		if n = int(decimal(line)); kind == '$' && n >= 0 {
			v.Kind = script.Text
			err = r.bulk(n)
		}
	}
	r.values, r.ends = append(r.values, v), append(r.ends, len(r.text))
	return kind, n, err
}

// bulk reads a bulk string of n bytes behind the text, and its end.
func (r *replyReader) bulk(n int) error {
	r.text = slices.Grow(r.text, n)
	begin := len(r.text)
	r.text = r.text[:begin+n]
	if _, err := io.ReadFull(r.in, r.text[begin:]); err != nil {
		return err
	}
	_, err := r.in.ReadSlice('\n') // that it comes at once is for the guard to say
	return err
}

// skip reads n elements, and those within them, of an array within an array. No
// script answers with one.
func (r *replyReader) skip(n int) error {
	values, text := len(r.values), len(r.text)
	for ; n > 0; n-- {
		kind, inner, err := r.element()
		if err != nil {
			return err
		}
		if kind == '*' {
			n += max(inner, 0)
		}
		r.values, r.ends, r.text = r.values[:values], r.ends[:values], r.text[:text]
	}
	return nil
}

// String shows the reply.
func (r *replyReader) String() string {
	if r.refused {
		return string(r.text)
	}
	return fmt.Sprint(script.Raw(r.values, r.array))
}

// decimal reads an integer that the guard has seen.
func decimal(p []byte) (n int64) {
	digits := p
	if len(p) > 0 && p[0] == '-' {
		digits = p[1:]
	}
	for _, c := range digits {
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(p) {
		return -n
	}
	return n
}
