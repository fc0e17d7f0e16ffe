package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/quorumlock/quorumlock/linearizability"
)

// exportCommand writes a history down in the other format.
func exportCommand(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	s := source{stdin: stdin}
	fs := flags("export", "[flags] DIR|FILE\n\nWrites a history as Jepsen's history.edn, without the observer's events.\n", stdout)
	out := fs.String("out", stdinName, "`file` to write, or - for standard output")
	format := fs.String("format", "edn", "`format` to write: edn or jsonl")
	fs.BoolVar(&s.dropTorn, "drop-torn", false, "pass over a last line that a crash cut off")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if fs.NArg() != 1 {
		return 0, &usageError{Value: "export", Reason: "exactly one folder or file is needed"}
	}
	makeWriter := linearizability.NewEDNWriter
	switch *format {
	case "edn":
	case "jsonl":
		makeWriter = linearizability.NewWriter
	default:
		return 0, &usageError{Value: *format, Reason: "--format must be edn or jsonl"}
	}
	if isTerminal(stderr) {
		s.progress = stderr
	}
	in, err := s.open(ctx, fs.Arg(0))
	if err != nil {
		return 0, err
	}
	defer in.close()
	transcribe := func(w io.Writer) error {
		if err := transcribe(in, makeWriter(w)); err != nil {
			return fmt.Errorf("%s: %w", fs.Arg(0), err)
		}
		return nil
	}
	if *out == stdinName {
		return 0, transcribe(stdout)
	}
	return 0, writeWhole(*out, transcribe)
}

// transcribe writes all events of in.
func transcribe(in *input, out *linearizability.Writer) error {
	for {
		e, err := in.Next()
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if err := out.Write(e); err != nil {
			return err
		}
	}
}

// writeWhole writes the file of that name, or leaves what was there.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".export-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
