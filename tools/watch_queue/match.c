// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: selection of the events that are reported
 *
 * The kernel applies --filter before an event is queued.  The options here depend on
 * the decoded event.
 */
#include <fnmatch.h>
#include <syslog.h>

#include "watchq.h"

static int max_priority = LOG_DEBUG;	/* a larger number is less severe */

void match_priority(const char *name)
{
	max_priority = priority_by_name(name);
	if (max_priority < 0)
		die(EXIT_USAGE, "--priority %s: must be info, notice, warning or error", name);
}

/* --match */
static struct pattern {
	const char *field, *glob;
	struct pattern *next;
} *patterns;

void match_field(const char *text)
{
	size_t len = strcspn(text, "=");
	const char *field = field_name(text, len);
	struct pattern *pattern;

	if (!field || !text[len])
		die(EXIT_USAGE, "--match %s: must be FIELD=GLOB, with a field of watchq(1)",
		    text);
	pattern = malloc(sizeof(*pattern));
	if (!pattern)
		die(EXIT_FAILED, "out of memory");
	*pattern = (struct pattern){ field, text + len + 1, patterns };
	patterns = pattern;
}

/* Does the event match any pattern for this field? */
static bool match_patterns(const struct event *ev, const char *name)
{
	const struct field *field = event_field(ev, name);
	const struct pattern *p;

	for (p = patterns; field && p; p = p->next)
		if (p->field == name && !fnmatch(p->glob, field_value(field), FNM_EXTMATCH))
			return true;
	return false;
}

bool match_event(const struct event *ev)
{
	const struct pattern *p;

	/* The lost records may be of any type */
	if (!strcmp(ev->source, "queue"))
		return true;
	if (ev->priority > max_priority)
		return false;
	for (p = patterns; p; p = p->next)
		if (!match_patterns(ev, p->field))
			return false;
	return true;
}
