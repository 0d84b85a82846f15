// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost for a program, such as a service manager, to find the ID and the mount
 * point of a new mount
 *
 *	mountinfo	poll(), read the whole table, compare (as libmount does)
 *	listmount	poll(), list the IDs, compare, statmount() of the new one
 *	queue		poll(), read the record, statmount()
 *	record		read the record, which has the type of the filesystem
 *	fanotify	poll(), read the event of the mount namespace, statmount()
 *
 * The comparison is cheap, because both lists are sorted by ID.
 */
#include "mounts.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/mount.h>

#define MAX_MOUNTS	10100			/* includes those of the system */
#define MANY_IDS	512			/* per listmount() */

#define PLACE_LEN	64

struct mount_line {
	uint64_t id;
	const char *place;
};

struct listing {
	size_t nr;
	struct mount_line mount[MAX_MOUNTS];
};

static unsigned int nr_mounts;		/* mounts that fill() made */
static int mountinfo = -1;
static struct listing before, now;
static char text[2][MAX_MOUNTS * 128];	/* contents of mountinfo */
static struct mount_line found;		/* the new mount */

static void place(char *path, unsigned int i)
{
	snprintf(path, PLACE_LEN, PLACE "/%u/%u", i % 100, i);
}

void fill(unsigned int nr)
{
	static bool ready;
	char path[PLACE_LEN];

	if (!ready) {
		ready = true;
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mkdir(PLACE, 0755) || mount("bench", PLACE, "tmpfs", 0, NULL) ||
		    mkdir(CHANGING, 0755))
			die(PLACE);
		for (unsigned int i = 0; i < 100; i++) {
			snprintf(path, sizeof(path), PLACE "/%u", i);
			if (mkdir(path, 0755))
				die(path);
		}
	}
	for (; nr_mounts < nr; nr_mounts++) {
		place(path, nr_mounts);
		if (mkdir(path, 0755) || mount(CHANGING, path, NULL, MS_BIND, NULL))
			die(path);
	}
}

static void mount_one(void)
{
	if (mount("bench", CHANGING, "tmpfs", 0, NULL))
		die("mount");
}

static void umount_one(void)
{
	if (umount(CHANGING) && errno != EINVAL)
		die("umount");
}

static void wait_for(int fd, short events)
{
	struct pollfd p = { fd, events };

	if (poll(&p, 1, -1) != 1)
		die("poll");
}

/* Find the new mount: the first difference, because both lists are sorted by ID */
static void compare(void)
{
	size_t i = 0;

	while (i < before.nr && i < now.nr && before.mount[i].id == now.mount[i].id)
		i++;
	found = i < now.nr ? now.mount[i] : (struct mount_line){ };
}

/* The new mount must have been found */
static void check_found(const struct scenario *s)
{
	if (!found.place || strcmp(found.place, CHANGING))
		die(s->name);
}

/*
 * mountinfo
 */

/* In each line, the first word is the ID and the fifth the mount point */
static void read_table(struct listing *l, char *p, size_t room)
{
	ssize_t len;
	char *end = p;

	if (lseek(mountinfo, 0, SEEK_SET))
		die("mountinfo");
	while ((len = read(mountinfo, end, p + room - 1 - end)) > 0)
		end += len;
	*end = '\0';
	for (l->nr = 0; *p; l->nr++) {
		if (l->nr == MAX_MOUNTS)
			die("too many mounts");
		end = strchr(p, '\n');
		l->mount[l->nr].id = strtoul(p, &p, 10);
		for (int word = 1; word < 4; word++)
			p = strchr(p + 1, ' ');
		l->mount[l->nr].place = ++p;
		*strchr(p, ' ') = '\0';
		p = end + 1;
	}
}

static bool setup_mountinfo(const struct scenario *s)
{
	fill(s->nr);
	mountinfo = keep(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
	return true;
}

static void prepare_mountinfo(const struct scenario *s)
{
	umount_one();
	read_table(&before, text[0], sizeof(text[0]));
	mount_one();
}

static uint64_t run_mountinfo(const struct scenario *s)
{
	uint64_t start = ticks();

	wait_for(mountinfo, POLLPRI);
	read_table(&now, text[1], sizeof(text[1]));
	compare();
	return ticks() - start;
}

/*
 * listmount() and statmount(), which have no wrapper in the C library
 */

static void list_mounts(struct listing *l)
{
	struct mnt_id_req req = { .size = MNT_ID_REQ_SIZE_VER0, .mnt_id = LSMT_ROOT };
	uint64_t ids[MANY_IDS];
	long nr;

	l->nr = 0;
	do {
		nr = syscall(__NR_listmount, &req, ids, MANY_IDS, 0);
		if (nr < 0 || l->nr + nr > MAX_MOUNTS)
			die("listmount");
		for (long i = 0; i < nr; i++)
			l->mount[l->nr++].id = ids[i];
		req.param = ids[MANY_IDS - 1];
	} while (nr == MANY_IDS);
}

/* Returns the mount point, in the global buffer */
static const char *stat_mount(uint64_t id)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0, .mnt_id = id,
		.param = STATMOUNT_MNT_POINT,
	};
	struct statmount *sm = (void *)buffer;

	if (syscall(__NR_statmount, &req, sm, 4096, 0))
		die("statmount");
	return sm->str + sm->mnt_point;
}

static void prepare_listmount(const struct scenario *s)
{
	umount_one();
	list_mounts(&before);
	mount_one();
}

static uint64_t run_listmount(const struct scenario *s)
{
	uint64_t start = ticks();

	wait_for(mountinfo, POLLPRI);
	list_mounts(&now);
	compare();
	found.place = stat_mount(found.id);
	return ticks() - start;
}

/*
 * The queue
 */

/* Mounts that are made and unmounted.  The kernel allocates memory for several mounts. */
#define CHANGES		1024

bool watch_mounts(int fds[2])
{
	struct watch_queue_watch args = {
		.type = WATCH_TYPE_MOUNT_NOTIFY, .flags = WATCH_SUBTREE, .id = 1,
	};

	args.fd = keep(open("/", O_PATH | O_CLOEXEC));
	return open_queue(fds, 2 * CHANGES) &&
	       !ioctl(fds[0], IOC_WATCH_QUEUE_ADD_WATCH, &args);
}

static bool setup_queue(const struct scenario *s)
{
	fill(s->nr);
	return watch_mounts(queue);
}

static void prepare_queue(const struct scenario *s)
{
	umount_one();
	drain(queue[0]);
	mount_one();
}

static uint64_t run_queue(const struct scenario *s)
{
	struct mount_notification n;
	uint64_t start = ticks();

	wait_for(queue[0], POLLIN);
	if (read(queue[0], &n, sizeof(n)) != sizeof(n))
		die("read");
	found.place = stat_mount(n.mnt_id);
	return ticks() - start;
}

static uint64_t run_record(const struct scenario *s)
{
	static struct mount_notification n;
	uint64_t start = ticks();

	if (read(queue[0], &n, sizeof(n)) != sizeof(n))
		die("read");
	found = (struct mount_line){ n.mnt_id, n.fs_type };
	return ticks() - start;
}

static void check_record(const struct scenario *s)
{
	if (!found.id || strcmp(found.place, "tmpfs"))
		die(s->name);
}

/*
 * fanotify. The headers of a kernel before 6.15 do not have its mount events.
 */
#ifdef FAN_REPORT_MNT

bool mark_mounts(int *listener)
{
	int ns;

	*listener = fanotify_init(FAN_REPORT_MNT | FAN_NONBLOCK | FAN_CLOEXEC, 0);
	if (*listener < 0)
		return false;
	keep(*listener);
	ns = keep(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	if (fanotify_mark(*listener, FAN_MARK_ADD | FAN_MARK_MNTNS,
			  FAN_MNT_ATTACH | FAN_MNT_DETACH, ns, NULL))
		die("FAN_MARK_MNTNS");
	return true;
}

static bool setup_fanotify(const struct scenario *s)
{
	fill(s->nr);
	return mark_mounts(&queue[0]);
}

static uint64_t run_fanotify(const struct scenario *s)
{
	struct {
		struct fanotify_event_metadata event;
		struct fanotify_event_info_mnt mount;
	} n;
	uint64_t start = ticks();

	wait_for(queue[0], POLLIN);
	if (read(queue[0], &n, sizeof(n)) != sizeof(n))
		die("read");
	found.place = stat_mount(n.mount.mnt_id);
	return ticks() - start;
}
#endif /* FAN_REPORT_MNT */

/*
 * Cost of the mount operations themselves
 */

static bool setup_unwatched(const struct scenario *s)
{
	fill(s->nr);
	return true;
}

static void prepare_change(const struct scenario *s)
{
	umount_one();
	if (s->len)
		drain(queue[0]);
}

/* Use a bind mount, which does not need a new superblock */
static uint64_t change(const struct scenario *s, const char *path)
{
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++) {
		if (mount(PLACE "/0", path, NULL, MS_BIND, NULL) || umount(path))
			die(s->name);
	}
	return ticks() - start;
}

static uint64_t run_change(const struct scenario *s)
{
	return change(s, CHANGING);
}

#define DEEP		PLACE "/deep"
#define DEPTH		1000

/* Make a stack of DEPTH mounts. Call @then, if not NULL, after each of them. */
static void stack(void (*then)(void))
{
	mkdir(DEEP, 0755);
	if (mount("bench", DEEP, "tmpfs", 0, NULL) || mkdir(DEEP "/on", 0755))
		die(DEEP);
	for (unsigned int i = 0; i < DEPTH; i++) {
		if (mount(DEEP "/on", DEEP "/on", NULL, MS_BIND, NULL))
			die(DEEP "/on");
		if (then)
			then();
	}
}

static void prepare_deep(const struct scenario *s)
{
	stack(NULL);
	if (s->len)
		drain(queue[0]);
}

static void watch_and_leave(void)
{
	struct watch_queue_watch args = {
		.type = WATCH_TYPE_MOUNT_NOTIFY, .flags = WATCH_SUBTREE, .id = 2,
		.fd = open(DEEP "/on", O_PATH | O_CLOEXEC),
	};

	if (ioctl(queue[0], IOC_WATCH_QUEUE_ADD_WATCH, &args) ||
	    ioctl(queue[0], IOC_WATCH_QUEUE_REMOVE_WATCH, &args))
		die("watch");
	close(args.fd);
}

/* Add a watch to each mount of the stack, and remove it again */
static void prepare_deep_left(const struct scenario *s)
{
	stack(watch_and_leave);
	drain(queue[0]);
}

/*
 * On top of the stack, make a mount with COPIES slaves. A new mount propagates to each
 * slave, where the copy is mounted beneath an existing mount.
 */
#define COPIES		200
#define COPIED		DEEP "/on/copied"

static void prepare_tuck(const struct scenario *s)
{
	char path[PLACE_LEN];

	prepare_deep(s);
	if (mkdir(COPIED, 0755) || mount("bench", COPIED, "tmpfs", 0, NULL) ||
	    mkdir(COPIED "/x", 0755) || mount(NULL, COPIED, NULL, MS_SHARED, NULL))
		die(COPIED);
	for (unsigned int i = 0; i < COPIES; i++) {
		snprintf(path, sizeof(path), DEEP "/on/%u", i);
		if (mkdir(path, 0755) || mount(COPIED, path, NULL, MS_BIND, NULL) ||
		    mount(NULL, path, NULL, MS_SLAVE, NULL))
			die(path);
		strcat(path, "/x");
		if (mount(PLACE "/0", path, NULL, MS_BIND, NULL))
			die(path);
	}
	drain(queue[0]);
}

static uint64_t run_tuck(const struct scenario *s)
{
	uint64_t start = ticks(), took;

	if (mount(PLACE "/0", COPIED "/x", NULL, MS_BIND, NULL))
		die(s->name);
	took = ticks() - start;
	if (umount2(DEEP, MNT_DETACH))
		die(DEEP);
	return took;
}

/* Unmount the whole stack with one call */
static uint64_t run_deep(const struct scenario *s)
{
	uint64_t start = ticks();

	if (umount2(DEEP, MNT_DETACH))
		die(s->name);
	return ticks() - start;
}

/* Mount and unmount on top of the stack, by a relative path that avoids walking it */
static uint64_t run_change_deep(const struct scenario *s)
{
	uint64_t took;

	if (chdir(DEEP "/on") || (mkdir("changing", 0755) && errno != EEXIST))
		die(DEEP "/on");
	took = change(s, "changing");
	if (chdir("/") || umount2(DEEP, MNT_DETACH))
		die(DEEP);
	return took;
}

#define FIND(HOW, NR)							\
	{ "mounts-" #NR "-" #HOW, .setup = setup_ ## HOW,		\
	  .prepare = prepare_ ## HOW, .run = run_ ## HOW,		\
	  .check = check_found, .ops = 1, .nr = NR }
#define setup_listmount setup_mountinfo
#define prepare_fanotify prepare_queue

struct group mount_rows(void)
{
	static const struct scenario rows[] = {
		{ "mounts-change", .setup = setup_unwatched,
		  .prepare = prepare_change, .run = run_change, .ops = CHANGES },
		{ "mounts-change-watched", .minus = "mounts-change",
		  .setup = setup_queue, .prepare = prepare_change,
		  .run = run_change, .ops = CHANGES, .len = 1 },
		{ "mounts-deep", .setup = setup_unwatched,
		  .prepare = prepare_deep, .run = run_deep, .ops = DEPTH },
		{ "mounts-deep-watched", .minus = "mounts-deep",
		  .setup = setup_queue, .prepare = prepare_deep,
		  .run = run_deep, .ops = DEPTH, .len = 1 },
		{ "mounts-deep-left", .minus = "mounts-deep",
		  .setup = setup_queue, .prepare = prepare_deep_left,
		  .run = run_deep, .ops = DEPTH, .len = 1 },
		{ "mounts-tuck", .setup = setup_queue, .prepare = prepare_tuck,
		  .run = run_tuck, .ops = COPIES, .len = 1 },
		{ "mounts-change-deep", .setup = setup_unwatched,
		  .prepare = prepare_deep, .run = run_change_deep,
		  .ops = CHANGES },
		{ "mounts-change-deep-watched", .minus = "mounts-change-deep",
		  .setup = setup_queue, .prepare = prepare_deep,
		  .run = run_change_deep, .ops = CHANGES, .len = 1 },
		FIND(mountinfo, 10), FIND(listmount, 10), FIND(queue, 10),
		FIND(mountinfo, 1000), FIND(listmount, 1000), FIND(queue, 1000),
		{ "mounts-1000-record", .setup = setup_queue,
		  .prepare = prepare_queue, .run = run_record,
		  .check = check_record, .ops = 1, .nr = 1000 },
#ifdef FAN_REPORT_MNT
		FIND(fanotify, 1000),
#endif
		FIND(mountinfo, 10000), FIND(listmount, 10000), FIND(queue, 10000),
	};

	return GROUP(rows);
}
