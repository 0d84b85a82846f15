// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for notifications about superblocks
 *
 * Included at the end of fs/sb_notify_quota.c.  They cover cases that are hard to
 * reach with a real filesystem.
 */
#include <kunit/test.h>
#include <linux/fserror.h>

#include "../sb_state.h"

struct sb_quota_row {
	const char *why;
	enum quota_type type;
	u32 id;
	bool privileged;
	bool may_notify;
};

/* The watcher has uid 5, euid 1000, egid 100 and the supplementary group 200 */
static const struct sb_quota_row sb_quota_rows[] = {
	{ "own user", USRQUOTA, 1000, false, true },
	{ "other user", USRQUOTA, 1001, false, false },
	{ "user with the real uid", USRQUOTA, 5, false, false },
	{ "user with the number of the group", USRQUOTA, 100, false, false },
	{ "own group", GRPQUOTA, 100, false, true },
	{ "supplementary group", GRPQUOTA, 200, false, true },
	{ "other group", GRPQUOTA, 300, false, false },
	{ "group with the number of the user", GRPQUOTA, 1000, false, false },
	{ "project", PRJQUOTA, 1000, false, false },
	{ "other user, privileged", USRQUOTA, 1001, true, true },
	{ "other group, privileged", GRPQUOTA, 300, true, true },
	{ "project, privileged", PRJQUOTA, 1, true, true },
};

static void sb_notify_test_quota(struct kunit *test)
{
	struct group_info *groups = groups_alloc(1);
	struct cred *cred = prepare_creds();
	struct watch watch = { .cred = cred };

	KUNIT_ASSERT_NOT_NULL(test, groups);
	KUNIT_ASSERT_NOT_NULL(test, cred);
	groups->gid[0] = KGIDT_INIT(200);
	cred->uid = KUIDT_INIT(5);
	cred->euid = KUIDT_INIT(1000);
	cred->egid = KGIDT_INIT(100);
	set_groups(cred, groups);

	for (size_t i = 0; i < ARRAY_SIZE(sb_quota_rows); i++) {
		const struct sb_quota_row *row = &sb_quota_rows[i];
		struct kqid qid = make_kqid(&init_user_ns, row->type, row->id);

		watch.private = row->privileged ? &watch : NULL;
		KUNIT_EXPECT_EQ_MSG(test, row->may_notify,
				    sb_watch_quota(&watch, &qid), "%s", row->why);
	}

	abort_creds(cred);
	put_group_info(groups);
}

static struct sb_quota_limit *sb_test_limit(struct sb_watchers *sbw, u32 id,
					    enum quota_type type, u16 warning)
{
	const struct sb_quota_warning w = {
		.qid		= make_kqid(&init_user_ns, type, id),
		.id		= id,
		.warning	= warning,
	};
	struct sb_quota_limit *limit;

	scoped_guard(spinlock_irqsave, &sbw->quota_lock) {
		limit = sb_quota_limit(sbw, &w);
		/* As watch_ratelimit_post() does */
		limit->rl.open = true;
	}
	return limit;
}

/* A rate limit is assigned to one quota and kind of warning until its period ends. */
static void sb_notify_test_quota_limit(struct kunit *test)
{
	struct sb_watchers *sbw = kunit_kzalloc(test, sizeof(*sbw), GFP_KERNEL);
	struct sb_quota_limit *limit[SB_QUOTA_LIMITS], *rest;
	u32 i, j;

	KUNIT_ASSERT_NOT_NULL(test, sbw);
	sb_quota_init(sbw);
	rest = &sbw->quota_rest;

	/* Same number, different type; same user, different warning */
	limit[0] = sb_test_limit(sbw, 1000, USRQUOTA, QUOTA_NL_BHARDWARN);
	limit[1] = sb_test_limit(sbw, 1000, GRPQUOTA, QUOTA_NL_BHARDWARN);
	limit[2] = sb_test_limit(sbw, 1000, USRQUOTA, QUOTA_NL_IHARDWARN);
	for (i = 3; i < SB_QUOTA_LIMITS; i++)
		limit[i] = sb_test_limit(sbw, i, USRQUOTA, QUOTA_NL_BHARDWARN);
	for (i = 0; i < SB_QUOTA_LIMITS; i++) {
		KUNIT_EXPECT_PTR_NE(test, limit[i], rest);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_PTR_NE(test, limit[i], limit[j]);
	}
	KUNIT_EXPECT_PTR_EQ(test, limit[0],
			    sb_test_limit(sbw, 1000, USRQUOTA, QUOTA_NL_BHARDWARN));
	KUNIT_EXPECT_PTR_EQ(test, limit[2],
			    sb_test_limit(sbw, 1000, USRQUOTA, QUOTA_NL_IHARDWARN));

	/* No rate limit is free; then one becomes free and is assigned to the next quota */
	KUNIT_EXPECT_PTR_EQ(test, rest,
			    sb_test_limit(sbw, 1001, USRQUOTA, QUOTA_NL_BHARDWARN));
	limit[1]->rl.open = false;
	KUNIT_EXPECT_PTR_EQ(test, limit[5],
			    sb_test_limit(sbw, 5, USRQUOTA, QUOTA_NL_BHARDWARN));
	KUNIT_EXPECT_PTR_EQ(test, limit[1],
			    sb_test_limit(sbw, 1001, USRQUOTA, QUOTA_NL_BHARDWARN));
	KUNIT_EXPECT_PTR_EQ(test, rest,
			    sb_test_limit(sbw, 1000, GRPQUOTA, QUOTA_NL_BHARDWARN));
	sb_quota_destroy(sbw);
}

static u32 sb_test_summaries;

static void sb_test_summary(struct watch_ratelimit *rl, const void *event, u32 suppressed)
{
	sb_test_summaries++;
}

/* Suppress a warning of each rate limit */
static void sb_test_suppress(struct sb_watchers *sbw)
{
	const struct sb_quota_warning w = { .qid = make_kqid(&init_user_ns, USRQUOTA, 1) };

	for (u32 i = 0; i <= SB_QUOTA_LIMITS; i++) {
		struct watch_ratelimit *rl =
			i < SB_QUOTA_LIMITS ? &sbw->quota[i].rl : &sbw->quota_rest.rl;

		rl->post = sb_test_summary;
		rl->open = true;
		rl->room = 0;
		watch_ratelimit_post(rl, &w, sizeof(w));
	}
	sb_test_summaries = 0;
}

/* All rate limits, with the shared one, are flushed and destroyed. */
static void sb_notify_test_quota_flush(struct kunit *test)
{
	struct sb_watchers *sbw = kunit_kzalloc(test, sizeof(*sbw), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sbw);
	sb_quota_init(sbw);
	sb_test_suppress(sbw);
	sb_quota_flush(sbw);
	KUNIT_EXPECT_EQ(test, SB_QUOTA_LIMITS + 1, sb_test_summaries);
	sb_test_suppress(sbw);
	sb_quota_destroy(sbw);
	KUNIT_EXPECT_EQ(test, SB_QUOTA_LIMITS + 1, sb_test_summaries);
}

static u32 sb_test_posted[SB_ERROR_KINDS];

static void sb_test_post(struct watch_ratelimit *rl, const void *event, u32 suppressed)
{
	const struct sb_error *e = event;

	sb_test_posted[e->kind]++;
}

static struct sb_watchers *sb_test_watchers(struct kunit *test)
{
	struct sb_watchers *sbw = kunit_kzalloc(test, sizeof(*sbw), GFP_KERNEL);
	struct super_block *sb = kunit_kzalloc(test, sizeof(*sb), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sbw);
	KUNIT_ASSERT_NOT_NULL(test, sb);
	sb->s_user_ns = &init_user_ns;
	rcu_assign_pointer(sb->s_watchers, sbw);
	sbw->sb = sb;
	init_watch_list(&sbw->watchers, NULL);
	for (int i = 0; i < SB_ERROR_KINDS; i++)
		watch_ratelimit_init(&sbw->errors[i].rl, sb_test_post);
	return sbw;
}

static void sb_test_destroy(struct sb_watchers *sbw)
{
	for (int i = 0; i < SB_ERROR_KINDS; i++)
		watch_ratelimit_destroy(&sbw->errors[i].rl);
}

/* Errors are not counted unless there is a watch. */
static void sb_notify_test_unwatched(struct kunit *test)
{
	struct sb_watchers *sbw = sb_test_watchers(test);
	struct super_block *sb = sbw->sb;

	sb_notify_error(sb, 10, -EIO);
	__sb_notify_error(sb, (struct sb_error) {
		.error = EIO, .kind = NOTIFY_SB_BUFFERED_WRITE,
	});
	KUNIT_EXPECT_FALSE(test, sbw->errors[NOTIFY_SB_METADATA].rl.open);
	KUNIT_EXPECT_FALSE(test, sbw->errors[NOTIFY_SB_BUFFERED_WRITE].rl.open);
	sb_test_destroy(sbw);
}

#define SB_TEST_ERRORS	30	/* more than a rate limit allows */

static void sb_test_report(struct super_block *sb, u8 kind, u32 nr)
{
	while (nr--)
		__sb_notify_error(sb, (struct sb_error) { .error = EIO, .kind = kind });
}

/* Return true if a burst of @burst suppresses an error of @kind */
static bool sb_test_suppresses(struct kunit *test, u8 burst, u8 kind)
{
	struct sb_watchers *sbw = sb_test_watchers(test);
	struct watch watch = {};
	bool suppressed;
	u32 before;

	memset(sb_test_posted, 0, sizeof(sb_test_posted));
	hlist_add_head(&watch.list_node, &sbw->watchers.watchers);
	sb_test_report(sbw->sb, burst, SB_TEST_ERRORS);
	KUNIT_EXPECT_LT(test, sb_test_posted[burst], SB_TEST_ERRORS);
	before = sb_test_posted[kind];
	sb_test_report(sbw->sb, kind, 1);
	suppressed = sb_test_posted[kind] == before;
	sb_test_destroy(sbw);
	return suppressed;
}

/* A burst of errors of one kind does not use up the rate limit of another kind. */
static void sb_notify_test_limits(struct kunit *test)
{
	for (u8 burst = 0; burst < SB_ERROR_KINDS; burst++) {
		for (u8 kind = 0; kind < SB_ERROR_KINDS; kind++)
			KUNIT_EXPECT_EQ_MSG(test, burst == kind,
					    sb_test_suppresses(test, burst, kind),
					    "kinds %u, %u", burst, kind);
	}
}

struct sb_fserror_row {
	enum fserror_type type;
	int error;
	int kind;			/* -1: not reported */
};

static const struct sb_fserror_row sb_fserror_rows[] = {
	{ FSERR_BUFFERED_READ,	-EIO,		NOTIFY_SB_BUFFERED_READ },
	{ FSERR_BUFFERED_READ,	-EINVAL,	NOTIFY_SB_BUFFERED_READ },
	{ FSERR_BUFFERED_READ,	-EINTR,		-1 },
	{ FSERR_BUFFERED_WRITE,	-EIO,		-1 },	/* mapping_set_error() does */
	{ FSERR_DIRECTIO_READ,	-EIO,		NOTIFY_SB_DIRECT_READ },
	{ FSERR_DIRECTIO_READ,	-EILSEQ,	NOTIFY_SB_DIRECT_READ },
	{ FSERR_DIRECTIO_READ,	-EFAULT,	-1 },
	{ FSERR_DIRECTIO_READ,	-EINVAL,	-1 },
	{ FSERR_DIRECTIO_READ,	-ENOMEM,	-1 },
	{ FSERR_DIRECTIO_READ,	-EINTR,		-1 },
	{ FSERR_DIRECTIO_WRITE,	-EIO,		NOTIFY_SB_DIRECT_WRITE },
	{ FSERR_DIRECTIO_WRITE,	-ENOSPC,	-1 },
	{ FSERR_DIRECTIO_WRITE,	-EDQUOT,	-1 },
	{ FSERR_DIRECTIO_WRITE,	-EOPNOTSUPP,	-1 },
	{ FSERR_DIRECTIO_WRITE,	-ENOPROTOOPT,	-1 },
	{ FSERR_DATA_LOST,	-EIO,		NOTIFY_SB_DATA_LOST },
	{ FSERR_METADATA,	-EUCLEAN,	NOTIFY_SB_METADATA },
	{ FSERR_METADATA,	-ENOSPC,	NOTIFY_SB_METADATA },
	{ FSERR_METADATA,	-ESHUTDOWN,	-1 },
};

/* Which errors that a filesystem passes to fserror_report() are reported, as which kind. */
static void sb_notify_test_fserror(struct kunit *test)
{
	struct sb_watchers *sbw = sb_test_watchers(test);
	struct inode *inode = kunit_kzalloc(test, sizeof(*inode), GFP_KERNEL);
	struct watch watch = {};

	KUNIT_ASSERT_NOT_NULL(test, inode);
	inode->i_sb = sbw->sb;
	hlist_add_head(&watch.list_node, &sbw->watchers.watchers);
	for (size_t i = 0; i < ARRAY_SIZE(sb_fserror_rows); i++) {
		const struct sb_fserror_row *row = &sb_fserror_rows[i];

		memset(sb_test_posted, 0, sizeof(sb_test_posted));
		fserror_report(sbw->sb, inode, row->type, 0, 512, row->error,
			       GFP_KERNEL);
		for (int kind = 0; kind < SB_ERROR_KINDS; kind++)
			KUNIT_EXPECT_EQ_MSG(test, kind == row->kind, sb_test_posted[kind],
					    "type %d, error %d, kind %d",
					    row->type, row->error, kind);
	}
	sb_test_destroy(sbw);
}

/* Return a superblock with s_umount held for writing */
static struct super_block *sb_test_locked(struct kunit *test)
{
	struct super_block *sb = kunit_kzalloc(test, sizeof(*sb), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sb);
	sb_notify_init(sb);
	init_rwsem(&sb->s_umount);
	down_write(&sb->s_umount);
	return sb;
}

/* What errors and remounts do to the state of a filesystem. */
static void sb_test_state(struct kunit *test, bool by_error)
{
	struct super_block *sb = sb_test_locked(test);

	/* An error sets SB_RDONLY during a remount, which clears it at its end */
	sb->s_flags |= SB_RDONLY;
	sb_notify_rdonly(sb);
	KUNIT_EXPECT_TRUE(test, sb_rejects_changes(sb));
	sb->s_flags &= ~SB_RDONLY;
	sb_notify_reconfigured(sb, false);
	KUNIT_EXPECT_FALSE(test, sb_rejects_changes(sb));

	/* An error is reported after a remount has cleared SB_RDONLY */
	sb_notify_rdonly(sb);
	KUNIT_EXPECT_FALSE(test, sb_rejects_changes(sb));

	/*
	 * No remount makes the filesystem writable, although it was read-only before, by an
	 * earlier error or not
	 */
	sb->s_flags |= SB_RDONLY;
	if (by_error)
		sb_notify_rdonly(sb);
	sb_notify_aborted(sb);
	sb->s_flags &= ~SB_RDONLY;
	sb_notify_reconfigured(sb, true);
	KUNIT_EXPECT_TRUE(test, sb_rejects_changes(sb));
	up_write(&sb->s_umount);
}

static void sb_notify_test_state(struct kunit *test)
{
	sb_test_state(test, false);
	sb_test_state(test, true);
}

/* No remount makes a filesystem writable that was shut down. */
static void sb_notify_test_shutdown(struct kunit *test)
{
	for (int by_error = 0; by_error < 2; by_error++) {
		struct super_block *sb = sb_test_locked(test);

		sb_notify_shutdown(sb, by_error);
		KUNIT_EXPECT_TRUE(test, sb_rejects_changes(sb));
		sb_notify_reconfigured(sb, true);
		KUNIT_EXPECT_TRUE(test, sb_rejects_changes(sb));
		up_write(&sb->s_umount);
	}
}

static bool sb_test_frozen(struct super_block *sb, bool frozen, bool by_suspend)
{
	sb_notify_frozen(sb, frozen, by_suspend);
	return sb->s_notify_state & SB_NOTIFY_FROZEN;
}

/* A suspend alone does not count as frozen.  A program does, also during a suspend. */
static void sb_notify_test_frozen(struct kunit *test)
{
	struct super_block *sb = sb_test_locked(test);

	/* A suspend */
	KUNIT_EXPECT_FALSE(test, sb_test_frozen(sb, true, true));
	KUNIT_EXPECT_FALSE(test, sb_test_frozen(sb, false, false));

	/* A program that froze it during the suspend, and thaws it afterwards */
	KUNIT_EXPECT_FALSE(test, sb_test_frozen(sb, true, true));
	KUNIT_EXPECT_TRUE(test, sb_test_frozen(sb, true, false));
	KUNIT_EXPECT_FALSE(test, sb_test_frozen(sb, false, false));

	/* A program that froze it before the suspend, and thaws it afterwards */
	KUNIT_EXPECT_TRUE(test, sb_test_frozen(sb, true, false));
	KUNIT_EXPECT_TRUE(test, sb_test_frozen(sb, true, false));
	KUNIT_EXPECT_FALSE(test, sb_test_frozen(sb, false, false));
	up_write(&sb->s_umount);
}

static struct kunit_case sb_notify_test_cases[] = {
	KUNIT_CASE(sb_notify_test_quota),
	KUNIT_CASE(sb_notify_test_quota_limit),
	KUNIT_CASE(sb_notify_test_quota_flush),
	KUNIT_CASE(sb_notify_test_unwatched),
	KUNIT_CASE(sb_notify_test_limits),
	KUNIT_CASE(sb_notify_test_fserror),
	KUNIT_CASE(sb_notify_test_state),
	KUNIT_CASE(sb_notify_test_shutdown),
	KUNIT_CASE(sb_notify_test_frozen),
	{}
};

static struct kunit_suite sb_notify_test_suite = {
	.name = "watch_queue_sb",
	.test_cases = sb_notify_test_cases,
};

kunit_test_suite(sb_notify_test_suite);
