#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run the programs of bin/clients in the guest.
#
# Usage: clients.sh records|keyutils ROUNDS
#        clients.sh selftests [watch]
#        clients.sh ltp ROUNDS [watch]
#
#   records    run vm/clients.c, whose output must be the same in each round
#   keyutils   run the tests of keyutils (/t/tests): print "ROUND passed|failed TEST" for
#              each one, and the end of the log of a failed one. features/limits is left
#              out: it takes more than 20 minutes in an emulator, and watches nothing
#   selftests  run the kernel's selftests (/t/selftests), and print their log. With
#              "watch", watchq watches everything while they run. Then print
#              "ok|failed CHECK" for each check of watchq
#   ltp        run the tests that /t/ltp/tests lists, those of the watch queue in each
#              round: print "ROUND passed|skipped|failed TEST" for each one, and the end
#              of the output of a failed one. "watch" is as above

# tool NAME TEXT: make a program NAME, which the suite needs, that prints TEXT
tool() {
	printf '#!/bin/sh\necho "%s"\n' "$2" >"/tmp/tools/$1"
	chmod +x "/tmp/tools/$1"
}

# watch OPTION...: start watchq, and return when its watches are added
watch() {
	watchq --json "$@" >>/tmp/events 2>&7 &
	while read -r line <&7; do
		case $line in
		"watchq: watching") return 0 ;;
		"watchq: no watch is left") ;;	# the end of an earlier namespace
		*) break ;;
		esac
	done
	echo "failed $line"
	return 1
}

# watch_namespaces: watch each mount namespace that a test creates (vm/unshare.c)
watch_namespaces() {
	while read -r pid <&8; do
		watch --mount "/proc/$pid/ns/mnt"
		echo >&9
	done
}

# watch_all: watch everything; the process ID of the first watchq is in $watcher
watch_all() {
	mkfifo /tmp/messages /tmp/requests /tmp/replies || exit
	exec 7<>/tmp/messages 8<>/tmp/requests 9<>/tmp/replies
	watch --mount /proc/self/ns/mnt --sb all --block all --devices
	watcher=$!
}

# check TEXT COMMAND...: print the result of a check
check() {
	text=$1
	shift
	if "$@"; then echo "ok $text"; else echo "failed $text"; fi
}

case $1 in
records)
	cd /tmp && clients >first || exit
	cat first
	n=1
	while [ $((n += 1)) -le "$2" ]; do
		clients >again || exit
		cmp -s first again || { diff first again; exit 1; }
	done
	;;
keyutils)
	mkdir -p /tmp/tools /usr/share/keyutils
	tool lsb_release Debian
	tool getconf 4096
	tool file "exe: ELF 64-bit LSB pie executable"
	cp /t/request-key-debug.sh /usr/share/keyutils/
	PATH=/tmp/tools:$PATH
	cp -r /t/tests /tmp/ && cd /tmp/tests || exit
	n=0
	while [ $((n += 1)) -le "$2" ]; do
		find . -name runtest.sh ! -path './features/limits/*' | sort | while read -r test; do
			test=${test%/runtest.sh}
			test=${test#./}
			if (cd "$test" && TEST=$test bash ./runtest.sh) >output 2>&1 </dev/null; then
				echo "$n passed $test"
			else
				echo "$n failed $test"
				tail -n 8 output "$test"/*.out | sed 's/^/# /'
			fi
		done
	done
	;;
selftests)
	mkdir -p /mnt /dev/pts && mount -t devpts devpts /dev/pts &&
		ln -s /t/bash /bin/ && ln -s /proc/self/fd/1 /dev/stdout &&
		insmod /t/test_module.ko && cd /t/selftests || exit
	if [ "$2" ]; then
		watch_all
		watch_namespaces >/tmp/failed &
	fi
	# A test needs a terminal.
	script -qc ./run_kselftest.sh /dev/null </dev/null | tr -d '\r'
	if [ "$2" ]; then
		cat /tmp/failed
		check "watchq runs until the end" kill "$watcher"
		check "watchq exits without an error" wait "$watcher"
		for source in mount sb device; do
			check "watchq reports events of $source" \
				grep -qF "\"source\":\"$source\"" /tmp/events
		done
	fi
	;;
ltp)
	export LTPROOT=/t/ltp TMPDIR=/tmp/ltp LD_LIBRARY_PATH=/t/ltp/lib KCONFIG_PATH=/t/.config
	export LTP_TIMEOUT_MUL=10 LTP_SINGLE_FS_TYPE=ext4 LTP_COLORIZE_OUTPUT=n
	PATH=$LTPROOT/testcases/bin:$PATH
	mkdir -p $TMPDIR && cd $TMPDIR || exit
	rm -f /tmp/messages /tmp/requests /tmp/replies
	[ ! "$3" ] || watch_all
	n=0
	while [ $((n += 1)) -le "$2" ]; do
		while read -r test command; do
			[ "$n" = 1 ] || [ "${test#wqueue}" != "$test" ] || continue
			# The exit status is a sum: 1, 2 and 4 are failures, 32 is a skipped part.
			sh -c "$command" >/tmp/output 2>&1 </dev/null
			status=$?
			if [ $status = 0 ] || { [ $status = 32 ] && grep -q TPASS /tmp/output; }; then
				echo "$n passed $test"
			elif [ $status = 32 ]; then
				echo "$n skipped $test"
			else
				echo "$n failed $test"
				tail -n 20 /tmp/output | sed 's/^/# /'
			fi
		done <$LTPROOT/tests
	done
	[ ! "$3" ] || kill "$watcher"
	;;
esac
