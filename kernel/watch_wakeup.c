// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: wake-ups
 *
 * When a queue becomes readable, its readers are woken, and those with O_ASYNC are
 * signalled.  A user can make this slow: thousands of tasks can poll one queue.  So a
 * post does not wake them.  It requests a wake-up from the waker of the user, a work item
 * that wakes the readers of one queue after another.  The requests are in a tree, so the
 * cost of one grows with the logarithm of the number of queues with a request.
 *
 * The waker runs immediately if it has not run in the current tick, and one or two ticks
 * later otherwise.  It wakes the readers of a queue once in a tick.  A reader that
 * empties the queue after every record thus adds little to the cost of a burst.
 *
 * A kworker is not in the cgroup of the user that makes a wake-up slow.  Therefore a run
 * ends when it has used a sixteenth of a tick, and the next one waits until 16 times the
 * processor time of this one has passed.  On average, the wake-ups of a user use at most
 * a sixteenth of a processor, whatever the number of queues.
 *
 * Queues with a request get equal shares of this time.  The virtual time of a request is
 * the virtual time of the waker, plus the processor time that the wake-up is expected to
 * use: as much as the previous wake-up of the queue.  The request with the lowest virtual
 * time is next, and sets the time of the waker.  So a queue with short wake-ups does not
 * wait for queues that are known to be slow, and a queue that is requested again and again
 * does not stay first.  The first wake-up of a queue is expected to use a whole run.  A
 * queue that is slower than expected is charged when it is requested again.  So a request
 * can wait for one slow wake-up of each other queue of the same waker.
 *
 * Queues that are opened in a user namespace use the waker of the user that created the
 * namespace, or the outermost one if they are nested.  A queue that was opened with
 * CAP_SYS_RESOURCE in the initial user namespace has a waker of its own.
 *
 * Processor time is measured, as elapsed time includes that of readers that preempt the
 * kworker.
 *
 * Lifetime
 *
 * A waker is referenced by its queues, by the user, and by its work item while this is
 * scheduled.  The work item takes a reference on each queue before it wakes the readers.
 * It need not be cancelled when a queue is closed.
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
#include <linux/kref.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "watch_queue_internal.h"

/* The reciprocal of a user's share of a processor */
#define CHARGE_FACTOR	16

/* Separate, so that slow wake-ups do not delay unrelated work items */
static struct workqueue_struct *watch_queue_wq __ro_after_init;

/*
 * Wakers
 */

static void watch_waker_free(struct kref *ref)
{
	kfree(container_of(ref, struct watch_waker, ref));
}

/* Drop a reference on a waker */
void watch_waker_put(struct watch_waker *waker)
{
	kref_put(&waker->ref, watch_waker_free);
}

static struct watch_waker *watch_waker_alloc(void)
{
	struct watch_waker *waker = kzalloc(sizeof(*waker), GFP_KERNEL_ACCOUNT);

	if (!waker)
		return NULL;
	spin_lock_init(&waker->lock);
	timerqueue_init_head(&waker->requests);
	INIT_DELAYED_WORK(&waker->work, watch_waker_run);
	kref_init(&waker->ref);
	return waker;
}

/* Return the waker for a queue that the current task opens, with a reference, or NULL */
static struct watch_waker *watch_waker_get(void)
{
	struct ucounts *ucounts = current_ucounts();
	struct watch_waker *waker, *old;

	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE))
		return watch_waker_alloc();

	while (ucounts->ns->ucounts)
		ucounts = ucounts->ns->ucounts;
	/* Pairs with cmpxchg() below */
	waker = smp_load_acquire(&ucounts->watch_waker);
	if (!waker) {
		waker = watch_waker_alloc();
		if (!waker)
			return NULL;
		old = cmpxchg(&ucounts->watch_waker, NULL, waker);
		if (old) {
			watch_waker_put(waker);
			waker = old;
		}
	}
	kref_get(&waker->ref);
	return waker;
}

/**
 * watch_queue_free_user - drop the waker of a user that is about to be freed
 * @ucounts: the counters of the user
 *
 * Context: Any but NMI.
 */
void watch_queue_free_user(struct ucounts *ucounts)
{
	if (ucounts->watch_waker)
		watch_waker_put(ucounts->watch_waker);
}

/**
 * watch_queue_init_wakeups - prepare a new queue for wake-ups
 * @wqueue: the queue, of the current user
 *
 * Context: Process context.  May sleep.
 * Return: 0, or -ENOMEM if out of memory.
 */
int watch_queue_init_wakeups(struct watch_queue *wqueue)
{
	struct watch_waker *waker = watch_waker_get();

	if (!waker)
		return -ENOMEM;
	init_waitqueue_head(&wqueue->wait);
	timerqueue_init(&wqueue->request);
	wqueue->last_used = TICK_NSEC / CHARGE_FACTOR;
	wqueue->waker = waker;
	return 0;
}

/**
 * watch_queue_end_wakeups - drop the request and the waker of a closed queue
 * @wqueue: the queue; as it is closed, no further wake-up is requested
 *
 * Context: Process context.
 */
void watch_queue_end_wakeups(struct watch_queue *wqueue)
{
	struct watch_waker *waker = wqueue->waker;

	scoped_guard(spinlock_irq, &waker->lock) {
		if (timerqueue_node_queued(&wqueue->request))
			timerqueue_del(&waker->requests, &wqueue->request);
	}
	watch_waker_put(waker);
}

/*
 * Requests
 */

static void watch_waker_schedule(struct watch_waker *waker)
{
	u64 now = get_jiffies_64();

	lockdep_assert_held(&waker->lock);

	if (waker->scheduled)
		return;
	waker->scheduled = true;
	kref_get(&waker->ref);
	queue_delayed_work(watch_queue_wq, &waker->work,
			   waker->next_run > now ? waker->next_run - now : 0);
}

static void watch_waker_request(struct watch_waker *waker, struct watch_queue *wqueue)
{
	lockdep_assert_held(&waker->lock);

	if (timerqueue_node_queued(&wqueue->request))
		return;
	wqueue->request.expires = waker->time + wqueue->last_used;
	timerqueue_add(&waker->requests, &wqueue->request);
	watch_waker_schedule(waker);
}

/**
 * watch_queue_notify - request that the readers of a queue are woken
 * @wqueue: the queue, which has become readable
 *
 * Context: Any but NMI, with the ring locked.
 * Return: true if there is a request, false if no task waits or the queue is closed.
 */
noinline bool watch_queue_notify(struct watch_queue *wqueue)
{
	lockdep_assert_held(&wqueue->ring.lock);

	/* Ordering (C): the full barrier is in wq_has_sleeper() */
	if (!wq_has_sleeper(&wqueue->wait) && !READ_ONCE(wqueue->nr_async))
		return false;
	if (wqueue->closed)
		return false;
	scoped_guard(spinlock, &wqueue->waker->lock)
		watch_waker_request(wqueue->waker, wqueue);
	return true;
}

/**
 * watch_queue_notify_all - request that all sleepers are woken
 * @wqueue: the queue, whose end of file may have been reached
 *
 * Does nothing if no task waits.  A task that goes to sleep later checks for the end of
 * file itself.  If wake_all were set, the next record would wake all sleepers.
 *
 * Context: Process context, with the ring locked.
 */
void watch_queue_notify_all(struct watch_queue *wqueue)
{
	if (watch_queue_notify(wqueue))
		wqueue->wake_all = true;
}

/*
 * Runs
 */

/* Wake and signal the readers of a queue */
static void watch_queue_wake(struct watch_queue *wqueue)
{
	bool all;

	scoped_guard(spinlock_irq, &wqueue->ring.lock) {
		all = wqueue->wake_all;
		wqueue->wake_all = false;
	}
	if (all)
		wake_up_all(&wqueue->wait);
	else	/* one reader, all pollers */
		wake_up_poll(&wqueue->wait, EPOLLIN | EPOLLRDNORM);
	for (u32 i = 0; i < WATCH_QUEUE_MAX_ASYNC; i++) {
		kill_fasync(&wqueue->fasync[i], SIGIO, POLL_IN);
		cond_resched();
	}
}

/**
 * watch_waker_next - take the earliest request
 * @waker: the waker
 *
 * Skips queues that this run has woken already.  The length of a run limits their number.
 *
 * Context: Process context, with the waker locked.
 * Return: The queue, with a reference, or NULL if the run must end.
 */
struct watch_queue *watch_waker_next(struct watch_waker *waker)
{
	struct timerqueue_node *request = timerqueue_getnext(&waker->requests);
	struct watch_queue *wqueue;

	lockdep_assert_held(&waker->lock);

	if (CHARGE_FACTOR * waker->used >= TICK_NSEC)
		return NULL;
	for (; request; request = timerqueue_iterate_next(request)) {
		wqueue = container_of(request, struct watch_queue, request);
		if (wqueue->last_run != waker->nr_runs)
			break;
	}
	if (!request)
		return NULL;
	timerqueue_del(&waker->requests, request);
	waker->time = max(waker->time, request->expires);
	wqueue->last_run = waker->nr_runs;
	kref_get(&wqueue->ref);
	return wqueue;
}

/**
 * watch_waker_charge - add a wake-up to the processor time of the run
 * @waker: the waker
 * @wqueue: the queue whose readers were woken
 * @used: processor time in nanoseconds, including the time to take the request
 *
 * Context: Process context, with the waker locked.
 */
void watch_waker_charge(struct watch_waker *waker, struct watch_queue *wqueue, u64 used)
{
	lockdep_assert_held(&waker->lock);

	wqueue->last_used = used;
	waker->used += used;
}

/**
 * watch_waker_end_run - pause after a run
 * @waker: the waker
 *
 * Context: Process context, with the waker locked.
 */
void watch_waker_end_run(struct watch_waker *waker)
{
	lockdep_assert_held(&waker->lock);

	/* Round up, as the current tick has begun already */
	waker->next_run = get_jiffies_64() +
			  nsecs_to_jiffies64(CHARGE_FACTOR * waker->used) + 1;
	waker->used = 0;
	waker->scheduled = false;
	if (timerqueue_getnext(&waker->requests))
		watch_waker_schedule(waker);
}

/**
 * watch_waker_run - wake the readers of the user's queues
 * @work: the work item of the waker
 *
 * Context: Process context.  May sleep.
 */
void watch_waker_run(struct work_struct *work)
{
	struct watch_waker *waker = container_of(to_delayed_work(work),
						 struct watch_waker, work);
	u64 start = task_sched_runtime(current), now;
	struct watch_queue *wqueue;

	spin_lock_irq(&waker->lock);
	waker->nr_runs++;
	while ((wqueue = watch_waker_next(waker))) {
		spin_unlock_irq(&waker->lock);
		watch_queue_wake(wqueue);
		now = task_sched_runtime(current);
		spin_lock_irq(&waker->lock);
		watch_waker_charge(waker, wqueue, now - start);
		start = now;
		kref_put(&wqueue->ref, watch_queue_free);
	}
	watch_waker_end_run(waker);
	spin_unlock_irq(&waker->lock);
	watch_waker_put(waker);
}

static int __init watch_queue_workqueue_init(void)
{
	/* Memory reclaim may depend on a filesystem, and the filesystem on a reader */
	watch_queue_wq = alloc_workqueue("watch_queue", WQ_UNBOUND | WQ_MEM_RECLAIM, 0) ?:
			 system_unbound_wq;
	return 0;
}
core_initcall(watch_queue_workqueue_init);
