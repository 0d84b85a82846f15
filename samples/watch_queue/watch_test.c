// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watch a key, a keyring, mounts, a filesystem, disks or all devices through a
 * notification queue, one line an event.
 *
 * See Documentation/userspace-api/watch_queue/index.rst.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/keyctl.h>
#include <linux/quota.h>

#include "watch_records.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define WATCH_ID	1	/* 0 to 255; comes back in every record */

static unsigned long long events, lost;
static bool removed;

static const char * const sorts[] = {
	[WATCH_TYPE_MOUNT_NOTIFY] = "mount",
	[WATCH_TYPE_SB_NOTIFY]	= "filesystem",
	[WATCH_TYPE_BLOCK_NOTIFY] = "disk",
	[WATCH_TYPE_DEVICE_NOTIFY] = "device",
};

/* What is watched: a key, or what is at the path */
static unsigned int watched = WATCH_TYPE_KEY_NOTIFY;
static const char *path;

/* What an error number means for one particular call */
static const struct {
	const char *call;
	int error;
	const char *text;
} hints[] = {
	{ "pipe2", ENOPKG, "this kernel was built without CONFIG_WATCH_QUEUE" },
	{ "pipe2", EINVAL, "this kernel has no notification queues, it is older than 5.8" },
	{ "SET_SIZE", EINVAL, "too many records, or none; see pipe-max-size in pipe(7)" },
	{ "SET_SIZE", EPERM, "over the user's limit, see pipe-user-pages-soft in pipe(7)" },
	{ "WATCH_KEY", EOPNOTSUPP, "this kernel was built without CONFIG_KEY_NOTIFICATIONS" },
	{ "WATCH_KEY", EACCES, "the key does not grant View permission, or the keyring not Read" },
	{ "WATCH_KEY", ENOKEY, "there is no such key" },
	{ "WATCH_KEY", EKEYREVOKED, "the key was revoked" },
	{ "WATCH_KEY", EKEYEXPIRED, "the key has expired" },
	{ "WATCH_KEY", EAGAIN, "the user holds too many watches, see RLIMIT_NOFILE" },
	{ "ADD_WATCH", ENOTTY, "this kernel's queues know of keys only" },
	{ "ADD_WATCH", EOPNOTSUPP, "this kernel was built without the option for such events" },
	{ "ADD_WATCH", EINVAL, "nothing that can be watched is right there" },
	{ "ADD_WATCH", EPERM, "neither privileged, nor is it yours to look at" },
	{ "ADD_WATCH", EAGAIN, "too many watches, see user.max_watch_queue_watches" },
};

static void die(const char *call)
{
	int error = errno;
	size_t i;

	fprintf(stderr, "watch_test: %s: %s\n", call, strerror(error));
	for (i = 0; i < ARRAY_SIZE(hints); i++)
		if (hints[i].error == error && !strcmp(hints[i].call, call))
			fprintf(stderr, "watch_test: %s\n", hints[i].text);
	exit(1);
}

static void show_mount(const struct mount_notification *n)
{
	static const char * const mount_events[] = {
		[NOTIFY_MOUNT_NEW]	= "new",
		[NOTIFY_MOUNT_UNMOUNT]	= "unmounted",
		[NOTIFY_MOUNT_MOVE_FROM] = "moved away",
		[NOTIFY_MOUNT_MOVE_TO]	= "moved here",
		[NOTIFY_MOUNT_RDONLY]	= "read-only",
		[NOTIFY_MOUNT_RDWR]	= "writable",
		[NOTIFY_MOUNT_SETATTR]	= "attributes changed",
		[NOTIFY_MOUNT_PROPAGATION] = "propagation changed",
	};
	static const struct {
		unsigned int flag;
		const char *text;
	} flags[] = {
		{ NOTIFY_MOUNT_IN_SUBTREE, "further down" },
		{ NOTIFY_MOUNT_IS_RDONLY, "read-only now" },
		{ NOTIFY_MOUNT_AUTOMOUNT, "automount" },
		{ NOTIFY_MOUNT_PROPAGATED, "propagated" },
		{ NOTIFY_MOUNT_EXPIRED, "expired" },
	};
	unsigned int subtype = n->watch.subtype;
	size_t i;

	printf("mount %llx on %llx", (unsigned long long)n->mnt_id,
	       (unsigned long long)n->parent_id);
	if (n->old_parent_id)
		printf(", was on %llx", (unsigned long long)n->old_parent_id);
	if (subtype < ARRAY_SIZE(mount_events))
		printf(": %s", mount_events[subtype]);
	else
		printf(": event %u", subtype);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (n->watch.info & flags[i].flag)
			printf(", %s", flags[i].text);
}

static void show_sb(const union watch_record *rec)
{
	static const char * const sb_events[] = {
		[NOTIFY_SB_RDONLY]	= "read-only now",
		[NOTIFY_SB_RDWR]	= "read-write now",
		[NOTIFY_SB_RECONFIGURED] = "remounted",
		[NOTIFY_SB_FROZEN]	= "frozen",
		[NOTIFY_SB_THAWED]	= "thawed",
		[NOTIFY_SB_SHUTDOWN]	= "shut down, takes no changes any more",
		[NOTIFY_SB_ERROR]	= "error in the filesystem",
		[NOTIFY_SB_WRITEBACK_ERROR] = "data could not be written",
		[NOTIFY_SB_QUOTA]	= "quota",
	};
	static const char * const whose[] = { "user", "group", "project" };
	static const char * const limits[] = {
		[QUOTA_NL_IHARDWARN]	= "no more files",
		[QUOTA_NL_ISOFTLONGWARN] = "too many files for too long",
		[QUOTA_NL_ISOFTWARN]	= "too many files",
		[QUOTA_NL_BHARDWARN]	= "no more blocks",
		[QUOTA_NL_BSOFTLONGWARN] = "too many blocks for too long",
		[QUOTA_NL_BSOFTWARN]	= "too many blocks",
		[QUOTA_NL_IHARDBELOW]	= "files below the hard limit again",
		[QUOTA_NL_ISOFTBELOW]	= "files below the soft limit again",
		[QUOTA_NL_BHARDBELOW]	= "blocks below the hard limit again",
		[QUOTA_NL_BSOFTBELOW]	= "blocks below the soft limit again",
	};
	unsigned int subtype = rec->watch.subtype;

	printf("filesystem %u:%u: ", rec->sb.dev_major, rec->sb.dev_minor);
	if (subtype >= ARRAY_SIZE(sb_events))
		printf("event %u", subtype);
	else
		printf("%s", sb_events[subtype]);

	if (subtype == NOTIFY_SB_ERROR || subtype == NOTIFY_SB_WRITEBACK_ERROR) {
		printf(": %s", strerror(rec->sb_error.error));
		if (rec->sb_error.ino)
			printf(", inode %llu", (unsigned long long)rec->sb_error.ino);
		if (rec->sb_error.suppressed)
			printf(", and %u others", rec->sb_error.suppressed);
	} else if (subtype == NOTIFY_SB_QUOTA) {
		unsigned int type = rec->sb_quota.id_type, limit = rec->sb_quota.warning;

		if (limit == QUOTA_NL_NOWARN)
			printf(" of several owners");
		else
			printf(" of %s %u: %s",
			       type < ARRAY_SIZE(whose) ? whose[type] : "owner",
			       rec->sb_quota.id,
			       limit < ARRAY_SIZE(limits) && limits[limit] ?
			       limits[limit] : "changed");
		if (rec->sb_quota.suppressed)
			printf(", and %u suppressed", rec->sb_quota.suppressed);
	}
}

static void show_block(const struct block_notification *n)
{
	static const char * const errors[] = {
		[NOTIFY_BLOCK_IO]	= "failed",
		[NOTIFY_BLOCK_NOT_SUPPORTED] = "not supported",
		[NOTIFY_BLOCK_TIMEOUT]	= "no answer",
		[NOTIFY_BLOCK_NO_SPACE]	= "no space",
		[NOTIFY_BLOCK_TRANSPORT] = "the way to it failed",
		[NOTIFY_BLOCK_TARGET]	= "refused",
		[NOTIFY_BLOCK_RESV_CONFLICT] = "reserved by another",
		[NOTIFY_BLOCK_MEDIUM]	= "bad place",
		[NOTIFY_BLOCK_PROTECTION] = "wrong checksum",
		[NOTIFY_BLOCK_RESOURCE]	= "out of resources",
		[NOTIFY_BLOCK_ZONE_RESOURCE] = "too many zones in use",
		[NOTIFY_BLOCK_OFFLINE]	= "offline",
		[NOTIFY_BLOCK_DURATION_LIMIT] = "took too long",
		[NOTIFY_BLOCK_INVALID]	= "malformed",
	};
	static const char * const operations[] = {
		[NOTIFY_BLOCK_OP_READ] = "read",
		[NOTIFY_BLOCK_OP_WRITE] = "write",
		[NOTIFY_BLOCK_OP_FLUSH] = "flush",
		[NOTIFY_BLOCK_OP_DISCARD] = "discard",
		[NOTIFY_BLOCK_OP_ZERO] = "write of zeroes",
		[NOTIFY_BLOCK_OP_ZONE] = "change of a zone",
		[NOTIFY_BLOCK_OP_OTHER] = "operation",
	};
	unsigned int subtype = n->watch.subtype, op = n->operation;

	printf("disk %u:%u: %s of %u bytes at sector %llu: ", n->dev_major, n->dev_minor,
	       op < ARRAY_SIZE(operations) ? operations[op] : "operation",
	       n->length, (unsigned long long)n->sector);
	if (subtype < ARRAY_SIZE(errors))
		printf("%s", errors[subtype]);
	else
		printf("event %u", subtype);
	if (n->suppressed)
		printf(", and %u others", n->suppressed);
}

static void show_device(const union watch_record *rec)
{
	static const char * const device_events[] = {
		[NOTIFY_DEVICE_ADD]	= "added",
		[NOTIFY_DEVICE_REMOVE]	= "removed",
		[NOTIFY_DEVICE_CHANGE]	= "changed",
		[NOTIFY_DEVICE_MOVE]	= "renamed or moved",
		[NOTIFY_DEVICE_ONLINE]	= "online",
		[NOTIFY_DEVICE_OFFLINE]	= "offline",
		[NOTIFY_DEVICE_BIND]	= "has a driver",
		[NOTIFY_DEVICE_UNBIND]	= "has no driver",
	};
	unsigned int event = rec->watch.subtype;

	printf("%s device %s%s", watch_record_subsystem(rec),
	       rec->watch.info & NOTIFY_DEVICE_TRUNCATED ? "..." : "",
	       watch_record_devpath(rec));
	if (rec->device.dev_major || rec->device.dev_minor)
		printf(" (%u:%u)", rec->device.dev_major, rec->device.dev_minor);
	if (event < ARRAY_SIZE(device_events))
		printf(": %s", device_events[event]);
	else
		printf(": event %u", event);
	if (rec->watch.info & NOTIFY_DEVICE_SYNTHETIC)
		printf(", told again");
}

static void show(const union watch_record *rec)
{
	static const char * const key_events[] = {
		[NOTIFY_KEY_INSTANTIATED] = "instantiated",
		[NOTIFY_KEY_UPDATED]	= "updated",
		[NOTIFY_KEY_LINKED]	= "linked",
		[NOTIFY_KEY_UNLINKED]	= "unlinked",
		[NOTIFY_KEY_CLEARED]	= "cleared",
		[NOTIFY_KEY_REVOKED]	= "revoked",
		[NOTIFY_KEY_INVALIDATED] = "invalidated",
		[NOTIFY_KEY_SETATTR]	= "attributes changed",
		[NOTIFY_KEY_EXPIRED]	= "expired",
	};
	unsigned int type = rec->watch.type, subtype = rec->watch.subtype;
	unsigned int info = rec->watch.info, i, n = watch_record_lost(rec);

	if (n) {
		printf("lost %u%s: read the state again\n", n,
		       n == 0xffff ? " or more" : "");
		lost += n;
		return;
	}

	printf("watch %u: ", watch_record_id(rec));
	if (type == WATCH_TYPE_KEY_NOTIFY && subtype < ARRAY_SIZE(key_events)) {
		printf("key %u: %s", rec->key.key_id, key_events[subtype]);
		if (subtype == NOTIFY_KEY_LINKED || subtype == NOTIFY_KEY_UNLINKED)
			printf(" key %u", rec->key.aux);
		if (subtype == NOTIFY_KEY_INSTANTIATED && rec->key.aux)
			printf(" with an error: %s", strerror(rec->key.aux));
	} else if (type == WATCH_TYPE_MOUNT_NOTIFY) {
		show_mount(&rec->mount);
	} else if (type == WATCH_TYPE_SB_NOTIFY) {
		show_sb(rec);
	} else if (type == WATCH_TYPE_BLOCK_NOTIFY) {
		show_block(&rec->block);
	} else if (type == WATCH_TYPE_DEVICE_NOTIFY) {
		show_device(rec);
	} else if (watch_record_is_meta(rec, WATCH_META_REMOVAL_NOTIFICATION)) {
		removed = true;
		printf("removed");
		if (!rec->removal.id)
			;		/* the kernel does not say of what */
		else if (watched == WATCH_TYPE_KEY_NOTIFY)
			printf(" from key %llu", (unsigned long long)rec->removal.id);
		else
			printf(" from %s %llx", sorts[watched],
			       (unsigned long long)rec->removal.id);
	} else {
		/* Newer than this program, and no reason to stop */
		printf("type %u subtype %u info %08x:", type, subtype, info);
		for (i = sizeof(rec->watch); i < (info & WATCH_INFO_LENGTH); i++)
			printf(" %02x", rec->bytes[i]);
	}
	putchar('\n');
	events++;
}

/* Take the records out of a buffer one by one, up to @count events in all */
static void show_all(const void *buf, size_t len, unsigned long long count)
{
	struct watch_records records = { buf, len };
	union watch_record rec;
	int ret = 0;

	while (!(count && events >= count) && (ret = watch_record_next(&records, &rec)) > 0)
		show(&rec);
	if (ret < 0) {
		fprintf(stderr, "watch_test: %zu bytes that are no record\n", records.left);
		exit(1);
	}
}

/* Signals as data: poll() sees them, and none can slip in before it */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGINT, SIG_DFL);	/* a shell ignores it for "watch_test &" */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd");
	return fd;
}

static void print_help(FILE *out, int status)
{
	fputs("usage: watch_test [-n DEPTH] [-c COUNT] [--hold]\n"
	      "       [KEY | MOUNTPOINT | -f PATH | -b DISK | -d]\n"
	      "Say what happens to KEY: a number, @t, @p, @s (default), @u or @us;\n"
	      "or to the mount at MOUNTPOINT, a path with a slash, and all below it.\n"
	      "  -f PATH    say what happens to the filesystem that PATH is on\n"
	      "  -b DISK    say what fails on the block device DISK, a path, or on \"all\"\n"
	      "  -d         say which devices come, go and change\n"
	      "  -n DEPTH   how many records the queue can hold (default 256)\n"
	      "  -c COUNT   end after COUNT events\n"
	      "  --hold     read nothing before SIGUSR1 arrives, to see an overflow\n"
	      "  -h, --help this text\n"
	      "Try: ./watch_test & sleep 1; keyctl add user demo hello @s; kill $!\n", out);
	exit(status);
}

static unsigned long long parse(const char *text, unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-') || n > max) {
		fprintf(stderr, "watch_test: %s: not a number, or too big\n", text);
		exit(2);
	}
	return n;
}

static int key_number(const char *text)
{
	/* Special key IDs are negative and count down from -1 */
	static const char * const names[] = { "@t", "@p", "@s", "@u", "@us" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i]))
			return KEY_SPEC_THREAD_KEYRING - (int)i;
	return parse(text, INT_MAX);
}

static void watch_key(int queue, int key, unsigned long depth)
{
	long serial = key;

	/* Linux 5.8 to 6.12 have fewer events, and EINVAL for the flag */
	if (syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, queue, WATCH_ID | KEY_WATCH_EXTENDED) &&
	    (errno != EINVAL || syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, queue, WATCH_ID)))
		die("WATCH_KEY");
	/* Watch first, look at the state then: nothing can fall in between */
	if (key < 0)
		serial = syscall(__NR_keyctl, KEYCTL_GET_KEYRING_ID, key, 0);
	printf("watching key %ld, queue of %lu records\n", serial > 0 ? serial : key, depth);
}

static void choose(unsigned int type, const char *where)
{
	watched = type;
	path = where;
}

static int open_watched(void)
{
	int fd;

	if (watched == WATCH_TYPE_DEVICE_NOTIFY ||
	    (watched == WATCH_TYPE_BLOCK_NOTIFY && !strcmp(path, "all")))
		return -1;
	/* Who watches a disk proves that he can read it; else a place is enough */
	fd = open(path, O_CLOEXEC |
		  (watched == WATCH_TYPE_BLOCK_NOTIFY ? O_RDONLY | O_NONBLOCK : O_PATH));
	if (fd < 0)
		die(path);
	return fd;
}

static void watch_path(int queue, unsigned long depth)
{
	struct watch_queue_watch how = {
		.type = watched,
		.id = WATCH_ID,
		.flags = watched == WATCH_TYPE_MOUNT_NOTIFY ? WATCH_SUBTREE : 0,
	};

	how.fd = open_watched();
	if (ioctl(queue, IOC_WATCH_QUEUE_ADD_WATCH, &how))
		die("ADD_WATCH");
	/* Open, it would be busy; the watch does not keep it */
	if (how.fd >= 0)
		close(how.fd);
	printf("watching %s%s, queue of %lu records\n",
	       watched == WATCH_TYPE_MOUNT_NOTIFY ? "mounts from " :
	       watched == WATCH_TYPE_SB_NOTIFY ? "the filesystem of " :
	       watched == WATCH_TYPE_BLOCK_NOTIFY ? "disk " : "", path, depth);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' }, { "hold", no_argument, NULL, 'H' }, { }
	};
	int key = KEY_SPEC_SESSION_KEYRING, opt, fds[2];
	unsigned long long count = 0;
	unsigned long depth = 256;
	unsigned char buf[4096];	/* 128 or more would do */
	struct pollfd pfd[2] = { { .events = POLLIN }, { .events = POLLIN } };
	bool hold = false;
	ssize_t len;

	while ((opt = getopt_long(argc, argv, "hn:c:f:b:d", options, NULL)) != -1) {
		if (opt == 'h')
			print_help(stdout, 0);
		else if (opt == 'H')
			hold = true;
		else if (opt == 'n')
			depth = parse(optarg, ULONG_MAX);
		else if (opt == 'c')
			count = parse(optarg, ULLONG_MAX);
		else if (opt == 'f')
			choose(WATCH_TYPE_SB_NOTIFY, optarg);
		else if (opt == 'b')
			choose(WATCH_TYPE_BLOCK_NOTIFY, optarg);
		else if (opt == 'd')
			choose(WATCH_TYPE_DEVICE_NOTIFY, "devices");
		else
			print_help(stderr, 2);
	}
	if (!path && optind < argc && strchr(argv[optind], '/'))
		choose(WATCH_TYPE_MOUNT_NOTIFY, argv[optind++]);
	else if (!path && optind < argc)
		key = key_number(argv[optind++]);
	if (optind < argc)
		print_help(stderr, 2);

	setvbuf(stdout, NULL, _IOLBF, 0);

	pfd[0].fd = open_signals();
	if (pipe2(fds, O_NOTIFICATION_PIPE | O_CLOEXEC))
		die("pipe2");
	if (ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, depth))
		die("SET_SIZE");
	if (path)
		watch_path(fds[0], depth);
	else
		watch_key(fds[0], key, depth);
	/* Only the kernel writes; with this end closed, no watch means no data */
	close(fds[1]);

	pfd[1].fd = hold ? -1 : fds[0];		/* poll() passes over -1 */

	while (!count || events < count) {
		if (poll(pfd, 2, -1) < 0)
			die("poll");
		if (pfd[0].revents) {
			struct signalfd_siginfo si;

			if (read(pfd[0].fd, &si, sizeof(si)) != sizeof(si))
				die("signalfd");
			if (si.ssi_signo != SIGUSR1)
				break;
			pfd[1].fd = fds[0];
		}
		if (!pfd[1].revents)
			continue;
		len = read(fds[0], buf, sizeof(buf));
		if (len < 0)
			die("read");
		if (len == 0) {
			if (!removed && !lost) {
				fputs("watch_test: end of file, and the watch is not removed:\n"
				      "watch_test: this kernel wants the write end kept open\n",
				      stderr);
				return 1;
			}
			printf("nothing left to watch\n");
			break;
		}
		show_all(buf, len, count);
	}
	printf("%llu events, %llu lost\n", events, lost);
	return 0;
}
