/* SPDX-License-Identifier: GPL-2.0-only */
/* The disks of the scenes; mkfs.xfs makes one of this size only for tests */
#ifndef RIVALS_DISKS_H
#define RIVALS_DISKS_H

#include "disk.h"

#define XFS_DISK(NAME) {						\
	.name = NAME, .type = "xfs", .mib = 64,				\
	.blocks = 2 * NR_ERRORS + 2,					\
	.mkfs = "TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 mkfs.xfs -q -f -K", \
}
#define EXT4_DISK(NAME) {						\
	.name = NAME, .type = "ext4", .mib = 16, .blocks = 1,		\
	.mkfs = "mkfs.ext4 -q -F -b 4096 -E nodiscard",			\
}

static inline void open_disk(struct disk *d)
{
	if (!disk_open(d))
		die(d->type);
}

#endif /* RIVALS_DISKS_H */
