// Command locksbench measures this project's lock beside others and beside the
// floor below them, on the same servers, one repetition of each in turn. It
// prints figures with their spread, ratios and the targets that they must keep,
// and writes the same, with charts and lines for benchstat, to a folder.
//
// It ends non-zero when a measurement failed or a lock was held twice, and not
// when a target was missed: figures depend on the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "locksbench:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	reps int
	only *regexp.Regexp
	out  string
}

func parse(args []string) (o options, list bool, err error) {
	flags := flag.NewFlagSet("locksbench", flag.ContinueOnError)
	flags.IntVar(&o.reps, "reps", 5, "repetitions of each measurement, at least 1; one more goes before and is thrown away")
	only := flags.String("run", ".", "regular expression of the cases to run")
	flags.StringVar(&o.out, "out", "", "folder for results.md, benchstat.txt and charts; empty writes none")
	flags.BoolVar(&list, "list", false, "list the cases and end")
	if err := flags.Parse(args); err != nil {
		return o, false, err
	}
	if o.reps < 1 || flags.NArg() > 0 {
		return o, false, fmt.Errorf("-reps %d, arguments %q: at least one repetition and no arguments are needed", o.reps, flags.Args())
	}
	o.only, err = regexp.Compile(*only)
	return o, list, err
}

// benchCase is one thing that is measured.
type benchCase struct {
	name  string
	about string
	run   func(context.Context, *bench) error
}

var cases = []benchCase{
	{"Pair", "uncontended lock and unlock on 1, 3 and 5 nodes", pairs},
	{"Delayed", "the same on 5 nodes, each 1 ms away", delayed},
	{"Goroutines", "64 goroutines on distinct names, 5 nodes", goroutines},
	{"HandOff", "from one client's unlock to another's lock", handOffs},
	{"Contend", "16 and 50 clients fighting for one lock, 1 ms hold", contends},
	{"Fault", "16 clients fighting, one node frozen or killed meanwhile", faults},
	{"Frozen", "lock, extend, unlock with one node of five frozen", frozen},
	{"Far", "uncontended pair with one node of five 50 ms away", far},
	{"CPU", "server CPU of the scripts, pipelined by 16", serverCPU},
	{"Wire", "bytes on the wire per pair", wire},
	{"Leases", "ten thousand leases held by one client for a minute, then lost at once", leases},
}

func run(ctx context.Context, args []string) error {
	o, list, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if list {
		for _, c := range cases {
			fmt.Printf("%-11s %s\n", c.name, c.about)
		}
		return nil
	}
	var chosen []benchCase
	for _, c := range cases {
		if o.only.MatchString(c.name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no case matches %q", o.only)
	}
	return measureAll(ctx, o, chosen)
}

func measureAll(ctx context.Context, o options, chosen []benchCase) error {
	server, err := testenv.FindRedis()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "locksbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, server: server, dir: dir, table: &measure.Table{}, started: time.Now(), load: loadAverage()}
	var failed []error
	for _, c := range chosen {
		b.say("%s: %s", c.name, c.about)
		if err := c.run(ctx, b); err != nil {
			// What the other cases find is worth having.
			failed = append(failed, fmt.Errorf("%s: %w", c.name, err))
			b.notes = append(b.notes, failed[len(failed)-1].Error())
			b.say("%v", failed[len(failed)-1])
		}
		if ctx.Err() != nil {
			break
		}
	}
	failed = append(failed, b.write(os.Stdout))
	if o.out != "" && ctx.Err() == nil { // half a run is no record
		failed = append(failed, b.save())
	}
	return errors.Join(failed...)
}

// save writes all that was found to the folder.
func (b *bench) save() error {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	errs := []error{
		writeFile(filepath.Join(b.out, "results.md"), b.write),
		writeFile(filepath.Join(b.out, "benchstat.txt"), b.table.WriteBench),
	}
	for name, chart := range b.charts() {
		errs = append(errs, writeFile(filepath.Join(b.out, name+".svg"), chart.WriteSVG))
	}
	return errors.Join(errs...)
}

// machine says where and when the figures were taken.
func (b *bench) machine() string {
	return fmt.Sprintf("%s, %d CPUs, %s/%s, %s, %d repetitions, load before the run %s",
		b.started.UTC().Format("2006-01-02 15:04 MST"), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), b.reps, b.load)
}

// loadAverage is the machine's load over the last minute, where it can be read.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
