package redlock

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// node is one node as the client reaches it.
type node struct {
	name   string
	driver Driver
	asker  asker // the driver, if it is one
	own    bool  // New made the driver
	stats  callStats

	mu    sync.Mutex // guards clock
	clock quorum.NodeClock
}

// openNodes makes the drivers and sorts the nodes by name: a node's place among
// the sorted names is its index in the protocol.
func (c *Client) openNodes() error {
	for i, n := range c.cfg.Nodes {
		opened, err := c.openNode(fmt.Sprintf("Nodes[%d]", i), n)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, opened)
	}
	slices.SortFunc(c.nodes, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for i, n := range c.nodes {
		if i > 0 && n.name == c.nodes[i-1].name {
			return badConfig("Nodes", fmt.Sprintf("%q", n.name), "this node is listed twice")
		}
		c.names = append(c.names, n.name)
		n.asker, _ = n.driver.(asker)
	}
	return nil
}

// openNode checks one node of the configuration and makes its driver, last of
// all: what is refused has started nothing.
func (c *Client) openNode(field string, n Node) (*node, error) {
	switch {
	case n.Driver != nil && n.URL != "":
		return nil, badConfig(field+".URL", redactURL(n.URL), "URL and Driver exclude each other")
	case n.Driver != nil && n.TLS != nil:
		return nil, badConfig(field+".TLS", "set", "a Driver brings its own TLS")
	case n.Driver != nil && n.Name == "":
		return nil, badConfig(field+".Name", `""`, "a node with a Driver needs a name")
	case n.Driver == nil && n.URL == "":
		return nil, badConfig(field+".URL", `""`, "URL or Driver is needed")
	case n.Driver != nil:
		if d, ok := n.Driver.(*poolDriver); ok {
			d.setName(n.Name)
		}
		return &node{name: n.Name, driver: n.Driver}, checkNodeName(field, n.Name)
	}
	u, err := parseNodeURL(n.URL)
	if err != nil {
		return nil, badConfig(field+".URL", redactURL(n.URL), err.Error())
	}
	name := n.Name
	if name == "" {
		name = u.defaultName()
	}
	switch {
	case name == "":
		return nil, badConfig(field+".Name", `""`, "a node behind a Unix socket needs a name")
	case n.TLS != nil && !u.tls:
		return nil, badConfig(field+".TLS", "set", "only a rediss:// URL uses TLS")
	}
	if err := checkNodeName(field, name); err != nil {
		return nil, err
	}
	driver := newRedigoDriver(u, driverOptions{name: name, nodeDeadline: c.cfg.NodeDeadline, tls: c.tlsConfig(n)})
	return &node{name: name, driver: driver, own: true}, nil
}

// tlsConfig is what TLS connections to a node are made with, a copy; nil where
// nothing was set.
func (c *Client) tlsConfig(n Node) *tls.Config {
	if n.TLS != nil {
		return n.TLS.Clone()
	}
	return c.cfg.TLS.Clone() // nil of nil
}

func checkNodeName(field, name string) error {
	if len(name) > maxName {
		return badConfig(field+".Name", fmt.Sprintf("%.32q… (%d bytes)", name, len(name)), "must be at most 1 KiB")
	}
	return nil
}

func (c *Client) closeNodes() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.driver.Close())
	}
	return errors.Join(errs...)
}
