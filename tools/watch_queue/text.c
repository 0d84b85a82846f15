// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: text lines
 *
 * Characters that could control the terminal or imitate a line or a field are printed
 * in octal, as in /proc/mounts.
 */
#include <syslog.h>

#include "watchq.h"

/* Returns the number of columns on a terminal */
static int print_plain(FILE *to, const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	unsigned int len;
	int width = 0;

	for (; *p; p += len) {
		len = utf8_len(p);
		if (len && !strchr(" \\", *p) && !utf8_harmful(utf8_char(p, len))) {
			fwrite(p, len, 1, to);
			width += utf8_width(utf8_char(p, len));
		} else {
			len = 1;
			width += fprintf(to, "\\%03o", *p);
		}
	}
	return width;
}

/* ISO 8601, with microseconds */
static void print_iso(FILE *to, const struct timespec *time, const struct tm *tm)
{
	char date[32], zone[8];

	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", tm);
	strftime(zone, sizeof(zone), "%z", tm);
	fprintf(to, "%s.%06ld%s ", date, time->tv_nsec / 1000, zone);
}

#define MAX_TIME	256		/* bytes of a formatted time */

static void print_time(FILE *to, const char *format, const struct timespec *time)
{
	char text[MAX_TIME];
	struct tm tm;

	localtime_r(&time->tv_sec, &tm);
	if (!*format)
		print_iso(to, time, &tm);
	else if (strftime(text, sizeof(text), format, &tm))
		fprintf(to, "%s ", text);
}

void text_check_time(const char *format)
{
	/* Names of days and months may be longer at another time */
	char text[MAX_TIME / 2];
	time_t now = time(NULL);

	if (!strftime(text, sizeof(text), format, localtime(&now)))
		die(EXIT_USAGE, "--time=%s: the time is empty or longer than %zu bytes",
		    format, sizeof(text) - 1);
}

/*
 * --output: the values of some fields.  A column is as wide as the widest value so far.
 */

#define MAX_COLUMNS	32
#define MAX_WIDTH	40		/* longer values do not widen the column */

static struct {
	const char *field;
	int width;
} columns[MAX_COLUMNS];
static unsigned int nr_columns;

void text_set_columns(const char *list)
{
	size_t len;

	for (nr_columns = 0; ; list += len + 1) {
		len = strcspn(list, ",");
		if (nr_columns == MAX_COLUMNS)
			die(EXIT_USAGE, "--output: more than %d columns", MAX_COLUMNS);
		columns[nr_columns].field = field_name(list, len);
		if (!columns[nr_columns++].field)
			die(EXIT_USAGE, "--output: no event has a field \"%.*s\", see watchq(1)",
			    (int)len, list);
		if (!list[len])
			return;
	}
}

static void print_columns(FILE *to, const struct event *ev)
{
	unsigned int i;

	for (i = 0; i < nr_columns; i++) {
		const struct field *field = event_field(ev, columns[i].field);
		const char *value = field ? field_value(field) : "";
		int width = print_plain(to, *value ? value : "-");

		if (i == nr_columns - 1)
			break;
		if (width > columns[i].width)
			columns[i].width = width < MAX_WIDTH ? width : MAX_WIDTH;
		fprintf(to, "%*s", width < columns[i].width ? columns[i].width - width + 1 : 1,
			"");
	}
}

static void print_line(FILE *to, const struct output *out, const struct event *ev)
{
	const char *bold = "", *red = "", *normal = "";
	unsigned int i;
	int width;

	if (out->colour) {
		bold = "\033[1m";
		red = ev->priority <= LOG_WARNING ? "\033[1;31m" : "";
		normal = "\033[0m";
	}
	fprintf(to, "%s%-6s%s %s%-15s%s ", bold, ev->source, normal, red, ev->name, normal);
	width = print_plain(to, ev->subject);
	for (i = 0; i < ev->nr_fields; i++) {
		const struct field *field = &ev->fields[i];

		if (field->hidden || (field->kind == FIELD_FLAG && !field->number))
			continue;
		/* Pad the subject only if a field follows */
		if (width >= 0)
			fprintf(to, "%*s", width < 20 ? 20 - width : 0, "");
		width = -1;
		fprintf(to, " %s", field->name);
		if (field->kind == FIELD_TEXT) {
			fputc('=', to);
			print_plain(to, field->text);
		} else if (field->kind == FIELD_NUMBER) {
			fprintf(to, "=%llu", field->number);
		}
	}
}

void print_text(FILE *to, const struct output *out, const struct event *ev)
{
	if (out->time)
		print_time(to, out->time, &ev->time);
	if (out->columns)
		print_columns(to, ev);
	else
		print_line(to, out, ev);
	fputc(out->end, to);
}
