# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by every script in bin/: where things are, how to speak, how to fail.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build
stock=$build/stock		# the kernel as Debian ships it, untouched
base=$build/base		# files of it that we touch, the shipped feature taken out
linux=$build/linux		# stock + base + our overlay: what is compiled
me=$(basename "$0")
jobs=$(($(nproc) + 1))

# Same input, same messages, same sort order, whatever the user's locale.
export LC_ALL=C
# A patch is applied by patch(1); git in a subdirectory of a work tree would
# skip it and report success.
export GIT_CEILING_DIRECTORIES=$build

die() {
	echo "$me: $*" >&2
	exit 1
}

# usage: the comment block under the script's licence line is its help text
usage() {
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit "${1:-0}"
}

# need PACKAGE...: install what is missing, through apt
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

# room GIGABYTES: stop before a build fills the disk
room() {
	local free

	mkdir -p "$build"
	free=$(($(df --output=avail -k "$build" | tail -1) / 1048576))
	((free >= $1)) || die "$build has $free GB free, $1 GB are needed"
}

# step TEXT COMMAND...: run quietly; say what, how long, and on failure why
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
