package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errAddrInUse: the server could not listen; its port may become free again.
var errAddrInUse = errors.New("address already in use")

// proc is one server process, from its start until it and the children that it
// forks to write files are gone.
type proc struct {
	cmd  *exec.Cmd
	pid  int           // its process group as well
	done chan struct{} // closed once they are gone and were waited for
}

// spawn starts a server and a goroutine that waits for it. What it prints is
// appended to the file stdout; its log is elsewhere. env goes on top of this
// process's environment.
func spawn(w *watchdog, server, conf, stdout string, env ...string) (*proc, error) {
	out, err := os.OpenFile(stdout, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	printed, pipe, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	defer pipe.Close()
	cmd := w.command(server, conf)
	cmd.Dir = filepath.Dir(conf)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = pipe, pipe
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, printed.Close(), out.Close())
	}
	p := &proc{cmd: cmd, pid: cmd.Process.Pid, done: make(chan struct{})}
	family := make(chan struct{}) // closed once nobody is left who could print
	go func() {
		defer close(family)
		defer out.Close()
		defer printed.Close()
		io.Copy(out, printed)
	}()
	go func() {
		defer close(p.done)
		p.cmd.Wait() // how it ended is in its log and in what was done to it
		p.endFamily(family)
		w.forget(p.pid)
	}()
	return p, nil
}

// endFamily kills the children of a dead server and waits until they are gone.
func (p *proc) endFamily(gone <-chan struct{}) {
	// Without children, that is nearly always, there is nothing to kill, and the
	// number of the group may already be somebody else's.
	select {
	case <-gone:
		return
	case <-time.After(20 * time.Millisecond):
	}
	syscall.Kill(-p.pid, syscall.SIGKILL)
	<-gone
}

// gone reports whether the process has ended and was waited for.
func (p *proc) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end sends a signal and waits until the process is gone.
func (p *proc) end(ctx context.Context, sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pid %d did not end: %w", p.pid, context.Cause(ctx))
	}
}

// stopped reports whether the process, with all its threads, is stopped.
func stopped(ctx context.Context, pid int) (bool, error) {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		return stoppedByPS(ctx, pid)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		// The name in parentheses may hold anything; the state follows it.
		i := bytes.LastIndexByte(stat, ')')
		if i < 0 || i+2 >= len(stat) {
			return false, fmt.Errorf("unreadable %s: %q", path, stat)
		}
		if c := stat[i+2]; c != 'T' && c != 't' {
			return false, nil
		}
	}
	return true, nil
}

// stoppedByPS is stopped where there is no /proc.
func stoppedByPS(ctx context.Context, pid int) (bool, error) {
	out, err := exec.CommandContext(ctx, "ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return false, fmt.Errorf("state of pid %d: %w", pid, err)
	}
	return strings.HasPrefix(strings.TrimSpace(string(out)), "T"), nil
}

// logTail returns what the file holds from offset on, at most its last 2 KB.
func logTail(path string, offset int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil {
		offset = max(offset, st.Size()-2048)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err.Error()
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// poll calls f every few milliseconds until it reports true. If the context
// ends first, the error says what f was last unhappy about.
func poll(ctx context.Context, f func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, last := f()
		if ok {
			return last
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // f would only complain about that
			return errors.Join(context.Cause(ctx), last)
		}
	}
}
