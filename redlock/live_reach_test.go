package redlock_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// The ways to reach a node, each on a real server.

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	template := a.template()
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a.cert, a.key = template, a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) template() *x509.Certificate {
	a.n++
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.n),
		Subject:      pkix.Name{CommonName: fmt.Sprint("certificate ", a.n)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// issue returns a certificate of 127.0.0.1 and its key, as PEM.
func (a *authority) issue() (cert, key []byte) {
	k := a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, a.template(), a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", private)
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// secure makes the only node listen for TLS and ask for client certificates of
// the authority. It returns the address.
func (l *live) secure(a *authority) string {
	l.t.Helper()
	conn, err := l.Nodes()[0].Dial(l.ctx)
	l.must(err)
	defer conn.Close()
	if known, err := redis.Values(conn.Do("CONFIG", "GET", "tls-port")); err != nil || len(known) == 0 {
		testenv.Missing(l.t, "redis-tls", fmt.Errorf("this redis-server was built without TLS (%v)", err))
	}
	port, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	address := port.Addr().String()
	l.must(port.Close())

	cert, key := a.issue()
	dir := l.t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		l.must(os.WriteFile(path, text, 0o600))
		return path
	}
	_, number, err := net.SplitHostPort(address)
	l.must(err)
	for _, set := range [][2]string{
		{"tls-cert-file", file("cert.pem", cert)},
		{"tls-key-file", file("key.pem", key)},
		{"tls-ca-cert-file", file("roots.pem", pemOf("CERTIFICATE", a.cert.Raw))},
		{"tls-auth-clients", "yes"},
		{"tls-port", number},
	} {
		_, err := conn.Do("CONFIG", "SET", set[0], set[1])
		l.must(err)
	}
	return address
}

func one(n redlock.Node) redlock.Config {
	return redlock.Config{Nodes: []redlock.Node{n}, MaxTTL: 10 * time.Second, NodeDeadline: time.Second}
}

func TestLiveTLS(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 1})
	ours, other := newAuthority(t), newAuthority(t)
	address := env.secure(ours)
	pair := func(a *authority) []tls.Certificate {
		c, err := tls.X509KeyPair(a.issue())
		env.must(err)
		return []tls.Certificate{c}
	}
	good := &tls.Config{RootCAs: ours.roots(), Certificates: pair(ours)}
	url := "rediss://" + address

	cfg := one(redlock.Node{URL: url, TLS: good})
	env.bootstrap(cfg)
	shared := one(redlock.Node{URL: url})
	shared.TLS = good
	precedence := one(redlock.Node{URL: url, TLS: good})
	precedence.TLS = &tls.Config{}
	for _, cfg := range []redlock.Config{cfg, shared, precedence} {
		lease := env.lock(mutex(t, env.open(cfg), "a"))
		if keys := env.keys([]string{"a"}); len(keys) != 1 {
			t.Errorf("the key stands on %v", keys)
		}
		env.unlock(lease)
	}

	for name, bad := range map[string]*tls.Config{
		"the system's roots":            nil,
		"roots of another authority":    {RootCAs: other.roots(), Certificates: pair(ours)},
		"no client certificate":         {RootCAs: ours.roots()},
		"a client certificate unheard":  {RootCAs: ours.roots(), Certificates: pair(other)},
		"another server name":           {RootCAs: ours.roots(), Certificates: pair(ours), ServerName: "elsewhere.test"},
		"without client certificate, 1": {RootCAs: ours.roots(), MaxVersion: tls.VersionTLS12},
	} {
		client := env.open(one(redlock.Node{URL: url, TLS: bad}))
		start := time.Now()
		_, err := mutex(t, client, "a").TryLock(env.ctx)
		if !errors.Is(err, redlock.ErrNoQuorum) || !strings.Contains(err.Error(), "tls:") && !strings.Contains(err.Error(), "x509:") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: refused only after %v", name, took)
		}
	}
}

// A user of its own, a password of all signs, a database, a socket.
func TestLiveUsersDatabasesAndSockets(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	env := startLive(t, testenv.Config{Nodes: 1, Settings: []string{"unixsocket " + socket}})
	node := env.Nodes()[0]
	conn, err := node.Dial(env.ctx)
	env.must(err)
	defer conn.Close()
	_, err = conn.Do("ACL", "SETUSER", "locker", "on", ">p@ss/w:rd?#", "~*", "&*", "+@all")
	env.must(err)
	const user = "locker:p%40ss%2Fw%3Ard%3F%23@"

	for database, url := range []string{
		1: "redis://" + user + node.DirectAddr() + "/1",
		2: "unix://" + user + socket + "?db=2",
		3: "redis-socket://" + socket + "?db=3",
	} {
		if url == "" {
			continue
		}
		cfg := one(redlock.Node{Name: "n1", URL: url})
		env.bootstrap(cfg)
		lease := env.lock(mutex(t, env.open(cfg), "a"))
		_, err := conn.Do("SELECT", database)
		env.must(err)
		if id, err := redis.String(conn.Do("GET", "a")); err != nil || id != lease.ID() {
			t.Errorf("%s: database %d has %q (%v), want %q", url, database, id, err, lease.ID())
		}
		env.unlock(lease)
	}
}

func TestStatsOfARealNode(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 3})
	cfg := env.config("", 3)
	cfg.Nodes[2].Name = "" // host:port
	env.bootstrap(cfg)
	client := env.open(cfg)
	m := mutex(t, client, "a")
	const pairs = 50
	for range pairs {
		env.unlock(env.lock(m))
	}
	direct := env.Nodes()[2].DirectAddr()
	for _, name := range []string{"n1", "n2", direct} {
		s, ok := client.Stats().Node(name)
		if !ok || s.Started < 2*pairs || s.Answered+s.Errors.Total()+s.Open != s.Started {
			t.Errorf("%s: %+v", name, s)
		}
		if s.Driver.State != redlock.NodeUp || s.Driver.Connects == 0 || s.Driver.LastErr != nil {
			t.Errorf("%s: %+v", name, s.Driver)
		}
		var counted uint64
		for _, n := range s.Latency {
			counted += n
		}
		if p50 := s.Latency.Quantile(0.5); counted != s.Answered || p50 == 0 || p50 > time.Second {
			t.Errorf("%s: %d latencies for %d answers, the median below %v", name, counted, s.Answered, p50)
		}
	}
	if _, ok := client.Stats().Node("n9"); ok {
		t.Error("there is no n9")
	}

	env.must(env.Nodes()[0].Kill(env.ctx))
	ctx, cancel := context.WithTimeout(env.ctx, 20*time.Second)
	defer cancel()
	for {
		lease, err := m.Lock(ctx)
		env.must(err)
		env.unlock(lease)
		if s, _ := client.Stats().Node("n1"); s.Errors.Down > 0 && s.Driver.State == redlock.NodeDown {
			break
		}
	}
}
