package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// markEvery is after how many lines a Digest takes a mark.
const markEvery = 1000

// HistoryFile says which history a result was made from. The marks narrow down
// where another history begins to differ.
type HistoryFile struct {
	File   string   `json:"file"`
	Lines  int      `json:"lines"`
	SHA256 string   `json:"sha256"`
	Every  int      `json:"every"` // lines between two marks
	Marks  []string `json:"marks"` // of the sha256 so far, the first 8 bytes
}

// Digest is a writer that takes the digest of what passes.
type Digest struct {
	sum   hash.Hash
	lines int
	marks []string
}

// NewDigest returns a Digest of nothing yet.
func NewDigest() *Digest { return &Digest{sum: sha256.New(), marks: []string{}} }

// Write never fails.
func (d *Digest) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			d.sum.Write(rest)
			break
		}
		d.sum.Write(rest[:i+1])
		rest = rest[i+1:]
		if d.lines++; d.lines%markEvery == 0 {
			d.marks = append(d.marks, hex.EncodeToString(d.sum.Sum(nil)[:8]))
		}
	}
	return len(p), nil
}

// Of returns what to write down of the file that has passed.
func (d *Digest) Of(file string) HistoryFile {
	return HistoryFile{File: file, Lines: d.lines, SHA256: hex.EncodeToString(d.sum.Sum(nil)), Every: markEvery, Marks: d.marks}
}

// differs tells from which line on the history that d saw is not the one that h
// was made from, and why; 0 if it is.
func (h HistoryFile) differs(d *Digest) (line int, why string) {
	seen := d.Of(h.File)
	if seen.SHA256 == h.SHA256 && seen.Lines == h.Lines {
		return 0, ""
	}
	from := 1
	for i := range min(len(h.Marks), len(seen.Marks)) {
		if h.Every != markEvery || h.Marks[i] != seen.Marks[i] {
			return from, fmt.Sprintf("another run's: lines %d to %d are not those that results.json was made from", from, from+markEvery-1)
		}
		from += markEvery
	}
	switch {
	case seen.Lines < h.Lines:
		return seen.Lines + 1, fmt.Sprintf("missing, or a line since %d was changed: results.json was made from %d lines", from, h.Lines)
	case seen.Lines > h.Lines:
		return h.Lines + 1, fmt.Sprintf("one too many, or a line since %d was changed: results.json was made from %d lines", from, h.Lines)
	}
	return from, fmt.Sprintf("another run's: lines %d to %d are not those that results.json was made from", from, seen.Lines)
}
