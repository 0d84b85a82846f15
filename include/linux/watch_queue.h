/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * General notification queue: interface for event sources and for fs/pipe.c
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

#include <asm/barrier.h>

struct cred;
struct file;
struct inode;
struct pipe_inode_info;
struct ucounts;
struct watch_queue;

/**
 * watch_sizeof - length of a record, for its info word
 * @record: the record or its type; 8 to 127 bytes, checked at build time
 *
 * Return: the value for the WATCH_INFO_LENGTH bits.
 */
#define watch_sizeof(record)						\
	((u32)(sizeof(record) << WATCH_INFO_LENGTH__SHIFT) +		\
	 BUILD_BUG_ON_ZERO(sizeof(record) < sizeof(struct watch_notification)) + \
	 BUILD_BUG_ON_ZERO(sizeof(record) > WATCH_INFO_LENGTH))

/**
 * smp_mb__before_post - order a change of state before the check for watches
 *
 * A program adds a watch and then reads the state of the object.  A source
 * changes the state, calls this function, and then checks for watches, as
 * post_watch_notification() does.  So the program reads the new state, or is
 * notified of the change, or both.  Pairs with the full barrier at the end of
 * add_watch_to_object().  A source does not need this function if a lock that is
 * also taken to add a watch orders its changes.
 *
 * Context: Any.
 */
static inline void smp_mb__before_post(void)
{
	/* Pairs with the barrier at the end of add_watch_to_object() */
	smp_mb();
}

#ifdef CONFIG_WATCH_QUEUE

/**
 * struct watch - tie one object to one queue
 * @list_node: link in the object's list; protected by the lock of @list, posters
 *	walk the list under RCU
 * @queue_node: link in the queue's list; protected by the ring's lock, readers walk
 *	the list under RCU.  Nothing is posted to a watch that is not on this list
 * @queue: destination of records; set by init_watch(), then constant
 * @list: the object's list; set by add_watch_to_object(), then constant
 * @cred: credentials of the task that added the watch, without keyrings; set by
 *	add_watch_to_object(), then constant
 * @ucounts: charged for the watch, or NULL; set by add_watch_to_object()
 * @private: data of the source
 * @id: ID of the object, as a list may serve several objects.  Set by the source
 *	before the watch is added, then constant
 * @info_id: watch ID, shifted to WATCH_INFO_ID; set by the source before the
 *	watch is added, then constant
 * @type: type of the source; set by init_watch() to WATCH_TYPE_KEY_NOTIFY,
 *	other sources change it before the watch is added, then constant
 * @rcu: for freeing; posters may use a removed watch until a grace period ends
 *
 * The source allocates a watch with kzalloc() and initializes it with init_watch().
 * The queue owns and frees an added watch.  Before that, the source may kfree() it.
 */
struct watch {
	struct hlist_node	list_node;
	struct hlist_node	queue_node;
	struct watch_queue	*queue;
	struct watch_list	*list;
	const struct cred	*cred;
	struct ucounts		*ucounts;
	void			*private;
	u64			id;
	u32			info_id;
	u32			type;
	struct rcu_head		rcu;
};

/**
 * struct watch_list - the watches on an object
 * @rcu: for freeing
 * @watchers: the watches; protected by @lock, posters walk the list under RCU
 * @release_watch: called after a watch was unlinked, or NULL; see init_watch_list()
 * @lock: protects @watchers and @nr_watches; taken in process context only
 * @nr_watches: number of watches
 */
struct watch_list {
	struct rcu_head		rcu;
	struct hlist_head	watchers;
	void			(*release_watch)(struct watch *watch);
	spinlock_t		lock;	/* protects watchers, nr_watches */
	u32			nr_watches;
};

/**
 * struct watch_target - the object of a watch, found by its source
 * @list: the object's list of watches; NULL if it was never watched
 * @id: ID of the object on @list
 * @private: value for the private pointer of the watch; not used for removal
 */
struct watch_target {
	struct watch_list	*list;
	u64			id;
	void			*private;
};

/**
 * struct watch_source - objects that are watched through the queue's ioctls
 * @type: WATCH_TYPE_*_NOTIFY of the records
 * @flags: valid bits of watch_queue_watch.flags
 * @find: find the object for @file and @flags.  @file is NULL if the program passed
 *	-1 instead of a descriptor.  If @add is true, check that the caller may watch
 *	the object, and create its list.  Otherwise do not check permissions.  May
 *	sleep.  Returns 0, -EBADF if a file is required, -EINVAL if the file is of the
 *	wrong kind, -EPERM, -ENOMEM, or the error of a security module
 * @added: optional.  Called after a watch of the queue was added, and if the program
 *	passed %WATCH_REPORT_STATE.  The caller keeps the object and the queue alive,
 *	but not the watch.  May sleep
 *
 * If @find acquires a resource for @private, the release function of the list
 * releases the resource.  The function is called after the watch was removed, and
 * if the watch could not be added.
 */
struct watch_source {
	u32 type;
	u32 flags;
	int (*find)(struct file *file, u32 flags, bool add,
		    struct watch_target *target);
	void (*added)(const struct watch_target *target, struct watch_queue *wqueue);
};

int register_watch_source(const struct watch_source *source);
void unregister_watch_source(const struct watch_source *source);

void __post_watch_notification(struct watch_list *wlist,
			       const struct watch_notification *n,
			       const struct cred *cred, u64 id);
void post_watch_notification_if(struct watch_list *wlist,
				const struct watch_notification *n,
				const struct cred *cred, u64 id,
				bool (*may_notify)(const struct watch *watch,
						   const void *data),
				const void *data);
struct watch_queue *get_watch_queue(int fd);
void put_watch_queue(struct watch_queue *wqueue);
struct watch_list *
watch_list_get_or_create(struct watch_list **slot,
			 void (*release_watch)(struct watch *watch));
int add_watch_to_object(struct watch *watch, struct watch_list *wlist);
int remove_watch_from_object(struct watch_list *wlist,
			     struct watch_queue *wqueue, u64 id, bool all);
void __remove_watch_list(struct watch_list *wlist, u64 id);

/**
 * init_watch_list - initialize an object's list of watches
 * @wlist: the list, from kzalloc()
 * @release_watch: called for each watch after it was unlinked and before it is
 *	freed, or NULL
 *
 * The release function is called without any lock of the queue and may sleep.  It
 * may use @id, @info_id, @type, @private and @cred of the watch, but not its list
 * and queue, which may have been freed.  @cred is NULL if the watch could not be
 * added.  Closing a pipe also calls the function.  A source with a release function
 * must be built in: a module cannot wait until the function has returned.
 *
 * Context: Any.
 */
static inline void init_watch_list(struct watch_list *wlist,
				   void (*release_watch)(struct watch *watch))
{
	INIT_HLIST_HEAD(&wlist->watchers);
	spin_lock_init(&wlist->lock);
	wlist->nr_watches = 0;
	wlist->release_watch = release_watch;
}

/**
 * init_watch - initialize a watch
 * @watch: the watch, from kzalloc()
 * @wqueue: destination of its records
 *
 * The caller then sets id and info_id, and adds the watch to an object or frees it
 * with kfree().  Until then the caller must hold a reference on @wqueue, as
 * init_watch() does not take one.
 *
 * Context: Any.
 */
static inline void init_watch(struct watch *watch, struct watch_queue *wqueue)
{
	INIT_HLIST_NODE(&watch->list_node);
	INIT_HLIST_NODE(&watch->queue_node);
	watch->queue = wqueue;
	/* The key source relies on this; every other source overwrites it */
	watch->type = WATCH_TYPE_KEY_NOTIFY;
}

/**
 * post_watch_notification - post a record to the watchers of an object
 * @wlist: the object's watches, or NULL if it was never watched
 * @n: the record; its length must be in the info word, its watch ID is ignored
 * @cred: credentials of the task that caused the event, for the security
 *	modules, or NULL
 * @id: the object; watches with another ID on the list are skipped
 *
 * See __post_watch_notification(), and smp_mb__before_post().
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
 * remove_watch_list - destroy an object's list of watches
 * @wlist: the object's watches, or NULL if it was never watched
 * @id: the object, for the removal records; 0 if it has none
 *
 * Every watcher gets a removal record.  The list is freed after a grace period.
 * The caller must ensure that no watch is added concurrently.
 *
 * Context: Process context.  May sleep.
 */
static inline void remove_watch_list(struct watch_list *wlist, u64 id)
{
	if (wlist)
		__remove_watch_list(wlist, id);
}

/* For fs/pipe.c */
int watch_queue_init(struct inode *inode, const unsigned int *max_bytes);
void watch_queue_exit(struct pipe_inode_info *pipe);
long watch_queue_fcntl(struct file *file, unsigned int cmd);
long watch_queue_plain_pipe_ioctl(struct file *file, unsigned int cmd,
				  unsigned long arg);

#define watch_queue_plain_pipe_compat_ioctl watch_queue_plain_pipe_ioctl

/* For kernel/ucount.c */
void watch_queue_free_user(struct ucounts *ucounts);

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

static inline long watch_queue_plain_pipe_ioctl(struct file *file,
						unsigned int cmd,
						unsigned long arg)
{
	return -ENOIOCTLCMD;
}

#define watch_queue_plain_pipe_compat_ioctl NULL

static inline void watch_queue_free_user(struct ucounts *ucounts)
{
}

#endif /* CONFIG_WATCH_QUEUE */

#endif /* _LINUX_WATCH_QUEUE_H */
