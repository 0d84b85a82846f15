// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keep a table of the mounts of this mount namespace, and print a line for each change:
 * "+" for a new mount, "-" for one that was unmounted, "~" for one with another path.
 *
 * The program watches the namespace, lists the mounts with listmount(), and applies the
 * records.  After a loss it lists the mounts again and continues.  Its watch stays in
 * place, and the table is compared, so the differences that the lost records would have
 * reported are printed, too.  This needs no privilege.
 *
 * See Documentation/userspace-api/watch_queue/mounts.rst.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/mount.h>

#include "watch_records.h"

#ifndef __NR_statmount
#define __NR_statmount	457
#define __NR_listmount	458
#endif

struct mount {
	__u64 id;		/* not reused for another mount */
	char *path;
	bool listed;		/* by the present listmount() */
};

static struct mount *mounts;
static size_t nr_mounts;
static bool started;		/* print changes */

static struct mount *find_mount(__u64 id)
{
	size_t i;

	for (i = 0; i < nr_mounts; i++)
		if (mounts[i].id == id)
			return &mounts[i];
	return NULL;
}

/* A copy of the path of a mount, or NULL if it is unmounted or cannot be reached */
static char *query_path(__u64 id)
{
	static union {
		struct statmount mount;
		char bytes[sizeof(struct statmount) + PATH_MAX];
	} buf;
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.mnt_id = id,
		.param = STATMOUNT_MNT_POINT,
	};
	const char *path = "(long path)";
	char *copy;

	if (!syscall(__NR_statmount, &req, &buf, sizeof(buf), 0))
		path = buf.mount.str + buf.mount.mnt_point;
	else if (errno == ENOENT || errno == EPERM)
		return NULL;
	else if (errno != EOVERFLOW)
		err(1, "statmount");
	/* The mount is not reachable from the root directory */
	if (!*path)
		return NULL;
	copy = strdup(path);
	if (!copy)
		err(1, "strdup");
	return copy;
}

static void print_change(char what, const struct mount *mount)
{
	if (started)
		printf("%c %s\n", what, mount->path);
}

static struct mount *add_mount(__u64 id, char *path)
{
	struct mount *mount;

	mounts = reallocarray(mounts, nr_mounts + 1, sizeof(*mounts));
	if (!mounts)
		err(1, "reallocarray");
	mount = &mounts[nr_mounts++];
	*mount = (struct mount){ .id = id, .path = path };
	print_change('+', mount);
	return mount;
}

/* A record may report a change that is already in the table */
static struct mount *update_mount(__u64 id)
{
	struct mount *mount = find_mount(id);
	char *path = query_path(id);

	if (!path)
		return NULL;
	if (!mount)
		return add_mount(id, path);
	if (strcmp(path, mount->path)) {
		free(mount->path);
		mount->path = path;
		print_change('~', mount);
	} else {
		free(path);
	}
	return mount;
}

/* The order of the table is that of listmount() */
static void remove_mount(struct mount *mount)
{
	print_change('-', mount);
	free(mount->path);
	nr_mounts--;
	memmove(mount, mount + 1, (mounts + nr_mounts - mount) * sizeof(*mount));
}

/* Read the state again, and compare it with the table */
static void list_mounts(void)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.mnt_id = LSMT_ROOT,
	};
	struct mount *mount;
	__u64 ids[256];
	long nr, i;

	for (i = 0; i < (long)nr_mounts; i++)
		mounts[i].listed = false;
	do {
		nr = syscall(__NR_listmount, &req, ids, 256, 0);
		if (nr < 0)
			err(1, "listmount");
		for (i = 0; i < nr; i++) {
			mount = update_mount(ids[i]);
			if (mount)
				mount->listed = true;
			/* The next call continues after this one */
			req.param = ids[i];
		}
	} while (nr);
	for (i = nr_mounts - 1; i >= 0; i--)
		if (!mounts[i].listed)
			remove_mount(&mounts[i]);
}

static void handle_record(const union watch_record *rec)
{
	unsigned int lost = watch_record_lost(rec);
	struct mount *mount;

	if (lost) {
		printf("%u%s records lost: listing the mounts\n", lost,
		       lost == 0xffff ? " or more" : "");
		list_mounts();
		return;
	}
	if (rec->watch.type != WATCH_TYPE_MOUNT_NOTIFY)
		return;
	switch (rec->watch.subtype) {
	case NOTIFY_MOUNT_NEW:
		update_mount(rec->mount.mnt_id);
		break;
	case NOTIFY_MOUNT_UNMOUNT:
		mount = find_mount(rec->mount.mnt_id);
		if (mount)
			remove_mount(mount);
		break;
	case NOTIFY_MOUNT_MOVE_TO:
	case NOTIFY_MOUNT_ROOT:
		/* The mounts below have new paths, too */
		list_mounts();
		break;
	}
}

static int open_queue(unsigned long size)
{
	struct watch_queue_watch watch = { .type = WATCH_TYPE_MOUNT_NOTIFY, .id = 1 };
	int fds[2];

	if (pipe2(fds, O_NOTIFICATION_PIPE | O_CLOEXEC))
		err(1, "cannot create a notification queue");
	if (ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, size))
		err(1, "IOC_WATCH_QUEUE_SET_SIZE");
	watch.fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (watch.fd < 0)
		err(1, "/proc/self/ns/mnt");
	if (ioctl(fds[0], IOC_WATCH_QUEUE_ADD_WATCH, &watch))
		err(1, "cannot watch the mount namespace");
	close(watch.fd);
	close(fds[1]);
	return fds[0];
}

int main(int argc, char **argv)
{
	struct watch_records records;
	unsigned long size = 256;
	union watch_record rec;
	char buf[4096];
	int queue, ret;
	ssize_t len;

	if (argc == 3 && !strcmp(argv[1], "-n"))
		size = strtoul(argv[2], NULL, 10);
	else if (argc > 1)
		errx(2, "Usage: watch_mounts [-n SIZE]   (records in the queue, default 256)");

	/* The watch comes first, so no change is missed */
	queue = open_queue(size);
	list_mounts();
	started = true;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("watching");

	while ((len = read(queue, buf, sizeof(buf))) > 0) {
		records = (struct watch_records){ .next = buf, .left = len };
		while ((ret = watch_record_next(&records, &rec)) > 0)
			handle_record(&rec);
		if (ret < 0)
			errx(1, "malformed record");
	}
	if (len < 0)
		err(1, "read");
	return 0;
}
