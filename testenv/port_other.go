//go:build !linux

package testenv

import (
	"net"
	"strconv"
)

// port is a port of 127.0.0.1 that was free a moment ago. Others may take it
// while nothing of ours listens on it; whoever listens must be ready to retry.
type port struct{ num int }

func takePort() (*port, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &port{l.Addr().(*net.TCPAddr).Port}, l.Close()
}

func (p *port) release() {}

func (p *port) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.num)) }
