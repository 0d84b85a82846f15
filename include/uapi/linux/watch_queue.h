/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * General notification queue: user space interface
 *
 * See Documentation/userspace-api/watch_queue/index.rst.
 */
#ifndef _UAPI_LINUX_WATCH_QUEUE_H
#define _UAPI_LINUX_WATCH_QUEUE_H

#include <linux/types.h>
#include <linux/ioctl.h>

/*
 * Flag for pipe2(2): the value of O_EXCL.  It is spelled out, because <linux/fcntl.h>
 * conflicts with <fcntl.h> and a program may include either.
 */
#if defined(__mips__) || defined(__hppa__)
#define O_NOTIFICATION_PIPE	0x0400
#elif defined(__alpha__) || defined(__sparc__)
#define O_NOTIFICATION_PIPE	0x0800
#else
#define O_NOTIFICATION_PIPE	0x0080
#endif

/* Set the maximum number of records in the queue; argument: the number itself */
#define IOC_WATCH_QUEUE_SET_SIZE	_IO('W', 0x60)
/* Set or remove the filter; argument: struct watch_notification_filter * or NULL */
#define IOC_WATCH_QUEUE_SET_FILTER	_IO('W', 0x61)
/* Add or remove a watch; argument: struct watch_queue_watch * */
#define IOC_WATCH_QUEUE_ADD_WATCH	_IOW('W', 0x62, struct watch_queue_watch)
#define IOC_WATCH_QUEUE_REMOVE_WATCH	_IOW('W', 0x63, struct watch_queue_watch)

/**
 * enum watch_notification_type - source of a record
 * @WATCH_TYPE_META: the queue itself; filters do not apply
 * @WATCH_TYPE_KEY_NOTIFY: keys and keyrings
 * @WATCH_TYPE_MOUNT_NOTIFY: mounts
 * @WATCH_TYPE_SB_NOTIFY: superblocks, that is, filesystems as a whole
 * @WATCH_TYPE_BLOCK_NOTIFY: I/O errors of block devices
 * @WATCH_TYPE_DEVICE_NOTIFY: devices, one record per uevent
 * @WATCH_TYPE__NR: number of types of this kernel's sources
 * @WATCH_TYPE_TRIAL_NOTIFY: a source that is being developed.  The module that posts
 *	such records defines them.  No source of the kernel will use this number
 */
enum watch_notification_type {
	WATCH_TYPE_META		= 0,
	WATCH_TYPE_KEY_NOTIFY	= 1,
	WATCH_TYPE_MOUNT_NOTIFY	= 2,
	WATCH_TYPE_SB_NOTIFY	= 3,
	WATCH_TYPE_BLOCK_NOTIFY	= 4,
	WATCH_TYPE_DEVICE_NOTIFY = 5,
	WATCH_TYPE__NR		= 6,
	WATCH_TYPE_TRIAL_NOTIFY	= 15,
};

/**
 * enum watch_meta_notification_subtype - events of WATCH_TYPE_META
 * @WATCH_META_REMOVAL_NOTIFICATION: a watch was removed, by a program or because
 *	its object was destroyed; the last record of the watch.  See
 *	struct watch_notification_removal
 * @WATCH_META_LOSS_NOTIFICATION: records were lost at this position in the stream.
 *	WATCH_INFO_TYPE_INFO is the number of lost records, where 0xffff means
 *	0xffff or more
 */
enum watch_meta_notification_subtype {
	WATCH_META_REMOVAL_NOTIFICATION	= 0,
	WATCH_META_LOSS_NOTIFICATION	= 1,
};

/**
 * struct watch_notification - header of every record
 * @type: enum watch_notification_type
 * @subtype: the event; each type has its own enum
 * @info: length, watch ID and type-specific bits, see WATCH_INFO_*
 *
 * Data that depends on the type follows.  Records are stored in the reader's buffer
 * back to back, without padding or alignment.  Advance by the length in @info, and
 * copy a record before accessing its members.
 */
struct watch_notification {
	__u32	type:24;
	__u32	subtype:8;
	__u32	info;
#define WATCH_INFO_LENGTH		0x0000007f	/* In bytes, with the header */
#define WATCH_INFO_LENGTH__SHIFT	0
#define WATCH_INFO_ID			0x0000ff00	/* Watch ID */
#define WATCH_INFO_ID__SHIFT		8
#define WATCH_INFO_TYPE_INFO		0xffff0000	/* Depends on the type */
#define WATCH_INFO_TYPE_INFO__SHIFT	16
#define WATCH_INFO_FLAG_0		0x00010000	/* Bits of TYPE_INFO */
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
 * @type: type of the accepted records (enum watch_notification_type); a rule for an
 *	unknown type is ignored
 * @info_filter: required value of the info bits in @info_mask
 * @info_mask: info bits to compare; must not include WATCH_INFO_LENGTH
 * @subtype_filter: bitmap of the accepted subtypes: subtype n is bit n % 32 of word
 *	n / 32
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
 * @filters: the rules; a record is queued if any rule accepts it
 */
struct watch_notification_filter {
	__u32	nr_filters;
	__u32	__reserved;
	struct watch_notification_type_filter filters[];
};

/**
 * struct watch_queue_watch - argument of IOC_WATCH_QUEUE_ADD_WATCH and
 *	IOC_WATCH_QUEUE_REMOVE_WATCH
 * @type: type of the object (enum watch_notification_type).  A watch on a key is
 *	added with KEYCTL_WATCH_KEY instead
 * @fd: descriptor of the object, or -1.  IOC_WATCH_QUEUE_ADD_WATCH with -1 adds a
 *	watch on all objects of the type, if the type supports this.
 *	IOC_WATCH_QUEUE_REMOVE_WATCH with -1 removes watches by their ID
 * @id: watch ID of the records, 0 to 255.  Watches of a queue may share an ID.
 *	Removal by ID removes all watches of the queue with this @type and @id, also
 *	those on keys; their objects need not be accessible.  Not used for removal by
 *	@fd
 * @flags: flags of the type.  For removal by @fd, those with which the watch was
 *	added; must be 0 for removal by ID
 *
 * The structure is extensible: its size is encoded in the ioctl number.  A kernel
 * ignores members that it does not support if they are 0, and otherwise returns
 * E2BIG.
 */
struct watch_queue_watch {
	__u32	type;
	__s32	fd;
	__u32	id;
	__u32	flags;
};

#define WATCH_QUEUE_WATCH_SIZE_VER0	16	/* Size of the first version */

/* Flags: WATCH_TYPE_MOUNT_NOTIFY */
#define WATCH_SUBTREE		0x00000001	/* Also watch all mounts below */
/* Flags: WATCH_TYPE_SB_NOTIFY */
#define WATCH_REPORT_STATE	0x00000002	/* Only report the state again */

/**
 * struct watch_notification_removal - WATCH_META_REMOVAL_NOTIFICATION
 * @watch: header; if the object has no ID, the record consists of the header only
 * @id: ID of the watched object; each type has its own IDs
 */
struct watch_notification_removal {
	struct watch_notification watch;
	__u64	id;
};

/**
 * enum key_notification_subtype - events of WATCH_TYPE_KEY_NOTIFY
 * @NOTIFY_KEY_INSTANTIATED: the key was instantiated or rejected; aux is 0 or the
 *	positive errno that requests for the key return
 * @NOTIFY_KEY_UPDATED: the payload was replaced
 * @NOTIFY_KEY_LINKED: the key aux was linked into this keyring
 * @NOTIFY_KEY_UNLINKED: the link to the key aux was removed from this keyring, by a
 *	program or, with %KEY_WATCH_EXTENDED, by the kernel
 * @NOTIFY_KEY_CLEARED: all links were removed from this keyring
 * @NOTIFY_KEY_REVOKED: the key was revoked; revoking a keyring also clears it
 * @NOTIFY_KEY_INVALIDATED: the key was invalidated
 * @NOTIFY_KEY_SETATTR: owner, permissions, timeout or restriction were changed
 * @NOTIFY_KEY_EXPIRED: the timeout of the key was reached; only with
 *	%KEY_WATCH_EXTENDED
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
 * KEY_WATCH_EXTENDED - flag in the watch ID argument of KEYCTL_WATCH_KEY
 *
 * The watch also gets records that kernels without this flag do not post:
 * %NOTIFY_KEY_EXPIRED, %NOTIFY_KEY_UNLINKED for links that the kernel removes, and
 * %NOTIFY_KEY_SETATTR if KEYCTL_GET_PERSISTENT sets the timeout.  The kernel
 * removes a link if a new link to another key of the same type and description
 * displaces it, or if its key is dead.  Kernels without this flag return EINVAL.
 */
#define KEY_WATCH_EXTENDED	0x00000100

/**
 * struct key_notification - WATCH_TYPE_KEY_NOTIFY
 * @watch: header; subtype is an enum key_notification_subtype
 * @key_id: serial number of the watched key or keyring
 * @aux: depends on the subtype
 */
struct key_notification {
	struct watch_notification watch;
	__u32	key_id;
	__u32	aux;
};

/**
 * enum mount_notification_subtype - events of WATCH_TYPE_MOUNT_NOTIFY
 * @NOTIFY_MOUNT_NEW: the mount was added to the namespace
 * @NOTIFY_MOUNT_UNMOUNT: the mount was unmounted, for any reason
 * @NOTIFY_MOUNT_MOVE_FROM: the mount was moved to a place that is not watched
 * @NOTIFY_MOUNT_MOVE_TO: the mount was moved to a place that is watched
 * @NOTIFY_MOUNT_RDONLY: the mount became read-only
 * @NOTIFY_MOUNT_RDWR: the mount became writable
 * @NOTIFY_MOUNT_SETATTR: another attribute of the mount changed
 * @NOTIFY_MOUNT_PROPAGATION: the mount became shared, private, unbindable or a slave,
 *	or its master changed
 * @NOTIFY_MOUNT_FS_CHANGED: the filesystem of the mount was remounted, became
 *	read-only or writable, or was shut down.  One record for each filesystem in
 *	the watched tree, about one of its mounts there
 * @NOTIFY_MOUNT_ROOT: the mount is the new root of the mount namespace.  Only for a
 *	watch on a namespace
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
	NOTIFY_MOUNT_FS_CHANGED	= 8,
	NOTIFY_MOUNT_ROOT	= 9,
};

/* WATCH_INFO_TYPE_INFO of WATCH_TYPE_MOUNT_NOTIFY */
#define NOTIFY_MOUNT_IN_SUBTREE	WATCH_INFO_FLAG_0 /* The watched mount is further up */
#define NOTIFY_MOUNT_IS_RDONLY	WATCH_INFO_FLAG_1 /* The mount is read-only now */
#define NOTIFY_MOUNT_AUTOMOUNT	WATCH_INFO_FLAG_2 /* Mounted by the kernel; may expire */
#define NOTIFY_MOUNT_PROPAGATED	WATCH_INFO_FLAG_3 /* Caused by a change of another mount */
#define NOTIFY_MOUNT_EXPIRED	WATCH_INFO_FLAG_4 /* Unmounted because it was unused */
#define NOTIFY_MOUNT_FS_RDONLY	WATCH_INFO_FLAG_5 /* Its filesystem rejects changes now */

#define NOTIFY_FS_TYPE_LEN	16

/**
 * struct mount_notification - WATCH_TYPE_MOUNT_NOTIFY
 * @watch: header; subtype is an enum mount_notification_subtype
 * @mnt_id: ID of the mount
 * @parent_id: ID of the parent mount or, if the mount was unmounted, of its last
 *	parent; equal to @mnt_id for the first mount of a namespace
 * @old_parent_id: ID of the parent before a move, 0 for all other events
 * @mnt_ns_id: ID of the mount namespace
 * @sb_id: ID of the filesystem, as in struct superblock_notification
 * @dev_major: major device number of the filesystem, as in /proc/self/mountinfo
 * @dev_minor: minor device number
 * @fs_type: type of the filesystem, as in /proc/filesystems.  Ends with a null byte;
 *	a longer name is truncated
 *
 * statmount() takes @mnt_id together with @mnt_ns_id.  No ID is reused.
 */
struct mount_notification {
	struct watch_notification watch;
	__u64	mnt_id;
	__u64	parent_id;
	__u64	old_parent_id;
	__u64	mnt_ns_id;
	__u64	sb_id;
	__u32	dev_major;
	__u32	dev_minor;
	char	fs_type[NOTIFY_FS_TYPE_LEN];
};

/**
 * enum superblock_notification_subtype - events of WATCH_TYPE_SB_NOTIFY
 * @NOTIFY_SB_RDONLY: the filesystem rejects changes, because of a remount or a requested
 *	shutdown or, with %NOTIFY_SB_BY_ERROR, because of an error.  A remount may also
 *	have changed other options
 * @NOTIFY_SB_RDWR: the filesystem accepts changes again, because of a remount, which
 *	may also have changed other options
 * @NOTIFY_SB_RECONFIGURED: the filesystem was remounted, possibly with other options,
 *	and remained read-only or writable
 * @NOTIFY_SB_FROZEN: frozen; writers block.  With %NOTIFY_SB_BY_SUSPEND, all
 *	filesystems are frozen for a suspend.  Posted without the flag afterwards if
 *	the filesystem remains frozen.  Privileged watchers only
 * @NOTIFY_SB_THAWED: thawed; with %NOTIFY_SB_BY_SUSPEND if the last %NOTIFY_SB_FROZEN
 *	has it.  Privileged watchers only
 * @NOTIFY_SB_SHUTDOWN: shut down after an error or on request.  The filesystem cannot
 *	be used until it is mounted again: it rejects changes, and reading may fail.
 *	Follows %NOTIFY_SB_RDONLY, unless the filesystem was already read-only
 * @NOTIFY_SB_ERROR: an error in the filesystem was detected; see struct
 *	superblock_error_notification.  Privileged watchers only
 * @NOTIFY_SB_WRITEBACK_ERROR: data could not be written back and may be lost;
 *	see struct superblock_error_notification
 * @NOTIFY_SB_QUOTA: a quota limit was crossed; see struct
 *	superblock_quota_notification.  Only privileged watchers get warnings about
 *	the quota of other users
 * @NOTIFY_SB_STATE: the state of the filesystem.  Posted to a new watch, and on
 *	request, see %WATCH_REPORT_STATE
 * @NOTIFY_SB_NEW: the filesystem was created, and may not have a mount yet.  Only for
 *	watches on all filesystems
 * @NOTIFY_SB_GONE: the filesystem was unmounted completely; the last record about it.
 *	Only for watches on all filesystems; other watches are removed
 *
 * A watcher is privileged if it had CAP_SYS_ADMIN in the user namespace that owns
 * the filesystem when it added the watch.
 */
enum superblock_notification_subtype {
	NOTIFY_SB_RDONLY		= 0,
	NOTIFY_SB_RDWR			= 1,
	NOTIFY_SB_RECONFIGURED		= 2,
	NOTIFY_SB_FROZEN		= 3,
	NOTIFY_SB_THAWED		= 4,
	NOTIFY_SB_SHUTDOWN		= 5,
	NOTIFY_SB_ERROR			= 6,
	NOTIFY_SB_WRITEBACK_ERROR	= 7,
	NOTIFY_SB_QUOTA			= 8,
	NOTIFY_SB_STATE			= 9,
	NOTIFY_SB_NEW			= 10,
	NOTIFY_SB_GONE			= 11,
};

/*
 * WATCH_INFO_TYPE_INFO of WATCH_TYPE_SB_NOTIFY: the state of the filesystem when the
 * record was posted
 */
#define NOTIFY_SB_IS_RDONLY	WATCH_INFO_FLAG_0 /* Rejects changes */
#define NOTIFY_SB_BY_ERROR	WATCH_INFO_FLAG_1 /* ... because of an error */
#define NOTIFY_SB_IS_SHUTDOWN	WATCH_INFO_FLAG_2 /* Was shut down */
#define NOTIFY_SB_IN_USER_NS	WATCH_INFO_FLAG_3 /* Not owned by the initial user namespace */
/* Only in NOTIFY_SB_STATE.  If only a suspend froze it, NOTIFY_SB_IS_FROZEN is not set */
#define NOTIFY_SB_IS_FROZEN	WATCH_INFO_FLAG_4 /* Is frozen; privileged watchers only */
#define NOTIFY_SB_UNPRIVILEGED	WATCH_INFO_FLAG_5 /* The watcher is not privileged */
/* Only in NOTIFY_SB_FROZEN and NOTIFY_SB_THAWED */
#define NOTIFY_SB_BY_SUSPEND	WATCH_INFO_FLAG_6 /* For a suspend or hibernation */

/**
 * struct superblock_notification - WATCH_TYPE_SB_NOTIFY
 * @watch: header; subtype is an enum superblock_notification_subtype
 * @sb_id: ID of the superblock, which is not reused; also in removal records and
 *	fdinfo
 * @dev_major: major device number, as in /proc/self/mountinfo
 * @dev_minor: minor device number
 * @fs_type: type of the filesystem, as in /proc/filesystems.  Ends with a null byte;
 *	a longer name is truncated
 *
 * If a watch on all filesystems is added, each filesystem is reported with a
 * %NOTIFY_SB_STATE record.  One in which @sb_id is 0 ends the list.
 */
struct superblock_notification {
	struct watch_notification watch;
	__u64	sb_id;
	__u32	dev_major;
	__u32	dev_minor;
	char	fs_type[NOTIFY_FS_TYPE_LEN];
};

/**
 * enum superblock_error_kind - what failed
 * @NOTIFY_SB_METADATA: metadata is damaged, or could not be read or written
 * @NOTIFY_SB_BUFFERED_READ: reading data of a file into the page cache
 * @NOTIFY_SB_BUFFERED_WRITE: writing data of a file back from the page cache
 * @NOTIFY_SB_DIRECT_READ: direct I/O that reads a file
 * @NOTIFY_SB_DIRECT_WRITE: direct I/O that writes a file
 * @NOTIFY_SB_STALE_CACHE: pages in the page cache could not be dropped after direct I/O
 *	had written the file; it may be damaged
 * @NOTIFY_SB_DATA_LOST: a device lost data of a file, and reported this by itself or
 *	when it was checked, not when a program used the data
 */
enum superblock_error_kind {
	NOTIFY_SB_METADATA		= 0,
	NOTIFY_SB_BUFFERED_READ		= 1,
	NOTIFY_SB_BUFFERED_WRITE	= 2,
	NOTIFY_SB_DIRECT_READ		= 3,
	NOTIFY_SB_DIRECT_WRITE		= 4,
	NOTIFY_SB_STALE_CACHE		= 5,
	NOTIFY_SB_DATA_LOST		= 6,
};

/**
 * struct superblock_error_notification - NOTIFY_SB_ERROR and
 *	NOTIFY_SB_WRITEBACK_ERROR
 * @sb: the common part of all records about superblocks
 * @ino: inode number, 0 if it is unknown or if the watcher is unprivileged
 * @pos: position in the file in bytes, if @length is not 0
 * @length: length of the range in bytes, 0 if the range is unknown or if the watcher
 *	is unprivileged
 * @time_ns: time of the error, CLOCK_REALTIME in nanoseconds
 * @generation: generation of the inode, 0 if it is unknown or if the watcher is
 *	unprivileged
 * @error: positive errno
 * @kind: an enum superblock_error_kind
 * @suppressed: number of suppressed errors of this kind since the previous record
 */
struct superblock_error_notification {
	struct superblock_notification sb;
	__u64	ino;
	__u64	pos;
	__u64	length;
	__u64	time_ns;
	__u32	generation;
	__u32	error;
	__u32	kind;
	__u32	suppressed;
};

/**
 * struct superblock_quota_notification - NOTIFY_SB_QUOTA
 * @sb: the common part of all records about superblocks
 * @id: user, group or project ID, in the user namespace that owns the filesystem
 * @id_type: USRQUOTA, GRPQUOTA or PRJQUOTA
 * @warning: QUOTA_NL_* of <linux/quota.h>: blocks or inodes, hard or soft limit,
 *	reached or no longer reached
 * @suppressed: number of suppressed warnings of the same kind about the same quota
 *	since the previous record
 *
 * If more quotas cause warnings than the kernel can track, one record reports all
 * suppressed warnings: @id is -1, @id_type is 0 and @warning is QUOTA_NL_NOWARN.
 * @suppressed is then one less than the number of these warnings.  For an unprivileged
 * watcher, @suppressed is 0 in this record, which is posted even if none of the warnings
 * is about the watcher's quota.
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
 * @NOTIFY_BLOCK_IO: no other class applies, or the driver cannot determine the class
 * @NOTIFY_BLOCK_NOT_SUPPORTED: the device does not support the operation
 * @NOTIFY_BLOCK_TIMEOUT: the device did not answer in time
 * @NOTIFY_BLOCK_NO_SPACE: a thinly provisioned device is full
 * @NOTIFY_BLOCK_TRANSPORT: the path to the device failed; another path may work
 * @NOTIFY_BLOCK_TARGET: the device failed the request; a retry will not help
 * @NOTIFY_BLOCK_RESV_CONFLICT: another initiator has reserved the device
 * @NOTIFY_BLOCK_MEDIUM: the medium cannot be read or written at this location
 * @NOTIFY_BLOCK_PROTECTION: the protection information does not match the data
 * @NOTIFY_BLOCK_RESOURCE: the kernel or the device ran out of a resource
 * @NOTIFY_BLOCK_ZONE_RESOURCE: too many zones are open or active
 * @NOTIFY_BLOCK_OFFLINE: the device is offline
 * @NOTIFY_BLOCK_DURATION_LIMIT: the command exceeded its duration limit
 * @NOTIFY_BLOCK_INVALID: the driver rejected the request as invalid
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
 * enum block_notification_operation - operation that failed
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
#define NOTIFY_BLOCK_STACKED	WATCH_INFO_FLAG_0 /* On other disks: dm, md, bcache, DRBD */

/**
 * struct block_notification - WATCH_TYPE_BLOCK_NOTIFY
 * @watch: header; subtype is an enum block_notification_subtype
 * @disk_seq: sequence number of the disk, or of the medium in it, at the time of
 *	the error; DISKSEQ in uevents, not reused
 * @dev_major: major device number of the disk or partition that the I/O was sent to
 * @dev_minor: minor device number
 * @sector: start of the failed range, in units of 512 bytes from the start of the
 *	disk
 * @time_ns: time of the error, CLOCK_REALTIME in nanoseconds
 * @length: length of the failed range in bytes
 * @suppressed: number of suppressed errors of this device since the previous record
 * @operation: an enum block_notification_operation
 * @partition: partition number, 0 for the disk
 *
 * The object ID of a watch, in its removal record and in fdinfo, is
 * @disk_seq << 8 | @partition at the time of the device's first watch or reported error,
 * and 0 for a watch on all devices.
 */
struct block_notification {
	struct watch_notification watch;
	__u64	disk_seq;
	__u32	dev_major;
	__u32	dev_minor;
	__u64	sector;
	__u64	time_ns;
	__u32	length;
	__u32	suppressed;
	__u32	operation;
	__u32	partition;
};

/**
 * enum device_notification_subtype - events of WATCH_TYPE_DEVICE_NOTIFY
 * @NOTIFY_DEVICE_ADD: added
 * @NOTIFY_DEVICE_REMOVE: removed
 * @NOTIFY_DEVICE_CHANGE: changed (KOBJ_CHANGE), such as the medium of a disk
 * @NOTIFY_DEVICE_MOVE: renamed or moved to another parent
 * @NOTIFY_DEVICE_ONLINE: online again
 * @NOTIFY_DEVICE_OFFLINE: offline; may be removed
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
#define NOTIFY_DEVICE_SYNTHETIC	WATCH_INFO_FLAG_0 /* Triggered through the uevent file */
#define NOTIFY_DEVICE_BLOCK	WATCH_INFO_FLAG_1 /* The number is of a block device */
#define NOTIFY_DEVICE_TRUNCATED	WATCH_INFO_FLAG_2 /* The names are truncated */

/**
 * struct device_notification - WATCH_TYPE_DEVICE_NOTIFY
 * @watch: header; subtype is an enum device_notification_subtype
 * @seqnum: sequence number of the event, SEQNUM in uevents
 * @sysfs_ino: inode number of the device's directory in sysfs, as returned by stat();
 *	0 if there is no directory
 * @dev_major: major device number, 0 if the device has no device number
 * @dev_minor: minor device number
 * @names: ``"subsystem\0devpath\0"``; devpath is the path below /sys, DEVPATH in
 *	uevents
 *
 * If the names do not fit into the record, @names contains the first 31 bytes of the
 * subsystem and the end of devpath.
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
