// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about mounts
 *
 * A source of events for the general notification queue: what happens to the
 * mounts of a namespace, told to who watches a mount or all that is below it.
 * See Documentation/userspace-api/watch_queue.rst.
 *
 * When events are posted
 *
 * Under mount_lock, in the section that makes the change.  Posting neither
 * sleeps nor allocates, so that there is nothing to note for later and nothing
 * to lose for want of memory; pollers of /proc/PID/mountinfo are woken under
 * this lock as well.  The lock gives the events their order, and keeps the tree
 * as it is while we look for who watches.  Whoever asks statmount() for a mount
 * that it was told of waits for namespace_sem and sees the change; or, where a
 * mount's flags were set without it, sees them as they were set before the record.
 *
 * What is done under this lock must be no more than what was asked for.  Each
 * mount knows the next watched one above it, so a record costs what its watchers
 * cost, and not the way to the root: a chain of mounts may be long.  And users
 * have but a few watches each (user.max_watch_queue_watches), as every mount of a tree
 * that is unmounted is told to every watch above it.
 *
 * Who hears of them
 *
 * Each watch that an event concerns gets one record of it.  A watch on a mount is
 * concerned if this mount is the one that the event is about, or one of its
 * parents, old and new.  A watch with WATCH_SUBTREE is also concerned if its
 * mount is further up.
 *
 * The mounts that hang together are all of one namespace, and stay in it until
 * they are unmounted.  The one exception is a detached tree, which may be attached
 * in a namespace that the watcher may not look into; so it cannot be watched.
 *
 * Locks, outer to inner
 *
 *	namespace_sem		see fs/namespace.c
 *	mount_lock		the tree, mnt_ns and mnt_flags
 *	wait.lock of a queue	see kernel/watch_queue.c
 *
 * Lifetime
 *
 * A mount gets its lists of watches when the first watch is set, by somebody who
 * holds a reference on the mount, and keeps them until it is freed.  A poster
 * holds mount_lock, and comes from a mount that its caller holds, over mounts that
 * are parents of each other: who frees a mount takes its children off it under
 * this lock first.  A watch holds no reference on the mount.
 *
 * Ordering
 *
 * A list is filled in, then published with cmpxchg(), which is ordered.  Posters
 * load it with acquire.  mount_nr_watches is raised before a watch is set, and
 * mount_lock taken once more after, so that a change that the setter does not see
 * when it looks at the mounts then is one that it will be told of.
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

/* How many watches there are, on any mount */
atomic_t mount_nr_watches = ATOMIC_INIT(0);

/*
 * What mounts know of those above them is true if it is of this age, which ends
 * when somebody watches one mount more, when a mount gets other parents such that it
 * matters, or may have got them unnoticed: while nobody watched.  Under mount_lock.
 *
 * A mount that somebody does not watch any more may still be known to others, as long
 * as it is above them.  How many are known in one age is bounded by how many were
 * watched at one time, and so is how often an age can end while one system call moves
 * many mounts: each time with one of those that are known, or watched.
 */
static u64 mount_above_age = 1;

/* Which search of mount_meeting() a mount was last seen by; under mount_lock */
static u64 mount_meeting_nr;

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
		n.watch.info |= NOTIFY_MOUNT_IS_RO;
	if (mnt->mnt.mnt_flags & MNT_SHRINKABLE)
		n.watch.info |= NOTIFY_MOUNT_AUTOMOUNT;
	if (propagated)
		n.watch.info |= NOTIFY_MOUNT_PROPAGATED;
	return n;
}

static void mount_post_here(const struct mount *at,
			    const struct mount_notification *n)
{
	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	post_watch_notification(smp_load_acquire(&at->mnt_watches.here),
				&n->watch, NULL, at->mnt_id_unique);
}

/* @named: the record tells of @at by its ID */
static void mount_post_below(const struct mount *at,
			     struct mount_notification *n, bool named)
{
	n->watch.info &= ~NOTIFY_MOUNT_IN_SUBTREE;
	if (!named)
		n->watch.info |= NOTIFY_MOUNT_IN_SUBTREE;

	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	post_watch_notification(smp_load_acquire(&at->mnt_watches.below),
				&n->watch, NULL, at->mnt_id_unique);
	n->watch.info &= ~NOTIFY_MOUNT_IN_SUBTREE;
}

/* A list that is left over, with nobody in it, is not worth a visit */
static bool mount_watched_below(const struct mount *at)
{
	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	const struct watch_list *wlist = smp_load_acquire(&at->mnt_watches.below);

	return wlist && !hlist_empty(&wlist->watchers);
}

/*
 * The next mount above @mnt that has watches of all that is below it, or NULL.  All
 * mounts on the way there have the same one, and are told.
 */
static struct mount *mount_watched_above(struct mount *mnt)
{
	struct mount *at = mnt, *above = NULL;

	lockdep_assert_held(&mount_lock.lock);

	for (;; at = at->mnt_parent) {
		if (at->mnt_watches.above_age == mount_above_age) {
			above = at->mnt_watches.above;
			break;
		}
		if (at == at->mnt_parent)
			break;
		if (mount_watched_below(at->mnt_parent)) {
			above = at->mnt_parent;
			above->mnt_watches.named_age = mount_above_age;
			break;
		}
	}

	for (;; mnt = mnt->mnt_parent) {
		mnt->mnt_watches.above = above;
		mnt->mnt_watches.above_age = mount_above_age;
		if (mnt == at)
			return above;
	}
}

/* What concerns one mount that stays, comes or goes where it is */
static void mount_post(struct mount *mnt, struct mount_notification *n)
{
	struct mount *parent = mnt->mnt_parent, *at;

	mount_post_here(mnt, n);
	mount_post_below(mnt, n, true);

	if (parent != mnt)
		mount_post_here(parent, n);
	for (at = mnt; (at = mount_watched_above(at));)
		mount_post_below(at, n, at == parent);
}

static void mount_post_at(struct mount *mnt, u8 subtype, bool propagated)
{
	struct mount_notification n = mount_record(mnt, mnt->mnt_parent,
						   subtype, propagated);

	mount_post(mnt, &n);
}

/* The lowest mount that both are, or are below; NULL if there is none */
static struct mount *mount_meeting(struct mount *a, struct mount *b)
{
	u64 nr = ++mount_meeting_nr;

	lockdep_assert_held(&mount_lock.lock);

	/* In turn, so that it does not take the way to the root if they are near */
	while (a || b) {
		if (a) {
			if (a->mnt_watches.meeting_nr == nr)
				return a;
			a->mnt_watches.meeting_nr = nr;
			a = a == a->mnt_parent ? NULL : a->mnt_parent;
		}
		swap(a, b);
	}
	return NULL;
}

/* Is there one from @at up to @meeting, without that, that is known or watched? */
static bool mount_on_the_way(const struct mount *at, const struct mount *meeting)
{
	for (; at != meeting; at = at->mnt_parent) {
		if (at->mnt_watches.named_age == mount_above_age ||
		    mount_watched_below(at))
			return true;
		if (at == at->mnt_parent)
			break;
	}
	return false;
}

/*
 * Once for each watch: where the mount can be seen after the move it is MOVE_TO,
 * and MOVE_FROM where it can be seen no more, which is below where the chains of
 * parents from @from and from @to meet.
 */
void __mount_notify_move(struct mount *mnt, struct mount *from,
			 struct mount *to, bool propagated)
{
	struct mount *at, *meeting = mount_meeting(from, to);
	struct mount_notification n, gone;

	lockdep_assert_held(&mount_lock.lock);

	/* Else what is watched above both is all that is watched above either */
	if (mount_on_the_way(from, meeting) || mount_on_the_way(to, meeting))
		mount_above_age++;
	n = mount_record(mnt, to, NOTIFY_MOUNT_MOVE_TO, propagated);
	n.old_parent_id = from->mnt_id_unique;
	gone = n;
	gone.watch.subtype = NOTIFY_MOUNT_MOVE_FROM;

	mount_post_here(mnt, &n);
	mount_post_below(mnt, &n, true);

	mount_post_here(to, &n);
	mount_post_below(to, &n, true);
	for (at = to; (at = mount_watched_above(at));)
		mount_post_below(at, &n, at == from);

	if (from != to)
		mount_post_here(from, &gone);
	for (at = from; at != meeting; at = at->mnt_parent) {
		mount_post_below(at, &gone, at == from);
		if (at == at->mnt_parent)
			break;
	}
}

/* Parents first; @skip is passed over with all that is on it */
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
 * A mount without a namespace is not visible yet, or not any more.  A detached mount
 * cannot be watched.  It must not cache its ancestors either, as it gets others when
 * it is attached; then nothing need be invalidated.
 */
static bool mount_is_visible(const struct mount *mnt)
{
	return mnt->mnt_ns && !is_anon_ns(mnt->mnt_ns);
}

void __mount_notify_new(struct mount *tree, bool propagated)
{
	struct mount *mnt, *over = NULL;

	/* An automount below a detached mount */
	if (!mount_is_visible(tree->mnt_parent))
		return;

	for (mnt = tree; mnt; mnt = mount_next(mnt, tree, over)) {
		/* The mount that @tree was mounted beneath is in the namespace */
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
	u64 nr = ++mount_meeting_nr;

	lockdep_assert_held(&mount_lock.lock);

	list_for_each_entry(mnt, list, mnt_list) {
		if (last && mnt->mnt_parent->mnt_watches.meeting_nr != nr)
			break;
		mnt->mnt_watches.meeting_nr = nr;
		last = mnt;
	}
	return last;
}

void __mount_notify_umount(struct list_head *list, bool expired)
{
	struct mount *mnt, *last = mount_last_requested(list);
	bool propagated = true;

	/* Children first, as a program would have to unmount them */
	list_for_each_entry_reverse(mnt, list, mnt_list) {
		struct mount_notification n;

		if (mnt == last)
			propagated = false;
		/* Mounts that are undone after an error were never visible */
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

	/* It may have been unmounted in the meantime, which was reported */
	if (!mount_is_visible(mnt))
		return;
	if (changed & MNT_READONLY)
		mount_post_at(mnt, NOTIFY_MOUNT_READONLY, false);
	if (changed & ~MNT_READONLY)
		mount_post_at(mnt, NOTIFY_MOUNT_SETATTR, false);
}

/* Will change_mnt_propagation() make a difference to the mount itself? */
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
	/* With peers left, its slaves stay slaves of the same group */
	if (type == MS_SHARED || !list_empty(&mnt->mnt_share))
		return;

	list_for_each_entry(slave, &mnt->mnt_slave_list, mnt_slave) {
		/* Not after the record of its unmounting */
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

void __mount_notify_gone(struct mount_watches *watches, u64 mnt_id)
{
	remove_watch_list(watches->here, mnt_id);
	remove_watch_list(watches->below, mnt_id);
}

/*
 * Setting and removing watches
 */

static void mount_release_watch(struct watch *watch)
{
	atomic_dec(&mount_nr_watches);
}

/*
 * As statmount() has it: the mount is in the caller's namespace and can be reached
 * from the caller's root, or the caller has CAP_SYS_ADMIN over its namespace.
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
	/* Not a mount of the kernel's own, unmounted, or detached */
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

/* What is known of mounts above is not true any more, if it ever was */
static void mount_end_age(int more_watches)
{
	read_seqlock_excl(&mount_lock);
	mount_above_age++;
	atomic_add(more_watches, &mount_nr_watches);
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
	slot = flags & WATCH_SUBTREE ? &mnt->mnt_watches.below :
				       &mnt->mnt_watches.here;
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
	/* Nothing is cached while no mount is watched */
	mount_end_age(1);
	return 0;
}

/* A change that missed the new watch is visible to the caller from here on */
static void mount_watch_added(void)
{
	mount_end_age(0);
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
