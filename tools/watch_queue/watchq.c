// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq - say what happens to keys, mounts, filesystems, disks and devices
 *
 * What inotifywait is for files: one notification queue, any mix of sources, one
 * line an event.  See watchq.1 for its user and watch_queue(7) for the queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "watchq.h"

struct statistics {
	bool wanted;
	int fdinfo;			/* of the queue, or -1 */
	unsigned long long events, records;
	unsigned long backlog;		/* the largest that was met */
};

struct options {
	struct output output;
	unsigned long depth;
	unsigned long long count;	/* events to end after, 0 for no end */
	int timeout;			/* milliseconds, -1 for none */
};

static struct statistics stats = { .fdinfo = -1 };

static void __printf(1, 0) vcomplain(const char *format, va_list args)
{
	fputs("watchq: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vcomplain(format, args);
	va_end(args);
}

void fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vcomplain(format, args);
	va_end(args);
	exit(status);
}

/*
 * Options
 */

static void __noreturn print_help(void)
{
	puts("Usage: watchq [OPTION]... WATCH...\n"
	     "Say what happens to what is watched, one line an event.\n"
	     "\n"
	     "What to watch, as often as wanted:\n"
	     "  --key KEY        a key or keyring: a number, @s, @u or @us\n"
	     "  --mount PATH     the mount at PATH\n"
	     "    --subtree      and all mounts below it\n"
	     "  --sb PATH        the filesystem that PATH is on: errors, quota, remounts\n"
	     "  --block DEVICE   a block device that fails, or \"all\" of them\n"
	     "  --devices        devices that come, go and change\n"
	     "\n"
	     "What to say:\n"
	     "  --filter SOURCE[=EVENT,...]  of key, mount, sb, block or device these only\n"
	     "  --json           for machines: a JSON object a line\n"
	     "  --null           end an event with a 0 byte instead of a newline\n"
	     "  --exec COMMAND   run it for each event, with WATCHQ_... in the environment\n"
	     "  --stats          at the end: records, losses, largest backlog\n"
	     "\n"
	     "When to end:\n"
	     "  --count N        after N events\n"
	     "  --timeout S      when none came for S seconds; the status is 5 then\n"
	     "\n"
	     "  --queue N        how many records the queue can hold (default 512)\n"
	     "  --help           this text\n"
	     "\n"
	     "The status is 0 for an end as asked for, 2 for wrong usage, 3 if the kernel has\n"
	     "no such events, 4 without permission, and 1 for other failures. See watchq(1).");
	exit(EXIT_DONE);
}

static unsigned long long parse(const char *option, const char *text,
				unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') || n < 1 || n > max)
		fail(EXIT_USAGE, "--%s %s: not a number from 1 to %llu", option, text, max);
	return n;
}

enum {
	OPT_KEY, OPT_MOUNT, OPT_SB, OPT_BLOCK, OPT_DEVICES, OPT_SUBTREE,
	OPT_FILTER, OPT_JSON, OPT_NULL, OPT_EXEC, OPT_STATS,
	OPT_COUNT, OPT_TIMEOUT, OPT_QUEUE, OPT_HELP,
};

static const struct option long_options[] = {
	{ "key",	required_argument, NULL, OPT_KEY },
	{ "mount",	required_argument, NULL, OPT_MOUNT },
	{ "sb",		required_argument, NULL, OPT_SB },
	{ "block",	required_argument, NULL, OPT_BLOCK },
	{ "devices",	no_argument,	   NULL, OPT_DEVICES },
	{ "subtree",	no_argument,	   NULL, OPT_SUBTREE },
	{ "filter",	required_argument, NULL, OPT_FILTER },
	{ "json",	no_argument,	   NULL, OPT_JSON },
	{ "null",	no_argument,	   NULL, OPT_NULL },
	{ "exec",	required_argument, NULL, OPT_EXEC },
	{ "stats",	no_argument,	   NULL, OPT_STATS },
	{ "count",	required_argument, NULL, OPT_COUNT },
	{ "timeout",	required_argument, NULL, OPT_TIMEOUT },
	{ "queue",	required_argument, NULL, OPT_QUEUE },
	{ "help",	no_argument,	   NULL, OPT_HELP },
	{ }
};

static void take_option(struct options *options, int option, int index)
{
	const char *name = long_options[index].name;

	switch (option) {
	case OPT_KEY:
	case OPT_MOUNT:
	case OPT_SB:
	case OPT_BLOCK:
		watch_ask(name, optarg);
		break;
	case OPT_DEVICES:
		watch_ask("device", "devices");
		break;
	case OPT_SUBTREE:
		watch_subtree();
		break;
	case OPT_FILTER:
		filter_ask(optarg);
		break;
	case OPT_JSON:
		options->output.format = OUTPUT_JSON;
		break;
	case OPT_NULL:
		options->output.end = 0;
		break;
	case OPT_EXEC:
		options->output.command = optarg;
		break;
	case OPT_STATS:
		stats.wanted = true;
		break;
	case OPT_COUNT:
		options->count = parse(name, optarg, ULLONG_MAX);
		break;
	case OPT_TIMEOUT:
		options->timeout = 1000 * parse(name, optarg, INT_MAX / 1000);
		break;
	case OPT_QUEUE:
		options->depth = parse(name, optarg, ULONG_MAX);
		break;
	case OPT_HELP:
		print_help();
	default:
		fail(EXIT_USAGE, "--help lists the options");
	}
}

static struct options take_options(int argc, char **argv)
{
	struct options options = {
		.output.end = '\n', .depth = 512, .timeout = -1,
	};
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1)
		take_option(&options, option, index);
	if (optind < argc)
		fail(EXIT_USAGE, "%s: what is it? --help lists the options", argv[optind]);
	if (options.output.command) {
		if (options.output.format == OUTPUT_JSON || !options.output.end)
			fail(EXIT_USAGE, "--exec prints nothing: no --json and no --null with it");
		options.output.format = OUTPUT_EXEC;
	}
	options.output.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") &&
				options.output.end;
	return options;
}

/*
 * Statistics
 */

static unsigned long long ask_fdinfo(const char *name)
{
	char lines[512], *p;
	ssize_t len;

	len = pread(stats.fdinfo, lines, sizeof(lines) - 1, 0);
	if (len < 0)
		fail(EXIT_FAILED, "fdinfo: %s", strerror(errno));
	lines[len] = 0;
	p = strstr(lines, name);
	return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

/* How many records wait for us, of which read() may give us a part only */
static void look_at_backlog(void)
{
	unsigned long queued;

	if (!stats.wanted)
		return;
	queued = ask_fdinfo("queued:");
	if (queued > stats.backlog)
		stats.backlog = queued;
}

static void open_statistics(int queue)
{
	char path[64];

	if (!stats.wanted)
		return;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", queue);
	stats.fdinfo = open(path, O_RDONLY | O_CLOEXEC);
	if (stats.fdinfo < 0)
		fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
}

static void print_statistics(unsigned long depth)
{
	/* A record has room for 65535 of those that were lost; this is all of them */
	if (stats.wanted)
		complain("%llu events, %llu records, %llu lost, largest backlog %lu of %lu",
			 stats.events, stats.records, ask_fdinfo("lost:"), stats.backlog,
			 depth);
}

/*
 * The loop
 */

/* Signals as data: poll() sees them, and none can slip in before it */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	/* A shell ignores it for "watchq &" */
	signal(SIGINT, SIG_DFL);
	/* Who reads what we print may go: that is an end, too */
	signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may not wait for children; we do */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		fail(EXIT_FAILED, "signalfd: %s", strerror(errno));
	return fd;
}

/* All that one read() gave.  Returns false at the end of what was asked for. */
static bool take_records(const struct options *options, const void *buf, size_t len,
			 int signals)
{
	struct watch_records records = { .next = buf, .left = len };
	static union watch_record rec;
	static struct event ev;
	int ret;

	while ((ret = watch_record_next(&records, &rec)) > 0) {
		stats.records += !watch_record_lost(&rec);
		stats.events++;
		event_decode(&ev, &rec);
		if (!output_event(&options->output, &ev) ||
		    !output_flush(signals, false) || stats.events == options->count)
			return false;
	}
	if (ret < 0)
		fail(EXIT_FAILED, "what the queue gave is no record");
	return true;
}

/* Returns false at the end */
static bool read_queue(const struct options *options, int queue, int signals)
{
	static char buf[65536];		/* 128 would do, with a call for each record */
	bool more;
	ssize_t len;

	look_at_backlog();
	len = read(queue, buf, sizeof(buf));
	if (len < 0)
		fail(EXIT_FAILED, "read: %s", strerror(errno));
	if (len == 0) {
		if (!stats.events)
			fail(EXIT_KERNEL, "end of file at once: this kernel has an older queue");
		complain("nothing is left to watch");
		return false;
	}
	more = take_records(options, buf, len, signals);
	mounts_settle(queue);
	return output_flush(signals, true) && more;
}

/* What was there when the signal came; what comes now could go on for ever */
static void drain(const struct options *options, int queue, int signals)
{
	/* And one more time, for what may be told of a loss behind them all */
	unsigned long long end = stats.records + options->depth + 1;
	struct pollfd pfd = { .fd = queue, .events = POLLIN };

	while (stats.records < end && poll(&pfd, 1, 0) == 1 &&
	       read_queue(options, queue, signals))
		;
}

static int watch(const struct options *options, int queue)
{
	struct pollfd pfd[] = {
		{ .fd = open_signals(), .events = POLLIN },
		{ .fd = queue, .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* without events: is its reader gone? */
	};

	/* Whoever waits for this may go on: from here on nothing is missed */
	complain("watching");
	do {
		int ret = poll(pfd, ARRAY_SIZE(pfd), options->timeout);

		if (ret < 0)
			fail(EXIT_FAILED, "poll: %s", strerror(errno));
		if (!ret)
			return EXIT_TIMEOUT;
		if (pfd[2].revents)
			return EXIT_DONE;
		if (pfd[0].revents) {
			if (options->output.format != OUTPUT_EXEC)
				drain(options, queue, pfd[0].fd);
			return EXIT_DONE;
		}
	} while (!pfd[1].revents || read_queue(options, queue, pfd[0].fd));
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct options options = take_options(argc, argv);
	int queue, status;

	/* Else the queue would take its place */
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		fail(EXIT_USAGE, "standard output is closed");
	queue = watches_open(options.depth);
	open_statistics(queue);
	status = watch(&options, queue);
	print_statistics(options.depth);
	return status;
}
