# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Sourced by the tests in the guest: a damaged filesystem, and a disk whose reads fail.

# damaged DIRECTORY: mount /dev/loop0 on DIRECTORY, with an ext4 filesystem whose
# directory "cellar" is damaged, and with errors=remount-ro.
damaged() {
	mkdir -p seed/cellar && echo wine >seed/cellar/bottle-of-wine || exit
	truncate -s 8M image || exit
	mkfs.ext4 -q -b 1024 -O ^metadata_csum -d seed image || exit
	at=$(strings -t d image | awk '/bottle-of-wine/ { print $1; exit }')
	dd if=/dev/zero of=image bs=1024 count=1 seek=$((at / 1024)) conv=notrunc 2>zeroes || exit
	losetup /dev/loop0 image && mount -t ext4 -o errors=remount-ro /dev/loop0 "$1" || exit
}

# The disk of scsi_debug. Its reads fail after bad_reads, until good_reads.
disk=$(echo /sys/bus/pseudo/devices/adapter0/host*/target*/*/block/*)
disk=/dev/${disk##*/}
bad_reads() { echo '2 1 28 0 0 2 3 11 0' >"$(echo /sys/kernel/debug/scsi_debug/*/error)"; }
good_reads() { echo '- 2 28' >"$(echo /sys/kernel/debug/scsi_debug/*/error)"; }
