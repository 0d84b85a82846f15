# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Sourced by scripts in the guest: a damaged filesystem

# damaged DIRECTORY OPTION: mount /dev/loop0 on DIRECTORY, with an ext4 filesystem whose
# directory "cellar" is damaged.
damaged() {
	mkdir -p seed/cellar && echo wine >seed/cellar/bottle-of-wine || exit
	truncate -s 8M image || exit
	mkfs.ext4 -q -b 1024 -O ^metadata_csum -d seed image || exit
	at=$(strings -t d image | awk '/bottle-of-wine/ { print $1; exit }')
	# A block of zeroes would be an empty directory in Linux 7.1
	head -c 1024 /dev/zero | tr '\0' '\1' |
		dd of=image bs=1024 seek=$((at / 1024)) conv=notrunc 2>dd || exit
	losetup /dev/loop0 image && mount -t ext4 -o "$2" /dev/loop0 "$1" || exit
}
