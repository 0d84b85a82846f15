#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run in the guest: the sample, watch_test, prints the records of keys, mounts, a
# damaged filesystem, a failing disk, and devices, and watch_mounts lists the mounts
# again after a loss. Their lines are indented. There are no delays: each step waits for
# the line that it must cause. A missing line causes a timeout.

[ "$1" = inside ] || exec keyctl session - sh "$0" inside
# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. /t/lib.sh
# shellcheck source=vm/damaged.sh
. /t/damaged.sh

# await TEXT: print the lines of the sample up to the one that contains TEXT
await() {
	while read -r line <&3; do
		echo "	$line"
		case $line in *"$1"*) return ;; esac
	done
	echo "$0: the sample exited before it printed '$1'"
	exit 1
}

# start PROGRAM ARGUMENT...: start a sample and wait until it is ready
start() {
	printf '\n$ %s &\n' "$*"
	"$@" >events &
	exec 3<events
	await watching
}

watch() { start watch_test "$@"; }

# try TEXT COMMAND...: the command must succeed and cause a line that contains TEXT
try() {
	text=$1
	shift
	echo "\$ $*"
	"$@" >out || exit
	await "$text"
}

# finish: terminate the sample and print the rest of its lines
finish() {
	kill $!
	while read -r line <&3; do echo "	$line"; done
	# Not the message of the shell
	wait $! 2>out
}

cd /tmp && mkfifo events || exit

watch key=@s
try 'event 2' keyctl add user demo hello @s
key=$(cat out)
try 'event 2' keyctl newring album @s
album=$(cat out)
try 'event 3' keyctl unlink "$album" @s
finish

printf '\nA key that is destroyed: the sample exits, as no watch is left\n'
watch "key=$key"
try 'event 1' keyctl update "$key" goodbye
try 'event 7' keyctl setperm "$key" 0x3f3f0000
try 'event 6' keyctl invalidate "$key"
await removed
wait $! || exit

printf '\nA loss: the queue has room for four records, and the reader is stopped\n'
watch -n 4 key=@s
echo "\$ kill -STOP $!"
halt $!
for n in 1 2 3 4 5 6 7; do
	echo "\$ keyctl add user $n x @s"
	keyctl add user $n x @s >out || exit
done
echo "\$ kill -CONT $!"
kill -CONT $!
await '3 records lost'
finish

printf '\nA mount and all mounts below it\n'
mkdir -p tree && mount -t tmpfs tree tree && mkdir tree/old tree/new || exit
watch mount=tree/
try 'event 0' mount -t tmpfs cargo tree/old
try 'event 3' mount --move tree/old tree/new
try 'event 4' mount -o remount,bind,ro tree/new
try 'event 1' umount tree/new
finish

printf '\nA loss: the mounts are listed again, and the watch stays\n'
mkdir tree/1 tree/2 tree/3 tree/4 tree/5 tree/6 || exit
start watch_mounts -n 4
try '+ /tmp/tree/1' mount -t tmpfs cargo tree/1
echo "\$ kill -STOP $!"
halt $!
for n in 2 3 4 5 6; do
	echo "\$ mount -t tmpfs cargo tree/$n"
	mount -t tmpfs cargo tree/$n || exit
done
echo '$ umount tree/1'
umount tree/1 || exit
echo "\$ kill -CONT $!"
kill -CONT $!
await '- /tmp/tree/1'
try '~ /tmp/tree/1' mount --move tree/2 tree/1
try '- /tmp/tree/3' umount tree/3
finish
umount tree/1 tree/4 tree/5 tree/6 tree || exit

printf '\nA filesystem with a damaged directory\n'
damaged tree errors=continue
watch sb=tree
await 'event 9'
try 'event 0' mount -o remount,ro tree
try 'event 1' mount -o remount,rw tree
echo '$ ls tree/cellar'
ls tree/cellar >out 2>&1
await 'event 6'
finish
umount tree && losetup -d /dev/loop0

printf '\nA disk with unreadable sectors\n'
watch "block=$disk"
bad_reads || exit
echo "\$ dd if=$disk of=/dev/null bs=4096 count=1 iflag=direct"
dd if="$disk" of=/dev/null bs=4096 count=1 iflag=direct 2>out
await 'event 7'
good_reads || exit
finish

printf '\nDevices: a disk is removed and added again\n'
watch device=all
host=$(echo /sys/bus/pseudo/devices/adapter0/host*)
try "/block/${disk##*/}: event 1" sh -c "echo 1 >/sys/block/${disk##*/}/device/delete"
try "/block/${disk##*/}: event 0" sh -c "echo - - - >/sys/class/scsi_host/${host##*/}/scan"
finish
