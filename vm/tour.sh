#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The demonstration of "make run", in the guest: one scene for each source of events,
# with the output of watchq, indented. There are no sleeps: each step waits for the line
# that it causes, and a missing line is a timeout.

[ "$1" = inside ] || exec keyctl session - sh "$0" inside 2>&1
# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. /t/lib.sh
# shellcheck source=vm/damaged.sh
. /t/damaged.sh

# await TEXT: print the lines of watchq up to one that has TEXT
await() {
	while read -r line <&3; do
		printf '\t%s\n' "$line"
		case $line in *"$1"*) return ;; esac
	done
	echo "tour: watchq ended before it printed '$1'"
	exit 1
}

# scene TEXT ARGUMENT...: start watchq, and wait until it is ready
scene() {
	printf '\n%s\n\n$ watchq %s &\n' "$1" "$(shift; echo "$*")"
	shift
	watchq "$@" >events 2>&1 &
	exec 3<events
	read -r line <&3
	[ "$line" = 'watchq: watching' ] || { echo "$line"; exit 1; }
}

# try TEXT COMMAND...: the command must succeed and cause a line with TEXT
try() {
	text=$1
	shift
	echo "\$ $*"
	"$@" >output || exit
	await "$text"
}

# finish: stop watchq, and print its remaining lines
finish() {
	kill $!
	while read -r line <&3; do printf '\t%s\n' "$line"; done
	wait $! || exit
}

cd /tmp && rm -rf tour && mkdir tour && cd tour && mkfifo events || exit

scene 'KEYS: the session keyring, where programs keep credentials' --key @s
try linked keyctl add user password hello @s
key=$(cat output)
finish
scene 'A single key' --key "$key"
try updated keyctl update "$key" goodbye
# A timeout ends with a full second: a key with 1 may expire before its name is read
try expired keyctl timeout "$key" 2
finish

mkdir tree && mount -t tmpfs tree tree && mkdir tree/old tree/new || exit
scene 'MOUNTS: a tree, without reading /proc/self/mountinfo again' \
	--mount tree --subtree
try new mount -t tmpfs cargo tree/old
try move-to mount --move tree/old tree/new
try rdonly mount -o remount,bind,ro tree/new
try unmount umount tree/new
finish
# watchq gets the paths of the mounts when it starts
mount -t tmpfs cargo tree/old && mount -t tmpfs cargo tree/new || exit
scene 'AUTOMOUNTS: only those that are unmounted because nothing uses them' \
	--mount tree --subtree --match expired=1
umount tree/new || exit
try expired expire tree/old
finish
umount tree || exit

# A container: its root directory is a tmpfs, and /data in it is a slave of tree
mount -t tmpfs tree tree && mount --make-shared tree && mkdir tree/box root && mkfifo ready || exit
unshare -m --propagation slave sh -c 'exec 3>ready && mount -t tmpfs root root &&
	mkdir root/data && mount --move tree root/data && cp /bin/busybox root && cd root &&
	mount --move . / && umount -l /sys /dev /tmp /proc && echo $$ >&3 &&
	exec chroot . /busybox sleep 1000' &
container=$!
read -r pid <ready
scene 'CONTAINERS: a mount of the host, which the container gets, too' --mount "/proc/$pid/ns/mnt"
try propagated mount -t tmpfs cargo tree/box
try unmount umount tree/box
finish
kill "$container"
umount tree || exit

damaged tree errors=remount-ro
scene 'FILESYSTEMS: all of them; one has a damaged directory and errors=remount-ro' \
	--sb all --filter sb=rdonly,rdwr,error
try rdonly mount -o remount,ro tree
try rdwr mount -o remount,rw tree
echo '$ ls tree/cellar'
ls tree/cellar >output 2>&1
await by_error
finish
umount tree && losetup -d /dev/loop0 || exit

mount -t tmpfs -o usrquota,usrquota_block_hardlimit=8k,mode=777 tree tree || exit
scene 'QUOTA: one user, on all filesystems' --sb all --filter sb=quota --match owner_name=nobody
echo '$ su nobody -s /bin/sh -c "head -c 16k /dev/zero >tree/file"'
su nobody -s /bin/sh -c 'head -c 16k /dev/zero >tree/file' 2>output
await quota
finish
umount tree || exit

# By default, ext4 reads bitmaps at a random time after mount(2), which could fail, too
mkfs.ext4 -q "$disk" && mount -o no_prefetch_block_bitmaps "$disk" tree || exit
scene 'DISKS: one with read errors, and the filesystem on it' --block all
bad_reads || exit
echo "\$ dd if=$disk of=/dev/null bs=4096 count=1 iflag=direct"
dd if="$disk" of=/dev/null bs=4096 count=1 iflag=direct 2>output
await medium
good_reads || exit
finish
umount tree || exit

scene 'DEVICES: the disk is removed, added again, and mounted' \
	--devices --filter device=add,remove --mount / --subtree --filter mount=new
host=$(echo /sys/bus/pseudo/devices/adapter0/host*)
try "${disk##*/} " sh -c "echo 1 >/sys/block/${disk##*/}/device/delete"
try "${disk##*/} " sh -c "echo - - - >/sys/class/scsi_host/${host##*/}/scan"
try new mount "$disk" tree
finish
umount tree || exit

scene 'LOSS: the queue has room for four records, and the reader is stopped' --key @s --queue 4 --stats
echo "\$ kill -STOP $!"
halt $!
for n in 1 2 3 4 5 6 7; do
	echo "\$ keyctl add user $n x @s"
	keyctl add user $n x @s >output || exit
done
echo "\$ kill -CONT $!"
kill -CONT $!
await lost
finish

scene 'JSON: several sources, for programs' --mount / --subtree --key @s --json --count 2
try new mount -t tmpfs cargo tree
echo '$ keyctl clear @s'
keyctl clear @s
await cleared
wait $! || exit
umount tree
