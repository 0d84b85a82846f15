/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * General notification queue: rate limiting of notifications
 *
 * For sources whose events are caused by failing hardware or by unprivileged
 * users.  See Documentation/core-api/watch_queue.rst.
 */
#ifndef _LINUX_WATCH_RATELIMIT_H
#define _LINUX_WATCH_RATELIMIT_H

#include <linux/compiler.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/types.h>

/* Maximum size in bytes of an event, which is stored until its period ends */
#define WATCH_RATELIMIT_EVENT_SIZE 40

/**
 * struct watch_ratelimit - rate limit for events of one kind on one object
 * @lock: protects all members but @post; taken in any context, with interrupts
 *	disabled
 * @timer: end of the period; pending or running while @open
 * @post: builds and posts a record for an event.  Called with @lock held.  The
 *	last argument is the number of events that were suppressed since the
 *	previous record
 * @open: a period has begun and has not ended
 * @flushed: a summary was already posted early in this period
 * @room: number of events that may still be posted in this period
 * @counted: number of suppressed events, @last included
 * @last: the last suppressed event
 */
struct watch_ratelimit {
	spinlock_t lock;	/* all members but @post */
	struct timer_list timer;
	void (*post)(struct watch_ratelimit *rl, const void *event,
		     u32 suppressed);
	bool open;
	bool flushed;
	u32 room;
	u32 counted;
	u8 last[WATCH_RATELIMIT_EVENT_SIZE] __aligned(8);
};

void watch_ratelimit_init(struct watch_ratelimit *rl,
			  void (*post)(struct watch_ratelimit *rl,
				       const void *event, u32 suppressed));
void watch_ratelimit_post(struct watch_ratelimit *rl, const void *event,
			  size_t size);
void watch_ratelimit_flush(struct watch_ratelimit *rl);
void watch_ratelimit_destroy(struct watch_ratelimit *rl);

/**
 * watch_ratelimit_is_open - check if a rate limit is in a period
 * @rl: the rate limit
 *
 * watch_ratelimit_post() begins a period, and the timer ends it.  So a return value
 * of false remains valid as long as the caller prevents further posts.
 *
 * Context: Any.
 * Return: true if there may be suppressed events.
 */
static inline bool watch_ratelimit_is_open(const struct watch_ratelimit *rl)
{
	return READ_ONCE(rl->open);
}

#endif /* _LINUX_WATCH_RATELIMIT_H */
