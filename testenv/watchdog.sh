# Kills the servers of a run once the run is gone. Reads "add PID" and "del PID"
# lines; when nobody is left who could write more, it kills what was added and
# not deleted. A pid is killed only while its process began when it was added:
# the number may belong to somebody else by then.
set -f # what is split into words below is not to be taken for file names
trap '' HUP INT QUIT TERM

# began PID: when the process began, in one word; nothing if there is none.
began() {
	if [ -r /proc/self/stat ]; then
		{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
		# shellcheck disable=SC2086 # words: what follows the name in parentheses
		set -- ${stat##*) }
		echo "${20}"
	else
		# shellcheck disable=SC2046 # words
		set -- $(ps -o lstart= -p "$1" 2>/dev/null)
		echo "$1$2$3$4$5"
	fi
}

servers=
while read -r verb pid; do
	case $verb in
	add)
		at=$(began "$pid")
		[ -z "$at" ] || servers="$servers $pid=$at"
		;;
	del)
		rest=
		for s in $servers; do
			[ "${s%%=*}" = "$pid" ] || rest="$rest $s"
		done
		servers=$rest
		;;
	esac
done
for s in $servers; do
	pid=${s%%=*}
	if [ "$(began "$pid")" = "${s#*=}" ]; then
		kill -s KILL "$pid"
		# Children, too: a server leads a process group of its own.
		kill -s KILL -- "-$pid"
	fi 2>/dev/null
done
exit 0
