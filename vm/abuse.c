// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check that an unprivileged user cannot slow down other users
 *
 * Each scene has an abuser: uid 1000 without capabilities. It owns a queue and adds as
 * many waiters to it as it can: epolls, O_ASYNC descriptors for a process group,
 * processes in poll(), and a reader that keeps the queue empty, so that every record
 * makes the queue readable. The victim, root, repeats an operation that posts to this
 * queue. A bystander calls stat() on the other processor. Both are measured with and
 * without the abuser, alternately, in the same guest. A scene fails if the ratio of the
 * two medians is above the threshold; absolute times do not matter.
 *
 * This measures work done for the abuser in the context of other users, and the time
 * that locks are held. The abuser may use idle processor time, as every user may.
 * Therefore the victim and the bystander have real-time priority, and the woken
 * processes have SCHED_IDLE. The victim pauses before each operation, or batch of short
 * ones, so that work that the kernel deferred to the victim's processor can run. If
 * undoing the previous operation can take much longer with the abuser, the pause is long,
 * so that the caches are cold with and without the abuser. The bystander is measured with
 * short pauses, so that it meets more operations.
 *
 * The last scenes measure something else: the length of a read(), and the processor time
 * of kworkers.
 *
 *	abuse [--full] [SCENE...]
 *
 * Prints KTAP. With --full, the abuser uses as much as the default limits allow.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <linux/fuse.h>
#include <linux/keyctl.h>
#include <linux/watch_queue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define USER		1000
#define NR_FILES	65536		/* RLIMIT_NOFILE of the abuser */
#define THRESHOLD	2.0
#define MAX_FIGURES	3
#define NR_PAIRS	5		/* of samples with and without the abuser */
#define MS		1000000ULL	/* in ns */
#define SAMPLE		(600 * MS)	/* minimum length of a sample */
#define SAMPLE_OPS	12		/* minimum number of operations in a sample */
#define SCENE		(150000 * MS)	/* no further pair of samples after this */
#define PAUSE		MS
#define COOL_DOWN	(50 * MS)	/* a pause after which caches are cold */
#define BATCH		16		/* short operations that are timed together */

/* Resources of the abuser: with --full, and without */
static bool full;
#define NR_EPOLLS	(full ? 4000 : 400)
#define NR_ASYNC	(full ? 60000 : 6000)
#define NR_GROUP	(full ? 2000 : 800)
#define NR_MOUNTS	(full ? 3900 : 2000)
#define NR_WATCHES	(full ? 120 : 100)	/* the default limit is 128 */

/* Requests of the victim to the abuser */
enum mode {
	OFF, WITHOUT, WITH,	/* change to this mode */
	GO,			/* do the abuser's part of a scene */
	SYNC			/* reply when the previous request is complete */
};

struct reply {
	int fd;			/* -1: none */
	uint64_t ns;
};

struct scene {
	const char *name;
	const char *figures[MAX_FIGURES];	/* the second is the bystander's */
	void (*prepare)(void);			/* root, before the abuser starts */
	void (*gather)(void);			/* abuser: acquire resources, once */
	int (*watch)(bool on);			/* abuser: add or remove the watch, or ... */
	void (*set)(enum mode mode);		/* ... change the mode in another way */
	void (*go)(enum mode mode, struct reply *reply);	/* abuser: on ask(GO) */
	void (*before)(void);			/* victim: before op, not measured */
	void (*op)(void);			/* victim: one operation */
	uint64_t pause;				/* before an operation; default: PAUSE */
	int batch;				/* number of short operations timed together */
	void (*sample)(double *figures);	/* take a sample, instead of op */
	bool (*test)(void);			/* the whole scene, without samples */
};

static const struct scene *scene;

/* Shared by the processes of a scene */
static struct {
	int mode;		/* requested mode of the abuser's helper */
	int seen;		/* current mode of the helper */
	int recording;		/* the bystander records while this is set */
} *shared;

static int key;			/* root's; the abuser has View permission */

/*
 * Small helpers
 */

static void die(const char *what)
{
	printf("# %s: %s: %s\n", scene ? scene->name : "abuse", what, strerror(errno));
	_exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void pause_for(uint64_t ns)
{
	struct timespec t = { .tv_sec = ns / (1000 * MS), .tv_nsec = ns % (1000 * MS) };

	nanosleep(&t, NULL);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void run_anywhere(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static void set_priority(int policy, int priority)
{
	struct sched_param p = { .sched_priority = priority };

	if (sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &p))
		die("sched_setscheduler");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/* Fork a process that is killed when its parent ends */
static pid_t start(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

/*
 * Wait until the machine is idle, deferred work of the kernel included: until most of the
 * ticks in 100 ms were idle. The first line of /proc/stat is the sum of all processors.
 */
static void wait_for_idle(void)
{
	unsigned long long was[5] = { }, is[5], busy, idle;
	uint64_t end = now() + SCENE;

	do {
		FILE *stat = fopen("/proc/stat", "re");

		if (!stat || fscanf(stat, "cpu %llu %llu %llu %llu %llu",
				    &is[0], &is[1], &is[2], &is[3], &is[4]) != 5)
			die("/proc/stat");
		fclose(stat);
		busy = is[0] + is[1] + is[2] - was[0] - was[1] - was[2];
		idle = is[3] + is[4] - was[3] - was[4];
		if (was[3] && busy * 4 < idle)
			return;
		memcpy(was, is, sizeof(was));
		pause_for(100 * MS);
	} while (now() < end);
	errno = EBUSY;
	die("the machine does not become idle");
}

/*
 * Queues and watches
 */

/* Open a queue and return the read end. The write end is closed if @write_end is NULL. */
static int queue_new(unsigned int depth, int *write_end)
{
	int fds[2];

	if (pipe2(fds, O_NOTIFICATION_PIPE | O_CLOEXEC) ||
	    ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, depth))
		die("open a queue");
	if (write_end)
		*write_end = fds[1];
	else
		close(fds[1]);
	return fds[0];
}

/* The ID of all watches except those of the umount scenes */
#define ID 1

static int watch(int queue, unsigned int type, int fd, unsigned int id, unsigned int flags)
{
	struct watch_queue_watch args = { .type = type, .fd = fd, .id = id, .flags = flags };

	return ioctl(queue, IOC_WATCH_QUEUE_ADD_WATCH, &args);
}

static int unwatch(int queue, unsigned int type, int fd, unsigned int flags)
{
	struct watch_queue_watch args = { .type = type, .fd = fd, .id = ID, .flags = flags };

	return ioctl(queue, IOC_WATCH_QUEUE_REMOVE_WATCH, &args);
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static void drain(int queue)
{
	static char buf[65536];
	struct iovec iov = { buf, sizeof(buf) };

	while (preadv2(queue, &iov, 1, -1, RWF_NOWAIT) > 0)
		;
}

/*
 * Waiters
 */

/* Start a process that keeps the queue empty */
static void start_reader(int queue)
{
	static char buf[65536];

	if (start())
		return;
	while (read(queue, buf, sizeof(buf)) > 0)
		;
	pause();
	_exit(0);
}

/* Fork @nr processes that are in poll() on @queue, or just sleep if it is -1 */
static int start_group(int queue, int nr)
{
	struct pollfd p = { .fd = queue, .events = POLLIN };
	int got;
	pid_t pid;

	for (got = 0; got < nr; got++) {
		pid = start();
		if (pid < 0)
			break;
		if (pid)
			continue;
		set_priority(SCHED_IDLE, 0);
		for (;;)
			poll(&p, 1, -1);
	}
	return got;
}

/* Make the descriptor send SIGIO to the process group */
static int make_async(int fd)
{
	return fcntl(fd, F_SETOWN, -getpgrp()) ?: fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC);
}

static int async[NR_FILES], nr_async;

static void add_async(int queue, int nr)
{
	while (nr_async < nr) {
		async[nr_async] = reopen(queue, O_RDONLY | O_NONBLOCK);
		if (async[nr_async] < 0 || make_async(async[nr_async]))
			break;
		nr_async++;
	}
}

/*
 * Clear O_ASYNC before the queue is closed: closing a descriptor without a writer signals
 * the whole group for each remaining descriptor. The last one added is the first in the
 * kernel's list.
 */
static void remove_async(void)
{
	while (nr_async)
		fcntl(async[--nr_async], F_SETFL, O_NONBLOCK);
}

/*
 * A scene in which the abuser gets too little would pass. With --full, the limits of the
 * machine may allow less than the limits of the user.
 */
static void must_get(int got, int wanted, const char *what)
{
	if (got < (full ? wanted / 2 : wanted)) {
		printf("# %s: only %d of %d %s\n", scene->name, got, wanted, what);
		die(what);
	}
}

static int epolls[4000];

/* Create NR_EPOLLS epolls that wait for nothing yet, and return the number of them */
static int make_epolls(void)
{
	int i;

	for (i = 0; i < NR_EPOLLS; i++) {
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);
		if (epolls[i] < 0)
			break;
	}
	return i;
}

/* @op: EPOLL_CTL_ADD or EPOLL_CTL_DEL */
static void set_epolls(int queue, int op)
{
	struct epoll_event event = { .events = EPOLLIN };
	int i, got = 0;

	for (i = 0; i < NR_EPOLLS && epolls[i] >= 0; i++)
		got += !epoll_ctl(epolls[i], op, queue, &event);
	must_get(got, NR_EPOLLS, "epolls");
}

/* Fork before there are many descriptors, which the children would inherit */
static void load(int queue, bool polled)
{
	if (polled)
		start_reader(queue);
	must_get(start_group(polled ? queue : -1, NR_GROUP), NR_GROUP, "processes");
	make_epolls();
	set_epolls(queue, EPOLL_CTL_ADD);
	/* A queue allows only four */
	add_async(queue, NR_ASYNC);
	must_get(nr_async, 4, "O_ASYNC descriptors");
}

/*
 * The bystander measures how long batches of stat() take. A batch that takes several
 * periods is recorded once for each period, because it delayed the batches that would
 * have started then. The result is the 99th percentile: the maximum depends on other
 * activity of the machine, and the mean would hide a lock that is held for long, but
 * rarely.
 */

#define MAX_BATCHES	65536
#define PERIOD		(2 * MS)

static int bystander;		/* socket */

static uint64_t stat_batch(void)
{
	uint64_t start = now();
	struct stat st;

	for (int i = 0; i < 2 * BATCH; i++)
		if (stat("/tmp/tree", &st))
			die("stat");
	return now() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double percentile(double *v, int nr, int percent)
{
	qsort(v, nr, sizeof(*v), compare);
	return v[(nr - 1) * percent / 100];
}

static double record_batches(void)
{
	static double batch[MAX_BATCHES];
	int nr = 0;

	do {
		int64_t ns = stat_batch();

		for (; ns > 0 && nr < MAX_BATCHES; ns -= PERIOD)
			batch[nr++] = ns;
		pause_for(PAUSE);
	} while (__atomic_load_n(&shared->recording, __ATOMIC_ACQUIRE));
	return percentile(batch, nr, 99);
}

static void start_bystander(void)
{
	int fds[2], cpu;
	double result;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		die("socketpair");
	bystander = fds[0];
	if (start()) {
		close(fds[1]);
		return;
	}
	close(fds[0]);
	set_priority(SCHED_FIFO, 20);
	while (read(fds[1], &cpu, sizeof(cpu)) == sizeof(cpu)) {
		run_on(cpu);
		result = record_batches();
		if (write(fds[1], &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(0);
}

static void bystander_begin(int cpu)
{
	__atomic_store_n(&shared->recording, 1, __ATOMIC_RELEASE);
	if (write(bystander, &cpu, sizeof(cpu)) != sizeof(cpu))
		die("bystander");
}

static double bystander_end(void)
{
	double result;

	__atomic_store_n(&shared->recording, 0, __ATOMIC_RELEASE);
	if (read(bystander, &result, sizeof(result)) != sizeof(result))
		die("bystander");
	return result;
}

/*
 * The abuser, and the requests that the victim sends to it
 */

static int abuser;		/* socket */

static void send_reply(int to, const struct reply *reply)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { };
	struct iovec iov = { (void *)reply, sizeof(*reply) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (reply->fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &reply->fd, sizeof(int));
	}
	if (sendmsg(to, &msg, 0) != sizeof(*reply))
		die("sendmsg");
	if (reply->fd >= 0)
		close(reply->fd);
}

static struct reply receive_reply(void)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { };
	struct reply reply;
	struct iovec iov = { &reply, sizeof(reply) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };

	if (recvmsg(abuser, &msg, MSG_CMSG_CLOEXEC) != sizeof(reply)) {
		errno = ECHILD;
		die("the abuser has ended");
	}
	if (reply.fd >= 0)
		memcpy(&reply.fd, CMSG_DATA(&control.head), sizeof(int));
	return reply;
}

static void request(enum mode mode)
{
	if (write(abuser, &mode, sizeof(mode)) != sizeof(mode))
		die("write to the abuser");
}

static struct reply ask(enum mode mode)
{
	request(mode);
	return receive_reply();
}

static void become_user(void)
{
	const struct rlimit files = { NR_FILES, NR_FILES };

	run_anywhere();
	setpgid(0, 0);
	signal(SIGIO, SIG_IGN);
	if (setrlimit(RLIMIT_NOFILE, &files) || setgroups(0, NULL) ||
	    setgid(USER) || setuid(USER))
		die("change to the user");
	/*
	 * Give access to /proc/self. setuid() cleared PR_SET_PDEATHSIG: the abuser ends when
	 * its socket is closed.
	 */
	prctl(PR_SET_DUMPABLE, 1);
}

/* In a scene that only adds and removes a watch, OFF and WITHOUT are the same */
static void set_mode(enum mode mode)
{
	static bool watched;

	if (scene->set) {
		scene->set(mode);
	} else if (scene->watch && watched != (mode == WITH)) {
		watched = !watched;
		if (scene->watch(watched))
			die("watch");
	}
}

static void start_abuser(void)
{
	struct reply reply = { .fd = -1 };
	enum mode mode, last = OFF;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		die("socketpair");
	abuser = fds[0];
	if (start()) {
		close(fds[1]);
		return;
	}
	close(fds[0]);
	close(bystander);
	become_user();
	scene->gather();
	while (read(fds[1], &mode, sizeof(mode)) == sizeof(mode)) {
		reply.fd = -1;
		if (mode == GO)
			scene->go(last, &reply);
		if (mode <= WITH)
			set_mode(last = mode);
		send_reply(fds[1], &reply);
	}
	/* The victim has closed the socket */
	remove_async();
	_exit(0);
}

/* Enter user and mount namespaces in which the abuser may mount */
static void enter_slave_namespace(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		die("unshare");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 1000 1");
	write_file("/proc/self/gid_map", "0 1000 1");
}

/* The same, without propagation from the namespace of root */
static void enter_own_namespace(void)
{
	enter_slave_namespace();
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("make mounts private");
}

/* Start a helper of the abuser that calls @loop repeatedly */
static void start_helper(void (*loop)(enum mode mode))
{
	enum mode mode;

	if (start())
		return;
	run_on(1);
	for (;;) {
		mode = __atomic_load_n(&shared->mode, __ATOMIC_ACQUIRE);
		__atomic_store_n(&shared->seen, mode, __ATOMIC_RELEASE);
		if (mode == OFF)
			pause_for(PAUSE);
		else
			loop(mode);
	}
}

static void set_helper(enum mode mode)
{
	__atomic_store_n(&shared->mode, mode, __ATOMIC_RELEASE);
	while (__atomic_load_n(&shared->seen, __ATOMIC_ACQUIRE) != (int)mode)
		pause_for(PAUSE);
}

/*
 * mount: root mounts and unmounts, the abuser watches the subtree of "/"
 */

static int queue, plain_queue, write_end, root_fd;
static const char *victim = "/tmp/victim";

static void mount_gather(void)
{
	queue = queue_new(64, &write_end);
	root_fd = open("/", O_PATH | O_CLOEXEC);
	load(queue, true);
}

static int mount_watch(bool on)
{
	return on ? watch(queue, WATCH_TYPE_MOUNT_NOTIFY, root_fd, ID, WATCH_SUBTREE) :
		    unwatch(queue, WATCH_TYPE_MOUNT_NOTIFY, root_fd, WATCH_SUBTREE);
}

/*
 * umount(2) is not measured: it waits for an expedited RCU grace period, which kill(2) of
 * a large process group delays as well.
 */
static void mount_before(void)
{
	umount2(victim, 0);
}

static void mount_op(void)
{
	if (mount("abuse", victim, "tmpfs", 0, NULL))
		die("mount");
}

/*
 * mount-stack: the abuser watches its own namespace, to which root's mounts propagate. Its
 * root has NR_STACKED mounts on it. In mount-deep, it watches the subtree of its root, and
 * root's mounts propagate to a mount with NR_ANCESTORS.
 */

#define SHARED		"/tmp/shared"
#define NR_STACKED	(full ? 50000 : 5000)
#define NR_ANCESTORS	(full ? 50000 : 20000)

static void stack_prepare(void)
{
	if ((mkdir(SHARED, 0755) && errno != EEXIST) ||
	    mount(SHARED, SHARED, NULL, MS_BIND, NULL) ||
	    mount(NULL, SHARED, NULL, MS_SHARED, NULL))
		die(SHARED);
	victim = SHARED "/victim";
	if (mkdir(victim, 0755) && errno != EEXIST)
		die(victim);
}

/* Mount NR_STACKED filesystems on @path, each on the one before */
static void stack_mounts(const char *path)
{
	int nr = 0;

	while (nr < NR_STACKED && !mount("abuse", path, "tmpfs", 0, NULL))
		nr++;
	must_get(nr, NR_STACKED, "stacked mounts");
}

static void stack_gather(void)
{
	queue = queue_new(64, &write_end);
	enter_slave_namespace();
	root_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	stack_mounts("/");
}

static int stack_watch(bool on)
{
	return on ? watch(queue, WATCH_TYPE_MOUNT_NOTIFY, root_fd, ID, 0) :
		    unwatch(queue, WATCH_TYPE_MOUNT_NOTIFY, root_fd, 0);
}

static void deep_gather(void)
{
	int nr = 0;

	queue = queue_new(64, &write_end);
	enter_slave_namespace();
	root_fd = open("/", O_PATH | O_CLOEXEC);
	if (mount("abuse", "/tmp/tree", "tmpfs", 0, NULL) || chdir("/tmp/tree") ||
	    mkdir("child", 0755))
		die("/tmp/tree");
	while (nr < NR_ANCESTORS && !mount(".", "child", NULL, MS_BIND, NULL) &&
	       !chdir("child"))
		nr++;
	must_get(nr, NR_ANCESTORS, "ancestors");
	if (mount(SHARED, "child", NULL, MS_BIND, NULL))
		die("child");
}

static void deep_before(void)
{
	mount_before();
	ask(GO);
}

/*
 * Add the watch again before each operation, as this must not make the next one slower.
 * ADD_WATCH visits all mounts, which leaves cold caches. Do so without the watch as well.
 */
static void deep_go(enum mode last, struct reply *reply)
{
	bool watched = last == WITH;

	if (mount_watch(!watched) || mount_watch(watched))
		die("watch");
}

/*
 * mount-copy: the abuser adds and removes the watch of a subtree in a loop, which updates
 * its namespace with NR_STACKED mounts while namespace_sem is held. "Without" is with a loop
 * that copies the namespace, as every user may. This holds namespace_sem as well.
 */

static void copy_loop(enum mode mode)
{
	int status;
	pid_t pid;

	if (mode == WITH) {
		if (mount_watch(true) || mount_watch(false))
			die("watch");
		return;
	}
	pid = start();
	if (!pid)
		_exit(unshare(CLONE_NEWNS) != 0);
	if (waitpid(pid, &status, 0) != pid || status)
		die("unshare");
}

static void copy_gather(void)
{
	queue = queue_new(64, &write_end);
	enter_own_namespace();
	root_fd = open("/", O_PATH | O_CLOEXEC);
	stack_mounts("/tmp/tree");
	start_helper(copy_loop);
}

/*
 * umount: the abuser unmounts NR_MOUNTS mounts that are on a stack of mounts with
 * NR_WATCHES watches. "With" is with epolls. In umount-queues, each watch has its own
 * queue. In umount-queue, all watches share one queue, which is full most of the time
 * although there is a reader.
 */

static int tree_queues[128], nr_tree_queues;
static char tree_path[sizeof("/tmp/tree") + 2 * ARRAY_SIZE(tree_queues)];

/* Set tree_path to the mount with @depth mounts above it */
static void set_tree_path(int depth)
{
	char *at = stpcpy(tree_path, "/tmp/tree");

	while (depth--)
		at = stpcpy(at, "/d");
}

static void tree_gather(int nr_queues, unsigned int depth)
{
	int i, nr;

	enter_own_namespace();
	run_on(1);
	nr_tree_queues = nr_queues;
	for (i = 0; i < nr_queues; i++)
		tree_queues[i] = queue_new(depth, &write_end);
	nr = make_epolls();
	printf("# %s: %d mounts, %d watches, %d of %d epolls for each of %d queues\n",
	       scene->name, NR_MOUNTS, NR_WATCHES, nr, NR_EPOLLS, nr_queues);
}

static void tree_gather_many(void)
{
	full = false;		/* the number of epolls times queues is limited, too */
	tree_gather(NR_WATCHES, 4096);
}

static void tree_gather_one(void)
{
	tree_gather(1, 8192);
	start_reader(tree_queues[0]);
}

static void tree_build(void)
{
	char name[16];
	int i;

	for (i = 0; i < NR_WATCHES; i++) {
		set_tree_path(i);
		if ((i && mkdir(tree_path, 0755)) ||
		    mount("abuse", tree_path, "tmpfs", 0, NULL))
			die("mount the stack");
	}
	if (chdir(tree_path))
		die(tree_path);
	for (i = 0; i < NR_MOUNTS; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (mkdir(name, 0755) || mount(".", name, NULL, MS_BIND, NULL))
			die("mounts");
	}
	if (chdir("/"))
		die("chdir");
}

static void tree_watch(void)
{
	int i, fd, got = 0;

	for (i = 0; i < NR_WATCHES; i++) {
		set_tree_path(i);
		fd = open(tree_path, O_PATH | O_CLOEXEC);
		got += !watch(tree_queues[i % nr_tree_queues], WATCH_TYPE_MOUNT_NOTIFY,
			      fd, i, WATCH_SUBTREE);
		close(fd);
	}
	must_get(got, NR_WATCHES, "watches");
}

static void tree_set(enum mode mode)
{
	static bool loaded;

	if (mode == OFF)
		return;
	tree_build();
	tree_watch();
	for (int i = 0; i < nr_tree_queues; i++) {
		if (loaded != (mode == WITH))
			set_epolls(tree_queues[i], loaded ? EPOLL_CTL_DEL : EPOLL_CTL_ADD);
		drain(tree_queues[i]);
	}
	loaded = mode == WITH;
}

static void tree_go(enum mode mode, struct reply *reply)
{
	uint64_t start = now();

	(void)mode;
	if (umount2("/tmp/tree", MNT_DETACH))
		die("umount2");
	reply->ns = now() - start;
}

/* Root mounts repeatedly until the abuser, on the other processor, has unmounted */
static void tree_sample(double *figures)
{
	struct pollfd p = { .fd = abuser, .events = POLLIN };
	uint64_t start, ns, worst = 0;

	bystander_begin(0);
	request(GO);
	do {
		pause_for(PAUSE);
		start = now();
		if (mount("abuse", "/tmp/victim", "tmpfs", 0, NULL))
			die("mount");
		ns = now() - start;
		if (ns > worst)
			worst = ns;
		umount2("/tmp/victim", 0);
	} while (!poll(&p, 1, 0));
	figures[1] = bystander_end();
	figures[0] = receive_reply().ns;
	figures[2] = worst;
}

/*
 * remove: root adds and removes a watch on all devices, and the abuser does the same
 * concurrently. "With" is on the queue with many waiters, "without" on another queue.
 */

static void remove_loop(enum mode mode)
{
	int fd = mode == WITH ? queue : plain_queue;

	if (watch(fd, WATCH_TYPE_DEVICE_NOTIFY, -1, ID, 0) ||
	    unwatch(fd, WATCH_TYPE_DEVICE_NOTIFY, -1, 0))
		die("watch all devices");
}

static void remove_gather(void)
{
	queue = queue_new(64, &write_end);
	plain_queue = queue_new(64, &write_end);
	start_reader(plain_queue);
	start_helper(remove_loop);
	load(queue, true);
}

static int own_queue;		/* the victim's */

static void remove_prepare(void)
{
	own_queue = queue_new(64, NULL);
}

static void remove_op(void)
{
	if (watch(own_queue, WATCH_TYPE_DEVICE_NOTIFY, -1, ID, 0) ||
	    unwatch(own_queue, WATCH_TYPE_DEVICE_NOTIFY, -1, 0))
		die("watch all devices");
}

/*
 * key: root updates a key that the abuser watches
 */

static void key_prepare(void)
{
	key = syscall(__NR_add_key, "user", "abuse", "data", 4, KEY_SPEC_SESSION_KEYRING);
	/* All permissions for the possessor and the owner, View for others */
	if (key < 0 || syscall(__NR_keyctl, KEYCTL_SETPERM, key, 0x3f3f0001))
		die("add a key");
}

static void one_queue_gather(void)
{
	queue = queue_new(64, &write_end);
	load(queue, true);
}

static int key_watch(bool on)
{
	return syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, queue, on ? ID : -1);
}

static void key_op(void)
{
	if (syscall(__NR_keyctl, KEYCTL_UPDATE, key, "data", 4))
		die("update a key");
}

/*
 * device: root triggers a uevent, the abuser watches all devices
 */

static int device_watch(bool on)
{
	return on ? watch(queue, WATCH_TYPE_DEVICE_NOTIFY, -1, ID, 0) :
		    unwatch(queue, WATCH_TYPE_DEVICE_NOTIFY, -1, 0);
}

static void device_op(void)
{
	write_file("/sys/devices/virtual/mem/null/uevent", "change");
}

/*
 * close-writer: root closes the last write end of a queue, which the abuser passed to it.
 * "With" is the queue with many waiters.
 */

static void writer_gather(void)
{
	queue = queue_new(64, NULL);
	plain_queue = queue_new(64, NULL);
	load(queue, false);
}

static void writer_go(enum mode mode, struct reply *reply)
{
	reply->fd = reopen(mode == WITH ? queue : plain_queue, O_WRONLY);
	if (reply->fd < 0)
		die("open the write end");
}

static int fd_to_close;

static void close_before(void)
{
	fd_to_close = ask(GO).fd;
	ask(SYNC);		/* the abuser has closed its copy */
}

static void close_op(void)
{
	close(fd_to_close);
}

/*
 * close-queue: root closes the last descriptor of a queue with epolls and O_ASYNC.
 * "Without" is an ordinary pipe with the same waiters, because removing these is not part
 * of the queue's code.
 */

static void last_gather(void)
{
	must_get(start_group(-1, NR_GROUP), NR_GROUP, "processes");
	must_get(make_epolls(), NR_EPOLLS, "epolls");
}

static void last_go(enum mode mode, struct reply *reply)
{
	int fds[2];

	if (mode == WITH) {
		fds[0] = queue_new(64, &fds[1]);
		if (watch(fds[0], WATCH_TYPE_DEVICE_NOTIFY, -1, ID, 0))
			die("watch all devices");
	} else if (pipe2(fds, O_CLOEXEC)) {
		die("pipe2");
	}
	if (make_async(fds[0]))
		die("O_ASYNC");
	set_epolls(fds[0], EPOLL_CTL_ADD);
	close(fds[1]);
	reply->fd = fds[0];
}

/*
 * writeback: a FUSE server of the abuser fails each write. The abuser causes write-back
 * errors as fast as possible and watches the filesystem. "With" is on the queue with many
 * waiters. Root mounts and unmounts.
 */

static int fuse_root, fuse_file;

static void fuse_attr(struct fuse_attr *attr, uint64_t node)
{
	attr->ino = node;
	attr->mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	attr->nlink = 1;
	attr->blksize = 4096;
}

/* Returns the length of the answer or a negative error code */
static int fuse_answer(const struct fuse_in_header *in, void *answer)
{
	struct fuse_init_out *init = answer;
	struct fuse_entry_out *entry = answer;
	struct fuse_attr_out *attr = answer;

	switch (in->opcode) {
	case FUSE_INIT:
		init->major = FUSE_KERNEL_VERSION;
		init->minor = FUSE_KERNEL_MINOR_VERSION;
		init->flags = FUSE_WRITEBACK_CACHE;
		init->max_write = 4096;
		return sizeof(*init);
	case FUSE_LOOKUP:
		entry->nodeid = FUSE_ROOT_ID + 1;
		entry->entry_valid = 3600;
		entry->attr_valid = 3600;
		fuse_attr(&entry->attr, entry->nodeid);
		return sizeof(*entry);
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		attr->attr_valid = 3600;
		fuse_attr(&attr->attr, in->nodeid);
		return sizeof(*attr);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return sizeof(struct fuse_open_out);
	case FUSE_WRITE:
		return -EIO;
	default:
		return -ENOSYS;
	}
}

static void fuse_serve(int dev)
{
	static char in[65536];
	const struct fuse_in_header *head = (void *)in;
	struct { struct fuse_out_header head; char answer[256]; } out;
	int ret;

	while (read(dev, in, sizeof(in)) > 0) {
		if (head->opcode == FUSE_FORGET || head->opcode == FUSE_BATCH_FORGET)
			continue;
		memset(&out, 0, sizeof(out));
		ret = fuse_answer(head, out.answer);
		out.head.unique = head->unique;
		out.head.error = ret < 0 ? ret : 0;
		out.head.len = sizeof(out.head) + (ret < 0 ? 0 : ret);
		if (write(dev, &out, out.head.len) < 0 && errno != ENOENT)
			break;
	}
	_exit(0);
}

static void fuse_mount(void)
{
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[64];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", dev);
	if (dev < 0 || mount("abuse", "/tmp/tree", "fuse", 0, options))
		die("fuse");
	if (!start())
		fuse_serve(dev);
	close(dev);
	fuse_root = open("/tmp/tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fuse_file = open("/tmp/tree/file", O_RDWR | O_CLOEXEC);
	if (fuse_root < 0 || fuse_file < 0)
		die("open files of the FUSE server");
}

static void fuse_loop(enum mode mode)
{
	static char page[4096];

	(void)mode;
	if (pwrite(fuse_file, page, sizeof(page), 0) != sizeof(page) || !fsync(fuse_file))
		die("write-back did not fail");
}

static void fuse_gather(void)
{
	enter_own_namespace();
	fuse_mount();
	start_helper(fuse_loop);
	queue = queue_new(64, &write_end);
	plain_queue = queue_new(64, &write_end);
	start_reader(plain_queue);
	load(queue, true);
}

static void fuse_set(enum mode mode)
{
	static enum mode was;

	if (was != OFF && unwatch(was == WITH ? queue : plain_queue,
				  WATCH_TYPE_SB_NOTIFY, fuse_root, 0))
		die("stop watching a filesystem");
	if (mode != OFF && watch(mode == WITH ? queue : plain_queue,
				 WATCH_TYPE_SB_NOTIFY, fuse_root, ID, 0))
		die("watch a filesystem");
	was = mode;
	set_helper(mode);
}

static void fuse_prepare(void)
{
	/* udev sets this mode, too */
	if (chmod("/dev/fuse", 0666))
		die("/dev/fuse");
}

/*
 * read: one read() of a queue that holds one record, while two processes post to it
 */

#define NR_READS	1000

static int count_records(const char *p, int len)
{
	struct watch_notification n;
	int nr = 0;

	for (; len > 0; nr++) {
		memcpy(&n, p, sizeof(n));
		p += n.info & WATCH_INFO_LENGTH;
		len -= n.info & WATCH_INFO_LENGTH;
	}
	return nr;
}

static bool read_test(void)
{
	static char buf[65536];
	int most = 0, fd = queue_new(1, &write_end), nr, len, i;
	pid_t poster[2];

	key_prepare();
	if (syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, fd, ID))
		die("watch a key");
	for (i = 0; i < 2; i++) {
		poster[i] = start();
		if (poster[i])
			continue;
		run_on(i);
		for (;;)
			key_op();
	}
	for (i = 0; i < NR_READS; i++) {
		len = read(fd, buf, sizeof(buf));
		if (len <= 0)
			die("read");
		nr = count_records(buf, len);
		if (nr > most)
			most = nr;
	}
	for (i = 0; i < 2; i++)
		kill(poster[i], SIGKILL);
	printf("# read: at most %d records in one of %d reads, threshold 3\n", most, NR_READS);
	return most <= 3;
}

/*
 * wake-ups: kworkers signal a process group for many queues of the abuser. They are not in
 * the cgroup of the abuser, so they must not use more than a fraction of a processor. In
 * wake-ups-short, there are more queues, and each wake-up is short. In wake-ups-new, each
 * wake-up is the first one of its queue.
 */

#define NR_QUEUES	64
#define NR_SHORT	2000		/* queues */
#define NR_SHORT_GROUP	50		/* processes */
#define NR_SIGIO	4		/* open files of one queue that may have O_ASYNC */
#define TEST_TIME	(8000 * MS)
#define SHARE		0.09		/* it should be a sixteenth */

/* Returns the processor time of all kworkers, in ticks of _SC_CLK_TCK */
static unsigned long kworker_time(void)
{
	unsigned long sum = 0, user, system;
	char line[1024], *end;
	glob_t paths;
	FILE *stat;

	if (glob("/proc/[0-9]*/stat", 0, NULL, &paths))
		die("/proc");
	for (size_t i = 0; i < paths.gl_pathc; i++) {
		stat = fopen(paths.gl_pathv[i], "re");
		if (!stat)
			continue;	/* it has ended */
		if (fgets(line, sizeof(line), stat) && strstr(line, "(kworker/")) {
			end = strrchr(line, ')');
			if (sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				   &user, &system) != 2)
				die(paths.gl_pathv[i]);
			sum += user + system;
		}
		fclose(stat);
	}
	globfree(&paths);
	return sum;
}

static void start_signalled(int nr)
{
	become_user();
	if (start_group(-1, nr) < nr)
		die("fork");
}

/* A queue without a writer that signals the process group */
static int signalling_queue(int *files)
{
	int queue = queue_new(1, NULL);

	for (int i = 0; i < NR_SIGIO; i++) {
		files[i] = reopen(queue, O_RDONLY | O_NONBLOCK);
		if (files[i] < 0 || make_async(files[i]))
			die("O_ASYNC");
	}
	return queue;
}

/* It wakes and signals when the write end is opened and closed */
static void signal_by(int queue)
{
	int end = reopen(queue, O_WRONLY | O_NONBLOCK);

	if (end < 0 || close(end))
		die("open the write end");
}

static void signal_loop(int nr)
{
	static int queues[NR_SHORT], files[NR_SIGIO];

	for (int i = 0; i < nr; i++)
		queues[i] = signalling_queue(files);
	for (;;) {
		for (int i = 0; i < nr; i++)
			signal_by(queues[i]);
		__atomic_fetch_add(&shared->seen, 1, __ATOMIC_RELAXED);
		pause_for(2 * MS);
	}
}

static void wake_up_loop(void)
{
	start_signalled(NR_GROUP);
	signal_loop(NR_QUEUES);
}

static void short_wake_up_loop(void)
{
	start_signalled(NR_SHORT_GROUP);
	signal_loop(NR_SHORT);
}

static void new_queue_loop(void)
{
	static int queues[NR_QUEUES], files[NR_QUEUES][NR_SIGIO];
	unsigned int nr = 0;

	start_signalled(NR_GROUP);
	for (;; nr++) {
		int i = nr % NR_QUEUES;

		if (nr >= NR_QUEUES) {
			for (int j = 0; j < NR_SIGIO; j++)
				close(files[i][j]);
			close(queues[i]);
		}
		queues[i] = signalling_queue(files[i]);
		signal_by(queues[i]);
		__atomic_fetch_add(&shared->seen, 1, __ATOMIC_RELAXED);
	}
}

/*
 * remounts: a kworker posts that filesystems have changed. One has many mounts. While its
 * change is posted, the abuser remounts one with a single mount, as short work must not end
 * the pause of the kworker after long work.
 */

#define NR_DOUBLINGS	15		/* the filesystem has 2^15 mounts */
#define BIG		"/tmp/tree/big"
#define SMALL		"/tmp/tree/small"

static int make_tmpfs(const char *path, unsigned int *minor_nr)
{
	struct stat st;
	int fs;

	if (mount("abuse", path, "tmpfs", 0, NULL) || stat(path, &st))
		die(path);
	*minor_nr = minor(st.st_dev);
	fs = syscall(__NR_fspick, AT_FDCWD, path, FSPICK_CLOEXEC);
	if (fs < 0)
		die("fspick");
	return fs;
}

static void remount(int fs)
{
	if (syscall(__NR_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0))
		die("remount");
}

static void wait_for_remount(int queue, unsigned int minor_nr)
{
	struct mount_notification n;

	do {
		if (read(queue, &n, sizeof(n)) < (ssize_t)sizeof(n.watch))
			die("read");
	} while (n.watch.type != WATCH_TYPE_MOUNT_NOTIFY || n.dev_minor != minor_nr ||
		 n.watch.subtype != NOTIFY_MOUNT_FS_CHANGED);
}

static void remount_loop(void)
{
	unsigned int big_minor, small_minor;
	int big, small, queue;

	become_user();
	enter_own_namespace();
	if (mount("abuse", "/tmp/tree", "tmpfs", 0, NULL) || mkdir(BIG, 0700) ||
	    mkdir(SMALL, 0700))
		die("/tmp/tree");
	big = make_tmpfs(BIG, &big_minor);
	small = make_tmpfs(SMALL, &small_minor);
	if (mkdir(BIG "/d", 0700))
		die(BIG "/d");
	for (int i = 0; i < NR_DOUBLINGS; i++)
		if (mount(BIG, BIG "/d", NULL, MS_BIND | MS_REC, NULL))
			die("bind");
	queue = queue_new(64, NULL);
	if (watch(queue, WATCH_TYPE_MOUNT_NOTIFY, open("/", O_PATH), ID, WATCH_SUBTREE))
		die("watch");
	for (;;) {
		remount(big);
		wait_for_remount(queue, big_minor);	/* the kworker still runs */
		remount(small);
		wait_for_remount(queue, small_minor);
		pause_for(PAUSE);
		__atomic_fetch_add(&shared->seen, 1, __ATOMIC_RELAXED);
	}
}

/* Check that kworkers use at most SHARE of a processor while the abuser runs @loop */
static bool kworker_test(void (*loop)(void))
{
	pid_t pid = start();
	unsigned long ticks;
	uint64_t begin;
	double share;
	int loops;

	if (!pid)
		loop();
	while (__atomic_load_n(&shared->seen, __ATOMIC_RELAXED) < 2)
		pause_for(PAUSE);
	loops = __atomic_load_n(&shared->seen, __ATOMIC_RELAXED);
	ticks = kworker_time();
	begin = now();
	pause_for(TEST_TIME);
	ticks = kworker_time() - ticks;
	share = ticks * (1000.0 * MS / sysconf(_SC_CLK_TCK)) / (now() - begin);
	loops = __atomic_load_n(&shared->seen, __ATOMIC_RELAXED) - loops;
	kill(pid, SIGKILL);
	printf("# %s: kworkers use %.3f of a processor, threshold %.3f; %d rounds\n",
	       scene->name, share, SHARE, loops);
	return share <= SHARE && loops > 1;
}

static bool wake_ups_test(void)
{
	return kworker_test(wake_up_loop);
}

static bool short_wake_ups_test(void)
{
	return kworker_test(short_wake_up_loop);
}

static bool new_queues_test(void)
{
	return kworker_test(new_queue_loop);
}

static bool remounts_test(void)
{
	return kworker_test(remount_loop);
}

/*
 * The scenes
 */

static const struct scene scenes[] = {
	{
		.name = "mount",
		.figures = { "mount", "bystander" },
		.gather = mount_gather, .watch = mount_watch,
		.before = mount_before, .pause = COOL_DOWN, .op = mount_op,
	}, {
		.name = "mount-stack",
		.figures = { "mount" },
		.prepare = stack_prepare, .gather = stack_gather, .watch = stack_watch,
		.before = mount_before, .pause = COOL_DOWN, .op = mount_op,
	}, {
		.name = "mount-deep",
		.figures = { "mount" },
		.prepare = stack_prepare, .gather = deep_gather, .watch = mount_watch,
		.go = deep_go, .before = deep_before, .pause = COOL_DOWN,
		.op = mount_op,
	}, {
		.name = "mount-copy",
		.figures = { "mount" },
		.gather = copy_gather, .set = set_helper,
		.before = mount_before, .pause = COOL_DOWN, .op = mount_op,
	}, {
		.name = "umount-queues",
		.figures = { "umount", "bystander", "concurrent mount" },
		.gather = tree_gather_many, .set = tree_set, .go = tree_go,
		.sample = tree_sample,
	}, {
		.name = "umount-queue",
		.figures = { "umount", "bystander", "concurrent mount" },
		.gather = tree_gather_one, .set = tree_set, .go = tree_go,
		.sample = tree_sample,
	}, {
		.name = "remove",
		.figures = { "add and remove" },
		.prepare = remove_prepare, .gather = remove_gather,
		.set = set_helper, .op = remove_op, .batch = BATCH,
	}, {
		.name = "key",
		.figures = { "update", "bystander" },
		.prepare = key_prepare, .gather = one_queue_gather,
		.watch = key_watch, .op = key_op, .batch = BATCH,
	}, {
		.name = "device",
		.figures = { "uevent", "bystander" },
		.gather = one_queue_gather, .watch = device_watch,
		.op = device_op, .batch = BATCH,
	}, {
		.name = "writeback",
		.figures = { "mount", "bystander" },
		.prepare = fuse_prepare, .gather = fuse_gather,
		.set = fuse_set, .before = mount_before, .pause = COOL_DOWN, .op = mount_op,
	}, {
		.name = "close-writer",
		.figures = { "close" },
		.gather = writer_gather, .go = writer_go,
		.before = close_before, .op = close_op,
	}, {
		.name = "close-queue",
		.figures = { "close" },
		.gather = last_gather, .go = last_go,
		.before = close_before, .op = close_op,
	}, {
		.name = "read",
		.test = read_test,
	}, {
		.name = "wake-ups",
		.test = wake_ups_test,
	}, {
		.name = "wake-ups-short",
		.test = short_wake_ups_test,
	}, {
		.name = "wake-ups-new",
		.test = new_queues_test,
	}, {
		.name = "remounts",
		.test = remounts_test,
	},
};

/*
 * Measuring
 */

/* Returns the time of one operation in ns. A batch of long operations ends early. */
static double time_op(uint64_t pause)
{
	uint64_t begin, ns;
	int nr = 0;

	if (scene->before)
		scene->before();
	pause_for(pause);
	begin = now();
	do {
		scene->op();
		nr++;
		ns = now() - begin;
	} while (nr < scene->batch && ns < SAMPLE);
	return (double)ns / nr;
}

/* Returns the mean time of operations; fewer than @min if they take very long */
static double sample_ops(uint64_t pause, int min)
{
	uint64_t begin = now(), ns;
	double sum = 0;
	int nr = 0;

	do {
		sum += time_op(pause);
		nr++;
		ns = now() - begin;
	} while (ns < SAMPLE || (nr < min && ns < SCENE / 10));
	return sum / nr;
}

static void sample_op(double *figures)
{
	figures[0] = sample_ops(scene->pause ?: PAUSE, SAMPLE_OPS);
	if (!scene->figures[1])
		return;
	bystander_begin(1);
	sample_ops(PAUSE, 1);
	figures[1] = bystander_end();
}

static void sample(enum mode mode, double *figures)
{
	ask(OFF);
	wait_for_idle();
	ask(mode);
	if (scene->sample)
		scene->sample(figures);
	else
		sample_op(figures);
}

/* Returns true if no ratio is above the threshold */
static bool compare_figures(double (*with)[MAX_FIGURES], double (*without)[MAX_FIGURES],
			    int nr)
{
	double a[NR_PAIRS], b[NR_PAIRS], ratio;
	bool ok = true;

	for (int f = 0; f < MAX_FIGURES && scene->figures[f]; f++) {
		for (int i = 0; i < nr; i++) {
			a[i] = with[i][f];
			b[i] = without[i][f];
		}
		ratio = percentile(a, nr, 50) / percentile(b, nr, 50);
		printf("# %s: %s: ratio %.2f, max %.1f (%.0f us, without %.0f us, %d times)\n",
		       scene->name, scene->figures[f], ratio, THRESHOLD,
		       percentile(a, nr, 50) / 1000, percentile(b, nr, 50) / 1000, nr);
		ok &= ratio <= THRESHOLD;
	}
	return ok;
}

static bool compare_modes(void)
{
	double with[NR_PAIRS][MAX_FIGURES], without[NR_PAIRS][MAX_FIGURES];
	uint64_t begin;
	int nr;

	start_bystander();
	start_abuser();
	ask(OFF);
	run_on(0);
	set_priority(SCHED_FIFO, 10);
	sample(WITHOUT, without[0]);	/* warm up; the result is overwritten */
	begin = now();
	for (nr = 0; nr < NR_PAIRS && (!nr || now() - begin < SCENE); nr++) {
		sample(nr & 1 ? WITH : WITHOUT, nr & 1 ? with[nr] : without[nr]);
		sample(nr & 1 ? WITHOUT : WITH, nr & 1 ? without[nr] : with[nr]);
	}
	return compare_figures(with, without, nr);
}

/* Run the scene in a child process, and wait until all its processes have ended */
static bool run_scene(void)
{
	pid_t pid = start();
	int status;

	if (!pid) {
		if (scene->prepare)
			scene->prepare();
		_exit(!(scene->test ? scene->test() : compare_modes()));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = 1;
	while (waitpid(-1, NULL, 0) > 0)
		;
	return !status;
}

static bool is_wanted(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc <= 1;
}

int main(int argc, char **argv)
{
	int nr = 0, failed = 0;

	if (argc > 1 && !strcmp(argv[1], "--full")) {
		full = true;
		argc--;
		argv++;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || mkdir("/tmp/victim", 0755) ||
	    mkdir("/tmp/tree", 0755) || chown("/tmp/tree", USER, USER))
		die("prepare");
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++)
		nr += is_wanted(argc, argv, scenes[i].name);
	printf("KTAP version 1\n1..%d\n", nr);
	nr = 0;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		bool ok;

		scene = &scenes[i];
		if (!is_wanted(argc, argv, scene->name))
			continue;
		memset(shared, 0, sizeof(*shared));
		ok = run_scene();
		printf("%sok %d %s\n", ok ? "" : "not ", ++nr, scene->name);
		failed += !ok;
	}
	return failed != 0;
}
