/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * watchq: definitions shared by its source files
 */
#ifndef _WATCHQ_H
#define _WATCHQ_H

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "watch_records.h"

#define WATCHQ_VERSION	"2.0"

/* Exit status, documented in watchq.1 */
enum {
	EXIT_DONE	= 0,
	EXIT_FAILED	= 1,	/* any other failure */
	EXIT_USAGE	= 2,
	EXIT_KERNEL	= 3,	/* no support for the queue or the type of the watch */
	EXIT_PERMISSION	= 4,	/* permission denied, or a limit reached */
	EXIT_TIMEOUT	= 5,
	EXIT_ENDED	= 6,	/* no watch is left */
};

extern bool quiet;		/* --quiet */
extern const char *message_place; /* "FILE:LINE" that messages are about, or NULL */

/* Print a message to stderr, after the name of the program */
void __printf(1, 2) warn(const char *format, ...);
/* The same, unless --quiet is specified */
void __printf(1, 2) inform(const char *format, ...);
void __noreturn __printf(2, 3) die(int status, const char *format, ...);
/* The exit status if a file cannot be opened or written */
int status_of(int error);

/* The time of CLOCK_MONOTONIC in milliseconds */
long long now_ms(void);
/* Milliseconds until this time, or -1 if it is 0 */
int ms_until(long long time);

/*
 * events.c: decoding of records
 */

/* A field of an event, documented in watchq.1 */
struct field {
	const char *name;
	enum { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG } kind;
	bool hidden;			/* not part of text output */
	const char *text;
	unsigned long long number;	/* 0 or 1 for a flag */
};

#define MAX_FIELDS	32
/* The strings of a mount; the kernel does not report a mount with longer ones */
#define MAX_MOUNT_TEXT	65536
/* The strings of an event: three mounts, the former options of one, and short ones */
#define MAX_TEXT	(5 * MAX_MOUNT_TEXT)

struct event {
	const char *source, *name;	/* as in --filter */
	const char *subject;		/* the object, in text output; not a copy */
	struct timespec time;		/* when it was read */
	int priority;			/* LOG_ERR to LOG_INFO, see syslog(3) */
	struct field fields[MAX_FIELDS];
	unsigned int nr_fields;
	char text[MAX_TEXT];		/* strings of the fields */
	size_t used;
};

struct event_type {
	const char *name;
	int priority;
};

/* A source of events */
struct source {
	const char *name;		/* --filter NAME */
	unsigned int type;
	const struct event_type *events; /* indexed by subtype */
	unsigned int nr_events;
	void (*decode)(struct event *ev, const union watch_record *rec);
};

extern const struct source sources[];
extern const unsigned int nr_sources;

const struct source *source_by_type(unsigned int type);
const struct source *source_by_name(const char *name, size_t len);
/* The name of a field that events can have, or NULL */
const char *field_name(const char *name, size_t len);
/* Returns NULL if the event does not have the field */
const struct field *event_field(const struct event *ev, const char *name);
/* The text or the number of a field, which is valid until the next call */
const char *field_value(const struct field *field);
const char *priority_name(int priority);
/* Returns -1 if there is no such name */
int priority_by_name(const char *name);
/* Records of another read() follow */
void events_begin(void);
void event_decode(struct event *ev, const union watch_record *rec);
/* An event without a record: a watch was added again */
void event_resumed(struct event *ev, unsigned int id);

/*
 * names.c: names of the numbers in a record; NULL if there is no name
 */

/* Name of a block device */
const char *name_of_device(char *buf, size_t size, unsigned int major,
			   unsigned int minor);
/* Type and description of a key, stored in @buf; false if the key cannot be read */
bool name_of_key(char *buf, size_t size, unsigned int key, const char **type,
		 const char **name);
const char *name_of_error(unsigned int error);
const char *name_of_owner(unsigned int type, unsigned int id);

/*
 * mounts.c: current and former paths of mounts
 *
 * A mount namespace is specified by its ID, that of the caller also by 0.
 */
struct mount {
	unsigned long long id;
	struct mount *next;		/* in the hash chain */
	bool gone;			/* free it when the queue is empty */
	const char *fs_root;		/* stored after @path, like the other strings */
	const char *options;		/* of the mount and of the filesystem */
	const char *fs_source;		/* NULL if it is unknown */
	char path[];
};

/*
 * Mark all cached mounts as gone, before they are read again; @events: unmounts and
 * moves are reported by events
 */
void mounts_forget(bool events);
/* Cache all mounts of a namespace, unless mounts_forget() was called without events */
void mounts_read(unsigned long long ns);
/* The mount with its last known path, or NULL */
const struct mount *mount_find(unsigned long long id, unsigned long long ns);
/* The same as of the previous mount_find() or mounts_read() */
const struct mount *mount_cached(unsigned long long id);
void mount_gone(unsigned long long id);
/* Free the mounts that are gone if the queue is empty, or if there are many */
void mounts_settle(int queue);
/*
 * Where the filesystem with this device number is mounted, or NULL.  Valid until
 * mount_paths_forget().
 */
const char *mount_path_of(unsigned int major, unsigned int minor);
/* Have the next mount_path_of() read all mounts again */
void mount_paths_forget(void);
/* Decode the octal numbers of text output and of /proc/self/mountinfo */
void unescape(char *text);
/* Device number of the filesystem of an open file, 0 if it is unknown */
unsigned long long filesystem_of(int fd);
/* Is the file on autofs, where another filesystem will be mounted? */
bool is_automount_point(int fd);
/* Is the file the root directory of a mount? */
bool is_mount_root(int fd);
/*
 * Open the file of a mount namespace, which is open with O_PATH, for reading, and store
 * the ID of the namespace.  Returns -1 if it is not such a file.
 */
int open_namespace(int fd, unsigned long long *id);

/*
 * watches.c: the queue, its watches and its filter
 */
#define MAX_WATCHES	256		/* number of watch IDs */

struct watch {
	const struct source *source;
	const char *object;		/* as specified by the option */
	const char *place;		/* "FILE:LINE" of --watches, or NULL */
	bool all;			/* all objects of the source */
	bool subtree;			/* include the mounts below */
	unsigned int only;		/* subtypes to report, 0 for all */
	bool mount_root;		/* a filesystem, by the root of a mount */
	bool unprivileged;		/* the user was warned of missing events */
	unsigned long long filesystem;	/* see filesystem_of() */
	unsigned long long namespace;	/* ID of the watched mount namespace, or 0 */
};

unsigned int watches_count(void);
void add_watch(const char *source, const char *object);
/* Make the last watch that was added include the mounts below */
void set_subtree(void);
/* Report only these events of the last watch that was added */
void set_only(const char *text);
/* Ignore filesystems that are not owned by the initial user namespace */
void set_no_user_ns(void);
void add_filter(const char *text);
/* The default size of the queue in records */
unsigned long watches_depth(void);
/* Create the queue with its watches; returns the read end */
int watches_open(unsigned long depth);
/* Queue each change of the state of a filesystem, even if --filter rejects it */
void set_track_states(void);
/* Is the record to be reported, as far as its watch and its type determine this? */
bool watches_report(const union watch_record *rec);
const struct watch *watch_by_id(unsigned int id);
/* Is it a watch on a path, where another object may appear? */
bool watch_on_path(unsigned int id);
/* Do two watches on paths have the same filesystem? */
bool watches_same_filesystem(unsigned int id, unsigned int other);
/* The watch has ended, so its filesystem is not compared any longer */
void watch_forget_filesystem(unsigned int id);
/* Add a watch that has ended.  Returns false with errno if it fails. */
bool watch_again(int queue, unsigned int id);
/* Print why this has failed */
void warn_watch(unsigned int id, int error);
/*
 * Have the states of the watched filesystems reported again.  Returns false if none of
 * them is watched any longer.
 */
bool watches_report_states(int queue);
bool watches_any(unsigned int type);
/* Cache all mounts of the namespaces with a watched mount */
void watches_read_mounts(void);

/*
 * fdinfo.c: what /proc/self/fdinfo shows of the queue
 */
struct queue_watch {
	unsigned int type, id;
	unsigned long long object;	/* such as the sb_id of a filesystem */
};

/* Returns false with errno */
bool fdinfo_open(int queue);
/* The number after "NAME:", which includes losses that are not reported yet */
unsigned long long fdinfo_number(const char *name);
/* Store the watches that the queue has, and return the number of them */
unsigned int fdinfo_watches(const struct queue_watch **list);

/*
 * keep.c: watches that are added again, for --keep
 */
void keep_enable(void);
/* The watch has ended */
void keep_ended(unsigned int id);
/* Handle a removal record.  Returns false if the watch has been added again. */
bool keep_removed(unsigned int id);
/*
 * Records may have been lost: find the watches that the queue does not have any longer.
 * Returns false if there is none that can be added again.
 */
bool keep_find_ended(void);
/* Milliseconds until the next attempt to add a watch, or -1 */
int keep_wait(void);
/* Attempt to add a watch if it is time.  Returns its ID, or -1 if there is none. */
int keep_retry(int queue);

/*
 * match.c: selection of the events that are reported
 */
void match_priority(const char *name);
/* FIELD=GLOB */
void match_field(const char *text);
/* Is the event to be reported?  Those of the queue itself always are. */
bool match_event(const struct event *ev);

/*
 * utf8.c: characters of names
 */

/* Length in bytes of the UTF-8 character at @p, 0 if it is not valid */
unsigned int utf8_len(const unsigned char *p);
/* The code point of the @len bytes at @p */
unsigned int utf8_char(const unsigned char *p, unsigned int len);
/* Columns on a terminal, such as 2 for a Chinese character */
unsigned int utf8_width(unsigned int c);
/* Control, blank and invisible characters, and characters that change the direction */
bool utf8_harmful(unsigned int c);

/*
 * output.c: output of events
 */
struct output {
	enum { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_JOURNAL, OUTPUT_EXEC } format;
	bool columns;			/* see text_set_columns() */
	char end;			/* terminator of an event: newline or 0 */
	bool colour;
	const char *time;		/* format in text lines, or "" for the default */
	const char *command;		/* for OUTPUT_EXEC */
};

/*
 * Add an event to the buffer, or run the command for it.  Returns false if a signal
 * arrived while the command was running.
 */
bool output_event(const struct output *out, const struct event *ev);
/*
 * Write the buffer if @all, or if it is large.  Returns false if the reader of the
 * output is gone, or if it blocks and a signal is pending at @signals.
 */
bool output_flush(int signals, bool all);
/* The name of the variable of --exec for a field */
void output_variable(char *variable, size_t size, const char *name);

/*
 * watchq.c
 */

/* Is one of the signals pending that end the program? */
bool exit_pending(void);

/*
 * journal.c: output of events to the journal
 */

/*
 * Write an event to the journal, or to stderr if the journal is dead or blocks.
 * Returns false to exit.
 */
bool journal_event(const struct event *ev);
/* Number of events that neither of them accepted */
unsigned long long journal_unlogged(void);

/*
 * metrics.c: counters and states in a file
 */

/* Create the file.  Returns a timer: call metrics_write() when it has expired. */
int metrics_open(const char *path);
/* @reported: count the event */
void metrics_event(const struct event *ev, bool reported);
/* The states of all filesystems will be reported again */
void metrics_relist(void);
/* All of them were reported: remove the filesystems that are not watched */
void metrics_listed(void);
void metrics_write(void);

/*
 * notify.c: notification of the service manager
 */
void notify_ready(void);

/*
 * text.c: text lines
 */
/* Print the fields FIELD,FIELD... as columns */
void text_set_columns(const char *list);
/* Exit if strftime() does not accept the format */
void text_check_time(const char *format);
void print_text(FILE *to, const struct output *out, const struct event *ev);

/*
 * options.c: the command line
 */
struct options {
	struct output output;
	const char *watches;		/* file with more watches, or NULL */
	bool statistics;
	unsigned long depth;
	unsigned long long count;	/* exit after so many events, 0 for no limit */
	long long timeout;		/* milliseconds, -1 for none */
	bool journal;
	const char *metrics;		/* file, or NULL */
};

/* Watches and filters are added while they are parsed */
struct options parse_options(int argc, char **argv);

#endif /* _WATCHQ_H */
