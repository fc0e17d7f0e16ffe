package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/chaos"
	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// runFlags are the flags of run.
type runFlags struct {
	duration             time.Duration
	nodes, clients, keys int
	seed                 uint64
	seeded               bool
	faults, story, out   string
	redisServer, backend string
}

func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var f runFlags
	fs := flags("run", "[flags]", stdout)
	fs.DurationVar(&f.duration, "duration", scenario.DefaultDuration, "`length` of the faulted part")
	fs.IntVar(&f.nodes, "nodes", scenario.DefaultNodes, "`number` of Redis servers, 3 to 15")
	fs.IntVar(&f.clients, "clients", scenario.DefaultClients, "`number` of clients, 1 to 64")
	fs.IntVar(&f.keys, "keys", scenario.DefaultKeys, "`number` of locks, 1 to 64")
	fs.Uint64Var(&f.seed, "seed", 0, "`seed` of everything random (default: a fresh one, printed)")
	fs.StringVar(&f.faults, "faults", "all", "comma-separated `kinds` of random faults, or all, or none: "+kinds())
	fs.StringVar(&f.story, "story", "", "tell this directed `story` alone, without random faults: "+strings.Join(scenario.AllStoryNames(), ", "))
	fs.StringVar(&f.out, "out", "", "`folder` for history, results, schedule and logs (default runs/<time>-<seed>)")
	fs.StringVar(&f.redisServer, "redis-server", "", "`path` of the redis-server to use (default: $QUORUMLOCK_REDIS_SERVER, PATH, or what scripts/redis-server.sh got)")
	fs.StringVar(&f.backend, "backend", "process", "`what` the servers run in: process, or container (needs a container engine; $DOCKER_HOST is honoured)")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if f.backend != "process" && f.backend != "container" {
		return 0, &usageError{Value: f.backend, Reason: "--backend must be process or container"}
	}
	if fs.NArg() > 0 {
		return 0, &usageError{Value: fs.Arg(0), Reason: "run takes flags only"}
	}
	given := map[string]string{}
	fs.Visit(func(fl *flag.Flag) { given[fl.Name] = fl.Value.String() })
	_, f.seeded = given["seed"]
	for _, name := range []string{"duration", "nodes", "clients", "keys"} {
		// Zero would mean the default, which nobody who writes 0 asks for.
		if v := given[name]; v == "0" || v == "0s" {
			return 0, &usageError{Value: v, Reason: "--" + name + " must be positive"}
		}
	}
	return f.run(ctx, stdout, stderr)
}

func kinds() string {
	var names []string
	for _, k := range scenario.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func (f *runFlags) run(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	if !f.seeded {
		var b [4]byte // short enough to type
		rand.Read(b[:])
		f.seed = uint64(binary.LittleEndian.Uint32(b[:]))
	}
	faults, err := scenario.ParseKinds(f.faults)
	if err != nil {
		return 0, err
	}
	plan, err := scenario.New(scenario.Options{
		Duration: f.duration, Nodes: f.nodes, Clients: f.clients, Keys: f.keys, Seed: f.seed, Faults: faults, Story: f.story,
	})
	if err != nil {
		return 0, err
	}
	if f.out == "" {
		f.out = filepath.Join("runs", fmt.Sprintf("%s-%d", time.Now().UTC().Format("20060102T150405Z"), f.seed))
	}
	fmt.Fprintf(stdout, "seed %d, output in %s\n", f.seed, f.out)
	defer context.AfterFunc(ctx, func() {
		fmt.Fprintln(stderr, "\nstopping early: healing and judging; interrupt again to kill")
	})()
	res, err := chaos.Run(ctx, chaos.Options{
		Plan: plan, Dir: f.out, RedisServer: f.redisServer, Progress: stderr, Terminal: isTerminal(stderr), Replay: f.replay(),
		Backend: f.backend,
	})
	if res == nil {
		return 0, err
	}
	return res.ExitCode, errors.Join(err, res.WriteSummary(stdout, f.out), stepSummary(res))
}

// replay is the command that repeats the schedule.
func (f *runFlags) replay() string {
	cmd := fmt.Sprintf("%s run --seed %d --duration %v --nodes %d --clients %d --keys %d", os.Args[0], f.seed, f.duration, f.nodes, f.clients, f.keys)
	if f.faults != "all" {
		cmd += fmt.Sprintf(" --faults %q", f.faults)
	}
	if f.backend != "process" {
		cmd += " --backend " + f.backend
	}
	if f.story != "" {
		cmd += " --story " + f.story
	}
	return cmd
}

// isTerminal tells whether w is a terminal that can redraw a line.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
