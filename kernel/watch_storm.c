// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: events that may come in storms
 *
 * A broken disk makes thousands of errors a second.  The first
 * WATCH_STORM_BURST in WATCH_STORM_PERIOD have a record of their own.  What comes
 * after them is counted, and when the period ends one record, of the last event
 * and with the number of the others, tells of all that was counted.  So the first
 * event is told at once, the last one about a period after it, and records and
 * counts add up to the number of events.  There is no timer without an event, nor
 * after a period without one to count.
 */

#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/string.h>
#include <linux/watch_storm.h>

#define WATCH_STORM_BURST	10
#define WATCH_STORM_PERIOD	HZ

/* One record for all that was counted; true if there was anything */
static bool watch_storm_tell(struct watch_storm *storm)
{
	lockdep_assert_held(&storm->lock);

	if (!storm->counted)
		return false;
	storm->post(storm, storm->last, storm->counted - 1);
	storm->counted = 0;
	return true;
}

static void watch_storm_open(struct watch_storm *storm, u32 room)
{
	lockdep_assert_held(&storm->lock);

	storm->open = true;
	storm->flushed = false;
	storm->room = room;
	/* Nothing happens if watch_storm_end() shut it down */
	mod_timer(&storm->timer, jiffies + WATCH_STORM_PERIOD);
}

/* The period is over.  If it left something to tell, it still storms. */
static void watch_storm_timer(struct timer_list *timer)
{
	struct watch_storm *storm = from_timer(storm, timer, timer);

	scoped_guard(spinlock_irqsave, &storm->lock) {
		if (watch_storm_tell(storm))
			watch_storm_open(storm, WATCH_STORM_BURST - 1);
		else
			storm->open = false;
	}
}

/**
 * watch_storm_init - prepare for events
 * @storm: to be used for events of one kind, about one object
 * @post: see struct watch_storm; must not sleep
 *
 * Context: Any.
 */
void watch_storm_init(struct watch_storm *storm,
		      void (*post)(struct watch_storm *storm,
				   const void *event, u32 more))
{
	spin_lock_init(&storm->lock);
	timer_setup(&storm->timer, watch_storm_timer, 0);
	storm->post = post;
	storm->open = false;
	storm->flushed = false;
	storm->counted = 0;
}
EXPORT_SYMBOL_GPL(watch_storm_init);

/**
 * watch_storm_event - tell of an event, now or later
 * @storm: what it belongs to
 * @event: what @storm->post() gets; copied if that is not now
 * @size: its size in bytes, at most WATCH_STORM_EVENT_SIZE
 *
 * Context: Any but NMI; on PREEMPT_RT, not hard interrupt.
 */
void watch_storm_event(struct watch_storm *storm, const void *event, size_t size)
{
	if (WARN_ON_ONCE(size > sizeof(storm->last)))
		return;

	scoped_guard(spinlock_irqsave, &storm->lock) {
		if (!storm->open)
			watch_storm_open(storm, WATCH_STORM_BURST);

		if (storm->room) {
			storm->room--;
			storm->post(storm, event, 0);
		} else {
			storm->counted++;
			memcpy(storm->last, event, size);
		}
	}
}
EXPORT_SYMBOL_GPL(watch_storm_event);

/**
 * watch_storm_flush - tell of what was counted, before the time
 * @storm: the storm
 *
 * For a source that is about to have one watch more: who comes late is not told of
 * what was before.  Of those who come in one period, this is so for the first: to
 * set watches over and over does not undo the limit.
 *
 * Context: Any but NMI; on PREEMPT_RT, not hard interrupt.
 */
void watch_storm_flush(struct watch_storm *storm)
{
	scoped_guard(spinlock_irqsave, &storm->lock) {
		if (!storm->flushed)
			storm->flushed = watch_storm_tell(storm);
	}
}
EXPORT_SYMBOL_GPL(watch_storm_flush);

/**
 * watch_storm_end - there will be no more events
 * @storm: the storm; may be freed after this and an RCU grace period, if events
 *	are told under RCU
 *
 * Tells of what was counted.
 *
 * Context: Process context, without locks that @storm->post() takes.  May sleep.
 */
void watch_storm_end(struct watch_storm *storm)
{
	timer_shutdown_sync(&storm->timer);
	scoped_guard(spinlock_irqsave, &storm->lock)
		watch_storm_tell(storm);
}
EXPORT_SYMBOL_GPL(watch_storm_end);
