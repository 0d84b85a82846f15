#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What "make run" shows, run in the guest: keyutils' keyctl changes keys in a
# session keyring of its own, and watch_test, the sample, says what the kernel
# posted. Its lines are indented. Nothing sleeps: each step waits for the line
# that it must cause, and a line that never comes is a timeout.

[ "$1" = inside ] || exec keyctl session - sh "$0" inside

# await TEXT: show the sample's lines up to the one with TEXT in it
await() {
	while read -r line <&3; do
		echo "	$line"
		case $line in *"$1"*) return ;; esac
	done
	echo "tour: the sample ended before it said '$1'"
	exit 1
}

# watch ARGUMENT...: start the sample and wait until it is ready
watch() {
	printf '\n$ watch_test %s &\n' "$*"
	watch_test "$@" >events &
	exec 3<events
	await watching
}

# try TEXT COMMAND...: the command must succeed and cause a line with TEXT
try() {
	text=$1
	shift
	echo "\$ $*"
	"$@" >out || exit
	await "$text"
}

# finish: end the sample and show the rest of its lines
finish() {
	kill -INT $!
	await events,
	wait $! || exit
}

cd /tmp && mkfifo events || exit

watch
try 'linked key' keyctl add user demo hello @s
key=$(cat out)
try 'linked key' keyctl newring album @s
album=$(cat out)
try 'unlinked key' keyctl unlink "$album" @s
finish

watch "$key"
try updated keyctl update "$key" goodbye
try attributes keyctl setperm "$key" 0x3f3f0000
try revoked keyctl revoke "$key"
finish

printf '\nAn overflow: four records fit, and nobody reads before the signal\n'
watch -n 4 --hold
for n in 1 2 3 4 5 6 7; do
	echo "\$ keyctl add user $n x @s"
	keyctl add user $n x @s >out || exit
done
echo "\$ kill -USR1 $!"
kill -USR1 $!
await 'lost 3'
finish
