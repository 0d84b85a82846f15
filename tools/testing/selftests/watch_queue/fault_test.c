// SPDX-License-Identifier: GPL-2.0
/*
 * Watch queue: each allocation and each user copy fails once
 *
 * A call is repeated.  First its first point of failure fails, then its second, until
 * the call completes before it reaches that point.  /proc/self/fail-nth counts
 * allocations of objects and pages and user copies together.
 *
 * A call that fails returns one of the expected errors and changes nothing that is
 * visible of the queue, its files and its user.  Repeating the call succeeds.  A call
 * may succeed despite a failure, if the kernel has a fallback.  After all calls, the
 * user can have as many pages and watches as before.  kmemleak detects leaks.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common.h"

#define DEBUG_FS	"/sys/kernel/debug/"
#define BELOW		"/tmp/a/below"	/* the helper mounts here */
#define SYS_FS		"/proc/sys/fs/"
#define SYS_KEYS	"/proc/sys/kernel/keys/"

#define SOME_USER	64331	/* owns nothing else */
#define DEPTH		8	/* records */
#define LARGE_DEPTH	65536	/* records: too large for kmalloc() */
#define MIDDLE_DEPTH	4096	/* records: no part of the ring fits in a page */
#define MAX_POINTS	5000	/* of failure in one call: few, or one per page */
#define ROUNDS		20	/* over all points, at most */
#define ENOUGH		1000	/* calls, after which no round begins */
#define LIMIT		900	/* seconds for one test; most take less than one */
#define MAX_WATCHES	32
#define MAX_PROBES	50

/*
 * Settings of the test, which are restored afterwards.  By default, only allocations
 * that cannot sleep fail, and no single pages.
 */
static const struct setting {
	const char *path;
	const char *value;
} settings[] = {
	{ DEBUG_FS "failslab/ignore-gfp-wait", "N" },
	{ DEBUG_FS "fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUG_FS "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUG_FS "fail_page_alloc/min-order", "0" },
	/* Do not print a stack trace for each failure */
	{ DEBUG_FS "failslab/verbose", "0" },
	{ DEBUG_FS "fail_page_alloc/verbose", "0" },
	{ DEBUG_FS "fail_usercopy/verbose", "0" },
	/* For size_without(): only in tasks with make-it-fail, and bounded */
	{ DEBUG_FS "fail_page_alloc/task-filter", "Y" },
	{ DEBUG_FS "fail_page_alloc/times", "4096" },
	/* Limits that allow the largest queue here */
	{ SYS_FS "pipe-max-size", "16777216" },
	{ SYS_FS "pipe-user-pages-soft", "0" },
	{ SYS_FS "pipe-user-pages-hard", "3000" },
	{ SYS_KEYS "maxkeys", "10000" },
	{ SYS_KEYS "maxbytes", "1000000" },
};

struct fault {
	char saved[ARRAY_SIZE(settings)][24];
	int fail_nth;			/* /proc/self/fail-nth */
	int probability;		/* of fail_page_alloc */
	int min_order;			/* of fail_page_alloc */
	int probe[MAX_PROBES][2];	/* pipes of one page each */
	int many[MAX_WATCHES + 1];	/* keys */
	int fd[2];			/* the queue */
	int key;			/* watched by it */
	int other;			/* a key that was never watched */
	int mnt;			/* root of a mount that was never watched */
	__u32 type, flags;		/* of the watch on it */
	int helper;			/* socket of the process that mounts */
	int made[2];			/* files that the call made */
	char got[64];			/* what the call read */
	int len;
};

FIXTURE(fault)
{
	struct fault f;
};

static bool setting_get(const char *path, char *value, int size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int len;

	if (fd < 0)
		return false;
	len = read(fd, value, size - 1);
	close(fd);
	value[len > 0 ? len : 0] = 0;
	return len > 0;
}

/* The reason to skip the tests, or NULL */
static const char *missing(void)
{
	if (access("/proc/self/fail-nth", F_OK))
		return "CONFIG_FAULT_INJECTION is not set";
	if (geteuid())
		return "needs root, to change settings and users";
	if (access(DEBUG_FS "failslab", F_OK))
		return "no failslab: CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_DEBUG_FS or debugfs";
	if (access(DEBUG_FS "fail_page_alloc", F_OK))
		return "CONFIG_FAIL_PAGE_ALLOC is not set";
	if (access(DEBUG_FS "fail_usercopy", F_OK))
		return "CONFIG_FAULT_INJECTION_USERCOPY is not set";
	return NULL;
}

/* Opens the pipes that pages_left() enlarges */
static bool probes_open(struct fault *f)
{
	long page = sysconf(_SC_PAGESIZE);
	int i;

	for (i = 0; i < MAX_PROBES; i++) {
		if (pipe2(f->probe[i], O_CLOEXEC) ||
		    fcntl(f->probe[i][0], F_SETPIPE_SZ, page) != page)
			return false;
	}
	return true;
}

static bool keys_open(struct fault *f)
{
	char name[16];
	int i;

	for (i = 0; i <= MAX_WATCHES; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		f->many[i] = key_new(name);
		if (f->many[i] < 0)
			return false;
	}
	return true;
}

/* For each byte, mounts and unmounts a filesystem; returns a socket */
static int start_mounting(void)
{
	int sock[2];
	char failed;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		return -errno;
	pid = fork();
	if (pid) {
		close(sock[1]);
		return pid < 0 ? -ECHILD : sock[0];
	}
	close(sock[0]);
	while (read(sock[1], &failed, 1) == 1) {
		failed = mount("fault_test", BELOW, "tmpfs", 0, NULL) || umount(BELOW);
		if (write(sock[1], &failed, 1) != 1)
			break;
	}
	_exit(0);
}

static bool mount_below(struct fault *f)
{
	char failed = 0;

	return write(f->helper, &failed, 1) == 1 && read(f->helper, &failed, 1) == 1 &&
	       !failed;
}

FIXTURE_SETUP(fault)
{
	const char *what = missing();
	int fd[2], i;

	if (what)
		SKIP(_exit(KSFT_SKIP), "%s", what);
	session_open(_metadata);
	queue_open(_metadata, fd, 0);
	queue_close(fd);
	self->f.fd[0] = -1;
	self->f.fd[1] = -1;
	for (i = 0; i < (int)ARRAY_SIZE(settings); i++) {
		ASSERT_TRUE(setting_get(settings[i].path, self->f.saved[i],
					sizeof(self->f.saved[i])));
		ASSERT_EQ(0, write_text(settings[i].path, settings[i].value)) {
			TH_LOG("cannot set %s", settings[i].path);
		}
	}

	ASSERT_EQ(0, neg(unshare(CLONE_NEWNS)));
	ASSERT_EQ(0, neg(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)));
	ASSERT_EQ(0, neg(mount("fault_test", "/tmp", "tmpfs", 0, NULL)));
	self->f.mnt = open("/tmp", O_PATH | O_CLOEXEC);
	ASSERT_GE(self->f.mnt, 0);
	ASSERT_EQ(0, neg(mkdir("/tmp/a", 0755)));
	ASSERT_EQ(0, neg(mount("fault_test", "/tmp/a", "tmpfs", 0, NULL)));
	ASSERT_EQ(0, neg(mkdir(BELOW, 0755)));
	self->f.helper = start_mounting();
	ASSERT_GE(self->f.helper, 0);

	/* Open these with CAP_SYS_RESOURCE; an ordinary user can write to the descriptors */
	ASSERT_EQ(0, write_text("/proc/self/make-it-fail", "1"));
	self->f.probability = open(DEBUG_FS "fail_page_alloc/probability",
				   O_WRONLY | O_CLOEXEC);
	self->f.min_order = open(DEBUG_FS "fail_page_alloc/min-order",
				 O_WRONLY | O_CLOEXEC);
	self->f.fail_nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->f.probability, 0);
	ASSERT_GE(self->f.min_order, 0);
	ASSERT_GE(self->f.fail_nth, 0);

	ASSERT_EQ(0, drop_resource_capability());
	ASSERT_EQ(0, become_user(SOME_USER));
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));	/* for access to /proc/self */
	session_open(_metadata);
	ASSERT_TRUE(probes_open(&self->f));
	ASSERT_TRUE(keys_open(&self->f));
}

FIXTURE_TEARDOWN_PARENT(fault)
{
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(settings); i++)
		EXPECT_EQ(0, write_text(settings[i].path, self->f.saved[i]));
}

/* Number of further pages that the user can have in pipes; each probe has one page */
static int pages_left(struct fault *f)
{
	static const int sizes[] = { 256, 32, 4, 2 };
	int page = sysconf(_SC_PAGESIZE), used = 0, left = 0, i;

	for (i = 0; i < (int)ARRAY_SIZE(sizes); i++) {
		while (used < MAX_PROBES &&
		       fcntl(f->probe[used][0], F_SETPIPE_SZ,
			     sizes[i] * page) > 0) {
			left += sizes[i] - 1;
			used++;
		}
	}
	/* There is no limit unless a pipe was refused */
	if (used == MAX_PROBES)
		return -1;
	while (used--)
		if (fcntl(f->probe[used][0], F_SETPIPE_SZ, page) != page)
			return -1;
	return left;
}

/* Number of further watches that the user can have if RLIMIT_NOFILE is MAX_WATCHES */
static int watches_left(struct fault *f)
{
	struct rlimit limit, few;
	int fd[2], left = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit) ||
	    pipe2(fd, O_NOTIFICATION_PIPE | O_CLOEXEC))
		return -1;
	few = limit;
	few.rlim_cur = MAX_WATCHES;
	if (setrlimit(RLIMIT_NOFILE, &few))
		return -1;
	while (left <= MAX_WATCHES && !watch_add(f->many[left], fd[0], 1))
		left++;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	queue_close(fd);
	return left;
}

/* Describes the visible state of the queue and of the descriptors of its user */
static bool snapshot(struct fault *f, char *text, size_t size)
{
	int end, file, len, lowest;
	size_t at = 0;
	char path[64];

	for (end = 0; end < 2; end++) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
			 f->fd[end]);
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			return false;
		while ((len = read(file, text + at, size - at - 64)) > 0)
			at += len;
		close(file);
		at += snprintf(text + at, size - at, "flags %x bytes %d/%d\n",
			       fcntl(f->fd[end], F_GETFL),
			       fcntl(f->fd[end], F_GETPIPE_SZ),
			       readable_bytes(f->fd[end]));
	}
	lowest = dup(0);
	close(lowest);
	snprintf(text + at, size - at, "next descriptor %d\n", lowest);
	return at < size - 64;
}

/* Lets the nth point of failure from now on fail, or none if 0 */
static bool arm(struct fault *f, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	return pwrite(f->fail_nth, text, len, 0) == len;
}

/*
 * Returns 1 if the nth point was reached, 0 if not.  The user copies of these calls are
 * points of failure, too.
 */
static int disarm(struct fault *f)
{
	char text[16] = "";
	int len = pread(f->fail_nth, text, sizeof(text) - 1, 0);

	if (!arm(f, 0) && !arm(f, 0))
		return -1;
	return len > 0 && !strcmp(text, "0\n");
}

/* One call under test */
struct call {
	int (*make)(struct fault *f);
	/* True if the call, which succeeded, had the expected effect */
	bool (*check)(struct fault *f);
	bool unsized;		/* the queue has no size before the call */
	bool lenient;		/* the call may succeed despite any single failure */
	int errors[4];		/* expected errors, up to the first 0 */
	unsigned int rare;	/* number of last errors that need not occur */
};

/* Sets a filter, adds a watch, loses a record and posts two */
static bool call_fill(struct fault *f, const struct call *call)
{
	struct filter filter = {
		.nr_filters = 1,
		.rules = {
			{ WATCH_TYPE_KEY_NOTIFY, .subtype_filter = { 0xff } },
		},
	};

	return !queue_filter(f->fd[0], &filter) &&
	       !watch_add(f->key, f->fd[0], 1) && post(f->key, 1) &&
	       (call->unsized || (!queue_size(f->fd[0], DEPTH) &&
				  post(f->key, 2)));
}

static bool call_prepare(struct fault *f, const struct call *call)
{
	f->made[0] = -1;
	f->made[1] = -1;
	f->key = key_new("watched");
	f->other = key_new("other");
	return f->key > 0 && f->other > 0 &&
	       !pipe2(f->fd, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC) &&
	       call_fill(f, call);
}

/* Closes all files and removes the keys, which are new for each call */
static bool call_finish(struct fault *f)
{
	int end;

	for (end = 0; end < 2; end++) {
		if (f->made[end] >= 0 && close(f->made[end]))
			return false;
		if (f->fd[end] >= 0 && close(f->fd[end]))
			return false;
		f->fd[end] = -1;
	}
	return !key_unlink(f->key, KEY_SPEC_SESSION_KEYRING) &&
	       !key_unlink(f->other, KEY_SPEC_SESSION_KEYRING);
}

/* True if the error is expected and nothing changed; records the error in @seen */
static bool failed_cleanly(struct fault *f, const struct call *call,
			   int ret, const char *before, unsigned int *seen)
{
	char after[4096];
	int i = 0;

	while (call->errors[i] && call->errors[i] != -ret)
		i++;
	if (!call->errors[i])
		return false;
	*seen |= 1 << i;
	if (snapshot(f, after, sizeof(after)) && !strcmp(before, after))
		return true;
	ksft_print_msg("before:\n%safter:\n%s", before, after);
	return false;
}

/*
 * Makes the call with the nth point of failure failing, and repeats it if it failed.
 * True if the point was reached.
 */
static bool call_once(struct __test_metadata *_metadata,
		      struct fault *f, const struct call *call,
		      unsigned int nth, unsigned int *seen)
{
	char before[4096];
	int ret, hit;
	bool good;

	ASSERT_TRUE(call_prepare(f, call));
	ASSERT_TRUE(snapshot(f, before, sizeof(before)));
	ASSERT_TRUE(arm(f, nth));
	ret = call->make(f);
	hit = disarm(f);
	ASSERT_GE(hit, 0);
	good = ret >= 0 ||
	       (nth && hit && failed_cleanly(f, call, ret, before, seen) &&
		call->make(f) >= 0);
	good = good && call->check(f);
	ASSERT_TRUE(good) {
		TH_LOG("at point of failure %u, the call returned %d", nth, ret);
	}
	ASSERT_TRUE(call_finish(f));
	return nth && hit;
}

/* Lets each point of failure fail once; returns the number of points */
static unsigned int sweep_once(struct __test_metadata *_metadata,
			       struct fault *f, const struct call *call,
			       unsigned int *seen)
{
	unsigned int nth = 1;

	while (call_once(_metadata, f, call, nth, seen)) {
		ASSERT_LT(nth, MAX_POINTS);
		nth++;
	}
	return nth - 1;
}

/*
 * Sometimes the kernel needs one page more than before.  This shifts the points of
 * failure, so that a round skips one.  Hence there are several rounds.
 */
static void sweep(struct __test_metadata *_metadata, struct fault *f,
		  const struct call *call)
{
	int rounds = call->lenient ? 2 : ROUNDS, pages;
	unsigned int seen = 0, all = 0, points = 0, calls = 0;

	while (!call->lenient && call->errors[all])
		all++;
	all -= call->rare;

	/* Call once without a failure, to fault in code and stack */
	call_once(_metadata, f, call, 0, &seen);
	ASSERT_EQ(MAX_WATCHES, watches_left(f));
	pages = pages_left(f);
	ASSERT_GT(pages, 0);

	for (; rounds && calls < ENOUGH; rounds--) {
		points = sweep_once(_metadata, f, call, &seen);
		calls += points;
	}
	ksft_print_msg("%u points of failure\n", points);

	/* Each expected error occurred, apart from rare ones */
	EXPECT_EQ((1u << all) - 1, seen & ((1u << all) - 1));
	EXPECT_EQ(MAX_WATCHES, watches_left(f));
	EXPECT_EQ(pages, pages_left(f));
}

static int make_queue(struct fault *f)
{
	return neg(pipe2(f->made, O_NOTIFICATION_PIPE | O_NONBLOCK));
}

static bool check_queue(struct fault *f)
{
	return got_nothing(f->made[0]);
}

/* pipe2() fails cleanly.  Without memory for inode or ring, the error is ENFILE. */
TEST_F_TIMEOUT(fault, pipe2, LIMIT)
{
	static const struct call call = {
		.make = make_queue,
		.check = check_queue,
		.errors = { EFAULT, ENFILE, ENOMEM },
	};

	sweep(_metadata, &self->f, &call);
}

static int make_size(struct fault *f)
{
	return queue_size(f->fd[0], DEPTH);
}

/* The queue holds DEPTH records, and the loss before SET_SIZE is reported */
static bool check_size(struct fault *f)
{
	return post(f->key, DEPTH) && got_loss(f->fd[0], 1) &&
	       got_updates(f->fd[0], 1, f->key, DEPTH) &&
	       got_nothing(f->fd[0]);
}

/* SET_SIZE fails cleanly. */
TEST_F_TIMEOUT(fault, set_size, LIMIT)
{
	static const struct call call = {
		.make = make_size,
		.check = check_size,
		.unsized = true,
		.errors = { ENOMEM },
	};

	sweep(_metadata, &self->f, &call);
}

static int make_size_large(struct fault *f)
{
	return queue_size(f->fd[0], LARGE_DEPTH);
}

/* SET_SIZE of a large queue fails cleanly or falls back to smaller pages. */
TEST_F_TIMEOUT(fault, set_size_large, LIMIT)
{
	static const struct call call = {
		.make = make_size_large,
		.check = check_size,
		.unsized = true,
		.lenient = true,
		.errors = { ENOMEM },
	};

	sweep(_metadata, &self->f, &call);
}

/* Sets the size while allocations of pages of at least this order fail */
static int size_without(struct fault *f, const char *order)
{
	static const char never[] = "0", always[] = "100";
	int ret;

	if (write(f->min_order, order, 1) != 1 ||
	    write(f->probability, always, strlen(always)) < 0)
		return -EIO;
	ret = queue_size(f->fd[0], MIDDLE_DEPTH);
	if (write(f->probability, never, strlen(never)) < 0)
		return -EIO;
	return ret;
}

/*
 * SET_SIZE fails cleanly if all allocations of pages fail, and succeeds if only single
 * pages are available.
 */
TEST_F_TIMEOUT(fault, set_size_pages, LIMIT)
{
	static const struct call call = { .unsized = true };
	char before[4096], after[4096];
	int pages;

	ASSERT_TRUE(call_prepare(&self->f, &call));
	pages = pages_left(&self->f);
	ASSERT_TRUE(snapshot(&self->f, before, sizeof(before)));
	EXPECT_EQ(-ENOMEM, size_without(&self->f, "0"));
	EXPECT_TRUE(snapshot(&self->f, after, sizeof(after)));
	EXPECT_STREQ(before, after);
	EXPECT_EQ(pages, pages_left(&self->f));

	EXPECT_EQ(0, size_without(&self->f, "1"));
	EXPECT_TRUE(post(self->f.key, MIDDLE_DEPTH));
	EXPECT_TRUE(got_loss(self->f.fd[0], 1));
	EXPECT_TRUE(got_updates(self->f.fd[0], 1, self->f.key, MIDDLE_DEPTH));
	EXPECT_TRUE(got_nothing(self->f.fd[0]));
	EXPECT_TRUE(call_finish(&self->f));
}

/* Sets a filter with MAX_RULES rules that accept no record */
static int make_filter(struct fault *f)
{
	static struct filter filter = { .nr_filters = MAX_RULES };
	int i;

	for (i = 0; i < MAX_RULES; i++)
		filter.rules[i].type = WATCH_TYPE_KEY_NOTIFY;
	return queue_filter(f->fd[0], &filter);
}

static bool check_filter(struct fault *f)
{
	char line[512];

	return queue_info_line(f->fd[0], "filter:\ttype:1 ", MAX_RULES - 1,
			       line, sizeof(line)) &&
	       post(f->key, 1) &&
	       readable_bytes(f->fd[0]) == LOSS_RECORD + 2 * KEY_RECORD;
}

/* SET_FILTER fails cleanly. */
TEST_F_TIMEOUT(fault, set_filter, LIMIT)
{
	static const struct call call = {
		.make = make_filter,
		.check = check_filter,
		.errors = { EFAULT, ENOMEM },
	};

	sweep(_metadata, &self->f, &call);
}

static int make_no_filter(struct fault *f)
{
	return queue_filter(f->fd[0], NULL);
}

static bool check_no_filter(struct fault *f)
{
	struct queue_info info;

	return queue_info(f->fd[0], &info) && !info.filter_lines;
}

/* Removing a filter never fails. */
TEST_F_TIMEOUT(fault, remove_filter, LIMIT)
{
	static const struct call call = {
		.make = make_no_filter,
		.check = check_no_filter,
	};

	sweep(_metadata, &self->f, &call);
}

static int make_watch(struct fault *f)
{
	return watch_add(f->other, f->fd[0], 2);
}

static bool check_watch(struct fault *f)
{
	return post(f->other, 1) && got_loss(f->fd[0], 1) &&
	       got_updates(f->fd[0], 1, f->key, 2) &&
	       got_updated(f->fd[0], 2, f->other);
}

/* Adding a watch fails cleanly.  It allocates the list, the watch and its credentials. */
TEST_F_TIMEOUT(fault, add_watch, LIMIT)
{
	static const struct call call = {
		.make = make_watch,
		.check = check_watch,
		.errors = { ENOMEM },
	};

	sweep(_metadata, &self->f, &call);
}

/* Watches of sources that register for their type, on objects without a list of watches */

static int make_source_watch(struct fault *f)
{
	return queue_watch(f->fd[0], f->type, f->mnt, 2, f->flags);
}

static bool got_mount_below(struct fault *f, __u32 subtype)
{
	union watch_record r;
	int ret = neg(read(f->fd[0], &r, sizeof(r.mount)));

	if (ret == sizeof(r.mount) && r.watch.type == WATCH_TYPE_MOUNT_NOTIFY &&
	    r.watch.subtype == subtype && watch_record_id(&r) == 2 &&
	    (r.watch.info & NOTIFY_MOUNT_IN_SUBTREE))
		return true;
	print_record(ret, &r);
	return false;
}

/* A watch on the subtree gets the mounts below, and can be removed */
static bool check_source_watch(struct fault *f)
{
	if (f->flags & WATCH_SUBTREE &&
	    !(got_loss(f->fd[0], 1) && got_updates(f->fd[0], 1, f->key, 2) &&
	      !queue_filter(f->fd[0], NULL) && mount_below(f) &&
	      got_mount_below(f, NOTIFY_MOUNT_NEW) &&
	      got_mount_below(f, NOTIFY_MOUNT_UNMOUNT)))
		return false;
	return !queue_unwatch(f->fd[0], f->type, f->mnt, f->flags);
}

static void sweep_source(struct __test_metadata *_metadata, struct fault *f, __u32 type,
			 __u32 flags)
{
	static const struct call call = {
		.make = make_source_watch,
		.check = check_source_watch,
		.errors = { ENOMEM, EFAULT },
	};

	f->type = type;
	f->flags = flags;
	sweep(_metadata, f, &call);
}

TEST_F_TIMEOUT(fault, add_sb_watch, LIMIT)
{
	sweep_source(_metadata, &self->f, WATCH_TYPE_SB_NOTIFY, 0);
}

TEST_F_TIMEOUT(fault, add_mount_watch, LIMIT)
{
	sweep_source(_metadata, &self->f, WATCH_TYPE_MOUNT_NOTIFY, 0);
}

TEST_F_TIMEOUT(fault, add_subtree_watch, LIMIT)
{
	sweep_source(_metadata, &self->f, WATCH_TYPE_MOUNT_NOTIFY, WATCH_SUBTREE);
}

static int make_no_watch(struct fault *f)
{
	return watch_del(f->key, f->fd[0]);
}

static bool check_no_watch(struct fault *f)
{
	return post(f->key, 1) && got_loss(f->fd[0], 1) &&
	       got_updates(f->fd[0], 1, f->key, 2) &&
	       got_removal(f->fd[0], 1, f->key) &&
	       got_nothing(f->fd[0]);
}

/* Removing a watch never fails. */
TEST_F_TIMEOUT(fault, remove_watch, LIMIT)
{
	static const struct call call = {
		.make = make_no_watch,
		.check = check_no_watch,
	};

	sweep(_metadata, &self->f, &call);
}

static int make_post(struct fault *f)
{
	return key_touch(f->key);
}

static bool check_post(struct fault *f)
{
	return got_loss(f->fd[0], 1) &&
	       got_updates(f->fd[0], 1, f->key, 2) &&
	       got_setattr(f->fd[0], 1, f->key) &&
	       got_nothing(f->fd[0]);
}

/* A post does not lose a record because memory is short. */
TEST_F_TIMEOUT(fault, post, LIMIT)
{
	static const struct call call = {
		.make = make_post,
		.check = check_post,
	};

	sweep(_metadata, &self->f, &call);
}

static int make_read(struct fault *f)
{
	f->len = neg(read(f->fd[0], f->got, sizeof(f->got)));
	return f->len;
}

static int make_readv(struct fault *f)
{
	struct iovec iov[] = {
		{ f->got, 12 }, { f->got + 12, 20 }, { f->got + 32, 8 },
	};

	f->len = neg(readv(f->fd[0], iov, ARRAY_SIZE(iov)));
	return f->len;
}

/* The result of the call and the remaining records are all records */
static bool check_read(struct fault *f)
{
	const int all = LOSS_RECORD + 2 * KEY_RECORD;
	union watch_record loss = { }, key[2] = { };
	int i;

	if (f->len < all)
		f->len += read(f->fd[0], f->got + f->len,
				  sizeof(f->got) - f->len);
	memcpy(&loss, f->got, LOSS_RECORD);
	for (i = 0; i < 2; i++)
		memcpy(&key[i], f->got + LOSS_RECORD + i * KEY_RECORD,
		       KEY_RECORD);
	return f->len == all && is_loss(&loss) && record_bits(&loss) == 1 &&
	       is_key(&key[0], NOTIFY_KEY_UPDATED, 1, f->key, 0) &&
	       is_key(&key[1], NOTIFY_KEY_UPDATED, 1, f->key, 0) &&
	       got_nothing(f->fd[0]);
}

/* A failed user copy does not lose or repeat a record. */
TEST_F_TIMEOUT(fault, read, LIMIT)
{
	static const struct call call = {
		.make = make_read,
		.check = check_read,
		.errors = { EFAULT },
	};

	sweep(_metadata, &self->f, &call);
}

TEST_F_TIMEOUT(fault, readv, LIMIT)
{
	static const struct call call = {
		.make = make_readv,
		.check = check_read,
		.errors = { EFAULT },
	};

	sweep(_metadata, &self->f, &call);
}

static int make_async(struct fault *f)
{
	return neg(fcntl(f->fd[0], F_SETFL, O_NONBLOCK | O_ASYNC));
}

static bool check_async(struct fault *f)
{
	return fcntl(f->fd[0], F_GETFL) & O_ASYNC;
}

/* Setting O_ASYNC fails cleanly. */
TEST_F_TIMEOUT(fault, async, LIMIT)
{
	static const struct call call = {
		.make = make_async,
		.check = check_async,
		.errors = { ENOMEM },
	};

	sweep(_metadata, &self->f, &call);
}

static int make_again(struct fault *f)
{
	f->made[0] = queue_reopen(f->fd[0], O_RDONLY | O_NONBLOCK);
	return f->made[0];
}

static bool check_again(struct fault *f)
{
	return got_loss(f->made[0], 1) &&
	       got_updates(f->made[0], 1, f->key, 2) &&
	       got_nothing(f->fd[0]);
}

/*
 * Reopening a queue fails cleanly.  EFAULT is rare, as the copy of the path on user-mode
 * Linux has no fault injection.
 */
TEST_F_TIMEOUT(fault, reopen, LIMIT)
{
	static const struct call call = {
		.make = make_again,
		.check = check_again,
		.errors = { ENOMEM, EFAULT },
		.rare = 1,
	};

	sweep(_metadata, &self->f, &call);
}

static int make_closed(struct fault *f)
{
	int ret = 0, end;

	for (end = 0; end < 2; end++) {
		ret = neg(close(f->fd[end])) ?: ret;
		f->fd[end] = -1;
	}
	return ret;
}

static bool check_closed(struct fault *f)
{
	return watches_left(f) == MAX_WATCHES;
}

/* Closing a queue never fails, and uncharges its pages and watches. */
TEST_F_TIMEOUT(fault, close, LIMIT)
{
	static const struct call call = {
		.make = make_closed,
		.check = check_closed,
	};

	sweep(_metadata, &self->f, &call);
}

TEST_HARNESS_MAIN
