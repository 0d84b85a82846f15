// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about superblocks
 *
 * An event source for the general notification queue: it reports events of a filesystem
 * as a whole.  These are remounts, freezing, thawing, shutdown, filesystem errors,
 * write-back errors and crossed quota limits.  See
 * Documentation/userspace-api/watch_queue/superblocks.rst.
 *
 * Objects
 *
 *	super_block --1:1-- sb_watchers --1:n-- watch on this filesystem
 *	user_namespace --1:1-- sb_watches --1:n-- watch on all filesystems
 *
 * The sb_watchers of a superblock are created with its first watch, or if there is a
 * watch on all filesystems.  They are freed when the superblock is killed.  While a
 * superblock has no sb_watchers, only its state is stored.  A watch holds no
 * reference on a superblock or a mount.
 *
 * A watch on all filesystems gets the events of those that are owned by the user
 * namespace in which it was added, or by a namespace below.  It is on the list of
 * this namespace, so that other users do not add to the cost of an event.  An event is
 * posted to the lists of the owner of the filesystem and of its ancestors, of which
 * there are at most 33.  A watch pins its user namespace through its credentials, so
 * the list is empty when the namespace is freed.
 *
 * Permission model
 *
 * A program that adds a watch needs CAP_SYS_ADMIN in the user namespace that owns the
 * filesystem, or a file that it can read through a mount in its mount namespace.
 * Without the capability it only gets events that it can also detect with this file:
 *
 *	remounts, read-only	/proc/self/mountinfo, fstatfs(), write()
 *	shutdown		fsync(), which then fails
 *	write-back errors	syncfs(), which does not return the inode
 *	its own quota		quotactl(Q_GETQUOTA)
 *
 * The capability is needed for freezing, which no system call shows; for filesystem
 * errors, as with fanotify; for inode numbers; and for the quota of other users.  A
 * watch on all filesystems needs it in the user namespace of the program.
 *
 * State
 *
 * sb->s_notify_state records that a filesystem rejects changes although SB_RDONLY may
 * not be set, and why, and that it is frozen.  It is set even if there is no watch, as a
 * watch reports the state when it is added.  A filesystem that became read-only by an
 * error is reported once, whether it sets SB_RDONLY, enters a mode of its own or shuts
 * down.
 *
 * sb->s_notify_lock is held while the state changes and a record about the state is
 * built and posted.  So the last of these records in a queue has the present state.  A
 * filesystem sets SB_RDONLY without this lock, but reports it afterwards.
 *
 * Rate limit
 *
 * Each kind of error has a rate limit of its own, see kernel/watch_ratelimit.c, as users
 * can cause errors of data, for example by reading a bad block of a file repeatedly.
 * Users can cause stale pages, failed direct reads of btrfs, and since Linux 7.1 other
 * failures of direct I/O, even on a healthy filesystem.  For quota warnings, see
 * fs/sb_notify_quota.c.
 *
 * Locks, outer to inner
 *
 *	sb->s_umount		serializes remount, freeze and thaw
 *	sb->s_notify_lock	the state and its records; creation and destruction of
 *				sb_watchers; any context, interrupts off
 *	sbw->quota_lock		assignment of the rate limits of quota warnings
 *	rl.lock			errors of one kind; any context, interrupts off
 *	locks of the queue	kernel/watch_queue_internal.h
 *
 * quota_lock is held while rl.lock is taken.  s_notify_lock does not nest with either.
 *
 * Ordering
 *
 * Posters store the new state and then call sb_has_watchers(), whose barrier pairs
 * with the barrier in add_watch_to_object().  A program that adds a watch and then
 * reads the state either reads the new state or gets the record.  State records do not
 * rely on this, but on s_notify_lock: if a poster does not find the sb_watchers, they
 * are created after its critical section, and then the state is read.
 *
 * Protection of members
 *
 *	sb->s_watchers		s_notify_lock to write; readers use RCU or hold an
 *				active reference on the superblock
 *	sb->s_notify_state	s_notify_lock to write, READ_ONCE() without it
 *	user_ns->sb_watches	set once, with cmpxchg()
 *	sb_watchers
 *	  watchers		lock of its own
 *	  sb, id		constant
 *	  quota			key under quota_lock; rl has a lock of its own
 *	sb_errors
 *	  owner, subtype	constant
 *	  rl			lock of its own
 */

#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/init.h>
#include <linux/kdev_t.h>
#include <linux/lockdep.h>
#include <linux/mount.h>
#include <linux/rcupdate.h>
#include <linux/sb_notify.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>
#include <linux/watch_queue.h>
#include <linux/watch_ratelimit.h>

#include "internal.h"
#include "sb_notify_internal.h"
#include "sb_state.h"

static_assert(sizeof(struct superblock_notification) == 40);
static_assert(sizeof(struct superblock_error_notification) == 88);
static_assert(sizeof(struct sb_error) <= WATCH_RATELIMIT_EVENT_SIZE);

/* Object ID of watches on all filesystems, and sb_id of the end of their list */
#define SB_ALL	0

/*
 * Permission of a watch; watch->private is not NULL if the watch is privileged
 */

bool sb_watch_privileged(const struct watch *watch, const void *unused)
{
	return watch->private;
}

bool sb_watch_unprivileged(const struct watch *watch, const void *unused)
{
	return !watch->private;
}

/*
 * State
 */

/* The bits that every record has */
static u32 sb_state(const struct super_block *sb)
{
	u32 state = READ_ONCE(sb->s_notify_state), info = 0;

	if (sb_rejects_changes(sb))
		info |= NOTIFY_SB_IS_RDONLY;
	if (state & SB_NOTIFY_ERROR)
		info |= NOTIFY_SB_BY_ERROR;
	if (state & SB_NOTIFY_SHUTDOWN)
		info |= NOTIFY_SB_IS_SHUTDOWN;
	if (sb->s_user_ns != &init_user_ns)
		info |= NOTIFY_SB_IN_USER_NS;
	return info;
}

static void sb_set_state(struct super_block *sb, u32 clear, u32 set)
{
	lockdep_assert_held(&sb->s_notify_lock);

	WRITE_ONCE(sb->s_notify_state, (sb->s_notify_state & ~clear) | set);
}

/*
 * Posting
 */

/* The watches on all filesystems that were added in @ns */
static struct watch_list *sb_watches_in(struct user_namespace *ns)
{
	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	return smp_load_acquire(&ns->sb_watches);
}

static bool sb_list_is_watched(const struct watch_list *wlist)
{
	return wlist && !hlist_empty(&wlist->watchers);
}

/* Is there a watch on all filesystems that includes @sb? */
static bool sb_all_is_watched(const struct super_block *sb)
{
	for (struct user_namespace *ns = sb->s_user_ns; ns; ns = ns->parent) {
		if (sb_list_is_watched(sb_watches_in(ns)))
			return true;
	}
	return false;
}

bool sb_is_watched(const struct sb_watchers *sbw)
{
	return sb_list_is_watched(&sbw->watchers) || sb_all_is_watched(sbw->sb);
}

struct superblock_notification
sb_record(const struct sb_watchers *sbw, u32 subtype, u32 len)
{
	const struct super_block *sb = sbw->sb;
	struct superblock_notification n = {
		.watch.type	= WATCH_TYPE_SB_NOTIFY,
		.watch.subtype	= subtype,
		.watch.info	= len | sb_state(sb),
		.sb_id		= sbw->id,
		.dev_major	= MAJOR(sb->s_dev),
		.dev_minor	= MINOR(sb->s_dev),
	};

	memcpy(n.fs_type, sb->s_notify_type, sizeof(n.fs_type));
	return n;
}

/* Post to the watches on all filesystems that include the one of @sbw */
static void sb_post_to_all(struct sb_watchers *sbw, const struct watch_notification *n,
			   const struct cred *cred,
			   bool (*may_notify)(const struct watch *watch, const void *data),
			   const void *data)
{
	for (struct user_namespace *ns = sbw->sb->s_user_ns; ns; ns = ns->parent) {
		struct watch_list *wlist = sb_watches_in(ns);

		if (sb_list_is_watched(wlist))
			post_watch_notification_if(wlist, n, cred, SB_ALL, may_notify,
						   data);
	}
}

void sb_post(struct sb_watchers *sbw, const struct watch_notification *n,
	     const struct cred *cred,
	     bool (*may_notify)(const struct watch *watch, const void *data),
	     const void *data)
{
	post_watch_notification_if(&sbw->watchers, n, cred, sbw->id, may_notify, data);
	sb_post_to_all(sbw, n, cred, may_notify, data);
}

/* Post a record about the state, with more bits of info */
static void sb_post_event(struct super_block *sb, u32 subtype, u32 info,
			  const struct cred *cred,
			  bool (*may_notify)(const struct watch *watch, const void *data))
{
	struct superblock_notification n;
	struct sb_watchers *sbw;

	lockdep_assert_held(&sb->s_notify_lock);

	if (!sb_has_watchers(sb))
		return;
	sbw = rcu_dereference_protected(sb->s_watchers,
					lockdep_is_held(&sb->s_notify_lock));
	n = sb_record(sbw, subtype, watch_sizeof(n) | info);
	sb_post(sbw, &n.watch, cred, may_notify, NULL);
}

/**
 * sb_notify_reconfigured - notify watchers of a remount
 * @sb: the superblock, after the remount
 * @was_ro: true if it had SB_RDONLY before
 *
 * A filesystem calls this if it clears SB_RDONLY without a remount.
 *
 * Context: Process context, sb->s_umount held for writing.
 */
void sb_notify_reconfigured(struct super_block *sb, bool was_ro)
{
	u32 subtype = NOTIFY_SB_RECONFIGURED;
	bool ro;

	lockdep_assert_held_write(&sb->s_umount);

	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		ro = sb_rdonly(sb);
		/* An error during the remount may have set SB_RDONLY, which was cleared again */
		was_ro |= sb->s_notify_state & SB_NOTIFY_RDONLY;
		if (ro != was_ro && !(sb->s_notify_state & SB_NOTIFY_FINAL)) {
			sb_set_state(sb, SB_NOTIFY_RDONLY | SB_NOTIFY_ERROR, 0);
			subtype = ro ? NOTIFY_SB_RDONLY : NOTIFY_SB_RDWR;
		}
		sb_post_event(sb, subtype, 0, current_cred(), NULL);
	}
	mount_notify_fs(sb);
}
EXPORT_SYMBOL_GPL(sb_notify_reconfigured);

/**
 * sb_notify_frozen - notify watchers that a filesystem was frozen or thawed
 * @sb: the superblock
 * @frozen: true if it was frozen, or if a suspend ended and it remains frozen
 * @by_suspend: true if it was frozen for a suspend; unused if it was thawed
 *
 * Freezing nests, and only the first freeze and the last thaw are reported.  So a suspend
 * may end a freeze that a program began, and vice versa.  A thaw has the flag for
 * a suspend if the freeze has it.  If the filesystem remains frozen after a suspend,
 * this is reported as a freeze without the flag, unless one was reported before.
 *
 * Context: Process context, sb->s_umount held for writing.
 */
void sb_notify_frozen(struct super_block *sb, bool frozen, bool by_suspend)
{
	bool hold = frozen && !by_suspend, was_hold;

	lockdep_assert_held_write(&sb->s_umount);

	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		was_hold = sb->s_notify_state & SB_NOTIFY_FROZEN;
		if (hold && was_hold)
			return;
		sb_set_state(sb, SB_NOTIFY_FROZEN, hold ? SB_NOTIFY_FROZEN : 0);
		sb_post_event(sb, frozen ? NOTIFY_SB_FROZEN : NOTIFY_SB_THAWED,
			      hold || was_hold ? 0 : NOTIFY_SB_BY_SUSPEND,
			      current_cred(), sb_watch_privileged);
	}
}

/* Return false if this was reported before.  @state is 0 or SB_NOTIFY_FINAL. */
static bool sb_stop(struct super_block *sb, u32 state)
{
	lockdep_assert_held(&sb->s_notify_lock);

	if (sb->s_notify_state & SB_NOTIFY_RDONLY) {
		sb_set_state(sb, 0, state);
		return false;
	}
	sb_set_state(sb, 0, SB_NOTIFY_RDONLY | SB_NOTIFY_ERROR | state);
	sb_post_event(sb, NOTIFY_SB_RDONLY, 0, NULL, NULL);
	return true;
}

/**
 * sb_notify_rdonly - notify watchers that an error made a filesystem read-only
 * @sb: the superblock, whose flag SB_RDONLY was set by the caller
 *
 * The filesystem was writable before.  A remount can make it writable again.  Reported
 * once.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
void sb_notify_rdonly(struct super_block *sb)
{
	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		/* A remount may have cleared SB_RDONLY already */
		if (!sb_rdonly(sb) || !sb_stop(sb, 0))
			return;
	}
	mount_notify_fs(sb);
}
EXPORT_SYMBOL_GPL(sb_notify_rdonly);

/**
 * sb_notify_aborted - notify watchers that a filesystem permanently rejects changes
 * @sb: the superblock, with or without SB_RDONLY
 *
 * Because of an error, the filesystem rejects changes until it is unmounted.  A remount
 * that clears SB_RDONLY does not change this, so this is also reported if the filesystem
 * was read-only before.  Reported once, as by sb_notify_rdonly().
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
void sb_notify_aborted(struct super_block *sb)
{
	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		if (!sb_stop(sb, SB_NOTIFY_FINAL))
			return;
	}
	mount_notify_fs(sb);
}
EXPORT_SYMBOL_GPL(sb_notify_aborted);

/**
 * sb_notify_shutdown - notify watchers that a filesystem was shut down
 * @sb: the superblock, which is or will be shut down, with or without SB_RDONLY
 * @by_error: false if a program requested the shutdown
 *
 * Reported once.  Unless the filesystem was already read-only, this also reports that
 * it became read-only.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
void sb_notify_shutdown(struct super_block *sb, bool by_error)
{
	bool was_ro;

	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		if (sb->s_notify_state & SB_NOTIFY_SHUTDOWN)
			return;
		was_ro = sb_state(sb) & NOTIFY_SB_IS_RDONLY;
		sb_set_state(sb, 0, SB_NOTIFY_RDONLY | SB_NOTIFY_FINAL |
				    (by_error ? SB_NOTIFY_ERROR : 0));
		if (!was_ro)
			sb_post_event(sb, NOTIFY_SB_RDONLY, 0, NULL, NULL);
		sb_set_state(sb, 0, SB_NOTIFY_SHUTDOWN);
		sb_post_event(sb, NOTIFY_SB_SHUTDOWN, 0, NULL, NULL);
	}
	mount_notify_fs(sb);
}
EXPORT_SYMBOL_GPL(sb_notify_shutdown);

/*
 * Errors, rate limited
 */

static void sb_post_error(struct watch_ratelimit *rl, const void *event, u32 suppressed)
{
	struct sb_errors *errors = container_of(rl, struct sb_errors, rl);
	const struct sb_error *e = event;
	struct sb_watchers *sbw = errors->owner;
	struct superblock_error_notification n = {
		.ino		= e->ino,
		.pos		= e->pos,
		.length		= e->length,
		.time_ns	= e->time_ns,
		.generation	= e->generation,
		.error		= e->error,
		.kind		= e->kind,
		.suppressed	= suppressed,
	};

	n.sb = sb_record(sbw, errors->subtype, watch_sizeof(n));
	sb_post(sbw, &n.sb.watch, NULL, sb_watch_privileged, NULL);
	if (errors->subtype != NOTIFY_SB_WRITEBACK_ERROR)
		return;

	/* A watch on all filesystems is always privileged */
	n.ino = 0;
	n.pos = 0;
	n.length = 0;
	n.generation = 0;
	post_watch_notification_if(&sbw->watchers, &n.sb.watch, NULL, sbw->id,
				   sb_watch_unprivileged, NULL);
}

static void sb_report_error(struct sb_watchers *sbw, struct sb_error *e)
{
	if (!sb_is_watched(sbw))
		return;
	e->time_ns = ktime_get_real_ns();
	watch_ratelimit_post(&sbw->errors[e->kind].rl, e, sizeof(*e));
}

void __sb_notify_error(struct super_block *sb, struct sb_error e)
{
	struct sb_watchers *sbw;

	guard(rcu)();
	sbw = rcu_dereference(sb->s_watchers);
	if (sbw)
		sb_report_error(sbw, &e);
}
EXPORT_SYMBOL_GPL(__sb_notify_error);

/**
 * sb_notify_wb_error - notify watchers of a write-back error
 * @mapping: the address space that could not be written back
 * @error: negative errno
 *
 * __filemap_set_wb_err() calls this after it has recorded the error in @mapping.
 * mapping_set_error() has recorded the error in the superblock before, so a program
 * that reads the record gets the error from fsync() and syncfs() as well.  NFS records
 * the error in the superblock afterwards.  Rate limited, see the banner of this file.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
void sb_notify_wb_error(const struct address_space *mapping, int error)
{
	/* The swap cache has no host */
	if (mapping->host)
		sb_notify_io_error(mapping->host, NOTIFY_SB_BUFFERED_WRITE, 0, 0, error);
}

/*
 * Creation and destruction
 */

static void sb_errors_init(struct sb_watchers *sbw)
{
	for (int i = 0; i < SB_ERROR_KINDS; i++) {
		watch_ratelimit_init(&sbw->errors[i].rl, sb_post_error);
		sbw->errors[i].owner = sbw;
		sbw->errors[i].subtype = i == NOTIFY_SB_BUFFERED_WRITE ?
					 NOTIFY_SB_WRITEBACK_ERROR : NOTIFY_SB_ERROR;
	}
}

static struct sb_watchers *sb_watchers_alloc(struct super_block *sb, gfp_t gfp)
{
	struct sb_watchers *sbw = kzalloc(sizeof(*sbw), gfp);

	if (!sbw)
		return NULL;
	init_watch_list(&sbw->watchers, NULL);
	sbw->sb = sb;
	sbw->id = sb->s_notify_id;
	sb_errors_init(sbw);
	sb_quota_init(sbw);
	return sbw;
}

/*
 * Get or create the watchers of @sb; NULL if out of memory or if @sb is dead.  A caller
 * that has only a passive reference must not use the returned pointer.
 */
static struct sb_watchers *sb_watchers_get(struct super_block *sb, gfp_t gfp)
{
	struct sb_watchers *sbw, *new;

	scoped_guard(rcu)
		sbw = rcu_dereference(sb->s_watchers);
	if (sbw)
		return sbw;

	new = sb_watchers_alloc(sb, gfp);
	if (!new)
		return NULL;
	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		sbw = rcu_dereference_protected(sb->s_watchers,
						lockdep_is_held(&sb->s_notify_lock));
		if (!sbw && !(sb->s_notify_state & SB_NOTIFY_DEAD)) {
			/* Pairs with rcu_dereference() above and in posters */
			rcu_assign_pointer(sb->s_watchers, new);
			return new;
		}
	}
	kfree(new);
	return sbw;
}

/**
 * sb_notify_init - initialize the part of a superblock that this source uses
 * @sb: the superblock, zeroed
 *
 * Context: Any.
 */
void sb_notify_init(struct super_block *sb)
{
	spin_lock_init(&sb->s_notify_lock);
	INIT_LIST_HEAD(&sb->s_mounts_changed);
}

static void sb_errors_apply(struct sb_watchers *sbw,
			    void (*function)(struct watch_ratelimit *rl))
{
	for (int i = 0; i < SB_ERROR_KINDS; i++)
		function(&sbw->errors[i].rl);
}

/**
 * sb_notify_destroy - remove all watches on a superblock
 * @sb: the superblock, after kill_sb(), so that no event can occur
 *
 * Context: Process context, without s_umount and the locks that timers take.  May
 * sleep.
 */
void sb_notify_destroy(struct super_block *sb)
{
	struct superblock_notification n;
	struct sb_watchers *sbw;

	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		sb_set_state(sb, 0, SB_NOTIFY_DEAD);
		sbw = rcu_dereference_protected(sb->s_watchers,
						lockdep_is_held(&sb->s_notify_lock));
	}
	mount_notify_destroy_fs(sb);
	if (!sbw)
		return;

	/* No event occurs any longer: post the last summaries */
	sb_errors_apply(sbw, watch_ratelimit_destroy);
	sb_quota_destroy(sbw);
	/* No state record follows NOTIFY_SB_GONE */
	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		n = sb_record(sbw, NOTIFY_SB_GONE, watch_sizeof(n));
		sb_post_to_all(sbw, &n.watch, NULL, NULL, NULL);
		RCU_INIT_POINTER(sb->s_watchers, NULL);
	}
	remove_watch_from_object(&sbw->watchers, NULL, sbw->id, true);
	kfree_rcu(sbw, rcu);
}

/*
 * All filesystems
 */

/* Watches on all filesystems include @sb if it was mounted and users can mount it */
static bool sb_is_reported(const struct super_block *sb)
{
	return (READ_ONCE(sb->s_notify_state) & SB_NOTIFY_BORN) &&
	       !(sb->s_flags & SB_NOUSER);
}

/* Returns false if this was called before */
static bool sb_set_born(struct super_block *sb)
{
	if (READ_ONCE(sb->s_notify_state) & SB_NOTIFY_BORN)
		return false;
	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		if (sb->s_notify_state & SB_NOTIFY_BORN)
			return false;
		sb_set_state(sb, 0, SB_NOTIFY_BORN);
	}
	return true;
}

/**
 * sb_notify_born - notify watchers of all filesystems of a new filesystem
 * @sb: the superblock, which can be mounted
 *
 * Also reports that an error during mount(2) has stopped it.
 *
 * Does nothing if this was called for @sb before, as when it is mounted again, or if
 * @sb can be mounted by the kernel only.
 *
 * Context: Process context.  May sleep.
 */
void sb_notify_born(struct super_block *sb)
{
	struct superblock_notification n;
	struct sb_watchers *sbw;

	if (!sb_set_born(sb))
		return;
	/* SB_NOTIFY_BORN is visible: pairs with the barrier in add_watch_to_object() */
	smp_mb__before_post();
	if (!sb_is_reported(sb) || !sb_all_is_watched(sb))
		return;

	sbw = sb_watchers_get(sb, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		n = sb_record(sbw, NOTIFY_SB_NEW, watch_sizeof(n));
		sb_post_to_all(sbw, &n.watch, current_cred(), NULL, NULL);
		/* An error during mount(2) was not reported, as nothing was watched */
		if (sb->s_notify_state & SB_NOTIFY_ERROR)
			sb_post_event(sb, NOTIFY_SB_RDONLY, 0, NULL, NULL);
		if (sb->s_notify_state & SB_NOTIFY_SHUTDOWN)
			sb_post_event(sb, NOTIFY_SB_SHUTDOWN, 0, NULL, NULL);
	}
}

/**
 * sb_notify_free_user_ns - free the list of watches on all filesystems
 * @ns: the user namespace, which no filesystem and no watch refers to
 *
 * Context: Process context.  May sleep.
 */
void sb_notify_free_user_ns(struct user_namespace *ns)
{
	remove_watch_list(ns->sb_watches, SB_ALL);
}

/*
 * State records
 */

struct sb_state_watcher {
	const struct watch_queue *wqueue;
	bool privileged;
};

static bool sb_watch_is_of(const struct watch *watch, const void *data)
{
	const struct sb_state_watcher *watcher = data;

	return watch->queue == watcher->wqueue && !!watch->private == watcher->privileged;
}

/* Post @n to the watch of @wqueue; the object is on @wlist, with @id */
static void sb_post_state(struct watch_list *wlist, u64 id,
			  const struct watch_queue *wqueue,
			  struct superblock_notification n)
{
	struct sb_state_watcher watcher = { .wqueue = wqueue, .privileged = true };

	post_watch_notification_if(wlist, &n.watch, NULL, id, sb_watch_is_of, &watcher);
	watcher.privileged = false;
	n.watch.info &= ~NOTIFY_SB_IS_FROZEN;
	n.watch.info |= NOTIFY_SB_UNPRIVILEGED;
	post_watch_notification_if(wlist, &n.watch, NULL, id, sb_watch_is_of, &watcher);
}

/* Report the state of one filesystem to the watch of @wqueue */
static void sb_report_state(struct super_block *sb, struct watch_list *wlist, u64 id,
			    const struct watch_queue *wqueue)
{
	struct superblock_notification n;
	struct sb_watchers *sbw;

	scoped_guard(spinlock_irqsave, &sb->s_notify_lock) {
		sbw = rcu_dereference_protected(sb->s_watchers,
						lockdep_is_held(&sb->s_notify_lock));
		/* It may have been destroyed */
		if (!sbw)
			return;
		n = sb_record(sbw, NOTIFY_SB_STATE, watch_sizeof(n));
		if (sb->s_notify_state & SB_NOTIFY_FROZEN)
			n.watch.info |= NOTIFY_SB_IS_FROZEN;
		sb_post_state(wlist, id, wqueue, n);
	}
}

struct sb_all_watcher {
	struct watch_list *wlist;
	struct user_namespace *ns;
	const struct watch_queue *wqueue;
};

static void sb_report_one(struct super_block *sb, void *arg)
{
	const struct sb_all_watcher *watcher = arg;

	cond_resched();
	if (!sb_is_reported(sb) || !in_userns(watcher->ns, sb->s_user_ns))
		return;
	sb_watchers_get(sb, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	sb_report_state(sb, watcher->wlist, SB_ALL, watcher->wqueue);
}

/* Report the state of all filesystems, and the end of the list */
static void sb_report_all(struct watch_list *wlist, const struct watch_queue *wqueue)
{
	struct sb_all_watcher watcher = {
		.wlist	= wlist,
		.ns	= current_user_ns(),
		.wqueue	= wqueue,
	};
	struct superblock_notification end = {
		.watch.type	= WATCH_TYPE_SB_NOTIFY,
		.watch.subtype	= NOTIFY_SB_STATE,
		.watch.info	= watch_sizeof(end),
		.sb_id		= SB_ALL,
	};

	iterate_supers_unlocked(sb_report_one, &watcher);
	sb_post_state(wlist, SB_ALL, wqueue, end);
}

/*
 * Watches
 */

/* See "Permission model" in the banner */
static int sb_may_watch(const struct path *path, bool privileged)
{
	/*
	 * Symlinks and sockets are world-readable but cannot be opened: MAY_READ
	 * proves nothing.
	 */
	if (!privileged &&
	    (!our_mnt(path->mnt) || !(d_is_reg(path->dentry) || d_is_dir(path->dentry)) ||
	     path_permission(path, MAY_READ)))
		return -EPERM;
	return security_path_notify(path, FS_ERROR, FSNOTIFY_OBJ_TYPE_SB);
}

static int sb_find_all(bool add, struct watch_target *target)
{
	struct user_namespace *ns = current_user_ns();

	target->id = SB_ALL;
	if (!add) {
		target->list = sb_watches_in(ns);
		return 0;
	}
	if (!ns_capable(ns, CAP_SYS_ADMIN))
		return -EPERM;
	target->list = watch_list_get_or_create(&ns->sb_watches, NULL);
	if (!target->list)
		return -ENOMEM;
	target->private = target->list;
	return 0;
}

static int sb_find(struct file *file, u32 flags, bool add,
		   struct watch_target *target)
{
	const struct path *path;
	struct sb_watchers *sbw;
	struct super_block *sb;
	bool privileged;
	int ret;

	if (!file)
		return sb_find_all(add, target);
	path = &file->f_path;
	/*
	 * Refuse kernel-internal mounts: pipes, sockets, anonymous memory, ...  Other flags
	 * can change.
	 */
	if (data_race(path->mnt->mnt_flags) & MNT_INTERNAL)
		return -EINVAL;

	sb = path->mnt->mnt_sb;
	if (add) {
		privileged = ns_capable_noaudit(sb->s_user_ns, CAP_SYS_ADMIN);
		ret = sb_may_watch(path, privileged);
		if (ret)
			return ret;
		sbw = sb_watchers_get(sb, GFP_KERNEL_ACCOUNT);
		if (!sbw)
			return -ENOMEM;
		sb_errors_apply(sbw, watch_ratelimit_flush);
		sb_quota_flush(sbw);
		target->private = privileged ? sbw : NULL;
	} else {
		/* The file keeps the superblock active, so @sbw is not freed */
		scoped_guard(rcu)
			sbw = rcu_dereference(sb->s_watchers);
		if (!sbw)
			return 0;
	}
	target->list = &sbw->watchers;
	target->id = sbw->id;
	return 0;
}

static void sb_added(const struct watch_target *target, struct watch_queue *wqueue)
{
	if (target->id == SB_ALL)
		sb_report_all(target->list, wqueue);
	else
		sb_report_state(container_of(target->list, struct sb_watchers, watchers)->sb,
				target->list, target->id, wqueue);
}

static const struct watch_source sb_watch_source = {
	.type	= WATCH_TYPE_SB_NOTIFY,
	.flags	= WATCH_REPORT_STATE,
	.find	= sb_find,
	.added	= sb_added,
};

static int __init sb_watch_init(void)
{
	return register_watch_source(&sb_watch_source);
}
fs_initcall(sb_watch_init);
