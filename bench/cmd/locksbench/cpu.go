package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/bench/reference"
	"github.com/quorumlock/quorumlock/bench/subject"
	"github.com/quorumlock/quorumlock/redlock/script"
)

const (
	pipelined = 16  // calls of one kind in a packet
	cpuBlocks = 400 // of so many pairs each, per repetition
	cpuConfig = "pipelined=16"
)

// pairScripts is one way to lock and unlock on one server.
type pairScripts struct {
	name            string
	acquire, unlock func(name, id string) []any // EVALSHA's or SET's arguments
	setNX           bool                        // acquire is SET rather than EVALSHA
}

// serverCPU measures the process CPU that a server spends on a pair, on
// connections that carry nothing else.
func serverCPU(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, subject.TTL) // so that records and arguments have their usual length
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	node := cl.Nodes()[0]
	conn, err := node.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	list, err := scriptsOn(ctx, conn, node.DirectAddr())
	if err != nil {
		return err
	}
	err = inTurn(ctx, b.reps, list, func(rep int, s pairScripts) error {
		before, err := cl.cpuOf(ctx, node)
		if err != nil {
			return err
		}
		for block := range cpuBlocks {
			if err := s.block(conn, block); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		after, err := cl.cpuOf(ctx, node)
		b.add(rep, "CPU", cpuConfig, s.name, "server-cpu-ns", ns(after-before)/(cpuBlocks*pipelined))
		return err
	})
	if err != nil {
		return err
	}
	b.target(measure.Key{Case: "CPU", Config: cpuConfig, Lock: "quorumlock", Unit: "server-cpu-ns"}, "reference", 0.8, 0, false)
	return nil
}

// scriptsOn loads all scripts and makes their arguments.
func scriptsOn(ctx context.Context, conn redis.Conn, addr string) ([]pairScripts, error) {
	if err := reference.Admit(conn, subject.TTL); err != nil {
		return nil, err
	}
	member, err := subject.Admission(ctx, addr)
	if err != nil {
		return nil, err
	}
	sha := map[string]string{}
	for name, source := range map[string]string{
		"acquire": script.Acquire.Source(), "release": script.Release.Source(),
		"plain acquire": reference.Acquire, "plain release": reference.Release,
		"delete": subject.CompareAndDelete,
	} {
		if sha[name], err = redis.String(conn.Do("SCRIPT", "LOAD", source)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	acquire := func(name, id string) script.Call {
		now := time.Now().UnixMicro()
		return script.Call{
			Op: script.Acquire, Names: []string{name}, ID: id, Cfg: member.Cfg, Self: member.Self,
			TTL: subject.TTL, Hint: uint64(now), NotAfter: now + 60_000_000,
		}
	}
	release := func(name, id string) script.Call {
		return script.Call{Op: script.Release, Names: []string{name}, ID: id, Pass: script.PassOn}
	}
	ttl := strconv.FormatInt(subject.TTL.Milliseconds(), 10)
	return []pairScripts{
		{
			name:    "quorumlock",
			acquire: func(name, id string) []any { return evalArgs(sha["acquire"], acquire(name, id)) },
			unlock:  func(name, id string) []any { return evalArgs(sha["release"], release(name, id)) },
		},
		{
			name: "reference",
			acquire: func(name, id string) []any {
				return append([]any{sha["plain acquire"]}, reference.Eval(acquire(name, id))...)
			},
			unlock: func(name, id string) []any {
				return append([]any{sha["plain release"]}, reference.Eval(release(name, id))...)
			},
		},
		{
			name: "floor", setNX: true,
			acquire: func(name, id string) []any { return []any{name, id, "NX", "PX", ttl} },
			unlock:  func(name, id string) []any { return []any{sha["delete"], "1", name, id} },
		},
	}, nil
}

func evalArgs(sha string, c script.Call) []any {
	keys, rest := c.Keys(), c.Args()
	args := []any{sha, strconv.Itoa(len(keys))}
	for _, s := range append(keys, rest...) {
		args = append(args, s)
	}
	return args
}

// block locks 16 names in one packet and unlocks them in another, and sees that
// each was granted and freed.
func (s pairScripts) block(conn redis.Conn, block int) error {
	command := "EVALSHA"
	if s.setNX {
		command = "SET"
	}
	ids := make([]string, pipelined)
	for i := range ids {
		ids[i] = fmt.Sprintf("%020d", block*pipelined+i)
	}
	err := exchange(conn, command, func(i int) []any { return s.acquire(lockName(i), ids[i]) }, func(answer any) bool {
		return answer == "OK" || subject.Granted(answer)
	})
	if err != nil {
		return fmt.Errorf("acquire: %w", err)
	}
	err = exchange(conn, "EVALSHA", func(i int) []any { return s.unlock(lockName(i), ids[i]) }, func(answer any) bool { return answer == int64(1) })
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}

func lockName(i int) string { return fmt.Sprintf("bench:cpu:%02d", i) }

// exchange sends 16 calls at once and reads their answers.
func exchange(conn redis.Conn, command string, args func(i int) []any, took func(any) bool) error {
	var errs []error
	for i := range pipelined {
		errs = append(errs, conn.Send(command, args(i)...))
	}
	errs = append(errs, conn.Flush())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for range pipelined {
		answer, err := conn.Receive()
		if err == nil && !took(answer) {
			err = fmt.Errorf("unexpected answer %v", answer)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
