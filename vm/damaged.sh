# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Sourced in the guest.

# damaged DIRECTORY: mount there, from /dev/loop0, a filesystem whose directory cellar
# is damaged, and which stops when it finds out
damaged() {
	mkdir -p seed/cellar && echo wine >seed/cellar/bottle-of-wine || exit
	truncate -s 8M image || exit
	mkfs.ext4 -q -b 1024 -O ^metadata_csum -d seed image || exit
	at=$(strings -t d image | awk '/bottle-of-wine/ { print $1; exit }')
	dd if=/dev/zero of=image bs=1024 count=1 seek=$((at / 1024)) conv=notrunc 2>zeroes || exit
	losetup /dev/loop0 image && mount -t ext4 -o errors=remount-ro /dev/loop0 "$1" || exit
}
