package redlock

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// noLeaks fails the test if it leaves a goroutine behind.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// listen serves connections on a free port of the loopback until the test ends.
func listen(t *testing.T, wrap func(net.Listener) net.Listener, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		l = wrap(l)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

// What a given-up connection still holds must not reach the node: it is reset
// rather than closed after everything was delivered.
func TestGivenUpConnectionIsReset(t *testing.T) {
	noLeaks(t)
	ends := make(chan error, 1)
	address := listen(t, nil, func(conn net.Conn) {
		defer conn.Close()
		r := bufio.NewReader(conn)
		if _, err := readCommand(r); err != nil {
			return // a later connection, when the test is over
		}
		if _, err := io.WriteString(conn, "+PONG\r\n"); err != nil {
			return
		}
		_, err := io.Copy(io.Discard, r)
		select {
		case ends <- err:
		default:
		}
	})
	d := newDriver(t, "redis://"+address, driverOptions{nodeDeadline: time.Second})
	defer d.Close()
	if r := <-begin(t, d, patience); errors.Is(r.err, script.ErrNotSent) {
		t.Fatalf("the call was not sent: %v", r.err)
	}
	if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the node saw the connection end with %v, want a reset", err)
	}
}

func TestTLS(t *testing.T) {
	noLeaks(t)
	certificate, roots := selfSigned(t)
	address := listen(t, func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}, afterPing(answers(":1\r\n")).serve)

	t.Run("trusted", func(t *testing.T) {
		d := newDriver(t, "rediss://"+address, driverOptions{nodeDeadline: time.Second, tls: &tls.Config{RootCAs: roots}})
		defer d.Close()
		wantFreed(t, <-begin(t, d, 10*time.Second), 1)
	})
	t.Run("untrusted", func(t *testing.T) {
		d := newDriver(t, "rediss://"+address, driverOptions{nodeDeadline: time.Second})
		defer d.Close()
		r := <-begin(t, d, 10*time.Second)
		var wrong *tls.CertificateVerificationError
		if !errors.As(r.err, &wrong) || !errors.Is(r.err, script.ErrNotSent) || r.after >= 10*time.Second {
			t.Errorf("after %v: %v", r.after, r.err)
		}
	})
	t.Run("other name", func(t *testing.T) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		d := newDriver(t, "rediss://localhost:"+port, driverOptions{nodeDeadline: time.Second, tls: &tls.Config{RootCAs: roots}})
		defer d.Close()
		var wrong *tls.CertificateVerificationError
		if r := <-begin(t, d, 10*time.Second); !errors.As(r.err, &wrong) {
			t.Errorf("a certificate of another name: %v", r.err)
		}
	})
	t.Run("plain server", func(t *testing.T) {
		plain := listen(t, nil, answers("-ERR unknown command\r\n").serve)
		d := newDriver(t, "rediss://"+plain, driverOptions{nodeDeadline: time.Second})
		defer d.Close()
		if r := <-begin(t, d, 5*patience); !errors.Is(r.err, script.ErrNotSent) || !strings.Contains(r.err.Error(), "TLS") {
			t.Errorf("a server without TLS: %v", r.err)
		}
	})
}

// selfSigned makes a certificate of 127.0.0.1.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
