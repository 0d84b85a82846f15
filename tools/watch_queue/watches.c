// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: the queue, its watches, its filter, and messages for errors of the kernel
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "watchq.h"

static struct watch watches[MAX_WATCHES];
static unsigned int nr_watches;

/* The rules of --filter, indexed by type */
static struct watch_notification_type_filter rules[WATCH_TYPE__NR];
static bool no_user_ns;		/* --no-user-ns */
static bool track_states;

#define NO_OPTION	"this kernel was built without CONFIG_"

/*
 * Meaning of an error number for a call or option, or for all of them (NULL).  "--block"
 * includes "--block all".
 */
static const struct {
	const char *call;
	int error, status;
	const char *text;
} hints[] = {
	{ "pipe2", ENOPKG, EXIT_KERNEL, NO_OPTION "WATCH_QUEUE" },
	{ "pipe2", EINVAL, EXIT_KERNEL, "this kernel has no notification queue" },
	{ "--queue", EINVAL, EXIT_USAGE,
	  "more than 8388608 records, or more than sysctl fs.pipe-max-size allows; "
	  "specify a smaller --queue" },
	{ "--queue", EPERM, EXIT_PERMISSION,
	  "more than sysctl fs.pipe-user-pages-soft or -hard allows" },
	{ "--filter", EINVAL, EXIT_KERNEL, "this kernel does not support the filter" },
	{ "--key", EOPNOTSUPP, EXIT_KERNEL, NO_OPTION "KEY_NOTIFICATIONS" },
	{ "--key", EACCES, EXIT_PERMISSION, "View permission required, for a keyring also Read" },
	{ "--key", ENOKEY, EXIT_FAILED, "no such key" },
	{ "--key", EAGAIN, EXIT_PERMISSION,
	  "more watches than user.max_watch_queue_watches or the limit of open files allows" },
	{ "--mount", EOPNOTSUPP, EXIT_KERNEL, NO_OPTION "MOUNT_NOTIFICATIONS" },
	{ "--mount", EINVAL, EXIT_FAILED, "not the root of a mount" },
	{ "--mount", EPERM, EXIT_PERMISSION,
	  "outside of your mount namespace or root directory, CAP_SYS_ADMIN required" },
	{ "--sb", EOPNOTSUPP, EXIT_KERNEL, NO_OPTION "SB_NOTIFICATIONS" },
	{ "--sb", ENODEV, EXIT_FAILED, "nothing is mounted on this automount point" },
	{ "--sb", EPERM, EXIT_PERMISSION,
	  "privilege required: a path that you can read, or CAP_SYS_ADMIN" },
	{ "--block", EOPNOTSUPP, EXIT_KERNEL, NO_OPTION "BLOCK_NOTIFICATIONS" },
	{ "--block", EINVAL, EXIT_FAILED, "not a block device" },
	{ "--block all", EPERM, EXIT_PERMISSION,
	  "privilege required: CAP_SYS_ADMIN in the initial user namespace" },
	{ "--block", EPERM, EXIT_PERMISSION,
	  "forbidden by the device cgroup (DevicePolicy= of systemd) or a security module" },
	{ "--block", EACCES, EXIT_PERMISSION, "read permission required" },
	{ "--devices", EOPNOTSUPP, EXIT_KERNEL, NO_OPTION "DEVICE_NOTIFICATIONS" },
	{ NULL, ENOTTY, EXIT_KERNEL, "this kernel can only watch keys" },
	{ NULL, EACCES, EXIT_PERMISSION, NULL },
	{ NULL, EPERM, EXIT_PERMISSION, "privilege required, see watch_queue(7)" },
	{ NULL, EAGAIN, EXIT_PERMISSION,
	  "more watches than sysctl user.max_watch_queue_watches allows" },
	{ NULL, EBUSY, EXIT_USAGE, "already watched" },
};

/* The text for an error number, after a colon, or ""; sets the exit status if it has one */
static const char *hint(const char *call, int error, int *status)
{
	static char text[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hints); i++) {
		if (hints[i].error != error ||
		    (hints[i].call && strncmp(hints[i].call, call, strlen(hints[i].call))))
			continue;
		*status = hints[i].status;
		if (!hints[i].text)
			break;
		snprintf(text, sizeof(text), ": %s", hints[i].text);
		return text;
	}
	return "";
}

/* @call: the system call or option that failed; @object: its argument, or "" */
static void __noreturn die_errno(const char *call, const char *object)
{
	int error = errno, status = EXIT_FAILED;
	const char *text = hint(call, error, &status);

	die(status, "%s%s%s: %s%s", call, *object ? " " : "", object, strerror(error), text);
}

/*
 * Options
 */

void add_watch(const char *source, const char *object)
{
	if (nr_watches == MAX_WATCHES)
		die(EXIT_USAGE, "%s: more than %u watches", object, MAX_WATCHES);
	watches[nr_watches++] = (struct watch){
		.source = source_by_name(source, strlen(source)),
		.object = object,
		.place = message_place,
		.all = !strcmp(source, "device") ||
		       ((!strcmp(source, "sb") || !strcmp(source, "block")) &&
			!strcmp(object, "all")),
	};
}

unsigned int watches_count(void)
{
	return nr_watches;
}

void set_no_user_ns(void)
{
	no_user_ns = true;
}

void set_track_states(void)
{
	track_states = true;
}

static struct watch *last_watch(void)
{
	return nr_watches ? &watches[nr_watches - 1] : NULL;
}

void set_subtree(void)
{
	struct watch *watch = last_watch();

	if (!watch || watch->source->type != WATCH_TYPE_MOUNT_NOTIFY)
		die(EXIT_USAGE, "--subtree must directly follow --mount");
	watch->subtree = true;
}

const struct watch *watch_by_id(unsigned int id)
{
	return id < nr_watches ? &watches[id] : NULL;
}

bool watches_any(unsigned int type)
{
	unsigned int i;

	for (i = 0; i < nr_watches; i++)
		if (watches[i].source->type == type)
			return true;
	return false;
}

/* Synonyms of event names */
static const struct {
	const char *alias, *event;
} aliases[] = {
	{ "read-only", "rdonly" }, { "readonly", "rdonly" }, { "ro", "rdonly" },
	{ "read-write", "rdwr" }, { "readwrite", "rdwr" }, { "rw", "rdwr" },
	{ "umount", "unmount" },
};

static bool same_word(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && !strncmp(word, text, len);
}

/* The subtype of an event, or the number of events if there is no such name */
static unsigned int event_by_name(const struct source *source, const char *text,
				  size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(aliases); i++)
		if (same_word(aliases[i].alias, text, len))
			return event_by_name(source, aliases[i].event,
					     strlen(aliases[i].event));
	for (i = 0; i < source->nr_events; i++)
		if (same_word(source->events[i].name, text, len))
			break;
	return i;
}

/* The bits of the subtypes in EVENT,EVENT...; @option and @text are for messages */
static unsigned int parse_events(const char *option, const char *text,
				 const struct source *source, const char *list)
{
	unsigned int mask = 0, i;
	size_t len;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		i = event_by_name(source, list, len);
		if (i == source->nr_events)
			die(EXIT_USAGE, "%s %s: %s has no event \"%.*s\", see watchq(1)",
			    option, text, source->name, (int)len, list);
		mask |= 1U << i;
		if (!list[len])
			return mask;
	}
}

/* SOURCE or SOURCE=EVENT,EVENT... */
void add_filter(const char *text)
{
	size_t len = strcspn(text, "=");
	const struct source *source = source_by_name(text, len);
	struct watch_notification_type_filter *rule;

	if (!source || source->type == WATCH_TYPE_META)
		die(EXIT_USAGE,
		    "--filter %s: source must be key, mount, sb, block or device", text);
	rule = &rules[source->type];
	rule->type = source->type;
	if (text[len])
		rule->subtype_filter[0] |= parse_events("--filter", text, source,
							text + len + 1);
	else
		memset(rule->subtype_filter, 0xff, sizeof(rule->subtype_filter));
}

void set_only(const char *text)
{
	struct watch *watch = last_watch();

	if (!watch)
		die(EXIT_USAGE, "--only must follow a watch");
	watch->only |= parse_events("--only", text, watch->source, text);
}

/* Does the --only of a watch, or the lack of one, include this event? */
static bool watch_selects(const struct watch *watch, unsigned int event)
{
	return !watch || !watch->only || (event < 32 && watch->only & 1U << event);
}

/* Events that change the state of a filesystem */
static const unsigned int state_changes =
	1U << NOTIFY_SB_RDONLY | 1U << NOTIFY_SB_RDWR | 1U << NOTIFY_SB_FROZEN |
	1U << NOTIFY_SB_THAWED | 1U << NOTIFY_SB_SHUTDOWN | 1U << NOTIFY_SB_NEW |
	1U << NOTIFY_SB_GONE;

/* Do --filter and --only include this event of a filesystem? */
static bool sb_selected(const struct watch *watch, unsigned int event)
{
	const struct watch_notification_type_filter *rule = &rules[WATCH_TYPE_SB_NOTIFY];

	return (!rule->type || rule->subtype_filter[0] & 1U << event) &&
	       watch_selects(watch, event);
}

/*
 * Set up
 */

/* Not @t and @p: these would be the unused keyrings of watchq itself */
static int key_number(const char *text)
{
	char *end;
	long n;

	if (!strcmp(text, "@s"))
		return KEY_SPEC_SESSION_KEYRING;
	if (!strcmp(text, "@u"))
		return KEY_SPEC_USER_KEYRING;
	if (!strcmp(text, "@us"))
		return KEY_SPEC_USER_SESSION_KEYRING;
	errno = 0;
	n = strtol(text, &end, 0);
	if (errno || end == text || *end || n <= 0 || n > INT_MAX)
		die(EXIT_USAGE, "--key %s: must be a serial number (0x...: hex), @s, @u or @us",
		    text);
	return n;
}

static void watch_key(int queue, const struct watch *watch, unsigned int id)
{
	int key = key_number(watch->object);

	if (!syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, queue, id | KEY_WATCH_EXTENDED))
		return;
	/* A kernel without KEY_WATCH_EXTENDED has fewer events */
	if (errno != EINVAL || syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, queue, id))
		die_errno("--key", watch->object);
}

/* An earlier watch on the same filesystem, whose events have its ID, or NULL */
static const struct watch *twin_of(const struct watch *watch)
{
	const struct watch *twin;

	for (twin = watches; twin < watch; twin++)
		if (watch->filesystem && watch->filesystem == twin->filesystem)
			return twin;
	return NULL;
}

static void warn_twin(const struct watch *watch)
{
	const struct watch *twin = twin_of(watch);

	inform("--sb %s: the same filesystem as %s%s, watched once", watch->object,
	       twin ? "--sb " : "another ", twin ? twin->object : "--sb");
}

/*
 * Open a block device, which is open with O_PATH, for reading, and close @fd.  A file of
 * another type is not opened: that may have side effects.  Returns -1 with errno.
 */
static int open_device(int fd)
{
	int device = -1, error;
	struct stat stat;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &stat) || !S_ISBLK(stat.st_mode))
		errno = EINVAL;
	else
		device = open(path, O_CLOEXEC | O_RDONLY | O_NONBLOCK);
	error = errno;
	close(fd);
	errno = error;
	return device;
}

/* Returns -1 with errno if it fails */
static int open_object(struct watch *watch)
{
	int fd = open(watch->object, O_CLOEXEC | O_PATH), namespace = -1;

	/* Only a block device and a namespace must be open for reading */
	if (fd >= 0 && watch->source->type == WATCH_TYPE_BLOCK_NOTIFY)
		return open_device(fd);
	if (fd >= 0 && watch->source->type == WATCH_TYPE_MOUNT_NOTIFY)
		namespace = open_namespace(fd, &watch->namespace);
	if (namespace < 0)
		return fd;
	close(fd);
	return namespace;
}

/* Returns false with errno if it fails */
static bool try_watch(int queue, struct watch *watch, unsigned int id)
{
	struct watch_queue_watch how = {
		.type	= watch->source->type,
		.fd	= -1,
		.id	= id,
		.flags	= watch->subtree ? WATCH_SUBTREE : 0,
	};
	bool was_root = watch->mount_root, unmounted = false;
	int error = 0;

	if (!watch->all) {
		how.fd = open_object(watch);
		if (how.fd < 0)
			return false;
	}
	/* A namespace includes all mounts */
	if (watch->namespace)
		how.flags = 0;
	if (how.type == WATCH_TYPE_SB_NOTIFY && !watch->all) {
		watch->filesystem = filesystem_of(how.fd);
		watch->mount_root = is_mount_root(how.fd);
		/* O_PATH does not trigger the automount */
		unmounted = is_automount_point(how.fd);
	}
	/* Without its mount, the directory is part of another filesystem */
	if (was_root && !watch->mount_root)
		error = ENOENT;
	else if (unmounted)
		error = ENODEV;
	else if (ioctl(queue, IOC_WATCH_QUEUE_ADD_WATCH, &how))
		error = errno;
	/* An open file keeps the object busy, a watch does not */
	if (how.fd >= 0)
		close(how.fd);
	errno = error;
	return !error;
}

/* The watch cannot be added */
static void __noreturn die_watch(const struct watch *watch)
{
	bool devices = watch->source->type == WATCH_TYPE_DEVICE_NOTIFY;
	const char *suffix = devices ? "s" : watch->all ? " all" : "";
	char option[16];

	snprintf(option, sizeof(option), "--%s%s", watch->source->name, suffix);
	die_errno(option, watch->all ? "" : watch->object);
}

static void watch_object(int queue, struct watch *watch, unsigned int id)
{
	bool sb = watch->source->type == WATCH_TYPE_SB_NOTIFY && !watch->all;

	if (try_watch(queue, watch, id))
		return;
	if (!sb || errno != EBUSY)
		die_watch(watch);
	warn_twin(watch);
}

bool watch_on_path(unsigned int id)
{
	return id < nr_watches && !watches[id].all &&
	       watches[id].source->type != WATCH_TYPE_KEY_NOTIFY;
}

bool watches_same_filesystem(unsigned int id, unsigned int other)
{
	return id < nr_watches && other < nr_watches && watches[id].filesystem &&
	       watches[id].filesystem == watches[other].filesystem;
}

bool watch_again(int queue, unsigned int id)
{
	struct watch *watch = &watches[id], old = *watch;

	watch->namespace = 0;
	if (!try_watch(queue, watch, id)) {
		/* The object is not another one if it is already watched */
		if (errno != EBUSY)
			*watch = old;
		return false;
	}
	if (watch->source->type == WATCH_TYPE_MOUNT_NOTIFY)
		watches_read_mounts();
	return true;
}

void warn_watch(unsigned int id, int error)
{
	const struct watch *watch = &watches[id];
	char option[16];
	int status;

	snprintf(option, sizeof(option), "--%s", watch->source->name);
	warn("%s %s: cannot be watched again: %s%s", option, watch->object, strerror(error),
	     hint(option, error, &status));
}

void watch_forget_filesystem(unsigned int id)
{
	watches[id].filesystem = 0;
}

/* Fails if the path is now on another filesystem.  Returns false with errno. */
static bool request_state(int queue, const struct watch *watch)
{
	struct watch_queue_watch how = {
		.type	= WATCH_TYPE_SB_NOTIFY,
		.flags	= WATCH_REPORT_STATE,
		.fd	= -1,
	};
	int error = 0;

	if (!watch->all)
		how.fd = open(watch->object, O_CLOEXEC | O_PATH);
	if ((!watch->all && how.fd < 0) || ioctl(queue, IOC_WATCH_QUEUE_ADD_WATCH, &how))
		error = errno;
	if (how.fd >= 0)
		close(how.fd);
	errno = error;
	return !error;
}

/* Was the state of a filesystem reported, by any of its paths? */
static bool was_reported(unsigned int id, const bool *reported)
{
	unsigned int i;

	for (i = 0; i < nr_watches; i++)
		if (reported[i] && (i == id || watches_same_filesystem(i, id)))
			return true;
	return false;
}

bool watches_report_states(int queue)
{
	static bool warned[MAX_WATCHES];
	const struct queue_watch *list;
	bool reported[MAX_WATCHES] = { };
	unsigned int i, nr;
	bool any = false;

	for (i = 0; i < nr_watches; i++) {
		if (watches[i].source->type == WATCH_TYPE_SB_NOTIFY &&
		    !was_reported(i, reported))
			reported[i] = request_state(queue, &watches[i]);
		any |= reported[i];
	}
	nr = fdinfo_watches(&list);
	for (i = 0; i < nr; i++) {
		unsigned int id = list[i].id;
		bool dead = list[i].type == WATCH_TYPE_SB_NOTIFY && !was_reported(id, reported);

		if (dead && !warned[id])
			warn("--sb %s: unknown state, the path no longer leads to the filesystem",
			     watches[id].object);
		warned[id] = dead;
	}
	return any;
}

/* A source without --filter gets a rule that accepts all its events */
static void set_filter(int queue)
{
	struct {
		struct watch_notification_filter header;
		struct watch_notification_type_filter rules[WATCH_TYPE__NR];
	} filter = { };
	unsigned int type;
	bool any = no_user_ns;

	if (no_user_ns && !watches_any(WATCH_TYPE_SB_NOTIFY))
		die(EXIT_USAGE, "--no-user-ns: no filesystem is watched, see --sb");
	for (type = WATCH_TYPE_META + 1; type < WATCH_TYPE__NR; type++) {
		struct watch_notification_type_filter *rule;

		if (rules[type].type && !watches_any(type))
			die(EXIT_USAGE, "--filter %s: this source is not watched",
			    source_by_type(type)->name);
		any |= rules[type].type;
		if (!watches_any(type))
			continue;
		rule = &filter.rules[filter.header.nr_filters++];
		*rule = rules[type];
		if (!rule->type) {
			rule->type = type;
			memset(rule->subtype_filter, 0xff, sizeof(rule->subtype_filter));
		}
		if (type == WATCH_TYPE_SB_NOTIFY) {
			/* See watches_report() */
			rule->subtype_filter[0] |= 1U << NOTIFY_SB_STATE;
			if (track_states)
				rule->subtype_filter[0] |= state_changes;
			if (no_user_ns)
				rule->info_mask = NOTIFY_SB_IN_USER_NS;
		}
	}
	if (any && ioctl(queue, IOC_WATCH_QUEUE_SET_FILTER, &filter))
		die_errno("--filter", "");
}

/* Is this the first watch on a mount of its namespace? */
static bool first_of_namespace(const struct watch *watch)
{
	const struct watch *other;

	if (watch->source->type != WATCH_TYPE_MOUNT_NOTIFY)
		return false;
	for (other = watches; other < watch; other++)
		if (other->source == watch->source && other->namespace == watch->namespace)
			return false;
	return true;
}

void watches_read_mounts(void)
{
	const struct watch_notification_type_filter *rule = &rules[WATCH_TYPE_MOUNT_NOTIFY];
	unsigned int all = 1 << NOTIFY_MOUNT_UNMOUNT | 1 << NOTIFY_MOUNT_MOVE_FROM |
			   1 << NOTIFY_MOUNT_MOVE_TO;
	unsigned int i;

	for (i = 0; i < nr_watches; i++)
		if (watches[i].namespace)
			all |= 1 << NOTIFY_MOUNT_ROOT;
	mounts_forget(!rule->type || (rule->subtype_filter[0] & all) == all);
	for (i = 0; i < nr_watches; i++)
		if (first_of_namespace(&watches[i]))
			mounts_read(watches[i].namespace);
}

/* A watch on all filesystems starts with a record for each of them */
unsigned long watches_depth(void)
{
	unsigned int i;

	for (i = 0; i < nr_watches; i++)
		if (watches[i].all && watches[i].source->type == WATCH_TYPE_SB_NOTIFY)
			return 8192;
	return 512;
}

/* The first watch that is not on a key, or NULL */
static const struct watch *watch_on_other(void)
{
	unsigned int i;

	for (i = 0; i < nr_watches; i++)
		if (watches[i].source->type != WATCH_TYPE_KEY_NOTIFY)
			return &watches[i];
	return NULL;
}

/* A queue that can only watch keys has fewer records, too */
static void __noreturn die_size(int queue, unsigned long depth)
{
	const struct watch *other = watch_on_other();
	int error = errno;
	char text[32];

	if (other && ioctl(queue, IOC_WATCH_QUEUE_REMOVE_WATCH, NULL) && errno == ENOTTY)
		die_watch(other);
	errno = error;
	snprintf(text, sizeof(text), "%lu", depth);
	die_errno("--queue", text);
}

int watches_open(unsigned long depth)
{
	unsigned int i;
	int fds[2];

	if (!nr_watches)
		die(EXIT_USAGE, "nothing to watch, see watchq --help");
	if (pipe2(fds, O_NOTIFICATION_PIPE | O_CLOEXEC))
		die_errno("pipe2", "");
	if (ioctl(fds[0], IOC_WATCH_QUEUE_SET_SIZE, depth))
		die_size(fds[0], depth);
	set_filter(fds[0]);
	for (i = 0; i < nr_watches; i++) {
		message_place = watches[i].place;
		if (watches[i].source->type == WATCH_TYPE_KEY_NOTIFY)
			watch_key(fds[0], &watches[i], i);
		else
			watch_object(fds[0], &watches[i], i);
	}
	message_place = NULL;
	/* Read the state after adding the watches, so that no change is missed */
	watches_read_mounts();
	/* With the write end closed, read() returns 0 when no watch is left */
	close(fds[1]);
	return fds[0];
}

/*
 * States of filesystems
 */

static void check_privilege(struct watch *watch, unsigned int info)
{
	if (!(info & NOTIFY_SB_UNPRIVILEGED) || watch->unprivileged ||
	    !sb_selected(watch, NOTIFY_SB_ERROR))
		return;
	watch->unprivileged = true;
	warn("--sb %s: without CAP_SYS_ADMIN, errors of the filesystem are not reported",
	     watch->object);
}

/*
 * A state is reported if --filter or --only names states.  Otherwise it takes the place
 * of an earlier event, so it is reported if this event would be.
 */
static bool report_state(struct watch *watch, unsigned int info)
{
	bool named = rules[WATCH_TYPE_SB_NOTIFY].type || (watch && watch->only);
	unsigned int mask = 0;

	if (watch)
		check_privilege(watch, info);
	if (named && sb_selected(watch, NOTIFY_SB_STATE))
		return true;
	if (sb_selected(watch, NOTIFY_SB_RDONLY))
		mask |= NOTIFY_SB_BY_ERROR | NOTIFY_SB_IS_SHUTDOWN;
	if (sb_selected(watch, NOTIFY_SB_SHUTDOWN))
		mask |= NOTIFY_SB_IS_SHUTDOWN;
	if (sb_selected(watch, NOTIFY_SB_FROZEN))
		mask |= NOTIFY_SB_IS_FROZEN;
	return info & mask;
}

bool watches_report(const union watch_record *rec)
{
	unsigned int id = watch_record_id(rec);
	struct watch *watch = id < nr_watches ? &watches[id] : NULL;

	if (rec->watch.type == WATCH_TYPE_META)
		return true;
	if (rec->watch.type == WATCH_TYPE_SB_NOTIFY && rec->watch.subtype == NOTIFY_SB_STATE)
		return report_state(watch, rec->watch.info);
	/* With set_track_states(), the kernel queues events that --filter rejects */
	if (track_states && rec->watch.type == WATCH_TYPE_SB_NOTIFY && rec->watch.subtype < 32)
		return sb_selected(watch, rec->watch.subtype);
	return watch_selects(watch, rec->watch.subtype);
}
