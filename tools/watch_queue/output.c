// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events to people, to machines, and to a command
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "watchq.h"

/* Bytes of the character at @p, 0 if it is none */
static unsigned int utf8_len(const unsigned char *p)
{
	unsigned int len, i;

	if (*p < 0x80)
		return 1;
	len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, half of a UTF-16 pair, above U+10FFFF */
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
}

/*
 * People: columns.  A name cannot do anything to the terminal, nor look like a line
 * or a field of its own: what it must not have is in octal, as in /proc/mounts.
 */

static bool harmless(const unsigned char *p, unsigned int len)
{
	if (len == 1)
		return *p > ' ' && *p != '\\' && *p != 0x7f;
	/* U+0080 to U+009F are commands, too */
	return len && !(p[0] == 0xc2 && p[1] < 0xa0);
}

/* Returns how many columns it takes, if no character takes two */
static int print_plain(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned int len;
	int width = 0;

	for (; *p; p += len) {
		len = utf8_len(p);
		if (harmless(p, len)) {
			fwrite(p, len, 1, stdout);
			width++;
		} else {
			len = 1;
			width += printf("\\%03o", *p);
		}
	}
	return width;
}

static void print_text(const struct output *out, const struct event *ev)
{
	const char *bold = "", *red = "", *normal = "";
	unsigned int i;
	int width;

	if (out->colour) {
		bold = "\033[1m";
		red = ev->bad ? "\033[1;31m" : "";
		normal = "\033[0m";
	}
	printf("%s%-6s%s %s%-15s%s ", bold, ev->source, normal, red, ev->name, normal);
	width = print_plain(ev->subject);
	for (i = 0; i < ev->nr_fields; i++) {
		const struct field *field = &ev->fields[i];

		if (field->hidden || (field->kind == FIELD_FLAG && !field->number))
			continue;
		/* Nothing comes after the last column, no blanks either */
		if (width >= 0)
			printf("%*s", width < 20 ? 20 - width : 0, "");
		width = -1;
		printf(" %s", field->name);
		if (field->kind == FIELD_TEXT) {
			putchar('=');
			print_plain(field->text);
		} else if (field->kind == FIELD_NUMBER) {
			printf("=%llu", field->number);
		}
	}
	putchar(out->end);
}

/*
 * Machines: JSON, which is UTF-8.  Of bytes that are none, each is a U+FFFD.
 */

static void print_string(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned int len;

	putchar('"');
	for (; *p; p += len ? len : 1) {
		len = utf8_len(p);
		if (!len)
			fputs("\\ufffd", stdout);
		else if (*p < ' ' || *p == 0x7f)
			printf("\\u%04x", *p);
		else if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else
			fwrite(p, len, 1, stdout);
	}
	putchar('"');
}

/* When the event was read, which is not when it happened; RFC 3339 */
static const char *now(void)
{
	static char text[40];
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len, ".%06uZ", (unsigned int)ts.tv_nsec / 1000);
	return text;
}

static void print_json(const struct output *out, const struct event *ev)
{
	unsigned int i;

	printf("{\"time\":\"%s\",\"source\":\"%s\",\"event\":\"%s\"", now(), ev->source,
	       ev->name);
	for (i = 0; i < ev->nr_fields; i++) {
		const struct field *field = &ev->fields[i];

		printf(",\"%s\":", field->name);
		if (field->kind == FIELD_TEXT)
			print_string(field->text);
		else if (field->kind == FIELD_NUMBER)
			printf("%llu", field->number);
		else
			fputs(field->number ? "true" : "false", stdout);
	}
	putchar('}');
	putchar(out->end);
}

/*
 * A command, with the fields in its environment
 */

static void set_variable(const char *name, const char *value)
{
	char variable[64] = "WATCHQ_", *p = variable + strlen(variable);

	while (*name)
		*p++ = toupper((unsigned char)*name++);
	*p = 0;
	setenv(variable, value, 1);
}

static void __noreturn run(const char *command, const struct event *ev)
{
	char number[32];
	unsigned int i;
	sigset_t none;

	/* What we do about signals is not its business */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);

	set_variable("time", now());
	set_variable("source", ev->source);
	set_variable("event", ev->name);
	for (i = 0; i < ev->nr_fields; i++) {
		const struct field *field = &ev->fields[i];

		snprintf(number, sizeof(number), "%llu", field->number);
		set_variable(field->name, field->kind == FIELD_TEXT ? field->text : number);
	}
	execl("/bin/sh", "sh", "-c", command, NULL);
	complain("/bin/sh: %s", strerror(errno));
	_exit(127);
}

/*
 * One after the other: an event's command ends before that of the next starts.
 * Returns false if a signal came meanwhile, which is blocked.
 */
static bool run_command(const char *command, const struct event *ev)
{
	sigset_t pending;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		run(command, ev);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail(EXIT_FAILED, "cannot run a command: %s", strerror(errno));
	sigpending(&pending);
	return !sigismember(&pending, SIGINT) && !sigismember(&pending, SIGTERM);
}

bool output_event(const struct output *out, const struct event *ev)
{
	switch (out->format) {
	case OUTPUT_TEXT:
		print_text(out, ev);
		break;
	case OUTPUT_JSON:
		print_json(out, ev);
		break;
	case OUTPUT_EXEC:
		return run_command(out->command, ev);
	}
	return true;
}
