// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: selection of the events that are reported
 *
 * The kernel applies --filter before an event is queued.  The options here depend on
 * the decoded event.
 */
#include <syslog.h>

#include "watchq.h"

static int max_priority = LOG_DEBUG;	/* a larger number is less severe */

void match_priority(const char *name)
{
	max_priority = priority_by_name(name);
	if (max_priority < 0)
		die(EXIT_USAGE, "--priority %s: must be info, notice, warning or error", name);
}

bool match_event(const struct event *ev)
{
	/* A loss could be of any event */
	if (!strcmp(ev->source, "queue"))
		return true;
	return ev->priority <= max_priority;
}
