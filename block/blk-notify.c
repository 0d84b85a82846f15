// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about block devices
 *
 * Tells the readers of notification queues of I/O that failed, on one device or on
 * all of them.  See Documentation/userspace-api/watch_queue.rst for programs.
 *
 * Where errors are told
 *
 * A device whose driver takes requests tells of the request that failed, once,
 * where the kernel's log has most of them too.  One whose driver takes bios tells of
 * the bio that was submitted to it, when it ends: there is no other place that all
 * such drivers pass.  So does any device of a bio that fails on its way to a request.
 *
 * A driver may split a bio, and what ends is then what was left of it.  As its
 * place, the last part's is told: where in it the error was, the driver knows.
 * A driver that turns the very bio it got to the device below, as NVMe does where
 * there may be several paths, leaves the telling to that; so does bcache with a cache,
 * which by then has also sent a clone there: that error is told twice.
 *
 * A device that is made of others tells of its own bios, apart from what these
 * others tell: who watches one device hears of each error once, and who watches
 * all hears of each layer, the upper ones with NOTIFY_BLOCK_STACKED.
 *
 * Objects
 *
 *	block_device --1:1-- blk_watchers --1:n-- watch
 *
 * A block device, a partition being one too, gets its blk_watchers with its first
 * watch, or with its first error while somebody watches all devices, and keeps it
 * until it is released: the last user has closed it then, and nothing of it is on
 * its way; its disk is still there.  Nothing here holds a reference on a device.
 *
 * Locks
 *
 *	rl.lock			errors of one device; any context, interrupts off
 *	locks of the queue	kernel/watch_queue.c
 *
 * bdev->bd_watchers is set once, by cmpxchg(), and read with acquire; who has the
 * device open, or I/O on it, keeps it.
 */

#include <linux/blk-mq.h>
#include <linux/blk_notify.h>
#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fsnotify_backend.h>
#include <linux/init.h>
#include <linux/kdev_t.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/watch_queue.h>
#include <linux/watch_ratelimit.h>

#include "blk-mq.h"

static_assert(sizeof(struct block_notification) == 48);

struct blk_watchers {
	struct watch_list watchers;
	struct watch_ratelimit rl;
	struct block_device *bdev;
	u64 id;			/* object ID, see blk_object_id() */
	struct rcu_head rcu;
};

struct blk_error {
	u64 sector;
	u64 disk_seq;		/* that it had then: its medium may be another one soon */
	u32 length;
	u32 operation;
	u8 class;
	bool stacked;
};

static_assert(sizeof(struct blk_error) <= WATCH_RATELIMIT_EVENT_SIZE);

/* Object ID of the watches on all devices; disk sequence numbers start at 1 */
#define BLK_ALL_DEVICES	0

/* Bits of an object ID below the disk's sequence number.  User ABI. */
#define BLK_ID_PARTNO_BITS	8

static_assert(DISK_MAX_PARTS <= 1 << BLK_ID_PARTNO_BITS);

static struct watch_list blk_watchers_of_all;

/* User ABI, whatever the numbers of statuses become */
static u8 blk_error_class(blk_status_t status)
{
	switch (status) {
	case BLK_STS_NOTSUPP:
		return NOTIFY_BLOCK_NOT_SUPPORTED;
	case BLK_STS_TIMEOUT:
		return NOTIFY_BLOCK_TIMEOUT;
	case BLK_STS_NOSPC:
		return NOTIFY_BLOCK_NO_SPACE;
	case BLK_STS_TRANSPORT:
		return NOTIFY_BLOCK_TRANSPORT;
	case BLK_STS_TARGET:
		return NOTIFY_BLOCK_TARGET;
	case BLK_STS_RESV_CONFLICT:
		return NOTIFY_BLOCK_RESV_CONFLICT;
	case BLK_STS_MEDIUM:
		return NOTIFY_BLOCK_MEDIUM;
	case BLK_STS_PROTECTION:
		return NOTIFY_BLOCK_PROTECTION;
	case BLK_STS_RESOURCE:
	case BLK_STS_DEV_RESOURCE:
		return NOTIFY_BLOCK_RESOURCE;
	case BLK_STS_ZONE_OPEN_RESOURCE:
	case BLK_STS_ZONE_ACTIVE_RESOURCE:
		return NOTIFY_BLOCK_ZONE_RESOURCE;
	case BLK_STS_OFFLINE:
		return NOTIFY_BLOCK_OFFLINE;
	case BLK_STS_DURATION_LIMIT:
		return NOTIFY_BLOCK_DURATION_LIMIT;
	case BLK_STS_INVAL:
		return NOTIFY_BLOCK_INVALID;
	default:
		return NOTIFY_BLOCK_IO;
	}
}

static u32 blk_error_operation(enum req_op op, u32 length)
{
	switch (op) {
	case REQ_OP_READ:
		return NOTIFY_BLOCK_OP_READ;
	case REQ_OP_ZONE_APPEND:
		return NOTIFY_BLOCK_OP_WRITE;
	case REQ_OP_WRITE:
		/* Of a write with nothing in it, or no more, what failed is the flush */
		return length ? NOTIFY_BLOCK_OP_WRITE : NOTIFY_BLOCK_OP_FLUSH;
	case REQ_OP_FLUSH:
		return NOTIFY_BLOCK_OP_FLUSH;
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		return NOTIFY_BLOCK_OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return NOTIFY_BLOCK_OP_ZERO;
	default:
		return op_is_zone_mgmt(op) ? NOTIFY_BLOCK_OP_ZONE : NOTIFY_BLOCK_OP_OTHER;
	}
}

static struct blk_watchers *blk_watchers(struct block_device *bdev)
{
	/* Pairs with cmpxchg() in blk_watchers_get() */
	return smp_load_acquire(&bdev->bd_watchers);
}

static void blk_post_to(struct block_device *bdev, struct block_notification *n)
{
	struct blk_watchers *bw = blk_watchers(bdev);

	if (bw)
		post_watch_notification(&bw->watchers, &n->watch, NULL, bw->id);
}

/* To those of a partition, of its disk, and of all */
static void blk_post_error(struct block_device *bdev, const struct blk_error *e,
			   u32 more)
{
	struct block_notification n = {
		.watch.type	= WATCH_TYPE_BLOCK_NOTIFY,
		.watch.subtype	= e->class,
		.watch.info	= watch_sizeof(n),
		.disk_seq	= e->disk_seq,
		.dev_major	= MAJOR(bdev->bd_dev),
		.dev_minor	= MINOR(bdev->bd_dev),
		.sector		= e->sector,
		.length		= e->length,
		.operation	= e->operation,
		.partition	= bdev_partno(bdev),
		.more		= more,
	};

	if (e->stacked)
		n.watch.info |= NOTIFY_BLOCK_STACKED;

	blk_post_to(bdev, &n);
	if (bdev_is_partition(bdev))
		blk_post_to(bdev_whole(bdev), &n);
	post_watch_notification(&blk_watchers_of_all, &n.watch, NULL,
				BLK_ALL_DEVICES);
}

static void blk_post_limited(struct watch_ratelimit *rl, const void *event, u32 more)
{
	struct blk_watchers *bw = container_of(rl, struct blk_watchers, rl);

	blk_post_error(bw->bdev, event, more);
}

static u64 blk_object_id(struct block_device *bdev)
{
	return bdev->bd_disk->diskseq << BLK_ID_PARTNO_BITS | bdev_partno(bdev);
}

/* Those of @bdev, made if need be, or NULL.  The caller keeps @bdev. */
static struct blk_watchers *blk_watchers_get(struct block_device *bdev, gfp_t gfp)
{
	struct blk_watchers *bw = blk_watchers(bdev), *new;

	if (bw)
		return bw;

	new = kzalloc(sizeof(*new), gfp);
	if (!new)
		return NULL;
	init_watch_list(&new->watchers, NULL);
	watch_ratelimit_init(&new->rl, blk_post_limited);
	new->bdev = bdev;
	new->id = blk_object_id(bdev);

	/* Pairs with smp_load_acquire() in blk_watchers() */
	bw = cmpxchg(&bdev->bd_watchers, NULL, new);
	if (!bw)
		return new;
	kfree(new);
	return bw;
}

static bool blk_has_watches(struct block_device *bdev)
{
	struct blk_watchers *bw = blk_watchers(bdev);

	return bw && !hlist_empty(&bw->watchers.watchers);
}

/* Made of other devices, such as those of device-mapper and md mostly are */
static bool blk_is_stacked(const struct gendisk *disk)
{
#ifdef CONFIG_BLOCK_HOLDER_DEPRECATED
	return !list_empty(&disk->slave_bdevs);
#else
	return false;
#endif
}

static void blk_tell(struct block_device *bdev, struct blk_error *e)
{
	struct blk_watchers *bw;

	/* A flush is of the whole device, and may have no place, or any */
	if (e->operation == NOTIFY_BLOCK_OP_FLUSH)
		e->sector = 0;
	e->stacked = blk_is_stacked(bdev->bd_disk);
	e->disk_seq = bdev->bd_disk->diskseq;

	if (!blk_has_watches(bdev) && !blk_has_watches(bdev_whole(bdev)) &&
	    hlist_empty(&blk_watchers_of_all.watchers))
		return;

	bw = blk_watchers_get(bdev, GFP_ATOMIC | __GFP_NOWARN);
	if (bw)
		watch_ratelimit_post(&bw->rl, e, sizeof(*e));
	else	/* Better too many than none */
		blk_post_error(bdev, e, 0);
}

/* The driver finds out what the device can do.  A limit on duration is no such. */
static bool blk_is_quiet(const struct request *rq, blk_status_t status)
{
	return (rq->rq_flags & RQF_QUIET) && status != BLK_STS_DURATION_LIMIT;
}

/*
 * To give back room, or to zero a range, is a favour that may be refused: who asked for
 * it does without, or writes.  A refusal of which driver and device have learnt for the
 * next time is no error, either, on this device or on one above, which learns as well.
 * dm leaves the limit that it has cleared to be put into force by others.
 */
static bool blk_is_favour(struct block_device *bdev, enum req_op op, blk_status_t status)
{
	const struct queue_limits *limits = &bdev_get_queue(bdev)->limits;

	if (op != REQ_OP_DISCARD && op != REQ_OP_WRITE_ZEROES)
		return false;
	if (status != BLK_STS_TARGET)
		return status == BLK_STS_NOTSUPP;
	if (op == REQ_OP_WRITE_ZEROES)
		return !limits->max_write_zeroes_sectors;
	return !limits->max_hw_discard_sectors || !limits->max_discard_sectors;
}

static bool blk_cannot_poll(struct block_device *bdev)
{
	struct request_queue *q = bdev_get_queue(bdev);

	if (!(q->limits.features & BLK_FEAT_POLL))
		return true;
	return queue_is_mq(q) && !blk_mq_can_poll(q);
}

/**
 * blk_notify_request - tell that a request failed
 * @rq: the request, its bios not advanced yet
 * @status: why
 * @bytes: how much of it failed
 *
 * Context: Any but NMI; on PREEMPT_RT, not hard interrupt.
 */
void blk_notify_request(struct request *rq, blk_status_t status,
			unsigned int bytes)
{
	struct blk_error e = {
		.sector		= blk_rq_pos(rq),
		.length		= bytes,
		.operation	= blk_error_operation(req_op(rq), bytes),
		.class		= blk_error_class(status),
	};

	if (blk_rq_is_passthrough(rq) || !rq->bio->bi_bdev || blk_is_quiet(rq, status) ||
	    blk_is_favour(rq->bio->bi_bdev, req_op(rq), status))
		return;
	/*
	 * A write with flushes around it comes here for the write, and at its end
	 * again: nothing is left of it then, and its bio has the error that was told.
	 */
	if (bytes || !rq->bio->bi_status)
		blk_tell(rq->bio->bi_bdev, &e);
}

/*
 * True for a chained bio that the driver of its device split off, or that belongs to
 * several bios for which the issuer waits together: the parent bio reports the status.
 */
static bool bio_is_part(const struct bio *bio)
{
	const struct bio *parent = bio->bi_private;

	return parent->bi_bdev == bio->bi_bdev &&
	       bdev_test_flag(bio->bi_bdev, BD_HAS_SUBMIT_BIO);
}

/**
 * blk_notify_bio - report a failed bio
 * @bio: the bio, completed together with the bios that were split off it; it was
 *	submitted to its device and was not part of a request
 * @chained: bio_chain() set its completion, so bi_private is the parent bio
 *
 * Not reported are bios that failed because of REQ_NOWAIT or REQ_POLLED, and
 * readahead, which drivers may drop under load.
 *
 * Context: Any but NMI; on PREEMPT_RT, not hard interrupt.
 */
void blk_notify_bio(struct bio *bio, bool chained)
{
	struct blk_error e = {
		.sector		= bio->bi_iter.bi_sector,
		.length		= bio->bi_iter.bi_size,
		.operation	= blk_error_operation(bio_op(bio),
						      bio->bi_iter.bi_size),
		.class		= blk_error_class(bio->bi_status),
	};

	/* Any user may ask for these, of a device that is in order */
	if (bio->bi_status == BLK_STS_AGAIN ||
	    (bio->bi_status == BLK_STS_NOTSUPP && (bio->bi_opf & REQ_POLLED) &&
	     blk_cannot_poll(bio->bi_bdev)))
		return;
	if (bio->bi_status == BLK_STS_DM_REQUEUE || (bio->bi_opf & REQ_RAHEAD) ||
	    blk_is_favour(bio->bi_bdev, bio_op(bio), bio->bi_status))
		return;
	if (chained && bio_is_part(bio))
		return;
	blk_tell(bio->bi_bdev, &e);
}

/**
 * blk_notify_gone - end the watches on a block device
 * @bdev: the device, which is being released: nobody has it
 *
 * Context: Process context.  May sleep.
 */
void blk_notify_gone(struct block_device *bdev)
{
	struct blk_watchers *bw = bdev->bd_watchers;

	if (!bw)
		return;
	watch_ratelimit_destroy(&bw->rl);
	remove_watch_from_object(&bw->watchers, NULL, bw->id, true);
	bdev->bd_watchers = NULL;
	kfree_rcu(bw, rcu);
}

/*
 * Watches
 */

/* A readable descriptor implies permission to see I/O errors */
static int blk_may_watch(struct file *file)
{
	if (!(file->f_mode & FMODE_READ))
		return -EPERM;
	return security_path_notify(&file->f_path, FS_ERROR,
				    FSNOTIFY_OBJ_TYPE_INODE);
}

static int blk_find(struct file *file, u32 flags, bool add,
		    struct watch_target *target)
{
	struct block_device *bdev;
	struct blk_watchers *bw;
	int ret;

	if (!file) {
		target->list = &blk_watchers_of_all;
		target->id = BLK_ALL_DEVICES;
		/* Devices belong to the initial user namespace */
		return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	}

	if (!S_ISBLK(file_inode(file)->i_mode) || (file->f_mode & FMODE_PATH))
		return -EINVAL;
	bdev = I_BDEV(file->f_mapping->host);
	if (add) {
		ret = blk_may_watch(file);
		if (ret)
			return ret;
		bw = blk_watchers_get(bdev, GFP_KERNEL_ACCOUNT);
		if (!bw)
			return -ENOMEM;
		watch_ratelimit_flush(&bw->rl);
	} else {
		bw = blk_watchers(bdev);
		if (!bw)
			return 0;
	}
	target->list = &bw->watchers;
	target->id = bw->id;
	return 0;
}

static const struct watch_source blk_watch_source = {
	.type	= WATCH_TYPE_BLOCK_NOTIFY,
	.find	= blk_find,
};

static int __init blk_watch_init(void)
{
	init_watch_list(&blk_watchers_of_all, NULL);
	return register_watch_source(&blk_watch_source);
}
fs_initcall(blk_watch_init);
