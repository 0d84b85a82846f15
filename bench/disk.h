/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk in memory with a filesystem, one file, and bad sectors below the file
 *
 * Each failed read of the file is one error of the filesystem, which stays usable.
 */
#ifndef BENCH_DISK_H
#define BENCH_DISK_H

#include <stdbool.h>

#define DISK_BLOCK	4096	/* bytes of a block of the filesystem and of a read */

/**
 * struct disk - a null_blk device and what is on it
 * @name: name of the device below /dev, and of the directory in configfs
 * @mkfs: command that makes the filesystem, without the device
 * @type: type of the filesystem
 * @mib: size of the device
 * @blocks: number of blocks of the file
 * @at: where it is mounted
 * @fd: the file, for direct I/O
 */
struct disk {
	const char *name;
	const char *mkfs;
	const char *type;
	unsigned int mib;
	unsigned int blocks;
	char at[64];
	int fd;
};

/* Both return false if the kernel does not support what they make */
bool disk_make(const struct disk *d);	/* the device alone */
bool disk_open(struct disk *d);
void disk_close(struct disk *d);
void disk_spoil(const struct disk *d, const char *range);	/* "+FIRST-LAST" sectors, or "-" */
void disk_fail(const struct disk *d, bool fail);	/* all blocks of the file */
void disk_error(const struct disk *d, unsigned int block);	/* a read that fails */
void disk_dirty(const struct disk *d);	/* a write to the page cache, and back, that fails */

void die(const char *what) __attribute__((noreturn));	/* of the program */

#endif /* BENCH_DISK_H */
