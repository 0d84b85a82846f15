// SPDX-License-Identifier: GPL-2.0
/*
 * A 32-bit program can configure a queue.  Compile with -m32, and run this on a 64-bit
 * kernel.
 */
#include "common.h"

#if __SIZEOF_LONG__ != 4
#error "compile with -m32"
#endif

/* The next record is that of an update */
static bool got_updated(int fd, int key)
{
	union record r;

	return read_record(fd, &r) == KEY_RECORD &&
	       r.watch.type == WATCH_TYPE_KEY_NOTIFY &&
	       r.watch.subtype == NOTIFY_KEY_UPDATED && r.key.key_id == (__u32)key;
}

FIXTURE(queue)
{
	int fd[2];
	int key;
};

FIXTURE_SETUP(queue)
{
	self->key = key_new();
	ASSERT_GT(self->key, 0);
	ASSERT_EQ(0, queue_new(self->fd));
}

FIXTURE_TEARDOWN(queue)
{
	queue_close(self->fd);
}

TEST_F(queue, set_size)
{
	ASSERT_EQ(0, queue_size(self->fd[0], 32));
	EXPECT_EQ(-EBUSY, queue_size(self->fd[0], 32));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], self->key));
}

/* The kernel gets each member of the filter from its place */
TEST_F(queue, set_filter)
{
	struct {
		__u32 nr_filters;
		__u32 reserved;
		struct watch_notification_type_filter rules[2];
	} filter = {
		.nr_filters = 2,
		.rules[0].type = WATCH_TYPE_META,
		.rules[1].type = WATCH_TYPE_KEY_NOTIFY,
		.rules[1].subtype_filter[0] = 1U << NOTIFY_KEY_UPDATED,
	};
	union record r;

	ASSERT_EQ(0, queue_filter(self->fd[0], &filter));
	filter.rules[1].info_filter = 1U << 16;
	EXPECT_EQ(-EINVAL, queue_filter(self->fd[0], &filter));
	ASSERT_EQ(0, queue_size(self->fd[0], 32));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, key_touch(self->key));
	EXPECT_EQ(-EAGAIN, read_record(self->fd[0], &r));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], self->key));
}

TEST_HARNESS_MAIN
