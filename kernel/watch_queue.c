// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: queues, watches and posting
 *
 * Event sources post small records; a program reads them, in order, from a pipe
 * opened with O_NOTIFICATION_PIPE.  Programs: Documentation/userspace-api/watch_queue/;
 * sources: Documentation/core-api/watch_queue.rst.
 *
 * Objects
 *
 *	pipe_inode_info --1:1-- watch_queue --1:n-- watch --n:1-- watch_list
 *
 * A queue contains a ring of records.  A watch ties one object to one queue.  It
 * is on both the object's list of watches and the queue's list, or on neither.
 *
 * Locks are described in kernel/watch_queue_internal.h.
 *
 * Cost of a post
 *
 * A post runs in the context of an event, often under the locks of the source, and
 * any user may be watching.  It therefore does a fixed amount of work per watch: it
 * stores the record or counts a loss.  If the queue becomes readable and has sleepers or
 * files with O_ASYNC, it requests a wake-up, see kernel/watch_wakeup.c.  A post does not
 * wake or signal.
 *
 * Lifetime
 *
 * A queue is referenced by its pipe and by callers of get_watch_queue().  A watch
 * holds no reference: closing the pipe removes every watch of the queue before it
 * drops its reference.  Queues, watches, lists and filters are freed after a grace
 * period, as posters find them under RCU.  No rcu_head shares storage with a field
 * that posters read.
 *
 * A wake-up is requested under ring.lock unless closed is set.  watch_queue_close() sets
 * closed and then removes the request.  A wake-up that runs holds a reference.
 *
 * A watch ends in one of three ways.  They may run at the same time.  The one that
 * unlinks the watch from its object's list, under the lock of this list, releases it:
 *
 *	R  remove_watch_from_object()	a program removes the watch, by object
 *	   watch_queue_remove_id()	or by ID
 *	L  remove_watch_list()		the object is destroyed
 *	C  watch_queue_close()		the queue is destroyed
 *
 *	R, L	exclude each other by watch_list->lock.  Removal by ID finds this
 *		list in the watch, under RCU.
 *	R, C	C finds a watch on the queue's list, takes the lock of the
 *		object's list, and skips the watch if R has unlinked it.  While R
 *		holds the lock and the watch is linked, the queue is not freed.
 *	L, C	as for R, C.  In addition, RCU protects the list that C found.
 *
 * Ordering
 *
 * (A), (B) and (E) are in kernel/watch_ring.h.
 *
 *	(C) A sleeper adds itself to the wait queue, or to fasync, and then
 *	    checks for records.  A poster adds a record and then checks for
 *	    sleepers.  Both have a full barrier in between: the sleeper in
 *	    prepare_to_wait_event(), poll_wait() or watch_queue_fasync(), the
 *	    poster in watch_queue_notify().  A reader that leaves records behind
 *	    checks for sleepers, too, in watch_queue_read_iter().
 *	    (Documentation/litmus-tests/watch_queue/)
 *	(D) A program adds a watch and then reads the state of the object.  The
 *	    source changes the state and then checks for watches.  Both have a
 *	    full barrier in between: in add_watch_to_object() and in
 *	    smp_mb__before_post(), so the program reads the new state, or is
 *	    notified.  (Documentation/litmus-tests/watch_queue/)
 */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "watch_queue_internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/watch_queue.h>

/*
 * Queue lifetime
 */

/**
 * watch_queue_alloc - allocate a queue without a size
 *
 * Context: Process context.  May sleep.
 * Return: The queue, with one reference, or NULL if out of memory.
 */
struct watch_queue *watch_queue_alloc(void)
{
	struct watch_queue *wqueue = kzalloc(sizeof(*wqueue), GFP_KERNEL_ACCOUNT);

	if (!wqueue)
		return NULL;

	if (watch_queue_init_wakeups(wqueue)) {
		kfree(wqueue);
		return NULL;
	}
	watch_ring_init(&wqueue->ring);
	kref_init(&wqueue->ref);
	return wqueue;
}

/**
 * put_watch_queue - drop a reference from get_watch_queue()
 * @wqueue: the queue
 *
 * Context: Any but NMI.
 */
void put_watch_queue(struct watch_queue *wqueue)
{
	kref_put(&wqueue->ref, watch_queue_free);
}
EXPORT_SYMBOL_GPL(put_watch_queue);

/*
 * Posting
 */

/* Ordering (C): store the record, then check for sleepers */
static noinline void
watch_queue_add_first(struct watch_queue *wqueue,
		      const struct watch_notification *n, u32 info)
{
	watch_ring_put(&wqueue->ring, n, info, watch_info_len(info));
	trace_watch_queue_post(wqueue, n, info);
	watch_queue_notify(wqueue);
}

/*
 * Store a record or count its loss.  @len is the length in @info if it is a constant,
 * else 0.
 */
static __always_inline void
watch_queue_add(struct watch_queue *wqueue, const struct watch_notification *n,
		u32 info, u32 len)
{
	struct watch_ring *ring = &wqueue->ring;

	if (unlikely(watch_ring_full(ring))) {
		if (unlikely(watch_ring_lose(ring)))
			watch_queue_notify(wqueue);
		trace_watch_queue_lost(wqueue, n, info);
	} else if (unlikely(watch_ring_empty(ring))) {
		watch_queue_add_first(wqueue, n, info);
	} else {
		watch_ring_put(ring, n, info, len ?: watch_info_len(info));
		trace_watch_queue_post(wqueue, n, info);
	}
}

/* @len as for watch_queue_add() */
static __always_inline void
watch_queue_post(struct watch *watch, const struct watch_notification *n,
		 u32 info, u32 len)
{
	struct watch_queue *wqueue = watch->queue;
	unsigned long flags;

	spin_lock_irqsave(&wqueue->ring.lock, flags);
	/* No record of a watch may follow its removal record */
	if (likely(!hlist_unhashed(&watch->queue_node)))
		watch_queue_add(wqueue, n, info | watch->info_id, len);
	spin_unlock_irqrestore(&wqueue->ring.lock, flags);
}

static __always_inline void
post_to_watchers(struct watch_list *wlist, const struct watch_notification *n,
		 const struct cred *cred, u64 id, u32 len,
		 bool (*may_notify)(const struct watch *watch, const void *data),
		 const void *data)
{
	u32 info = n->info & ~WATCH_INFO_ID;
	const struct watch_filter *filter;
	struct watch *watch;

	rcu_read_lock();
	hlist_for_each_entry_rcu(watch, &wlist->watchers, list_node) {
		if (watch->id != id)
			continue;

		if (may_notify && !may_notify(watch, data))
			continue;

		filter = rcu_dereference(watch->queue->filter);
		if (unlikely(filter) && n->type != WATCH_TYPE_META &&
		    !watch_filter_passes(filter, n, info | watch->info_id))
			continue;

		/* The hook takes a non-const pointer, but no LSM modifies the record */
		if (security_post_notification(watch->cred, cred,
					       (struct watch_notification *)n))
			continue;

		watch_queue_post(watch, n, info, len);
	}
	rcu_read_unlock();
}

static bool watch_info_valid(u32 info)
{
	const u32 min = sizeof(struct watch_notification);

	return in_range(watch_info_len(info), min, WATCH_INFO_LENGTH - min + 1);
}

static noinline __cold void post_refused(const void *caller, const char *why)
{
	pr_warn_ratelimited("watch_queue: record of %pS refused: %s\n", caller, why);
}

/**
 * __post_watch_notification - post a record to the watchers of an object
 * @wlist: the object's watches
 * @n: the record; its length must be in the info word, its watch ID is ignored
 * @cred: credentials of the task that caused the event, for the security
 *	modules, or NULL
 * @id: the object; watches with another ID on the list are skipped
 *
 * For each watch on the object, puts a copy of the record with the ID of the watch
 * into its queue if the queue's filter and the security modules accept the record.
 * A full queue loses the record and reports the loss to its reader.  Records shorter
 * than 8 or longer than 127 bytes, and those from an NMI, are refused with a warning.
 *
 * The work per watch is bounded, as readers are woken and signalled by a work item.
 *
 * Context: Any context but NMI, with interrupts enabled or disabled; no lock of the
 *	scheduler, workqueues or timers may be held.  Neither sleeps nor allocates.
 *	With PREEMPT_RT the ring's lock may sleep: not from hard interrupt
 *	context, and not with a raw_spinlock_t held or with interrupts or
 *	preemption disabled.
 */
void __post_watch_notification(struct watch_list *wlist,
			       const struct watch_notification *n,
			       const struct cred *cred, u64 id)
{
	if (unlikely(in_nmi()))
		post_refused(__builtin_return_address(0), "in an NMI");
	/* Most records: a constant length compiles to two moves */
	else if (likely(watch_info_len(n->info) == 16))
		post_to_watchers(wlist, n, cred, id, 16, NULL, NULL);
	else if (likely(watch_info_valid(n->info)))
		post_to_watchers(wlist, n, cred, id, 0, NULL, NULL);
	else
		post_refused(__builtin_return_address(0), "bad length");
}
EXPORT_SYMBOL_GPL(__post_watch_notification);

/**
 * post_watch_notification_if - post a record to some watchers of an object
 * @wlist: the object's watches
 * @n: the record; its length must be in the info word, its watch ID is ignored
 * @cred: credentials of the task that caused the event, for the security
 *	modules, or NULL
 * @id: the object; watches with another ID on the list are skipped
 * @may_notify: returns true if the watch may get the record; NULL for all watches
 * @data: passed to @may_notify
 *
 * Like __post_watch_notification(), for a source whose watchers have different
 * permissions.  @may_notify is called for each watch under RCU, in the caller's
 * context, and must not sleep.  It may use @id, @info_id, @type, @private and @cred
 * of the watch, and compare @queue.  The list's release function may already have been
 * called for the watch, so the object behind @private must stay valid for a grace period.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
void post_watch_notification_if(struct watch_list *wlist,
				const struct watch_notification *n,
				const struct cred *cred, u64 id,
				bool (*may_notify)(const struct watch *watch,
						   const void *data),
				const void *data)
{
	const void *caller = __builtin_return_address(0);

	if (in_nmi())
		post_refused(caller, "in an NMI");
	else if (!watch_info_valid(n->info))
		post_refused(caller, "bad length");
	else
		post_to_watchers(wlist, n, cred, id, 0, may_notify, data);
}
EXPORT_SYMBOL_GPL(post_watch_notification_if);

/*
 * Watches
 */

/**
 * watch_list_get_or_create - get an object's list of watches
 * @slot: the object's pointer to its list; NULL until the first call
 * @release_watch: see init_watch_list()
 *
 * The list is published with release semantics, so posters read *@slot with
 * smp_load_acquire().  The object frees it with remove_watch_list().
 *
 * Context: Process context.  May sleep.
 * Return: The list, or NULL if out of memory.
 */
struct watch_list *
watch_list_get_or_create(struct watch_list **slot,
			 void (*release_watch)(struct watch *watch))
{
	struct watch_list *wlist, *new;

	/* Pairs with cmpxchg() below */
	wlist = smp_load_acquire(slot);
	if (wlist)
		return wlist;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	init_watch_list(new, release_watch);

	/* Pairs with smp_load_acquire() above and in posters */
	wlist = cmpxchg(slot, NULL, new);
	if (!wlist)
		return new;
	kfree(new);
	return wlist;
}
EXPORT_SYMBOL_GPL(watch_list_get_or_create);

static void watch_free_rcu(struct rcu_head *rcu)
{
	struct watch *watch = container_of(rcu, struct watch, rcu);

	put_cred(watch->cred);
	kfree(watch);
}

/*
 * Find the watch of @wqueue on the object @id.  Search the shorter list: the lock
 * pins watches that are on both lists, RCU protects the others.
 */
static struct watch *watch_find(const struct watch_list *wlist,
				const struct watch_queue *wqueue, u64 id)
{
	struct watch *watch;

	lockdep_assert_held(&wlist->lock);

	if (wlist->nr_watches <= READ_ONCE(wqueue->nr_watches)) {
		hlist_for_each_entry(watch, &wlist->watchers, list_node) {
			if (watch->queue == wqueue && watch->id == id)
				return watch;
		}
		return NULL;
	}

	guard(rcu)();
	hlist_for_each_entry_rcu(watch, &wqueue->watches, queue_node) {
		if (watch->list == wlist && watch->id == id)
			return watch;
	}
	return NULL;
}

/*
 * Each watch adds to the cost of every event on its object, so the number of watches is
 * limited.  Watches on keys are also subject to RLIMIT_NOFILE, as in earlier kernels.
 */
static bool watch_charge(struct watch *watch)
{
	const struct cred *cred = watch->cred;

	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE))
		return true;

	watch->ucounts = inc_ucount(cred->user_ns, cred->uid,
				    UCOUNT_WATCH_QUEUE_WATCHES);
	if (!watch->ucounts)
		return false;
	return watch->type != WATCH_TYPE_KEY_NOTIFY ||
	       atomic_long_read(&watch->ucounts->ucount[UCOUNT_WATCH_QUEUE_WATCHES]) <=
	       rlimit(RLIMIT_NOFILE);
}

static void watch_uncharge(struct watch *watch)
{
	if (watch->ucounts)
		dec_ucount(watch->ucounts, UCOUNT_WATCH_QUEUE_WATCHES);
	watch->ucounts = NULL;
}

/* Link a watch into both lists, unless the queue is closed */
static int watch_link(struct watch *watch, struct watch_list *wlist)
{
	struct watch_queue *wqueue = watch->queue;

	lockdep_assert_held(&wlist->lock);

	spin_lock_irq(&wqueue->ring.lock);
	if (wqueue->closed) {
		spin_unlock_irq(&wqueue->ring.lock);
		return -ENOENT;
	}
	watch->list = wlist;
	wlist->nr_watches++;
	WRITE_ONCE(wqueue->nr_watches, wqueue->nr_watches + 1);
	hlist_add_head_rcu(&watch->queue_node, &wqueue->watches);
	hlist_add_head_rcu(&watch->list_node, &wlist->watchers);
	trace_watch_queue_add_watch(watch);
	spin_unlock_irq(&wqueue->ring.lock);
	return 0;
}

/**
 * add_watch_to_object - add a watch to an object
 * @watch: the watch; on success the queue owns it
 * @wlist: the object's list; the caller keeps the object alive
 *
 * The watch gets a copy of the caller's credentials without keyrings, so that it
 * does not pin the watched key.  The copy pins the user namespace of the caller, and
 * thereby the keyrings of its users.  The watch is charged to the caller, unless the caller has
 * CAP_SYS_RESOURCE in the initial user namespace.
 *
 * After success the watch may be freed at any time and must not be accessed.
 * Success implies a full memory barrier: see smp_mb__before_post().
 *
 * Context: Process context.  May sleep.
 * Return: 0 or, in the order of the checks,
 *
 * * -EINVAL - the watch's info_id has bits outside WATCH_INFO_ID
 * * -ENOMEM - out of memory
 * * -EBUSY - the queue already watches this object
 * * -EAGAIN - the user has as many watches as user.max_watch_queue_watches or,
 *   for keys, RLIMIT_NOFILE allows
 * * -ENOENT - the queue has been closed
 */
int add_watch_to_object(struct watch *watch, struct watch_list *wlist)
{
	bool charged;
	int ret;

	might_sleep();
	if (WARN_ON_ONCE(watch->info_id & ~WATCH_INFO_ID))
		return -EINVAL;

	watch->cred = prepare_kernel_cred(current);
	if (!watch->cred)
		return -ENOMEM;

	/* May sleep, so not under the lock; -EBUSY takes precedence over its failure */
	charged = watch_charge(watch);
	spin_lock(&wlist->lock);
	if (watch_find(wlist, watch->queue, watch->id))
		ret = -EBUSY;
	else if (!charged)
		ret = -EAGAIN;
	else
		ret = watch_link(watch, wlist);
	spin_unlock(&wlist->lock);

	if (ret) {
		watch_uncharge(watch);
		put_cred(watch->cred);
		watch->cred = NULL;
		return ret;
	}
	/* Ordering (D): pairs with smp_mb__before_post() */
	smp_mb();
	return 0;
}
EXPORT_SYMBOL_GPL(add_watch_to_object);

/* Unlink a watch from both lists; the caller then passes it to watch_release() */
static __always_inline void watch_unlink(struct watch *watch)
{
	struct watch_queue *wqueue = watch->queue;
	struct watch_list *wlist = watch->list;

	lockdep_assert_held(&wlist->lock);
	lockdep_assert_held(&wqueue->ring.lock);

	hlist_del_init_rcu(&watch->list_node);
	wlist->nr_watches--;
	hlist_del_init_rcu(&watch->queue_node);
	WRITE_ONCE(wqueue->nr_watches, wqueue->nr_watches - 1);
	trace_watch_queue_remove_watch(watch);
}

static void watch_queue_add_removal(struct watch_queue *wqueue, u64 id, u32 info)
{
	const struct watch_notification_removal removal = {
		.watch.type	= WATCH_TYPE_META,
		.watch.subtype	= WATCH_META_REMOVAL_NOTIFICATION,
		.id		= id,
	};

	/* Cast the record, not its header: all of it is copied */
	if (id)
		watch_queue_add(wqueue, (const void *)&removal,
				info | watch_sizeof(removal), sizeof(removal));
	else
		watch_queue_add(wqueue, &removal.watch,
				info | watch_sizeof(removal.watch),
				sizeof(removal.watch));
}

/* Remove a watch and post a removal record; @id is the object, or 0 */
static void watch_remove(struct watch *watch, u64 id)
{
	struct watch_queue *wqueue = watch->queue;

	/* First, so that the reader of the record can add another watch */
	watch_uncharge(watch);

	/* Once the watch is unlinked, only RCU keeps the queue from being freed */
	guard(rcu)();

	spin_lock_irq(&wqueue->ring.lock);
	watch_unlink(watch);
	if (!wqueue->closed)
		watch_queue_add_removal(wqueue, id, watch->info_id);
	if (!wqueue->nr_watches)
		watch_queue_notify_all(wqueue);
	spin_unlock_irq(&wqueue->ring.lock);
}

/* @release comes from the watch's list, which may have been freed */
static void watch_release(struct watch *watch,
			  void (*release)(struct watch *watch))
{
	if (release)
		release(watch);
	call_rcu(&watch->rcu, watch_free_rcu);
}

/**
 * remove_watch_from_object - remove a watch from an object
 * @wlist: the object's list
 * @wqueue: the queue whose watch is removed; the caller holds a reference on it.
 *	Ignored if @all
 * @id: the object; with @all, only used for the record
 * @all: remove every watch on the list
 *
 * A removal record is posted to the queue.  It is the last record of the watch.
 *
 * Context: Process context.  May sleep.
 * Return: 0, or -EBADSLT if there is no such watch.
 */
int remove_watch_from_object(struct watch_list *wlist,
			     struct watch_queue *wqueue, u64 id, bool all)
{
	struct watch *watch;
	int ret = -EBADSLT;

	might_sleep();
	for (;;) {
		scoped_guard(spinlock, &wlist->lock) {
			if (all)
				watch = hlist_entry_safe(wlist->watchers.first,
							 struct watch, list_node);
			else
				watch = watch_find(wlist, wqueue, id);
			if (watch)
				watch_remove(watch, id);
		}
		if (!watch)
			return ret;

		watch_release(watch, wlist->release_watch);
		ret = 0;
		if (!all)
			return ret;
		cond_resched();
	}
}
EXPORT_SYMBOL_GPL(remove_watch_from_object);

/* See remove_watch_list() */
void __remove_watch_list(struct watch_list *wlist, u64 id)
{
	remove_watch_from_object(wlist, NULL, id, true);
	kfree_rcu(wlist, rcu);
}
EXPORT_SYMBOL_GPL(__remove_watch_list);

/* No watch has this type */
#define WATCH_TYPE_ANY WATCH_TYPE_META

static struct watch *watch_queue_find(const struct watch_queue *wqueue,
				      u32 type, u32 info_id)
{
	struct watch *watch;

	hlist_for_each_entry_rcu(watch, &wqueue->watches, queue_node) {
		if (type == WATCH_TYPE_ANY ||
		    (watch->type == type && watch->info_id == info_id))
			return watch;
	}
	return NULL;
}

/* Remove one watch by its type and ID.  Return false if there is none. */
static bool watch_queue_remove_one(struct watch_queue *wqueue, u32 type,
				   u32 info_id)
{
	void (*release)(struct watch *watch);
	struct watch_list *wlist;
	struct watch *watch;
	bool ours;

	rcu_read_lock();
	watch = watch_queue_find(wqueue, type, info_id);
	if (!watch) {
		rcu_read_unlock();
		return false;
	}

	wlist = watch->list;
	release = wlist->release_watch;
	spin_lock(&wlist->lock);
	/* See the banner: only one of R, L and C ends a watch */
	ours = !hlist_unhashed(&watch->list_node);
	if (ours)
		watch_remove(watch, watch->id);
	spin_unlock(&wlist->lock);
	rcu_read_unlock();

	if (ours)
		watch_release(watch, release);
	return true;
}

/**
 * watch_queue_remove_id - remove the watches of a queue by their ID
 * @wqueue: the queue; the caller holds a reference on it
 * @type: type of the watches
 * @info_id: watch ID, shifted to WATCH_INFO_ID
 *
 * The objects need not be accessible.  A removal record is posted for each watch.
 *
 * Context: Process context.  May sleep.
 * Return: 0, or -EBADSLT if there is no such watch.
 */
int watch_queue_remove_id(struct watch_queue *wqueue, u32 type, u32 info_id)
{
	int ret = -EBADSLT;

	/* The program can add more watches during this, so a fatal signal ends the loop */
	while (watch_queue_remove_one(wqueue, type, info_id)) {
		ret = 0;
		cond_resched();
		if (fatal_signal_pending(current))
			break;
	}
	return ret;
}

/**
 * watch_queue_close - destroy the contents of a queue
 * @wqueue: the queue; no file refers to its pipe
 *
 * Context: Process context.  May sleep.
 */
void watch_queue_close(struct watch_queue *wqueue)
{
	struct watch_filter *filter;

	scoped_guard(spinlock_irq, &wqueue->ring.lock)
		wqueue->closed = true;
	/* From here on no wake-up is requested, and no task sleeps on the queue */
	watch_queue_end_wakeups(wqueue);
	watch_ring_destroy(&wqueue->ring);

	while (watch_queue_remove_one(wqueue, WATCH_TYPE_ANY, 0))
		cond_resched();

	filter = rcu_replace_pointer(wqueue->filter, NULL, true);
	if (filter)
		kfree_rcu(filter, rcu);
}

#ifdef CONFIG_WATCH_QUEUE_KUNIT_TEST
#include "tests/watch_queue_kunit.c"
#endif
