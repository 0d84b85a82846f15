// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: records about failed I/O, and the permission to receive them
 *
 * Each test has a tmpfs as its working directory, and creates disks from files in it
 * and from device-mapper targets.  They are removed with their last user.
 */
#define _GNU_SOURCE
#include <sys/uio.h>

#include "block.h"

#define SOME_USER	64361
#define BURST		10			/* records per second */

/* The values and layouts of the user ABI do not change. */
TEST(header)
{
	EXPECT_EQ(4, WATCH_TYPE_BLOCK_NOTIFY);
	EXPECT_EQ(0, NOTIFY_BLOCK_IO);
	EXPECT_EQ(13, NOTIFY_BLOCK_INVALID);
	EXPECT_EQ(0, NOTIFY_BLOCK_OP_READ);
	EXPECT_EQ(6, NOTIFY_BLOCK_OP_OTHER);
	EXPECT_EQ(0x010000, NOTIFY_BLOCK_STACKED);
	EXPECT_EQ(56, sizeof(struct block_notification));
	EXPECT_EQ(8, offsetof(struct block_notification, disk_seq));
	EXPECT_EQ(16, offsetof(struct block_notification, dev_major));
	EXPECT_EQ(20, offsetof(struct block_notification, dev_minor));
	EXPECT_EQ(24, offsetof(struct block_notification, sector));
	EXPECT_EQ(32, offsetof(struct block_notification, time_ns));
	EXPECT_EQ(40, offsetof(struct block_notification, length));
	EXPECT_EQ(44, offsetof(struct block_notification, suppressed));
	EXPECT_EQ(48, offsetof(struct block_notification, operation));
	EXPECT_EQ(52, offsetof(struct block_notification, partition));
}

FIXTURE(block)
{
	struct rig rig;
};

FIXTURE_SETUP(block)
{
	rig_open(_metadata, &self->rig);
}

FIXTURE_TEARDOWN(block)
{
	rig_close(&self->rig);
}

/* Descriptors that are not a block device, or are not open for reading. */
TEST_F(block, bad_object)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path)), fd;

	ASSERT_LE(0, disk);
	EXPECT_EQ(-EINVAL, watch(&self->rig, self->rig.q.fd, 1));
	EXPECT_EQ(-EINVAL, unwatch(&self->rig, self->rig.q.fd));
	fd = open("disk", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-EINVAL, watch(&self->rig, fd, 1));
	close(fd);
	fd = open(path, O_PATH | O_CLOEXEC);
	EXPECT_EQ(-EINVAL, watch(&self->rig, fd, 1));
	close(fd);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(-EPERM, watch(&self->rig, fd, 1));
	EXPECT_EQ(-EBADSLT, unwatch(&self->rig, fd));
	close(fd);
	EXPECT_EQ(-EINVAL, queue_watch(self->rig.q.fd, WATCH_TYPE_BLOCK_NOTIFY, disk, 1,
				       WATCH_SUBTREE));
	EXPECT_EQ(-EBADF, watch(&self->rig, -2, 1));
	EXPECT_EQ(-EBADSLT, queue_unwatch_id(self->rig.q.fd, WATCH_TYPE_BLOCK_NOTIFY, 3));
	EXPECT_EQ(0, watch(&self->rig, disk, 1));
	EXPECT_EQ(-EBUSY, watch(&self->rig, disk, 2));
	EXPECT_EQ(0, watch(&self->rig, ALL, 3));
	EXPECT_EQ(-EBUSY, watch(&self->rig, ALL, 3));
	EXPECT_EQ(0, queue_unwatch_id(self->rig.q.fd, WATCH_TYPE_BLOCK_NOTIFY, 3));
	EXPECT_EQ(0, unwatch(&self->rig, disk));
	EXPECT_EQ(-EBADSLT, unwatch(&self->rig, disk));
}

/* Watching all devices requires privilege; watching one requires a descriptor. */
TEST_F(block, permission)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path));
	pid_t pid;

	ASSERT_LE(0, disk);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		ASSERT_EQ(0, become_user(SOME_USER));
		EXPECT_EQ(-EPERM, watch(&self->rig, ALL, 1));
		EXPECT_EQ(0, watch(&self->rig, disk, 1));
		/* Root in a user namespace is not sufficient */
		ASSERT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_EQ(-EPERM, watch(&self->rig, ALL, 1));
		_exit(_metadata->exit_code);
	}
	EXPECT_EQ(0, child_status(pid));
}

/* A bio-based device reports each failed bio, and no successful one. */
TEST_F(block, bio)
{
	int disk = dm_disk(&self->rig, "error", "");

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	EXPECT_EQ(-EIO, neg(pread(disk, data, BLOCK, 16384)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, disk,
			32, BLOCK, 0));
	EXPECT_EQ(-EIO, neg(pwrite(disk, data, 512, 0)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_WRITE, disk,
			0, 512, 0));
	ASSERT_EQ(0, dm_set(self->rig.name[0], "zero", SECTORS, ""));
	EXPECT_EQ(BLOCK, pread(disk, data, BLOCK, 16384));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/* Uses up all blocks of the tmpfs below the disks */
static void fill_up(void)
{
	int fd = open("fill", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	while (write(fd, data, BLOCK) > 0)
		;
	close(fd);
}

/* A request-based device reports failed requests: the filesystem below is full. */
TEST_F(block, request)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path));

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(BLOCK, pwrite(disk, data, BLOCK, 0));
	fill_up();
	EXPECT_EQ(-ENOSPC, neg(pwrite(disk, data, BLOCK, 65536)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_NO_SPACE, NOTIFY_BLOCK_OP_WRITE,
			disk, 128, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/* Each layer reports its own errors; a flag distinguishes them. */
TEST_F(block, layers)
{
	int lower = dm_disk(&self->rig, "error", ""), upper;

	ASSERT_LE(0, lower);
	upper = linear_disk(&self->rig, lower);
	ASSERT_LE(0, upper);
	ASSERT_EQ(0, watch(&self->rig, lower, 1));
	ASSERT_EQ(0, watch(&self->rig, upper, 2));
	ASSERT_EQ(0, watch(&self->rig, ALL, 3));
	EXPECT_EQ(-EIO, neg(pread(upper, data, BLOCK, 0)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, lower,
			0, BLOCK, 0));
	EXPECT_TRUE(got(&self->rig, 3, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, lower,
			0, BLOCK, 0));
	EXPECT_TRUE(got(&self->rig, 2, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, upper,
			0, BLOCK, NOTIFY_BLOCK_STACKED));
	EXPECT_TRUE(got(&self->rig, 3, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, upper,
			0, BLOCK, NOTIFY_BLOCK_STACKED));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(upper);
	close(lower);
}

/* Errors of a partition are also errors of its disk. */
TEST_F(block, partition)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path)), fd;
	union watch_record r;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, change_partition(disk, 3, BLKPG_ADD_PARTITION));
	strcat(path, "p3");
	fd = open_disk(path);
	ASSERT_LE(0, fd);
	fill_up();
	ASSERT_EQ(0, watch(&self->rig, disk, 2));
	EXPECT_EQ(-ENOSPC, neg(pwrite(fd, data, BLOCK, 4096)));
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_EQ(2, watch_record_id(&r));
	EXPECT_EQ(3, r.block.partition);

	ASSERT_EQ(0, watch(&self->rig, fd, 1));
	EXPECT_EQ(-ENOSPC, neg(pwrite(fd, data, BLOCK, 4096)));
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_EQ(1, watch_record_id(&r));
	EXPECT_EQ(3, r.block.partition);
	EXPECT_EQ(128 + 8, r.block.sector);
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_EQ(2, watch_record_id(&r));
	EXPECT_EQ(3, r.block.partition);
	EXPECT_EQ(128 + 8, r.block.sector);

	/* Errors of the disk outside of it are not errors of the partition */
	EXPECT_EQ(-ENOSPC, neg(pwrite(disk, data, BLOCK, 0)));
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_EQ(2, watch_record_id(&r));
	EXPECT_EQ(0, r.block.partition);
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(fd);
	EXPECT_EQ(0, change_partition(disk, 3, BLKPG_DEL_PARTITION));
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_TRUE(is_removal(&r));
	EXPECT_EQ(1, watch_record_id(&r));
	close(disk);
}

/* The object in fdinfo of the watch with this ID, or all bits set */
static unsigned long long object_of(struct rig *rig, unsigned int id)
{
	unsigned long long object;
	unsigned int type, line_id;
	char line[128];
	int nth = 0;

	while (queue_info_line(rig->q.fd, "watch:", nth++, line, sizeof(line)))
		if (sscanf(line, "watch: type:%u id:%u object:%llx", &type, &line_id,
			   &object) == 3 && line_id == id)
			return object;
	return -1;
}

static bool watches_object(struct rig *rig, unsigned int id, unsigned long long object)
{
	unsigned long long got = object_of(rig, id);

	if (got == object)
		return true;
	ksft_print_msg("watch %u has object %llx, not %llx\n", id, got, object);
	return false;
}

/*
 * A disk and its partitions have object IDs of their own.  That of a loop device
 * may be older than its medium: a device keeps the ID of its first watch.
 */
TEST_F(block, object_id)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path)), fd;
	union watch_record r;
	__u64 seq;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, neg(ioctl(disk, BLKGETDISKSEQ, &seq)));
	ASSERT_EQ(0, change_partition(disk, 3, BLKPG_ADD_PARTITION));
	strcat(path, "p3");
	fd = open_disk(path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(0, watch(&self->rig, fd, 2));
	ASSERT_EQ(0, watch(&self->rig, ALL, 3));
	EXPECT_TRUE(watches_object(&self->rig, 2, seq << 8 | 3));
	EXPECT_TRUE(watches_object(&self->rig, 3, 0));
	EXPECT_EQ(0, object_of(&self->rig, 1) & 0xff);
	EXPECT_GE(seq, object_of(&self->rig, 1) >> 8);
	EXPECT_NE(0, object_of(&self->rig, 1));

	close(fd);
	EXPECT_EQ(0, change_partition(disk, 3, BLKPG_DEL_PARTITION));
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_TRUE(is_removal(&r));
	EXPECT_EQ(2, watch_record_id(&r));
	EXPECT_EQ(seq << 8 | 3, r.removal.id);
	close(disk);
}

/* Some errors of a burst have a record, the others are counted. */
TEST_F(block, burst)
{
	unsigned int i, records = 0, errors = 0, total = 200;
	int disk = dm_disk(&self->rig, "error", "");
	union watch_record r;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	for (i = 0; i < total; i++)
		ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 512 * i)));
	while (errors < total) {
		ASSERT_EQ(1, await_error(&self->rig, &r));
		ASSERT_FALSE(is_removal(&r));
		errors += 1 + r.block.suppressed;
		records++;
		ASSERT_EQ(errors - 1, r.block.sector);
	}
	EXPECT_EQ(total, errors);
	EXPECT_LE(BURST + 1, records);
	EXPECT_GT(total, records);
	close(disk);
}

/* A watch that is added during a burst does not receive earlier errors. */
TEST_F(block, watch_in_burst)
{
	int disk = dm_disk(&self->rig, "error", ""), i;
	struct reader late;
	union watch_record r;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	for (i = 0; i < 2 * BURST; i++)
		ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 512 * i)));
	reader_open(_metadata, &late, 16);
	ASSERT_EQ(0, queue_watch(late.fd, WATCH_TYPE_BLOCK_NOTIFY, disk, 2, 0));
	ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 512 * i)));
	/* The new watch does not restart the period */
	ASSERT_EQ(1, await_record(&late, &r));
	EXPECT_EQ(i, r.block.sector);
	EXPECT_EQ(0, r.block.suppressed);
	reader_close(&late);
	close(disk);
}

/* Adding watches repeatedly during a burst does not defeat the rate limit. */
TEST_F(block, watches_in_burst)
{
	int disk = dm_disk(&self->rig, "error", ""), total = 200, errors = 0, records = 0, i;
	struct reader late;
	union watch_record r;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	reader_open(_metadata, &late, 16);
	for (i = 0; i < total; i++) {
		ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 0)));
		ASSERT_EQ(0, queue_watch(late.fd, WATCH_TYPE_BLOCK_NOTIFY, disk, 2, 0));
		ASSERT_EQ(0, queue_unwatch(late.fd, WATCH_TYPE_BLOCK_NOTIFY, disk, 0));
	}
	for (; errors < total; records++) {
		ASSERT_EQ(1, await_error(&self->rig, &r));
		errors += 1 + r.block.suppressed;
	}
	EXPECT_EQ(total, errors);
	/* A few records per period, and there may be several periods */
	EXPECT_GT(total / 2, records);
	reader_close(&late);
	close(disk);
}

/* REQ_NOWAIT I/O that would block has not failed. */
TEST_F(block, nowait)
{
	int disk = dm_disk(&self->rig, "zero", ""), buffered;
	char path[64];
	struct iovec iov = { data, BLOCK };

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(BLOCK, preadv2(disk, &iov, 1, 0, RWF_NOWAIT));
	ASSERT_EQ(0, dm_suspend(self->rig.name[0], true));
	EXPECT_EQ(-EAGAIN, neg(preadv2(disk, &iov, 1, 0, RWF_NOWAIT)));
	/* Dropped readahead is not an error either */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk);
	buffered = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, buffered);
	ASSERT_EQ(0, posix_fadvise(buffered, 0, 65536, POSIX_FADV_WILLNEED));
	close(buffered);
	ASSERT_EQ(0, dm_suspend(self->rig.name[0], false));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/* Direct I/O with a buffer that is not aligned is not an I/O error. */
TEST_F(block, unaligned)
{
	struct iovec iov[2] = { { data + 1, 256 }, { data + 300, 256 } };
	char path[64];
	int disk = file_disk("disk", path, sizeof(path));

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	EXPECT_EQ(-EINVAL, neg(preadv(disk, iov, 2, 0)));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	/* The watch works */
	fill_up();
	EXPECT_EQ(-ENOSPC, neg(pwrite(disk, data, BLOCK, 0)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_NO_SPACE, NOTIFY_BLOCK_OP_WRITE, disk,
			0, BLOCK, 0));
	close(disk);
}

/* The same on a device whose driver checks the alignment itself. */
TEST_F(block, unaligned_crypt)
{
	struct iovec iov[2] = { { data + 1, 256 }, { data + 300, 256 } };
	char path[64], table[96];
	int disk = file_disk("disk", path, sizeof(path));
	int upper;

	ASSERT_LE(0, disk);
	snprintf(table, sizeof(table), "cipher_null-ecb - 0 %s 0", path);
	upper = dm_disk(&self->rig, "crypt", table);
	if (upper == -EINVAL)
		SKIP(return, "CONFIG_DM_CRYPT is not set");
	ASSERT_LE(0, upper);
	ASSERT_EQ(0, watch(&self->rig, upper, 1));
	EXPECT_GT(0, neg(preadv(upper, iov, 2, 0)));
	EXPECT_GT(0, neg(pwritev(upper, iov, 2, 0)));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(upper);
	close(disk);
}

/* Polled I/O on a device that does not support it is not an I/O error. */
TEST_F(block, polled)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path));

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(-EOPNOTSUPP, read_polled(disk, data, BLOCK));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/* A delayed record has the sequence number of the medium that had the error. */
TEST_F(block, other_medium)
{
	unsigned int errors = 0, reported = 0, i;
	union watch_record r;
	__u64 medium = 0;
	char path[64];
	int disk;

	disk = file_disk("disk", path, sizeof(path));
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	fill_up();
	/* Until there are suppressed errors without a record */
	while (reported == errors) {
		for (i = 0; i < 2 * BURST; i++, errors++)
			ASSERT_EQ(-ENOSPC, neg(pwrite(disk, data, BLOCK, 65536)));
		while (next_record(&self->rig.q, &r) == 1) {
			medium = r.block.disk_seq;
			reported += 1 + r.block.suppressed;
		}
	}
	/* The last close detaches the file and changes the sequence number */
	close(disk);
	while (reported < errors) {
		ASSERT_EQ(1, await_error(&self->rig, &r));
		ASSERT_FALSE(is_removal(&r));
		EXPECT_EQ(medium, r.block.disk_seq);
		reported += 1 + r.block.suppressed;
	}
	EXPECT_EQ(errors, reported);
}

/* A watch does not pin the device.  Suppressed errors precede the removal record. */
TEST_F(block, removal)
{
	unsigned int i, errors = 0, total = 2 * BURST;
	int disk = dm_disk(&self->rig, "error", "");
	union watch_record r;
	__u64 seq;
	int ret;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(0, neg(ioctl(disk, BLKGETDISKSEQ, &seq)));
	for (i = 0; i < total; i++)
		ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 0)));
	close(disk);
	ASSERT_EQ(0, dm_remove(self->rig.name[0]));
	self->rig.made--;
	while ((ret = await_error(&self->rig, &r)) > 0 && !is_removal(&r))
		errors += 1 + r.block.suppressed;
	ASSERT_EQ(1, ret);
	EXPECT_EQ(total, errors);
	EXPECT_EQ(1, watch_record_id(&r));
	EXPECT_EQ(seq << 8, r.removal.id);
}

TEST_HARNESS_MAIN
