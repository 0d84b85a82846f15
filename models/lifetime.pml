/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Teardown of a queue and of its watch, in kernel/watch_queue.c
 *
 * Two posters, which find the watch under RCU, the waker, the owner, which removes
 * the watch, the object, which is destroyed, and the closer.  Memory is freed as early
 * as possible: when the last section of RCU that began before has ended.
 */

#define WATCH	0	/* what is freed */
#define LIST	1	/* the list of watches of the object */
#define QUEUE	2

bool ring_lock, list_lock;
bool on_list = true;	/* watch->list_node */
bool on_queue = true;	/* watch->queue_node */
bool closed, in_use;
bool pending;		/* the request of a wake-up */
bool slots = true;
byte releases;		/* calls of watch_release() */
byte refs = 2;		/* of the queue: the pipe, and the owner of the watch */

/* Sections of RCU, one bit for each process */
byte readers;
bool dead[3];		/* freed after a grace period */
byte blocks[3];		/* sections that began before */

#define freed(what)	(dead[what] && blocks[what] == 0)

inline rcu_lock(me)
{
	readers = readers | (1 << me)
}

inline rcu_unlock(me)
{
	d_step {
		readers = readers & ~(1 << me);
		blocks[WATCH] = blocks[WATCH] & ~(1 << me);
		blocks[LIST] = blocks[LIST] & ~(1 << me);
		blocks[QUEUE] = blocks[QUEUE] & ~(1 << me)
	}
}

inline free_rcu(what)
{
	d_step { assert(!dead[what]); dead[what] = true; blocks[what] = readers }
}

inline put_queue()
{
	atomic {
		assert(!freed(QUEUE));
		refs--;
		if
		:: refs == 0 -> free_rcu(QUEUE)
		:: else
		fi
	}
}

/*
 * watch_queue_add(), with ring_lock.  The queue has slots, or its ring is full.  Any
 * record may be the one that requests a wake-up.
 */
inline add()
{
	in_use = slots;
	atomic { assert(slots || !in_use); in_use = false; pending = (pending || !closed) }
}

/* watch_remove(), with list_lock and in a section of RCU */
inline remove()
{
	atomic { !ring_lock -> ring_lock = true; assert(on_queue && !freed(WATCH) && !freed(QUEUE)) };
	atomic { on_list = false; on_queue = false };
	if
	:: !closed -> add()
	:: else
	fi;
	atomic { assert(!freed(QUEUE)); ring_lock = false }
}

inline release()
{
	atomic { assert(!freed(WATCH)); releases++; assert(releases == 1); free_rcu(WATCH) }
}

active [2] proctype poster()
{
	rcu_lock(_pid);
	if
	:: on_list ->
		atomic { !ring_lock -> ring_lock = true; assert(!freed(WATCH) && !freed(QUEUE)) };
		/* No record of a watch may follow its removal record */
		if
		:: on_queue -> add(); assert(on_queue)
		:: else
		fi;
		atomic { assert(!freed(QUEUE)); ring_lock = false }
	:: else
	fi;
	rcu_unlock(_pid)
}

/* watch_waker_run() */
active proctype waker()
{
end:	do
	:: atomic {
			pending -> pending = false;
			assert(refs != 0);
			refs++
		};
		atomic { !ring_lock -> assert(!freed(QUEUE)) };
		put_queue()
	od
}

/* Destroy the object: remove_watch_list() */
active proctype object()
{
	bool found;

	atomic { !list_lock -> list_lock = true };
	found = on_list;
	if
	:: found ->
		/* Once the watch is unlinked, only RCU keeps the queue from being freed */
		rcu_lock(_pid);
		remove();
		rcu_unlock(_pid)
	:: else
	fi;
	list_lock = false;
	if
	:: found -> release()
	:: else
	fi;
	free_rcu(LIST)
}

/* watch_queue_remove_one() */
inline remove_one(me, found)
{
	rcu_lock(me);
	if
	:: on_queue ->
		atomic { !list_lock -> list_lock = true; assert(!freed(LIST) && !freed(WATCH)) };
		found = on_list;
		if
		:: found -> remove()
		:: else
		fi;
		list_lock = false
	:: else
	fi;
	rcu_unlock(me);
	if
	:: found -> release()
	:: else
	fi
}

/* The owner removes the watch by its ID, with a reference on the queue */
active proctype owner()
{
	bool found;

	remove_one(_pid, found);
	put_queue()
}

/* watch_queue_close() */
active proctype closer()
{
	bool found;

	atomic { !ring_lock -> closed = true };
	/* watch_queue_end_wakeups() */
	pending = false;
	atomic { !ring_lock -> slots = false };
	do
	:: on_queue -> remove_one(_pid, found)
	:: else -> break
	od;
	put_queue()
}

active proctype monitor()
{
	timeout;
	assert(releases == 1 && !on_list && !on_queue);
	assert(freed(WATCH) && freed(LIST) && freed(QUEUE))
}
