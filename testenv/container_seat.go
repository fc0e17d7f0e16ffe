package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	docker "github.com/ory/dockertest/v3/docker"
)

// memory is where a server finds its volume.
const memory = "/memory"

// containerSeat is a network address, held by a container of its own, and a
// volume.
type containerSeat struct {
	*containers
	node   string // names the containers; unique in the run
	dir    string
	log    string
	ip     string
	host   string // host:port as we reach it
	holder string // id of the container that holds the address
	life   int    // counts wipes; names the volume
	served int    // counts servers; names their containers
	last   *container
}

func (b *containers) seat(ctx context.Context, n *Node) (seat, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	ip, err := b.address()
	if err != nil {
		return nil, err
	}
	s := &containerSeat{containers: b, node: filepath.Base(n.dir), dir: n.dir, log: n.Log(), ip: ip.String()}
	if err := s.makeVolume(ctx); err != nil {
		return nil, fmt.Errorf("volume: %w", err)
	}
	for {
		err := s.hold(ctx)
		if !taken(err) || ctx.Err() != nil {
			return s, err
		}
	}
}

// hold starts the container that holds the address. It runs a server that
// listens to nobody, since the image has nothing else to run.
func (s *containerSeat) hold(ctx context.Context) error {
	bindings, err := s.bindings()
	if err != nil {
		return err
	}
	c, err := s.engine.CreateContainer(docker.CreateContainerOptions{
		Name: s.name(s.node + "-address"),
		Config: &docker.Config{
			Image: s.image.name, Labels: s.claim.labels(), Entrypoint: []string{"redis-server"}, User: "0:0",
			Cmd:          []string{"--port", "0", "--unixsocket", "/idle.sock", "--save", "", "--hz", "1"},
			ExposedPorts: map[docker.Port]struct{}{dockerPort(redisPort): {}},
		},
		HostConfig: &docker.HostConfig{
			NetworkMode: s.name("net"), PortBindings: bindings, CapDrop: []string{"ALL"}, LogConfig: logConfig(),
			// A frozen server's clients wait in its queue; see tcp-backlog.
			Sysctls: map[string]string{"net.core.somaxconn": "4096"},
		},
		NetworkingConfig: &docker.NetworkingConfig{
			EndpointsConfig: map[string]*docker.EndpointConfig{s.name("net"): s.endpoint()},
		},
		Context: ctx,
	})
	if err != nil {
		return fmt.Errorf("container: %w", err)
	}
	if err := s.engine.StartContainerWithContext(c.ID, nil, ctx); err != nil {
		return errors.Join(fmt.Errorf("container: %w", err), s.remove(ctx, c.ID))
	}
	s.holder = c.ID
	return nil
}

// endpoint is the seat's place on the network.
func (s *containerSeat) endpoint() *docker.EndpointConfig {
	return &docker.EndpointConfig{IPAMConfig: &docker.EndpointIPAMConfig{IPv4Address: s.ip}}
}

// bindings decides how the server is reached: at its own address, or at a port
// of the engine's machine, which stays the same because it is asked for.
func (s *containerSeat) bindings() (map[docker.Port][]docker.PortBinding, error) {
	if s.direct {
		s.host = s.peerAddr()
		return nil, nil
	}
	// If it is taken there, the caller tries another one.
	p, err := takePort()
	if err != nil {
		return nil, err
	}
	p.release()
	host, local := s.engine.hostname()
	s.host = net.JoinHostPort(host, strconv.Itoa(p.num))
	binding := docker.PortBinding{HostPort: strconv.Itoa(p.num)}
	if local {
		binding.HostIP = "127.0.0.1"
	}
	return map[docker.Port][]docker.PortBinding{dockerPort(redisPort): {binding}}, nil
}

func (s *containerSeat) addr() string     { return s.host }
func (s *containerSeat) peerAddr() string { return net.JoinHostPort(s.ip, strconv.Itoa(redisPort)) }
func (s *containerSeat) release()         {}

func (s *containerSeat) volume() string { return s.name(fmt.Sprintf("%s-memory-%d", s.node, s.life)) }

func (s *containerSeat) makeVolume(ctx context.Context) error {
	_, err := s.engine.CreateVolume(docker.CreateVolumeOptions{Name: s.volume(), Labels: s.claim.labels(), Context: ctx})
	return err
}

// launch starts a server in a container of its own. The last one's goes.
func (s *containerSeat) launch(ctx context.Context) (server, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := s.clear(ctx); err != nil {
		return nil, err
	}
	s.served++
	created, err := s.engine.CreateContainer(docker.CreateContainerOptions{
		Name: s.name(fmt.Sprintf("%s-%d", s.node, s.served)),
		Config: &docker.Config{
			Image: s.image.name, Labels: s.claim.labels(), Entrypoint: []string{"redis-server"}, User: "0:0",
			Cmd: []string{"/quorumlock.conf"},
		},
		HostConfig: &docker.HostConfig{
			NetworkMode: "container:" + s.holder, Binds: []string{s.volume() + ":" + memory},
			CapDrop: []string{"ALL"}, LogConfig: logConfig(),
		},
		Context: ctx,
	})
	if err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	c := newContainer(s.engine, created.ID, s.host)
	s.last = c
	if err := s.configure(ctx, c.id); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if err := c.start(ctx, s.log); err != nil {
		return nil, err
	}
	return c, nil
}

// configure writes the server's configuration into its container.
func (s *containerSeat) configure(ctx context.Context, id string) error {
	conf := settings{
		version: s.image.version, password: s.password, bind: "0.0.0.0", port: redisPort, data: memory,
		persist: s.persist, more: s.settings,
	}
	archive, err := pack([]file{{name: "quorumlock.conf", data: []byte(conf.conf()), mode: 0o600}})
	if err != nil {
		return err
	}
	return s.engine.UploadToContainer(id, docker.UploadToContainerOptions{InputStream: archive, Path: "/", Context: ctx})
}

// clear removes the last server's container.
func (s *containerSeat) clear(ctx context.Context) error {
	if s.last == nil {
		return nil
	}
	if err := s.remove(ctx, s.last.id); err != nil {
		return err
	}
	s.last = nil
	return nil
}

func (s *containerSeat) remove(ctx context.Context, id string) error {
	err := s.engine.RemoveContainer(docker.RemoveContainerOptions{ID: id, Force: true, RemoveVolumes: true, Context: ctx})
	if missing(err) {
		return nil
	}
	return err
}

// wipe gives the seat an empty volume, under another name, so that it is not
// merely believed to be empty.
func (s *containerSeat) wipe(ctx context.Context) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := s.clear(ctx); err != nil {
		return err
	}
	old := s.volume()
	s.life++
	if err := s.makeVolume(ctx); err != nil {
		return err
	}
	return s.engine.RemoveVolumeWithOptions(docker.RemoveVolumeOptions{Name: old, Context: ctx})
}

// forget fetches the files out of the dead server's container, cuts them here,
// and puts the one back that was cut.
func (s *containerSeat) forget(ctx context.Context, now time.Time) (err error) {
	if s.last == nil {
		return errors.New("nothing to lose: the node never served")
	}
	copied, err := os.MkdirTemp(s.dir, "cut-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(copied)) }()
	if err := s.fetch(ctx, s.last.id, copied); err != nil {
		return err
	}
	cut, err := forgetNewest(copied, now)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(cut)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(copied, cut)
	if err != nil {
		return err
	}
	archive, err := pack([]file{{name: filepath.ToSlash(name), data: data, mode: 0o644}})
	if err != nil {
		return err
	}
	return s.engine.UploadToContainer(s.last.id, docker.UploadToContainerOptions{InputStream: archive, Path: memory, Context: ctx})
}

// unplug takes the address off the network; servers come and go without it.
func (s *containerSeat) unplug(ctx context.Context) error {
	return within(ctx, func() error {
		return s.engine.DisconnectNetwork(s.network, docker.NetworkConnectionOptions{Container: s.holder})
	})
}

func (s *containerSeat) plug(ctx context.Context) error {
	return s.engine.ConnectNetwork(s.network, docker.NetworkConnectionOptions{
		Container: s.holder, EndpointConfig: s.endpoint(), Context: ctx,
	})
}

// logConfig makes the engine keep logs such that they can be read back, which
// its own setting may not.
func logConfig() docker.LogConfig { return docker.LogConfig{Type: "json-file"} }
