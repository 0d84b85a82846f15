// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes with a filesystem whose state changes
 */
#include "rivals.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>
#include <linux/fs.h>

#include "disks.h"

#define SHUTDOWN	_IOR('X', 125, uint32_t)	/* ioctl of XFS and ext4 */
#define FLUSH_LOG	1

static void root_ioctl(const struct disk *d, unsigned long cmd, void *arg, const char *what)
{
	int root = open(d->at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 || ioctl(root, cmd, arg))
		die(what);
	close(root);
}

void remount_twice(const struct disk *d)
{
	if (mount(NULL, d->at, NULL, MS_REMOUNT | MS_RDONLY, NULL) ||
	    mount(NULL, d->at, NULL, MS_REMOUNT, NULL))
		die("remount");
}

static void remounted(struct disk *d)
{
	struct reader r[NR_READERS];

	watch_fs(r, d->at);
	remount_twice(d);
	settle(r);
	ROW("remount", 2, r, got);
	close_all(r);
}

static void frozen(struct disk *d)
{
	struct reader r[NR_READERS];

	watch_fs(r, d->at);
	root_ioctl(d, FIFREEZE, NULL, "FIFREEZE");
	root_ioctl(d, FITHAW, NULL, "FITHAW");
	settle(r);
	ROW("freeze", 2, r, got);
	close_all(r);
}

static void shut_down(struct disk *d)
{
	struct reader r[NR_READERS];
	uint32_t flags = FLUSH_LOG;

	watch_fs(r, d->at);
	root_ioctl(d, SHUTDOWN, &flags, "shutdown");
	settle(r);
	ROW("shutdown", 1, r, shutdowns);
	ROW("shutdown-reason", 1, r, reasons);
	close_all(r);
}

/* An error makes the filesystem read-only */
static void forced_rdonly(struct disk *d)
{
	struct reader r[NR_READERS];

	if (mount(NULL, d->at, NULL, MS_REMOUNT, "errors=remount-ro"))
		die("errors=remount-ro");
	watch_fs(r, d->at);
	ext4_error(d);
	settle(r);
	ROW("forced-read-only", 1, r, rdonly);
	close_all(r);
}

void state_scenes(void)
{
	struct disk xfs = XFS_DISK("xfs"), ext4 = EXT4_DISK("ext4");

	open_disk(&xfs);
	close(xfs.fd);		/* would prevent the remount */
	xfs.fd = 0;
	remounted(&xfs);
	frozen(&xfs);
	shut_down(&xfs);
	disk_close(&xfs);
	open_disk(&ext4);
	forced_rdonly(&ext4);
	disk_close(&ext4);
}
