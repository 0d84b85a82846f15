/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about block devices: hooks for the block layer
 *
 * See Documentation/userspace-api/watch_queue/block.rst for the events.
 */
#ifndef _LINUX_BLK_NOTIFY_H
#define _LINUX_BLK_NOTIFY_H

#include <linux/blk_types.h>

struct request;

#ifdef CONFIG_BLOCK_NOTIFICATIONS
void blk_notify_request(struct request *rq, blk_status_t status,
			unsigned int bytes);
void blk_notify_request_of(struct block_device *bdev, struct request *rq,
			   blk_status_t status, unsigned int bytes);
void blk_notify_bio(struct bio *bio, bool chained);
void blk_notify_destroy(struct block_device *bdev);
#else
static inline void blk_notify_request(struct request *rq, blk_status_t status,
				      unsigned int bytes)
{
}

static inline void blk_notify_request_of(struct block_device *bdev,
					 struct request *rq, blk_status_t status,
					 unsigned int bytes)
{
}

static inline void blk_notify_bio(struct bio *bio, bool chained)
{
}

static inline void blk_notify_destroy(struct block_device *bdev)
{
}
#endif

#endif /* _LINUX_BLK_NOTIFY_H */
