package redlock_test

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
	"go.uber.org/goleak"
)

// wrongServer is a server that is no Redis: it gives one answer to whatever it
// is asked. It returns the address.
func wrongServer(t *testing.T, answer string) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	open := make(map[net.Conn]bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					if _, err := r.ReadString('\n'); err != nil {
						return
					}
					if _, err := conn.Write([]byte(answer)); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		lis.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return lis.Addr().String()
}

// badCase is a wrong configuration or a wrong server.
type badCase struct {
	name      string
	config    func(*live) redlock.Config
	operation func(context.Context, *redlock.Client) error
	kind      error
	says      []string
}

func bootstrapping(ctx context.Context, c *redlock.Client) error {
	return c.Bootstrap(ctx, redlock.BootstrapOptions{NewCluster: true})
}

func locking(ctx context.Context, c *redlock.Client) error {
	m, err := c.Mutex("x")
	if err != nil {
		return err
	}
	_, err = m.Lock(ctx)
	return err
}

// pick is a configuration of the nodes with these numbers; last, if not empty,
// is the address of the last one.
func (l *live) pick(last string, numbers ...int) redlock.Config {
	whole := l.config("", len(l.Nodes()))
	cfg := whole
	cfg.Nodes = nil
	for _, i := range numbers {
		cfg.Nodes = append(cfg.Nodes, whole.Nodes[i-1])
	}
	if last != "" {
		cfg.Nodes[len(numbers)-1].URL = "redis://" + last
	}
	return cfg
}

// wrongLast puts a wrong server in the place of node 3, or of two of three.
func wrongLast(answer string) func(*live) redlock.Config {
	return func(l *live) redlock.Config { return l.pick(wrongServer(l.t, answer), 1, 2, 3) }
}

func wrongMajority(answer string) func(*live) redlock.Config {
	return func(l *live) redlock.Config {
		cfg := l.pick(wrongServer(l.t, answer), 1, 2, 3)
		cfg.Nodes[1].URL = cfg.Nodes[2].URL
		return cfg
	}
}

// TestLiveBadInput uses servers n1 to n7: 1 to 3 are blank, 4 to 6 are a
// cluster, 7 is a replica.
func TestLiveBadInput(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 8, Clients: []string{"second"}})
	env.bootstrap(env.pick("", 4, 5, 6))
	env.must(env.node("n7").Demote(env.ctx, env.node("n8")))
	const garbage, http, memcached = "\x00\xff\xfe garbage\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "ERROR\r\n"
	for _, tt := range []badCase{
		{"garbage, bootstrap", wrongLast(garbage), bootstrapping, redlock.ErrNoQuorum, []string{"n3", "garbage"}},
		{"garbage, lock", wrongMajority(garbage), locking, redlock.ErrNoQuorum, []string{"n2", "n3", "garbage"}},
		{"web server, bootstrap", wrongLast(http), bootstrapping, redlock.ErrNoQuorum, []string{"n3", "HTTP"}},
		{"web server, lock", wrongMajority(http), locking, redlock.ErrNoQuorum, []string{"n2", "n3", "HTTP"}},
		{"memcached, bootstrap", wrongLast(memcached), bootstrapping, redlock.ErrNoQuorum, []string{"n3", "ERROR"}},
		{"never bootstrapped", func(l *live) redlock.Config { return l.pick("", 1, 2, 3) }, locking,
			redlock.ErrOperatorNeeded, []string{"n1", "n2", "n3", "not admitted"}},
		{"one server twice", func(l *live) redlock.Config { return l.pick(l.node("n1").DirectAddr(), 1, 2, 3) }, bootstrapping,
			redlock.ErrSameServer, []string{"n3"}},
		{"one server twice, behind a proxy", func(l *live) redlock.Config { return l.pick(l.Addr("second", "n1"), 1, 2, 3) }, bootstrapping,
			redlock.ErrSameServer, []string{"n3"}},
		{"replica, bootstrap", func(l *live) redlock.Config { return l.pick("", 1, 2, 7) }, bootstrapping,
			redlock.ErrNotPrimary, []string{"n7"}},
		{"other node list, lock", func(l *live) redlock.Config {
			cfg := l.pick("", 4, 5, 6)
			cfg.Nodes[2].Name = "n9"
			return cfg
		}, locking, redlock.ErrConfigDiffers, []string{"n4", "n5", "n9", "nodes"}},
		{"other maxttl, lock", func(l *live) redlock.Config {
			cfg := l.pick("", 4, 5, 6)
			cfg.MaxTTL *= 2
			return cfg
		}, locking, redlock.ErrConfigDiffers, []string{"n4", "maxttl", "1000ms", "2000ms"}},
		{"node of another cluster, bootstrap", func(l *live) redlock.Config { return l.pick("", 1, 2, 5) }, bootstrapping,
			redlock.ErrConfigDiffers, []string{"n5", "nodes"}},
		{"nodes of another cluster, lock", func(l *live) redlock.Config { return l.pick("", 1, 4, 5) }, locking,
			redlock.ErrConfigDiffers, []string{"n4", "n5", "nodes"}},
		{"all nodes down", func(l *live) redlock.Config {
			cfg := l.pick("127.0.0.1:1", 1, 2, 3)
			cfg.Nodes[0].URL, cfg.Nodes[1].URL = cfg.Nodes[2].URL, cfg.Nodes[2].URL
			return cfg
		}, locking, redlock.ErrNoQuorum, []string{"n1", "n2", "n3", "refused"}},
	} {
		t.Run(tt.name, func(t *testing.T) { env.bad(t, tt) })
	}
}

// bad checks that the operation fails in time and that nothing of the client is
// left.
func (l *live) bad(t *testing.T, tt badCase) {
	sub := &live{l.Env, t, l.ctx}
	ignored := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignored) }) // after the wrong servers' end
	cfg := tt.config(sub)
	client, err := redlock.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(l.ctx, time.Second)
	defer cancel()
	start := time.Now()
	err = tt.operation(ctx, client)
	within(t, "the operation", time.Since(start), 0, time.Second+slack)
	onlyKind(t, err, tt.kind, tt.says...)
	if err := client.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestLiveWrongPassword(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 3, Password: "right"})
	with := func(userinfo string, numbers ...int) func(*live) redlock.Config {
		return func(l *live) redlock.Config {
			cfg := l.config("", 3)
			for i := range cfg.Nodes {
				cfg.Nodes[i].URL = "redis://:right@" + l.node(cfg.Nodes[i].Name).DirectAddr()
			}
			for _, i := range numbers {
				cfg.Nodes[i-1].URL = "redis://" + userinfo + l.node(cfg.Nodes[i-1].Name).DirectAddr()
			}
			return cfg
		}
	}
	for _, tt := range []badCase{
		{"wrong password, bootstrap", with(":secret-one@", 2), bootstrapping, redlock.ErrNoQuorum, []string{"n2", "WRONGPASS"}},
		{"wrong password, lock", with(":secret-one@", 1, 2, 3), locking, redlock.ErrNoQuorum, []string{"n1", "n2", "n3", "WRONGPASS"}},
		{"no password, bootstrap", with("", 3), bootstrapping, redlock.ErrNoQuorum, []string{"n3", "NOAUTH"}},
	} {
		t.Run(tt.name, func(t *testing.T) { env.bad(t, tt) })
	}
	env.bootstrap(with("")(env))
	env.unlock(env.lock(mutex(t, env.open(with("")(env)), "x")))
}

// TestLiveReplicas demotes a node of a living cluster, and then the majority.
func TestLiveReplicas(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 4})
	cfg := env.config("", 3)
	env.bootstrap(cfg)
	n4 := env.node("n4")
	env.must(env.node("n2").Demote(env.ctx, n4))
	client := env.open(cfg)
	env.unlock(env.lock(mutex(t, client, "x")))
	env.must(env.node("n3").Demote(env.ctx, n4))
	ctx, cancel := context.WithTimeout(env.ctx, time.Second)
	defer cancel()
	_, err := mutex(t, env.open(cfg), "y").Lock(ctx)
	onlyKind(t, err, redlock.ErrNotPrimary, "n2", "n3")
}

// TestLiveForeignKeys has other programs' keys at locks' names.
func TestLiveForeignKeys(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 3})
	cfg := env.config("", 3)
	env.bootstrap(cfg)
	client := env.open(cfg)
	for name, command := range map[string][]any{
		"list":    {"RPUSH", "list", "e"},
		"no ttl":  {"SET", "no ttl", "v"},
		"a hash":  {"HSET", "a hash", "f", "v"},
		"counter": {"INCR", "counter"},
	} {
		for _, n := range env.Nodes()[:2] {
			conn, err := n.Dial(env.ctx)
			env.must(err)
			_, err = conn.Do(command[0].(string), command[1:]...)
			env.must(err, conn.Close())
		}
		_, err := mutex(t, client, name).Lock(env.ctx)
		onlyKind(t, err, redlock.ErrForeignKey, "n1", "n2", name)
		conn, err := env.node("n1").Dial(env.ctx)
		env.must(err)
		there, err := redis.Bool(conn.Do("EXISTS", name))
		env.must(err, conn.Close())
		if !there {
			t.Errorf("%s: the foreign key was removed", name)
		}
	}
}
