// SPDX-License-Identifier: GPL-2.0
/*
 * The removal of watches does not change the records of another watch.
 *
 * A key has these watches, in the order in which a post visits them:
 *
 *	first:	its queue has many waiters, and the post wakes each of them
 *	doomed:	several watches, each with a queue of its own
 *	last:	the record of this watch is checked
 *
 * While the post wakes the waiters, a second thread removes the first watch.  It
 * unlinks the watch, and then waits for the lock of the queue, which the poster holds.
 * After this, the test closes the queues of the doomed watches, which unlinks these.
 * The unlinked watches still refer to each other, so the post visits all of them, as
 * RCU allows.  Their IDs must not have been overwritten: an ID is merged into the
 * record, and a wrong one changes the length of the record for the last watch.
 *
 * The post needs much more time to wake the waiters than the removal takes.  If a
 * removal is late, the round tests nothing.  The record is correct in any case.
 */
#include "common.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define WAITERS		50000
#define DOOMED		16
#define ROUNDS		30
#define LIMIT_S		600

#define FIRST_ID	0x01
#define DOOMED_ID	0x02
#define LAST_ID		0x04
#define LAST_INFO	(KEY_RECORD | LAST_ID << WATCH_INFO_ID__SHIFT)

struct post {
	pthread_t thread;
	int key;
	int ret;
	bool done;
};

struct removal {
	pthread_t thread;
	int key;
	int fd;
	int ret;
	bool start;
};

static void *post_run(void *arg)
{
	struct post *post = arg;

	run_on(1);
	post->ret = key_touch(post->key);
	__atomic_store_n(&post->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *removal_run(void *arg)
{
	struct removal *removal = arg;

	run_on(2);
	while (!__atomic_load_n(&removal->start, __ATOMIC_ACQUIRE))
		;
	removal->ret = watch_del(removal->key, removal->fd);
	return NULL;
}

/* Registers one file, under many descriptors, with one epoll instance */
static int add_waiters(int fd)
{
	struct rlimit limit = { WAITERS + 1024, WAITERS + 1024 };
	struct epoll_event event = { .events = EPOLLIN };
	int epoll, copy, i;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		return -errno;
	for (i = 0; i < WAITERS; i++) {
		copy = dup(fd);
		if (copy < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event))
			return -errno;
	}
	return 0;
}

static void drain(int fd)
{
	union record r;

	while (read_record(fd, &r) > 0)
		;
}

static unsigned int now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000U + now.tv_nsec / 1000;
}

FIXTURE(watches)
{
	int first[2];
	int doomed[DOOMED][2];
	int last[2];
	int key;
	unsigned int stall_us;		/* time of a post that wakes the waiters */
};

FIXTURE_SETUP(watches)
{
	if (run_on(2) || run_on(1) || run_on(0))
		SKIP(return, "needs three processors");
	if (geteuid())
		SKIP(return, "needs root, for RLIMIT_NOFILE");
	self->key = key_new();
	ASSERT_GT(self->key, 0);
	ASSERT_EQ(0, queue_new(self->last));
	ASSERT_EQ(0, queue_size(self->last[0], 32));
	ASSERT_EQ(0, queue_new(self->first));
	ASSERT_EQ(0, queue_size(self->first[0], 32));
	ASSERT_EQ(0, add_waiters(self->first[0]));

	/* A watch is inserted at the head of the list */
	ASSERT_EQ(0, watch_add(self->key, self->last[0], LAST_ID));
	ASSERT_EQ(0, watch_add(self->key, self->first[0], FIRST_ID));
	self->stall_us = now_us();
	ASSERT_EQ(0, key_touch(self->key));
	self->stall_us = now_us() - self->stall_us;
	TH_LOG("the first watch delays a post by %u us", self->stall_us);
	ASSERT_EQ(0, watch_del(self->key, self->first[0]));
}

FIXTURE_TEARDOWN(watches)
{
	queue_close(self->first);
	queue_close(self->last);
}

TEST_F_TIMEOUT(watches, removed_during_post, LIMIT_S)
{
	int round, i, len, wrong = 0;
	union record r;

	for (round = 0; round < ROUNDS && !wrong; round++) {
		struct removal removal = { .key = self->key, .fd = self->first[0] };
		struct post post = { .key = self->key };

		drain(self->first[0]);
		drain(self->last[0]);
		for (i = DOOMED; i--; ) {
			ASSERT_EQ(0, queue_new(self->doomed[i]));
			ASSERT_EQ(0, watch_add(self->key, self->doomed[i][0], DOOMED_ID));
		}
		ASSERT_EQ(0, watch_add(self->key, self->first[0], FIRST_ID));
		ASSERT_EQ(0, pthread_create(&removal.thread, NULL, removal_run, &removal));
		ASSERT_EQ(0, pthread_create(&post.thread, NULL, post_run, &post));

		/* The record is visible before the waiters are woken */
		while (!queued(self->first[0]) &&
		       !__atomic_load_n(&post.done, __ATOMIC_ACQUIRE))
			;
		__atomic_store_n(&removal.start, true, __ATOMIC_RELEASE);
		usleep(self->stall_us / 8);
		for (i = 0; i < DOOMED; i++)
			queue_close(self->doomed[i]);

		pthread_join(post.thread, NULL);
		pthread_join(removal.thread, NULL);
		ASSERT_EQ(0, post.ret);
		ASSERT_EQ(0, removal.ret);

		len = read_record(self->last[0], &r);
		if (len == KEY_RECORD && r.watch.info == LAST_INFO)
			continue;
		TH_LOG("round %d: a record of %d bytes with info %#x", round, len,
		       r.watch.info);
		wrong++;
	}
	EXPECT_EQ(0, wrong);
}

TEST_HARNESS_MAIN
