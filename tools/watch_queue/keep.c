// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: watches that are added again when another object is at their path
 *
 * A watch belongs to an object and ends with it.  Not every kind of object has an event
 * when it appears at a path, so each second, watchq attempts to add the watches that
 * have ended.
 */
#include <errno.h>

#include "watchq.h"

#define INTERVAL_MS	1000

static bool enabled;
static bool ended[MAX_WATCHES];
static int failed[MAX_WATCHES];		/* the error of the last warning, or 0 */
static unsigned int next;		/* next watch of this round of attempts */
static long long due;			/* time of the next round, 0 for none */

void keep_enable(void)
{
	enabled = true;
}

/* A filesystem with several paths has one watch, and its end is that of all of them */
void keep_ended(unsigned int id)
{
	unsigned int other;

	if (!enabled || !watch_on_path(id))
		return;
	ended[id] = true;
	for (other = 0; other < MAX_WATCHES; other++)
		ended[other] |= watches_same_filesystem(id, other);
	/* A later filesystem may have the same device number */
	for (other = 0; other < MAX_WATCHES; other++)
		if (ended[other])
			watch_forget_filesystem(other);
	if (!due)
		due = now_ms() + INTERVAL_MS;
}

/* Does the queue have this watch, or another one on the same filesystem? */
static bool is_in_queue(unsigned int id, const struct queue_watch *list, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (list[i].id == id || watches_same_filesystem(list[i].id, id))
			return true;
	return false;
}

bool keep_removed(unsigned int id)
{
	const struct queue_watch *list;
	unsigned int i, nr;

	if (!enabled)
		return true;
	nr = fdinfo_watches(&list);
	for (i = 0; i < nr; i++)
		if (list[i].id == id)
			return false;
	keep_ended(id);
	return true;
}

bool keep_find_ended(void)
{
	const struct queue_watch *list;
	unsigned int id, nr;

	if (!enabled)
		return false;
	nr = fdinfo_watches(&list);
	for (id = 0; id < MAX_WATCHES; id++)
		if (!is_in_queue(id, list, nr))
			keep_ended(id);
	return due;
}

int keep_wait(void)
{
	return ms_until(due);
}

/* Is there no object of the right type at the path, as is usual for a while? */
static bool is_absent(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENODEV:
	case ENXIO:
	case ENOMEDIUM:
	case EINVAL:
		return true;
	default:
		return false;
	}
}

/* Is the filesystem watched by another path?  Its events have the ID of that watch. */
static bool has_twin(unsigned int id)
{
	unsigned int other;

	for (other = 0; other < MAX_WATCHES; other++)
		if (other != id && !ended[other] && watches_same_filesystem(id, other))
			return true;
	return false;
}

/* The reason may not go away by itself, such as a missing permission */
static void warn_once(unsigned int id, int error)
{
	if (is_absent(error) || error == failed[id])
		return;
	warn_watch(id, error);
	failed[id] = error;
}

int keep_retry(int queue)
{
	bool more = false;
	unsigned int id;

	if (!due || now_ms() < due)
		return -1;
	while (next < MAX_WATCHES) {
		id = next++;
		if (!ended[id])
			continue;
		if (watch_again(queue, id)) {
			ended[id] = false;
			failed[id] = 0;
			return id;
		}
		if (errno == EBUSY && has_twin(id))
			ended[id] = false;
		else
			warn_once(id, errno);
	}
	next = 0;
	for (id = 0; id < MAX_WATCHES; id++)
		more |= ended[id];
	due = more ? now_ms() + INTERVAL_MS : 0;
	return -1;
}
