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

# overlay: print the files below those top-level directories that the kernel has, too,
# whether tracked or not: PATH is a whole file, PATH.patch edits the kernel's PATH. If
# several commits edit it, there are several PATH.NN.patch, to be applied in order.
overlay() {
	local f

	git -C "$top" ls-files -co --exclude-standard | while read -r f; do
		[[ -f $top/$f ]] || continue
		if [[ $f == MAINTAINERS.patch || ($f == */* && -d $stock/${f%%/*}) ]]; then
			echo "$f"
		fi
	done | sort
}

# patched: print the kernel paths that the overlay has patches for
patched() {
	overlay | sed -nE 's/(\.[0-9]{2})?\.patch$//p' | sort -u
}

# patches PATH: print the patches for PATH, in order
patches() {
	(cd "$top" && ls "$1".[0-9][0-9].patch 2>/dev/null) || echo "$1.patch"
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
	cp "$base/$1" "$old"
	for p in "${below[@]}"; do
		patch_file "$top/$p" "$old" >/dev/null || die "$p does not apply; fix it manually"
	done
	diff_file "$1" "$old" "$2" >"$new"
	[[ -s $new ]] || die "$1 is unchanged: delete $last"
	mkdir -p "$(dirname "$top/$1")"
	cmp -s "$new" "$top/$last" || { cp "$new" "$top/$last"; echo "$last"; }
	rm "$new" "$old"
}
