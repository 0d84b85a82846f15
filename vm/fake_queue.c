// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue with made-up records, to run watchq on a kernel without the queue
 *
 * Preloaded into watchq by bin/check-service. The records are errors of DISKS disks and
 * their filesystems, EVENTS in all. The first is error 0, and so on: the number is in
 * time_ns. Before them, there is the state of each filesystem. If SCRIPT is set, there
 * are only the records that make_scripted() describes, one per letter. At each 'w', the
 * script waits until watchq requests the states of filesystems. If MOUNTINFO is set,
 * "mountinfo" or "listmount" is written to stderr each time that watchq reads the mounts.
 *
 * If BUSY is a number, this watch cannot be added because the object is watched. If
 * DENIED is a number, this watch and the later ones cannot be added. If AUTOMOUNT is a
 * number, the filesystems of this statmount() and of the later ones are autofs. If LAST is
 * a number, SIGTERM ends the process at this attempt to add a watch, or at this statmount()
 * if AUTOMOUNT is set. If STALE is a number, this request for states fails. If SERVER is
 * set, "wait" is written to stderr at each call that waits for the server of a network
 * filesystem. If FORK is a number, this fork() fails; the first one is that of the queue.
 * If WAITS is set, "blocked" is written to stderr when the journal or stderr did not accept
 * data while watchq waited. If BLOCK is set, each file has the type of a block device. If
 * FULL is set, a watch is added when the first records are in the queue. If OLD is set, the
 * queue can only watch keys, and has 512 records at most. The fdinfo of the queue is the
 * file FDINFO.
 *
 * The journal is the socket JOURNAL. On exit, the peak virtual size of the process is
 * written to the file PEAK.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/quota.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "watch_records.h"

/* Not in the headers of Debian 12 */
#define NR_STATMOUNT	457
#define NR_LISTMOUNT	458
#define MNT_ID_UNIQUE	0x4000	/* STATX_MNT_ID_UNIQUE */

/* The start of struct mnt_id_req */
struct mount_request {
	unsigned int size, spare;
	unsigned long long mnt_id, param;	/* @param: list the mounts after this one */
};

/* The start of struct statmount */
struct mount_status {
	unsigned int size, mnt_opts;
	unsigned long long mask;	/* 1 for the members below */
	unsigned int sb_dev_major, sb_dev_minor;
	unsigned long long sb_magic;
};

static unsigned int number(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : 0;
}

static void describe(struct superblock_notification *sb, unsigned int disk)
{
	sb->watch.type = WATCH_TYPE_SB_NOTIFY;
	sb->sb_id = 1 + disk;
	sb->dev_major = 240;	/* without a name */
	sb->dev_minor = disk;
	strcpy((char *)sb->fs_type, "ext4");
}

static size_t make_state(union watch_record *rec, unsigned int disk)
{
	describe(&rec->sb, disk);
	rec->watch.subtype = NOTIFY_SB_STATE;
	return sizeof(rec->sb);
}

static size_t make_error(union watch_record *rec, unsigned int i, unsigned int disks)
{
	unsigned int disk = i / 8 % disks;

	/* watchq looks for the path of a filesystem, which takes longer */
	if (i % 8) {
		rec->watch.type = WATCH_TYPE_BLOCK_NOTIFY;
		rec->watch.subtype = NOTIFY_BLOCK_MEDIUM;
		rec->block.dev_major = 240;
		rec->block.dev_minor = disk;
		rec->block.time_ns = i;
		return sizeof(rec->block);
	}
	describe(&rec->sb, disk);
	rec->watch.subtype = NOTIFY_SB_ERROR;
	rec->watch.info = NOTIFY_SB_IS_RDONLY | NOTIFY_SB_BY_ERROR;
	rec->sb_error.time_ns = i;
	return sizeof(rec->sb_error);
}

/* The record for a letter of SCRIPT, about the first filesystem */
static size_t make_scripted(union watch_record *rec, char letter)
{
	static unsigned int filesystems;

	describe(&rec->sb, 0);
	switch (letter) {
	case 's':	/* its state */
		rec->watch.subtype = NOTIFY_SB_STATE;
		return sizeof(rec->sb);
	case 'r':	/* it became read-only because of an error */
		rec->watch.subtype = NOTIFY_SB_RDONLY;
		rec->watch.info = NOTIFY_SB_IS_RDONLY | NOTIFY_SB_BY_ERROR;
		return sizeof(rec->sb);
	case 'e':	/* an error, with the state before that */
		rec->watch.subtype = NOTIFY_SB_ERROR;
		rec->sb_error.error = 5;
		return sizeof(rec->sb_error);
	case 'q':	/* a quota warning */
		rec->watch.subtype = NOTIFY_SB_QUOTA;
		rec->sb_quota.warning = QUOTA_NL_BHARDWARN;
		return sizeof(rec->sb_quota);
	case 'l':	/* a loss of one record */
		memset(rec, 0, sizeof(*rec));
		rec->watch.type = WATCH_TYPE_META;
		rec->watch.subtype = WATCH_META_LOSS_NOTIFICATION;
		rec->watch.info = 1 << WATCH_INFO_TYPE_INFO__SHIFT;
		return sizeof(rec->watch);
	case 'x':	/* the end of watch 0 */
		memset(rec, 0, sizeof(*rec));
		rec->watch.type = WATCH_TYPE_META;
		rec->watch.subtype = WATCH_META_REMOVAL_NOTIFICATION;
		return sizeof(rec->watch);
	case 'g':	/* the filesystem is gone */
		rec->watch.subtype = NOTIFY_SB_GONE;
		return sizeof(rec->sb);
	case 'i':	/* 'r', of a later filesystem with the same device number */
		rec->sb.sb_id = 1000;
		rec->watch.subtype = NOTIFY_SB_RDONLY;
		rec->watch.info = NOTIFY_SB_IS_RDONLY | NOTIFY_SB_BY_ERROR;
		return sizeof(rec->sb);
	case 'f':	/* another filesystem is mounted */
		describe(&rec->sb, ++filesystems);
		rec->watch.subtype = NOTIFY_SB_NEW;
		return sizeof(rec->sb);
	case 'o':	/* another filesystem is remounted read-only */
		describe(&rec->sb, ++filesystems);
		rec->watch.subtype = NOTIFY_SB_RDONLY;
		rec->watch.info = NOTIFY_SB_IS_RDONLY;
		return sizeof(rec->sb);
	case 't':	/* the state of a tmpfs */
	case 'T':	/* it is shut down */
		describe(&rec->sb, 2000);
		strcpy((char *)rec->sb.fs_type, "tmpfs");
		rec->watch.subtype = letter == 't' ? NOTIFY_SB_STATE : NOTIFY_SB_SHUTDOWN;
		rec->watch.info = letter == 't' ? 0 : NOTIFY_SB_IS_SHUTDOWN;
		return sizeof(rec->sb);
	case 'm':	/* a mount was moved */
		memset(rec, 0, sizeof(*rec));
		rec->watch.type = WATCH_TYPE_MOUNT_NOTIFY;
		rec->watch.subtype = NOTIFY_MOUNT_MOVE_TO;
		return sizeof(rec->mount);
	case 'n':	/* an error, with a name that is not in ASCII */
		rec->watch.subtype = NOTIFY_SB_ERROR;
		strcpy((char *)rec->sb.fs_type, "\303\244");
		return sizeof(rec->sb_error);
	case 'k':	/* numbers without names */
		rec->watch.subtype = NOTIFY_SB_ERROR;
		rec->sb_error.error = 524;
		rec->sb_error.kind = 99;
		return sizeof(rec->sb_error);
	case 'z':	/* a part of a record */
		return 4;
	case 'u':	/* an event of a later kernel */
		rec->watch.subtype = 200;
		return sizeof(rec->sb);
	default:
		fprintf(stderr, "SCRIPT: no record %c\n", letter);
		_exit(1);
	}
}

static void write_packet(int fd, const void *packet, size_t len)
{
	if (write(fd, packet, len) != (ssize_t)len)
		_exit(1);
}

static void write_script(int fd, const char *script)
{
	char packet[16384];
	size_t used = 0, len;

	for (; *script; script++) {
		union watch_record rec = { };

		if (*script == 'w') {
			write_packet(fd, packet, used);
			used = 0;
			if (read(fd, packet, 1) != 1)
				_exit(0);
			continue;
		}
		len = make_scripted(&rec, *script);
		rec.watch.info |= len;
		if (used + len > sizeof(packet)) {
			write_packet(fd, packet, used);
			used = 0;
		}
		memcpy(packet + used, &rec, len);
		used += len;
	}
	write_packet(fd, packet, used);
	_exit(0);
}

/* Each packet is one read() */
static void write_records(int fd)
{
	unsigned int events = number("EVENTS"), disks = number("DISKS"), i;
	char packet[16384];
	size_t used = 0;

	for (i = 0; i < disks + events; i++) {
		union watch_record rec = { };
		size_t len = i < disks ? make_state(&rec, i) : make_error(&rec, i - disks, disks);

		rec.watch.info |= len;
		memcpy(packet + used, &rec, len);
		used += len;
		if (used < sizeof(packet) - sizeof(rec) && i + 1 < disks + events)
			continue;
		write_packet(fd, packet, used);
		used = 0;
	}
	_exit(0);
}

int pipe2(int fds[2], int flags)
{
	pid_t pid;

	(void)flags;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -1;
	pid = fork();
	if (!pid) {
		unsetenv("PEAK");
		close(fds[0]);
		if (getenv("SCRIPT"))
			write_script(fds[1], getenv("SCRIPT"));
		write_records(fds[1]);
	}
	return pid < 0 ? -1 : 0;
}

/* Add a watch, or request the states */
static int add_watch(int fd, const struct watch_queue_watch *watch)
{
	struct pollfd queue = { .fd = fd, .events = POLLIN };
	static unsigned int added, requested;

	if (getenv("FULL"))
		poll(&queue, 1, -1);
	if (watch->flags & WATCH_REPORT_STATE) {
		errno = EBADSLT;
		return ++requested != number("STALE") &&
			send(fd, "w", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
	}
	added++;
	if (!number("AUTOMOUNT") && added == number("LAST"))
		raise(SIGTERM);
	errno = number("DENIED") && added >= number("DENIED") ? EPERM :
		added == number("BUSY") ? EBUSY : 0;
	return errno ? -1 : 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int fd, unsigned long request, ...);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (getenv("OLD") && request == IOC_WATCH_QUEUE_SET_SIZE && (unsigned long)arg <= 512)
		return 0;
	if (getenv("OLD") && _IOC_TYPE(request) == 'W') {
		errno = request == IOC_WATCH_QUEUE_SET_SIZE ? EINVAL : ENOTTY;
		return -1;
	}
	if (request == IOC_WATCH_QUEUE_ADD_WATCH)
		return add_watch(fd, arg);
	if (_IOC_TYPE(request) == 'W')
		return 0;
	if (!next)
		next = dlsym(RTLD_NEXT, "ioctl");
	return next(fd, request, arg);
}

/* A kernel without statmount() does not report the unique ID either */
int statx(int fd, const char *path, int flags, unsigned int mask, struct statx *stat)
{
	static int (*next)(int fd, const char *path, int flags, unsigned int mask,
			   struct statx *stat);
	int ret;

	if (!next)
		next = dlsym(RTLD_NEXT, "statx");
	if (getenv("SERVER") && !(flags & AT_STATX_DONT_SYNC))
		fputs("wait\n", stderr);
	ret = next(fd, path, flags, mask, stat);
	if (number("AUTOMOUNT"))
		stat->stx_mask |= MNT_ID_UNIQUE;
	return ret;
}

static long stat_automount(struct mount_status *mount)
{
	static unsigned int calls;

	if (++calls == number("LAST"))
		raise(SIGTERM);
	*mount = (struct mount_status){
		.mask = 1,
		.sb_dev_minor = 1,
		.sb_magic = calls < number("AUTOMOUNT") ? TMPFS_MAGIC : AUTOFS_SUPER_MAGIC,
	};
	return 0;
}

long syscall(long nr, ...)
{
	static long (*next)(long nr, ...);
	long arg[6];
	va_list args;
	size_t i;

	va_start(args, nr);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (nr == NR_STATMOUNT && number("AUTOMOUNT"))
		return stat_automount((void *)arg[1]);
	if (nr == NR_LISTMOUNT && getenv("MOUNTINFO") &&
	    !((struct mount_request *)arg[0])->param)
		fputs("listmount\n", stderr);
	if (!next)
		next = dlsym(RTLD_NEXT, "syscall");
	return next(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

int statfs(const char *path, struct statfs *fs)
{
	static int (*next)(const char *path, struct statfs *fs);

	if (!next)
		next = dlsym(RTLD_NEXT, "statfs");
	if (getenv("SERVER"))
		fputs("wait\n", stderr);
	return next(path, fs);
}

pid_t fork(void)
{
	static pid_t (*next)(void);
	static unsigned int calls;

	if (++calls == number("FORK")) {
		errno = EAGAIN;
		return -1;
	}
	if (!next)
		next = dlsym(RTLD_NEXT, "fork");
	return next();
}

int poll(struct pollfd *fds, nfds_t nr, int timeout)
{
	static int (*next)(struct pollfd *fds, nfds_t nr, int timeout);
	int ret;

	if (!next)
		next = dlsym(RTLD_NEXT, "poll");
	ret = next(fds, nr, timeout);
	if (getenv("WAITS") && fds->events == POLLOUT && timeout && !ret)
		fputs("blocked\n", stderr);
	return ret;
}

int fstat(int fd, struct stat *stat)
{
	static int (*next)(int fd, struct stat *stat);
	int ret;

	if (!next)
		next = dlsym(RTLD_NEXT, "fstat");
	ret = next(fd, stat);
	if (getenv("BLOCK"))
		stat->st_mode = S_IFBLK;
	return ret;
}

int open(const char *path, int flags, ...)
{
	static int (*next)(const char *path, int flags, ...);
	const char *fdinfo = getenv("FDINFO");
	va_list args;
	int mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (!next)
		next = dlsym(RTLD_NEXT, "open");
	if (fdinfo && !strncmp(path, "/proc/self/fdinfo/", strlen("/proc/self/fdinfo/")))
		path = fdinfo;
	return next(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*next)(const char *path, const char *mode);

	if (!next)
		next = dlsym(RTLD_NEXT, "fopen");
	if (getenv("MOUNTINFO") && !strcmp(path, "/proc/self/mountinfo"))
		fputs("mountinfo\n", stderr);
	return next(path, mode);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	static int (*next)(int fd, const struct sockaddr *addr, socklen_t len);
	const char *journal = getenv("JOURNAL");
	struct sockaddr_un other = { .sun_family = AF_UNIX };

	if (!next)
		next = dlsym(RTLD_NEXT, "connect");
	if (!journal || addr->sa_family != AF_UNIX ||
	    strcmp(((const struct sockaddr_un *)addr)->sun_path, "/run/systemd/journal/socket"))
		return next(fd, addr, len);
	strncpy(other.sun_path, journal, sizeof(other.sun_path) - 1);
	return next(fd, (const struct sockaddr *)&other, sizeof(other));
}

static void __attribute__((destructor)) write_peak(void)
{
	const char *path = getenv("PEAK");
	FILE *status = fopen("/proc/self/status", "re"), *file = path ? fopen(path, "we") : NULL;
	char line[256];

	while (status && file && fgets(line, sizeof(line), status))
		if (!strncmp(line, "VmPeak:", strlen("VmPeak:")))
			fputs(line, file);
	if (file)
		fclose(file);
	if (status)
		fclose(status);
}
