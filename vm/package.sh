#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test the Debian package of watchq in a Debian system, which has systemd as PID 1 of a
# PID namespace. apt installs, upgrades and purges the package while systemd runs. Prints
# KTAP.
#
# Usage: package.sh queue|none
#
# With "none", the sysctl of the queue is hidden, which the units take for a kernel
# without the queue. The directory of this script has the system, root.tar.gz, the
# package, watchq.deb, and the same with a later version, next.deb. There are no sleeps:
# each loop ends with an event or with the time limit of the program.

# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. "$(dirname "$0")/lib.sh"
files=$(dirname "$0")
root=/tmp/debian.$1 pidfile=/tmp/pid.$1

# boot: start the system, and set pid to the process that is its PID 1
boot() {
	mkdir "$root"
	mount -t tmpfs -o size=80% debian "$root"
	tar -xzf "$files/root.tar.gz" -C "$root"
	cp "$files/watchq.deb" "$files/next.deb" "$root/"
	# shellcheck disable=SC2016 # expanded in the namespaces
	container=guest unshare -m -p --fork sh -c '
		read -r pid rest </proc/self/stat
		echo "$pid" >"$1.new"
		mv "$1.new" "$1"
		cd "$0" && mount --move . / &&
		exec chroot . /lib/systemd/systemd systemd.mask=getty.target systemd.show_status=no' "$root" "$pidfile" &
	until [ -e "$pidfile" ]; do :; done
	pid=$(cat "$pidfile")
	until [ -S "/proc/$pid/root/run/systemd/private" ]; do :; done
}

# inside COMMAND...: run a command in the system
inside() {
	nsenter -t "$pid" -m -p /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER=cat "$@" </dev/null
}

# state UNIT: print two properties of the unit
state() {
	inside systemctl show -P ActiveState -P ConditionResult "$1" | tr '\n' ' '
}

# main_pid UNIT: print the process ID of the service
main_pid() {
	inside systemctl show -P MainPID "$1"
}

# restarted UNIT PID: the service runs, with another process ID
restarted() {
	equal "$1 runs after the upgrade" "$(state "$1")" 'active yes '
	main_pid "$1" >/tmp/out
	! grep -qx "$2" /tmp/out
	result "$1 was restarted" $? /tmp/out
}

# check NAME COMMAND...: run one command in the system, which must succeed
check() {
	name=$1
	shift
	inside "$@" >/tmp/out 2>&1
	result "$name" $? /tmp/out
}

# equal NAME VALUE EXPECTED
equal() {
	echo "$2" >/tmp/out
	[ "$2" = "$3" ]
	result "$1" $? /tmp/out
}

# running NAME: the system is running, and no unit has failed
running() {
	inside systemctl is-system-running --wait >/tmp/out 2>&1
	status=$?
	inside systemctl --no-legend --failed >>/tmp/out 2>&1
	result "$1" $status /tmp/out
}

# logged UNIT TEXT: wait until the journal of the unit has the text
logged() {
	until inside journalctl -q -o cat -u "$1" >/tmp/out && grep -qF "$2" /tmp/out; do :; done
	result "$1: $2" 0
}

# list: print all files of the system except those of apt, dpkg and the logs
list() {
	inside find / -xdev | grep -vE '^/(var/(cache|lib/(apt|dpkg)|log)|tmp)(/|$)' | sort
}

echo 'KTAP version 1'
if [ "$1" = queue ]; then echo 1..33; else echo 1..11; fi
boot
[ "$1" = queue ] || inside mount -t tmpfs none /proc/sys/user
running 'the system is running'
list >/tmp/before
check 'apt installs the package' apt-get install -y /watchq.deb
check 'dpkg verifies its files' dpkg --verify watchq
running 'no unit has failed'
if [ "$1" = queue ]; then
	equal 'the service runs' "$(state watchq)" 'active yes '
	check 'it is enabled' systemctl is-enabled watchq
	check 'a filesystem is mounted' mount -t tmpfs cargo /mnt
	check 'it becomes read-only' mount -o remount,ro /mnt
	logged watchq rdonly
	check 'it is unmounted' umount /mnt

	inside mkdir /etc/watchq
	inside sh -c 'echo "OPTIONS=--mount / --subtree" >/etc/watchq/mounts.conf'
	# The services are exempt from the limit of watches
	inside sh -c 'echo 0 >/proc/sys/user/max_watch_queue_watches'
	check 'an instance is enabled and starts' systemctl enable --now watchq@mounts
	check 'a filesystem is mounted again' mount -t tmpfs cargo /mnt
	logged watchq@mounts 'new'
	check 'it is unmounted again' umount /mnt
	check 'the service stops' systemctl stop watchq
	equal 'it does not run' "$(state watchq)" 'inactive yes '
	check 'it starts' systemctl start watchq

	service=$(main_pid watchq)
	instance=$(main_pid watchq@mounts)
	check 'apt upgrades the package' apt-get install -y /next.deb
	restarted watchq "$service"
	restarted watchq@mounts "$instance"

	check 'apt removes the package' apt-get remove -y watchq
	check 'no old metrics remain' test ! -e /run/watchq
	check 'apt installs it again' apt-get install -y /next.deb
	equal 'the service runs again' "$(state watchq)" 'active yes '
	equal 'the instance runs again' "$(state watchq@mounts)" 'active yes '
else
	equal 'the service does not run' "$(state watchq)" 'inactive no '
fi
check 'apt purges the package' apt-get purge -y watchq
equal 'the service does not exist' "$(inside systemctl show -P LoadState watchq)" not-found
# shellcheck disable=SC2009 # busybox has no pgrep here
equal 'no program is left' "$(ps -o comm | grep -x watchq)" ''
list | diff /tmp/before - >/tmp/out
result 'no file is left' $? /tmp/out
check 'no metrics are left' test ! -e /run/watchq
running 'no unit has failed after that'
exit "$failed"
