// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: output of events as text, as JSON, or to a command
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watchq.h"

#define FLUSH_SIZE	65536		/* bytes in the buffer that cause a write */

static FILE *buffer;		/* events since the last flush */
static char *text;
static size_t text_len;

/*
 * JSON: must be valid UTF-8, so each invalid byte becomes U+FFFD.  Harmful
 * characters are escaped, as the output may be shown on a terminal.
 */

/* The code points above U+FFFF are a pair of surrogates */
static void print_escaped(unsigned int c)
{
	if (c > 0xffff)
		fprintf(buffer, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
	else
		fprintf(buffer, "\\u%04x", c);
}

static void print_string(const char *string)
{
	const unsigned char *p = (const unsigned char *)string;
	unsigned int len;

	fputc('"', buffer);
	for (; *p; p += len ? len : 1) {
		len = utf8_len(p);
		if (!len)
			fputs("\\ufffd", buffer);
		else if (utf8_harmful(utf8_char(p, len)))
			print_escaped(utf8_char(p, len));
		else if (*p == '"' || *p == '\\')
			fprintf(buffer, "\\%c", *p);
		else
			fwrite(p, len, 1, buffer);
	}
	fputc('"', buffer);
}

static void print_json(const struct output *out, const struct event *ev)
{
	unsigned int i;

	for (i = 0; i < ev->nr_fields; i++) {
		const struct field *field = &ev->fields[i];

		fprintf(buffer, "%c\"%s\":", i ? ',' : '{', field->name);
		if (field->kind == FIELD_TEXT)
			print_string(field->text);
		else if (field->kind == FIELD_NUMBER)
			fprintf(buffer, "%llu", field->number);
		else
			fputs(field->number ? "true" : "false", buffer);
	}
	fputc('}', buffer);
	fputc(out->end, buffer);
}

/*
 * A command, with the fields in its environment
 */

/* Drop variables that were inherited from another watchq */
static void drop_variables(void)
{
	char **from, **to;

	for (from = to = environ; *from; from++)
		if (strncmp(*from, "WATCHQ_", strlen("WATCHQ_")))
			*to++ = *from;
	*to = NULL;
}

void output_variable(char *variable, size_t size, const char *name)
{
	snprintf(variable, size, "WATCHQ_%s", name);
	for (; *variable; variable++)
		*variable = toupper((unsigned char)*variable);
}

static void set_variable(const char *name, const char *value)
{
	char variable[64];

	output_variable(variable, sizeof(variable), name);
	setenv(variable, value, 1);
}

static void __noreturn run(const char *command, const struct event *ev)
{
	unsigned int i;
	sigset_t none;

	/* Restore the signal handling for the command */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);

	drop_variables();
	for (i = 0; i < ev->nr_fields; i++)
		set_variable(ev->fields[i].name, field_value(&ev->fields[i]));
	execl("/bin/sh", "sh", "-c", command, NULL);
	warn("/bin/sh: %s", strerror(errno));
	_exit(127);
}

/*
 * Run a command and wait until it has exited.  Returns false if a signal, which is
 * blocked, became pending.
 */
static bool run_command(const char *command, const struct event *ev)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		run(command, ev);
	if (pid < 0)
		warn("cannot run the command of --exec for an event: %s", strerror(errno));
	else if (waitpid(pid, &status, 0) != pid)
		die(EXIT_FAILED, "waitpid: %s", strerror(errno));
	return !exit_pending();
}

bool output_event(const struct output *out, const struct event *ev)
{
	if (!buffer)
		buffer = open_memstream(&text, &text_len);
	if (!buffer)
		die(EXIT_FAILED, "out of memory");
	switch (out->format) {
	case OUTPUT_TEXT:
		print_text(buffer, out, ev);
		break;
	case OUTPUT_JSON:
		print_json(out, ev);
		break;
	case OUTPUT_JOURNAL:
		return journal_event(ev);
	case OUTPUT_EXEC:
		return run_command(out->command, ev);
	}
	return true;
}

#define TIMEOUT_MS	1000	/* how long the output may block after a signal */
#define RETRY_MS	10	/* delay before another write() after EAGAIN */

/*
 * The descriptor to write to.  write() to a terminal may block although poll()
 * reports POLLOUT, unless O_NONBLOCK is set.  Open the terminal again so that other
 * users of the file description are not affected.
 */
static int output_fd(void)
{
	static int fd = -1;
	unsigned int ours, theirs;

	if (fd >= 0)
		return fd;
	if (isatty(STDOUT_FILENO))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	/* Opening the master of a pseudoterminal creates a new one */
	if (fd >= 0 && (ioctl(fd, TIOCGDEV, &ours) ||
			ioctl(STDOUT_FILENO, TIOCGDEV, &theirs) || ours != theirs)) {
		close(fd);
		fd = -1;
	}
	/* The user may not have permission to open the terminal */
	if (fd < 0)
		fd = STDOUT_FILENO;
	return fd;
}

/*
 * A write of up to PIPE_BUF bytes to a pipe does not block after POLLOUT, so a reader
 * that has stopped cannot keep watchq from exiting.
 */
static bool write_out(int signals)
{
	struct pollfd pfd[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = output_fd(), .events = POLLOUT },
	};
	int delay = 0;			/* milliseconds spent in retries */
	const char *p = text;
	size_t left;
	ssize_t len;

	for (left = text_len; left; left -= len, p += len) {
		if (poll(pfd, ARRAY_SIZE(pfd), -1) < 0)
			die(EXIT_FAILED, "poll: %s", strerror(errno));
		if (!pfd[1].revents && poll(&pfd[1], 1, TIMEOUT_MS) <= 0)
			return false;
		len = write(pfd[1].fd, p, left < PIPE_BUF ? left : PIPE_BUF);
		if (len >= 0)
			continue;
		if (errno == EPIPE || (pfd[0].revents && delay >= TIMEOUT_MS))
			return false;
		if (errno != EAGAIN)
			die(EXIT_FAILED, "cannot write: %s", strerror(errno));
		/* Another writer was faster, or a newline needs two bytes in the terminal */
		len = 0;
		delay += RETRY_MS;
		poll(NULL, 0, RETRY_MS);
	}
	return true;
}

bool output_flush(int signals, bool all)
{
	bool ok;

	if (!buffer || (!all && ftell(buffer) < FLUSH_SIZE))
		return true;
	if (fflush(buffer))
		die(EXIT_FAILED, "out of memory");
	ok = write_out(signals);
	/* Reuse the memory of the stream */
	rewind(buffer);
	return ok;
}
