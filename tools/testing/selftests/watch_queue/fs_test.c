// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: real filesystems that fail
 *
 * Each test creates a filesystem on a device-mapper device, makes it fail, and repairs
 * it.  The tests of a group are
 *
 *	fixture		cause				expected
 *	failing		all I/O of the disk fails	RDONLY by an error, also
 *							SHUTDOWN from ext4, xfs and gfs2
 *	read_only	reads of f2fs fail		RDONLY by an error
 *	shutdown	ioctl, sysfs file of gfs2	RDONLY and SHUTDOWN, no error
 *	removed		disk				RDONLY and SHUTDOWN by an error
 *	unreadable	one block of a file		ERROR with the range
 *	unwritable	one block of a file		WRITEBACK_ERROR; ERROR for
 *							direct I/O
 *	damaged, chain	zeroed metadata			ERROR; RDONLY or SHUTDOWN by
 *							an error, if it stops
 *	metadata	metadata of xfs cannot be read	ERROR
 *	checksum	changed data on btrfs		ERROR
 *			buffer changed by direct I/O	ERROR of a direct read
 *	zoned		zone that cannot be written	ERROR and RDONLY from zonefs
 *	quota		soft limit of xfs		QUOTA
 *	detector	the cases of node-problem-detector, in one queue
 *
 * Not tested:
 *
 *	failing: ext2, vfat, exfat, jfs, nilfs2
 *			A disk that fails does not make them read-only.
 *	unwritable: btrfs, f2fs, nilfs2
 *			They write to another block each time.
 *	damaged: jfs	Reading a damaged directory does not end.
 *	ERROR of damaged btrfs metadata with one good copy
 *			Which copy is read depends on the process.
 *	NOTIFY_SB_STALE_CACHE
 *			Needs a race of direct I/O against a mapped page.
 *	ubifs		Needs flash memory, and only random power cuts stop it.
 *	ocfs2		Needs INET, and the cluster libraries for its mkfs.
 *
 * Needs the mkfs programs of the filesystems.
 */
#include <linux/btrfs.h>
#include <sys/fsuid.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "sb.h"

#define BLOCK		4096
#define NR_BLOCKS	16			/* of the file */
#define BAD_BLOCK	3			/* of the file */
#define FILE_NAME	"mnt/file"
#define NULL_DISK	"/sys/kernel/config/nullb/watch_fs"
#define ZONE_MIB	4
#define MAX_PLACES	64			/* where a text is on the disk */
#define TIMEOUT_S	150			/* of a test, with an emulated processor */

static char *data;	/* a block, aligned for direct I/O */

struct fs {
	const char *type;
	const char *mkfs;	/* followed by the device */
	bool has_generation;	/* FS_IOC_GETVERSION */
	unsigned int mib;	/* size of the disk, 0 for 64 */
};

/* The smallest size that mkfs.xfs accepts is above that of the disk otherwise */
#define MKFS_XFS	"TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 mkfs.xfs -q -f -K"

static const struct fs ext2 = {
	"ext2", "mkfs.ext4 -t ext2 -q -F -b 4096 -E nodiscard", true,
};

static const struct fs ext4 = { "ext4", "mkfs.ext4 -q -F -b 4096 -E nodiscard", true };
static const struct fs xfs = { "xfs", MKFS_XFS, true };

static const struct fs btrfs = {
	"btrfs", "mkfs.btrfs -q -f -K -d single -m single", true,
};

static const struct fs btrfs_dup = {
	"btrfs", "mkfs.btrfs -q -f -K -d dup -m single", true, 192,
};

static const struct fs f2fs = { "f2fs", "mkfs.f2fs -q -f -t 0", true };

static const struct fs gfs2 = {
	"gfs2", "mkfs.gfs2 -q -O -K -p lock_nolock -t watch:fs -J 8", false,
};

static const struct fs vfat = { "vfat", "mkfs.fat -I -F 16", false };
static const struct fs exfat = { "exfat", "mkfs.exfat", false };
static const struct fs jfs = { "jfs", "mkfs.jfs -q", false };
static const struct fs nilfs2 = { "nilfs2", "mkfs.nilfs2 -q -f -K -B 16", true };

/* Places on the disk, and the contents of a block there */
struct places {
	int nr;
	off_t at[MAX_PLACES];
	char old[MAX_PLACES][BLOCK];
};

/* A queue, and a filesystem on a disk whose contents are in the file "image" */
struct rig {
	struct stream s;
	const struct fs *fs;
	char name[32];		/* of the device-mapper device */
	char path[64];		/* of the same */
	char loop[64];		/* device below */
	int loop_fd;		/* keeps it while the table does not refer to it */
	char linear[80];	/* its table */
	__u64 sectors;
	struct places places;	/* of the damage */
};

static int make_fs(const struct rig *rig)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "%s %s >mkfs.log 2>&1 || { ret=$?; sed 's/^/# /' mkfs.log; exit $ret; }",
		 rig->fs->mkfs, rig->path);
	return system(command);
}

/* Skips the test if there is no mkfs */
static void format_disk(struct __test_metadata *_metadata, const struct rig *rig)
{
	int ret = make_fs(rig);

	if (WIFEXITED(ret) && WEXITSTATUS(ret) == 127)
		SKIP(_exit(KSFT_SKIP), "not found: %s", rig->fs->mkfs);
	ASSERT_EQ(0, ret);
}

static int mount_rig(const struct rig *rig, const char *options)
{
	return fs_mount(rig->fs->type, rig->path, "mnt", options);
}

static bool is_configured(const char *type)
{
	char line[64], name[32];
	bool found = false;
	FILE *file;

	file = fopen("/proc/filesystems", "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%31s", name) == 1 && !strcmp(name, type);
	fclose(file);
	return found;
}

/* Skips the test if the kernel does not have the filesystem */
static void require_fs(struct __test_metadata *_metadata, const struct fs *fs)
{
	if (!is_configured(fs->type))
		SKIP(_exit(KSFT_SKIP), "the kernel has no %s", fs->type);
	/* A stack trace on the console would count as a failure of the kernel */
	write_text("/proc/sys/fs/xfs/error_level", "0");
}

/* Creates the disk and the filesystem, and does not mount it */
static void make_rig(struct __test_metadata *_metadata, struct rig *rig,
		     const struct fs *fs)
{
	int fd;

	ASSERT_EQ(0, posix_memalign((void **)&data, BLOCK, BLOCK));
	require_fs(_metadata, fs);
	rig->fs = fs;
	fd = open("image", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	rig->sectors = (fs->mib ? fs->mib : 64) * 2048;
	ASSERT_EQ(0, ftruncate(fd, rig->sectors * 512));
	close(fd);
	rig->loop_fd = loop_attach("image", rig->loop, sizeof(rig->loop));
	ASSERT_GE(rig->loop_fd, 0);
	snprintf(rig->name, sizeof(rig->name), "fs_test-%d", getpid());
	snprintf(rig->linear, sizeof(rig->linear), "%s 0", rig->loop);
	ASSERT_EQ(0, dm_create(rig->name, "linear", rig->sectors, rig->linear, rig->path,
			       sizeof(rig->path)));
	format_disk(_metadata, rig);
}

/* Creates the queue, too */
static void rig_open(struct __test_metadata *_metadata, struct rig *rig,
		     const struct fs *fs)
{
	workspace(_metadata, &rig->s);
	make_rig(_metadata, rig, fs);
}

static void rig_close(struct rig *rig)
{
	do_umount("mnt", MNT_DETACH);
	dm_remove(rig->name);
	close(rig->loop_fd);
	reader_close(&rig->s.q);
}

static int disk_fail(struct rig *rig)
{
	return dm_set(rig->name, "error", rig->sectors, "");
}

static int disk_fail_at(struct rig *rig, off_t place)
{
	return dm_set_bad(rig->name, rig->loop, rig->sectors, place / 512, BLOCK / 512);
}

static int disk_repair(struct rig *rig)
{
	return dm_set(rig->name, "linear", rig->sectors, rig->linear);
}

/* Fills the block, so that it can be found on the disk */
static void fill(int block)
{
	memset(data, 'a' + block, BLOCK);
	snprintf(data, BLOCK, "fs_test: block %d of the file", block);
}

/* Writes blocks of the file, and waits until they are on the disk */
static int write_blocks(int fd, int first, int last)
{
	int i;

	for (i = first; i <= last; i++) {
		fill(i);
		if (pwrite(fd, data, BLOCK, i * BLOCK) != BLOCK)
			return -errno;
	}
	return neg(fsync(fd));
}

/* Creates the file, and unmounts; later the file is not in the page cache */
static int make_file(struct rig *rig)
{
	int fd, ret = mount_rig(rig, NULL);

	if (ret)
		return ret;
	fd = open(FILE_NAME, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : write_blocks(fd, 0, NR_BLOCKS - 1);
	close(fd);
	return ret ? ret : do_umount("mnt", 0);
}

/* Reads the next block of the image that is not in a hole; its position or -1 */
static off_t read_image(int fd, off_t at, char *block)
{
	at = lseek(fd, at, SEEK_DATA);
	if (at < 0)
		return -1;
	at -= at % BLOCK;
	return pread(fd, block, BLOCK, at) == BLOCK ? at : -1;
}

static void add_place(struct places *p, off_t at, const char *old)
{
	if (p->nr == MAX_PLACES)
		return;
	memcpy(p->old[p->nr], old, BLOCK);
	p->at[p->nr++] = at;
}

/* Finds the blocks that contain @text and begin with @magic; returns their number */
static int find_blocks(struct places *p, const void *text, size_t len, const char *magic)
{
	int fd = open("image", O_RDONLY | O_CLOEXEC);
	char block[BLOCK];
	off_t at = 0;

	p->nr = 0;
	while ((at = read_image(fd, at, block)) >= 0) {
		if (memmem(block, BLOCK, text, len) && !memcmp(block, magic, strlen(magic)))
			add_place(p, at, block);
		at += BLOCK;
	}
	close(fd);
	return p->nr;
}

/* Finds the copies of a block of the file, which may begin with any sector */
static int find_data(struct places *p, int block_nr)
{
	int fd = open("image", O_RDONLY | O_CLOEXEC), i;
	char block[BLOCK];
	off_t at = 0;

	p->nr = 0;
	fill(block_nr);
	while ((at = read_image(fd, at, block)) >= 0) {
		/* Only the first sector of the data has a text */
		for (i = 0; i < BLOCK; i += 512)
			if (!memcmp(block + i, data, 512))
				add_place(p, at + i, data);
		at += BLOCK;
	}
	close(fd);
	return p->nr;
}

/* Writes the same byte to all of the blocks */
static int do_damage(const struct places *p, int byte)
{
	int fd = open("image", O_RDWR | O_CLOEXEC), i, ret = 0;
	char block[BLOCK];

	memset(block, byte, BLOCK);
	for (i = 0; !ret && i < p->nr; i++)
		if (pwrite(fd, block, BLOCK, p->at[i]) != BLOCK)
			ret = -errno;
	close(fd);
	return ret;
}

static int undo_damage(const struct places *p)
{
	int fd = open("image", O_RDWR | O_CLOEXEC), i, ret = 0;

	for (i = 0; !ret && i < p->nr; i++)
		if (pwrite(fd, p->old[i], BLOCK, p->at[i]) != BLOCK)
			ret = -errno;
	close(fd);
	return ret;
}

/* Sets the inode number, and the generation if the filesystem reports it */
static int expect_inode(const struct rig *rig, int fd, struct expected_error *want)
{
	unsigned int generation = 0;
	struct stat st;

	if (fstat(fd, &st) ||
	    (rig->fs->has_generation && ioctl(fd, FS_IOC_GETVERSION, &generation)))
		return -errno;
	want->ino = st.st_ino;
	want->generation = generation;
	return 0;
}

static bool is_rig_error(struct rig *rig, const union watch_record *r, __u32 subtype,
			 struct expected_error want)
{
	if (!rig->fs->has_generation)
		want.generation = r->sb_error.generation;
	return is_error(&rig->s, &rig->s.sb[1], r, 1, subtype, &want);
}

static void print_error(const union watch_record *r)
{
	if (record_len(r) == sizeof(r->sb_error))
		ksft_print_msg("inode %llu %u at %llu length %llu error %u kind %u suppressed %u\n",
			       r->sb_error.ino, r->sb_error.generation, r->sb_error.pos,
			       r->sb_error.length, r->sb_error.error, r->sb_error.kind,
			       r->sb_error.suppressed);
}

/* Reads one error, which has these contents */
static bool got_rig_error(struct rig *rig, __u32 subtype,
			  const struct expected_error *want)
{
	union watch_record r;
	int ret = next(&rig->s, &r);

	if (ret > 0 && is_rig_error(rig, &r, subtype, *want))
		return true;
	print_sb(ret, &r);
	print_error(&r);
	return false;
}

/* Reads the errors up to the first other record, and expects at least one */
static bool got_rig_errors(struct rig *rig, __u32 subtype,
			   const struct expected_error *want)
{
	union watch_record r;
	int ret, nr = 0;

	while ((ret = next(&rig->s, &r)) > 0 && r.watch.type == SB &&
	       r.watch.subtype == subtype) {
		if (!is_rig_error(rig, &r, subtype, *want)) {
			print_sb(ret, &r);
			print_error(&r);
			return false;
		}
		nr++;
	}
	if (ret > 0)
		unread_record(&rig->s.q, ret);
	if (nr > 1)
		ksft_print_msg("%d records of subtype %u\n", nr, subtype);
	return nr > 0 && (ret > 0 || ret == -EAGAIN);
}

/* Mounts again, and checks that the filesystem is healthy */
static void mount_again(struct __test_metadata *_metadata, struct rig *rig)
{
	int fd;

	ASSERT_EQ(0, mount_rig(rig, NULL));
	drop_records(&rig->s.q);
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	EXPECT_STREQ(rig->fs->type, rig->s.sb[1].type);
	fd = open("mnt/writable", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	EXPECT_GE(fd, 0);
	EXPECT_EQ(4, write(fd, "data", 4));
	EXPECT_EQ(0, fsync(fd));
	close(fd);
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&rig->s, 1));
}

#define PRINTK		"/proc/sys/kernel/printk"

/*
 * Hides messages below errors on the console, as gfs2 prints a stack trace when it
 * withdraws.  Returns the level to restore.
 */
static long hide_stack_trace(const struct rig *rig)
{
	long level = sysctl_get(PRINTK);

	if (rig->fs == &gfs2)
		sysctl_set(PRINTK, 4);
	return level;
}

/*
 * All I/O fails
 */

enum stop { STOP_RDONLY, STOP_SHUTDOWN, STOP_BOTH };

FIXTURE(failing)
{
	struct rig rig;
	long printk;
};

FIXTURE_VARIANT(failing)
{
	const struct fs *fs;
	const char *options;
	enum stop stop;
};

/* The journal is aborted first; 6.12 shuts ext4 down when it uses the journal again */
FIXTURE_VARIANT_ADD(failing, ext4) { &ext4, "errors=remount-ro", STOP_BOTH };
FIXTURE_VARIANT_ADD(failing, xfs) { &xfs, NULL, STOP_SHUTDOWN };
FIXTURE_VARIANT_ADD(failing, btrfs) { &btrfs, NULL, STOP_RDONLY };
FIXTURE_VARIANT_ADD(failing, f2fs) { &f2fs, NULL, STOP_RDONLY };
FIXTURE_VARIANT_ADD(failing, gfs2) { &gfs2, NULL, STOP_SHUTDOWN };

FIXTURE_SETUP(failing)
{
	rig_open(_metadata, &self->rig, variant->fs);
	self->printk = hide_stack_trace(&self->rig);
}

FIXTURE_TEARDOWN(failing)
{
	rig_close(&self->rig);
	sysctl_set(PRINTK, self->printk);
}

/* Number of each record after the disk failed */
struct stopped {
	int rdonly, shutdown;
};

/* Checks a record after the disk failed, and counts it */
static bool check_stopped(struct rig *rig, const union watch_record *r, enum stop stop,
			  struct stopped *nr)
{
	struct expected_sb *sb = &rig->s.sb[1];
	struct expected_sb any = *sb;

	switch (r->watch.type == SB ? r->watch.subtype : 255U) {
	case NOTIFY_SB_RDONLY:
		sb->state = RO | BY_ERROR;
		return is_about(sb, r, 1, NOTIFY_SB_RDONLY, sizeof(r->sb)) &&
		       !nr->rdonly++ && !nr->shutdown;
	case NOTIFY_SB_SHUTDOWN:
		sb->state = RO | BY_ERROR | SHUT;
		return is_about(sb, r, 1, NOTIFY_SB_SHUTDOWN, sizeof(r->sb)) &&
		       nr->rdonly && !nr->shutdown++ && stop != STOP_RDONLY;
	case NOTIFY_SB_RECONFIGURED:
		return nr->rdonly &&
		       is_about(sb, r, 1, NOTIFY_SB_RECONFIGURED, sizeof(r->sb));
	case NOTIFY_SB_ERROR:
	case NOTIFY_SB_WRITEBACK_ERROR:
		any.state = r->watch.info & WATCH_INFO_TYPE_INFO;
		return is_about(&any, r, 1, r->watch.subtype, sizeof(r->sb_error)) &&
		       r->sb_error.error;
	}
	return false;
}

/* Waits until the filesystem has stopped, and reads the remaining records */
static bool await_stop(struct rig *rig, enum stop stop, struct stopped *nr)
{
	union watch_record r;
	bool wait = true;
	int ret;

	do {
		ret = wait ? await_record(&rig->s.q, &r) : next_record(&rig->s.q, &r);
		if (ret != 1 || !check_stopped(rig, &r, stop, nr))
			break;
		wait = !nr->rdonly || (stop != STOP_RDONLY && !nr->shutdown);
	} while (true);
	if (ret == -EAGAIN && !wait)
		return true;
	print_sb(ret == 1 ? (int)record_len(&r) : ret, &r);
	ksft_print_msg("%d RDONLY, %d SHUTDOWN\n", nr->rdonly, nr->shutdown);
	return false;
}

/* Reads records up to the state, which may follow a summary of errors */
static bool got_state_after(struct rig *rig, enum stop stop, struct stopped *nr, __u32 state)
{
	union watch_record r;
	int ret;

	rig->s.sb[1].state = state;
	while ((ret = next(&rig->s, &r)) > 0) {
		if (is_sb(&rig->s, &r, 1, NOTIFY_SB_STATE, sizeof(r.sb)))
			return true;
		if (!check_stopped(rig, &r, stop, nr))
			break;
	}
	print_sb(ret, &r);
	return false;
}

/* The filesystem becomes read-only by an error, once; it is writable when mounted again. */
TEST_F_TIMEOUT(failing, disk_fails, TIMEOUT_S)
{
	struct rig *rig = &self->rig;
	enum stop stop = variant->stop;
	struct stopped nr = { 0 };
	__u32 state = RO | BY_ERROR;
	int fd, mnt;

	if (rig->fs == &ext4 && !ext4_shuts_down())
		stop = STOP_RDONLY;
	ASSERT_EQ(0, mount_rig(rig, variant->options));
	fd = open(FILE_NAME, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, write_blocks(fd, 0, NR_BLOCKS - 1));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	mnt = open_path("mnt");

	ASSERT_EQ(0, disk_fail(rig));
	EXPECT_GT(0, write_blocks(fd, BAD_BLOCK, BAD_BLOCK));
	/* Changes of metadata; each may fail, or be written later */
	mkdir("mnt/dir", 0755);
	syncfs(fd);
	mkdir("mnt/dir2", 0755);
	syncfs(fd);
	ASSERT_TRUE(await_stop(rig, stop, &nr));
	EXPECT_GT(0, neg(mkdir("mnt/late", 0755)));
	if (stop != STOP_RDONLY)
		state |= SHUT;
	EXPECT_EQ(0, report_state(&rig->s, mnt));
	EXPECT_TRUE(got_state_after(rig, stop, &nr, state));

	/* Remounts do not end this state, whether they fail or not */
	remount("mnt", MS_RDONLY, NULL);
	remount("mnt", 0, NULL);
	EXPECT_EQ(0, report_state(&rig->s, mnt));
	EXPECT_TRUE(got_state_after(rig, stop, &nr, state));
	close(mnt);
	close(fd);

	ASSERT_EQ(0, disk_repair(rig));
	ASSERT_EQ(0, do_umount("mnt", 0));
	mount_again(_metadata, rig);
}

/*
 * A remount to read-only
 */

FIXTURE(remounted)
{
	struct rig rig;
};

FIXTURE_SETUP(remounted)
{
	rig_open(_metadata, &self->rig, &ext4);
}

FIXTURE_TEARDOWN(remounted)
{
	rig_close(&self->rig);
}

/*
 * The disk fails while only the state of the journal is to be written.  The remount aborts
 * the journal, but succeeds.  ext4 rejects changes from then on, also after a remount to
 * read-write.
 */
TEST_F_TIMEOUT(remounted, ext4_journal, TIMEOUT_S)
{
	struct rig *rig = &self->rig;
	struct stopped nr = { 0 };
	int fd;

	ASSERT_EQ(0, mount_rig(rig, "errors=continue"));
	fd = open("mnt/old", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, neg(syncfs(fd)));
	close(fd);
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	ASSERT_EQ(0, disk_fail(rig));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(await_stop(rig, STOP_RDONLY, &nr));
	EXPECT_EQ(1, nr.rdonly);
	ASSERT_EQ(0, disk_repair(rig));
	ASSERT_EQ(0, remount("mnt", 0, NULL));
	EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_RECONFIGURED, RO | BY_ERROR));
	EXPECT_LT(open("mnt/new", O_CREAT | O_RDWR | O_CLOEXEC, 0600), 0);
}

/*
 * Reads of a filesystem that is mounted read-only fail
 */

FIXTURE(read_only)
{
	struct rig rig;
};

FIXTURE_SETUP(read_only)
{
	rig_open(_metadata, &self->rig, &f2fs);
}

FIXTURE_TEARDOWN(read_only)
{
	rig_close(&self->rig);
}

/* f2fs stops by an error, although it is read-only.  A remount does not post RDWR. */
TEST_F_TIMEOUT(read_only, f2fs_stops, TIMEOUT_S)
{
	struct rig *rig = &self->rig;
	struct stopped nr = { 0 };
	struct stat st;
	int i, mnt;

	ASSERT_EQ(0, make_file(rig));
	ASSERT_EQ(0, do_mount(rig->path, "mnt", rig->fs->type, MS_RDONLY, NULL));
	ASSERT_EQ(0, watch_path(&rig->s, "mnt", 1, RO));
	mnt = open_path("mnt");
	/* Read the directory, but not the inode of the file */
	EXPECT_EQ(-ENOENT, neg(stat("mnt/none", &st)));

	ASSERT_EQ(0, disk_fail(rig));
	/* More than MAX_RETRY_PAGE_EIO */
	for (i = 0; i < 200; i++)
		EXPECT_GT(0, neg(stat(FILE_NAME, &st)));
	ASSERT_TRUE(await_stop(rig, STOP_RDONLY, &nr));

	ASSERT_EQ(0, disk_repair(rig));
	/* The filesystem remains read-only, whether this fails or not */
	remount("mnt", 0, NULL);
	EXPECT_GT(0, neg(mkdir("mnt/late", 0755)));
	EXPECT_EQ(0, report_state(&rig->s, mnt));
	EXPECT_TRUE(got_state_after(rig, STOP_RDONLY, &nr, RO | BY_ERROR));
	close(mnt);
	ASSERT_EQ(0, do_umount("mnt", 0));
	mount_again(_metadata, rig);
}

/*
 * Shutdown by ioctl
 */

FIXTURE(shutdown)
{
	struct rig rig;
};

FIXTURE_VARIANT(shutdown)
{
	const struct fs *fs;
};

FIXTURE_VARIANT_ADD(shutdown, ext4) { &ext4 };
FIXTURE_VARIANT_ADD(shutdown, xfs) { &xfs };
FIXTURE_VARIANT_ADD(shutdown, f2fs) { &f2fs };
FIXTURE_VARIANT_ADD(shutdown, exfat) { &exfat };
FIXTURE_VARIANT_ADD(shutdown, btrfs) { &btrfs };
FIXTURE_VARIANT_ADD(shutdown, gfs2) { &gfs2 };

FIXTURE_SETUP(shutdown)
{
	rig_open(_metadata, &self->rig, variant->fs);
}

FIXTURE_TEARDOWN(shutdown)
{
	rig_close(&self->rig);
}

static int shut_down(const struct rig *rig, int fd)
{
	__u32 flags = 2;	/* without writing the log */

	if (rig->fs == &gfs2)
		return write_text("/sys/fs/gfs2/watch:fs/withdraw", "1");
	return neg(ioctl(fd, GOINGDOWN, &flags));
}

/* RDONLY and SHUTDOWN are posted once each, and not by an error. */
TEST_F_TIMEOUT(shutdown, by_program, TIMEOUT_S)
{
	struct rig *rig = &self->rig;
	int fd, ret;

	/* btrfs works in the background after its first mount */
	ASSERT_EQ(0, make_file(rig));
	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ret = shut_down(rig, fd);
	if (rig->fs == &btrfs && ret == -ENOTTY)
		SKIP(return, "btrfs cannot be shut down before Linux 7.1");
	ASSERT_EQ(0, ret);
	EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_RDONLY, RO));
	EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_SHUTDOWN, RO | SHUT));
	/* Again; whether this succeeds depends on the filesystem */
	shut_down(rig, fd);
	EXPECT_GT(0, neg(mkdir("mnt/late", 0755)));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	EXPECT_EQ(0, report_state(&rig->s, fd));
	EXPECT_TRUE(got_state(&rig->s, 1, RO | SHUT));
	close(fd);
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&rig->s, 1));
	mount_again(_metadata, rig);
}

/*
 * The disk is removed
 */

static bool null_set(const char *attribute, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), NULL_DISK "/%s", attribute);
	return !write_text(path, value);
}

/* Creates /dev/watch_fs */
static bool make_null_disk(bool zoned)
{
	/* Fails if it is mounted already */
	do_mount("none", "/sys/kernel/config", "configfs", 0, NULL);
	/* Fails unless a test was skipped after this function */
	rmdir(NULL_DISK);
	return !mkdir(NULL_DISK, 0700) && null_set("size", "64") &&
	       null_set("blocksize", "4096") && null_set("memory_backed", "1") &&
	       (!zoned || (null_set("zoned", "1") && null_set("zone_size", "4"))) &&
	       null_set("power", "1");
}

FIXTURE(removed)
{
	struct rig rig;
};

FIXTURE_VARIANT(removed)
{
	const struct fs *fs;
};

FIXTURE_VARIANT_ADD(removed, ext4) { &ext4 };
FIXTURE_VARIANT_ADD(removed, xfs) { &xfs };
FIXTURE_VARIANT_ADD(removed, f2fs) { &f2fs };
FIXTURE_VARIANT_ADD(removed, exfat) { &exfat };

FIXTURE_SETUP(removed)
{
	struct rig *rig = &self->rig;

	workspace(_metadata, &rig->s);
	require_fs(_metadata, variant->fs);
	rig->fs = variant->fs;
	ASSERT_TRUE(make_null_disk(false));
	snprintf(rig->path, sizeof(rig->path), "/dev/watch_fs");
	format_disk(_metadata, rig);
}

FIXTURE_TEARDOWN(removed)
{
	do_umount("mnt", MNT_DETACH);
	rmdir(NULL_DISK);
	reader_close(&self->rig.s.q);
}

/* The kernel shuts down the filesystem.  The cause is an error. */
TEST_F_TIMEOUT(removed, shuts_down, TIMEOUT_S)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	ASSERT_TRUE(null_set("power", "0"));
	EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_RDONLY, RO | BY_ERROR));
	EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_SHUTDOWN, RO | BY_ERROR | SHUT));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&rig->s, 1));
}

/*
 * One block of a file cannot be read
 */

FIXTURE(unreadable)
{
	struct rig rig;
};

FIXTURE_VARIANT(unreadable)
{
	const struct fs *fs;
};

FIXTURE_VARIANT_ADD(unreadable, ext2) { &ext2 };
FIXTURE_VARIANT_ADD(unreadable, ext4) { &ext4 };
FIXTURE_VARIANT_ADD(unreadable, xfs) { &xfs };
FIXTURE_VARIANT_ADD(unreadable, btrfs) { &btrfs };
FIXTURE_VARIANT_ADD(unreadable, f2fs) { &f2fs };
FIXTURE_VARIANT_ADD(unreadable, gfs2) { &gfs2 };
FIXTURE_VARIANT_ADD(unreadable, vfat) { &vfat };
FIXTURE_VARIANT_ADD(unreadable, exfat) { &exfat };
FIXTURE_VARIANT_ADD(unreadable, jfs) { &jfs };
FIXTURE_VARIANT_ADD(unreadable, nilfs2) { &nilfs2 };

FIXTURE_SETUP(unreadable)
{
	rig_open(_metadata, &self->rig, variant->fs);
	ASSERT_EQ(0, make_file(&self->rig));
}

FIXTURE_TEARDOWN(unreadable)
{
	rig_close(&self->rig);
}

/* Reads a block of the file, and nothing else */
static int read_block(int block, int flags)
{
	int fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC | flags), ret;

	if (fd < 0)
		return -errno;
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	ret = neg(pread(fd, data, BLOCK, block * BLOCK));
	close(fd);
	return ret;
}

static void check_unreadable(struct __test_metadata *_metadata, struct rig *rig)
{
	struct expected_error want = {
		.error = EIO, .pos = BAD_BLOCK * BLOCK, .length = BLOCK,
	};
	int fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, expect_inode(rig, fd, &want));
	EXPECT_EQ(-EIO, read_block(BAD_BLOCK, O_DIRECT));
	want.kind = NOTIFY_SB_DIRECT_READ;
	EXPECT_TRUE(got_rig_error(rig, NOTIFY_SB_ERROR, &want));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	EXPECT_EQ(-EIO, read_block(BAD_BLOCK, 0));
	want.kind = NOTIFY_SB_BUFFERED_READ;
	EXPECT_TRUE(got_rig_error(rig, NOTIFY_SB_ERROR, &want));
	/* Since Linux 7.1, iomap reports failed readahead, too */
	if (kernel_version() >= 7 && (rig->fs == &xfs || rig->fs == &gfs2))
		EXPECT_TRUE(got_rig_error(rig, NOTIFY_SB_ERROR, &want));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	/* Other blocks */
	EXPECT_EQ(BLOCK, read_block(BAD_BLOCK + 2, O_DIRECT));
	EXPECT_EQ(BLOCK, read_block(BAD_BLOCK + 2, 0));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	close(fd);
}

/* Each failed read has one record, with the range.  The filesystem remains writable. */
TEST_F_TIMEOUT(unreadable, read, TIMEOUT_S)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(1, find_data(&rig->places, BAD_BLOCK));
	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	ASSERT_EQ(0, disk_fail_at(rig, rig->places.at[0]));
	check_unreadable(_metadata, rig);

	ASSERT_EQ(0, disk_repair(rig));
	EXPECT_EQ(BLOCK, read_block(BAD_BLOCK, 0));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&rig->s, 1));
	mount_again(_metadata, rig);
}

/*
 * One block of a file cannot be written
 */

FIXTURE(unwritable)
{
	struct rig rig;
};

FIXTURE_VARIANT(unwritable)
{
	const struct fs *fs;
};

FIXTURE_VARIANT_ADD(unwritable, ext2) { &ext2 };
FIXTURE_VARIANT_ADD(unwritable, ext4) { &ext4 };
FIXTURE_VARIANT_ADD(unwritable, xfs) { &xfs };
FIXTURE_VARIANT_ADD(unwritable, gfs2) { &gfs2 };
FIXTURE_VARIANT_ADD(unwritable, vfat) { &vfat };
FIXTURE_VARIANT_ADD(unwritable, exfat) { &exfat };
FIXTURE_VARIANT_ADD(unwritable, jfs) { &jfs };

FIXTURE_SETUP(unwritable)
{
	rig_open(_metadata, &self->rig, variant->fs);
	ASSERT_EQ(0, make_file(&self->rig));
}

FIXTURE_TEARDOWN(unwritable)
{
	rig_close(&self->rig);
}

/* Data that is lost is reported with its inode, and direct I/O with its range. */
TEST_F_TIMEOUT(unwritable, write, TIMEOUT_S)
{
	struct expected_error lost = { .error = EIO, .kind = NOTIFY_SB_BUFFERED_WRITE };
	struct expected_error direct = {
		.error = EIO, .kind = NOTIFY_SB_DIRECT_WRITE,
		.pos = BAD_BLOCK * BLOCK, .length = BLOCK,
	};
	struct expected_error unclean = { .error = NOT_CLEAN };
	struct rig *rig = &self->rig;
	int fd;

	ASSERT_EQ(1, find_data(&rig->places, BAD_BLOCK));
	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	fd = open(FILE_NAME, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, expect_inode(rig, fd, &lost));
	ASSERT_EQ(0, expect_inode(rig, fd, &direct));
	/* A whole block, which need not be read first */
	ASSERT_EQ(0, disk_fail_at(rig, rig->places.at[0]));
	EXPECT_EQ(-EIO, write_blocks(fd, BAD_BLOCK, BAD_BLOCK));
	EXPECT_TRUE(got_rig_errors(rig, NOTIFY_SB_WRITEBACK_ERROR, &lost));
	/* fsync() on ext2 reports any failure as an error of the filesystem */
	if (rig->fs == &ext2)
		EXPECT_TRUE(got_rig_error(rig, NOTIFY_SB_ERROR, &unclean));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	/* gfs2 returns an error of fsync() twice */
	if (rig->fs != &gfs2)
		EXPECT_EQ(0, write_blocks(fd, BAD_BLOCK + 2, BAD_BLOCK + 2));
	close(fd);

	fd = open(FILE_NAME, O_RDWR | O_DIRECT | O_CLOEXEC);
	EXPECT_EQ(-EIO, neg(pwrite(fd, data, BLOCK, BAD_BLOCK * BLOCK)));
	EXPECT_TRUE(got_rig_error(rig, NOTIFY_SB_ERROR, &direct));
	EXPECT_EQ(BLOCK, pwrite(fd, data, BLOCK, (BAD_BLOCK + 2) * BLOCK));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, disk_repair(rig));
	EXPECT_EQ(BLOCK, pwrite(fd, data, BLOCK, BAD_BLOCK * BLOCK));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	close(fd);
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(&rig->s, 1));
	mount_again(_metadata, rig);
}

/*
 * Damaged metadata
 */

/* How the filesystem becomes usable again */
enum again {
	AGAIN_AS_IS,	/* mount; the rest of the filesystem is not damaged */
	AGAIN_UNDO,	/* write the old blocks, which are not in use elsewhere */
	AGAIN_MKFS,
};

FIXTURE(damaged)
{
	struct rig rig;
	struct reader mounts;	/* a queue for records of the mount */
	struct expected_error want;
	long printk;
};

FIXTURE_VARIANT(damaged)
{
	const struct fs *fs;
	const char *options;
	int nr_files;		/* in the directory */
	const char *magic;	/* at the beginning of a block of the directory */
	int byte;		/* that the block is filled with */
	bool has_inode;		/* the error has the number of the inode */
	__u32 error;		/* 0 for no error record */
	__u32 state;		/* after the error; 0 if it remains writable */
	bool remount;		/* can be remounted */
	enum again again;
};

FIXTURE_VARIANT_ADD(damaged, ext2) {
	.fs = &ext2, .options = "errors=remount-ro", .magic = "",
	.error = NOT_CLEAN, .state = RO | BY_ERROR, .remount = true, .again = AGAIN_UNDO,
};

FIXTURE_VARIANT_ADD(damaged, ext4) {
	.fs = &ext4, .options = "errors=continue", .magic = "",
	.has_inode = true, .error = EBADMSG, .again = AGAIN_UNDO,
};

/* A directory in one block outside of the inode */
FIXTURE_VARIANT_ADD(damaged, xfs) {
	.fs = &xfs, .nr_files = 50, .magic = "XDB3",
	.has_inode = true, .error = NOT_CLEAN, .again = AGAIN_UNDO,
};

/* So many files that the name is not in the leaf with the root directory */
FIXTURE_VARIANT_ADD(damaged, btrfs) {
	.fs = &btrfs, .nr_files = 500, .magic = "", .error = EIO,
};

/* The name is in the node of the directory, like in the next one */
FIXTURE_VARIANT_ADD(damaged, f2fs) { .fs = &f2fs, .magic = "", .error = NOT_CLEAN };

FIXTURE_VARIANT_ADD(damaged, gfs2) {
	.fs = &gfs2, .magic = "", .state = RO | BY_ERROR | SHUT, .again = AGAIN_MKFS,
};

FIXTURE_VARIANT_ADD(damaged, nilfs2) {
	.fs = &nilfs2, .magic = "", .error = NOT_CLEAN, .state = RO | BY_ERROR,
};

static int make_directory(struct rig *rig, int nr_files, struct expected_error *want)
{
	char name[64];
	int i, fd, ret = mkdir(VICTIM, 0755) ? -errno : 0;

	for (i = 0; !ret && i <= nr_files; i++) {
		snprintf(name, sizeof(name), i == nr_files / 2 ? VICTIM "/" VICTIM_FILE :
			 VICTIM "/file-%d", i);
		fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		ret = fd < 0 ? -errno : 0;
		close(fd);
	}
	if (ret)
		return ret;
	fd = open(VICTIM, O_RDONLY | O_CLOEXEC);
	ret = expect_inode(rig, fd, want);
	close(fd);
	return ret;
}

static int watch_mount(const struct reader *q, const char *path)
{
	int fd = open_path(path);
	int ret = queue_watch(q->fd, MOUNT, fd, 1, 0);

	close(fd);
	return ret;
}

/* The next record of the mount reports that the state of its filesystem changed */
static bool got_mount_change(struct reader *q)
{
	union watch_record r;
	int ret = await_record(q, &r);

	if (ret == 1 && r.watch.type == MOUNT &&
	    r.watch.subtype == NOTIFY_MOUNT_FS_CHANGED)
		return true;
	print_record(ret, &r);
	return false;
}

FIXTURE_SETUP(damaged)
{
	struct rig *rig = &self->rig;

	rig_open(_metadata, rig, variant->fs);
	self->printk = hide_stack_trace(rig);
	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, make_directory(rig, variant->nr_files, &self->want));
	ASSERT_EQ(0, do_umount("mnt", 0));
	if (!variant->has_inode)
		memset(&self->want, 0, sizeof(self->want));
	self->want.error = variant->error;
	ASSERT_LE(1, find_blocks(&rig->places, VICTIM_FILE, strlen(VICTIM_FILE),
				 variant->magic));
	ASSERT_EQ(0, do_damage(&rig->places, variant->byte));
	ASSERT_EQ(0, mount_rig(rig, variant->options));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	reader_open(_metadata, &self->mounts, 16);
	ASSERT_EQ(0, watch_mount(&self->mounts, "mnt"));
}

FIXTURE_TEARDOWN(damaged)
{
	reader_close(&self->mounts);
	rig_close(&self->rig);
	sysctl_set(PRINTK, self->printk);
}

/*
 * Records of a filesystem that found damage: ERROR, then RDONLY and SHUTDOWN if it
 * stops.  The caller of the function that found the damage may report it, too.
 */
static void check_damage(struct __test_metadata *_metadata, struct rig *rig,
			 const struct expected_error *want, __u32 state)
{
	union watch_record r;
	int ret;

	if (want->error)
		EXPECT_TRUE(got_rig_errors(rig, NOTIFY_SB_ERROR, want));
	if (state)
		EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_RDONLY, state & ~SHUT));
	if (state & SHUT)
		EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_SHUTDOWN, state));
	while ((ret = next(&rig->s, &r)) > 0) {
		if (want->error && is_rig_error(rig, &r, NOTIFY_SB_ERROR, *want))
			continue;
		print_sb(ret, &r);
		EXPECT_EQ(0, ret);
	}
	EXPECT_EQ(-EAGAIN, ret);
}

/* A damaged directory is an error, which may stop the filesystem. */
TEST_F_TIMEOUT(damaged, directory, TIMEOUT_S)
{
	struct rig *rig = &self->rig;

	read_damaged();
	check_damage(_metadata, rig, &self->want, variant->state);
	if (variant->state) {
		EXPECT_TRUE(got_mount_change(&self->mounts));
		EXPECT_GT(0, neg(mkdir("mnt/late", 0755)));
	}
	EXPECT_TRUE(got_no_more(&rig->s.q));

	/* XFS stores that the directory is damaged, and reports it again */
	if (rig->fs == &xfs) {
		read_damaged();
		check_damage(_metadata, rig, &self->want, 0);
	}

	if (variant->remount) {
		ASSERT_EQ(0, remount("mnt", 0, variant->options));
		EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_RDWR, 0));
		EXPECT_EQ(0, neg(mkdir("mnt/late", 0755)));
		EXPECT_TRUE(got_no_more(&rig->s.q));
	}
	ASSERT_EQ(0, do_umount("mnt", 0));
	if (variant->again == AGAIN_UNDO)
		ASSERT_EQ(0, undo_damage(&rig->places));
	if (variant->again == AGAIN_MKFS)
		ASSERT_EQ(0, make_fs(rig));
	mount_again(_metadata, rig);
}

/*
 * Metadata that cannot be read
 */

FIXTURE(metadata)
{
	struct rig rig;
};

FIXTURE_SETUP(metadata)
{
	struct expected_error unused;
	struct rig *rig = &self->rig;

	rig_open(_metadata, rig, &xfs);
	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, make_directory(rig, 50, &unused));
	ASSERT_EQ(0, do_umount("mnt", 0));
	ASSERT_EQ(1, find_blocks(&rig->places, VICTIM_FILE, strlen(VICTIM_FILE), "XDB3"));
}

FIXTURE_TEARDOWN(metadata)
{
	rig_close(&self->rig);
}

/* A block of metadata that XFS cannot read is an error, and not damage. */
TEST_F_TIMEOUT(metadata, unreadable_directory, TIMEOUT_S)
{
	struct expected_error want = { .error = EIO, .kind = NOTIFY_SB_METADATA };
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	ASSERT_EQ(0, disk_fail_at(rig, rig->places.at[0]));
	read_damaged();
	EXPECT_TRUE(got_rig_errors(rig, NOTIFY_SB_ERROR, &want));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, disk_repair(rig));
	read_damaged();
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	mount_again(_metadata, rig);
}

/*
 * A damaged file allocation table
 */

FIXTURE(chain)
{
	struct rig rig;
};

FIXTURE_VARIANT(chain)
{
	const struct fs *fs;
	int entry_size;		/* bytes per cluster in the table */
};

FIXTURE_VARIANT_ADD(chain, vfat) { &vfat, 2 };
FIXTURE_VARIANT_ADD(chain, exfat) { &exfat, 4 };

FIXTURE_SETUP(chain)
{
	rig_open(_metadata, &self->rig, variant->fs);
}

FIXTURE_TEARDOWN(chain)
{
	rig_close(&self->rig);
}

static unsigned int get_le(const unsigned char *p, int bytes)
{
	return bytes ? p[0] | get_le(p + 1, bytes - 1) << 8 : 0;
}

/* Writes the file with a gap on the disk, so that exfat uses the table */
static int make_chain(void)
{
	int fd, gap, ret;

	fd = open(FILE_NAME, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	gap = open("mnt/gap", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || gap < 0)
		return -errno;
	ret = write_blocks(fd, 0, 0);
	fill(NR_BLOCKS);
	if (!ret)
		ret = pwrite(gap, data, BLOCK, 0) == BLOCK ? neg(fsync(gap)) : -errno;
	if (!ret)
		ret = write_blocks(fd, 1, NR_BLOCKS - 1);
	close(fd);
	close(gap);
	return ret;
}

/* Position of the entry for the cluster at @first, in the table with this number, or 0 */
static off_t find_entry(const struct fs *fs, off_t first, int table)
{
	unsigned char boot[512] = { 0 };
	int fd = open("image", O_RDONLY | O_CLOEXEC), shift, sector;
	off_t start, size, heap, cluster;

	if (pread(fd, boot, sizeof(boot), 0) != sizeof(boot))
		memset(boot, 0, sizeof(boot));
	close(fd);
	if (fs == &exfat) {
		shift = boot[108];
		start = (off_t)get_le(boot + 80, 4) << shift;
		size = (off_t)get_le(boot + 84, 4) << shift;
		heap = (off_t)get_le(boot + 88, 4) << shift;
		cluster = (first - heap) >> (shift + boot[109]);
		return table < boot[110] ? start + table * size + 4 * (cluster + 2) : 0;
	}
	sector = get_le(boot + 11, 2);
	start = (off_t)get_le(boot + 14, 2) * sector;
	size = (off_t)get_le(boot + 22, 2) * sector;
	heap = start + boot[16] * size + 32 * get_le(boot + 17, 2);
	cluster = (first - heap) / (boot[13] * sector);
	return table < boot[16] ? start + table * size + 2 * (cluster + 2) : 0;
}

/* Changes the entry for the cluster at @first in all tables; the old one, or 0 */
static unsigned int set_entry(const struct fs *fs, off_t first, int size,
			      unsigned int value)
{
	unsigned char entry[4], old[4] = { 0 };
	int fd = open("image", O_RDWR | O_CLOEXEC), table = 0, i;
	unsigned int ret = 0;
	off_t at;

	for (i = 0; i < 4; i++)
		entry[i] = value >> 8 * i;
	while ((at = find_entry(fs, first, table++)) > 0) {
		if (pread(fd, old, size, at) == size && pwrite(fd, entry, size, at) == size)
			ret = get_le(old, size);
	}
	close(fd);
	return ret;
}

/* A chain of clusters that ends too early makes the filesystem read-only by an error. */
TEST_F_TIMEOUT(chain, read, TIMEOUT_S)
{
	struct expected_error want = { .error = NOT_CLEAN, .kind = NOTIFY_SB_METADATA };
	struct rig *rig = &self->rig;
	unsigned int next_cluster;
	off_t first;

	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, make_chain());
	ASSERT_EQ(0, do_umount("mnt", 0));
	ASSERT_EQ(1, find_data(&rig->places, 0));
	first = rig->places.at[0];
	next_cluster = set_entry(rig->fs, first, variant->entry_size, 0);
	ASSERT_LT(2, next_cluster);
	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	EXPECT_GT(0, read_block(NR_BLOCKS - 1, 0));
	check_damage(_metadata, rig, &want, RO | BY_ERROR);
	EXPECT_EQ(-EROFS, neg(utimensat(AT_FDCWD, FILE_NAME, NULL, 0)));

	/* Nothing may be allocated, as the damaged table is not repaired yet */
	ASSERT_EQ(0, remount("mnt", 0, NULL));
	EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_RDWR, 0));
	EXPECT_EQ(0, neg(utimensat(AT_FDCWD, FILE_NAME, NULL, 0)));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	set_entry(rig->fs, first, variant->entry_size, next_cluster);
	mount_again(_metadata, rig);
}

/*
 * Changed data, which btrfs detects
 */

FIXTURE(checksum)
{
	struct rig rig;
};

FIXTURE_SETUP(checksum)
{
	workspace(_metadata, &self->rig.s);
}

FIXTURE_TEARDOWN(checksum)
{
	rig_close(&self->rig);
}

/* With one copy, reading fails, and the filesystem remains writable. */
TEST_F_TIMEOUT(checksum, single, TIMEOUT_S)
{
	struct rig *rig = &self->rig;

	make_rig(_metadata, rig, &btrfs);
	ASSERT_EQ(0, make_file(rig));
	ASSERT_EQ(1, find_data(&rig->places, BAD_BLOCK));
	ASSERT_EQ(0, do_damage(&rig->places, 'x'));
	ASSERT_EQ(0, mount_rig(rig, NULL));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	check_unreadable(_metadata, rig);
	ASSERT_EQ(0, do_umount("mnt", 0));
	ASSERT_EQ(0, undo_damage(&rig->places));
	mount_again(_metadata, rig);
}

/*
 * With two copies, reading succeeds, and the error is reported if the damaged copy was
 * read.  Either copy may be read first.
 */
TEST_F_TIMEOUT(checksum, dup, TIMEOUT_S)
{
	struct expected_error want = {
		.error = EIO, .kind = NOTIFY_SB_BUFFERED_READ,
		.pos = BAD_BLOCK * BLOCK, .length = BLOCK,
	};
	struct rig *rig = &self->rig;
	int i, fd, nr = 0;
	union watch_record r;
	struct places one;

	make_rig(_metadata, rig, &btrfs_dup);
	ASSERT_EQ(0, make_file(rig));
	ASSERT_EQ(2, find_data(&rig->places, BAD_BLOCK));
	for (i = 0; i < 8; i++) {
		one.nr = 1;
		one.at[0] = rig->places.at[i % 2];
		ASSERT_EQ(0, do_damage(&one, 'x'));
		ASSERT_EQ(0, mount_rig(rig, NULL));
		ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
		fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
		ASSERT_EQ(0, expect_inode(rig, fd, &want));
		close(fd);
		ASSERT_EQ(BLOCK, read_block(BAD_BLOCK, 0));
		EXPECT_EQ('a' + BAD_BLOCK, data[BLOCK - 1]);
		ASSERT_EQ(0, do_umount("mnt", 0));
		/* At most one error, and the end of the watch */
		ASSERT_LT(0, next(&rig->s, &r));
		if (is_rig_error(rig, &r, NOTIFY_SB_ERROR, want)) {
			nr++;
			ASSERT_LT(0, next(&rig->s, &r));
		}
		EXPECT_TRUE(is_removal(&r));
		EXPECT_TRUE(got_no_more(&rig->s.q));
		ASSERT_EQ(0, undo_damage(&rig->places));
	}
	EXPECT_LT(0, nr);
	mount_again(_metadata, rig);
}

/*
 * Direct I/O into a buffer that changes is not an error of buffered reads.  All blocks are
 * read into the same page.
 */
TEST_F_TIMEOUT(checksum, changed_buffer, TIMEOUT_S)
{
	struct rig *rig = &self->rig;
	int memory, fd, i, nr = 0;
	union watch_record r;
	struct iovec iov[NR_BLOCKS];

	make_rig(_metadata, rig, &btrfs_dup);
	ASSERT_EQ(0, make_file(rig));
	ASSERT_EQ(0, mount_rig(rig, NULL));
	memory = memfd_create("block", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(memory, BLOCK));
	for (i = 0; i < NR_BLOCKS; i++) {
		iov[i].iov_base = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_POPULATE, memory, 0);
		ASSERT_NE(MAP_FAILED, iov[i].iov_base);
		iov[i].iov_len = BLOCK;
	}
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	fd = open(FILE_NAME, O_RDONLY | O_DIRECT | O_CLOEXEC);
	/* May fail, as the copies are read into the same page, too */
	preadv(fd, iov, NR_BLOCKS, 0);
	while (next(&rig->s, &r) > 0) {
		EXPECT_TRUE(r.watch.subtype == NOTIFY_SB_ERROR);
		EXPECT_EQ(NOTIFY_SB_DIRECT_READ, r.sb_error.kind);
		nr++;
	}
	EXPECT_LT(0, nr);
	close(fd);
	close(memory);
	ASSERT_EQ(0, do_umount("mnt", 0));
}

/*
 * Two subvolumes of btrfs.  Mounting one read-write makes the filesystem writable, without
 * a remount.
 */

FIXTURE(subvolume)
{
	struct rig rig;
};

FIXTURE_SETUP(subvolume)
{
	rig_open(_metadata, &self->rig, &btrfs);
}

FIXTURE_TEARDOWN(subvolume)
{
	do_umount("other", MNT_DETACH);
	rig_close(&self->rig);
}

TEST_F_TIMEOUT(subvolume, rdwr, TIMEOUT_S)
{
	struct btrfs_ioctl_vol_args args = { .name = "sub" };
	struct rig *rig = &self->rig;
	int dir;

	ASSERT_EQ(0, mount_rig(rig, NULL));
	dir = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, neg(ioctl(dir, BTRFS_IOC_SUBVOL_CREATE, &args)));
	close(dir);
	ASSERT_EQ(0, do_umount("mnt", 0));

	ASSERT_EQ(0, mount_rig(rig, "ro"));
	ASSERT_EQ(0, watch_path(&rig->s, "mnt", 1, RO));
	ASSERT_EQ(0, fs_mount("btrfs", rig->path, "other", "subvol=sub"));
	EXPECT_TRUE(got_change(&rig->s, 1, NOTIFY_SB_RDWR, 0));
	EXPECT_EQ(0, neg(mkdir("other/new", 0755)));
	EXPECT_TRUE(got_no_more(&rig->s.q));
}

/*
 * A zone that cannot be written
 */

FIXTURE(zoned)
{
	struct stream s;
};

FIXTURE_SETUP(zoned)
{
	workspace(_metadata, &self->s);
	ASSERT_EQ(0, posix_memalign((void **)&data, BLOCK, BLOCK));
	ASSERT_TRUE(make_null_disk(true));
}

FIXTURE_TEARDOWN(zoned)
{
	do_umount("mnt", MNT_DETACH);
	rmdir(NULL_DISK);
	reader_close(&self->s.q);
}

/* CRC-32 without final inversion, as zonefs computes it */
static __u32 crc32(const unsigned char *p, size_t len)
{
	__u32 crc = ~0U;
	int i;

	while (len--) {
		crc ^= *p++;
		for (i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

static void put_le32(char *p, __u32 value)
{
	int i;

	for (i = 0; i < 4; i++)
		p[i] = value >> 8 * i;
}

/* Writes what zonefs has on the disk: magic number, checksum, and zeroes */
static int make_zonefs(const char *path)
{
	int fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC), ret;

	memset(data, 0, BLOCK);
	put_le32(data, 0x5a4f4653);
	put_le32(data + 4, crc32((unsigned char *)data, BLOCK));
	ret = pwrite(fd, data, BLOCK, 0) == BLOCK ? 0 : -errno;
	close(fd);
	return ret;
}

/* A failed write is an error, and makes the filesystem read-only. */
TEST_F_TIMEOUT(zoned, read_only_zone, TIMEOUT_S)
{
	struct expected_error want = {
		.error = EIO, .kind = NOTIFY_SB_DIRECT_WRITE, .pos = BLOCK, .length = BLOCK,
	};
	struct stream *s = &self->s;
	char sector[16];
	struct stat st;
	int fd;

	ASSERT_EQ(0, make_zonefs("/dev/watch_fs"));
	ASSERT_EQ(0, fs_mount("zonefs", "/dev/watch_fs", "mnt", NULL));
	ASSERT_EQ(0, watch(s, "mnt", 1));
	EXPECT_STREQ("zonefs", s->sb[1].type);
	/* The first zone has the metadata, and the second one is this file */
	fd = open("mnt/seq/0", O_WRONLY | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &st));
	want.ino = st.st_ino;
	ASSERT_EQ(BLOCK, pwrite(fd, data, BLOCK, 0));
	EXPECT_TRUE(got_no_more(&s->q));
	snprintf(sector, sizeof(sector), "%d", ZONE_MIB << 11);
	ASSERT_TRUE(null_set("zone_readonly", sector));
	EXPECT_EQ(-EIO, neg(pwrite(fd, data, BLOCK, BLOCK)));
	EXPECT_TRUE(got_error(s, 1, NOTIFY_SB_ERROR, &want));
	EXPECT_TRUE(got_change(s, 1, NOTIFY_SB_RDONLY, RO | BY_ERROR));
	EXPECT_TRUE(got_no_more(&s->q));
	close(fd);

	ASSERT_EQ(0, remount("mnt", 0, NULL));
	EXPECT_TRUE(got_change(s, 1, NOTIFY_SB_RDWR, 0));
	fd = open("mnt/seq/1", O_WRONLY | O_DIRECT | O_CLOEXEC);
	EXPECT_EQ(BLOCK, pwrite(fd, data, BLOCK, 0));
	close(fd);
	EXPECT_TRUE(got_no_more(&s->q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_end(s, 1));
}

/*
 * A quota of xfs, which has code of its own for quotas
 */

FIXTURE(quota)
{
	struct rig rig;
};

FIXTURE_SETUP(quota)
{
	rig_open(_metadata, &self->rig, &xfs);
}

FIXTURE_TEARDOWN(quota)
{
	rig_close(&self->rig);
}

/* Limits the inodes of a user */
static int set_soft_limit(const struct rig *rig, uid_t uid, unsigned int nr)
{
	struct if_dqblk limits = { .dqb_isoftlimit = nr, .dqb_valid = QIF_ILIMITS };

	return neg(syscall(__NR_quotactl, QCMD(Q_SETQUOTA, USRQUOTA), rig->path, uid, &limits));
}

static int mkdir_as(uid_t uid, const char *path)
{
	int ret;

	setfsuid(uid);
	ret = neg(mkdir(path, 0755));
	setfsuid(0);
	return ret;
}

/* A user that exceeds a soft limit gets a warning. */
TEST_F_TIMEOUT(quota, soft_limit, TIMEOUT_S)
{
	struct rig *rig = &self->rig;
	int ret = mount_rig(rig, "uquota");

	if (ret == -EINVAL)
		SKIP(return, "CONFIG_XFS_QUOTA is not set");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, neg(chmod("mnt", 0777)));
	ASSERT_EQ(0, set_soft_limit(rig, SOME_USER, 1));
	ASSERT_EQ(0, watch(&rig->s, "mnt", 1));
	ASSERT_EQ(0, mkdir_as(SOME_USER, "mnt/one"));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, mkdir_as(SOME_USER, "mnt/two"));
	EXPECT_TRUE(got_quota(&rig->s, 1, SOME_USER, USRQUOTA, QUOTA_NL_ISOFTWARN));
	EXPECT_TRUE(got_no_more(&rig->s.q));
	ASSERT_EQ(0, do_umount("mnt", 0));
	mount_again(_metadata, rig);
}

/*
 * What node-problem-detector looks for in the log of the kernel
 */

#define SB_ID		1
#define BLOCK_ID	2

FIXTURE(detector)
{
	struct rig rig;
};

FIXTURE_SETUP(detector)
{
	struct rig *rig = &self->rig;

	rig_open(_metadata, rig, &xfs);
	ASSERT_EQ(0, queue_watch(rig->s.q.fd, WATCH_TYPE_BLOCK_NOTIFY, -1, BLOCK_ID, 0));
	ASSERT_EQ(0, queue_watch(rig->s.q.fd, SB, -1, SB_ID, 0));
	drop_records(&rig->s.q);
}

FIXTURE_TEARDOWN(detector)
{
	rig_close(&self->rig);
}

/* The device number of the filesystem at "mnt"; stat() may fail after a shutdown */
static dev_t mounted(void)
{
	struct stat st;

	return stat("mnt", &st) ? 0 : st.st_dev;
}

/* Waits for a record about the filesystem @dev; others are ignored */
static bool await_event(struct rig *rig, dev_t dev, const char *type, __u32 subtype,
			__u32 state, union watch_record *r)
{
	while (await_record(&rig->s.q, r) == 1) {
		if (r->watch.type == SB && watch_record_id(r) == SB_ID &&
		    r->watch.subtype == subtype &&
		    makedev(r->sb.dev_major, r->sb.dev_minor) == dev)
			return (r->watch.info & WATCH_INFO_TYPE_INFO) == state &&
			       !strcmp(r->sb.fs_type, type);
	}
	return false;
}

/* Makes a working directory for an image of its own */
static int enter_other(void)
{
	return mkdir("other/mnt", 0755) || chdir("other") ? -errno : 0;
}

/* "EXT4-fs error" */
TEST_F_TIMEOUT(detector, ext4_error, TIMEOUT_S)
{
	struct expected_error damage;
	union watch_record r;

	ASSERT_EQ(0, enter_other());
	ASSERT_TRUE(mount_damaged("errors=continue", &damage));
	read_damaged();
	ASSERT_TRUE(await_event(&self->rig, mounted(), "ext4", NOTIFY_SB_ERROR, 0, &r));
	EXPECT_EQ(NOT_CLEAN, r.sb_error.error);
	EXPECT_EQ(damage.ino, r.sb_error.ino);
}

/* "Remounting filesystem read-only" */
TEST_F_TIMEOUT(detector, ext4_read_only, TIMEOUT_S)
{
	struct expected_error damage;
	union watch_record r;

	ASSERT_EQ(0, enter_other());
	ASSERT_TRUE(mount_damaged("errors=remount-ro", &damage));
	read_damaged();
	EXPECT_TRUE(await_event(&self->rig, mounted(), "ext4", NOTIFY_SB_RDONLY,
				RO | BY_ERROR, &r));
}

/* "XFS ... Filesystem has been shut down" */
TEST_F_TIMEOUT(detector, xfs_shutdown, TIMEOUT_S)
{
	struct rig *rig = &self->rig;
	union watch_record r;
	dev_t dev;
	int fd;

	ASSERT_EQ(0, mount_rig(rig, NULL));
	dev = mounted();
	EXPECT_TRUE(await_event(rig, dev, "xfs", NOTIFY_SB_NEW, 0, &r));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	/* A change that is not in the log yet */
	ASSERT_EQ(0, mkdir("mnt/dir", 0755));
	ASSERT_EQ(0, disk_fail(rig));
	syncfs(fd);
	close(fd);
	EXPECT_TRUE(await_event(rig, dev, "xfs", NOTIFY_SB_RDONLY, RO | BY_ERROR, &r));
	EXPECT_TRUE(await_event(rig, dev, "xfs", NOTIFY_SB_SHUTDOWN, RO | BY_ERROR | SHUT, &r));
	ASSERT_EQ(0, disk_repair(rig));
}

/* "Buffer I/O error on dev" */
TEST_F_TIMEOUT(detector, buffer_io_error, TIMEOUT_S)
{
	struct rig *rig = &self->rig;
	union watch_record r;
	struct stat st;
	int fd;

	fd = open(rig->path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_EQ(0, disk_fail_at(rig, BLOCK));
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	EXPECT_EQ(-EIO, neg(pread(fd, data, BLOCK, BLOCK)));
	do {
		ASSERT_EQ(1, await_record(&rig->s.q, &r));
	} while (r.watch.type != WATCH_TYPE_BLOCK_NOTIFY);
	EXPECT_EQ(BLOCK_ID, watch_record_id(&r));
	EXPECT_EQ(st.st_rdev, makedev(r.block.dev_major, r.block.dev_minor));
	EXPECT_EQ(NOTIFY_BLOCK_OP_READ, r.block.operation);
	EXPECT_EQ(BLOCK / 512, r.block.sector);
	EXPECT_LE(rig->s.opened_ns, r.block.time_ns);
	EXPECT_GE(now_ns(), r.block.time_ns);
	close(fd);
}

TEST_HARNESS_MAIN
