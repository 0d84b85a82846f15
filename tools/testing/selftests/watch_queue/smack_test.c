// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: a security module refuses watches and records
 *
 * With Smack, a task needs read access to the label of a key to watch it.  A record is
 * posted if the task that causes the event has write access to the label of the watcher.
 */
#include <sys/mount.h>
#include <sys/wait.h>

#include "common.h"

#define SMACKFS		"/sys/fs/smackfs"
#define SOME_USER	64391

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

/* Calls a function in an unprivileged process with this label; 0 or -errno */
static int run_as(const char *label, int (*call)(int key, int fd), int key, int fd)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (set_label(label) || become_user(SOME_USER))
			_exit(255);
		_exit(-call(key, fd));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
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

TEST_HARNESS_MAIN
