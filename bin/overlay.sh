# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced after lib.sh: functions for the overlay (the files of this repository at
# kernel paths), for its patches, and for the base that they apply to.

# Serialise concurrent invocations, which would write the same files.
mkdir -p "$build"
if [[ ! ${OVERLAY_LOCKED:-} ]]; then
	export OVERLAY_LOCKED=1
	exec 9>"$build/lock"
	flock -n 9 || { echo "$me: waiting for another invocation" >&2; flock 9; }
fi

# shellcheck source=BASE
. "$top/BASE"

# unpack: update build/stock, and set version to its base, for example 6.12
unpack() {
	"$top/bin/unpack"
	version=$(kernel_base "$stock")
}
version=$(kernel_base "$stock" 2>/dev/null) || true

# overlay_all: print the files below those top-level directories that the kernel has,
# too, whether tracked or not: PATH is a whole file, PATH.patch edits the kernel's PATH.
# If several commits edit it, there are several PATH.NN.patch, to be applied in order.
# PATH.BASE.patch or PATH.NN.BASE.patch is for one base: it takes the place of the patch
# without BASE, or edits our own PATH. If it is empty, this base needs no such edit.
overlay_all() {
	local f

	git -C "$top" ls-files -co --exclude-standard | while read -r f; do
		[[ -f $top/$f ]] || continue
		if [[ $f == MAINTAINERS.patch || ($f == */* && -d $stock/${f%%/*}) ]]; then
			echo "$f"
		fi
	done | sort
}

# overlay: print those files that are for the base of build/stock
overlay() {
	local f

	overlay_all | awk -v bases="$BASES" -v version="$version" '
		BEGIN { split(bases, base, " ") }
		{
			general = $0
			for (i in base) {
				end = length($0) - length("." base[i] ".patch")
				if (substr($0, end + 1) != "." base[i] ".patch")
					continue
				if (base[i] != version)
					next
				general = substr($0, 1, end) ".patch"
				special[general] = 1
			}
			file[++n] = $0
			of[n] = general
		}
		END {
			for (i = 1; i <= n; i++)
				if (file[i] != of[i] || !(file[i] in special))
					print file[i]
		}' | while read -r f; do
		[[ $f == *.patch && ! -s $top/$f ]] || echo "$f"
	done
}

# general: in a list of files, replace PATH.BASE.patch by PATH.patch
general() {
	sed "s/\\.${version//./\\.}\\.patch\$/.patch/"
}

# parse FILE: set path to the kernel path of a file of the overlay, and number to the NN
# of PATH.NN.patch
parse() {
	path=$1 number=''
	[[ $1 == *.patch ]] || return 0
	path=${1%.patch} path=${path%".$version"}
	[[ $path != *.[0-9][0-9] ]] || { number=${path##*.}; path=${path%.*}; }
}

# patched: print the paths of the kernel's files that the overlay has patches for
patched() {
	local path

	overlay | general | sed -nE 's/(\.[0-9]{2})?\.patch$//p' | sort -u |
		while read -r path; do [[ -e $top/$path ]] || echo "$path"; done
}

# backported: print our own files that have a patch for this base
backported() {
	local path

	overlay | general | sed -n 's/\.patch$//p' |
		while read -r path; do [[ ! -e $top/$path ]] || echo "$path"; done
}

# patches PATH: print the patches for PATH, in order
patches() {
	local p names=()

	mapfile -t names < <(
		for p in "$top/$1".[0-9][0-9]{,".$version"}.patch; do
			[[ ! -e $p ]] || { p=${p#"$top/"}; p=${p%.patch}; echo "${p%".$version"}"; }
		done | sort -u
	)
	((${#names[@]})) || names=("$1")
	for p in "${names[@]}"; do
		[[ ! -e $top/$p.$version.patch ]] || p+=.$version
		[[ -e $top/$p.patch && ! -s $top/$p.patch ]] || echo "$p.patch"
	done
}

# make_base: update build/base, the stock files that the series edits, without the 6.12
# implementation
make_base() {
	local stamp path

	stamp=$(cat "$build/stock.id" "$top"/base/* | sha256sum)
	if [[ $(cat "$base.stamp" 2>/dev/null) != "$stamp" ]]; then
		rm -rf "$base.stamp" "$build/merge"
		step 'base: remove the 6.12 implementation' \
			"$top/base/strip" "$stock" "$base"
		echo "$stamp" >"$base.stamp"
	fi
	while read -r path; do
		[[ ! -e $base/$path ]] || continue
		[[ -f $stock/$path ]] && ! grep -qxF "$path" "$base.removed" ||
			die "$path.patch: the base has no $path"
		install -D -m 644 "$stock/$path" "$base/$path"
	done < <(patched)
	(cd "$base" && find . -type f -printf '%P\n') |
		grep -vxF -f "$base.edited" -f <(patched) |
		while read -r path; do rm "$base/$path"; done || true
}

# patch_file PATCH FILE: apply without fuzz and without a reject file
patch_file() {
	patch -F0 --no-backup-if-mismatch -r - "$2" "$1"
}

# diff_file PATH OLD NEW: print a diff without times, so equal edits give equal diffs
diff_file() {
	diff -u -p --label "a/$1" --label "b/$1" "$2" "$3" || (($? == 1))
}

# sums DIR <PATHS: print the SHA-256 of each file that exists
sums() {
	(cd "$1" && while read -r f; do [[ ! -e $f ]] || sha256sum "$f"; done)
}

# write_patch PATH FILE: write the last patch of PATH, such that the result is FILE
write_patch() {
	local new=$build/refresh.patch old=$build/refresh.old p last below

	mapfile -t below < <(patches "$1")
	last=${below[-1]}
	unset 'below[-1]'
	if [[ -e $top/$1 ]]; then cp "$top/$1" "$old"; else cp "$base/$1" "$old"; fi
	for p in "${below[@]}"; do
		patch_file "$top/$p" "$old" >/dev/null || die "$p does not apply; fix it manually"
	done
	diff_file "$1" "$old" "$2" >"$new"
	[[ -s $new ]] || die "$1 is unchanged: delete $last"
	mkdir -p "$(dirname "$top/$1")"
	cmp -s "$new" "$top/$last" || { cp "$new" "$top/$last"; echo "$last"; }
	rm "$new" "$old"
}
