// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: watches on a mount namespace, and changes of filesystems in it
 *
 * Each test has its own mount namespace, which the queue "q" watches.  The queue "tree"
 * watches BASE with WATCH_SUBTREE.
 */

#include <sys/statvfs.h>

#include "mount_fixture.h"
#include "sb.h"

#define CONTAINER_MOUNTS 256	/* more than a namespace has in a test */
#define RACE_ROUNDS	200
#define RACE_LIMIT	300	/* seconds */

FIXTURE(ns)
{
	struct reader q, tree;
	int ns;
	__u64 base, id;
};

FIXTURE_SETUP(ns)
{
	self->base = watch_base(_metadata, &self->tree);
	self->ns = open_ns(getpid());
	ASSERT_GE(self->ns, 0);
	self->id = mnt_ns_id(self->ns);
	ASSERT_NE(0, self->id);
	reader_open(_metadata, &self->q, 256);
	ASSERT_EQ(0, queue_watch(self->q.fd, MOUNT, self->ns, ID, 0));
}

FIXTURE_TEARDOWN(ns)
{
	reader_close(&self->q);
	reader_close(&self->tree);
	close(self->ns);
}

static void drop_all(struct reader *a, struct reader *b)
{
	drop_records(a);
	drop_records(b);
}

/*
 * The watch reports all mounts of the namespace, wherever they are.  IN_SUBTREE is
 * not set, as each record has the ID of the watched namespace.
 */
TEST_F(ns, new_and_unmount)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", MS_RDONLY), top = mnt_id("/tmp"), other;
	const __u32 rdonly = NOTIFY_MOUNT_IS_RDONLY | NOTIFY_MOUNT_FS_RDONLY;

	GOT(NEW, a, self->base, 0, 0);
	GOT(NEW, b, a, 0, rdonly);
	other = tmpfs("/tmp/mount_ns_test", 0);
	ASSERT_NE(0, other);
	GOT(NEW, other, top, 0, 0);
	ASSERT_EQ(0, do_umount("/tmp/mount_ns_test", 0));
	ASSERT_EQ(0, do_umount("a", MNT_DETACH));
	GOT(UNMOUNT, other, top, 0, 0);
	GOT(UNMOUNT, b, a, 0, rdonly);
	GOT(UNMOUNT, a, self->base, 0, 0);
	GOT_NO_MORE();

	/* The other mount is not below BASE */
	EXPECT_TRUE(got_mount(&self->tree, NOTIFY_MOUNT_NEW, ID, a, self->base, 0, 0));
	EXPECT_TRUE(got_mount(&self->tree, NOTIFY_MOUNT_NEW, ID, b, a, 0,
			      BY_SUBTREE | rdonly));
	EXPECT_TRUE(got_mount(&self->tree, NOTIFY_MOUNT_UNMOUNT, ID, b, a, 0,
			      BY_SUBTREE | rdonly));
	EXPECT_TRUE(got_mount(&self->tree, NOTIFY_MOUNT_UNMOUNT, ID, a, self->base, 0, 0));
	EXPECT_TRUE(got_no_more(&self->tree));
}

/* Moves, attributes and propagation types are reported. */
TEST_F(ns, changes)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0), c = tmpfs("c", 0);

	ASSERT_EQ(0, mkdir("c/a", 0755));
	drop_records(&self->q);
	ASSERT_EQ(0, do_setattr("a", true, MOUNT_ATTR_NOSUID, 0, 0));
	GOT_EACH(BY(ID, SETATTR, a, self->base, 0, 0), BY(ID, SETATTR, b, a, 0, 0));
	ASSERT_EQ(0, do_setattr("a/b", false, MOUNT_ATTR_RDONLY, 0, 0));
	GOT(RDONLY, b, a, 0, NOTIFY_MOUNT_IS_RDONLY);
	ASSERT_EQ(0, do_setattr("a/b", false, 0, MOUNT_ATTR_RDONLY, 0));
	GOT(RDWR, b, a, 0, 0);
	ASSERT_EQ(0, do_mount("a", "c/a", NULL, MS_MOVE, NULL));
	GOT(MOVE_TO, a, c, self->base, 0);
	ASSERT_EQ(0, do_mount(NULL, "c/a", NULL, MS_SHARED, NULL));
	GOT(PROPAGATION, a, c, 0, 0);
	ASSERT_EQ(-EAGAIN, do_umount("c/a/b", MNT_EXPIRE));
	ASSERT_EQ(0, do_umount("c/a/b", MNT_EXPIRE));
	GOT(UNMOUNT, b, a, 0, NOTIFY_MOUNT_EXPIRED);
	GOT_NO_MORE();
}

/* A queue can watch the namespace, a tree and a mount; each watch has a record. */
TEST_F(ns, beside_other_watches)
{
	__u64 a;

	ASSERT_EQ(0, mount_watch(self->q.fd, BASE, 1, WATCH_SUBTREE));
	ASSERT_EQ(0, mount_watch(self->q.fd, BASE, 2, 0));
	a = tmpfs("a", 0);
	GOT_EACH(BY(ID, NEW, a, self->base, 0, 0), BY(1, NEW, a, self->base, 0, 0),
		 BY(2, NEW, a, self->base, 0, 0));
	GOT_NO_MORE();
}

/*
 * All changes in one system call are one transition.  NEW includes what happened to the
 * mount in the call; after UNMOUNT, nothing else about the mount is of interest.
 */
TEST_F(ns, one_transition)
{
	__u64 p = tmpfs("p", 0), t = tmpfs("t", 0), a = tmpfs("t/a", 0), s, m;
	int fd = do_fsmount();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, do_mount(NULL, "p", NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, do_mount(NULL, "t/a", NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, mkdir("p/m", 0755));
	ASSERT_EQ(0, mkdir("t/s", 0755));
	ASSERT_EQ(0, do_mount("t/a", "t/s", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, do_mount(NULL, "t/s", NULL, MS_SLAVE, NULL));
	s = mnt_id("t/s");
	drop_records(&self->q);

	/* The mount becomes shared when it is mounted on a shared one */
	ASSERT_EQ(0, do_move(fd, "", "p/m", MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
	m = mnt_id("p/m");
	GOT(NEW, m, p, 0, 0);
	GOT_NO_MORE();

	/* The slave loses its master, but is unmounted as well */
	ASSERT_EQ(0, do_umount("t", MNT_DETACH));
	GOT_EACH(BY(ID, UNMOUNT, a, t, 0, 0), BY(ID, UNMOUNT, s, t, 0, 0));
	GOT(UNMOUNT, t, self->base, 0, 0);
	GOT_NO_MORE();
}

/* A mount beneath another one is reported before the move of the upper one. */
TEST_F(ns, beneath)
{
	__u64 a = tmpfs("a", 0), b;
	int fd = do_fsmount();

	ASSERT_GE(fd, 0);
	b = fd_mnt_id(fd, "");
	GOT(NEW, a, self->base, 0, 0);
	ASSERT_EQ(0, do_move(fd, "", "a", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH));
	close(fd);
	GOT(NEW, b, self->base, 0, 0);
	GOT(MOVE_TO, a, b, self->base, NOTIFY_MOUNT_PROPAGATED);
	GOT_NO_MORE();
}

/* The descriptor must be of a mount namespace, and flags must be 0. */
TEST_F(ns, errors)
{
	static const char * const others[] = {
		"cgroup", "ipc", "net", "pid", "pid_for_children", "time", "user", "uts",
	};
	char path[PATH_LEN], line[PATH_LEN], want[PATH_LEN];
	unsigned int i, tried = 0;
	int fd;

	EXPECT_EQ(-EBUSY, queue_watch(self->q.fd, MOUNT, self->ns, 1, 0));
	EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, self->ns, 256, 0));
	EXPECT_EQ(-EINVAL, queue_watch(self->tree.fd, MOUNT, self->ns, 1, WATCH_SUBTREE));
	EXPECT_EQ(-EINVAL, queue_watch(self->tree.fd, MOUNT, self->ns, 1, 2));
	EXPECT_EQ(-EBADSLT, queue_unwatch(self->tree.fd, MOUNT, self->ns, 0));
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", others[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		EXPECT_EQ(-EINVAL, queue_watch(self->q.fd, MOUNT, fd, 1, 0))
			TH_LOG("%s", path);
		close(fd);
		tried++;
	}
	EXPECT_GT(tried, 0);
	ASSERT_TRUE(queue_info_line(self->q.fd, "watch:", 0, line, sizeof(line)));
	snprintf(want, sizeof(want), "watch:\ttype:2 id:%u object:%llx", ID, self->id);
	EXPECT_STREQ(want, line);
	EXPECT_FALSE(queue_info_line(self->q.fd, "watch:", 1, line, sizeof(line)));
}

/* A watch is removed by any descriptor of its namespace, or by ID. */
TEST_F(ns, removal)
{
	int ns = open_ns(getpid());

	ASSERT_GE(ns, 0);
	EXPECT_EQ(0, queue_unwatch(self->q.fd, MOUNT, ns, 0));
	close(ns);
	EXPECT_TRUE(got_mount_removal(&self->q, ID, self->id));
	EXPECT_EQ(-EBADSLT, queue_unwatch(self->q.fd, MOUNT, self->ns, 0));
	ASSERT_NE(0, tmpfs("a", 0));
	GOT_NO_MORE();

	ASSERT_EQ(0, queue_watch(self->q.fd, MOUNT, self->ns, 5, 0));
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 5, 0));
	EXPECT_EQ(0, queue_unwatch_id(self->q.fd, MOUNT, 5));
	EXPECT_TRUE(got_mount_removal(&self->q, 5, mnt_id("a")));
	EXPECT_TRUE(got_mount_removal(&self->q, 5, self->id));
	EXPECT_EQ(-EBADSLT, queue_unwatch_id(self->q.fd, MOUNT, 5));
	ASSERT_EQ(0, do_umount("a", 0));
	GOT_NO_MORE();
}

/*
 * Permissions.  @run is called in a child, with an empty queue.
 */
static int status_of(void (*run)(struct reader *q, int ns), int ns)
{
	struct reader q;
	pid_t pid = fork();

	if (!pid) {
		child_queue(&q);
		run(&q, ns);
		_exit(0);
	}
	return child_status(pid);
}

static void own_namespace(struct reader *q, int ns)
{
	CHECK(!become_user(SOME_USER));
	CHECK(!queue_watch(q->fd, MOUNT, ns, 1, 0));
	CHECK(!queue_unwatch(q->fd, MOUNT, ns, 0));
}

static void root_of_other_mount(struct reader *q, int ns)
{
	CHECK(!chroot(BASE));
	CHECK(!queue_watch(q->fd, MOUNT, ns, 1, 0));
	CHECK(!become_user(SOME_USER));
	/* Removing a watch requires no permission */
	CHECK(!queue_unwatch(q->fd, MOUNT, ns, 0));
	CHECK(queue_watch(q->fd, MOUNT, ns, 1, 0) == -EPERM);
}

static void root_is_directory(struct reader *q, int ns)
{
	CHECK(!chroot("/tmp"));
	CHECK(!become_user(SOME_USER));
	CHECK(queue_watch(q->fd, MOUNT, ns, 1, 0) == -EPERM);
}

/* The old root has mounts that the user cannot reach */
static void root_covered(struct reader *q, int ns)
{
	CHECK(!do_mount("over", "/", "tmpfs", 0, NULL));
	CHECK(!setns(ns, CLONE_NEWNS));
	CHECK(!become_user(SOME_USER));
	CHECK(queue_watch(q->fd, MOUNT, ns, 1, 0) == -EPERM);
}

static void other_namespace(struct reader *q, int ns)
{
	int own;

	CHECK(!unshare(CLONE_NEWNS));
	CHECK(!queue_watch(q->fd, MOUNT, ns, 1, 0));
	CHECK(!queue_unwatch(q->fd, MOUNT, ns, 0));
	own = open_ns(getpid());
	CHECK(own >= 0);
	CHECK(!become_user(SOME_USER));
	CHECK(queue_watch(q->fd, MOUNT, ns, 1, 0) == -EPERM);
	CHECK(!queue_watch(q->fd, MOUNT, own, 1, 0));
}

/* CAP_SYS_ADMIN in another user namespace does not help */
static void root_of_container(struct reader *q, int ns)
{
	int own;

	CHECK(!become_root_inside(SOME_USER));
	own = open_ns(getpid());
	CHECK(own >= 0);
	CHECK(queue_watch(q->fd, MOUNT, ns, 1, 0) == -EPERM);
	CHECK(!queue_watch(q->fd, MOUNT, own, 1, 0));
	/* CAP_SYS_ADMIN in the user namespace that owns it makes the root irrelevant */
	CHECK(!queue_unwatch(q->fd, MOUNT, own, 0));
	CHECK(!chroot("/tmp"));
	CHECK(!queue_watch(q->fd, MOUNT, own, 1, 0));
}

/*
 * A task without CAP_SYS_ADMIN may watch its own namespace only, and only if all mounts
 * of the namespace can be reached from its root directory.
 */
TEST_F(ns, permission)
{
	EXPECT_EQ(0, status_of(own_namespace, self->ns));
	EXPECT_EQ(0, status_of(root_of_other_mount, self->ns));
	EXPECT_EQ(0, status_of(root_is_directory, self->ns));
	EXPECT_EQ(0, status_of(other_namespace, self->ns));
	EXPECT_EQ(0, status_of(root_of_container, self->ns));
	EXPECT_EQ(0, status_of(root_covered, self->ns));
}

/* A mount on the root of the namespace is its new root, until it is unmounted. */
TEST_F(ns, root_mounted)
{
	__u32 rdonly = NOTIFY_MOUNT_IS_RDONLY | NOTIFY_MOUNT_FS_RDONLY;
	__u64 old = mnt_id("/"), over;

	ASSERT_EQ(0, do_mount("over", "/", "tmpfs", MS_RDONLY, NULL));
	ASSERT_EQ(0, setns(self->ns, CLONE_NEWNS));
	over = mnt_id("/");
	ASSERT_NE(old, over);
	GOT(NEW, over, old, 0, rdonly);
	GOT(ROOT, over, old, 0, rdonly);
	GOT_NO_MORE();
	EXPECT_TRUE(got_no_more(&self->tree));

	/* The process must be there to unmount it */
	ASSERT_EQ(0, do_umount("/", MNT_DETACH));
	GOT(UNMOUNT, over, old, 0, rdonly);
	GOT(ROOT, old, parent_mnt_id(old, self->id), 0, 0);
	GOT_NO_MORE();
}

/* A watch that is added again has the root that changed while no mount was watched. */
TEST_F(ns, root_unwatched)
{
	__u64 over, top;

	ASSERT_EQ(0, queue_unwatch(self->q.fd, MOUNT, self->ns, 0));
	ASSERT_EQ(0, mount_unwatch(self->tree.fd, BASE, WATCH_SUBTREE));
	ASSERT_EQ(0, do_mount("over", "/", "tmpfs", 0, NULL));
	ASSERT_EQ(0, setns(self->ns, CLONE_NEWNS));
	over = mnt_id("/");
	ASSERT_EQ(0, queue_watch(self->q.fd, MOUNT, self->ns, ID, 0));
	drop_records(&self->q);
	ASSERT_EQ(0, do_mount("top", "/", "tmpfs", 0, NULL));
	ASSERT_EQ(0, setns(self->ns, CLONE_NEWNS));
	top = mnt_id("/");
	GOT(NEW, top, over, 0, 0);
	GOT(ROOT, top, over, 0, 0);
	GOT_NO_MORE();
}

/* A mount that is moved to the root of the namespace, as by switch_root(8) */
TEST_F(ns, switch_root)
{
	__u64 old = mnt_id("/"), new = tmpfs("new", 0);

	ASSERT_NE(0, new);
	drop_all(&self->q, &self->tree);
	ASSERT_EQ(0, do_mount("new", "/", NULL, MS_MOVE, NULL));
	GOT(MOVE_TO, new, old, self->base, 0);
	GOT(ROOT, new, old, 0, 0);
	GOT_NO_MORE();
	EXPECT_TRUE(got_mount(&self->tree, NOTIFY_MOUNT_MOVE_FROM, ID, new, old,
			      self->base, 0));
	EXPECT_TRUE(got_no_more(&self->tree));
	ASSERT_EQ(0, setns(self->ns, CLONE_NEWNS));
	EXPECT_EQ(new, mnt_id("/"));
}

/* pivot_root() posts the moves of both mounts, and then the new root. */
TEST_F(ns, pivot_root)
{
	__u64 old = mnt_id("/"), over, next;

	/* The first mount of a namespace cannot be moved, so make another root first */
	ASSERT_EQ(0, do_mount("over", "/", "tmpfs", 0, NULL));
	ASSERT_EQ(0, setns(self->ns, CLONE_NEWNS));
	over = mnt_id("/");
	next = tmpfs("/next", 0);
	ASSERT_NE(0, next);
	ASSERT_EQ(0, mkdir("/next/put", 0755));
	ASSERT_EQ(0, chdir("/next"));
	drop_records(&self->q);
	ASSERT_EQ(0, do_pivot_root(".", "put"));
	GOT_EACH(BY(ID, MOVE_TO, next, old, over, 0), BY(ID, MOVE_TO, over, next, old, 0));
	GOT(ROOT, next, old, 0, 0);
	GOT_NO_MORE();

	/* Below another root directory, pivot_root() does not change the namespace's root */
	ASSERT_NE(0, tmpfs("/jail", 0));
	ASSERT_NE(0, tmpfs("/jail/next", 0));
	ASSERT_EQ(0, mkdir("/jail/next/put", 0755));
	drop_records(&self->q);
	over = mnt_id("/jail");
	old = mnt_id("/jail/next");
	ASSERT_EQ(0, chroot("/jail"));
	ASSERT_EQ(0, chdir("/next"));
	ASSERT_EQ(0, do_pivot_root(".", "put"));
	GOT_EACH(BY(ID, MOVE_TO, old, next, over, 0), BY(ID, MOVE_TO, over, old, next, 0));
	GOT_NO_MORE();
}

/* A process in a new namespace, which exits in container_end() */
struct container {
	pid_t pid;
	int up[2], down[2];
};

static void container_start(struct __test_metadata *_metadata, struct container *c,
			    void (*prepare)(void))
{
	ASSERT_EQ(0, pipe2(c->up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(c->down, O_CLOEXEC));
	c->pid = fork();
	ASSERT_GE(c->pid, 0);
	if (!c->pid) {
		CHECK(!unshare(CLONE_NEWNS));
		CHECK(!chdir(BASE));
		if (prepare)
			prepare();
		sync_send(c->up[1]);
		sync_wait(c->down[0]);
		_exit(0);
	}
	sync_wait(c->up[0]);
}

static int container_end(struct container *c)
{
	int ret;

	sync_send(c->down[1]);
	ret = child_status(c->pid);
	queue_close(c->up);
	queue_close(c->down);
	return ret;
}

/* ID of a mount in the namespace of the container */
static __u64 container_mnt_id(const struct container *c, const char *where)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "/proc/%d/root%s", c->pid, where);
	return mnt_id(path);
}

/* Watches the namespace of the container; returns its ID, or 0 on failure */
static __u64 container_watch(const struct container *c, int queue, __u32 id)
{
	int ns = open_ns(c->pid);
	__u64 ns_id = 0;

	if (ns < 0)
		return 0;
	if (!queue_watch(queue, MOUNT, ns, id, 0))
		ns_id = mnt_ns_id(ns);
	close(ns);
	return ns_id;
}

static void mount_tree(void)
{
	CHECK(tmpfs("a", 0));
	CHECK(tmpfs("a/b", 0));
	CHECK(tmpfs("a/b/c", 0));
}

/*
 * The watch does not keep the namespace.  At the end of the namespace, each mount is
 * unmounted, children before parents.  The removal of the watch is the last record.
 */
TEST_F(ns, end)
{
	__u64 ids[CONTAINER_MOUNTS], gone[CONTAINER_MOUNTS], id, first;
	long nr, i, j;
	struct container c;
	union watch_record r;
	struct reader q;

	reader_open(_metadata, &q, CONTAINER_MOUNTS + 2);
	container_start(_metadata, &c, mount_tree);
	id = container_watch(&c, q.fd, 1);
	ASSERT_NE(0, id);
	EXPECT_NE(self->id, id);
	first = first_mnt_id(container_mnt_id(&c, BASE "/a/b/c"), id);
	ASSERT_NE(0, first);
	nr = do_listmount(first, id, ids, CONTAINER_MOUNTS);
	ASSERT_GT(nr, 4);
	ASSERT_LT(nr, CONTAINER_MOUNTS);
	EXPECT_TRUE(got_no_more(&q));
	EXPECT_EQ(0, container_end(&c));
	for (i = 0; i <= nr; i++) {
		ASSERT_EQ(1, await_record(&q, &r));
		ASSERT_EQ(MOUNT, r.watch.type + 0);
		ASSERT_EQ(NOTIFY_MOUNT_UNMOUNT, r.watch.subtype + 0);
		EXPECT_EQ(id, r.mount.mnt_ns_id);
		for (j = 0; j < i; j++) {
			EXPECT_NE(gone[j], r.mount.mnt_id);
			EXPECT_NE(gone[j], r.mount.parent_id);
		}
		gone[i] = r.mount.mnt_id;
	}
	EXPECT_EQ(first, gone[nr]);
	EXPECT_TRUE(got_mount_removal(&q, 1, id));
	EXPECT_TRUE(got_no_more(&q));
	reader_close(&q);

	/* No event in the namespace of the test */
	GOT_NO_MORE();
}

/* A record identifies the filesystem as records about this filesystem do. */
TEST_F(ns, filesystem)
{
	__u64 a = tmpfs("a", 0);
	union watch_record mount, sb;
	struct reader q;
	int fd, ret;

	ASSERT_EQ(1, next_record(&self->q, &mount));
	ASSERT_EQ(a, mount.mount.mnt_id);
	EXPECT_EQ(self->id, mount.mount.mnt_ns_id);
	reader_open(_metadata, &q, 8);
	fd = open_path("a");
	ASSERT_GE(fd, 0);
	ret = queue_watch(q.fd, SB, fd, 1, 0);
	close(fd);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "CONFIG_SB_NOTIFICATIONS is not set");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(1, next_record(&q, &sb));
	ASSERT_EQ(NOTIFY_SB_STATE, sb.watch.subtype + 0);
	EXPECT_EQ(sb.sb.sb_id, mount.mount.sb_id);
	EXPECT_EQ(sb.sb.dev_major, mount.mount.dev_major);
	EXPECT_EQ(sb.sb.dev_minor, mount.mount.dev_minor);
	EXPECT_STREQ(sb.sb.fs_type, mount.mount.fs_type);
	ASSERT_EQ(0, do_umount("a", 0));
	ASSERT_EQ(1, next_record(&self->q, &mount));
	EXPECT_EQ(sb.sb.sb_id, mount.mount.sb_id);
	ASSERT_EQ(1, await_record(&q, &sb));
	EXPECT_TRUE(is_removal(&sb));
	EXPECT_EQ(mount.mount.sb_id, sb.removal.id);
	reader_close(&q);
}

/* A new filesystem is reported before its first mount. */
TEST_F(ns, filesystem_first)
{
	bool reported = false;
	union watch_record r;
	__u64 a, sb_id = 0;
	int ret;

	ret = queue_watch(self->q.fd, SB, -1, 1, 0);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "CONFIG_SB_NOTIFICATIONS is not set");
	ASSERT_EQ(0, ret);
	drop_records(&self->q);
	a = tmpfs("a", 0);
	ASSERT_NE(0, a);
	while (next_record(&self->q, &r) == 1) {
		if (r.watch.type == SB && r.watch.subtype == NOTIFY_SB_NEW)
			sb_id = r.sb.sb_id;
		if (r.watch.type != MOUNT)
			continue;
		EXPECT_EQ(NOTIFY_MOUNT_NEW, r.watch.subtype + 0);
		EXPECT_EQ(a, r.mount.mnt_id);
		EXPECT_EQ(sb_id, r.mount.sb_id);
		reported = true;
	}
	EXPECT_TRUE(reported);
}

/*
 * FS_CHANGED is posted by a work item, in the order in which the filesystems changed.
 * All records about a change are posted together.  If a mount is made once the first of
 * these records is readable, its own record follows all of them.
 */
static bool got_fence(struct reader *a, struct reader *b, __u64 base)
{
	__u64 id = tmpfs("fence", 0);

	return got_mount(a, NOTIFY_MOUNT_NEW, ID, id, base, 0, 0) &&
	       got_mount(b, NOTIFY_MOUNT_NEW, ID, id, base, 0, 0) &&
	       !do_umount("fence", 0) &&
	       got_mount(a, NOTIFY_MOUNT_UNMOUNT, ID, id, base, 0, 0) &&
	       got_mount(b, NOTIFY_MOUNT_UNMOUNT, ID, id, base, 0, 0);
}

#define GOT_FENCE()	EXPECT_TRUE(got_fence(&self->q, &self->tree, self->base))

/* A remount of the filesystem has one record for each watch. */
TEST_F(ns, remounted)
{
	__u64 a = tmpfs("a", 0), b = tmpfs("a/b", 0);
	int fd;

	drop_all(&self->q, &self->tree);
	ASSERT_EQ(0, mount_watch(self->q.fd, "a", 1, 0));
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT, "size=2M"));
	GOT_EACH(BY(ID, FS_CHANGED, a, self->base, 0, 0),
		 BY(1, FS_CHANGED, a, self->base, 0, 0));
	GOT_EACH_IN(&self->tree, BY(ID, FS_CHANGED, a, self->base, 0, 0));
	GOT_FENCE();

	/* Not for a watch on the parent alone */
	ASSERT_EQ(0, do_mount(NULL, "a/b", NULL, MS_REMOUNT, "size=2M"));
	GOT_EACH(BY(ID, FS_CHANGED, b, a, 0, 0));
	GOT_EACH_IN(&self->tree, BY(ID, FS_CHANGED, b, a, 0, BY_SUBTREE));
	GOT_FENCE();
	ASSERT_EQ(0, mount_unwatch(self->q.fd, "a", 0));
	EXPECT_TRUE(got_mount_removal(&self->q, 1, a));

	/* A refused remount changes nothing: its record would be posted first */
	EXPECT_EQ(-EINVAL, do_mount(NULL, "a", NULL, MS_REMOUNT, "no-such-option"));
	fd = open("a/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EBUSY, do_reconfigure("a", "ro"));
	close(fd);
	ASSERT_EQ(0, do_mount(NULL, "a/b", NULL, MS_REMOUNT, "size=3M"));
	GOT_EACH(BY(ID, FS_CHANGED, b, a, 0, 0));
	GOT_EACH_IN(&self->tree, BY(ID, FS_CHANGED, b, a, 0, BY_SUBTREE));
	GOT_FENCE();
}

/* fsconfig() changes the filesystem only.  Later records have its state. */
TEST_F(ns, reconfigured)
{
	__u64 a = tmpfs("a", 0);

	drop_all(&self->q, &self->tree);
	ASSERT_EQ(0, do_reconfigure("a", NULL));
	GOT_EACH(BY(ID, FS_CHANGED, a, self->base, 0, 0));
	GOT_EACH_IN(&self->tree, BY(ID, FS_CHANGED, a, self->base, 0, 0));
	ASSERT_EQ(0, do_reconfigure("a", "ro"));
	GOT_EACH(BY(ID, FS_CHANGED, a, self->base, 0, NOTIFY_MOUNT_FS_RDONLY));
	GOT_EACH_IN(&self->tree,
		    BY(ID, FS_CHANGED, a, self->base, 0, NOTIFY_MOUNT_FS_RDONLY));
	ASSERT_EQ(0, do_setattr("a", false, MOUNT_ATTR_NOSUID, 0, 0));
	GOT(SETATTR, a, self->base, 0, NOTIFY_MOUNT_FS_RDONLY);
	ASSERT_EQ(0, do_setattr("a", false, MOUNT_ATTR_RDONLY, 0, 0));
	GOT(RDONLY, a, self->base, 0, NOTIFY_MOUNT_FS_RDONLY | NOTIFY_MOUNT_IS_RDONLY);
	ASSERT_EQ(0, do_reconfigure("a", "rw"));
	GOT_EACH(BY(ID, FS_CHANGED, a, self->base, 0, NOTIFY_MOUNT_IS_RDONLY));
	GOT_EACH_IN(&self->tree,
		    BY(ID, SETATTR, a, self->base, 0, NOTIFY_MOUNT_FS_RDONLY),
		    BY(ID, RDONLY, a, self->base, 0,
		       NOTIFY_MOUNT_FS_RDONLY | NOTIFY_MOUNT_IS_RDONLY),
		    BY(ID, FS_CHANGED, a, self->base, 0, NOTIFY_MOUNT_IS_RDONLY));
	GOT_FENCE();
}

/* A filesystem with several mounts has one record for each watch, about any of them. */
TEST_F(ns, two_mounts)
{
	__u64 a = tmpfs("a", 0), b;
	union watch_record r;
	int i, seen = 0;

	ASSERT_EQ(0, mkdir("b", 0755));
	ASSERT_EQ(0, do_mount("a", "b", NULL, MS_BIND, NULL));
	b = mnt_id("b");
	drop_all(&self->q, &self->tree);
	ASSERT_EQ(0, mount_watch(self->q.fd, "b", 1, 0));
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT, "size=2M"));
	ASSERT_EQ(1, await_record(&self->tree, &r));
	EXPECT_EQ(NOTIFY_MOUNT_FS_CHANGED, r.watch.subtype + 0);
	EXPECT_TRUE(r.mount.mnt_id == a || r.mount.mnt_id == b);
	EXPECT_EQ(self->base, r.mount.parent_id);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, await_record(&self->q, &r));
		EXPECT_EQ(NOTIFY_MOUNT_FS_CHANGED, r.watch.subtype + 0);
		EXPECT_TRUE(r.mount.mnt_id == b ||
			    (r.mount.mnt_id == a && watch_record_id(&r) == ID));
		seen |= 1 << watch_record_id(&r);
	}
	EXPECT_EQ(1 << ID | 1 << 1, seen);
	GOT_FENCE();
}

/* Several changes may share a record.  The last record has the last state. */
TEST_F(ns, remounted_often)
{
	__u64 a = tmpfs("a", 0);
	union watch_record r;
	int i, nr = 0;

	GOT(NEW, a, self->base, 0, 0);
	for (i = 0; i < 99; i++)
		ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT, i & 1 ? "size=1M" : "size=2M"));
	ASSERT_EQ(0, do_reconfigure("a", "ro"));
	do {
		ASSERT_EQ(1, await_record(&self->q, &r));
		ASSERT_EQ(NOTIFY_MOUNT_FS_CHANGED, r.watch.subtype + 0);
		ASSERT_EQ(a, r.mount.mnt_id);
		nr++;
	} while (!(r.watch.info & NOTIFY_MOUNT_FS_RDONLY));
	EXPECT_LE(nr, 100);
}

static void bind_only(void)
{
	CHECK(!do_mount("a/dir", "b", NULL, MS_BIND, NULL));
	CHECK(!do_umount("a", 0));
}

static void unmount_a(void)
{
	CHECK(!do_umount("a", 0));
}

/*
 * A namespace is notified if it has any mount of the filesystem, although the
 * filesystem is remounted through a mount of another namespace.
 */
TEST_F(ns, in_other_namespace)
{
	struct container with, without;
	__u64 a = tmpfs("a", 0), b, id;
	struct reader q, none;

	ASSERT_EQ(0, mkdir("a/dir", 0755));
	ASSERT_EQ(0, mkdir("b", 0755));
	container_start(_metadata, &with, bind_only);
	container_start(_metadata, &without, unmount_a);
	reader_open(_metadata, &q, 16);
	reader_open(_metadata, &none, 16);
	id = container_watch(&with, q.fd, 1);
	ASSERT_NE(0, id);
	ASSERT_NE(0, container_watch(&without, none.fd, 1));
	b = container_mnt_id(&with, BASE "/b");
	ASSERT_NE(0, b);
	drop_all(&self->q, &self->tree);
	ASSERT_EQ(0, do_mount(NULL, "a", NULL, MS_REMOUNT, "size=2M"));
	GOT_EACH_IN(&q, BY(1, FS_CHANGED, b, container_mnt_id(&with, BASE), 0, 0));
	GOT_EACH(BY(ID, FS_CHANGED, a, self->base, 0, 0));
	GOT_EACH_IN(&self->tree, BY(ID, FS_CHANGED, a, self->base, 0, 0));
	GOT_FENCE();
	EXPECT_TRUE(got_no_more(&q));
	EXPECT_TRUE(got_no_more(&none));
	EXPECT_EQ(0, container_end(&with));
	EXPECT_EQ(0, container_end(&without));
	reader_close(&q);
	reader_close(&none);
}

/* Waits for FS_CHANGED of a filesystem that rejects changes */
static bool got_fs_rdonly(struct reader *q, __u64 mnt)
{
	union watch_record r;
	int ret = await_record(q, &r);

	if (ret == 1 && r.watch.type == MOUNT &&
	    r.watch.subtype == NOTIFY_MOUNT_FS_CHANGED && r.mount.mnt_id == mnt &&
	    r.watch.info & NOTIFY_MOUNT_FS_RDONLY)
		return true;
	print_mount(ret, &r);
	return false;
}

/* A filesystem that becomes read-only because of an error is reported. */
TEST_F(ns, read_only_by_error)
{
	struct expected_error damage;
	__u64 mnt;

	ASSERT_EQ(0, mkdir("mnt", 0755));
	ASSERT_TRUE(mount_damaged("errors=remount-ro", &damage));
	mnt = mnt_id("mnt");
	drop_all(&self->q, &self->tree);
	read_damaged();
	EXPECT_TRUE(got_fs_rdonly(&self->q, mnt));
	EXPECT_TRUE(got_fs_rdonly(&self->tree, mnt));
	ASSERT_EQ(0, do_umount("mnt", 0));
}

/* A filesystem that is shut down is reported. */
TEST_F(ns, shut_down)
{
	__u32 how = 2;	/* without flushing anything */
	__u64 mnt;
	int fd;

	ASSERT_EQ(0, mkdir("mnt", 0755));
	ASSERT_TRUE(make_ext4("image", ""));
	ASSERT_EQ(0, mount_image("image", "mnt", NULL));
	mnt = mnt_id("mnt");
	drop_all(&self->q, &self->tree);
	fd = open("mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ioctl(fd, GOINGDOWN, &how));
	close(fd);
	EXPECT_TRUE(got_fs_rdonly(&self->q, mnt));
	EXPECT_TRUE(got_fs_rdonly(&self->tree, mnt));
	ASSERT_EQ(0, do_umount("mnt", 0));
}

/* Operations on "a", a tmpfs, and on the directories "b" and "c" */

static int op_remount(void)
{
	return do_mount(NULL, "a", NULL, MS_REMOUNT, "size=3M");
}

static int op_reconfigure(void)
{
	return do_reconfigure("a", NULL);
}

static int op_bind_rdonly(void)
{
	return do_mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
}

static int op_setattr(void)
{
	return do_setattr("a", false, 0, MOUNT_ATTR_RDONLY, 0);
}

static int op_mount(void)
{
	return do_mount("b", "b", "tmpfs", 0, NULL);
}

static int op_bind(void)
{
	return do_mount("a", "c", NULL, MS_BIND, NULL);
}

static int op_move(void)
{
	return do_mount("b", "c", NULL, MS_MOVE, NULL);
}

static int op_shared(void)
{
	return do_mount(NULL, "c", NULL, MS_SHARED, NULL);
}

static int op_umount(void)
{
	return do_umount("c", 0);
}

/*
 * Whatever wakes a program that polls /proc/self/mountinfo also has a record, so that
 * the program can use a queue instead.  The reverse is not true: some operations wake
 * no poller in some kernels.
 */
TEST_F(ns, mountinfo)
{
	static const struct {
		const char *name;
		int (*run)(void);
		bool wakes;
	} ops[] = {
		{ "remount", op_remount, true },
		{ "fsconfig", op_reconfigure, false },
		{ "remount,bind,ro", op_bind_rdonly, true },
		{ "mount_setattr", op_setattr, true },
		{ "mount", op_mount, true },
		{ "bind", op_bind, true },
		{ "move", op_move, true },
		{ "make-shared", op_shared, false },
		{ "umount", op_umount, true },
	};
	unsigned int i;
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), woken;

	ASSERT_GE(fd, 0);
	ASSERT_NE(0, tmpfs("a", 0));
	ASSERT_EQ(0, mkdir("b", 0755));
	ASSERT_EQ(0, mkdir("c", 0755));
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		drop_all(&self->q, &self->tree);
		poll_for(fd, POLLPRI, 0);
		ASSERT_EQ(0, poll_for(fd, POLLPRI, 0));
		ASSERT_EQ(0, ops[i].run())
			TH_LOG("%s", ops[i].name);
		woken = poll_for(fd, POLLPRI, 0);
		EXPECT_TRUE(woken & POLLPRI || !ops[i].wakes)
			TH_LOG("%s", ops[i].name);
		EXPECT_EQ(POLLIN, poll_in(self->q.fd))
			TH_LOG("%s: no record of the namespace", ops[i].name);
		EXPECT_EQ(POLLIN, poll_in(self->tree.fd))
			TH_LOG("%s: no record of the tree", ops[i].name);
	}
	close(fd);
}

/*
 * Races
 */

/* Reads the records of a namespace that ends, up to the removal of the watch */
static bool got_only_end(struct reader *q, __u64 ns)
{
	union watch_record r;
	int ret;

	while ((ret = await_record(q, &r)) == 1) {
		if (is_removal(&r))
			return r.removal.id == ns && got_no_more(q);
		if (r.watch.type != MOUNT || r.watch.subtype != NOTIFY_MOUNT_UNMOUNT ||
		    r.mount.mnt_ns_id != ns)
			break;
	}
	print_mount(ret, &r);
	return false;
}

/*
 * A watch is removed while its namespace ends.  Whichever is first, the watch has one
 * removal record, and no record follows it.
 */
TEST_F_TIMEOUT(ns, end_concurrent, RACE_LIMIT)
{
	int i, ret, first = 0;
	struct container c;
	struct reader q;
	__u64 id;

	reader_open(_metadata, &q, CONTAINER_MOUNTS);
	for (i = 0; i < RACE_ROUNDS; i++) {
		container_start(_metadata, &c, i & 1 ? mount_tree : NULL);
		id = container_watch(&c, q.fd, 1);
		ASSERT_NE(0, id);
		sync_send(c.down[1]);
		if (i % 4 > 1)
			EXPECT_EQ(0, child_status(c.pid));
		ret = queue_unwatch_id(q.fd, MOUNT, 1);
		ASSERT_TRUE(!ret || ret == -EBADSLT);
		first += !ret;
		if (i % 4 <= 1)
			EXPECT_EQ(0, child_status(c.pid));
		queue_close(c.up);
		queue_close(c.down);
		ASSERT_TRUE(got_only_end(&q, id));
	}
	TH_LOG("removed before the end in %d of %d rounds", first, RACE_ROUNDS);
	reader_close(&q);
}

/* A thread that changes the filesystem at "m" in a loop */
struct remounter {
	pthread_t thread;
	int stop;
	unsigned long done;
};

static void *remounter_run(void *arg)
{
	struct remounter *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
		w->done += !do_reconfigure("m", NULL);
	return NULL;
}

/* The state of "m" according to the records */
struct seen {
	__u64 mnt, sb;	/* 0 while it is not mounted */
	bool changed;	/* since it was mounted */
	bool lost;	/* the record of a mount or unmount may be lost */
};

/* False if the record does not follow from those before */
static bool see_record(struct seen *s, const union watch_record *r, __u64 base)
{
	const struct mount_notification *n = &r->mount;
	bool same = s->lost || (n->mnt_id == s->mnt && n->sb_id == s->sb);

	if (is_loss(r)) {
		s->lost = true;
		return true;
	}
	if (r->watch.type != MOUNT)
		return false;
	switch (r->watch.subtype) {
	case NOTIFY_MOUNT_NEW:
		same = s->lost || !s->mnt;
		*s = (struct seen){ .mnt = n->mnt_id, .sb = n->sb_id };
		return same;
	case NOTIFY_MOUNT_UNMOUNT:
		*s = (struct seen){};
		return same;
	case NOTIFY_MOUNT_FS_CHANGED:
		s->changed |= n->mnt_id == s->mnt;
		return same || n->mnt_id == base;
	default:
		return false;
	}
}

/*
 * A filesystem is remounted while it is unmounted.  Its changes are only reported while
 * it is mounted.  While it is not, the other thread remounts that of BASE.
 */
TEST_F_TIMEOUT(ns, remount_concurrent, RACE_LIMIT)
{
	struct remounter remounter = {};
	struct seen seen = {};
	union watch_record r;
	struct reader q;
	int i, ret;

	reader_open(_metadata, &q, 4096);
	ASSERT_EQ(0, queue_watch(q.fd, MOUNT, self->ns, ID, 0));
	ASSERT_EQ(0, mkdir("m", 0755));
	ASSERT_EQ(0, pthread_create(&remounter.thread, NULL, remounter_run, &remounter));
	for (i = 0; i < RACE_ROUNDS; i++) {
		ASSERT_NE(0, tmpfs("m", 0));
		while (!(i & 3) && !seen.changed) {
			ASSERT_EQ(1, await_record(&q, &r));
			ASSERT_TRUE(see_record(&seen, &r, self->base))
				print_mount(1, &r);
		}
		ASSERT_EQ(0, do_umount("m", MNT_DETACH));
		while ((ret = next_record(&q, &r)) == 1)
			ASSERT_TRUE(see_record(&seen, &r, self->base))
				print_mount(1, &r);
		ASSERT_EQ(-EAGAIN, ret);
	}
	__atomic_store_n(&remounter.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(remounter.thread, NULL));
	EXPECT_GT(remounter.done, 0);
	TH_LOG("%lu remounts", remounter.done);
	reader_close(&q);
}

/* Mount filesystems on "t", "t/m" as the last of them; returns the ID of this mount, or 0 */
static __u64 many_mounts(void)
{
	char path[16];
	int i;

	if (mkdir("t", 0755) || !tmpfs("t", 0))
		return 0;
	for (i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "t/%d", i);
		if (mkdir(path, 0755) || !tmpfs(path, 0))
			return 0;
	}
	return mkdir("t/m", 0755) ? 0 : tmpfs("t/m", 0);
}

/* A thread that makes "t/m" read-only and writable again */
static void *toggle_run(void *arg)
{
	unsigned long rdonly = 0;
	int *stop = arg;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		rdonly ^= MS_RDONLY;
		do_mount(NULL, "t/m", NULL, MS_REMOUNT | MS_BIND | rdonly, NULL);
	}
	return NULL;
}

/*
 * Flags change while records are posted.  A record contains the flags that the records
 * before it reported, even if the mount is the last of many.
 */
TEST_F_TIMEOUT(ns, flags_concurrent, RACE_LIMIT)
{
	unsigned long nr_changes = 0, nr_others = 0;
	bool rdonly = false, is_rdonly;
	union watch_record r;
	int i, ret, stop = 0;
	pthread_t thread;
	struct reader q;
	__u64 m;

	/* If the other thread runs alone for a while, its changes must fit */
	reader_open(_metadata, &q, 65536);
	m = many_mounts();
	ASSERT_NE(0, m);
	ASSERT_EQ(0, queue_watch(q.fd, MOUNT, self->ns, ID, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, toggle_run, &stop));
	for (i = 0; i < RACE_ROUNDS || !nr_changes; i++) {
		ASSERT_EQ(0, do_mount(NULL, "t", NULL,
				      MS_REC | (i & 1 ? MS_PRIVATE : MS_SHARED), NULL));
		while ((ret = next_record(&q, &r)) == 1) {
			ASSERT_TRUE(r.watch.type == MOUNT);
			if (r.mount.mnt_id != m)
				continue;
			is_rdonly = r.watch.info & NOTIFY_MOUNT_IS_RDONLY;
			if (r.watch.subtype == NOTIFY_MOUNT_PROPAGATION) {
				nr_others++;
			} else {
				nr_changes++;
				rdonly = r.watch.subtype == NOTIFY_MOUNT_RDONLY;
			}
			ASSERT_EQ(rdonly, is_rdonly)
				print_mount(1, &r);
		}
		ASSERT_EQ(-EAGAIN, ret);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ((unsigned long)i, nr_others);
	TH_LOG("%lu changes of flags reported", nr_changes);
	reader_close(&q);
}

struct remount_thread {
	pthread_t thread;
	pthread_barrier_t *barrier;
	unsigned long flags;
};

static void *remount_run(void *arg)
{
	struct remount_thread *t = arg;
	int i;

	for (i = 0; i < RACE_ROUNDS; i++) {
		pthread_barrier_wait(t->barrier);
		do_mount(NULL, "t/m", NULL, MS_REMOUNT | MS_BIND | t->flags, NULL);
		pthread_barrier_wait(t->barrier);
	}
	return NULL;
}

/*
 * Two threads change a flag to different values while the records of another change are
 * posted.  Each change has a record.  The last one agrees with the state.
 */
TEST_F_TIMEOUT(ns, flags_back_concurrent, RACE_LIMIT)
{
	struct remount_thread threads[2] = { {}, { .flags = MS_RDONLY } };
	bool changed, is_rdonly = false;
	pthread_barrier_t barrier;
	union watch_record r;
	struct statvfs state;
	struct reader q;
	int i, j, ret;
	__u64 m;

	reader_open(_metadata, &q, 4096);
	m = many_mounts();
	ASSERT_NE(0, m);
	ASSERT_EQ(0, queue_watch(q.fd, MOUNT, self->ns, ID, 0));
	ASSERT_EQ(0, pthread_barrier_init(&barrier, NULL, 3));
	for (j = 0; j < 2; j++) {
		threads[j].barrier = &barrier;
		ASSERT_EQ(0, pthread_create(&threads[j].thread, NULL, remount_run,
					    &threads[j]));
	}
	for (i = 0; i < RACE_ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		ASSERT_EQ(0, do_mount(NULL, "t", NULL,
				      MS_REC | (i & 1 ? MS_PRIVATE : MS_SHARED), NULL));
		pthread_barrier_wait(&barrier);
		changed = false;
		while ((ret = next_record(&q, &r)) == 1) {
			ASSERT_TRUE(r.watch.type == MOUNT);
			if (r.mount.mnt_id != m ||
			    r.watch.subtype == NOTIFY_MOUNT_PROPAGATION)
				continue;
			changed = true;
			is_rdonly = !is_rdonly;
			ASSERT_TRUE(r.watch.subtype == (is_rdonly ? NOTIFY_MOUNT_RDONLY :
								    NOTIFY_MOUNT_RDWR));
		}
		ASSERT_EQ(-EAGAIN, ret);
		ASSERT_TRUE(changed);
		ASSERT_EQ(0, statvfs("t/m", &state));
		ASSERT_EQ(!!(state.f_flag & ST_RDONLY), is_rdonly);
	}
	for (j = 0; j < 2; j++)
		ASSERT_EQ(0, pthread_join(threads[j].thread, NULL));
	pthread_barrier_destroy(&barrier);
	reader_close(&q);
}

TEST_HARNESS_MAIN
