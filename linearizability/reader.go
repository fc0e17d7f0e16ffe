package linearizability

import (
	"bufio"
	"fmt"
	"io"
)

// DefaultMaxLine is the longest line that a Reader accepts by default, in bytes.
const DefaultMaxLine = 1 << 20

// ReaderOptions change how a Reader works. The zero value is strict.
type ReaderOptions struct {
	_ struct{}

	// DropTorn lets the reader pass over a last line that a crash cut off,
	// instead of refusing the history. Torn means without a newline and not an
	// event; anything else is refused all the same.
	DropTorn bool

	// MaxLine is the longest line accepted, in bytes; zero means
	// DefaultMaxLine. It bounds the reader's memory, whatever the input.
	MaxLine int
}

// Reader reads a history event by event and checks its rules. It is not safe
// for use by several goroutines at once.
type Reader struct {
	in    *bufio.Reader
	opts  ReaderOptions
	buf   []byte
	rules *rules
	torn  bool
	err   error
}

// NewReader returns a Reader of the JSON lines of r. It reads ahead.
func NewReader(r io.Reader, opts ReaderOptions) *Reader {
	if opts.MaxLine <= 0 {
		opts.MaxLine = DefaultMaxLine
	}
	return &Reader{in: bufio.NewReaderSize(r, 64<<10), opts: opts, rules: newRules()}
}

// Next returns the next event, and io.EOF after the last one. A *HistoryError
// says that the history breaks its rules; any other error comes from the
// underlying reader. After an error, Next returns the same again.
func (r *Reader) Next() (Event, error) {
	if r.err != nil {
		return Event{}, r.err
	}
	e, err := r.next()
	if err != nil {
		r.err = err
		return Event{}, err
	}
	return e, nil
}

// DroppedTorn tells whether the last line was torn and passed over.
func (r *Reader) DroppedTorn() bool { return r.torn }

// ReadAll returns all events of the history, or the first error.
func ReadAll(r io.Reader, opts ReaderOptions) ([]Event, error) {
	var events []Event
	for in := NewReader(r, opts); ; {
		e, err := in.Next()
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
}

func (r *Reader) next() (Event, error) {
	line, whole, long, err := r.line()
	n := r.rules.line + 1
	switch {
	case err == io.EOF:
		return Event{}, io.EOF
	case err != nil:
		return Event{}, fmt.Errorf("history: line %d: %w", n, err)
	case long && !whole && r.opts.DropTorn:
		r.torn = true
		return Event{}, io.EOF
	case long:
		return Event{}, &HistoryError{n, ReasonLineTooLong, fmt.Sprintf("more than %d bytes", r.opts.MaxLine)}
	}
	var e Event
	if err := e.UnmarshalJSON(line); err != nil {
		switch {
		case !whole && r.opts.DropTorn:
			r.torn = true
			return Event{}, io.EOF
		case !whole:
			return Event{}, &HistoryError{n, ReasonTornLine, err.Error()}
		}
		return Event{}, &HistoryError{n, ReasonMalformed, err.Error()}
	}
	if err := r.rules.next(&e); err != nil {
		return Event{}, err
	}
	return e, nil
}

// line returns the next line without its newline, and whether it had one. A
// line that is too long is not kept. It is read to its end only where that end
// decides whether it is a torn tail to be dropped.
func (r *Reader) line() (line []byte, whole, long bool, err error) {
	r.buf = r.buf[:0]
	any := false
	for {
		part, err := r.in.ReadSlice('\n')
		any = any || len(part) > 0
		if len(r.buf)+len(part) > r.opts.MaxLine+1 {
			long = true
		}
		if !long {
			r.buf = append(r.buf, part...)
		}
		switch {
		case err == nil:
			if !long {
				line = r.buf[:len(r.buf)-1]
			}
			return line, true, long, nil
		case err == bufio.ErrBufferFull:
			if long && !r.opts.DropTorn {
				return nil, false, true, nil
			}
		case err == io.EOF && any:
			return r.buf, false, long, nil
		default:
			return nil, false, false, err
		}
	}
}
