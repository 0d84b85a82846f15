// SPDX-License-Identifier: GPL-2.0-only
/* Posting in a loop in the kernel, and by updating a watched key */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/keyctl.h>

static long key;
static int queues[512][2];

static long keyctl(int cmd, long a, long b, long c)
{
	return syscall(SYS_keyctl, cmd, a, b, c);
}

static bool setup_post(const struct scenario *s)
{
	object = open_object();
	for (unsigned int i = 0; i < s->nr; i++) {
		if (!open_queue(queues[i], BATCH * 2))
			return false;
		driver(object, WQBENCH_WATCH, (struct wqbench){
			.fd = queues[i][0], .nr = 1,
		});
	}
	return true;
}

static bool setup_key(const struct scenario *s)
{
	key = syscall(SYS_add_key, "user", "bench", "x", 1L,
		      KEY_SPEC_PROCESS_KEYRING);
	if (key < 0)
		die("add_key");
	/* The key has no watch, because the queues of the last scenario are closed */
	for (unsigned int i = 0; i < s->nr; i++) {
		if (!open_queue(queues[i], BATCH * 2))
			return false;
		if (keyctl(KEYCTL_WATCH_KEY, key, queues[i][0], 1))
			die("KEYCTL_WATCH_KEY");
	}
	return true;
}

static void prepare_empty(const struct scenario *s)
{
	for (unsigned int i = 0; i < s->nr; i++)
		drain(queues[i][0]);
}

static uint64_t run_post(const struct scenario *s)
{
	return driver(object, WQBENCH_POST, (struct wqbench){
		.len = s->len, .nr = s->ops,
	});
}

static void prepare_full(const struct scenario *s)
{
	driver(object, WQBENCH_POST, (struct wqbench){
		.len = s->len, .nr = BATCH * 4,
	});
}

static uint64_t run_update(const struct scenario *s)
{
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		keyctl(KEYCTL_UPDATE, key, (long)"y", 1);
	return ticks() - start;
}

/* Compare FIONREAD of each queue with @bytes */
static void check_bytes(const struct scenario *s, unsigned int bytes)
{
	int n;

	for (unsigned int i = 0; i < s->nr; i++) {
		errno = EBADMSG;
		if (ioctl(queues[i][0], FIONREAD, &n) || n != (int)bytes)
			die(s->name);
	}
}

/* All records must be in each queue */
static void check_queued(const struct scenario *s)
{
	check_bytes(s, s->ops * s->len);
}

static void check_none(const struct scenario *s)
{
	check_bytes(s, 0);
}

static void prepare_update_full(const struct scenario *s)
{
	struct scenario more = { .ops = BATCH * 4 };

	run_update(&more);
}

/* One rule, for one subtype of key events */
static bool set_filter(unsigned int subtype)
{
	struct {
		struct watch_notification_filter header;
		struct watch_notification_type_filter rule;
	} f = {
		.header.nr_filters = 1,
		.rule.type = WATCH_TYPE_KEY_NOTIFY,
		.rule.subtype_filter[0] = 1 << subtype,
	};

	return !ioctl(queues[0][0], IOC_WATCH_QUEUE_SET_FILTER, &f);
}

/* Both sources post subtype 1 */
static bool setup_post_accept(const struct scenario *s)
{
	return setup_post(s) && set_filter(NOTIFY_KEY_UPDATED);
}

static bool setup_post_reject(const struct scenario *s)
{
	return setup_post(s) && set_filter(NOTIFY_KEY_LINKED);
}

static bool setup_key_accept(const struct scenario *s)
{
	return setup_key(s) && set_filter(NOTIFY_KEY_UPDATED);
}

static bool setup_key_reject(const struct scenario *s)
{
	return setup_key(s) && set_filter(NOTIFY_KEY_LINKED);
}

/*
 * Waiters
 */

static void sleep_in_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		poll(&p, 1, -1);
		drain(fd);
	}
}

static void sleep_in_epoll(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	for (;;) {
		epoll_wait(ep, &ev, 1, -1);
		drain(fd);
	}
}

static void sleep_in_read(int fd)
{
	fcntl(fd, F_SETFL, 0);
	for (;;)
		if (read(fd, buffer, sizeof(buffer)) < 0)
			_exit(1);
}

/* Wait until the child has read everything and sleeps again */
static void wait_for_sleeper(void (*sleeper)(int fd))
{
	int n;

	do {
		sched_yield();
		if (ioctl(queues[0][0], FIONREAD, &n))
			die("FIONREAD");
	} while (n);
	child(sleeper, queues[0][0]);
}

/* A queue wakes waiters about once per tick: wait for the next tick */
static void prepare_sleeper(void (*sleeper)(int fd))
{
	wait_for_sleeper(sleeper);
	usleep(3 * TICK_USEC);
	wait_for_sleeper(sleeper);
}

static void prepare_poller(const struct scenario *s)
{
	prepare_sleeper(sleep_in_poll);
}

static void prepare_epoll_waiter(const struct scenario *s)
{
	prepare_sleeper(sleep_in_epoll);
}

static void prepare_reader(const struct scenario *s)
{
	prepare_sleeper(sleep_in_read);
}

/* The reader was woken in the current tick */
static void prepare_woken(const struct scenario *s)
{
	prepare_sleeper(sleep_in_read);
	run_post(s);
	wait_for_sleeper(sleep_in_read);
}

/* The queue is in an epoll, but no task is in epoll_wait() */
static bool setup_in_epoll(const struct scenario *s)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return setup_post(s) &&
	       !epoll_ctl(keep(epoll_create1(EPOLL_CLOEXEC)), EPOLL_CTL_ADD,
			  queues[0][0], &ev);
}

static bool setup_sigio(const struct scenario *s)
{
	signal(SIGIO, SIG_IGN);
	return setup_post(s) &&
	       !fcntl(queues[0][0], F_SETOWN, getpid()) &&
	       !fcntl(queues[0][0], F_SETFL, O_NONBLOCK | O_ASYNC);
}

#define POST(NAME, LEN, NR, ...)					\
	{ "post-" NAME, .setup = setup_post, .prepare = prepare_empty,	\
	  .run = run_post, .check = check_queued, .ops = BATCH,		\
	  .len = LEN, .nr = NR, ##__VA_ARGS__ }
/* Measure only one post, because only the first one wakes the waiter */
#define WAKE(NAME, PREPARE)						\
	{ "post-16B-" NAME, .setup = setup_post, .prepare = PREPARE,	\
	  .run = run_post, .ops = 1, .len = 16, .nr = 1 }
/*
 * Each update frees the old payload through RCU. Use only a few updates per repetition,
 * so that some repetitions do not include the processing of RCU callbacks.
 */
#define UPDATES		8
#define UPDATE(NAME, NR, ...)						\
	{ "update-" NAME, .minus = "update-0w", .setup = setup_key,	\
	  .prepare = prepare_empty, .run = run_update,			\
	  .check = check_queued, .ops = UPDATES, .len = 16, .nr = NR,	\
	  ##__VA_ARGS__ }

struct group post_rows(void)
{
	static const struct scenario rows[] = {
		POST("16B-0w", 16, 0),
		POST("16B-1w", 16, 1),
		POST("16B-2w", 16, 2),
		POST("16B-8w", 16, 8),
		POST("16B-64w", 16, 64),
		POST("16B-512w", 16, 512),
		POST("8B-1w", 8, 1),
		POST("48B-1w", 48, 1),
		POST("96B-1w", 96, 1),
		POST("127B-1w", 127, 1),
		POST("16B-lost", 16, 1, .prepare = prepare_full, .check = NULL),
		POST("16B-accepted", 16, 1, .setup = setup_post_accept),
		POST("16B-rejected", 16, 1, .setup = setup_post_reject,
		     .check = check_none),
		POST("16B-in-epoll", 16, 1, .setup = setup_in_epoll),
		POST("16B-sigio", 16, 1, .setup = setup_sigio),
		WAKE("wakes-poll", prepare_poller),
		WAKE("wakes-epoll", prepare_epoll_waiter),
		WAKE("wakes-read", prepare_reader),
		WAKE("wakes-again", prepare_woken),
		{ "update-0w", .setup = setup_key, .run = run_update,
		  .ops = UPDATES },
		UPDATE("1w", 1),
		UPDATE("2w", 2),
		UPDATE("8w", 8),
		UPDATE("64w", 64),
		UPDATE("512w", 512),
		UPDATE("lost", 1, .prepare = prepare_update_full, .check = NULL),
		UPDATE("accepted", 1, .setup = setup_key_accept),
		UPDATE("rejected", 1, .setup = setup_key_reject,
		       .check = check_none),
	};

	return GROUP(rows);
}
