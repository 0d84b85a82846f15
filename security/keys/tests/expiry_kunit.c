// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for notifications about the expiry of keys
 *
 * Included at the end of security/keys/expiry.c.  The tests act as the garbage
 * collector at a time of their choice, far in the future, at which no other key is
 * checked.
 */
#include <kunit/test.h>

#include <keys/user-type.h>

#define KEY_TEST_EXPIRY	(S64_MAX / NSEC_PER_SEC)

/* Return a watched key that expires at KEY_TEST_EXPIRY */
static struct key *key_test_create(struct kunit *test)
{
	struct watch_list *wlist;
	struct key *key;

	key = key_alloc(&key_type_user, "kunit", GLOBAL_ROOT_UID, GLOBAL_ROOT_GID,
			current_cred(), KEY_POS_ALL, KEY_ALLOC_NOT_IN_QUOTA, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, key);
	wlist = kzalloc(sizeof(*wlist), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, wlist);
	init_watch_list(wlist, NULL);
	/* The key owns the list.  The collector may read the pointer. */
	smp_store_release(&key->watchers, wlist);
	WRITE_ONCE(key->expiry, KEY_TEST_EXPIRY);
	return key;
}

struct key_test_result {
	bool pending;
	time64_t next;
};

/* Check the key @nr times, as the garbage collector does, without its interference */
static void key_test_check(struct key *key, time64_t now, int nr,
			   struct key_test_result *result)
{
	int i;

	spin_lock(&key_serial_lock);
	clear_bit(KEY_FLAG_EXPIRY_NOTIFIED, &key->flags);
	for (i = 0; i < nr; i++) {
		result[i].next = TIME64_MAX;
		result[i].pending = key_expiry_pending(key, now, &result[i].next);
		if (result[i].pending)
			up_read(&key->sem);
	}
	spin_unlock(&key_serial_lock);
}

/* An expiry is pending once, from the second in which the key expires. */
static void key_expiry_test_once(struct kunit *test)
{
	struct key *key = key_test_create(test);
	struct key_test_result result[2];

	key_test_check(key, KEY_TEST_EXPIRY - 1, 1, result);
	KUNIT_EXPECT_FALSE(test, result[0].pending);
	KUNIT_EXPECT_EQ(test, result[0].next, KEY_TEST_EXPIRY);

	key_test_check(key, KEY_TEST_EXPIRY, 2, result);
	KUNIT_EXPECT_TRUE(test, result[0].pending);
	KUNIT_EXPECT_FALSE(test, result[1].pending);
	KUNIT_EXPECT_EQ(test, result[1].next, TIME64_MAX);

	/* If the clock is set back, the key expires again */
	scoped_guard(spinlock, &key_serial_lock)
		KUNIT_EXPECT_FALSE(test, key_expiry_pending(key, KEY_TEST_EXPIRY - 1,
							    &result[1].next));
	KUNIT_EXPECT_FALSE(test, test_bit(KEY_FLAG_EXPIRY_NOTIFIED, &key->flags));
	key_put(key);
}

/* The expiry time of a revoked key is the time of its revocation.  A dead key is gone. */
static void key_expiry_test_dead(struct kunit *test)
{
	static const int flags[] = {
		KEY_FLAG_REVOKED, KEY_FLAG_INVALIDATED, KEY_FLAG_DEAD,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct key *key = key_test_create(test);
		struct key_test_result result;

		set_bit(flags[i], &key->flags);
		key_test_check(key, KEY_TEST_EXPIRY, 1, &result);
		KUNIT_EXPECT_FALSE(test, result.pending);
		key_put(key);
	}
}

/* The timer fires for the first expiry, when the coarse clock has reached it. */
static void key_expiry_test_timer(struct kunit *test)
{
	time64_t expiry = ktime_get_real_seconds() + 1000000;
	ktime_t when = ktime_set(expiry, 0) + 2 * TICK_NSEC;

	KUNIT_ASSERT_GT(test, key_expiry_next, expiry + 1);
	key_schedule_expiry(expiry);
	KUNIT_EXPECT_EQ(test, when, hrtimer_get_expires(&key_expiry_timer));
	key_schedule_expiry(expiry + 1);
	KUNIT_EXPECT_EQ(test, when, hrtimer_get_expires(&key_expiry_timer));

	hrtimer_cancel(&key_expiry_timer);
	key_expiry_next = TIME64_MAX;
}

/* The collector does not wait for the semaphore of a key, but checks it again a second later. */
static void key_expiry_test_busy(struct kunit *test)
{
	struct key *key = key_test_create(test);
	struct key_test_result result;

	down_write(&key->sem);
	key_test_check(key, KEY_TEST_EXPIRY, 1, &result);
	KUNIT_EXPECT_FALSE(test, result.pending);
	KUNIT_EXPECT_FALSE(test, test_bit(KEY_FLAG_EXPIRY_NOTIFIED, &key->flags));
	KUNIT_EXPECT_EQ(test, result.next, KEY_TEST_EXPIRY + 1);
	up_write(&key->sem);

	key_test_check(key, KEY_TEST_EXPIRY, 1, &result);
	KUNIT_EXPECT_TRUE(test, result.pending);
	key_put(key);
}

static struct kunit_case key_expiry_cases[] = {
	KUNIT_CASE(key_expiry_test_once),
	KUNIT_CASE(key_expiry_test_dead),
	KUNIT_CASE(key_expiry_test_timer),
	KUNIT_CASE(key_expiry_test_busy),
	{}
};

static struct kunit_suite key_expiry_suite = {
	.name		= "watch_queue_key",
	.test_cases	= key_expiry_cases,
};

kunit_test_suite(key_expiry_suite);
