package testenv

import "context"

// Standby starts an empty server beside a node, on an address of its own. No
// name and no client's route leads to it; Close ends it. With Demote and Promote
// it becomes a copy of the node, whose incarnation changes with that: a primary
// draws a new replication id when its first replica attaches.
func (e *Env) Standby(ctx context.Context, name string) (standby *Node, err error) {
	n, ok := e.Node(name)
	if !ok {
		return nil, &FaultError{Op: "standby", Node: name, Err: ErrUnknownName}
	}
	err = n.fault(ctx, "standby", func(ctx context.Context) error {
		if standby, err = e.successor(ctx, n); err != nil {
			return err
		}
		return standby.start(ctx)
	})
	if err != nil {
		return nil, err
	}
	return standby, nil
}
