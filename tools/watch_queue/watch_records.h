/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Take the records of a notification queue out of what read() gave
 *
 * To be copied into programs.  See Documentation/userspace-api/watch_queue/index.rst.
 */
#ifndef _WATCH_RECORDS_H
#define _WATCH_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/watch_queue.h>

/**
 * union watch_record - a record of any kind
 * @watch: what every record has
 * @removal: WATCH_META_REMOVAL_NOTIFICATION
 * @key: WATCH_TYPE_KEY_NOTIFY
 * @mount: WATCH_TYPE_MOUNT_NOTIFY
 * @sb: WATCH_TYPE_SB_NOTIFY
 * @sb_error: NOTIFY_SB_ERROR and NOTIFY_SB_WRITEBACK_ERROR
 * @sb_quota: NOTIFY_SB_QUOTA
 * @block: WATCH_TYPE_BLOCK_NOTIFY
 * @device: WATCH_TYPE_DEVICE_NOTIFY
 * @bytes: all of it, and a 0 at its end
 *
 * What a record does not have, be it that the kernel is older than this header, is
 * 0 here.
 */
union watch_record {
	struct watch_notification watch;
	struct watch_notification_removal removal;
	struct key_notification key;
	struct mount_notification mount;
	struct superblock_notification sb;
	struct superblock_error_notification sb_error;
	struct superblock_quota_notification sb_quota;
	struct block_notification block;
	struct device_notification device;
	unsigned char bytes[WATCH_INFO_LENGTH + 1];
};

/**
 * struct watch_records - records back to back
 * @next: the one to take next, at any address
 * @left: bytes from there to the end
 */
struct watch_records {
	const void *next;
	size_t left;
};

/**
 * watch_record_next - copy the next record out
 * @from: where from; steps over it
 * @rec: where to
 *
 * Return: Bytes that the record has, 0 at the end, or -1 for what a queue does not
 * give: the length is not one of a record, or there is more of it than was read.
 */
static inline int watch_record_next(struct watch_records *from, union watch_record *rec)
{
	size_t len = 0;

	if (!from->left)
		return 0;
	memset(rec, 0, sizeof(*rec));
	if (from->left >= sizeof(rec->watch)) {
		memcpy(&rec->watch, from->next, sizeof(rec->watch));
		len = rec->watch.info & WATCH_INFO_LENGTH;
	}
	if (len < sizeof(rec->watch) || len > from->left)
		return -1;
	memcpy(rec->bytes, from->next, len);
	from->next = (const char *)from->next + len;
	from->left -= len;
	return len;
}

/**
 * watch_record_id - which watch it is about
 * @rec: the record
 *
 * Return: The ID that the watch was given, 0 to 255.
 */
static inline unsigned int watch_record_id(const union watch_record *rec)
{
	return (rec->watch.info & WATCH_INFO_ID) >> WATCH_INFO_ID__SHIFT;
}

/**
 * watch_record_is_meta - is it about the queue rather than about an object
 * @rec: the record
 * @subtype: enum watch_meta_notification_subtype
 *
 * Return: True if it is, and of that kind.
 */
static inline bool watch_record_is_meta(const union watch_record *rec, unsigned int subtype)
{
	return rec->watch.type == WATCH_TYPE_META && rec->watch.subtype == subtype;
}

/**
 * watch_record_lost - how many records are missing at this place
 * @rec: the record
 *
 * Return: How many, 65535 standing for that many or more; 0 if none is.  A kernel
 * with the older implementation does not count them: 1 stands for any number there.
 */
static inline unsigned int watch_record_lost(const union watch_record *rec)
{
	unsigned int n = rec->watch.info & WATCH_INFO_TYPE_INFO;

	if (!watch_record_is_meta(rec, WATCH_META_LOSS_NOTIFICATION))
		return 0;
	return n ? n >> WATCH_INFO_TYPE_INFO__SHIFT : 1;
}

/**
 * watch_record_subsystem - subsystem of a device
 * @rec: a record of WATCH_TYPE_DEVICE_NOTIFY
 *
 * Return: The name, or its first 31 bytes; "" if the record has none.
 */
static inline const char *watch_record_subsystem(const union watch_record *rec)
{
	return (const char *)rec->bytes + sizeof(rec->device);
}

/**
 * watch_record_devpath - path of a device
 * @rec: a record of WATCH_TYPE_DEVICE_NOTIFY
 *
 * Return: The path below /sys, or its end; "" if the record has none.
 */
static inline const char *watch_record_devpath(const union watch_record *rec)
{
	const char *end = (const char *)rec->bytes + sizeof(rec->bytes) - 1;
	const char *path = watch_record_subsystem(rec);

	path += strlen(path);
	return path < end ? path + 1 : path;
}

#endif /* _WATCH_RECORDS_H */
