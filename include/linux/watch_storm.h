/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * General notification queue: events that may come in storms
 *
 * For sources whose events are made by broken hardware.  See
 * Documentation/core-api/watch_queue.rst.
 */
#ifndef _LINUX_WATCH_STORM_H
#define _LINUX_WATCH_STORM_H

#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/types.h>

/* How large an event may be that waits for the end of a period */
#define WATCH_STORM_EVENT_SIZE 32

/**
 * struct watch_storm - events of one kind, about one object
 * @lock: all below but @post; taken in any context, with interrupts off
 * @timer: the end of the period; runs or is due as long as @open
 * @post: makes records of an event and posts them; called with @lock held. The
 *	last argument is how many events there were before it that have none.
 * @open: a period is under way
 * @flushed: it was told of before its end, which is done once
 * @room: how many records until its end
 * @counted: events without a record
 * @last: the last of them
 */
struct watch_storm {
	spinlock_t lock;	/* all below but @post */
	struct timer_list timer;
	void (*post)(struct watch_storm *storm, const void *event, u32 more);
	bool open;
	bool flushed;
	u32 room;
	u32 counted;
	u8 last[WATCH_STORM_EVENT_SIZE] __aligned(8);
};

void watch_storm_init(struct watch_storm *storm,
		      void (*post)(struct watch_storm *storm,
				   const void *event, u32 more));
void watch_storm_event(struct watch_storm *storm, const void *event, size_t size);
void watch_storm_flush(struct watch_storm *storm);
void watch_storm_end(struct watch_storm *storm);

#endif /* _LINUX_WATCH_STORM_H */
