// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#define CONFIGFS	"/sys/kernel/config"
#define EXTENTS		64

static bool set(const struct disk *d, const char *attribute, const char *value)
{
	char path[128];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), CONFIGFS "/nullb/%s/%s", d->name, attribute);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, value, strlen(value)) > 0;
	close(fd);
	return ok;
}

static void must_set(const struct disk *d, const char *attribute, const char *value)
{
	if (!set(d, attribute, value))
		die(attribute);
}

static void directory(const struct disk *d, char *path, size_t size)
{
	snprintf(path, size, CONFIGFS "/nullb/%s", d->name);
}

bool disk_make(const struct disk *d)
{
	char path[128], mib[16];

	if (mount("configfs", CONFIGFS, "configfs", 0, NULL) && errno != EBUSY)
		return false;
	directory(d, path, sizeof(path));
	if (mkdir(path, 0700))
		return false;
	snprintf(mib, sizeof(mib), "%u", d->mib);
	must_set(d, "size", mib);
	must_set(d, "blocksize", "512");
	must_set(d, "memory_backed", "1");
	must_set(d, "irqmode", "0");	/* complete in the context of the read */
	must_set(d, "power", "1");
	return true;
}

static bool make_fs(struct disk *d)
{
	char command[256], device[64];

	snprintf(device, sizeof(device), "/dev/%s", d->name);
	snprintf(command, sizeof(command), "%s %s >/tmp/mkfs.log 2>&1", d->mkfs, device);
	if (system(command)) {
		errno = EIO;
		die(d->mkfs);
	}
	snprintf(d->at, sizeof(d->at), "/tmp/%s", d->name);
	if (mkdir(d->at, 0755) && errno != EEXIST)
		die(d->at);
	if (mount(device, d->at, d->type, 0, NULL)) {
		if (errno == ENODEV)
			return false;
		die(d->at);
	}
	return true;
}

static void *block_of(char fill)
{
	static char *block;

	if (!block && posix_memalign((void **)&block, DISK_BLOCK, DISK_BLOCK))
		die("memory");
	memset(block, fill, DISK_BLOCK);
	return block;
}

static void make_file(struct disk *d)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/file", d->at);
	d->fd = open(path, O_CREAT | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	if (d->fd < 0)
		die(path);
	for (unsigned int i = 0; i < d->blocks; i++)
		if (pwrite(d->fd, block_of('x'), DISK_BLOCK, i * DISK_BLOCK) != DISK_BLOCK)
			die(path);
	if (fsync(d->fd))
		die(path);
}

bool disk_open(struct disk *d)
{
	if (!disk_make(d))
		return false;
	if (!make_fs(d)) {
		disk_close(d);
		return false;
	}
	make_file(d);
	return true;
}

void disk_close(struct disk *d)
{
	char path[128];

	if (d->fd > 0)
		close(d->fd);
	d->fd = 0;
	umount2(d->at, MNT_DETACH);
	directory(d, path, sizeof(path));
	rmdir(path);
}

void disk_spoil(const struct disk *d, const char *range)
{
	must_set(d, "badblocks", range);
}

void disk_fail(const struct disk *d, bool fail)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent[EXTENTS];
	} arg = {
		.map.fm_length = FIEMAP_MAX_OFFSET,
		.map.fm_extent_count = EXTENTS,
	};
	char range[64];

	if (ioctl(d->fd, FS_IOC_FIEMAP, &arg.map))
		die("fiemap");
	if (!arg.map.fm_mapped_extents || arg.map.fm_mapped_extents == EXTENTS) {
		errno = EINVAL;
		die("fiemap");
	}
	for (unsigned int i = 0; i < arg.map.fm_mapped_extents; i++) {
		uint64_t first = arg.extent[i].fe_physical / 512;

		snprintf(range, sizeof(range), "%c%llu-%llu", fail ? '+' : '-',
			 (unsigned long long)first,
			 (unsigned long long)first + arg.extent[i].fe_length / 512 - 1);
		disk_spoil(d, range);
	}
}

void disk_error(const struct disk *d, unsigned int block)
{
	if (pread(d->fd, block_of('y'), DISK_BLOCK, block * DISK_BLOCK) != -1 || errno != EIO) {
		errno = EINVAL;
		die("a bad block could be read");
	}
}

void disk_dirty(const struct disk *d)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "%s/file", d->at);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, block_of('z'), DISK_BLOCK, 0) != DISK_BLOCK)
		die(path);
	if (!fsync(fd) || errno != EIO) {
		errno = EINVAL;
		die("a bad block could be written");
	}
	close(fd);
}
