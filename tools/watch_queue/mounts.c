// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: paths and options of mounts
 *
 * statmount() fails for a mount that is gone, so the last path of each mount is
 * cached.  Queued records may be about mounts that are gone.  Therefore an entry is
 * not freed before the queue is empty.  As the queue may never be empty, MAX_GONE such
 * entries are freed, too.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "watchq.h"

#ifndef __NR_statmount
#define __NR_statmount	457
#define __NR_listmount	458
#endif

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE	0x4000
#endif

/* Linux 6.13; the offset of the string follows mnt_ns_id and another offset */
#ifndef STATMOUNT_SB_SOURCE
#define STATMOUNT_SB_SOURCE	0x200U
#endif
#define SB_SOURCE_OFFSET	(offsetof(struct statmount, mnt_ns_id) + 12)

#define NR_CHAINS	1024
#define MAX_GONE	8192	/* as many as the records of a large queue */

static struct mount *chains[NR_CHAINS];
static bool tracked;			/* unmounts and moves are reported by events */
static unsigned int nr_gone;

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
	nr_gone -= mount->gone;
	free(mount);
}

/* Append a string at *@end, and return the copy */
static const char *append(char **end, const char *text)
{
	char *copy = *end;

	*end = stpcpy(copy, text) + 1;
	return copy;
}

#define MAX_FLAGS	128		/* length of all names in append_options() */

/* Append the options of the mount and of its filesystem, in the format of findmnt */
static const char *append_options(char **end, const struct statmount *stat)
{
	static const struct {
		unsigned int attr, flag;	/* of the mount, of the filesystem */
		const char *name;
	} flags[] = {
		{ MOUNT_ATTR_NOSUID, 0, ",nosuid" },
		{ MOUNT_ATTR_NODEV, 0, ",nodev" },
		{ MOUNT_ATTR_NOEXEC, 0, ",noexec" },
		{ MOUNT_ATTR_NOATIME, 0, ",noatime" },
		{ MOUNT_ATTR_NODIRATIME, 0, ",nodiratime" },
		{ MOUNT_ATTR_NOSYMFOLLOW, 0, ",nosymfollow" },
		{ MOUNT_ATTR_IDMAP, 0, ",idmapped" },
		{ 0, MS_SYNCHRONOUS, ",sync" },
		{ 0, MS_DIRSYNC, ",dirsync" },
		{ 0, MS_LAZYTIME, ",lazytime" },
	};
	bool rdonly = stat->mnt_attr & MOUNT_ATTR_RDONLY || stat->sb_flags & MS_RDONLY;
	char *options = *end, *p = stpcpy(options, rdonly ? "ro" : "rw");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (stat->mnt_attr & flags[i].attr || stat->sb_flags & flags[i].flag)
			p = stpcpy(p, flags[i].name);
	if ((stat->mnt_attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR_RELATIME)
		p = stpcpy(p, ",relatime");
	if (stat->str[stat->mnt_opts])
		*p++ = ',';
	stpcpy(p, stat->str + stat->mnt_opts);
	unescape(p);
	*end = p + strlen(p) + 1;
	return options;
}

/* A kernel that does not report the source has 0, the offset of an empty string */
static const char *source_of(const struct statmount *stat)
{
	unsigned int offset;

	memcpy(&offset, (const char *)stat + SB_SOURCE_OFFSET, sizeof(offset));
	return stat->str + (stat->mask & STATMOUNT_SB_SOURCE ? offset : 0);
}

static void cache_mount(unsigned long long id, const struct statmount *stat)
{
	const char *source = source_of(stat);
	struct mount **p = find(id), *mount;
	char *end;

	/* The strings, each with a 0 byte */
	mount = malloc(sizeof(*mount) + MAX_FLAGS + stat->size - sizeof(*stat) + 4);
	if (!mount)
		die(EXIT_FAILED, "out of memory");
	if (*p)
		uncache_mount(p);
	mount->id = id;
	mount->gone = !tracked;
	nr_gone += mount->gone;
	end = stpcpy(mount->path, stat->str + stat->mnt_point) + 1;
	mount->fs_root = append(&end, stat->str + stat->mnt_root);
	mount->options = append_options(&end, stat);
	mount->fs_source = *source ? append(&end, source) : NULL;
	mount->next = *chain(id);
	*chain(id) = mount;
}

static void query_mount(unsigned long long id, unsigned long long ns)
{
	static union {
		struct statmount mount;
		char bytes[sizeof(struct statmount) + MAX_MOUNT_TEXT];
	} stat;
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER1,
		.mnt_id = id,
		.mnt_ns_id = ns,
		.param = STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | STATMOUNT_MNT_ROOT |
			 STATMOUNT_MNT_POINT | STATMOUNT_MNT_OPTS | STATMOUNT_SB_SOURCE,
	};

	/* The path is empty if the mount is not reachable from the root directory */
	if (!syscall(__NR_statmount, &req, &stat, sizeof(stat), 0) &&
	    stat.mount.str[stat.mount.mnt_point])
		cache_mount(id, &stat.mount);
}

const struct mount *mount_cached(unsigned long long id)
{
	return *find(id);
}

const struct mount *mount_find(unsigned long long id, unsigned long long ns)
{
	query_mount(id, ns);
	return mount_cached(id);
}

static void set_gone(struct mount *mount)
{
	nr_gone += !mount->gone;
	mount->gone = true;
}

void mount_gone(unsigned long long id)
{
	struct mount **p = find(id);

	if (*p)
		set_gone(*p);
}

void mounts_forget(bool events)
{
	struct mount *mount;
	size_t i;

	tracked = events;
	for (i = 0; i < NR_CHAINS; i++)
		for (mount = chains[i]; mount; mount = mount->next)
			set_gone(mount);
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

	if (!nr_gone)
		return;
	if (nr_gone < MAX_GONE && (ioctl(queue, FIONREAD, &bytes) || bytes))
		return;
	for (i = 0; i < NR_CHAINS; i++) {
		for (p = &chains[i]; *p; ) {
			if ((*p)->gone)
				uncache_mount(p);
			else
				p = &(*p)->next;
		}
	}
}

/*
 * Filesystems
 */

void unescape(char *text)
{
	unsigned int c;
	char *to;

	for (to = text; *text; text++) {
		if (*text == '\\' && strspn(text + 1, "01234567") >= 3 &&
		    sscanf(text + 1, "%3o", &c) == 1 && c > 0 && c <= 0xff) {
			text += 3;
			*to++ = c;
		} else {
			*to++ = *text;
		}
	}
	*to = 0;
}

/* The lines of /proc/self/mountinfo */
static struct place {
	unsigned int major, minor;	/* of the filesystem */
	bool whole;			/* not only a directory of the filesystem */
	char *path;
} *places;
static size_t nr_places;
static bool places_read;

/* The fields end at a space.  Other white space in a path, such as \v, is not escaped. */
static void add_place(const char *line)
{
	struct place place, *larger;
	const char *path;
	int root;
	size_t len;

	if (sscanf(line, "%*d %*d %u:%u %n", &place.major, &place.minor, &root) != 2)
		return;
	path = strchr(line + root, ' ');
	if (!path)
		return;
	len = strcspn(++path, " ");
	if (len >= MAX_MOUNT_TEXT)
		return;
	place.whole = !strncmp(line + root, "/ ", 2);
	place.path = strndup(path, len);
	larger = reallocarray(places, nr_places + 1, sizeof(*places));
	if (!larger || !place.path)
		die(EXIT_FAILED, "out of memory");
	places = larger;
	unescape(place.path);
	places[nr_places++] = place;
}

static void read_places(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0)
		add_place(line);
	free(line);
	if (file)
		fclose(file);
	places_read = true;
}

void mount_paths_forget(void)
{
	while (nr_places)
		free(places[--nr_places].path);
	places_read = false;
}

/* A mount of the whole filesystem is preferred to a mount of a directory in it */
const char *mount_path_of(unsigned int major, unsigned int minor)
{
	const char *path = NULL;
	const struct place *p;

	if (!places_read)
		read_places();
	for (p = places; p < places + nr_places; p++) {
		if (p->major != major || p->minor != minor)
			continue;
		if (p->whole)
			return p->path;
		if (!path)
			path = p->path;
	}
	return path;
}

static bool stat_filesystem(int fd, struct statmount *mount)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.param = STATMOUNT_SB_BASIC,
	};
	struct statx stat;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &stat) ||
	    !(stat.stx_mask & STATX_MNT_ID_UNIQUE))
		return false;
	req.mnt_id = stat.stx_mnt_id;
	return !syscall(__NR_statmount, &req, mount, sizeof(*mount), 0) &&
	       mount->mask & STATMOUNT_SB_BASIC;
}

/* The device number in stat() may be that of a btrfs subvolume */
unsigned long long filesystem_of(int fd)
{
	struct statmount mount;

	if (!stat_filesystem(fd, &mount))
		return 0;
	return makedev(mount.sb_dev_major, mount.sb_dev_minor);
}

/* fstatfs() would wait for the server of a network filesystem */
bool is_automount_point(int fd)
{
	struct statmount mount;

	return stat_filesystem(fd, &mount) && mount.sb_magic == AUTOFS_SUPER_MAGIC;
}

bool is_mount_root(int fd)
{
	struct statx stat;

	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stat) &&
	       stat.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/*
 * A file of another type is not opened: that may have side effects.  statfs() would
 * trigger an automount, and wait for the server of a network filesystem.
 */
int open_namespace(int fd, unsigned long long *id)
{
	static const char start[] = "mnt:[";
	char path[64], link[sizeof(start) - 1];
	struct statmount mount;
	int namespace;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((readlink(path, link, sizeof(link)) != sizeof(link) ||
	     memcmp(link, start, sizeof(link))) &&
	    /* A file on which a namespace is mounted has another name */
	    (!stat_filesystem(fd, &mount) || mount.sb_magic != NSFS_MAGIC))
		return -1;
	namespace = open(path, O_RDONLY | O_CLOEXEC);
	if (namespace < 0 || !ioctl(namespace, NS_GET_MNTNS_ID, id))
		return namespace;
	close(namespace);
	return -1;
}
