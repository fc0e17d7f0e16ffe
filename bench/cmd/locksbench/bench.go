package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/bench/subject"
	"github.com/quorumlock/quorumlock/testenv"
)

// bench is one run of the program.
type bench struct {
	options
	server  string // path of redis-server
	dir     string // for the servers
	envs    int    // how many were started
	started time.Time
	load    string // when it started
	version string // the servers'

	table   *measure.Table
	targets []measure.Target
	notes   []string // what could not be measured
}

// say tells how far the run is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

// write prints notes, figures and targets.
func (b *bench) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s; Redis %s, nothing on disk.\nMedian [least–greatest] of the repetitions; ratios are taken repetition by repetition.\n\n", b.machine(), b.version)
	for _, s := range append(subject.All(), subject.OnPools()...) {
		fmt.Fprintf(out, "- %s: %s\n", s.Name, s.Note)
	}
	fmt.Fprintln(out)
	for _, n := range b.notes {
		fmt.Fprintf(out, "FAILED: %s\n\n", n)
	}
	if len(b.targets) > 0 {
		fmt.Fprint(out, "### Targets\n\n")
		if err := measure.WriteTargets(out, b.targets); err != nil {
			return err
		}
	}
	return errors.Join(b.table.WriteText(out), out.Flush())
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// cluster is a set of servers for one case, bootstrapped for this project.
type cluster struct {
	*testenv.Env
	direct subject.Nodes
}

// cluster starts n servers that keep everything in memory, with a proxy in
// front of each for every client name.
func (b *bench) cluster(ctx context.Context, n int, maxTTL time.Duration, clients ...string) (*cluster, error) {
	b.envs++
	env, err := testenv.Start(ctx, testenv.Config{
		Nodes: n, Clients: clients, Dir: filepath.Join(b.dir, fmt.Sprintf("env-%d", b.envs)), RedisServer: b.server,
		Persistence: testenv.PersistNothing,
	})
	if err != nil {
		return nil, err
	}
	c := &cluster{Env: env}
	for _, node := range env.Nodes() {
		c.direct.Names = append(c.direct.Names, node.Name())
		c.direct.Addrs = append(c.direct.Addrs, node.DirectAddr())
	}
	err = subject.Bootstrap(ctx, c.direct, maxTTL)
	if err == nil && b.version == "" {
		b.version, err = c.info(ctx, env.Nodes()[0], "server", "redis_version")
	}
	if err != nil {
		return nil, errors.Join(err, env.Close())
	}
	return c, nil
}

// through is the nodes as the client's proxies show them.
func (c *cluster) through(client string) subject.Nodes {
	n := subject.Nodes{Names: c.direct.Names}
	for _, name := range n.Names {
		n.Addrs = append(n.Addrs, c.Addr(client, name))
	}
	return n
}

// info asks a node for one field of INFO.
func (c *cluster) info(ctx context.Context, node *testenv.Node, section, field string) (string, error) {
	conn, err := node.Dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	text, err := redis.String(conn.Do("INFO", section))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", fmt.Errorf("INFO %s has no %s", section, field)
}

// contestant is a subject with a client of the case's nodes.
type contestant struct {
	subject.Subject
	client subject.Client
}

// open makes a client of every subject.
func open(ctx context.Context, subjects []subject.Subject, nodes subject.Nodes) (list []contestant, close func() error, err error) {
	close = func() error {
		var errs []error
		for _, c := range list {
			errs = append(errs, c.client.Close())
		}
		return errors.Join(errs...)
	}
	for _, s := range subjects {
		client, err := s.Open(ctx, nodes)
		if err != nil {
			return nil, close, errors.Join(fmt.Errorf("%s: %w", s.Name, err), close())
		}
		list = append(list, contestant{s, client})
	}
	return list, close, nil
}

// inTurn calls f for each of the items, then again from the first, reps times
// and once more before with rep -1, to be thrown away.
func inTurn[T any](ctx context.Context, reps int, items []T, f func(rep int, item T) error) error {
	for rep := -1; rep < reps; rep++ {
		for _, item := range items {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(rep, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// add records a figure of a repetition, unless it is the one to throw away.
func (b *bench) add(rep int, caseName, config, lock, unit string, v float64) {
	if rep >= 0 {
		b.table.Add(measure.Key{Case: caseName, Config: config, Lock: lock, Unit: unit}, v)
	}
}

// target records what a series must keep, as a ratio to another subject's or,
// where to is empty, as it is; durations in milliseconds.
func (b *bench) target(k measure.Key, to string, bound, aim float64, atLeast bool) {
	t := measure.Target{What: fmt.Sprintf("%s %s, %s %s", k.Case, k.Config, k.Lock, k.Unit), Bound: bound, Aim: aim, AtLeast: atLeast}
	if to == "" {
		values := slices.Clone(b.table.Get(k))
		if unit, ok := strings.CutSuffix(k.Unit, "-ns"); ok {
			t.What = fmt.Sprintf("%s %s, %s %s, ms", k.Case, k.Config, k.Lock, unit)
			for i := range values {
				values[i] /= 1e6
			}
		}
		t.Got = measure.Over(values)
	} else {
		other := k
		other.Lock = to
		t.What += " / " + to
		t.Got = measure.Ratio(b.table.Get(k), b.table.Get(other))
	}
	b.targets = append(b.targets, t)
}

// ns is a duration in nanoseconds, as a figure.
func ns(d time.Duration) float64 { return float64(d.Nanoseconds()) }
