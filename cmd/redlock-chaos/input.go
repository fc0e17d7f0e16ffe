package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
)

// stdinName is the name of standard input on the command line.
const stdinName = "-"

// historyName is the name of the history in a run's folder.
const historyName = "history.jsonl"

// input is a history that is being read.
type input struct {
	*linearizability.Reader
	format linearizability.Format
	size   int64     // of the text in bytes, or 0 if unknown
	text   io.Reader // unpacked
	raw    *meter
	file   io.Closer
}

// source says where histories come from, and how they are read.
type source struct {
	stdin    io.Reader
	dropTorn bool
	progress io.Writer // where progress is drawn, or nil
}

// open opens the history of that name: a file, a run's folder, or standard
// input. It finds out by itself whether it is packed, and in which format it
// is. Reading ends with ctx.
func (s *source) open(ctx context.Context, name string) (*input, error) {
	in := &input{raw: &meter{ctx: ctx, in: s.stdin, draw: s.progress, name: name}}
	if name != stdinName {
		f, err := openFile(name)
		if err != nil {
			return nil, err
		}
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			in.raw.size = st.Size()
		}
		in.raw.in, in.file = f, f
	}
	if err := in.unpack(name); err != nil {
		in.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	in.Reader = linearizability.NewReader(in.text, s.options(in))
	return in, nil
}

func (s *source) options(in *input) linearizability.ReaderOptions {
	return linearizability.ReaderOptions{Format: in.format, DropTorn: s.dropTorn, Size: in.size}
}

// openFile opens a file, or the history in a folder.
func openFile(name string) (*os.File, error) {
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		name = filepath.Join(name, historyName)
	}
	return os.Open(name)
}

// gzipMagic begins every gzip file.
const gzipMagic = "\x1f\x8b"

// unpack sets text, size and format.
func (in *input) unpack(name string) error {
	raw := bufio.NewReaderSize(in.raw, 256<<10)
	in.text, in.size = raw, in.raw.size
	head := raw
	if magic, _ := raw.Peek(len(gzipMagic)); string(magic) == gzipMagic {
		z, err := gzip.NewReader(raw)
		if err != nil {
			return err
		}
		head = bufio.NewReaderSize(z, 256<<10)
		in.text, in.size = head, 0
	}
	// An error shows again when the Reader gets there.
	start, _ := head.Peek(512)
	if strings.HasSuffix(strings.TrimSuffix(name, ".gz"), ".edn") || looksLikeEDN(string(start)) {
		in.format = linearizability.EDN
	}
	return nil
}

// looksLikeEDN tells whether a history that begins so is EDN: a comment, a tag
// or a map whose first key is a keyword.
func looksLikeEDN(start string) bool {
	start = strings.TrimLeft(start, " \t\r\n,")
	inside, isMap := strings.CutPrefix(start, "{")
	return strings.HasPrefix(start, ";") || strings.HasPrefix(start, "#") ||
		isMap && strings.HasPrefix(strings.TrimLeft(inside, " \t\r\n,"), ":")
}

func (in *input) close() {
	in.raw.clear()
	if in.file != nil {
		in.file.Close() // nothing was written
	}
}

// meter counts what is read and draws how far it is.
type meter struct {
	ctx  context.Context
	in   io.Reader
	name string
	size int64 // in bytes, or 0 if unknown
	read int64
	draw io.Writer // nil: do not draw

	began, last time.Time
	drawn       bool
}

// Progress is drawn only where reading takes long, and then not too often.
const (
	drawAfter = 2 * time.Second
	drawEvery = 100 * time.Millisecond
)

// Read reads, and fails once the context is done.
func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.in.Read(p)
	m.read += int64(n)
	if m.draw != nil {
		m.tick(time.Now())
	}
	return n, err
}

func (m *meter) tick(now time.Time) {
	if m.began.IsZero() {
		m.began = now
	}
	if now.Sub(m.began) < drawAfter || now.Sub(m.last) < drawEvery {
		return
	}
	m.last, m.drawn = now, true
	fmt.Fprintf(m.draw, "\r\x1b[K%s", m.bar(now))
}

// barWidth is the number of characters between the brackets.
const barWidth = 30

func (m *meter) bar(now time.Time) string {
	const mega = 1e6
	done := fmt.Sprintf("%.0f MB, %.0f MB/s", float64(m.read)/mega, float64(m.read)/mega/now.Sub(m.began).Seconds())
	if m.size <= 0 {
		return fmt.Sprintf("%s: %s", m.name, done)
	}
	share := min(1, float64(m.read)/float64(m.size))
	full := int(share * barWidth)
	return fmt.Sprintf("%s: [%s%s] %3.0f %%, %s", m.name, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), share*100, done)
}

// clear removes what was drawn.
func (m *meter) clear() {
	if m.drawn {
		fmt.Fprint(m.draw, "\r\x1b[K")
		m.drawn = false
	}
}
