# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Sourced by the test scripts: KTAP, requirements, and a disk with read errors

n=0 failed=0

# result NAME STATUS [FILE...]: print the KTAP line of one test; if the test failed,
# print the files first
result() {
	n=$((n + 1)) name=$1 status=$2
	shift 2
	if [ "$status" = 0 ]; then
		echo "ok $n $name"
	else
		failed=1
		[ $# = 0 ] || sed 's/^/# /' "$@"
		echo "not ok $n $name"
	fi
}

# skipped NAME REASON: print the KTAP line of one test that cannot run
skipped() {
	n=$((n + 1))
	echo "ok $n $1 # SKIP $2"
}

# skip_all REASON: exit, because no test can run
skip_all() {
	echo 'KTAP version 1'
	echo "1..0 # SKIP $1"
	exit 4
}

# need PROGRAM...: check that the programs are installed
need() {
	for program; do
		command -v "$program" >/dev/null || skip_all "$program is not installed"
	done
}

# isolate COMMAND...: run the script again with the arguments "inside DIRECTORY", by the
# COMMAND, env or unshare, and in a new session keyring. The directory is empty, and is
# removed at the end.
isolate() {
	umask 022
	dir=$(mktemp -d "${TMPDIR:-/tmp}/watch_queue.XXXXXX") &&
		dir=$(cd "$dir" && pwd -P) && chmod 755 "$dir" || exit
	"$@" keyctl session - sh "$0" inside "$dir"
	status=$?
	rm -rf "$dir"
	exit $status
}

# await TEXT FILE: wait until the file has the text
await() {
	until grep -sqF -e "$1" "$2"; do :; done
}

# halt PID: stop the process, and wait until it has stopped. Before that, a reader that
# sleeps may read a record.
halt() {
	kill -STOP "$1"
	until grep -q '^State:.T' "/proc/$1/status"; do :; done
}

# The disk of scsi_debug. Its reads fail after bad_reads, until good_reads.
disk=$(echo /sys/bus/pseudo/devices/adapter0/host*/target*/*/block/*)
disk=/dev/${disk##*/}
disk_errors=$(echo /sys/kernel/debug/scsi_debug/*/error)
bad_reads() { echo '2 1 28 0 0 2 3 11 0' >"$disk_errors"; }
good_reads() { echo '- 2 28' >"$disk_errors"; }
