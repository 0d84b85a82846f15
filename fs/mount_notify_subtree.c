// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about mounts: the watched subtrees that contain a mount
 *
 * An event is posted to the watches with WATCH_SUBTREE on the mount and on each of its
 * ancestors.  The ancestors are not searched for watches: a mount of the root user can
 * propagate below a long chain of mounts in the namespace of another user, and the search
 * would make the mount(2) of the root user slower.
 *
 * A mount with such watches has a struct watched_subtree.  Each mount points to the
 * innermost watched subtree that contains it, and each subtree to the next outer one.  So
 * a post visits watched subtrees only.  Their number is limited by the number of watches
 * (user.max_watch_queue_watches).
 *
 * Cost of changes
 *
 * A new mount gets the pointer of its parent.  The pointers of all mounts in a namespace
 * are updated when the first watch of a subtree is added, and when a system call moves a
 * mount.  This takes time linear in the number of mounts, with namespace_sem held for
 * writing.  All pointers are updated, so that no chain contains a subtree from before the
 * update.
 *
 * Propagation moves mounts, too: a mount of the root user can appear beneath a tree of
 * another user, or disappear from there.  This does not require an update.  A mount that
 * appears is new and not watched, so the tree remains in the same subtrees.  (A mount that
 * a system call moves beneath another one can have watches, and all pointers are updated.)
 * A mount that disappears can have watches.  Its subtree is no longer live, so the mounts
 * of the tree can continue to point to it.
 *
 * Which subtrees are live
 *
 * Subtrees that are not live are skipped.  A subtree becomes live after a watch is added.
 * It ceases to be live when its mount is unmounted, when the namespace is updated and it
 * is no longer watched, or when no mount at all is watched.  Each subtree in a chain was
 * watched at the last update, so the number of those that are skipped is bounded, too.
 *
 * While no mount is watched, no hook runs, and the pointers become outdated.  Therefore
 * mount_notify_epoch is incremented when the last watch is removed: no subtree is live
 * until a watch is added and its namespace is updated again.
 *
 * Before and after
 *
 * Some records are posted to the subtrees that contained a mount before the section, see
 * fs/mount_notify.c.  So a pointer that is updated keeps its value from before.
 *
 * Locks and lifetime
 *
 * mount_notify_epoch is incremented under mount_lock.  All else is protected by
 * namespace_sem, held for writing, or is used by the task that posts.
 *
 * The namespace owns its subtrees.  When a watch is added, those that the update did not
 * reach are freed.  No mount in the namespace and no remaining subtree points to them then.
 * An unmounted mount may still point to a freed subtree, but this pointer is not used after
 * the unmount was posted.
 *
 * If a mount points to a live subtree, the mount of this subtree exists.  If a hook noted
 * its unmount, the section posts the records before it drops the references on the mount,
 * and the subtree is not live afterwards.  If no hook ran, no mount was watched, so
 * mount_notify_epoch was incremented.
 */

#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/watch_queue.h>

#include "mount.h"
#include "mount_notify_subtree.h"

/* Incremented when the last watch on any mount is removed */
u64 mount_notify_epoch = 1;

/*
 * Number of the current section that holds namespace_sem for writing.  It is incremented
 * after records were posted, and after a subtree was added.
 */
u64 mount_notify_section = 1;

static void mount_set_link(struct mount_subtree_link *link,
			   struct watched_subtree *subtree)
{
	if (link->now == subtree)
		return;
	if (link->section != mount_notify_section) {
		link->before = link->now;
		link->section = mount_notify_section;
	}
	link->now = subtree;
}

/* Update the pointer of a mount, and of its subtree, after that of its parent */
static void mount_update_mount(struct mount *mnt)
{
	struct watched_subtree *in = mount_subtree_of_parent(mnt);
	struct mount_watches *w = &mnt->mnt_watches;

	if (unlikely(w->subtree)) {
		if (mount_is_watched(w->subtree_watches)) {
			mount_set_link(&w->subtree->outer, in);
			w->subtree->updated = mount_notify_section;
			in = w->subtree;
		} else {
			/* It is never live again */
			w->subtree->epoch = 0;
			w->subtree = NULL;
		}
	}
	mount_set_link(&w->in, in);
}

/**
 * mount_update_subtrees - update a namespace: the pointers of all mounts
 * @ns: the namespace
 *
 * Context: Process context, namespace_sem held for writing.  May sleep.
 */
void mount_update_subtrees(struct mnt_namespace *ns)
{
	struct mount *mnt;

	lockdep_assert_held_write(&namespace_sem);

	if (hlist_empty(&ns->watches.subtrees))
		return;
	for (mnt = ns->root; mnt; mnt = next_mnt(mnt, ns->root)) {
		mount_update_mount(mnt);
		cond_resched();
	}
}

static void mount_free_subtree(struct watched_subtree *subtree)
{
	hlist_del(&subtree->in_ns);
	kfree(subtree);
}

/**
 * mount_alloc_subtree - allocate a subtree, before a watch is added
 * @mnt: the mount
 *
 * Context: Process context.  May sleep.
 * Return: the subtree, for mount_add_subtree() or kfree(); NULL if out of memory.
 */
struct watched_subtree *mount_alloc_subtree(struct mount *mnt)
{
	struct watched_subtree *new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);

	if (new)
		new->mnt = mnt;
	return new;
}

/**
 * mount_add_subtree - make a subtree live after a watch was added, unless it already is
 * @new: from mount_alloc_subtree(); freed if it is not needed
 *
 * The caller holds a reference on the mount, which may have been unmounted.
 *
 * Context: Process context, namespace_sem not held.  May sleep.
 */
void mount_add_subtree(struct watched_subtree *new)
{
	static DEFINE_MUTEX(mutex);
	struct mount_watches *w = &new->mnt->mnt_watches;
	struct watched_subtree *subtree;
	struct mnt_namespace *ns;
	struct hlist_node *next;
	u64 epoch;

	/* A task that mounts waits for one of these updates, not for all */
	guard(mutex)(&mutex);
	guard(rwsem_write)(&namespace_sem);
	/*
	 * Read the epoch before checking for a watch: if the last watch is removed after the
	 * check, the epoch changes, and the subtree is not live.
	 */
	read_seqlock_excl(&mount_lock);
	epoch = mount_notify_epoch;
	read_sequnlock_excl(&mount_lock);
	if (!is_mounted(&new->mnt->mnt) || !mount_is_watched(w->subtree_watches) ||
	    (w->subtree && mount_subtree_is_live(w->subtree, TREE_AFTER))) {
		kfree(new);
		return;
	}

	ns = new->mnt->mnt_ns;
	if (w->subtree) {
		kfree(new);
	} else {
		w->subtree = new;
		hlist_add_head(&new->in_ns, &ns->watches.subtrees);
	}
	w->subtree->epoch = epoch;
	mount_update_subtrees(ns);
	hlist_for_each_entry_safe(subtree, next, &ns->watches.subtrees, in_ns) {
		if (subtree->updated != mount_notify_section)
			mount_free_subtree(subtree);
	}
	mount_notify_section++;
}

/**
 * mount_destroy_subtrees - free the subtrees of a namespace that is being freed
 * @ns: the namespace, which has no mounts
 *
 * Context: Any.
 */
void mount_destroy_subtrees(struct mnt_namespace *ns)
{
	struct watched_subtree *subtree;
	struct hlist_node *next;

	hlist_for_each_entry_safe(subtree, next, &ns->watches.subtrees, in_ns)
		mount_free_subtree(subtree);
}
