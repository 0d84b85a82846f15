// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost for a program that uses libmount to follow one change among NR mounts
 *
 *	libmount-NR-table	wait, read the table, compare it with the previous one
 *	libmount-NR-queue	wait, get the ID of the mount, statmount()
 *
 * Prints "NAME VALUE" for each, like bench/bench.c.  VALUE is in ticks of the TSC.  Under
 * "qemu -icount shift=0" a tick is one instruction.  Each value is the minimum of several
 * repetitions, because some of them include a timer interrupt.
 *
 *	bench [NR]		number of mounts (1000)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/mount.h>

#define REPETITIONS	31
#define PLACE		"/tmp/bench-libmount"	/* all mounts are below it */
#define CHANGING	PLACE "/changing"
#define MOUNTINFO	"/proc/self/mountinfo"

static struct libmnt_monitor *monitor;
static struct libmnt_table *before, *now;
static struct libmnt_tabdiff *diff;
static char found[256];		/* mount point of the changed mount */

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static void wait_for_change(void)
{
	struct pollfd p = { .fd = mnt_monitor_get_fd(monitor), .events = POLLIN };

	if (poll(&p, 1, -1) != 1)
		die("poll");
}

static struct libmnt_table *new_table(void)
{
	struct libmnt_table *tb = mnt_new_table();

	if (!tb || mnt_table_parse_file(tb, MOUNTINFO))
		die(MOUNTINFO);
	return tb;
}

static void follow_table(void)
{
	struct libmnt_fs *old, *new = NULL;
	struct libmnt_iter *itr = mnt_new_iter(MNT_ITER_FORWARD);
	int change = 0;

	wait_for_change();
	if (mnt_monitor_event_cleanup(monitor))
		die("mnt_monitor_event_cleanup");
	now = new_table();
	if (mnt_diff_tables(diff, before, now) < 0)
		die("mnt_diff_tables");
	if (mnt_tabdiff_next_change(diff, itr, &old, &new, &change) ||
	    change != MNT_TABDIFF_MOUNT)
		die("mnt_tabdiff_next_change");
	strcpy(found, mnt_fs_get_target(new));
	mnt_free_iter(itr);
}

static void follow_queue(void)
{
	static char buf[4096];
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.param = STATMOUNT_MNT_POINT,
	};
	struct statmount *sm = (void *)buf;
	uint64_t id = 0;
	int change = 0;

	wait_for_change();
	if (mnt_monitor_next_mount(monitor, &id, &change) ||
	    change != MNT_TABDIFF_MOUNT)
		die("mnt_monitor_next_mount");
	req.mnt_id = id;
	if (syscall(__NR_statmount, &req, sm, sizeof(buf), 0))
		die("statmount");
	strcpy(found, sm->str + sm->mnt_point);
}

static void prepare(void)
{
	if (umount(CHANGING) && errno != EINVAL)
		die("umount");
	mnt_unref_table(before);
	mnt_unref_table(now);
	now = NULL;
	before = new_table();
	if (mnt_monitor_event_cleanup(monitor))
		die("mnt_monitor_event_cleanup");
	if (mount("bench", CHANGING, "tmpfs", 0, NULL))
		die("mount");
}

static void run(unsigned int nr, const char *name, void (*follow)(void))
{
	uint64_t best = UINT64_MAX, took;
	char row[64];

	for (int i = 0; i < REPETITIONS; i++) {
		prepare();
		found[0] = '\0';
		took = ticks();
		follow();
		took = ticks() - took;
		if (took < best)
			best = took;
		if (strcmp(found, CHANGING))
			die(name);
	}
	snprintf(row, sizeof(row), "libmount-%u-%s", nr, name);
	printf("%-24s %llu.0\n", row, (unsigned long long)best);
}

static void fill(unsigned int nr)
{
	char path[64];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    (mkdir(PLACE, 0755) && errno != EEXIST) ||
	    mount("bench", PLACE, "tmpfs", 0, NULL) || mkdir(CHANGING, 0755))
		die(PLACE);
	for (unsigned int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), PLACE "/%u", i);
		if (mkdir(path, 0755) || mount(CHANGING, path, NULL, MS_BIND, NULL))
			die(path);
	}
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;

	fill(nr);
	monitor = mnt_new_monitor();
	diff = mnt_new_tabdiff();
	if (!monitor || !diff || mnt_monitor_enable_kernel(monitor, 1) ||
	    mnt_monitor_get_fd(monitor) < 0)
		die("mnt_new_monitor");
	run(nr, "table", follow_table);
	run(nr, "queue", follow_queue);
	return 0;
}
