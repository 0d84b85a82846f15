// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print the records and errors that a program gets which watches keys, one line per
 * operation: "OPERATION|RECORDS".  bin/clients runs it on 6.12 and on our kernel, and
 * compares the lines that differ with the table of operations in
 * Documentation/userspace-api/watch_queue/.
 *
 * Each operation has its own process, session keyring and queue.  The records that the
 * garbage collector causes are complete when the removal record of the key arrives.
 * There are no sleeps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch_records.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define REQUEST_KEY	"/sbin/request-key"
#define GC_DELAY	"/proc/sys/kernel/keys/gc_delay"
#define TIMEOUT_MS	30000		/* for a record that never arrives */

static int queue[2];
static int session, ring, other, key;	/* links: session -> ring, other; ring -> key */
static int flag;			/* KEY_WATCH_EXTENDED if requested and supported */
static const char *separator = "";

static _Noreturn void die(const char *what)
{
	printf("%s%s: %s\n", separator, what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void print_item(const char *text)
{
	printf("%s%s", separator, text);
	separator = ", ";
}

/* For calls that prepare an operation: they must not fail */
static long must(long ret, const char *what)
{
	if (ret < 0)
		die(what);
	return ret;
}

#define MUST(call)	must(call, #call)

/* Print the error of a call, which is part of the result. Returns true on success. */
static bool done(long ret)
{
	if (ret < 0)
		print_item(strerrorname_np(errno));
	return ret >= 0;
}

static long keyctl(int op, unsigned long a, unsigned long b, unsigned long c)
{
	return syscall(__NR_keyctl, op, a, b, c, 0);
}

static int new_key(const char *type, const char *name, int where)
{
	bool empty = !strcmp(type, "keyring");

	return MUST(syscall(__NR_add_key, type, name, empty ? NULL : "1", empty ? 0 : 1, where));
}

static long watch(int what, int id)
{
	return keyctl(KEYCTL_WATCH_KEY, what, queue[0], id);
}

static void watch_ring_and_key(void)
{
	MUST(watch(ring, 1 | flag));
	MUST(watch(key, 2 | flag));
}

/*
 * Records
 */

static const char *name_of(unsigned int serial)
{
	static char unknown[16];

	if (serial == (unsigned int)session)
		return "session";
	if (serial == (unsigned int)ring)
		return "ring";
	if (serial == (unsigned int)other)
		return "other";
	if (serial == (unsigned int)key)
		return "key";
	snprintf(unknown, sizeof(unknown), "%u", serial);
	return serial ? "another" : "none";
}

static void print_record(const union watch_record *rec)
{
	static const char * const events[] = {
		[NOTIFY_KEY_INSTANTIATED] = "INSTANTIATED",
		[NOTIFY_KEY_UPDATED]	= "UPDATED",
		[NOTIFY_KEY_LINKED]	= "LINKED",
		[NOTIFY_KEY_UNLINKED]	= "UNLINKED",
		[NOTIFY_KEY_CLEARED]	= "CLEARED",
		[NOTIFY_KEY_REVOKED]	= "REVOKED",
		[NOTIFY_KEY_INVALIDATED] = "INVALIDATED",
		[NOTIFY_KEY_SETATTR]	= "SETATTR",
		[NOTIFY_KEY_EXPIRED]	= "EXPIRED",
	};
	unsigned int subtype = rec->watch.subtype;
	char text[64];

	if (watch_record_is_meta(rec, WATCH_META_REMOVAL_NOTIFICATION))
		snprintf(text, sizeof(text), "%s REMOVAL", name_of(rec->removal.id));
	else if (watch_record_is_meta(rec, WATCH_META_LOSS_NOTIFICATION))
		snprintf(text, sizeof(text), "loss of %u",
			 rec->watch.info >> WATCH_INFO_TYPE_INFO__SHIFT);
	else if (rec->watch.type != WATCH_TYPE_KEY_NOTIFY || subtype >= ARRAY_SIZE(events))
		snprintf(text, sizeof(text), "type %u subtype %u", rec->watch.type, subtype);
	else if (subtype == NOTIFY_KEY_LINKED || subtype == NOTIFY_KEY_UNLINKED)
		snprintf(text, sizeof(text), "%s %s %s", name_of(rec->key.key_id),
			 events[subtype], name_of(rec->key.aux));
	else if (rec->key.aux)
		snprintf(text, sizeof(text), "%s %s %s", name_of(rec->key.key_id),
			 events[subtype], strerrorname_np(rec->key.aux) ?: "and an error below 0");
	else
		snprintf(text, sizeof(text), "%s %s", name_of(rec->key.key_id), events[subtype]);
	print_item(text);
}

/* Read one record. Returns false if the queue is empty. */
static bool next(union watch_record *rec)
{
	/* Room for one record: only two loss records would fit */
	char buf[sizeof(struct key_notification)];
	struct watch_records records = { buf };
	ssize_t len = read(queue[0], buf, sizeof(buf));

	if (len < 0 && errno == EAGAIN)
		return false;
	records.left = must(len, "read");
	if (watch_record_next(&records, rec) <= 0 || records.left)
		die("malformed record");
	return true;
}

static void print_all(void)
{
	union watch_record rec;

	while (next(&rec))
		print_record(&rec);
}

/* Wait for the next record */
static void await(union watch_record *rec)
{
	struct pollfd pfd = { .fd = queue[0], .events = POLLIN };

	while (!next(rec))
		if (poll(&pfd, 1, TIMEOUT_MS) <= 0)
			die("no record");
}

/* Print all records, and wait for the removal record of the key */
static void print_until_removed(void)
{
	union watch_record rec;

	do {
		await(&rec);
		print_record(&rec);
	} while (!watch_record_is_meta(&rec, WATCH_META_REMOVAL_NOTIFICATION));
	print_all();
}

static void skip_all(void)
{
	union watch_record rec;

	while (next(&rec))
		;
}

/*
 * Operations
 */

static void key_updated(void)
{
	MUST(keyctl(KEYCTL_UPDATE, key, (unsigned long)"2", 1));
}

static void key_added_again(void)
{
	if (new_key("user", "key", ring) != key)
		die("add_key() made another key");
}

static void link_made(void)
{
	MUST(keyctl(KEYCTL_LINK, other, ring, 0));
}

static void link_made_again(void)
{
	MUST(keyctl(KEYCTL_LINK, key, ring, 0));
}

static void link_displaced(void)
{
	MUST(keyctl(KEYCTL_LINK, other, ring, 0));
	new_key("keyring", "other", ring);
}

static void key_moved(void)
{
	MUST(watch(other, 3 | flag));
	MUST(keyctl(KEYCTL_MOVE, key, ring, other));
}

static void link_removed(void)
{
	MUST(keyctl(KEYCTL_LINK, key, other, 0));
	MUST(keyctl(KEYCTL_UNLINK, key, ring, 0));
}

static void keyring_cleared(void)
{
	MUST(keyctl(KEYCTL_LINK, key, other, 0));
	MUST(keyctl(KEYCTL_CLEAR, ring, 0, 0));
	MUST(keyctl(KEYCTL_CLEAR, ring, 0, 0));
}

static void key_revoked(void)
{
	MUST(keyctl(KEYCTL_REVOKE, key, 0, 0));
}

static void keyring_revoked(void)
{
	MUST(keyctl(KEYCTL_LINK, key, other, 0));
	MUST(keyctl(KEYCTL_REVOKE, ring, 0, 0));
}

static void key_invalidated(void)
{
	MUST(keyctl(KEYCTL_INVALIDATE, key, 0, 0));
	print_until_removed();
}

static void key_expires(void)
{
	FILE *delay = fopen(GC_DELAY, "w");

	/* With 0, one pass of the collector could expire and destroy the key */
	if (!delay || fprintf(delay, "1\n") < 0 || fclose(delay))
		die(GC_DELAY);
	MUST(keyctl(KEYCTL_SET_TIMEOUT, key, 1, 0));
	print_until_removed();
}

static void attributes_set(void)
{
	MUST(keyctl(KEYCTL_SETPERM, key, 0x3f3f0000, 0));
	MUST(keyctl(KEYCTL_CHOWN, key, -1, getgid()));
	MUST(keyctl(KEYCTL_SET_TIMEOUT, key, 1000, 0));
	MUST(keyctl(KEYCTL_RESTRICT_KEYRING, ring, 0, 0));
}

static void last_link_removed(void)
{
	MUST(keyctl(KEYCTL_UNLINK, key, ring, 0));
	print_until_removed();
}

/*
 * The watch of the previous implementation has the credentials of the program, and with
 * them the keyring that it watches, so the keyring remains.
 */
static void session_ends(void)
{
	struct pollfd pfd = { .fd = queue[0], .events = POLLIN };
	int pid = MUST(fork());

	if (!pid) {
		MUST(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0));
		_exit(watch(KEY_SPEC_SESSION_KEYRING, 3) < 0);
	}
	MUST(waitpid(pid, NULL, 0));
	session = 0;
	if (poll(&pfd, 1, TIMEOUT_MS) > 0)
		print_until_removed();
}

static void watch_removed(void)
{
	done(watch(key, -1));
}

static void revoked_unwatched(void)
{
	MUST(keyctl(KEYCTL_REVOKE, key, 0, 0));
	skip_all();
	done(watch(key, -1));
}

static void expired_unwatched(void)
{
	MUST(keyctl(KEYCTL_SET_TIMEOUT, key, 1, 0));
	while (keyctl(KEYCTL_DESCRIBE, key, 0, 0) >= 0)
		;
	skip_all();
	done(watch(key, -1));
}

static void forbidden_unwatched(void)
{
	MUST(keyctl(KEYCTL_SETPERM, key, 0, 0));
	skip_all();
	done(watch(key, -1));
}

static void absent_unwatched(void)
{
	done(watch(KEY_SPEC_THREAD_KEYRING, -1));
}

static void watched_twice(void)
{
	done(watch(key, 3));
}

static void unreadable_watched(void)
{
	int status, pid = MUST(fork());

	if (!pid) {
		MUST(watch(ring, -1));
		MUST(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0));
		_exit(watch(ring, 3) < 0 ? errno : 0);
	}
	MUST(waitpid(pid, &status, 0));
	skip_all();
	print_item(WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "is watched");
}

static void flag_given(void)
{
	MUST(watch(key, -1));
	skip_all();
	if (done(watch(key, 3 | KEY_WATCH_EXTENDED)))
		print_item("is watched");
}

static void bad_arguments(void)
{
	int plain[2];

	MUST(pipe(plain));
	done(watch(key, -2));
	done(watch(key, 512));
	done(watch(0x7fffffff, 3));
	done(keyctl(KEYCTL_WATCH_KEY, key, plain[0], 3));
}

static void fd_not_open(void)
{
	done(keyctl(KEYCTL_WATCH_KEY, key, -1, 3));
}

static void short_buffer(void)
{
	char buf[sizeof(struct watch_notification)];

	key_updated();
	done(read(queue[0], buf, sizeof(buf)));
	skip_all();
}

static void records_lost(void)
{
	union watch_record rec;
	int i;

	for (i = 0; i < 32 + 3; i++)
		key_updated();
	for (i = 0; i < 32; i++)
		if (!next(&rec))
			die("too few records");
}

/*
 * Keys under construction: this program is also /sbin/request-key, which waits for a
 * message before it instantiates or rejects the key
 */

static int construct(int new)
{
	int pid, fd, error;
	char text[64] = "";

	MUST(keyctl(KEYCTL_ASSUME_AUTHORITY, new, 0, 0));
	MUST(keyctl(KEYCTL_READ, KEY_SPEC_REQKEY_AUTH_KEY, (unsigned long)text,
		    sizeof(text) - 1));
	if (sscanf(text, "%d %d", &pid, &fd) != 2)
		return 1;
	snprintf(text, sizeof(text), "/proc/%d/fd/%d", pid, fd);
	fd = MUST(open(text, O_RDONLY));
	if (read(fd, &error, sizeof(error)) != sizeof(error))
		return 1;
	if (error)
		return syscall(__NR_keyctl, KEYCTL_REJECT, new, 3600, error, 0) < 0;
	return syscall(__NR_keyctl, KEYCTL_INSTANTIATE, new, "1", 1, 0) < 0;
}

/* Wait until @pid has ended (returns true, with its *@status) or sleeps (false) */
static bool ended(int pid, int *status)
{
	char path[64], line[512];
	const char *state;
	FILE *file;

	for (;;) {
		if (MUST(waitpid(pid, status, WNOHANG)))
			return true;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		file = fopen(path, "r");
		if (!file || !fgets(line, sizeof(line), file))
			die(path);
		fclose(file);
		state = strrchr(line, ')');
		if (state && state[2] == 'S')
			return false;
		sched_yield();
	}
}

static void constructed(int error, bool late)
{
	int go[2], requester, watcher, status;
	union watch_record rec;
	char callout[32];

	MUST(pipe(go));
	MUST(mount("/proc/self/exe", REQUEST_KEY, NULL, MS_BIND, NULL));
	MUST(watch(session, 3));
	snprintf(callout, sizeof(callout), "%d %d", getpid(), go[0]);
	requester = MUST(fork());
	if (!requester) {
		syscall(__NR_request_key, "user", "asked for", callout, session);
		_exit(0);
	}
	await(&rec);
	key = rec.key.aux;
	if (late) {
		MUST(write(go[1], &error, sizeof(error)));
		MUST(waitpid(requester, NULL, 0));
	}
	watcher = MUST(fork());
	if (!watcher)
		_exit(watch(key, 4) < 0 ? errno : 0);
	if (!ended(watcher, &status)) {
		print_item("keyctl() waits");
		MUST(write(go[1], &error, sizeof(error)));
		MUST(waitpid(watcher, &status, 0));
		MUST(waitpid(requester, NULL, 0));
	} else if (!late) {
		MUST(write(go[1], &error, sizeof(error)));
		MUST(waitpid(requester, NULL, 0));
	}
	umount2(REQUEST_KEY, MNT_DETACH);
	print_item(WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "is watched");
}

static void key_constructed(void)
{
	constructed(0, false);
}

static void key_rejected(void)
{
	constructed(EKEYREJECTED, false);
}

static void rejected_watched(void)
{
	constructed(EKEYREJECTED, true);
}

static const struct operation {
	const char *name;
	void (*run)(void);
	bool extended;
} operations[] = {
	{ "key updated", key_updated },
	{ "key added again", key_added_again },
	{ "link made", link_made },
	{ "link made again", link_made_again },
	{ "link displaced", link_displaced },
	{ "link displaced, flag", link_displaced, true },
	{ "key moved", key_moved },
	{ "link removed", link_removed },
	{ "last link removed", last_link_removed },
	{ "keyring cleared", keyring_cleared },
	{ "key revoked", key_revoked },
	{ "keyring revoked", keyring_revoked },
	{ "keyring revoked, flag", keyring_revoked, true },
	{ "key invalidated", key_invalidated },
	{ "key invalidated, flag", key_invalidated, true },
	{ "key expires", key_expires },
	{ "key expires, flag", key_expires, true },
	{ "attributes set", attributes_set },
	{ "session ends", session_ends },
	{ "key constructed", key_constructed },
	{ "key rejected", key_rejected },
	{ "rejected key watched", rejected_watched },
	{ "keyring without Read", unreadable_watched },
	{ "KEY_WATCH_EXTENDED", flag_given },
	{ "watched twice", watched_twice },
	{ "remove", watch_removed },
	{ "remove, key revoked", revoked_unwatched },
	{ "remove, key expired", expired_unwatched },
	{ "remove, no View", forbidden_unwatched },
	{ "remove, no keyring", absent_unwatched },
	{ "bad arguments", bad_arguments },
	{ "fd not open", fd_not_open },
	{ "short buffer", short_buffer },
	{ "3 records lost", records_lost },
};

static void run(const struct operation *op)
{
	printf("%s|", op->name);
	session = MUST(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0));
	ring = new_key("keyring", "ring", session);
	other = new_key("keyring", "other", session);
	key = new_key("user", "key", ring);
	MUST(pipe2(queue, O_NOTIFICATION_PIPE | O_NONBLOCK));
	MUST(ioctl(queue[0], IOC_WATCH_QUEUE_SET_SIZE, 32));
	if (op->extended) {
		/* Use the flag only where the kernel supports it, as a portable program does */
		flag = KEY_WATCH_EXTENDED;
		if (watch(session, flag) < 0)
			flag = 0;
		else
			MUST(watch(session, -1));
		skip_all();
	}
	watch_ring_and_key();
	op->run();
	print_all();
	if (!*separator)
		print_item("nothing");
	putchar('\n');
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char delay[32] = "";
	unsigned int i;
	int status, pid, bad = 0;
	FILE *file;

	if (argc > 2 && !strcmp(argv[1], "create"))
		return construct(atoi(argv[2]));

	file = fopen(GC_DELAY, "r+");
	if (!file || !fgets(delay, sizeof(delay), file))
		die(GC_DELAY);
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		fflush(stdout);
		pid = MUST(fork());
		if (!pid) {
			run(&operations[i]);
			_exit(0);
		}
		MUST(waitpid(pid, &status, 0));
		bad |= status;
		rewind(file);
		fputs(delay, file);
		fflush(file);
	}
	return !!bad;
}
