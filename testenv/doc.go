// Package testenv runs several real redis-server processes behind proxies and
// breaks them on purpose: kills and freezes them, takes their memory away,
// cuts, delays and holds back their traffic.
//
// Every client gets a proxy of its own in front of every node, so that a link
// of one client can fail while the others' work. Addresses, of nodes and of
// proxies, stay the same for the whole run.
//
// It guarantees that a fault's method returns nil only once the effect was
// observed (see each method for what is looked at), that Close leaves nothing
// behind but the files below Config.Dir, and that no server outlives the
// process that started it, also when that process is killed with SIGKILL and
// the server is frozen: a watchdog process sees to it.
//
// It does not guarantee that a fault still lasts when its method returns, that
// a failed fault left everything as it was (HealAll repairs), or any order
// among faults asked for at the same time. A proxy breaks connections, not
// packets: there is no packet loss within TCP, and a closed connection is seen
// as closed through a cut link.
//
// It needs a Unix with /bin/sh, and on systems without /proc also ps. It
// deliberately imports nothing else of this module: what it breaks must not be
// what it is built from. It does not import testing either, so that programs can
// use it.
package testenv
