/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * General notification queue: internal interfaces
 *
 * Calls between the files go one way:
 *
 *	watch_pipe.c --> watch_source.c --> watch_queue.c --> watch_wakeup.c
 *
 * watch_pipe.c also calls watch_queue.c, watch_wakeup.c and watch_filter.c.  All files
 * use watch_ring.h.
 *
 * Locks, outer to inner
 *
 *	pipe->mutex		readers, size, filter and O_ASYNC of one queue
 *	watch_list->lock	the watches of an object; process context
 *	watch_queue->ring.lock	the ring, and the watches of a queue; taken in any
 *				context, so interrupts are disabled
 *	watch_waker->lock	the queues whose readers must be woken; any context
 *	watch_queue->wait.lock	sleeping readers and pollers
 *
 * pipe->mutex and watch_list->lock do not nest.  wait.lock does not nest with ring.lock
 * or watch_waker->lock.  A poster takes only ring.lock, and in it watch_waker->lock and
 * the locks of timers and workqueues.  A wake-up holds wait.lock until every task that
 * polls the queue is woken, so a poster must not wait for wait.lock.
 *
 * Fields of struct watch_queue
 *
 *	ring			see kernel/watch_ring.h; pipe->mutex excludes
 *				readers
 *	filter			pipe->mutex to write, RCU to read
 *	closed, wake_all	ring.lock
 *	request, last_used,	watch_waker->lock
 *	last_run
 *	waker			constant; not used after the queue was closed
 *	watches			ring.lock; fdinfo, watch_find() and removal by ID
 *				walk the list under RCU
 *	nr_watches		ring.lock to write, READ_ONCE() without it
 *	fasync[]		fasync_helper() and kill_fasync() protect each
 *				entry; pipe->mutex to choose one
 *	nr_async		pipe->mutex to write, READ_ONCE() elsewhere
 *	max_bytes		constant
 *
 * pipe->readers and pipe->writers are written under pipe->mutex and read with
 * READ_ONCE().  For struct watch and struct watch_list, see
 * include/linux/watch_queue.h.
 */
#ifndef _KERNEL_WATCH_QUEUE_INTERNAL_H
#define _KERNEL_WATCH_QUEUE_INTERNAL_H

#include <linux/kref.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/wait.h>
#include <linux/watch_queue.h>
#include <linux/workqueue.h>

#include "watch_ring.h"

struct fasync_struct;

/* Maximum number of open files of one queue that have O_ASYNC */
#define WATCH_QUEUE_MAX_ASYNC	4

#define WATCH_FILTER_MAX_RULES	16

struct watch_filter {
	struct rcu_head rcu;
	u32 nr_rules;
	struct watch_notification_type_filter rules[] __counted_by(nr_rules);
};

/* Wakes the readers of a user's queues, see kernel/watch_wakeup.c */
struct watch_waker {
	spinlock_t lock;			/* protects all but work and ref */
	struct timerqueue_head requests;	/* of queues, sorted by virtual time */
	s64 time;			/* virtual time of the last request, in nanoseconds */
	struct delayed_work work;
	bool scheduled;			/* the work is queued, or runs and will check again */
	u32 nr_runs;
	u64 used;			/* processor time of this run in nanoseconds */
	u64 next_run;			/* earliest start of the next run, in ticks */
	struct kref ref;
};

struct watch_queue {
	struct watch_ring ring;

	struct watch_filter __rcu *filter;	/* NULL: accept every record */
	u32 nr_async;			/* entries of fasync[] in use */
	bool wake_all;			/* the next wake-up is for all sleepers */
	bool closed;			/* no more watches, no more records */

	wait_queue_head_t wait;		/* sleeping readers and pollers */
	struct watch_waker *waker;	/* of the user that opened the queue */
	struct timerqueue_node request;	/* for a wake-up, with its virtual time */
	u32 last_run;			/* run of the waker in which it was last woken */
	u64 last_used;			/* processor time of this wake-up in nanoseconds */
	/* Open files with O_ASYNC, one per entry */
	struct fasync_struct *fasync[WATCH_QUEUE_MAX_ASYNC];
	struct hlist_head watches;
	u32 nr_watches;
	const unsigned int *max_bytes;	/* fs.pipe-max-size */
	struct kref ref;
	struct rcu_head rcu;
};

/* Posters find a queue under RCU */
static inline void watch_queue_free(struct kref *ref)
{
	kfree_rcu(container_of(ref, struct watch_queue, ref), rcu);
}

/* kernel/watch_queue.c */
struct watch_queue *watch_queue_alloc(void);
void watch_queue_close(struct watch_queue *wqueue);
int watch_queue_remove_id(struct watch_queue *wqueue, u32 type, u32 info_id);

/* kernel/watch_wakeup.c */
int watch_queue_init_wakeups(struct watch_queue *wqueue);
void watch_queue_end_wakeups(struct watch_queue *wqueue);
void watch_waker_put(struct watch_waker *waker);
void watch_waker_run(struct work_struct *work);
struct watch_queue *watch_waker_next(struct watch_waker *waker);
void watch_waker_charge(struct watch_waker *waker, struct watch_queue *wqueue, u64 used);
void watch_waker_end_run(struct watch_waker *waker);
bool watch_queue_notify(struct watch_queue *wqueue);
void watch_queue_notify_all(struct watch_queue *wqueue);

/* kernel/watch_filter.c */
int watch_filter_check(struct watch_filter *filter);
struct watch_filter *
watch_filter_copy(const struct watch_notification_filter __user *arg);

/* Strip the size, which may grow, from the number of an ioctl */
#define WATCH_IOCTL(cmd) ((cmd) & ~IOCSIZE_MASK)

/* kernel/watch_source.c */
long watch_source_ioctl(struct watch_queue *wqueue, unsigned int cmd,
			const void __user *arg);

/* Does any rule accept a record with the info word @info? */
static __always_inline bool
watch_filter_passes(const struct watch_filter *filter,
		    const struct watch_notification *n, u32 info)
{
	const struct watch_notification_type_filter *rule = filter->rules;
	u32 word = n->subtype / 32, bit = BIT(n->subtype % 32);

	for (u32 i = 0; i < filter->nr_rules; i++, rule++) {
		if (rule->type == n->type &&
		    (rule->subtype_filter[word] & bit) &&
		    (info & rule->info_mask) == rule->info_filter)
			return true;
	}

	return false;
}

#endif /* _KERNEL_WATCH_QUEUE_INTERNAL_H */
