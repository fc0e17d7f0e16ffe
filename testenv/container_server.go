package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	docker "github.com/ory/dockertest/v3/docker"
)

// container is one server's container, which is never started twice.
type container struct {
	engine *engine
	id     string
	addr   string
	pid    int
	done   chan struct{} // closed once it has ended and its log was fetched
}

func newContainer(e *engine, id, addr string) *container {
	return &container{engine: e, id: id, addr: addr, done: make(chan struct{})}
}

// start starts the container, and goroutines that append what it prints to the
// file and wait for its end.
func (c *container) start(ctx context.Context, log string) error {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := c.engine.StartContainerWithContext(c.id, nil, ctx); err != nil {
		return errors.Join(fmt.Errorf("container: %w", err), out.Close())
	}
	if state, err := c.inspect(ctx); err == nil {
		c.pid = state.Pid // a server that has ended already has none
	}
	go func() {
		defer close(c.done)
		defer out.Close()
		// It ends with the container. What is missing is only missed by readers.
		c.engine.Logs(docker.LogsOptions{Container: c.id, OutputStream: out, ErrorStream: out, Stdout: true, Stderr: true, Follow: true})
		c.wait()
	}()
	return nil
}

// wait returns once the container has ended.
func (c *container) wait() {
	for {
		_, err := c.engine.WaitContainer(c.id)
		if err == nil || missing(err) {
			return
		}
		// The engine hangs up on us, as when it is restarted; a container whose
		// engine stays away is as good as gone, since nobody can tell.
		ctx, cancel := context.WithTimeout(context.Background(), enginePatience)
		err = poll(ctx, func() (bool, error) { _, err := c.inspect(ctx); return err == nil || missing(err), err })
		cancel()
		if err != nil {
			return
		}
	}
}

func (c *container) inspect(ctx context.Context) (docker.State, error) {
	info, err := c.engine.InspectContainerWithContext(c.id, ctx)
	if err != nil {
		return docker.State{}, err
	}
	return info.State, nil
}

func (c *container) hostPid() int { return c.pid }

// ownPid is that of a container's first process.
func (c *container) ownPid() int { return 1 }

func (c *container) gone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// end sends a signal and waits until the container is gone. One that kills goes
// before the thaw of a paused container, so that it does nothing more.
func (c *container) end(ctx context.Context, sig syscall.Signal) error {
	err := c.engine.KillContainer(docker.KillContainerOptions{ID: c.id, Signal: docker.Signal(sig), Context: ctx})
	var ended *docker.ContainerNotRunning
	if err != nil && !missing(err) && !errors.As(err, &ended) {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("container %.12s did not end: %w", c.id, context.Cause(ctx))
	}
}

func (c *container) freeze(ctx context.Context) error {
	state, err := c.inspect(ctx)
	if err != nil {
		return err
	}
	if !state.Paused {
		if err := within(ctx, func() error { return c.engine.PauseContainer(c.id) }); err != nil {
			return err
		}
		if state, err = c.inspect(ctx); err != nil {
			return err
		}
		if !state.Paused {
			return fmt.Errorf("%w: the engine calls it %s", ErrUnconfirmed, state.Status)
		}
	}
	return confirmMute(ctx, c.addr)
}

func (c *container) thaw(ctx context.Context) error {
	state, err := c.inspect(ctx)
	if err != nil || !state.Paused {
		return err
	}
	return within(ctx, func() error { return c.engine.UnpauseContainer(c.id) })
}
