// SPDX-License-Identifier: GPL-2.0-only
/* Ordinary pipes, which must not become slower */
#include "bench.h"

#include <poll.h>
#include <unistd.h>

static bool setup(const struct scenario *s)
{
	if (pipe2(queue, O_CLOEXEC | O_NONBLOCK))
		die("pipe2");
	keep(queue[0]);
	keep(queue[1]);
	return true;
}

static uint64_t run_write_read(const struct scenario *s)
{
	uint64_t start = ticks();
	bool ok = write(queue[1], buffer, s->len) == s->len &&
		  read(queue[0], buffer, s->len) == s->len;

	start = ticks() - start;
	if (!ok)
		die("pipe");
	return start;
}

static uint64_t run_poll(const struct scenario *s)
{
	struct pollfd p = { .fd = queue[0], .events = POLLIN };
	uint64_t start = ticks();

	poll(&p, 1, 0);
	return ticks() - start;
}

static uint64_t run_open_close(const struct scenario *s)
{
	uint64_t start = ticks();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		die("pipe2");
	close(fds[0]);
	close(fds[1]);
	return ticks() - start;
}

#define PIPE(NAME, RUN, LEN)						\
	{ "pipe-" NAME, .setup = setup, .run = RUN, .ops = 1, .len = LEN }

struct group pipe_rows(void)
{
	static const struct scenario rows[] = {
		PIPE("16B", run_write_read, 16),
		PIPE("4K", run_write_read, 4096),
		PIPE("64K", run_write_read, 65536),
		PIPE("poll", run_poll, 0),
		PIPE("open-close", run_open_close, 0),
	};

	return GROUP(rows);
}
