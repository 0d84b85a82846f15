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
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "watchq.h"

struct statistics {
	bool fdinfo;			/* losses and queued records are known */
	unsigned long long events, records;
	unsigned long backlog;		/* largest number of queued records */
};

bool quiet;
const char *message_place;
static struct statistics stats;
static bool lost;			/* records were lost, see recover() */
static bool any_lost;			/* records were lost since the start */
static const struct options *running;	/* all watches were added */

static void __printf(1, 0) vwarn(const char *format, va_list args)
{
	fputs("watchq: ", stderr);
	if (message_place)
		fprintf(stderr, "%s: ", message_place);
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

void inform(const char *format, ...)
{
	va_list args;

	if (quiet)
		return;
	va_start(args, format);
	vwarn(format, args);
	va_end(args);
}

static void write_results(void);

void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarn(format, args);
	va_end(args);
	write_results();
	exit(status);
}

int status_of(int error)
{
	return error == EACCES || error == EPERM ? EXIT_PERMISSION : EXIT_FAILED;
}

/*
 * Statistics
 */

/* A read() may return only some of the queued records */
static void update_backlog(void)
{
	unsigned long queued;

	if (!stats.fdinfo)
		return;
	queued = fdinfo_number("queued:");
	if (queued > stats.backlog)
		stats.backlog = queued;
}

static void print_statistics(unsigned long depth)
{
	if (!stats.fdinfo)
		warn("%llu events, %llu records", stats.events, stats.records);
	else
		/* fdinfo has all losses; the count in one record is at most 65535 */
		warn("%llu events, %llu records, %llu lost, largest backlog %lu of %lu",
		     stats.events, stats.records, fdinfo_number("lost:"), stats.backlog,
		     depth);
}

/* On exit, also because of an error, which may occur here as well */
static void write_results(void)
{
	const struct options *options = running;

	running = NULL;
	if (!options)
		return;
	metrics_write();
	if (options->statistics)
		print_statistics(options->depth);
}

/*
 * The loop
 */

/* Receive signals through poll(), without a race before it */
static int signal_fd(const sigset_t *set)
{
	int fd;

	sigprocmask(SIG_BLOCK, set, NULL);
	fd = signalfd(-1, set, SFD_CLOEXEC);
	if (fd < 0)
		die(EXIT_FAILED, "signalfd: %s", strerror(errno));
	return fd;
}

static void read_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) < 0)
		die(EXIT_FAILED, "signalfd: %s", strerror(errno));
}

static sigset_t exit_signals;

bool exit_pending(void)
{
	sigset_t pending;

	sigpending(&pending);
	sigandset(&pending, &pending, &exit_signals);
	return !sigisemptyset(&pending);
}

/* The signals to exit */
static int open_signals(void)
{
	struct sigaction hangup;

	/* A shell ignores SIGINT for "watchq &" */
	signal(SIGINT, SIG_DFL);
	/* A closed output pipe is a normal exit */
	signal(SIGPIPE, SIG_IGN);
	/* The parent may have ignored SIGCHLD, which breaks waitpid() */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&exit_signals);
	sigaddset(&exit_signals, SIGINT);
	sigaddset(&exit_signals, SIGTERM);
	/* nohup ignores it, but a blocked signal would be received nevertheless */
	sigaction(SIGHUP, NULL, &hangup);
	if (hangup.sa_handler != SIG_IGN)
		sigaddset(&exit_signals, SIGHUP);
	return signal_fd(&exit_signals);
}

/* The signal to print statistics */
static int open_usr1(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return signal_fd(&set);
}

#define RECOVERY_MS	1000	/* until the second request of the states */
#define MAX_RECOVERY_MS	60000

static long long recovery;	/* time of the next request, 0 for when the queue is empty */

/*
 * After a loss, once the queue is empty, request the states of filesystems.  If records
 * were lost while the states were reported, request them again.  The states may not fit
 * in the queue, so wait longer each time.
 */
static void recover(int queue)
{
	static bool requested;
	static int delay;
	int queued;

	if (!watches_any(WATCH_TYPE_SB_NOTIFY) || ioctl(queue, FIONREAD, &queued) || queued)
		return;
	if (requested && lost) {
		if (!delay)
			warn("the states of filesystems may not fit in the queue, see --queue");
		delay = delay ? 2 * delay : RECOVERY_MS;
		if (delay > MAX_RECOVERY_MS)
			delay = MAX_RECOVERY_MS;
		recovery = now_ms() + delay;
	} else if (requested) {
		delay = 0;
		metrics_listed();
	}
	requested = lost && ms_until(recovery) <= 0;
	if (!requested)
		return;
	metrics_relist();
	lost = false;
	recovery = 0;
	requested = watches_report_states(queue);
	if (!requested)
		metrics_listed();
}

/* Returns false to exit */
static bool report(const struct options *options, const struct event *ev, int signals)
{
	stats.events++;
	return output_event(&options->output, ev) && output_flush(signals, false) &&
	       stats.events != options->count;
}

/* Print the records of one read().  Returns false to exit. */
static bool handle_records(const struct options *options, const void *buf, size_t len,
			   int signals)
{
	struct watch_records records = { .next = buf, .left = len };
	static union watch_record rec;
	static struct event ev;
	bool selected;
	int ret;

	while ((ret = watch_record_next(&records, &rec)) > 0) {
		stats.records += !watch_record_lost(&rec);
		if (watch_record_lost(&rec)) {
			lost = true;
			any_lost = true;
			keep_find_ended();
		}
		selected = watches_report(&rec);
		if (watch_record_is_meta(&rec, WATCH_META_REMOVAL_NOTIFICATION))
			selected &= keep_removed(watch_record_id(&rec));
		/* Paths of mounts are cached while their records are decoded */
		if (!selected && rec.watch.type != WATCH_TYPE_MOUNT_NOTIFY && !options->metrics)
			continue;
		event_decode(&ev, &rec);
		if (options->metrics)
			metrics_event(&ev, selected);
		if (selected && match_event(&ev) && !report(options, &ev, signals))
			return false;
	}
	if (ret < 0) {
		output_flush(signals, true);
		die(EXIT_FAILED, "malformed record");
	}
	return true;
}

#define RUNNING		-1		/* no exit status yet */

/* Once, and after the line of the event */
static void warn_of_loss(void)
{
	static bool warned;

	if (any_lost && !warned)
		warn("records were lost; --queue sets the size of the queue");
	warned = any_lost;
}

/* Returns an exit status, or RUNNING */
static int read_queue(const struct options *options, int queue, int signals)
{
	static char buf[65536];		/* at least 128 */
	bool more;
	ssize_t len;

	update_backlog();
	mount_paths_forget();
	len = read(queue, buf, sizeof(buf));
	if (len < 0)
		die(EXIT_FAILED, "read: %s", strerror(errno));
	if (len == 0) {
		if (!stats.events)
			die(EXIT_KERNEL, "end of file: the queue of this kernel is too old");
		return EXIT_ENDED;
	}
	events_begin();
	more = handle_records(options, buf, len, signals);
	recover(queue);
	mounts_settle(queue);
	more &= output_flush(signals, true);
	warn_of_loss();
	return more ? RUNNING : EXIT_DONE;
}

/* Add watches again.  Returns an exit status, or RUNNING. */
static int resume(const struct options *options, int queue, int signals)
{
	static struct event ev;
	bool more = true;
	int id;

	while (more && (id = keep_retry(queue)) >= 0) {
		event_resumed(&ev, id);
		if (options->metrics)
			metrics_event(&ev, true);
		more = report(options, &ev, signals);
	}
	more &= output_flush(signals, true);
	return more ? RUNNING : EXIT_DONE;
}

/* Print the records queued so far; new ones could arrive forever */
static void drain(const struct options *options, int queue, int signals)
{
	/* Read again, as a loss may be reported after the last record */
	unsigned long long end = stats.records + options->depth + 1;
	struct pollfd pfd = { .fd = queue, .events = POLLIN };

	while (stats.records < end && poll(&pfd, 1, 0) == 1 &&
	       read_queue(options, queue, signals) == RUNNING)
		;
}

long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int ms_until(long long time)
{
	long long left = time - now_ms();

	if (!time)
		return -1;
	return left < 0 ? 0 : left < INT_MAX ? left : INT_MAX;
}

/* Milliseconds until the timeout, or -1, if the last event was reported at @since */
static int time_left(const struct options *options, long long since)
{
	return ms_until(options->timeout < 0 ? 0 : since + options->timeout);
}

/* The argument of poll(): the shorter time, where -1 is without end */
static int shorter(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int monitor(const struct options *options, int queue)
{
	struct pollfd pfd[] = {
		{ .fd = open_signals(), .events = POLLIN },
		{ .fd = queue, .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* POLLERR if the reader is gone */
		{ .fd = open_usr1(), .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};
	unsigned long long events = 0;
	long long since = now_ms();
	int status = RUNNING;

	if (options->output.format == OUTPUT_JOURNAL ||
	    options->output.format == OUTPUT_EXEC)
		pfd[2].fd = -1;
	if (options->metrics)
		pfd[4].fd = metrics_open(options->metrics);
	running = options;
	/* Events after this message are not missed */
	inform("watching");
	notify_ready();
	while (status == RUNNING) {
		int wait = shorter(shorter(time_left(options, since), keep_wait()),
				   ms_until(recovery));

		if (poll(pfd, ARRAY_SIZE(pfd), wait) < 0)
			die(EXIT_FAILED, "poll: %s", strerror(errno));
		if (pfd[2].revents)
			return EXIT_DONE;
		if (pfd[0].revents) {
			if (options->output.format != OUTPUT_EXEC)
				drain(options, queue, pfd[0].fd);
			return stats.events < options->count ? EXIT_FAILED : EXIT_DONE;
		}
		if (pfd[3].revents) {
			read_signal(pfd[3].fd);
			print_statistics(options->depth);
		}
		if (pfd[1].revents)
			status = read_queue(options, queue, pfd[0].fd);
		/* After the states that were queued when the program was started */
		if (pfd[4].revents)
			metrics_write();
		if (status == EXIT_ENDED && keep_find_ended()) {
			/* At end of file until a watch is added again */
			pfd[1].fd = -1;
			status = RUNNING;
		}
		if (status == RUNNING && !keep_wait()) {
			status = resume(options, queue, pfd[0].fd);
			pfd[1].fd = queue;
		}
		if (!ms_until(recovery))
			recover(queue);
		/* There may be other records, which are not reported */
		if (status == RUNNING && stats.events == events && !time_left(options, since))
			return EXIT_TIMEOUT;
		if (stats.events != events)
			since = now_ms();
		events = stats.events;
	}
	if (status == EXIT_ENDED)
		inform("no watch is left");
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	int queue, status;

	/*
	 * Output is UTF-8 in any locale.  Without this one, each byte is a character for
	 * --match, and each character has one column.
	 */
	setlocale(LC_CTYPE, "C.UTF-8");
	options = parse_options(argc, argv);
	/* Otherwise the queue would become file descriptor 1 */
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		die(EXIT_USAGE, "standard output is closed");
	queue = watches_open(options.depth);
	stats.fdinfo = fdinfo_open(queue);
	/* Statistics may also be requested by SIGUSR1 */
	if (!stats.fdinfo && (options.statistics || options.metrics))
		die(EXIT_FAILED, "/proc/self/fdinfo: %s", strerror(errno));
	status = monitor(&options, queue);
	write_results();
	return status;
}
