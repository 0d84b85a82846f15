// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: watches on all filesystems, and records about the state
 *
 * A watch on all filesystems of the host may get records about filesystems of an earlier
 * test, whose mount namespace the kernel is still destroying.  Helpers with "own" in
 * their name skip these.  A user namespace has no other filesystems than those of the
 * test.
 */
#include <endian.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "sb.h"

#define ALL		-1	/* instead of a descriptor */
#define ALL_ID		1	/* watch ID of the watches on all filesystems */
#define MAX_SB		1024	/* filesystems that a test can distinguish */
#define BASE		"/tmp/mnt"

/* A filesystem that was reported */
struct seen_sb {
	struct expected_sb sb;
	bool own;		/* has a mount in this namespace, or was mounted later */
	bool new, gone;
};

/* A queue with a watch on all filesystems */
struct watcher {
	struct stream s;
	struct seen_sb seen[MAX_SB];
	unsigned int nr;
};

static struct seen_sb *find_sb(struct watcher *w, __u64 sb_id)
{
	unsigned int i;

	for (i = 0; i < w->nr; i++)
		if (w->seen[i].sb.sb_id == sb_id)
			return &w->seen[i];
	return NULL;
}

static struct seen_sb *find_dev(struct watcher *w, unsigned int maj, unsigned int min)
{
	unsigned int i;

	for (i = 0; i < w->nr; i++)
		if (w->seen[i].sb.major == maj && w->seen[i].sb.minor == min &&
		    !w->seen[i].gone)
			return &w->seen[i];
	return NULL;
}

/* Adds the filesystem of a record; NULL if it is known, or if there are too many */
static struct seen_sb *see_sb(struct watcher *w, const union watch_record *r)
{
	struct seen_sb *seen = &w->seen[w->nr];

	if (!r->sb.sb_id || find_sb(w, r->sb.sb_id) || w->nr == MAX_SB)
		return NULL;
	memset(seen, 0, sizeof(*seen));
	seen->sb.sb_id = r->sb.sb_id;
	seen->sb.major = r->sb.dev_major;
	seen->sb.minor = r->sb.dev_minor;
	memcpy(seen->sb.type, r->sb.fs_type, sizeof(seen->sb.type));
	seen->sb.state = r->watch.info & WATCH_INFO_TYPE_INFO;
	w->nr++;
	return seen;
}

static bool is_plain(const union watch_record *r, __u32 subtype)
{
	return r->watch.type == SB && r->watch.subtype == subtype &&
	       record_len(r) == sizeof(r->sb) && watch_record_id(r) == ALL_ID;
}

/* The end of a list has no filesystem */
static bool is_list_end(const union watch_record *r)
{
	const struct expected_sb none = { 0 };

	return is_about(&none, r, ALL_ID, NOTIFY_SB_STATE, sizeof(r->sb));
}

typedef bool mount_function(struct watcher *w, const struct expected_sb *sb);

/* Calls @function for each filesystem in /proc/self/mountinfo while it returns true */
static bool visit_mounts(mount_function *function, struct watcher *w)
{
	struct expected_sb sb;
	unsigned int mnt;
	char line[1024];
	bool good = true;
	FILE *file;

	file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return false;
	while (good && fgets(line, sizeof(line), file)) {
		char *options;

		/* The type, the source, and the options of the filesystem */
		good = parse_mountinfo(line, &mnt, &sb);
		if (!good)
			break;
		line[strcspn(line, "\n")] = 0;
		options = strrchr(line, ' ') + 1;
		sb.state = !strncmp(options, "ro", 2) && strchr(",", options[2]) ? RO : 0;
		good = function(w, &sb);
		if (!good)
			ksft_print_msg("mountinfo: %s\n", line);
	}
	fclose(file);
	return good;
}

static bool mark_own(struct watcher *w, const struct expected_sb *sb)
{
	struct seen_sb *seen = find_dev(w, sb->major, sb->minor);

	if (seen)
		seen->own = true;
	return true;
}

/*
 * Reads the list of states, which has each filesystem once: 0 or -errno.  Filesystems
 * of an earlier test may disappear during the list.
 */
static int read_list(struct watcher *w)
{
	struct seen_sb *seen;
	union watch_record r;
	int ret;

	w->nr = 0;
	while ((ret = next(&w->s, &r)) > 0) {
		if (is_list_end(&r))
			return visit_mounts(mark_own, w) ? 0 : -ENODATA;
		if (is_plain(&r, NOTIFY_SB_GONE)) {
			seen = find_sb(w, r.sb.sb_id);
			if (seen)
				*seen = w->seen[--w->nr];
			continue;
		}
		if (!is_plain(&r, NOTIFY_SB_STATE) || !see_sb(w, &r)) {
			print_sb(ret, &r);
			return -EPROTO;
		}
	}
	return ret;
}

/* Opens a queue with a watch on all filesystems, and reads the list of states */
static int watch_all(struct watcher *w)
{
	int ret = add_watch(&w->s, ALL, ALL_ID);

	return ret ? ret : read_list(w);
}

static bool is_foreign(struct watcher *w, const union watch_record *r)
{
	struct seen_sb *seen;

	if (!is_plain(r, NOTIFY_SB_GONE))
		return false;
	seen = find_sb(w, r->sb.sb_id);
	return seen && !seen->own;
}

/* Length of the next record that this test caused, or -errno */
static int next_own(struct watcher *w, union watch_record *r)
{
	int ret;

	do {
		ret = next(&w->s, r);
	} while (ret > 0 && is_foreign(w, r));
	return ret;
}

/* Like next_own(), but waits for the record */
static int await_own(struct watcher *w, union watch_record *r)
{
	int ret;

	do {
		ret = await_record(&w->s.q, r);
	} while (ret == 1 && is_foreign(w, r));
	return ret == 1 ? (int)record_len(r) : ret;
}

static bool got_no_own(struct watcher *w)
{
	union watch_record r;
	int ret = next_own(w, &r);

	if (ret == -EAGAIN)
		return true;
	print_sb(ret, &r);
	return false;
}

static bool got_own(struct watcher *w, __u32 subtype, const struct expected_sb *sb)
{
	union watch_record r;
	int ret = next_own(w, &r);

	if (ret > 0 && is_about(sb, &r, ALL_ID, subtype, sizeof(r.sb)))
		return true;
	print_sb(ret, &r);
	return false;
}

static bool await_gone(struct watcher *w, const struct expected_sb *sb)
{
	union watch_record r;
	int ret = await_own(w, &r);

	if (ret > 0 && is_about(sb, &r, ALL_ID, NOTIFY_SB_GONE, sizeof(r.sb)))
		return true;
	print_sb(ret, &r);
	return false;
}

/* NEW is the next record, for a filesystem that was not known; sets @sb */
static bool got_new_dev(struct watcher *w, dev_t dev, const char *type, __u32 state,
			struct expected_sb *sb)
{
	struct seen_sb *seen = NULL;
	union watch_record r;
	int ret = next_own(w, &r);

	memset(sb, 0, sizeof(*sb));
	sb->major = major(dev);
	sb->minor = minor(dev);
	snprintf(sb->type, sizeof(sb->type), "%s", type);
	sb->state = state;
	if (ret > 0 && is_plain(&r, NOTIFY_SB_NEW))
		seen = see_sb(w, &r);
	if (seen) {
		seen->own = true;
		sb->sb_id = seen->sb.sb_id;
		if (is_about(sb, &r, ALL_ID, NOTIFY_SB_NEW, sizeof(r.sb)))
			return true;
	}
	print_sb(ret, &r);
	return false;
}

static bool got_new(struct watcher *w, const char *path, const char *type, __u32 state,
		    struct expected_sb *sb)
{
	struct stat st;

	return !stat(path, &st) && got_new_dev(w, st.st_dev, type, state, sb);
}

static bool got_all_removal(struct watcher *w)
{
	union watch_record r;
	int ret = next_own(w, &r);

	/* All filesystems have no ID, so the record is only a header */
	if (ret == sizeof(r.watch) && is_removal(&r) && watch_record_id(&r) == ALL_ID)
		return true;
	print_sb(ret, &r);
	return false;
}

/* Makes the base of a test, a tmpfs at BASE with the mount points "a" and "b" */
static int make_base(void)
{
	int ret = fs_mount("tmpfs", "none", BASE, "mode=755");

	if (ret)
		return ret;
	return chdir(BASE) || mkdir("a", 0755) || mkdir("b", 0755) ? -errno : 0;
}

/*
 * The same in the initial user namespace and in another one
 */
FIXTURE(all)
{
	struct watcher w;
};

FIXTURE_VARIANT(all)
{
	bool container;
	__u32 state;		/* of a writable filesystem */
};

FIXTURE_VARIANT_ADD(all, host) { .container = false };
FIXTURE_VARIANT_ADD(all, container) { .container = true, .state = IN_USER_NS };

FIXTURE_SETUP(all)
{
	workspace(_metadata, &self->w.s);
	if (variant->container)
		ASSERT_EQ(0, become_root_inside(SOME_USER));
	ASSERT_EQ(0, make_base());
	ASSERT_EQ(0, watch_all(&self->w));
	/* The namespace owns the base and nothing else */
	if (variant->container)
		ASSERT_EQ(1, self->w.nr);
}

FIXTURE_TEARDOWN(all)
{
	reader_close(&self->w.s.q);
}

/* NEW is posted with the first mount, GONE after the last mount and the last file. */
TEST_F(all, new_and_gone)
{
	struct expected_sb sb, base;
	struct seen_sb *seen;
	struct stat st;
	int fd;

	ASSERT_EQ(0, stat(".", &st));
	seen = find_dev(&self->w, major(st.st_dev), minor(st.st_dev));
	ASSERT_TRUE(!!seen);
	base = seen->sb;
	EXPECT_STREQ("tmpfs", base.type);
	EXPECT_EQ(variant->state, base.state);

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "a", NULL));
	ASSERT_TRUE(got_new(&self->w, "a", "tmpfs", variant->state, &sb));
	/* Not posted for a mount of a filesystem that has one */
	ASSERT_EQ(0, do_mount("a", "b", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount("none", "b", NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, do_mount("b", "b", NULL, MS_BIND, NULL));
	EXPECT_TRUE(got_no_own(&self->w));

	ASSERT_EQ(0, do_umount("a", 0));
	fd = open("b/file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, do_umount("b", MNT_DETACH));
	ASSERT_EQ(0, do_umount("b", MNT_DETACH));
	EXPECT_TRUE(got_no_own(&self->w));
	close(fd);
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));

	/* The next one has another ID, although the device number may be the same */
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "a", NULL));
	EXPECT_TRUE(got_new(&self->w, "a", "tmpfs", variant->state, &sb));
	ASSERT_EQ(0, do_umount("a", 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));

	/* A filesystem of the list */
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, do_umount(BASE, 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &base));
	EXPECT_TRUE(got_no_own(&self->w));
}

/* A filesystem is new when it is created, although it is mounted later or never. */
TEST_F(all, detached)
{
	struct expected_sb sb;
	struct stat st;
	int fd = do_fsmount();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_TRUE(got_new_dev(&self->w, st.st_dev, "tmpfs", variant->state, &sb));
	ASSERT_EQ(0, do_move(fd, "", "a", MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
	ASSERT_EQ(0, do_umount("a", 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));

	fd = do_fsmount();
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_TRUE(got_new_dev(&self->w, st.st_dev, "tmpfs", variant->state, &sb));
	close(fd);
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));
	EXPECT_TRUE(got_no_own(&self->w));
}

/* A mount that fails posts nothing. */
TEST_F(all, failed_mount)
{
	EXPECT_EQ(-EINVAL, fs_mount("tmpfs", "none", "a", "no-such-option"));
	/* The superblock exists when this fails */
	EXPECT_EQ(-EINVAL, fs_mount("overlay", "none", "a",
				    "lowerdir=a,upperdir=b,workdir=b"));
	EXPECT_TRUE(got_no_own(&self->w));
}

/* Each record, GONE included, has the state at its time. */
TEST_F(all, remount)
{
	struct expected_sb sb;

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "a", NULL));
	ASSERT_TRUE(got_new(&self->w, "a", "tmpfs", variant->state, &sb));
	ASSERT_EQ(0, remount("a", MS_RDONLY, NULL));
	sb.state |= RO;
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_RDONLY, &sb));
	ASSERT_EQ(0, remount("a", MS_RDONLY, "size=1M"));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_RECONFIGURED, &sb));
	ASSERT_EQ(0, remount("a", 0, NULL));
	sb.state &= ~RO;
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_RDWR, &sb));
	ASSERT_EQ(0, remount("a", MS_RDONLY, NULL));
	sb.state |= RO;
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_RDONLY, &sb));
	ASSERT_EQ(0, do_umount("a", 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));

	/* New, and read-only from the beginning */
	ASSERT_EQ(0, do_mount("none", "a", "tmpfs", MS_RDONLY, NULL));
	EXPECT_TRUE(got_new(&self->w, "a", "tmpfs", variant->state | RO, &sb));
	EXPECT_TRUE(got_no_own(&self->w));
}

/* One watch on all filesystems per queue; it is removed by its ID. */
TEST_F(all, remove)
{
	int q = self->w.s.q.fd;
	struct expected_sb sb;
	struct seen_sb *seen;
	struct stat st;
	__u64 object = 1;

	EXPECT_TRUE(read_object_id(&self->w.s, ALL_ID, &object));
	EXPECT_EQ(0, object);
	EXPECT_EQ(-EBUSY, add_watch(&self->w.s, ALL, ALL_ID));
	EXPECT_EQ(-EBUSY, add_watch(&self->w.s, ALL, 2));
	EXPECT_TRUE(got_no_own(&self->w));
	EXPECT_EQ(-EBADSLT, queue_unwatch_id(q, SB, 2));
	EXPECT_EQ(-EBADSLT, queue_unwatch_id(q, MOUNT, ALL_ID));
	ASSERT_EQ(0, queue_unwatch_id(q, SB, ALL_ID));
	EXPECT_TRUE(got_all_removal(&self->w));
	EXPECT_EQ(-EBADSLT, queue_unwatch_id(q, SB, ALL_ID));
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "a", NULL));
	EXPECT_TRUE(got_no_own(&self->w));

	/* Again, with the new filesystem in the list */
	ASSERT_EQ(0, watch_all(&self->w));
	ASSERT_EQ(0, stat("a", &st));
	seen = find_dev(&self->w, major(st.st_dev), minor(st.st_dev));
	ASSERT_TRUE(!!seen);
	sb = seen->sb;
	EXPECT_EQ(variant->state, sb.state);
	ASSERT_EQ(0, remount("a", MS_RDONLY, NULL));
	sb.state |= RO;
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_RDONLY, &sb));
	EXPECT_TRUE(got_no_own(&self->w));
}

/* A queue that watches one filesystem and all gets two records of each event. */
TEST_F(all, both_watches)
{
	struct stream *s = &self->w.s;
	struct expected_sb sb;
	int i, fd, by_one = 0, by_all = 0;
	union watch_record r;

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "a", NULL));
	ASSERT_TRUE(got_new(&self->w, "a", "tmpfs", variant->state, &sb));
	ASSERT_EQ(0, watch_path(s, "a", 2, variant->state));
	EXPECT_EQ(sb.sb_id, s->sb[2].sb_id);
	ASSERT_EQ(0, remount("a", MS_RDONLY, NULL));
	sb.state |= RO;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(sizeof(r.sb), next_own(&self->w, &r));
		by_one += is_about(&sb, &r, 2, NOTIFY_SB_RDONLY, sizeof(r.sb));
		by_all += is_about(&sb, &r, ALL_ID, NOTIFY_SB_RDONLY, sizeof(r.sb));
	}
	EXPECT_EQ(1, by_one);
	EXPECT_EQ(1, by_all);
	EXPECT_TRUE(got_no_own(&self->w));

	/* A state goes to the watch that it was requested for */
	fd = open_path("a");
	ASSERT_EQ(0, report_state(s, fd));
	close(fd);
	EXPECT_TRUE(got_state(s, 2, sb.state));
	EXPECT_TRUE(got_no_own(&self->w));

	/* Unmounting is reported to one watch, and ends the other */
	ASSERT_EQ(0, do_umount("a", 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));
	EXPECT_TRUE(got_end(s, 2));
	EXPECT_TRUE(got_no_own(&self->w));
}

/* Filesystems that only the kernel can mount are not reported. */
TEST_F(all, internal)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	ASSERT_LE(0, memfd_create("memory", 0));
	ASSERT_LE(0, eventfd(0, 0));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_LE(0, open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	EXPECT_TRUE(got_no_own(&self->w));
}

#define NR_MOUNTERS	2
#define NR_MOUNTS	100	/* filesystems of each */

/* Mounts filesystems on top of each other, and unmounts them */
static int mount_many(const char *dir)
{
	int i, ret = 0;

	for (i = 0; !ret && i < NR_MOUNTS; i++)
		ret = fs_mount("tmpfs", "none", dir, NULL);
	while (!ret && i--)
		ret = do_umount(dir, 0);
	return ret;
}

static void mount_storm(struct __test_metadata *_metadata)
{
	static const char * const dirs[NR_MOUNTERS] = { "a", "b" };
	pid_t pid[NR_MOUNTERS];
	int i;

	for (i = 0; i < NR_MOUNTERS; i++) {
		pid[i] = fork();
		ASSERT_GE(pid[i], 0);
		if (!pid[i])
			_exit(-mount_many(dirs[i]));
	}
	for (i = 0; i < NR_MOUNTERS; i++)
		EXPECT_EQ(0, wait_child(pid[i]));
}

/* Many filesystems are mounted concurrently: each has one NEW, and then one GONE. */
TEST_F(all, storm)
{
	unsigned int i, nr_new = 0, nr_gone = 0;
	struct queue_info info;
	struct seen_sb *seen;
	union watch_record r;
	int ret;

	mount_storm(_metadata);
	while ((ret = next_own(&self->w, &r)) > 0) {
		if (is_plain(&r, NOTIFY_SB_NEW)) {
			seen = see_sb(&self->w, &r);
			ASSERT_TRUE(!!seen);
			seen->own = true;
			seen->new = true;
			EXPECT_STREQ("tmpfs", seen->sb.type);
			EXPECT_EQ(variant->state, seen->sb.state);
			nr_new++;
			continue;
		}
		ASSERT_TRUE(is_plain(&r, NOTIFY_SB_GONE));
		seen = find_sb(&self->w, r.sb.sb_id);
		ASSERT_TRUE(!!seen);
		EXPECT_TRUE(is_about(&seen->sb, &r, ALL_ID, NOTIFY_SB_GONE, sizeof(r.sb)));
		EXPECT_TRUE(seen->new && !seen->gone);
		seen->gone = true;
		nr_gone++;
	}
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_EQ(NR_MOUNTERS * NR_MOUNTS, nr_new);
	EXPECT_EQ(NR_MOUNTERS * NR_MOUNTS, nr_gone);
	for (i = 0; i < self->w.nr; i++)
		EXPECT_EQ(self->w.seen[i].new, self->w.seen[i].gone);
	ASSERT_TRUE(queue_info(self->w.s.q.fd, &info));
	EXPECT_EQ(0, info.lost);
}

/* In a user namespace, the number of records is known. */
FIXTURE(container)
{
	struct watcher w;
};

FIXTURE_SETUP(container)
{
	workspace(_metadata, &self->w.s);
	ASSERT_EQ(0, become_root_inside(SOME_USER));
	ASSERT_EQ(0, make_base());
}

FIXTURE_TEARDOWN(container)
{
	reader_close(&self->w.s.q);
}

#define SHORT_QUEUE	16

/* A queue that is too short counts each record that it loses, also of the list. */
TEST_F(container, overflow)
{
	unsigned int i, records = 0, lost = 0;
	union watch_record r;
	struct reader q;
	int ret;

	reader_open(_metadata, &q, SHORT_QUEUE);
	ASSERT_EQ(0, queue_watch(q.fd, SB, ALL, ALL_ID, 0));
	mount_storm(_metadata);
	while ((ret = next_record(&q, &r)) == 1) {
		if (is_loss(&r))
			lost += watch_record_lost(&r);
		else
			records++;
	}
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_EQ(SHORT_QUEUE, records);
	/* The base, the end of the list, and the filesystems */
	EXPECT_EQ(2 + 2 * NR_MOUNTERS * NR_MOUNTS, records + lost);

	/* What was lost is no longer wanted: the present state is */
	for (i = 0; i < NR_MOUNTS; i++)
		ASSERT_EQ(0, fs_mount("tmpfs", "none", "a", NULL));
	drop_records(&q);
	ASSERT_EQ(0, queue_watch(q.fd, SB, ALL, 0, WATCH_REPORT_STATE));
	for (records = 0, lost = 0; (ret = next_record(&q, &r)) == 1;) {
		if (is_loss(&r))
			lost += watch_record_lost(&r);
		else
			records += is_plain(&r, NOTIFY_SB_STATE);
	}
	EXPECT_EQ(1 + NR_MOUNTS + 1, records + lost);
	reader_close(&q);
}

/* Shared with a process that mounts filesystems in a loop */
struct mounter {
	int stop, mounted;	/* with __atomic_*() */
	int exit;
};

static struct mounter *share_mounter(struct __test_metadata *_metadata)
{
	struct mounter *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(m != MAP_FAILED);
	return m;
}

#define NR_CYCLES	200	/* at most in a round, so that their records fit */

/* Each round ends with one filesystem mounted, and waits until it may continue */
static int mount_in_rounds(struct mounter *m)
{
	int i, ret = 0;

	while (!ret && !__atomic_load_n(&m->exit, __ATOMIC_ACQUIRE)) {
		for (i = 0; !ret && i < NR_CYCLES; i++) {
			if (__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE))
				break;
			ret = fs_mount("tmpfs", "none", "a", NULL);
			if (!ret)
				ret = do_umount("a", 0);
		}
		if (!ret)
			ret = fs_mount("tmpfs", "none", "a", NULL);
		__atomic_store_n(&m->mounted, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&m->mounted, __ATOMIC_ACQUIRE))
			sched_yield();
		if (!ret)
			ret = do_umount("a", 0);
	}
	return ret;
}

#define NR_ROUNDS	200

/*
 * Reads the records of a watch that was added while filesystems were mounted.  Each
 * filesystem begins with STATE, NEW or both, and ends with GONE or is mounted.  Returns
 * the number of those that are mounted, or -1.
 */
static int check_concurrent(struct watcher *w)
{
	bool list_complete = false;
	struct seen_sb *seen;
	union watch_record r;
	unsigned int i;
	int ret, nr = 0;

	w->nr = 0;
	while ((ret = next(&w->s, &r)) > 0) {
		if (is_list_end(&r)) {
			if (list_complete)
				break;
			list_complete = true;
			continue;
		}
		seen = find_sb(w, r.sb.sb_id);
		if (is_plain(&r, NOTIFY_SB_STATE)) {
			/* Once, either before or after NEW */
			if (list_complete || (seen && (seen->gone || seen->own)))
				break;
			if (!seen)
				seen = see_sb(w, &r);
			if (!seen)
				break;
			seen->own = true;
		} else if (is_plain(&r, NOTIFY_SB_NEW)) {
			if (seen && (seen->gone || seen->new))
				break;
			if (!seen)
				seen = see_sb(w, &r);
			if (!seen)
				break;
			seen->new = true;
		} else if (is_plain(&r, NOTIFY_SB_GONE)) {
			/* Not seen if it was being unmounted when the watch was added */
			if (seen && seen->gone)
				break;
			if (!seen)
				seen = see_sb(w, &r);
			if (!seen)
				break;
			seen->gone = true;
		} else {
			break;
		}
	}
	if (ret != -EAGAIN || !list_complete) {
		print_sb(ret, &r);
		return -1;
	}
	for (i = 0; i < w->nr; i++)
		nr += !w->seen[i].gone;
	return nr;
}

/* A watch that is added while filesystems are mounted and unmounted misses none. */
TEST_F(container, add_during_mounts)
{
	struct mounter *m = share_mounter(_metadata);
	struct stat st;
	pid_t pid;
	int i;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-mount_in_rounds(m));
	}
	for (i = 0; i < NR_ROUNDS; i++) {
		ASSERT_EQ(0, add_watch(&self->w.s, ALL, ALL_ID));
		__atomic_store_n(&m->stop, 1, __ATOMIC_RELEASE);
		while (!__atomic_load_n(&m->mounted, __ATOMIC_ACQUIRE))
			sched_yield();
		/* The base, and the last one */
		ASSERT_EQ(2, check_concurrent(&self->w));
		ASSERT_EQ(0, stat("a", &st));
		EXPECT_TRUE(!!find_dev(&self->w, major(st.st_dev), minor(st.st_dev)));
		ASSERT_EQ(0, queue_unwatch_id(self->w.s.q.fd, SB, ALL_ID));
		ASSERT_TRUE(got_all_removal(&self->w));
		__atomic_store_n(&m->stop, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&m->exit, i == NR_ROUNDS - 1, __ATOMIC_RELEASE);
		__atomic_store_n(&m->mounted, 0, __ATOMIC_RELEASE);
	}
	EXPECT_EQ(0, wait_child(pid));
}

/*
 * Host only
 */
FIXTURE(host)
{
	struct watcher w;
};

FIXTURE_SETUP(host)
{
	workspace(_metadata, &self->w.s);
}

FIXTURE_TEARDOWN(host)
{
	reader_close(&self->w.s.q);
}

static bool is_listed(struct watcher *w, const struct expected_sb *sb)
{
	struct seen_sb *seen = find_dev(w, sb->major, sb->minor);

	return seen && !memcmp(seen->sb.type, sb->type, sizeof(sb->type)) &&
	       seen->sb.state == sb->state;
}

/* The list has each filesystem in mountinfo, with its state, and no internal ones. */
TEST_F(host, list)
{
	int fd[8], pair[2], nr = 0;
	struct stat st;

	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	ASSERT_EQ(0, mkdir("mnt/sub", 0755));
	ASSERT_EQ(0, do_mount("mnt/sub", "other", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount("none", "mnt/sub", "tmpfs", MS_RDONLY, NULL));
	/* Read-only as a mount, and not as a filesystem */
	ASSERT_EQ(0, remount("other", MS_BIND | MS_RDONLY, NULL));
	ASSERT_EQ(0, watch_all(&self->w));
	EXPECT_TRUE(visit_mounts(is_listed, &self->w));
	EXPECT_TRUE(got_no_own(&self->w));

	ASSERT_EQ(0, pipe(pair));
	fd[nr++] = pair[0];
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	fd[nr++] = pair[0];
	fd[nr++] = eventfd(0, 0);
	fd[nr++] = memfd_create("memory", 0);
	while (nr--) {
		ASSERT_EQ(0, fstat(fd[nr], &st));
		EXPECT_FALSE(!!find_dev(&self->w, major(st.st_dev), minor(st.st_dev)))
			TH_LOG("descriptor %d", nr);
	}
}

/* Writes an inode number that is not valid to the list of orphans; 0 or -errno */
static int damage_orphans(const char *image)
{
	int fd = open(image, O_WRONLY | O_CLOEXEC), ret;
	__u32 ino = htole32(3);

	ret = pwrite(fd, &ino, sizeof(ino), 1024 + 0xe8) == sizeof(ino) ? 0 : -errno;
	close(fd);
	return ret;
}

/* An error during mount(2) stops the filesystem.  This is reported after NEW. */
TEST_F(host, stopped_by_mount)
{
	struct watcher *w = &self->w;
	__u32 state = RO | BY_ERROR;
	struct expected_sb sb;

	if (ext4_shuts_down())
		state |= SHUT;
	/* With a journal, the error lets mount(2) fail */
	ASSERT_TRUE(make_ext4("image", ",^has_journal"));
	ASSERT_EQ(0, damage_orphans("image"));
	ASSERT_EQ(0, watch_all(w));
	ASSERT_EQ(0, mount_image("image", "mnt", "errors=remount-ro"));
	EXPECT_TRUE(got_new(w, "mnt", "ext4", state, &sb));
	EXPECT_TRUE(got_own(w, NOTIFY_SB_RDONLY, &sb));
	if (state & SHUT)
		EXPECT_TRUE(got_own(w, NOTIFY_SB_SHUTDOWN, &sb));
	EXPECT_TRUE(got_no_own(w));
}

/* A second mount of a disk posts no NEW, and a disk without a filesystem nothing. */
TEST_F(host, second_mount)
{
	struct expected_sb sb;
	char path[64];
	int loop;

	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, watch_all(&self->w));
	loop = loop_attach("image", path, sizeof(path));
	ASSERT_GE(loop, 0);
	ASSERT_EQ(0, fs_mount("ext4", path, "mnt", NULL));
	ASSERT_TRUE(got_new(&self->w, "mnt", "ext4", 0, &sb));
	ASSERT_EQ(0, fs_mount("ext4", path, "other", NULL));
	EXPECT_TRUE(got_no_own(&self->w));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_no_own(&self->w));
	ASSERT_EQ(0, do_umount("other", 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));
	/* Again */
	ASSERT_EQ(0, fs_mount("ext4", path, "mnt", NULL));
	ASSERT_TRUE(got_new(&self->w, "mnt", "ext4", 0, &sb));
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));
	close(loop);

	ASSERT_EQ(0, truncate("image", 0));
	ASSERT_EQ(0, truncate("image", IMAGE_SIZE));
	EXPECT_EQ(-EINVAL, mount_image("image", "mnt", NULL));
	EXPECT_TRUE(got_no_own(&self->w));
}

/* All events of a filesystem that was mounted after the watch was added. */
TEST_F(host, events)
{
	struct expected_error damage, lost = {
		.error = ENOSPC, .kind = NOTIFY_SB_BUFFERED_WRITE,
	};
	struct expected_sb sb, full;
	char data[65536] = "";
	union watch_record r;
	__u32 flags = 2;
	int fd, i, ret, nr = 0;

	ASSERT_TRUE(mount_damaged("errors=continue", &damage));
	ASSERT_EQ(0, do_umount("mnt", 0));
	ASSERT_EQ(0, watch_all(&self->w));
	ASSERT_EQ(0, mount_image("image", "mnt", "errors=continue"));
	ASSERT_TRUE(got_new(&self->w, "mnt", "ext4", 0, &sb));
	read_damaged();
	ret = next_own(&self->w, &r);
	EXPECT_LT(0, ret);
	EXPECT_TRUE(is_error(&self->w.s, &sb, &r, ALL_ID, NOTIFY_SB_ERROR, &damage));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_FROZEN, &sb));
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_THAWED, &sb));
	ASSERT_EQ(0, ioctl(fd, GOINGDOWN, &flags));
	sb.state = RO;
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_RDONLY, &sb));
	sb.state = RO | SHUT;
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_SHUTDOWN, &sb));
	close(fd);
	ASSERT_EQ(0, do_umount("mnt", 0));
	EXPECT_TRUE(got_own(&self->w, NOTIFY_SB_GONE, &sb));

	/* The disk is a file in a filesystem that becomes full */
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "other", "size=1M"));
	ASSERT_TRUE(got_new(&self->w, "other", "tmpfs", 0, &full));
	ASSERT_TRUE(make_ext4("other/image", ",^has_journal"));
	ASSERT_EQ(0, mount_image("other/image", "mnt", NULL));
	ASSERT_TRUE(got_new(&self->w, "mnt", "ext4", 0, &sb));
	fd = open("mnt/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, read_inode("mnt/file", &lost));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(sizeof(data), write(fd, memset(data, 1, sizeof(data)),
					      sizeof(data)));
	EXPECT_EQ(-ENOSPC, neg(fsync(fd)));
	while ((ret = next_own(&self->w, &r)) > 0) {
		if (r.watch.subtype != NOTIFY_SB_WRITEBACK_ERROR ||
		    r.sb_error.ino != lost.ino)
			continue;
		lost.suppressed = r.sb_error.suppressed;
		EXPECT_TRUE(is_error(&self->w.s, &sb, &r, ALL_ID,
				     NOTIFY_SB_WRITEBACK_ERROR, &lost));
		nr++;
	}
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_LT(0, nr);
	/* Let the remaining data be written */
	ASSERT_EQ(0, remount("other", 0, "size=16M"));
	close(fd);
	EXPECT_EQ(0, do_umount("mnt", 0));
}

/* WATCH_REPORT_STATE reports once what the queue watches, and adds no watch. */
TEST_F(host, report)
{
	struct stream *s = &self->w.s, other;
	unsigned int nr, nr_rdonly = 0, nr_rdwr = 0;
	int mnt = open_path("other"), q = s->q.fd;
	struct queue_info info;
	union watch_record r;

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", NULL));
	/* Another queue with both watches, to whom nothing is reported again */
	stream_open(_metadata, &other);
	ASSERT_EQ(0, watch(&other, "mnt", 1));
	ASSERT_EQ(0, queue_watch(other.q.fd, SB, ALL, 2, 0));
	drop_records(&other.q);

	EXPECT_EQ(-EBADSLT, report_state(s, mnt));
	EXPECT_EQ(-EBADSLT, report_state(s, ALL));
	close(mnt);
	mnt = open_path("mnt");
	EXPECT_EQ(-EBADSLT, report_state(s, mnt));
	EXPECT_EQ(-EBADF, report_state(s, UNOPENED));
	EXPECT_EQ(-EINVAL, report_state(s, q));

	/* By descriptor */
	ASSERT_EQ(0, watch_fd(s, mnt, 3));
	EXPECT_EQ(-EBADSLT, report_state(s, ALL));
	EXPECT_EQ(0, report_state(s, mnt));
	EXPECT_TRUE(got_state(s, 3, 0));
	EXPECT_TRUE(got_no_more(&s->q));
	ASSERT_EQ(0, remount("mnt", MS_RDONLY, NULL));
	EXPECT_TRUE(got_change(s, 3, NOTIFY_SB_RDONLY, RO));
	EXPECT_EQ(0, report_state(s, mnt));
	EXPECT_TRUE(got_state(s, 3, RO));
	EXPECT_TRUE(got_no_more(&s->q));

	/* All */
	ASSERT_EQ(0, watch_all(&self->w));
	nr = self->w.nr;
	EXPECT_EQ(0, report_state(s, ALL));
	EXPECT_EQ(0, read_list(&self->w));
	EXPECT_GE(nr, self->w.nr);
	EXPECT_TRUE(!!find_sb(&self->w, s->sb[3].sb_id));
	EXPECT_TRUE(got_no_own(&self->w));
	ASSERT_TRUE(queue_info(q, &info));
	EXPECT_EQ(2, info.watches);

	/* Not for removal, for other types, or with other flags */
	EXPECT_EQ(-EINVAL, queue_unwatch(q, SB, mnt, WATCH_REPORT_STATE));
	EXPECT_EQ(-EINVAL, queue_unwatch(q, SB, ALL, WATCH_REPORT_STATE));
	EXPECT_EQ(-EINVAL, queue_watch(q, SB, mnt, 0, WATCH_REPORT_STATE | WATCH_SUBTREE));
	EXPECT_EQ(-EINVAL, queue_watch(q, MOUNT, mnt, 0, WATCH_REPORT_STATE));
	EXPECT_EQ(-EINVAL, queue_watch(q, WATCH_TYPE_BLOCK_NOTIFY, ALL, 0,
				       WATCH_REPORT_STATE));
	EXPECT_EQ(-EINVAL, queue_watch(q, WATCH_TYPE_DEVICE_NOTIFY, ALL, 0,
				       WATCH_REPORT_STATE));
	EXPECT_EQ(-EOPNOTSUPP, queue_watch(q, WATCH_TYPE_KEY_NOTIFY, mnt, 0,
					   WATCH_REPORT_STATE));
	ASSERT_TRUE(queue_info(q, &info));
	EXPECT_EQ(2, info.watches);
	EXPECT_TRUE(got_no_own(&self->w));

	/* The watches still work */
	ASSERT_EQ(0, queue_unwatch_id(q, SB, ALL_ID));
	EXPECT_TRUE(got_all_removal(&self->w));
	EXPECT_EQ(-EBADSLT, report_state(s, ALL));
	ASSERT_EQ(0, remount("mnt", 0, NULL));
	EXPECT_TRUE(got_change(s, 3, NOTIFY_SB_RDWR, 0));
	EXPECT_TRUE(got_no_more(&s->q));

	/* The other queue got the two remounts, for two watches */
	while (next(&other, &r) > 0) {
		EXPECT_NE(NOTIFY_SB_STATE, r.watch.subtype + 0);
		nr_rdonly += r.watch.subtype == NOTIFY_SB_RDONLY;
		nr_rdwr += r.watch.subtype == NOTIFY_SB_RDWR;
	}
	EXPECT_EQ(2, nr_rdonly);
	EXPECT_EQ(2, nr_rdwr);
	reader_close(&other.q);
}

/* The privilege of a watch is that of the task that added it, also in later states. */
TEST_F(host, report_unprivileged)
{
	struct stream *s = &self->w.s;
	pid_t pid;
	int fd;

	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	ASSERT_EQ(0, watch_as(SOME_USER, s, "mnt", 1));
	fd = open("mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, ioctl(fd, FIFREEZE, 0));
	EXPECT_TRUE(got_no_more(&s->q));
	EXPECT_EQ(0, report_state(s, fd));
	EXPECT_TRUE(got_state(s, 1, UNPRIVILEGED));
	EXPECT_TRUE(got_no_more(&s->q));
	ASSERT_EQ(0, ioctl(fd, FITHAW, 0));

	/* A request needs no permission, and does not change the watch */
	ASSERT_EQ(0, unwatch_fd(s, fd));
	EXPECT_TRUE(got_end(s, 1));
	ASSERT_EQ(0, watch_fd(s, fd, 2));
	pid = fork();
	if (!pid) {
		int ret = become_user(SOME_USER);

		_exit(-(ret ? ret : report_state(s, fd)));
	}
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_TRUE(got_state(s, 2, 0));
	EXPECT_TRUE(got_no_more(&s->q));
	close(fd);
}

static int drop_admin_capability(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(__NR_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	return neg(syscall(__NR_capset, &header, data));
}

/* A watch on all filesystems needs CAP_SYS_ADMIN in the user namespace of the caller. */
TEST_F(host, permission)
{
	struct stream *s = &self->w.s;
	union watch_record r;
	pid_t pid;
	int i;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		ASSERT_EQ(0, drop_admin_capability());
		EXPECT_EQ(-EPERM, add_watch(s, ALL, ALL_ID));
		ASSERT_EQ(0, become_user(SOME_USER));
		EXPECT_EQ(-EPERM, add_watch(s, ALL, ALL_ID));
		_exit(_metadata->exit_code);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(got_no_more(&s->q));

	/* In a namespace of its own, which has no filesystem, a user may watch all */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		ASSERT_EQ(0, become_root_inside(SOME_USER));
		EXPECT_EQ(0, add_watch(s, ALL, ALL_ID));
		/* A request for the state needs no permission */
		ASSERT_EQ(0, drop_admin_capability());
		EXPECT_EQ(0, report_state(s, ALL));
		_exit(_metadata->exit_code);
	}
	EXPECT_EQ(0, child_status(pid));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(sizeof(r.sb), next(s, &r));
		EXPECT_TRUE(is_list_end(&r));
	}
	EXPECT_TRUE(got_no_more(&s->q));
	/* That watch is of another namespace than this process */
	EXPECT_EQ(-EBADSLT, report_state(s, ALL));
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", NULL));
	EXPECT_TRUE(got_no_more(&s->q));
}

/* Shared with a process that remounts a filesystem; numbers of remounts */
struct remounter {
	unsigned int go, begun, done;	/* with __atomic_*() */
};

static unsigned int load(const unsigned int *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(unsigned int *p, unsigned int value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static void wait_for(const unsigned int *p, unsigned int value)
{
	while (load(p) < value)
		sched_yield();
}

#define NR_REMOUNTS	300
#define NR_OTHERS	500	/* watches */

static int remount_often(struct remounter *rm)
{
	unsigned int i;
	int ret = 0;

	for (i = 1; !ret && i <= NR_REMOUNTS; i++) {
		wait_for(&rm->go, i);
		store(&rm->begun, i);
		ret = remount("mnt", i % 2 ? MS_RDONLY : 0, NULL);
		store(&rm->done, i);
	}
	return ret;
}

/*
 * If a state is the last record, it is the present one, although the filesystem was
 * remounted while the state was reported.  The other watches make a report take long
 * after it has read the state.  The watch of the test, which is found first by the
 * event, is unprivileged and gets its state last.
 */
TEST_F_TIMEOUT(host, state_is_current, 120)
{
	struct rlimit files = { 2 * NR_OTHERS + 200, 2 * NR_OTHERS + 200 };
	struct stream *s = &self->w.s;
	union watch_record r, last;
	struct remounter *rm;
	unsigned int i, j;
	int mnt, fd[2];
	pid_t pid;

	rm = mmap(NULL, sizeof(*rm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		  -1, 0);
	ASSERT_TRUE(rm != MAP_FAILED);
	ASSERT_EQ(0, fs_mount("tmpfs", "none", "mnt", NULL));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	mnt = open_path("mnt");
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-remount_often(rm));
	}
	for (i = 0; i < NR_OTHERS; i++) {
		queue_open(_metadata, fd, O_NONBLOCK | O_CLOEXEC);
		ASSERT_EQ(0, queue_size(fd[0], 1));
		ASSERT_EQ(0, queue_watch(fd[0], SB, mnt, 1, 0));
	}
	ASSERT_EQ(0, watch_as(SOME_USER, s, "mnt", 1));

	for (i = 1; i <= NR_REMOUNTS; i++) {
		store(&rm->go, i);
		wait_for(&rm->begun, i);
		/* Begin the report at various times of the remount */
		for (j = 0; j < i % 50 * 50; j++)
			load(&rm->begun);
		ASSERT_EQ(0, report_state(s, mnt));
		wait_for(&rm->done, i);
		last.watch.info = 0;
		while (next(s, &r) > 0) {
			ASSERT_EQ(s->sb[1].sb_id, r.sb.sb_id);
			last = r;
		}
		ASSERT_EQ(i % 2 ? RO : 0, last.watch.info & RO)
			TH_LOG("after remount %u", i);
	}
	EXPECT_EQ(0, wait_child(pid));
	close(mnt);
}

/*
 * State
 */

static int freeze(void)
{
	int fd = open("mnt", O_RDONLY | O_CLOEXEC), ret;

	ret = neg(ioctl(fd, FIFREEZE, 0));
	close(fd);
	return ret;
}

static int remount_read_only(void)
{
	return remount("mnt", MS_RDONLY, NULL);
}

static int remount_and_freeze(void)
{
	int ret = remount_read_only();

	return ret ? ret : freeze();
}

static int shut_down(void)
{
	int fd = open("mnt", O_RDONLY | O_CLOEXEC), ret;
	__u32 flags = 2;

	ret = neg(ioctl(fd, GOINGDOWN, &flags));
	close(fd);
	return ret;
}

static int remount_and_shut_down(void)
{
	int ret = remount_read_only();

	return ret ? ret : shut_down();
}

static int find_damage(void)
{
	read_damaged();
	return 0;
}

static void thaw(void)
{
	int fd = open("mnt", O_RDONLY | O_CLOEXEC);

	/* Fails unless the filesystem is frozen */
	ioctl(fd, FITHAW, 0);
	close(fd);
}

static int do_nothing(void)
{
	return 0;
}

FIXTURE(state)
{
	struct watcher w;
	struct expected_error damage;
};

FIXTURE_VARIANT(state)
{
	int (*enter)(void);
	__u32 state;
};

FIXTURE_VARIANT_ADD(state, writable) { do_nothing, 0 };
FIXTURE_VARIANT_ADD(state, read_only) { remount_read_only, RO };
FIXTURE_VARIANT_ADD(state, frozen) { freeze, FROZEN };
FIXTURE_VARIANT_ADD(state, frozen_read_only) { remount_and_freeze, RO | FROZEN };
FIXTURE_VARIANT_ADD(state, shut_down) { shut_down, RO | SHUT };
FIXTURE_VARIANT_ADD(state, shut_down_read_only) { remount_and_shut_down, RO | SHUT };
FIXTURE_VARIANT_ADD(state, by_error) { find_damage, RO | BY_ERROR };

FIXTURE_SETUP(state)
{
	workspace(_metadata, &self->w.s);
	ASSERT_TRUE(mount_damaged("errors=remount-ro", &self->damage));
	ASSERT_EQ(0, variant->enter());
}

FIXTURE_TEARDOWN(state)
{
	/* A frozen filesystem would outlive the test */
	thaw();
	reader_close(&self->w.s.q);
}

/* A watch reports a state that the filesystem entered before, without a watch. */
TEST_F(state, late)
{
	struct stream *s = &self->w.s, plain;
	__u32 state = variant->state;
	struct seen_sb *seen;
	int fd = open_path("mnt");

	if (state & BY_ERROR && ext4_shuts_down())
		state |= SHUT;
	ASSERT_EQ(0, watch_path(s, "mnt", 2, state));
	EXPECT_EQ(0, report_state(s, fd));
	EXPECT_TRUE(got_state(s, 2, state));

	ASSERT_EQ(0, watch_all(&self->w));
	seen = find_sb(&self->w, s->sb[2].sb_id);
	ASSERT_TRUE(!!seen);
	EXPECT_EQ(state, seen->sb.state);
	EXPECT_EQ(s->sb[2].major, seen->sb.major);
	EXPECT_EQ(s->sb[2].minor, seen->sb.minor);
	EXPECT_STREQ("ext4", seen->sb.type);
	EXPECT_TRUE(got_no_own(&self->w));

	/* Without privilege, freezing is not visible */
	stream_open(_metadata, &plain);
	EXPECT_EQ(0, watch_as_state(SOME_USER, &plain, "mnt", 1,
				    (state & ~FROZEN) | UNPRIVILEGED));
	EXPECT_TRUE(got_no_more(&plain.q));

	/* The state ends with the mount */
	close(fd);
	thaw();
	ASSERT_EQ(0, do_umount("mnt", 0));
	drop_records(&plain.q);
	ASSERT_EQ(0, mount_image("image", "mnt", "errors=continue"));
	EXPECT_EQ(0, watch(&plain, "mnt", 3));
	EXPECT_NE(seen->sb.sb_id, plain.sb[3].sb_id);
	reader_close(&plain.q);
}

/*
 * User namespaces: "outer" is one of the host, and "inner" one of outer.  A process in
 * each executes the commands of the test.
 */
struct box {
	int commands[2], replies[2];	/* pipes */
	int pid;
	struct watcher w;		/* its queue; the test reads the records */
};

static int become_root_outer(void)
{
	return become_root_inside(SOME_USER);
}

static int become_root_inner(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	return write_text("/proc/self/uid_map", "0 0 1\n");
}

static int try_user_namespace(void)
{
	pid_t pid;
	int ret;

	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? errno : 0);
	ret = wait_child(pid);
	signal(SIGCHLD, SIG_IGN);
	/* The process of the inner box is a zombie if it exited in between */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return ret;
}

static int start_box(struct box *b, int (*become)(void));

static int execute(struct box *b, char command)
{
	switch (command) {
	case 'w':
		return add_watch(&b->w.s, ALL, ALL_ID);
	case 's':
		return report_state(&b->w.s, ALL);
	case 'm':
		return fs_mount("tmpfs", "none", BASE, NULL);
	case 'r':
		return remount(BASE, MS_RDONLY, NULL);
	case 'i':
		return start_box(b + 1, become_root_inner);
	case 'l':
		return sysctl_set("/proc/sys/user/max_user_namespaces", 1);
	case 't':
		return try_user_namespace();
	case 'c':
		reader_close(&b[1].w.s.q);
		return 0;
	}
	return -EINVAL;
}

/* Starts the process of a box, which first replies with its ID or -errno */
static int start_box(struct box *b, int (*become)(void))
{
	char command = 0;
	pid_t pid = fork();
	int ret;

	if (pid)
		return pid < 0 ? -errno : 0;
	ret = become();
	if (!ret)
		ret = getpid();
	/* The test cannot wait for the process of the inner box */
	signal(SIGCHLD, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (write(b->replies[1], &ret, sizeof(ret)) == sizeof(ret) &&
	       read(b->commands[0], &command, 1) == 1 && command != 'q')
		ret = execute(b, command);
	_exit(command != 'q');
}

static int reply(struct box *b)
{
	int ret;

	return read(b->replies[0], &ret, sizeof(ret)) == sizeof(ret) ? ret : -EPIPE;
}

static int ask(struct box *b, char command)
{
	return write(b->commands[1], &command, 1) == 1 ? reply(b) : -EPIPE;
}

static bool quit(struct box *b)
{
	return write(b->commands[1], "q", 1) == 1;
}

FIXTURE(boxes)
{
	struct watcher host;
	struct box box[2];
	char path[2][64];	/* of BASE in the box */
};

FIXTURE_SETUP(boxes)
{
	int i;

	workspace(_metadata, &self->host.s);
	for (i = 0; i < 2; i++) {
		stream_open(_metadata, &self->box[i].w.s);
		ASSERT_EQ(0, pipe(self->box[i].commands));
		ASSERT_EQ(0, pipe(self->box[i].replies));
	}
	ASSERT_EQ(0, start_box(&self->box[0], become_root_outer));
	self->box[0].pid = reply(&self->box[0]);
	ASSERT_LT(0, self->box[0].pid);
	snprintf(self->path[0], sizeof(self->path[0]), "/proc/%d/root%s",
		 self->box[0].pid, BASE);
}

FIXTURE_TEARDOWN(boxes)
{
	kill(self->box[0].pid, SIGKILL);
	reader_close(&self->host.s.q);
}

static void start_inner(struct __test_metadata *_metadata, struct box *box, char *path,
			size_t size)
{
	ASSERT_EQ(0, ask(&box[0], 'i'));
	box[1].pid = reply(&box[1]);
	ASSERT_LT(0, box[1].pid);
	snprintf(path, size, "/proc/%d/root%s", box[1].pid, BASE);
}

/* A watch includes the filesystems of its user namespace and of those below it. */
TEST_F(boxes, namespaces)
{
	struct box *outer = &self->box[0], *inner = &self->box[1];
	struct expected_sb sb, of_outer, of_inner;

	ASSERT_EQ(0, watch_all(&self->host));
	ASSERT_EQ(0, ask(outer, 'm'));
	EXPECT_TRUE(got_new(&self->host, self->path[0], "tmpfs", IN_USER_NS, &of_outer));
	ASSERT_EQ(0, ask(outer, 'w'));
	ASSERT_EQ(0, read_list(&outer->w));
	EXPECT_EQ(1, outer->w.nr);
	EXPECT_EQ(of_outer.sb_id, outer->w.seen[0].sb.sb_id);
	EXPECT_EQ(of_outer.state, outer->w.seen[0].sb.state);

	ASSERT_EQ(0, fs_mount("tmpfs", "none", "other", NULL));
	EXPECT_TRUE(got_new(&self->host, "other", "tmpfs", 0, &sb));
	EXPECT_TRUE(got_no_own(&outer->w));

	/* A mount of the outer filesystem in the inner mount namespace does not count */
	start_inner(_metadata, self->box, self->path[1], sizeof(self->path[1]));
	ASSERT_EQ(0, ask(inner, 'm'));
	EXPECT_TRUE(got_new(&outer->w, self->path[1], "tmpfs", IN_USER_NS, &of_inner));
	EXPECT_TRUE(got_new(&self->host, self->path[1], "tmpfs", IN_USER_NS, &sb));
	EXPECT_EQ(of_inner.sb_id, sb.sb_id);
	ASSERT_EQ(0, ask(inner, 'w'));
	ASSERT_EQ(0, read_list(&inner->w));
	EXPECT_EQ(1, inner->w.nr);
	EXPECT_EQ(of_inner.sb_id, inner->w.seen[0].sb.sb_id);

	ASSERT_EQ(0, ask(outer, 'r'));
	of_outer.state |= RO;
	EXPECT_TRUE(got_own(&outer->w, NOTIFY_SB_RDONLY, &of_outer));
	EXPECT_TRUE(got_own(&self->host, NOTIFY_SB_RDONLY, &of_outer));
	ASSERT_EQ(0, ask(inner, 'r'));
	of_inner.state |= RO;
	EXPECT_TRUE(got_own(&inner->w, NOTIFY_SB_RDONLY, &of_inner));
	EXPECT_TRUE(got_own(&outer->w, NOTIFY_SB_RDONLY, &of_inner));
	EXPECT_TRUE(got_own(&self->host, NOTIFY_SB_RDONLY, &of_inner));

	/* The list, requested by a process in the namespace */
	ASSERT_EQ(0, ask(outer, 's'));
	ASSERT_EQ(0, read_list(&outer->w));
	EXPECT_EQ(2, outer->w.nr);
	ASSERT_EQ(0, ask(inner, 's'));
	ASSERT_EQ(0, read_list(&inner->w));
	EXPECT_EQ(1, inner->w.nr);
	/* Their mounts are not in the mount namespace of the test */
	outer->w.seen[0].own = true;
	outer->w.seen[1].own = true;
	inner->w.seen[0].own = true;

	ASSERT_TRUE(quit(inner));
	EXPECT_TRUE(await_gone(&inner->w, &of_inner));
	EXPECT_TRUE(await_gone(&outer->w, &of_inner));
	EXPECT_TRUE(await_gone(&self->host, &of_inner));
	ASSERT_TRUE(quit(outer));
	EXPECT_TRUE(await_gone(&outer->w, &of_outer));
	EXPECT_TRUE(await_gone(&self->host, &of_outer));
	EXPECT_TRUE(got_no_own(&inner->w));
	EXPECT_TRUE(got_no_own(&outer->w));
	EXPECT_TRUE(got_no_own(&self->host));
}

/* Makes the filesystem of a directory read-only; 0 or -errno */
static int reconfigure_read_only(int dir)
{
	int fs = neg(syscall(__NR_fspick, dir, "", FSPICK_EMPTY_PATH)), ret;

	if (fs < 0)
		return fs;
	ret = neg(syscall(__NR_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	if (!ret)
		ret = neg(syscall(__NR_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL,
				  0));
	close(fs);
	return ret;
}

/*
 * A watch keeps its user namespace, without a process in it, until the queue is closed.
 * The limit of the outer namespace shows when the inner one is freed.
 */
TEST_F(boxes, outlives)
{
	struct box *outer = &self->box[0], *inner = &self->box[1];
	struct expected_sb sb;
	int dir, pidfd, ret;
	__u64 end;

	ASSERT_EQ(0, ask(outer, 'l'));
	start_inner(_metadata, self->box, self->path[1], sizeof(self->path[1]));
	ASSERT_EQ(0, ask(inner, 'w'));
	ASSERT_EQ(0, read_list(&inner->w));
	ASSERT_EQ(0, ask(inner, 'm'));
	ASSERT_TRUE(got_new(&inner->w, self->path[1], "tmpfs", IN_USER_NS, &sb));
	dir = open(self->path[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(dir, 0);
	pidfd = neg(syscall(__NR_pidfd_open, inner->pid, 0));
	ASSERT_GE(pidfd, 0);
	ASSERT_TRUE(quit(inner));
	ASSERT_EQ(POLLIN, poll_in(pidfd) & POLLIN);
	close(pidfd);

	ASSERT_EQ(0, reconfigure_read_only(dir));
	sb.state |= RO;
	EXPECT_TRUE(got_own(&inner->w, NOTIFY_SB_RDONLY, &sb));
	close(dir);
	EXPECT_TRUE(await_gone(&inner->w, &sb));
	EXPECT_EQ(-ENOSPC, ask(outer, 't'));

	reader_close(&inner->w.s.q);
	ASSERT_EQ(0, ask(outer, 'c'));
	end = now_ns() + TIMEOUT_MS * 1000000ULL;
	do {
		ret = ask(outer, 't');
	} while (ret == -ENOSPC && now_ns() < end);
	EXPECT_EQ(0, ret);
}

/* A watch on all filesystems counts as one watch of its user. */
TEST_F(container, user_limit)
{
	struct stream *s = &self->w.s, other;
	int fd = open_path("a");

	stream_open(_metadata, &other);
	ASSERT_EQ(0, sysctl_set("/proc/sys/user/max_watch_queue_watches", 1));
	EXPECT_EQ(0, add_watch(s, ALL, ALL_ID));
	EXPECT_EQ(-EAGAIN, add_watch(&other, ALL, ALL_ID));
	EXPECT_EQ(-EAGAIN, add_watch(&other, fd, 2));
	EXPECT_TRUE(got_no_more(&other.q));
	EXPECT_EQ(0, queue_unwatch_id(s->q.fd, SB, ALL_ID));
	EXPECT_EQ(0, add_watch(&other, fd, 2));
	EXPECT_EQ(-EAGAIN, add_watch(s, ALL, ALL_ID));
	reader_close(&other.q);
	EXPECT_EQ(0, add_watch(s, ALL, ALL_ID));
	close(fd);
}

TEST_HARNESS_MAIN
