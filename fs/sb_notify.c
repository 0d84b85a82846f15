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
 *	super_block --1:1-- sb_watchers --1:n-- watch
 *
 * The sb_watchers of a superblock are created with its first watch and freed when the
 * superblock is killed.  Nothing here holds a reference on a superblock or a mount.
 *
 * Permission model
 *
 * A program that adds a watch needs CAP_SYS_ADMIN in the user namespace that owns the
 * filesystem, or a file that it can read through a mount in its mount namespace.
 * Without the capability it only gets events that it can also detect with this file:
 *
 *	remounts		/proc/self/mountinfo, fstatfs()
 *	shutdown		fsync(), which fails from then on
 *	write-back errors	syncfs(), which does not return the inode
 *	its own quota		quotactl(Q_GETQUOTA)
 *
 * The capability is needed for freezing, which no system call shows; for filesystem
 * errors, as with fanotify; for inode numbers; and for the quota of other users.
 *
 * Rate limit
 *
 * Filesystem errors and write-back errors have one rate limit each, see
 * kernel/watch_ratelimit.c.
 *
 * A user at a quota limit can cause thousands of quota warnings per second by writing
 * and deleting.  Warnings are limited per quota (of a user, group or project) and kind
 * of warning.  A superblock has SB_QUOTA_LIMITS rate limits for this purpose, as
 * posting must not allocate.  A rate limit is assigned to one quota and kind of warning
 * while its period is open.  So a summary is about one quota, and is posted to the
 * watchers that may see this quota.
 *
 * If no rate limit is free, warnings share an additional one.  The first warnings in
 * its period are posted individually.  The summary of the others may be about several
 * quotas, so it does not name a quota.  Only privileged watchers get the number of
 * warnings.  For other watchers, the summary only means that some warnings, possibly
 * about their quota, were suppressed.
 *
 * Locks, outer to inner
 *
 *	sb->s_umount		serializes remount, freeze and thaw, and thereby
 *				their records
 *	quota_lock		assignment of the rate limits of quota warnings
 *	rl.lock			errors of one kind; any context, interrupts off
 *	locks of the queue	kernel/watch_queue_internal.h
 *
 * Ordering
 *
 * Posters store the new state and then call sb_has_watchers(), whose barrier pairs
 * with the barrier in add_watch_to_object().  A program that adds a watch and then
 * reads the state either reads the new state or gets the record.
 *
 * Protection of members
 *
 *	sb->s_watchers		set once, with cmpxchg(), and reset by
 *				sb_notify_destroy(); readers use RCU or hold an
 *				active reference on the superblock
 *	sb_watchers
 *	  watchers		lock of its own
 *	  id, dev		constant
 *	  shut_down		atomic
 *	  quota			key under quota_lock; rl has a lock of its own
 *	sb_errors
 *	  owner, subtype	constant
 *	  rl			lock of its own
 */

#include <linux/atomic.h>
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
#include <linux/quota.h>
#include <linux/rcupdate.h>
#include <linux/sb_notify.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/watch_queue.h>
#include <linux/watch_ratelimit.h>

static_assert(sizeof(struct superblock_notification) == 24);
static_assert(sizeof(struct superblock_error_notification) == 40);
static_assert(sizeof(struct superblock_quota_notification) == 40);

struct sb_watchers;

/* Errors of one kind on one superblock */
struct sb_errors {
	struct watch_ratelimit rl;
	struct sb_watchers *owner;
	u32 subtype;
};

/* One such error */
struct sb_error {
	u64 ino;
	u32 error;		/* positive */
};

static_assert(sizeof(struct sb_error) <= WATCH_RATELIMIT_EVENT_SIZE);

/* Limits struct sb_watchers to 4 KiB, except in debug configurations */
#define SB_QUOTA_LIMITS	24

struct sb_quota_warning {
	struct kqid qid;
	u32 id;			/* of qid, in the user namespace of the superblock */
	u16 warning;		/* QUOTA_NL_* */
};

static_assert(sizeof(struct sb_quota_warning) <= WATCH_RATELIMIT_EVENT_SIZE);

struct sb_quota_limit {
	struct watch_ratelimit rl;
	struct sb_watchers *owner;
	struct sb_quota_warning key;	/* valid while rl is open */
};

struct sb_watchers {
	struct watch_list watchers;
	u64 id;				/* not reused */
	dev_t dev;
	atomic_t shut_down;		/* the shutdown was reported */
	struct sb_errors errors;
	struct sb_errors wb_errors;
#ifdef CONFIG_QUOTACTL
	spinlock_t quota_lock;		/* assignment of the limits */
	struct sb_quota_limit quota[SB_QUOTA_LIMITS];
	struct sb_quota_limit quota_rest;	/* shared, key is unused */
#endif
	struct rcu_head rcu;
};

/*
 * Permission of a watch; watch->private is not NULL if the watch is privileged
 */

static bool sb_watch_privileged(const struct watch *watch, const void *unused)
{
	return watch->private;
}

static bool sb_watch_unprivileged(const struct watch *watch, const void *unused)
{
	return !watch->private;
}

#ifdef CONFIG_QUOTACTL
/* The check of quotactl(Q_GETQUOTA), for the credentials of the watch */
static bool sb_watch_quota(const struct watch *watch, const void *data)
{
	const struct kqid *qid = data;

	if (watch->private)
		return true;

	switch (qid->type) {
	case USRQUOTA:
		return uid_eq(watch->cred->euid, qid->uid);
	case GRPQUOTA:
		return gid_eq(watch->cred->egid, qid->gid) ||
		       groups_search(watch->cred->group_info, qid->gid);
	default:
		return false;
	}
}
#endif

/*
 * Posting
 */

static struct superblock_notification
sb_record(const struct sb_watchers *sbw, u32 subtype, u32 len)
{
	return (struct superblock_notification) {
		.watch.type	= WATCH_TYPE_SB_NOTIFY,
		.watch.subtype	= subtype,
		.watch.info	= len,
		.sb_id		= sbw->id,
		.dev_major	= MAJOR(sbw->dev),
		.dev_minor	= MINOR(sbw->dev),
	};
}

static void sb_post(struct super_block *sb, u32 subtype, const struct cred *cred,
		    bool (*may_notify)(const struct watch *watch, const void *data))
{
	struct superblock_notification n;
	struct sb_watchers *sbw;

	guard(rcu)();
	sbw = rcu_dereference(sb->s_watchers);
	if (!sbw)
		return;
	n = sb_record(sbw, subtype, watch_sizeof(n));
	post_watch_notification_if(&sbw->watchers, &n.watch, cred, sbw->id,
				   may_notify, NULL);
}

void __sb_notify_reconfigured(struct super_block *sb, bool was_ro)
{
	u32 subtype = NOTIFY_SB_RECONFIGURED;

	lockdep_assert_held_write(&sb->s_umount);

	if (sb_rdonly(sb) != was_ro)
		subtype = was_ro ? NOTIFY_SB_RDWR : NOTIFY_SB_RDONLY;
	sb_post(sb, subtype, current_cred(), NULL);
}

void __sb_notify_frozen(struct super_block *sb, bool frozen)
{
	lockdep_assert_held_write(&sb->s_umount);

	sb_post(sb, frozen ? NOTIFY_SB_FROZEN : NOTIFY_SB_THAWED, current_cred(),
		sb_watch_privileged);
}

void __sb_notify_shutdown(struct super_block *sb)
{
	struct sb_watchers *sbw;

	/* Report a shutdown once: callers may race, and it is final */
	scoped_guard(rcu) {
		sbw = rcu_dereference(sb->s_watchers);
		if (!sbw || atomic_xchg(&sbw->shut_down, 1))
			return;
	}
	sb_post(sb, NOTIFY_SB_SHUTDOWN, NULL, NULL);
}
EXPORT_SYMBOL_GPL(__sb_notify_shutdown);

/*
 * Errors, rate limited
 */

static void sb_post_error(struct watch_ratelimit *rl, const void *event, u32 suppressed)
{
	struct sb_errors *errors = container_of(rl, struct sb_errors, rl);
	const struct sb_error *e = event;
	struct sb_watchers *sbw = errors->owner;
	struct superblock_error_notification n = {
		.ino	= e->ino,
		.error	= e->error,
		.suppressed = suppressed,
	};

	n.sb = sb_record(sbw, errors->subtype, watch_sizeof(n));
	post_watch_notification_if(&sbw->watchers, &n.sb.watch, NULL, sbw->id,
				   sb_watch_privileged, NULL);
	if (errors->subtype != NOTIFY_SB_WRITEBACK_ERROR)
		return;
	n.ino = 0;
	post_watch_notification_if(&sbw->watchers, &n.sb.watch, NULL, sbw->id,
				   sb_watch_unprivileged, NULL);
}

static void sb_report_error(struct sb_errors *errors, u64 ino, int error)
{
	struct sb_error e = { .ino = ino, .error = abs(error) };

	if (!hlist_empty(&errors->owner->watchers.watchers))
		watch_ratelimit_post(&errors->rl, &e, sizeof(e));
}

void __sb_notify_error(struct super_block *sb, u64 ino, int error)
{
	struct sb_watchers *sbw;

	guard(rcu)();
	sbw = rcu_dereference(sb->s_watchers);
	if (sbw)
		sb_report_error(&sbw->errors, ino, error);
}
EXPORT_SYMBOL_GPL(__sb_notify_error);

/**
 * sb_notify_wb_error - notify watchers of a write-back error
 * @mapping: the address space that could not be written back
 * @error: negative errno
 *
 * __filemap_set_wb_err() calls this after it has recorded the error in @mapping.
 * mapping_set_error() has recorded the error in the superblock before.  So a program
 * that reads the record gets the error from fsync() and syncfs() as well.  Rate
 * limited, see the banner of this file.
 *
 * Context: Any but NMI.
 */
void sb_notify_wb_error(const struct address_space *mapping, int error)
{
	const struct inode *inode = mapping->host;
	struct sb_watchers *sbw;

	/* The swap cache has no host */
	if (!inode || !sb_has_watchers(inode->i_sb))
		return;

	guard(rcu)();
	sbw = rcu_dereference(inode->i_sb->s_watchers);
	if (sbw)
		sb_report_error(&sbw->wb_errors, inode->i_ino, error);
}

/*
 * Quota warnings, rate limited
 */

#ifdef CONFIG_QUOTACTL
/* No credentials: a summary may be about warnings of several tasks */
static void sb_post_quota(struct watch_ratelimit *rl, const void *event,
			  u32 suppressed)
{
	struct sb_quota_limit *limit = container_of(rl, struct sb_quota_limit, rl);
	const struct sb_quota_warning *w = event;
	struct sb_watchers *sbw = limit->owner;
	struct superblock_quota_notification n = {
		.id		= w->id,
		.id_type	= w->qid.type,
		.warning	= w->warning,
		.suppressed	= suppressed,
	};

	n.sb = sb_record(sbw, NOTIFY_SB_QUOTA, watch_sizeof(n));
	post_watch_notification_if(&sbw->watchers, &n.sb.watch, NULL, sbw->id,
				   sb_watch_quota, &w->qid);
}

static void sb_post_quota_rest(struct watch_ratelimit *rl, const void *event,
			       u32 suppressed)
{
	struct sb_quota_limit *limit = container_of(rl, struct sb_quota_limit, rl);
	struct sb_watchers *sbw = limit->owner;
	struct superblock_quota_notification n = {
		.id		= -1,
		.warning	= QUOTA_NL_NOWARN,
		.suppressed	= suppressed,
	};

	if (!suppressed) {
		sb_post_quota(rl, event, 0);
		return;
	}

	/* The warnings may be about several quotas: do not name one */
	n.sb = sb_record(sbw, NOTIFY_SB_QUOTA, watch_sizeof(n));
	post_watch_notification_if(&sbw->watchers, &n.sb.watch, NULL, sbw->id,
				   sb_watch_privileged, NULL);
	n.suppressed = 0;
	post_watch_notification_if(&sbw->watchers, &n.sb.watch, NULL, sbw->id,
				   sb_watch_unprivileged, NULL);
}

static void sb_quota_init(struct sb_watchers *sbw)
{
	spin_lock_init(&sbw->quota_lock);
	for (size_t i = 0; i < SB_QUOTA_LIMITS; i++) {
		watch_ratelimit_init(&sbw->quota[i].rl, sb_post_quota);
		sbw->quota[i].owner = sbw;
	}
	watch_ratelimit_init(&sbw->quota_rest.rl, sb_post_quota_rest);
	sbw->quota_rest.owner = sbw;
}

static void sb_quota_flush(struct sb_watchers *sbw)
{
	for (size_t i = 0; i < SB_QUOTA_LIMITS; i++)
		watch_ratelimit_flush(&sbw->quota[i].rl);
	watch_ratelimit_flush(&sbw->quota_rest.rl);
}

static void sb_quota_destroy(struct sb_watchers *sbw)
{
	for (size_t i = 0; i < SB_QUOTA_LIMITS; i++)
		watch_ratelimit_destroy(&sbw->quota[i].rl);
	watch_ratelimit_destroy(&sbw->quota_rest.rl);
}

/*
 * Return the rate limit that is assigned to the quota and kind of warning of @w, or
 * assign a free one, or return the shared one.  Only posters open a period, under
 * quota_lock, so a rate limit that is found free remains free.
 */
static struct sb_quota_limit *sb_quota_limit(struct sb_watchers *sbw,
					     const struct sb_quota_warning *w)
{
	struct sb_quota_limit *unused = NULL;

	lockdep_assert_held(&sbw->quota_lock);

	for (size_t i = 0; i < SB_QUOTA_LIMITS; i++) {
		struct sb_quota_limit *limit = &sbw->quota[i];

		if (!watch_ratelimit_is_open(&limit->rl))
			unused = limit;
		else if (qid_eq(limit->key.qid, w->qid) &&
			 limit->key.warning == w->warning)
			return limit;
	}
	if (!unused)
		return &sbw->quota_rest;
	unused->key = *w;
	return unused;
}

static void sb_report_quota(struct sb_watchers *sbw,
			    const struct sb_quota_warning *w)
{
	if (hlist_empty(&sbw->watchers.watchers))
		return;

	scoped_guard(spinlock_irqsave, &sbw->quota_lock)
		watch_ratelimit_post(&sb_quota_limit(sbw, w)->rl, w, sizeof(*w));
}

void __sb_notify_quota(struct super_block *sb, struct kqid qid, u16 warning)
{
	const struct sb_quota_warning w = {
		.qid		= qid,
		/* Quota IDs of a filesystem always map into its user namespace */
		.id		= from_kqid_munged(sb->s_user_ns, qid),
		.warning	= warning,
	};
	struct sb_watchers *sbw;

	guard(rcu)();
	sbw = rcu_dereference(sb->s_watchers);
	if (sbw)
		sb_report_quota(sbw, &w);
}
EXPORT_SYMBOL_GPL(__sb_notify_quota);
#else
static void sb_quota_init(struct sb_watchers *sbw)
{
}

static void sb_quota_flush(struct sb_watchers *sbw)
{
}

static void sb_quota_destroy(struct sb_watchers *sbw)
{
}
#endif /* CONFIG_QUOTACTL */

/*
 * Watches
 */

static void sb_errors_init(struct sb_errors *errors, struct sb_watchers *owner,
			   u32 subtype)
{
	watch_ratelimit_init(&errors->rl, sb_post_error);
	errors->owner = owner;
	errors->subtype = subtype;
}

/* Get or create the watchers of @sb, which the caller keeps active */
static struct sb_watchers *sb_watchers_get(struct super_block *sb)
{
	static atomic64_t last_id;
	struct sb_watchers *sbw, *new;

	/* Pairs with cmpxchg() below; not freed as long as @sb is active */
	scoped_guard(rcu)
		sbw = rcu_dereference(sb->s_watchers);
	if (sbw)
		return sbw;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	init_watch_list(&new->watchers, NULL);
	new->id = atomic64_inc_return(&last_id);
	new->dev = sb->s_dev;
	sb_errors_init(&new->errors, new, NOTIFY_SB_ERROR);
	sb_errors_init(&new->wb_errors, new, NOTIFY_SB_WRITEBACK_ERROR);
	sb_quota_init(new);

	/* Pairs with rcu_dereference() above and in posters */
	sbw = unrcu_pointer(cmpxchg(&sb->s_watchers, NULL, RCU_INITIALIZER(new)));
	if (!sbw)
		return new;
	kfree(new);
	return sbw;
}

void __sb_notify_destroy(struct super_block *sb)
{
	/* No lock: without a reference to @sb, no watch can be added */
	struct sb_watchers *sbw = rcu_replace_pointer(sb->s_watchers, NULL, true);

	/* From here on only posters that have found @sbw under RCU use it */
	watch_ratelimit_destroy(&sbw->errors.rl);
	watch_ratelimit_destroy(&sbw->wb_errors.rl);
	sb_quota_destroy(sbw);
	remove_watch_from_object(&sbw->watchers, NULL, sbw->id, true);
	kfree_rcu(sbw, rcu);
}

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

static int sb_find(struct file *file, u32 flags, bool add,
		   struct watch_target *target)
{
	const struct path *path;
	struct sb_watchers *sbw;
	struct super_block *sb;
	bool privileged;
	int ret;

	if (!file)
		return -EBADF;
	path = &file->f_path;
	/* Refuse kernel-internal mounts: pipes, sockets, anonymous memory, ... */
	if (path->mnt->mnt_flags & MNT_INTERNAL)
		return -EINVAL;

	sb = path->mnt->mnt_sb;
	if (add) {
		privileged = ns_capable_noaudit(sb->s_user_ns, CAP_SYS_ADMIN);
		ret = sb_may_watch(path, privileged);
		if (ret)
			return ret;
		sbw = sb_watchers_get(sb);
		if (!sbw)
			return -ENOMEM;
		watch_ratelimit_flush(&sbw->errors.rl);
		watch_ratelimit_flush(&sbw->wb_errors.rl);
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

static const struct watch_source sb_watch_source = {
	.type	= WATCH_TYPE_SB_NOTIFY,
	.find	= sb_find,
};

static int __init sb_watch_init(void)
{
	return register_watch_source(&sb_watch_source);
}
fs_initcall(sb_watch_init);

#ifdef CONFIG_SB_NOTIFICATIONS_KUNIT_TEST
#include "tests/sb_notify_kunit.c"
#endif
