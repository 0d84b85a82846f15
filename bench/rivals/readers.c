// SPDX-License-Identifier: GPL-2.0-only
/*
 * The readers: fanotify, the health monitor of XFS, and the queue
 */
#include "rivals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fs.h>
#include <linux/watch_queue.h>

#include "watch_records.h"

/* The header of XFS lacks these types */
#define __user
typedef __u32 prid_t;
typedef __s64 xfs_off_t;
#include "xfs_fs.h"

#define QUIET_MSEC	3000	/* an event that takes longer counts as not reported */

static char buffer[1 << 18] __attribute__((aligned(8)));

/* The interface is not for this program */
static void refuse(struct reader *r, const char *what)
{
	if (errno != EPERM)
		die(what);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->error = EPERM;
}

/*
 * fanotify
 */

static void count_info(struct tally *t, const struct fanotify_event_info_header *info)
{
	const struct fanotify_event_info_error *error = (const void *)info;
	const struct fanotify_event_info_mnt *mnt = (const void *)info;
	const struct fanotify_event_info_fid *fid = (const void *)info;
	const struct file_handle *handle = (const void *)fid->handle;

	switch (info->info_type) {
	case FAN_EVENT_INFO_TYPE_ERROR:
		t->stands_for += error->error_count;
		t->shutdowns += error->error == ESHUTDOWN;
		break;
	case FAN_EVENT_INFO_TYPE_MNT:
		t->stands_for++;
		t->about_mount += mnt->mnt_id == t->mount;
		break;
	case FAN_EVENT_INFO_TYPE_FID:
		/* Empty if the error is not about an inode */
		t->handles += handle->handle_bytes != 0;
		break;
	}
}

static void count_fanotify(struct tally *t, const struct fanotify_event_metadata *event)
{
	const char *end = (const char *)event + event->event_len;
	const struct fanotify_event_info_header *info;

	if (event->mask & FAN_Q_OVERFLOW) {
		t->unknown++;
		return;
	}
	t->got++;
	for (info = (const void *)(event + 1); (const char *)info < end;
	     info = (const void *)((const char *)info + info->len))
		count_info(t, info);
}

static void take_fanotify(struct reader *r)
{
	const struct fanotify_event_metadata *event;
	ssize_t len;

	while ((len = read(r->fd, buffer, sizeof(buffer))) > 0)
		for (event = (void *)buffer; FAN_EVENT_OK(event, len);
		     event = FAN_EVENT_NEXT(event, len))
			count_fanotify(&r->t, event);
	if (errno != EAGAIN)
		die("read from fanotify");
}

static void open_fanotify(struct reader *r, unsigned int flags, unsigned int mark,
			  uint64_t mask, const char *path)
{
	r->take = take_fanotify;
	r->fd = fanotify_init(FAN_CLASS_NOTIF | flags | FAN_NONBLOCK | FAN_CLOEXEC, 0);
	if (r->fd < 0)
		die("fanotify_init");
	if (fanotify_mark(r->fd, FAN_MARK_ADD | mark, mask, AT_FDCWD, path))
		refuse(r, "fanotify_mark");
}

/*
 * Health monitor
 */

static void count_health(struct tally *t, const struct xfs_health_monitor_event *event)
{
	switch (event->type) {
	case XFS_HEALTH_MONITOR_TYPE_RUNNING:
		return;
	case XFS_HEALTH_MONITOR_TYPE_LOST:
		t->lost += event->e.lost.count;
		t->stands_for += event->e.lost.count;
		return;
	case XFS_HEALTH_MONITOR_TYPE_SHUTDOWN:
		t->shutdowns++;
		t->reasons += event->e.shutdown.reasons != 0;
		break;
	}
	t->got++;
	t->stands_for++;
	t->ranges += event->domain == XFS_HEALTH_MONITOR_DOMAIN_FILERANGE;
}

static void take_health(struct reader *r)
{
	const struct xfs_health_monitor_event *event;
	ssize_t len;

	while ((len = read(r->fd, buffer, sizeof(buffer))) > 0)
		for (event = (void *)buffer; (const char *)(event + 1) <= buffer + len;
		     event++)
			count_health(&r->t, event);
	if (len && errno != EAGAIN)
		die("read from the health monitor");
}

static void open_health(struct reader *r, const char *at)
{
	struct xfs_health_monitor arg = { .format = XFS_HEALTH_MONITOR_FMT_V0 };
	int root = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		die(at);
	r->take = take_health;
	r->fd = ioctl(root, XFS_IOC_HEALTH_MONITOR, &arg);
	/* Another filesystem than XFS */
	if (r->fd < 0 && errno != ENOTTY)
		refuse(r, "XFS_IOC_HEALTH_MONITOR");
	if (r->fd >= 0 && fcntl(r->fd, F_SETFL, O_NONBLOCK))
		die("O_NONBLOCK");
	close(root);
}

/*
 * Queue
 */

static void count_sb(struct tally *t, const union watch_record *rec)
{
	switch (rec->watch.subtype) {
	case NOTIFY_SB_ERROR:
	case NOTIFY_SB_WRITEBACK_ERROR:
		t->stands_for += rec->sb_error.suppressed;
		t->ranges += rec->sb_error.length != 0;
		break;
	case NOTIFY_SB_RDONLY:
		t->rdonly++;
		break;
	case NOTIFY_SB_SHUTDOWN:
		t->shutdowns++;
		break;
	}
}

static void count_queue(struct tally *t, const union watch_record *rec)
{
	if (watch_record_is_meta(rec, WATCH_META_LOSS_NOTIFICATION)) {
		t->lost += watch_record_lost(rec);
		t->stands_for += watch_record_lost(rec);
		return;
	}
	/* The state when the watch was added is not an event */
	if (rec->watch.type == WATCH_TYPE_META ||
	    (rec->watch.type == WATCH_TYPE_SB_NOTIFY &&
	     rec->watch.subtype == NOTIFY_SB_STATE))
		return;
	t->got++;
	t->stands_for++;
	if (rec->watch.type == WATCH_TYPE_MOUNT_NOTIFY) {
		t->about_mount += rec->mount.mnt_id == t->mount;
		t->parents += rec->mount.parent_id && rec->mount.old_parent_id;
	} else {
		count_sb(t, rec);
	}
}

static void take_queue(struct reader *r)
{
	struct watch_records from;
	union watch_record rec;
	ssize_t len;

	while ((len = read(r->fd, buffer, sizeof(buffer))) > 0) {
		from = (struct watch_records){ buffer, len };
		while (watch_record_next(&from, &rec) > 0)
			count_queue(&r->t, &rec);
	}
	if (errno != EAGAIN)
		die("read from the queue");
}

static void open_queue(struct reader *r, unsigned int type, int object, unsigned int flags)
{
	struct watch_queue_watch args = {
		.type = type, .fd = object, .flags = flags, .id = 1,
	};
	int fds[2];

	r->take = take_queue;
	if (pipe2(fds, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC) ||
	    ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, QUEUE_SIZE))
		die("queue");
	close(fds[1]);
	r->fd = fds[0];
	if (ioctl(r->fd, IOC_WATCH_QUEUE_ADD_WATCH, &args))
		refuse(r, "IOC_WATCH_QUEUE_ADD_WATCH");
}

/*
 * All of them. Events before the first read of a reader do not count.
 */

static void open_fs(struct reader *r, const char *at, bool all)
{
	int root = all ? -1 : open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(r, 0, NR_READERS * sizeof(*r));
	open_fanotify(&r[FANOTIFY], FAN_REPORT_FID, FAN_MARK_FILESYSTEM, FAN_FS_ERROR, at);
	open_health(&r[HEALTH], at);
	open_queue(&r[QUEUE], WATCH_TYPE_SB_NOTIFY, root, 0);
	if (!all)
		close(root);
	reset(r);
}

void watch_fs(struct reader *r, const char *at)
{
	open_fs(r, at, false);
}

void watch_all_fs(struct reader *r, const char *at)
{
	open_fs(r, at, true);
}

void watch_mount_events(struct reader *r)
{
	int root = open("/", O_PATH | O_CLOEXEC);

	memset(r, 0, NR_READERS * sizeof(*r));
	open_fanotify(&r[FANOTIFY], FAN_REPORT_MNT, FAN_MARK_MNTNS,
		      FAN_MNT_ATTACH | FAN_MNT_DETACH, "/proc/self/ns/mnt");
	r[HEALTH].fd = -1;
	open_queue(&r[QUEUE], WATCH_TYPE_MOUNT_NOTIFY, root, WATCH_SUBTREE);
	close(root);
}

void take_all(struct reader *r)
{
	for (int i = 0; i < NR_READERS; i++)
		if (r[i].fd >= 0)
			r[i].take(&r[i]);
}

void settle(struct reader *r)
{
	struct pollfd p[NR_READERS];

	do {
		take_all(r);
		for (int i = 0; i < NR_READERS; i++)
			p[i] = (struct pollfd){ r[i].fd, POLLIN };
	} while (poll(p, NR_READERS, QUIET_MSEC) > 0);
}

void reset(struct reader *r)
{
	settle(r);
	for (int i = 0; i < NR_READERS; i++)
		r[i].t = (struct tally){ };
}

void close_all(struct reader *r)
{
	for (int i = 0; i < NR_READERS; i++)
		if (r[i].fd >= 0)
			close(r[i].fd);
}
