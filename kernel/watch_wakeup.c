// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: wake-ups
 *
 * When a queue becomes readable, its readers are woken, and those with O_ASYNC are
 * signalled.  A user can make this slow: thousands of tasks can poll one queue.  So a
 * post does not do it, but queues notify_work.
 *
 * notify_work runs immediately if it has not run in the current tick, and one or two
 * ticks later otherwise.  A reader that empties the queue after every record thus
 * adds little to the cost of a burst.
 *
 * A kworker is not in the cgroup of the user that makes a wake-up slow.  So notify_work
 * does not run again for 16 times the processor time that it has used, but at most for
 * a second.  It is not queued while it runs: it queues itself when it ends, after this
 * pause.  Elapsed time would include that of readers that preempt the kworker.
 *
 * The orderings are in the banner of kernel/watch_queue.c.
 */

#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "watch_queue_internal.h"

/* Maximum delay of notify_work in ticks */
#define MAX_DELAY	((unsigned long)HZ)

/* The pause after notify_work, as a multiple of its processor time */
#define PAUSE_FACTOR	16

/* Separate, so that slow wake-ups do not delay unrelated work items */
static struct workqueue_struct *watch_queue_wq __ro_after_init;

/**
 * watch_queue_notify_work - wake and signal the readers of a queue
 * @work: member notify_work of the queue
 *
 * Context: Process context.  May sleep.
 */
void watch_queue_notify_work(struct work_struct *work)
{
	struct watch_queue *wqueue = container_of(to_delayed_work(work),
						  struct watch_queue, notify_work);
	u64 start = task_sched_runtime(current);
	bool all;

	scoped_guard(spinlock_irq, &wqueue->ring.lock) {
		all = wqueue->wake_all;
		wqueue->wake_all = false;
		wqueue->notifying = true;
	}
	if (all)
		wake_up_all(&wqueue->wait);
	else	/* one reader, all pollers */
		wake_up_poll(&wqueue->wait, EPOLLIN | EPOLLRDNORM);
	for (u32 i = 0; i < WATCH_QUEUE_MAX_ASYNC; i++) {
		kill_fasync(&wqueue->fasync[i], SIGIO, POLL_IN);
		cond_resched();
	}
	watch_queue_notified(wqueue, task_sched_runtime(current) - start);
}

/**
 * watch_queue_notified - begin the pause after a wake-up
 * @wqueue: the queue
 * @used: processor time of the wake-up in nanoseconds
 *
 * If another wake-up was requested in the meantime, it runs after the pause.
 *
 * Context: Process context.
 */
void watch_queue_notified(struct watch_queue *wqueue, u64 used)
{
	unsigned long pause = clamp(nsecs_to_jiffies(PAUSE_FACTOR * used), 1UL, MAX_DELAY);

	spin_lock_irq(&wqueue->ring.lock);
	wqueue->next_notify = jiffies + pause;
	wqueue->notifying = false;
	if (wqueue->notify_again)
		watch_queue_notify(wqueue);
	wqueue->notify_again = false;
	spin_unlock_irq(&wqueue->ring.lock);
}

/**
 * watch_queue_notify - schedule the wake-up of a queue's readers
 * @wqueue: the queue, which has become readable
 *
 * Context: Any but NMI, with the ring locked.
 */
noinline void watch_queue_notify(struct watch_queue *wqueue)
{
	unsigned long delay;

	lockdep_assert_held(&wqueue->ring.lock);

	/* Ordering (C): the full barrier is in wq_has_sleeper() */
	if (!wq_has_sleeper(&wqueue->wait) && !READ_ONCE(wqueue->nr_async))
		return;
	if (wqueue->closed)
		return;
	if (wqueue->notifying) {
		wqueue->notify_again = true;
		return;
	}
	delay = wqueue->next_notify - jiffies;
	queue_delayed_work(watch_queue_wq, &wqueue->notify_work,
			   delay <= MAX_DELAY ? delay : 0);
}

/* Wake all sleepers, as the end of file may have been reached */
void watch_queue_notify_all(struct watch_queue *wqueue)
{
	spin_lock_irq(&wqueue->ring.lock);
	wqueue->wake_all = true;
	watch_queue_notify(wqueue);
	spin_unlock_irq(&wqueue->ring.lock);
}

static int __init watch_queue_workqueue_init(void)
{
	/* A reader may be what a filesystem needs to continue, so it must be woken */
	watch_queue_wq = alloc_workqueue("watch_queue", WQ_UNBOUND | WQ_MEM_RECLAIM, 0) ?:
			 system_unbound_wq;
	return 0;
}
core_initcall(watch_queue_workqueue_init);
