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
// the run's folder.
const envDoomed = "QUORUMLOCK_TEST_DOOMED_RUN"

// doomedRun starts three nodes, freezes one, tells the pids, and waits.
func doomedRun(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := Start(ctx, Config{Nodes: 3, Clients: []string{"c1"}, Dir: dir})
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
	fmt.Println("pid", e.dog.cmd.Process.Pid)
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

func TestServersDieWithTheRun(t *testing.T) {
	server := Require(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDoomed+"="+t.TempDir(), envRedisServer+"="+server)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var pids []int
	ready := false
	for s := bufio.NewScanner(out); !ready && s.Scan(); {
		verb, arg, _ := strings.Cut(s.Text(), " ")
		switch verb {
		case "pid":
			pid, err := strconv.Atoi(arg)
			must(t, err)
			pids = append(pids, pid)
		case "ready":
			ready = true
		default:
			t.Fatal(s.Text())
		}
	}
	if !ready || len(pids) != 4 {
		t.Fatalf("run did not start: ready %v, pids %v", ready, pids)
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d does not live before the run is killed", pid)
		}
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

// A pid that was given to somebody else meanwhile must be spared. The watchdog
// is told of a process under a pid whose process began at another time.
func TestWatchdogSparesOthers(t *testing.T) {
	w, err := startWatchdog()
	must(t, err)
	victim := exec.Command("sleep", "60")
	spared := exec.Command("sleep", "60")
	for _, c := range []*exec.Cmd{victim, spared} {
		must(t, c.Start())
		fmt.Fprintf(w.pipe, "add %d\n", c.Process.Pid)
	}
	w.forget(spared.Process.Pid)
	must(t, w.close())
	if err := victim.Wait(); err == nil || victim.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("what was added ended with %v, want SIGKILL", err)
	}
	if !alive(spared.Process.Pid) {
		t.Error("what was forgotten was killed")
	}
	spared.Process.Kill()
	spared.Wait()
}
