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
 * A kworker is not in the cgroup of the user that makes a wake-up slow, and a user can
 * have many queues.  So notify_work does not run again for 16 times the processor time
 * that it has used, times the number of queues with recent wake-ups, but at most for a
 * second.  As long as no pause is cut to a second, all wake-ups together use about a
 * sixteenth of a processor.  notify_work is not queued while it runs: it queues itself
 * when it ends, after the pause.  Elapsed time would include that of readers that preempt
 * the kworker.
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

/* The pause after notify_work, as a multiple of its processor time and of the queues */
#define PAUSE_FACTOR	16

/* The queues with wake-ups in a second and in the second before it */
static struct {
	spinlock_t lock;
	unsigned long second;
	u32 nr;
	u32 nr_before;
} active = {
	.lock = __SPIN_LOCK_UNLOCKED(active.lock),
};

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
 * watch_queue_count_active - count a queue that has a wake-up
 * @wqueue: the queue
 * @second: the current time in seconds, which may wrap
 *
 * Context: Process context, but not for the same queue at the same time.
 * Return: the number of queues that had wake-ups in this second or in the one before,
 *	   whichever is larger.  @wqueue is included.
 */
u32 watch_queue_count_active(struct watch_queue *wqueue, unsigned long second)
{
	guard(spinlock)(&active.lock);
	if (active.second != second) {
		active.nr_before = active.second == second - 1 ? active.nr : 0;
		active.nr = 0;
		active.second = second;
	}
	if (!active.nr || wqueue->last_active != second) {
		wqueue->last_active = second;
		active.nr++;
	}
	return max(active.nr, active.nr_before);
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
	u64 wait = PAUSE_FACTOR * used * watch_queue_count_active(wqueue, jiffies / HZ);
	unsigned long pause = clamp(nsecs_to_jiffies(wait), 1UL, MAX_DELAY);

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
