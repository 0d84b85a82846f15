/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch queue test helpers
 *
 * Each wrapper returns the result of the system call, or -errno.  got_*() reads the
 * next record and returns true if it is the expected one.  Otherwise it prints the
 * record.
 */
#ifndef _SELFTESTS_WATCH_QUEUE_COMMON_H
#define _SELFTESTS_WATCH_QUEUE_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "watch_records.h"
#include "../kselftest_harness.h"

/* 30 seconds are too short for a kernel with sanitizers in an emulator */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	120

#define SLOT_SIZE	128	/* bytes of the queue per record */
#define MAX_RULES	16	/* rules in a filter */
#define DEFAULT_LIMIT	8192	/* records, with the default pipe-max-size */
#define HARD_LIMIT	8388608	/* records, with CAP_SYS_RESOURCE */
#define TIMEOUT_MS	25000	/* for an expected event; a test is killed after 120 s */
#define KEY_RECORD	sizeof(struct key_notification)
#define LOSS_RECORD	sizeof(struct watch_notification)

/* A filter with one rule more than the kernel accepts */
struct filter {
	__u32 nr_filters;
	__u32 reserved;
	struct watch_notification_type_filter rules[MAX_RULES + 1];
};

struct queue_info {
	unsigned int depth;
	unsigned int queued;
	unsigned long long posted;
	unsigned long long lost;
	unsigned int watches;
	unsigned int filter_lines;
	unsigned int watch_lines;
};

/* -errno instead of -1 */
static inline long neg(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* CLOCK_REALTIME, as in records with a time */
static inline __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline __u32 record_len(const union watch_record *r)
{
	return r->watch.info & WATCH_INFO_LENGTH;
}

static inline __u32 record_bits(const union watch_record *r)
{
	return r->watch.info >> WATCH_INFO_TYPE_INFO__SHIFT;
}

static inline bool is_loss(const union watch_record *r)
{
	return watch_record_is_meta(r, WATCH_META_LOSS_NOTIFICATION);
}

static inline bool is_removal(const union watch_record *r)
{
	return watch_record_is_meta(r, WATCH_META_REMOVAL_NOTIFICATION);
}

/* Keys.  Each test has its own session keyring, which its children inherit. */

static inline long keyctl(int op, unsigned long a, unsigned long b,
			  unsigned long c, unsigned long d)
{
	return neg(syscall(__NR_keyctl, op, a, b, c, d));
}

static inline int key_new_in(const char *type, const char *desc, int ring)
{
	bool payload = strcmp(type, "keyring");

	return neg(syscall(__NR_add_key, type, desc, payload ? "1" : NULL,
			   payload ? 1 : 0, ring));
}

static inline int key_new(const char *desc)
{
	return key_new_in("user", desc, KEY_SPEC_SESSION_KEYRING);
}

static inline int ring_new(const char *desc)
{
	return key_new_in("keyring", desc, KEY_SPEC_SESSION_KEYRING);
}

/* Posts UPDATED, while holding key->sem */
static inline int key_update(int key)
{
	return keyctl(KEYCTL_UPDATE, key, (unsigned long)"2", 1, 0);
}

/* Posts SETATTR, without a lock of the key */
static inline int key_touch(int key)
{
	return keyctl(KEYCTL_SET_TIMEOUT, key, 0, 0, 0);
}

static inline int key_unlink(int key, int ring)
{
	return keyctl(KEYCTL_UNLINK, key, ring, 0, 0);
}

static inline int watch_add(int key, int fd, int id)
{
	return keyctl(KEYCTL_WATCH_KEY, key, fd, id, 0);
}

static inline int watch_add_extended(int key, int fd, int id)
{
	return watch_add(key, fd, id | KEY_WATCH_EXTENDED);
}

static inline int watch_del(int key, int fd)
{
	return watch_add(key, fd, -1);
}

/* Serial number of a keyring, given its KEY_SPEC_ */
static inline int key_serial(int spec)
{
	return keyctl(KEYCTL_GET_KEYRING_ID, spec, 1, 0, 0);
}

/* Queues */

static inline int queue_size(int fd, unsigned long nr)
{
	return neg(ioctl(fd, IOC_WATCH_QUEUE_SET_SIZE, nr));
}

static inline int queue_filter(int fd, const void *filter)
{
	return neg(ioctl(fd, IOC_WATCH_QUEUE_SET_FILTER, filter));
}

/* IOC_WATCH_QUEUE_ADD_WATCH or IOC_WATCH_QUEUE_REMOVE_WATCH, with any size */
static inline int queue_watch_sized(int fd, unsigned long cmd, size_t size,
				    const void *args)
{
	return neg(ioctl(fd, _IOC(_IOC_WRITE, _IOC_TYPE(cmd), _IOC_NR(cmd),
				  size), args));
}

static inline int queue_watch(int fd, __u32 type, int object, __u32 id,
			      __u32 flags)
{
	struct watch_queue_watch args = {
		.type = type, .fd = object, .id = id, .flags = flags,
	};

	return neg(ioctl(fd, IOC_WATCH_QUEUE_ADD_WATCH, &args));
}

static inline int queue_unwatch(int fd, __u32 type, int object, __u32 flags)
{
	struct watch_queue_watch args = {
		.type = type, .fd = object, .flags = flags,
	};

	return neg(ioctl(fd, IOC_WATCH_QUEUE_REMOVE_WATCH, &args));
}

/* Removes all watches of a type that have the ID */
static inline int queue_unwatch_id(int fd, __u32 type, __u32 id)
{
	struct watch_queue_watch args = { .type = type, .fd = -1, .id = id };

	return neg(ioctl(fd, IOC_WATCH_QUEUE_REMOVE_WATCH, &args));
}

/* Skips the test if the kernel has no queues */
static inline void queue_open(struct __test_metadata *_metadata, int fd[2],
			      int flags)
{
	int ret = neg(pipe2(fd, O_NOTIFICATION_PIPE | flags));

	if (ret == -ENOPKG)
		SKIP(_exit(KSFT_SKIP), "CONFIG_WATCH_QUEUE is not set");
	ASSERT_EQ(0, ret);
}

static inline void queue_close(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

/* Joins a new session keyring, so that no key outlives the test */
static inline void session_open(struct __test_metadata *_metadata)
{
	if (access("/proc/key-users", F_OK))
		SKIP(_exit(KSFT_SKIP), "CONFIG_KEYS is not set");
	ASSERT_GT(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), 0);
	if (watch_add(KEY_SPEC_SESSION_KEYRING, -1, 0) == -EOPNOTSUPP)
		SKIP(_exit(KSFT_SKIP), "CONFIG_KEY_NOTIFICATIONS is not set");
}

/* Opens a queue for O_NONBLOCK, and returns a new key in a new session keyring */
static inline int queue_open_with_key(struct __test_metadata *_metadata, int fd[2],
				      const char *desc)
{
	int key;

	session_open(_metadata);
	queue_open(_metadata, fd, O_NONBLOCK | O_CLOEXEC);
	key = key_new(desc);
	ASSERT_GT(key, 0);
	return key;
}

/* Skips the test without root, or if the kernel has no queues or no keys */
static inline void require_root(struct __test_metadata *_metadata)
{
	int fd[2];

	session_open(_metadata);
	queue_open(_metadata, fd, 0);
	queue_close(fd);
	if (geteuid())
		SKIP(_exit(KSFT_SKIP), "needs root, to change limits and users");
}

/* Opens another file for either end of the queue */
static inline int queue_reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return neg(open(path, flags));
}

/* Copies the nth fdinfo line that starts with @prefix; counts from 0 */
static inline bool queue_info_line(int fd, const char *prefix, int nth,
				   char *line, size_t size)
{
	bool found = false;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, size, file)) {
		if (strncmp(line, prefix, strlen(prefix)))
			continue;
		found = !nth--;
	}
	fclose(file);
	line[strcspn(line, "\n")] = 0;
	return found;
}

/* True if fdinfo has each documented line, once and in order */
static inline bool queue_info(int fd, struct queue_info *info)
{
	char path[64], line[512];
	bool good = true;
	int step = 0;
	FILE *file;

	memset(info, 0, sizeof(*info));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "depth:\t%u\n", &info->depth) == 1)
			good &= step++ == 0;
		else if (sscanf(line, "queued:\t%u\n", &info->queued) == 1)
			good &= step++ == 1;
		else if (sscanf(line, "posted:\t%llu\n", &info->posted) == 1)
			good &= step++ == 2;
		else if (sscanf(line, "lost:\t%llu\n", &info->lost) == 1)
			good &= step++ == 3;
		else if (sscanf(line, "watches:\t%u\n", &info->watches) == 1)
			good &= step++ == 4;
		else if (!strncmp(line, "filter:\t", 8))
			info->filter_lines++;
		else if (!strncmp(line, "watch:\t", 7))
			info->watch_lines++;
	}
	fclose(file);
	return good && step == 5;
}

static inline int readable_bytes(int fd)
{
	int bytes = -1;
	int ret = neg(ioctl(fd, FIONREAD, &bytes));

	return ret < 0 ? ret : bytes;
}

/* Result of poll() after at most @timeout_ms; 0 without an event */
static inline int poll_for(int fd, int events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = neg(poll(&pfd, 1, timeout_ms));

	return ret < 0 ? ret : pfd.revents;
}

/* Result of poll() without waiting */
static inline int poll_now(int fd)
{
	return poll_for(fd, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM, 0);
}

/* Waits for an expected record */
static inline int poll_in(int fd)
{
	return poll_for(fd, POLLIN, TIMEOUT_MS);
}

/* Reads one record of a key: 16 bytes are too few for two records */
static inline int read_one(int fd, union watch_record *r)
{
	memset(r, 0, sizeof(*r));
	return neg(read(fd, r, KEY_RECORD));
}

/* Prints the record, or the result of read() if it is 0 or -errno */
static inline void print_record(int ret, const union watch_record *r)
{
	char data[3 * WATCH_INFO_LENGTH] = "";
	unsigned int i;
	int at = 0;

	if (ret < 0) {
		ksft_print_msg("got errno %d\n", -ret);
		return;
	}
	if (!ret) {
		ksft_print_msg("got end of file\n");
		return;
	}
	for (i = sizeof(r->watch); i < record_len(r); i++)
		at += sprintf(data + at, "%s%02x", i % 8 ? "" : " ", r->bytes[i]);
	ksft_print_msg("got type %u subtype %u info %08x data%s\n", r->watch.type,
		       r->watch.subtype, r->watch.info, data);
}

static inline bool is_key(const union watch_record *r, __u32 subtype, __u32 id,
			  int key, int aux)
{
	return record_len(r) == KEY_RECORD &&
	       r->watch.type == WATCH_TYPE_KEY_NOTIFY &&
	       r->watch.subtype == subtype && watch_record_id(r) == id &&
	       !record_bits(r) && r->key.key_id == (__u32)key &&
	       r->key.aux == (__u32)aux;
}

static inline bool got_key(int fd, __u32 subtype, __u32 id, int key,
			   int aux)
{
	union watch_record r;
	int ret = read_one(fd, &r);

	if (ret == KEY_RECORD && is_key(&r, subtype, id, key, aux))
		return true;
	print_record(ret, &r);
	return false;
}

static inline bool got_updated(int fd, __u32 id, int key)
{
	return got_key(fd, NOTIFY_KEY_UPDATED, id, key, 0);
}

static inline bool got_setattr(int fd, __u32 id, int key)
{
	return got_key(fd, NOTIFY_KEY_SETATTR, id, key, 0);
}

static inline bool got_removal(int fd, __u32 id, int key)
{
	union watch_record r;
	int ret = read_one(fd, &r);

	if (ret == sizeof(r.removal) && is_removal(&r) &&
	    record_len(&r) == sizeof(r.removal) && watch_record_id(&r) == id &&
	    !record_bits(&r) && r.removal.id == (__u64)key)
		return true;
	print_record(ret, &r);
	return false;
}

static inline bool got_loss(int fd, __u32 lost)
{
	union watch_record r;
	int ret = read_one(fd, &r);

	if (ret == LOSS_RECORD && is_loss(&r) &&
	    record_len(&r) == LOSS_RECORD && !watch_record_id(&r) &&
	    record_bits(&r) == lost)
		return true;
	print_record(ret, &r);
	return false;
}

/* The queue is empty and not at its end; for files with O_NONBLOCK */
static inline bool got_nothing(int fd)
{
	union watch_record r;
	int ret = read_one(fd, &r);

	if (ret == -EAGAIN)
		return true;
	print_record(ret, &r);
	return false;
}

/* Reads @nr records UPDATED */
static inline bool got_updates(int fd, __u32 id, int key, int nr)
{
	while (nr--)
		if (!got_updated(fd, id, key))
			return false;
	return true;
}

static inline bool post(int key, int nr)
{
	while (nr--)
		if (key_update(key))
			return false;
	return true;
}

/* Like post(), but faster; @spec may be a KEY_SPEC_ */
static inline bool post_cheap(int spec, unsigned long nr)
{
	while (nr--)
		if (key_touch(spec))
			return false;
	return true;
}

/* Number of posts in a long test: WATCH_QUEUE_POSTS in the environment */
static inline unsigned long nr_posts(void)
{
	const char *text = getenv("WATCH_QUEUE_POSTS");
	unsigned long nr = text ? strtoul(text, NULL, 0) : 0;

	if (!nr)
		nr = __BITS_PER_LONG == 64 ? 10000000 : 1000000;
	return nr;
}

/*
 * Threads.  A thread stores its ID right before a system call in which it sleeps.
 * thread_asleep() then waits until the state of the thread is S.
 */
static inline void thread_announce(int *tid)
{
	__atomic_store_n(tid, syscall(__NR_gettid), __ATOMIC_RELEASE);
}

static inline bool thread_asleep(int *tid)
{
	char path[64], line[512], *state;
	FILE *file;
	int id;

	for (;;) {
		id = __atomic_load_n(tid, __ATOMIC_ACQUIRE);
		if (!id) {
			sched_yield();
			continue;
		}
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", id);
		file = fopen(path, "re");
		if (!file)
			return false;
		state = fgets(line, sizeof(line), file);
		fclose(file);
		state = state ? strrchr(line, ')') : NULL;
		if (!state)
			return false;
		if (state[2] == 'S')
			return true;
		sched_yield();
	}
}

/* Waits for a child; its exit status, or -1 if a signal killed it */
static inline int child_status(pid_t pid)
{
	int status;

	if (pid <= 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Becomes an ordinary user permanently: call this in a child of the test */
static inline int become_user(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

/* Drops CAP_SYS_RESOURCE, which exempts root from the limit of watches */
static inline int drop_resource_capability(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(__NR_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1u << CAP_SYS_RESOURCE);
	return neg(syscall(__NR_capset, &header, data));
}

/* Writes to a file such as one of sysfs; 0 or -errno */
static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), len = strlen(text), ret;

	if (fd < 0)
		return -errno;
	ret = neg(write(fd, text, len));
	close(fd);
	if (ret < 0)
		return ret;
	return ret == len ? 0 : -EIO;
}

static inline long sysctl_get(const char *path)
{
	long value = -1;
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static inline int sysctl_set(const char *path, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", value);
	return write_text(path, text);
}

/* First number of the version of the kernel */
static inline int kernel_version(void)
{
	struct utsname name;

	return uname(&name) ? -1 : atoi(name.release);
}

#endif /* _SELFTESTS_WATCH_QUEUE_COMMON_H */
