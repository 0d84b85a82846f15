// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparable interfaces: the cost of producing and of consuming an event.
 *
 * "produce" is the additional cost of the operation that causes an event if there
 * is a listener.  For eventfd and pipes it is the whole system call.  "consume" is
 * a system call that reads one event.  "consume-b128" is the cost per event if
 * 128 events are read in as few system calls as possible.
 */
#include "bench.h"

#include <string.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>

static int files[BATCH], listener, sysfs;
static long key;

static void die_if(bool wrong, const char *what)
{
	if (wrong)
		die(what);
}

static void empty(const struct scenario *s)
{
	drain(listener);
}

/* Use one file per event, because events of the same file may be merged */
static bool setup_files(const struct scenario *s)
{
	char name[32];

	for (int i = 0; i < BATCH; i++) {
		snprintf(name, sizeof(name), "/tmp/bench%d", i);
		files[i] = keep(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	}
	listener = files[0];
	return true;
}

static uint64_t run_write_files(const struct scenario *s)
{
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		die_if(pwrite(files[i], "x", 1, 0) != 1, s->name);
	return ticks() - start;
}

static bool setup_inotify(const struct scenario *s)
{
	char name[32];

	setup_files(s);
	listener = keep(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	for (int i = 0; i < BATCH; i++) {
		snprintf(name, sizeof(name), "/tmp/bench%d", i);
		die_if(inotify_add_watch(listener, name, IN_MODIFY) < 0, name);
	}
	return true;
}

static bool setup_fanotify(const struct scenario *s)
{
	char name[32];

	setup_files(s);
	listener = keep(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID |
				      FAN_NONBLOCK | FAN_CLOEXEC, 0));
	for (int i = 0; i < BATCH; i++) {
		snprintf(name, sizeof(name), "/tmp/bench%d", i);
		die_if(fanotify_mark(listener, FAN_MARK_ADD, FAN_MODIFY,
				     AT_FDCWD, name), name);
	}
	return true;
}

static bool setup_key(const struct scenario *s)
{
	key = syscall(SYS_add_key, "user", "bench", "x", 1L,
		      KEY_SPEC_PROCESS_KEYRING);
	return key > 0;
}

static bool setup_queue(const struct scenario *s)
{
	if (!setup_key(s) || !open_queue(queue, BATCH))
		return false;
	listener = queue[0];
	return !syscall(SYS_keyctl, KEYCTL_WATCH_KEY, key, listener, 1);
}

static uint64_t run_update(const struct scenario *s)
{
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		syscall(SYS_keyctl, KEYCTL_UPDATE, key, "y", 1L);
	return ticks() - start;
}

static bool setup_uevent(const struct scenario *s)
{
	sysfs = keep(open("/sys/devices/virtual/mem/null/uevent",
			  O_WRONLY | O_CLOEXEC));
	return true;
}

static bool setup_netlink(const struct scenario *s)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int room = 1 << 20;

	listener = keep(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			       NETLINK_KOBJECT_UEVENT));
	die_if(setsockopt(listener, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)),
	       "SO_RCVBUFFORCE");
	die_if(bind(listener, (void *)&kernel, sizeof(kernel)), "bind");
	return setup_uevent(s);
}

static uint64_t run_uevent(const struct scenario *s)
{
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		die_if(write(sysfs, "change", 6) != 6, s->name);
	return ticks() - start;
}

static bool setup_eventfd(const struct scenario *s)
{
	listener = keep(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	queue[1] = listener;
	return true;
}

static bool setup_pipe(const struct scenario *s)
{
	die_if(pipe2(queue, O_CLOEXEC | O_NONBLOCK), "pipe2");
	listener = keep(queue[0]);
	keep(queue[1]);
	return true;
}

/* Write to an eventfd, which requires an 8-byte number, or to a pipe */
static uint64_t run_write(const struct scenario *s)
{
	uint64_t one[2] = { 1 }, start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		die_if(write(queue[1], one, s->len) != s->len, s->name);
	return ticks() - start;
}

/*
 * Consumers read the events of the producer with the same name
 */

static void produce(const struct scenario *s,
		    uint64_t (*run)(const struct scenario *s))
{
	drain(listener);
	run(s);
}

static void with_files(const struct scenario *s) { produce(s, run_write_files); }
static void with_update(const struct scenario *s) { produce(s, run_update); }
static void with_uevent(const struct scenario *s) { produce(s, run_uevent); }
static void with_write(const struct scenario *s) { produce(s, run_write); }

/* Read all events: s->nr calls, or one if it is 0 */
static uint64_t run_consume(const struct scenario *s)
{
	uint64_t start = ticks();
	unsigned int calls = s->nr ?: 1;

	while (calls--)
		die_if(read(listener, buffer, sizeof(buffer)) <= 0, s->name);
	return ticks() - start;
}

#define ALONE(NAME, SETUP, RUN)						\
	{ NAME, .setup = SETUP, .run = RUN, .ops = BATCH }
#define PRODUCE(NAME, MINUS, SETUP, RUN, ...)				\
	{ "near-" NAME "-produce", .minus = MINUS, .setup = SETUP,	\
	  .prepare = empty, .run = RUN, .ops = BATCH, ##__VA_ARGS__ }
#define CONSUME(NAME, SETUP, WITH, OPS, ...)				\
	{ "near-" NAME, .setup = SETUP, .prepare = WITH,		\
	  .run = run_consume, .ops = OPS, ##__VA_ARGS__ }

struct group near_rows(void)
{
	static const struct scenario rows[] = {
		/* Only a few updates in a row: see UPDATES in post.c */
		{ "near-update-unheard", .setup = setup_key, .run = run_update,
		  .ops = 8 },
		{ "near-queue-produce", .minus = "near-update-unheard",
		  .setup = setup_queue, .prepare = empty, .run = run_update,
		  .ops = 8 },
		CONSUME("queue-consume", setup_queue, with_update, 1),
		CONSUME("queue-consume-b128", setup_queue, with_update, BATCH),

		ALONE("near-write-unheard", setup_files, run_write_files),
		PRODUCE("inotify", "near-write-unheard", setup_inotify,
			run_write_files),
		CONSUME("inotify-consume", setup_inotify, with_files, 1),
		CONSUME("inotify-consume-b128", setup_inotify, with_files, BATCH),
		PRODUCE("fanotify", "near-write-unheard", setup_fanotify,
			run_write_files),
		CONSUME("fanotify-consume", setup_fanotify, with_files, 1),
		CONSUME("fanotify-consume-b128", setup_fanotify, with_files, BATCH),

		ALONE("near-uevent-unheard", setup_uevent, run_uevent),
		PRODUCE("netlink", "near-uevent-unheard", setup_netlink, run_uevent),
		CONSUME("netlink-consume", setup_netlink, with_uevent, 1),
		/* One datagram per call */
		CONSUME("netlink-consume-b128", setup_netlink, with_uevent, BATCH,
			.nr = BATCH),

		PRODUCE("eventfd", NULL, setup_eventfd, run_write, .len = 8),
		CONSUME("eventfd-consume", setup_eventfd, with_write, 1, .len = 8),
		PRODUCE("pipe", NULL, setup_pipe, run_write, .len = 16),
		CONSUME("pipe-consume", setup_pipe, with_write, 1, .len = 16),
		CONSUME("pipe-consume-b128", setup_pipe, with_write, BATCH, .len = 16),
	};

	return GROUP(rows);
}
