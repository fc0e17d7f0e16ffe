package testenv

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envDoomed makes the test binary a run that waits to be killed; its value is
// the run's folder. envDoomedBackend is its backend.
const (
	envDoomed        = "QUORUMLOCK_TEST_DOOMED_RUN"
	envDoomedBackend = "QUORUMLOCK_TEST_DOOMED_BACKEND"
)

// doomedRun starts three nodes, freezes one, tells the pids, and waits.
func doomedRun(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := Start(ctx, Config{Nodes: 3, Clients: []string{"c1"}, Dir: dir, Backend: Backend(os.Getenv(envDoomedBackend))})
	if err == nil {
		err = e.Nodes()[1].Freeze(ctx)
	}
	if err == nil {
		// One that was restarted, and whose first pid was forgotten.
		err = e.Nodes()[2].Restart(ctx, KeepMemory)
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for _, n := range e.Nodes() {
		fmt.Println("pid", n.Pid())
	}
	switch b := e.backend.(type) {
	case *processes:
		fmt.Println("pid", b.dog.cmd.Process.Pid)
	case *containers:
		fmt.Println("run", b.claim.run)
	}
	fmt.Println("ready")
	<-ctx.Done()
	os.Exit(1)
}

// alive reports whether a process exists and is more than a zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		out, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
		return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// startDoomed starts a doomed run and returns what it told when it was ready.
func startDoomed(t *testing.T, b Backend) (cmd *exec.Cmd, told map[string][]string) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDoomed+"="+t.TempDir(), envDoomedBackend+"="+string(b), envRedisServer+"="+Require(t))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	told = make(map[string][]string)
	for s := bufio.NewScanner(out); s.Scan(); {
		verb, arg, _ := strings.Cut(s.Text(), " ")
		switch verb {
		case "pid", "run":
			told[verb] = append(told[verb], arg)
		case "ready":
			return cmd, told
		default:
			t.Fatal(s.Text())
		}
	}
	t.Fatalf("the run ended, having told %v", told)
	return nil, nil
}

func TestServersDieWithTheRun(t *testing.T) {
	cmd, told := startDoomed(t, BackendProcess)
	var pids []int
	for _, text := range told["pid"] {
		pid, err := strconv.Atoi(text)
		must(t, err)
		pids = append(pids, pid)
	}
	if len(pids) != 4 {
		t.Fatalf("pids %v, want those of three servers and a watchdog", pids)
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d does not live before the run is killed", pid)
		}
	}
	// What a terminal sends to all that it started must not end the watchdog.
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		must(t, syscall.Kill(pids[3], sig))
	}
	must(t, cmd.Process.Kill())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, pid := range pids {
		if err := poll(ctx, func() (bool, error) { return !alive(pid), nil }); err != nil {
			t.Errorf("process %d outlives the run: %v", pid, err)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// sleeper starts a process that does nothing, and that the test kills at its end.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	c := exec.Command("sleep", "60")
	must(t, c.Start())
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c
}

// spared checks that nobody has killed the process so far, by ending it: what
// counts is the first signal that it was sent.
func spared(t *testing.T, c *exec.Cmd) {
	t.Helper()
	must(t, c.Process.Signal(syscall.SIGTERM))
	c.Wait()
	if s := c.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGTERM {
		t.Errorf("process %d was not spared: it ended with %v", c.ProcessState.Pid(), c.ProcessState)
	}
}

func TestWatchdogKillsWhatItWasNotToldToForget(t *testing.T) {
	w, err := startWatchdog(watchdogScript)
	must(t, err)
	added, forgotten, other := sleeper(t), sleeper(t), sleeper(t)
	fmt.Fprintf(w.pipe, "add %d\nadd %d\n", added.Process.Pid, forgotten.Process.Pid)
	w.forget(forgotten.Process.Pid)
	must(t, w.close())
	added.Wait()
	if s := added.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGKILL {
		t.Errorf("what was added ended with %v, want SIGKILL", added.ProcessState)
	}
	spared(t, forgotten)
	spared(t, other)
}

// A pid may belong to somebody else by the time the run ends. The system's
// answer when a process began is replaced by one that is always another.
func TestWatchdogSparesReusedPids(t *testing.T) {
	script := strings.Replace(watchdogScript, "\nservers=\n", "\nbegan() { echo x >>\"$COUNT\"; grep -c x \"$COUNT\"; }\nservers=\n", 1)
	if script == watchdogScript {
		t.Fatal("script has changed")
	}
	t.Setenv("COUNT", t.TempDir()+"/count")
	w, err := startWatchdog(script)
	must(t, err)
	c := sleeper(t)
	fmt.Fprintf(w.pipe, "add %d\n", c.Process.Pid)
	must(t, w.close())
	spared(t, c)
}
