# SPDX-License-Identifier: GPL-2.0-only
# Each target runs one script in bin/; see "bin/SCRIPT --help". Missing packages are
# installed with apt. ARCH=arm64 (or i386, s390, um) selects another architecture.

MAKEFLAGS += --no-print-directory
export ARCH RUN FILES KSRC TREE KVM SMP MEM CMDLINE QEMU_ARGS ONLY SEED TIME FULL POSTS

.PHONY: help run shell guest kernel test vm kunit check-results-test all-arch prove debug
.PHONY: kcsan rt smack off fault clients libmount stable-test hotplug filesystems soak fuzz abuse coverage mutate models check series bisect refresh bench rivals deb package package-test clean

help:	## print this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

run:	## demonstration: build, boot, show events of each source
	@bin/run

shell:	## start a shell in the guest, on this terminal
	@bin/shell

guest:	## run a program in the guest: RUN='prog args' FILES='prog ...'
	@bin/guest "$$RUN"

kernel:	## build the kernel of the guest; the last line is the path of the image
	@bin/kernel

test:	## run check-results-test, kunit and vm: ends with "N passed, N failed"
	@bin/test

vm:	## run the kselftests, 64 and 32 bit, in QEMU with two processors
	@bin/vm

kunit:	## run the unit tests in user-mode Linux
	@bin/kunit

all-arch: ## run "vm" on i386, arm64, s390 (big-endian) and user-mode Linux
	@bin/all-arch

check-results-test: ## test bin/check-results, with the canned logs of vm/results-cases
	@bin/check-results-test

prove:	## run the tests of the table in README.md; SEED=N (14 hours)
	@bin/prove

debug:	## all tests with KASAN, UBSAN, lockdep, kmemleak (90 min; ARCH=um: 20)
	@bin/vm debug kunit

kcsan:	## all tests with the data race detector (20 min)
	@bin/vm kcsan kunit

rt:	## all tests with PREEMPT_RT and PROVE_RAW_LOCK_NESTING (20 min)
	@bin/vm rt kunit

smack:	## all tests with a security module, and what it refuses (20 min)
	@bin/vm smack kunit

off:	## what programs get from a kernel without the queue, or without its sources (20 min)
	@bin/vm off && bin/vm nosources

fault:	## fail each allocation and user copy once (6 min)
	@ONLY='fault_test.64 fault_test.32' bin/vm fault

clients: ## existing programs, with LTP=PATH also LTP: compare 6.12 with our kernel (ROUNDS=1: 30 min, else 2 hours)
	@bin/clients

libmount: ## build Debian's libmount with a monitor that uses the queue, test it (10 min)
	@bin/libmount

stable-test: ## test the fixes of the 6.12 implementation; POSTS=N (20 min the first time)
	@bin/stable-test

hotplug: ## plug devices into QEMU and remove them, load modules (5 min)
	@ONLY='hotplug_test.64 source_test.64' bin/vm hotplug

filesystems: ## drive XFS, btrfs, f2fs, FAT and others to failure (20 min)
	@ONLY=fs_test.64 bin/vm fs

soak:	## stress_test with each of these kernels; TIME=300 seconds, SEED=N (40 min)
	@bin/soak

fuzz:	## fuzz the system calls with AFL++; TIME=300 seconds, SEED=N (10 min)
	@bin/fuzz

abuse:	## check that a user cannot slow down others; FULL=1 (5 min)
	@bin/abuse

coverage: ## show which lines of the kernel code the tests execute (12 min)
	@bin/coverage

mutate:	## mutation testing with vm/mutations (seven hours)
	@bin/mutate

models:	## check the models of the ring and the wake-ups with Spin and CBMC (10 min)
	@bin/models

bench:	## count instructions, 6.12 against our kernel (an hour the first time)
	@bin/bench

rivals:	## count events: fanotify, XFS, and our queue; KSRC=/path of 7.1 (15 min)
	@bin/rivals

check:	## static checks: style, warnings, documentation (10 min)
	@bin/check

series:	## make the patch series and its git repository in build/
	@bin/series

deb:	## build Debian packages of the kernel; CONFIG=amd64 (one to eight hours)
	@bin/deb $(CONFIG)

package: ## build the Debian package of watchq (1 min)
	@bin/package

package-test: ## install the packages in a Debian system in the guest, with systemd (5 min)
	@bin/package-test

bisect:	## build each prefix of the series with the option on and off
	@bin/bisect

refresh:	## update PATH.patch from the files edited in build/linux
	@bin/refresh

clean:	## remove build/, which has all generated files
	@rm -rf build
