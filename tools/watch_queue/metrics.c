// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: metrics in the text format of Prometheus, for node_exporter
 *
 * Memory and the number of time series are bounded: a source has at most MAX_SERIES
 * counters of problems and as many others, and MAX_FILESYSTEMS have a state.  Users can
 * create any number of objects, which must not take the counters of problems.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <syslog.h>
#include <unistd.h>

#include "watchq.h"

#define MAX_SERIES	512
#define MAX_FILESYSTEMS	1024
#define DELAY_S		1	/* from an event to the next update of the file */
#define INTERVAL_S	30	/* between updates without events */

/* Events of one type and severity about one object */
struct series {
	const char *source, *event;
	int priority;
	char object[256];	/* a label; empty for all objects without a series */
	unsigned long long events;
	unsigned long long suppressed;
	bool limited;		/* the source has a rate limit */
	time_t last;		/* time of the last event */
};

struct filesystem {
	unsigned long long id;
	char *dev, *name, *type;	/* "8:1", "sda1" or NULL, "ext4" */
	char *path;			/* at the last update of the file, or NULL */
	bool rdonly, by_error, shutdown, frozen;
	bool unprivileged;		/* it is not reported whether it is frozen */
	bool nodev;			/* print its states only if it is not healthy */
	bool unconfirmed;		/* not reported since the last loss */
};

static const char *file_name;
static char monitor[256];	/* a label, which differs between files in a directory */
static char *temporary;
static int timer = -1;
static long long due;		/* time of the next update */
static bool pending;		/* the timer expires after DELAY_S */
static int failed;		/* errno of the last update, or 0 */

static struct series *series;
static unsigned int nr_series;
static struct filesystem filesystems[MAX_FILESYSTEMS];
static unsigned int nr_filesystems;
static unsigned long long untracked;

/* The tables may be incomplete, so the file is not written on exit */
static void __noreturn out_of_memory(void)
{
	file_name = NULL;
	die(EXIT_FAILED, "out of memory");
}

static char *copy(const char *text)
{
	char *p = text ? strdup(text) : NULL;

	if (text && !p)
		out_of_memory();
	return p;
}

/* NULL if there is no such field */
static const char *text_of(const struct event *ev, const char *name)
{
	const struct field *field = event_field(ev, name);

	return field ? field->text : NULL;
}

/* 0 if there is no such field */
static unsigned long long number_of(const struct event *ev, const char *name)
{
	const struct field *field = event_field(ev, name);

	return field ? field->number : 0;
}

/*
 * The value of a label, without what does not fit.  It must be valid UTF-8, so each
 * invalid byte becomes U+FFFD.
 */
static void make_label(char *label, size_t size, const char *text)
{
	size_t used = 0, len;

	for (; *text; text += len ? len : 1) {
		char escape[] = { '\\', *text == '\n' ? 'n' : *text };
		const char *part = text;
		size_t n;

		len = utf8_len((const unsigned char *)text);
		n = len;
		if (!len) {
			part = "\xef\xbf\xbd";
			n = strlen(part);
		} else if (strchr("\n\"\\", *text)) {
			part = escape;
			n = sizeof(escape);
		}
		if (used + n >= size)
			break;
		memcpy(label + used, part, n);
		used += n;
	}
	label[used] = 0;
}

/*
 * Counters
 */

/* Two names are equal only if they have the same address, as they are not copied */
static struct series *find_series(const struct event *ev, const char *object)
{
	unsigned int i;

	for (i = 0; i < nr_series; i++)
		if (series[i].event == ev->name && series[i].source == ev->source &&
		    series[i].priority == ev->priority && !strcmp(series[i].object, object))
			return &series[i];
	return NULL;
}

static bool is_problem(int priority)
{
	return priority <= LOG_WARNING;
}

/* The number of counters that are limited together with that of the event */
static unsigned int count_series(const struct event *ev)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr_series; i++)
		n += series[i].source == ev->source &&
		     is_problem(series[i].priority) == is_problem(ev->priority);
	return n;
}

static struct series *add_series(const struct event *ev, const char *object)
{
	struct series *s;

	series = reallocarray(series, nr_series + 1, sizeof(*series));
	if (!series)
		out_of_memory();
	s = &series[nr_series++];
	*s = (struct series){
		.source = ev->source,
		.event = ev->name,
		.priority = ev->priority,
	};
	memcpy(s->object, object, strlen(object) + 1);
	return s;
}

static void count(const struct event *ev)
{
	char object[sizeof(series->object)];
	struct series *s;

	/* The subject of a loss is the number of records */
	make_label(object, sizeof(object), ev->priority == LOG_INFO ||
		   !strcmp(ev->name, "lost") ? "" : ev->subject);
	s = find_series(ev, object);
	if (!s && count_series(ev) >= MAX_SERIES) {
		*object = 0;
		s = find_series(ev, object);
	}
	if (!s)
		s = add_series(ev, object);
	s->events++;
	s->last = ev->time.tv_sec;
	s->suppressed += number_of(ev, "suppressed");
	if (event_field(ev, "suppressed"))
		s->limited = true;
}

/*
 * Filesystems
 */

static struct filesystem *find_filesystem(unsigned long long id)
{
	unsigned int i;

	for (i = 0; i < nr_filesystems; i++)
		if (filesystems[i].id == id)
			return &filesystems[i];
	return NULL;
}

/* Is the type one without a block device, such as overlay, nfs and fuse.sshfs? */
static bool is_nodev(const char *type)
{
	FILE *file = fopen("/proc/filesystems", "re");
	size_t len = strcspn(type, ".");
	char *line = NULL, *name;
	bool nodev = false;
	size_t size = 0;

	while (file && !nodev && getline(&line, &size, file) > 0) {
		name = strchr(line, '\t');
		nodev = name && name != line && !strncmp(name + 1, type, len) &&
			name[1 + len] == '\n';
	}
	free(line);
	if (file)
		fclose(file);
	return nodev;
}

static bool healthy(const struct filesystem *fs)
{
	return !fs->by_error && !fs->shutdown && !fs->frozen;
}

static void remove_filesystem(struct filesystem *fs)
{
	free(fs->dev);
	free(fs->name);
	free(fs->type);
	free(fs->path);
	*fs = filesystems[--nr_filesystems];
}

/* The labels of two filesystems must differ.  The number may be used again. */
static void remove_device(const char *dev)
{
	unsigned int i;

	for (i = nr_filesystems; i-- > 0; )
		if (!strcmp(filesystems[i].dev, dev))
			remove_filesystem(&filesystems[i]);
}

/* Returns NULL if the table is full.  One with a problem takes the place of another. */
static struct filesystem *add_filesystem(const struct filesystem *new)
{
	unsigned int i;

	if (nr_filesystems == MAX_FILESYSTEMS) {
		for (i = 0; i < nr_filesystems && !healthy(&filesystems[i]); i++)
			;
		if (healthy(new) || i == nr_filesystems) {
			untracked++;
			return NULL;
		}
		remove_filesystem(&filesystems[i]);
	}
	filesystems[nr_filesystems] = *new;
	return &filesystems[nr_filesystems++];
}

/* Error and quota records may have a state that is older than the last event */
static bool has_present_state(const struct event *ev)
{
	return strcmp(ev->name, "error") && strcmp(ev->name, "writeback-error") &&
	       strcmp(ev->name, "quota");
}

/*
 * The last records of a filesystem may follow the first one of another filesystem, which
 * has its device number.  Later filesystems have larger IDs.
 */
static bool has_newer_filesystem(const struct event *ev)
{
	const char *dev = text_of(ev, "dev");
	unsigned int i;

	for (i = 0; i < nr_filesystems; i++)
		if (!strcmp(filesystems[i].dev, dev) &&
		    filesystems[i].id > number_of(ev, "sb"))
			return true;
	return false;
}

static void update_filesystem(const struct event *ev)
{
	struct filesystem new = {
		.id = number_of(ev, "sb"),
		.rdonly = number_of(ev, "rdonly"),
		.by_error = number_of(ev, "by_error"),
		.shutdown = number_of(ev, "shutdown"),
	}, *fs = find_filesystem(new.id);

	if (fs) {
		new.frozen = fs->frozen;
		new.unprivileged = fs->unprivileged;
	}
	/* Only these events report whether the filesystem is frozen */
	if (!strcmp(ev->name, "state")) {
		new.frozen = number_of(ev, "frozen");
		new.unprivileged = number_of(ev, "unprivileged");
	} else if (!strcmp(ev->name, "frozen") || !strcmp(ev->name, "thawed")) {
		new.frozen = !strcmp(ev->name, "frozen");
	}

	if (!fs) {
		if (has_newer_filesystem(ev))
			return;
		remove_device(text_of(ev, "dev"));
		fs = add_filesystem(&new);
		if (!fs)
			return;
		fs->dev = copy(text_of(ev, "dev"));
		fs->name = copy(text_of(ev, "dev_name"));
		fs->type = copy(text_of(ev, "fs_type"));
		fs->nodev = fs->type && is_nodev(fs->type);
	}
	fs->unconfirmed = false;
	if (!has_present_state(ev))
		return;
	fs->rdonly = new.rdonly;
	fs->by_error = new.by_error;
	fs->shutdown = new.shutdown;
	fs->frozen = new.frozen;
	fs->unprivileged = new.unprivileged;
}

static void handle_sb(const struct event *ev)
{
	struct filesystem *fs;

	if (number_of(ev, "list_end"))
		return;
	if (!strcmp(ev->name, "gone")) {
		fs = find_filesystem(number_of(ev, "sb"));
		if (fs)
			remove_filesystem(fs);
	} else {
		update_filesystem(ev);
	}
}

static void handle_queue(const struct event *ev)
{
	const struct watch *watch = watch_by_id(number_of(ev, "watch"));
	struct filesystem *fs;

	if (watch && watch->source->type == WATCH_TYPE_SB_NOTIFY) {
		fs = find_filesystem(number_of(ev, "object"));
		if (fs)
			remove_filesystem(fs);
	}
}

void metrics_relist(void)
{
	unsigned int i;

	for (i = 0; i < nr_filesystems; i++)
		filesystems[i].unconfirmed = true;
}

/* Does one of the watches have this filesystem alone? */
static bool is_watched(const struct filesystem *fs, const struct queue_watch *list,
		       unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (list[i].type == WATCH_TYPE_SB_NOTIFY && list[i].object == fs->id)
			return true;
	return false;
}

/* The path of a watched filesystem may now be that of another one */
void metrics_listed(void)
{
	const struct queue_watch *list;
	unsigned int i, nr;

	nr = fdinfo_watches(&list);
	for (i = nr_filesystems; i-- > 0; )
		if (filesystems[i].unconfirmed && !is_watched(&filesystems[i], list, nr))
			remove_filesystem(&filesystems[i]);
}

/*
 * The file
 */

static void print_header(FILE *file, const char *name, const char *type, const char *help)
{
	fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_number(FILE *file, const char *name, const char *type, const char *help,
			 unsigned long long number)
{
	print_header(file, name, type, help);
	fprintf(file, "%s{monitor=\"%s\"} %llu\n", name, monitor, number);
}

static void print_series(FILE *file, const char *name, const struct series *s,
			 unsigned long long number)
{
	fprintf(file,
		"%s{monitor=\"%s\",source=\"%s\",event=\"%s\",priority=\"%s\",object=\"%s\"} %llu\n",
		name, monitor, s->source, s->event, priority_name(s->priority), s->object,
		number);
}

static void print_counters(FILE *file)
{
	const char *name = "watchq_events_total";
	unsigned int i;

	print_header(file, name, "counter",
		     "Events. An object without a counter of its own is counted as \"\".");
	for (i = 0; i < nr_series; i++)
		print_series(file, name, &series[i], series[i].events);
	name = "watchq_suppressed_events_total";
	print_header(file, name, "counter",
		     "Errors and quota warnings that the rate limit suppressed.");
	for (i = 0; i < nr_series; i++)
		if (series[i].limited)
			print_series(file, name, &series[i], series[i].suppressed);
	name = "watchq_last_event_timestamp_seconds";
	print_header(file, name, "gauge", "Time of the last event, since the Epoch.");
	for (i = 0; i < nr_series; i++)
		print_series(file, name, &series[i], series[i].last);
}

/* No event of a filesystem reports that its mount was attached or moved */
static void find_paths(void)
{
	unsigned int i, major, minor;

	mount_paths_forget();
	for (i = 0; i < nr_filesystems; i++) {
		if (sscanf(filesystems[i].dev, "%u:%u", &major, &minor) != 2)
			continue;
		free(filesystems[i].path);
		filesystems[i].path = copy(mount_path_of(major, minor));
	}
}

/* The labels after the first one are those of node_exporter */
static void print_state(FILE *file, const char *name, const struct filesystem *fs,
			bool state)
{
	char device[512], type[128], path[2 * PATH_MAX], dev[256];

	snprintf(dev, sizeof(dev), "%s%s", fs->name ? "/dev/" : "",
		 fs->name ? fs->name : fs->dev);
	make_label(device, sizeof(device), dev);
	make_label(type, sizeof(type), fs->type);
	make_label(path, sizeof(path), fs->path ? fs->path : "");
	fprintf(file, "%s{monitor=\"%s\",device=\"%s\",fstype=\"%s\",mountpoint=\"%s\"} %d\n",
		name, monitor, device, type, path, state);
}

static void print_filesystems(FILE *file)
{
	static const struct {
		const char *name, *help;
		size_t state;
	} gauges[] = {
		{ "watchq_filesystem_readonly", "The filesystem rejects changes.",
		  offsetof(struct filesystem, rdonly) },
		{ "watchq_filesystem_readonly_by_error",
		  "The filesystem rejects changes because of an error.",
		  offsetof(struct filesystem, by_error) },
		{ "watchq_filesystem_shutdown", "The filesystem was shut down.",
		  offsetof(struct filesystem, shutdown) },
		{ "watchq_filesystem_frozen", "The filesystem is frozen.",
		  offsetof(struct filesystem, frozen) },
	};
	unsigned int i, j;

	if (!watches_any(WATCH_TYPE_SB_NOTIFY))
		return;
	find_paths();
	for (i = 0; i < ARRAY_SIZE(gauges); i++) {
		print_header(file, gauges[i].name, "gauge", gauges[i].help);
		for (j = 0; j < nr_filesystems; j++) {
			const struct filesystem *fs = &filesystems[j];

			/* A host has several of them for each container */
			if (fs->nodev && healthy(fs))
				continue;
			if (fs->unprivileged &&
			    gauges[i].state == offsetof(struct filesystem, frozen))
				continue;
			print_state(file, gauges[i].name, fs,
				    *((const bool *)((const char *)fs + gauges[i].state)));
		}
	}
	print_number(file, "watchq_untracked_events_total", "counter",
		     "Events of filesystems without a state, as there are too many.", untracked);
}

static void print_queue(FILE *file)
{
	print_number(file, "watchq_lost_records_total", "counter", "Records that were lost.",
		     fdinfo_number("lost:"));
	print_number(file, "watchq_queue_records", "gauge", "Records in the queue.",
		     fdinfo_number("queued:"));
	print_number(file, "watchq_queue_size_records", "gauge",
		     "Records that the queue can hold.", fdinfo_number("depth:"));
	print_number(file, "watchq_unlogged_events_total", "counter",
		     "Events that could not be written to the journal or to standard error.",
		     journal_unlogged());
}

/* Returns false with errno */
static bool write_file(void)
{
	FILE *file = NULL;
	bool bad;
	int fd;

	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0)
		file = fdopen(fd, "w");
	if (!file)
		return false;
	print_counters(file);
	print_filesystems(file);
	print_queue(file);
	bad = ferror(file);
	bad |= fclose(file);
	return !bad;
}

/* Do not follow a link that another user has created.  Returns false with errno. */
static bool make_temporary(void)
{
	unlink(temporary);
	return write_file();
}

/* Readers get the old file or the new one.  Returns false with errno. */
static bool replace_file(void)
{
	int error;

	if (make_temporary() && !rename(temporary, file_name))
		return true;
	error = errno;
	unlink(temporary);
	errno = error;
	return false;
}

static void set_timer(unsigned int seconds)
{
	struct itimerspec when = { .it_value.tv_sec = seconds };

	if (timerfd_settime(timer, 0, &when, NULL))
		die(EXIT_FAILED, "timerfd_settime: %s", strerror(errno));
	due = now_ms() + 1000 * seconds;
}

void metrics_write(void)
{
	static bool writing;
	int error;

	/* An error while the file is written is the reason of the exit */
	if (!file_name || writing)
		return;
	writing = true;
	error = replace_file() ? 0 : errno;
	if (error && !failed)
		warn("--metrics %s: %s", file_name, strerror(error));
	failed = error;
	pending = false;
	set_timer(INTERVAL_S);
	writing = false;
}

void metrics_event(const struct event *ev, bool reported)
{
	/* An event of a later kernel has none of the fields of its source */
	bool known = strcmp(ev->name, "unknown");

	if (known && !strcmp(ev->source, "sb"))
		handle_sb(ev);
	else if (known && !strcmp(ev->source, "queue"))
		handle_queue(ev);
	/* A state is not a change, and is reported again after a loss */
	if (reported && strcmp(ev->name, "state"))
		count(ev);
	if (!pending)
		set_timer(DELAY_S);
	pending = true;
	/* The output of the events of one read() may take long, as it may block */
	if (!ms_until(due))
		metrics_write();
}

/*
 * node_exporter reads the files of several services in a directory, and rejects series
 * with the same labels.  The label is the name of the file without its suffix.
 */
static void set_monitor(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = copy(slash ? slash + 1 : path), *suffix = strrchr(name, '.');

	if (suffix && !strcmp(suffix, ".prom"))
		*suffix = 0;
	make_label(monitor, sizeof(monitor), name);
	free(name);
}

/* A name in the directory of the file.  Other programs do not use such a name. */
static void set_temporary(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (asprintf(&temporary, "%.*s.%s.watchq-new", (int)(name - path), path, name) < 0)
		die(EXIT_FAILED, "out of memory");
}

/*
 * Only check that the file can be written: the states of the filesystems, which are in
 * the queue, must be in the first version of the file.
 */
int metrics_open(const char *path)
{
	struct stat old;
	int error;

	if (!lstat(path, &old) && !S_ISREG(old.st_mode))
		die(EXIT_USAGE, "--metrics %s: not a regular file", path);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (timer < 0)
		die(EXIT_FAILED, "--metrics: %s", strerror(errno));
	file_name = path;
	set_temporary(path);
	set_monitor(path);
	error = make_temporary() ? 0 : errno;
	unlink(temporary);
	/* If there is no space now, metrics_write() prints a message and tries again */
	if (error && error != ENOSPC)
		die(status_of(error), "--metrics %s: %s", path, strerror(error));
	pending = true;
	set_timer(DELAY_S);
	return timer;
}
