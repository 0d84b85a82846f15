// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of fs/sb_notify.c, which includes this file: what filesystems in a
 * test machine do not show, and what takes a clock to show there.
 */
#include <kunit/test.h>

struct sb_quota_row {
	const char *why;
	enum quota_type type;
	u32 id;
	bool privileged;
	bool may_learn;
};

/* Of a watcher with uid 5, euid 1000, egid 100 and the group 200 */
static const struct sb_quota_row sb_quota_rows[] = {
	{ "its own", USRQUOTA, 1000, false, true },
	{ "another's", USRQUOTA, 1001, false, false },
	{ "of its real uid", USRQUOTA, 5, false, false },
	{ "of a user with its group's number", USRQUOTA, 100, false, false },
	{ "its group's", GRPQUOTA, 100, false, true },
	{ "another group's that it is in", GRPQUOTA, 200, false, true },
	{ "of a group that it is not in", GRPQUOTA, 300, false, false },
	{ "of a group with its own number", GRPQUOTA, 1000, false, false },
	{ "a project's", PRJQUOTA, 1000, false, false },
	{ "another's, privileged", USRQUOTA, 1001, true, true },
	{ "a group's, privileged", GRPQUOTA, 300, true, true },
	{ "a project's, privileged", PRJQUOTA, 1, true, true },
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
		KUNIT_EXPECT_EQ_MSG(test, row->may_learn,
				    sb_watch_quota(&watch, &qid), "%s", row->why);
	}

	abort_creds(cred);
	put_group_info(groups);
}

/* A storm with a watcher who is told nothing, and a clock that stands still */
static struct sb_watchers *sb_storm_new(struct kunit *test, struct watch *watch)
{
	struct sb_watchers *sbw = kunit_kzalloc(test, sizeof(*sbw), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sbw);
	init_watch_list(&sbw->watchers, NULL);
	sbw->id = 1;
	sb_storm_init(&sbw->errors, sbw, NOTIFY_SB_ERROR);
	timer_shutdown_sync(&sbw->errors.timer);
	watch->id = 2;
	hlist_add_head_rcu(&watch->list_node, &sbw->watchers.watchers);
	return sbw;
}

static void sb_storm_errors(struct sb_storm *storm, u32 nr)
{
	while (nr--)
		sb_storm_error(storm, 10 + nr, -EIO);
}

/* Those that have no record are counted, and the last of them is kept. */
static void sb_notify_test_storm_counts(struct kunit *test)
{
	struct watch watch = {};
	struct sb_storm *storm = &sb_storm_new(test, &watch)->errors;

	sb_storm_errors(storm, SB_STORM_BURST);
	KUNIT_EXPECT_TRUE(test, storm->open);
	KUNIT_EXPECT_EQ(test, storm->room, 0);
	KUNIT_EXPECT_EQ(test, storm->counted, 0);

	sb_storm_error(storm, 7, -EIO);
	sb_storm_error(storm, 8, ENOSPC);
	KUNIT_EXPECT_EQ(test, storm->counted, 2);
	KUNIT_EXPECT_EQ(test, storm->ino, 8);
	KUNIT_EXPECT_EQ(test, storm->error, ENOSPC);
	sb_storm_error(storm, 9, -EDQUOT);
	KUNIT_EXPECT_EQ(test, storm->error, EDQUOT);
}

/* At the end of a period they are told, which is the first of the next one. */
static void sb_notify_test_storm_periods(struct kunit *test)
{
	struct watch watch = {};
	struct sb_storm *storm = &sb_storm_new(test, &watch)->errors;

	sb_storm_errors(storm, SB_STORM_BURST + 5);
	sb_storm_timer(&storm->timer);
	KUNIT_EXPECT_TRUE(test, storm->open);
	KUNIT_EXPECT_EQ(test, storm->counted, 0);
	KUNIT_EXPECT_EQ(test, storm->room, SB_STORM_BURST - 1);

	/* As many as there is room for are no storm any more */
	sb_storm_errors(storm, SB_STORM_BURST - 1);
	KUNIT_EXPECT_EQ(test, storm->counted, 0);
	sb_storm_timer(&storm->timer);
	KUNIT_EXPECT_FALSE(test, storm->open);

	/* It starts anew */
	sb_storm_error(storm, 7, -EIO);
	KUNIT_EXPECT_TRUE(test, storm->open);
	KUNIT_EXPECT_EQ(test, storm->room, SB_STORM_BURST - 1);
}

/* Nothing is counted for nobody, and nothing is left behind at the end. */
static void sb_notify_test_storm_ends(struct kunit *test)
{
	struct watch watch = {};
	struct sb_watchers *sbw = sb_storm_new(test, &watch);
	struct sb_storm *storm = &sbw->errors;

	sb_storm_errors(storm, SB_STORM_BURST + 5);
	sb_storm_end(storm);
	KUNIT_EXPECT_EQ(test, storm->counted, 0);

	hlist_del_init_rcu(&watch.list_node);
	sb_storm_errors(storm, SB_STORM_BURST + 5);
	KUNIT_EXPECT_EQ(test, storm->counted, 0);
}

static struct kunit_case sb_notify_test_cases[] = {
	KUNIT_CASE(sb_notify_test_quota),
	KUNIT_CASE(sb_notify_test_storm_counts),
	KUNIT_CASE(sb_notify_test_storm_periods),
	KUNIT_CASE(sb_notify_test_storm_ends),
	{}
};

static struct kunit_suite sb_notify_test_suite = {
	.name = "watch_queue_sb",
	.test_cases = sb_notify_test_cases,
};

kunit_test_suite(sb_notify_test_suite);
