# SPDX-License-Identifier: GPL-2.0-only
# The front door. Each target is one script in bin/; "bin/SCRIPT --help" says
# more. What is missing on the machine is installed through apt. ARCH=arm64 (or
# i386, s390, um) after any target is for a guest of that kind.

MAKEFLAGS += --no-print-directory
export ARCH RUN FILES KSRC TREE KVM SMP MEM CMDLINE QEMU_ARGS ONLY SEED TIME FULL

.PHONY: help run shell guest kernel test vm kunit judge-test all-arch prove debug
.PHONY: kcsan rt fault clients hotplug soak fuzz abuse coverage mutate check series bisect refresh bench deb clean

help:	## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

run:	## see it work: build, boot, show events of each source
	@bin/run

shell:	## a shell in the guest, on this terminal
	@bin/shell

guest:	## make guest RUN='prog args' FILES='prog ...': run a program of yours
	@bin/guest "$$RUN"

kernel:	## build the guest's kernel; the last line is the path of its image
	@bin/kernel

test:	## everything below up to judge-test: ends with "N passed, N failed"
	@bin/test

vm:	## kselftests, 64 and 32 bit, in QEMU on two processors
	@bin/vm

kunit:	## unit tests, in user-mode Linux
	@bin/kunit

all-arch: ## "vm" on i386, arm64, s390 (big-endian) and in user-mode Linux
	@bin/all-arch

judge-test:	## does the judge find what it must? canned logs in vm/judge-cases
	@bin/judge-test

prove:	## what follows up to mutate, and all-arch, with SEED=N (three hours)
	@bin/prove

debug:	## all tests under KASAN, UBSAN, lockdep, kmemleak (20 min)
	@bin/vm debug kunit

kcsan:	## all tests under the data race detector (20 min)
	@bin/vm kcsan kunit

rt:	## all tests with PREEMPT_RT, lock nesting checked (15 min)
	@bin/vm rt kunit

fault:	## kselftest that fails each allocation and user copy (6 min)
	@ONLY='fault_test.64 fault_test.32' bin/vm fault

clients: ## do existing programs get from ours what they get from the kernel as shipped? (an hour)
	@bin/clients

hotplug: ## kselftest that plugs devices in and out of QEMU (5 min)
	@ONLY=hotplug_test.64 bin/vm hotplug

soak:	## stress_test in each of these kernels, TIME=300 seconds, SEED=N (40 min)
	@bin/soak

fuzz:	## AFL++ on the queue's system calls, TIME=300 seconds, SEED=N (10 min)
	@bin/fuzz

abuse:	## is the work of others bounded, whatever a user waits for? FULL=1 (5 min)
	@bin/abuse

coverage: ## which lines of kernel/watch_*.[ch] the tests reach (12 min)
	@bin/coverage

mutate:	## break the code in each way of vm/mutations: is it noticed? (an hour)
	@bin/mutate

bench:	## instructions, the kernel as shipped against ours (minutes, then one)
	@bin/bench

check:	## style, warnings, documentation: all that needs no machine to run
	@bin/check

series:	## print the patch series and its git repository in build/
	@bin/series

deb:	## packages of the kernel with the series, CONFIG=cloud (one hour or two)
	@bin/deb $(CONFIG)

bisect:	## build each prefix of the series, option on and off
	@bin/bisect

refresh:	## edits made in build/linux back into PATH.patch
	@bin/refresh

clean:	## remove build/, that is all that is generated
	@rm -rf build
