// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: the ioctls that add and remove watches
 *
 * An event source registers for its type of record, unless its objects have a
 * system call of their own to add a watch.  The source finds the list of watches
 * and the object ID for a file and flags.  Everything else is common to all sources
 * and is done here.  See Documentation/core-api/watch_queue.rst.
 *
 * watch_source_lock protects the table of sources.  It is not held during a call
 * into a source, as the call may wait for a file server.  The calls are counted,
 * so that unregister_watch_source() can wait until none is running.
 */

#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/nospec.h>
#include <linux/rculist.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/wait_bit.h>

#include "watch_queue_internal.h"

/*
 * Default of user.max_watch_queue_watches.  It is low because each watch adds to
 * the cost of every event on its object, for mounts under namespace_sem.
 */
#define WATCH_QUEUE_DEFAULT_MAX_WATCHES 128

/* Table size; leaves room for types that the header does not define */
#define WATCH_SOURCE_MAX 16

static_assert(WATCH_TYPE__NR <= WATCH_TYPE_TRIAL_NOTIFY);
static_assert(WATCH_TYPE_TRIAL_NOTIFY < WATCH_SOURCE_MAX);
static_assert(sizeof(struct watch_notification_removal) == 16);
static_assert(sizeof(struct key_notification) == 16);
static_assert(sizeof(struct watch_queue_watch) == WATCH_QUEUE_WATCH_SIZE_VER0);

static DECLARE_RWSEM(watch_source_lock);
static const struct watch_source *watch_sources[WATCH_SOURCE_MAX];

/* Number of running calls into the source of each type */
static atomic_t watch_source_active[WATCH_SOURCE_MAX];

/* WATCH_TYPE_META is internal, and keys are watched with keyctl() */
static bool watch_source_type_valid(u32 type)
{
	return type > WATCH_TYPE_KEY_NOTIFY && type < ARRAY_SIZE(watch_sources);
}

/**
 * register_watch_source - register a source
 * @source: the source; must not change until it is unregistered
 *
 * Context: Process context.  May sleep.
 * Return: 0 or
 *
 * * -EINVAL - the type is WATCH_TYPE_META or WATCH_TYPE_KEY_NOTIFY, or is too large;
 *   find() is missing; or flags has WATCH_REPORT_STATE and added() is missing
 * * -EBUSY - the type already has a source
 */
int register_watch_source(const struct watch_source *source)
{
	if (!watch_source_type_valid(source->type) || !source->find ||
	    ((source->flags & WATCH_REPORT_STATE) && !source->added))
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
 * Waits until no function of the source is running, and none is called afterwards.
 * Another source may register for the type while this function waits.  The wait then
 * includes the functions of that source.  Existing watches remain until they are removed
 * or their objects are destroyed.
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

/* Get the source of a type, or NULL.  To be put with watch_source_put(). */
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
		source->added(&target, wqueue);
	return 0;

err_release:
	/* Without credentials: see init_watch_list() */
	if (target.list->release_watch)
		target.list->release_watch(watch);
err_free:
	kfree(watch);
	return ret;
}

/* Find an object that was watched before */
static int watch_source_find(const struct watch_source *source,
			     const struct watch_queue_watch *args, struct file *file,
			     struct watch_target *target)
{
	int ret = source->find(file, args->flags, false, target);

	if (ret)
		return ret;
	return target->list ? 0 : -EBADSLT;
}

static int watch_source_remove(const struct watch_source *source,
			       struct watch_queue *wqueue,
			       const struct watch_queue_watch *args,
			       struct file *file)
{
	struct watch_target target = {};
	int ret = watch_source_find(source, args, file, &target);

	if (ret)
		return ret;
	return remove_watch_from_object(target.list, wqueue, target.id, false);
}

static bool watch_target_has_watch(const struct watch_target *target,
				   const struct watch_queue *wqueue)
{
	const struct watch *watch;

	guard(rcu)();
	hlist_for_each_entry_rcu(watch, &wqueue->watches, queue_node) {
		if (watch->list == target->list && watch->id == target->id)
			return true;
	}
	return false;
}

/* Report the state of a watched object again */
static int watch_source_report(const struct watch_source *source,
			       struct watch_queue *wqueue,
			       const struct watch_queue_watch *args,
			       struct file *file)
{
	struct watch_target target = {};
	int ret = watch_source_find(source, args, file, &target);

	if (ret)
		return ret;
	if (!watch_target_has_watch(&target, wqueue))
		return -EBADSLT;
	source->added(&target, wqueue);
	return 0;
}

static int watch_source_do(const struct watch_source *source,
			   struct watch_queue *wqueue, bool add,
			   const struct watch_queue_watch *args)
{
	bool report = args->flags & WATCH_REPORT_STATE;

	if ((args->flags & ~source->flags) || (report && !add))
		return -EINVAL;
	if (args->fd == -1)
		return report ? watch_source_report(source, wqueue, args, NULL) :
				watch_source_add(source, wqueue, args, NULL);

	CLASS(fd_raw, f)(args->fd);
	if (fd_empty(f))
		return -EBADF;
	if (report)
		return watch_source_report(source, wqueue, args, fd_file(f));
	if (add)
		return watch_source_add(source, wqueue, args, fd_file(f));
	return watch_source_remove(source, wqueue, args, fd_file(f));
}

/* Remove watches by ID.  Works for all types: no source is called. */
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
 * watch_source_ioctl - add or remove a watch for user space
 * @wqueue: the queue of the file that the ioctl was called on
 * @cmd: IOC_WATCH_QUEUE_ADD_WATCH or IOC_WATCH_QUEUE_REMOVE_WATCH, with any size
 * @arg: struct watch_queue_watch, of the size in @cmd
 *
 * Context: Process context.  May sleep.
 * Return: 0 or, in the order of the checks,
 *
 * * -EINVAL - the size in @cmd is below WATCH_QUEUE_WATCH_SIZE_VER0
 * * -E2BIG - a member that this kernel does not support is not 0
 * * -EFAULT - @arg cannot be read
 * * -EINVAL - the watch ID is above 255
 * * -EOPNOTSUPP - the type has no source, or is not watched through this ioctl
 * * -EINVAL - an unknown flag, any flag for removal by ID, or WATCH_REPORT_STATE for
 *   removal
 * * -EBADF - the descriptor is not open
 * * -ENOMEM - out of memory
 * * any error of the source's find() function
 * * any error of add_watch_to_object(), or -EBADSLT if there is no watch to remove or
 *   to report to
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
