// SPDX-License-Identifier: GPL-2.0
/*
 * No slot of a queue is lost while a reader races with the poster.
 *
 * The slot is lost if the reader reads and releases a record between two instructions
 * of the poster.  The host of a guest can stop a processor there.  The test does not
 * depend on the time of this: it posts millions of records, and counts between them
 * how many records the queue can hold.
 */
#include "common.h"

#define SLOTS		32		/* slots of a page, the smallest queue */
#define POSTS		4000000		/* in all rounds */
#define ROUND		100000		/* posts between two counts */
#define LIMIT_S		800

struct reader {
	pthread_t thread;
	int fd;
	bool stop;
	unsigned long bytes;
};

static void *reader_run(void *arg)
{
	struct reader *rd = arg;
	char buf[SLOTS * sizeof(union record)];
	ssize_t ret;

	run_on(1);
	while (!__atomic_load_n(&rd->stop, __ATOMIC_ACQUIRE)) {
		ret = read(rd->fd, buf, sizeof(buf));
		if (ret > 0)
			rd->bytes += ret;
	}
	return NULL;
}

/* Posts while another processor reads; returns the number of bytes that were read */
static long race(int fd, int key)
{
	struct reader rd = { .fd = fd };
	int i, ret = 0;

	ret = -pthread_create(&rd.thread, NULL, reader_run, &rd);
	if (ret)
		return ret;
	for (i = 0; i < ROUND && !ret; i++)
		ret = key_touch(key);
	__atomic_store_n(&rd.stop, true, __ATOMIC_RELEASE);
	pthread_join(rd.thread, NULL);
	return ret ? ret : (long)rd.bytes;
}

/* Empties the queue, and returns the number of records of the key; -1 for an error */
static int drain(int fd)
{
	struct key_notification n;
	int nr = 0;

	while (read(fd, &n, sizeof(n)) > 0)
		if (n.watch.type == WATCH_TYPE_KEY_NOTIFY)
			nr++;
	return errno == EAGAIN ? nr : -1;
}

/* Posts one record more than the queue has slots, and returns how many it holds */
static int capacity(int fd, int key)
{
	int i;

	if (drain(fd) < 0)
		return -1;
	for (i = 0; i <= SLOTS; i++)
		if (key_touch(key))
			return -1;
	return drain(fd);
}

FIXTURE(queue)
{
	int fd[2];
	int key;
};

FIXTURE_SETUP(queue)
{
	if (run_on(1) || run_on(0))
		SKIP(return, "needs two processors");
	self->key = key_new();
	ASSERT_GT(self->key, 0);
	ASSERT_EQ(0, queue_new(self->fd));
	ASSERT_EQ(0, queue_size(self->fd[0], SLOTS));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(SLOTS, capacity(self->fd[0], self->key));
}

FIXTURE_TEARDOWN(queue)
{
	queue_close(self->fd);
}

TEST_F_TIMEOUT(queue, keeps_its_slots, LIMIT_S)
{
	const char *text = getenv("POSTS");
	unsigned long posts = text ? strtoul(text, NULL, 0) : POSTS, done;
	int held = SLOTS;

	for (done = 0; done < posts && held == SLOTS; done += ROUND) {
		ASSERT_GT(race(self->fd[0], self->key), 0);
		held = capacity(self->fd[0], self->key);
	}
	TH_LOG("%d of %d slots are left after %lu posts", held, SLOTS, done);
	EXPECT_EQ(SLOTS, held);
}

TEST_HARNESS_MAIN
