// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: text lines
 *
 * Characters that could control the terminal or imitate a line or a field are printed
 * in octal, as in /proc/mounts.
 */
#include <syslog.h>

#include "watchq.h"

/* Returns the number of columns, assuming one per character */
static int print_plain(FILE *to, const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	unsigned int len;
	int width = 0;

	for (; *p; p += len) {
		len = utf8_len(p);
		if (len && !strchr(" \\", *p) && !utf8_harmful(utf8_char(p, len))) {
			fwrite(p, len, 1, to);
			width++;
		} else {
			len = 1;
			width += fprintf(to, "\\%03o", *p);
		}
	}
	return width;
}

/* As the output "short-iso-precise" of journalctl */
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

void print_text(FILE *to, const struct output *out, const struct event *ev)
{
	const char *bold = "", *red = "", *normal = "";
	unsigned int i;
	int width;

	if (out->colour) {
		bold = "\033[1m";
		red = ev->priority <= LOG_WARNING ? "\033[1;31m" : "";
		normal = "\033[0m";
	}
	if (out->time)
		print_time(to, out->time, &ev->time);
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
	fputc(out->end, to);
}
