/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of a superblock for notifications about it and about its mounts
 */
#ifndef _FS_SB_STATE_H
#define _FS_SB_STATE_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/string.h>
#include <uapi/linux/watch_queue.h>

#ifdef CONFIG_WATCH_QUEUE

/* Bits of sb->s_notify_state */
#define SB_NOTIFY_BORN		0x01	/* vfs_get_tree() has completed once */
#define SB_NOTIFY_DEAD		0x02	/* no sb_watchers are created */
#define SB_NOTIFY_RDONLY	0x04	/* rejects changes, whatever SB_RDONLY is */
#define SB_NOTIFY_ERROR		0x08	/* ... because of an error */
#define SB_NOTIFY_FINAL		0x10	/* ... whatever a remount does */
#define SB_NOTIFY_SHUTDOWN	0x20	/* was shut down */
#define SB_NOTIFY_FROZEN	0x40	/* frozen, and not only for a suspend */

/* alloc_super() calls this once for each superblock, which is zeroed */
static inline void sb_assign_id(struct super_block *sb,
				const struct file_system_type *type)
{
	static atomic64_t last_id = ATOMIC64_INIT(0);

	static_assert(sizeof(sb->s_notify_type) == NOTIFY_FS_TYPE_LEN);

	sb->s_notify_id = atomic64_inc_return(&last_id);
	strscpy(sb->s_notify_type, type->name);
}

/* Not every filesystem that stops accepting changes sets SB_RDONLY */
static inline bool sb_rejects_changes(const struct super_block *sb)
{
	return sb_rdonly(sb) || (READ_ONCE(sb->s_notify_state) & SB_NOTIFY_RDONLY);
}

#else /* !CONFIG_WATCH_QUEUE */

static inline void sb_assign_id(struct super_block *sb,
				const struct file_system_type *type)
{
}

#endif /* CONFIG_WATCH_QUEUE */

/* The watchers of mounts are notified of changes of the filesystem, too */
#ifdef CONFIG_MOUNT_NOTIFICATIONS

void mount_notify_fs(struct super_block *sb);
void mount_notify_destroy_fs(struct super_block *sb);

#else

static inline void mount_notify_fs(struct super_block *sb)
{
}

static inline void mount_notify_destroy_fs(struct super_block *sb)
{
}

#endif /* CONFIG_MOUNT_NOTIFICATIONS */

#endif /* _FS_SB_STATE_H */
