/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about mounts: what fs/namespace.c and fs/pnode.c must know
 */
#ifndef _FS_MOUNT_NOTIFY_H
#define _FS_MOUNT_NOTIFY_H

#include <linux/atomic.h>
#include <linux/types.h>

struct list_head;
struct mount;
struct watch_list;

#ifdef CONFIG_MOUNT_NOTIFICATIONS

/**
 * struct mount_watches - who watches a mount
 * @here: watches on this mount alone; NULL until the first one is set
 * @below: those with WATCH_SUBTREE, the same
 * @above: the next mount above with somebody in @below, or NULL
 * @above_age: whether @above is true, see mount_notify.c
 * @named_age: whether it may be the @above of others
 * @meeting_nr: which search has been here
 *
 * The last four are under mount_lock.
 */
struct mount_watches {
	struct watch_list *here;
	struct watch_list *below;
	struct mount *above;
	u64 above_age;
	u64 named_age;
	u64 meeting_nr;
};

extern atomic_t mount_nr_watches;

void __mount_notify_new(struct mount *tree, bool propagated);
void __mount_notify_move(struct mount *mnt, struct mount *from,
			 struct mount *to, bool propagated);
void __mount_notify_umount(struct list_head *list, bool expired);
void __mount_notify_attr(struct mount *mnt, unsigned int old_flags);
void __mount_notify_propagation(struct mount *mnt, int type);
void __mount_notify_group(struct mount *mnt);
void __mount_notify_gone(struct mount_watches *watches, u64 mnt_id);

/* All that a kernel with the option pays while nobody watches any mount */
static inline bool mount_watched(void)
{
	return unlikely(atomic_read(&mount_nr_watches));
}

/**
 * mount_notify_gone - end the watches on a mount that is being freed
 * @watches: those of the mount, to which nobody has a reference
 * @mnt_id: its unique ID
 *
 * Context: Process context.  May sleep.
 */
static inline void mount_notify_gone(struct mount_watches *watches, u64 mnt_id)
{
	if (unlikely(watches->here || watches->below))
		__mount_notify_gone(watches, mnt_id);
}

#else /* !CONFIG_MOUNT_NOTIFICATIONS */

struct mount_watches {
};

static inline bool mount_watched(void)
{
	return false;
}

static inline void __mount_notify_new(struct mount *tree, bool propagated)
{
}

static inline void __mount_notify_move(struct mount *mnt, struct mount *from,
				       struct mount *to, bool propagated)
{
}

static inline void __mount_notify_umount(struct list_head *list, bool expired)
{
}

static inline void __mount_notify_attr(struct mount *mnt,
				       unsigned int old_flags)
{
}

static inline void __mount_notify_propagation(struct mount *mnt, int type)
{
}

static inline void __mount_notify_group(struct mount *mnt)
{
}

static inline void mount_notify_gone(struct mount_watches *watches, u64 mnt_id)
{
}

#endif /* CONFIG_MOUNT_NOTIFICATIONS */

/**
 * mount_notify_new - notify watchers of a tree of new mounts
 * @tree: the root; its parent is set, and none of the new mounts is in the
 *	namespace yet.  If it was mounted beneath another mount, that mount is on
 *	top of it already
 * @propagated: the tree is a copy made by propagation
 *
 * Context: mount_lock held for write.
 */
static inline void mount_notify_new(struct mount *tree, bool propagated)
{
	if (mount_watched())
		__mount_notify_new(tree, propagated);
}

/**
 * mount_notify_move - a mount has another parent
 * @mnt: the mount; whether it was moved already does not matter, as long as
 *	neither parent is below it
 * @from: its parent until now
 * @to: its parent from now on
 * @propagated: nobody asked for it
 *
 * Context: mount_lock held for write.
 */
static inline void mount_notify_move(struct mount *mnt, struct mount *from,
				     struct mount *to, bool propagated)
{
	if (mount_watched())
		__mount_notify_move(mnt, from, to, propagated);
}

/**
 * mount_notify_umount - notify watchers of mounts that are being unmounted
 * @list: the mounts, linked by mnt_list, parents still set: first the tree that
 *	umount_tree() was called for, then the mounts that propagation adds
 * @expired: they are unmounted because they expired
 *
 * Mounts without a namespace were never visible, and are skipped.
 *
 * Context: mount_lock held for write.
 */
static inline void mount_notify_umount(struct list_head *list, bool expired)
{
	if (mount_watched())
		__mount_notify_umount(list, expired);
}

/**
 * mount_notify_attr - a mount's flags were set
 * @mnt: the mount
 * @old_flags: its mnt_flags before
 *
 * Context: mount_lock held for write.
 */
static inline void mount_notify_attr(struct mount *mnt, unsigned int old_flags)
{
	if (mount_watched())
		__mount_notify_attr(mnt, old_flags);
}

/**
 * mount_notify_propagation - a mount's propagation type is going to be set
 * @mnt: the mount
 * @type: MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE
 *
 * Tells of the mount if it will be different, and of the slaves that it loses.
 *
 * Context: mount_lock held for write.
 */
static inline void mount_notify_propagation(struct mount *mnt, int type)
{
	if (mount_watched())
		__mount_notify_propagation(mnt, type);
}

/**
 * mount_notify_group - a mount joined the peers or the slaves of others
 * @mnt: the mount
 *
 * Context: namespace_sem held for write, mount_lock not held.
 */
static inline void mount_notify_group(struct mount *mnt)
{
	if (mount_watched())
		__mount_notify_group(mnt);
}

#endif /* _FS_MOUNT_NOTIFY_H */
