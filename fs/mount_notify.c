// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about mounts
 *
 * An event source for the general notification queue: it reports changes of mounts
 * to the watchers of a mount or of a subtree.  See
 * Documentation/userspace-api/watch_queue/mounts.rst.
 *
 * When events are posted
 *
 * Events are posted under mount_lock, in the section that makes the change.  Posting
 * neither sleeps nor allocates, so events need not be stored until the lock is
 * dropped, and none is lost for lack of memory.  Pollers of /proc/PID/mountinfo are
 * woken under this lock as well.  The lock orders the events and keeps the tree
 * stable during the search for watches.  A program that calls statmount() for a mount
 * after reading a record waits for namespace_sem and sees the change.  Flags that
 * are changed without namespace_sem are stored before the record is posted.
 *
 * Work under mount_lock must be bounded.  Each mount caches its nearest watched
 * ancestor, so the cost of an event depends on the number of watchers and not on
 * the depth of the tree.  The number of watches per user is limited
 * (user.max_watch_queue_watches) because unmounting a tree notifies every watch above
 * each mount.
 *
 * Which watches get an event
 *
 * Each watch gets one record of an event.  A watch on a mount gets the events of
 * this mount and of mounts that have or had it as their parent.  A watch with
 * WATCH_SUBTREE also gets the events of all mounts below it.
 *
 * All mounts of a tree are in one namespace and stay in it until they are unmounted.
 * A detached tree is an exception: it may be attached in a namespace that the
 * watcher may not inspect.  Therefore detached mounts cannot be watched.
 *
 * Locks, outer to inner
 *
 *	namespace_sem		see fs/namespace.c
 *	mount_lock		the tree, mnt_ns and mnt_flags
 *	locks of the queue	see kernel/watch_queue_internal.h
 *
 * Lifetime
 *
 * The lists of watches of a mount are created with the first watch, by a task that
 * holds a reference on the mount, and freed with the mount.  A watch does not hold a
 * reference on the mount.  A poster holds mount_lock.  It starts at a mount that its
 * caller references and walks to the parents.  This is safe, as the children of a
 * mount are removed from it under mount_lock before it is freed.
 *
 * Ordering
 *
 * A list is initialized and then published with cmpxchg(), which is ordered.
 * Posters load it with smp_load_acquire().  mount_nr_watches is incremented before
 * a watch is added, and mount_lock is taken again afterwards.  A program that adds a
 * watch and then reads the state of the mounts sees a change or gets its record.
 */

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/fsnotify_backend.h>
#include <linux/minmax.h>
#include <linux/nsproxy.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/watch_queue.h>
#include <uapi/linux/mount.h>

#include "internal.h"
#include "pnode.h"

static_assert(sizeof(struct mount_notification) == 32);

/* Number of watches on all mounts */
atomic_t mount_nr_watches = ATOMIC_INIT(0);

/*
 * Generation of the cached ->watched_ancestor pointers.  A cached pointer is valid if
 * its generation matches.  The generation is incremented when a watch is added, as
 * moves are not tracked while there are no watches, and when a mount moves such that
 * its cached ancestor may change.  Protected by mount_lock.
 *
 * A mount may stay cached as an ancestor after its last watch is removed.  The number
 * of mounts that are cached as ancestors in one generation is bounded by the number
 * that were watched at one time.  This also bounds the number of generations that one
 * system call can end by moving many mounts, as each of these moves involves a mount
 * that is cached or watched.
 */
static u64 mount_ancestor_gen = 1;

/* Number of the last walk that set ->visit_seq of mounts.  Protected by mount_lock. */
static u64 mount_visit_seq;

/*
 * Posting
 */

static struct mount_notification mount_record(const struct mount *mnt,
					      const struct mount *parent,
					      u8 subtype, bool propagated)
{
	struct mount_notification n = {
		.watch.type	= WATCH_TYPE_MOUNT_NOTIFY,
		.watch.subtype	= subtype,
		.watch.info	= watch_sizeof(n),
		.mnt_id		= mnt->mnt_id_unique,
		.parent_id	= parent->mnt_id_unique,
	};

	if (mnt->mnt.mnt_flags & MNT_READONLY)
		n.watch.info |= NOTIFY_MOUNT_IS_RDONLY;
	if (mnt->mnt.mnt_flags & MNT_SHRINKABLE)
		n.watch.info |= NOTIFY_MOUNT_AUTOMOUNT;
	if (propagated)
		n.watch.info |= NOTIFY_MOUNT_PROPAGATED;
	return n;
}

static void mount_post_direct(const struct mount *at,
			      const struct mount_notification *n)
{
	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	post_watch_notification(smp_load_acquire(&at->mnt_watches.watches),
				&n->watch, NULL, at->mnt_id_unique);
}

/* @named: the record contains the ID of @at */
static void mount_post_subtree(const struct mount *at,
			       struct mount_notification *n, bool named)
{
	n->watch.info &= ~NOTIFY_MOUNT_IN_SUBTREE;
	if (!named)
		n->watch.info |= NOTIFY_MOUNT_IN_SUBTREE;

	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	post_watch_notification(smp_load_acquire(&at->mnt_watches.subtree_watches),
				&n->watch, NULL, at->mnt_id_unique);
	n->watch.info &= ~NOTIFY_MOUNT_IN_SUBTREE;
}

/* An empty list left by removed watches does not count */
static bool mount_has_subtree_watch(const struct mount *at)
{
	const struct watch_list *wlist;

	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	wlist = smp_load_acquire(&at->mnt_watches.subtree_watches);
	return wlist && !hlist_empty(&wlist->watchers);
}

/*
 * Return the nearest ancestor of @mnt that has subtree watches, or NULL, and cache it
 * in all mounts on the path to it.
 */
static struct mount *mount_watched_ancestor(struct mount *mnt)
{
	struct mount *at = mnt, *watched = NULL;

	lockdep_assert_held(&mount_lock.lock);

	for (;; at = at->mnt_parent) {
		if (at->mnt_watches.ancestor_gen == mount_ancestor_gen) {
			watched = at->mnt_watches.watched_ancestor;
			break;
		}
		if (at == at->mnt_parent)
			break;
		if (mount_has_subtree_watch(at->mnt_parent)) {
			watched = at->mnt_parent;
			watched->mnt_watches.cached_gen = mount_ancestor_gen;
			break;
		}
	}

	for (;; mnt = mnt->mnt_parent) {
		mnt->mnt_watches.watched_ancestor = watched;
		mnt->mnt_watches.ancestor_gen = mount_ancestor_gen;
		if (mnt == at)
			return watched;
	}
}

/* Post an event about a mount that does not move */
static void mount_post(struct mount *mnt, struct mount_notification *n)
{
	struct mount *parent = mnt->mnt_parent, *at;

	mount_post_direct(mnt, n);
	mount_post_subtree(mnt, n, true);

	if (parent != mnt)
		mount_post_direct(parent, n);
	for (at = mnt; (at = mount_watched_ancestor(at));)
		mount_post_subtree(at, n, at == parent);
}

static void mount_post_at(struct mount *mnt, u8 subtype, bool propagated)
{
	struct mount_notification n = mount_record(mnt, mnt->mnt_parent,
						   subtype, propagated);

	mount_post(mnt, &n);
}

/* Return the lowest common ancestor, which may be @a or @b; NULL if there is none */
static struct mount *mount_common_ancestor(struct mount *a, struct mount *b)
{
	u64 nr = ++mount_visit_seq;

	lockdep_assert_held(&mount_lock.lock);

	/* Alternate, so as not to walk to the root if the mounts are close */
	while (a || b) {
		if (a) {
			if (a->mnt_watches.visit_seq == nr)
				return a;
			a->mnt_watches.visit_seq = nr;
			a = a == a->mnt_parent ? NULL : a->mnt_parent;
		}
		swap(a, b);
	}
	return NULL;
}

/*
 * Is any mount from @at up to but excluding @ancestor watched, or cached as a watched
 * ancestor?
 */
static bool mount_path_has_watch(const struct mount *at, const struct mount *ancestor)
{
	for (; at != ancestor; at = at->mnt_parent) {
		if (at->mnt_watches.cached_gen == mount_ancestor_gen ||
		    mount_has_subtree_watch(at))
			return true;
		if (at == at->mnt_parent)
			break;
	}
	return false;
}

/*
 * Each watch gets one record: MOVE_TO if the mount is visible to it after the move,
 * and otherwise MOVE_FROM.  The latter are the watches from @from up to the lowest
 * common ancestor of @from and @to.
 */
void __mount_notify_move(struct mount *mnt, struct mount *from,
			 struct mount *to, bool propagated)
{
	struct mount *at, *ancestor = mount_common_ancestor(from, to);
	struct mount_notification n, gone;

	lockdep_assert_held(&mount_lock.lock);

	/* Otherwise all watched ancestors are common to both */
	if (mount_path_has_watch(from, ancestor) || mount_path_has_watch(to, ancestor))
		mount_ancestor_gen++;
	n = mount_record(mnt, to, NOTIFY_MOUNT_MOVE_TO, propagated);
	n.old_parent_id = from->mnt_id_unique;
	gone = n;
	gone.watch.subtype = NOTIFY_MOUNT_MOVE_FROM;

	mount_post_direct(mnt, &n);
	mount_post_subtree(mnt, &n, true);

	mount_post_direct(to, &n);
	mount_post_subtree(to, &n, true);
	for (at = to; (at = mount_watched_ancestor(at));)
		mount_post_subtree(at, &n, at == from);

	if (from != to)
		mount_post_direct(from, &gone);
	for (at = from; at != ancestor; at = at->mnt_parent) {
		mount_post_subtree(at, &gone, at == from);
		if (at == at->mnt_parent)
			break;
	}
}

/* Iterate in pre-order, without the children of @skip */
static struct mount *mount_next(struct mount *mnt, struct mount *root,
				struct mount *skip)
{
	if (mnt != skip && !list_empty(&mnt->mnt_mounts))
		return list_first_entry(&mnt->mnt_mounts, struct mount, mnt_child);

	while (mnt != root) {
		if (!list_is_last(&mnt->mnt_child, &mnt->mnt_parent->mnt_mounts))
			return list_next_entry(mnt, mnt_child);
		mnt = mnt->mnt_parent;
	}
	return NULL;
}

/*
 * A mount without a namespace is not attached yet, or has been unmounted.  A detached
 * mount cannot be watched.  Neither must it cache its watched ancestor, as attaching
 * the mount changes its ancestors without invalidating the cache.
 */
static bool mount_is_visible(const struct mount *mnt)
{
	return mnt->mnt_ns && !is_anon_ns(mnt->mnt_ns);
}

void __mount_notify_new(struct mount *tree, bool propagated)
{
	struct mount *mnt, *over = NULL;

	/* For example an automount below a detached mount */
	if (!mount_is_visible(tree->mnt_parent))
		return;

	for (mnt = tree; mnt; mnt = mount_next(mnt, tree, over)) {
		/* If a mount is attached already, @tree was mounted beneath it */
		if (mnt_ns_attached(mnt))
			over = mnt;
		else
			mount_post_at(mnt, NOTIFY_MOUNT_NEW, propagated);
	}

	if (over)
		__mount_notify_move(over, tree->mnt_parent, tree, true);
}

/*
 * Return the last mount in @list that umount_tree() was called for.  The mounts of
 * that tree come first, parents before children; the others are propagated.
 */
static struct mount *mount_last_requested(struct list_head *list)
{
	struct mount *mnt, *last = NULL;
	u64 nr = ++mount_visit_seq;

	lockdep_assert_held(&mount_lock.lock);

	list_for_each_entry(mnt, list, mnt_list) {
		if (last && mnt->mnt_parent->mnt_watches.visit_seq != nr)
			break;
		mnt->mnt_watches.visit_seq = nr;
		last = mnt;
	}
	return last;
}

void __mount_notify_umount(struct list_head *list, bool expired)
{
	struct mount *mnt, *last = mount_last_requested(list);
	bool propagated = true;

	/* Children first, in an order that umount(2) would accept */
	list_for_each_entry_reverse(mnt, list, mnt_list) {
		struct mount_notification n;

		if (mnt == last)
			propagated = false;
		/* New mounts that are undone after an error were never visible */
		if (!mount_is_visible(mnt))
			continue;

		n = mount_record(mnt, mnt->mnt_parent, NOTIFY_MOUNT_UNMOUNT,
				 propagated);
		if (expired)
			n.watch.info |= NOTIFY_MOUNT_EXPIRED;
		mount_post(mnt, &n);
	}
}

void __mount_notify_attr(struct mount *mnt, unsigned int old_flags)
{
	unsigned int changed = (mnt->mnt.mnt_flags ^ old_flags) &
			       MNT_USER_SETTABLE_MASK;

	/* A concurrent unmount has been reported already */
	if (!mount_is_visible(mnt))
		return;
	if (changed & MNT_READONLY)
		mount_post_at(mnt, mnt->mnt.mnt_flags & MNT_READONLY ?
			      NOTIFY_MOUNT_RDONLY : NOTIFY_MOUNT_RDWR, false);
	if (changed & ~MNT_READONLY)
		mount_post_at(mnt, NOTIFY_MOUNT_SETATTR, false);
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
	struct mount *slave;

	if (mount_is_visible(mnt) && mount_propagation_changes(mnt, type))
		mount_post_at(mnt, NOTIFY_MOUNT_PROPAGATION, false);
	/* If there are peers, the slaves remain slaves of the peer group */
	if (type == MS_SHARED || !list_empty(&mnt->mnt_share))
		return;

	list_for_each_entry(slave, &mnt->mnt_slave_list, mnt_slave) {
		/* The unmount record must remain the last one */
		if (mount_is_visible(slave) && !(slave->mnt.mnt_flags & MNT_UMOUNT))
			mount_post_at(slave, NOTIFY_MOUNT_PROPAGATION, true);
	}
}

void __mount_notify_group(struct mount *mnt)
{
	read_seqlock_excl(&mount_lock);
	if (mount_is_visible(mnt))
		mount_post_at(mnt, NOTIFY_MOUNT_PROPAGATION, false);
	read_sequnlock_excl(&mount_lock);
}

void __mount_notify_destroy(struct mount_watches *watches, u64 mnt_id)
{
	remove_watch_list(watches->watches, mnt_id);
	remove_watch_list(watches->subtree_watches, mnt_id);
}

/*
 * Watches
 */

static void mount_release_watch(struct watch *watch)
{
	atomic_dec(&mount_nr_watches);
}

/*
 * Same rule as for statmount(): the mount must be in the caller's namespace and
 * reachable from the caller's root, or the caller must have CAP_SYS_ADMIN in the user
 * namespace that owns the mount's namespace.
 */
static int mount_may_watch(const struct path *path)
{
	struct mount *mnt = real_mount(path->mnt);
	struct user_namespace *user_ns;
	struct path root;
	bool ours;
	int ret;

	get_fs_root(current->fs, &root);
	read_seqlock_excl(&mount_lock);
	/* Refuse kernel-internal, unmounted and detached mounts */
	if (!is_mounted(&mnt->mnt) || is_anon_ns(mnt->mnt_ns)) {
		ret = -EINVAL;
	} else {
		ret = 0;
		ours = mnt->mnt_ns == current->nsproxy->mnt_ns &&
		       is_path_reachable(mnt, mnt->mnt.mnt_root, &root);
		user_ns = get_user_ns(mnt->mnt_ns->user_ns);
	}
	read_sequnlock_excl(&mount_lock);
	path_put(&root);
	if (ret)
		return ret;

	if (!ours && !ns_capable(user_ns, CAP_SYS_ADMIN))
		ret = -EPERM;
	put_user_ns(user_ns);
	return ret ?: security_path_notify(path, 0, FSNOTIFY_OBJ_TYPE_VFSMOUNT);
}

/* Moves are not tracked while no mount is watched, so the cache may be stale */
static void mount_watch_begin(void)
{
	read_seqlock_excl(&mount_lock);
	if (!atomic_read(&mount_nr_watches))
		mount_ancestor_gen++;
	atomic_inc(&mount_nr_watches);
	read_sequnlock_excl(&mount_lock);
}

static int mount_find(struct file *file, u32 flags, bool add,
		      struct watch_target *target)
{
	struct watch_list **slot;
	struct mount *mnt;
	int ret;

	if (!file)
		return -EBADF;
	if (!path_mounted(&file->f_path))
		return -EINVAL;

	mnt = real_mount(file->f_path.mnt);
	slot = flags & WATCH_SUBTREE ? &mnt->mnt_watches.subtree_watches :
				       &mnt->mnt_watches.watches;
	target->id = mnt->mnt_id_unique;
	if (!add) {
		/* Pairs with cmpxchg() in watch_list_get_or_create() */
		target->list = smp_load_acquire(slot);
		return 0;
	}

	ret = mount_may_watch(&file->f_path);
	if (ret)
		return ret;
	target->list = watch_list_get_or_create(slot, mount_release_watch);
	if (!target->list)
		return -ENOMEM;
	mount_watch_begin();
	return 0;
}

/* After this, the caller sees any change that was not reported to the new watch */
static void mount_watch_added(const struct watch_target *target,
			      struct watch_queue *wqueue)
{
	read_seqlock_excl(&mount_lock);
	mount_ancestor_gen++;
	read_sequnlock_excl(&mount_lock);
}

static const struct watch_source mount_source = {
	.type	= WATCH_TYPE_MOUNT_NOTIFY,
	.flags	= WATCH_SUBTREE,
	.find	= mount_find,
	.added	= mount_watch_added,
};

static int __init mount_notify_init(void)
{
	return register_watch_source(&mount_source);
}
fs_initcall(mount_notify_init);
