// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about mounts
 *
 * An event source for the general notification queue: it reports changes of mounts
 * to the watchers of a mount, of a subtree or of a mount namespace.  See
 * Documentation/userspace-api/watch_queue/mounts.rst.
 *
 * From a change to a record
 *
 * Most hooks run under mount_lock, where path walks wait, so they do not post.  They
 * note the change in the mount and append the mount to a list.  This does not allocate
 * memory, so no change is lost.  namespace_unlock() downgrades namespace_sem and then
 * posts the records.  Until they are posted, the tree does not change again, but
 * statmount() and path walks continue.
 *
 * The records describe the difference between the tree before and the tree after the
 * section in which namespace_sem was held for writing.  A mount that was added and
 * unmounted in one section is not reported.  A mount that moved twice is reported
 * once.  ->old_parent is the parent that it had before the section, or before it was
 * unmounted.  Unmounted mounts are referenced until the records are posted:
 * namespace_unlock() drops the references later, and a mount that stays connected is held
 * by its parent.
 *
 * Flags change under mount_lock.  A system call that changes them also holds namespace_sem
 * if a mount in the namespace was watched, see lock_mount_flags() in fs/namespace.c.
 *
 * Which watches get an event
 *
 * Each watch gets one record of an event.  A watch on a mount gets the events of
 * this mount and of mounts that have or had it as their parent, but changes of the
 * filesystem only of this mount.  A watch with WATCH_SUBTREE also gets the events of
 * all mounts below it.  A watch on a namespace gets the events of all mounts in it.
 *
 * All mounts of a tree are in one namespace and stay in it until they are unmounted.
 * A detached tree is an exception: it may be attached in a namespace that the
 * watcher may not inspect.  Therefore detached mounts cannot be watched.
 *
 * Bounds
 *
 * A hook does a fixed amount of work for each mount that the kernel changes.  It notes
 * only mounts of namespaces in which a mount was watched.  Posting takes time for each
 * watch that gets the record.  The number of watches is limited
 * (user.max_watch_queue_watches).  The depth of a mount does not matter.  Users can make
 * copies and slaves of a mount, and each of them has a record in each watch.  With up to
 * 60 watches, this takes less time than making a copy.
 *
 * A system call that moves a mount in a namespace with watched subtrees takes time linear
 * in the number of mounts of the namespace, see fs/mount_notify_subtree.c.  The root of a
 * namespace, which can have many mounts on it, is only searched for if it has changed.
 *
 * Locks, outer to inner
 *
 *	sb->s_umount		held by remounts until the flags have changed
 *	mutex			of mount_add_subtree()
 *	namespace_sem		the tree; held for reading while records are posted
 *	mount_lock		mnt_flags
 *	mount_fs_lock		see fs/mount_notify_fs.c; interrupts off
 *	locks of the queue	see kernel/watch_queue_internal.h
 *
 * mount_watches
 *	watches, subtree_watches	set once, with cmpxchg()
 *	others				namespace_sem for writing, or the task that posts
 * mount_ns_watches
 *	watches				set once, with cmpxchg()
 *	watched				set under mount_lock, never cleared
 *	root_id				namespace_sem for reading.  All tasks that store it
 *					find the same root
 *	others				namespace_sem for writing, or the task that posts;
 *					no lock when the namespace is freed
 *
 * Only one task posts at a time: it had namespace_sem for writing.
 *
 * Lifetime
 *
 * The lists of watches of a mount or namespace are created with the first watch, by
 * a task that holds a reference on it, and freed with it.  A watch holds no reference
 * on the mount or namespace.
 *
 * Ordering
 *
 * mount_nr_watches is incremented under namespace_sem and mount_lock before a watch is
 * added.  A change that precedes the increment is visible to the program that adds the
 * watch and then reads the state.  A later change is noted.  The barrier between this
 * change and the check for watches is in __mount_notify_post().
 */

#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/watch_queue.h>
#include <uapi/linux/mount.h>

#include "pnode.h"
#include "mount_notify_subtree.h"
#include "sb_state.h"

static_assert(sizeof(struct mount_notification) == 72);

/* Number of watches on all mounts and mount namespaces */
atomic_t mount_nr_watches = ATOMIC_INIT(0);

/* Mounts that are new, and mounts with other changes, whose records are not posted yet */
LIST_HEAD(mount_noted_new);
LIST_HEAD(mount_noted);

/* Bits of mount_watches.changes */
#define MOUNT_NOTED_NEW		0x01
#define MOUNT_NOTED_UMOUNT	0x02
#define MOUNT_NOTED_EXPIRED	0x04
#define MOUNT_NOTED_MOVE	0x08
#define MOUNT_NOTED_FLAGS	0x10
#define MOUNT_NOTED_PROPAGATION	0x20
#define MOUNT_NOTED_FS		0x40
/* All changes of this kind were consequences of another operation */
#define MOUNT_NOTED_INDIRECT(change)	((change) << 8)

/* Protected as old_parent is */
static u64 mount_last_event;			/* number of the last event */
static u64 mount_fs_event;			/* number of the change of a filesystem */
struct mnt_namespace *mount_moved_ns;		/* in which a system call moved a mount */
static struct mnt_namespace *mount_changed_ns;	/* linked by next_changed */

/* The ID that statmount() and listmount() take */
u64 mount_ns_id(const struct mnt_namespace *ns)
{
	return ns->ns.ns_id;
}

/*
 * Noting
 */

/*
 * False for a mount that is not attached yet, is detached or was unmounted: a namespace
 * that only has detached mounts is never watched.
 */
bool mount_in_watched_ns(const struct mount *mnt)
{
	const struct mnt_namespace *ns = READ_ONCE(mnt->mnt_ns);

	return !IS_ERR_OR_NULL(ns) && READ_ONCE(ns->watches.watched);
}

static void mount_add_change(struct mount *mnt, u32 change, bool indirect)
{
	u32 changes = mnt->mnt_watches.changes;

	if (!indirect)
		changes &= ~MOUNT_NOTED_INDIRECT(change);
	else if (!(changes & change))
		changes |= MOUNT_NOTED_INDIRECT(change);
	mnt->mnt_watches.changes = changes | change;
}

static void mount_note(struct mount *mnt, u32 change, bool indirect)
{
	lockdep_assert_held_write(&namespace_sem);

	if (!mnt->mnt_watches.changes)
		list_add_tail(&mnt->mnt_watches.noted, change == MOUNT_NOTED_NEW ?
						       &mount_noted_new : &mount_noted);
	mount_add_change(mnt, change, indirect);
}

void __mount_notify_new(struct mount *mnt, bool propagated)
{
	lockdep_assert_held_write(&namespace_sem);
	lockdep_assert_held(&mount_lock.lock);

	if (!mount_in_watched_ns(mnt))
		return;
	mount_inherit_subtree(mnt);
	mount_note(mnt, MOUNT_NOTED_NEW, propagated);
}

static void mount_note_old_parent(struct mount *mnt)
{
	if (!mnt->mnt_watches.old_parent)
		mnt->mnt_watches.old_parent = mnt->mnt_parent;
}

void __mount_notify_move(struct mount *mnt, bool propagated)
{
	lockdep_assert_held_write(&namespace_sem);
	lockdep_assert_held(&mount_lock.lock);

	if (!mount_in_watched_ns(mnt))
		return;
	if (!propagated)
		mount_moved_ns = mnt->mnt_ns;
	mount_note_old_parent(mnt);
	mount_note(mnt, MOUNT_NOTED_MOVE, propagated);
}

void __mount_notify_umount(struct list_head *list, bool expired)
{
	u32 change = MOUNT_NOTED_UMOUNT | (expired ? MOUNT_NOTED_EXPIRED : 0);
	struct list_head *last = mount_noted.prev;	/* noted before this call */
	bool propagated = false, watched = false;
	struct mnt_namespace *ns = NULL;
	u32 first_change = change;
	struct mount_watches *w;
	struct mount *mnt;

	lockdep_assert_held_write(&namespace_sem);
	lockdep_assert_held(&mount_lock.lock);

	list_for_each_entry(mnt, list, mnt_list) {
		w = &mnt->mnt_watches;
		w->old_group = mnt->mnt_group_id;
		/* The tree that umount_tree() was called for comes first, from its root */
		if (!propagated && !mnt->mnt_parent->mnt_watches.old_ns &&
		    !list_is_first(&mnt->mnt_list, list)) {
			propagated = true;
			first_change |= MOUNT_NOTED_INDIRECT(change);
		}
		if (mnt->mnt_ns != ns) {
			ns = mnt->mnt_ns;
			watched = mount_in_watched_ns(mnt);
		}
		if (!watched)
			continue;
		if (unlikely(w->changes)) {
			if (last == &w->noted)
				last = last->prev;
			list_del(&w->noted);
			mount_add_change(mnt, change, propagated);
			mount_note_old_parent(mnt);
		} else {
			w->changes = first_change;
			w->old_parent = mnt->mnt_parent;
		}
		if (unlikely(w->subtree))
			w->subtree->unmounted = mount_notify_section;
		/* Children first, in an order that umount(2) would accept */
		list_add(&w->noted, last);
		w->old_ns = ns;
	}
}

void __mount_notify_attr(struct mount *mnt, int old_flags)
{
	int changed = (mnt->mnt.mnt_flags ^ old_flags) & MNT_USER_SETTABLE_MASK;

	lockdep_assert_held(&mount_lock.lock);

	if (!changed || !mount_in_watched_ns(mnt))
		return;
	mnt->mnt_watches.changed_flags |= changed;
	mount_note(mnt, MOUNT_NOTED_FLAGS, false);
}

/* Does change_mnt_propagation() change the mount itself? */
static bool mount_propagation_changes(struct mount *mnt, int type)
{
	switch (type) {
	case MS_SHARED:
		return !IS_MNT_SHARED(mnt);
	case MS_SLAVE:
		return IS_MNT_SHARED(mnt);
	case MS_UNBINDABLE:
		return !IS_MNT_UNBINDABLE(mnt) || IS_MNT_SLAVE(mnt);
	default:
		return IS_MNT_SHARED(mnt) || IS_MNT_SLAVE(mnt) ||
		       IS_MNT_UNBINDABLE(mnt);
	}
}

void __mount_notify_propagation(struct mount *mnt, int type)
{
	lockdep_assert_held_write(&namespace_sem);

	mnt->mnt_watches.old_group = mnt->mnt_group_id;
	/* An unmounted mount is not in a namespace, which is checked first as it is faster */
	if (mount_in_watched_ns(mnt) && mount_propagation_changes(mnt, type))
		mount_note(mnt, MOUNT_NOTED_PROPAGATION, false);
}

void __mount_notify_slaves(struct mount *mnt, const struct mount *master)
{
	struct mount *slave;

	lockdep_assert_held_write(&namespace_sem);

	if (likely(hlist_empty(&mnt->mnt_slave_list)))
		return;
	/* The slaves of a peer group remain slaves of the group while it has a mount */
	if (master && master->mnt_group_id == mnt->mnt_watches.old_group)
		return;
	hlist_for_each_entry(slave, &mnt->mnt_slave_list, mnt_slave) {
		if (mount_in_watched_ns(slave))
			mount_note(slave, MOUNT_NOTED_PROPAGATION, true);
	}
}

void __mount_notify_group(struct mount *mnt)
{
	lockdep_assert_held_write(&namespace_sem);

	if (mount_in_watched_ns(mnt))
		mount_note(mnt, MOUNT_NOTED_PROPAGATION, false);
}

void mount_note_fs(struct super_block *sb)
{
	struct mount *mnt;

	lockdep_assert_held_write(&namespace_sem);
	lockdep_assert_held(&mount_lock.lock);

	mount_fs_event = ++mount_last_event;
	for (mnt = sb->s_mounts; mnt; mnt = mnt->mnt_next_for_sb) {
		if (mount_in_watched_ns(mnt))
			mount_note(mnt, MOUNT_NOTED_FS, false);
	}
}

/*
 * The tree
 */

/* Return the mount that is the root directory of a process that enters @ns, or NULL */
static struct mount *mount_ns_root(struct mnt_namespace *ns)
{
	struct mount *root = ns->root, *over;

	rwsem_assert_held(&namespace_sem);

	/* The namespace has no root yet, or the root was unmounted */
	if (!root || root->mnt_ns != ns)
		return NULL;
	guard(rcu)();
	while ((over = __lookup_mnt(&root->mnt, root->mnt.mnt_root)))
		root = over;
	return root;
}

/*
 * Posting
 */

/* Store all members of the record, except the subtype */
static __always_inline void
mount_record(struct mount_notification *n, const struct mount *mnt,
	     const struct mount *parent, const struct mnt_namespace *ns)
{
	const struct super_block *sb = mnt->mnt.mnt_sb;
	/* mount_lock is not held: other bits may change, and all bits of an unmounted mount */
	int flags = data_race(READ_ONCE(mnt->mnt.mnt_flags));
	u32 info = watch_sizeof(*n);

	if (flags & MNT_READONLY)
		info |= NOTIFY_MOUNT_IS_RDONLY;
	if (flags & MNT_SHRINKABLE)
		info |= NOTIFY_MOUNT_AUTOMOUNT;
	if (sb_rejects_changes(sb))
		info |= NOTIFY_MOUNT_FS_RDONLY;

	n->watch = (struct watch_notification){
		.type = WATCH_TYPE_MOUNT_NOTIFY,
		.info = info,
	};
	n->mnt_id = mnt->mnt_id_unique;
	n->parent_id = parent->mnt_id_unique;
	n->old_parent_id = 0;
	n->mnt_ns_id = mount_ns_id(ns);
	n->sb_id = sb->s_notify_id;
	n->dev_major = MAJOR(sb->s_dev);
	n->dev_minor = MINOR(sb->s_dev);
	memcpy(n->fs_type, sb->s_notify_type, sizeof(n->fs_type));
}

static void mount_post_direct(const struct mount *at,
			      const struct mount_notification *n)
{
	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	struct watch_list *wlist = smp_load_acquire(&at->mnt_watches.watches);

	post_watch_notification(wlist, &n->watch, NULL, at->mnt_id_unique);
}

static __always_inline void
mount_post_subtree(const struct watched_subtree *subtree,
		   struct mount_notification *n)
{
	const struct mount *at = subtree->mnt;
	u64 id = at->mnt_id_unique;

	if (id != n->mnt_id && id != n->parent_id && id != n->old_parent_id)
		n->watch.info |= NOTIFY_MOUNT_IN_SUBTREE;
	post_watch_notification(at->mnt_watches.subtree_watches, &n->watch, NULL, id);
	n->watch.info &= ~NOTIFY_MOUNT_IN_SUBTREE;
}

static void mount_post_ns(const struct mnt_namespace *ns,
			  const struct mount_notification *n)
{
	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	struct watch_list *wlist = smp_load_acquire(&ns->watches.watches);

	post_watch_notification(wlist, &n->watch, NULL, n->mnt_ns_id);
}

/* Post an event about a mount that has one parent in @tree */
static __always_inline void
mount_post(const struct mount *mnt, const struct mount *parent,
	   const struct mnt_namespace *ns, struct mount_notification *n,
	   enum mount_tree tree)
{
	struct watched_subtree *subtree;

	mount_post_ns(ns, n);
	mount_post_direct(mnt, n);
	if (parent != mnt)
		mount_post_direct(parent, n);
	for (subtree = mount_subtree_of(mnt, tree); subtree;
	     subtree = mount_outer_subtree(subtree, tree))
		mount_post_subtree(subtree, n);
}

/* Post a change of flags or of propagation */
static void mount_post_change(const struct mount *mnt, struct mount_notification *n,
			      u8 subtype, bool propagated)
{
	n->watch.subtype = subtype;
	n->watch.info &= ~NOTIFY_MOUNT_PROPAGATED;
	if (propagated)
		n->watch.info |= NOTIFY_MOUNT_PROPAGATED;
	mount_post(mnt, mnt->mnt_parent, mnt->mnt_ns, n, TREE_AFTER);
}

/* The root of the namespace may be another mount: check this after all changes are posted */
static void mount_root_changed(struct mnt_namespace *ns)
{
	if (ns->watches.root_changed || !READ_ONCE(ns->watches.watches))
		return;
	ns->watches.root_changed = true;
	ns->watches.next_changed = mount_changed_ns;
	mount_changed_ns = ns;
}

static noinline void mount_post_roots(void)
{
	struct mount_notification n __uninitialized;
	struct mnt_namespace *ns;
	struct mount *root;

	while ((ns = mount_changed_ns)) {
		mount_changed_ns = ns->watches.next_changed;
		ns->watches.root_changed = false;
		root = mount_ns_root(ns);
		if (!root || root->mnt_id_unique == READ_ONCE(ns->watches.root_id))
			continue;
		WRITE_ONCE(ns->watches.root_id, root->mnt_id_unique);
		mount_record(&n, root, root->mnt_parent, ns);
		n.watch.subtype = NOTIFY_MOUNT_ROOT;
		mount_post_ns(ns, &n);
	}
}

/* Is @mnt mounted on the root directory of the mount that was the root of the namespace? */
static bool mount_is_on_root(const struct mount *mnt)
{
	const struct mount *parent = mnt->mnt_parent;

	return mnt->mnt_mountpoint == parent->mnt.mnt_root &&
	       parent->mnt_id_unique == READ_ONCE(mnt->mnt_ns->watches.root_id);
}

/* The record includes all other changes so far */
static void mount_post_new(struct mount *mnt, struct mount_notification *n, u32 changes)
{
	if (mount_is_on_root(mnt))
		mount_root_changed(mnt->mnt_ns);
	n->watch.subtype = NOTIFY_MOUNT_NEW;
	if (changes & MOUNT_NOTED_INDIRECT(MOUNT_NOTED_NEW))
		n->watch.info |= NOTIFY_MOUNT_PROPAGATED;
	mount_post(mnt, mnt->mnt_parent, mnt->mnt_ns, n, TREE_AFTER);
}

static void mount_post_umount(struct mount *mnt, struct mount_notification *n, u32 changes)
{
	struct mnt_namespace *ns = mnt->mnt_watches.old_ns;

	if (mnt->mnt_id_unique == READ_ONCE(ns->watches.root_id))
		mount_root_changed(ns);
	n->watch.subtype = NOTIFY_MOUNT_UNMOUNT;
	if (changes & MOUNT_NOTED_INDIRECT(MOUNT_NOTED_UMOUNT))
		n->watch.info |= NOTIFY_MOUNT_PROPAGATED;
	if (changes & MOUNT_NOTED_EXPIRED)
		n->watch.info |= NOTIFY_MOUNT_EXPIRED;
	mount_post(mnt, mnt->mnt_watches.old_parent, ns, n, TREE_BEFORE);
}

static void mount_post_flags(struct mount *mnt, struct mount_notification *n)
{
	bool rdonly = n->watch.info & NOTIFY_MOUNT_IS_RDONLY;
	int changed = mnt->mnt_watches.changed_flags;

	if (changed & MNT_READONLY)
		mount_post_change(mnt, n, rdonly ? NOTIFY_MOUNT_RDONLY : NOTIFY_MOUNT_RDWR,
				  false);
	if (changed & ~MNT_READONLY)
		mount_post_change(mnt, n, NOTIFY_MOUNT_SETATTR, false);
}

/*
 * Each watch gets one record: MOVE_TO if the mount is visible to it after the move,
 * and otherwise MOVE_FROM
 */
static void mount_post_move(struct mount *mnt, struct mount_notification *n,
			    bool propagated)
{
	const struct mount *from = mnt->mnt_watches.old_parent, *to = mnt->mnt_parent;
	struct mnt_namespace *ns = mnt->mnt_ns;
	struct watched_subtree *subtree;
	u64 event = ++mount_last_event;

	n->watch.subtype = NOTIFY_MOUNT_MOVE_TO;
	n->old_parent_id = from->mnt_id_unique;
	if (propagated)
		n->watch.info |= NOTIFY_MOUNT_PROPAGATED;
	/* Propagation only adds or removes mounts beneath @mnt, so the root is the same */
	if (!propagated)
		mount_root_changed(ns);
	mount_post_ns(ns, n);
	mount_post_direct(mnt, n);
	mount_post_direct(to, n);
	for (subtree = mount_subtree_of(mnt, TREE_AFTER); subtree;
	     subtree = mount_outer_subtree(subtree, TREE_AFTER)) {
		mount_post_subtree(subtree, n);
		subtree->event = event;
	}

	n->watch.subtype = NOTIFY_MOUNT_MOVE_FROM;
	if (from != to)
		mount_post_direct(from, n);
	for (subtree = mount_subtree_of(from, TREE_BEFORE); subtree;
	     subtree = mount_outer_subtree(subtree, TREE_BEFORE)) {
		if (subtree->event != event)
			mount_post_subtree(subtree, n);
	}
	n->old_parent_id = 0;
}

/* One record for each watch, whatever the number of mounts of the filesystem */
static void mount_post_fs(struct mount *mnt, struct mount_notification *n)
{
	struct mnt_namespace *ns = mnt->mnt_ns;
	struct watched_subtree *subtree;

	n->watch.subtype = NOTIFY_MOUNT_FS_CHANGED;
	n->watch.info &= ~NOTIFY_MOUNT_PROPAGATED;
	mount_post_direct(mnt, n);
	if (ns->watches.event != mount_fs_event) {
		ns->watches.event = mount_fs_event;
		mount_post_ns(ns, n);
	}
	for (subtree = mount_subtree_of(mnt, TREE_AFTER); subtree;
	     subtree = mount_outer_subtree(subtree, TREE_AFTER)) {
		/* The outer ones got the event, too */
		if (subtree->event == mount_fs_event)
			break;
		subtree->event = mount_fs_event;
		mount_post_subtree(subtree, n);
	}
}

/* Post all changes but NEW of a mount that was not unmounted */
static noinline void mount_post_others(struct mount *mnt, struct mount_notification *n,
				       u32 changes)
{
	/* Post MOVE_TO first, as the other records contain the new parent */
	if (changes & MOUNT_NOTED_MOVE)
		mount_post_move(mnt, n, changes & MOUNT_NOTED_INDIRECT(MOUNT_NOTED_MOVE));
	if (changes & MOUNT_NOTED_FLAGS)
		mount_post_flags(mnt, n);
	if (changes & MOUNT_NOTED_PROPAGATION)
		mount_post_change(mnt, n, NOTIFY_MOUNT_PROPAGATION,
				  changes & MOUNT_NOTED_INDIRECT(MOUNT_NOTED_PROPAGATION));
	if (changes & MOUNT_NOTED_FS)
		mount_post_fs(mnt, n);
}

static void mount_post_changes(struct mount *mnt)
{
	struct mount_notification n __uninitialized;
	struct mount_watches *w = &mnt->mnt_watches;
	const struct mount *parent = mnt->mnt_parent;
	const struct mnt_namespace *ns = mnt->mnt_ns;
	u32 changes = w->changes;

	if (changes & MOUNT_NOTED_UMOUNT) {
		if (changes & MOUNT_NOTED_NEW)
			return;
		parent = w->old_parent;
		ns = w->old_ns;
	} else if (!ns) {
		/* Unmounted when no mount was watched, so the unmount was not noted */
		return;
	}
	mount_record(&n, mnt, parent, ns);
	if (changes & MOUNT_NOTED_UMOUNT)
		mount_post_umount(mnt, &n, changes);
	else if (changes & MOUNT_NOTED_NEW)
		mount_post_new(mnt, &n, changes);
	else
		mount_post_others(mnt, &n, changes);
}

void __mount_notify_post(void)
{
	struct mount *mnt, *next;

	/* Not for writing: statmount() must not wait for the posts */
	lockdep_assert_held_read(&namespace_sem);

	/* Pairs with the barrier in add_watch_to_object() */
	smp_mb__before_post();
	/* A new mount may be the parent of one that moved earlier in the section */
	list_splice_init(&mount_noted_new, &mount_noted);
	/* Hooks that change the list hold namespace_sem for writing, so none runs now */
	list_for_each_entry_safe(mnt, next, &mount_noted, mnt_watches.noted) {
		mount_post_changes(mnt);
		mnt->mnt_watches.changes = 0;
		mnt->mnt_watches.changed_flags = 0;
		mnt->mnt_watches.old_parent = NULL;
		mnt->mnt_watches.old_ns = NULL;
		if (!list_entry_is_head(next, &mount_noted, mnt_watches.noted))
			cond_resched();
	}
	INIT_LIST_HEAD(&mount_noted);
	if (mount_changed_ns)
		mount_post_roots();
	mount_notify_section++;
}

void __mount_notify_prepare(void)
{
	lockdep_assert_held_write(&namespace_sem);

	mount_update_subtrees(mount_moved_ns);
	mount_moved_ns = NULL;
}

/*
 * Adding and removing a watch
 */

/*
 * Prepare for a watch on a mount, before it is added.  No section changes the tree now,
 * so each section that begins before the watch is removed notes its changes.  A section
 * that is posting now may post its records to the new watch.
 */
void mount_notify_adding(struct mnt_namespace *ns)
{
	rwsem_assert_held(&namespace_sem);

	read_seqlock_excl(&mount_lock);
	WRITE_ONCE(ns->watches.watched, true);
	atomic_inc(&mount_nr_watches);
	read_sequnlock_excl(&mount_lock);
}

/* Prepare for a watch on a namespace, before it is added */
void mount_notify_adding_ns(struct mnt_namespace *ns)
{
	const struct mount *root;

	guard(rwsem_read)(&namespace_sem);
	root = mount_ns_root(ns);
	/*
	 * If there is a watch, the root is up to date or is about to be reported.  Pairs
	 * with cmpxchg() in watch_list_get_or_create().
	 */
	if (!mount_is_watched(smp_load_acquire(&ns->watches.watches)))
		WRITE_ONCE(ns->watches.root_id, root ? root->mnt_id_unique : 0);
	mount_notify_adding(ns);
}

/* After a watch was removed, or was not added */
void mount_notify_removed(void)
{
	read_seqlock_excl(&mount_lock);
	if (atomic_dec_and_test(&mount_nr_watches))
		WRITE_ONCE(mount_notify_epoch, mount_notify_epoch + 1);
	read_sequnlock_excl(&mount_lock);
}
