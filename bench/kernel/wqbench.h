/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interface between the benchmark program and its driver in the kernel
 *
 * Each open file of /dev/wqbench is an object that can be watched.
 */
#ifndef WQBENCH_H
#define WQBENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct wqbench - argument of all commands
 * @fd: descriptor of a queue
 * @len: length of the records to post, 8 to 127 bytes
 * @nr: number of records, or of watches with the IDs @id, @id + 1, ...
 * @id: ID within the object
 * @result: measured ticks or pages
 */
struct wqbench {
	__s32	fd;
	__u32	len;
	__u64	nr;
	__u64	id;
	__u64	result;
};

#define WQBENCH_LOOP	_IOWR('W', 0xf0, struct wqbench)	/* empty loop */
#define WQBENCH_POST	_IOWR('W', 0xf1, struct wqbench)
#define WQBENCH_WATCH	_IOWR('W', 0xf2, struct wqbench)
#define WQBENCH_UNWATCH	_IOWR('W', 0xf3, struct wqbench)
#define WQBENCH_FREE	_IOWR('W', 0xf4, struct wqbench)	/* free pages */

#endif /* WQBENCH_H */
