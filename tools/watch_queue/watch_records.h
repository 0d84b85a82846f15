/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */
/*
 * Parse the records of a notification queue
 *
 * Programs may copy this file.  See Documentation/userspace-api/watch_queue/index.rst.
 */
#ifndef _WATCH_RECORDS_H
#define _WATCH_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/watch_queue.h>

/**
 * union watch_record - a record of any type
 * @watch: header of every record
 * @removal: WATCH_META_REMOVAL_NOTIFICATION
 * @key: WATCH_TYPE_KEY_NOTIFY
 * @mount: WATCH_TYPE_MOUNT_NOTIFY
 * @sb: WATCH_TYPE_SB_NOTIFY
 * @sb_error: NOTIFY_SB_ERROR and NOTIFY_SB_WRITEBACK_ERROR
 * @sb_quota: NOTIFY_SB_QUOTA
 * @block: WATCH_TYPE_BLOCK_NOTIFY
 * @device: WATCH_TYPE_DEVICE_NOTIFY
 * @bytes: the bytes of the record, with a terminating 0
 *
 * Members that the record does not have are 0.  The record of an older kernel may be
 * shorter than its structure.
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
 * struct watch_records - contiguous records, as returned by read()
 * @next: next record; need not be aligned
 * @left: bytes from @next to the end
 */
struct watch_records {
	const void *next;
	size_t left;
};

/**
 * watch_record_next - copy the next record
 * @from: records; advanced to the following one
 * @rec: destination
 *
 * Return: Length of the record in bytes, 0 at the end, or -1 if the length is too
 * small or exceeds the bytes that are left.
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
 * watch_record_id - get the watch ID of a record
 * @rec: the record
 *
 * Return: The ID of the watch, 0 to 255.
 */
static inline unsigned int watch_record_id(const union watch_record *rec)
{
	return (rec->watch.info & WATCH_INFO_ID) >> WATCH_INFO_ID__SHIFT;
}

/**
 * watch_record_is_meta - check for a WATCH_TYPE_META record
 * @rec: the record
 * @subtype: enum watch_meta_notification_subtype
 *
 * Return: True if the record has this type and @subtype.
 */
static inline bool watch_record_is_meta(const union watch_record *rec, unsigned int subtype)
{
	return rec->watch.type == WATCH_TYPE_META && rec->watch.subtype == subtype;
}

/**
 * watch_record_lost - get the number of records that were lost at this place
 * @rec: the record
 *
 * Return: The number, where 65535 means 65535 or more; 0 if @rec does not report a
 * loss.  The previous implementation of the queue does not count losses, so the
 * number is 1 there.
 */
static inline unsigned int watch_record_lost(const union watch_record *rec)
{
	unsigned int n = rec->watch.info & WATCH_INFO_TYPE_INFO;

	if (!watch_record_is_meta(rec, WATCH_META_LOSS_NOTIFICATION))
		return 0;
	return n ? n >> WATCH_INFO_TYPE_INFO__SHIFT : 1;
}

/**
 * watch_record_subsystem - get the subsystem of a device
 * @rec: a record of WATCH_TYPE_DEVICE_NOTIFY
 *
 * Return: The name, truncated to 31 bytes if NOTIFY_DEVICE_TRUNCATED is set; "" if
 * the record has none.
 */
static inline const char *watch_record_subsystem(const union watch_record *rec)
{
	return (const char *)rec->bytes + sizeof(rec->device);
}

/**
 * watch_record_devpath - get the path of a device
 * @rec: a record of WATCH_TYPE_DEVICE_NOTIFY
 *
 * Return: The path below /sys, only its end if NOTIFY_DEVICE_TRUNCATED is set; "" if
 * the record has none.
 */
static inline const char *watch_record_devpath(const union watch_record *rec)
{
	const char *end = (const char *)rec->bytes + sizeof(rec->bytes) - 1;
	const char *path = watch_record_subsystem(rec);

	path += strlen(path);
	return path < end ? path + 1 : path;
}

#endif /* _WATCH_RECORDS_H */
