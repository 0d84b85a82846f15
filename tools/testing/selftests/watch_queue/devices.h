/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch queue test helpers: the watch on devices, and the uevents of netlink
 */
#ifndef _SELFTESTS_WATCH_QUEUE_DEVICES_H
#define _SELFTESTS_WATCH_QUEUE_DEVICES_H

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "reader.h"

static inline int device_watch(struct reader *q, __u32 id)
{
	return queue_watch(q->fd, WATCH_TYPE_DEVICE_NOTIFY, -1, id, 0);
}

static inline int device_unwatch(struct reader *q, __u32 id)
{
	return queue_unwatch_id(q->fd, WATCH_TYPE_DEVICE_NOTIFY, id);
}

/* The harness cannot take the type of a bit-field */
static inline __u32 subtype(const union watch_record *r)
{
	return r->watch.subtype;
}

static inline const char *subsystem(const union watch_record *r)
{
	return watch_record_subsystem(r);
}

/* The last component of the path */
static inline const char *name(const union watch_record *r)
{
	const char *slash = strrchr(watch_record_devpath(r), '/');

	return slash ? slash + 1 : watch_record_devpath(r);
}

/* Inode number of a directory, given by its path below /sys; 0 if there is none */
static inline __u64 sysfs_ino(const char *devpath)
{
	char path[4096];
	struct statx st;

	/* A 32-bit stat() has no room for the number */
	snprintf(path, sizeof(path), "/sys%s", devpath);
	return statx(AT_FDCWD, path, 0, STATX_INO, &st) ? 0 : st.stx_ino;
}

/* True if the record has the path, or the end of the path and the flag for that */
static inline bool has_devpath(const union watch_record *r, const char *path)
{
	const char *got = watch_record_devpath(r);
	size_t len = strlen(path), got_len = strlen(got);

	if (!(r->watch.info & NOTIFY_DEVICE_TRUNCATED))
		return !strcmp(got, path);
	return got_len < len && !strcmp(got, path + len - got_len);
}

/* Opens a socket for the uevents of this network namespace */
static inline int uevents(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Value of a variable of a uevent, "" if it has none */
static inline const char *value(const char *event, size_t len, const char *variable)
{
	const char *p;

	for (p = event; p < event + len; p += strlen(p) + 1)
		if (!strncmp(p, variable, strlen(variable)) && p[strlen(variable)] == '=')
			return p + strlen(variable) + 1;
	return "";
}

static const char * const uevent_actions[] = {
	[NOTIFY_DEVICE_ADD]	= "add",
	[NOTIFY_DEVICE_REMOVE]	= "remove",
	[NOTIFY_DEVICE_CHANGE]	= "change",
	[NOTIFY_DEVICE_MOVE]	= "move",
	[NOTIFY_DEVICE_ONLINE]	= "online",
	[NOTIFY_DEVICE_OFFLINE]	= "offline",
	[NOTIFY_DEVICE_BIND]	= "bind",
	[NOTIFY_DEVICE_UNBIND]	= "unbind",
};

/* True if the next uevent has the same content as the record */
static inline bool same_uevent(int socket, const union watch_record *r)
{
	char event[4096];
	int len = recv(socket, event, sizeof(event) - 1, 0);

	if (len < 0)
		return false;
	event[len] = 0;
	if (r->watch.type == WATCH_TYPE_DEVICE_NOTIFY &&
	    r->watch.subtype < ARRAY_SIZE(uevent_actions) &&
	    !strcmp(value(event, len, "ACTION"), uevent_actions[r->watch.subtype]) &&
	    strtoull(value(event, len, "SEQNUM"), NULL, 10) == r->device.seqnum &&
	    strtoul(value(event, len, "MAJOR"), NULL, 10) == r->device.dev_major &&
	    strtoul(value(event, len, "MINOR"), NULL, 10) == r->device.dev_minor &&
	    !strcmp(value(event, len, "SUBSYSTEM"), subsystem(r)) &&
	    has_devpath(r, value(event, len, "DEVPATH")) &&
	    !*value(event, len, "SYNTH_UUID") ==
	    !(r->watch.info & NOTIFY_DEVICE_SYNTHETIC))
		return true;
	print_record(1, r);
	ksft_print_msg("number %llu of %s %s, but the uevent is %s, number %s\n",
		       r->device.seqnum, subsystem(r), watch_record_devpath(r), event,
		       value(event, len, "SEQNUM"));
	return false;
}

#endif
