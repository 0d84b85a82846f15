// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for notifications about errors of block devices
 *
 * Included at the end of block/blk-notify.c.  They cover errors and requests that no
 * driver generates on demand.  tools/testing/selftests/watch_queue tests everything else.
 */

#include <kunit/test.h>

/* Classes and operations are user ABI */
static void blk_notify_test_classes(struct kunit *test)
{
	static const struct {
		blk_status_t status;
		u8 class;
	} rows[] = {
		{ BLK_STS_IOERR,		NOTIFY_BLOCK_IO },
		{ BLK_STS_NOTSUPP,		NOTIFY_BLOCK_NOT_SUPPORTED },
		{ BLK_STS_TIMEOUT,		NOTIFY_BLOCK_TIMEOUT },
		{ BLK_STS_NOSPC,		NOTIFY_BLOCK_NO_SPACE },
		{ BLK_STS_TRANSPORT,		NOTIFY_BLOCK_TRANSPORT },
		{ BLK_STS_TARGET,		NOTIFY_BLOCK_TARGET },
		{ BLK_STS_RESV_CONFLICT,	NOTIFY_BLOCK_RESV_CONFLICT },
		{ BLK_STS_MEDIUM,		NOTIFY_BLOCK_MEDIUM },
		{ BLK_STS_PROTECTION,		NOTIFY_BLOCK_PROTECTION },
		{ BLK_STS_RESOURCE,		NOTIFY_BLOCK_RESOURCE },
		{ BLK_STS_DEV_RESOURCE,		NOTIFY_BLOCK_RESOURCE },
		{ BLK_STS_ZONE_OPEN_RESOURCE,	NOTIFY_BLOCK_ZONE_RESOURCE },
		{ BLK_STS_ZONE_ACTIVE_RESOURCE,	NOTIFY_BLOCK_ZONE_RESOURCE },
		{ BLK_STS_OFFLINE,		NOTIFY_BLOCK_OFFLINE },
		{ BLK_STS_DURATION_LIMIT,	NOTIFY_BLOCK_DURATION_LIMIT },
		{ BLK_STS_INVAL,		NOTIFY_BLOCK_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, rows[i].class, blk_error_class(rows[i].status),
				    "status %u", (__force u8)rows[i].status);
}

static void blk_notify_test_operations(struct kunit *test)
{
	static const struct {
		enum req_op op;
		u32 length;
		u32 operation;
	} rows[] = {
		{ REQ_OP_READ,		512, NOTIFY_BLOCK_OP_READ },
		{ REQ_OP_WRITE,		512, NOTIFY_BLOCK_OP_WRITE },
		{ REQ_OP_WRITE,		0,   NOTIFY_BLOCK_OP_FLUSH },
		{ REQ_OP_FLUSH,		0,   NOTIFY_BLOCK_OP_FLUSH },
		{ REQ_OP_ZONE_APPEND,	512, NOTIFY_BLOCK_OP_WRITE },
		{ REQ_OP_DISCARD,	512, NOTIFY_BLOCK_OP_DISCARD },
		{ REQ_OP_SECURE_ERASE,	512, NOTIFY_BLOCK_OP_DISCARD },
		{ REQ_OP_WRITE_ZEROES,	512, NOTIFY_BLOCK_OP_ZERO },
		{ REQ_OP_ZONE_RESET,	0,   NOTIFY_BLOCK_OP_ZONE },
		{ REQ_OP_ZONE_RESET_ALL, 0,  NOTIFY_BLOCK_OP_ZONE },
		{ REQ_OP_DRV_IN,	512, NOTIFY_BLOCK_OP_OTHER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, rows[i].operation,
				    blk_error_operation(rows[i].op, rows[i].length),
				    "row %zu", i);
}

/* A watched disk whose reports are recorded instead of posted */
struct blk_test_disk {
	struct block_device bdev;
	struct gendisk disk;
	struct request_queue queue;
	struct list_head slave;
	struct watch watch;
	struct blk_error last;
	u32 reports;
};

static void blk_test_post(struct watch_ratelimit *rl, const void *event, u32 suppressed)
{
	struct blk_watchers *bw = container_of(rl, struct blk_watchers, rl);
	struct blk_test_disk *t = container_of(bw->bdev, struct blk_test_disk, bdev);

	t->last = *(const struct blk_error *)event;
	t->reports++;
}

static void blk_test_destroy(void *data)
{
	struct blk_test_disk *t = data;
	struct blk_watchers *bw = t->bdev.bd_watchers;

	watch_ratelimit_destroy(&bw->rl);
	kfree(bw);
}

static struct blk_test_disk *blk_test_disk(struct kunit *test)
{
	struct blk_test_disk *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct blk_watchers *bw;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->bdev.bd_disk = &t->disk;
	t->bdev.bd_queue = &t->queue;
	t->disk.part0 = &t->bdev;
	t->disk.queue = &t->queue;
#ifdef CONFIG_BLOCK_HOLDER_DEPRECATED
	INIT_LIST_HEAD(&t->disk.slave_bdevs);
#endif
	bw = blk_watchers_get(&t->bdev, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bw);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, blk_test_destroy, t));
	bw->rl.post = blk_test_post;
	hlist_add_head(&t->watch.list_node, &bw->watchers.watchers);
	return t;
}

/* Report a failed request of @bios that are linked; return true if it was reported */
static bool blk_test_request(struct blk_test_disk *t, blk_opf_t opf, req_flags_t flags,
			     struct bio *bios, blk_status_t status)
{
	struct request rq = {
		.q = &t->queue, .cmd_flags = opf, .rq_flags = flags, .bio = bios,
		.__sector = 100, .__data_len = 512,
	};
	u32 before = t->reports;

	blk_notify_request_of(&t->bdev, &rq, status, 512);
	return t->reports != before;
}

/* Quiet requests are probes, except writes and expired duration limits. */
static void blk_notify_test_quiet(struct kunit *test)
{
	struct blk_test_disk *t = blk_test_disk(test);
	struct bio bio = { .bi_bdev = &t->bdev };

	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_READ, 0, &bio, BLK_STS_IOERR));
	KUNIT_EXPECT_FALSE(test, blk_test_request(t, REQ_OP_READ, RQF_QUIET, &bio,
						  BLK_STS_IOERR));
	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_READ, RQF_QUIET, &bio,
						 BLK_STS_DURATION_LIMIT));
	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_WRITE, RQF_QUIET, &bio,
						 BLK_STS_IOERR));
}

/* Readahead is reported if it is a part of the request, or if the medium is bad. */
static void blk_notify_test_readahead(struct kunit *test)
{
	struct blk_test_disk *t = blk_test_disk(test);
	struct bio second = { .bi_bdev = &t->bdev, .bi_opf = REQ_OP_READ | REQ_RAHEAD };
	struct bio first = second;

	first.bi_next = &second;
	KUNIT_EXPECT_FALSE(test, blk_test_request(t, REQ_OP_READ, 0, &first, BLK_STS_IOERR));
	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_READ, 0, &first, BLK_STS_MEDIUM));
	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_READ, 0, &first,
						 BLK_STS_PROTECTION));
	second.bi_opf = REQ_OP_READ;
	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_READ, 0, &first, BLK_STS_IOERR));
	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_FLUSH, 0, NULL, BLK_STS_IOERR));
}

/* A driver returns the sector of a zone append in the request, but not in the bio. */
static void blk_notify_test_sector(struct kunit *test)
{
	struct blk_test_disk *t = blk_test_disk(test);
	struct bio bio = { .bi_bdev = &t->bdev, .bi_iter.bi_sector = 8 };

	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_ZONE_APPEND, 0, &bio,
						 BLK_STS_IOERR));
	KUNIT_EXPECT_EQ(test, 8, t->last.sector);
	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_WRITE, 0, &bio, BLK_STS_IOERR));
	KUNIT_EXPECT_EQ(test, 100, t->last.sector);
	KUNIT_EXPECT_TRUE(test, blk_test_request(t, REQ_OP_FLUSH, 0, NULL, BLK_STS_IOERR));
	KUNIT_EXPECT_EQ(test, 0, t->last.sector);
}

static bool blk_test_bio(struct blk_test_disk *t, struct bio *bio, blk_status_t status)
{
	u32 before = t->reports;

	bio->bi_status = status;
	blk_notify_bio(bio, false);
	return t->reports != before;
}

/* The bios of hidden disks are not reported. */
static void blk_notify_test_hidden(struct kunit *test)
{
	struct blk_test_disk *t = blk_test_disk(test);
	struct bio bio = { .bi_bdev = &t->bdev };

	KUNIT_EXPECT_TRUE(test, blk_test_bio(t, &bio, BLK_STS_TRANSPORT));
	t->disk.flags |= GENHD_FL_HIDDEN;
	KUNIT_EXPECT_FALSE(test, blk_test_bio(t, &bio, BLK_STS_TRANSPORT));
}

/*
 * The driver has split off the first part of a bio, which is misaligned.  Only a stacked
 * device fails it with BLK_STS_IOERR because of this.
 */
static void blk_notify_test_misaligned(struct kunit *test)
{
	struct blk_test_disk *t = blk_test_disk(test);
	struct bio_vec vec[2] = { { .bv_len = 512, .bv_offset = 1 }, { .bv_len = 512 } };
	struct bio bio = {
		.bi_bdev = &t->bdev, .bi_opf = REQ_OP_READ, .bi_io_vec = vec,
		.bi_iter = { .bi_size = 512, .bi_idx = 1 },
	};

	t->queue.limits.dma_alignment = 511;
	KUNIT_EXPECT_TRUE(test, blk_test_bio(t, &bio, BLK_STS_IOERR));
	KUNIT_EXPECT_FALSE(test, blk_test_bio(t, &bio, BLK_STS_INVAL));
#ifdef CONFIG_BLOCK_HOLDER_DEPRECATED
	list_add(&t->slave, &t->disk.slave_bdevs);
	KUNIT_EXPECT_FALSE(test, blk_test_bio(t, &bio, BLK_STS_IOERR));
	KUNIT_EXPECT_TRUE(test, blk_test_bio(t, &bio, BLK_STS_MEDIUM));
	vec[0].bv_offset = 0;
	KUNIT_EXPECT_TRUE(test, blk_test_bio(t, &bio, BLK_STS_IOERR));
#endif
}

/* A bio that device-mapper requeues has not failed. */
static void blk_notify_test_requeued(struct kunit *test)
{
	struct blk_test_disk *t = blk_test_disk(test);
	struct bio bio = { .bi_bdev = &t->bdev };

	KUNIT_EXPECT_TRUE(test, blk_test_bio(t, &bio, BLK_STS_IOERR));
	KUNIT_EXPECT_FALSE(test, blk_test_bio(t, &bio, BLK_STS_DM_REQUEUE));
}

static struct kunit_case blk_notify_test_cases[] = {
	KUNIT_CASE(blk_notify_test_classes),
	KUNIT_CASE(blk_notify_test_operations),
	KUNIT_CASE(blk_notify_test_quiet),
	KUNIT_CASE(blk_notify_test_readahead),
	KUNIT_CASE(blk_notify_test_sector),
	KUNIT_CASE(blk_notify_test_hidden),
	KUNIT_CASE(blk_notify_test_misaligned),
	KUNIT_CASE(blk_notify_test_requeued),
	{}
};

static struct kunit_suite blk_notify_test_suite = {
	.name = "watch_queue_block",
	.test_cases = blk_notify_test_cases,
};

kunit_test_suite(blk_notify_test_suite);
