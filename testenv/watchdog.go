package testenv

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

//go:embed watchdog.sh
var watchdogScript string

// launchScript runs a server such that it cannot escape the watchdog: it says
// its pid before it becomes the server, and closes the pipe, which would keep
// the watchdog from seeing the end of the run.
const launchScript = `echo "add $$" >&3 && exec "$@" 3>&-`

// watchdog is a process that kills servers when this process is gone, however
// it went: it reads from a pipe whose only lasting writer is this process. It
// has a process group of its own, so that what kills ours spares it. (Linux can
// also tie a child's life to its parent's, but there "parent" means the thread.)
//
// Its methods may be called from many goroutines at once, except for close.
type watchdog struct {
	cmd  *exec.Cmd
	pipe *os.File // the write end
}

func startWatchdog(script string) (*watchdog, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", script, "testenv-watchdog")
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	return &watchdog{cmd, w}, nil
}

// command is a server's command under the watchdog's eyes.
func (w *watchdog) command(path string, args ...string) *exec.Cmd {
	argv := append([]string{"-c", launchScript, "testenv-launch", path}, args...)
	cmd := exec.Command("/bin/sh", argv...)
	cmd.ExtraFiles = []*os.File{w.pipe}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// forget says that a server is gone and was waited for.
func (w *watchdog) forget(pid int) {
	// A line below PIPE_BUF is written whole. An error means that the watchdog
	// died, and then the next server does not start.
	fmt.Fprintf(w.pipe, "del %d\n", pid)
}

// close ends the watchdog, which kills what it was not told to forget.
func (w *watchdog) close() error {
	w.pipe.Close()
	stuck := time.AfterFunc(10*time.Second, func() { w.cmd.Process.Kill() })
	defer stuck.Stop()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	return nil
}
