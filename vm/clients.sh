#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run the programs of bin/clients in the guest.
#
# Usage: clients.sh records|keyutils ROUNDS
#
#   records    run vm/clients.c, whose output must be the same in each round
#   keyutils   run the tests of keyutils (/t/tests): print "ROUND ok|failed TEST" for
#              each one, and the end of the log of a failed one

# tool NAME TEXT: make a program NAME, which the suite needs, that prints TEXT
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
			if (cd "$test" && TEST=$test bash ./runtest.sh) >output 2>&1 </dev/null; then
				echo "$n ok $test"
			else
				echo "$n failed $test"
				tail -n 8 output "$test"/*.out | sed 's/^/# /'
			fi
		done
	done
	;;
esac
