/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about mounts: hooks for fs/namespace.c and fs/pnode.c
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
 * struct mount_watches - watches on a mount, and its cached watched ancestor
 * @watches: watches on this mount alone; NULL until the first one is added
 * @subtree_watches: watches with WATCH_SUBTREE, likewise
 * @watched_ancestor: cached nearest ancestor with @subtree_watches, or NULL
 * @ancestor_gen: generation of @watched_ancestor, see mount_notify.c
 * @cached_gen: generation in which other mounts last cached this mount
 * @visit_seq: number of the last walk that visited this mount
 *
 * The last four are protected by mount_lock.
 */
struct mount_watches {
	struct watch_list *watches;
	struct watch_list *subtree_watches;
	struct mount *watched_ancestor;
	u64 ancestor_gen;
	u64 cached_gen;
	u64 visit_seq;
};

extern atomic_t mount_nr_watches;

void __mount_notify_new(struct mount *tree, bool propagated);
void __mount_notify_move(struct mount *mnt, struct mount *from,
			 struct mount *to, bool propagated);
void __mount_notify_umount(struct list_head *list, bool expired);
void __mount_notify_attr(struct mount *mnt, unsigned int old_flags);
void __mount_notify_propagation(struct mount *mnt, int type);
void __mount_notify_group(struct mount *mnt);
void __mount_notify_destroy(struct mount_watches *watches, u64 mnt_id);

/* The hooks cost no more than this check while no mount is watched */
static inline bool mount_watched(void)
{
	return unlikely(atomic_read(&mount_nr_watches));
}

/**
 * mount_notify_destroy - remove all watches on a mount that is being freed
 * @watches: member of the mount, which has no users
 * @mnt_id: unique ID of the mount
 *
 * Context: Process context.  May sleep.
 */
static inline void mount_notify_destroy(struct mount_watches *watches, u64 mnt_id)
{
	if (unlikely(watches->watches || watches->subtree_watches))
		__mount_notify_destroy(watches, mnt_id);
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

static inline void mount_notify_destroy(struct mount_watches *watches, u64 mnt_id)
{
}

#endif /* CONFIG_MOUNT_NOTIFICATIONS */

/**
 * mount_notify_new - notify watchers of a tree of new mounts
 * @tree: the root; its parent is set, and none of the new mounts is in the
 *	namespace yet.  If the tree was mounted beneath another mount, this other
 *	mount is already on top of it
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
 * mount_notify_move - notify watchers that a mount moves to another parent
 * @mnt: the mount, before or after the move; neither parent may be below it
 * @from: the old parent
 * @to: the new parent
 * @propagated: the move is a consequence of another operation
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
 * @list: the mounts, linked by mnt_list, with their parents still set: first the tree
 *	that umount_tree() was called for, then the mounts that propagation adds
 * @expired: true if the mounts expired
 *
 * Mounts without a namespace were never visible and are skipped.
 *
 * Context: mount_lock held for write.
 */
static inline void mount_notify_umount(struct list_head *list, bool expired)
{
	if (mount_watched())
		__mount_notify_umount(list, expired);
}

/**
 * mount_notify_attr - notify watchers of changed flags of a mount
 * @mnt: the mount
 * @old_flags: the old mnt_flags
 *
 * Context: mount_lock held for write.
 */
static inline void mount_notify_attr(struct mount *mnt, unsigned int old_flags)
{
	if (mount_watched())
		__mount_notify_attr(mnt, old_flags);
}

/**
 * mount_notify_propagation - notify watchers of a new propagation type
 * @mnt: the mount, before the change
 * @type: MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE
 *
 * Reports the mount if its type changes, and its slaves if they lose their master.
 *
 * Context: mount_lock held for write.
 */
static inline void mount_notify_propagation(struct mount *mnt, int type)
{
	if (mount_watched())
		__mount_notify_propagation(mnt, type);
}

/**
 * mount_notify_group - notify watchers that a mount joined a peer group
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
