#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Usage: fuzz.sh SECONDS SEED
#
# Run in the guest of bin/fuzz, which mounts nothing: its directory on the host,
# $FUZZ, has the inputs to start from in in/, and gets what afl-fuzz finds in
# out/. That outlives the guest: what the kernel died of is out/default/.cur_input.

mkdir -p /fuzz && mount -t hostfs -o "$FUZZ" none /fuzz || exit
export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_SKIP_BIN_CHECK=1
export AFL_MAP_SIZE=65536 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_FAST_CAL=1
export AFL_EXIT_ON_SEED_ISSUES=1
afl-fuzz -V "$1" -s "$2" -t 5000 -i /fuzz/in -o /fuzz/out -- /t/fuzz || exit
cd /fuzz/out/default || exit
grep -E '^(execs_done|execs_per_sec|corpus_count|edges_found|saved_(crashes|hangs)) ' fuzzer_stats

# That it ran, and saw the code that it ran: fewer edges are those of other files
awk '{ v[$1] = $3 }
	END { exit !(v["saved_crashes"] == 0 && v["saved_hangs"] == 0 &&
		     v["execs_done"] >= 500 && v["edges_found"] >= 300) }' fuzzer_stats
