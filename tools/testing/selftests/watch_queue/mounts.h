/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch queue test helpers: mounts, and records about them
 *
 * <linux/mount.h> and <sys/mount.h> cannot be included together, so the system calls
 * have wrappers here.
 */
#ifndef _SELFTESTS_WATCH_QUEUE_MOUNTS_H
#define _SELFTESTS_WATCH_QUEUE_MOUNTS_H

#include "reader.h"

#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/stat.h>

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE	0x00004000U
#endif
#ifndef MNT_DETACH
#define MNT_DETACH	2
#define MNT_EXPIRE	4
#endif

#define BY_SUBTREE	NOTIFY_MOUNT_IN_SUBTREE
#define MOUNT		WATCH_TYPE_MOUNT_NOTIFY

static inline int do_mount(const char *what, const char *where, const char *type,
			   unsigned long flags, const char *data)
{
	return neg(syscall(__NR_mount, what, where, type, flags, data));
}

static inline int do_umount(const char *where, int flags)
{
	return neg(syscall(__NR_umount2, where, flags));
}

static inline int do_setattr(const char *where, bool recursive,
			     __u64 set, __u64 clear, __u64 propagation)
{
	struct mount_attr attr = {
		.attr_set = set, .attr_clr = clear, .propagation = propagation,
	};

	return neg(syscall(__NR_mount_setattr, AT_FDCWD, where,
			   recursive ? AT_RECURSIVE : 0, &attr, sizeof(attr)));
}

static inline int do_open_tree(const char *where, unsigned int flags)
{
	return neg(syscall(__NR_open_tree, AT_FDCWD, where,
			   flags | OPEN_TREE_CLOEXEC));
}

static inline int do_move(int fd, const char *from, const char *to,
			  unsigned int flags)
{
	return neg(syscall(__NR_move_mount, fd, from, AT_FDCWD, to, flags));
}

static inline int do_pivot_root(const char *new_root, const char *put_old)
{
	return neg(syscall(__NR_pivot_root, new_root, put_old));
}

/* Creates a detached tmpfs */
static inline int do_fsmount(void)
{
	int fs = neg(syscall(__NR_fsopen, "tmpfs", 1)), mnt;

	if (fs < 0)
		return fs;
	mnt = neg(syscall(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (!mnt)
		mnt = neg(syscall(__NR_fsmount, fs, 1, 0));
	close(fs);
	return mnt;
}

static inline int open_path(const char *where)
{
	return neg(open(where, O_PATH | O_CLOEXEC));
}

/* Reconfigures the filesystem at a path, but not its mount; the flag may be NULL */
static inline int do_reconfigure(const char *where, const char *flag)
{
	int fs = neg(syscall(__NR_fspick, AT_FDCWD, where, FSPICK_CLOEXEC)), ret = 0;

	if (fs < 0)
		return fs;
	if (flag)
		ret = neg(syscall(__NR_fsconfig, fs, FSCONFIG_SET_FLAG, flag, NULL, 0));
	if (!ret)
		ret = neg(syscall(__NR_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	close(fs);
	return ret;
}

/* @ns_id is 0 for the namespace of the caller */
static inline int do_statmount(__u64 id, __u64 ns_id, __u64 param, struct statmount *sm,
			       size_t size)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER1, .mnt_id = id, .mnt_ns_id = ns_id,
		.param = param,
	};

	return neg(syscall(__NR_statmount, &req, sm, size, 0));
}

/* Gets the IDs of all mounts below one, in any depth; their number or -errno */
static inline long do_listmount(__u64 id, __u64 ns_id, __u64 *ids, size_t nr)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER1, .mnt_id = id, .mnt_ns_id = ns_id,
	};

	return neg(syscall(__NR_listmount, &req, ids, nr, 0));
}

/* ID of the parent, or of the mount itself if it is the first one; 0 on failure */
static inline __u64 parent_mnt_id(__u64 id, __u64 ns_id)
{
	struct statmount sm;

	if (do_statmount(id, ns_id, STATMOUNT_MNT_BASIC, &sm, sizeof(sm)))
		return 0;
	return sm.mnt_parent_id;
}

/* ID of the first mount of the namespace that has this mount; 0 on failure */
static inline __u64 first_mnt_id(__u64 id, __u64 ns_id)
{
	__u64 parent;

	while ((parent = parent_mnt_id(id, ns_id)) && parent != id)
		id = parent;
	return parent;
}

/* Unique ID of the mount of a descriptor or a path; 0 on failure */
static inline __u64 fd_mnt_id(int fd, const char *path)
{
	struct statx stx = {};

	if (statx(fd, path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
		  STATX_MNT_ID_UNIQUE, &stx) ||
	    !(stx.stx_mask & STATX_MNT_ID_UNIQUE))
		return 0;
	return stx.stx_mnt_id;
}

static inline __u64 mnt_id(const char *path)
{
	return fd_mnt_id(AT_FDCWD, path);
}

static inline int mount_watch(int queue, const char *where, __u32 id, __u32 flags)
{
	int fd = open_path(where), ret;

	if (fd < 0)
		return fd;
	ret = queue_watch(queue, MOUNT, fd, id, flags);
	close(fd);
	return ret;
}

static inline int mount_unwatch(int queue, const char *where, __u32 flags)
{
	int fd = open_path(where), ret;

	if (fd < 0)
		return fd;
	ret = queue_unwatch(queue, MOUNT, fd, flags);
	close(fd);
	return ret;
}

/* Namespaces */

static inline int open_ns(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return neg(open(path, O_RDONLY | O_CLOEXEC));
}

/* ID of a mount namespace; 0 on failure */
static inline __u64 mnt_ns_id(int ns)
{
	__u64 id = 0;

	return ioctl(ns, NS_GET_MNTNS_ID, &id) ? 0 : id;
}

/* Records */

/* Required contents of a record about a mount */
struct expected_mount {
	__u32 subtype, id;
	__u64 mnt, parent, old_parent;
	__u32 flags;
};

static inline bool is_mount(const union watch_record *r, const struct expected_mount *want)
{
	const struct mount_notification *n = &r->mount;

	return r->watch.type == MOUNT && r->watch.subtype == want->subtype &&
	       r->watch.info == (want->flags | want->id << WATCH_INFO_ID__SHIFT |
				 sizeof(*n)) &&
	       n->mnt_id == want->mnt && n->parent_id == want->parent &&
	       n->old_parent_id == want->old_parent && n->mnt_ns_id && n->sb_id &&
	       n->fs_type[0] && !n->fs_type[NOTIFY_FS_TYPE_LEN - 1];
}

static inline void print_mount(int ret, const union watch_record *r)
{
	if (ret <= 0) {
		ksft_print_msg("got %s, errno %d\n", ret ? "an error" : "end of file", -ret);
		return;
	}
	ksft_print_msg("got type %u subtype %u info %08x mnt %llx parent %llx old %llx\n",
		       r->watch.type, r->watch.subtype, r->watch.info,
		       r->mount.mnt_id, r->mount.parent_id, r->mount.old_parent_id);
	if (r->watch.type == MOUNT)
		ksft_print_msg("in namespace %llx, on filesystem %llu of type %.16s\n",
			       r->mount.mnt_ns_id, r->mount.sb_id, r->mount.fs_type);
}

static inline void print_expected_mount(const struct expected_mount *want)
{
	ksft_print_msg("expected subtype %u info %08x mnt %llx parent %llx old %llx\n",
		       want->subtype, want->flags | want->id << WATCH_INFO_ID__SHIFT,
		       want->mnt, want->parent, want->old_parent);
}

static inline bool got_expected(struct reader *q, const struct expected_mount *want)
{
	union watch_record r;
	int ret = next_record(q, &r);

	if (ret == 1 && is_mount(&r, want))
		return true;
	print_mount(ret, &r);
	print_expected_mount(want);
	return false;
}

static inline bool got_mount(struct reader *q, __u32 subtype, __u32 id, __u64 mnt,
			     __u64 parent, __u64 old_parent, __u32 flags)
{
	return got_expected(q, &(struct expected_mount) {
		subtype, id, mnt, parent, old_parent, flags });
}

/* Waits for all of these records, in any order; changes the array */
static inline bool got_mounts(struct reader *q, struct expected_mount *want, int nr)
{
	union watch_record r;
	int i, ret;

	for (; nr; want[i] = want[--nr]) {
		ret = await_record(q, &r);
		for (i = 0; ret == 1 && i < nr && !is_mount(&r, &want[i]); i++)
			;
		if (ret == 1 && i < nr)
			continue;
		print_mount(ret, &r);
		while (nr--)
			print_expected_mount(&want[nr]);
		return false;
	}
	return true;
}

static inline bool got_mount_removal(struct reader *q, __u32 id, __u64 mnt)
{
	union watch_record r;
	int ret = await_record(q, &r);

	if (ret == 1 && is_removal(&r) && record_len(&r) == sizeof(r.removal) &&
	    watch_record_id(&r) == id && r.removal.id == mnt)
		return true;
	print_mount(ret, &r);
	ksft_print_msg("expected the removal of watch %u on %llx\n", id, mnt);
	return false;
}

#endif /* _SELFTESTS_WATCH_QUEUE_MOUNTS_H */
