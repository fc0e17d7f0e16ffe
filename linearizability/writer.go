package linearizability

import (
	"bufio"
	"errors"
	"io"
)

// errClosed is what a closed Writer answers.
var errClosed = errors.New("history: writer is closed")

// Writer writes a history, one JSON object a line. It assigns indexes in the
// order of its calls; see Order for the order that they should have. It does
// not check the other rules. It is not safe for use by several goroutines at
// once.
type Writer struct {
	out   *bufio.Writer
	under io.Writer
	edn   bool   // see NewEDNWriter
	line  []byte // reused
	next  int
	err   error
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{out: bufio.NewWriterSize(w, 64<<10), under: w}
}

// Write appends e with the next index in place of its own. After an error all
// calls return that error.
func (w *Writer) Write(e Event) error {
	if w.err != nil {
		return w.err
	}
	e.Index = w.next
	form := appendEvent
	if w.edn {
		if e.Process == Observer {
			return nil
		}
		form = appendEDNEvent
	}
	line, err := form(w.line[:0], &e)
	if err == nil {
		w.line = append(line, '\n')
		_, err = w.out.Write(w.line)
	}
	if err != nil {
		w.err = err
		return err
	}
	w.next++
	return nil
}

// Flush passes on what was written so far.
func (w *Writer) Flush() error {
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}

// Close flushes, and closes the underlying writer if it is an io.Closer. It
// returns the first error of the Writer's life.
func (w *Writer) Close() error {
	if w.err == errClosed {
		return nil
	}
	err := w.Flush()
	if c, ok := w.under.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	w.err = errClosed
	return err
}
