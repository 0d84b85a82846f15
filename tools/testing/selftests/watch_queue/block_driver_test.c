// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: each class of block device error, from a driver that generates it
 *
 *	NOTIFY_BLOCK_IO			scsi_debug, null_blk, device-mapper
 *	NOTIFY_BLOCK_TIMEOUT		null_blk, where the kernel has fault injection
 *	NOTIFY_BLOCK_NO_SPACE		scsi_debug; and loop, see block_test.c
 *	NOTIFY_BLOCK_TRANSPORT		scsi_debug
 *	NOTIFY_BLOCK_TARGET		scsi_debug
 *	NOTIFY_BLOCK_RESV_CONFLICT	scsi_debug
 *	NOTIFY_BLOCK_MEDIUM		scsi_debug
 *	NOTIFY_BLOCK_PROTECTION		scsi_debug
 *	NOTIFY_BLOCK_ZONE_RESOURCE	null_blk
 *	NOTIFY_BLOCK_DURATION_LIMIT	scsi_debug
 *
 * block/blk_notify_kunit.c tests the other four classes.  SCSI reports
 * NOTIFY_BLOCK_OFFLINE for a moment while a disk is removed.  Drivers retry instead of
 * reporting NOTIFY_BLOCK_RESOURCE, and a loop device reports it only if the filesystem
 * below has no memory.  NOTIFY_BLOCK_INVALID comes from the file or server behind a
 * device.  The kernel only sends operations that the device supports, except optional
 * ones, whose refusal is not reported (NOTIFY_BLOCK_NOT_SUPPORTED).
 */
#define _GNU_SOURCE
#include <glob.h>
#include <linux/blkzoned.h>
#include <linux/major.h>
#include <linux/raid/md_p.h>
#include <linux/raid/md_u.h>
#include <scsi/sg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "block.h"

#define SCSI_DISKS	"/sys/bus/pseudo/devices/adapter*/host*/target*/*/block/*"
#define NULL_BLK	"/sys/kernel/config/nullb"
#define NULL_NAME	"watch_null"
#define NULL_DISK	NULL_BLK "/" NULL_NAME

FIXTURE(block_driver)
{
	struct rig rig;
};

FIXTURE_SETUP(block_driver)
{
	rig_open(_metadata, &self->rig);
}

FIXTURE_TEARDOWN(block_driver)
{
	rig_close(&self->rig);
}

/*
 * A tmpfs cannot zero a range, so a loop device on it cannot either.  This is not an
 * error of the loop device or of a device on top of it.
 */
TEST_F(block_driver, loop)
{
	__u64 range[2] = { BLOCK, BLOCK };
	int disk, upper, i;
	char path[64];

	disk = file_disk("disk", path, sizeof(path));
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	upper = linear_disk(&self->rig, disk);
	ASSERT_LE(0, upper);
	ASSERT_EQ(0, watch(&self->rig, upper, 2));
	/* Falls back to writing zeroes; the second time without trying the file */
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, neg(ioctl(upper, BLKZEROOUT, range)));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(upper);
	close(disk);
}

/* Reads fail at some sectors of a disk; writes of another disk always fail. */
TEST_F(block_driver, device_mapper)
{
	int lower, disk;
	char table[64];

	lower = dm_disk(&self->rig, "zero", "");
	ASSERT_LE(0, lower);
	snprintf(table, sizeof(table), "%u:%u 0 4096", major(number(lower)),
		 minor(number(lower)));
	disk = dm_disk(&self->rig, "dust", table);
	if (disk == -EINVAL)
		SKIP(return, "CONFIG_DM_DUST is not set");
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, dm_message(self->rig.name[1], "addbadblock 3"));
	ASSERT_EQ(0, dm_message(self->rig.name[1], "enable"));
	ASSERT_EQ(0, watch(&self->rig, ALL, 1));
	EXPECT_EQ(BLOCK, pread(disk, data, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	EXPECT_EQ(-EIO, neg(pread(disk, data, BLOCK, 24 * 512)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, disk, 24, BLOCK,
			NOTIFY_BLOCK_STACKED));

	/* A bio that is split into sectors is reported once, with the last part */
	snprintf(table, sizeof(table), "%u:%u 0 512", major(number(lower)),
		 minor(number(lower)));
	ASSERT_EQ(0, dm_set(self->rig.name[1], "dust", SECTORS, table));
	ASSERT_EQ(0, dm_message(self->rig.name[1], "addbadblock 26"));
	ASSERT_EQ(0, dm_message(self->rig.name[1], "enable"));
	EXPECT_EQ(-EIO, neg(pread(disk, data, BLOCK, 24 * 512)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, disk, 31,
			512, NOTIFY_BLOCK_STACKED));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);

	snprintf(table, sizeof(table), "%u:%u 0 0 1000 1 error_writes",
		 major(number(lower)), minor(number(lower)));
	disk = dm_disk(&self->rig, "flakey", table);
	ASSERT_LE(0, disk);
	EXPECT_EQ(BLOCK, pread(disk, data, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	EXPECT_EQ(-EIO, neg(pwrite(disk, data, BLOCK, 512)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_WRITE, disk, 1, BLOCK,
			NOTIFY_BLOCK_STACKED));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
	close(lower);
}

FIXTURE(md)
{
	struct rig rig;
	int disk, leg[2];
};

/* Opens an array that does not run; a descriptor, or -errno without md */
static int md_open(void)
{
	if (mknod("md", S_IFBLK | 0600, makedev(MD_MAJOR, 77)))
		return -errno;
	return open_disk("md");
}

FIXTURE_SETUP(md)
{
	int i;

	rig_open(_metadata, &self->rig);
	self->disk = md_open();
	if (self->disk < 0)
		SKIP(_exit(KSFT_SKIP), "CONFIG_BLK_DEV_MD is not set");
	for (i = 0; i < 2; i++) {
		self->leg[i] = dm_disk(&self->rig, "zero", "");
		ASSERT_LE(0, self->leg[i]);
	}
}

FIXTURE_TEARDOWN(md)
{
	ioctl(self->disk, STOP_ARRAY, NULL);
	close(self->leg[0]);
	close(self->leg[1]);
	close(self->disk);
	rig_close(&self->rig);
}

/* Runs an array of both legs, without metadata on them */
static int md_run(int md, const int leg[2], int level, int chunk)
{
	mdu_array_info_t array = {
		.major_version = 0, .minor_version = 90, .level = level, .nr_disks = 2,
		.raid_disks = 2, .not_persistent = 1, .md_minor = 77,
		.size = SECTORS / 2, .state = 1 << MD_SB_CLEAN, .chunk_size = chunk,
	};
	int i;

	if (ioctl(md, SET_ARRAY_INFO, &array))
		return -errno;
	for (i = 0; i < 2; i++) {
		mdu_disk_info_t disk = {
			.number = i, .raid_disk = i,
			.major = major(number(leg[i])), .minor = minor(number(leg[i])),
			.state = 1 << MD_DISK_ACTIVE | 1 << MD_DISK_SYNC,
		};

		if (ioctl(md, ADD_NEW_DISK, &disk))
			return -errno;
	}
	return neg(ioctl(md, RUN_ARRAY, NULL));
}

/* A mirror loses a leg: the leg reports the error, and the mirror continues. */
TEST_F(md, raid1)
{
	int disk = self->disk, *leg = self->leg;

	ASSERT_EQ(0, md_run(disk, leg, 1, 0));
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(0, watch(&self->rig, leg[0], 2));
	ASSERT_EQ(0, watch(&self->rig, leg[1], 3));
	EXPECT_EQ(BLOCK, pwrite(disk, data, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));

	ASSERT_EQ(0, dm_set(self->rig.name[1], "error", SECTORS, ""));
	EXPECT_EQ(BLOCK, pwrite(disk, data, BLOCK, 0));
	EXPECT_TRUE(got(&self->rig, 3, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_WRITE, leg[1], 0,
			BLOCK, 0));
	/* md of Linux 7.1 writes the first sector again, to find out which is bad */
	if (kernel_version() >= 7)
		EXPECT_TRUE(got(&self->rig, 3, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_WRITE,
				leg[1], 0, 512, 0));
	/* The array no longer uses that leg */
	EXPECT_EQ(BLOCK, pwrite(disk, data, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));

	/* The other leg fails too */
	ASSERT_EQ(0, dm_set(self->rig.name[0], "error", SECTORS, ""));
	EXPECT_EQ(-EIO, neg(pread(disk, data, BLOCK, 0)));
	EXPECT_TRUE(got(&self->rig, 2, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, leg[0], 0,
			BLOCK, 0));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, disk, 0,
			BLOCK, NOTIFY_BLOCK_STACKED));
	EXPECT_TRUE(got_no_more(&self->rig.q));
}

/* A write to two legs, one of which fails, is one error of the array. */
TEST_F(md, raid0)
{
	struct iovec iov[2] = { { data, BLOCK }, { data, BLOCK } };
	int disk = self->disk, *leg = self->leg;

	ASSERT_EQ(0, md_run(disk, leg, 0, BLOCK));
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(0, watch(&self->rig, leg[0], 2));
	EXPECT_EQ(2 * BLOCK, pwritev(disk, iov, 2, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));

	ASSERT_EQ(0, dm_set(self->rig.name[0], "error", SECTORS, ""));
	EXPECT_EQ(-EIO, neg(pwritev(disk, iov, 2, 0)));
	EXPECT_TRUE(got(&self->rig, 2, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_WRITE, leg[0], 0,
			BLOCK, 0));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_WRITE, disk,
			BLOCK / 512, BLOCK, NOTIFY_BLOCK_STACKED));
	EXPECT_TRUE(got_no_more(&self->rig.q));
}

/*
 * null_blk: bad blocks, zones and commands that time out
 */

static bool null_set(const char *attribute, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), NULL_DISK "/%s", attribute);
	return !write_text(path, value);
}

FIXTURE(null_blk)
{
	struct rig rig;
};

FIXTURE_SETUP(null_blk)
{
	rig_open(_metadata, &self->rig);
	/* Fails if it is mounted already */
	do_mount("none", "/sys/kernel/config", "configfs", 0, NULL);
	if (access(NULL_BLK, F_OK))
		SKIP(_exit(KSFT_SKIP), "CONFIG_BLK_DEV_NULL_BLK is not set");
	ASSERT_EQ(0, neg(mkdir(NULL_DISK, 0700)));
	ASSERT_TRUE(null_set("size", "8"));
	ASSERT_TRUE(null_set("blocksize", "512"));
	ASSERT_TRUE(null_set("memory_backed", "1"));
	ASSERT_TRUE(null_set("irqmode", "2"));		/* hard interrupt of a timer */
}

FIXTURE_TEARDOWN(null_blk)
{
	rmdir(NULL_DISK);
	rig_close(&self->rig);
}

static int null_power(void)
{
	return null_set("power", "1") ? open_disk("/dev/" NULL_NAME) : -EINVAL;
}

/* Bad blocks; the request is completed in hard interrupt context. */
TEST_F(null_blk, bad_blocks)
{
	__u64 range[2] = { 16 * 512, BLOCK };
	int disk;

	ASSERT_TRUE(null_set("badblocks", "+16-16"));
	ASSERT_TRUE(null_set("discard", "1"));
	disk = null_power();
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	EXPECT_EQ(BLOCK, pwrite(disk, data, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	EXPECT_EQ(-EIO, neg(pwrite(disk, data, BLOCK, 16 * 512)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_WRITE, disk, 16, BLOCK,
			0));
	EXPECT_EQ(-EIO, neg(pread(disk, data, 512, 16 * 512)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, disk, 16, 512, 0));
	EXPECT_EQ(-EIO, neg(ioctl(disk, BLKDISCARD, range)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_DISCARD, disk, 16, BLOCK,
			0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/* A write with FUA, which is two requests for a driver without FUA. */
TEST_F(null_blk, flush_behind)
{
	int disk, fd;

	ASSERT_TRUE(null_set("cache_size", "1"));
	ASSERT_TRUE(null_set("fua", "0"));
	ASSERT_TRUE(null_set("badblocks", "+16-16"));
	disk = null_power();
	ASSERT_LE(0, disk);
	fd = open("/dev/" NULL_NAME, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	EXPECT_EQ(BLOCK, pwrite(fd, data, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	EXPECT_EQ(-EIO, neg(pwrite(fd, data, BLOCK, 16 * 512)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_WRITE, disk, 16,
			BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(fd);
	close(disk);
}

/* A second zone is opened where only one may be open. */
TEST_F(null_blk, zones)
{
	struct blk_zone_range zone = { .nr_sectors = 1 << 11 };
	int disk;

	if (!null_set("zoned", "1") || !null_set("zone_size", "1") ||
	    !null_set("zone_max_open", "1"))
		SKIP(return, "null_blk without zones");
	disk = null_power();
	if (disk == -EINVAL)
		SKIP(return, "CONFIG_BLK_DEV_ZONED is not set");
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	ASSERT_EQ(0, neg(ioctl(disk, BLKOPENZONE, &zone)));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	zone.sector = zone.nr_sectors;
	EXPECT_EQ(-ETOOMANYREFS, neg(ioctl(disk, BLKOPENZONE, &zone)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_ZONE_RESOURCE, NOTIFY_BLOCK_OP_ZONE, disk,
			zone.sector, 0, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/* A command times out. */
TEST_F(null_blk, timeout)
{
	int disk;

	disk = null_power();
	ASSERT_LE(0, disk);
	if (!null_set("timeout_inject/probability", "100"))
		SKIP(return, "CONFIG_BLK_DEV_NULL_BLK_FAULT_INJECTION is not set");
	ASSERT_EQ(0, sysctl_set("/sys/block/" NULL_NAME "/queue/io_timeout", 1000));
	ASSERT_TRUE(null_set("timeout_inject/verbose", "0"));
	ASSERT_TRUE(null_set("timeout_inject/times", "1"));
	ASSERT_EQ(0, watch(&self->rig, disk, 1));
	EXPECT_EQ(-ETIMEDOUT, neg(pread(disk, data, BLOCK, 0)));
	EXPECT_TRUE(got(&self->rig, 1, NOTIFY_BLOCK_TIMEOUT, NOTIFY_BLOCK_OP_READ, disk, 0,
			BLOCK, 0));
	EXPECT_TRUE(got_no_more(&self->rig.q));
	close(disk);
}

/*
 * scsi_debug, which answers commands with injected errors
 */

struct scsi {
	struct rig rig;
	char sys[256];		/* /sys/.../H:C:T:L */
	char inject[96];
	char path[64];
	char host[16];
	int disk;
};

/* Opens and watches the disk that scsi_debug creates */
static void scsi_open(struct __test_metadata *_metadata, struct scsi *s)
{
	glob_t found;
	char *end;

	rig_open(_metadata, &s->rig);
	if (glob(SCSI_DISKS, 0, NULL, &found))
		SKIP(_exit(KSFT_SKIP), "no disk of scsi_debug");
	snprintf(s->sys, sizeof(s->sys), "%s", found.gl_pathv[0]);
	globfree(&found);
	snprintf(s->path, sizeof(s->path), "/dev/%s", strrchr(s->sys, '/') + 1);
	end = strstr(s->sys, "/block/");
	*end = 0;
	snprintf(s->host, sizeof(s->host), "host%d", atoi(strrchr(s->sys, '/') + 1));
	/* Fails if it is mounted already */
	do_mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	snprintf(s->inject, sizeof(s->inject), "/sys/kernel/debug/scsi_debug/%s/error",
		 strrchr(s->sys, '/') + 1);
	s->disk = open_disk(s->path);
	ASSERT_LE(0, s->disk);
	ASSERT_EQ(0, watch(&s->rig, s->disk, 1));
}

static void scsi_close(struct scsi *s)
{
	close(s->disk);
	rig_close(&s->rig);
}

FIXTURE(scsi)
{
	struct scsi scsi;
};

FIXTURE_SETUP(scsi)
{
	scsi_open(_metadata, &self->scsi);
}

FIXTURE_TEARDOWN(scsi)
{
	scsi_close(&self->scsi);
}

/* An administrator sets a disk offline; the driver has no class for this. */
TEST_F(scsi, offline)
{
	struct scsi *s = &self->scsi;
	char state[300];

	snprintf(state, sizeof(state), "%s/state", s->sys);
	ASSERT_EQ(0, write_text(state, "offline\n"));
	EXPECT_EQ(-EIO, neg(pread(s->disk, data, BLOCK, 8 * 512)));
	EXPECT_TRUE(got(&s->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, s->disk, 8,
			BLOCK, 0));
	ASSERT_EQ(0, write_text(state, "running\n"));
	EXPECT_EQ(BLOCK, pread(s->disk, data, BLOCK, 8 * 512));
	EXPECT_TRUE(got_no_more(&s->rig.q));
}

/* A large read of bad sectors, split into several requests */
TEST_F(scsi, parts)
{
	const size_t size = 256 << 10, part = 64;
	struct scsi *s = &self->scsi;
	char path[300], *large;
	long before;
	size_t reported = 0;
	union watch_record r;

	snprintf(path, sizeof(path), "%s/block/%s/queue/max_sectors_kb", s->sys,
		 strrchr(s->path, '/') + 1);
	before = sysctl_get(path);
	ASSERT_EQ(0, sysctl_set(path, part));
	ASSERT_EQ(0, posix_memalign((void **)&large, BLOCK, size));
	ASSERT_EQ(0, write_text(s->inject, "2 1 28 0 0 2 3 11 0"));
	EXPECT_EQ(-ENODATA, neg(pread(s->disk, large, size, 0)));
	ASSERT_EQ(0, write_text(s->inject, "- 2 28"));
	while (next_record(&s->rig.q, &r) == 1) {
		EXPECT_GE(part << 10, r.block.length);
		EXPECT_EQ(0, r.block.suppressed);
		reported += r.block.length;
	}
	EXPECT_EQ(size, reported);
	free(large);
	EXPECT_EQ(0, sysctl_set(path, before));
}

/* A failed passthrough command is not reported. */
TEST_F(scsi, passthrough)
{
	unsigned char command[10] = { 0x28, [8] = BLOCK / 512 }, sense[32];
	struct sg_io_hdr io = {
		.interface_id = 'S', .dxfer_direction = SG_DXFER_FROM_DEV,
		.cmdp = command, .cmd_len = sizeof(command),
		.dxferp = data, .dxfer_len = BLOCK,
		.sbp = sense, .mx_sb_len = sizeof(sense), .timeout = 30000,
	};
	struct scsi *s = &self->scsi;

	ASSERT_EQ(0, write_text(s->inject, "2 1 28 0 0 2 4 44 0"));
	ASSERT_EQ(0, neg(ioctl(s->disk, SG_IO, &io)));
	ASSERT_EQ(0, write_text(s->inject, "- 2 28"));
	EXPECT_EQ(2, io.status);
	EXPECT_TRUE(got_no_more(&s->rig.q));
}

/* A flush of the disk's write cache fails. */
TEST_F(scsi, flush_cache)
{
	struct scsi *s = &self->scsi;

	ASSERT_EQ(0, write_text(s->inject, "2 1 35 0 0 2 4 44 0"));
	EXPECT_EQ(-EREMOTEIO, neg(fsync(s->disk)));
	EXPECT_TRUE(got(&s->rig, 1, NOTIFY_BLOCK_TARGET, NOTIFY_BLOCK_OP_FLUSH, s->disk, 0,
			0, 0));
	ASSERT_EQ(0, write_text(s->inject, "- 2 35"));
	EXPECT_EQ(0, neg(fsync(s->disk)));
	EXPECT_TRUE(got_no_more(&s->rig.q));
}

/*
 * Reads a block with this sense data.  The second read may use another copy, so both
 * readahead and the second read are reported.
 */
static void check_reported_twice(struct __test_metadata *_metadata, struct scsi *s, int fd,
				 const char *sense, __u32 class, int block)
{
	char inject[64];
	int i;

	snprintf(inject, sizeof(inject), "2 1 28 0 0 2 %s", sense);
	ASSERT_EQ(0, write_text(s->inject, inject));
	EXPECT_EQ(-EIO, neg(pread(fd, data, BLOCK, block * BLOCK)));
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(got(&s->rig, 1, class, NOTIFY_BLOCK_OP_READ, s->disk,
				block * BLOCK / 512, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&s->rig.q));
	ASSERT_EQ(0, write_text(s->inject, "- 2 28"));
}

/*
 * Failed readahead is only reported if the medium or the protection information is bad.
 * The page is read again if a program uses it.
 */
TEST_F(scsi, readahead)
{
	struct scsi *s = &self->scsi;
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	long before;

	ASSERT_LE(0, fd);
	/* One page */
	ASSERT_EQ(0, neg(ioctl(fd, BLKRAGET, &before)));
	ASSERT_EQ(0, neg(ioctl(fd, BLKRASET, BLOCK / 512UL)));

	/* No connection: the first read fails, then all */
	ASSERT_EQ(0, write_text(s->inject, "2 -1 28 1 0 0 d 0 0"));
	EXPECT_EQ(BLOCK, pread(fd, data, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&s->rig.q));
	ASSERT_EQ(0, write_text(s->inject, "- 2 28"));
	ASSERT_EQ(0, write_text(s->inject, "2 1 28 1 0 0 d 0 0"));
	EXPECT_EQ(-EIO, neg(pread(fd, data, BLOCK, 16 * BLOCK)));
	EXPECT_TRUE(got(&s->rig, 1, NOTIFY_BLOCK_IO, NOTIFY_BLOCK_OP_READ, s->disk,
			16 * BLOCK / 512, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&s->rig.q));
	ASSERT_EQ(0, write_text(s->inject, "- 2 28"));

	check_reported_twice(_metadata, s, fd, "3 11 0", NOTIFY_BLOCK_MEDIUM, 32);
	check_reported_twice(_metadata, s, fd, "5 10 1", NOTIFY_BLOCK_PROTECTION, 48);
	EXPECT_EQ(0, neg(ioctl(fd, BLKRASET, before)));
	close(fd);
}

/* Sense data: the disk does not support the command, or has failed */
#define REFUSED	"5 24"
#define FAILED	"4 44"

/* WRITE SAME fails with this sense data, or succeeds again if it is NULL */
static int fail_write_same(struct scsi *s, const char *sense)
{
	static const char *const commands[] = { "41", "93" };
	char text[64];
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands) && !ret; i++) {
		if (sense)
			snprintf(text, sizeof(text), "2 1 %s 0 0 2 %s 0", commands[i], sense);
		else
			snprintf(text, sizeof(text), "- 2 %s", commands[i]);
		ret = write_text(s->inject, text);
	}
	return ret;
}

/* The file with the limit of WRITE SAME, which the driver clears when it is refused */
static void most_write_same(const struct scsi *s, char *path, size_t size)
{
	snprintf(path, size, "%s/scsi_disk/%s/max_write_same_blocks", s->sys,
		 strrchr(s->sys, '/') + 1);
}

/* Creates and watches a device on top of the disk */
static int upper_disk(struct scsi *s)
{
	int upper = linear_disk(&s->rig, s->disk);
	int ret = upper < 0 ? upper : watch(&s->rig, upper, 2);

	return ret ? ret : upper;
}

/*
 * A disk refuses write-zeroes.  Its driver and a device on top of it clear their limits,
 * and the kernel writes zeroes.  This is not an I/O error.
 */
TEST_F(scsi, write_zeroes_refused)
{
	__u64 range[2] = { 0, 16 * BLOCK };
	struct scsi *s = &self->scsi;
	char path[600];
	long most;
	int upper;

	most_write_same(s, path, sizeof(path));
	most = sysctl_get(path);
	ASSERT_LT(0, most);
	upper = upper_disk(s);
	ASSERT_LE(0, upper);
	ASSERT_EQ(0, fail_write_same(s, REFUSED));
	EXPECT_EQ(0, neg(ioctl(upper, BLKZEROOUT, range)));
	ASSERT_EQ(0, fail_write_same(s, NULL));
	EXPECT_EQ(0, sysctl_get(path));
	EXPECT_TRUE(got_no_more(&s->rig.q));
	ASSERT_EQ(0, sysctl_set(path, most));
	close(upper);
}

/* Write-zeroes fails on a disk that supports it.  This is an I/O error. */
TEST_F(scsi, write_zeroes_failed)
{
	__u64 range[2] = { 0, 16 * BLOCK };
	struct scsi *s = &self->scsi;
	char path[600];
	long most;

	most_write_same(s, path, sizeof(path));
	most = sysctl_get(path);
	ASSERT_LT(0, most);
	ASSERT_EQ(0, fail_write_same(s, FAILED));
	EXPECT_EQ(-EREMOTEIO, neg(ioctl(s->disk, BLKZEROOUT, range)));
	EXPECT_TRUE(got(&s->rig, 1, NOTIFY_BLOCK_TARGET, NOTIFY_BLOCK_OP_ZERO, s->disk, 0,
			16 * BLOCK, 0));
	ASSERT_EQ(0, fail_write_same(s, NULL));
	EXPECT_EQ(most, sysctl_get(path));
	EXPECT_TRUE(got_no_more(&s->rig.q));
}

/*
 * The same below an array.  md does not clear its limit before the request fails, so a
 * program gets the error.
 */
TEST_F(scsi, write_zeroes_refused_md)
{
	__u64 range[2] = { 0, 16 * BLOCK };
	struct scsi *s = &self->scsi;
	int md, leg[2], i;
	char path[600];
	long most;

	md = md_open();
	if (md < 0)
		SKIP(return, "CONFIG_BLK_DEV_MD is not set");
	most_write_same(s, path, sizeof(path));
	most = sysctl_get(path);
	for (i = 0; i < 2; i++) {
		leg[i] = linear_disk(&s->rig, s->disk);
		ASSERT_LE(0, leg[i]);
	}
	ASSERT_EQ(0, md_run(md, leg, 0, BLOCK));
	ASSERT_LT(0, sysctl_get("/sys/block/md77/queue/write_zeroes_max_bytes"));
	ASSERT_EQ(0, watch(&s->rig, md, 3));
	ASSERT_EQ(0, fail_write_same(s, REFUSED));
	EXPECT_EQ(-EREMOTEIO, neg(ioctl(md, BLKZEROOUT, range)));
	ASSERT_EQ(0, fail_write_same(s, NULL));
	EXPECT_EQ(0, sysctl_get(path));
	EXPECT_TRUE(got_no_more(&s->rig.q));
	ASSERT_EQ(0, sysctl_set(path, most));
	EXPECT_EQ(0, neg(ioctl(md, STOP_ARRAY, NULL)));
	close(leg[0]);
	close(leg[1]);
	close(md);
}

/* The file with the way in which the disk discards, and that with its limit */
static void discard_paths(const struct scsi *s, char *mode, char *most, size_t size)
{
	snprintf(mode, size, "%s/scsi_disk/%s/provisioning_mode", s->sys,
		 strrchr(s->sys, '/') + 1);
	snprintf(most, size, "%s/block/%s/queue/discard_max_bytes", s->sys,
		 strrchr(s->path, '/') + 1);
}

/* A discard fails on a disk that supports it.  This is an I/O error. */
TEST_F(scsi, discard_failed)
{
	__u64 range[2] = { 0, 16 * BLOCK };
	struct scsi *s = &self->scsi;
	char mode[600], discard[600];

	discard_paths(s, mode, discard, sizeof(mode));
	ASSERT_EQ(0, write_text(mode, "writesame_16"));
	ASSERT_LT(0, sysctl_get(discard));
	ASSERT_EQ(0, fail_write_same(s, FAILED));
	EXPECT_EQ(-EREMOTEIO, neg(ioctl(s->disk, BLKDISCARD, range)));
	EXPECT_TRUE(got(&s->rig, 1, NOTIFY_BLOCK_TARGET, NOTIFY_BLOCK_OP_DISCARD, s->disk, 0,
			16 * BLOCK, 0));
	ASSERT_EQ(0, fail_write_same(s, NULL));
	EXPECT_LT(0, sysctl_get(discard));
	EXPECT_TRUE(got_no_more(&s->rig.q));
	ASSERT_EQ(0, write_text(mode, "full"));
}

/*
 * A disk refuses a discard.  Its driver and a device on top of it clear their limits, so
 * that the next discard is not sent.  This is not an I/O error.
 */
TEST_F(scsi, discard_refused)
{
	__u64 range[2] = { 0, 16 * BLOCK };
	struct scsi *s = &self->scsi;
	char mode[600], discard[600];
	int upper, ret;

	discard_paths(s, mode, discard, sizeof(mode));
	ASSERT_EQ(0, write_text(mode, "writesame_16"));
	ASSERT_LT(0, sysctl_get(discard));
	upper = upper_disk(s);
	ASSERT_LE(0, upper);
	ASSERT_EQ(0, fail_write_same(s, REFUSED));
	EXPECT_EQ(-EREMOTEIO, neg(ioctl(upper, BLKDISCARD, range)));
	ASSERT_EQ(0, fail_write_same(s, NULL));
	EXPECT_EQ(0, sysctl_get(discard));
	/* The upper device ignores it, or in Linux 7.1 rejects it */
	ret = neg(ioctl(upper, BLKDISCARD, range));
	EXPECT_TRUE(!ret || ret == -EOPNOTSUPP);
	EXPECT_TRUE(got_no_more(&s->rig.q));
	ASSERT_EQ(0, write_text(mode, "full"));
	close(upper);
}

/* A disk is removed during writes: their errors are reported, then the removal. */
TEST_F(scsi, removed)
{
	struct scsi *s = &self->scsi;
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/delete", s->sys);
	remove_written(_metadata, &s->rig, s->disk, s->path, path);

	/* Bring the disk back for the next test */
	snprintf(path, sizeof(path), "/sys/class/scsi_host/%s/scan", s->host);
	ASSERT_EQ(0, write_text(path, "- - -"));
	while ((fd = open_disk(s->path)) < 0)
		sched_yield();
	s->disk = fd;
}

FIXTURE(scsi_answer)
{
	struct scsi scsi;
};

FIXTURE_VARIANT(scsi_answer)
{
	/* Answer to a read */
	unsigned int host, status, key, code, qualifier;
	__u32 class;
	int error;
};

#define CHECK_CONDITION	.status = 0x02
/* VOLUME OVERFLOW: sd of Linux 7.1 repeats the command indefinitely without a sense key */
#define NO_RETRY	.key = 0x0d

FIXTURE_VARIANT_ADD(scsi_answer, medium) {
	CHECK_CONDITION, .key = 0x03, .code = 0x11,
	.class = NOTIFY_BLOCK_MEDIUM, .error = ENODATA,
};

FIXTURE_VARIANT_ADD(scsi_answer, hardware) {
	CHECK_CONDITION, .key = 0x04, .code = 0x44,
	.class = NOTIFY_BLOCK_TARGET, .error = EREMOTEIO,
};

FIXTURE_VARIANT_ADD(scsi_answer, protection) {
	CHECK_CONDITION, .key = 0x05, .code = 0x10, .qualifier = 0x01,
	.class = NOTIFY_BLOCK_PROTECTION, .error = EILSEQ,
};

FIXTURE_VARIANT_ADD(scsi_answer, space) {
	CHECK_CONDITION, .key = 0x07, .code = 0x27, .qualifier = 0x07,
	.class = NOTIFY_BLOCK_NO_SPACE, .error = ENOSPC,
};

FIXTURE_VARIANT_ADD(scsi_answer, duration) {
	CHECK_CONDITION, .key = 0x0b, .code = 0x2e, .qualifier = 0x01,
	.class = NOTIFY_BLOCK_DURATION_LIMIT, .error = ETIME,
};

FIXTURE_VARIANT_ADD(scsi_answer, reservation) {
	.status = 0x18, NO_RETRY,
	.class = NOTIFY_BLOCK_RESV_CONFLICT, .error = EBADE,
};

FIXTURE_VARIANT_ADD(scsi_answer, transport) {
	.host = 0x0f, NO_RETRY,
	.class = NOTIFY_BLOCK_TRANSPORT, .error = ENOLINK,
};

FIXTURE_VARIANT_ADD(scsi_answer, connection) {
	.host = 0x01, NO_RETRY,
	.class = NOTIFY_BLOCK_IO, .error = EIO,
};

FIXTURE_SETUP(scsi_answer)
{
	scsi_open(_metadata, &self->scsi);
}

FIXTURE_TEARDOWN(scsi_answer)
{
	scsi_close(&self->scsi);
}

/* Each answer is reported with the class that the driver derives from it. */
TEST_F(scsi_answer, error)
{
	struct scsi *s = &self->scsi;
	char text[64];

	snprintf(text, sizeof(text), "2 1 28 %x 0 %x %x %x %x", variant->host,
		 variant->status, variant->key, variant->code, variant->qualifier);
	ASSERT_EQ(0, write_text(s->inject, text));
	EXPECT_EQ(-variant->error, neg(pread(s->disk, data, BLOCK, 8 * 512)));
	EXPECT_TRUE(got(&s->rig, 1, variant->class, NOTIFY_BLOCK_OP_READ, s->disk, 8, BLOCK, 0));
	ASSERT_EQ(0, write_text(s->inject, "- 2 28"));
	EXPECT_EQ(BLOCK, pread(s->disk, data, BLOCK, 8 * 512));
	EXPECT_TRUE(got_no_more(&s->rig.q));
}

TEST_HARNESS_MAIN
