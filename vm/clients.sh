#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Usage: clients.sh records|keyutils ROUNDS
#
# Run in the guest. records: what vm/clients.c prints must be the same in each round.
# keyutils: a line "ROUND ok|failed TEST" for each test of keyutils' own suite, which
# lies in /t/tests, and with a failed one the end of its log.

# tool NAME TEXT: a program of the suite that says the same to every question
tool() {
	printf '#!/bin/sh\necho "%s"\n' "$2" >"/tmp/tools/$1"
	chmod +x "/tmp/tools/$1"
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
		find . -name runtest.sh | sort | while read -r test; do
			test=${test%/runtest.sh}
			test=${test#./}
			if (cd "$test" && TEST=$test bash ./runtest.sh) >said 2>&1 </dev/null; then
				echo "$n ok $test"
			else
				echo "$n failed $test"
				tail -n 8 said "$test"/*.out | sed 's/^/# /'
			fi
		done
	done
	;;
esac
