package testenv

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
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

func (n *Node) end(ctx context.Context, sig os.Signal) error {
	p := n.running()
	if p == nil {
		return ErrNotRunning
	}
	return p.end(ctx, sig)
}

// Restart kills the process, if one runs, and starts another on the same
// address with as much of the memory as m says. It returns once the new process
// answers with its memory loaded; a replica comes back as a primary.
func (n *Node) Restart(ctx context.Context, m Memory) error {
	return n.fault(ctx, "restart", func(ctx context.Context) error {
		if err := n.reap(ctx); err != nil {
			return err
		}
		switch m {
		case KeepMemory:
		case PartialMemory:
			if err := forgetNewest(n.dataDir(), time.Now()); err != nil {
				return err
			}
		case LoseMemory:
			if err := n.wipe(); err != nil {
				return err
			}
		default:
			return errors.New("unknown Memory")
		}
		return n.start(ctx)
	})
}

// wipe gives the node an empty data folder, under another name, so that it is
// not merely believed to be empty.
func (n *Node) wipe() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.dataDir()
	n.life++
	return errors.Join(os.Mkdir(n.dataDir(), 0o755), os.RemoveAll(old))
}

// Freeze stops the process with SIGSTOP and waits until all its threads stand
// still. Connections to it are still accepted, by the kernel.
func (n *Node) Freeze(ctx context.Context) error {
	return n.fault(ctx, "freeze", func(ctx context.Context) error {
		p := n.running()
		if p == nil {
			return ErrNotRunning
		}
		n.setFrozen(true) // before, so that nobody expects an answer meanwhile
		if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		return poll(ctx, func() (bool, error) { return stopped(ctx, p.pid) })
	})
}

// Thaw continues a frozen process and waits until it answers. What was sent to
// it meanwhile, it does now. Thawing what is not frozen does nothing.
func (n *Node) Thaw(ctx context.Context) error {
	return n.fault(ctx, "thaw", n.thaw)
}

func (n *Node) thaw(ctx context.Context) error {
	p := n.running()
	if p == nil {
		return ErrNotRunning
	}
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
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
	case n.Frozen():
		return ErrFrozen
	}
	return nil
}
