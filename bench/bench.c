// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run the scenarios and print "NAME VALUE" for each.  VALUE is the cost of one
 * operation in ticks of the TSC.  Under "qemu -icount shift=0" a tick is one
 * instruction.  The minimum of several repetitions is used, because some of them
 * include a timer interrupt; or their median, see struct scenario.
 *
 *	bench		all scenarios for one processor
 *	bench NAME...	those whose names start with a NAME, and the rows they subtract
 *	bench smp	two processors; without -icount, so only ratios are meaningful
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int object;
int queue[2];
char buffer[1 << 20];

static struct {
	int *fds;
	size_t nr_fds;
	pid_t pid;
} kept;

static struct { const char *name; double value; } results[256];
static size_t nr_results;

void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

int keep(int fd)
{
	if (fd < 0)
		die("open");
	kept.fds = realloc(kept.fds, (kept.nr_fds + 1) * sizeof(int));
	if (!kept.fds)
		die("memory");
	kept.fds[kept.nr_fds++] = fd;
	return fd;
}

/* Close the descriptors of a scenario, the newest first, and kill its child */
static void release(void)
{
	if (kept.pid) {
		kill(kept.pid, SIGKILL);
		waitpid(kept.pid, NULL, 0);
		kept.pid = 0;
	}
	while (kept.nr_fds)
		close(kept.fds[--kept.nr_fds]);
}

int open_object(void)
{
	return keep(open("/dev/wqbench", O_RDWR | O_CLOEXEC));
}

/* Returns false if the kernel does not support a queue of this depth */
bool open_queue(int fds[2], unsigned int depth)
{
	if (pipe2(fds, O_NOTIFICATION_PIPE | O_NONBLOCK | O_CLOEXEC)) {
		if (errno == ENOPKG)
			return false;
		die("pipe2");
	}
	keep(fds[0]);
	keep(fds[1]);
	return !depth || !ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, depth);
}

void drain(int fd)
{
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
}

bool driver_ok(int object, unsigned long cmd, struct wqbench arg)
{
	return !ioctl(object, cmd, &arg);
}

uint64_t driver(int object, unsigned long cmd, struct wqbench arg)
{
	if (ioctl(object, cmd, &arg))
		die("driver");
	return arg.result;
}

/* Check the state in /proc, in order not to depend on a delay */
static bool asleep(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d %*s %c", &state) != 1)
		die(path);
	fclose(f);
	if (state == 'Z')
		die("the child has exited");
	return state == 'S';
}

static void wait_asleep(void)
{
	while (!asleep(kept.pid))
		sched_yield();
}

pid_t child(void (*sleeper)(int fd), int fd)
{
	if (!kept.pid) {
		kept.pid = fork();
		if (kept.pid < 0)
			die("fork");
		if (!kept.pid) {
			/* The decisions of the fair scheduler depend on history */
			if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 1 }))
				die("SCHED_FIFO");
			sleeper(fd);
			_exit(0);
		}
	}
	wait_asleep();
	return kept.pid;
}

static double result(const char *name)
{
	for (size_t i = 0; i < nr_results; i++)
		if (!strcmp(results[i].name, name))
			return results[i].value;
	errno = ENOENT;
	die(name);
}

static bool has_result(const char *name)
{
	for (size_t i = 0; i < nr_results; i++)
		if (!strcmp(results[i].name, name))
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *l = a, *r = b;

	return (*l > *r) - (*l < *r);
}

static void run(const struct scenario *s)
{
	size_t nr = s->once ? 1 : REPETITIONS;
	uint64_t took[REPETITIONS];
	double value;

	if (s->setup && !s->setup(s)) {
		release();
		return;
	}
	for (size_t i = 0; i < nr; i++) {
		if (s->prepare)
			s->prepare(s);
		took[i] = s->run(s);
	}
	if (s->check)
		s->check(s);
	release();

	qsort(took, nr, sizeof(*took), compare);
	value = (double)took[s->median ? nr / 2 : 0] / s->ops;
	if (s->minus)
		value -= result(s->minus);
	results[nr_results].name = s->name;
	results[nr_results++].value = value;
	printf("%-24s %.1f\n", s->name, value);
	fflush(stdout);
}

static bool selected(const struct scenario *s, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strncmp(s->name, *names, strlen(*names)))
			return true;
	return false;
}

static void run_group(struct group g, char **names)
{
	for (const struct scenario *s = g.rows; s < g.rows + g.nr; s++) {
		if (!selected(s, names))
			continue;
		for (const struct scenario *m = g.rows; s->minus && m < s; m++)
			if (!strcmp(m->name, s->minus) && !has_result(m->name))
				run(m);
		if (!has_result(s->name) && (!s->minus || has_result(s->minus)))
			run(s);
	}
}

/*
 * Overhead of the measurement
 */

static uint64_t run_clock(const struct scenario *s)
{
	uint64_t start = ticks();

	return ticks() - start;
}

static uint64_t run_getppid(const struct scenario *s)
{
	uint64_t start = ticks();

	for (unsigned int i = 0; i < s->ops; i++)
		syscall(SYS_getppid);
	return ticks() - start;
}

static bool setup_object(const struct scenario *s)
{
	object = open_object();
	return true;
}

static uint64_t run_loop(const struct scenario *s)
{
	return driver(object, WQBENCH_LOOP, (struct wqbench){ .nr = s->ops });
}

struct group self_rows(void)
{
	static const struct scenario rows[] = {
		{ "self-clock", .run = run_clock, .ops = 1 },
		{ "self-getppid", .run = run_getppid, .ops = BATCH },
		{ "self-kernel-loop", .setup = setup_object, .run = run_loop,
		  .ops = BATCH },
	};

	return GROUP(rows);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 1 << 20, 1 << 20 };

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("RLIMIT_NOFILE");
	if (argc == 2 && !strcmp(argv[1], "smp"))
		return run_smp();

	run_group(self_rows(), argv + 1);
	run_group(post_rows(), argv + 1);
	run_group(read_rows(), argv + 1);
	run_group(pipe_rows(), argv + 1);
	run_group(watch_rows(), argv + 1);
	run_group(near_rows(), argv + 1);
	run_group(fanotify_rows(), argv + 1);
	run_group(line_rows(), argv + 1);
	run_group(mount_rows(), argv + 1);
	run_group(lock_rows(), argv + 1);
	run_group(device_rows(), argv + 1);
	return 0;
}
