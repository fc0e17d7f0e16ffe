package redlock

import (
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// Driver reaches one node. It is the only thing that the lock needs of a Redis
// client; redlock brings one on redigo, and redlocktest one in memory.
//
// All methods may be called from many goroutines at once.
type Driver interface {
	// Start begins a call and returns without waiting for its answer; it
	// never blocks. done is called exactly once, from any goroutine and
	// perhaps before Start returns, with the reply or with an error. An error
	// for which errors.Is(err, script.ErrNotSent) holds says that the node
	// certainly did not and will not execute the call; after any other the
	// outcome is unknown.
	//
	// timeout is how long the caller waits. It has a timer of its own, so an
	// answer that comes later is still wanted: it tells of a grant that must
	// be undone. But a driver gives up a connection that has been silent for
	// twice that long, and calls done by then.
	Start(call script.Call, timeout time.Duration, done func(script.Reply, error))

	// Close ends the driver's connections and goroutines and waits for them.
	// Every call that is still open is answered with an error first. Start
	// after Close answers with an error that is script.ErrNotSent.
	Close() error
}

// Subscriber is a Driver that can be told by its node. With it a waiter asks
// for a lock as soon as it is its turn; without it waiters poll, and keep their
// places in the line.
type Subscriber interface {
	Driver

	// Subscribe begins to listen on a channel, on one connection, until Close,
	// and returns without waiting for anything. heard is called with every
	// message, state whenever listening begins or ends; neither blocks, and
	// neither is called after Close has returned. Messages may be lost: they
	// only save time. It is called once for each client and node.
	Subscribe(channel string, heard func(payload string), state func(listening bool))
}

// asker is a Driver that needs no closure for a call: it hands the answer to an
// answerer, with what it was given besides. The rest is as with Start.
type asker interface {
	Driver
	ask(call script.Call, timeout time.Duration, to answerer, ref quorum.Ref, sent time.Duration)
}
