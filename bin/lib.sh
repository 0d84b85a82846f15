# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by every script in bin/: paths, messages, error handling.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build
stock=$build/stock		# the unmodified kernel
base=$build/base		# its files that we change, without the 6.12 implementation
linux=$build/linux		# stock + base + our overlay: the tree that is compiled
me=$(basename "$0")
jobs=$(($(nproc) + 1))

# Messages and sort order must not depend on the user's locale.
export LC_ALL=C
# In a subdirectory of a work tree, "git apply" silently skips a patch. Keep git
# from finding the work tree around build/.
export GIT_CEILING_DIRECTORIES=$build

die() {
	echo "$me: $*" >&2
	exit 1
}

# kernel_base TREE: print the base that a tree belongs to, for example 6.12
kernel_base() {
	local BASES PACKAGE v

	[[ -f $1/Makefile && -f $1/Kbuild ]] || die "$1 is not a kernel tree"
	# shellcheck source=BASE
	. "$top/BASE"
	v=$(awk -F ' *= *' '$1 == "VERSION" { v = $2 }
		$1 == "PATCHLEVEL" { print v "." $2; exit }' "$1/Makefile")
	[[ " $BASES " == *" $v "* ]] ||
		die "$1 is Linux $v, but the series is for Linux ${BASES// / or }." \
			"Set KSRC to such a tree, or unset it"
	echo "$v"
}

# kernel_sources: print the kernel files of ours that are compiled, without the unit tests
kernel_sources() {
	local files

	files=("$top"/{block,fs,kernel,lib,security/keys}/*.[ch])
	printf '%s\n' "${files[@]#"$top/"}" | grep -v _kunit
}

# base_name: print the package or the version of the unmodified kernel
base_name() {
	sed -E 's/^\/[^ ]* ([^ ]*).*/Linux \1/' "$build/stock.id"
}

# commit_name: print the commit, with "-dirty" if files were changed
commit_name() {
	git -C "$top" describe --always --dirty 2>/dev/null || echo none
}

# make_result_dir NAME: set dir to a new directory in build/out. Its result is LOST until
# bin/check-results has run.
make_result_dir() {
	dir=$build/out/$(date +%Y%m%d-%H%M%S)-$(commit_name)-$1
	mkdir -p "$build/out"
	mkdir "$dir" 2>/dev/null || dir=$(mktemp -d "$dir.XXX")
	echo LOST >"$dir/verdict"
	ln -sfn "${dir##*/}" "$build/out/latest"
}

# usage [STATUS]: print the comment at the top of the script, and exit
usage() {
	sed -n '3,${/^#/!q;s/^# \{0,1\}//p}' "$0"
	exit "${1:-0}"
}

# need PACKAGE...: install the missing packages with apt
need() {
	local p missing=() sudo=()

	for p; do
		[[ $(dpkg-query -Wf '${Status}' "$p" 2>/dev/null) == *' installed' ]] ||
			missing+=("$p")
	done
	((${#missing[@]})) || return 0
	command -v apt-get >/dev/null ||
		die "please install the equivalent of: ${missing[*]}"
	((EUID)) && sudo=(sudo)
	step "installing ${missing[*]}" "${sudo[@]}" sh -c \
		'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"' \
		sh "${missing[@]}"
}

# room GIGABYTES: fail if the disk has less free space
room() {
	local free

	mkdir -p "$build"
	free=$(($(df --output=avail -k "$build" | tail -1) / 1048576))
	((free >= $1)) || die "$build: $1 GB needed, $free GB free"
}

# step TEXT COMMAND...: run with the output in a log file; print TEXT and the time,
# and on failure the end of the log. In a COMMAND that is a function, errexit is off, so
# each command of it whose failure matters needs "|| return".
step() {
	local text=$1 start=$SECONDS log
	shift
	log=$build/log/${text//[^a-zA-Z0-9]/-}
	log=${log:0:200}.log
	mkdir -p "$build/log"
	if [[ -t 2 ]]; then printf '%s ...' "$text" >&2; fi
	if "$@" >"$log" 2>&1 </dev/null; then
		if [[ -t 2 ]]; then printf '\r' >&2; fi
		printf '%-60s %4d s\n' "$text" $((SECONDS - start)) >&2
	else
		printf '\n%s: FAILED after %d s, last lines of %s:\n' \
			"$text" $((SECONDS - start)) "$log" >&2
		tail -n 25 "$log" >&2
		return 1
	fi
}

# fetch_source PACKAGE: fetch the source of a Debian package to PACKAGE/ in the current
# directory. The package lists are in the directory, too.
fetch_source() {
	local apt file

	rm -rf "$1" "$1"-*/ lists parts
	mkdir -p lists/partial parts
	for file in /etc/apt/sources.list.d/*.sources; do
		[[ ! -e $file ]] || sed 's/^Types:.*/Types: deb-src/' "$file" >"parts/${file##*/}"
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ ! -e $file ]] || sed -n 's/^deb /deb-src /p' "$file" >"parts/${file##*/}.list"
	done
	apt=(apt-get -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/parts"
		-o "Dir::State::lists=$PWD/lists" -o APT::Sandbox::User=root)
	"${apt[@]}" update && "${apt[@]}" source "$1" && mv "$1"-*/ "$1"
}

# git_am TREE REPO PATCH...: apply the patches to the files of TREE that they change, in
# a new repository. The paths of the patches are absolute.
git_am() {
	local git=(git -C "$2" -c user.name=test -c user.email=test@localhost
		-c commit.gpgSign=false)

	rm -rf "$2"
	git init -q "$2"
	sed -n 's,^+++ b/,,p' "${@:3}" | sort -u | (cd "$1" && tar -cT -) | tar -xC "$2"
	"${git[@]}" add -Af
	"${git[@]}" commit -q --no-verify -m "$1"
	"${git[@]}" am -q "${@:3}"
}

# um_runs_programs: false on a processor with AMX. The registers of a process are larger
# there than user-mode Linux of 6.12 supports, so its init dies. Unit tests run: they are
# in the kernel. CPUINFO=/dev/null skips the test, for example to try a later kernel.
um_runs_programs() {
	! grep -qsw amx_tile "${CPUINFO:-/proc/cpuinfo}"
}
no_um='user-mode Linux cannot run programs on a processor with AMX'

# if_um NAME...: print the NAMEs if user-mode Linux runs programs, else why they are left out
if_um() {
	if um_runs_programs; then echo "$*"; else echo "$me: $*: not run: $no_um" >&2; fi
}

# make_jobs_file: set jobs_file to a temporary file that is removed at exit
make_jobs_file() {
	jobs_file=$(mktemp)
	trap 'rm -f "$jobs_file"' EXIT
}

# print_result OUTPUT: the reasons and the last line of bin/check-results
print_result() {
	echo "${1%$'\n'*}" | grep '^  ' || true
	echo "$me: ${1##*$'\n'}"
}

passed=0 failed=0 note=

# count STATUS: count one test or part
count() {
	if (($1)); then failed=$((failed + 1)); else passed=$((passed + 1)); fi
}

# count_all OUTPUT STATUS: count the tests of a script, from the last line of its
# OUTPUT, "N passed, N failed". Without such a line this is one failure, and so is
# a STATUS that no failed test explains.
count_all() {
	if [[ ${1##*$'\n'} =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		((!$2 || BASH_REMATCH[2])) || failed=$((failed + 1))
	else
		failed=$((failed + 1))
		return 1
	fi
}

# totals: print the last line of a script, with the note; its status is that of the script
totals() {
	echo "$passed passed, $failed failed$note"
	((passed && !failed))
}
