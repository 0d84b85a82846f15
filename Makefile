# SPDX-License-Identifier: GPL-2.0-only
# Each target runs one script in bin/, which "bin/SCRIPT --help" describes. Missing
# packages are installed with apt, through sudo. ARCH=arm64 (or i386, s390, um) after a
# target runs it for that architecture.

MAKEFLAGS += --no-print-directory
export ARCH RUN FILES KSRC TREE KVM SMP MEM CMDLINE QEMU_ARGS ONLY SEED TIME FULL

.PHONY: help run shell guest kernel test vm kunit judge-test all-arch prove debug
.PHONY: kcsan rt fault clients hotplug soak fuzz abuse coverage mutate check series bisect refresh bench deb clean

help:	## print this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

run:	## demo: build, boot, show events of each source
	@bin/run

shell:	## boot to a shell in the guest, on this terminal
	@bin/shell

guest:	## run your program in the guest: RUN='prog args' FILES='prog ...'
	@bin/guest "$$RUN"

kernel:	## build the guest's kernel; prints the path of the image
	@bin/kernel

test:	## kselftests, unit tests, judge-test; ends with "N passed, N failed"
	@bin/test

vm:	## kselftests, 64 and 32 bit, in QEMU on two CPUs
	@bin/vm

kunit:	## unit tests, in user-mode Linux
	@bin/kunit

all-arch: ## "vm" on i386, arm64, s390 (big-endian) and in user-mode Linux
	@bin/all-arch

judge-test:	## test the result checker with the logs in vm/judge-cases
	@bin/judge-test

prove:	## all long tests below, and all-arch; SEED=N (three hours)
	@bin/prove

debug:	## all tests under KASAN, UBSAN, lockdep, kmemleak (20 min)
	@bin/vm debug kunit

kcsan:	## all tests under the data race detector (20 min)
	@bin/vm kcsan kunit

rt:	## all tests with PREEMPT_RT and PROVE_RAW_LOCK_NESTING (15 min)
	@bin/vm rt kunit

fault:	## fail each allocation and user copy once (6 min)
	@ONLY='fault_test.64 fault_test.32' bin/vm fault

clients: ## compare existing programs on both kernels (an hour)
	@bin/clients

hotplug: ## add devices to QEMU and remove them (5 min)
	@ONLY=hotplug_test.64 bin/vm hotplug

soak:	## stress_test in each of these kernels; TIME=300 seconds, SEED=N (40 min)
	@bin/soak

fuzz:	## fuzz the system calls with AFL++; TIME=300 seconds, SEED=N (10 min)
	@bin/fuzz

abuse:	## measure how much a user can slow down others; FULL=1 (5 min)
	@bin/abuse

coverage: ## lines of kernel/watch_*.[ch] that the tests reach (12 min)
	@bin/coverage

mutate:	## mutation tests: a test must fail for each of vm/mutations (an hour)
	@bin/mutate

bench:	## count instructions, 6.12 against the series (an hour at first)
	@bin/bench

check:	## static checks: style, warnings, documentation (5 min)
	@bin/check

series:	## write the patch series to build/out, a git repository to build/series
	@bin/series

deb:	## Debian packages of the kernel; CONFIG=cloud (one or two hours)
	@bin/deb $(CONFIG)

bisect:	## build each prefix of the series, with the option on and off
	@bin/bisect

refresh:	## write edits in build/linux back to PATH.patch
	@bin/refresh

clean:	## remove build/, which has all generated files
	@rm -rf build
