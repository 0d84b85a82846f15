// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: the records that a filter accepts
 */
#include "common.h"

/* A type that is never defined */
#define UNKNOWN_TYPE	0xffffff

FIXTURE(queue)
{
	int fd[2];
	int key;
	int other;
	struct filter filter;
};

FIXTURE_SETUP(queue)
{
	self->key = queue_open_with_key(_metadata, self->fd, "filter");
	self->other = key_new("other");
	ASSERT_GT(self->other, 0);
	ASSERT_EQ(0, queue_size(self->fd[0], 64));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 0x11));
	ASSERT_EQ(0, watch_add(self->other, self->fd[0], 0x12));
}

FIXTURE_TEARDOWN(queue)
{
	queue_close(self->fd);
}

static struct watch_notification_type_filter *add_rule(struct filter *filter,
						       __u32 type)
{
	struct watch_notification_type_filter *rule;

	rule = &filter->rules[filter->nr_filters++];
	memset(rule, 0, sizeof(*rule));
	rule->type = type;
	return rule;
}

static void allow(struct watch_notification_type_filter *rule, int subtype)
{
	rule->subtype_filter[subtype / 32] |= 1U << (subtype % 32);
}

/* Makes a filter with one rule, for one subtype of any ID */
static void only(struct filter *filter, int subtype)
{
	memset(filter, 0, sizeof(*filter));
	allow(add_rule(filter, WATCH_TYPE_KEY_NOTIFY), subtype);
}

/* A rule accepts the subtypes whose bits are set, and no others. */
TEST_F(queue, subtype)
{
	only(&self->filter, NOTIFY_KEY_UPDATED);
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_EQ(0, key_touch(self->key));
	ASSERT_EQ(0, key_update(self->key));
	ASSERT_EQ(0, key_touch(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));

	only(&self->filter, NOTIFY_KEY_SETATTR);
	ASSERT_EQ(0, queue_filter(self->fd[1], &self->filter));
	ASSERT_EQ(0, key_touch(self->key));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_setattr(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A rule without subtypes accepts nothing. */
TEST_F(queue, no_subtype)
{
	add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY);
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/*
 * Each bit of the eight words stands for one subtype: of all 256 bits, only bit 1
 * accepts UPDATED, and only bit 7 accepts SETATTR.
 */
TEST_F(queue, all_subtypes)
{
	int subtype;

	for (subtype = 0; subtype < 256; subtype++) {
		only(&self->filter, subtype);
		ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
		ASSERT_EQ(0, key_update(self->key));
		ASSERT_EQ(0, key_touch(self->key));
		if (subtype == NOTIFY_KEY_UPDATED)
			ASSERT_TRUE(got_updated(self->fd[0], 0x11, self->key));
		if (subtype == NOTIFY_KEY_SETATTR)
			ASSERT_TRUE(got_setattr(self->fd[0], 0x11, self->key));
		ASSERT_TRUE(got_nothing(self->fd[0]))
			TH_LOG("subtype %d", subtype);
	}
}

/* A rule can select by watch ID, which is part of the info word. */
TEST_F(queue, watch_id)
{
	struct watch_notification_type_filter *rule;

	rule = add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY);
	allow(rule, NOTIFY_KEY_UPDATED);
	rule->info_mask = WATCH_INFO_ID;
	rule->info_filter = 0x12 << WATCH_INFO_ID__SHIFT;
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	ASSERT_TRUE(post(self->other, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 0x12, self->other));
	EXPECT_TRUE(got_nothing(self->fd[0]));

	/* Only bits in the mask are compared: both IDs have bit 4 */
	rule->info_mask = 0x10 << WATCH_INFO_ID__SHIFT;
	rule->info_filter = 0x10 << WATCH_INFO_ID__SHIFT;
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	ASSERT_TRUE(post(self->other, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 0x12, self->other));

	/* A bit that is in the mask and not in the value must be clear */
	rule->info_mask = 0x01 << WATCH_INFO_ID__SHIFT;
	rule->info_filter = 0;
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	ASSERT_TRUE(post(self->other, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 0x12, self->other));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A rule can select by type-specific bits, which are clear in records of keys. */
TEST_F(queue, type_info)
{
	struct watch_notification_type_filter *rule;
	int bit;

	rule = add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY);
	allow(rule, NOTIFY_KEY_UPDATED);
	for (bit = WATCH_INFO_TYPE_INFO__SHIFT; bit < 32; bit++) {
		rule->info_mask = 1U << bit;
		rule->info_filter = 1U << bit;
		ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
		ASSERT_TRUE(post(self->key, 1));
		ASSERT_TRUE(got_nothing(self->fd[0]));
		rule->info_filter = 0;
		ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
		ASSERT_TRUE(post(self->key, 1));
		ASSERT_TRUE(got_updated(self->fd[0], 0x11, self->key));
	}
}

/* A record is accepted if any rule matches, and is posted once. */
TEST_F(queue, any_rule)
{
	struct watch_notification_type_filter *rule;
	int i;

	for (i = 0; i < 2; i++) {
		rule = add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY);
		allow(rule, i ? NOTIFY_KEY_SETATTR : NOTIFY_KEY_UPDATED);
		rule->info_mask = WATCH_INFO_ID;
		rule->info_filter = (0x11 + i) << WATCH_INFO_ID__SHIFT;
	}
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_EQ(0, key_touch(self->key));
	ASSERT_EQ(0, key_update(self->other));
	ASSERT_EQ(0, key_update(self->key));
	ASSERT_EQ(0, key_touch(self->other));
	EXPECT_TRUE(got_updated(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_setattr(self->fd[0], 0x12, self->other));
	EXPECT_TRUE(got_nothing(self->fd[0]));

	/* Both rules match: one record is posted */
	self->filter.rules[1] = self->filter.rules[0];
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* All of 16 rules have an effect, including the last; 17 rules fail with EINVAL. */
TEST_F(queue, most_rules)
{
	int i;

	for (i = 0; i < MAX_RULES - 1; i++)
		allow(add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY),
		      NOTIFY_KEY_REVOKED);
	allow(add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY),
	      NOTIFY_KEY_UPDATED);
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_EQ(0, key_touch(self->key));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));

	allow(add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY),
	      NOTIFY_KEY_SETATTR);
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], &self->filter));
}

/* Rules for unknown types are ignored. */
TEST_F(queue, unknown_types)
{
	allow(add_rule(&self->filter, UNKNOWN_TYPE), NOTIFY_KEY_SETATTR);
	allow(add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY),
	      NOTIFY_KEY_UPDATED);
	allow(add_rule(&self->filter, 0x80000001), NOTIFY_KEY_SETATTR);
	allow(add_rule(&self->filter, 0x01000001), NOTIFY_KEY_SETATTR);
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_EQ(0, key_touch(self->key));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Rules for unknown types are checked like other rules. */
TEST_F(queue, unknown_types_checked)
{
	struct watch_notification_type_filter *rule;

	rule = add_rule(&self->filter, UNKNOWN_TYPE);
	rule->info_filter = WATCH_INFO_FLAG_0;
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], &self->filter));
	rule->info_mask = WATCH_INFO_FLAG_0 | WATCH_INFO_LENGTH;
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], &self->filter));
	rule->info_mask = WATCH_INFO_FLAG_0;
	EXPECT_EQ(0, queue_filter(self->fd[0], &self->filter));
}

/* A filter with only unknown types accepts nothing but META. */
TEST_F(queue, unknown_types_only)
{
	int i;

	for (i = 0; i < MAX_RULES; i++)
		memset(add_rule(&self->filter, UNKNOWN_TYPE - i)->subtype_filter,
		       0xff, sizeof(self->filter.rules[0].subtype_filter));
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 3));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Every filter accepts META, even if a rule for META does not match. */
TEST_F(queue, meta)
{
	struct watch_notification_type_filter *rule;

	rule = add_rule(&self->filter, WATCH_TYPE_META);
	rule->info_mask = WATCH_INFO_ID;
	rule->info_filter = 0x55 << WATCH_INFO_ID__SHIFT;
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 0x11, self->key));
}

/* Loss reports pass any filter.  A record that a filter rejects is not a loss. */
TEST_F(queue, loss)
{
	struct queue_info info;
	int fd[2];

	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, queue_size(fd[0], 2));
	ASSERT_EQ(0, watch_add(self->key, fd[0], 1));
	only(&self->filter, NOTIFY_KEY_UPDATED);
	ASSERT_EQ(0, queue_filter(fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 2));
	ASSERT_TRUE(post_cheap(self->key, 5));
	ASSERT_EQ(2 * KEY_RECORD, readable_bytes(fd[0]));
	ASSERT_TRUE(queue_info(fd[0], &info));
	EXPECT_EQ(2, info.posted);
	EXPECT_EQ(0, info.lost);
	ASSERT_TRUE(post(self->key, 1));
	only(&self->filter, NOTIFY_KEY_REVOKED);
	ASSERT_EQ(0, queue_filter(fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updates(fd[0], 1, self->key, 2));
	EXPECT_TRUE(got_loss(fd[0], 1));
	EXPECT_TRUE(got_nothing(fd[0]));
}

/* A filter applies to posts: records in the queue stay. */
TEST_F(queue, queued_stays)
{
	ASSERT_TRUE(post(self->key, 2));
	only(&self->filter, NOTIFY_KEY_REVOKED);
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updates(self->fd[0], 0x11, self->key, 2));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* NULL removes the filter, and all records are accepted again. */
TEST_F(queue, remove)
{
	only(&self->filter, NOTIFY_KEY_REVOKED);
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, queue_filter(self->fd[0], NULL));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 0x11, self->key));
}

/* A refused filter leaves the old one in place. */
TEST_F(queue, refused)
{
	char line[512], before[512];

	only(&self->filter, NOTIFY_KEY_UPDATED);
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(queue_info_line(self->fd[0], "filter:", 0, before,
				    sizeof(before)));

	only(&self->filter, NOTIFY_KEY_SETATTR);
	self->filter.reserved = 1;
	ASSERT_EQ(-EINVAL, queue_filter(self->fd[0], &self->filter));
	self->filter.reserved = 0;
	self->filter.nr_filters = 0;
	ASSERT_EQ(-EINVAL, queue_filter(self->fd[0], &self->filter));
	self->filter.nr_filters = MAX_RULES + 1;
	ASSERT_EQ(-EINVAL, queue_filter(self->fd[0], &self->filter));
	ASSERT_EQ(-EFAULT, queue_filter(self->fd[0], (void *)16));
	self->filter.nr_filters = 1;
	add_rule(&self->filter, WATCH_TYPE_KEY_NOTIFY)->info_mask = 1;
	ASSERT_EQ(-EINVAL, queue_filter(self->fd[0], &self->filter));

	ASSERT_TRUE(queue_info_line(self->fd[0], "filter:", 0, line,
				    sizeof(line)));
	EXPECT_STREQ(before, line);
	ASSERT_EQ(0, key_touch(self->key));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 0x11, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Each queue has a filter of its own. */
TEST_F(queue, own_filter)
{
	int fd[2];

	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, queue_size(fd[0], 8));
	ASSERT_EQ(0, watch_add(self->key, fd[0], 1));
	only(&self->filter, NOTIFY_KEY_REVOKED);
	ASSERT_EQ(0, queue_filter(self->fd[0], &self->filter));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	EXPECT_TRUE(got_updated(fd[0], 1, self->key));
}

TEST_HARNESS_MAIN
