/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario is a few functions and numbers; bench.c runs it and prints a row.
 *
 * To add one: write what prepares it and what is measured, add it to the table
 * at the end of a file of its kind.
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
#define BATCH		128	/* unless a scenario says otherwise */
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

/**
 * struct scenario - one row
 * @name: stable: bench.csv has it in its first column
 * @minus: name of an earlier row to subtract, or NULL
 * @setup: once, before all; returns false if the kernel cannot do it
 * @prepare: before each repetition, or NULL; not measured
 * @run: what is measured; returns ticks, by ticks() or from the driver
 * @check: after the last repetition, or NULL: ends the program if @run did not do
 *	what it is measured for
 * @ops: how often @run does it; the row is for one
 * @len: bytes of a record, or of a write
 * @nr: whatever the scenario counts: watchers, watches, records
 * @once: a single repetition will do, or more are impossible
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
struct group mount_rows(void);
struct group device_rows(void);
int run_smp(void);

static inline uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/* Whatever they open is closed when the scenario is over */
int keep(int fd);			/* ends the program if it is negative */
int open_object(void);
bool open_queue(int fds[2], unsigned int depth);
#define TICK_USEC	10000		/* CONFIG_HZ_100 in config/bench.config */

pid_t child(void (*sleeper)(int fd), int fd);	/* returns when it sleeps */

void drain(int fd);
uint64_t driver(int object, unsigned long cmd, struct wqbench arg);
bool driver_ok(int object, unsigned long cmd, struct wqbench arg);
void die(const char *what) __attribute__((noreturn));

extern int object;			/* of most scenarios */
extern int queue[2];
extern char buffer[1 << 20];

#endif /* BENCH_H */
