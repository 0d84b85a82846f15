// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watch objects through a notification queue and print one line per record.
 *
 * The events are in <linux/watch_queue.h>; tools/watch_queue prints all their members.
 * See Documentation/userspace-api/watch_queue/index.rst.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/keyctl.h>

#include "watch_records.h"

static const char * const types[WATCH_TYPE__NR] = {
	[WATCH_TYPE_KEY_NOTIFY]		= "key=",
	[WATCH_TYPE_MOUNT_NOTIFY]	= "mount=",
	[WATCH_TYPE_SB_NOTIFY]		= "sb=",
	[WATCH_TYPE_BLOCK_NOTIFY]	= "block=",
	[WATCH_TYPE_DEVICE_NOTIFY]	= "device=",
};

static void usage(void)
{
	fputs("Usage: watch_test [-n SIZE] WATCH...\n"
	      "Print a line for each record of a notification queue of SIZE records (256).\n"
	      "  key=KEY        a key or keyring: its serial number, or @s\n"
	      "  mount=PATH     the mount at PATH, and all mounts below it\n"
	      "  sb=PATH        the filesystem of PATH, or \"all\"\n"
	      "  block=DEVICE   I/O errors of a block device, or of \"all\"\n"
	      "  device=all     all devices\n"
	      "Try: ./watch_test key=@s & sleep 1; keyctl add user demo hello @s; kill $!\n",
	      stderr);
	exit(2);
}

/* Accept all events, except for uevents that were triggered through sysfs */
static void set_filter(int queue)
{
	struct watch_notification_type_filter *rule;
	struct watch_notification_filter *filter;
	unsigned int type;

	filter = calloc(1, sizeof(*filter) + WATCH_TYPE__NR * sizeof(*rule));
	if (!filter)
		err(1, "calloc");
	/* Records of WATCH_TYPE_META, which is 0, are always accepted */
	for (type = 1; type < WATCH_TYPE__NR; type++) {
		rule = &filter->filters[filter->nr_filters++];
		rule->type = type;
		memset(rule->subtype_filter, 0xff, sizeof(rule->subtype_filter));
		/* These bits must be equal to info_filter, which is 0 */
		if (type == WATCH_TYPE_DEVICE_NOTIFY)
			rule->info_mask = NOTIFY_DEVICE_SYNTHETIC;
	}
	if (ioctl(queue, IOC_WATCH_QUEUE_SET_FILTER, filter))
		err(1, "IOC_WATCH_QUEUE_SET_FILTER");
	free(filter);
}

static void watch_key(int queue, const char *name, unsigned int id)
{
	int key = strcmp(name, "@s") ? atoi(name) : KEY_SPEC_SESSION_KEYRING;

	/* A kernel without this flag, which has fewer events, returns EINVAL */
	if (syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, queue, id | KEY_WATCH_EXTENDED))
		err(1, "cannot watch key %s", name);
}

static void add_watch(int queue, const char *arg, unsigned int id)
{
	struct watch_queue_watch watch = { .type = 1, .fd = -1, .id = id };
	int flags = O_PATH | O_CLOEXEC;

	while (strncmp(arg, types[watch.type], strlen(types[watch.type])))
		if (++watch.type == WATCH_TYPE__NR)
			usage();
	arg += strlen(types[watch.type]);

	if (watch.type == WATCH_TYPE_KEY_NOTIFY) {
		watch_key(queue, arg, id);
		return;
	}
	if (watch.type == WATCH_TYPE_MOUNT_NOTIFY)
		watch.flags = WATCH_SUBTREE;
	/* A block device must be open for reading */
	if (watch.type == WATCH_TYPE_BLOCK_NOTIFY)
		flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
	if (strcmp(arg, "all")) {
		watch.fd = open(arg, flags);
		if (watch.fd < 0)
			err(1, "%s", arg);
	}
	if (ioctl(queue, IOC_WATCH_QUEUE_ADD_WATCH, &watch))
		err(1, "cannot watch %s", arg);
	/* An open file keeps the object busy, a watch does not */
	if (watch.fd >= 0)
		close(watch.fd);
}

static void print_record(const union watch_record *rec)
{
	unsigned int event = rec->watch.subtype, lost = watch_record_lost(rec);

	if (lost) {
		/* A program that tracks a state reads the state again */
		printf("%u%s records lost\n", lost, lost == 0xffff ? " or more" : "");
		return;
	}

	printf("watch %u: ", watch_record_id(rec));
	switch (rec->watch.type) {
	case WATCH_TYPE_META:
		printf("removed from object %llu\n", (unsigned long long)rec->removal.id);
		break;
	case WATCH_TYPE_KEY_NOTIFY:
		printf("key %u: event %u, aux %u\n", rec->key.key_id, event, rec->key.aux);
		break;
	case WATCH_TYPE_MOUNT_NOTIFY:
		printf("mount %llx on %llx: event %u\n", (unsigned long long)rec->mount.mnt_id,
		       (unsigned long long)rec->mount.parent_id, event);
		break;
	case WATCH_TYPE_SB_NOTIFY:
		printf("%s filesystem %u:%u: event %u\n", rec->sb.fs_type,
		       rec->sb.dev_major, rec->sb.dev_minor, event);
		break;
	case WATCH_TYPE_BLOCK_NOTIFY:
		printf("block device %u:%u: event %u, sector %llu\n", rec->block.dev_major,
		       rec->block.dev_minor, event, (unsigned long long)rec->block.sector);
		break;
	case WATCH_TYPE_DEVICE_NOTIFY:
		printf("%s device %s: event %u\n", watch_record_subsystem(rec),
		       watch_record_devpath(rec), event);
		break;
	default:
		/* A later kernel may have more types */
		printf("type %u, event %u\n", rec->watch.type, event);
	}
}

static void print_records(const void *buf, size_t len)
{
	struct watch_records records = { .next = buf, .left = len };
	union watch_record rec;
	int ret;

	while ((ret = watch_record_next(&records, &rec)) > 0)
		print_record(&rec);
	if (ret < 0)
		errx(1, "malformed record");
}

int main(int argc, char **argv)
{
	struct pollfd pfd = { .events = POLLIN };	/* may be one of several */
	unsigned long size = 256;
	unsigned int id = 1;		/* 0 to 255 */
	char buf[4096];			/* at least 128 */
	int opt, fds[2];
	ssize_t len;

	while ((opt = getopt(argc, argv, "n:")) == 'n')
		size = strtoul(optarg, NULL, 10);
	if (opt != -1 || optind == argc)
		usage();

	if (pipe2(fds, O_NOTIFICATION_PIPE | O_CLOEXEC))
		err(1, "cannot create a notification queue");
	if (ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, size))
		err(1, "IOC_WATCH_QUEUE_SET_SIZE");
	set_filter(fds[0]);
	while (optind < argc)
		add_watch(fds[0], argv[optind++], id++);
	/* With the write end closed, read() returns 0 when no watch is left */
	close(fds[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* A program that tracks a state reads the state here */
	puts("watching");

	pfd.fd = fds[0];
	do {
		if (poll(&pfd, 1, -1) < 0)
			err(1, "poll");
		len = read(fds[0], buf, sizeof(buf));
		if (len < 0)
			err(1, "read");
		print_records(buf, len);
	} while (len);
	return 0;
}
