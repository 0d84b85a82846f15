/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of kernel/watch_ring.h and their losses
 *
 * Two posters and two readers.  Each record has a number, also if it is lost.  The
 * readers must get each number once and in order, or a loss in its place.
 */

#define ROOM	0	/* the ring has no size yet */
#include "ring.pml"

#ifndef POSTS
#define POSTS	3	/* of each poster */
#endif
#ifndef READS
#define READS	2	/* of each reader */
#endif
#define CHUNK	2	/* WATCH_RING_CHUNK */

byte slot[4];
byte posted;		/* number of the next record */
byte expected;		/* number of the next record that a reader must get */
byte nr_read, nr_lost;
bool sized;		/* without a size, losses are due immediately */

inline deliver(number)
{
	d_step { assert(number == expected); expected++ }
}

active [2] proctype poster()
{
	byte n, at;

	do
	:: n == POSTS -> break
	:: n != POSTS ->
		n++;
		if
		:: atomic { !ring_lock && ring_full() && sized -> overrun++; posted++ }
		:: atomic { !ring_lock && ring_full() && !sized -> lost++; nr_lost++; posted++ }
		:: atomic { !ring_lock && !ring_full() -> ring_lock = true; at = head };
			/* Ordering (A) */
			ORDERED(slot[at & MASK] = posted, head = (at + 1) & 255);
			atomic { posted++; ring_lock = false }
		fi
	od
}

/* Copy the records from i to next */
inline copy()
{
	do
	:: i != next -> deliver(slot[i & MASK]); i++
	:: i == next -> break
	od
}

inline consume()
{
	atomic {
		!ring_lock;
		nr_read = nr_read + MINUS(next, tail);
		nr_lost = nr_lost + overrun;
		ring_consume(next);
		due = ring_lock
	};
	if
	:: due -> ring_consume_loss(next); due = false
	:: else
	fi
}

inline read(size)
{
	atomic { !pipe_mutex -> pipe_mutex = true; room = size };
	/* Ordering (A) */
	end = head;
	do
	:: lost != 0 && room != 0 ->
		atomic { next = lost; expected = expected + lost; room-- };
		atomic { !ring_lock -> lost = lost - next; next = 0 }
	:: lost == 0 && room != 0 && tail != end ->
		atomic {
			next = (MINUS(end, tail) > CHUNK -> tail + CHUNK : end);
			i = next;
			ring_next_mark(next, i);
			i = tail;
			if
			:: MINUS(next, i) > room -> next = i + room
			:: else
			fi;
			room = room - MINUS(next, i)
		};
		/* Ordering (B) */
		ORDERED(copy(), consume())
	:: room == 0 || (lost == 0 && tail == end) -> break
	od;
	atomic { end = 0; next = 0; i = 0; room = 0; pipe_mutex = false }
}

proctype reader()
{
	byte n, room, end, next, i;
	bool due;

	do
	:: n == READS -> break
	:: n != READS ->
		n++;
		if
		:: read(1)
		:: read(3)
		fi
	od
}

/* watch_ring_resize() */
active proctype sizer()
{
	atomic { !pipe_mutex && !ring_lock -> sized = true; limit = (tail + DEPTH) & 255 }
}

/* After the last post, a reader gets everything that is left */
active proctype monitor()
{
	byte room, end, next, i;
	bool due;

	timeout;
	read(100);
	assert(expected == posted);
	assert(head == tail && lost == 0 && overrun == 0);
	assert(lost_after[0] + lost_after[1] + lost_after[2] + lost_after[3] == 0);
	assert(nr_read + nr_lost == posted)
}

init {
	atomic { run reader(); run reader() }
}
