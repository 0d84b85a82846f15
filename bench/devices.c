// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost of block and device notifications, with and without a watch: a successful read
 * from a disk with a request-based driver and from one with a bio-based driver, and a
 * uevent.
 */
#include "bench.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DISK_BLOCK	4096

static int disk, uevent;

static bool watch(unsigned int type, int fd)
{
	struct watch_queue_watch args = { .type = type, .fd = fd };

	return open_queue(queue, 256) && !ioctl(queue[0], IOC_WATCH_QUEUE_ADD_WATCH, &args);
}

static bool open_disk(const char *path)
{
	disk = keep(open(path, O_RDONLY | O_DIRECT | O_CLOEXEC));
	return true;
}

static bool setup_request(const struct scenario *s)
{
	return open_disk("/dev/nullb0");
}

static bool setup_request_watched(const struct scenario *s)
{
	return setup_request(s) && watch(WATCH_TYPE_BLOCK_NOTIFY, disk);
}

static bool setup_bio(const struct scenario *s)
{
	return open_disk("/dev/ram0");
}

static bool setup_bio_watched(const struct scenario *s)
{
	return setup_bio(s) && watch(WATCH_TYPE_BLOCK_NOTIFY, disk);
}

static uint64_t run_read(const struct scenario *s)
{
	static char block[DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		if (pread(disk, block, DISK_BLOCK, 0) != DISK_BLOCK)
			die(s->name);
	return ticks() - start;
}

static bool setup_uevent(const struct scenario *s)
{
	uevent = keep(open(UEVENT, O_WRONLY | O_CLOEXEC));
	return true;
}

static bool setup_uevent_watched(const struct scenario *s)
{
	return setup_uevent(s) && watch(WATCH_TYPE_DEVICE_NOTIFY, -1);
}

static void prepare_uevent_watched(const struct scenario *s)
{
	drain(queue[0]);
}

static uint64_t run_uevent(const struct scenario *s)
{
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		if (write(uevent, "change", 6) != 6)
			die(s->name);
	return ticks() - start;
}

struct group device_rows(void)
{
	static const struct scenario rows[] = {
		{ "disk-request", .setup = setup_request, .run = run_read, .ops = BATCH },
		{ "disk-request-watched", .minus = "disk-request",
		  .setup = setup_request_watched, .run = run_read, .ops = BATCH },
		{ "disk-bio", .setup = setup_bio, .run = run_read, .ops = BATCH },
		{ "disk-bio-watched", .minus = "disk-bio",
		  .setup = setup_bio_watched, .run = run_read, .ops = BATCH },
		{ "uevent", .setup = setup_uevent, .run = run_uevent, .ops = BATCH },
		{ "uevent-watched", .minus = "uevent", .setup = setup_uevent_watched,
		  .prepare = prepare_uevent_watched, .run = run_uevent, .ops = BATCH },
	};

	return GROUP(rows);
}
