//go:build unix

package report

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/testenv"
)

// seen is what a browser did with a page.
type seen struct {
	dom      string
	console  []string // what the page wrote to the console, errors included
	requests []string // what was asked of other hosts
	took     time.Duration
}

// browse opens a page in a headless Chromium.
func browse(t *testing.T, page string) seen {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		testenv.Missing(t, "chromium", errors.New("no chromium in PATH, so what a browser makes of the page is not seen"))
	}
	dir := t.TempDir()
	netLog := filepath.Join(dir, "net.json")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+dir, "--log-net-log="+netLog,
		"--enable-logging=stderr", "--v=0", "--dump-dom", "file://"+page)
	// Its helpers must not outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, stderr.Bytes())
	}
	s := seen{dom: stdout.String(), took: time.Since(began)}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "CONSOLE") {
			s.console = append(s.console, strings.TrimSpace(line))
		}
	}
	data, err := os.ReadFile(netLog)
	if err != nil {
		t.Fatal(err)
	}
	s.requests = regexp.MustCompile(`https?://[^"/]*evil\.invalid[^"]*`).FindAllString(string(data), -1)
	return s
}

// TestInABrowser opens the pages that matter, and one that shows that the test
// would see what it looks for.
func TestInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: starts a browser")
	}
	bad := filepath.Join(t.TempDir(), "bad.html")
	const source = `<!DOCTYPE html><title>bad</title><p>` + evil + `<script>nothing.at.all()</script>`
	if err := os.WriteFile(bad, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	s := browse(t, bad)
	if len(s.console) == 0 || len(s.requests) == 0 || !pwned(s.dom) {
		t.Fatalf("a bad page is not seen to be bad: console %q, requests %q, executed %v", s.console, s.requests, pwned(s.dom))
	}
	evilEvents, evilResult := hostile(t)
	hostileDir, _ := built(t, evilEvents, evilResult)
	violating := doubled("lock-1", "c1", "c2")
	violatingDir, _ := built(t, violating, resultOf(t, violating))
	long := crowded(20_000)
	longDir, _ := built(t, long, resultOf(t, long))
	for name, dir := range map[string]string{"hostile": hostileDir, "violating": violatingDir, "long": longDir} {
		s := browse(t, filepath.Join(dir, PageFile))
		t.Logf("%s: %v", name, s.took)
		if len(s.console) > 0 || len(s.requests) > 0 || pwned(s.dom) || !strings.Contains(s.dom, "<h1>") {
			t.Errorf("%s: console %q, requests %q, executed %v", name, s.console, s.requests, pwned(s.dom))
		}
	}
}

// pwned tells whether the script of evil was executed.
func pwned(dom string) bool { return regexp.MustCompile(`<html[^>]*data-pwned`).MatchString(dom) }
