/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers of the tests.  Each wrapper returns the result of the system call, or
 * -errno.
 *
 * <linux/watch_queue.h> of 6.12 includes <linux/fcntl.h>, so <fcntl.h> cannot be
 * included as well.
 */
#ifndef _STABLE_COMMON_H
#define _STABLE_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <linux/keyctl.h>
#include <linux/watch_queue.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define KEY_RECORD	((int)sizeof(struct key_notification))

/* A record, as large as its length can be */
union record {
	struct watch_notification watch;
	struct key_notification key;
	unsigned char bytes[WATCH_INFO_LENGTH + 1];
};

static inline long neg(long ret)
{
	return ret < 0 ? -errno : ret;
}

static inline long keyctl(int op, unsigned long a, unsigned long b, unsigned long c)
{
	return neg(syscall(__NR_keyctl, op, a, b, c, 0));
}

/* Adds a key to a new session keyring, so that no key outlives the test */
static inline int key_new(void)
{
	long ret = keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0);

	if (ret < 0)
		return ret;
	return neg(syscall(__NR_add_key, "user", "test", "1", 1,
			   KEY_SPEC_SESSION_KEYRING));
}

/* Posts UPDATED */
static inline int key_update(int key)
{
	return keyctl(KEYCTL_UPDATE, key, (unsigned long)"2", 1);
}

/* Posts SETATTR, without holding a lock of the key */
static inline int key_touch(int key)
{
	return keyctl(KEYCTL_SET_TIMEOUT, key, 0, 0);
}

static inline int watch_add(int key, int fd, int id)
{
	return keyctl(KEYCTL_WATCH_KEY, key, fd, id);
}

static inline int watch_del(int key, int fd)
{
	return watch_add(key, fd, -1);
}

static inline int queue_new(int fd[2])
{
	return neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC));
}

static inline int queue_size(int fd, unsigned int nr)
{
	return neg(ioctl(fd, IOC_WATCH_QUEUE_SET_SIZE, nr));
}

static inline int queue_filter(int fd, const void *filter)
{
	return neg(ioctl(fd, IOC_WATCH_QUEUE_SET_FILTER, filter));
}

static inline void queue_close(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

/* Bytes in the queue */
static inline int queued(int fd)
{
	int bytes = -1;

	return ioctl(fd, FIONREAD, &bytes) < 0 ? -errno : bytes;
}

/* The length of the record is that of a record of a key, unless it is damaged */
static inline int read_record(int fd, union record *r)
{
	memset(r, 0, sizeof(*r));
	return neg(read(fd, r, sizeof(*r)));
}

static inline int run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return neg(sched_setaffinity(0, sizeof(set), &set));
}

#endif /* _STABLE_COMMON_H */
