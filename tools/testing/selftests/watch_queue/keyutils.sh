#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test that the watch commands of keyutils work unmodified. Prints KTAP. There are no
# sleeps: the script waits for the watcher's output, and missing output is a timeout.

# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. "$(dirname "$0")/lib.sh"

if [ "$1" != inside ]; then
	need keyctl
	keyctl supports notify 2>/dev/null ||
		skip_all 'keyctl or the kernel cannot watch keys'
	isolate env
fi

# expect NAME FILE LINE...: test that the file has exactly these lines
expect() {
	name=$1 file=$2
	shift 2
	printf '%s\n' "$@" >expected
	cmp -s expected "$file"
	result "$name" $? "$file"
}

# in_session NAME COMMANDS: test that the commands succeed in a new session with a queue
# on descriptor 4. watch_add adds a watch on a key, watch_sync waits until all records
# were read. Set $key from the file key, and $session to the new session keyring.
in_session() {
	rm -f notes
	keyctl watch_session -n demo notes collected 4 sh -ec "$2"'
		keyctl watch_sync 4
		cp notes synced
		keyctl id @s >session
	' >output 2>&1
	result "$1" $? output
	key=$(cat key) session=$(cat session)
	session=$((session))
}

cd "$2" && mkfifo watched || exit

echo 'KTAP version 1'
echo 1..7

# shellcheck disable=SC2016 # for the shell inside
in_session watch_session '
	keyctl add user demo a @s >key
	keyctl watch_add 4 $(cat key)
	keyctl update $(cat key) b
	keyctl watch_rm 4 $(cat key)
	keyctl update $(cat key) c
	keyctl unlink $(cat key) @s
'
expect watch_sync synced "$session link $key" "$key upd" "$session unlk $key"

# A watch can be removed from an expired key. There is no record of the expiry, because
# keyutils does not use KEY_WATCH_EXTENDED.
# shellcheck disable=SC2016 # for the shell inside
in_session watch_rm_expired '
	keyctl add user short a @s >key
	keyctl watch_add 4 $(cat key)
	keyctl timeout $(cat key) 1
	while keyctl describe $(cat key) >/dev/null; do :; done
	keyctl watch_rm 4 $(cat key)
'
expect watch_expired synced "$session link $key" "$key attr"

# Revoking a keyring, and invalidating a key that is then collected, cause one event
# each, and none for the links that are removed.
# shellcheck disable=SC2016 # for the shell inside
in_session watch_gone '
	keyctl newring shelf @s >ring
	keyctl watch_add 4 $(cat ring)
	keyctl add user dead a $(cat ring) >key
	keyctl watch_add 4 $(cat key)
	keyctl invalidate $(cat key)
	while grep -q "^$(printf %08x $(cat key))" /proc/keys; do :; done
	keyctl add user last a $(cat ring) >last
	keyctl revoke $(cat ring)
'
ring=$(cat ring)
expect watch_one_each synced "$session link $ring" "$ring link $key" "$key inv" \
	"$ring link $(cat last)" "$ring rev"

# watch prints the events of one key, until it is killed or the key is destroyed
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
exit "$failed"
