// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: what is told about I/O that failed, and to whom
 *
 * Each test has a tmpfs to work in, its working directory, and makes disks of files
 * in it and of device-mapper targets.  They go with their last user.
 */
#define _GNU_SOURCE
#include <linux/blkpg.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "block.h"

#define SOME_USER	64361
#define BURST		10			/* records in a second */

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

/* What is no block device, or is not open for reading */
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

/* All devices are for the privileged; one is for who can open it. */
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
		/* Nor does a user namespace of one's own help */
		ASSERT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_EQ(-EPERM, watch(&self->rig, ALL, 1));
		_exit(_metadata->exit_code);
	}
	EXPECT_EQ(0, child_status(pid));
}

/* A device that takes bios tells of each of them, and of nothing that succeeds. */
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

/* No block is left below the disks */
static void fill_up(void)
{
	int fd = open("fill", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	while (write(fd, data, BLOCK) > 0)
		;
	close(fd);
}

/* One that takes requests tells of these: the file system below is full. */
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

/* Each layer tells of its own errors; who watches all can tell them apart. */
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

/* Adds or deletes partition 3, which begins at sector 128 */
static int change_partition(int disk, int op)
{
	struct blkpg_partition part = { .start = 65536, .length = 65536, .pno = 3 };
	struct blkpg_ioctl_arg arg = {
		.op = op, .datalen = sizeof(part), .data = &part,
	};

	return neg(ioctl(disk, BLKPG, &arg));
}

/* The errors of a partition are those of its disk, too. */
TEST_F(block, partition)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path)), fd;
	union watch_record r;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, change_partition(disk, BLKPG_ADD_PARTITION));
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

	/* And only those */
	EXPECT_EQ(-ENOSPC, neg(pwrite(disk, data, BLOCK, 0)));
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_EQ(2, watch_record_id(&r));
	EXPECT_EQ(0, r.block.partition);
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(fd);
	EXPECT_EQ(0, change_partition(disk, BLKPG_DEL_PARTITION));
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_TRUE(is_removal(&r));
	EXPECT_EQ(1, watch_record_id(&r));
	close(disk);
}

/* True if fdinfo has this object ID for the watch with this ID */
static bool watches_object(struct rig *rig, unsigned int id, unsigned long long object)
{
	char want[64], line[128];
	int nth = 0;

	snprintf(want, sizeof(want), "watch:\ttype:%u id:%u object:%llx",
		 WATCH_TYPE_BLOCK_NOTIFY, id, object);
	while (queue_info_line(rig->q.fd, "watch:", nth++, line, sizeof(line)))
		if (!strcmp(line, want))
			return true;
	ksft_print_msg("fdinfo has no line \"%s\"\n", want);
	return false;
}

/* A disk and its partitions have object IDs of their own. */
TEST_F(block, object_id)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path)), fd;
	union watch_record r;
	__u64 seq;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, neg(ioctl(disk, BLKGETDISKSEQ, &seq)));
	ASSERT_EQ(0, change_partition(disk, BLKPG_ADD_PARTITION));
	strcat(path, "p3");
	fd = open_disk(path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(0, watch(&self->rig, fd, 2));
	ASSERT_EQ(0, watch(&self->rig, ALL, 3));
	EXPECT_TRUE(watches_object(&self->rig, 1, seq << 8));
	EXPECT_TRUE(watches_object(&self->rig, 2, seq << 8 | 3));
	EXPECT_TRUE(watches_object(&self->rig, 3, 0));

	close(fd);
	EXPECT_EQ(0, change_partition(disk, BLKPG_DEL_PARTITION));
	ASSERT_EQ(1, await_error(&self->rig, &r));
	EXPECT_TRUE(is_removal(&r));
	EXPECT_EQ(2, watch_record_id(&r));
	EXPECT_EQ(seq << 8 | 3, r.removal.id);
	close(disk);
}

/* A storm: some errors have a record, the others are counted. */
TEST_F(block, storm)
{
	unsigned int i, records = 0, errors = 0, storm = 200;
	int disk = dm_disk(&self->rig, "error", "");
	union watch_record r;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	for (i = 0; i < storm; i++)
		ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 512 * i)));
	while (errors < storm) {
		ASSERT_EQ(1, await_error(&self->rig, &r));
		ASSERT_FALSE(is_removal(&r));
		errors += 1 + r.block.suppressed;
		records++;
		ASSERT_EQ(errors - 1, r.block.sector);
	}
	EXPECT_EQ(storm, errors);
	EXPECT_LE(BURST + 1, records);
	EXPECT_GT(storm, records);
	close(disk);
}

/* Who comes in the middle of a storm is not told of what was before. */
TEST_F(block, storm_then_watch)
{
	int disk = dm_disk(&self->rig, "error", ""), i;
	struct reader late;
	union watch_record r;
	int other;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	for (i = 0; i < 2 * BURST; i++)
		ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 512 * i)));
	reader_open(_metadata, &late, &other, 16);
	ASSERT_EQ(0, queue_watch(late.fd, WATCH_TYPE_BLOCK_NOTIFY, disk, 2, 0));
	ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 512 * i)));
	/* Until the end of the period it is counted, whoever watches */
	ASSERT_EQ(1, await_record(&late, &r));
	EXPECT_EQ(i, r.block.sector);
	EXPECT_EQ(0, r.block.suppressed);
	close(late.fd);
	close(other);
	close(disk);
}

/* Who sets watches in the middle of a storm does not make it one of records. */
TEST_F(block, storm_of_watches)
{
	int disk = dm_disk(&self->rig, "error", ""), storm = 200, errors = 0, records = 0, i;
	struct reader late;
	union watch_record r;
	int other;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	reader_open(_metadata, &late, &other, 16);
	for (i = 0; i < storm; i++) {
		ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 0)));
		ASSERT_EQ(0, queue_watch(late.fd, WATCH_TYPE_BLOCK_NOTIFY, disk, 2, 0));
		ASSERT_EQ(0, queue_unwatch(late.fd, WATCH_TYPE_BLOCK_NOTIFY, disk, 0));
	}
	for (; errors < storm; records++) {
		ASSERT_EQ(1, await_error(&self->rig, &r));
		errors += 1 + r.block.suppressed;
	}
	EXPECT_EQ(storm, errors);
	/* Some of a period, and there may be several */
	EXPECT_GT(storm / 2, records);
	close(late.fd);
	close(other);
	close(disk);
}

/* I/O that would have to wait, and was not to, has not failed. */
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
	/* Nor has reading ahead, which is given up */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk);
	buffered = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, buffered);
	ASSERT_EQ(0, posix_fadvise(buffered, 0, 65536, POSIX_FADV_WILLNEED));
	close(buffered);
	ASSERT_EQ(0, dm_suspend(self->rig.name[0], false));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/* Reads a block through io_uring, to be polled for: what that gives, or -errno */
static int read_polled(int disk)
{
	struct io_uring_params p = { .flags = IORING_SETUP_IOPOLL };
	struct io_uring_sqe *sqe;
	int ring, ret = -ENOMEM;
	size_t size;
	char *rings;

	ring = syscall(__NR_io_uring_setup, 1, &p);
	if (ring < 0)
		return -errno;
	size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	if (size < p.sq_off.array + p.sq_entries * sizeof(__u32))
		size = p.sq_off.array + p.sq_entries * sizeof(__u32);
	rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		   IORING_OFF_SQES);
	if (rings != MAP_FAILED && sqe != MAP_FAILED) {
		*sqe = (struct io_uring_sqe){
			.opcode = IORING_OP_READ, .fd = disk,
			.addr = (uintptr_t)data, .len = BLOCK,
		};
		*(__u32 *)(rings + p.sq_off.array) = 0;
		*(__u32 *)(rings + p.sq_off.tail) = 1;
		ret = neg(syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS,
				  NULL, 0));
	}
	if (ret == 1)
		ret = ((struct io_uring_cqe *)(rings + p.cq_off.cqes))->res;
	munmap(sqe, sizeof(*sqe));
	munmap(rings, size);
	close(ring);
	return ret;
}

/* That a device cannot be polled is no error of it: any user can ask for that. */
TEST_F(block, polled)
{
	char path[64];
	int disk = file_disk("disk", path, sizeof(path));

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(-EOPNOTSUPP, read_polled(disk));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/* What is told of late is of the medium that was there. */
TEST_F(block, other_medium)
{
	unsigned int errors = 0, told = 0, i;
	union watch_record r;
	__u64 medium = 0;
	char path[64];
	int disk;

	disk = file_disk("disk", path, sizeof(path));
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	fill_up();
	/* Until there are some that wait to be told */
	while (told == errors) {
		for (i = 0; i < 2 * BURST; i++, errors++)
			ASSERT_EQ(-ENOSPC, neg(pwrite(disk, data, BLOCK, 65536)));
		while (next_record(&self->rig.q, &r) == 1) {
			medium = r.block.disk_seq;
			told += 1 + r.block.suppressed;
		}
	}
	/* Its last user: the file is gone from the disk, which has a new number */
	close(disk);
	while (told < errors) {
		ASSERT_EQ(1, await_error(&self->rig, &r));
		ASSERT_FALSE(is_removal(&r));
		EXPECT_EQ(medium, r.block.disk_seq);
		told += 1 + r.block.suppressed;
	}
	EXPECT_EQ(errors, told);
}

/* A watch does not keep the device, and ends with it; what was counted comes first. */
TEST_F(block, removal)
{
	unsigned int i, errors = 0, storm = 2 * BURST;
	int disk = dm_disk(&self->rig, "error", "");
	union watch_record r;
	int ret;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	for (i = 0; i < storm; i++)
		ASSERT_EQ(-EIO, neg(pread(disk, data, 512, 0)));
	close(disk);
	ASSERT_EQ(0, dm_remove(self->rig.name[0]));
	self->rig.made--;
	while ((ret = await_error(&self->rig, &r)) > 0 && !is_removal(&r))
		errors += 1 + r.block.suppressed;
	ASSERT_EQ(1, ret);
	EXPECT_EQ(storm, errors);
	EXPECT_NE(0, r.removal.id);
}

TEST_HARNESS_MAIN
