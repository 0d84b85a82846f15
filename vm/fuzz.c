// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program that afl-fuzz runs in the guest of bin/fuzz
 *
 * An input is a sequence of system calls on queues and keys: one byte for the
 * call, then the bytes of its arguments. Queues and keys are in tables, so that
 * nearly every byte is valid. Each input runs in its own process. KCOV records
 * the basic blocks of the kernel that the process executes; these, instead of
 * those of an instrumented program, go to the map of afl-fuzz.
 *
 * An input fails if the kernel warns and panics, if the input hangs, or if this
 * program aborts because a queue misbehaves: it returned a malformed record, or
 * one with an ID that no watch had, or its counts of records and losses are not
 * those of the records that were read.
 *
 *	fuzz		run the input on stdin, or be a fork server for afl-fuzz
 *	fuzz FILE...	run each file, print KTAP
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <linux/keyctl.h>
#include <linux/watch_queue.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define NR_QUEUES	4
#define NR_KEYS		8
#define BUF_SIZE	16384	/* followed by an inaccessible page */
#define MAX_INPUT	512
#define MAX_FORKS	8
#define MAX_WAITS	64
#define TICK_US		2000	/* a signal interrupts system calls this often */

/* Protocol of the fork server: descriptors and map size */
#define FROM_AFL	198
#define TO_AFL		199
#define MAP_SIZE	65536
#define COVER_SIZE	65536

static struct queue {
	int fds[2];			/* -1: closed */
	uint64_t read, lost;		/* records that read() returned or reported lost */
	bool uncounted;			/* counts are unknown: saturated loss, second reader */
	bool ids[256];			/* IDs of the watches that were added */
} queues[NR_QUEUES];

static int keys[NR_KEYS];		/* the first is always the session keyring */
static unsigned char input[MAX_INPUT];
static size_t input_at, input_len;
static unsigned int forks, waits;
static char *buf;
static uint64_t *cover;
static int kcov_fd;

static void wrong(const char *what)
{
	fprintf(stderr, "# wrong: %s\n", what);
	abort();
}

/*
 * The input
 */

static unsigned int byte(void)
{
	return input_at < input_len ? input[input_at++] : 0;
}

/* Half of the numbers are small, the others are near powers of two */
static unsigned long number(void)
{
	unsigned int how = byte();

	if (how < 128)
		return how;
	return (unsigned long)(1ULL << how % 64) + (how & 64 ? byte() - 128UL : 0);
}

static struct queue *queue(void)
{
	return &queues[byte() % NR_QUEUES];
}

static int *key(void)
{
	return &keys[byte() % NR_KEYS];
}

/* Returns a buffer of *@size that ends at the inaccessible page */
static char *room(size_t *size)
{
	*size = number();
	return buf + BUF_SIZE - (*size < BUF_SIZE ? *size : BUF_SIZE);
}

/*
 * Invariants
 */

static bool record_ok(const struct queue *q, const struct watch_notification *n)
{
	unsigned int len = n->info & WATCH_INFO_LENGTH;
	unsigned int id = (n->info & WATCH_INFO_ID) >> WATCH_INFO_ID__SHIFT;

	if (n->type == WATCH_TYPE_KEY_NOTIFY)
		return len == sizeof(struct key_notification) && q->ids[id] &&
		       n->subtype <= NOTIFY_KEY_EXPIRED;
	if (n->type != WATCH_TYPE_META)
		return false;
	if (n->subtype == WATCH_META_REMOVAL_NOTIFICATION)
		return len == sizeof(struct watch_notification_removal) && q->ids[id];
	return n->subtype == WATCH_META_LOSS_NOTIFICATION && len == sizeof(*n) &&
	       !id && n->info >> WATCH_INFO_TYPE_INFO__SHIFT;
}

static void check_records(struct queue *q, const char *p, long len)
{
	struct watch_notification n;

	for (; len > 0; p += n.info & WATCH_INFO_LENGTH,
			len -= n.info & WATCH_INFO_LENGTH) {
		if (len < (long)sizeof(n))
			wrong("part of a header");
		memcpy(&n, p, sizeof(n));
		if ((n.info & WATCH_INFO_LENGTH) > len)
			wrong("part of a record");
		if (!record_ok(q, &n))
			wrong("malformed record");
		if (n.type != WATCH_TYPE_META || n.subtype != WATCH_META_LOSS_NOTIFICATION) {
			q->read++;
			continue;
		}
		q->lost += n.info >> WATCH_INFO_TYPE_INFO__SHIFT;
		if (n.info >> WATCH_INFO_TYPE_INFO__SHIFT == 0xffff)
			q->uncounted = true;
	}
}

/*
 * Compare the counts in fdinfo with what was read. This cannot detect a record that was
 * never counted; stress_test does that, because it has the number of posts.
 */
static void check_counts(struct queue *q, int fd, bool empty)
{
	unsigned long long depth = 0, queued = 0, posted = 0, lost = 0;
	char path[64], line[256];
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	if (!info)
		wrong(path);
	while (fgets(line, sizeof(line), info)) {
		sscanf(line, "depth: %llu", &depth);
		sscanf(line, "queued: %llu", &queued);
		sscanf(line, "posted: %llu", &posted);
		sscanf(line, "lost: %llu", &lost);
	}
	fclose(info);
	if (queued > depth)
		wrong("fdinfo: more queued than depth");
	if (q->uncounted)
		return;
	if (q->read != posted - queued - lost)
		wrong("number of records read");
	/*
	 * The key garbage collector may have posted after the last read(), even so many
	 * records that some were lost; then the queue is not empty.
	 */
	if (q->lost > lost || (empty && depth && !queued && q->lost != lost))
		wrong("number of records reported lost");
}

static void end_of_queue(struct queue *q)
{
	bool empty = false;
	long len;

	if (q->fds[0] < 0)
		return;
	while ((len = read(q->fds[0], buf, BUF_SIZE)) > 0)
		check_records(q, buf, len);
	if (len < 0 && errno != EAGAIN && errno != EINTR && errno != EBADF)
		wrong("read() with a large buffer");
	empty = len == 0 || errno == EAGAIN;
	check_counts(q, q->fds[0], empty);
}

/*
 * Calls
 */

static void close_end(struct queue *q, int end)
{
	if (q->fds[end] >= 0)
		close(q->fds[end]);
	q->fds[end] = -1;
}

static void open_queue(struct queue *q)
{
	unsigned int flags = byte();
	struct queue new = { };

	if (pipe2(new.fds, O_NOTIFICATION_PIPE | O_NONBLOCK |
		  (flags & 1 ? O_CLOEXEC : 0) | (flags & 2 ? O_DIRECT : 0)))
		return;
	end_of_queue(q);
	close_end(q, 0);
	close_end(q, 1);
	*q = new;
	if (flags & 0x80)		/* most inputs need a queue with a size */
		ioctl(q->fds[0], IOC_WATCH_QUEUE_SET_SIZE, 1UL << (flags >> 2 & 7));
}

static void set_filter(struct queue *q)
{
	struct {
		struct watch_notification_filter head;
		struct watch_notification_type_filter rules[18];
	} f = { };
	unsigned int how = byte(), i;

	f.head.nr_filters = how & 31;
	f.head.__reserved = how == 0xe0;
	for (i = 0; i < f.head.nr_filters && i < ARRAY_SIZE(f.rules); i++) {
		f.rules[i].type = byte();
		memset(f.rules[i].subtype_filter, byte(), 32);
		f.rules[i].info_mask = number();
		f.rules[i].info_filter = how & 32 ? number() : f.rules[i].info_mask;
	}
	if (how >= 0xf0)
		memcpy(buf + BUF_SIZE - (how & 15), &f, how & 15);
	ioctl(q->fds[byte() & 1], IOC_WATCH_QUEUE_SET_FILTER,
	      how < 0xf0 ? &f : how == 0xf0 ? NULL : (void *)(buf + BUF_SIZE - (how & 15)));
}

static void read_queue(struct queue *q)
{
	unsigned int how = byte();
	struct iovec iov[2];
	bool blocks = how & 8 && waits++ < MAX_WAITS;
	size_t size;
	char *p = room(&size);
	long len;

	iov[0] = (struct iovec){ p, size / 2 };
	iov[1] = (struct iovec){ p + size / 2, size - size / 2 };
	if (blocks)
		fcntl(q->fds[0], F_SETFL, 0);
	switch (how & 3) {
	case 0:
		len = read(q->fds[0], p, size);
		break;
	case 1:
		len = readv(q->fds[0], iov, 2);
		break;
	case 2:
		len = preadv2(q->fds[0], iov, 2, how & 16 ? 0 : -1, RWF_NOWAIT);
		break;
	default:
		p = buf + (how >> 4) % 8 * 16;
		len = read(q->fds[0], p, BUF_SIZE - (p - buf));
	}
	if (blocks)
		fcntl(q->fds[0], F_SETFL, O_NONBLOCK);
	if (len > BUF_SIZE)
		wrong("read() returned more than the size of the buffer");
	check_records(q, p, len);
}

/* One operation on a key. Most of them post a record. */
static void key_call(unsigned int how)
{
	static const int calls[] = {
		KEYCTL_UPDATE, KEYCTL_REVOKE, KEYCTL_INVALIDATE, KEYCTL_LINK,
		KEYCTL_UNLINK, KEYCTL_CLEAR, KEYCTL_SETPERM, KEYCTL_SET_TIMEOUT,
		KEYCTL_CHOWN, KEYCTL_RESTRICT_KEYRING,
	};
	int *a = key(), *b = key(), call = calls[how % ARRAY_SIZE(calls)];

	if (*a == KEY_SPEC_SESSION_KEYRING &&
	    (call == KEYCTL_SETPERM || call == KEYCTL_SET_TIMEOUT))
		return;		/* all later operations would fail */
	switch (call) {
	case KEYCTL_UPDATE:
		syscall(__NR_keyctl, call, *a, "data", 4);
		break;
	case KEYCTL_SETPERM:
		syscall(__NR_keyctl, call, *a, 0x3f3f0000 | byte());
		break;
	case KEYCTL_SET_TIMEOUT:
		syscall(__NR_keyctl, call, *a, byte());
		break;
	case KEYCTL_CHOWN:
		syscall(__NR_keyctl, call, *a, -1, -1);
		break;
	case KEYCTL_RESTRICT_KEYRING:
		syscall(__NR_keyctl, call, *a, NULL, NULL);
		break;
	default:
		syscall(__NR_keyctl, call, *a, *b);
	}
}

static void add_key(void)
{
	int *k = key(), *ring = key();
	unsigned int how = byte();
	char name[8] = { 'k', 'a' + (how >> 1) % 4 };
	int new = syscall(__NR_add_key, how & 1 ? "keyring" : "user", name,
			  how & 1 ? NULL : name, how & 1 ? 0 : 2, *ring);

	if (new > 0 && k != &keys[0])
		*k = new;
}

static void watch_key(struct queue *q)
{
	unsigned int id = byte(), end = byte();
	int *k = key();

	/* Fails if the key is watched already; the ID then stays the same */
	if (!syscall(__NR_keyctl, KEYCTL_WATCH_KEY, *k, q->fds[end & 1],
		     end & 0x80 ? -1L : (long)(id | (end & 0x40 ? KEY_WATCH_EXTENDED : 0))))
		q->ids[id] |= !(end & 0x80);
}

/* Calls that a queue must refuse, and ioctls of queues on an ordinary pipe */
static void refused(struct queue *q)
{
	unsigned int how = byte();
	int fds[2], fd = q->fds[how >> 7];
	struct iovec iov = { buf, 16 };
	loff_t at = 0;

	if (pipe2(fds, O_NONBLOCK))
		return;
	if (write(fds[1], "some bytes", 10) != 10)
		wrong("write to an ordinary pipe");
	if (splice(fd, NULL, fds[1], NULL, 100, SPLICE_F_NONBLOCK) >= 0 ||
	    splice(fds[0], NULL, fd, NULL, 100, SPLICE_F_NONBLOCK) >= 0 ||
	    tee(fd, fds[1], 100, SPLICE_F_NONBLOCK) >= 0 ||
	    tee(fds[0], fd, 100, SPLICE_F_NONBLOCK) >= 0 ||
	    vmsplice(fd, &iov, 1, SPLICE_F_NONBLOCK) >= 0 ||
	    write(fd, buf, 1 + (how & 127)) >= 0 || sendfile(fds[1], fd, NULL, 100) >= 0 ||
	    lseek(fd, 0, SEEK_SET) >= 0 || pread(fd, buf, 100, at) >= 0)
		wrong("a call succeeded that must fail on a queue");
	ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, 1);
	ioctl(fds[1], IOC_WATCH_QUEUE_SET_FILTER, buf);
	close(fds[0]);
	close(fds[1]);
}

static void control(struct queue *q)
{
	unsigned int how = byte();
	unsigned long arg = number();
	int fd = q->fds[how >> 7];

	switch (how & 7) {
	case 0:
		ioctl(fd, FIONREAD, buf);
		break;
	case 1:
		fcntl(fd, F_SETPIPE_SZ, arg);
		break;
	case 2:
		fcntl(fd, F_GETPIPE_SZ);
		break;
	case 3:
		fcntl(fd, F_SETOWN, getpid());
		fcntl(fd, F_SETFL, O_NONBLOCK | (arg & 1 ? O_ASYNC : 0));
		break;
	case 4:
		ioctl(fd, _IO('W', arg & 255), arg >> 8);
		break;
	default:
		ioctl(fd, IOC_WATCH_QUEUE_SET_SIZE, arg);
	}
}

/* Replace a descriptor by a duplicate, or by one from opening the queue again */
static void reopen(struct queue *q)
{
	unsigned int how = byte();
	char path[64];
	int end = how & 1, fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", q->fds[how >> 1 & 1]);
	fd = how & 4 ? dup(q->fds[end]) :
	     open(path, (how & 8 ? O_RDWR : end ? O_WRONLY : O_RDONLY) | O_NONBLOCK);
	if (fd < 0)
		return;
	close_end(q, end);
	q->fds[end] = fd;
}

static void start_timer(void)
{
	const struct itimerval every = {
		.it_interval.tv_usec = TICK_US, .it_value.tv_usec = TICK_US,
	};

	setitimer(ITIMER_REAL, &every, NULL);
}

/* Start another reader, which exits after a few reads and closes all its descriptors */
static void other_process(struct queue *q)
{
	if (forks++ == MAX_FORKS)
		input_at = input_len;
	if (forks > MAX_FORKS)
		return;
	q->uncounted = true;
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	start_timer();
	for (int i = 0; i < 4; i++)
		if (read(q->fds[0], buf, BUF_SIZE) < 0)
			break;
	_exit(0);
}

static void one_call(void)
{
	unsigned int call = byte();
	struct queue *q = queue();
	struct pollfd p = { .events = POLLIN | POLLOUT | POLLPRI };

	switch (call % 16) {
	case 0:
		open_queue(q);
		break;
	case 1:
		set_filter(q);
		break;
	case 2:
		watch_key(q);
		break;
	case 3:
		add_key();
		break;
	case 4:
	case 5:
		read_queue(q);
		break;
	case 6:
		p.fd = q->fds[byte() & 1];
		poll(&p, 1, 0);
		break;
	case 7:
		control(q);
		break;
	case 8:
		refused(q);
		break;
	case 9:
		reopen(q);
		break;
	case 10:
		call = byte();
		if (call & 2)
			end_of_queue(q);
		close_end(q, call & 1);
		break;
	case 11:
		other_process(q);
		break;
	case 12:
		if (q->fds[0] >= 0)
			check_counts(q, q->fds[0], false);
		break;
	default:
		key_call(call >> 4);
	}
}

/*
 * Running an input
 */

static void tick(int sig)
{
	(void)sig;
}

static void run_input(int fd)
{
	struct sigaction no_restart = { .sa_handler = tick };
	long len = read(fd, input, sizeof(input));

	input_len = len > 0 ? len : 0;
	for (int i = 0; i < NR_QUEUES; i++)
		queues[i].fds[0] = queues[i].fds[1] = -1;
	for (int i = 0; i < NR_KEYS; i++)
		keys[i] = KEY_SPEC_SESSION_KEYRING;
	buf = mmap(NULL, BUF_SIZE + 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED || mprotect(buf + BUF_SIZE, 4096, PROT_NONE))
		wrong("no memory");
	syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	signal(SIGIO, SIG_IGN);
	sigaction(SIGALRM, &no_restart, NULL);
	start_timer();
	if (cover && ioctl(kcov_fd, KCOV_ENABLE, KCOV_TRACE_PC))
		wrong("KCOV_ENABLE");
	while (input_at < input_len)
		one_call();
	for (int i = 0; i < NR_QUEUES; i++)
		end_of_queue(&queues[i]);
	_exit(0);
}

static void *open_kcov(void)
{
	void *p;

	kcov_fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov_fd < 0 || ioctl(kcov_fd, KCOV_INIT_TRACE, COVER_SIZE))
		return NULL;
	p = mmap(NULL, COVER_SIZE * sizeof(*cover), PROT_READ | PROT_WRITE,
		 MAP_SHARED, kcov_fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* Count the edges between basic blocks, in the way of afl-fuzz */
static void fill_map(uint8_t *map)
{
	uint64_t nr = __atomic_load_n(&cover[0], __ATOMIC_RELAXED), last = 0;

	for (uint64_t i = 1; i <= nr && i < COVER_SIZE; i++) {
		uint64_t block = cover[i] * 0x9e3779b97f4a7c15 >> 48;

		map[(block ^ last) % MAP_SIZE]++;
		last = block >> 1;
	}
}

static int serve(uint8_t *map)
{
	int hello = 0, was_killed, status;
	pid_t pid;

	cover = open_kcov();
	if (!cover)
		return 1;
	if (write(TO_AFL, &hello, sizeof(hello)) != sizeof(hello))
		return 1;
	while (read(FROM_AFL, &was_killed, sizeof(was_killed)) == sizeof(was_killed)) {
		cover[0] = 0;
		pid = fork();
		if (!pid) {
			close(FROM_AFL);
			close(TO_AFL);
			run_input(0);
		}
		if (pid < 0 || write(TO_AFL, &pid, sizeof(pid)) != sizeof(pid) ||
		    waitpid(pid, &status, 0) != pid)
			return 1;
		fill_map(map);
		if (write(TO_AFL, &status, sizeof(status)) != sizeof(status))
			return 1;
	}
	return 0;
}

static int replay(int argc, char **argv)
{
	int failed = 0, status;

	printf("KTAP version 1\n1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (!pid)
			run_input(fd);
		if (fd < 0 || waitpid(pid, &status, 0) != pid || status) {
			printf("not ");
			failed++;
		}
		printf("ok %d %s\n", i, strrchr(argv[i], '/') ?: argv[i]);
		close(fd);
	}
	return failed != 0;
}

int main(int argc, char **argv)
{
	const char *map = getenv("__AFL_SHM_ID");

	if (argc > 1)
		return replay(argc, argv);
	if (map)
		return serve(shmat(atoi(map), NULL, 0));
	run_input(0);
}
