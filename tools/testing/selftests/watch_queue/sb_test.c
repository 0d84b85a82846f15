// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: events of superblocks, and permissions
 *
 * The events come from real filesystems, with damaged directories, full disks and
 * exceeded quotas.  Each test has its own mount namespace.  Its working directory is a
 * tmpfs with the mount points "mnt" and "other".
 */
#include <endian.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/socket.h>

#include "sb.h"

#define FREEZE_FILESYSTEMS	"/sys/power/freeze_filesystems"

/* Mounts ext4 on a device-mapper device, which is removed on unmount */
static bool mount_dm(char *name, size_t size, const char *options)
{
	char loop_path[64], table[80], path[64];
	int loop, ret;

	snprintf(name, size, "sb_test-%d", getpid());
	if (!make_ext4("image", ""))
		return false;
	loop = loop_attach("image", loop_path, sizeof(loop_path));
	if (loop < 0)
		return false;
	snprintf(table, sizeof(table), "%s 0", loop_path);
	ret = dm_create(name, "linear", IMAGE_SIZE / 512, table, path, sizeof(path));
	close(loop);
	if (!ret)
		ret = fs_mount("ext4", path, "mnt", options);
	return !dm_remove(name) && !ret;
}

/* The values and layouts of the user ABI do not change. */
TEST(header)
{
	EXPECT_EQ(3, SB);
	EXPECT_EQ(2, WATCH_REPORT_STATE);
	EXPECT_EQ(0, NOTIFY_SB_RDONLY);
	EXPECT_EQ(1, NOTIFY_SB_RDWR);
	EXPECT_EQ(2, NOTIFY_SB_RECONFIGURED);
	EXPECT_EQ(3, NOTIFY_SB_FROZEN);
	EXPECT_EQ(4, NOTIFY_SB_THAWED);
	EXPECT_EQ(5, NOTIFY_SB_SHUTDOWN);
	EXPECT_EQ(6, NOTIFY_SB_ERROR);
	EXPECT_EQ(7, NOTIFY_SB_WRITEBACK_ERROR);
	EXPECT_EQ(8, NOTIFY_SB_QUOTA);
	EXPECT_EQ(9, NOTIFY_SB_STATE);
	EXPECT_EQ(10, NOTIFY_SB_NEW);
	EXPECT_EQ(11, NOTIFY_SB_GONE);
	EXPECT_EQ(0x010000, NOTIFY_SB_IS_RDONLY);
	EXPECT_EQ(0x020000, NOTIFY_SB_BY_ERROR);
	EXPECT_EQ(0x040000, NOTIFY_SB_IS_SHUTDOWN);
	EXPECT_EQ(0x080000, NOTIFY_SB_IN_USER_NS);
	EXPECT_EQ(0x100000, NOTIFY_SB_IS_FROZEN);
	EXPECT_EQ(0x200000, NOTIFY_SB_UNPRIVILEGED);
	EXPECT_EQ(0x400000, NOTIFY_SB_BY_SUSPEND);
	EXPECT_EQ(0, NOTIFY_SB_METADATA);
	EXPECT_EQ(1, NOTIFY_SB_BUFFERED_READ);
	EXPECT_EQ(2, NOTIFY_SB_BUFFERED_WRITE);
	EXPECT_EQ(3, NOTIFY_SB_DIRECT_READ);
	EXPECT_EQ(4, NOTIFY_SB_DIRECT_WRITE);
	EXPECT_EQ(5, NOTIFY_SB_STALE_CACHE);
	EXPECT_EQ(6, NOTIFY_SB_DATA_LOST);
	EXPECT_EQ(40, sizeof(struct superblock_notification));
	EXPECT_EQ(8, offsetof(struct superblock_notification, sb_id));
	EXPECT_EQ(16, offsetof(struct superblock_notification, dev_major));
	EXPECT_EQ(20, offsetof(struct superblock_notification, dev_minor));
	EXPECT_EQ(24, offsetof(struct superblock_notification, fs_type));
	EXPECT_EQ(88, sizeof(struct superblock_error_notification));
	EXPECT_EQ(40, offsetof(struct superblock_error_notification, ino));
	EXPECT_EQ(48, offsetof(struct superblock_error_notification, pos));
	EXPECT_EQ(56, offsetof(struct superblock_error_notification, length));
	EXPECT_EQ(64, offsetof(struct superblock_error_notification, time_ns));
	EXPECT_EQ(72, offsetof(struct superblock_error_notification, generation));
	EXPECT_EQ(76, offsetof(struct superblock_error_notification, error));
	EXPECT_EQ(80, offsetof(struct superblock_error_notification, kind));
	EXPECT_EQ(84, offsetof(struct superblock_error_notification, suppressed));
	EXPECT_EQ(56, sizeof(struct superblock_quota_notification));
	EXPECT_EQ(40, offsetof(struct superblock_quota_notification, id));
	EXPECT_EQ(44, offsetof(struct superblock_quota_notification, id_type));
	EXPECT_EQ(48, offsetof(struct superblock_quota_notification, warning));
	EXPECT_EQ(52, offsetof(struct superblock_quota_notification, suppressed));
}

FIXTURE(sb)
{
	struct stream s;
};

FIXTURE_SETUP(sb)
{
	workspace(_metadata, &self->s);
}

FIXTURE_TEARDOWN(sb)
{
	reader_close(&self->s.q);
}

/* A descriptor must be an open file of a filesystem that can be mounted. */
TEST_F(sb, bad_object)
{
	int pipes[2], socks[2], closed, fd[8], nr = 0;

	closed = dup(self->s.q.fd);
	close(closed);
	EXPECT_EQ(-EBADF, watch_fd(&self->s, -2, 1));
	EXPECT_EQ(-EBADF, watch_fd(&self->s, closed, 1));
	EXPECT_EQ(-EBADSLT, unwatch_fd(&self->s, -1));
	EXPECT_EQ(-EBADF, unwatch_fd(&self->s, -2));
	EXPECT_EQ(-EBADF, unwatch_fd(&self->s, closed));

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	fd[nr++] = self->s.q.fd;
	fd[nr++] = pipes[0];
	fd[nr++] = socks[0];
	fd[nr++] = eventfd(0, 0);
	fd[nr++] = memfd_create("memory", 0);
	fd[nr++] = open("/proc/self/ns/mnt", O_RDONLY);
	while (nr--) {
		ASSERT_GE(fd[nr], 0);
		EXPECT_EQ(-EINVAL, watch_fd(&self->s, fd[nr], 1));
		EXPECT_EQ(-EINVAL, unwatch_fd(&self->s, fd[nr]));
	}
	EXPECT_TRUE(got_no_more(&self->s.q));
}

/* Flags other than WATCH_REPORT_STATE, and IDs above 255, fail with EINVAL. */
TEST_F(sb, bad_argument)
{
	int fd = open("mnt", O_PATH | O_CLOEXEC);
	int q = self->s.q.fd;

	EXPECT_EQ(-EINVAL, queue_watch(q, SB, fd, 1, 1));
	EXPECT_EQ(-EINVAL, queue_watch(q, SB, fd, 1, 1U << 31));
	EXPECT_EQ(-EINVAL, queue_unwatch(q, SB, fd, 1));
	EXPECT_EQ(-EINVAL, queue_watch(q, SB, fd, 256, 0));
	EXPECT_EQ(-EBADSLT, unwatch_fd(&self->s, fd));
}

/* Any file on any mount identifies its filesystem, which a queue can watch once. */
TEST_F(sb, any_file)
{
	static const char * const paths[] = {
		"mnt", "mnt/a", "mnt/a/b", "mnt/a/file", "mnt/fifo", "mnt/link",
		"other", "other/b/../file",
	};
	struct stream second;
	unsigned int i;
	int fd;

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", NULL));
	ASSERT_EQ(0, mkdir("mnt/a", 0755));
	ASSERT_EQ(0, mkdir("mnt/a/b", 0755));
	ASSERT_EQ(0, mkfifo("mnt/fifo", 0644));
	ASSERT_EQ(0, symlink("a", "mnt/link"));
	fd = open("mnt/a/file", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, do_mount("mnt/a", "other", NULL, MS_BIND, NULL));

	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		ASSERT_EQ(0, watch(&self->s, paths[i], 1));
		EXPECT_EQ(-EBUSY, watch(&self->s, "mnt", 1));
		EXPECT_EQ(-EBUSY, watch(&self->s, "other", 2));
		ASSERT_EQ(0, unwatch(&self->s, "mnt/a"));
		ASSERT_TRUE(got_end(&self->s, 1));
		EXPECT_EQ(-EBADSLT, unwatch(&self->s, paths[i]));
	}
	/* A descriptor without O_PATH works, too; another filesystem is another object */
	ASSERT_EQ(0, watch_fd(&self->s, fd, 1));
	ASSERT_EQ(0, watch(&self->s, ".", 2));
	EXPECT_NE(self->s.sb[1].sb_id, self->s.sb[2].sb_id);

	/* Another queue can watch the same filesystem */
	stream_open(_metadata, &second);
	EXPECT_EQ(-EBADSLT, unwatch(&second, "mnt"));
	ASSERT_EQ(0, watch(&second, "mnt", 3));
	EXPECT_EQ(self->s.sb[1].sb_id, second.sb[3].sb_id);
	close(fd);
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDONLY, RO));
	EXPECT_TRUE(got_change(&second, 3, NOTIFY_SB_RDONLY, RO));
	EXPECT_TRUE(got_no_more(&self->s.q));
}

/* Watches are charged to the user that adds them. */
TEST_F(sb, user_limit)
{
	int fd = open("mnt", O_PATH | O_CLOEXEC);
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (become_user(SOME_USER) || unshare(CLONE_NEWUSER) ||
		    sysctl_set("/proc/sys/user/max_watch_queue_watches", 0))
			_exit(1);
		_exit(-queue_watch(self->s.q.fd, SB, fd, 1, 0));
	}
	EXPECT_EQ(-EAGAIN, wait_child(pid));
	EXPECT_EQ(-EBADSLT, unwatch(&self->s, "mnt"));
}

/* A remount posts one event.  A change of a mount only, or a failure, posts none. */
TEST_F(sb, remount)
{
	int fd;

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", "size=1M"));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDONLY, RO));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, "size=2M"));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_RECONFIGURED));
	ASSERT_EQ(0, remount("mnt", 0, NULL));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDWR, 0));
	ASSERT_EQ(0, remount("mnt", 0, "size=3M"));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_RECONFIGURED));
	EXPECT_TRUE(got_no_more(&self->s.q));

	ASSERT_EQ(0, remount("mnt", MS_BIND | MS_RDONLY, NULL));
	ASSERT_EQ(0, remount("mnt", MS_BIND, NULL));
	EXPECT_EQ(-EINVAL, remount("mnt", 0, "no-such-option"));
	fd = open("mnt/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EBUSY, remount("mnt", MS_RDONLY, NULL));
	close(fd);
	EXPECT_TRUE(got_no_more(&self->s.q));

	ASSERT_EQ(0, unwatch(&self->s, "mnt"));
	EXPECT_TRUE(got_end(&self->s, 1));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_no_more(&self->s.q));
}

/* A watch does not pin the mount or the filesystem, and is removed with the latter. */
TEST_F(sb, unmount)
{
	__u64 sb_id;
	int fd;

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", NULL));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&self->s, 1));
	EXPECT_TRUE(got_no_more(&self->s.q));
	sb_id = self->s.sb[1].sb_id;

	/* The next filesystem may reuse the device number, but not the ID */
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", NULL));
	EXPECT_EQ(-EBADSLT, unwatch(&self->s, "mnt"));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	EXPECT_NE(sb_id, self->s.sb[1].sb_id);

	/* The filesystem exists as long as it has a mount or an open file */
	ASSERT_EQ(0, do_mount("mnt", "other", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_umount("mnt", 0));
	fd = open("other/file", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, do_umount("other", MNT_DETACH));
	EXPECT_TRUE(got_no_more(&self->s.q));
	close(fd);
	EXPECT_TRUE(got_end(&self->s, 1));

	/* End of file, without a watch and a write end */
	close(self->s.q.write_fd);
	EXPECT_EQ(0, read(self->s.q.fd, &sb_id, sizeof(sb_id)));
}

/* FROZEN and THAWED are posted once each, also for a read-only filesystem. */
TEST_F(sb, freeze)
{
	int fd;

	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_FROZEN));
	EXPECT_EQ(-EBUSY, neg(ioctl(fd, FIFREEZE, 0)));
	EXPECT_EQ(-EBUSY, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_no_more(&self->s.q));
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_THAWED));
	EXPECT_EQ(-EINVAL, neg(ioctl(fd, FITHAW, 0)));
	EXPECT_TRUE(got_no_more(&self->s.q));

	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDONLY, RO));
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_FROZEN));
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_THAWED));
	close(fd);
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&self->s, 1));
}

/* A suspend that freezes all filesystems is distinguished from FIFREEZE. */
TEST_F(sb, suspend)
{
	int fd;

	if (access(FREEZE_FILESYSTEMS, W_OK))
		SKIP(return, "this kernel does not freeze filesystems for a suspend");
	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	/* Freeze filesystems and tasks, and resume */
	ASSERT_EQ(0, sysctl_set(FREEZE_FILESYSTEMS, 1));
	ASSERT_EQ(0, sysctl_set("/sys/module/suspend/parameters/pm_test_delay", 0));
	ASSERT_EQ(0, write_text("/sys/power/pm_test", "freezer"));
	ASSERT_EQ(0, write_text("/sys/power/state", "freeze"));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_FROZEN, NOTIFY_SB_BY_SUSPEND));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_THAWED, NOTIFY_SB_BY_SUSPEND));
	EXPECT_TRUE(got_no_more(&self->s.q));

	/* If a program froze it before, a suspend posts nothing */
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_FROZEN, 0));
	EXPECT_EQ(0, write_text("/sys/power/state", "freeze"));
	EXPECT_TRUE(got_no_more(&self->s.q));
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_THAWED));
	EXPECT_TRUE(got_no_more(&self->s.q));
	close(fd);
}

/* A filesystem that is unmounted while frozen exists until it is thawed. */
TEST_F(sb, unmounted_while_frozen)
{
	char name[32];
	int fd;

	ASSERT_TRUE(mount_dm(name, sizeof(name), NULL));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, dm_suspend(name, true));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_FROZEN));
	EXPECT_EQ(-EBUSY, neg(ioctl(fd, FIFREEZE, 0)));
	EXPECT_TRUE(got_no_more(&self->s.q));

	close(fd);
	ASSERT_EQ(0, do_umount("mnt", MNT_DETACH));
	EXPECT_TRUE(got_no_more(&self->s.q));
	ASSERT_EQ(0, dm_suspend(name, false));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_THAWED));
	EXPECT_TRUE(got_end(&self->s, 1));
}

/* ERROR has the inode and the error.  With errors=continue, nothing else is posted. */
TEST_F(sb, error)
{
	struct expected_error damage;

	ASSERT_TRUE(mount_damaged("errors=continue", &damage));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	read_damaged();
	EXPECT_TRUE(got_error(&self->s, 1, NOTIFY_SB_ERROR, &damage));
	EXPECT_TRUE(got_no_more(&self->s.q));
	read_damaged();
	EXPECT_TRUE(got_error(&self->s, 1, NOTIFY_SB_ERROR, &damage));
	EXPECT_TRUE(got_no_more(&self->s.q));
}

/* With errors=remount-ro, ext4 aborts the journal, which posts RDONLY, and shuts down. */
TEST_F(sb, error_stops)
{
	struct expected_error damage;

	ASSERT_TRUE(mount_damaged("errors=remount-ro", &damage));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	read_damaged();
	EXPECT_TRUE(got_error(&self->s, 1, NOTIFY_SB_ERROR, &damage));
	EXPECT_TRUE(got_ext4_stop(&self->s, 1));
	EXPECT_NE(0, mkdir("mnt/new", 0755));
	EXPECT_TRUE(got_no_more(&self->s.q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&self->s, 1));
}

/* Without a journal, both are posted when ext4 has shut down. */
TEST_F(sb, error_without_journal)
{
	struct expected_error damage;

	ASSERT_TRUE(mount_damaged_with(",^has_journal", "errors=remount-ro", &damage));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	read_damaged();
	EXPECT_TRUE(got_error(&self->s, 1, NOTIFY_SB_ERROR, &damage));
	EXPECT_TRUE(got_ext4_stop(&self->s, 1));
	EXPECT_TRUE(got_no_more(&self->s.q));
}

/* The mount option "abort" stops ext4 as an error does, without ERROR. */
TEST_F(sb, mount_option_abort)
{
	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	ASSERT_EQ(0, remount("mnt", 0, "abort"));
	EXPECT_TRUE(got_ext4_stop(&self->s, 1));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_RECONFIGURED));
	EXPECT_TRUE(got_no_more(&self->s.q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&self->s, 1));
}

/* Sets a filter for some subtypes */
static bool only_mask(struct stream *s, __u32 subtypes)
{
	struct filter filter = {
		.nr_filters = 1,
		.rules[0].type = SB,
		.rules[0].subtype_filter[0] = subtypes,
	};

	return !queue_filter(s->q.fd, &filter);
}

static bool only(struct stream *s, __u32 subtype)
{
	return only_mask(s, 1 << subtype);
}

/* A shutdown by ioctl posts RDONLY and SHUTDOWN once each, and is not an error. */
TEST_F(sb, shutdown)
{
	/* Freeze first, write the log first, neither */
	const __u32 last = 2;
	__u32 flags;
	int fd;

	ASSERT_TRUE(make_ext4("image", ""));
	for (flags = 0; flags <= last; flags++) {
		ASSERT_EQ(0, mount_image("image", "mnt", NULL));
		ASSERT_EQ(0, watch(&self->s, "mnt", 1));
		/* Not the freeze */
		ASSERT_TRUE(only_mask(&self->s, 1 << NOTIFY_SB_RDONLY | 1 << NOTIFY_SB_SHUTDOWN));
		fd = open("mnt", O_RDONLY | O_CLOEXEC);
		ASSERT_EQ(0, ioctl(fd, GOINGDOWN, &flags));
		EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDONLY, RO));
		EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_SHUTDOWN, RO | SHUT));
		/* Again: no second record */
		EXPECT_EQ(0, ioctl(fd, GOINGDOWN, &flags));
		EXPECT_TRUE(got_no_more(&self->s.q));
		close(fd);
		ASSERT_EQ(0, do_umount("mnt", 0));
		EXPECT_TRUE(got_end(&self->s, 1));
		ASSERT_EQ(0, queue_filter(self->s.q.fd, NULL));
	}
}

/* A filesystem that is already read-only posts SHUTDOWN alone, and remains so. */
TEST_F(sb, shutdown_read_only)
{
	__u32 flags = 2;
	int fd;

	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDONLY, RO));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, ioctl(fd, GOINGDOWN, &flags));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_SHUTDOWN, RO | SHUT));
	close(fd);
	EXPECT_NE(0, remount("mnt", 0, NULL));
	EXPECT_TRUE(got_no_more(&self->s.q));
	/* A late watcher gets the same state */
	ASSERT_EQ(0, unwatch(&self->s, "mnt"));
	EXPECT_TRUE(got_end(&self->s, 1));
	EXPECT_EQ(0, watch_path(&self->s, "mnt", 1, RO | SHUT));
}

/* ERROR is posted for an error without an inode, found while holding a spinlock. */
TEST_F(sb, error_in_group)
{
	struct expected_error damage = { .error = NOT_CLEAN, .kind = NOTIFY_SB_METADATA };
	__u16 free_blocks;
	int fd;

	/* Damage the number of free blocks in the group descriptor */
	ASSERT_TRUE(make_ext4("image", ",^64bit,^has_journal"));
	fd = open("image", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(2, pread(fd, &free_blocks, 2, 2 * EXT4_BLOCK + 12));
	free_blocks ^= 0x100;
	ASSERT_EQ(2, pwrite(fd, &free_blocks, 2, 2 * EXT4_BLOCK + 12));
	close(fd);
	/* Do not let the kernel find the damage before the watch is added */
	ASSERT_EQ(0, mount_image("image", "mnt", "no_prefetch_block_bitmaps"));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	/* A directory needs a block */
	mkdir("mnt/new", 0755);
	EXPECT_TRUE(got_error(&self->s, 1, NOTIFY_SB_ERROR, &damage));
}

#define BURST		300	/* errors */
#define BURST_RECORDS	10	/* errors with a record of their own, at least */

/* Counts records and errors of a burst; false after an unexpected record */
static bool count_burst(struct stream *s, const struct expected_error *damage,
			unsigned int *records, unsigned int *errors)
{
	struct expected_error want = *damage;
	union watch_record r;
	int ret;

	while ((ret = next(s, &r)) > 0) {
		if (is_removal(&r)) {
			unread_record(&s->q, ret);
			break;
		}
		if (*records >= BURST_RECORDS)
			want.suppressed = r.sb_error.suppressed;
		if (!is_error(s, &s->sb[1], &r, 1, NOTIFY_SB_ERROR, &want)) {
			print_sb(ret, &r);
			return false;
		}
		++*records;
		*errors += 1 + r.sb_error.suppressed;
	}
	return ret > 0 || ret == -EAGAIN;
}

/* Watches a filesystem and causes BURST errors */
static bool make_burst(struct stream *s, struct expected_error *damage)
{
	unsigned int i;

	if (!mount_damaged("errors=continue", damage) || watch(s, "mnt", 1))
		return false;
	for (i = 0; i < BURST; i++)
		read_damaged();
	return true;
}

/* A burst of errors has few records, whose counts add up to all errors. */
TEST_F(sb, burst)
{
	unsigned int records = 0, errors = 0;
	struct expected_error damage;

	ASSERT_TRUE(make_burst(&self->s, &damage));
	/* The last errors are reported, although no other error follows */
	do {
		ASSERT_EQ(POLLIN, poll_in(self->s.q.fd));
		ASSERT_TRUE(count_burst(&self->s, &damage, &records, &errors));
	} while (errors < BURST);
	EXPECT_EQ(BURST, errors);
	EXPECT_GE(records, BURST_RECORDS + 1);
	EXPECT_LT(records, BURST);

	/* After the burst, an error has a record immediately */
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&self->s, 1));
	ASSERT_EQ(0, mount_image("image", "mnt", "errors=continue"));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	read_damaged();
	EXPECT_TRUE(got_error(&self->s, 1, NOTIFY_SB_ERROR, &damage));
}

/* On unmount, suppressed errors are reported before REMOVAL. */
TEST_F(sb, burst_then_unmount)
{
	unsigned int records = 0, errors = 0;
	struct expected_error damage;

	ASSERT_TRUE(make_burst(&self->s, &damage));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(count_burst(&self->s, &damage, &records, &errors));
	EXPECT_EQ(BURST, errors);
	EXPECT_TRUE(got_end(&self->s, 1));
	EXPECT_TRUE(got_no_more(&self->s.q));
}

/* A watch that is added after a burst gets no record of it. */
TEST_F(sb, burst_then_watch)
{
	unsigned int records = 0, errors = 0;
	struct expected_error damage;
	struct stream late;

	ASSERT_TRUE(make_burst(&self->s, &damage));
	stream_open(_metadata, &late);
	ASSERT_EQ(0, watch(&late, "mnt", 1));
	EXPECT_TRUE(count_burst(&self->s, &damage, &records, &errors));
	EXPECT_EQ(BURST, errors);
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&late, 1));
	EXPECT_TRUE(got_end(&self->s, 1));
}

struct damage_reader {
	pthread_t thread;
	int stop;
};

static void *read_damaged_thread(void *arg)
{
	struct damage_reader *damage_reader = arg;

	while (!__atomic_load_n(&damage_reader->stop, __ATOMIC_RELAXED))
		read_damaged();
	return NULL;
}

/* Watches are added and removed during a burst: REMOVAL is the last record of each. */
TEST_F(sb, burst_watches_concurrent)
{
	struct damage_reader damage_reader = { 0 };
	struct expected_error damage;
	unsigned int i, records, errors;
	int fd;

	ASSERT_TRUE(mount_damaged("errors=continue", &damage));
	fd = open("mnt", O_PATH | O_CLOEXEC);
	ASSERT_EQ(0, watch_fd(&self->s, fd, 1));
	ASSERT_EQ(0, unwatch_fd(&self->s, fd));
	ASSERT_TRUE(got_end(&self->s, 1));
	/* An error may precede the state of a new watch */
	ASSERT_TRUE(only(&self->s, NOTIFY_SB_ERROR));
	ASSERT_EQ(0, pthread_create(&damage_reader.thread, NULL, read_damaged_thread,
				    &damage_reader));
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, add_watch(&self->s, fd, 1));
		ASSERT_EQ(0, unwatch_fd(&self->s, fd));
		/* The first count may include errors before the watch */
		records = BURST_RECORDS;
		errors = 0;
		ASSERT_TRUE(count_burst(&self->s, &damage, &records, &errors));
		ASSERT_TRUE(got_end(&self->s, 1));
		ASSERT_TRUE(got_no_more(&self->s.q));
	}
	ASSERT_EQ(0, add_watch(&self->s, fd, 1));
	close(fd);
	__atomic_store_n(&damage_reader.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(damage_reader.thread, NULL));
	ASSERT_EQ(0, do_umount("mnt", 0));
	ASSERT_TRUE(count_burst(&self->s, &damage, &records, &errors));
	EXPECT_TRUE(got_end(&self->s, 1));
}

/* Reads write-back errors, at least one, all with these contents */
static bool got_wb_errors(struct stream *s, __u32 id, struct expected_error want)
{
	union watch_record r;
	int ret, nr;

	for (nr = 0; (ret = next(s, &r)) > 0; nr++) {
		want.suppressed = r.sb_error.suppressed;
		if (!is_error(s, &s->sb[id], &r, id, NOTIFY_SB_WRITEBACK_ERROR, &want))
			break;
	}
	if (ret == -EAGAIN && nr)
		return true;
	print_sb(ret, &r);
	return false;
}

/* Mounts an ext4 whose disk is a file in a tmpfs that is smaller */
static bool mount_on_small_tmpfs(void)
{
	return !fs_mount("tmpfs", "none", "other", "size=1M") &&
	       make_ext4("other/image", ",^has_journal") &&
	       !mount_image("other/image", "mnt", NULL);
}

/*
 * WRITEBACK_ERROR is posted when data is lost; here the disk is a file in a full tmpfs.
 * Only a privileged watcher gets the inode.  Others get the error, which syncfs() also
 * returns.
 */
TEST_F(sb, writeback_error)
{
	struct expected_error lost = { .error = ENOSPC, .kind = NOTIFY_SB_BUFFERED_WRITE };
	struct expected_error anonymous = lost;
	char data[65536];
	struct stream plain;
	int fd, i;

	stream_open(_metadata, &plain);
	ASSERT_TRUE(mount_on_small_tmpfs());
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	ASSERT_EQ(0, watch_as(SOME_USER, &plain, "mnt", 2));
	ASSERT_TRUE(only(&self->s, NOTIFY_SB_WRITEBACK_ERROR));
	ASSERT_TRUE(only(&plain, NOTIFY_SB_WRITEBACK_ERROR));

	fd = open("mnt/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, read_inode("mnt/file", &lost));
	EXPECT_TRUE(got_no_more(&self->s.q));
	memset(data, 1, sizeof(data));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(sizeof(data), write(fd, data, sizeof(data)));
	EXPECT_EQ(-ENOSPC, neg(fsync(fd)));
	EXPECT_TRUE(got_wb_errors(&self->s, 1, lost));
	EXPECT_TRUE(got_wb_errors(&plain, 2, anonymous));
	/* Let the remaining data be written */
	ASSERT_EQ(0, remount("other", 0, "size=16M"));
	close(fd);
	EXPECT_EQ(0, do_umount("mnt", 0));
}

/* On unmount, suppressed errors are reported, whatever their kind. */
TEST_F(sb, writeback_burst_then_unmount)
{
	static char data[65536];
	unsigned int i, errors = 0;
	union watch_record r;
	int fd;

	ASSERT_TRUE(mount_on_small_tmpfs());
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	ASSERT_TRUE(only(&self->s, NOTIFY_SB_WRITEBACK_ERROR));
	fd = open("mnt/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	memset(data, 1, sizeof(data));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(sizeof(data), write(fd, data, sizeof(data)));
	EXPECT_EQ(-ENOSPC, neg(fsync(fd)));
	for (i = 0; i < BURST; i++) {
		ASSERT_EQ(EXT4_BLOCK, write(fd, data, EXT4_BLOCK));
		EXPECT_EQ(-ENOSPC, neg(fsync(fd)));
	}
	close(fd);
	ASSERT_EQ(0, remount("other", 0, "size=16M"));
	ASSERT_EQ(0, do_umount("mnt", 0));
	while (next(&self->s, &r) > 0 && !is_removal(&r)) {
		EXPECT_EQ(NOTIFY_SB_BUFFERED_WRITE, r.sb_error.kind);
		errors += 1 + r.sb_error.suppressed;
	}
	EXPECT_LT(BURST, errors);
}

/* Polled I/O on a device that does not support it is not an error of the filesystem. */
TEST_F(sb, polled)
{
	const size_t size = 4096;
	void *data = aligned_alloc(size, size);
	int fd;

	ASSERT_NE(NULL, data);
	memset(data, 1, size);
	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	fd = open("mnt/file", O_CREAT | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	ASSERT_EQ(size, write(fd, data, size));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	ASSERT_EQ(-EOPNOTSUPP, read_polled(fd, data, size));
	EXPECT_TRUE(got_no_more(&self->s.q));
	close(fd);
	EXPECT_EQ(0, do_umount("mnt", 0));
	free(data);
}

/*
 * Direct I/O that fails because of its arguments, or because the filesystem is full, is
 * not an error of the filesystem.
 */
TEST_F(sb, refused_direct_io)
{
	const size_t size = 65536;
	void *data = aligned_alloc(4096, size), *none;
	int fd, ret;
	loff_t at;

	ASSERT_NE(NULL, data);
	memset(data, 1, size);
	none = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, none);
	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	fd = open("mnt/file", O_CREAT | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	ASSERT_EQ(size, pwrite(fd, data, size, 0));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	EXPECT_EQ(-EFAULT, neg(pread(fd, none, size, 0)));
	EXPECT_EQ(-EFAULT, neg(pwrite(fd, none, size, 0)));
	EXPECT_EQ(-EINVAL, neg(pread(fd, data, 100, 1)));
	EXPECT_TRUE(got_no_more(&self->s.q));

	/* The filesystem is full */
	for (at = size; (ret = neg(pwrite(fd, data, size, at))) > 0; at += ret)
		;
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_TRUE(got_no_more(&self->s.q));
	close(fd);
	EXPECT_EQ(0, do_umount("mnt", 0));
	munmap(none, size);
	free(data);
}

/* Makes an image of one group with checksums, and a bitmap of blocks that is wrong */
static bool make_bad_bitmap(const char *image)
{
	static const char zeroes[EXT4_BLOCK];
	char command[256];
	__u32 bitmap = 0;
	bool good;
	int fd;

	snprintf(command, sizeof(command),
		 "mkfs.ext4 -q -F -b 1024 -N 64 -m 0 -E nodiscard -O metadata_csum,^resize_inode %s 8M >/dev/null",
		 image);
	if (system(command))
		return false;
	fd = open(image, O_RDWR | O_CLOEXEC);
	/* The first member of the group descriptor */
	good = pread(fd, &bitmap, 4, 2 * EXT4_BLOCK) == 4;
	bitmap = le32toh(bitmap);
	good = good && bitmap &&
	       pwrite(fd, zeroes, EXT4_BLOCK, bitmap * EXT4_BLOCK) == EXT4_BLOCK;
	close(fd);
	return good;
}

/*
 * Data is lost if no block can be allocated when it is written back.  This is reported
 * to watchers, and by syncfs() and fsync(), although no I/O failed.
 */
TEST_F(sb, delayed_allocation)
{
	struct expected_error lost = { .kind = NOTIFY_SB_BUFFERED_WRITE };
	int fd[2], i, ret, error, nr_lost = 0;
	union watch_record r;

	ASSERT_TRUE(make_bad_bitmap("image"));
	/* Do not let the kernel find the damage before the watch is added */
	ASSERT_EQ(0, mount_image("image", "mnt",
				 "errors=continue,no_prefetch_block_bitmaps"));
	for (i = 0; i < 2; i++) {
		fd[i] = open("mnt/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		ASSERT_GE(fd[i], 0);
	}
	ASSERT_EQ(0, read_inode("mnt/file", &lost));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));
	ASSERT_EQ(1, write(fd[0], "x", 1));
	error = neg(syncfs(fd[0]));
	EXPECT_GT(0, error);
	EXPECT_EQ(error, neg(fsync(fd[1])));
	lost.error = -error;
	while ((ret = next(&self->s, &r)) > 0) {
		if (r.watch.subtype == NOTIFY_SB_ERROR)
			continue;
		EXPECT_TRUE(is_error(&self->s, &self->s.sb[1], &r, 1,
				     NOTIFY_SB_WRITEBACK_ERROR, &lost));
		nr_lost++;
	}
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_LT(0, nr_lost);
	close(fd[0]);
	close(fd[1]);
}

/*
 * A disk that fails writes posts WRITEBACK_ERROR for data, and for the journal RDONLY
 * and SHUTDOWN, once each.
 */
TEST_F(sb, disk_fails)
{
	struct expected_error lost = { .error = EIO, .kind = NOTIFY_SB_BUFFERED_WRITE };
	int fd, ret, nr_lost = 0, nr_rdonly = 0, nr_shutdown = 0;
	union watch_record r;
	char name[32];

	ASSERT_TRUE(mount_dm(name, sizeof(name), "errors=remount-ro"));
	/* Allocate the block, so that the later write reaches the disk */
	fd = open("mnt/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_EQ(4, write(fd, "data", 4));
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, read_inode("mnt/file", &lost));
	ASSERT_EQ(0, watch(&self->s, "mnt", 1));

	ASSERT_EQ(0, dm_set(name, "error", IMAGE_SIZE / 512, ""));
	ASSERT_EQ(4, pwrite(fd, "more", 4, 0));
	EXPECT_EQ(-EIO, neg(fsync(fd)));
	/* Writing the journal fails, and 6.12 shuts ext4 down when it uses it next */
	mkdir("mnt/dir", 0755);
	EXPECT_EQ(-EIO, neg(syncfs(fd)));
	EXPECT_GT(0, neg(mkdir("mnt/late", 0755)));
	while ((ret = next(&self->s, &r)) > 0) {
		if (r.watch.subtype == NOTIFY_SB_RDONLY) {
			self->s.sb[1].state = RO | BY_ERROR;
			EXPECT_TRUE(is_sb(&self->s, &r, 1, NOTIFY_SB_RDONLY, sizeof(r.sb)));
			EXPECT_EQ(0, nr_rdonly++ + nr_shutdown);
		} else if (r.watch.subtype == NOTIFY_SB_SHUTDOWN) {
			self->s.sb[1].state = RO | BY_ERROR | SHUT;
			EXPECT_TRUE(is_sb(&self->s, &r, 1, NOTIFY_SB_SHUTDOWN, sizeof(r.sb)));
			EXPECT_EQ(0, nr_shutdown++);
		} else if (r.watch.subtype == NOTIFY_SB_WRITEBACK_ERROR &&
			   r.sb_error.ino == lost.ino) {
			EXPECT_TRUE(is_error(&self->s, &self->s.sb[1], &r, 1,
					     NOTIFY_SB_WRITEBACK_ERROR, &lost));
			nr_lost++;
		}
	}
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_LT(0, nr_lost);
	EXPECT_EQ(1, nr_rdonly);
	EXPECT_EQ(ext4_shuts_down(), nr_shutdown);
	close(fd);
	EXPECT_EQ(0, do_umount("mnt", 0));
}

/* The events of an overlay and of the filesystem below it are independent. */
TEST_F(sb, overlay)
{
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "other", NULL));
	ASSERT_EQ(0, mkdir("other/lower", 0755));
	ASSERT_EQ(0, mkdir("other/upper", 0755));
	ASSERT_EQ(0, mkdir("other/work", 0755));
	ASSERT_EQ(0, fs_mount("overlay", "none", "mnt",
			      "lowerdir=other/lower,upperdir=other/upper,workdir=other/work"));
	ASSERT_EQ(0, watch(&self->s, "other", 1));
	ASSERT_EQ(0, watch(&self->s, "mnt", 2));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_change(&self->s, 2, NOTIFY_SB_RDONLY, RO));
	ASSERT_EQ(0, remount("other", 0, "size=1M"));
	EXPECT_TRUE(got(&self->s, 1, NOTIFY_SB_RECONFIGURED));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&self->s, 2));
	EXPECT_TRUE(got_no_more(&self->s.q));
	ASSERT_EQ(0, do_umount("other", 0));
	EXPECT_TRUE(got_end(&self->s, 1));
}

/* Writes up to the quota, then truncates and removes the file */
static int use_up_blocks(uid_t uid)
{
	char data[4096];
	int fd, i, ret;

	ret = become_user(uid);
	if (ret)
		return ret;
	fd = open("mnt/file", O_CREAT | O_TRUNC | O_WRONLY, 0644);
	if (fd < 0)
		return -errno;
	memset(data, 1, sizeof(data));
	for (i = 0; i < 64; i++)
		if (write(fd, data, sizeof(data)) < 0)
			break;
	if (i == 64 || errno != EDQUOT)
		return -EPROTO;
	if (ftruncate(fd, sizeof(data)) || unlink("mnt/file") || close(fd))
		return -errno;
	return 0;
}

static int use_up_inodes(uid_t uid)
{
	char name[32];
	int i, ret;

	ret = become_user(uid);
	for (i = 0; !ret && i < 64; i++) {
		snprintf(name, sizeof(name), "mnt/dir%d", i);
		ret = neg(mkdir(name, 0755));
	}
	return ret == -EDQUOT ? 0 : -EPROTO;
}

static int run(int (*function)(uid_t), uid_t uid)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-function(uid));
	return wait_child(pid);
}

FIXTURE(quota)
{
	struct stream root, user, other;
};

FIXTURE_VARIANT(quota)
{
	const char *options;
	__u16 type;
};

FIXTURE_VARIANT_ADD(quota, of_user)
{
	.options = "mode=1777,usrquota,usrquota_block_hardlimit=64k,usrquota_inode_hardlimit=4",
	.type = USRQUOTA,
};

FIXTURE_VARIANT_ADD(quota, of_group)
{
	.options = "mode=1777,grpquota,grpquota_block_hardlimit=64k,grpquota_inode_hardlimit=4",
	.type = GRPQUOTA,
};

FIXTURE_SETUP(quota)
{
	workspace(_metadata, &self->root);
	stream_open(_metadata, &self->user);
	stream_open(_metadata, &self->other);
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", variant->options));
	ASSERT_EQ(0, watch(&self->root, "mnt", 1));
	ASSERT_EQ(0, watch_as(SOME_USER, &self->user, "mnt", 2));
	ASSERT_EQ(0, watch_as(OTHER_USER, &self->other, "mnt", 3));
}

FIXTURE_TEARDOWN(quota)
{
	reader_close(&self->root.q);
	reader_close(&self->user.q);
	reader_close(&self->other.q);
}

/* QUOTA is posted when the limit of blocks is reached, and when usage drops below it. */
TEST_F(quota, blocks)
{
	struct stream *s[] = { &self->root, &self->user };
	int i;

	ASSERT_EQ(0, run(use_up_blocks, SOME_USER));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(got_quota(s[i], i + 1, SOME_USER, variant->type,
				      QUOTA_NL_BHARDWARN));
		EXPECT_TRUE(got_quota(s[i], i + 1, SOME_USER, variant->type,
				      QUOTA_NL_BHARDBELOW));
		/* Without a soft limit, removing the file is below it */
		EXPECT_TRUE(got_quota(s[i], i + 1, SOME_USER, variant->type,
				      QUOTA_NL_BSOFTBELOW));
		EXPECT_TRUE(got_quota(s[i], i + 1, SOME_USER, variant->type,
				      QUOTA_NL_ISOFTBELOW));
		EXPECT_TRUE(got_no_more(&s[i]->q));
	}
	EXPECT_TRUE(got_no_more(&self->other.q));
}

/* QUOTA is posted when the limit of inodes is reached. */
TEST_F(quota, inodes)
{
	ASSERT_EQ(0, run(use_up_inodes, SOME_USER));
	EXPECT_TRUE(got_quota(&self->root, 1, SOME_USER, variant->type,
			      QUOTA_NL_IHARDWARN));
	EXPECT_TRUE(got_quota(&self->user, 2, SOME_USER, variant->type,
			      QUOTA_NL_IHARDWARN));
	EXPECT_TRUE(got_no_more(&self->root.q));
	EXPECT_TRUE(got_no_more(&self->user.q));
	EXPECT_TRUE(got_no_more(&self->other.q));
}

/* The credentials of the watch decide about QUOTA, not those of the reader. */
TEST_F(quota, other_user)
{
	ASSERT_EQ(0, run(use_up_inodes, OTHER_USER));
	EXPECT_TRUE(got_quota(&self->root, 1, OTHER_USER, variant->type,
			      QUOTA_NL_IHARDWARN));
	EXPECT_TRUE(got_no_more(&self->user.q));
	EXPECT_TRUE(got_quota(&self->other, 3, OTHER_USER, variant->type,
			      QUOTA_NL_IHARDWARN));
}

/* Makes a directory, with a name from @uid and @i */
static int make_dir(uid_t uid, int i)
{
	char name[32];

	snprintf(name, sizeof(name), "mnt/%u-%d", uid, i);
	return neg(mkdir(name, 0755));
}

/* Crosses the limit of four inodes in both directions, @times each */
static int cross_limit(uid_t uid, unsigned int times)
{
	char first[32];
	int i, ret;

	snprintf(first, sizeof(first), "mnt/%u-0", uid);
	for (i = 0; i < 4; i++) {
		ret = make_dir(uid, i);
		if (ret && ret != -EEXIST)
			return ret;
	}
	while (times--)
		if (make_dir(uid, 4) != -EDQUOT || rmdir(first) || make_dir(uid, 0))
			return -EPROTO;
	return 0;
}

#define FEW_TIMES	100
/*
 * Two warnings each, so more than there is room for in a queue of struct stream.  With the
 * rate limit, the queue would be full after 50 seconds.
 */
#define MANY_TIMES	1000

static int cross_few_times(uid_t uid)
{
	return become_user(uid) ?: cross_limit(uid, FEW_TIMES);
}

static int cross_many_times(uid_t uid)
{
	return become_user(uid) ?: cross_limit(uid, MANY_TIMES);
}

/* Adds up warnings, and the suppressed ones; true if all are about this quota */
static bool count_quota(struct stream *s, __u32 id, __u32 qid, __u16 type,
			unsigned int *warnings)
{
	struct expected_sb sb = s->sb[id];
	union watch_record r;
	int ret;

	while ((ret = next(s, &r)) > 0) {
		if (r.watch.subtype != NOTIFY_SB_QUOTA || is_removal(&r)) {
			unread_record(&s->q, ret);
			break;
		}
		/* Root's last inode, which is freed when tmpfs is unmounted */
		if (r.sb_quota.id == 0 && r.sb_quota.warning == QUOTA_NL_ISOFTBELOW)
			continue;
		/* A remount may be under way, with RDONLY still to come */
		sb.state = s->sb[id].state | (r.watch.info & RO);
		if (!is_about(&sb, &r, id, NOTIFY_SB_QUOTA, sizeof(r.sb_quota)) ||
		    r.sb_quota.id != qid || r.sb_quota.id_type != type) {
			print_sb(ret, &r);
			ksft_print_msg("quota of type %u id %u: warning %u, %u suppressed\n",
				       r.sb_quota.id_type, r.sb_quota.id,
				       r.sb_quota.warning, r.sb_quota.suppressed);
			return false;
		}
		*warnings += 1 + r.sb_quota.suppressed;
	}
	return ret > 0 || ret == -EAGAIN;
}

/* A user at its limit does not push other records out of the queue. */
TEST_F(quota, quota_burst)
{
	struct stream *s[] = { &self->root, &self->user };
	unsigned int i, warnings;

	ASSERT_EQ(0, run(cross_many_times, SOME_USER));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	for (i = 0; i < 2; i++) {
		warnings = 0;
		ASSERT_TRUE(count_quota(s[i], i + 1, SOME_USER, variant->type,
					&warnings));
		ASSERT_TRUE(got_change(s[i], i + 1, NOTIFY_SB_RDONLY, RO));
		/* The last warnings of each kind follow when the period ends */
		for (;;) {
			ASSERT_TRUE(count_quota(s[i], i + 1, SOME_USER,
						variant->type, &warnings));
			if (warnings >= 2 * MANY_TIMES)
				break;
			ASSERT_EQ(POLLIN, poll_in(s[i]->q.fd))
				TH_LOG("%u warnings of watch %u", warnings, i + 1);
		}
		EXPECT_EQ(2 * MANY_TIMES, warnings);
		EXPECT_TRUE(got_no_more(&s[i]->q));
	}
	EXPECT_TRUE(got_change(&self->other, 3, NOTIFY_SB_RDONLY, RO));
	EXPECT_TRUE(got_no_more(&self->other.q));
}

/* A new watch gets no summary of earlier warnings; older watches get one on unmount. */
TEST_F(quota, quota_then_watch)
{
	unsigned int warnings = 0;
	struct stream late;

	ASSERT_EQ(0, run(cross_few_times, SOME_USER));
	stream_open(_metadata, &late);
	ASSERT_EQ(0, watch(&late, "mnt", 1));
	EXPECT_TRUE(count_quota(&self->root, 1, SOME_USER, variant->type, &warnings));
	EXPECT_EQ(2 * FEW_TIMES, warnings);
	EXPECT_TRUE(got_no_more(&late.q));

	ASSERT_EQ(0, run(cross_few_times, SOME_USER));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(count_quota(&self->root, 1, SOME_USER, variant->type, &warnings));
	/* Unmounting frees the inodes, which crosses the hard limit and the soft one */
	EXPECT_EQ(4 * FEW_TIMES + 2, warnings);
	EXPECT_TRUE(got_end(&self->root, 1));
	reader_close(&late.q);
}

#define NR_USERS	40	/* each has two kinds of warnings */

/* Crosses the limit as each of many users, in one process */
static int cross_as_many(uid_t first)
{
	uid_t uid;
	int ret;

	/* The capability would allow exceeding the limit */
	ret = drop_resource_capability();
	if (ret)
		return ret;
	for (uid = first; uid < first + NR_USERS; uid++) {
		setfsgid(uid);
		setfsuid(uid);
		if (cross_limit(uid, 1))
			return -EPROTO;
	}
	return 0;
}

/*
 * Like count_quota(), but for the quotas of many users.  A record without an ID is for
 * several quotas.  @whose is the only user that the watcher may see, or 0 for all.
 */
static bool count_quotas(struct stream *s, __u32 id, __u32 whose,
			 unsigned int *warnings, bool *several)
{
	struct superblock_quota_notification *n;
	union watch_record r;
	int ret;

	while ((ret = next(s, &r)) > 0) {
		n = &r.sb_quota;
		if (!is_sb(s, &r, id, NOTIFY_SB_QUOTA, sizeof(*n)))
			break;
		if (n->id == (__u32)-1) {
			if (n->id_type || n->warning != QUOTA_NL_NOWARN ||
			    !n->suppressed != !!whose)
				break;
			*several = true;
		} else if (whose && n->id != whose) {
			break;
		}
		*warnings += 1 + n->suppressed;
	}
	if (ret == -EAGAIN)
		return true;
	print_sb(ret, &r);
	return false;
}

/* With more quotas than rate limits, no record identifies the quota of another user. */
TEST_F(quota, quota_many)
{
	unsigned int warnings = 0, made = 0, own = 0;
	bool several = false, several_user = false;

	do {
		ASSERT_EQ(0, run(cross_as_many, SOME_USER));
		made += 2 * NR_USERS;
		ASSERT_TRUE(count_quotas(&self->root, 1, 0, &warnings, &several));
		ASSERT_TRUE(count_quotas(&self->user, 2, SOME_USER, &own,
					 &several_user));
	} while (!several);
	while (warnings < made) {
		ASSERT_EQ(POLLIN, poll_in(self->root.q.fd));
		ASSERT_TRUE(count_quotas(&self->root, 1, 0, &warnings, &several));
	}
	EXPECT_EQ(made, warnings);
	ASSERT_TRUE(count_quotas(&self->user, 2, SOME_USER, &own, &several_user));
	EXPECT_TRUE(several_user);
}

/* An unprivileged watcher only gets the state, remounts and SHUTDOWN. */
TEST_F(sb, unprivileged)
{
	struct expected_error damage;
	__u32 flags = 2;
	int fd;

	ASSERT_TRUE(mount_damaged("errors=continue", &damage));
	ASSERT_EQ(0, watch_as(SOME_USER, &self->s, "mnt", 1));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
	read_damaged();
	EXPECT_TRUE(got_no_more(&self->s.q));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDONLY, RO));
	ASSERT_EQ(0, remount("mnt", 0, NULL));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDWR, 0));
	ASSERT_EQ(0, ioctl(fd, GOINGDOWN, &flags));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDONLY, RO));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_SHUTDOWN, RO | SHUT));
	EXPECT_TRUE(got_no_more(&self->s.q));
	/* Another user with the queue finds the watch, and can remove it */
	EXPECT_EQ(-EBUSY, watch(&self->s, "mnt", 2));
	ASSERT_EQ(0, unwatch_fd(&self->s, fd));
	EXPECT_TRUE(got_end(&self->s, 1));
	close(fd);
}

/* A watch requires a file that the user can open for reading. */
TEST_F(sb, unreadable)
{
	int fd;

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", "mode=711"));
	ASSERT_EQ(0, mkdir("mnt/public", 0755));
	EXPECT_EQ(-EPERM, watch_as(SOME_USER, &self->s, "mnt", 1));
	EXPECT_EQ(-EBADSLT, unwatch(&self->s, "mnt"));
	/* A socket is readable, but cannot be opened */
	ASSERT_EQ(0, neg(mknod("mnt/socket", S_IFSOCK | 0666, 0)));
	ASSERT_EQ(0, neg(chmod("mnt/socket", 0666)));
	EXPECT_EQ(-EPERM, watch_as(SOME_USER, &self->s, "mnt/socket", 1));
	EXPECT_EQ(0, watch_as(SOME_USER, &self->s, "mnt/public", 1));
	ASSERT_EQ(0, unwatch(&self->s, "mnt"));
	EXPECT_TRUE(got_end(&self->s, 1));
	fd = open("mnt/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	ASSERT_GE(fd, 0);
	close(fd);
	EXPECT_EQ(0, watch_as(SOME_USER, &self->s, "mnt/file", 1));
	ASSERT_EQ(0, unwatch(&self->s, "mnt"));
	EXPECT_TRUE(got_end(&self->s, 1));
	/* Root can read everything */
	EXPECT_EQ(0, watch(&self->s, "mnt", 1));
}

/* An ordinary user cannot watch through a mount of another namespace; root can. */
TEST_F(sb, foreign_mount)
{
	int fd, q = self->s.q.fd;
	pid_t pid;

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", "mode=755"));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) || become_user(SOME_USER))
			_exit(1);
		_exit(-queue_watch(q, SB, fd, 1, 0));
	}
	EXPECT_EQ(-EPERM, wait_child(pid));
	EXPECT_EQ(-EBADSLT, unwatch_fd(&self->s, fd));
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS))
			_exit(1);
		_exit(-queue_watch(q, SB, fd, 1, 0));
	}
	EXPECT_EQ(0, wait_child(pid));
	ASSERT_TRUE(read_sb_id(&self->s, 1, fd));
	EXPECT_TRUE(got_state(&self->s, 1, 0));
	close(fd);
}

/*
 * Privilege is relative to the user namespace of the filesystem: root of a container
 * has it for filesystems that were mounted in the container only.
 */
TEST_F(sb, container)
{
	int fd, q = self->s.q.fd;
	union watch_record r;
	pid_t pid;

	fd = do_fsmount();
	ASSERT_GE(fd, 0);
	pid = fork();
	if (!pid) {
		int ret = become_root_inside(SOME_USER);

		if (!ret)
			ret = queue_watch(q, SB, fd, 1, 0);
		if (ret != -EPERM)
			_exit(EPROTO);
		close(fd);
		fd = do_fsmount();
		_exit(-queue_watch(q, SB, fd, 1, 0));
	}
	EXPECT_EQ(0, wait_child(pid));
	close(fd);

	ASSERT_EQ(sizeof(r.sb), next(&self->s, &r));
	self->s.sb[1] = (struct expected_sb){
		r.sb.sb_id, r.sb.dev_major, r.sb.dev_minor, "tmpfs", IN_USER_NS,
	};
	EXPECT_TRUE(is_sb(&self->s, &r, 1, NOTIFY_SB_STATE, sizeof(r.sb)));
	/* The filesystem is freed with the child, which had its only reference */
	ASSERT_EQ(1, await_record(&self->s.q, &r));
	EXPECT_TRUE(is_removal(&r));
	EXPECT_EQ(self->s.sb[1].sb_id, r.removal.id);

	/* Root of a container is unprivileged for a filesystem of the host */
	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	pid = fork();
	if (!pid) {
		int ret = become_root_inside(SOME_USER);

		_exit(-(ret ? ret : add_watch(&self->s, open_path("mnt"), 1)));
	}
	ASSERT_EQ(0, wait_child(pid));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_TRUE(read_sb_id(&self->s, 1, fd));
	ASSERT_TRUE(got_state(&self->s, 1, UNPRIVILEGED));
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
	EXPECT_TRUE(got_no_more(&self->s.q));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_change(&self->s, 1, NOTIFY_SB_RDONLY, RO));
	close(fd);
}

TEST_HARNESS_MAIN
