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
	"time"
)

// errAddrInUse: the server could not listen; its port may become free again.
var errAddrInUse = errors.New("address already in use")

// proc is one server process, from its start until it was waited for.
type proc struct {
	cmd  *exec.Cmd
	pid  int
	done chan struct{} // closed once the process was waited for
}

// spawn starts a server and a goroutine that waits for it.
func spawn(w *watchdog, server, conf, stdout string) (*proc, error) {
	out, err := os.OpenFile(stdout, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := w.command(server, conf)
	cmd.Dir = filepath.Dir(conf)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &proc{cmd: cmd, pid: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.cmd.Wait() // how it ended is in its log and in what was done to it
		w.forget(p.pid)
	}()
	return p, nil
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

// signal sends a signal and waits until the process is gone.
func (p *proc) end(ctx context.Context, sig os.Signal) error {
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
			return errors.Join(context.Cause(ctx), last)
		}
	}
}
