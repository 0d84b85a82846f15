// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: rate limiting of notifications
 *
 * Failing hardware can generate thousands of errors per second.  Within each
 * period of WATCH_RATELIMIT_PERIOD the first WATCH_RATELIMIT_BURST events are
 * posted individually.  Further events are counted, and when the period ends a
 * single record is posted for the last event, with the number of the others.  The
 * first event is never delayed, and the last one by at most one period.  The number
 * of records plus the counts in them equals the number of events.  The timer runs
 * only while events occur.
 *
 * Records are posted with interrupts disabled, up to eleven in a period.  The time
 * of each is proportional to the number of watches on the object.
 */

#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/string.h>
#include <linux/watch_ratelimit.h>

#define WATCH_RATELIMIT_BURST	10
#define WATCH_RATELIMIT_PERIOD	HZ

/* Post one record for all suppressed events.  Return false if there are none. */
static bool watch_ratelimit_emit(struct watch_ratelimit *rl)
{
	lockdep_assert_held(&rl->lock);

	if (!rl->counted)
		return false;
	rl->post(rl, rl->last, rl->counted - 1);
	rl->counted = 0;
	return true;
}

static void watch_ratelimit_begin(struct watch_ratelimit *rl, u32 room)
{
	lockdep_assert_held(&rl->lock);

	WRITE_ONCE(rl->open, true);
	rl->flushed = false;
	rl->room = room;
	/* Has no effect after watch_ratelimit_destroy() */
	mod_timer(&rl->timer, jiffies + WATCH_RATELIMIT_PERIOD);
}

/* The summary of a period is the first record of the next one */
static void watch_ratelimit_timer(struct timer_list *timer)
{
	struct watch_ratelimit *rl = container_of(timer, struct watch_ratelimit, timer);

	scoped_guard(spinlock_irqsave, &rl->lock) {
		if (watch_ratelimit_emit(rl))
			watch_ratelimit_begin(rl, WATCH_RATELIMIT_BURST - 1);
		else
			/* See watch_ratelimit_is_open() */
			WRITE_ONCE(rl->open, false);
	}
}

/**
 * watch_ratelimit_init - initialize a rate limit
 * @rl: the rate limit; for events of one kind on one object
 * @post: see struct watch_ratelimit; must not sleep
 *
 * Context: Any.
 */
void watch_ratelimit_init(struct watch_ratelimit *rl,
			  void (*post)(struct watch_ratelimit *rl,
				       const void *event, u32 suppressed))
{
	spin_lock_init(&rl->lock);
	timer_setup(&rl->timer, watch_ratelimit_timer, 0);
	rl->post = post;
	rl->open = false;
	rl->flushed = false;
	rl->counted = 0;
}
EXPORT_SYMBOL_GPL(watch_ratelimit_init);

/**
 * watch_ratelimit_post - post an event, or count it
 * @rl: the rate limit
 * @event: passed to @rl->post(); copied if the event is not posted now
 * @size: size of @event in bytes, at most WATCH_RATELIMIT_EVENT_SIZE
 *
 * Context: Any but NMI; on PREEMPT_RT, not hard interrupt.
 */
void watch_ratelimit_post(struct watch_ratelimit *rl, const void *event,
			  size_t size)
{
	if (WARN_ON_ONCE(size > sizeof(rl->last)))
		return;

	scoped_guard(spinlock_irqsave, &rl->lock) {
		if (!rl->open)
			watch_ratelimit_begin(rl, WATCH_RATELIMIT_BURST);

		if (rl->room) {
			rl->room--;
			rl->post(rl, event, 0);
		} else {
			rl->counted++;
			memcpy(rl->last, event, size);
		}
	}
}
EXPORT_SYMBOL_GPL(watch_ratelimit_post);

/**
 * watch_ratelimit_flush - post the summary of suppressed events early
 * @rl: the rate limit
 *
 * Call this before adding a watch, so that the new watcher is not sent events
 * that predate its watch.  Only the first call in a period that finds suppressed events
 * has an effect, even if the watch is not added; otherwise adding watches repeatedly
 * would defeat the rate limit.
 *
 * Context: Any but NMI; on PREEMPT_RT, not hard interrupt.
 */
void watch_ratelimit_flush(struct watch_ratelimit *rl)
{
	scoped_guard(spinlock_irqsave, &rl->lock) {
		if (!rl->flushed)
			rl->flushed = watch_ratelimit_emit(rl);
	}
}
EXPORT_SYMBOL_GPL(watch_ratelimit_flush);

/**
 * watch_ratelimit_destroy - stop the timer and post the last summary
 * @rl: the rate limit; no event may be posted after this call.  The caller may
 *	then free it, after an RCU grace period if events are posted under RCU
 *
 * Context: Process context, without the locks that @rl->post() takes.  May sleep.
 */
void watch_ratelimit_destroy(struct watch_ratelimit *rl)
{
	timer_shutdown_sync(&rl->timer);
	scoped_guard(spinlock_irqsave, &rl->lock)
		watch_ratelimit_emit(rl);
}
EXPORT_SYMBOL_GPL(watch_ratelimit_destroy);
