/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about devices: what the kernel calls for each uevent
 *
 * See Documentation/userspace-api/watch_queue.rst for the events.
 */
#ifndef _LINUX_KOBJECT_NOTIFY_H
#define _LINUX_KOBJECT_NOTIFY_H

#include <linux/watch_queue.h>

struct kobj_uevent_env;
struct net;

#ifdef CONFIG_DEVICE_NOTIFICATIONS
extern struct watch_list device_watchers;

void __kobject_notify(const struct net *net, const struct kobj_uevent_env *env);
#endif

/**
 * kobject_notify - tell of a uevent
 * @net: the network namespace it belongs to, or NULL for none
 * @env: all that is told through netlink, with ACTION, DEVPATH, SUBSYSTEM and SEQNUM
 *
 * Context: Process context, with any lock but a raw spinlock.
 */
static inline void kobject_notify(const struct net *net,
				  const struct kobj_uevent_env *env)
{
#ifdef CONFIG_DEVICE_NOTIFICATIONS
	if (!hlist_empty(&device_watchers.watchers))
		__kobject_notify(net, env);
#endif
}

#endif /* _LINUX_KOBJECT_NOTIFY_H */
