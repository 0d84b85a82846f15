# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Sourced by the tests in the guest.

n=0

# result NAME STATUS [FILE...]: print the KTAP line of one test; if the test failed,
# print the files first
result() {
	n=$((n + 1)) name=$1 status=$2
	shift 2
	if [ "$status" = 0 ]; then
		echo "ok $n $name"
	else
		[ $# = 0 ] || sed 's/^/# /' "$@"
		echo "not ok $n $name"
	fi
}

# await TEXT FILE: wait until the file has the text
await() {
	until grep -sqF -e "$1" "$2"; do :; done
}
