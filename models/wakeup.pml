/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wake-up protocol of kernel/watch_queue.c and kernel/watch_pipe.c
 *
 * Posters, two readers, a task in poll() or epoll_wait(), the waker, which wakes
 * them, and a closer, which removes the watch and closes the write end.  The contents
 * of records are not modelled.
 */

#define EMPTIED	was_empty = true
bool was_empty;		/* while the poller checked */

#include "ring.pml"

#ifndef POSTS
#define POSTS	2
#endif
#ifndef READS
#define READS	2	/* of each reader */
#endif
#define POLLER	2	/* number of the poller, after the readers */

bool waiting[3];	/* on the wait queue */
bool asleep[3];
bool triggered;		/* the poller was woken */
bool exclusive;		/* it has EPOLLEXCLUSIVE, and reads when it is woken */
bool counts;		/* used in wake() only */
bool pending, wake_all;	/* the request of the queue, which the waker takes */
bool watched = true;	/* nr_watches */
bool writer = true;	/* pipe->writers */

#define has_sleeper()	(waiting[0] || waiting[1] || waiting[POLLER])
#define readable()	(head != tail || lost != 0)
#define eof()		(!watched && !writer)

/* watch_queue_notify(), with ring_lock */
#define notify(sleeper)	pending = (pending || (sleeper))
#define notify_all()	wake_all = (wake_all || has_sleeper()); notify(has_sleeper())

/*
 * Wake one exclusive waiter and all others, or everyone.  An exclusive poller is woken
 * unless a reader is before it on the list.  It counts as the one that was woken only if
 * it sleeps in epoll_wait().
 */
inline wake(all)
{
	atomic {
		if
		:: waiting[POLLER] ->
			counts = (exclusive && !all && asleep[POLLER] && !triggered);
			triggered = true
		:: !waiting[POLLER] || (exclusive && !all && (waiting[0] || waiting[1]))
		fi;
		if
		:: counts -> counts = false
		:: !counts && waiting[0] -> waiting[0] = false; waiting[1] = (waiting[1] && !all)
		:: !counts && waiting[1] -> waiting[1] = false; waiting[0] = (waiting[0] && !all)
		:: !counts && !waiting[0] && !waiting[1]
		fi
	}
}

/* Post a record, with ring_lock.  The lock is free afterwards. */
inline post()
{
	if
	:: atomic { !ring_lock && watched && ring_full() -> overrun++ }
	:: atomic { !ring_lock && watched && !ring_full() && !ring_empty() -> head = (head + 1) & 255 }
	:: atomic { !ring_lock && watched && !ring_full() && ring_empty() -> ring_lock = true };
		/* Ordering (C) */
		ORDERED(head = (head + 1) & 255, sleeper = has_sleeper());
		atomic { notify(sleeper); sleeper = false; ring_lock = false }
	:: atomic { !ring_lock && !watched }
	fi
}

/* A post is a section of ring_lock, so one process stands for any number of posters */
active proctype posters()
{
	byte n;
	bool sleeper;

	do
	:: n < POSTS -> post(); n++
	:: n == POSTS -> break
	od
}

/* watch_waker_run(); the order of queues and the pauses are not modelled */
active proctype waker()
{
	bool all;

end:	do
	:: pending ->
		pending = false;
		atomic { !ring_lock -> all = wake_all; wake_all = false };
		wake(all);
		all = false
	od
}

/*
 * watch_queue_read_locked(): read the records before end, as many as fit.  A loss needs
 * as much room as a record.
 */
inline read()
{
	atomic {
		!pipe_mutex -> pipe_mutex = true;
		end = head;
		if :: room = 1 :: room = 8 fi
	};
	do
	:: atomic { lost != 0 && room != 0 && !ring_lock -> lost = 0; room--; got = true; check_empty() }
	:: atomic { lost == 0 && room != 0 && tail != end && !ring_lock ->
		ring_next_mark(next, end);
		if
		:: MINUS(next, tail) > room -> next = tail + room
		:: else
		fi;
		room = room - MINUS(next, tail);
		got = true;
		ring_consume(next);
		due = ring_lock
	}
	:: due -> ring_consume_loss(next); due = false
	:: atomic { !due && (room == 0 || (lost == 0 && tail == end)) ->
		end = 0;
		next = 0;
		room = 0;
		pipe_mutex = false
	};
		break
	od
}

/* After a read: wake the next reader if records are left */
inline pass_on()
{
	ring_readable(ready, end, next, room);
	if
	:: ready -> ready = false; wake(false)
	:: else
	fi
}

/* watch_queue_wait() */
inline wait_for_record()
{
	do
	:: true ->
		/* Ordering (C) */
		ORDERED(waiting[me] = true, atomic { !ring_lock -> ready = (readable() || eof()) });
		if
		:: ready -> waiting[me] = false; break
		:: !ready -> asleep[me] = true;
end_asleep:		atomic { !waiting[me] -> asleep[me] = false }
		fi
	od;
	atomic { !ring_lock -> ready = (readable() || !eof()) }
}

proctype reader(byte me)
{
	byte n, room, end, next;
	bool got, due, ready;

	do
	:: n < READS ->
		n++;
		read();
		if
		:: got -> got = false
		:: else ->
			do
			:: true ->
				wait_for_record();
				if
				:: !ready -> goto done
				:: else
				fi;
				ready = false;
				read();
				if
				:: got -> got = false; break
				:: else
				fi
			od;
		fi;
		pass_on()
	/* The reader may also end earlier */
	:: true -> break
	od;
done:	skip
}

/* A poll() does not miss a record that was there all the time */
inline poll_check()
{
	was_empty = !readable();
	ring_readable(ready, t, h, l);
	atomic { assert(ready || was_empty); was_empty = false }
}

active proctype poller()
{
	byte t, h, l, room, end, next;
	bool got, due, ready;

	if :: exclusive = true :: skip fi;
	/* Ordering (C) */
	ORDERED(waiting[POLLER] = true, poll_check());
	do
	:: ready || eof() -> break
	:: else ->
		asleep[POLLER] = true;
end_asleep:	atomic { triggered -> asleep[POLLER] = false; triggered = false };
		poll_check()
	od;
	if
	:: exclusive -> read(); got = false; pass_on()
	:: else
	fi;
	waiting[POLLER] = false;
}

active proctype closer()
{
#ifdef CLOSE
	bool sleeper;

	/* The removal record */
	post();
	atomic { !ring_lock -> watched = false; notify_all() };
	/* watch_queue_notify_all() */
	writer = false;
	atomic { !ring_lock -> notify_all() }
#else
	skip
#endif
}

/* In a state without successors, a task sleeps only if there is nothing to read */
#ifndef LTL
active proctype monitor()
{
	timeout;
	assert(!asleep[POLLER] || !(readable() || eof()));
	assert(!asleep[0] || !(readable() || eof()));
	assert(!asleep[1] || !(readable() || eof()))
}
#else
#define stuck(who)	(asleep[who] && (readable() || eof()))
ltl woken { !<>[]stuck(0) && !<>[]stuck(1) && !<>[]stuck(POLLER) }
#endif

init {
	atomic { run reader(0); run reader(1) }
}
