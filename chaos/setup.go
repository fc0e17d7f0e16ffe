package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// mute takes all channels from the user whom the clients log in as. It returns
// once every node was seen to refuse a message.
func (r *run) mute(ctx context.Context) error {
	err := together(r.env.Nodes(), func(n *testenv.Node) error {
		c, err := n.Dial(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Do("ACL", "SETUSER", "default", "resetchannels"); err != nil {
			return err
		}
		switch _, err := c.Do("PUBLISH", "any", ""); {
		case err == nil:
			return fmt.Errorf("%s takes messages still", n.Name())
		case !strings.Contains(err.Error(), "NOPERM"):
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("chaos: taking the channels from the clients' user: %w", err)
	}
	return nil
}

// bootstrap is the operator's part.
func (r *run) bootstrap(ctx context.Context, word redlock.BootstrapOptions) error {
	cfg := r.config(r.plan.Clients[0], nil)
	cfg.NodeDeadline = cfg.TTL / 10 // an operator has time
	operator, err := redlock.New(cfg)
	if err != nil {
		return fmt.Errorf("chaos: the operator's client: %w", err)
	}
	defer operator.Close()
	// A node that did not answer in time is no reason to give up: nothing was
	// locked yet, so a second bootstrap takes up what the first left half done.
	for range 5 {
		err = operator.Bootstrap(ctx, word)
		if !errors.Is(err, redlock.ErrNoQuorum) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("chaos: bootstrap: %w", err)
	}
	return nil
}
