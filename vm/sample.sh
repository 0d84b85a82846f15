#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run in the guest: keyutils' keyctl changes keys in a session keyring of its own,
# mounts come and go, a filesystem is damaged, a disk fails, devices come and go; and
# watch_test, the sample, says what the kernel posted. Its lines are indented.
# Nothing sleeps: each step waits for the line that it must cause, and a line that
# never comes is a timeout.

[ "$1" = inside ] || exec keyctl session - sh "$0" inside
# shellcheck source=vm/damaged.sh
. /t/damaged.sh

# await TEXT: show the sample's lines up to the one with TEXT in it
await() {
	while read -r line <&3; do
		echo "	$line"
		case $line in *"$1"*) return ;; esac
	done
	echo "$0: the sample ended before it said '$1'"
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

printf '\nMounts, and all below: no need to read /proc/self/mountinfo again\n'
mkdir -p tree && mount -t tmpfs tree tree && mkdir tree/old tree/new || exit
watch tree/
try new mount -t tmpfs cargo tree/old
try 'moved here' mount --move tree/old tree/new
try 'read-only now' mount -o remount,ro tree/new
try unmounted umount tree/new
finish
umount tree || exit

printf '\nA filesystem with a damaged directory, told to stop at an error\n'
damaged tree
watch -f tree
try 'read-only now' mount -o remount,ro tree
try 'read-write now' mount -o remount,rw tree
echo '$ ls tree/cellar'
ls tree/cellar >out 2>&1
await 'shut down'
finish
umount tree && losetup -d /dev/loop0

printf '\nA disk whose reads fail at some places\n'
watch -b "$disk"
bad_reads || exit
echo "\$ dd if=$disk of=/dev/null bs=4096 count=1 iflag=direct"
dd if="$disk" of=/dev/null bs=4096 count=1 iflag=direct 2>out
await 'bad place'
good_reads || exit
finish

printf '\nAll devices: a disk is taken out, and put in again\n'
watch -d
host=$(echo /sys/bus/pseudo/devices/adapter0/host*)
try "/block/${disk##*/} (8:0): removed" sh -c "echo 1 >/sys/block/${disk##*/}/device/delete"
try "/block/${disk##*/} (8:0): added" sh -c "echo - - - >/sys/class/scsi_host/${host##*/}/scan"
finish
