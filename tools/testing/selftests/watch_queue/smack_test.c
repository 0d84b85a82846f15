// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: a security module refuses watches and records
 *
 * With Smack, a task needs read access to the label of a key to watch it.  A record is
 * posted if the task that causes the event has write access to the label of the watcher.
 * Records about other objects than keys and filesystems have no task that causes them.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common.h"

#define SMACKFS		"/sys/fs/smackfs"
#define SOME_USER	64391
#define TREE		"/tmp/smack_test"

/* Subject, object and access; a later rule replaces an earlier one */
static int rule(const char *text)
{
	return write_text(SMACKFS "/load2", text);
}

static int set_label(const char *label)
{
	return write_text("/proc/self/attr/current", label);
}

FIXTURE(smack)
{
	int fd[2];
	int key;
};

FIXTURE_SETUP(smack)
{
	if (geteuid() ||
	    (mount("smackfs", SMACKFS, "smackfs", 0, NULL) && errno != EBUSY))
		SKIP(return, "needs root and CONFIG_SECURITY_SMACK");
	ASSERT_EQ(0, rule("Watcher Owner rw"));
	ASSERT_EQ(0, rule("Poster Owner rw"));
	ASSERT_EQ(0, rule("Poster Watcher -"));
	/* Keys get the label of the task */
	ASSERT_EQ(0, set_label("Owner"));
	self->key = queue_open_with_key(_metadata, self->fd, "key");
	ASSERT_EQ(0, queue_size(self->fd[0], 8));
}

FIXTURE_TEARDOWN(smack)
{
	queue_close(self->fd);
}

static int add(int key, int fd)
{
	return watch_add_extended(key, fd, 1);
}

static int update(int key, int fd)
{
	return key_update(key);
}

static int expire(int key, int fd)
{
	return keyctl(KEYCTL_SET_TIMEOUT, key, 1, 0, 0);
}

/* Calls a function in a process of this user and with this label; 0 or -errno */
static int run_as_user(int user, const char *label, int (*call)(int object, int fd),
		       int object, int fd)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (set_label(label) || (user && become_user(user)))
			_exit(255);
		_exit(-call(object, fd));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

static int run_as(const char *label, int (*call)(int key, int fd), int key, int fd)
{
	return run_as_user(SOME_USER, label, call, key, fd);
}

static int run_as_root(const char *label, int (*call)(int object, int fd), int object,
		       int fd)
{
	return run_as_user(0, label, call, object, fd);
}

/* A watch is refused without read access to the key, and nothing is added. */
TEST_F(smack, watch)
{
	ASSERT_EQ(0, rule("Watcher Owner w"));
	EXPECT_EQ(-EACCES, run_as("Watcher", add, self->key, self->fd[0]));
	EXPECT_EQ(-EBADSLT, watch_del(self->key, self->fd[0]));
	ASSERT_EQ(0, rule("Watcher Owner rw"));
	EXPECT_EQ(0, run_as("Watcher", add, self->key, self->fd[0]));
}

/*
 * A record is not posted without write access to the watcher.  The access is that of
 * the task that added the watch, not of the task that opened the queue.
 */
TEST_F(smack, post)
{
	ASSERT_EQ(0, run_as("Watcher", add, self->key, self->fd[0]));
	ASSERT_EQ(0, run_as("Poster", update, self->key, -1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, rule("Poster Watcher w"));
	ASSERT_EQ(0, run_as("Poster", update, self->key, -1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* The kernel itself causes an expiry, and the removal of a watch. */
TEST_F(smack, kernel)
{
	ASSERT_EQ(0, run_as("Watcher", add, self->key, self->fd[0]));
	ASSERT_EQ(0, run_as("Poster", expire, self->key, -1));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 1, self->key, 0));
	EXPECT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
}

static void enter_namespace(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, neg(unshare(CLONE_NEWNS)));
	ASSERT_EQ(0, neg(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)));
	mkdir(TREE, 0755);
}

static int mount_tree(int object, int fd)
{
	return neg(mount("smack_test", TREE, "tmpfs", 0, NULL));
}

static int watch_filesystem(int object, int fd)
{
	return queue_watch(fd, WATCH_TYPE_SB_NOTIFY, object, 1, 0);
}

static int watch_mount(int object, int fd)
{
	return queue_watch(fd, WATCH_TYPE_MOUNT_NOTIFY, object, 1, 0);
}

static int remount_tree(int object, int fd)
{
	return neg(mount(NULL, TREE, NULL, MS_REMOUNT, "size=2M"));
}

static int set_nosuid(int object, int fd)
{
	return neg(mount(NULL, TREE, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
}

/* Reads all records; returns the number of those of this type and subtype */
static int count_records(int fd, __u32 type, __u32 subtype)
{
	union watch_record r;
	int nr = 0;

	/* One record at a time: a second one does not fit */
	while (neg(read(fd, &r, sizeof(r.mount))) > 0)
		nr += r.watch.type == type && r.watch.subtype == subtype;
	return nr;
}

#define GOT_SB(nr, subtype)						\
	EXPECT_EQ(nr, count_records(self->fd[0], WATCH_TYPE_SB_NOTIFY, NOTIFY_SB_##subtype))

/* Changes of filesystems are checked.  Changes of mounts have no task. */
TEST_F(smack, filesystem)
{
	int tree, ret;

	enter_namespace(_metadata);
	ASSERT_EQ(0, mount_tree(-1, -1));
	tree = open(TREE, O_PATH | O_CLOEXEC);
	ASSERT_GE(tree, 0);

	ret = run_as_root("Watcher", watch_filesystem, tree, self->fd[0]);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "CONFIG_SB_NOTIFICATIONS is not set");
	ASSERT_EQ(0, ret);
	GOT_SB(1, STATE);
	ASSERT_EQ(0, run_as_root("Poster", remount_tree, -1, -1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, rule("Poster Watcher w"));
	ASSERT_EQ(0, run_as_root("Poster", remount_tree, -1, -1));
	GOT_SB(1, RECONFIGURED);

	ASSERT_EQ(0, rule("Poster Watcher -"));
	ret = run_as_root("Watcher", watch_mount, tree, self->fd[0]);
	close(tree);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "CONFIG_MOUNT_NOTIFICATIONS is not set");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, run_as_root("Poster", set_nosuid, -1, -1));
	EXPECT_EQ(1, count_records(self->fd[0], WATCH_TYPE_MOUNT_NOTIFY,
				   NOTIFY_MOUNT_SETATTR));
}

/* A new filesystem is only reported to watchers that the task may write to. */
TEST_F(smack, new_filesystem)
{
	int ret;

	enter_namespace(_metadata);
	queue_close(self->fd);
	queue_open(_metadata, self->fd, O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(0, queue_size(self->fd[0], 1024));
	ret = run_as_root("Watcher", watch_filesystem, -1, self->fd[0]);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "CONFIG_SB_NOTIFICATIONS is not set");
	ASSERT_EQ(0, ret);
	EXPECT_LT(0, count_records(self->fd[0], WATCH_TYPE_SB_NOTIFY, NOTIFY_SB_STATE));
	ASSERT_EQ(0, run_as_root("Poster", mount_tree, -1, -1));
	GOT_SB(0, NEW);
	ASSERT_EQ(0, rule("Poster Watcher w"));
	ASSERT_EQ(0, run_as_root("Poster", mount_tree, -1, -1));
	GOT_SB(1, NEW);
}

TEST_HARNESS_MAIN
