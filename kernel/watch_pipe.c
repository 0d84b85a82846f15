// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: the pipe
 *
 * A notification pipe has its own file operations, so that the code of ordinary
 * pipes does not change.  This file contains these operations and the functions
 * that fs/pipe.c calls.
 *
 * kernel/watch_queue_internal.h describes the locks.  The banners of
 * kernel/watch_queue.c and kernel/watch_ring.h describe the orderings (A) to (E).
 *
 * End of file
 *
 * A read returns 0 when the ring is empty, no watch is left and the write end is
 * closed.  A reader checks these conditions under ring.lock.  It cannot miss the
 * removal record of the last watch, which is stored in the section of ring.lock
 * that unlinks the watch.  The write end can be reopened through /proc/PID/fd.
 *
 * Sleeping readers
 *
 * Readers are exclusive waiters, as are epolls with EPOLLEXCLUSIVE: one is woken when
 * the queue becomes readable.  A read that leaves records behind wakes the next one, and
 * all pollers again.  This includes a read that did not sleep: the task may have been
 * woken in epoll_wait().
 */

#include <linux/capability.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pipe_fs_i.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <asm/ioctls.h>

#include <trace/events/watch_queue.h>

#include "watch_queue_internal.h"

static_assert(O_NOTIFICATION_PIPE == O_EXCL);

static const struct file_operations watch_queue_fops;

/**
 * get_watch_queue - get the queue behind a descriptor
 * @fd: either end of a pipe opened with O_NOTIFICATION_PIPE
 *
 * Context: Process context.
 * Return: The queue, to be put with put_watch_queue(), or
 *
 * * ERR_PTR(-EBADF) - @fd is not open, or was opened with O_PATH
 * * ERR_PTR(-EINVAL) - @fd is not a notification pipe
 */
struct watch_queue *get_watch_queue(int fd)
{
	CLASS(fd, f)(fd);
	struct pipe_inode_info *pipe;

	if (fd_empty(f))
		return ERR_PTR(-EBADF);
	if (fd_file(f)->f_op != &watch_queue_fops)
		return ERR_PTR(-EINVAL);

	pipe = fd_file(f)->private_data;
	kref_get(&pipe->watch_queue->ref);
	return pipe->watch_queue;
}
EXPORT_SYMBOL_GPL(get_watch_queue);

/*
 * Reading
 */

static bool watch_queue_eof(const struct pipe_inode_info *pipe)
{
	lockdep_assert_held(&pipe->watch_queue->ring.lock);
	return !READ_ONCE(pipe->writers) && !pipe->watch_queue->nr_watches;
}

/*
 * Copy to @to the records that were queued when the call began, and report losses
 * where they occurred.  Return the number of bytes copied, 0 if the queue is empty, or
 * an error if nothing was copied.
 */
static __always_inline ssize_t
watch_queue_read_locked(struct pipe_inode_info *pipe, struct iov_iter *to)
{
	struct watch_ring *ring = &pipe->watch_queue->ring;
	size_t room = iov_iter_count(to);
	u32 end = watch_ring_end(ring);
	int err;

	lockdep_assert_held(&pipe->mutex);

	while (watch_ring_read(ring, end, to, &err)) {
		cond_resched();
		/* Not task work, which can wait */
		if (task_sigpending(current))
			break;
	}

	return room - iov_iter_count(to) ?: err;
}

/* True if a reader need not sleep */
static bool watch_queue_ready(const struct pipe_inode_info *pipe)
{
	struct watch_queue *wqueue = pipe->watch_queue;
	bool ready;

	scoped_guard(spinlock_irq, &wqueue->ring.lock)
		ready = watch_ring_readable(&wqueue->ring) || watch_queue_eof(pipe);
	return ready;
}

/* Return 1 if the caller should read again, 0 at the end of file, or an error */
static int watch_queue_wait(struct pipe_inode_info *pipe, bool nowait)
{
	struct watch_queue *wqueue = pipe->watch_queue;
	int ret = 0;

	/* Ordering (C) */
	if (!nowait)
		ret = wait_event_interruptible_exclusive(wqueue->wait,
							 watch_queue_ready(pipe));

	spin_lock_irq(&wqueue->ring.lock);
	if (watch_ring_readable(&wqueue->ring))
		ret = 1;
	else if (!ret && !watch_queue_eof(pipe))
		/* The queue is empty, but this is not the end of file */
		ret = nowait ? -EAGAIN : 1;
	spin_unlock_irq(&wqueue->ring.lock);

	return ret;
}

/* Wait for the mutex even with IOCB_NOWAIT, as ordinary pipes do */
static __always_inline ssize_t watch_queue_read(struct pipe_inode_info *pipe,
						struct iov_iter *to)
{
	ssize_t ret;

	mutex_lock(&pipe->mutex);
	ret = watch_queue_read_locked(pipe, to);
	mutex_unlock(&pipe->mutex);
	return ret;
}

static noinline ssize_t watch_queue_wait_and_read(struct pipe_inode_info *pipe,
						  struct iov_iter *to, bool nowait)
{
	ssize_t ret;

	do {
		ret = watch_queue_wait(pipe, nowait);
		if (ret <= 0)
			return ret;
		ret = watch_queue_read(pipe, to);
	} while (!ret);
	return ret;
}

static ssize_t watch_queue_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct pipe_inode_info *pipe = file->private_data;
	struct watch_queue *wqueue = pipe->watch_queue;
	bool nowait;
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;

	ret = watch_queue_read(pipe, to);
	if (!ret) {
		nowait = (file->f_flags & O_NONBLOCK) ||
			 (iocb->ki_flags & IOCB_NOWAIT);
		/* The ring was empty; an open write end excludes the end of file */
		if (nowait && READ_ONCE(pipe->writers))
			return -EAGAIN;
		ret = watch_queue_wait_and_read(pipe, to, nowait);
	}
	/* See "Sleeping readers" in the banner.  Ordering (C), as in watch_queue_notify() */
	if (wq_has_sleeper(&wqueue->wait) && watch_ring_readable(&wqueue->ring))
		wake_up_poll(&wqueue->wait, EPOLLIN | EPOLLRDNORM);
	if (ret > 0)
		trace_watch_queue_read(wqueue, ret);
	return ret;
}

static ssize_t watch_queue_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	return -EXDEV;
}

/* Full poll mask for either end of the pipe */
static noinline __poll_t watch_queue_poll_mask(const struct pipe_inode_info *pipe,
					       fmode_t mode)
{
	struct watch_queue *wqueue = pipe->watch_queue;
	__poll_t mask = 0;

	if (mode & FMODE_READ) {
		/* Precedes the check for records: see "End of file" in the banner */
		scoped_guard(spinlock_irq, &wqueue->ring.lock)
			if (watch_queue_eof(pipe))
				mask |= EPOLLHUP;
		if (watch_ring_readable(&wqueue->ring))
			mask |= EPOLLIN | EPOLLRDNORM;
	}

	if (mode & FMODE_WRITE) {
		/* write() does not block, as it always fails */
		mask |= EPOLLOUT | EPOLLWRNORM;
		if (!READ_ONCE(pipe->readers))
			mask |= EPOLLERR;
	}

	return mask;
}

static __poll_t watch_queue_poll(struct file *file, poll_table *wait)
{
	const struct pipe_inode_info *pipe = file->private_data;
	fmode_t mode;

	/* Ordering (C): poll_wait() ends with a full barrier */
	poll_wait(file, &pipe->watch_queue->wait, wait);

	mode = file->f_mode & (FMODE_READ | FMODE_WRITE);
	/* Fast path without a lock: a read end while a write end is open */
	if (likely(mode == FMODE_READ && READ_ONCE(pipe->writers)))
		return watch_ring_readable(&pipe->watch_queue->ring) ?
		       EPOLLIN | EPOLLRDNORM : 0;
	return watch_queue_poll_mask(pipe, mode);
}

/*
 * Return the list of @file, an unused list if @file has none, or NULL if all are in use.
 *
 * kill_fasync() holds the RCU read lock while it signals all entries of a list, and each
 * entry may be for a large process group.  With one list per file, an RCU read-side
 * section is not longer than that of kill() for one group.
 */
static struct fasync_struct **
watch_queue_fasync_list(struct watch_queue *wqueue, const struct file *file)
{
	struct fasync_struct **unused = NULL;

	for (u32 i = 0; i < WATCH_QUEUE_MAX_ASYNC; i++) {
		if (!wqueue->fasync[i])
			unused = &wqueue->fasync[i];
		else if (wqueue->fasync[i]->fa_file == file)
			return &wqueue->fasync[i];
	}
	return unused;
}

static int watch_queue_fasync(int fd, struct file *file, int on)
{
	struct pipe_inode_info *pipe = file->private_data;
	struct watch_queue *wqueue = pipe->watch_queue;
	struct fasync_struct **list;
	int ret;

	if (!(file->f_mode & FMODE_READ))
		return 0;

	guard(mutex)(&pipe->mutex);
	/* Under the mutex, as two threads may set O_ASYNC on one descriptor */
	list = watch_queue_fasync_list(wqueue, file);
	if (!list)
		return on ? -ENOSPC : 0;
	ret = fasync_helper(fd, file, on, list);
	if (ret <= 0)
		return ret;
	WRITE_ONCE(wqueue->nr_async, wqueue->nr_async + (on ? 1 : -1));
	if (!on)
		return ret;

	/* Ordering (C).  A post to a readable queue does not request a signal. */
	smp_mb();
	if (watch_ring_readable(&wqueue->ring))
		kill_fasync(list, SIGIO, POLL_IN);
	return ret;
}

/*
 * Configuration
 */

static noinline int watch_queue_set_size(struct pipe_inode_info *pipe,
					 unsigned long depth)
{
	struct watch_queue *wqueue = pipe->watch_queue;
	unsigned long user_bufs, pages;
	int ret;

	guard(mutex)(&pipe->mutex);
	if (wqueue->ring.slots)
		return -EBUSY;

	if (depth == 0 || depth > WATCH_RING_MAX_DEPTH)
		return -EINVAL;
	if (depth > READ_ONCE(*wqueue->max_bytes) / sizeof(struct watch_slot) &&
	    !capable(CAP_SYS_RESOURCE))
		return -EINVAL;

	pages = watch_ring_pages(roundup_pow_of_two(depth));
	user_bufs = account_pipe_buffers(pipe->user, pipe->nr_accounted, pages);
	if (pages > pipe->nr_accounted &&
	    (too_many_pipe_buffers_hard(user_bufs) ||
	     too_many_pipe_buffers_soft(user_bufs)) &&
	    pipe_is_unprivileged_user())
		ret = -EPERM;
	else
		ret = watch_ring_resize(&wqueue->ring, depth);

	if (ret)
		account_pipe_buffers(pipe->user, pages, pipe->nr_accounted);
	else
		pipe->nr_accounted = pages;
	return ret;
}

static noinline int
watch_queue_set_filter(struct pipe_inode_info *pipe,
		       const struct watch_notification_filter __user *arg)
{
	struct watch_filter *filter = NULL;

	if (arg) {
		filter = watch_filter_copy(arg);
		if (IS_ERR(filter))
			return PTR_ERR(filter);
	}

	scoped_guard(mutex, &pipe->mutex)
		filter = rcu_replace_pointer(pipe->watch_queue->filter, filter,
					     lockdep_is_held(&pipe->mutex));
	if (filter)
		kfree_rcu(filter, rcu);
	return 0;
}

static long watch_queue_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	struct pipe_inode_info *pipe = file->private_data;

	if (likely(cmd == FIONREAD)) {
		u32 bytes;

		mutex_lock(&pipe->mutex);
		bytes = watch_ring_bytes(&pipe->watch_queue->ring);
		mutex_unlock(&pipe->mutex);
		return put_user(bytes, (int __user *)arg);
	}

	switch (cmd) {
	case IOC_WATCH_QUEUE_SET_SIZE:
		return watch_queue_set_size(pipe, arg);
	case IOC_WATCH_QUEUE_SET_FILTER:
		return watch_queue_set_filter(pipe, (void __user *)arg);
	}

	switch (WATCH_IOCTL(cmd)) {
	case WATCH_IOCTL(IOC_WATCH_QUEUE_ADD_WATCH):
	case WATCH_IOCTL(IOC_WATCH_QUEUE_REMOVE_WATCH):
		return watch_source_ioctl(pipe->watch_queue, cmd,
					  (void __user *)arg);
	default:
		return -ENOIOCTLCMD;
	}
}

#ifdef CONFIG_COMPAT
static long watch_queue_compat_ioctl(struct file *file, unsigned int cmd,
				     unsigned long arg)
{
	/* The argument is a number, in which compat_ptr() may clear bits */
	if (cmd == IOC_WATCH_QUEUE_SET_SIZE)
		return watch_queue_ioctl(file, cmd, arg);
	return compat_ptr_ioctl(file, cmd, arg);
}
#else
#define watch_queue_compat_ioctl NULL
#endif

static void watch_filter_show(struct seq_file *m,
			      const struct watch_filter *filter)
{
	for (u32 i = 0; i < filter->nr_rules; i++) {
		const struct watch_notification_type_filter *rule = &filter->rules[i];

		seq_printf(m, "filter:\ttype:%u subtypes:", rule->type);
		for (u32 word = 0; word < ARRAY_SIZE(rule->subtype_filter); word++)
			seq_printf(m, "%s%08x", word ? "," : "",
				   rule->subtype_filter[word]);
		seq_printf(m, " info:%08x/%08x\n", rule->info_filter,
			   rule->info_mask);
	}
}

static void watch_queue_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;
	struct watch_queue *wqueue = pipe->watch_queue;
	const struct watch_ring *ring = &wqueue->ring;
	u32 depth, queued, nr_watches;
	const struct watch_filter *filter;
	const struct watch *watch;
	u64 posted, lost;

	scoped_guard(spinlock_irq, &wqueue->ring.lock) {
		depth = ring->depth;
		queued = ring->head - ring->tail;
		lost = ring->nr_lost + ring->overrun;
		posted = ring->nr_read + queued + lost;
		nr_watches = wqueue->nr_watches;
	}
	seq_printf(m, "depth:\t%u\nqueued:\t%u\nposted:\t%llu\nlost:\t%llu\nwatches:\t%u\n",
		   depth, queued, posted, lost, nr_watches);

	guard(rcu)();
	filter = rcu_dereference(wqueue->filter);
	if (filter)
		watch_filter_show(m, filter);
	hlist_for_each_entry_rcu(watch, &wqueue->watches, queue_node) {
		/* seq_file retries with a larger buffer */
		if (seq_has_overflowed(m))
			break;
		seq_printf(m, "watch:\ttype:%u id:%u object:%llx\n", watch->type,
			   watch->info_id >> WATCH_INFO_ID__SHIFT, watch->id);
	}
}

/*
 * Opening and closing, and functions for fs/pipe.c
 */

/* Only called for /proc/PID/fd: pipe2() creates its files without open() */
static int watch_queue_open(struct inode *inode, struct file *file)
{
	struct pipe_inode_info *pipe;

	if (!(file->f_mode & (FMODE_READ | FMODE_WRITE)))
		return -EINVAL;

	scoped_guard(spinlock, &inode->i_lock) {
		pipe = inode->i_pipe;
		if (pipe)
			pipe->files++;
	}
	/* The descriptors behind the link have been closed */
	if (!pipe)
		return -ENXIO;

	file->private_data = pipe;
	file->f_mode |= FMODE_NOWAIT;
	scoped_guard(mutex, &pipe->mutex) {
		if (file->f_mode & FMODE_READ)
			WRITE_ONCE(pipe->readers, pipe->readers + 1);
		if (file->f_mode & FMODE_WRITE)
			WRITE_ONCE(pipe->writers, pipe->writers + 1);
	}
	return stream_open(inode, file);
}

static int watch_queue_release(struct inode *inode, struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;
	struct watch_queue *wqueue = pipe->watch_queue;
	bool ended = false, last;

	scoped_guard(mutex, &pipe->mutex) {
		if (file->f_mode & FMODE_READ) {
			WRITE_ONCE(pipe->readers, pipe->readers - 1);
			ended = !pipe->readers;
		}
		if (file->f_mode & FMODE_WRITE) {
			WRITE_ONCE(pipe->writers, pipe->writers - 1);
			ended |= !pipe->writers;
		}
	}
	/* Sleepers at the other end may get EOF or an error */
	if (ended) {
		scoped_guard(spinlock_irq, &wqueue->ring.lock)
			watch_queue_notify_all(wqueue);
	}

	scoped_guard(spinlock, &inode->i_lock) {
		last = !--pipe->files;
		if (last)
			inode->i_pipe = NULL;
	}
	if (last) {
		watch_queue_exit(pipe);
		free_pipe_info(pipe);
	}
	return 0;
}

/* No .splice_read and .splice_write, so that splice(2) refuses the file */
static const struct file_operations watch_queue_fops = {
	.open		= watch_queue_open,
	.read_iter	= watch_queue_read_iter,
	.write_iter	= watch_queue_write_iter,
	.poll		= watch_queue_poll,
	.unlocked_ioctl	= watch_queue_ioctl,
	.compat_ioctl	= watch_queue_compat_ioctl,
	.release	= watch_queue_release,
	.fasync		= watch_queue_fasync,
	.show_fdinfo	= watch_queue_show_fdinfo,
};

/**
 * watch_queue_init - turn a new pipe into a notification pipe
 * @inode: the pipe's inode
 * @max_bytes: fs.pipe-max-size, the maximum size in bytes of an unprivileged user's
 *	ring
 *
 * On success the caller creates the pipe's files with inode->i_fop.
 *
 * Context: Process context.  May sleep.
 * Return: 0 or
 *
 * * -ENOMEM - out of memory
 */
int watch_queue_init(struct inode *inode, const unsigned int *max_bytes)
{
	struct watch_queue *wqueue = watch_queue_alloc();
	struct pipe_inode_info *pipe = inode->i_pipe;

	if (!wqueue)
		return -ENOMEM;

	/* A notification pipe has no use for the ring of an ordinary pipe */
	kfree(pipe->bufs);
	pipe->bufs = NULL;
	pipe->ring_size = 0;

	wqueue->max_bytes = max_bytes;
	pipe->watch_queue = wqueue;
	inode->i_fop = &watch_queue_fops;
	return 0;
}

/**
 * watch_queue_exit - destroy the queue of a pipe that is about to be freed
 * @pipe: the pipe, which may be an ordinary one; no file refers to it
 *
 * Context: Process context.  May sleep.
 */
void watch_queue_exit(struct pipe_inode_info *pipe)
{
	if (!pipe->watch_queue)
		return;

	watch_queue_close(pipe->watch_queue);
	put_watch_queue(pipe->watch_queue);
}

/**
 * watch_queue_fcntl - implement F_GETPIPE_SZ and F_SETPIPE_SZ
 * @file: a file that is not an ordinary pipe
 * @cmd: the command
 *
 * Context: Process context.  May sleep.
 * Return: The size of the ring in bytes, 0 before the size is set, or
 *
 * * -EBADF - @file is not a pipe
 * * -EBUSY - F_SETPIPE_SZ is refused; use IOC_WATCH_QUEUE_SET_SIZE
 */
long watch_queue_fcntl(struct file *file, unsigned int cmd)
{
	struct pipe_inode_info *pipe = file->private_data;
	const struct watch_ring *ring;

	if (file->f_op != &watch_queue_fops)
		return -EBADF;
	if (cmd != F_GETPIPE_SZ)
		return -EBUSY;

	guard(mutex)(&pipe->mutex);
	ring = &pipe->watch_queue->ring;
	if (!ring->slots)
		return 0;
	return PAGE_ALIGN((ring->mask + 1) * sizeof(struct watch_slot));
}

/**
 * watch_queue_plain_pipe_ioctl - refuse the queue's ioctls on an ordinary pipe
 * @file: the pipe
 * @cmd: the command
 * @arg: its argument
 *
 * Context: Any.
 * Return:
 *
 * * -ENODEV - the command is for notification pipes only
 * * -ENOIOCTLCMD - any other command
 */
long watch_queue_plain_pipe_ioctl(struct file *file, unsigned int cmd,
				  unsigned long arg)
{
	switch (cmd) {
	case IOC_WATCH_QUEUE_SET_SIZE:
	case IOC_WATCH_QUEUE_SET_FILTER:
		return -ENODEV;
	}

	switch (WATCH_IOCTL(cmd)) {
	case WATCH_IOCTL(IOC_WATCH_QUEUE_ADD_WATCH):
	case WATCH_IOCTL(IOC_WATCH_QUEUE_REMOVE_WATCH):
		return -ENODEV;
	default:
		return -ENOIOCTLCMD;
	}
}
