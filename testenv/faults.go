package testenv

import (
	"context"
	"errors"
	"syscall"
)

// Memory is what a server still knows after a restart.
type Memory int

const (
	// KeepMemory: everything that was ever acknowledged.
	KeepMemory Memory = iota
	// PartialMemory: everything but the newest writes, as after a power failure
	// under appendfsync everysec. The servers run under appendfsync always, and
	// the loss is made by cutting the append-only file before the restart: gone
	// is at least the newest write or transaction, and besides (from Redis 7.0
	// on, which notes the time in the file) whatever was written in the second
	// of the restart and in the one before. With nothing to lose, the restart
	// fails and the server is left dead.
	PartialMemory
	// LoseMemory: nothing.
	LoseMemory
)

// Kill ends the process with SIGKILL and waits until it is gone, with the
// children that it forked. Killing a dead node is an error.
func (n *Node) Kill(ctx context.Context) error {
	return n.fault(ctx, "kill", func(ctx context.Context) error { return n.end(ctx, syscall.SIGKILL) })
}

// Terminate ends the process with SIGTERM and waits until it is gone. A frozen
// server does not hear it and must be thawed first.
func (n *Node) Terminate(ctx context.Context) error {
	return n.fault(ctx, "terminate", func(ctx context.Context) error {
		if n.Frozen() {
			return ErrFrozen
		}
		return n.end(ctx, syscall.SIGTERM)
	})
}

func (n *Node) end(ctx context.Context, sig syscall.Signal) error {
	s := n.running()
	if s == nil {
		return ErrNotRunning
	}
	return s.end(ctx, sig)
}

// Restart kills the process, if one runs, and starts another on the same
// address with as much of the memory as m says. It returns once the new process
// answers with its memory loaded; a replica comes back as a primary, and a
// disconnected node connected.
func (n *Node) Restart(ctx context.Context, m Memory) error {
	return n.fault(ctx, "restart", func(ctx context.Context) error {
		if m != LoseMemory && n.env.cfg.Persistence == PersistNothing {
			return ErrUnsupported
		}
		if err := n.reap(ctx); err != nil {
			return err
		}
		switch m {
		case KeepMemory:
		case PartialMemory:
			if err := n.seat.forget(ctx, n.now()); err != nil {
				return err
			}
		case LoseMemory:
			if err := n.seat.wipe(ctx); err != nil {
				return err
			}
		default:
			return errors.New("unknown Memory")
		}
		if n.Disconnected() {
			if err := n.plug(ctx); err != nil {
				return err
			}
		}
		return n.start(ctx)
	})
}

// Freeze stops the process with SIGSTOP and waits until all its threads stand
// still; it pauses a container and waits until it is seen to give no answer.
// Connections are still accepted, by the kernel.
func (n *Node) Freeze(ctx context.Context) error {
	return n.fault(ctx, "freeze", func(ctx context.Context) error {
		s := n.running()
		if s == nil {
			return ErrNotRunning
		}
		n.setFrozen(true) // before, so that nobody expects an answer meanwhile
		return s.freeze(ctx)
	})
}

// Thaw continues a frozen process and waits until it answers. What was sent to
// it meanwhile, it does now. Thawing what is not frozen does nothing. A
// disconnected server must be reconnected first.
func (n *Node) Thaw(ctx context.Context) error {
	return n.fault(ctx, "thaw", n.thaw)
}

func (n *Node) thaw(ctx context.Context) error {
	s := n.running()
	switch {
	case s == nil:
		return ErrNotRunning
	case n.Disconnected():
		return ErrDisconnected
	}
	if err := s.thaw(ctx); err != nil {
		return err
	}
	err := poll(ctx, func() (bool, error) {
		_, err := n.do(ctx, "PING")
		return err == nil, err
	})
	if err == nil {
		n.setFrozen(false)
	}
	return err
}

func (n *Node) setFrozen(frozen bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = frozen
}

// Disconnect takes the node's container off its network, as if the cable were
// pulled out: what is sent to it is lost, nobody is refused, and connections
// hang. It returns once the node was seen to give no answer; a dead or frozen
// one, which gives none anyway, once the engine says so. What a backend without
// networks returns is ErrUnsupported.
func (n *Node) Disconnect(ctx context.Context) error {
	return n.fault(ctx, "disconnect", func(ctx context.Context) error {
		if n.Disconnected() {
			return ErrDisconnected
		}
		answered := n.reachable()
		n.setUnplugged(true) // before, so that nobody expects an answer meanwhile
		if err := n.seat.unplug(ctx); err != nil {
			if errors.Is(err, ErrUnsupported) {
				n.setUnplugged(false)
			}
			return err
		}
		if answered {
			return confirmMute(ctx, n.DirectAddr())
		}
		return nil
	})
}

// Reconnect puts the node back on its network, with the same address, and waits
// until it answers, if it runs and is not frozen. Connections that were not
// given up meanwhile go on. Reconnecting what is connected does nothing.
func (n *Node) Reconnect(ctx context.Context) error {
	return n.fault(ctx, "reconnect", func(ctx context.Context) error {
		if !n.Disconnected() {
			if n.env.cfg.Backend == BackendProcess {
				return ErrUnsupported
			}
			return nil
		}
		if err := n.plug(ctx); err != nil || !n.reachable() {
			return err
		}
		return poll(ctx, func() (bool, error) {
			_, err := n.do(ctx, "PING")
			return err == nil, err
		})
	})
}

func (n *Node) plug(ctx context.Context) error {
	if err := n.seat.plug(ctx); err != nil {
		return err
	}
	n.setUnplugged(false)
	return nil
}

func (n *Node) setUnplugged(unplugged bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unplugged = unplugged
}

// FlushAll deletes all keys (FLUSHALL); the server's answer confirms it.
func (n *Node) FlushAll(ctx context.Context) error {
	return n.command(ctx, "flushall", "FLUSHALL")
}

// ScriptFlush empties the server's script cache (SCRIPT FLUSH); its answer
// confirms it.
func (n *Node) ScriptFlush(ctx context.Context) error {
	return n.command(ctx, "script flush", "SCRIPT", "FLUSH")
}

// command is a fault that consists of one command.
func (n *Node) command(ctx context.Context, op, cmd string, args ...any) error {
	return n.fault(ctx, op, func(ctx context.Context) error {
		if err := n.answers(); err != nil {
			return err
		}
		_, err := n.do(ctx, cmd, args...)
		return err
	})
}

// answers says why the server cannot be expected to answer, if so.
func (n *Node) answers() error {
	switch {
	case !n.Running():
		return ErrNotRunning
	case n.Disconnected():
		return ErrDisconnected
	case n.Frozen():
		return ErrFrozen
	}
	return nil
}
