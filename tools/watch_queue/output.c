// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events to people, to machines, and to a command
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "watchq.h"

#define ENOUGH	65536		/* bytes, to be written before there are more */

static FILE *gathered;		/* since the last flush */
static char *text;
static size_t text_len;

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

/* The character of @len bytes at @p */
static unsigned int utf8_char(const unsigned char *p, unsigned int len)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0xf, 0x7 };
	unsigned int c = *p & first[len], i;

	for (i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/* Commands for terminals, unusual blanks, and what turns the direction of writing */
static bool harmful(unsigned int c)
{
	static const struct { unsigned int from, to; } harm[] = {
		{ 0, 0x1f }, { 0x7f, 0xa0 }, { 0x61c, 0x61c }, { 0x1680, 0x1680 },
		{ 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },
		{ 0x3000, 0x3000 }, { 0xfeff, 0xfeff },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(harm); i++)
		if (c >= harm[i].from && c <= harm[i].to)
			return true;
	return false;
}

/*
 * People: columns.  A name cannot do anything to the terminal, nor look like a line
 * or a field of its own: what it must not have is in octal, as in /proc/mounts.
 */

/* Returns how many columns it takes, if no character takes two */
static int print_plain(const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	unsigned int len;
	int width = 0;

	for (; *p; p += len) {
		len = utf8_len(p);
		if (len && !strchr(" \\", *p) && !harmful(utf8_char(p, len))) {
			fwrite(p, len, 1, gathered);
			width++;
		} else {
			len = 1;
			width += fprintf(gathered, "\\%03o", *p);
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
	fprintf(gathered, "%s%-6s%s %s%-15s%s ", bold, ev->source, normal, red, ev->name, normal);
	width = print_plain(ev->subject);
	for (i = 0; i < ev->nr_fields; i++) {
		const struct field *field = &ev->fields[i];

		if (field->hidden || (field->kind == FIELD_FLAG && !field->number))
			continue;
		/* Nothing comes after the last column, no blanks either */
		if (width >= 0)
			fprintf(gathered, "%*s", width < 20 ? 20 - width : 0, "");
		width = -1;
		fprintf(gathered, " %s", field->name);
		if (field->kind == FIELD_TEXT) {
			fputc('=', gathered);
			print_plain(field->text);
		} else if (field->kind == FIELD_NUMBER) {
			fprintf(gathered, "=%llu", field->number);
		}
	}
	fputc(out->end, gathered);
}

/*
 * Machines: JSON, which is UTF-8.  Of bytes that are none, each is a U+FFFD.  Lines
 * are shown on terminals, too.
 */

static void print_string(const char *string)
{
	const unsigned char *p = (const unsigned char *)string;
	unsigned int len;

	fputc('"', gathered);
	for (; *p; p += len ? len : 1) {
		len = utf8_len(p);
		if (!len)
			fputs("\\ufffd", gathered);
		else if (harmful(utf8_char(p, len)))
			fprintf(gathered, "\\u%04x", utf8_char(p, len));
		else if (*p == '"' || *p == '\\')
			fprintf(gathered, "\\%c", *p);
		else
			fwrite(p, len, 1, gathered);
	}
	fputc('"', gathered);
}

/* When the event was read, which is not when it happened; RFC 3339 */
static const char *now(void)
{
	static char time[40];
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	len = strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(time + len, sizeof(time) - len, ".%06uZ", (unsigned int)ts.tv_nsec / 1000);
	return time;
}

static void print_json(const struct output *out, const struct event *ev)
{
	unsigned int i;

	fprintf(gathered, "{\"time\":\"%s\",\"source\":\"%s\",\"event\":\"%s\"", now(),
		ev->source, ev->name);
	for (i = 0; i < ev->nr_fields; i++) {
		const struct field *field = &ev->fields[i];

		fprintf(gathered, ",\"%s\":", field->name);
		if (field->kind == FIELD_TEXT)
			print_string(field->text);
		else if (field->kind == FIELD_NUMBER)
			fprintf(gathered, "%llu", field->number);
		else
			fputs(field->number ? "true" : "false", gathered);
	}
	fputc('}', gathered);
	fputc(out->end, gathered);
}

/*
 * A command, with the fields in its environment
 */

/* Those of another event, as we may be the command of another watchq */
static void drop_variables(void)
{
	char **from, **to;

	for (from = to = environ; *from; from++)
		if (strncmp(*from, "WATCHQ_", strlen("WATCHQ_")))
			*to++ = *from;
	*to = NULL;
}

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

	drop_variables();
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
	if (!gathered)
		gathered = open_memstream(&text, &text_len);
	if (!gathered)
		fail(EXIT_FAILED, "no memory for what happened");
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

#define PATIENCE	1000	/* milliseconds, for a reader who is slow when we are to end */
#define PAUSE		10	/* before another try, if poll() cannot tell when */

/*
 * A terminal takes less than it was given, and waits, although poll() said that there
 * is room, unless it is told not to.  Those who share it must not notice: hence a
 * description of our own.
 */
static int destination(void)
{
	static int fd = -1;
	unsigned int ours, theirs;

	if (fd >= 0)
		return fd;
	if (isatty(STDOUT_FILENO))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	/* The other side of a terminal is opened as that of a new one */
	if (fd >= 0 && (ioctl(fd, TIOCGDEV, &ours) ||
			ioctl(STDOUT_FILENO, TIOCGDEV, &theirs) || ours != theirs)) {
		close(fd);
		fd = -1;
	}
	/* A user may write to a terminal, and not open it */
	if (fd < 0)
		fd = STDOUT_FILENO;
	return fd;
}

/*
 * Nor does a write of up to PIPE_BUF bytes to a pipe block after poll() said so: no
 * reader who has stopped to read can keep us from ending.
 */
static bool write_out(int signals)
{
	struct pollfd pfd[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = destination(), .events = POLLOUT },
	};
	int refused = 0;		/* for so many milliseconds */
	const char *p = text;
	size_t left;
	ssize_t len;

	for (left = text_len; left; left -= len, p += len) {
		if (poll(pfd, ARRAY_SIZE(pfd), -1) < 0)
			fail(EXIT_FAILED, "poll: %s", strerror(errno));
		if (!pfd[1].revents && poll(&pfd[1], 1, PATIENCE) <= 0)
			return false;
		len = write(pfd[1].fd, p, left < PIPE_BUF ? left : PIPE_BUF);
		if (len >= 0)
			continue;
		if (errno == EPIPE || (pfd[0].revents && refused >= PATIENCE))
			return false;
		if (errno != EAGAIN)
			fail(EXIT_FAILED, "cannot write what happened: %s", strerror(errno));
		/* Others write, or there is no room for both bytes of a newline */
		len = 0;
		refused += PAUSE;
		poll(NULL, 0, PAUSE);
	}
	return true;
}

bool output_flush(int signals, bool all)
{
	bool taken;

	if (!gathered || (!all && ftell(gathered) < ENOUGH))
		return true;
	if (fflush(gathered))
		fail(EXIT_FAILED, "no memory for what happened");
	taken = write_out(signals);
	/* Its memory stays, and will do for the next time */
	rewind(gathered);
	return taken;
}
