// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: watches on keys, what is told about keys, and how a watch ends
 *
 * NOTIFY_KEY_INSTANTIATED has no test: a key cannot be watched before it is
 * instantiated, see keyctl_watch_key(), so nobody can be told.
 */
#include "common.h"

#define SOME_USER	64323

FIXTURE(queue)
{
	int fd[2];
	int key;
	int ring;
};

FIXTURE_SETUP(queue)
{
	session_open(_metadata);
	queue_open(_metadata, self->fd, O_NONBLOCK | O_CLOEXEC);
	self->key = key_new("key");
	ASSERT_GT(self->key, 0);
	self->ring = ring_new("ring");
	ASSERT_GT(self->ring, 0);
	ASSERT_EQ(0, queue_size(self->fd[0], 64));
}

FIXTURE_TEARDOWN(queue)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* Watch IDs are 0 to 255; -1 removes; all others are EINVAL, found first. */
TEST_F(queue, bad_id)
{
	EXPECT_EQ(-EINVAL, watch_add(self->key, self->fd[0], -2));
	EXPECT_EQ(-EINVAL, watch_add(self->key, self->fd[0], 256));
	EXPECT_EQ(-EINVAL, watch_add(self->key, self->fd[0], 0x7fffffff));
	EXPECT_EQ(-EINVAL, watch_add(0x7fffffff, -1, 256));
	EXPECT_EQ(0, watch_add(self->key, self->fd[0], 255));
	EXPECT_EQ(0, watch_add(self->ring, self->fd[0], 0));
}

/* The ID comes back with each record, all eight bits of it. */
TEST_F(queue, every_id)
{
	int id;

	for (id = 0; id < 256; id++) {
		ASSERT_EQ(0, watch_add(self->key, self->fd[0], id));
		ASSERT_TRUE(post(self->key, 1));
		ASSERT_TRUE(got_updated(self->fd[0], id, self->key));
		ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
		ASSERT_TRUE(got_removal(self->fd[0], id, self->key));
	}
}

/* The key is looked up before the queue: a bad one is ENOKEY. */
TEST_F(queue, bad_key)
{
	int gone = key_new("gone");

	EXPECT_EQ(-ENOKEY, watch_add(0x7fffffff, self->fd[0], 1));
	EXPECT_EQ(-ENOKEY, watch_add(0x7fffffff, -1, 1));
	EXPECT_EQ(-ENOKEY, watch_del(0x7fffffff, self->fd[0]));
	EXPECT_EQ(-EINVAL, watch_add(0, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, gone, 0, 0, 0));
	EXPECT_EQ(-EKEYREVOKED, watch_add(gone, self->fd[0], 1));
}

/* What is no open file is EBADF ... */
TEST_F(queue, bad_fd)
{
	int path, closed;

	EXPECT_EQ(-EBADF, watch_add(self->key, -1, 1));
	EXPECT_EQ(-EBADF, watch_del(self->key, -1));
	closed = dup(self->fd[0]);
	ASSERT_GE(closed, 0);
	ASSERT_EQ(0, close(closed));
	EXPECT_EQ(-EBADF, watch_add(self->key, closed, 1));
	path = open("/proc", O_PATH);
	ASSERT_GE(path, 0);
	EXPECT_EQ(-EBADF, watch_add(self->key, path, 1));
}

/* ... and an open file that is no queue is EINVAL. */
TEST_F(queue, no_queue)
{
	int plain[2], dir;

	ASSERT_EQ(0, pipe(plain));
	dir = open("/proc", O_RDONLY);
	ASSERT_GE(dir, 0);
	EXPECT_EQ(-EINVAL, watch_add(self->key, plain[0], 1));
	EXPECT_EQ(-EINVAL, watch_add(self->key, plain[1], 1));
	EXPECT_EQ(-EINVAL, watch_del(self->key, plain[0]));
	EXPECT_EQ(-EINVAL, watch_add(self->key, dir, 1));
}

/* Watching takes View permission on the key: EACCES without. */
TEST_F(queue, permission)
{
	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, self->key, 0x3e3e0000, 0, 0));
	EXPECT_EQ(-EACCES, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(-EACCES, watch_add(self->key, -1, 1));
	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, self->key, 0x3f3f0000, 0, 0));
	EXPECT_EQ(0, watch_add(self->key, self->fd[0], 1));
}

/* A key is watched once by a queue, EBUSY, whatever the end and the ID. */
TEST_F(queue, duplicate)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(-EBUSY, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(-EBUSY, watch_add(self->key, self->fd[0], 2));
	EXPECT_EQ(-EBUSY, watch_add(self->key, self->fd[1], 1));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Removing a watch that is not there is EBADSLT, and tells nobody. */
TEST_F(queue, absent)
{
	EXPECT_EQ(-EBADSLT, watch_del(self->key, self->fd[0]));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(-EBADSLT, watch_del(self->ring, self->fd[0]));
	ASSERT_EQ(0, watch_del(self->key, self->fd[1]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	EXPECT_EQ(-EBADSLT, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Nor can a watch be removed through another queue. */
TEST_F(queue, absent_other_queue)
{
	int fd[2];

	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(-EBADSLT, watch_del(self->key, fd[0]));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
}

/* A watch set through the write end is as good as one through the read end. */
TEST_F(queue, write_end)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[1], 1));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	ASSERT_EQ(0, watch_del(self->key, self->fd[1]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
}

/* UPDATED: the payload was replaced, by KEYCTL_UPDATE or by add_key(). */
TEST_F(queue, updated)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	ASSERT_EQ(self->key, key_new("key"));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* LINKED: a link was made in a keyring, to a new key or to one there was. */
TEST_F(queue, linked)
{
	int key;

	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	key = key_new_in("user", "new", self->ring);
	ASSERT_GT(key, 0);
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring,
			    key));
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring,
			    self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* UNLINKED: a link was taken out of a keyring. */
TEST_F(queue, unlinked)
{
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	ASSERT_EQ(0, key_unlink(self->key, self->ring));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_UNLINKED, 1, self->ring,
			    self->key));
	EXPECT_EQ(-ENOENT, key_unlink(self->key, self->ring));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A move is a link and an unlink, each told to who watches that keyring. */
TEST_F(queue, moved)
{
	int other = ring_new("other");

	ASSERT_GT(other, 0);
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_MOVE, self->key, self->ring, other, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_UNLINKED, 1, self->ring,
			    self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, keyctl(KEYCTL_MOVE, self->key, other, self->ring, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring,
			    self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* CLEARED: one record, however many links there were. */
TEST_F(queue, cleared)
{
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	ASSERT_GT(key_new_in("user", "second", self->ring), 0);
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_CLEAR, self->ring, 0, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_CLEARED, 1, self->ring,
			    0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* REVOKED: once, and the key is still watched after it. */
TEST_F(queue, revoked)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, self->key, 0, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_REVOKED, 1, self->key, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, key_unlink(self->key, KEY_SPEC_SESSION_KEYRING));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
}

/* SETATTR: owner, permissions, time-out or restriction changed. */
TEST_F(queue, setattr)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 2));
	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, self->key, 0x3f3f0000, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 1, self->key));
	ASSERT_EQ(0, keyctl(KEYCTL_CHOWN, self->key, -1, getgid(), 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 1, self->key));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 1000, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 1, self->key));
	ASSERT_EQ(0, keyctl(KEYCTL_RESTRICT_KEYRING, self->ring, 0, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 2, self->ring));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* An operation that fails tells nobody. */
TEST_F(queue, failed)
{
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	EXPECT_EQ(-EOPNOTSUPP, key_update(self->ring));
	EXPECT_EQ(-ENOENT, key_unlink(self->key, self->ring));
	EXPECT_EQ(-ENOKEY, keyctl(KEYCTL_LINK, 0x7fffffff, self->ring, 0, 0));
	EXPECT_EQ(-EINVAL, keyctl(KEYCTL_SETPERM, self->ring, ~0UL, 0, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Keys that are not watched are not heard of, nor what lies in a keyring. */
TEST_F(queue, others)
{
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 3));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A queue watches many keys; each record says by ID and serial which it was. */
TEST_F(queue, many_keys)
{
	char name[16];
	int keys[32];
	int i;

	for (i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		keys[i] = key_new(name);
		ASSERT_GT(keys[i], 0);
		ASSERT_EQ(0, watch_add(keys[i], self->fd[0], i / 2));
	}
	for (i = 31; i >= 0; i--)
		ASSERT_TRUE(post(keys[i], 1));
	for (i = 31; i >= 0; i--)
		EXPECT_TRUE(got_updated(self->fd[0], i / 2, keys[i]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A key is watched by many queues, each with an ID of its own. */
TEST_F(queue, many_queues)
{
	int fd[8][2];
	int i;

	for (i = 0; i < 8; i++) {
		queue_open(_metadata, fd[i], O_NONBLOCK);
		ASSERT_EQ(0, queue_size(fd[i][0], 4));
		ASSERT_EQ(0, watch_add(self->key, fd[i][0], 100 + i));
	}
	ASSERT_TRUE(post(self->key, 1));
	for (i = 0; i < 8; i++)
		EXPECT_TRUE(got_updated(fd[i][0], 100 + i, self->key));

	/* Those that go, in whatever way, do not take others along. */
	ASSERT_EQ(0, watch_del(self->key, fd[3][0]));
	EXPECT_TRUE(got_removal(fd[3][0], 103, self->key));
	close(fd[5][0]);
	close(fd[5][1]);
	ASSERT_TRUE(post(self->key, 1));
	for (i = 0; i < 8; i++) {
		if (i == 5)
			continue;
		if (i != 3)
			EXPECT_TRUE(got_updated(fd[i][0], 100 + i, self->key));
		EXPECT_TRUE(got_nothing(fd[i][0]));
	}

	/* All that are left hear of the key's end. */
	ASSERT_EQ(0, key_unlink(self->key, KEY_SPEC_SESSION_KEYRING));
	for (i = 0; i < 8; i++) {
		if (i == 3 || i == 5)
			continue;
		ASSERT_EQ(POLLIN, poll_in(fd[i][0]));
		EXPECT_TRUE(got_removal(fd[i][0], 100 + i, self->key));
		EXPECT_TRUE(got_nothing(fd[i][0]));
	}
	EXPECT_TRUE(got_nothing(fd[3][0]));
}

/* Removing a watch is told with its ID and the key, and is the last of it. */
TEST_F(queue, removal)
{
	struct queue_info info;

	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 1));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(0, info.watches);

	/* The place is free for another. */
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 2));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 2, self->key));
}

/* A removal that finds the queue full is lost and counted. */
TEST_F(queue, removal_lost)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 64));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_updates(self->fd[0], 1, self->key, 64));
	EXPECT_TRUE(got_loss(self->fd[0], 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A watch does not keep a key: with its last link gone it goes, and is told. */
TEST_F(queue, removal_unlinked)
{
	struct queue_info info;

	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, key_unlink(self->key, KEY_SPEC_SESSION_KEYRING));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_TRUE(queue_info(self->fd[0], &info));
	EXPECT_EQ(0, info.watches);
	EXPECT_EQ(0, info.watch_lines);
}

/* The same when the keyring that held it is cleared or goes itself. */
TEST_F(queue, removal_with_keyring)
{
	int inner;

	inner = key_new_in("user", "inner", self->ring);
	ASSERT_GT(inner, 0);
	ASSERT_EQ(0, watch_add(inner, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_CLEAR, self->ring, 0, 0, 0));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, inner));

	inner = key_new_in("user", "inner", self->ring);
	ASSERT_GT(inner, 0);
	ASSERT_EQ(0, watch_add(inner, self->fd[0], 2));
	ASSERT_EQ(0, key_unlink(self->ring, KEY_SPEC_SESSION_KEYRING));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 2, inner));
}

/* INVALIDATED: the key is unlinked at once and collected. */
TEST_F(queue, removal_invalidated)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_INVALIDATE, self->key, 0, 0, 0));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_INVALIDATED, 1, self->key,
			    0));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A session keyring goes with the last process in the session. */
TEST_F(queue, removal_session)
{
	int ring, status;
	union record r;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		session_open(_metadata);
		_exit(watch_add(KEY_SPEC_SESSION_KEYRING, self->fd[1], 3) ||
		      key_touch(KEY_SPEC_SESSION_KEYRING));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	ASSERT_EQ(KEY_RECORD, read_one(self->fd[0], &r));
	ring = r.key.key_id;
	EXPECT_TRUE(is_key(&r, NOTIFY_KEY_SETATTR, 3, ring, 0));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 3, ring));
}

/*
 * Even where who opened the queue watched it, as long as its files are gone and
 * only somebody else's is left.
 */
TEST_F(queue, removal_session_reopened)
{
	int ready[2], go[2], fd[2], ring, reopened;
	char path[64];
	union record r;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		session_open(_metadata);
		queue_open(_metadata, fd, 0);
		_exit(queue_size(fd[0], 8) ||
		      watch_add(KEY_SPEC_SESSION_KEYRING, fd[0], 3) ||
		      key_touch(KEY_SPEC_SESSION_KEYRING) ||
		      write(ready[1], &fd[0], sizeof(int)) != sizeof(int) ||
		      close(go[1]) || read(go[0], &ring, 1));
	}
	ASSERT_EQ(sizeof(int), read(ready[0], &fd[0], sizeof(int)));
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd[0]);
	reopened = open(path, O_RDONLY | O_NONBLOCK);
	ASSERT_GE(reopened, 0);
	ASSERT_EQ(0, close(go[1]));
	ASSERT_EQ(pid, waitpid(pid, &ring, 0));
	ASSERT_EQ(0, ring);
	ASSERT_EQ(KEY_RECORD, read_one(reopened, &r));
	ring = r.key.key_id;
	ASSERT_EQ(POLLIN, poll_for(reopened, POLLIN, PATIENCE_MS) & POLLIN);
	EXPECT_TRUE(got_removal(reopened, 3, ring));
	close(reopened);
}

/* The end of the last watched key is the end of a queue without write end. */
TEST_F(queue, end_of_file)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	ASSERT_EQ(0, key_unlink(self->key, KEY_SPEC_SESSION_KEYRING));
	ASSERT_EQ(POLLHUP, poll_for(self->fd[0], 0, PATIENCE_MS));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	EXPECT_EQ(0, read(self->fd[0], &(union record){}, KEY_RECORD));
}

/* A watch survives the closing of either end alone. */
TEST_F(queue, one_end)
{
	int fd[2];

	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));

	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, queue_size(fd[0], 4));
	ASSERT_EQ(0, watch_add(self->key, fd[0], 2));
	ASSERT_EQ(0, close(fd[0]));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_EQ(-EBUSY, watch_add(self->key, fd[1], 2));
	EXPECT_EQ(0, watch_del(self->key, fd[1]));
	ASSERT_EQ(0, close(fd[1]));
}

/* Closing both ends removes the watches; the key is as it was before. */
TEST_F(queue, closed)
{
	int fd[2];
	int i;

	for (i = 0; i < 100; i++) {
		queue_open(_metadata, fd, O_NONBLOCK);
		if (i & 1)
			ASSERT_EQ(0, queue_size(fd[0], 4));
		ASSERT_EQ(0, watch_add(self->key, fd[i & 1], i));
		ASSERT_TRUE(post(self->key, i % 6));
		ASSERT_EQ(0, close(fd[0]));
		ASSERT_EQ(0, close(fd[1]));
		ASSERT_TRUE(post(self->key, 1));
	}
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
}

/* A queue is shared by fork(); the last process to close it ends it. */
TEST_F(queue, forked)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(key_update(self->key) ||
		      !got_updated(self->fd[0], 1, self->key) ||
		      watch_add(self->ring, self->fd[0], 2));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_TRUE(post(self->key, 1));
	ASSERT_EQ(0, keyctl(KEYCTL_CLEAR, self->ring, 0, 0, 0));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_CLEARED, 2, self->ring,
			    0));
}

/* A revoked key cannot be named any more; closing the queue ends its watch. */
TEST_F(queue, revoked_closed)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, self->key, 0, 0, 0));
	EXPECT_EQ(-EKEYREVOKED, watch_del(self->key, self->fd[0]));
	ASSERT_EQ(0, close(self->fd[0]));
	ASSERT_EQ(0, close(self->fd[1]));
	ASSERT_EQ(0, key_unlink(self->key, KEY_SPEC_SESSION_KEYRING));
	self->fd[0] = -1;
	self->fd[1] = -1;
}

/* Whoever set the watch, what others do to the key is told. */
TEST_F(queue, other_user)
{
	int status;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root, to become another user");
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(become_user(SOME_USER) || key_update(self->key));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

TEST_HARNESS_MAIN
