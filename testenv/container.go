package testenv

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	docker "github.com/ory/dockertest/v3/docker"
)

// redisPort is every container's port.
const redisPort = 6379

// containers runs nodes in containers.
//
// Each node has two: one that holds the network address and does nothing, and
// one after the other in which the server runs, on the first one's network. So
// an address outlives its servers, and a dead server's port refuses connections
// at once, as that of a dead process does.
//
// Nothing is mounted from this machine, since the engine may run on another
// one: the memory is a volume, and the log comes back through the engine.
type containers struct {
	engine   *engine
	image    image
	password string
	persist  Persistence
	settings []string
	claim    *claim
	network  string // its id
	subnet   netip.Prefix
	direct   bool // whether we reach the containers' own addresses

	mu   sync.Mutex // guards what follows
	next netip.Addr // the last address given away
}

// newContainers prepares a run.
func newContainers(ctx context.Context, cfg *Config) (*containers, error) {
	e, err := newEngine(ctx)
	if err != nil {
		return nil, err
	}
	b := &containers{engine: e, password: cfg.Password, persist: cfg.Persistence, settings: cfg.Settings}
	if err := b.prepare(ctx, cfg); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// prepare removes what dead runs have left, finds an image, and makes a network.
func (b *containers) prepare(ctx context.Context, cfg *Config) error {
	if _, local := b.engine.hostname(); !local && cfg.Password == "" {
		reason := fmt.Sprintf("must be set for containers on another machine (%s), since its network reaches them", b.engine.host)
		return &ConfigError{"Password", `""`, reason}
	}
	if err := purgeDead(ctx, b.engine); err != nil {
		return &FaultError{Op: "purge", Err: err}
	}
	var err error
	if b.image, err = findImage(ctx, b.engine, cfg.RedisServer); err != nil {
		return err
	}
	id := make([]byte, 6)
	rand.Read(id)
	if b.claim, err = newClaim(hex.EncodeToString(id)); err != nil {
		return &FaultError{Op: "start", Err: err}
	}
	if err := b.makeNetwork(ctx); err != nil {
		return &FaultError{Op: "start", Err: fmt.Errorf("network: %w", err)}
	}
	return nil
}

// makeNetwork makes a network whose subnet is known, since only there an
// address can be asked for. Which one is free is the engine's to say: it is
// asked by a first network, which goes again.
func (b *containers) makeNetwork(ctx context.Context) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	for {
		opts := docker.CreateNetworkOptions{
			Name: b.name("net"), Driver: "bridge", Labels: b.claim.labels(), CheckDuplicate: true, Context: ctx,
		}
		first, err := b.engine.CreateNetwork(opts)
		if err != nil {
			return err
		}
		subnet, gateway, err := b.ipam(ctx, first.ID)
		if err != nil {
			return err
		}
		b.direct = bridgeHere(first.ID, gateway) && !publishAlways
		if err := within(ctx, func() error { return b.engine.RemoveNetwork(first.ID) }); err != nil {
			return err
		}
		opts.IPAM = &docker.IPAMOptions{Driver: "default", Config: []docker.IPAMConfig{{Subnet: subnet.String(), Gateway: gateway}}}
		// Without a way out where none is needed: published ports need one.
		opts.Internal = b.direct
		n, err := b.engine.CreateNetwork(opts)
		if overlaps(err) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		b.network, b.subnet = n.ID, subnet
		b.next, err = netip.ParseAddr(gateway)
		return err
	}
}

// publishAlways makes tests go the way of engines whose networks cannot be
// reached from here.
var publishAlways = false

// ipam is a network's subnet and gateway.
func (b *containers) ipam(ctx context.Context, id string) (subnet netip.Prefix, gateway string, err error) {
	var n *docker.Network
	err = within(ctx, func() (err error) { n, err = b.engine.NetworkInfo(id); return err })
	if err != nil {
		return netip.Prefix{}, "", err
	}
	for _, c := range n.IPAM.Config {
		subnet, err := netip.ParsePrefix(c.Subnet)
		if err != nil || !subnet.Addr().Is4() {
			continue
		}
		if c.Gateway == "" {
			c.Gateway = subnet.Masked().Addr().Next().String()
		}
		return subnet, c.Gateway, nil
	}
	return netip.Prefix{}, "", fmt.Errorf("the engine gave network %s no IPv4 subnet", id)
}

// address gives away the next address of the network.
func (b *containers) address() (netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.next.Next()
	if !b.subnet.Contains(next.Next()) { // the last one is for broadcasts
		return netip.Addr{}, fmt.Errorf("network %v is full", b.subnet)
	}
	b.next = next
	return next, nil
}

// name is what something of this run is called.
func (b *containers) name(what string) string { return "quorumlock-" + b.claim.run + "-" + what }

// close removes all that the run has left at the engine.
func (b *containers) close() error {
	defer b.engine.hangUp()
	if b.claim == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := purge(ctx, b.engine, b.claim.run); err != nil {
		// The next run may try again.
		return errors.Join(err, b.claim.release())
	}
	return b.claim.settle()
}
