// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about superblocks: quota warnings
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
 * sbw->quota_lock protects the assignment of the rate limits, and is taken before
 * their own locks.
 */

#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/sb_notify.h>
#include <linux/user_namespace.h>

#include "sb_notify_internal.h"

static_assert(sizeof(struct superblock_quota_notification) == 56);

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
	sb_post(sbw, &n.sb.watch, NULL, sb_watch_quota, &w->qid);
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
	sb_post(sbw, &n.sb.watch, NULL, sb_watch_privileged, NULL);
	n.suppressed = 0;
	sb_post(sbw, &n.sb.watch, NULL, sb_watch_unprivileged, NULL);
}

void sb_quota_init(struct sb_watchers *sbw)
{
	spin_lock_init(&sbw->quota_lock);
	for (size_t i = 0; i < SB_QUOTA_LIMITS; i++) {
		watch_ratelimit_init(&sbw->quota[i].rl, sb_post_quota);
		sbw->quota[i].owner = sbw;
	}
	watch_ratelimit_init(&sbw->quota_rest.rl, sb_post_quota_rest);
	sbw->quota_rest.owner = sbw;
}

void sb_quota_flush(struct sb_watchers *sbw)
{
	for (size_t i = 0; i < SB_QUOTA_LIMITS; i++)
		watch_ratelimit_flush(&sbw->quota[i].rl);
	watch_ratelimit_flush(&sbw->quota_rest.rl);
}

void sb_quota_destroy(struct sb_watchers *sbw)
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
	if (!sb_is_watched(sbw))
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

#ifdef CONFIG_SB_NOTIFICATIONS_KUNIT_TEST
#include "tests/sb_notify_kunit.c"
#endif
