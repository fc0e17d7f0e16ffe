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
	env   *Env
	name  string
	dir   string
	seat  seat          // fixed before anybody else sees the node
	clock *nodeClock    // nil without Config.Clocks; fixed likewise
	turn  chan struct{} // holds one value; who takes it may change the node

	mu        sync.Mutex // guards what follows
	server    server     // nil until first started
	frozen    bool
	unplugged bool
}

// newNode makes a node that sit must be called on.
func newNode(e *Env, name, folder string) *Node {
	n := &Node{env: e, name: name, dir: filepath.Join(e.cfg.Dir, folder), turn: make(chan struct{}, 1)}
	n.turn <- struct{}{}
	return n
}

// sit gives the node its folder and its seat.
func (n *Node) sit(ctx context.Context) (err error) {
	if err := os.Mkdir(n.dir, 0o755); err != nil {
		return err
	}
	n.seat, err = n.env.backend.seat(ctx, n)
	return err
}

// Name is the node's name: n1, n2, ….
func (n *Node) Name() string { return n.name }

// Dir is the folder of the node's log and, if it is a process, configuration and
// data.
func (n *Node) Dir() string { return n.dir }

// Log is the path of the server's log, which all its processes append to.
func (n *Node) Log() string { return filepath.Join(n.dir, "redis.log") }

// DirectAddr is the server's own host:port, past the proxies. It stays the same
// across restarts.
func (n *Node) DirectAddr() string { return n.seat.addr() }

// Pid is the process that serves now, or 0 if there is none. That of a container
// is numbered by the machine of the engine.
func (n *Node) Pid() int {
	if s := n.running(); s != nil {
		return s.hostPid()
	}
	return 0
}

// Running reports whether the node has a process, frozen or not.
func (n *Node) Running() bool { return n.running() != nil }

// Frozen reports whether Freeze stopped the process that serves now.
func (n *Node) Frozen() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.frozen && !n.server.gone()
}

// Disconnected reports whether Disconnect took the node off its network.
func (n *Node) Disconnected() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.unplugged
}

// reachable reports whether the server can be expected to answer.
func (n *Node) reachable() bool { return n.answers() == nil }

func (n *Node) running() server {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.server == nil || n.server.gone() {
		return nil
	}
	return n.server
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
	var logged int64
	if st, err := os.Stat(n.Log()); err == nil {
		logged = st.Size()
	}
	s, err := n.seat.launch(ctx)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.server, n.frozen = s, false
	n.mu.Unlock()
	err = poll(ctx, func() (bool, error) {
		if s.gone() {
			return true, fmt.Errorf("server ended at once: %s", logTail(n.Log(), logged))
		}
		// A server of somebody else's might answer at the port.
		pid, err := n.info(ctx, "server", "process_id")
		if err == nil && pid != fmt.Sprint(s.ownPid()) {
			err = fmt.Errorf("%s is served by pid %s, not by ours, %d", n.DirectAddr(), pid, s.ownPid())
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
	s := n.running()
	if s == nil {
		return nil
	}
	// A kill is not refused and takes no time worth cancelling.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.end(ctx, syscall.SIGKILL)
}
