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

static inline void print_mount(int ret, const union watch_record *r)
{
	if (ret <= 0)
		ksft_print_msg("got %s, errno %d\n", ret ? "an error" : "end of file", -ret);
	else
		ksft_print_msg("got type %u subtype %u info %08x mnt %llx parent %llx old %llx\n",
			       r->watch.type, r->watch.subtype, r->watch.info,
			       r->mount.mnt_id, r->mount.parent_id,
			       r->mount.old_parent_id);
}

static inline bool got_mount(struct reader *q, __u32 subtype, __u32 id, __u64 mnt,
			     __u64 parent, __u64 old_parent, __u32 flags)
{
	union watch_record r;
	int ret = next_record(q, &r);

	if (ret == 1 && r.watch.type == MOUNT && r.watch.subtype == subtype &&
	    r.watch.info == (flags | id << WATCH_INFO_ID__SHIFT | sizeof(r.mount)) &&
	    r.mount.mnt_id == mnt && r.mount.parent_id == parent &&
	    r.mount.old_parent_id == old_parent)
		return true;
	print_mount(ret, &r);
	ksft_print_msg("expected subtype %u info %08x mnt %llx parent %llx old %llx\n",
		       subtype, flags | id << WATCH_INFO_ID__SHIFT, mnt, parent,
		       old_parent);
	return false;
}

static inline bool got_mount_removal(struct reader *q, __u32 id, __u64 mnt)
{
	union watch_record r;
	int ret = next_record(q, &r);

	if (ret == 1 && is_removal(&r) && record_len(&r) == sizeof(r.removal) &&
	    watch_record_id(&r) == id && r.removal.id == mnt)
		return true;
	print_mount(ret, &r);
	ksft_print_msg("expected the removal of watch %u on %llx\n", id, mnt);
	return false;
}

#endif /* _SELFTESTS_WATCH_QUEUE_MOUNTS_H */
