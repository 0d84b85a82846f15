// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about mounts: changes of their filesystems
 *
 * A filesystem can become read-only in any context, but its mounts can only be walked in
 * process context.  So the superblock is put on a list, and a work item notes the
 * change in all its mounts and posts the records.  This takes time linear in the number of
 * mounts of the filesystem, under mount_lock.  So does remounting it read-only.
 *
 * The work item runs a tick after the first change, so that it does not run for each
 * remount of a program that remounts a filesystem in a loop.  After a run it pauses for
 * 16 times the processor time that the run took: a user can mount a filesystem many
 * times, and a kworker is not in the cgroup of the user.  Records about all filesystems
 * wait for the end of the pause.
 *
 * mount_fs_lock protects mount_fs_next, mount_fs_scheduled and the list, which
 * s_mounts_changed links.  The work item holds mount_lock while it takes a superblock off
 * the list and walks the mounts of the superblock.  The superblock is not freed during
 * this, as mount_notify_destroy_fs() takes mount_lock.  Noted mounts are in a namespace,
 * and hold a reference on the superblock, as long as namespace_sem is held.
 */

#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "mount.h"
#include "sb_state.h"

/* The pause after a run, as a multiple of its processor time */
#define MOUNT_FS_PAUSE	16

static LIST_HEAD(mount_fs_changed);
static DEFINE_SPINLOCK(mount_fs_lock);
static u64 mount_fs_next;		/* when the pause ends, in jiffies */
static bool mount_fs_scheduled;		/* the work item is queued or runs */

static void mount_fs_work_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(mount_fs_work, mount_fs_work_fn);

static void mount_fs_schedule(void)
{
	u64 now = get_jiffies_64();

	lockdep_assert_held(&mount_fs_lock);

	mount_fs_scheduled = true;
	queue_delayed_work(system_unbound_wq, &mount_fs_work,
			   mount_fs_next > now ? mount_fs_next - now : 1);
}

/* Unlink the first superblock from @list, which mount_fs_lock also protects */
static struct super_block *mount_fs_take(struct list_head *list)
{
	struct super_block *sb;

	scoped_guard(spinlock_irqsave, &mount_fs_lock) {
		sb = list_first_entry_or_null(list, struct super_block,
					      s_mounts_changed);
		if (sb)
			list_del_init(&sb->s_mounts_changed);
	}
	return sb;
}

/* Post the records about the first superblock on @list, unless it was removed */
static void mount_fs_post(struct list_head *list)
{
	struct super_block *sb;

	down_write(&namespace_sem);
	read_seqlock_excl(&mount_lock);
	sb = mount_fs_take(list);
	if (sb)
		mount_note_fs(sb);
	read_sequnlock_excl(&mount_lock);
	mount_notify_unlock();
}

static void mount_fs_work_fn(struct work_struct *work)
{
	u64 start = task_sched_runtime(current), used;
	LIST_HEAD(changed);

	/* A superblock that changes while this runs waits for the next time */
	scoped_guard(spinlock_irqsave, &mount_fs_lock)
		list_splice_init(&mount_fs_changed, &changed);
	while (!list_empty_careful(&changed)) {
		mount_fs_post(&changed);
		cond_resched();
	}
	used = task_sched_runtime(current) - start;

	scoped_guard(spinlock_irqsave, &mount_fs_lock) {
		mount_fs_next = get_jiffies_64() + 1 +
				nsecs_to_jiffies64(MOUNT_FS_PAUSE * used);
		mount_fs_scheduled = false;
		if (!list_empty(&mount_fs_changed))
			mount_fs_schedule();
	}
}

/**
 * mount_notify_fs - notify watchers that the filesystem of mounts changed
 * @sb: the superblock; it was remounted, became read-only or was shut down
 *
 * A work item posts the records.  Changes before it runs are reported as one event.
 *
 * Context: Any but NMI.
 */
void mount_notify_fs(struct super_block *sb)
{
	if (!mount_watched())
		return;
	scoped_guard(spinlock_irqsave, &mount_fs_lock) {
		if (list_empty(&sb->s_mounts_changed))
			list_add_tail(&sb->s_mounts_changed, &mount_fs_changed);
		if (!mount_fs_scheduled)
			mount_fs_schedule();
	}
}

/**
 * mount_notify_destroy_fs - drop the changes of a superblock that are not posted
 * @sb: the superblock, after the last change
 *
 * Context: Process context.
 */
void mount_notify_destroy_fs(struct super_block *sb)
{
	read_seqlock_excl(&mount_lock);
	scoped_guard(spinlock_irqsave, &mount_fs_lock)
		list_del_init(&sb->s_mounts_changed);
	read_sequnlock_excl(&mount_lock);
}
