/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch queue test helpers: watches on superblocks, records about them, and an ext4
 * filesystem with a damaged directory
 */
#ifndef _SELFTESTS_WATCH_QUEUE_SB_H
#define _SELFTESTS_WATCH_QUEUE_SB_H

#include <linux/fs.h>
#include <linux/quota.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include "disks.h"
#include "mounts.h"

#define SB		WATCH_TYPE_SB_NOTIFY
#define RO		NOTIFY_SB_IS_RDONLY
#define BY_ERROR	NOTIFY_SB_BY_ERROR
#define SHUT		NOTIFY_SB_IS_SHUTDOWN
#define IN_USER_NS	NOTIFY_SB_IN_USER_NS
#define FROZEN		NOTIFY_SB_IS_FROZEN
#define UNPRIVILEGED	NOTIFY_SB_UNPRIVILEGED

#define UNOPENED	99	/* descriptor number that no test uses */
#define SOME_USER	64351
#define OTHER_USER	64352
#define NOT_CLEAN	117	/* EUCLEAN, which filesystems call EFSCORRUPTED */
#define GOINGDOWN	_IOR('X', 125, __u32)	/* ioctl of several filesystems */
#define NR_IDS		4	/* watch IDs that the tests use */
#define IMAGE_SIZE	(8 << 20)
#define EXT4_BLOCK	1024
#define VICTIM		"mnt/victim"
#define VICTIM_FILE	"name-of-the-file-in-the-damaged-directory"

/* Required contents of each record about a filesystem */
struct expected_sb {
	__u64 sb_id;
	__u32 major, minor;
	char type[NOTIFY_FS_TYPE_LEN];
	__u32 state;		/* WATCH_INFO_TYPE_INFO */
};

/* Additional contents of a record about an error */
struct expected_error {
	__u64 ino, pos, length;
	__u32 generation, error, kind, suppressed;
};

/* A queue of records about superblocks */
struct stream {
	struct reader q;
	__u64 opened_ns;
	struct expected_sb sb[NR_IDS];	/* by watch ID; not for a watch on all */
};

static inline void stream_open(struct __test_metadata *_metadata, struct stream *s)
{
	memset(s, 0, sizeof(*s));
	s->opened_ns = now_ns();
	reader_open(_metadata, &s->q, 1024);
}

/* Length of the next record, or -errno */
static inline int next(struct stream *s, union watch_record *r)
{
	int ret = next_record(&s->q, r);

	return ret == 1 ? (int)record_len(r) : ret;
}

static inline void print_sb(int ret, const union watch_record *r)
{
	print_record(ret, r);
	if (ret > 0 && r->watch.type == SB)
		ksft_print_msg("sb %llu dev %u:%u type %.16s state %x\n", r->sb.sb_id,
			       r->sb.dev_major, r->sb.dev_minor, r->sb.fs_type,
			       record_bits(r));
}

/* True if the record of the watch @id is about this filesystem */
static inline bool is_about(const struct expected_sb *sb, const union watch_record *r,
			    __u32 id, __u32 subtype, size_t len)
{
	return record_len(r) == len && r->watch.type == SB &&
	       r->watch.subtype == subtype && watch_record_id(r) == id &&
	       (r->watch.info & WATCH_INFO_TYPE_INFO) == sb->state &&
	       r->sb.sb_id == sb->sb_id && r->sb.dev_major == sb->major &&
	       r->sb.dev_minor == sb->minor &&
	       !memcmp(r->sb.fs_type, sb->type, sizeof(sb->type));
}

static inline bool is_sb(const struct stream *s, const union watch_record *r, __u32 id,
			 __u32 subtype, size_t len)
{
	return is_about(&s->sb[id], r, id, subtype, len);
}

/* True if the time of the record is between the opening of the queue and now */
static inline bool is_error(const struct stream *s, const struct expected_sb *sb,
			    const union watch_record *r, __u32 id, __u32 subtype,
			    const struct expected_error *want)
{
	const struct superblock_error_notification *e = &r->sb_error;

	return is_about(sb, r, id, subtype, sizeof(*e)) &&
	       e->ino == want->ino && e->pos == want->pos &&
	       e->length == want->length && e->generation == want->generation &&
	       e->error == want->error && e->kind == want->kind &&
	       e->suppressed == want->suppressed &&
	       e->time_ns >= s->opened_ns && e->time_ns <= now_ns();
}

static inline bool got(struct stream *s, __u32 id, __u32 subtype)
{
	union watch_record r;
	int ret = next(s, &r);

	if (ret > 0 && is_sb(s, &r, id, subtype, sizeof(r.sb)))
		return true;
	print_sb(ret, &r);
	return false;
}

/* Like got(), for a record that has another state than those before */
static inline bool got_change(struct stream *s, __u32 id, __u32 subtype, __u32 state)
{
	s->sb[id].state = state;
	return got(s, id, subtype);
}

static inline bool got_error(struct stream *s, __u32 id, __u32 subtype,
			     const struct expected_error *want)
{
	union watch_record r;
	int ret = next(s, &r);

	if (ret > 0 && is_error(s, &s->sb[id], &r, id, subtype, want))
		return true;
	print_sb(ret, &r);
	return false;
}

static inline bool got_quota(struct stream *s, __u32 id, __u32 qid, __u16 type,
			     __u16 warning)
{
	union watch_record r;
	int ret = next(s, &r);

	if (ret > 0 && is_sb(s, &r, id, NOTIFY_SB_QUOTA, sizeof(r.sb_quota)) &&
	    r.sb_quota.id == qid && r.sb_quota.id_type == type &&
	    r.sb_quota.warning == warning && !r.sb_quota.suppressed)
		return true;
	print_sb(ret, &r);
	if (ret > 0)
		ksft_print_msg("quota of %u, type %u, warning %u, %u suppressed\n",
			       r.sb_quota.id, r.sb_quota.id_type,
			       r.sb_quota.warning, r.sb_quota.suppressed);
	return false;
}

static inline bool got_end(struct stream *s, __u32 id)
{
	union watch_record r;
	int ret = next(s, &r);

	if (ret == sizeof(r.removal) && is_removal(&r) && watch_record_id(&r) == id &&
	    !record_bits(&r) && r.removal.id == s->sb[id].sb_id)
		return true;
	print_sb(ret, &r);
	return false;
}

/*
 * Splits a line of /proc/self/mountinfo.  The device number of btrfs is only there, as
 * that of statx() is the number of the subvolume.
 */
static inline bool parse_mountinfo(const char *line, unsigned int *mnt,
				   struct expected_sb *sb)
{
	const char *type = strstr(line, " - ");
	size_t len;

	if (!type || sscanf(line, "%u %*u %u:%u", mnt, &sb->major, &sb->minor) != 3)
		return false;
	type += strlen(" - ");
	/* A subtype may follow, as in "fuse.sshfs" */
	len = strcspn(type, " .");
	if (len >= sizeof(sb->type))
		len = sizeof(sb->type) - 1;
	memset(sb->type, 0, sizeof(sb->type));
	memcpy(sb->type, type, len);
	return true;
}

/* Gets the device number and the type of the filesystem of @object */
static inline bool read_mountinfo(int object, struct expected_sb *sb)
{
	unsigned int mnt;
	struct statx stx;
	char line[1024];
	bool found = false;
	FILE *file;

	if (statx(object, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx))
		return false;
	file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = parse_mountinfo(line, &mnt, sb) && mnt == stx.stx_mnt_id;
	fclose(file);
	return found;
}

/* After an error, Linux 6.12 shuts ext4 down.  In 7.1, ext4 remains readable. */
static inline bool ext4_shuts_down(void)
{
	return kernel_version() < 7;
}

/* The next records report that ext4 stopped because of an error */
static inline bool got_ext4_stop(struct stream *s, __u32 id)
{
	return got_change(s, id, NOTIFY_SB_RDONLY, RO | BY_ERROR) &&
	       (!ext4_shuts_down() ||
		got_change(s, id, NOTIFY_SB_SHUTDOWN, RO | BY_ERROR | SHUT));
}

/* Object ID in the nth line of fdinfo for a watch with this ID */
static inline bool read_object_id(struct stream *s, __u32 id, __u64 *object)
{
	unsigned long long value;
	char prefix[32], line[128];

	snprintf(prefix, sizeof(prefix), "watch:\ttype:3 id:%u object:", id);
	if (!queue_info_line(s->q.fd, prefix, 0, line, sizeof(line)) ||
	    sscanf(line + strlen(prefix), "%llx", &value) != 1)
		return false;
	*object = value;
	return true;
}

/* Sets the expected contents of records with this ID, from mountinfo and fdinfo */
static inline bool read_sb_id(struct stream *s, __u32 id, int object)
{
	return read_mountinfo(object, &s->sb[id]) &&
	       read_object_id(s, id, &s->sb[id].sb_id);
}

/* The next record is the state, and later ones have it without the bits for STATE only */
static inline bool got_state(struct stream *s, __u32 id, __u32 state)
{
	bool good = got_change(s, id, NOTIFY_SB_STATE, state);

	s->sb[id].state = state & ~(FROZEN | UNPRIVILEGED);
	return good;
}

static inline int add_watch(struct stream *s, int object, __u32 id)
{
	return queue_watch(s->q.fd, SB, object, id, 0);
}

/* Adds a watch.  Its first record must report this state. */
static inline int watch_state(struct stream *s, int object, __u32 id, __u32 state)
{
	int ret = add_watch(s, object, id);

	if (ret)
		return ret;
	if (!read_sb_id(s, id, object))
		return -ENODATA;
	return got_state(s, id, state) ? 0 : -EPROTO;
}

static inline int watch_fd(struct stream *s, int object, __u32 id)
{
	return watch_state(s, object, id, 0);
}

static inline int watch_path(struct stream *s, const char *path, __u32 id, __u32 state)
{
	int fd = open_path(path), ret;

	if (fd < 0)
		return fd;
	ret = watch_state(s, fd, id, state);
	close(fd);
	return ret;
}

static inline int watch(struct stream *s, const char *path, __u32 id)
{
	return watch_path(s, path, id, 0);
}

static inline int unwatch_fd(struct stream *s, int object)
{
	return queue_unwatch(s->q.fd, SB, object, 0);
}

static inline int unwatch(struct stream *s, const char *path)
{
	int fd = open_path(path), ret;

	if (fd < 0)
		return fd;
	ret = unwatch_fd(s, fd);
	close(fd);
	return ret;
}

/* Requests the state of what the queue watches with @object; see WATCH_REPORT_STATE */
static inline int report_state(struct stream *s, int object)
{
	return queue_watch(s->q.fd, SB, object, 0, WATCH_REPORT_STATE);
}

/* Waits for a child that exits with an errno; returns 0 or -errno */
static inline int wait_child(pid_t pid)
{
	int status = child_status(pid);

	return status < 0 ? -ECHILD : -status;
}

/* Adds a watch with the credentials of another user */
static inline int watch_as_state(uid_t uid, struct stream *s, const char *path, __u32 id,
				 __u32 state)
{
	int fd = open_path(path), ret;
	pid_t pid;

	if (fd < 0)
		return fd;
	pid = fork();
	if (!pid) {
		ret = become_user(uid);
		_exit(-(ret ? ret : add_watch(s, fd, id)));
	}
	ret = wait_child(pid);
	if (!ret && !read_sb_id(s, id, fd))
		ret = -ENODATA;
	close(fd);
	if (!ret && !got_state(s, id, state))
		ret = -EPROTO;
	return ret;
}

static inline int watch_as(uid_t uid, struct stream *s, const char *path, __u32 id)
{
	return watch_as_state(uid, s, path, id, UNPRIVILEGED);
}

static inline int fs_mount(const char *type, const char *dev, const char *dir,
			   const char *options)
{
	return do_mount(dev, dir, type, 0, options);
}

static inline int remount(const char *dir, unsigned long flags, const char *options)
{
	return do_mount("none", dir, NULL, MS_REMOUNT | flags, options);
}

/* Creates an ext4 image without checksums, so that the contents reveal damage */
static inline bool make_ext4(const char *image, const char *features)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "mkfs.ext4 -q -F -b 1024 -N 64 -m 0 -E nodiscard -O ^metadata_csum,^uninit_bg,^resize_inode%s %s 8M >/dev/null",
		 features, image);
	return !system(command);
}

static inline int mount_image(const char *image, const char *dir, const char *options)
{
	char path[64];
	int loop = loop_attach(image, path, sizeof(path)), ret;

	if (loop < 0)
		return -ENODEV;
	ret = fs_mount("ext4", path, dir, options);
	close(loop);
	return ret;
}

/*
 * Fills each block of the image that contains the name with ones.  In Linux 7.1, a block
 * of zeroes is an empty directory.
 */
static inline int damage_blocks_with(const char *image, const char *name)
{
	int fd = open(image, O_RDWR | O_CLOEXEC), nr = 0;
	char *map, *at;

	map = mmap(NULL, IMAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return -errno;
	while ((at = memmem(map, IMAGE_SIZE, name, strlen(name)))) {
		memset(map + (at - map) / EXT4_BLOCK * EXT4_BLOCK, 1, EXT4_BLOCK);
		nr++;
	}
	munmap(map, IMAGE_SIZE);
	return nr;
}

/* Sets the expected inode number and generation; 0 or -errno */
static inline int read_inode(const char *path, struct expected_error *want)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;
	unsigned int generation = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || ioctl(fd, FS_IOC_GETVERSION, &generation))
		ret = -errno;
	close(fd);
	want->ino = st.st_ino;
	want->generation = generation;
	return ret;
}

/* Mounts ext4 with a damaged directory, and sets the expected error */
static inline bool mount_damaged_with(const char *features, const char *options,
				      struct expected_error *damage)
{
	int fd;

	memset(damage, 0, sizeof(*damage));
	damage->error = NOT_CLEAN;
	damage->kind = NOTIFY_SB_METADATA;
	if (!make_ext4("image", features) || mount_image("image", "mnt", NULL) ||
	    mkdir(VICTIM, 0755) || read_inode(VICTIM, damage))
		return false;
	fd = open(VICTIM "/" VICTIM_FILE, O_CREAT | O_WRONLY, 0644);
	return fd >= 0 && !close(fd) && !do_umount("mnt", 0) &&
	       damage_blocks_with("image", VICTIM_FILE) >= 1 &&
	       !mount_image("image", "mnt", options);
}

static inline bool mount_damaged(const char *options, struct expected_error *damage)
{
	return mount_damaged_with("", options, damage);
}

/* Reads the damaged directory, which is an error of the filesystem */
static inline void read_damaged(void)
{
	DIR *dir = opendir(VICTIM);

	if (!dir)
		return;
	while (readdir(dir))
		;
	closedir(dir);
}

/* Becomes root of a new user namespace, with a mount namespace */
static inline int become_root_inside(uid_t uid)
{
	gid_t gid;
	char map[32];
	int ret;

	ret = become_user(uid);
	if (ret)
		return ret;
	gid = getegid();
	/* Changing the user made the process non-dumpable, and its /proc files read-only */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	snprintf(map, sizeof(map), "0 %u 1\n", uid);
	ret = write_text("/proc/self/uid_map", map);
	if (!ret)
		ret = write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1\n", gid);
	return ret ? ret : write_text("/proc/self/gid_map", map);
}

/* Opens a queue, and creates the working directory in a new mount namespace */
static inline void workspace(struct __test_metadata *_metadata, struct stream *s)
{
	int ret;

	stream_open(_metadata, s);
	ret = add_watch(s, UNOPENED, 0);
	if (ret == -EOPNOTSUPP)
		SKIP(_exit(KSFT_SKIP), "CONFIG_SB_NOTIFICATIONS is not set");
	ASSERT_EQ(-EBADF, ret);
	if (geteuid())
		SKIP(_exit(KSFT_SKIP), "needs root, to mount");
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, do_mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "/tmp", "mode=755"));
	ASSERT_EQ(0, chdir("/tmp"));
	ASSERT_EQ(0, mkdir("mnt", 0755));
	ASSERT_EQ(0, mkdir("other", 0755));
}

#endif /* _SELFTESTS_WATCH_QUEUE_SB_H */
