/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications about devices: the hook for uevents
 *
 * See Documentation/userspace-api/watch_queue/devices.rst for the events.
 */
#ifndef _LINUX_KOBJECT_NOTIFY_H
#define _LINUX_KOBJECT_NOTIFY_H

#include <linux/watch_queue.h>

struct kobj_uevent_env;
struct kobject;
struct net;

#ifdef CONFIG_DEVICE_NOTIFICATIONS
extern struct watch_list device_watchers;

void __kobject_notify(const struct kobject *kobj, const struct net *net,
		      const struct kobj_uevent_env *env);
#endif

/**
 * kobject_notify - notify watchers of a uevent
 * @kobj: the kobject
 * @net: network namespace to which the event belongs, or NULL for an untagged event
 * @env: environment of the uevent, with ACTION, DEVPATH, SUBSYSTEM and SEQNUM
 *
 * Context: Process context.  Locks may be held, except raw spinlocks.
 */
static inline void kobject_notify(const struct kobject *kobj, const struct net *net,
				  const struct kobj_uevent_env *env)
{
#ifdef CONFIG_DEVICE_NOTIFICATIONS
	/*
	 * Order the change of sysfs before the check for watches.  Pairs with the
	 * barrier in add_watch_to_object(): a program that adds a watch and then reads
	 * sysfs sees the change or gets the record.  An exception is the directory of
	 * @kobj, which is removed after the event.
	 */
	smp_mb__before_post();
	if (!hlist_empty(&device_watchers.watchers))
		__kobject_notify(kobj, net, env);
#endif
}

#endif /* _LINUX_KOBJECT_NOTIFY_H */
