// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test of the kernel monitor of libmount
 *
 * Each test runs with the queue, and on mountinfo as on a kernel without the queue. The
 * tests of what only the queue does run with the queue.
 *
 * The program replaces some functions of the C library, which libmount then calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libmount.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/watch_queue.h>

#include "kselftest_harness.h"

#define BASE		"/tmp/monitor_test"	/* all mounts are below it */
#define A		BASE "/a"
#define B		BASE "/b"
#define MOUNTINFO	"/proc/self/mountinfo"
#define LIMIT		"/proc/sys/user/max_watch_queue_watches"
#define NOBODY		65534
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE	0x00004000U
#endif
#define ENOUGH		1000	/* calls; a loop without a bound makes more */

/*
 * Functions that libmount calls
 */

static bool no_queue;		/* the kernel has no queue */
static bool one_record;		/* a read() returns one record */
static int changes;		/* changes to make, one in each of the other calls */
static int nr_waits, nr_reads;	/* calls */
static struct watch_notification last;	/* header of the last record */

static void change(void)
{
	if (mount(A, A, NULL, MS_BIND, NULL) || umount(A))
		ksft_exit_fail_msg("bind mount: %s\n", strerror(errno));
}

static void change_if_any(void)
{
	if (changes) {
		changes--;
		change();
	}
}

int pipe2(int fds[2], int flags)
{
	if (no_queue) {
		errno = ENOPKG;
		return -1;
	}
	return syscall(__NR_pipe2, fds, flags);
}

ssize_t read(int fd, void *buf, size_t len)
{
	ssize_t ret;

	nr_reads++;
	change_if_any();
	if (one_record && len > sizeof(struct mount_notification))
		len = sizeof(struct mount_notification);
	ret = syscall(__NR_read, fd, buf, len);
	if (ret >= (ssize_t)sizeof(last))
		memcpy(&last, buf, sizeof(last));
	return ret;
}

int epoll_wait(int fd, struct epoll_event *events, int nr, int timeout)
{
	nr_waits++;
	change_if_any();
	return syscall(__NR_epoll_pwait, fd, events, nr, timeout, NULL, 8);
}

/*
 * Helpers
 */

/* Wait for a change. If there is none, the harness ends the test. */
static bool becomes_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, -1) == 1 && p.revents == POLLIN;
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

/* The result of mnt_monitor_next_change(). A change must be one of the kernel. */
static int next(struct libmnt_monitor *mn)
{
	const char *file = "";
	int type = 0, ret = mnt_monitor_next_change(mn, &file, &type);

	if (ret == 0 && (type != MNT_MONITOR_TYPE_KERNEL || strcmp(file, MOUNTINFO)))
		return -EBADMSG;
	return ret;
}

/* Does this process have mountinfo open? */
static bool uses_mountinfo(void)
{
	char path[32], link[64];
	ssize_t len;

	for (int fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, link, sizeof(link) - 1);
		if (len < 0)
			continue;
		link[len] = '\0';
		if (strstr(link, "/mountinfo"))
			return true;
	}
	return false;
}

static bool make_tmpfs(const char *where)
{
	mkdir(where, 0755);
	return !mount("monitor", where, "tmpfs", 0, NULL);
}

/* Enter a mount namespace with private mounts, and mount a tmpfs at BASE and at A */
static bool make_base(void)
{
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       make_tmpfs(BASE) && make_tmpfs(A) && !mkdir(B, 0755);
}

/* Unique ID of the mount at a path, or 0 */
static uint64_t mnt_id(const char *path)
{
	struct statx stx;

	return syscall(__NR_statx, AT_FDCWD, path, 0, STATX_MNT_ID_UNIQUE, &stx) ?
	       0 : stx.stx_mnt_id;
}

static int monitor_kernel(struct libmnt_monitor *mn)
{
	int ret = mnt_monitor_enable_kernel(mn, 1);

	return ret < 0 ? ret : mnt_monitor_get_fd(mn);
}

/*
 * With the queue and on mountinfo
 */

FIXTURE(monitor)
{
	struct libmnt_monitor *mn;
	int fd;
};

FIXTURE_VARIANT(monitor)
{
	bool no_queue;
};

FIXTURE_VARIANT_ADD(monitor, queue) { };
FIXTURE_VARIANT_ADD(monitor, mountinfo) { .no_queue = true };

FIXTURE_SETUP(monitor)
{
	ASSERT_TRUE(make_base());
	no_queue = variant->no_queue;
	self->mn = mnt_new_monitor();
	ASSERT_NE(NULL, self->mn);
	self->fd = monitor_kernel(self->mn);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(no_queue, uses_mountinfo());
}

FIXTURE_TEARDOWN(monitor)
{
	mnt_unref_monitor(self->mn);
}

/* The operation makes the descriptor readable, and is one change of type kernel */
#define IS_CHANGE(operation) do {					\
	EXPECT_FALSE(is_readable(self->fd));				\
	ASSERT_EQ(0, operation);					\
	EXPECT_TRUE(becomes_readable(self->fd));			\
	EXPECT_EQ(0, next(self->mn));					\
	EXPECT_EQ(1, next(self->mn));					\
} while (0)

TEST_F(monitor, changes)
{
	EXPECT_EQ(1, next(self->mn));
	IS_CHANGE(mount("monitor", B, "tmpfs", 0, NULL));
	IS_CHANGE(mount(NULL, B, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	IS_CHANGE(mount(NULL, B, NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL));
	IS_CHANGE(mount(B, A, NULL, MS_MOVE, NULL));
	IS_CHANGE(umount(A));
	EXPECT_FALSE(is_readable(self->fd));
}

/* Remounting the filesystem may be two changes, as the second one may be later */
TEST_F(monitor, remount_of_filesystem)
{
	ASSERT_EQ(0, mount(NULL, A, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	EXPECT_TRUE(becomes_readable(self->fd));
	EXPECT_EQ(0, next(self->mn));
}

/* Changes that are made before the program reacts are one change */
TEST_F(monitor, many_changes)
{
	for (int i = 0; i < 100; i++)
		change();
	EXPECT_TRUE(becomes_readable(self->fd));
	EXPECT_EQ(0, next(self->mn));
	EXPECT_EQ(1, next(self->mn));
	EXPECT_FALSE(is_readable(self->fd));
}

/* A change is found as soon as the system call that makes it has returned. */
TEST_F(monitor, change_is_immediate)
{
	for (int i = 0; i < 100; i++) {
		change();
		EXPECT_EQ(0, next(self->mn));
		EXPECT_EQ(1, next(self->mn));
		change();
		EXPECT_EQ(1, mnt_monitor_wait(self->mn, 0));
		EXPECT_EQ(0, next(self->mn));
	}
	EXPECT_FALSE(is_readable(self->fd));
}

TEST_F(monitor, wait)
{
	EXPECT_EQ(0, mnt_monitor_wait(self->mn, 0));
	change();
	EXPECT_EQ(1, mnt_monitor_wait(self->mn, -1));
	EXPECT_EQ(0, next(self->mn));
	EXPECT_EQ(1, next(self->mn));
	EXPECT_EQ(0, mnt_monitor_wait(self->mn, 0));
}

TEST_F(monitor, cleanup)
{
	change();
	EXPECT_EQ(1, mnt_monitor_wait(self->mn, -1));
	change();
	EXPECT_EQ(0, mnt_monitor_event_cleanup(self->mn));
	EXPECT_FALSE(is_readable(self->fd));
	EXPECT_EQ(1, next(self->mn));
}

/* The cleanup ends even if changes are made faster than they are drained. */
TEST_F(monitor, cleanup_is_bounded)
{
	changes = ENOUGH;
	nr_reads = 0;
	nr_waits = 0;
	EXPECT_EQ(0, mnt_monitor_event_cleanup(self->mn));
	EXPECT_GT(10, nr_waits);
	EXPECT_GT(10, nr_reads);
	changes = 0;
	change();
	EXPECT_TRUE(becomes_readable(self->fd));
	EXPECT_EQ(0, mnt_monitor_event_cleanup(self->mn));
	EXPECT_FALSE(is_readable(self->fd));
}

/* The descriptor works in another epoll. */
TEST_F(monitor, nested)
{
	struct epoll_event event = { .events = EPOLLIN };
	int top = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_GE(top, 0);
	ASSERT_EQ(0, epoll_ctl(top, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(top, &event, 1, 0));
	for (int i = 0; i < 3; i++) {
		change();
		EXPECT_EQ(1, epoll_wait(top, &event, 1, -1));
		EXPECT_EQ(0, mnt_monitor_event_cleanup(self->mn));
		EXPECT_EQ(0, epoll_wait(top, &event, 1, 0));
	}
	close(top);
}

TEST_F(monitor, enable)
{
	EXPECT_EQ(0, mnt_monitor_enable_kernel(self->mn, 0));
	change();
	EXPECT_FALSE(is_readable(self->fd));
	EXPECT_EQ(1, next(self->mn));
	EXPECT_EQ(0, mnt_monitor_enable_kernel(self->mn, 0));
	EXPECT_EQ(0, mnt_monitor_enable_kernel(self->mn, 1));
	EXPECT_EQ(1, next(self->mn));
	change();
	EXPECT_TRUE(becomes_readable(self->fd));
	EXPECT_EQ(0, next(self->mn));
}

/* Only the queue has the ID of the changed mount. */
TEST_F(monitor, next_mount)
{
	uint64_t id = 0;

	change();
	EXPECT_EQ(no_queue ? -ENOTSUP : 0, mnt_monitor_next_mount(self->mn, &id, NULL));
	EXPECT_EQ(no_queue, id == 0);
	EXPECT_EQ(0, mnt_monitor_event_cleanup(self->mn));
	EXPECT_FALSE(is_readable(self->fd));
}

/* Another entry can be enabled while an entry has an event. */
TEST_F(monitor, enable_userspace)
{
	int fd, type = 0;

	change();
	EXPECT_EQ(0, mnt_monitor_enable_userspace(self->mn, 1, BASE "/utab"));
	EXPECT_EQ(0, next(self->mn));
	EXPECT_EQ(1, next(self->mn));

	fd = open(BASE "/utab.lock", O_CREAT | O_RDONLY | O_CLOEXEC, 0644);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, mnt_monitor_enable_kernel(self->mn, 0));
	EXPECT_EQ(0, mnt_monitor_enable_kernel(self->mn, 1));
	EXPECT_EQ(0, mnt_monitor_next_change(self->mn, NULL, &type));
	EXPECT_EQ(MNT_MONITOR_TYPE_USERSPACE, type);
	EXPECT_EQ(1, next(self->mn));
	close(fd);
}

/*
 * With the queue
 */

FIXTURE(queue)
{
	struct libmnt_monitor *mn;
	int fd;
};

FIXTURE_SETUP(queue)
{
	ASSERT_TRUE(make_base());
	self->mn = mnt_new_monitor();
	ASSERT_NE(NULL, self->mn);
	self->fd = monitor_kernel(self->mn);
	ASSERT_GE(self->fd, 0);
	ASSERT_FALSE(uses_mountinfo());
}

FIXTURE_TEARDOWN(queue)
{
	mnt_unref_monitor(self->mn);
}

static bool last_is_loss(void)
{
	return last.type == WATCH_TYPE_META && last.subtype == WATCH_META_LOSS_NOTIFICATION;
}

/* A loss record is a change by itself. */
TEST_F(queue, loss)
{
	int i, ret = 0;

	for (i = 0; i < ENOUGH; i++)
		change();
	one_record = true;
	for (i = 0; i < ENOUGH && ret == 0 && !last_is_loss(); i++)
		ret = next(self->mn);
	EXPECT_GT(i, 1);
	EXPECT_TRUE(last_is_loss());
	EXPECT_EQ(0, ret);
	EXPECT_EQ(1, next(self->mn));
	EXPECT_FALSE(is_readable(self->fd));
}

/* The next record is about this mount. */
#define NEXT(of, what) do {						\
	uint64_t __id = 0;						\
	int __change = 0;						\
									\
	EXPECT_EQ(0, mnt_monitor_next_mount(self->mn, &__id, &__change));	\
	EXPECT_EQ(of, __id);						\
	EXPECT_EQ(MNT_TABDIFF_##what, __change);			\
} while (0)

TEST_F(queue, next_mount)
{
	uint64_t id, a = mnt_id(A), b;

	EXPECT_EQ(1, mnt_monitor_next_mount(self->mn, &id, NULL));
	ASSERT_EQ(0, mount("monitor", B, "tmpfs", 0, NULL));
	b = mnt_id(B);
	ASSERT_NE(0, b);
	EXPECT_TRUE(becomes_readable(self->fd));
	NEXT(b, MOUNT);
	EXPECT_FALSE(is_readable(self->fd));
	ASSERT_EQ(0, mount(NULL, A, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	ASSERT_EQ(0, mount(NULL, A, NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC | MS_RDONLY, NULL));
	ASSERT_EQ(0, mount(B, A, NULL, MS_MOVE, NULL));
	ASSERT_EQ(0, mount(NULL, A, NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, umount(A));
	NEXT(a, REMOUNT);
	NEXT(a, REMOUNT);
	NEXT(b, MOVE);
	NEXT(b, PROPAGATION);
	NEXT(b, UMOUNT);
	EXPECT_EQ(1, mnt_monitor_next_mount(self->mn, &id, NULL));
	EXPECT_FALSE(is_readable(self->fd));
}

/* Each record is returned, or a loss is. */
TEST_F(queue, next_mount_after_loss)
{
	uint64_t id, ends[2] = { };
	int i, ret;

	for (i = 0; i < ENOUGH; i++)
		change();
	for (i = 0; (ret = mnt_monitor_next_mount(self->mn, &id, NULL)) == 0; i++)
		ends[i > 0] = id;
	EXPECT_EQ(-EOVERFLOW, ret);
	EXPECT_GE(i, 254);
	EXPECT_LT(ends[0], ends[1]);
	EXPECT_EQ(1, mnt_monitor_next_mount(self->mn, &id, NULL));
	change();
	EXPECT_EQ(0, mnt_monitor_next_mount(self->mn, &id, NULL));
	EXPECT_EQ(0, mnt_monitor_next_mount(self->mn, &id, NULL));
	EXPECT_EQ(1, mnt_monitor_next_mount(self->mn, &id, NULL));
}

/* The record about a changed filesystem stands for all its mounts. */
TEST_F(queue, next_mount_of_filesystem)
{
	uint64_t id;

	ASSERT_EQ(0, mount(A, B, NULL, MS_BIND, NULL));
	NEXT(mnt_id(B), MOUNT);
	ASSERT_EQ(0, mount(NULL, A, NULL, MS_REMOUNT, "size=1m"));
	EXPECT_TRUE(becomes_readable(self->fd));
	EXPECT_EQ(-EOVERFLOW, mnt_monitor_next_mount(self->mn, &id, NULL));
	EXPECT_EQ(1, mnt_monitor_next_mount(self->mn, &id, NULL));
	change();
	EXPECT_EQ(0, mnt_monitor_next_mount(self->mn, &id, NULL));
}

/* After the end of the namespace, no more changes are returned. */
TEST_F(queue, next_mount_at_end)
{
	uint64_t id;
	int i;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	for (i = 0; i < ENOUGH && mnt_monitor_next_mount(self->mn, &id, NULL) == 0; i++)
		;
	EXPECT_GT(i, 0);
	EXPECT_EQ(1, mnt_monitor_next_mount(self->mn, &id, NULL));
	EXPECT_FALSE(is_readable(self->fd));
}

/* Changes of propagation are not reported by poll() on mountinfo */
TEST_F(queue, propagation)
{
	ASSERT_EQ(0, mount(NULL, A, NULL, MS_SHARED, NULL));
	EXPECT_TRUE(becomes_readable(self->fd));
	EXPECT_EQ(0, next(self->mn));
}

/* A change of the filesystem that is made elsewhere, as by an error */
TEST_F(queue, filesystem_becomes_readonly)
{
	pid_t child;
	int status;

	child = fork();
	if (!child)
		_exit(unshare(CLONE_NEWNS) ||
		      mount(NULL, A, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_TRUE(becomes_readable(self->fd));
	EXPECT_EQ(0, next(self->mn));
	EXPECT_FALSE(is_readable(self->fd));
}

/* When the namespace ends, the mounts change, and then nothing more happens. */
TEST_F(queue, end_of_namespace)
{
	int i;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	for (i = 0; i < ENOUGH && next(self->mn) == 0; i++)
		;
	EXPECT_GT(i, 0);
	EXPECT_LT(i, ENOUGH);
	EXPECT_FALSE(is_readable(self->fd));
	EXPECT_EQ(0, mnt_monitor_wait(self->mn, 0));
	/* Enabled again, it monitors the new namespace */
	EXPECT_EQ(0, mnt_monitor_enable_kernel(self->mn, 1));
	change();
	EXPECT_EQ(0, next(self->mn));
}

/*
 * Without privilege: the child is the program, and the parent makes the change
 */

FIXTURE(unprivileged)
{
	int sync[2];
	char limit[32];		/* the former one */
};

FIXTURE_VARIANT(unprivileged)
{
	const char *root;	/* directory for chroot(), or NULL */
	const char *limit;	/* number of watches that a user may have, or NULL */
	bool fallback;
};

FIXTURE_VARIANT_ADD(unprivileged, queue) { };
/* Mounts that cannot be reached are not reported to the program */
FIXTURE_VARIANT_ADD(unprivileged, chroot) { .root = A, .fallback = true };
FIXTURE_VARIANT_ADD(unprivileged, limit) { .limit = "0", .fallback = true };

/* Set the limit. The former one is stored in @old, of 32 bytes, if it is not NULL. */
static bool set_limit(const char *new, char *old)
{
	int fd = open(LIMIT, O_RDWR | O_CLOEXEC);
	bool set = fd >= 0 && (!old || pread(fd, old, 31, 0) > 0) &&
		   pwrite(fd, new, strlen(new), 0) > 0;

	close(fd);
	return set;
}

FIXTURE_SETUP(unprivileged)
{
	ASSERT_TRUE(make_base());
	ASSERT_EQ(0, mount("/", A, NULL, MS_BIND | MS_REC, NULL));
	ASSERT_EQ(0, pipe(self->sync));
}

FIXTURE_TEARDOWN(unprivileged)
{
	if (self->limit[0])
		set_limit(self->limit, NULL);
}

/* The steps of the child, as its exit status if one fails */
static int program(int sync, const char *root, bool fallback)
{
	struct libmnt_monitor *mn = mnt_new_monitor();
	int fd;

	if (root && (chroot(root) || chdir("/")))
		return 1;
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		return 2;
	fd = mn ? monitor_kernel(mn) : -1;
	if (fd < 0 || next(mn) != 1)
		return 3;
	if (uses_mountinfo() != fallback)
		return 4;
	if (write(sync, "", 1) != 1)
		return 5;
	if (!becomes_readable(fd) || next(mn) != 0 || next(mn) != 1)
		return 6;
	mnt_unref_monitor(mn);
	return 0;
}

TEST_F(unprivileged, change)
{
	pid_t child;
	int status;

	if (variant->limit)
		ASSERT_TRUE(set_limit(variant->limit, self->limit));
	child = fork();
	if (!child) {
		close(self->sync[0]);
		_exit(program(self->sync[1], variant->root, variant->fallback));
	}
	close(self->sync[1]);
	/* Otherwise, the child has failed */
	if (becomes_readable(self->sync[0]))
		ASSERT_EQ(0, mount("monitor", A "/tmp", "tmpfs", 0, NULL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
