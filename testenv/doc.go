// Package testenv runs several real Redis servers behind proxies and breaks them
// on purpose: kills and freezes them, takes their memory away, takes them off
// their network, cuts, delays and holds back their traffic. The servers are
// processes of this machine or containers; both do the same, except that only a
// container can be disconnected.
//
// Every client gets a proxy of its own in front of every node, so that a link
// of one client can fail while the others' work. Proxies run in this process;
// addresses, of nodes and of proxies, stay the same for the whole run.
//
// It guarantees that a fault's method returns nil only once the effect was
// observed (see each method for what is looked at), that Close leaves nothing
// behind but the files below Config.Dir and the image, and that no server
// outlives the process that started it for good, also when that process is
// killed with SIGKILL and the server is frozen: a watchdog process ends
// processes at once, and containers, with their network and volumes, go when the
// next run with containers starts on the same machine for the same user. It
// takes away what belongs to runs that no longer live, and nothing else: every
// run holds a lock on a file, in XDG_RUNTIME_DIR or the folder of temporary
// files, that its containers name.
//
// It does not guarantee that a fault still lasts when its method returns, that
// a failed fault left everything as it was (HealAll repairs), or any order
// among faults asked for at the same time. A proxy breaks connections, not
// packets: there is no packet loss within TCP, and a closed connection is seen
// as closed through a cut link. Servers in containers share the engine's kernel
// and clock; a process can have a wall clock of its own (SetClock), which needs a
// C compiler and 64-bit Linux, but no monotonic clock of its own.
//
// It needs a Unix with /bin/sh, and on systems without /proc also ps. Containers
// need an engine that speaks Docker's protocol: the one that DOCKER_HOST names,
// or the local one. Its networks are used directly where their bridge is an
// interface of this machine; otherwise ports are published, to this machine
// alone unless the engine is on another one. Nothing of this machine is mounted,
// so the engine may be anywhere. Containers run redis:7, and where neither the
// engine nor a registry has it, an image built of this machine's server, which
// is kept for the next run under the name quorumlock/redis-local.
//
// It deliberately imports nothing else of this module: what it breaks must not
// be what it is built from. It does not import testing either, so that programs
// can use it.
package testenv
