// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: watches on keys, their events, and the end of a watch
 */
#include "common.h"

#include <sys/mount.h>

#define SOME_USER	64323
#define GC_DELAY	"/proc/sys/kernel/keys/gc_delay"
#define PERSISTENT_EXPIRY "/proc/sys/kernel/keys/persistent_keyring_expiry"
#define REQUEST_KEY	"/sbin/request-key"

FIXTURE(queue)
{
	int fd[2];
	int key;
	int ring;
};

FIXTURE_SETUP(queue)
{
	self->key = queue_open_with_key(_metadata, self->fd, "key");
	self->ring = ring_new("ring");
	ASSERT_GT(self->ring, 0);
	ASSERT_EQ(0, queue_size(self->fd[0], 64));
}

FIXTURE_TEARDOWN(queue)
{
	queue_close(self->fd);
}

/* Lets the key expire, within two seconds */
static bool key_expire(int key)
{
	if (keyctl(KEYCTL_SET_TIMEOUT, key, 1, 0, 0))
		return false;
	while (keyctl(KEYCTL_DESCRIBE, key, 0, 0, 0) >= 0)
		sched_yield();
	return keyctl(KEYCTL_DESCRIBE, key, 0, 0, 0) == -EKEYEXPIRED;
}

/*
 * Watch IDs are 0 to 255, with or without KEY_WATCH_EXTENDED, and -1 to remove a watch.
 * Other values fail with EINVAL, which takes precedence.
 */
TEST_F(queue, bad_id)
{
	EXPECT_EQ(-EINVAL, watch_add(self->key, self->fd[0], -2));
	EXPECT_EQ(-EINVAL, watch_add(self->key, self->fd[0], 2 * KEY_WATCH_EXTENDED));
	EXPECT_EQ(-EINVAL, watch_add(self->key, self->fd[0], 0x7fffffff));
	EXPECT_EQ(-EINVAL, watch_add(0x7fffffff, -1, 512));
	EXPECT_EQ(0, watch_add(self->key, self->fd[0], 255));
	EXPECT_EQ(0, watch_add(self->ring, self->fd[0], 0));
}

/* Each record has all eight bits of the watch ID, and no flag. */
TEST_F(queue, every_id)
{
	int id;

	for (id = 0; id < 256; id++) {
		ASSERT_EQ(0, watch_add(self->key, self->fd[0],
				       id | (id & 1 ? KEY_WATCH_EXTENDED : 0)));
		ASSERT_TRUE(post(self->key, 1));
		ASSERT_TRUE(got_updated(self->fd[0], id, self->key));
		ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
		ASSERT_TRUE(got_removal(self->fd[0], id, self->key));
	}
}

/* The key is looked up before the queue: an unknown key fails with ENOKEY. */
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

/* A descriptor that is not an open file fails with EBADF. */
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

/* An open file that is not a queue fails with EINVAL. */
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

/* A watch requires View permission on the key, and fails with EACCES without. */
TEST_F(queue, permission)
{
	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, self->key, 0x3e3e0000, 0, 0));
	EXPECT_EQ(-EACCES, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(-EACCES, watch_add(self->key, -1, 1));
	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, self->key, 0x3f3f0000, 0, 0));
	EXPECT_EQ(0, watch_add(self->key, self->fd[0], 1));
}

/*
 * Records of a keyring have serial numbers of its keys, so a watch on a keyring also
 * requires that the caller can read it.
 */
TEST_F(queue, permission_keyring)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		session_open(_metadata);
		ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
		EXPECT_EQ(-EACCES, keyctl(KEYCTL_READ, self->ring, 0, 0, 0));
		EXPECT_EQ(-EACCES, watch_add(self->ring, self->fd[0], 2));
		EXPECT_EQ(-EACCES, watch_add(self->ring, -1, 2));
		EXPECT_EQ(-EBADSLT, watch_del(self->ring, self->fd[0]));
		_exit(_metadata->exit_code);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 3));
	ASSERT_EQ(0, watch_del(self->ring, self->fd[0]));
	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, self->ring, 0x3f030000, 0, 0));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		session_open(_metadata);
		_exit(watch_add(self->ring, self->fd[0], 2));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Search permission on a keyring that the caller possesses is sufficient, too. */
TEST_F(queue, permission_possessed)
{
	__u32 all_but_read = 0x3d000000;

	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, self->ring, all_but_read, 0, 0));
	EXPECT_EQ(0, watch_add(self->ring, self->fd[0], 1));
}

/* A special ID implies possession, also of a keyring that cannot be searched. */
TEST_F(queue, permission_special_id)
{
	__u32 view = 0x01010000;
	int session = keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);

	ASSERT_GT(session, 0);
	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, session, view, 0, 0));
	EXPECT_EQ(-EACCES, watch_add(session, self->fd[0], 1));
	EXPECT_EQ(0, watch_add(KEY_SPEC_SESSION_KEYRING, self->fd[0], 1));
}

/* A second watch of a queue on a key fails with EBUSY, for any ID and either end. */
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

/* Removing a watch that does not exist fails with EBADSLT and posts nothing. */
TEST_F(queue, remove_absent)
{
	EXPECT_EQ(-EBADSLT, watch_del(self->key, self->fd[0]));
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(-EBADSLT, watch_del(self->ring, self->fd[0]));
	ASSERT_EQ(0, watch_del(self->key, self->fd[1]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	EXPECT_EQ(-EBADSLT, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A watch cannot be removed through another queue. */
TEST_F(queue, remove_other_queue)
{
	int fd[2];

	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(-EBADSLT, watch_del(self->key, fd[0]));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
}

/* A watch can be added and removed through the write end. */
TEST_F(queue, write_end)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[1], 1));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	ASSERT_EQ(0, watch_del(self->key, self->fd[1]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
}

/* UPDATED is posted when KEYCTL_UPDATE or add_key() replaces the payload. */
TEST_F(queue, updated)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	ASSERT_EQ(self->key, key_new("key"));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* LINKED is posted for a link to a new key and to an existing key. */
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

/* UNLINKED is posted when a link is removed from a keyring. */
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

/*
 * A link displaces the link to another key of the same type and description: UNLINKED
 * is posted before LINKED.  Linking the same key again displaces nothing.
 */
TEST_F(queue, displaced)
{
	int first, second, same;

	ASSERT_EQ(0, watch_add_extended(self->ring, self->fd[0], 1));
	first = key_new_in("keyring", "inner", self->ring);
	ASSERT_GT(first, 0);
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring,
			    first));
	second = key_new_in("keyring", "inner", self->ring);
	ASSERT_GT(second, 0);
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_UNLINKED, 1, self->ring,
			    first));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring,
			    second));

	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring,
			    self->key));
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring,
			    self->key));
	same = key_new_in("user", "key", second);
	ASSERT_GT(same, 0);
	ASSERT_NE(same, self->key);
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, same, self->ring, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_UNLINKED, 1, self->ring,
			    self->key));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring,
			    same));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* UNLINKED is posted when garbage collection removes the link to a dead key. */
TEST_F(queue, collected)
{
	int dead;

	dead = key_new_in("user", "dead", self->ring);
	ASSERT_GT(dead, 0);
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	ASSERT_EQ(0, watch_add_extended(self->ring, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_INVALIDATE, dead, 0, 0, 0));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_UNLINKED, 1, self->ring,
			    dead));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* KEYCTL_MOVE posts UNLINKED to watches of the old keyring, LINKED to those of the new. */
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

/* CLEARED is posted once, for any number of links. */
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

/* REVOKED is posted once, and the watch persists. */
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

/* REVOKED of a keyring is posted without UNLINKED for each of its links. */
TEST_F(queue, revoked_keyring)
{
	int empty = ring_new("empty");

	ASSERT_GT(empty, 0);
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	ASSERT_EQ(0, watch_add_extended(self->ring, self->fd[0], 1));
	ASSERT_EQ(0, watch_add(empty, self->fd[0], 2));
	ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, self->ring, 0, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_REVOKED, 1, self->ring, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, empty, 0, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_REVOKED, 2, empty, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* EXPIRED is posted once when the key expires, and the watch persists. */
TEST_F(queue, expired)
{
	ASSERT_EQ(0, watch_add_extended(self->key, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 1000, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 1, self->key));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 1, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 1, self->key));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 1, self->key, 0));
	EXPECT_EQ(-EKEYEXPIRED, key_update(self->key));

	/* add_key() finds the expired key, and makes it valid */
	ASSERT_EQ(self->key, key_new("key"));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
	ASSERT_EQ(0, key_unlink(self->key, KEY_SPEC_SESSION_KEYRING));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
}

/* EXPIRED is posted to watches that were added after the timeout was set. */
TEST_F(queue, expired_watched_late)
{
	int fd[2];

	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, queue_size(fd[0], 8));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 3, 0, 0));
	ASSERT_EQ(0, watch_add_extended(self->key, self->fd[0], 1));
	ASSERT_EQ(0, watch_add_extended(self->key, fd[0], 2));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 1, self->key, 0));
	ASSERT_EQ(POLLIN, poll_in(fd[0]));
	EXPECT_TRUE(got_key(fd[0], NOTIFY_KEY_EXPIRED, 2, self->key, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Each of several keys posts EXPIRED, also those that expire after the first one. */
TEST_F(queue, expired_several)
{
	int late = key_new("late");

	ASSERT_LT(0, late);
	ASSERT_EQ(0, watch_add_extended(self->key, self->fd[0], 1));
	ASSERT_EQ(0, watch_add_extended(late, self->fd[0], 2));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 3, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 1, self->key));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, late, 5, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 2, late));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 1, self->key, 0));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 2, late, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* EXPIRED is not posted twice, for a revoked key, or for a cancelled timeout. */
TEST_F(queue, expired_once)
{
	int revoked = key_new("revoked"), later = key_new("later");
	int fence;

	ASSERT_GT(revoked, 0);
	ASSERT_GT(later, 0);
	/* A timeout ends with a full second: one of 1 may end before the key is watched */
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 3, 0, 0));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, later, 3, 0, 0));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, later, 0, 0, 0));
	ASSERT_EQ(0, watch_add_extended(self->key, self->fd[0], 1));
	ASSERT_EQ(0, watch_add_extended(revoked, self->fd[0], 2));
	ASSERT_EQ(0, watch_add_extended(later, self->fd[0], 3));
	ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, revoked, 0, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_REVOKED, 2, revoked, 0));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 1, self->key, 0));

	/* The expiry of another key checks all keys again */
	fence = key_new("fence");
	ASSERT_GT(fence, 0);
	ASSERT_EQ(0, watch_add_extended(fence, self->fd[0], 4));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, fence, 1, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 4, fence));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 4, fence, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* Expiry uses CLOCK_REALTIME: EXPIRED is posted when the clock is set forward. */
TEST_F(queue, expired_clock_set)
{
	struct timespec now;

	if (geteuid())
		SKIP(return, "needs root, to set the clock");
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 100000, 0, 0));
	ASSERT_EQ(0, watch_add_extended(self->key, self->fd[0], 1));
	ASSERT_EQ(0, clock_gettime(CLOCK_REALTIME, &now));
	now.tv_sec += 100001;
	ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &now));
	EXPECT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 1, self->key, 0));
	ASSERT_EQ(0, clock_gettime(CLOCK_REALTIME, &now));
	now.tv_sec -= 100001;
	ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &now));
}

/*
 * A key that expired and got a new timeout, which is reported, expires again.  Only
 * extended watches get these events.
 */
TEST_F(queue, expired_again)
{
	long keep = sysctl_get(PERSISTENT_EXPIRY);
	int ring, plain[2], i;

	if (geteuid() || keep < 0)
		SKIP(return, "needs root and " PERSISTENT_EXPIRY);
	queue_open(_metadata, plain, O_NONBLOCK);
	ASSERT_EQ(0, queue_size(plain[0], 8));
	ASSERT_EQ(0, sysctl_set(PERSISTENT_EXPIRY, 3));
	ring = keyctl(KEYCTL_GET_PERSISTENT, SOME_USER, KEY_SPEC_SESSION_KEYRING, 0, 0);
	EXPECT_GT(ring, 0);
	EXPECT_EQ(0, watch_add_extended(ring, self->fd[0], 1));
	EXPECT_EQ(0, watch_add(ring, plain[0], 1));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(POLLIN, poll_in(self->fd[0]));
		EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 1, ring, 0));
		EXPECT_EQ(ring, keyctl(KEYCTL_GET_PERSISTENT, SOME_USER,
				       KEY_SPEC_SESSION_KEYRING, 0, 0));
		EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_SETATTR, 1, ring, 0));
	}
	EXPECT_TRUE(got_nothing(plain[0]));
	queue_close(plain);
	EXPECT_EQ(0, sysctl_set(PERSISTENT_EXPIRY, keep));
}

/*
 * A watch without KEY_WATCH_EXTENDED only gets the events of Linux 5.8 to 6.12, because
 * existing programs do not expect others.  The extended watch of a second queue shows
 * when the other events were posted.
 */
TEST_F(queue, not_extended)
{
	int fd[2], first, second;

	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, queue_size(fd[0], 16));
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	ASSERT_EQ(0, watch_add_extended(self->ring, fd[0], 2));

	/* A link displaces another one */
	first = key_new_in("keyring", "inner", self->ring);
	ASSERT_GT(first, 0);
	second = key_new_in("keyring", "inner", self->ring);
	ASSERT_GT(second, 0);
	EXPECT_TRUE(got_key(fd[0], NOTIFY_KEY_LINKED, 2, self->ring, first));
	EXPECT_TRUE(got_key(fd[0], NOTIFY_KEY_UNLINKED, 2, self->ring, first));
	EXPECT_TRUE(got_key(fd[0], NOTIFY_KEY_LINKED, 2, self->ring, second));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring, first));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring, second));

	/* A link to a dead key is garbage-collected */
	ASSERT_EQ(0, keyctl(KEYCTL_INVALIDATE, second, 0, 0, 0));
	ASSERT_EQ(POLLIN, poll_in(fd[0]));
	EXPECT_TRUE(got_key(fd[0], NOTIFY_KEY_UNLINKED, 2, self->ring, second));

	/* A key expires */
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 3));
	ASSERT_EQ(0, watch_add_extended(self->key, fd[0], 4));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 1, 0, 0));
	EXPECT_TRUE(got_setattr(fd[0], 4, self->key));
	ASSERT_EQ(POLLIN, poll_in(fd[0]));
	EXPECT_TRUE(got_key(fd[0], NOTIFY_KEY_EXPIRED, 4, self->key, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 3, self->key));

	/* A keyring is revoked */
	first = key_new_in("user", "last", self->ring);
	ASSERT_GT(first, 0);
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_LINKED, 1, self->ring, first));
	ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, self->ring, 0, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_REVOKED, 1, self->ring, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* SETATTR is posted when owner, permissions, timeout or restriction change. */
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

/* An operation that fails posts nothing. */
TEST_F(queue, failed_operations)
{
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	EXPECT_EQ(-EOPNOTSUPP, key_update(self->ring));
	EXPECT_EQ(-ENOENT, key_unlink(self->key, self->ring));
	EXPECT_EQ(-ENOKEY, keyctl(KEYCTL_LINK, 0x7fffffff, self->ring, 0, 0));
	EXPECT_EQ(-EINVAL, keyctl(KEYCTL_SETPERM, self->ring, ~0UL, 0, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A watch on a keyring does not get the events of the keys in it. */
TEST_F(queue, unwatched_keys)
{
	ASSERT_EQ(0, keyctl(KEYCTL_LINK, self->key, self->ring, 0, 0));
	ASSERT_EQ(0, watch_add(self->ring, self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 3));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A queue can watch many keys; each record has the watch ID and the serial number. */
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

/* Many queues can watch a key, each with its own ID. */
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

	/* Removing a watch or closing a queue does not affect the other watches */
	ASSERT_EQ(0, watch_del(self->key, fd[3][0]));
	EXPECT_TRUE(got_removal(fd[3][0], 103, self->key));
	queue_close(fd[5]);
	ASSERT_TRUE(post(self->key, 1));
	for (i = 0; i < 8; i++) {
		if (i == 5)
			continue;
		if (i != 3)
			EXPECT_TRUE(got_updated(fd[i][0], 100 + i, self->key));
		EXPECT_TRUE(got_nothing(fd[i][0]));
	}

	/* Freeing the key posts REMOVAL to each remaining watch */
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

/* REMOVAL has the watch ID and the key, and is the last record of the watch. */
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

	/* The key can be watched again */
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 2));
	ASSERT_TRUE(post(self->key, 1));
	EXPECT_TRUE(got_updated(self->fd[0], 2, self->key));
}

/* A REMOVAL that finds the queue full is counted as lost. */
TEST_F(queue, removal_lost)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_TRUE(post(self->key, 64));
	ASSERT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_updates(self->fd[0], 1, self->key, 64));
	EXPECT_TRUE(got_loss(self->fd[0], 1));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A watch does not pin its key: REMOVAL is posted after the last link is removed. */
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

/* REMOVAL is posted when the only keyring with the key is cleared or freed. */
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

/* INVALIDATED is posted, and REMOVAL when the key is garbage-collected. */
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

/* Garbage collection of an expired key posts UNLINKED, then REMOVAL. */
TEST_F(queue, removal_expired)
{
	long delay = sysctl_get(GC_DELAY);
	int fd[2], dead;

	if (geteuid())
		SKIP(return, "needs root, to set " GC_DELAY);
	queue_open(_metadata, fd, O_NONBLOCK);
	ASSERT_EQ(0, queue_size(fd[0], 8));
	dead = key_new_in("user", "dead", self->ring);
	ASSERT_GT(dead, 0);
	ASSERT_EQ(0, watch_add_extended(self->ring, self->fd[0], 1));
	ASSERT_EQ(0, watch_add_extended(dead, fd[0], 2));
	ASSERT_EQ(0, sysctl_set(GC_DELAY, 0));
	EXPECT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, dead, 1, 0, 0));
	EXPECT_TRUE(got_setattr(fd[0], 2, dead));
	EXPECT_EQ(POLLIN, poll_in(fd[0]));
	EXPECT_TRUE(got_key(fd[0], NOTIFY_KEY_EXPIRED, 2, dead, 0));
	EXPECT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_UNLINKED, 1, self->ring,
			    dead));
	EXPECT_EQ(POLLIN, poll_in(fd[0]));
	EXPECT_TRUE(got_removal(fd[0], 2, dead));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	EXPECT_EQ(0, sysctl_set(GC_DELAY, delay));
}

/* A watch does not pin a session keyring: REMOVAL is posted when its last process exits. */
TEST_F(queue, removal_session)
{
	int ring, status;
	union watch_record r;
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
 * A watch that the opener of the queue added does not pin the session keyring either.
 * Another process still has a file of the queue.
 */
TEST_F(queue, removal_session_reopened)
{
	int ready[2], go[2], fd[2], ring, reopened;
	char path[64];
	union watch_record r;
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
	ASSERT_EQ(POLLIN, poll_for(reopened, POLLIN, TIMEOUT_MS) & POLLIN);
	EXPECT_TRUE(got_removal(reopened, 3, ring));
	close(reopened);
}

/* Without a write end, freeing the last watched key is end of file. */
TEST_F(queue, end_of_file)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	ASSERT_EQ(0, key_unlink(self->key, KEY_SPEC_SESSION_KEYRING));
	ASSERT_EQ(POLLHUP, poll_for(self->fd[0], 0, TIMEOUT_MS));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	EXPECT_EQ(0, read(self->fd[0], &(union watch_record){}, KEY_RECORD));
}

/* A watch persists when only one end is closed. */
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

/* Closing both ends removes the watches; the key can be watched again. */
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

/* fork() shares a queue: parent and child can both read it and add watches. */
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

/* A watch on a revoked key can be removed. */
TEST_F(queue, remove_revoked)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, self->key, 0, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_REVOKED, 1, self->key, 0));
	EXPECT_EQ(-EKEYREVOKED, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	EXPECT_EQ(-EBADSLT, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A watch on an expired key can be removed. */
TEST_F(queue, remove_expired)
{
	union watch_record r;

	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_TRUE(key_expire(self->key));
	EXPECT_EQ(-EKEYEXPIRED, watch_add(self->key, self->fd[0], 1));
	EXPECT_EQ(0, watch_del(self->key, self->fd[0]));
	do {
		ASSERT_EQ(KEY_RECORD, read_one(self->fd[0], &r));
	} while (!is_removal(&r));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A watch can be removed without View permission on the key. */
TEST_F(queue, remove_forbidden)
{
	ASSERT_EQ(0, watch_add(self->key, self->fd[0], 1));
	ASSERT_EQ(0, keyctl(KEYCTL_SETPERM, self->key, 0, 0, 0));
	EXPECT_TRUE(got_setattr(self->fd[0], 1, self->key));
	EXPECT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
}

/* Removing a watch does not create a thread keyring; adding a watch does. */
TEST_F(queue, remove_creates_nothing)
{
	ASSERT_EQ(-ENOKEY, keyctl(KEYCTL_GET_KEYRING_ID,
				  KEY_SPEC_THREAD_KEYRING, 0, 0, 0));
	EXPECT_EQ(-ENOKEY, watch_del(KEY_SPEC_THREAD_KEYRING, self->fd[0]));
	EXPECT_EQ(-ENOKEY, keyctl(KEYCTL_GET_KEYRING_ID,
				  KEY_SPEC_THREAD_KEYRING, 0, 0, 0));
	EXPECT_EQ(0, watch_add(KEY_SPEC_THREAD_KEYRING, self->fd[0], 1));
	EXPECT_GT(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0,
			 0), 0);
	EXPECT_EQ(0, watch_del(KEY_SPEC_THREAD_KEYRING, self->fd[0]));
}

/* Closing a queue removes a watch on a revoked key, so that it is no longer charged. */
TEST_F(queue, revoked_closed)
{
	const struct rlimit limit = { .rlim_cur = 32, .rlim_max = 32 };
	int fd[2], key, i;

	ASSERT_EQ(0, drop_resource_capability());
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < 64; i++) {
		queue_open(_metadata, fd, O_NONBLOCK);
		key = key_new("revoked");
		ASSERT_GT(key, 0);
		ASSERT_EQ(0, watch_add(key, fd[0], 1));
		ASSERT_EQ(0, keyctl(KEYCTL_REVOKE, key, 0, 0, 0));
		queue_close(fd);
		ASSERT_EQ(0, key_unlink(key, KEY_SPEC_SESSION_KEYRING));
	}
}

/* A watch gets the events that other users cause. */
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

static int touched;

/* Posts SETATTR, without a lock, for the key in @arg; stops when that is negative */
static void *touch_keys(void *arg)
{
	int *shared = arg;
	int key;

	while ((key = __atomic_load_n(shared, __ATOMIC_ACQUIRE)) >= 0) {
		if (key && !key_touch(key))
			__atomic_store_n(&touched, key, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * The first watch of a key is added during posts.  KCSAN detects a poster that sees the
 * list of watches before its initialization.
 */
TEST_F(queue, first_watch_concurrent)
{
	int shared = 0, key, i;
	pthread_t thread;
	union watch_record r;

	ASSERT_EQ(0, pthread_create(&thread, NULL, touch_keys, &shared));
	for (i = 0; i < 300; i++) {
		key = key_new("fresh");
		ASSERT_GT(key, 0);
		__atomic_store_n(&shared, key, __ATOMIC_RELEASE);
		while (__atomic_load_n(&touched, __ATOMIC_ACQUIRE) != key)
			sched_yield();
		ASSERT_EQ(0, watch_add(key, self->fd[0], i % 256));
		ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
		__atomic_store_n(&shared, 0, __ATOMIC_RELEASE);
		while (read_one(self->fd[0], &r) > 0)
			;
		ASSERT_EQ(0, watch_del(key, self->fd[0]));
		do {
			ASSERT_LT(0, read_one(self->fd[0], &r));
		} while (!is_removal(&r));
		ASSERT_EQ((__u64)key, r.removal.id);
		ASSERT_EQ(0, key_unlink(key, KEY_SPEC_SESSION_KEYRING));
	}
	__atomic_store_n(&shared, -1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/*
 * Keys under construction.  If request_key() finds no key, the kernel creates an
 * uninstantiated one, links it, and runs /sbin/request-key.  Here this program is
 * mounted as /sbin/request-key.  It waits for an error code from the test.
 */
FIXTURE(construction)
{
	int fd[2];
	int go[2];
	int session;
	int key;
	pid_t requester;
};

FIXTURE_SETUP(construction)
{
	char callout[32];
	union watch_record r;
	pid_t pid;

	if (geteuid() || access(REQUEST_KEY, X_OK))
		SKIP(return, "needs root and " REQUEST_KEY);
	session_open(_metadata);
	queue_open(_metadata, self->fd, O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(0, queue_size(self->fd[0], 64));
	self->session = key_serial(KEY_SPEC_SESSION_KEYRING);
	ASSERT_EQ(0, watch_add(self->session, self->fd[0], 9));
	ASSERT_EQ(0, pipe2(self->go, O_CLOEXEC));
	ASSERT_EQ(0, mount("/proc/self/exe", REQUEST_KEY, NULL, MS_BIND, NULL));

	snprintf(callout, sizeof(callout), "%d %d", getpid(), self->go[0]);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(neg(syscall(__NR_request_key, "user", "asked for", callout,
				  self->session)) < 0 ? errno : 0);
	/* Do not set this in the child, which shares the memory of self */
	self->requester = pid;

	/* LINKED is posted before the key is instantiated */
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	ASSERT_EQ(KEY_RECORD, read_one(self->fd[0], &r));
	self->key = r.key.aux;
	ASSERT_TRUE(is_key(&r, NOTIFY_KEY_LINKED, 9, self->session, self->key));
	ASSERT_EQ(0, watch_add_extended(self->key, self->fd[0], 1));
	ASSERT_TRUE(got_nothing(self->fd[0]));
}

FIXTURE_TEARDOWN_PARENT(construction)
{
	if (!geteuid())
		umount2(REQUEST_KEY, MNT_DETACH);
}

/* The program as /sbin/request-key: argv is create, key, uid, ... */
static int construct(int key)
{
	int error = EIO, fd, go, pid;
	char text[64] = "";

	if (keyctl(KEYCTL_ASSUME_AUTHORITY, key, 0, 0, 0) < 0 ||
	    keyctl(KEYCTL_READ, KEY_SPEC_REQKEY_AUTH_KEY, (unsigned long)text,
		   sizeof(text) - 1, 0) < 0 ||
	    sscanf(text, "%d %d", &pid, &go) != 2)
		return 1;
	snprintf(text, sizeof(text), "/proc/%d/fd/%d", pid, go);
	fd = open(text, O_RDONLY);
	if (fd < 0 || read(fd, &error, sizeof(error)) != sizeof(error))
		return 1;
	if (error)
		return keyctl(KEYCTL_REJECT, key, 3600, error, 0) < 0;
	return keyctl(KEYCTL_INSTANTIATE, key, (unsigned long)"1", 1, 0) < 0;
}

/* Lets the key be constructed; returns the errno of request_key(), or 0 */
static int constructed(int go, pid_t requester, int error)
{
	int status;

	if (write(go, &error, sizeof(error)) != sizeof(error) ||
	    waitpid(requester, &status, 0) != requester || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* The flag I in /proc/keys */
static bool is_complete(int key)
{
	FILE *file = fopen("/proc/keys", "re");
	bool complete = false;
	unsigned int serial;
	char line[256], flag;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%x %c", &serial, &flag) == 2 && serial == key)
			complete = flag == 'I';
	if (file)
		fclose(file);
	return complete;
}

/* INSTANTIATED is posted when the key gets its payload. */
TEST_F(construction, instantiated)
{
	EXPECT_FALSE(is_complete(self->key));
	ASSERT_EQ(0, constructed(self->go[1], self->requester, 0));
	EXPECT_TRUE(is_complete(self->key));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_INSTANTIATED, 1, self->key,
			    0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
	ASSERT_EQ(0, key_update(self->key));
	EXPECT_TRUE(got_updated(self->fd[0], 1, self->key));
}

/* INSTANTIATED of a rejected key has the error; EXPIRED is posted when it expires. */
TEST_F(construction, rejected)
{
	ASSERT_EQ(EKEYREJECTED, constructed(self->go[1], self->requester,
					    EKEYREJECTED));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_INSTANTIATED, 1, self->key,
			    EKEYREJECTED));
	ASSERT_EQ(0, keyctl(KEYCTL_SET_TIMEOUT, self->key, 1, 0, 0));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_SETATTR, 1, self->key, 0));
	ASSERT_EQ(POLLIN, poll_in(self->fd[0]));
	EXPECT_TRUE(got_key(self->fd[0], NOTIFY_KEY_EXPIRED, 1, self->key, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

/* A watch on an uninstantiated key can be removed. */
TEST_F(construction, removed)
{
	EXPECT_EQ(0, watch_del(self->key, self->fd[0]));
	EXPECT_TRUE(got_removal(self->fd[0], 1, self->key));
	ASSERT_EQ(0, constructed(self->go[1], self->requester, 0));
	EXPECT_TRUE(got_nothing(self->fd[0]));
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "create"))
		return construct(atoi(argv[2]));
	return test_harness_run(argc, argv);
}
