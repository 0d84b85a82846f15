/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about mounts: hooks for fs/namespace.c and fs/pnode.c
 */
#ifndef _FS_MOUNT_NOTIFY_H
#define _FS_MOUNT_NOTIFY_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/rwsem.h>
#include <linux/types.h>

struct mnt_namespace;
struct mount;
struct watched_subtree;
struct super_block;
struct watch_list;

extern struct rw_semaphore namespace_sem;
struct mount *next_mnt(struct mount *p, struct mount *root);

#ifdef CONFIG_MOUNT_NOTIFICATIONS

/**
 * struct mount_subtree_link - pointer to a watched subtree, see fs/mount_notify_subtree.c
 * @now: the subtree, or NULL
 * @before: the value before @section
 * @section: number of the last section in which the pointer was changed
 */
struct mount_subtree_link {
	struct watched_subtree *now;
	struct watched_subtree *before;
	u64 section;
};

/**
 * struct mount_watches - watches on a mount, and its changes that are not posted yet
 * @watches: watches on this mount alone; NULL until the first one is added
 * @subtree_watches: watches with WATCH_SUBTREE; NULL until the first one is added
 * @subtree: the subtree of this mount, if it had @subtree_watches at the last update.  It
 *	may have been freed after the mount was unmounted
 * @in: the innermost watched subtree that contains this mount.  It may have been freed
 *	after the mount was unmounted
 * @noted: link in the list of mounts with changes
 * @changes: MOUNT_NOTED_* bits; the mount is linked by @noted if one is set
 * @changed_flags: the flags that changed
 * @old_group: peer group before the mount leaves it
 * @old_parent: parent before the first move or the unmount, else NULL
 * @old_ns: namespace before the unmount
 *
 * See the banner of fs/mount_notify.c for the protection of the members.
 */
struct mount_watches {
	struct watch_list *watches;
	struct watch_list *subtree_watches;
	struct watched_subtree *subtree;
	struct mount_subtree_link in;
	struct list_head noted;
	u32 changes;
	int changed_flags;
	int old_group;
	struct mount *old_parent;
	struct mnt_namespace *old_ns;
};

/**
 * struct mount_ns_watches - watches on a mount namespace
 * @watches: watches on the namespace; NULL until the first one is added
 * @subtrees: watched subtrees in the namespace, linked by in_ns
 * @watched: a watch on the namespace, or on a mount in it, has been or is being added
 * @root_changed: the root of the namespace may have changed; checked after the posts
 * @next_changed: next namespace with @root_changed
 * @root_id: ID of the mount that is the root of the namespace, as last reported
 * @event: number of the last event that must not be posted to @watches again
 */
struct mount_ns_watches {
	struct watch_list *watches;
	struct hlist_head subtrees;
	bool watched;
	bool root_changed;
	struct mnt_namespace *next_changed;
	u64 root_id;
	u64 event;
};

extern atomic_t mount_nr_watches;
extern struct list_head mount_noted_new, mount_noted;
extern struct mnt_namespace *mount_moved_ns;

void __mount_notify_new(struct mount *mnt, bool propagated);
void __mount_notify_move(struct mount *mnt, bool propagated);
void __mount_notify_umount(struct list_head *list, bool expired);
void __mount_notify_attr(struct mount *mnt, int old_flags);
void __mount_notify_propagation(struct mount *mnt, int type);
void __mount_notify_slaves(struct mount *mnt, const struct mount *master);
void __mount_notify_group(struct mount *mnt);
bool mount_in_watched_ns(const struct mount *mnt);
void __mount_notify_post(void);
void __mount_notify_prepare(void);
u64 mount_ns_id(const struct mnt_namespace *ns);
void mount_notify_adding(struct mnt_namespace *ns);
void mount_notify_adding_ns(struct mnt_namespace *ns);
void mount_notify_removed(void);
void __mount_notify_destroy(struct mount_watches *watches, u64 mnt_id);
void mount_notify_destroy_ns(struct mnt_namespace *ns);
void mount_note_fs(struct super_block *sb);

/* The hooks that note a change cost no more than this check while no mount is watched */
static inline bool mount_watched(void)
{
	return unlikely(atomic_read(&mount_nr_watches));
}

/**
 * mount_notify_flags_watched - check whether changes of flags are noted
 * @mnt: the mount, or the root of the tree
 *
 * Context: mount_lock held for writing until the flags have changed, as a watch may be
 *	added.
 * Return: true if namespace_sem must be held for writing, too.
 */
static inline bool mount_notify_flags_watched(const struct mount *mnt)
{
	return mount_watched() && mount_in_watched_ns(mnt);
}

/* True if changes are noted.  The task that downgrades namespace_sem posts them. */
static inline bool mount_notify_pending(void)
{
	lockdep_assert_held(&namespace_sem);

	return unlikely(!list_empty(&mount_noted_new) || !list_empty(&mount_noted));
}

/**
 * mount_notify_prepare - update the subtrees if a mount moved
 *
 * Context: Process context, namespace_sem held for writing.  May sleep.
 */
static inline void mount_notify_prepare(void)
{
	lockdep_assert_held_write(&namespace_sem);

	if (unlikely(mount_moved_ns))
		__mount_notify_prepare();
}

/**
 * mount_notify_post - post the changes that were noted
 *
 * The caller called mount_notify_prepare() before it downgraded namespace_sem.
 *
 * Context: Process context, namespace_sem held for reading.  May sleep.
 */
static inline void mount_notify_post(void)
{
	if (mount_notify_pending())
		__mount_notify_post();
}

/**
 * mount_notify_unlock - release namespace_sem and post the changes that were noted
 *
 * namespace_sem is downgraded before the records are posted.
 *
 * Context: Process context, namespace_sem held for writing.  May sleep.
 */
static inline void mount_notify_unlock(void)
{
	if (!mount_notify_pending()) {
		up_write(&namespace_sem);
		return;
	}
	mount_notify_prepare();
	downgrade_write(&namespace_sem);
	__mount_notify_post();
	up_read(&namespace_sem);
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

struct mount_ns_watches {
};

static inline bool mount_watched(void)
{
	return false;
}

static inline void __mount_notify_new(struct mount *mnt, bool propagated)
{
}

static inline void __mount_notify_move(struct mount *mnt, bool propagated)
{
}

static inline void __mount_notify_umount(struct list_head *list, bool expired)
{
}

static inline void __mount_notify_attr(struct mount *mnt, int old_flags)
{
}

static inline void __mount_notify_propagation(struct mount *mnt, int type)
{
}

static inline void __mount_notify_slaves(struct mount *mnt, const struct mount *master)
{
}

static inline void __mount_notify_group(struct mount *mnt)
{
}

static inline bool mount_notify_flags_watched(const struct mount *mnt)
{
	return false;
}

static inline bool mount_notify_pending(void)
{
	return false;
}

static inline void mount_notify_prepare(void)
{
}

static inline void mount_notify_post(void)
{
}

static inline void mount_notify_unlock(void)
{
	up_write(&namespace_sem);
}

static inline void mount_notify_destroy(struct mount_watches *watches, u64 mnt_id)
{
}

static inline void mount_notify_destroy_ns(struct mnt_namespace *ns)
{
}

#endif /* CONFIG_MOUNT_NOTIFICATIONS */

/**
 * mount_notify_new - note that a mount was added to a namespace
 * @mnt: the mount, in the namespace; its parent is set
 * @propagated: it is a copy made by propagation
 *
 * Context: namespace_sem held for writing, mount_lock held.
 */
static inline void mount_notify_new(struct mount *mnt, bool propagated)
{
	if (mount_watched())
		__mount_notify_new(mnt, propagated);
}

/**
 * mount_notify_move - note that a mount moves
 * @mnt: the mount, before the change
 * @propagated: the move is a consequence of another operation
 *
 * Context: namespace_sem held for writing, mount_lock held.
 */
static inline void mount_notify_move(struct mount *mnt, bool propagated)
{
	if (mount_watched())
		__mount_notify_move(mnt, propagated);
}

/**
 * mount_notify_umount - note that mounts are unmounted
 * @list: the mounts, linked by mnt_list, with their parents and namespace still set:
 *	first the tree that umount_tree() was called for, then the mounts that
 *	propagation adds
 * @expired: true if the mounts expired
 *
 * Context: namespace_sem held for writing, mount_lock held.
 */
static inline void mount_notify_umount(struct list_head *list, bool expired)
{
	if (mount_watched())
		__mount_notify_umount(list, expired);
}

/**
 * mount_notify_attr - note that the flags of a mount changed
 * @mnt: the mount
 * @old_flags: the old mnt_flags
 *
 * Context: mount_lock held for writing, and namespace_sem if
 *	mount_notify_flags_watched().
 */
static inline void mount_notify_attr(struct mount *mnt, int old_flags)
{
	if (mount_watched())
		__mount_notify_attr(mnt, old_flags);
}

/**
 * mount_notify_propagation - note that the propagation type of a mount changes
 * @mnt: the mount, before the change
 * @type: MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE
 *
 * Context: namespace_sem held for writing.
 */
static inline void mount_notify_propagation(struct mount *mnt, int type)
{
	if (mount_watched())
		__mount_notify_propagation(mnt, type);
}

/**
 * mount_notify_slaves - note that the slaves of a mount get another master
 * @mnt: the mount, which was passed to mount_notify_propagation() or to
 *	mount_notify_umount() before it left its peer group
 * @master: their new master, or NULL
 *
 * Context: namespace_sem held for writing.
 */
static inline void mount_notify_slaves(struct mount *mnt, const struct mount *master)
{
	if (mount_watched())
		__mount_notify_slaves(mnt, master);
}

/**
 * mount_notify_group - note that a mount joined a peer group
 * @mnt: the mount
 *
 * Context: namespace_sem held for writing.
 */
static inline void mount_notify_group(struct mount *mnt)
{
	if (mount_watched())
		__mount_notify_group(mnt);
}

#endif /* _FS_MOUNT_NOTIFY_H */
