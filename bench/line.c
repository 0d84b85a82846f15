// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost of an event from end to end: from the system call that causes it to the line of
 * "watchq --json" in a pipe that another program reads.  This includes the system call,
 * the work item that wakes watchq, two context switches, and watchq itself.
 */
#include "bench.h"
#include "disk.h"

#include <errno.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCHQ	"/t/watchq"
#define PLACE	"/tmp/line"

static const char *const *options;	/* of watchq */
static int lines;			/* its output */
static int target;			/* the file that the system call uses */
static struct disk disk = { .name = "line", .mib = 1 };

static void exec_watchq(int output)
{
	if (dup2(output, STDOUT_FILENO) < 0)
		die("dup2");
	execl(WATCHQ, WATCHQ, "--quiet", "--json", options[0], options[1], NULL);
	die(WATCHQ);
}

static bool start_watchq(const char *const watch[2])
{
	int fds[2];

	/* The 6.12 implementation has neither this depth nor the sources */
	if (!open_queue(fds, 4096))
		return false;
	if (pipe2(fds, O_CLOEXEC))
		die("pipe2");
	lines = keep(fds[0]);
	options = watch;
	child(exec_watchq, fds[1]);
	close(fds[1]);
	return true;
}

/*
 * Wait long enough that the previous event does not delay the wake-up for the next one,
 * and that errors are below the rate limit of ten a second.  Then no line may be left.
 */
static void prepare_line(const struct scenario *s)
{
	struct pollfd left = { .fd = lines, .events = POLLIN };

	usleep(12 * TICK_USEC);
	if (poll(&left, 1, 0))
		die("a second line");
}

static uint64_t end_of_line(uint64_t start)
{
	ssize_t len;

	do {
		len = read(lines, buffer, sizeof(buffer));
		if (len <= 0)
			die("no line");
	} while (buffer[len - 1] != '\n');
	return ticks() - start;
}

static bool setup_uevent(const struct scenario *s)
{
	target = keep(open(UEVENT, O_WRONLY | O_CLOEXEC));
	return start_watchq((const char *const []){ "--devices", NULL });
}

static uint64_t run_uevent(const struct scenario *s)
{
	uint64_t start = ticks();

	if (write(target, "change", 6) != 6)
		die(UEVENT);
	return end_of_line(start);
}

static bool setup_error(const struct scenario *s)
{
	if (!disk_make(&disk))
		return false;
	disk_spoil(&disk, "+0-7");
	target = keep(open("/dev/line", O_RDONLY | O_DIRECT | O_CLOEXEC));
	return start_watchq((const char *const []){ "--block", "/dev/line" });
}

static uint64_t run_error(const struct scenario *s)
{
	static char block[DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	uint64_t start = ticks();

	if (pread(target, block, sizeof(block), 0) >= 0)
		die("a bad block could be read");
	return end_of_line(start);
}

static bool setup_mount(const struct scenario *s)
{
	if (mkdir(PLACE, 0755) && errno != EEXIST)
		die(PLACE);
	return start_watchq((const char *const []){ "--mount", "/proc/self/ns/mnt" });
}

static void prepare_mount(const struct scenario *s)
{
	if (!umount(PLACE))
		end_of_line(0);
	prepare_line(s);
}

static uint64_t run_mount(const struct scenario *s)
{
	uint64_t start = ticks();

	if (mount("line", PLACE, "tmpfs", 0, NULL))
		die(PLACE);
	return end_of_line(start);
}

struct group line_rows(void)
{
	static const struct scenario rows[] = {
		{ "line-uevent", .setup = setup_uevent, .prepare = prepare_line,
		  .run = run_uevent, .ops = 1 },
		{ "line-error", .setup = setup_error, .prepare = prepare_line,
		  .run = run_error, .ops = 1 },
		{ "line-mount", .setup = setup_mount, .prepare = prepare_mount,
		  .run = run_mount, .ops = 1 },
	};

	return GROUP(rows);
}
