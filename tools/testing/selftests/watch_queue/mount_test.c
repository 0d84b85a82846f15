// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: events of mounts, their watchers, and permissions
 *
 * Each test has its own mount namespace with private mounts, and a tmpfs at BASE as its
 * working directory.
 */
#include "mount_fixture.h"

#define SOME_USER	64331
#define MOUNT_MAX	"/proc/sys/fs/mount-max"
#define SOME_MOUNTS	512	/* more than a namespace has in a test */

FIXTURE(mounts)
{
	struct reader q;
	__u64 base;
};

FIXTURE_SETUP(mounts)
{
	self->base = watch_base(_metadata, &self->q);
}

FIXTURE_TEARDOWN(mounts)
{
	reader_close(&self->q);
}

/* The values and layouts of the user ABI do not change. */
TEST(header)
{
	EXPECT_EQ(2, WATCH_TYPE_MOUNT_NOTIFY);
	EXPECT_EQ(1, WATCH_SUBTREE);
	EXPECT_EQ(0, NOTIFY_MOUNT_NEW);
	EXPECT_EQ(1, NOTIFY_MOUNT_UNMOUNT);
	EXPECT_EQ(2, NOTIFY_MOUNT_MOVE_FROM);
	EXPECT_EQ(3, NOTIFY_MOUNT_MOVE_TO);
	EXPECT_EQ(4, NOTIFY_MOUNT_RDONLY);
	EXPECT_EQ(5, NOTIFY_MOUNT_RDWR);
	EXPECT_EQ(6, NOTIFY_MOUNT_SETATTR);
	EXPECT_EQ(7, NOTIFY_MOUNT_PROPAGATION);
	EXPECT_EQ(8, NOTIFY_MOUNT_FS_CHANGED);
	EXPECT_EQ(9, NOTIFY_MOUNT_ROOT);
	EXPECT_EQ(0x010000, NOTIFY_MOUNT_IN_SUBTREE);
	EXPECT_EQ(0x020000, NOTIFY_MOUNT_IS_RDONLY);
	EXPECT_EQ(0x040000, NOTIFY_MOUNT_AUTOMOUNT);
	EXPECT_EQ(0x080000, NOTIFY_MOUNT_PROPAGATED);
	EXPECT_EQ(0x100000, NOTIFY_MOUNT_EXPIRED);
	EXPECT_EQ(0x200000, NOTIFY_MOUNT_FS_RDONLY);
	EXPECT_EQ(16, NOTIFY_FS_TYPE_LEN);
	EXPECT_EQ(72, sizeof(struct mount_notification));
	EXPECT_EQ(8, offsetof(struct mount_notification, mnt_id));
	EXPECT_EQ(16, offsetof(struct mount_notification, parent_id));
	EXPECT_EQ(24, offsetof(struct mount_notification, old_parent_id));
	EXPECT_EQ(32, offsetof(struct mount_notification, mnt_ns_id));
	EXPECT_EQ(40, offsetof(struct mount_notification, sb_id));
	EXPECT_EQ(48, offsetof(struct mount_notification, dev_major));
	EXPECT_EQ(52, offsetof(struct mount_notification, dev_minor));
	EXPECT_EQ(56, offsetof(struct mount_notification, fs_type));
}

/* NEW and UNMOUNT are posted for children of the watched mount, and for descendants. */
TEST_F(mounts, new_and_unmount)
{
	__u64 a, b, c;

	a = tmpfs("a", 0);
	b = tmpfs("a/b", 0);
	c = tmpfs("a/b/c", MS_RDONLY);
	ASSERT_NE(0, c);
	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, a, 0, BY_SUBTREE);
	GOT(NEW, c, b, 0, BY_SUBTREE | NOTIFY_MOUNT_IS_RDONLY | NOTIFY_MOUNT_FS_RDONLY);
	ASSERT_EQ(0, do_umount("a/b/c", 0));
	ASSERT_EQ(0, do_umount("a/b", 0));
	ASSERT_EQ(0, do_umount("a", 0));
	GOT(UNMOUNT, c, b, 0, BY_SUBTREE | NOTIFY_MOUNT_IS_RDONLY | NOTIFY_MOUNT_FS_RDONLY);
	GOT(UNMOUNT, b, a, 0, BY_SUBTREE);
	GOT(UNMOUNT, a, self->base, 0, 0);
	GOT_NO_MORE();
}

/* A watch without WATCH_SUBTREE gets the events of its mount and its children only. */
TEST_F(mounts, one_mount)
{
	__u64 a, b;

	ASSERT_EQ(0, mount_unwatch(self->q.fd, BASE, WATCH_SUBTREE));
	EXPECT_TRUE(got_mount_removal(&self->q, ID, self->base));
	ASSERT_EQ(0, mount_watch(self->q.fd, BASE, 1, 0));
	a = tmpfs("a", 0);
	GOT_BY(1, NEW, a, self->base, 0, 0);
	b = tmpfs("a/b", 0);
	GOT_NO_MORE();
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 2, 0));
	tmpfs("a/b/c", 0);
	ASSERT_EQ(0, do_setattr("a/b/c", false, MOUNT_ATTR_RDONLY, 0, 0));
	ASSERT_EQ(0, do_umount("a/b/c", 0));
	GOT_NO_MORE();
	ASSERT_EQ(0, do_setattr("a/b", false, MOUNT_ATTR_RDONLY, 0, 0));
	ASSERT_EQ(0, do_umount("a/b", 0));
	GOT_BY(2, RDONLY, b, a, 0, NOTIFY_MOUNT_IS_RDONLY);
	GOT_BY(2, UNMOUNT, b, a, 0, NOTIFY_MOUNT_IS_RDONLY);
	GOT_NO_MORE();
}

/* An event has a record for each watch, even if the watches share a queue. */
TEST_F(mounts, many_watches)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0), c;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, a, 0, BY_SUBTREE);
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 1, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 2, 0));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a/b", 3, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a/b", 4, 0));
	c = tmpfs("a/b/c", 0);
	GOT_EACH(BY(4, NEW, c, b, 0, 0),
		 BY(3, NEW, c, b, 0, 0),
		 BY(1, NEW, c, b, 0, BY_SUBTREE),
		 BY(ID, NEW, c, b, 0, BY_SUBTREE));
	GOT_NO_MORE();
}

/*
 * The watched ancestors of a mount change: by a watch on a mount in between, by moves,
 * and without any watch that could get an event of it.
 */
TEST_F(mounts, watched_ancestors)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0), c = tmpfs("a/b/c", 0);
	__u64 other = tmpfs("other", 0);

	mkdir("other/b", 0755);
	drop_records(&self->q);
	ASSERT_EQ(0, do_setattr("a/b/c", false, MOUNT_ATTR_NOEXEC, 0, 0));
	GOT(SETATTR, c, b, 0, BY_SUBTREE);
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 1, WATCH_SUBTREE));
	ASSERT_EQ(0, do_setattr("a/b/c", false, MOUNT_ATTR_NODEV, 0, 0));
	GOT_EACH(BY(1, SETATTR, c, b, 0, BY_SUBTREE),
		 BY(ID, SETATTR, c, b, 0, BY_SUBTREE));

	/* Move away from a watched subtree */
	ASSERT_EQ(0, do_mount("a/b", "other/b", NULL, MS_MOVE, NULL));
	GOT_EACH(BY(ID, MOVE_TO, b, other, a, BY_SUBTREE),
		 BY(1, MOVE_FROM, b, other, a, 0));
	ASSERT_EQ(0, do_setattr("other/b/c", false, MOUNT_ATTR_NOSUID, 0, 0));
	GOT(SETATTR, c, b, 0, BY_SUBTREE);
	/* An unmount is posted to the ancestors before it, but after the move */
	ASSERT_EQ(0, do_umount("other/b/c", 0));
	GOT(UNMOUNT, c, b, 0, BY_SUBTREE);
	c = tmpfs("other/b/c", MS_NOEXEC | MS_NODEV | MS_NOSUID);
	GOT(NEW, c, b, 0, BY_SUBTREE);
	GOT_NO_MORE();

	/* Move back */
	ASSERT_EQ(0, do_mount("other/b", "a/b", NULL, MS_MOVE, NULL));
	GOT_EACH(BY(1, MOVE_TO, b, a, other, 0),
		 BY(ID, MOVE_TO, b, a, other, BY_SUBTREE));
	ASSERT_EQ(0, do_setattr("a/b/c", false, 0, MOUNT_ATTR_NODEV, 0));
	GOT_EACH(BY(1, SETATTR, c, b, 0, BY_SUBTREE),
		 BY(ID, SETATTR, c, b, 0, BY_SUBTREE));

	/* Move away from a mount that is no longer watched, and unmount this mount */
	ASSERT_EQ(0, mount_unwatch(self->q.fd, "a", WATCH_SUBTREE));
	EXPECT_TRUE(got_mount_removal(&self->q, 1, a));
	ASSERT_EQ(0, do_mount("a/b", "other/b", NULL, MS_MOVE, NULL));
	GOT(MOVE_TO, b, other, a, BY_SUBTREE);
	ASSERT_EQ(0, do_umount("a", 0));
	GOT(UNMOUNT, a, self->base, 0, 0);
	ASSERT_EQ(0, do_setattr("other/b/c", false, MOUNT_ATTR_NODEV, 0, 0));
	GOT(SETATTR, c, b, 0, BY_SUBTREE);
	GOT_NO_MORE();
	a = tmpfs("a", 0);
	ASSERT_EQ(0, mkdir("a/b", 0755));
	GOT(NEW, a, self->base, 0, 0);
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 1, WATCH_SUBTREE));

	/* Move while no mount is watched */
	ASSERT_EQ(0, mount_unwatch(self->q.fd, "a", WATCH_SUBTREE));
	EXPECT_TRUE(got_mount_removal(&self->q, 1, a));
	ASSERT_EQ(0, mount_unwatch(self->q.fd, BASE, WATCH_SUBTREE));
	EXPECT_TRUE(got_mount_removal(&self->q, ID, self->base));
	ASSERT_EQ(0, do_mount("other/b", "a/b", NULL, MS_MOVE, NULL));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 1, WATCH_SUBTREE));
	ASSERT_EQ(0, do_setattr("a/b/c", false, 0, MOUNT_ATTR_NOSUID, 0));
	GOT_BY(1, SETATTR, c, b, 0, BY_SUBTREE);
	GOT_NO_MORE();
}

/* A watch does not pin its mount, and is removed with it. */
TEST_F(mounts, does_not_pin)
{
	struct queue_info info;
	__u64 a = tmpfs("a", 0);

	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 1, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 2, 0));
	GOT(NEW, a, self->base, 0, 0);
	ASSERT_TRUE(queue_info(self->q.fd, &info));
	EXPECT_EQ(3, info.watches);
	ASSERT_EQ(0, do_umount("a", 0));
	GOT_EACH(BY(2, UNMOUNT, a, self->base, 0, 0),
		 BY(1, UNMOUNT, a, self->base, 0, 0),
		 BY(ID, UNMOUNT, a, self->base, 0, 0));
	EXPECT_TRUE(got_mount_removal(&self->q, 2, a));
	EXPECT_TRUE(got_mount_removal(&self->q, 1, a));
	GOT_NO_MORE();
	ASSERT_TRUE(queue_info(self->q.fd, &info));
	EXPECT_EQ(1, info.watches);
}

/*
 * A lazy unmount posts UNMOUNT immediately, for all mounts of the tree, children first.
 * The watch on a busy mount is removed when the mount is no longer in use.
 */
TEST_F(mounts, lazy)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0), c = tmpfs("a/b/c", 0);
	int fd;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, a, 0, BY_SUBTREE);
	GOT(NEW, c, b, 0, BY_SUBTREE);
	ASSERT_EQ(0, mount_watch(self->q.fd, "a/b", 1, 0));
	fd = open("a/b/file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EBUSY, do_umount("a/b", 0));
	GOT_NO_MORE();
	ASSERT_EQ(0, do_umount("a", MNT_DETACH));
	GOT_EACH(BY(1, UNMOUNT, c, b, 0, 0),
		 BY(ID, UNMOUNT, c, b, 0, BY_SUBTREE));
	GOT_EACH(BY(1, UNMOUNT, b, a, 0, 0),
		 BY(ID, UNMOUNT, b, a, 0, BY_SUBTREE));
	GOT(UNMOUNT, a, self->base, 0, 0);
	GOT_NO_MORE();
	close(fd);
	EXPECT_TRUE(got_mount_removal(&self->q, 1, b));
	GOT_NO_MORE();
}

/* Removing a mount point in another namespace posts UNMOUNT for the mount on it. */
TEST_F(mounts, detached_by_rmdir)
{
	__u64 a, bind;
	pid_t pid;

	ASSERT_NE(0, tmpfs("fs", 0));
	ASSERT_EQ(0, mkdir("fs/dir", 0755));
	bind = bound("fs");
	ASSERT_NE(0, bind);
	a = tmpfs("fs/dir", 0);
	ASSERT_NE(0, a);
	mkdir("fs2", 0755);
	drop_records(&self->q);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		/* Nothing is mounted there in the new namespace */
		if (unshare(CLONE_NEWNS) || do_umount("fs/dir", 0) || rmdir("fs/dir"))
			_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	GOT(UNMOUNT, a, bind, 0, BY_SUBTREE);
	GOT_NO_MORE();
}

/* Removing a mount point in another namespace unmounts the whole tree on it. */
TEST_F(mounts, tree_detached_by_rmdir)
{
	__u64 a, b, bind;
	pid_t pid;

	ASSERT_NE(0, tmpfs("fs", 0));
	ASSERT_EQ(0, mkdir("fs/dir", 0755));
	bind = bound("fs");
	a = tmpfs("fs/dir", 0);
	b = tmpfs("fs/dir/b", 0);
	drop_records(&self->q);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(unshare(CLONE_NEWNS) || do_umount("fs/dir", MNT_DETACH) ||
		      rmdir("fs/dir"));
	EXPECT_EQ(0, child_status(pid));
	GOT(UNMOUNT, b, a, 0, BY_SUBTREE);
	GOT(UNMOUNT, a, bind, 0, BY_SUBTREE);
	GOT_NO_MORE();
}

/* RDONLY, RDWR and SETATTR are posted for changes only, by each of the system calls. */
TEST_F(mounts, attributes)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0), c;
	int fd;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, a, 0, BY_SUBTREE);
	ASSERT_EQ(0, do_setattr("a", false, MOUNT_ATTR_RDONLY, 0, 0));
	GOT(RDONLY, a, self->base, 0, NOTIFY_MOUNT_IS_RDONLY);
	ASSERT_EQ(0, do_setattr("a", false, MOUNT_ATTR_RDONLY, 0, 0));
	GOT_NO_MORE();
	ASSERT_EQ(0, do_setattr("a", false, MOUNT_ATTR_NOSUID, 0, 0));
	GOT(SETATTR, a, self->base, 0, NOTIFY_MOUNT_IS_RDONLY);
	ASSERT_EQ(0, do_setattr("a", true, MOUNT_ATTR_NODEV,
				MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0));
	GOT(RDWR, a, self->base, 0, 0);
	GOT(SETATTR, a, self->base, 0, 0);
	GOT(SETATTR, b, a, 0, BY_SUBTREE);
	ASSERT_EQ(0, do_setattr("a", true, MOUNT_ATTR_NODEV, 0, 0));
	GOT_NO_MORE();

	/* A file open for writing makes the whole recursive change fail */
	fd = open("a/b/file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EBUSY, do_setattr("a", true, MOUNT_ATTR_RDONLY, 0, 0));
	EXPECT_EQ(-EBUSY, do_mount(NULL, "a/b", NULL,
				   MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	GOT_NO_MORE();
	close(fd);

	/* mount(2) changes the mount */
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY |
			      MS_NODEV | MS_RELATIME, NULL));
	GOT(RDONLY, a, self->base, 0, NOTIFY_MOUNT_IS_RDONLY);
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC |
			      MS_RELATIME, NULL));
	GOT(RDWR, a, self->base, 0, 0);
	GOT(SETATTR, a, self->base, 0, 0);
	GOT_NO_MORE();

	/* The filesystems did not change: FS_CHANGED would be posted first */
	c = tmpfs("c", 0);
	GOT(NEW, c, self->base, 0, 0);
	ASSERT_EQ(0, do_reconfigure("c", NULL));
	GOT_EACH(BY(ID, FS_CHANGED, c, self->base, 0, 0));

	/* Attributes that are not about security */
	ASSERT_EQ(0, do_setattr("c", false, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0));
	GOT(SETATTR, c, self->base, 0, 0);
	ASSERT_EQ(0, do_setattr("c", false, MOUNT_ATTR_NODIRATIME, 0, 0));
	GOT(SETATTR, c, self->base, 0, 0);
	ASSERT_EQ(0, do_setattr("c", false, MOUNT_ATTR_NOSYMFOLLOW, 0, 0));
	GOT(SETATTR, c, self->base, 0, 0);
	GOT_NO_MORE();
}

/*
 * Without MS_BIND, mount(2) changes the mount and its filesystem.  The filesystem is
 * changed first, and FS_CHANGED may be posted before or after the other records.
 */
TEST_F(mounts, attributes_by_remount)
{
	const __u32 rdonly = NOTIFY_MOUNT_IS_RDONLY | NOTIFY_MOUNT_FS_RDONLY;
	__u64 a = tmpfs("a", 0);
	union watch_record r;
	int i, seen = 0;

	GOT(NEW, a, self->base, 0, 0);
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY | MS_RELATIME, NULL));
	for (i = 0; i < 2; i++) {
		/* RDONLY is in the queue when mount() returns, so do not wait for it */
		ASSERT_EQ(1, seen & 1 << NOTIFY_MOUNT_RDONLY ?
			     await_record(&self->q, &r) : next_record(&self->q, &r));
		EXPECT_EQ(a, r.mount.mnt_id);
		seen |= 1 << r.watch.subtype;
		EXPECT_NE(0, r.watch.info & NOTIFY_MOUNT_FS_RDONLY);
	}
	EXPECT_EQ(1 << NOTIFY_MOUNT_RDONLY | 1 << NOTIFY_MOUNT_FS_CHANGED, seen);

	/* Nothing changes but, maybe, an option of the filesystem */
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY | MS_RELATIME, NULL));
	GOT_EACH(BY(ID, FS_CHANGED, a, self->base, 0, rdonly));
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT | MS_NODEV | MS_RELATIME, NULL));
	for (i = 0, seen = 0; i < 3; i++) {
		ASSERT_EQ(1, await_record(&self->q, &r));
		EXPECT_EQ(0, r.watch.info & NOTIFY_MOUNT_FS_RDONLY);
		seen |= 1 << r.watch.subtype;
	}
	EXPECT_EQ(1 << NOTIFY_MOUNT_RDWR | 1 << NOTIFY_MOUNT_SETATTR |
		  1 << NOTIFY_MOUNT_FS_CHANGED, seen);
	GOT_NO_MORE();
}

/* PROPAGATION is posted for each change of the type, by mount() and mount_setattr(). */
TEST_F(mounts, propagation_type)
{
	static const unsigned long types[] = {
		MS_SHARED, MS_PRIVATE, MS_UNBINDABLE, MS_SHARED, MS_UNBINDABLE,
		MS_PRIVATE, MS_SHARED, MS_SLAVE,
	};
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0);
	unsigned int i, old_call;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, a, 0, BY_SUBTREE);
	for (old_call = 0; old_call < 2; old_call++) {
		for (i = 0; i < ARRAY_SIZE(types); i++) {
			int n;

			for (n = 0; n < 2; n++)
				ASSERT_EQ(0, old_call ?
					  do_mount(NULL, "a", NULL, types[i], NULL) :
					  do_setattr("a", false, 0, 0, types[i]));
			GOT(PROPAGATION, a, self->base, 0, 0);
			GOT_NO_MORE();
		}
	}
	/* A slave without a master is private already */
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_PRIVATE, NULL));
	GOT_NO_MORE();
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REC | MS_SHARED, NULL));
	GOT(PROPAGATION, a, self->base, 0, 0);
	GOT(PROPAGATION, b, a, 0, BY_SUBTREE);
	ASSERT_EQ(0, do_setattr("a", true, MOUNT_ATTR_RDONLY, 0, MS_UNBINDABLE));
	GOT(RDONLY, a, self->base, 0, NOTIFY_MOUNT_IS_RDONLY);
	GOT(PROPAGATION, a, self->base, 0, NOTIFY_MOUNT_IS_RDONLY);
	GOT(RDONLY, b, a, 0, BY_SUBTREE | NOTIFY_MOUNT_IS_RDONLY);
	GOT(PROPAGATION, b, a, 0, BY_SUBTREE | NOTIFY_MOUNT_IS_RDONLY);
	/* Of "a", only the flags change */
	ASSERT_EQ(0, do_setattr("a/b", false, 0, 0, MS_SHARED));
	GOT(PROPAGATION, b, a, 0, BY_SUBTREE | NOTIFY_MOUNT_IS_RDONLY);
	ASSERT_EQ(0, do_setattr("a", true, 0, MOUNT_ATTR_RDONLY, MS_UNBINDABLE));
	GOT(RDWR, a, self->base, 0, 0);
	GOT(RDWR, b, a, 0, BY_SUBTREE);
	GOT(PROPAGATION, b, a, 0, BY_SUBTREE);
	GOT_NO_MORE();
}

/*
 * PROPAGATION is posted for a slave that loses its last master.  It is not posted while
 * a peer of the old master takes its place.
 */
TEST_F(mounts, propagation_of_slaves)
{
	__u64 a, b, s;

	a = tmpfs("a", 0);
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	mkdir("b", 0755);
	ASSERT_EQ(0, do_mount("a", "b", NULL, MS_BIND, NULL));
	b = mnt_id("b");
	mkdir("s", 0755);
	ASSERT_EQ(0, do_mount("a", "s", NULL, MS_BIND, NULL));
	s = mnt_id("s");
	ASSERT_EQ(0, do_mount(NULL, "s", NULL, MS_SLAVE, NULL));
	GOT(NEW, a, self->base, 0, 0);
	GOT(PROPAGATION, a, self->base, 0, 0);
	GOT(NEW, b, self->base, 0, 0);
	GOT(NEW, s, self->base, 0, 0);
	GOT(PROPAGATION, s, self->base, 0, 0);
	GOT_NO_MORE();

	/*
	 * The peer group shrinks from two mounts to none.  The test cannot see which of
	 * the two is the master of the slave, so each of them leaves first once.
	 */
	ASSERT_EQ(0, do_mount(NULL, "b", NULL, MS_PRIVATE, NULL));
	GOT(PROPAGATION, b, self->base, 0, 0);
	GOT_NO_MORE();
	ASSERT_EQ(0, do_move(AT_FDCWD, "a", "b", MOVE_MOUNT_SET_GROUP));
	GOT(PROPAGATION, b, self->base, 0, 0);
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_PRIVATE, NULL));
	GOT(PROPAGATION, a, self->base, 0, 0);
	GOT_NO_MORE();
	ASSERT_EQ(0, do_umount("b", 0));
	GOT(UNMOUNT, b, self->base, 0, 0);
	GOT(PROPAGATION, s, self->base, 0, NOTIFY_MOUNT_PROPAGATED);
	ASSERT_EQ(0, do_mount(NULL, "s", NULL, MS_PRIVATE, NULL));
	GOT_NO_MORE();

	/* MOVE_MOUNT_SET_GROUP adds a private mount to the peer group */
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	GOT(PROPAGATION, a, self->base, 0, 0);
	ASSERT_EQ(0, do_move(AT_FDCWD, "a", "s", MOVE_MOUNT_SET_GROUP));
	GOT(PROPAGATION, s, self->base, 0, 0);
	EXPECT_EQ(-EINVAL, do_move(AT_FDCWD, "a", "s", MOVE_MOUNT_SET_GROUP));
	GOT_NO_MORE();
}

/*
 * A slave loses its master and is then changed itself, by one system call.  The record
 * reports the change as direct.
 */
TEST_F(mounts, propagation_of_changed_slave)
{
	__u64 a = tmpfs("a", 0), m = tmpfs("a/m", 0), s;

	ASSERT_EQ(0, do_mount(NULL, "a/m", NULL, MS_SHARED, NULL));
	mkdir("a/s", 0755);
	ASSERT_EQ(0, do_mount("a/m", "a/s", NULL, MS_BIND, NULL));
	s = mnt_id("a/s");
	ASSERT_EQ(0, do_mount(NULL, "a/s", NULL, MS_SLAVE, NULL));
	drop_records(&self->q);
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REC | MS_UNBINDABLE, NULL));
	GOT(PROPAGATION, a, self->base, 0, 0);
	GOT(PROPAGATION, m, a, 0, BY_SUBTREE);
	GOT(PROPAGATION, s, a, 0, BY_SUBTREE);
	GOT_NO_MORE();
}

/* The same if the mounts of the peer group are unmounted. */
TEST_F(mounts, propagation_of_slaves_umount)
{
	static const char * const peers[] = { "a", "b", "c" };
	__u64 ids[3], s, t;
	int i;

	ids[0] = tmpfs("a", 0);
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	for (i = 1; i < 3; i++) {
		mkdir(peers[i], 0755);
		ASSERT_EQ(0, do_mount("a", peers[i], NULL, MS_BIND, NULL));
		ids[i] = mnt_id(peers[i]);
	}
	mkdir("s", 0755);
	ASSERT_EQ(0, do_mount("a", "s", NULL, MS_BIND, NULL));
	s = mnt_id("s");
	ASSERT_EQ(0, do_mount(NULL, "s", NULL, MS_SLAVE, NULL));
	ASSERT_EQ(0, do_mount(NULL, "s", NULL, MS_SHARED, NULL));
	mkdir("t", 0755);
	ASSERT_EQ(0, do_mount("s", "t", NULL, MS_BIND, NULL));
	t = mnt_id("t");
	ASSERT_EQ(0, do_mount(NULL, "t", NULL, MS_SLAVE, NULL));
	drop_records(&self->q);

	/* Each of them may be the master of "s" */
	for (i = 2; i; i--) {
		ASSERT_EQ(0, do_umount(peers[i], 0));
		GOT(UNMOUNT, ids[i], self->base, 0, 0);
		GOT_NO_MORE();
	}

	/* The master of its master becomes that of "t" */
	ASSERT_EQ(0, do_umount("s", 0));
	GOT(UNMOUNT, s, self->base, 0, 0);
	GOT(PROPAGATION, t, self->base, 0, NOTIFY_MOUNT_PROPAGATED);
	GOT_NO_MORE();
	ASSERT_EQ(0, do_umount("a", 0));
	GOT(UNMOUNT, ids[0], self->base, 0, 0);
	GOT(PROPAGATION, t, self->base, 0, NOTIFY_MOUNT_PROPAGATED);
	GOT_NO_MORE();
}

/* PROPAGATION is posted when an unbindable slave becomes unbindable only. */
TEST_F(mounts, unbindable_slave)
{
	__u64 a = tmpfs("a", 0), u;

	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	mkdir("s", 0755);
	mkdir("u", 0755);
	ASSERT_EQ(0, do_mount("a", "s", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount("a", "u", NULL, MS_BIND, NULL));
	u = mnt_id("u");
	ASSERT_EQ(0, do_mount(NULL, "s", NULL, MS_SLAVE, NULL));
	ASSERT_EQ(0, do_mount(NULL, "u", NULL, MS_UNBINDABLE, NULL));
	ASSERT_NE(0, a);
	drop_records(&self->q);

	ASSERT_EQ(0, do_move(AT_FDCWD, "s", "u", MOVE_MOUNT_SET_GROUP));
	GOT(PROPAGATION, u, self->base, 0, 0);
	ASSERT_EQ(0, do_mount(NULL, "u", NULL, MS_UNBINDABLE, NULL));
	GOT(PROPAGATION, u, self->base, 0, 0);
	ASSERT_EQ(0, do_mount(NULL, "u", NULL, MS_UNBINDABLE, NULL));
	GOT_NO_MORE();
}

/* A bind mount posts one NEW; a recursive one posts NEW for the tree, parents first. */
TEST_F(mounts, bind)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0), c = tmpfs("a/b/c", 0), id;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, a, 0, BY_SUBTREE);
	GOT(NEW, c, b, 0, BY_SUBTREE);
	mkdir("d", 0755);
	ASSERT_EQ(0, do_mount("a", "d", NULL, MS_BIND, NULL));
	GOT(NEW, mnt_id("d"), self->base, 0, 0);
	GOT_NO_MORE();
	mkdir("e", 0755);
	ASSERT_EQ(0, do_mount("a", "e", NULL, MS_BIND | MS_REC, NULL));
	id = mnt_id("e/b");
	ASSERT_NE(b, id);
	GOT(NEW, mnt_id("e"), self->base, 0, 0);
	GOT(NEW, id, mnt_id("e"), 0, BY_SUBTREE);
	GOT(NEW, mnt_id("e/b/c"), id, 0, BY_SUBTREE);
	GOT_NO_MORE();
}

/* NEW is posted when a detached tree is attached, and never if it is not attached. */
TEST_F(mounts, detached)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0), covered;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOEXEC };
	int fd;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, a, 0, BY_SUBTREE);
	fd = do_open_tree("a", OPEN_TREE_CLONE | AT_RECURSIVE);
	ASSERT_GE(fd, 0);
	GOT_NO_MORE();
	close(fd);
	GOT_NO_MORE();
	fd = do_open_tree("a", OPEN_TREE_CLONE | AT_RECURSIVE);
	mkdir("c", 0755);
	ASSERT_EQ(0, do_move(fd, "", "c", MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
	GOT(NEW, mnt_id("c"), self->base, 0, 0);
	GOT(NEW, mnt_id("c/b"), mnt_id("c"), 0, BY_SUBTREE);
	fd = do_fsmount();
	ASSERT_GE(fd, 0);
	close(fd);
	fd = do_fsmount();
	ASSERT_GE(fd, 0);
	GOT_NO_MORE();
	/* A change before it is attached posts nothing, neither then nor later */
	ASSERT_EQ(0, syscall(__NR_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	GOT_NO_MORE();
	covered = mnt_id("c/b");
	ASSERT_EQ(0, do_move(fd, "", "c/b", MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
	GOT(NEW, mnt_id("c/b"), covered, 0, BY_SUBTREE);
	ASSERT_EQ(0, do_setattr("c/b", false, 0, MOUNT_ATTR_NOEXEC, 0));
	GOT(SETATTR, mnt_id("c/b"), covered, 0, BY_SUBTREE);
	GOT_NO_MORE();
}

/*
 * A move posts one record to each watch: MOVE_TO if the watch covers the new place, or
 * else MOVE_FROM.  Both have the old and the new parent.
 */
TEST_F(mounts, move)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("b", 0), c = tmpfs("a/c", 0);
	__u64 m = tmpfs("a/c/m", 0), n = tmpfs("a/c/m/n", 0);

	drop_records(&self->q);
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 1, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 2, 0));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a/c", 3, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a/c", 4, 0));
	ASSERT_EQ(0, mount_watch(self->q.fd, "b", 5, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(self->q.fd, "b", 6, 0));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a/c/m", 8, 0));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a/c/m/n", 9, 0));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a/c/m/n", 10, WATCH_SUBTREE));

	/* To another subtree */
	mkdir("b/m", 0755);
	ASSERT_EQ(0, do_move(AT_FDCWD, "a/c/m", "b/m", 0));
	GOT_EACH(BY(8, MOVE_TO, m, b, c, 0),
		 BY(6, MOVE_TO, m, b, c, 0),
		 BY(5, MOVE_TO, m, b, c, 0),
		 BY(ID, MOVE_TO, m, b, c, BY_SUBTREE),
		 BY(4, MOVE_FROM, m, b, c, 0),
		 BY(3, MOVE_FROM, m, b, c, 0),
		 BY(1, MOVE_FROM, m, b, c, BY_SUBTREE));
	GOT_NO_MORE();

	/* Later events go to the watches at the new place */
	ASSERT_EQ(0, do_setattr("b/m/n", false, MOUNT_ATTR_NOSUID, 0, 0));
	GOT_EACH(BY(9, SETATTR, n, m, 0, 0),
		 BY(10, SETATTR, n, m, 0, 0),
		 BY(8, SETATTR, n, m, 0, 0),
		 BY(5, SETATTR, n, m, 0, BY_SUBTREE),
		 BY(ID, SETATTR, n, m, 0, BY_SUBTREE));
	GOT_NO_MORE();

	/* Within one mount */
	mkdir("b/m2", 0755);
	ASSERT_EQ(0, do_mount("b/m", "b/m2", NULL, MS_MOVE, NULL));
	GOT_EACH(BY(8, MOVE_TO, m, b, b, 0),
		 BY(6, MOVE_TO, m, b, b, 0),
		 BY(5, MOVE_TO, m, b, b, 0),
		 BY(ID, MOVE_TO, m, b, b, BY_SUBTREE));
	GOT_NO_MORE();

	/* From a mount to its parent, and back */
	ASSERT_EQ(0, do_umount("b/m2/n", 0));
	drop_records(&self->q);
	ASSERT_EQ(0, do_move(AT_FDCWD, "b/m2", "a/c/m", 0));
	drop_records(&self->q);
	mkdir("a/m", 0755);
	ASSERT_EQ(0, do_move(AT_FDCWD, "a/c/m", "a/m", 0));
	GOT_EACH(BY(8, MOVE_TO, m, a, c, 0),
		 BY(2, MOVE_TO, m, a, c, 0),
		 BY(1, MOVE_TO, m, a, c, 0),
		 BY(ID, MOVE_TO, m, a, c, BY_SUBTREE),
		 BY(4, MOVE_FROM, m, a, c, 0),
		 BY(3, MOVE_FROM, m, a, c, 0));
	GOT_NO_MORE();
	ASSERT_EQ(0, do_move(AT_FDCWD, "a/m", "a/c/m", 0));
	GOT_EACH(BY(8, MOVE_TO, m, c, a, 0),
		 BY(4, MOVE_TO, m, c, a, 0),
		 BY(3, MOVE_TO, m, c, a, 0),
		 BY(1, MOVE_TO, m, c, a, 0),
		 BY(ID, MOVE_TO, m, c, a, BY_SUBTREE));
	/* The mount left "a" itself, but not its subtree */
	GOT_BY(2, MOVE_FROM, m, c, a, 0);
	GOT_NO_MORE();
}

/* A move to a shared mount makes the tree shared, which also posts PROPAGATION. */
TEST_F(mounts, move_to_shared)
{
	__u64 a = tmpfs("a", 0), m = tmpfs("m", 0), n = tmpfs("m/n", 0);

	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	drop_records(&self->q);
	mkdir("a/m", 0755);
	ASSERT_EQ(0, do_move(AT_FDCWD, "m", "a/m", 0));
	GOT_EACH(BY(ID, PROPAGATION, m, a, 0, BY_SUBTREE),
		 BY(ID, PROPAGATION, n, m, 0, BY_SUBTREE),
		 BY(ID, MOVE_TO, m, a, self->base, 0));
	GOT_NO_MORE();
}

/* A mount beneath another one posts NEW, and then MOVE_TO for the upper one. */
TEST_F(mounts, beneath)
{
	__u64 a = tmpfs("a", 0), on = tmpfs("a/on", 0), b, c;
	int fd;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, on, a, 0, BY_SUBTREE);
	fd = do_fsmount();
	ASSERT_GE(fd, 0);
	b = fd_mnt_id(fd, "");
	ASSERT_EQ(0, do_move(fd, "", "a", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH));
	close(fd);
	GOT(NEW, b, self->base, 0, 0);
	GOT(MOVE_TO, a, b, self->base, NOTIFY_MOUNT_PROPAGATED);
	GOT_NO_MORE();
	c = tmpfs("c", 0);
	GOT(NEW, c, self->base, 0, 0);

	/* The upper mounts are in the subtree of the moved mount afterwards */
	ASSERT_EQ(0, mount_watch(self->q.fd, "c", 1, WATCH_SUBTREE));
	ASSERT_EQ(0, do_move(AT_FDCWD, "c", "a", MOVE_MOUNT_BENEATH));
	GOT_EACH(BY(1, MOVE_TO, c, b, self->base, 0),
		 BY(ID, MOVE_TO, c, b, self->base, 0),
		 BY(1, MOVE_TO, a, c, b, NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, MOVE_TO, a, c, b, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED));
	GOT_NO_MORE();
	ASSERT_EQ(0, do_umount("a", MNT_DETACH));
	GOT_EACH(BY(1, UNMOUNT, on, a, 0, BY_SUBTREE),
		 BY(ID, UNMOUNT, on, a, 0, BY_SUBTREE));
	GOT_EACH(BY(1, UNMOUNT, a, c, 0, 0),
		 BY(ID, UNMOUNT, a, c, 0, BY_SUBTREE));
	GOT_NO_MORE();
}

/*
 * pivot_root() moves two mounts.  A watch that has a mount in its tree afterwards gets
 * MOVE_TO; one that had it in its tree only before gets MOVE_FROM.  "put" never contains
 * the new root, although it contains the old root afterwards.
 */
TEST_F(mounts, pivot_root)
{
	__u64 root = tmpfs("root", 0), new = tmpfs("root/dir", 0), new_root, put;
	struct reader q;
	pid_t pid;

	ASSERT_NE(0, new);
	reader_open(_metadata, &q, 64);
	ASSERT_EQ(0, mkdir("root/dir/new", 0755));
	new_root = tmpfs("root/dir/new", 0);
	put = tmpfs("root/dir/new/put", 0);
	ASSERT_NE(0, put);
	drop_records(&self->q);
	ASSERT_EQ(0, mount_watch(q.fd, "root", 1, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(q.fd, "root/dir", 2, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(q.fd, "root/dir/new", 3, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(q.fd, "root/dir/new", 4, 0));
	ASSERT_EQ(0, mount_watch(q.fd, "root/dir/new/put", 5, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(q.fd, "root/dir/new/put", 6, 0));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (chroot("root") || chdir("/dir/new") ||
		    do_pivot_root(".", "put"))
			_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	GOT_EACH(BY(ID, MOVE_TO, new_root, self->base, new, 0),
		 BY(ID, MOVE_TO, root, put, self->base, 0));
	GOT_NO_MORE();
	GOT_EACH_IN(&q, BY(4, MOVE_TO, new_root, self->base, new, 0),
		    BY(3, MOVE_TO, new_root, self->base, new, 0),
		    BY(2, MOVE_FROM, new_root, self->base, new, 0),
		    BY(1, MOVE_FROM, new_root, self->base, new, BY_SUBTREE),
		    BY(6, MOVE_TO, root, put, self->base, 0),
		    BY(1, MOVE_TO, root, put, self->base, 0),
		    BY(5, MOVE_TO, root, put, self->base, 0),
		    BY(3, MOVE_TO, root, put, self->base, BY_SUBTREE));
	EXPECT_TRUE(got_no_more(&q));
	reader_close(&q);
}

/*
 * Propagation in one namespace posts NEW for the copies of a tree at peers and slaves.
 * Slaves do not propagate back.  UNMOUNT is propagated, too.
 */
TEST_F(mounts, propagated)
{
	__u64 a = tmpfs("a", 0), b, s, p, x[4], y[4];
	struct statmount sm;

	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, mkdir("a/x", 0755));
	ASSERT_EQ(0, mkdir("b", 0755));
	ASSERT_EQ(0, mkdir("s", 0755));
	ASSERT_EQ(0, mkdir("p", 0755));
	ASSERT_EQ(0, do_mount("a", "b", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount("a", "s", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount(NULL, "s", NULL, MS_SLAVE, NULL));
	ASSERT_EQ(0, do_mount("a", "p", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount(NULL, "p", NULL, MS_PRIVATE, NULL));
	b = mnt_id("b");
	s = mnt_id("s");
	p = mnt_id("p");
	tmpfs("t", 0);
	tmpfs("t/y", 0);
	drop_records(&self->q);

	/* A mount on a peer is copied to the other peer and the slave, not to "p" */
	ASSERT_EQ(0, do_mount("t", "b/x", NULL, MS_BIND | MS_REC, NULL));
	x[0] = mnt_id("b/x");
	y[0] = mnt_id("b/x/y");
	x[1] = mnt_id("a/x");
	y[1] = mnt_id("a/x/y");
	x[2] = mnt_id("s/x");
	y[2] = mnt_id("s/x/y");
	EXPECT_EQ(p, mnt_id("p/x"));
	GOT_EACH(BY(ID, NEW, x[0], b, 0, BY_SUBTREE),
		 BY(ID, NEW, y[0], x[0], 0, BY_SUBTREE),
		 BY(ID, NEW, x[2], s, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, NEW, y[2], x[2], 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, NEW, x[1], a, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, NEW, y[1], x[1], 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED));
	GOT_NO_MORE();

	/* A mount on the slave has no copies; one on the master is copied beneath it */
	ASSERT_EQ(0, do_umount("b/x", MNT_DETACH));
	drop_records(&self->q);
	x[3] = tmpfs("s/x", 0);
	GOT(NEW, x[3], s, 0, BY_SUBTREE);
	GOT_NO_MORE();
	x[0] = tmpfs("a/x", 0);
	x[1] = mnt_id("b/x");
	ASSERT_EQ(0, do_statmount(x[3], 0, STATMOUNT_MNT_BASIC, &sm, sizeof(sm)));
	x[2] = sm.mnt_parent_id;
	GOT_EACH(BY(ID, NEW, x[0], a, 0, BY_SUBTREE),
		 BY(ID, NEW, x[1], b, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, NEW, x[2], s, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED));
	GOT(MOVE_TO, x[3], x[2], s, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED);
	GOT_NO_MORE();

	/* Unmounting the mount beneath moves the upper one back */
	ASSERT_EQ(0, do_umount("a/x", 0));
	GOT_EACH(BY(ID, MOVE_TO, x[3], s, x[2], BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, UNMOUNT, x[0], a, 0, BY_SUBTREE),
		 BY(ID, UNMOUNT, x[1], b, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, UNMOUNT, x[2], s, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED));
	GOT_NO_MORE();
	EXPECT_EQ(x[3], mnt_id("s/x"));
}

/*
 * Propagation removes a mount with a watch from beneath a tree.  The mount is still in use,
 * but its watch gets no further events of the tree.
 */
TEST_F(mounts, removed_beneath)
{
	__u64 a = tmpfs("a", 0), s, x, copy, upper, on, slave;
	int fd;

	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, mkdir("a/x", 0755));
	ASSERT_EQ(0, mkdir("s", 0755));
	ASSERT_EQ(0, do_mount("a", "s", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount(NULL, "s", NULL, MS_SLAVE, NULL));
	s = mnt_id("s");
	x = tmpfs("a/x", 0);
	copy = mnt_id("s/x");
	ASSERT_EQ(0, mount_watch(self->q.fd, "s/x", 1, WATCH_SUBTREE));
	fd = open("s/x", O_PATH | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	upper = tmpfs("s/x", 0);
	on = tmpfs("s/x/on", 0);
	ASSERT_EQ(0, mkdir("s/x/on/slave", 0755));
	ASSERT_EQ(0, do_mount("a/x", "s/x/on/slave", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount(NULL, "s/x/on/slave", NULL, MS_SLAVE, NULL));
	slave = mnt_id("s/x/on/slave");
	drop_records(&self->q);
	ASSERT_EQ(0, do_setattr("s/x/on", false, MOUNT_ATTR_NOEXEC, 0, 0));
	GOT_EACH(BY(1, SETATTR, on, upper, 0, BY_SUBTREE),
		 BY(ID, SETATTR, on, upper, 0, BY_SUBTREE));

	ASSERT_EQ(0, do_umount("a/x", MNT_DETACH));
	GOT_EACH(BY(ID, UNMOUNT, x, a, 0, BY_SUBTREE),
		 BY(1, UNMOUNT, copy, s, 0, NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, UNMOUNT, copy, s, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED),
		 BY(1, MOVE_FROM, upper, s, copy, NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, MOVE_TO, upper, s, copy, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED),
		 BY(ID, PROPAGATION, slave, on, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED));
	ASSERT_EQ(0, do_setattr("s/x/on", false, MOUNT_ATTR_NODEV, 0, 0));
	GOT(SETATTR, on, upper, 0, BY_SUBTREE);
	ASSERT_EQ(0, do_setattr("s/x", false, MOUNT_ATTR_NODEV, 0, 0));
	GOT(SETATTR, upper, s, 0, BY_SUBTREE);
	GOT_NO_MORE();
	close(fd);
	EXPECT_TRUE(got_mount_removal(&self->q, 1, copy));
}

FIXTURE(two_namespaces)
{
	struct reader q;
	__u64 base, a;
	int down[2], up[2];	/* pipes to the child and back, for sync_*() */
	pid_t pid;
};

FIXTURE_SETUP(two_namespaces)
{
	self->base = watch_base(_metadata, &self->q);
	self->a = tmpfs("a", 0);
	GOT(NEW, self->a, self->base, 0, 0);
	ASSERT_EQ(0, mkdir("a/x", 0755));
	ASSERT_EQ(0, pipe2(self->down, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->up, O_CLOEXEC));
}

FIXTURE_TEARDOWN(two_namespaces)
{
	reader_close(&self->q);
}

FIXTURE_VARIANT(two_namespaces)
{
	unsigned long type;	/* propagation type of "a" in the other namespace */
	bool down, up;		/* mounts propagate to the other namespace, and back */
};

FIXTURE_VARIANT_ADD(two_namespaces, shared)
{
	.type = MS_SHARED,
	.down = true,
	.up = true,
};

FIXTURE_VARIANT_ADD(two_namespaces, slave)
{
	.type = MS_SLAVE,
	.down = true,
};

FIXTURE_VARIANT_ADD(two_namespaces, private)
{
	.type = MS_PRIVATE,
};

/*
 * A watch gets the events of its own namespace only, including those of propagation
 * from another namespace.
 */
TEST_F(two_namespaces, propagate)
{
	const unsigned long type = variant->type;
	const bool down = variant->down, up = variant->up;
	__u64 x = 0;

	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	GOT(PROPAGATION, self->a, self->base, 0, 0);
	self->pid = fork();
	ASSERT_GE(self->pid, 0);
	if (!self->pid) {
		struct reader q;
		__u64 a;

		child_queue(&q);
		CHECK(!unshare(CLONE_NEWNS));
		CHECK(!chdir(BASE));
		CHECK(type == MS_SHARED || !do_mount(NULL, "a", NULL, type, NULL));
		a = mnt_id("a");
		CHECK(a && a != self->a);
		CHECK(!mount_watch(q.fd, "a", 1, WATCH_SUBTREE));
		sync_send(self->up[1]);

		sync_wait(self->down[0]);
		if (down) {
			x = mnt_id("a/x");
			CHECK(got_mount(&q, NOTIFY_MOUNT_NEW, 1, x, a, 0,
					NOTIFY_MOUNT_PROPAGATED));
		}
		CHECK(got_no_more(&q));
		sync_send(self->up[1]);

		sync_wait(self->down[0]);
		if (down)
			CHECK(got_mount(&q, NOTIFY_MOUNT_UNMOUNT, 1, x, a, 0,
					NOTIFY_MOUNT_PROPAGATED));
		CHECK(got_no_more(&q));
		x = tmpfs("a/x", 0);
		CHECK(got_mount(&q, NOTIFY_MOUNT_NEW, 1, x, a, 0, 0));
		sync_send(self->up[1]);
		sync_wait(self->down[0]);
		CHECK(!do_umount("a/x", 0));
		CHECK(got_mount(&q, NOTIFY_MOUNT_UNMOUNT, 1, x, a, 0, 0));
		CHECK(got_no_more(&q));
		_exit(0);
	}
	sync_wait(self->up[0]);
	GOT_NO_MORE();
	x = tmpfs("a/x", 0);
	GOT(NEW, x, self->a, 0, BY_SUBTREE);
	GOT_NO_MORE();
	sync_send(self->down[1]);
	sync_wait(self->up[0]);
	ASSERT_EQ(0, do_umount("a/x", 0));
	GOT(UNMOUNT, x, self->a, 0, BY_SUBTREE);
	GOT_NO_MORE();
	sync_send(self->down[1]);
	sync_wait(self->up[0]);
	if (up) {
		x = mnt_id("a/x");
		GOT(NEW, x, self->a, 0, BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED);
	}
	GOT_NO_MORE();
	sync_send(self->down[1]);
	EXPECT_EQ(0, child_status(self->pid));
	if (up)
		GOT(UNMOUNT, x, self->a, 0,
		    BY_SUBTREE | NOTIFY_MOUNT_PROPAGATED);
	GOT_NO_MORE();
}

/* The end of a namespace posts UNMOUNT for its mounts, then REMOVAL for the watches. */
TEST_F(mounts, namespace_death)
{
	static const char * const names[] = { BASE, BASE "/a", BASE "/a/b" };
	__u64 a = tmpfs("a", 0), ids[3];
	int up[2], down[2], fd[3], i, seen = 0;
	char path[PATH_LEN];
	struct reader q;
	union watch_record r;
	pid_t pid;

	ASSERT_NE(0, a);
	GOT(NEW, a, self->base, 0, 0);
	reader_open(_metadata, &q, 64);
	ASSERT_EQ(0, pipe2(up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(down, O_CLOEXEC));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		CHECK(!unshare(CLONE_NEWNS));
		CHECK(!chdir(BASE));
		CHECK(tmpfs("a/b", 0));
		sync_send(up[1]);
		sync_wait(down[0]);
		_exit(0);
	}
	sync_wait(up[0]);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", pid, names[i]);
		fd[i] = open_path(path);
		ASSERT_GE(fd[i], 0);
		ids[i] = fd_mnt_id(fd[i], "");
		ASSERT_NE(0, ids[i]);
		ASSERT_EQ(0, queue_watch(q.fd, MOUNT, fd[i], i, 0));
		close(fd[i]);
	}
	EXPECT_TRUE(got_no_more(&q));
	sync_send(down[1]);
	EXPECT_EQ(0, child_status(pid));
	/* A process leaves its namespace before it can be reaped */
	for (i = 2; i; i--)
		GOT_EACH_IN(&q, BY(i, UNMOUNT, ids[i], ids[i - 1], 0, 0),
			    BY(i - 1, UNMOUNT, ids[i], ids[i - 1], 0, 0));
	ASSERT_EQ(1, next_record(&q, &r));
	EXPECT_EQ(NOTIFY_MOUNT_UNMOUNT, r.watch.subtype + 0);
	EXPECT_EQ(ids[0], r.mount.mnt_id);
	/* A work item may free the mounts later */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, await_record(&q, &r));
		EXPECT_TRUE(is_removal(&r));
		EXPECT_EQ(ids[watch_record_id(&r)], r.removal.id);
		seen |= 1 << watch_record_id(&r);
	}
	EXPECT_EQ(7, seen);
	EXPECT_TRUE(got_no_more(&q));
	/* No event in the namespace of the test */
	GOT_NO_MORE();
	reader_close(&q);
}

/* MNT_EXPIRE posts UNMOUNT, with a flag, on the second call. */
TEST_F(mounts, expire)
{
	__u64 a = tmpfs("a", 0);

	GOT(NEW, a, self->base, 0, 0);
	EXPECT_EQ(-EAGAIN, do_umount("a", MNT_EXPIRE));
	GOT_NO_MORE();
	ASSERT_EQ(0, do_umount("a", MNT_EXPIRE));
	GOT(UNMOUNT, a, self->base, 0, NOTIFY_MOUNT_EXPIRED);
	GOT_NO_MORE();
}

/* An automount, such as tracefs in debugfs, posts NEW with a flag. */
TEST_F(mounts, automount)
{
	__u64 a, t;

	ASSERT_EQ(0, mkdir("a", 0755));
	if (do_mount("debugfs", "a", "debugfs", 0, NULL))
		SKIP(return, "CONFIG_DEBUG_FS is not set");
	a = mnt_id("a");
	if (access("a/tracing", F_OK))
		SKIP(return, "CONFIG_TRACING is not set");
	GOT(NEW, a, self->base, 0, 0);
	GOT_NO_MORE();
	ASSERT_EQ(0, access("a/tracing/trace", F_OK));
	t = mnt_id("a/tracing/trace");
	ASSERT_NE(a, t);
	GOT(NEW, t, a, 0, BY_SUBTREE | NOTIFY_MOUNT_AUTOMOUNT);
	ASSERT_EQ(0, do_umount("a", 0));
	GOT(UNMOUNT, t, a, 0, BY_SUBTREE | NOTIFY_MOUNT_AUTOMOUNT);
	GOT(UNMOUNT, a, self->base, 0, 0);
	GOT_NO_MORE();
}

/*
 * A mount that fails posts nothing, even if some propagated copies were created: the
 * limit of mounts leaves room for the mount, but not for all copies.
 */
TEST_F(mounts, failed_mount)
{
	long max = sysctl_get(MOUNT_MAX), have;
	__u64 a = tmpfs("a", 0), ids[SOME_MOUNTS];
	unsigned int i;
	char name[16];

	ASSERT_NE(0, a);
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, mkdir("a/x", 0755));
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		ASSERT_EQ(0, mkdir(name, 0755));
		ASSERT_EQ(0, do_mount("a", name, NULL, MS_BIND, NULL));
	}
	drop_records(&self->q);
	/* mountinfo lacks the mounts that "/" covers */
	have = do_listmount(first_mnt_id(a, 0), 0, ids, SOME_MOUNTS) + 1;
	ASSERT_GT(have, 5);
	ASSERT_LT(have, SOME_MOUNTS);
	for (i = 0; i < 5; i++) {
		int ret;

		ASSERT_EQ(0, sysctl_set(MOUNT_MAX, have + i));
		ret = do_mount("x", "a/x", "tmpfs", 0, NULL);
		EXPECT_EQ(0, sysctl_set(MOUNT_MAX, max));
		EXPECT_EQ(-ENOSPC, ret);
		GOT_NO_MORE();
	}

	/* Calls that fail for other reasons post nothing */
	EXPECT_EQ(-EBUSY, do_umount(BASE, 0));
	EXPECT_EQ(-ELOOP, do_move(AT_FDCWD, "b0", "b0/x", 0));
	EXPECT_EQ(-EINVAL, do_mount(NULL, "a/x", NULL, MS_SHARED, NULL));
	EXPECT_EQ(-EINVAL, do_umount("a/x", 0));
	GOT_NO_MORE();
}

/* A descriptor for a watch must refer to the root of an attached mount. */
TEST_F(mounts, descriptors)
{
	int fd, ends[2], ret;
	__u64 a = tmpfs("a", 0);

	GOT(NEW, a, self->base, 0, 0);
	ASSERT_EQ(0, mkdir("a/dir", 0755));
	EXPECT_EQ(-EBADF, queue_watch(self->q.fd, MOUNT, -1, 1, 0));
	EXPECT_EQ(-EBADSLT, queue_unwatch_id(self->q.fd, MOUNT, 99));
	EXPECT_EQ(-EBADF, queue_watch(self->q.fd, MOUNT, 9999, 1, 0));
	EXPECT_EQ(-EBADF, queue_unwatch(self->q.fd, MOUNT, 9999, 0));

	/* Not the root of its mount */
	EXPECT_EQ(-EINVAL, mount_watch(self->q.fd, "a/dir", 1, 0));
	EXPECT_EQ(-EINVAL, mount_unwatch(self->q.fd, "a/dir", 0));

	/* On an internal mount of the kernel */
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, self->q.fd, 1, 0));
	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, ends[0], 1, 0));
	fd = memfd_create("file", 0);
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, fd, 1, 0));
	close(fd);

	/* Never attached, or unmounted */
	fd = do_open_tree("a", OPEN_TREE_CLONE);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, fd, 1, 0));
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, fd, 1, WATCH_SUBTREE));
	close(fd);
	fd = do_fsmount();
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, fd, 1, 0));
	close(fd);
	fd = open_path("a");
	ASSERT_EQ(0, do_umount("a", MNT_DETACH));
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, fd, 1, 0));
	EXPECT_EQ(-EBADSLT, queue_unwatch(self->q.fd, MOUNT, fd, 0));
	close(fd);
	GOT(UNMOUNT, a, self->base, 0, 0);

	/* With and without O_PATH, through the write end of the queue */
	fd = open(BASE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_EQ(0, queue_watch(self->q.write_fd, MOUNT, fd, 1, 0));
	close(fd);
	ret = open_path(BASE);
	EXPECT_EQ(0, queue_unwatch(self->q.write_fd, MOUNT, ret, 0));
	close(ret);
	EXPECT_TRUE(got_mount_removal(&self->q, 1, self->base));
	GOT_NO_MORE();
}

/* The root of a mount can be a file. */
TEST_F(mounts, file)
{
	__u64 id;
	int fd;

	close(open("f", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	close(open("g", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	ASSERT_EQ(0, do_mount("f", "g", NULL, MS_BIND, NULL));
	id = mnt_id("g");
	GOT(NEW, id, self->base, 0, 0);
	EXPECT_EQ(-EINVAL, mount_watch(self->q.fd, "f", 1, 0));
	fd = open("g", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, queue_watch(self->q.fd, MOUNT, fd, 1, 0));
	close(fd);
	ASSERT_EQ(0, do_umount("g", 0));
	GOT_EACH(BY(1, UNMOUNT, id, self->base, 0, 0),
		 BY(ID, UNMOUNT, id, self->base, 0, 0));
	EXPECT_TRUE(got_mount_removal(&self->q, 1, id));
	GOT_NO_MORE();
}

/* Queue, mount and WATCH_SUBTREE identify a watch; a second such watch fails. */
TEST_F(mounts, duplicate)
{
	struct reader q;
	char line[256], want[256];

	EXPECT_EQ(-EINVAL, mount_watch(self->q.fd, BASE, 256, 0));
	EXPECT_EQ(-EINVAL, mount_watch(self->q.fd, BASE, 1, 2));
	EXPECT_EQ(-EINVAL, mount_watch(self->q.fd, BASE, 1, 0x80000001));
	EXPECT_EQ(-EINVAL, mount_unwatch(self->q.fd, BASE, 2));
	EXPECT_EQ(-EBUSY, mount_watch(self->q.fd, BASE, 1, WATCH_SUBTREE));
	EXPECT_EQ(-EBADSLT, mount_unwatch(self->q.fd, BASE, 0));
	EXPECT_EQ(0, mount_watch(self->q.fd, BASE, 255, 0));
	EXPECT_EQ(-EBUSY, mount_watch(self->q.fd, BASE, 1, 0));
	ASSERT_TRUE(queue_info_line(self->q.fd, "watch:", 0, line, sizeof(line)));
	snprintf(want, sizeof(want), "watch:\ttype:2 id:255 object:%llx", self->base);
	EXPECT_STREQ(want, line);

	/* The watches of another queue are independent */
	reader_open(_metadata, &q, 8);
	EXPECT_EQ(-EBADSLT, mount_unwatch(q.fd, BASE, 0));
	EXPECT_EQ(0, mount_watch(q.fd, BASE, 1, 0));
	EXPECT_EQ(0, mount_unwatch(self->q.fd, BASE, 0));
	EXPECT_TRUE(got_mount_removal(&self->q, 255, self->base));
	EXPECT_EQ(-EBADSLT, mount_unwatch(self->q.fd, BASE, 0));
	EXPECT_EQ(0, mount_unwatch(self->q.fd, BASE, WATCH_SUBTREE));
	EXPECT_TRUE(got_mount_removal(&self->q, ID, self->base));
	EXPECT_EQ(-EBADSLT, mount_unwatch(self->q.fd, BASE, WATCH_SUBTREE));
	ASSERT_NE(0, tmpfs("a", 0));
	GOT_NO_MORE();
	EXPECT_TRUE(got_mount(&q, NOTIFY_MOUNT_NEW, 1, mnt_id("a"), self->base, 0, 0));
	EXPECT_TRUE(got_no_more(&q));
	reader_close(&q);
}

/*
 * REMOVE_WATCH by ID removes all watches of the type that have the ID, even if no path
 * leads to the mount.
 */
TEST_F(mounts, remove_by_id)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("b", 0), over;
	union watch_record r;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, self->base, 0, 0);
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 5, 0));
	ASSERT_EQ(0, mount_watch(self->q.fd, "b", 5, WATCH_SUBTREE));
	over = tmpfs("a", 0);
	ASSERT_NE(a, over);
	EXPECT_EQ(-EBADSLT, mount_unwatch(self->q.fd, "a", 0));
	while (next_record(&self->q, &r) == 1)
		;

	EXPECT_EQ(-EINVAL, queue_unwatch(self->q.fd, MOUNT, -1, WATCH_SUBTREE));
	EXPECT_EQ(-EBADSLT, queue_unwatch_id(self->q.fd, WATCH_TYPE_SB_NOTIFY, 5));
	EXPECT_EQ(0, queue_unwatch_id(self->q.fd, MOUNT, 5));
	EXPECT_TRUE(got_mount_removal(&self->q, 5, b));
	EXPECT_TRUE(got_mount_removal(&self->q, 5, a));
	EXPECT_EQ(-EBADSLT, queue_unwatch_id(self->q.fd, MOUNT, 5));
	EXPECT_EQ(0, do_umount("a", 0));
}

/* The number of watches of a user is limited; watches that are refused do not count. */
TEST_F(mounts, limit_of_user)
{
	int queue = self->q.fd, max;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		struct reader q;

		child_queue(&q);
		CHECK(!become_user(SOME_USER));
		CHECK(!unshare(CLONE_NEWUSER | CLONE_NEWNS));
		max = open("/proc/sys/user/max_watch_queue_watches", O_WRONLY);
		CHECK(write(max, "2", 1) == 1);
		CHECK(!mount_watch(q.fd, BASE, 1, 0));
		CHECK(!mount_watch(q.fd, BASE, 2, WATCH_SUBTREE));
		CHECK(mount_watch(q.fd, "/proc", 3, 0) == -EAGAIN);
		CHECK(mount_watch(queue, BASE, 3, 0) == -EAGAIN);
		/* EBUSY takes precedence over EAGAIN */
		CHECK(mount_watch(q.fd, BASE, 3, 0) == -EBUSY);
		/* A refused watch is not charged */
		CHECK(!mount_unwatch(q.fd, BASE, 0));
		CHECK(mount_watch(q.fd, BASE, 1, WATCH_SUBTREE) == -EBUSY);
		CHECK(mount_watch(q.fd, BASE, 1, WATCH_SUBTREE) == -EBUSY);
		CHECK(!mount_watch(q.fd, BASE, 1, 0));
		CHECK(mount_watch(q.fd, "/proc", 3, 0) == -EAGAIN);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
}

/*
 * An unprivileged user may watch mounts of its own namespace that its root can reach.
 * CAP_SYS_ADMIN allows a task to watch mounts of another namespace.
 */
TEST_F(mounts, permission)
{
	int fd, up[2], down[2], queue = self->q.fd;
	__u64 a = tmpfs("a", 0);
	char path[PATH_LEN];
	union watch_record r;
	pid_t pid, child;

	GOT(NEW, a, self->base, 0, 0);
	ASSERT_NE(0, tmpfs("a/b", 0));
	GOT(NEW, mnt_id("a/b"), a, 0, BY_SUBTREE);
	fd = open_path("a");
	ASSERT_GE(fd, 0);

	/* An unprivileged user in this namespace */
	pid = fork();
	if (!pid) {
		CHECK(!become_user(SOME_USER));
		CHECK(!queue_watch(queue, MOUNT, fd, 1, WATCH_SUBTREE));
		CHECK(!queue_unwatch(queue, MOUNT, fd, WATCH_SUBTREE));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(got_mount_removal(&self->q, 1, a));

	/* With a root further down: privileged, and unprivileged */
	pid = fork();
	if (!pid) {
		int b = open_path("a/b");

		CHECK(!chroot("a/b"));
		CHECK(!queue_watch(queue, MOUNT, fd, 2, 0));
		CHECK(!become_user(SOME_USER));
		CHECK(queue_watch(queue, MOUNT, fd, 1, 0) == -EPERM);
		CHECK(queue_watch(queue, MOUNT, fd, 1, WATCH_SUBTREE) == -EPERM);
		CHECK(!queue_watch(queue, MOUNT, b, 3, 0));
		/* Removing a watch requires no permission */
		CHECK(!queue_unwatch(queue, MOUNT, fd, 0));
		CHECK(!queue_unwatch(queue, MOUNT, b, 0));
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(got_mount_removal(&self->q, 2, a));
	EXPECT_TRUE(got_mount_removal(&self->q, 3, mnt_id("a/b")));

	/* In a namespace of the user: its own mounts, but not those of the test */
	ASSERT_EQ(0, pipe2(up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(down, O_CLOEXEC));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		int own;

		CHECK(!become_user(SOME_USER));
		CHECK(!unshare(CLONE_NEWUSER | CLONE_NEWNS));
		own = open_path(BASE "/a");
		CHECK(own >= 0 && fd_mnt_id(own, "") != fd_mnt_id(fd, ""));
		CHECK(queue_watch(queue, MOUNT, fd, 1, 0) == -EPERM);
		CHECK(queue_watch(queue, MOUNT, fd, 1, WATCH_SUBTREE) == -EPERM);
		CHECK(!queue_watch(queue, MOUNT, own, 4, WATCH_SUBTREE));
		CHECK(!queue_unwatch(queue, MOUNT, own, WATCH_SUBTREE));
		sync_send(up[1]);
		sync_wait(down[0]);
		/* A root directory in the other namespace does not help */
		CHECK(!fchdir(fd) && !chroot("."));
		CHECK(queue_watch(queue, MOUNT, fd, 1, 0) == -EPERM);
		_exit(0);
	}
	sync_wait(up[0]);
	ASSERT_EQ(1, next_record(&self->q, &r));
	EXPECT_TRUE(is_removal(&r));
	EXPECT_EQ(4, watch_record_id(&r));
	EXPECT_NE(a, r.removal.id);
	/* From outside: root may watch, and another user may not */
	snprintf(path, sizeof(path), "/proc/%d/root%s/a", child, BASE);
	close(fd);
	fd = open_path(path);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, queue_watch(queue, MOUNT, fd, 5, WATCH_SUBTREE));
	pid = fork();
	if (!pid) {
		CHECK(!become_user(SOME_USER + 1));
		CHECK(queue_watch(queue, MOUNT, fd, 6, 0) == -EPERM);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, queue_unwatch(queue, MOUNT, fd, WATCH_SUBTREE));
	close(fd);
	sync_send(down[1]);
	EXPECT_EQ(0, child_status(child));
}

/* A filter selects by subtype and flags. */
TEST_F(mounts, filter)
{
	struct filter filter = {
		.nr_filters = 2,
		.rules = {
			{ .type = MOUNT, .subtype_filter[0] = 1 << NOTIFY_MOUNT_NEW,
			  .info_mask = BY_SUBTREE, .info_filter = BY_SUBTREE },
			{ .type = MOUNT, .subtype_filter[0] = 1 << NOTIFY_MOUNT_RDONLY },
		},
	};
	__u64 a, b;

	ASSERT_EQ(0, queue_filter(self->q.fd, &filter));
	a = tmpfs("a", 0);
	b = tmpfs("a/b", 0);
	ASSERT_EQ(0, do_setattr("a/b", false, MOUNT_ATTR_RDONLY, 0, 0));
	ASSERT_EQ(0, do_setattr("a/b", false, MOUNT_ATTR_NOSUID, 0, 0));
	ASSERT_EQ(0, do_umount("a/b", 0));
	GOT(NEW, b, a, 0, BY_SUBTREE);
	GOT(RDONLY, b, a, 0, BY_SUBTREE | NOTIFY_MOUNT_IS_RDONLY);
	GOT_NO_MORE();
}

/* Records of mounts that do not fit are counted as lost. */
TEST_F(mounts, loss)
{
	char name[16];
	struct reader q;
	union watch_record r;
	int i;
	__u64 ids[10];

	reader_open(_metadata, &q, 4);
	ASSERT_EQ(0, mount_watch(q.fd, BASE, 1, WATCH_SUBTREE));
	for (i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		ids[i] = tmpfs(name, 0);
		ASSERT_NE(0, ids[i]);
	}
	for (i = 0; i < 4; i++)
		EXPECT_TRUE(got_mount(&q, NOTIFY_MOUNT_NEW, 1, ids[i], self->base, 0, 0));
	ASSERT_EQ(1, next_record(&q, &r));
	EXPECT_TRUE(is_loss(&r));
	EXPECT_EQ(6, record_bits(&r));
	EXPECT_TRUE(got_no_more(&q));
	for (i = 0; i < 10; i++)
		GOT(NEW, ids[i], self->base, 0, 0);
	GOT_NO_MORE();
	reader_close(&q);
}

/*
 * The record has the IDs that statmount() takes, and identifies the filesystem as
 * statmount() does.  After UNMOUNT, statmount() fails.
 */
TEST_F(mounts, statmount)
{
	__u64 mask = STATMOUNT_MNT_BASIC | STATMOUNT_SB_BASIC | STATMOUNT_FS_TYPE;
	__u64 a = tmpfs("a", 0), id, ns;
	int ns_fd = open_ns(getpid());
	union watch_record r;
	struct {
		struct statmount sm;
		char strings[256];
	} s;

	ASSERT_GE(ns_fd, 0);
	ASSERT_EQ(1, next_record(&self->q, &r));
	id = r.mount.mnt_id;
	ns = r.mount.mnt_ns_id;
	EXPECT_EQ(a, id);
	EXPECT_EQ(mnt_ns_id(ns_fd), ns);
	close(ns_fd);
	ASSERT_EQ(0, do_statmount(id, ns, mask, &s.sm, sizeof(s)));
	EXPECT_EQ(a, s.sm.mnt_id);
	EXPECT_EQ(r.mount.parent_id, s.sm.mnt_parent_id);
	EXPECT_EQ(r.mount.dev_major, s.sm.sb_dev_major);
	EXPECT_EQ(r.mount.dev_minor, s.sm.sb_dev_minor);
	EXPECT_STREQ(r.mount.fs_type, s.sm.str + s.sm.fs_type);
	EXPECT_STREQ("tmpfs", r.mount.fs_type);
	ASSERT_EQ(0, do_umount("a", 0));
	ASSERT_EQ(1, next_record(&self->q, &r));
	EXPECT_EQ(ns, r.mount.mnt_ns_id);
	EXPECT_EQ(-ENOENT, do_statmount(id, ns, mask, &s.sm, sizeof(s)));
}

TEST_HARNESS_MAIN
