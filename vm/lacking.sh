#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run in the guest: test a kernel that lacks the queue ("off") or all sources of events
# ("nosources"). Prints KTAP.
#
# Usage: lacking.sh off|nosources

# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. /t/lib.sh

# lacks CONFIG OPTION...: watchq with the options exits with 3, and its message names
# the CONFIG option of the kernel
lacks() {
	config=CONFIG_$1
	[ "$kernel" = nosources ] || config=CONFIG_WATCH_QUEUE
	shift
	watchq "$@" --timeout 60 >out 2>err
	[ $? = 3 ] && grep -q "built without $config\$" err && [ ! -s out ]
	result "watchq $*" $? out err
}

# ran FILE: print the names of the tests that passed
ran() { sed -nE '/# *SKIP/d; s/^ok [0-9]+ (- )?//p' "$1"; }

# The tests that need no queue: of ordinary pipes, the header, and tools/watch_queue
without_queue='^\(plain\|global.header\|records\)\b'

kernel=$1
# An architecture may have only one word size
# shellcheck disable=SC2046 # one word each
set -- $(ls /t/64/*_test /t/32/*_test 2>/dev/null)
echo 'KTAP version 1'
echo 1..$((6 + $#))

lacks KEY_NOTIFICATIONS --key @s
lacks MOUNT_NOTIFICATIONS --mount /
lacks SB_NOTIFICATIONS --sb all
lacks BLOCK_NOTIFICATIONS --block all
lacks DEVICE_NOTIFICATIONS --devices
! keyctl supports notify
result 'no capability to watch keys' $?

for program; do
	"$program" >out 2>&1
	status=$?
	ran out >passed
	{ [ $status = 0 ] || [ $status = 4 ]; } && ! grep -q '^not ok' out &&
		{ [ "$kernel" = nosources ] || ! grep -v "$without_queue" passed; }
	result "$program" $? out
done
exit $failed
