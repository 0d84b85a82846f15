/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about superblocks: definitions shared by fs/sb_notify*.c
 */
#ifndef _FS_SB_NOTIFY_INTERNAL_H
#define _FS_SB_NOTIFY_INTERNAL_H

#include <linux/quota.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/watch_queue.h>
#include <linux/watch_ratelimit.h>

struct cred;
struct sb_watchers;
struct super_block;

/* Number of values of enum superblock_error_kind */
#define SB_ERROR_KINDS	(NOTIFY_SB_DATA_LOST + 1)

/* Errors of one kind */
struct sb_errors {
	struct watch_ratelimit rl;
	struct sb_watchers *owner;
	u32 subtype;
};

/* Limits struct sb_watchers to 4 KiB, and to 8 KiB in debug configurations */
#define SB_QUOTA_LIMITS	16

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

/* Watches and rate limits of one superblock; see the banner of fs/sb_notify.c */
struct sb_watchers {
	struct rcu_head rcu;		/* near the start, for kfree_rcu() */
	struct super_block *sb;
	struct watch_list watchers;
	u64 id;				/* not reused */
	struct sb_errors errors[SB_ERROR_KINDS];
#ifdef CONFIG_QUOTACTL
	spinlock_t quota_lock;		/* assignment of the limits */
	struct sb_quota_limit quota[SB_QUOTA_LIMITS];
	struct sb_quota_limit quota_rest;	/* shared, key is unused */
#endif
};

/* fs/sb_notify.c */
bool sb_is_watched(const struct sb_watchers *sbw);
struct superblock_notification
sb_record(const struct sb_watchers *sbw, u32 subtype, u32 len);
void sb_post(struct sb_watchers *sbw, const struct watch_notification *n,
	     const struct cred *cred,
	     bool (*may_notify)(const struct watch *watch, const void *data),
	     const void *data);
bool sb_watch_privileged(const struct watch *watch, const void *unused);
bool sb_watch_unprivileged(const struct watch *watch, const void *unused);

/* fs/sb_notify_quota.c */
#ifdef CONFIG_QUOTACTL
void sb_quota_init(struct sb_watchers *sbw);
void sb_quota_flush(struct sb_watchers *sbw);
void sb_quota_destroy(struct sb_watchers *sbw);
#else
static inline void sb_quota_init(struct sb_watchers *sbw)
{
}

static inline void sb_quota_flush(struct sb_watchers *sbw)
{
}

static inline void sb_quota_destroy(struct sb_watchers *sbw)
{
}
#endif

#endif /* _FS_SB_NOTIFY_INTERNAL_H */
