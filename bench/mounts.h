/* SPDX-License-Identifier: GPL-2.0-only */
/* What other scenarios with mounts use of mounts.c */
#ifndef BENCH_MOUNTS_H
#define BENCH_MOUNTS_H

#include "bench.h"

#define PLACE		"/tmp/bench-mounts"	/* all mounts are below it */
#define CHANGING	PLACE "/changing"	/* a directory to mount on */

/* Make mounts until there are @nr. Those of earlier rows are kept. */
void fill(unsigned int nr);

/*
 * Open a queue with a watch on all mounts, or fanotify with a mark on the mount
 * namespace. They return false if the kernel does not support this.
 */
bool watch_mounts(int fds[2]);
bool mark_mounts(int *listener);

#endif /* BENCH_MOUNTS_H */
