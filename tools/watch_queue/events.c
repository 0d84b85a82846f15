// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: decoding of records into events with a source, a name and fields
 *
 * Each member of a record is a field.  If the number has a name, the name is another
 * field.  watchq.1 documents all fields.
 * The priority is the severity in Documentation/userspace-api/watch_queue/.  If it
 * depends on the record, the table of the source has the usual one.
 */
#include <limits.h>
#include <linux/quota.h>
#include <stdarg.h>
#include <syslog.h>

#include "watchq.h"

static bool mounts_read_again;		/* since events_begin() */
static struct timespec time_of_read;

void events_begin(void)
{
	mounts_read_again = false;
	clock_gettime(CLOCK_REALTIME, &time_of_read);
}

/* The records of one read() are older than the mounts that are read after it */
static void read_mounts_again(void)
{
	if (!mounts_read_again)
		watches_read_mounts();
	mounts_read_again = true;
}

/* Format a string that is valid until the next event; truncated if it does not fit */
static const char *format_text(struct event *ev, const char *format, ...)
{
	size_t room = sizeof(ev->text) - ev->used;
	char *text = ev->text + ev->used;
	va_list args;
	int len;

	if (!room)
		return "";
	va_start(args, format);
	len = vsnprintf(text, room, format, args);
	va_end(args);
	ev->used += len < 0 || (size_t)len >= room ? room : (size_t)len + 1;
	return text;
}

/* The names of all fields */
static const char * const field_names[] = {
	"time", "source", "event", "priority", "watch", "on",
	/* key */
	"key", "key_type", "key_name", "other", "other_type", "other_name",
	"error", "errno",
	/* mount */
	"mount", "path", "fs_type", "sb", "dev", "dev_name", "mount_ns", "fs_root",
	"fs_source", "options", "old_options", "parent", "parent_path", "old_parent",
	"old_parent_path", "in_subtree", "rdonly", "automount", "propagated", "expired",
	"fs_rdonly",
	/* sb */
	"by_error", "shutdown", "in_user_ns", "frozen", "by_suspend", "unprivileged",
	"list_end", "kind", "inode", "generation", "pos", "length", "error_time_ns",
	"suppressed", "limit", "owner_type", "owner", "owner_name",
	/* block */
	"operation", "sector", "partition", "disk_seq", "stacked",
	/* device */
	"devpath", "name", "subsystem", "seqnum", "sysfs_ino", "block", "synthetic",
	"truncated",
	/* queue */
	"count", "or_more", "object",
	/* unknown */
	"type", "subtype", "info", "data",
};

const char *field_name(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(field_names); i++)
		if (strlen(field_names[i]) == len && !strncmp(field_names[i], name, len))
			return field_names[i];
	return NULL;
}

const struct field *event_field(const struct event *ev, const char *name)
{
	unsigned int i;

	for (i = 0; i < ev->nr_fields; i++)
		if (!strcmp(ev->fields[i].name, name))
			return &ev->fields[i];
	return NULL;
}

const char *field_value(const struct field *field)
{
	static char number[32];

	if (field->kind == FIELD_TEXT)
		return field->text;
	snprintf(number, sizeof(number), "%llu", field->number);
	return number;
}

static struct field *add(struct event *ev, const char *name, int kind)
{
	struct field *field = &ev->fields[ev->nr_fields++];

	*field = (struct field){ .name = name, .kind = kind };
	return field;
}

/* A NULL @text is not a field */
static void add_text(struct event *ev, const char *name, const char *text)
{
	if (text)
		add(ev, name, FIELD_TEXT)->text = format_text(ev, "%s", text);
}

static void add_number(struct event *ev, const char *name, unsigned long long number)
{
	add(ev, name, FIELD_NUMBER)->number = number;
}

static void add_flag(struct event *ev, const char *name, bool flag)
{
	add(ev, name, FIELD_FLAG)->number = flag;
}

/* Omit the last field in text output */
static void hide(struct event *ev)
{
	if (ev->nr_fields)
		ev->fields[ev->nr_fields - 1].hidden = true;
}

/* Hidden if the rate limit suppressed no errors, which is the usual case */
static void add_suppressed(struct event *ev, unsigned int suppressed)
{
	add_number(ev, "suppressed", suppressed);
	if (!suppressed)
		hide(ev);
}

/* @text, which must remain valid, or @number if it has no name */
static void set_subject(struct event *ev, const char *text, unsigned long long number)
{
	ev->subject = text ? text : format_text(ev, "%llu", number);
}

/* Add the name of a number, or a number of a later kernel as text */
static void add_name(struct event *ev, const char *name, const char * const *names, size_t nr,
		     unsigned int i)
{
	add_text(ev, name, i < nr && names[i] ? names[i] : format_text(ev, "%u", i));
}

/* Add an error number and, if it has a name, the name in its place in text output */
static void add_errno(struct event *ev, unsigned int error)
{
	const char *name = name_of_error(error);

	add_number(ev, "error", error);
	if (name)
		hide(ev);
	add_text(ev, "errno", name);
}

/* Add "8:1" and, if known, "sda1"; returns the latter if possible */
static const char *add_device(struct event *ev, unsigned int major, unsigned int minor)
{
	const char *name;
	char buf[PATH_MAX];

	add_text(ev, "dev", format_text(ev, "%u:%u", major, minor));
	name = name_of_device(buf, sizeof(buf), major, minor);
	if (!name)
		return ev->fields[ev->nr_fields - 1].text;
	hide(ev);
	add_text(ev, "dev_name", name);
	return ev->fields[ev->nr_fields - 1].text;
}

/*
 * Keys
 */

static const struct event_type key_events[] = {
	[NOTIFY_KEY_INSTANTIATED] = { "instantiated", LOG_INFO },
	[NOTIFY_KEY_UPDATED]	= { "updated", LOG_INFO },
	[NOTIFY_KEY_LINKED]	= { "linked", LOG_INFO },
	[NOTIFY_KEY_UNLINKED]	= { "unlinked", LOG_INFO },
	[NOTIFY_KEY_CLEARED]	= { "cleared", LOG_INFO },
	[NOTIFY_KEY_REVOKED]	= { "revoked", LOG_NOTICE },
	[NOTIFY_KEY_INVALIDATED] = { "invalidated", LOG_NOTICE },
	[NOTIFY_KEY_SETATTR]	= { "setattr", LOG_INFO },
	[NOTIFY_KEY_EXPIRED]	= { "expired", LOG_NOTICE },
};

/* @fields: the names of the fields for serial number, type and description */
static const char *add_key(struct event *ev, unsigned int key, const char * const fields[3])
{
	const char *type, *name;
	char buf[4096];

	add_number(ev, fields[0], key);
	if (!name_of_key(buf, sizeof(buf), key, &type, &name))
		return NULL;
	hide(ev);
	add_text(ev, fields[1], type);
	add_text(ev, fields[2], name);
	return ev->fields[ev->nr_fields - 1].text;
}

static void decode_key(struct event *ev, const union watch_record *rec)
{
	static const char * const key[] = { "key", "key_type", "key_name" };
	static const char * const other[] = { "other", "other_type", "other_name" };
	unsigned int event = rec->watch.subtype, first = ev->nr_fields;
	const char *name;

	name = add_key(ev, rec->key.key_id, key);
	for (; first < ev->nr_fields; first++)
		ev->fields[first].hidden = true;
	set_subject(ev, name, rec->key.key_id);
	if (event == NOTIFY_KEY_LINKED || event == NOTIFY_KEY_UNLINKED) {
		add_key(ev, rec->key.aux, other);
	} else if (event == NOTIFY_KEY_INSTANTIATED && rec->key.aux) {
		add_errno(ev, rec->key.aux);
		ev->priority = LOG_WARNING;
	}
}

/*
 * Mounts
 */

static const struct event_type mount_events[] = {
	[NOTIFY_MOUNT_NEW]	= { "new", LOG_INFO },
	[NOTIFY_MOUNT_UNMOUNT]	= { "unmount", LOG_INFO },
	[NOTIFY_MOUNT_MOVE_FROM] = { "move-from", LOG_INFO },
	[NOTIFY_MOUNT_MOVE_TO]	= { "move-to", LOG_INFO },
	[NOTIFY_MOUNT_RDONLY]	= { "rdonly", LOG_NOTICE },
	[NOTIFY_MOUNT_RDWR]	= { "rdwr", LOG_NOTICE },
	[NOTIFY_MOUNT_SETATTR]	= { "setattr", LOG_INFO },
	[NOTIFY_MOUNT_PROPAGATION] = { "propagation", LOG_INFO },
	[NOTIFY_MOUNT_FS_CHANGED] = { "fs-changed", LOG_NOTICE },
	[NOTIFY_MOUNT_ROOT]	= { "root", LOG_NOTICE },
};

/*
 * Add the ID of a mount and, if known, its path.  The mount is valid until the next one
 * is looked up.
 */
static const struct mount *add_mount(struct event *ev, const char *id_name,
				     const char *path_name, unsigned long long id,
				     unsigned long long ns)
{
	const struct mount *mount = mount_find(id, ns);

	add_number(ev, id_name, id);
	if (mount) {
		hide(ev);
		add_text(ev, path_name, mount->path);
	}
	return mount;
}

/* Hidden unless they changed and the name of the event does not imply how */
static void add_options(struct event *ev, const char *options, const char *old,
			unsigned int event)
{
	bool changed = old && strcmp(old, options);
	bool hidden = !changed || event == NOTIFY_MOUNT_RDONLY || event == NOTIFY_MOUNT_RDWR;

	add_text(ev, "options", options);
	if (hidden)
		hide(ev);
	add_text(ev, "old_options", changed ? old : NULL);
	if (hidden)
		hide(ev);
}

static void decode_mount(struct event *ev, const union watch_record *rec)
{
	static const struct {
		unsigned int flag;
		const char *name;
	} flags[] = {
		{ NOTIFY_MOUNT_IN_SUBTREE, "in_subtree" },
		{ NOTIFY_MOUNT_IS_RDONLY, "rdonly" },
		{ NOTIFY_MOUNT_AUTOMOUNT, "automount" },
		{ NOTIFY_MOUNT_PROPAGATED, "propagated" },
		{ NOTIFY_MOUNT_EXPIRED, "expired" },
		{ NOTIFY_MOUNT_FS_RDONLY, "fs_rdonly" },
	};
	const struct mount_notification *n = &rec->mount;
	unsigned int event = rec->watch.subtype;
	bool moved = event == NOTIFY_MOUNT_MOVE_FROM || event == NOTIFY_MOUNT_MOVE_TO ||
		     event == NOTIFY_MOUNT_ROOT;
	const struct mount *mount = mount_cached(n->mnt_id);
	const char *old_options = mount ? format_text(ev, "%s", mount->options) : NULL;
	size_t i;

	/* The mounts below have new paths, too */
	if (moved)
		read_mounts_again();
	mount = add_mount(ev, "mount", "path", n->mnt_id, n->mnt_ns_id);
	hide(ev);
	set_subject(ev, mount ? ev->fields[ev->nr_fields - 1].text : NULL, n->mnt_id);
	add_text(ev, "fs_type", n->fs_type);
	add_number(ev, "sb", n->sb_id);
	hide(ev);
	add_device(ev, n->dev_major, n->dev_minor);
	/* The number of a filesystem without a device */
	if (!n->dev_major)
		hide(ev);
	add_number(ev, "mount_ns", n->mnt_ns_id);
	hide(ev);
	if (mount) {
		add_text(ev, "fs_root", mount->fs_root);
		hide(ev);
		add_text(ev, "fs_source", mount->fs_source);
		hide(ev);
		add_options(ev, mount->options, old_options, event);
	}
	add_mount(ev, "parent", "parent_path", n->parent_id, n->mnt_ns_id);
	if (n->old_parent_id)
		add_mount(ev, "old_parent", "old_parent_path", n->old_parent_id, n->mnt_ns_id);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		add_flag(ev, flags[i].name, rec->watch.info & flags[i].flag);
	if (event == NOTIFY_MOUNT_UNMOUNT)
		mount_gone(n->mnt_id);
}

/*
 * Filesystems
 */

static const struct event_type sb_events[] = {
	[NOTIFY_SB_RDONLY]	= { "rdonly", LOG_NOTICE },
	[NOTIFY_SB_RDWR]	= { "rdwr", LOG_NOTICE },
	[NOTIFY_SB_RECONFIGURED] = { "reconfigured", LOG_INFO },
	[NOTIFY_SB_FROZEN]	= { "frozen", LOG_NOTICE },
	[NOTIFY_SB_THAWED]	= { "thawed", LOG_NOTICE },
	[NOTIFY_SB_SHUTDOWN]	= { "shutdown", LOG_ERR },
	[NOTIFY_SB_ERROR]	= { "error", LOG_ERR },
	[NOTIFY_SB_WRITEBACK_ERROR] = { "writeback-error", LOG_ERR },
	[NOTIFY_SB_QUOTA]	= { "quota", LOG_WARNING },
	[NOTIFY_SB_STATE]	= { "state", LOG_INFO },
	[NOTIFY_SB_NEW]		= { "new", LOG_INFO },
	[NOTIFY_SB_GONE]	= { "gone", LOG_INFO },
};

static void add_error(struct event *ev, const struct superblock_error_notification *n)
{
	static const char * const kinds[] = {
		[NOTIFY_SB_METADATA]	= "metadata",
		[NOTIFY_SB_BUFFERED_READ] = "buffered-read",
		[NOTIFY_SB_BUFFERED_WRITE] = "buffered-write",
		[NOTIFY_SB_DIRECT_READ]	= "direct-read",
		[NOTIFY_SB_DIRECT_WRITE] = "direct-write",
		[NOTIFY_SB_STALE_CACHE]	= "stale-cache",
		[NOTIFY_SB_DATA_LOST]	= "data-lost",
	};

	add_errno(ev, n->error);
	add_name(ev, "kind", kinds, ARRAY_SIZE(kinds), n->kind);
	if (n->ino)
		add_number(ev, "inode", n->ino);
	if (n->generation) {
		add_number(ev, "generation", n->generation);
		hide(ev);
	}
	if (n->length) {
		add_number(ev, "pos", n->pos);
		add_number(ev, "length", n->length);
	}
	add_number(ev, "error_time_ns", n->time_ns);
	hide(ev);
	add_suppressed(ev, n->suppressed);
}

/* A crossed hard limit and an expired grace time are warnings */
static int quota_priority(unsigned int warning)
{
	switch (warning) {
	case QUOTA_NL_ISOFTWARN:
	case QUOTA_NL_BSOFTWARN:
		return LOG_NOTICE;
	case QUOTA_NL_IHARDBELOW:
	case QUOTA_NL_ISOFTBELOW:
	case QUOTA_NL_BHARDBELOW:
	case QUOTA_NL_BSOFTBELOW:
		return LOG_INFO;
	default:
		return LOG_WARNING;
	}
}

static void add_quota(struct event *ev, const struct superblock_quota_notification *n)
{
	static const char * const types[] = { "user", "group", "project" };
	static const char * const limits[] = {
		[QUOTA_NL_IHARDWARN]	= "inodes-hard",
		[QUOTA_NL_ISOFTLONGWARN] = "inodes-soft-long",
		[QUOTA_NL_ISOFTWARN]	= "inodes-soft",
		[QUOTA_NL_BHARDWARN]	= "blocks-hard",
		[QUOTA_NL_BSOFTLONGWARN] = "blocks-soft-long",
		[QUOTA_NL_BSOFTWARN]	= "blocks-soft",
		[QUOTA_NL_IHARDBELOW]	= "inodes-hard-below",
		[QUOTA_NL_ISOFTBELOW]	= "inodes-soft-below",
		[QUOTA_NL_BHARDBELOW]	= "blocks-hard-below",
		[QUOTA_NL_BSOFTBELOW]	= "blocks-soft-below",
	};
	const char *name;

	ev->priority = quota_priority(n->warning);
	if (n->warning == QUOTA_NL_NOWARN) {
		add_text(ev, "limit", "several");
	} else {
		add_name(ev, "limit", limits, ARRAY_SIZE(limits), n->warning);
		add_name(ev, "owner_type", types, ARRAY_SIZE(types), n->id_type);
		add_number(ev, "owner", n->id);
		name = name_of_owner(n->id_type, n->id);
		if (name)
			hide(ev);
		add_text(ev, "owner_name", name);
	}
	add_suppressed(ev, n->suppressed);
}

static void add_sb_flags(struct event *ev, const union watch_record *rec)
{
	static const struct {
		unsigned int flag;
		const char *name;
	} flags[] = {
		{ NOTIFY_SB_IS_RDONLY, "rdonly" },
		{ NOTIFY_SB_BY_ERROR, "by_error" },
		{ NOTIFY_SB_IS_SHUTDOWN, "shutdown" },
		{ NOTIFY_SB_IN_USER_NS, "in_user_ns" },
		/* Only in a state, which an unprivileged watch gets without "frozen" */
		{ NOTIFY_SB_UNPRIVILEGED, "unprivileged" },
		{ NOTIFY_SB_IS_FROZEN, "frozen" },
	};
	unsigned int info = rec->watch.info, nr = 4;
	size_t i;

	if (rec->watch.subtype == NOTIFY_SB_STATE)
		nr = info & NOTIFY_SB_UNPRIVILEGED ? 5 : 6;
	for (i = 0; i < nr; i++)
		add_flag(ev, flags[i].name, info & flags[i].flag);
	if (rec->watch.subtype == NOTIFY_SB_FROZEN || rec->watch.subtype == NOTIFY_SB_THAWED)
		add_flag(ev, "by_suspend", info & NOTIFY_SB_BY_SUSPEND);
}

/* For a filesystem that became read-only, and for a state */
static void set_state_priority(struct event *ev, unsigned int info)
{
	if (info & (NOTIFY_SB_BY_ERROR | NOTIFY_SB_IS_SHUTDOWN))
		ev->priority = LOG_ERR;
	else if (info & NOTIFY_SB_IS_FROZEN)
		ev->priority = LOG_NOTICE;
}

/* The mount is not attached yet if the filesystem is new */
static bool sb_has_path(unsigned int event)
{
	return event != NOTIFY_SB_NEW && event != NOTIFY_SB_GONE;
}

/*
 * The subject is the watched path, as a filesystem may have several mounts, or none.
 * It is the device if all filesystems are watched.
 */
static void decode_sb(struct event *ev, const union watch_record *rec)
{
	const struct watch *watch = watch_by_id(watch_record_id(rec));
	unsigned int event = rec->watch.subtype;
	const char *name;

	if (event == NOTIFY_SB_STATE && !rec->sb.sb_id) {
		add_flag(ev, "list_end", true);
		return;
	}
	add_number(ev, "sb", rec->sb.sb_id);
	hide(ev);
	name = add_device(ev, rec->sb.dev_major, rec->sb.dev_minor);
	if (watch && watch->all) {
		hide(ev);
		set_subject(ev, name, 0);
	}
	add_text(ev, "fs_type", rec->sb.fs_type);
	if (watch && watch->all && sb_has_path(event))
		add_text(ev, "path", mount_path_of(rec->sb.dev_major, rec->sb.dev_minor));

	if (event == NOTIFY_SB_ERROR || event == NOTIFY_SB_WRITEBACK_ERROR)
		add_error(ev, &rec->sb_error);
	else if (event == NOTIFY_SB_QUOTA)
		add_quota(ev, &rec->sb_quota);
	if (event == NOTIFY_SB_RDONLY || event == NOTIFY_SB_STATE)
		set_state_priority(ev, rec->watch.info);
	add_sb_flags(ev, rec);
	if (event == NOTIFY_SB_STATE)
		add_flag(ev, "list_end", false);
}

/*
 * Block devices
 */

static const struct event_type block_events[] = {
	[NOTIFY_BLOCK_IO]	= { "io", LOG_ERR },
	[NOTIFY_BLOCK_NOT_SUPPORTED] = { "not-supported", LOG_NOTICE },
	[NOTIFY_BLOCK_TIMEOUT]	= { "timeout", LOG_ERR },
	[NOTIFY_BLOCK_NO_SPACE]	= { "no-space", LOG_ERR },
	[NOTIFY_BLOCK_TRANSPORT] = { "transport", LOG_ERR },
	[NOTIFY_BLOCK_TARGET]	= { "target", LOG_ERR },
	[NOTIFY_BLOCK_RESV_CONFLICT] = { "resv-conflict", LOG_WARNING },
	[NOTIFY_BLOCK_MEDIUM]	= { "medium", LOG_ERR },
	[NOTIFY_BLOCK_PROTECTION] = { "protection", LOG_ERR },
	[NOTIFY_BLOCK_RESOURCE]	= { "resource", LOG_WARNING },
	[NOTIFY_BLOCK_ZONE_RESOURCE] = { "zone-resource", LOG_WARNING },
	[NOTIFY_BLOCK_OFFLINE]	= { "offline", LOG_ERR },
	[NOTIFY_BLOCK_DURATION_LIMIT] = { "duration-limit", LOG_NOTICE },
	[NOTIFY_BLOCK_INVALID]	= { "invalid", LOG_WARNING },
};

static void decode_block(struct event *ev, const union watch_record *rec)
{
	static const char * const operations[] = {
		[NOTIFY_BLOCK_OP_READ] = "read",
		[NOTIFY_BLOCK_OP_WRITE] = "write",
		[NOTIFY_BLOCK_OP_FLUSH] = "flush",
		[NOTIFY_BLOCK_OP_DISCARD] = "discard",
		[NOTIFY_BLOCK_OP_ZERO] = "zero",
		[NOTIFY_BLOCK_OP_ZONE] = "zone",
		[NOTIFY_BLOCK_OP_OTHER] = "other",
	};
	const struct block_notification *n = &rec->block;
	const char *name;

	name = add_device(ev, n->dev_major, n->dev_minor);
	hide(ev);
	set_subject(ev, name, 0);
	add_text(ev, "path", mount_path_of(n->dev_major, n->dev_minor));
	add_name(ev, "operation", operations, ARRAY_SIZE(operations), n->operation);
	add_number(ev, "sector", n->sector);
	add_number(ev, "length", n->length);
	add_number(ev, "error_time_ns", n->time_ns);
	hide(ev);
	add_suppressed(ev, n->suppressed);
	add_number(ev, "partition", n->partition);
	hide(ev);
	add_number(ev, "disk_seq", n->disk_seq);
	hide(ev);
	add_flag(ev, "stacked", rec->watch.info & NOTIFY_BLOCK_STACKED);
}

/*
 * Devices
 */

static const struct event_type device_events[] = {
	[NOTIFY_DEVICE_ADD]	= { "add", LOG_INFO },
	[NOTIFY_DEVICE_REMOVE]	= { "remove", LOG_NOTICE },
	[NOTIFY_DEVICE_CHANGE]	= { "change", LOG_INFO },
	[NOTIFY_DEVICE_MOVE]	= { "move", LOG_INFO },
	[NOTIFY_DEVICE_ONLINE]	= { "online", LOG_NOTICE },
	[NOTIFY_DEVICE_OFFLINE]	= { "offline", LOG_NOTICE },
	[NOTIFY_DEVICE_BIND]	= { "bind", LOG_INFO },
	[NOTIFY_DEVICE_UNBIND]	= { "unbind", LOG_INFO },
};

static void decode_device(struct event *ev, const union watch_record *rec)
{
	const char *path = watch_record_devpath(rec), *name = strrchr(path, '/');

	add_text(ev, "devpath", path);
	hide(ev);
	set_subject(ev, ev->fields[ev->nr_fields - 1].text, 0);
	add_text(ev, "name", name ? name + 1 : path);
	hide(ev);
	add_text(ev, "subsystem", watch_record_subsystem(rec));
	if (rec->device.dev_major || rec->device.dev_minor)
		add_text(ev, "dev", format_text(ev, "%u:%u", rec->device.dev_major,
						rec->device.dev_minor));
	add_number(ev, "seqnum", rec->device.seqnum);
	hide(ev);
	add_number(ev, "sysfs_ino", rec->device.sysfs_ino);
	hide(ev);
	add_flag(ev, "block", rec->watch.info & NOTIFY_DEVICE_BLOCK);
	hide(ev);
	add_flag(ev, "synthetic", rec->watch.info & NOTIFY_DEVICE_SYNTHETIC);
	add_flag(ev, "truncated", rec->watch.info & NOTIFY_DEVICE_TRUNCATED);
}

/*
 * The queue itself
 */

static const struct event_type queue_events[] = {
	[WATCH_META_REMOVAL_NOTIFICATION] = { "removed", LOG_INFO },
	[WATCH_META_LOSS_NOTIFICATION]	= { "lost", LOG_WARNING },
};

static void decode_queue(struct event *ev, const union watch_record *rec)
{
	unsigned int lost = watch_record_lost(rec);

	if (lost) {
		/* Mounts of the following records may not be cached */
		read_mounts_again();
		set_subject(ev, NULL, lost);
		add_number(ev, "count", lost);
		hide(ev);
		/* An older kernel has 0 for any number */
		add_flag(ev, "or_more", lost == 0xffff ||
			 !(rec->watch.info & WATCH_INFO_TYPE_INFO));
	} else if (rec->removal.id) {
		add_number(ev, "object", rec->removal.id);
		hide(ev);
	}
}

/* The names of the documentation, and that of syslog(3) */
static const struct {
	const char *name;
	int priority;
} priorities[] = {
	{ "error", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO }, { "err", LOG_ERR },
};

const char *priority_name(int priority)
{
	unsigned int i;

	for (i = 0; priorities[i].priority != priority; i++)
		;
	return priorities[i].name;
}

int priority_by_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(priorities); i++)
		if (!strcmp(priorities[i].name, name))
			return priorities[i].priority;
	return -1;
}

const struct source sources[] = {
	{ "queue", WATCH_TYPE_META, queue_events, ARRAY_SIZE(queue_events), decode_queue },
	{ "key", WATCH_TYPE_KEY_NOTIFY, key_events, ARRAY_SIZE(key_events), decode_key },
	{ "mount", WATCH_TYPE_MOUNT_NOTIFY, mount_events, ARRAY_SIZE(mount_events), decode_mount },
	{ "sb", WATCH_TYPE_SB_NOTIFY, sb_events, ARRAY_SIZE(sb_events), decode_sb },
	{ "block", WATCH_TYPE_BLOCK_NOTIFY, block_events, ARRAY_SIZE(block_events), decode_block },
	{ "device", WATCH_TYPE_DEVICE_NOTIFY, device_events, ARRAY_SIZE(device_events),
	  decode_device },
};

const unsigned int nr_sources = ARRAY_SIZE(sources);

const struct source *source_by_type(unsigned int type)
{
	unsigned int i;

	for (i = 0; i < nr_sources; i++)
		if (sources[i].type == type)
			return &sources[i];
	return NULL;
}

const struct source *source_by_name(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < nr_sources; i++)
		if (strlen(sources[i].name) == len && !strncmp(sources[i].name, name, len))
			return &sources[i];
	return NULL;
}

/* A record of a later kernel */
static void decode_unknown(struct event *ev, const union watch_record *rec)
{
	unsigned int len = rec->watch.info & WATCH_INFO_LENGTH, i;
	char hex[2 * sizeof(rec->bytes) + 1];

	for (i = sizeof(rec->watch); i < len; i++)
		sprintf(hex + 2 * (i - sizeof(rec->watch)), "%02x", rec->bytes[i]);
	hex[2 * (len - sizeof(rec->watch))] = 0;
	add_number(ev, "type", rec->watch.type);
	add_number(ev, "subtype", rec->watch.subtype);
	add_number(ev, "info", rec->watch.info & WATCH_INFO_TYPE_INFO);
	add_text(ev, "data", hex);
}

/* As in RFC 3339 */
static const char *format_time(struct event *ev)
{
	char time[32];
	struct tm tm;

	gmtime_r(&ev->time.tv_sec, &tm);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &tm);
	return format_text(ev, "%s.%06ldZ", time, ev->time.tv_nsec / 1000);
}

/* Start an event with the fields that all events have; returns "priority" */
static struct field *start_event(struct event *ev, const char *source,
				 const struct event_type *type)
{
	struct field *priority;

	ev->nr_fields = 0;
	ev->used = 0;
	ev->subject = "";
	ev->source = source;
	ev->name = type->name;
	ev->priority = type->priority;
	ev->time = time_of_read;
	add_text(ev, "time", format_time(ev));
	hide(ev);
	add_text(ev, "source", ev->source);
	hide(ev);
	add_text(ev, "event", ev->name);
	hide(ev);
	priority = add(ev, "priority", FIELD_TEXT);
	priority->text = priority_name(ev->priority);
	hide(ev);
	return priority;
}

static void add_watch_fields(struct event *ev, unsigned int id)
{
	const struct watch *watch = watch_by_id(id);

	if (!watch)
		return;
	add_number(ev, "watch", id);
	hide(ev);
	add(ev, "on", FIELD_TEXT)->text = watch->object;
	hide(ev);
	set_subject(ev, watch->object, 0);
}

void event_decode(struct event *ev, const union watch_record *rec)
{
	static const struct event_type unknown = { "unknown", LOG_NOTICE };
	const struct source *source = source_by_type(rec->watch.type);
	const struct event_type *type = &unknown;
	struct field *priority;

	if (source && rec->watch.subtype < source->nr_events)
		type = &source->events[rec->watch.subtype];
	priority = start_event(ev, source ? source->name : "unknown", type);
	/* The ID of a loss has no meaning */
	if (!watch_record_lost(rec))
		add_watch_fields(ev, watch_record_id(rec));
	if (type != &unknown)
		source->decode(ev, rec);
	else
		decode_unknown(ev, rec);
	priority->text = priority_name(ev->priority);
}

void event_resumed(struct event *ev, unsigned int id)
{
	static const struct event_type resumed = { "resumed", LOG_INFO };

	clock_gettime(CLOCK_REALTIME, &time_of_read);
	start_event(ev, "queue", &resumed);
	add_watch_fields(ev, id);
}
