package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/quorumlock/quorumlock/chaos/mutants"
	"github.com/quorumlock/quorumlock/linearizability"
)

// mutantsCommand plants mistakes and has the engines convict them. It ends in 0
// if all were convicted of what was named for them, and in 1 otherwise.
func mutantsCommand(ctx context.Context, args []string, stdout io.Writer) (int, error) {
	o := mutants.Options{Out: stdout}
	var engines, file, shrunk string
	var list bool
	fs := flags("mutants", "[flags] [MUTANT…]", stdout)
	fs.StringVar(&o.Root, "root", ".", "`folder` of the module's source")
	fs.StringVar(&o.Dir, "out", "", "`folder` for the runs (default runs/mutants-<time>)")
	fs.StringVar(&engines, "engine", "explore,simulate,live", "the `engines` that must convict")
	fs.IntVar(&o.Jobs, "jobs", runtime.GOMAXPROCS(0), "`number` of mutants at a time, but for live runs")
	fs.IntVar(&o.Runs, "runs", 5, "`number` of live runs of each mutant")
	fs.IntVar(&o.Needed, "needed", 0, "`number` of live runs that must convict (default: as each mutant says of five)")
	fs.Uint64Var(&o.Seed, "seed", 0, "`seed` of the first live run; the others count up (default: a fresh one)")
	fs.StringVar(&file, "json", "", "also write the result to this `file`")
	fs.StringVar(&shrunk, "shrink", "", "instead of a table, have the simulator convict each mutant, and save the shortest story of how in this `folder`")
	fs.BoolVar(&list, "list", false, "only list the mutants")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	switch {
	case list:
		return 0, mutants.WriteCatalogue(stdout)
	case o.Runs < 1:
		return 0, &usageError{Value: fmt.Sprint(o.Runs), Reason: "--runs must be positive"}
	case o.Jobs < 1:
		return 0, &usageError{Value: fmt.Sprint(o.Jobs), Reason: "--jobs must be positive"}
	case o.Needed < 0 || o.Needed > o.Runs:
		return 0, &usageError{Value: fmt.Sprint(o.Needed), Reason: "--needed must be 1 to the number of runs"}
	}
	if o.Seed == 0 {
		var b [4]byte
		rand.Read(b[:])
		o.Seed = uint64(binary.LittleEndian.Uint32(b[:]))
	}
	var err error
	if o.Engines, err = mutants.ParseEngines(engines); err != nil {
		return 0, &usageError{Value: engines, Reason: err.Error()}
	}
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return 0, err
	}
	if _, err := os.Stat(filepath.Join(o.Root, "go.mod")); err != nil {
		return 0, &usageError{Value: o.Root, Reason: "--root must be the folder of the module's source"}
	}
	if o.Dir == "" {
		o.Dir = filepath.Join("runs", "mutants-"+time.Now().Format("20060102-150405"))
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return 0, err
	}
	o.Only = fs.Args()
	if shrunk != "" {
		all, err := mutants.Shrink(ctx, o, shrunk)
		return 0, errors.Join(err, o.WriteShrunk(all))
	}
	return convict(ctx, o, file, stdout)
}

// convict runs the mutants and writes what came of them, as far as they came.
func convict(ctx context.Context, o mutants.Options, file string, stdout io.Writer) (int, error) {
	res, err := mutants.Run(ctx, o)
	if res != nil && len(res.Rows) > 0 {
		fmt.Fprintln(stdout)
		err = errors.Join(err, res.WriteTable(stdout))
	}
	if res != nil && file != "" {
		data, jsonErr := res.JSON()
		if jsonErr == nil {
			jsonErr = os.WriteFile(file, data, 0o644)
		}
		err = errors.Join(err, jsonErr)
	}
	switch {
	case err != nil:
		return 0, errors.Join(err, ctx.Err())
	case res.Failed():
		fmt.Fprintf(stdout, "\nsome mutants are not convicted as they must be (live runs from seed %d; files in %s)\n", o.Seed, o.Dir)
		return linearizability.ExitViolated, nil
	}
	return 0, nil
}
