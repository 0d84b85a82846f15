#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run the examples of the manual pages (bin/check-docs --extract-man) in the guest,
# unmodified. Prints KTAP. journald and rsyslogd are Debian's (bin/programs logs).

# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. /t/lib.sh

# start FILE: start the example, and wait until it watches
start() {
	name=$1
	case $name in
	*.sh) sh "/t/pages/$name" >out 2>messages & ;;
	*) "/t/pages/$name" mnt >out 2>messages & ;;
	esac
	pid=$!
	# Opening it for reading alone waits, and fails if a child ends
	exec 3<>messages
	case $name in
	*.sh) read -r _ <&3 ;;
	*) await watching out ;;
	esac
}

# finish TEXT FILE [COMMAND]: stop the example, run the command, and test that the file
# has the text
finish() {
	killall -q -INT watchq
	killall -q mounts
	wait $pid
	exec 3<&-
	[ -z "$3" ] || $3
	grep -qF -e "$1" "$2"
	result "$name" $? "$2"
}

# Debian's log programs
export LD_LIBRARY_PATH=/t/logs PATH="/t/logs:$PATH"
journal() {
	journalctl --sync
	journalctl --no-pager -t watchq -o json >journal
}

cd /tmp && rm -rf pages && mkdir pages && cd pages && mkfifo messages || exit
mkdir -p /home /run/systemd/journal /run/log /var/log mnt
mount -t tmpfs mnt mnt && mkdir mnt/a || exit

echo 'KTAP version 1'
echo 1..10

start mounts
mount -t tmpfs cargo mnt/a
umount mnt/a
await unmounted out
finish unmounted out

# The path of a mount is looked up when its record is read
start watchq-1.sh
mount -t tmpfs cargo mnt/a
await /tmp/pages/mnt/a out
umount mnt/a
finish 'mount  new             /tmp/pages/mnt/a' out

# fail: make a read from the disk fail
fail() {
	bad_reads
	dd if="$disk" of=/dev/null bs=4096 count=1 iflag=direct 2>other
	good_reads
}

# A process in another mount namespace, like that of a container
unshare -m sleep 1000 &
export PID=$!
until [ "$(readlink /proc/$PID/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]; do :; done
start watchq-2.sh
nsenter -t $PID -m mount -t ramfs cargo /tmp/pages/mnt/a
finish ' fs_type=ramfs' out
kill $PID

start watchq-3.sh
fail
wait $pid
finish "block  medium          ${disk##*/}" out

# jq writes when it ends
start watchq-4.sh
mount -t tmpfs cargo mnt/a
finish /tmp/pages/mnt/a out
umount mnt/a

truncate -s 8M image && mkfs.ext4 -q image && losetup /dev/loop0 image &&
	mount -t ext4 -o errors=continue /dev/loop0 /home || exit
start watchq-5.sh
echo provoked >/sys/fs/ext4/loop0/trigger_fs_error
finish 'sb     error           loop0 ' out

mount -t tmpfs -o ro cargo mnt/a
start watchq-6.sh
wait $pid
finish /tmp/pages/mnt/a out
umount mnt/a

start watchq-7.sh
echo provoked >/sys/fs/ext4/loop0/trigger_fs_error
until [ -s /var/log/trouble ]; do :; done
finish 'error /home' /var/log/trouble
umount /home && losetup -d /dev/loop0

echo 0123456789abcdef0123456789abcdef >/etc/machine-id
systemd-journald 2>journald &
journald=$!
until [ -S /run/systemd/journal/stdout ]; do :; done
start watchq-8.sh
fail
finish '"WATCHQ_EVENT":"medium"' journal journal

# journald listens on /dev/log, which rsyslogd must create
kill $journald
wait $journald
rm -f /dev/log
cat >rsyslog.conf <<'END'
module(load="imuxsock")
module(load="mmjsonparse")
template(name="fields" type="list") {
	property(name="$!source") constant(value=" ")
	property(name="$!event") constant(value=" ")
	property(name="$!sector") constant(value="\n")
}
action(type="mmjsonparse" cookie="")
action(type="omfile" file="/var/log/watchq" template="fields")
END
rsyslogd -n -M /t/logs/rsyslog -f rsyslog.conf -i NONE 2>rsyslog &
rsyslog=$!
until [ -S /dev/log ]; do :; done
stop_rsyslog() {
	await medium /var/log/watchq
	kill $rsyslog
	wait $rsyslog
}
start watchq-9.sh
fail
finish 'block medium 0' /var/log/watchq stop_rsyslog
[ "$failed" = 0 ]
