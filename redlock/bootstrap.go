package redlock

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// errNotAdmitted is what a node shows that was never bootstrapped, or lost its
// memory.
var errNotAdmitted = errors.New("not admitted to any cluster")

// BootstrapOptions say on whose word a cluster is bootstrapped.
type BootstrapOptions struct {
	_ struct{}

	// NewCluster says that no token was ever issued by these nodes. Then
	// tokens may begin at once; otherwise they begin two minutes ahead of the
	// nodes' clocks, above everything that was handed out before, and hints
	// are of no use for so long. Danger: saying so of nodes that did issue
	// tokens breaks their order.
	NewCluster bool
}

// Bootstrap admits all nodes to vote: once for a new cluster, and again when so
// many nodes lost their memory that the rest can no longer admit them. It is
// an operator's word that no lock is held until it returns; never call it by
// habit at a program's start.
//
// It is nil also if the cluster was bootstrapped already. All nodes must
// answer; one that is unreachable must be brought back or replaced first. The
// kinds of error are ErrNoQuorum (a node did not answer), ErrNotPrimary,
// ErrSameServer, ErrConfigDiffers and ErrOperatorNeeded (a node changed
// meanwhile, or another bootstrap is under way: look, then try again).
func (c *Client) Bootstrap(ctx context.Context, opts BootstrapOptions) error {
	mode := quorum.ByOperator
	if opts.NewCluster {
		mode = quorum.NewCluster
	}
	if err := ctx.Err(); err != nil {
		return &Error{Op: "bootstrap", Kind: ErrNoQuorum, Cause: err}
	}
	if !c.running() {
		return closedError("bootstrap", "")
	}
	result := make(chan error, 1)
	c.bootstrap(mode, quorum.FromBootstrap, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return &Error{Op: "bootstrap", Kind: ErrUnknown, Cause: ctx.Err()}
	case <-c.closing:
		return closedError("bootstrap", "")
	}
}

// bootstrap runs the machine; done is called once.
func (c *Client) bootstrap(mode quorum.BootstrapMode, from quorum.Source, done func(error)) {
	machine := quorum.NewBootstrap(c.params, mode, c.names, c.newID())
	t := c.newTask(&machine, nil, nil)
	t.events = eventFunc(func(e quorum.Event) {
		c.sawToken(e)
		c.members.note(from, nil, e, nil)
		switch e.Kind {
		case quorum.Bootstrapped:
			done(nil)
		case quorum.BootstrapFailed:
			done(c.bootstrapError(t, e))
		}
	})
	c.background(func() { t.step(machine.Start) })
}

// bootstrapError says which node stood in the way, and how.
func (c *Client) bootstrapError(t *task, e quorum.Event) error {
	err := &Error{Op: "bootstrap", Kind: kindOf(e.Reason)}
	if e.Node < 0 {
		err.Cause = errors.New(e.Reason.String())
		return err
	}
	why := t.errs[e.Node]
	switch {
	case why != nil:
	case e.Reason == quorum.NoQuorum:
		why = fmt.Errorf("%w: bring it back or replace it; nothing else helps", errNoAnswer)
	case e.Reason == quorum.ConfigDiffers:
		why = c.configError(e.Cfg)
	case e.Reason == quorum.SameServer:
		why = ErrSameServer
	default:
		why = errors.New(e.Reason.String())
	}
	err.Nodes = []*NodeError{{c.nodes[e.Node].name, why}}
	return err
}

// recoverByClock runs a bootstrap that nobody gave a word for.
func (m *members) recoverByClock() {
	c := m.client
	c.log("too few nodes are admitted: recovering by clock")
	c.bootstrap(quorum.ByClock, quorum.FromRecovery, func(err error) {
		if err != nil {
			c.log("recovery by clock failed", "error", err)
		}
	})
}

// DiffersError says how a node's configuration differs from the client's.
type DiffersError struct {
	What         string // "nodes", "number of nodes", "maxttl", "cluster", "protocol"
	Node, Client string // the values on either side
}

// Error names both sides.
func (e *DiffersError) Error() string {
	return fmt.Sprintf("%v: %s: the node has %s, this client %s", ErrConfigDiffers, e.What, e.Node, e.Client)
}

// Is makes errors.Is(err, ErrConfigDiffers) hold.
func (e *DiffersError) Is(target error) bool { return target == ErrConfigDiffers }

// configError says what differs between a node's configuration and ours, or nil
// if it is the cluster's id and view at most.
func (c *Client) configError(theirs string) error {
	left, _, _ := strings.Cut(theirs, "|")
	node, err := quorum.ParseStatic(left)
	if err != nil {
		return &DiffersError{What: "protocol", Node: theirs, Client: "another form"}
	}
	own := quorum.NewStatic("", c.names, c.cfg.MaxTTL)
	switch {
	case node.Version != own.Version:
		return &DiffersError{"protocol", node.Version, own.Version}
	case node.N != own.N:
		return &DiffersError{"number of nodes", node.N, own.N}
	case node.MaxTTL != own.MaxTTL:
		return &DiffersError{"maxttl", node.MaxTTL + "ms", own.MaxTTL + "ms"}
	case node.Digest != own.Digest:
		return &DiffersError{"nodes", "others (digest " + node.Digest + ")", "digest " + own.Digest}
	}
	return nil
}
