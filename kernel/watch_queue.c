// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue
 *
 * Event sources post small records; a program reads them, in the order in
 * which they were posted, from a pipe opened with O_NOTIFICATION_PIPE.  See
 * Documentation/userspace-api/watch_queue.rst for readers of the pipe and
 * Documentation/core-api/watch_queue.rst for event sources.
 *
 * Objects
 *
 *	pipe_inode_info --1:1-- watch_queue --1:n-- watch --n:1-- watch_list
 *
 * A queue is a ring of slots, one record each.  An object that can be watched
 * has a list of watches; a watch ties one object to one queue.  A watch is on
 * both lists, that of its object and that of its queue, or on neither.
 *
 * Locks, outer to inner
 *
 *	pipe->mutex		readers and the ioctls of one queue
 *	watch_list->lock	which watches an object has; process context
 *	watch_queue->wait.lock	the ring and which watches a queue has;
 *				taken in any context, so interrupts are off
 *
 * pipe->mutex and watch_list->lock do not nest in each other.  The ring has no
 * lock of its own: under the lock of the wait queue "is somebody asleep?" has
 * an exact answer, which saves the poster a wake-up and a full barrier.
 *
 * Who protects what
 *
 *	watch_queue
 *	  wait, limit		wait.lock
 *	  head			wait.lock to write; see (A) to read
 *	  overrun		wait.lock
 *	  nr_reports		wait.lock to write; READ_ONCE() elsewhere
 *	  slots[]		posters own [head, limit), readers [tail, head)
 *	  tail, nr_read,	pipe->mutex and wait.lock to write, either to
 *	  nr_lost		read; acquire of tail in poll
 *	  marks[], lost_due	pipe->mutex
 *	  max_bytes		constant
 *	  opener, nr_openers	pipe->mutex to write; see watch_cred()
 *	  cred			set once, by cmpxchg(), then constant
 *	  mask, depth, slots,	set once under pipe->mutex and wait.lock, either
 *	  marks			to read; taken back when no pipe is left
 *	  closed, watches	wait.lock; fdinfo and watch_find() walk watches
 *				by RCU
 *	  nr_watches		wait.lock to write, READ_ONCE() in watch_find()
 *	  fasync		fasync_helper() and kill_fasync() see to it; (C)
 *	  filter		pipe->mutex to write, RCU to read
 *	  atime			READ_ONCE() and WRITE_ONCE(), a stale value is
 *				harmless
 *	watch, watch_list	see include/linux/watch_queue.h
 *	pipe->readers, writers	pipe->mutex to write; READ_ONCE() elsewhere
 *
 * Lifetime
 *
 * A queue is referenced by its pipe and by whoever got it from a descriptor.
 * A watch holds no reference: closing the pipe takes every watch off the queue
 * before it drops the pipe's reference.  Queue, watch, watch list and filter
 * are freed after a grace period, as posters find all of them under RCU.  None
 * of them lets an rcu_head share storage with a field that a poster reads.
 *
 * A watch ends in one of three ways, and whoever takes it off its object's
 * list, under that list's lock, is the one who ends it:
 *
 *	R  remove_watch_from_object()	the watcher asked for it
 *	L  remove_watch_list()		the object is going
 *	C  watch_queue_close()		the queue is going
 *
 *	R, L	exclude each other by watch_list->lock.
 *	R, C	C finds a watch on the queue's list, takes the lock of the
 *		object's list, and leaves the watch alone if it is off that list
 *		by then.  While R holds that lock and sees the watch on the
 *		list, C has not finished: the queue is there.
 *	L, C	the same, and RCU keeps the list that C found until C is done.
 *
 * Ordering
 *
 * Names in parentheses are litmus tests of tools/memory-model/litmus-tests that
 * have the same shape, and whose bad outcome never happens.
 *
 *	(A) The poster fills a slot, then stores head with release.  The reader
 *	    loads head with acquire, then looks at the slots before it.
 *	    (MP+pooncerelease+poacquireonce)
 *	(B) The reader's loads from a slot come before the wait.lock section
 *	    that raises limit; the poster reads limit in a later section of the
 *	    same lock, and only then writes the slot.  No other barrier is needed:
 *	    unlock releases, lock acquires.  (LB+poacquireonce+pooncerelease)
 *	(C) Who wants to sleep enters the wait queue, under wait.lock, then looks
 *	    at what is there.  The poster changes that, and looks for sleepers, in
 *	    one section of the same lock.  Of the two sections, the later one sees
 *	    what the earlier one did.  Who wants SIGIO enters fasync under a lock
 *	    of its own, and therefore goes through such a section afterwards.
 *
 * Loss
 *
 * A record that finds the ring full only adds to overrun.  The ring stays full
 * until a reader gives slots back, and before it does so it moves overrun into
 * the mark of the last slot filled: the place in the stream where the records
 * are missing.  When the reader consumes a slot with a mark, the mark turns into
 * lost_due, the number of losses to report before any further record.  A queue
 * without a size yet is full with nothing in it; its overrun goes to lost_due.
 *
 * Each of these places, where a loss is, holds one report that the reader is due,
 * and nr_reports counts them.  It does not change while a loss moves on, so that
 * poll(), which looks without a lock, cannot miss one on its way.
 */

#include <linux/cred.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/pipe_fs_i.h>
#include <linux/poll.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/watch_queue.h>

#include <asm/ioctls.h>

#define CREATE_TRACE_POINTS
#include <trace/events/watch_queue.h>

#define WATCH_QUEUE_SLOT_SIZE	128
#define WATCH_QUEUE_MAX_DEPTH	BIT(23)		/* 1 GiB of slots */
#define WATCH_QUEUE_MAX_RULES	16

/* One record; 0 to WATCH_INFO_LENGTH bytes of it mean something */
struct watch_slot {
	struct watch_notification n;
	u8 data[WATCH_QUEUE_SLOT_SIZE - sizeof(struct watch_notification)];
} __aligned(WATCH_QUEUE_SLOT_SIZE);

static_assert(sizeof(struct watch_slot) == WATCH_QUEUE_SLOT_SIZE);
static_assert(WATCH_QUEUE_SLOT_SIZE > WATCH_INFO_LENGTH);
static_assert(sizeof(struct watch_notification) == 8);
static_assert(sizeof(struct watch_notification_removal) == 16);
static_assert(sizeof(struct key_notification) == 16);
static_assert(sizeof(struct watch_notification_type_filter) == 44);
static_assert(sizeof(struct watch_notification_filter) == 8);

struct watch_filter {
	struct rcu_head rcu;
	u32 nr_rules;
	struct watch_notification_type_filter rules[] __counted_by(nr_rules);
};

struct watch_queue {
	/* What a post touches; of these a read only writes limit, once a batch */
	wait_queue_head_t wait;		/* sleeping readers and pollers */
	u32 head;			/* next slot to fill, not masked */
	u32 limit;			/* head may not get here: full */
	struct watch_slot *slots;	/* NULL until the size is set */
	struct fasync_struct *fasync;	/* who wants SIGIO */
	struct watch_filter __rcu *filter;
	u32 mask;			/* index to slot */
	u32 nr_reports;			/* of losses, that the reader is due */
	u64 overrun;			/* losses since the ring is full */

	/* What a read touches */
	u32 tail ____cacheline_aligned_in_smp;	/* next slot to read */
	u32 depth;			/* how many records fit */
	u32 lost_due;			/* losses to report before the next record */
	u16 *marks;			/* losses after the record in a slot */
	u64 nr_read;			/* records ever read */
	u64 nr_lost;			/* records ever lost, less overrun */
	unsigned long atime;		/* when the inode's was last set, jiffies */
	const unsigned int *max_bytes;	/* fs.pipe-max-size */
	const struct cred *opener;	/* as its files have it; NULL when none does */
	u32 nr_openers;			/* how many of its files do */
	struct cred *cred;		/* the same without keyrings, for watches */

	struct hlist_head watches;
	u32 nr_watches;
	bool closed;			/* no more watches, no more records */
	struct kref ref;
	struct rcu_head rcu;
};

static const struct file_operations watch_queue_fops;

/*
 * Queue life
 */

static struct watch_queue *watch_queue_alloc(void)
{
	struct watch_queue *wqueue;

	wqueue = kzalloc(sizeof(*wqueue), GFP_KERNEL_ACCOUNT);
	if (!wqueue)
		return NULL;

	init_waitqueue_head(&wqueue->wait);
	kref_init(&wqueue->ref);
	return wqueue;
}

/**
 * get_watch_queue - get the queue behind a descriptor
 * @fd: either end of a pipe opened with O_NOTIFICATION_PIPE
 *
 * Context: Process context.
 * Return: The queue, to be put with put_watch_queue(), or
 *
 * * ERR_PTR(-EBADF) - @fd is not open, or was opened with O_PATH
 * * ERR_PTR(-EINVAL) - @fd is something else than a notification pipe
 */
struct watch_queue *get_watch_queue(int fd)
{
	CLASS(fd, f)(fd);
	struct pipe_inode_info *pipe;

	if (fd_empty(f))
		return ERR_PTR(-EBADF);
	if (fd_file(f)->f_op != &watch_queue_fops)
		return ERR_PTR(-EINVAL);

	pipe = fd_file(f)->private_data;
	kref_get(&pipe->watch_queue->ref);
	return pipe->watch_queue;
}
EXPORT_SYMBOL_GPL(get_watch_queue);

static void watch_queue_free(struct kref *ref)
{
	struct watch_queue *wqueue = container_of(ref, struct watch_queue, ref);

	if (wqueue->cred)
		put_cred(wqueue->cred);
	kfree_rcu(wqueue, rcu);
}

/**
 * put_watch_queue - drop a reference got from get_watch_queue()
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
 * The ring
 */

/* Note where in the stream the records are missing, before there is room again */
static __always_inline void settle_overrun(struct watch_queue *wqueue)
{
	u32 lost = min(wqueue->overrun, U16_MAX);

	lockdep_assert_held(&wqueue->wait.lock);

	if (likely(!wqueue->overrun))
		return;

	wqueue->nr_lost += wqueue->overrun;
	wqueue->overrun = 0;
	if (wqueue->slots) {
		wqueue->marks[(wqueue->head - 1) & wqueue->mask] = lost;
		return;
	}
	/* Two reports become one */
	if (wqueue->lost_due)
		WRITE_ONCE(wqueue->nr_reports, wqueue->nr_reports - 1);
	wqueue->lost_due = min(wqueue->lost_due + lost, U16_MAX);
}

static void *watch_ring_zalloc(size_t size)
{
	/* Who asks for too much is told so, rather than somebody killed for it */
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN |
			  __GFP_RETRY_MAYFAIL;

	/* No search for many pages that lie together */
	if (size > PAGE_SIZE << PAGE_ALLOC_COSTLY_ORDER)
		return __vmalloc(size, gfp);
	return kvmalloc(size, gfp);
}

static int watch_ring_alloc(struct watch_queue *wqueue, u32 depth)
{
	u32 nr_slots = roundup_pow_of_two(depth);
	struct watch_slot *slots;
	u16 *marks;

	slots = watch_ring_zalloc(nr_slots * sizeof(*slots));
	marks = watch_ring_zalloc(nr_slots * sizeof(*marks));
	if (!slots || !marks) {
		kvfree(slots);
		kvfree(marks);
		return -ENOMEM;
	}

	spin_lock_irq(&wqueue->wait.lock);
	settle_overrun(wqueue);
	wqueue->slots = slots;
	wqueue->marks = marks;
	wqueue->mask = nr_slots - 1;
	wqueue->depth = depth;
	wqueue->limit = wqueue->tail + depth;
	spin_unlock_irq(&wqueue->wait.lock);
	return 0;
}

static void watch_ring_free(struct watch_queue *wqueue)
{
	struct watch_slot *slots = wqueue->slots;
	u16 *marks = wqueue->marks;

	spin_lock_irq(&wqueue->wait.lock);
	wqueue->slots = NULL;
	wqueue->marks = NULL;
	wqueue->limit = wqueue->head;
	spin_unlock_irq(&wqueue->wait.lock);

	/* Posters stay out of them from now on */
	kvfree(slots);
	kvfree(marks);
}

/*
 * Posting
 */

/* Bit 7 belongs to no field: set, it is the length that is too long */
static u32 watch_info_len(u32 info)
{
	return info & ~(WATCH_INFO_ID | WATCH_INFO_TYPE_INFO);
}

static bool watch_info_valid(u32 info)
{
	return watch_info_len(info) >= sizeof(struct watch_notification) &&
	       watch_info_len(info) <= WATCH_INFO_LENGTH;
}

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

/* Wake one of the readers that sleep, and all who poll */
static void watch_queue_wake(struct watch_queue *wqueue)
{
	lockdep_assert_held(&wqueue->wait.lock);
	/* No barrier: sleepers enter and look under this lock */
	if (waitqueue_active(&wqueue->wait))
		wake_up_locked_poll(&wqueue->wait, EPOLLIN | EPOLLRDNORM);
}

/*
 * Queue a record of @len bytes, which @info says too and was checked.  Returns
 * true if the reader should be told: it knows that there is something to read
 * when the ring is full.
 */
static __always_inline bool
watch_queue_add(struct watch_queue *wqueue, const struct watch_notification *n,
		u32 info, u32 len)
{
	u32 head = wqueue->head;
	struct watch_slot *slot;

	lockdep_assert_held(&wqueue->wait.lock);

	/* Full, without a size yet, or closed */
	if (unlikely(head == wqueue->limit)) {
		if (!wqueue->overrun++)
			WRITE_ONCE(wqueue->nr_reports, wqueue->nr_reports + 1);
		trace_watch_queue_lost(wqueue, n, info);
		return !wqueue->slots;
	}

	slot = &wqueue->slots[head & wqueue->mask];
	slot->n = *n;
	slot->n.info = info;
	memcpy(slot->data, n + 1, len - sizeof(*n));

	/* Ordering (A): pairs with the reader's load of head */
	smp_store_release(&wqueue->head, head + 1);
	trace_watch_queue_post(wqueue, n, info);
	return true;
}

static noinline void watch_queue_tell(struct watch_queue *wqueue,
				      unsigned long flags)
	__releases(&wqueue->wait.lock)
{
	watch_queue_wake(wqueue);
	spin_unlock_irqrestore(&wqueue->wait.lock, flags);
	/* Not under the lock; RCU keeps the queue although its pipe may go */
	kill_fasync(&wqueue->fasync, SIGIO, POLL_IN);
}

static __always_inline void
watch_queue_post(struct watch *watch, const struct watch_notification *n,
		 u32 info, u32 len)
{
	struct watch_queue *wqueue = watch->queue;
	unsigned long flags;

	spin_lock_irqsave(&wqueue->wait.lock, flags);
	/* Nothing may follow the record that tells of the watch's removal */
	if (likely(!hlist_unhashed(&watch->queue_node)) &&
	    watch_queue_add(wqueue, n, info | watch->info_id, len) &&
	    /* Exact under the lock: Ordering (C) */
	    unlikely(waitqueue_active(&wqueue->wait) ||
		     READ_ONCE(wqueue->fasync)))
		watch_queue_tell(wqueue, flags);
	else
		spin_unlock_irqrestore(&wqueue->wait.lock, flags);
}

static __always_inline void
post_to_watchers(struct watch_list *wlist, const struct watch_notification *n,
		 const struct cred *cred, u64 id, u32 len,
		 bool (*may_learn)(const struct watch *watch, const void *data),
		 const void *data)
{
	u32 info = n->info & ~WATCH_INFO_ID;
	const struct watch_filter *filter;
	struct watch *watch;

	rcu_read_lock();
	hlist_for_each_entry_rcu(watch, &wlist->watchers, list_node) {
		if (watch->id != id)
			continue;

		if (may_learn && !may_learn(watch, data))
			continue;

		filter = rcu_dereference(watch->queue->filter);
		if (unlikely(filter) && n->type != WATCH_TYPE_META &&
		    !watch_filter_passes(filter, n, info | watch->info_id))
			continue;

		/* The hook's argument is not const, but no module writes to it */
		if (security_post_notification(watch->cred, cred,
					       (struct watch_notification *)n))
			continue;

		watch_queue_post(watch, n, info, len);
	}
	rcu_read_unlock();
}

static noinline void
post_any_length(struct watch_list *wlist, const struct watch_notification *n,
		const struct cred *cred, u64 id)
{
	post_to_watchers(wlist, n, cred, id, watch_info_len(n->info), NULL, NULL);
}

/* A mistake of the source at @caller, told in any context and no reason to stop */
static noinline __cold void post_refused(const void *caller, const char *why)
{
	pr_warn_ratelimited("watch_queue: record of %pS refused: %s\n", caller, why);
}

/**
 * __post_watch_notification - tell the watchers of an object of an event
 * @wlist: the object's watches
 * @n: the record; its length must be in the info word, its watch ID is ignored
 * @cred: who caused the event, for the security modules, or NULL
 * @id: the object; watches with another ID on the list are passed over
 *
 * Puts a copy of the record, with the ID of the watch filled in, into the queue
 * of every watch on the object that the queue's filter and the security modules
 * let it into.  A queue without room loses it and tells its reader so.  A record
 * whose length is below 8 or above 127 is refused with a warning, and so is any
 * from an NMI.
 *
 * Context: Any context but NMI, with interrupts on or off; a scheduler lock
 *	must not be held, as readers are woken.  Never sleeps, never allocates.
 *	With PREEMPT_RT, where the queue's lock sleeps, not from hard interrupt
 *	context, nor under a raw_spinlock_t, nor with interrupts or preemption
 *	off.
 */
void __post_watch_notification(struct watch_list *wlist,
			       const struct watch_notification *n,
			       const struct cred *cred, u64 id)
{
	if (unlikely(in_nmi()))
		post_refused(__builtin_return_address(0), "in an NMI");
	/* Most records: known to the compiler, this length is copied in a move */
	else if (likely(watch_info_len(n->info) == 16))
		post_to_watchers(wlist, n, cred, id, 16, NULL, NULL);
	else if (likely(watch_info_valid(n->info)))
		post_any_length(wlist, n, cred, id);
	else
		post_refused(__builtin_return_address(0), "bad length");
}
EXPORT_SYMBOL_GPL(__post_watch_notification);

/**
 * post_watch_notification_if - tell some watchers of an object of an event
 * @wlist: the object's watches
 * @n: the record; its length must be in the info word, its watch ID is ignored
 * @cred: who caused the event, for the security modules, or NULL
 * @id: the object; watches with another ID on the list are passed over
 * @may_learn: whether who set the watch is entitled to the event, or NULL for
 *	all watches
 * @data: passed to @may_learn
 *
 * As __post_watch_notification(), for a source whose watchers have different
 * rights.  @may_learn is called for each watch, under RCU and wherever the caller
 * is, so it must not sleep.  It may look at @id, @info_id, @type, @private and
 * @cred of the watch; but what @private points to may have been let go by the
 * list's release function, unless that waits for a grace period.
 *
 * Context: Any context but NMI; see __post_watch_notification().
 */
void post_watch_notification_if(struct watch_list *wlist,
				const struct watch_notification *n,
				const struct cred *cred, u64 id,
				bool (*may_learn)(const struct watch *watch,
						  const void *data),
				const void *data)
{
	const void *caller = __builtin_return_address(0);
	u32 len = watch_info_len(n->info);

	if (in_nmi())
		post_refused(caller, "in an NMI");
	else if (!watch_info_valid(n->info))
		post_refused(caller, "bad length");
	else
		post_to_watchers(wlist, n, cred, id, len, may_learn, data);
}
EXPORT_SYMBOL_GPL(post_watch_notification_if);

/*
 * Watches
 */

/**
 * init_watch_list - prepare an object's list of watches
 * @wlist: the list, from kzalloc()
 * @release_watch: called for each watch after it was taken off the list and
 *	before it is freed, or NULL
 *
 * The release function is called without a lock of the queue's, may sleep, and
 * may look at @id, @info_id, @type, @private and @cred of the watch: its list
 * and its queue may be gone.  As close() of a pipe calls it too, a module that
 * has one counts its watches and waits for the last release before it goes.
 *
 * Context: Any.
 */
void init_watch_list(struct watch_list *wlist,
		     void (*release_watch)(struct watch *watch))
{
	INIT_HLIST_HEAD(&wlist->watchers);
	spin_lock_init(&wlist->lock);
	wlist->nr_watches = 0;
	wlist->release_watch = release_watch;
}
EXPORT_SYMBOL_GPL(init_watch_list);

/**
 * init_watch - prepare a watch
 * @watch: the watch, from kzalloc()
 * @wqueue: where its records are to go
 *
 * The caller sets id and info_id next, and adds the watch to an object or
 * kfree()s it while it still has its reference on @wqueue: none is taken here.
 *
 * Context: Any.
 */
void init_watch(struct watch *watch, struct watch_queue *wqueue)
{
	INIT_HLIST_NODE(&watch->list_node);
	INIT_HLIST_NODE(&watch->queue_node);
	watch->queue = wqueue;
	/* The key source does not say; every other one overwrites this */
	watch->type = WATCH_TYPE_KEY_NOTIFY;
}
EXPORT_SYMBOL_GPL(init_watch);

static void watch_free_rcu(struct rcu_head *rcu)
{
	struct watch *watch = container_of(rcu, struct watch, rcu);

	put_cred(watch->cred);
	kfree(watch);
}

/*
 * The watch that @wqueue has on the object @id.  It is on both lists or on
 * neither, so the shorter one will do: many queues may watch the object, or the
 * queue many objects.  The lock held keeps in place what is on both; RCU lets
 * us step over what else the queue watches.
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

static bool watch_charge(struct user_struct *user)
{
	unsigned long limit = rlimit(RLIMIT_NOFILE);
	int held = atomic_read(&user->nr_watches);

	do {
		if (held >= limit)
			return false;
	} while (!atomic_try_cmpxchg(&user->nr_watches, &held, held + 1));

	return true;
}

/*
 * Who sets a watch, without keyrings: a watch must not keep alive what it watches.
 * Most watches are set by who opened the queue, and share one copy.  The queue's
 * first files keep the opener's credentials, so that no others can have their
 * address as long as it is in opener.
 */
static const struct cred *watch_cred(struct watch_queue *wqueue)
{
	struct cred *cred, *new;

	if (current_cred() != READ_ONCE(wqueue->opener))
		return prepare_kernel_cred(current);

	/* Pairs with cmpxchg(), which comes after the copy is complete */
	cred = smp_load_acquire(&wqueue->cred);
	if (unlikely(!cred)) {
		new = prepare_kernel_cred(current);
		if (!new)
			return NULL;
		cred = cmpxchg(&wqueue->cred, NULL, new);
		if (cred)
			put_cred(new);
		else
			cred = new;
	}
	/* get_cred() would also clear non_rcu: a data race, and clear it is */
	return get_new_cred(cred);
}

/* Put a watch on both lists, unless the queue takes no more */
static int watch_link(struct watch *watch, struct watch_list *wlist)
{
	struct watch_queue *wqueue = watch->queue;
	int ret = -ENOENT;

	lockdep_assert_held(&wlist->lock);

	spin_lock_irq(&wqueue->wait.lock);
	if (!wqueue->closed) {
		watch->list = wlist;
		wlist->nr_watches++;
		WRITE_ONCE(wqueue->nr_watches, wqueue->nr_watches + 1);
		hlist_add_head_rcu(&watch->queue_node, &wqueue->watches);
		hlist_add_head_rcu(&watch->list_node, &wlist->watchers);
		trace_watch_queue_add_watch(watch);
		ret = 0;
	}
	spin_unlock_irq(&wqueue->wait.lock);

	return ret;
}

/**
 * add_watch_to_object - start watching
 * @watch: the watch; on success it belongs to the queue
 * @wlist: the object's list; the caller keeps the object alive
 *
 * The watch is charged to the calling user.  After success, the watch may be
 * gone at any time: do not look at it any more.
 *
 * Context: Process context.  May sleep.
 * Return: 0 or
 *
 * * -EINVAL - the watch's info_id has bits outside WATCH_INFO_ID
 * * -ENOMEM - no memory
 * * -EBUSY - the queue watches this object already
 * * -EAGAIN - the user has as many watches as RLIMIT_NOFILE allows
 * * -ENOENT - the queue was closed in the meantime
 */
int add_watch_to_object(struct watch *watch, struct watch_list *wlist)
{
	struct user_struct *user;
	int ret;

	might_sleep();
	if (WARN_ON_ONCE(watch->info_id & ~WATCH_INFO_ID))
		return -EINVAL;

	watch->cred = watch_cred(watch->queue);
	if (!watch->cred)
		return -ENOMEM;
	user = watch->cred->user;

	spin_lock(&wlist->lock);
	if (watch_find(wlist, watch->queue, watch->id)) {
		ret = -EBUSY;
	} else if (!watch_charge(user)) {
		ret = -EAGAIN;
	} else {
		ret = watch_link(watch, wlist);
		if (ret)
			atomic_dec(&user->nr_watches);
	}
	spin_unlock(&wlist->lock);

	if (ret)
		put_cred(watch->cred);
	return ret;
}
EXPORT_SYMBOL_GPL(add_watch_to_object);

/* Take a watch off both lists; the caller then passes it to watch_release() */
static __always_inline void watch_unlink(struct watch *watch)
{
	struct watch_queue *wqueue = watch->queue;
	struct watch_list *wlist = watch->list;

	lockdep_assert_held(&wlist->lock);
	lockdep_assert_held(&wqueue->wait.lock);

	hlist_del_init_rcu(&watch->list_node);
	wlist->nr_watches--;
	hlist_del_init_rcu(&watch->queue_node);
	WRITE_ONCE(wqueue->nr_watches, wqueue->nr_watches - 1);
	atomic_dec(&watch->cred->user->nr_watches);
	trace_watch_queue_remove_watch(watch);
}

/* Ways R and L of the banner: let the reader know, if there may be one */
static void watch_remove(struct watch *watch,
			 const struct watch_notification_removal *removal)
{
	struct watch_queue *wqueue = watch->queue;

	/* Off its lists, the watch no longer keeps the queue from being freed */
	guard(rcu)();

	spin_lock_irq(&wqueue->wait.lock);
	watch_unlink(watch);
	if (wqueue->closed) {
		spin_unlock_irq(&wqueue->wait.lock);
		return;
	}
	/* All of the record, not the header that it begins with */
	watch_queue_add(wqueue, (const void *)removal,
			removal->watch.info | watch->info_id,
			removal->watch.info);
	/* It may be the end of file, for every sleeper */
	if (!wqueue->nr_watches)
		wake_up_all_locked(&wqueue->wait);
	watch_queue_wake(wqueue);
	spin_unlock_irq(&wqueue->wait.lock);
	kill_fasync(&wqueue->fasync, SIGIO, POLL_IN);
}

/* @release is the list's: the list itself may be gone by now */
static void watch_release(struct watch *watch,
			  void (*release)(struct watch *watch))
{
	if (release)
		release(watch);
	call_rcu(&watch->rcu, watch_free_rcu);
}

static void watch_removal_init(struct watch_notification_removal *removal,
			       u64 id)
{
	*removal = (struct watch_notification_removal) {
		.watch.type	= WATCH_TYPE_META,
		.watch.subtype	= WATCH_META_REMOVAL_NOTIFICATION,
		.watch.info	= id ? watch_sizeof(*removal) :
				       watch_sizeof(removal->watch),
		.id		= id,
	};
}

/**
 * remove_watch_from_object - stop watching
 * @wlist: the object's list
 * @wqueue: the queue whose watch is meant, which the caller has a reference on;
 *	ignored if @all
 * @id: the object whose watch is meant; with @all, only put into the record
 * @all: remove every watch on the list
 *
 * The reader of the queue gets a removal record, the last one with the ID of
 * the watch.
 *
 * Context: Process context.  May sleep.
 * Return: 0, or -EBADSLT if there is no such watch.
 */
int remove_watch_from_object(struct watch_list *wlist,
			     struct watch_queue *wqueue, u64 id, bool all)
{
	struct watch_notification_removal removal;
	struct watch *watch;
	int ret = -EBADSLT;

	might_sleep();
	watch_removal_init(&removal, id);
	for (;;) {
		scoped_guard(spinlock, &wlist->lock) {
			if (all)
				watch = hlist_entry_safe(wlist->watchers.first,
							 struct watch, list_node);
			else
				watch = watch_find(wlist, wqueue, id);
			if (watch)
				watch_remove(watch, &removal);
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

/**
 * __remove_watch_list - drop an object's watches when the object goes
 * @wlist: the object's watches
 * @id: the object, for the records that tell of the removal; 0 if it has none
 *
 * See remove_watch_list().
 *
 * Context: Process context.  May sleep.
 */
void __remove_watch_list(struct watch_list *wlist, u64 id)
{
	remove_watch_from_object(wlist, NULL, id, true);
	kfree_rcu(wlist, rcu);
}
EXPORT_SYMBOL_GPL(__remove_watch_list);

/* Way C of the banner, for one watch.  Returns false when none is left. */
static bool watch_queue_close_one(struct watch_queue *wqueue)
{
	void (*release)(struct watch *watch);
	struct watch_list *wlist;
	struct hlist_node *first;
	struct watch *watch;
	bool ours;

	rcu_read_lock();
	/* Closed: none is added any more */
	first = rcu_dereference(hlist_first_rcu(&wqueue->watches));
	if (!first) {
		rcu_read_unlock();
		return false;
	}

	watch = hlist_entry(first, struct watch, queue_node);
	wlist = watch->list;
	release = wlist->release_watch;
	spin_lock(&wlist->lock);
	ours = !hlist_unhashed(&watch->list_node);
	if (ours) {
		spin_lock_irq(&wqueue->wait.lock);
		watch_unlink(watch);
		spin_unlock_irq(&wqueue->wait.lock);
	}
	spin_unlock(&wlist->lock);
	rcu_read_unlock();

	if (ours)
		watch_release(watch, release);
	return true;
}

/* The last descriptor is gone: nobody reads, nobody may post or watch */
static void watch_queue_close(struct watch_queue *wqueue)
{
	struct watch_filter *filter;

	scoped_guard(spinlock_irq, &wqueue->wait.lock) {
		wqueue->closed = true;
		wqueue->limit = wqueue->head;
	}
	watch_ring_free(wqueue);

	while (watch_queue_close_one(wqueue))
		cond_resched();

	filter = rcu_replace_pointer(wqueue->filter, NULL, true);
	if (filter)
		kfree_rcu(filter, rcu);
}

/*
 * Reading
 */

static bool watch_queue_readable(const struct watch_queue *wqueue)
{
	/* Before head, which never falls behind it: not an old head, a new tail */
	u32 tail = smp_load_acquire(&wqueue->tail);

	return READ_ONCE(wqueue->head) != tail || READ_ONCE(wqueue->nr_reports);
}

/* Nothing more will come: no watch is left, and nobody holds the write end */
static bool watch_queue_hung_up(const struct pipe_inode_info *pipe)
{
	lockdep_assert_held(&pipe->watch_queue->wait.lock);
	return !READ_ONCE(pipe->writers) && !pipe->watch_queue->nr_watches;
}

static int copy_record(const void *record, size_t len, struct iov_iter *to)
{
	size_t copied = copy_to_iter(record, len, to);

	if (likely(copied == len))
		return 0;
	iov_iter_revert(to, copied);
	return -EFAULT;
}

/* Copy records from *@tail on, whole ones, and move *@tail past them */
static int copy_records(const struct watch_queue *wqueue, u32 *tail, u32 end,
			struct iov_iter *to)
{
	for (; *tail != end; ++*tail) {
		const struct watch_slot *slot = &wqueue->slots[*tail & wqueue->mask];
		size_t len = slot->n.info & WATCH_INFO_LENGTH;

		if (len > iov_iter_count(to))
			return -EMSGSIZE;
		if (copy_record(slot, len, to))
			return -EFAULT;
	}

	return 0;
}

/* The same for the plain buffer that read() has, many times as fast */
static int copy_records_ubuf(const struct watch_queue *wqueue, u32 *tail,
			     u32 end, struct iov_iter *to)
{
	const struct watch_slot *slots = wqueue->slots;
	char __user *buf = to->ubuf + to->iov_offset;
	size_t room = iov_iter_count(to), left = room;
	u32 mask = wqueue->mask, i = *tail;
	int err = 0;

	if (!user_write_access_begin(buf, room))
		return -EFAULT;
	for (; i != end; i++) {
		const char *slot = (const char *)&slots[i & mask];
		size_t len = slots[i & mask].n.info & WATCH_INFO_LENGTH;

		if (unlikely(len > left)) {
			err = -EMSGSIZE;
			break;
		}
		left -= len;
		/* Most records: a length known to the compiler needs no loop */
		if (likely(len == 16)) {
			unsafe_copy_to_user(buf, slot, 16, fault);
			buf += 16;
			continue;
		}
		/* Two words at a time take half as long as one does */
		for (; len >= 16; buf += 16, slot += 16, len -= 16)
			unsafe_copy_to_user(buf, slot, 16, fault);
		unsafe_copy_to_user(buf, slot, len, fault);
		buf += len;
	}
end:
	user_write_access_end();
	iov_iter_advance(to, room - left);
	*tail = i;
	return err;

fault:
	/* Nothing of this record counts: it stays */
	left += slots[i & mask].n.info & WATCH_INFO_LENGTH;
	err = -EFAULT;
	goto end;
}

/* A loss must be reported after the first slot with a mark: go no further */
static u32 stop_at_mark(const struct watch_queue *wqueue, u32 tail, u32 head)
{
	for (; tail != head; tail++) {
		if (wqueue->marks[tail & wqueue->mask])
			return tail + 1;
	}

	return head;
}

/* Give the slots before @tail back to the posters */
static void publish_tail(struct watch_queue *wqueue, u32 tail)
{
	u16 *mark = &wqueue->marks[(tail - 1) & wqueue->mask];

	/* Ordering (B): the loads from the slots do not sink below the unlock */
	spin_lock_irq(&wqueue->wait.lock);
	settle_overrun(wqueue);
	if (unlikely(*mark)) {
		/* Which is 0 now: read_loss() went first */
		wqueue->lost_due = *mark;
		*mark = 0;
	}
	wqueue->nr_read += tail - wqueue->tail;
	/* Pairs with watch_queue_readable(), where head is not older than tail */
	smp_store_release(&wqueue->tail, tail);
	wqueue->limit = tail + wqueue->depth;
	spin_unlock_irq(&wqueue->wait.lock);
}

static int read_records(struct watch_queue *wqueue, struct iov_iter *to)
{
	/* Ordering (A): pairs with the poster's store of head */
	u32 head = smp_load_acquire(&wqueue->head);
	u32 tail = wqueue->tail;
	int err;

	if (head == tail)
		return 0;
	/* The search need not go beyond what can fit */
	if (unlikely(READ_ONCE(wqueue->nr_reports))) {
		size_t fit = iov_iter_count(to) / sizeof(struct watch_notification);

		head = tail + min_t(size_t, head - tail, fit + 1);
		head = stop_at_mark(wqueue, tail, head);
	}

	if (likely(iter_is_ubuf(to)))
		err = copy_records_ubuf(wqueue, &tail, head, to);
	else
		err = copy_records(wqueue, &tail, head, to);

	if (tail != wqueue->tail)
		publish_tail(wqueue, tail);
	return err;
}

static int read_loss(struct watch_queue *wqueue, struct iov_iter *to)
{
	u32 lost = wqueue->lost_due;
	struct watch_notification n = {
		.type		= WATCH_TYPE_META,
		.subtype	= WATCH_META_LOSS_NOTIFICATION,
		.info		= watch_sizeof(n) |
				  lost << WATCH_INFO_TYPE_INFO__SHIFT,
	};

	if (iov_iter_count(to) < sizeof(n))
		return -EMSGSIZE;
	if (copy_record(&n, sizeof(n), to))
		return -EFAULT;

	wqueue->lost_due = 0;
	scoped_guard(spinlock_irq, &wqueue->wait.lock)
		WRITE_ONCE(wqueue->nr_reports, wqueue->nr_reports - 1);
	return 0;
}

/*
 * Move what is queued to @to, losses reported where they happened.  Returns
 * the number of bytes, 0 if nothing is queued, or an error if nothing could be
 * copied.
 */
static ssize_t watch_queue_take(struct watch_queue *wqueue, struct iov_iter *to)
{
	size_t room = iov_iter_count(to);
	int err = 0;

	if (unlikely(!wqueue->slots)) {
		spin_lock_irq(&wqueue->wait.lock);
		settle_overrun(wqueue);
		spin_unlock_irq(&wqueue->wait.lock);
	}

	do {
		if (unlikely(wqueue->lost_due))
			err = read_loss(wqueue, to);
		if (!err)
			err = read_records(wqueue, to);
	} while (!err && wqueue->lost_due);

	return room - iov_iter_count(to) ?: err;
}

/* A reader need not sleep */
static bool watch_queue_ready(const struct pipe_inode_info *pipe)
{
	return watch_queue_readable(pipe->watch_queue) ||
	       watch_queue_hung_up(pipe);
}

/* Returns 1 when it is worth to look again, 0 at the end of file */
static int watch_queue_wait(struct pipe_inode_info *pipe, bool nowait)
{
	struct watch_queue *wqueue = pipe->watch_queue;
	int ret = 0;

	/* There was nothing, and that was not the end of file */
	if (nowait && READ_ONCE(pipe->writers))
		return -EAGAIN;

	spin_lock_irq(&wqueue->wait.lock);
	if (!nowait)
		ret = wait_event_interruptible_exclusive_locked_irq(wqueue->wait,
								    watch_queue_ready(pipe));
	if (watch_queue_readable(wqueue))
		ret = 1;
	else if (!ret && !watch_queue_hung_up(pipe))
		/* A writer may come back between two looks: no lock stops it */
		ret = nowait ? -EAGAIN : 1;
	spin_unlock_irq(&wqueue->wait.lock);

	return ret;
}

/* Once a tick is as exact as the clock that atime is read from */
static void watch_queue_accessed(struct watch_queue *wqueue, struct file *file)
{
	unsigned long now = jiffies;

	if (READ_ONCE(wqueue->atime) == now)
		return;
	WRITE_ONCE(wqueue->atime, now);
	file_accessed(file);
}

static ssize_t watch_queue_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct pipe_inode_info *pipe = file->private_data;
	struct watch_queue *wqueue = pipe->watch_queue;
	bool nowait = (file->f_flags & O_NONBLOCK) ||
		      (iocb->ki_flags & IOCB_NOWAIT);
	bool slept = false;
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;

	for (;;) {
		/*
		 * With IOCB_NOWAIT too, as for any pipe: EAGAIN means that
		 * there is nothing to read, not that somebody else looks.
		 */
		mutex_lock(&pipe->mutex);
		ret = watch_queue_take(wqueue, to);
		mutex_unlock(&pipe->mutex);
		if (ret)
			break;

		ret = watch_queue_wait(pipe, nowait);
		if (ret <= 0)
			return ret;
		slept = true;
	}

	/* A post wakes one reader: pass on what this one left behind */
	if (slept) {
		spin_lock_irq(&wqueue->wait.lock);
		if (watch_queue_readable(wqueue))
			watch_queue_wake(wqueue);
		spin_unlock_irq(&wqueue->wait.lock);
	}
	if (ret > 0) {
		trace_watch_queue_read(wqueue, ret);
		watch_queue_accessed(wqueue, file);
	}
	return ret;
}

static ssize_t watch_queue_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	return -EXDEV;
}

/* Of either end, whoever has the other */
static noinline __poll_t watch_queue_events(const struct pipe_inode_info *pipe,
					    fmode_t mode)
{
	struct watch_queue *wqueue = pipe->watch_queue;
	__poll_t mask = 0;

	if (mode & FMODE_READ) {
		/*
		 * Before looking for records: the last watch is taken off and
		 * its removal queued in one section of this lock.
		 */
		scoped_guard(spinlock_irq, &wqueue->wait.lock)
			if (watch_queue_hung_up(pipe))
				mask |= EPOLLHUP;
		if (watch_queue_readable(wqueue))
			mask |= EPOLLIN | EPOLLRDNORM;
	}

	if (mode & FMODE_WRITE) {
		/* write() fails at once, and there it does not block */
		mask |= EPOLLOUT | EPOLLWRNORM;
		if (!READ_ONCE(pipe->readers))
			mask |= EPOLLERR;
	}

	return mask;
}

static __poll_t watch_queue_poll(struct file *file, poll_table *wait)
{
	const struct pipe_inode_info *pipe = file->private_data;
	fmode_t mode;

	/* First enter, then look: see Ordering (C) */
	poll_wait(file, &pipe->watch_queue->wait, wait);

	mode = file->f_mode & (FMODE_READ | FMODE_WRITE);
	/* What most programs poll, and there is a write end: no lock is needed */
	if (likely(mode == FMODE_READ && READ_ONCE(pipe->writers)))
		return watch_queue_readable(pipe->watch_queue) ?
		       EPOLLIN | EPOLLRDNORM : 0;
	return watch_queue_events(pipe, mode);
}

static int watch_queue_fasync(int fd, struct file *file, int on)
{
	struct pipe_inode_info *pipe = file->private_data;

	struct watch_queue *wqueue = pipe->watch_queue;
	int ret;

	if (!(file->f_mode & FMODE_READ))
		return 0;
	ret = fasync_helper(fd, file, on, &wqueue->fasync);
	if (ret > 0 && on) {
		/* Ordering (C): a post sees us, or we see what it posted */
		spin_lock_irq(&wqueue->wait.lock);
		spin_unlock_irq(&wqueue->wait.lock);
	}
	return ret;
}

/*
 * Configuration
 */

/* How much of the user's pipe-user-pages a ring of @nr_slots takes */
static unsigned long watch_ring_pages(unsigned long nr_slots)
{
	return DIV_ROUND_UP(nr_slots * (sizeof(struct watch_slot) + sizeof(u16)),
			    PAGE_SIZE);
}

static noinline int watch_queue_set_size(struct pipe_inode_info *pipe,
					 unsigned long depth)
{
	struct watch_queue *wqueue = pipe->watch_queue;
	unsigned long user_bufs, pages;
	int ret;

	guard(mutex)(&pipe->mutex);
	if (wqueue->slots)
		return -EBUSY;

	if (depth == 0 || depth > WATCH_QUEUE_MAX_DEPTH)
		return -EINVAL;
	if (depth > READ_ONCE(*wqueue->max_bytes) / sizeof(struct watch_slot) &&
	    !capable(CAP_SYS_RESOURCE))
		return -EINVAL;

	pages = watch_ring_pages(roundup_pow_of_two(depth));
	user_bufs = account_pipe_buffers(pipe->user, pipe->nr_accounted, pages);
	if (pages > pipe->nr_accounted &&
	    (too_many_pipe_buffers_hard(user_bufs) ||
	     too_many_pipe_buffers_soft(user_bufs)) &&
	    pipe_is_unprivileged_user())
		ret = -EPERM;
	else
		ret = watch_ring_alloc(wqueue, depth);

	if (ret)
		account_pipe_buffers(pipe->user, pages, pipe->nr_accounted);
	else
		pipe->nr_accounted = pages;
	return ret;
}

/* Check all rules, then keep those that can match anything */
static int watch_filter_check(struct watch_filter *filter)
{
	struct watch_notification_type_filter *rule = filter->rules;
	u32 kept = 0;

	for (u32 i = 0; i < filter->nr_rules; i++, rule++) {
		if ((rule->info_filter & ~rule->info_mask) ||
		    (rule->info_mask & WATCH_INFO_LENGTH))
			return -EINVAL;
		if (rule->type < WATCH_TYPE__NR)
			filter->rules[kept++] = *rule;
	}

	filter->nr_rules = kept;
	return 0;
}

static struct watch_filter *
watch_filter_get(const struct watch_notification_filter __user *arg)
{
	struct watch_notification_filter header;
	struct watch_filter *filter;
	int ret;

	if (copy_from_user(&header, arg, sizeof(header)))
		return ERR_PTR(-EFAULT);
	if (header.nr_filters == 0 ||
	    header.nr_filters > WATCH_QUEUE_MAX_RULES || header.__reserved)
		return ERR_PTR(-EINVAL);

	filter = kzalloc(struct_size(filter, rules, header.nr_filters),
			 GFP_KERNEL_ACCOUNT);
	if (!filter)
		return ERR_PTR(-ENOMEM);

	filter->nr_rules = header.nr_filters;
	if (copy_from_user(filter->rules, arg->filters,
			   flex_array_size(filter, rules, filter->nr_rules)))
		ret = -EFAULT;
	else
		ret = watch_filter_check(filter);
	if (ret) {
		kfree(filter);
		return ERR_PTR(ret);
	}

	return filter;
}

static noinline int
watch_queue_set_filter(struct pipe_inode_info *pipe,
		       const struct watch_notification_filter __user *arg)
{
	struct watch_filter *filter = NULL;

	if (arg) {
		filter = watch_filter_get(arg);
		if (IS_ERR(filter))
			return PTR_ERR(filter);
	}

	scoped_guard(mutex, &pipe->mutex)
		filter = rcu_replace_pointer(pipe->watch_queue->filter, filter,
					     lockdep_is_held(&pipe->mutex));
	if (filter)
		kfree_rcu(filter, rcu);
	return 0;
}

/* How many bytes read() would return to a reader with a buffer for them all */
static u32 watch_queue_bytes(const struct watch_queue *wqueue)
{
	/* Ordering (A) */
	u32 nr = smp_load_acquire(&wqueue->head) - wqueue->tail;
	u32 bytes, mask, at;

	/* With no record between them, two reports become one when they are read */
	if (!nr)
		return READ_ONCE(wqueue->nr_reports) ? sizeof(struct watch_notification) : 0;

	bytes = READ_ONCE(wqueue->nr_reports) * sizeof(struct watch_notification);
	/* In bytes too, as a multiplication for each record would cost more */
	mask = wqueue->mask * sizeof(struct watch_slot);
	at = wqueue->tail * sizeof(struct watch_slot) & mask;
	for (; nr; nr--, at = (at + sizeof(struct watch_slot)) & mask) {
		const struct watch_notification *n = (void *)wqueue->slots + at;

		bytes += watch_info_len(n->info);
	}
	return bytes;
}

static long watch_queue_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	struct pipe_inode_info *pipe = file->private_data;

	if (likely(cmd == FIONREAD)) {
		u32 bytes;

		mutex_lock(&pipe->mutex);
		bytes = watch_queue_bytes(pipe->watch_queue);
		mutex_unlock(&pipe->mutex);
		return put_user(bytes, (int __user *)arg);
	}

	switch (cmd) {
	case IOC_WATCH_QUEUE_SET_SIZE:
		return watch_queue_set_size(pipe, arg);
	case IOC_WATCH_QUEUE_SET_FILTER:
		return watch_queue_set_filter(pipe, (void __user *)arg);
	}

	switch (WATCH_IOCTL(cmd)) {
	case WATCH_IOCTL(IOC_WATCH_QUEUE_ADD_WATCH):
	case WATCH_IOCTL(IOC_WATCH_QUEUE_REMOVE_WATCH):
		return watch_source_ioctl(pipe->watch_queue, cmd,
					  (void __user *)arg);
	default:
		return -ENOIOCTLCMD;
	}
}

#ifdef CONFIG_COMPAT
static long watch_queue_compat_ioctl(struct file *file, unsigned int cmd,
				     unsigned long arg)
{
	/* A number, to be looked at in full; compat_ptr() may mask it */
	if (cmd == IOC_WATCH_QUEUE_SET_SIZE)
		return watch_queue_ioctl(file, cmd, arg);
	return compat_ptr_ioctl(file, cmd, arg);
}
#else
#define watch_queue_compat_ioctl NULL
#endif

static void watch_filter_show(struct seq_file *m,
			      const struct watch_filter *filter)
{
	for (u32 i = 0; i < filter->nr_rules; i++) {
		const struct watch_notification_type_filter *rule = &filter->rules[i];

		seq_printf(m, "filter:\ttype:%u subtypes:", rule->type);
		for (u32 word = 0; word < ARRAY_SIZE(rule->subtype_filter); word++)
			seq_printf(m, "%s%08x", word ? "," : "",
				   rule->subtype_filter[word]);
		seq_printf(m, " info:%08x/%08x\n", rule->info_filter,
			   rule->info_mask);
	}
}

static void watch_queue_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;
	struct watch_queue *wqueue = pipe->watch_queue;
	u32 depth, queued, nr_watches;
	const struct watch_filter *filter;
	const struct watch *watch;
	u64 posted, lost;

	scoped_guard(spinlock_irq, &wqueue->wait.lock) {
		depth = wqueue->depth;
		queued = wqueue->head - wqueue->tail;
		lost = wqueue->nr_lost + wqueue->overrun;
		posted = wqueue->nr_read + queued + lost;
		nr_watches = wqueue->nr_watches;
	}
	seq_printf(m, "depth:\t%u\nqueued:\t%u\nposted:\t%llu\nlost:\t%llu\nwatches:\t%u\n",
		   depth, queued, posted, lost, nr_watches);

	guard(rcu)();
	filter = rcu_dereference(wqueue->filter);
	if (filter)
		watch_filter_show(m, filter);
	hlist_for_each_entry_rcu(watch, &wqueue->watches, queue_node) {
		/* The file will be shown again, with more room */
		if (seq_has_overflowed(m))
			break;
		seq_printf(m, "watch:\ttype:%u id:%u object:%llx\n", watch->type,
			   watch->info_id >> WATCH_INFO_ID__SHIFT, watch->id);
	}
}

/*
 * The pipe: open, close, and what fs/pipe.c asks for
 */

/* Only reached by way of /proc/PID/fd: pipe2() makes its files without it */
static int watch_queue_open(struct inode *inode, struct file *file)
{
	struct pipe_inode_info *pipe;

	if (!(file->f_mode & (FMODE_READ | FMODE_WRITE)))
		return -EINVAL;

	scoped_guard(spinlock, &inode->i_lock) {
		pipe = inode->i_pipe;
		if (pipe)
			pipe->files++;
	}
	/* The descriptors behind the link were closed in the meantime */
	if (!pipe)
		return -ENXIO;

	file->private_data = pipe;
	file->f_mode |= FMODE_NOWAIT;
	scoped_guard(mutex, &pipe->mutex) {
		if (file->f_mode & FMODE_READ)
			WRITE_ONCE(pipe->readers, pipe->readers + 1);
		if (file->f_mode & FMODE_WRITE)
			WRITE_ONCE(pipe->writers, pipe->writers + 1);
		if (file->f_cred == pipe->watch_queue->opener)
			pipe->watch_queue->nr_openers++;
	}
	return stream_open(inode, file);
}

static int watch_queue_release(struct inode *inode, struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;
	struct watch_queue *wqueue = pipe->watch_queue;
	bool last;

	scoped_guard(mutex, &pipe->mutex) {
		if (file->f_mode & FMODE_READ)
			WRITE_ONCE(pipe->readers, pipe->readers - 1);
		if (file->f_mode & FMODE_WRITE)
			WRITE_ONCE(pipe->writers, pipe->writers - 1);
		if (file->f_cred == wqueue->opener && !--wqueue->nr_openers)
			WRITE_ONCE(wqueue->opener, NULL);
		/* It may be the end of file, or an error, for every sleeper */
		if (!pipe->readers != !pipe->writers) {
			wake_up_all(&wqueue->wait);
			kill_fasync(&wqueue->fasync, SIGIO, POLL_IN);
		}
	}

	scoped_guard(spinlock, &inode->i_lock) {
		last = !--pipe->files;
		if (last)
			inode->i_pipe = NULL;
	}
	if (last) {
		watch_queue_exit(pipe);
		free_pipe_info(pipe);
	}
	return 0;
}

/* No .splice_read, no .splice_write: splice(2) and its kin refuse the file */
static const struct file_operations watch_queue_fops = {
	.open		= watch_queue_open,
	.read_iter	= watch_queue_read_iter,
	.write_iter	= watch_queue_write_iter,
	.poll		= watch_queue_poll,
	.unlocked_ioctl	= watch_queue_ioctl,
	.compat_ioctl	= watch_queue_compat_ioctl,
	.release	= watch_queue_release,
	.fasync		= watch_queue_fasync,
	.show_fdinfo	= watch_queue_show_fdinfo,
};

/**
 * watch_queue_init - make a notification pipe of a new pipe
 * @inode: the pipe's inode
 * @max_bytes: fs.pipe-max-size, bytes that an unprivileged user's ring may have
 *
 * On success the caller creates the pipe's files with inode->i_fop.
 *
 * Context: Process context.  May sleep.
 * Return: 0 or
 *
 * * -ENOMEM - no memory
 */
int watch_queue_init(struct inode *inode, const unsigned int *max_bytes)
{
	struct watch_queue *wqueue = watch_queue_alloc();
	struct pipe_inode_info *pipe = inode->i_pipe;

	if (!wqueue)
		return -ENOMEM;

	/* Nobody uses the ring of an ordinary pipe, as large as an empty queue */
	kfree(pipe->bufs);
	pipe->bufs = NULL;
	pipe->ring_size = 0;

	/* The two files that are made next have them */
	wqueue->opener = current_cred();
	wqueue->nr_openers = 2;
	wqueue->max_bytes = max_bytes;
	pipe->watch_queue = wqueue;
	inode->i_fop = &watch_queue_fops;
	return 0;
}

/**
 * watch_queue_exit - take the queue out of a pipe that is to be freed
 * @pipe: the pipe, which may be an ordinary one; no file refers to it any more
 *
 * Context: Process context.  May sleep.
 */
void watch_queue_exit(struct pipe_inode_info *pipe)
{
	if (!pipe->watch_queue)
		return;

	watch_queue_close(pipe->watch_queue);
	put_watch_queue(pipe->watch_queue);
}

/**
 * watch_queue_fcntl - F_GETPIPE_SZ and F_SETPIPE_SZ of a notification pipe
 * @file: a file that is not an ordinary pipe
 * @cmd: the command
 *
 * Context: Process context.  May sleep.
 * Return: Bytes in which records are stored, 0 before the size is set, or
 *
 * * -EBADF - @file is no pipe of any kind
 * * -EBUSY - F_SETPIPE_SZ: the size is set by IOC_WATCH_QUEUE_SET_SIZE
 */
long watch_queue_fcntl(struct file *file, unsigned int cmd)
{
	struct pipe_inode_info *pipe = file->private_data;

	if (file->f_op != &watch_queue_fops)
		return -EBADF;
	if (cmd != F_GETPIPE_SZ)
		return -EBUSY;

	guard(mutex)(&pipe->mutex);
	if (!pipe->watch_queue->slots)
		return 0;
	return PAGE_ALIGN((pipe->watch_queue->mask + 1) *
			  sizeof(struct watch_slot));
}

/**
 * watch_queue_no_ioctl - answer the queue's ioctls on an ordinary pipe
 * @file: the pipe
 * @cmd: the command
 * @arg: its argument
 *
 * Context: Any.
 * Return:
 *
 * * -ENODEV - the command is for notification pipes only
 * * -ENOIOCTLCMD - some other command
 */
long watch_queue_no_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	switch (cmd) {
	case IOC_WATCH_QUEUE_SET_SIZE:
	case IOC_WATCH_QUEUE_SET_FILTER:
		return -ENODEV;
	}

	switch (WATCH_IOCTL(cmd)) {
	case WATCH_IOCTL(IOC_WATCH_QUEUE_ADD_WATCH):
	case WATCH_IOCTL(IOC_WATCH_QUEUE_REMOVE_WATCH):
		return -ENODEV;
	default:
		return -ENOIOCTLCMD;
	}
}

#ifdef CONFIG_WATCH_QUEUE_KUNIT_TEST
#include "tests/watch_queue_kunit.c"
#endif
