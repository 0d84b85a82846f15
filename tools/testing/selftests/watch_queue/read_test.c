// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: read(), readv(), poll(), epoll, SIGIO and io_uring
 */
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "common.h"

#define SOME_USER	64381

#define READERS		4
#define TIMEOUT_S	(TIMEOUT_MS / 1000)

FIXTURE(queue)
{
	int fd[2];
	int key;
};

FIXTURE_SETUP(queue)
{
	self->key = queue_open_with_key(_metadata, self->fd, "read");
	ASSERT_EQ(0, queue_size(self->fd[0], 64));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 7));
}

FIXTURE_TEARDOWN(queue)
{
	queue_close(self->fd);
}

static void set_blocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* Posts UPDATED at even places and SETATTR at odd ones, so that adjacent records differ */
static bool post_stream(int key, int from, int nr)
{
	int i;

	for (i = from; i < from + nr; i++)
		if (i & 1 ? key_touch(key) : key_update(key))
			return false;
	return true;
}

static bool is_stream(const void *buf, int key, int from, int nr)
{
	const char *at = buf;
	union watch_record r;
	int i;

	for (i = from; i < from + nr; i++, at += KEY_RECORD) {
		memcpy(&r, at, KEY_RECORD);
		if (!is_key(&r, i & 1 ? NOTIFY_KEY_SETATTR : NOTIFY_KEY_UPDATED,
			    7, key, 0)) {
			print_record(KEY_RECORD, &r);
			return false;
		}
	}
	return true;
}

static bool got_stream(int fd, int key, int from, int nr)
{
	union watch_record r;
	int i, ret;

	for (i = from; i < from + nr; i++) {
		ret = read_one(fd, &r);
		if (ret != KEY_RECORD || !is_stream(&r, key, i, 1)) {
			print_record(ret, &r);
			return false;
		}
	}
	return true;
}

/* read() of 0 bytes returns 0 with and without records, and takes none. */
TEST_F(queue, zero_bytes)
{
	char buf[1];

	EXPECT_EQ(0, neg(read(self->fd[0], buf, 0)));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_EQ(0, neg(read(self->fd[0], buf, 0)));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
}

/* With O_NONBLOCK, read() of an empty queue fails with EAGAIN for any buffer size. */
TEST_F(queue, empty)
{
	char buf[64];

	EXPECT_EQ(-EAGAIN, neg(read(self->fd[0], buf, 1)));
	EXPECT_EQ(-EAGAIN, neg(read(self->fd[0], buf, sizeof(buf))));
}

/* read() of an unsized queue also fails with EAGAIN. */
TEST_F(queue, empty_unsized)
{
	int fd[2];

	queue_open(_metadata, fd, O_NONBLOCK);
	EXPECT_TRUE(got_nothing(fd[0]));
}

/* read() returns as many whole records as fit, and writes nothing after them. */
TEST_F(queue, whole_records)
{
	char buf[8 * KEY_RECORD];
	unsigned int len, fit;

	for (len = KEY_RECORD; len <= sizeof(buf); len++) {
		fit = len / KEY_RECORD;
		ASSERT_TRUE(post_stream(self->key, 0, 8));
		memset(buf, 0xa5, sizeof(buf));
		ASSERT_EQ(fit * KEY_RECORD, neg(read(self->fd[0], buf, len)));
		ASSERT_TRUE(is_stream(buf, self->key, 0, fit));
		if (len % KEY_RECORD)
			ASSERT_EQ(0xa5, (unsigned char)buf[fit * KEY_RECORD]);
		ASSERT_TRUE(got_stream(self->fd[0], self->key, fit, 8 - fit));
		ASSERT_TRUE(got_nothing(self->fd[0]));
	}
}

/* read() into a large buffer returns all records in the queue. */
TEST_F(queue, all_records)
{
	static char buf[65536];

	ASSERT_TRUE(post_stream(self->key, 0, 64));
	ASSERT_EQ(64 * KEY_RECORD, neg(read(self->fd[0], buf, sizeof(buf))));
	EXPECT_TRUE(is_stream(buf, self->key, 0, 64));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* If the first record does not fit, read() fails with EMSGSIZE and loses nothing. */
TEST_F(queue, emsgsize)
{
	char buf[KEY_RECORD];
	unsigned int len;

	ASSERT_TRUE(post_stream(self->key, 0, 2));
	for (len = 1; len < KEY_RECORD; len++)
		EXPECT_EQ(-EMSGSIZE, neg(read(self->fd[0], buf, len)));
	EXPECT_EQ(2 * KEY_RECORD, readable_bytes(self->fd[0]));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 2));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* EAGAIN takes precedence over EMSGSIZE, and EMSGSIZE over EFAULT. */
TEST_F(queue, error_order)
{
	void *bad;

	bad = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(bad != MAP_FAILED);
	EXPECT_EQ(0, neg(read(self->fd[0], bad, 0)));
	EXPECT_EQ(-EAGAIN, neg(read(self->fd[0], bad, KEY_RECORD)));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_EQ(-EMSGSIZE, neg(read(self->fd[0], bad, KEY_RECORD - 1)));
	EXPECT_EQ(-EFAULT, neg(read(self->fd[0], bad, KEY_RECORD)));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
}

/*
 * Reads into a buffer that faults after @good bytes.  read() must return the records
 * that fit before the fault, or EFAULT if there are none.  The others must stay.
 */
static bool fault_after(int fd, int key, char *hole, int good)
{
	int fit = good / KEY_RECORD, ret;

	if (!post_stream(key, 0, 5))
		return false;
	ret = neg(read(fd, hole - good, 5 * KEY_RECORD));
	if (ret != (fit ? fit * (int)KEY_RECORD : -EFAULT)) {
		ksft_print_msg("%d good bytes: %d\n", good, ret);
		return false;
	}
	return is_stream(hole - good, key, 0, fit) &&
	       readable_bytes(fd) == (5 - fit) * (int)KEY_RECORD &&
	       got_stream(fd, key, fit, 5 - fit) && got_nothing(fd);
}

/* read() into an unmapped page returns the records before it. */
TEST_F(queue, fault_unmapped)
{
	int good, page = sysconf(_SC_PAGESIZE);
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(map != MAP_FAILED);
	ASSERT_EQ(0, munmap(map + page, page));
	for (good = 0; good < 5 * (int)KEY_RECORD; good++)
		ASSERT_TRUE(fault_after(self->fd[0], self->key, map + page,
					good));
}

/* read() into a read-only page returns the records before it. */
TEST_F(queue, fault_readonly)
{
	int good, page = sysconf(_SC_PAGESIZE);
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(map != MAP_FAILED);
	ASSERT_EQ(0, mprotect(map + page, page, PROT_READ));
	for (good = 0; good < 5 * (int)KEY_RECORD; good++)
		ASSERT_TRUE(fault_after(self->fd[0], self->key, map + page,
					good));
}

/* readv() with an invalid segment returns the records before it. */
TEST_F(queue, fault_segment)
{
	char buf[5 * KEY_RECORD];
	struct iovec iov[3];
	int good, fit;

	for (good = 0; good < 4 * (int)KEY_RECORD; good++) {
		fit = good / KEY_RECORD;
		iov[0].iov_base = buf;
		iov[0].iov_len = good;
		iov[1].iov_base = NULL;
		iov[1].iov_len = 3;
		iov[2].iov_base = buf + good;
		iov[2].iov_len = sizeof(buf) - good;
		ASSERT_TRUE(post_stream(self->key, 0, 5));
		ASSERT_EQ(fit ? fit * (int)KEY_RECORD : -EFAULT,
			  neg(readv(self->fd[0], iov, 3)));
		ASSERT_TRUE(is_stream(buf, self->key, 0, fit));
		ASSERT_TRUE(got_stream(self->fd[0], self->key, fit, 5 - fit));
	}
}

/* read() into pages that are not present yet succeeds. */
TEST_F(queue, fault_in)
{
	int page = sysconf(_SC_PAGESIZE);
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(map != MAP_FAILED);
	ASSERT_TRUE(post_stream(self->key, 0, 8));
	ASSERT_EQ(8 * KEY_RECORD, neg(read(self->fd[0],
					   map + page - 4 * KEY_RECORD - 5,
					   page)));
	EXPECT_TRUE(is_stream(map + page - 4 * KEY_RECORD - 5, self->key, 0,
			      8));
}

/* readv() fills segments of any size, including empty ones. */
TEST_F(queue, readv)
{
	static const unsigned char sizes[] = {
		1, 2, 3, 0, 5, 7, 11, 13, 17, 0, 19, 23, 1, 1, 25,
	};
	char buf[8 * KEY_RECORD], *at = buf;
	struct iovec iov[ARRAY_SIZE(sizes)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		iov[i].iov_base = at;
		iov[i].iov_len = sizes[i];
		at += sizes[i];
	}
	ASSERT_EQ(sizeof(buf), at - buf);
	ASSERT_TRUE(post_stream(self->key, 0, 9));
	ASSERT_EQ(sizeof(buf), neg(readv(self->fd[0], iov,
					 ARRAY_SIZE(sizes))));
	EXPECT_TRUE(is_stream(buf, self->key, 0, 8));

	/* The total size decides: 15 bytes are too few for a record, 16 are enough */
	EXPECT_EQ(-EMSGSIZE, neg(readv(self->fd[0], iov, 5)));
	EXPECT_EQ(KEY_RECORD, neg(readv(self->fd[0], iov, 6)));
	EXPECT_TRUE(is_stream(buf, self->key, 8, 1));
}

/* RWF_NOWAIT prevents waiting without O_NONBLOCK, and does not affect the data. */
TEST_F(queue, nowait)
{
	char buf[2 * KEY_RECORD];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };

	set_blocking(self->fd[0]);
	EXPECT_EQ(-EAGAIN, neg(preadv2(self->fd[0], &iov, 1, -1, RWF_NOWAIT)));
	ASSERT_TRUE(post_stream(self->key, 0, 3));
	EXPECT_EQ(2 * KEY_RECORD,
		  neg(preadv2(self->fd[0], &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_TRUE(is_stream(buf, self->key, 0, 2));
	EXPECT_EQ(KEY_RECORD,
		  neg(preadv2(self->fd[0], &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_TRUE(is_stream(buf, self->key, 2, 1));
	EXPECT_EQ(-EAGAIN, neg(preadv2(self->fd[0], &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(-ESPIPE, neg(preadv2(self->fd[0], &iov, 1, 0, RWF_NOWAIT)));
}

/* A reopened read end is another file of the same queue. */
TEST_F(queue, reopen_read)
{
	int fd;

	fd = queue_reopen(self->fd[0], O_RDONLY | O_NONBLOCK);
	ASSERT_GE(fd, 0);
	ASSERT_TRUE(post_stream(self->key, 0, 2));
	EXPECT_TRUE(got_stream(fd, self->key, 0, 1));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 1, 1));
	EXPECT_TRUE(got_nothing(fd));
	EXPECT_EQ(-EBUSY, queue_size(fd, 8));
	EXPECT_EQ(0, queue_filter(fd, NULL));
	EXPECT_EQ(-EBUSY, neg(fcntl(fd, F_SETPIPE_SZ, 4096)));
	EXPECT_EQ(fcntl(self->fd[0], F_GETPIPE_SZ), fcntl(fd, F_GETPIPE_SZ));
	EXPECT_EQ(-EBUSY, watch_add(self->key, fd, 8));
	EXPECT_EQ(-EINVAL, neg(splice(fd, NULL, self->fd[1], NULL, 1, 0)));
	EXPECT_EQ(-EBADF, neg(write(fd, "x", 1)));
	EXPECT_EQ(-ESPIPE, neg(pread(fd, &(union watch_record){}, KEY_RECORD, 0)));

	/* O_NONBLOCK belongs to the open file */
	EXPECT_EQ(0, close(fd));
	fd = queue_reopen(self->fd[1], O_RDONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, fcntl(fd, F_GETFL) & O_NONBLOCK);
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_TRUE(got_stream(fd, self->key, 0, 1));
}

/* RWF_NOWAIT works on a reopened file. */
TEST_F(queue, reopen_nowait)
{
	char buf[KEY_RECORD];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	int fd;

	fd = queue_reopen(self->fd[0], O_RDONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EAGAIN, neg(preadv2(fd, &iov, 1, -1, RWF_NOWAIT)));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_EQ(KEY_RECORD, neg(preadv2(fd, &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_TRUE(is_stream(buf, self->key, 0, 1));
}

/* Reopening with the access mode O_ACCMODE fails with EINVAL. */
TEST_F(queue, reopen_no_mode)
{
	EXPECT_EQ(-EINVAL, queue_reopen(self->fd[0], O_ACCMODE));
	EXPECT_EQ(-EINVAL, queue_reopen(self->fd[1], O_ACCMODE));
}

/* A queue whose files are closed cannot be reopened through an O_PATH descriptor. */
TEST_F(queue, reopen_closed)
{
	int path, fd;

	path = queue_reopen(self->fd[0], O_PATH);
	ASSERT_GE(path, 0);
	EXPECT_EQ(0, close(self->fd[0]));
	self->fd[0] = -1;
	fd = queue_reopen(path, O_RDONLY);
	EXPECT_GE(fd, 0);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	EXPECT_EQ(-ENXIO, queue_reopen(path, O_RDONLY));
	EXPECT_EQ(-ENXIO, queue_reopen(path, O_WRONLY));
	EXPECT_EQ(-ENXIO, queue_reopen(path, O_RDWR));
}

/* A reopened write end delays end of file, and write() to it fails. */
TEST_F(queue, reopen_write)
{
	int fd;

	fd = queue_reopen(self->fd[0], O_WRONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EXDEV, neg(write(fd, "x", 1)));
	EXPECT_EQ(0, watch_del(self->key, fd));
	EXPECT_TRUE(got_removal(self->fd[0], 7, self->key));
	EXPECT_EQ(0, close(self->fd[1]));
	EXPECT_EQ(0, poll_now(self->fd[0]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(POLLHUP, poll_now(self->fd[0]));
	self->fd[1] = -1;
}

/* A file that was reopened with O_RDWR is both ends. */
TEST_F(queue, reopen_both)
{
	int fd;

	fd = queue_reopen(self->fd[0], O_RDWR | O_NONBLOCK);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, close(self->fd[0]));
	EXPECT_EQ(0, close(self->fd[1]));
	EXPECT_EQ(-EXDEV, neg(write(fd, "x", 1)));
	EXPECT_EQ(POLLOUT | POLLWRNORM, poll_now(fd));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_EQ(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM, poll_now(fd));
	EXPECT_TRUE(got_stream(fd, self->key, 0, 1));
	EXPECT_TRUE(got_nothing(fd));
	self->fd[0] = -1;
	self->fd[1] = fd;
}

/* A queue can be read through a reopened file after the files of pipe2() are closed. */
TEST_F(queue, reopen_survives)
{
	int fd;

	fd = queue_reopen(self->fd[1], O_RDONLY | O_NONBLOCK);
	ASSERT_GE(fd, 0);
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_EQ(0, close(self->fd[0]));
	EXPECT_EQ(0, close(self->fd[1]));
	ASSERT_TRUE(post_stream(self->key, 1, 1));
	EXPECT_TRUE(got_stream(fd, self->key, 0, 2));
	EXPECT_TRUE(got_nothing(fd));
	self->fd[0] = fd;
	self->fd[1] = -1;
}

/* FIONREAD returns the number of bytes that read() into a large buffer returns. */
TEST_F(queue, fionread)
{
	int i;

	/* Start in the middle of the ring, to wrap around */
	ASSERT_TRUE(post_stream(self->key, 0, 40));
	ASSERT_TRUE(got_stream(self->fd[0], self->key, 0, 40));
	EXPECT_EQ(0, readable_bytes(self->fd[0]));
	for (i = 1; i <= 64; i++) {
		ASSERT_TRUE(post_stream(self->key, i - 1, 1));
		ASSERT_EQ(i * KEY_RECORD, readable_bytes(self->fd[0]));
	}
	for (i = 63; i >= 0; i--) {
		ASSERT_TRUE(got_stream(self->fd[0], self->key, 63 - i, 1));
		ASSERT_EQ(i * KEY_RECORD, readable_bytes(self->fd[0]));
	}
}

/* poll() returns POLLIN if there are records, and always POLLOUT for the write end. */
TEST_F(queue, poll)
{
	EXPECT_EQ(0, poll_now(self->fd[0]));
	EXPECT_EQ(POLLOUT | POLLWRNORM, poll_now(self->fd[1]));
	ASSERT_TRUE(post_stream(self->key, 0, 64));
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_now(self->fd[0]));
	EXPECT_EQ(POLLOUT | POLLWRNORM, poll_now(self->fd[1]));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 64));
	EXPECT_EQ(0, poll_now(self->fd[0]));
	EXPECT_EQ(0, close(self->fd[0]));
	EXPECT_EQ(POLLOUT | POLLWRNORM | POLLERR, poll_now(self->fd[1]));
	self->fd[0] = -1;
}

/* poll() works before SET_SIZE, too. */
TEST_F(queue, poll_unsized)
{
	int fd[2];

	queue_open(_metadata, fd, 0);
	EXPECT_EQ(0, poll_now(fd[0]));
	EXPECT_EQ(POLLOUT | POLLWRNORM, poll_now(fd[1]));
	EXPECT_EQ(0, close(fd[1]));
	EXPECT_EQ(POLLHUP, poll_now(fd[0]));
}

/* Level-triggered epoll reports EPOLLIN as long as there are records. */
TEST_F(queue, epoll_level)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep;

	ep = epoll_create1(0);
	ASSERT_GE(ep, 0);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd[0], &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_TRUE(post_stream(self->key, 0, 2));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, TIMEOUT_MS));
	EXPECT_EQ(EPOLLIN, event.events);
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, TIMEOUT_MS));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 1, 1));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
}

/*
 * Edge-triggered epoll reports that the queue has become readable, each time after
 * it was read empty.
 */
TEST_F(queue, epoll_edge)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	char record[KEY_RECORD];
	int ep, i;

	ep = epoll_create1(0);
	ASSERT_GE(ep, 0);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd[0], &event));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
		ASSERT_TRUE(post_stream(self->key, 0, 3));
		EXPECT_EQ(1, epoll_wait(ep, &event, 1, TIMEOUT_MS));
		EXPECT_EQ(EPOLLIN, event.events);
		EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 3));
	}
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));

	/* A read that leaves records behind wakes pollers again */
	ASSERT_TRUE(post_stream(self->key, 0, 2));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, TIMEOUT_MS));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	EXPECT_EQ(KEY_RECORD, neg(read(self->fd[0], record, KEY_RECORD)));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 1, 1));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));

	/* It also wakes those that only wait for EPOLLRDNORM */
	event.events = EPOLLRDNORM | EPOLLET;
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, self->fd[0], &event));
	ASSERT_TRUE(post_stream(self->key, 0, 2));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, TIMEOUT_MS));
	EXPECT_EQ(KEY_RECORD, neg(read(self->fd[0], record, KEY_RECORD)));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 1, 1));
}

/* Blocks SIGIO, and requests it for @fd */
static int sigio_on(int fd, sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGIO);
	return sigprocmask(SIG_BLOCK, set, NULL) ?:
	       fcntl(fd, F_SETOWN, getpid()) ?:
	       fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
}

/* Waits for SIGIO; returns SIGIO, or -EAGAIN after @seconds */
static int sigio_within(const sigset_t *set, int seconds)
{
	struct timespec timeout = { .tv_sec = seconds };

	return neg(sigtimedwait(set, NULL, &timeout));
}

/*
 * Posts to the queue @fd until the signals of a post have been sent.  A descriptor of
 * its own gets another signal for each post.  The queue sends the signals of one post
 * before those of the next one, so two posts are enough.
 */
static bool post_and_signal(int fd, int key)
{
	int other = queue_reopen(fd, O_RDONLY | O_NONBLOCK), i;
	struct timespec timeout = { .tv_sec = TIMEOUT_S };
	sigset_t set;
	bool ok;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	ok = !sigprocmask(SIG_BLOCK, &set, NULL) && !fcntl(other, F_SETSIG, SIGRTMIN) &&
	     !fcntl(other, F_SETOWN, getpid()) &&
	     !fcntl(other, F_SETFL, O_ASYNC | O_NONBLOCK);
	for (i = 0; ok && i < 2; i++)
		ok = post_stream(key, 0, 1) &&
		     sigtimedwait(&set, NULL, &timeout) == SIGRTMIN &&
		     got_stream(fd, key, 0, 1);
	close(other);
	return ok;
}

/* O_ASYNC sends SIGIO for a post, and again after the queue was read empty. */
TEST_F(queue, sigio)
{
	sigset_t set;
	int i;

	ASSERT_EQ(0, sigio_on(self->fd[0], &set));
	ASSERT_EQ(O_ASYNC, fcntl(self->fd[0], F_GETFL) & O_ASYNC);
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(post_stream(self->key, 0, i + 1));
		ASSERT_EQ(SIGIO, sigio_within(&set, TIMEOUT_S));
		EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, i + 1));
	}

	/* Not after O_ASYNC is cleared */
	ASSERT_EQ(0, fcntl(self->fd[0], F_SETFL, O_NONBLOCK));
	EXPECT_TRUE(post_and_signal(self->fd[0], self->key));
	EXPECT_EQ(-EAGAIN, sigio_within(&set, 0));
}

/* Setting O_ASYNC sends SIGIO for records that were posted before. */
TEST_F(queue, sigio_queued)
{
	siginfo_t info;
	sigset_t set;

	/* With F_SETSIG, the signal has details */
	ASSERT_EQ(0, fcntl(self->fd[0], F_SETSIG, SIGIO));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	ASSERT_EQ(0, sigio_on(self->fd[0], &set));
	ASSERT_EQ(SIGIO, sigwaitinfo(&set, &info));
	EXPECT_EQ(POLL_IN, info.si_code);
	EXPECT_EQ(POLLIN | POLLRDNORM, info.si_band);
	EXPECT_EQ(self->fd[0], info.si_fd);
}

/*
 * A queue sends SIGIO for four descriptors at most, because each of them may signal all
 * processes of a user.  Closing a descriptor makes room for another one.
 */
TEST_F(queue, sigio_limit)
{
	int fd[5], i;

	for (i = 0; i < 5; i++) {
		fd[i] = queue_reopen(self->fd[0], O_RDONLY | O_NONBLOCK);
		ASSERT_GE(fd[i], 0);
		EXPECT_EQ(i < 4 ? 0 : -ENOSPC,
			  neg(fcntl(fd[i], F_SETFL, O_NONBLOCK | O_ASYNC)));
	}
	EXPECT_FALSE(fcntl(fd[4], F_GETFL) & O_ASYNC);
	/* O_ASYNC is set already, is set on the write end, and is cleared and set again */
	EXPECT_EQ(0, fcntl(fd[0], F_SETFL, O_NONBLOCK | O_ASYNC));
	EXPECT_EQ(0, fcntl(self->fd[1], F_SETFL, O_ASYNC));
	EXPECT_EQ(0, fcntl(fd[0], F_SETFL, O_NONBLOCK));
	EXPECT_EQ(0, fcntl(fd[4], F_SETFL, O_NONBLOCK | O_ASYNC));
	EXPECT_EQ(-ENOSPC, neg(fcntl(fd[0], F_SETFL, O_NONBLOCK | O_ASYNC)));
	EXPECT_EQ(0, close(fd[1]));
	EXPECT_EQ(0, fcntl(fd[0], F_SETFL, O_NONBLOCK | O_ASYNC));
	for (i = 0; i < 5; i++)
		if (i != 1)
			EXPECT_EQ(0, close(fd[i]));
}

/* A post sends the signals of all descriptors that have O_ASYNC. */
TEST_F(queue, sigio_all)
{
	struct timespec timeout = { .tv_sec = TIMEOUT_S }, no_time = {};
	sigset_t set[4], all;
	int fd[4], i;

	sigemptyset(&all);
	for (i = 0; i < 4; i++) {
		sigemptyset(&set[i]);
		sigaddset(&set[i], SIGRTMIN + i);
		sigaddset(&all, SIGRTMIN + i);
	}
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &all, NULL));
	for (i = 0; i < 4; i++) {
		fd[i] = queue_reopen(self->fd[0], O_RDONLY | O_NONBLOCK);
		ASSERT_GE(fd[i], 0);
		ASSERT_EQ(0, fcntl(fd[i], F_SETSIG, SIGRTMIN + i));
		ASSERT_EQ(0, fcntl(fd[i], F_SETOWN, getpid()));
		ASSERT_EQ(0, fcntl(fd[i], F_SETFL, O_NONBLOCK | O_ASYNC));
	}
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(SIGRTMIN + i, neg(sigtimedwait(&set[i], NULL, &timeout)));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));

	/* Also after others were cleared or closed */
	EXPECT_EQ(0, fcntl(fd[2], F_SETFL, O_NONBLOCK));
	EXPECT_EQ(0, close(fd[0]));
	ASSERT_TRUE(post_stream(self->key, 1, 1));
	EXPECT_EQ(SIGRTMIN + 1, neg(sigtimedwait(&set[1], NULL, &timeout)));
	EXPECT_EQ(SIGRTMIN + 3, neg(sigtimedwait(&set[3], NULL, &timeout)));
	/* Signals are sent in the order of the descriptors, from the last to the first */
	EXPECT_EQ(-EAGAIN, neg(sigtimedwait(&set[2], NULL, &no_time)));
	EXPECT_EQ(0, close(fd[1]));
	EXPECT_EQ(0, close(fd[2]));
	EXPECT_EQ(0, close(fd[3]));
}

/* With F_SETSIG, the signal carries the descriptor and POLL_IN. */
TEST_F(queue, sigio_info)
{
	struct timespec timeout = { .tv_sec = TIMEOUT_S };
	int sig = SIGRTMIN;
	siginfo_t si = {};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, fcntl(self->fd[0], F_SETSIG, sig));
	ASSERT_EQ(0, fcntl(self->fd[0], F_SETOWN, getpid()));
	ASSERT_EQ(0, fcntl(self->fd[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	ASSERT_EQ(sig, sigtimedwait(&set, &si, &timeout));
	EXPECT_EQ(self->fd[0], si.si_fd);
	EXPECT_EQ(POLL_IN, si.si_code);
}

/* SIGIO is sent for a REMOVAL, too. */
TEST_F(queue, sigio_removal)
{
	sigset_t set;

	ASSERT_EQ(0, sigio_on(self->fd[0], &set));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_EQ(SIGIO, sigio_within(&set, TIMEOUT_S));
}

/* No SIGIO is sent to the write end for a post. */
TEST_F(queue, sigio_write_end)
{
	sigset_t set;

	ASSERT_EQ(0, sigio_on(self->fd[1], &set));
	EXPECT_TRUE(post_and_signal(self->fd[0], self->key));
	EXPECT_EQ(-EAGAIN, sigio_within(&set, 0));
}

/* SIGIO is sent at end of file, too. */
TEST_F(queue, sigio_end)
{
	sigset_t set;

	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 7, self->key));
	ASSERT_EQ(0, sigio_on(self->fd[0], &set));
	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	EXPECT_EQ(SIGIO, sigio_within(&set, TIMEOUT_S));
}

/* A thread that sleeps in one of the calls below */
struct sleeper {
	pthread_t thread;
	int tid;
	int fd;
	int result;
	int events;
	union watch_record record;
};

static void *sleep_in_read(void *arg)
{
	struct sleeper *s = arg;

	thread_announce(&s->tid);
	s->result = read_one(s->fd, &s->record);
	return NULL;
}

/* Reads into a buffer that is too small for a record of a key */
static void *sleep_in_short_read(void *arg)
{
	struct sleeper *s = arg;

	thread_announce(&s->tid);
	s->result = neg(read(s->fd, &s->record, KEY_RECORD / 2));
	return NULL;
}

static void *sleep_in_poll(void *arg)
{
	struct sleeper *s = arg;

	thread_announce(&s->tid);
	s->result = poll_for(s->fd, s->events, -1);
	return NULL;
}

static void *sleep_in_epoll(void *arg)
{
	struct epoll_event event = {};
	struct sleeper *s = arg;

	thread_announce(&s->tid);
	s->result = neg(epoll_wait(s->fd, &event, 1, -1));
	s->events = event.events;
	return NULL;
}

static bool sleeper_start(struct sleeper *s, void *(*fn)(void *), int fd,
			  int events)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->events = events;
	return !pthread_create(&s->thread, NULL, fn, s) &&
	       thread_asleep(&s->tid);
}

/* read() of an empty queue blocks until a record is posted. */
TEST_F(queue, blocking)
{
	struct sleeper s;

	set_blocking(self->fd[0]);
	ASSERT_TRUE(sleeper_start(&s, sleep_in_read, self->fd[0], 0));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	ASSERT_EQ(0, pthread_join(s.thread, NULL));
	EXPECT_EQ(KEY_RECORD, s.result);
	EXPECT_TRUE(is_stream(&s.record, self->key, 0, 1));
}

/* read() of an unsized queue blocks, too. */
TEST_F(queue, blocking_unsized)
{
	struct sleeper s;
	int fd[2];

	queue_open(_metadata, fd, 0);
	ASSERT_TRUE(sleeper_start(&s, sleep_in_read, fd[0], 0));
	ASSERT_EQ(0, queue_size(fd[1], 4));
	ASSERT_EQ(0, watch_add(self->key, fd[1], 7));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	ASSERT_EQ(0, pthread_join(s.thread, NULL));
	EXPECT_EQ(KEY_RECORD, s.result);
	EXPECT_TRUE(is_stream(&s.record, self->key, 0, 1));
}

/* A sleeping reader does not lock the queue. */
TEST_F(queue, blocking_no_lock)
{
	struct queue_info info;
	struct sleeper s;
	int fd;

	set_blocking(self->fd[0]);
	ASSERT_TRUE(sleeper_start(&s, sleep_in_read, self->fd[0], 0));
	fd = queue_reopen(self->fd[0], O_RDONLY | O_NONBLOCK);
	ASSERT_GE(fd, 0);
	EXPECT_TRUE(got_nothing(fd));
	EXPECT_EQ(0, poll_now(fd));
	EXPECT_EQ(0, readable_bytes(fd));
	EXPECT_EQ(-EBUSY, queue_size(fd, 4));
	EXPECT_EQ(0, queue_filter(fd, NULL));
	EXPECT_TRUE(queue_info(fd, &info));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	ASSERT_EQ(0, pthread_join(s.thread, NULL));
	EXPECT_EQ(KEY_RECORD, s.result);
}

/* Posting several records wakes as many readers, and each gets one record. */
TEST_F(queue, blocking_several)
{
	struct sleeper s[READERS];
	int i, seen = 0;

	set_blocking(self->fd[0]);
	for (i = 0; i < READERS; i++)
		ASSERT_TRUE(sleeper_start(&s[i], sleep_in_read, self->fd[0],
					  0));
	ASSERT_TRUE(post_stream(self->key, 0, READERS));
	for (i = 0; i < READERS; i++) {
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
		EXPECT_EQ(KEY_RECORD, s[i].result);
		seen += s[i].record.watch.subtype == NOTIFY_KEY_UPDATED;
	}
	EXPECT_EQ(READERS / 2, seen);
	EXPECT_EQ(0, readable_bytes(self->fd[0]));
}

/* A woken reader whose buffer is too small wakes the next reader. */
TEST_F(queue, blocking_wakes_next)
{
	struct sleeper s[READERS];
	int i;

	set_blocking(self->fd[0]);
	for (i = 0; i < READERS; i++)
		ASSERT_TRUE(sleeper_start(&s[i], i < READERS - 1 ?
					  sleep_in_short_read : sleep_in_read,
					  self->fd[0], 0));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	for (i = 0; i < READERS; i++) {
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
		EXPECT_EQ(i < READERS - 1 ? -EMSGSIZE : (int)KEY_RECORD,
			  s[i].result);
	}
	EXPECT_TRUE(is_stream(&s[READERS - 1].record, self->key, 0, 1));
}

/* A REMOVAL wakes a reader, too. */
TEST_F(queue, blocking_removal)
{
	struct sleeper s;
	int other;

	other = key_new("other");
	ASSERT_GT(other, 0);
	ASSERT_EQ(0, watch_add(other, self->fd[1], 9));
	set_blocking(self->fd[0]);
	ASSERT_TRUE(sleeper_start(&s, sleep_in_read, self->fd[0], 0));
	ASSERT_EQ(0, watch_del(other, self->fd[0]));
	ASSERT_EQ(0, pthread_join(s.thread, NULL));
	EXPECT_EQ(sizeof(s.record.removal), s.result);
	EXPECT_TRUE(is_removal(&s.record));
}

/* Reading does not change the time of the last access. */
TEST_F(queue, access_time)
{
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct stat st;

	ASSERT_EQ(0, neg(futimens(self->fd[0], old)));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
	ASSERT_EQ(0, neg(fstat(self->fd[0], &st)));
	EXPECT_EQ(1, st.st_atim.tv_sec);
}

/* A reader is woken after many queues of its user were closed with a pending wake-up. */
TEST_F(queue, blocking_after_closed)
{
	const int nr = 2000;
	struct sleeper s;
	int fd[2], key, i;

	ASSERT_EQ(0, become_user(SOME_USER));
	session_open(_metadata);
	key = key_new("watched");
	ASSERT_GT(key, 0);
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, neg(pipe2(fd, O_NOTIFICATION_PIPE | O_CLOEXEC)));
		ASSERT_EQ(0, neg(fcntl(fd[0], F_SETFL, O_ASYNC)));
		/* The end of file requests a wake-up */
		ASSERT_EQ(0, neg(close(fd[1])));
		ASSERT_EQ(0, neg(close(fd[0])));
	}
	ASSERT_EQ(0, neg(pipe2(fd, O_NOTIFICATION_PIPE | O_CLOEXEC)));
	ASSERT_EQ(0, queue_size(fd[0], 1));
	ASSERT_EQ(0, watch_add(key, fd[0], 1));
	ASSERT_TRUE(sleeper_start(&s, sleep_in_read, fd[0], 0));
	ASSERT_TRUE(post(key, 1));
	ASSERT_EQ(0, pthread_join(s.thread, NULL));
	EXPECT_EQ(KEY_RECORD, s.result);
}

static void on_signal(int sig)
{
}

/* A signal interrupts a blocking read() with EINTR. */
TEST_F(queue, blocking_signal)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct sleeper s;

	ASSERT_EQ(0, sigaction(SIGUSR1, &act, NULL));
	set_blocking(self->fd[0]);
	ASSERT_TRUE(sleeper_start(&s, sleep_in_read, self->fd[0], 0));
	ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(s.thread, NULL));
	EXPECT_EQ(-EINTR, s.result);
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
}

#define CHUNK	256	/* records that read() copies before it checks for signals */

/* A page of memory, whose first access waits for a thread */
struct missing_page {
	char *page;
	int fd;		/* of userfaultfd */
	pid_t reader;
	int result;
};

static int missing_page_open(struct missing_page *m, char *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)page, .len = 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	m->page = page;
	m->reader = gettid();
	m->fd = neg(syscall(__NR_userfaultfd, O_CLOEXEC));
	if (m->fd < 0)
		return m->fd;
	if (ioctl(m->fd, UFFDIO_API, &api) || ioctl(m->fd, UFFDIO_REGISTER, &range))
		return -errno;
	return 0;
}

/* Waits for the access, sends a signal to the reader, and lets it continue */
static void *signal_in_access(void *arg)
{
	struct missing_page *m = arg;
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)m->page, .len = 4096 },
	};
	struct uffd_msg msg;

	if (read(m->fd, &msg, sizeof(msg)) != sizeof(msg) ||
	    syscall(__NR_tgkill, getpid(), m->reader, SIGUSR1))
		m->result = -errno;
	if (ioctl(m->fd, UFFDIO_ZEROPAGE, &zero))
		m->result = -errno;
	return NULL;
}

/* A signal ends a read() of many records early.  The others remain in the queue. */
TEST_F(queue, signal_in_read)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct missing_page m = {};
	pthread_t thread;
	char *buf;
	int fd[2];

	ASSERT_EQ(0, sigaction(SIGUSR1, &act, NULL));
	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, queue_size(fd[0], 2 * CHUNK));
	ASSERT_EQ(0, watch_add(self->key, fd[0], 7));
	ASSERT_TRUE(post_stream(self->key, 0, CHUNK + 3));
	buf = mmap(NULL, 2 * CHUNK * KEY_RECORD, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	if (access("/proc/sys/vm/unprivileged_userfaultfd", F_OK))
		SKIP(return, "CONFIG_USERFAULTFD is not set");
	ASSERT_EQ(0, missing_page_open(&m, buf));
	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_in_access, &m));
	EXPECT_EQ(CHUNK * KEY_RECORD, neg(read(fd[0], buf, 2 * CHUNK * KEY_RECORD)));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, m.result);
	EXPECT_TRUE(is_stream(buf, self->key, 0, CHUNK));
	EXPECT_TRUE(got_stream(fd[0], self->key, CHUNK, 3));
	EXPECT_TRUE(got_nothing(fd[0]));
	close(m.fd);
	queue_close(fd);
}

/* One post wakes all threads in poll() and epoll_wait(). */
TEST_F(queue, poll_wakes)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct sleeper s[READERS + 1];
	int i, ep;

	ep = epoll_create1(0);
	ASSERT_GE(ep, 0);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd[0], &event));
	for (i = 0; i < READERS; i++)
		ASSERT_TRUE(sleeper_start(&s[i], sleep_in_poll, self->fd[0],
					  i ? POLLIN : POLLRDNORM));
	ASSERT_TRUE(sleeper_start(&s[i], sleep_in_epoll, ep, 0));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	for (i = 0; i <= READERS; i++)
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
	for (i = 0; i < READERS; i++)
		EXPECT_EQ(i ? POLLIN : POLLRDNORM, s[i].result);
	EXPECT_EQ(1, s[i].result);
	EXPECT_EQ(EPOLLIN, s[i].events);
}

/* Sleeps in epoll_wait(), then reads a record; @events has the queue's descriptor */
static void *sleep_in_epoll_and_read(void *arg)
{
	struct epoll_event event = {};
	struct sleeper *s = arg;
	int queue = s->events;

	thread_announce(&s->tid);
	s->result = neg(epoll_wait(s->fd, &event, 1, -1));
	s->events = event.events;
	if (s->result == 1 && read_one(queue, &s->record) != KEY_RECORD)
		s->result = -EBADMSG;
	return NULL;
}

/* Each time the queue becomes readable, a thread that sleeps with EPOLLEXCLUSIVE wakes. */
TEST_F(queue, epoll_exclusive)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	struct sleeper s[READERS];
	int i, ep;

	for (i = 0; i < READERS; i++) {
		ep = epoll_create1(0);
		ASSERT_GE(ep, 0);
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd[0], &event));
		ASSERT_TRUE(sleeper_start(&s[i], sleep_in_epoll_and_read, ep,
					  self->fd[0]));
	}
	for (i = 0; i < READERS; i++) {
		ASSERT_TRUE(post_stream(self->key, i, 1));
		while (readable_bytes(self->fd[0]))
			sched_yield();
	}
	for (i = 0; i < READERS; i++) {
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
		EXPECT_EQ(1, s[i].result);
		EXPECT_EQ(EPOLLIN, s[i].events);
		EXPECT_EQ(0, close(s[i].fd));
	}
}

/*
 * A task with EPOLLEXCLUSIVE is the one that is woken.  It leaves a record behind, so its
 * read, which does not sleep, wakes the task that sleeps in read().
 */
TEST_F(queue, epoll_exclusive_and_read)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int ep, from = ring_new("from"), to = ring_new("to");
	int key = key_new_in("user", "moved", from);
	struct sleeper in_epoll, in_read;

	ASSERT_GT(key, 0);
	ASSERT_EQ(0, watch_add(from, self->fd[0], 1));
	ASSERT_EQ(0, watch_add(to, self->fd[0], 2));
	set_blocking(self->fd[0]);
	ep = epoll_create1(0);
	ASSERT_GE(ep, 0);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd[0], &event));
	ASSERT_TRUE(sleeper_start(&in_epoll, sleep_in_epoll_and_read, ep, self->fd[0]));
	ASSERT_TRUE(sleeper_start(&in_read, sleep_in_read, self->fd[0], 0));
	/* Two records: UNLINKED and LINKED */
	ASSERT_EQ(0, keyctl(KEYCTL_MOVE, key, from, to, 0));
	ASSERT_EQ(0, pthread_join(in_epoll.thread, NULL));
	ASSERT_EQ(0, pthread_join(in_read.thread, NULL));
	EXPECT_EQ(1, in_epoll.result);
	EXPECT_EQ(KEY_RECORD, in_read.result);
	EXPECT_EQ(0, close(ep));
}

/* End of file requires that the write end is closed and that no watch is left. */
TEST_F(queue, end_of_file)
{
	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	EXPECT_EQ(0, poll_now(self->fd[0]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_TRUE(post_stream(self->key, 0, 2));
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_now(self->fd[0]));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 2));
	EXPECT_TRUE(got_nothing(self->fd[0]));

	/* Records in the queue come before end of file */
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_EQ(POLLIN | POLLRDNORM | POLLHUP, poll_now(self->fd[0]));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
	EXPECT_TRUE(got_removal(self->fd[0], 7, self->key));
	EXPECT_EQ(POLLHUP, poll_now(self->fd[0]));
	EXPECT_EQ(0, read(self->fd[0], &(union watch_record){}, KEY_RECORD));
	EXPECT_EQ(0, read(self->fd[0], &(union watch_record){}, 1));
}

/* End of file follows the removal of the last one of several watches. */
TEST_F(queue, end_of_file_last)
{
	int other;

	other = key_new("other");
	ASSERT_GT(other, 0);
	ASSERT_EQ(0, watch_add(other, self->fd[1], 9));
	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 7, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	EXPECT_EQ(0, poll_now(self->fd[0]));
	ASSERT_EQ(0, watch_del(other, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 9, other));
	EXPECT_EQ(POLLHUP, poll_now(self->fd[0]));
}

/* Without a watch, end of file follows the close of the last write end. */
TEST_F(queue, end_of_file_write_end)
{
	int fd;

	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 7, self->key));
	EXPECT_EQ(0, poll_now(self->fd[0]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	fd = dup(self->fd[1]);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	EXPECT_TRUE(got_nothing(self->fd[0]));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(POLLHUP, poll_now(self->fd[0]));
	EXPECT_EQ(0, read(self->fd[0], &(union watch_record){}, KEY_RECORD));
}

/* Adding a watch after end of file makes the queue usable again. */
TEST_F(queue, end_of_file_undone)
{
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 7, self->key));
	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	EXPECT_EQ(POLLHUP, poll_now(self->fd[0]));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 7));
	EXPECT_EQ(0, poll_now(self->fd[0]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
}

/* Closing the write end of a queue without a watch wakes all sleepers. */
TEST_F(queue, end_wakes_close)
{
	struct sleeper s[3];
	int i;

	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 7, self->key));
	set_blocking(self->fd[0]);
	ASSERT_TRUE(sleeper_start(&s[0], sleep_in_read, self->fd[0], 0));
	ASSERT_TRUE(sleeper_start(&s[1], sleep_in_poll, self->fd[0], POLLIN));
	ASSERT_TRUE(sleeper_start(&s[2], sleep_in_poll, self->fd[0], 0));
	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
	EXPECT_EQ(0, s[0].result);
	EXPECT_EQ(POLLHUP, s[1].result);
	EXPECT_EQ(POLLHUP, s[2].result);
}

/* Closing the read end wakes a task in poll() on the write end. */
TEST_F(queue, end_wakes_writer)
{
	struct sleeper s;

	ASSERT_TRUE(sleeper_start(&s, sleep_in_poll, self->fd[1], 0));
	EXPECT_EQ(0, close(self->fd[0]));
	self->fd[0] = -1;
	ASSERT_EQ(0, pthread_join(s.thread, NULL));
	EXPECT_EQ(POLLERR, s.result);
}

/* Removing the last watch after the write end was closed wakes all sleepers. */
TEST_F(queue, end_wakes_removal)
{
	struct sleeper s[3];
	int i;

	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	set_blocking(self->fd[0]);
	ASSERT_TRUE(sleeper_start(&s[0], sleep_in_read, self->fd[0], 0));
	ASSERT_TRUE(sleeper_start(&s[1], sleep_in_read, self->fd[0], 0));
	ASSERT_TRUE(sleeper_start(&s[2], sleep_in_poll, self->fd[0], 0));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
	EXPECT_EQ(KEY_RECORD, s[0].result + s[1].result);
	EXPECT_EQ(0, s[0].result * s[1].result);
	EXPECT_EQ(POLLHUP, s[2].result);
}

/* An io_uring instance without liburing, for one request in flight at a time */
struct uring {
	int fd;
	struct io_uring_params p;
	struct io_uring_sqe *sqes;
	char *sq;
	char *cq;
};

static unsigned int *uring_u32(char *ring, __u32 offset)
{
	return (unsigned int *)(ring + offset);
}

static int uring_open(struct uring *u)
{
	size_t sq_size, cq_size;

	memset(u, 0, sizeof(*u));
	u->fd = neg(syscall(__NR_io_uring_setup, 4, &u->p));
	if (u->fd < 0)
		return u->fd;
	sq_size = u->p.sq_off.array + u->p.sq_entries * sizeof(__u32);
	cq_size = u->p.cq_off.cqes +
		  u->p.cq_entries * sizeof(struct io_uring_cqe);
	u->sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		     IORING_OFF_SQ_RING);
	u->cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		     IORING_OFF_CQ_RING);
	u->sqes = mmap(NULL, u->p.sq_entries * sizeof(struct io_uring_sqe),
		       PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		       IORING_OFF_SQES);
	if (u->sq == MAP_FAILED || u->cq == MAP_FAILED ||
	    (void *)u->sqes == MAP_FAILED)
		return -ENOMEM;
	return 0;
}

static int uring_submit(struct uring *u, const struct io_uring_sqe *sqe)
{
	unsigned int *tail = uring_u32(u->sq, u->p.sq_off.tail);
	unsigned int index = *tail & *uring_u32(u->sq, u->p.sq_off.ring_mask);

	u->sqes[index] = *sqe;
	uring_u32(u->sq, u->p.sq_off.array)[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return neg(syscall(__NR_io_uring_enter, u->fd, 1, 0, 0, NULL, 0));
}

static bool uring_done(struct uring *u)
{
	return __atomic_load_n(uring_u32(u->cq, u->p.cq_off.tail),
			       __ATOMIC_ACQUIRE) !=
	       *uring_u32(u->cq, u->p.cq_off.head);
}

/* Waits for a request to complete and returns its result */
static int uring_result(struct uring *u)
{
	unsigned int *head = uring_u32(u->cq, u->p.cq_off.head);
	struct io_uring_cqe *cqe;
	int ret;

	if (!uring_done(u)) {
		ret = neg(syscall(__NR_io_uring_enter, u->fd, 0, 1,
				  IORING_ENTER_GETEVENTS, NULL, 0));
		if (ret < 0)
			return ret;
	}
	cqe = (struct io_uring_cqe *)(u->cq + u->p.cq_off.cqes);
	ret = cqe[*head & *uring_u32(u->cq, u->p.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return ret;
}

FIXTURE(uring)
{
	int fd[2];
	int key;
	struct uring u;
	struct io_uring_sqe sqe;
	char buf[4 * KEY_RECORD];
};

FIXTURE_VARIANT(uring)
{
	int flags;
};

FIXTURE_VARIANT_ADD(uring, blocking) {
	.flags = 0,
};

/* io_uring waits despite O_NONBLOCK: only RWF_NOWAIT prevents waiting. */
FIXTURE_VARIANT_ADD(uring, nonblocking) {
	.flags = O_NONBLOCK,
};

FIXTURE_SETUP(uring)
{
	int ret;

	if (access("/proc/sys/kernel/io_uring_disabled", F_OK))
		SKIP(_exit(KSFT_SKIP), "CONFIG_IO_URING is not set");
	ret = uring_open(&self->u);
	if (ret == -EPERM)
		SKIP(_exit(KSFT_SKIP), "io_uring is disabled by sysctl");
	ASSERT_EQ(0, ret);
	session_open(_metadata);
	queue_open(_metadata, self->fd, variant->flags);
	self->key = key_new("uring");
	ASSERT_GT(self->key, 0);
	ASSERT_EQ(0, queue_size(self->fd[0], 64));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 7));
	self->sqe.opcode = IORING_OP_READ;
	self->sqe.fd = self->fd[0];
	self->sqe.addr = (uintptr_t)self->buf;
	self->sqe.len = sizeof(self->buf);
	self->sqe.off = -1;
}

FIXTURE_TEARDOWN(uring)
{
	close(self->u.fd);
	queue_close(self->fd);
}

#define OP_PIPE	62	/* IORING_OP_PIPE */

/* io_uring can create a queue. */
TEST_F(uring, pipe)
{
	struct io_uring_sqe sqe = {
		.opcode = OP_PIPE,
		.rw_flags = O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC,
	};
	int fd[2], ret;

	sqe.addr = (uintptr_t)fd;
	ASSERT_EQ(1, uring_submit(&self->u, &sqe));
	ret = uring_result(&self->u);
	if (ret == -EINVAL)
		SKIP(return, "the kernel has no IORING_OP_PIPE");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, queue_size(fd[0], 4));
	ASSERT_EQ(0, watch_add(self->key, fd[0], 7));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_TRUE(got_stream(fd[0], self->key, 0, 1));
	EXPECT_TRUE(got_nothing(fd[0]));
	queue_close(fd);
}

/* A read through io_uring completes immediately if there are records. */
TEST_F(uring, inline)
{
	ASSERT_TRUE(post_stream(self->key, 0, 3));
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_TRUE(uring_done(&self->u));
	EXPECT_EQ(3 * KEY_RECORD, uring_result(&self->u));
	EXPECT_TRUE(is_stream(self->buf, self->key, 0, 3));
	EXPECT_EQ(0, readable_bytes(self->fd[0]));
}

/* A read of an empty queue completes when a record is posted. */
TEST_F(uring, waits)
{
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_FALSE(uring_done(&self->u));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_EQ(KEY_RECORD, uring_result(&self->u));
	EXPECT_TRUE(is_stream(self->buf, self->key, 0, 1));
	EXPECT_EQ(0, readable_bytes(self->fd[0]));
}

/* A read of an empty queue with RWF_NOWAIT completes with EAGAIN. */
TEST_F(uring, nowait)
{
	self->sqe.rw_flags = RWF_NOWAIT;
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_EQ(-EAGAIN, uring_result(&self->u));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_EQ(KEY_RECORD, uring_result(&self->u));
	EXPECT_TRUE(is_stream(self->buf, self->key, 0, 1));
}

/* A read into a short buffer completes with EMSGSIZE and loses nothing. */
TEST_F(uring, emsgsize)
{
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	self->sqe.len = KEY_RECORD - 1;
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_EQ(-EMSGSIZE, uring_result(&self->u));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
}

/* A poll through io_uring completes when a record is posted. */
TEST_F(uring, poll)
{
	self->sqe = (struct io_uring_sqe) {
		.opcode = IORING_OP_POLL_ADD,
		.fd = self->fd[0],
		.poll_events = POLLIN,
	};
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_FALSE(uring_done(&self->u));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	EXPECT_EQ(POLLIN, uring_result(&self->u));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
}

/* A write through io_uring fails with EXDEV. */
TEST_F(uring, write)
{
	self->sqe.opcode = IORING_OP_WRITE;
	self->sqe.fd = self->fd[1];
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_EQ(-EXDEV, uring_result(&self->u));
	EXPECT_EQ(0, readable_bytes(self->fd[0]));
}

/* A splice through io_uring fails with EINVAL. */
TEST_F(uring, splice)
{
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_TRUE(post_stream(self->key, 0, 1));
	self->sqe = (struct io_uring_sqe) {
		.opcode = IORING_OP_SPLICE,
		.fd = pipefd[1],
		.splice_fd_in = self->fd[0],
		.splice_off_in = -1,
		.off = -1,
		.len = 64,
	};
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_EQ(-EINVAL, uring_result(&self->u));
	EXPECT_TRUE(got_stream(self->fd[0], self->key, 0, 1));
}

/* Closing the write end without a watch completes a read with end of file. */
TEST_F(uring, end_of_file)
{
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 7, self->key));
	ASSERT_EQ(1, uring_submit(&self->u, &self->sqe));
	EXPECT_FALSE(uring_done(&self->u));
	EXPECT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	EXPECT_EQ(0, uring_result(&self->u));
}

TEST_HARNESS_MAIN
