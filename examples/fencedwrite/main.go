// Fencedwrite takes a lock, writes to a resource that checks fencing tokens,
// and shows what happens to a holder that comes too late. It needs Redis
// servers; give their URLs as arguments:
//
//	go run ./examples/fencedwrite redis://127.0.0.1:7001 redis://127.0.0.1:7002 redis://127.0.0.1:7003
//
// Add -bootstrap the first time: it admits new nodes to the cluster.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/redlock"
)

func main() {
	log.SetFlags(0)
	bootstrap := flag.Bool("bootstrap", false, "admit new nodes first; no lock may be held on them")
	flag.Parse()
	if err := run(*bootstrap, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(bootstrap bool, urls []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cfg := redlock.Config{MaxTTL: 5 * time.Second}
	for _, u := range urls {
		cfg.Nodes = append(cfg.Nodes, redlock.Node{URL: u})
	}
	client, err := redlock.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	if bootstrap {
		if err := client.Bootstrap(ctx, redlock.BootstrapOptions{}); err != nil {
			return err
		}
	}
	orders, err := client.Mutex("orders")
	if err != nil {
		return err
	}

	var guard fencing.Guard // stands for the resource: it remembers the highest token
	first, err := orders.Lock(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("first holder: token %v on %v\n", first.Token(), first.Nodes())
	if err := first.Unlock(ctx); err != nil {
		return err
	}
	second, err := orders.Lock(ctx)
	if err != nil {
		return err
	}
	defer second.Unlock(context.WithoutCancel(ctx))
	fmt.Printf("second holder: token %v\n", second.Token())

	write := func(who string, t fencing.Token) {
		err := guard.Do("orders", t, func() error { return nil })
		fmt.Printf("%s writes with token %v: error %v\n", who, t, err)
	}
	write("second holder", second.Token())
	write("first holder, late", first.Token())
	return nil
}
