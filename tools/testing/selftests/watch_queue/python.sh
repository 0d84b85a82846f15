#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Test the Python module of watchq with its example, which uses asyncio. Prints KTAP. Needs
# root, python3, and the module in $PYTHONPATH or installed.

# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. "$(dirname "$0")/lib.sh"

if [ "$1" != inside ]; then
	need python3 unshare keyctl
	python3 -c 'import asyncio, ctypes, watchq' 2>/dev/null ||
		skip_all 'the Python module watchq is not installed'
	[ "$(id -u)" = 0 ] || skip_all 'needs root, to mount'
	isolate unshare -m
fi
cd "$2" || exit

# start ARGUMENT...: start the example, and wait until it watches
start() {
	rm -f out
	python3 -m watchq "$@" >out 2>messages &
	pid=$!
	until grep -sq watching out; do
		kill -0 $pid 2>/dev/null || return 1
	done
}

# ended STATUS: the example ends by itself, with this status
ended() {
	wait $pid
	[ $? = "$1" ] && [ ! -s messages ]
}

# stopped: the example ends after a signal, without an error
stopped() {
	kill $pid
	ended 0
}

# refused TEXT ARGUMENT...: the example must fail, with the text in a message
refused() {
	text=$1
	shift
	! python3 -m watchq "$@" >out 2>messages && grep -qF -e "$text" messages &&
		! grep -q Traceback messages
}

echo 'KTAP version 1'
echo 1..10

mkdir tree && mount -t tmpfs top tree && mkdir tree/a tree/b || exit

start mount=tree && mount -t tmpfs cargo tree/a && umount tree/a && await unmount out &&
	grep -qE '^watch 1: mount new mnt_id=[1-9]\S* parent_id=[1-9]\S* .* fs_type=tmpfs$' out
result 'events of mounts' $? out messages
stopped
result 'a signal' $? messages

mkfifo pipe
python3 -m watchq mount=tree >pipe 2>messages &
pid=$!
head -n 1 <pipe >out
mount -t tmpfs cargo tree/a && umount tree/a
ended 0 && grep -qx watching out
result 'the reader of the output is gone' $? out messages

# The queue has room for four records, and the reader is stopped
start -n 4 mount=tree
halt $pid
for _ in 1 2 3; do mount -t tmpfs cargo tree/a && umount tree/a; done
kill -CONT $pid
await lost out
mount -t tmpfs cargo tree/b
umount tree/b
until [ "$(wc -l <out)" = 8 ]; do :; done
[ "$(sed -n 6p out)" = '2 records lost' ]
result 'a loss in its place' $? out messages
stopped

start mount=tree sb=tree && mount -o remount,ro tree
await 'watch 2: sb rdonly sb_id=' out
result 'two watches' $? out messages
umount tree
ended 0 && grep -qx 'watch 1: removed' out && grep -qx 'watch 2: removed' out
result 'the end of all watches' $? out messages

refused 'cannot watch mount=nowhere: No such file or directory' mount=nowhere &&
	refused "'tree' is not one of" tree &&
	refused 'cannot create a queue of 0 records: Invalid argument' -n 0 mount=.
result 'invalid arguments' $? out messages

# A record with names that could control a terminal
python3 - <<'PYTHON' >out 2>&1
import ctypes
import watchq
from watchq.__main__ import print_record

names = b"mem\0/devices/\33[2J\xc2\x9b\xe2\x80\xae\xff\xc3\xa9\0"
data = bytearray(ctypes.sizeof(watchq.device_notification)) + names
header = watchq.watch_notification.from_buffer(data)
header.type = watchq.WATCH_TYPE_DEVICE_NOTIFY
header.subtype = watchq.NOTIFY_DEVICE_ADD
header.info = len(data)
for record in watchq.records(bytes(data)):
    print_record(record)
PYTHON
grep -qF '/devices/\x1b[2J\x9b\u202e\udcff'"$(printf '\303\251')" out
result 'control characters' $? out

# Numbers of the queue, in a process that has no watches: each ioctl has its errno
python3 - <<'PYTHON' >out 2>&1
import errno
import fcntl
import os
import watchq

queue, other = os.pipe2(watchq.O_NOTIFICATION_PIPE)
plain, end = os.pipe()
watch = watchq.watch_queue_watch(type=watchq.WATCH_TYPE_SB_NOTIFY, fd=-1, id=256)
header = watchq.watch_notification_filter()
for number, argument, error in (
        (watchq.IOC_WATCH_QUEUE_SET_SIZE, 0, errno.EINVAL),
        (watchq.IOC_WATCH_QUEUE_SET_FILTER, header, errno.EINVAL),
        (watchq.IOC_WATCH_QUEUE_ADD_WATCH, watch, errno.EINVAL),
        (watchq.IOC_WATCH_QUEUE_REMOVE_WATCH, watch, errno.EINVAL)):
    for fd, expected in (queue, error), (plain, errno.ENODEV):
        try:
            fcntl.ioctl(fd, number, argument)
        except OSError as got:
            assert got.errno == expected, (hex(number), got)
        else:
            assert False, hex(number)
PYTHON
result 'each ioctl' $? out

# A failure closes the queue, and an output that is full is an error
python3 - <<'PYTHON' >out 2>&1
import argparse
import asyncio
import os
import sys
import watchq.__main__ as example

def fails(size, name, error):
    before = os.listdir("/proc/self/fd")
    try:
        asyncio.run(example.watch(argparse.Namespace(size=size, watch=[name])))
    except error:
        pass
    else:
        assert False, name
    assert os.listdir("/proc/self/fd") == before

fails(0, "device=all", OSError)
fails(4, "mount=none", OSError)

queue, other = example.open_queue(16)
example.add_watch(queue, "sb=all", 1)
ended = asyncio.new_event_loop().create_future()
end, full = os.pipe2(os.O_NONBLOCK)
os.write(full, b"x" * 65536)
sys.stdout = os.fdopen(full, "w")
example.read_records(queue, ended)
os.read(end, 65536)
sys.stdout.flush()
sys.stdout = sys.__stdout__
assert isinstance(ended.exception(), BlockingIOError)
PYTHON
result 'failures' $? out
[ "$failed" = 0 ]
