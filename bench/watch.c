// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adding and removing watches in the presence of many others, and memory use
 *
 * "object": the object has @nr other watches, all of one other queue.
 * "queue": the queue watches @nr other objects.  "both": the queue has @nr other
 * watches on the same object, so both lists are long.  One watch list can serve
 * several objects that are distinguished by ID; therefore one queue can have many
 * watches on a list.
 */
#include "bench.h"

#include <sys/syscall.h>
#include <unistd.h>

#define MINE	(1ULL << 32)	/* ID of the first watch to add or remove */

static int other_object, other_queue[2];
static unsigned int removed;

static void watch(int obj, int q, uint64_t id, unsigned int nr)
{
	driver(obj, WQBENCH_WATCH, (struct wqbench){
		.fd = q, .id = id, .nr = nr,
	});
}

static void remove_mine(const struct scenario *s)
{
	driver_ok(object, WQBENCH_UNWATCH, (struct wqbench){
		.fd = queue[0], .id = MINE, .nr = 1,
	});
}

/* The watches to remove, one per repetition, are the oldest ones on their lists */
static bool setup_none(const struct scenario *s)
{
	removed = 0;
	object = open_object();
	other_object = open_object();
	if (!open_queue(queue, 32) || !open_queue(other_queue, 32))
		return false;
	watch(object, queue[0], MINE, REPETITIONS);
	return true;
}

static bool setup_object(const struct scenario *s)
{
	if (!setup_none(s))
		return false;
	watch(object, other_queue[0], 0, s->nr);
	return true;
}

static bool setup_queue(const struct scenario *s)
{
	if (!setup_none(s))
		return false;
	watch(other_object, queue[0], 0, s->nr);
	return true;
}

static bool setup_both(const struct scenario *s)
{
	if (!setup_none(s))
		return false;
	watch(object, queue[0], 0, s->nr);
	return true;
}

static uint64_t run_add(const struct scenario *s)
{
	return driver(object, WQBENCH_WATCH, (struct wqbench){
		.fd = queue[0], .id = MINE, .nr = 1,
	});
}

static uint64_t run_remove(const struct scenario *s)
{
	return driver(object, WQBENCH_UNWATCH, (struct wqbench){
		.fd = queue[0], .id = MINE + removed++, .nr = 1,
	});
}

/* Change the credentials, so that they differ from those of the queue's opener */
static bool setup_other_cred(const struct scenario *s)
{
	gid_t group = 1;

	return setup_none(s) && !syscall(SYS_setgroups, 1, &group);
}

/* Each watch is on another object */
static bool setup_close(const struct scenario *s)
{
	if (!open_queue(queue, 32))
		return false;
	for (unsigned int i = 0; i < s->nr; i++)
		watch(open_object(), queue[0], 0, 1);
	return true;
}

static uint64_t run_close(const struct scenario *s)
{
	uint64_t start;

	close(queue[1]);
	start = ticks();
	close(queue[0]);
	return ticks() - start;
}

/*
 * Memory, in bytes
 */

static uint64_t pages(void)
{
	return driver(object, WQBENCH_FREE, (struct wqbench){ });
}

static uint64_t took(uint64_t before)
{
	uint64_t after = pages();

	return before > after ? (before - after) * getpagesize() : 0;
}

/* Use several objects: adding a watch searches the watches of the object */
static int objects[64];

static bool setup_memory(const struct scenario *s)
{
	int fds[2];

	/* The first allocation of a kind allocates more than one object */
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = open_object();
	object = objects[0];
	return open_queue(queue, 32) && open_queue(fds, s->len);
}

static uint64_t run_queues(const struct scenario *s)
{
	uint64_t before = pages();

	for (unsigned int i = 0; i < s->ops; i++)
		if (!open_queue(queue, s->len))
			die(s->name);
	return took(before);
}

static uint64_t run_watches(const struct scenario *s)
{
	uint64_t before = pages();

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		watch(objects[i], queue[0], 0, s->ops / ARRAY_SIZE(objects));
	return took(before);
}

#define ADD(WHERE, NR)							\
	{ "add-" #WHERE "-" #NR, .setup = setup_##WHERE,		\
	  .prepare = remove_mine, .run = run_add, .ops = 1, .nr = NR }
#define REMOVE(WHERE, NR)						\
	{ "remove-" #WHERE "-" #NR, .setup = setup_##WHERE,		\
	  .run = run_remove, .ops = 1, .nr = NR }
#define QUEUES(DEPTH, NR)						\
	{ "mem-queue-" #DEPTH, .setup = setup_memory, .run = run_queues,\
	  .ops = NR, .len = DEPTH, .once = true }

struct group watch_rows(void)
{
	static const struct scenario rows[] = {
		ADD(object, 0),
		ADD(object, 100),
		ADD(object, 10000),
		ADD(queue, 100),
		ADD(queue, 10000),
		{ "add-other-cred", .setup = setup_other_cred,
		  .prepare = remove_mine, .run = run_add, .ops = 1 },
		ADD(both, 100),
		ADD(both, 10000),
		REMOVE(object, 0),
		REMOVE(object, 100),
		REMOVE(object, 10000),
		REMOVE(queue, 100),
		REMOVE(queue, 10000),
		REMOVE(both, 100),
		REMOVE(both, 10000),
		{ "close-0w", .setup = setup_close, .run = run_close,
		  .ops = 1, .once = true },
		{ "close-10000w-each", .setup = setup_close, .run = run_close,
		  .ops = 10000, .nr = 10000, .once = true },
		QUEUES(0, 512),
		QUEUES(256, 512),
		QUEUES(8192, 64),
		{ "mem-watch", .setup = setup_memory, .run = run_watches,
		  .ops = 1 << 16, .len = 32, .once = true },
	};

	return GROUP(rows);
}
