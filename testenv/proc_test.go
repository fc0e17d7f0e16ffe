package testenv

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A server forks children that write files. They must be gone with it.
func TestChildrenDieWithTheServer(t *testing.T) {
	w, err := startWatchdog(watchdogScript)
	must(t, err)
	defer w.close()
	dir := t.TempDir()
	server := filepath.Join(dir, "server")
	must(t, os.WriteFile(server, []byte("#!/bin/sh\nsleep 60 &\necho $! >child.new\nmv child.new child\nwait\n"), 0o755))
	p, err := spawn(w, server, filepath.Join(dir, "conf"), filepath.Join(dir, "stdout"))
	must(t, err)
	ctx := testContext(t)
	var child int
	must(t, poll(ctx, func() (bool, error) {
		b, err := os.ReadFile(filepath.Join(dir, "child"))
		if err == nil {
			child, err = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return err == nil, err
	}))
	must(t, p.end(ctx, syscall.SIGKILL))
	if alive(p.pid) {
		t.Error("server lives")
	}
	// Its files are closed; the rest of its end may take another moment.
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	must(t, poll(short, func() (bool, error) { return !alive(child), nil }))
}
