// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: output of events to the journal
 *
 * An event is one datagram of the native protocol of systemd-journald: a line per field,
 * as in the journal export format.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "watchq.h"

#define JOURNAL		"/run/systemd/journal/socket"
#define MESSAGE_ID	"ba8d461367c2467fa78f8e7ee74eefd3"
#define TIMEOUT_MS	1000	/* how long the journal may block */

static int journal = -1;
static unsigned long long unlogged;
static bool journal_stuck, stderr_stuck;

unsigned long long journal_unlogged(void)
{
	return unlogged;
}

/*
 * The entry
 */

/* A value with a newline has its length in front */
static void add_field(FILE *entry, const char *name, const char *value)
{
	size_t len = strlen(value);
	unsigned long long le = htole64(len);

	fputs(name, entry);
	if (strchr(value, '\n')) {
		fputc('\n', entry);
		fwrite(&le, sizeof(le), 1, entry);
	} else {
		fputc('=', entry);
	}
	fwrite(value, len, 1, entry);
	fputc('\n', entry);
}

static void add_entry(FILE *entry, const struct event *ev, const char *message)
{
	char text[64];
	unsigned int i;

	snprintf(text, sizeof(text), "%d", ev->priority);
	add_field(entry, "PRIORITY", text);
	add_field(entry, "SYSLOG_IDENTIFIER", "watchq");
	add_field(entry, "MESSAGE_ID", MESSAGE_ID);
	add_field(entry, "MESSAGE", message);
	for (i = 0; i < ev->nr_fields; i++) {
		output_variable(text, sizeof(text), ev->fields[i].name);
		add_field(entry, text, field_value(&ev->fields[i]));
	}
}

/*
 * The socket
 */

static bool connect_journal(void)
{
	static const struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = JOURNAL };

	if (journal >= 0)
		close(journal);
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return journal >= 0 && !connect(journal, (const struct sockaddr *)&addr, sizeof(addr));
}

/* A sealed file that has the entry */
static int make_file(const char *entry, size_t len)
{
	int fd = memfd_create("watchq", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (fd >= 0 && write(fd, entry, len) == (ssize_t)len &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool send_file(const char *entry, size_t len)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {
		.header = {
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	struct msghdr msg = { .msg_control = &control, .msg_controllen = sizeof(control) };
	int fd = make_file(entry, len);
	bool ok;

	if (fd < 0)
		return false;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	ok = sendmsg(journal, &msg, MSG_NOSIGNAL) >= 0;
	close(fd);
	return ok;
}

static bool send_entry(const char *entry, size_t len)
{
	if (send(journal, entry, len, MSG_NOSIGNAL) >= 0)
		return true;
	return errno == EMSGSIZE && send_file(entry, len);
}

/* If it waited for each event while nothing is read, the queue would become full */
static bool wait_writable(int fd, bool *stuck)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	*stuck = poll(&pfd, 1, *stuck ? 0 : TIMEOUT_MS) != 1;
	return !*stuck;
}

/* Returns false if the journal is dead, or if it blocks */
static bool to_journal(const char *entry, size_t len)
{
	if (journal < 0 && !connect_journal())
		return false;
	if (send_entry(entry, len)) {
		journal_stuck = false;
		return true;
	}
	if (errno != EAGAIN) {
		/* The socket may be that of an earlier instance */
		if (!connect_journal())
			return false;
	} else if (!wait_writable(journal, &journal_stuck)) {
		return false;
	}
	return send_entry(entry, len);
}

/* The service manager, if there is one, takes the priority from the prefix */
static bool to_stderr(const struct event *ev, const char *message)
{
	return wait_writable(STDERR_FILENO, &stderr_stuck) &&
	       dprintf(STDERR_FILENO, "<%d>%s\n", ev->priority, message) >= 0;
}

/* A file in memory.  The text and its length are valid after finish(). */
static FILE *begin(char **text, size_t *len)
{
	FILE *file = open_memstream(text, len);

	if (!file)
		die(EXIT_FAILED, "out of memory");
	return file;
}

static void finish(FILE *file)
{
	if (fclose(file))
		die(EXIT_FAILED, "out of memory");
}

bool journal_event(const struct event *ev)
{
	static const struct output line = { .end = 0 };
	char *message, *entry;
	size_t len;
	FILE *file;

	file = begin(&message, &len);
	print_text(file, &line, ev);
	finish(file);
	file = begin(&entry, &len);
	add_entry(file, ev, message);
	finish(file);
	if (!to_journal(entry, len) && !to_stderr(ev, message))
		unlogged++;
	free(entry);
	free(message);
	return (!journal_stuck && !stderr_stuck) || !exit_pending();
}
