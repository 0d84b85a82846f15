/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * General notification queue: what event sources and the pipe must know
 *
 * See Documentation/core-api/watch_queue.rst for how to write a source.
 */
#ifndef _LINUX_WATCH_QUEUE_H
#define _LINUX_WATCH_QUEUE_H

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <uapi/linux/watch_queue.h>

struct cred;
struct file;
struct inode;
struct pipe_inode_info;
struct watch_queue;

/**
 * watch_sizeof - length of a record, as its info word wants it
 * @record: the record or its type; 8 to 127 bytes, checked at build time
 *
 * Return: the value for the WATCH_INFO_LENGTH bits.
 */
#define watch_sizeof(record)						\
	((u32)(sizeof(record) << WATCH_INFO_LENGTH__SHIFT) +		\
	 BUILD_BUG_ON_ZERO(sizeof(record) < sizeof(struct watch_notification)) + \
	 BUILD_BUG_ON_ZERO(sizeof(record) > WATCH_INFO_LENGTH))

#ifdef CONFIG_WATCH_QUEUE

/**
 * struct watch - one queue's interest in one object
 * @list_node: link in the object's list; wlist->lock, posters walk it by RCU
 * @queue_node: link in the queue's list; the queue's lock, fdinfo walks it by
 *	RCU.  Nothing is posted through a watch off this list
 * @queue: where records go; set by init_watch(), then constant
 * @list: the object's list; set by add_watch_to_object(), then constant
 * @cred: who set the watch, without keyrings; set by add_watch_to_object(),
 *	then constant
 * @private: for the source
 * @id: which object on the list is meant (a list may serve several); set by
 *	the source before the watch is added, then constant
 * @info_id: watch ID, shifted to WATCH_INFO_ID; set by the source before the
 *	watch is added, then constant
 * @type: type of the source; set by init_watch() to WATCH_TYPE_KEY_NOTIFY,
 *	other sources change it before the watch is added, then constant
 * @rcu: for freeing; posters may hold a removed watch until a grace period
 *
 * The source allocates it with kzalloc() and prepares it with init_watch().
 * Once it was added it belongs to the queue, which frees it; until then the
 * source may kfree() it.
 */
struct watch {
	struct hlist_node	list_node;
	struct hlist_node	queue_node;
	struct watch_queue	*queue;
	struct watch_list	*list;
	const struct cred	*cred;
	void			*private;
	u64			id;
	u32			info_id;
	u32			type;
	struct rcu_head		rcu;
};

/**
 * struct watch_list - the watches on an object
 * @rcu: for freeing
 * @watchers: the watches; @lock, posters walk it by RCU
 * @release_watch: called when a watch was taken off the list, or NULL; see
 *	init_watch_list()
 * @lock: serialises changes of @watchers; taken in process context only
 * @nr_watches: how many there are; @lock
 */
struct watch_list {
	struct rcu_head		rcu;
	struct hlist_head	watchers;
	void			(*release_watch)(struct watch *watch);
	spinlock_t		lock;	/* protects watchers, nr_watches */
	u32			nr_watches;
};

/**
 * struct watch_source - objects that are watched through the queue's ioctls
 * @type: WATCH_TYPE_*_NOTIFY, that of its records
 * @flags: bits of watch_queue_watch.flags that it knows
 * @add: set a watch of @wqueue on the object that @how names
 * @remove: take it off again
 *
 * @how was checked: its type is @type, its id fits and its flags are known.  The
 * queue stays while the function runs.  Both may sleep, and return 0 or, so that
 * all sources look alike, -EBADF for a bad descriptor, -EINVAL for one of the
 * wrong kind, -EPERM, and what add_watch_to_object() or
 * remove_watch_from_object() return.
 */
struct watch_source {
	u32 type;
	u32 flags;
	int (*add)(struct watch_queue *wqueue,
		   const struct watch_queue_watch *how);
	int (*remove)(struct watch_queue *wqueue,
		      const struct watch_queue_watch *how);
};

int register_watch_source(const struct watch_source *source);
void unregister_watch_source(const struct watch_source *source);
int watch_source_add(struct watch_queue *wqueue,
		     const struct watch_queue_watch *how,
		     struct watch_list *wlist, u64 id, void *private);
void watch_source_release(struct watch *watch);

void __post_watch_notification(struct watch_list *wlist,
			       const struct watch_notification *n,
			       const struct cred *cred, u64 id);
void post_watch_notification_if(struct watch_list *wlist,
				const struct watch_notification *n,
				const struct cred *cred, u64 id,
				bool (*may_learn)(const struct watch *watch,
						  const void *data),
				const void *data);
struct watch_queue *get_watch_queue(int fd);
void put_watch_queue(struct watch_queue *wqueue);
void init_watch_list(struct watch_list *wlist,
		     void (*release_watch)(struct watch *watch));
void init_watch(struct watch *watch, struct watch_queue *wqueue);
int add_watch_to_object(struct watch *watch, struct watch_list *wlist);
int remove_watch_from_object(struct watch_list *wlist,
			     struct watch_queue *wqueue, u64 id, bool all);
void __remove_watch_list(struct watch_list *wlist, u64 id);

/**
 * post_watch_notification - tell the watchers of an object of an event
 * @wlist: the object's watches, or NULL if it never had one
 * @n: the record; its length must be in the info word, its watch ID is ignored
 * @cred: who caused the event, for the security modules, or NULL
 * @id: the object; watches with another ID on the list are passed over
 *
 * See __post_watch_notification().
 *
 * Context: Any but NMI; see __post_watch_notification().
 */
static inline void post_watch_notification(struct watch_list *wlist,
					   const struct watch_notification *n,
					   const struct cred *cred, u64 id)
{
	if (unlikely(wlist && !hlist_empty(&wlist->watchers)))
		__post_watch_notification(wlist, n, cred, id);
}

/**
 * remove_watch_list - drop an object's watches when the object goes
 * @wlist: the object's watches, or NULL if it never had one
 * @id: the object, for the records that tell of the removal; 0 if it has none
 *
 * Every watcher gets a removal record.  The list is freed after a grace period
 * and must not be used again.  Nobody may be adding a watch.
 *
 * Context: Process context.  May sleep.
 */
static inline void remove_watch_list(struct watch_list *wlist, u64 id)
{
	if (wlist)
		__remove_watch_list(wlist, id);
}

/* For fs/pipe.c; without CONFIG_WATCH_QUEUE there is nothing but the errno */
int watch_queue_init(struct inode *inode, const unsigned int *max_bytes);
void watch_queue_exit(struct pipe_inode_info *pipe);
long watch_queue_fcntl(struct file *file, unsigned int cmd);
long watch_queue_no_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg);

#define watch_queue_no_compat_ioctl watch_queue_no_ioctl

/* For the ioctls whose number has in it the size of an argument that may grow */
#define WATCH_IOCTL(cmd) ((cmd) & ~IOCSIZE_MASK)

long watch_source_ioctl(struct watch_queue *wqueue, unsigned int cmd,
			const void __user *arg);

#else /* !CONFIG_WATCH_QUEUE */

static inline int watch_queue_init(struct inode *inode,
				   const unsigned int *max_bytes)
{
	return -ENOPKG;
}

static inline void watch_queue_exit(struct pipe_inode_info *pipe)
{
}

static inline long watch_queue_fcntl(struct file *file, unsigned int cmd)
{
	return -EBADF;
}

static inline long watch_queue_no_ioctl(struct file *file, unsigned int cmd,
					unsigned long arg)
{
	return -ENOIOCTLCMD;
}

#define watch_queue_no_compat_ioctl NULL

#endif /* CONFIG_WATCH_QUEUE */

#endif /* _LINUX_WATCH_QUEUE_H */
