// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print each event of watchq, with all its fields, as JSON: input for a test of
 * watchq.schema.json.  No kernel with a notification queue is needed.
 *
 * With --records, print the records of these lines instead, as a read() returns them.
 *
 * events.c and the output are those of watchq.  Names, mounts and watches, which come
 * from the running system in watchq, are fixed here.
 */
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>

#include "watchq.h"

bool quiet;
const char *message_place;
static bool raw;

void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	exit(status);
}

void warn(const char *format, ...)
{
	(void)format;
}

bool exit_pending(void)
{
	return false;
}

/* A name is missing if its number is 0 */
const char *name_of_device(char *buf, size_t size, unsigned int major, unsigned int minor)
{
	snprintf(buf, size, "sda%u", minor);
	return major ? buf : NULL;
}

bool name_of_key(char *buf, size_t size, unsigned int key, const char **type,
		 const char **name)
{
	snprintf(buf, size, "a \"key\" \\ %u", key);
	*type = "user";
	*name = buf;
	return key;
}

const char *name_of_error(unsigned int error)
{
	return error ? "EIO" : NULL;
}

const char *name_of_owner(unsigned int type, unsigned int id)
{
	return type < 2 && id ? "alice" : NULL;
}

static struct {
	struct mount mount;
	char path[16];
} mount = {
	.mount = { .fs_root = "/", .options = "ro,nosuid", .fs_source = "/dev/sda1" },
	.path = "/mnt",
};

const struct mount *mount_cached(unsigned long long id)
{
	static struct {
		struct mount mount;
		char path[16];
	} old = { .mount.options = "rw", .path = "/mnt" };

	return id ? &old.mount : NULL;
}

const struct mount *mount_find(unsigned long long id, unsigned long long ns)
{
	return id && ns ? &mount.mount : NULL;
}

void mount_gone(unsigned long long id)
{
	(void)id;
}

const char *mount_path_of(unsigned int major, unsigned int minor)
{
	return major || minor ? "/mnt" : NULL;
}

void watches_read_mounts(void)
{
}

const struct watch *watch_by_id(unsigned int id)
{
	static const struct watch watch = { .object = "all", .all = true };

	return id ? NULL : &watch;
}

static void print(const struct event *ev)
{
	static const struct output out = { .format = OUTPUT_JSON, .end = '\n' };

	if (!output_event(&out, ev))
		exit(EXIT_FAILED);
}

#define NR_VALUES	16	/* more than any enum in a record has */

/* Each number in the record is @value; all flags are set if @value is odd */
static void fill(union watch_record *rec, unsigned int type, unsigned int subtype,
		 unsigned int value)
{
	size_t i;

	memset(rec, 0, sizeof(*rec));
	for (i = sizeof(rec->watch) / 4; i < sizeof(*rec) / 4; i++)
		memcpy(rec->bytes + 4 * i, &value, 4);
	rec->bytes[sizeof(rec->bytes) - 1] = 0;
	rec->watch.type = type;
	rec->watch.subtype = subtype;
	rec->watch.info = WATCH_INFO_LENGTH | (value & 1 ? WATCH_INFO_TYPE_INFO : 0);
	if (type == WATCH_TYPE_MOUNT_NOTIFY)
		memcpy(rec->mount.fs_type, "ext4", sizeof("ext4"));
	else if (type == WATCH_TYPE_SB_NOTIFY)
		memcpy(rec->sb.fs_type, "ext4", sizeof("ext4"));
	else if (type == WATCH_TYPE_DEVICE_NOTIFY)
		memcpy(rec->device.names, "mem\0/devices/null", sizeof("mem\0/devices/null"));
	/* Only the last state has no filesystem */
	if (type == WATCH_TYPE_SB_NOTIFY && subtype != NOTIFY_SB_STATE)
		rec->sb.sb_id = 1;
	/* A user has the number 0, which is also that of several warnings */
	if (type == WATCH_TYPE_SB_NOTIFY && subtype == NOTIFY_SB_QUOTA)
		rec->sb_quota.id_type = value % 3;
}

static void print_subtype(unsigned int type, unsigned int subtype)
{
	static union watch_record rec;
	static struct event ev;
	unsigned int value;

	for (value = 0; value < NR_VALUES; value++) {
		fill(&rec, type, subtype, value);
		if (raw) {
			fwrite(&rec, WATCH_INFO_LENGTH, 1, stdout);
			continue;
		}
		event_decode(&ev, &rec);
		print(&ev);
	}
}

int main(int argc, char **argv)
{
	static struct event ev;
	unsigned int i, subtype;

	raw = argc == 2 && !strcmp(argv[1], "--records");
	if (argc > 1 && !raw)
		die(EXIT_USAGE, "Usage: every_event [--records]\n");
	/* Also a subtype and a type that do not exist */
	for (i = 0; i < nr_sources; i++)
		for (subtype = 0; subtype <= sources[i].nr_events; subtype++)
			print_subtype(sources[i].type, subtype);
	print_subtype(WATCH_TYPE__NR, 0);
	print_subtype(WATCH_TYPE_TRIAL_NOTIFY, 0);
	if (raw)
		return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
	event_resumed(&ev, 0);
	print(&ev);
	return output_flush(-1, true) ? EXIT_DONE : EXIT_FAILED;
}
