#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Compare stdin with FILE, except for values that differ from run to run: times, serial
# numbers of keys, IDs of mounts, mount namespaces, filesystems and processes, anonymous
# device numbers, and the events of the devices that belong to a disk, whose order varies.
# statmount() of Linux 7.1 also returns the source of a filesystem, which is ignored.
#
# Usage: ... | normalize.sh FILE
#
# Prints the input. Exit status: 1, and a diff, if the input differs.

cat >/tmp/input
cat /tmp/input
sed -E 's/(-USR1|-STOP|-CONT) [0-9]+/\1 PID/; s,/proc/[0-9]+/,/proc/PID/,
	s/"(sb|mount_ns)":[0-9]+/"\1":NUMBER/g
	s/\b(mount|on) [0-9a-f]{8,}/\1 MOUNT/g; s/"time":"[^"]*"/"time":TIME/; s/\b[0-9]{5,}\b/KEY/g
	s/"fs_source":"[^"]*",//; s/\bdev(=|":")0:[0-9]+/dev\10:NUMBER/
	s/^(\tsb +[a-z]+ +)0:[0-9]+ +/\10:NUMBER /
	/ (scsi(_disk|_device)?|bdi) device /d
	/device .*subsystem=(scsi|bdi)/d; s/\b[0-9]{2} events/MANY events/' /tmp/input >/tmp/normalized
diff -u "$1" /tmp/normalized
