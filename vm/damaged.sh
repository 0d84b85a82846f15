# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Sourced by scripts in the guest: a damaged filesystem

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
