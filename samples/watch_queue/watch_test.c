// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watch a key or a keyring through a notification queue, one line an event.
 *
 * See Documentation/userspace-api/watch_queue.rst.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/keyctl.h>
#include <linux/watch_queue.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define WATCH_ID	1	/* 0 to 255; comes back in every record */

static unsigned long long events, lost;
static bool removed;

/* What an error number means for one particular call */
static const struct {
	const char *call;
	int error;
	const char *text;
} hints[] = {
	{ "pipe2", ENOPKG, "this kernel was built without CONFIG_WATCH_QUEUE" },
	{ "pipe2", EINVAL, "this kernel has no notification queues, it is older than 5.8" },
	{ "SET_SIZE", EINVAL, "too many records, or none; see pipe-max-size in pipe(7)" },
	{ "SET_SIZE", EPERM, "over the user's limit, see pipe-user-pages-soft in pipe(7)" },
	{ "WATCH_KEY", EOPNOTSUPP, "this kernel was built without CONFIG_KEY_NOTIFICATIONS" },
	{ "WATCH_KEY", EACCES, "the key does not grant View permission" },
	{ "WATCH_KEY", ENOKEY, "there is no such key" },
	{ "WATCH_KEY", EKEYREVOKED, "the key was revoked" },
	{ "WATCH_KEY", EKEYEXPIRED, "the key has expired" },
	{ "WATCH_KEY", EAGAIN, "the user holds too many watches, see RLIMIT_NOFILE" },
};

static void die(const char *call)
{
	int error = errno;
	size_t i;

	fprintf(stderr, "watch_test: %s: %s\n", call, strerror(error));
	for (i = 0; i < ARRAY_SIZE(hints); i++)
		if (hints[i].error == error && !strcmp(hints[i].call, call))
			fprintf(stderr, "watch_test: %s\n", hints[i].text);
	exit(1);
}

/* A record is not aligned in the buffer that read() fills: it is copied here */
union record {
	struct watch_notification head;
	struct watch_notification_removal removal;
	struct key_notification key;
	unsigned char bytes[WATCH_INFO_LENGTH + 1];
};

static void show(const union record *rec, size_t size)
{
	static const char * const key_events[] = {
		[NOTIFY_KEY_INSTANTIATED] = "instantiated",
		[NOTIFY_KEY_UPDATED]	= "updated",
		[NOTIFY_KEY_LINKED]	= "linked",
		[NOTIFY_KEY_UNLINKED]	= "unlinked",
		[NOTIFY_KEY_CLEARED]	= "cleared",
		[NOTIFY_KEY_REVOKED]	= "revoked",
		[NOTIFY_KEY_INVALIDATED] = "invalidated",
		[NOTIFY_KEY_SETATTR]	= "attributes changed",
	};
	unsigned int type = rec->head.type, subtype = rec->head.subtype;
	unsigned int info = rec->head.info, n;
	size_t i;

	if (type == WATCH_TYPE_META && subtype == WATCH_META_LOSS_NOTIFICATION) {
		n = (info & WATCH_INFO_TYPE_INFO) >> WATCH_INFO_TYPE_INFO__SHIFT;
		printf("lost %u%s: read the state of the key again\n", n,
		       n == 0xffff ? " or more" : "");
		lost += n;
		return;
	}

	printf("watch %u: ", (info & WATCH_INFO_ID) >> WATCH_INFO_ID__SHIFT);
	if (type == WATCH_TYPE_KEY_NOTIFY && size >= sizeof(rec->key) &&
	    subtype < ARRAY_SIZE(key_events)) {
		printf("key %u: %s", rec->key.key_id, key_events[subtype]);
		if (subtype == NOTIFY_KEY_LINKED || subtype == NOTIFY_KEY_UNLINKED)
			printf(" key %u", rec->key.aux);
		if (subtype == NOTIFY_KEY_INSTANTIATED && rec->key.aux)
			printf(" with an error: %s", strerror(abs((int)rec->key.aux)));
	} else if (type == WATCH_TYPE_META && subtype == WATCH_META_REMOVAL_NOTIFICATION) {
		removed = true;
		printf("removed");
		if (size >= sizeof(rec->removal))
			printf(" from key %llu", (unsigned long long)rec->removal.id);
	} else {
		/* Newer than this program, and no reason to stop */
		printf("type %u subtype %u info %08x:", type, subtype, info);
		for (i = sizeof(rec->head); i < size; i++)
			printf(" %02x", rec->bytes[i]);
	}
	putchar('\n');
	events++;
}

/* Take the records out of a buffer one by one, up to @count events in all */
static void show_all(const unsigned char *p, size_t left, unsigned long long count)
{
	union record rec;
	size_t size;

	while (left && !(count && events >= count)) {
		size = 0;
		if (left >= sizeof(rec.head)) {
			memcpy(&rec.head, p, sizeof(rec.head));
			size = rec.head.info & WATCH_INFO_LENGTH;
		}
		if (size < sizeof(rec.head) || size > left) {
			fprintf(stderr, "watch_test: a record of %zu bytes, %zu were read\n",
				size, left);
			exit(1);
		}
		memcpy(&rec, p, size);
		show(&rec, size);
		p += size;
		left -= size;
	}
}

/* Signals as data: poll() sees them, and none can slip in before it */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGINT, SIG_DFL);	/* a shell ignores it for "watch_test &" */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd");
	return fd;
}

static void print_help(FILE *out, int status)
{
	fputs("usage: watch_test [-n DEPTH] [-c COUNT] [--hold] [KEY]\n"
	      "Say what happens to KEY: a number, @t, @p, @s (default), @u or @us.\n"
	      "  -n DEPTH   how many records the queue can hold (default 256)\n"
	      "  -c COUNT   end after COUNT events\n"
	      "  --hold     read nothing before SIGUSR1 arrives, to see an overflow\n"
	      "  -h, --help this text\n"
	      "Try: ./watch_test & sleep 1; keyctl add user demo hello @s; kill $!\n", out);
	exit(status);
}

static unsigned long long parse(const char *text, unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-') || n > max) {
		fprintf(stderr, "watch_test: %s: not a number, or too big\n", text);
		exit(2);
	}
	return n;
}

static int key_number(const char *text)
{
	/* Special key IDs are negative and count down from -1 */
	static const char * const names[] = { "@t", "@p", "@s", "@u", "@us" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i]))
			return KEY_SPEC_THREAD_KEYRING - (int)i;
	return parse(text, INT_MAX);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' }, { "hold", no_argument, NULL, 'H' }, { }
	};
	int key = KEY_SPEC_SESSION_KEYRING, opt, fds[2];
	unsigned long long count = 0;
	unsigned long depth = 256;
	unsigned char buf[4096];	/* 128 or more would do */
	struct pollfd pfd[2] = { { .events = POLLIN }, { .events = POLLIN } };
	bool hold = false;
	ssize_t len;
	long serial;

	while ((opt = getopt_long(argc, argv, "hn:c:", options, NULL)) != -1) {
		if (opt == 'h')
			print_help(stdout, 0);
		else if (opt == 'H')
			hold = true;
		else if (opt == 'n')
			depth = parse(optarg, ULONG_MAX);
		else if (opt == 'c')
			count = parse(optarg, ULLONG_MAX);
		else
			print_help(stderr, 2);
	}
	if (optind < argc)
		key = key_number(argv[optind++]);
	if (optind < argc)
		print_help(stderr, 2);

	setvbuf(stdout, NULL, _IOLBF, 0);

	pfd[0].fd = open_signals();
	if (pipe2(fds, O_NOTIFICATION_PIPE | O_CLOEXEC))
		die("pipe2");
	if (ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, depth))
		die("SET_SIZE");
	if (syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, fds[0], WATCH_ID))
		die("WATCH_KEY");
	/* Only the kernel writes; with this end closed, no watch means no data */
	close(fds[1]);

	pfd[1].fd = hold ? -1 : fds[0];		/* poll() passes over -1 */

	/* Watch first, look at the state then: nothing can fall in between */
	serial = key;
	if (key < 0)
		serial = syscall(__NR_keyctl, KEYCTL_GET_KEYRING_ID, key, 0);
	printf("watching key %ld, queue of %lu records\n", serial > 0 ? serial : key, depth);

	while (!count || events < count) {
		if (poll(pfd, 2, -1) < 0)
			die("poll");
		if (pfd[0].revents) {
			struct signalfd_siginfo si;

			if (read(pfd[0].fd, &si, sizeof(si)) != sizeof(si))
				die("signalfd");
			if (si.ssi_signo != SIGUSR1)
				break;
			pfd[1].fd = fds[0];
		}
		if (!pfd[1].revents)
			continue;
		len = read(fds[0], buf, sizeof(buf));
		if (len < 0)
			die("read");
		if (len == 0) {
			if (!removed && !lost) {
				fputs("watch_test: end of file, and the watch is not removed:\n"
				      "watch_test: this kernel wants the write end kept open\n",
				      stderr);
				return 1;
			}
			printf("nothing left to watch\n");
			break;
		}
		show_all(buf, len, count);
	}
	printf("%llu events, %llu lost\n", events, lost);
	return 0;
}
