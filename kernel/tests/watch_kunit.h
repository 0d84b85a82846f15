/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KUnit tests of the general notification queue: code that the suites share
 *
 * test->priv is a struct test_context.  test_read() reads from a ring into its
 * buffer, and the test_expect_*() functions check the buffer record by record.
 */
#ifndef _KERNEL_WATCH_KUNIT_H
#define _KERNEL_WATCH_KUNIT_H

#include <kunit/test.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "../watch_ring.h"

#define TEST_TYPE	WATCH_TYPE_KEY_NOTIFY

/* A record with a serial number, of the size of a slot */
struct test_record {
	struct watch_notification n;
	u32 serial;
	u8 filler[WATCH_RING_SLOT_SIZE - 12];
};

/* Byte @i of a record of @len bytes.  The record before in the slot had others. */
static u8 test_byte(u32 len, u32 i)
{
	return len + i;
}

static void test_fill(struct test_record *record, u32 len)
{
	for (u32 i = 0; i < sizeof(record->filler); i++)
		record->filler[i] = test_byte(len, offsetof(struct test_record, filler) + i);
}

struct test_context {
	struct watch_ring *ring;
	struct watch_queue *wqueue;	/* watch_queue_kunit.c only */
	struct watch_list *object;	/* watch_queue_kunit.c only */
	u32 info_id;			/* of expected records */
	u32 serial;			/* of the next record to post */
	u8 buf[64 * WATCH_RING_SLOT_SIZE];
	size_t len;			/* number of bytes in buf */
	size_t pos;			/* number of bytes that were checked */
};

/* Read into ctx->buf, of which @size bytes are used, as read() does */
static ssize_t test_read(struct test_context *ctx, size_t size)
{
	struct kvec kvec = { .iov_base = ctx->buf, .iov_len = size };
	u32 end = watch_ring_end(ctx->ring);
	struct iov_iter to;
	int err;

	iov_iter_kvec(&to, ITER_DEST, &kvec, 1, size);
	while (watch_ring_read(ctx->ring, end, &to, &err))
		;
	ctx->pos = 0;
	ctx->len = size - iov_iter_count(&to);
	return ctx->len ?: err;
}

static void test_expect_header(struct kunit *test,
			       const struct watch_notification *n,
			       u32 type, u32 subtype, u32 info)
{
	/* The macro uses typeof(), which does not accept bit-fields: compare sums */
	KUNIT_EXPECT_EQ(test, n->type + 0, type);
	KUNIT_EXPECT_EQ(test, n->subtype + 0, subtype);
	KUNIT_EXPECT_EQ(test, n->info, info);
}

/* The next @nr records have 16 bytes and are numbered from @serial */
static void test_expect_records(struct kunit *test, u32 serial, u32 nr)
{
	struct test_context *ctx = test->priv;
	struct test_record record;

	for (; nr; nr--, serial++, ctx->pos += 16) {
		KUNIT_ASSERT_LE(test, ctx->pos + 16, ctx->len);
		memcpy(&record, ctx->buf + ctx->pos, 16);
		test_expect_header(test, &record.n, TEST_TYPE,
				   NOTIFY_KEY_UPDATED, ctx->info_id | 16);
		KUNIT_EXPECT_EQ(test, record.serial, serial);
	}
}

/* The next record reports the loss of @lost records */
static void test_expect_loss(struct kunit *test, u32 lost)
{
	struct test_context *ctx = test->priv;
	struct watch_notification n;

	KUNIT_ASSERT_LE(test, ctx->pos + sizeof(n), ctx->len);
	memcpy(&n, ctx->buf + ctx->pos, sizeof(n));
	test_expect_header(test, &n, WATCH_TYPE_META,
			   WATCH_META_LOSS_NOTIFICATION, lost << 16 | sizeof(n));
	ctx->pos += sizeof(n);
}

/* The whole buffer was checked, and the ring is empty */
static void test_expect_end(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_EXPECT_EQ(test, ctx->pos, ctx->len);
	KUNIT_EXPECT_FALSE(test, watch_ring_readable(ctx->ring));
	KUNIT_EXPECT_EQ(test, 0, watch_ring_bytes(ctx->ring));
	KUNIT_EXPECT_EQ(test, 0, test_read(ctx, sizeof(ctx->buf)));
}

#endif /* _KERNEL_WATCH_KUNIT_H */
