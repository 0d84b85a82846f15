/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario consists of functions and parameters. bench.c runs it and prints a
 * row.
 *
 * To add a scenario, write its functions and add it to the table at the end of the
 * file for its topic.
 */
#ifndef BENCH_H
#define BENCH_H

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/watch_queue.h>

#include "wqbench.h"

#define REPETITIONS	31
#define BATCH		128	/* default number of operations */
#define UEVENT		"/sys/class/mem/null/uevent"
#define TICK_USEC	10000	/* CONFIG_HZ_100 in config/bench.config */
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

/**
 * struct scenario - one row of the table
 * @name: first column of bench.csv; must not change
 * @minus: name of an earlier row to subtract, or NULL
 * @setup: called once, first; returns false if the kernel does not support the
 *	scenario
 * @prepare: called before each repetition, not measured; or NULL
 * @run: the measured function; returns ticks, from ticks() or from the driver
 * @check: called after the last repetition, exits if @run did not have the
 *	expected effect; or NULL
 * @ops: number of operations in one @run; the row has the cost of one operation
 * @len: size of a record or a write in bytes
 * @nr: number of watchers, watches or records, depending on the scenario
 * @once: run one repetition only
 * @median: use the median, as single repetitions are much shorter than the others
 */
struct scenario {
	const char *name;
	const char *minus;
	bool (*setup)(const struct scenario *s);
	void (*prepare)(const struct scenario *s);
	uint64_t (*run)(const struct scenario *s);
	void (*check)(const struct scenario *s);
	unsigned int ops;
	unsigned int len;
	unsigned int nr;
	bool once;
	bool median;
};

struct group {
	const struct scenario *rows;
	size_t nr;
};

#define GROUP(rows)	((struct group){ rows, ARRAY_SIZE(rows) })

struct group self_rows(void);
struct group post_rows(void);
struct group read_rows(void);
struct group pipe_rows(void);
struct group watch_rows(void);
struct group near_rows(void);
struct group fanotify_rows(void);
struct group mount_rows(void);
struct group lock_rows(void);
struct group device_rows(void);
struct group line_rows(void);
int run_smp(void);

static inline uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/* Descriptors opened by these functions are closed at the end of the scenario */
int keep(int fd);			/* exits if @fd is negative */
int open_object(void);
bool open_queue(int fds[2], unsigned int depth);
pid_t child(void (*sleeper)(int fd), int fd);	/* returns when the child sleeps */

void drain(int fd);
uint64_t driver(int object, unsigned long cmd, struct wqbench arg);
bool driver_ok(int object, unsigned long cmd, struct wqbench arg);
void die(const char *what) __attribute__((noreturn));

extern int object;			/* used by most scenarios */
extern int queue[2];
extern char buffer[1 << 20];

#endif /* BENCH_H */
