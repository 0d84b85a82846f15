/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch queue test helpers: watches on disks, and records about them
 */
#ifndef _SELFTESTS_WATCH_QUEUE_BLOCK_H
#define _SELFTESTS_WATCH_QUEUE_BLOCK_H

#include <linux/blkpg.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "disks.h"
#include "mounts.h"

#define BLOCK		4096
#define SECTORS		2048			/* size of the disks created here */
#define ALL		-1			/* instead of a descriptor */
#define WRITE_ON_SECTOR	8

static char *data;			/* one block, aligned for direct I/O */

/* A queue, and disks that are removed with it */
struct rig {
	struct reader q;
	__u64 opened_ns;
	char name[3][32];	/* names of device-mapper devices */
	int made;
};

/* Opens the queue, with an empty tmpfs as working directory */
static inline void rig_open(struct __test_metadata *_metadata, struct rig *rig)
{
	int ret;

	rig->opened_ns = now_ns();
	reader_open(_metadata, &rig->q, 256);
	ret = queue_watch(rig->q.fd, WATCH_TYPE_BLOCK_NOTIFY, 99, 0, 0);
	if (ret == -EOPNOTSUPP)
		SKIP(_exit(KSFT_SKIP), "CONFIG_BLOCK_NOTIFICATIONS is not set");
	ASSERT_EQ(-EBADF, ret);
	if (geteuid())
		SKIP(_exit(KSFT_SKIP), "needs root, to make disks");
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, do_mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, do_mount("none", "/tmp", "tmpfs", 0, "size=4M"));
	ASSERT_EQ(0, chdir("/tmp"));
	ASSERT_EQ(0, posix_memalign((void **)&data, BLOCK, BLOCK));
	memset(data, 0x5a, BLOCK);
}

static inline void rig_close(struct rig *rig)
{
	while (rig->made)
		dm_remove(rig->name[--rig->made]);
	reader_close(&rig->q);
}

static inline int open_disk(const char *path)
{
	return open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
}

/* Creates a disk of one device-mapper target; a descriptor for direct I/O or -errno */
static inline int dm_disk(struct rig *rig, const char *target, const char *table)
{
	char *name = rig->name[rig->made], path[64];
	int ret;

	snprintf(name, sizeof(rig->name[0]), "block_test-%d-%d", getpid(), rig->made++);
	ret = dm_create(name, target, SECTORS, table, path, sizeof(path));
	return ret ? ret : open_disk(path);
}

static inline __u64 number(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_rdev;
}

/* Creates a disk on top of another one; a descriptor or -errno */
static inline int linear_disk(struct rig *rig, int lower)
{
	char table[32];

	snprintf(table, sizeof(table), "%u:%u 0", major(number(lower)), minor(number(lower)));
	return dm_disk(rig, "linear", table);
}

static inline int watch(struct rig *rig, int fd, __u32 id)
{
	return queue_watch(rig->q.fd, WATCH_TYPE_BLOCK_NOTIFY, fd, id, 0);
}

static inline int unwatch(struct rig *rig, int fd)
{
	return queue_unwatch(rig->q.fd, WATCH_TYPE_BLOCK_NOTIFY, fd, 0);
}

/* Waits for the next record, of failed I/O or of a removal: 1 or -errno */
static inline int await_error(struct rig *rig, union watch_record *r)
{
	int ret = await_record(&rig->q, r);

	if (ret != 1 || is_removal(r) ||
	    (r->watch.type == WATCH_TYPE_BLOCK_NOTIFY &&
	     record_len(r) == sizeof(r->block)))
		return ret;
	print_record(ret, r);
	return -EPROTO;
}

static inline bool got(struct rig *rig, __u32 id, __u32 class, __u32 operation,
		       int disk, __u64 sector, __u32 length, __u32 flags)
{
	union watch_record r = {};
	int ret = await_error(rig, &r);

	if (ret == 1 && r.watch.subtype == class && watch_record_id(&r) == id &&
	    (r.watch.info & WATCH_INFO_TYPE_INFO) == flags && r.block.disk_seq &&
	    makedev(r.block.dev_major, r.block.dev_minor) == number(disk) &&
	    r.block.sector == sector && r.block.length == length &&
	    r.block.operation == operation && !r.block.suppressed &&
	    r.block.time_ns >= rig->opened_ns && r.block.time_ns <= now_ns())
		return true;
	print_record(ret, &r);
	ksft_print_msg("disk %u:%u part %u op %u sector %llu length %u suppressed %u time %llu\n",
		       r.block.dev_major, r.block.dev_minor, r.block.partition,
		       r.block.operation, r.block.sector, r.block.length,
		       r.block.suppressed, r.block.time_ns);
	return false;
}

/* Creates a disk from a file; a descriptor for direct I/O or -errno */
static inline int file_disk(const char *file, char *path, size_t size)
{
	int fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600), keep;

	if (fd < 0 || ftruncate(fd, SECTORS << 9))
		return -errno;
	close(fd);
	keep = loop_attach(file, path, size);
	if (keep < 0)
		return keep;
	fd = open_disk(path);
	close(keep);
	return fd;
}

/* Writes until a write fails */
static inline void *write_on(void *disk)
{
	while (pwrite(*(int *)disk, data, BLOCK, WRITE_ON_SECTOR * 512) == BLOCK)
		;
	return NULL;
}

/* Adds or deletes a partition of 128 sectors, which begins at sector 128 */
static inline int change_partition(int disk, int number, int op)
{
	struct blkpg_partition part = { .start = 65536, .length = 65536, .pno = number };
	struct blkpg_ioctl_arg arg = {
		.op = op, .datalen = sizeof(part), .data = &part,
	};

	return neg(ioctl(disk, BLKPG, &arg));
}

/*
 * Removes a disk at @path, such as /dev/sda, by writing to the file @remove while
 * another thread writes to a partition.  The last write fails in the block layer, as a
 * partition keeps its size, and is the last record before the removal.
 */
static inline void remove_written(struct __test_metadata *_metadata, struct rig *rig,
				  int disk, const char *path, const char *remove)
{
	char partition[80];
	int written;
	__u64 dev, disk_seq;
	pthread_t writer;
	union watch_record r;

	ASSERT_EQ(0, change_partition(disk, 1, BLKPG_ADD_PARTITION));
	snprintf(partition, sizeof(partition), "%s1", path);
	written = open_disk(partition);
	ASSERT_LE(0, written);
	dev = number(written);
	ASSERT_EQ(0, neg(ioctl(written, BLKGETDISKSEQ, &disk_seq)));
	ASSERT_EQ(BLOCK, pwrite(written, data, BLOCK, WRITE_ON_SECTOR * 512));
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_on, &written));
	ASSERT_EQ(0, write_text(remove, "1"));
	ASSERT_EQ(0, pthread_join(writer, NULL));
	close(written);
	close(disk);
	ASSERT_EQ(1, await_error(rig, &r));
	EXPECT_FALSE(is_removal(&r));
	EXPECT_EQ(dev, makedev(r.block.dev_major, r.block.dev_minor));
	EXPECT_EQ(128 + WRITE_ON_SECTOR, r.block.sector);
	EXPECT_EQ(NOTIFY_BLOCK_OP_WRITE, r.block.operation);
	EXPECT_EQ(disk_seq, r.block.disk_seq);
	ASSERT_EQ(1, await_error(rig, &r));
	EXPECT_TRUE(is_removal(&r));
	EXPECT_TRUE(got_no_more(&rig->q));
}

#endif
