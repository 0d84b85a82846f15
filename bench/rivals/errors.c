// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes with errors of filesystems
 */
#include "rivals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "disks.h"

void ext4_error(const struct disk *d)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/trigger_fs_error", d->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "rivals", 6) != 6)
		die(path);
	close(fd);
}

/* Reads every second block, as the monitor merges adjacent ones */
static void errors(const struct disk *d, int nr)
{
	for (int i = 0; i < nr; i++)
		disk_error(d, 2 * i);
}

/* A reader that does not read before the last error */
static void burst(struct disk *d)
{
	struct reader r[NR_READERS];

	watch_fs(r, d->at);
	errors(d, NR_ERRORS);
	settle(r);
	ROW("burst", NR_ERRORS, r, stands_for);
	ROW("burst-events", NR_ERRORS, r, got);
	ROW("burst-ranges", NR_ERRORS, r, ranges);
	ROW("burst-handles", NR_ERRORS, r, handles);
	ROW("burst-lost", NR_ERRORS, r, lost);
	/* The monitor reports a loss together with the next event */
	errors(d, 1);
	settle(r);
	ROW("burst-and-one", NR_ERRORS + 1, r, stands_for);
	close_all(r);
}

/* A reader that reads each error before the next one */
static void awake(struct disk *d)
{
	struct reader r[NR_READERS];

	watch_fs(r, d->at);
	for (int i = 0; i < NR_ERRORS; i++) {
		struct pollfd p[] = {
			{ r[FANOTIFY].fd, POLLIN }, { r[HEALTH].fd, POLLIN },
		};

		errors(d, 1);
		for (int j = 0; j < 2; j++)
			if (p[j].fd >= 0 && poll(&p[j], 1, -1) != 1)
				die("poll");
		take_all(r);
	}
	settle(r);
	ROW("awake", NR_ERRORS, r, stands_for);
	ROW("awake-events", NR_ERRORS, r, got);
	close_all(r);
}

/* Errors in metadata */
static void metadata(struct disk *d)
{
	struct reader r[NR_READERS];

	watch_fs(r, d->at);
	for (int i = 0; i < NR_ERRORS; i++)
		ext4_error(d);
	settle(r);
	ROW("metadata", NR_ERRORS, r, stands_for);
	close_all(r);
}

/* A block that cannot be written back */
static void writeback(struct disk *d, const char *name)
{
	struct reader r[NR_READERS];

	watch_fs(r, d->at);
	disk_dirty(d);
	settle(r);
	ROW(name, 1, r, got);
	close_all(r);
}

/* An error of a filesystem that is mounted after the watches were added */
static void later(struct disk *first, struct disk *second)
{
	struct reader r[NR_READERS];

	watch_all_fs(r, first->at);
	open_disk(second);
	reset(r);
	disk_fail(second, true);
	errors(second, 1);
	settle(r);
	ROW("later-filesystem", 1, r, got);
	close_all(r);
}

void errors_scenes(void)
{
	struct disk xfs = XFS_DISK("xfs"), ext4 = EXT4_DISK("ext4");

	open_disk(&xfs);
	disk_fail(&xfs, true);
	burst(&xfs);
	awake(&xfs);
	later(&xfs, &ext4);
	metadata(&ext4);
	writeback(&xfs, "writeback-xfs");
	writeback(&ext4, "writeback-ext4");
	disk_close(&ext4);
	disk_close(&xfs);
}
