// SPDX-License-Identifier: GPL-2.0-only
/* Reading: one system call that returns so many records, or looks for them */
#include "bench.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* The depth is what fits in both kernels, but where more is asked for */
static bool setup(const struct scenario *s)
{
	object = open_object();
	if (!open_queue(queue, s->nr > BATCH ? s->nr : BATCH))
		return false;
	driver(object, WQBENCH_WATCH, (struct wqbench){
		.fd = queue[0], .nr = 1,
	});
	return true;
}

static void prepare(const struct scenario *s)
{
	drain(queue[0]);
	driver(object, WQBENCH_POST, (struct wqbench){
		.len = s->len, .nr = s->nr,
	});
}

/* The next tick of the clock that atime is read from: as after a longer wait */
static void prepare_tick(const struct scenario *s)
{
	struct timespec then, now;

	prepare(s);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &then);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while (now.tv_nsec == then.tv_nsec);
}

static uint64_t run_read(const struct scenario *s)
{
	uint64_t start = ticks();
	ssize_t n = read(queue[0], buffer, sizeof(buffer));

	start = ticks() - start;
	if (n != (ssize_t)s->nr * s->len && (s->nr || n >= 0))
		die("read() of another length");
	return start;
}

static uint64_t run_poll(const struct scenario *s)
{
	struct pollfd p = { .fd = queue[0], .events = POLLIN };
	uint64_t start = ticks();
	int n = poll(&p, 1, 0);

	start = ticks() - start;
	if (n != !!s->nr)
		die("poll() that says something else");
	return start;
}

static uint64_t run_fionread(const struct scenario *s)
{
	uint64_t start = ticks();
	int bytes;

	ioctl(queue[0], FIONREAD, &bytes);
	start = ticks() - start;
	if (bytes != (int)(s->nr * s->len))
		die("FIONREAD that says something else");
	return start;
}

/* Of a batch, what one record of it takes */
#define READ(LEN, NR)							\
	{ "read-" #LEN "B-b" #NR, .setup = setup, .prepare = prepare,	\
	  .run = run_read, .ops = NR, .len = LEN, .nr = NR }
#define LOOK(NAME, RUN, NR)						\
	{ NAME, .setup = setup, .prepare = prepare, .run = RUN,		\
	  .ops = 1, .len = 16, .nr = NR }

struct group read_rows(void)
{
	static const struct scenario rows[] = {
		READ(16, 1),
		READ(16, 8),
		READ(16, 32),
		READ(16, 128),
		READ(16, 512),
		READ(16, 4096),
		READ(8, 128),
		READ(48, 128),
		READ(64, 128),
		READ(96, 128),
		READ(127, 128),
		{ "read-16B-b1-tick", .setup = setup, .prepare = prepare_tick,
		  .run = run_read, .ops = 1, .len = 16, .nr = 1 },
		LOOK("read-empty", run_read, 0),
		LOOK("poll-idle", run_poll, 0),
		LOOK("poll-ready", run_poll, 1),
		LOOK("fionread-b0", run_fionread, 0),
		LOOK("fionread-b128", run_fionread, 128),
	};

	return GROUP(rows);
}
