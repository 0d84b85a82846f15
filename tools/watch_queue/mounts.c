// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: paths of mounts
 *
 * statmount() fails for a mount that is gone, so the last path of each mount is
 * cached.  Queued records may be about mounts that are gone.  Therefore an entry is
 * not freed before the queue is empty.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "watchq.h"

#ifndef __NR_statmount
#define __NR_statmount	457
#define __NR_listmount	458
#endif

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE	0x4000
#endif

#define NR_CHAINS	1024

static struct mount *chains[NR_CHAINS];
static bool tracked;			/* unmounts and moves are reported by events */
static bool any_gone;

static struct mount **chain(unsigned long long id)
{
	return &chains[id % NR_CHAINS];
}

static struct mount **find(unsigned long long id)
{
	struct mount **p;

	for (p = chain(id); *p && (*p)->id != id; p = &(*p)->next)
		;
	return p;
}

static void uncache_mount(struct mount **p)
{
	struct mount *mount = *p;

	*p = mount->next;
	free(mount);
}

static void cache_mount(unsigned long long id, const char *path)
{
	struct mount *mount = malloc(sizeof(*mount) + strlen(path) + 1);
	struct mount **p = find(id);

	if (!mount)
		die(EXIT_FAILED, "out of memory");
	if (*p)
		uncache_mount(p);
	mount->id = id;
	mount->gone = !tracked;
	any_gone |= mount->gone;
	stpcpy(mount->path, path);
	mount->next = *chain(id);
	*chain(id) = mount;
}

static void query_mount(unsigned long long id, unsigned long long ns)
{
	static union {
		struct statmount mount;
		char bytes[sizeof(struct statmount) + 8192];
	} stat;
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER1,
		.mnt_id = id,
		.mnt_ns_id = ns,
		.param = STATMOUNT_MNT_POINT,
	};

	/* The path is empty if the mount is not reachable from the root directory */
	if (!syscall(__NR_statmount, &req, &stat, sizeof(stat), 0) &&
	    stat.mount.str[stat.mount.mnt_point])
		cache_mount(id, stat.mount.str + stat.mount.mnt_point);
}

const struct mount *mount_find(unsigned long long id, unsigned long long ns)
{
	query_mount(id, ns);
	return *find(id);
}

void mount_gone(unsigned long long id)
{
	struct mount **p = find(id);

	if (!*p)
		return;
	(*p)->gone = true;
	any_gone = true;
}

void mounts_forget(bool events)
{
	struct mount *mount;
	size_t i;

	tracked = events;
	for (i = 0; i < NR_CHAINS; i++)
		for (mount = chains[i]; mount; mount = mount->next)
			mount->gone = true;
	any_gone = true;
}

void mounts_read(unsigned long long ns)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER1,
		.mnt_id = LSMT_ROOT,
		.mnt_ns_id = ns,
	};
	unsigned long long ids[256];
	size_t i;
	long nr;

	if (!tracked)
		return;
	do {
		nr = syscall(__NR_listmount, &req, ids, ARRAY_SIZE(ids), 0);
		for (i = 0; nr > 0 && i < (size_t)nr; i++)
			query_mount(ids[i], ns);
		if (nr > 0)
			req.param = ids[nr - 1];
	} while (nr == ARRAY_SIZE(ids));
}

void mounts_settle(int queue)
{
	struct mount **p;
	int bytes;
	size_t i;

	if (!any_gone || ioctl(queue, FIONREAD, &bytes) || bytes)
		return;
	for (i = 0; i < NR_CHAINS; i++) {
		for (p = &chains[i]; *p; ) {
			if ((*p)->gone)
				uncache_mount(p);
			else
				p = &(*p)->next;
		}
	}
	any_gone = false;
}

/*
 * Filesystems
 */

/* Decode the octal numbers of /proc/self/mountinfo */
static void unescape(char *path)
{
	unsigned int c;
	char *to;

	for (to = path; *path; path++) {
		if (*path == '\\' && sscanf(path + 1, "%3o", &c) == 1) {
			path += 3;
			*to++ = c;
		} else {
			*to++ = *path;
		}
	}
	*to = 0;
}

/* A mount of the whole filesystem is preferred to a mount of a directory in it */
const char *mount_path_of(unsigned int major, unsigned int minor)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	static char *path;
	char *line = NULL;
	size_t room = 0;
	bool whole;

	free(path);
	path = NULL;
	for (whole = false; file && !whole && getline(&line, &room, file) > 0; ) {
		int root, at, end;
		unsigned int a, b;

		if (sscanf(line, "%*d %*d %u:%u %n%*s %n%*s%n", &a, &b, &root, &at, &end) != 2 ||
		    a != major || b != minor)
			continue;
		whole = !strncmp(line + root, "/ ", 2);
		if (path && !whole)
			continue;
		free(path);
		path = strndup(line + at, end - at);
		if (!path)
			die(EXIT_FAILED, "out of memory");
	}
	free(line);
	if (file)
		fclose(file);
	if (path)
		unescape(path);
	return path;
}

/* The device number in stat() may be that of a btrfs subvolume */
unsigned long long filesystem_of(int fd)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.param = STATMOUNT_SB_BASIC,
	};
	struct statmount mount;
	struct statx stat;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &stat) ||
	    !(stat.stx_mask & STATX_MNT_ID_UNIQUE))
		return 0;
	req.mnt_id = stat.stx_mnt_id;
	if (syscall(__NR_statmount, &req, &mount, sizeof(mount), 0) ||
	    !(mount.mask & STATMOUNT_SB_BASIC))
		return 0;
	return makedev(mount.sb_dev_major, mount.sb_dev_minor);
}

/* A file of another type, such as a FIFO, is not opened: that may have side effects */
int open_namespace(const char *path, unsigned long long *id)
{
	struct statfs fs;
	int fd;

	if (statfs(path, &fs) || fs.f_type != NSFS_MAGIC)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNS && !ioctl(fd, NS_GET_MNTNS_ID, id))
		return fd;
	close(fd);
	return -1;
}
