// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events that both the queue and fanotify report: mounts, and errors of filesystems
 *
 * As in near.c, "produce" is the additional cost of the operation that causes an event
 * if there is a listener, and "consume" is a system call that reads the event. Here
 * "produce" ends when poll() reports the error of a filesystem, as a kernel thread
 * passes it to fanotify.
 *
 * Many errors are not read with one call: fanotify merges them, and the queue has a
 * rate limit.
 */
#include "disk.h"
#include "mounts.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <unistd.h>

/* The headers of a kernel before 6.15 do not have mount events */
#ifdef FAN_REPORT_MNT

#define SET_CONSOLE_LEVEL	8	/* klogctl() */
#define PERIOD_USEC	1100000		/* After it, the rate limit allows an error */

static int listener;

static void empty(const struct scenario *s)
{
	drain(listener);
}

static uint64_t run_consume(const struct scenario *s)
{
	uint64_t start = ticks();

	if (read(listener, buffer, sizeof(buffer)) <= 0)
		die(s->name);
	return ticks() - start;
}

/*
 * Mounts
 */

static bool setup_mounts(const struct scenario *s)
{
	fill(1);
	listener = keep(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	return true;
}

static bool setup_mounts_queue(const struct scenario *s)
{
	fill(1);
	if (!watch_mounts(queue))
		return false;
	listener = queue[0];
	return true;
}

static bool setup_mounts_fanotify(const struct scenario *s)
{
	fill(1);
	return mark_mounts(&listener);
}

/* Mount and unmount in turn: each is one event */
static uint64_t run_mounts(const struct scenario *s)
{
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		if (i % 2 ? umount(CHANGING) :
			    mount(PLACE "/0", CHANGING, NULL, MS_BIND, NULL))
			die(s->name);
	return ticks() - start;
}

static void with_mounts(const struct scenario *s)
{
	umount(CHANGING);	/* left by one event */
	empty(s);
	run_mounts(s);
}

/*
 * Errors of a filesystem: a read from a bad block of an ext4 file
 */

static struct disk disk = {
	.name = "bench", .type = "ext4", .mib = 16, .blocks = 1,
	.mkfs = "mkfs.ext4 -q -F -O ^has_journal",
};

static bool setup_errors(const struct scenario *s)
{
	if (!disk.fd) {
		if (!disk_open(&disk))
			return false;
		disk_fail(&disk, true);
		/* Messages about the errors would wait for the console */
		if (klogctl(SET_CONSOLE_LEVEL, NULL, 1) < 0)
			die("klogctl");
	}
	/* Always readable */
	listener = keep(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
	return true;
}

static bool setup_errors_queue(const struct scenario *s)
{
	struct watch_queue_watch args = { .type = WATCH_TYPE_SB_NOTIFY };

	if (!setup_errors(s) || !open_queue(queue, BATCH))
		return false;
	listener = queue[0];
	args.fd = disk.fd;
	return !ioctl(listener, IOC_WATCH_QUEUE_ADD_WATCH, &args);
}

static bool setup_errors_fanotify(const struct scenario *s)
{
	if (!setup_errors(s))
		return false;
	listener = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_NONBLOCK |
				 FAN_CLOEXEC, 0);
	if (listener < 0)
		return false;
	if (fanotify_mark(keep(listener), FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
			  FAN_FS_ERROR, AT_FDCWD, disk.at))
		die("FAN_FS_ERROR");
	return true;
}

static uint64_t run_error(const struct scenario *s)
{
	struct pollfd p = { listener, POLLIN };
	uint64_t start = ticks();

	disk_error(&disk, 0);
	if (poll(&p, 1, -1) != 1)
		die("poll");
	return ticks() - start;
}

/* Wait until the previous error no longer has an effect */
static void prepare_error(const struct scenario *s)
{
	usleep(PERIOD_USEC);
	if (s->minus)
		empty(s);
}

static void with_error(const struct scenario *s)
{
	usleep(PERIOD_USEC);
	empty(s);
	run_error(s);
}

#define MOUNTS(HOW)							\
	{ "near-mount-" #HOW "-produce", .minus = "near-mount-unheard",	\
	  .setup = setup_mounts_ ## HOW, .prepare = empty,		\
	  .run = run_mounts, .ops = BATCH / 2 },			\
	{ "near-mount-" #HOW "-consume",				\
	  .setup = setup_mounts_ ## HOW, .prepare = with_mounts,	\
	  .run = run_consume, .ops = 1 },				\
	{ "near-mount-" #HOW "-consume-b128",				\
	  .setup = setup_mounts_ ## HOW, .prepare = with_mounts,	\
	  .run = run_consume, .ops = BATCH }
#define ERRORS(HOW)							\
	{ "near-error-" #HOW "-produce", .minus = "near-error-unheard",	\
	  .setup = setup_errors_ ## HOW, .prepare = prepare_error,	\
	  .run = run_error, .ops = 1, .median = true },			\
	{ "near-error-" #HOW "-consume",				\
	  .setup = setup_errors_ ## HOW, .prepare = with_error,		\
	  .run = run_consume, .ops = 1 }

struct group fanotify_rows(void)
{
	static const struct scenario rows[] = {
		{ "near-mount-unheard", .setup = setup_mounts,
		  .run = run_mounts, .ops = BATCH / 2 },
		MOUNTS(queue), MOUNTS(fanotify),
		{ "near-error-unheard", .setup = setup_errors,
		  .prepare = prepare_error, .run = run_error, .ops = 1, .median = true },
		ERRORS(queue), ERRORS(fanotify),
	};

	return GROUP(rows);
}

#else

struct group fanotify_rows(void)
{
	return (struct group){ };
}

#endif /* FAN_REPORT_MNT */
