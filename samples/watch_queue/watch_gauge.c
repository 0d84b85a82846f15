// SPDX-License-Identifier: GPL-2.0-only
/*
 * Example of an event source for the general notification queue
 *
 * The objects are gauges.  Each open file of /dev/watch_gauge is one, with a number: a
 * write sets it, and a read returns it.  A program watches a gauge with
 * IOC_WATCH_QUEUE_ADD_WATCH, the type WATCH_TYPE_TRIAL_NOTIFY and a descriptor of the
 * file.  Each change posts a record of watch_gauge.h.  When the last descriptor is
 * closed, the gauge is destroyed and its watches are removed.
 *
 * To build the module for the running kernel, if it has CONFIG_WATCH_QUEUE:
 *
 *	make -C /lib/modules/$(uname -r)/build M=$PWD CONFIG_SAMPLE_WATCH_SOURCE=m
 *
 * A source of the kernel has a type, a page and tests of its own.
 * Documentation/core-api/watch_queue.rst lists the files.
 */

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/watch_queue.h>

#include "watch_gauge.h"

/* No holes: their contents would be copied to user space */
static_assert(sizeof(struct gauge_notification) ==
	      sizeof(struct watch_notification) + 3 * sizeof(__u64));

struct gauge {
	struct mutex lock;		/* orders the changes and their records */
	u64 value;
	u64 id;				/* not reused for another gauge */
	struct watch_list *watchers;	/* NULL until the first watch is added */
};

static atomic64_t gauge_last_id;

/* NULL if the gauge was never watched */
static struct watch_list *gauge_watchers(struct gauge *gauge)
{
	/* Pairs with cmpxchg() in watch_list_get_or_create() */
	return smp_load_acquire(&gauge->watchers);
}

/*
 * The task that causes the event is passed to the security modules.  In an interrupt or
 * a work item, pass NULL.
 */
static void gauge_post(struct gauge *gauge, u64 old)
{
	const struct gauge_notification n = {
		.watch.type	= WATCH_TYPE_TRIAL_NOTIFY,
		.watch.subtype	= gauge->value > old ? NOTIFY_GAUGE_RAISED :
						       NOTIFY_GAUGE_LOWERED,
		.watch.info	= watch_sizeof(n),
		.gauge_id	= gauge->id,
		.old_value	= old,
		.value		= gauge->value,
	};

	post_watch_notification(gauge_watchers(gauge), &n.watch, current_cred(),
				gauge->id);
}

static ssize_t gauge_write(struct file *file, const char __user *buf, size_t len,
			   loff_t *pos)
{
	struct gauge *gauge = file->private_data;
	u64 value, old;
	int ret;

	ret = kstrtou64_from_user(buf, len, 10, &value);
	if (ret)
		return ret;

	guard(mutex)(&gauge->lock);
	old = gauge->value;
	if (value == old)
		return len;
	WRITE_ONCE(gauge->value, value);
	/* The lock is not taken to add a watch, so it does not order the change */
	smp_mb__before_post();
	gauge_post(gauge, old);
	return len;
}

static ssize_t gauge_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	const struct gauge *gauge = file->private_data;
	char text[24];
	int n;

	n = scnprintf(text, sizeof(text), "%llu\n", READ_ONCE(gauge->value));
	return simple_read_from_buffer(buf, len, pos, text, n);
}

static int gauge_open(struct inode *inode, struct file *file)
{
	struct gauge *gauge = kzalloc(sizeof(*gauge), GFP_KERNEL_ACCOUNT);

	if (!gauge)
		return -ENOMEM;
	mutex_init(&gauge->lock);
	gauge->id = atomic64_inc_return(&gauge_last_id);
	file->private_data = gauge;
	return 0;
}

/*
 * No watch may be added during or after remove_watch_list().  Here this holds because
 * gauge_find() is only called while the file is open.  If an object can be destroyed
 * while its file is open, such as a device that is unplugged, use a lock in find().
 */
static int gauge_release(struct inode *inode, struct file *file)
{
	struct gauge *gauge = file->private_data;

	remove_watch_list(gauge->watchers, gauge->id);
	mutex_destroy(&gauge->lock);
	kfree(gauge);
	return 0;
}

/* An open file pins the module */
static const struct file_operations gauge_fops = {
	.owner		= THIS_MODULE,
	.open		= gauge_open,
	.release	= gauge_release,
	.read		= gauge_read,
	.write		= gauge_write,
	.llseek		= default_llseek,
};

static struct miscdevice gauge_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "watch_gauge",
	.fops	= &gauge_fops,
};

/*
 * A program that can read the gauge can find its changes without a watch.  There is no
 * watch on all gauges, and a gauge has no hook of the security modules.
 */
static int gauge_find(struct file *file, u32 flags, bool add,
		      struct watch_target *target)
{
	struct gauge *gauge;

	if (!file)
		return -EBADF;
	if (file->f_op != &gauge_fops)
		return -EINVAL;
	gauge = file->private_data;
	if (add) {
		if (!(file->f_mode & FMODE_READ))
			return -EPERM;
		if (!watch_list_get_or_create(&gauge->watchers, NULL))
			return -ENOMEM;
	}
	target->list = gauge_watchers(gauge);
	target->id = gauge->id;
	return 0;
}

static const struct watch_source gauge_source = {
	.type	= WATCH_TYPE_TRIAL_NOTIFY,
	.find	= gauge_find,
};

static int __init gauge_init(void)
{
	int ret = register_watch_source(&gauge_source);

	if (ret)
		return ret;
	ret = misc_register(&gauge_device);
	if (ret)
		unregister_watch_source(&gauge_source);
	return ret;
}
module_init(gauge_init);

/*
 * No file is open, so no gauge and no watch on one is left.  The watch list has no
 * release function.  A source that has one must be built in, see init_watch_list().
 */
static void __exit gauge_exit(void)
{
	misc_deregister(&gauge_device);
	unregister_watch_source(&gauge_source);
}
module_exit(gauge_exit);

MODULE_DESCRIPTION("Example of an event source for notification queues");
MODULE_LICENSE("GPL");
