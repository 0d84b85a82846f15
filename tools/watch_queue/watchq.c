// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq - monitor for kernel events
 *
 * Watches keys, mounts, filesystems, block devices and devices through one
 * notification queue and prints one line per event.  See watchq.1 for the program
 * and watch_queue.7 for the queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "watchq.h"

struct statistics {
	bool wanted;
	int fdinfo;			/* fdinfo of the queue, or -1 */
	unsigned long long events, records;
	unsigned long backlog;		/* largest number of queued records */
};

struct options {
	struct output output;
	unsigned long depth;
	unsigned long long count;	/* exit after so many events, 0 for no limit */
	int timeout;			/* milliseconds, -1 for none */
};

static struct statistics stats = { .fdinfo = -1 };
static bool lost;			/* records were lost */

static void __printf(1, 0) vwarn(const char *format, va_list args)
{
	fputs("watchq: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarn(format, args);
	va_end(args);
}

void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarn(format, args);
	va_end(args);
	exit(status);
}

/*
 * Options
 */

static void __noreturn print_help(void)
{
	puts("Usage: watchq [OPTION]... WATCH...\n"
	     "Monitor kernel events and print one line per event.\n"
	     "\n"
	     "Watches, each of which can be specified several times:\n"
	     "  --key KEY        a key or keyring: a serial number, @s, @u or @us\n"
	     "  --mount PATH     the mount at PATH, or a mount namespace: /proc/PID/ns/mnt\n"
	     "    --subtree      ... and all mounts below it\n"
	     "  --sb PATH        the filesystem of PATH, or \"all\": errors, read-only, quota\n"
	     "    --no-user-ns   ... unless a user mounted it in a user namespace\n"
	     "  --block DEVICE   I/O errors of a block device, or of \"all\"\n"
	     "  --devices        devices that are added, removed or changed\n"
	     "\n"
	     "Output:\n"
	     "  --filter SOURCE[=EVENT,...]  report only these events of SOURCE:\n"
	     "                   key, mount, sb, block or device\n"
	     "  --priority LEVEL report only events of this severity or above: info, notice,\n"
	     "                   warning or error\n"
	     "  --json           print a JSON object per line\n"
	     "  --null           terminate events with a null byte instead of a newline\n"
	     "  --exec COMMAND   run COMMAND for each event, with WATCHQ_* variables\n"
	     "  --stats          print statistics on exit\n"
	     "\n"
	     "Exit:\n"
	     "  --count N        exit after N events\n"
	     "  --timeout S      exit with status 5 if no event occurs for S seconds\n"
	     "\n"
	     "Other:\n"
	     "  --queue N        set the size of the queue in records (default 512, with\n"
	     "                   --sb all 8192)\n"
	     "  --help           print this message\n"
	     "\n"
	     "Exit status: 0 success, 1 failure, 2 invalid usage, 3 not supported by the\n"
	     "kernel, 4 permission denied or limit reached, 5 timeout. See watchq(1).");
	exit(EXIT_DONE);
}

static unsigned long long parse_number(const char *option, const char *text,
				       unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') || n < 1 || n > max)
		die(EXIT_USAGE, "--%s %s: not a number from 1 to %llu", option, text, max);
	return n;
}

enum {
	OPT_KEY, OPT_MOUNT, OPT_SB, OPT_BLOCK, OPT_DEVICES, OPT_SUBTREE, OPT_NO_USER_NS,
	OPT_FILTER, OPT_PRIORITY, OPT_JSON, OPT_NULL, OPT_EXEC, OPT_STATS,
	OPT_COUNT, OPT_TIMEOUT, OPT_QUEUE, OPT_HELP,
};

static const struct option long_options[] = {
	{ "key",	required_argument, NULL, OPT_KEY },
	{ "mount",	required_argument, NULL, OPT_MOUNT },
	{ "sb",		required_argument, NULL, OPT_SB },
	{ "block",	required_argument, NULL, OPT_BLOCK },
	{ "devices",	no_argument,	   NULL, OPT_DEVICES },
	{ "subtree",	no_argument,	   NULL, OPT_SUBTREE },
	{ "no-user-ns",	no_argument,	   NULL, OPT_NO_USER_NS },
	{ "filter",	required_argument, NULL, OPT_FILTER },
	{ "priority",	required_argument, NULL, OPT_PRIORITY },
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

static void parse_option(struct options *options, int option, int index)
{
	const char *name = long_options[index].name;

	switch (option) {
	case OPT_KEY:
	case OPT_MOUNT:
	case OPT_SB:
	case OPT_BLOCK:
		add_watch(name, optarg);
		break;
	case OPT_DEVICES:
		add_watch("device", "devices");
		break;
	case OPT_SUBTREE:
		set_subtree();
		break;
	case OPT_NO_USER_NS:
		set_no_user_ns();
		break;
	case OPT_FILTER:
		add_filter(optarg);
		break;
	case OPT_PRIORITY:
		match_priority(optarg);
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
		options->count = parse_number(name, optarg, ULLONG_MAX);
		break;
	case OPT_TIMEOUT:
		options->timeout = 1000 * parse_number(name, optarg, INT_MAX / 1000);
		break;
	case OPT_QUEUE:
		options->depth = parse_number(name, optarg, ULONG_MAX);
		break;
	case OPT_HELP:
		print_help();
	default:
		die(EXIT_USAGE, "see watchq --help");
	}
}

static struct options parse_options(int argc, char **argv)
{
	struct options options = {
		.output.end = '\n', .timeout = -1,
	};
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1)
		parse_option(&options, option, index);
	if (optind < argc)
		die(EXIT_USAGE, "unexpected argument '%s', see watchq --help",
		    argv[optind]);
	if (options.output.command) {
		if (options.output.format == OUTPUT_JSON || !options.output.end)
			die(EXIT_USAGE, "--exec cannot be combined with --json or --null");
		options.output.format = OUTPUT_EXEC;
	}
	if (!options.depth)
		options.depth = watches_depth();
	options.output.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") &&
				options.output.end;
	return options;
}

/*
 * Statistics
 */

static unsigned long long read_fdinfo(const char *name)
{
	char lines[512], *p;
	ssize_t len;

	len = pread(stats.fdinfo, lines, sizeof(lines) - 1, 0);
	if (len < 0)
		die(EXIT_FAILED, "fdinfo: %s", strerror(errno));
	lines[len] = 0;
	p = strstr(lines, name);
	return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

/* A read() may return only some of the queued records */
static void update_backlog(void)
{
	unsigned long queued;

	if (!stats.wanted)
		return;
	queued = read_fdinfo("queued:");
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
		die(EXIT_FAILED, "%s: %s", path, strerror(errno));
}

static void print_statistics(unsigned long depth)
{
	/* fdinfo has all losses; the count in one record is at most 65535 */
	if (stats.wanted)
		warn("%llu events, %llu records, %llu lost, largest backlog %lu of %lu",
		     stats.events, stats.records, read_fdinfo("lost:"), stats.backlog,
		     depth);
}

/*
 * The loop
 */

/* Receive signals through poll(), without a race before it */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	/* A shell ignores SIGINT for "watchq &" */
	signal(SIGINT, SIG_DFL);
	/* A closed output pipe is a normal exit */
	signal(SIGPIPE, SIG_IGN);
	/* The parent may have ignored SIGCHLD, which breaks waitpid() */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die(EXIT_FAILED, "signalfd: %s", strerror(errno));
	return fd;
}

/*
 * After a loss, once the queue is empty, have the states of filesystems reported again.
 * Not twice in a row, as they may not fit in the queue.
 */
static void recover(int queue)
{
	static bool reported;
	int queued;

	if (ioctl(queue, FIONREAD, &queued) || queued)
		return;
	if (lost && reported)
		warn("the states of the filesystems do not fit in the queue, see --queue");
	else if (lost)
		watches_report_states(queue);
	reported = lost && !reported;
	lost = false;
}

/* Print the records of one read().  Returns false to exit. */
static bool handle_records(const struct options *options, const void *buf, size_t len,
			   int signals)
{
	struct watch_records records = { .next = buf, .left = len };
	static union watch_record rec;
	static struct event ev;
	int ret;

	while ((ret = watch_record_next(&records, &rec)) > 0) {
		stats.records += !watch_record_lost(&rec);
		lost |= watch_record_lost(&rec);
		if (!watches_report(&rec))
			continue;
		event_decode(&ev, &rec);
		if (!match_event(&ev))
			continue;
		stats.events++;
		if (!output_event(&options->output, &ev) ||
		    !output_flush(signals, false) || stats.events == options->count)
			return false;
	}
	if (ret < 0)
		die(EXIT_FAILED, "malformed record");
	return true;
}

/* Returns false to exit */
static bool read_queue(const struct options *options, int queue, int signals)
{
	static char buf[65536];		/* at least 128 */
	bool more;
	ssize_t len;

	update_backlog();
	len = read(queue, buf, sizeof(buf));
	if (len < 0)
		die(EXIT_FAILED, "read: %s", strerror(errno));
	if (len == 0) {
		if (!stats.events)
			die(EXIT_KERNEL, "end of file: the queue of this kernel is too old");
		warn("no watch is left");
		return false;
	}
	more = handle_records(options, buf, len, signals);
	recover(queue);
	mounts_settle(queue);
	return output_flush(signals, true) && more;
}

/* Print the records queued so far; new ones could arrive forever */
static void drain(const struct options *options, int queue, int signals)
{
	/* Read again, as a loss may be reported after the last record */
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
		{ .fd = STDOUT_FILENO },	/* POLLERR if the reader is gone */
	};

	/* Events after this message are not missed */
	warn("watching");
	do {
		int ret = poll(pfd, ARRAY_SIZE(pfd), options->timeout);

		if (ret < 0)
			die(EXIT_FAILED, "poll: %s", strerror(errno));
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
	struct options options = parse_options(argc, argv);
	int queue, status;

	/* Otherwise the queue would become file descriptor 1 */
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		die(EXIT_USAGE, "standard output is closed");
	queue = watches_open(options.depth);
	open_statistics(queue);
	status = watch(&options, queue);
	print_statistics(options.depth);
	return status;
}
