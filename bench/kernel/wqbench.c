// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel part of the benchmark: an object that can be watched, and a loop that
 * posts to its watchers
 *
 * bin/bench builds it into copies of 6.12 and of our kernel, so it only uses
 * functions that both offer to event sources.  It is not part of the series.
 */
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>
#include <linux/watch_queue.h>

#include "wqbench.h"

static struct {
	struct watch_notification n;
	u8 data[120];
} record = {
	.n.type = WATCH_TYPE_KEY_NOTIFY,
	.n.subtype = 1,
};

/* User-mode Linux has no <asm/tsc.h> */
static u64 ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static u64 bench_loop(u64 nr)
{
	u64 start = ticks();

	for (u64 i = 0; i < nr; i++)
		barrier();
	return ticks() - start;
}

static u64 bench_post(struct watch_list *wlist, const struct wqbench *arg)
{
	u64 nr = arg->nr, id = arg->id, start;
	/* A void pointer suits both kernels: only ours takes a pointer to const */
	void *n = &record;

	record.n.info = arg->len;
	start = ticks();
	for (u64 i = 0; i < nr; i++)
		post_watch_notification(wlist, n, NULL, id);
	return ticks() - start;
}

static int bench_watch_one(struct watch_list *wlist, struct watch_queue *wqueue,
			   u64 id)
{
	struct watch *watch = kzalloc(sizeof(*watch), GFP_KERNEL);
	int ret;

	if (!watch)
		return -ENOMEM;
	init_watch(watch, wqueue);
	watch->id = id;
	watch->info_id = 1 << WATCH_INFO_ID__SHIFT;
	ret = add_watch_to_object(watch, wlist);
	if (ret)
		kfree(watch);
	return ret;
}

static int bench_watch(struct watch_list *wlist, struct wqbench *arg, bool add)
{
	struct watch_queue *wqueue = get_watch_queue(arg->fd);
	u64 start;
	int ret = 0;

	if (IS_ERR(wqueue))
		return PTR_ERR(wqueue);

	start = ticks();
	for (u64 i = 0; !ret && i < arg->nr; i++) {
		if (add)
			ret = bench_watch_one(wlist, wqueue, arg->id + i);
		else
			ret = remove_watch_from_object(wlist, wqueue,
						       arg->id + i, false);
	}
	arg->result = ticks() - start;
	put_watch_queue(wqueue);
	return ret;
}

/* Count free pages, after all pending frees have completed */
static u64 bench_free_pages(void)
{
	rcu_barrier();
	kvfree_rcu_barrier();
	drain_all_pages(NULL);
	return global_zone_page_state(NR_FREE_PAGES);
}

static long wqbench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct watch_list *wlist = file->private_data;
	struct wqbench b;
	int ret = 0;

	if (copy_from_user(&b, (void __user *)arg, sizeof(b)))
		return -EFAULT;

	switch (cmd) {
	case WQBENCH_LOOP:
		b.result = bench_loop(b.nr);
		break;
	case WQBENCH_POST:
		b.result = bench_post(wlist, &b);
		break;
	case WQBENCH_WATCH:
	case WQBENCH_UNWATCH:
		ret = bench_watch(wlist, &b, cmd == WQBENCH_WATCH);
		break;
	case WQBENCH_FREE:
		b.result = bench_free_pages();
		break;
	default:
		return -ENOTTY;
	}
	if (!ret && copy_to_user((void __user *)arg, &b, sizeof(b)))
		ret = -EFAULT;
	return ret;
}

static int wqbench_open(struct inode *inode, struct file *file)
{
	struct watch_list *wlist = kzalloc(sizeof(*wlist), GFP_KERNEL);

	if (!wlist)
		return -ENOMEM;
	init_watch_list(wlist, NULL);
	file->private_data = wlist;
	return 0;
}

static int wqbench_release(struct inode *inode, struct file *file)
{
	remove_watch_list(file->private_data, 0);
	return 0;
}

static const struct file_operations wqbench_fops = {
	.open		= wqbench_open,
	.release	= wqbench_release,
	.unlocked_ioctl	= wqbench_ioctl,
};

static struct miscdevice wqbench = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "wqbench",
	.fops	= &wqbench_fops,
};
builtin_misc_device(wqbench);
