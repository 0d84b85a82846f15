#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test findmnt --poll on a patched libmount, as root and as an unprivileged user. Prints
# KTAP.
#
# Usage: findmnt.sh queue|mountinfo
#
# The argument is what libmount must use. There are no sleeps: the script waits until
# findmnt has opened the monitor, and then for its output after each change.

# start COMMAND...: start findmnt by the command, and wait until it monitors the mounts
start() {
	rm -f out
	"$@" >out 2>err &
	pid=$!
	until grep -qs '^tfd:' /proc/$pid/fdinfo/*; do
		kill -0 $pid 2>/dev/null || return
	done
	fd=$(sed -n 's/^tfd: *\([0-9]*\).*/\1/p' /proc/$pid/fdinfo/* 2>/dev/null)
	used=$(readlink "/proc/$pid/fd/$fd")
}

# changed COMMAND...: make a change, and wait until findmnt prints a line
changed() {
	lines=$(wc -l <out)
	"$@" || echo "# $* failed"
	until [ "$(wc -l <out)" -gt "$lines" ]; do
		kill -0 $pid 2>/dev/null || break
	done
}

# check NAME: print the result of the last command as one KTAP test
check() {
	if [ $? = 0 ]; then
		echo "ok $((n += 1)) $1"
	else
		failed=1
		sed 's/^/# /' out err
		echo "not ok $((n += 1)) $1"
	fi
}

# changes NAME COMMAND...: all changes of a tmpfs, as findmnt prints them
changes() {
	name=$1
	shift
	start "$@"
	case $backend:$used in
	queue:pipe:* | mountinfo:/proc/*/mountinfo) true ;;
	*) echo "# libmount uses $used"; false ;;
	esac
	check "$name: uses the $backend"
	changed mount -t tmpfs cargo "$dir/a"
	changed mount -o remount,size=1m "$dir/a"
	changed mount -o remount,bind,noexec "$dir/a"
	changed mount --move "$dir/a" "$dir/b"
	changed umount "$dir/b"
	kill $pid
	wait $pid 2>/dev/null
	sed "s,$dir/,,g" out | sed '/^$/d' | diff expected - >err
	check "$name: reports the changes"
}

case $1 in
queue | mountinfo) backend=$1 ;;
*) echo 'Usage: findmnt.sh queue|mountinfo' >&2; exit 1 ;;
esac
n=0 failed=0
dir=$(mktemp -d /tmp/findmnt.XXXXXX) && chmod 755 "$dir" && cd "$dir" || exit
mkdir a b
cat >expected <<'END'
mount  a tmpfs
remount  a tmpfs
remount  a tmpfs
move a b tmpfs
umount b b tmpfs
END

echo 'KTAP version 1'
echo 1..4
poll='findmnt --poll --raw --noheadings --output ACTION,OLD-TARGET,TARGET,FSTYPE'
# shellcheck disable=SC2086 # a command with options
changes root $poll
changes nobody su nobody -s /bin/sh -c "LD_LIBRARY_PATH=$LD_LIBRARY_PATH PATH=$PATH exec $poll"
cd / && rm -rf "$dir"
exit $failed
