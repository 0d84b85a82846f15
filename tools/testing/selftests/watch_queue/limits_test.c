// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: who is charged for what, and what a great many of it does
 *
 * The limits of a single user and a single process are in abi_test.  No test
 * here looks at a clock.  Where the kernel must not go on for long without
 * letting others run, somebody else runs on the same processor and has to see
 * work that is half done; should it take longer than the kernel stands, the
 * lockup detectors have their say.
 */
#include <sched.h>
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

/* Users that own nothing else, so that what they are charged starts at 0 */
#define SOME_USER	64341
#define OTHER_USER	64342

static void need_root(struct __test_metadata *_metadata)
{
	int fd[2];

	session_open(_metadata);
	queue_open(_metadata, fd, 0);
	close(fd[0]);
	close(fd[1]);
	if (geteuid())
		SKIP(_exit(KSFT_SKIP), "needs root, to change limits and users");
}

/* The number after @key, and white space, in a file; -1 if it is not there */
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

/*
 * A memory cgroup.  The parent makes it and removes it; the test is alone in
 * it.
 */
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

FIXTURE_SETUP(memcg)
{
	need_root(_metadata);
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
 * The ring is charged when it is made and given back when the queue is closed.
 * The kernel charges in batches, of which each processor may have some left, so
 * the figure is rough; the next test is exact.
 */
TEST_F(memcg, charged)
{
	long long slack = MEBIBYTE + 256 * 1024 * sysconf(_SC_NPROCESSORS_CONF);
	long long before, after;
	int fd[2];

	ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
	before = memcg_get(self->dir, "memory.current", "");
	ASSERT_GE(before, 0);
	ASSERT_EQ(0, queue_size(fd[0], RING_RECORDS));
	after = memcg_get(self->dir, "memory.current", "");
	EXPECT_GE(after, before + RING_BYTES - slack);
	close(fd[0]);
	close(fd[1]);
	after = memcg_get(self->dir, "memory.current", "");
	EXPECT_LE(after, before + slack);
}

/*
 * If as much as two bytes for each record were not given back, there would be
 * no room for the last of these queues: before it is refused the kernel takes
 * back what the processors have left.
 */
TEST_F(memcg, given_back)
{
	int fd[2], i;

	ASSERT_TRUE(memcg_put(self->dir, "memory.max", RING_BYTES + 4 * MEBIBYTE));
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
		ASSERT_EQ(0, queue_size(fd[0], RING_RECORDS)) {
			TH_LOG("queue %d", i);
		}
		close(fd[0]);
		close(fd[1]);
	}
}

/*
 * A queue that does not fit is refused.  It is not worth anybody's life: the
 * OOM killer could only find this process, which asked for too much.
 */
TEST_F(memcg, too_large)
{
	int fd[2], i;

	ASSERT_TRUE(memcg_put(self->dir, "memory.max", RING_BYTES + 4 * MEBIBYTE));
	ASSERT_EQ(0, pipe2(fd, O_NOTIFICATION_PIPE));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOMEM, queue_size(fd[0], 2 * RING_RECORDS));
		EXPECT_EQ(-ENOMEM, queue_size(fd[0], HARD_LIMIT));
	}
	EXPECT_EQ(0, memcg_get(self->dir, "memory.events", "oom_kill "));
	EXPECT_EQ(0, fcntl(fd[0], F_GETPIPE_SZ));
	EXPECT_EQ(0, queue_size(fd[0], RING_RECORDS));
	close(fd[0]);
	close(fd[1]);
}

/* Watches of keys are charged, which the keys themselves are not. */
TEST_F(memcg, watches)
{
	const int nr = 40000;
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
	EXPECT_GE(after, before + 4 * MEBIBYTE);
	close(fd[0]);
	close(fd[1]);
	free(keys);
}

/*
 * Two users, or one user in two processes; in the namespace of all, or in two
 * of their own, of which each is root.  What counts is who they are to the
 * kernel.
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
	need_root(_metadata);
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
	/* The keys of who is gone count until the key service gets to them. */
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

/* A process of some user that takes what it can get, and holds it */
struct holder {
	pid_t pid;
	int socket;
};

/* Tells the other side a number, or is told one; -1 if it is gone */
static int tell(int socket, int number)
{
	return write(socket, &number, sizeof(number)) == sizeof(number) ? 0 : -1;
}

static int be_told(int socket)
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

/* Queues of eight pages, whose ring with all beside it takes no more */
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
	/* The user owns the namespace, and has an ID of its own there */
	if (namespaces && (unshare(CLONE_NEWUSER) || tell(socket, 0) ||
			   be_told(socket) || become_user(0)))
		_exit(1);
	if (tell(socket, take(max)))
		_exit(1);
	be_told(socket);
	_exit(0);
}

/* To the kernel, root of its namespace is an ordinary user. */
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

/* Returns how many it got, at most @max */
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
	if (namespaces && (be_told(h->socket) || !map_root_to(h->pid, uid) ||
			   tell(h->socket, 0)))
		return -1;
	return be_told(h->socket);
}

/* When it was waited for, all that it held was given back. */
static bool holder_stop(struct holder *h)
{
	int status;

	return !tell(h->socket, 0) && !close(h->socket) &&
	       waitpid(h->pid, &status, 0) == h->pid && !status;
}

/* The first takes some, the second the rest; what the first had is free again. */
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

/* The limit holds for a user, and for all namespaces that the user owns. */
TEST_F(users, watches)
{
	ASSERT_EQ(0, sysctl_set(MAX_WATCHES, MAX_HELD));
	share(_metadata, variant->namespaces, variant->same, hold_watches,
	      MAX_HELD, 12);
}

/*
 * A new pipe takes 16 pages until its queue has a size, and 5 then: the 21st of
 * these queues is the last one with 116 pages, whoever has the first twenty.
 */
TEST_F(users, pages)
{
	ASSERT_EQ(0, sysctl_set(PIPE_SOFT, 0));
	ASSERT_EQ(0, sysctl_set(PIPE_HARD, 116));
	share(_metadata, variant->namespaces, variant->same, hold_pages,
	      21, 9);
}

/* True if the limits hold for who asks */
static int meet_limits(int max)
{
	int fd[2];

	return !pipe2(fd, O_NOTIFICATION_PIPE) &&
	       queue_size(fd[0], max + 1) == -EINVAL &&
	       queue_size(fd[0], max) == -EPERM;
}

/* To be root of a namespace helps with none of the limits. */
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
 * A great many.  A queue has one watch on an object, so that 100,000 watches on
 * one object are as many queues; closing their write ends at once leaves 100,000
 * open files, for which root may raise RLIMIT_NOFILE.  On one queue 100,000
 * watches are as many keys, which root's key quota allows.  WATCH_QUEUE_WATCHES
 * in the environment is the number where the kernel is slow; it must be so slow
 * that removing them takes some ticks of the clock.
 */
#define CROWD		100000
#define CROWD_FILES	(CROWD + 1000)
#define SPARE		5		/* watch ID */

FIXTURE(crowd)
{
	long max_keys;
	long max_bytes;
	long soft;
	long max_watches;
	int max;		/* items, up to CROWD */
	int nr;			/* how many there are in the end */
	int *item;		/* keys or queues */
};

static int max_crowd(void)
{
	const char *text = getenv("WATCH_QUEUE_WATCHES");
	unsigned long nr = text ? strtoul(text, NULL, 0) : 0;

	return nr && nr < CROWD ? nr : CROWD;
}

FIXTURE_SETUP(crowd)
{
	struct rlimit limit = {
		.rlim_cur = CROWD_FILES, .rlim_max = CROWD_FILES,
	};

	need_root(_metadata);
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
	ASSERT_EQ(0, sysctl_set(MAX_WATCHES, CROWD_FILES));

	self->max = max_crowd();
	self->item = calloc(self->max, sizeof(*self->item));
	ASSERT_TRUE(!!self->item);
}

FIXTURE_TEARDOWN_PARENT(crowd)
{
	EXPECT_EQ(0, sysctl_set(ROOT_KEYS, self->max_keys));
	EXPECT_EQ(0, sysctl_set(ROOT_KEY_BYTES, self->max_bytes));
	EXPECT_EQ(0, sysctl_set(PIPE_SOFT, self->soft));
	EXPECT_EQ(0, sysctl_set(MAX_WATCHES, self->max_watches));
}

/* Where there is less memory, or a kernel that checks itself, they are fewer. */
static bool is_crowd(int nr, int max)
{
	long long left, all;

	if (nr % 1000 || nr == max)
		return nr == max;
	left = number_of("/proc/meminfo", "MemAvailable:");
	all = number_of("/proc/meminfo", "MemTotal:");
	return left < all / 8;
}

/* From now on this thread, and those it makes, run where the caller runs */
static bool stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/*
 * The key goes when the key service's worker finds it unused, which is on this
 * processor.  That takes the watch off the last queue first.
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

/* Many queues watch one object. */
TEST_F_TIMEOUT(crowd, one_object, 1200)
{
	int key = key_new("popular"), fd[2], i;
	union watch_record r;

	ASSERT_GT(key, 0);
	ASSERT_TRUE(stay_here());
	for (i = 0; !is_crowd(i, self->max); i++) {
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

/* Somebody on the same processor while a queue is closed */
struct onlooker {
	pthread_t thread;
	int fd;			/* another queue */
	int key;
	int nr;			/* watches on the queue that is closed */
	bool ready;
	bool seen;		/* some of them gone, and some not */
	bool error;
};

/* True if the user has fewer watches than this, which the limit tells. */
static bool fewer_than(struct onlooker *on, int nr)
{
	struct rlimit limit = { .rlim_cur = nr, .rlim_max = CROWD_FILES };
	int ret;

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		on->error = true;
		return true;
	}
	ret = watch_add(on->key, on->fd, SPARE);
	if (!ret && watch_del(on->key, on->fd))
		ret = -EBADSLT;
	on->error |= ret && ret != -EAGAIN;
	return ret != -EAGAIN;
}

static void *onlooker_run(void *arg)
{
	struct onlooker *on = arg;
	bool begun, done;

	__atomic_store_n(&on->ready, true, __ATOMIC_RELEASE);
	do {
		begun = fewer_than(on, on->nr);
		done = fewer_than(on, 1);
		on->seen |= begun && !done;
	} while (!done);
	return NULL;
}

/* True if close() let the onlooker see it at work */
static bool close_yields(int fd[2], int other, int key, int nr)
{
	struct onlooker on = { .fd = other, .key = key, .nr = nr };

	if (!stay_here() || close(fd[1]) ||
	    pthread_create(&on.thread, NULL, onlooker_run, &on))
		return false;
	while (!__atomic_load_n(&on.ready, __ATOMIC_ACQUIRE))
		sched_yield();
	return !close(fd[0]) && !pthread_join(on.thread, NULL) &&
	       !on.error && on.seen;
}

/* Each of the records is there, and they are all. */
static bool got_crowd(int fd, const int *key, int nr)
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

/* Many objects are watched by one queue. */
TEST_F_TIMEOUT(crowd, one_queue, 1200)
{
	int fd[2], other[2], spare = key_new("spare"), i;
	struct queue_info info;
	char name[16];

	ASSERT_GT(spare, 0);
	ASSERT_EQ(0, neg(pipe2(fd, O_NOTIFICATION_PIPE | O_NONBLOCK)));
	ASSERT_EQ(0, neg(pipe2(other, O_NOTIFICATION_PIPE | O_NONBLOCK)));
	ASSERT_EQ(0, queue_size(fd[0], CROWD));
	/* From here on the watches are counted */
	ASSERT_EQ(0, drop_resource_capability());
	for (i = 0; !is_crowd(i, self->max); i++) {
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
	EXPECT_TRUE(got_crowd(fd[0], self->item, self->nr));

	ASSERT_EQ(0, watch_del(self->item[0], fd[0]));
	EXPECT_TRUE(got_removal(fd[0], 0, self->item[0]));
	ASSERT_EQ(0, watch_add(self->item[0], fd[0], 0));
	EXPECT_TRUE(close_yields(fd, other[0], spare, self->nr));
}

/*
 * A user beyond pipe-user-pages-soft cannot have a queue of more than two pages
 * any more, but as many of the small ones as there are descriptors.
 */
TEST_F(crowd, small_queues)
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

TEST_HARNESS_MAIN
