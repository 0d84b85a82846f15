/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about mounts: the watched subtrees that contain a mount
 *
 * See fs/mount_notify_subtree.c.  Include mount.h first.
 */
#ifndef _FS_MOUNT_NOTIFY_SUBTREE_H
#define _FS_MOUNT_NOTIFY_SUBTREE_H

#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/types.h>
#include <linux/watch_queue.h>

#include "mount_notify.h"

/**
 * struct watched_subtree - a mount with watches on its subtree
 * @in_ns: link in the list of the namespace
 * @mnt: the mount; may only be used while the subtree is live
 * @outer: the next outer watched subtree
 * @epoch: mount_notify_epoch when it became live, or 0
 * @updated: number of the section of the last update
 * @unmounted: number of the section in which the mount was unmounted, or 0
 * @event: number of the last event that must not be posted to the watches again
 */
struct watched_subtree {
	struct hlist_node in_ns;
	struct mount *mnt;
	struct mount_subtree_link outer;
	u64 epoch;
	u64 updated;
	u64 unmounted;
	u64 event;
};

/* The tree before or after the changes that are being posted */
enum mount_tree {
	TREE_AFTER,
	TREE_BEFORE,
};

extern u64 mount_notify_epoch, mount_notify_section;

struct watched_subtree *mount_alloc_subtree(struct mount *mnt);
void mount_add_subtree(struct watched_subtree *new);
void mount_update_subtrees(struct mnt_namespace *ns);
void mount_destroy_subtrees(struct mnt_namespace *ns);

static inline struct watched_subtree *mount_subtree_of_parent(struct mount *mnt)
{
	return mnt_has_parent(mnt) ? mnt->mnt_parent->mnt_watches.in.now : NULL;
}

/**
 * mount_inherit_subtree - set the pointer of a new mount
 * @mnt: the mount; its parent is set
 *
 * Context: namespace_sem held for writing.
 */
static inline void mount_inherit_subtree(struct mount *mnt)
{
	lockdep_assert_held_write(&namespace_sem);

	mnt->mnt_watches.in.now = mount_subtree_of_parent(mnt);
}

static inline bool mount_is_watched(const struct watch_list *wlist)
{
	/* An empty list left by removed watches does not count */
	return wlist && !hlist_empty(&wlist->watchers);
}

/* Are events in @tree posted to the watches of the subtree? */
static inline bool
mount_subtree_is_live(const struct watched_subtree *subtree, enum mount_tree tree)
{
	return subtree->epoch == READ_ONCE(mount_notify_epoch) &&
	       (!subtree->unmounted ||
		(tree == TREE_BEFORE && subtree->unmounted == mount_notify_section));
}

/* Return the next live subtree in the chain that begins with @link, or NULL */
static inline struct watched_subtree *
mount_live_subtree(const struct mount_subtree_link *link, enum mount_tree tree)
{
	struct watched_subtree *subtree;

	for (;; link = &subtree->outer) {
		subtree = link->now;
		if (tree == TREE_BEFORE && link->section == mount_notify_section)
			subtree = link->before;
		if (likely(!subtree) || mount_subtree_is_live(subtree, tree))
			return subtree;
	}
}

/* Return the innermost live subtree that contains @mnt in @tree, or NULL */
static inline struct watched_subtree *
mount_subtree_of(const struct mount *mnt, enum mount_tree tree)
{
	return mount_live_subtree(&mnt->mnt_watches.in, tree);
}

/* Return the next outer live subtree, or NULL */
static inline struct watched_subtree *
mount_outer_subtree(const struct watched_subtree *subtree, enum mount_tree tree)
{
	return mount_live_subtree(&subtree->outer, tree);
}

#endif /* _FS_MOUNT_NOTIFY_SUBTREE_H */
