package testenv

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// Nobody else gets a port that is held, and a server can listen on it.
func TestPortIsHeld(t *testing.T) {
	p, err := takePort()
	must(t, err)
	defer p.release()
	bind := func() error {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		must(t, err)
		defer syscall.Close(fd)
		return syscall.Bind(fd, &syscall.SockaddrInet4{Port: p.num, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err := bind(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("binding a port that is held: %v, want EADDRINUSE", err)
	}
	l, err := net.Listen("tcp", p.addr())
	must(t, err)
	must(t, l.Close())
	p.release()
	p.release()
	if err := bind(); err != nil {
		t.Errorf("binding a port that was released: %v", err)
	}
}
