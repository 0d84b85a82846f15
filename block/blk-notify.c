// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about block devices
 *
 * An event source for the general notification queue: it reports I/O errors of block
 * devices.  See Documentation/userspace-api/watch_queue/block.rst.
 *
 * Where errors are reported
 *
 * blk_update_request(), which also logs most errors, reports the errors of
 * request-based drivers once per failed request.  bio_endio(), the only function that
 * all bio-based drivers share, reports their errors when the bio that was submitted to
 * the device ends.  bio_endio() also reports a bio that fails before it becomes a
 * request, but not a bio that submit_bio_noacct() rejects.
 *
 * If a driver splits a bio, the bio that ends is the remainder, so the reported sector
 * and length are those of the last part.  Only the driver can determine which part
 * failed.  NVMe multipath redirects the original bio to a hidden device.  The NVMe driver
 * reports an error if it does not send the bio to another path.  bcache with a cache
 * attached also redirects the original bio, after completing a clone, so an error of its
 * backing device is reported twice.
 *
 * A stacked device reports errors of its own bios, independently of the devices below.
 * A watch on one device gets one record of each error.  A watch on all devices gets one
 * record per layer, with NOTIFY_BLOCK_STACKED set in those of the upper layers.
 *
 * Objects
 *
 *	block_device --1:1-- blk_watchers --1:n-- watch
 *
 * The blk_watchers of a block device (a disk or a partition) are created with its first
 * watch, or with its first error while its disk or all devices are watched.  They are
 * freed with the device, before its disk is freed.  The device is then not open and has
 * no I/O in flight.  Nothing here holds a reference to a device.
 *
 * Locks
 *
 *	rl.lock			errors of one device; any context, interrupts off
 *	locks of the queue	kernel/watch_queue_internal.h
 *
 * bdev->bd_watchers is set once, with cmpxchg(), and read with acquire semantics.  It
 * remains valid as long as the device is open or has I/O in flight.
 */

#include <linux/blk-mq.h>
#include <linux/blk_notify.h>
#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fsnotify_backend.h>
#include <linux/init.h>
#include <linux/kdev_t.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/watch_queue.h>
#include <linux/watch_ratelimit.h>

#include "blk-mq.h"

static_assert(sizeof(struct block_notification) == 56);

struct blk_watchers {
	struct watch_list watchers;
	struct watch_ratelimit rl;
	struct block_device *bdev;
	u64 id;			/* object ID, see blk_object_id() */
	struct rcu_head rcu;
};

struct blk_error {
	u64 sector;
	u64 disk_seq;		/* at the time of the error; the medium may change */
	u64 time_ns;
	u32 length;
	u8 operation;
	u8 class;
	bool stacked;
};

static_assert(sizeof(struct blk_error) <= WATCH_RATELIMIT_EVENT_SIZE);

/* Object ID of watches on all devices; unused, as disk sequence numbers start at 1 */
#define BLK_ALL_DEVICES	0

/* Position of the disk's sequence number in an object ID.  User ABI. */
#define BLK_ID_PARTNO_BITS	8

static_assert(DISK_MAX_PARTS <= 1 << BLK_ID_PARTNO_BITS);

static struct watch_list blk_global_watchers;

/* The values are user ABI, those of blk_status_t are not */
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
		/* A write without data is a flush */
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

/* Notify the watchers of the partition, of its disk and of all devices */
static void blk_post_error(struct block_device *bdev, const struct blk_error *e,
			   u32 suppressed)
{
	struct block_notification n = {
		.watch.type	= WATCH_TYPE_BLOCK_NOTIFY,
		.watch.subtype	= e->class,
		.watch.info	= watch_sizeof(n),
		.disk_seq	= e->disk_seq,
		.dev_major	= MAJOR(bdev->bd_dev),
		.dev_minor	= MINOR(bdev->bd_dev),
		.sector		= e->sector,
		.time_ns	= e->time_ns,
		.length		= e->length,
		.operation	= e->operation,
		.partition	= bdev_partno(bdev),
		.suppressed	= suppressed,
	};

	if (e->stacked)
		n.watch.info |= NOTIFY_BLOCK_STACKED;

	blk_post_to(bdev, &n);
	if (bdev_is_partition(bdev))
		blk_post_to(bdev_whole(bdev), &n);
	post_watch_notification(&blk_global_watchers, &n.watch, NULL,
				BLK_ALL_DEVICES);
}

static void blk_post_limited(struct watch_ratelimit *rl, const void *event,
			     u32 suppressed)
{
	struct blk_watchers *bw = container_of(rl, struct blk_watchers, rl);

	blk_post_error(bw->bdev, event, suppressed);
}

static u64 blk_object_id(struct block_device *bdev)
{
	return bdev->bd_disk->diskseq << BLK_ID_PARTNO_BITS | bdev_partno(bdev);
}

/* Get or create @bdev's watchers; NULL if out of memory.  The caller pins @bdev. */
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

/* True if the disk is built on other block devices, as most dm and md devices are */
static bool blk_is_stacked(const struct gendisk *disk)
{
#ifdef CONFIG_BLOCK_HOLDER_DEPRECATED
	return !list_empty(&disk->slave_bdevs);
#else
	return false;
#endif
}

static void blk_report_error(struct block_device *bdev, struct blk_error *e)
{
	struct blk_watchers *bw;

	/* A flush applies to the whole device; its sector is undefined */
	if (e->operation == NOTIFY_BLOCK_OP_FLUSH)
		e->sector = 0;
	e->stacked = blk_is_stacked(bdev->bd_disk);
	e->disk_seq = bdev->bd_disk->diskseq;

	if (!blk_has_watches(bdev) && !blk_has_watches(bdev_whole(bdev)) &&
	    hlist_empty(&blk_global_watchers.watchers))
		return;

	e->time_ns = ktime_get_real_ns();
	bw = blk_watchers_get(bdev, GFP_ATOMIC | __GFP_NOWARN);
	if (bw)
		watch_ratelimit_post(&bw->rl, e, sizeof(*e));
	else	/* Out of memory: post without a rate limit */
		blk_post_error(bdev, e, 0);
}

/*
 * RQF_QUIET requests probe for features or paths.  Exceptions are an expired duration
 * limit, and a write, which is quiet if the card of an MMC disk was removed.
 */
static bool blk_is_probe(const struct request *rq, blk_status_t status)
{
	return (rq->rq_flags & RQF_QUIET) && status != BLK_STS_DURATION_LIMIT &&
	       req_op(rq) != REQ_OP_WRITE;
}

/*
 * Drivers need not retry readahead, so a failure can be temporary.  A page that a program
 * uses is read again, without the flag.  A bad medium is reported, as the second read may
 * use another copy.  A request can contain several bios.  The request for a flush has none.
 */
static bool blk_is_readahead(const struct request *rq, blk_status_t status)
{
	const struct bio *bio;

	if (status == BLK_STS_MEDIUM || status == BLK_STS_PROTECTION)
		return false;
	for (bio = rq->bio; bio; bio = bio->bi_next) {
		if (!(bio->bi_opf & REQ_RAHEAD))
			return false;
	}
	return rq->bio;
}

/*
 * Discard and write-zeroes are optional: the caller falls back when they are refused,
 * so a refusal is not an I/O error.  The first BLK_STS_TARGET, from which a driver
 * detects that the device does not support the command, is not an I/O error either.
 * The driver clears the queue limit before it completes the request.  Not all stacking
 * drivers do so, but the lower device reports an error that is not a refusal.
 */
static bool blk_op_is_optional(struct block_device *bdev, enum req_op op,
			       blk_status_t status)
{
	const struct queue_limits *limits = &bdev_get_queue(bdev)->limits;

	if (op != REQ_OP_DISCARD && op != REQ_OP_WRITE_ZEROES)
		return false;
	if (status != BLK_STS_TARGET)
		return status == BLK_STS_NOTSUPP;
	if (blk_is_stacked(bdev->bd_disk))
		return true;
	if (op == REQ_OP_WRITE_ZEROES)
		return !limits->max_write_zeroes_sectors;
	return !limits->max_discard_sectors;
}

static bool blk_can_poll(struct block_device *bdev)
{
	struct request_queue *q = bdev_get_queue(bdev);

	if (!(q->limits.features & BLK_FEAT_POLL))
		return false;
	return !queue_is_mq(q) || blk_mq_can_poll(q);
}

/**
 * blk_notify_request_of - report a failed request for a device
 * @bdev: the device that the bios of the request were submitted to
 * @rq: the request, before its bios are advanced
 * @status: the error
 * @bytes: number of bytes that failed
 *
 * For a driver that redirects the bios of one device to hidden devices.
 *
 * Context: Any but NMI; on PREEMPT_RT, not hard interrupt.
 */
void blk_notify_request_of(struct block_device *bdev, struct request *rq,
			   blk_status_t status, unsigned int bytes)
{
	struct blk_error e = {
		.sector		= blk_rq_pos(rq),
		.length		= bytes,
		.operation	= blk_error_operation(req_op(rq), bytes),
		.class		= blk_error_class(status),
	};

	if (blk_is_probe(rq, status) || blk_is_readahead(rq, status) ||
	    blk_op_is_optional(bdev, req_op(rq), status))
		return;
	/* The driver may have replaced the sector of the request by the result */
	if (req_op(rq) == REQ_OP_ZONE_APPEND && rq->bio)
		e.sector = rq->bio->bi_iter.bi_sector;
	/*
	 * A write with a flush before or after it completes twice: first the write,
	 * then the whole sequence.  The second time no bytes are left, and the bio
	 * has the status that was reported for the write.  The request of the flush
	 * itself has no bio.  A command for a zone has no bytes, either; its bio may
	 * have the status of a bio that is chained to it.
	 */
	if (bytes || op_is_zone_mgmt(req_op(rq)) || !rq->bio || !rq->bio->bi_status)
		blk_report_error(bdev, &e);
}
EXPORT_SYMBOL_GPL(blk_notify_request_of);

/**
 * blk_notify_request - report a failed request
 * @rq: the request, before its bios are advanced
 * @status: the error
 * @bytes: number of bytes that failed
 *
 * Passthrough requests are not reported: their issuer interprets the result.  Failed
 * readahead is only reported if the medium is bad.  Requests of hidden devices are
 * reported by their driver, see blk_notify_request_of().
 *
 * Context: Any but NMI; on PREEMPT_RT, not hard interrupt.
 */
void blk_notify_request(struct request *rq, blk_status_t status,
			unsigned int bytes)
{
	struct block_device *bdev = rq->bio ? rq->bio->bi_bdev : NULL;

	if (bdev && !blk_rq_is_passthrough(rq) &&
	    !(bdev->bd_disk->flags & GENHD_FL_HIDDEN))
		blk_notify_request_of(bdev, rq, status, bytes);
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

/*
 * In Linux 7.1, the alignment of a program's buffer is only checked when a bio is split.
 * So any user can send a misaligned bio to dm-crypt, dm-integrity and dm-verity, which
 * fail it with an I/O error.  These are stacked: if the bio fails for another reason, the
 * lower device reports it.  btt and dcssblk do the same, but are not stacked, and their
 * medium may be bad.  So their errors are reported.
 *
 * The driver may have split off the first part, so check the whole vector of the bio.
 */
static bool bio_is_misaligned(struct bio *bio)
{
	unsigned int mask = bdev_get_queue(bio->bi_bdev)->limits.dma_alignment;
	struct bvec_iter iter;
	struct bio_vec bv;

	if (bio->bi_status == BLK_STS_INVAL)
		return true;
	if (bio->bi_status != BLK_STS_IOERR || !bio_has_data(bio) ||
	    !blk_is_stacked(bio->bi_bdev->bd_disk))
		return false;
	for (u32 i = 0; i < bio->bi_iter.bi_idx; i++) {
		if ((bio->bi_io_vec[i].bv_offset | bio->bi_io_vec[i].bv_len) & mask)
			return true;
	}
	bio_for_each_bvec(bv, bio, iter) {
		if ((bv.bv_offset | bv.bv_len) & mask)
			return true;
	}
	return false;
}

/**
 * blk_notify_bio - report a failed bio
 * @bio: the bio, which was submitted to its device and was not part of a request.  All
 *	bios that were split off it have completed
 * @chained: bio_chain() set its completion, so bi_private is the parent bio
 *
 * Bios that failed because of REQ_NOWAIT or REQ_POLLED, or because they are malformed,
 * are not reported.  Failed readahead is not reported either, as drivers may drop it
 * under load.
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

	/* Any user can cause these on a healthy device */
	if (bio->bi_status == BLK_STS_AGAIN || bio_is_misaligned(bio) ||
	    (bio->bi_status == BLK_STS_NOTSUPP && (bio->bi_opf & REQ_POLLED) &&
	     !blk_can_poll(bio->bi_bdev)))
		return;
	if (bio->bi_status == BLK_STS_DM_REQUEUE || (bio->bi_opf & REQ_RAHEAD) ||
	    blk_op_is_optional(bio->bi_bdev, bio_op(bio), bio->bi_status))
		return;
	if (chained && bio_is_part(bio))
		return;
	/* A driver redirected it to a hidden device that was then removed */
	if (bio->bi_bdev->bd_disk->flags & GENHD_FL_HIDDEN)
		return;
	blk_report_error(bio->bi_bdev, &e);
}

/**
 * blk_notify_destroy - remove all watches on a block device
 * @bdev: the device, which is being released and has no users
 *
 * Context: Process context.  May sleep.
 */
void blk_notify_destroy(struct block_device *bdev)
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
		target->list = &blk_global_watchers;
		target->id = BLK_ALL_DEVICES;
		/* Block devices belong to the initial user namespace */
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
	init_watch_list(&blk_global_watchers, NULL);
	return register_watch_source(&blk_watch_source);
}
fs_initcall(blk_watch_init);

#ifdef CONFIG_BLOCK_NOTIFICATIONS_KUNIT_TEST
#include "blk_notify_kunit.c"
#endif
