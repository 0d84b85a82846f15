/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch queue test helpers: a mount namespace for each test, with a watched tmpfs
 */
#ifndef _SELFTESTS_WATCH_QUEUE_MOUNT_FIXTURE_H
#define _SELFTESTS_WATCH_QUEUE_MOUNT_FIXTURE_H

#include "mounts.h"

#define BASE		"/tmp/mount_test"
#define ID		7	/* watch on BASE with WATCH_SUBTREE, or on the namespace */
#define PATH_LEN	128

/*
 * Enters a new mount namespace with private mounts, and opens a queue that watches a new
 * tmpfs at BASE, the working directory; returns the ID of the mount
 */
static inline __u64 watch_base(struct __test_metadata *_metadata, struct reader *q)
{
	__u64 base;
	int ret;

	if (geteuid())
		SKIP(_exit(KSFT_SKIP), "needs root, to mount");
	reader_open(_metadata, q, 256);
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	mkdir(BASE, 0755);
	ASSERT_EQ(0, do_mount("base", BASE, "tmpfs", 0, NULL));
	ASSERT_EQ(0, chdir(BASE));
	base = mnt_id(BASE);
	ASSERT_NE(0, base);
	ret = mount_watch(q->fd, BASE, ID, WATCH_SUBTREE);
	if (ret == -EOPNOTSUPP)
		SKIP(_exit(KSFT_SKIP), "CONFIG_MOUNT_NOTIFICATIONS is not set");
	ASSERT_EQ(0, ret);
	return base;
}

/* Mounts a tmpfs on a new directory; returns the ID of the mount, or 0 */
static inline __u64 tmpfs(const char *where, unsigned long flags)
{
	mkdir(where, 0755);
	return do_mount(where, where, "tmpfs", flags, NULL) ? 0 : mnt_id(where);
}

/* Bind-mounts a directory on itself; returns the ID of the mount, or 0 */
static inline __u64 bound(const char *where)
{
	mkdir(where, 0755);
	return do_mount(where, where, NULL, MS_BIND, NULL) ? 0 : mnt_id(where);
}

/* The next record of self->q is this one */
#define GOT(subtype, mnt, parent, old, flags)				\
	EXPECT_TRUE(got_mount(&self->q, NOTIFY_MOUNT_##subtype, ID, mnt, parent, old, flags))
#define GOT_BY(id, subtype, mnt, parent, old, flags)			\
	EXPECT_TRUE(got_mount(&self->q, NOTIFY_MOUNT_##subtype, id, mnt, parent, old, flags))
#define GOT_NO_MORE()	EXPECT_TRUE(got_no_more(&self->q))

/* These records are next, in any order */
#define BY(id, subtype, mnt, parent, old, flags)			\
	((struct expected_mount) {					\
		NOTIFY_MOUNT_##subtype, id, mnt, parent, old, flags	\
	})
#define GOT_EACH_IN(queue, ...) do {					\
	struct expected_mount __want[] = { __VA_ARGS__ };		\
									\
	EXPECT_TRUE(got_mounts(queue, __want, ARRAY_SIZE(__want)));	\
} while (0)
#define GOT_EACH(...)	GOT_EACH_IN(&self->q, __VA_ARGS__)

/* Like ASSERT_TRUE(), in a child that has its own namespace */
#define CHECK(condition) do {						\
	if (!(condition)) {						\
		ksft_print_msg("line %d: " #condition "\n", __LINE__);	\
		_exit(1);						\
	}								\
} while (0)

static inline void child_queue(struct reader *q)
{
	int fd[2];

	memset(q, 0, sizeof(*q));
	CHECK(!pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC));
	CHECK(!queue_size(fd[0], 64));
	q->fd = fd[0];
	q->write_fd = fd[1];
}

static inline void sync_send(int fd)
{
	CHECK(write(fd, "", 1) == 1);
}

static inline void sync_wait(int fd)
{
	char c;

	CHECK(read(fd, &c, 1) == 1);
}

#endif /* _SELFTESTS_WATCH_QUEUE_MOUNT_FIXTURE_H */
