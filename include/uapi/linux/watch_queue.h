/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * General notification queue: what a reader of the pipe must know
 *
 * See Documentation/userspace-api/watch_queue.rst for how to use it.
 */
#ifndef _UAPI_LINUX_WATCH_QUEUE_H
#define _UAPI_LINUX_WATCH_QUEUE_H

#include <linux/types.h>
#include <linux/ioctl.h>

/*
 * Flag for pipe2(2).  O_EXCL comes from <fcntl.h>, which the program includes:
 * <linux/fcntl.h> cannot be included here, it clashes with the C library's.
 */
#define O_NOTIFICATION_PIPE	O_EXCL

/* How many records the queue can hold; argument: the number itself */
#define IOC_WATCH_QUEUE_SET_SIZE	_IO('W', 0x60)
/* Which records to let in; argument: struct watch_notification_filter * or NULL */
#define IOC_WATCH_QUEUE_SET_FILTER	_IO('W', 0x61)
/* Watch an object, or stop; argument: struct watch_queue_watch * */
#define IOC_WATCH_QUEUE_ADD_WATCH	_IOW('W', 0x62, struct watch_queue_watch)
#define IOC_WATCH_QUEUE_REMOVE_WATCH	_IOW('W', 0x63, struct watch_queue_watch)

/**
 * enum watch_notification_type - who generated a record
 * @WATCH_TYPE_META: the queue itself; cannot be filtered out
 * @WATCH_TYPE_KEY_NOTIFY: a key or a keyring changed
 * @WATCH_TYPE_MOUNT_NOTIFY: a mount came, went or changed
 * @WATCH_TYPE_SB_NOTIFY: something happened to a filesystem as a whole
 * @WATCH_TYPE_BLOCK_NOTIFY: I/O on a block device failed
 * @WATCH_TYPE_DEVICE_NOTIFY: a device came, went or changed
 * @WATCH_TYPE__NR: number of types known to this header
 */
enum watch_notification_type {
	WATCH_TYPE_META		= 0,
	WATCH_TYPE_KEY_NOTIFY	= 1,
	WATCH_TYPE_MOUNT_NOTIFY	= 2,
	WATCH_TYPE_SB_NOTIFY	= 3,
	WATCH_TYPE_BLOCK_NOTIFY	= 4,
	WATCH_TYPE_DEVICE_NOTIFY = 5,
	WATCH_TYPE__NR		= 6
};

/**
 * enum watch_meta_notification_subtype - what happened to the queue
 * @WATCH_META_REMOVAL_NOTIFICATION: a watch is gone, together with its object
 *	or because it was removed; this is the last record with its ID.  See
 *	struct watch_notification_removal.
 * @WATCH_META_LOSS_NOTIFICATION: records were lost at this place in the queue;
 *	WATCH_INFO_TYPE_INFO holds how many, 0xffff standing for that many or
 *	more.
 */
enum watch_meta_notification_subtype {
	WATCH_META_REMOVAL_NOTIFICATION	= 0,
	WATCH_META_LOSS_NOTIFICATION	= 1,
};

/**
 * struct watch_notification - header of every record
 * @type: enum watch_notification_type
 * @subtype: what happened; the type says which enum this is
 * @info: length, watch ID and type-specific bits, see WATCH_INFO_*
 *
 * The source's data follows.  Records lie in the reader's buffer back to back,
 * neither padded nor aligned: step by the length in @info, and copy a record
 * out before looking at 64-bit members.
 */
struct watch_notification {
	__u32	type:24;
	__u32	subtype:8;
	__u32	info;
#define WATCH_INFO_LENGTH		0x0000007f	/* Bytes, header included */
#define WATCH_INFO_LENGTH__SHIFT	0
#define WATCH_INFO_ID			0x0000ff00	/* ID given with the watch */
#define WATCH_INFO_ID__SHIFT		8
#define WATCH_INFO_TYPE_INFO		0xffff0000	/* Depends on the type */
#define WATCH_INFO_TYPE_INFO__SHIFT	16
#define WATCH_INFO_FLAG_0		0x00010000	/* TYPE_INFO, bit by bit */
#define WATCH_INFO_FLAG_1		0x00020000
#define WATCH_INFO_FLAG_2		0x00040000
#define WATCH_INFO_FLAG_3		0x00080000
#define WATCH_INFO_FLAG_4		0x00100000
#define WATCH_INFO_FLAG_5		0x00200000
#define WATCH_INFO_FLAG_6		0x00400000
#define WATCH_INFO_FLAG_7		0x00800000
};

/**
 * struct watch_notification_type_filter - one rule of a filter
 * @type: type that the rule lets in (enum watch_notification_type); a rule for
 *	a type that the kernel does not know is ignored
 * @info_filter: value that the bits of info under @info_mask must have
 * @info_mask: bits of info to compare; the length bits must be clear
 * @subtype_filter: bitmap of the subtypes to let in, subtype n being bit
 *	n % 32 of word n / 32
 */
struct watch_notification_type_filter {
	__u32	type;
	__u32	info_filter;
	__u32	info_mask;
	__u32	subtype_filter[8];
};

/**
 * struct watch_notification_filter - argument of IOC_WATCH_QUEUE_SET_FILTER
 * @nr_filters: number of rules, 1 to 16
 * @__reserved: must be 0
 * @filters: the rules; a record enters the queue if any of them lets it in
 */
struct watch_notification_filter {
	__u32	nr_filters;
	__u32	__reserved;
	struct watch_notification_type_filter filters[];
};

/**
 * struct watch_queue_watch - argument of IOC_WATCH_QUEUE_ADD_WATCH and
 *	IOC_WATCH_QUEUE_REMOVE_WATCH
 * @type: type of the object (enum watch_notification_type); watches on keys are
 *	added with KEYCTL_WATCH_KEY instead
 * @fd: descriptor of the object; -1 to add a watch where there is only one
 *	object, and to remove watches by their ID
 * @id: watch ID of the records, 0 to 255.  Several watches of a queue may have
 *	the same.  To remove by ID, all watches of the queue with this @type and
 *	@id are removed, keys included; their objects need not be accessible any
 *	more.  Ignored to remove the watch on the object @fd
 * @flags: depends on the type, else 0; 0 to remove by ID
 *
 * The structure is extensible: its size is encoded in the ioctl number.  New
 * members are ignored when 0; a kernel that does not know a member that is not 0
 * returns E2BIG.
 */
struct watch_queue_watch {
	__u32	type;
	__s32	fd;
	__u32	id;
	__u32	flags;
};

#define WATCH_QUEUE_WATCH_SIZE_VER0	16	/* of the first version */

/* Flags: WATCH_TYPE_MOUNT_NOTIFY */
#define WATCH_SUBTREE		0x00000001	/* All mounts below it as well */

/**
 * struct watch_notification_removal - WATCH_META_REMOVAL_NOTIFICATION
 * @watch: header; its length is that of the header alone if the object has no
 *	ID
 * @id: ID of the object that was watched, in the terms of its source
 */
struct watch_notification_removal {
	struct watch_notification watch;
	__u64	id;
};

/**
 * enum key_notification_subtype - what happened to a key
 * @NOTIFY_KEY_INSTANTIATED: the key got its payload, or was rejected; aux: 0 or
 *	the error code, positive, that who asks for the key gets
 * @NOTIFY_KEY_UPDATED: the payload was replaced
 * @NOTIFY_KEY_LINKED: a key was linked into this keyring; aux: that key
 * @NOTIFY_KEY_UNLINKED: a link was removed from this keyring, by a program or, with
 *	%KEY_WATCH_EXTENDED, by the kernel; aux: the key of the link
 * @NOTIFY_KEY_CLEARED: all links were removed from this keyring
 * @NOTIFY_KEY_REVOKED: the key was revoked; a keyring is then empty
 * @NOTIFY_KEY_INVALIDATED: the key was invalidated
 * @NOTIFY_KEY_SETATTR: owner, permissions, time-out or restriction changed
 * @NOTIFY_KEY_EXPIRED: the key's time-out was reached; with %KEY_WATCH_EXTENDED
 */
enum key_notification_subtype {
	NOTIFY_KEY_INSTANTIATED	= 0,
	NOTIFY_KEY_UPDATED	= 1,
	NOTIFY_KEY_LINKED	= 2,
	NOTIFY_KEY_UNLINKED	= 3,
	NOTIFY_KEY_CLEARED	= 4,
	NOTIFY_KEY_REVOKED	= 5,
	NOTIFY_KEY_INVALIDATED	= 6,
	NOTIFY_KEY_SETATTR	= 7,
	NOTIFY_KEY_EXPIRED	= 8,
};

/**
 * KEY_WATCH_EXTENDED - flag beside the watch ID in KEYCTL_WATCH_KEY
 *
 * The watch also gets the records that Linux 5.8 to 6.12 did not post:
 * %NOTIFY_KEY_EXPIRED, and %NOTIFY_KEY_UNLINKED for a link that a new link to
 * another key of the same type and description displaces, and for a link to a dead
 * key, which the kernel removes.  Kernels without this flag return EINVAL.
 */
#define KEY_WATCH_EXTENDED	0x00000100

/**
 * struct key_notification - WATCH_TYPE_KEY_NOTIFY
 * @watch: header; subtype is an enum key_notification_subtype
 * @key_id: serial number of the key or keyring that was watched
 * @aux: depends on the subtype
 */
struct key_notification {
	struct watch_notification watch;
	__u32	key_id;
	__u32	aux;
};

/**
 * enum mount_notification_subtype - what happened to a mount
 * @NOTIFY_MOUNT_NEW: it was mounted, there for the first time
 * @NOTIFY_MOUNT_UNMOUNT: it was unmounted, for whatever reason
 * @NOTIFY_MOUNT_MOVE_FROM: it was moved to where this watch does not see it
 * @NOTIFY_MOUNT_MOVE_TO: it was moved, and is now where this watch sees it
 * @NOTIFY_MOUNT_RDONLY: it became read-only
 * @NOTIFY_MOUNT_RDWR: it became writable
 * @NOTIFY_MOUNT_SETATTR: another of its attributes changed
 * @NOTIFY_MOUNT_PROPAGATION: it became shared, private, unbindable or a slave,
 *	or has another master
 */
enum mount_notification_subtype {
	NOTIFY_MOUNT_NEW	= 0,
	NOTIFY_MOUNT_UNMOUNT	= 1,
	NOTIFY_MOUNT_MOVE_FROM	= 2,
	NOTIFY_MOUNT_MOVE_TO	= 3,
	NOTIFY_MOUNT_RDONLY	= 4,
	NOTIFY_MOUNT_RDWR	= 5,
	NOTIFY_MOUNT_SETATTR	= 6,
	NOTIFY_MOUNT_PROPAGATION = 7,
};

/* WATCH_INFO_TYPE_INFO of WATCH_TYPE_MOUNT_NOTIFY */
#define NOTIFY_MOUNT_IN_SUBTREE	WATCH_INFO_FLAG_0 /* The watched mount is not named */
#define NOTIFY_MOUNT_IS_RDONLY	WATCH_INFO_FLAG_1 /* The mount is read-only now */
#define NOTIFY_MOUNT_AUTOMOUNT	WATCH_INFO_FLAG_2 /* By the kernel, which may expire it */
#define NOTIFY_MOUNT_PROPAGATED	WATCH_INFO_FLAG_3 /* Follows from what another mount did */
#define NOTIFY_MOUNT_EXPIRED	WATCH_INFO_FLAG_4 /* Unmounted as nobody used it */

/**
 * struct mount_notification - WATCH_TYPE_MOUNT_NOTIFY
 * @watch: header; subtype is an enum mount_notification_subtype
 * @mnt_id: the mount
 * @parent_id: what it is mounted on or, if it was unmounted, was mounted on;
 *	@mnt_id itself for the root of a namespace
 * @old_parent_id: what it was mounted on before it was moved, else 0
 *
 * The IDs are those that statmount() takes, and are not used again.
 */
struct mount_notification {
	struct watch_notification watch;
	__u64	mnt_id;
	__u64	parent_id;
	__u64	old_parent_id;
};

/**
 * enum superblock_notification_subtype - what happened to a filesystem
 * @NOTIFY_SB_RDONLY: it was remounted and is read-only now; other options may
 *	have changed as well
 * @NOTIFY_SB_RDWR: it was remounted and is read-write now, likewise
 * @NOTIFY_SB_RECONFIGURED: it was remounted, maybe with other options, and stays
 *	read-only or read-write
 * @NOTIFY_SB_FROZEN: it was frozen: who writes to it waits.  Needs privilege
 * @NOTIFY_SB_THAWED: it was thawed.  Needs privilege
 * @NOTIFY_SB_SHUTDOWN: after an error, or on request, it takes no changes any
 *	more until it is mounted anew, although it may not be read-only
 * @NOTIFY_SB_ERROR: it found an error in itself; see struct
 *	superblock_error_notification.  Needs privilege
 * @NOTIFY_SB_WRITEBACK_ERROR: data could not be written back and may be lost;
 *	see struct superblock_error_notification
 * @NOTIFY_SB_QUOTA: a quota limit was crossed; see struct
 *	superblock_quota_notification.  The quota of others needs privilege
 *
 * Privilege is CAP_SYS_ADMIN in the user namespace that owns the filesystem, had
 * when the watch was set.
 */
enum superblock_notification_subtype {
	NOTIFY_SB_RDONLY		= 0,
	NOTIFY_SB_RDWR		= 1,
	NOTIFY_SB_RECONFIGURED		= 2,
	NOTIFY_SB_FROZEN		= 3,
	NOTIFY_SB_THAWED		= 4,
	NOTIFY_SB_SHUTDOWN		= 5,
	NOTIFY_SB_ERROR			= 6,
	NOTIFY_SB_WRITEBACK_ERROR	= 7,
	NOTIFY_SB_QUOTA			= 8,
};

/**
 * struct superblock_notification - WATCH_TYPE_SB_NOTIFY
 * @watch: header; subtype is an enum superblock_notification_subtype
 * @sb_id: the superblock; never used again, also in removal and fdinfo
 * @dev_major: its device number, as in /proc/self/mountinfo
 * @dev_minor: its device number
 */
struct superblock_notification {
	struct watch_notification watch;
	__u64	sb_id;
	__u32	dev_major;
	__u32	dev_minor;
};

/**
 * struct superblock_error_notification - NOTIFY_SB_ERROR and
 *	NOTIFY_SB_WRITEBACK_ERROR
 * @sb: as in every record about a superblock
 * @ino: number of the inode, 0 if it is not known or, for want of privilege, not
 *	told
 * @error: errno, positive
 * @suppressed: number of errors of the same kind without a record of their own
 *	since the previous record
 */
struct superblock_error_notification {
	struct superblock_notification sb;
	__u64	ino;
	__u32	error;
	__u32	suppressed;
};

/**
 * struct superblock_quota_notification - NOTIFY_SB_QUOTA
 * @sb: as in every record about a superblock
 * @id: user, group or project, in the user namespace that owns the filesystem
 * @id_type: which of these: USRQUOTA, GRPQUOTA or PRJQUOTA
 * @warning: QUOTA_NL_* of <linux/quota.h>: blocks or inodes, hard or soft limit,
 *	reached or no longer
 * @suppressed: number of suppressed warnings of the same kind about the same quota
 *	since the previous record
 *
 * If warnings about too many different quotas are suppressed, one record counts them
 * all: @id is -1, @id_type is 0 and @warning is QUOTA_NL_NOWARN.  @suppressed is the
 * number of other warnings that the record stands for, or 0 for a watcher without
 * privilege, which also gets the record if none of the warnings is about its quota.
 */
struct superblock_quota_notification {
	struct superblock_notification sb;
	__u32	id;
	__u32	id_type;
	__u32	warning;
	__u32	suppressed;
};

/**
 * enum block_notification_subtype - class of an I/O error
 * @NOTIFY_BLOCK_IO: none of the others, or unknown to the driver
 * @NOTIFY_BLOCK_NOT_SUPPORTED: the device does not support the operation
 * @NOTIFY_BLOCK_TIMEOUT: the device did not answer in time
 * @NOTIFY_BLOCK_NO_SPACE: a thinly provisioned device is full
 * @NOTIFY_BLOCK_TRANSPORT: the path to the device failed; another path may work
 * @NOTIFY_BLOCK_TARGET: the device failed the request; a retry will not help
 * @NOTIFY_BLOCK_RESV_CONFLICT: another initiator has reserved the device
 * @NOTIFY_BLOCK_MEDIUM: the medium cannot be read or written at this place
 * @NOTIFY_BLOCK_PROTECTION: the protection information does not match the data
 * @NOTIFY_BLOCK_RESOURCE: the kernel or the device ran out of a resource
 * @NOTIFY_BLOCK_ZONE_RESOURCE: too many zones are open or active
 * @NOTIFY_BLOCK_OFFLINE: the device is offline
 * @NOTIFY_BLOCK_DURATION_LIMIT: the command exceeded its duration limit
 * @NOTIFY_BLOCK_INVALID: the request is malformed
 */
enum block_notification_subtype {
	NOTIFY_BLOCK_IO			= 0,
	NOTIFY_BLOCK_NOT_SUPPORTED	= 1,
	NOTIFY_BLOCK_TIMEOUT		= 2,
	NOTIFY_BLOCK_NO_SPACE		= 3,
	NOTIFY_BLOCK_TRANSPORT		= 4,
	NOTIFY_BLOCK_TARGET		= 5,
	NOTIFY_BLOCK_RESV_CONFLICT	= 6,
	NOTIFY_BLOCK_MEDIUM		= 7,
	NOTIFY_BLOCK_PROTECTION		= 8,
	NOTIFY_BLOCK_RESOURCE		= 9,
	NOTIFY_BLOCK_ZONE_RESOURCE	= 10,
	NOTIFY_BLOCK_OFFLINE		= 11,
	NOTIFY_BLOCK_DURATION_LIMIT	= 12,
	NOTIFY_BLOCK_INVALID		= 13,
};

/**
 * enum block_notification_operation - the operation that failed
 * @NOTIFY_BLOCK_OP_READ: read
 * @NOTIFY_BLOCK_OP_WRITE: write
 * @NOTIFY_BLOCK_OP_FLUSH: flush of the device's write cache
 * @NOTIFY_BLOCK_OP_DISCARD: discard or secure erase
 * @NOTIFY_BLOCK_OP_ZERO: write zeroes
 * @NOTIFY_BLOCK_OP_ZONE: open, close, finish or reset a zone
 * @NOTIFY_BLOCK_OP_OTHER: any other operation
 */
enum block_notification_operation {
	NOTIFY_BLOCK_OP_READ		= 0,
	NOTIFY_BLOCK_OP_WRITE		= 1,
	NOTIFY_BLOCK_OP_FLUSH		= 2,
	NOTIFY_BLOCK_OP_DISCARD		= 3,
	NOTIFY_BLOCK_OP_ZERO		= 4,
	NOTIFY_BLOCK_OP_ZONE		= 5,
	NOTIFY_BLOCK_OP_OTHER		= 6,
};

/* WATCH_INFO_TYPE_INFO of WATCH_TYPE_BLOCK_NOTIFY */
#define NOTIFY_BLOCK_STACKED	WATCH_INFO_FLAG_0 /* Built on other block devices */

/**
 * struct block_notification - WATCH_TYPE_BLOCK_NOTIFY
 * @watch: header; subtype is an enum block_notification_subtype
 * @disk_seq: sequence number of the disk, or of the medium in it, at the time of
 *	the error; DISKSEQ in uevents, never used again
 * @dev_major: device number of the disk or partition to which the I/O was sent
 * @dev_minor: device number
 * @sector: start of the failed range, in units of 512 bytes from the start of the
 *	disk
 * @length: length of the failed range in bytes
 * @suppressed: number of errors of this device without a record of their own since
 *	the previous record
 * @operation: an enum block_notification_operation
 * @partition: partition number, 0 for the disk
 *
 * The object ID of a watch, in its removal record and in fdinfo, is
 * @disk_seq << 8 | @partition at the time of the first watch or error, and 0 for
 * the watch on all devices.
 */
struct block_notification {
	struct watch_notification watch;
	__u64	disk_seq;
	__u32	dev_major;
	__u32	dev_minor;
	__u64	sector;
	__u32	length;
	__u32	suppressed;
	__u32	operation;
	__u32	partition;
};

/**
 * enum device_notification_subtype - what happened to a device
 * @NOTIFY_DEVICE_ADD: added
 * @NOTIFY_DEVICE_REMOVE: removed
 * @NOTIFY_DEVICE_CHANGE: changed (KOBJ_CHANGE), such as the medium of a disk
 * @NOTIFY_DEVICE_MOVE: renamed or moved to another parent
 * @NOTIFY_DEVICE_ONLINE: online again
 * @NOTIFY_DEVICE_OFFLINE: offline; it may be removed
 * @NOTIFY_DEVICE_BIND: bound to a driver
 * @NOTIFY_DEVICE_UNBIND: unbound from its driver
 */
enum device_notification_subtype {
	NOTIFY_DEVICE_ADD	= 0,
	NOTIFY_DEVICE_REMOVE	= 1,
	NOTIFY_DEVICE_CHANGE	= 2,
	NOTIFY_DEVICE_MOVE	= 3,
	NOTIFY_DEVICE_ONLINE	= 4,
	NOTIFY_DEVICE_OFFLINE	= 5,
	NOTIFY_DEVICE_BIND	= 6,
	NOTIFY_DEVICE_UNBIND	= 7,
};

/* WATCH_INFO_TYPE_INFO of WATCH_TYPE_DEVICE_NOTIFY */
#define NOTIFY_DEVICE_SYNTHETIC	WATCH_INFO_FLAG_0 /* Triggered by writing to the uevent file */
#define NOTIFY_DEVICE_BLOCK	WATCH_INFO_FLAG_1 /* The number is that of a block device */
#define NOTIFY_DEVICE_TRUNCATED	WATCH_INFO_FLAG_2 /* @names are not complete */

/**
 * struct device_notification - WATCH_TYPE_DEVICE_NOTIFY
 * @watch: header; subtype is an enum device_notification_subtype
 * @seqnum: sequence number of the event, SEQNUM in uevents
 * @sysfs_ino: inode number of the device's directory in sysfs, as returned by stat();
 *	0 if it has none
 * @dev_major: device number, 0 for a device without one
 * @dev_minor: device number
 * @names: ``"subsystem\0devpath\0"``; devpath is the path below /sys, DEVPATH in
 *	uevents
 *
 * Where the names do not fit into the record, the first 31 bytes of the subsystem and
 * the end of devpath are present.
 */
struct device_notification {
	struct watch_notification watch;
	__u64	seqnum;
	__u64	sysfs_ino;
	__u32	dev_major;
	__u32	dev_minor;
	char	names[];
};

#endif /* _UAPI_LINUX_WATCH_QUEUE_H */
