// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: watches on any object
 *
 * A source of events whose objects have no system call of their own to set a
 * watch registers here, for its type of record.  Programs reach it through two
 * ioctls on the queue.  See Documentation/core-api/watch_queue.rst.
 *
 * Locks
 *
 *	watch_source_lock	the table, to look at it or to change it; not held
 *				while a source works, which may take as long as a
 *				file server does to answer
 *
 * A source that works is counted, so that one that is off the table runs no more
 * when unregister_watch_source() returns.
 */

#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/nospec.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/wait_bit.h>
#include <linux/watch_queue.h>

/* The default of user.max_queue_watches */
#define WATCHES_OF_USER 128

/* Types that there is room for, some more than the header names */
#define WATCH_SOURCE_MAX 16

static_assert(WATCH_SOURCE_MAX > WATCH_TYPE__NR);
static_assert(sizeof(struct watch_queue_watch) == WATCH_QUEUE_WATCH_SIZE_VER0);

static DECLARE_RWSEM(watch_source_lock);
static const struct watch_source *watch_sources[WATCH_SOURCE_MAX];

/* Calls of the functions of a type that run now */
static atomic_t watch_source_calls[WATCH_SOURCE_MAX];

/* The queue's own records, and keys, which have keyctl(), cannot be had here */
static bool watch_source_type_valid(u32 type)
{
	return type > WATCH_TYPE_KEY_NOTIFY && type < ARRAY_SIZE(watch_sources);
}

/**
 * register_watch_source - offer a type of objects to be watched
 * @source: the source; must stay as it is until it is unregistered
 *
 * Context: Process context.  May sleep.
 * Return: 0 or
 *
 * * -EINVAL - the type is none of WATCH_TYPE_*_NOTIFY, or is that of keys; or a
 *   function is missing
 * * -EBUSY - the type has a source already
 */
int register_watch_source(const struct watch_source *source)
{
	if (!watch_source_type_valid(source->type) || !source->add ||
	    !source->remove)
		return -EINVAL;

	guard(rwsem_write)(&watch_source_lock);
	if (watch_sources[source->type])
		return -EBUSY;
	watch_sources[source->type] = source;
	return 0;
}
EXPORT_SYMBOL_GPL(register_watch_source);

/**
 * unregister_watch_source - take back what register_watch_source() offered
 * @source: the source; one that is not registered is ignored
 *
 * Waits for calls of the source's functions to return.  After that there are no
 * more.  Watches that were set stay: they end with their objects.
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
	wait_var_event(&watch_source_calls[source->type],
		       !atomic_read(&watch_source_calls[source->type]));
}
EXPORT_SYMBOL_GPL(unregister_watch_source);

static int watch_source_charge_and_add(struct watch *watch,
				       struct watch_list *wlist)
{
	const struct cred *cred = current_real_cred();
	struct ucounts *ucounts;
	int ret;

	ucounts = inc_ucount(cred->user_ns, cred->uid, UCOUNT_QUEUE_WATCHES);
	if (!ucounts)
		return -EAGAIN;
	ret = add_watch_to_object(watch, wlist);
	if (ret)
		dec_ucount(ucounts, UCOUNT_QUEUE_WATCHES);
	return ret;
}

/**
 * watch_source_add - set a watch that was asked for through the ioctl
 * @wqueue: the queue, as the source's function got it
 * @how: the request, the same
 * @wlist: where to; its release_watch is, or calls, watch_source_release()
 * @id: the object, for posts to @wlist
 * @private: for the source
 *
 * What is watched here may be anybody's, and an event has to be told to all who
 * watch at once, in whatever context it happens.  So a user has but a few such
 * watches, in all queues and in all user namespaces under his own together.
 *
 * Context: Process context.  May sleep.
 * Return: what add_watch_to_object() returns, or
 *
 * * -ENOMEM - no memory for the watch
 * * -EAGAIN - the user is at the limit, user.max_queue_watches
 */
int watch_source_add(struct watch_queue *wqueue,
		     const struct watch_queue_watch *how,
		     struct watch_list *wlist, u64 id, void *private)
{
	struct watch *watch;
	int ret;

	watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	if (!watch)
		return -ENOMEM;
	init_watch(watch, wqueue);
	watch->type = how->type;
	watch->id = id;
	watch->info_id = how->id << WATCH_INFO_ID__SHIFT;
	watch->private = private;

	ret = watch_source_charge_and_add(watch, wlist);
	if (ret)
		kfree(watch);
	return ret;
}
EXPORT_SYMBOL_GPL(watch_source_add);

/**
 * watch_source_release - end what watch_source_add() began
 * @watch: the watch
 *
 * Context: Any but hard interrupt and NMI.
 */
void watch_source_release(struct watch *watch)
{
	/* Of the same user and namespace as who set it, so it is the same */
	dec_ucount(watch->cred->ucounts, UCOUNT_QUEUE_WATCHES);
}
EXPORT_SYMBOL_GPL(watch_source_release);

static int __init watch_source_init(void)
{
	init_user_ns.ucount_max[UCOUNT_QUEUE_WATCHES] = WATCHES_OF_USER;
	return 0;
}
core_initcall(watch_source_init);

/* The source of a type, to be put back by watch_source_put(), or NULL */
static const struct watch_source *watch_source_get(u32 type)
{
	const struct watch_source *source;

	guard(rwsem_read)(&watch_source_lock);
	source = watch_sources[type];
	if (source)
		atomic_inc(&watch_source_calls[type]);
	return source;
}

static void watch_source_put(const struct watch_source *source)
{
	/* It may be gone after this */
	atomic_dec_and_wake_up(&watch_source_calls[source->type]);
}

/**
 * watch_source_ioctl - IOC_WATCH_QUEUE_ADD_WATCH and IOC_WATCH_QUEUE_REMOVE_WATCH
 * @wqueue: the queue that the caller has open
 * @cmd: either command, with any size in it
 * @arg: struct watch_queue_watch, of the size in @cmd
 *
 * Context: Process context.  May sleep.
 * Return: 0, what the source returns, or, in the order of the checks,
 *
 * * -EINVAL - the size in @cmd is below that of the first version
 * * -EFAULT - @arg cannot be read
 * * -E2BIG - there is something behind the members that this kernel knows
 * * -EINVAL - the watch ID is above 255
 * * -EOPNOTSUPP - no source for the type, or it is not set through here
 * * -EINVAL - a flag that the source does not know
 */
long watch_source_ioctl(struct watch_queue *wqueue, unsigned int cmd,
			const void __user *arg)
{
	const struct watch_source *source;
	struct watch_queue_watch how;
	int ret;

	if (_IOC_SIZE(cmd) < WATCH_QUEUE_WATCH_SIZE_VER0)
		return -EINVAL;
	ret = copy_struct_from_user(&how, sizeof(how), arg, _IOC_SIZE(cmd));
	if (ret)
		return ret;
	if (how.id > WATCH_INFO_ID >> WATCH_INFO_ID__SHIFT)
		return -EINVAL;
	if (!watch_source_type_valid(how.type))
		return -EOPNOTSUPP;

	source = watch_source_get(array_index_nospec(how.type, ARRAY_SIZE(watch_sources)));
	if (!source)
		return -EOPNOTSUPP;
	if (how.flags & ~source->flags)
		ret = -EINVAL;
	else if (WATCH_IOCTL(cmd) == WATCH_IOCTL(IOC_WATCH_QUEUE_ADD_WATCH))
		ret = source->add(wqueue, &how);
	else
		ret = source->remove(wqueue, &how);
	watch_source_put(source);
	return ret;
}
