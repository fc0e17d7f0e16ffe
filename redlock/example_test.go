package redlock_test

import (
	"context"
	"fmt"
	"log"

	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

// threeNodes are in memory. Real ones are {URL: "redis://host:6379"}.
func threeNodes() []redlock.Node {
	var nodes []redlock.Node
	for _, name := range []string{"n1", "n2", "n3"} {
		nodes = append(nodes, redlock.Node{Name: name, Driver: redlocktest.NewDriver(nil)})
	}
	return nodes
}

func Example() {
	ctx := context.Background()
	client, err := redlock.New(redlock.Config{Nodes: threeNodes()})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	// An operator does this once in a cluster's life.
	if err := client.Bootstrap(ctx, redlock.BootstrapOptions{NewCluster: true}); err != nil {
		log.Fatal(err)
	}
	report, err := client.Mutex("report")
	if err != nil {
		log.Fatal(err)
	}
	lease, err := report.Lock(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var guard fencing.Guard // stands where the resource is written
	err = guard.Do("report", lease.Token(), func() error {
		fmt.Println("written under the lock")
		return nil
	})
	if err != nil {
		log.Fatal(err) // an older holder: the lock has passed on
	}
	if err := lease.Unlock(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: written under the lock
}
