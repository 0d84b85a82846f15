// SPDX-License-Identifier: GPL-2.0-only
/*
 * CBMC harnesses of kernel/watch_ring.h
 *
 * post_record() and read_records() are steps of a proof by induction: each starts with
 * any ring of DEPTH that satisfies consistent(), and checks that the result is right and
 * consistent again.  size() checks that a new ring is, too.  lengths() copies records
 * of several lengths, and race() checks ordering (E).
 */

#include <assert.h>

#include "kernel.h"

#include "../kernel/watch_ring.h"

#ifndef DEPTH
#define DEPTH	3
#endif
#define LEN	12	/* of a record in read_records() */

static struct watch_ring ring;

static u32 any(u32 first, u32 last)
{
	u32 n = nondet_u32();

	__CPROVER_assume(n >= first && n <= last);
	return n;
}

static struct watch_slot *slot_of(u32 i)
{
	return &ring.slots[i & ring.mask];
}

/* The number in a record is its index */
static u32 number_of(u32 i)
{
	return (i & 0xffff) + 1;	/* 0 is WATCH_TYPE_META */
}

static u32 lost_after(u32 i)
{
	return ring.lost_after[i & ring.mask];
}

/* Losses after the record at index i, which the ring has */
static u32 losses_after(u32 i)
{
	if (ring.overrun && i == ring.head - 1)
		return min(ring.overrun, U16_MAX);
	return lost_after(i);
}

static bool consistent(void)
{
	u32 queued = ring.head - ring.tail;

	if (ring.lock.locked || ring.limit != ring.tail + ring.depth ||
	    queued > ring.depth)
		return false;
	if (ring.overrun && queued != ring.depth)
		return false;
	/* The newest record of a full ring was posted after the last count */
	if (queued == ring.depth && lost_after(ring.head - 1))
		return false;
	/* A count belongs to a record, and its index is below marked */
	for (u32 i = 0; i <= ring.mask; i++) {
		u32 at = ring.tail + i;

		if (!lost_after(at))
			continue;
		if (i >= queued || ring.marked - ring.tail > ring.depth ||
		    ring.marked - ring.tail <= i)
			return false;
	}
	for (u32 i = 0; i < queued; i++) {
		if (slot_of(ring.tail + i)->n.info != LEN ||
		    slot_of(ring.tail + i)->n.type != number_of(ring.tail + i))
			return false;
	}
	return true;
}

/* Any consistent ring with a size whose oldest record is at @tail */
static void any_ring(u32 tail)
{
	watch_ring_init(&ring);
	ring.head = tail;
	ring.tail = tail;
	ring.limit = tail;
	watch_ring_resize(&ring, DEPTH);
	ring.head += any(0, DEPTH);
	ring.marked = nondet_u32();
	ring.overrun = any(0, 2) ?: any(0, 1) * (U16_MAX + 1);
	ring.lost = nondet_u32();
	for (u32 i = 0; i <= ring.mask; i++)
		ring.lost_after[i] = nondet_u32();
	for (u32 i = 0; i < DEPTH; i++) {
		if (i < ring.head - ring.tail) {
			slot_of(ring.tail + i)->n.info = LEN;
			slot_of(ring.tail + i)->n.type = number_of(ring.tail + i);
		}
	}
	__CPROVER_assume(consistent());
}

static bool readable(void)
{
	return ring.head != ring.tail || ring.lost;
}

void post_record(void)
{
	struct { struct watch_notification n; u8 data[LEN - 8]; } record = {};
	bool was_readable, full, edge;
	struct watch_ring old;

	any_ring(nondet_u32());
	old = ring;
	was_readable = readable();
	full = ring.head - ring.tail == DEPTH;
	record.n.type = number_of(ring.head);

	spin_lock_irq(&ring.lock);
	assert(watch_ring_full(&ring) == full);
	if (full) {
		edge = watch_ring_lose(&ring);
	} else {
		edge = watch_ring_empty(&ring);
		watch_ring_put(&ring, &record.n, LEN, LEN);
	}
	spin_unlock_irq(&ring.lock);

	assert(edge == !was_readable);
	assert(watch_ring_readable(&ring));
	assert(ring.head == old.head + !full && ring.tail == old.tail);
	assert(ring.overrun == old.overrun + full && ring.lost == old.lost);
	assert(consistent());
	watch_ring_destroy(&ring);
}

/* The next record for a reader, and losses that precede it */
static u32 next, due;

static u32 next_len(void)
{
	if (due)
		return sizeof(struct watch_notification);
	return next != ring.head ? LEN : 0;
}

/* Compare a record in the reader's buffer */
static u32 check_record(const char *buf, const u32 *losses)
{
	struct watch_notification n;
	u32 len = next_len();

	memcpy(&n, buf, sizeof(n));
	assert((n.info & WATCH_INFO_LENGTH) == len);
	if (due) {
		assert(n.type == WATCH_TYPE_META);
		assert(n.subtype == WATCH_META_LOSS_NOTIFICATION);
		assert(n.info >> WATCH_INFO_TYPE_INFO__SHIFT == min(due, U16_MAX));
		due = 0;
	} else {
		assert(n.type == number_of(next));
		due = losses[next & ring.mask];
		next++;
	}
	return len;
}

void read_records(void)
{
	static char buffer[(DEPTH + 1) * (LEN + 8)];
	u32 size = any(1, sizeof(buffer)), pos = 0, bytes, losses[4], end;
	struct iov_iter to = { .ubuf = buffer, .count = size };
	struct watch_ring old;
	int err;

	any_ring(U32_MAX);	/* a constant, and the indices wrap around */
	old = ring;
	next = ring.tail;
	due = ring.lost;
	bytes = due ? sizeof(struct watch_notification) : 0;
	for (u32 i = 0; i < DEPTH; i++) {
		losses[(next + i) & ring.mask] = 0;
		if (i < ring.head - next) {
			losses[(next + i) & ring.mask] = losses_after(next + i);
			bytes += LEN + (losses_after(next + i) ? 8 : 0);
		}
	}
	assert(watch_ring_readable(&ring) == readable());
	assert(watch_ring_bytes(&ring) == bytes);

	end = watch_ring_end(&ring);
	while (watch_ring_read(&ring, end, &to, &err))
		;
	while (pos != to.iov_offset) {
		assert(next_len() && next_len() <= size - pos);
		pos += check_record(buffer + pos, losses);
	}
	/* Without a fault, everything that fits is read */
	if (err == -EFAULT)
		assert(faulted);
	else if (err == -EMSGSIZE)
		assert(next_len() > size - pos);
	else
		assert(!err && !next_len());

	/* The ring still has each record and count that was not read */
	assert(ring.head == old.head && ring.tail == next && ring.lost == due);
	for (u32 i = 0; i < DEPTH; i++) {
		if (i < ring.head - next)
			assert(losses_after(next + i) == losses[(next + i) & ring.mask]);
	}
	assert(ring.nr_read == next - old.tail);
	assert(ring.nr_lost + ring.overrun == old.overrun);
	assert(watch_ring_readable(&ring) == readable());
	assert(consistent());
	watch_ring_destroy(&ring);
}

/* A ring gets a size only if the allocations succeed, and loses it at the end */
void size(void)
{
	u32 depth = any(1, 4), lost = nondet_u32(), slots = roundup_pow_of_two(depth);
	int err;

	can_fail = true;
	watch_ring_init(&ring);
	ring.head = nondet_u32();
	ring.tail = ring.head;
	ring.limit = ring.head;
	/* Without a size, a loss is due immediately */
	ring.lost = lost;
	spin_lock_irq(&ring.lock);
	assert(watch_ring_full(&ring) && watch_ring_lose(&ring) == !lost);
	spin_unlock_irq(&ring.lock);
	assert(ring.lost == (lost == U32_MAX ? lost : lost + 1) && ring.nr_lost == 1);

	err = watch_ring_resize(&ring, depth);
	assert(err == 0 || err == -ENOMEM);
	assert(!err == !!ring.slots && !err == !!ring.lost_after);
	if (!err) {
		assert(ring.depth == depth && ring.limit - ring.tail == depth);
		assert(ring.mask == slots - 1 && consistent());
		assert(__CPROVER_w_ok(ring.slots, slots * sizeof(struct watch_slot)));
		assert(__CPROVER_w_ok(ring.lost_after, slots * sizeof(u16)));
	}
	watch_ring_destroy(&ring);
	spin_lock_irq(&ring.lock);
	assert(watch_ring_full(&ring) && !ring.slots && !ring.lost_after);
	spin_unlock_irq(&ring.lock);
}

/* A record is posted and read as a whole, and nothing behind it */
static void check_length(u32 len)
{
	u32 at = any(0, WATCH_INFO_LENGTH);
	char buf[WATCH_INFO_LENGTH + 1] = {};
	u8 slot[WATCH_RING_SLOT_SIZE] = {};
	char record[WATCH_RING_SLOT_SIZE] = {};

	record[at] = 1;
	watch_ring_copy_record(slot, (const u8 *)record, len);
	assert(slot[at] == (at < len));
	if (watch_ring_user_record(buf, record, len))
		assert(buf[at] == (at < len));
	else
		assert(faulted);
}

void lengths(void)
{
	check_length(8);
	check_length(9);
	check_length(16);
	check_length(31);
	check_length(32);
	check_length(48);
	check_length(49);
	check_length(64);
	check_length(65);
	check_length(96);
	check_length(97);
	check_length(127);
}

/*
 * A loss is due.  A record is posted and the loss is reported, before any load of a
 * task that checks whether it may sleep.
 */
static bool racing, stored, reported, wakes;

static void race_post(void)
{
	struct watch_notification n = { .type = 1, .info = sizeof(n) };

	spin_lock_irq(&ring.lock);
	wakes = watch_ring_empty(&ring);
	watch_ring_put(&ring, &n, sizeof(n), sizeof(n));
	spin_unlock_irq(&ring.lock);
	stored = true;
}

static void race_report(void)
{
	char buf[sizeof(struct watch_notification)];
	struct iov_iter to = { .ubuf = buf, .count = sizeof(buf) };

	__CPROVER_assume(!watch_ring_copy_lost(&ring, &to));
	reported = true;
}

static void interleave(void)
{
	bool report_first = nondet_bool();

	if (!racing)
		return;
	racing = false;
	if (report_first && !reported)
		race_report();
	if (!stored && nondet_bool())
		race_post();
	if (!report_first && !reported && nondet_bool())
		race_report();
	racing = true;
}

void race(void)
{
	bool sleeps;

	any_ring(nondet_u32());
	__CPROVER_assume(ring.head == ring.tail && ring.lost);
	racing = true;
	sleeps = !watch_ring_readable(&ring);
	racing = false;
	if (!stored)
		race_post();
	assert(!sleeps || wakes);
	watch_ring_destroy(&ring);
}
