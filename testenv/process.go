package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// processes runs nodes as processes of this machine.
type processes struct {
	program  string
	version  version
	password string
	persist  Persistence
	shim     string // preloaded into every server; empty means none
	settings []string
	dog      *watchdog
}

func newProcesses(ctx context.Context, cfg *Config) (*processes, error) {
	v, err := cfg.findServer(ctx)
	if err != nil {
		return nil, err
	}
	shim := ""
	if cfg.Clocks {
		if shim, err = compileClock(ctx, cfg.Dir); err != nil {
			return nil, err
		}
	}
	dog, err := startWatchdog(watchdogScript)
	if err != nil {
		return nil, &FaultError{Op: "start", Err: err}
	}
	return &processes{
		program: cfg.RedisServer, version: v, password: cfg.Password, persist: cfg.Persistence,
		settings: cfg.Settings, shim: shim, dog: dog,
	}, nil
}

func (b *processes) close() error { return b.dog.close() }

func (b *processes) seat(_ context.Context, n *Node) (seat, error) {
	port, err := takePort()
	if err != nil {
		return nil, err
	}
	s := &processSeat{processes: b, dir: n.dir, log: n.Log(), port: port}
	err = os.Mkdir(s.data(), 0o755)
	if err == nil && b.shim != "" {
		n.clock, err = newNodeClock(filepath.Join(n.dir, "clock"))
		s.env = append(s.env, "LD_PRELOAD="+b.shim, envClock+"="+n.clock.path)
	}
	if err != nil {
		port.release()
		return nil, err
	}
	return s, nil
}

// processSeat is a port and a folder.
type processSeat struct {
	*processes
	dir  string
	log  string
	port *port
	env  []string // what the servers' environment has besides this process's
	life int      // counts wipes; names the data folder
}

func (s *processSeat) addr() string     { return s.port.addr() }
func (s *processSeat) peerAddr() string { return s.port.addr() }
func (s *processSeat) release()         { s.port.release() }
func (s *processSeat) data() string     { return filepath.Join(s.dir, fmt.Sprintf("data-%d", s.life)) }

func (s *processSeat) launch(context.Context) (server, error) {
	conf := settings{
		version: s.version, password: s.password, bind: "127.0.0.1", port: s.port.num, data: s.data(), log: s.log,
		persist: s.persist, more: s.settings,
	}
	path := filepath.Join(s.dir, "redis.conf")
	if err := os.WriteFile(path, []byte(conf.conf()), 0o600); err != nil {
		return nil, err
	}
	p, err := spawn(s.dog, s.program, path, filepath.Join(s.dir, "stdout.log"), s.env...)
	if err != nil {
		return nil, err // not p, a nil that is not nil
	}
	return p, nil
}

// wipe gives the seat an empty data folder, under another name, so that it is
// not merely believed to be empty.
func (s *processSeat) wipe(context.Context) error {
	old := s.data()
	s.life++
	return errors.Join(os.Mkdir(s.data(), 0o755), os.RemoveAll(old))
}

func (s *processSeat) forget(_ context.Context, now time.Time) error {
	_, err := forgetNewest(s.data(), now)
	return err
}

// A process has no network of its own.
func (s *processSeat) unplug(context.Context) error { return ErrUnsupported }
func (s *processSeat) plug(context.Context) error   { return ErrUnsupported }

func (p *proc) hostPid() int { return p.pid }
func (p *proc) ownPid() int  { return p.pid }

func (p *proc) freeze(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) { return stopped(ctx, p.pid) })
}

func (p *proc) thaw(context.Context) error { return p.cmd.Process.Signal(syscall.SIGCONT) }
