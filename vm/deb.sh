#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test a kernel of bin/deb in the guest: the release, and that watchq can watch each
# source of events. Modules are not available.
#
# Usage: deb.sh RELEASE

[ "$(uname -r)" = "$1" ] || { echo "this is $(uname -r), not $1"; exit 1; }
cd /tmp && mkfifo messages && mkdir -p mnt || exit
watchq --key @u --mount / --subtree --sb / --block all --devices --filter device=offline \
	--json --count 2 >out 2>messages &
read -r line <messages
echo "$line"
mount -t tmpfs cargo mnt && umount mnt || exit
wait $!
cat out
grep -q '"event":"new"' out && grep -q '"event":"unmount"' out
