// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: charges to memory cgroups and users, and large numbers of watches
 *
 * abi_test checks the limits of a single user.  No test here measures time.  To check
 * that the kernel reschedules during long work, another task on the same processor must
 * see the work half done.  The lockup detectors report what takes too long.
 */
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common.h"

#define CGROUP		"/sys/fs/cgroup/"
#define PIPE_MAX_SIZE	"/proc/sys/fs/pipe-max-size"
#define PIPE_SOFT	"/proc/sys/fs/pipe-user-pages-soft"
#define PIPE_HARD	"/proc/sys/fs/pipe-user-pages-hard"
#define USER_KEYS	"/proc/sys/kernel/keys/maxkeys"
#define USER_KEY_BYTES	"/proc/sys/kernel/keys/maxbytes"
#define ROOT_KEYS	"/proc/sys/kernel/keys/root_maxkeys"
#define MAX_WATCHES	"/proc/sys/user/max_watch_queue_watches"
#define ROOT_KEY_BYTES	"/proc/sys/kernel/keys/root_maxbytes"

/* Users that own nothing else, so that their charges start at 0 */
#define SOME_USER	64341
#define OTHER_USER	64342

/* The number after @key and white space in a file; -1 if there is none */
static long long number_of(const char *path, const char *key)
{
	long long value = -1;
	char line[256];
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), "%lld", &value);
	}
	fclose(file);
	return value;
}

/* The default in the initial user namespace.  Tests that change the limit restore it. */
TEST(default_limit)
{
	require_root(_metadata);
	EXPECT_EQ(128, sysctl_get(MAX_WATCHES));
}

#define MANY		100000

/* WATCH_QUEUE_WATCHES in the environment reduces the number on a slow kernel */
static int max_many(void)
{
	const char *text = getenv("WATCH_QUEUE_WATCHES");
	unsigned long nr = text ? strtoul(text, NULL, 0) : 0;

	return nr && nr < MANY ? nr : MANY;
}

/* A memory cgroup that only contains the test.  The parent removes it. */
#define RING_RECORDS	65536
#define RING_BYTES	((long long)RING_RECORDS * SLOT_SIZE)
#define MEBIBYTE	(1024LL * 1024)

FIXTURE(memcg)
{
	char dir[64];
};

static long long memcg_get(const char *dir, const char *file, const char *key)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return number_of(path, key);
}

static bool memcg_put(const char *dir, const char *file, long long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	snprintf(text, sizeof(text), "%lld", value);
	return !write_text(path, text);
}

/* The kernel charges batches of pages on each processor, so memory.current is inexact */
static long long memcg_slack(void)
{
	return 64 * sysconf(_SC_PAGESIZE) * sysconf(_SC_NPROCESSORS_CONF);
}

FIXTURE_SETUP(memcg)
{
	require_root(_metadata);
	write_text(CGROUP "cgroup.subtree_control", "+memory");
	snprintf(self->dir, sizeof(self->dir), CGROUP "watch_queue.%d",
		 getpid());
	if (mkdir(self->dir, 0755))
		SKIP(_exit(KSFT_SKIP), "no cgroup2 on " CGROUP);
	if (memcg_get(self->dir, "memory.current", "") < 0) {
		rmdir(self->dir);
		SKIP(_exit(KSFT_SKIP), "no memory controller in cgroup2: CONFIG_MEMCG is not set?");
	}
	ASSERT_TRUE(memcg_put(self->dir, "cgroup.procs", getpid()));
}

FIXTURE_TEARDOWN_PARENT(memcg)
{
	EXPECT_EQ(0, rmdir(self->dir));
}

/*
 * SET_SIZE charges the ring, and closing the queue uncharges it.  The charge is only
 * approximate.  The next test is exact.
 */
TEST_F(memcg, charged)
{
	long long slack = MEBIBYTE + memcg_slack();
	long long before, after;
	int fd[2];

	ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
	before = memcg_get(self->dir, "memory.current", "");
	ASSERT_GE(before, 0);
	ASSERT_EQ(0, queue_size(fd[0], RING_RECORDS));
	after = memcg_get(self->dir, "memory.current", "");
	EXPECT_GE(after, before + RING_BYTES - slack);
	queue_close(fd);
	after = memcg_get(self->dir, "memory.current", "");
	EXPECT_LE(after, before + slack);
}

/*
 * Closing a queue uncharges all memory.  If two bytes per record remained charged, the
 * last queue here would exceed the limit.  The kernel drains the per-CPU batches before
 * it refuses a charge.
 */
TEST_F(memcg, uncharged)
{
	int fd[2], i;

	ASSERT_TRUE(memcg_put(self->dir, "memory.max", RING_BYTES + 4 * MEBIBYTE));
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
		ASSERT_EQ(0, queue_size(fd[0], RING_RECORDS)) {
			TH_LOG("queue %d", i);
		}
		queue_close(fd);
	}
}

/* A ring beyond the limit fails with ENOMEM and does not invoke the OOM killer. */
TEST_F(memcg, too_large)
{
	int fd[2], i, limit;
	char path[128];

	ASSERT_TRUE(memcg_put(self->dir, "memory.max", RING_BYTES + 4 * MEBIBYTE));
	snprintf(path, sizeof(path), "%s/memory.max", self->dir);
	limit = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOMEM, queue_size(fd[0], 2 * RING_RECORDS));
		EXPECT_EQ(-ENOMEM, queue_size(fd[0], HARD_LIMIT));
	}
	/* A work item of Linux 7.1 frees the memory, so an open file might not fit yet */
	ASSERT_EQ(3, write(limit, "max", 3));
	EXPECT_EQ(0, memcg_get(self->dir, "memory.events", "oom_kill "));
	EXPECT_EQ(0, fcntl(fd[0], F_GETPIPE_SZ));
	EXPECT_EQ(0, queue_size(fd[0], RING_RECORDS));
	queue_close(fd);
	close(limit);
}

static bool is_32_bit(void)
{
	return sysctl_get("/sys/kernel/address_bits") == 32;
}

/*
 * Bytes that are charged for a watch on a key, at least.  The kernel charges the watch,
 * its credentials and the list of the key: 408 bytes, or 236 if its words have 32 bits.
 * Without the watch, these would be 272 or 168.
 */
static long long watch_charge(void)
{
	return is_32_bit() ? 214 : 370;
}

/* Watches on keys are charged.  The keys themselves are not. */
TEST_F(memcg, watches)
{
	const int nr = max_many() / 2;
	struct rlimit limit = { nr + 64, nr + 64 };
	long long before, after;
	int *keys, fd[2], ring, i;
	char name[16];

	keys = calloc(nr, sizeof(*keys));
	ASSERT_NE(NULL, keys);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	queue_open(_metadata, fd, O_NONBLOCK);
	ring = ring_new("ring");
	ASSERT_GT(ring, 0);
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%d", i);
		keys[i] = key_new_in("user", name, ring);
		ASSERT_GT(keys[i], 0);
	}
	before = memcg_get(self->dir, "memory.current", "");
	ASSERT_GE(before, 0);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, watch_add(keys[i], fd[0], 1));
	after = memcg_get(self->dir, "memory.current", "");
	EXPECT_GE(after, before + nr * watch_charge() - memcg_slack());
	queue_close(fd);
	free(keys);
}

/*
 * Watches that are added by ioctl are charged, too.  The list is shared, so the kernel
 * charges 335 bytes for a watch and its credentials.  Without the watch, these would be
 * 199.  Words of 32 bits save 68 bytes in each of the two.
 */
TEST_F(memcg, ioctl_watches)
{
	const int nr = max_many() / 2;
	struct rlimit limit = { 2 * nr + 64, 2 * nr + 64 };
	long long before, after;
	int (*fds)[2], i, ret;

	fds = calloc(nr, sizeof(*fds));
	ASSERT_NE(NULL, fds);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pipe2(fds[i], O_NOTIFICATION_PIPE));
	before = memcg_get(self->dir, "memory.current", "");
	ASSERT_GE(before, 0);
	for (i = 0; i < nr; i++) {
		ret = queue_watch(fds[i][0], WATCH_TYPE_DEVICE_NOTIFY, -1, 1, 0);
		if (ret == -EOPNOTSUPP)
			SKIP(return, "CONFIG_DEVICE_NOTIFICATIONS is not set");
		ASSERT_EQ(0, ret);
	}
	after = memcg_get(self->dir, "memory.current", "");
	EXPECT_GE(after, before + nr * (is_32_bit() ? 202LL : 270LL) - memcg_slack());
	for (i = 0; i < nr; i++)
		queue_close(fds[i]);
	free(fds);
}

/* Filters are charged: 712 bytes for 16 rules. */
TEST_F(memcg, filters)
{
	struct filter filter = { .nr_filters = MAX_RULES };
	const int nr = 4 * memcg_slack() / 712;
	struct rlimit limit = { 2 * nr + 64, 2 * nr + 64 };
	long long before, after;
	int (*fds)[2], i;

	fds = calloc(nr, sizeof(*fds));
	ASSERT_NE(NULL, fds);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < MAX_RULES; i++)
		filter.rules[i].type = WATCH_TYPE_KEY_NOTIFY;
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pipe2(fds[i], O_NOTIFICATION_PIPE));
	before = memcg_get(self->dir, "memory.current", "");
	ASSERT_GE(before, 0);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, queue_filter(fds[i][0], &filter));
	after = memcg_get(self->dir, "memory.current", "");
	EXPECT_GE(after, before + nr * 712LL - memcg_slack());
	for (i = 0; i < nr; i++)
		queue_close(fds[i]);
	free(fds);
}

/* Adds a watch to each of @nr mounts.  The kernel must charge @bytes for each, at least. */
static void watch_mounts(struct __test_metadata *_metadata, const char *cgroup, int nr,
			 const char *fs_type, __u32 type, __u32 flags, long long bytes)
{
	struct rlimit limit = { nr + 64, nr + 64 };
	long long before, after;
	int *mounts, fd[2], i, ret;
	char name[16];

	mounts = calloc(nr, sizeof(*mounts));
	ASSERT_NE(NULL, mounts);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("none", "/tmp", "tmpfs", 0, NULL));
	ASSERT_EQ(0, chdir("/tmp"));
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ASSERT_EQ(0, mkdir(name, 0700));
		ASSERT_EQ(0, mount(fs_type ? "none" : name, name, fs_type,
				   fs_type ? 0 : MS_BIND, NULL));
		mounts[i] = open(name, O_PATH | O_CLOEXEC);
		ASSERT_GE(mounts[i], 0);
	}
	queue_open(_metadata, fd, 0);
	before = memcg_get(cgroup, "memory.current", "");
	ASSERT_GE(before, 0);
	for (i = 0; i < nr; i++) {
		ret = queue_watch(fd[0], type, mounts[i], 1, flags);
		if (ret == -EOPNOTSUPP)
			SKIP(return, "the option of these events is not set");
		ASSERT_EQ(0, ret);
	}
	after = memcg_get(cgroup, "memory.current", "");
	EXPECT_GE(after, before + nr * bytes - memcg_slack());
	queue_close(fd);
	free(mounts);
}

/*
 * The roots of watched subtrees are charged: 511 bytes for a watch, its credentials, the
 * list of the mount and the root.  Without the root, these would be 407, which this test
 * detects with up to five processors.
 */
TEST_F(memcg, subtrees)
{
	watch_mounts(_metadata, self->dir, max_many() / 5, NULL, WATCH_TYPE_MOUNT_NOTIFY,
		     WATCH_SUBTREE, is_32_bit() ? 300 : 480);
}

/* The rate limits of a watched filesystem are charged: 4 KiB with the watch. */
TEST_F(memcg, filesystems)
{
	watch_mounts(_metadata, self->dir, 4 * memcg_slack() / 4096, "tmpfs",
		     WATCH_TYPE_SB_NOTIFY, 0, is_32_bit() ? 2048 : 4096);
}

/*
 * Two processes of the same user or of two users, in the initial user namespace or as
 * root of a namespace each.  The kernel's user ID determines who is charged.
 */
FIXTURE(users)
{
	long max_keys;
	long max_bytes;
	long max_size;
	long soft;
	long hard;
	long max_watches;
};

FIXTURE_VARIANT(users)
{
	bool namespaces;
	bool same;
};

FIXTURE_VARIANT_ADD(users, same) {
	.same = true,
};

FIXTURE_VARIANT_ADD(users, different) {
	.same = false,
};

FIXTURE_VARIANT_ADD(users, namespaces_same) {
	.namespaces = true,
	.same = true,
};

FIXTURE_VARIANT_ADD(users, namespaces_different) {
	.namespaces = true,
	.same = false,
};

FIXTURE_SETUP(users)
{
	require_root(_metadata);
	if (variant->namespaces && access("/proc/self/uid_map", F_OK))
		SKIP(_exit(KSFT_SKIP), "CONFIG_USER_NS is not set");
	self->max_keys = sysctl_get(USER_KEYS);
	self->max_bytes = sysctl_get(USER_KEY_BYTES);
	self->max_size = sysctl_get(PIPE_MAX_SIZE);
	self->soft = sysctl_get(PIPE_SOFT);
	self->hard = sysctl_get(PIPE_HARD);
	self->max_watches = sysctl_get(MAX_WATCHES);
	ASSERT_GT(self->max_keys, 0);
	ASSERT_GT(self->max_bytes, 0);
	ASSERT_GT(self->max_size, 0);
	ASSERT_GT(self->max_watches, 0);
	ASSERT_GE(self->soft, 0);
	ASSERT_GE(self->hard, 0);
	/* Keys of exited processes are charged until garbage collection */
	ASSERT_EQ(0, sysctl_set(USER_KEYS, 10000));
	ASSERT_EQ(0, sysctl_set(USER_KEY_BYTES, 1000000));
}

FIXTURE_TEARDOWN_PARENT(users)
{
	EXPECT_EQ(0, sysctl_set(USER_KEYS, self->max_keys));
	EXPECT_EQ(0, sysctl_set(USER_KEY_BYTES, self->max_bytes));
	EXPECT_EQ(0, sysctl_set(PIPE_MAX_SIZE, self->max_size));
	EXPECT_EQ(0, sysctl_set(PIPE_SOFT, self->soft));
	EXPECT_EQ(0, sysctl_set(PIPE_HARD, self->hard));
	EXPECT_EQ(0, sysctl_set(MAX_WATCHES, self->max_watches));
}

#define MAX_HELD	40	/* watches, or queues */

/* A process that acquires as much as it can and holds it until it is stopped */
struct holder {
	pid_t pid;
	int socket;
};

/* Both return -1 if the other process is gone */
static int send_number(int socket, int number)
{
	return write(socket, &number, sizeof(number)) == sizeof(number) ? 0 : -1;
}

static int receive_number(int socket)
{
	int number;

	return read(socket, &number, sizeof(number)) == sizeof(number) ?
	       number : -1;
}

static int hold_watches(int max)
{
	int fd[2], key[MAX_HELD + 1], got;
	char name[16];

	if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) < 0 ||
	    pipe2(fd, O_NOTIFICATION_PIPE))
		return -1;
	for (got = 0; got <= MAX_HELD; got++) {
		snprintf(name, sizeof(name), "held%d", got);
		key[got] = key_new(name);
		if (key[got] < 0)
			return -1;
	}
	for (got = 0; got < max; got++)
		if (watch_add(key[got], fd[0], got))
			return errno == EAGAIN ? got : -1;
	return got;
}

/* Opens queues of five pages each: four for records, one for the rest of the ring */
static int hold_pages(int max)
{
	unsigned long records = 4 * sysconf(_SC_PAGESIZE) / SLOT_SIZE;
	int fd[2], got;

	for (got = 0; got < max; got++) {
		if (pipe2(fd, O_NOTIFICATION_PIPE))
			return errno == ENFILE ? got : -1;
		if (queue_size(fd[0], records))
			return errno == EPERM ? got : -1;
	}
	return got;
}

static void hold(int socket, bool namespaces, uid_t uid, int (*take)(int max),
		 int max)
{
	if (become_user(uid))
		_exit(1);
	/* The user owns the namespace and is root in it */
	if (namespaces && (unshare(CLONE_NEWUSER) || send_number(socket, 0) ||
			   receive_number(socket) || become_user(0)))
		_exit(1);
	if (send_number(socket, take(max)))
		_exit(1);
	receive_number(socket);
	_exit(0);
}

/* Maps root of the process's namespace to an ordinary user */
static bool map_root_to(pid_t pid, uid_t uid)
{
	char path[64], map[32];

	snprintf(map, sizeof(map), "0 %d 1\n", uid);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (write_text(path, map))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	return !write_text(path, map);
}

/* Returns how many items the process acquired, at most @max */
static int holder_start(struct holder *h, bool namespaces, uid_t uid,
			int (*take)(int max), int max)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	h->socket = pair[0];
	h->pid = fork();
	if (h->pid < 0)
		return -1;
	if (!h->pid) {
		close(pair[0]);
		hold(pair[1], namespaces, uid, take, max);
	}
	close(pair[1]);
	if (namespaces && (receive_number(h->socket) || !map_root_to(h->pid, uid) ||
			   send_number(h->socket, 0)))
		return -1;
	return receive_number(h->socket);
}

/* Once the process is reaped, its items are uncharged */
static bool holder_stop(struct holder *h)
{
	int status;

	return !send_number(h->socket, 0) && !close(h->socket) &&
	       waitpid(h->pid, &status, 0) == h->pid && !status;
}

/* The first acquires some items, the second the rest; the third what the first freed. */
static void share(struct __test_metadata *_metadata, bool namespaces, bool same,
		  int (*take)(int max), int all, int some)
{
	uid_t other = same ? SOME_USER : OTHER_USER;
	struct holder a, b, c;

	ASSERT_EQ(some, holder_start(&a, namespaces, SOME_USER, take,
				     some));
	EXPECT_EQ(same ? all - some : all,
		  holder_start(&b, namespaces, other, take,
			       MAX_HELD + 1));
	EXPECT_TRUE(holder_stop(&a));
	EXPECT_EQ(same ? some : all,
		  holder_start(&c, namespaces, SOME_USER, take,
			       MAX_HELD + 1));
	EXPECT_TRUE(holder_stop(&b));
	EXPECT_TRUE(holder_stop(&c));
}

/* The limit of watches applies to a user together with the namespaces it owns. */
TEST_F(users, watches)
{
	ASSERT_EQ(0, sysctl_set(MAX_WATCHES, MAX_HELD));
	share(_metadata, variant->namespaces, variant->same, hold_watches,
	      MAX_HELD, 12);
}

/*
 * The limit of pipe pages applies to a user in all its namespaces.  A pipe is charged
 * 16 pages until SET_SIZE, and 5 pages afterwards.  With a limit of 116 pages, the 21st
 * queue is the last one.
 */
TEST_F(users, pages)
{
	ASSERT_EQ(0, sysctl_set(PIPE_SOFT, 0));
	ASSERT_EQ(0, sysctl_set(PIPE_HARD, 116));
	share(_metadata, variant->namespaces, variant->same, hold_pages,
	      21, 9);
}

/* True if the limits apply to the caller */
static int meet_limits(int max)
{
	int fd[2];

	return !pipe2(fd, O_NOTIFICATION_PIPE) &&
	       queue_size(fd[0], max + 1) == -EINVAL &&
	       queue_size(fd[0], max) == -EPERM;
}

/* Root of a user namespace is not exempt from the limits. */
TEST_F(users, no_privilege)
{
	long page = sysconf(_SC_PAGESIZE);
	struct holder a;

	ASSERT_EQ(0, sysctl_set(PIPE_MAX_SIZE, 32 * page));
	ASSERT_EQ(0, sysctl_set(PIPE_HARD, 32));
	EXPECT_EQ(1, holder_start(&a, variant->namespaces, SOME_USER,
				  meet_limits, 32 * page / SLOT_SIZE));
	EXPECT_TRUE(holder_stop(&a));
}

/*
 * Large numbers of watches.  A queue has at most one watch on an object, so 100,000
 * watches on one object need as many queues.  Only their read ends stay open, for
 * which root raises RLIMIT_NOFILE.  100,000 watches of one queue need as many keys,
 * for which root raises its key quota.  Removing the watches must take several clock
 * ticks.
 */
#define MANY_FILES	(MANY + 1000)
#define SPARE		5		/* watch ID */

FIXTURE(scale)
{
	long max_keys;
	long max_bytes;
	long soft;
	long max_watches;
	int max;		/* number of items to create */
	int nr;			/* number of items created */
	int *item;		/* keys or queues */
};

FIXTURE_SETUP(scale)
{
	struct rlimit limit = {
		.rlim_cur = MANY_FILES, .rlim_max = MANY_FILES,
	};

	require_root(_metadata);
	self->max_keys = sysctl_get(ROOT_KEYS);
	self->max_bytes = sysctl_get(ROOT_KEY_BYTES);
	self->soft = sysctl_get(PIPE_SOFT);
	ASSERT_GT(self->max_keys, 0);
	ASSERT_GT(self->max_bytes, 0);
	ASSERT_GE(self->soft, 0);
	ASSERT_EQ(0, sysctl_set(ROOT_KEYS, 1000000));
	ASSERT_EQ(0, sysctl_set(ROOT_KEY_BYTES, 25000000));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	self->max_watches = sysctl_get(MAX_WATCHES);
	ASSERT_GT(self->max_watches, 0);
	ASSERT_EQ(0, sysctl_set(MAX_WATCHES, MANY_FILES));

	self->max = max_many();
	self->item = calloc(self->max, sizeof(*self->item));
	ASSERT_TRUE(!!self->item);
}

FIXTURE_TEARDOWN_PARENT(scale)
{
	EXPECT_EQ(0, sysctl_set(ROOT_KEYS, self->max_keys));
	EXPECT_EQ(0, sysctl_set(ROOT_KEY_BYTES, self->max_bytes));
	EXPECT_EQ(0, sysctl_set(PIPE_SOFT, self->soft));
	EXPECT_EQ(0, sysctl_set(MAX_WATCHES, self->max_watches));
}

/* True if @nr items are enough: all of them, or as many as memory allows */
static bool enough(int nr, int max)
{
	long long left, all;

	if (nr % 1000 || nr == max)
		return nr == max;
	left = number_of("/proc/meminfo", "MemAvailable:");
	all = number_of("/proc/meminfo", "MemTotal:");
	return left < all / 8;
}

/* Binds this thread, and threads that it creates, to the current processor */
static bool bind_to_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/*
 * Garbage collection frees the key on this processor and removes the watch of the last
 * queue first.  True if this thread ran while it removed watches.
 */
static bool removal_yields(const int *queue, int nr)
{
	bool first, last, seen = false;

	do {
		first = poll_now(queue[nr - 1]) & POLLIN;
		last = poll_now(queue[0]) & POLLIN;
		seen |= first && !last;
	} while (!last);

	return seen;
}

/*
 * One key has a watch of many queues.  Each queue gets each record, and freeing the key
 * reschedules while it removes the watches.
 */
TEST_F_TIMEOUT(scale, one_object, 1200)
{
	int key = key_new("popular"), fd[2], i;
	union watch_record r;

	ASSERT_GT(key, 0);
	ASSERT_TRUE(bind_to_cpu());
	for (i = 0; !enough(i, self->max); i++) {
		ASSERT_EQ(0, neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK)));
		ASSERT_EQ(0, queue_size(fd[0], 2));
		ASSERT_EQ(0, watch_add(key, fd[0], i & 0xff));
		ASSERT_EQ(0, close(fd[1]));
		self->item[i] = fd[0];
	}
	self->nr = i;
	TH_LOG("%d queues", self->nr);
	ASSERT_GE(self->nr, 1000);
	ASSERT_EQ(-EBUSY, watch_add(key, self->item[0], 1));
	ASSERT_EQ(0, watch_del(key, self->item[1]));
	ASSERT_EQ(0, watch_add(key, self->item[1], 1));
	ASSERT_TRUE(got_removal(self->item[1], 1, key));

	ASSERT_EQ(0, key_touch(key));
	for (i = 0; i < self->nr; i++)
		ASSERT_TRUE(got_setattr(self->item[i], i & 0xff, key));

	ASSERT_EQ(0, key_unlink(key, KEY_SPEC_SESSION_KEYRING));
	EXPECT_TRUE(removal_yields(self->item, self->nr));
	for (i = 0; i < self->nr; i++) {
		ASSERT_TRUE(got_removal(self->item[i], i & 0xff, key));
		ASSERT_EQ(0, read_one(self->item[i], &r));
		ASSERT_EQ(0, close(self->item[i]));
	}
}

/* A thread on the same processor while a queue is closed */
struct observer {
	pthread_t thread;
	int fd;			/* another queue */
	int key;
	int nr;			/* watches on the queue that is closed */
	bool ready;
	bool seen;		/* ran after the first and before the last removal */
	bool error;
};

/* True if the user has fewer than @nr watches, found by setting the limit */
static bool fewer_than(struct observer *obs, int nr)
{
	struct rlimit limit = { .rlim_cur = nr, .rlim_max = MANY_FILES };
	int ret;

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		obs->error = true;
		return true;
	}
	ret = watch_add(obs->key, obs->fd, SPARE);
	if (!ret && watch_del(obs->key, obs->fd))
		ret = -EBADSLT;
	obs->error |= ret && ret != -EAGAIN;
	return ret != -EAGAIN;
}

static void *observer_run(void *arg)
{
	struct observer *obs = arg;
	bool begun, done;

	__atomic_store_n(&obs->ready, true, __ATOMIC_RELEASE);
	do {
		begun = fewer_than(obs, obs->nr);
		done = fewer_than(obs, 1);
		obs->seen |= begun && !done;
	} while (!done);
	return NULL;
}

/* True if the observer ran while close() removed watches */
static bool close_yields(int fd[2], int other, int key, int nr)
{
	struct observer obs = { .fd = other, .key = key, .nr = nr };

	if (!bind_to_cpu() || close(fd[1]) ||
	    pthread_create(&obs.thread, NULL, observer_run, &obs))
		return false;
	while (!__atomic_load_n(&obs.ready, __ATOMIC_ACQUIRE))
		sched_yield();
	return !close(fd[0]) && !pthread_join(obs.thread, NULL) &&
	       !obs.error && obs.seen;
}

/* Reads a record of each key in order, and no other record */
static bool got_many(int fd, const int *key, int nr)
{
	struct key_notification n[4096];
	int at = 0, len, i;

	while ((len = neg(read(fd, n, sizeof(n)))) > 0) {
		for (i = 0; i < len / (int)sizeof(*n); i++, at++) {
			union watch_record r = { .key = n[i] };

			if (at == nr ||
			    !is_key(&r, NOTIFY_KEY_SETATTR, at & 0xff,
				    key[at], 0))
				return false;
		}
	}
	return len == -EAGAIN && at == nr;
}

/*
 * One queue watches many keys.  It gets a record of each, and closing it reschedules
 * while it removes the watches.
 */
TEST_F_TIMEOUT(scale, one_queue, 1200)
{
	int fd[2], other[2], spare = key_new("spare"), i;
	struct queue_info info;
	char name[16];

	ASSERT_GT(spare, 0);
	ASSERT_EQ(0, neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK)));
	ASSERT_EQ(0, neg(pipe2(other, O_NOTIFICATION_PIPE | O_NONBLOCK)));
	ASSERT_EQ(0, queue_size(fd[0], MANY));
	/* Charge the watches from here on */
	ASSERT_EQ(0, drop_resource_capability());
	for (i = 0; !enough(i, self->max); i++) {
		snprintf(name, sizeof(name), "%d", i);
		self->item[i] = key_new(name);
		ASSERT_GT(self->item[i], 0);
		ASSERT_EQ(0, watch_add(self->item[i], fd[0], i & 0xff));
	}
	self->nr = i;
	TH_LOG("%d keys", self->nr);
	ASSERT_GE(self->nr, 1000);
	ASSERT_EQ(-EBUSY, watch_add(self->item[0], fd[0], 1));
	ASSERT_TRUE(queue_info(fd[0], &info));
	EXPECT_EQ(self->nr, (int)info.watches);
	EXPECT_EQ(self->nr, (int)info.watch_lines);

	for (i = 0; i < self->nr; i++)
		ASSERT_EQ(0, key_touch(self->item[i]));
	EXPECT_EQ(self->nr * (int)KEY_RECORD, readable_bytes(fd[0]));
	EXPECT_TRUE(got_many(fd[0], self->item, self->nr));

	ASSERT_EQ(0, watch_del(self->item[0], fd[0]));
	EXPECT_TRUE(got_removal(fd[0], 0, self->item[0]));
	ASSERT_EQ(0, watch_add(self->item[0], fd[0], 0));
	EXPECT_TRUE(close_yields(fd, other[0], spare, self->nr));
}

/*
 * A user beyond pipe-user-pages-soft cannot size a queue for two pages of records.
 * The number of one-page queues is only limited by the number of descriptors.
 */
TEST_F(scale, small_queues)
{
	unsigned long records = sysconf(_SC_PAGESIZE) / SLOT_SIZE;
	const int nr = 2000, soft = 64;
	int fd[2], key, i;

	ASSERT_EQ(0, sysctl_set(PIPE_SOFT, soft));
	ASSERT_EQ(0, become_user(SOME_USER));
	session_open(_metadata);
	key = key_new("popular");
	ASSERT_GT(key, 0);
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK)));
		if (i > soft)
			ASSERT_EQ(-EPERM, queue_size(fd[0], 2 * records));
		ASSERT_EQ(0, queue_size(fd[0], records));
		ASSERT_EQ(0, watch_add(key, fd[0], i & 0xff));
		self->item[i] = fd[0];
	}
	ASSERT_TRUE(post(key, 2));
	for (i = 0; i < nr; i++) {
		ASSERT_TRUE(got_updates(self->item[i], i & 0xff, key, 2));
		ASSERT_TRUE(got_nothing(self->item[i]));
	}
}

/* A new user namespace has no limit of its own. */
TEST_F(scale, new_namespace)
{
	const int nr = 200;	/* above the default of the initial user namespace */
	int fd[2], key, i;

	if (access("/proc/self/uid_map", F_OK))
		SKIP(return, "CONFIG_USER_NS is not set");
	ASSERT_EQ(0, become_user(SOME_USER));
	session_open(_metadata);
	key = key_new("popular");
	ASSERT_GT(key, 0);
	ASSERT_EQ(0, neg(unshare(CLONE_NEWUSER)));
	EXPECT_EQ(INT_MAX, sysctl_get(MAX_WATCHES));
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, neg(pipe2(fd, O_NOTIFICATION_PIPE)));
		ASSERT_EQ(0, watch_add(key, fd[0], 1)) {
			TH_LOG("watch %d", i);
		}
	}
}

TEST_HARNESS_MAIN
