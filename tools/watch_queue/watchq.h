/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of watchq share
 */
#ifndef _WATCHQ_H
#define _WATCHQ_H

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "watch_records.h"

/* Exit status, documented in watchq.1 */
enum {
	EXIT_DONE	= 0,
	EXIT_FAILED	= 1,	/* something else than what follows */
	EXIT_USAGE	= 2,
	EXIT_KERNEL	= 3,	/* has no queue, or no such events */
	EXIT_PERMISSION	= 4,	/* to watch this, or so much of it, is not allowed */
	EXIT_TIMEOUT	= 5,
};

/* To stderr, after the name of the program */
void __printf(1, 2) complain(const char *format, ...);
void __noreturn __printf(2, 3) fail(int status, const char *format, ...);

/*
 * events.c: records made into what can be shown
 */

/* One line of the documentation's table of fields */
struct field {
	const char *name;
	enum { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG } kind;
	bool hidden;			/* from people, who see the name of it */
	const char *text;
	unsigned long long number;	/* or the flag */
};

#define MAX_FIELDS	20
#define MAX_TEXT	65536		/* of one event, which may have six paths */

struct event {
	const char *source, *name;	/* as --filter has them */
	const char *subject;		/* for people: what it is about */
	bool bad;			/* something is broken, or lost */
	struct field fields[MAX_FIELDS];
	unsigned int nr_fields;
	char text[MAX_TEXT];		/* of the fields */
	size_t used;
};

/* A source of events, and its options */
struct source {
	const char *name;		/* --filter NAME */
	unsigned int type;
	const char * const *events;	/* by subtype */
	unsigned int nr_events;
	void (*decode)(struct event *ev, const union watch_record *rec);
};

extern const struct source sources[];
extern const unsigned int nr_sources;

const struct source *source_by_type(unsigned int type);
const struct source *source_by_name(const char *name, size_t len);
void event_decode(struct event *ev, const union watch_record *rec);

/*
 * names.c: what the numbers of a record are called; NULL for what has no name (any
 * more)
 */
const char *name_of_device(char *buf, size_t size, unsigned int major,
			   unsigned int minor);	/* a block device */
/* "user" and "demo", in one buffer */
bool name_of_key(char *buf, size_t size, unsigned int key, const char **type,
		 const char **name);
const char *name_of_error(unsigned int error);
const char *name_of_owner(unsigned int type, unsigned int id);

/*
 * mounts.c: where mounts are, and were
 */
struct mount {
	unsigned long long id;
	struct mount *next;		/* with the same hash */
	bool gone;			/* to be forgotten when nothing can ask for it */
	const char *fs_type;		/* after the path in its memory */
	char path[];
};

/* All of them, now; @told: records will say when they go, and where they move */
void mounts_read(bool told);
/* Where it is, or was seen last; NULL if it never was */
const struct mount *mount_find(unsigned long long id);
void mount_gone(unsigned long long id);
void mounts_settle(int queue);		/* if nothing waits there */

/*
 * watches.c: the queue, and what is watched
 */
struct watch {
	const struct source *source;
	const char *object;		/* as it was named */
	bool subtree;			/* mounts below it, too */
};

void watch_ask(const char *source, const char *object);	/* an option's */
void watch_subtree(void);		/* of the last one asked for */
void filter_ask(const char *text);
int watches_open(unsigned long depth);	/* the read end of the queue */
const struct watch *watch_by_id(unsigned int id);
bool watches_any(unsigned int type);
void watches_read_mounts(void);		/* if any is watched */

/*
 * output.c: events to where they go
 */
struct output {
	enum { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_EXEC } format;
	char end;			/* of an event: a newline, or 0 */
	bool colour;
	const char *command;		/* for OUTPUT_EXEC */
};

/* What is said is gathered until output_flush().  False: a signal came meanwhile */
bool output_event(const struct output *out, const struct event *ev);
/*
 * Write it, or only if it is much.  False: nobody takes it any more, or for now, and a
 * signal came at @signals
 */
bool output_flush(int signals, bool all);

#endif /* _WATCHQ_H */
