// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications about mounts: adding and removing watches
 *
 * See fs/mount_notify.c for the events.
 */

#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/fsnotify_backend.h>
#include <linux/init.h>
#include <linux/nsproxy.h>
#include <linux/path.h>
#include <linux/proc_fs.h>
#include <linux/proc_ns.h>
#include <linux/rcupdate.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/watch_queue.h>

#include "internal.h"
#include "pnode.h"
#include "mount_notify_subtree.h"

/*
 * Permission: a program may watch the mounts that it can list, or has privilege over
 */

static bool mount_ns_is_ours(const struct mnt_namespace *ns)
{
	return ns == current->nsproxy->mnt_ns;
}

/* Are all mounts of @ns visible to a program whose root directory is @root? */
static bool mount_ns_is_reachable(const struct mnt_namespace *ns, const struct path *root)
{
	struct mount *mnt = ns->root;

	/* From the root of the namespace to @root, each mount may have only one child */
	while (root->mnt != &mnt->mnt) {
		if (!list_is_singular(&mnt->mnt_mounts))
			return false;
		mnt = list_first_entry(&mnt->mnt_mounts, struct mount, mnt_child);
	}
	return path_mounted(root);
}

static int mount_may_watch_ns(struct mnt_namespace *ns)
{
	bool reachable = false;
	struct path root;

	if (mount_ns_is_ours(ns)) {
		get_fs_root(current->fs, &root);
		down_read(&namespace_sem);
		reachable = mount_ns_is_reachable(ns, &root);
		up_read(&namespace_sem);
		path_put(&root);
	}
	return reachable || ns_capable(ns->user_ns, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static int mount_may_watch(struct mount *mnt)
{
	struct user_namespace *user_ns = NULL;
	bool reachable = false;
	struct path root;
	int ret;

	get_fs_root(current->fs, &root);
	down_read(&namespace_sem);
	/* Refuse kernel-internal, unmounted and detached mounts */
	if (is_mounted(&mnt->mnt) && !is_anon_ns(mnt->mnt_ns)) {
		reachable = mount_ns_is_ours(mnt->mnt_ns) &&
			    is_path_reachable(mnt, mnt->mnt.mnt_root, &root);
		user_ns = get_user_ns(mnt->mnt_ns->user_ns);
	}
	up_read(&namespace_sem);
	path_put(&root);
	if (!user_ns)
		return -EINVAL;

	ret = reachable || ns_capable(user_ns, CAP_SYS_ADMIN) ? 0 : -EPERM;
	put_user_ns(user_ns);
	return ret;
}

/*
 * Watches
 */

static void mount_release_watch(struct watch *watch)
{
	/* Without credentials, it was not added: mount_add_subtree() was not called */
	if (!watch->cred)
		kfree(watch->private);
	mount_notify_removed();
}

static int mount_find_ns(struct file *file, u32 flags, bool add,
			 struct watch_target *target)
{
	struct mnt_namespace *ns = to_mnt_ns(get_proc_ns(file_inode(file)));
	int ret;

	if (flags)
		return -EINVAL;
	target->id = mount_ns_id(ns);
	if (!add) {
		/* Pairs with cmpxchg() in watch_list_get_or_create() */
		target->list = smp_load_acquire(&ns->watches.watches);
		return 0;
	}

	ret = mount_may_watch_ns(ns) ?:
	      security_path_notify(&file->f_path, 0, FSNOTIFY_OBJ_TYPE_MNTNS);
	if (ret)
		return ret;
	target->list = watch_list_get_or_create(&ns->watches.watches, mount_release_watch);
	if (!target->list)
		return -ENOMEM;
	mount_notify_adding_ns(ns);
	return 0;
}

static int mount_prepare_watch(struct mount *mnt)
{
	guard(rwsem_read)(&namespace_sem);
	/* It may have been unmounted since the check */
	if (!is_mounted(&mnt->mnt))
		return -EINVAL;
	mount_notify_adding(mnt->mnt_ns);
	return 0;
}

static int mount_find_mount(struct file *file, u32 flags, bool add,
			    struct watch_target *target)
{
	bool subtree = flags & WATCH_SUBTREE;
	struct watch_list **slot;
	struct mount *mnt;
	int ret;

	if (!path_mounted(&file->f_path))
		return -EINVAL;
	mnt = real_mount(file->f_path.mnt);
	slot = subtree ? &mnt->mnt_watches.subtree_watches : &mnt->mnt_watches.watches;
	target->id = mnt->mnt_id_unique;
	if (!add) {
		/* Pairs with cmpxchg() in watch_list_get_or_create() */
		target->list = smp_load_acquire(slot);
		return 0;
	}

	ret = mount_may_watch(mnt) ?:
	      security_path_notify(&file->f_path, 0, FSNOTIFY_OBJ_TYPE_VFSMOUNT);
	if (ret)
		return ret;
	target->list = watch_list_get_or_create(slot, mount_release_watch);
	if (!target->list)
		return -ENOMEM;
	if (subtree) {
		target->private = mount_alloc_subtree(mnt);
		if (!target->private)
			return -ENOMEM;
	}
	ret = mount_prepare_watch(mnt);
	if (ret)
		kfree(target->private);
	return ret;
}

static bool is_mount_ns_file(const struct file *file)
{
	return proc_ns_file(file) &&
	       get_proc_ns(file_inode(file))->ops == &mntns_operations;
}

static int mount_find(struct file *file, u32 flags, bool add,
		      struct watch_target *target)
{
	if (!file)
		return -EBADF;
	if (is_mount_ns_file(file))
		return mount_find_ns(file, flags, add, target);
	return mount_find_mount(file, flags, add, target);
}

static void mount_added(const struct watch_target *target, struct watch_queue *wqueue)
{
	if (target->private)
		mount_add_subtree(target->private);
}

static const struct watch_source mount_source = {
	.type	= WATCH_TYPE_MOUNT_NOTIFY,
	.flags	= WATCH_SUBTREE,
	.find	= mount_find,
	.added	= mount_added,
};

void __mount_notify_destroy(struct mount_watches *watches, u64 mnt_id)
{
	remove_watch_list(watches->watches, mnt_id);
	remove_watch_list(watches->subtree_watches, mnt_id);
}

void mount_notify_destroy_ns(struct mnt_namespace *ns)
{
	remove_watch_list(ns->watches.watches, mount_ns_id(ns));
	mount_destroy_subtrees(ns);
}

static int __init mount_watch_init(void)
{
	return register_watch_source(&mount_source);
}
fs_initcall(mount_watch_init);
