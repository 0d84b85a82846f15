// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long mount_lock is held while many mounts are unmounted with one call
 *
 * umount_tree() runs under mount_lock and does most of the work. Events of kprobes at
 * its begin and end have the time. The rows need the kernel of config/trace.config.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE		"/tmp/bench-lock"
#define TRACING		"/sys/kernel/tracing/"
#define MOUNTS		5000

static bool trace_set(const char *file, const char *text)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return false;
	ret = write(fd, text, strlen(text));
	close(fd);
	return ret == (int)strlen(text);
}

static void must_set(const char *file, const char *text)
{
	if (!trace_set(file, text))
		die(file);
}

static bool make_probes(void)
{
	static bool made;

	if (made)
		return true;
	if (mount("tracefs", TRACING, "tracefs", 0, NULL) && errno != EBUSY)
		return false;
	if (!trace_set("kprobe_events", "p:bench/umount_begin umount_tree\n"))
		return false;
	must_set("kprobe_events", "r:bench/umount_end umount_tree\n");
	must_set("trace_clock", "x86-tsc");
	must_set("events/bench/enable", "1");
	if (mkdir(PLACE, 0755))
		die(PLACE);
	made = true;
	return true;
}

/* @nr queues with a watch on all mounts */
static bool setup_lock(const struct scenario *s)
{
	struct watch_queue_watch args = {
		.type = WATCH_TYPE_MOUNT_NOTIFY, .flags = WATCH_SUBTREE, .id = 1,
	};
	int fds[2];

	if (!make_probes())
		return false;
	args.fd = keep(open("/", O_PATH | O_CLOEXEC));
	for (unsigned int i = 0; i < s->nr; i++) {
		if (!open_queue(fds, BATCH) ||
		    ioctl(fds[0], IOC_WATCH_QUEUE_ADD_WATCH, &args))
			die("watch");
	}
	return true;
}

static void prepare_lock(const struct scenario *s)
{
	char path[64];

	if (mount("bench", PLACE, "tmpfs", 0, NULL) ||
	    mount(NULL, PLACE, NULL, MS_PRIVATE, NULL))
		die(PLACE);
	for (unsigned int i = 0; i < s->ops; i++) {
		snprintf(path, sizeof(path), PLACE "/%u", i);
		if (mkdir(path, 0755) || mount(PLACE, path, NULL, MS_BIND, NULL))
			die(path);
	}
	/* Truncation clears it */
	close(open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
}

/* A line is "COMM-PID [CPU] FLAGS TIME: EVENT: ..." */
static uint64_t time_of(const char *event)
{
	FILE *trace = fopen(TRACING "trace", "re");
	char line[256], *at, *time;
	uint64_t found = 0;

	if (!trace)
		die("trace");
	while (!found && fgets(line, sizeof(line), trace)) {
		at = strstr(line, event);
		if (!at || at - line < 3)
			continue;
		for (time = at - 2; time > line && time[-1] != ' '; time--)
			;
		found = strtoull(time, NULL, 10);
	}
	fclose(trace);
	if (!found)
		die(event);
	return found;
}

static uint64_t run_lock(const struct scenario *s)
{
	if (umount2(PLACE, MNT_DETACH))
		die(s->name);
	return time_of("umount_end:") - time_of("umount_begin:");
}

struct group lock_rows(void)
{
	static const struct scenario rows[] = {
		{ "mounts-lock-0w", .setup = setup_lock, .prepare = prepare_lock,
		  .run = run_lock, .ops = MOUNTS, .once = true },
		{ "mounts-lock-128w", .setup = setup_lock, .prepare = prepare_lock,
		  .run = run_lock, .ops = MOUNTS, .nr = 128, .once = true },
	};

	return GROUP(rows);
}
