/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring of kernel/watch_ring.h: what the models have in common
 *
 * A section of ring_lock is one step, an atomic that begins with !ring_lock, unless
 * it stores several values that are read without the lock.  In the latter case,
 * ring_lock is true between the steps.
 *
 * ORDERED(a, b) has a barrier between two accesses.  UNORDERED(a, b) has none: the
 * accesses take place in either order.
 */

#ifndef DEPTH
#define DEPTH	2
#endif
#ifndef ROOM
#define ROOM	DEPTH	/* at the start */
#endif
#define MASK	(DEPTH > 2 -> 3 : DEPTH - 1)

#define ORDERED(a, b)	a; b
#define UNORDERED(a, b)	if :: a; b :: b; a fi

/* Indices are not masked.  They wrap around after 255, near the start. */
#define FIRST		254
#define MINUS(a, b)	(((a) - (b)) & 255)

byte head = FIRST, tail = FIRST, limit = (FIRST + ROOM) & 255, marked = FIRST;
byte overrun, lost, lost_after[4];
bool ring_lock, pipe_mutex;

#define ring_full()	 (head == limit)
#define ring_empty()	 (MINUS(limit, head) == DEPTH && lost == 0)
#define ring_has_marks() (MINUS(marked, tail) > 0 && MINUS(marked, tail) < 128)

/* Without a lock */
inline ring_readable(result, t, h, l)
{
	t = tail;
	ORDERED(l = lost, h = head);
	atomic { result = (h != t || l != 0); t = 0; h = 0; l = 0 }
}

/* A model may define what happens when the ring becomes empty */
#ifndef EMPTIED
#define EMPTIED	skip
#endif
#define check_empty()	if :: head == tail && lost == 0 -> EMPTIED :: else fi
#define free_slots(to)	tail = to; limit = (to + DEPTH) & 255; check_empty()

/* Within an atomic: move the overrun to the slot of the newest record */
inline ring_mark_overrun()
{
	if
	:: overrun != 0 ->
		lost_after[(head - 1) & MASK] = overrun;
		marked = head;
		overrun = 0
	:: else
	fi
}

/* Within an atomic: return the end, or the first index with a loss before it */
inline ring_next_mark(index, stop)
{
	index = stop;
	if
	:: ring_has_marks() ->
		index = tail;
		do
		:: index == stop -> break
		:: index != stop && lost_after[index & MASK] != 0 -> index++; break
		:: index != stop && lost_after[index & MASK] == 0 -> index++
		od
	:: else
	fi
}

/* Within an atomic, with ring_lock: free the slots before to if no loss becomes due */
inline ring_consume(to)
{
	if
	:: overrun != 0 || ring_has_marks() ->
		ring_mark_overrun();
		if
		:: lost_after[(to - 1) & MASK] != 0 -> ring_lock = true
		:: else -> free_slots(to)
		fi
	:: else -> free_slots(to)
	fi
}

/* The rest of ring_consume(): the loss becomes due before the slots are free */
inline ring_consume_loss(to)
{
	ORDERED(lost = lost + lost_after[(to - 1) & MASK], tail = to);
	atomic {
		lost_after[(to - 1) & MASK] = 0;
		free_slots(to);
		ring_lock = false
	}
}
