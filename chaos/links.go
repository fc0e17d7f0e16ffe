package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/testenv"
)

// beginLinks makes a fault happen on each pair of its clients and nodes. It
// counts when at least one link is confirmed; the others are named in the
// ledger.
func (in *injector) beginLinks(ctx context.Context, f scenario.Fault, e *Entry) (heal func() error, err error) {
	free := func() {}
	if f.Kind == scenario.CutNode && e.Story == "" {
		// Cut off from everybody, the node is as good as dead.
		if free, err = in.claimNodes(ctx, f, e); err != nil {
			return nil, err
		}
	}
	links, busy := in.claimLinks(f, e)
	cured := in.hurting()
	confirmed, err := in.hurtLinks(ctx, f, links)
	err = errors.Join(busy, err)
	heal = func() error {
		defer free()
		defer in.freeLinks(links, e)
		err := in.healLinks(links)
		cured()
		in.ledger.end(e)
		return err
	}
	if len(confirmed) == 0 {
		return nil, errors.Join(err, heal())
	}
	if err != nil {
		in.ledger.miss(e, "in part: "+err.Error())
	}
	in.ledger.begin(e, confirmed, true)
	return heal, nil
}

// claimLinks takes the fault's links that bear no other fault.
func (in *injector) claimLinks(f scenario.Fault, e *Entry) (links [][2]string, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, c := range f.Clients {
		for _, n := range f.Nodes {
			link := [2]string{c, n}
			if other, busy := in.links[link]; busy {
				err = errors.Join(err, fmt.Errorf("%s→%s bears fault %d", c, n, other))
				continue
			}
			in.links[link] = e.ID
			links = append(links, link)
		}
	}
	return links, err
}

// pairs lists the links that a fault is about.
func pairs(f scenario.Fault) (links [][2]string) {
	for _, c := range f.Clients {
		for _, n := range f.Nodes {
			links = append(links, [2]string{c, n})
		}
	}
	return links
}

func (in *injector) freeLinks(links [][2]string, e *Entry) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, link := range links {
		if in.links[link] == e.ID {
			delete(in.links, link)
		}
	}
}

// hurtLinks applies the fault to the links and returns those on which its
// effect was seen.
func (in *injector) hurtLinks(ctx context.Context, f scenario.Fault, links [][2]string) (confirmed [][2]string, err error) {
	direction := map[scenario.Direction]testenv.Direction{
		scenario.Both: testenv.Both, scenario.Requests: testenv.Requests, scenario.Replies: testenv.Replies,
	}[f.Direction]
	var mu sync.Mutex // guards confirmed
	err = together(links, func(l [2]string) error {
		var err error
		switch f.Kind {
		case scenario.Hold:
			err = in.env.Hold(ctx, l[0], l[1], direction)
		case scenario.Strand:
			err = in.env.Strand(ctx, l[0], l[1], direction)
		case scenario.Delay:
			err = in.env.Delay(ctx, l[0], l[1], direction, f.Latency.D(), f.Jitter.D())
		default:
			err = in.env.Cut(ctx, l[0], l[1], direction)
		}
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			confirmed = append(confirmed, l)
		}
		return err
	})
	return confirmed, err
}

// healLinks lets the links work again. A link to a frozen server cannot be
// seen to work; the fault is off it all the same.
func (in *injector) healLinks(links [][2]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), healPatience)
	defer cancel()
	return together(links, func(l [2]string) error { return in.env.Heal(ctx, l[0], l[1]) })
}
