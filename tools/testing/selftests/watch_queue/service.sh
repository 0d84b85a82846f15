#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test watchq as a service: --journal, --metrics, readiness, and the plugin of
# node-problem-detector. Prints KTAP. There are no sleeps, as in watchq.sh.
#
# The program is $WATCHQ, watchq in $PATH, or that of tools/watch_queue. $PLUGIN is the
# directory of the plugin, $DATAGRAMS the program datagrams of this directory.

# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. "$(dirname "$0")/lib.sh"

if [ "$1" != inside ]; then
	[ "$(id -u)" = 0 ] || skip_all 'needs root, to mount'
	need fsfreeze jq keyctl losetup mkfs.ext4 unshare
	here=$(dirname "$0")
	WATCHQ=${WATCHQ:-$(command -v watchq)}
	WATCHQ=$(realpath "${WATCHQ:-$here/../../../watch_queue/watchq}")
	[ -x "$WATCHQ" ] || skip_all 'no watchq: run make -C tools watch_queue'
	PLUGIN=$(realpath "${PLUGIN:-$here/../../../watch_queue/npd}")
	[ -e "$PLUGIN/check_watchq.sh" ] || skip_all 'no plugin of node-problem-detector'
	DATAGRAMS=$(realpath "${DATAGRAMS:-$here/datagrams}")
	[ -x "$DATAGRAMS" ] || skip_all 'datagrams is not built'
	[ -e /proc/sys/user/max_watch_queue_watches ] ||
		skip_all 'CONFIG_WATCH_QUEUE is not set'
	export WATCHQ PLUGIN DATAGRAMS
	isolate unshare -m
fi

# start ARGUMENT...: start watchq, and wait until it is ready. Its lines go to the file
# out, its messages to err.
start() {
	rm -f err
	"$WATCHQ" "$@" >out 2>err &
	pid=$!
	await 'watchq: watching' err
}

# finish [SIGNAL]: stop watchq after it has reported what is queued
finish() {
	kill "-${1-INT}" $pid
	wait $pid
	status=$?
}

# listen PATH FILE: write the datagrams that arrive at PATH to FILE
listen() {
	rm -f "$1" listening
	"$DATAGRAMS" "$1" >"$2" 2>listening &
	listener=$!
	await ready listening
}

deaf() {
	kill $listener
	wait $listener 2>other
}

# journal: start a new journal
journal() {
	listen /run/systemd/journal/socket journal
}

# uevent: cause one event
uevent() {
	echo change >/sys/devices/virtual/mem/null/uevent
}

# refused STATUS MESSAGE ARGUMENT...: watchq fails with a message and no output
refused() {
	want=$1 message=$2
	shift 2
	"$WATCHQ" "$@" >out 2>err
	[ $? = "$want" ] && [ ! -s out ] && grep -qF -e "$message" err
	result "refused with $want: $*" $? err
}

# fields: the fields of the journal without those that differ from run to run
fields() {
	sed -E '/^WATCHQ_(TIME|SEQNUM|SYSFS_INO)=/d' "$1"
}

# has LINE: the line is in the metrics; wait for it
has() {
	until grep -sqxF -e "$1" metrics.prom; do :; done
}

# state NAME VALUE: the line of a state of the filesystem on tree
state() {
	fs="monitor=\"metrics\",device=\"/dev/$loop\",fstype=\"ext4\",mountpoint=\"$PWD/tree\""
	echo "watchq_filesystem_$1{$fs} $2"
}

# labels SOURCE EVENT PRIORITY OBJECT: the labels of a counter
labels() {
	echo "{monitor=\"metrics\",source=\"$1\",event=\"$2\",priority=\"$3\",object=\"$4\"}"
}

# counter SOURCE EVENT PRIORITY OBJECT N: the line of a counter
counter() {
	echo "watchq_events_total$(labels "$@") $5"
}

# mount_disk: mount a filesystem. The loop device is released when it is unmounted.
mount_disk() {
	loop=$(losetup -f) && losetup "$loop" disk &&
		mount -t ext4 -o errors=remount-ro "$loop" tree && losetup -d "$loop" || exit
	loop=${loop##*/}
}

cd "$2" && mkdir tree && mkdir -p /run && mount -t tmpfs run /run &&
	mkdir -p /run/systemd/journal && truncate -s 8M disk && mkfs.ext4 -q disk || exit

echo 'KTAP version 1'
echo 1..57

#
# Readiness
#

listen "$PWD/notify" notified
# shellcheck disable=SC2016 # for the command
NOTIFY_SOCKET=$PWD/notify start --devices --exec 'echo "<$NOTIFY_SOCKET>"'
await READY=1 notified
result 'the service manager is notified' 0
uevent
await '>' out
finish
[ "$(cat out)" = '<>' ]
result 'NOTIFY_SOCKET is not passed on' $? out
deaf
NOTIFY_SOCKET=$PWD/nowhere start --devices
finish
[ $status = 0 ] && grep -qF "cannot notify the service manager at $PWD/nowhere" err
result 'a message if there is no service manager' $? err

#
# Journal
#

for option in --json --null '--exec true'; do
	# shellcheck disable=SC2086 # an option with an argument
	refused 2 '--journal cannot be combined' --devices --journal $option
done

journal
start --devices --journal
uevent
finish
deaf
[ ! -s out ] && [ "$(wc -l <err)" = 1 ]
result 'no output but to the journal' $? out err
fields journal >got
cat >expected <<'END'
PRIORITY=6
SYSLOG_IDENTIFIER=watchq
MESSAGE_ID=ba8d461367c2467fa78f8e7ee74eefd3
MESSAGE=device change          /devices/virtual/mem/null subsystem=mem dev=1:3 synthetic
WATCHQ_SOURCE=device
WATCHQ_EVENT=change
WATCHQ_PRIORITY=info
WATCHQ_WATCH=0
WATCHQ_ON=devices
WATCHQ_DEVPATH=/devices/virtual/mem/null
WATCHQ_NAME=null
WATCHQ_SUBSYSTEM=mem
WATCHQ_DEV=1:3
WATCHQ_BLOCK=0
WATCHQ_SYNTHETIC=1
WATCHQ_TRUNCATED=0

END
diff expected got >difference
result 'an entry of the journal' $? difference
grep -q "^WATCHQ_SEQNUM=$(cat /sys/kernel/uevent_seqnum)$" journal &&
	grep -qE '^WATCHQ_TIME=20[0-9-]{8}T[0-9:]{8}\.[0-9]{6}Z$' journal
result 'number and time in the journal' $? journal

mount -t tmpfs top tree && mkdir "tree/a
b" || exit
journal
start --mount tree --journal
mount -t tmpfs cargo "tree/a
b"
await WATCHQ_PATH journal
umount "tree/a
b"
finish
deaf
# The length is in little-endian order
path="$PWD/tree/a
b"
length=$(printf '%03o' ${#path})
printf "WATCHQ_PATH\n\\$length\0\0\0\0\0\0\0%s\n" "$path" | tr '\n\0' '!?' >expected
tr '\n\0' '!?' <journal >got
grep -qF -e "$(cat expected)" got
result 'a field with a newline' $? got
grep -q '^MESSAGE=mount  new .*a\\012b ' journal
result 'a message without a newline' $? journal

part=$(printf %0250d 0)
deep=tree/$part/$part/$part/$part/$part/$part/$part
deep=$deep/$part/$part/$part/$part/$part/$part/$part
mkdir -p "$deep"
room=$(cat /proc/sys/net/core/wmem_default)
echo 5000 >/proc/sys/net/core/wmem_default
journal
start --mount tree --subtree --journal
mount -t tmpfs cargo "$deep"
await FILE journal
umount "$deep"
finish
echo "$room" >/proc/sys/net/core/wmem_default
deaf
grep -A1 '^FILE$' journal | grep -q '^PRIORITY=6$' && grep -q "^WATCHQ_PATH=$PWD/$deep$" journal
result 'an entry that is too large for a datagram' $?
umount tree

mount_disk
journal
start --sb all --journal
echo provoked >"/sys/fs/ext4/$loop/trigger_fs_error"
await 'WATCHQ_EVENT=rdonly' journal
umount tree
finish
deaf
awk -v RS= '/WATCHQ_EVENT=rdonly/' journal >entry
grep -qx PRIORITY=3 entry && grep -qx WATCHQ_BY_ERROR=1 entry
result 'the priority of an error' $? entry
awk -v RS= '/WATCHQ_EVENT=gone/' journal >entry
grep -qx PRIORITY=6 entry
result 'the priority of a normal event' $? entry

rm -f /run/systemd/journal/socket
start --devices --journal
uevent
await '<6>device change ' err
result 'without a journal, events go to stderr' 0
journal
uevent
await MESSAGE journal
result 'and to the journal when there is one' 0
deaf
journal
uevent
await MESSAGE journal
result 'and to the next one' 0
deaf
uevent
finish
[ $status = 0 ] && [ "$(grep -c '^<6>device change ' err)" = 2 ]
result 'and to stderr after its end' $? err

# A socket holds max_dgram_qlen + 1 datagrams
journal
start --devices --journal
halt $listener
more=$(($(cat /proc/sys/net/unix/max_dgram_qlen) + 3))
i=0
while [ $((i += 1)) -le "$more" ]; do uevent; done
await '<6>device change ' err
kill -CONT $listener
finish
until [ $(($(grep -c ^MESSAGE= journal) + $(grep -c '^<6>' err))) -ge $more ]; do :; done
result 'a journal that blocks does not delay events' 0
deaf
[ $(($(grep -c ^MESSAGE= journal) + $(grep -c '^<6>' err))) = $more ]
result 'each event is in the journal or on stderr' $? err

#
# Metrics
#

refused 1 'No such file' --devices --metrics nowhere/metrics.prom

before=$(date +%s)
start --devices --metrics metrics.prom --filter device=change --priority error
uevent
uevent
finish
after=$(date +%s)
grep -qxF "$(counter device change info '' 2)" metrics.prom
result 'the file is written at the end, whatever the priority' $? metrics.prom
[ ! -s out ] && [ "$(stat -c %a metrics.prom)" = 644 ] && [ ! -e .metrics.prom.watchq-new ]
result 'the file is readable, and no other is left' $? out
labels=$(labels device change info '')
last=$(grep -F "watchq_last_event_timestamp_seconds$labels" metrics.prom)
[ "${last##* }" -ge "$before" ] && [ "${last##* }" -le "$after" ]
result 'the time of the last event' $? metrics.prom

start --devices --metrics metrics.prom
uevent
finish HUP
[ $status = 0 ] && grep -q 'device change' out &&
	grep -qxF "$(counter device change info '' 1)" metrics.prom
result 'SIGHUP ends watchq as the other signals do' $? out metrics.prom
trap '' HUP
start --devices --count 2
trap - HUP
halt $pid
kill -HUP $pid
uevent
kill -CONT $pid
await 'device change' out
uevent
wait $pid
result 'SIGHUP is ignored after nohup' $? out
start --devices --count 5
uevent
finish
[ $status = 1 ]
result 'a signal before the number of --count' $? out

start --devices --metrics metrics.prom --queue 4
halt $pid
for i in 1 2 3 4 5 6 7; do uevent; done
kill -CONT $pid
has 'watchq_lost_records_total{monitor="metrics"} 3'
has 'watchq_queue_records{monitor="metrics"} 0'
has 'watchq_queue_size_records{monitor="metrics"} 4'
has "$(counter queue lost warning '' 1)"
has "$(counter device change info '' 4)"
finish
result 'lost records, and the queue' 0

mount_disk
start --sb all --block all --metrics metrics.prom --filter sb=error
has "$(state readonly 0)"
has "$(state frozen 0)"
result 'the first states' 0
mount -o remount,ro tree
has "$(state readonly 1)"
has "$(state readonly_by_error 0)"
result 'a filesystem becomes read-only' 0
mount -o remount,rw tree
has "$(state readonly 0)"
result 'a filesystem becomes writable' 0
fsfreeze --freeze tree || exit
has "$(state frozen 1)"
fsfreeze --unfreeze tree || exit
has "$(state frozen 0)"
result 'a filesystem is frozen and thawed' 0
echo provoked >"/sys/fs/ext4/$loop/trigger_fs_error"
has "$(state readonly 1)"
has "$(state readonly_by_error 1)"
has "$(counter sb 'error' error "$loop" 1)"
has "watchq_suppressed_events_total$(labels sb 'error' error "$loop") 0"
result 'a filesystem stops' 0
umount tree
while grep -q "device=\"/dev/$loop\"" metrics.prom; do :; done
result 'a filesystem is unmounted' 0
mount_disk
has "$(state readonly_by_error 0)"
result 'a new filesystem, with its path' 0
mkdir moved && mount --move tree moved && mount -t tmpfs cargo tree && umount tree
has "$(state readonly 0 | sed 's,/tree",/moved",')"
result 'the path of a filesystem that was moved' 0
mount --move moved tree
finish
! grep -qv '^sb     error ' out && ! grep -qE 'event="(rdonly|new)"' metrics.prom
result 'events that --filter rejects are not reported and not counted' $? out metrics.prom

mount -o remount,errors=continue tree || exit
start --sb tree --metrics metrics.prom
i=0
while [ $((i += 1)) -le 30 ]; do
	echo provoked >"/sys/fs/ext4/$loop/trigger_fs_error"
done
# This ends the period of the rate limit
umount tree
wait $pid
# shellcheck disable=SC2016 # of awk
events=$(awk '/^watchq_(suppressed_)?events_total[{].*event="error"/ { n += $NF }
	END { print n }' metrics.prom)
[ "$events" = 30 ]
result "errors that the rate limit suppressed: $events" $? metrics.prom

mount_disk
mkdir theirs && chown nobody theirs || exit
su nobody -s /bin/sh -c \
	"'$WATCHQ' --sb tree --filter sb=state --count 1 --metrics theirs/metrics.prom" >out 2>err
grep -qxF "$(state readonly 0)" theirs/metrics.prom &&
	! grep -q '^watchq_filesystem_frozen' theirs/metrics.prom
result 'no state of freezing without privilege' $? err theirs/metrics.prom

start --sb tree --metrics metrics.prom
has "$(state readonly 0)"
umount tree
wait $pid
grep -q 'no watch is left' err && ! grep -q "device=\"/dev/$loop\"" metrics.prom
result 'the only filesystem is unmounted' $? err metrics.prom

# The loss includes the event that the filesystem was unmounted. The other paths are on a
# filesystem that remains, and on none.
for watches in '--sb all' '--sb tree --sb .' '--sb tree'; do
	mount_disk
	# shellcheck disable=SC2086 # several options
	start $watches --devices --queue 64 --metrics metrics.prom
	has "$(state readonly 0)"
	halt $pid
	i=0
	while [ $((i += 1)) -le 100 ]; do uevent; done
	umount tree
	kill -CONT $pid
	await 'queue  lost' out
	uevent
	while grep -q "device=\"/dev/$loop\"" metrics.prom; do :; done
	! grep -qE 'event="(gone|removed)"' metrics.prom
	result "a filesystem is unmounted during a loss, $watches" $? metrics.prom
	finish
done

mount -t tmpfs top tree && mkdir "$(printf 'tree/a\n"\\\303\244\377')" || exit
start --mount tree --metrics metrics.prom
mount -t tmpfs cargo "$(printf 'tree/a\n"\\\303\244\377')"
mount -o remount,bind,ro "$(printf 'tree/a\n"\\\303\244\377')"
has "$(counter mount new info '' 1)"
has "$(counter mount rdonly notice "$PWD/$(printf 'tree/a\\n\\"\\\\\303\244\357\277\275')" 1)"
result 'characters of a label' 0
umount "$(printf 'tree/a\n"\\\303\244\377')"
finish

echo untouched >file
echo other >tree/metrics.prom.new
ln -s "$PWD/file" tree/.metrics.prom.watchq-new
start --devices --metrics tree/metrics.prom
finish
[ "$(cat file)" = untouched ] && grep -q '^watchq_queue_records' tree/metrics.prom
result 'a link in place of the new file is not followed' $?
[ "$(cat tree/metrics.prom.new)" = other ]
result 'a file of another program is kept' $?
start --devices --metrics tree/metrics.prom
mount -o remount,ro tree
uevent
await 'metrics tree/metrics.prom: Read-only file system' err
uevent
mount -o remount,rw tree
until grep -qxF "$(counter device change info '' 2)" tree/metrics.prom; do :; done
finish
[ $status = 0 ] && [ "$(grep -c Read-only err)" = 1 ]
result 'a read-only filesystem' $? err
umount tree
mount -t tmpfs -o size=8k top tree && head -c 8k /dev/zero >tree/fill || exit
start --devices --metrics tree/metrics.prom
uevent
await 'metrics tree/metrics.prom: No space left on device' err
rm tree/fill
uevent
until grep -sqxF "$(counter device change info '' 2)" tree/metrics.prom; do :; done
finish
result 'a full filesystem at the start' $status err
umount tree

#
# The plugin of node-problem-detector, by its protocol: status 0 means OK, 1 means a
# problem, others mean unknown. The message has one line of at most max_output_length
# bytes.
#

config=$PLUGIN/watchq-monitor.json
# check CONDITION STATUS: run the plugin for the condition
check() {
	metric=$(jq -r --arg condition "$1" '.rules[] |
		select(.condition == $condition) | .args[0]' "$config")
	sh "$PLUGIN/check_watchq.sh" "$metric" metrics.prom >message
	[ $? = "$2" ] && [ "$(wc -l <message)" = 1 ] &&
		[ "$(wc -c <message)" -le "$(jq .pluginConfig.max_output_length "$config")" ]
}

mount_disk
start --sb all --no-user-ns --metrics metrics.prom
has "$(state readonly_by_error 0)"
check FilesystemReadOnly 0 && check FilesystemShutdown 0
result 'plugin: no problem' $? message
mount -o remount,ro tree
has "$(state readonly 1)"
check FilesystemReadOnly 0
result 'plugin: read-only, but not by an error' $? message
mount -o remount,rw tree
echo provoked >"/sys/fs/ext4/$loop/trigger_fs_error"
has "$(state readonly_by_error 1)"
check FilesystemReadOnly 1 &&
	[ "$(cat message)" = "readonly by error: /dev/$loop on $PWD/tree" ]
result 'plugin: read-only by an error' $? message
# Linux 6.12 shuts ext4 down, later kernels do not
grep -qxF "$(state shutdown 1)" metrics.prom
check FilesystemShutdown $((1 - $?))
result 'plugin: shut down' $? message
umount tree
mount_disk
has "$(state readonly_by_error 0)"
check FilesystemReadOnly 0 && check FilesystemShutdown 0
result 'plugin: writable again' $? message
umount tree
finish
cat >metrics.prom <<END
# TYPE watchq_filesystem_shutdown gauge
watchq_filesystem_shutdown{monitor="",device="sda",fstype="",mountpoint="/a$(
	printf '\033[2J\302\233\r')"} 1
END
check FilesystemShutdown 1
[ "$(cat message)" = 'shutdown: sda on /a?[2J??' ]
result 'plugin: control characters' $? message
touch -d '2000-01-01 00:00' metrics.prom
check FilesystemReadOnly 2 && grep -q 'too old' message
result 'plugin: watchq does not run' $? message
start --devices --metrics metrics.prom
finish
check FilesystemReadOnly 2 && grep -q 'no metric' message
result 'plugin: no filesystem is watched' $? message
rm metrics.prom
check FilesystemReadOnly 2
result 'plugin: no metrics' $? message
exit "$failed"
