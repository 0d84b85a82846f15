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
 * A kworker is not in the cgroup of the user that makes a wake-up slow.  So the user
 * pays: each wake-up moves the time before which no further one is due by 16 times its
 * processor time.  All queues of the user share this time, so on average their wake-ups
 * use a sixteenth of a processor.  Many queues may become readable at the same time, so
 * the charge is made when a wake-up is scheduled, as if it were as long as the last one
 * of this queue, and is corrected afterwards.  The first one of a queue counts as slow.
 *
 * A delay below a tick is skipped.  A queue whose last wake-up was short waits for at
 * most a second, whatever the other queues of the user do.
 *
 * All users of a user namespace count as the user that created the outermost one, as for
 * the limit of watches.  A queue that was opened with CAP_SYS_RESOURCE in the initial
 * user namespace has a time of its own.
 *
 * Processor time is measured, as elapsed time would include that of readers that preempt
 * the kworker.
 *
 * The orderings are in the banner of kernel/watch_queue.c.
 */

#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/spinlock.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "watch_queue_internal.h"

/* The charge for a wake-up, as a multiple of its processor time */
#define CHARGE_FACTOR	16

/* Separate, so that slow wake-ups do not delay unrelated work items */
static struct workqueue_struct *watch_queue_wq __ro_after_init;

/* Return the user that pays, with a reference, or NULL for a time of its own */
static struct ucounts *watch_queue_payer(void)
{
	struct ucounts *ucounts = current_ucounts();

	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE))
		return NULL;
	while (ucounts->ns->ucounts)
		ucounts = ucounts->ns->ucounts;
	return get_ucounts(ucounts);
}

/**
 * watch_queue_init_notify - prepare a new queue for wake-ups
 * @wqueue: the queue
 *
 * The current user pays for them.  watch_queue_close() drops the reference on it.
 *
 * Context: Process context.
 */
void watch_queue_init_notify(struct watch_queue *wqueue)
{
	init_waitqueue_head(&wqueue->wait);
	INIT_DELAYED_WORK(&wqueue->notify_work, watch_queue_notify_work);
	wqueue->next_notify = jiffies;
	wqueue->last_used = TICK_NSEC;
	wqueue->ucounts = watch_queue_payer();
	wqueue->notify_after = wqueue->ucounts ? &wqueue->ucounts->watch_notify_after :
						 &wqueue->own_notify_after;
}

/* A coarse clock in nanoseconds */
static s64 watch_queue_clock(void)
{
	return jiffies64_to_nsecs(get_jiffies_64());
}

/**
 * watch_queue_charge - charge a wake-up in advance
 * @notify_after: time before which no further wake-up is due, in nanoseconds
 * @now: the current time in nanoseconds
 * @used: its expected processor time in nanoseconds
 *
 * Context: Any.
 * Return: the time when it is due.
 */
s64 watch_queue_charge(atomic64_t *notify_after, s64 now, u64 used)
{
	s64 old = atomic64_read(notify_after), due;

	do {
		due = max(old, now);
	} while (!atomic64_try_cmpxchg(notify_after, &old, due + CHARGE_FACTOR * used));
	return due;
}

/* Charge the next wake-up, and return its delay in ticks */
static unsigned long watch_queue_notify_delay(struct watch_queue *wqueue)
{
	s64 now = watch_queue_clock();
	s64 due = watch_queue_charge(wqueue->notify_after, now, wqueue->last_used);
	unsigned long delay = nsecs_to_jiffies(due - now);

	if (CHARGE_FACTOR * wqueue->last_used < TICK_NSEC)
		delay = min_t(unsigned long, delay, HZ);
	/* In the next tick if it ran in this one */
	return delay ?: time_after(wqueue->next_notify, jiffies);
}

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
		wqueue->notify_again = false;
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
 * watch_queue_notified - correct the charge for a wake-up, and schedule a requested one
 * @wqueue: the queue
 * @used: processor time of the wake-up in nanoseconds
 *
 * Context: Process context.
 */
void watch_queue_notified(struct watch_queue *wqueue, u64 used)
{
	spin_lock_irq(&wqueue->ring.lock);
	atomic64_add(CHARGE_FACTOR * (s64)(used - wqueue->last_used), wqueue->notify_after);
	wqueue->last_used = used;
	wqueue->next_notify = jiffies + 1;
	wqueue->notifying = false;
	if (wqueue->notify_again)
		watch_queue_notify(wqueue);
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
	wqueue->notifying = true;
	queue_delayed_work(watch_queue_wq, &wqueue->notify_work,
			   watch_queue_notify_delay(wqueue));
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
