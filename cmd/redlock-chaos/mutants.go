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
	"time"

	"github.com/quorumlock/quorumlock/chaos/mutants"
	"github.com/quorumlock/quorumlock/linearizability"
)

// mutantsCommand plants mistakes and has the harness convict them. It ends in 0
// if all were convicted, and in 1 if one survived.
func mutantsCommand(ctx context.Context, args []string, stdout io.Writer) (int, error) {
	var seed uint64
	o := mutants.Options{Out: stdout}
	fs := flags("mutants", "[flags] [MUTANT…]", stdout)
	fs.StringVar(&o.Root, "root", ".", "`folder` of the module's source")
	fs.StringVar(&o.Dir, "out", "", "`folder` for the runs (default runs/mutants-<time>)")
	fs.IntVar(&o.Runs, "runs", 5, "`number` of runs of each mutant")
	fs.IntVar(&o.Needed, "needed", 0, "`number` of runs that must convict (default: all but one)")
	fs.Uint64Var(&seed, "seed", 0, "`seed` of the first run; the others count up (default: a fresh one)")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if o.Runs < 1 {
		return 0, &usageError{Value: fmt.Sprint(o.Runs), Reason: "--runs must be positive"}
	}
	if o.Needed < 0 || o.Needed > o.Runs {
		return 0, &usageError{Value: fmt.Sprint(o.Needed), Reason: "--needed must be 1 to the number of runs"}
	}
	if o.Needed == 0 {
		o.Needed = max(1, o.Runs-1)
	}
	if o.Seed = seed; seed == 0 {
		var b [4]byte
		rand.Read(b[:])
		o.Seed = uint64(binary.LittleEndian.Uint32(b[:]))
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return 0, &usageError{Value: o.Root, Reason: "--root must be the folder of the module's source"}
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(root, "runs", "mutants-"+time.Now().Format("20060102-150405"))
	}
	o.Root, o.Only = root, fs.Args()
	all, err := mutants.Run(ctx, o)
	if len(all) > 0 {
		err = errors.Join(err, mutants.WriteTable(stdout, all))
	}
	if err != nil {
		return 0, errors.Join(err, ctx.Err())
	}
	for _, c := range o.Survivors(all) {
		fmt.Fprintf(stdout, "%s survives: convicted in %d of %d runs, want %d (seeds from %d, files in %s)\n",
			c.Mutant.Name, c.Convicted, c.Runs, o.Needed, o.Seed, o.Dir)
	}
	if len(o.Survivors(all)) > 0 {
		return linearizability.ExitViolated, nil
	}
	return 0, nil
}
