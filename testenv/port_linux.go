package testenv

import (
	"net"
	"strconv"
	"syscall"
)

// port is a free port of 127.0.0.1 that nobody else is given while we have it,
// also while nothing listens on it: a socket stays bound to it. That socket
// never listens and allows reuse, so a server that allows reuse too (Redis and
// Go's net do) can listen on the port all the same.
type port struct {
	num int
	fd  int
}

// takePort finds a port and holds it.
func takePort() (*port, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	p := &port{fd: fd}
	if err := p.bind(); err != nil {
		p.release()
		return nil, err
	}
	// Where the kernel does not allow the trick, do without it.
	l, err := net.Listen("tcp", p.addr())
	if err != nil {
		p.release()
		return p, nil
	}
	return p, l.Close()
}

func (p *port) bind() error {
	if err := syscall.SetsockoptInt(p.fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := syscall.Bind(p.fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	sa, err := syscall.Getsockname(p.fd)
	if err != nil {
		return err
	}
	p.num = sa.(*syscall.SockaddrInet4).Port
	return nil
}

// release gives the port back; further calls do nothing.
func (p *port) release() {
	if p.fd >= 0 {
		syscall.Close(p.fd)
		p.fd = -1
	}
}

func (p *port) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.num)) }
