#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Usage: ... | same.sh FILE: the input must be FILE, but for numbers that no two
# runs have alike: times, serial numbers of keys, IDs of mounts and processes, devices
# that are none; and for the devices around a disk, which come when they do.
cat >/tmp/said
cat /tmp/said
sed -E 's/\b(mount|on) [0-9a-f]{8,}/\1 MOUNT/g; s/"time":"[^"]*"/"time":TIME/; s/\b[0-9]{5,}\b/KEY/g
	s/\bdev=0:[0-9]+/dev=0:NUMBER/; s/(-USR1|-STOP|-CONT) [0-9]+/\1 PID/
	/ (scsi(_disk|_device)?|bdi) device /d
	/device .*subsystem=(scsi|bdi)/d; s/\b[0-9]{2} events/MANY events/' /tmp/said >/tmp/same
diff -u "$1" /tmp/same
