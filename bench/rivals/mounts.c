// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes with mounts
 */
#include "rivals.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/mount.h>
#include <linux/stat.h>

#define PLACE	"/tmp/rivals"
#define TARGET	PLACE "/target"

static void mount_tmpfs(const char *at)
{
	if (mkdir(at, 0755) && errno != EEXIST)
		die(at);
	if (mount("rivals", at, "tmpfs", 0, NULL))
		die(at);
}

/* statx() of the kernel's header, as that of the C library may be older */
static uint64_t mount_id(const char *path)
{
	struct statx st;

	if (syscall(__NR_statx, AT_FDCWD, path, 0, STATX_MNT_ID_UNIQUE, &st))
		die("statx");
	return st.stx_mnt_id;
}

/* Readers for events about the mount at @path */
static void watch_mount(struct reader *r, const char *path)
{
	watch_mount_events(r);
	for (int i = 0; i < NR_READERS; i++)
		r[i].t.mount = mount_id(path);
}

static void many(void)
{
	struct reader r[NR_READERS];
	char path[64];

	watch_mount_events(r);
	for (int i = 0; i < NR_MOUNTS; i++) {
		snprintf(path, sizeof(path), PLACE "/%d", i);
		if (mkdir(path, 0755) || mount(PLACE, path, NULL, MS_BIND, NULL))
			die(path);
	}
	settle(r);
	ROW("mounts", NR_MOUNTS, r, stands_for);
	ROW("mounts-events", NR_MOUNTS, r, got);
	ROW("mounts-lost", NR_MOUNTS, r, lost);
	ROW("mounts-loss-without-count", 0, r, unknown);
	close_all(r);
}

static void moved(void)
{
	struct reader r[NR_READERS];

	mount_tmpfs(TARGET);
	watch_mount(r, TARGET);
	if (mkdir(PLACE "/to", 0755) || mount(TARGET, PLACE "/to", NULL, MS_MOVE, NULL))
		die("move");
	settle(r);
	ROW("move", 1, r, about_mount);
	ROW("move-parents", 1, r, parents);
	close_all(r);
	if (umount(PLACE "/to"))
		die("umount");
}

static int detached_tmpfs(void)
{
	int context = fsopen("tmpfs", FSOPEN_CLOEXEC), fd;

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		die("fsconfig");
	fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		die("fsmount");
	close(context);
	return fd;
}

/* The mount at TARGET gets another parent, because one is mounted beneath it */
static void rehung(void)
{
	struct reader r[NR_READERS];
	int fd = detached_tmpfs();

	mount_tmpfs(TARGET);
	watch_mount(r, TARGET);
	if (move_mount(fd, "", AT_FDCWD, TARGET,
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH))
		die("MOVE_MOUNT_BENEATH");
	close(fd);
	settle(r);
	ROW("beneath", 1, r, about_mount);
	close_all(r);
	if (umount(TARGET) || umount(TARGET))
		die("umount");
}

static void set_attribute(uint64_t set, uint64_t clear)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

	if (syscall(__NR_mount_setattr, AT_FDCWD, TARGET, 0, &attr, sizeof(attr)))
		die("mount_setattr");
}

static void attributes(void)
{
	struct reader r[NR_READERS];

	mount_tmpfs(TARGET);
	watch_mount(r, TARGET);
	set_attribute(MOUNT_ATTR_NOSUID, 0);
	set_attribute(0, MOUNT_ATTR_NOSUID);
	set_attribute(MOUNT_ATTR_RDONLY, 0);
	set_attribute(0, MOUNT_ATTR_RDONLY);
	settle(r);
	ROW("attributes", 4, r, about_mount);
	close_all(r);
}

static void propagation(void)
{
	struct reader r[NR_READERS];

	watch_mount(r, TARGET);
	if (mount(NULL, TARGET, NULL, MS_SHARED, NULL) ||
	    mount(NULL, TARGET, NULL, MS_PRIVATE, NULL) ||
	    mount(NULL, TARGET, NULL, MS_UNBINDABLE, NULL))
		die("propagation");
	settle(r);
	ROW("propagation", 3, r, about_mount);
	close_all(r);
}

void mounts_scenes(void)
{
	mount_tmpfs(PLACE);
	moved();
	rehung();
	attributes();
	propagation();
	many();
	if (umount2(PLACE, MNT_DETACH))
		die(PLACE);
}
