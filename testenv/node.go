package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Node is one server: a name, an address and a folder that outlive the
// processes which serve under them one after the other.
//
// All methods may be called from many goroutines at once; faults on one node
// wait for each other.
type Node struct {
	env  *Env
	name string
	dir  string
	turn chan struct{} // holds one value; who takes it may change the node

	mu     sync.Mutex
	port   *port
	proc   *proc // nil until first started
	frozen bool
	life   int // counts LoseMemory; names the data folder
}

func newNode(e *Env, name, folder string) (*Node, error) {
	n := &Node{env: e, name: name, dir: filepath.Join(e.cfg.Dir, folder), turn: make(chan struct{}, 1)}
	n.turn <- struct{}{}
	if err := os.Mkdir(n.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(n.dataDir(), 0o755); err != nil {
		return nil, err
	}
	var err error
	n.port, err = takePort()
	return n, err
}

// Name is the node's name: n1, n2, ….
func (n *Node) Name() string { return n.name }

// Dir is the folder of the node's configuration, log and data.
func (n *Node) Dir() string { return n.dir }

// Log is the path of the server's log, which all its processes append to.
func (n *Node) Log() string { return filepath.Join(n.dir, "redis.log") }

// DirectAddr is the server's own host:port, past the proxies. It stays the same
// across restarts.
func (n *Node) DirectAddr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.port.addr()
}

// Pid is the process that serves now, or 0 if there is none.
func (n *Node) Pid() int {
	if p := n.running(); p != nil {
		return p.pid
	}
	return 0
}

// Running reports whether the node has a process, frozen or not.
func (n *Node) Running() bool { return n.running() != nil }

// Frozen reports whether Freeze stopped the process that serves now.
func (n *Node) Frozen() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.frozen && !n.proc.gone()
}

// reachable reports whether the server can be expected to answer.
func (n *Node) reachable() bool { return n.Running() && !n.Frozen() }

func (n *Node) running() *proc {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil || n.proc.gone() {
		return nil
	}
	return n.proc
}

// Dial opens a connection past the proxies, authenticated if need be. The
// context bounds the dialing; each later read and write fails after 5 s.
func (n *Node) Dial(ctx context.Context) (redis.Conn, error) {
	wait := 5 * time.Second
	if d, ok := ctx.Deadline(); ok {
		// AUTH is sent while dialing and does not see the context.
		wait = min(wait, max(time.Until(d), time.Millisecond))
	}
	opts := []redis.DialOption{redis.DialConnectTimeout(wait), redis.DialReadTimeout(wait), redis.DialWriteTimeout(wait)}
	if n.env.cfg.Password != "" {
		opts = append(opts, redis.DialPassword(n.env.cfg.Password))
	}
	return redis.DialContext(ctx, "tcp", n.DirectAddr(), opts...)
}

// do sends one command past the proxies on a connection of its own.
func (n *Node) do(ctx context.Context, cmd string, args ...any) (any, error) {
	c, err := n.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return redis.DoContext(c, ctx, cmd, args...)
}

// info returns one field of INFO.
func (n *Node) info(ctx context.Context, section, field string) (string, error) {
	text, err := redis.String(n.do(ctx, "INFO", section))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", nil // a field that a role does not have
}

// fault runs f as the only change to this node at the moment, and gives its
// error the operation's name.
func (n *Node) fault(ctx context.Context, op string, f func(context.Context) error) error {
	if err := n.env.run(ctx, n.turn, f); err != nil {
		return &FaultError{Op: op, Node: n.name, Err: err}
	}
	return nil
}

// start brings up a process and waits until it answers with its memory loaded.
func (n *Node) start(ctx context.Context) error {
	for {
		err := n.startOnce(ctx)
		if !errors.Is(err, errAddrInUse) {
			return err
		}
		// Somebody else's connection has our port for the moment; the address is
		// promised to stay, so wait for it.
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", n.DirectAddr(), err)
		}
	}
}

func (n *Node) startOnce(ctx context.Context) error {
	conf, err := n.writeConf()
	if err != nil {
		return err
	}
	var logged int64
	if st, err := os.Stat(n.Log()); err == nil {
		logged = st.Size()
	}
	p, err := n.env.spawn(n, conf)
	if err != nil {
		return err
	}
	err = poll(ctx, func() (bool, error) {
		if p.gone() {
			return true, fmt.Errorf("server ended at once: %s", logTail(n.Log(), logged))
		}
		// A server of somebody else's might answer at the port.
		pid, err := n.info(ctx, "server", "process_id")
		if err == nil && pid != fmt.Sprint(p.pid) {
			err = fmt.Errorf("%s is served by pid %s, not by ours, %d", n.DirectAddr(), pid, p.pid)
		}
		if err != nil {
			return false, err
		}
		// While it loads its memory it answers INFO, but not PING.
		_, err = n.do(ctx, "PING")
		return err == nil, err
	})
	if err != nil && strings.Contains(logTail(n.Log(), logged), "Address already in use") {
		err = errAddrInUse
	}
	if err != nil {
		return errors.Join(err, n.reap(ctx))
	}
	return nil
}

// reap kills the process, if any, and waits for it.
func (n *Node) reap(ctx context.Context) error {
	p := n.running()
	if p == nil {
		return nil
	}
	// A kill is not refused and takes no time worth cancelling.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return p.end(ctx, syscall.SIGKILL)
}

func (n *Node) dataDir() string { return filepath.Join(n.dir, fmt.Sprintf("data-%d", n.life)) }

// writeConf writes the server's configuration and returns its path. Nothing is
// rewritten in the background and every write is on disk before its reply, so
// that memory is kept or lost only when a fault says so.
func (n *Node) writeConf() (string, error) {
	n.mu.Lock()
	num, data := n.port.num, n.dataDir()
	n.mu.Unlock()
	lines := []string{
		fmt.Sprintf("port %d", num),
		"bind 127.0.0.1",
		"protected-mode no",
		"daemonize no",
		// A frozen server's clients reconnect; when its queue is full, proxies hang
		// in connecting and recover seconds after it was thawed.
		"tcp-backlog 4096",
		"dir " + confQuote(data),
		"logfile " + confQuote(n.Log()),
		`save ""`,
		"appendonly yes",
		"appendfsync always",
		"aof-use-rdb-preamble no",
		"auto-aof-rewrite-percentage 0",
		"maxmemory-policy noeviction",
		"repl-backlog-size 1mb",
		"repl-diskless-sync-delay 0",
	}
	if n.env.version.major >= 7 {
		// PartialMemory tells by it what was written when.
		lines = append(lines, "aof-timestamp-enabled yes")
	}
	if pw := n.env.cfg.Password; pw != "" {
		lines = append(lines, "requirepass "+confQuote(pw), "masterauth "+confQuote(pw))
	}
	path := filepath.Join(n.dir, "redis.conf")
	return path, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// confQuote quotes a word for a configuration file.
func confQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
