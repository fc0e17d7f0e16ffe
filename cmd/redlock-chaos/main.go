// Redlock-chaos runs clients of the lock against real Redis servers while it
// breaks them, or against simulated ones, and judges histories of such runs.
//
// Its exit code is 0 if no violation was observed, 1 if there was one, 2 if
// the verdict is unknown or the run vacuous, and 3 if the input was bad or the
// harness itself failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/quorumlock/quorumlock/linearizability"
)

const usage = `usage: redlock-chaos COMMAND [flags]

commands:
  run     run clients against real Redis servers while these are broken, and
          judge what the clients saw
  check   judge histories that were recorded before, of this lock or another
  export  write a history as Jepsen's EDN
  simulate
          run the lock in a simulated cluster with faults, once for each of many
          seeds, judge every run and shrink what fails; merge results of shards
  replay  repeat one simulated run from its seed or from a file, to the byte
  report  make report.html and summary.md of a run again, from the
          results.json and history.jsonl in its folder
  explore visit every interleaving of small scopes of the protocol
  dial    break one assumption after the other, further and further, and show
          from where on what falls
  mutants plant mistakes in the lock and have the harness convict them

redlock-chaos COMMAND -h lists a command's flags.

exit codes:
  0  no violation observed        2  unknown, or vacuous: it means nothing
  1  violated                     3  bad input, or the harness itself failed
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the run early; it is healed and judged all the
	// same. The second one kills, and the servers' watchdog cleans up.
	context.AfterFunc(ctx, stop)
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command does what the arguments say and returns the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return linearizability.ExitBadInput
	}
	var code int
	var err error
	switch name := args[0]; name {
	case "run":
		code, err = runCommand(ctx, args[1:], stdout, stderr)
	case "check":
		code, err = checkCommand(ctx, args[1:], os.Stdin, stdout, stderr)
	case "export":
		code, err = exportCommand(ctx, args[1:], os.Stdin, stdout, stderr)
	case "report":
		code, err = reportCommand(args[1:], stdout)
	case "explore":
		code, err = exploreCommand(ctx, args[1:], stdout, stderr)
	case "simulate":
		code, err = simulateCommand(ctx, args[1:], stdout, stderr)
	case "replay":
		code, err = replayCommand(ctx, args[1:], stdout, stderr)
	case "mutants":
		code, err = mutantsCommand(ctx, args[1:], stdout)
	case "dial":
		code, err = dialCommand(ctx, args[1:], stdout, stderr)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		err = &usageError{Value: name, Reason: "no such command; there are run, check, export, simulate, replay, report, explore, mutants and dial"}
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "redlock-chaos: %v\n", err)
		return linearizability.ExitBadInput
	}
	return code
}

// usageError says what is wrong with the command line.
type usageError struct {
	Value  string
	Reason string
}

// Error names the value and the reason.
func (e *usageError) Error() string { return fmt.Sprintf("%q: %s", e.Value, e.Reason) }

// flags makes a flag set whose complaints are returned rather than printed
// twice.
func flags(name, synopsis string, stdout io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintf(stdout, "usage: redlock-chaos %s %s\n", name, synopsis)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		fs.SetOutput(io.Discard)
	}
	return fs
}

// parse parses the flags; help goes to where the flag set writes it.
func parse(fs *flag.FlagSet, args []string) error {
	usage := fs.Usage
	fs.Usage = func() {} // called on every error; an error has its own line
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage()
	}
	if err != nil && strings.Contains(err.Error(), "-duration: parse error") {
		return fmt.Errorf("%w: a length has a unit, as in 60s or 5m", err)
	}
	return err
}
