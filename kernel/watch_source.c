// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: the ioctls that add and remove watches
 *
 * A source of events whose objects have no system call of their own to add a
 * watch registers here, for its type of record.  It answers one question: which
 * list of watches, and which ID, for a file and flags?  Everything else is the
 * same for all sources and is done here.  See
 * Documentation/core-api/watch_queue.rst.
 *
 * Locks
 *
 *	watch_source_lock	the table of sources; not held while a source
 *				runs, which may take as long as a file server
 *				takes to answer
 *
 * Calls into a source are counted, so that unregister_watch_source() can wait
 * until none is running.
 */

#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/nospec.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/wait_bit.h>

#include "watch_queue_internal.h"

/*
 * Default of user.max_watch_queue_watches.  It is low because every event costs
 * time for each watch on its object, and events on mounts do so under mount_lock.
 */
#define WATCH_QUEUE_DEFAULT_MAX_WATCHES 128

/* Table size; leaves room for more types than the header has */
#define WATCH_SOURCE_MAX 16

static_assert(WATCH_SOURCE_MAX > WATCH_TYPE__NR);
static_assert(sizeof(struct watch_notification_removal) == 16);
static_assert(sizeof(struct key_notification) == 16);
static_assert(sizeof(struct watch_queue_watch) == WATCH_QUEUE_WATCH_SIZE_VER0);

static DECLARE_RWSEM(watch_source_lock);
static const struct watch_source *watch_sources[WATCH_SOURCE_MAX];

/* Number of calls into the source of a type that are running */
static atomic_t watch_source_active[WATCH_SOURCE_MAX];

/* WATCH_TYPE_META is internal, and keys are watched with keyctl() */
static bool watch_source_type_valid(u32 type)
{
	return type > WATCH_TYPE_KEY_NOTIFY && type < ARRAY_SIZE(watch_sources);
}

/**
 * register_watch_source - make a type of objects available to the ioctls
 * @source: the source; must not change until it is unregistered
 *
 * Context: Process context.  May sleep.
 * Return: 0 or
 *
 * * -EINVAL - the type is not one of WATCH_TYPE_*_NOTIFY, or is that of keys; or
 *   find() is missing
 * * -EBUSY - the type has a source already
 */
int register_watch_source(const struct watch_source *source)
{
	if (!watch_source_type_valid(source->type) || !source->find)
		return -EINVAL;

	guard(rwsem_write)(&watch_source_lock);
	if (watch_sources[source->type])
		return -EBUSY;
	watch_sources[source->type] = source;
	return 0;
}
EXPORT_SYMBOL_GPL(register_watch_source);

/**
 * unregister_watch_source - unregister a source
 * @source: the source; one that is not registered is ignored
 *
 * Waits until no function of the source is running.  None is called afterwards.
 * Watches that were added remain until their objects are destroyed.
 *
 * Context: Process context, with no lock held that @source takes.  May sleep.
 */
void unregister_watch_source(const struct watch_source *source)
{
	if (!watch_source_type_valid(source->type))
		return;

	scoped_guard(rwsem_write, &watch_source_lock) {
		if (watch_sources[source->type] != source)
			return;
		watch_sources[source->type] = NULL;
	}
	wait_var_event(&watch_source_active[source->type],
		       !atomic_read(&watch_source_active[source->type]));
}
EXPORT_SYMBOL_GPL(unregister_watch_source);

static int __init watch_source_init(void)
{
	init_user_ns.ucount_max[UCOUNT_WATCH_QUEUE_WATCHES] =
		WATCH_QUEUE_DEFAULT_MAX_WATCHES;
	return 0;
}
core_initcall(watch_source_init);

/* The source of a type, to be put by watch_source_put(), or NULL */
static const struct watch_source *watch_source_get(u32 type)
{
	const struct watch_source *source;

	type = array_index_nospec(type, ARRAY_SIZE(watch_sources));
	guard(rwsem_read)(&watch_source_lock);
	source = watch_sources[type];
	if (source)
		atomic_inc(&watch_source_active[type]);
	return source;
}

static void watch_source_put(const struct watch_source *source)
{
	/* The source may be freed after this */
	atomic_dec_and_wake_up(&watch_source_active[source->type]);
}

static int watch_source_add(const struct watch_source *source,
			    struct watch_queue *wqueue,
			    const struct watch_queue_watch *args, struct file *file)
{
	struct watch_target target = {};
	struct watch *watch;
	int ret;

	watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	if (!watch)
		return -ENOMEM;
	ret = source->find(file, args->flags, true, &target);
	if (ret)
		goto err_free;

	init_watch(watch, wqueue);
	watch->type = args->type;
	watch->id = target.id;
	watch->info_id = args->id << WATCH_INFO_ID__SHIFT;
	watch->private = target.private;
	ret = add_watch_to_object(watch, target.list);
	if (ret)
		goto err_release;
	if (source->added)
		source->added();
	return 0;

err_release:
	/* Without credentials: see init_watch_list() */
	if (target.list->release_watch)
		target.list->release_watch(watch);
err_free:
	kfree(watch);
	return ret;
}

static int watch_source_remove(const struct watch_source *source,
			       struct watch_queue *wqueue,
			       const struct watch_queue_watch *args,
			       struct file *file)
{
	struct watch_target target = {};
	int ret;

	ret = source->find(file, args->flags, false, &target);
	if (ret)
		return ret;
	if (!target.list)
		return -EBADSLT;
	return remove_watch_from_object(target.list, wqueue, target.id, false);
}

static int watch_source_do(const struct watch_source *source,
			   struct watch_queue *wqueue, bool add,
			   const struct watch_queue_watch *args)
{
	if (args->flags & ~source->flags)
		return -EINVAL;
	if (args->fd == -1)
		return watch_source_add(source, wqueue, args, NULL);

	CLASS(fd_raw, f)(args->fd);
	if (fd_empty(f))
		return -EBADF;
	if (add)
		return watch_source_add(source, wqueue, args, fd_file(f));
	return watch_source_remove(source, wqueue, args, fd_file(f));
}

/* By ID: of any type, keys included, whether it has a source or not */
static int watch_source_remove_id(struct watch_queue *wqueue,
				  const struct watch_queue_watch *args)
{
	if (args->type == WATCH_TYPE_META || args->type >= WATCH_SOURCE_MAX)
		return -EOPNOTSUPP;
	if (args->flags)
		return -EINVAL;
	return watch_queue_remove_id(wqueue, args->type,
				     args->id << WATCH_INFO_ID__SHIFT);
}

/**
 * watch_source_ioctl - IOC_WATCH_QUEUE_ADD_WATCH and IOC_WATCH_QUEUE_REMOVE_WATCH
 * @wqueue: the queue that the caller has open
 * @cmd: either command, with any size in it
 * @arg: struct watch_queue_watch, of the size in @cmd
 *
 * Context: Process context.  May sleep.
 * Return: 0 or, in the order of the checks,
 *
 * * -EINVAL - the size in @cmd is below that of the first version
 * * -EFAULT - @arg cannot be read
 * * -E2BIG - a member that this kernel does not know is not 0
 * * -EINVAL - the watch ID is above 255
 * * -EOPNOTSUPP - the type has no source, or is not watched through this ioctl
 * * -EINVAL - an unknown flag; or, to remove a watch by its ID, any flag
 * * -EBADF - the descriptor is not open
 * * what the find() function of the source returns
 * * what add_watch_to_object() returns, or -EBADSLT if there is no such watch to
 *   remove
 */
long watch_source_ioctl(struct watch_queue *wqueue, unsigned int cmd,
			const void __user *arg)
{
	bool add = WATCH_IOCTL(cmd) == WATCH_IOCTL(IOC_WATCH_QUEUE_ADD_WATCH);
	const struct watch_source *source;
	struct watch_queue_watch args;
	int ret;

	if (_IOC_SIZE(cmd) < WATCH_QUEUE_WATCH_SIZE_VER0)
		return -EINVAL;
	ret = copy_struct_from_user(&args, sizeof(args), arg, _IOC_SIZE(cmd));
	if (ret)
		return ret;
	if (args.id > WATCH_INFO_ID >> WATCH_INFO_ID__SHIFT)
		return -EINVAL;
	if (!add && args.fd == -1)
		return watch_source_remove_id(wqueue, &args);
	if (!watch_source_type_valid(args.type))
		return -EOPNOTSUPP;

	source = watch_source_get(args.type);
	if (!source)
		return -EOPNOTSUPP;
	ret = watch_source_do(source, wqueue, add, &args);
	watch_source_put(source);
	return ret;
}
