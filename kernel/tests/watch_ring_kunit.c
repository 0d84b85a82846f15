// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the ring of the general notification queue
 *
 * The ring is tested without a queue, a watch or a pipe.
 */

#include "watch_kunit.h"

static int test_init(struct kunit *test)
{
	struct test_context *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ctx);
	ctx->ring = kunit_kzalloc(test, sizeof(*ctx->ring), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx->ring);
	watch_ring_init(ctx->ring);
	test->priv = ctx;
	return 0;
}

static void test_exit(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	watch_ring_destroy(ctx->ring);
}

/*
 * Store or lose @nr records of @len bytes with consecutive serial numbers.  Return
 * how often the ring became readable.
 */
static u32 test_post_len(struct test_context *ctx, u32 nr, u32 len)
{
	struct test_record record = {
		.n.type		= TEST_TYPE,
		.n.subtype	= NOTIFY_KEY_UPDATED,
	};
	u32 edges = 0;

	test_fill(&record, len);
	for (; nr; nr--) {
		record.serial = ctx->serial++;
		guard(spinlock_irq)(&ctx->ring->lock);
		if (watch_ring_full(ctx->ring)) {
			edges += watch_ring_lose(ctx->ring);
		} else {
			edges += watch_ring_empty(ctx->ring);
			watch_ring_put(ctx->ring, &record.n, len, len);
		}
	}
	return edges;
}

static u32 test_post(struct test_context *ctx, u32 nr)
{
	return test_post_len(ctx, nr, 16);
}

/* A record of any length is read as it was posted, without the rest of its slot */
static void watch_ring_test_payload(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	u32 serial;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	for (u32 len = 8; len <= WATCH_INFO_LENGTH; len++) {
		serial = ctx->serial;
		test_post_len(ctx, 1, len);
		memset(ctx->buf, 0, sizeof(ctx->buf));
		KUNIT_ASSERT_EQ(test, len, test_read(ctx, sizeof(ctx->buf)));
		KUNIT_ASSERT_EQ(test, 0, memcmp(&serial, ctx->buf + 8, min(len, 12u) - 8));
		for (u32 i = 12; i < len; i++)
			KUNIT_ASSERT_EQ(test, test_byte(len, i), ctx->buf[i]);
		KUNIT_ASSERT_EQ(test, 0, ctx->buf[len]);
	}
}

/*
 * A ring holds as many records as its depth.  The others are lost:
 *
 *	posted	0 to depth	more than depth
 *	read	all of them	depth, and a report of the others
 */
static void watch_ring_test_depth(struct kunit *test)
{
	static const u32 depths[] = { 1, 2, 3, 4, 5, 31, 32, 33 };
	struct test_context *ctx = test->priv;

	for (int i = 0; i < ARRAY_SIZE(depths); i++) {
		u32 depth = depths[i];

		KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, depth));
		for (u32 nr = 0; nr <= depth + 2; nr++) {
			u32 first = ctx->serial;

			test_post(ctx, nr);
			test_read(ctx, sizeof(ctx->buf));
			test_expect_records(test, first, min(nr, depth));
			if (nr > depth)
				test_expect_loss(test, nr - depth);
			test_expect_end(test);
		}
		watch_ring_destroy(ctx->ring);
	}
}

/* The indices have 32 bits and are not reset: they may wrap around */
static void watch_ring_test_wrap(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	for (u32 before = 0; before <= 8; before++) {
		ctx->ring->head = -before;
		ctx->ring->tail = -before;
		ctx->ring->marked = 0;
		KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 7));
		ctx->serial = 0;
		test_post(ctx, 9);
		test_read(ctx, 3 * 16);
		test_expect_records(test, 0, 3);
		test_post(ctx, 4);
		test_read(ctx, sizeof(ctx->buf));
		test_expect_records(test, 3, 4);
		test_expect_loss(test, 2);
		test_expect_records(test, 9, 3);
		test_expect_loss(test, 1);
		test_expect_end(test);
		watch_ring_destroy(ctx->ring);
	}
}

/* The index of a loss that was 2 GiB of records ago is not taken for a new one */
static void watch_ring_test_old_mark(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	ctx->ring->head = (u32)S32_MIN + 10;
	ctx->ring->tail = ctx->ring->head;
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	KUNIT_EXPECT_TRUE(test, watch_ring_has_marks(ctx->ring));
	test_post(ctx, 2);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 0, 2);
	KUNIT_EXPECT_FALSE(test, watch_ring_has_marks(ctx->ring));
	test_post(ctx, 5);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 2, 4);
	test_expect_loss(test, 1);
	test_expect_end(test);
}

/*
 * Several losses with records between them are each reported in their place:
 *
 *	0 1 2 3 (2) | read 2 | 6 7 (1) | read 1 | 9 (3)
 */
static void watch_ring_test_loss_place(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	test_post(ctx, 4 + 2);
	test_read(ctx, 2 * 16);
	test_expect_records(test, 0, 2);
	test_post(ctx, 2 + 1);
	test_read(ctx, 16);
	test_expect_records(test, 2, 1);
	test_post(ctx, 1 + 3);

	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 3, 1);
	test_expect_loss(test, 2);
	test_expect_records(test, 6, 2);
	test_expect_loss(test, 1);
	test_expect_records(test, 9, 1);
	test_expect_loss(test, 3);
	test_expect_end(test);
}

/* A report that does not fit into the buffer is kept, and the ring remains readable */
static void watch_ring_test_loss_pending(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 2));
	test_post(ctx, 3);
	KUNIT_EXPECT_EQ(test, 32, test_read(ctx, 32));
	KUNIT_EXPECT_TRUE(test, watch_ring_readable(ctx->ring));
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, test_read(ctx, 7));
	KUNIT_EXPECT_EQ(test, 8, test_read(ctx, 8));
	test_expect_loss(test, 1);
	KUNIT_EXPECT_FALSE(test, watch_ring_readable(ctx->ring));
	test_expect_end(test);
}

/* A ring without a size loses all records, and reports them before any other record */
static void watch_ring_test_loss_unsized(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	test_post(ctx, 3);
	KUNIT_EXPECT_TRUE(test, watch_ring_readable(ctx->ring));
	test_read(ctx, sizeof(ctx->buf));
	test_expect_loss(test, 3);
	test_expect_end(test);

	test_post(ctx, 2);
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	test_post(ctx, 1);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_loss(test, 2);
	test_expect_records(test, 5, 1);
	test_expect_end(test);
}

/* Losses are added to a count that was not reported yet, which saturates at 0xffff */
static void watch_ring_test_loss_unsized_adds(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	test_post(ctx, 1);
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, test_read(ctx, 7));
	test_post(ctx, 2);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_loss(test, 3);
	test_expect_end(test);

	test_post(ctx, 0xffff);
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, test_read(ctx, 7));
	test_post(ctx, 3);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_loss(test, 0xffff);
	test_expect_end(test);
}

/* A reported count saturates at 0xffff, with and without a size */
static void watch_ring_test_loss_saturates(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	test_post(ctx, 0x10001);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_loss(test, 0xffff);
	test_expect_end(test);

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 1));
	for (u32 lost = 0xfffe; lost <= 0x10001; lost++) {
		u32 first = ctx->serial;

		test_post(ctx, 1 + lost);
		test_read(ctx, sizeof(ctx->buf));
		test_expect_records(test, first, 1);
		test_expect_loss(test, min(lost, 0xffff));
		test_expect_end(test);
	}
}

/* Without a size, the count does not wrap */
static void watch_ring_test_loss_unsized_wraps(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	ctx->ring->lost = U32_MAX;
	test_post(ctx, 1);
	KUNIT_EXPECT_EQ(test, ctx->ring->lost, U32_MAX);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_loss(test, 0xffff);
	test_expect_end(test);
}

/* A record that does not fit into the buffer remains in the ring */
static void watch_ring_test_short_buffer(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	test_post(ctx, 2);
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, test_read(ctx, 15));
	KUNIT_EXPECT_EQ(test, 16, test_read(ctx, 31));
	test_expect_records(test, 0, 1);
	KUNIT_EXPECT_EQ(test, 16, test_read(ctx, 16));
	test_expect_records(test, 1, 1);
	test_expect_end(test);

	/* Again, with a loss after the last record */
	test_post(ctx, 5);
	KUNIT_EXPECT_EQ(test, 16, test_read(ctx, 16));
	test_expect_records(test, 2, 1);
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, test_read(ctx, 15));
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, test_read(ctx, 7));
	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 3, 3);
	test_expect_loss(test, 1);
	test_expect_end(test);
}

/* Only the first record in an empty ring, or the first loss without a size, is an edge */
static void watch_ring_test_edges(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_EXPECT_EQ(test, 1, test_post(ctx, 3));
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 3));
	/* The ring is readable already, as the loss was not read */
	KUNIT_EXPECT_EQ(test, 0, test_post(ctx, 2));
	test_read(ctx, 8);
	KUNIT_EXPECT_EQ(test, 0, test_post(ctx, 4));
	test_read(ctx, 16);
	KUNIT_EXPECT_EQ(test, 0, test_post(ctx, 1));
	test_read(ctx, sizeof(ctx->buf));
	KUNIT_EXPECT_FALSE(test, watch_ring_readable(ctx->ring));
	KUNIT_EXPECT_EQ(test, 1, test_post(ctx, 9));
}

/*
 * A read does not return records or losses that are posted after it began.  With
 * depth 1, each record that the read consumes makes room for another one.
 */
static void watch_ring_test_read_ends(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct kvec kvec = { .iov_base = ctx->buf, .iov_len = sizeof(ctx->buf) };
	struct iov_iter to;
	u32 reads = 0, end;
	int err;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 1));
	test_post(ctx, 2);
	end = watch_ring_end(ctx->ring);
	iov_iter_kvec(&to, ITER_DEST, &kvec, 1, sizeof(ctx->buf));
	while (watch_ring_read(ctx->ring, end, &to, &err)) {
		test_post(ctx, 2);
		KUNIT_ASSERT_LE(test, ++reads, 2);
	}
	KUNIT_EXPECT_EQ(test, 0, err);
	ctx->len = sizeof(ctx->buf) - iov_iter_count(&to);
	test_expect_records(test, 0, 1);
	test_expect_loss(test, 1);
	KUNIT_EXPECT_EQ(test, ctx->pos, ctx->len);

	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 2, 1);
	test_expect_loss(test, 1);
	test_expect_end(test);
}

/* Many records are read in chunks, so that the caller can reschedule in between */
static void watch_ring_test_chunks(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	const u32 nr = 2 * WATCH_RING_CHUNK + 1;
	struct iov_iter to;
	struct kvec kvec;
	u32 calls = 1;
	int err;

	BUILD_BUG_ON(sizeof(ctx->buf) < (2 * WATCH_RING_CHUNK + 1) * 8);
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, nr));
	test_post_len(ctx, nr, 8);
	KUNIT_EXPECT_EQ(test, nr * 8, watch_ring_bytes(ctx->ring));
	kvec.iov_base = ctx->buf;
	kvec.iov_len = sizeof(ctx->buf);
	iov_iter_kvec(&to, ITER_DEST, &kvec, 1, sizeof(ctx->buf));
	while (watch_ring_read(ctx->ring, watch_ring_end(ctx->ring), &to, &err)) {
		KUNIT_EXPECT_EQ(test, sizeof(ctx->buf) - iov_iter_count(&to),
				calls * WATCH_RING_CHUNK * 8);
		calls++;
	}
	KUNIT_EXPECT_EQ(test, 3, calls);
	KUNIT_EXPECT_FALSE(test, watch_ring_readable(ctx->ring));
}

/* The result for FIONREAD equals what a read returns, with losses in all states */
static void watch_ring_test_bytes(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	u32 bytes;

	test_post(ctx, 1);
	KUNIT_EXPECT_EQ(test, 8, watch_ring_bytes(ctx->ring));
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	test_post(ctx, 5);
	KUNIT_EXPECT_EQ(test, 8 + 4 * 16 + 8, watch_ring_bytes(ctx->ring));
	test_read(ctx, 8 + 16);
	test_post(ctx, 2);
	bytes = watch_ring_bytes(ctx->ring);
	KUNIT_EXPECT_EQ(test, 3 * 16 + 8 + 16 + 8, bytes);
	KUNIT_EXPECT_EQ(test, bytes, test_read(ctx, sizeof(ctx->buf)));
}

/* FIONREAD counts in chunks, too */
static void watch_ring_test_bytes_chunks(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 2 * WATCH_RING_CHUNK));
	test_post_len(ctx, WATCH_RING_CHUNK, 8);
	test_post_len(ctx, WATCH_RING_CHUNK, 24);
	KUNIT_EXPECT_EQ(test, WATCH_RING_CHUNK * (8 + 24), watch_ring_bytes(ctx->ring));
}

static struct kunit_case watch_ring_test_cases[] = {
	KUNIT_CASE(watch_ring_test_payload),
	KUNIT_CASE(watch_ring_test_depth),
	KUNIT_CASE(watch_ring_test_wrap),
	KUNIT_CASE(watch_ring_test_old_mark),
	KUNIT_CASE(watch_ring_test_loss_place),
	KUNIT_CASE(watch_ring_test_loss_pending),
	KUNIT_CASE(watch_ring_test_loss_unsized),
	KUNIT_CASE(watch_ring_test_loss_unsized_adds),
	KUNIT_CASE(watch_ring_test_loss_saturates),
	KUNIT_CASE(watch_ring_test_loss_unsized_wraps),
	KUNIT_CASE(watch_ring_test_short_buffer),
	KUNIT_CASE(watch_ring_test_edges),
	KUNIT_CASE(watch_ring_test_read_ends),
	KUNIT_CASE(watch_ring_test_chunks),
	KUNIT_CASE(watch_ring_test_bytes),
	KUNIT_CASE(watch_ring_test_bytes_chunks),
	{}
};

static struct kunit_suite watch_ring_test_suite = {
	.name = "watch_queue_ring",
	.init = test_init,
	.exit = test_exit,
	.test_cases = watch_ring_test_cases,
};

kunit_test_suite(watch_ring_test_suite);
