#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Custom plugin of node-problem-detector: is any filesystem in this state?
#
# Usage: check_watchq.sh METRIC [FILE]
#
# METRIC is a state in the metrics of watchq(1), such as watchq_filesystem_shutdown.
# FILE is the file that watchq --metrics writes (default /run/watchq/watchq.prom).
#
# Prints one line. Exit status: 0 if no filesystem is in this state, 1 if one is, 2 if
# this is unknown: watchq does not run, or it does not watch filesystems.

if [ "$1" = --help ] || [ $# -lt 1 ] || [ $# -gt 2 ]; then
	sed -n '3,${/^#/!q;s/^# \{0,1\}//p}' "$0"
	exit 2
fi
metric=$1 file=${2:-/run/watchq/watchq.prom}
state=$(echo "${metric#watchq_filesystem_}" | tr _ ' ')

unknown() {
	echo "$1"
	exit 2
}

[ -r "$file" ] || unknown "$file: cannot be read, watchq does not run"
# watchq writes the file every 30 seconds
[ "$(find -L "$file" -mmin -2)" ] || unknown "$file: too old, watchq does not run"
# A path may have control characters, also those with two bytes
LC_ALL=C awk -v metric="$metric" -v state="$state" '
	$2 == "TYPE" && $3 == metric { found = 1 }
	index($0, metric "{") == 1 && / 1$/ {
		path = $0
		sub(/.*,mountpoint="/, "", path)
		sub(/"} 1$/, "", path)
		device = $0
		sub(/.*,device="/, "", device)
		sub(/",fstype=".*/, "", device)
		list = list sep device (path == "" ? "" : " on " path)
		sep = ", "
	}
	END {
		if (!found)
			exit 2
		if (list == "")
			exit 0
		gsub(/[[:cntrl:]]|\302[\200-\237]/, "?", list)
		print state ": " list
		exit 1
	}' "$file"
status=$?
case $status in
0) echo "$state: no filesystem" ;;
2) echo "$file: no metric $metric" ;;
esac
exit $status
