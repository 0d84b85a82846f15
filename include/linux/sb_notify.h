/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about superblocks: hooks for filesystems and the VFS
 *
 * If a superblock was never watched, a hook executes a barrier and tests a pointer.
 * See Documentation/userspace-api/watch_queue/superblocks.rst for the events.
 */
#ifndef _LINUX_SB_NOTIFY_H
#define _LINUX_SB_NOTIFY_H

#include <asm/barrier.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <linux/types.h>
#include <linux/watch_queue.h>

struct address_space;

#ifdef CONFIG_SB_NOTIFICATIONS

void __sb_notify_reconfigured(struct super_block *sb, bool was_ro);
void __sb_notify_frozen(struct super_block *sb, bool frozen);
void __sb_notify_shutdown(struct super_block *sb);
void __sb_notify_error(struct super_block *sb, u64 ino, int error);
void __sb_notify_destroy(struct super_block *sb);
void sb_notify_wb_error(const struct address_space *mapping, int error);

/* Call this after the change of state to be reported.  Not for hot paths. */
static inline bool sb_has_watchers(const struct super_block *sb)
{
	/*
	 * Pairs with the barrier in add_watch_to_object().  A program adds a watch and
	 * then reads the state; a poster stores the state and then checks for watchers.
	 * Without both barriers, the program could read the old state although the
	 * poster finds no watcher.
	 */
	smp_mb__before_post();
	return unlikely(rcu_access_pointer(sb->s_watchers));
}

/**
 * sb_notify_reconfigured - notify watchers of a remount
 * @sb: the superblock, after the remount
 * @was_ro: true if it was read-only before
 *
 * Context: Process context, sb->s_umount held for writing.
 */
static inline void sb_notify_reconfigured(struct super_block *sb, bool was_ro)
{
	if (sb_has_watchers(sb))
		__sb_notify_reconfigured(sb, was_ro);
}

/**
 * sb_notify_frozen - notify watchers that a filesystem was frozen or thawed
 * @sb: the superblock
 * @frozen: true if it was frozen
 *
 * Context: Process context, sb->s_umount held for writing.
 */
static inline void sb_notify_frozen(struct super_block *sb, bool frozen)
{
	if (sb_has_watchers(sb))
		__sb_notify_frozen(sb, frozen);
}

/**
 * sb_notify_shutdown - notify watchers that a filesystem was shut down
 * @sb: the superblock, which rejects changes from now on even without SB_RDONLY
 *
 * Context: Any but NMI.
 */
static inline void sb_notify_shutdown(struct super_block *sb)
{
	if (sb_has_watchers(sb))
		__sb_notify_shutdown(sb);
}

/**
 * sb_notify_error - notify watchers of an error in a filesystem
 * @sb: the superblock
 * @ino: number of the inode with the error, or 0
 * @error: errno, of either sign
 *
 * Rate limited, see fs/sb_notify.c.
 *
 * Context: Any but NMI.
 */
static inline void sb_notify_error(struct super_block *sb, u64 ino, int error)
{
	if (sb_has_watchers(sb))
		__sb_notify_error(sb, ino, error);
}

#ifdef CONFIG_QUOTACTL
void __sb_notify_quota(struct super_block *sb, struct kqid qid, u16 warning);
#else
static inline void __sb_notify_quota(struct super_block *sb, struct kqid qid,
				     u16 warning)
{
}
#endif

/**
 * sb_notify_quota - notify watchers that a quota limit was crossed
 * @sb: the superblock
 * @qid: user, group or project of the limit
 * @warning: QUOTA_NL_*, the limit and the direction
 *
 * Rate limited for each @qid and @warning, see fs/sb_notify.c.
 *
 * Context: Any but NMI.
 */
static inline void sb_notify_quota(struct super_block *sb, struct kqid qid,
				   u16 warning)
{
	if (sb_has_watchers(sb))
		__sb_notify_quota(sb, qid, warning);
}

/**
 * sb_notify_destroy - remove all watches on a superblock
 * @sb: the superblock, after kill_sb(), so that no event can occur
 *
 * Context: Process context, without s_umount and the locks that timers take.  May
 * sleep.
 */
static inline void sb_notify_destroy(struct super_block *sb)
{
	if (sb_has_watchers(sb))
		__sb_notify_destroy(sb);
}

#else /* !CONFIG_SB_NOTIFICATIONS */

static inline void sb_notify_reconfigured(struct super_block *sb, bool was_ro)
{
}

static inline void sb_notify_frozen(struct super_block *sb, bool frozen)
{
}

static inline void sb_notify_shutdown(struct super_block *sb)
{
}

static inline void sb_notify_error(struct super_block *sb, u64 ino, int error)
{
}

static inline void sb_notify_quota(struct super_block *sb, struct kqid qid,
				   u16 warning)
{
}

static inline void sb_notify_destroy(struct super_block *sb)
{
}

static inline void sb_notify_wb_error(const struct address_space *mapping,
				      int error)
{
}

#endif /* CONFIG_SB_NOTIFICATIONS */

#endif /* _LINUX_SB_NOTIFY_H */
