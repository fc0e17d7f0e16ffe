#!/bin/sh
# Prints the path of a redis-server that can be run, fetching one if there is
# none. Asks nothing, starts and enables no service, and on Debian and Ubuntu
# needs no root: packages are unpacked below .cache/redis, never installed.
#
# Order: $QUORUMLOCK_REDIS_SERVER, the PATH, .cache/redis, a package manager.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache=$root/.cache/redis
tried=

say() { printf '%s\n' "redis-server.sh: $*" >&2; }

# usable PATH: is it an executable that calls itself a Redis (or Valkey) server?
usable() {
	[ -f "$1" ] && [ -x "$1" ] || return 1
	case $("$1" --version 2>/dev/null </dev/null) in
	*server\ v=*) return 0 ;;
	esac
	return 1
}

found() {
	printf '%s\n' "$1"
	exit 0
}

# on_path: the first usable redis-server of the PATH, if any. Valkey's own name
# comes second: some distributions ship nothing else.
on_path() {
	for name in redis-server valkey-server; do
		p=$(command -v "$name" 2>/dev/null) || continue
		if usable "$p"; then
			printf '%s\n' "$p"
			return 0
		fi
	done
	return 1
}

# wrapper DIR: writes DIR/bin/redis-server, which runs the unpacked server with
# the unpacked libraries. It finds both relative to itself, so that the tree can
# be moved, and it execs, so that its pid is the server's.
wrapper() {
	mkdir -p "$1/bin"
	cat >"$1/bin/redis-server" <<'WRAPPER'
#!/bin/sh
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../unpacked" && pwd) || exit 127
libs=
for dir in "$root"/usr/lib/*-linux-* "$root"/lib/*-linux-*; do
	[ -d "$dir" ] && libs=$libs${libs:+:}$dir
done
if [ -n "$libs" ]; then
	LD_LIBRARY_PATH=$libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	export LD_LIBRARY_PATH
fi
exec "$root/usr/bin/redis-server" "$@"
WRAPPER
	chmod 755 "$1/bin/redis-server"
}

# apt ARGS: an apt tool on the machine's lists, or on our own if $aptdir has some.
apt() {
	tool=$1
	shift
	if [ -d "$aptdir/state" ]; then
		set -- -o "Dir::State::lists=$aptdir/state/lists" -o "Dir::Cache=$aptdir/cache" "$@"
	fi
	"$tool" -q -o APT::Sandbox::User=root "$@"
}

# apt_update: fresh package lists of our own, since the machine's may be absent
# and only root may write them.
apt_update() {
	mkdir -p "$aptdir/state/lists/partial" "$aptdir/cache/archives/partial"
	apt apt-get update >&2
}

# unpack DEST PACKAGE…: downloads packages and unpacks them below DEST.
# Fails if any of them could not be had.
unpack() {
	dest=$1
	shift
	rc=0
	for pkg in "$@"; do
		rm -rf "$aptdir/debs"
		mkdir -p "$aptdir/debs" "$dest"
		(cd "$aptdir/debs" && apt apt-get download "$pkg" >&2) || { rc=1; continue; }
		for deb in "$aptdir"/debs/*.deb; do
			dpkg-deb -x "$deb" "$dest" >&2 || rc=1
		done
	done
	return $rc
}

# depends PACKAGE…: the libraries that packages depend on, except for the C
# library, which must be the machine's own.
depends() {
	apt apt-cache depends --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances "$@" 2>/dev/null |
		sed -n 's/^ *|\{0,1\}\(Pre\)\{0,1\}Depends: \(lib[^ ]*\)$/\2/p' |
		sort -u | grep -v -e '^libc6$' -e '^libgcc' -e '^libstdc++' || :
}

# from_apt: downloads and unpacks redis-server and the libraries it lacks.
from_apt() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
	mkdir -p "$root/.cache"
	work=$(mktemp -d "$root/.cache/redis.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	aptdir=$work/apt
	new=$work/redis
	say "no redis-server here: unpacking Debian's below $cache"
	if ! unpack "$new/unpacked" redis-tools redis-server; then
		apt_update || return 1
		unpack "$new/unpacked" redis-tools redis-server || return 1
	fi
	wrapper "$new"
	level='redis-tools redis-server'
	for _ in 1 2 3; do
		usable "$new/bin/redis-server" && break
		# shellcheck disable=SC2086 # a list of package names
		level=$(depends $level)
		[ -n "$level" ] || break
		# Names that no package bears (virtual ones) fail; the check above judges.
		# shellcheck disable=SC2086
		unpack "$new/unpacked" $level || :
	done
	usable "$new/bin/redis-server" || return 1
	place "$new"
}

# place DIR: moves the finished tree to $cache in one step; somebody else's
# that was finished first is as good.
place() {
	usable "$cache/bin/redis-server" && return 0
	rm -rf "$cache"
	mv "$1" "$cache" 2>/dev/null || usable "$cache/bin/redis-server"
}

# from_manager: installs with the other package managers. None of them starts or
# enables a service on installation.
from_manager() {
	if command -v brew >/dev/null; then
		HOMEBREW_NO_AUTO_UPDATE=1 brew install redis >&2 </dev/null || return 1
		prefix=$(brew --prefix) && PATH=$PATH:$prefix/bin
		return 0
	fi
	if [ "$(id -u)" != 0 ]; then
		tried="$tried; other package managers need root"
		return 1
	fi
	if command -v apk >/dev/null; then
		apk add --no-cache redis >&2 || apk add --no-cache valkey >&2
	elif command -v dnf >/dev/null; then
		dnf -y install redis >&2 || dnf -y install valkey >&2
	else
		return 1
	fi
}

if [ -n "${QUORUMLOCK_REDIS_SERVER:-}" ]; then
	usable "$QUORUMLOCK_REDIS_SERVER" && found "$QUORUMLOCK_REDIS_SERVER"
	say "QUORUMLOCK_REDIS_SERVER=$QUORUMLOCK_REDIS_SERVER is no redis-server that runs"
	exit 1
fi
p=$(on_path) && found "$p"
usable "$cache/bin/redis-server" && found "$cache/bin/redis-server"
(from_apt) && found "$cache/bin/redis-server"
from_manager && p=$(on_path) && found "$p"

say "found no redis-server and could not fetch one ($(uname -s) $(uname -m))"
say "tried: QUORUMLOCK_REDIS_SERVER (not set), the PATH, $cache, apt-get, brew, apk, dnf$tried"
say "put one on the PATH, or set QUORUMLOCK_REDIS_SERVER to the path of a redis-server"
exit 1
