#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run in the guest: keyutils' own watch commands, as Debian packages them, must
# work unmodified.  Speaks KTAP.  Nothing sleeps: the watcher's lines are read
# from a pipe, and one that does not come is a time-out.

[ "$1" = inside ] || exec keyctl session - sh "$0" inside

n=0

# result NAME STATUS: one test's line
result() {
	n=$((n + 1))
	[ "$2" = 0 ] && echo "ok $n $1" || echo "not ok $n $1"
}

# expect NAME FILE LINE...: the file has exactly these lines
expect() {
	name=$1 file=$2
	shift 2
	printf '%s\n' "$@" >expected
	cmp -s expected "$file"
	status=$?
	[ $status = 0 ] || sed 's/^/# got: /' "$file"
	result "$name" $status
}

cd /tmp && rm -f key watched && mkfifo watched || exit

echo 'KTAP version 1'
echo 1..7

# watch_session runs a program in a new session with a queue on descriptor 4,
# watch_add adds a key to it, and watch_sync waits until all was read.
# shellcheck disable=SC2016 # the inner shell expands them
# shellcheck disable=SC2016 # for the shell inside
keyctl watch_session -n demo notes collected 4 sh -ec '
	keyctl add user demo a @s >key
	keyctl watch_add 4 $(cat key)
	keyctl update $(cat key) b
	keyctl watch_rm 4 $(cat key)
	keyctl update $(cat key) c
	keyctl unlink $(cat key) @s
	keyctl watch_sync 4
	cp notes synced
	keyctl id @s >session
' >said 2>&1
status=$?
[ $status = 0 ] || sed 's/^/# /' said
result watch_session $status
key=$(cat key) session=$(cat session)
session=$((session))
expect watch_sync synced "$session link $key" "$key upd" "$session unlk $key"

# A watch can be removed from a key that has expired. The expiry is an event that
# keyutils does not ask for.
# shellcheck disable=SC2016 # the inner shell expands them
rm notes
# shellcheck disable=SC2016 # for the shell inside
keyctl watch_session -n demo notes collected 4 sh -ec '
	keyctl add user short a @s >key
	keyctl watch_add 4 $(cat key)
	keyctl timeout $(cat key) 1
	while keyctl describe $(cat key); do :; done
	keyctl watch_rm 4 $(cat key)
	keyctl watch_sync 4
	cp notes synced
	keyctl id @s >session
' >said 2>&1
status=$?
[ $status = 0 ] || tail -n 5 said | sed 's/^/# /'
result watch_rm_expired $status
key=$(cat key) session=$(cat session)
session=$((session))
expect watch_expired synced "$session link $key" "$key attr"

# A keyring that is revoked, and a key that is invalidated and collected, have one
# event each: nothing of the links that go with them.
rm notes
# shellcheck disable=SC2016 # for the shell inside
keyctl watch_session -n demo notes collected 4 sh -ec '
	keyctl newring shelf @s >ring
	keyctl watch_add 4 $(cat ring)
	keyctl add user dead a $(cat ring) >key
	keyctl watch_add 4 $(cat key)
	keyctl invalidate $(cat key)
	while grep -q "^$(printf %08x $(cat key))" /proc/keys; do :; done
	keyctl add user last a $(cat ring) >last
	keyctl revoke $(cat ring)
	keyctl watch_sync 4
	cp notes synced
	keyctl id @s >session
' >said 2>&1
status=$?
[ $status = 0 ] || tail -n 5 said | sed 's/^/# /'
result watch_gone $status
key=$(cat key) session=$(cat session) ring=$(cat ring)
session=$((session))
expect watch_one_each synced "$session link $ring" "$ring link $key" "$key inv" \
	"$ring link $(cat last)" "$ring rev"

# watch prints the events of one key, until it is killed or the key is gone
key=$(keyctl add user other a @s)
keyctl watch "$key" >watched &
exec 3<watched
until grep -q "^watch:.*object:$(printf %x "$key")$" /proc/$!/fdinfo/* 2>/dev/null; do
	kill -0 $! || exit
done
keyctl update "$key" b || exit
read -r line <&3
echo "$line" >first
expect watch first "$key upd"
kill $!
