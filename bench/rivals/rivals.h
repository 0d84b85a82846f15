/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Count the events that a program gets from each interface
 *
 * A scene opens readers, causes a known number of events, and prints what each reader
 * got. A reader reads after the events, unless the scene is about a reader that keeps
 * up with them.
 */
#ifndef RIVALS_H
#define RIVALS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disk.h"

#define NR_ERRORS	1000	/* in a burst */
#define NR_MOUNTS	20000
#define QUEUE_SIZE	8192	/* of the queue: the limit for a user */

enum { FANOTIFY, HEALTH, QUEUE, NR_READERS };

/**
 * struct tally - what a reader got
 * @got: events or records, without those that report a loss
 * @stands_for: events that happened, as far as the reader can compute their number:
 *	those above, merged or suppressed ones, and counted losses
 * @ranges: events that have the range of the error in the file
 * @handles: events that have a file handle, as open_by_handle_at() takes it
 * @shutdowns: events that report a shutdown
 * @reasons: events that have the reason of a shutdown
 * @rdonly: events that report that the filesystem rejects changes
 * @parents: events that have the parent of a mount
 * @lost: number of lost events, as reported
 * @unknown: reports of a loss without a number
 * @about_mount: events about the mount with the ID @mount
 */
struct tally {
	long got;
	long stands_for;
	long ranges;
	long handles;
	long shutdowns;
	long reasons;
	long rdonly;
	long parents;
	long lost;
	long unknown;
	long about_mount;
	uint64_t mount;
};

/**
 * struct reader - one interface
 * @fd: to read from, or -1
 * @error: errno if this program may not use the interface; if it is 0 and @fd is -1, the
 *	interface does not cover the object
 * @take: read until nothing is left
 * @t: sum of what it read
 */
struct reader {
	int fd;
	int error;
	void (*take)(struct reader *r);
	struct tally t;
};

/* readers.c */
void watch_fs(struct reader *r, const char *at);	/* fanotify, monitor of XFS, queue */
void watch_all_fs(struct reader *r, const char *at);	/* the same, one watch each */
void watch_mount_events(struct reader *r);
void take_all(struct reader *r);	/* what the readers have now */
void settle(struct reader *r);		/* until they get no more for some seconds */
void reset(struct reader *r);		/* settle, and start to count again */
void close_all(struct reader *r);

/* rivals.c: print a row */
#define ROW(name, made, r, field)					\
	row(name, made, (const struct reader *)(r), offsetof(struct tally, field))
void row(const char *name, long made, const struct reader *r, unsigned long offset);

/* What several scenes do */
void ext4_error(const struct disk *d);		/* in metadata, without a cause */
void remount_twice(const struct disk *d);	/* read-only, and writable again */

/* The scenes */
void errors_scenes(void);
void state_scenes(void);
void mounts_scenes(void);
void user_scenes(void);

#endif /* RIVALS_H */
