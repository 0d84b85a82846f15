/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about superblocks: hooks for filesystems and the VFS
 *
 * See Documentation/userspace-api/watch_queue/superblocks.rst for the events, and
 * Documentation/core-api/watch_queue.rst for what a filesystem should report.
 */
#ifndef _LINUX_SB_NOTIFY_H
#define _LINUX_SB_NOTIFY_H

#include <asm/barrier.h>
#include <linux/fs.h>
#include <linux/math.h>
#include <linux/quota.h>
#include <linux/types.h>
#include <linux/watch_queue.h>

struct address_space;
struct user_namespace;

#ifdef CONFIG_SB_NOTIFICATIONS

/* An error in a filesystem; 0 for what is unknown */
struct sb_error {
	u64 ino;
	u64 pos;		/* position in the file in bytes, if length is not 0 */
	u64 length;		/* in bytes */
	u64 time_ns;		/* set by __sb_notify_error() */
	u32 generation;		/* of the inode */
	u16 error;		/* positive errno */
	u8 kind;		/* enum superblock_error_kind */
};

void sb_notify_init(struct super_block *sb);
void sb_notify_reconfigured(struct super_block *sb, bool was_ro);
void sb_notify_frozen(struct super_block *sb, bool frozen, bool by_suspend);
void sb_notify_rdonly(struct super_block *sb);
void sb_notify_aborted(struct super_block *sb);
void sb_notify_shutdown(struct super_block *sb, bool by_error);
void sb_notify_wb_error(const struct address_space *mapping, int error);
void sb_notify_born(struct super_block *sb);
void sb_notify_destroy(struct super_block *sb);
void sb_notify_free_user_ns(struct user_namespace *ns);
void __sb_notify_error(struct super_block *sb, struct sb_error e);

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
 * sb_notify_error - notify watchers of an error in the metadata of a filesystem
 * @sb: the superblock
 * @ino: number of the inode with the error, or 0
 * @error: errno, of either sign
 *
 * Rate limited, see fs/sb_notify.c.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
static inline void sb_notify_error(struct super_block *sb, u64 ino, int error)
{
	if (sb_has_watchers(sb))
		__sb_notify_error(sb, (struct sb_error) {
			.ino	= ino,
			.error	= abs(error),
			.kind	= NOTIFY_SB_METADATA,
		});
}

/**
 * sb_notify_data_error - notify watchers of an error in the data of an unknown file
 * @sb: the superblock
 * @kind: what failed
 * @error: errno, of either sign
 *
 * For data that the filesystem itself reads, for example to move it.  Rate limited, see
 * fs/sb_notify.c.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
static inline void sb_notify_data_error(struct super_block *sb,
					enum superblock_error_kind kind, int error)
{
	if (sb_has_watchers(sb))
		__sb_notify_error(sb, (struct sb_error) {
			.error	= abs(error),
			.kind	= kind,
		});
}

/**
 * sb_notify_io_error - notify watchers of an I/O error of file data
 * @inode: the file
 * @kind: what failed; sb_notify_inode_error() is for NOTIFY_SB_METADATA.
 *	mapping_set_error() already reports NOTIFY_SB_BUFFERED_WRITE
 * @pos: position in the file in bytes
 * @length: length of the range in bytes, 0 if the range is unknown
 * @error: errno, of either sign
 *
 * Rate limited, see fs/sb_notify.c.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
static inline void
sb_notify_io_error(const struct inode *inode, enum superblock_error_kind kind,
		   loff_t pos, u64 length, int error)
{
	if (sb_has_watchers(inode->i_sb))
		__sb_notify_error(inode->i_sb, (struct sb_error) {
			.ino	= inode->i_ino,
			.pos	= pos,
			.length	= length,
			.generation = inode->i_generation,
			.error	= abs(error),
			.kind	= kind,
		});
}

/**
 * sb_notify_inode_error - notify watchers of an error in the metadata of an inode
 * @inode: the inode
 * @error: errno, of either sign
 *
 * Rate limited, see fs/sb_notify.c.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
static inline void sb_notify_inode_error(const struct inode *inode, int error)
{
	sb_notify_io_error(inode, NOTIFY_SB_METADATA, 0, 0, error);
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
 * Rate limited for each @qid and @warning, see fs/sb_notify_quota.c.
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
static inline void sb_notify_quota(struct super_block *sb, struct kqid qid,
				   u16 warning)
{
	if (sb_has_watchers(sb))
		__sb_notify_quota(sb, qid, warning);
}

#else /* !CONFIG_SB_NOTIFICATIONS */

static inline void sb_notify_init(struct super_block *sb)
{
}

static inline void sb_notify_reconfigured(struct super_block *sb, bool was_ro)
{
}

static inline void sb_notify_frozen(struct super_block *sb, bool frozen,
				    bool by_suspend)
{
}

static inline void sb_notify_rdonly(struct super_block *sb)
{
}

static inline void sb_notify_aborted(struct super_block *sb)
{
}

static inline void sb_notify_shutdown(struct super_block *sb, bool by_error)
{
}

static inline void sb_notify_wb_error(const struct address_space *mapping,
				      int error)
{
}

static inline void sb_notify_born(struct super_block *sb)
{
}

static inline void sb_notify_destroy(struct super_block *sb)
{
}

static inline void sb_notify_free_user_ns(struct user_namespace *ns)
{
}

static inline void sb_notify_error(struct super_block *sb, u64 ino, int error)
{
}

static inline void sb_notify_data_error(struct super_block *sb,
					enum superblock_error_kind kind, int error)
{
}

static inline void sb_notify_inode_error(const struct inode *inode, int error)
{
}

static inline void
sb_notify_io_error(const struct inode *inode, enum superblock_error_kind kind,
		   loff_t pos, u64 length, int error)
{
}

static inline void sb_notify_quota(struct super_block *sb, struct kqid qid,
				   u16 warning)
{
}

#endif /* CONFIG_SB_NOTIFICATIONS */

#endif /* _LINUX_SB_NOTIFY_H */
