package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteResults writes results.json into the folder of a run.
func WriteResults(dir string, res *Result) error {
	data, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return fmt.Errorf("report: encoding the results: %w", err)
	}
	return replace(filepath.Join(dir, ResultsFile), append(data, '\n'))
}

// Build makes report.html and summary.md in the folder of a run from its
// results.json and history.jsonl, and returns what it read. What was there
// before is replaced only once both are whole. Where the run's files cannot be
// used the error is a *FileError.
func Build(dir string) (*Result, error) {
	res, events, err := Read(dir)
	if err != nil {
		return nil, err
	}
	var html, markdown bytes.Buffer
	if err := WritePage(&html, res, events); err != nil {
		return nil, err
	}
	if err := res.WriteMarkdown(&markdown); err != nil {
		return nil, err
	}
	return res, errors.Join(replace(filepath.Join(dir, PageFile), html.Bytes()), replace(filepath.Join(dir, SummaryFile), markdown.Bytes()))
}

// replace writes a file beside the one that it is to replace, so that no reader
// ever sees half of it, and a failure leaves the old one.
func replace(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("report: writing %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	_, err = io.Copy(f, bytes.NewReader(data))
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
