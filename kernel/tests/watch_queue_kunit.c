// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the general notification queue
 *
 * Included at the end of kernel/watch_queue.c, to test its static functions.  The
 * ring has its own suite, watch_ring_kunit.c.  Tests that need a pipe, a system
 * call or a second CPU are in tools/testing/selftests/watch_queue.
 *
 * Each test begins with a queue without a size that watches one object:
 *
 *	ctx->wqueue <-- watch (TEST_ID) --> ctx->object (TEST_OBJECT)
 */

#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/timer.h>
#include <linux/watch_ratelimit.h>

#include "watch_kunit.h"

#define TEST_OBJECT	0x1234
#define TEST_ID		0x42

static unsigned int test_released;
static bool test_released_charged;

static void test_release(struct watch *watch)
{
	test_released++;
	if (watch->ucounts)
		test_released_charged = true;
}

static struct watch_list *test_object_new(struct kunit *test)
{
	struct watch_list *wlist = kzalloc(sizeof(*wlist), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, wlist);
	init_watch_list(wlist, test_release);
	return wlist;
}

static int test_watch(struct kunit *test, struct watch_queue *wqueue,
		      struct watch_list *wlist, u64 object, u8 id)
{
	struct watch *watch = kzalloc(sizeof(*watch), GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, watch);
	init_watch(watch, wqueue);
	watch->id = object;
	watch->info_id = id << WATCH_INFO_ID__SHIFT;
	ret = add_watch_to_object(watch, wlist);
	if (ret)
		kfree(watch);
	return ret;
}

/* Drop CAP_SYS_RESOURCE, so that watches are charged */
static const struct cred *test_drop_privilege(struct kunit *test)
{
	struct cred *cred = prepare_creds();

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cap_lower(cred->cap_effective, CAP_SYS_RESOURCE);
	return override_creds(cred);
}

static void test_restore_privilege(const struct cred *old)
{
	const struct cred *cred = current_cred();

	revert_creds(old);
	put_cred(cred);
}

static long test_charged(void)
{
	return atomic_long_read(&current_ucounts()->ucount[UCOUNT_WATCH_QUEUE_WATCHES]);
}

static void test_close(struct watch_queue *wqueue)
{
	watch_queue_close(wqueue);
	put_watch_queue(wqueue);
}

static int test_init(struct kunit *test)
{
	struct test_context *ctx;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	ctx->wqueue = watch_queue_alloc();
	KUNIT_ASSERT_NOT_NULL(test, ctx->wqueue);
	ctx->ring = &ctx->wqueue->ring;
	ctx->info_id = TEST_ID << WATCH_INFO_ID__SHIFT;
	ctx->object = test_object_new(test);
	KUNIT_ASSERT_EQ(test, 0, test_watch(test, ctx->wqueue, ctx->object,
					    TEST_OBJECT, TEST_ID));
	test_released = 0;
	test->priv = ctx;
	return 0;
}

static void test_exit(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	if (ctx->object)
		remove_watch_list(ctx->object, TEST_OBJECT);
	if (ctx->wqueue)
		test_close(ctx->wqueue);
}

/* Post @nr records of @len bytes with consecutive serial numbers */
static void test_post_len(struct test_context *ctx, u32 nr, u32 len)
{
	struct test_record record = {
		.n.type		= TEST_TYPE,
		.n.subtype	= NOTIFY_KEY_UPDATED,
		.n.info		= len,
	};

	test_fill(&record, len);
	while (nr--) {
		record.serial = ctx->serial++;
		post_watch_notification(ctx->object, &record.n, NULL, TEST_OBJECT);
	}
}

static void test_post(struct test_context *ctx, u32 nr)
{
	test_post_len(ctx, nr, 16);
}

/* Post one record with post_watch_notification_if() */
static void test_post_if(struct test_context *ctx, u32 len)
{
	struct test_record record = {
		.n.type		= TEST_TYPE,
		.n.subtype	= NOTIFY_KEY_UPDATED,
		.n.info		= len,
		.serial		= ctx->serial++,
	};

	post_watch_notification_if(ctx->object, &record.n, NULL, TEST_OBJECT, NULL,
				   NULL);
}

/* The next record reports the removal of the watch @id on @object */
static void test_expect_removal(struct kunit *test, u8 id, u64 object)
{
	struct test_context *ctx = test->priv;
	struct watch_notification_removal r = {};
	size_t len = object ? sizeof(r) : sizeof(r.watch);

	KUNIT_ASSERT_LE(test, ctx->pos + len, ctx->len);
	memcpy(&r, ctx->buf + ctx->pos, len);
	test_expect_header(test, &r.watch, WATCH_TYPE_META,
			   WATCH_META_REMOVAL_NOTIFICATION, id << 8 | len);
	KUNIT_EXPECT_EQ(test, r.id, object);
	ctx->pos += len;
}

/* Valid lengths are 8, the size of the header, to 127 */
static void watch_queue_test_length(struct kunit *test)
{
	static const struct {
		u32 info;
		bool valid;
	} rows[] = {
		{ 0, false },
		{ 7, false },
		{ 8, true },
		{ 127, true },
		{ 128, false },		/* lower seven bits: 0 */
		{ 136, false },		/* lower seven bits: 8 */
		{ 255, false },
		{ 0xffffff00 | 7, false },	/* other fields are ignored */
		{ 0xffffff00 | 8, true },
		{ 0xffffff00 | 128, false },
	};

	for (int i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, rows[i].valid,
				    watch_info_valid(rows[i].info), "info %#x",
				    rows[i].info);
}

/* Invalid posts are refused */
static void watch_queue_test_refused(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	test_post_len(ctx, 1, 7);
	test_post_len(ctx, 1, 128);
	test_post_if(ctx, 7);
	test_post_if(ctx, 128);

	/* Simulate an NMI */
	preempt_disable();
	preempt_count_add(NMI_OFFSET);
	test_post(ctx, 1);
	test_post_if(ctx, 16);
	preempt_count_sub(NMI_OFFSET);
	preempt_enable();
	test_expect_end(test);

	test_post(ctx, 1);
	test_post_if(ctx, 16);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 6, 2);
	test_expect_end(test);
}

/*
 * Map user memory.  The first call of kunit_vm_mmap() gives the thread an address
 * space with kthread_use_mm().  KUnit does not drop the reference that this takes
 * when the thread ends, so drop it here.  Remove the drop when KUnit does it.
 */
static void __user *test_user_memory(struct kunit *test, size_t size)
{
	bool had_one = current->mm;
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, size,
					   PROT_READ | PROT_WRITE,
					   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_NE(test, 0, addr);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	if (!had_one)
		mmdrop(current->mm);
	return (void __user *)addr;
}

/* A record of any length is copied to user memory as it was posted, and no more */
static void watch_queue_test_payload_user(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	char __user *ubuf = test_user_memory(test, PAGE_SIZE);

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	for (u32 len = 8; len <= WATCH_INFO_LENGTH; len++) {
		struct watch_ring *ring = ctx->ring;
		struct iov_iter to;
		int err;

		test_post_len(ctx, 2, len);
		KUNIT_ASSERT_EQ(test, 0, clear_user(ubuf, PAGE_SIZE));
		iov_iter_ubuf(&to, ITER_DEST, ubuf, 2 * len + 1);
		KUNIT_ASSERT_FALSE(test, watch_ring_read(ring, watch_ring_end(ring),
							 &to, &err));
		KUNIT_ASSERT_EQ(test, 1, iov_iter_count(&to));
		KUNIT_ASSERT_EQ(test, 0, copy_from_user(ctx->buf, ubuf, PAGE_SIZE));
		for (u32 i = 0; i < 2; i++) {
			struct test_record want = {
				.n.type		= TEST_TYPE,
				.n.subtype	= NOTIFY_KEY_UPDATED,
				.n.info		= TEST_ID << 8 | len,
				.serial		= ctx->serial - 2 + i,
			};

			KUNIT_ASSERT_MEMEQ(test, ctx->buf + i * len, &want,
					   min(len, sizeof(want.n) + sizeof(want.serial)));
		}
		for (u32 i = 12; i < len; i++) {
			KUNIT_ASSERT_EQ(test, test_byte(len, i), ctx->buf[i]);
			KUNIT_ASSERT_EQ(test, test_byte(len, i), ctx->buf[len + i]);
		}
		KUNIT_ASSERT_EQ(test, 0, ctx->buf[2 * len]);
	}
}

/* A record whose end is in an unmapped page stays in the queue, whatever part fits */
static void test_fault_user(struct kunit *test, char __user *end, u32 len)
{
	struct test_context *ctx = test->priv;
	struct iov_iter to;
	int err;

	test_post_len(ctx, 1, len);
	for (u32 good = 0; good < len; good++) {
		iov_iter_ubuf(&to, ITER_DEST, end - good, len);
		KUNIT_ASSERT_FALSE(test, watch_ring_read(ctx->ring,
							 watch_ring_end(ctx->ring),
							 &to, &err));
		KUNIT_ASSERT_EQ(test, -EFAULT, err);
		KUNIT_ASSERT_EQ(test, len, iov_iter_count(&to));
	}
	KUNIT_EXPECT_EQ(test, len, test_read(ctx, sizeof(ctx->buf)));
}

/* The same for a record of each length, as different code copies them */
static void watch_queue_test_fault_user(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	char __user *end = test_user_memory(test, 2 * PAGE_SIZE) + PAGE_SIZE;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	KUNIT_ASSERT_EQ(test, 0, vm_munmap((unsigned long)end, PAGE_SIZE));
	for (u32 len = sizeof(struct watch_notification); len <= WATCH_INFO_LENGTH; len++)
		test_fault_user(test, end, len);
}

/* Create a filter without a check of its rules; the queue frees it */
static struct watch_filter *test_filter(struct kunit *test, u32 nr_rules)
{
	struct test_context *ctx = test->priv;
	struct watch_filter *filter;

	filter = kzalloc(struct_size(filter, rules, nr_rules), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, filter);
	filter->nr_rules = nr_rules;
	rcu_assign_pointer(ctx->wqueue->filter, filter);
	return filter;
}

/* Each bit of the eight words accepts its subtype and no other */
static void watch_queue_test_filter_subtypes(struct kunit *test)
{
	struct watch_filter *filter = test_filter(test, 1);

	filter->rules[0].type = TEST_TYPE;
	for (u32 accepted = 0; accepted < 256; accepted++) {
		memset(filter->rules[0].subtype_filter, 0,
		       sizeof(filter->rules[0].subtype_filter));
		filter->rules[0].subtype_filter[accepted / 32] = BIT(accepted % 32);
		for (u32 subtype = 0; subtype < 256; subtype++) {
			struct watch_notification n = {
				.type = TEST_TYPE, .subtype = subtype,
			};

			KUNIT_ASSERT_EQ(test, subtype == accepted,
					watch_filter_passes(filter, &n, 8));
		}
	}
}

/* Type and info bits must match in the same rule, which may be any of them */
static void watch_queue_test_filter_rules(struct kunit *test)
{
	struct watch_filter *filter = test_filter(test, WATCH_FILTER_MAX_RULES);
	struct watch_notification n = { .type = TEST_TYPE, .subtype = 1 };

	for (u32 i = 0; i < WATCH_FILTER_MAX_RULES; i++) {
		filter->rules[i].type = i % 2 ? TEST_TYPE : TEST_TYPE + 1;
		filter->rules[i].subtype_filter[0] = BIT(1);
		filter->rules[i].info_mask = WATCH_INFO_ID;
		filter->rules[i].info_filter = i << WATCH_INFO_ID__SHIFT;
	}
	for (u32 id = 0; id < 256; id++)
		KUNIT_EXPECT_EQ(test, id % 2 && id < WATCH_FILTER_MAX_RULES,
				watch_filter_passes(filter, &n, id << 8 | 8));

	filter->nr_rules = 0;
	KUNIT_EXPECT_FALSE(test, watch_filter_passes(filter, &n, 1 << 8 | 8));
}

/* A filter that accepts no record does not affect loss and removal records */
static void watch_queue_test_filter_meta(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 1));
	test_post(ctx, 2);
	test_filter(test, 0);
	test_post(ctx, 1);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 0, 1);
	test_expect_loss(test, 1);
	remove_watch_list(ctx->object, TEST_OBJECT);
	ctx->object = NULL;
	test_read(ctx, sizeof(ctx->buf));
	test_expect_removal(test, TEST_ID, TEST_OBJECT);
	test_expect_end(test);
}

/* The filter does not apply to META records of a source either */
static void watch_queue_test_filter_meta_source(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_notification n = {
		.type = WATCH_TYPE_META, .subtype = 7, .info = 8,
	};

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 1));
	test_filter(test, 0);
	post_watch_notification(ctx->object, &n, NULL, TEST_OBJECT);
	KUNIT_EXPECT_EQ(test, 8, test_read(ctx, sizeof(ctx->buf)));
}

/* The ID of the watch replaces the ID in the record, also for the filter */
static void watch_queue_test_id(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_notification n = {
		.type = TEST_TYPE, .info = 0xabcdff00 | 8,
	};
	struct watch_filter *filter;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	filter = test_filter(test, 1);
	filter->rules[0].type = TEST_TYPE;
	filter->rules[0].subtype_filter[0] = BIT(0);
	filter->rules[0].info_mask = WATCH_INFO_ID;
	filter->rules[0].info_filter = 0xff00;
	post_watch_notification(ctx->object, &n, NULL, TEST_OBJECT);
	KUNIT_EXPECT_EQ(test, 0, test_read(ctx, sizeof(ctx->buf)));

	filter->rules[0].info_filter = TEST_ID << WATCH_INFO_ID__SHIFT;
	post_watch_notification(ctx->object, &n, NULL, TEST_OBJECT);
	KUNIT_EXPECT_EQ(test, 8, test_read(ctx, sizeof(ctx->buf)));
	memcpy(&n, ctx->buf, sizeof(n));
	KUNIT_EXPECT_EQ(test, 0xabcd0000 | TEST_ID << 8 | 8, n.info);
}

/* Check filters of user space.  Faults are tested in the selftests. */
static void watch_queue_test_filter_check(struct kunit *test)
{
	static const struct {
		u32 nr, reserved, type, filter, mask;
		int ret;		/* number of rules kept, or errno */
	} rows[] = {
		{ 0, 0, 1, 0, 0, -EINVAL },
		{ 1, 0, 1, 0, 0, 1 },
		{ 16, 0, 1, 0, 0, 16 },
		{ 17, 0, 1, 0, 0, -EINVAL },
		{ U32_MAX, 0, 1, 0, 0, -EINVAL },
		{ 1, 1, 1, 0, 0, -EINVAL },
		{ 1, 0, 0, 0, 0, 1 },			/* META: useless but valid */
		{ 1, 0, WATCH_TYPE__NR, 0, 0, 0 },	/* unknown type: dropped */
		{ 1, 0, WATCH_TYPE_TRIAL_NOTIFY - 1, 0, 0, 0 },
		{ 1, 0, WATCH_TYPE_TRIAL_NOTIFY, 0, 0, 1 },
		{ 1, 0, WATCH_TYPE_TRIAL_NOTIFY + 1, 0, 0, 0 },
		{ 16, 0, U32_MAX, 0, 0, 0 },
		{ 1, 0, U32_MAX, 1, 0, -EINVAL },	/* but checked */
		{ 1, 0, 1, 0x10000, 0x10000, 1 },
		{ 1, 0, 1, 0x30000, 0x10000, -EINVAL },
		{ 1, 0, 1, 0, 0x80, 1 },
		{ 1, 0, 1, 0, 0x40, -EINVAL },
		{ 1, 0, 1, 0, 0x01, -EINVAL },
		{ 1, 0, 1, 0xffffff80, 0xffffff80, 1 },
	};
	struct watch_notification_filter __user *uarg;
	struct watch_notification_filter *arg;
	size_t size = struct_size(arg, filters, 17);

	arg = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arg);
	uarg = test_user_memory(test, PAGE_SIZE);

	for (int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct watch_filter *filter;

		arg->nr_filters = rows[i].nr;
		arg->__reserved = rows[i].reserved;
		for (int j = 0; j < 17; j++) {
			arg->filters[j].type = rows[i].type;
			arg->filters[j].info_filter = rows[i].filter;
			arg->filters[j].info_mask = rows[i].mask;
		}
		KUNIT_ASSERT_EQ(test, 0, copy_to_user(uarg, arg, size));

		filter = watch_filter_copy(uarg);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].ret,
				    IS_ERR(filter) ? PTR_ERR(filter) :
						     filter->nr_rules,
				    "row %d", i);
		if (!IS_ERR(filter))
			kfree(filter);
	}
}

/* A queue may have one watch per object, and none after it was closed */
static void watch_queue_test_add(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	const struct cred *old = test_drop_privilege(test);
	long watches = test_charged();

	KUNIT_EXPECT_EQ(test, -EBUSY, test_watch(test, ctx->wqueue, ctx->object,
						 TEST_OBJECT, TEST_ID + 1));
	KUNIT_EXPECT_EQ(test, 0, test_watch(test, ctx->wqueue, ctx->object,
					    TEST_OBJECT + 1, TEST_ID + 1));
	KUNIT_EXPECT_EQ(test, watches + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 2, ctx->wqueue->nr_watches);

	watch_queue_close(ctx->wqueue);
	KUNIT_EXPECT_EQ(test, watches, test_charged());
	KUNIT_EXPECT_EQ(test, -ENOENT, test_watch(test, ctx->wqueue, ctx->object,
						  TEST_OBJECT, TEST_ID));
	KUNIT_EXPECT_EQ(test, watches, test_charged());
	test_restore_privilege(old);
	put_watch_queue(ctx->wqueue);
	ctx->wqueue = NULL;
}

/* Only the given watch is removed, and its removal record is its last record */
static void watch_queue_test_remove(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_queue *other = watch_queue_alloc();

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 8));
	KUNIT_ASSERT_EQ(test, 0, test_watch(test, ctx->wqueue, ctx->object,
					    TEST_OBJECT + 1, TEST_ID + 1));

	KUNIT_EXPECT_EQ(test, -EBADSLT,
			remove_watch_from_object(ctx->object, ctx->wqueue,
						 TEST_OBJECT + 2, false));
	KUNIT_EXPECT_EQ(test, -EBADSLT,
			remove_watch_from_object(ctx->object, other,
						 TEST_OBJECT, false));
	KUNIT_EXPECT_EQ(test, 0, test_released);
	test_post(ctx, 1);
	KUNIT_EXPECT_EQ(test, 0,
			remove_watch_from_object(ctx->object, ctx->wqueue,
						 TEST_OBJECT, false));
	KUNIT_EXPECT_EQ(test, 1, test_released);
	test_post(ctx, 1);
	KUNIT_EXPECT_EQ(test, -EBADSLT,
			remove_watch_from_object(ctx->object, ctx->wqueue,
						 TEST_OBJECT, false));

	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 0, 1);
	test_expect_removal(test, TEST_ID, TEST_OBJECT);
	test_expect_end(test);
	KUNIT_EXPECT_EQ(test, 1, ctx->wqueue->nr_watches);
	test_close(other);
}

/*
 * The right watch is found on the shorter of the object's and the queue's list.  On
 * each list, similar watches precede it.  Newest first, the lists are:
 *
 *	object	nr_others watches of other; queue on OBJECT + 1; queue on OBJECT
 *	queue	OBJECT of second; OBJECT + 1 of object; OBJECT of object
 */
static void test_find(struct kunit *test, u32 nr_others)
{
	struct test_context *ctx = test->priv;
	struct watch_list *object = ctx->object, *second = test_object_new(test);
	struct watch_queue *queue = ctx->wqueue, *other = watch_queue_alloc();

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(&queue->ring, 8));
	KUNIT_ASSERT_EQ(test, 0, test_watch(test, queue, object, TEST_OBJECT + 1, 2));
	KUNIT_ASSERT_EQ(test, 0, test_watch(test, queue, second, TEST_OBJECT, 3));
	for (u32 i = nr_others; i; i--)
		KUNIT_ASSERT_EQ(test, 0, test_watch(test, other, object,
						    TEST_OBJECT + i - 1, 4));
	KUNIT_EXPECT_EQ(test, nr_others + 2, object->nr_watches);
	KUNIT_EXPECT_EQ(test, 3, queue->nr_watches);

	KUNIT_EXPECT_EQ(test, -EBUSY, test_watch(test, queue, object, TEST_OBJECT, 5));
	KUNIT_EXPECT_EQ(test, -EBADSLT,
			remove_watch_from_object(object, queue, TEST_OBJECT + 2, false));
	KUNIT_EXPECT_EQ(test, 0,
			remove_watch_from_object(object, queue, TEST_OBJECT, false));
	KUNIT_EXPECT_EQ(test, -EBADSLT,
			remove_watch_from_object(object, queue, TEST_OBJECT, false));
	KUNIT_EXPECT_EQ(test, nr_others + 1, object->nr_watches);
	KUNIT_EXPECT_EQ(test, 1, second->nr_watches);
	KUNIT_EXPECT_EQ(test, 2, queue->nr_watches);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_removal(test, TEST_ID, TEST_OBJECT);
	test_expect_end(test);

	remove_watch_list(second, 0);
	test_close(other);
}

static void watch_queue_test_find_by_object(struct kunit *test)
{
	test_find(test, 1);
}

static void watch_queue_test_find_by_queue(struct kunit *test)
{
	test_find(test, 5);
}

/* A poster that found the watch before its removal does not post afterwards */
static void watch_queue_test_post_after_remove(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_notification n = { .type = TEST_TYPE, .info = sizeof(n) };
	struct watch *watch;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 8));
	/* Like remove_watch_from_object(), which cannot be called under RCU */
	rcu_read_lock();
	spin_lock(&ctx->object->lock);
	watch = hlist_entry(ctx->object->watchers.first, struct watch, list_node);
	watch_remove(watch, TEST_OBJECT);
	spin_unlock(&ctx->object->lock);
	watch_queue_post(watch, &n, n.info, sizeof(n));
	rcu_read_unlock();
	watch_release(watch, ctx->object->release_watch);

	test_read(ctx, sizeof(ctx->buf));
	test_expect_removal(test, TEST_ID, TEST_OBJECT);
	test_expect_end(test);
}

/* A watch is removed while its queue is being closed: no record is posted */
static void watch_queue_test_remove_closing(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 8));
	ctx->wqueue->closed = true;
	KUNIT_EXPECT_EQ(test, 0, remove_watch_from_object(ctx->object, ctx->wqueue,
							  TEST_OBJECT, false));
	KUNIT_EXPECT_EQ(test, 1, test_released);
	KUNIT_EXPECT_EQ(test, 0, ctx->wqueue->nr_watches);
	KUNIT_EXPECT_EQ(test, 0, ctx->ring->head);
	ctx->wqueue->closed = false;
}

/* The removal record of an object without an ID consists of the header */
static void watch_queue_test_remove_list(struct kunit *test)
{
	struct test_context *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 8));
	KUNIT_ASSERT_EQ(test, 0, test_watch(test, ctx->wqueue, ctx->object,
					    TEST_OBJECT + 1, TEST_ID + 1));
	remove_watch_list(ctx->object, 0);
	ctx->object = NULL;

	KUNIT_EXPECT_EQ(test, 2, test_released);
	KUNIT_EXPECT_EQ(test, 0, ctx->wqueue->nr_watches);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_removal(test, TEST_ID + 1, 0);
	test_expect_removal(test, TEST_ID, 0);
	test_expect_end(test);
	remove_watch_list(NULL, 0);
}

/*
 * A watch ends by R, L or C (see the banner of watch_queue.c).  In any combination
 * and order, the user is uncharged once, and then the watch is released once.
 */
static void watch_queue_test_end_orders(struct kunit *test)
{
	static const char * const orders[] = {
		"R", "L", "C", "RL", "LC", "CL", "RC", "CR", "RLC", "RCL", "CRL",
		"LRC",
	};
	const struct cred *old = test_drop_privilege(test);
	long watches = test_charged();

	test_released_charged = false;
	for (int i = 0; i < ARRAY_SIZE(orders); i++) {
		struct watch_queue *wqueue = watch_queue_alloc();
		struct watch_list *object = test_object_new(test);
		bool closed = false;

		KUNIT_ASSERT_NOT_NULL(test, wqueue);
		KUNIT_ASSERT_EQ(test, 0, test_watch(test, wqueue, object, 1, 1));
		test_released = 0;
		for (const char *way = orders[i]; *way; way++) {
			bool ended = way != orders[i];

			switch (*way) {
			case 'R':
				if (!object)
					break;
				KUNIT_EXPECT_EQ(test, ended ? -EBADSLT : 0,
						remove_watch_from_object(object,
									 wqueue, 1, false));
				break;
			case 'L':
				remove_watch_list(object, 1);
				object = NULL;
				break;
			case 'C':
				watch_queue_close(wqueue);
				closed = true;
				break;
			}
			KUNIT_EXPECT_EQ_MSG(test, 1, test_released, "%s at %c",
					    orders[i], *way);
			KUNIT_EXPECT_EQ(test, watches, test_charged());
			KUNIT_EXPECT_FALSE(test, test_released_charged);
		}
		remove_watch_list(object, 1);
		if (!closed)
			watch_queue_close(wqueue);
		put_watch_queue(wqueue);
	}
	test_restore_privilege(old);
}

/* Removal by ID removes all watches with the type and ID, and no others */
static void watch_queue_test_remove_id(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	u32 info_id = TEST_ID << WATCH_INFO_ID__SHIFT;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 8));
	KUNIT_ASSERT_EQ(test, 0, test_watch(test, ctx->wqueue, ctx->object,
					    TEST_OBJECT + 1, TEST_ID + 1));
	KUNIT_ASSERT_EQ(test, 0, test_watch(test, ctx->wqueue, ctx->object,
					    TEST_OBJECT + 2, TEST_ID));

	KUNIT_EXPECT_EQ(test, -EBADSLT,
			watch_queue_remove_id(ctx->wqueue, TEST_TYPE + 1, info_id));
	KUNIT_EXPECT_EQ(test, -EBADSLT,
			watch_queue_remove_id(ctx->wqueue, TEST_TYPE, 0));
	KUNIT_EXPECT_EQ(test, 0, test_released);
	KUNIT_EXPECT_EQ(test, 0,
			watch_queue_remove_id(ctx->wqueue, TEST_TYPE, info_id));
	KUNIT_EXPECT_EQ(test, 2, test_released);
	KUNIT_EXPECT_EQ(test, 1, ctx->wqueue->nr_watches);
	KUNIT_EXPECT_EQ(test, -EBADSLT,
			watch_queue_remove_id(ctx->wqueue, TEST_TYPE, info_id));

	test_read(ctx, sizeof(ctx->buf));
	test_expect_removal(test, TEST_ID, TEST_OBJECT + 2);
	test_expect_removal(test, TEST_ID, TEST_OBJECT);
	test_expect_end(test);
}

/* A task that waits for the queue, with the number of its wake-ups */
struct test_waiter {
	struct wait_queue_entry entry;
	struct task_struct *poster;
	unsigned int wakes, wakes_by_poster;
};

static int test_waiter_wake(struct wait_queue_entry *entry, unsigned int mode,
			    int flags, void *key)
{
	struct test_waiter *w = container_of(entry, struct test_waiter, entry);

	w->wakes++;
	w->wakes_by_poster += current == w->poster;
	return 1;
}

static void test_notify_all(struct watch_queue *wqueue)
{
	scoped_guard(spinlock_irq, &wqueue->ring.lock)
		watch_queue_notify_all(wqueue);
}

static void test_wait(struct watch_queue *wqueue, struct test_waiter *w)
{
	init_waitqueue_func_entry(&w->entry, test_waiter_wake);
	add_wait_queue(&wqueue->wait, &w->entry);
}

/* Another queue with the same waker */
static struct watch_queue *test_queue_of_same_user(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_queue *other = watch_queue_alloc();

	KUNIT_ASSERT_NOT_NULL(test, other);
	watch_queue_end_wakeups(other);
	other->waker = ctx->wqueue->waker;
	kref_get(&other->waker->ref);
	return other;
}

/* Return the number of wake-ups since the last call, pending ones included */
static unsigned int test_waiter_wakes(struct test_context *ctx,
				      struct test_waiter *w)
{
	unsigned int wakes;

	flush_delayed_work(&ctx->wqueue->waker->work);
	wakes = w->wakes;
	w->wakes = 0;
	return wakes;
}

/*
 * A work item wakes sleepers once when the queue becomes readable: with its first
 * record, or with the first loss of a queue without a size.  Posts to a queue that
 * was not read empty do not wake.
 */
static void watch_queue_test_notify(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct test_waiter w = { .poster = current };

	test_wait(ctx->wqueue, &w);

	test_post(ctx, 5);
	KUNIT_EXPECT_EQ(test, 1, test_waiter_wakes(ctx, &w));
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	test_post(ctx, 1);
	KUNIT_EXPECT_EQ(test, 0, test_waiter_wakes(ctx, &w));
	test_read(ctx, sizeof(ctx->buf));
	test_post(ctx, 6);
	KUNIT_EXPECT_EQ(test, 1, test_waiter_wakes(ctx, &w));
	test_read(ctx, 16);
	test_post(ctx, 1);
	KUNIT_EXPECT_EQ(test, 0, test_waiter_wakes(ctx, &w));

	/* Removing the last watch means the end of file and wakes all sleepers */
	KUNIT_EXPECT_EQ(test, 0, remove_watch_from_object(ctx->object, ctx->wqueue,
							  TEST_OBJECT, false));
	KUNIT_EXPECT_EQ(test, 1, test_waiter_wakes(ctx, &w));
	KUNIT_EXPECT_EQ(test, 0, w.wakes_by_poster);
	remove_wait_queue(&ctx->wqueue->wait, &w.entry);
}

/*
 * The end of file wakes all sleepers, and a later record wakes one exclusive sleeper, also
 * if there was no sleeper at the end of file.
 */
static void watch_queue_test_notify_all(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct test_waiter w[2] = {};

	test_notify_all(ctx->wqueue);
	KUNIT_EXPECT_FALSE(test, ctx->wqueue->wake_all);
	for (u32 i = 0; i < ARRAY_SIZE(w); i++) {
		init_waitqueue_func_entry(&w[i].entry, test_waiter_wake);
		add_wait_queue_exclusive(&ctx->wqueue->wait, &w[i].entry);
	}
	test_notify_all(ctx->wqueue);
	KUNIT_EXPECT_EQ(test, 1, test_waiter_wakes(ctx, &w[0]));
	KUNIT_EXPECT_EQ(test, 1, test_waiter_wakes(ctx, &w[1]));
	test_post(ctx, 1);
	KUNIT_EXPECT_EQ(test, 1, test_waiter_wakes(ctx, &w[0]) + test_waiter_wakes(ctx, &w[1]));
	for (u32 i = 0; i < ARRAY_SIZE(w); i++)
		remove_wait_queue(&ctx->wqueue->wait, &w[i].entry);
}

/* Post to the empty queue; returns true if the waker does not run immediately */
static bool test_post_delays(struct test_context *ctx)
{
	struct delayed_work *work = &ctx->wqueue->waker->work;
	bool delayed;

	test_post(ctx, 1);
	delayed = timer_pending(&work->timer);
	flush_delayed_work(work);
	test_read(ctx, sizeof(ctx->buf));
	return delayed;
}

/* Sleepers are woken immediately if the waker has not run in this tick */
static void watch_queue_test_notify_again(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct test_waiter w = { .poster = current };
	bool first, second;
	unsigned long now;
	int tries = 0;

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	test_wait(ctx->wqueue, &w);

	/* Again if a tick interferes */
	do {
		now = jiffies;
		ctx->wqueue->waker->next_run = get_jiffies_64();
		first = test_post_delays(ctx);
		second = test_post_delays(ctx);
		KUNIT_EXPECT_EQ(test, 2, test_waiter_wakes(ctx, &w));
	} while (time_after(jiffies, now) && ++tries < 1000);
	KUNIT_EXPECT_FALSE(test, first);
	KUNIT_EXPECT_TRUE(test, second);
	remove_wait_queue(&ctx->wqueue->wait, &w.entry);
}

/* End a run that used @used ns, and expect a pause of @ticks */
static void test_end_run(struct kunit *test, u64 used, u64 ticks)
{
	struct test_context *ctx = test->priv;
	struct watch_waker *waker = ctx->wqueue->waker;
	u64 start = get_jiffies_64();

	scoped_guard(spinlock_irq, &waker->lock) {
		waker->used = used;
		watch_waker_end_run(waker);
	}
	KUNIT_EXPECT_GE(test, waker->next_run, start + ticks + 1);
	KUNIT_EXPECT_LE(test, waker->next_run, get_jiffies_64() + ticks + 1);
}

/*
 * After a run, the waker pauses for 16 times its processor time, and for the rest of the
 * tick.  A request during the run or the pause is not lost.
 */
static void watch_queue_test_notify_pause(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_waker *waker = ctx->wqueue->waker;
	struct test_waiter w = {};

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	test_wait(ctx->wqueue, &w);

	test_end_run(test, 1000 * TICK_NSEC, 16 * 1000);
	KUNIT_EXPECT_FALSE(test, waker->scheduled);
	KUNIT_EXPECT_TRUE(test, test_post_delays(ctx));
	KUNIT_EXPECT_EQ(test, 1, test_waiter_wakes(ctx, &w));

	waker->scheduled = true;
	test_post(ctx, 1);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&waker->work));
	test_end_run(test, 1000 * TICK_NSEC, 16 * 1000);
	KUNIT_EXPECT_TRUE(test, timer_pending(&waker->work.timer));
	KUNIT_EXPECT_EQ(test, 1, test_waiter_wakes(ctx, &w));

	test_end_run(test, 0, 0);
	test_end_run(test, TICK_NSEC / 16 - 1, 0);
	test_end_run(test, TICK_NSEC / 8 - 1, 1);
	KUNIT_EXPECT_FALSE(test, waker->scheduled);
	remove_wait_queue(&ctx->wqueue->wait, &w.entry);
}

/* A run ends when it has used a sixteenth of a tick */
static void watch_queue_test_notify_share(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_queue *other = test_queue_of_same_user(test);
	struct watch_waker *waker = ctx->wqueue->waker;
	struct test_waiter w[2] = {};
	u64 share = DIV_ROUND_UP(TICK_NSEC, 16);

	test_wait(ctx->wqueue, &w[0]);
	test_wait(other, &w[1]);
	test_end_run(test, 1000 * TICK_NSEC, 16 * 1000);
	test_notify_all(ctx->wqueue);
	test_notify_all(other);

	spin_lock_irq(&waker->lock);
	waker->nr_runs++;
	KUNIT_EXPECT_PTR_EQ(test, ctx->wqueue, watch_waker_next(waker));
	watch_waker_charge(waker, ctx->wqueue, share - 1000);
	watch_waker_charge(waker, ctx->wqueue, 1000);
	KUNIT_EXPECT_NULL(test, watch_waker_next(waker));
	waker->used--;
	KUNIT_EXPECT_PTR_EQ(test, other, watch_waker_next(waker));
	KUNIT_EXPECT_NULL(test, watch_waker_next(waker));
	KUNIT_EXPECT_EQ(test, 1000, ctx->wqueue->last_used);
	spin_unlock_irq(&waker->lock);
	put_watch_queue(ctx->wqueue);
	put_watch_queue(other);

	/* The run charges what it measures */
	ctx->wqueue->last_used = 1;
	test_notify_all(ctx->wqueue);
	flush_delayed_work(&waker->work);
	KUNIT_EXPECT_NE(test, 1, ctx->wqueue->last_used);
	remove_wait_queue(&ctx->wqueue->wait, &w[0].entry);
	remove_wait_queue(&other->wait, &w[1].entry);
	test_close(other);
}

/* The queue that the waker takes next, in a run of its own */
static struct watch_queue *test_next_run(struct watch_waker *waker)
{
	struct watch_queue *wqueue;

	spin_lock_irq(&waker->lock);
	waker->nr_runs++;
	wqueue = watch_waker_next(waker);
	spin_unlock_irq(&waker->lock);
	if (wqueue)
		put_watch_queue(wqueue);
	return wqueue;
}

/*
 * Queues that wait have equal shares of processor time, as measured for their last
 * wake-up.  The first one of a queue is expected to use a whole run.
 */
static void watch_queue_test_notify_order(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_queue *queue = ctx->wqueue;
	struct watch_queue *other = test_queue_of_same_user(test);
	struct watch_waker *waker = queue->waker;
	struct test_waiter w[2] = {};

	test_wait(queue, &w[0]);
	test_wait(other, &w[1]);
	test_end_run(test, 1000 * TICK_NSEC, 16 * 1000);

	/* Both are new: in the order of the requests */
	test_notify_all(other);
	test_notify_all(queue);
	KUNIT_EXPECT_PTR_EQ(test, other, test_next_run(waker));
	KUNIT_EXPECT_EQ(test, TICK_NSEC / 16, waker->time);
	KUNIT_EXPECT_PTR_EQ(test, queue, test_next_run(waker));
	KUNIT_EXPECT_NULL(test, test_next_run(waker));

	/* One that is requested all the time has five turns in the time of the other one */
	queue->last_used = 1000;
	other->last_used = 5500;
	test_notify_all(other);
	for (int i = 0; i < 5; i++) {
		test_notify_all(queue);
		KUNIT_EXPECT_PTR_EQ(test, queue, test_next_run(waker));
	}
	test_notify_all(queue);
	KUNIT_EXPECT_PTR_EQ(test, other, test_next_run(waker));
	KUNIT_EXPECT_PTR_EQ(test, queue, test_next_run(waker));

	/* One that was idle does not catch up */
	for (int i = 0; i < 5; i++) {
		test_notify_all(other);
		KUNIT_EXPECT_PTR_EQ(test, other, test_next_run(waker));
	}
	test_notify_all(other);
	queue->last_used = 5501;
	test_notify_all(queue);
	KUNIT_EXPECT_PTR_EQ(test, other, test_next_run(waker));
	KUNIT_EXPECT_PTR_EQ(test, queue, test_next_run(waker));

	remove_wait_queue(&queue->wait, &w[0].entry);
	remove_wait_queue(&other->wait, &w[1].entry);
	test_close(other);
}

/* A run wakes a queue once, and then the others */
static void watch_queue_test_notify_once(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_queue *queue = ctx->wqueue;
	struct watch_queue *other = test_queue_of_same_user(test);
	struct watch_waker *waker = queue->waker;
	struct test_waiter w[2] = {};
	s64 time;

	test_wait(queue, &w[0]);
	test_wait(other, &w[1]);
	test_end_run(test, 1000 * TICK_NSEC, 16 * 1000);
	queue->last_used = 0;
	test_notify_all(queue);
	test_notify_all(other);
	KUNIT_EXPECT_PTR_EQ(test, queue, test_next_run(waker));
	test_notify_all(queue);
	spin_lock_irq(&waker->lock);
	KUNIT_EXPECT_PTR_EQ(test, other, watch_waker_next(waker));
	KUNIT_EXPECT_NULL(test, watch_waker_next(waker));
	spin_unlock_irq(&waker->lock);
	put_watch_queue(other);

	/* The time does not go back to that of the request that was skipped */
	time = waker->time;
	KUNIT_EXPECT_PTR_EQ(test, queue, test_next_run(waker));
	KUNIT_EXPECT_EQ(test, time, waker->time);
	remove_wait_queue(&queue->wait, &w[0].entry);
	remove_wait_queue(&other->wait, &w[1].entry);
	test_close(other);
}

/* The waker does not wake a queue that was closed while its request waited */
static void watch_queue_test_notify_close(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_queue *other = test_queue_of_same_user(test);
	struct watch_waker *waker = ctx->wqueue->waker;
	struct test_waiter w = {};

	test_wait(other, &w);
	test_end_run(test, 1000 * TICK_NSEC, 16 * 1000);
	test_notify_all(other);
	KUNIT_EXPECT_PTR_EQ(test, &other->request, timerqueue_getnext(&waker->requests));
	remove_wait_queue(&other->wait, &w.entry);
	test_close(other);
	KUNIT_EXPECT_NULL(test, timerqueue_getnext(&waker->requests));
	flush_delayed_work(&waker->work);
	KUNIT_EXPECT_EQ(test, 0, w.wakes);
	KUNIT_EXPECT_FALSE(test, waker->scheduled);
}

/*
 * All queues of a user have one waker, which stays when they are closed.  A queue that is
 * opened in a user namespace belongs to the user that created the outermost one.
 */
static void watch_queue_test_notify_user(struct kunit *test)
{
	struct ucounts *user = alloc_ucounts(&init_user_ns, KUIDT_INIT(0x7fff1234));
	struct user_namespace *ns = kunit_kzalloc(test, sizeof(*ns), GFP_KERNEL);
	struct ucounts *ucounts = kunit_kzalloc(test, sizeof(*ucounts), GFP_KERNEL);
	struct cred *cred = prepare_creds();
	struct watch_queue *wqueue[3];
	struct ucounts *old_ucounts;
	struct watch_waker *waker;
	const struct cred *old;

	KUNIT_ASSERT_NOT_NULL(test, user);
	KUNIT_ASSERT_NOT_NULL(test, ns);
	KUNIT_ASSERT_NOT_NULL(test, ucounts);
	KUNIT_ASSERT_NOT_NULL(test, cred);
	wqueue[0] = watch_queue_alloc();
	wqueue[1] = watch_queue_alloc();
	KUNIT_ASSERT_NOT_NULL(test, wqueue[0]);
	KUNIT_ASSERT_NOT_NULL(test, wqueue[1]);
	KUNIT_EXPECT_PTR_NE(test, wqueue[0]->waker, wqueue[1]->waker);
	test_close(wqueue[0]);
	test_close(wqueue[1]);

	ns->ucounts = user;
	ucounts->ns = ns;
	cap_clear(cred->cap_effective);
	old_ucounts = cred->ucounts;
	cred->ucounts = ucounts;
	old = override_creds(cred);
	for (int i = 0; i < ARRAY_SIZE(wqueue); i++) {
		wqueue[i] = watch_queue_alloc();
		if (i == 1 && wqueue[0] && wqueue[1]) {
			KUNIT_EXPECT_PTR_EQ(test, wqueue[0]->waker, wqueue[1]->waker);
			test_close(wqueue[0]);
			test_close(wqueue[1]);
		}
	}
	revert_creds(old);
	cred->ucounts = old_ucounts;
	abort_creds(cred);

	for (int i = 0; i < ARRAY_SIZE(wqueue); i++)
		KUNIT_ASSERT_NOT_NULL(test, wqueue[i]);
	waker = user->watch_waker;
	KUNIT_ASSERT_NOT_NULL(test, waker);
	KUNIT_EXPECT_PTR_EQ(test, waker, wqueue[2]->waker);

	/* The user, the last queue */
	KUNIT_EXPECT_EQ(test, 2, kref_read(&waker->ref));
	put_ucounts(user);
	KUNIT_EXPECT_EQ(test, 1, kref_read(&waker->ref));
	test_close(wqueue[2]);
}

/* A closed queue does not store records, and schedules no wake-up */
static void watch_queue_test_post_closed(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_notification n = { .type = TEST_TYPE, .info = sizeof(n) };
	struct watch_waker *waker = ctx->wqueue->waker;
	struct test_waiter w = {};

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 8));
	test_post(ctx, 1);
	kref_get(&waker->ref);
	watch_queue_close(ctx->wqueue);
	spin_lock_irq(&ctx->ring->lock);
	watch_queue_add(ctx->wqueue, &n, n.info, sizeof(n));
	spin_unlock_irq(&ctx->ring->lock);
	KUNIT_EXPECT_EQ(test, 1, ctx->ring->head);

	test_wait(ctx->wqueue, &w);
	test_notify_all(ctx->wqueue);
	KUNIT_EXPECT_FALSE(test, waker->scheduled);
	KUNIT_EXPECT_NULL(test, timerqueue_getnext(&waker->requests));
	remove_wait_queue(&ctx->wqueue->wait, &w.entry);
	watch_waker_put(waker);
	put_watch_queue(ctx->wqueue);
	ctx->wqueue = NULL;
}

/* If several queues watch an object, each gets a copy with the ID of its watch */
static void watch_queue_test_fan_out(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	struct watch_queue *other = watch_queue_alloc();
	struct watch_slot *slot;

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 4));
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(&other->ring, 4));
	KUNIT_ASSERT_EQ(test, 0, test_watch(test, other, ctx->object,
					    TEST_OBJECT, TEST_ID + 1));
	test_post(ctx, 2);
	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 0, 2);
	KUNIT_EXPECT_EQ(test, 2, other->ring.head);
	for (u32 i = 0; i < 2; i++) {
		slot = &other->ring.slots[i];
		KUNIT_EXPECT_EQ(test, slot->n.info, (TEST_ID + 1) << 8 | 16);
	}
	test_close(other);
}

/*
 * A post does not change whether interrupts are disabled.  With PREEMPT_RT,
 * spin_lock_irq() does not disable them.
 */
static void watch_queue_test_irqs_off(struct kunit *test)
{
	struct test_context *ctx = test->priv;
	const bool off = !IS_ENABLED(CONFIG_PREEMPT_RT);
	static DEFINE_SPINLOCK(lock);

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(ctx->ring, 2));
	spin_lock_irq(&lock);
	test_post(ctx, 1);			/* is queued */
	KUNIT_EXPECT_EQ(test, off, irqs_disabled());
	test_post(ctx, 2);			/* the second is lost */
	KUNIT_EXPECT_EQ(test, off, irqs_disabled());
	spin_unlock_irq(&lock);
	test_post(ctx, 1);
	KUNIT_EXPECT_FALSE(test, irqs_disabled());

	test_read(ctx, sizeof(ctx->buf));
	test_expect_records(test, 0, 2);
	test_expect_loss(test, 2);
	test_expect_end(test);
}

struct test_irq {
	struct timer_list timer;
	struct irq_work work;
	struct test_context *ctx;
	struct completion done;
	bool in_context;
};

/* Called in the interrupt: post a record; @in_context: the context is as intended */
static void test_irq_post(struct test_irq *t, bool in_context)
{
	t->in_context = in_context;
	test_post(t->ctx, 1);
	complete(&t->done);
}

static void test_irq_expect(struct kunit *test, const struct test_irq *t)
{
	KUNIT_EXPECT_TRUE(test, t->in_context);
	test_read(t->ctx, sizeof(t->ctx->buf));
	test_expect_records(test, 0, 1);
	test_expect_end(test);
}

static void test_timer_fn(struct timer_list *timer)
{
	struct test_irq *t = container_of(timer, struct test_irq, timer);

	test_irq_post(t, in_serving_softirq());
}

/* A record can be posted from a softirq */
static void watch_queue_test_timer(struct kunit *test)
{
	struct test_irq *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->ctx = test->priv;
	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(&t->ctx->wqueue->ring, 2));
	init_completion(&t->done);
	timer_setup(&t->timer, test_timer_fn, 0);
	mod_timer(&t->timer, jiffies + 1);
	wait_for_completion(&t->done);
	timer_delete_sync(&t->timer);

	test_irq_expect(test, t);
}

static void test_irq_fn(struct irq_work *work)
{
	struct test_irq *t = container_of(work, struct test_irq, work);

	test_irq_post(t, in_hardirq() || IS_ENABLED(CONFIG_PREEMPT_RT));
}

/* A record can be posted from a hard interrupt; with PREEMPT_RT, from its thread */
static void watch_queue_test_hardirq(struct kunit *test)
{
	struct test_irq t = {
		.ctx = test->priv,
		.work = IRQ_WORK_INIT(test_irq_fn),
	};

	KUNIT_ASSERT_EQ(test, 0, watch_ring_resize(&t.ctx->wqueue->ring, 2));
	init_completion(&t.done);
	irq_work_queue(&t.work);
	wait_for_completion(&t.done);
	irq_work_sync(&t.work);

	test_irq_expect(test, &t);
}

/* A type that no source uses.  The last type of the table is the one for trials */
#define TEST_SOURCE_TYPE	(WATCH_TYPE_TRIAL_NOTIFY - 1)

/* Arguments and number of calls of the source, and its results */
static struct {
	unsigned int adds, removes, added;
	struct file *file;
	u32 flags;
	struct watch_target target;
	int ret;
	struct watch_target added_target;
	struct watch_queue *added_queue;
} test_found;

static int test_source_find(struct file *file, u32 flags, bool add,
			    struct watch_target *target)
{
	test_found.adds += add;
	test_found.removes += !add;
	test_found.file = file;
	test_found.flags = flags;
	*target = test_found.target;
	return test_found.ret;
}

static void test_source_added(const struct watch_target *target,
			      struct watch_queue *wqueue)
{
	test_found.added++;
	test_found.added_target = *target;
	test_found.added_queue = wqueue;
}

static const struct watch_source test_source = {
	.type	= TEST_SOURCE_TYPE,
	.flags	= BIT(0) | BIT(31),
	.find	= test_source_find,
	.added	= test_source_added,
};

static void test_source_unregister(void *source)
{
	unregister_watch_source(source);
}

/* A type has one source.  META, keys and sources without a callback are refused. */
static void watch_queue_test_source_register(struct kunit *test)
{
	struct watch_source other = test_source;

	KUNIT_ASSERT_EQ(test, 0, register_watch_source(&test_source));
	kunit_add_action(test, test_source_unregister, (void *)&test_source);
	KUNIT_EXPECT_EQ(test, -EBUSY, register_watch_source(&test_source));
	KUNIT_EXPECT_EQ(test, -EBUSY, register_watch_source(&other));

	/* Has no effect, as another source is registered */
	unregister_watch_source(&other);
	KUNIT_EXPECT_EQ(test, -EBUSY, register_watch_source(&other));

	unregister_watch_source(&test_source);
	KUNIT_EXPECT_EQ(test, 0, register_watch_source(&other));
	unregister_watch_source(&other);

	static const u32 bad[] = { WATCH_TYPE_META, WATCH_TYPE_KEY_NOTIFY,
				   WATCH_TYPE_TRIAL_NOTIFY + 1, BIT(24), U32_MAX };

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		other.type = bad[i];
		KUNIT_EXPECT_EQ(test, -EINVAL, register_watch_source(&other));
		unregister_watch_source(&other);
	}
	other = test_source;
	other.find = NULL;
	KUNIT_EXPECT_EQ(test, -EINVAL, register_watch_source(&other));

	/* Only added() can report the state */
	other = test_source;
	other.flags = WATCH_REPORT_STATE;
	other.added = NULL;
	KUNIT_EXPECT_EQ(test, -EINVAL, register_watch_source(&other));
	other.flags = 0;
	KUNIT_EXPECT_EQ(test, 0, register_watch_source(&other));
	unregister_watch_source(&other);
}

static int test_source_find_nested(struct file *file, u32 flags, bool add,
				   struct watch_target *target)
{
	struct watch_source other = test_source;
	int ret;

	other.type = TEST_SOURCE_TYPE - 1;
	ret = register_watch_source(&other);
	unregister_watch_source(&other);
	return ret ?: -EBUSY;
}

/* A slow source does not block the registration of another one */
static void watch_queue_test_source_nested(struct kunit *test)
{
	struct watch_queue_watch args = { .type = TEST_SOURCE_TYPE, .fd = -1 };
	struct watch_source source = test_source;
	struct test_context *ctx = test->priv;
	u8 __user *ubuf;

	source.find = test_source_find_nested;
	ubuf = test_user_memory(test, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(ubuf, &args, sizeof(args)));
	KUNIT_ASSERT_EQ(test, 0, register_watch_source(&source));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			watch_source_ioctl(ctx->wqueue, IOC_WATCH_QUEUE_ADD_WATCH, ubuf));
	unregister_watch_source(&source);
}

/* A source whose find() waits, and a thread that unregisters it */
static struct {
	const struct watch_source *source;
	struct task_struct *thread;
	bool ended;
} test_unregister;

static int test_unregister_thread(void *unused)
{
	unregister_watch_source(test_unregister.source);
	WRITE_ONCE(test_unregister.ended, true);
	return 0;
}

static int test_source_find_waits(struct file *file, u32 flags, bool add,
				  struct watch_target *target)
{
	struct task_struct *thread = test_unregister.thread;

	wake_up_process(thread);
	while (!READ_ONCE(test_unregister.ended) &&
	       READ_ONCE(thread->__state) != TASK_UNINTERRUPTIBLE)
		cond_resched();
	return READ_ONCE(test_unregister.ended) ? -ESTALE : -EBUSY;
}

/* A source is unregistered only after its functions have returned */
static void watch_queue_test_source_unregister(struct kunit *test)
{
	struct watch_queue_watch args = { .type = TEST_SOURCE_TYPE, .fd = -1 };
	struct watch_source source = test_source;
	struct test_context *ctx = test->priv;
	struct task_struct *thread;
	u8 __user *ubuf;

	source.find = test_source_find_waits;
	ubuf = test_user_memory(test, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(ubuf, &args, sizeof(args)));
	test_unregister.source = &source;
	test_unregister.ended = false;
	thread = kthread_create(test_unregister_thread, NULL, "watch_unregister");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	get_task_struct(thread);
	test_unregister.thread = thread;
	KUNIT_EXPECT_EQ(test, 0, register_watch_source(&source));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			watch_source_ioctl(ctx->wqueue, IOC_WATCH_QUEUE_ADD_WATCH, ubuf));
	KUNIT_EXPECT_EQ(test, 0, kthread_stop(thread));
	KUNIT_EXPECT_TRUE(test, test_unregister.ended);
	put_task_struct(thread);
	KUNIT_EXPECT_EQ(test, 0, register_watch_source(&source));
	unregister_watch_source(&source);
}

/* A request for the state calls added() if the queue watches the object. */
static void watch_queue_test_source_report(struct kunit *test)
{
	struct watch_queue_watch args = {
		.type = TEST_SOURCE_TYPE, .fd = -1, .flags = WATCH_REPORT_STATE,
	};
	struct watch_source source = test_source;
	struct test_context *ctx = test->priv;
	u8 __user *ubuf;

	source.flags = WATCH_REPORT_STATE;
	ubuf = test_user_memory(test, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(ubuf, &args, sizeof(args)));
	memset(&test_found, 0, sizeof(test_found));
	KUNIT_ASSERT_EQ(test, 0, register_watch_source(&source));

#define TEST_REPORT(want, cmd)						\
	KUNIT_EXPECT_EQ(test, want, watch_source_ioctl(ctx->wqueue, cmd, ubuf))
	/* No list, no watch on this object, no watch of this queue */
	TEST_REPORT(-EBADSLT, IOC_WATCH_QUEUE_ADD_WATCH);
	test_found.target.list = ctx->object;
	test_found.target.id = TEST_OBJECT + 1;
	TEST_REPORT(-EBADSLT, IOC_WATCH_QUEUE_ADD_WATCH);
	test_found.ret = -EPERM;
	TEST_REPORT(-EPERM, IOC_WATCH_QUEUE_ADD_WATCH);
	test_found.ret = 0;
	KUNIT_EXPECT_EQ(test, 0, test_found.added);

	test_found.target.id = TEST_OBJECT;
	TEST_REPORT(0, IOC_WATCH_QUEUE_ADD_WATCH);
	KUNIT_EXPECT_EQ(test, 1, test_found.added);
	KUNIT_EXPECT_PTR_EQ(test, ctx->object, test_found.added_target.list);
	KUNIT_EXPECT_EQ(test, TEST_OBJECT, test_found.added_target.id);
	KUNIT_EXPECT_PTR_EQ(test, ctx->wqueue, test_found.added_queue);
	/* The permission to add a watch was not checked */
	KUNIT_EXPECT_EQ(test, 0, test_found.adds);

	/* Not for removal, with or without a descriptor */
	TEST_REPORT(-EINVAL, IOC_WATCH_QUEUE_REMOVE_WATCH);
	args.fd = -7;
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(ubuf, &args, sizeof(args)));
	TEST_REPORT(-EINVAL, IOC_WATCH_QUEUE_REMOVE_WATCH);
	TEST_REPORT(-EBADF, IOC_WATCH_QUEUE_ADD_WATCH);
	KUNIT_EXPECT_EQ(test, 1, test_found.added);
#undef TEST_REPORT
	unregister_watch_source(&source);
}

/*
 * The arguments are checked in this order: size, memory, unknown members, ID, type,
 * flags, descriptor.  The test corrects one mistake after another.  The source is
 * called when all are corrected.
 */
static void watch_queue_test_source_order(struct kunit *test)
{
	struct watch_queue_watch args = { .type = 0, .fd = -7, .id = 256, .flags = ~0 };
	struct test_context *ctx = test->priv;
	u8 __user *ubuf, *bad;
	u8 *buf = ctx->buf;

	KUNIT_ASSERT_EQ(test, 0, register_watch_source(&test_source));
	kunit_add_action(test, test_source_unregister, (void *)&test_source);
	ubuf = test_user_memory(test, 2 * PAGE_SIZE);
	bad = (u8 __user *)(unsigned long)~0xfUL;
	memset(buf, 0, 4096);
	memset(&test_found, 0, sizeof(test_found));
	test_found.target.list = ctx->object;
	test_found.target.id = TEST_OBJECT;

#define TEST_SOURCE(want, dir, size, from) do {				\
	memcpy(buf, &args, sizeof(args));				\
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(ubuf, buf, 4096));	\
	KUNIT_EXPECT_EQ(test, want, watch_source_ioctl(ctx->wqueue,	\
			_IOC(_IOC_WRITE, 'W', dir, size), from));	\
} while (0)
	buf[16] = 1;
	TEST_SOURCE(-EINVAL, 0x62, 15, bad);
	TEST_SOURCE(-EINVAL, 0x62, 0, bad);
	TEST_SOURCE(-EFAULT, 0x62, 16, bad);
	TEST_SOURCE(-E2BIG, 0x62, 17, ubuf);
	TEST_SOURCE(-E2BIG, 0x63, 4096, ubuf);
	/* The invalid ID, as buf[16] is outside of the size */
	TEST_SOURCE(-EINVAL, 0x62, 16, ubuf);
	buf[16] = 0;
	buf[4095] = 1;
	TEST_SOURCE(-E2BIG, 0x62, 4096, ubuf);
	TEST_SOURCE(-EINVAL, 0x62, 4095, ubuf);
	buf[4095] = 0;
	TEST_SOURCE(-EINVAL, 0x62, 4096, ubuf);
	args.id = U32_MAX;
	TEST_SOURCE(-EINVAL, 0x63, 16, ubuf);
	args.id = 255;
	TEST_SOURCE(-EOPNOTSUPP, 0x62, 16, ubuf);
	args.type = WATCH_TYPE_KEY_NOTIFY;
	TEST_SOURCE(-EOPNOTSUPP, 0x63, 16, ubuf);
	args.type = TEST_SOURCE_TYPE - 1;
	TEST_SOURCE(-EOPNOTSUPP, 0x62, 16, ubuf);
	args.type = WATCH_TYPE_TRIAL_NOTIFY + 1;
	TEST_SOURCE(-EOPNOTSUPP, 0x62, 16, ubuf);
	args.type = U32_MAX;
	TEST_SOURCE(-EOPNOTSUPP, 0x62, 16, ubuf);
	args.type = TEST_SOURCE_TYPE;
	TEST_SOURCE(-EINVAL, 0x62, 16, ubuf);
	args.flags = BIT(31) | BIT(1);
	TEST_SOURCE(-EINVAL, 0x63, 16, ubuf);
	args.flags = BIT(31) | BIT(0);
	TEST_SOURCE(-EBADF, 0x62, 16, ubuf);
	TEST_SOURCE(-EBADF, 0x63, 16, ubuf);
	KUNIT_EXPECT_EQ(test, 0, test_found.adds + test_found.removes);

	args.fd = -1;
	test_found.ret = -EPERM;
	TEST_SOURCE(-EPERM, 0x62, 16, ubuf);
	KUNIT_EXPECT_EQ(test, 0, test_released);
	KUNIT_EXPECT_EQ(test, 1, test_found.adds);
	KUNIT_EXPECT_PTR_EQ(test, NULL, test_found.file);
	KUNIT_EXPECT_EQ(test, args.flags, test_found.flags);

	/* The release function is called if the watch cannot be added */
	test_found.ret = 0;
	TEST_SOURCE(-EBUSY, 0x62, 4096, ubuf);
	KUNIT_EXPECT_EQ(test, 1, test_released);
	KUNIT_EXPECT_EQ(test, 0, test_found.added);
	test_found.target.id = TEST_OBJECT + 1;
	TEST_SOURCE(0, 0x62, 16, ubuf);
	KUNIT_EXPECT_EQ(test, 1, test_found.added);
	KUNIT_EXPECT_EQ(test, 1, test_released);
	KUNIT_EXPECT_EQ(test, 3, test_found.adds);
	KUNIT_EXPECT_EQ(test, 0, test_found.removes);

	/* Removal by ID does not call the source */
	TEST_SOURCE(-EINVAL, 0x63, 16, ubuf);
	args.flags = 0;
	unregister_watch_source(&test_source);
	TEST_SOURCE(-EOPNOTSUPP, 0x62, 16, ubuf);
	TEST_SOURCE(0, 0x63, 17, ubuf);
	KUNIT_EXPECT_EQ(test, 2, test_released);
	TEST_SOURCE(-EBADSLT, 0x63, 16, ubuf);
	args.type = WATCH_TYPE_META;
	TEST_SOURCE(-EOPNOTSUPP, 0x63, 16, ubuf);
	args.type = WATCH_TYPE_TRIAL_NOTIFY + 1;
	TEST_SOURCE(-EOPNOTSUPP, 0x63, 16, ubuf);
#undef TEST_SOURCE
	KUNIT_EXPECT_EQ(test, 3, test_found.adds + test_found.removes);
}

/*
 * Rate limit.  The timer is shut down, so that the test ends each period.
 */

#define TEST_BURST	10	/* records per period */

struct test_ratelimit {
	struct watch_ratelimit rl;
	void (*period_ends)(struct timer_list *timer);
	u32 posts;
	u32 events;		/* posted and suppressed */
	u32 last;		/* last event posted */
};

static void test_ratelimit_post(struct watch_ratelimit *rl, const void *event,
				u32 suppressed)
{
	struct test_ratelimit *t = container_of(rl, struct test_ratelimit, rl);

	t->posts++;
	t->events += 1 + suppressed;
	t->last = *(const u32 *)event;
}

static struct test_ratelimit *test_ratelimit_new(struct kunit *test)
{
	struct test_ratelimit *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	watch_ratelimit_init(&t->rl, test_ratelimit_post);
	t->period_ends = t->rl.timer.function;
	timer_shutdown_sync(&t->rl.timer);
	return t;
}

static void test_ratelimit_events(struct test_ratelimit *t, u32 from, u32 nr)
{
	for (u32 i = from; i < from + nr; i++)
		watch_ratelimit_post(&t->rl, &i, sizeof(i));
}

static void test_ratelimit_period(struct test_ratelimit *t)
{
	t->period_ends(&t->rl.timer);
}

/* Events after the burst are counted, and the last one is posted. */
static void watch_queue_test_ratelimit_counts(struct kunit *test)
{
	struct test_ratelimit *t = test_ratelimit_new(test);

	test_ratelimit_events(t, 0, TEST_BURST);
	KUNIT_EXPECT_EQ(test, t->posts, TEST_BURST);
	KUNIT_EXPECT_EQ(test, t->events, TEST_BURST);
	KUNIT_EXPECT_EQ(test, t->last, TEST_BURST - 1);
	test_ratelimit_events(t, 100, 5);
	KUNIT_EXPECT_EQ(test, t->posts, TEST_BURST);
	test_ratelimit_period(t);
	KUNIT_EXPECT_EQ(test, t->posts, TEST_BURST + 1);
	KUNIT_EXPECT_EQ(test, t->events, TEST_BURST + 5);
	KUNIT_EXPECT_EQ(test, t->last, 104);
}

/* A summary is the first record of the next period.  A quiet period is the last one. */
static void watch_queue_test_ratelimit_periods(struct kunit *test)
{
	struct test_ratelimit *t = test_ratelimit_new(test);

	test_ratelimit_events(t, 0, TEST_BURST + 5);
	test_ratelimit_period(t);
	KUNIT_EXPECT_TRUE(test, t->rl.open);
	test_ratelimit_events(t, 0, TEST_BURST - 1);
	KUNIT_EXPECT_EQ(test, t->posts, 2 * TEST_BURST);
	test_ratelimit_events(t, 0, 1);
	KUNIT_EXPECT_EQ(test, t->posts, 2 * TEST_BURST);
	test_ratelimit_period(t);
	KUNIT_EXPECT_EQ(test, t->events, 2 * TEST_BURST + 5);
	test_ratelimit_period(t);
	KUNIT_EXPECT_FALSE(test, t->rl.open);

	test_ratelimit_events(t, 0, TEST_BURST);
	KUNIT_EXPECT_EQ(test, t->events, 3 * TEST_BURST + 5);
}

/* Suppressed events are posted by a flush, once in each period, and at the end. */
static void watch_queue_test_ratelimit_ends(struct kunit *test)
{
	struct test_ratelimit *t = test_ratelimit_new(test);

	test_ratelimit_events(t, 0, TEST_BURST + 5);
	watch_ratelimit_flush(&t->rl);
	KUNIT_EXPECT_EQ(test, t->events, TEST_BURST + 5);
	watch_ratelimit_flush(&t->rl);
	KUNIT_EXPECT_EQ(test, t->posts, TEST_BURST + 1);
	test_ratelimit_events(t, 0, 7);
	watch_ratelimit_flush(&t->rl);
	KUNIT_EXPECT_EQ(test, t->posts, TEST_BURST + 1);

	/* The first record of this period reports the events of the last one */
	test_ratelimit_period(t);
	KUNIT_EXPECT_EQ(test, t->posts, TEST_BURST + 2);
	test_ratelimit_events(t, 0, TEST_BURST);
	watch_ratelimit_flush(&t->rl);
	KUNIT_EXPECT_EQ(test, t->posts, 2 * TEST_BURST + 2);
	test_ratelimit_events(t, 0, 3);
	watch_ratelimit_destroy(&t->rl);
	KUNIT_EXPECT_EQ(test, t->events, 2 * TEST_BURST + 15);
}

/* The first event starts a period of a second, but not after the end. */
static void watch_queue_test_ratelimit_timer(struct kunit *test)
{
	struct test_ratelimit *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned long before;

	KUNIT_ASSERT_NOT_NULL(test, t);
	watch_ratelimit_init(&t->rl, test_ratelimit_post);
	before = jiffies;
	test_ratelimit_events(t, 0, 1);
	KUNIT_EXPECT_TRUE(test, time_in_range(t->rl.timer.expires, before + HZ, jiffies + HZ));
	watch_ratelimit_destroy(&t->rl);

	t->rl.open = false;
	test_ratelimit_events(t, 0, 1);
	KUNIT_EXPECT_FALSE(test, timer_pending(&t->rl.timer));
	timer_shutdown_sync(&t->rl.timer);
}

static struct kunit_case watch_queue_test_cases[] = {
	KUNIT_CASE(watch_queue_test_length),
	KUNIT_CASE(watch_queue_test_refused),
	KUNIT_CASE(watch_queue_test_payload_user),
	KUNIT_CASE(watch_queue_test_fault_user),
	KUNIT_CASE(watch_queue_test_filter_subtypes),
	KUNIT_CASE(watch_queue_test_filter_rules),
	KUNIT_CASE(watch_queue_test_filter_meta),
	KUNIT_CASE(watch_queue_test_filter_meta_source),
	KUNIT_CASE(watch_queue_test_filter_check),
	KUNIT_CASE(watch_queue_test_id),
	KUNIT_CASE(watch_queue_test_add),
	KUNIT_CASE(watch_queue_test_remove),
	KUNIT_CASE(watch_queue_test_find_by_object),
	KUNIT_CASE(watch_queue_test_find_by_queue),
	KUNIT_CASE(watch_queue_test_post_after_remove),
	KUNIT_CASE(watch_queue_test_remove_closing),
	KUNIT_CASE(watch_queue_test_remove_list),
	KUNIT_CASE(watch_queue_test_remove_id),
	KUNIT_CASE(watch_queue_test_end_orders),
	KUNIT_CASE(watch_queue_test_notify),
	KUNIT_CASE(watch_queue_test_notify_all),
	KUNIT_CASE(watch_queue_test_notify_again),
	KUNIT_CASE(watch_queue_test_notify_pause),
	KUNIT_CASE(watch_queue_test_notify_share),
	KUNIT_CASE(watch_queue_test_notify_order),
	KUNIT_CASE(watch_queue_test_notify_once),
	KUNIT_CASE(watch_queue_test_notify_close),
	KUNIT_CASE(watch_queue_test_notify_user),
	KUNIT_CASE(watch_queue_test_post_closed),
	KUNIT_CASE(watch_queue_test_fan_out),
	KUNIT_CASE(watch_queue_test_irqs_off),
	KUNIT_CASE(watch_queue_test_timer),
	KUNIT_CASE(watch_queue_test_hardirq),
	KUNIT_CASE(watch_queue_test_source_register),
	KUNIT_CASE(watch_queue_test_source_nested),
	KUNIT_CASE(watch_queue_test_source_unregister),
	KUNIT_CASE(watch_queue_test_source_report),
	KUNIT_CASE(watch_queue_test_source_order),
	KUNIT_CASE(watch_queue_test_ratelimit_counts),
	KUNIT_CASE(watch_queue_test_ratelimit_periods),
	KUNIT_CASE(watch_queue_test_ratelimit_ends),
	KUNIT_CASE(watch_queue_test_ratelimit_timer),
	{}
};

static struct kunit_suite watch_queue_test_suite = {
	.name = "watch_queue",
	.init = test_init,
	.exit = test_exit,
	.test_cases = watch_queue_test_cases,
};

kunit_test_suite(watch_queue_test_suite);
