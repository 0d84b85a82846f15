# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced after lib.sh: what of the repository is kernel, and the base below it.

# Two of us at once would write the same files; who waits says so.
mkdir -p "$build"
if [[ ! ${OVERLAY_LOCKED:-} ]]; then
	export OVERLAY_LOCKED=1
	exec 9>"$build/lock"
	flock -n 9 || { echo "$me: waiting for another one to finish" >&2; flock 9; }
fi

# overlay: files at kernel paths, tracked or not yet; PATH, or PATH.patch to edit
# the kernel's own, or PATH.NN.patch, one upon the other, where several commits do.
# A top-level directory that the kernel has too is overlay.
overlay() {
	local f

	git -C "$top" ls-files -co --exclude-standard | while read -r f; do
		[[ -f $top/$f ]] || continue
		if [[ $f == MAINTAINERS.patch || ($f == */* && -d $stock/${f%%/*}) ]]; then
			echo "$f"
		fi
	done | sort
}

# patched: the kernel paths of the overlay's patches
patched() {
	overlay | sed -nE 's/(\.[0-9]{2})?\.patch$//p' | sort -u
}

# patches PATH: its PATH.NN.patch in their order, or else PATH.patch
patches() {
	(cd "$top" && ls "$1".[0-9][0-9].patch 2>/dev/null) || echo "$1.patch"
}

# make_base: build/base holds each stock file that we touch, stripped, and no other
make_base() {
	local stamp path

	stamp=$(cat "$build/stock.id" "$top"/base/* | sha256sum)
	if [[ $(cat "$base.stamp" 2>/dev/null) != "$stamp" ]]; then
		rm -rf "$base.stamp" "$build/merge"
		step 'base: take the shipped feature out' \
			"$top/base/strip" "$stock" "$base"
		echo "$stamp" >"$base.stamp"
	fi
	while read -r path; do
		[[ ! -e $base/$path ]] || continue
		[[ -f $stock/$path ]] && ! grep -qxF "$path" "$base.removed" ||
			die "$path.patch: the base has no $path to edit"
		install -D -m 644 "$stock/$path" "$base/$path"
	done < <(patched)
	(cd "$base" && find . -type f -printf '%P\n') |
		grep -vxF -f "$base.edited" -f <(patched) |
		while read -r path; do rm "$base/$path"; done || true
}

# patch_file PATCH FILE: no fuzz, no reject file; says which hunk failed
patch_file() {
	patch -F0 --no-backup-if-mismatch -r - "$2" "$1"
}

# diff_file PATH OLD NEW: nothing in it changes unless the edit does
diff_file() {
	diff -u -p --label "a/$1" --label "b/$1" "$2" "$3" || (($? == 1))
}

# sums DIR <PATHS: one line a file that is there
sums() {
	(cd "$1" && while read -r f; do [[ ! -e $f ]] || sha256sum "$f"; done)
}

# write_patch PATH FILE: the last of its patches turns what is below it into FILE
write_patch() {
	local new=$build/refresh.patch old=$build/refresh.old p last below

	mapfile -t below < <(patches "$1")
	last=${below[-1]}
	unset 'below[-1]'
	cp "$base/$1" "$old"
	for p in "${below[@]}"; do
		patch_file "$top/$p" "$old" >/dev/null || die "$p does not apply: mend it by hand"
	done
	diff_file "$1" "$old" "$2" >"$new"
	[[ -s $new ]] || die "$1 is as below $last: nothing to keep, so delete that"
	mkdir -p "$(dirname "$top/$1")"
	cmp -s "$new" "$top/$last" || { cp "$new" "$top/$last"; echo "$last"; }
	rm "$new" "$old"
}
