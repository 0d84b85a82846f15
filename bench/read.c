// SPDX-License-Identifier: GPL-2.0-only
/* Reading records, and checking for them with poll() and FIONREAD */
#include "bench.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Use a depth that 6.12 supports as well, except for larger batches */
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

/* Wait for the next tick: the first read() in a tick updates atime in Linux 6.12 */
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
		die("read(): wrong length");
	return start;
}

static uint64_t run_poll(const struct scenario *s)
{
	struct pollfd p = { .fd = queue[0], .events = POLLIN };
	uint64_t start = ticks();
	int n = poll(&p, 1, 0);

	start = ticks() - start;
	if (n != !!s->nr)
		die("poll(): wrong result");
	return start;
}

static uint64_t run_fionread(const struct scenario *s)
{
	uint64_t start = ticks();
	int bytes;

	ioctl(queue[0], FIONREAD, &bytes);
	start = ticks() - start;
	if (bytes != (int)(s->nr * s->len))
		die("FIONREAD: wrong result");
	return start;
}

/* The row has the cost of one record of a batch */
#define READ(LEN, NR)							\
	{ "read-" #LEN "B-b" #NR, .setup = setup, .prepare = prepare,	\
	  .run = run_read, .ops = NR, .len = LEN, .nr = NR }
#define QUERY(NAME, RUN, NR)						\
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
		QUERY("read-empty", run_read, 0),
		QUERY("poll-idle", run_poll, 0),
		QUERY("poll-ready", run_poll, 1),
		QUERY("fionread-b0", run_fionread, 0),
		QUERY("fionread-b128", run_fionread, 128),
	};

	return GROUP(rows);
}
