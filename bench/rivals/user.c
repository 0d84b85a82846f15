// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes with readers that a program without privilege opened
 */
#include "rivals.h"

#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disks.h"

#define USER	65534
#define PLACE	"/tmp/rivals-user"

static void as_user(bool user)
{
	if (seteuid(user ? USER : 0))
		die("seteuid");
}

static void mounts(void)
{
	struct reader r[NR_READERS];

	if (mkdir(PLACE, 0755))
		die(PLACE);
	as_user(true);
	watch_mount_events(r);
	as_user(false);
	if (mount("rivals", PLACE, "tmpfs", 0, NULL))
		die(PLACE);
	settle(r);
	ROW("user-mount", 1, r, got);
	close_all(r);
	if (umount(PLACE))
		die(PLACE);
}

static void watch_fs_as_user(struct reader *r, const struct disk *d)
{
	as_user(true);
	watch_fs(r, d->at);
	as_user(false);
}

static void writeback(struct disk *d)
{
	struct reader r[NR_READERS];

	watch_fs_as_user(r, d);
	disk_fail(d, true);
	disk_dirty(d);
	settle(r);
	ROW("user-writeback", 1, r, got);
	close_all(r);
	disk_fail(d, false);
}

static void remounted(struct disk *d)
{
	struct reader r[NR_READERS];

	watch_fs_as_user(r, d);
	remount_twice(d);
	settle(r);
	ROW("user-remount", 2, r, got);
	close_all(r);
}

void user_scenes(void)
{
	struct disk xfs = XFS_DISK("xfs");

	mounts();
	open_disk(&xfs);
	writeback(&xfs);
	close(xfs.fd);		/* would prevent the remount */
	xfs.fd = 0;
	remounted(&xfs);
	disk_close(&xfs);
}
