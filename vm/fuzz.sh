#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run afl-fuzz in the guest of bin/fuzz.
#
# Usage: fuzz.sh SECONDS SEED
#
# Mounts the directory $FUZZ of the host. The initial inputs are in in/, the output of
# afl-fuzz goes to out/. If the kernel dies, the input that caused it is
# out/default/.cur_input.

mkdir -p /fuzz && mount -t hostfs -o "$FUZZ" none /fuzz || exit
export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_SKIP_BIN_CHECK=1
export AFL_MAP_SIZE=65536 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_FAST_CAL=1
export AFL_EXIT_ON_SEED_ISSUES=1
afl-fuzz -V "$1" -s "$2" -t 5000 -i /fuzz/in -o /fuzz/out -- /t/fuzz || exit
cd /fuzz/out/default || exit
grep -E '^(execs_done|execs_per_sec|corpus_count|edges_found|saved_(crashes|hangs)) ' fuzzer_stats

# Fail if nothing was executed, or if KCOV did not instrument the queue (few edges)
awk '{ v[$1] = $3 }
	END { exit !(v["saved_crashes"] == 0 && v["saved_hangs"] == 0 &&
		     v["execs_done"] >= 500 && v["edges_found"] >= 300) }' fuzzer_stats
