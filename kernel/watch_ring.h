/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * General notification queue: the ring of records and the accounting of losses
 *
 * The ring stores records in slots of equal size.  Record number i is stored in
 * slot i modulo the number of slots, so storing and reading a record involve
 * neither allocation nor search.  The ring does not use queues, watches or pipes.
 *
 * Locks
 *
 * Posters hold @lock.  The owner of the ring serializes readers, with a mutex for
 * example.  A reader takes @lock only to publish its progress.  In this table,
 * "reader" means that other readers are excluded:
 *
 *	head			@lock to write; see (A) to read
 *	limit, overrun,		@lock
 *	nr_read, nr_lost
 *	slots[]			posters own [head, limit), the reader [tail, head)
 *	slots, mask, depth,	reader and @lock to write, either to read
 *	lost_after
 *	tail			reader and @lock to write, either to read;
 *				acquire in watch_ring_readable()
 *	lost			@lock to write, READ_ONCE() elsewhere
 *	lost_after[], marked	reader
 *
 * Ordering
 *
 * Names in parentheses are litmus tests of the same shape in
 * tools/memory-model/litmus-tests.
 *
 *	(A) A poster fills a slot and then stores head with release.  The reader
 *	    loads head with acquire and then reads the slots before head.
 *	    (MP+pooncerelease+poacquireonce)
 *	(B) The reader loads from a slot and then raises limit in a section of
 *	    @lock.  A poster reads limit in a later section of @lock and then
 *	    writes the slot.  No barriers other than unlock and lock are needed.
 *	    (LB+poacquireonce+pooncerelease)
 *	(E) A poster that stores a record while a loss is due does not wake any
 *	    task, as the ring is readable already.  The reader reports this loss
 *	    and clears lost in a later section of @lock.  A task that checks the
 *	    ring before it sleeps loads lost with acquire and then head, so it
 *	    finds the loss or the record.
 *	    (Documentation/litmus-tests/watch_queue/)
 *
 * Losses
 *
 * A record that is posted to a full ring is lost and counted.  Each count is
 * reported once, at the position in the stream where the records are missing.
 * A count is in one of three states:
 *
 *	overrun		   The ring is full, and the lost records follow the
 *			   newest one.  Posters increment the count.
 *	lost_after[slot]   Before the reader frees slots, it moves the count to
 *			   the slot of the newest record.  The count is final.
 *	lost		   The reader has consumed this slot.  The count is due:
 *			   it is reported before any further record.
 *
 * A ring without a size is full and has no slot, so its losses are due
 * immediately.  The ring is readable if it has a record or if a count is due.
 * If a count is in one of the other two states, the record before the loss has not
 * been consumed, so the ring has a record.  Therefore pending reports need not be
 * counted.
 *
 * @marked is the index after the newest slot that had a count.  The reader
 * searches for counts only below this index.
 */
#ifndef _KERNEL_WATCH_RING_H
#define _KERNEL_WATCH_RING_H

#include <linux/build_bug.h>
#include <linux/fault-inject-usercopy.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <uapi/linux/watch_queue.h>

#define WATCH_RING_SLOT_SIZE	128
#define WATCH_RING_MAX_DEPTH	BIT(23)		/* 1 GiB of slots */

/* Maximum number of records that are copied without a chance to reschedule */
#define WATCH_RING_CHUNK	256

/* One record; the first 8 to WATCH_INFO_LENGTH bytes are used */
struct watch_slot {
	struct watch_notification n;
	u8 data[WATCH_RING_SLOT_SIZE - sizeof(struct watch_notification)];
} __aligned(WATCH_RING_SLOT_SIZE);

static_assert(sizeof(struct watch_notification) == 8);
static_assert(sizeof(struct watch_slot) == WATCH_RING_SLOT_SIZE);
static_assert(WATCH_RING_SLOT_SIZE > WATCH_INFO_LENGTH);

struct watch_ring {
	/* Used by posters; a reader writes limit once per chunk */
	spinlock_t lock;
	u32 head;			/* next slot to fill, not masked */
	u32 limit;			/* value of head at which the ring is full */
	u32 depth;			/* maximum number of records */
	u32 mask;			/* converts an index to a slot */
	struct watch_slot *slots;	/* NULL without a size */
	u64 overrun;			/* losses since the ring became full */

	/* Used by readers */
	u32 tail ____cacheline_aligned_in_smp;	/* next slot to read */
	u32 marked;			/* no count at or after this index */
	u32 lost;			/* losses that are due */
	u16 *lost_after;		/* losses after the record in a slot */
	u64 nr_read;			/* total of records read */
	u64 nr_lost;			/* total of records lost, without overrun */
};

static inline void watch_ring_init(struct watch_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	spin_lock_init(&ring->lock);
}

/* Bit 7 is unused.  Treat it as part of the length, so that it is rejected if set. */
static inline u32 watch_info_len(u32 info)
{
	return info & ~(WATCH_INFO_ID | WATCH_INFO_TYPE_INFO);
}

/*
 * Posting
 */

/* Also true if the ring has no size yet, and after watch_ring_destroy() */
static __always_inline bool watch_ring_full(const struct watch_ring *ring)
{
	lockdep_assert_held(&ring->lock);
	return ring->head == ring->limit;
}

/* The caller has checked that the ring is not full */
static __always_inline bool watch_ring_empty(const struct watch_ring *ring)
{
	lockdep_assert_held(&ring->lock);
	/* limit - depth equals tail, which is in the readers' cache line */
	return unlikely(ring->limit - ring->head == ring->depth) && !ring->lost;
}

/*
 * Count a loss in a full ring.  Return true if the ring became readable, which
 * is only possible if the ring has no size yet.
 */
static __always_inline bool watch_ring_lose(struct watch_ring *ring)
{
	u32 lost;

	lockdep_assert_held(&ring->lock);

	if (likely(ring->slots)) {
		ring->overrun++;
		return false;
	}

	lost = ring->lost;
	ring->nr_lost++;
	if (lost != U32_MAX)
		WRITE_ONCE(ring->lost, lost + 1);
	return !lost;
}

/*
 * Copy @len bytes as two blocks of constant size, which overlap if @len is less than
 * their sum.  This takes a few moves, without a loop or a call.
 */
static __always_inline void
watch_ring_copy_blocks(u8 *to, const u8 *from, u32 len, u32 first, u32 last)
{
	memcpy(to, from, first);
	memcpy(to + len - last, from + len - last, last);
}

static __always_inline void watch_ring_copy_record(u8 *to, const u8 *from, u32 len)
{
	if (__builtin_constant_p(len))
		memcpy(to, from, len);
	else if (likely(len >= 32 && len <= 48))
		watch_ring_copy_blocks(to, from, len, 32, 16);
	else if (len > 96)
		watch_ring_copy_blocks(to, from, len, 64, 64);
	else if (len > 64)
		watch_ring_copy_blocks(to, from, len, 64, 32);
	else if (len > 48)
		watch_ring_copy_blocks(to, from, len, 32, 32);
	else if (len >= 16)
		watch_ring_copy_blocks(to, from, len, 16, 16);
	else	/* a record has at least 8 bytes */
		watch_ring_copy_blocks(to, from, len, 8, 8);
}

/* Store a record in a ring that is not full; @len is the length in @info */
static __always_inline void
watch_ring_put(struct watch_ring *ring, const struct watch_notification *n,
	       u32 info, u32 len)
{
	u32 head = ring->head, next = head + 1;
	struct watch_slot *slot = &ring->slots[head & ring->mask];

	lockdep_assert_held(&ring->lock);

	watch_ring_copy_record((u8 *)slot, (const u8 *)n, len);
	slot->n.info = info;

	/* Ordering (A): pairs with the reader's load of head */
	smp_store_release(&ring->head, next);
}

/*
 * Reading
 */

/**
 * watch_ring_readable - check for a record or a loss to report
 * @ring: the ring
 *
 * Context: Any; without a lock the result may be out of date.
 * Return: true if a read would return something.
 */
static inline bool watch_ring_readable(const struct watch_ring *ring)
{
	/*
	 * Load tail first: a stale head must not be compared with a newer tail, and a
	 * reader that consumes the last slot makes its loss due before it publishes
	 * tail.
	 */
	u32 tail = smp_load_acquire(&ring->tail);

	/* Ordering (E): load head last */
	return smp_load_acquire(&ring->lost) || READ_ONCE(ring->head) != tail;
}

/* Return the end of a read that begins now: the index after the newest record */
static __always_inline u32 watch_ring_end(const struct watch_ring *ring)
{
	/* Ordering (A): pairs with the poster's store of head */
	return smp_load_acquire(&ring->head);
}

/* Record the position of a loss in the stream.  Called before slots are freed. */
static __always_inline void watch_ring_mark_overrun(struct watch_ring *ring)
{
	lockdep_assert_held(&ring->lock);

	if (likely(!ring->overrun))
		return;

	ring->lost_after[(ring->head - 1) & ring->mask] =
		min(ring->overrun, U16_MAX);
	ring->marked = ring->head;
	ring->nr_lost += ring->overrun;
	ring->overrun = 0;
}

/* Is there a loss after a record that was not consumed yet? */
static __always_inline bool watch_ring_has_marks(const struct watch_ring *ring)
{
	return (s32)(ring->marked - ring->tail) > 0;
}

/* Return the first index in (tail, end] that has a loss before it, or @end */
static inline u32 watch_ring_next_mark(const struct watch_ring *ring, u32 end)
{
	for (u32 i = ring->tail; i != end; i++) {
		if (ring->lost_after[i & ring->mask])
			return i + 1;
	}
	return end;
}

/* Move the overrun to its slot, and the count of slot @tail - 1 to lost */
static noinline __maybe_unused void
watch_ring_move_losses(struct watch_ring *ring, u32 tail)
{
	u16 *lost_after = &ring->lost_after[(tail - 1) & ring->mask];

	watch_ring_mark_overrun(ring);
	if (*lost_after) {
		WRITE_ONCE(ring->lost, ring->lost + *lost_after);
		*lost_after = 0;
	}
	/* A stale index that appears to be ahead of @tail, as indices wrap */
	if (ring->marked - tail > ring->depth)
		ring->marked = tail;
}

/* Free the slots before @tail */
static __always_inline void watch_ring_consume(struct watch_ring *ring, u32 tail)
{
	/* Ordering (B): the loads from the slots precede the unlock */
	spin_lock_irq(&ring->lock);
	if (unlikely(ring->overrun || watch_ring_has_marks(ring)))
		watch_ring_move_losses(ring, tail);
	ring->nr_read += tail - ring->tail;
	/* Pairs with watch_ring_readable() */
	smp_store_release(&ring->tail, tail);
	ring->limit = tail + ring->depth;
	spin_unlock_irq(&ring->lock);
}

static inline int watch_ring_copy_one(const void *record, size_t len,
				      struct iov_iter *to)
{
	size_t copied;

	if (len > iov_iter_count(to))
		return -EMSGSIZE;
	copied = copy_to_iter(record, len, to);
	if (likely(copied == len))
		return 0;
	iov_iter_revert(to, copied);
	return -EFAULT;
}

/* Copy whole records before @end.  Return the index after the last one copied. */
static noinline __maybe_unused u32
watch_ring_copy_iter(const struct watch_ring *ring, u32 end, struct iov_iter *to)
{
	u32 i;

	for (i = ring->tail; i != end; i++) {
		const struct watch_slot *slot = &ring->slots[i & ring->mask];

		if (watch_ring_copy_one(slot, slot->n.info & WATCH_INFO_LENGTH, to))
			break;
	}
	return i;
}

/* Copy a block of 16, 32 or 64 bytes; unsafe_copy_to_user() would use a loop */
static __always_inline bool
watch_ring_user_block(char __user *to, const char *from, u32 size)
{
	unsafe_copy_to_user(to, from, 16, fault);
	if (size >= 32)
		unsafe_copy_to_user(to + 16, from + 16, 16, fault);
	if (size >= 64) {
		unsafe_copy_to_user(to + 32, from + 32, 16, fault);
		unsafe_copy_to_user(to + 48, from + 48, 16, fault);
	}
	return true;

fault:
	return false;
}

/* See watch_ring_copy_blocks(); returns false on a fault */
static __always_inline bool
watch_ring_user_blocks(char __user *to, const char *from, u32 len, u32 first, u32 last)
{
	return watch_ring_user_block(to, from, first) &&
	       watch_ring_user_block(to + len - last, from + len - last, last);
}

/*
 * See watch_ring_copy_record().  Called between user_write_access_begin() and
 * user_write_access_end().  Return false on a fault.
 */
static __always_inline bool
watch_ring_user_record(char __user *to, const char *from, u32 len)
{
	/* Most records */
	if (likely(len == 16))
		return watch_ring_user_block(to, from, 16);
	if (likely(len >= 32 && len <= 48))
		return watch_ring_user_blocks(to, from, len, 32, 16);
	if (len > 96)
		return watch_ring_user_blocks(to, from, len, 64, 64);
	if (len > 64)
		return watch_ring_user_blocks(to, from, len, 64, 32);
	if (len > 48)
		return watch_ring_user_blocks(to, from, len, 32, 32);
	if (len > 16)
		return watch_ring_user_blocks(to, from, len, 16, 16);
	unsafe_copy_to_user(to, from, len, fault);
	return true;

fault:
	return false;
}

/* Fast variant of watch_ring_copy_iter() for the plain buffer of read() */
static __always_inline u32
watch_ring_copy_ubuf(const struct watch_ring *ring, u32 end, struct iov_iter *to)
{
	char __user *start = to->ubuf + to->iov_offset, *buf = start;
	char __user *limit = start + iov_iter_count(to);
	u32 i = ring->tail;

	might_fault();
	if (should_fail_usercopy() || !user_write_access_begin(buf, limit - buf))
		return i;
	do {
		const struct watch_slot *slot = &ring->slots[i & ring->mask];
		u32 len = slot->n.info & WATCH_INFO_LENGTH;

		if (unlikely(len > limit - buf) ||
		    unlikely(!watch_ring_user_record(buf, (const char *)slot, len)))
			break;
		buf += len;
	} while (++i != end);
	user_write_access_end();
	iov_iter_advance(to, buf - start);
	return i;
}

/* Return the reason why the record at @tail was not copied */
static noinline __maybe_unused int
watch_ring_copy_error(const struct watch_ring *ring, u32 tail,
		      const struct iov_iter *to)
{
	u32 len = ring->slots[tail & ring->mask].n.info & WATCH_INFO_LENGTH;

	return len > iov_iter_count(to) ? -EMSGSIZE : -EFAULT;
}

/* Report the losses that are due */
static noinline __maybe_unused int
watch_ring_copy_lost(struct watch_ring *ring, struct iov_iter *to)
{
	u32 lost = READ_ONCE(ring->lost);
	struct watch_notification n = {
		.type		= WATCH_TYPE_META,
		.subtype	= WATCH_META_LOSS_NOTIFICATION,
		.info		= sizeof(n) | min(lost, U16_MAX) <<
					      WATCH_INFO_TYPE_INFO__SHIFT,
	};
	int err = watch_ring_copy_one(&n, sizeof(n), to);

	if (err)
		return err;
	/* If the ring has no size yet, posters may have added losses */
	scoped_guard(spinlock_irq, &ring->lock)
		WRITE_ONCE(ring->lost, ring->lost - lost);
	return 0;
}

/* Return where to stop copying: @end, the next loss or the end of the chunk */
static noinline __maybe_unused u32
watch_ring_chunk_end(const struct watch_ring *ring, u32 end, size_t room)
{
	u32 tail = ring->tail;

	end = tail + min(end - tail, WATCH_RING_CHUNK);
	if (!watch_ring_has_marks(ring))
		return end;
	/* Do not search beyond the records that can fit */
	room /= sizeof(struct watch_notification);
	end = tail + min_t(size_t, end - tail, room + 1);
	return watch_ring_next_mark(ring, end);
}

/* Copy and consume the next chunk of records; the ring has at least one */
static __always_inline int watch_ring_copy_chunk(struct watch_ring *ring, u32 end,
						 struct iov_iter *to)
{
	u32 tail = ring->tail;

	if (unlikely(end - tail > WATCH_RING_CHUNK || watch_ring_has_marks(ring)))
		end = watch_ring_chunk_end(ring, end, iov_iter_count(to));

	if (likely(iter_is_ubuf(to)))
		tail = watch_ring_copy_ubuf(ring, end, to);
	else
		tail = watch_ring_copy_iter(ring, end, to);
	if (likely(tail != ring->tail))
		watch_ring_consume(ring, tail);
	return likely(tail == end) ? 0 : watch_ring_copy_error(ring, tail, to);
}

/**
 * watch_ring_read - copy a chunk of records, or a loss report
 * @ring: the ring; the caller excludes other readers
 * @end: from watch_ring_end(), called when the read began
 * @to: buffer
 * @err: set to 0, or to -EMSGSIZE or -EFAULT if the next record could not be
 *	copied
 *
 * Context: Process context.  May fault.
 * Return: true if more remains to be copied: call the function again with the same
 * @end.  A call copies at most one chunk of records.  As @end does not change, a
 * read ends even if records are posted faster than they are copied.
 */
static __always_inline bool watch_ring_read(struct watch_ring *ring, u32 end,
					    struct iov_iter *to, int *err)
{
	*err = 0;
	if (unlikely(READ_ONCE(ring->lost)))
		*err = watch_ring_copy_lost(ring, to);
	if (unlikely(*err) || ring->tail == end)
		return false;
	*err = watch_ring_copy_chunk(ring, end, to);
	return !*err && (ring->tail != end || unlikely(ring->lost));
}

/**
 * watch_ring_bytes - number of bytes that a read of everything would return
 * @ring: the ring; the caller excludes readers
 *
 * Context: Any.
 * Return: The number of bytes, loss records included.
 */
static inline u32 watch_ring_bytes(const struct watch_ring *ring)
{
	u32 nr = watch_ring_end(ring) - ring->tail;
	u32 bytes = READ_ONCE(ring->lost) ? sizeof(struct watch_notification) : 0;
	u32 mask, at;

	if (!nr)
		return bytes;
	/* Without the lock: it only matters whether the count is 0 */
	if (unlikely(data_race(ring->overrun)))
		bytes += sizeof(struct watch_notification);
	if (unlikely(watch_ring_has_marks(ring))) {
		for (u32 i = 0; i < nr; i++) {
			if (ring->lost_after[(ring->tail + i) & ring->mask])
				bytes += sizeof(struct watch_notification);
		}
	}
	/* Offsets in bytes save a multiplication per record */
	mask = ring->mask * sizeof(struct watch_slot);
	at = ring->tail * sizeof(struct watch_slot) & mask;
	for (; nr; nr--, at = (at + sizeof(struct watch_slot)) & mask) {
		const struct watch_notification *n = (void *)ring->slots + at;

		bytes += watch_info_len(n->info);
	}
	return bytes;
}

/*
 * Size
 */

/* Number of pages to account for a ring with @nr_slots slots */
static inline unsigned long watch_ring_pages(unsigned long nr_slots)
{
	return DIV_ROUND_UP(nr_slots * (sizeof(struct watch_slot) + sizeof(u16)),
			    PAGE_SIZE);
}

static inline void *watch_ring_zalloc(size_t size)
{
	/* Do not invoke the OOM killer for the slots */
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN |
			  __GFP_RETRY_MAYFAIL;

	/* Do not attempt a costly-order contiguous allocation */
	if (size > PAGE_SIZE << PAGE_ALLOC_COSTLY_ORDER)
		return __vmalloc(size, gfp);
	return kvmalloc(size, gfp);
}

/**
 * watch_ring_resize - set the size of a ring
 * @ring: a ring without a size; the caller excludes readers
 * @depth: maximum number of records, 1 to WATCH_RING_MAX_DEPTH
 *
 * Context: Process context.  May sleep.
 * Return: 0, or -ENOMEM if out of memory.
 */
static inline int watch_ring_resize(struct watch_ring *ring, u32 depth)
{
	u32 nr_slots = roundup_pow_of_two(depth);
	struct watch_slot *slots;
	u16 *lost_after;

	slots = watch_ring_zalloc(nr_slots * sizeof(*slots));
	lost_after = watch_ring_zalloc(nr_slots * sizeof(*lost_after));
	if (!slots || !lost_after) {
		kvfree(slots);
		kvfree(lost_after);
		return -ENOMEM;
	}

	scoped_guard(spinlock_irq, &ring->lock) {
		ring->slots = slots;
		ring->lost_after = lost_after;
		ring->mask = nr_slots - 1;
		ring->depth = depth;
		ring->limit = ring->tail + depth;
	}
	return 0;
}

/**
 * watch_ring_destroy - free the slots
 * @ring: the ring, which has no readers
 *
 * Records that are posted afterwards are lost.
 *
 * Context: Process context.  May sleep.
 */
static inline void watch_ring_destroy(struct watch_ring *ring)
{
	struct watch_slot *slots = ring->slots;
	u16 *lost_after = ring->lost_after;

	scoped_guard(spinlock_irq, &ring->lock) {
		ring->slots = NULL;
		ring->lost_after = NULL;
		ring->limit = ring->head;
	}

	/* From here on the ring is full for every poster */
	kvfree(slots);
	kvfree(lost_after);
}

#endif /* _KERNEL_WATCH_RING_H */
